/*-------------------------------------------------------------------------
 *
 * statement.h
 *	  SQL statements that are prepared once, and arrays as their arguments.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CI_STATEMENT_H
#define CI_STATEMENT_H

#include "executor/spi.h"
#include "fmgr.h"
#include "storage/lock.h"
#include "utils/jsonb.h"

#define CI_MAX_ARGS 32

/* What a claim is of: account_id, kind, value; or account_id, list_id, contact_id. */
#define CI_CLAIM_KEYS 3

/* The parts of one statement, and the plain values that each has at most. */
#define CI_MAX_PARTS 10
#define CI_MAX_SCALARS 6

/*
 * The rows of arrays, to be joined with a table by its key.  The limit makes
 * the planner expect one row.  (In FROM, unnest() would write its rows to a
 * file or memory of their own before the first is used.)  A reading statement joins them with
 *	CROSS JOIN LATERAL (SELECT ... WHERE key = u.key OFFSET 0)
 * which cannot be planned otherwise than as look-ups.
 */
#define CI_UNNEST(argument) \
	"(SELECT pg_catalog.unnest(" argument ") LIMIT pg_catalog.cardinality(" argument "))"
#define CI_UNNEST2 \
	"(SELECT pg_catalog.unnest($2), pg_catalog.unnest($3) LIMIT pg_catalog.cardinality($2))"

/*
 * What the rows that a statement is given are called in its text: it becomes
 * (...) AS u (columns).  Their columns are the last arguments, as arrays.
 */
#define CI_ROWS "/* rows */"

/*
 * A statement of ours.  What it is and how it runs is given where it is
 * defined, the rest is kept by ci_run.
 */
typedef struct CiStatement
{
	const char *sql;
	const char *columns;		/* of CI_ROWS */
	const char *table;			/* where they may be written straight (write.c) ... */
	const char *scalars;		/* ... and its columns of the other arguments */
	bool		claims;			/* others may have the first CI_CLAIM_KEYS
								 * columns: such rows are left out ... */
	bool		replaces;		/* ... or, of a statement, replaced */
	struct CiLookup *by_key;	/* rows that change: found by the account and
								 * the first columns */
	int			kept;			/* so many of the last columns stay as they
								 * are where they are given null */
	int			expected;		/* SPI_OK_... */
	int			nargs;
	Oid			argtypes[CI_MAX_ARGS];
	const Oid  *more_types;		/* instead, of many arguments */
	bool		free_plan;		/* the planner may choose; else by key only */
	bool		sees_latest;	/* rows, too, that are newer than the
								 * transaction's snapshot; to change one of
								 * them is 40001 */
	int			number;			/* among those that are bundled */
	AttrNumber	numbers[CI_MAX_ARGS];	/* of the table's columns */
	SPIPlanPtr	plan;
	bool		planned;
	uint64		runs;			/* of this plan */
	uint64		good_for;		/* runs, then it is made again */
	bool		for_many;		/* made when there were many rows */
	int			active;			/* runs that are under way ... */
	LocalTransactionId active_in;	/* ... in this transaction */
} CiStatement;

/* Whom to go back to. */
typedef struct CiCaller
{
	Oid			role;
	int			context;
} CiCaller;

/* Values of one type, to become an array. */
typedef struct CiColumn
{
	Oid			type;
	int			count;
	int			size;
	Datum	   *values;			/* not those of texts */
	bool	   *nulls;
	char	   *texts;			/* as they are in an array */
	Size		used;
	Size		room;
} CiColumn;

/* A statement and the rows that it is given. */
typedef struct CiPart
{
	CiStatement *stmt;
	Datum		scalars[CI_MAX_SCALARS];	/* its first arguments */
	const CiColumn *columns;
} CiPart;

/* Writing statements, run as one. */
typedef struct CiBundle
{
	bool		together;		/* else each at once, by itself */
	int			count;
	CiPart		parts[CI_MAX_PARTS];
} CiBundle;

/* insert.c */
extern int	ci_insert_rows(CiStatement *stmt, const Datum *scalars, const CiColumn *columns);

/* update.c */
extern int	ci_update_rows(CiStatement *stmt, const Datum *scalars, const CiColumn *columns);

/* bundle.c */
extern int	ci_columns_of(const CiStatement *stmt);
extern char *ci_statement_text(const CiStatement *stmt);
extern uint64 ci_run_rows(CiStatement *stmt, const Datum *scalars, const CiColumn *columns);
extern uint64 ci_write(CiBundle *bundle, CiStatement *stmt, const Datum *scalars, const CiColumn *columns);
extern uint64 ci_run_bundle(const CiBundle *bundle);

/* statement.c */
extern void ci_install_hooks(void);
extern void ci_become_owner(CiCaller *caller);
extern void ci_become_caller(const CiCaller *caller);
extern Oid	ci_table(const char *name, bool missing_ok);
extern int64 ci_next_value(const char *sequence);
extern void ci_hide_rows(ErrorContextCallback *hiding);
extern uint64 ci_run(CiStatement *stmt, Datum *values, const char *nulls, bool read_only);
extern void ci_push_snapshot(void);
extern void ci_keep_rows(ReturnSetInfo *result, uint64 count);
extern void ci_return_rows(FunctionCallInfo fcinfo, CiStatement *stmt, Datum *values, const char *nulls);

extern void ci_column_init(CiColumn *column, Oid type);
extern void ci_column_add(CiColumn *column, Datum value, bool isnull);
extern void ci_column_add_text(CiColumn *column, const char *value);
extern void ci_column_add_int64(CiColumn *column, int64 value);
extern void ci_column_add_id(CiColumn *column, int64 value);
extern void ci_column_add_bool(CiColumn *column, bool value);
extern void ci_column_add_time(CiColumn *column, int64 value);
extern Datum ci_column_array(const CiColumn *column);
extern Datum ci_column_value(const CiColumn *column, int row);
extern CiColumn ci_column_from(const CiColumn *column, int row);
extern Datum *ci_column_values(const CiColumn *column);
extern int	ci_compare_ids(const void *a, const void *b);
extern void ci_column_sort_ids(CiColumn *column);

extern void ci_check_type(Form_pg_attribute attribute, Oid type);
extern void ci_report_null(const char *column) pg_attribute_noreturn();
extern void ci_report_corrupt(const char *column) pg_attribute_noreturn();
extern char *ci_get_text(HeapTuple tuple, int column);
extern char *ci_get_optional_text(HeapTuple tuple, int column);
extern Jsonb *ci_get_jsonb(HeapTuple tuple, int column);
extern bytea *ci_get_bytea(HeapTuple tuple, int column);
extern int64 ci_get_int64(HeapTuple tuple, int column);
extern int32 ci_get_int32(HeapTuple tuple, int column);
extern bool ci_get_bool(HeapTuple tuple, int column);
extern int64 ci_get_time(HeapTuple tuple, int column);
extern Datum ci_get_datum(HeapTuple tuple, int column, Oid type, bool *isnull);

#endif							/* CI_STATEMENT_H */
