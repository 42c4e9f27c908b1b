/*-------------------------------------------------------------------------
 *
 * functions.c
 *	  The writing functions of SQL: each is a list of one request.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "pipeline.h"

PG_FUNCTION_INFO_V1(ci_capture);
PG_FUNCTION_INFO_V1(ci_identify);
PG_FUNCTION_INFO_V1(ci_subscribe);
PG_FUNCTION_INFO_V1(ci_unsubscribe);
PG_FUNCTION_INFO_V1(ci_logout);
PG_FUNCTION_INFO_V1(ci_promote);
PG_FUNCTION_INFO_V1(ci_dismiss);
PG_FUNCTION_INFO_V1(ci_merge);
PG_FUNCTION_INFO_V1(ci_undo_merge);
PG_FUNCTION_INFO_V1(ci_distinguish);
PG_FUNCTION_INFO_V1(ci_block);
PG_FUNCTION_INFO_V1(ci_unblock);
PG_FUNCTION_INFO_V1(ci_add_to_list);
PG_FUNCTION_INFO_V1(ci_remove_from_list);
PG_FUNCTION_INFO_V1(ci_normalize);
PG_FUNCTION_INFO_V1(ci_create_account);

/* A call with its one request. */
typedef struct Call
{
	CiCall		common;
	CiRequest	request;
	CiResult	result;
} Call;

/* A text argument, or NULL. */
static const char *
text_argument(FunctionCallInfo fcinfo, int argno)
{
	return PG_ARGISNULL(argno) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(argno));
}

/*
 * Opens a call on an account.  From here to ci_end_call memory is the call's
 * and statements are the owner's.
 */
void
ci_begin_call(CiCall *call, int account_id)
{
	call->row_context = CurrentMemoryContext;
	call->context = AllocSetContextCreate(CurrentMemoryContext, "contact_identity call",
										  ALLOCSET_DEFAULT_SIZES);
	ci_become_owner(&call->caller);
	SPI_connect();
	call->outer = MemoryContextSwitchTo(call->context);
	call->config = ci_get_config(account_id);
}

/* Closes a call.  What it made is there until its context is deleted. */
void
ci_end_call(CiCall *call)
{
	MemoryContextSwitchTo(call->outer);
	SPI_finish();
	ci_become_caller(&call->caller);
}

/* Plays one request; its error is raised. */
static void
play(Call *call, const CiRawRequest *raw)
{
	ci_prepare_request(call->common.config, raw, &call->request);
	if (call->request.error.code == CI_OK)
		ci_play(call->common.config, &call->request, &call->result, 1);
	if (call->request.error.code != CI_OK)
		ci_report_error(&call->request.error);
}

/* Ends a call whose answer is whether it changed anything. */
static Datum
return_changed(Call *call)
{
	bool		changed = call->result.outcome != CI_OUTCOME_UNCHANGED;

	ci_end_call(&call->common);
	MemoryContextDelete(call->common.context);
	PG_RETURN_BOOL(changed);
}

/* The columns of identify_result (RULES 4.17). */
void
ci_result_row(int number, const CiRequest *request, const CiResult *result,
			  Datum *values, bool *nulls)
{
	bool		failed = request->error.code != CI_OK;
	CiColumn	conflicts;
	CiColumn	ignored;

	memset(nulls, failed, sizeof(bool) * CI_RESULT_COLUMNS);
	memset(values, 0, sizeof(Datum) * CI_RESULT_COLUMNS);
	values[0] = Int32GetDatum(number);
	nulls[0] = false;
	nulls[6] = !failed;
	if (failed)
	{
		values[6] = CStringGetTextDatum(psprintf("%s: %s",
												 unpack_sql_state(ci_error_sqlstate(request->error.code)),
												 ci_error_text(&request->error)));
		return;
	}
	ci_column_init(&conflicts, INT8OID);
	ci_column_init(&ignored, TEXTOID);
	for (int i = 0; i < result->nconflicts; i++)
		ci_column_add_int64(&conflicts, result->conflicts[i]->id);
	for (int i = 0; i < result->nignored; i++)
		ci_column_add_text(&ignored, result->ignored[i]);
	values[1] = Int64GetDatum(result->contact == NULL ? 0 : result->contact->id);
	nulls[1] = result->contact == NULL;
	values[2] = CStringGetTextDatum(ci_outcome_name(result->outcome));
	values[3] = Int64GetDatum(result->merged == NULL ? 0 : result->merged->id);
	nulls[3] = result->merged == NULL;
	values[4] = ci_column_array(&conflicts);
	values[5] = ci_column_array(&ignored);
}

