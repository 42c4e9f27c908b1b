/*-------------------------------------------------------------------------
 *
 * batch.c
 *	  Requests as jsonb or as texts; identify_batch().
 *
 * A request has the arguments of identify() by name, and "op".  What cannot be
 * read is an error of its request and stops nobody else.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "collect.h"

PG_FUNCTION_INFO_V1(ci_identify_batch);

/*
 * All requests of a batch are in memory at once, some 7 kB for each: jsonb could
 * hold so many that the server would run out of it.
 */
#define MAX_REQUESTS 1000000

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
	ARGUMENT_IDENTIFIER,
	ARGUMENT_OP
} ArgumentType;

typedef struct Argument
{
	const char *name;
	ArgumentType type;
	int			ops;
	size_t		offset;			/* of a text in CiRawRequest */
} Argument;

/* In the order of ci_text_names. */
static const Argument arguments[] = {
	{"source", ARGUMENT_TEXT, FOR_ALL, offsetof(CiRawRequest, source)},
	{"key", ARGUMENT_TEXT, FOR_ALL, offsetof(CiRawRequest, key)},
	{"email", ARGUMENT_IDENTIFIER, FOR_IDENTIFY},
	{"phone", ARGUMENT_IDENTIFIER, FOR_IDENTIFY},
	{"ext_id", ARGUMENT_IDENTIFIER, FOR_IDENTIFY},
	{"whatsapp", ARGUMENT_IDENTIFIER, FOR_IDENTIFY},
	{"landline", ARGUMENT_IDENTIFIER, FOR_IDENTIFY},
	{"attributes", ARGUMENT_ATTRIBUTES, FOR_IDENTIFY | FOR_CAPTURE},
	{"via", ARGUMENT_TEXT, FOR_ALL, offsetof(CiRawRequest, via)},
	{"occurred_at", ARGUMENT_TIME, FOR_IDENTIFY | FOR_CAPTURE},
	{"contact_id", ARGUMENT_ID, FOR_IDENTIFY},
	{"verified", ARGUMENT_BOOLEAN, FOR_IDENTIFY},
	{"actor", ARGUMENT_TEXT, FOR_IDENTIFY, offsetof(CiRawRequest, actor)},
	{"op", ARGUMENT_OP, FOR_ALL}
};

/* The columns of the view inbox. */
const char *const ci_text_names[CI_TEXTS] = {
	"source", "key", "email", "phone", "ext_id", "whatsapp", "landline", "attributes", "via",
	"occurred_at", "contact_id", "verified", "actor", "op", "account_id"
};

StaticAssertDecl(lengthof(arguments) == CI_TEXT_ACCOUNT, "account_id is the last");

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

/*
 * Reads a text with the input function of a type.  False where it is none of
 * the type's; the function must be one that only looks at its text.
 */
bool
ci_read_softly(PGFunction input, const char *text, Datum *result)
{
	MemoryContext context = CurrentMemoryContext;
	volatile bool ok = true;

	PG_TRY();
	{
		*result = DirectFunctionCall3(input, CStringGetDatum(text),
									  ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	}
	PG_CATCH();
	{
		int			category = ERRCODE_TO_CATEGORY(geterrcode());

		/* Reading a text takes nothing that would have to be given back. */
		if (category != ERRCODE_DATA_EXCEPTION && category != ERRCODE_PROGRAM_LIMIT_EXCEEDED)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		ok = false;
	}
	PG_END_TRY();
	return ok;
}

/* A time, in any form that timestamptz takes. */
static bool
read_time(const Argument *argument, const char *text, CiRawRequest *raw, CiError *error)
{
	Datum		value;

	if (!ci_read_softly(timestamptz_in, text, &value))
		return refuse(error, psprintf("%s must be a time", argument->name),
					  "It must be written as in 2026-01-31 12:00:00+00.");
	raw->has_occurred_at = true;
	raw->occurred_at = DatumGetTimestampTz(value);
	return true;
}

/* An operation, by its name. */
static bool
read_op(const char *name, CiOp *op, CiError *error)
{
	for (int i = 0; name != NULL && i < lengthof(ops); i++)
	{
		if (strcmp(ops[i].name, name) == 0)
		{
			*op = ops[i].op;
			return true;
		}
	}
	return refuse(error, "op does not exist",
				  "It must be identify, capture, subscribe, unsubscribe or logout.");
}

/* The name of an operation that a request can ask for. */
const char *
ci_op_name(CiOp op)
{
	for (int i = 0; i < lengthof(ops); i++)
	{
		if (ops[i].op == op)
			return ops[i].name;
	}
	return NULL;
}

/* Enters an identifier. */
static bool
add_identifier(CiRawRequest *raw, const Argument *argument, const char *value)
{
	raw->identifiers[raw->nidentifiers].kind = argument->name;
	raw->identifiers[raw->nidentifiers++].value = value;
	return true;
}

/* Puts one member of a request's object where it belongs. */
static bool
read_member(const Argument *argument, JsonbValue *value, CiRawRequest *raw, CiError *error)
{
	const char *text = NULL;

	switch (argument->type)
	{
		case ARGUMENT_TEXT:
			return read_text(argument, value, (const char **) ((char *) raw + argument->offset), error);
		case ARGUMENT_IDENTIFIER:
			return read_text(argument, value, &text, error) && add_identifier(raw, argument, text);
		case ARGUMENT_ATTRIBUTES:
			raw->attributes = JsonbValueToJsonb(value);
			return true;
		case ARGUMENT_TIME:
			if (value->type != jbvString)
				return refuse(error, psprintf("%s must be a string", argument->name), NULL);
			return read_text(argument, value, &text, error) && read_time(argument, text, raw, error);
		case ARGUMENT_ID:
			raw->has_contact_id = true;
			return read_id(argument, value, &raw->contact_id, error);
		case ARGUMENT_BOOLEAN:
			if (value->type != jbvBool)
				return refuse(error, psprintf("%s must be true or false", argument->name), NULL);
			raw->verified = value->val.boolean;
			return true;
		case ARGUMENT_OP:
			break;				/* is known already */
	}
	return true;
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

	JsonbValue *op = getKeyJsonValueFromContainer(object, "op", 2, NULL);

	memset(raw, 0, sizeof(CiRawRequest));
	raw->op = CI_OP_IDENTIFY;
	if (op != NULL && op->type != jbvNull &&
		!read_op(op->type != jbvString ? NULL : pnstrdup(op->val.string.val, op->val.string.len),
				 &raw->op, error))
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
						  "Names are those of the arguments of identify(), but for account_id, and op.");
		if (value.type == jbvNull)
			continue;
		if ((argument->ops & (1 << raw->op)) == 0)
			return refuse(error, psprintf("this op takes no %s", argument->name), NULL);
		if (!read_member(argument, &value, raw, error))
			return false;
	}
	return true;
}

