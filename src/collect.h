/*-------------------------------------------------------------------------
 *
 * collect.h
 *	  Requests that come one by one and are played many at a time.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CI_COLLECT_H
#define CI_COLLECT_H

#include "pipeline.h"

extern int	ci_setting_batch_size;
extern int	ci_setting_report_interval;

/* A request that waits to be played. */
typedef struct CiCollected
{
	int64		line;			/* its number, for the table rejected */
	int			account_id;
	CiRawRequest raw;
	CiError		error;			/* set: it could not be read, only texts is
								 * right */
	char	  **texts;			/* by ci_text_names; NULL: it came otherwise */
} CiCollected;

/*
 * Whom to tell what became of a request, before its memory goes; the ids of
 * contacts are final.  SPI is connected and the owner is the current user.
 */
typedef void (*CiPlayed) (void *arg, const CiCollected *collected,
						  const CiRequest *request, const CiResult *result);

/*
 * Requests of one statement or job.  What is collected, strings too, is
 * allocated in context, which is reset when it has been played.
 */
typedef struct CiBatch
{
	MemoryContext context;
	CiCollected *requests;
	int			count;
	int			size;
	int64		job;			/* 0: numbered when a request is rejected */
	bool		grows;			/* is one transaction: the more, the larger */
	bool		raise;			/* what cannot be used is an error, not
								 * rejected */
	const char *table;			/* that the requests are rows of, or NULL */
	CiPlayed	played;			/* or NULL */
	void	   *played_arg;
	int64		done;			/* requests played so far, rejected ones too */
	int64		rejected;
	int64		outcomes[CI_OUTCOME_UNCHANGED + 1];
} CiBatch;

/* collect.c */
extern CiBatch *ci_create_batch(MemoryContext parent);
extern CiCollected *ci_collect(CiBatch *batch, int64 line, int account_id);
extern bool ci_batch_is_full(const CiBatch *batch);
extern void ci_play_batch(CiBatch *batch);
extern void ci_forget_collected(CiBatch *batch);
extern int64 ci_next_job(void);
extern char *ci_describe_outcomes(const CiBatch *batch);

/* batch.c: requests whose arguments are texts */
#define CI_TEXTS 15				/* the arguments of identify(), op and
								 * account_id */
#define CI_TEXT_SOURCE 0
#define CI_TEXT_OP 13
#define CI_TEXT_ACCOUNT 14

extern const char *const ci_text_names[CI_TEXTS];
extern void ci_read_texts(CiCollected *collected, char **texts);
extern bool ci_read_softly(PGFunction input, const char *text, Datum *result);
extern const char *ci_op_name(CiOp op);

#endif							/* CI_COLLECT_H */
