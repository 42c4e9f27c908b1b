/*-------------------------------------------------------------------------
 *
 * import.c
 *	  import(): the rows of a query as requests, committed batch by batch.
 *
 * The query is the caller's and runs with his rights; what is done with its
 * rows is the owner's.  It is run once: a cursor keeps its rows over commits,
 * as that of a loop in PL/pgSQL does.
 *
 * A job's row in the table jobs is written in the transaction of each batch,
 * with the last request_id of it, so that resuming does nothing twice.  No
 * lock is kept between batches: whoever resumes a job counts up its runs, and
 * a session that still runs it finds out with its next batch, which is then
 * rolled back.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/portal.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "collect.h"

PG_FUNCTION_INFO_V1(ci_import);
PG_FUNCTION_INFO_V1(ci_cancel_import);

/* Rows fetched at a time; they may be large. */
#define FETCH_ROWS 50

static CiStatement new_job_stmt = {
	.sql = "INSERT INTO contact_identity.jobs (account_id, job, source, query, state, role, started_at, updated_at)"
	" VALUES ($1, $2, $3, $4, 'running', $5, $6, $6)",
	.expected = SPI_OK_INSERT,
	.nargs = 6,
	.argtypes = {INT4OID, INT8OID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID}
};

static CiStatement find_job_stmt = {
	.sql = "SELECT state, role, query, source FROM contact_identity.jobs"
	" WHERE account_id OPERATOR(pg_catalog.=) $1 AND job OPERATOR(pg_catalog.=) $2",
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8OID}
};

static CiStatement resume_job_stmt = {
	.sql = "UPDATE contact_identity.jobs SET source = $3, query = $4, role = $5, updated_at = $6,"
	" state = 'running', runs = runs OPERATOR(pg_catalog.+) 1, total = NULL, ended_at = NULL, last_error = NULL"
	" WHERE account_id OPERATOR(pg_catalog.=) $1 AND job OPERATOR(pg_catalog.=) $2"
	" AND state OPERATOR(pg_catalog.<>) 'done'"
	" RETURNING runs, done, rejected, last_request_id",
	.expected = SPI_OK_UPDATE_RETURNING,
	.nargs = 6,
	.argtypes = {INT4OID, INT8OID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID}
};

/* What is null stays as it is. */
static CiStatement note_stmt = {
	.sql = "UPDATE contact_identity.jobs SET done = $4, rejected = $5,"
	" total = COALESCE($6, total), last_request_id = $7, updated_at = $8,"
	" state = COALESCE($9, state), last_error = COALESCE($10, last_error),"
	" ended_at = CASE WHEN $9 IS NULL THEN ended_at ELSE $8 END"
	" WHERE account_id OPERATOR(pg_catalog.=) $1 AND job OPERATOR(pg_catalog.=) $2"
	" AND runs OPERATOR(pg_catalog.=) $3 RETURNING state",
	.expected = SPI_OK_UPDATE_RETURNING,
	.nargs = 10,
	.argtypes = {INT4OID, INT8OID, INT4OID, INT8OID, INT8OID, INT8OID, INT8OID, TIMESTAMPTZOID, TEXTOID, TEXTOID}
};

static CiStatement cancel_stmt = {
	.sql = "UPDATE contact_identity.jobs SET state = 'cancelled', ended_at = $3"
	" WHERE account_id OPERATOR(pg_catalog.=) $1 AND job OPERATOR(pg_catalog.=) $2"
	" AND state OPERATOR(pg_catalog.=) 'running'",
	.expected = SPI_OK_UPDATE,
	.nargs = 3,
	.argtypes = {INT4OID, INT8OID, TIMESTAMPTZOID}
};

