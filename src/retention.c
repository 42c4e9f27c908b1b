/*-------------------------------------------------------------------------
 *
 * retention.c
 *	  purge_anonymous(): contacts that nobody has seen for long (RULES 10.7),
 *	  and purge_history(): what history need not tell any more (RULES 10.9).
 *
 * What is locked by anybody else is in use, and is left for another time: a
 * purge waits for no call, and so is in nobody's way.
 *
 * A batch of purge_anonymous() locks its contacts as rows that go: FOR UPDATE,
 * since a row with a foreign key to one waits for that, and that waits for it.
 * Who is named by an application's row is found out when the locks are held.
 * What goes with them is locked in order then, as by an erasure, which may just
 * be emptying some of it.
 *
 * purge_history() notes first from when on history will be whole, so that
 * whoever sees a row gone sees that, too.  Then the records of old merges are
 * emptied, with their contacts held as unmerge() holds them, and then rows go
 * that no question about a later time, no merge that can be undone, and no
 * erasing needs.
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
PG_FUNCTION_INFO_V1(ci_purge_history);

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

/* ---- purge_history ---- */

/* The time before which merges cannot be undone any more, and what is noted. */
static CiStatement limits_stmt = {
	.sql = "SELECT LEAST($2, $3 OPERATOR(pg_catalog.-) a.unmerge_for),"
	" COALESCE(a.history_from OPERATOR(pg_catalog.>=) $2, false)"
	" FROM contact_identity.account a WHERE a.account_id OPERATOR(pg_catalog.=) $1",
	.expected = SPI_OK_SELECT,
	.nargs = 3,
	.argtypes = {INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID}
};

/* It never goes back: what was purged once is not known of again. */
static CiStatement history_from_stmt = {
	.sql = "UPDATE contact_identity.account a SET history_from = $2"
	" WHERE a.account_id OPERATOR(pg_catalog.=) $1"
	" AND (a.history_from IS NULL OR a.history_from OPERATOR(pg_catalog.<) $2)",
	.expected = SPI_OK_UPDATE,
	.nargs = 2,
	.argtypes = {INT4OID, TIMESTAMPTZOID}
};

static CiStatement old_merges_stmt = {
	.sql = "SELECT m.merge_id, m.merged_id FROM contact_identity.merge m"
	" WHERE m.account_id OPERATOR(pg_catalog.=) $1 AND m.merge_id OPERATOR(pg_catalog.>) $3"
	" AND m.merged_at OPERATOR(pg_catalog.<) $2 AND m.detail OPERATOR(pg_catalog.<>) '{}'"
	" ORDER BY m.merge_id LIMIT $4",
	.expected = SPI_OK_SELECT,
	.nargs = 4,
	.argtypes = {INT4OID, TIMESTAMPTZOID, INT8OID, INT8OID}
};

static CiStatement hold_stmt = {
	.sql = "SELECT c.contact_id FROM contact_identity.contact c WHERE c.account_id OPERATOR(pg_catalog.=) $1"
	" AND c.contact_id OPERATOR(pg_catalog.=) ANY ($2) ORDER BY c.contact_id FOR NO KEY UPDATE SKIP LOCKED",
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID}
};

static CiStatement empty_merges_stmt = {
	.sql = "UPDATE contact_identity.merge m SET detail = '{}' WHERE m.account_id OPERATOR(pg_catalog.=) $1"
	" AND m.merge_id OPERATOR(pg_catalog.=) ANY ($2) AND m.merged_id OPERATOR(pg_catalog.=) ANY ($3)",
	.expected = SPI_OK_UPDATE,
	.nargs = 3,
	.argtypes = {INT4OID, INT8ARRAYOID, INT8ARRAYOID}
};

static CiStatement forget_rows_stmt = {
	.sql = "DELETE FROM contact_identity.followed_row r USING contact_identity.merge m"
	" WHERE r.account_id OPERATOR(pg_catalog.=) $1 AND r.merge_id OPERATOR(pg_catalog.=) ANY ($2)"
	" AND m.account_id OPERATOR(pg_catalog.=) $1 AND m.merge_id OPERATOR(pg_catalog.=) r.merge_id"
	" AND m.merged_id OPERATOR(pg_catalog.=) ANY ($3)",
	.expected = SPI_OK_DELETE,
	.nargs = 3,
	.argtypes = {INT4OID, INT8ARRAYOID, INT8ARRAYOID}
};

