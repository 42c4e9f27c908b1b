/*-------------------------------------------------------------------------
 *
 * world.c
 *	  The working set: contacts, identifiers, conflicts and what changed.
 *
 * No rule is decided here.  Everything is allocated in the memory context
 * that is current, and goes with it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"

#include "common/logging.h"
#endif

#include "common/hashfn.h"
#include "resolver.h"

typedef struct ContactEntry
{
	int64		id;
	CiContact  *contact;
	char		status;
} ContactEntry;

#define SH_PREFIX contact
#define SH_ELEMENT_TYPE ContactEntry
#define SH_KEY_TYPE int64
#define SH_KEY id
#define SH_HASH_KEY(table, key) murmurhash32((uint32) (key) ^ (uint32) ((uint64) (key) >> 32))
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_RAW_ALLOCATOR palloc0
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

typedef struct IdentifierName
{
	const CiKind *kind;
	const char *value;
} IdentifierName;

typedef struct IdentifierEntry
{
	IdentifierName name;
	CiIdentifier *identifier;
	char		status;
} IdentifierEntry;

static inline uint32
hash_identifier(IdentifierName name)
{
	return hash_bytes((const unsigned char *) name.value, (int) strlen(name.value)) ^
		murmurhash32((uint32) (uintptr_t) name.kind);
}

static inline bool
same_identifier(IdentifierName a, IdentifierName b)
{
	return a.kind == b.kind && strcmp(a.value, b.value) == 0;
}

#define SH_PREFIX identifier
#define SH_ELEMENT_TYPE IdentifierEntry
#define SH_KEY_TYPE IdentifierName
#define SH_KEY name
#define SH_HASH_KEY(table, key) hash_identifier(key)
#define SH_EQUAL(table, a, b) same_identifier(a, b)
#define SH_SCOPE static inline
#define SH_RAW_ALLOCATOR palloc0
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* [5.1] Where one conflict at most is open. */
typedef struct ConflictScope
{
	const CiContact *contact;
	CiFieldType type;
	const char *field;
	const char *key_kind;		/* NULL: given without a key */
	const char *key;			/* then the source */
} ConflictScope;

typedef struct ScopeEntry
{
	ConflictScope scope;
	CiConflict *conflicts;
	char		status;
} ScopeEntry;

static inline uint32
hash_text(const char *text)
{
	return hash_bytes((const unsigned char *) text, (int) strlen(text));
}

static inline uint32
hash_scope(ConflictScope scope)
{
	uint32		hash = murmurhash32((uint32) (uintptr_t) scope.contact);

	return hash_combine(hash_combine(hash, hash_text(scope.field)), hash_text(scope.key));
}

static inline bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static inline bool
same_scope(ConflictScope a, ConflictScope b)
{
	return a.contact == b.contact && a.type == b.type && same_text(a.field, b.field) &&
		same_text(a.key_kind, b.key_kind) && same_text(a.key, b.key);
}

#define SH_PREFIX scope
#define SH_ELEMENT_TYPE ScopeEntry
#define SH_KEY_TYPE ConflictScope
#define SH_KEY scope
#define SH_HASH_KEY(table, key) hash_scope(key)
#define SH_EQUAL(table, a, b) same_scope(a, b)
#define SH_SCOPE static inline
#define SH_RAW_ALLOCATOR palloc0
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/*
 * An empty working set.  The clock is the time that calls without a time of
 * their own have.
 */
CiWorld *
ci_create_world(const CiConfig *config, CiTime clock)
{
	CiWorld    *world = palloc0(sizeof(CiWorld));

	world->config = config;
	world->clock = clock;
	world->looked_at = clock;
	world->newest = CI_NO_TIME;
	world->contact_table = contact_create(16, NULL);
	world->identifier_table = identifier_create(16, NULL);
	world->scope_table = scope_create(16, NULL);
	return world;
}

