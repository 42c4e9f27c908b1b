/*-------------------------------------------------------------------------
 *
 * follow.c
 *	  Columns of an application's tables that hold ids of contacts (RULES
 *	  10.8): follow(), unfollow(), and what merges and their undoing do with
 *	  the rows.
 *
 * A followed column is a row of the table followed, by which merges find it,
 * and a trigger on the application's table, by which its owner has agreed.
 * Only follow() can make the trigger.  Without it nothing is written: whoever
 * may write into the table followed cannot make merges change a table that is
 * not his, nor does a number in a restored dump of it that is the OID of
 * another table by now.  The trigger is dumped and dropped with its table.  It
 * is one of TRUNCATE, so that no other statement pays for it.
 *
 * Rows are re-pointed as the owner of the table and with the search_path that
 * follow() was called with, in a security-restricted operation: triggers of
 * the table run with its owner's rights whoever calls us, and nothing of them
 * is left to run later with more.  The rows of each step of a chain of merges
 * are remembered by their primary key, whose values are written as pg_dump
 * writes them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/primnodes.h"
#include "optimizer/plancat.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/ruleutils.h"
#include "utils/snapmgr.h"
#include "utils/varlena.h"

#include "pipeline.h"

PG_FUNCTION_INFO_V1(ci_follow);
PG_FUNCTION_INFO_V1(ci_unfollow);
PG_FUNCTION_INFO_V1(ci_followed_truncate);
PG_FUNCTION_INFO_V1(ci_repoint_followed);
PG_FUNCTION_INFO_V1(ci_unfollowed_references);
PG_FUNCTION_INFO_V1(ci_named_contacts);

#define TRIGGER_NAME "contact_identity_follow"
#define MANY_ROWS_TO_SCAN 1000000
#define ROWS_AT_ONCE 10000

/* A column of a primary key. */
typedef struct KeyColumn
{
	const char *name;
	AttrNumber	attnum;
	Oid			type;
	Oid			array_type;
	Oid			equals;
	FmgrInfo	output;
	FmgrInfo	input;
	Oid			input_param;
	int32		typmod;
} KeyColumn;

/* A followed column, its table open and locked for writing. */
typedef struct Followed
{
	int			account_id;
	Relation	relation;
	const char *column;
	const char *type;			/* as a cast takes it */
	const char *search_path;
	KeyColumn  *key;
	int			nkey;
	bool		may_collide;	/* there is a constraint that a re-pointed row
								 * can violate beside another */
	List	   *constraints;	/* deferrable ones, as SQL takes them ... */
	List	   *deferred;		/* ... and those of them that are at first */
	bool		sees_latest;	/* rows, too, that are newer than the
								 * transaction's snapshot */
} Followed;

/* One step of a contact's way to its survivor. */
typedef struct Step
{
	int64		ended;
	int64		merge_id;
	int64		survivor;
} Step;

/* Contacts that have ended, and how. */
typedef struct Moves
{
	CiColumn	ended;
	CiColumn	survivors;		/* the live ones */
	Step	   *steps;			/* sorted by ended */
	int			nsteps;
} Moves;

/* ---- statements of ours ---- */

static CiStatement remember_stmt = {
	.sql = "INSERT INTO contact_identity.followed_row (account_id, relation, column_name, merge_id, key)"
	" SELECT $1, $2, $3, u.merge_id, u.key::pg_catalog.jsonb"
	" FROM (SELECT pg_catalog.unnest($4) AS merge_id, pg_catalog.unnest($5) AS key) AS u",
	.expected = SPI_OK_INSERT,
	.nargs = 5,
	.argtypes = {INT4OID, REGCLASSOID, TEXTOID, INT8ARRAYOID, TEXTARRAYOID}
};

/* The columns that a merge has re-pointed, the last one first. */
static CiStatement columns_stmt = {
	.sql = "SELECT r.relation::pg_catalog.oid::pg_catalog.int8, r.column_name"
	" FROM contact_identity.followed_row r"
	" WHERE r.account_id OPERATOR(pg_catalog.=) $1 AND r.merge_id OPERATOR(pg_catalog.=) $2"
	" GROUP BY r.relation, r.column_name ORDER BY pg_catalog.max(r.row_id) DESC",
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8OID}
};

static CiStatement rows_stmt = {
	.sql = "SELECT r.key FROM contact_identity.followed_row r"
	" WHERE r.account_id OPERATOR(pg_catalog.=) $1 AND r.merge_id OPERATOR(pg_catalog.=) $2"
	" AND r.relation OPERATOR(pg_catalog.=) $3 AND r.column_name OPERATOR(pg_catalog.=) $4"
	" ORDER BY r.row_id",
	.expected = SPI_OK_SELECT,
	.nargs = 4,
	.argtypes = {INT4OID, INT8OID, REGCLASSOID, TEXTOID}
};

static CiStatement forget_merge_stmt = {
	.sql = "DELETE FROM contact_identity.followed_row r"
	" WHERE r.account_id OPERATOR(pg_catalog.=) $1 AND r.merge_id OPERATOR(pg_catalog.=) $2",
	.expected = SPI_OK_DELETE,
	.nargs = 2,
	.argtypes = {INT4OID, INT8OID}
};

static CiStatement forget_contacts_stmt = {
	.sql = "DELETE FROM contact_identity.followed_row r USING " CI_UNNEST("$2") " AS u (id)"
	" JOIN contact_identity.merge m ON m.account_id OPERATOR(pg_catalog.=) $1"
	" AND m.merged_id OPERATOR(pg_catalog.=) u.id"
	" WHERE r.account_id OPERATOR(pg_catalog.=) $1 AND r.merge_id OPERATOR(pg_catalog.=) m.merge_id",
	.expected = SPI_OK_DELETE,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID}
};

static CiStatement forget_column_stmt = {
	.sql = "DELETE FROM contact_identity.followed_row r"
	" WHERE r.account_id OPERATOR(pg_catalog.=) $1 AND r.relation OPERATOR(pg_catalog.=) $2"
	" AND r.column_name OPERATOR(pg_catalog.=) $3",
	.expected = SPI_OK_DELETE,
	.nargs = 3,
	.argtypes = {INT4OID, REGCLASSOID, TEXTOID}
};

static CiStatement register_stmt = {
	.sql = "INSERT INTO contact_identity.followed (account_id, relation, column_name) VALUES ($1, $2, $3)"
	" ON CONFLICT DO NOTHING",
	.expected = SPI_OK_INSERT,
	.nargs = 3,
	.argtypes = {INT4OID, REGCLASSOID, TEXTOID}
};

static CiStatement unregister_stmt = {
	.sql = "DELETE FROM contact_identity.followed f WHERE f.account_id OPERATOR(pg_catalog.=) $1"
	" AND f.relation OPERATOR(pg_catalog.=) $2 AND f.column_name OPERATOR(pg_catalog.=) $3",
	.expected = SPI_OK_DELETE,
	.nargs = 3,
	.argtypes = {INT4OID, REGCLASSOID, TEXTOID}
};

/* Registrations of tables that are gone, and their rows. */
static CiStatement clean_stmt = {
	.sql = "WITH gone AS (DELETE FROM contact_identity.followed f"
	" WHERE f.account_id OPERATOR(pg_catalog.=) $1 AND NOT EXISTS"
	" (SELECT FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) f.relation)"
	" RETURNING f.relation, f.column_name)"
	" DELETE FROM contact_identity.followed_row r USING gone g"
	" WHERE r.account_id OPERATOR(pg_catalog.=) $1 AND r.relation OPERATOR(pg_catalog.=) g.relation"
	" AND r.column_name OPERATOR(pg_catalog.=) g.column_name",
	.expected = SPI_OK_DELETE,
	.nargs = 1,
	.argtypes = {INT4OID},
	.free_plan = true
};

