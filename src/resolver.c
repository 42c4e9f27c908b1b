/*-------------------------------------------------------------------------
 *
 * resolver.c
 *	  RULES 3 to 6: whom a call means, what is stored, conflicts and merges.
 *
 * The only place where these rules are decided.  It reads and changes the
 * working set, one request after the other; every error is found before the
 * first change of its request, so that a refused request leaves nothing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "resolver.h"

static CiConflict new_conflict(CiWorld *world, CiFieldType type, const char *field, CiTime given_at);
static bool meet_conflict(CiWorld *world, CiContact *contact, const CiConflict *template);
static void open_conflict(CiWorld *world, CiContact *contact, const CiConflict *template);
static void forget_equal_conflicts(CiWorld *world, CiContact *contact,
								   CiFieldType type, const char *field,
								   const char *canonical);
static CiMerge *merge_contacts(CiWorld *world, CiContact *survivor, CiContact *ended,
							   const CiIdentifier *key);

/* ---- Small words that the rules are said in ---- */

/* Refuses a request; always false, for the caller to return. */
bool
ci_fail_request(CiRequest *request, CiCode code, const char *message,
				const char *detail, const char *hint)
{
	request->error.code = code;
	request->error.message = message;
	request->error.detail = detail;
	request->error.hint = hint;
	return false;
}

/* [6.3] The live contact that an id leads to, or NULL. */
CiContact *
ci_live_contact(CiWorld *world, int64 contact_id)
{
	CiContact  *contact = ci_world_contact(world, contact_id);

	while (contact != NULL && contact->state == CI_MERGED)
		contact = contact->survivor;
	return contact != NULL && contact->state != CI_ERASED ? contact : NULL;
}

/* As live_contact, refusing the request where there is none. */
CiContact *
ci_require_contact(CiWorld *world, CiRequest *request, int64 contact_id)
{
	CiContact  *contact = ci_live_contact(world, contact_id);

	if (contact == NULL)
		ci_fail_request(request, CI_NOT_FOUND,
						psprintf("contact " INT64_FORMAT " does not exist", contact_id),
						NULL, "It was never there in this account, or was erased.");
	return contact;
}

/* Room for one more in an array that doubles, from eight on. */
void *
ci_grow(void *items, int count, Size size)
{
	if (items == NULL)
		return palloc(8 * size);
	if (count >= 8 && (count & (count - 1)) == 0)
		return repalloc(items, 2 * count * size);
	return items;
}

/* [4.17] Names a field as ignored, once. */
static void
ignore(CiWorld *world, const char *field)
{
	CiResult   *result = world->result;

	for (int i = 0; i < result->nignored; i++)
	{
		if (strcmp(result->ignored[i], field) == 0)
			return;
	}
	result->ignored = ci_grow(result->ignored, result->nignored, sizeof(char *));
	result->ignored[result->nignored++] = field;
}

/* [4.17] Names an open conflict in the result, once. */
void
ci_report_conflict(CiWorld *world, CiConflict *conflict)
{
	CiResult   *result = world->result;

	for (int i = 0; i < result->nconflicts; i++)
	{
		if (result->conflicts[i] == conflict)
			return;
	}
	result->conflicts = ci_grow(result->conflicts, result->nconflicts, sizeof(CiConflict *));
	result->conflicts[result->nconflicts++] = conflict;
}

/*
 * An event about a whole value: an identifier's or a key's row.  A parked key
 * is no value of the contact any more, though its row is still there.
 */
CiEvent *
ci_identifier_event(CiWorld *world, CiContact *contact, const char *name,
					CiIdentifier *identifier, const CiIdentifierState *before)
{
	CiEvent    *event = ci_add_event(world, contact, name,
									 identifier->kind->identifying ?
									 CI_FIELD_IDENTIFIER : CI_FIELD_KEY,
									 identifier->kind->name);

	if (before != NULL)
	{
		event->old_value.text = identifier->value;
		event->old_source = before->source;
		event->old_at = before->updated_at;
		event->has_old_state = true;
		event->old_state = *before;
	}
	if (identifier->now.contact == contact)
	{
		if (!identifier->now.parked)
			event->new_value.text = identifier->value;
		event->new_source = identifier->now.source;
		event->new_at = identifier->now.updated_at;
		event->has_new_state = true;
		event->new_state = identifier->now;
	}
	return event;
}

/* Says in an event what the value took the place of. */
static void
event_replaces(CiEvent *event, const CiIdentifier *old, const CiIdentifierState *before)
{
	event->old_value.text = old->value;
	event->old_source = before->source;
	event->old_at = before->updated_at;
	event->has_old_state = true;
	event->old_state = *before;
}

/* The number of identifying values that a contact holds, aliases too. */
static int
count_identifying(const CiContact *contact)
{
	int			count = 0;

	for (const CiIdentifier *identifier = contact->identifiers;
		 identifier != NULL && identifier->kind->identifying;
		 identifier = identifier->next)
		count++;
	return count;
}

/* [1.4] A contact is identified from its first identifying value on. */
void
ci_identify_contact(CiWorld *world, CiContact *contact)
{
	CiEvent    *event;

	if (contact->state != CI_ANONYMOUS || count_identifying(contact) == 0)
		return;
	ci_apply_rule(world, "1.4");
	contact->state = CI_IDENTIFIED;
	contact->identified_at = world->request->at;
	contact->touched = true;
	if (world->created != NULL && world->created->contact == contact)
	{
		world->created->new_value.text = "identified";
		return;
	}
	event = ci_add_event(world, contact, "identified", CI_FIELD_CONTACT, "state");
	event->old_value.text = "anonymous";
	event->new_value.text = "identified";
}

/* [0] Whether a given value contradicts a contact. */
static bool
contradicts(CiWorld *world, const CiGiven *given, const CiContact *contact)
{
	return ci_primary(contact, given->kind) != NULL &&
		ci_owner(ci_world_identifier(world, given->kind, given->value)) != contact;
}

/* ---- RULES 4.10: the time of a call ---- */

/* Notes a time that was read. */
void
ci_note_time(CiWorld *world, CiTime at)
{
	if (at != CI_NO_TIME && at > world->newest)
		world->newest = at;
}

/*
 * Whether the clock can go on, until the contacts are held, without a change of
 * what was decided: its times are newer than all that were read or given, and
 * are so all the more.
 */
bool
ci_can_wait(const CiWorld *world, const CiRequest *requests, int count)
{
	if (world->newest >= world->looked_at)
		return false;
	for (int i = 0; i < count; i++)
	{
		if (requests[i].occurred_at != CI_NO_TIME && requests[i].occurred_at >= world->looked_at)
			return false;
	}
	return true;
}

/* The time of a call, from the newest time that it is compared with. */
void
ci_set_request_time(CiWorld *world, CiRequest *request, CiTime newest)
{
	if (request->occurred_at != CI_NO_TIME)
		request->at = Min(request->occurred_at, world->clock);
	else if (newest >= world->clock)
		request->at = newest + 1;
	else
		request->at = world->clock;
}

/* The newest time stored of the attributes that a request names. */
static CiTime
newest_attribute(const CiRequest *request, const CiContact *contact, CiTime newest)
{
	if (contact == NULL)
		return newest;
	for (int i = 0; i < request->attributes.count; i++)
	{
		const CiAttribute *stored =
			ci_find_attribute(&contact->attributes, request->attributes.items[i].name);

		if (stored != NULL)
			newest = Max(newest, stored->at);
	}
	return newest;
}

/* The newest time that an identify compares its own with. */
static CiTime
newest_compared(CiWorld *world, const CiRequest *request, const CiIdentifier *key,
				const CiContact *k, const CiContact *target)
{
	CiTime		newest = CI_NO_TIME;

	if (key != NULL && key->now.contact != NULL)
		newest = key->now.updated_at;
	for (int i = 0; i < request->ngiven; i++)
	{
		const CiGiven *given = &request->given[i];
		const CiIdentifier *stored =
			ci_world_identifier(world, given->kind, given->value);

		if (stored->now.contact != NULL)
			newest = Max(newest, stored->now.updated_at);
		if (target != NULL && (stored = ci_primary(target, given->kind)) != NULL)
			newest = Max(newest, stored->now.updated_at);
	}
	if (k != NULL && k->state == CI_ANONYMOUS)
		newest = newest_attribute(request, k, newest);
	return newest_attribute(request, target, newest);
}

/* ---- RULES 3: whom ---- */

/*
 * Whether one of the n strongest given identifiers contradicts a contact.
 * [3.3] The owner of a given identifier is disqualified by a stronger one.
 */
static bool
is_contradicted(CiWorld *world, const CiRequest *request, int n, const CiContact *contact)
{
	for (int i = 0; i < n; i++)
	{
		if (contradicts(world, &request->given[i], contact))
			return true;
	}
	return false;
}

