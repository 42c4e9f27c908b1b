/*-------------------------------------------------------------------------
 *
 * insert.c
 *	  New rows of our tables, straight into them (see write.c).
 *
 * History and new contacts are rows that nobody else can have: they need no
 * look-up, and nothing is to be decided about them.  They are formed here and
 * written as COPY writes its rows.
 *
 * A claim is written as INSERT ... ON CONFLICT DO NOTHING writes it, but for the
 * look whether somebody has the value: whoever claims has just looked.  Where
 * somebody has it after all, or may have it soon, it is lost (see pipeline.c); or,
 * as a place on a list, left to a statement that replaces what is there.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/bitmapset.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "compat.h"
#include "write.h"

/* So many rows, or rows of so many bytes, are written at once. */
#define MAX_ROWS 200
#define MAX_BYTES (64 * 1024)

/* Rows on their way into a table. */
typedef struct Insert
{
	const CiStatement *stmt;
	CiTarget   *target;
	List	   *arbiters;		/* indexes that say who has a claimed value */
	TupleTableSlot **slots;
	int			nslots;			/* that were made */
	int			count;			/* that are full */
	Size		bytes;
} Insert;

/* Whether a column that is given no value is null then. */
static bool
are_others_null(const CiStatement *stmt, TupleDesc desc)
{
	Bitmapset  *given = NULL;

	for (int i = 0; i < stmt->nargs; i++)
		given = bms_add_member(given, stmt->numbers[i]);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (!attribute->attisdropped && !bms_is_member(i + 1, given) &&
			(attribute->atthasdef || attribute->attidentity != '\0' || attribute->attgenerated != '\0' ||
			 get_typtype(attribute->atttypid) == TYPTYPE_DOMAIN))
			return false;
	}
	return true;
}

/* An empty slot for the next row. */
static TupleTableSlot *
next_slot(Insert *insert)
{
	if (insert->count == insert->nslots)
	{
		MemoryContext caller = MemoryContextSwitchTo(insert->target->estate->es_query_cxt);

		insert->slots[insert->nslots++] = table_slot_create(insert->target->table, NULL);
		MemoryContextSwitchTo(caller);
	}
	return ExecClearTuple(insert->slots[insert->count++]);
}

/* Forms the next row. */
static void
form_row(Insert *insert, const Datum *scalars, int nscalars, const CiColumn *columns, int row)
{
	TupleDesc	desc = RelationGetDescr(insert->target->table);
	TupleTableSlot *slot = next_slot(insert);

	memset(slot->tts_values, 0, desc->natts * sizeof(Datum));
	memset(slot->tts_isnull, true, desc->natts * sizeof(bool));
	for (int i = 0; i < insert->stmt->nargs; i++)
	{
		AttrNumber	number = insert->stmt->numbers[i];
		const CiColumn *column = &columns[i - nscalars];

		if (i >= nscalars && column->nulls[row])
			continue;
		if (i >= nscalars && column->type == TEXTOID)
			insert->bytes += VARSIZE(DatumGetPointer(column->values[row]));
		slot->tts_values[number - 1] = i < nscalars ? scalars[i] : ci_stored_value(insert->target, number, column, row);
		slot->tts_isnull[number - 1] = false;
	}
	ExecStoreVirtualTuple(slot);
	ci_check_row(insert->target, slot);
}