static CiStatement constraints_stmt = {
	.sql = "SELECT pg_catalog.format('%I.%I', n.nspname, k.conname), k.condeferred"
	" FROM pg_catalog.pg_constraint k"
	" JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) k.connamespace"
	" WHERE k.condeferrable AND (k.conrelid OPERATOR(pg_catalog.=) $1 OR k.confrelid OPERATOR(pg_catalog.=) $1)"
	" ORDER BY 1",
	.expected = SPI_OK_SELECT,
	.nargs = 1,
	.argtypes = {REGCLASSOID},
	.free_plan = true
};

/*
 * The ended ones of some contacts and their survivors, who stay that: a merge
 * of a survivor points the ended ones elsewhere and waits for this.
 */
static CiStatement ended_stmt = {
	.sql = "SELECT c.contact_id, c.survivor_id FROM " CI_UNNEST("$2") " AS u (id)"
	" JOIN contact_identity.contact c ON c.account_id OPERATOR(pg_catalog.=) $1"
	" AND c.contact_id OPERATOR(pg_catalog.=) u.id"
	" WHERE c.state OPERATOR(pg_catalog.=) 'merged' ORDER BY c.contact_id FOR NO KEY UPDATE OF c",
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID}
};

/* The steps by which ended contacts came to where they point. */
static CiStatement steps_stmt = {
	.sql = "WITH RECURSIVE step AS (SELECT u.id AS ended, m.merge_id, m.survivor_id"
	" FROM " CI_UNNEST("$2") " AS u (id) CROSS JOIN LATERAL"
	" (SELECT m.merge_id, m.survivor_id FROM contact_identity.merge m"
	" WHERE m.account_id OPERATOR(pg_catalog.=) $1 AND m.merged_id OPERATOR(pg_catalog.=) u.id"
	" AND m.undone_at IS NULL ORDER BY m.merge_id DESC LIMIT 1) AS m"
	" UNION SELECT s.survivor_id, m.merge_id, m.survivor_id FROM step s CROSS JOIN LATERAL"
	" (SELECT m.merge_id, m.survivor_id FROM contact_identity.merge m"
	" WHERE m.account_id OPERATOR(pg_catalog.=) $1 AND m.merged_id OPERATOR(pg_catalog.=) s.survivor_id"
	" AND m.undone_at IS NULL ORDER BY m.merge_id DESC LIMIT 1) AS m)"
	" SELECT ended, merge_id, survivor_id FROM step",
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID},
	.free_plan = true
};

/* The foreign keys to contacts: k, and their column a of contact ids. */
#define FOREIGN_KEYS \
	" FROM pg_catalog.pg_constraint k" \
	" CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(k.conkey), pg_catalog.unnest(k.confkey)) AS p (own, other)" \
	" JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) k.conrelid" \
	" AND a.attnum OPERATOR(pg_catalog.=) p.own" \
	" JOIN pg_catalog.pg_attribute c ON c.attrelid OPERATOR(pg_catalog.=) k.confrelid" \
	" AND c.attnum OPERATOR(pg_catalog.=) p.other" \
	" WHERE k.contype OPERATOR(pg_catalog.=) 'f' AND k.conparentid OPERATOR(pg_catalog.=) 0" \
	" AND k.confrelid OPERATOR(pg_catalog.=) 'contact_identity.contact'::pg_catalog.regclass" \
	" AND c.attname OPERATOR(pg_catalog.=) 'contact_id'"

static CiStatement references_stmt = {
	.sql = "SELECT DISTINCT k.conrelid::pg_catalog.int8, a.attname::pg_catalog.text" FOREIGN_KEYS " ORDER BY 1, 2",
	.expected = SPI_OK_SELECT,
	.free_plan = true
};

/* An argument of a trigger, as the catalog has it. */
#define ARGUMENT(text) \
	"pg_catalog.convert_to(" text ", 'UTF8') OPERATOR(pg_catalog.||) '\\x00'::pg_catalog.bytea"
#define SEPARATED " OPERATOR(pg_catalog.||) "

static CiStatement unfollowed_stmt = {
	.sql = "SELECT k.conrelid::pg_catalog.regclass, a.attname::pg_catalog.text, k.conname::pg_catalog.text,"
	" 'a foreign key to contacts that is not followed'"
	FOREIGN_KEYS " AND NOT EXISTS"
	" (SELECT FROM contact_identity.followed f WHERE f.account_id OPERATOR(pg_catalog.=) $1"
	" AND f.relation OPERATOR(pg_catalog.=) k.conrelid"
	" AND f.column_name OPERATOR(pg_catalog.=) a.attname::pg_catalog.text)"
	" UNION ALL SELECT f.relation, f.column_name, NULL,"
	" CASE WHEN r.oid IS NULL THEN 'followed, but the table is gone'"
	" WHEN a.attname IS NULL THEN 'followed, but the column is gone'"
	" ELSE 'followed, but the trigger of follow() is gone' END"
	" FROM contact_identity.followed f"
	" LEFT JOIN pg_catalog.pg_class r ON r.oid OPERATOR(pg_catalog.=) f.relation"
	" LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) r.oid"
	" AND a.attname OPERATOR(pg_catalog.=) f.column_name::pg_catalog.name AND a.attnum OPERATOR(pg_catalog.>) 0"
	" CROSS JOIN LATERAL (SELECT " ARGUMENT("'account_id'") SEPARATED ARGUMENT("f.account_id::pg_catalog.text")
	SEPARATED ARGUMENT("'column'") SEPARATED ARGUMENT("f.column_name") " AS args) AS g"
	" WHERE f.account_id OPERATOR(pg_catalog.=) $1"
	" AND (a.attname IS NULL OR NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t"
	" JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) t.tgfoid"
	" JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace"
	" WHERE t.tgrelid OPERATOR(pg_catalog.=) r.oid AND n.nspname OPERATOR(pg_catalog.=) 'contact_identity'"
	" AND p.proname OPERATOR(pg_catalog.=) 'followed_truncate'"
	" AND pg_catalog.substr(t.tgargs, 1, pg_catalog.octet_length(g.args)) OPERATOR(pg_catalog.=) g.args))"
	" ORDER BY 1, 2, 3",
	.expected = SPI_OK_SELECT,
	.nargs = 1,
	.argtypes = {INT4OID},
	.free_plan = true
};

/* ---- as whom ---- */

/* From here to leave_path the search_path is ours. */
static int
enter_path(void)
{
	int			nest_level = NewGUCNestLevel();

	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	return nest_level;
}

/* The search_path is the caller's again. */
static void
leave_path(int nest_level)
{
	AtEOXact_GUC(true, nest_level);
}

/*
 * [9.6] Says what was being done; and does not show the row that a constraint
 * of the application's refuses to whoever called us.
 */
static void
explain_error(void *arg)
{
	const Followed *followed = (const Followed *) arg;

	if (ERRCODE_TO_CATEGORY(geterrcode()) == ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION)
		errdetail("The row is not shown, since it may hold personal values.");
	errcontext("re-pointing column \"%s\" of table \"%s\", which follows contacts",
			   followed->column, RelationGetRelationName(followed->relation));
}