/*
 * [3.1] to [3.5]: the existing contact that a request means; NULL stands for
 * a new one [3.6].  "named" is the identified contact of contact_id, K that
 * of the key.
 */
static CiContact *
choose_target(CiWorld *world, CiRequest *request, CiContact *named, CiContact *k, bool login)
{
	if (named != NULL)
	{
		request->found_kind = NULL;
		request->found_value = NULL;
		ci_apply_rule(world, "3.1");
		return named;
	}
	if (!login && k != NULL && k->state == CI_IDENTIFIED)
	{
		ci_apply_rule(world, "3.2");
		return k;
	}
	for (int i = 0; i < request->ngiven; i++)
	{
		const CiGiven *given = &request->given[i];
		CiContact  *owner = ci_owner(ci_world_identifier(world, given->kind, given->value));

		if (owner != NULL && !is_contradicted(world, request, i, owner) &&
			!(k != NULL && ci_is_distinct(world, k, owner)))	/* [10.4] */
		{
			request->found_kind = given->kind->name;
			request->found_value = given->value;
			ci_apply_rule(world, "3.3");
			return owner;
		}
	}
	if (k != NULL)
	{
		if (k->state == CI_ANONYMOUS)
		{
			ci_apply_rule(world, request->ngiven > 0 ? "3.4" : "1.2");
			return k;
		}
		if (!is_contradicted(world, request, request->ngiven, k))
		{
			ci_apply_rule(world, request->ngiven > 0 ? "3.5" : "1.2");
			return k;
		}
	}
	if (request->ngiven > 0)
	{
		request->found_kind = request->given[0].kind->name;
		request->found_value = request->given[0].value;
	}
	ci_apply_rule(world, request->ngiven > 0 ? "3.6" : "1.1");
	return NULL;
}

/* ---- RULES 4: what is stored ---- */

/* [4.18] A call with verified => true proves what it gives. */
static void
verify(CiWorld *world, CiIdentifier *identifier)
{
	CiIdentifierState before = identifier->now;

	if (!world->request->verified || before.verified)
		return;
	ci_apply_rule(world, "4.18");
	identifier->now.verified = true;
	ci_touch_identifier(world, identifier);
	ci_identifier_event(world, before.contact, "verified", identifier, &before);
}

/* [4.10] A newer confirmation moves a value's time, if the call has one. */
static void
confirm(CiWorld *world, CiIdentifier *identifier)
{
	const CiRequest *request = world->request;

	if (request->occurred_at == CI_NO_TIME || request->at <= identifier->now.updated_at)
		return;
	identifier->now.updated_at = request->at;
	ci_touch_identifier(world, identifier);
}

/* What is stored with a value that the call being played gives. */
static CiIdentifierState
as_given(CiWorld *world, const char *spelling)
{
	const CiRequest *request = world->request;
	CiIdentifierState state = {
		.given = spelling,
		.source = request->source->name,
		.verified = request->verified,
		.updated_at = request->at
	};

	return state;
}

/* Gives a value to a contact, as its primary where it is an identifying one. */
static void
store_identifier(CiWorld *world, CiIdentifier *identifier, CiContact *contact,
				 const CiIdentifierState *state)
{
	ci_give_identifier(world, identifier, contact);
	identifier->now = *state;
	identifier->now.contact = contact;
	identifier->now.primary = identifier->kind->identifying;
}

/* Frees a value. */
void
ci_free_identifier(CiWorld *world, CiIdentifier *identifier)
{
	static const CiIdentifierState nobodys = {0};

	ci_give_identifier(world, identifier, NULL);
	identifier->now = nobodys;
}

/*
 * [4.2] [4.3] Makes a free value the contact's primary; the one it takes the
 * place of is freed.
 */
static void
set_primary(CiWorld *world, CiContact *contact, CiIdentifier *identifier,
			const CiIdentifierState *state)
{
	CiIdentifier *old = ci_primary(contact, identifier->kind);
	CiEvent    *event;

	if (old != NULL)
	{
		CiIdentifierState before = old->now;

		ci_free_identifier(world, old);
		store_identifier(world, identifier, contact, state);
		event = ci_identifier_event(world, contact, "replaced", identifier, NULL);
		event_replaces(event, old, &before);
	}
	else
	{
		store_identifier(world, identifier, contact, state);
		ci_identifier_event(world, contact, "added", identifier, NULL);
	}
	forget_equal_conflicts(world, contact, CI_FIELD_IDENTIFIER,
						   identifier->kind->name, identifier->value);
	ci_identify_contact(world, contact);
}

/* Of a contact's aliases of a kind the newest becomes its primary. */
void
ci_promote_newest_alias(CiWorld *world, CiContact *contact, const CiKind *kind)
{
	CiIdentifier *newest = NULL;
	CiIdentifierState before;

	for (CiIdentifier *identifier = contact->identifiers;
		 identifier != NULL && identifier->kind->identifying;
		 identifier = identifier->next)
	{
		if (identifier->kind == kind &&
			(newest == NULL || identifier->now.updated_at > newest->now.updated_at ||
			 (identifier->now.updated_at == newest->now.updated_at &&
			  strcmp(identifier->value, newest->value) < 0)))
			newest = identifier;
	}
	if (newest == NULL)
		return;
	before = newest->now;
	newest->now.primary = true;
	ci_touch_identifier(world, newest);
	ci_identifier_event(world, contact, "made_primary", newest, &before);
	forget_equal_conflicts(world, contact, CI_FIELD_IDENTIFIER, kind->name, newest->value);
}

/* [4.4] [6.7] Blocks channels of a contact, those that are not. */
static void
block_channel(CiWorld *world, CiContact *contact, int channels)
{
	for (int channel = CI_CHANNEL_EMAIL; channel <= CI_CHANNEL_PUSH; channel <<= 1)
	{
		CiEvent    *event;

		if ((channel & channels & ~contact->blocks) == 0)
			continue;
		contact->blocks |= channel;
		event = ci_add_event(world, contact, "blocked", CI_FIELD_BLOCK, ci_channel_name(channel));
		event->old_value.json = "false";
		event->new_value.json = "true";
	}
}

/* [4.4] Moves a value from its owner to the target. */
static void
move_identifier(CiWorld *world, CiIdentifier *identifier, CiContact *target,
				const CiIdentifierState *state)
{
	CiContact  *owner = identifier->now.contact;
	CiIdentifier *old = ci_primary(target, identifier->kind);
	CiIdentifierState before = identifier->now;
	CiIdentifierState old_before;
	CiEvent    *event;

	if (old != NULL)
	{
		old_before = old->now;
		ci_free_identifier(world, old);
	}
	store_identifier(world, identifier, target, state);

	event = ci_identifier_event(world, owner, "moved_out", identifier, &before);
	event->other = target;
	event = ci_identifier_event(world, target, "moved_in", identifier, NULL);
	event->other = owner;
	if (old != NULL)
		event_replaces(event, old, &old_before);

	if (before.primary)
		ci_promote_newest_alias(world, owner, identifier->kind);
	block_channel(world, target, owner->blocks & identifier->kind->channel);
	forget_equal_conflicts(world, target, CI_FIELD_IDENTIFIER,
						   identifier->kind->name, identifier->value);
	ci_identify_contact(world, target);
}

/* Keeps a given identifier beside the primary one. */
static void
identifier_conflict(CiWorld *world, CiContact *target, const CiGiven *given, CiContact *owner)
{
	CiConflict	conflict = new_conflict(world, CI_FIELD_IDENTIFIER, given->kind->name,
										world->request->at);

	conflict.kind = given->kind;
	conflict.value = given->value;
	conflict.canonical = given->value;
	conflict.given = given->given;
	conflict.owner = owner;
	open_conflict(world, target, &conflict);
}

/* [10.4] Whether a contact is known to be another person than K. */
static bool
is_distinct_from_key(CiWorld *world, const CiContact *contact)
{
	return world->key_contact != NULL && ci_is_distinct(world, world->key_contact, contact);
}

