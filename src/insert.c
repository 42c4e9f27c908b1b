/*-------------------------------------------------------------------------
 *
 * insert.c
 *	  New rows of our tables, straight into them.
 *
 * History and new contacts are rows that nobody else can have: they need no
 * look-up, and nothing is to be decided about them.  To begin and end a
 * statement for them costs more than to write them, so they are formed here and
 * written as COPY writes its rows, with their indexes and constraints.
 *
 * A claim is written as INSERT ... ON CONFLICT DO NOTHING writes it, but for the
 * look whether somebody has the value: whoever claims has just looked.  Where
 * somebody has it after all, that statement goes on from there, and waits.
 *
 * An owner may add to our tables.  Where that has a say in what a new row is, as
 * a trigger, a policy or a default has, a statement writes it: see bundle.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "statement.h"

/* So many rows, or rows of so many bytes, are written at once, as by COPY. */
#define MAX_ROWS 1000
#define MAX_BYTES (64 * 1024)

/* Rows on their way into a table. */
typedef struct Insert
{
	const CiStatement *stmt;
	Relation	table;
	EState	   *estate;
	ResultRelInfo *target;
	List	   *arbiters;		/* indexes that say who has a claimed value */
	MemoryContext rows;			/* what they consist of */
	TupleTableSlot *slots[MAX_ROWS];
	int			nslots;			/* that were made */
	int			count;			/* that are full */
	Size		bytes;
} Insert;

/*
 * Whether nothing but indexes and constraints has a say in new rows.  A trigger
 * on TRUNCATE has none, but is what a table has whose rows are elsewhere, on
 * other servers.
 */
static bool
takes_rows(Relation table, AclMode needed)
{
	const TriggerDesc *triggers = table->trigdesc;
	Oid			relation = RelationGetRelid(table);

	return table->rd_rel->relkind == RELKIND_RELATION && !table->rd_rel->relispartition &&
		table->rd_rules == NULL &&
		(triggers == NULL ||
		 (!triggers->trig_insert_before_row && !triggers->trig_insert_after_row &&
		  !triggers->trig_insert_before_statement && !triggers->trig_insert_after_statement &&
		  !triggers->trig_truncate_before_statement && !triggers->trig_truncate_after_statement)) &&
		check_enable_rls(relation, InvalidOid, true) != RLS_ENABLED &&
		pg_class_aclmask(relation, GetUserId(), needed, ACLMASK_ALL) == needed;
}

/* Whether a column takes values of a type as they are; JSON is given as text. */
static bool
takes_values(Form_pg_attribute attribute, Oid type)
{
	return attribute->atttypmod == -1 && attribute->attgenerated == '\0' &&
		attribute->attidentity != ATTRIBUTE_IDENTITY_ALWAYS &&
		(attribute->atttypid == type || (attribute->atttypid == JSONBOID && type == TEXTOID));
}

/* The column of that name. */
static AttrNumber
find_column(TupleDesc desc, const char *name, int length)
{
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (!attribute->attisdropped && strncmp(NameStr(attribute->attname), name, length) == 0 &&
			NameStr(attribute->attname)[length] == '\0')
			return i + 1;
	}
	return InvalidAttrNumber;
}

/*
 * Finds the columns that values are given for, in the order of the arguments.
 * False where the table has others now, or one that would be given a value.
 */
static bool
find_columns(CiStatement *stmt, TupleDesc desc, const CiColumn *columns)
{
	const char *lists[] = {stmt->scalars, stmt->columns};
	Bitmapset  *given = NULL;
	int			n = 0;

	for (int i = 0; i < lengthof(lists); i++)
	{
		int			before = n;

		for (const char *name = lists[i]; *name != '\0'; n++)
		{
			int			length = strcspn(name, ",");
			AttrNumber	number = find_column(desc, name, length);

			if (number == InvalidAttrNumber ||
				!takes_values(TupleDescAttr(desc, number - 1), i == 0 ? stmt->argtypes[n] : columns[n - before].type))
				return false;
			stmt->numbers[n] = number;
			given = bms_add_member(given, number);
			name += length;
			name += strspn(name, ", ");
		}
	}
	Assert(n == stmt->nargs);
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
		MemoryContext caller = MemoryContextSwitchTo(insert->estate->es_query_cxt);

		insert->slots[insert->nslots++] = table_slot_create(insert->table, NULL);
		MemoryContextSwitchTo(caller);
	}
	return ExecClearTuple(insert->slots[insert->count++]);
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

/* Forms the next row; the texts are where those of the columns are. */
static void
form_row(Insert *insert, const Datum *scalars, int nscalars, const CiColumn *columns, int row, char **texts)
{
	TupleDesc	desc = RelationGetDescr(insert->table);
	TupleTableSlot *slot = next_slot(insert);

	memset(slot->tts_values, 0, desc->natts * sizeof(Datum));
	memset(slot->tts_isnull, true, desc->natts * sizeof(bool));
	for (int i = 0; i < insert->stmt->nargs; i++)
	{
		int			place = insert->stmt->numbers[i] - 1;
		const CiColumn *column = &columns[i - nscalars];
		Datum		value;

		if (i < nscalars)
			value = scalars[i];
		else if (column->nulls[row])
			continue;
		else if (column->type != TEXTOID)
			value = column->values[row];
		else
		{
			char	   *next = texts[i - nscalars];

			texts[i - nscalars] += INTALIGN(VARSIZE(next));
			insert->bytes += VARSIZE(next);
			value = PointerGetDatum(next);
			if (TupleDescAttr(desc, place)->atttypid == JSONBOID)
				value = stored_json(VARDATA(next), VARSIZE(next) - VARHDRSZ);
		}
		slot->tts_values[place] = value;
		slot->tts_isnull[place] = false;
	}
	ExecStoreVirtualTuple(slot);
	ci_check_row(insert->target, slot, insert->estate);
	ResetPerTupleExprContext(insert->estate);
}

