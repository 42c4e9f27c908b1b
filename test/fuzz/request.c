/*-------------------------------------------------------------------------
 *
 * request.c
 *	  The reader of requests and attributes as jsonb, fed with texts.
 *
 * A module that is loaded by its path and never installed: jsonb and numeric
 * are the server's, and so the reader cannot be fed without one.  It has copies
 * of the reader of its own, which tell where they get to; what else they need
 * they find in contact_identity, which must have been loaded before.
 *
 * An input is a text of JSON, or two with an empty line between them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "collect.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(fuzz_request);

extern void __sanitizer_cov_trace_pc(void);

#define MAX_OCTETS		4096	/* of what mutation makes */
#define MAX_LAST		65536	/* of the file that names the culprit */
#define KEPT			256		/* values that each new one is compared with */
#define MAX_INPUTS		20000

/* ---- Where the reader got to ---- */

#define EDGES	65536

static uint8 counts[EDGES];		/* how often, by this input */
static uint16 touched[EDGES];
static int	ntouched;
static uint8 seen[EDGES];		/* by any, a bit for each power of two */
static uint64 last_place;

void
__sanitizer_cov_trace_pc(void)
{
	uint64		place = (uint64) (uintptr_t) __builtin_return_address(0);
	uint64		edge = ((place ^ (last_place << 1)) * UINT64CONST(0x9E3779B97F4A7C15)) >> 48;

	last_place = place;
	if (counts[edge] == 0)
		touched[ntouched++] = (uint16) edge;
	if (counts[edge] < PG_UINT8_MAX)
		counts[edge]++;
}

/* Whether this input led somewhere, or as often, as none before it. */
static bool
led_somewhere_new(void)
{
	bool		result = false;

	for (int i = 0; i < ntouched; i++)
	{
		uint8		bit = 1 << pg_leftmost_one_pos32(counts[touched[i]]);

		result = result || (seen[touched[i]] & bit) == 0;
		seen[touched[i]] |= bit;
		counts[touched[i]] = 0;
	}
	ntouched = 0;
	last_place = 0;
	return result;
}

/* ---- What must hold ---- */

static const char *input;

#define promise(kept, what) \
	do { \
		if (!(kept)) \
			ereport(ERROR, (errmsg("broken: %s", what), errdetail_internal("%s", input))); \
	} while (0)

typedef struct Value
{
	Jsonb	   *json;
	char	   *canonical;
} Value;

static Value kept[KEPT];
static int	nkept;
static MemoryContext kept_context;

/* NULL: it is none. */
static Jsonb *
parse(const char *json)
{
	Datum		value;

	return ci_read_softly(jsonb_in, json, &value) ? DatumGetJsonbP(value) : NULL;
}

/* As the operator = of SQL says. */
static bool
are_equal(Jsonb *a, Jsonb *b)
{
	return DatumGetBool(DirectFunctionCall2(jsonb_eq, JsonbPGetDatum(a), JsonbPGetDatum(b)));
}

/* The value of an attribute, by the text and canonical text that were read. */
static void
check_texts(const char *json, const char *canonical, Jsonb *expected)
{
	Jsonb	   *read = parse(json);

	promise(read != NULL && are_equal(read, expected), "the text of a value is that value");
	promise(strcmp(canonical, ci_canonical_json(expected)) == 0, "a value has one canonical text");
	read = parse(canonical);
	promise(read != NULL && are_equal(read, expected), "so is its canonical text");
	promise(strcmp(ci_canonical_json(read), canonical) == 0, "which is its own");
}

static void
check_pair(const Value *a, const Value *b)
{
	promise((strcmp(a->canonical, b->canonical) == 0) == are_equal(a->json, b->json),
			"[0] canonical texts are equal exactly when jsonb says so");
}