/* A job that runs. */
typedef struct Import
{
	int			account_id;
	int64		job;
	int			runs;
	const char *query;
	const char *source;
	bool		atomic;			/* may not commit */
	MemoryContext context;		/* lives as long as the call */
	SPIPlanPtr	plan;			/* of the query, its rows numbered and in
								 * order */
	Portal		portal;
	bool		held;			/* it outlives its transaction */
	CiBatch    *batch;
	int			columns[CI_TEXTS];	/* of the query, from 1; 0: it has none */
	int			request_id;
	Oid			types[CI_TEXTS];
	FmgrInfo	output[CI_TEXTS];
	bool		at_end;
	bool		cancelled;
	bool		has_last;		/* of this run or those before it */
	int64		last;			/* request_id that was played last */
	int64		collected;		/* request_id that was collected last */
	bool		has_collected;
	int64		done_before;
	int64		rejected_before;
	int64		total;			/* -1: not known yet */
	TimestampTz reported_at;
} Import;

/* ---- The job's row ---- */

/* Our statements, as whom and with the search path that all of ours have. */
typedef struct Ours
{
	CiCaller	caller;
	int			nest_level;
} Ours;

static void
begin_ours(Ours *ours)
{
	ours->nest_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	ci_become_owner(&ours->caller);
	SPI_connect();
}

static void
end_ours(const Ours *ours)
{
	SPI_finish();
	ci_become_caller(&ours->caller);
	AtEOXact_GUC(true, ours->nest_level);
}

/* Sets a text argument of a statement. */
static void
set_text(Datum *values, char *nulls, int i, const char *string)
{
	nulls[i] = string == NULL ? 'n' : ' ';
	if (string != NULL)
		values[i] = CStringGetTextDatum(string);
}

/*
 * Notes in the job's row how far it is, and how it ended where it did.  False
 * where it is not ours any more.
 */
static bool
note_progress(Import *import, const char *state, const char *error)
{
	Datum		values[10] = {
		Int32GetDatum(import->account_id), Int64GetDatum(import->job), Int32GetDatum(import->runs),
		Int64GetDatum(import->done_before + import->batch->done),
		Int64GetDatum(import->rejected_before + import->batch->rejected),
		Int64GetDatum(import->total), Int64GetDatum(import->last),
		TimestampTzGetDatum(GetCurrentTimestamp())
	};
	char		nulls[11] = "          ";
	bool		is_ours;
	Ours		ours;

	begin_ours(&ours);
	nulls[5] = import->total < 0 ? 'n' : ' ';
	nulls[6] = import->has_last ? ' ' : 'n';
	set_text(values, nulls, 8, state);
	set_text(values, nulls, 9, error);
	is_ours = ci_run(&note_stmt, values, nulls, false) > 0;
	if (is_ours)
		import->cancelled = strcmp(ci_get_text(SPI_tuptable->vals[0], 1), "cancelled") == 0;
	end_ours(&ours);
	return is_ours;
}

/* Starts a new job, or goes on with one. */
static void
start_job(Import *import, bool resume)
{
	Datum		values[6] = {Int32GetDatum(import->account_id)};
	char		nulls[7] = "      ";
	Ours		ours;
	const char *role = GetUserNameFromId(GetUserId(), false);

	begin_ours(&ours);
	if (!resume)
		import->job = ci_next_job();
	values[1] = Int64GetDatum(import->job);
	set_text(values, nulls, 2, import->source);
	set_text(values, nulls, 3, import->query);
	set_text(values, nulls, 4, role);
	values[5] = TimestampTzGetDatum(GetCurrentTimestamp());
	import->runs = 1;
	if (!resume)
		ci_run(&new_job_stmt, values, nulls, false);
	else
	{
		HeapTuple	row;

		if (ci_run(&resume_job_stmt, values, nulls, false) == 0)
			ci_refuse(CI_STATE, psprintf("job " INT64_FORMAT " is done already", import->job), NULL);
		row = SPI_tuptable->vals[0];
		import->runs = ci_get_int32(row, 1);
		import->done_before = ci_get_int64(row, 2);
		import->rejected_before = ci_get_int64(row, 3);
		(void) ci_get_datum(row, 4, INT8OID, &import->has_last);
		import->has_last = !import->has_last;
		import->last = ci_get_int64(row, 4);
	}
	end_ours(&ours);
}

