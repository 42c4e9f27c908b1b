/*-------------------------------------------------------------------------
 *
 * load.c
 *	  The contacts and identifiers that requests touch, into a working set.
 *
 * All look-ups of one load see one snapshot and lock nothing.  Ordinary page
 * views are kept cheap: where all requests are captures without attributes,
 * keys and their contacts are all that is read.
 *
 * Keys can be very many, so of an identified contact only those that the
 * requests name are loaded, unless it is about to end in a merge.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "lookup.h"
#include "pipeline.h"

/* So many rows are read before only those are that are needed. */
#define FEW 16

/* What is read of each table, by position. */
#define IDENTIFIER_COLUMNS { \
	{"account_id", INT4OID}, {"contact_id", INT8OID}, {"kind", TEXTOID}, {"value", TEXTOID}, \
	{"is_primary", BOOLOID}, {"opted_in", BOOLOID}, {"parked", BOOLOID}, {"verified", BOOLOID}, \
	{"given", TEXTOID}, {"source", TEXTOID}, {"updated_at", TIMESTAMPTZOID}}
#define CONTACT_COLUMNS { \
	{"account_id", INT4OID}, {"contact_id", INT8OID}, {"survivor_id", INT8OID}, {"state", TEXTOID}, \
	{"made", TEXTOID}, {"origin", TEXTOID}, {"created_at", TIMESTAMPTZOID}, {"identified_at", TIMESTAMPTZOID}, \
	{"last_seen_at", TIMESTAMPTZOID}, {"attributes", JSONBOID}, {"attribute_times", JSONBOID}}
#define CONFLICT_COLUMNS { \
	{"account_id", INT4OID}, {"contact_id", INT8OID}, {"status", TEXTOID}, {"conflict_id", INT8OID}, \
	{"field_type", TEXTOID}, {"field", TEXTOID}, {"secondary_value", JSONBOID}, {"given", TEXTOID}, \
	{"owner_contact_id", INT8OID}, {"source", TEXTOID}, {"via", TEXTOID}, {"key_kind", TEXTOID}, \
	{"key", TEXTOID}, {"given_at", TIMESTAMPTZOID}}
#define MEMBER_COLUMNS { \
	{"account_id", INT4OID}, {"contact_id", INT8OID}, {"list_id", INT4OID}, {"subscribed", BOOLOID}, \
	{"source", TEXTOID}, {"since", TIMESTAMPTZOID}}
#define BLOCK_COLUMNS { \
	{"account_id", INT4OID}, {"contact_id", INT8OID}, {"channel", TEXTOID}}
#define PAIR_COLUMNS { \
	{"account_id", INT4OID}, {"contact_id", INT8OID}, {"other_id", INT8OID}, {"merge_id", INT8OID}}

/* By what they are looked up: the positions of the key. */
static CiLookup identifiers_by_value = {"identifier", NULL, 3, {0, 2, 3}, IDENTIFIER_COLUMNS};
static CiLookup identifiers_by_contact = {"identifier", NULL, 2, {0, 1}, IDENTIFIER_COLUMNS};
static CiLookup identifiers_by_kind = {"identifier", NULL, 3, {0, 1, 2}, IDENTIFIER_COLUMNS};
static CiLookup contacts_by_id = {"contact", NULL, 2, {0, 1}, CONTACT_COLUMNS};
static CiLookup contacts_by_survivor = {"contact", "contact_survivor", 2, {0, 2}, CONTACT_COLUMNS};
static CiLookup conflicts_by_id = {"conflict", NULL, 2, {0, 3}, CONFLICT_COLUMNS};
static CiLookup conflicts_by_contact = {"conflict", NULL, 2, {0, 1}, CONFLICT_COLUMNS};
static CiLookup conflicts_by_status = {"conflict", NULL, 3, {0, 1, 2}, CONFLICT_COLUMNS};
static CiLookup members_by_contact = {"list_member", NULL, 2, {0, 1}, MEMBER_COLUMNS};
static CiLookup blocks_by_contact = {"block", NULL, 2, {0, 1}, BLOCK_COLUMNS};
static CiLookup pairs_by_contact = {"distinct_pair", NULL, 2, {0, 1}, PAIR_COLUMNS};
static CiLookup pairs_by_other = {"distinct_pair", NULL, 2, {0, 2}, PAIR_COLUMNS};

