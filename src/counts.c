/*-------------------------------------------------------------------------
 *
 * counts.c
 *	  [2.4] Exact counts of contacts, for which nobody waits.
 *
 * They are kept in parts that are a server process's own.  Where a prepared
 * transaction holds one, there is another.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "lookup.h"
#include "pipeline.h"
#include "write.h"

#define ADD_TO_COUNTS \
	"UPDATE contact_identity.contact_count n SET" \
	" identified = n.identified OPERATOR(pg_catalog.+) $3," \
	" anonymous_push = n.anonymous_push OPERATOR(pg_catalog.+) $4," \
	" anonymous_conversations = n.anonymous_conversations OPERATOR(pg_catalog.+) $5"

/*
 * The part is looked for in a sub-select of its own, which is run once: joined,
 * it may be run for each part, and skips in the next what it wrote in the last.
 */
static CiStatement count_stmt = {
	.sql = ADD_TO_COUNTS
	" WHERE n.account_id OPERATOR(pg_catalog.=) $1 AND n.process OPERATOR(pg_catalog.=) $2"
	" AND n.part OPERATOR(pg_catalog.=) (SELECT f.part FROM contact_identity.contact_count f"
	" WHERE f.account_id OPERATOR(pg_catalog.=) $1 AND f.process OPERATOR(pg_catalog.=) $2"
	" ORDER BY f.part LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)"
	" RETURNING n.ctid AS result",
	.expected = SPI_OK_UPDATE_RETURNING,
	.nargs = 5,
	.argtypes = {INT4OID, INT4OID, INT8OID, INT8OID, INT8OID}
};

static CiStatement count_again_stmt = {
	.sql = ADD_TO_COUNTS
	" WHERE n.ctid OPERATOR(pg_catalog.=) $6"
	" AND n.account_id OPERATOR(pg_catalog.=) $1 AND n.process OPERATOR(pg_catalog.=) $2"
	" RETURNING n.ctid AS result",
	.expected = SPI_OK_UPDATE_RETURNING,
	.nargs = 6,
	.argtypes = {INT4OID, INT4OID, INT8OID, INT8OID, INT8OID, TIDOID}
};

static CiStatement new_count_stmt = {
	.sql = "INSERT INTO contact_identity.contact_count (account_id, process, identified, anonymous_push,"
	" anonymous_conversations) VALUES ($1, $2, $3, $4, $5) RETURNING ctid",
	.expected = SPI_OK_INSERT_RETURNING,
	.nargs = 5,
	.argtypes = {INT4OID, INT4OID, INT8OID, INT8OID, INT8OID}
};

/*
 * The row version of the counts that this transaction wrote last.  It has to
 * be found directly: by its key, the thousandth call of a transaction would
 * walk over the versions that the others left.
 */
static struct
{
	int			account_id;
	LocalTransactionId transaction;
	ItemPointerData version;
}			last_count;

/* The parts of a server process; the columns from FIRST_COUNT on are counts. */
#define FIRST_COUNT 2

static CiLookup parts_by_process = {"contact_count", NULL, 2, {0, 1}, {
		{"account_id", INT4OID}, {"process", INT4OID}, {"identified", INT8OID}, {"anonymous_push", INT8OID},
		{"anonymous_conversations", INT8OID}
}};

/* What is added to a part. */
typedef struct Addition
{
	CiTarget   *target;
	const int64 *changes;
	TupleTableSlot *slot;		/* of the changed row */
	bool		done;
} Addition;

/* Whether this transaction has written the counts of an account. */
static bool
has_counted(int account_id)
{
	return last_count.account_id == account_id && last_count.transaction == CI_LOCAL_XID;
}

/* Keeps the version of the row that has been written. */
static void
note_count(int account_id, const ItemPointerData *version)
{
	last_count.version = *version;
	last_count.account_id = account_id;
	last_count.transaction = CI_LOCAL_XID;
}

