/*-------------------------------------------------------------------------
 *
 * pipeline.c
 *	  load, resolve, apply: looking, then holding, until it took.
 *
 * The concurrency contract is kept here.  A call that would change nothing
 * answers from looking alone, without lock, transaction id or WAL.  Else the
 * contacts that it met are locked in the order of their ids: the only mutex
 * there is, since whoever changes anything of a contact holds it.  Ended ones
 * are locked too, though their survivor guards them: a merge of the survivor
 * points them elsewhere, and must not then wait for whoever met them earlier.
 * Whatever changes of a contact, its row is written too: where the rows that
 * are held are those that were read, nothing has changed since, and else all is
 * read again.  Where that meets contacts that are not held, or where another
 * session is first to claim a new value, the attempt is rolled back and made
 * again.  Who was first is waited for in between, holding nothing of the
 * attempt: what is read then, and its time, are later than what he has written.
 * A contact is never waited for while a value is claimed, so no two calls wait
 * for each other.
 *
 * A contact that this transaction has written is held already.  Locking it
 * again in a subtransaction would make its row a multixact that grows with
 * each: a transaction of many batches would take a time that is quadratic.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#include "pipeline.h"

/* So often is a lost race played again before the caller is asked to. */
#define MAX_ATTEMPTS 1000

static CiStatement lock_stmt = {
	.sql = "SELECT c.contact_id, c.xmin FROM " CI_ROWS
	" JOIN contact_identity.contact c ON c.account_id OPERATOR(pg_catalog.=) $1"
	" AND c.contact_id OPERATOR(pg_catalog.=) u.id"
	" ORDER BY c.contact_id FOR NO KEY UPDATE OF c",
	.columns = "id",
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID}
};

/* The list of requests that is being played. */
typedef struct Play
{
	const CiConfig *config;
	CiRequest  *requests;
	CiError    *given_errors;	/* of normalising, which stay */
	CiResult   *results;
	int			count;
	CiWorld    *world;
	int64	   *met;			/* contacts, in order of id */
	int			nmet;
	bool		is_alone;		/* not in a subtransaction */
} Play;

static int
compare_ids(const void *a, const void *b)
{
	int64		x = *(const int64 *) a;
	int64		y = *(const int64 *) b;

	return x < y ? -1 : x > y;
}

/* Loads what the requests touch and plays them on it, in order. */
static void
look(Play *play)
{
	CiWorld    *world;
	int			n = 0;

	for (int i = 0; i < play->count; i++)
		play->requests[i].error = play->given_errors[i];
	ci_push_snapshot();
	world = ci_load_world(play->config, play->requests, play->count);
	PopActiveSnapshot();
	play->world = world;
	play->met = palloc(sizeof(int64) * Max(1, world->ncontacts));
	for (CiContact *contact = world->contacts; contact != NULL; contact = contact->next)
	{
		if (contact->state != CI_ERASED && !contact->is_ours)
			play->met[n++] = contact->id;
	}
	play->nmet = n;
	qsort(play->met, n, sizeof(int64), compare_ids);

	for (int i = 0; i < play->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		ci_resolve_request(world, &play->requests[i], &play->results[i]);

		/*
		 * [4.10] The clock goes on from request to request, as it would from
		 * call to call: a value that one of them stores may later meet that
		 * of another.  Loading took longer than a microsecond for each, so
		 * that no call after this one has an earlier time.
		 */
		if (play->given_errors[i].code == CI_OK)
			world->clock++;
	}
}

/*
 * Locks the contacts that were met, in order of id.  Answers whether they still
 * are as they were read.
 */
static bool
lock_contacts(const Play *play)
{
	Datum		account = Int32GetDatum(play->config->account_id);
	CiColumn	column;
	uint64		count;
	bool		same;
	bool		isnull;

	ci_column_init(&column, INT8OID);
	for (int i = 0; i < play->nmet; i++)
		ci_column_add_int64(&column, play->met[i]);
	count = ci_run_rows(&lock_stmt, &account, &column);
	same = count == play->nmet;
	for (uint64 i = 0; same && i < count; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		const CiContact *contact = ci_world_contact(play->world, ci_get_int64(row, 1));

		same = contact != NULL &&
			contact->version == DatumGetTransactionId(ci_get_datum(row, 2, XIDOID, &isnull));
	}
	SPI_freetuptable(SPI_tuptable);
	return same;
}

/* Whether all contacts that were met are among those that are held. */
static bool
all_held(const Play *play, const int64 *held, int nheld)
{
	int			j = 0;

	for (int i = 0; i < play->nmet; i++)
	{
		while (j < nheld && held[j] < play->met[i])
			j++;
		if (j == nheld || held[j] != play->met[i])
			return false;
	}
	return true;
}

