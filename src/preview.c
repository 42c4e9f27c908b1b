/*-------------------------------------------------------------------------
 *
 * preview.c
 *	  RULES 10.2: what a call would answer, and the rows that it would change.
 *
 * The pipeline without its last step: what a call touches is loaded in one
 * snapshot, and played.  Nothing is locked or written, and no sequence used:
 * what has no id yet is null.  It is loaded a second time, for the rows as they
 * are.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "pipeline.h"

#define PREVIEW_COLUMNS 5

PG_FUNCTION_INFO_V1(ci_preview_identify);
PG_FUNCTION_INFO_V1(ci_preview_merge);

/* The working set as it is and as it would be, and where the rows go. */
typedef struct Preview
{
	ReturnSetInfo *set;
	CiWorld    *before;
	CiWorld    *after;
} Preview;

/* ---- JSON ---- */

static void
add_name(StringInfo out, const char *name)
{
	if (out->len == 0)
		appendStringInfoChar(out, '{');
	else
		appendStringInfoChar(out, ',');
	escape_json(out, name);
	appendStringInfoChar(out, ':');
}

static void
add_json(StringInfo out, const char *name, const char *json)
{
	add_name(out, name);
	appendStringInfoString(out, json == NULL ? "null" : json);
}

static void
add_text(StringInfo out, const char *name, const char *value)
{
	add_name(out, name);
	if (value == NULL)
		appendStringInfoString(out, "null");
	else
		escape_json(out, value);
}

static void
add_flag(StringInfo out, const char *name, bool value)
{
	add_json(out, name, value ? "true" : "false");
}

/* An id; those that do not exist yet are null. */
static void
add_id(StringInfo out, const char *name, int64 id)
{
	add_name(out, name);
	if (id > 0)
		appendStringInfo(out, INT64_FORMAT, id);
	else
		appendStringInfoString(out, "null");
}

static void
add_contact(StringInfo out, const char *name, const CiContact *contact)
{
	add_id(out, name, contact == NULL ? 0 : contact->id);
}

static void
add_time(StringInfo out, const char *name, CiTime at)
{
	add_text(out, name, at == CI_NO_TIME ? NULL : timestamptz_to_str(at));
}

/* A closed object as jsonb, or null where there is none. */
static Datum
object(StringInfo out, bool *isnull)
{
	*isnull = out->len == 0;
	if (*isnull)
		return (Datum) 0;
	appendStringInfoChar(out, '}');
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(out->data));
}

/* ---- Rules ---- */

/* Whether a row of history is about a row of a table. */
typedef bool (*IsAbout) (const CiEvent *event, const void *row);

static bool
is_about_contact(const CiEvent *event, const void *row)
{
	return event->contact == row && (event->type == CI_FIELD_CONTACT || event->type == CI_FIELD_ATTRIBUTE) &&
		event->conflict == NULL;
}

static bool
is_about_identifier(const CiEvent *event, const void *row)
{
	const CiIdentifier *identifier = row;

	return event->conflict == NULL &&
		(event->type == CI_FIELD_IDENTIFIER || event->type == CI_FIELD_KEY) &&
		strcmp(event->field, identifier->kind->name) == 0 &&
		((event->old_value.text !=NULL && strcmp(event->old_value.text, identifier->value) == 0) ||
		 (event->new_value.text !=NULL && strcmp(event->new_value.text, identifier->value) == 0));
}

static bool
is_about_conflict(const CiEvent *event, const void *row)
{
	return event->conflict == row;
}

static bool
is_about_member(const CiEvent *event, const void *row)
{
	const CiMember *member = row;

	return event->type == CI_FIELD_LIST && event->contact == member->contact &&
		atoi(event->field) == member->list_id;
}

static bool
is_about_block(const CiEvent *event, const void *row)
{
	return event->type == CI_FIELD_BLOCK && event->contact == row;
}

static bool
is_about_merge(const CiEvent *event, const void *row)
{
	return event->merge == row;
}

static bool
is_same(const CiEvent *event, const void *row)
{
	return event == row;
}

/* The rules by which a row of a table changes, each once. */
static Datum
rules_about(const CiWorld *world, IsAbout is_about, const void *row)
{
	CiColumn	rules;

	ci_column_init(&rules, TEXTOID);
	for (int i = 0; i < world->nrules; i++)
	{
		bool		met = is_about == NULL;

		for (const CiEvent *event = world->events; event != NULL && !met; event = event->next)
			met = event->rule != NULL && strcmp(event->rule, world->rules[i]) == 0 && is_about(event, row);
		if (met)
			ci_column_add_text(&rules, world->rules[i]);
	}
	return ci_column_array(&rules);
}

