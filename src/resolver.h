/*-------------------------------------------------------------------------
 *
 * resolver.h
 *	  The working set that the rules are played on, and what comes out of it.
 *
 * Pure C: no SQL, no clock, no globals.  The same objects are filled from the
 * tables by load.c, from literals by the host tests, and are written by
 * apply.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CI_RESOLVER_H
#define CI_RESOLVER_H

#include "normalize.h"

typedef int64 CiTime;			/* microseconds, as TimestampTz */

#define CI_NO_TIME	PG_INT64_MIN

/* Limits; the README lists them. */
#define CI_MAX_KINDS			32
#define CI_MAX_RULES			40	/* more than there are in RULES 3 to 6 */
#define CI_MAX_ATTRIBUTE_NAME	255
#define CI_MAX_ATTRIBUTES		1000	/* of one contact, and of one call */
#define CI_MAX_ATTRIBUTE_BYTES	1000000 /* of one contact, names included */
#define CI_MAX_ATTRIBUTE_DEPTH	1000	/* of nested arrays and objects */
#define CI_MAX_KEPT_ATTRIBUTE_BYTES (2 * CI_MAX_ATTRIBUTE_BYTES)	/* more is not looked at */
#define CI_MAX_MERGE_BYTES		250000000	/* of what a merged contact holds */
#define CI_MAX_NAME				255 /* of an agent, or of an account */
#define CI_MAX_EXT_ID			255
#define CI_MAX_KEY				2000

typedef enum CiState
{
	CI_ANONYMOUS,
	CI_IDENTIFIED,
	CI_MERGED,
	CI_ERASED
} CiState;

/* What a source makes, and how an anonymous contact is counted (RULES 2.1). */
typedef enum CiClass
{
	CI_CLASS_NONE,
	CI_CLASS_CONVERSATIONS,
	CI_CLASS_PUSH
} CiClass;

typedef enum CiChannel
{
	CI_CHANNEL_NONE = 0,
	CI_CHANNEL_EMAIL = 1,
	CI_CHANNEL_SMS = 2,
	CI_CHANNEL_WHATSAPP = 4,
	CI_CHANNEL_PUSH = 8
} CiChannel;

typedef struct CiKind
{
	const char *name;
	bool		identifying;	/* else a key */
	int			strength;		/* of identifying kinds; 1 is the strongest */
	CiNormalizer normalizer;
	int			max_octets;
	CiChannel	channel;		/* reached by it; keys of the push channel are
								 * opted in or out */
} CiKind;

typedef enum CiOtherPolicy
{
	CI_OTHER_CONFLICT,
	CI_OTHER_MOVE,
	CI_OTHER_REFUSE
} CiOtherPolicy;

typedef struct CiVia
{
	const char *name;
	const CiKind *kind;
} CiVia;

typedef struct CiSource
{
	const char *name;
	bool		enabled;
	const CiKind *key_kind;		/* NULL: takes no key */
	CiVia	   *vias;
	int			nvias;
	CiClass		makes;
	bool		primary_wins;	/* else the last update wins */
	CiOtherPolicy other;
	bool		claims;			/* claim mode, else login */
	int			default_list;	/* 0: none */
} CiSource;

typedef struct CiList
{
	int			list_id;
	const char *name;
} CiList;

/* What the value of a declared attribute must be (RULES 4.11). */
typedef enum CiAttributeType
{
	CI_ATTRIBUTE_TEXT,
	CI_ATTRIBUTE_NUMBER,
	CI_ATTRIBUTE_BOOLEAN,
	CI_ATTRIBUTE_DATE,
	CI_ATTRIBUTE_CHOICE
} CiAttributeType;

typedef struct CiDeclared
{
	const char *name;
	CiAttributeType type;
	const char **choices;		/* as JSON */
	int			nchoices;
} CiDeclared;

/* A column of an application's table that merges re-point (RULES 10.8). */
typedef struct CiFollowed
{
	Oid			relation;
	const char *column;
} CiFollowed;