/* An ended contact and the id of its survivor. */
typedef struct EndedLink
{
	CiContact  *contact;
	int64		survivor_id;
	struct EndedLink *next;
} EndedLink;

/* An identifier that was read, before its contact is known to be there. */
typedef struct ReadIdentifier
{
	int64		contact_id;
	TransactionId version;
	const CiKind *kind;
	const char *value;
	CiIdentifierState state;
} ReadIdentifier;

/* To what is looked up, by whom it is had and by what it is. */
typedef struct Named
{
	CiColumn   *given;			/* kinds, values */
	CiColumn   *contacts;
} Named;

/* The working set and what is still to be read for it. */
typedef struct Load
{
	const CiConfig *config;
	CiWorld    *world;
	Datum		account;
	bool		details;		/* more than known keys is asked about */
	bool		merges;			/* an identified contact may end */
	bool		settles;		/* conflicts are named, settled ones too */
	bool		lists;			/* any contact may join or leave a list */
	bool		has_members;	/* one that may end is on some */
	EndedLink  *ended;
	ReadIdentifier *identifiers;	/* that were read */
	int			nidentifiers;
	int			identifiers_size;
	CiConflict **conflicts;		/* that were read */
	int			nconflicts;
	int			conflicts_size;
	CiColumn	many;			/* contacts of more than FEW of them */
} Load;

static CiState
state_of(const char *name)
{
	switch (name[0])
	{
		case 'a':
			return CI_ANONYMOUS;
		case 'i':
			return CI_IDENTIFIED;
		case 'm':
			return CI_MERGED;
	}
	return CI_ERASED;
}

static CiStatus
status_of(const char *name)
{
	switch (name[0])
	{
		case 'o':
			return name[1] == 'p' ? CI_OPEN : CI_OBSOLETE;
		case 'p':
			return CI_PROMOTED;
	}
	return CI_DISMISSED;
}

/* Enters the contact in a row. */
static bool
load_contact(void *argument, const CiRow *row)
{
	Load	   *load = argument;
	int64		contact_id = ci_row_int64(row, 1);
	CiContact  *contact;
	const char *made;

	if (ci_world_contact(load->world, contact_id) != NULL)
		return true;
	contact = ci_add_contact(load->world, contact_id);
	contact->state = state_of(ci_row_text(row, 3));
	made = ci_row_optional_text(row, 4);
	contact->made = made == NULL ? CI_CLASS_NONE :
		made[0] == 'p' ? CI_CLASS_PUSH : CI_CLASS_CONVERSATIONS;
	contact->origin = ci_row_text(row, 5);
	contact->created_at = ci_row_time(row, 6);
	contact->identified_at = ci_row_time(row, 7);
	contact->last_seen_at = ci_row_time(row, 8);
	ci_note_time(load->world, contact->created_at);
	ci_note_time(load->world, contact->identified_at);
	ci_note_time(load->world, contact->last_seen_at);
	contact->version = ci_row_version(row);
	contact->is_ours = TransactionIdIsCurrentTransactionId(contact->version);
	if (contact->state == CI_MERGED)
	{
		EndedLink  *link = palloc(sizeof(EndedLink));

		link->contact = contact;
		link->survivor_id = ci_row_int64(row, 2);
		link->next = load->ended;
		load->ended = link;
	}
	if (load->details && (contact->state == CI_ANONYMOUS || contact->state == CI_IDENTIFIED))
		ci_load_attributes(ci_row_jsonb(row, 9), ci_row_jsonb(row, 10), &contact->attributes);
	for (int i = 0; i < contact->attributes.count; i++)
		ci_note_time(load->world, contact->attributes.items[i].at);
	return true;
}

