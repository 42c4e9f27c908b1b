/*-------------------------------------------------------------------------
 *
 * unmerge.c
 *	  RULES 10.3: undoes the newest merge of a contact.
 *
 * Pure C, as resolver.c.  What goes back is what the record of the merge has,
 * and what was given since with a key or identifier that goes back.  For each
 * field of the survivor the history since the merge is played again without
 * the rows of the merge and without those: what comes out is what it has.
 *
 * "Moves" is said of a row of history whose call found its contact by a value
 * that "returns".
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "resolver.h"

/* The two contacts, and the record. */
typedef struct Undo
{
	CiWorld    *world;
	CiRequest  *request;
	CiRecord   *record;
	CiContact  *ended;
	CiContact  *survivor;
} Undo;

static bool
same(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* Whether a row of history is about what is stored in a field. */
static bool
is_about(const CiPastEvent *event, CiFieldType type, const char *field)
{
	return event->type == type && strcmp(event->field, field) == 0 &&
		strncmp(event->event, "conflict_", 9) != 0;
}

/* Whether a row of history is about an identifier or key. */
static bool
is_about_identifier(const CiPastEvent *event)
{
	return event->kind != NULL && strncmp(event->event, "conflict_", 9) != 0;
}

/* The place of an identifier in the record, or -1. */
static int
recorded(const CiRecord *record, const CiIdentifier *identifier)
{
	for (int i = 0; i < record->nidentifiers; i++)
	{
		if (record->identifiers[i] == identifier)
			return i;
	}
	return -1;
}

/*
 * Finds out what returns: the values of the record, and those that were given
 * with one that does.
 */
static void
mark_returning(const Undo *undo)
{
	CiRecord   *record = undo->record;

	for (int i = 0; i < record->nidentifiers; i++)
		record->identifiers[i]->returns = true;
	for (int i = 0; i < record->nevents; i++)
	{
		CiPastEvent *event = &record->events[i];

		if (event->of_merge)
			continue;
		if (event->found_kind != NULL && event->found_value != NULL)
			event->moves = ci_world_identifier(undo->world, event->found_kind, event->found_value)->returns;
		if (is_about_identifier(event) && event->new_value != NULL &&
			!same(event->old_value, event->new_value))
		{
			CiIdentifier *given = ci_world_identifier(undo->world, event->kind, event->new_value);

			if (recorded(record, given) < 0)
				given->returns = event->moves;
		}
	}
}

/*
 * What the survivor would have of an identifier without the merge; contact
 * NULL where it would not have it.
 */
static CiIdentifierState
state_without(const Undo *undo, const CiIdentifier *identifier)
{
	const CiRecord *record = undo->record;
	CiIdentifierState state = {0};
	bool		met = false;

	for (int i = 0; i < record->nevents; i++)
	{
		const CiPastEvent *event = &record->events[i];
		bool		is_old;
		bool		is_new;

		if (!is_about_identifier(event) || event->kind != identifier->kind)
			continue;
		is_old = same(event->old_value, identifier->value);
		is_new = same(event->new_value, identifier->value);
		if (!is_old && !is_new)
			continue;
		if (!met && is_old)
		{
			state = event->old_state;
			state.contact = undo->survivor;
		}
		met = true;
		if (event->of_merge || event->moves)
			continue;
		if (is_new)
		{
			state = event->new_state;
			state.contact = undo->survivor;
		}
		else
			state.contact = NULL;
	}
	return state;
}

/* Whether an identifier that nobody else may have by now is one of the two's. */
static bool
must_be_free(const Undo *undo, const CiIdentifier *identifier)
{
	return identifier->returns ? recorded(undo->record, identifier) >= 0 :
		state_without(undo, identifier).contact != NULL;
}

/* Notes who stands in the way, of an identifier that one of the two gets. */
static void
require_free(const Undo *undo, const CiIdentifier *identifier)
{
	CiContact  *owner = ci_owner(identifier);

	if (owner != NULL && owner != undo->survivor)
		ci_add_offender(undo->request, identifier->kind->name, owner);
}

/* The identifiers that rows of history name, each once, with those of the record. */
static CiIdentifier **
concerned_identifiers(const Undo *undo, int *count)
{
	const CiRecord *record = undo->record;
	CiIdentifier **result = palloc(sizeof(CiIdentifier *) * Max(1, record->nidentifiers + 2 * record->nevents));
	int			n = 0;

	for (int i = 0; i < record->nidentifiers; i++)
	{
		record->identifiers[i]->concerned = true;
		result[n++] = record->identifiers[i];
	}
	for (int i = 0; i < record->nevents; i++)
	{
		const CiPastEvent *event = &record->events[i];
		const char *values[] = {event->old_value, event->new_value};

		if (!is_about_identifier(event))
			continue;
		for (int j = 0; j < 2; j++)
		{
			CiIdentifier *identifier = values[j] == NULL ? NULL :
				ci_world_identifier(undo->world, event->kind, values[j]);

			if (identifier == NULL || identifier->concerned)
				continue;
			identifier->concerned = true;
			result[n++] = identifier;
		}
	}
	*count = n;
	return result;
}

/* Gives an identifier to the ended contact. */
static void
return_identifier(const Undo *undo, CiIdentifier *identifier)
{
	CiWorld    *world = undo->world;
	int			place = recorded(undo->record, identifier);
	CiIdentifierState before = identifier->now;
	CiIdentifierState state = place < 0 ? before : undo->record->states[place];
	CiEvent    *event;

	if (before.contact == undo->survivor)
	{
		state.opted_in = before.opted_in;	/* [1.7] whoever has it */
		state.parked = before.parked;
		if (before.parked)
			state.verified = false;
		if (place >= 0 && before.updated_at > state.updated_at && identifier->kind->identifying)
			state.given = before.given;
		ci_give_identifier(world, identifier, undo->ended);
		identifier->now = state;
		identifier->now.contact = undo->ended;
		if (!before.parked)
		{
			event = ci_identifier_event(world, undo->survivor, "moved_out", identifier, &before);
			event->other = undo->ended;
		}
		/* A parked key is no value of either; its row says whose it was. */
		event = ci_identifier_event(world, undo->ended, "moved_in", identifier, before.parked ? &before : NULL);
		event->other = undo->survivor;
	}
	else if (before.contact == NULL && place >= 0 && identifier->kind->identifying)
	{
		/* A key that nobody has was logged out, and stays so [1.9]. */
		ci_give_identifier(world, identifier, undo->ended);
		identifier->now = state;
		identifier->now.contact = undo->ended;
		ci_identifier_event(world, undo->ended, "added", identifier, NULL);
	}
}

/* Gives the survivor an identifier as it would have it. */
static void
restore_identifier(const Undo *undo, CiIdentifier *identifier, const CiIdentifierState *state)
{
	CiIdentifierState before = identifier->now;

	if (before.contact == NULL)
	{
		ci_give_identifier(undo->world, identifier, undo->survivor);
		identifier->now = *state;
		identifier->now.contact = undo->survivor;
		ci_identifier_event(undo->world, undo->survivor,
							identifier->kind->identifying ? "added" : "attached", identifier, NULL);
	}
	else if (before.contact == undo->survivor && identifier->kind->identifying &&
			 before.primary != state->primary)
	{
		identifier->now.primary = state->primary;
		ci_touch_identifier(undo->world, identifier);
		ci_identifier_event(undo->world, undo->survivor,
							state->primary ? "made_primary" : "made_alias", identifier, &before);
	}
}

/* Of each kind a contact that has values has one primary. */
static void
settle_primaries(const Undo *undo, CiContact *contact)
{
	const CiConfig *config = undo->world->config;

	for (int i = 0; i < config->nkinds && config->kinds[i].identifying; i++)
	{
		CiIdentifier *first = NULL;

		for (CiIdentifier *identifier = contact->identifiers;
			 identifier != NULL && identifier->kind->identifying; identifier = identifier->next)
		{
			CiIdentifierState before = identifier->now;
			CiIdentifier *other = first;

			if (identifier->kind != &config->kinds[i] || !before.primary)
				continue;
			first = identifier;
			if (other == NULL)
				continue;
			/* Of two the one whose time is newer stays. */
			if (other->now.updated_at >= before.updated_at)
			{
				first = other;
				other = identifier;
			}
			before = other->now;
			other->now.primary = false;
			ci_touch_identifier(undo->world, other);
			ci_identifier_event(undo->world, contact, "made_alias", other, &before);
		}
		if (first == NULL)
			ci_promote_newest_alias(undo->world, contact, &config->kinds[i]);
	}
}

static void
undo_identifiers(const Undo *undo, CiIdentifier **identifiers, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (identifiers[i]->returns)
			return_identifier(undo, identifiers[i]);
	}
	for (int i = 0; i < count; i++)
	{
		CiIdentifierState state = state_without(undo, identifiers[i]);

		if (!identifiers[i]->returns && state.contact != NULL)
			restore_identifier(undo, identifiers[i], &state);
	}
	settle_primaries(undo, undo->ended);
	settle_primaries(undo, undo->survivor);
}

