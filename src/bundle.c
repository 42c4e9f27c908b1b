/*-------------------------------------------------------------------------
 *
 * bundle.c
 *	  Statements on rows that we give, alone or several as one.
 *
 * In a statement's text CI_ROWS stands for those rows.  Many are given as
 * arrays.  For few, and to begin and end a statement costs more than to read or
 * write one row, they are plain values: VALUES ($2, $3), ($4, $5).
 *
 * Most of what one call writes is written straight in the tables (write.c).  The
 * rest is few rows of several tables, and written by one statement, of which
 * those of the tables are parts:
 *	WITH p0 AS (INSERT ...), p1 AS (UPDATE ...) INSERT ...
 * All parts see the rows as they were before, and none may need what another
 * has written.
 *
 * Each combination that is met is prepared once and kept.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "lib/stringinfo.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "statement.h"

/* So many combinations are kept; others are prepared each time. */
#define MAX_KEPT 256

/* More rows than these are given as arrays. */
#define MAX_FEW 4

#define MAX_ARGS (CI_MAX_PARTS * CI_MAX_ARGS * MAX_FEW)

/* For each part its statement and how its rows are given. */
typedef struct Signature
{
	uint8		parts[CI_MAX_PARTS][2];
} Signature;

/* A combination of parts. */
typedef struct Kept
{
	Signature	signature;		/* hash key */
	CiStatement *stmt;
} Kept;

static HTAB *kept = NULL;

/* The number of columns that a statement's rows have. */
int
ci_columns_of(const CiStatement *stmt)
{
	int			count = stmt->columns != NULL;

	for (const char *c = stmt->columns; c != NULL && *c != '\0'; c++)
		count += *c == ',';
	return count;
}

/* The number of arguments before those. */
static int
scalars_of(const CiStatement *stmt)
{
	return stmt->nargs - ci_columns_of(stmt);
}

/* The number of rows of a part that is given them as plain values; else 0. */
static int
few_rows(const CiPart *part)
{
	return part->columns != NULL && part->columns[0].count <= MAX_FEW ? part->columns[0].count : 0;
}

static Signature
signature_of(const CiBundle *bundle)
{
	static int	statements = 0;
	Signature	signature = {0};

	for (int i = 0; i < bundle->count; i++)
	{
		CiStatement *stmt = bundle->parts[i].stmt;

		if (stmt->number == 0)
			stmt->number = ++statements;
		Assert(stmt->number <= PG_UINT8_MAX);
		signature.parts[i][0] = stmt->number;
		signature.parts[i][1] = few_rows(&bundle->parts[i]);
	}
	return signature;
}

/* Appends $4, $5, ... */
static void
append_arguments(StringInfo out, int first, int count)
{
	for (int i = 0; i < count; i++)
		appendStringInfo(out, i == 0 ? "$%d" : ", $%d", first + i);
}

/* Appends the rows that a statement is given, the first value being $first. */
static void
append_rows(StringInfo out, const CiStatement *stmt, int first, int few)
{
	int			ncolumns = ci_columns_of(stmt);

	if (few == 0)
	{
		for (int i = 0; i < ncolumns; i++)
			appendStringInfo(out, "%s pg_catalog.unnest($%d)", i == 0 ? "(SELECT" : ",", first + i);
		/* The planner expects one row then. */
		appendStringInfo(out, " LIMIT pg_catalog.cardinality($%d))", first);
	}
	else if (few == 1)
	{
		appendStringInfoString(out, "(SELECT ");
		append_arguments(out, first, ncolumns);
		appendStringInfoChar(out, ')');
	}
	else
	{
		for (int i = 0; i < few; i++)
		{
			appendStringInfoString(out, i == 0 ? "(VALUES (" : ", (");
			append_arguments(out, first + i * ncolumns, ncolumns);
			appendStringInfoChar(out, ')');
		}
		appendStringInfoChar(out, ')');
	}
	appendStringInfo(out, " AS u (%s)", stmt->columns);
}

