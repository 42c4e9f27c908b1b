/*-------------------------------------------------------------------------
 *
 * gone.c
 *	  What goes with contacts that are erased (RULES 10.6).
 *
 * All that the contacts had or that was given about them, unless it is another
 * contact's: who holds it now, had it by itself, or was given it as a secondary
 * value.  Where a merge was undone, what it had brought to its survivor is not
 * the survivor's: rows of history that the merge and its undoing wrote, or
 * calls between that found the contact by what went back.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "gone.h"

/* The rows of a table for each id in an argument. */
#define FOR_EACH(columns, table, condition) \
	"SELECT r.* FROM " CI_UNNEST("$2") " AS u (id) CROSS JOIN LATERAL" \
	" (SELECT " columns " FROM contact_identity." table \
	" WHERE account_id OPERATOR(pg_catalog.=) $1 AND " condition " OFFSET 0) AS r"

/* The places of kinds and values for which there is such a row. */
#define PLACES(table, condition) \
	"SELECT u.place FROM (SELECT pg_catalog.unnest($2) AS kind, pg_catalog.unnest($3) AS value," \
	" pg_catalog.generate_subscripts($2, 1)::pg_catalog.int8 AS place LIMIT pg_catalog.cardinality($2)) AS u" \
	" CROSS JOIN LATERAL (SELECT 1 FROM contact_identity." table " WHERE account_id OPERATOR(pg_catalog.=) $1 AND " \
	condition " LIMIT 1) AS r"

/*
 * Who gives a conflict or an event that names a contact has held it, but has
 * not changed its row.  So nothing tells a transaction with an earlier snapshot
 * that it waited for one, and these statements have to look by themselves.
 *
 * What history says that contacts had, and which calls found them, in order.
 */
static CiStatement said_stmt = {
	.sql = FOR_EACH("e.contact_id, e.event_id, e.event, e.field_type, e.field, e.old_value, e.new_value,"
					" e.other_contact_id, e.merge_id, e.conflict_id, e.call_id, e.found_kind, e.found_value",
					"event e", "e.contact_id OPERATOR(pg_catalog.=) u.id")
	" ORDER BY 1, 2",
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID},
	.sees_latest = true
};

/* What rows of history say was there since. */
static CiStatement new_values_stmt = {
	.sql = FOR_EACH("e.field_type, e.field, e.new_value", "event e", "e.event_id OPERATOR(pg_catalog.=) u.id"),
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID},
	.sees_latest = true
};

/* The conflicts of contacts, with the ended one of the merge that set one aside. */
static CiStatement given_stmt = {
	.sql = FOR_EACH("f.conflict_id, f.contact_id, f.field_type, f.field, f.secondary_value,"
					" CASE WHEN f.key_kind OPERATOR(pg_catalog.=) 'contact' THEN f.key END, f.status",
					"conflict f", "f.contact_id OPERATOR(pg_catalog.=) u.id"),
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID},
	.sees_latest = true
};

/* The attributes of contacts. */
static CiStatement attributes_stmt = {
	.sql = FOR_EACH("c.contact_id, c.attributes", "contact c", "c.contact_id OPERATOR(pg_catalog.=) u.id"),
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID},
	.sees_latest = true
};

/* Values that somebody holds. */
static CiStatement held_stmt = {
	.sql = PLACES("identifier i", "i.kind OPERATOR(pg_catalog.=) u.kind AND i.value OPERATOR(pg_catalog.=) u.value"),
	.expected = SPI_OK_SELECT,
	.nargs = 3,
	.argtypes = {INT4OID, TEXTARRAYOID, TEXTARRAYOID},
	.sees_latest = true
};

