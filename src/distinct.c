/*-------------------------------------------------------------------------
 *
 * distinct.c
 *	  RULES 10.4: contacts that are different people.
 *
 * Pure C, as resolver.c.  A pair names two contacts as they are; when one of
 * them ends in a merge, its survivor gets the pair too, and loses it when the
 * merge is undone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "resolver.h"

/* What happened to a pair, in the history of both. */
void
ci_pair_event(CiWorld *world, const CiPair *pair, const char *name)
{
	CiContact  *sides[] = {pair->contact, pair->other};

	for (int i = 0; i < 2; i++)
	{
		CiEvent    *event = ci_add_event(world, sides[i], name, CI_FIELD_CONTACT, "distinct");

		if (pair->gone)
			event->old_value.contact = sides[1 - i];
		else
			event->new_value.contact = sides[1 - i];
		event->other = sides[1 - i];
	}
}

/* From whom the ended contact of a merge is distinct, the survivor is. */
void
ci_follow_pairs(CiWorld *world, CiMerge *merge)
{
	for (CiPair *pair = world->pairs; pair != NULL; pair = pair->next)
	{
		CiContact  *other = pair->contact == merge->ended ? pair->other :
			pair->other == merge->ended ? pair->contact : NULL;
		CiPair	   *followed;

		if (other == NULL || pair->gone || other == merge->survivor ||
			(other->state != CI_ANONYMOUS && other->state != CI_IDENTIFIED) ||
			ci_is_distinct(world, merge->survivor, other))
			continue;
		followed = ci_add_pair(world, merge->survivor, other);
		followed->is_new = true;
		followed->merge = merge;
		ci_pair_event(world, followed, "set_distinct");
	}
}

/* Whether a contact is another or has ended in it. */
static bool
leads_to(const CiContact *contact, const CiContact *live)
{
	return contact == live || (contact->state == CI_MERGED && contact->survivor == live);
}

/* [10.4] set_distinct(a, b, agent, lifted) */
bool
ci_set_distinct(CiWorld *world, CiRequest *request, CiResult *result)
{
	CiContact  *contact;
	CiContact  *other;
	CiPair	   *pair;

	if (request->actor == NULL || request->actor[0] == '\0')
		return ci_fail_request(request, CI_INVALID, "an agent's name is needed", NULL,
							   "Say in \"agent\" who knows that they are different people.");
	contact = ci_require_contact(world, request, request->contact_id);
	other = contact == NULL ? NULL : ci_require_contact(world, request, request->loser_id);
	if (other == NULL)
		return false;
	if (contact == other)
		return ci_fail_request(request, CI_STATE, "the contacts are one", NULL,
							   "Undo their merge first, with unmerge().");
	ci_set_request_time(world, request, CI_NO_TIME);
	result->contact = contact;
	if (request->lifted)
	{
		for (pair = world->pairs; pair != NULL; pair = pair->next)
		{
			bool		live = (pair->contact == contact && pair->other == other) ||
				(pair->contact == other && pair->other == contact);

			if (pair->gone ||
				!((leads_to(pair->contact, contact) && leads_to(pair->other, other)) ||
				  (leads_to(pair->contact, other) && leads_to(pair->other, contact))))
				continue;
			pair->gone = true;
			if (live)
				ci_pair_event(world, pair, "distinct_lifted");
		}
	}
	else if (!ci_is_distinct(world, contact, other))
	{
		pair = ci_add_pair(world, contact, other);
		pair->is_new = true;
		ci_pair_event(world, pair, "set_distinct");
	}
	if (result->nevents > 0)
		result->outcome = CI_OUTCOME_UPDATED;
	return true;
}