/* Notes the identifier in a row: its contact may still have to be read. */
static bool
note_identifier(void *argument, const CiRow *row)
{
	Load	   *load = argument;
	ReadIdentifier *identifier;

	if (load->nidentifiers == load->identifiers_size)
	{
		load->identifiers_size = Max(8, load->identifiers_size * 2);
		load->identifiers = load->identifiers == NULL ?
			palloc(load->identifiers_size * sizeof(ReadIdentifier)) :
			repalloc_huge(load->identifiers, load->identifiers_size * sizeof(ReadIdentifier));
	}
	identifier = &load->identifiers[load->nidentifiers++];
	identifier->contact_id = ci_row_int64(row, 1);
	identifier->version = ci_row_version(row);
	identifier->kind = ci_find_kind(load->config, ci_row_text(row, 2));
	identifier->value = ci_row_text(row, 3);
	identifier->state.primary = ci_row_bool(row, 4);
	identifier->state.opted_in = ci_row_bool(row, 5);
	identifier->state.parked = ci_row_bool(row, 6);
	identifier->state.verified = ci_row_bool(row, 7);
	identifier->state.given = ci_row_optional_text(row, 8);
	identifier->state.source = ci_row_text(row, 9);
	identifier->state.updated_at = ci_row_time(row, 10);
	ci_note_time(load->world, identifier->state.updated_at);
	return true;
}

/*
 * As note_identifier, of what a contact holds of the kinds that identify.  Where
 * it has many keys, it goes to those that are read kind by kind.
 */
static bool
note_identifying(void *argument, const CiRow *row)
{
	Load	   *load = argument;
	const CiKind *kind;

	if (row->before == FEW)
	{
		ci_column_add_int64(&load->many, ci_row_int64(row, 1));
		return false;
	}
	kind = ci_find_kind(load->config, ci_row_text(row, 2));
	return kind == NULL || !kind->identifying || note_identifier(argument, row);
}

/* A jsonb string as text. */
char *
ci_jsonb_string(const Jsonb *json)
{
	JsonbValue	value;

	if (!JB_ROOT_IS_SCALAR(json) ||
		!JsonbExtractScalar(unconstify(JsonbContainer *, &json->root), &value) || value.type != jbvString)
		ci_report_corrupt("secondary_value");
	return pnstrdup(value.val.string.val, value.val.string.len);
}

/* Notes the conflict in a row, whose contact must be there. */
static bool
note_conflict(void *argument, const CiRow *row)
{
	Load	   *load = argument;
	CiConflict *conflict = palloc0(sizeof(CiConflict));
	Jsonb	   *value = ci_row_jsonb(row, 6);

	conflict->id = ci_row_int64(row, 3);
	conflict->contact = ci_world_contact(load->world, ci_row_int64(row, 1));
	if (conflict->contact == NULL)
		return true;
	conflict->field = ci_row_text(row, 5);
	if (ci_row_text(row, 4)[0] == 'i')
	{
		conflict->type = CI_FIELD_IDENTIFIER;
		conflict->kind = ci_find_kind(load->config, conflict->field);
		if (conflict->kind == NULL)
			return true;		/* a kind that was removed */
		conflict->value = ci_jsonb_string(value);
		conflict->canonical = conflict->value;
	}
	else
	{
		conflict->type = CI_FIELD_ATTRIBUTE;
		conflict->value = ci_jsonb_text(value);
		conflict->canonical = ci_canonical_json(value);
	}
	conflict->given = ci_row_optional_text(row, 7);
	conflict->owner_id = ci_row_int64(row, 8);
	conflict->owner = ci_world_contact(load->world, conflict->owner_id);
	conflict->source = ci_row_text(row, 9);
	conflict->via = ci_row_optional_text(row, 10);
	conflict->key_kind = ci_row_optional_text(row, 11);
	conflict->key = ci_row_optional_text(row, 12);
	if ((conflict->key == NULL) != (conflict->key_kind == NULL))
		ci_report_corrupt("key");
	conflict->status = status_of(ci_row_text(row, 2));
	conflict->given_at = ci_row_time(row, 13);
	ci_note_time(load->world, conflict->given_at);
	if (load->nconflicts == load->conflicts_size)
	{
		load->conflicts_size = Max(8, load->conflicts_size * 2);
		load->conflicts = load->conflicts == NULL ?
			palloc(load->conflicts_size * sizeof(CiConflict *)) :
			repalloc_huge(load->conflicts, load->conflicts_size * sizeof(CiConflict *));
	}
	load->conflicts[load->nconflicts++] = conflict;
	return true;
}

