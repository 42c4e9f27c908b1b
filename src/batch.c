/*-------------------------------------------------------------------------
 *
 * batch.c
 *	  Requests as jsonb: identify_batch().
 *
 * A request is an object with the argument names of identify() and "op".  What
 * cannot be read is an error of its request and stops nobody else.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "pipeline.h"

PG_FUNCTION_INFO_V1(ci_identify_batch);

/* Which operations take an argument. */
#define FOR_IDENTIFY	(1 << CI_OP_IDENTIFY)
#define FOR_CAPTURE		(1 << CI_OP_CAPTURE)
#define FOR_KEYS		(1 << CI_OP_SUBSCRIBE | 1 << CI_OP_UNSUBSCRIBE | 1 << CI_OP_LOGOUT)
#define FOR_ALL			(FOR_IDENTIFY | FOR_CAPTURE | FOR_KEYS)

typedef enum ArgumentType
{
	ARGUMENT_TEXT,
	ARGUMENT_ID,
	ARGUMENT_BOOLEAN,
	ARGUMENT_TIME,
	ARGUMENT_ATTRIBUTES,
	ARGUMENT_IDENTIFIER
} ArgumentType;

typedef struct Argument
{
	const char *name;
	ArgumentType type;
	int			ops;
	size_t		offset;			/* of a text in CiRawRequest */
} Argument;

static const Argument arguments[] = {
	{"op", ARGUMENT_TEXT, FOR_ALL, 0},
	{"source", ARGUMENT_TEXT, FOR_ALL, offsetof(CiRawRequest, source)},
	{"key", ARGUMENT_TEXT, FOR_ALL, offsetof(CiRawRequest, key)},
	{"via", ARGUMENT_TEXT, FOR_ALL, offsetof(CiRawRequest, via)},
	{"email", ARGUMENT_IDENTIFIER, FOR_IDENTIFY},
	{"phone", ARGUMENT_IDENTIFIER, FOR_IDENTIFY},
	{"ext_id", ARGUMENT_IDENTIFIER, FOR_IDENTIFY},
	{"whatsapp", ARGUMENT_IDENTIFIER, FOR_IDENTIFY},
	{"landline", ARGUMENT_IDENTIFIER, FOR_IDENTIFY},
	{"attributes", ARGUMENT_ATTRIBUTES, FOR_IDENTIFY | FOR_CAPTURE},
	{"occurred_at", ARGUMENT_TIME, FOR_IDENTIFY | FOR_CAPTURE},
	{"contact_id", ARGUMENT_ID, FOR_IDENTIFY},
	{"verified", ARGUMENT_BOOLEAN, FOR_IDENTIFY},
	{"actor", ARGUMENT_TEXT, FOR_IDENTIFY, offsetof(CiRawRequest, actor)}
};

static const struct
{
	const char *name;
	CiOp		op;
}			ops[] = {
	{"identify", CI_OP_IDENTIFY},
	{"capture", CI_OP_CAPTURE},
	{"subscribe", CI_OP_SUBSCRIBE},
	{"unsubscribe", CI_OP_UNSUBSCRIBE},
	{"logout", CI_OP_LOGOUT}
};

/* Marks a request as one that cannot be read; always false. */
static bool
refuse(CiError *error, const char *message, const char *detail)
{
	error->code = CI_INVALID;
	error->message = message;
	error->detail = detail;
	error->hint = NULL;
	return false;
}

/* A string or number as text. */
static bool
read_text(const Argument *argument, const JsonbValue *value, const char **result, CiError *error)
{
	if (value->type == jbvString)
		*result = pnstrdup(value->val.string.val, value->val.string.len);
	else if (value->type == jbvNumeric)
		*result = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
	else
		return refuse(error, psprintf("%s must be a string", argument->name), NULL);
	return true;
}

/* A number without fraction. */
static bool
read_id(const Argument *argument, const JsonbValue *value, int64 *result, CiError *error)
{
	const char *text;
	char	   *end;

	if (value->type == jbvNumeric && read_text(argument, value, &text, error))
	{
		errno = 0;
		*result = strtoi64(text, &end, 10);
		if (errno == 0 && *end == '\0')
			return true;
	}
	return refuse(error, psprintf("%s must be a whole number", argument->name), NULL);
}

/* A time as text, in any form that timestamptz takes. */
static bool
read_time(const Argument *argument, const JsonbValue *value, TimestampTz *result, CiError *error)
{
	MemoryContext context = CurrentMemoryContext;
	volatile bool ok = true;
	const char *text;

	if (value->type != jbvString || !read_text(argument, value, &text, error))
		return refuse(error, psprintf("%s must be a string", argument->name), NULL);
	PG_TRY();
	{
		*result = DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in, CStringGetDatum(text),
														  ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
	}
	PG_CATCH();
	{
		/* Reading a text takes nothing that would have to be given back. */
		if (ERRCODE_TO_CATEGORY(geterrcode()) != ERRCODE_DATA_EXCEPTION)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		ok = false;
	}
	PG_END_TRY();
	return ok || refuse(error, psprintf("%s must be a time", argument->name),
						"It must be written as in 2026-01-31 12:00:00+00.");
}