/* [4.1] to [4.4]: one given identifier, from the target's side. */
static void
give_identifier(CiWorld *world, CiContact *target, const CiGiven *given)
{
	const CiRequest *request = world->request;
	const CiSource *source = request->source;
	CiIdentifier *identifier = ci_world_identifier(world, given->kind, given->value);
	CiContact  *owner = ci_owner(identifier);
	CiIdentifier *primary = ci_primary(target, given->kind);
	CiIdentifierState state = as_given(world, given->given);

	if (owner == target)
	{
		ci_apply_rule(world, "4.1");
		confirm(world, identifier);
		verify(world, identifier);
	}
	else if (owner == NULL)
	{
		ci_apply_rule(world, primary == NULL ? "4.2" : "4.3");
		if (primary == NULL)
			set_primary(world, target, identifier, &state);
		else if (source->primary_wins)
			identifier_conflict(world, target, given, NULL);	/* [4.3] */
		else if (request->at > primary->now.updated_at)
			set_primary(world, target, identifier, &state); /* [4.3] */
		else
			ignore(world, given->kind->name);
	}
	else
	{
		ci_apply_rule(world, is_distinct_from_key(world, owner) ? "10.4" : "4.4");
		if (source->other != CI_OTHER_MOVE ||
			(source->primary_wins && primary != NULL) ||
			is_distinct_from_key(world, owner)) /* [10.4] */
			identifier_conflict(world, target, given, owner);
		else if (request->at <= identifier->now.updated_at ||
				 (primary != NULL && request->at <= primary->now.updated_at))
			ignore(world, given->kind->name);
		else if (count_identifying(owner) == 1)
			identifier_conflict(world, target, given, owner);
		else
			move_identifier(world, identifier, target, &state);
	}
}

/* Sets or clears an attribute, with its row of history. */
static void
set_attribute(CiWorld *world, CiContact *contact, const CiAttribute *value)
{
	CiAttribute *stored = ci_find_attribute(&contact->attributes, value->name);
	CiEvent    *event = ci_add_event(world, contact,
									 value->json == NULL ? "cleared" : "set",
									 CI_FIELD_ATTRIBUTE, value->name);

	if (stored == NULL)
		stored = ci_add_attribute(&contact->attributes, value->name);
	else
	{
		event->old_value.json = stored->json;
		event->old_source = stored->source;
		event->old_at = stored->at;
	}
	event->new_value.json = value->json;
	event->new_source = value->source;
	event->new_at = value->at;
	*stored = *value;
	contact->attributes_touched = true;
	if (value->json != NULL)
		forget_equal_conflicts(world, contact, CI_FIELD_ATTRIBUTE,
							   value->name, value->canonical);
}

/* [4.10] Moves the time of an attribute forward, without history. */
static void
confirm_attribute(CiWorld *world, CiContact *contact, CiAttribute *stored, CiTime at)
{
	if (at <= stored->at)
		return;
	if (world->merge != NULL)
	{
		CiTimeMove *move = palloc(sizeof(CiTimeMove));

		move->name = stored->name;
		move->at = stored->at;
		move->next = world->merge->time_moves;
		world->merge->time_moves = move;
	}
	stored->at = at;
	contact->attributes_touched = true;
}

/* A given attribute that is to be kept beside the primary one. */
static CiConflict
attribute_conflict(CiWorld *world, const CiAttribute *value)
{
	CiConflict	conflict = new_conflict(world, CI_FIELD_ATTRIBUTE, value->name, value->at);

	conflict.value = value->json;
	conflict.canonical = value->canonical;
	return conflict;
}

/* Whether two values of an attribute are the same, cleared ones too. */
bool
ci_same_attribute(const CiAttribute *a, const CiAttribute *b)
{
	if (a->json == NULL || b->json == NULL)
		return a->json == b->json;
	return strcmp(a->canonical, b->canonical) == 0;
}

/* [4.6] primary wins: the stored value is defended. */
static void
offer_attribute(CiWorld *world, CiContact *target, const CiAttribute *value, bool timed)
{
	CiAttribute *stored = ci_find_attribute(&target->attributes, value->name);
	CiConflict	conflict = attribute_conflict(world, value);

	ci_apply_rule(world, "4.6");
	if (value->json == NULL)
	{
		if (stored == NULL || stored->json != NULL)
			ignore(world, value->name);
	}
	else if (stored == NULL)
		set_attribute(world, target, value);
	else if (ci_same_attribute(stored, value))
	{
		if (timed)
			confirm_attribute(world, target, stored, value->at);
	}
	else if (stored->json != NULL)
		open_conflict(world, target, &conflict);
	else if (value->at > stored->at)
		set_attribute(world, target, value);
	else if (!meet_conflict(world, target, &conflict))	/* [4.8] opened it */
		ignore(world, value->name);
}

/*
 * [4.7] last update wins, by the attribute's own time.  [4.8] What it would
 * drop becomes a conflict where a source whose primary wins has just
 * identified the contact.
 */
static void
update_attribute(CiWorld *world, CiContact *target, const CiAttribute *value,
				 bool timed, bool defend)
{
	CiAttribute *stored = ci_find_attribute(&target->attributes, value->name);
	CiConflict	conflict = attribute_conflict(world, value);

	ci_apply_rule(world, defend ? "4.8" : "4.7");
	if (stored == NULL || (!ci_same_attribute(stored, value) && value->at > stored->at))
		set_attribute(world, target, value);
	else if (ci_same_attribute(stored, value))
	{
		if (timed)
			confirm_attribute(world, target, stored, value->at);
	}
	else if (defend && value->json != NULL)
		open_conflict(world, target, &conflict);
	else
		ignore(world, value->name);
}

/*
 * [4.9] Whether of a name's two values, either of which may be missing, the
 * call's is the one that counts: the newer, the call's on a tie.  [4.6] Null
 * counts for nothing where the primary wins.
 */
static bool
call_counts(const CiRequest *request, const CiAttribute *given,
			const CiAttribute *brought, bool primary_wins)
{
	if (brought == NULL || (primary_wins && brought->json == NULL))
		return true;
	if (given == NULL || (primary_wins && given->json == NULL))
		return false;
	return request->at >= brought->at;
}

/*
 * [4.6] to [4.9]: the attributes of the call and those that came with the
 * merged anonymous contact.
 */
static void
give_attributes(CiWorld *world, CiContact *target, bool was_identified, CiMerge *merge)
{
	const CiRequest *request = world->request;
	bool		primary_wins = request->source->primary_wins;
	bool		defend = !was_identified && primary_wins && target->state == CI_IDENTIFIED;
	bool		timed = request->occurred_at != CI_NO_TIME;
	CiAttributes brought = {0};

	if (merge != NULL)
	{
		brought.items = merge->attributes;
		brought.count = merge->nattributes;
	}
	world->merge = merge;
	for (int i = 0; i < brought.count; i++)
	{
		const CiAttribute *value = &brought.items[i];
		const CiAttribute *given = ci_find_attribute(&request->attributes, value->name);

		if (call_counts(request, given, value, primary_wins))
			continue;
		if (given != NULL && !ci_same_attribute(given, value))
			ignore(world, value->name);
		if (primary_wins)
			offer_attribute(world, target, value, true);
		else
			update_attribute(world, target, value, true, false);
	}
	world->merge = NULL;
	for (int i = 0; i < request->attributes.count; i++)
	{
		CiAttribute value = request->attributes.items[i];

		if (!call_counts(request, &value, ci_find_attribute(&brought, value.name), primary_wins))
			continue;
		value.at = request->at;
		value.source = request->source->name;
		if (was_identified && primary_wins)
			offer_attribute(world, target, &value, timed);
		else
			update_attribute(world, target, &value, timed, defend);
	}
}

/* [4.12] The source's default list, unless the contact was ever on it. */
static void
join_default_list(CiWorld *world, CiContact *target)
{
	const CiSource *source = world->request->source;
	CiMember   *member;
	CiEvent    *event;

	if (source->default_list == 0 || ci_find_member(target, source->default_list) != NULL)
		return;
	ci_apply_rule(world, "4.12");
	member = ci_add_member(world, target, source->default_list);
	member->source = source->name;
	member->since = world->request->at;
	event = ci_add_event(world, target, "list_added", CI_FIELD_LIST,
						 psprintf("%d", source->default_list));
	event->new_value.json = "true";
	event->new_source = member->source;
	event->new_at = member->since;
}

/* Ties a key that nobody has to a contact. */
static void
attach_key(CiWorld *world, CiIdentifier *key, CiContact *contact)
{
	CiIdentifierState state = as_given(world, NULL);

	ci_apply_rule(world, world->created != NULL && world->created->contact == contact &&
				  world->request->ngiven == 0 ? "1.1" : "3.7");
	/* [1.7] A push key is opted in when first seen; an opt-out stays [1.9]. */
	state.opted_in = key->kind->channel == CI_CHANNEL_PUSH && !key->now.parked;
	store_identifier(world, key, contact, &state);
	ci_identifier_event(world, contact, "attached", key, NULL);
}

/* [3.9] The key of an identified contact, where the call means another. */
static void
move_key(CiWorld *world, CiIdentifier *key, CiContact *target)
{
	CiIdentifierState before = key->now;
	CiIdentifierState state = as_given(world, NULL);
	CiEvent    *event;

	ci_apply_rule(world, "3.9");
	if (world->request->at <= before.updated_at)
	{
		ignore(world, key->kind->name);
		return;
	}
	state.opted_in = before.opted_in;
	store_identifier(world, key, target, &state);
	event = ci_identifier_event(world, before.contact, "moved_out", key, &before);
	event->other = target;
	event = ci_identifier_event(world, target, "moved_in", key, NULL);
	event->other = before.contact;
	world->result->outcome = CI_OUTCOME_SWITCHED;
}

