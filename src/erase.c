/*-------------------------------------------------------------------------
 *
 * erase.c
 *	  erase(): nothing stays of a contact but numbers, times and names of
 *	  events, and what was suppressed does not come back (RULES 10.6).
 *
 * What is the contact's own is emptied whole: its history, its conflicts and
 * those of all that were merged into it.  Elsewhere a value is looked for, and
 * goes where nobody else has it (gone.c, rejected.c).  All rows are locked before
 * the first is written, in the order of their numbers, table by table: two calls
 * that have rows of each other's contact to empty do not wait for each other.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/cryptohash.h"
#include "common/hmac.h"
#include "common/sha2.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "gone.h"
#include "lookup.h"

PG_FUNCTION_INFO_V1(ci_erase);

/* Locks rows in their order: those with ids in $3 and those of the contacts in $2. */
#define LOCKED(table, key, contact) \
	"SELECT pg_catalog.count(*) FROM (SELECT o." key " FROM (SELECT pg_catalog.unnest($3) AS id UNION ALL" \
	" SELECT r.id FROM " CI_UNNEST("$2") " AS c (id) CROSS JOIN LATERAL (SELECT t." key " AS id" \
	" FROM contact_identity." table " t WHERE t.account_id OPERATOR(pg_catalog.=) $1" \
	" AND t." contact " OPERATOR(pg_catalog.=) c.id OFFSET 0) AS r) AS u" \
	" JOIN contact_identity." table " o ON o.account_id OPERATOR(pg_catalog.=) $1" \
	" AND o." key " OPERATOR(pg_catalog.=) u.id ORDER BY o." key " FOR UPDATE OF o) AS locked"

#define LOCK(text) \
	{ \
		.sql = text, \
		.expected = SPI_OK_SELECT, \
		.nargs = 3, \
		.argtypes = {INT4OID, INT8ARRAYOID, INT8ARRAYOID}, \
		.sees_latest = true \
	}

static CiStatement lock_conflicts_stmt = LOCK(LOCKED("conflict", "conflict_id", "contact_id"));
static CiStatement lock_events_stmt = LOCK(LOCKED("event", "event_id", "contact_id"));
static CiStatement lock_merges_stmt = LOCK(LOCKED("merge", "merge_id", "merged_id"));

static CiStatement lock_pairs_stmt = {
	.sql = "SELECT pg_catalog.count(*) FROM (SELECT p.contact_id FROM " CI_UNNEST("$2") " AS u (id)"
	" JOIN contact_identity.distinct_pair p ON p.account_id OPERATOR(pg_catalog.=) $1"
	" AND (p.contact_id OPERATOR(pg_catalog.=) u.id OR p.other_id OPERATOR(pg_catalog.=) u.id)"
	" ORDER BY p.contact_id, p.other_id FOR UPDATE OF p) AS locked",
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID},
	.sees_latest = true
};

static CiStatement conflicts_stmt = {
	.sql = "DELETE FROM contact_identity.conflict f USING " CI_UNNEST("$2") " AS u (id)"
	" WHERE f.account_id OPERATOR(pg_catalog.=) $1 AND f.contact_id OPERATOR(pg_catalog.=) u.id",
	.expected = SPI_OK_DELETE,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID}
};

/* The ids of rows that name contacts. */
#define NAMING(table, key, column) \
	{ \
		.sql = "SELECT r.id FROM " CI_UNNEST("$2") " AS u (id) CROSS JOIN LATERAL" \
		" (SELECT t." key " AS id FROM contact_identity." table " t WHERE t.account_id OPERATOR(pg_catalog.=) $1" \
		" AND t." column " OPERATOR(pg_catalog.=) u.id OFFSET 0) AS r", \
		.expected = SPI_OK_SELECT, \
		.nargs = 2, \
		.argtypes = {INT4OID, INT8ARRAYOID}, \
		.sees_latest = true \
	}

/* Conflicts, as owners of their values; merges, as survivors. */
static CiStatement owned_stmt = NAMING("conflict", "conflict_id", "owner_contact_id");
static CiStatement survived_stmt = NAMING("merge", "merge_id", "survivor_id");

