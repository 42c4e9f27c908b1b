/*-------------------------------------------------------------------------
 *
 * record.c
 *	  Reads the record of a merge, and what its survivor went through since.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "pipeline.h"

#define OF_MERGE " FROM contact_identity.merge m"
#define WHERE_MERGE " WHERE m.account_id OPERATOR(pg_catalog.=) $1 AND m.merge_id OPERATOR(pg_catalog.=) $2"
#define DETAIL(name) "m.detail OPERATOR(pg_catalog.->) '" name "'"
#define DETAIL_TIME(name) "(m.detail OPERATOR(pg_catalog.->>) '" name "')::pg_catalog.timestamptz"
#define RECORDS(name, columns) \
	"SELECT x.*" OF_MERGE " CROSS JOIN LATERAL pg_catalog.jsonb_to_recordset(" DETAIL(name) ") AS x (" columns ")" WHERE_MERGE
#define NUMBERS(name) \
	"SELECT x.value::pg_catalog.text::pg_catalog.int8" OF_MERGE \
	" CROSS JOIN LATERAL pg_catalog.jsonb_array_elements(" DETAIL(name) ") AS x (value)" WHERE_MERGE

/* The newest merge of a contact, and the newest later one of its survivor. */
static CiStatement merge_stmt = {
	.sql = "SELECT m.merge_id, m.survivor_id, m.merged_id, m.detail OPERATOR(pg_catalog.->>) 'state',"
	" " DETAIL_TIME("identified_at") ", " DETAIL_TIME("last_seen_at") ", " DETAIL_TIME("survivor_last_seen_at") ","
	" l.merge_id, l.survivor_id, l.merged_id" OF_MERGE
	" LEFT JOIN LATERAL (SELECT n.merge_id, n.survivor_id, n.merged_id FROM contact_identity.merge n"
	" WHERE n.account_id OPERATOR(pg_catalog.=) $1 AND n.undone_at IS NULL"
	" AND n.merge_id OPERATOR(pg_catalog.>) m.merge_id"
	" AND (n.survivor_id OPERATOR(pg_catalog.=) m.survivor_id OR n.merged_id OPERATOR(pg_catalog.=) m.survivor_id)"
	" ORDER BY n.merge_id DESC LIMIT 1) AS l ON true"
	" WHERE m.account_id OPERATOR(pg_catalog.=) $1 AND m.merged_id OPERATOR(pg_catalog.=) $2"
	" ORDER BY m.merge_id DESC LIMIT 1",
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8OID}
};

static CiStatement identifiers_stmt = {
	.sql = RECORDS("identifiers", "kind pg_catalog.text, value pg_catalog.text, \"primary\" pg_catalog.bool,"
				   " opted_in pg_catalog.bool, parked pg_catalog.bool, verified pg_catalog.bool,"
				   " given pg_catalog.text, source pg_catalog.text, updated_at pg_catalog.timestamptz"),
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8OID}
};

static CiStatement attributes_stmt = {
	.sql = RECORDS("attributes", "name pg_catalog.text, value pg_catalog.jsonb, source pg_catalog.text,"
				   " updated_at pg_catalog.timestamptz"),
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8OID}
};

static CiStatement times_stmt = {
	.sql = RECORDS("times_before", "name pg_catalog.text, value pg_catalog.jsonb, source pg_catalog.text,"
				   " updated_at pg_catalog.timestamptz"),
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8OID}
};

static CiStatement lists_stmt = {
	.sql = RECORDS("lists", "list_id pg_catalog.int4, subscribed pg_catalog.bool, source pg_catalog.text,"
				   " since pg_catalog.timestamptz"),
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8OID}
};

static CiStatement blocks_stmt = {
	.sql = "SELECT x.channel" OF_MERGE " CROSS JOIN LATERAL pg_catalog.jsonb_array_elements_text("
	DETAIL("blocks") ") AS x (channel)" WHERE_MERGE,
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8OID}
};

static CiStatement conflicts_stmt = {
	.sql = RECORDS("conflicts", "conflict_id pg_catalog.int8"),
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8OID}
};

static CiStatement settled_stmt = {
	.sql = NUMBERS("settled_conflicts"),
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8OID}
};

static CiStatement ended_before_stmt = {
	.sql = NUMBERS("ended_before"),
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8OID}
};