/* The contact of that id, or NULL where it was not loaded. */
CiContact *
ci_world_contact(CiWorld *world, int64 contact_id)
{
	ContactEntry *entry = contact_lookup(world->contact_table, contact_id);

	return entry == NULL ? NULL : entry->contact;
}

/* Adds a contact that is not there yet; the caller fills it in. */
CiContact *
ci_add_contact(CiWorld *world, int64 contact_id)
{
	CiContact  *contact = palloc0(sizeof(CiContact));
	bool		found;
	ContactEntry *entry = contact_insert(world->contact_table, contact_id, &found);

	Assert(!found);
	contact->id = contact_id;
	entry->contact = contact;
	if (world->last_contact == NULL)
		world->contacts = contact;
	else
		world->last_contact->next = contact;
	world->last_contact = contact;
	world->ncontacts++;
	return contact;
}

/*
 * The identifier (kind, value); it is always there, without a contact where
 * the tables have no row of it.
 */
CiIdentifier *
ci_world_identifier(CiWorld *world, const CiKind *kind, const char *value)
{
	IdentifierName name = {kind, value};
	bool		found;
	IdentifierEntry *entry = identifier_insert(world->identifier_table, name, &found);

	if (!found)
	{
		CiIdentifier *identifier = palloc0(sizeof(CiIdentifier));

		identifier->kind = kind;
		identifier->value = value;
		entry->identifier = identifier;
	}
	return entry->identifier;
}

/*
 * Puts an identifier into the chain of its contact: identifying ones first,
 * so that nobody walks over 100,000 keys to find an e-mail.
 */
static void
link_identifier(CiIdentifier *identifier)
{
	CiContact  *contact = identifier->now.contact;
	CiIdentifier *before = NULL;
	CiIdentifier *after = contact->identifiers;

	while (!identifier->kind->identifying && after != NULL && after->kind->identifying)
	{
		before = after;
		after = after->next;
	}
	identifier->prev = before;
	identifier->next = after;
	if (before == NULL)
		contact->identifiers = identifier;
	else
		before->next = identifier;
	if (after != NULL)
		after->prev = identifier;
}

/* Takes an identifier out of the chain of its contact. */
static void
unlink_identifier(CiIdentifier *identifier)
{
	if (identifier->prev == NULL)
		identifier->now.contact->identifiers = identifier->next;
	else
		identifier->prev->next = identifier->next;
	if (identifier->next != NULL)
		identifier->next->prev = identifier->prev;
	identifier->prev = identifier->next = NULL;
}

/* Enters a row of the tables; a row that was read twice is entered once. */
void
ci_load_identifier(CiWorld *world, const CiKind *kind, const char *value,
				   const CiIdentifierState *state)
{
	CiIdentifier *identifier = ci_world_identifier(world, kind, value);

	if (identifier->now.contact != NULL)
		return;
	identifier->now = *state;
	identifier->was = *state;
	link_identifier(identifier);
}

/* [5.1] The scope that a conflict has, or would have with that contact. */
static ConflictScope
scope_of(const CiContact *contact, const CiConflict *conflict)
{
	ConflictScope scope = {
		.contact = contact,
		.type = conflict->type,
		.field = conflict->field,
		.key_kind = conflict->key == NULL ? NULL : conflict->key_kind,
		.key = conflict->key == NULL ? conflict->source : conflict->key
	};

	return scope;
}

/*
 * The conflicts of a contact that are of the same field and key as another,
 * or of the same source without a key; more by next_in_scope.
 */
CiConflict *
ci_conflicts_like(CiWorld *world, const CiContact *contact, const CiConflict *conflict)
{
	ScopeEntry *entry = scope_lookup(world->scope_table, scope_of(contact, conflict));

	return entry == NULL ? NULL : entry->conflicts;
}

/* Puts a conflict into the chains of its contact. */
static void
link_conflict(CiWorld *world, CiConflict *conflict)
{
	CiContact  *contact = conflict->contact;
	bool		found;
	ScopeEntry *entry = scope_insert(world->scope_table, scope_of(contact, conflict), &found);

	conflict->next_in_scope = found ? entry->conflicts : NULL;
	entry->conflicts = conflict;
	conflict->next = contact->conflicts;
	contact->conflicts = conflict;
}

