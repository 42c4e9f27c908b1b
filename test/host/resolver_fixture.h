/*-------------------------------------------------------------------------
 *
 * resolver_fixture.h
 *	  A small language in which the tests of RULES 1 to 6 and 9 are written.
 *
 * A test lays out contacts, plays requests and compares what came of it with
 * a line of text that the rules dictate:
 *
 *		start();
 *		have("1 identified email=ann@10 visitor=v1@10 .city=\"Ulm\"@10");
 *		is("[4.3] the other is kept beside it",
 *		   play("identify conversations key=v1 email=bob"),
 *		   "updated 1 conflicts email:bob");
 *		is("[4.3] and the primary stays", contact(1), "identified ...");
 *
 * Contacts, as laid out and as shown, are words:
 *		email=ann	primary or key		email~ann	alias		.city="Ulm"	attribute
 *		+1 -2		on list 1, unsubscribed from list 2		!email	blocked
 *		?email:bob	an open conflict (shown only)
 * with @TIME behind a value that is laid out, and /verified, /out (a push key
 * that is opted out) or /parked behind that.
 *
 * Requests are a verb, for some a source, and words: key=, via=, KIND=VALUE,
 * .NAME=JSON, at=TIME, contact=, loser=, conflict=, by=AGENT, list=, channel=,
 * verified, newer, confirmed.  Values hold no white space and no '@'.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RESOLVER_FIXTURE_H
#define RESOLVER_FIXTURE_H

#include "postgres_fe.h"

#include "resolver.h"

#define NOW		1000			/* the clock of a new world */
#define SEEN_INTERVAL	100

static int	tests = 0;
static int	failures = 0;

static CiKind kinds[] = {
	{.name = "ext_id",.identifying = true,.strength = 1},
	{.name = "email",.identifying = true,.strength = 2,.channel = CI_CHANNEL_EMAIL},
	{.name = "phone",.identifying = true,.strength = 3,.channel = CI_CHANNEL_SMS},
	{.name = "whatsapp",.identifying = true,.strength = 4,.channel = CI_CHANNEL_WHATSAPP},
	{.name = "landline",.identifying = true,.strength = 5},
	{.name = "visitor"},
	{.name = "facebook"},
	{.name = "instagram"},
	{.name = "whatsapp_chat"},
	{.name = "push",.channel = CI_CHANNEL_PUSH},
};

#define VISITOR		(&kinds[5])
#define FACEBOOK	(&kinds[6])
#define INSTAGRAM	(&kinds[7])
#define PUSH		(&kinds[9])

static CiVia conversations_vias[] = {
	{"contact_form", VISITOR},
	{"chat", VISITOR},
	{"facebook", FACEBOOK},
	{"instagram", INSTAGRAM},
};

/* The four of RULES 0, and one that both keeps primaries and moves (4.4). */
static CiSource sources[] = {
	{
		.name = "conversations",.enabled = true,.key_kind = VISITOR,
		.vias = conversations_vias,.nvias = lengthof(conversations_vias),
		.makes = CI_CLASS_CONVERSATIONS,.primary_wins = true,
		.other = CI_OTHER_CONFLICT,.claims = true,.default_list = 1
	},
	{
		.name = "push",.enabled = true,.key_kind = PUSH,.makes = CI_CLASS_PUSH,
		.other = CI_OTHER_MOVE
	},
	{.name = "shop",.enabled = true,.other = CI_OTHER_MOVE},
	{.name = "api",.enabled = true,.other = CI_OTHER_REFUSE},
	{
		.name = "keeper",.enabled = true,.key_kind = VISITOR,.primary_wins = true,
		.other = CI_OTHER_MOVE
	},
};

static CiConfig config = {
	.account_id = 1,
	.seen_interval = SEEN_INTERVAL,
	.kinds = kinds,
	.nkinds = lengthof(kinds),
	.sources = sources,
	.nsources = lengthof(sources)
};

static CiWorld *world;
static bool loading;
static CiRequest *request;		/* the last one played */
static CiResult result;
static CiEvent *before_request; /* the last event before it */