#define FLAG(side, name) \
	"coalesce((e.detail OPERATOR(pg_catalog.->) '" side "' OPERATOR(pg_catalog.->>) '" name "')::pg_catalog.bool, false)"
#define FLAGS(side) \
	FLAG(side, "primary") ", " FLAG(side, "opted_in") ", " FLAG(side, "parked") ", " FLAG(side, "verified") "," \
	" e.detail OPERATOR(pg_catalog.->) '" side "' OPERATOR(pg_catalog.->>) 'given'"

/* The history of the survivor from the merge on. */
static CiStatement events_stmt = {
	.sql = "SELECT e.event, e.field_type, e.field, e.old_value, e.new_value, e.old_source, e.old_at,"
	" e.new_source, e.new_at, e.found_kind, e.found_value, e.merge_id, e.conflict_id, " FLAGS("old") ", " FLAGS("new") ","
	" e.call_id, EXISTS (SELECT FROM contact_identity.merge m WHERE m.account_id OPERATOR(pg_catalog.=) $1"
	" AND m.merge_id OPERATOR(pg_catalog.=) e.merge_id AND m.undone_at IS NOT NULL)"
	" FROM contact_identity.event e WHERE e.account_id OPERATOR(pg_catalog.=) $1"
	" AND e.contact_id OPERATOR(pg_catalog.=) $3 AND e.event_id OPERATOR(pg_catalog.>=)"
	" (SELECT pg_catalog.min(f.event_id) FROM contact_identity.event f"
	" WHERE f.account_id OPERATOR(pg_catalog.=) $1 AND f.contact_id OPERATOR(pg_catalog.=) $3"
	" AND f.merge_id OPERATOR(pg_catalog.=) $2) ORDER BY e.event_id",
	.expected = SPI_OK_SELECT,
	.nargs = 3,
	.argtypes = {INT4OID, INT8OID, INT8OID}
};

/* Reads numbers of the record. */
static int64 *
read_numbers(CiStatement *stmt, Datum *values, int *count)
{
	uint64		found = ci_run(stmt, values, NULL, true);
	int64	   *numbers = palloc(sizeof(int64) * Max(1, found));

	for (uint64 i = 0; i < found; i++)
		numbers[i] = ci_get_int64(SPI_tuptable->vals[i], 1);
	SPI_freetuptable(SPI_tuptable);
	*count = (int) found;
	return numbers;
}

/* A flag that may be missing. */
static bool
flag(HeapTuple row, int column)
{
	bool		isnull;
	Datum		value = ci_get_datum(row, column, BOOLOID, &isnull);

	return !isnull && DatumGetBool(value);
}

static void
read_identifiers(const CiConfig *config, CiWorld *world, CiRecord *record, Datum *values)
{
	uint64		found = ci_run(&identifiers_stmt, values, NULL, true);

	record->identifiers = palloc(sizeof(CiIdentifier *) * Max(1, found));
	record->states = palloc0(sizeof(CiIdentifierState) * Max(1, found));
	for (uint64 i = 0; i < found; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		const CiKind *kind = ci_find_kind(config, ci_get_text(row, 1));
		CiIdentifierState *state = &record->states[record->nidentifiers];

		if (kind == NULL)
			continue;			/* a kind that was removed */
		record->identifiers[record->nidentifiers++] = ci_world_identifier(world, kind, ci_get_text(row, 2));
		state->primary = flag(row, 3);
		state->opted_in = flag(row, 4);
		state->parked = flag(row, 5);
		state->verified = flag(row, 6);
		state->given = ci_get_optional_text(row, 7);
		state->source = ci_get_text(row, 8);
		state->updated_at = ci_get_time(row, 9);
	}
	SPI_freetuptable(SPI_tuptable);
}

static void
read_attributes(CiStatement *stmt, CiAttributes *attributes, Datum *values)
{
	uint64		found = ci_run(stmt, values, NULL, true);

	for (uint64 i = 0; i < found; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		CiAttribute *attribute = ci_add_attribute(attributes, ci_get_text(row, 1));
		bool		isnull;

		ci_get_datum(row, 2, JSONBOID, &isnull);
		if (!isnull)
		{
			attribute->json = ci_jsonb_text(ci_get_jsonb(row, 2));
			attribute->canonical = ci_canonical_json(ci_get_jsonb(row, 2));
		}
		attribute->source = ci_get_optional_text(row, 3);
		attribute->at = ci_get_time(row, 4);
	}
	SPI_freetuptable(SPI_tuptable);
}