/* Takes a conflict out of the chains of its contact. */
static void
unlink_conflict(CiWorld *world, CiConflict *conflict)
{
	CiContact  *contact = conflict->contact;
	ScopeEntry *entry = scope_lookup(world->scope_table, scope_of(contact, conflict));
	CiConflict **link = &entry->conflicts;

	while (*link != conflict)
		link = &(*link)->next_in_scope;
	*link = conflict->next_in_scope;
	link = &contact->conflicts;
	while (*link != conflict)
		link = &(*link)->next;
	*link = conflict->next;
}

/* Enters a conflict of the tables. */
void
ci_load_conflict(CiWorld *world, CiConflict *conflict)
{
	link_conflict(world, conflict);
}

/* Enters a list membership of the tables. */
void
ci_load_member(CiWorld *world, CiMember *member)
{
	member->stored = true;
	member->next = member->contact->members;
	member->contact->members = member;
}

/* To be called when all rows are in: notes what the rows counted as. */
void
ci_finish_load(CiWorld *world)
{
	for (CiContact *contact = world->contacts; contact != NULL; contact = contact->next)
	{
		contact->was_state = contact->state;
		contact->was_class = ci_contact_class(contact);
		contact->was_blocks = contact->blocks;
	}
}

/* Whether anything is to be written. */
bool
ci_world_is_changed(const CiWorld *world)
{
	if (world->events != NULL || world->touched_identifiers != NULL)
		return true;
	for (const CiContact *contact = world->contacts; contact != NULL; contact = contact->next)
	{
		if (contact->touched || contact->attributes_touched)
			return true;
	}
	return false;
}

/* The attribute of that name, also a cleared one, or NULL. */
CiAttribute *
ci_find_attribute(const CiAttributes *attributes, const char *name)
{
	for (int i = 0; i < attributes->count; i++)
	{
		if (strcmp(attributes->items[i].name, name) == 0)
			return &attributes->items[i];
	}
	return NULL;
}

/* The order in which jsonb keeps names. */
static int
compare_names(const char *a, const char *b)
{
	size_t		length_a = strlen(a);
	size_t		length_b = strlen(b);

	if (length_a != length_b)
		return length_a < length_b ? -1 : 1;
	return strcmp(a, b);
}

/*
 * Adds an attribute of a name that is not there yet.  They are in the order in
 * which they would be read again, so that a batch meets them as calls would.
 */
CiAttribute *
ci_add_attribute(CiAttributes *attributes, const char *name)
{
	CiAttribute *item;
	int			place = attributes->count;

	if (attributes->count == attributes->size)
	{
		attributes->size = Max(2, attributes->size * 2);
		if (attributes->items == NULL)
			attributes->items = palloc(attributes->size * sizeof(CiAttribute));
		else
			attributes->items = repalloc(attributes->items,
										 attributes->size * sizeof(CiAttribute));
	}
	while (place > 0 && compare_names(attributes->items[place - 1].name, name) > 0)
		place--;
	item = &attributes->items[place];
	memmove(item + 1, item, sizeof(CiAttribute) * (attributes->count - place));
	attributes->count++;
	memset(item, 0, sizeof(CiAttribute));
	item->name = name;
	item->at = CI_NO_TIME;
	return item;
}

/* [2.1] What an anonymous contact is counted as; none if it is not one. */
CiClass
ci_contact_class(const CiContact *contact)
{
	bool		has_key = false;

	if (contact->state != CI_ANONYMOUS)
		return CI_CLASS_NONE;
	for (const CiIdentifier *identifier = contact->identifiers;
		 identifier != NULL; identifier = identifier->next)
	{
		if (identifier->kind->identifying || identifier->now.parked)
			continue;
		if (identifier->kind->channel == CI_CHANNEL_PUSH)
			return CI_CLASS_PUSH;
		has_key = true;
	}
	return !has_key && contact->made == CI_CLASS_PUSH ?
		CI_CLASS_PUSH : CI_CLASS_CONVERSATIONS;
}

