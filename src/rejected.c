/*-------------------------------------------------------------------------
 *
 * rejected.c
 *	  What goes with erased contacts from the requests that were rejected, and
 *	  from the queries of jobs (RULES 10.6).
 *
 * They are texts as they were typed, so that no index finds them: all of the
 * account's are read.  An identifier is found in any spelling, or inside of
 * another text.  An attribute is found by its name and value, and a text of
 * one that is long enough inside of others; a request that gives it is the
 * erased contact's, unless it means a live one.  What a live contact has, too,
 * or what requests give about several people, is nobody's in particular.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/memutils.h"

#include "gone.h"

/* A value that is as long as this is looked for inside of texts, too. */
#define MIN_PART 8

/* So many rows of the table rejected are looked at together. */
#define REJECTED_ROWS 1000

/* The last digits of a number are the same however it is typed. */
#define SAME_DIGITS 4

static CiStatement rejected_stmt = {
	.sql = "SELECT rejected_id, request FROM contact_identity.rejected"
	" WHERE account_id OPERATOR(pg_catalog.=) $1 AND rejected_id OPERATOR(pg_catalog.>) $2"
	" ORDER BY rejected_id LIMIT " CppAsString2(REJECTED_ROWS),
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8OID}
};

static CiStatement empty_rejected_stmt = {
	.sql = "UPDATE contact_identity.rejected r SET request = '{}'"
	" FROM (SELECT o.rejected_id FROM contact_identity.rejected o WHERE o.account_id OPERATOR(pg_catalog.=) $1"
	" AND o.rejected_id OPERATOR(pg_catalog.=) ANY ($2) ORDER BY o.rejected_id FOR UPDATE) AS u"
	" WHERE r.account_id OPERATOR(pg_catalog.=) $1 AND r.rejected_id OPERATOR(pg_catalog.=) u.rejected_id",
	.expected = SPI_OK_UPDATE,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID}
};

static CiStatement jobs_stmt = {
	.sql = "SELECT job, query, last_error FROM contact_identity.jobs"
	" WHERE account_id OPERATOR(pg_catalog.=) $1 ORDER BY job",
	.expected = SPI_OK_SELECT,
	.nargs = 1,
	.argtypes = {INT4OID}
};

static CiStatement empty_job_stmt = {
	.sql = "UPDATE contact_identity.jobs SET query = CASE WHEN $3 THEN '' ELSE query END,"
	" last_error = CASE WHEN $4 THEN pg_catalog.left(last_error, 5) ELSE last_error END"
	" WHERE account_id OPERATOR(pg_catalog.=) $1 AND job OPERATOR(pg_catalog.=) $2",
	.expected = SPI_OK_UPDATE,
	.nargs = 4,
	.argtypes = {INT4OID, INT8OID, BOOLOID, BOOLOID}
};

/* Whether a live contact has an attribute with that value, or with that text in it. */
static CiStatement attribute_stmt = {
	.sql = "SELECT 1 FROM contact_identity.contact c WHERE c.account_id OPERATOR(pg_catalog.=) $1"
	" AND c.attributes OPERATOR(pg_catalog.@>) $2 LIMIT 1",
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, JSONBOID},
	.free_plan = true
};

static CiStatement text_stmt = {
	.sql = "SELECT 1 FROM contact_identity.contact c WHERE c.account_id OPERATOR(pg_catalog.=) $1"
	" AND pg_catalog.strpos(c.attributes::pg_catalog.text, $2) OPERATOR(pg_catalog.>) 0 LIMIT 1",
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, TEXTOID},
	.free_plan = true
};

/* Whether a live contact has one of the values, or is the one with that number. */
static CiStatement somebody_stmt = {
	.sql = "SELECT 1 FROM " CI_UNNEST2 " AS u (kind, value) CROSS JOIN LATERAL"
	" (SELECT 1 FROM contact_identity.identifier i WHERE i.account_id OPERATOR(pg_catalog.=) $1"
	" AND i.kind OPERATOR(pg_catalog.=) u.kind AND i.value OPERATOR(pg_catalog.=) u.value"
	" AND NOT i.parked OFFSET 0) AS r UNION ALL SELECT 1 FROM contact_identity.contact c"
	" WHERE c.account_id OPERATOR(pg_catalog.=) $1 AND c.contact_id OPERATOR(pg_catalog.=) $4"
	" AND c.state OPERATOR(pg_catalog.<>) 'erased' LIMIT 1",
	.expected = SPI_OK_SELECT,
	.nargs = 4,
	.argtypes = {INT4OID, TEXTARRAYOID, TEXTARRAYOID, INT8OID}
};

