/*-------------------------------------------------------------------------
 *
 * collect.c
 *	  Requests that come one by one and are played many at a time.
 *
 * This is what the view inbox, import() and the triggers on an application's
 * tables have in common.  A batch goes through the same pipeline as a single
 * call.  A request that cannot be used stops nobody else: it becomes a row of
 * the table rejected, or an error where that was asked for.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "collect.h"

/*
 * Large requests are played before there are batch_size of them: what they
 * take while they are played is a multiple of this.
 */
#define MAX_BATCH_BYTES ((Size) 16 * 1024 * 1024)

/* A batch of a long statement is at most so many times as large as its first. */
#define MAX_GROWTH 16

/* No more of a text that was given is kept with a rejected request. */
#define MAX_KEPT_TEXT CI_MAX_KEPT_ATTRIBUTE_BYTES

static CiStatement account_exists_stmt = {
	.sql = "SELECT 1 FROM contact_identity.account WHERE account_id OPERATOR(pg_catalog.=) $1",
	.expected = SPI_OK_SELECT,
	.nargs = 1,
	.argtypes = {INT4OID}
};

static CiStatement reject_stmt = {
	.sql = "INSERT INTO contact_identity.rejected (account_id, job, line, request, code, message,"
	" rejected_at)"
	" SELECT u.account_id, $1, u.line, u.request::pg_catalog.jsonb, u.code, u.message, $2"
	" FROM (SELECT pg_catalog.unnest($3) AS account_id, pg_catalog.unnest($4) AS line,"
	" pg_catalog.unnest($5) AS request, pg_catalog.unnest($6) AS code, pg_catalog.unnest($7) AS message) AS u",
	.expected = SPI_OK_INSERT,
	.nargs = 7,
	.argtypes = {
		INT8OID, TIMESTAMPTZOID, INT4ARRAYOID, INT8ARRAYOID, TEXTARRAYOID,
		TEXTARRAYOID, TEXTARRAYOID
	}
};

/* Rows for reject_stmt. */
typedef struct RejectedRows
{
	CiColumn	account_id,
				line,
				request,
				code,
				message;
} RejectedRows;

/* Which request an error is about. */
typedef struct LineContext
{
	const CiBatch *batch;
	int64		line;
} LineContext;

/* An empty batch; it goes with the context given. */
CiBatch *
ci_create_batch(MemoryContext parent)
{
	CiBatch    *batch = MemoryContextAllocZero(parent, sizeof(CiBatch));

	batch->context = AllocSetContextCreate(parent, "contact_identity batch", ALLOCSET_DEFAULT_SIZES);
	return batch;
}

/* Room for one more request, which the caller fills in. */
CiCollected *
ci_collect(CiBatch *batch, int64 line, int account_id)
{
	CiCollected *collected;

	if (batch->count == batch->size)
	{
		MemoryContext caller = MemoryContextSwitchTo(batch->context);

		batch->size = Max(16, batch->size * 2);
		if (batch->requests == NULL)
			batch->requests = palloc(sizeof(CiCollected) * batch->size);
		else
			batch->requests = repalloc_huge(batch->requests, sizeof(CiCollected) * batch->size);
		MemoryContextSwitchTo(caller);
	}
	collected = &batch->requests[batch->count++];
	memset(collected, 0, sizeof(CiCollected));
	collected->line = line;
	collected->account_id = account_id;
	return collected;
}

/*
 * Whether it is time to play what was collected.  What stays one transaction
 * gains nothing by many small batches, and each leaves a version of every row
 * that it writes again for the next ones to step over: there a batch is as
 * large as all before it, within bounds.
 */
bool
ci_batch_is_full(const CiBatch *batch)
{
	int64		limit = ci_setting_batch_size;

	if (batch->grows)
		limit = Max(limit, Min(batch->done, limit * MAX_GROWTH));
	return batch->count >= limit ||
		MemoryContextMemAllocated(batch->context, true) >
		MAX_BATCH_BYTES + sizeof(CiCollected) * batch->size;
}

/* Lets go of what was collected and not played. */
void
ci_forget_collected(CiBatch *batch)
{
	batch->requests = NULL;
	batch->count = batch->size = 0;
	MemoryContextReset(batch->context);
}

/* A number for a statement or job. */
int64
ci_next_job(void)
{
	return ci_next_value("jobs_job_seq");
}

/* ---- Rejected requests ---- */

