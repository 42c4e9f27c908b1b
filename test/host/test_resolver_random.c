/*-------------------------------------------------------------------------
 *
 * test_resolver_random.c
 *	  What must hold whatever is called, in whatever order.  Prints TAP.
 *
 * Random sequences of requests over a few contacts, keys and values, from a
 * fixed seed; the argument says how many.  Processes of their own play a share
 * each, so that all memory goes with them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "resolver_fixture.h"

#define SEQUENCES	2500
#define REQUESTS	8			/* of a sequence */
#define PROCESSES	20

typedef enum Promise
{
	ONE_OWNER,
	LIVE_OWNER,
	NO_CHAINS,
	HISTORY_OF_CHANGES,
	CHANGES_OF_HISTORY,
	ONE_PRIMARY,
	ANONYMOUS,
	ONE_OPEN,
	NOT_EQUAL,
	AGAIN,
	SURVIVES,
	NEVER_TWO,
	REFUSED,
	REPLAY,
	BATCH,
	ORDER,
	PROMISES
} Promise;

static const char *const promises[] = {
	"[9.1] a value has one owner",
	"[9.2] whose owner is live",
	"[9.3] a survivor is live: no chains, no loops",
	"[9.4] a changed contact has history of it",
	"[9.4] a contact that has history changed",
	"[0] a contact has one primary of a kind where it has any value of it",
	"[1.4] it is anonymous exactly while it has none",
	"[5.1] one open conflict for a contact, field and key",
	"[5.7] no open conflict for a value that is primary",
	"[4.16] the same call again changes nothing",
	"[6.1] an identified contact does not end by identify",
	"[3.10] identify merges anonymous contacts only",
	"[4.4] a refused request leaves everything as it was",
	"[10.1] the history of each contact alone gives its present state",
	"[4.10] a request does in a batch what it does alone",
	"[4.10] the order in which last-update-wins values arrive does not matter",
};

/* What the processes found, and the first case of each. */
typedef struct Findings
{
	int			count[PROMISES];
	char		first[PROMISES][4000];
	int			outcomes[CI_OUTCOME_UNCHANGED + 1];
	int			refusals;
} Findings;

static Findings *found;
static StringInfoData story;	/* the requests of this sequence */

/* The detail is only looked at where the promise is broken. */
#define check(good, promise, detail) \
	do { \
		if (!(good) && found->count[promise]++ == 0) \
			snprintf(found->first[promise], sizeof(found->first[promise]), \
					 "%s\n# %s", story.data, detail); \
	} while (0)

/* ---- Random requests ---- */

/* test/fuzz/resolver.c decides by the bytes that it is fed with. */
#ifndef CI_FUZZ
static uint64 state;

static int
upto(int n)
{
	state = state * UINT64CONST(6364136223846793005) + UINT64CONST(1442695040888963407);
	return (int) ((state >> 33) % n);
}

/* A contact that there is, nearly always; new ones count downwards. */
static int64
some_contact(void)
{
	return -1 - upto(world->ncontacts + 1);
}

static int64
some_conflict(void)
{
	return -1 - upto(world->new_conflicts + 1);
}
#endif

#define ONE_OF(array)	((array)[upto(lengthof(array))])

