/*-------------------------------------------------------------------------
 *
 * attribute.c
 *	  Attributes between jsonb and the working set.
 *
 * In the working set a value is its JSON text, and beside it a canonical text
 * that is equal exactly when the jsonb values are, so that nothing later needs
 * the server to compare.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/numeric.h"

#include "pipeline.h"

/* Microseconds between 1970, from which attribute_times count, and 2000. */
#define EPOCH_OFFSET \
	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

/*
 * An empty text with room for as many bytes; it grows.  There is one for each
 * value, and most are short: initStringInfo() would take a kilobyte.
 */
void
ci_init_text(StringInfo out, Size room)
{
	out->data = palloc(room);
	out->maxlen = (int) room;
	resetStringInfo(out);
}

/* Appends a scalar in canonical form. */
static void
append_scalar(StringInfo out, const JsonbValue *value)
{
	char	   *string;

	switch (value->type)
	{
		case jbvNull:
			appendStringInfoString(out, "null");
			break;
		case jbvBool:
			appendStringInfoString(out, value->val.boolean ? "true" : "false");
			break;
		case jbvNumeric:
			/* 1 and 1.0 are one number */
			appendStringInfoString(out, numeric_normalize(value->val.numeric));
			break;
		case jbvString:
			string = pnstrdup(value->val.string.val, value->val.string.len);
			escape_json(out, string);
			pfree(string);
			break;
		default:
			elog(ERROR, "unexpected jsonb value of type %d", (int) value->type);
	}
}