/* What is found where there is nothing, so that a test fails and goes on. */
static CiContact nobody;
static CiEvent no_event = {
	.event = "none",.contact = &nobody,.other = &nobody,
	.old_value = {"none", "none", &nobody},.new_value = {"none", "none", &nobody},
	.old_source = "none",.new_source = "none"
};
static CiAttribute no_attribute = {.name = "none",.json = "none",.source = "none"};
static CiConflict no_conflict = {
	.contact = &nobody,.owner = &nobody,.field = "none",.value = "none",.given = "none",
	.source = "none",.via = "none",.key_kind = "none",.key = "none"
};
static CiMerge no_merge = {.survivor = &nobody,.ended = &nobody};

/* ---- TAP ---- */

static inline void
ok(bool good, const char *text)
{
	tests++;
	if (!good)
		failures++;
	printf("%sok %d - %s\n", good ? "" : "not ", tests, text);
	fflush(stdout);
}

static inline void
is(const char *text, const char *got, const char *expected)
{
	bool		good = got != NULL && strcmp(got, expected) == 0;

	ok(good, text);
	if (!good)
		printf("#      got: %s\n# expected: %s\n", got == NULL ? "none" : got, expected);
}

static inline void
is_number(const char *text, int64 got, int64 expected)
{
	is(text, psprintf(INT64_FORMAT, got), psprintf(INT64_FORMAT, expected));
}

static inline int
done(void)
{
	printf("1..%d\n", tests);
	return failures == 0 ? 0 : 1;
}

/* ---- Laying out ---- */

/* The next word of a line, or NULL. */
static inline char *
next_word(const char **line)
{
	const char *start = *line + strspn(*line, " ");
	Size		length = strcspn(start, " ");

	*line = start + length;
	return length == 0 ? NULL : pnstrdup(start, length);
}

/* Cuts a word at the first of a character; what follows, or NULL. */
static inline char *
cut(char *word, char at)
{
	char	   *rest = strchr(word, at);

	if (rest == NULL)
		return NULL;
	*rest = '\0';
	return rest + 1;
}

static inline const CiKind *
kind_named(const char *name)
{
	const CiKind *kind = ci_find_kind(&config, name);

	if (kind == NULL)
	{
		printf("Bail out! no kind %s\n", name);
		exit(2);
	}
	return kind;
}

static inline CiChannel
channel_named(const char *name)
{
	for (int channel = CI_CHANNEL_EMAIL; channel <= CI_CHANNEL_PUSH; channel <<= 1)
	{
		if (strcmp(ci_channel_name(channel), name) == 0)
			return channel;
	}
	return CI_CHANNEL_NONE;
}

/* What jsonb would find equal: here, 1.0 equals 1. */
static inline const char *
canonical(const char *json)
{
	return json != NULL && strcmp(json, "1.0") == 0 ? "1" : json;
}

static inline const char *
json_or_null(const char *json)
{
	return strcmp(json, "null") == 0 ? NULL : json;
}

static inline void
start(void)
{
	world = ci_create_world(&config, NOW);
	loading = true;
}

