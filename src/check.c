/*-------------------------------------------------------------------------
 *
 * check.c
 *	  What the constraints of our tables say of a new row.
 *
 * The server reads and compiles the CHECK constraints of a table anew for each
 * statement, which costs more than a row does.  They are compiled once a session
 * here, and again after anything about the table has changed.
 *
 * That is for plain expressions alone: what others keep need not outlive a
 * statement, may depend on more than the table, or may run what comes back here.
 * Those, and whatever is not seen to hold here, are left to the server.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "access/tupdesc.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "write.h"

/* The CHECK constraints of a table. */
typedef struct Checks
{
	Oid			table;			/* hash key */
	bool		valid;			/* nothing has changed since */
	bool		all;			/* they are all here */
	MemoryContext context;
	int			count;
	ExprState **states;
	ExprContext *values;		/* that they are evaluated in */
} Checks;

static HTAB *known = NULL;

/* A table has changed, or, 0, any may have. */
static void
forget_checks(Datum arg, Oid table)
{
	HASH_SEQ_STATUS all;
	Checks	   *checks;

	hash_seq_init(&all, known);
	while ((checks = hash_seq_search(&all)) != NULL)
		checks->valid &= OidIsValid(table) && checks->table != table;
}

/* Whether a type is the server's own, and a value of it no row. */
static bool
is_plain_type(Oid type)
{
	char		kind = type < FirstNormalObjectId ? get_typtype(type) : TYPTYPE_PSEUDO;

	return kind == TYPTYPE_BASE || kind == TYPTYPE_RANGE;
}

/* Whether a function is not one of the server's own in C, of nothing but its arguments. */
static bool
is_other_function(Oid function, void *context)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Form_pg_proc form;
	bool		is_other;

	if (!HeapTupleIsValid(tuple))
		return true;
	form = (Form_pg_proc) GETSTRUCT(tuple);
	is_other = function >= FirstNormalObjectId || form->prolang != INTERNALlanguageId || form->prosecdef ||
		form->proretset || form->provolatile != PROVOLATILE_IMMUTABLE || !is_plain_type(form->prorettype);
	for (int i = 0; i < form->pronargs; i++)
		is_other |= !is_plain_type(form->proargtypes.values[i]);
	ReleaseSysCache(tuple);
	return is_other;
}

/* Whether there is more to an expression than columns, constants and such functions. */
static bool
needs_more(Node *node, void *context)
{
	if (node == NULL)
		return false;
	switch (nodeTag(node))
	{
		case T_Var:
			if (castNode(Var, node)->varattno <= 0)
				return true;
			break;
		case T_NullTest:
			if (castNode(NullTest, node)->argisrow)
				return true;
			break;
		case T_List:
		case T_Const:
		case T_FuncExpr:
		case T_OpExpr:
		case T_DistinctExpr:
		case T_ScalarArrayOpExpr:
		case T_ArrayExpr:
		case T_BoolExpr:
		case T_BooleanTest:
		case T_RelabelType:
		case T_CollateExpr:
			break;
		default:
			return true;
	}
	return check_functions_in_node(node, is_other_function, context) ||
		expression_tree_walker(node, needs_more, context);
}

/* Compiles the constraints of a table. */
static void
compile_checks(Checks *checks, const TupleConstr *constraints)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "contact_identity checks", ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	int			count = constraints->num_check;
	ExprState **states = palloc(Max(count, 1) * sizeof(ExprState *));
	bool		all = true;

	/*
	 * It is valid from here on: an invalidation that arrives meanwhile takes
	 * that back.  Until they are all there, and after an error, the server is
	 * asked.
	 */
	checks->valid = true;
	for (int i = 0; all && i < count; i++)
	{
		Node	   *expression = stringToNode(constraints->check[i].ccbin);

		/* Planned, it may have the body of a function in its place. */
		if (needs_more(expression, NULL))
			all = false;
		else
			states[i] = ExecInitExpr(expression_planner((Expr *) expression), NULL);
	}
	checks->values = CreateStandaloneExprContext();
	MemoryContextSwitchTo(caller);
	MemoryContextSetParent(context, CacheMemoryContext);
	checks->context = context;
	checks->count = count;
	checks->states = states;
	checks->all = all;
}

/* The constraints of a table, as they are now. */
static Checks *
find_checks(Relation table)
{
	Oid			id = RelationGetRelid(table);
	Checks	   *checks;
	bool		found;

	if (known == NULL)
	{
		HASHCTL		control = {
			.keysize = sizeof(Oid),
			.entrysize = sizeof(Checks)
		};

		known = hash_create("contact_identity checks", 16, &control, HASH_ELEM | HASH_BLOBS);
		CacheRegisterRelcacheCallback(forget_checks, (Datum) 0);
	}
	checks = hash_search(known, &id, HASH_ENTER, &found);
	if (!found)
		memset((char *) checks + sizeof(Oid), 0, sizeof(Checks) - sizeof(Oid));
	if (!checks->valid)
	{
		checks->all = false;
		if (checks->context != NULL)
			MemoryContextDelete(checks->context);
		checks->context = NULL;
		compile_checks(checks, RelationGetDescr(table)->constr);
	}
	return checks;
}

/* Whether a row is seen to keep all constraints. */
static bool
is_kept(const CiTarget *target, TupleTableSlot *slot)
{
	TupleDesc	desc = slot->tts_tupleDescriptor;
	const Checks *checks = find_checks(target->table);

	if (!checks->all)
		return false;
	for (int i = 0; i < desc->natts; i++)
	{
		if (slot->tts_isnull[i] && TupleDescAttr(desc, i)->attnotnull)
			return false;
	}
	checks->values->ecxt_scantuple = slot;
	ResetExprContext(checks->values);
	for (int i = 0; i < checks->count; i++)
	{
		if (!ExecCheck(checks->states[i], checks->values))
			return false;
	}
	return true;
}

/* Raises an error where a row breaks a constraint of its table. */
void
ci_check_row(const CiTarget *target, TupleTableSlot *slot)
{
	slot->tts_tableOid = RelationGetRelid(target->table);
	if (RelationGetDescr(target->table)->constr != NULL && !is_kept(target, slot))
		ExecConstraints(target->info, slot, target->estate);
	ResetPerTupleExprContext(target->estate);
}