/* Puts one argument that is given as text where it belongs. */
static bool
read_text_argument(const Argument *argument, char *text, CiRawRequest *raw, CiError *error)
{
	Datum		value;

	switch (argument->type)
	{
		case ARGUMENT_TEXT:
			*(const char **) ((char *) raw + argument->offset) = text;

			return true;
		case ARGUMENT_IDENTIFIER:
			return add_identifier(raw, argument, text);
		case ARGUMENT_ATTRIBUTES:
			if (!ci_read_softly(jsonb_in, text, &value))
				return refuse(error, psprintf("%s must be JSON", argument->name), NULL);
			raw->attributes = DatumGetJsonbP(value);
			return true;
		case ARGUMENT_TIME:
			return read_time(argument, text, raw, error);
		case ARGUMENT_ID:
			if (!ci_read_softly(int8in, text, &value))
				return refuse(error, psprintf("%s must be a whole number", argument->name), NULL);
			raw->has_contact_id = true;
			raw->contact_id = DatumGetInt64(value);
			return true;
		case ARGUMENT_BOOLEAN:
			if (!ci_read_softly(boolin, text, &value))
				return refuse(error, psprintf("%s must be true or false", argument->name), NULL);
			raw->verified = DatumGetBool(value);
			return true;
		case ARGUMENT_OP:
			break;				/* is known already */
	}
	return true;
}

/*
 * Reads a request from texts, in the order of ci_text_names; what is NULL is
 * not given.  They and what is read must be in the batch's memory, which is
 * the current context.
 */
void
ci_read_texts(CiCollected *collected, char **texts)
{
	CiRawRequest *raw = &collected->raw;
	Datum		account;

	collected->texts = texts;

	/*
	 * COPY verifies nothing where the encoding of the client is SQL_ASCII.
	 * Such a text can be kept nowhere, not even with the rejected request.
	 */
	for (int i = 0; i < CI_TEXTS; i++)
	{
		if (texts[i] != NULL && !pg_verifymbstr(texts[i], strlen(texts[i]), true))
		{
			texts[i] = NULL;
			refuse(&collected->error, psprintf("%s must be valid UTF-8", ci_text_names[i]), NULL);
		}
	}
	if (collected->error.code != CI_OK)
		return;
	if (texts[CI_TEXT_ACCOUNT] != NULL)
	{
		if (ci_read_softly(int4in, texts[CI_TEXT_ACCOUNT], &account) && DatumGetInt32(account) > 0)
			collected->account_id = DatumGetInt32(account);
		else
		{
			refuse(&collected->error, "account_id must be a whole number greater than 0", NULL);
			return;
		}
	}
	raw->op = CI_OP_IDENTIFY;
	if (texts[CI_TEXT_OP] != NULL && !read_op(texts[CI_TEXT_OP], &raw->op, &collected->error))
		return;
	for (int i = 0; i < lengthof(arguments); i++)
	{
		if (texts[i] == NULL)
			continue;
		if ((arguments[i].ops & (1 << raw->op)) == 0)
		{
			refuse(&collected->error, psprintf("this op takes no %s", arguments[i].name), NULL);
			return;
		}
		if (!read_text_argument(&arguments[i], texts[i], raw, &collected->error))
			return;
	}
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
	ci_begin_call(&call, ci_account_argument(fcinfo, 1));
	if (json == NULL || !JB_ROOT_IS_ARRAY(json) || JB_ROOT_IS_SCALAR(json))
		ci_refuse(CI_INVALID, "requests must be a JSON array of objects", NULL);
	count = JB_ROOT_COUNT(json);
	if (count > MAX_REQUESTS)
	{
		CiError		error = {
			.code = CI_TOO_LARGE,
			.message = "too many requests",
			.detail = psprintf("A batch has up to %d.", MAX_REQUESTS),
			.hint = "Write them to the view contact_identity.inbox, which takes any number."
		};

		ci_report_error(&error);
	}
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
	for (int i = 0; i < count; i++)
	{
		Datum		values[CI_RESULT_COLUMNS];
		bool		nulls[CI_RESULT_COLUMNS];

		ci_result_row(i + 1, &requests[i], &results[i], values, nulls);
		tuplestore_putvalues(set->setResult, set->setDesc, values, nulls);
	}
	ci_end_call(&call);
	MemoryContextDelete(call.context);
	return (Datum) 0;
}
