/*-------------------------------------------------------------------------
 *
 * load.c
 *	  The contacts and identifiers that requests touch, into a working set.
 *
 * All statements of one load see one snapshot and lock nothing.  Ordinary
 * page views are kept cheap: where all requests are captures without
 * attributes, one statement answers.
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

#include "pipeline.h"

#define IDENTIFIER_COLUMNS \
	"i.kind, i.value, i.contact_id, i.is_primary, i.opted_in, i.parked, i.verified," \
	" i.given, i.source, i.updated_at"
#define CONTACT_COLUMNS \
	"c.contact_id, c.state, c.made, c.origin, c.survivor_id, c.created_at," \
	" c.identified_at, c.last_seen_at, c.attributes, c.attribute_times, c.xmin AS written_by"
#define FIRST_CONTACT_COLUMN 11 /* behind those of an identifier */

/* The rows of a table for each id that is given. */
#define FOR_EACH(columns, table, condition) \
	"SELECT r.* FROM " CI_ROWS " CROSS JOIN LATERAL" \
	" (SELECT " columns " FROM contact_identity." table \
	" WHERE account_id OPERATOR(pg_catalog.=) $1 AND " condition " OFFSET 0) AS r"

/* The identifiers that requests give, and whose they are. */
static CiStatement owners_stmt = {
	.sql = "SELECT i.*, c.* FROM " CI_ROWS " CROSS JOIN LATERAL"
	" (SELECT " IDENTIFIER_COLUMNS " FROM contact_identity.identifier i"
	" WHERE i.account_id OPERATOR(pg_catalog.=) $1 AND i.kind OPERATOR(pg_catalog.=) u.kind"
	" AND i.value OPERATOR(pg_catalog.=) u.value OFFSET 0) AS i CROSS JOIN LATERAL"
	" (SELECT " CONTACT_COLUMNS " FROM contact_identity.contact c"
	" WHERE c.account_id OPERATOR(pg_catalog.=) $1"
	" AND c.contact_id OPERATOR(pg_catalog.=) i.contact_id OFFSET 0) AS c",
	.columns = "kind, value",
	.expected = SPI_OK_SELECT,
	.nargs = 3,
	.argtypes = {INT4OID, TEXTARRAYOID, TEXTARRAYOID}
};

/* Contacts by id. */
static CiStatement contacts_stmt = {
	.sql = FOR_EACH(CONTACT_COLUMNS, "contact c", "c.contact_id OPERATOR(pg_catalog.=) u.id"),
	.columns = "id",
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID}
};

/* Those that ended in a contact. */
static CiStatement ended_stmt = {
	.sql = FOR_EACH(CONTACT_COLUMNS, "contact c", "c.survivor_id OPERATOR(pg_catalog.=) u.id"),
	.columns = "id",
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID}
};

/* What contacts hold of the kinds that identify. */
static CiStatement identifying_stmt = {
	.sql = FOR_EACH(IDENTIFIER_COLUMNS, "identifier i", "i.contact_id OPERATOR(pg_catalog.=) u.id"
					" AND i.kind OPERATOR(pg_catalog.=) ANY ($2)"),
	.columns = "id",
	.expected = SPI_OK_SELECT,
	.nargs = 3,
	.argtypes = {INT4OID, TEXTARRAYOID, INT8ARRAYOID}
};

/* All that they hold, keys too. */
static CiStatement identifiers_stmt = {
	.sql = FOR_EACH(IDENTIFIER_COLUMNS, "identifier i", "i.contact_id OPERATOR(pg_catalog.=) u.id"),
	.columns = "id",
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID}
};

#define CONFLICTS_OF(condition) \
	FOR_EACH("f.conflict_id, f.contact_id, f.field_type, f.field, f.secondary_value," \
			 " f.given, f.owner_contact_id, f.source, f.via, f.key_kind, f.key, f.status, f.given_at", \
			 "conflict f", "f.contact_id OPERATOR(pg_catalog.=) u.id" condition)

/* The conflicts of contacts that a rule can meet. */
static CiStatement unsettled_stmt = {
	.sql = CONFLICTS_OF(" AND f.status OPERATOR(pg_catalog.=) ANY ('{open,dismissed}')"),
	.columns = "id",
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID}
};

/* All their conflicts, which may move with their contact. */
static CiStatement conflicts_stmt = {
	.sql = CONFLICTS_OF(""),
	.columns = "id",
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID}
};