/* An attribute's row of history. */
static void
attribute_event(const Undo *undo, CiContact *contact, const CiAttribute *before, const CiAttribute *after,
				const char *name)
{
	CiEvent    *event = ci_add_event(undo->world, contact,
									 after == NULL ? "unset" : after->json == NULL ? "cleared" : "set",
									 CI_FIELD_ATTRIBUTE, name);

	if (before != NULL)
	{
		event->old_value.json = before->json;
		event->old_source = before->source;
		event->old_at = before->at;
	}
	if (after != NULL)
	{
		event->new_value.json = after->json;
		event->new_source = after->source;
		event->new_at = after->at;
	}
	contact->attributes_touched = true;
}

/* What a row of history says an attribute was before, or is since. */
static CiAttribute
attribute_of(const CiPastEvent *event, bool since)
{
	const CiIdentifierState *state = since ? &event->new_state : &event->old_state;
	CiAttribute attribute = {
		.name = event->field,
		.json = since ? event->new_value : event->old_value,
		.canonical = since ? event->new_canonical : event->old_canonical,
		.at = state->updated_at,
		.source = state->source
	};

	return attribute;
}

/* The attribute of a name that the survivor would have without the merge. */
static void
undo_attribute(const Undo *undo, const char *name)
{
	const CiRecord *record = undo->record;
	CiContact  *survivor = undo->survivor;
	CiAttribute *stored = ci_find_attribute(&survivor->attributes, name);
	CiAttribute before = {0};
	CiAttribute without = {.at = CI_NO_TIME};
	bool		met = false;
	bool		changed = false;	/* by the merge, or by what goes back */

	for (int i = 0; i < record->nevents; i++)
	{
		const CiPastEvent *event = &record->events[i];

		if (!is_about(event, CI_FIELD_ATTRIBUTE, name))
			continue;
		if (!met)
			without = attribute_of(event, false);
		met = true;
		changed = event->of_merge || event->moves;
		if (!changed)
		{
			without = attribute_of(event, true);
			if (strcmp(event->event, "unset") == 0)
				without.at = CI_NO_TIME;
		}
	}
	if (!met)
	{
		/* The merge may have moved its time alone [4.10]. */
		const CiAttribute *moved = ci_find_attribute(&record->times_before, name);
		const CiAttribute *brought = ci_find_attribute(&record->attributes, name);

		if (moved != NULL && stored != NULL && brought != NULL && stored->at == brought->at)
		{
			stored->at = moved->at;
			survivor->attributes_touched = true;
			survivor->touched = true;
		}
		return;
	}
	if (!changed)
		return;
	if (stored != NULL)
		before = *stored;
	if (without.at == CI_NO_TIME)
	{
		if (stored == NULL)
			return;
		ci_remove_attribute(&survivor->attributes, name);
		attribute_event(undo, survivor, &before, NULL, name);
		return;
	}
	if (stored == NULL)
		stored = ci_add_attribute(&survivor->attributes, name);
	if (before.name == NULL || !ci_same_attribute(&before, &without))
		attribute_event(undo, survivor, before.name == NULL ? NULL : &before, &without, name);
	*stored = without;
	survivor->attributes_touched = true;
	survivor->touched = true;
}

