/*-------------------------------------------------------------------------
 *
 * resolver.c
 *	  RULES 3 to 6 and 9 for worlds and requests that bytes decide.
 *
 * What must hold is in test_resolver_random.c, whose every decision takes a
 * byte here.  Half of the inputs first lay out contacts as the tables could
 * have them; the others begin with none, so that history must explain all.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"

#define CI_FUZZ

static int	upto(int n);
static int64 some_contact(void);
static int64 some_conflict(void);

#include "../host/test_resolver_random.c"

#define MAX_CONTACTS	5		/* laid out */
#define MAX_CONFLICTS	4
#define MAX_REQUESTS	20

static const uint8 *left;		/* of the input */
static const uint8 *end;
static int64 ncontacts;			/* laid out: their ids begin with 1 */
static int64 nconflicts;

/* Where nothing is left, the first of everything. */
static int
upto(int n)
{
	return left < end ? *left++ % n : 0;
}

static int64
some_contact(void)
{
	int			some = upto((int) ncontacts + world->ncontacts + 1);

	return some < ncontacts ? 1 + some : -1 - (some - ncontacts);
}

static int64
some_conflict(void)
{
	int			some = upto((int) (nconflicts + world->new_conflicts + 1));

	return some < nconflicts ? 1 + some : -1 - (some - nconflicts);
}

static int
some_time(void)
{
	return 1 + 5 * upto(200);
}

/* Contacts, whose values are those that random requests give. */
static void
lay_out(void)
{
	static const char *const values[][2] = {
		{"ext_id", "1"}, {"ext_id", "2"}, {"email", "a"}, {"email", "b"}, {"email", "c"},
		{"phone", "1"}, {"phone", "2"}, {"phone", "3"}, {"visitor", "v0"},
		{"visitor", "v1"}, {"visitor", "v2"}, {"push", "p0"}, {"push", "p1"}
	};
	static const char *const attributes[] = {"1", "2", "1.0", "null"};
	static const char *const blocks[] = {" !email", " !sms", " !push"};
	const char *words[MAX_CONTACTS];
	bool		identified[MAX_CONTACTS] = {0};
	int			survivors[MAX_CONTACTS];
	CiContact  *laid[MAX_CONTACTS];

	ncontacts = 1 + upto(MAX_CONTACTS);
	for (int i = 0; i < ncontacts; i++)
	{
		words[i] = "";
		/* The survivor of an ended one is before it, and live. */
		survivors[i] = i == 0 || upto(5) > 0 ? i : survivors[upto(i)];
	}
	for (int i = 0; i < lengthof(values); i++)
	{
		int			owner = upto((int) ncontacts + 2);
		const CiKind *kind = kind_named(values[i][0]);
		const char *flag;

		if (owner >= ncontacts)
			continue;
		owner = survivors[owner];
		flag = upto(4) > 0 ? "" : kind->channel != CI_CHANNEL_PUSH ? "/verified" :
			upto(2) == 0 ? "/out" : "/parked";
		words[owner] = psprintf("%s %s%s%s@%d%s", words[owner], kind->name,
								kind->identifying && strstr(words[owner], psprintf(" %s=", kind->name)) != NULL ? "~" : "=",
								values[i][1], some_time(), flag);
		identified[owner] = identified[owner] || kind->identifying;
	}
	for (int i = 0; i < ncontacts; i++)
	{
		if (survivors[i] != i)
		{
			laid[i] = have(psprintf("%d merged in=%d", i + 1, survivors[i] + 1));
			continue;
		}
		for (char name = 'x'; name <= 'y'; name++)
		{
			if (upto(2) == 0)
				words[i] = psprintf("%s .%c=%s@%d", words[i], name, ONE_OF(attributes), some_time());
		}
		if (upto(3) == 0)
			words[i] = psprintf("%s %c1@%d", words[i], upto(2) == 0 ? '+' : '-', some_time());
		if (upto(4) == 0)
			words[i] = psprintf("%s%s", words[i], ONE_OF(blocks));
		laid[i] = have(psprintf("%d %s%s", i + 1, identified[i] ? "identified" : "anonymous", words[i]));
	}

	nconflicts = upto(MAX_CONFLICTS + 1);
	for (int i = 0; i < nconflicts; i++)
	{
		static const char *const fields[] = {"email:a", "email:b", "phone:1", "phone:2", ".x:1", ".x:2", ".y:1"};
		CiContact  *contact = laid[survivors[upto((int) ncontacts)]];
		CiConflict *conflict = have_conflict(psprintf("%d " INT64_FORMAT " %s visitor=v%d@%d", i + 1, contact->id,
													  ONE_OF(fields), upto(3), some_time()), CI_OPEN);
		bool		open = contact->state == CI_IDENTIFIED && upto(3) > 0;

		for (CiConflict *other = contact->conflicts; other != NULL; other = other->next)
			open = open && (other == conflict || other->status != CI_OPEN || !same_place(other, conflict));
		if (conflict->type == CI_FIELD_ATTRIBUTE)
		{
			CiAttribute *stored = ci_find_attribute(&contact->attributes, conflict->field);

			open = open && (stored == NULL || stored->json == NULL ||
							strcmp(stored->canonical, conflict->canonical) != 0);
		}
		else
		{
			CiIdentifier *primary = ci_primary(contact, conflict->kind);

			open = open && (primary == NULL || strcmp(primary->value, conflict->value) != 0);
		}
		if (!open)
		{
			conflict->status = upto(2) == 0 ? CI_DISMISSED : CI_OBSOLETE;
			conflict->settled_by = "Eva";
		}
	}
}

static void
play_requests(void)
{
	for (int i = 0; i < MAX_REQUESTS && left < end; i++)
	{
		const char *line;

		do
			line = random_request();
		while (!is_well_formed(line));
		check_request(line);
		world->clock += upto(3) == 0 ? upto(100) : 0;
	}
}

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t size)
{
	static Findings findings;

	memset(&findings, 0, sizeof(findings));
	found = &findings;
	left = data;
	end = data + size;
	ncontacts = nconflicts = 0;
	initStringInfo(&story);
	switch (upto(4))
	{
		case 0:
		case 1:
			start();
			world->clock = NOW + upto(100);
			play_requests();
			check_replay();
			break;
		case 2:
			start();
			world->clock = NOW + upto(100);
			lay_out();
			ci_finish_load(world);
			loading = false;
			appendStringInfo(&story, "\n# %s", dump_world(TIMES));
			check_world();
			play_requests();
			break;
		case 3:
			check_order();
			break;
	}
	for (int i = 0; i < PROMISES; i++)
	{
		if (findings.count[i] > 0)
			fprintf(stderr, "%s\n", findings.first[i]);
		promise(findings.count[i] == 0, promises[i]);
	}
	free_all();
	return 0;
}
