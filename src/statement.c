/*-------------------------------------------------------------------------
 *
 * statement.c
 *	  The one place that prepares and runs SQL, and says as whom.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_statistic.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/selfuncs.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "resolver.h"
#include "statement.h"

/* A first plan is good for so many runs, the next for so many times as many. */
#define FIRST_PLAN_RUNS 16

/* So many rows of arrays are worth a plan for the tables as they are now. */
#define MANY_ROWS 64

/* Whether a statement of ours is being planned, and who else asks to be asked. */
static bool planning = false;
static get_relation_stats_hook_type next_hook = NULL;

/* Whether the extension is known not to be newer than this library. */
static bool version_is_known = false;

/*
 * The table, view or sequence of ours with that name.  Where it is missing,
 * setup() has not run.
 */
Oid
ci_table(const char *name, bool missing_ok)
{
	Oid			schema = get_namespace_oid("contact_identity", true);
	Oid			table = OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;

	if (!OidIsValid(table) && !missing_ok)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("contact_identity has no table \"%s\" in this database", name),
				 errhint("Run SELECT contact_identity.setup() first, as the role that is to own the tables.")));
	return table;
}

/* An update of the extension replaces functions: look at its version again. */
static void
forget_version(Datum arg, int cache, uint32 hash)
{
	version_is_known = false;
}

/* Whether a version, numbers with dots between, comes after another. */
static bool
is_newer(const char *version, const char *than)
{
	while (*version != '\0' || *than != '\0')
	{
		char	   *end;
		char	   *than_end;
		long		a = strtol(version, &end, 10);
		long		b = strtol(than, &than_end, 10);

		if (a != b)
			return a > b;
		version = *end == '\0' ? end : end + 1;
		than = *than_end == '\0' ? than_end : than_end + 1;
	}
	return false;
}

/*
 * A session keeps the library that it has loaded.  When the extension has been
 * updated since, that one does not know what the new one does with the tables.
 * The other way round, a new library with an extension that is still to be
 * updated, is what every session has between the two, and works.
 */
static void
check_version(void)
{
	Relation	extensions;
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;
	char	   *version = NULL;

	/* An invalidation that arrives while it is read takes that back. */
	version_is_known = true;
	extensions = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
				CStringGetDatum("contact_identity"));
	scan = systable_beginscan(extensions, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		datum = heap_getattr(tuple, Anum_pg_extension_extversion,
										 RelationGetDescr(extensions), &isnull);

		if (!isnull)
			version = TextDatumGetCString(datum);
	}
	systable_endscan(scan);
	table_close(extensions, AccessShareLock);
	if (version == NULL || !is_newer(version, CI_VERSION))
		return;
	version_is_known = false;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("extension contact_identity has version %s here, and this session has loaded the library of version %s",
					version, CI_VERSION),
			 errhint("Connect again: a new session loads the new library. If that says the same, install the library of version %s on the server.",
					 version)));
}

/*
 * From here on statements run as the owner of the tables, as those of foreign
 * keys do; what the caller may do has been checked before.  An error that ends
 * the (sub)transaction puts the caller back by itself.
 */
void
ci_become_owner(CiCaller *caller)
{
	Oid			table;
	HeapTuple	tuple;
	Oid			owner;

	if (!version_is_known)
		check_version();
	table = ci_table("contact", false);
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", table);
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	GetUserIdAndSecContext(&caller->role, &caller->context);
	SetUserIdAndSecContext(owner, caller->context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_NOFORCE_RLS);
}

/* Back to whoever called. */
void
ci_become_caller(const CiCaller *caller)
{
	SetUserIdAndSecContext(caller->role, caller->context);
}

/* The next number of a sequence of ours. */
int64
ci_next_value(const char *sequence)
{
	return nextval_internal(ci_table(sequence, false), false);
}

/* Makes one snapshot of now the active one, for several reading statements. */
void
ci_push_snapshot(void)
{
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
}

static const Oid *
types_of(const CiStatement *stmt)
{
	return stmt->more_types != NULL ? stmt->more_types : stmt->argtypes;
}

/* The number of rows that a statement's arrays have; they are all as long. */
static int
rows_of(const CiStatement *stmt, const Datum *values)
{
	const Oid  *types = types_of(stmt);

	for (int i = 0; i < stmt->nargs; i++)
	{
		const ArrayType *array = (const ArrayType *) DatumGetPointer(values[i]);

		switch (types[i])
		{
			case BOOLARRAYOID:
			case INT4ARRAYOID:
			case INT8ARRAYOID:
			case TEXTARRAYOID:
			case TIMESTAMPTZARRAYOID:
				return ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
		}
	}
	return 1;
}