/* Whose an identifier or key is; a parked one is nobody's. */
CiContact *
ci_owner(const CiIdentifier *identifier)
{
	return identifier->now.parked ? NULL : identifier->now.contact;
}

/* A contact's primary value of a kind, or NULL. */
CiIdentifier *
ci_primary(const CiContact *contact, const CiKind *kind)
{
	for (CiIdentifier *identifier = contact->identifiers;
		 identifier != NULL && identifier->kind->identifying;
		 identifier = identifier->next)
	{
		if (identifier->kind == kind && identifier->now.primary)
			return identifier;
	}
	return NULL;
}

/* The name of a channel. */
const char *
ci_channel_name(int channel)
{
	switch (channel)
	{
		case CI_CHANNEL_EMAIL:
			return "email";
		case CI_CHANNEL_SMS:
			return "sms";
		case CI_CHANNEL_WHATSAPP:
			return "whatsapp";
		case CI_CHANNEL_PUSH:
			return "push";
	}
	return NULL;
}

/* The channel of that name, or CI_CHANNEL_NONE. */
int
ci_channel_of(const char *name)
{
	for (int channel = CI_CHANNEL_EMAIL; channel <= CI_CHANNEL_PUSH; channel <<= 1)
	{
		if (strcmp(name, ci_channel_name(channel)) == 0)
			return channel;
	}
	return CI_CHANNEL_NONE;
}

/* The kind of that name, or NULL. */
const CiKind *
ci_find_kind(const CiConfig *config, const char *name)
{
	for (int i = 0; i < config->nkinds; i++)
	{
		if (strcmp(config->kinds[i].name, name) == 0)
			return &config->kinds[i];
	}
	return NULL;
}

/* The source of that name, switched on or not, or NULL. */
const CiSource *
ci_find_source(const CiConfig *config, const char *name)
{
	for (int i = 0; i < config->nsources; i++)
	{
		if (strcmp(config->sources[i].name, name) == 0)
			return &config->sources[i];
	}
	return NULL;
}

/* A contact that the request being played makes. */
CiContact *
ci_new_contact(CiWorld *world, CiState state)
{
	CiContact  *contact = ci_add_contact(world, -(++world->new_contacts));
	const CiRequest *request = world->request;

	contact->is_new = true;
	contact->touched = true;
	contact->state = state;
	contact->origin = request->source->name;
	contact->made = request->source->makes;
	contact->created_at = request->at;
	contact->identified_at = CI_NO_TIME;
	contact->last_seen_at = request->at;
	return contact;
}

/* Notes that an identifier's row changes. */
void
ci_touch_identifier(CiWorld *world, CiIdentifier *identifier)
{
	if (identifier->touched)
		return;
	identifier->touched = true;
	identifier->next_touched = world->touched_identifiers;
	world->touched_identifiers = identifier;
}

/* Gives an identifier to a contact, or to nobody. */
void
ci_give_identifier(CiWorld *world, CiIdentifier *identifier, CiContact *contact)
{
	ci_touch_identifier(world, identifier);
	if (identifier->now.contact != NULL)
		unlink_identifier(identifier);
	identifier->now.contact = contact;
	if (contact != NULL)
		link_identifier(identifier);
}

/* Notes that a conflict's row changes. */
void
ci_touch_conflict(CiWorld *world, CiConflict *conflict)
{
	if (conflict->touched)
		return;
	conflict->touched = true;
	if (world->last_touched_conflict == NULL)
		world->touched_conflicts = conflict;
	else
		world->last_touched_conflict->next_touched = conflict;
	world->last_touched_conflict = conflict;
}

