/*-------------------------------------------------------------------------
 *
 * pipeline.h
 *	  read, normalise, load, resolve, apply: what every write goes through.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CI_PIPELINE_H
#define CI_PIPELINE_H

#include "lib/stringinfo.h"
#include "utils/jsonb.h"

#include "config.h"
#include "statement.h"

/* An identifier as it was given. */
typedef struct CiRawIdentifier
{
	const char *kind;
	const char *value;
} CiRawIdentifier;

/* A request as it was given; NULL and 0 stand for what was not. */
typedef struct CiRawRequest
{
	CiOp		op;
	const char *source;
	const char *key;
	const char *via;
	CiRawIdentifier identifiers[CI_MAX_KINDS];
	int			nidentifiers;
	const Jsonb *attributes;
	bool		has_contact_id;
	int64		contact_id;
	bool		verified;
	bool		has_occurred_at;
	TimestampTz occurred_at;
	const char *actor;
	bool		has_loser_id;
	int64		loser_id;
	bool		newer_wins;
	bool		lifted;
	bool		suppress;
	bool		has_conflict_id;
	int64		conflict_id;
	bool		confirmed;
	const char *list;
	const char *channel;
	bool		only_contact;	/* see CiRequest */
	const char *removed[CI_MAX_KINDS];
	int			nremoved;
} CiRawRequest;

/* A call from SQL: its memory, and who asked. */
typedef struct CiCall
{
	MemoryContext context;		/* what the call makes */
	MemoryContext row_context;	/* the caller's, for what outlives it */
	MemoryContext outer;
	CiCaller	caller;
	const CiConfig *config;
} CiCall;

#define CI_RESULT_COLUMNS 7

/* functions.c: what every function of SQL begins and ends with */
extern void ci_begin_call(CiCall *call, int account_id);
extern void ci_end_call(CiCall *call);
extern void ci_read_identify(FunctionCallInfo fcinfo, CiRawRequest *raw);
extern void ci_read_merge(FunctionCallInfo fcinfo, CiRawRequest *raw);
extern void ci_result_row(int number, const CiRequest *request, const CiResult *result,
						  Datum *values, bool *nulls);

/* batch.c: requests as jsonb */
extern bool ci_read_request(JsonbContainer *object, CiRawRequest *raw, CiError *error);

/* request.c: read and normalise */
extern void ci_prepare_request(const CiConfig *config, const CiRawRequest *raw, CiRequest *request);

/* attribute.c: attributes as jsonb and in the working set */
extern void ci_init_text(StringInfo out, Size room);
extern bool ci_read_attributes(const Jsonb *json, CiAttributes *attributes, CiError *err);
extern void ci_load_attributes(const Jsonb *values, const Jsonb *times, CiAttributes *attributes);
extern char *ci_attributes_json(const CiAttributes *attributes);
extern char *ci_attribute_times_json(const CiWorld *world, const CiAttributes *attributes);
extern char *ci_json_string(const char *string);
extern char *ci_canonical_json(const Jsonb *json);
extern char *ci_jsonb_text(const Jsonb *json);
extern bool ci_json_is_kept(const JsonbContainer *container);

/* record.c: the record of a merge */
extern CiRecord *ci_load_record(const CiConfig *config, CiWorld *world, int64 contact_id,
								CiColumn *kinds, CiColumn *given, CiColumn *contacts);

/* load.c */
extern char *ci_jsonb_string(const Jsonb *json);
extern CiWorld *ci_load_world(const CiConfig *config, CiRequest *requests, int count);
extern int64 *ci_live_contacts(const CiWorld *world, int *count);

/* apply.c */
extern bool ci_apply_world(CiWorld *world);
extern int	ci_count_claims(const CiWorld *world);
extern void ci_wait_for_claim(const CiWorld *world);

/* counts.c: how many contacts are identified, of push and of conversations */
#define CI_COUNTS 3
extern void ci_add_to_counts(int account_id, const int64 *changes);
extern void ci_count_changes(const CiWorld *world, int64 *changes);

/* erase.c: RULES 10.6 */
extern void ci_refuse_suppressed(const CiConfig *config, CiRequest *requests, int count);
extern bool ci_has_unknown_suppressed(const CiConfig *config);
extern bool ci_claimed_suppressed(CiWorld *world, const CiRequest *requests, int count);
extern void ci_apply_erasure(CiWorld *world);
extern void ci_lock_rows_of(const CiConfig *config, Datum contacts);
extern void ci_forget_owners(const CiConfig *config, Datum contacts);

/* follow.c: columns of the application's that name contacts [10.8] */
extern void ci_follow_merges(CiWorld *world);
extern void ci_unfollow_merge(const CiConfig *config, int64 merge_id, int64 ended, int64 survivor);
extern void ci_find_named_contacts(const CiConfig *config, Datum ids, CiColumn *named);
extern void ci_forget_followed(const CiConfig *config, Datum contacts);

/* pipeline.c */
extern void ci_play(const CiConfig *config, CiRequest *requests, CiResult *results, int count);

#endif							/* CI_PIPELINE_H */
