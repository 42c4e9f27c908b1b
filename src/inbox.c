/*-------------------------------------------------------------------------
 *
 * inbox.c
 *	  The view inbox: requests given by INSERT or COPY.
 *
 * A trigger before the statement opens it, one in the place of each row
 * collects the row, one after the statement plays what is left and says what
 * became of all.  Statements nest, in a function that a statement calls or in
 * a trigger of somebody's: the innermost one that is open is the one whose
 * rows arrive.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "collect.h"

PG_FUNCTION_INFO_V1(ci_write_inbox);

/* A statement that writes to inbox. */
typedef struct Statement
{
	SubTransactionId subtransaction;	/* that it runs in */
	Oid			view;
	MemoryContext context;		/* has all of it */
	CiBatch    *batch;
	int64		line;			/* of the last row */
	struct Statement *outer;
} Statement;

static Statement *innermost = NULL;

/* What was collected by a statement that failed is not played. */
static void
end_subtransaction(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_COMMIT_SUB)
	{
		for (Statement *statement = innermost; statement != NULL; statement = statement->outer)
		{
			if (statement->subtransaction == id)
				statement->subtransaction = parent;
		}
	}
	else if (event == SUBXACT_EVENT_ABORT_SUB)
	{
		while (innermost != NULL && innermost->subtransaction == id)
		{
			Statement  *failed = innermost;

			innermost = failed->outer;
			MemoryContextDelete(failed->context);
		}
	}
}

/*
 * No row is dropped in silence: SPI can be told to run a statement for some of
 * its rows, and then nothing is fired after it.
 */
static void
end_transaction(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			if (innermost != NULL)
				ereport(ERROR,
						(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						 errmsg("a statement that wrote to contact_identity.inbox was not run to its end"),
						 errhint("Run it without a limit on the number of its rows.")));
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			innermost = NULL;	/* its memory goes with the transaction's */
			break;
		default:
			break;
	}
}

/* Opens a statement. */
static void
begin_statement(Relation view)
{
	static bool registered = false;
	MemoryContext context;
	Statement  *statement;

	if (!registered)
	{
		RegisterXactCallback(end_transaction, NULL);
		RegisterSubXactCallback(end_subtransaction, NULL);
		registered = true;
	}
	context = AllocSetContextCreate(TopTransactionContext, "contact_identity inbox",
									ALLOCSET_SMALL_SIZES);
	statement = MemoryContextAllocZero(context, sizeof(Statement));
	statement->view = RelationGetRelid(view);
	statement->context = context;
	statement->batch = ci_create_batch(context);
	statement->batch->grows = true;
	statement->subtransaction = GetCurrentSubTransactionId();
	statement->outer = innermost;
	innermost = statement;
}

/* The statement whose trigger is fired. */
static Statement *
current_statement(Relation view)
{
	if (innermost == NULL || innermost->view != RelationGetRelid(view) ||
		innermost->subtransaction != GetCurrentSubTransactionId())
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("the trigger before the statement was not fired")));
	return innermost;
}

/* Collects a row, and plays what was collected when it is enough. */
static void
add_row(Relation view, HeapTuple row)
{
	Statement  *statement = current_statement(view);
	CiBatch    *batch = statement->batch;
	CiCollected *collected = ci_collect(batch, ++statement->line, ci_setting_account_id);
	MemoryContext caller = MemoryContextSwitchTo(batch->context);
	char	  **texts = palloc(sizeof(char *) * CI_TEXTS);
	Datum		values[CI_TEXTS];
	bool		nulls[CI_TEXTS];

	heap_deform_tuple(row, RelationGetDescr(view), values, nulls);
	for (int i = 0; i < CI_TEXTS; i++)
		texts[i] = nulls[i] ? NULL : TextDatumGetCString(values[i]);
	ci_read_texts(collected, texts);
	MemoryContextSwitchTo(caller);
	if (ci_batch_is_full(batch))
		ci_play_batch(batch);
}

/* Plays what is left and says what became of all. */
static void
end_statement(Relation view)
{
	Statement  *statement = current_statement(view);
	CiBatch    *batch = statement->batch;
	Statement **link = &innermost;

	ci_play_batch(batch);
	ereport(NOTICE,
			(errmsg_internal("inbox: %s", ci_describe_outcomes(batch)),
			 batch->rejected == 0 ? 0 :
			 errdetail("What was rejected is in contact_identity.rejected as job " INT64_FORMAT ".", batch->job),
			 errhidestmt(true)));
	while (*link != statement)
		link = &(*link)->outer;
	*link = statement->outer;
	MemoryContextDelete(statement->context);
}

/* The view as setup() made it: the columns that this file reads. */
static void
check_columns(Relation view)
{
	TupleDesc	desc = RelationGetDescr(view);
	bool		same = desc->natts == CI_TEXTS && RelationGetRelid(view) == ci_table("inbox", false);

	for (int i = 0; same && i < CI_TEXTS; i++)
		same = TupleDescAttr(desc, i)->atttypid == TEXTOID &&
			strcmp(NameStr(TupleDescAttr(desc, i)->attname), ci_text_names[i]) == 0;
	if (!same)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("this trigger is for the view contact_identity.inbox as setup() makes it"),
				 errhint("Drop the view, and run SELECT contact_identity.setup().")));
}

/* The triggers of the view, all of them. */
Datum
ci_write_inbox(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by trigger manager", "write_inbox")));
	if (!TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("contact_identity.inbox takes INSERT and COPY only"),
				 errdetail("It holds no rows: what is written to it is played as requests."),
				 errhint("Read contact_identity.contacts, and change what is there with identify().")));
	if (TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
	{
		add_row(trigger->tg_relation, trigger->tg_trigtuple);

		/*
		 * A copy, in memory that goes with the row: where it gets its own row
		 * back, the server keeps it until the end of the statement.
		 */
		return PointerGetDatum(heap_copytuple(trigger->tg_trigtuple));
	}
	if (TRIGGER_FIRED_BEFORE(trigger->tg_event))
	{
		check_columns(trigger->tg_relation);
		begin_statement(trigger->tg_relation);
	}
	else
		end_statement(trigger->tg_relation);
	return PointerGetDatum(NULL);
}