static const char *
random_request(void)
{
	static const char *const calls[] = {"conversations", "conversations", "push", "push", "shop", "api", "keeper"};
	static const char *const values[] = {
		"ext_id=1", "ext_id=2", "email=a", "email=b", "email=c", "phone=1", "phone=2", "phone=3"
	};
	static const char *const attributes[] = {".x=1", ".x=2", ".x=1.0", ".x=null", ".y=1", ".y=2", ".y=null"};
	static const char *const channels[] = {"email", "sms", "push"};
	const char *line;
	const char *source = ONE_OF(calls);
	bool		keyed = strcmp(source, "shop") != 0 && strcmp(source, "api") != 0;
	const char *key = strcmp(source, "push") == 0 ?
		psprintf("p%d", upto(2)) : psprintf("v%d", upto(3));
	int64		some = world->ncontacts == 0 ? 99 : some_contact();
	int			what = upto(24);

	if (what < 12)
	{
		line = psprintf("identify %s", source);
		if (keyed && upto(4) > 0)
			line = psprintf("%s key=%s", line, key);
		for (int n = 1 + upto(3); n > 0; n--)
			line = join(line, ONE_OF(values));
		if (upto(8) == 0)
			line = join(line, psprintf("contact=" INT64_FORMAT, some));
		if (upto(5) == 0)
			line = join(line, "verified");
	}
	else if (what < 16)
	{
		if (!keyed)
			source = "push", key = psprintf("p%d", upto(2));
		line = psprintf("%s %s key=%s", upto(2) == 0 ? "identify" : "capture", source, key);
		if (upto(8) == 0)
			line = psprintf("identify %s key=%s contact=" INT64_FORMAT, source, key, some);
	}
	else if (what == 16)
		return psprintf("logout %s", upto(2) == 0 ? psprintf("push key=p%d", upto(2)) :
						psprintf("conversations key=v%d", upto(3)));
	else if (what == 17)
		return psprintf("%s push key=p%d", upto(3) == 0 ? "subscribe" : "unsubscribe", upto(2));
	else if (what <= 19)
		return psprintf("merge contact=" INT64_FORMAT " loser=" INT64_FORMAT " by=Eva%s", some,
						some_contact(), upto(2) == 0 ? "" : " newer");
	else if (what <= 21)
		return psprintf("%s conflict=" INT64_FORMAT " by=Eva",
						upto(2) == 0 ? "promote confirmed" : "dismiss", some_conflict());
	else if (what == 22)
		return psprintf("%s contact=" INT64_FORMAT " list=%d", upto(2) == 0 ? "add" : "remove",
						some, 1 + upto(2));
	else
		return psprintf("%s contact=" INT64_FORMAT " channel=%s",
						upto(3) == 0 ? "unblock" : "block", some, ONE_OF(channels));

	/* The rest of capture and identify. */
	for (int n = upto(3); n > 0; n--)
		line = join(line, ONE_OF(attributes));
	if (upto(2) == 0)
		line = psprintf("%s at=%d", line, 1 + upto(1100));
	return line;
}

/* A name of an attribute or kind twice in a line would be two values of it. */
static bool
is_well_formed(const char *line)
{
	static const char *const names[] = {" .x=", " .y=", " ext_id=", " email=", " phone="};

	for (int i = 0; i < lengthof(names); i++)
	{
		const char *at = strstr(line, names[i]);

		if (at != NULL && strstr(at + 1, names[i]) != NULL)
			return false;
	}
	return true;
}

/* ---- What there is ---- */

typedef enum Depth
{
	OWN,						/* as history gives it */
	ALL,						/* conflicts and those that ended in it, too */
	TIMES						/* and what is written without history */
} Depth;

static const char *
or_none(const char *text)
{
	return text == NULL ? "-" : text;
}

/* Numbers that are the same for the same contents, and hardly else. */
static uint64
mix_number(uint64 hash, int64 number)
{
	return hash_bytes_extended((const unsigned char *) &number, sizeof(number), hash);
}

static uint64
mix(uint64 hash, const char *text)
{
	return text == NULL ? mix_number(hash, 0) :
		hash_bytes_extended((const unsigned char *) text, (int) strlen(text), hash);
}

static uint64
digest_state(const CiIdentifierState *state, Depth depth)
{
	uint64		hash = mix_number(1, state->primary | state->opted_in << 1 |
								  state->parked << 2 | state->verified << 3);

	hash = mix(mix(hash, state->given), state->source);
	return depth == TIMES ? mix_number(hash, state->updated_at) : hash;
}

static uint64
digest_conflict(const CiConflict *conflict)
{
	uint64		hash = mix(mix(2, conflict->field), conflict->value);

	hash = mix(mix(mix(hash, conflict->key), conflict->source), conflict->settled_by);
	hash = mix_number(mix_number(hash, conflict->status), conflict->given_at);
	return mix_number(hash, conflict->owner == NULL ? 0 : conflict->owner->id);
}