static void
undo_attributes(const Undo *undo)
{
	const CiRecord *record = undo->record;
	CiContact  *ended = undo->ended;

	/* The ended contact's own, and what was given with what goes back. */
	ended->attributes.count = 0;
	for (int i = 0; i < record->attributes.count; i++)
		*ci_add_attribute(&ended->attributes, record->attributes.items[i].name) = record->attributes.items[i];
	for (int i = 0; i < record->nevents; i++)
	{
		const CiPastEvent *event = &record->events[i];
		CiAttribute value;
		CiAttribute *stored;

		if (!event->moves || event->type != CI_FIELD_ATTRIBUTE ||
			(strcmp(event->event, "set") != 0 && strcmp(event->event, "cleared") != 0))
			continue;
		value = attribute_of(event, true);
		stored = ci_find_attribute(&ended->attributes, event->field);
		if (stored == NULL)
			stored = ci_add_attribute(&ended->attributes, event->field);
		*stored = value;
	}
	for (int i = 0; i < ended->attributes.count; i++)
		attribute_event(undo, ended, NULL, &ended->attributes.items[i], ended->attributes.items[i].name);
	ended->attributes_touched = true;

	/* The survivor's: each name once. */
	for (int i = 0; i < record->nevents; i++)
	{
		const char *name = record->events[i].field;
		int			first = 0;

		if (!is_about(&record->events[i], CI_FIELD_ATTRIBUTE, name))
			continue;
		while (!is_about(&record->events[first], CI_FIELD_ATTRIBUTE, name))
			first++;
		if (first == i)
			undo_attribute(undo, name);
	}
	for (int i = 0; i < record->times_before.count; i++)
		undo_attribute(undo, record->times_before.items[i].name);
}