/* Runs a statement that takes no arguments. */
static void
run_utility(const char *sql)
{
	MemoryContext context = CurrentMemoryContext;

	if (SPI_execute(sql, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not run: %s", sql);
	MemoryContextSwitchTo(context);
}

/* Being the owner of a followed table. */
typedef struct Guise
{
	CiCaller	caller;
	int			nest_level;
	ErrorContextCallback callback;
} Guise;

/*
 * From here to end_guise statements are those of the table's owner, with the
 * search_path that he gave and sight of every row, and nothing that they do is
 * left for the end of the transaction, when rights would be the caller's: that
 * the operation is restricted refuses triggers that are deferred, so
 * constraints that would be are checked at once.
 */
static void
begin_guise(Followed *followed, Guise *guise)
{
	ListCell   *cell;

	guise->callback.previous = error_context_stack;
	guise->callback.callback = explain_error;
	guise->callback.arg = followed;
	error_context_stack = &guise->callback;
	GetUserIdAndSecContext(&guise->caller.role, &guise->caller.context);
	SetUserIdAndSecContext(followed->relation->rd_rel->relowner,
						   guise->caller.context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION | SECURITY_NOFORCE_RLS);
	guise->nest_level = NewGUCNestLevel();
	(void) set_config_option("search_path", followed->search_path, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	foreach(cell, followed->constraints)
		run_utility(psprintf("SET CONSTRAINTS %s IMMEDIATE", (char *) lfirst(cell)));
}

/* Back to whoever called; settings that a trigger has changed go back, too. */
static void
end_guise(Followed *followed, Guise *guise)
{
	ListCell   *cell;

	foreach(cell, followed->deferred)
		run_utility(psprintf("SET CONSTRAINTS %s DEFERRED", (char *) lfirst(cell)));
	AtEOXact_GUC(false, guise->nest_level);
	ci_become_caller(&guise->caller);
	error_context_stack = guise->callback.previous;
}

/* ---- the table ---- */

/* A table's name as SQL takes it. */
static char *
table_name(Relation relation)
{
	return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(relation)),
									  RelationGetRelationName(relation));
}

/* The table in FROM: a plain one without those that inherit from it. */
static char *
from_table(Relation relation)
{
	return psprintf("%s%s", relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ? "" : "ONLY ",
					table_name(relation));
}

/* The column of that name, or NULL. */
static Form_pg_attribute
find_column(Relation relation, const char *name)
{
	TupleDesc	desc = RelationGetDescr(relation);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (!attribute->attisdropped && namestrcmp(&attribute->attname, name) == 0)
			return attribute;
	}
	return NULL;
}

/* Whether a trigger is one that follow() made. */
static bool
is_ours(const Trigger *trigger)
{
	char	   *name;

	if (trigger->tgnargs != 6 || strcmp(trigger->tgargs[0], "account_id") != 0 ||
		strcmp(trigger->tgargs[2], "column") != 0 || strcmp(trigger->tgargs[4], "search_path") != 0 ||
		get_func_namespace(trigger->tgfoid) != get_namespace_oid("contact_identity", true))
		return false;
	name = get_func_name(trigger->tgfoid);
	return name != NULL && strcmp(name, "followed_truncate") == 0;
}

/*
 * The trigger that follow() made for a column and an account, or NULL; a copy,
 * since looking into the catalogs may renew what is kept of the table.
 */
static const Trigger *
find_trigger(Relation relation, int account_id, const char *column)
{
	const TriggerDesc *triggers = CopyTriggerDesc(relation->trigdesc);

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (is_ours(trigger) && pg_strtoint32(trigger->tgargs[1]) == account_id &&
			strcmp(trigger->tgargs[3], column) == 0)
			return trigger;
	}
	return NULL;
}

/* Reads the primary key; what is wrong with it, or NULL. */
static const char *
read_key(Followed *followed)
{
	Relation	index;
	Oid			index_id;
	const char *problem = NULL;

	list_free(RelationGetIndexList(followed->relation));
	index_id = followed->relation->rd_pkindex;
	if (!OidIsValid(index_id))
		return "It has no primary key, or a deferrable one.";
	index = relation_open(index_id, AccessShareLock);
	followed->nkey = IndexRelationGetNumberOfKeyAttributes(index);
	followed->key = palloc0(sizeof(KeyColumn) * followed->nkey);
	for (int i = 0; i < followed->nkey; i++)
	{
		KeyColumn  *column = &followed->key[i];
		Form_pg_attribute attribute;
		Oid			function;
		bool		is_varlena;

		column->attnum = index->rd_index->indkey.values[i];
		attribute = TupleDescAttr(RelationGetDescr(followed->relation), column->attnum - 1);
		column->name = pstrdup(NameStr(attribute->attname));
		column->type = attribute->atttypid;
		column->typmod = attribute->atttypmod;
		column->array_type = get_array_type(column->type);
		column->equals = get_opfamily_member(index->rd_opfamily[i], index->rd_opcintype[i],
											 index->rd_opcintype[i], BTEqualStrategyNumber);
		if (!OidIsValid(column->array_type))
			problem = psprintf("Column \"%s\" of its primary key has a type without arrays.", column->name);
		getTypeOutputInfo(column->type, &function, &is_varlena);
		fmgr_info(function, &column->output);
		getTypeInputInfo(column->type, &function, &column->input_param);
		fmgr_info(function, &column->input);
	}
	relation_close(index, AccessShareLock);
	return problem;
}

/*
 * Looks through the indexes of a column: whether one finds its rows, and
 * whether two rows can collide in one.
 */
static void
look_at_indexes(Relation relation, AttrNumber attnum, bool *finds, bool *may_collide)
{
	List	   *indexes = RelationGetIndexList(relation);
	ListCell   *cell;

	*finds = false;
	/* A partition may have constraints of its own. */
	*may_collide = relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
	foreach(cell, indexes)
	{
		Relation	index = relation_open(lfirst_oid(cell), AccessShareLock);
		Form_pg_index form = index->rd_index;
		List	   *predicate = RelationGetIndexPredicate(index);

		/* A condition that the value is there is one that every search meets. */
		if (list_length(predicate) == 1 && IsA(linitial(predicate), NullTest))
		{
			const NullTest *test = linitial_node(NullTest, predicate);

			if (test->nulltesttype == IS_NOT_NULL && IsA(test->arg, Var) &&
				((const Var *) test->arg)->varattno == attnum)
				predicate = NIL;
		}
		if (form->indisvalid && form->indkey.values[0] == attnum && predicate == NIL &&
			(index->rd_rel->relam == BTREE_AM_OID || index->rd_rel->relam == HASH_AM_OID))
			*finds = true;
		for (int i = 0; i < form->indnkeyatts && (form->indisunique || form->indisexclusion); i++)
		{
			if (form->indkey.values[i] == attnum || form->indkey.values[i] == 0)
				*may_collide = true;
		}
		relation_close(index, AccessShareLock);
	}
	list_free(indexes);
}

/* Constraints that would be checked, or act, only at the end of the transaction. */
static void
read_constraints(Followed *followed)
{
	const TriggerDesc *triggers = followed->relation->trigdesc;
	bool		any = false;
	Datum		value = ObjectIdGetDatum(RelationGetRelid(followed->relation));
	uint64		count;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
		any |= triggers->triggers[i].tgdeferrable;
	if (!any)
		return;
	count = ci_run(&constraints_stmt, &value, NULL, true);
	for (uint64 i = 0; i < count; i++)
	{
		char	   *name = ci_get_text(SPI_tuptable->vals[i], 1);

		followed->constraints = lappend(followed->constraints, name);
		if (ci_get_bool(SPI_tuptable->vals[i], 2))
			followed->deferred = lappend(followed->deferred, name);
	}
	SPI_freetuptable(SPI_tuptable);
}

/*
 * Opens a followed column.  False where there is nothing to be written: the
 * table is gone, or was changed so that it cannot be followed any more, which
 * is said.  SPI must be connected and the owner be the current user.
 */