/* Writes the rows that were formed, with what the indexes have of them. */
static void
write_formed(Insert *insert)
{
	CommandId	command = GetCurrentCommandId(true);
	MemoryContext caller = MemoryContextSwitchTo(insert->rows);

	if (insert->count == 1)
		table_tuple_insert(insert->table, insert->slots[0], command, 0, NULL);
	else
		table_multi_insert(insert->table, insert->slots, insert->count, command, 0, NULL);
	for (int i = 0; i < insert->count; i++)
	{
		if (insert->target->ri_NumIndices > 0)
			list_free(CI_INSERT_INDEX_TUPLES(insert->target, insert->slots[i], insert->estate));
		ResetPerTupleExprContext(insert->estate);
		ExecClearTuple(insert->slots[i]);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextReset(insert->rows);
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
	MemoryContext caller = MemoryContextSwitchTo(insert->rows);
	uint32		token = SpeculativeInsertionLockAcquire(GetCurrentTransactionId());
	bool		had = false;

	table_tuple_insert_speculative(insert->table, insert->slots[0], GetCurrentCommandId(true), 0, NULL, token);
	list_free(CI_CLAIM_INDEX_TUPLES(insert->target, insert->slots[0], insert->estate, &had, insert->arbiters));
	table_tuple_complete_speculative(insert->table, insert->slots[0], token, !had);
	SpeculativeInsertionLockRelease(GetCurrentTransactionId());
	ResetPerTupleExprContext(insert->estate);
	ExecClearTuple(insert->slots[0]);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(insert->rows);
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

/* Finds those indexes, by the columns that come first; false where there is none. */
static bool
find_arbiters(Insert *insert)
{
	for (int i = 0; i < insert->target->ri_NumIndices; i++)
	{
		Relation	index = insert->target->ri_IndexRelationDescs[i];

		if (is_arbiter(index, insert->stmt->numbers))
			insert->arbiters = lappend_oid(insert->arbiters, RelationGetRelid(index));
	}
	return insert->arbiters != NIL;
}

/* Forms rows and writes them; answers how many, of claims those before one that is lost. */
static int
insert_all(Insert *insert, const Datum *scalars, const CiColumn *columns, char **texts)
{
	MemoryContext caller = CurrentMemoryContext;
	int			nscalars = insert->stmt->nargs - ci_columns_of(insert->stmt);

	for (int i = nscalars; i < insert->stmt->nargs; i++)
		texts[i - nscalars] = columns[i - nscalars].texts;
	for (int row = 0; row < columns[0].count; row++)
	{
		CHECK_FOR_INTERRUPTS();
		MemoryContextSwitchTo(insert->rows);
		form_row(insert, scalars, nscalars, columns, row, texts);
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
 * all have in common, and columns.  Answers how many it has written; for those
 * from there on the statement has to be run.
 */
int
ci_insert_rows(CiStatement *stmt, const Datum *scalars, const CiColumn *columns)
{
	Relation	table = table_open(ci_table(stmt->table, false), RowExclusiveLock);
	AclMode		needed = ACL_INSERT | (stmt->claims ? ACL_SELECT : 0);
	ErrorContextCallback hiding;
	Insert	   *insert;
	char	   *texts[CI_MAX_ARGS];
	int			written = 0;

	if (!takes_rows(table, needed) || !find_columns(stmt, RelationGetDescr(table), columns))
	{
		table_close(table, NoLock);
		return 0;
	}
	PreventCommandIfReadOnly("INSERT");
	PreventCommandIfParallelMode("INSERT");
	Assert(ActiveSnapshotSet());

	insert = palloc0(sizeof(Insert));
	insert->stmt = stmt;
	insert->table = table;
	insert->estate = CreateExecutorState();
	insert->rows = AllocSetContextCreate(CurrentMemoryContext, "contact_identity rows", ALLOCSET_DEFAULT_SIZES);
	insert->target = makeNode(ResultRelInfo);
	InitResultRelInfo(insert->target, table, 0, NULL, 0);
	ExecOpenIndices(insert->target, false);
	ci_hide_rows(&hiding);
	if (!stmt->claims || find_arbiters(insert))
		written = insert_all(insert, scalars, columns, texts);
	error_context_stack = hiding.previous;
	ExecCloseIndices(insert->target);
	for (int i = 0; i < insert->nslots; i++)
		ExecDropSingleTupleTableSlot(insert->slots[i]);
	FreeExecutorState(insert->estate);
	MemoryContextDelete(insert->rows);
	list_free(insert->arbiters);
	pfree(insert);
	table_close(table, NoLock);
	CommandCounterIncrement();
	return written;
}