static CiStatement next_contacts_stmt = {
	.sql = "SELECT c.contact_id FROM contact_identity.contact c WHERE c.account_id OPERATOR(pg_catalog.=) $1"
	" AND c.contact_id OPERATOR(pg_catalog.>) $2 ORDER BY c.contact_id LIMIT $3",
	.expected = SPI_OK_SELECT,
	.nargs = 3,
	.argtypes = {INT4OID, INT8OID, INT8OID}
};

#define IS_CONFLICT(e) "pg_catalog.starts_with(" e ".event, 'conflict_')"
#define IS_VALUE(e) e ".field_type OPERATOR(pg_catalog.=) ANY ('{identifier,key}')"

/*
 * The rows of contacts that nothing needs any more.  Of those before the time
 * the newest stays that says of a contact
 *	- what an attribute, a list or a block is,
 *	- whose an identifier or a key is,
 *	- what became of a conflict, and who has it,
 *	- in which state it is, and what it had to do with another contact,
 * so that it is still said what was there at that time, what a contact ever
 * held, and with whom it exchanged values.  As yet the rest is needed of merges
 * that can be undone: all of the merge, and all that their survivors went
 * through since.
 */
static CiStatement unneeded_stmt = {
	.sql = "WITH old AS MATERIALIZED (SELECT e.event_id, e.contact_id, e.merge_id, e.conflict_id, e.other_contact_id,"
	" e.event, e.field_type, e.field, e.old_value, e.new_value FROM " CI_UNNEST("$2") " AS u (id)"
	" JOIN contact_identity.event e ON e.account_id OPERATOR(pg_catalog.=) $1"
	" AND e.contact_id OPERATOR(pg_catalog.=) u.id WHERE e.written_at OPERATOR(pg_catalog.<) $3"
	"), undoable AS MATERIALIZED (SELECT m.merge_id, m.survivor_id FROM contact_identity.merge m"
	" WHERE m.account_id OPERATOR(pg_catalog.=) $1 AND m.survivor_id OPERATOR(pg_catalog.=) ANY ($2)"
	" AND m.undone_at IS NULL AND m.detail OPERATOR(pg_catalog.<>) '{}'"
	"), since AS MATERIALIZED (SELECT u.survivor_id, pg_catalog.min(e.event_id) AS event_id"
	" FROM undoable u JOIN contact_identity.event e ON e.account_id OPERATOR(pg_catalog.=) $1"
	" AND e.contact_id OPERATOR(pg_catalog.=) u.survivor_id AND e.merge_id OPERATOR(pg_catalog.=) u.merge_id"
	" GROUP BY u.survivor_id"
	") SELECT o.event_id FROM old o EXCEPT ("
	"SELECT pg_catalog.max(o.event_id) FROM old o"
	" WHERE o.field_type OPERATOR(pg_catalog.=) ANY ('{attribute,list,block}') AND NOT " IS_CONFLICT("o")
	" GROUP BY o.contact_id, o.field_type, o.field"
	" UNION ALL SELECT pg_catalog.max(o.event_id) FROM old o"
	" CROSS JOIN LATERAL (SELECT o.old_value AS value UNION ALL SELECT o.new_value) AS v"
	" WHERE " IS_VALUE("o") " AND NOT " IS_CONFLICT("o")
	/* those of an erased contact have no value any more */
	" AND (v.value IS NOT NULL OR (o.old_value IS NULL AND o.new_value IS NULL))"
	" GROUP BY o.contact_id, o.field, v.value"
	" UNION ALL SELECT pg_catalog.max(o.event_id) FROM old o WHERE " IS_CONFLICT("o")
	" GROUP BY o.contact_id, o.conflict_id, o.event OPERATOR(pg_catalog.=) 'conflict_moved'"
	" UNION ALL SELECT pg_catalog.max(o.event_id) FROM old o WHERE o.field_type OPERATOR(pg_catalog.=) 'contact'"
	" GROUP BY o.contact_id, o.field, o.event, o.other_contact_id"
	" UNION ALL SELECT pg_catalog.max(o.event_id) FROM old o WHERE o.other_contact_id IS NOT NULL"
	" GROUP BY o.contact_id, o.other_contact_id"
	" UNION ALL SELECT o.event_id FROM old o JOIN since s ON s.survivor_id OPERATOR(pg_catalog.=) o.contact_id"
	" AND o.event_id OPERATOR(pg_catalog.>=) s.event_id"
	" UNION ALL SELECT o.event_id FROM old o JOIN contact_identity.merge m"
	" ON m.account_id OPERATOR(pg_catalog.=) $1 AND m.merge_id OPERATOR(pg_catalog.=) o.merge_id"
	" WHERE m.merged_at OPERATOR(pg_catalog.>=) $4 OR m.detail OPERATOR(pg_catalog.<>) '{}')",
	.expected = SPI_OK_SELECT,
	.nargs = 4,
	.argtypes = {INT4OID, INT8ARRAYOID, TIMESTAMPTZOID, TIMESTAMPTZOID}
};