/* A row of history about a list or a block. */
static CiEvent *
reach_event(const Undo *undo, CiContact *contact, CiFieldType type, const char *name, const char *field,
			const char *before, const char *after)
{
	CiEvent    *event = ci_add_event(undo->world, contact, name, type, field);

	event->old_value.json = before;
	event->new_value.json = after;
	return event;
}

/* Puts a contact on a list, or takes it off, as somebody did before. */
static void
set_member(const Undo *undo, CiContact *contact, int list_id, bool subscribed, const char *source, CiTime since)
{
	CiMember   *member = ci_find_member(contact, list_id);
	CiEvent    *event;

	if (member != NULL && member->subscribed == subscribed && member->since == since)
		return;
	event = reach_event(undo, contact, CI_FIELD_LIST, subscribed ? "list_added" : "list_removed",
						psprintf("%d", list_id),
						member == NULL ? NULL : member->subscribed ? "true" : "false",
						subscribed ? "true" : "false");
	if (member == NULL)
		member = ci_add_member(undo->world, contact, list_id);
	else
	{
		event->old_source = member->source;
		event->old_at = member->since;
	}
	member->subscribed = subscribed;
	member->source = source;
	member->since = since;
	member->touched = true;
	event->new_source = source;
	event->new_at = since;
}

static void
undo_lists(const Undo *undo)
{
	const CiRecord *record = undo->record;

	for (int i = 0; i < record->nmembers; i++)
		set_member(undo, undo->ended, record->members[i].list_id, record->members[i].subscribed,
				   record->members[i].source, record->members[i].since);
	for (int i = 0; i < record->nevents; i++)
	{
		const CiPastEvent *first = &record->events[i];
		CiIdentifierState state = first->old_state;
		const char *value = first->old_value;
		bool		changed = false;
		bool		met = false;
		int			list_id;
		CiMember   *member;

		if (first->type != CI_FIELD_LIST)
			continue;
		list_id = atoi(first->field);
		if (first->moves && first->new_value != NULL)
			set_member(undo, undo->ended, list_id, strcmp(first->new_value, "true") == 0,
					   first->new_state.source, first->new_state.updated_at);
		for (int j = 0; j < record->nevents && !(met && j < i); j++)
		{
			const CiPastEvent *event = &record->events[j];

			if (!is_about(event, CI_FIELD_LIST, first->field))
				continue;
			met = j < i;		/* this list was done */
			changed = event->of_merge || event->moves;
			if (!changed)
			{
				value = event->new_value;
				state = event->new_state;
			}
		}
		if (met || !changed)
			continue;
		member = ci_find_member(undo->survivor, list_id);
		if (value != NULL)
			set_member(undo, undo->survivor, list_id, strcmp(value, "true") == 0,
					   state.source, state.updated_at);
		else if (member != NULL)
		{
			CiEvent    *event = reach_event(undo, undo->survivor, CI_FIELD_LIST, "unset", first->field,
											member->subscribed ? "true" : "false", NULL);

			event->old_source = member->source;
			event->old_at = member->since;
			member->gone = true;
		}
	}
}