/* ---- Rows ---- */

/* A row of the answer; what is empty is null. */
static void
add_row(const Preview *preview, const char *table, StringInfo key, StringInfo before, StringInfo after,
		IsAbout is_about, const void *row)
{
	Datum		values[PREVIEW_COLUMNS];
	bool		nulls[PREVIEW_COLUMNS] = {false};

	if (before->len > 0 && before->len == after->len && memcmp(before->data, after->data, before->len) == 0)
		return;
	values[0] = CStringGetTextDatum(table);
	values[1] = object(key, &nulls[1]);
	values[2] = object(before, &nulls[2]);
	values[3] = object(after, &nulls[3]);
	values[4] = rules_about(preview->after, is_about, row);
	tuplestore_putvalues(preview->set->setResult, preview->set->setDesc, values, nulls);
}

/* Three empty objects: the key of a row, and what it is before and after. */
typedef struct Objects
{
	StringInfoData key;
	StringInfoData before;
	StringInfoData after;
} Objects;

static void
init_objects(Objects *objects)
{
	initStringInfo(&objects->key);
	initStringInfo(&objects->before);
	initStringInfo(&objects->after);
}

static void
contact_object(StringInfo out, const CiContact *contact)
{
	static const char *const states[] = {"anonymous", "identified", "merged", "erased"};
	bool		live = contact->state == CI_ANONYMOUS || contact->state == CI_IDENTIFIED;

	add_text(out, "state", states[contact->state]);
	add_contact(out, "survivor_id", contact->survivor);
	add_time(out, "identified_at", contact->identified_at);
	add_time(out, "last_seen_at", contact->last_seen_at);
	add_json(out, "attributes", live ? ci_attributes_json(&contact->attributes) : "{}");
}

static void
preview_contacts(const Preview *preview)
{
	for (CiContact *contact = preview->after->contacts; contact != NULL; contact = contact->next)
	{
		const CiContact *before = contact->is_new ? NULL : ci_world_contact(preview->before, contact->id);
		Objects		objects;

		if (!contact->is_new && !contact->touched && !contact->attributes_touched)
			continue;
		init_objects(&objects);
		add_contact(&objects.key, "contact_id", contact);
		if (before != NULL)
			contact_object(&objects.before, before);
		contact_object(&objects.after, contact);
		add_row(preview, "contact", &objects.key, &objects.before, &objects.after, is_about_contact, contact);
	}
}

static void
identifier_object(StringInfo out, const CiIdentifier *identifier, const CiIdentifierState *state)
{
	if (state->contact == NULL)
		return;
	add_contact(out, "contact_id", state->contact);
	if (identifier->kind->identifying)
		add_flag(out, "is_primary", state->primary);
	if (identifier->kind->channel == CI_CHANNEL_PUSH)
		add_flag(out, "opted_in", state->opted_in);
	if (state->parked)
		add_flag(out, "parked", true);
	add_flag(out, "verified", state->verified);
	add_text(out, "source", state->source);
	add_time(out, "updated_at", state->updated_at);
}

static void
preview_identifiers(const Preview *preview)
{
	for (CiIdentifier *identifier = preview->after->touched_identifiers; identifier != NULL;
		 identifier = identifier->next_touched)
	{
		Objects		objects;

		if (identifier->was.contact == NULL && identifier->now.contact == NULL)
			continue;
		init_objects(&objects);
		add_text(&objects.key, "kind", identifier->kind->name);
		add_text(&objects.key, "value", identifier->value);
		identifier_object(&objects.before, identifier, &identifier->was);
		identifier_object(&objects.after, identifier, &identifier->now);
		add_row(preview, "identifier", &objects.key, &objects.before, &objects.after,
				is_about_identifier, identifier);
	}
}

static void
conflict_object(StringInfo out, const CiConflict *conflict)
{
	static const char *const statuses[] = {"open", "promoted", "dismissed", "obsolete"};

	add_contact(out, "contact_id", conflict->contact);
	add_text(out, "field", conflict->field);
	add_json(out, "secondary_value", conflict->type == CI_FIELD_ATTRIBUTE ?
			 conflict->value : ci_json_string(conflict->value));
	add_id(out, "owner_contact_id", conflict->owner != NULL ? conflict->owner->id : conflict->owner_id);
	add_text(out, "source", conflict->source);
	add_text(out, "key", conflict->key);
	add_text(out, "status", statuses[conflict->status]);
}

/* The conflict of that id, as it is. */
static const CiConflict *
conflict_before(const Preview *preview, int64 conflict_id)
{
	for (CiContact *contact = preview->before->contacts; contact != NULL; contact = contact->next)
	{
		for (CiConflict *conflict = contact->conflicts; conflict != NULL; conflict = conflict->next)
		{
			if (conflict->id == conflict_id)
				return conflict;
		}
	}
	return NULL;
}

