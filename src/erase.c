/*-------------------------------------------------------------------------
 *
 * erase.c
 *	  erase(): nothing stays of a contact but numbers, times and names of
 *	  events, and what was suppressed does not come back (RULES 10.6).
 *
 * What is the contact's own is emptied whole: its history, its conflicts and
 * those of all that were merged into it.  Elsewhere a value is looked for, and
 * goes where nobody else has it: a value that another contact holds, or that was
 * given about one, is that contact's.  Rows of other contacts are locked in the
 * order of their numbers, table by table, so that two calls do not wait for
 * each other.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/cryptohash.h"
#include "common/hmac.h"
#include "common/sha2.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "pipeline.h"

PG_FUNCTION_INFO_V1(ci_erase);

/* A value that is as long as this is looked for inside of texts, too. */
#define MIN_PART 8

/* So many rows of the table rejected are looked at together. */
#define REJECTED_ROWS 1000

#define C_TEXT(expression) "(" expression ") COLLATE pg_catalog.\"C\""

/*
 * The account, in statements that the planner may plan freely: of one that it
 * sees it would believe that it has no rows, where ANALYZE has seen none.
 */
#define ACCOUNT "(SELECT $1)"

/*
 * Who gives a conflict or an event that names a contact has held it, but has
 * not changed its row.  So nothing tells a transaction with an earlier snapshot
 * that it waited for one, and these statements have to look by themselves.
 *
 * What the contacts hold or held, or what was given about them, and nobody else
 * has: neither now, nor by the history of those who exchanged values with
 * them, nor as a secondary value.
 */
static CiStatement gone_stmt = {
	.sql = "WITH own AS MATERIALIZED (SELECT e.field_type, e.field, e.old_value, e.new_value, e.other_contact_id"
	" FROM " CI_UNNEST("$2") " AS u (id) JOIN contact_identity.event e ON e.account_id OPERATOR(pg_catalog.=) " ACCOUNT
	" AND e.contact_id OPERATOR(pg_catalog.=) u.id"
	"), linked AS MATERIALIZED (SELECT DISTINCT o.other_contact_id AS id FROM own o"
	" WHERE o.other_contact_id IS NOT NULL AND o.other_contact_id OPERATOR(pg_catalog.<>) ALL ($2)"
	"), had AS MATERIALIZED ("
	" SELECT o.field AS kind, " C_TEXT("o.old_value OPERATOR(pg_catalog.#>>) '{}'") " AS value FROM own o"
	" WHERE o.field_type OPERATOR(pg_catalog.=) ANY ('{identifier,key}') AND o.old_value IS NOT NULL"
	" UNION SELECT o.field, " C_TEXT("o.new_value OPERATOR(pg_catalog.#>>) '{}'") " FROM own o"
	" WHERE o.field_type OPERATOR(pg_catalog.=) ANY ('{identifier,key}') AND o.new_value IS NOT NULL"
	" UNION SELECT f.field, " C_TEXT("f.secondary_value OPERATOR(pg_catalog.#>>) '{}'")
	" FROM contact_identity.conflict f WHERE f.account_id OPERATOR(pg_catalog.=) " ACCOUNT
	" AND f.contact_id OPERATOR(pg_catalog.=) ANY ($2) AND f.field_type OPERATOR(pg_catalog.=) 'identifier'"
	" UNION SELECT " C_TEXT("h.kind") ", " C_TEXT("h.value")
	" FROM (SELECT pg_catalog.unnest($3) AS kind, pg_catalog.unnest($4) AS value) AS h"
	"), theirs AS MATERIALIZED ("
	" SELECT e.field AS kind, " C_TEXT("e.old_value OPERATOR(pg_catalog.#>>) '{}'") " AS value"
	" FROM linked l JOIN contact_identity.event e ON e.account_id OPERATOR(pg_catalog.=) " ACCOUNT
	" AND e.contact_id OPERATOR(pg_catalog.=) l.id"
	" WHERE e.field_type OPERATOR(pg_catalog.=) ANY ('{identifier,key}') AND e.old_value IS NOT NULL"
	" UNION SELECT e.field, " C_TEXT("e.new_value OPERATOR(pg_catalog.#>>) '{}'")
	" FROM linked l JOIN contact_identity.event e ON e.account_id OPERATOR(pg_catalog.=) " ACCOUNT
	" AND e.contact_id OPERATOR(pg_catalog.=) l.id"
	" WHERE e.field_type OPERATOR(pg_catalog.=) ANY ('{identifier,key}') AND e.new_value IS NOT NULL"
	" UNION SELECT h.kind, h.value FROM had h JOIN contact_identity.conflict f"
	" ON f.field OPERATOR(pg_catalog.=) h.kind AND f.secondary_value OPERATOR(pg_catalog.=) pg_catalog.to_jsonb(h.value)"
	" WHERE f.account_id OPERATOR(pg_catalog.=) " ACCOUNT " AND f.contact_id OPERATOR(pg_catalog.<>) ALL ($2)"
	" AND f.field_type OPERATOR(pg_catalog.=) 'identifier'"
	") SELECT h.kind, h.value FROM had h WHERE NOT EXISTS (SELECT FROM contact_identity.identifier i"
	" WHERE i.account_id OPERATOR(pg_catalog.=) " ACCOUNT " AND i.kind OPERATOR(pg_catalog.=) h.kind"
	" AND i.value OPERATOR(pg_catalog.=) h.value)"
	" AND NOT EXISTS (SELECT FROM theirs t WHERE t.kind OPERATOR(pg_catalog.=) h.kind"
	" AND t.value OPERATOR(pg_catalog.=) h.value)",
	.expected = SPI_OK_SELECT,
	.nargs = 4,
	.argtypes = {INT4OID, INT8ARRAYOID, TEXTARRAYOID, TEXTARRAYOID},
	.free_plan = true,
	.sees_latest = true
};