/* Values that were given about others, and not set aside by merges with the contacts. */
static CiStatement theirs_stmt = {
	.sql = PLACES("conflict f", "f.field_type OPERATOR(pg_catalog.=) 'identifier' AND f.field OPERATOR(pg_catalog.=) u.kind"
				  " AND f.secondary_value OPERATOR(pg_catalog.=) pg_catalog.to_jsonb(u.value)"
				  " AND f.contact_id OPERATOR(pg_catalog.<>) ALL ($4)"
				  " AND (f.key_kind IS DISTINCT FROM 'contact' OR f.status OPERATOR(pg_catalog.=) 'promoted'"
				  " OR f.key OPERATOR(pg_catalog.<>) ALL ($4::pg_catalog.text[]))"),
	.expected = SPI_OK_SELECT,
	.nargs = 4,
	.argtypes = {INT4OID, TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID},
	.sees_latest = true
};

/* A row of history, as far as it says what a contact had. */
typedef struct Said
{
	int64		contact_id;
	int64		event_id;
	char	   *event;
	int64		other_id;
	int64		merge_id;
	int64		conflict_id;
	int64		call_id;
	CiHad	   *old;
	CiHad	   *new;
	CiHad	   *found;
	bool		foreign;
} Said;

/* Rows of history in order of contact and event. */
typedef struct SaidRows
{
	Said	   *rows;
	int			count;
} SaidRows;

/* From when to when a merge held that was undone, in its survivor's history. */
typedef struct Window
{
	int64		merge_id;
	int64		from;
	int64		to;
	int64		call_id;		/* that undid it */
	struct Window *next;
} Window;

static uint32
hash_id(const void *key, Size size)
{
	const char *id = *(char *const *) key;

	return hash_bytes((const unsigned char *) id, strlen(id));
}

static int
compare_id(const void *a, const void *b, Size size)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

/* The entry of a value, or NULL. */
CiHad *
ci_find_had(const CiGone *gone, bool is_attribute, const char *name, const char *value)
{
	char	   *id = psprintf("%c%s\001%s", is_attribute ? 'a' : 'i', name, value);
	CiHad	   *had = hash_search(gone->table, &id, HASH_FIND, NULL);

	pfree(id);
	return had;
}

/* Notes that a contact had a value. */
static CiHad *
note(CiGone *gone, bool is_attribute, const char *name, const char *value)
{
	char	   *id = psprintf("%c%s\001%s", is_attribute ? 'a' : 'i', name, value);
	bool		known;
	CiHad	   *had = hash_search(gone->table, &id, HASH_ENTER, &known);

	if (known)
		return had;
	memset((char *) had + sizeof(char *), 0, sizeof(CiHad) - sizeof(char *));
	had->is_attribute = is_attribute;
	had->name = pstrdup(name);
	had->value = pstrdup(value);
	had->kind = is_attribute ? NULL : ci_find_kind(gone->config, name);
	had->next = gone->had;
	gone->had = had;
	return had;
}

/*
 * The entry of a value in a row that SPI read, or NULL; notes it if it is said
 * of an erased contact.
 */
static CiHad *
read_value(CiGone *gone, HeapTuple row, int type_column, int value_column, bool noting)
{
	char	   *type = ci_get_text(row, type_column);
	bool		is_attribute = strcmp(type, "attribute") == 0;
	bool		isnull;
	Jsonb	   *json;
	char	   *value;
	char	   *name;

	(void) ci_get_datum(row, value_column, JSONBOID, &isnull);
	if (isnull || (!is_attribute && strcmp(type, "identifier") != 0 && strcmp(type, "key") != 0))
		return NULL;
	json = ci_get_jsonb(row, value_column);
	name = ci_get_text(row, type_column + 1);
	value = is_attribute ? ci_canonical_json(json) : ci_jsonb_string(json);
	if (value[0] == '\0')
		return NULL;			/* an earlier erasure's */
	return noting ? note(gone, is_attribute, name, value) : ci_find_had(gone, is_attribute, name, value);
}