/* A request that gives an attribute which may go. */
typedef struct Candidate
{
	int64		id;
	CiShared   *shared;
	Jsonb	   *request;
} Candidate;

/* What is found in the texts of one account. */
typedef struct Search
{
	const CiGone *gone;
	MemoryContext context;		/* what outlives a row */
	List	   *hits;			/* CiShared: what the row or job at hand gives */
	List	   *candidates;
} Search;

/* Whether a statement finds anything; what was read stays what it was. */
static bool
finds(CiStatement *stmt, Datum *values)
{
	SPITupleTable *rows = SPI_tuptable;
	bool		found = ci_run(stmt, values, NULL, false) > 0;

	SPI_freetuptable(SPI_tuptable);
	SPI_tuptable = rows;
	return found;
}

/* Notes that an attribute is given; who else has it is asked when it is first met. */
static void
hit_attribute(Search *search, CiHad *had)
{
	if (!had->shared.asked)
	{
		StringInfoData json;
		Datum		values[2] = {Int32GetDatum(search->gone->config->account_id)};

		initStringInfo(&json);
		appendStringInfoChar(&json, '{');
		escape_json(&json, had->name);
		appendStringInfo(&json, ":%s}", had->value);
		values[1] = DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
		had->shared.shared = finds(&attribute_stmt, values);
		had->shared.asked = true;
	}
	if (!had->shared.shared)
		search->hits = lappend(search->hits, &had->shared);
}

/* The same of a text. */
static void
hit_text(Search *search, CiHadText *item)
{
	if (!item->shared.asked)
	{
		Datum		values[2] = {Int32GetDatum(search->gone->config->account_id), CStringGetTextDatum(item->json)};

		item->shared.shared = finds(&text_stmt, values);
		item->shared.asked = true;
	}
	if (!item->shared.shared)
		search->hits = lappend(search->hits, &item->shared);
}

/* Whether a text says an identifier that goes; attributes are hits. */
static bool
says_gone(Search *search, const char *string)
{
	char	   *lower = NULL;

	for (const CiHad *had = search->gone->had; had != NULL; had = had->next)
	{
		if (had->kind == NULL || had->stays)
			continue;
		if (strlen(had->value) < MIN_PART)
		{
			const char *at = string;

			while ((at = strstr(at, had->value)) != NULL)
			{
				const char *end = at + strlen(had->value);

				if (at > string && (at[-1] == '\'' || at[-1] == '"') && *end == at[-1])
					return true;
				at++;
			}
			continue;
		}
		if (lower == NULL)
		{
			lower = pstrdup(string);
			for (char *c = lower; *c != '\0'; c++)
				*c = pg_ascii_tolower((unsigned char) *c);
		}
		if (strstr(string, had->value) != NULL || strstr(lower, had->value) != NULL)
			return true;
	}
	for (CiHadText *item = search->gone->texts; item != NULL; item = item->next)
	{
		if (!item->shared.shared && strstr(string, item->text) != NULL)
			hit_text(search, item);
	}
	return false;
}

/* The last digits of a text; false where it has others than ASCII's, perhaps. */
static bool
last_digits(const char *string, char *digits)
{
	int			n = SAME_DIGITS;

	for (const char *c = string + strlen(string); c > string && n > 0; c--)
	{
		if (IS_HIGHBIT_SET(c[-1]))
			return false;
		if (c[-1] >= '0' && c[-1] <= '9')
			digits[--n] = c[-1];
	}
	memset(digits, 'x', n);
	return true;
}

