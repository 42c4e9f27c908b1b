/*-------------------------------------------------------------------------
 *
 * test_resolver_merge.c
 *	  RULES 5 and 6 without a server: conflicts and merges.  Prints TAP.
 *
 * What is expected comes from the rules, never from what the code answered.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include <time.h>

#include "resolver_fixture.h"

/* RULES 5.1 and 5.2 */
static void
test_open(void)
{
	CiConflict *conflict;

	start();
	have("1 identified email=ann visitor=v1 visitor=v2 +1");
	play("identify conversations via=chat key=v1 email=bob at=77");
	conflict = conflict_of(1, "email", "bob");
	ok(conflict->contact->id == 1 && conflict->type == CI_FIELD_IDENTIFIER &&
	   conflict->kind == kind_named("email") && conflict->owner == NULL &&
	   strcmp(conflict->source, "conversations") == 0 && strcmp(conflict->via, "chat") == 0 &&
	   strcmp(conflict->key_kind, "visitor") == 0 && strcmp(conflict->key, "v1") == 0 &&
	   conflict->given_at == 77 && conflict->status == CI_OPEN &&
	   strcmp(conflict->given, "bob") == 0, "[5.1] a conflict says all that it is to say");
	is("[9.4] with history", events(), "1:conflict_opened");
	is("[5.2] the same again changes nothing", play("identify conversations key=v1 email=bob"),
	   "unchanged 1 conflicts email:bob");
	is("[5.2] a different one of the same key", play("identify conversations key=v1 email=cat"),
	   "updated 1 conflicts email:cat");
	ok(conflict->status == CI_OBSOLETE, "[5.2] makes the open one obsolete");
	is("[5.2] however often, the primary stays", contact(1),
	   "identified email=ann visitor=v1 visitor=v2 +1 ?email:cat");
	is("[5.1] another key has a conflict of its own", play("identify conversations key=v2 email=dog"),
	   "updated 1 conflicts email:dog");
	is("[5.1] the same value too", play("identify conversations key=v2 email=cat"),
	   "updated 1 conflicts email:cat");
	is("[5.1] one open for each key", contact(1),
	   "identified email=ann visitor=v1 visitor=v2 +1 ?email:cat ?email:cat");
	is("[5.1] another field has its own", play("identify conversations key=v1 .city=1"), "updated 1");
	is("[5.1] as well", play("identify conversations key=v1 .city=2"), "updated 1 conflicts city:2");
	is("[5.1] without a key one for a source", play("identify conversations email=ann .city=3"),
	   "updated 1 conflicts city:3");
	is("[5.1] of which a different one takes the place", play("identify conversations email=ann .city=4"),
	   "updated 1 conflicts city:4");
	is("[5.1] another source's is another", play("identify keeper email=ann .city=5"),
	   "updated 1 conflicts city:5");
	is("[5.1] in all", contact(1), "identified email=ann visitor=v1 visitor=v2 .city=1 +1 "
	   "?city:2 ?city:4 ?city:5 ?email:cat ?email:cat");

	start();
	have("1 identified email=ann visitor=x facebook=x +1");
	play("identify conversations key=x email=bob");
	play("identify conversations via=facebook key=x email=cat");
	is("[5.1] keys of two kinds are two keys", contact(1),
	   "identified email=ann visitor=x facebook=x +1 ?email:bob ?email:cat");

	start();
	have("1 identified email=ann visitor=v1 visitor=v2 .n=0 +1");
	have_conflict("70 1 email:bob visitor=v1", CI_DISMISSED);
	have_conflict("71 1 .n:1 visitor=v1", CI_DISMISSED);
	is("[5.2] one that was dismissed stays dismissed",
	   play("identify conversations key=v1 email=bob .n=1.0"), "unchanged 1 ignored email n");
	is("[5.2] for that key", play("identify conversations key=v2 email=bob"),
	   "updated 1 conflicts email:bob");
	play("identify conversations key=v1 email=cat");
	is("[5.2] also while another is open", play("identify conversations key=v1 email=bob"),
	   "unchanged 1 ignored email");
	is("[5.2] which stays open", contact(1),
	   "identified email=ann visitor=v1 visitor=v2 .n=0 +1 ?email:bob ?email:cat");

	start();
	have("1 identified email=ann visitor=v1 +1");
	have_conflict("70 1 email:bob visitor=v1", CI_OBSOLETE);
	is("[5.2] one that was obsolete opens anew", play("identify conversations key=v1 email=bob"),
	   "updated 1 conflicts email:bob");

	start();
	have("1 identified email=ann visitor=v1 +1");
	have("2 identified phone=2 visitor=v2 +1");
	play("identify conversations key=v1 landline=1");
	play("identify conversations key=v2 landline=2");
	play("identify conversations key=v1 landline=9");
	is("[5.8] a secondary value is unique to nobody", play("identify conversations key=v2 landline=9"),
	   "updated 2 conflicts landline:9");
	is("[5.8] and identifies nobody", play("identify shop landline=9"), "created -1");
}

