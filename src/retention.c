/*-------------------------------------------------------------------------
 *
 * retention.c
 *	  purge_anonymous(): contacts that nobody has seen for long (RULES 10.7).
 *
 * A batch locks its contacts as rows that go: FOR UPDATE, since a row with a
 * foreign key to one waits for that, and that waits for it.  What is locked by
 * anybody else is in use, and is left for another time: the purge waits for
 * nobody, and so is in nobody's way.  Who is named by an application's row is
 * found out when the locks are held.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "collect.h"

PG_FUNCTION_INFO_V1(ci_purge_anonymous);

#define MAX_BATCH 100000

/* The next contacts to look at; those in use are passed over. */
static CiStatement candidates_stmt = {
	.sql = "SELECT c.contact_id FROM contact_identity.contact c WHERE c.account_id OPERATOR(pg_catalog.=) $1"
	" AND c.contact_id OPERATOR(pg_catalog.>) $3 AND c.state OPERATOR(pg_catalog.=) 'anonymous'"
	" AND c.last_seen_at OPERATOR(pg_catalog.<) $2"
	" ORDER BY c.contact_id LIMIT $4 FOR UPDATE SKIP LOCKED",
	.expected = SPI_OK_SELECT,
	.nargs = 4,
	.argtypes = {INT4OID, TIMESTAMPTZOID, INT8OID, INT8OID}
};

/* Those that ended in contacts, and whether they could be locked. */
static CiStatement ended_stmt = {
	.sql = "SELECT c.contact_id, c.survivor_id, l.contact_id IS NOT NULL"
	" FROM contact_identity.contact c LEFT JOIN (SELECT k.contact_id FROM contact_identity.contact k"
	" WHERE k.account_id OPERATOR(pg_catalog.=) $1 AND k.survivor_id OPERATOR(pg_catalog.=) ANY ($2)"
	" ORDER BY k.contact_id FOR UPDATE SKIP LOCKED) AS l ON l.contact_id OPERATOR(pg_catalog.=) c.contact_id"
	" WHERE c.account_id OPERATOR(pg_catalog.=) $1 AND c.survivor_id OPERATOR(pg_catalog.=) ANY ($2)",
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID}
};

/* [2.1] How many of contacts count as push. */
static CiStatement push_stmt = {
	.sql = "SELECT pg_catalog.count(*) FROM contact_identity.contact c LEFT JOIN"
	" (SELECT i.contact_id, pg_catalog.bool_or(k.channel IS NOT DISTINCT FROM 'push') AS push"
	" FROM contact_identity.identifier i JOIN contact_identity.identifier_kind k"
	" ON k.account_id OPERATOR(pg_catalog.=) i.account_id AND k.kind OPERATOR(pg_catalog.=) i.kind"
	" WHERE i.account_id OPERATOR(pg_catalog.=) $1 AND i.contact_id OPERATOR(pg_catalog.=) ANY ($2)"
	" AND NOT i.parked GROUP BY i.contact_id) AS h ON h.contact_id OPERATOR(pg_catalog.=) c.contact_id"
	" WHERE c.account_id OPERATOR(pg_catalog.=) $1 AND c.contact_id OPERATOR(pg_catalog.=) ANY ($2)"
	" AND c.state OPERATOR(pg_catalog.=) 'anonymous'"
	" AND COALESCE(h.push, c.made OPERATOR(pg_catalog.=) 'push', false)",
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID}
};

/* For check_integrity(): of whom was purged before this nothing is known. */
static CiStatement purged_stmt = {
	.sql = "UPDATE contact_identity.account a SET purged_at = $2 WHERE a.account_id OPERATOR(pg_catalog.=) $1",
	.expected = SPI_OK_UPDATE,
	.nargs = 2,
	.argtypes = {INT4OID, TIMESTAMPTZOID}
};