static CiStatement delete_events_stmt = {
	.sql = "DELETE FROM contact_identity.event e USING (SELECT o.event_id FROM " CI_UNNEST("$2") " AS u (id)"
	" JOIN contact_identity.event o ON o.account_id OPERATOR(pg_catalog.=) $1"
	" AND o.event_id OPERATOR(pg_catalog.=) u.id ORDER BY o.event_id FOR UPDATE OF o SKIP LOCKED) AS g"
	" WHERE e.account_id OPERATOR(pg_catalog.=) $1 AND e.event_id OPERATOR(pg_catalog.=) g.event_id",
	.expected = SPI_OK_DELETE,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID}
};

/* ---- Both ---- */

/* A purge under way. */
typedef struct Purge
{
	TimestampTz before;			/* what is older goes */
	TimestampTz began;
	int64		batch_size;
	int64		last;			/* id that the last batch ended with */
	int64		purged;
	bool		at_end;
	int			stage;			/* of purge_history() */
	TimestampTz undo_from;		/* merges before it need not be undone */
} Purge;

/* Does the next batch, or sets at_end. */
typedef void (*PurgeBatch) (const CiConfig *config, Purge *purge);

static bool
has_number(const CiColumn *sorted, Datum number)
{
	return sorted->count > 0 &&
		bsearch(&number, sorted->values, sorted->count, sizeof(Datum), ci_compare_ids) != NULL;
}