/* One account's configuration. */
typedef struct CiConfig
{
	int			account_id;
	const char *region;			/* default region for numbers, or NULL */
	CiTime		seen_interval;	/* microseconds between notes of being seen */
	CiKind	   *kinds;			/* identifying ones first, strongest first */
	int			nkinds;
	CiSource   *sources;
	int			nsources;
	CiList	   *lists;
	int			nlists;
	CiDeclared *declared;		/* sorted by name; none: all are taken */
	int			ndeclared;
	CiFollowed *followed;		/* columns of the application's [10.8] */
	int			nfollowed;
	bool		has_suppressed; /* any value is not to come back [10.6] */
	uint8	   *suppress_key;
	int			suppress_key_length;
	bool		has_1_1_tables; /* see config.h */
	bool		(*is_blocked) (void *arg, const char *folded);
	void	   *blocked_arg;
} CiConfig;

typedef struct CiContact CiContact;
typedef struct CiIdentifier CiIdentifier;
typedef struct CiConflict CiConflict;
typedef struct CiMember CiMember;
typedef struct CiMerge CiMerge;
typedef struct CiRequest CiRequest;

/* What changes about an identifier or key. */
typedef struct CiIdentifierState
{
	CiContact  *contact;		/* NULL: there is no row */
	bool		primary;
	bool		opted_in;
	bool		parked;			/* nobody's: a detached key whose opt-out is
								 * remembered; the contact is the last owner */
	bool		verified;
	const char *given;
	const char *source;
	CiTime		updated_at;
} CiIdentifierState;

struct CiIdentifier
{
	const CiKind *kind;
	const char *value;
	CiIdentifierState now;
	CiIdentifierState was;		/* as loaded */
	CiIdentifier *next;			/* of the same contact, parked ones too;
								 * identifying ones come first */
	CiIdentifier *prev;
	CiIdentifier *next_touched;
	bool		touched;
	bool		concerned;		/* by a merge that is being undone ... */
	bool		returns;		/* ... and goes back */
};

/* An attribute; json NULL says that it was cleared (RULES 4.7). */
typedef struct CiAttribute
{
	const char *name;
	const char *json;
	const char *canonical;		/* equal exactly when the jsonb values are */
	CiTime		at;
	const char *source;
} CiAttribute;

typedef struct CiAttributes
{
	CiAttribute *items;
	int			count;
	int			size;
} CiAttributes;

struct CiMember
{
	CiContact  *contact;
	int			list_id;
	bool		subscribed;
	const char *source;
	CiTime		since;
	bool		stored;			/* there is a row */
	bool		touched;
	bool		gone;			/* as if it never was on the list */
	CiMember   *next;
};

struct CiContact
{
	int64		id;				/* negative: new, numbered within the world */
	CiState		state;
	CiState		was_state;
	CiClass		made;
	CiClass		was_class;		/* counted as; meaningful if it was live */
	const char *origin;
	CiTime		created_at;
	CiTime		identified_at;
	CiTime		last_seen_at;
	CiContact  *survivor;		/* of an ended one */
	CiAttributes attributes;
	bool		attributes_touched;
	bool		touched;
	bool		is_changed;		/* has an event, so not just seen */
	bool		is_new;
	bool		is_ours;		/* this transaction wrote it, so that nobody
								 * else can */
	uint32		version;		/* of its row, as it was read */
	int			blocks;			/* CiChannel bits */
	int			was_blocks;
	CiIdentifier *identifiers;
	CiConflict *conflicts;
	CiMember   *members;
	CiContact  *ended;			/* those whose survivor this is, if loaded */
	CiContact  *next_ended;
	CiContact  *next;			/* all contacts of the world, oldest first */
};

typedef enum CiFieldType
{
	CI_FIELD_CONTACT,
	CI_FIELD_IDENTIFIER,
	CI_FIELD_KEY,
	CI_FIELD_ATTRIBUTE,
	CI_FIELD_LIST,
	CI_FIELD_BLOCK
} CiFieldType;