static void
preview_conflicts(const Preview *preview)
{
	for (CiConflict *conflict = preview->after->touched_conflicts; conflict != NULL;
		 conflict = conflict->next_touched)
	{
		const CiConflict *before = conflict->is_new ? NULL : conflict_before(preview, conflict->id);
		Objects		objects;

		init_objects(&objects);
		add_id(&objects.key, "conflict_id", conflict->id);
		if (before != NULL)
			conflict_object(&objects.before, before);
		conflict_object(&objects.after, conflict);
		add_row(preview, "conflict", &objects.key, &objects.before, &objects.after, is_about_conflict, conflict);
	}
}

static void
member_object(StringInfo out, const CiMember *member)
{
	add_flag(out, "subscribed", member->subscribed);
	add_time(out, "since", member->since);
}

/* Rows of lists and blocks: of new ones, and of those that leave an ended contact. */
static void
preview_reach(const Preview *preview)
{
	for (CiContact *contact = preview->after->contacts; contact != NULL; contact = contact->next)
	{
		const CiContact *before = contact->is_new ? NULL : ci_world_contact(preview->before, contact->id);

		if (!contact->touched)
			continue;
		for (const CiMember *member = contact->members; member != NULL; member = member->next)
		{
			const CiMember *was = before == NULL ? NULL : ci_find_member(before, member->list_id);
			Objects		objects;

			init_objects(&objects);
			add_text(&objects.key, "list", ci_list_name(preview->after->config, member->list_id));
			add_contact(&objects.key, "contact_id", contact);
			if (was != NULL)
				member_object(&objects.before, was);
			member_object(&objects.after, member);
			add_row(preview, "list_member", &objects.key, &objects.before, &objects.after,
					is_about_member, member);
		}
		for (const CiMember *was = before == NULL ? NULL : before->members; was != NULL; was = was->next)
		{
			Objects		objects;

			if (ci_find_member(contact, was->list_id) != NULL)
				continue;
			init_objects(&objects);
			add_text(&objects.key, "list", ci_list_name(preview->after->config, was->list_id));
			add_contact(&objects.key, "contact_id", contact);
			member_object(&objects.before, was);
			add_row(preview, "list_member", &objects.key, &objects.before, &objects.after,
					is_about_contact, contact);
		}
		for (int channel = CI_CHANNEL_EMAIL; channel <= CI_CHANNEL_PUSH; channel <<= 1)
		{
			Objects		objects;

			if (((contact->blocks ^ contact->was_blocks) & channel) == 0)
				continue;
			init_objects(&objects);
			add_contact(&objects.key, "contact_id", contact);
			add_text(&objects.key, "channel", ci_channel_name(channel));
			add_flag(contact->blocks & channel ? &objects.after : &objects.before, "blocked", true);
			add_row(preview, "block", &objects.key, &objects.before, &objects.after, is_about_block, contact);
		}
	}
}

static void
preview_merges(const Preview *preview)
{
	for (const CiMerge *merge = preview->after->merges; merge != NULL; merge = merge->next)
	{
		const CiSource *source = merge->request->source;
		Objects		objects;

		init_objects(&objects);
		add_id(&objects.key, "merge_id", 0);
		add_contact(&objects.after, "survivor_id", merge->survivor);
		add_contact(&objects.after, "merged_id", merge->ended);
		add_text(&objects.after, "source", source == NULL ? "merge" : source->name);
		add_text(&objects.after, "actor", merge->request->actor);
		add_row(preview, "merge", &objects.key, &objects.before, &objects.after, is_about_merge, merge);
	}
	for (const CiPair *pair = preview->after->pairs; pair != NULL; pair = pair->next)
	{
		Objects		objects;

		if (!pair->is_new)
			continue;
		init_objects(&objects);
		add_contact(&objects.key, "contact_id", pair->contact);
		add_contact(&objects.key, "other_id", pair->other);
		add_flag(&objects.after, "distinct", true);
		add_row(preview, "distinct_pair", &objects.key, &objects.before, &objects.after,
				is_about_merge, pair->merge);
	}
}

/* A value of history, as JSON. */
static void
add_event_value(StringInfo out, const char *name, const CiEventValue *value)
{
	if (value->contact != NULL)
		add_contact(out, name, value->contact);
	else
		add_json(out, name, value->text !=NULL ? ci_json_string(value->text) : value->json);
}