/*
 * What is stored of a job that is to go on, where it is not given again.  A
 * query that somebody else has stored is not run with the caller's rights.
 */
static void
read_job(Import *import)
{
	Datum		values[2] = {Int32GetDatum(import->account_id), Int64GetDatum(import->job)};
	const char *role = GetUserNameFromId(GetUserId(), false);
	MemoryContext caller;
	HeapTuple	row;
	Ours		ours;

	begin_ours(&ours);
	if (ci_run(&find_job_stmt, values, NULL, false) == 0)
		ci_refuse(CI_NOT_FOUND, psprintf("job " INT64_FORMAT " does not exist", import->job), NULL);
	row = SPI_tuptable->vals[0];
	if (strcmp(ci_get_text(row, 1), "done") == 0)
		ci_refuse(CI_STATE, psprintf("job " INT64_FORMAT " is done already", import->job), NULL);
	if (import->query == NULL && strcmp(ci_get_text(row, 2), role) != 0)
		ci_refuse(CI_DENIED, psprintf("job " INT64_FORMAT " was started by another role", import->job),
				  "Give the query as well: it runs with your rights.");
	caller = MemoryContextSwitchTo(import->context);
	if (import->query == NULL)
		import->query = ci_get_text(row, 3);
	if (import->source == NULL)
		import->source = ci_get_optional_text(row, 4);
	MemoryContextSwitchTo(caller);
	end_ours(&ours);
}

/* ---- The query ---- */

/* The text of the query without what ends it. */
static char *
trim_query(const char *query)
{
	int			length = strlen(query);

	while (length > 0 && (query[length - 1] == ';' || strchr(" \t\r\n", query[length - 1]) != NULL))
		length--;
	return pnstrdup(query, length);
}

/* Finds out which column of the query is which argument. */
static void
read_columns(Import *import, TupleDesc desc)
{
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);
		const char *name = NameStr(column->attname);
		int text = 0;

		if (strcmp(name, "request_id") == 0)
		{
			if (column->atttypid != INT8OID && column->atttypid != INT4OID && column->atttypid != INT2OID)
				ci_refuse(CI_INVALID, "request_id must be a bigint",
						  "Where the rows have no number, take row_number() OVER (ORDER BY ...) AS request_id.");
			import->request_id = i + 1;
			import->types[CI_TEXT_ACCOUNT] = column->atttypid;
			continue;
		}
		while (text <CI_TEXT_ACCOUNT && strcmp(ci_text_names[text], name) != 0)
			text	  ++;

		if (text == CI_TEXT_ACCOUNT || import->columns[text] != 0)
			ereport(ERROR,
					(errcode(text == CI_TEXT_ACCOUNT ? ERRCODE_UNDEFINED_COLUMN : ERRCODE_DUPLICATE_COLUMN),
					 errmsg(text == CI_TEXT_ACCOUNT ? "query has a column \"%s\", which is no argument" :
							"query has more than one column \"%s\"", name),
					 errhint("Columns are request_id and those of contact_identity.inbox, but for account_id; what else there is goes into attributes, as in jsonb_build_object('%s', %s).",
							 name, quote_identifier(name))));
		import->columns[text] = i + 1;
		import->types[text] = column->atttypid;
	}
	if (import->request_id == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("query has no column \"request_id\""),
				 errdetail("It is a number that is unique and never changes: a job that was interrupted goes on after the last one."),
				 errhint("Where the rows have no number, take row_number() OVER (ORDER BY ...) AS request_id.")));
	for (int text = 0; text <CI_TEXT_ACCOUNT; text ++)
	{
		Oid			function;
		bool		varlena;

		if (import->columns[text] == 0)
			continue;
		getTypeOutputInfo(import->types[text], &function, &varlena);
		fmgr_info_cxt(function, &import->output[text], import->context);
	}
}