/* A new conflict of a contact. */
CiConflict *
ci_add_conflict(CiWorld *world, CiContact *contact, const CiConflict *template)
{
	CiConflict *conflict = palloc(sizeof(CiConflict));

	*conflict = *template;
	conflict->id = -(++world->new_conflicts);
	conflict->contact = contact;
	conflict->status = CI_OPEN;
	conflict->is_new = true;
	link_conflict(world, conflict);
	ci_touch_conflict(world, conflict);
	return conflict;
}

/* Moves a conflict to another contact. */
void
ci_give_conflict(CiWorld *world, CiConflict *conflict, CiContact *contact)
{
	unlink_conflict(world, conflict);
	conflict->contact = contact;
	link_conflict(world, conflict);
	conflict->moved = true;
	ci_touch_conflict(world, conflict);
}

/* Takes away a conflict, as if it never was. */
void
ci_withdraw_conflict(CiWorld *world, CiConflict *conflict)
{
	unlink_conflict(world, conflict);
	conflict->withdrawn = true;
	ci_touch_conflict(world, conflict);
}

/* Takes away an attribute, as if it never was. */
void
ci_remove_attribute(CiAttributes *attributes, const char *name)
{
	CiAttribute *item = ci_find_attribute(attributes, name);

	if (item == NULL)
		return;
	attributes->count--;
	memmove(item, item + 1, sizeof(CiAttribute) * (attributes->items + attributes->count - item));
}

/* Two contacts that are different people from now on. */
CiPair *
ci_add_pair(CiWorld *world, CiContact *contact, CiContact *other)
{
	CiPair	   *pair = palloc0(sizeof(CiPair));

	pair->contact = contact;
	pair->other = other;
	pair->request = world->request;
	pair->next = world->pairs;
	world->pairs = pair;
	return pair;
}

/* [10.4] Whether two contacts are known to be different people. */
bool
ci_is_distinct(CiWorld *world, const CiContact *a, const CiContact *b)
{
	for (const CiPair *pair = world->pairs; pair != NULL; pair = pair->next)
	{
		if (!pair->gone && ((pair->contact == a && pair->other == b) ||
							(pair->contact == b && pair->other == a)))
			return true;
	}
	return false;
}

/* A contact's row for a list, or NULL where it never was on it. */
CiMember *
ci_find_member(const CiContact *contact, int list_id)
{
	for (CiMember *member = contact->members; member != NULL; member = member->next)
	{
		if (member->list_id == list_id && !member->gone)
			return member;
	}
	return NULL;
}

/* Puts a contact on a list that it was never on. */
CiMember *
ci_add_member(CiWorld *world, CiContact *contact, int list_id)
{
	CiMember   *member = palloc0(sizeof(CiMember));

	member->contact = contact;
	member->list_id = list_id;
	member->subscribed = true;
	member->touched = true;
	member->next = contact->members;
	contact->members = member;
	return member;
}

/*
 * Says by which rule goes what happens from here on; its name is a constant of
 * the caller's.
 */
void
ci_apply_rule(CiWorld *world, const char *rule)
{
	world->rule = rule;
	for (int i = 0; i < world->nrules; i++)
	{
		if (world->rules[i] == rule || strcmp(world->rules[i], rule) == 0)
			return;
	}
	if (world->nrules < CI_MAX_RULES)
		world->rules[world->nrules++] = rule;
}

/*
 * A row of history for the request being played: there is no change without
 * one (RULES 9.4), so this is also what tells a change.
 */
CiEvent *
ci_add_event(CiWorld *world, CiContact *contact, const char *name,
			 CiFieldType type, const char *field)
{
	CiEvent    *event = palloc0(sizeof(CiEvent));

	event->contact = contact;
	event->request = world->request;
	event->event = name;
	event->type = type;
	event->field = field;
	event->old_at = CI_NO_TIME;
	event->new_at = CI_NO_TIME;
	event->merge = world->merge;
	event->rule = world->rule;
	if (world->last_event == NULL)
		world->events = event;
	else
		world->last_event->next = event;
	world->last_event = event;
	world->nevents++;
	world->result->nevents++;
	contact->touched = true;
	contact->is_changed = true;
	return event;
}