/* Ends a call with its result row. */
static Datum
return_result(Call *call, FunctionCallInfo fcinfo)
{
	TupleDesc	desc;
	Datum		values[CI_RESULT_COLUMNS];
	bool		nulls[CI_RESULT_COLUMNS];
	HeapTuple	tuple;

	ci_end_call(&call->common);
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	ci_result_row(1, &call->request, &call->result, values, nulls);
	tuple = heap_form_tuple(BlessTupleDesc(desc), values, nulls);
	MemoryContextDelete(call->common.context);
	PG_RETURN_DATUM(HeapTupleGetDatum(tuple));
}

/* capture(source, key, attributes, via, occurred_at, account_id) */
Datum
ci_capture(PG_FUNCTION_ARGS)
{
	CiRawRequest raw = {.op = CI_OP_CAPTURE};
	Call		call;
	int64		contact_id;

	ci_begin_call(&call.common, ci_account_argument(fcinfo, 5));
	raw.source = text_argument(fcinfo, 0);
	raw.key = text_argument(fcinfo, 1);
	raw.attributes = PG_ARGISNULL(2) ? NULL : PG_GETARG_JSONB_P(2);
	raw.via = text_argument(fcinfo, 3);
	raw.has_occurred_at = !PG_ARGISNULL(4);
	raw.occurred_at = raw.has_occurred_at ? PG_GETARG_TIMESTAMPTZ(4) : 0;
	play(&call, &raw);
	contact_id = call.result.contact->id;
	ci_end_call(&call.common);
	MemoryContextDelete(call.common.context);
	PG_RETURN_INT64(contact_id);
}

/* Reads the arguments of identify() but the last. */
void
ci_read_identify(FunctionCallInfo fcinfo, CiRawRequest *raw)
{
	static const char *const kinds[] = {"email", "phone", "ext_id", "whatsapp", "landline"};

	raw->source = text_argument(fcinfo, 0);
	raw->key = text_argument(fcinfo, 1);
	for (int i = 0; i < lengthof(kinds); i++)
	{
		raw->identifiers[i].kind = kinds[i];
		raw->identifiers[i].value = text_argument(fcinfo, 2 + i);
	}
	raw->nidentifiers = lengthof(kinds);
	raw->attributes = PG_ARGISNULL(7) ? NULL : PG_GETARG_JSONB_P(7);
	raw->via = text_argument(fcinfo, 8);
	raw->has_occurred_at = !PG_ARGISNULL(9);
	raw->occurred_at = raw->has_occurred_at ? PG_GETARG_TIMESTAMPTZ(9) : 0;
	raw->has_contact_id = !PG_ARGISNULL(10);
	raw->contact_id = raw->has_contact_id ? PG_GETARG_INT64(10) : 0;
	raw->verified = !PG_ARGISNULL(11) && PG_GETARG_BOOL(11);
	raw->actor = text_argument(fcinfo, 12);
}

/*
 * identify(source, key, email, phone, ext_id, whatsapp, landline, attributes,
 * via, occurred_at, contact_id, verified, actor, account_id)
 */
Datum
ci_identify(PG_FUNCTION_ARGS)
{
	CiRawRequest raw = {.op = CI_OP_IDENTIFY};
	Call		call;

	ci_begin_call(&call.common, ci_account_argument(fcinfo, 13));
	ci_read_identify(fcinfo, &raw);
	play(&call, &raw);
	return return_result(&call, fcinfo);
}