/* The contents of a contact; sums, so that chains may have any order. */
static uint64
digest(const CiContact *contact, Depth depth)
{
	uint64		sum = mix_number(contact->state, contact->survivor == NULL ? 0 : contact->survivor->id);

	if (contact->state == CI_MERGED)
		return sum;
	for (const CiIdentifier *identifier = contact->identifiers;
		 identifier != NULL; identifier = identifier->next)
	{
		if (!identifier->now.parked || depth == TIMES)
			sum += mix(mix(digest_state(&identifier->now, depth), identifier->kind->name),
					   identifier->value);
	}
	for (int i = 0; i < contact->attributes.count; i++)
	{
		const CiAttribute *item = &contact->attributes.items[i];
		uint64		hash = mix(mix(mix(3, item->name), item->json), item->source);

		sum += depth == TIMES ? mix_number(hash, item->at) : hash;
	}
	for (const CiMember *member = contact->members; member != NULL; member = member->next)
		sum += mix(mix_number(mix_number(member->list_id, member->subscribed), member->since),
				   member->source);
	sum += mix_number(4, contact->blocks);
	for (const CiConflict *conflict = contact->conflicts; depth > OWN && conflict != NULL;
		 conflict = conflict->next)
		sum += digest_conflict(conflict);
	for (const CiContact *before = contact->ended; depth > OWN && before != NULL;
		 before = before->next_ended)
		sum += mix_number(5, before->id);
	return sum;
}

static uint64
digest_world(Depth depth)
{
	uint64		sum = 0;

	for (const CiContact *contact = world->contacts; contact != NULL; contact = contact->next)
		sum += mix_number(digest(contact, depth), contact->id);
	return sum;
}

static uint64
digest_events(const CiEvent *after)
{
	uint64		sum = 0;
	const CiEvent *event = after == NULL ? world->events : after->next;

	for (; event != NULL; event = event->next)
	{
		uint64		hash = mix(mix(mix_number(event->type, event->contact->id), event->event), event->field);

		hash = mix(mix(mix(mix(hash, event->old_value.text), event->old_value.json),
					   event->new_value.text), event->new_value.json);
		hash = mix(mix(hash, event->old_source), event->new_source);
		hash = mix_number(mix_number(hash, event->old_at), event->new_at);
		if (event->has_old_state)
			hash ^= digest_state(&event->old_state, TIMES);
		if (event->has_new_state)
			hash += digest_state(&event->new_state, TIMES);
		sum += mix_number(hash, event->other == NULL ? 0 : event->other->id);
	}
	return sum;
}

/* A contact as text, for where something is wrong. */
static const char *
dump(const CiContact *contact, Depth depth)
{
	char	   *words[200];
	int			n = 0;
	StringInfoData line;

	initStringInfo(&line);
	appendStringInfo(&line, "%d", contact->state);
	if (contact->survivor != NULL)
		appendStringInfo(&line, " in " INT64_FORMAT, contact->survivor->id);
	if (contact->state == CI_MERGED)
		return line.data;
	for (const CiIdentifier *identifier = contact->identifiers;
		 identifier != NULL; identifier = identifier->next)
	{
		const CiIdentifierState *now = &identifier->now;

		if (now->parked && depth != TIMES)
			continue;
		words[n] = psprintf("%s:%s/%d%d%d%d/%s/%s", identifier->kind->name, identifier->value,
							now->primary, now->opted_in, now->parked, now->verified,
							or_none(now->given), or_none(now->source));
		if (depth == TIMES)
			words[n] = psprintf("%s/" INT64_FORMAT, words[n], now->updated_at);
		n++;
	}
	for (int i = 0; i < contact->attributes.count; i++)
	{
		const CiAttribute *attribute = &contact->attributes.items[i];

		words[n] = psprintf(".%s=%s/%s", attribute->name, or_none(attribute->json), attribute->source);
		if (depth == TIMES)
			words[n] = psprintf("%s/" INT64_FORMAT, words[n], attribute->at);
		n++;
	}
	for (const CiMember *member = contact->members; member != NULL; member = member->next)
		words[n++] = psprintf("list %d/%d/%s/" INT64_FORMAT, member->list_id, member->subscribed,
							  or_none(member->source), member->since);
	words[n++] = psprintf("blocks %d", contact->blocks);
	for (const CiConflict *conflict = contact->conflicts; depth > OWN && conflict != NULL;
		 conflict = conflict->next)
		words[n++] = psprintf("?%s:%s/%s/%s/%s/%d/%s/" INT64_FORMAT, conflict->field, conflict->value,
							  or_none(conflict->key), conflict->source,
							  conflict->owner == NULL ? "-" : psprintf(INT64_FORMAT, conflict->owner->id),
							  conflict->status, or_none(conflict->settled_by), conflict->given_at);
	for (const CiContact *before = contact->ended; depth > OWN && before != NULL;
		 before = before->next_ended)
		words[n++] = psprintf("<" INT64_FORMAT, before->id);
	qsort(words, n, sizeof(char *), compare_words);
	for (int i = 0; i < n; i++)
	{
		appendStringInfoChar(&line, ' ');
		appendStringInfoString(&line, words[i]);
	}
	return line.data;
}

