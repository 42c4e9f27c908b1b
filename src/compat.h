/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  What differs between the server versions that this builds on.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CI_COMPAT_H
#define CI_COMPAT_H

#include "access/tableam.h"
#include "storage/proc.h"
#if PG_VERSION_NUM < 170000
#include "storage/backendid.h"
#endif

#if PG_VERSION_NUM >= 170000
#define CI_PROCESS_NUMBER	(MyProcNumber + 1)
#define CI_LOCAL_XID		(MyProc->vxid.lxid)
#else
#define CI_PROCESS_NUMBER	MyBackendId
#define CI_LOCAL_XID		(MyProc->lxid)
#endif

/* Since 16 the macros of variable-length values have a header of their own. */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#if PG_VERSION_NUM >= 160000
#define CI_OWNS_TABLE(table, role)	object_ownercheck(RelationRelationId, table, role)
#else
#define CI_OWNS_TABLE(table, role)	pg_class_ownercheck(table, role)
#endif

/* Since 16 a changed row may need an entry in indexes of ranges alone. */
#if PG_VERSION_NUM >= 160000
typedef TU_UpdateIndexes CiIndexUpdate;
#define CI_UPDATE_INDEX_TUPLES(target, slot, estate, indexes) \
	ExecInsertIndexTuples(target, slot, estate, true, false, NULL, NIL, (indexes) == TU_Summarizing)
#else
typedef bool CiIndexUpdate;
#define CI_UPDATE_INDEX_TUPLES(target, slot, estate, indexes) \
	ExecInsertIndexTuples(target, slot, estate, true, false, NULL, NIL)
#endif

#if PG_VERSION_NUM >= 160000
#define CI_INSERT_INDEX_TUPLES(target, slot, estate) \
	ExecInsertIndexTuples(target, slot, estate, false, false, NULL, NIL, false)
#define CI_CLAIM_INDEX_TUPLES(target, slot, estate, had, arbiters) \
	ExecInsertIndexTuples(target, slot, estate, false, true, had, arbiters, false)
#else
#define CI_INSERT_INDEX_TUPLES(target, slot, estate) \
	ExecInsertIndexTuples(target, slot, estate, false, false, NULL, NIL)
#define CI_CLAIM_INDEX_TUPLES(target, slot, estate, had, arbiters) \
	ExecInsertIndexTuples(target, slot, estate, false, true, had, arbiters)
#endif

/* Since 18 scans can be counted. */
#if PG_VERSION_NUM >= 180000
#define CI_INDEX_BEGINSCAN(table, index, snapshot, nkeys) \
	index_beginscan(table, index, snapshot, NULL, nkeys, 0)
#else
#define CI_INDEX_BEGINSCAN(table, index, snapshot, nkeys) \
	index_beginscan(table, index, snapshot, nkeys, 0)
#endif

#if PG_VERSION_NUM >= 180000
#define CI_NORETURN	pg_noreturn
#else
#define CI_NORETURN	pg_attribute_noreturn()
#endif

#endif							/* CI_COMPAT_H */