/* [1.2] That a contact was seen is noted once in a while. */
static void
note_seen(CiWorld *world, CiContact *contact)
{
	if (contact->last_seen_at != CI_NO_TIME &&
		world->request->at < contact->last_seen_at + Max(world->config->seen_interval, 1))
		return;
	ci_apply_rule(world, "1.2");
	contact->last_seen_at = world->request->at;
	contact->touched = true;
}

/* The octets that an attribute counts for. */
static Size
attribute_size(const CiAttribute *attribute)
{
	return strlen(attribute->name) +
		(attribute->json == NULL ? 0 : strlen(attribute->json));
}

/*
 * Whether what a contact holds fits into the record of its merge, a jsonb; that
 * is roughly the octets of its identifiers and keys and 200 for each.
 */
static bool
check_merge_limit(CiRequest *request, const CiContact *ended)
{
	Size		octets = 0;

	for (const CiIdentifier *item = ended->identifiers; item != NULL; item = item->next)
		octets += strlen(item->value) + (item->now.given == NULL ? 0 : strlen(item->now.given)) + 200;
	if (octets > CI_MAX_MERGE_BYTES)
		return ci_fail_request(request, CI_TOO_LARGE, "contact holds too much to be merged",
							   psprintf("Its identifiers and keys may have %d bytes in all, with 200 more for each.", CI_MAX_MERGE_BYTES),
							   "Detach keys that are not used any more with logout().");
	return true;
}

/*
 * Limits that a merge or new attributes could pass, of two values of a name
 * the larger being counted.  A contact that is past them already is refused
 * nothing that does not make it larger.
 */
static bool
check_limits(CiRequest *request, const CiContact *contact,
			 const CiContact *brings)
{
	const CiAttributes *sets[] = {
		contact == NULL ? NULL : &contact->attributes,
		brings == NULL ? NULL : &brings->attributes,
		&request->attributes
	};
	int			added = 0;
	int			count = 0;
	Size		added_bytes = 0;
	Size		bytes = 0;

	if (brings != NULL && !check_merge_limit(request, brings))
		return false;
	for (int i = 0; i < lengthof(sets); i++)
	{
		for (int j = 0; sets[i] != NULL && j < sets[i]->count; j++)
		{
			const CiAttribute *item = &sets[i]->items[j];
			Size		size = attribute_size(item);
			Size		counted = 0;
			bool		again = false;

			for (int k = 0; k < i; k++)
			{
				const CiAttribute *other = sets[k] == NULL ? NULL :
					ci_find_attribute(sets[k], item->name);

				if (other == NULL)
					continue;
				again = true;
				counted = Max(counted, attribute_size(other));
			}
			if (!again)
				count++;
			if (!again && i > 0)
				added++;
			bytes += Max(size, counted) - counted;
			if (i > 0)
				added_bytes += Max(size, counted) - counted;
		}
	}
	if (added > 0 && count > CI_MAX_ATTRIBUTES)
		return ci_fail_request(request, CI_TOO_LARGE, "contact would have too many attributes",
							   psprintf("A contact has up to %d.", CI_MAX_ATTRIBUTES), NULL);
	if (added_bytes > 0 && bytes > CI_MAX_ATTRIBUTE_BYTES)
		return ci_fail_request(request, CI_TOO_LARGE, "attributes of the contact would be too large",
							   psprintf("They have up to %d bytes in all.", CI_MAX_ATTRIBUTE_BYTES), NULL);
	return true;
}

/* Notes whose a value is that the request may not take. */
void
ci_add_offender(CiRequest *request, const char *field, const CiContact *owner)
{
	request->offenders = ci_grow(request->offenders, request->noffenders, sizeof(CiOffender));
	request->offenders[request->noffenders].field = field;
	request->offenders[request->noffenders++].owner = owner;
}

/*
 * Writes into the error of a request whose the values are that it may not
 * take: once the ids are known, that is after the changes were applied.
 */
void
ci_complete_error(CiRequest *request)
{
	char	   *detail = NULL;

	for (int i = 0; i < request->noffenders; i++)
		detail = psprintf("%s%s belongs to contact " INT64_FORMAT,
						  detail == NULL ? "" : psprintf("%s; ", detail),
						  request->offenders[i].field, request->offenders[i].owner->id);
	if (detail != NULL)
		request->error.detail = psprintf("%s.", detail);
}

/* [4.4] refuse: names every value of another contact, before anything is done. */
static bool
check_refusal(CiWorld *world, CiRequest *request, const CiContact *target)
{
	if (request->source->other != CI_OTHER_REFUSE && !request->only_contact)
		return true;
	for (int i = 0; i < request->ngiven; i++)
	{
		const CiGiven *given = &request->given[i];
		CiContact  *owner = ci_owner(ci_world_identifier(world, given->kind, given->value));

		if (owner != NULL && owner != target &&
			(request->only_contact || !is_distinct_from_key(world, owner)))
			ci_add_offender(request, given->kind->name, owner);
	}
	return request->noffenders == 0 ||
		ci_fail_request(request, CI_TAKEN, "value belongs to another contact", NULL,
						"Merge the contacts, or leave the value out.");
}

/*
 * [4.5] An identified contact keeps an identifying value: of those that it has
 * and is given some must be left.
 */
static bool
check_removal(CiRequest *request, const CiContact *target)
{
	int			left = request->ngiven;

	if (request->nremoved == 0 || target == NULL || target->state != CI_IDENTIFIED)
		return true;
	for (const CiIdentifier *identifier = target->identifiers;
		 identifier != NULL && identifier->kind->identifying; identifier = identifier->next)
	{
		bool		removed = false;

		for (int i = 0; i < request->nremoved; i++)
			removed |= identifier->now.primary && request->removed[i] == identifier->kind;
		left += !removed;
	}
	return left > 0 ||
		ci_fail_request(request, CI_STATE, "the last identifier of a contact cannot be removed", NULL,
						"Give the contact another one, or erase it.");
}

/* Takes away the primary value of a kind; the newest alias is the next. */
static void
remove_primary(CiWorld *world, CiContact *contact, const CiKind *kind)
{
	CiIdentifier *identifier = ci_primary(contact, kind);
	CiIdentifierState before;

	if (identifier == NULL)
		return;
	before = identifier->now;
	ci_free_identifier(world, identifier);
	ci_identifier_event(world, contact, "removed", identifier, &before);
	ci_promote_newest_alias(world, contact, kind);
}

/* [10.4] Two contacts that are different people are not merged. */
static bool
refuse_distinct(CiRequest *request, const CiContact *a, const CiContact *b)
{
	return ci_fail_request(request, CI_STATE, "the contacts are set distinct",
						   psprintf("Contacts " INT64_FORMAT " and " INT64_FORMAT
									" are different people.", a->id, b->id),
						   psprintf("If they are not: set_distinct(" INT64_FORMAT ", " INT64_FORMAT
									", ..., lifted => true).", a->id, b->id));
}