/* Prepares a statement on its first use. */
static void
prepare(CiStatement *stmt, bool many)
{
	SPIPlanPtr	plan = SPI_prepare_cursor(stmt->columns == NULL ? stmt->sql : ci_statement_text(stmt), stmt->nargs, unconstify(Oid *, types_of(stmt)),
										  stmt->free_plan ? 0 : CURSOR_OPT_GENERIC_PLAN);

	if (plan == NULL)
		elog(ERROR, "SPI_prepare_cursor returned %s for: %s",
			 SPI_result_code_string(SPI_result), stmt->sql);
	if (SPI_keepplan(plan) != 0)
		elog(ERROR, "SPI_keepplan failed for: %s", stmt->sql);

	/* Publish it last: an error above must leave nothing half made. */
	stmt->planned = false;
	if (stmt->good_for == 0)
		stmt->good_for = FIRST_PLAN_RUNS;
	else if (stmt->runs >= stmt->good_for)
		stmt->good_for *= FIRST_PLAN_RUNS;
	stmt->runs = 0;
	stmt->for_many = many;
	stmt->plan = plan;
}

/* Forgets a plan that was made for much smaller tables, if nobody runs it. */
static void
forget_plan(CiStatement *stmt)
{
	if (stmt->active_in != CI_LOCAL_XID)
		stmt->active = 0;		/* an error ended them */
	if (stmt->active > 0)
		return;
	SPI_freeplan(stmt->plan);
	stmt->plan = NULL;
}

/* Whether a column is one that the keys of our tables begin with. */
static bool
begins_keys(Oid table, AttrNumber column)
{
	char	   *name = get_attname(table, column, true);

	return name != NULL && (strcmp(name, "account_id") == 0 || strcmp(name, "kind") == 0 ||
							strcmp(name, "status") == 0);
}

/*
 * The planner is told that all rows have the same account, kind and status, so
 * that no key seems to be as good without its last column.  What ANALYZE found
 * in a table of two rows would say so even when it has a million.
 */
static bool
tell_statistics(PlannerInfo *root, RangeTblEntry *entry, AttrNumber column, VariableStatData *data)
{
	if (planning && entry->rtekind == RTE_RELATION && begins_keys(entry->relid, column))
	{
		Size		header = MAXALIGN(SizeofHeapTupleHeader);
		HeapTuple	tuple = palloc0(HEAPTUPLESIZE + header + sizeof(FormData_pg_statistic));

		tuple->t_len = header + sizeof(FormData_pg_statistic);
		tuple->t_data = (HeapTupleHeader) ((char *) tuple + HEAPTUPLESIZE);
		tuple->t_data->t_hoff = header;
		((Form_pg_statistic) GETSTRUCT(tuple))->stadistinct = 1;
		data->statsTuple = tuple;
		data->freefunc = heap_freetuple;
		data->acl_ok = true;
		return true;
	}
	return next_hook != NULL && next_hook(root, entry, column, data);
}

/* To be called when the library is loaded. */
void
ci_install_hooks(void)
{
	CacheRegisterSyscacheCallback(PROCOID, forget_version, (Datum) 0);
	next_hook = get_relation_stats_hook;
	get_relation_stats_hook = tell_statistics;
}

/*
 * Makes the plan of a statement.  That is done when the tables are often still
 * empty, and must be as good when they are large: every row that we want is
 * found by its key, so nothing else is offered to the planner.  Where that
 * still leaves a choice, between two indexes, the plan is made again after some
 * runs, at growing distances, and for the first run with many rows.
 */
