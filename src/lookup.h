/*-------------------------------------------------------------------------
 *
 * lookup.h
 *	  Rows of our tables by key, straight from an index.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CI_LOOKUP_H
#define CI_LOOKUP_H

#include "executor/tuptable.h"
#include "utils/jsonb.h"
#include "utils/relcache.h"

#include "statement.h"

#define CI_MAX_LOOKUP_KEYS 3
#define CI_MAX_LOOKUP_COLUMNS 16

/* A column that is read; the type is one that we have made it with. */
typedef struct CiLookupColumn
{
	const char *name;
	Oid			type;
	AttrNumber	number;			/* where it was found last */
} CiLookupColumn;

/* A table, the key that it is looked up by, and the columns that are read. */
typedef struct CiLookup
{
	const char *table;
	const char *partial_index;	/* that has all rows with this key, or NULL */
	int			nkeys;
	int			keys[CI_MAX_LOOKUP_KEYS];	/* positions in columns */
	CiLookupColumn columns[CI_MAX_LOOKUP_COLUMNS];	/* up to one without name */
	AttrNumber	last;			/* the last in the table */
	Oid			index;			/* that was used last */
} CiLookup;

/* A row that was found.  It is there until its reader returns. */
typedef struct CiRow
{
	const CiLookup *lookup;
	TupleTableSlot *slot;
	int			key;			/* by which it was found, in order ... */
	int			before;			/* ... and rows of that before it */
} CiRow;

/* Answers whether to go on with this key. */
typedef bool (*CiRowReader) (void *argument, const CiRow *row);

extern void ci_look_up(CiLookup *lookup, Datum account, const CiColumn *columns,
					   CiRowReader reader, void *argument);

extern void ci_find_columns_of(CiLookup *lookup, Relation table);

extern char *ci_row_text(const CiRow *row, int column);
extern char *ci_row_optional_text(const CiRow *row, int column);
extern Jsonb *ci_row_jsonb(const CiRow *row, int column);
extern int64 ci_row_int64(const CiRow *row, int column);
extern int32 ci_row_int32(const CiRow *row, int column);
extern bool ci_row_bool(const CiRow *row, int column);
extern int64 ci_row_time(const CiRow *row, int column);
extern TransactionId ci_row_version(const CiRow *row);

#endif							/* CI_LOOKUP_H */