/* RULES 3 and 4: capture and identify. */
static bool
identify(CiWorld *world, CiRequest *request, CiResult *result)
{
	const CiSource *source = request->source;
	bool		login = request->verified || !source->claims;
	CiContact  *named = NULL;
	CiContact  *k = NULL;
	CiContact  *target;
	CiIdentifier *key = NULL;
	CiMerge    *merge = NULL;
	CiEvent    *created = NULL;
	bool		was_identified;

	for (int i = 0; i < request->nundeclared; i++)
		ignore(world, request->undeclared[i]);	/* [4.11] */
	if (request->key != NULL)
	{
		key = ci_world_identifier(world, request->key_kind, request->key);
		k = ci_owner(key);
		request->found_kind = request->key_kind->name;
		request->found_value = request->key;
	}
	if (request->contact_id != 0)
	{
		named = ci_require_contact(world, request, request->contact_id);
		if (named == NULL)
			return false;		/* [3.1] */
		if (named->state == CI_ANONYMOUS)
		{
			if (k != NULL && k != named)
			{
				ci_add_offender(request, request->key_kind->name, k);
				return ci_fail_request(request, CI_INVALID, "key belongs to another contact than contact_id",
									   NULL, "Leave out the key, or the contact_id.");
			}
			k = named;
			named = NULL;
		}
	}
	else if (request->ngiven == 0)
	{
		/* A capture [1.1] [1.6], with or without attributes. */
		if (key == NULL)
			return ci_fail_request(request, CI_INVALID, "nothing to find a contact by", NULL,
								   "Give a key, an identifier or a contact_id.");
		if (source->makes == CI_CLASS_NONE)
			return ci_fail_request(request, CI_INVALID,
								   psprintf("source \"%s\" makes no anonymous contacts", source->name),
								   NULL, "Give an identifier, or use another source.");
	}

	if (request->only_contact)
		target = named != NULL ? named : k;
	else
		target = choose_target(world, request, named, k, login);
	world->key_contact = k;
	if (k != NULL && k->state == CI_ANONYMOUS && target != NULL && ci_is_distinct(world, k, target))
		return refuse_distinct(request, k, target);
	if (!check_refusal(world, request, target) || !check_removal(request, target) ||
		!check_limits(request, target,
					  k != NULL && k->state == CI_ANONYMOUS && k != target ? k : NULL))
		return false;
	ci_set_request_time(world, request, newest_compared(world, request, key, k, target));
	was_identified = target != NULL && target->state == CI_IDENTIFIED;

	if (target == NULL)			/* [3.6], or the capture of a new key */
	{
		target = ci_new_contact(world, CI_ANONYMOUS);
		created = ci_add_event(world, target, "created", CI_FIELD_CONTACT, "state");
		world->created = created;
		created->new_value.text = "anonymous";
	}
	result->contact = target;

	if (k != NULL && key != NULL && ci_owner(key) == NULL)
		attach_key(world, key, k);	/* [3.1] K is the anonymous one named */
	if (k != NULL && k->state == CI_ANONYMOUS && k != target)
	{
		ci_apply_rule(world, "3.8");
		merge = merge_contacts(world, target, k, key);
		result->merged = k;
		result->outcome = CI_OUTCOME_MERGED;
	}
	if (key != NULL)
	{
		if (ci_owner(key) == NULL)
			attach_key(world, key, target); /* [1.1] [3.7] */
		else if (ci_owner(key) != target)
			move_key(world, key, target);	/* [3.9] */
		else if (merge == NULL)
		{
			/*
			 * A capture confirms nothing: it only writes that it was seen
			 * [1.2].
			 */
			if (request->ngiven > 0 || request->contact_id != 0)
				confirm(world, key);
			verify(world, key);
		}
	}

	for (int i = 0; i < request->ngiven; i++)
		give_identifier(world, target, &request->given[i]);
	for (int i = 0; i < request->nremoved; i++)
		remove_primary(world, target, request->removed[i]);
	if (!was_identified && target->state == CI_IDENTIFIED && key != NULL &&
		ci_owner(key) == target && key->now.updated_at != request->at)
	{
		/* [3.9] The key is what this contact was identified by. */
		key->now.updated_at = request->at;
		ci_touch_identifier(world, key);
	}

	give_attributes(world, target, was_identified, merge);
	if (request->ngiven > 0 && target->state == CI_IDENTIFIED)
		join_default_list(world, target);
	if (key != NULL && ci_owner(key) == target)
		note_seen(world, target);

	/* [4.17] The first that fits; merged and switched are set above. */
	if (result->outcome != CI_OUTCOME_UNCHANGED)
		return true;
	if (created != NULL)
		result->outcome = target->state == CI_IDENTIFIED ?
			CI_OUTCOME_CREATED : CI_OUTCOME_CAPTURED;
	else if (!was_identified && target->state == CI_IDENTIFIED)
		result->outcome = CI_OUTCOME_IDENTIFIED;
	else if (result->nevents > 0)
		result->outcome = CI_OUTCOME_UPDATED;
	return true;
}

/* ---- RULES 5: conflicts ---- */

/* The event of a conflict that was opened, moved or settled. */
void
ci_conflict_event(CiWorld *world, CiConflict *conflict, const char *name)
{
	CiEvent    *event = ci_add_event(world, conflict->contact, name,
									 conflict->type, conflict->field);

	event->conflict = conflict;
	if (conflict->type == CI_FIELD_ATTRIBUTE)
		event->new_value.json = conflict->value;
	else
		event->new_value.text = conflict->value;
	event->new_source = conflict->source;
	event->new_at = conflict->given_at;
	event->other = conflict->owner;
}

/* A conflict that the call being played gives rise to; its value is the caller's. */
static CiConflict
new_conflict(CiWorld *world, CiFieldType type, const char *field, CiTime given_at)
{
	const CiRequest *request = world->request;
	CiConflict	conflict = {
		.type = type,
		.field = field,
		.given_at = given_at,
		.source = request->source->name,
		.via = request->via
	};

	if (request->key != NULL)
	{
		conflict.key_kind = request->key_kind->name;
		conflict.key = request->key;
	}
	return conflict;
}

/* [5.2] Names the open conflict where the same secondary comes again. */
static bool
meet_conflict(CiWorld *world, CiContact *contact, const CiConflict *template)
{
	for (CiConflict *conflict = ci_conflicts_like(world, contact, template);
		 conflict != NULL; conflict = conflict->next_in_scope)
	{
		if (conflict->status == CI_OPEN &&
			strcmp(conflict->canonical, template->canonical) == 0)
		{
			ci_report_conflict(world, conflict);
			return true;
		}
	}
	return false;
}

/*
 * [5.1] [5.2] Keeps a secondary value: met again if it is there, dropped if
 * it was dismissed, in the place of a different one from the same key.
 */
static void
open_conflict(CiWorld *world, CiContact *contact, const CiConflict *template)
{
	CiConflict *open = NULL;
	CiConflict *conflict;

	if (meet_conflict(world, contact, template))
		return;
	for (conflict = ci_conflicts_like(world, contact, template);
		 conflict != NULL; conflict = conflict->next_in_scope)
	{
		if (conflict->status == CI_OPEN)
			open = conflict;
		else if (conflict->status == CI_DISMISSED &&
				 strcmp(conflict->canonical, template->canonical) == 0)
		{
			ignore(world, template->field);
			return;
		}
	}
	if (open != NULL)
	{
		ci_apply_rule(world, "5.2");
		ci_settle_conflict(world, open, CI_OBSOLETE);
	}
	conflict = ci_add_conflict(world, contact, template);
	ci_conflict_event(world, conflict, "conflict_opened");
	ci_report_conflict(world, conflict);
}

/* Settles an open conflict. */
void
ci_settle_conflict(CiWorld *world, CiConflict *conflict, CiStatus status)
{
	CiResult   *result = world->result;
	CiMerge    *merge = world->merge;

	if (merge != NULL)
	{
		merge->settled = ci_grow(merge->settled, merge->nsettled, sizeof(CiConflict *));
		merge->settled[merge->nsettled++] = conflict;
	}
	conflict->status = status;
	conflict->settled = true;
	conflict->settled_by = world->request->actor;
	ci_touch_conflict(world, conflict);
	ci_conflict_event(world, conflict,
					  status == CI_PROMOTED ? "conflict_promoted" :
					  status == CI_DISMISSED ? "conflict_dismissed" : "conflict_obsolete");

	/* [4.17] The result names open ones only. */
	for (int i = 0; i < result->nconflicts; i++)
	{
		if (result->conflicts[i] != conflict)
			continue;
		result->nconflicts--;
		memmove(&result->conflicts[i], &result->conflicts[i + 1],
				sizeof(CiConflict *) * (result->nconflicts - i));
		break;
	}
}

/* [5.7] When the primary comes to equal the secondary, there is no conflict. */
static void
forget_equal_conflicts(CiWorld *world, CiContact *contact, CiFieldType type,
					   const char *field, const char *canonical)
{
	for (CiConflict *conflict = contact->conflicts; conflict != NULL; conflict = conflict->next)
	{
		if (conflict->status == CI_OPEN && conflict->type == type &&
			strcmp(conflict->field, field) == 0 &&
			strcmp(conflict->canonical, canonical) == 0)
			ci_settle_conflict(world, conflict, CI_OBSOLETE);
	}
}

/* Whether a secondary value is what the contact has as primary. */
bool
ci_equals_primary(const CiConflict *conflict)
{
	if (conflict->type == CI_FIELD_IDENTIFIER)
	{
		const CiIdentifier *primary = ci_primary(conflict->contact, conflict->kind);

		return primary != NULL && strcmp(primary->value, conflict->canonical) == 0;
	}
	else
	{
		const CiAttribute *stored =
			ci_find_attribute(&conflict->contact->attributes, conflict->field);

		return stored != NULL && stored->json != NULL &&
			strcmp(stored->canonical, conflict->canonical) == 0;
	}
}

/*
 * Whether a conflict was given later than another; of two of one time, the
 * one that was opened later.  New ones are numbered downwards from -1.
 */
static bool
given_later(const CiConflict *a, const CiConflict *b)
{
	if (a->given_at != b->given_at)
		return a->given_at > b->given_at;
	if (a->is_new != b->is_new)
		return a->is_new;
	return a->is_new ? a->id < b->id : a->id > b->id;
}

/*
 * [5.7] The conflicts of an ended contact follow it; of two open ones for a
 * field and key the one given later stays open.
 */