#define DELETE_OF(table, column) \
	{ \
		.sql = "DELETE FROM contact_identity." table " t WHERE t.account_id OPERATOR(pg_catalog.=) $1" \
		" AND t." column " OPERATOR(pg_catalog.=) ANY ($2)", \
		.expected = SPI_OK_DELETE, \
		.nargs = 2, \
		.argtypes = {INT4OID, INT8ARRAYOID} \
	}

static CiStatement delete_stmts[] = {
	DELETE_OF("conflict", "contact_id"),
	DELETE_OF("list_member", "contact_id"),
	DELETE_OF("block", "contact_id"),
	DELETE_OF("merge", "survivor_id"),
	DELETE_OF("merge", "merged_id"),
	DELETE_OF("distinct_pair", "contact_id"),
	DELETE_OF("distinct_pair", "other_id"),
	DELETE_OF("event", "contact_id"),
	DELETE_OF("identifier", "contact_id"),
	DELETE_OF("contact", "contact_id")
};

static int
compare_numbers(const void *a, const void *b)
{
	int64		x = DatumGetInt64(*(const Datum *) a);
	int64		y = DatumGetInt64(*(const Datum *) b);

	return x < y ? -1 : x > y;
}

static bool
has_number(const CiColumn *sorted, Datum number)
{
	return sorted->count > 0 &&
		bsearch(&number, sorted->values, sorted->count, sizeof(Datum), compare_numbers) != NULL;
}

/*
 * Purges the next batch; answers how many live contacts, and moves last on.  At
 * the end *at_end is set.
 */
static int64
purge_batch(const CiConfig *config, TimestampTz before, int64 batch_size, int64 *last, bool *at_end)
{
	Datum		values[4] = {
		Int32GetDatum(config->account_id), TimestampTzGetDatum(before), Int64GetDatum(*last),
		Int64GetDatum(batch_size)
	};
	uint64		count = ci_run(&candidates_stmt, values, NULL, false);
	uint64		nended;
	int64		purged = 0;
	int64		push;
	int64	   *ended;
	CiColumn	candidates;
	CiColumn	all;
	CiColumn	kept;
	CiColumn	going;

	*at_end = count < batch_size;
	ci_column_init(&candidates, INT8OID);
	ci_column_init(&all, INT8OID);
	ci_column_init(&kept, INT8OID);
	ci_column_init(&going, INT8OID);
	for (uint64 i = 0; i < count; i++)
	{
		*last = ci_get_int64(SPI_tuptable->vals[i], 1);
		ci_column_add_int64(&candidates, *last);
		ci_column_add_int64(&all, *last);
	}
	SPI_freetuptable(SPI_tuptable);
	if (count == 0)
		return 0;

	values[1] = ci_column_array(&candidates);
	nended = ci_run(&ended_stmt, values, NULL, false);
	ended = palloc(sizeof(int64) * 2 * Max(1, nended));
	for (uint64 i = 0; i < nended; i++)
	{
		ended[2 * i] = ci_get_int64(SPI_tuptable->vals[i], 1);
		ended[2 * i + 1] = ci_get_int64(SPI_tuptable->vals[i], 2);
		ci_column_add_int64(&all, ended[2 * i]);
		if (!ci_get_bool(SPI_tuptable->vals[i], 3))
			ci_column_add_int64(&kept, ended[2 * i + 1]);
	}
	SPI_freetuptable(SPI_tuptable);

	/* Where one of them is named or in use, all that ended in one stay. */
	ci_find_named_contacts(config, ci_column_array(&all), &kept);
	qsort(kept.values, kept.count, sizeof(Datum), compare_numbers);
	for (uint64 i = 0; i < nended; i++)
	{
		if (has_number(&kept, Int64GetDatum(ended[2 * i])))
			ci_column_add_int64(&kept, ended[2 * i + 1]);
	}
	qsort(kept.values, kept.count, sizeof(Datum), compare_numbers);
	for (int i = 0; i < candidates.count; i++)
	{
		if (has_number(&kept, candidates.values[i]))
			continue;
		ci_column_add(&going, candidates.values[i], false);
		purged++;
	}
	for (uint64 i = 0; i < nended; i++)
	{
		if (!has_number(&kept, Int64GetDatum(ended[2 * i + 1])))
			ci_column_add_int64(&going, ended[2 * i]);
	}
	if (purged == 0)
		return 0;

	values[1] = ci_column_array(&going);
	ci_run(&push_stmt, values, NULL, false);
	push = ci_get_int64(SPI_tuptable->vals[0], 1);
	SPI_freetuptable(SPI_tuptable);
	ci_forget_followed(config, values[1]);
	ci_forget_owners(config, values[1]);
	for (int i = 0; i < lengthof(delete_stmts); i++)
		ci_run(&delete_stmts[i], values, NULL, false);
	ci_add_to_counts(config->account_id, 0, -push, push - purged);
	return purged;
}

