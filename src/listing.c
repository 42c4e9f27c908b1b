/*-------------------------------------------------------------------------
 *
 * listing.c
 *	  INSERT, UPDATE and DELETE on the views contacts and all_contacts.
 *
 * Each row is a request of the source "api" that means its contact and nobody
 * else: a value of another contact is refused, and its owner named.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "pipeline.h"

PG_FUNCTION_INFO_V1(ci_write_contacts);

#define SOURCE "api"

static const char *const kind_columns[] = {"email", "phone", "ext_id", "whatsapp", "landline"};

static CiStatement row_stmt = {
	.sql = "SELECT * FROM contact_identity.all_contacts c"
	" WHERE c.account_id OPERATOR(pg_catalog.=) $1 AND c.contact_id OPERATOR(pg_catalog.=) $2",
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8OID}
};

/*
 * A column of a row of the view, which must be of the type that setup() gives
 * it: whoever owns the view may have made another one of that name.
 */
static Datum
get_column(HeapTuple row, TupleDesc desc, const char *name, Oid type, bool *isnull)
{
	int			column = SPI_fnumber(desc, name);

	if (column <= 0 || SPI_gettypeid(desc, column) != type)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("view has no column \"%s\" of type %s", name, format_type_be(type)),
				 errhint("Drop the view, and run SELECT contact_identity.setup().")));
	return heap_getattr(row, column, desc, isnull);
}

/* A text column of a row, or NULL. */
static const char *
get_text(HeapTuple row, TupleDesc desc, const char *name)
{
	bool		isnull;
	Datum		value = get_column(row, desc, name, TEXTOID, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

/* Whether a column can be written to. */
static bool
is_stored(const char *name)
{
	for (int i = 0; i < lengthof(kind_columns); i++)
	{
		if (strcmp(name, kind_columns[i]) == 0)
			return true;
	}
	return strcmp(name, "attributes") == 0;
}

/* Refuses a row that gives a column which follows from the others. */
static void
check_derived(TupleDesc desc, HeapTuple old, HeapTuple new)
{
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);
		bool		old_null = true;
		bool		new_null;
		Datum		old_value = old == NULL ? (Datum) 0 : heap_getattr(old, i + 1, desc, &old_null);
		Datum		new_value = heap_getattr(new, i + 1, desc, &new_null);

		if (column->attisdropped || is_stored(NameStr(column->attname)) ||
			(old == NULL && strcmp(NameStr(column->attname), "account_id") == 0) ||
			(old_null && new_null) ||
			(!old_null && !new_null &&
			 datum_image_eq(old_value, new_value, column->attbyval, column->attlen)))
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_GENERATED_ALWAYS),
				 errmsg("column \"%s\" is derived and cannot be written to", NameStr(column->attname)),
				 errhint("Write to email, phone, ext_id, whatsapp, landline and attributes."),
				 errhidestmt(true)));
	}
}

/* Appends a member to a JSON object that is being written. */
static void
append_member(StringInfo out, const char *name, const char *json)
{
	appendStringInfoString(out, out->len == 0 ? "{" : ",");
	escape_json(out, name);
	appendStringInfo(out, ":%s", json == NULL ? "null" : json);
}

/* The attributes of a row as they are read. */
static CiAttributes
read_attributes(HeapTuple row, TupleDesc desc)
{
	CiAttributes attributes = {0};
	CiError		error;
	bool		isnull;
	Datum		value = get_column(row, desc, "attributes", JSONBOID, &isnull);

	if (!isnull && !ci_read_attributes(DatumGetJsonbP(value), &attributes, &error))
		ci_report_error(&error);
	return attributes;
}

/* What a row changes of the attributes, or NULL; null clears. */
static const Jsonb *
changed_attributes(TupleDesc desc, HeapTuple old, HeapTuple new)
{
	CiAttributes before = {0};
	CiAttributes after = read_attributes(new, desc);
	StringInfoData out;

	if (old != NULL)
		before = read_attributes(old, desc);
	initStringInfo(&out);
	for (int i = 0; i < after.count; i++)
	{
		const CiAttribute *item = &after.items[i];
		const CiAttribute *was = ci_find_attribute(&before, item->name);

		if (was == NULL ? item->json != NULL :
			item->json == NULL || strcmp(was->canonical, item->canonical) != 0)
			append_member(&out, item->name, item->json);
	}
	for (int i = 0; i < before.count; i++)
	{
		if (ci_find_attribute(&after, before.items[i].name) == NULL)
			append_member(&out, before.items[i].name, NULL);
	}
	if (out.len == 0)
		return NULL;
	appendStringInfoChar(&out, '}');
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(out.data)));
}