static const char *
dump_world(Depth depth)
{
	StringInfoData text;

	initStringInfo(&text);
	for (const CiContact *contact = world->contacts; contact != NULL; contact = contact->next)
		appendStringInfo(&text, "[" INT64_FORMAT "] %s\n# ", contact->id, dump(contact, depth));
	return text.data;
}

/* An event as text, and those of the last request, sorted. */
static const char *
show_events(const CiEvent *after)
{
	char	   *words[500];
	int			n = 0;
	const CiEvent *event = after == NULL ? world->events : after->next;

	for (; event != NULL && n < lengthof(words); event = event->next)
		words[n++] = psprintf(INT64_FORMAT ":%s:%d:%s:%s%s>%s%s:" INT64_FORMAT ":" INT64_FORMAT ":%d%d%d:%s:"
							  INT64_FORMAT "\n# ",
							  event->contact->id, event->event, event->type, event->field,
							  or_none(event->old_value.text), or_none(event->old_value.json),
							  or_none(event->new_value.text), or_none(event->new_value.json),
							  event->old_at, event->new_at, event->new_state.primary,
							  event->new_state.opted_in, event->new_state.verified,
							  or_none(event->new_source), event->other == NULL ? 0 : event->other->id);
	return join_sorted("", words, n);
}

/* ---- RULES 9 and others, of the whole working set ---- */

static bool
same_place(const CiConflict *a, const CiConflict *b)
{
	return a->type == b->type && strcmp(a->field, b->field) == 0 &&
		(a->key == NULL) == (b->key == NULL) &&
		(a->key == NULL ? strcmp(a->source, b->source) == 0 :
		 strcmp(a->key, b->key) == 0 && strcmp(a->key_kind, b->key_kind) == 0);
}

static void
check_conflicts(const CiContact *contact)
{
	for (CiConflict *a = contact->conflicts; a != NULL; a = a->next)
	{
		if (a->status != CI_OPEN)
			continue;
		for (CiConflict *b = a->next; b != NULL; b = b->next)
			check(b->status != CI_OPEN || !same_place(a, b), ONE_OPEN, dump(contact, ALL));
		if (a->type == CI_FIELD_IDENTIFIER)
		{
			CiIdentifier *primary = ci_primary(contact, a->kind);

			check(primary == NULL || strcmp(primary->value, a->value) != 0, NOT_EQUAL, dump(contact, ALL));
		}
		else
		{
			CiAttribute *stored = ci_find_attribute(&contact->attributes, a->field);

			check(stored == NULL || stored->json == NULL ||
				  strcmp(stored->canonical, a->canonical) != 0, NOT_EQUAL, dump(contact, ALL));
		}
	}
}

static void
check_world(void)
{
	int			rows = 0;
	int			owned = 0;
	static const char *const all[][2] = {
		{"ext_id", "1"}, {"ext_id", "2"}, {"email", "a"}, {"email", "b"}, {"email", "c"},
		{"phone", "1"}, {"phone", "2"}, {"phone", "3"}, {"visitor", "v0"},
		{"visitor", "v1"}, {"visitor", "v2"}, {"push", "p0"}, {"push", "p1"}
	};

	for (int i = 0; i < lengthof(all); i++)
		owned += row(all[i][0], all[i][1])->contact != NULL;
	for (CiContact *contact = world->contacts; contact != NULL; contact = contact->next)
	{
		int			primaries[lengthof(kinds)] = {0};
		int			values[lengthof(kinds)] = {0};
		int			identifying = 0;
		bool		keys = false;

		for (CiIdentifier *identifier = contact->identifiers;
			 identifier != NULL; identifier = identifier->next)
		{
			rows++;
			check(identifier->now.contact == contact, ONE_OWNER, dump(contact, TIMES));
			check(contact->state < CI_MERGED, LIVE_OWNER, dump(contact, TIMES));
			values[identifier->kind - kinds]++;
			primaries[identifier->kind - kinds] += identifier->now.primary;
			identifying += identifier->kind->identifying;
			keys = keys || !identifier->kind->identifying;
			check(!identifier->kind->identifying || !keys, ONE_OWNER, "identifying ones come first");
		}
		for (int i = 0; i < lengthof(kinds); i++)
			check(primaries[i] == (kinds[i].identifying && values[i] > 0), ONE_PRIMARY, dump(contact, TIMES));
		if (contact->state == CI_MERGED)
			check(contact->survivor != NULL && contact->survivor->state < CI_MERGED, NO_CHAINS,
				  dump_world(ALL));
		else
			check((contact->state == CI_IDENTIFIED) == (identifying > 0), ANONYMOUS, dump(contact, TIMES));
		check_conflicts(contact);
	}
	check(rows == owned, ONE_OWNER, dump_world(TIMES));
}