/* A contact as the tables have it: "ID STATE WORDS". */
static inline CiContact *
have(const char *line)
{
	CiContact  *contact = ci_add_contact(world, atoll(next_word(&line)));
	char	   *word = next_word(&line);

	contact->state = strcmp(word, "identified") == 0 ? CI_IDENTIFIED :
		strcmp(word, "anonymous") == 0 ? CI_ANONYMOUS :
		strcmp(word, "erased") == 0 ? CI_ERASED : CI_MERGED;
	contact->made = CI_CLASS_CONVERSATIONS;
	contact->origin = "conversations";
	contact->created_at = 1;
	contact->identified_at = contact->state == CI_IDENTIFIED ? 1 : CI_NO_TIME;
	contact->last_seen_at = NOW;
	while ((word = next_word(&line)) != NULL)
	{
		CiIdentifierState state = {.contact = contact,.source = "shop"};
		char	   *flag = word[0] == '.' ? NULL : cut(word, '/');
		char	   *time = cut(word, '@');
		char	   *value;
		CiTime		at = time == NULL ? 1 : atoll(time);

		if (word[0] == '.')
		{
			CiAttribute *attribute;

			value = cut(word, '=');
			attribute = ci_add_attribute(&contact->attributes, word + 1);
			attribute->json = json_or_null(value);
			attribute->canonical = canonical(attribute->json);
			attribute->at = at;
			attribute->source = "shop";
		}
		else if (word[0] == '+' || word[0] == '-')
		{
			CiMember   *member = palloc0(sizeof(CiMember));

			member->contact = contact;
			member->list_id = atoi(word + 1);
			member->subscribed = word[0] == '+';
			member->since = at;
			ci_load_member(world, member);
		}
		else if (word[0] == '!')
			contact->blocks |= channel_named(word + 1);
		else if (strncmp(word, "in=", 3) == 0)
		{
			/* of an ended contact: its survivor */
			contact->survivor = ci_world_contact(world, atoll(word + 3));
			contact->next_ended = contact->survivor->ended;
			contact->survivor->ended = contact;
		}
		else
		{
			const CiKind *kind;

			state.primary = (value = cut(word, '~')) == NULL;
			if (value == NULL)
				value = cut(word, '=');
			kind = kind_named(word);
			state.primary = state.primary && kind->identifying;
			state.given = kind->identifying ? value : NULL;
			state.updated_at = at;
			state.verified = flag != NULL && strcmp(flag, "verified") == 0;
			state.parked = flag != NULL && strcmp(flag, "parked") == 0;
			state.opted_in = kind->channel == CI_CHANNEL_PUSH &&
				(flag == NULL || (strcmp(flag, "out") != 0 && !state.parked));
			ci_load_identifier(world, kind, value, &state);
		}
	}
	return contact;
}

/* An open conflict as the tables have it: "ID CONTACT FIELD:VALUE KEYKIND=KEY@TIME". */
static inline CiConflict *
have_conflict(const char *line, CiStatus status)
{
	CiConflict *conflict = palloc0(sizeof(CiConflict));
	char	   *word;
	char	   *time;

	conflict->id = atoll(next_word(&line));
	conflict->contact = ci_world_contact(world, atoll(next_word(&line)));
	word = next_word(&line);
	conflict->value = cut(word, ':');
	conflict->canonical = canonical(conflict->value);
	if (word[0] == '.')
	{
		conflict->type = CI_FIELD_ATTRIBUTE;
		conflict->field = word + 1;
	}
	else
	{
		conflict->type = CI_FIELD_IDENTIFIER;
		conflict->kind = kind_named(word);
		conflict->field = word;
		conflict->given = conflict->value;
	}
	word = next_word(&line);
	time = cut(word, '@');
	conflict->given_at = time == NULL ? 1 : atoll(time);
	conflict->key = cut(word, '=');
	conflict->key_kind = word;
	conflict->source = "conversations";
	conflict->status = status;
	ci_load_conflict(world, conflict);
	conflict->next_loaded = world->loaded_conflicts;
	world->loaded_conflicts = conflict;
	return conflict;
}

/* ---- Showing ---- */

static inline const char *
join(const char *line, const char *word)
{
	return line[0] == '\0' ? word : psprintf("%s %s", line, word);
}