static void
undo_blocks(const Undo *undo)
{
	const CiRecord *record = undo->record;
	int			ended = record->blocks;
	int			survivor = undo->survivor->blocks;

	for (int channel = CI_CHANNEL_EMAIL; channel <= CI_CHANNEL_PUSH; channel <<= 1)
	{
		const char *name = ci_channel_name(channel);
		const char *without = NULL;

		for (int i = 0; i < record->nevents; i++)
		{
			const CiPastEvent *event = &record->events[i];

			if (!is_about(event, CI_FIELD_BLOCK, name))
				continue;
			if (without == NULL)
				without = event->old_value;
			if (event->moves)
				ended = same(event->new_value, "true") ? ended | channel : ended & ~channel;
			else if (!event->of_merge)
				without = event->new_value;
		}
		if (without != NULL)
			survivor = same(without, "true") ? survivor | channel : survivor & ~channel;
		if (ended & channel)
			reach_event(undo, undo->ended, CI_FIELD_BLOCK, "blocked", name, "false", "true");
		if ((survivor ^ undo->survivor->blocks) & channel)
			reach_event(undo, undo->survivor, CI_FIELD_BLOCK, survivor & channel ? "blocked" : "unblocked", name,
						survivor & channel ? "false" : "true", survivor & channel ? "true" : "false");
	}
	undo->ended->blocks = ended;
	undo->survivor->blocks = survivor;
}

static bool
is_among(const int64 *ids, int count, int64 id)
{
	for (int i = 0; i < count; i++)
	{
		if (ids[i] == id)
			return true;
	}
	return false;
}

/* Opens a conflict again that the merge had settled, where there is none. */
static void
reopen_conflict(const Undo *undo, CiConflict *conflict)
{
	if (conflict->status != CI_OBSOLETE ||
		!is_among(undo->record->settled, undo->record->nsettled, conflict->id))
		return;
	for (CiConflict *rival = ci_conflicts_like(undo->world, conflict->contact, conflict);
		 rival != NULL; rival = rival->next_in_scope)
	{
		if (rival->status == CI_OPEN)
			return;
	}
	if (ci_equals_primary(conflict))
		return;					/* [5.7] */
	conflict->status = CI_OPEN;
	conflict->settled = true;
	conflict->settled_by = NULL;
	ci_touch_conflict(undo->world, conflict);
	ci_conflict_event(undo->world, conflict, "conflict_opened");
	ci_report_conflict(undo->world, conflict);
}

/* Whether a conflict was opened since, with something that goes back. */
static bool
conflict_moves(const Undo *undo, const CiConflict *conflict)
{
	const CiRecord *record = undo->record;
	const CiKind *kind = conflict->key_kind == NULL ? NULL :
		ci_find_kind(undo->world->config, conflict->key_kind);
	bool		returns = kind != NULL && ci_world_identifier(undo->world, kind, conflict->key)->returns;

	for (int i = 0; i < record->nevents; i++)
	{
		if (record->events[i].conflict_id == conflict->id && (record->events[i].moves || returns) &&
			strcmp(record->events[i].event, "conflict_opened") == 0)
			return true;
	}
	return false;
}