static CiStatement conflicts_stmt = {
	.sql = "DELETE FROM contact_identity.conflict f USING " CI_UNNEST("$2") " AS u (id)"
	" WHERE f.account_id OPERATOR(pg_catalog.=) $1 AND f.contact_id OPERATOR(pg_catalog.=) u.id",
	.expected = SPI_OK_DELETE,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID}
};

/*
 * Conflicts of others: an erased owner is nobody, and a key that was only
 * erased contacts' is replaced by what is equal to no other [5.1].
 */
static CiStatement other_conflicts_stmt = {
	.sql = "UPDATE contact_identity.conflict f SET owner_contact_id ="
	" CASE WHEN f.owner_contact_id OPERATOR(pg_catalog.=) ANY ($2) THEN NULL ELSE f.owner_contact_id END,"
	" key = CASE WHEN EXISTS (SELECT FROM (SELECT pg_catalog.unnest($3) AS kind, pg_catalog.unnest($4) AS value) AS v"
	" WHERE v.kind OPERATOR(pg_catalog.=) f.key_kind AND v.value OPERATOR(pg_catalog.=) f.key)"
	" THEN pg_catalog.concat('erased ', f.conflict_id) ELSE f.key END"
	" FROM (SELECT c.conflict_id FROM contact_identity.conflict c WHERE c.account_id OPERATOR(pg_catalog.=) " ACCOUNT
	" AND (c.owner_contact_id OPERATOR(pg_catalog.=) ANY ($2) OR EXISTS (SELECT"
	" FROM (SELECT pg_catalog.unnest($3) AS kind, pg_catalog.unnest($4) AS value) AS v"
	" WHERE v.kind OPERATOR(pg_catalog.=) c.key_kind AND v.value OPERATOR(pg_catalog.=) c.key))"
	" ORDER BY c.conflict_id FOR UPDATE) AS o"
	" WHERE f.account_id OPERATOR(pg_catalog.=) " ACCOUNT " AND f.conflict_id OPERATOR(pg_catalog.=) o.conflict_id",
	.expected = SPI_OK_UPDATE,
	.nargs = 4,
	.argtypes = {INT4OID, INT8ARRAYOID, TEXTARRAYOID, TEXTARRAYOID},
	.free_plan = true,
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

/* Calls that found an erased contact have written to others, too. */
static CiStatement other_events_stmt = {
	.sql = "UPDATE contact_identity.event e SET found_value = NULL FROM (SELECT o.event_id"
	" FROM (SELECT DISTINCT s.other_contact_id AS id FROM " CI_UNNEST("$2") " AS u (id)"
	" JOIN contact_identity.event s ON s.account_id OPERATOR(pg_catalog.=) " ACCOUNT " AND s.contact_id OPERATOR(pg_catalog.=) u.id"
	" WHERE s.other_contact_id IS NOT NULL) AS l"
	" JOIN contact_identity.event o ON o.account_id OPERATOR(pg_catalog.=) " ACCOUNT " AND o.contact_id OPERATOR(pg_catalog.=) l.id"
	" JOIN (SELECT pg_catalog.unnest($3) AS kind, pg_catalog.unnest($4) AS value) AS v"
	" ON v.kind OPERATOR(pg_catalog.=) o.found_kind AND v.value OPERATOR(pg_catalog.=) o.found_value"
	" ORDER BY o.event_id FOR UPDATE OF o) AS f"
	" WHERE e.account_id OPERATOR(pg_catalog.=) " ACCOUNT " AND e.event_id OPERATOR(pg_catalog.=) f.event_id",
	.expected = SPI_OK_UPDATE,
	.nargs = 4,
	.argtypes = {INT4OID, INT8ARRAYOID, TEXTARRAYOID, TEXTARRAYOID},
	.free_plan = true,
	.sees_latest = true
};

static CiStatement merges_stmt = {
	.sql = "UPDATE contact_identity.merge m SET detail = '{}' FROM " CI_UNNEST("$2") " AS u (id)"
	" WHERE m.account_id OPERATOR(pg_catalog.=) $1 AND m.merged_id OPERATOR(pg_catalog.=) u.id",
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

static CiStatement rejected_stmt = {
	.sql = "SELECT rejected_id, request FROM contact_identity.rejected"
	" WHERE account_id OPERATOR(pg_catalog.=) $1 AND rejected_id OPERATOR(pg_catalog.>) $2"
	" ORDER BY rejected_id LIMIT " CppAsString2(REJECTED_ROWS),
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8OID}
};

static CiStatement empty_rejected_stmt = {
	.sql = "UPDATE contact_identity.rejected r SET request = '{}'"
	" FROM (SELECT o.rejected_id FROM contact_identity.rejected o WHERE o.account_id OPERATOR(pg_catalog.=) $1"
	" AND o.rejected_id OPERATOR(pg_catalog.=) ANY ($2) ORDER BY o.rejected_id FOR UPDATE) AS u"
	" WHERE r.account_id OPERATOR(pg_catalog.=) $1 AND r.rejected_id OPERATOR(pg_catalog.=) u.rejected_id",
	.expected = SPI_OK_UPDATE,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID}
};