/* ---- RULES 10.1: the history of a contact, replayed alone ---- */

static void
replay_value(CiContact *model, const char *kind, const char *value, const CiIdentifierState *now)
{
	CiIdentifier **link = &model->identifiers;

	while (*link != NULL && (strcmp((*link)->kind->name, kind) != 0 || strcmp((*link)->value, value) != 0))
		link = &(*link)->next;
	if (*link != NULL)
		*link = (*link)->next;
	if (now != NULL && !now->parked)
	{
		CiIdentifier *identifier = palloc0(sizeof(CiIdentifier));

		identifier->kind = kind_named(kind);
		identifier->value = value;
		identifier->now = *now;
		identifier->next = model->identifiers;
		model->identifiers = identifier;
	}
}

static void
replay_event(CiContact *model, const CiEvent *event)
{
	if (event->conflict != NULL)
		return;
	switch (event->type)
	{
		case CI_FIELD_CONTACT:
			if (strcmp(event->event, "merged") == 0)
				model->state = CI_MERGED;
			else if (event->new_value.text !=NULL)
				model->state = strcmp(event->new_value.text, "identified") == 0 ?
					CI_IDENTIFIED : CI_ANONYMOUS;
			if (strcmp(event->field, "survivor") == 0)
				model->survivor = unconstify(CiContact *, event->new_value.contact);
			break;
		case CI_FIELD_IDENTIFIER:
		case CI_FIELD_KEY:
			if (event->has_old_state && event->old_value.text !=NULL)
				replay_value(model, event->field, event->old_value.text, NULL);
			if (event->has_new_state && event->new_value.text !=NULL)
				replay_value(model, event->field, event->new_value.text, &event->new_state);
			break;
		case CI_FIELD_ATTRIBUTE:
			{
				CiAttribute *attribute = ci_find_attribute(&model->attributes, event->field);

				if (attribute == NULL)
					attribute = ci_add_attribute(&model->attributes, event->field);
				attribute->json = event->new_value.json;
				attribute->source = event->new_source;
				break;
			}
		case CI_FIELD_LIST:
			{
				int			list_id = atoi(event->field);
				CiMember   *member = ci_find_member(model, list_id);

				if (member == NULL)
				{
					member = palloc0(sizeof(CiMember));
					member->list_id = list_id;
					member->next = model->members;
					model->members = member;
				}
				member->subscribed = strcmp(event->new_value.json, "true") == 0;
				member->source = event->new_source;
				member->since = event->new_at;
				break;
			}
		case CI_FIELD_BLOCK:
			if (strcmp(event->new_value.json, "true") == 0)
				model->blocks |= channel_named(event->field);
			else
				model->blocks &= ~channel_named(event->field);
			break;
	}
}

static void
check_replay(void)
{
	for (CiContact *contact = world->contacts; contact != NULL; contact = contact->next)
	{
		CiContact  *model = palloc0(sizeof(CiContact));

		for (CiEvent *event = world->events; event != NULL; event = event->next)
		{
			if (event->contact == contact)
				replay_event(model, event);
		}
		check(digest(model, OWN) == digest(contact, OWN), REPLAY,
			  psprintf("replayed %s\n# present  %s", dump(model, OWN), dump(contact, OWN)));
	}
}

/* ---- One request, alone: with no more than what is loaded for it ---- */

static CiWorld *alone;
static int64 loaded_ids[100];	/* the contacts in it that are loaded whole */
static int	nloaded;