/* The canonical text of a jsonb value; its keys are sorted and unique already. */
char *
ci_canonical_json(const Jsonb *json)
{
	StringInfoData out;
	JsonbIterator *iterator = JsonbIteratorInit(unconstify(JsonbContainer *, &json->root));
	JsonbIteratorToken token;
	JsonbValue	value;
	bool		first = true;

	ci_init_text(&out, 64);
	while ((token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
	{
		switch (token)
		{
			case WJB_BEGIN_ARRAY:
			case WJB_BEGIN_OBJECT:
				if (!first)
					appendStringInfoChar(&out, ',');
				if (token == WJB_BEGIN_OBJECT || !value.val.array.rawScalar)
					appendStringInfoChar(&out, token == WJB_BEGIN_ARRAY ? '[' : '{');
				first = true;
				break;
			case WJB_END_ARRAY:
			case WJB_END_OBJECT:
				if (token == WJB_END_OBJECT || !value.val.array.rawScalar)
					appendStringInfoChar(&out, token == WJB_END_ARRAY ? ']' : '}');
				first = false;
				break;
			case WJB_KEY:
				if (!first)
					appendStringInfoChar(&out, ',');
				append_scalar(&out, &value);
				appendStringInfoChar(&out, ':');
				first = true;
				break;
			default:
				if (!first)
					appendStringInfoChar(&out, ',');
				append_scalar(&out, &value);
				first = false;
		}
	}
	return out.data;
}

/*
 * Whether the text of a jsonb value is, roughly, of no more than so many
 * octets, and it nests no deeper than so many arrays and objects.  This has to
 * be known before its text is made: a number in it can be ten thousand times as
 * long as what is stored of it, and reading a text takes stack for each level.
 */
static bool
json_is_within(const JsonbContainer *container, Size limit, int max_depth)
{
	JsonbIterator *iterator = JsonbIteratorInit(unconstify(JsonbContainer *, container));
	JsonbIteratorToken token;
	JsonbValue	value;
	Size		octets = 0;
	int			depth = 0;

	while (octets <= limit && (token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
	{
		if (token == WJB_BEGIN_ARRAY || token == WJB_BEGIN_OBJECT)
		{
			if (++depth > max_depth)
				return false;
			octets++;
		}
		else if (token == WJB_END_ARRAY || token == WJB_END_OBJECT)
		{
			depth--;
			octets++;
		}
		else if (value.type == jbvString)
			octets += value.val.string.len + 2;
		else if (value.type == jbvNumeric)
		{
			char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out,
																   NumericGetDatum(value.val.numeric)));

			octets += strlen(text);
			pfree(text);
		}
		else
			octets += 4;
	}
	return octets <= limit;
}

/*
 * Whether a jsonb value can be shown as it was given, where it could not be
 * stored; else it is too large or too deep even for that.
 */
bool
ci_json_is_kept(const JsonbContainer *container)
{
	return json_is_within(container, CI_MAX_KEPT_ATTRIBUTE_BYTES, 2 * CI_MAX_ATTRIBUTE_DEPTH);
}

/* A jsonb value as text. */
char *
ci_jsonb_text(const Jsonb *json)
{
	StringInfoData out;

	ci_init_text(&out, VARSIZE(json));
	return JsonbToCString(&out, unconstify(JsonbContainer *, &json->root), 0);
}

/* Fills in an attribute's value. */
static void
set_value(CiAttribute *attribute, JsonbValue *value)
{
	StringInfoData out;
	Jsonb	   *json;

	switch (value->type)
	{
		case jbvNull:
			return;
		case jbvString:
		case jbvBool:
			ci_init_text(&out, value->type == jbvBool ? 8 : value->val.string.len + 8);
			append_scalar(&out, value);
			attribute->json = attribute->canonical = out.data;
			return;
		case jbvNumeric:
			attribute->json = DatumGetCString(DirectFunctionCall1(numeric_out,
																  NumericGetDatum(value->val.numeric)));
			attribute->canonical = numeric_normalize(value->val.numeric);
			return;
		default:
			json = JsonbValueToJsonb(value);
			attribute->json = ci_jsonb_text(json);
			attribute->canonical = ci_canonical_json(json);
			pfree(json);
	}
}

/* Refuses attributes that have more octets than a contact's may; always false. */
static bool
too_large(CiError *err)
{
	err->code = CI_TOO_LARGE;
	err->message = "attributes are too large";
	err->detail = psprintf("Those of a contact have up to %d bytes in all.", CI_MAX_ATTRIBUTE_BYTES);
	return false;
}

/* Refuses attributes that nest more deeply than those of a contact may; always false. */
static bool
too_deep(CiError *err)
{
	err->code = CI_TOO_LARGE;
	err->message = "attributes nest too deeply";
	err->detail = psprintf("The value of one has up to %d arrays and objects inside each other.",
						   CI_MAX_ATTRIBUTE_DEPTH);
	return false;
}

/*
 * Reads the attributes of a request; JSON null asks to clear.  False, with the
 * error, where they cannot be used (RULES 0).
 */
bool
ci_read_attributes(const Jsonb *json, CiAttributes *attributes, CiError *err)
{
	static const CiError invalid = {.code = CI_INVALID};
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;
	Size		bytes = 0;

	*err = invalid;
	if (!JB_ROOT_IS_OBJECT(json))
	{
		err->message = "attributes must be a JSON object";
		err->hint = "Give names and values, as in {\"city\": \"Lyon\"}.";
		return false;
	}
	if (JB_ROOT_COUNT(json) > CI_MAX_ATTRIBUTES)
	{
		err->code = CI_TOO_LARGE;
		err->message = "too many attributes";
		err->detail = psprintf("A contact has up to %d.", CI_MAX_ATTRIBUTES);
		return false;
	}
	if (VARSIZE_ANY(json) > CI_MAX_KEPT_ATTRIBUTE_BYTES)
		return too_large(err);

	iterator = JsonbIteratorInit(unconstify(JsonbContainer *, &json->root));
	(void) JsonbIteratorNext(&iterator, &value, true);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) == WJB_KEY)
	{
		char	   *name = pnstrdup(value.val.string.val, value.val.string.len);
		CiAttribute *attribute;

		if (value.val.string.len == 0 || value.val.string.len > CI_MAX_ATTRIBUTE_NAME)
		{
			err->message = "name of an attribute is malformed";
			err->detail = psprintf("It must have 1 to %d octets.", CI_MAX_ATTRIBUTE_NAME);
			return false;
		}
		attribute = ci_add_attribute(attributes, name);
		(void) JsonbIteratorNext(&iterator, &value, true);
		if (value.type == jbvBinary &&
			!json_is_within(value.val.binary.data, CI_MAX_ATTRIBUTE_BYTES, CI_MAX_ATTRIBUTE_DEPTH))
			return json_is_within(value.val.binary.data, CI_MAX_ATTRIBUTE_BYTES, INT_MAX) ?
				too_deep(err) : too_large(err);
		set_value(attribute, &value);
		bytes += strlen(name) + (attribute->json == NULL ? 0 : strlen(attribute->json));
		if (bytes > CI_MAX_ATTRIBUTE_BYTES)
			return too_large(err);
	}
	Assert(token == WJB_END_OBJECT);
	err->code = CI_OK;
	return true;
}