typedef enum CiStatus
{
	CI_OPEN,
	CI_PROMOTED,
	CI_DISMISSED,
	CI_OBSOLETE
} CiStatus;

struct CiConflict
{
	int64		id;				/* negative: new */
	CiContact  *contact;
	CiFieldType type;			/* identifier or attribute */
	const char *field;
	const CiKind *kind;			/* of an identifier */
	const char *value;			/* normalised value, or json */
	const char *canonical;		/* what is compared */
	const char *given;			/* an identifier's spelling */
	CiContact  *owner;			/* as seen when it was opened, if loaded ... */
	int64		owner_id;		/* ... of one of the tables, always; or 0 */
	const char *source;
	const char *via;
	const char *key_kind;		/* NULL: given without a key */
	const char *key;
	CiStatus	status;
	CiTime		given_at;
	const char *settled_by;
	bool		is_new;
	bool		settled;		/* status changed */
	bool		moved;			/* contact changed */
	bool		withdrawn;		/* its merge is undone: there is no row */
	CiConflict *next;			/* of the contact */
	CiConflict *next_in_scope;	/* of the contact, of the field and key */
	CiConflict *next_touched;
	CiConflict *next_loaded;	/* of those that requests name */
	bool		touched;
};

/* Time moved forward by a merge without another trace; unmerge needs it. */
typedef struct CiTimeMove
{
	const char *name;
	CiTime		at;
	struct CiTimeMove *next;
} CiTimeMove;

/* A merge, with the ended contact as it was before it. */
struct CiMerge
{
	int64		id;
	CiContact  *survivor;
	CiContact  *ended;
	const CiRequest *request;
	CiState		ended_state;
	CiTime		ended_identified_at;
	CiTime		ended_seen_at;
	CiTime		survivor_seen_at;
	CiIdentifier **identifiers;
	CiIdentifierState *identifier_states;
	int			nidentifiers;
	CiAttribute *attributes;
	int			nattributes;
	CiMember   *members;		/* copies, in an array */
	int			nmembers;
	CiMember   *survivor_members;	/* those of its rows that changed */
	int			nsurvivor_members;
	int			blocks;
	int			survivor_blocks;
	CiConflict **conflicts;
	CiStatus   *conflict_states;
	int			nconflicts;
	CiConflict **settled;		/* open before, of either side, until now */
	int			nsettled;
	int64	   *ended_before;	/* contacts that pointed to the ended one */
	int			nended_before;
	CiTimeMove *time_moves;		/* of the survivor's attributes */
	CiMerge    *next;
};

/* Two contacts that are different people (RULES 10.4). */
typedef struct CiPair
{
	CiContact  *contact;
	CiContact  *other;
	int64		merge_id;		/* it came from the ended contact of a merge
								 * ... */
	const CiMerge *merge;		/* ... of the working set */
	const CiRequest *request;	/* that is about to store it */
	bool		is_new;
	bool		gone;			/* lifted */
	struct CiPair *next;
} CiPair;

/* A row of history as it is read again. */
typedef struct CiPastEvent
{
	const char *event;
	CiFieldType type;
	const char *field;
	const CiKind *kind;			/* of identifiers and keys */
	const char *old_value;		/* an identifier's, else JSON */
	const char *new_value;
	const char *new_canonical;	/* of an attribute */
	const char *old_canonical;
	CiIdentifierState old_state;	/* of identifiers and keys; source and
									 * time of all */
	CiIdentifierState new_state;
	const CiKind *found_kind;
	const char *found_value;
	bool		of_merge;		/* the merge itself */
	bool		moves;			/* given with what goes back */
	int64		conflict_id;
} CiPastEvent;