static CiStatement jobs_stmt = {
	.sql = "SELECT job, query, last_error FROM contact_identity.jobs"
	" WHERE account_id OPERATOR(pg_catalog.=) $1 ORDER BY job",
	.expected = SPI_OK_SELECT,
	.nargs = 1,
	.argtypes = {INT4OID}
};

static CiStatement empty_job_stmt = {
	.sql = "UPDATE contact_identity.jobs SET query = CASE WHEN $3 THEN '' ELSE query END,"
	" last_error = CASE WHEN $4 THEN pg_catalog.left(last_error, 5) ELSE last_error END"
	" WHERE account_id OPERATOR(pg_catalog.=) $1 AND job OPERATOR(pg_catalog.=) $2",
	.expected = SPI_OK_UPDATE,
	.nargs = 4,
	.argtypes = {INT4OID, INT8OID, BOOLOID, BOOLOID}
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

static CiStatement suppressed_stmt = {
	.sql = "SELECT u.place, u.kind FROM (SELECT pg_catalog.unnest($2) AS kind, pg_catalog.unnest($3) AS hash,"
	" pg_catalog.unnest($4) AS place LIMIT pg_catalog.cardinality($2)) AS u CROSS JOIN LATERAL"
	" (SELECT 1 FROM contact_identity.suppressed s WHERE s.account_id OPERATOR(pg_catalog.=) $1"
	" AND s.kind OPERATOR(pg_catalog.=) u.kind AND s.hash OPERATOR(pg_catalog.=) pg_catalog.decode(u.hash, 'hex')"
	" OFFSET 0) AS r ORDER BY u.place",
	.expected = SPI_OK_SELECT,
	.nargs = 4,
	.argtypes = {INT4OID, TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID}
};

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
 * Marks the requests that give a suppressed value as ones that cannot be used.
 * The settings are asked for anew: a call that waited for an erase has those
 * from before it.  As the value was its contact's, whoever is to give it to
 * another has waited, or finds it free in a snapshot that has the hash, too.
 */
void
ci_refuse_suppressed(const CiConfig *config, CiRequest *requests, int count)
{
	Datum		values[4] = {Int32GetDatum(config->account_id)};
	CiColumn	kinds;
	CiColumn	hashes;
	CiColumn	places;
	uint64		found;

	for (int i = 0; i < count; i++)
		requests[i].suppressed = false;
	if (!config->has_1_1_tables)
		return;
	config = ci_get_config(config->account_id);
	if (!config->has_suppressed)
		return;
	ci_column_init(&kinds, TEXTOID);
	ci_column_init(&hashes, TEXTOID);
	ci_column_init(&places, INT8OID);
	for (int i = 0; i < count; i++)
	{
		const CiRequest *request = &requests[i];

		if (request->error.code != CI_OK)
			continue;
		for (int j = request->key == NULL ? 0 : -1; j < request->ngiven; j++)
		{
			const char *kind = j < 0 ? request->key_kind->name : request->given[j].kind->name;

			ci_column_add_text(&kinds, kind);
			ci_column_add_text(&hashes, hash_value(config, kind, j < 0 ? request->key : request->given[j].value));
			ci_column_add_int64(&places, i);
		}
	}
	if (kinds.count == 0)
		return;
	values[1] = ci_column_array(&kinds);
	values[2] = ci_column_array(&hashes);
	values[3] = ci_column_array(&places);
	found = ci_run(&suppressed_stmt, values, NULL, true);
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

/* ---- Looking for values in texts ---- */

/* Values that go, by kind and value. */
typedef struct GoneValue
{
	const CiKind *kind;
	char	   *value;
} GoneValue;

typedef struct Gone
{
	const CiConfig *config;
	Datum		contacts;		/* ids, as an array */
	int64	   *ids;
	int			nids;
	CiColumn	kinds;
	CiColumn	values;
	GoneValue  *items;
	int			count;
} Gone;

/* Whether a text says a value that goes. */
static bool
says_gone(const Gone *gone, const char *string)
{
	char	   *lower = NULL;

	for (int i = 0; i < gone->count; i++)
	{
		const char *value = gone->items[i].value;

		if (strlen(value) < MIN_PART)
		{
			if (strstr(string, psprintf("'%s'", value)) != NULL || strstr(string, psprintf("\"%s\"", value)) != NULL)
				return true;
			continue;
		}
		if (lower == NULL)
		{
			lower = pstrdup(string);
			for (char *c = lower; *c != '\0'; c++)
				*c = pg_ascii_tolower((unsigned char) *c);
		}
		if (strstr(string, value) != NULL || strstr(lower, value) != NULL)
			return true;
	}
	return false;
}

/* Whether a member of a request gives a value that goes, however it is spelt. */
static bool
gives_gone(const Gone *gone, const char *name, const char *string)
{
	const CiKind *kind = NULL;
	CiNormalized normalized;
	CiError		error;
	bool		usable = false;

	for (int i = 0; i < gone->count; i++)
	{
		const GoneValue *item = &gone->items[i];

		if (!item->kind->identifying)
		{
			if (strcmp(name, "key") == 0 && strcmp(string, item->value) == 0)
				return true;
			continue;
		}
		/* An address or a number is one wherever it stands. */
		if (item->kind->normalizer == CI_NORMALIZE_EXACT && strcmp(name, item->kind->name) != 0)
			continue;
		if (item->kind != kind)
		{
			kind = item->kind;
			usable = strlen(string) <= CI_MAX_KEY &&
				ci_normalize_identifier(gone->config, kind, string, &normalized, &error);
		}
		if (usable && strcmp(normalized.value, item->value) == 0)
			return true;
	}
	return says_gone(gone, string);
}

/* Whether a rejected request is about an erased contact. */
static bool
request_gives_gone(const Gone *gone, Jsonb *request)
{
	JsonbIterator *iterator = JsonbIteratorInit(&request->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	char	   *name = pstrdup("");
	int			depth = 0;

	while ((token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
	{
		char	   *string = NULL;

		CHECK_FOR_INTERRUPTS();
		if (token == WJB_BEGIN_OBJECT || token == WJB_BEGIN_ARRAY)
			depth++;
		else if (token == WJB_END_OBJECT || token == WJB_END_ARRAY)
			depth--;
		else if (token == WJB_KEY)
			name = pnstrdup(value.val.string.val, value.val.string.len);
		else if (value.type == jbvString)
			string = pnstrdup(value.val.string.val, value.val.string.len);
		else if (value.type == jbvNumeric)
			string = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value.val.numeric)));
		if (string == NULL)
			continue;
		if (depth == 1 && strcmp(name, "contact_id") == 0)
		{
			for (int i = 0; i < gone->nids; i++)
			{
				if (strcmp(string, psprintf(INT64_FORMAT, gone->ids[i])) == 0)
					return true;
			}
		}
		else if (gives_gone(gone, depth == 1 ? name : "", string))
			return true;
	}
	return false;
}

/* Empties the rejected requests that give an erased value or name the contact. */
static void
empty_rejected(const Gone *gone)
{
	Datum		values[2] = {Int32GetDatum(gone->config->account_id)};
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "contact_identity rejected",
												  ALLOCSET_DEFAULT_SIZES);
	int64		last = PG_INT64_MIN;
	uint64		count;
	CiColumn	ids;

	ci_column_init(&ids, INT8OID);
	do
	{
		SPITupleTable *rows;

		values[1] = Int64GetDatum(last);
		count = ci_run(&rejected_stmt, values, NULL, true);
		rows = SPI_tuptable;
		for (uint64 i = 0; i < count; i++)
		{
			MemoryContext caller = MemoryContextSwitchTo(context);
			bool		gives;

			SPI_tuptable = rows;
			last = ci_get_int64(rows->vals[i], 1);
			gives = request_gives_gone(gone, ci_get_jsonb(rows->vals[i], 2));
			MemoryContextSwitchTo(caller);
			MemoryContextReset(context);
			if (gives)
				ci_column_add_int64(&ids, last);
		}
		SPI_freetuptable(rows);
	} while (count == REJECTED_ROWS);
	MemoryContextDelete(context);
	if (ids.count == 0)
		return;
	values[1] = ci_column_array(&ids);
	ci_run(&empty_rejected_stmt, values, NULL, false);
}

/* Jobs whose query has an erased value in its text, or whose error shows one. */
static void
empty_jobs(const Gone *gone)
{
	Datum		values[4] = {Int32GetDatum(gone->config->account_id)};
	uint64		count = ci_run(&jobs_stmt, values, NULL, true);
	SPITupleTable *rows = SPI_tuptable;

	for (uint64 i = 0; i < count; i++)
	{
		const char *error;
		bool		query_says;
		bool		error_says;

		SPI_tuptable = rows;
		error = ci_get_optional_text(rows->vals[i], 3);
		query_says = says_gone(gone, ci_get_text(rows->vals[i], 2));
		error_says = error != NULL && says_gone(gone, error);
		if (!query_says && !error_says)
			continue;
		values[1] = Int64GetDatum(ci_get_int64(rows->vals[i], 1));
		values[2] = BoolGetDatum(query_says);
		values[3] = BoolGetDatum(error_says);
		ci_run(&empty_job_stmt, values, NULL, false);
	}
	SPI_freetuptable(rows);
}

/* ---- Erasing ---- */

static bool
is_erased_now(const CiContact *contact)
{
	return contact != NULL && contact->state == CI_ERASED && contact->was_state != CI_ERASED;
}

/* By kind, so that a text is normalised once for each. */
static int
compare_gone(const void *a, const void *b)
{
	const GoneValue *x = a;
	const GoneValue *y = b;

	return x->kind < y->kind ? -1 : x->kind > y->kind;
}

/* The values that go; held has those that the contacts held until now. */
static void
read_gone(Gone *gone, CiColumn *held_kinds, CiColumn *held_values)
{
	Datum		values[4] = {
		Int32GetDatum(gone->config->account_id), gone->contacts,
		ci_column_array(held_kinds), ci_column_array(held_values)
	};
	uint64		count = ci_run(&gone_stmt, values, NULL, false);

	ci_column_init(&gone->kinds, TEXTOID);
	ci_column_init(&gone->values, TEXTOID);
	gone->items = palloc(sizeof(GoneValue) * Max(1, count));
	for (uint64 i = 0; i < count; i++)
	{
		char	   *name = ci_get_text(SPI_tuptable->vals[i], 1);
		GoneValue	item = {ci_find_kind(gone->config, name), ci_get_text(SPI_tuptable->vals[i], 2)};

		ci_column_add_text(&gone->kinds, name);
		ci_column_add_text(&gone->values, item.value);
		if (item.kind != NULL)	/* else a kind that was removed */
			gone->items[gone->count++] = item;
	}
	SPI_freetuptable(SPI_tuptable);
	qsort(gone->items, gone->count, sizeof(GoneValue), compare_gone);
}

/*
 * [10.6] Empties what is kept of the contacts that a working set erases.  What
 * they held is nobody's already.
 */
void
ci_apply_erasure(CiWorld *world)
{
	Gone		gone = {.config = world->config};
	Datum		values[4] = {Int32GetDatum(world->config->account_id)};
	bool		suppress = false;
	CiColumn	ids;
	CiColumn	held[2];
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
	ci_column_init(&held[0], TEXTOID);
	ci_column_init(&held[1], TEXTOID);
	ci_column_init(&hashes, TEXTOID);
	for (CiIdentifier *identifier = world->touched_identifiers;
		 identifier != NULL; identifier = identifier->next_touched)
	{
		if (!is_erased_now(identifier->was.contact))
			continue;
		ci_column_add_text(&held[0], identifier->kind->name);
		ci_column_add_text(&held[1], identifier->value);
		if (suppress)
			ci_column_add_text(&hashes, hash_value(world->config, identifier->kind->name, identifier->value));
	}
	read_gone(&gone, &held[0], &held[1]);

	values[1] = gone.contacts;
	ci_run(&conflicts_stmt, values, NULL, false);
	ci_run(&events_stmt, values, NULL, false);
	ci_run(&merges_stmt, values, NULL, false);
	if (world->config->has_1_1_tables)
		ci_run(&pairs_stmt, values, NULL, false);
	values[2] = ci_column_array(&gone.kinds);
	values[3] = ci_column_array(&gone.values);
	ci_run(&other_conflicts_stmt, values, NULL, false);
	if (gone.kinds.count > 0)
		ci_run(&other_events_stmt, values, NULL, false);
	empty_rejected(&gone);
	if (gone.count > 0)
		empty_jobs(&gone);
	ci_forget_followed(world->config, gone.contacts);
	if (hashes.count > 0)
	{
		values[1] = ci_column_array(&held[0]);
		values[2] = ci_column_array(&hashes);
		values[3] = TimestampTzGetDatum(world->clock);
		ci_run(&suppress_stmt, values, NULL, false);
	}
}

/* [5.7] Contacts that are no more own no value that a conflict is about. */
void
ci_forget_owners(const CiConfig *config, Datum contacts)
{
	CiColumn	none;
	Datum		values[4] = {Int32GetDatum(config->account_id), contacts};

	ci_column_init(&none, TEXTOID);
	values[2] = values[3] = ci_column_array(&none);
	ci_run(&other_conflicts_stmt, values, NULL, false);
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