static bool
open_followed(int account_id, Oid table, const char *column, Followed *followed)
{
	const Trigger *trigger;
	Form_pg_attribute attribute;
	Oid			type = InvalidOid;
	AttrNumber	attnum = InvalidAttrNumber;
	const char *problem = NULL;
	bool		finds;

	memset(followed, 0, sizeof(Followed));
	followed->relation = try_relation_open(table, RowExclusiveLock);
	if (followed->relation == NULL)
		return false;
	followed->account_id = account_id;
	followed->column = column;
	trigger = find_trigger(followed->relation, account_id, column);
	attribute = find_column(followed->relation, column);
	if (attribute != NULL)
	{
		type = attribute->atttypid;
		attnum = attribute->attnum;
	}
	if (trigger == NULL)
		problem = "Its trigger that follow() made is gone.";
	else if (type != INT8OID && type != INT4OID)
		problem = "The column is gone, or has another type.";
	else
		problem = read_key(followed);
	if (problem != NULL)
	{
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("column \"%s\" of table \"%s\" is not followed any more",
						column, RelationGetRelationName(followed->relation)),
				 errdetail_internal("%s", problem),
				 errhint("Call contact_identity.unfollow() for it, and follow() for what is there now."),
				 errhidestmt(true), errhidecontext(true)));
		relation_close(followed->relation, NoLock);
		return false;
	}
	followed->search_path = trigger->tgargs[5];
	followed->type = type == INT8OID ? "pg_catalog.int8" : "pg_catalog.int4";
	look_at_indexes(followed->relation, attnum, &finds, &followed->may_collide);
	read_constraints(followed);
	return true;
}

/* ---- re-pointing ---- */

/* Appends the columns of the primary key, each after a comma. */
static void
append_key(StringInfo sql, const Followed *followed)
{
	for (int k = 0; k < followed->nkey; k++)
		appendStringInfo(sql, ", t.%s", quote_identifier(followed->key[k].name));
}

/* Runs a statement as the owner of the table; its rows are in SPI_tuptable. */
static uint64
run_as_owner(Followed *followed, const char *sql, int nargs, Oid *types, Datum *values, int expected)
{
	MemoryContext context = CurrentMemoryContext;
	Guise		guise;
	int			result;
	uint64		count;
	SPITupleTable *table;

	begin_guise(followed, &guise);
	if (followed->sees_latest && IsolationUsesXactSnapshot())
	{
		SPIPlanPtr	plan = SPI_prepare(sql, nargs, types);

		/* as foreign keys see the rows */
		result = plan == NULL ? SPI_result :
			SPI_execute_snapshot(plan, values, NULL, GetLatestSnapshot(), InvalidSnapshot, false, true, 0);
	}
	else
		result = SPI_execute_with_args(sql, nargs, types, values, NULL, false, 0);
	if (result != expected)
		elog(ERROR, "running it returned %s: %s", SPI_result_code_string(result), sql);
	count = SPI_processed;
	table = SPI_tuptable;
	MemoryContextSwitchTo(context);
	end_guise(followed, &guise);
	SPI_tuptable = table;
	return count;
}

/*
 * The primary key of a row as an object of texts, to be remembered; the row
 * has it after its first columns.
 */
static char *
key_text(const Followed *followed, HeapTuple row, int first)
{
	StringInfoData out;

	initStringInfo(&out);
	for (int k = 0; k < followed->nkey; k++)
	{
		bool		isnull;
		Datum		value = SPI_getbinval(row, SPI_tuptable->tupdesc, first + k, &isnull);

		appendStringInfoChar(&out, k == 0 ? '{' : ',');
		escape_json(&out, followed->key[k].name);
		appendStringInfoChar(&out, ':');
		escape_json(&out, OutputFunctionCall(&followed->key[k].output, value));
	}
	appendStringInfoChar(&out, '}');
	return out.data;
}

/* The step of an ended contact, or NULL. */
static const Step *
find_step(const Moves *moves, int64 ended)
{
	int			low = 0;
	int			high = moves->nsteps;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (moves->steps[middle].ended < ended)
			low = middle + 1;
		else
			high = middle;
	}
	return low < moves->nsteps && moves->steps[low].ended == ended ? &moves->steps[low] : NULL;
}

static int
compare_steps(const void *a, const void *b)
{
	int64		x = ((const Step *) a)->ended;
	int64		y = ((const Step *) b)->ended;

	return x < y ? -1 : x > y;
}

/* From here to leave_formats values are read and written as the table's owner. */
static int
enter_formats(const Followed *followed, CiCaller *caller)
{
	static const char *const formats[][2] = {
		{"DateStyle", "ISO, YMD"}, {"IntervalStyle", "postgres"}, {"extra_float_digits", "3"},
		{"bytea_output", "hex"}
	};
	int			nest_level;

	GetUserIdAndSecContext(&caller->role, &caller->context);
	SetUserIdAndSecContext(followed->relation->rd_rel->relowner,
						   caller->context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	nest_level = enter_path();
	for (int i = 0; i < lengthof(formats); i++)
		(void) set_config_option(formats[i][0], formats[i][1], PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	return nest_level;
}

static void
leave_formats(int nest_level, const CiCaller *caller)
{
	AtEOXact_GUC(false, nest_level);
	ci_become_caller(caller);
}

/*
 * Remembers the rows that were re-pointed, which are in SPI_tuptable: the
 * contact that each named, and its primary key.
 */
static void
remember(Followed *followed, const Moves *moves, uint64 count)
{
	SPITupleTable *table = SPI_tuptable;
	Datum		values[5] = {
		Int32GetDatum(followed->account_id), ObjectIdGetDatum(RelationGetRelid(followed->relation)),
		CStringGetTextDatum(followed->column)
	};

	for (uint64 from = 0; from < count; from += ROWS_AT_ONCE)
	{
		CiColumn	merges;
		CiColumn	keys;
		CiCaller	caller;
		int			nest_level;

		CHECK_FOR_INTERRUPTS();
		SPI_tuptable = table;
		ci_column_init(&merges, INT8OID);
		ci_column_init(&keys, TEXTOID);
		nest_level = enter_formats(followed, &caller);
		for (uint64 i = from; i < Min(count, from + ROWS_AT_ONCE); i++)
		{
			const Step *step = find_step(moves, ci_get_int64(table->vals[i], 1));
			char	   *key = key_text(followed, table->vals[i], 2);

			for (; step != NULL; step = find_step(moves, step->survivor))
			{
				ci_column_add_int64(&merges, step->merge_id);
				ci_column_add_text(&keys, key);
			}
			pfree(key);
		}
		leave_formats(nest_level, &caller);
		if (merges.count == 0)
			continue;
		values[3] = ci_column_array(&merges);
		values[4] = ci_column_array(&keys);
		ci_run(&remember_stmt, values, NULL, false);
	}
	SPI_freetuptable(table);
}

/* Runs something that a constraint of the application's may refuse; false then. */
static bool
run_guarded(Followed *followed, const char *sql, int nargs, Oid *types, Datum *values, uint64 *count)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool done = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		*count = run_as_owner(followed, sql, nargs, types, values, SPI_OK_UPDATE_RETURNING);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		done = true;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		if (error->sqlerrcode != ERRCODE_UNIQUE_VIOLATION && error->sqlerrcode != ERRCODE_EXCLUSION_VIOLATION)
			ReThrowError(error);
		FreeErrorData(error);
	}
	PG_END_TRY();
	return done;
}

/*
 * Re-points rows that are given by their keys, from one contact to another;
 * arguments are the contacts and, in arrays, the columns of the keys.  Answers
 * as run_guarded does.
 */