/* Whether a text can be one of the numbers of a kind that go: cheaper than to normalise it. */
static bool
may_be_number(const CiGone *gone, const CiKind *kind, const char *string)
{
	char		digits[SAME_DIGITS];
	char		gone_digits[SAME_DIGITS];
	bool		comparable = last_digits(string, digits);

	for (const CiHad *had = gone->had; had != NULL; had = had->next)
	{
		if (had->kind == kind && !had->stays &&
			(!comparable || !last_digits(had->value, gone_digits) || memcmp(digits, gone_digits, SAME_DIGITS) == 0))
			return true;
	}
	return false;
}

/* Whether a value of a kind goes. */
static bool
value_goes(const CiGone *gone, const char *kind, const char *value)
{
	const CiHad *had = ci_find_had(gone, false, kind, value);

	return had != NULL && !had->stays;
}

/* Whether a member of a request gives an identifier that goes, however it is spelt. */
static bool
gives_gone(Search *search, const char *name, const char *string)
{
	const CiGone *gone = search->gone;

	for (int i = 0; i < gone->config->nkinds && strlen(string) <= CI_MAX_KEY; i++)
	{
		const CiKind *kind = &gone->config->kinds[i];
		CiNormalized normalized;
		CiError		error;

		if (!kind->identifying)
		{
			if (strcmp(name, "key") == 0 && value_goes(gone, kind->name, string))
				return true;
			continue;
		}
		/* An address or a number is one wherever it stands. */
		if ((kind->normalizer == CI_NORMALIZE_EXACT && strcmp(name, kind->name) != 0) ||
			(kind->normalizer == CI_NORMALIZE_PHONE && !may_be_number(gone, kind, string)))
			continue;
		if (ci_normalize_identifier(gone->config, kind, string, &normalized, &error) &&
			value_goes(gone, kind->name, normalized.value))
			return true;
	}
	return says_gone(search, string);
}

/* Finds the attributes of a request that may go. */
static void
find_attributes(Search *search, Jsonb *request)
{
	JsonbValue	attributes;
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;
	char	   *name = NULL;

	if (!JB_ROOT_IS_OBJECT(request) ||
		getKeyJsonValueFromContainer(&request->root, "attributes", strlen("attributes"), &attributes) == NULL ||
		attributes.type != jbvBinary || !JsonContainerIsObject(attributes.val.binary.data))
		return;
	iterator = JsonbIteratorInit(attributes.val.binary.data);
	(void) JsonbIteratorNext(&iterator, &value, true);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_END_OBJECT)
	{
		CiHad	   *had;

		if (token == WJB_KEY)
		{
			name = pnstrdup(value.val.string.val, value.val.string.len);
			continue;
		}
		/* What is said by anybody is nobody's. */
		if (value.type == jbvBool || value.type == jbvNull)
			continue;
		had = ci_find_had(search->gone, true, name, ci_canonical_json(JsonbValueToJsonb(&value)));
		if (had != NULL && !had->shared.shared)
			hit_attribute(search, had);
	}
}

/* The texts and numbers of a request, one after the other, or NULL; name is of those at the top. */
static char *
next_text(JsonbIterator **iterator, int *depth, char **name)
{
	JsonbIteratorToken token;
	JsonbValue	value;

	while ((token = JsonbIteratorNext(iterator, &value, false)) != WJB_DONE)
	{
		CHECK_FOR_INTERRUPTS();
		if (token == WJB_BEGIN_OBJECT || token == WJB_BEGIN_ARRAY)
			(*depth)++;
		else if (token == WJB_END_OBJECT || token == WJB_END_ARRAY)
			(*depth)--;
		else if (token == WJB_KEY)
			*name = *depth == 1 ? pnstrdup(value.val.string.val, value.val.string.len) : "";
		else if (value.type == jbvString)
			return pnstrdup(value.val.string.val, value.val.string.len);
		else if (value.type == jbvNumeric)
			return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value.val.numeric)));
	}
	return NULL;
}

/*
 * The identifiers and keys that a request gives well formed, and the contact
 * that it names.
 */