static int
compare_words(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Adds words in their order, so that what is shown does not depend on chains. */
static inline const char *
join_sorted(const char *line, char **words, int count)
{
	if (count > 1)
		qsort(words, count, sizeof(char *), compare_words);
	for (int i = 0; i < count; i++)
		line = join(line, words[i]);
	return line;
}

static inline const char *
show_contact(const CiContact *contact)
{
	static const char *const states[] = {"anonymous", "identified", "merged", "erased"};
	const char *line = states[contact->state];
	static char *words[100000];
	int			count;

	if (contact->state == CI_MERGED)
		return psprintf("merged in " INT64_FORMAT, contact->survivor->id);
	for (int i = 0; i < config.nkinds; i++)
	{
		count = 0;
		for (const CiIdentifier *identifier = contact->identifiers;
			 identifier != NULL; identifier = identifier->next)
		{
			if (identifier->kind != &kinds[i])
				continue;
			words[count++] = psprintf("%s%s%s%s%s", identifier->kind->name,
									  identifier->kind->identifying &&
									  !identifier->now.primary ? "~" : "=",
									  identifier->value,
									  identifier->now.verified ? "/verified" : "",
									  identifier->now.parked ? "/parked" :
									  identifier->kind->channel == CI_CHANNEL_PUSH &&
									  !identifier->now.opted_in ? "/out" : "");
		}
		line = join_sorted(line, words, count);
	}
	count = 0;
	for (int i = 0; i < contact->attributes.count; i++)
	{
		const CiAttribute *attribute = &contact->attributes.items[i];

		words[count++] = psprintf(".%s=%s", attribute->name,
								  attribute->json == NULL ? "null" : attribute->json);
	}
	line = join_sorted(line, words, count);
	count = 0;
	for (const CiMember *member = contact->members; member != NULL; member = member->next)
		words[count++] = psprintf("%c%d", member->subscribed ? '+' : '-', member->list_id);
	line = join_sorted(line, words, count);
	for (int channel = CI_CHANNEL_EMAIL; channel <= CI_CHANNEL_PUSH; channel <<= 1)
	{
		if (contact->blocks & channel)
			line = join(line, psprintf("!%s", ci_channel_name(channel)));
	}
	count = 0;
	for (const CiConflict *conflict = contact->conflicts; conflict != NULL; conflict = conflict->next)
	{
		if (conflict->status == CI_OPEN)
			words[count++] = psprintf("?%s:%s", conflict->field, conflict->value);
	}
	return join_sorted(line, words, count);
}

static inline const char *
contact(int64 id)
{
	CiContact  *shown = ci_world_contact(world, id);

	return shown == NULL ? "none" : show_contact(shown);
}

static inline const char *
show_result(void)
{
	static const char *const codes[] = {
		"00000", "22023", "23505", "P0002", "55000", "54000", "0A000", "42501", "40001"
	};
	const char *line;
	char	  **words = palloc(sizeof(char *) * Max(1, result.nconflicts));

	if (request->error.code != CI_OK)
		return codes[request->error.code];
	line = ci_outcome_name(result.outcome);
	if (result.contact != NULL)
		line = psprintf("%s " INT64_FORMAT, line, result.contact->id);
	if (result.merged != NULL)
		line = psprintf("%s merged " INT64_FORMAT, line, result.merged->id);
	for (int i = 0; i < result.nconflicts; i++)
		words[i] = psprintf("%s:%s", result.conflicts[i]->field, result.conflicts[i]->value);
	if (result.nconflicts > 0)
		line = join_sorted(join(line, "conflicts"), words, result.nconflicts);
	for (int i = 0; i < result.nignored; i++)
		line = psprintf("%s %s", i == 0 ? join(line, "ignored") : line, result.ignored[i]);
	return line;
}

/* The events of the last request: "CONTACT:NAME ...". */
static inline const char *
events(void)
{
	const char *line = "";

	for (CiEvent *event = before_request == NULL ? world->events : before_request->next;
		 event != NULL; event = event->next)
		line = join(line, psprintf(INT64_FORMAT ":%s", event->contact->id, event->event));
	return line;
}

/* The first event of that name of the last request. */
static inline CiEvent *
find_event(const char *name)
{
	CiEvent    *event = before_request == NULL ? world->events : before_request->next;

	while (event != NULL && strcmp(event->event, name) != 0)
		event = event->next;
	return event == NULL ? &no_event : event;
}

static inline CiIdentifierState *
row(const char *kind, const char *value)
{
	return &ci_world_identifier(world, kind_named(kind), value)->now;
}

static inline CiAttribute *
attribute(int64 id, const char *name)
{
	CiAttribute *found = ci_find_attribute(&ci_world_contact(world, id)->attributes, name);

	return found == NULL ? &no_attribute : found;
}

static inline CiConflict *
conflict_of(int64 id, const char *field, const char *value)
{
	CiConflict *conflict = ci_world_contact(world, id)->conflicts;

	while (conflict != NULL &&
		   (strcmp(conflict->field, field) != 0 || strcmp(conflict->value, value) != 0))
		conflict = conflict->next;
	return conflict == NULL ? &no_conflict : conflict;
}

static inline CiMerge *
first_merge(void)
{
	return world->merges == NULL ? &no_merge : world->merges;
}

/* Whom the last request meant, or 0. */
static inline int64
meant(void)
{
	return result.contact == NULL ? 0 : result.contact->id;
}

/* ---- Playing ---- */

static inline CiRequest *
read_request(const char *line)
{
	static const char *const verbs[] = {
		"identify", "capture", "subscribe", "unsubscribe", "logout", "promote",
		"dismiss", "merge", "block", "unblock", "add", "remove"
	};
	CiRequest  *read = palloc0(sizeof(CiRequest));
	const char *values[lengthof(kinds)] = {0};
	char	   *word = next_word(&line);

	read->given = palloc(sizeof(CiGiven) * lengthof(kinds));
	read->occurred_at = CI_NO_TIME;
	while (strcmp(verbs[read->op], word) != 0)
		read->op++;
	if (read->op <= CI_OP_LOGOUT)
	{
		read->source = ci_find_source(&config, next_word(&line));
		read->key_kind = read->source->key_kind;
	}
	while ((word = next_word(&line)) != NULL)
	{
		char	   *value = cut(word, '=');

		if (word[0] == '.')
		{
			CiAttribute *given = ci_add_attribute(&read->attributes, word + 1);

			given->json = json_or_null(value);
			given->canonical = canonical(given->json);
		}
		else if (strcmp(word, "key") == 0)
			read->key = value;
		else if (strcmp(word, "via") == 0)
		{
			read->via = value;
			for (int i = 0; i < read->source->nvias; i++)
			{
				if (strcmp(read->source->vias[i].name, value) == 0)
					read->key_kind = read->source->vias[i].kind;
			}
		}
		else if (strcmp(word, "at") == 0)
			read->occurred_at = atoll(value);
		else if (strcmp(word, "contact") == 0)
			read->contact_id = atoll(value);
		else if (strcmp(word, "loser") == 0)
			read->loser_id = atoll(value);
		else if (strcmp(word, "conflict") == 0)
			read->conflict_id = atoll(value);
		else if (strcmp(word, "by") == 0)
			read->actor = value;
		else if (strcmp(word, "list") == 0)
			read->list_id = atoi(value);
		else if (strcmp(word, "channel") == 0)
			read->channel = channel_named(value);
		else if (strcmp(word, "verified") == 0)
			read->verified = true;
		else if (strcmp(word, "newer") == 0)
			read->newer_wins = true;
		else if (strcmp(word, "confirmed") == 0)
			read->confirmed = true;
		else
			values[kind_named(word) - kinds] = value;
	}
	for (int i = 0; i < lengthof(kinds); i++)
	{
		if (values[i] != NULL)
			read->given[read->ngiven++] = (CiGiven)
		{
			&kinds[i], values[i], values[i]
		};
	}
	return read;
}

/* Plays a request and shows its result. */
static inline const char *
play_request(CiRequest *read)
{
	if (loading)
		ci_finish_load(world);
	loading = false;
	request = read;
	before_request = world->last_event;
	ci_resolve_request(world, request, &result);
	ci_complete_error(request);
	return show_result();
}

static inline const char *
play(const char *line)
{
	return play_request(read_request(line));
}

/* A later transaction. */
static inline void
clock_is(CiTime clock)
{
	world->clock = clock;
}

#endif							/* RESOLVER_FIXTURE_H */