/* The record of a merge that is to be undone (RULES 10.3). */
typedef struct CiRecord
{
	const char *actor;			/* who undoes it */
	int64		merge_id;
	int64		survivor_id;
	int64		merged_id;
	bool		purged;
	int64		later_id;		/* a later merge of the survivor, or 0 */
	int64		later_survivor_id;
	int64		later_merged_id;
	CiTime		identified_at;
	CiTime		seen_at;
	CiTime		survivor_seen_at;
	bool		was_anonymous;
	CiIdentifier **identifiers;
	CiIdentifierState *states;
	int			nidentifiers;
	CiAttributes attributes;
	CiAttributes times_before;	/* of the survivor: name and time */
	CiMember   *members;
	int			nmembers;
	int			blocks;
	int64	   *conflicts;
	int			nconflicts;
	int64	   *settled;
	int			nsettled;
	int64	   *ended_before;
	int			nended_before;
	CiPastEvent *events;		/* of the survivor, from the merge on */
	int			nevents;
} CiRecord;

/* A value in an event, as text, json or the id of a contact. */
typedef struct CiEventValue
{
	const char *text;
	const char *json;
	const CiContact *contact;
} CiEventValue;

/* A row of history to be (RULES 10.1). */
typedef struct CiEvent
{
	CiContact  *contact;
	const CiRequest *request;
	const char *event;
	CiFieldType type;
	const char *field;
	CiEventValue old_value;
	CiEventValue new_value;
	const char *old_source;
	CiTime		old_at;
	const char *new_source;
	CiTime		new_at;
	bool		has_old_state;	/* of identifiers and keys */
	bool		has_new_state;
	CiIdentifierState old_state;
	CiIdentifierState new_state;
	CiContact  *other;			/* whom it came from or went to */
	const char *rule;			/* by which it happened, or NULL */
	CiConflict *conflict;
	CiMerge    *merge;
	struct CiEvent *next;
} CiEvent;

typedef enum CiOp
{
	CI_OP_IDENTIFY,				/* capture too: one that has no identifier */
	CI_OP_CAPTURE,
	CI_OP_SUBSCRIBE,
	CI_OP_UNSUBSCRIBE,
	CI_OP_LOGOUT,
	CI_OP_PROMOTE,
	CI_OP_DISMISS,
	CI_OP_MERGE,
	CI_OP_BLOCK,
	CI_OP_UNBLOCK,
	CI_OP_ADD_TO_LIST,
	CI_OP_REMOVE_FROM_LIST,
	CI_OP_ERASE,
	CI_OP_UNMERGE,
	CI_OP_SET_DISTINCT
} CiOp;

typedef struct CiGiven
{
	const CiKind *kind;
	const char *value;			/* normalised */
	const char *given;			/* as spelt */
} CiGiven;

/* A field that is another contact's, whose id may be known only later. */
typedef struct CiOffender
{
	const char *field;
	const CiContact *owner;
} CiOffender;

/* One request, normalised. */
struct CiRequest
{
	CiOp		op;
	const CiSource *source;
	const char *via;
	const CiKind *key_kind;
	const char *key;
	CiGiven    *given;			/* strongest first */
	int			ngiven;
	CiAttributes attributes;	/* only name, json and canonical are set */
	const char **undeclared;	/* names that were left out [4.11] */
	int			nundeclared;
	int64		contact_id;		/* 0: not given; the survivor of a merge */
	bool		verified;
	CiTime		occurred_at;	/* CI_NO_TIME: not given */
	const char *actor;			/* the agent, too */
	bool		only_contact;	/* it means contact_id itself and no survivor,
								 * or a new one; a value of anybody else is
								 * refused */
	const CiKind **removed;		/* whose primaries it takes away */
	int			nremoved;

	int64		loser_id;		/* merge; the other one of set_distinct */
	bool		lifted;			/* set_distinct */
	bool		newer_wins;
	int64		conflict_id;	/* promote, dismiss */
	bool		confirmed;
	int			list_id;		/* 0: no such list */
	CiChannel	channel;
	bool		suppress;		/* erase */