static void
read_reach(CiRecord *record, Datum *values)
{
	uint64		found = ci_run(&lists_stmt, values, NULL, true);

	record->members = palloc0(sizeof(CiMember) * Max(1, found));
	record->nmembers = (int) found;
	for (uint64 i = 0; i < found; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];

		record->members[i].list_id = ci_get_int32(row, 1);
		record->members[i].subscribed = flag(row, 2);
		record->members[i].source = ci_get_optional_text(row, 3);
		record->members[i].since = ci_get_time(row, 4);
	}
	SPI_freetuptable(SPI_tuptable);

	found = ci_run(&blocks_stmt, values, NULL, true);
	for (uint64 i = 0; i < found; i++)
		record->blocks |= ci_channel_of(ci_get_text(SPI_tuptable->vals[i], 1));
	SPI_freetuptable(SPI_tuptable);
}

/* A value of history: an identifier's as text, else JSON. */
static const char *
event_value(HeapTuple row, int column, bool identifier, const char **canonical)
{
	bool		isnull;
	Jsonb	   *json;

	ci_get_datum(row, column, JSONBOID, &isnull);
	if (isnull)
		return NULL;
	json = ci_get_jsonb(row, column);
	if (identifier)
		return ci_jsonb_string(json);
	*canonical = ci_canonical_json(json);
	return ci_jsonb_text(json);
}

static CiIdentifierState
event_state(HeapTuple row, int source, int at, int flags)
{
	CiIdentifierState state = {
		.primary = flag(row, flags),
		.opted_in = flag(row, flags + 1),
		.parked = flag(row, flags + 2),
		.verified = flag(row, flags + 3),
		.given = ci_get_optional_text(row, flags + 4),
		.source = ci_get_optional_text(row, source),
		.updated_at = ci_get_time(row, at)
	};

	return state;
}