static void
preview_history(const Preview *preview)
{
	for (const CiEvent *event = preview->after->events; event != NULL; event = event->next)
	{
		const char *field = event->type == CI_FIELD_LIST ?
			ci_list_name(preview->after->config, atoi(event->field)) : event->field;
		Objects		objects;

		init_objects(&objects);
		add_id(&objects.key, "event_id", 0);
		add_contact(&objects.after, "contact_id", event->contact);
		add_text(&objects.after, "event", event->event);
		add_text(&objects.after, "field", field);
		add_event_value(&objects.after, "old_value", &event->old_value);
		add_event_value(&objects.after, "new_value", &event->new_value);
		add_row(preview, "history", &objects.key, &objects.before, &objects.after, is_same, event);
	}
}

/* [2.5] The counts, as differences. */
static void
preview_counts(const Preview *preview)
{
	int64		counts[CI_COUNTS];
	Objects		objects;

	ci_count_changes(preview->after, counts);
	if (counts[0] == 0 && counts[1] == 0 && counts[2] == 0)
		return;
	init_objects(&objects);
	add_id(&objects.key, "account_id", preview->after->config->account_id);
	add_json(&objects.after, "identified_added", psprintf(INT64_FORMAT, counts[0]));
	add_json(&objects.after, "anonymous_push_added", psprintf(INT64_FORMAT, counts[1]));
	add_json(&objects.after, "anonymous_conversations_added", psprintf(INT64_FORMAT, counts[2]));
	add_row(preview, "contact_count", &objects.key, &objects.before, &objects.after, is_same, NULL);
}

/* The row that the call would answer, with all rules that decided. */
static void
preview_result(const Preview *preview, const CiResult *result)
{
	Objects		objects;
	StringInfoData list;

	init_objects(&objects);
	add_contact(&objects.after, "contact_id", result->contact);
	add_text(&objects.after, "outcome", ci_outcome_name(result->outcome));
	add_contact(&objects.after, "merged_contact_id", result->merged);
	initStringInfo(&list);
	for (int i = 0; i < result->nconflicts; i++)
	{
		const char *id = result->conflicts[i]->id > 0 ? psprintf(INT64_FORMAT, result->conflicts[i]->id) : "null";

		appendStringInfo(&list, "%s%s", i == 0 ? "" : ",", id);
	}
	add_json(&objects.after, "conflicts", psprintf("[%s]", list.data));
	resetStringInfo(&list);
	for (int i = 0; i < result->nignored; i++)
	{
		if (i > 0)
			appendStringInfoChar(&list, ',');
		escape_json(&list, result->ignored[i]);
	}
	add_json(&objects.after, "ignored", psprintf("[%s]", list.data));
	add_row(preview, "identify_result", &objects.key, &objects.before, &objects.after, NULL, NULL);
}

/* Plays a request on what is there, and answers what would come of it. */
static Datum
preview_call(FunctionCallInfo fcinfo, CiCall *call, const CiRawRequest *raw)
{
	Preview		preview = {.set = (ReturnSetInfo *) fcinfo->resultinfo};
	CiRequest	request;
	CiResult	result;

	ci_prepare_request(call->config, raw, &request);
	if (request.error.code == CI_OK)
	{
		ci_push_snapshot();
		preview.before = ci_load_world(call->config, &request, 1);
		preview.after = ci_load_world(call->config, &request, 1);
		PopActiveSnapshot();
		ci_resolve_request(preview.after, &request, &result);
		ci_complete_error(&request);
	}
	if (request.error.code != CI_OK)
		ci_report_error(&request.error);

	preview_result(&preview, &result);
	preview_contacts(&preview);
	preview_identifiers(&preview);
	preview_conflicts(&preview);
	preview_reach(&preview);
	preview_merges(&preview);
	preview_history(&preview);
	preview_counts(&preview);
	ci_end_call(call);
	MemoryContextDelete(call->context);
	return (Datum) 0;
}

/* [10.2] preview_identify(the arguments of identify) */
Datum
ci_preview_identify(PG_FUNCTION_ARGS)
{
	CiRawRequest raw = {.op = CI_OP_IDENTIFY};
	CiCall		call;

	InitMaterializedSRF(fcinfo, 0);
	ci_begin_call(&call, ci_account_argument(fcinfo, 13));
	ci_read_identify(fcinfo, &raw);
	return preview_call(fcinfo, &call, &raw);
}

/* [10.2] preview_merge(the arguments of merge) */
Datum
ci_preview_merge(PG_FUNCTION_ARGS)
{
	CiRawRequest raw = {.op = CI_OP_MERGE};
	CiCall		call;

	InitMaterializedSRF(fcinfo, 0);
	ci_begin_call(&call, ci_account_argument(fcinfo, 4));
	ci_read_merge(fcinfo, &raw);
	return preview_call(fcinfo, &call, &raw);
}