/* subscribe, unsubscribe and logout (source, key, via, account_id) */
static Datum
change_key(FunctionCallInfo fcinfo, CiOp op)
{
	CiRawRequest raw = {.op = op};
	Call		call;

	ci_begin_call(&call.common, ci_account_argument(fcinfo, 3));
	raw.source = text_argument(fcinfo, 0);
	raw.key = text_argument(fcinfo, 1);
	raw.via = text_argument(fcinfo, 2);
	play(&call, &raw);
	return return_changed(&call);
}

Datum
ci_subscribe(PG_FUNCTION_ARGS)
{
	return change_key(fcinfo, CI_OP_SUBSCRIBE);
}

Datum
ci_unsubscribe(PG_FUNCTION_ARGS)
{
	return change_key(fcinfo, CI_OP_UNSUBSCRIBE);
}

Datum
ci_logout(PG_FUNCTION_ARGS)
{
	return change_key(fcinfo, CI_OP_LOGOUT);
}

/* promote(conflict_id, agent, customer_confirmed, account_id) */
Datum
ci_promote(PG_FUNCTION_ARGS)
{
	CiRawRequest raw = {.op = CI_OP_PROMOTE};
	Call		call;

	ci_begin_call(&call.common, ci_account_argument(fcinfo, 3));
	raw.has_conflict_id = !PG_ARGISNULL(0);
	raw.conflict_id = raw.has_conflict_id ? PG_GETARG_INT64(0) : 0;
	raw.actor = text_argument(fcinfo, 1);
	raw.confirmed = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
	play(&call, &raw);
	return return_changed(&call);
}

/* dismiss(conflict_id, agent, account_id) */
Datum
ci_dismiss(PG_FUNCTION_ARGS)
{
	CiRawRequest raw = {.op = CI_OP_DISMISS};
	Call		call;

	ci_begin_call(&call.common, ci_account_argument(fcinfo, 2));
	raw.has_conflict_id = !PG_ARGISNULL(0);
	raw.conflict_id = raw.has_conflict_id ? PG_GETARG_INT64(0) : 0;
	raw.actor = text_argument(fcinfo, 1);
	play(&call, &raw);
	return return_changed(&call);
}

/* Reads the arguments of merge() but the last. */
void
ci_read_merge(FunctionCallInfo fcinfo, CiRawRequest *raw)
{
	raw->has_contact_id = !PG_ARGISNULL(0);
	raw->contact_id = raw->has_contact_id ? PG_GETARG_INT64(0) : 0;
	raw->has_loser_id = !PG_ARGISNULL(1);
	raw->loser_id = raw->has_loser_id ? PG_GETARG_INT64(1) : 0;
	raw->actor = text_argument(fcinfo, 2);
	raw->newer_wins = !PG_ARGISNULL(3) && PG_GETARG_BOOL(3);
}

/* merge(survivor, loser, agent, newer_wins, account_id) */
Datum
ci_merge(PG_FUNCTION_ARGS)
{
	CiRawRequest raw = {.op = CI_OP_MERGE};
	Call		call;

	ci_begin_call(&call.common, ci_account_argument(fcinfo, 4));
	ci_read_merge(fcinfo, &raw);
	play(&call, &raw);
	return return_result(&call, fcinfo);
}

/* unmerge(loser, agent, account_id) */
Datum
ci_undo_merge(PG_FUNCTION_ARGS)
{
	CiRawRequest raw = {.op = CI_OP_UNMERGE};
	Call		call;

	ci_begin_call(&call.common, ci_account_argument(fcinfo, 2));
	ci_require_1_1_tables(call.common.config);
	raw.has_contact_id = !PG_ARGISNULL(0);
	raw.contact_id = raw.has_contact_id ? PG_GETARG_INT64(0) : 0;
	raw.actor = text_argument(fcinfo, 1);
	play(&call, &raw);
	return return_result(&call, fcinfo);
}

