/*-------------------------------------------------------------------------
 *
 * lookup.c
 *	  Rows of our tables by key, straight from an index.
 *
 * What a call looks at are single rows, by keys that it has.  To begin and end
 * a statement for them costs several times what it takes to find them, so the
 * index is asked directly, as the server asks its catalogues.  The rows are
 * those that the active snapshot sees, and in SERIALIZABLE they are noted as
 * read, as if a statement had read them.
 *
 * Columns are found by name and an index by its columns, at each look-up: an
 * owner may add and drop some.  Where no index will do, the table is searched.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relscan.h"
#include "access/skey.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "lookup.h"
#include "resolver.h"

/* Finds the columns, which are mostly where they were the last time. */
void
ci_find_columns_of(CiLookup *lookup, Relation table)
{
	TupleDesc	desc = RelationGetDescr(table);

	lookup->last = 0;
	for (int i = 0; lookup->columns[i].name != NULL; i++)
	{
		CiLookupColumn *column = &lookup->columns[i];
		int			number = column->number;

		if (number == 0 || number > desc->natts ||
			TupleDescAttr(desc, number - 1)->attisdropped ||
			strcmp(NameStr(TupleDescAttr(desc, number - 1)->attname), column->name) != 0)
		{
			for (number = desc->natts; number > 0; number--)
			{
				if (!TupleDescAttr(desc, number - 1)->attisdropped &&
					strcmp(NameStr(TupleDescAttr(desc, number - 1)->attname), column->name) == 0)
					break;
			}
			if (number == 0)
				ereport(ERROR,
						(errcode(ERRCODE_UNDEFINED_COLUMN),
						 errmsg("table \"%s\" of contact_identity has no column \"%s\"", lookup->table, column->name),
						 errhint("Change the table back to what setup() made.")));
			column->number = number;
		}
		ci_check_type(TupleDescAttr(desc, number - 1), column->type);
		lookup->last = Max(lookup->last, number);
	}
}

/* Whether an index begins with the key and has every row that can be found. */
static bool
is_usable(const CiLookup *lookup, Relation index)
{
	Form_pg_index form = index->rd_index;

	if (index->rd_rel->relam != BTREE_AM_OID || !form->indisvalid ||
		form->indnkeyatts < lookup->nkeys)
		return false;
	/* One of a part of the rows is good where we have made it for this. */
	if (!heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL) &&
		(lookup->partial_index == NULL ||
		 strcmp(RelationGetRelationName(index), lookup->partial_index) != 0))
		return false;
	/* It may lack versions that an old snapshot still sees. */
	if (form->indcheckxmin &&
		!TransactionIdPrecedes(HeapTupleHeaderGetXmin(index->rd_indextuple->t_data), TransactionXmin))
		return false;
	for (int i = 0; i < lookup->nkeys; i++)
	{
		if (form->indkey.values[i] != lookup->columns[lookup->keys[i]].number)
			return false;
	}
	return true;
}

/*
 * Opens the index for a look-up; NULL where there is none.  The table is locked,
 * so that none of its indexes can go.
 */
static Relation
open_index(CiLookup *lookup, Relation table)
{
	List	   *indexes = RelationGetIndexList(table);
	Relation	index = NULL;
	ListCell   *cell;

	if (list_member_oid(indexes, lookup->index))
	{
		index = index_open(lookup->index, AccessShareLock);
		if (!is_usable(lookup, index))
		{
			index_close(index, NoLock);
			index = NULL;
		}
	}
	foreach(cell, index == NULL ? indexes : NIL)
	{
		index = index_open(lfirst_oid(cell), AccessShareLock);
		if (is_usable(lookup, index))
		{
			lookup->index = lfirst_oid(cell);
			break;
		}
		index_close(index, NoLock);
		index = NULL;
	}
	list_free(indexes);
	return index;
}

/* The conditions on the key, of the index or of the table. */
static void
make_conditions(const CiLookup *lookup, Relation table, Relation index, ScanKey conditions)
{
	for (int i = 0; i < lookup->nkeys; i++)
	{
		const CiLookupColumn *column = &lookup->columns[lookup->keys[i]];
		RegProcedure equal = column->type == TEXTOID ? F_TEXTEQ :
			column->type == INT8OID ? F_INT8EQ : F_INT4EQ;

		Assert(equal != F_INT4EQ || column->type == INT4OID);
		ScanKeyEntryInitialize(&conditions[i], 0, index != NULL ? i + 1 : column->number,
							   BTEqualStrategyNumber, InvalidOid,
							   index != NULL ? index->rd_indcollation[i] :
							   TupleDescAttr(RelationGetDescr(table), column->number - 1)->attcollation,
							   equal, (Datum) 0);
	}
}

/*
 * Hands the rows of each key to a reader.  All keys begin with the account; the
 * columns have the rest of each, and none of it is null.
 */