/*
 * Prepares the query, as the caller.  It is first looked at alone, so that its
 * errors point into the text that was given.
 */
static void
prepare_query(Import *import)
{
	SPIPlanPtr	plan = SPI_prepare(import->query, 0, NULL);
	CachedPlanSource *source;
	Oid			types[1] = {INT8OID};
	char	   *sql;

	if (plan == NULL)
		elog(ERROR, "SPI_prepare returned %s", SPI_result_code_string(SPI_result));
	source = list_length(SPI_plan_get_plan_sources(plan)) == 1 ?
		(CachedPlanSource *) linitial(SPI_plan_get_plan_sources(plan)) : NULL;
	if (source == NULL || source->resultDesc == NULL || source->commandTag != CMDTAG_SELECT)
		ci_refuse(CI_INVALID, "query must be one SELECT", NULL);
	read_columns(import, source->resultDesc);
	SPI_freeplan(plan);

	sql = psprintf("SELECT * FROM (%s\n) AS q WHERE $1 IS NULL OR q.request_id OPERATOR(pg_catalog.>) $1"
				   " ORDER BY q.request_id", trim_query(import->query));
	import->plan = SPI_prepare_cursor(sql, 1, types, CURSOR_OPT_NO_SCROLL);
	if (import->plan == NULL)
		elog(ERROR, "SPI_prepare_cursor returned %s", SPI_result_code_string(SPI_result));
}

/* Starts the query, after what was played before. */
static void
open_query(Import *import)
{
	Datum		values[1] = {Int64GetDatum(import->last)};
	char		nulls[2] = " ";

	nulls[0] = import->has_last ? ' ' : 'n';
	import->portal = SPI_cursor_open(NULL, import->plan, values, nulls, false);
	PinPortal(import->portal);
}

static void
close_query(Import *import)
{
	if (import->portal == NULL)
		return;
	UnpinPortal(import->portal);
	SPI_cursor_close(import->portal);
	import->portal = NULL;
}

/* A value as the text that its argument is read from. */
static char *
value_text(Import *import, int text, Datum value)
{
	char		buffer[MAXDATELEN + 1];

	/* Not in the session's DateStyle, which may leave the zone open. */
	if (import->types[text] == TIMESTAMPTZOID)
		return pstrdup(JsonEncodeDateTime(buffer, value, TIMESTAMPTZOID, NULL));
	return OutputFunctionCall(&import->output[text], value);
}

/* The row's number, which must be greater than that of the row before it. */
static int64
read_request_id(Import *import, HeapTuple row)
{
	bool		isnull;
	Oid			type = import->types[CI_TEXT_ACCOUNT];
	Datum		value = ci_get_datum(row, import->request_id, type, &isnull);
	int64		request_id;

	if (isnull)
		ci_refuse(CI_INVALID, "request_id must not be null", NULL);
	request_id = type == INT8OID ? DatumGetInt64(value) :
		type == INT4OID ? DatumGetInt32(value) : DatumGetInt16(value);
	if (import->has_collected && request_id <= import->collected)
		ci_refuse(CI_INVALID, psprintf("request_id " INT64_FORMAT " is there more than once", request_id),
				  "It must be unique, so that a job that was interrupted can go on after the last one.");
	import->collected = request_id;
	import->has_collected = true;
	return request_id;
}