/* set_distinct(a, b, agent, lifted, account_id) */
Datum
ci_distinguish(PG_FUNCTION_ARGS)
{
	CiRawRequest raw = {.op = CI_OP_SET_DISTINCT};
	Call		call;

	ci_begin_call(&call.common, ci_account_argument(fcinfo, 4));
	ci_require_1_1_tables(call.common.config);
	raw.has_contact_id = !PG_ARGISNULL(0);
	raw.contact_id = raw.has_contact_id ? PG_GETARG_INT64(0) : 0;
	raw.has_loser_id = !PG_ARGISNULL(1);
	raw.loser_id = raw.has_loser_id ? PG_GETARG_INT64(1) : 0;
	raw.actor = text_argument(fcinfo, 2);
	raw.lifted = !PG_ARGISNULL(3) && PG_GETARG_BOOL(3);
	play(&call, &raw);
	return return_changed(&call);
}

/* (contact_id, channel or list, actor, account_id) */
static Datum
change_reach(FunctionCallInfo fcinfo, CiOp op)
{
	CiRawRequest raw = {.op = op};
	Call		call;

	ci_begin_call(&call.common, ci_account_argument(fcinfo, 3));
	raw.has_contact_id = !PG_ARGISNULL(0);
	raw.contact_id = raw.has_contact_id ? PG_GETARG_INT64(0) : 0;
	raw.channel = raw.list = text_argument(fcinfo, 1);
	raw.actor = text_argument(fcinfo, 2);
	play(&call, &raw);
	return return_changed(&call);
}

Datum
ci_block(PG_FUNCTION_ARGS)
{
	return change_reach(fcinfo, CI_OP_BLOCK);
}

Datum
ci_unblock(PG_FUNCTION_ARGS)
{
	return change_reach(fcinfo, CI_OP_UNBLOCK);
}

Datum
ci_add_to_list(PG_FUNCTION_ARGS)
{
	return change_reach(fcinfo, CI_OP_ADD_TO_LIST);
}

Datum
ci_remove_from_list(PG_FUNCTION_ARGS)
{
	return change_reach(fcinfo, CI_OP_REMOVE_FROM_LIST);
}