/* The conflicts that requests name. */
static CiStatement named_conflicts_stmt = {
	.sql = FOR_EACH("f.conflict_id, f.contact_id, f.field_type, f.field, f.secondary_value",
					"conflict f", "f.conflict_id OPERATOR(pg_catalog.=) u.id"),
	.columns = "id",
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID}
};

/* Lists and blocks of contacts. */
static CiStatement reach_stmt = {
	.sql = FOR_EACH("m.contact_id, m.list_id, m.subscribed, m.source, m.since, NULL::pg_catalog.text",
					"list_member m", "m.contact_id OPERATOR(pg_catalog.=) u.id")
	" UNION ALL "
	FOR_EACH("b.contact_id, NULL::pg_catalog.int4, NULL::pg_catalog.bool, NULL::pg_catalog.text,"
			 " NULL::pg_catalog.timestamptz, b.channel",
			 "block b", "b.contact_id OPERATOR(pg_catalog.=) u.id"),
	.columns = "id",
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID}
};

/* Who is known to be another person than contacts are. */
static CiStatement pairs_stmt = {
	.sql = FOR_EACH("p.contact_id, p.other_id, p.merge_id", "distinct_pair p",
					"p.contact_id OPERATOR(pg_catalog.=) u.id")
	" UNION ALL "
	FOR_EACH("p.contact_id, p.other_id, p.merge_id", "distinct_pair p",
			 "p.other_id OPERATOR(pg_catalog.=) u.id"),
	.columns = "id",
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID}
};

/* An ended contact and the id of its survivor. */
typedef struct EndedLink
{
	CiContact  *contact;
	int64		survivor_id;
	struct EndedLink *next;
} EndedLink;