/* Conflicts given with keys, by history not their contacts' own. */
static CiStatement keyed_stmt = {
	.sql = "SELECT r.conflict_id FROM " CI_UNNEST2 " AS u (kind, value) CROSS JOIN LATERAL"
	" (SELECT f.conflict_id, f.contact_id FROM contact_identity.conflict f"
	" WHERE f.account_id OPERATOR(pg_catalog.=) $1 AND f.key_kind OPERATOR(pg_catalog.=) u.kind"
	" AND f.key OPERATOR(pg_catalog.=) u.value OFFSET 0) AS r WHERE NOT EXISTS"
	" (SELECT FROM contact_identity.event e WHERE e.account_id OPERATOR(pg_catalog.=) $1"
	" AND e.contact_id OPERATOR(pg_catalog.=) r.contact_id AND e.field_type OPERATOR(pg_catalog.=) 'key'"
	" AND e.field OPERATOR(pg_catalog.=) u.kind AND pg_catalog.to_jsonb(u.value) OPERATOR(pg_catalog.=)"
	" ANY (ARRAY[e.old_value, e.new_value]))",
	.expected = SPI_OK_SELECT,
	.nargs = 3,
	.argtypes = {INT4OID, TEXTARRAYOID, TEXTARRAYOID},
	.sees_latest = true
};

/*
 * Conflicts of others: an erased owner is nobody; a key that was only erased
 * contacts' is replaced by what is equal to no other [5.1]; and what a merge
 * had set aside that was undone is emptied.
 */
static CiStatement other_conflicts_stmt = {
	.sql = "UPDATE contact_identity.conflict f SET owner_contact_id ="
	" CASE WHEN o.what OPERATOR(pg_catalog.=) 'owner' THEN NULL ELSE f.owner_contact_id END,"
	" key = CASE WHEN o.what OPERATOR(pg_catalog.=) 'key' THEN pg_catalog.concat('erased ', f.conflict_id) ELSE f.key END,"
	" secondary_value = CASE WHEN o.what OPERATOR(pg_catalog.=) 'value' THEN '\"\"' ELSE f.secondary_value END,"
	" given = CASE WHEN o.what OPERATOR(pg_catalog.=) 'value' THEN NULL ELSE f.given END"
	" FROM (SELECT c.conflict_id, $3 AS what FROM " CI_UNNEST("$2") " AS u (id) JOIN contact_identity.conflict c"
	" ON c.account_id OPERATOR(pg_catalog.=) $1 AND c.conflict_id OPERATOR(pg_catalog.=) u.id"
	" ORDER BY c.conflict_id FOR UPDATE OF c) AS o"
	" WHERE f.account_id OPERATOR(pg_catalog.=) $1 AND f.conflict_id OPERATOR(pg_catalog.=) o.conflict_id",
	.expected = SPI_OK_UPDATE,
	.nargs = 3,
	.argtypes = {INT4OID, INT8ARRAYOID, TEXTOID},
	.sees_latest = true
};

static CiStatement events_stmt = {
	.sql = "UPDATE contact_identity.event e SET found_value = NULL, detail = NULL,"
	" old_value = CASE WHEN e.field_type OPERATOR(pg_catalog.=) 'contact' THEN e.old_value END,"
	" new_value = CASE WHEN e.field_type OPERATOR(pg_catalog.=) 'contact' THEN e.new_value END"
	" FROM " CI_UNNEST("$2") " AS u (id)"
	" WHERE e.account_id OPERATOR(pg_catalog.=) $1 AND e.contact_id OPERATOR(pg_catalog.=) u.id",
	.expected = SPI_OK_UPDATE,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID}
};

/*
 * Calls that found an erased contact have written to others, too; and what a
 * merge brought to another that was undone is not his.
 */
static CiStatement other_events_stmt = {
	.sql = "UPDATE contact_identity.event e SET found_value = CASE WHEN f.found THEN NULL ELSE e.found_value END,"
	" old_value = CASE WHEN f.old THEN NULL ELSE e.old_value END,"
	" new_value = CASE WHEN f.new THEN NULL ELSE e.new_value END,"
	" detail = CASE WHEN f.old OR f.new THEN NULL ELSE e.detail END"
	" FROM (SELECT o.event_id, u.found, u.old, u.new FROM (SELECT pg_catalog.unnest($2) AS id,"
	" pg_catalog.unnest($3) AS found, pg_catalog.unnest($4) AS old, pg_catalog.unnest($5) AS new"
	" LIMIT pg_catalog.cardinality($2)) AS u JOIN contact_identity.event o"
	" ON o.account_id OPERATOR(pg_catalog.=) $1 AND o.event_id OPERATOR(pg_catalog.=) u.id"
	" ORDER BY o.event_id FOR UPDATE OF o) AS f"
	" WHERE e.account_id OPERATOR(pg_catalog.=) $1 AND e.event_id OPERATOR(pg_catalog.=) f.event_id",
	.expected = SPI_OK_UPDATE,
	.nargs = 5,
	.argtypes = {INT4OID, INT8ARRAYOID, BOOLARRAYOID, BOOLARRAYOID, BOOLARRAYOID},
	.sees_latest = true
};

