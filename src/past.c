/*-------------------------------------------------------------------------
 *
 * past.c
 *	  Functions that answer from history: contact_as_of, owner_as_of, timeline,
 *	  and graph, a picture of a contact and what has ended in it.
 *
 * What the database knew at a time are the events written until then; of two
 * events the one with the higher number is the later.  Statements name
 * operators and functions without a schema, since each function has
 * pg_catalog as its search path.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <unictype.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "config.h"
#include "statement.h"

/* Characters of a value that are shown. */
#define SHOWN_IN_TIMELINE 100
#define SHOWN_IN_GRAPH 40

/* Nodes of a graph. */
#define MAX_NODES 50

/* An event about an identifier's or key's row, and not about a conflict. */
#define IDENTIFIER_EVENT \
	"e.field_type IN ('identifier', 'key') AND NOT starts_with(e.event, 'conflict_')"

static CiStatement known_stmt = {
	.sql = "SELECT c.state, (SELECT a.history_from FROM contact_identity.account a WHERE a.account_id = $1),"
	" coalesce(c.survivor_id, c.contact_id)"
	" FROM contact_identity.contact c WHERE c.account_id = $1 AND c.contact_id = $2",
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8OID}
};

static CiStatement history_from_stmt = {
	.sql = "SELECT a.history_from FROM contact_identity.account a WHERE a.account_id = $1",
	.expected = SPI_OK_SELECT,
	.nargs = 1,
	.argtypes = {INT4OID}
};

/*
 * A contact as of a time.  It holds nothing from its merge on, until that is
 * undone and rows of its own give it everything again.  What happened to a
 * conflict may stand in the history of any contact that it followed.
 */