static int
depth_of(Jsonb *json)
{
	JsonbIterator *iterator = JsonbIteratorInit(&json->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	int			depth = 0;
	int			deepest = 0;

	while ((token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
	{
		if (token == WJB_BEGIN_ARRAY || token == WJB_BEGIN_OBJECT)
		{
			depth++;
			deepest = Max(deepest, depth);
		}
		else if (token == WJB_END_ARRAY || token == WJB_END_OBJECT)
			depth--;
	}
	return deepest;
}

/* An error has words of ours alone. */
static void
check_words(const CiError *error)
{
	promise(error->message != NULL, "an error has a message");
	for (const char *c = error->message; *c != '\0'; c++)
		promise(*c >= ' ' && *c <= '~', "[9.6] a message is of plain words");
	for (const char *c = error->detail; c != NULL && *c != '\0'; c++)
		promise(*c >= ' ' && *c <= '~', "[9.6] a detail is of plain words");
}

/* As attributes. */
static void
check_attributes(Jsonb *json)
{
	CiAttributes read = {0};
	CiAttributes stored = {0};
	CiWorld		clock = {0};
	CiError		error;
	Jsonb	   *values;
	Jsonb	   *times;

	if (!ci_read_attributes(json, &read, &error))
	{
		bool		reason = !JB_ROOT_IS_OBJECT(json) || JB_ROOT_COUNT(json) > CI_MAX_ATTRIBUTES ||
			strlen(ci_jsonb_text(json)) > CI_MAX_ATTRIBUTE_BYTES || depth_of(json) - 1 > CI_MAX_ATTRIBUTE_DEPTH;

		promise(error.code == CI_INVALID || error.code == CI_TOO_LARGE, "[0] 22023 or 54000");
		check_words(&error);
		if (!reason)
		{
			JsonbIterator *iterator = JsonbIteratorInit(&json->root);
			JsonbValue	value;

			(void) JsonbIteratorNext(&iterator, &value, true);
			while (JsonbIteratorNext(&iterator, &value, true) == WJB_KEY)
			{
				reason = reason || value.val.string.len == 0 ||
					value.val.string.len > CI_MAX_ATTRIBUTE_NAME;
				(void) JsonbIteratorNext(&iterator, &value, true);
			}
		}
		promise(reason, "attributes are refused for a reason");
		return;
	}

	promise(error.code == CI_OK && JB_ROOT_IS_OBJECT(json), "[0] attributes are an object");
	promise(depth_of(json) - 1 <= CI_MAX_ATTRIBUTE_DEPTH && read.count <= CI_MAX_ATTRIBUTES,
			"and within their limits");
	promise(read.count == JB_ROOT_COUNT(json), "every attribute is read once");
	for (int i = 0; i < read.count; i++)
	{
		CiAttribute *attribute = &read.items[i];
		JsonbValue *value = getKeyJsonValueFromContainer(&json->root, attribute->name,
														 strlen(attribute->name), NULL);

		promise(value != NULL && attribute->name[0] != '\0' &&
				strlen(attribute->name) <= CI_MAX_ATTRIBUTE_NAME, "by its name");
		promise((value->type == jbvNull) == (attribute->json == NULL) &&
				(value->type == jbvNull) == (attribute->canonical == NULL), "JSON null clears");
		if (value->type != jbvNull)
			check_texts(attribute->json, attribute->canonical, JsonbValueToJsonb(value));
		attribute->at = 1000000 * (int64) i;
		attribute->source = i % 2 == 0 ? "api" : "a \"source\"\\";
	}

	/* What is written is what is read again. */
	values = parse(ci_attributes_json(&read));
	times = parse(ci_attribute_times_json(&clock, &read));
	promise(values != NULL && times != NULL, "attributes are written as JSON");
	ci_load_attributes(values, times, &stored);
	promise(stored.count == read.count, "and all of them are stored");
	for (int i = 0; i < read.count; i++)
	{
		CiAttribute *attribute = ci_find_attribute(&stored, read.items[i].name);

		promise(attribute != NULL && attribute->at == read.items[i].at &&
				strcmp(attribute->source, read.items[i].source) == 0, "with their times and sources");
		promise((attribute->json == NULL) == (read.items[i].json == NULL) &&
				(attribute->json == NULL || strcmp(attribute->canonical, read.items[i].canonical) == 0),
				"and their values");
	}
}

/* What the arguments of a request are, and which operations take them. */
static const struct
{
	const char *name;
	char		type;			/* t: text, i: identifier, and others */
	const char *ops;			/* the first letters of them */
}			arguments[] = {
	{"source", 't', "icsul"}, {"key", 't', "icsul"}, {"via", 't', "icsul"}, {"actor", 't', "i"},
	{"email", 'i', "i"}, {"phone", 'i', "i"}, {"ext_id", 'i', "i"}, {"whatsapp", 'i', "i"},
	{"landline", 'i', "i"}, {"attributes", 'a', "ic"}, {"occurred_at", 'o', "ic"},
	{"contact_id", 'n', "i"}, {"verified", 'b', "i"}, {"op", 'p', "icsul"}
};

static const char *const ops[] = {"identify", "capture", "subscribe", "unsubscribe", "logout"};

/* A member as ->> shows it; NULL: it is null, or neither string nor number. */
static char *
text_of(const JsonbValue *value)
{
	if (value->type == jbvString)
		return pnstrdup(value->val.string.val, value->val.string.len);
	if (value->type == jbvNumeric)
		return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
	return NULL;
}

/* Whether a member can be what it is for; and that it was read as that. */
static bool
check_member(char type, const char *name, JsonbValue *value, const CiRawRequest *raw)
{
	char	   *text = text_of(value);
	const char *got = NULL;
	Datum		datum;

	switch (type)
	{
		case 't':
			if (raw == NULL || text == NULL)
				return text != NULL;
			got = strcmp(name, "source") == 0 ? raw->source : strcmp(name, "key") == 0 ? raw->key :
				strcmp(name, "via") == 0 ? raw->via : raw->actor;
			promise(got != NULL && strcmp(got, text) == 0, "a text is read as ->> shows it");
			return true;
		case 'i':
			if (raw == NULL || text == NULL)
				return text != NULL;
			for (int i = 0; i < raw->nidentifiers; i++)
			{
				if (strcmp(raw->identifiers[i].kind, name) == 0)
				{
					promise(got == NULL, "an identifier is read once");
					got = raw->identifiers[i].value;
				}
			}
			promise(got != NULL && strcmp(got, text) == 0, "an identifier is read as ->> shows it");
			return true;
		case 'a':
			if (raw != NULL)
				promise(raw->attributes != NULL &&
						are_equal(unconstify(Jsonb *, raw->attributes), JsonbValueToJsonb(value)),
						"attributes are what was given");
			return true;
		case 'o':
			if (value->type != jbvString || !ci_read_softly(timestamptz_in, text, &datum))
				return false;
			if (raw != NULL)
				promise(raw->has_occurred_at && raw->occurred_at == DatumGetTimestampTz(datum),
						"a time is the one that was given");
			return true;
		case 'n':
			/* A whole number that is written as one. */
			if (value->type != jbvNumeric || strchr(text, '.') != NULL ||
				!ci_read_softly(int8in, text, &datum))
				return false;
			if (raw != NULL)
				promise(raw->has_contact_id && raw->contact_id == DatumGetInt64(datum),
						"an id is the one that was given");
			return true;
		case 'b':
			if (value->type != jbvBool)
				return false;
			if (raw != NULL)
				promise(raw->verified == value->val.boolean, "a boolean is the one that was given");
			return true;
	}
	return true;
}

/* As a request. */
static void
check_request(Jsonb *json)
{
	CiRawRequest raw;
	CiError		error = {0};
	bool		read = ci_read_request(&json->root, &raw, &error);
	bool		expected = true;
	bool		given[lengthof(arguments)] = {0};
	int			nidentifiers = 0;
	const char *op = "identify";
	JsonbIterator *iterator = JsonbIteratorInit(&json->root);
	JsonbValue	value;
	JsonbValue *named = getKeyJsonValueFromContainer(&json->root, "op", 2, NULL);

	if (!read)
	{
		promise(error.code == CI_INVALID, "[7.4] a request that cannot be read is 22023");
		check_words(&error);
	}
	if (named != NULL && named->type != jbvNull)
	{
		op = NULL;
		for (int i = 0; i < lengthof(ops); i++)
		{
			if (named->type == jbvString && strcmp(text_of(named), ops[i]) == 0)
				op = ops[i];
		}
	}
	if (op == NULL)
	{
		promise(!read, "an op that does not exist is refused");
		return;
	}
	if (read)
		promise(strcmp(ci_op_name(raw.op), op) == 0, "the op is the one that was given");
	(void) JsonbIteratorNext(&iterator, &value, true);
	while (JsonbIteratorNext(&iterator, &value, true) == WJB_KEY)
	{
		char	   *name = pnstrdup(value.val.string.val, value.val.string.len);
		int			which = -1;

		(void) JsonbIteratorNext(&iterator, &value, true);
		for (int i = 0; i < lengthof(arguments); i++)
		{
			if (strcmp(arguments[i].name, name) == 0)
				which = i;
		}
		if (which >= 0 && value.type == jbvNull)
			continue;
		if (which < 0 || strchr(arguments[which].ops, op[0]) == NULL ||
			!check_member(arguments[which].type, name, &value, read ? &raw : NULL))
			expected = false;
		else
		{
			given[which] = true;
			nidentifiers += arguments[which].type == 'i';
		}
	}
	promise(read == expected, "a request is refused exactly when something in it cannot be read");
	if (!read)
		return;
	promise(raw.nidentifiers == nidentifiers, "no identifier is read that was not given");
	promise(given[0] == (raw.source != NULL) && given[1] == (raw.key != NULL) &&
			given[2] == (raw.via != NULL) && given[3] == (raw.actor != NULL) &&
			given[9] == (raw.attributes != NULL) && given[10] == raw.has_occurred_at &&
			given[11] == raw.has_contact_id && (given[12] || !raw.verified), "nor anything else");
	promise(!raw.has_loser_id && !raw.has_conflict_id && !raw.newer_wins && !raw.confirmed &&
			raw.list == NULL && raw.channel == NULL && !raw.only_contact && raw.nremoved == 0,
			"nor what no request can say");
}

static void
check_value(Jsonb *json, Value *value)
{
	value->json = json;
	value->canonical = ci_canonical_json(json);
	check_texts(ci_jsonb_text(json), value->canonical, json);
	for (int i = 0; i < nkept; i++)
		check_pair(value, &kept[i]);
	if (JB_ROOT_IS_OBJECT(json))
		check_request(json);
	check_attributes(json);
}

/* Keeps a value to compare later ones with. */
static void
keep(const Value *value, uint64 place)
{
	MemoryContext outer;
	Value	   *old = &kept[place % KEPT];

	/* A copy of a large one would be compared as often as that takes long. */
	if (VARSIZE(value->json) > 100000)
		return;
	outer = MemoryContextSwitchTo(kept_context);
	if (nkept < KEPT)
		old = &kept[nkept++];
	else
	{
		pfree(old->json);
		pfree(old->canonical);
	}
	old->json = (Jsonb *) memcpy(palloc(VARSIZE(value->json)), value->json, VARSIZE(value->json));
	old->canonical = pstrdup(value->canonical);
	MemoryContextSwitchTo(outer);
}

/* Plays an input; answers whether it led somewhere new. */
static bool
play(const char *text, uint64 place)
{
	char	   *first = pstrdup(text);
	char	   *second = strstr(first, "\n\n");
	Value		a = {0};
	Value		b = {0};
	Jsonb	   *json;

	input = text;
	if (!pg_verifymbstr(text, strlen(text), true))
		return false;
	if (second != NULL)
	{
		*second = '\0';
		second += 2;
		json = parse(second);
		if (json != NULL)
			check_value(json, &b);
	}
	json = parse(first);
	if (json != NULL)
	{
		check_value(json, &a);
		if (b.json != NULL)
			check_pair(&a, &b);
		keep(&a, place);
	}
	return led_somewhere_new();
}

/* ---- Mutation ---- */

static const char *const tokens[] = {
	"{", "}", "[", "]", ",", ":", "\"", "\\", "\n\n", " ", "null", "true", "false", "0", "-0", "1", "1.0", "1e0",
	"10e-1", "0.10", "1e400", "-1", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "1e18",
	"0.000000000000000000001", "\"\"", "\"1\"", "\\u0031", "\\u00e9", "\xC3\xA9", "\\ud83d\\ude00", "\xF0\x9F\x98\x80",
	"\\u0000", "\\n", "\\/", "{}", "[]", "[[]]", "\"op\":", "\"identify\"", "\"capture\"", "\"logout\"", "\"subscribe\"",
	"\"source\":", "\"key\":", "\"email\":", "\"phone\":", "\"ext_id\":", "\"attributes\":", "\"via\":",
	"\"occurred_at\":", "\"contact_id\":", "\"verified\":", "\"actor\":", "\"account_id\":", "\"2026-01-31\"",
	"\"infinity\"", "\"-infinity\"", "\"now\"", "\"294276-12-31\"", "\"a\":1,\"a\":2", "\"\\u0061\":"
};

static pg_prng_state prng;

static uint64
upto(uint64 n)
{
	return n == 0 ? 0 : pg_prng_uint64_range(&prng, 0, n - 1);
}

/* One change of a text; other is one to take pieces from. */
static void
mutate(StringInfo text, const char *other)
{
	int			at = (int) upto(text->len + 1);
	int			length = (int) Min(text->len - at, upto(upto(4) == 0 ? 200 : 8) + 1);
	const char *piece = tokens[upto(lengthof(tokens))];
	char		byte[2] = {(char) (1 + upto(255)), '\0'};
	char	   *rest;

	switch (upto(6))
	{
		case 0:					/* something in its place */
			break;
		case 1:					/* something more */
			length = 0;
			break;
		case 2:					/* something less */
			piece = "";
			break;
		case 3:					/* another byte */
			piece = byte;
			length = Min(length, 1);
			break;
		case 4:					/* the same again */
			piece = pnstrdup(text->data + at, length);
			length = 0;
			break;
		case 5:					/* something of the other */
			{
				int			from = (int) upto(strlen(other) + 1);

				piece = pnstrdup(other + from, upto(Min(strlen(other) - from, 200) + 1));
				break;
			}
	}
	if (text->len + strlen(piece) > MAX_OCTETS)
		return;
	rest = pstrdup(text->data + at + length);
	text->len = at;
	text->data[at] = '\0';
	appendStringInfoString(text, piece);
	appendStringInfoString(text, rest);
}

static void
append_space(StringInfo out)
{
	if (upto(4) == 0)
		appendStringInfoString(out, upto(2) == 0 ? " " : "\t");
}

/* A string or number, spelt in some way. */
static void
respell_scalar(StringInfo out, const JsonbValue *value)
{
	if (value->type == jbvString)
	{
		const char *c = value->val.string.val;
		const char *end = c + value->val.string.len;

		appendStringInfoChar(out, '"');
		while (c < end)
		{
			int			length = pg_utf_mblen((const unsigned char *) c);
			uint32		code = utf8_to_unicode((const unsigned char *) c);

			if (code < ' ' || code == '"' || code == '\\' || upto(8) == 0)
			{
				if (code >= 0x10000)
					appendStringInfo(out, "\\u%04x\\u%04X", 0xD7C0 + (code >> 10), 0xDC00 + (code & 0x3FF));
				else
					appendStringInfo(out, "\\u%04X", code);
			}
			else
				appendBinaryStringInfo(out, c, length);
			c += length;
		}
		appendStringInfoChar(out, '"');
	}
	else if (value->type == jbvNumeric)
	{
		char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));

		appendStringInfoString(out, text);
		if (upto(2) == 0)
			appendStringInfoString(out, strchr(text, '.') == NULL ? ".00" : "0");
		if (upto(4) == 0)
			appendStringInfoString(out, upto(2) == 0 ? "e0" : "E-0");
	}
	else
		appendStringInfoString(out, value->type == jbvNull ? "null" : value->val.boolean ? "true" : "false");
}

/* The same value, in other words: one that is equal. */
static char *
respell(Jsonb *json)
{
	StringInfoData out;
	JsonbIterator *iterator = JsonbIteratorInit(&json->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	bool		first = true;

	initStringInfo(&out);
	while ((token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
	{
		bool		scalar = (token == WJB_BEGIN_ARRAY || token == WJB_END_ARRAY) && value.val.array.rawScalar;
		bool		ends = token == WJB_END_ARRAY || token == WJB_END_OBJECT;

		append_space(&out);
		if (!first && !ends)
			appendStringInfoChar(&out, ',');
		first = token == WJB_BEGIN_ARRAY || token == WJB_BEGIN_OBJECT || token == WJB_KEY;
		switch (token)
		{
			case WJB_BEGIN_ARRAY:
			case WJB_END_ARRAY:
				if (!scalar)
					appendStringInfoChar(&out, token == WJB_BEGIN_ARRAY ? '[' : ']');
				break;
			case WJB_BEGIN_OBJECT:
			case WJB_END_OBJECT:
				appendStringInfoChar(&out, token == WJB_BEGIN_OBJECT ? '{' : '}');
				break;
			case WJB_KEY:
				/* Of a name that is there twice, the last counts. */
				if (upto(8) == 0)
				{
					respell_scalar(&out, &value);
					appendStringInfoString(&out, ": [0, {}] ,");
				}
				respell_scalar(&out, &value);
				append_space(&out);
				appendStringInfoChar(&out, ':');
				break;
			default:
				respell_scalar(&out, &value);
		}
	}
	append_space(&out);
	return out.data;
}

/* The next input, made from what there is. */
static char *
make_input(char **inputs, int count)
{
	StringInfoData text;
	const char *other = inputs[upto(count)];
	Jsonb	   *json;

	initStringInfo(&text);
	appendStringInfoString(&text, inputs[upto(count)]);
	if (upto(3) == 0)
	{
		/* A pair of equals, or, when something is changed, of near ones. */
		char	   *end = strstr(text.data, "\n\n");

		if (end != NULL)
			*end = '\0';
		json = parse(text.data);
		if (json != NULL && VARSIZE(json) < MAX_OCTETS / 2)
		{
			char	   *again = respell(json);
			Jsonb	   *same = parse(again);

			input = again;
			promise(same != NULL && are_equal(json, same), "what is spelt otherwise is equal");
			text.len = strlen(text.data);
			appendStringInfo(&text, "\n\n%s", again);
			if (upto(2) == 0)
				return text.data;
		}
		text.len = strlen(text.data);
	}
	for (int n = 1 + (int) upto(4); n > 0; n--)
		mutate(&text, other);
	return text.data;
}

/* ---- The function ---- */

/*
 * fuzz_request(inputs text[], seed bigint, milliseconds integer, last text)
 * returns setof text: plays the inputs, then others that it makes of them for
 * as long, and answers those that led somewhere new; of the inputs those that
 * led where none before them did.  The file last has what is played.
 */
Datum
fuzz_request(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = (ReturnSetInfo *) fcinfo->resultinfo;
	int			milliseconds = PG_GETARG_INT32(2);
	int			file = open(text_to_cstring(PG_GETARG_TEXT_PP(3)), O_RDWR | O_CREAT, 0600);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "one input", ALLOCSET_DEFAULT_SIZES);
	MemoryContext outer;
	TimestampTz until;
	Datum	   *elements;
	char	  **inputs = palloc(sizeof(char *) * MAX_INPUTS);
	char	   *last;
	int			count;
	int			given;
	uint64		runs = 0;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	if (file < 0 || ftruncate(file, MAX_LAST) != 0)
		elog(ERROR, "the file for what is played cannot be written");
	last = mmap(NULL, MAX_LAST, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	close(file);
	if (last == MAP_FAILED)
		elog(ERROR, "the file for what is played cannot be mapped");
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL, &count);
	if (count == 0 || count > MAX_INPUTS / 2)
		elog(ERROR, "%d inputs", count);
	for (int i = 0; i < count; i++)
		inputs[i] = TextDatumGetCString(elements[i]);
	given = count;
	pg_prng_seed(&prng, (uint64) PG_GETARG_INT64(1));
	(void) led_somewhere_new(); /* an earlier call may have ended early */
	memset(seen, 0, sizeof(seen));
	nkept = 0;
	kept_context = AllocSetContextCreate(CurrentMemoryContext, "kept values", ALLOCSET_DEFAULT_SIZES);
	until = GetCurrentTimestamp() + (TimestampTz) milliseconds * 1000;
	for (;; runs++)
	{
		bool		of_corpus = runs < given;
		char	   *text;
		bool		is_new;

		CHECK_FOR_INTERRUPTS();
		if (!of_corpus && (milliseconds == 0 || (runs % 32 == 0 && GetCurrentTimestamp() > until)))
			break;
		outer = MemoryContextSwitchTo(context);
		text = of_corpus ? inputs[runs] : make_input(inputs, count);
		strlcpy(last, text, MAX_LAST);
		is_new = play(text, runs);
		MemoryContextSwitchTo(outer);
		if (is_new && count < MAX_INPUTS)
		{
			Datum		values[1];
			bool		nulls[1] = {false};

			if (!of_corpus)
				inputs[count++] = pstrdup(text);
			if (!of_corpus || milliseconds == 0)
			{
				values[0] = CStringGetTextDatum(text);
				tuplestore_putvalues(set->setResult, set->setDesc, values, nulls);
			}
		}
		MemoryContextReset(context);
	}
	munmap(last, MAX_LAST);
	ereport(NOTICE, (errmsg("%llu runs", (unsigned long long) runs)));
	return (Datum) 0;
}