static void
plan_by_keys(CiStatement *stmt)
{
	static const char *const off[] = {
		"enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin",
		"enable_memoize", "jit"
	};
	int			nest_level = NewGUCNestLevel();
	CachedPlan *plan;

	for (int i = 0; i < lengthof(off); i++)
		(void) set_config_option(off[i], "off", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	planning = true;
	PG_TRY();
	{
		plan = SPI_plan_get_cached_plan(stmt->plan);
	}
	PG_FINALLY();
	{
		planning = false;
	}
	PG_END_TRY();
	if (plan != NULL)
		ReleaseCachedPlan(plan, CurrentResourceOwner);
	AtEOXact_GUC(true, nest_level);
}

/*
 * [9.6] What a constraint refuses may hold personal values, and the server
 * shows the row to whoever it is that our statement runs as, its owner.
 */
static void
hide_row(void *arg)
{
	if (ERRCODE_TO_CATEGORY(geterrcode()) == ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION)
		errdetail("The row is not shown, since it may hold personal values.");
}

/* Hides them until error_context_stack is what it was. */
void
ci_hide_rows(ErrorContextCallback *hiding)
{
	hiding->previous = error_context_stack;
	hiding->callback = hide_row;
	hiding->arg = NULL;
	error_context_stack = hiding;
}

/*
 * Runs a statement and answers the number of rows; they are in SPI_tuptable.
 * A reading one sees the active snapshot.  SPI must be connected.
 */
uint64
ci_run(CiStatement *stmt, Datum *values, const char *nulls, bool read_only)
{
	MemoryContext context = CurrentMemoryContext;
	bool		many = rows_of(stmt, values) >= MANY_ROWS;
	ErrorContextCallback hiding;
	int			result;

	if (stmt->plan != NULL && !stmt->free_plan &&
		(stmt->runs >= stmt->good_for || (many && !stmt->for_many)))
		forget_plan(stmt);
	if (stmt->plan == NULL)
		prepare(stmt, many);
	if (stmt->active_in != CI_LOCAL_XID)
		stmt->active = 0;
	stmt->active_in = CI_LOCAL_XID;
	stmt->active++;
	stmt->runs++;
	if (!stmt->free_plan && (!stmt->planned || !SPI_plan_is_valid(stmt->plan)))
		plan_by_keys(stmt);
	ci_hide_rows(&hiding);
	if (stmt->sees_latest && IsolationUsesXactSnapshot() && !IsInParallelMode())
	{
		/* as the actions of foreign keys see their rows */
		CommandCounterIncrement();
		result = SPI_execute_snapshot(stmt->plan, values, nulls, GetLatestSnapshot(),
									  stmt->expected == SPI_OK_SELECT ? InvalidSnapshot : GetTransactionSnapshot(),
									  false, true, 0);
	}
	else
		result = SPI_execute_plan(stmt->plan, values, nulls, read_only, 0);
	error_context_stack = hiding.previous;
	if (result != stmt->expected)
		elog(ERROR, "SPI_execute_plan returned %s for: %s",
			 SPI_result_code_string(result), stmt->sql);
	stmt->planned = true;
	stmt->active--;

	/* SPI leaves us in a context of its own. */
	MemoryContextSwitchTo(context);
	return SPI_processed;
}

/*
 * A column of what SPI read must have the type that it is taken for.  The
 * tables are their owner's, who need not be a superuser and may change them.
 */
void
ci_check_type(Form_pg_attribute attribute, Oid type)
{
	if (attribute->atttypid != type)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of contact_identity has type %s and must have type %s",
						NameStr(attribute->attname), format_type_be(attribute->atttypid), format_type_be(type)),
				 errhint("Change the table back to what setup() made.")));
}

/*
 * Returns the rows of a statement, as the owner sees them in the caller's
 * snapshot, from a set-returning function.  Its columns are the function's.
 */
void
ci_return_rows(FunctionCallInfo fcinfo, CiStatement *stmt, Datum *values, const char *nulls)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	CiCaller	caller;
	uint64		count;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	ci_become_owner(&caller);
	SPI_connect();
	count = ci_run(stmt, values, nulls, true);
	ci_keep_rows(result, count);
	SPI_finish();
	ci_become_caller(&caller);
}

/* Adds the rows that SPI read to the result of a set-returning function. */
void
ci_keep_rows(ReturnSetInfo *result, uint64 count)
{
	TupleDesc	desc = SPI_tuptable->tupdesc;

	if (desc->natts != result->setDesc->natts)
		elog(ERROR, "statement returns %d columns and the function %d", desc->natts, result->setDesc->natts);
	for (int i = 0; i < desc->natts; i++)
		ci_check_type(TupleDescAttr(desc, i), TupleDescAttr(result->setDesc, i)->atttypid);
	for (uint64 i = 0; i < count; i++)
		tuplestore_puttuple(result->setResult, SPI_tuptable->vals[i]);
}

/* An empty column of a type. */
void
ci_column_init(CiColumn *column, Oid type)
{
	memset(column, 0, sizeof(CiColumn));
	column->type = type;
}