static bool
repoint_keys(Followed *followed, CiColumn *keys, int64 from, int64 to, uint64 *count)
{
	int			nargs = followed->nkey + 2;
	Oid		   *types = palloc(sizeof(Oid) * nargs);
	Datum	   *values = palloc(sizeof(Datum) * nargs);
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s AS t SET %s = $2::%s FROM ROWS FROM (", from_table(followed->relation),
					 quote_identifier(followed->column), followed->type);
	types[0] = types[1] = INT8OID;
	values[0] = Int64GetDatum(from);
	values[1] = Int64GetDatum(to);
	for (int k = 0; k < followed->nkey; k++)
	{
		appendStringInfo(&sql, "%spg_catalog.unnest($%d)", k == 0 ? "" : ", ", k + 3);
		types[k + 2] = followed->key[k].array_type;
		values[k + 2] = ci_column_array(&keys[k]);
	}
	appendStringInfoString(&sql, ") AS u (");
	for (int k = 0; k < followed->nkey; k++)
		appendStringInfo(&sql, "%sk%d", k == 0 ? "" : ", ", k + 1);
	appendStringInfo(&sql, ") WHERE t.%s OPERATOR(pg_catalog.=) $1", quote_identifier(followed->column));
	for (int k = 0; k < followed->nkey; k++)
	{
		appendStringInfoString(&sql, " AND ");
		generate_operator_clause(&sql, psprintf("t.%s", quote_identifier(followed->key[k].name)),
								 followed->key[k].type, followed->key[k].equals,
								 psprintf("u.k%d", k + 1), followed->key[k].type);
	}
	appendStringInfoString(&sql, " RETURNING $1");
	append_key(&sql, followed);
	if (followed->may_collide)
		return run_guarded(followed, sql.data, nargs, types, values, count);
	*count = run_as_owner(followed, sql.data, nargs, types, values, SPI_OK_UPDATE_RETURNING);
	return true;
}

/* Says that rows stay where they are. */
static void
warn_of_left(const Followed *followed, int64 left)
{
	if (left == 0)
		return;
	ereport(WARNING,
			(errcode(ERRCODE_UNIQUE_VIOLATION),
			 errmsg_plural("%lld row of table \"%s\" keeps its contact in column \"%s\"",
						   "%lld rows of table \"%s\" keep their contact in column \"%s\"", (unsigned long) left,
						   (long long) left, RelationGetRelationName(followed->relation), followed->column),
			 errdetail("With the other contact it would violate a constraint of the table."),
			 errhint("contact_identity.resolve() leads from an ended contact to its survivor. Once the rows are made one, contact_identity.repoint_followed() re-points what is left."),
			 errhidestmt(true), errhidecontext(true)));
}

/*
 * Re-points the rows one by one, and leaves those that a constraint refuses.
 * That costs more, and is done only where all at once have failed.
 */
static uint64
repoint_singly(Followed *followed, const Moves *moves, Oid *types, Datum *values)
{
	SPITupleTable *rows;
	uint64		count;
	uint64		repointed = 0;
	int64		left = 0;
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT u.ended, u.survivor");
	append_key(&sql, followed);
	appendStringInfo(&sql, " FROM %s AS t JOIN ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2))"
					 " AS u (ended, survivor) ON t.%s OPERATOR(pg_catalog.=) u.ended ORDER BY 1",
					 from_table(followed->relation), quote_identifier(followed->column));
	for (int k = 0; k < followed->nkey; k++)
		appendStringInfo(&sql, ", %d", k + 3);
	count = run_as_owner(followed, sql.data, 2, types, values, SPI_OK_SELECT);
	rows = SPI_tuptable;
	for (uint64 i = 0; i < count; i++)
	{
		CiColumn   *keys = palloc(sizeof(CiColumn) * followed->nkey);
		int64		ended;
		int64		survivor;
		uint64		done = 0;

		CHECK_FOR_INTERRUPTS();
		SPI_tuptable = rows;
		ended = ci_get_int64(rows->vals[i], 1);
		survivor = ci_get_int64(rows->vals[i], 2);
		for (int k = 0; k < followed->nkey; k++)
		{
			bool		isnull;

			ci_column_init(&keys[k], followed->key[k].type);
			ci_column_add(&keys[k], SPI_getbinval(rows->vals[i], rows->tupdesc, k + 3, &isnull), false);
		}
		if (!repoint_keys(followed, keys, ended, survivor, &done))
			left++;
		else
			remember(followed, moves, done);
		repointed += done;
	}
	SPI_freetuptable(rows);
	warn_of_left(followed, left);
	return repointed;
}

/* Re-points the rows of one column to the survivors of the contacts they name. */
static uint64
repoint_column(Followed *followed, const Moves *moves)
{
	Oid			types[2] = {INT8ARRAYOID, INT8ARRAYOID};
	Datum		values[2] = {ci_column_array(&moves->ended), ci_column_array(&moves->survivors)};
	StringInfoData sql;
	uint64		count;

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s AS t SET %s = u.survivor::%s"
					 " FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS u (ended, survivor)"
					 " WHERE t.%s OPERATOR(pg_catalog.=) u.ended RETURNING u.ended",
					 from_table(followed->relation), quote_identifier(followed->column), followed->type,
					 quote_identifier(followed->column));
	append_key(&sql, followed);
	if (!followed->may_collide)
		count = run_as_owner(followed, sql.data, 2, types, values, SPI_OK_UPDATE_RETURNING);
	else if (!run_guarded(followed, sql.data, 2, types, values, &count))
		return repoint_singly(followed, moves, types, values);
	remember(followed, moves, count);
	return count;
}

/*
 * [10.8] Re-points what follows the contacts that have ended, in one statement
 * a column.  The last step of what writes a change set: triggers of the
 * application find all else done, and may call us.
 */
void
ci_follow_merges(CiWorld *world)
{
	const CiConfig *config = world->config;
	Moves		moves;
	int			count = 0;

	if (world->merges == NULL || config->nfollowed == 0)
		return;
	for (CiMerge *merge = world->merges; merge != NULL; merge = merge->next)
		count++;
	ci_column_init(&moves.ended, INT8OID);
	ci_column_init(&moves.survivors, INT8OID);
	moves.steps = palloc(sizeof(Step) * count);
	moves.nsteps = 0;
	for (CiMerge *merge = world->merges; merge != NULL; merge = merge->next)
	{
		Step	   *step = &moves.steps[moves.nsteps++];

		step->ended = merge->ended->id;
		step->merge_id = merge->id;
		step->survivor = merge->survivor->id;
		/* Nobody knows a contact that began and ended here. */
		if (merge->ended->is_new || merge->ended->survivor == NULL)
			continue;
		ci_column_add_int64(&moves.ended, merge->ended->id);
		ci_column_add_int64(&moves.survivors, merge->ended->survivor->id);
	}
	qsort(moves.steps, moves.nsteps, sizeof(Step), compare_steps);
	if (moves.ended.count == 0)
		return;

	for (int i = 0; i < config->nfollowed; i++)
	{
		Followed	followed;

		if (!open_followed(config->account_id, config->followed[i].relation, config->followed[i].column, &followed))
			continue;
		(void) repoint_column(&followed, &moves);
		relation_close(followed.relation, NoLock);
	}
}

/* ---- putting back ---- */

/*
 * Reads a remembered key into the columns; false where the table's primary key
 * is of other columns by now.
 */
static bool
read_remembered(const Followed *followed, Jsonb *json, CiColumn *keys)
{
	char	  **texts = palloc(sizeof(char *) * followed->nkey);
	CiCaller	caller;
	int			nest_level;

	if (!JB_ROOT_IS_OBJECT(json) || JB_ROOT_COUNT(json) != followed->nkey)
		return false;
	for (int k = 0; k < followed->nkey; k++)
	{
		JsonbValue	value;

		if (getKeyJsonValueFromContainer(&json->root, followed->key[k].name, strlen(followed->key[k].name),
										 &value) == NULL || value.type != jbvString)
			return false;
		texts[k] = pnstrdup(value.val.string.val, value.val.string.len);
	}
	nest_level = enter_formats(followed, &caller);
	for (int k = 0; k < followed->nkey; k++)
		ci_column_add(&keys[k], InputFunctionCall(&followed->key[k].input, texts[k], followed->key[k].input_param,
												  followed->key[k].typmod), false);
	leave_formats(nest_level, &caller);
	return true;
}