	bool		suppressed;		/* it gives a value that was, and is refused */
	CiError		error;			/* set by whoever finds it unusable */
	CiOffender *offenders;		/* of CI_TAKEN */
	int			noffenders;
	CiTime		at;				/* its time, set by the resolver (RULES 4.10) */
	const char *found_kind;		/* by which its contact was found */
	const char *found_value;
};

typedef enum CiOutcome
{
	CI_OUTCOME_MERGED,
	CI_OUTCOME_SWITCHED,
	CI_OUTCOME_CREATED,
	CI_OUTCOME_CAPTURED,
	CI_OUTCOME_IDENTIFIED,
	CI_OUTCOME_UPDATED,
	CI_OUTCOME_UNCHANGED
} CiOutcome;

typedef struct CiResult
{
	CiContact  *contact;
	CiContact  *merged;
	CiOutcome	outcome;
	CiConflict **conflicts;
	int			nconflicts;
	const char **ignored;
	int			nignored;
	int			nevents;		/* the changes that it made */
} CiResult;

/* The working set. */
typedef struct CiWorld
{
	const CiConfig *config;
	CiTime		clock;
	CiTime		looked_at;		/* the clock when all was read */
	CiTime		newest;			/* time that was read */
	CiTime		waited;			/* from then until the contacts were held */
	const CiIdentifier *lost;	/* that another session was first to claim */
	struct contact_hash *contact_table;
	struct identifier_hash *identifier_table;
	struct scope_hash *scope_table;
	CiContact  *contacts;
	CiContact  *last_contact;
	int			ncontacts;
	int64		new_contacts;
	int64		new_conflicts;
	CiConflict *loaded_conflicts;	/* for promote and dismiss */
	CiIdentifier *touched_identifiers;
	CiConflict *touched_conflicts;	/* in order, new ones that of their ids */
	CiConflict *last_touched_conflict;
	CiMerge    *merges;
	CiMerge    *last_merge;
	CiPair	   *pairs;
	CiRecord   *record;			/* of the merge that a request undoes */
	CiRecord   *undone;			/* once it is */
	CiEvent    *events;
	CiEvent    *last_event;
	int			nevents;

	/* of the request that is being played */
	const CiRequest *request;
	CiResult   *result;
	CiMerge    *merge;			/* to which its events belong */
	CiEvent    *created;		/* of the contact that it makes */
	CiContact  *key_contact;	/* K */
	const char *rule;			/* that is being applied, or NULL */
	const char *rules[CI_MAX_RULES];	/* that decided so far, each once */
	int			nrules;
} CiWorld;

/* A time as it is stored: one of the clock is that of when the contacts were held. */
static inline CiTime
ci_held_time(const CiWorld *world, CiTime at)
{
	return at != CI_NO_TIME && at >= world->looked_at ? at + world->waited : at;
}

/* world.c: the working set itself */
extern CiWorld *ci_create_world(const CiConfig *config, CiTime clock);
extern CiContact *ci_world_contact(CiWorld *world, int64 contact_id);
extern CiContact *ci_add_contact(CiWorld *world, int64 contact_id);
extern CiIdentifier *ci_world_identifier(CiWorld *world, const CiKind *kind, const char *value);
extern void ci_load_identifier(CiWorld *world, const CiKind *kind, const char *value,
							   const CiIdentifierState *state);
extern void ci_load_conflict(CiWorld *world, CiConflict *conflict);
extern void ci_load_member(CiWorld *world, CiMember *member);
extern void ci_finish_load(CiWorld *world);
extern bool ci_world_is_changed(const CiWorld *world);

extern CiAttribute *ci_find_attribute(const CiAttributes *attributes, const char *name);
extern CiAttribute *ci_add_attribute(CiAttributes *attributes, const char *name);
extern CiClass ci_contact_class(const CiContact *contact);
extern CiContact *ci_owner(const CiIdentifier *identifier);
extern CiIdentifier *ci_primary(const CiContact *contact, const CiKind *kind);
extern const char *ci_channel_name(int channel);
extern int	ci_channel_of(const char *name);
extern const CiKind *ci_find_kind(const CiConfig *config, const char *name);
extern const CiSource *ci_find_source(const CiConfig *config, const char *name);