/* Writes the rows that were formed, with what the indexes have of them. */
static void
write_formed(Insert *insert)
{
	CiTarget   *target = insert->target;
	CommandId	command = GetCurrentCommandId(true);
	MemoryContext caller = MemoryContextSwitchTo(target->rows);

	if (insert->count == 1)
		table_tuple_insert(target->table, insert->slots[0], command, 0, NULL);
	else
		table_multi_insert(target->table, insert->slots, insert->count, command, 0, NULL);
	for (int i = 0; i < insert->count; i++)
	{
		if (target->info->ri_NumIndices > 0)
			list_free(CI_INSERT_INDEX_TUPLES(target->info, insert->slots[i], target->estate));
		ResetPerTupleExprContext(target->estate);
		ExecClearTuple(insert->slots[i]);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextReset(target->rows);
	insert->count = 0;
	insert->bytes = 0;
}

/*
 * Claims what the row that was formed says.  False where somebody else has it,
 * or may have it soon: then nothing of the row is left.
 */
static bool
claim_formed(Insert *insert)
{
	CiTarget   *target = insert->target;
	MemoryContext caller = MemoryContextSwitchTo(target->rows);
	uint32		token = SpeculativeInsertionLockAcquire(GetCurrentTransactionId());
	bool		had = false;

	table_tuple_insert_speculative(target->table, insert->slots[0], GetCurrentCommandId(true), 0, NULL, token);
	list_free(CI_CLAIM_INDEX_TUPLES(target->info, insert->slots[0], target->estate, &had, insert->arbiters));
	table_tuple_complete_speculative(target->table, insert->slots[0], token, !had);
	SpeculativeInsertionLockRelease(GetCurrentTransactionId());
	ResetPerTupleExprContext(target->estate);
	ExecClearTuple(insert->slots[0]);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(target->rows);
	insert->count = 0;
	insert->bytes = 0;
	return !had;
}

/* Whether an index says who has a value: it is unique in just the key. */
static bool
is_arbiter(Relation index, const AttrNumber *key)
{
	Form_pg_index form = index->rd_index;

	if (!form->indisunique || !form->indisvalid || !form->indimmediate || form->indnkeyatts != CI_CLAIM_KEYS ||
		!heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL))
		return false;
	for (int i = 0; i < CI_CLAIM_KEYS; i++)
	{
		bool		found = false;

		for (int j = 0; j < CI_CLAIM_KEYS; j++)
			found |= form->indkey.values[j] == key[i];
		if (!found)
			return false;
	}
	return true;
}

/*
 * Finds those indexes, by the columns that come first.  False where there is
 * none, or another that a claim could be refused by: a statement looks first
 * whether it is lost.  Ours of primary values has one contact's, who is held.
 */
static bool
find_arbiters(Insert *insert)
{
	const ResultRelInfo *info = insert->target->info;

	for (int i = 0; i < info->ri_NumIndices; i++)
	{
		Relation	index = info->ri_IndexRelationDescs[i];

		if (is_arbiter(index, insert->stmt->numbers))
			insert->arbiters = lappend_oid(insert->arbiters, RelationGetRelid(index));
		else if ((index->rd_index->indisunique || index->rd_index->indisexclusion) &&
				 strcmp(RelationGetRelationName(index), "identifier_contact") != 0)
			return false;
	}
	return insert->arbiters != NIL;
}

/* Forms rows and writes them; answers how many, of claims those before one that is lost. */
static int
insert_all(Insert *insert, const Datum *scalars, const CiColumn *columns)
{
	int			ncolumns = ci_columns_of(insert->stmt);

	for (int i = 0; i < ncolumns; i++)
		(void) ci_column_values(&columns[i]);
	for (int row = 0; row < columns[0].count; row++)
	{
		MemoryContext caller = MemoryContextSwitchTo(insert->target->rows);

		CHECK_FOR_INTERRUPTS();
		form_row(insert, scalars, insert->stmt->nargs - ncolumns, columns, row);
		MemoryContextSwitchTo(caller);
		if (insert->stmt->claims)
		{
			if (!claim_formed(insert))
				return row;
		}
		else if (insert->count == MAX_ROWS || insert->bytes >= MAX_BYTES || row == columns[0].count - 1)
			write_formed(insert);
	}
	return columns[0].count;
}

/*
 * Writes the rows of a statement that are new, given as its plain values, which
 * all have in common, and columns.  Answers how many it has written, of claims
 * those before one that is lost; less than 0 where the statement has to be run.
 */
int
ci_insert_rows(CiStatement *stmt, const Datum *scalars, const CiColumn *columns)
{
	Insert		insert = {
		.stmt = stmt,
		.target = ci_open_target(stmt->table, CMD_INSERT, ACL_INSERT | (stmt->claims ? ACL_SELECT : 0))
	};
	TupleDesc	desc;
	int			written = -1;

	if (insert.target == NULL)
		return written;
	desc = RelationGetDescr(insert.target->table);
	insert.slots = palloc(Min(columns[0].count, MAX_ROWS) * sizeof(TupleTableSlot *));
	if (ci_find_columns(stmt, desc, columns) && are_others_null(stmt, desc) && (!stmt->claims || find_arbiters(&insert)))
		written = insert_all(&insert, scalars, columns);
	for (int i = 0; i < insert.nslots; i++)
		ExecDropSingleTupleTableSlot(insert.slots[i]);
	ci_close_target(insert.target);
	return written;
}