/* purge_anonymous(older_than, batch_size, account_id, purged) */
Datum
ci_purge_anonymous(PG_FUNCTION_ARGS)
{
	bool		atomic = fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic;
	int			account_id = ci_account_argument(fcinfo, 2);
	int64		batch_size = PG_ARGISNULL(1) ? 1000 : PG_GETARG_INT32(1);
	int64		last = 0;
	int64		purged = 0;
	bool		at_end = false;
	TimestampTz began_at = GetCurrentTimestamp();
	TimestampTz reported_at = began_at;
	TimestampTz before;
	Interval	nothing = {0};
	Interval	most = {0};
	TupleDesc	desc;
	Datum		result[1];
	bool		isnull[1] = {false};

	if (PG_ARGISNULL(0))
		ci_refuse(CI_INVALID, "older_than must be given", "Contacts that were seen since are kept: '1 year'.");
	if (DatumGetBool(DirectFunctionCall2(interval_lt, PG_GETARG_DATUM(0), IntervalPGetDatum(&nothing))))
		ci_refuse(CI_INVALID, "older_than must not be negative", NULL);
	most.month = 1000 * 12;
	if (DatumGetBool(DirectFunctionCall2(interval_gt, PG_GETARG_DATUM(0), IntervalPGetDatum(&most))))
		ci_refuse(CI_INVALID, "older_than must be at most 1000 years", NULL);
	if (batch_size < 1 || batch_size > MAX_BATCH)
		ci_refuse(CI_INVALID, psprintf("batch_size must be from 1 to %d", MAX_BATCH), NULL);
	before = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_mi_interval,
													 TimestampTzGetDatum(reported_at), PG_GETARG_DATUM(0)));
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	desc = BlessTupleDesc(desc);
	SPI_connect_ext(atomic ? 0 : SPI_OPT_NONATOMIC);
	while (!at_end)
	{
		int			nest_level = NewGUCNestLevel();
		int64		count;
		CiCaller	caller;
		const CiConfig *config;

		CHECK_FOR_INTERRUPTS();
		(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
		ci_become_owner(&caller);
		SPI_connect();
		config = ci_get_config(account_id);
		ci_require_1_1_tables(config);
		count = purge_batch(config, before, batch_size, &last, &at_end);
		if (purged == 0 && count > 0)
		{
			Datum		values[2] = {Int32GetDatum(config->account_id), TimestampTzGetDatum(began_at)};

			ci_run(&purged_stmt, values, NULL, false);
		}
		purged += count;
		SPI_finish();
		ci_become_caller(&caller);
		AtEOXact_GUC(true, nest_level);
		if (!atomic)
			SPI_commit();
		if (!at_end && TimestampDifferenceExceeds(reported_at, GetCurrentTimestamp(), ci_setting_report_interval * 1000))
		{
			reported_at = GetCurrentTimestamp();
			ereport(NOTICE,
					(errmsg_internal(INT64_FORMAT " contacts purged", purged), errhidestmt(true)));
		}
	}
	SPI_finish();
	result[0] = Int64GetDatum(purged);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, result, isnull)));
}