/* Puts one member of a request's object where it belongs. */
static bool
read_argument(const Argument *argument, JsonbValue *value, CiRawRequest *raw, CiError *error)
{
	switch (argument->type)
	{
		case ARGUMENT_TEXT:
			return read_text(argument, value, (const char **) ((char *) raw + argument->offset), error);
		case ARGUMENT_IDENTIFIER:
			raw->identifiers[raw->nidentifiers].kind = argument->name;
			return read_text(argument, value, &raw->identifiers[raw->nidentifiers++].value, error);
		case ARGUMENT_ATTRIBUTES:
			raw->attributes = JsonbValueToJsonb(value);
			return true;
		case ARGUMENT_TIME:
			raw->has_occurred_at = true;
			return read_time(argument, value, &raw->occurred_at, error);
		case ARGUMENT_ID:
			raw->has_contact_id = true;
			return read_id(argument, value, &raw->contact_id, error);
		case ARGUMENT_BOOLEAN:
			if (value->type != jbvBool)
				return refuse(error, psprintf("%s must be true or false", argument->name), NULL);
			raw->verified = value->val.boolean;
			return true;
	}
	return true;
}

/* The operation that a request's object asks for. */
static bool
read_op(JsonbContainer *object, CiOp *op, CiError *error)
{
	JsonbValue *value = getKeyJsonValueFromContainer(object, "op", 2, NULL);

	*op = CI_OP_IDENTIFY;
	if (value == NULL || value->type == jbvNull)
		return true;
	for (int i = 0; value->type == jbvString && i < lengthof(ops); i++)
	{
		if (value->val.string.len == strlen(ops[i].name) &&
			memcmp(value->val.string.val, ops[i].name, value->val.string.len) == 0)
		{
			*op = ops[i].op;
			return true;
		}
	}
	return refuse(error, "op does not exist",
				  "It must be identify, capture, subscribe, unsubscribe or logout.");
}

/*
 * Reads a request from an object.  False, with the error, where it cannot be
 * read; a member that is null counts as not given.
 */
bool
ci_read_request(JsonbContainer *object, CiRawRequest *raw, CiError *error)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;

	memset(raw, 0, sizeof(CiRawRequest));
	if (!read_op(object, &raw->op, error))
		return false;
	iterator = JsonbIteratorInit(object);
	(void) JsonbIteratorNext(&iterator, &value, true);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) == WJB_KEY)
	{
		const Argument *argument = NULL;

		for (int i = 0; argument == NULL && i < lengthof(arguments); i++)
		{
			if (value.val.string.len == strlen(arguments[i].name) &&
				memcmp(value.val.string.val, arguments[i].name, value.val.string.len) == 0)
				argument = &arguments[i];
		}
		(void) JsonbIteratorNext(&iterator, &value, true);
		if (argument == NULL)
			return refuse(error, "request has an argument that does not exist",
						  "Names are those of the arguments of identify(), and op.");
		if ((argument->ops & (1 << raw->op)) == 0)
			return refuse(error, psprintf("this op takes no %s", argument->name), NULL);
		if (value.type != jbvNull && strcmp(argument->name, "op") != 0 &&
			!read_argument(argument, &value, raw, error))
			return false;
	}
	return true;
}

/* identify_batch(requests, account_id) */
Datum
ci_identify_batch(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = (ReturnSetInfo *) fcinfo->resultinfo;
	Jsonb	   *json = PG_ARGISNULL(0) ? NULL : PG_GETARG_JSONB_P(0);
	CiCall		call;
	CiRequest  *requests;
	CiResult   *results;
	JsonbIterator *iterator;
	JsonbValue	value;
	int			count;

	InitMaterializedSRF(fcinfo, 0);
	if (json == NULL || !JB_ROOT_IS_ARRAY(json) || JB_ROOT_IS_SCALAR(json))
		ci_refuse(CI_INVALID, "requests must be a JSON array of objects", NULL);
	ci_begin_call(&call, fcinfo, 1);
	count = JB_ROOT_COUNT(json);
	requests = palloc_extended(sizeof(CiRequest) * Max(1, count), MCXT_ALLOC_HUGE);
	results = palloc_extended(sizeof(CiResult) * Max(1, count), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	iterator = JsonbIteratorInit(&json->root);
	(void) JsonbIteratorNext(&iterator, &value, true);
	for (int i = 0; i < count; i++)
	{
		CiRawRequest raw;
		CiError		error = {0};

		CHECK_FOR_INTERRUPTS();
		(void) JsonbIteratorNext(&iterator, &value, true);
		if (value.type != jbvBinary || !JsonContainerIsObject(value.val.binary.data))
			refuse(&error, "request must be a JSON object", NULL);
		else if (ci_read_request(value.val.binary.data, &raw, &error))
		{
			ci_prepare_request(call.config, &raw, &requests[i]);
			continue;
		}
		memset(&requests[i], 0, sizeof(CiRequest));
		requests[i].error = error;
	}
	ci_play(call.config, requests, results, count);
	ci_end_call(&call);
	for (int i = 0; i < count; i++)
	{
		Datum		values[CI_RESULT_COLUMNS];
		bool		nulls[CI_RESULT_COLUMNS];

		ci_result_row(i + 1, &requests[i], &results[i], values, nulls);
		tuplestore_putvalues(set->setResult, set->setDesc, values, nulls);
	}
	MemoryContextDelete(call.context);
	return (Datum) 0;
}