/* Purges the next anonymous contacts. */
static void
purge_contacts(const CiConfig *config, Purge *purge)
{
	Datum		values[4] = {
		Int32GetDatum(config->account_id), TimestampTzGetDatum(purge->before), Int64GetDatum(purge->last),
		Int64GetDatum(purge->batch_size)
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

	purge->at_end = count < purge->batch_size;
	ci_column_init(&candidates, INT8OID);
	ci_column_init(&all, INT8OID);
	ci_column_init(&kept, INT8OID);
	ci_column_init(&going, INT8OID);
	for (uint64 i = 0; i < count; i++)
	{
		purge->last = ci_get_int64(SPI_tuptable->vals[i], 1);
		ci_column_add_int64(&candidates, purge->last);
		ci_column_add_int64(&all, purge->last);
	}
	SPI_freetuptable(SPI_tuptable);
	if (count == 0)
		return;

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
	ci_column_sort_ids(&kept);
	for (uint64 i = 0; i < nended; i++)
	{
		if (has_number(&kept, Int64GetDatum(ended[2 * i])))
			ci_column_add_int64(&kept, ended[2 * i + 1]);
	}
	ci_column_sort_ids(&kept);
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
		return;

	values[1] = ci_column_array(&going);
	ci_run(&push_stmt, values, NULL, false);
	push = ci_get_int64(SPI_tuptable->vals[0], 1);
	SPI_freetuptable(SPI_tuptable);
	ci_lock_rows_of(config, values[1]);
	ci_forget_followed(config, values[1]);
	ci_forget_owners(config, values[1]);
	for (int i = 0; i < lengthof(delete_stmts); i++)
		ci_run(&delete_stmts[i], values, NULL, false);
	ci_add_to_counts(config->account_id, (int64[CI_COUNTS]) {0, -push, push - purged});
	if (purge->purged == 0)
	{
		values[1] = TimestampTzGetDatum(purge->began);
		ci_run(&purged_stmt, values, NULL, false);
	}
	purge->purged += purged;
}

/* Notes up to when history is purged from now on, and what is not to be. */
static void
note_history_from(const CiConfig *config, Purge *purge)
{
	Datum		values[3] = {
		Int32GetDatum(config->account_id), TimestampTzGetDatum(purge->before), TimestampTzGetDatum(purge->began)
	};
	bool		is_noted;

	ci_run(&limits_stmt, values, NULL, false);
	purge->undo_from = ci_get_time(SPI_tuptable->vals[0], 1);
	is_noted = ci_get_bool(SPI_tuptable->vals[0], 2);
	SPI_freetuptable(SPI_tuptable);
	if (!is_noted)
		ci_run(&history_from_stmt, values, NULL, false);
}

/* Empties the records of the next old merges; true where there may be more. */
static bool
empty_merges(const CiConfig *config, Purge *purge)
{
	Datum		values[4] = {
		Int32GetDatum(config->account_id), TimestampTzGetDatum(purge->undo_from), Int64GetDatum(purge->last),
		Int64GetDatum(purge->batch_size)
	};
	uint64		count = ci_run(&old_merges_stmt, values, NULL, false);
	uint64		nheld;
	CiColumn	merges;
	CiColumn	contacts;
	CiColumn	held;

	ci_column_init(&merges, INT8OID);
	ci_column_init(&contacts, INT8OID);
	ci_column_init(&held, INT8OID);
	for (uint64 i = 0; i < count; i++)
	{
		purge->last = ci_get_int64(SPI_tuptable->vals[i], 1);
		ci_column_add_int64(&merges, purge->last);
		ci_column_add_int64(&contacts, ci_get_int64(SPI_tuptable->vals[i], 2));
	}
	SPI_freetuptable(SPI_tuptable);
	if (count == 0)
		return false;
	values[1] = ci_column_array(&contacts);
	nheld = ci_run(&hold_stmt, values, NULL, false);
	for (uint64 i = 0; i < nheld; i++)
		ci_column_add_int64(&held, ci_get_int64(SPI_tuptable->vals[i], 1));
	SPI_freetuptable(SPI_tuptable);
	values[1] = ci_column_array(&merges);
	values[2] = ci_column_array(&held);
	ci_run(&forget_rows_stmt, values, NULL, false);
	ci_run(&empty_merges_stmt, values, NULL, false);
	return count == purge->batch_size;
}

/* Purges the history of the next contacts; true where there may be more. */
static bool
purge_events(const CiConfig *config, Purge *purge)
{
	Datum		values[4] = {
		Int32GetDatum(config->account_id), Int64GetDatum(purge->last), Int64GetDatum(purge->batch_size)
	};
	uint64		count = ci_run(&next_contacts_stmt, values, NULL, false);
	uint64		nevents;
	CiColumn	contacts;
	CiColumn	events;

	ci_column_init(&contacts, INT8OID);
	ci_column_init(&events, INT8OID);
	for (uint64 i = 0; i < count; i++)
	{
		purge->last = ci_get_int64(SPI_tuptable->vals[i], 1);
		ci_column_add_int64(&contacts, purge->last);
	}
	SPI_freetuptable(SPI_tuptable);
	if (count == 0)
		return false;
	values[1] = ci_column_array(&contacts);
	values[2] = TimestampTzGetDatum(purge->before);
	values[3] = TimestampTzGetDatum(purge->undo_from);
	nevents = ci_run(&unneeded_stmt, values, NULL, false);
	for (uint64 i = 0; i < nevents; i++)
		ci_column_add_int64(&events, ci_get_int64(SPI_tuptable->vals[i], 1));
	SPI_freetuptable(SPI_tuptable);
	if (nevents > 0)
	{
		values[1] = ci_column_array(&events);
		purge->purged += ci_run(&delete_events_stmt, values, NULL, false);
	}
	return count == purge->batch_size;
}

/* Goes on with history: one stage after the other, in batches. */
static void
purge_past(const CiConfig *config, Purge *purge)
{
	bool		more = false;

	if (purge->stage == 0)
		note_history_from(config, purge);
	else if (purge->stage == 1)
		more = empty_merges(config, purge);
	else
		more = purge_events(config, purge);
	if (more)
		return;
	purge->at_end = purge->stage == 2;
	purge->stage++;
	purge->last = 0;
}

/*
 * A procedure (older_than, batch_size, account_id, purged): does batch after
 * batch and commits each, where it may.
 */
static Datum
purge_in_batches(FunctionCallInfo fcinfo, PurgeBatch do_batch, const char *what, const char *kept)
{
	bool		atomic = fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic;
	int			account_id = ci_account_argument(fcinfo, 2);
	TimestampTz reported_at = GetCurrentTimestamp();
	Purge		purge = {
		.began = reported_at,
		.batch_size = PG_ARGISNULL(1) ? 1000 : PG_GETARG_INT32(1)
	};
	Interval	nothing = {0};
	Interval	most = {0};
	TupleDesc	desc;
	Datum		result[1];
	bool		isnull[1] = {false};

	if (PG_ARGISNULL(0))
		ci_refuse(CI_INVALID, "older_than must be given", kept);
	if (DatumGetBool(DirectFunctionCall2(interval_lt, PG_GETARG_DATUM(0), IntervalPGetDatum(&nothing))))
		ci_refuse(CI_INVALID, "older_than must not be negative", NULL);
	most.month = 1000 * 12;
	if (DatumGetBool(DirectFunctionCall2(interval_gt, PG_GETARG_DATUM(0), IntervalPGetDatum(&most))))
		ci_refuse(CI_INVALID, "older_than must be at most 1000 years", NULL);
	if (purge.batch_size < 1 || purge.batch_size > MAX_BATCH)
		ci_refuse(CI_INVALID, psprintf("batch_size must be from 1 to %d", MAX_BATCH), NULL);
	purge.before = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_mi_interval,
														   TimestampTzGetDatum(purge.began), PG_GETARG_DATUM(0)));
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	desc = BlessTupleDesc(desc);
	SPI_connect_ext(atomic ? 0 : SPI_OPT_NONATOMIC);
	while (!purge.at_end)
	{
		int			nest_level = NewGUCNestLevel();
		CiCaller	caller;
		const CiConfig *config;

		CHECK_FOR_INTERRUPTS();
		(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
		ci_become_owner(&caller);
		SPI_connect();
		config = ci_get_config(account_id);
		ci_require_1_1_tables(config);
		do_batch(config, &purge);
		SPI_finish();
		ci_become_caller(&caller);
		AtEOXact_GUC(true, nest_level);
		if (!atomic)
			SPI_commit();
		if (!purge.at_end && TimestampDifferenceExceeds(reported_at, GetCurrentTimestamp(), ci_setting_report_interval * 1000))
		{
			reported_at = GetCurrentTimestamp();
			ereport(NOTICE,
					(errmsg_internal(INT64_FORMAT " %s purged", purge.purged, what), errhidestmt(true)));
		}
	}
	SPI_finish();
	result[0] = Int64GetDatum(purge.purged);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, result, isnull)));
}

/* [10.7] purge_anonymous(older_than, batch_size, account_id, purged) */
Datum
ci_purge_anonymous(PG_FUNCTION_ARGS)
{
	return purge_in_batches(fcinfo, purge_contacts, "contacts",
							"Contacts that were seen since are kept: '1 year'.");
}

/* [10.9] purge_history(older_than, batch_size, account_id, purged) */
Datum
ci_purge_history(PG_FUNCTION_ARGS)
{
	return purge_in_batches(fcinfo, purge_past, "rows of history",
							"What was written since is kept: '2 years'.");
}