static void
follow_conflicts(CiWorld *world, CiContact *ended, CiContact *survivor)
{
	CiConflict *conflict;

	while ((conflict = ended->conflicts) != NULL)
	{
		CiConflict *rival = NULL;

		if (conflict->status == CI_OPEN)
		{
			rival = ci_conflicts_like(world, survivor, conflict);
			while (rival != NULL && rival->status != CI_OPEN)
				rival = rival->next_in_scope;
		}
		ci_give_conflict(world, conflict, survivor);
		ci_conflict_event(world, conflict, "conflict_moved");
		if (rival != NULL)
			ci_settle_conflict(world, given_later(conflict, rival) ? rival : conflict,
							   CI_OBSOLETE);
		if (conflict->status == CI_OPEN && ci_equals_primary(conflict))
			ci_settle_conflict(world, conflict, CI_OBSOLETE);
	}
}

/* The open conflict that an agent settles, or NULL with the reason. */
static CiConflict *
conflict_to_settle(CiWorld *world, CiRequest *request)
{
	CiConflict *conflict = world->loaded_conflicts;

	while (conflict != NULL && conflict->id != request->conflict_id)
		conflict = conflict->next_loaded;
	if (request->actor == NULL || request->actor[0] == '\0')
		ci_fail_request(request, CI_INVALID, "an agent's name is needed", NULL,
						"Say in \"agent\" who settles the conflict.");
	else if (conflict == NULL)
		ci_fail_request(request, CI_NOT_FOUND,
						psprintf("conflict " INT64_FORMAT " does not exist", request->conflict_id),
						NULL, NULL);
	else if (conflict->status != CI_OPEN)
		ci_fail_request(request, CI_STATE,
						psprintf("conflict " INT64_FORMAT " is settled already", request->conflict_id),
						psprintf("It is %s.", conflict->status == CI_PROMOTED ? "promoted" :
								 conflict->status == CI_DISMISSED ? "dismissed" : "obsolete"),
						"See the view conflicts for who settled it and when.");
	return request->error.code == CI_OK ? conflict : NULL;
}

/* [5.3] [5.4] The secondary value becomes the primary one. */
static bool
promote(CiWorld *world, CiRequest *request, CiResult *result)
{
	CiConflict *conflict;
	CiContact  *contact;
	CiIdentifier *identifier = NULL;
	CiIdentifier *primary = NULL;
	CiAttribute *stored = NULL;
	CiTime		newest;

	if (!request->confirmed)
		return ci_fail_request(request, CI_INVALID, "the customer has not confirmed the value", NULL,
							   "Ask the customer, then call with customer_confirmed => true.");
	conflict = conflict_to_settle(world, request);
	if (conflict == NULL)
		return false;
	contact = conflict->contact;
	if (conflict->type == CI_FIELD_IDENTIFIER)
	{
		CiContact  *owner;

		identifier = ci_world_identifier(world, conflict->kind, conflict->value);
		primary = ci_primary(contact, conflict->kind);
		owner = ci_owner(identifier);
		if (owner != NULL && owner != contact)
		{
			ci_add_offender(request, conflict->field, owner);
			return ci_fail_request(request, CI_TAKEN, "value belongs to another contact", NULL,
								   "Merge the contacts, or dismiss the conflict.");
		}
	}
	else
		stored = ci_find_attribute(&contact->attributes, conflict->field);
	newest = conflict->given_at;
	if (primary != NULL)
		newest = Max(newest, primary->now.updated_at);
	if (identifier != NULL && identifier->now.contact == contact)
		newest = Max(newest, identifier->now.updated_at);
	if (stored != NULL)
		newest = Max(newest, stored->at);
	ci_set_request_time(world, request, newest);
	result->contact = contact;

	/* Settled first, so that it is not found to equal the primary. */
	ci_settle_conflict(world, conflict, CI_PROMOTED);
	if (identifier == NULL)
	{
		CiAttribute value = {
			.name = conflict->field,
			.json = conflict->value,
			.canonical = conflict->canonical,
			.at = request->at,
			.source = conflict->source
		};

		set_attribute(world, contact, &value);
	}
	else if (identifier->now.contact == contact)
	{
		/* [6.4] Promoting an alias swaps the two. */
		CiIdentifierState before = identifier->now;
		CiIdentifierState primary_before;

		identifier->now.primary = true;
		identifier->now.verified = true;
		identifier->now.updated_at = request->at;
		ci_touch_identifier(world, identifier);
		if (primary != NULL)
		{
			primary_before = primary->now;
			primary->now.primary = false;
			ci_touch_identifier(world, primary);
			ci_identifier_event(world, contact, "made_alias", primary, &primary_before);
		}
		ci_identifier_event(world, contact, "made_primary", identifier, &before);
		forget_equal_conflicts(world, contact, CI_FIELD_IDENTIFIER,
							   identifier->kind->name, identifier->value);
	}
	else
	{
		/* As if its source gave it now, proved [4.18]. */
		CiIdentifierState state = {
			.given = conflict->given,
			.source = conflict->source,
			.verified = true,
			.updated_at = request->at
		};

		set_primary(world, contact, identifier, &state);
	}
	result->outcome = CI_OUTCOME_UPDATED;
	return true;
}

/* [5.5] The primary value stays. */
static bool
dismiss(CiWorld *world, CiRequest *request, CiResult *result)
{
	CiConflict *conflict = conflict_to_settle(world, request);

	if (conflict == NULL)
		return false;
	ci_set_request_time(world, request, CI_NO_TIME);
	result->contact = conflict->contact;
	ci_settle_conflict(world, conflict, CI_DISMISSED);
	result->outcome = CI_OUTCOME_UPDATED;
	return true;
}

/* ---- RULES 6: merge ---- */

/*
 * The order in which identifiers go along in a merge: that of the kinds, then
 * of the values, however they came to be there.
 */
static int
compare_identifiers(const void *a, const void *b)
{
	const CiIdentifier *x = *(CiIdentifier *const *) a;
	const CiIdentifier *y = *(CiIdentifier *const *) b;

	/* The kinds are an array in their order. */
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return strcmp(x->value, y->value);
}

/* Copies into the merge record what the ended contact has. */
static CiMerge *
record_merge(CiWorld *world, CiContact *survivor, CiContact *ended)
{
	CiMerge    *merge = palloc0(sizeof(CiMerge));
	int			n;

	merge->survivor = survivor;
	merge->ended = ended;
	merge->request = world->request;
	merge->ended_state = ended->state;
	merge->ended_identified_at = ended->identified_at;
	merge->ended_seen_at = ended->last_seen_at;
	merge->survivor_seen_at = survivor->last_seen_at;
	merge->blocks = ended->blocks;
	merge->survivor_blocks = survivor->blocks;

	for (CiIdentifier *identifier = ended->identifiers; identifier != NULL; identifier = identifier->next)
		merge->nidentifiers++;
	merge->identifiers = palloc(sizeof(CiIdentifier *) * Max(1, merge->nidentifiers));
	merge->identifier_states = palloc(sizeof(CiIdentifierState) * Max(1, merge->nidentifiers));
	n = 0;
	for (CiIdentifier *identifier = ended->identifiers; identifier != NULL; identifier = identifier->next)
		merge->identifiers[n++] = identifier;
	qsort(merge->identifiers, n, sizeof(CiIdentifier *), compare_identifiers);
	for (int i = 0; i < n; i++)
		merge->identifier_states[i] = merge->identifiers[i]->now;

	merge->nattributes = ended->attributes.count;
	merge->attributes = palloc(sizeof(CiAttribute) * Max(1, merge->nattributes));
	for (int i = 0; i < merge->nattributes; i++)
		merge->attributes[i] = ended->attributes.items[i];

	for (CiMember *member = ended->members; member != NULL; member = member->next)
		merge->nmembers++;
	merge->members = palloc(sizeof(CiMember) * Max(1, merge->nmembers));
	merge->survivor_members = palloc(sizeof(CiMember) * Max(1, merge->nmembers));
	n = 0;
	for (CiMember *member = ended->members; member != NULL; member = member->next)
		merge->members[n++] = *member;

	for (CiConflict *conflict = ended->conflicts; conflict != NULL; conflict = conflict->next)
		merge->nconflicts++;
	merge->conflicts = palloc(sizeof(CiConflict *) * Max(1, merge->nconflicts));
	merge->conflict_states = palloc(sizeof(CiStatus) * Max(1, merge->nconflicts));
	n = 0;
	for (CiConflict *conflict = ended->conflicts; conflict != NULL; conflict = conflict->next)
	{
		merge->conflicts[n] = conflict;
		merge->conflict_states[n++] = conflict->status;
	}

	for (CiContact *before = ended->ended; before != NULL; before = before->next_ended)
		merge->nended_before++;
	merge->ended_before = palloc(sizeof(int64) * Max(1, merge->nended_before));
	n = 0;
	for (CiContact *before = ended->ended; before != NULL; before = before->next_ended)
		merge->ended_before[n++] = before->id;

	if (world->last_merge == NULL)
		world->merges = merge;
	else
		world->last_merge->next = merge;
	world->last_merge = merge;
	return merge;
}