/* The working set and what is still to be read for it. */
typedef struct Load
{
	const CiConfig *config;
	CiWorld    *world;
	Datum		account;
	bool		details;		/* more than known keys is asked about */
	bool		merges;			/* an identified contact may end */
	bool		settles;		/* conflicts are named, settled ones too */
	EndedLink  *ended;
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

/* Enters the contact in a row, from a column on; answers it. */
static CiContact *
load_contact(Load *load, HeapTuple row, int column)
{
	int64		contact_id = ci_get_int64(row, column);
	CiContact  *contact = ci_world_contact(load->world, contact_id);
	const char *made;
	TransactionId written_by;
	bool		isnull;

	if (contact != NULL)
		return contact;
	contact = ci_add_contact(load->world, contact_id);
	contact->state = state_of(ci_get_text(row, column + 1));
	made = ci_get_optional_text(row, column + 2);
	contact->made = made == NULL ? CI_CLASS_NONE :
		made[0] == 'p' ? CI_CLASS_PUSH : CI_CLASS_CONVERSATIONS;
	contact->origin = ci_get_text(row, column + 3);
	contact->created_at = ci_get_time(row, column + 5);
	contact->identified_at = ci_get_time(row, column + 6);
	contact->last_seen_at = ci_get_time(row, column + 7);
	written_by = DatumGetTransactionId(ci_get_datum(row, column + 10, XIDOID, &isnull));
	contact->version = written_by;
	contact->is_ours = TransactionIdIsCurrentTransactionId(written_by);
	if (contact->state == CI_MERGED)
	{
		EndedLink  *link = palloc(sizeof(EndedLink));

		link->contact = contact;
		link->survivor_id = ci_get_int64(row, column + 4);
		link->next = load->ended;
		load->ended = link;
	}
	if (load->details && (contact->state == CI_ANONYMOUS || contact->state == CI_IDENTIFIED))
	{
		ci_load_attributes(ci_get_jsonb(row, column + 8), ci_get_jsonb(row, column + 9), &contact->attributes);
	}
	return contact;
}

/* Enters the identifier in a row, whose contact must be there. */
static void
load_identifier(Load *load, HeapTuple row)
{
	CiContact  *contact = ci_world_contact(load->world, ci_get_int64(row, 3));
	const CiKind *kind = ci_find_kind(load->config, ci_get_text(row, 1));
	CiIdentifierState state;

	if (contact == NULL || kind == NULL)
		return;					/* a kind that was removed */
	state.contact = contact;
	state.primary = ci_get_bool(row, 4);
	state.opted_in = ci_get_bool(row, 5);
	state.parked = ci_get_bool(row, 6);
	state.verified = ci_get_bool(row, 7);
	state.given = ci_get_optional_text(row, 8);
	state.source = ci_get_text(row, 9);
	state.updated_at = ci_get_time(row, 10);
	ci_load_identifier(load->world, kind, ci_get_text(row, 2), &state);
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

/* Enters the conflict in a row, whose contact must be there. */
static void
load_conflict(Load *load, HeapTuple row)
{
	CiConflict *conflict = palloc0(sizeof(CiConflict));
	Jsonb	   *value = ci_get_jsonb(row, 5);

	conflict->id = ci_get_int64(row, 1);
	conflict->contact = ci_world_contact(load->world, ci_get_int64(row, 2));
	if (conflict->contact == NULL)
		return;
	conflict->field = ci_get_text(row, 4);
	if (ci_get_text(row, 3)[0] == 'i')
	{
		conflict->type = CI_FIELD_IDENTIFIER;
		conflict->kind = ci_find_kind(load->config, conflict->field);
		if (conflict->kind == NULL)
			return;				/* a kind that was removed */
		conflict->value = ci_jsonb_string(value);
		conflict->canonical = conflict->value;
	}
	else
	{
		conflict->type = CI_FIELD_ATTRIBUTE;
		conflict->value = ci_jsonb_text(value);
		conflict->canonical = ci_canonical_json(value);
	}
	conflict->given = ci_get_optional_text(row, 6);
	conflict->owner_id = ci_get_int64(row, 7);
	conflict->owner = ci_world_contact(load->world, conflict->owner_id);
	conflict->source = ci_get_text(row, 8);
	conflict->via = ci_get_optional_text(row, 9);
	conflict->key_kind = ci_get_optional_text(row, 10);
	conflict->key = ci_get_optional_text(row, 11);
	conflict->status = status_of(ci_get_text(row, 12));
	conflict->given_at = ci_get_time(row, 13);
	ci_load_conflict(load->world, conflict);
}

/* Runs a statement for each id or value; the rows are in SPI_tuptable. */
static uint64
read_rows(Load *load, CiStatement *stmt, const CiColumn *columns)
{
	return ci_run_rows(stmt, &load->account, columns, true);
}

/* Reads contacts with a statement for each id. */
static void
load_contacts(Load *load, CiStatement *stmt, const CiColumn *ids)
{
	uint64		count;

	if (ids->count == 0)
		return;
	count = read_rows(load, stmt, ids);
	for (uint64 i = 0; i < count; i++)
		load_contact(load, SPI_tuptable->vals[i], 1);
	SPI_freetuptable(SPI_tuptable);
}

/* Reads contacts by id, those that are not there yet. */
static void
read_contacts(Load *load, CiColumn *ids)
{
	CiColumn	missing;

	ci_column_init(&missing, INT8OID);
	for (int i = 0; i < ids->count; i++)
	{
		if (ci_world_contact(load->world, DatumGetInt64(ids->values[i])) == NULL)
			ci_column_add(&missing, ids->values[i], false);
	}
	load_contacts(load, &contacts_stmt, &missing);
}

/* Reads the owners of identifiers, given as kinds and values. */
static void
read_owners(Load *load, const CiColumn *given)
{
	uint64		count;

	if (given->count == 0)
		return;
	count = read_rows(load, &owners_stmt, given);
	for (uint64 i = 0; i < count; i++)
	{
		load_contact(load, SPI_tuptable->vals[i], FIRST_CONTACT_COLUMN);
		load_identifier(load, SPI_tuptable->vals[i]);
	}
	SPI_freetuptable(SPI_tuptable);
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

/*
 * Reads the identifiers of contacts: of those whose keys are needed, too, all,
 * of the others those that identify.
 */
static void
read_identifiers(Load *load, const CiColumn *whole, const CiColumn *others)
{
	Datum		scalars[2] = {load->account};
	uint64		count;

	if (whole->count > 0)
	{
		count = read_rows(load, &identifiers_stmt, whole);
		for (uint64 i = 0; i < count; i++)
			load_identifier(load, SPI_tuptable->vals[i]);
		SPI_freetuptable(SPI_tuptable);
	}
	if (others->count > 0)
	{
		CiColumn	kinds;

		ci_column_init(&kinds, TEXTOID);
		for (int i = 0; i < load->config->nkinds && load->config->kinds[i].identifying; i++)
			ci_column_add_text(&kinds, load->config->kinds[i].name);
		scalars[1] = ci_column_array(&kinds);
		count = ci_run_rows(&identifying_stmt, scalars, others, true);
		for (uint64 i = 0; i < count; i++)
			load_identifier(load, SPI_tuptable->vals[i]);
		SPI_freetuptable(SPI_tuptable);
	}
}

/* Of two rows, which has the lower id in its first column. */
static int
compare_first_ids(const void *a, const void *b)
{
	int64		x = ci_get_int64(*(const HeapTuple *) a, 1);
	int64		y = ci_get_int64(*(const HeapTuple *) b, 1);

	return x < y ? -1 : x > y;
}

/* Reads the conflicts of contacts, oldest first, with one of two statements. */
static void
read_conflicts(Load *load, CiStatement *stmt, const CiColumn *ids)
{
	uint64		count;

	if (ids->count == 0)
		return;
	count = read_rows(load, stmt, ids);
	qsort(SPI_tuptable->vals, count, sizeof(HeapTuple), compare_first_ids);
	for (uint64 i = 0; i < count; i++)
		load_conflict(load, SPI_tuptable->vals[i]);
	SPI_freetuptable(SPI_tuptable);
}

/* Reads lists and blocks of contacts. */
static void
read_reach(Load *load, const CiColumn *ids)
{
	uint64		count = read_rows(load, &reach_stmt, ids);

	for (uint64 i = 0; i < count; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		CiContact  *contact = ci_world_contact(load->world, ci_get_int64(row, 1));
		const char *channel = ci_get_optional_text(row, 6);

		if (channel != NULL)
			contact->blocks |= ci_channel_of(channel);
		else
		{
			CiMember   *member = palloc0(sizeof(CiMember));

			member->contact = contact;
			member->list_id = ci_get_int32(row, 2);
			member->subscribed = ci_get_bool(row, 3);
			member->source = ci_get_optional_text(row, 4);
			member->since = ci_get_time(row, 5);
			ci_load_member(load->world, member);
		}
	}
	SPI_freetuptable(SPI_tuptable);
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
	if (live.count == 0)
		return;
	read_identifiers(load, &whole, &others);
	read_conflicts(load, &conflicts_stmt, load->settles ? &live : &whole);
	if (!load->settles)
		read_conflicts(load, &unsettled_stmt, &others);
	read_reach(load, &live);
	load_contacts(load, &ended_stmt, &whole);
}

/*
 * [10.4] Reads who is known to be another person than the contacts are; whoever
 * that is, too, since a merge of one of them is about both.
 */
static void
read_pairs(Load *load)
{
	CiColumn	ids;
	CiColumn	others;
	uint64		count;
	int64	   *pairs;

	ci_column_init(&ids, INT8OID);
	ci_column_init(&others, INT8OID);
	for (CiContact *contact = load->world->contacts; contact != NULL; contact = contact->next)
	{
		if (contact->state != CI_ERASED)
			ci_column_add_int64(&ids, contact->id);
	}
	if (ids.count < 2)
		return;
	count = read_rows(load, &pairs_stmt, &ids);
	pairs = palloc(sizeof(int64) * 3 * Max(1, count));
	for (uint64 i = 0; i < count; i++)
	{
		for (int j = 0; j < 3; j++)
			pairs[3 * i + j] = ci_get_int64(SPI_tuptable->vals[i], j + 1);
		ci_column_add_int64(&others, pairs[3 * i]);
		ci_column_add_int64(&others, pairs[3 * i + 1]);
	}
	SPI_freetuptable(SPI_tuptable);
	if (count == 0)
		return;
	read_contacts(load, &others);
	read_survivors(load);
	for (uint64 i = 0; i < count; i++)
	{
		CiContact  *contact = ci_world_contact(load->world, pairs[3 * i]);
		CiContact  *other = ci_world_contact(load->world, pairs[3 * i + 1]);
		CiPair	   *pair;
		bool		known = false;

		for (pair = load->world->pairs; pair != NULL; pair = pair->next)
			known |= pair->contact == contact && pair->other == other;
		if (known || contact == NULL || other == NULL)
			continue;
		pair = ci_add_pair(load->world, contact, other);
		pair->merge_id = pairs[3 * i + 2];
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
	if (conflicts.count > 0)
	{
		uint64		found = read_rows(&load, &named_conflicts_stmt, &conflicts);

		for (uint64 i = 0; i < found; i++)
		{
			HeapTuple	row = SPI_tuptable->vals[i];

			ci_column_add_int64(&contacts, ci_get_int64(row, 2));
			if (ci_get_text(row, 3)[0] != 'i')
				continue;
			ci_column_add_text(&given[0], ci_get_text(row, 4));
			ci_column_add_text(&given[1], ci_jsonb_string(ci_get_jsonb(row, 5)));
		}
		SPI_freetuptable(SPI_tuptable);
	}

	read_owners(&load, given);
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