/*
 * As note_conflict, of those that a rule can meet.  Where a contact has many,
 * it goes to those that are read status by status.
 */
static bool
note_unsettled(void *argument, const CiRow *row)
{
	Load	   *load = argument;
	CiStatus	status = status_of(ci_row_text(row, 2));
	int64		contact_id = ci_row_int64(row, 1);

	if (row->before == FEW)
	{
		while (load->nconflicts > 0 && load->conflicts[load->nconflicts - 1]->contact->id == contact_id)
			load->nconflicts--;
		ci_column_add_int64(&load->many, contact_id);
		return false;
	}
	return (status != CI_OPEN && status != CI_DISMISSED) || note_conflict(argument, row);
}

/* Enters the list that a contact is on. */
static bool
load_member(void *argument, const CiRow *row)
{
	Load	   *load = argument;
	CiMember   *member = palloc0(sizeof(CiMember));

	member->contact = ci_world_contact(load->world, ci_row_int64(row, 1));
	member->list_id = ci_row_int32(row, 2);
	member->subscribed = ci_row_bool(row, 3);
	member->source = ci_row_optional_text(row, 4);
	member->since = ci_row_time(row, 5);
	ci_note_time(load->world, member->since);
	ci_load_member(load->world, member);
	load->has_members = true;
	return true;
}

/* Enters the block of a contact. */
static bool
load_block(void *argument, const CiRow *row)
{
	Load	   *load = argument;

	ci_world_contact(load->world, ci_row_int64(row, 1))->blocks |= ci_channel_of(ci_row_text(row, 2));
	return true;
}

/* Notes two that are known to be different people, and which merge said so. */
static bool
note_pair(void *argument, const CiRow *row)
{
	CiColumn   *pairs = argument;

	for (int i = 0; i < 3; i++)
		ci_column_add_int64(&pairs[i], ci_row_int64(row, i + 1));
	return true;
}

/* Adds what a named conflict is about to what is looked up: column by column. */
static bool
add_named(void *argument, const CiRow *row)
{
	Named	   *named = argument;

	ci_column_add_int64(named->contacts, ci_row_int64(row, 1));
	if (ci_row_text(row, 4)[0] != 'i')
		return true;
	ci_column_add_text(&named->given[0], ci_row_text(row, 5));
	ci_column_add_text(&named->given[1], ci_jsonb_string(ci_row_jsonb(row, 6)));
	return true;
}

/* Reads contacts by id, those that are not there yet. */
static void
read_contacts(Load *load, const CiColumn *ids)
{
	CiColumn	missing;

	ci_column_init(&missing, INT8OID);
	for (int i = 0; i < ids->count; i++)
	{
		if (ci_world_contact(load->world, DatumGetInt64(ids->values[i])) == NULL)
			ci_column_add(&missing, ids->values[i], false);
	}

	/*
	 * Many are looked up in the order of the index, or each would be on
	 * another page.
	 */
	ci_column_sort_ids(&missing);
	ci_look_up(&contacts_by_id, load->account, &missing, load_contact, load);
}