/* RULES 5.3 to 5.6 */
static void
test_settle(void)
{
	start();
	have("1 identified email=ann@10 visitor=v1 +1");
	have_conflict("70 1 email:bob visitor=v1@50", CI_OPEN);
	is("[5.3] unless confirmed, promote is refused", play("promote conflict=70 by=Eva"), "22023");
	is("[5.3] without an agent's name, too", play("promote conflict=70 confirmed"), "22023");
	is("[5.3] unknown", play("promote conflict=71 by=Eva confirmed"), "P0002");
	ok(!ci_world_is_changed(world), "[5.3] nothing is written");
	is("[5.3] the secondary becomes primary", play("promote conflict=70 by=Eva confirmed"), "updated 1");
	is("[4.18] and is proved by the agent", contact(1), "identified email=bob/verified visitor=v1 +1");
	ok(row("email", "ann")->contact == NULL, "[5.3] the old primary is free");
	is("[5.3] and in history", find_event("replaced")->old_value.text, "ann");
	is("[9.4] with what settled it", events(), "1:conflict_promoted 1:replaced");
	ok(find_event("replaced")->request == request && find_event("replaced")->merge == NULL,
	   "[10.1] by the call that it was");
	ok(strcmp(row("email", "bob")->source, "conversations") == 0 &&
	   strcmp(row("email", "bob")->given, "bob") == 0 && row("email", "bob")->updated_at == NOW,
	   "[5.3] as its source gave it, now");
	is("[5.1] who settled it", world->loaded_conflicts->settled_by, "Eva");
	is("[5.6] the second agent is told that it is settled",
	   play("promote conflict=70 by=Max confirmed"), "55000");
	is("[5.6] by dismiss as well", play("dismiss conflict=70 by=Max"), "55000");
	is("[5.3] everywhere", play("identify conversations key=v1 email=bob"), "unchanged 1");

	start();
	have("1 identified email=ann@2000 visitor=v1 .city=1@3000");
	have_conflict("70 1 email:bob visitor=v1@50", CI_OPEN);
	have_conflict("71 1 .city:2 visitor=v1@50", CI_OPEN);
	have_conflict("72 1 .city:2 visitor=v2@50", CI_OPEN);
	have_conflict("73 1 .city:3 visitor=v3@50", CI_OPEN);
	play("promote conflict=70 by=Eva confirmed");
	is("[5.3] attributes", play("promote conflict=71 by=Eva confirmed"), "updated 1");
	is("[5.7] another with the value is obsolete, others are not", contact(1),
	   "identified email=bob/verified visitor=v1 .city=2 ?city:3");
	ok(row("email", "bob")->updated_at == 2001 && attribute(1, "city")->at == 3001,
	   "[4.10] newer than what it took the place of");
	is("[5.6] what came to equal the primary is settled", play("promote conflict=72 by=Eva confirmed"),
	   "55000");

	start();
	have("1 identified email=ann visitor=v1");
	have("2 identified phone=5");
	have_conflict("70 1 phone:5 visitor=v1", CI_OPEN);
	is("[5.4] what another holds is not promoted", play("promote conflict=70 by=Eva confirmed"), "23505");
	is("[5.4] the owner is named", request->error.detail, "phone belongs to contact 2.");
	ok(!ci_world_is_changed(world), "[5.4] and nothing written");

	start();
	have("1 identified email=ann visitor=v1");
	have_conflict("70 1 phone:5 visitor=v1", CI_OPEN);
	is("[5.3] where there is no primary it is filled", play("promote conflict=70 by=Eva confirmed"),
	   "updated 1");
	is("[5.3] so", contact(1), "identified email=ann phone=5/verified visitor=v1");

	start();
	have("1 identified email=ann visitor=v1 +1");
	have_conflict("70 1 email:bob visitor=v1", CI_OPEN);
	is("[5.5] dismiss needs an agent", play("dismiss conflict=70"), "22023");
	is("[5.5] dismiss", play("dismiss conflict=70 by=Eva"), "updated 1");
	is("[5.5] keeps the primary", contact(1), "identified email=ann visitor=v1 +1");
	is("[9.4] with history", events(), "1:conflict_dismissed");
	is("[5.6] once", play("dismiss conflict=70 by=Eva"), "55000");
	is("[5.2] and it stays dismissed", play("identify conversations key=v1 email=bob"),
	   "unchanged 1 ignored email");
}

