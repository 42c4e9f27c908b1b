/*-------------------------------------------------------------------------
 *
 * write.h
 *	  Rows of our tables, written without a statement.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CI_WRITE_H
#define CI_WRITE_H

#include "nodes/execnodes.h"
#include "utils/rel.h"

#include "statement.h"

/* A table that rows are written to. */
typedef struct CiTarget
{
	Relation	table;
	EState	   *estate;
	ResultRelInfo *info;
	MemoryContext rows;			/* what they consist of */
	ErrorContextCallback hiding;
} CiTarget;

/* write.c */
extern CiTarget *ci_open_target(const char *name, CmdType command, AclMode needed);
extern void ci_close_target(CiTarget *target);
extern bool ci_find_columns(CiStatement *stmt, TupleDesc desc, const CiColumn *columns);
extern bool ci_has_generated(Relation table);
extern Datum ci_stored_value(CiTarget *target, AttrNumber number, const CiColumn *column, int row);

/* update.c */
extern void ci_copy_row(TupleTableSlot *slot, TupleTableSlot *old);
extern bool ci_replace_row(CiTarget *target, TupleTableSlot *old, TupleTableSlot *slot, bool wait);

/* check.c */
extern void ci_check_row(const CiTarget *target, TupleTableSlot *slot);

#endif							/* CI_WRITE_H */