static CiFieldType
field_type_of(const char *name)
{
	static const char *const names[] = {"contact", "identifier", "key", "attribute", "list", "block"};

	for (int i = 0; i < lengthof(names); i++)
	{
		if (strcmp(name, names[i]) == 0)
			return (CiFieldType) i;
	}
	return CI_FIELD_CONTACT;
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Whether the events read so far leave a value of an identifier as this one does. */
static bool
leaves_value(const CiRecord *record, const CiPastEvent *event, const char *value)
{
	for (int i = record->nevents; value != NULL && --i >= 0;)
	{
		const CiPastEvent *last = &record->events[i];

		if (last->kind != event->kind || strncmp(last->event, "conflict_", 9) == 0)
			continue;
		if (same_text(last->new_value, value))
			return same_text(event->new_value, value);
		if (same_text(last->old_value, value))
			return !same_text(event->new_value, value);
	}
	return true;
}

/* Whether an event puts back what the events read so far have left. */
static bool
puts_back(const CiRecord *record, const CiPastEvent *event)
{
	if (event->kind != NULL)
		return leaves_value(record, event, event->old_value) && leaves_value(record, event, event->new_value);
	for (int i = record->nevents; --i >= 0;)
	{
		const CiPastEvent *last = &record->events[i];

		if (last->type == event->type && strcmp(last->field, event->field) == 0)
			return same_text(last->new_canonical, event->new_canonical);
	}
	return true;
}

/*
 * What another merge since has changed, and what its undoing has put back, is
 * as if neither had been: else the undoing would seem to have given it.  What
 * the undoing gave that was not there before is kept.
 */
static bool
is_undone(const CiRecord *record, const CiPastEvent *event, bool by_undone, bool by_undoing)
{
	if (event->type == CI_FIELD_CONTACT || strncmp(event->event, "conflict_", 9) == 0)
		return false;
	return by_undone || (by_undoing && puts_back(record, event));
}

static void
read_events(const CiConfig *config, CiRecord *record, Datum *values)
{
	uint64		found = ci_run(&events_stmt, values, NULL, true);
	int64		undoing = 0;	/* the call that undid another merge */

	record->events = palloc(sizeof(CiPastEvent) * Max(1, found));
	for (uint64 i = 0; i < found; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		CiPastEvent *event = &record->events[record->nevents];
		const char *found_kind = ci_get_optional_text(row, 10);

		memset(event, 0, sizeof(CiPastEvent));
		event->event = ci_get_text(row, 1);
		event->type = field_type_of(ci_get_text(row, 2));
		event->field = ci_get_text(row, 3);
		if (event->type == CI_FIELD_IDENTIFIER || event->type == CI_FIELD_KEY)
		{
			event->kind = ci_find_kind(config, event->field);
			if (event->kind == NULL)
				continue;
		}
		event->old_value = event_value(row, 4, event->kind != NULL, &event->old_canonical);
		event->new_value = event_value(row, 5, event->kind != NULL, &event->new_canonical);
		event->old_state = event_state(row, 6, 7, 14);
		event->new_state = event_state(row, 8, 9, 19);
		if (found_kind != NULL)
			event->found_kind = ci_find_kind(config, found_kind);
		event->found_value = ci_get_optional_text(row, 11);
		event->of_merge = ci_get_int64(row, 12) == record->merge_id;
		event->conflict_id = ci_get_int64(row, 13);
		if (strcmp(event->event, "unmerged") == 0 || strcmp(event->event, "released") == 0)
			undoing = ci_get_int64(row, 24);
		if (!is_undone(record, event, ci_get_bool(row, 25), ci_get_int64(row, 24) == undoing))
			record->nevents++;
	}
	SPI_freetuptable(SPI_tuptable);
}

/*
 * Reads the record of the newest merge of a contact; NULL where it never was
 * merged.  Names to be read with it go into the columns.
 */
CiRecord *
ci_load_record(const CiConfig *config, CiWorld *world, int64 contact_id,
			   CiColumn *kinds, CiColumn *given, CiColumn *contacts)
{
	Datum		values[3] = {Int32GetDatum(config->account_id), Int64GetDatum(contact_id)};
	CiRecord   *record;
	HeapTuple	row;
	const char *state;

	if (ci_run(&merge_stmt, values, NULL, true) == 0)
	{
		SPI_freetuptable(SPI_tuptable);
		return NULL;
	}
	record = palloc0(sizeof(CiRecord));
	row = SPI_tuptable->vals[0];
	record->merge_id = ci_get_int64(row, 1);
	record->survivor_id = ci_get_int64(row, 2);
	record->merged_id = ci_get_int64(row, 3);
	state = ci_get_optional_text(row, 4);
	record->purged = state == NULL;
	record->was_anonymous = state != NULL && state[0] == 'a';
	record->identified_at = ci_get_time(row, 5);
	record->seen_at = ci_get_time(row, 6);
	record->survivor_seen_at = ci_get_time(row, 7);
	record->later_id = ci_get_int64(row, 8);
	record->later_survivor_id = ci_get_int64(row, 9);
	record->later_merged_id = ci_get_int64(row, 10);
	SPI_freetuptable(SPI_tuptable);

	values[1] = Int64GetDatum(record->merge_id);
	values[2] = Int64GetDatum(record->survivor_id);
	read_identifiers(config, world, record, values);
	read_attributes(&attributes_stmt, &record->attributes, values);
	read_attributes(&times_stmt, &record->times_before, values);
	read_reach(record, values);
	record->conflicts = read_numbers(&conflicts_stmt, values, &record->nconflicts);
	record->settled = read_numbers(&settled_stmt, values, &record->nsettled);
	record->ended_before = read_numbers(&ended_before_stmt, values, &record->nended_before);
	read_events(config, record, values);

	ci_column_add_int64(contacts, record->survivor_id);
	for (int i = 0; i < record->nidentifiers; i++)
	{
		ci_column_add_text(kinds, record->identifiers[i]->kind->name);
		ci_column_add_text(given, record->identifiers[i]->value);
	}
	for (int i = 0; i < record->nevents; i++)
	{
		const CiPastEvent *event = &record->events[i];
		const char *named[] = {event->old_value, event->new_value};

		for (int j = 0; event->kind != NULL && j < 2; j++)
		{
			if (named[j] == NULL)
				continue;
			ci_column_add_text(kinds, event->kind->name);
			ci_column_add_text(given, named[j]);
		}
	}
	return record;
}