static CiStatement as_of_stmt = {
	.sql = "WITH RECURSIVE own AS MATERIALIZED (SELECT e.event_id, e.event, e.field_type, e.field,"
	" e.old_value, e.new_value, e.detail, e.occurred_at, e.written_at FROM contact_identity.event e"
	" WHERE e.account_id = $1 AND e.contact_id = $2 AND e.written_at <= $3"
	"), since AS MATERIALIZED (SELECT * FROM own WHERE own.event_id > coalesce((SELECT max(event_id) FROM own"
	" WHERE field_type = 'contact' AND event IN ('merged', 'erased')), 0)"
	"), said AS (SELECT DISTINCT ON (n.field, n.value) n.* FROM ("
	"SELECT e.event_id, e.field, e.field_type = 'identifier' AS identifying,"
	" (e.new_value #>> '{}') COLLATE \"C\" AS value, true AS held,"
	" coalesce((e.detail -> 'new' ->> 'primary')::boolean, false) AS is_primary,"
	" coalesce((e.detail -> 'new' ->> 'opted_in')::boolean, false) AS opted_in"
	" FROM since e WHERE " IDENTIFIER_EVENT " AND e.new_value IS NOT NULL"
	" UNION ALL SELECT e.event_id, e.field, false, e.old_value #>> '{}', false, false, false"
	" FROM since e WHERE " IDENTIFIER_EVENT " AND e.old_value IS NOT NULL"
	" AND e.old_value IS DISTINCT FROM e.new_value"
	") n ORDER BY n.field, n.value, n.event_id DESC"
	"), held AS MATERIALIZED (SELECT said.* FROM said WHERE said.held"
	"), newest AS MATERIALIZED (SELECT DISTINCT ON (e.field_type, e.field) e.field_type, e.field, e.new_value"
	" FROM since e WHERE e.field_type IN ('attribute', 'list', 'block') AND NOT starts_with(e.event, 'conflict_')"
	" ORDER BY e.field_type, e.field, e.event_id DESC"
	"), merged_with (contact_id) AS (SELECT $2"
	" UNION SELECT e.other_contact_id FROM merged_with m CROSS JOIN LATERAL (SELECT e.other_contact_id"
	" FROM contact_identity.event e WHERE e.account_id = $1 AND e.contact_id = m.contact_id"
	" AND e.event IN ('absorbed', 'merged') AND e.other_contact_id IS NOT NULL AND e.written_at <= $3 OFFSET 0) e"
	"), conflict AS (SELECT e.conflict_id FROM merged_with m CROSS JOIN LATERAL (SELECT e.conflict_id, e.event_id,"
	" e.contact_id, e.event FROM contact_identity.event e WHERE e.account_id = $1 AND e.contact_id = m.contact_id"
	" AND starts_with(e.event, 'conflict_') AND e.written_at <= $3 OFFSET 0) e GROUP BY e.conflict_id"
	" HAVING (array_agg(e.contact_id ORDER BY e.event_id DESC))[1] = $2"
	" AND (array_agg(e.event ORDER BY e.event_id DESC) FILTER (WHERE e.event <> 'conflict_moved'))[1]"
	" = 'conflict_opened'"
	"), life AS MATERIALIZED (SELECT c.created_at, c.identified_at, c.state = 'erased' AS is_erased, o.updated_at,"
	" CASE WHEN ended.event = 'erased' THEN 'erased' WHEN ended.new_value IS NOT NULL THEN 'merged'"
	/* of an erased one it is not known any more what it held */
	" WHEN c.state = 'erased' THEN state.state"
	/* [1.4] */
	" WHEN EXISTS (SELECT FROM held WHERE held.identifying) THEN 'identified' ELSE 'anonymous' END AS state,"
	" CASE WHEN ended.event <> 'erased' THEN (ended.new_value #>> '{}')::bigint END AS survivor_id"
	" FROM contact_identity.contact c"
	" CROSS JOIN (SELECT max(own.written_at) AS updated_at FROM own) o"
	" LEFT JOIN (SELECT own.event, own.new_value FROM own WHERE own.field_type = 'contact'"
	" AND (own.field = 'survivor' OR own.event = 'erased') ORDER BY own.event_id DESC LIMIT 1) ended ON true"
	" LEFT JOIN (SELECT own.new_value #>> '{}' AS state FROM own WHERE own.field_type = 'contact'"
	" AND own.field = 'state' AND own.new_value IS NOT NULL ORDER BY own.event_id DESC LIMIT 1) state ON true"
	" WHERE c.account_id = $1 AND c.contact_id = $2 AND o.updated_at IS NOT NULL"
	") SELECT $2, CASE l.state"
	" WHEN 'anonymous' THEN replace(a.anonymous_label, '<id>', $2::text)"
	" WHEN 'identified' THEN coalesce((SELECT h.value FROM held h WHERE h.field = 'email' AND h.is_primary),"
	" (SELECT h.value FROM held h JOIN contact_identity.identifier_kind k ON k.account_id = $1 AND k.kind = h.field"
	" WHERE h.is_primary ORDER BY k.strength LIMIT 1)) END COLLATE \"default\", l.state,"
	" (SELECT h.value FROM held h WHERE h.field = 'email' AND h.is_primary),"
	" (SELECT h.value FROM held h WHERE h.field = 'phone' AND h.is_primary),"
	" (SELECT h.value FROM held h WHERE h.field = 'ext_id' AND h.is_primary),"
	" (SELECT h.value FROM held h WHERE h.field = 'whatsapp' AND h.is_primary),"
	" (SELECT h.value FROM held h WHERE h.field = 'landline' AND h.is_primary),"
	" coalesce((SELECT jsonb_object_agg(n.field, n.new_value) FROM newest n"
	" WHERE n.field_type = 'attribute' AND n.new_value IS NOT NULL), '{}'),"
	" CASE WHEN l.is_erased AND l.state <> 'erased' AND l.state <> 'merged' THEN NULL ELSE"
	" ARRAY(SELECT DISTINCT k.channel::text FROM held h"
	" JOIN contact_identity.identifier_kind k ON k.account_id = $1 AND k.kind = h.field"
	" WHERE CASE WHEN k.identifying THEN h.is_primary AND k.channel IS NOT NULL"
	" ELSE h.opted_in AND k.channel = 'push' END"
	" AND NOT EXISTS (SELECT FROM newest n WHERE n.field_type = 'block' AND n.field = k.channel"
	" AND n.new_value = 'true') ORDER BY 1) END,"
	" CASE WHEN l.state IN ('anonymous', 'identified') THEN (SELECT count(*) FROM conflict) ELSE 0 END,"
	" l.created_at,"
	" CASE WHEN l.state = 'identified' THEN coalesce((SELECT own.occurred_at FROM own"
	" WHERE own.field_type = 'contact' AND own.field = 'state' AND own.event <> 'restored' AND own.new_value = '\"identified\"'"
	" ORDER BY own.event_id DESC LIMIT 1), l.identified_at) END,"
	" l.updated_at, l.survivor_id,"
	" coalesce((SELECT jsonb_object_agg(k.field, k.vals) FROM (SELECT h.field,"
	" jsonb_agg(h.value ORDER BY h.is_primary DESC, h.value) AS vals"
	" FROM held h WHERE h.identifying GROUP BY h.field) k), '{}'),"
	" coalesce((SELECT jsonb_object_agg(k.field, k.vals) FROM (SELECT h.field,"
	" jsonb_agg(h.value ORDER BY h.value) AS vals"
	" FROM held h WHERE NOT h.identifying GROUP BY h.field) k), '{}'),"
	" coalesce((SELECT jsonb_object_agg(coalesce(i.name, n.field), n.new_value) FROM newest n"
	" LEFT JOIN contact_identity.list i ON i.account_id = $1 AND i.list_id::text = n.field"
	" WHERE n.field_type = 'list' AND n.new_value IS NOT NULL), '{}'),"
	" ARRAY(SELECT n.field::text FROM newest n WHERE n.field_type = 'block' AND n.new_value = 'true' ORDER BY 1)"
	" FROM life l JOIN contact_identity.account a ON a.account_id = $1",
	.expected = SPI_OK_SELECT,
	.nargs = 3,
	.argtypes = {INT4OID, INT8OID, TIMESTAMPTZOID}
};