/* Collects a row. */
static void
collect_row(Import *import, HeapTuple row)
{
	CiBatch    *batch = import->batch;
	int64		request_id = read_request_id(import, row);
	CiCollected *collected = ci_collect(batch, request_id, import->account_id);
	MemoryContext caller = MemoryContextSwitchTo(batch->context);
	char	  **texts = palloc0(sizeof(char *) * CI_TEXTS);

	for (int i = 0; i < CI_TEXT_ACCOUNT; i++)
	{
		bool		isnull = true;
		Datum		value = import->columns[i] == 0 ? (Datum) 0 :
			ci_get_datum(row, import->columns[i], import->types[i], &isnull);

		if (!isnull)
			texts[i] = value_text(import, i, value);
	}
	if (texts[CI_TEXT_SOURCE] == NULL && import->source != NULL)
		texts[CI_TEXT_SOURCE] = pstrdup(import->source);
	ci_read_texts(collected, texts);
	MemoryContextSwitchTo(caller);
}

/* ---- Steps ---- */

/* Collects and plays a batch, and notes it in the job's row. */
static void
play_batch(Import *import)
{
	Ours		ours;

	/* Rows of the query are fetched as many as fit, the rest the next time. */
	while (!import->at_end && !ci_batch_is_full(import->batch))
	{
		SPI_cursor_fetch(import->portal, true, import->batch->grows ? FETCH_ROWS :
						 Min(FETCH_ROWS, ci_setting_batch_size - import->batch->count));
		import->at_end = SPI_processed == 0;
		for (uint64 i = 0; i < SPI_processed; i++)
			collect_row(import, SPI_tuptable->vals[i]);
		SPI_freetuptable(SPI_tuptable);
		CHECK_FOR_INTERRUPTS();
	}
	begin_ours(&ours);
	ci_play_batch(import->batch);
	end_ours(&ours);
	import->last = import->collected;
	import->has_last = import->has_collected;
	if (import->at_end)
		import->total = import->done_before + import->batch->done;
	if (!note_progress(import, import->at_end ? "done" : NULL, NULL))
		ci_refuse(CI_STATE, psprintf("job " INT64_FORMAT " was resumed by another session", import->job), NULL);
}

/*
 * Takes a step.  Where the job may commit, an error of it is caught, with what
 * it did rolled back, and answered.
 */
static ErrorData *
take_step(Import *import, void (*step) (Import *))
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	Import		before = *import;
	CiBatch		batch_before = *import->batch;
	ErrorData  *volatile error = NULL;

	if (import->atomic)
	{
		step(import);
		return NULL;
	}
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		step(import);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(import->context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();

		/* Nothing of it is done; a query that it opened is gone. */
		*import = before;
		*import->batch = batch_before;
		ci_forget_collected(import->batch);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return error;
}