static void
read_identifiers(const CiGone *gone, Jsonb *request, CiColumn *kinds, CiColumn *texts, int64 *contact_id)
{
	JsonbIterator *iterator = JsonbIteratorInit(&request->root);
	char	   *name = "";
	char	   *string;
	int			depth = 0;

	ci_column_init(kinds, TEXTOID);
	ci_column_init(texts, TEXTOID);
	*contact_id = 0;
	while ((string = next_text(&iterator, &depth, &name)) != NULL)
	{
		if (depth == 1 && strcmp(name, "contact_id") == 0)
			*contact_id = strtoi64(string, NULL, 10);
		for (int i = 0; depth == 1 && i < gone->config->nkinds; i++)
		{
			const CiKind *kind = &gone->config->kinds[i];
			CiNormalized normalized;
			CiError		error;

			if (strcmp(name, kind->identifying ? kind->name : "key") != 0 ||
				!ci_normalize_identifier(gone->config, kind, string, &normalized, &error))
				continue;
			ci_column_add_text(kinds, kind->name);
			ci_column_add_text(texts, normalized.value);
		}
	}
}

/* Whether a request means a contact that is there. */
static bool
means_somebody(const CiGone *gone, Jsonb *request)
{
	Datum		values[4] = {Int32GetDatum(gone->config->account_id)};
	CiColumn	kinds;
	CiColumn	texts;
	int64		contact_id;

	read_identifiers(gone, request, &kinds, &texts, &contact_id);
	values[1] = ci_column_array(&kinds);
	values[2] = ci_column_array(&texts);
	values[3] = Int64GetDatum(contact_id);
	return finds(&somebody_stmt, values);
}

/* Notes a request for each hit, and whether several people are said to have that. */
static void
note_candidate(Search *search, int64 id, Jsonb *request)
{
	CiColumn	kinds;
	CiColumn	texts;
	int64		contact_id;
	StringInfoData about;
	ListCell   *cell;
	MemoryContext outer;
	Jsonb	   *copy = NULL;

	read_identifiers(search->gone, request, &kinds, &texts, &contact_id);
	initStringInfo(&about);
	if (contact_id != 0)
		appendStringInfo(&about, INT64_FORMAT, contact_id);
	for (Size at = 0; at < texts.used; at = INTALIGN(at))
	{
		const text *item = (const text *) (texts.texts + at);

		appendStringInfoChar(&about, '\001');
		appendBinaryStringInfo(&about, VARDATA(item), VARSIZE(item) - VARHDRSZ);
		at += VARSIZE(item);
	}
	outer = MemoryContextSwitchTo(search->context);
	foreach(cell, search->hits)
	{
		CiShared   *shared = lfirst(cell);
		Candidate  *candidate;

		if (about.len > 0 && shared->about == NULL)
			shared->about = pstrdup(about.data);
		else if (about.len > 0 && strcmp(shared->about, about.data) != 0)
			shared->shared = true;
		if (shared->shared)
			continue;
		if (copy == NULL)
		{
			copy = palloc(VARSIZE(request));
			memcpy(copy, request, VARSIZE(request));
		}
		candidate = palloc(sizeof(Candidate));
		candidate->id = id;
		candidate->shared = shared;
		candidate->request = copy;
		search->candidates = lappend(search->candidates, candidate);
	}
	MemoryContextSwitchTo(outer);
}

/* Whether a rejected request gives an identifier of an erased contact, or names it. */
static bool
request_gives_gone(Search *search, Jsonb *request)
{
	JsonbIterator *iterator = JsonbIteratorInit(&request->root);
	char	   *name = "";
	char	   *string;
	int			depth = 0;

	while ((string = next_text(&iterator, &depth, &name)) != NULL)
	{
		if (depth == 1 && strcmp(name, "contact_id") == 0)
		{
			for (int i = 0; i < search->gone->nids; i++)
			{
				if (strcmp(string, psprintf(INT64_FORMAT, search->gone->ids[i])) == 0)
					return true;
			}
		}
		else if (gives_gone(search, depth == 1 ? name : "", string))
			return true;
	}
	find_attributes(search, request);
	return false;
}