/*
 * The owner of a value as of a time: of those who ever got it, whoever has not
 * given it away since, ended or been erased.  Who got it is found in the whole
 * history, or by an index that the owner of the tables may have made.
 */
static CiStatement owner_stmt = {
	.sql = "WITH got AS MATERIALIZED (SELECT DISTINCT e.contact_id FROM contact_identity.event e"
	" WHERE e.account_id = $1 AND e.field = $2 AND e.new_value = to_jsonb($3)"
	" AND e.field_type IN ('identifier', 'key') AND e.written_at <= $4"
	") SELECT g.contact_id FROM got g CROSS JOIN LATERAL (SELECT o.* FROM ("
	"SELECT e.event_id, e.field_type, e.new_value FROM contact_identity.event e"
	" WHERE e.account_id = $1 AND e.contact_id = g.contact_id AND e.written_at <= $4"
	" AND ((" IDENTIFIER_EVENT " AND e.field = $2 AND to_jsonb($3) IN (e.old_value, e.new_value))"
	" OR (e.field_type = 'contact' AND e.event IN ('merged', 'erased'))) OFFSET 0"
	") o ORDER BY o.event_id DESC LIMIT 1) newest"
	" WHERE newest.field_type <> 'contact' AND newest.new_value = to_jsonb($3)"
	" ORDER BY newest.event_id DESC LIMIT 1",
	.expected = SPI_OK_SELECT,
	.nargs = 4,
	.argtypes = {INT4OID, TEXTOID, TEXTOID, TIMESTAMPTZOID}
};

/* A name of the application's in a sentence, which is one line. */
#define SHOWN_NAME(name) \
	"CASE WHEN " name " ~ '[[:cntrl:]]' THEN to_jsonb(" name ")::text ELSE " name " END"

/*
 * The rows of a story: those of the contact, and those of each that was merged
 * into it until it was so for the last time.  What says there whose survivor
 * is who, the survivor's rows say too.
 */
static CiStatement timeline_stmt = {
	.sql = "WITH RECURSIVE absorbed (contact_id, until) AS (SELECT $2, 9223372036854775807"
	" UNION SELECT e.other_contact_id, e.event_id FROM absorbed a CROSS JOIN LATERAL (SELECT e.other_contact_id,"
	" e.event_id FROM contact_identity.event e WHERE e.account_id = $1 AND e.contact_id = a.contact_id"
	" AND e.event = 'absorbed' AND e.event_id < a.until AND e.other_contact_id IS NOT NULL OFFSET 0) e"
	"), told AS (SELECT a.contact_id, max(a.until) AS until FROM absorbed a GROUP BY a.contact_id"
	") SELECT e.event_id, e.contact_id, e.event::text, e.field_type::text,"
	" (CASE e.field_type WHEN 'key' THEN e.field || ' key'"
	" WHEN 'list' THEN coalesce((SELECT to_jsonb(l.name)::text FROM contact_identity.list l"
	" WHERE l.account_id = $1 AND l.list_id::text = e.field), e.field)"
	" ELSE " SHOWN_NAME("e.field") " END)::text,"
	" CASE e.field_type WHEN 'contact' THEN e.old_value #>> '{}' ELSE e.old_value::text END,"
	" CASE e.field_type WHEN 'contact' THEN e.new_value #>> '{}' ELSE e.new_value::text END,"
	" e.other_contact_id, e.conflict_id, e.actor, e.source::text, e.via::text, e.written_at, e.occurred_at"
	" FROM told t CROSS JOIN LATERAL (SELECT e.* FROM contact_identity.event e"
	" WHERE e.account_id = $1 AND e.contact_id = t.contact_id AND e.event_id < t.until OFFSET 0) e"
	" WHERE t.contact_id = $2 OR e.field_type <> 'contact' OR e.field <> 'survivor' ORDER BY e.event_id",
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8OID}
};