/* Enters the identifiers that were read, and reads the contacts that have them. */
static void
load_identifiers(Load *load)
{
	CiColumn	ids;

	ci_column_init(&ids, INT8OID);
	for (int i = 0; i < load->nidentifiers; i++)
		ci_column_add_int64(&ids, load->identifiers[i].contact_id);
	read_contacts(load, &ids);
	for (int i = 0; i < load->nidentifiers; i++)
	{
		ReadIdentifier *identifier = &load->identifiers[i];

		identifier->state.contact = ci_world_contact(load->world, identifier->contact_id);
		/* Without a kind, it is one of a kind that was removed. */
		if (identifier->kind == NULL)
			continue;
		if (identifier->state.contact == NULL)
		{
			/*
			 * A trigger asks, of a call that has claimed it and written no
			 * more yet.
			 */
			if (TransactionIdIsCurrentTransactionId(identifier->version))
				continue;
			ci_report_corrupt("contact_id");
		}
		ci_load_identifier(load->world, identifier->kind, identifier->value, &identifier->state);
	}
	load->nidentifiers = 0;
}

/* Contacts that have many rows, each with each of some names. */
static void
add_names(const CiColumn *ids, const char *const *names, int count, CiColumn *columns)
{
	ci_column_init(&columns[0], INT8OID);
	ci_column_init(&columns[1], TEXTOID);
	for (int i = 0; i < ids->count; i++)
	{
		for (int j = 0; j < count; j++)
		{
			ci_column_add(&columns[0], ids->values[i], false);
			ci_column_add_text(&columns[1], names[j]);
		}
	}
}

/* Reads what contacts hold of the kinds that identify: keys can be many. */
static void
read_identifying(Load *load, const CiColumn *ids)
{
	ci_column_init(&load->many, INT8OID);
	ci_look_up(&identifiers_by_contact, load->account, ids, note_identifying, load);
	if (load->many.count > 0)
	{
		const char **kinds = palloc(load->config->nkinds * sizeof(char *));
		CiColumn	columns[2];
		int			n = 0;

		while (n < load->config->nkinds && load->config->kinds[n].identifying)
		{
			kinds[n] = load->config->kinds[n].name;
			n++;
		}
		add_names(&load->many, kinds, n, columns);
		ci_look_up(&identifiers_by_kind, load->account, columns, note_identifier, load);
	}
	load_identifiers(load);
}

/* Reads the survivors of ended contacts. */
static void
read_survivors(Load *load)
{
	CiColumn	ids;

	ci_column_init(&ids, INT8OID);
	for (EndedLink *link = load->ended; link != NULL; link = link->next)
		ci_column_add_int64(&ids, link->survivor_id);
	read_contacts(load, &ids);
}

/* Ties ended contacts to their survivors, once all are there. */
static void
link_survivors(Load *load)
{
	for (EndedLink *link = load->ended; link != NULL; link = link->next)
	{
		CiContact  *survivor = ci_world_contact(load->world, link->survivor_id);

		link->contact->survivor = survivor;
		if (survivor != NULL)
		{
			link->contact->next_ended = survivor->ended;
			survivor->ended = link->contact;
		}
	}
}