/* RULES 5.7 */
static void
test_obsolete(void)
{
	start();
	have("1 identified ext_id=1 email=ann visitor=v1 .city=1");
	have_conflict("70 1 email:bob visitor=v1", CI_OPEN);
	have_conflict("71 1 .city:2 visitor=v1", CI_OPEN);
	have_conflict("72 1 .city:3 visitor=v2", CI_OPEN);
	play("identify shop ext_id=1 email=bob .city=2");
	is("[5.7] a primary that comes to equal the secondary ends the conflict", contact(1),
	   "identified ext_id=1 email=bob visitor=v1 .city=2 ?city:3");
	is("[9.4] with history", events(), "1:replaced 1:conflict_obsolete 1:set 1:conflict_obsolete");

	start();
	have("1 identified ext_id=1 visitor=v1");
	have("2 identified email=ann phone=5");
	have_conflict("70 1 phone:5 visitor=v1", CI_OPEN);
	play("identify shop ext_id=1 phone=5");
	is("[5.7] also one that moves", contact(1), "identified ext_id=1 phone=5 visitor=v1");

	start();
	have("1 identified ext_id=1");
	have("2 identified phone=5 phone~6");
	have_conflict("70 2 phone:6 contact=9", CI_OPEN);
	play("identify shop ext_id=1 phone=5");
	is("[5.7] also an alias that becomes primary", contact(2), "identified phone=6");

	/* the contact is merged */
	start();
	have("1 identified email=ann .a=1");
	have("2 identified phone=2 visitor=v1 .b=1");
	have_conflict("70 2 landline:5 visitor=v1@50", CI_OPEN);
	have_conflict("71 2 .a:1 visitor=v1@50", CI_OPEN);
	have_conflict("72 2 .b:9 visitor=v1@50", CI_DISMISSED);
	play("merge contact=1 loser=2 by=Eva");
	is("[5.7] when the contact is merged it follows", contact(1),
	   "identified email=ann phone=2 visitor=v1 .a=1 .b=1 ?landline:5");
	ok(conflict_of(1, "a", "1")->status == CI_OBSOLETE, "[5.7] obsolete where it equals the survivor's");
	is("[5.2] a dismissed one goes along", play("identify conversations key=v1 .b=9"),
	   "unchanged 1 ignored b");

	start();
	have("1 identified email=ann visitor=v1");
	have("2 identified email=bob");
	have_conflict("70 1 landline:5 visitor=v1@50", CI_OPEN);
	have_conflict("71 2 landline:6 visitor=v1@60", CI_OPEN);
	have_conflict("72 1 phone:5 visitor=v1@60", CI_OPEN);
	have_conflict("73 2 phone:6 visitor=v1@50", CI_OPEN);
	have_conflict("74 1 whatsapp:5 visitor=v1@50", CI_OPEN);
	have_conflict("75 2 whatsapp:6 visitor=v2@60", CI_OPEN);
	have_conflict("76 1 .x:5 visitor=v1@50", CI_OPEN);
	have_conflict("77 2 .x:6 visitor=v1@50", CI_OPEN);
	play("merge contact=1 loser=2 by=Eva");
	is("[5.7] of two of a field and key the one given later stays open", contact(1),
	   "identified email=ann email~bob visitor=v1 ?email:bob ?landline:6 ?phone:5 "
	   "?whatsapp:5 ?whatsapp:6 ?x:6");
	ok(first_merge()->nsettled == 3 && first_merge()->nconflicts == 4,
	   "[10.3] the merge knows those that it settled and those that came");

	start();
	have("1 identified email=ann visitor=v1 .n=0");
	have("2 identified email=bob");
	have_conflict("70 1 .n:5 visitor=v1@50", CI_DISMISSED);
	have_conflict("71 2 .n:5 visitor=v1@60", CI_OPEN);
	play("merge contact=1 loser=2 by=Eva");
	is("[5.2] an open one is met again though the other was dismissed",
	   play("identify conversations key=v1 .n=5"), "unchanged 1 conflicts n:5");
}

