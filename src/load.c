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

/* The rows of a table for each id in an argument. */
#define FOR_EACH(argument, columns, table, condition) \
	"SELECT r.* FROM " CI_UNNEST(argument) " AS u (id) CROSS JOIN LATERAL" \
	" (SELECT " columns " FROM contact_identity." table \
	" WHERE account_id OPERATOR(pg_catalog.=) $1 AND " condition " OFFSET 0) AS r"

/* The identifiers that requests give, and whose they are. */
static CiStatement owners_stmt = {
	.sql = "SELECT i.*, c.* FROM " CI_UNNEST2 " AS u (kind, value) CROSS JOIN LATERAL"
	" (SELECT " IDENTIFIER_COLUMNS " FROM contact_identity.identifier i"
	" WHERE i.account_id OPERATOR(pg_catalog.=) $1 AND i.kind OPERATOR(pg_catalog.=) u.kind"
	" AND i.value OPERATOR(pg_catalog.=) u.value OFFSET 0) AS i CROSS JOIN LATERAL"
	" (SELECT " CONTACT_COLUMNS " FROM contact_identity.contact c"
	" WHERE c.account_id OPERATOR(pg_catalog.=) $1"
	" AND c.contact_id OPERATOR(pg_catalog.=) i.contact_id OFFSET 0) AS c",
	.expected = SPI_OK_SELECT,
	.nargs = 3,
	.argtypes = {INT4OID, TEXTARRAYOID, TEXTARRAYOID}
};

/* Contacts by id. */
static CiStatement contacts_stmt = {
	.sql = FOR_EACH("$2", CONTACT_COLUMNS, "contact c",
					"c.contact_id OPERATOR(pg_catalog.=) u.id"),
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID}
};

/* Those that ended in a contact. */
static CiStatement ended_stmt = {
	.sql = FOR_EACH("$2", CONTACT_COLUMNS, "contact c",
					"c.survivor_id OPERATOR(pg_catalog.=) u.id"),
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID}
};

/*
 * What contacts hold: identifying values of the first, keys of the second.
 */
static CiStatement identifiers_stmt = {
	.sql = "SELECT r.* FROM " CI_UNNEST("$2") " AS u (id)"
	" CROSS JOIN " CI_UNNEST("$4") " AS k (kind) CROSS JOIN LATERAL"
	" (SELECT " IDENTIFIER_COLUMNS " FROM contact_identity.identifier i"
	" WHERE i.account_id OPERATOR(pg_catalog.=) $1 AND i.contact_id OPERATOR(pg_catalog.=) u.id"
	" AND i.kind OPERATOR(pg_catalog.=) k.kind OFFSET 0) AS r"
	" UNION ALL "
	FOR_EACH("$3", IDENTIFIER_COLUMNS, "identifier i",
			 "i.contact_id OPERATOR(pg_catalog.=) u.id"
			 " AND i.kind OPERATOR(pg_catalog.<>) ALL ($4)"),
	.expected = SPI_OK_SELECT,
	.nargs = 4,
	.argtypes = {INT4OID, INT8ARRAYOID, INT8ARRAYOID, TEXTARRAYOID}
};

#define CONFLICTS_OF(argument, condition) \
	FOR_EACH(argument, "f.conflict_id, f.contact_id, f.field_type, f.field, f.secondary_value," \
			 " f.given, f.owner_contact_id, f.source, f.via, f.key_kind, f.key, f.status, f.given_at", \
			 "conflict f", "f.contact_id OPERATOR(pg_catalog.=) u.id AND f.status " condition)

/*
 * The conflicts of contacts, oldest first: those that a rule can meet, and of
 * the second all, since they may move with their contact.
 */
static CiStatement conflicts_stmt = {
	.sql = CONFLICTS_OF("$2", "OPERATOR(pg_catalog.=) ANY ('{open,dismissed}')")
	" UNION ALL " CONFLICTS_OF("$3", "OPERATOR(pg_catalog.<>) ALL ('{open,dismissed}')")
	" ORDER BY conflict_id",
	.expected = SPI_OK_SELECT,
	.nargs = 3,
	.argtypes = {INT4OID, INT8ARRAYOID, INT8ARRAYOID}
};

/* The conflicts that requests name. */
static CiStatement named_conflicts_stmt = {
	.sql = FOR_EACH("$2", "f.conflict_id, f.contact_id, f.field_type, f.field, f.secondary_value",
					"conflict f", "f.conflict_id OPERATOR(pg_catalog.=) u.id"),
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID}
};

/* Lists and blocks of contacts. */
static CiStatement reach_stmt = {
	.sql = FOR_EACH("$2", "m.contact_id, m.list_id, m.subscribed, m.source, m.since, NULL::pg_catalog.text",
					"list_member m", "m.contact_id OPERATOR(pg_catalog.=) u.id")
	" UNION ALL "
	FOR_EACH("$2", "b.contact_id, NULL::pg_catalog.int4, NULL::pg_catalog.bool, NULL::pg_catalog.text,"
			 " NULL::pg_catalog.timestamptz, b.channel",
			 "block b", "b.contact_id OPERATOR(pg_catalog.=) u.id"),
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID}
};