/* The request that a row stands for.  False where it changes nothing. */
static bool
read_row(TupleDesc desc, HeapTuple old, HeapTuple new, CiRawRequest *raw)
{
	raw->op = CI_OP_IDENTIFY;
	raw->source = SOURCE;
	raw->only_contact = true;
	raw->attributes = changed_attributes(desc, old, new);
	for (int i = 0; i < lengthof(kind_columns); i++)
	{
		const char *before = old == NULL ? NULL : get_text(old, desc, kind_columns[i]);
		const char *after = get_text(new, desc, kind_columns[i]);

		if (after == NULL && before != NULL)
			raw->removed[raw->nremoved++] = kind_columns[i];
		else if (after != NULL && (before == NULL || strcmp(before, after) != 0))
		{
			raw->identifiers[raw->nidentifiers].kind = kind_columns[i];
			raw->identifiers[raw->nidentifiers++].value = after;
		}
	}
	return old == NULL || raw->attributes != NULL || raw->nremoved > 0 || raw->nidentifiers > 0;
}

/* [4.11] [4.17] Says what of a row was not stored: a row has no result to say it in. */
static void
warn_ignored(const CiResult *result)
{
	for (int i = 0; i < result->nignored; i++)
		ereport(WARNING,
				(errmsg("value of \"%s\" was not stored", result->ignored[i]),
				 errhint("Where the account declares attributes, it takes those of contact_identity.attribute, with values of their types."),
				 errhidestmt(true)));
}

/* Whether two views have columns of the same types. */
static bool
same_types(TupleDesc a, TupleDesc b)
{
	if (a->natts != b->natts)
		return false;
	for (int i = 0; i < a->natts; i++)
	{
		if (TupleDescAttr(a, i)->atttypid != TupleDescAttr(b, i)->atttypid)
			return false;
	}
	return true;
}

/* The row of a contact as the view has it now, in the caller's memory. */
static HeapTuple
stored_row(const CiCall *call, TupleDesc desc, int64 contact_id, HeapTuple fallback)
{
	Datum		values[2] = {Int32GetDatum(call->config->account_id), Int64GetDatum(contact_id)};
	MemoryContext context;
	HeapTuple	result = fallback;

	if (ci_run(&row_stmt, values, NULL, false) > 0 && same_types(SPI_tuptable->tupdesc, desc))
	{
		context = MemoryContextSwitchTo(call->row_context);
		result = heap_copytuple(SPI_tuptable->vals[0]);
		MemoryContextSwitchTo(context);
	}
	SPI_freetuptable(SPI_tuptable);
	return result;
}

/* INSTEAD OF trigger of the views contacts and all_contacts. */
Datum
ci_write_contacts(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	TupleDesc	desc;
	CiRawRequest raw = {0};
	CiRequest	request;
	CiResult	result;
	CiCall		call;
	HeapTuple	old = NULL;
	HeapTuple	new = NULL;
	HeapTuple	row;
	bool		isnull;
	int			account_id;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_INSTEAD(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be called as an INSTEAD OF trigger for each row", "write_contacts")));
	if (RelationGetRelid(trigger->tg_relation) != ci_table("contacts", false) &&
		RelationGetRelid(trigger->tg_relation) != ci_table("all_contacts", false))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("this trigger is for the views contacts and all_contacts of contact_identity")));
	desc = RelationGetDescr(trigger->tg_relation);
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		new = trigger->tg_trigtuple;
	else
		old = trigger->tg_trigtuple;
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		new = trigger->tg_newtuple;

	account_id = DatumGetInt32(get_column(old != NULL ? old : new, desc, "account_id", INT4OID, &isnull));
	ci_begin_call(&call, isnull ? ci_setting_account_id : account_id);
	if (new != NULL)
		check_derived(desc, old, new);
	if (old != NULL)
	{
		raw.has_contact_id = true;
		raw.contact_id = DatumGetInt64(get_column(old, desc, "contact_id", INT8OID, &isnull));
	}
	if (new == NULL)
	{
		raw.op = CI_OP_ERASE;
		raw.only_contact = true;
	}
	else if (!read_row(desc, old, new, &raw))
	{
		ci_end_call(&call);
		MemoryContextDelete(call.context);
		return PointerGetDatum(new);
	}
	ci_prepare_request(call.config, &raw, &request);
	if (request.error.code == CI_OK)
		ci_play(call.config, &request, &result, 1);
	if (request.error.code != CI_OK)
		ci_report_error(&request.error);
	warn_ignored(&result);
	row = result.contact == NULL ? NULL : new == NULL ? old : stored_row(&call, desc, result.contact->id, new);
	ci_end_call(&call);
	MemoryContextDelete(call.context);
	return PointerGetDatum(row);
}