/* Of two conflicts, which was there first. */
static int
compare_conflicts(const void *a, const void *b)
{
	const CiConflict *x = *(CiConflict *const *) a;
	const CiConflict *y = *(CiConflict *const *) b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* Enters the conflicts that were read, oldest first. */
static void
load_conflicts(Load *load)
{
	qsort(load->conflicts, load->nconflicts, sizeof(CiConflict *), compare_conflicts);
	for (int i = 0; i < load->nconflicts; i++)
		ci_load_conflict(load->world, load->conflicts[i]);
	load->nconflicts = 0;
}

/* Reads the conflicts of contacts that a rule can meet: settled ones can be many. */
static void
read_unsettled(Load *load, const CiColumn *ids)
{
	static const char *const met[] = {"open", "dismissed"};

	ci_column_init(&load->many, INT8OID);
	ci_look_up(&conflicts_by_contact, load->account, ids, note_unsettled, load);
	if (load->many.count > 0)
	{
		CiColumn	columns[2];

		add_names(&load->many, met, lengthof(met), columns);
		ci_look_up(&conflicts_by_status, load->account, columns, note_conflict, load);
	}
	load_conflicts(load);
}

/* Reads what live contacts have: identifiers, conflicts, lists, blocks. */
static void
read_details(Load *load)
{
	CiColumn	live;
	CiColumn	whole;			/* those that may end in a merge ... */
	CiColumn	others;			/* ... and those that will not */

	ci_column_init(&live, INT8OID);
	ci_column_init(&whole, INT8OID);
	ci_column_init(&others, INT8OID);
	for (CiContact *contact = load->world->contacts; contact != NULL; contact = contact->next)
	{
		if (contact->state == CI_MERGED || contact->state == CI_ERASED)
			continue;
		ci_column_add_int64(&live, contact->id);
		ci_column_add_int64(contact->state == CI_ANONYMOUS || load->merges ? &whole : &others, contact->id);
	}
	ci_column_sort_ids(&live);
	ci_column_sort_ids(&whole);
	ci_column_sort_ids(&others);
	ci_look_up(&identifiers_by_contact, load->account, &whole, note_identifier, load);
	load_identifiers(load);
	read_identifying(load, &others);
	ci_look_up(&conflicts_by_contact, load->account, load->settles ? &live : &whole, note_conflict, load);
	load_conflicts(load);
	if (!load->settles)
		read_unsettled(load, &others);
	ci_look_up(&members_by_contact, load->account, load->lists ? &live : &whole, load_member, load);
	/* [6.7] What they bring meets what others have. */
	if (!load->lists && load->has_members)
		ci_look_up(&members_by_contact, load->account, &others, load_member, load);
	ci_look_up(&blocks_by_contact, load->account, &live, load_block, load);
	ci_look_up(&contacts_by_survivor, load->account, &whole, load_contact, load);
}

/*
 * [10.4] Reads who is known to be another person than the contacts are; whoever
 * that is, too, since a merge of one of them is about both.
 */
static void
read_pairs(Load *load)
{
	CiColumn	ids;
	CiColumn	pairs[3];		/* contact, other, merge */

	ci_column_init(&ids, INT8OID);
	for (int i = 0; i < lengthof(pairs); i++)
		ci_column_init(&pairs[i], INT8OID);
	for (CiContact *contact = load->world->contacts; contact != NULL; contact = contact->next)
	{
		if (contact->state != CI_ERASED)
			ci_column_add_int64(&ids, contact->id);
	}
	if (ids.count < 2)
		return;
	ci_look_up(&pairs_by_contact, load->account, &ids, note_pair, pairs);
	ci_look_up(&pairs_by_other, load->account, &ids, note_pair, pairs);
	if (pairs[0].count == 0)
		return;
	read_contacts(load, &pairs[0]);
	read_contacts(load, &pairs[1]);
	read_survivors(load);
	for (int i = 0; i < pairs[0].count; i++)
	{
		CiContact  *contact = ci_world_contact(load->world, DatumGetInt64(pairs[0].values[i]));
		CiContact  *other = ci_world_contact(load->world, DatumGetInt64(pairs[1].values[i]));
		CiPair	   *pair;
		bool		known = false;

		for (pair = load->world->pairs; pair != NULL; pair = pair->next)
			known |= pair->contact == contact && pair->other == other;
		if (known || contact == NULL || other == NULL)
			continue;
		pair = ci_add_pair(load->world, contact, other);
		pair->merge_id = DatumGetInt64(pairs[2].values[i]);
	}
}

/* In the order of the index that they are looked up in. */
static int
compare_wanted(const void *a, const void *b)
{
	const CiRawIdentifier *x = (const CiRawIdentifier *) a;
	const CiRawIdentifier *y = (const CiRawIdentifier *) b;
	int			result = strcmp(x->kind, y->kind);

	return result != 0 ? result : strcmp(x->value, y->value);
}

/*
 * What requests give.  Many are looked up in the order of the index, each
 * once: in the order in which they came, each would be on another page of it.
 */
static void
add_given(const CiRequest *requests, int count, CiColumn *given)
{
	CiRawIdentifier *wanted;
	int			n = 0;

	for (int i = 0; i < count; i++)
		n += 1 + requests[i].ngiven;
	wanted = palloc_extended(sizeof(CiRawIdentifier) * Max(1, n), MCXT_ALLOC_HUGE);
	n = 0;
	for (int i = 0; i < count; i++)
	{
		const CiRequest *request = &requests[i];

		if (request->error.code != CI_OK)
			continue;
		if (request->key != NULL)
		{
			wanted[n].kind = request->key_kind->name;
			wanted[n++].value = request->key;
		}
		for (int j = 0; j < request->ngiven; j++)
		{
			wanted[n].kind = request->given[j].kind->name;
			wanted[n++].value = request->given[j].value;
		}
	}
	if (count > 1)
		qsort(wanted, n, sizeof(CiRawIdentifier), compare_wanted);
	for (int i = 0; i < n; i++)
	{
		if (count > 1 && i > 0 && compare_wanted(&wanted[i - 1], &wanted[i]) == 0)
			continue;
		ci_column_add_text(&given[0], wanted[i].kind);
		ci_column_add_text(&given[1], wanted[i].value);
	}
	pfree(wanted);
}

/*
 * Reads what the requests touch, as the active snapshot has it.  SPI must be
 * connected and the owner be the current user.
 */
CiWorld *
ci_load_world(const CiConfig *config, CiRequest *requests, int count)
{
	Load		load = {
		.config = config,
		.world = ci_create_world(config, GetCurrentTimestamp()),
		.account = Int32GetDatum(config->account_id)
	};
	CiColumn	given[2];		/* kinds, values */
	CiColumn	contacts;
	CiColumn	conflicts;
	Named		named = {given, &contacts};

	ci_refuse_suppressed(config, requests, count);
	ci_column_init(&given[0], TEXTOID);
	ci_column_init(&given[1], TEXTOID);
	ci_column_init(&contacts, INT8OID);
	ci_column_init(&conflicts, INT8OID);
	for (int i = 0; i < count; i++)
	{
		CiRequest  *request = &requests[i];

		if (request->error.code != CI_OK)
			continue;
		if ((request->op != CI_OP_CAPTURE && request->op != CI_OP_IDENTIFY &&
			 request->op != CI_OP_SUBSCRIBE && request->op != CI_OP_UNSUBSCRIBE) ||
			request->ngiven > 0 || request->attributes.count > 0 || request->contact_id != 0)
			load.details = true;
		if (request->op == CI_OP_MERGE || request->op == CI_OP_ERASE ||
			request->op == CI_OP_UNMERGE || request->op == CI_OP_SET_DISTINCT)
			load.merges = true;
		/* [4.12] Its default list, or a call about lists, or to undo. */
		if (request->source == NULL || request->source->default_list != 0)
			load.lists = true;
		if (request->op == CI_OP_UNMERGE)
			load.world->record = ci_load_record(config, load.world, request->contact_id,
												&given[0], &given[1], &contacts);
		if (request->contact_id != 0)
			ci_column_add_int64(&contacts, request->contact_id);
		if (request->loser_id != 0)
			ci_column_add_int64(&contacts, request->loser_id);
		if (request->op == CI_OP_PROMOTE || request->op == CI_OP_DISMISS)
		{
			load.settles = true;
			ci_column_add_int64(&conflicts, request->conflict_id);
		}
	}
	add_given(requests, count, given);
	ci_look_up(&conflicts_by_id, load.account, &conflicts, add_named, &named);
	ci_look_up(&identifiers_by_value, load.account, given, note_identifier, &load);
	load_identifiers(&load);
	read_contacts(&load, &contacts);
	read_survivors(&load);
	if (load.details)
		read_details(&load);
	if (load.details && config->has_1_1_tables)
		read_pairs(&load);
	link_survivors(&load);
	if (conflicts.count > 0)
	{
		for (CiContact *contact = load.world->contacts; contact != NULL; contact = contact->next)
		{
			for (CiConflict *conflict = contact->conflicts; conflict != NULL; conflict = conflict->next)
			{
				conflict->next_loaded = load.world->loaded_conflicts;
				load.world->loaded_conflicts = conflict;
			}
		}
	}
	ci_finish_load(load.world);
	return load.world;
}