/* Puts back rows that are given by their keys; one by one where all cannot go. */
static void
put_back(Followed *followed, CiColumn *keys, int64 survivor, int64 ended)
{
	uint64		done;
	int64		left = 0;

	if (!repoint_keys(followed, keys, survivor, ended, &done))
	{
		for (int i = 0; i < keys[0].count; i++)
		{
			CiColumn   *single = palloc(sizeof(CiColumn) * followed->nkey);

			CHECK_FOR_INTERRUPTS();
			for (int k = 0; k < followed->nkey; k++)
			{
				ci_column_init(&single[k], followed->key[k].type);
				ci_column_add(&single[k], keys[k].values[i], false);
			}
			if (!repoint_keys(followed, single, survivor, ended, &done))
				left++;
		}
	}
	warn_of_left(followed, left);
}

/*
 * [10.3] [10.8] Puts back the rows that a merge has re-pointed and that still
 * name its survivor, the last column first, since a primary key may contain
 * several.  The merge is forgotten here.  SPI must be connected and the owner
 * be the current user.
 */
void
ci_unfollow_merge(const CiConfig *config, int64 merge_id, int64 ended, int64 survivor)
{
	Datum		values[4] = {Int32GetDatum(config->account_id), Int64GetDatum(merge_id)};
	SPITupleTable *columns;
	uint64		count;

	if (!config->has_1_1_tables)
		return;
	count = ci_run(&columns_stmt, values, NULL, false);
	if (count == 0)
		return;
	columns = SPI_tuptable;
	for (uint64 i = 0; i < count; i++)
	{
		Followed	followed;
		CiColumn   *keys;
		SPITupleTable *rows;
		uint64		nrows;
		Oid			table;
		char	   *column;

		SPI_tuptable = columns;
		table = (Oid) ci_get_int64(columns->vals[i], 1);
		column = ci_get_text(columns->vals[i], 2);
		if (!open_followed(config->account_id, table, column, &followed))
			continue;
		values[2] = ObjectIdGetDatum(table);
		values[3] = CStringGetTextDatum(column);
		nrows = ci_run(&rows_stmt, values, NULL, false);
		rows = SPI_tuptable;
		for (uint64 from = 0; from < nrows; from += ROWS_AT_ONCE)
		{
			bool		fits = true;

			keys = palloc(sizeof(CiColumn) * followed.nkey);
			for (int k = 0; k < followed.nkey; k++)
				ci_column_init(&keys[k], followed.key[k].type);
			for (uint64 j = from; fits && j < Min(nrows, from + ROWS_AT_ONCE); j++)
			{
				SPI_tuptable = rows;
				fits = read_remembered(&followed, ci_get_jsonb(rows->vals[j], 1), keys);
			}
			if (!fits)
			{
				ereport(WARNING,
						(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						 errmsg("rows of table \"%s\" are not put back in column \"%s\"",
								RelationGetRelationName(followed.relation), column),
						 errdetail("The primary key by which they were remembered was changed."),
						 errhidestmt(true), errhidecontext(true)));
				break;
			}
			put_back(&followed, keys, survivor, ended);
		}
		SPI_freetuptable(rows);
		relation_close(followed.relation, NoLock);
	}
	SPI_freetuptable(columns);
	ci_run(&forget_merge_stmt, values, NULL, false);
}

/*
 * [10.6] Forgets the rows of contacts that are erased, given as an array:
 * primary keys may be personal.  As ci_unfollow_merge is called.
 */
void
ci_forget_followed(const CiConfig *config, Datum contacts)
{
	Datum		values[2] = {Int32GetDatum(config->account_id), contacts};

	if (config->has_1_1_tables)
		ci_run(&forget_contacts_stmt, values, NULL, false);
}

/* ---- catching up ---- */

/* Reads how some ended contacts came to their survivors, who then stay that. */
static bool
read_moves(int account_id, CiColumn *ids, Moves *moves)
{
	Datum		values[2] = {Int32GetDatum(account_id), ci_column_array(ids)};
	uint64		count = ci_run(&ended_stmt, values, NULL, false);

	ci_column_init(&moves->ended, INT8OID);
	ci_column_init(&moves->survivors, INT8OID);
	for (uint64 i = 0; i < count; i++)
	{
		ci_column_add_int64(&moves->ended, ci_get_int64(SPI_tuptable->vals[i], 1));
		ci_column_add_int64(&moves->survivors, ci_get_int64(SPI_tuptable->vals[i], 2));
	}
	SPI_freetuptable(SPI_tuptable);
	if (count == 0)
		return false;
	values[1] = ci_column_array(&moves->ended);
	count = ci_run(&steps_stmt, values, NULL, false);
	moves->steps = palloc(sizeof(Step) * Max(1, count));
	moves->nsteps = (int) count;
	for (uint64 i = 0; i < count; i++)
	{
		moves->steps[i].ended = ci_get_int64(SPI_tuptable->vals[i], 1);
		moves->steps[i].merge_id = ci_get_int64(SPI_tuptable->vals[i], 2);
		moves->steps[i].survivor = ci_get_int64(SPI_tuptable->vals[i], 3);
	}
	SPI_freetuptable(SPI_tuptable);
	qsort(moves->steps, moves->nsteps, sizeof(Step), compare_steps);
	return true;
}

/*
 * Re-points all rows of a column that name ended contacts.  The contacts that
 * it names are read through a cursor, so that a table without an index is read
 * once.
 */
static uint64
catch_up(Followed *followed)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "contact_identity rows",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext outer = CurrentMemoryContext;
	char	   *column = psprintf("t.%s", quote_identifier(followed->column));
	char	   *sql = psprintf("SELECT DISTINCT %s::pg_catalog.int8 FROM %s AS t WHERE %s IS NOT NULL",
							   column, from_table(followed->relation), column);
	uint64		repointed = 0;
	uint64		count;
	SPIPlanPtr	plan;
	Portal		portal;
	Guise		guise;

	begin_guise(followed, &guise);
	plan = SPI_prepare(sql, 0, NULL);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare returned %s for: %s", SPI_result_code_string(SPI_result), sql);
	portal = SPI_cursor_open(NULL, plan, NULL, NULL, false);
	end_guise(followed, &guise);
	do
	{
		CiColumn	ids;
		Moves		moves;

		CHECK_FOR_INTERRUPTS();
		begin_guise(followed, &guise);
		SPI_cursor_fetch(portal, true, ROWS_AT_ONCE);
		count = SPI_processed;
		MemoryContextSwitchTo(context);
		ci_column_init(&ids, INT8OID);
		for (uint64 i = 0; i < count; i++)
			ci_column_add_int64(&ids, ci_get_int64(SPI_tuptable->vals[i], 1));
		SPI_freetuptable(SPI_tuptable);
		end_guise(followed, &guise);
		if (count > 0 && read_moves(followed->account_id, &ids, &moves))
			repointed += repoint_column(followed, &moves);
		MemoryContextSwitchTo(outer);
		MemoryContextReset(context);
	} while (count > 0);
	SPI_cursor_close(portal);
	SPI_freeplan(plan);
	MemoryContextDelete(context);
	return repointed;
}