static CiStatement merges_stmt = {
	.sql = "UPDATE contact_identity.merge m SET detail = '{}' FROM " CI_UNNEST("$2") " AS u (id)"
	" WHERE m.account_id OPERATOR(pg_catalog.=) $1 AND m.merged_id OPERATOR(pg_catalog.=) u.id",
	.expected = SPI_OK_UPDATE,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID}
};

/* Merges that were undone, of others who had what was the contacts'. */
static CiStatement passed_on_stmt = {
	.sql = "UPDATE contact_identity.merge m SET detail = '{}' FROM " CI_UNNEST("$2") " AS u (id)"
	" WHERE m.account_id OPERATOR(pg_catalog.=) $1 AND m.merge_id OPERATOR(pg_catalog.=) u.id",
	.expected = SPI_OK_UPDATE,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID}
};

static CiStatement pairs_stmt = {
	.sql = "DELETE FROM contact_identity.distinct_pair p USING " CI_UNNEST("$2") " AS u (id)"
	" WHERE p.account_id OPERATOR(pg_catalog.=) $1"
	" AND (p.contact_id OPERATOR(pg_catalog.=) u.id OR p.other_id OPERATOR(pg_catalog.=) u.id)",
	.expected = SPI_OK_DELETE,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID}
};

static CiStatement suppress_stmt = {
	.sql = "INSERT INTO contact_identity.suppressed (account_id, kind, hash, suppressed_at)"
	" SELECT $1, u.kind, pg_catalog.decode(u.hash, 'hex'), $4"
	" FROM (SELECT pg_catalog.unnest($2) AS kind, pg_catalog.unnest($3) AS hash) AS u ORDER BY u.kind, u.hash"
	" ON CONFLICT (account_id, kind, hash) DO NOTHING",
	.expected = SPI_OK_INSERT,
	.nargs = 4,
	.argtypes = {INT4OID, TEXTARRAYOID, TEXTARRAYOID, TIMESTAMPTZOID}
};

#define SUPPRESSED(condition) \
	{ \
		.sql = "SELECT u.place, u.kind FROM (SELECT pg_catalog.unnest($2) AS kind, pg_catalog.unnest($3) AS hash," \
		" pg_catalog.unnest($4) AS place, pg_catalog.unnest($5) AS value LIMIT pg_catalog.cardinality($2)) AS u" \
		" CROSS JOIN LATERAL" \
		" (SELECT 1 FROM contact_identity.suppressed s WHERE s.account_id OPERATOR(pg_catalog.=) $1" \
		" AND s.kind OPERATOR(pg_catalog.=) u.kind AND s.hash OPERATOR(pg_catalog.=) pg_catalog.decode(u.hash, 'hex')" \
		" OFFSET 0) AS r" condition " ORDER BY u.place", \
		.expected = SPI_OK_SELECT, \
		.nargs = 5, \
		.argtypes = {INT4OID, TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID, TEXTARRAYOID}, \
		.sees_latest = true \
	}

static CiStatement suppressed_stmt = SUPPRESSED("");

/* As that, of values that nobody holds. */
static CiStatement suppressed_free_stmt =
SUPPRESSED(" WHERE NOT EXISTS (SELECT FROM contact_identity.identifier i"
		   " WHERE i.account_id OPERATOR(pg_catalog.=) $1 AND i.kind OPERATOR(pg_catalog.=) u.kind"
		   " AND i.value OPERATOR(pg_catalog.=) u.value AND NOT i.parked)");

/* ---- What is not to come back ---- */

/* The keyed hash of a value, as hexadecimal digits. */
static char *
hash_value(const CiConfig *config, const char *kind, const char *value)
{
	uint8		digest[PG_SHA256_DIGEST_LENGTH];
	char	   *result = palloc(2 * PG_SHA256_DIGEST_LENGTH + 1);
	pg_hmac_ctx *hmac = pg_hmac_create(PG_SHA256);

	/* The kind with its NUL: no two pairs of kind and value are one text. */
	if (hmac == NULL ||
		pg_hmac_init(hmac, config->suppress_key, config->suppress_key_length) < 0 ||
		pg_hmac_update(hmac, (const uint8 *) kind, strlen(kind) + 1) < 0 ||
		pg_hmac_update(hmac, (const uint8 *) value, strlen(value)) < 0 ||
		pg_hmac_final(hmac, digest, sizeof(digest)) < 0)
		elog(ERROR, "could not compute a hash: %s", hmac == NULL ? "out of memory" : pg_hmac_error(hmac));
	pg_hmac_free(hmac);
	result[hex_encode((const char *) digest, sizeof(digest), result)] = '\0';
	return result;
}