/*
 * A kind of event as a sentence.  %s is the contact, %c the other one, %f the
 * field, %o and %n the old and new value, %k the conflict.  Of several
 * sentences for an event the first is told for which there is everything; the
 * last one is told anyway.
 */
typedef struct Sentence
{
	const char *event;
	const char *text;
} Sentence;

static const Sentence sentences[] = {
	{"created", "%s was created, %n."},
	{"identified", "%s became identified."},
	{"made_anonymous", "%s became anonymous again."},
	{"attached", "%s got the %f %n."},
	{"detached", "The %f %o was detached from %s."},
	{"added", "%s got the %f %n."},
	{"replaced", "The %f of %s changed from %o to %n."},
	{"removed", "The %f %o of %s was removed."},
	{"moved_out", "The %f %o of %s went to %c."},
	{"moved_out", "The %f %o of %s went away."},
	{"moved_in", "%s got the %f %n from %c, in place of %o."},
	{"moved_in", "%s got the %f %n from %c."},
	{"moved_in", "%s got the %f %n."},
	{"alias_added", "%s got the %f %n from %c, as an alias."},
	{"alias_added", "%s got the %f %n, as an alias."},
	{"made_primary", "The %f %n became the primary one of %s."},
	{"made_alias", "The %f %n of %s became an alias."},
	{"verified", "The %f %n of %s was verified."},
	{"opted_in", "The opt-out of the %f %o, which was nobody's, ended."},
	{"opted_in", "The %f %n of %s was opted in."},
	{"opted_out", "The %f %n of %s was opted out."},
	{"set", "The %f of %s changed from %o to %n."},
	{"set", "The %f of %s was set to %n."},
	{"cleared", "The %f of %s was cleared; it was %o."},
	{"cleared", "The %f of %s was cleared."},
	{"unset", "%s has no %f any more; it was %o."},
	{"unset", "%s has no %f any more."},
	{"list_added", "%s was put on the list %f."},
	{"list_removed", "%s was taken off the list %f."},
	{"blocked", "%s was blocked for %f."},
	{"unblocked", "The block of %s for %f was lifted."},
	{"conflict_opened", "The %f %n was given for %s and waits as conflict %k; it belongs to %c."},
	{"conflict_opened", "The %f %n was given for %s and waits as conflict %k."},
	{"conflict_moved", "Conflict %k about the %f %n came to %s."},
	{"conflict_promoted", "Conflict %k about the %f %n was promoted."},
	{"conflict_dismissed", "Conflict %k about the %f %n was dismissed."},
	{"conflict_obsolete", "Conflict %k about the %f %n became obsolete."},
	{"conflict_withdrawn", "Conflict %k about the %f %n was withdrawn."},
	{"merged", "%s was merged into %c."},
	{"absorbed", "%c was merged into %s."},
	{"repointed", "%s leads to %c now."},
	{"unmerged", "%s was separated from %c again."},
	{"restored", "%s is %n again."},
	{"released", "%c was separated from %s again."},
	{"set_distinct", "%s and %c are different people."},
	{"distinct_lifted", "%s and %c may be the same person."},
	{"erased", "%s was erased."}
};

/* What a sentence may name, by the letters of their places; NULL: it is not there. */
typedef struct Told
{
	const char *contact;
	const char *other;
	const char *field;
	const char *old_value;
	const char *new_value;
	const char *conflict;
} Told;

/* What stands in a place of a sentence. */
static const char *
told_at(const Told *told, char letter)
{
	switch (letter)
	{
		case 's':
			return told->contact;
		case 'c':
			return told->other;
		case 'f':
			return told->field;
		case 'o':
			return told->old_value;
		case 'n':
			return told->new_value;
		case 'k':
			return told->conflict;
	}
	elog(ERROR, "sentence with an unknown place: %c", letter);
}

/* Whether there is everything that a sentence names. */
static bool
can_tell(const char *sentence, const Told *told)
{
	for (const char *at = strchr(sentence, '%'); at != NULL; at = strchr(at + 2, '%'))
	{
		if (told_at(told, at[1]) == NULL)
			return false;
	}
	return true;
}

/* A sentence with what it names; what is missing was erased [10.6]. */
static char *
tell(const char *sentence, const Told *told)
{
	StringInfoData out;

	initStringInfo(&out);
	for (; *sentence != '\0'; sentence++)
	{
		const char *part;

		if (*sentence != '%')
		{
			appendStringInfoChar(&out, *sentence);
			continue;
		}
		sentence++;
		part = told_at(told, *sentence);
		appendStringInfoString(&out, part == NULL ? "(erased)" : part);
	}
	out.data[0] = pg_toupper((unsigned char) out.data[0]);
	return out.data;
}

