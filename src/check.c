/*-------------------------------------------------------------------------
 *
 * check.c
 *	  What the constraints of our tables say of a new row.
 *
 * The server reads and compiles the CHECK constraints of a table anew for each
 * statement, which costs more than a row does.  They are compiled once a session
 * here, and again after anything about the table has changed.  That is for those
 * of the server's own functions written in C alone: what others keep with an
 * expression need not outlive a transaction.
 *
 * Whatever is not seen to hold here is left to the server, which refuses it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "access/tupdesc.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
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

/* Whether a function is not one of the server's own in C. */
static bool
is_other_function(Oid function, void *context)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	bool		is_other = !HeapTupleIsValid(tuple) || function >= FirstNormalObjectId ||
		((Form_pg_proc) GETSTRUCT(tuple))->prolang != INTERNALlanguageId;

	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	return is_other;
}

/* Whether there is more to an expression than such functions. */
static bool
needs_more(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, CoerceToDomain) || IsA(node, NextValueExpr) || IsA(node, MinMaxExpr) ||
		check_functions_in_node(node, is_other_function, context))
		return true;
	return expression_tree_walker(node, needs_more, context);
}

/* Compiles the constraints of a table. */
static void
compile_checks(Checks *checks, const TupleConstr *constraints)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "contact_identity checks", ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	bool		all = true;

	/*
	 * It is valid from here on: an invalidation that arrives meanwhile takes
	 * that back.  Until they are all there, and after an error, the server is
	 * asked.
	 */
	checks->valid = true;
	checks->all = false;
	checks->count = constraints == NULL ? 0 : constraints->num_check;
	checks->states = palloc0(Max(checks->count, 1) * sizeof(ExprState *));
	for (int i = 0; all && i < checks->count; i++)
	{
		Node	   *expression = stringToNode(constraints->check[i].ccbin);

		/* Planned, it may have the body of a function in its place. */
		if (needs_more(expression, NULL))
			all = false;
		else
			checks->states[i] = ExecInitExpr(expression_planner((Expr *) expression), NULL);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextSetParent(context, CacheMemoryContext);
	checks->context = context;
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
	{
		checks->valid = false;
		checks->context = NULL;
	}
	if (!checks->valid)
	{
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
	ExprContext *context = GetPerTupleExprContext(target->estate);
	const Checks *checks = find_checks(target->table);

	if (!checks->all)
		return false;
	for (int i = 0; i < desc->natts; i++)
	{
		if (slot->tts_isnull[i] && TupleDescAttr(desc, i)->attnotnull)
			return false;
	}
	context->ecxt_scantuple = slot;
	for (int i = 0; i < checks->count; i++)
	{
		if (!ExecCheck(checks->states[i], context))
			return false;
	}
	return true;
}

/* Raises an error where a row breaks a constraint of its table. */
void
ci_check_row(const CiTarget *target, TupleTableSlot *slot)
{
	if (RelationGetDescr(target->table)->constr != NULL && !is_kept(target, slot))
		ExecConstraints(target->info, slot, target->estate);
	ResetPerTupleExprContext(target->estate);
}