/* Adds a value to a column. */
void
ci_column_add(CiColumn *column, Datum value, bool isnull)
{
	if (column->count == column->size)
	{
		column->size = Max(8, column->size * 2);
		if (column->values == NULL)
		{
			column->values = palloc(column->size * sizeof(Datum));
			column->nulls = palloc(column->size * sizeof(bool));
		}
		else
		{
			column->values = repalloc_huge(column->values, column->size * sizeof(Datum));
			column->nulls = repalloc_huge(column->nulls, column->size * sizeof(bool));
		}
	}
	column->values[column->count] = value;
	column->nulls[column->count++] = isnull;
}

/*
 * Adds a text, or null.  Texts are what there is most of, so they are written
 * as they are in the array at once.  All of a column are added so.
 */
void
ci_column_add_text(CiColumn *column, const char *value)
{
	Size		length = value == NULL ? 0 : strlen(value);
	Size		start = column->used;
	Size		end = start + VARHDRSZ + length;
	Size		needed = INTALIGN(end);

	Assert(column->type == TEXTOID);
	ci_column_add(column, (Datum) 0, value == NULL);
	if (value == NULL)
		return;
	if (needed > column->room)
	{
		column->room = Max(needed, Max(256, column->room * 2));
		column->texts = column->texts == NULL ? palloc_extended(column->room, MCXT_ALLOC_HUGE) :
			repalloc_huge(column->texts, column->room);
	}
	SET_VARSIZE(column->texts + start, VARHDRSZ + length);
	memcpy(column->texts + start + VARHDRSZ, value, length);
	memset(column->texts + end, 0, needed - end);
	column->used = needed;
}

/* Adds a number. */
void
ci_column_add_int64(CiColumn *column, int64 value)
{
	ci_column_add(column, Int64GetDatum(value), false);
}

/* Adds an id, or null for 0. */
void
ci_column_add_id(CiColumn *column, int64 value)
{
	ci_column_add(column, Int64GetDatum(value), value == 0);
}

/* Adds a truth value. */
void
ci_column_add_bool(CiColumn *column, bool value)
{
	ci_column_add(column, BoolGetDatum(value), false);
}

/* Adds a time, or null. */
void
ci_column_add_time(CiColumn *column, int64 value)
{
	ci_column_add(column, TimestampTzGetDatum(value), value == CI_NO_TIME);
}

/* A column of texts as an array. */
static Datum
text_array(const CiColumn *column)
{
	bool		has_nulls = memchr(column->nulls, true, column->count) != NULL;
	Size		header = has_nulls ? ARR_OVERHEAD_WITHNULLS(1, column->count) : ARR_OVERHEAD_NONULLS(1);
	Size		size = header + column->used;
	ArrayType  *array;

	if (!AllocSizeIsValid(size))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("values of one batch are too large"),
				 errhint("Use smaller batches: see contact_identity.batch_size.")));
	array = palloc(size);
	memset(array, 0, header);
	SET_VARSIZE(array, size);
	array->ndim = 1;
	array->dataoffset = has_nulls ? header : 0;
	array->elemtype = TEXTOID;
	ARR_DIMS(array)[0] = column->count;
	ARR_LBOUND(array)[0] = 1;
	for (int i = 0; has_nulls && i < column->count; i++)
	{
		if (!column->nulls[i])
			ARR_NULLBITMAP(array)[i / 8] |= 1 << (i % 8);
	}
	memcpy((char *) array + header, column->texts, column->used);
	return PointerGetDatum(array);
}

/* One value of a column, where it is not null. */
Datum
ci_column_value(const CiColumn *column, int row)
{
	char	   *text = column->texts;

	if (text == NULL || column->nulls[row])
		return column->values[row];
	for (int i = 0; i < row; i++)
	{
		if (!column->nulls[i])
			text	  +=INTALIGN(VARSIZE(text));
	}
	return PointerGetDatum(text);
}

/* The rows of a column from one on, in the same memory. */
CiColumn
ci_column_from(const CiColumn *column, int row)
{
	CiColumn	rest = *column;

	for (int i = 0; column->texts != NULL && i < row; i++)
	{
		if (!column->nulls[i])
			rest.texts += INTALIGN(VARSIZE(rest.texts));
	}
	rest.used -= rest.texts - column->texts;
	rest.values += row;
	rest.nulls += row;
	rest.count -= row;
	return rest;
}