/*
 * Appends a statement's text, with its arguments behind those that there are
 * before, and its rows as few plain values or, 0, as arrays.
 */
static void
append_statement(StringInfo out, const CiStatement *stmt, int before, int few)
{
	const char *text = stmt->sql;

	while (*text !='\0')
	{
		if (strncmp(text, CI_ROWS, strlen(CI_ROWS)) == 0)
		{
			append_rows(out, stmt, before + scalars_of(stmt) + 1, few);
			text	  +=strlen(CI_ROWS);
		}
		else if (text[0] == '$' && isdigit((unsigned char) text[1]))
		{
			char	   *end;

			appendStringInfo(out, "$%ld", strtol(text +1, &end, 10) + before);
			text = end;
		}
		else
			appendStringInfoChar(out, *text ++);
	}
}

/* The text of a statement whose rows are given as arrays. */
char *
ci_statement_text(const CiStatement *stmt)
{
	StringInfoData sql;

	initStringInfo(&sql);
	append_statement(&sql, stmt, 0, 0);
	return sql.data;
}

/* Adds the types of a part's arguments to those that there are; answers how many. */
static int
add_types(Oid *types, int count, const CiPart *part)
{
	int			ncolumns = ci_columns_of(part->stmt);
	int			few = few_rows(part);

	for (int i = 0; i < (few == 0 ? part->stmt->nargs : scalars_of(part->stmt)); i++)
		types[count++] = part->stmt->argtypes[i];
	for (int i = 0; i < few * ncolumns; i++)
		types[count++] = part->columns[i % ncolumns].type;
	return count;
}

/* The statement that has all parts of a bundle. */
static CiStatement *
combine(const CiBundle *bundle)
{
	CiStatement *stmt = palloc0(sizeof(CiStatement));
	Oid			types[MAX_ARGS];
	Oid		   *all_types;
	StringInfoData sql;

	initStringInfo(&sql);
	for (int i = 0; i < bundle->count; i++)
	{
		const CiPart *part = &bundle->parts[i];
		bool		is_last = i == bundle->count - 1;

		if (!is_last)
			appendStringInfo(&sql, i == 0 ? "WITH p%d AS (" : ", p%d AS (", i);
		append_statement(&sql, part->stmt, stmt->nargs, few_rows(part));
		appendStringInfoChar(&sql, is_last ? ' ' : ')');
		stmt->nargs = add_types(types, stmt->nargs, part);
		stmt->expected = part->stmt->expected;
		stmt->sees_latest |= part->stmt->sees_latest;
	}
	all_types = palloc(sizeof(Oid) * stmt->nargs);
	memcpy(all_types, types, sizeof(Oid) * stmt->nargs);
	stmt->more_types = all_types;
	stmt->sql = sql.data;
	return stmt;
}

/* The statement for a bundle, and whether it is kept. */
static CiStatement *
find_combination(const CiBundle *bundle, bool *is_kept)
{
	Signature	signature = signature_of(bundle);
	Kept	   *entry;

	if (kept == NULL)
	{
		HASHCTL		control = {
			.keysize = sizeof(Signature),
			.entrysize = sizeof(Kept)
		};

		kept = hash_create("contact_identity bundles", MAX_KEPT, &control, HASH_ELEM | HASH_BLOBS);
	}
	entry = hash_search(kept, &signature, HASH_FIND, NULL);
	if (entry == NULL)
	{
		CiStatement *stmt = combine(bundle);
		CiStatement *lasting;

		*is_kept = hash_get_num_entries(kept) < MAX_KEPT;
		if (!*is_kept)
			return stmt;
		lasting = MemoryContextAlloc(TopMemoryContext, sizeof(CiStatement));
		*lasting = *stmt;
		lasting->sql = MemoryContextStrdup(TopMemoryContext, stmt->sql);
		lasting->more_types = memcpy(MemoryContextAlloc(TopMemoryContext, sizeof(Oid) * stmt->nargs),
									 stmt->more_types, sizeof(Oid) * stmt->nargs);
		entry = hash_search(kept, &signature, HASH_ENTER, NULL);
		entry->stmt = lasting;
	}
	*is_kept = true;
	return entry->stmt;
}