static bool
is_loaded(int64 contact_id)
{
	for (int i = 0; i < nloaded; i++)
	{
		if (loaded_ids[i] == contact_id)
			return true;
	}
	return false;
}

static CiContact *
copy_contact(const CiContact *contact)
{
	CiContact  *copy = ci_world_contact(alone, contact->id);

	if (copy != NULL)
		return copy;
	copy = ci_add_contact(alone, contact->id);
	copy->state = contact->state;
	copy->made = contact->made;
	copy->origin = contact->origin;
	copy->created_at = contact->created_at;
	copy->identified_at = contact->identified_at;
	copy->last_seen_at = contact->last_seen_at;
	for (int i = 0; i < contact->attributes.count; i++)
		*ci_add_attribute(&copy->attributes, contact->attributes.items[i].name) =
			contact->attributes.items[i];
	if (contact->survivor != NULL)
	{
		copy->survivor = copy_contact(contact->survivor);
		copy->next_ended = copy->survivor->ended;
		copy->survivor->ended = copy;
	}
	return copy;
}

static void
copy_identifier(const CiIdentifier *identifier)
{
	CiIdentifierState now = identifier->now;

	now.contact = copy_contact(identifier->now.contact);
	ci_load_identifier(alone, identifier->kind, identifier->value, &now);
}

/* What is loaded of a contact that a request means. */
static void
copy_rest(const CiContact *contact, bool all)
{
	CiContact  *copy = copy_contact(contact);

	if (is_loaded(contact->id))
		return;
	loaded_ids[nloaded++] = contact->id;
	for (const CiIdentifier *identifier = contact->identifiers;
		 identifier != NULL; identifier = identifier->next)
	{
		if (all || identifier->kind->identifying)
			copy_identifier(identifier);
	}
	for (const CiContact *before = contact->ended; all && before != NULL; before = before->next_ended)
		copy_contact(before);
	for (const CiMember *member = contact->members; member != NULL; member = member->next)
	{
		CiMember   *loaded = palloc(sizeof(CiMember));

		*loaded = *member;
		loaded->contact = copy;
		ci_load_member(alone, loaded);
	}
	copy->blocks = contact->blocks;
	for (const CiConflict *conflict = contact->conflicts; conflict != NULL; conflict = conflict->next)
	{
		CiConflict *loaded = palloc(sizeof(CiConflict));

		*loaded = *conflict;
		loaded->contact = copy;
		loaded->is_new = loaded->touched = loaded->moved = loaded->settled = false;
		loaded->id = conflict->id < 0 ? 1000 - conflict->id : conflict->id;
		if (conflict->owner != NULL)
			loaded->owner = copy_contact(conflict->owner);
		ci_load_conflict(alone, loaded);
	}
}

/* The contact that an id leads to, into the world of the request. */
static void
copy_named(int64 contact_id, bool all)
{
	CiContact  *contact = ci_world_contact(world, contact_id);

	if (contact == NULL)
		return;
	copy_contact(contact);
	if (contact->survivor != NULL)
		contact = contact->survivor;
	copy_rest(contact, all || contact->state == CI_ANONYMOUS);
}

static void
copy_owner(const CiIdentifier *identifier, bool plain)
{
	const CiContact *contact = identifier->now.contact;

	if (contact == NULL)
		return;
	if (!plain)
		copy_rest(contact, contact->state == CI_ANONYMOUS);
	copy_identifier(identifier);
}

/* The world of a request alone. */
static void
load_alone(const CiRequest *read)
{
	bool		plain = read->op <= CI_OP_CAPTURE && read->ngiven == 0 &&
		read->attributes.count == 0 && read->contact_id == 0;

	alone = ci_create_world(&config, world->clock);
	nloaded = 0;
	alone->new_contacts = world->new_contacts;
	alone->new_conflicts = world->new_conflicts;
	if (read->loser_id != 0)
		copy_named(read->loser_id, true);
	if (read->contact_id != 0)
		copy_named(read->contact_id, false);
	for (int i = 0; i < read->ngiven; i++)
		copy_owner(ci_world_identifier(world, read->given[i].kind, read->given[i].value), false);
	if (read->key != NULL)
		copy_owner(ci_world_identifier(world, read->key_kind, read->key), plain);
	ci_finish_load(alone);
}