static void
undo_conflicts(const Undo *undo)
{
	const CiRecord *record = undo->record;
	CiContact  *sides[] = {undo->survivor, undo->ended};
	const char *ended_id = psprintf(INT64_FORMAT, undo->ended->id);
	CiConflict *next;

	for (CiConflict *conflict = undo->survivor->conflicts; conflict != NULL; conflict = next)
	{
		next = conflict->next;
		if (is_among(record->conflicts, record->nconflicts, conflict->id) || conflict_moves(undo, conflict))
		{
			ci_give_conflict(undo->world, conflict, undo->ended);
			ci_conflict_event(undo->world, conflict, "conflict_moved");
		}
		else if (conflict->status == CI_OPEN && strcmp(conflict->source, "merge") == 0 &&
				 same(conflict->key_kind, "contact") && same(conflict->key, ended_id))
		{
			ci_conflict_event(undo->world, conflict, "conflict_withdrawn");
			ci_withdraw_conflict(undo->world, conflict);
		}
	}
	for (int i = 0; i < lengthof(sides); i++)
	{
		for (CiConflict *conflict = sides[i]->conflicts; conflict != NULL; conflict = conflict->next)
		{
			reopen_conflict(undo, conflict);
			if (conflict->status == CI_OPEN && ci_equals_primary(conflict))
				ci_settle_conflict(undo->world, conflict, CI_OBSOLETE);
		}
	}
}

/* The contacts that had ended in the ended one point to it again. */
static void
undo_survivors(const Undo *undo)
{
	CiContact **link = &undo->survivor->ended;

	while (*link != NULL)
	{
		CiContact  *contact = *link;
		CiEvent    *event;

		if (contact != undo->ended &&
			!is_among(undo->record->ended_before, undo->record->nended_before, contact->id))
		{
			link = &contact->next_ended;
			continue;
		}
		*link = contact->next_ended;
		if (contact == undo->ended)
			continue;
		event = ci_add_event(undo->world, contact, "repointed", CI_FIELD_CONTACT, "survivor");
		event->old_value.contact = undo->survivor;
		event->new_value.contact = undo->ended;
		event->other = undo->ended;
		contact->survivor = undo->ended;
		contact->next_ended = undo->ended->ended;
		undo->ended->ended = contact;
	}
}

/* [1.4] The state of a contact follows from what it holds. */
static void
settle_state(const Undo *undo, CiContact *contact, CiTime identified_at)
{
	bool		identified = contact->identifiers != NULL && contact->identifiers->kind->identifying;
	CiEvent    *event;

	if (identified && contact->state == CI_ANONYMOUS)
	{
		ci_identify_contact(undo->world, contact);
		if (identified_at != CI_NO_TIME)
			contact->identified_at = identified_at;
	}
	else if (!identified && contact->state == CI_IDENTIFIED)
	{
		event = ci_add_event(undo->world, contact, "made_anonymous", CI_FIELD_CONTACT, "state");
		event->old_value.text = "identified";
		event->new_value.text = "anonymous";
		contact->state = CI_ANONYMOUS;
		contact->identified_at = CI_NO_TIME;
	}
}

/* What the seen times were, where nobody was seen since. */
static void
undo_seen(const Undo *undo)
{
	const CiRecord *record = undo->record;
	CiContact  *survivor = undo->survivor;
	CiTime		merged = Max(record->seen_at, record->survivor_seen_at);

	if (survivor->last_seen_at > merged)
		undo->ended->last_seen_at = survivor->last_seen_at; /* either was */
	else
	{
		undo->ended->last_seen_at = record->seen_at;
		if (survivor->last_seen_at == merged)
			survivor->last_seen_at = record->survivor_seen_at;
	}
	survivor->touched = true;
}

/* Why a merge cannot be undone now; false where it cannot. */
static bool
check_unmerge(CiRequest *request, const CiContact *ended, const CiRecord *record)
{
	const char *message = psprintf("the merge of contact " INT64_FORMAT " cannot be undone now", request->contact_id);

	if (ended->state != CI_MERGED)
		return ci_fail_request(request, CI_STATE,
							   psprintf("contact " INT64_FORMAT " is not merged", request->contact_id), NULL,
							   "Name the contact that ended in the merge.");
	if (record == NULL || record->purged)
		return ci_fail_request(request, CI_STATE, message, "What that needs was purged.",
							   "The account's unmerge_for says how long it is kept.");
	if (record->later_id != 0)
		return ci_fail_request(request, CI_STATE, message,
							   psprintf("Contact " INT64_FORMAT " was merged into contact " INT64_FORMAT
										" later (merge " INT64_FORMAT ").",
										record->later_merged_id, record->later_survivor_id, record->later_id),
							   psprintf("Undo that first: unmerge(" INT64_FORMAT ", ...).",
										record->later_merged_id));
	if (ended->survivor == NULL || ended->survivor->id != record->survivor_id)
		return ci_fail_request(request, CI_STATE, message, "Its survivor is another one by now.", NULL);
	return true;
}