/* RULES 5.7 and 5.2: what is settled stays as it was settled */
static void
test_settled_rival(void)
{
	start();
	have("1 identified email=ann visitor=v1 .n=0");
	have("2 identified phone=2");
	have_conflict("70 1 .n:5 visitor=v1@50", CI_DISMISSED);
	have_conflict("71 2 .n:7 visitor=v1@60", CI_OPEN);
	play("merge contact=1 loser=2 by=Eva");
	is("[5.7] one that is settled is no rival", contact(1), "identified email=ann phone=2 visitor=v1 .n=0 ?n:7");
	is("[5.2] and stays dismissed", play("identify conversations key=v1 .n=5"), "unchanged 1 ignored n");
}

/* RULES 6.1 to 6.3 */
static void
test_identify_merges(void)
{
	CiMerge    *merge;
	CiContact  *one;

	start();
	one = have("1 anonymous visitor=v1@10 push=p1@11 push=p2@12/out push=p3@13/parked .a=1@20 +2@5 -3@6 !push");
	one->last_seen_at = 990;
	have("2 identified email=ann@10 +3@7");
	ci_world_contact(world, 2)->last_seen_at = 980;
	have("3 merged in=1");
	have_conflict("70 1 .a:2 visitor=v1@50", CI_OPEN);
	is("[6.1] in identify the identified one survives",
	   play("identify conversations key=v1 email=ann"), "merged 2 merged 1");
	is("[6.2] nothing of the other is lost", contact(2),
	   "identified email=ann visitor=v1 push=p1 push=p2/out push=p3/parked .a=1 +1 +2 -3 !push ?a:2");
	is("[6.3] one step", contact(1), "merged in 2");
	is("[6.3] however long the chain", contact(3), "merged in 2");
	is("[6.3] a write that names an ended contact lands on the survivor",
	   play("identify shop contact=3 .z=1"), "updated 2");
	is("[6.3] with its key as well", play("capture push key=p2"), "unchanged 2");
	is_number("[6.2] nor when it was seen last", ci_world_contact(world, 2)->last_seen_at, 990);
	merge = first_merge();
	ok(merge->survivor->id == 2 && merge->ended->id == 1 && merge->ended_state == CI_ANONYMOUS &&
	   merge->ended_seen_at == 990 && merge->survivor_seen_at == 980,
	   "[6.8] the merge says who");
	ok(merge->nidentifiers == 4 && merge->nattributes == 1 && merge->nmembers == 2 &&
	   merge->nsurvivor_members == 1 && merge->survivor_members[0].subscribed &&
	   merge->survivor_members[0].since == 7 && merge->blocks == CI_CHANNEL_PUSH &&
	   merge->survivor_blocks == 0 && merge->nconflicts == 1 &&
	   merge->conflict_states[0] == CI_OPEN, "[6.8] what was taken");
	ok(merge->nended_before == 1 && merge->ended_before[0] == 3, "[10.3] who had ended before");
	for (int i = 0; i < merge->nidentifiers; i++)
	{
		if (strcmp(merge->identifiers[i]->value, "v1") == 0)
			ok(merge->identifier_states[i].contact->id == 1 &&
			   merge->identifier_states[i].updated_at == 10, "[10.3] each key as it was");
	}
}

/* RULES 6.3 and 9.4: the events of a merge */
static void
test_merge_history(void)
{
	start();
	have("1 anonymous visitor=v1 !push");
	have("2 identified email=ann");
	have("3 merged in=1");
	play("identify keeper key=v1 email=ann");
	is("[9.4] both histories of a merge, and of those that had ended before", events(),
	   "1:merged 2:absorbed 2:moved_in 2:blocked 3:repointed");
	ok(find_event("merged")->merge == world->merges && find_event("repointed")->merge == world->merges,
	   "[10.1] the rows of a merge are joined");
	ok(find_event("merged")->new_value.contact->id == 2 &&
	   find_event("absorbed")->new_value.contact->id == 1, "[10.1] and name each other");
}