/* Who is known to be another person than contacts are. */
static CiStatement pairs_stmt = {
	.sql = FOR_EACH("$2", "p.contact_id, p.other_id, p.merge_id", "distinct_pair p",
					"p.contact_id OPERATOR(pg_catalog.=) u.id")
	" UNION ALL "
	FOR_EACH("$2", "p.contact_id, p.other_id, p.merge_id", "distinct_pair p",
			 "p.other_id OPERATOR(pg_catalog.=) u.id"),
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
	contact->is_ours =
		TransactionIdIsCurrentTransactionId(DatumGetTransactionId(ci_get_datum(row, column + 10, XIDOID, &isnull)));
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

/* Reads contacts by id, those that are not there yet. */
static void
read_contacts(Load *load, CiColumn *ids)
{
	Datum		values[2] = {load->account, 0};
	CiColumn	missing;
	uint64		count;

	ci_column_init(&missing, INT8OID);
	for (int i = 0; i < ids->count; i++)
	{
		if (ci_world_contact(load->world, DatumGetInt64(ids->values[i])) == NULL)
			ci_column_add(&missing, ids->values[i], false);
	}
	if (missing.count == 0)
		return;
	values[1] = ci_column_array(&missing);
	count = ci_run(&contacts_stmt, values, NULL, true);
	for (uint64 i = 0; i < count; i++)
		load_contact(load, SPI_tuptable->vals[i], 1);
	SPI_freetuptable(SPI_tuptable);
}

/* Reads the owners of identifiers. */
static void
read_owners(Load *load, CiColumn *kinds, CiColumn *given)
{
	Datum		values[3] = {load->account, ci_column_array(kinds), ci_column_array(given)};
	uint64		count = kinds->count == 0 ? 0 : ci_run(&owners_stmt, values, NULL, true);

	for (uint64 i = 0; i < count; i++)
	{
		load_contact(load, SPI_tuptable->vals[i], FIRST_CONTACT_COLUMN);
		load_identifier(load, SPI_tuptable->vals[i]);
	}
	if (kinds->count > 0)
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

/* Reads what live contacts have: identifiers, conflicts, lists, blocks. */
static void
read_details(Load *load)
{
	CiColumn	live;
	CiColumn	whole;			/* those whose keys are needed, too */
	CiColumn	kinds;
	Datum		values[4] = {load->account};
	uint64		count;

	ci_column_init(&live, INT8OID);
	ci_column_init(&whole, INT8OID);
	ci_column_init(&kinds, TEXTOID);
	for (CiContact *contact = load->world->contacts; contact != NULL; contact = contact->next)
	{
		if (contact->state == CI_MERGED || contact->state == CI_ERASED)
			continue;
		ci_column_add_int64(&live, contact->id);
		if (contact->state == CI_ANONYMOUS || load->merges)
			ci_column_add_int64(&whole, contact->id);
	}
	if (live.count == 0)
		return;
	for (int i = 0; i < load->config->nkinds && load->config->kinds[i].identifying; i++)
		ci_column_add_text(&kinds, load->config->kinds[i].name);

	values[1] = ci_column_array(&live);
	values[2] = ci_column_array(&whole);
	values[3] = ci_column_array(&kinds);
	count = ci_run(&identifiers_stmt, values, NULL, true);
	for (uint64 i = 0; i < count; i++)
		load_identifier(load, SPI_tuptable->vals[i]);
	SPI_freetuptable(SPI_tuptable);

	if (load->settles)
		values[2] = values[1];
	count = ci_run(&conflicts_stmt, values, NULL, true);
	for (uint64 i = 0; i < count; i++)
		load_conflict(load, SPI_tuptable->vals[i]);
	SPI_freetuptable(SPI_tuptable);

	count = ci_run(&reach_stmt, values, NULL, true);
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

	if (whole.count == 0)
		return;
	values[1] = ci_column_array(&whole);
	count = ci_run(&ended_stmt, values, NULL, true);
	for (uint64 i = 0; i < count; i++)
		load_contact(load, SPI_tuptable->vals[i], 1);
	SPI_freetuptable(SPI_tuptable);
}

/*
 * [10.4] Reads who is known to be another person than the contacts are; whoever
 * that is, too, since a merge of one of them is about both.
 */
static void
read_pairs(Load *load)
{
	Datum		values[2] = {load->account};
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
	values[1] = ci_column_array(&ids);
	count = ci_run(&pairs_stmt, values, NULL, true);
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
	CiColumn	kinds;
	CiColumn	given;
	CiColumn	contacts;
	CiColumn	conflicts;

	ci_refuse_suppressed(config, requests, count);
	ci_column_init(&kinds, TEXTOID);
	ci_column_init(&given, TEXTOID);
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
												&kinds, &given, &contacts);
		if (request->key != NULL)
		{
			ci_column_add_text(&kinds, request->key_kind->name);
			ci_column_add_text(&given, request->key);
		}
		for (int j = 0; j < request->ngiven; j++)
		{
			ci_column_add_text(&kinds, request->given[j].kind->name);
			ci_column_add_text(&given, request->given[j].value);
		}
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
	if (conflicts.count > 0)
	{
		Datum		values[2] = {load.account, ci_column_array(&conflicts)};
		uint64		found = ci_run(&named_conflicts_stmt, values, NULL, true);

		for (uint64 i = 0; i < found; i++)
		{
			HeapTuple	row = SPI_tuptable->vals[i];

			ci_column_add_int64(&contacts, ci_get_int64(row, 2));
			if (ci_get_text(row, 3)[0] != 'i')
				continue;
			ci_column_add_text(&kinds, ci_get_text(row, 4));
			ci_column_add_text(&given, ci_jsonb_string(ci_get_jsonb(row, 5)));
		}
		SPI_freetuptable(SPI_tuptable);
	}

	read_owners(&load, &kinds, &given);
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