/* [6.7] Lists are united; unsubscribed wins. */
static void
unite_lists(CiWorld *world, CiMerge *merge)
{
	CiContact  *survivor = merge->survivor;

	for (int i = 0; i < merge->nmembers; i++)
	{
		const CiMember *brought = &merge->members[i];
		CiMember   *member = ci_find_member(survivor, brought->list_id);
		bool		was_member = member != NULL;
		CiEvent    *event;

		if (was_member && (!member->subscribed || brought->subscribed))
			continue;
		event = ci_add_event(world, survivor, brought->subscribed ? "list_added" : "list_removed",
							 CI_FIELD_LIST, psprintf("%d", brought->list_id));
		if (was_member)
		{
			merge->survivor_members[merge->nsurvivor_members++] = *member;
			event->old_value.json = "true";
			event->old_source = member->source;
			event->old_at = member->since;
		}
		else
			member = ci_add_member(world, survivor, brought->list_id);
		member->subscribed = brought->subscribed;
		member->source = brought->source;
		member->since = brought->since;
		member->touched = true;
		event->new_value.json = member->subscribed ? "true" : "false";
		event->new_source = member->source;
		event->new_at = member->since;
		event->other = merge->ended;
	}
}

/* [6.3] Ended contacts point to a live one: those of the ended go along. */
static void
repoint(CiWorld *world, CiContact *ended, CiContact *survivor)
{
	CiContact  *before;

	while ((before = ended->ended) != NULL)
	{
		CiEvent    *event = ci_add_event(world, before, "repointed",
										 CI_FIELD_CONTACT, "survivor");

		event->old_value.contact = ended;
		event->new_value.contact = survivor;
		event->other = survivor;
		ended->ended = before->next_ended;
		before->survivor = survivor;
		before->next_ended = survivor->ended;
		survivor->ended = before;
	}
	ended->survivor = survivor;
	ended->next_ended = survivor->ended;
	survivor->ended = ended;
}

/*
 * What every merge does: keys, blocks, lists and conflicts go to the
 * survivor, and the ended contact points there.  Identifying values and
 * attributes are the caller's.  The key is the one that the call gives, if
 * any: the call ties it to the survivor [3.9].
 */
static CiMerge *
merge_contacts(CiWorld *world, CiContact *survivor, CiContact *ended,
			   const CiIdentifier *key)
{
	CiMerge    *merge = record_merge(world, survivor, ended);
	CiEvent    *event;

	world->merge = merge;
	event = ci_add_event(world, ended, "merged", CI_FIELD_CONTACT, "survivor");
	event->new_value.contact = survivor;
	event->other = survivor;
	event = ci_add_event(world, survivor, "absorbed", CI_FIELD_CONTACT, "merged");
	event->new_value.contact = ended;
	event->other = ended;

	for (int i = 0; i < merge->nidentifiers; i++)
	{
		CiIdentifier *moved = merge->identifiers[i];

		if (moved->kind->identifying)
			continue;
		ci_give_identifier(world, moved, survivor);
		moved->now.verified = moved == key && world->request->verified; /* [4.18] */
		if (moved == key)
			moved->now.updated_at = world->request->at;
		event = ci_identifier_event(world, survivor, "moved_in", moved, NULL);
		event->other = ended;
	}
	ci_apply_rule(world, "6.7");
	block_channel(world, survivor, ended->blocks & ~survivor->blocks);
	ended->blocks = 0;
	unite_lists(world, merge);
	ended->members = NULL;
	survivor->last_seen_at = Max(survivor->last_seen_at, ended->last_seen_at);

	ended->state = CI_MERGED;
	ci_apply_rule(world, "6.3");
	repoint(world, ended, survivor);
	if (ended->conflicts != NULL)
		ci_apply_rule(world, "5.7");
	follow_conflicts(world, ended, survivor);
	ci_follow_pairs(world, merge);
	world->merge = NULL;
	return merge;
}

/* A conflict of a merge [5.1]. */
static CiConflict
merge_conflict(CiFieldType type, const char *field, CiTime given_at, const CiContact *ended)
{
	CiConflict	conflict = {
		.type = type,
		.field = field,
		.given_at = given_at,
		.source = "merge",
		.key_kind = "contact",
		.key = psprintf(INT64_FORMAT, ended->id),
	};

	return conflict;
}

/*
 * [6.4] The identifying values of the ended contact: moved where the survivor
 * has none of the kind, else aliases, the primary one offered as a conflict.
 */
static void
unite_identifiers(CiWorld *world, CiMerge *merge, bool newer_wins)
{
	CiContact  *survivor = merge->survivor;

	for (int i = 0; i < merge->nidentifiers; i++)
	{
		CiIdentifier *identifier = merge->identifiers[i];
		const CiIdentifierState *before = &merge->identifier_states[i];
		CiIdentifier *primary = ci_primary(survivor, identifier->kind);
		CiEvent    *event;

		if (!identifier->kind->identifying || !before->primary)
			continue;
		ci_give_identifier(world, identifier, survivor);
		identifier->now.verified = false;
		identifier->now.primary = primary == NULL ||
			(newer_wins && before->updated_at > primary->now.updated_at);
		if (primary != NULL && identifier->now.primary)
		{
			CiIdentifierState primary_before = primary->now;

			primary->now.primary = false;
			ci_touch_identifier(world, primary);
			ci_identifier_event(world, survivor, "made_alias", primary, &primary_before);
		}
		event = ci_identifier_event(world, survivor,
									identifier->now.primary ? "moved_in" : "alias_added",
									identifier, NULL);
		event->other = merge->ended;
		if (identifier->now.primary)
			forget_equal_conflicts(world, survivor, CI_FIELD_IDENTIFIER,
								   identifier->kind->name, identifier->value);
		else if (!newer_wins)
		{
			CiConflict	conflict = merge_conflict(CI_FIELD_IDENTIFIER, identifier->kind->name,
												  before->updated_at, merge->ended);

			conflict.kind = identifier->kind;
			conflict.value = identifier->value;
			conflict.canonical = identifier->value;
			conflict.given = before->given;
			open_conflict(world, survivor, &conflict);
		}
	}
	for (int i = 0; i < merge->nidentifiers; i++)
	{
		CiIdentifier *identifier = merge->identifiers[i];
		CiEvent    *event;

		if (!identifier->kind->identifying || merge->identifier_states[i].primary)
			continue;
		ci_give_identifier(world, identifier, survivor);
		identifier->now.verified = false;
		event = ci_identifier_event(world, survivor, "alias_added", identifier, NULL);
		event->other = merge->ended;
	}
}

/* [6.4] A differing attribute of the ended contact becomes a conflict. */
static void
offer_set_aside(CiWorld *world, CiMerge *merge, const CiAttribute *value)
{
	CiConflict	conflict = merge_conflict(CI_FIELD_ATTRIBUTE, value->name,
										  value->at, merge->ended);

	conflict.value = value->json;
	conflict.canonical = value->canonical;
	open_conflict(world, merge->survivor, &conflict);
}

/* [6.4] The attributes of the ended contact. */
static void
unite_attributes(CiWorld *world, CiMerge *merge, bool newer_wins)
{
	CiContact  *survivor = merge->survivor;

	for (int i = 0; i < merge->nattributes; i++)
	{
		const CiAttribute *value = &merge->attributes[i];
		CiAttribute *stored = ci_find_attribute(&survivor->attributes, value->name);

		if (stored == NULL)
			set_attribute(world, survivor, value);
		else if (ci_same_attribute(stored, value))
			confirm_attribute(world, survivor, stored, value->at);
		else if (newer_wins || stored->json == NULL)
		{
			/* A cleared one is filled by a newer value only [4.6]. */
			if (value->at > stored->at)
				set_attribute(world, survivor, value);
			else if (!newer_wins)
				offer_set_aside(world, merge, value);
		}
		else if (value->json != NULL)
			offer_set_aside(world, merge, value);
	}
}