/* Runs the parts of a bundle. */
static uint64
run_combination(const CiBundle *bundle)
{
	bool		is_kept;
	CiStatement *stmt = find_combination(bundle, &is_kept);
	Datum		values[MAX_ARGS];
	char		nulls[MAX_ARGS];
	int			n = 0;
	uint64		count;

	memset(nulls, ' ', stmt->nargs);
	for (int i = 0; i < bundle->count; i++)
	{
		const CiPart *part = &bundle->parts[i];
		int			ncolumns = ci_columns_of(part->stmt);
		int			few = few_rows(part);

		for (int j = 0; j < scalars_of(part->stmt); j++)
			values[n++] = part->scalars[j];
		for (int j = 0; few == 0 && j < ncolumns; j++)
			values[n++] = ci_column_array(&part->columns[j]);
		for (int row = 0; row < few; row++)
		{
			for (int j = 0; j < ncolumns; j++, n++)
			{
				nulls[n] = part->columns[j].nulls[row] ? 'n' : ' ';
				values[n] = ci_column_value(&part->columns[j], row);
			}
		}
	}
	Assert(n == stmt->nargs);
	count = ci_run(stmt, values, nulls, false);
	if (!is_kept)
		SPI_freeplan(stmt->plan);
	return count;
}

/* Runs a statement on rows. */
uint64
ci_run_rows(CiStatement *stmt, const Datum *scalars, const CiColumn *columns)
{
	CiBundle	bundle = {.count = 1};

	bundle.parts[0].stmt = stmt;
	bundle.parts[0].columns = columns;
	memcpy(bundle.parts[0].scalars, scalars, scalars_of(stmt) * sizeof(Datum));
	return run_combination(&bundle);
}

/* Runs a statement on the rows that are still to be written. */
static uint64
run_rest(CiStatement *stmt, const Datum *scalars, const CiColumn *columns, int written)
{
	CiColumn	rest[CI_MAX_ARGS];

	for (int i = 0; i < ci_columns_of(stmt); i++)
		rest[i] = ci_column_from(&columns[i], written);
	return ci_run_rows(stmt, scalars, rest);
}

/* Writes rows straight in their table; answers how many, less than 0 where it cannot. */
static int
write_straight(CiStatement *stmt, const Datum *scalars, const CiColumn *columns)
{
	if (stmt->table == NULL)
		return -1;
	return stmt->by_key == NULL ? ci_insert_rows(stmt, scalars, columns) : ci_update_rows(stmt, scalars, columns);
}

/*
 * Writes rows, at once or, where the bundle is to be run together, then; until
 * then the columns have to stay.  Answers the number of rows, less than all of
 * them where a claim is lost.
 */
uint64
ci_write(CiBundle *bundle, CiStatement *stmt, const Datum *scalars, const CiColumn *columns)
{
	CiPart	   *part = &bundle->parts[bundle->count];
	int			written = write_straight(stmt, scalars, columns);

	if (written == columns[0].count || (written >= 0 && stmt->claims && !stmt->replaces))
		return written;
	if (written > 0)
		return written + run_rest(stmt, scalars, columns, written);
	if (!bundle->together)
		return ci_run_rows(stmt, scalars, columns);
	Assert(bundle->count < CI_MAX_PARTS);
	part->stmt = stmt;
	part->columns = columns;
	memcpy(part->scalars, scalars, scalars_of(stmt) * sizeof(Datum));
	bundle->count++;
	return columns[0].count;
}

/* Runs what has been bundled.  Answers the number of rows of the last part. */
uint64
ci_run_bundle(const CiBundle *bundle)
{
	return run_combination(bundle);
}