/* Commits.  Its error is answered: what was to be committed is rolled back. */
static ErrorData *
commit(Import *import)
{
	MemoryContext context = CurrentMemoryContext;
	ErrorData  *volatile error = NULL;

	if (import->atomic)
		return NULL;
	PG_TRY();
	{
		SPI_commit();
	}
	PG_CATCH();
	{
		/* A new transaction has begun; a query that was not held yet is gone. */
		MemoryContextSwitchTo(import->context);
		error = CopyErrorData();
		FlushErrorState();
		if (!import->held)
			import->portal = NULL;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	return error;
}

/* Ends the job early: says so in its row, and raises what ended it. */
CI_NORETURN static void
end_early(Import *import, ErrorData *error)
{
	bool		asked = error->sqlerrcode == ERRCODE_QUERY_CANCELED;

	close_query(import);
	note_progress(import, asked ? "cancelled" : "failed",
				  psprintf("%s: %s", unpack_sql_state(error->sqlerrcode), error->message));
	SPI_commit();
	ReThrowError(error);
}

/* Says how far the job is, every few seconds. */
static void
report_progress(Import *import)
{
	TimestampTz now = GetCurrentTimestamp();
	int64		rejected = import->rejected_before + import->batch->rejected;

	if (import->at_end || !TimestampDifferenceExceeds(import->reported_at, now,
													  ci_setting_report_interval * 1000))
		return;
	import->reported_at = now;
	ereport(NOTICE,
			(errmsg_internal("job " INT64_FORMAT ": " INT64_FORMAT "%s requests%s", import->job,
							 import->done_before + import->batch->done,
							 import->total < 0 ? "" : psprintf(" of " INT64_FORMAT, import->total),
							 rejected == 0 ? "" : psprintf(", " INT64_FORMAT " rejected", rejected)),
			 errhidestmt(true)));
}

/* Says how the job ended. */
static void
report_end(Import *import)
{
	CiBatch    *batch = import->batch;

	ereport(NOTICE,
			(errmsg_internal("job " INT64_FORMAT "%s: %s", import->job, import->cancelled ? " was cancelled" : "",
							 ci_describe_outcomes(batch)),
			 batch->rejected == 0 ? 0 :
			 errdetail("What was rejected is in contact_identity.rejected as job " INT64_FORMAT ".", import->job),
			 import->cancelled ? errhint("CALL contact_identity.import(job => " INT64_FORMAT ") goes on with it.",
										 import->job) : 0,
			 errhidestmt(true)));
}

/* import(query, source, job, account_id) */
Datum
ci_import(PG_FUNCTION_ARGS)
{
	Import		import = {
		.account_id = ci_account_argument(fcinfo, 3),
		.atomic = fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic,
		.total = -1
	};
	bool		resume = !PG_ARGISNULL(2);
	ErrorData  *error;
	TupleDesc	desc;
	Datum		result[1];
	bool		isnull[1] = {false};
	Ours		ours;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	desc = BlessTupleDesc(desc);
	SPI_connect_ext(import.atomic ? 0 : SPI_OPT_NONATOMIC);
	import.context = CurrentMemoryContext;
	import.query = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	import.source = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	import.job = resume ? PG_GETARG_INT64(2) : 0;
	import.batch = ci_create_batch(import.context);
	import.batch->grows = import.atomic;
	import.reported_at = GetCurrentTimestamp();
	if (import.query == NULL && !resume)
		ci_refuse(CI_INVALID, "query must be given", "To go on with a job, give its number: job => ...");

	/* What cannot be used makes no job. */
	begin_ours(&ours);
	(void) ci_get_config(import.account_id);
	end_ours(&ours);
	if (resume)
		read_job(&import);
	prepare_query(&import);
	start_job(&import, resume);
	import.batch->job = import.job;
	import.has_collected = import.has_last;
	import.collected = import.last;
	if (import.atomic)
		ereport(NOTICE,
				(errmsg("job " INT64_FORMAT " runs as one transaction", import.job),
				 errdetail("import() was called in a transaction block or function, where it cannot commit."),
				 errhidestmt(true)));

	/* The job is there for others to see, then its query is run. */
	if ((error = commit(&import)) != NULL ||
		(error = take_step(&import, open_query)) != NULL ||
		(error = commit(&import)) != NULL)
		end_early(&import, error);
	import.held = import.portal->holdStore != NULL;
	if (import.held)
		import.total = import.done_before + tuplestore_tuple_count(import.portal->holdStore);
	while (!import.at_end && !import.cancelled)
	{
		if ((error = take_step(&import, play_batch)) != NULL || (error = commit(&import)) != NULL)
			end_early(&import, error);
		report_progress(&import);
	}
	report_end(&import);
	close_query(&import);
	SPI_finish();
	result[0] = Int64GetDatum(import.job);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, result, isnull)));
}

/* cancel_import(job, account_id) */
Datum
ci_cancel_import(PG_FUNCTION_ARGS)
{
	Datum		values[3] = {
		Int32GetDatum(ci_account_argument(fcinfo, 1)), PG_GETARG_DATUM(0),
		TimestampTzGetDatum(GetCurrentTimestamp())
	};
	CiCaller	caller;
	uint64		count;

	ci_become_owner(&caller);
	SPI_connect();
	count = PG_ARGISNULL(0) ? 0 : ci_run(&cancel_stmt, values, NULL, false);
	SPI_finish();
	ci_become_caller(&caller);
	PG_RETURN_BOOL(count > 0);
}