/* An event in words; one that has none in its own. */
static char *
describe_event(const char *event, const Told *told)
{
	const char *last = NULL;

	for (int i = 0; i < lengthof(sentences); i++)
	{
		if (strcmp(sentences[i].event, event) != 0)
			continue;
		last = sentences[i].text;
		if (can_tell(last, told))
			break;
	}
	if (last != NULL)
		return tell(last, told);
	return psprintf("%s: %s of %s%s%s%s%s.", tell("%s", told), event, told->field,
					told->old_value == NULL ? "" : ", from ", told->old_value == NULL ? "" : told->old_value,
					told->new_value == NULL ? "" : ", to ", told->new_value == NULL ? "" : told->new_value);
}

/* As much of a text as is shown, or NULL. */
static char *
shorten(char *value, int characters)
{
	int			length;
	int			shown;

	if (value == NULL)
		return NULL;
	length = strlen(value);
	shown = pg_mbcharcliplen(value, length, characters);
	if (shown == length)
		return value;
	return psprintf("%.*s\xE2\x80\xA6", shown, value);	/* three dots */
}

/* What a query about the past begins with: the caller, SPI, and new tables. */
static const CiConfig *
begin(CiCaller *caller, int account_id)
{
	const CiConfig *config;

	ci_become_owner(caller);
	SPI_connect();
	config = ci_get_config(account_id);
	ci_require_1_1_tables(config);
	return config;
}

static void
end(const CiCaller *caller)
{
	SPI_finish();
	ci_become_caller(caller);
}

/* [10.9] Refuses times that history does not go back to. */
static void
check_kept(TimestampTz as_of, int64 history_from)
{
	CiError		err = {
		.code = CI_STATE,
		.message = "history does not go back to that time"
	};

	if (history_from == CI_NO_TIME || as_of >= history_from)
		return;
	err.detail = psprintf("History before %s was purged in part.", timestamptz_to_str(history_from));
	err.hint = "See account.history_from.";
	ci_report_error(&err);
}

/* The live contact that an id leads to, or 0; it is an error where there never was one. */
static int64
require_known(int account_id, FunctionCallInfo fcinfo, int64 *history_from)
{
	Datum		values[2] = {Int32GetDatum(account_id)};
	int64		live = 0;

	if (PG_ARGISNULL(0))
		ci_refuse(CI_INVALID, "contact_id must not be null", NULL);
	values[1] = PG_GETARG_DATUM(0);
	if (ci_run(&known_stmt, values, NULL, true) == 0)
		ci_refuse(CI_NOT_FOUND, psprintf("contact " INT64_FORMAT " does not exist", PG_GETARG_INT64(0)),
				  "It was never there in this account, or was purged.");
	if (strcmp(ci_get_text(SPI_tuptable->vals[0], 1), "erased") != 0)
		live = ci_get_int64(SPI_tuptable->vals[0], 3);
	if (history_from != NULL)
		*history_from = ci_get_time(SPI_tuptable->vals[0], 2);
	SPI_freetuptable(SPI_tuptable);
	return live;
}

/* The time that is asked about. */
static TimestampTz
require_time(FunctionCallInfo fcinfo, int argno)
{
	if (PG_ARGISNULL(argno))
		ci_refuse(CI_INVALID, "as_of must not be null", "For the present there are the views.");
	return PG_GETARG_TIMESTAMPTZ(argno);
}

PG_FUNCTION_INFO_V1(ci_contact_as_of);