/* repoint_followed(account_id) */
Datum
ci_repoint_followed(PG_FUNCTION_ARGS)
{
	CiCall		call;
	uint64		repointed = 0;

	ci_begin_call(&call, ci_account_argument(fcinfo, 0));
	ci_require_1_1_tables(call.config);
	for (int i = 0; i < call.config->nfollowed; i++)
	{
		Followed	followed;

		if (!open_followed(call.config->account_id, call.config->followed[i].relation,
						   call.config->followed[i].column, &followed))
			continue;
		repointed += catch_up(&followed);
		relation_close(followed.relation, NoLock);
	}
	ci_end_call(&call);
	MemoryContextDelete(call.context);
	PG_RETURN_INT64((int64) repointed);
}

/* ---- whom the application names ---- */

/*
 * Adds those of some contacts that a column names; its table is open.  Rows count
 * that are newer than the transaction's snapshot: nobody may lose his contact.
 */
static void
find_named(Followed *followed, Datum ids, CiColumn *named)
{
	Oid			type = INT8ARRAYOID;
	char	   *sql = psprintf("SELECT DISTINCT u.id FROM pg_catalog.unnest($1) AS u (id) WHERE EXISTS"
							   " (SELECT FROM %s AS t WHERE t.%s OPERATOR(pg_catalog.=) u.id)",
							   from_table(followed->relation), quote_identifier(followed->column));
	uint64		count;

	followed->sees_latest = true;
	count = run_as_owner(followed, sql, 1, &type, &ids, SPI_OK_SELECT);
	for (uint64 i = 0; i < count; i++)
		ci_column_add_int64(named, ci_get_int64(SPI_tuptable->vals[i], 1));
	SPI_freetuptable(SPI_tuptable);
}

/*
 * [10.7] Those of some contacts, given as an array, that a followed column or a
 * foreign key names, in any account; maybe more than once.  SPI must be
 * connected and the owner be the current user.  Whoever then removes the
 * others has locked them before, FOR UPDATE, since that is what a new row
 * with a foreign key waits for.
 */
void
ci_find_named_contacts(const CiConfig *config, Datum ids, CiColumn *named)
{
	SPITupleTable *references;
	uint64		count;

	for (int i = 0; i < config->nfollowed; i++)
	{
		Followed	followed;

		if (!open_followed(config->account_id, config->followed[i].relation, config->followed[i].column, &followed))
			continue;
		find_named(&followed, ids, named);
		relation_close(followed.relation, NoLock);
	}

	count = ci_run(&references_stmt, NULL, NULL, false);
	references = SPI_tuptable;
	for (uint64 i = 0; i < count; i++)
	{
		Followed	followed = {.search_path = "pg_catalog, pg_temp"};

		SPI_tuptable = references;
		followed.column = ci_get_text(references->vals[i], 2);
		followed.relation = try_relation_open((Oid) ci_get_int64(references->vals[i], 1), AccessShareLock);
		if (followed.relation == NULL)
			continue;
		find_named(&followed, ids, named);
		relation_close(followed.relation, NoLock);
	}
	SPI_freetuptable(references);
}

static int
compare_ids(const void *a, const void *b)
{
	int64		x = DatumGetInt64(*(const Datum *) a);
	int64		y = DatumGetInt64(*(const Datum *) b);

	return x < y ? -1 : x > y;
}

/* named_contacts(contact_ids, account_id) */
Datum
ci_named_contacts(PG_FUNCTION_ARGS)
{
	CiCall		call;
	CiColumn	named;
	CiColumn	once;
	Datum		result;

	ci_begin_call(&call, ci_account_argument(fcinfo, 1));
	ci_require_1_1_tables(call.config);
	ci_column_init(&named, INT8OID);
	ci_column_init(&once, INT8OID);
	if (!PG_ARGISNULL(0))
		ci_find_named_contacts(call.config, PG_GETARG_DATUM(0), &named);
	if (named.count > 0)
		qsort(named.values, named.count, sizeof(Datum), compare_ids);
	for (int i = 0; i < named.count; i++)
	{
		if (i == 0 || compare_ids(&named.values[i], &named.values[i - 1]) != 0)
			ci_column_add(&once, named.values[i], false);
	}
	MemoryContextSwitchTo(call.row_context);
	result = ci_column_array(&once);
	ci_end_call(&call);
	MemoryContextDelete(call.context);
	PG_RETURN_DATUM(result);
}

/* ---- follow() and unfollow() ---- */

/* A column's name in ci_run's arguments. */
static void
column_values(int account_id, Oid table, const char *column, Datum *values)
{
	values[0] = Int32GetDatum(account_id);
	values[1] = ObjectIdGetDatum(table);
	values[2] = CStringGetTextDatum(column);
}

/*
 * The search_path of the session, with temporary tables last where it does
 * not say: those of whoever calls us must not stand in for the owner's.
 */
static char *
safe_search_path(void)
{
	char	   *path = pstrdup(GetConfigOption("search_path", false, false));
	char	   *copy = pstrdup(path);
	List	   *names;
	ListCell   *cell;

	if (!SplitIdentifierString(copy, ',', &names))
		elog(ERROR, "search_path is not a list of names");
	foreach(cell, names)
	{
		if (strcmp((char *) lfirst(cell), "pg_temp") == 0)
			return path;
	}
	return psprintf("%s%spg_temp", path, names == NIL ? "" : ", ");
}

/* Refuses a table that cannot be followed. */
static void
check_table(Relation relation)
{
	const TriggerDesc *triggers = relation->trigdesc;

	if (relation->rd_rel->relkind != RELKIND_RELATION && relation->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table", RelationGetRelationName(relation))));
	if (RelationGetNamespace(relation) == get_namespace_oid("contact_identity", true))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("table \"%s\" is one of contact_identity's own", RelationGetRelationName(relation))));
	if (IsCatalogRelation(relation))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("table \"%s\" is one of the server's own", RelationGetRelationName(relation))));
	if (relation->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("table \"%s\" is temporary", RelationGetRelationName(relation)),
				 errdetail("Merges of other sessions could not write into it.")));
	if (relation->rd_rel->relispartition)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("table \"%s\" is a partition", RelationGetRelationName(relation)),
				 errhint("Name its partitioned table instead.")));
	if (relation->rd_rules != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("table \"%s\" has rules", RelationGetRelationName(relation)),
				 errdetail("What a rule makes of an update cannot be undone.")));
	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (trigger->tgdeferrable && !trigger->tgisinternal && TRIGGER_FOR_UPDATE(trigger->tgtype))
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("trigger \"%s\" of table \"%s\" is deferrable", trigger->tgname,
							RelationGetRelationName(relation)),
					 errdetail("At the end of the transaction it would run with the rights of whoever made a merge, and not with those of the table's owner.")));
	}
}

/* Refuses a column that cannot be followed; its number. */
static AttrNumber
check_column(Relation relation, const char *column)
{
	Form_pg_attribute attribute = find_column(relation, column);

	if (attribute == NULL)
		ci_refuse(CI_INVALID, psprintf("column \"%s\" of table \"%s\" does not exist",
									   column, RelationGetRelationName(relation)), NULL);
	if (attribute->atttypid != INT8OID && attribute->atttypid != INT4OID)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("column \"%s\" of table \"%s\" cannot hold ids of contacts",
						column, RelationGetRelationName(relation)),
				 errdetail("It has type %s and must be bigint or integer.", format_type_be(attribute->atttypid)),
				 errhidestmt(true)));
	if (attribute->attgenerated != '\0' || attribute->attidentity != '\0')
		ci_refuse(CI_INVALID, psprintf("column \"%s\" cannot be followed, since it is generated", column), NULL);
	return attribute->attnum;
}