/*
 * Finds which requests give suppressed values: places and kinds are in
 * SPI_tuptable.  In a working set it is asked of those that were claimed.
 */
static uint64
find_suppressed(const CiConfig *config, const CiRequest *requests, int count, CiWorld *claimed)
{
	Datum		values[5] = {Int32GetDatum(config->account_id)};
	CiColumn	kinds;
	CiColumn	hashes;
	CiColumn	places;
	CiColumn	given;

	ci_column_init(&kinds, TEXTOID);
	ci_column_init(&hashes, TEXTOID);
	ci_column_init(&places, INT8OID);
	ci_column_init(&given, TEXTOID);
	for (int i = 0; i < count; i++)
	{
		const CiRequest *request = &requests[i];

		if (request->error.code != CI_OK)
			continue;
		for (int j = request->key == NULL ? 0 : -1; j < request->ngiven; j++)
		{
			const CiKind *kind = j < 0 ? request->key_kind : request->given[j].kind;
			const char *value = j < 0 ? request->key : request->given[j].value;

			if (claimed != NULL && ci_world_identifier(claimed, kind, value)->was.contact != NULL)
				continue;
			ci_column_add_text(&kinds, kind->name);
			ci_column_add_text(&hashes, hash_value(config, kind->name, value));
			ci_column_add_int64(&places, i);
			ci_column_add_text(&given, value);
		}
	}
	if (kinds.count == 0)
		return 0;
	values[1] = ci_column_array(&kinds);
	values[2] = ci_column_array(&hashes);
	values[3] = ci_column_array(&places);
	values[4] = ci_column_array(&given);
	return ci_run(claimed == NULL ? &suppressed_free_stmt : &suppressed_stmt, values, NULL, true);
}

/*
 * Marks the requests that give a suppressed value as ones that cannot be used.
 * The settings are asked for anew: a call that waited for an erase has those
 * from before it.  As the value was its contact's, whoever is to give it to
 * another has waited, or is found out once it is claimed, see below.
 * One that an agent has promoted since, because it had been given about another
 * contact before, is that one's as long as he holds it.
 */
void
ci_refuse_suppressed(const CiConfig *config, CiRequest *requests, int count)
{
	uint64		found;

	for (int i = 0; i < count; i++)
		requests[i].suppressed = false;
	if (!config->has_1_1_tables)
		return;
	config = ci_get_config(config->account_id);
	if (!config->has_suppressed)
		return;
	found = find_suppressed(config, requests, count, NULL);
	if (found == 0)
		return;
	for (uint64 i = 0; i < found; i++)
	{
		CiRequest  *request = &requests[ci_get_int64(SPI_tuptable->vals[i], 1)];

		request->suppressed = true;
		ci_fail_request(request, CI_INVALID,
						psprintf("%s was erased and is not to be stored again", ci_get_text(SPI_tuptable->vals[i], 2)),
						NULL, "Its person asked to be forgotten. Who may store it again is for the owner of contact_identity.suppressed to say.");
	}
	SPI_freetuptable(SPI_tuptable);
}

/* Notes that there is a row. */
static bool
note_row(void *argument, const CiRow *row)
{
	*(bool *) argument = true;
	return false;
}

/*
 * Whether the account has suppressed values, and the settings said that it has
 * none when the requests were compared with them.  Who erases is seen to have
 * committed a moment before others hear of changed settings: then nothing is
 * claimed, and all is looked at again.
 */
bool
ci_has_unknown_suppressed(const CiConfig *config)
{
	static CiLookup by_account = {"suppressed", NULL, 1, {0}, {{"account_id", INT4OID}}};
	CiColumn	once;
	bool		found = false;

	if (!config->has_1_1_tables || ci_get_config(config->account_id)->has_suppressed)
		return false;
	ci_column_init(&once, INT4OID);
	ci_column_add(&once, Int32GetDatum(config->account_id), false);
	ci_push_snapshot();
	ci_look_up(&by_account, Int32GetDatum(config->account_id), &once, note_row, &found);
	PopActiveSnapshot();
	return found;
}

