/*-------------------------------------------------------------------------
 *
 * write.c
 *	  Rows of our tables, written without a statement.
 *
 * To begin and end a statement costs more than to write a row.  Where nothing
 * but indexes and constraints has a say in what a row is to be, it is written as
 * COPY and logical replication write theirs: see insert.c and update.c.  An
 * owner may add to our tables; where that has a say, as a trigger, a policy or a
 * default has, a statement writes the row: see bundle.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "write.h"

/*
 * Whether triggers have a say.  One on TRUNCATE has none, but is what a table
 * has whose rows are elsewhere, on other servers.  A foreign key to a table asks
 * about each row whether its key changes: see update.c.
 */
static bool
has_triggers(const TriggerDesc *triggers, CmdType command)
{
	if (triggers == NULL)
		return false;
	if (triggers->trig_truncate_before_statement || triggers->trig_truncate_after_statement)
		return true;
	if (command == CMD_INSERT)
		return triggers->trig_insert_before_row || triggers->trig_insert_after_row ||
			triggers->trig_insert_before_statement || triggers->trig_insert_after_statement;
	for (int i = 0; i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (TRIGGER_FOR_UPDATE(trigger->tgtype) && RI_FKey_trigger_type(trigger->tgfoid) != RI_TRIGGER_PK)
			return true;
	}
	return false;
}

/* Whether nothing but indexes and constraints has a say. */
static bool
takes_rows(Relation table, CmdType command, AclMode needed)
{
	Oid			relation = RelationGetRelid(table);

	return table->rd_rel->relkind == RELKIND_RELATION && !table->rd_rel->relispartition &&
		table->rd_rules == NULL && !has_triggers(table->trigdesc, command) &&
		check_enable_rls(relation, InvalidOid, true) != RLS_ENABLED &&
		pg_class_aclmask(relation, GetUserId(), needed, ACLMASK_ALL) == needed;
}

/*
 * Opens a table to write rows to it, with the rights that a statement would
 * need; NULL where it has to be one.  Until it is closed no row is shown in
 * errors.
 */
CiTarget *
ci_open_target(const char *name, CmdType command, AclMode needed)
{
	Relation	table = table_open(ci_table(name, false), RowExclusiveLock);
	const char *what = command == CMD_INSERT ? "INSERT" : "UPDATE";
	CiTarget   *target;

	if (!takes_rows(table, command, needed))
	{
		table_close(table, NoLock);
		return NULL;
	}
	PreventCommandIfReadOnly(what);
	PreventCommandIfParallelMode(what);
	CheckCmdReplicaIdentity(table, command);
	Assert(ActiveSnapshotSet());

	target = palloc0(sizeof(CiTarget));
	target->table = table;
	target->estate = CreateExecutorState();
	target->rows = AllocSetContextCreate(CurrentMemoryContext, "contact_identity rows", ALLOCSET_DEFAULT_SIZES);
	target->info = makeNode(ResultRelInfo);
	InitResultRelInfo(target->info, table, 0, NULL, 0);
	ExecOpenIndices(target->info, false);
	ci_hide_rows(&target->hiding);
	return target;
}

/* Closes it; what was written is seen from then on. */
void
ci_close_target(CiTarget *target)
{
	error_context_stack = target->hiding.previous;
	ExecCloseIndices(target->info);
	FreeExecutorState(target->estate);
	MemoryContextDelete(target->rows);
	table_close(target->table, NoLock);
	pfree(target);
	CommandCounterIncrement();
}

/* Whether a column takes values of a type as they are; JSON is given as text. */
static bool
takes_values(Form_pg_attribute attribute, Oid type)
{
	return attribute->atttypmod == -1 && attribute->attgenerated == '\0' &&
		attribute->attidentity != ATTRIBUTE_IDENTITY_ALWAYS &&
		(attribute->atttypid == type || (attribute->atttypid == JSONBOID && type == TEXTOID));
}

/* Whether a column has that name. */
static bool
is_column(TupleDesc desc, AttrNumber number, const char *name, int length)
{
	Form_pg_attribute attribute = TupleDescAttr(desc, number - 1);

	return !attribute->attisdropped && strncmp(NameStr(attribute->attname), name, length) == 0 &&
		NameStr(attribute->attname)[length] == '\0';
}

/* The column of that name, which mostly is where it was the last time. */
static AttrNumber
find_column(TupleDesc desc, AttrNumber last, const char *name, int length)
{
	if (last > 0 && last <= desc->natts && is_column(desc, last, name, length))
		return last;
	for (AttrNumber number = desc->natts; number > 0; number--)
	{
		if (is_column(desc, number, name, length))
			return number;
	}
	return InvalidAttrNumber;
}

/*
 * Finds the columns that values are given for, in the order of the arguments.
 * False where the table has others now.
 */
bool
ci_find_columns(CiStatement *stmt, TupleDesc desc, const CiColumn *columns)
{
	const char *lists[] = {stmt->scalars, stmt->columns};
	int			n = 0;

	for (int i = 0; i < lengthof(lists); i++)
	{
		int			before = n;

		for (const char *name = lists[i]; *name != '\0'; n++)
		{
			int			length = strcspn(name, ",");
			AttrNumber	number = find_column(desc, stmt->numbers[n], name, length);

			if (number == InvalidAttrNumber ||
				!takes_values(TupleDescAttr(desc, number - 1), i == 0 ? stmt->argtypes[n] : columns[n - before].type))
				return false;
			stmt->numbers[n] = number;
			name += length;
			name += strspn(name, ", ");
		}
	}
	Assert(n == stmt->nargs);
	return true;
}

/* Whether a table has columns that are computed of others. */
bool
ci_has_generated(Relation table)
{
	TupleDesc	desc = RelationGetDescr(table);

	for (int i = 0; i < desc->natts; i++)
	{
		if (TupleDescAttr(desc, i)->attgenerated != '\0')
			return true;
	}
	return false;
}

/* JSON as it is stored; most is a string without escapes, or {}. */
static Datum
stored_json(char *text, int length)
{
	JsonbValue	value = {0};

	if (length == 2 && memcmp(text, "{}", 2) == 0)
		value.type = jbvObject;
	else if (text[0] == '"' && memchr(text, '\\', length) == NULL)
	{
		value.type = jbvString;
		value.val.string.val = text + 1;
		value.val.string.len = length - 2;
	}
	else
		return DirectFunctionCall1(jsonb_in, CStringGetDatum(pnstrdup(text, length)));
	return JsonbPGetDatum(JsonbValueToJsonb(&value));
}

/* A value that is not null, as a column of the table has it. */
Datum
ci_stored_value(CiTarget *target, AttrNumber number, const CiColumn *column, int row)
{
	Datum		value = column->values[row];

	if (column->type == TEXTOID && TupleDescAttr(RelationGetDescr(target->table), number - 1)->atttypid == JSONBOID)
		return stored_json(VARDATA(DatumGetPointer(value)), VARSIZE(DatumGetPointer(value)) - VARHDRSZ);
	return value;
}