/* The rows that a table has, as the planner would say. */
static double
estimate_rows(Relation relation)
{
	double		rows = 0;
	List	   *tables;
	ListCell   *cell;

	if (relation->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		tables = list_make1_oid(RelationGetRelid(relation));
	else
		tables = find_all_inheritors(RelationGetRelid(relation), AccessShareLock, NULL);
	foreach(cell, tables)
	{
		Relation	table = relation_open(lfirst_oid(cell), AccessShareLock);
		BlockNumber pages;
		double		tuples = 0;
		double		visible;

		if (table->rd_rel->relkind == RELKIND_RELATION)
			estimate_rel_size(table, NULL, &pages, &tuples, &visible);
		rows += tuples;
		relation_close(table, NoLock);
	}
	return rows;
}

/* The column's trigger, under a name that is free. */
static void
make_trigger(Relation relation, int account_id, const char *column, const char *search_path)
{
	char	   *name = TRIGGER_NAME;
	char	   *sql;
	CiCaller	caller;

	for (int n = 1; OidIsValid(get_trigger_oid(RelationGetRelid(relation), name, true)); n++)
		name = psprintf(TRIGGER_NAME "_%d", n);
	sql = psprintf("CREATE TRIGGER %s AFTER TRUNCATE ON %s FOR EACH STATEMENT"
				   " EXECUTE FUNCTION contact_identity.followed_truncate('account_id', '%d', 'column', %s,"
				   " 'search_path', %s)",
				   name, table_name(relation), account_id, quote_literal_cstr(column),
				   quote_literal_cstr(search_path));

	/*
	 * The caller owns the table, but may not execute the trigger's function,
	 * or he could follow for accounts that are not his; so the server's own
	 * role makes it.
	 */
	GetUserIdAndSecContext(&caller.role, &caller.context);
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, caller.context | SECURITY_LOCAL_USERID_CHANGE);
	run_utility(sql);
	ci_become_caller(&caller);
}

/* Reads the arguments that both functions have. */
static Oid
read_arguments(FunctionCallInfo fcinfo, char **column)
{
	(void) ci_table("followed_row", false);
	if (PG_ARGISNULL(0))
		ci_refuse(CI_INVALID, "table must be given", NULL);
	if (PG_ARGISNULL(1))
		ci_refuse(CI_INVALID, "column must be given", NULL);
	*column = text_to_cstring(PG_GETARG_TEXT_PP(1));
	return PG_GETARG_OID(0);
}

/* Only the owner of a table says what follows; a table that is gone is nobody's. */
static void
check_owner(Oid table)
{
	if (get_rel_name(table) != NULL && !CI_OWNS_TABLE(table, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(table)), get_rel_name(table));
}

/* follow("table", "column", account_id) */
Datum
ci_follow(PG_FUNCTION_ARGS)
{
	int			account_id = ci_account_argument(fcinfo, 2);
	char	   *search_path = safe_search_path();
	int			nest_level = enter_path();
	MemoryContext outer = CurrentMemoryContext;
	CiCaller	caller;
	Followed	followed = {.account_id = account_id};
	Datum		values[3];
	const char *problem;
	char	   *column;
	Oid			table = read_arguments(fcinfo, &column);
	AttrNumber	attnum;
	bool		finds;
	bool		is_new;

	PreventCommandIfReadOnly("contact_identity.follow()");
	ci_become_owner(&caller);
	SPI_connect();
	MemoryContextSwitchTo(outer);
	(void) ci_get_config(account_id);
	ci_become_caller(&caller);

	check_owner(table);
	followed.relation = try_relation_open(table, ShareRowExclusiveLock);
	if (followed.relation == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", table)));
	check_owner(table);
	check_table(followed.relation);
	attnum = check_column(followed.relation, column);
	problem = read_key(&followed);
	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("table \"%s\" has no primary key that rows can be remembered by",
						RelationGetRelationName(followed.relation)),
				 errdetail_internal("%s", problem),
				 errhint("Add one, so that unmerge() can put the rows back that a merge re-points.")));
	look_at_indexes(followed.relation, attnum, &finds, &followed.may_collide);
	if (!finds && estimate_rows(followed.relation) >= MANY_ROWS_TO_SCAN)
		ereport(WARNING,
				(errmsg("table \"%s\" has many rows and no index that begins with column \"%s\"",
						RelationGetRelationName(followed.relation), column),
				 errdetail("Each merge has to read the whole table."),
				 errhint("Make one: CREATE INDEX CONCURRENTLY ON %s (%s).",
						 table_name(followed.relation), quote_identifier(column))));

	is_new = find_trigger(followed.relation, account_id, column) == NULL;
	if (is_new)
		make_trigger(followed.relation, account_id, column, search_path);
	relation_close(followed.relation, NoLock);

	column_values(account_id, table, column, values);
	ci_become_owner(&caller);
	ci_run(&clean_stmt, values, NULL, false);
	is_new |= ci_run(&register_stmt, values, NULL, false) > 0;
	ci_become_caller(&caller);
	SPI_finish();
	leave_path(nest_level);
	PG_RETURN_BOOL(is_new);
}

/* unfollow("table", "column", account_id) */
Datum
ci_unfollow(PG_FUNCTION_ARGS)
{
	int			account_id = ci_account_argument(fcinfo, 2);
	MemoryContext outer = CurrentMemoryContext;
	CiCaller	caller;
	Relation	relation;
	Datum		values[3];
	char	   *column;
	Oid			table = read_arguments(fcinfo, &column);
	bool		any = false;

	PreventCommandIfReadOnly("contact_identity.unfollow()");
	SPI_connect();
	MemoryContextSwitchTo(outer);
	check_owner(table);
	relation = try_relation_open(table, AccessExclusiveLock);
	if (relation != NULL)
	{
		const Trigger *trigger = find_trigger(relation, account_id, column);
		char	   *sql = trigger == NULL ? NULL :
			psprintf("DROP TRIGGER %s ON %s", quote_identifier(trigger->tgname), table_name(relation));

		check_owner(table);
		relation_close(relation, NoLock);
		if (sql != NULL)
			run_utility(sql);
		any = sql != NULL;
	}
	column_values(account_id, table, column, values);
	ci_become_owner(&caller);
	any |= ci_run(&unregister_stmt, values, NULL, false) > 0;
	ci_run(&forget_column_stmt, values, NULL, false);
	ci_become_caller(&caller);
	SPI_finish();
	PG_RETURN_BOOL(any);
}

/*
 * AFTER TRUNCATE: rows that are gone are put back by no unmerge, nor others
 * that come to have their keys.
 */
Datum
ci_followed_truncate(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	MemoryContext outer = CurrentMemoryContext;
	CiCaller	caller;
	Datum		values[3];

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by trigger manager", "followed_truncate")));
	if (!TRIGGER_FIRED_BY_TRUNCATE(data->tg_event) || !is_ours(data->tg_trigger))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" on table \"%s\" was not made by contact_identity.follow()",
						data->tg_trigger->tgname, RelationGetRelationName(data->tg_relation))));
	if (!OidIsValid(ci_table("followed_row", true)))
		return PointerGetDatum(NULL);
	column_values(pg_strtoint32(data->tg_trigger->tgargs[1]), RelationGetRelid(data->tg_relation),
				  data->tg_trigger->tgargs[3], values);
	ci_become_owner(&caller);
	SPI_connect();
	MemoryContextSwitchTo(outer);
	ci_run(&forget_column_stmt, values, NULL, false);
	SPI_finish();
	ci_become_caller(&caller);
	return PointerGetDatum(NULL);
}

/* unfollowed_references(account_id) */
Datum
ci_unfollowed_references(PG_FUNCTION_ARGS)
{
	Datum		account = Int32GetDatum(ci_account_argument(fcinfo, 0));

	(void) ci_table("followed", false);
	ci_return_rows(fcinfo, &unfollowed_stmt, &account, NULL);
	return (Datum) 0;
}