/* What history says of contacts. */
static SaidRows
read_said(CiGone *gone, const CiColumn *ids, bool noting)
{
	Datum		values[2] = {Int32GetDatum(gone->config->account_id), ci_column_array(ids)};
	SaidRows	said = {.count = ci_run(&said_stmt, values, NULL, false)};

	said.rows = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(Said) * Max(1, said.count));
	for (int i = 0; i < said.count; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		Said	   *item = &said.rows[i];
		const char *found_kind = ci_get_optional_text(row, 12);
		const char *found_value = ci_get_optional_text(row, 13);

		CHECK_FOR_INTERRUPTS();
		item->contact_id = ci_get_int64(row, 1);
		item->event_id = ci_get_int64(row, 2);
		item->event = ci_get_text(row, 3);
		item->old = read_value(gone, row, 4, 6, noting);
		item->new = read_value(gone, row, 4, 7, noting);
		item->other_id = ci_get_int64(row, 8);
		item->merge_id = ci_get_int64(row, 9);
		item->conflict_id = ci_get_int64(row, 10);
		item->call_id = ci_get_int64(row, 11);
		item->found = found_kind == NULL || found_value == NULL ? NULL : ci_find_had(gone, false, found_kind, found_value);
		item->foreign = false;
	}
	SPI_freetuptable(SPI_tuptable);
	return said;
}

/* ---- Ids ---- */