/*
 * Enters a contact's stored attributes.  The times name every attribute, the
 * values those that are not cleared.
 */
void
ci_load_attributes(const Jsonb *values, const Jsonb *times, CiAttributes *attributes)
{
	JsonbIterator *iterator = JsonbIteratorInit(unconstify(JsonbContainer *, &times->root));
	JsonbValue	value;

	if (!JB_ROOT_IS_OBJECT(values))
		ci_report_corrupt("attributes");
	if (!JB_ROOT_IS_OBJECT(times))
		ci_report_corrupt("attribute_times");
	(void) JsonbIteratorNext(&iterator, &value, true);
	while (JsonbIteratorNext(&iterator, &value, true) == WJB_KEY)
	{
		char	   *name = pnstrdup(value.val.string.val, value.val.string.len);
		CiAttribute *attribute = ci_add_attribute(attributes, name);
		JsonbValue *stored;
		JsonbValue *item;

		/* [microseconds, source] */
		(void) JsonbIteratorNext(&iterator, &value, true);
		if (value.type != jbvBinary || !JsonContainerIsArray(value.val.binary.data))
			ci_report_corrupt("attribute_times");
		item = getIthJsonbValueFromContainer(value.val.binary.data, 0);
		if (item == NULL || item->type != jbvNumeric)
			ci_report_corrupt("attribute_times");
		attribute->at = DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(item->val.numeric))) -
			EPOCH_OFFSET;
		item = getIthJsonbValueFromContainer(value.val.binary.data, 1);
		if (item == NULL || item->type != jbvString)
			ci_report_corrupt("attribute_times");
		attribute->source = pnstrdup(item->val.string.val, item->val.string.len);

		stored = getKeyJsonValueFromContainer(unconstify(JsonbContainer *, &values->root),
											  name, (int) strlen(name), NULL);
		if (stored != NULL)
			set_value(attribute, stored);
	}
}

/* A string as JSON. */
char *
ci_json_string(const char *string)
{
	StringInfoData out;

	ci_init_text(&out, strlen(string) + 8);
	escape_json(&out, string);
	return out.data;
}

/* A contact's values, as its column has them. */
char *
ci_attributes_json(const CiAttributes *attributes)
{
	StringInfoData out;
	const char *separator = "{";

	ci_init_text(&out, 32 * (attributes->count + 1));
	for (int i = 0; i < attributes->count; i++)
	{
		if (attributes->items[i].json == NULL)
			continue;
		appendStringInfoString(&out, separator);
		escape_json(&out, attributes->items[i].name);
		appendStringInfo(&out, ":%s", attributes->items[i].json);
		separator = ",";
	}
	appendStringInfoString(&out, separator[0] == '{' ? "{}" : "}");
	return out.data;
}

/* The times and sources of a contact's attributes, cleared ones too. */
char *
ci_attribute_times_json(const CiWorld *world, const CiAttributes *attributes)
{
	StringInfoData out;
	const char *separator = "{";

	ci_init_text(&out, 32 * (attributes->count + 1));
	for (int i = 0; i < attributes->count; i++)
	{
		appendStringInfoString(&out, separator);
		escape_json(&out, attributes->items[i].name);
		appendStringInfo(&out, ":[" INT64_FORMAT ",", ci_held_time(world, attributes->items[i].at) + EPOCH_OFFSET);
		escape_json(&out, attributes->items[i].source);
		appendStringInfoChar(&out, ']');
		separator = ",";
	}
	appendStringInfoString(&out, separator[0] == '{' ? "{}" : "}");
	return out.data;
}