/* Empties the rejected requests that give an erased value or name the contact. */
static void
empty_rejected(const CiGone *gone)
{
	Datum		values[2] = {Int32GetDatum(gone->config->account_id)};
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "contact_identity rejected",
												  ALLOCSET_DEFAULT_SIZES);
	Search		search = {
		.gone = gone,
		.context = CurrentMemoryContext
	};
	int64		last = PG_INT64_MIN;
	uint64		count;
	ListCell   *cell;
	CiColumn	ids;

	ci_column_init(&ids, INT8OID);
	do
	{
		SPITupleTable *rows;

		values[1] = Int64GetDatum(last);
		count = ci_run(&rejected_stmt, values, NULL, true);
		rows = SPI_tuptable;
		for (uint64 i = 0; i < count; i++)
		{
			MemoryContext caller = MemoryContextSwitchTo(context);
			Jsonb	   *request;
			bool		gives;

			SPI_tuptable = rows;
			last = ci_get_int64(rows->vals[i], 1);
			request = ci_get_jsonb(rows->vals[i], 2);
			search.hits = NIL;
			gives = request_gives_gone(&search, request);
			if (!gives && search.hits != NIL)
				note_candidate(&search, last, request);
			MemoryContextSwitchTo(caller);
			MemoryContextReset(context);
			if (gives)
				ci_column_add_int64(&ids, last);
		}
		SPI_freetuptable(rows);
	} while (count == REJECTED_ROWS);
	MemoryContextDelete(context);
	foreach(cell, search.candidates)
	{
		const Candidate *candidate = lfirst(cell);

		if (!candidate->shared->shared && !means_somebody(gone, candidate->request))
			ci_column_add_int64(&ids, candidate->id);
	}
	if (ids.count == 0)
		return;
	values[1] = ci_column_array(&ids);
	ci_run(&empty_rejected_stmt, values, NULL, false);
}

/* Jobs whose query has an erased value in its text, or whose error shows one. */
static void
empty_jobs(const CiGone *gone)
{
	Datum		values[4] = {Int32GetDatum(gone->config->account_id)};
	uint64		count = ci_run(&jobs_stmt, values, NULL, true);
	SPITupleTable *rows = SPI_tuptable;
	Search		search = {
		.gone = gone,
		.context = CurrentMemoryContext
	};

	for (uint64 i = 0; i < count; i++)
	{
		const char *error;
		bool		query_says;
		bool		error_says;

		SPI_tuptable = rows;
		error = ci_get_optional_text(rows->vals[i], 3);
		search.hits = NIL;
		query_says = says_gone(&search, ci_get_text(rows->vals[i], 2)) || search.hits != NIL;
		search.hits = NIL;
		error_says = error != NULL && (says_gone(&search, error) || search.hits != NIL);
		if (!query_says && !error_says)
			continue;
		values[1] = Int64GetDatum(ci_get_int64(rows->vals[i], 1));
		values[2] = BoolGetDatum(query_says);
		values[3] = BoolGetDatum(error_says);
		ci_run(&empty_job_stmt, values, NULL, false);
	}
	SPI_freetuptable(rows);
}

/* Notes the texts of attributes that are long enough to be looked for. */
static void
read_texts(CiGone *gone)
{
	for (const CiHad *had = gone->had; had != NULL; had = had->next)
	{
		JsonbIterator *iterator;
		char	   *name = "";
		char	   *text;
		int			depth = 0;
		Jsonb	   *json;

		if (!had->is_attribute)
			continue;
		json = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(had->value)));
		iterator = JsonbIteratorInit(&json->root);
		while ((text = next_text(&iterator, &depth, &name)) !=NULL)
		{
			CiHadText  *item;
			StringInfoData quoted;

			if (strlen(text) < MIN_PART)
				continue;
			initStringInfo(&quoted);
			escape_json(&quoted, text);
			quoted.data[quoted.len - 1] = '\0';
			item = palloc0(sizeof(CiHadText));
			item->text = text;

			item->json = quoted.data + 1;
			item->next = gone->texts;
			gone->texts = item;
		}
	}
}

/* Empties the texts that say what goes. */
void
ci_empty_texts(CiGone *gone)
{
	read_texts(gone);
	empty_rejected(gone);
	empty_jobs(gone);
}