/* Adds to a part that was found, unless somebody else holds it. */
static bool
add_to_part(void *argument, const CiRow *row)
{
	Addition   *addition = argument;
	TupleTableSlot *slot = addition->slot;

	ci_copy_row(slot, row->slot);
	for (int i = 0; i < CI_COUNTS; i++)
	{
		int			number = row->lookup->columns[FIRST_COUNT + i].number;
		int64		sum;

		if (pg_add_s64_overflow(ci_row_int64(row, FIRST_COUNT + i), addition->changes[i], &sum))
			return false;
		slot->tts_values[number - 1] = Int64GetDatum(sum);
	}
	ExecStoreVirtualTuple(slot);
	addition->done = ci_replace_row(addition->target, row->slot, slot, false);
	return !addition->done;
}

/* Adds to the part that this transaction wrote last. */
static void
add_to_last_part(Addition *addition, int account_id)
{
	TupleTableSlot *slot = table_slot_create(addition->target->table, NULL);
	CiRow		row = {.lookup = &parts_by_process, .slot = slot};

	ci_find_columns_of(&parts_by_process, addition->target->table);
	/* What was rolled back may be vacuumed away. */
	if (ItemPointerGetBlockNumber(&last_count.version) < RelationGetNumberOfBlocks(addition->target->table) &&
		table_tuple_fetch_row_version(addition->target->table, &last_count.version, GetActiveSnapshot(), slot))
	{
		slot_getallattrs(slot);
		if (ci_row_int32(&row, 0) == account_id && ci_row_int32(&row, 1) == CI_PROCESS_NUMBER)
			(void) add_to_part(addition, &row);
	}
	ExecDropSingleTupleTableSlot(slot);
}

/* Adds to a part that is there, straight in its table; false where it cannot. */
static bool
add_straight(int account_id, const int64 *changes)
{
	Addition	addition = {
		.target = ci_open_target("contact_count", CMD_UPDATE, ACL_SELECT | ACL_UPDATE),
		.changes = changes
	};

	if (addition.target == NULL)
		return false;
	if (!ci_has_generated(addition.target->table))
	{
		CiColumn	process;

		ci_column_init(&process, INT4OID);
		ci_column_add(&process, Int32GetDatum(CI_PROCESS_NUMBER), false);
		addition.slot = table_slot_create(addition.target->table, NULL);
		ci_push_snapshot();
		if (has_counted(account_id))
			add_to_last_part(&addition, account_id);
		if (!addition.done)
			ci_look_up(&parts_by_process, Int32GetDatum(account_id), &process, add_to_part, &addition);
		PopActiveSnapshot();
		if (addition.done)
			note_count(account_id, &addition.slot->tts_tid);
		ExecDropSingleTupleTableSlot(addition.slot);
	}
	ci_close_target(addition.target);
	return addition.done;
}

/* Adds to the counts of an account: identified, push, conversations. */
void
ci_add_to_counts(int account_id, const int64 *changes)
{
	Datum		values[6] = {
		Int32GetDatum(account_id), Int32GetDatum(CI_PROCESS_NUMBER),
		Int64GetDatum(changes[0]), Int64GetDatum(changes[1]), Int64GetDatum(changes[2]),
		PointerGetDatum(&last_count.version)
	};
	uint64		found = 0;
	bool		isnull;

	if (add_straight(account_id, changes))
		return;
	if (has_counted(account_id))
		found = ci_run(&count_again_stmt, values, NULL, false);
	if (found == 0)
		found = ci_run(&count_stmt, values, NULL, false);
	if (found == 0)
		ci_run(&new_count_stmt, values, NULL, false);
	note_count(account_id, (ItemPointer) DatumGetPointer(ci_get_datum(SPI_tuptable->vals[0], 1, TIDOID, &isnull)));
}

/* [2.5] What the counts change by: identified, push, conversations. */
void
ci_count_changes(const CiWorld *world, int64 *changes)
{
	changes[0] = changes[1] = changes[2] = 0;
	for (CiContact *contact = world->contacts; contact != NULL; contact = contact->next)
	{
		CiClass		class = ci_contact_class(contact);
		CiClass		was = contact->is_new ? CI_CLASS_NONE : contact->was_class;
		bool		was_identified = !contact->is_new && contact->was_state == CI_IDENTIFIED;

		changes[0] += (contact->state == CI_IDENTIFIED) - was_identified;
		changes[1] += (class == CI_CLASS_PUSH) - (was == CI_CLASS_PUSH);
		changes[2] += (class == CI_CLASS_CONVERSATIONS) - (was == CI_CLASS_CONVERSATIONS);
	}
}