/* ---- The sequences ---- */

static void
check_request(const char *line)
{
	CiRequest  *read = read_request(line);
	CiEvent    *last = world->last_event;
	int			n = world->ncontacts;
	int64		events_before = world->nevents;
	uint64		before = digest_world(TIMES);
	uint64	   *digests = palloc(sizeof(uint64) * (n + 1));
	CiState    *states = palloc(sizeof(CiState) * (n + 1));
	const char *got;
	uint64		got_events;
	CiWorld    *together = world;
	CiResult	first;
	CiContact  *contact;
	int			i;

	for (contact = world->contacts, i = 0; contact != NULL; contact = contact->next, i++)
	{
		digests[i] = digest(contact, ALL);
		states[i] = contact->state;
	}
	if (read->op != CI_OP_PROMOTE && read->op != CI_OP_DISMISS)
		load_alone(read);
	world->loaded_conflicts = NULL;
	for (contact = world->contacts; contact != NULL; contact = contact->next)
	{
		for (CiConflict *conflict = contact->conflicts; conflict != NULL; conflict = conflict->next)
		{
			conflict->next_loaded = world->loaded_conflicts;
			world->loaded_conflicts = conflict;
		}
	}

	got = play_request(read);
	first = result;
	appendStringInfo(&story, "\n# %s -> %s", line, got);
	if (read->error.code != CI_OK)
		found->refusals++;
	else
		found->outcomes[result.outcome]++;
	check_world();

	if (read->error.code != CI_OK)
		check(before == digest_world(TIMES) && world->nevents == events_before &&
			  result.contact == NULL, REFUSED, dump_world(TIMES));
	check(result.nevents == world->nevents - events_before, CHANGES_OF_HISTORY, "nevents");

	for (contact = world->contacts, i = 0; contact != NULL; contact = contact->next, i++)
	{
		bool		has_event = false;
		bool		changed = i >= n || digests[i] != digest(contact, ALL);

		for (CiEvent *event = last == NULL ? world->events : last->next; event != NULL; event = event->next)
			has_event = has_event || (event->contact == contact && !event->old_state.parked);
		check(!changed || has_event, HISTORY_OF_CHANGES, dump(contact, ALL));
		check(changed || !has_event, CHANGES_OF_HISTORY, dump(contact, ALL));
		if (i < n && read->op <= CI_OP_CAPTURE)
			check(states[i] != CI_IDENTIFIED || contact->state == CI_IDENTIFIED, SURVIVES, dump(contact, ALL));
	}
	if (read->op <= CI_OP_CAPTURE)
	{
		check(result.merged == NULL || result.contact->state == CI_IDENTIFIED, SURVIVES, got);
		for (CiMerge *merge = world->merges; merge != NULL; merge = merge->next)
			check(merge->request->op == CI_OP_MERGE || merge->ended_state == CI_ANONYMOUS, NEVER_TWO, got);
	}

	/* Alone it does the same. */
	if (read->op != CI_OP_PROMOTE && read->op != CI_OP_DISMISS)
	{
		const char *again;

		got_events = digest_events(last);
		world = alone;
		again = play_request(read_request(line));
		check(strcmp(got, again) == 0 && got_events == digest_events(NULL), BATCH,
			  psprintf("alone: %s\n# %s", again, show_events(NULL)));
		world = together;
	}

	/*
	 * [4.16], but what a value of the merged contact overruled [4.9] is asked
	 * about the second time, when there is nobody to be merged any more.
	 */
	if (upto(2) == 0 && !(first.merged != NULL && first.nignored > 0 &&
						  read->occurred_at != CI_NO_TIME && read->source->primary_wins))
	{
		uint64		after = digest_world(TIMES);

		/* A time in the future would count as another now. */
		if (upto(2) == 0 && read->occurred_at < world->clock)
			world->clock += upto(3);
		got = play_request(read_request(line));
		if (first.contact == NULL && first.nevents == 0)
			check(result.nevents == 0, AGAIN, got);
		else if (read->op == CI_OP_PROMOTE || read->op == CI_OP_DISMISS)
			check(request->error.code == CI_STATE, AGAIN, got);
		else
			check(request->error.code == CI_OK && result.outcome == CI_OUTCOME_UNCHANGED &&
				  result.nevents == 0 &&
				  (result.contact == first.contact || read->op == CI_OP_LOGOUT), AGAIN, got);
		check(after == digest_world(TIMES), AGAIN, dump_world(TIMES));
	}
}