/* Notes a value that nobody has, and goes on to be nobody's, to be claimed. */
static void
touch_absent(CiWorld *world, const CiKind *kind, const char *value)
{
	CiIdentifier *identifier = ci_world_identifier(world, kind, value);

	if (identifier->was.contact == NULL)
		ci_touch_identifier(world, identifier);
}

/* All those that are given, where anything is to be written. */
static void
touch_all_absent(Play *play)
{
	if (!ci_world_is_changed(play->world))
		return;
	for (int i = 0; i < play->count; i++)
	{
		const CiRequest *request = &play->requests[i];

		if (play->given_errors[i].code != CI_OK || request->suppressed)
			continue;
		if (request->key != NULL)
			touch_absent(play->world, request->key_kind, request->key);
		for (int j = 0; j < request->ngiven; j++)
			touch_absent(play->world, request->given[j].kind, request->given[j].value);
	}
}

/*
 * One attempt to write what looking has found.  False where a race was lost;
 * then nothing may stay of it but what the caller rolls back.
 */
static bool
attempt(Play *play)
{
	int64	   *held = play->met;
	int			nheld = play->nmet;

	/* With nothing to lock, what was looked at is as good as read again. */
	if (nheld > 0)
	{
		bool		same = lock_contacts(play);

		/* A merge's record and history can be purged with no contact changed. */
		if (!same || play->world->record != NULL ||
			!ci_can_wait(play->world, play->requests, play->count))
		{
			look(play);
			if (!all_held(play, held, nheld))
				return false;
		}
		else
			play->world->waited = Max(0, GetCurrentTimestamp() - play->world->looked_at);
		touch_all_absent(play);
	}
	if (!ci_world_is_changed(play->world))
		return true;
	if (!ci_apply_world(play->world))
		return false;
	if (!ci_claimed_suppressed(play->world, play->requests, play->count))
		return true;

	/* The account's first: there was no reason to expect one. */
	if (play->is_alone)
		ci_refuse(CI_RETRY, "could not get ahead of concurrent calls for the same contacts",
				  "Try the call again.");
	return false;
}

/* Does something in a subtransaction, which stays if it answers true. */
static bool
in_subtransaction(bool (*work) (Play *), Play *play)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	bool		done;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		done = work(play);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		/* Whoever catches the error ends his own subtransaction, not ours. */
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		ReThrowError(error);
	}
	PG_END_TRY();
	if (done)
		ReleaseCurrentSubTransaction();
	else
		RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return done;
}

/* As attempt, in a subtransaction where one could leave something behind. */
static bool
attempt_safely(Play *play)
{
	if (play->nmet == 0)
		touch_all_absent(play);
	/* A single claim that was lost has left nothing. */
	play->is_alone = play->nmet == 0 && ci_count_claims(play->world) <= 1 &&
		!ci_get_config(play->config->account_id)->has_suppressed;
	return play->is_alone ? attempt(play) : in_subtransaction(attempt, play);
}

/* Waits for whoever was first with a claim; nothing of it stays. */
static bool
wait_for_claim(Play *play)
{
	ci_wait_for_claim(play->world);
	return false;
}

/*
 * Plays requests and stores what they change.  The results point into memory
 * of the current context.  Errors of requests are in them, and theirs alone.
 * SPI must be connected and the owner be the current user.
 */
void
ci_play(const CiConfig *config, CiRequest *requests, CiResult *results, int count)
{
	Play		play = {
		.config = config,
		.requests = requests,
		.results = results,
		.count = count
	};

	play.given_errors = palloc(sizeof(CiError) * Max(1, count));
	for (int i = 0; i < count; i++)
		play.given_errors[i] = requests[i].error;

	for (int attempts = 1;; attempts++)
	{
		/* What a lost race has left in memory goes before the next one. */
		MemoryContext context = attempts == 1 ? CurrentMemoryContext :
			AllocSetContextCreate(CurrentMemoryContext, "contact_identity attempt",
								  ALLOCSET_DEFAULT_SIZES);
		MemoryContext outer = MemoryContextSwitchTo(context);
		bool		done;

		look(&play);
		done = !ci_world_is_changed(play.world) || attempt_safely(&play);
		if (!done && play.world->lost != NULL)
			(void) in_subtransaction(wait_for_claim, &play);
		MemoryContextSwitchTo(outer);
		if (done)
			break;
		if (attempts > 1)
			MemoryContextDelete(context);
		if (attempts == MAX_ATTEMPTS)
			ci_refuse(CI_RETRY, "could not get ahead of concurrent calls for the same contacts",
					  "Try the call again.");
		CHECK_FOR_INTERRUPTS();
	}
	for (int i = 0; i < count; i++)
		ci_complete_error(&requests[i]);
}