/*
 * Whether a value that was claimed is suppressed: it was somebody's, and that
 * one erased, after it was looked up, or than the transaction's snapshot.
 */
bool
ci_claimed_suppressed(CiWorld *world, const CiRequest *requests, int count)
{
	const CiConfig *config;
	bool		found;

	if (!world->config->has_1_1_tables || ci_count_claims(world) == 0)
		return false;
	config = ci_get_config(world->config->account_id);
	if (!config->has_suppressed)
		return false;
	ci_push_snapshot();
	found = find_suppressed(config, requests, count, world) > 0;
	PopActiveSnapshot();
	return found;
}

/* ---- Erasing ---- */

static bool
is_erased_now(const CiContact *contact)
{
	return contact != NULL && contact->state == CI_ERASED && contact->was_state != CI_ERASED;
}

/* Writes to conflicts of others, in order of id. */
static void
change_conflicts(const CiConfig *config, const CiColumn *ids, const char *what)
{
	Datum		values[3] = {Int32GetDatum(config->account_id)};

	if (ids->count == 0)
		return;
	values[1] = ci_column_array(ids);
	values[2] = CStringGetTextDatum(what);
	ci_run(&other_conflicts_stmt, values, NULL, false);
}

/* The ids that a statement finds. */
static CiColumn
find_ids(CiStatement *stmt, Datum *values)
{
	uint64		count = ci_run(stmt, values, NULL, false);
	CiColumn	ids;

	ci_column_init(&ids, INT8OID);
	for (uint64 i = 0; i < count; i++)
		ci_column_add_int64(&ids, ci_get_int64(SPI_tuptable->vals[i], 1));
	SPI_freetuptable(SPI_tuptable);
	return ids;
}

/* The rows that name contacts, by one of those statements. */
static CiColumn
find_naming(CiStatement *stmt, const CiConfig *config, Datum contacts)
{
	Datum		values[2] = {Int32GetDatum(config->account_id), contacts};

	return find_ids(stmt, values);
}

/* Conflicts given with keys that go. */
static CiColumn
find_keyed(const CiGone *gone)
{
	Datum		values[3] = {Int32GetDatum(gone->config->account_id)};
	CiColumn	none;

	ci_column_init(&none, INT8OID);
	if (gone->kinds.count == 0)
		return none;
	values[1] = ci_column_array(&gone->kinds);
	values[2] = ci_column_array(&gone->values);
	return find_ids(&keyed_stmt, values);
}

/* Locks rows of contacts, and others by their ids, in the order of all ids. */
static void
lock_in_order(const CiConfig *config, Datum contacts, const CiColumn *conflicts, const CiColumn *events,
			  const CiColumn *merges)
{
	CiStatement *const stmts[] = {&lock_conflicts_stmt, &lock_events_stmt, &lock_merges_stmt};
	const CiColumn *ids[] = {conflicts, events, merges};
	Datum		values[3] = {Int32GetDatum(config->account_id), contacts};

	for (int i = 0; i < lengthof(stmts); i++)
	{
		values[2] = ci_column_array(ids[i]);
		ci_run(stmts[i], values, NULL, false);
	}
	if (config->has_1_1_tables)
		ci_run(&lock_pairs_stmt, values, NULL, false);
}

/* Locks all rows that go with contacts, and those that name them. */
void
ci_lock_rows_of(const CiConfig *config, Datum contacts)
{
	CiColumn	owned = find_naming(&owned_stmt, config, contacts);
	CiColumn	survived = find_naming(&survived_stmt, config, contacts);
	CiColumn	none;

	ci_column_init(&none, INT8OID);
	lock_in_order(config, contacts, &owned, &none, &survived);
}

/* Locks all rows that are going to be written, but for those that are new. */
static void
lock_rows(const CiGone *gone)
{
	const CiColumn found[] = {gone->set_aside, find_keyed(gone), find_naming(&owned_stmt, gone->config, gone->contacts)};
	CiColumn	conflicts;

	ci_column_init(&conflicts, INT8OID);
	for (int i = 0; i < lengthof(found); i++)
	{
		for (int j = 0; j < found[i].count; j++)
			ci_column_add(&conflicts, found[i].values[j], false);
	}
	lock_in_order(gone->config, gone->contacts, &conflicts, &gone->events, &gone->passed_on);
}