/* [10.3] unmerge(loser, agent) */
bool
ci_unmerge(CiWorld *world, CiRequest *request, CiResult *result)
{
	Undo		undo = {
		.world = world,
		.request = request,
		.record = world->record,
		.ended = ci_world_contact(world, request->contact_id)
	};
	CiIdentifier **identifiers;
	int			count;
	CiEvent    *event;
	bool		was_anonymous;

	if (request->actor == NULL || request->actor[0] == '\0')
		return ci_fail_request(request, CI_INVALID, "an agent's name is needed", NULL,
							   "Say in \"agent\" who undoes the merge.");
	if (undo.ended == NULL || undo.ended->state == CI_ERASED)
		return ci_require_contact(world, request, request->contact_id) != NULL;
	if (!check_unmerge(request, undo.ended, undo.record))
		return false;
	undo.survivor = undo.ended->survivor;
	was_anonymous = undo.record->was_anonymous;

	mark_returning(&undo);
	identifiers = concerned_identifiers(&undo, &count);
	for (int i = 0; i < count; i++)
	{
		if (must_be_free(&undo, identifiers[i]))
			require_free(&undo, identifiers[i]);
	}
	if (request->noffenders > 0)
		return ci_fail_request(request, CI_STATE,
							   psprintf("the merge of contact " INT64_FORMAT " cannot be undone now",
										undo.ended->id), NULL,
							   "A value has changed hands since. Give it back, or leave the contacts merged.");
	ci_set_request_time(world, request, CI_NO_TIME);

	/*
	 * What nobody has is claimed, though it may go on to be nobody's: who
	 * takes it meanwhile has come before all of this, or comes after it.
	 */
	for (int i = 0; i < count; i++)
	{
		if (identifiers[i]->now.contact == NULL && must_be_free(&undo, identifiers[i]))
			ci_touch_identifier(world, identifiers[i]);
	}

	world->undone = undo.record;
	undo.record->actor = request->actor;
	result->contact = undo.ended;
	event = ci_add_event(world, undo.ended, "unmerged", CI_FIELD_CONTACT, "survivor");
	event->old_value.contact = undo.survivor;
	event->other = undo.survivor;
	event = ci_add_event(world, undo.ended, "restored", CI_FIELD_CONTACT, "state");
	event->old_value.text = "merged";
	event->new_value.text = was_anonymous ? "anonymous" : "identified";
	event = ci_add_event(world, undo.survivor, "released", CI_FIELD_CONTACT, "merged");
	event->old_value.contact = undo.ended;
	event->other = undo.ended;

	undo_survivors(&undo);
	undo.ended->state = was_anonymous ? CI_ANONYMOUS : CI_IDENTIFIED;
	undo.ended->survivor = NULL;
	undo.ended->identified_at = undo.record->identified_at;
	undo_identifiers(&undo, identifiers, count);
	settle_state(&undo, undo.ended, undo.record->identified_at);
	settle_state(&undo, undo.survivor, undo.survivor->identified_at);
	undo_attributes(&undo);
	undo_lists(&undo);
	undo_blocks(&undo);
	undo_conflicts(&undo);
	undo_seen(&undo);

	for (CiPair *pair = world->pairs; pair != NULL; pair = pair->next)
	{
		if (pair->merge_id != undo.record->merge_id || pair->gone)
			continue;
		pair->gone = true;
		ci_pair_event(world, pair, "distinct_lifted");
	}
	if (was_anonymous && !ci_is_distinct(world, undo.ended, undo.survivor))
	{
		CiPair	   *pair = ci_add_pair(world, undo.ended, undo.survivor);

		pair->is_new = true;
		ci_pair_event(world, pair, "set_distinct");
	}
	result->outcome = CI_OUTCOME_UPDATED;
	return true;
}