/* RULES 6.4 */
static void
test_merge(void)
{
	CiConflict *conflict;

	start();
	have("1 identified email=ann@10 phone=1@10 .city=1@10 .same=1@10 .gone=null@10");
	have("2 identified ext_id=2@20 email=bob@20 email~old@5 phone=2@5 visitor=v2 "
		 ".city=2@20 .same=1.0@30 .new=1@5 .gone=1@20");
	is("[6.4] merge", play("merge contact=1 loser=2 by=Eva"),
	   "merged 1 merged 2 conflicts city:2 email:bob phone:2");
	is("[6.4] what the survivor lacks moves, the rest are aliases and conflicts", contact(1),
	   "identified ext_id=2 email=ann email~bob email~old phone=1 phone~2 visitor=v2 "
	   ".city=1 .gone=1 .new=1 .same=1 ?city:2 ?email:bob ?phone:2");
	conflict = conflict_of(1, "email", "bob");
	ok(conflict->owner == NULL, "[6.4] a conflict without owner");
	ok(strcmp(conflict->source, "merge") == 0 && strcmp(conflict->key, "2") == 0 &&
	   conflict->given_at == 20, "[5.1] of source merge, with the ended contact for a key");
	is("[6.4] the merge holds when the person logs in with it",
	   play("identify shop email=bob landline=5"), "updated 1");
	is("[6.4] or with an alias that it brought", play("identify api email=old landline=5"), "unchanged 1");
	ok(row("email", "bob")->updated_at == 20 && attribute(1, "new")->at == 5 &&
	   attribute(1, "same")->at == 30, "[6.4] all with their own times");
	ok(first_merge()->time_moves != NULL && first_merge()->time_moves->at == 10,
	   "[10.3] a time that the merge moved is known");

	/* promoting and dismissing */
	start();
	have("1 identified email=ann@10/verified email~bob@20");
	have_conflict("70 1 email:bob contact=2@20", CI_OPEN);
	is("[6.4] promoting an alias", play("promote conflict=70 by=Eva confirmed"), "updated 1");
	is("[6.4] swaps the two", contact(1), "identified email=bob/verified email~ann/verified");
	is("[9.4] in history, too", events(), "1:conflict_promoted 1:made_alias 1:made_primary");
	start();
	have("1 identified email=ann@10 email~bob@20");
	have_conflict("70 1 email:bob contact=2@20", CI_OPEN);
	play("dismiss conflict=70 by=Eva");
	is("[6.4] dismissing leaves it an alias", contact(1), "identified email=ann email~bob");

	/* newer_wins */
	start();
	have("1 identified email=ann@10 phone=1@10 whatsapp=1@10 .a=1@10 .b=1@10 .c=1@10 .d=null@10");
	have("2 identified email=bob@20 phone=2@5 whatsapp=2@10 .a=2@20 .b=2@5 .c=2@10 .d=2@5 .e=null@5");
	is("[6.4] newer_wins", play("merge contact=1 loser=2 by=Eva newer"), "merged 1 merged 2");
	is("[6.4] the newer becomes primary, the other the alias", contact(1),
	   "identified email=bob email~ann phone=1 phone~2 whatsapp=1 whatsapp~2 "
	   ".a=2 .b=1 .c=1 .d=null .e=null");
	is("[6.4] the attribute that was there is in history", find_event("set")->old_value.json, "1");
	is("[6.2] and the other in the merge", psprintf("%d", first_merge()->nattributes), "5");

	/* of two anonymous ones */
	start();
	have("1 anonymous visitor=v1 .a=1");
	have("2 anonymous push=p2 .a=2 .b=2");
	is("[6.4] two anonymous ones", play("merge contact=1 loser=2 by=Eva"),
	   "merged 1 merged 2 conflicts a:2");
	is("[6.4] are one", contact(1), "anonymous visitor=v1 push=p2 .a=1 .b=2 ?a:2");
	ok(ci_contact_class(ci_world_contact(world, 1)) == CI_CLASS_PUSH &&
	   ci_world_contact(world, 1)->was_class == CI_CLASS_CONVERSATIONS,
	   "[2.1] and counted as what they are now");

	/* an anonymous one into an identified one */
	start();
	have("1 identified email=ann");
	have("2 anonymous push=p2/verified");
	is("[6.4] an anonymous one into an identified one", play("merge contact=1 loser=2 by=Eva"),
	   "merged 1 merged 2");
	is("[4.18] what changes hands has it anew", contact(1), "identified email=ann push=p2");
}