/* [10.5] contact_as_of(contact_id, as_of, account_id) */
Datum
ci_contact_as_of(PG_FUNCTION_ARGS)
{
	int			account_id = ci_account_argument(fcinfo, 2);
	Datum		values[3] = {Int32GetDatum(account_id)};
	CiCaller	caller;
	int64		history_from;

	begin(&caller, account_id);
	require_known(account_id, fcinfo, &history_from);
	check_kept(require_time(fcinfo, 1), history_from);
	values[1] = PG_GETARG_DATUM(0);
	values[2] = PG_GETARG_DATUM(1);
	ci_return_rows(fcinfo, &as_of_stmt, values, NULL);
	end(&caller);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(ci_owner_as_of);

/* [10.5] owner_as_of(kind, value, as_of, account_id) */
Datum
ci_owner_as_of(PG_FUNCTION_ARGS)
{
	int			account_id = ci_account_argument(fcinfo, 3);
	Datum		values[4] = {Int32GetDatum(account_id)};
	const CiConfig *config;
	const CiKind *kind;
	CiCaller	caller;
	CiNormalized normalized;
	CiError		err = {CI_OK};
	int64		owner = 0;

	config = begin(&caller, account_id);
	if (PG_ARGISNULL(0))
		ci_refuse(CI_INVALID, "kind must not be null", NULL);
	if (PG_ARGISNULL(1))
		ci_refuse(CI_INVALID, "value must not be null", NULL);
	values[3] = TimestampTzGetDatum(require_time(fcinfo, 2));
	kind = ci_find_kind(config, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	if (kind == NULL)
		ci_refuse(CI_INVALID, "unknown kind of identifier",
				  "The kinds are the rows of contact_identity.identifier_kind.");
	if (!ci_normalize_identifier(config, kind, text_to_cstring(PG_GETARG_TEXT_PP(1)), &normalized, &err))
		ci_report_error(&err);
	if (ci_run(&history_from_stmt, values, NULL, true) > 0)
		check_kept(DatumGetTimestampTz(values[3]), ci_get_time(SPI_tuptable->vals[0], 1));
	values[1] = CStringGetTextDatum(kind->name);
	values[2] = CStringGetTextDatum(normalized.value);
	if (ci_run(&owner_stmt, values, NULL, true) > 0)
		owner = ci_get_int64(SPI_tuptable->vals[0], 1);
	end(&caller);
	if (owner == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT64(owner);
}

#define TIMELINE_COLUMNS 8

/* A row of a story, from a row of timeline_stmt. */
static void
put_line(ReturnSetInfo *result, HeapTuple row)
{
	Datum		values[TIMELINE_COLUMNS] = {0};
	bool		nulls[TIMELINE_COLUMNS] = {false};
	int64		contact_id = ci_get_int64(row, 2);
	int64		other_id = ci_get_int64(row, 8);
	int64		conflict_id = ci_get_int64(row, 9);
	Told		told = {
		.contact = psprintf("contact " INT64_FORMAT, contact_id),
		.other = other_id == 0 ? NULL : psprintf("contact " INT64_FORMAT, other_id),
		.field = ci_get_text(row, 5),
		.old_value = shorten(ci_get_optional_text(row, 6), SHOWN_IN_TIMELINE),
		.new_value = shorten(ci_get_optional_text(row, 7), SHOWN_IN_TIMELINE),
		.conflict = conflict_id == 0 ? NULL : psprintf(INT64_FORMAT, conflict_id)
	};

	values[0] = ci_get_datum(row, 13, TIMESTAMPTZOID, &nulls[0]);
	/* a value that is the old and the new one is told as the new one */
	if (told.old_value != NULL && told.new_value != NULL && strcmp(told.old_value, told.new_value) == 0)
		told.old_value = NULL;
	values[1] = CStringGetTextDatum(describe_event(ci_get_text(row, 3), &told));
	for (int i = 0; i < 3; i++)
		values[2 + i] = ci_get_datum(row, 10 + i, TEXTOID, &nulls[2 + i]);
	values[5] = Int64GetDatum(contact_id);
	values[6] = ci_get_datum(row, 1, INT8OID, &nulls[6]);
	values[7] = ci_get_datum(row, 14, TIMESTAMPTZOID, &nulls[7]);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* [10.9] The row that says that a story has gaps up to a time. */
static void
put_purged(ReturnSetInfo *result, int64 contact_id, int64 history_from)
{
	Datum		values[TIMELINE_COLUMNS] = {0};
	bool		nulls[TIMELINE_COLUMNS] = {true, false, true, true, true, false, true, true};

	values[1] = CStringGetTextDatum(psprintf("History before %s was purged in part.", timestamptz_to_str(history_from)));
	values[5] = Int64GetDatum(contact_id);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

PG_FUNCTION_INFO_V1(ci_timeline);

/* timeline(contact_id, account_id) */
Datum
ci_timeline(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	int			account_id = ci_account_argument(fcinfo, 1);
	Datum		values[2] = {Int32GetDatum(account_id)};
	MemoryContext line = AllocSetContextCreate(CurrentMemoryContext, "contact_identity line",
											   ALLOCSET_SMALL_SIZES);
	CiCaller	caller;
	int64		history_from;
	uint64		count;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	begin(&caller, account_id);
	require_known(account_id, fcinfo, &history_from);
	values[1] = PG_GETARG_DATUM(0);
	count = ci_run(&timeline_stmt, values, NULL, true);
	if (count > 0 && history_from != CI_NO_TIME && ci_get_time(SPI_tuptable->vals[0], 13) < history_from)
		put_purged(result, PG_GETARG_INT64(0), history_from);
	for (uint64 i = 0; i < count; i++)
	{
		MemoryContext outer = MemoryContextSwitchTo(line);

		CHECK_FOR_INTERRUPTS();
		put_line(result, SPI_tuptable->vals[i]);
		MemoryContextSwitchTo(outer);
		MemoryContextReset(line);
	}
	end(&caller);
	MemoryContextDelete(line);
	return (Datum) 0;
}

/* ---- A picture ---- */

/* Identifiers of a contact, or its keys; the last column says how many. */
static CiStatement nodes_stmt = {
	.sql = "SELECT i.kind::text, i.value::text, i.is_primary,"
	" NOT i.opted_in AND k.channel IS NOT DISTINCT FROM 'push', count(*) OVER ()"
	" FROM contact_identity.identifier i"
	" JOIN contact_identity.identifier_kind k ON k.account_id = i.account_id AND k.kind = i.kind"
	" WHERE i.account_id = $1 AND i.contact_id = $2 AND NOT i.parked AND k.identifying = $3"
	" ORDER BY k.strength, i.kind, i.is_primary DESC, i.updated_at DESC, i.value LIMIT " CppAsString2(MAX_NODES),
	.expected = SPI_OK_SELECT,
	.nargs = 3,
	.argtypes = {INT4OID, INT8OID, BOOLOID}
};

/* Contacts that have ended in a contact, each after the one that it ended in. */
static CiStatement ended_stmt = {
	.sql = "WITH RECURSIVE ended (merged_id, survivor_id, merged_at, merge_id, depth) AS ("
	"SELECT m.merged_id, m.survivor_id, m.merged_at, m.merge_id, 1 FROM contact_identity.merge m"
	" WHERE m.account_id = $1 AND m.survivor_id = $2 AND m.undone_at IS NULL"
	" UNION ALL SELECT m.merged_id, m.survivor_id, m.merged_at, m.merge_id, e.depth + 1 FROM ended e"
	" CROSS JOIN LATERAL (SELECT * FROM contact_identity.merge m WHERE m.account_id = $1"
	" AND m.survivor_id = e.merged_id AND m.undone_at IS NULL OFFSET 0) m"
	") SELECT e.merged_id, e.survivor_id, to_char(e.merged_at, 'YYYY-MM-DD HH24:MI'), count(*) OVER ()"
	" FROM ended e ORDER BY e.depth, e.merge_id DESC LIMIT " CppAsString2(MAX_NODES),
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8OID}
};

static CiStatement state_stmt = {
	.sql = "SELECT c.state::text FROM contact_identity.contact c WHERE c.account_id = $1 AND c.contact_id = $2",
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8OID}
};

/* The rows for one kind of nodes, of which some are shown. */
typedef struct Nodes
{
	SPITupleTable *rows;
	int64		total;
	int			shown;
} Nodes;

static void
read_nodes(Nodes *nodes, CiStatement *stmt, Datum *values, int total_column)
{
	nodes->shown = ci_run(stmt, values, NULL, true);
	nodes->rows = SPI_tuptable;
	nodes->total = nodes->shown == 0 ? 0 : ci_get_int64(SPI_tuptable->vals[0], total_column);
}

/* Cuts the longest of three kinds of nodes until all fit, with one for each rest. */
static void
fit_nodes(Nodes *nodes, int count)
{
	for (int most = MAX_NODES;; most--)
	{
		int			sum = 1;

		for (int i = 0; i < count; i++)
			sum += nodes[i].total <= most ? nodes[i].total : most + 1;
		if (sum > MAX_NODES)
			continue;
		for (int i = 0; i < count; i++)
			nodes[i].shown = Min(nodes[i].total, most);
		return;
	}
}

/*
 * Adds a value to a label between double quotes.  Only what means nothing to
 * Mermaid, to HTML or to the order of writing stays as it is; the rest is an
 * entity in Mermaid's form, or the sign of what cannot be shown.
 */
static void
append_label(StringInfo out, char *value)
{
	const char *at = shorten(value, SHOWN_IN_GRAPH);
	int			length;

	for (; *at != '\0'; at += length)
	{
		pg_wchar	c = utf8_to_unicode((const unsigned char *) at);

		length = pg_utf_mblen((const unsigned char *) at);
		if (c < 128 && (isalnum((int) c) || strchr(" @._+-,/", (int) c) != NULL))
			appendStringInfoChar(out, (char) c);
		else if (c != 0x200C && c != 0x200D &&	/* joiners that scripts need */
				 uc_is_general_category_withtable(c, UC_CATEGORY_MASK_C | UC_CATEGORY_MASK_Zl |
												  UC_CATEGORY_MASK_Zp))
			appendStringInfoString(out, "\xEF\xBF\xBD");	/* U+FFFD */
		else if (c < 128)
			appendStringInfo(out, "#%d;", (int) c);
		else
			appendBinaryStringInfo(out, at, length);
	}
}

/* Adds identifiers or keys as nodes that hang on the contact. */
static void
append_nodes(StringInfo out, int64 contact_id, const Nodes *nodes, char letter, const char *shape, const char *plural)
{
	SPI_tuptable = nodes->rows;
	for (int i = 0; i < nodes->shown; i++)
	{
		HeapTuple	row = nodes->rows->vals[i];
		bool		is_primary = ci_get_bool(row, 3);
		bool		is_key = letter == 'k';

		appendStringInfo(out, "    c" INT64_FORMAT " %s %c%d%c\"", contact_id,
						 is_primary || is_key ? "---" : "-.-", letter, i + 1, shape[0]);
		append_label(out, ci_get_text(row, 1));
		if (is_key && ci_get_bool(row, 4))
			appendStringInfoString(out, ", opted out");
		else if (!is_key && !is_primary)
			appendStringInfoString(out, ", alias");
		appendStringInfoString(out, "<br/>");
		append_label(out, ci_get_text(row, 2));
		appendStringInfo(out, "\"%c\n", shape[1]);
	}
	if (nodes->total > nodes->shown)
		appendStringInfo(out, "    c" INT64_FORMAT " --- %crest[\"and " INT64_FORMAT " more %s\"]\n", contact_id,
						 letter, nodes->total - nodes->shown, plural);
}

/* Adds the contacts that have ended in others. */
static void
append_ended(StringInfo out, int64 contact_id, const Nodes *nodes)
{
	SPI_tuptable = nodes->rows;
	for (int i = 0; i < nodes->shown; i++)
	{
		HeapTuple	row = nodes->rows->vals[i];
		int64		ended = ci_get_int64(row, 1);

		appendStringInfo(out, "    c" INT64_FORMAT "([\"Contact " INT64_FORMAT "\"]) -- \"merged %s\" --> c"
						 INT64_FORMAT "\n", ended, ended, ci_get_text(row, 3), ci_get_int64(row, 2));
	}
	if (nodes->total > nodes->shown)
		appendStringInfo(out, "    mrest[\"and " INT64_FORMAT " more merged contacts\"] --> c" INT64_FORMAT "\n",
						 nodes->total - nodes->shown, contact_id);
}

PG_FUNCTION_INFO_V1(ci_graph);

/* graph(contact_id, account_id) */
Datum
ci_graph(PG_FUNCTION_ARGS)
{
	int			account_id = ci_account_argument(fcinfo, 1);
	Datum		values[3] = {Int32GetDatum(account_id)};
	MemoryContext context = CurrentMemoryContext;
	MemoryContext spi;
	StringInfoData out;
	Nodes		nodes[3];
	CiCaller	caller;
	int64		live;
	char	   *state;

	begin(&caller, account_id);
	live = require_known(account_id, fcinfo, NULL);
	if (live == 0)
		ci_refuse(CI_NOT_FOUND, psprintf("contact " INT64_FORMAT " does not exist", PG_GETARG_INT64(0)),
				  "It was erased.");
	values[1] = Int64GetDatum(live);
	if (ci_run(&state_stmt, values, NULL, true) == 0)
		ci_report_corrupt("survivor_id");
	state = ci_get_text(SPI_tuptable->vals[0], 1);
	values[2] = BoolGetDatum(true);
	read_nodes(&nodes[0], &nodes_stmt, values, 5);
	values[2] = BoolGetDatum(false);
	read_nodes(&nodes[1], &nodes_stmt, values, 5);
	read_nodes(&nodes[2], &ended_stmt, values, 4);
	fit_nodes(nodes, lengthof(nodes));

	spi = MemoryContextSwitchTo(context);
	initStringInfo(&out);
	MemoryContextSwitchTo(spi);
	appendStringInfo(&out, "flowchart LR\n    c" INT64_FORMAT "([\"Contact " INT64_FORMAT ", %s\"])\n",
					 live, live, state);
	append_nodes(&out, live, &nodes[0], 'i', "[]", "identifiers");
	append_nodes(&out, live, &nodes[1], 'k', "()", "keys");
	append_ended(&out, live, &nodes[2]);
	out.data[--out.len] = '\0'; /* the last line's end */
	MemoryContextSwitchTo(context);
	end(&caller);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}
