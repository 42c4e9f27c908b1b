/*-------------------------------------------------------------------------
 *
 * update.c
 *	  Changed rows of our tables, straight into them (see write.c).
 *
 * Who changes a row of a contact holds the contact, and has it as it was read,
 * so that nobody else changes that row meanwhile.  Where somebody has after all,
 * the statement goes on from there: it waits, or says what it has to.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "lookup.h"
#include "write.h"

/* Rows that change. */
typedef struct Update
{
	const CiStatement *stmt;
	CiTarget   *target;
	const CiColumn *columns;
	int			ncolumns;
	TupleTableSlot *slot;
	bool		is_stuck;		/* somebody else has to do with one ... */
	int			at;				/* ... this */
} Update;

/* Whether a foreign key to the table has to look at a row that changes. */
static bool
is_referenced(CiTarget *target, TupleTableSlot *old, TupleTableSlot *slot)
{
	const TriggerDesc *triggers = target->table->trigdesc;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];

		if (TRIGGER_FOR_UPDATE(trigger->tgtype) &&
			RI_FKey_pk_upd_check_required(trigger, target->table, old, slot))
			return true;
	}
	return false;
}

/*
 * Puts a changed row in the place of one that was found.  False where it is
 * locked, and wait is not said, or no more what was found, or where that is for
 * a statement to do.
 */
bool
ci_replace_row(CiTarget *target, TupleTableSlot *old, TupleTableSlot *slot, bool wait)
{
	MemoryContext caller;
	TM_FailureData failure;
	LockTupleMode mode;
	CiIndexUpdate indexes;

	ci_check_row(target, slot);
	if (is_referenced(target, old, slot))
		return false;
	caller = MemoryContextSwitchTo(target->rows);
	if (table_tuple_update(target->table, &old->tts_tid, slot, GetCurrentCommandId(true), GetActiveSnapshot(),
						   InvalidSnapshot, wait, &failure, &mode, &indexes) != TM_Ok)
	{
		MemoryContextSwitchTo(caller);
		return false;
	}
	if (target->info->ri_NumIndices > 0 && indexes)
		list_free(CI_UPDATE_INDEX_TUPLES(target->info, slot, target->estate, indexes));
	ResetPerTupleExprContext(target->estate);
	MemoryContextSwitchTo(caller);
	return true;
}

/* A copy of a row, to be changed. */
void
ci_copy_row(TupleTableSlot *slot, TupleTableSlot *old)
{
	int			natts = old->tts_tupleDescriptor->natts;

	slot_getallattrs(old);
	ExecClearTuple(slot);
	memcpy(slot->tts_values, old->tts_values, natts * sizeof(Datum));
	memcpy(slot->tts_isnull, old->tts_isnull, natts * sizeof(bool));
}

/* Changes a row that was found. */
static bool
change_row(void *argument, const CiRow *row)
{
	Update	   *update = argument;
	const CiStatement *stmt = update->stmt;
	TupleTableSlot *slot = update->slot;
	MemoryContext caller;

	if (update->is_stuck)
		return false;
	caller = MemoryContextSwitchTo(update->target->rows);
	ci_copy_row(slot, row->slot);
	for (int i = 0; i < update->ncolumns; i++)
	{
		const CiColumn *column = &update->columns[i];
		AttrNumber	number = stmt->numbers[stmt->nargs - update->ncolumns + i];

		if (!column->nulls[row->key])
			slot->tts_values[number - 1] = ci_stored_value(update->target, number, column, row->key);
		if (!column->nulls[row->key] || i < update->ncolumns - stmt->kept)
			slot->tts_isnull[number - 1] = column->nulls[row->key];
	}
	ExecStoreVirtualTuple(slot);
	MemoryContextSwitchTo(caller);
	if (!ci_replace_row(update->target, row->slot, slot, true))
	{
		update->is_stuck = true;
		update->at = row->key;
	}
	ExecClearTuple(slot);
	MemoryContextReset(update->target->rows);
	return !update->is_stuck;
}

/*
 * Changes the rows of a statement, found by the account and the first columns.
 * Answers how many of those that are given are done; for those from there on, or
 * for all where that is less than 0, the statement has to be run.
 */
int
ci_update_rows(CiStatement *stmt, const Datum *scalars, const CiColumn *columns)
{
	Update		update = {
		.stmt = stmt,
		.target = ci_open_target(stmt->table, CMD_UPDATE, ACL_SELECT | ACL_UPDATE),
		.columns = columns,
		.ncolumns = ci_columns_of(stmt),
		.at = -1
	};

	if (update.target == NULL)
		return update.at;
	if (!ci_has_generated(update.target->table) &&
		ci_find_columns(stmt, RelationGetDescr(update.target->table), columns))
	{
		update.slot = table_slot_create(update.target->table, NULL);
		for (int i = 0; i < update.ncolumns; i++)
			(void) ci_column_values(&columns[i]);
		ci_push_snapshot();
		ci_look_up(stmt->by_key, scalars[0], columns, change_row, &update);
		PopActiveSnapshot();
		ExecDropSingleTupleTableSlot(update.slot);
		if (!update.is_stuck)
			update.at = columns[0].count;
	}
	ci_close_target(update.target);
	return update.at;
}