/* normalize(kind, value, account_id) */
Datum
ci_normalize(PG_FUNCTION_ARGS)
{
	CiNormalized normalized;
	const CiKind *kind;
	CiError		error;
	CiCall		call;
	const char *name;
	text	   *result;

	ci_begin_call(&call, ci_account_argument(fcinfo, 2));
	name = text_argument(fcinfo, 0);
	kind = name == NULL ? NULL : ci_find_kind(call.config, name);
	if (kind == NULL)
		ci_refuse(CI_INVALID, "kind of identifier does not exist",
				  "The kinds of an account are in contact_identity.identifier_kind.");
	if (!PG_ARGISNULL(1) &&
		!ci_normalize_identifier(call.config, kind, text_argument(fcinfo, 1), &normalized, &error))
		ci_report_error(&error);
	ci_end_call(&call);
	result = PG_ARGISNULL(1) ? NULL : cstring_to_text(normalized.value);
	MemoryContextDelete(call.context);
	if (result == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(result);
}

/* ---- create_account ---- */

/* The built-in rows of RULES 0, in the order in which they refer to each other. */
static CiStatement account_stmts[] = {
	{
		.sql = "INSERT INTO contact_identity.account (account_id, name) VALUES ($1, $2)",
		.expected = SPI_OK_INSERT,
		.nargs = 3,
		.argtypes = {INT4OID, TEXTOID, TEXTARRAYOID}
	},
	{
		.sql = "INSERT INTO contact_identity.identifier_kind"
		" (account_id, kind, identifying, strength, normalizer, max_octets, channel) VALUES"
		" ($1, 'ext_id', true, 1, 'exact', 255, NULL),"
		" ($1, 'email', true, 2, 'email', 254, 'email'),"
		" ($1, 'phone', true, 3, 'phone', 32, 'sms'),"
		" ($1, 'whatsapp', true, 4, 'phone', 32, 'whatsapp'),"
		" ($1, 'landline', true, 5, 'phone', 32, NULL),"
		" ($1, 'visitor', false, NULL, 'exact', 2000, NULL),"
		" ($1, 'facebook', false, NULL, 'exact', 2000, NULL),"
		" ($1, 'instagram', false, NULL, 'exact', 2000, NULL),"
		" ($1, 'whatsapp_chat', false, NULL, 'exact', 2000, NULL),"
		" ($1, 'push', false, NULL, 'exact', 2000, 'push')",
		.expected = SPI_OK_INSERT,
		.nargs = 3,
		.argtypes = {INT4OID, TEXTOID, TEXTARRAYOID}
	},
	{
		.sql = "WITH l AS (INSERT INTO contact_identity.list (account_id, name)"
		" VALUES ($1, 'Contacts active in Conversations') RETURNING list_id)"
		" INSERT INTO contact_identity.source"
		" (account_id, source, key_kind, makes, same_value, other_contact, mode, default_list)"
		" SELECT $1, 'conversations', 'visitor', 'conversations', 'primary_wins', 'conflict', 'claim', l.list_id"
		" FROM l UNION ALL VALUES"
		" ($1, 'push', 'push', 'push', 'last_update_wins', 'move', 'login', NULL::pg_catalog.int4),"
		" ($1, 'shop', NULL, NULL, 'last_update_wins', 'move', 'login', NULL),"
		" ($1, 'api', NULL, NULL, 'last_update_wins', 'refuse', 'login', NULL)",
		.expected = SPI_OK_INSERT,
		.nargs = 3,
		.argtypes = {INT4OID, TEXTOID, TEXTARRAYOID}
	},
	{
		.sql = "INSERT INTO contact_identity.source_via (account_id, source, via, kind) VALUES"
		" ($1, 'conversations', 'contact_form', 'visitor'), ($1, 'conversations', 'chat', 'visitor'),"
		" ($1, 'conversations', 'facebook', 'facebook'), ($1, 'conversations', 'instagram', 'instagram'),"
		" ($1, 'conversations', 'whatsapp', 'whatsapp_chat')",
		.expected = SPI_OK_INSERT,
		.nargs = 3,
		.argtypes = {INT4OID, TEXTOID, TEXTARRAYOID}
	},
	{
		.sql = "INSERT INTO contact_identity.blocked_value (account_id, value)"
		" SELECT $1, v FROM pg_catalog.unnest($3) AS v",
		.expected = SPI_OK_INSERT,
		.nargs = 3,
		.argtypes = {INT4OID, TEXTOID, TEXTARRAYOID}
	}
};

static CiStatement account_exists_stmt = {
	.sql = "SELECT 1 FROM contact_identity.account WHERE account_id OPERATOR(pg_catalog.=) $1",
	.expected = SPI_OK_SELECT,
	.nargs = 1,
	.argtypes = {INT4OID}
};

/* create_account(account_id, name) */
Datum
ci_create_account(PG_FUNCTION_ARGS)
{
	Datum		values[3];
	CiColumn	blocked;
	CiCaller	caller;

	if (PG_ARGISNULL(0) || PG_GETARG_INT32(0) <= 0)
		ci_refuse(CI_INVALID, "account_id must be greater than 0", NULL);
	if (PG_ARGISNULL(1))
		ci_refuse(CI_INVALID, "name of the account must be given", NULL);
	if (VARSIZE_ANY_EXHDR(PG_GETARG_TEXT_PP(1)) > CI_MAX_NAME)
		ci_refuse(CI_INVALID, psprintf("name of the account must be at most %d octets long", CI_MAX_NAME), NULL);
	ci_become_owner(&caller);
	SPI_connect();
	ci_column_init(&blocked, TEXTOID);
	for (int i = 0; ci_blocked_defaults[i] != NULL; i++)
		ci_column_add_text(&blocked, ci_blocked_defaults[i]);
	values[0] = PG_GETARG_DATUM(0);
	values[1] = PG_GETARG_DATUM(1);
	values[2] = ci_column_array(&blocked);
	if (ci_run(&account_exists_stmt, values, NULL, false) > 0)
		ci_refuse(CI_TAKEN, psprintf("account %d exists already", PG_GETARG_INT32(0)), NULL);
	for (int i = 0; i < lengthof(account_stmts); i++)
		ci_run(&account_stmts[i], values, NULL, false);
	SPI_finish();
	ci_become_caller(&caller);
	PG_RETURN_VOID();
}