extern bool ci_is_distinct(CiWorld *world, const CiContact *a, const CiContact *b);

/* For resolver.c: all changes of the working set go through these. */
extern CiContact *ci_new_contact(CiWorld *world, CiState state);
extern void ci_touch_identifier(CiWorld *world, CiIdentifier *identifier);
extern void ci_give_identifier(CiWorld *world, CiIdentifier *identifier, CiContact *contact);
extern void ci_touch_conflict(CiWorld *world, CiConflict *conflict);
extern CiConflict *ci_conflicts_like(CiWorld *world, const CiContact *contact,
									 const CiConflict *conflict);
extern CiConflict *ci_add_conflict(CiWorld *world, CiContact *contact,
								   const CiConflict *template);
extern void ci_give_conflict(CiWorld *world, CiConflict *conflict, CiContact *contact);
extern void ci_withdraw_conflict(CiWorld *world, CiConflict *conflict);
extern void ci_remove_attribute(CiAttributes *attributes, const char *name);
extern CiPair *ci_add_pair(CiWorld *world, CiContact *contact, CiContact *other);
extern CiMember *ci_find_member(const CiContact *contact, int list_id);
extern CiMember *ci_add_member(CiWorld *world, CiContact *contact, int list_id);
extern void ci_apply_rule(CiWorld *world, const char *rule);
extern CiEvent *ci_add_event(CiWorld *world, CiContact *contact, const char *event,
							 CiFieldType type, const char *field);

extern void ci_identify_contact(CiWorld *world, CiContact *contact);
extern void ci_promote_newest_alias(CiWorld *world, CiContact *contact, const CiKind *kind);
extern bool ci_same_attribute(const CiAttribute *a, const CiAttribute *b);

/* distinct.c: RULES 10.4 */
extern bool ci_set_distinct(CiWorld *world, CiRequest *request, CiResult *result);
extern void ci_pair_event(CiWorld *world, const CiPair *pair, const char *name);
extern void ci_follow_pairs(CiWorld *world, CiMerge *merge);

/* unmerge.c: RULES 10.3 */
extern bool ci_unmerge(CiWorld *world, CiRequest *request, CiResult *result);

/* declared.c: RULES 4.11 */
extern bool ci_attribute_is_declared(const CiConfig *config, const CiAttribute *attribute);

/* resolver.c: words that all rules are said in */
extern bool ci_fail_request(CiRequest *request, CiCode code, const char *message,
							const char *detail, const char *hint);
extern CiContact *ci_live_contact(CiWorld *world, int64 contact_id);
extern CiContact *ci_require_contact(CiWorld *world, CiRequest *request, int64 contact_id);
extern void ci_note_time(CiWorld *world, CiTime at);
extern bool ci_can_wait(const CiWorld *world, const CiRequest *requests, int count);
extern void ci_set_request_time(CiWorld *world, CiRequest *request, CiTime newest);
extern void *ci_grow(void *items, int count, Size size);
extern void ci_add_offender(CiRequest *request, const char *field, const CiContact *owner);
extern void ci_report_conflict(CiWorld *world, CiConflict *conflict);
extern CiEvent *ci_identifier_event(CiWorld *world, CiContact *contact, const char *name,
									CiIdentifier *identifier, const CiIdentifierState *before);
extern void ci_free_identifier(CiWorld *world, CiIdentifier *identifier);
extern void ci_conflict_event(CiWorld *world, CiConflict *conflict, const char *name);
extern void ci_settle_conflict(CiWorld *world, CiConflict *conflict, CiStatus status);
extern bool ci_equals_primary(const CiConflict *conflict);

/* resolver.c: RULES 3 to 6 */
extern void ci_resolve_request(CiWorld *world, CiRequest *request, CiResult *result);
extern const char *ci_outcome_name(CiOutcome outcome);
extern void ci_complete_error(CiRequest *request);

#endif							/* CI_RESOLVER_H */