/* RULES 6.5 to 6.7 */
static void
test_merge_refused(void)
{
	start();
	have("1 anonymous visitor=v1");
	have("2 identified email=ann");
	have("3 identified email=bob");
	have("4 merged in=3");
	have("5 erased");
	is("[6.5] an identified one is not merged into an anonymous one",
	   play("merge contact=1 loser=2 by=Eva"), "22023");
	ok(strstr(request->error.hint, "merge(2, 1") != NULL, "[6.5] the hint says to swap them");
	is("[6.5] nor without an agent's name", play("merge contact=2 loser=3"), "22023");
	is("[6.6] unknown", play("merge contact=2 loser=9 by=Eva"), "P0002");
	is("[6.6] unknown", play("merge contact=9 loser=2 by=Eva"), "P0002");
	is("[6.6] erased", play("merge contact=2 loser=5 by=Eva"), "P0002");
	ok(!ci_world_is_changed(world) && result.contact == NULL, "[9.4] nothing is written");
	is("[6.6] one with itself", play("merge contact=2 loser=2 by=Eva"), "unchanged 2");
	is("[6.6] or with one that is it", play("merge contact=3 loser=4 by=Eva"), "unchanged 3");
	ok(!ci_world_is_changed(world), "[6.6] nothing happens");
	is("[6.6] an ended one stands for its survivor", play("merge contact=2 loser=4 by=Eva"),
	   "merged 2 merged 3 conflicts email:bob");
	is("[6.3] in one step", contact(4), "merged in 2");
	is("[6.6] on both sides", play("merge contact=4 loser=1 by=Eva"), "merged 2 merged 1");
	is("[6.6] again is unchanged", play("merge contact=4 loser=1 by=Eva"), "unchanged 2");
	is("[6.3] nobody points to one that ended", psprintf("%s, %s, %s", contact(1), contact(3), contact(4)),
	   "merged in 2, merged in 2, merged in 2");

	start();
	have("1 identified email=ann +1@5 +2@5 -3@5 !email");
	have("2 identified phone=2 +1@9 -2@9 +3@9 +4@9 -5@9 !sms !email");
	play("merge contact=1 loser=2 by=Eva");
	is("[6.7] lists are united, unsubscribed and blocked win", contact(1),
	   "identified email=ann phone=2 +1 +4 -2 -3 -5 !email !sms");
	is_number("[6.7] a row that stays is as it was", ci_find_member(ci_world_contact(world, 1), 1)->since, 5);
	is_number("[6.7] one that comes is as it was", ci_find_member(ci_world_contact(world, 1), 4)->since, 9);
}

/* A contact may have 100,000 keys; nothing looks at all of them for each call. */
static void
test_size(void)
{
	CiContact  *one;
	int			n = 100000;
	clock_t		started = clock();

	start();
	one = have("1 anonymous visitor=v1");
	have("2 identified email=ann");
	for (int i = 0; i < n; i++)
	{
		CiIdentifierState state = {.contact = one,.source = "push",.updated_at = 1};

		ci_load_identifier(world, PUSH, psprintf("p%d", i), &state);
	}
	is("[6.2] 100,000 keys are merged", play("identify conversations key=v1 email=ann"), "merged 2 merged 1");
	for (int i = 0; i < n / 5; i++)
		play(psprintf("identify push key=p%d email=ann", i));
	is("[4.16] calls about them", show_result(), "unchanged 2");
	for (int i = 0; i < n / 5; i++)
		play(psprintf("logout push key=p%d", i));
	ok(ci_owner(ci_world_identifier(world, PUSH, "p7")) == NULL &&
	   ci_owner(ci_world_identifier(world, PUSH, psprintf("p%d", n / 2)))->id == 2,
	   "[1.9] logouts of them");
	for (int i = 0; i < n / 5; i++)
		play(psprintf("identify keeper key=v%d email=ann .name=%d", i, i));
	is("[5.1] as many conflicts, a key each", show_result(), psprintf("updated 2 conflicts name:%d", n / 5 - 1));
	start();
	have("1 identified email=ann");
	have("2 identified email=bob");
	n = n / 5;
	for (int i = 0; i < n; i++)
		have_conflict(psprintf("%d %d .name:%d visitor=v%d", i + 1, 1 + i % 2, i, i / 2), CI_OPEN);
	is("[5.7] they follow a merge", play("merge contact=1 loser=2 by=Eva"),
	   "merged 1 merged 2 conflicts email:bob");
	is_number("[5.7] one of two of a key is settled", first_merge()->nsettled, n / 2);
	ok((double) (clock() - started) / CLOCKS_PER_SEC < 20.0, "[6.2] and that takes no time");
}

int
main(void)
{
	test_open();
	test_settle();
	test_obsolete();
	test_settled_rival();
	test_identify_merges();
	test_merge_history();
	test_merge();
	test_merge_refused();
	test_size();
	return done();
}