static HTAB *
create_ids(void)
{
	HASHCTL		control = {.keysize = sizeof(int64),.entrysize = sizeof(int64),.hcxt = CurrentMemoryContext};

	return hash_create("contact_identity ids", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static bool
has_id(HTAB *ids, int64 id)
{
	return hash_search(ids, &id, HASH_FIND, NULL) != NULL;
}

/* Adds an id, to a column as well; true where it is new. */
static bool
add_id(HTAB *ids, CiColumn *column, int64 id)
{
	bool		known;

	(void) hash_search(ids, &id, HASH_ENTER, &known);
	if (!known && column != NULL)
		ci_column_add_int64(column, id);
	return !known;
}

/* ---- Merges that were undone ---- */

/* The end of the rows of one contact. */
static int
end_of_contact(const SaidRows *said, int from)
{
	int			to = from;

	while (to < said->count && said->rows[to].contact_id == said->rows[from].contact_id)
		to++;
	return to;
}

/* When a contact was the survivor of one of those that were reached. */
static Window *
find_windows(const SaidRows *said, int from, int to, HTAB *reached)
{
	Window	   *windows = NULL;

	for (int i = from; i < to; i++)
	{
		const Said *absorbed = &said->rows[i];

		if (strcmp(absorbed->event, "absorbed") != 0 || !has_id(reached, absorbed->other_id))
			continue;
		for (int j = i + 1; j < to; j++)
		{
			const Said *released = &said->rows[j];

			if (strcmp(released->event, "released") == 0 && released->other_id == absorbed->other_id)
			{
				Window	   *window = palloc(sizeof(Window));

				window->merge_id = absorbed->merge_id;
				window->from = absorbed->event_id;
				window->to = released->event_id;
				window->call_id = released->call_id;
				window->next = windows;
				windows = window;
				break;
			}
		}
	}
	return windows;
}

static bool
is_in_window(const Window *window, const Said *said)
{
	return said->event_id >= window->from && (said->event_id <= window->to || said->call_id == window->call_id);
}

static bool
is_in_windows(const Window *windows, const Said *said)
{
	for (const Window *window = windows; window != NULL; window = window->next)
	{
		if (is_in_window(window, said))
			return true;
	}
	return false;
}

/*
 * Merges of a contact that were undone, while it had what was the erased one's:
 * their survivors had it, too.
 */
static void
pass_on(CiGone *gone, const SaidRows *said, int from, int to, const Window *windows, HTAB *known, CiColumn *others)
{
	for (int i = from; i < to; i++)
	{
		const Said *merged = &said->rows[i];

		if (strcmp(merged->event, "merged") != 0 || !is_in_windows(windows, merged))
			continue;
		(void) add_id(known, others, merged->other_id);
		ci_column_add_int64(&gone->passed_on, merged->merge_id);
	}
}

/* Whether a contact is one that was erased before; its numbers are still there. */
static bool
was_erased(const SaidRows *said, int from, int to)
{
	for (int i = from; i < to; i++)
	{
		if (strcmp(said->rows[i].event, "erased") == 0)
			return true;
	}
	return false;
}

/*
 * Reads what history says of those who exchanged values with the contacts, also
 * by way of others who were erased since.  reached are, besides the contacts, those that had what was theirs by merges
 * that were undone.
 */
static SaidRows
read_others(CiGone *gone, HTAB *known, HTAB *reached, CiColumn *others)
{
	SaidRows	said;
	bool		again;

	do
	{
		int			nothers = others->count;

		again = false;
		said = read_said(gone, others, false);
		gone->passed_on.count = 0;
		for (int from = 0, to; from < said.count; from = to)
		{
			Window	   *windows;

			to = end_of_contact(&said, from);
			if (was_erased(&said, from, to))
			{
				for (int i = from; i < to; i++)
				{
					if (said.rows[i].other_id != 0)
						(void) add_id(known, others, said.rows[i].other_id);
				}
			}
			windows = find_windows(&said, from, to, reached);
			for (int i = from; i < to; i++)
			{
				/* A call that found him took something from another. */
				if (said.rows[i].other_id != 0 && said.rows[i].merge_id == 0 && is_in_windows(windows, &said.rows[i]))
					(void) add_id(known, others, said.rows[i].other_id);
			}
			if (windows == NULL)
				continue;
			again |= add_id(reached, NULL, said.rows[from].contact_id);
			pass_on(gone, &said, from, to, windows, known, others);
		}
		again |= others->count > nothers;
	} while (again);
	return said;
}

/* ---- Whose values are ---- */

/* Looks up identifiers that may still go, and marks those that are there. */
static void
mark_present(CiGone *gone, CiStatement *stmt, bool as_held)
{
	Datum		values[4] = {Int32GetDatum(gone->config->account_id)};
	CiHad	  **places;
	CiColumn	kinds;
	CiColumn	texts;
	uint64		count;

	ci_column_init(&kinds, TEXTOID);
	ci_column_init(&texts, TEXTOID);
	places = MemoryContextAllocHuge(CurrentMemoryContext,
									sizeof(CiHad *) * Max(1, hash_get_num_entries(gone->table)));
	for (CiHad *had = gone->had; had != NULL; had = had->next)
	{
		if (had->is_attribute || had->stays)
			continue;
		places[kinds.count] = had;
		ci_column_add_text(&kinds, had->name);
		ci_column_add_text(&texts, had->value);
	}
	if (kinds.count == 0)
		return;
	values[1] = ci_column_array(&kinds);
	values[2] = ci_column_array(&texts);
	values[3] = gone->contacts;
	count = ci_run(stmt, values, NULL, false);
	for (uint64 i = 0; i < count; i++)
	{
		CiHad	   *had = places[ci_get_int64(SPI_tuptable->vals[i], 1) - 1];

		had->stays = true;
		had->held |= as_held;
	}
	SPI_freetuptable(SPI_tuptable);
	pfree(places);
}

/*
 * Notes what was given about an erased contact while it was merged, by calls
 * that found it by what went back.  True if there is any.
 */
static bool
note_given(CiGone *gone, const SaidRows *said, HTAB *reached)
{
	Datum		values[2] = {Int32GetDatum(gone->config->account_id)};
	CiColumn	ids;
	uint64		count;

	ci_column_init(&ids, INT8OID);
	for (int from = 0, to; from < said->count; from = to)
	{
		Window	   *windows;

		to = end_of_contact(said, from);
		windows = find_windows(said, from, to, reached);
		for (int i = from; i < to; i++)
		{
			const Said *row = &said->rows[i];

			if (row->found != NULL && !row->found->held && is_in_windows(windows, row))
				ci_column_add_int64(&ids, row->event_id);
		}
	}
	if (ids.count == 0)
		return false;
	values[1] = ci_column_array(&ids);
	count = ci_run(&new_values_stmt, values, NULL, false);
	for (uint64 i = 0; i < count; i++)
		(void) read_value(gone, SPI_tuptable->vals[i], 1, 3, true);
	SPI_freetuptable(SPI_tuptable);
	return true;
}

/*
 * Whether a row of history is the ended contact's of a merge that was undone.
 * calls only gave the contact again what it had.
 */
static bool
is_foreign(const Said *said, const Window *windows, HTAB *set_aside, HTAB *calls)
{
	for (const Window *window = windows; window != NULL; window = window->next)
	{
		if (is_in_window(window, said) &&
			(said->merge_id == window->merge_id || said->call_id == window->call_id || has_id(calls, said->call_id) ||
			 (said->found != NULL && !said->found->held) ||
			 (said->conflict_id != 0 && has_id(set_aside, said->conflict_id) &&
			  strcmp(said->event, "conflict_promoted") != 0)))
			return true;
	}
	return false;
}

/* Marks the attributes that a contact has. */
static void
mark_attributes(const CiGone *gone, int64 contact_id)
{
	Datum		values[2] = {Int32GetDatum(gone->config->account_id)};
	CiColumn	ids;
	CiAttributes attributes = {0};

	ci_column_init(&ids, INT8OID);
	ci_column_add_int64(&ids, contact_id);
	values[1] = ci_column_array(&ids);
	if (ci_run(&attributes_stmt, values, NULL, false) > 0)
	{
		CiError		error;

		(void) ci_read_attributes(ci_get_jsonb(SPI_tuptable->vals[0], 2), &attributes, &error);
	}
	SPI_freetuptable(SPI_tuptable);
	for (int i = 0; i < attributes.count; i++)
	{
		CiHad	   *had = ci_find_had(gone, true, attributes.items[i].name, attributes.items[i].canonical);

		if (had != NULL)
			had->own_of = contact_id;
	}
}

/* Marks what a contact had by itself, and which rows of it are another's. */
static void
mark_own(const CiGone *gone, const SaidRows *said, int from, int to, const Window *windows)
{
	HTAB	   *set_aside = windows == NULL ? NULL : create_ids();
	HTAB	   *calls = windows == NULL ? NULL : create_ids();

	if (windows != NULL)
		mark_attributes(gone, said->rows[from].contact_id);
	for (int i = from; i < to && windows != NULL; i++)
	{
		if (strcmp(said->rows[i].event, "unmerged") == 0)
			add_id(calls, NULL, said->rows[i].call_id);
	}
	for (const Window *window = windows; window != NULL; window = window->next)
	{
		for (int i = from; i < to; i++)
		{
			if (said->rows[i].merge_id == window->merge_id && said->rows[i].conflict_id != 0)
				add_id(set_aside, NULL, said->rows[i].conflict_id);
		}
	}
	for (int i = from; i < to; i++)
	{
		Said	   *row = &said->rows[i];

		row->foreign = is_foreign(row, windows, set_aside, calls);
		for (int j = 0; j < 2; j++)
		{
			CiHad	   *had = j == 0 ? row->old : row->new;

			if (had == NULL || row->foreign)
				continue;
			if (had->is_attribute)
				had->own_of = row->contact_id;
			else
				had->stays = true;
		}
	}
	/* An attribute that he had by himself is his in all rows. */
	for (int i = from; i < to; i++)
	{
		Said	   *row = &said->rows[i];

		if (row->old != NULL && row->old->is_attribute && row->old->own_of == row->contact_id)
			row->old = NULL;
		if (row->new != NULL && row->new->is_attribute && row->new->own_of == row->contact_id)
			row->new = NULL;
	}
}

/* Rows of others' history that say what goes. */
static void
collect_events(CiGone *gone, const SaidRows *said)
{
	for (int i = 0; i < said->count; i++)
	{
		const Said *row = &said->rows[i];
		bool		found = row->found != NULL && !row->found->stays;
		bool		old = row->foreign && row->old != NULL && !row->old->stays;
		bool		new = row->foreign && row->new != NULL && !row->new->stays;

		if (!found && !old && !new)
			continue;
		ci_column_add_int64(&gone->events, row->event_id);
		ci_column_add_bool(&gone->found, found);
		ci_column_add_bool(&gone->old, old);
		ci_column_add_bool(&gone->new, new);
	}
}

/* Conflicts of others that merges had set aside which were undone since, and that are settled. */
static void
collect_conflicts(CiGone *gone, HTAB *reached, const CiColumn *others)
{
	Datum		values[2] = {Int32GetDatum(gone->config->account_id), ci_column_array(others)};
	uint64		count = ci_run(&given_stmt, values, NULL, false);

	for (uint64 i = 0; i < count; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		const char *ended = ci_get_optional_text(row, 6);
		const char *status = ci_get_text(row, 7);

		if (ended != NULL && has_id(reached, strtoi64(ended, NULL, 10)) &&
			(strcmp(status, "dismissed") == 0 || strcmp(status, "obsolete") == 0) &&
			read_value(gone, row, 3, 5, false) != NULL)
			ci_column_add_int64(&gone->set_aside, ci_get_int64(row, 1));
	}
	SPI_freetuptable(SPI_tuptable);
}

/* What the conflicts of the contacts say. */
static void
read_given(CiGone *gone)
{
	Datum		values[2] = {Int32GetDatum(gone->config->account_id), gone->contacts};
	uint64		count = ci_run(&given_stmt, values, NULL, false);

	for (uint64 i = 0; i < count; i++)
		(void) read_value(gone, SPI_tuptable->vals[i], 3, 5, true);
	SPI_freetuptable(SPI_tuptable);
}

/*
 * Reads what goes with the contacts that a working set erases.  What they held
 * is nobody's already; their history and conflicts must still be there.
 */
void
ci_read_gone(CiGone *gone, const CiWorld *world)
{
	HASHCTL		control = {
		.keysize = sizeof(char *),
		.entrysize = sizeof(CiHad),
		.hash = hash_id,
		.match = compare_id,
		.hcxt = CurrentMemoryContext
	};
	HTAB	   *known = create_ids();
	HTAB	   *reached = create_ids();
	CiColumn	ids;
	CiColumn	others;
	SaidRows	said;

	gone->table = hash_create("contact_identity values", 256, &control,
							  HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
	ci_column_init(&gone->kinds, TEXTOID);
	ci_column_init(&gone->values, TEXTOID);
	ci_column_init(&gone->events, INT8OID);
	ci_column_init(&gone->found, BOOLOID);
	ci_column_init(&gone->old, BOOLOID);
	ci_column_init(&gone->new, BOOLOID);
	ci_column_init(&gone->set_aside, INT8OID);
	ci_column_init(&gone->passed_on, INT8OID);
	ci_column_init(&ids, INT8OID);
	ci_column_init(&others, INT8OID);
	for (int i = 0; i < gone->nids; i++)
	{
		ci_column_add_int64(&ids, gone->ids[i]);
		(void) add_id(known, NULL, gone->ids[i]);
		(void) add_id(reached, NULL, gone->ids[i]);
	}
	for (CiIdentifier *identifier = world->touched_identifiers;
		 identifier != NULL; identifier = identifier->next_touched)
	{
		if (identifier->was.contact != NULL && has_id(known, identifier->was.contact->id))
			(void) note(gone, false, identifier->kind->name, identifier->value);
	}
	said = read_said(gone, &ids, true);
	read_given(gone);
	for (int i = 0; i < said.count; i++)
	{
		if (said.rows[i].other_id != 0)
			(void) add_id(known, &others, said.rows[i].other_id);
	}
	pfree(said.rows);

	mark_present(gone, &held_stmt, true);
	if (others.count > 0)
	{
		said = read_others(gone, known, reached, &others);
		if (note_given(gone, &said, reached))
		{
			mark_present(gone, &held_stmt, true);
			said = read_others(gone, known, reached, &others);
		}
		for (int from = 0, to; from < said.count; from = to)
		{
			to = end_of_contact(&said, from);
			mark_own(gone, &said, from, to, find_windows(&said, from, to, reached));
		}
	}
	else
		said.count = 0;
	mark_present(gone, &theirs_stmt, false);
	collect_events(gone, &said);
	if (hash_get_num_entries(reached) > gone->nids)
		collect_conflicts(gone, reached, &others);
	for (CiHad *had = gone->had; had != NULL; had = had->next)
	{
		if (had->is_attribute || had->stays)
			continue;
		ci_column_add_text(&gone->kinds, had->name);
		ci_column_add_text(&gone->values, had->value);
	}
}