/* [6.4] to [6.6] merge(survivor, loser, agent). */
static bool
merge(CiWorld *world, CiRequest *request, CiResult *result)
{
	CiContact  *survivor;
	CiContact  *loser;
	CiMerge    *record;

	if (request->actor == NULL || request->actor[0] == '\0')
		return ci_fail_request(request, CI_INVALID, "an agent's name is needed", NULL,
							   "Say in \"agent\" who merges the contacts.");
	survivor = ci_require_contact(world, request, request->contact_id);
	loser = survivor == NULL ? NULL : ci_require_contact(world, request, request->loser_id);
	if (loser == NULL)
		return false;
	result->contact = survivor;
	if (survivor == loser)
	{
		ci_apply_rule(world, "6.6");
		return true;
	}
	if (survivor->state == CI_ANONYMOUS && loser->state == CI_IDENTIFIED)
		return ci_fail_request(request, CI_INVALID,
							   "an identified contact cannot be merged into an anonymous one", NULL,
							   psprintf("Swap them: merge(" INT64_FORMAT ", " INT64_FORMAT ", ...).",
										loser->id, survivor->id));
	if (ci_is_distinct(world, survivor, loser))
		return refuse_distinct(request, survivor, loser);
	if (!check_limits(request, survivor, loser))
		return false;
	ci_set_request_time(world, request, CI_NO_TIME);

	ci_apply_rule(world, "6.4");
	record = merge_contacts(world, survivor, loser, NULL);
	world->merge = record;
	ci_apply_rule(world, "6.4");
	unite_identifiers(world, record, request->newer_wins);
	unite_attributes(world, record, request->newer_wins);
	world->merge = NULL;
	result->merged = loser;
	result->outcome = CI_OUTCOME_MERGED;
	return true;
}

/* ---- Small writes ---- */

/* [1.7] [1.9] subscribe, unsubscribe and logout of a key. */
static bool
change_key(CiWorld *world, CiRequest *request, CiResult *result)
{
	CiIdentifier *key = ci_world_identifier(world, request->key_kind, request->key);
	CiIdentifierState before = key->now;
	CiContact  *contact = key->now.contact;

	request->found_kind = request->key_kind->name;
	request->found_value = request->key;
	if (request->op != CI_OP_LOGOUT && request->key_kind->channel != CI_CHANNEL_PUSH)
		return ci_fail_request(request, CI_INVALID,
							   psprintf("keys of kind \"%s\" are not subscribed to anything",
										request->key_kind->name),
							   NULL, "Only push keys are opted in and out.");
	result->contact = ci_owner(key);
	if (contact == NULL)
		return true;			/* nobody has it */
	ci_set_request_time(world, request, before.updated_at);

	if (request->op == CI_OP_SUBSCRIBE)
	{
		if (before.opted_in)
			return true;
		key->now.opted_in = true;
		if (before.parked)
			ci_free_identifier(world, key); /* nothing to remember any more */
		ci_touch_identifier(world, key);
		ci_identifier_event(world, contact, "opted_in", key, &before);
	}
	else if (before.parked)
		return true;			/* a key nobody has */
	else if (request->op == CI_OP_UNSUBSCRIBE)
	{
		if (!before.opted_in)
			return true;
		key->now.opted_in = false;
		ci_touch_identifier(world, key);
		ci_identifier_event(world, contact, "opted_out", key, &before);
	}
	else
	{
		/* The opt-out of a push key outlives the logout. */
		if (key->kind->channel == CI_CHANNEL_PUSH && !before.opted_in)
		{
			key->now.parked = true;
			key->now.verified = false;
			ci_touch_identifier(world, key);
		}
		else
			ci_free_identifier(world, key);
		ci_identifier_event(world, contact, "detached", key, &before);
	}
	result->outcome = CI_OUTCOME_UPDATED;
	return true;
}

/* block, unblock, add_to_list and remove_from_list of a contact. */
static bool
change_reach(CiWorld *world, CiRequest *request, CiResult *result)
{
	CiContact  *contact = ci_require_contact(world, request, request->contact_id);
	CiMember   *member;
	CiEvent    *event;
	bool		subscribe = request->op == CI_OP_ADD_TO_LIST;

	if (contact == NULL)
		return false;
	if (subscribe && request->list_id == 0)
		return ci_fail_request(request, CI_INVALID, "list does not exist", NULL, NULL);
	result->contact = contact;
	ci_set_request_time(world, request, CI_NO_TIME);

	if (request->op == CI_OP_BLOCK)
		block_channel(world, contact, request->channel);
	else if (request->op == CI_OP_UNBLOCK)
	{
		if (contact->blocks & request->channel)
		{
			contact->blocks &= ~request->channel;
			event = ci_add_event(world, contact, "unblocked", CI_FIELD_BLOCK,
								 ci_channel_name(request->channel));
			event->old_value.json = "true";
			event->new_value.json = "false";
		}
	}
	else
	{
		member = request->list_id == 0 ? NULL : ci_find_member(contact, request->list_id);
		if (member == NULL ? subscribe : member->subscribed != subscribe)
		{
			event = ci_add_event(world, contact, subscribe ? "list_added" : "list_removed",
								 CI_FIELD_LIST, psprintf("%d", request->list_id));
			event->old_value.json = member == NULL ? NULL : subscribe ? "false" : "true";
			event->new_value.json = subscribe ? "true" : "false";
			event->new_at = request->at;
			if (member == NULL)
				member = ci_add_member(world, contact, request->list_id);
			else
			{
				event->old_source = member->source;
				event->old_at = member->since;
			}
			member->subscribed = subscribe;
			member->source = NULL;	/* somebody's decision, not a source's */
			member->since = request->at;
			member->touched = true;
		}
	}
	if (result->nevents > 0)
		result->outcome = CI_OUTCOME_UPDATED;
	return true;
}

/* Ends a contact of which nothing is to stay. */
static void
erase_contact(CiWorld *world, CiContact *contact)
{
	ci_add_event(world, contact, "erased", CI_FIELD_CONTACT, "state");
	while (contact->identifiers != NULL)
		ci_free_identifier(world, contact->identifiers);
	contact->state = CI_ERASED;
	contact->survivor = NULL;
	contact->attributes.count = 0;
	contact->attributes_touched = true;
	contact->blocks = 0;
	contact->members = NULL;
	contact->conflicts = NULL;
}

/*
 * [10.6] erase: the contact, and all that were merged into it.  What history,
 * merges and conflicts have of them is emptied when this is applied.
 */
static bool
erase(CiWorld *world, CiRequest *request, CiResult *result)
{
	CiContact  *contact = ci_require_contact(world, request, request->contact_id);

	if (contact == NULL)
		return false;
	result->contact = contact;
	ci_set_request_time(world, request, CI_NO_TIME);
	for (CiContact *ended = contact->ended; ended != NULL; ended = ended->next_ended)
		erase_contact(world, ended);
	contact->ended = NULL;
	erase_contact(world, contact);
	result->outcome = CI_OUTCOME_UPDATED;
	return true;
}

/*
 * Plays one request.  Where it cannot be used its error is set and the
 * working set is as it was.
 */
void
ci_resolve_request(CiWorld *world, CiRequest *request, CiResult *result)
{
	static const CiResult nothing = {.outcome = CI_OUTCOME_UNCHANGED};

	*result = nothing;
	request->offenders = NULL;
	request->noffenders = 0;
	if (request->error.code != CI_OK)
		return;
	world->request = request;
	world->result = result;
	world->merge = NULL;
	world->created = NULL;
	world->key_contact = NULL;
	world->rule = NULL;
	world->nrules = 0;
	request->at = world->clock;
	request->found_kind = NULL;
	request->found_value = NULL;

	/* As a row that was deleted after the statement had seen it. */
	if (request->only_contact && request->contact_id != 0)
	{
		const CiContact *contact = ci_world_contact(world, request->contact_id);

		if (contact == NULL || contact->state == CI_MERGED || contact->state == CI_ERASED)
			return;
	}

	switch (request->op)
	{
		case CI_OP_IDENTIFY:
		case CI_OP_CAPTURE:
			identify(world, request, result);
			break;
		case CI_OP_SUBSCRIBE:
		case CI_OP_UNSUBSCRIBE:
		case CI_OP_LOGOUT:
			change_key(world, request, result);
			break;
		case CI_OP_PROMOTE:
			promote(world, request, result);
			break;
		case CI_OP_DISMISS:
			dismiss(world, request, result);
			break;
		case CI_OP_MERGE:
			merge(world, request, result);
			break;
		case CI_OP_BLOCK:
		case CI_OP_UNBLOCK:
		case CI_OP_ADD_TO_LIST:
		case CI_OP_REMOVE_FROM_LIST:
			change_reach(world, request, result);
			break;
		case CI_OP_ERASE:
			erase(world, request, result);
			break;
		case CI_OP_UNMERGE:
			ci_unmerge(world, request, result);
			break;
		case CI_OP_SET_DISTINCT:
			ci_set_distinct(world, request, result);
			break;
	}
	Assert(request->error.code == CI_OK || result->nevents == 0);
	if (request->error.code != CI_OK)
		*result = nothing;
}

/* The name of an outcome, as RULES 4.17 has it. */
const char *
ci_outcome_name(CiOutcome outcome)
{
	static const char *const names[] = {
		"merged", "switched", "created", "captured", "identified", "updated",
		"unchanged"
	};

	return names[outcome];
}