/* All of them; what stands for nulls is not said. */
Datum *
ci_column_values(const CiColumn *column)
{
	char	   *text = column->texts;

	for (int i = 0; text !=NULL && i < column->count; i++)
	{
		if (column->nulls[i])
			continue;
		column->values[i] = PointerGetDatum(text);
		text	  +=INTALIGN(VARSIZE(text));
	}
	return column->values;
}

/* For ids, as they are in a column. */
int
ci_compare_ids(const void *a, const void *b)
{
	int64		x = DatumGetInt64(*(const Datum *) a);
	int64		y = DatumGetInt64(*(const Datum *) b);

	return x < y ? -1 : x > y;
}

/* Puts ids, none of which is null, in order. */
void
ci_column_sort_ids(CiColumn *column)
{
	qsort(column->values, column->count, sizeof(Datum), ci_compare_ids);
}

/* The column as an array. */
Datum
ci_column_array(const CiColumn *column)
{
	int			dims[1] = {column->count};
	int			lower[1] = {1};
	int16		length;
	bool		by_value;
	char		align;

	if (column->texts != NULL)
		return text_array(column);
	get_typlenbyvalalign(column->type, &length, &by_value, &align);
	return PointerGetDatum(construct_md_array(column->values, column->nulls,
											  column->count == 0 ? 0 : 1, dims, lower,
											  column->type, length, by_value, align));
}

/* A column of a row that SPI read, of that type. */
Datum
ci_get_datum(HeapTuple tuple, int column, Oid type, bool *isnull)
{
	ci_check_type(TupleDescAttr(SPI_tuptable->tupdesc, column - 1), type);
	return SPI_getbinval(tuple, SPI_tuptable->tupdesc, column, isnull);
}

/* Refuses a null where there must be none. */
void
ci_report_null(const char *column)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("column \"%s\" of contact_identity must not be null", column),
			 errhint("Change the table back to what setup() made.")));
	pg_unreachable();
}

/* As ci_get_datum, of a column that must not be null. */
static Datum
get_present(HeapTuple tuple, int column, Oid type)
{
	bool		isnull;
	Datum		value = ci_get_datum(tuple, column, type, &isnull);

	if (isnull)
		ci_report_null(NameStr(TupleDescAttr(SPI_tuptable->tupdesc, column - 1)->attname));
	return value;
}

/* Refuses what a column holds and no call of ours has written. */
void
ci_report_corrupt(const char *column)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("column \"%s\" of contact_identity has a value that no call writes", column),
			 errhint("Look for it, and for other breaches, with SELECT * FROM contact_identity.check_integrity().")));
	pg_unreachable();
}

/* A text column. */
char *
ci_get_text(HeapTuple tuple, int column)
{
	return TextDatumGetCString(get_present(tuple, column, TEXTOID));
}

/* A jsonb column. */
Jsonb *
ci_get_jsonb(HeapTuple tuple, int column)
{
	return DatumGetJsonbP(get_present(tuple, column, JSONBOID));
}

/* A bytea column. */
bytea *
ci_get_bytea(HeapTuple tuple, int column)
{
	return DatumGetByteaPP(get_present(tuple, column, BYTEAOID));
}

/* A text column, or NULL. */
char *
ci_get_optional_text(HeapTuple tuple, int column)
{
	bool		isnull;
	Datum		value = ci_get_datum(tuple, column, TEXTOID, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

/* A bigint column; 0 for null. */
int64
ci_get_int64(HeapTuple tuple, int column)
{
	bool		isnull;
	Datum		value = ci_get_datum(tuple, column, INT8OID, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

/* An integer column; 0 for null. */
int32
ci_get_int32(HeapTuple tuple, int column)
{
	bool		isnull;
	Datum		value = ci_get_datum(tuple, column, INT4OID, &isnull);

	return isnull ? 0 : DatumGetInt32(value);
}

/* A boolean column; false for null. */
bool
ci_get_bool(HeapTuple tuple, int column)
{
	bool		isnull;
	Datum		value = ci_get_datum(tuple, column, BOOLOID, &isnull);

	return !isnull && DatumGetBool(value);
}

/* A timestamptz column; CI_NO_TIME for null. */
int64
ci_get_time(HeapTuple tuple, int column)
{
	bool		isnull;
	Datum		value = ci_get_datum(tuple, column, TIMESTAMPTZOID, &isnull);

	return isnull ? CI_NO_TIME : DatumGetTimestampTz(value);
}