void
ci_look_up(CiLookup *lookup, Datum account, const CiColumn *columns, CiRowReader reader, void *argument)
{
	ScanKeyData conditions[CI_MAX_LOOKUP_KEYS];
	Datum	   *keys[CI_MAX_LOOKUP_KEYS];
	Relation	table;
	Relation	index;
	IndexScanDesc index_scan = NULL;
	TableScanDesc table_scan = NULL;
	TupleTableSlot *slot;
	CiRow		row = {.lookup = lookup};

	if (columns[0].count == 0)
		return;
	table = table_open(ci_table(lookup->table, false), AccessShareLock);
	if (table->rd_rel->relkind != RELKIND_RELATION)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" of contact_identity is not an ordinary table", lookup->table),
				 errhint("Change it back to what setup() made.")));

	/*
	 * Some of our tables are empty for long.  What the snapshot sees was there
	 * before it; a serializable transaction has to leave word that it looked.
	 */
	if (!IsolationIsSerializable() && RelationGetNumberOfBlocks(table) == 0)
	{
		table_close(table, NoLock);
		return;
	}
	ci_find_columns_of(lookup, table);
	index = open_index(lookup, table);
	make_conditions(lookup, table, index, conditions);
	conditions[0].sk_argument = account;
	for (int i = 1; i < lookup->nkeys; i++)
		keys[i] = ci_column_values(&columns[i - 1]);
	slot = table_slot_create(table, NULL);
	row.slot = slot;
	if (index != NULL)
		index_scan = CI_INDEX_BEGINSCAN(table, index, GetActiveSnapshot(), lookup->nkeys);
	for (int i = 0; i < columns[0].count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		for (int j = 1; j < lookup->nkeys; j++)
			conditions[j].sk_argument = keys[j][i];
		if (index_scan != NULL)
			index_rescan(index_scan, conditions, lookup->nkeys, NULL, 0);
		else
			table_scan = table_beginscan(table, GetActiveSnapshot(), lookup->nkeys, conditions);
		row.key = i;
		row.before = 0;
		while (index_scan != NULL ? index_getnext_slot(index_scan, ForwardScanDirection, slot) :
			   table_scan_getnextslot(table_scan, ForwardScanDirection, slot))
		{
			slot_getsomeattrs(slot, lookup->last);
			if (!reader(argument, &row))
				break;
			row.before++;
		}
		if (table_scan != NULL)
			table_endscan(table_scan);
	}
	if (index_scan != NULL)
		index_endscan(index_scan);
	ExecDropSingleTupleTableSlot(slot);
	if (index != NULL)
		index_close(index, NoLock);
	table_close(table, NoLock);
}

/* A column of a row, counted from 0 as the look-up has them. */
static Datum
get_datum(const CiRow *row, int column, bool *isnull)
{
	int			number = row->lookup->columns[column].number;

	*isnull = row->slot->tts_isnull[number - 1];
	return row->slot->tts_values[number - 1];
}

/* As get_datum, of a column that must not be null. */
static Datum
get_present(const CiRow *row, int column)
{
	bool		isnull;
	Datum		value = get_datum(row, column, &isnull);

	if (isnull)
		ci_report_null(row->lookup->columns[column].name);
	return value;
}

/* A text column. */
char *
ci_row_text(const CiRow *row, int column)
{
	return TextDatumGetCString(get_present(row, column));
}

/* A text column, or NULL. */
char *
ci_row_optional_text(const CiRow *row, int column)
{
	bool		isnull;
	Datum		value = get_datum(row, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

/* A jsonb column. */
Jsonb *
ci_row_jsonb(const CiRow *row, int column)
{
	return DatumGetJsonbP(get_present(row, column));
}

/* A bigint column; 0 for null. */
int64
ci_row_int64(const CiRow *row, int column)
{
	bool		isnull;
	Datum		value = get_datum(row, column, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

/* An integer column; 0 for null. */
int32
ci_row_int32(const CiRow *row, int column)
{
	bool		isnull;
	Datum		value = get_datum(row, column, &isnull);

	return isnull ? 0 : DatumGetInt32(value);
}

/* A boolean column; false for null. */
bool
ci_row_bool(const CiRow *row, int column)
{
	bool		isnull;
	Datum		value = get_datum(row, column, &isnull);

	return !isnull && DatumGetBool(value);
}

/* A timestamptz column; CI_NO_TIME for null. */
int64
ci_row_time(const CiRow *row, int column)
{
	bool		isnull;
	Datum		value = get_datum(row, column, &isnull);

	return isnull ? CI_NO_TIME : DatumGetTimestampTz(value);
}

/* The transaction that has written the row as it is. */
TransactionId
ci_row_version(const CiRow *row)
{
	bool		isnull;

	return DatumGetTransactionId(slot_getsysattr(row->slot, MinTransactionIdAttributeNumber, &isnull));
}