/* RULES 4.10: the same values in another order. */
static void
check_order(void)
{
	const char *calls[6];
	const char *expected = NULL;

	for (int i = 0; i < lengthof(calls); i++)
	{
		const char *line = i == 0 || upto(3) == 0 ? "identify push key=p1 ext_id=1" :
			upto(2) == 0 ? "identify push ext_id=1" : "identify push key=p1";

		for (int n = 1 + upto(2); n > 0; n--)
			line = psprintf("%s .%c=%s", line, "xyz"[n], upto(4) == 0 ? "null" : psprintf("%d", upto(3)));
		if (strstr(line, "ext_id") != NULL && upto(2) == 0)
			line = psprintf("%s email=%c", line, "abc"[upto(3)]);
		calls[i] = psprintf("%s at=%d", line, 10 * (1 + upto(20)) + i);
	}
	for (int round = 0; round < 3; round++)
	{
		const char *now;

		resetStringInfo(&story);
		start();
		for (int i = 0; i < lengthof(calls); i++)
		{
			int			other = i + upto(lengthof(calls) - i);
			const char *swap = calls[i];

			calls[i] = calls[other];
			calls[other] = swap;
			play(calls[i]);
			appendStringInfo(&story, "\n# %s", calls[i]);
		}
		now = "";
		for (CiContact *contact = world->contacts; contact != NULL; contact = contact->next)
		{
			char	   *words[4];
			int			n = 0;

			if (contact->state == CI_MERGED)
				continue;
			for (int i = 0; i < contact->attributes.count; i++)
			{
				const CiAttribute *item = &contact->attributes.items[i];

				words[n++] = psprintf("%s=%s@" INT64_FORMAT, item->name, or_none(item->json), item->at);
			}
			if (ci_primary(contact, kind_named("email")) != NULL)
				words[n++] = psprintf("email=%s", ci_primary(contact, kind_named("email"))->value);
			now = join_sorted(join(now, "contact"), words, n);
		}
		if (expected == NULL)
			expected = now;
		check(strcmp(expected, now) == 0, ORDER, psprintf("%s, else %s", expected, now));
	}
}

#ifndef CI_FUZZ
static void
play_share(int share, int sequences)
{
	initStringInfo(&story);
	state = 4711 + share;
	for (int i = 0; i < sequences; i++)
	{
		resetStringInfo(&story);
		start();
		world->clock = NOW + upto(100);
		for (int j = 0; j < REQUESTS; j++)
		{
			const char *line;

			do
				line = random_request();
			while (!is_well_formed(line));
			check_request(line);
			world->clock += upto(3) == 0 ? upto(100) : 0;
		}
		check_replay();
		check_order();
	}
}

int
main(int argc, char **argv)
{
	int			sequences = argc > 1 ? atoi(argv[1]) : SEQUENCES;
	bool		ended = true;

	found = mmap(NULL, sizeof(Findings) * PROCESSES, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (found == MAP_FAILED)
		return 2;
	fflush(stdout);
	for (int share = 0; share < PROCESSES; share++, found++)
	{
		if (fork() == 0)
		{
			play_share(share, sequences / PROCESSES);
			_exit(0);
		}
	}
	found -= PROCESSES;
	for (int share = 0; share < PROCESSES; share++)
	{
		int			status;

		ended = wait(&status) > 0 && status == 0 && ended;
	}
	ok(ended, "[9] every sequence was played to its end");
	for (int promise = 0; promise < PROMISES; promise++)
	{
		int			count = 0;
		const char *first = "";

		for (int share = 0; share < PROCESSES; share++)
		{
			if (count == 0)
				first = found[share].first[promise];
			count += found[share].count[promise];
		}
		ok(count == 0, promises[promise]);
		if (count > 0)
			printf("# %d times, first:%s\n", count, first);
	}
	for (int outcome = 0; outcome <= CI_OUTCOME_UNCHANGED; outcome++)
	{
		int			count = 0;

		for (int share = 0; share < PROCESSES; share++)
			count += found[share].outcomes[outcome];
		ok(count > sequences / 100, psprintf("[4.17] there were %s", ci_outcome_name(outcome)));
	}
	return done();
}
#endif