/* Appends a member with a text as its value, where there is one. */
static void
append_text(StringInfo out, const char *name, const char *text)
{
	int			length = text == NULL ? 0 : (int) strlen(text);

	if (text == NULL)
		return;
	appendStringInfo(out, "%s\"%s\": ", out->len == 1 ? "" : ", ", name);
	if (length > MAX_KEPT_TEXT)
		text = pnstrdup(text, pg_mbcliplen(text, length, MAX_KEPT_TEXT));

	escape_json(out, text);
}

/* Appends a member whose value is JSON already. */
static void
append_json(StringInfo out, const char *name, const char *json)
{
	appendStringInfo(out, "%s\"%s\": %s", out->len == 1 ? "" : ", ", name, json);
}

/*
 * A request as it was given: the object that identify_batch() takes, or where
 * it could not be read its texts.
 */
static char *
describe_request(const CiCollected *collected)
{
	const CiRawRequest *raw = &collected->raw;
	const char *attributes = NULL;
	char		time[MAXDATELEN + 1];
	StringInfoData out;

	if (raw->attributes != NULL)
		attributes = !ci_json_is_kept(&raw->attributes->root) ? "\"too large\"" :
			ci_jsonb_text(raw->attributes);
	initStringInfo(&out);
	appendStringInfoChar(&out, '{');
	if (collected->error.code != CI_OK && collected->texts != NULL)
	{
		for (int i = 0; i < CI_TEXTS; i++)
		{
			if (strcmp(ci_text_names[i], "attributes") == 0 && attributes != NULL)
				append_json(&out, "attributes", attributes);
			else
				append_text(&out, ci_text_names[i], collected->texts[i]);
		}
	}
	else
	{
		append_text(&out, "source", raw->source);
		append_text(&out, "key", raw->key);
		for (int i = 0; i < raw->nidentifiers; i++)
			append_text(&out, raw->identifiers[i].kind, raw->identifiers[i].value);
		if (attributes != NULL)
			append_json(&out, "attributes", attributes);
		append_text(&out, "via", raw->via);
		if (raw->has_occurred_at)
			append_text(&out, "occurred_at",
						JsonEncodeDateTime(time, TimestampTzGetDatum(raw->occurred_at), TIMESTAMPTZOID, NULL));
		if (raw->has_contact_id)
			append_json(&out, "contact_id", psprintf(INT64_FORMAT, raw->contact_id));
		if (raw->verified)
			append_json(&out, "verified", "true");
		append_text(&out, "actor", raw->actor);
		if (raw->op != CI_OP_IDENTIFY)
			append_text(&out, "op", ci_op_name(raw->op));
	}
	appendStringInfoChar(&out, '}');
	return out.data;
}

static void
init_rejected_rows(RejectedRows *rows)
{
	ci_column_init(&rows->account_id, INT4OID);
	ci_column_init(&rows->line, INT8OID);
	ci_column_init(&rows->request, TEXTOID);
	ci_column_init(&rows->code, TEXTOID);
	ci_column_init(&rows->message, TEXTOID);
}

static void
add_rejected_row(RejectedRows *rows, const CiCollected *collected, const CiRequest *request)
{
	ci_column_add(&rows->account_id, Int32GetDatum(collected->account_id), false);
	ci_column_add_int64(&rows->line, collected->line);
	/* [10.6] Nothing is stored of what gives a suppressed value. */
	ci_column_add_text(&rows->request, request->suppressed ? "{}" : describe_request(collected));
	ci_column_add_text(&rows->code, unpack_sql_state(ci_error_sqlstate(request->error.code)));
	ci_column_add_text(&rows->message, ci_error_text(&request->error));
}

static void
write_rejected_rows(CiBatch *batch, const RejectedRows *rows)
{
	Datum		values[7];

	if (rows->line.count == 0)
		return;
	if (batch->job == 0)
		batch->job = ci_next_job();
	values[0] = Int64GetDatum(batch->job);
	values[1] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[2] = ci_column_array(&rows->account_id);
	values[3] = ci_column_array(&rows->line);
	values[4] = ci_column_array(&rows->request);
	values[5] = ci_column_array(&rows->code);
	values[6] = ci_column_array(&rows->message);
	ci_run(&reject_stmt, values, NULL, false);
}

/* ---- Playing ---- */

/* Those of one account together, in the order in which they came. */
static int
compare_accounts(const void *a, const void *b)
{
	const CiCollected *x = *(const CiCollected *const *) a;
	const CiCollected *y = *(const CiCollected *const *) b;

	if (x->account_id != y->account_id)
		return x->account_id < y->account_id ? -1 : 1;
	return x < y ? -1 : x > y;
}