/* Empties what others' rows have of what goes. */
static void
empty_others(const CiGone *gone)
{
	Datum		values[5] = {Int32GetDatum(gone->config->account_id)};
	CiColumn	keyed;

	if (gone->events.count > 0)
	{
		values[1] = ci_column_array(&gone->events);
		values[2] = ci_column_array(&gone->found);
		values[3] = ci_column_array(&gone->old);
		values[4] = ci_column_array(&gone->new);
		ci_run(&other_events_stmt, values, NULL, false);
	}
	keyed = find_keyed(gone);
	change_conflicts(gone->config, &gone->set_aside, "value");
	change_conflicts(gone->config, &keyed, "key");
	if (gone->passed_on.count > 0)
	{
		values[1] = ci_column_array(&gone->passed_on);
		ci_run(&passed_on_stmt, values, NULL, false);
	}
}

/*
 * [10.6] Empties what is kept of the contacts that a working set erases.  What
 * they held is nobody's already.
 */
void
ci_apply_erasure(CiWorld *world)
{
	CiGone		gone = {.config = world->config};
	Datum		values[4] = {Int32GetDatum(world->config->account_id)};
	bool		suppress = false;
	CiColumn	ids;
	CiColumn	kinds;
	CiColumn	hashes;

	ci_column_init(&ids, INT8OID);
	for (CiContact *contact = world->contacts; contact != NULL; contact = contact->next)
	{
		if (is_erased_now(contact))
			ci_column_add_int64(&ids, contact->id);
	}
	if (ids.count == 0)
		return;
	gone.nids = ids.count;
	gone.ids = palloc(sizeof(int64) * ids.count);
	for (int i = 0; i < ids.count; i++)
		gone.ids[i] = DatumGetInt64(ids.values[i]);
	gone.contacts = ci_column_array(&ids);
	for (CiEvent *event = world->events; event != NULL; event = event->next)
		suppress |= is_erased_now(event->contact) && event->request->suppress;
	ci_column_init(&kinds, TEXTOID);
	ci_column_init(&hashes, TEXTOID);
	for (CiIdentifier *identifier = world->touched_identifiers;
		 suppress && identifier != NULL; identifier = identifier->next_touched)
	{
		if (!is_erased_now(identifier->was.contact))
			continue;
		ci_column_add_text(&kinds, identifier->kind->name);
		ci_column_add_text(&hashes, hash_value(world->config, identifier->kind->name, identifier->value));
	}
	ci_read_gone(&gone, world);
	lock_rows(&gone);

	values[1] = gone.contacts;
	ci_run(&conflicts_stmt, values, NULL, false);
	ci_run(&events_stmt, values, NULL, false);
	ci_run(&merges_stmt, values, NULL, false);
	if (world->config->has_1_1_tables)
		ci_run(&pairs_stmt, values, NULL, false);
	empty_others(&gone);
	ci_forget_owners(world->config, gone.contacts);
	ci_empty_texts(&gone);
	ci_forget_followed(world->config, gone.contacts);
	if (hashes.count > 0)
	{
		values[1] = ci_column_array(&kinds);
		values[2] = ci_column_array(&hashes);
		values[3] = TimestampTzGetDatum(ci_held_time(world, world->clock));
		ci_run(&suppress_stmt, values, NULL, false);
	}
}

/* [5.7] Contacts that are no more own no value that a conflict is about. */
void
ci_forget_owners(const CiConfig *config, Datum contacts)
{
	CiColumn	owned = find_naming(&owned_stmt, config, contacts);

	change_conflicts(config, &owned, "owner");
}

/* erase(contact_id, suppress, actor, account_id) */
Datum
ci_erase(PG_FUNCTION_ARGS)
{
	CiRawRequest raw = {.op = CI_OP_ERASE};
	CiRequest	request;
	CiResult	result;
	CiCall		call;

	ci_begin_call(&call, ci_account_argument(fcinfo, 3));
	ci_require_1_1_tables(call.config);
	raw.has_contact_id = !PG_ARGISNULL(0);
	raw.contact_id = raw.has_contact_id ? PG_GETARG_INT64(0) : 0;
	raw.suppress = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1);
	raw.actor = PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2));
	ci_prepare_request(call.config, &raw, &request);
	if (request.error.code == CI_OK)
		ci_play(call.config, &request, &result, 1);
	if (request.error.code != CI_OK)
		ci_report_error(&request.error);
	ci_end_call(&call);
	MemoryContextDelete(call.context);
	PG_RETURN_BOOL(true);
}