/* The settings of an account, or NULL where there is no such account. */
static const CiConfig *
find_config(int account_id)
{
	Datum		account = Int32GetDatum(account_id);

	if (ci_run(&account_exists_stmt, &account, NULL, false) == 0)
		return NULL;
	return ci_get_config(account_id);
}

/* Says which request an error is about. */
static void
describe_line(void *arg)
{
	const LineContext *context = (const LineContext *) arg;

	if (context->batch->table == NULL)
		errcontext("request " INT64_FORMAT, context->line);
	else
		errcontext("row " INT64_FORMAT " of table \"%s\", attached to contact_identity",
				   context->line, context->batch->table);
}

/* Raises the error of a request. */
static void
raise_error(const CiBatch *batch, const CiCollected *collected, const CiError *error)
{
	LineContext line = {batch, collected->line};
	ErrorContextCallback context = {
		.callback = describe_line,
		.arg = &line
	};

	error_context_stack = &context;
	ci_report_error(error);
}

/* Plays requests of one account. */
static void
play_account(CiBatch *batch, CiCollected **collected, int count, RejectedRows *rejected)
{
	const CiConfig *config = find_config(collected[0]->account_id);
	CiRequest  *requests = palloc_extended(sizeof(CiRequest) * count, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	CiResult   *results = palloc_extended(sizeof(CiResult) * count, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (collected[i]->error.code != CI_OK)
			requests[i].error = collected[i]->error;
		else if (config != NULL)
			ci_prepare_request(config, &collected[i]->raw, &requests[i]);
		else
		{
			requests[i].error.code = CI_INVALID;
			requests[i].error.message = psprintf("account %d does not exist", collected[i]->account_id);
		}
		if (batch->raise && requests[i].error.code != CI_OK)
			raise_error(batch, collected[i], &requests[i].error);
	}
	if (config != NULL)
		ci_play(config, requests, results, count);
	for (int i = 0; i < count; i++)
	{
		if (requests[i].error.code == CI_OK)
			batch->outcomes[results[i].outcome]++;
		else if (batch->raise)
			raise_error(batch, collected[i], &requests[i].error);
		else
		{
			batch->rejected++;
			add_rejected_row(rejected, collected[i], &requests[i]);
		}
		batch->done++;
		if (batch->played != NULL)
			batch->played(batch->played_arg, collected[i], &requests[i], &results[i]);
	}
}

/*
 * Plays what was collected.  The context of errors is left out meanwhile: that
 * of a COPY is a line of somebody's data, and not the one that is to blame.
 */
void
ci_play_batch(CiBatch *batch)
{
	ErrorContextCallback *context = error_context_stack;
	MemoryContext outer;
	CiCollected **order;
	RejectedRows rejected;
	CiCaller	caller;

	if (batch->count == 0)
		return;
	error_context_stack = NULL;
	ci_become_owner(&caller);
	SPI_connect();
	outer = MemoryContextSwitchTo(batch->context);
	init_rejected_rows(&rejected);
	order = palloc_extended(sizeof(CiCollected *) * batch->count, MCXT_ALLOC_HUGE);
	for (int i = 0; i < batch->count; i++)
		order[i] = &batch->requests[i];
	qsort(order, batch->count, sizeof(CiCollected *), compare_accounts);
	for (int first = 0, next; first < batch->count; first = next)
	{
		for (next = first + 1; next < batch->count; next++)
		{
			if (order[next]->account_id != order[first]->account_id)
				break;
		}
		play_account(batch, &order[first], next - first, &rejected);
	}
	write_rejected_rows(batch, &rejected);
	MemoryContextSwitchTo(outer);
	SPI_finish();
	ci_become_caller(&caller);
	error_context_stack = context;
	ci_forget_collected(batch);
}

/* What became of the requests: "12 requests: 10 created, 2 rejected". */
char *
ci_describe_outcomes(const CiBatch *batch)
{
	const char *separator = ": ";
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfo(&out, INT64_FORMAT " %s", batch->done, batch->done == 1 ? "request" : "requests");
	for (int i = 0; i < lengthof(batch->outcomes); i++)
	{
		if (batch->outcomes[i] == 0)
			continue;
		appendStringInfo(&out, "%s" INT64_FORMAT " %s", separator, batch->outcomes[i], ci_outcome_name(i));
		separator = ", ";
	}
	if (batch->rejected > 0)
		appendStringInfo(&out, "%s" INT64_FORMAT " rejected", separator, batch->rejected);
	return out.data;
}
