/*-------------------------------------------------------------------------
 *
 * test_resolver_whom.c
 *	  RULES 1 to 3 without a server: whom a call means.  Prints TAP.
 *
 * What is expected comes from the rules, never from what the code answered.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "resolver_fixture.h"

/* RULES 1.1 to 1.4, 1.6 */
static void
test_capture(void)
{
	start();
	is("[1.1] a new key makes a contact", play("capture conversations key=v1"), "captured -1");
	is("[1.1] which is anonymous and has the key", contact(-1), "anonymous visitor=v1");
	is_number("[1.1] exactly one", world->ncontacts, 1);
	is("[9.4] and history says so", events(), "-1:created -1:attached");
	is("[1.2] a known key is that contact", play("capture conversations key=v1"), "unchanged -1");
	is("[1.2] without a trace", events(), "");
	is("[1.3] another key is another contact", play("capture conversations key=v2"), "captured -2");
	is("[1.3] the same text of another kind, too", play("capture push key=v1"), "captured -3");
	is("[1.3] and by way of another network", play("capture conversations via=facebook key=v1"),
	   "captured -4");
	is("[4.13] whose kind the key then is", contact(-4), "anonymous facebook=v1");

	start();
	have("7 identified email=ann visitor=v1");
	is("[1.2] a known key is its contact, identified or not",
	   play("capture conversations key=v1"), "unchanged 7");
	is("[1.2] and none is made", psprintf("%d", world->ncontacts), "1");

	start();
	is("[1.4] a name is stored", play("capture conversations key=v1 .name=\"Ann\""), "captured -1");
	is("[1.4] and leaves the contact anonymous", contact(-1), "anonymous visitor=v1 .name=\"Ann\"");
	is("[1.4] so does identify without an identifier",
	   play("identify conversations key=v1 .city=\"Ulm\""), "updated -1");
	is("[1.4] still", contact(-1), "anonymous visitor=v1 .city=\"Ulm\" .name=\"Ann\"");
	is("[1.4] an identifier makes it identified",
	   play("identify conversations key=v1 phone=1"), "identified -1");

	start();
	sources[1].makes = CI_CLASS_NONE;
	is("[1.6] a source that makes none captures none", play("capture push key=p1"), "22023");
	is_number("[1.6] and nothing is written", world->ncontacts + world->nevents, 0);
	is("[1.6] with an identifier it may know the key",
	   play("identify push key=p1 email=ann"), "created -1");
	sources[1].makes = CI_CLASS_PUSH;
}

/* RULES 1.2 and 4.16: being seen */
static void
test_seen(void)
{
	CiContact  *one;

	start();
	one = have("1 anonymous visitor=v1@1");
	one->last_seen_at = NOW - SEEN_INTERVAL + 1;
	play("capture conversations key=v1");
	ok(one->last_seen_at == NOW - SEEN_INTERVAL + 1 && !one->touched &&
	   !ci_world_is_changed(world), "[1.2] within the interval nothing is written");
	clock_is(NOW + 1);
	is("[1.2] after it that it was seen is noted", play("capture conversations key=v1"),
	   "unchanged 1");
	ok(one->last_seen_at == NOW + 1 && one->touched, "[1.2] once");
	ok(world->nevents == 0 && world->touched_identifiers == NULL,
	   "[1.2] and nothing else is written");
	play("capture conversations key=v1 at=500");
	is_number("[1.2] a capture of long ago does not turn it back", one->last_seen_at, NOW + 1);
	is_number("[1.2] nor does a capture write the key's time", row("visitor", "v1")->updated_at, 1);
	play("capture conversations key=v1 at=999");
	is_number("[1.2] also a newer one", row("visitor", "v1")->updated_at, 1);

	start();
	one = have("1 anonymous visitor=v1@1");
	one->last_seen_at = CI_NO_TIME;
	play("capture conversations key=v1");
	is_number("[1.2] one that was never seen is seen now", one->last_seen_at, NOW);
}

/* RULES 1.7 to 1.9 */
static void
test_keys(void)
{
	start();
	play("capture push key=p1");
	is("[1.7] a push key is opted in when first seen", contact(-1), "anonymous push=p1");
	is("[1.7] unsubscribe opts it out", play("unsubscribe push key=p1"), "updated -1");
	is("[1.7] and the contact keeps it", contact(-1), "anonymous push=p1/out");
	is("[9.4] with history", events(), "-1:opted_out");
	is("[1.9] a second time changes nothing", play("unsubscribe push key=p1"), "unchanged -1");
	is("[1.7] no capture opts it in again", play("capture push key=p1"), "unchanged -1");
	play("identify push key=p1 email=ann");
	is("[1.7] nor does identify", contact(-1), "identified email=ann push=p1/out");
	is("[1.7] subscribe does", play("subscribe push key=p1"), "updated -1");
	is("[1.7] and it is in", contact(-1), "identified email=ann push=p1");
	is("[1.9] again changes nothing", play("subscribe push key=p1"), "unchanged -1");
	is("[1.7] a visitor is not subscribed to anything", play("subscribe conversations key=v1"), "22023");

	start();
	have("1 identified email=ann push=p1/out");
	have("2 identified email=bob");
	play("identify push key=p1 email=bob");
	is("[1.7] an opt-out goes along with a key that moves", contact(2), "identified email=bob push=p1/out");

	start();
	have("1 anonymous push=p1/out");
	have("2 identified email=bob");
	play("identify push key=p1 email=bob");
	is("[1.7] and with a merge", contact(2), "identified email=bob push=p1/out");

	start();
	have("1 identified email=ann visitor=v1/verified push=p1");
	is("[1.9] logout detaches a key", play("logout conversations key=v1"), "updated 1");
	is("[1.9] from its contact", contact(1), "identified email=ann push=p1");
	is("[9.4] with history", events(), "1:detached");
	is("[1.9] of a key nobody has it is no error", play("logout conversations key=v1"), "unchanged");
	is("[1.9] the next capture makes a new anonymous contact",
	   play("capture conversations key=v1"), "captured -1");
	is("[4.18] for whom the key is not proved", contact(-1), "anonymous visitor=v1");
	is("[1.9] a push key that is opted in leaves no trace", play("logout push key=p1"), "updated 1");
	play("capture push key=p1");
	is("[1.7] and is opted in when it comes back", contact(-2), "anonymous push=p1");

	start();
	have("1 identified email=ann push=p1/out");
	play("logout push key=p1");
	ok(ci_owner(ci_world_identifier(world, PUSH, "p1")) == NULL, "[1.9] an opted-out key is nobody's");
	is("[1.9] a second logout changes nothing", play("logout push key=p1"), "unchanged");
	is("[1.9] nor does unsubscribe", play("unsubscribe push key=p1"), "unchanged");
	is("[1.9] the next capture is a new contact", play("capture push key=p1"), "captured -1");
	is("[1.9] the opt-out outlived the logout", contact(-1), "anonymous push=p1/out");
	is("[1.9] the one who was logged out has it no more", contact(1), "identified email=ann");

	start();
	have("1 identified email=ann push=p1/parked");
	is("[1.7] subscribe lifts an opt-out that is remembered", play("subscribe push key=p1"), "updated");
	ok(row("push", "p1")->contact == NULL && ci_world_is_changed(world), "[1.7] nothing is left of it");
	play("identify push key=p1 email=ann");
	is("[1.7] it is as if first seen", contact(1), "identified email=ann push=p1");

	start();
	have("1 identified email=ann push=p1/parked");
	is("[1.9] identify after the logout ties it again",
	   play("identify push key=p1 email=ann"), "updated 1");
	is("[1.7] opted out", contact(1), "identified email=ann push=p1/out");
	is("[1.9] keys that nobody has ever had change nothing",
	   psprintf("%s %s %s", play("logout push key=x"), play("subscribe push key=x"),
				play("unsubscribe push key=x")), "unchanged unchanged unchanged");
	ok(row("push", "x")->contact == NULL, "[1.9] and are not stored");

	start();
	is("[1.8] a key whose contact is gone makes a new one", play("capture push key=p1"), "captured -1");
}

/* RULES 2.1 */
static void
test_class(void)
{
	CiContact  *one;

	start();
	have("1 anonymous visitor=v1");
	have("2 anonymous push=p1");
	have("3 anonymous visitor=v2 push=p2");
	have("4 anonymous push=p3");
	one = have("5 anonymous");
	one->made = CI_CLASS_PUSH;
	have("6 anonymous");
	one = have("7 anonymous visitor=v3");
	one->made = CI_CLASS_PUSH;
	have("8 identified email=ann push=p4");
	one = have("9 anonymous push=p5/parked");
	play("logout push key=p3");
#define CLASS(id) ci_contact_class(ci_world_contact(world, id))
	ok(CLASS(1) == CI_CLASS_CONVERSATIONS, "[2.1] a visitor is anonymous conversations");
	ok(CLASS(2) == CI_CLASS_PUSH, "[2.1] a push key makes it anonymous push");
	ok(CLASS(3) == CI_CLASS_PUSH, "[2.1] also beside another key");
	ok(CLASS(4) == CI_CLASS_CONVERSATIONS, "[2.1] without keys its origin decides");
	ok(CLASS(5) == CI_CLASS_PUSH, "[2.1] push, if push made it");
	ok(CLASS(6) == CI_CLASS_CONVERSATIONS, "[2.1] conversations, if that did");
	ok(CLASS(7) == CI_CLASS_CONVERSATIONS, "[2.1] but a key decides before its origin");
	ok(CLASS(8) == CI_CLASS_NONE, "[2.1] an identified one is neither");
	ok(CLASS(9) == CI_CLASS_CONVERSATIONS, "[2.1] a key that was logged out does not count");
	ok(ci_world_contact(world, 4)->was_class == CI_CLASS_PUSH &&
	   ci_world_contact(world, 8)->was_class == CI_CLASS_NONE,
	   "[2.3] what a contact counted as before is known");
	play("identify push key=p6 email=x");
	play("identify conversations key=v9 email=y");
	ok(ci_world_contact(world, -1)->made == CI_CLASS_PUSH &&
	   ci_world_contact(world, -2)->made == CI_CLASS_CONVERSATIONS,
	   "[2.1] the source that made it is kept on its row");
}

/* RULES 3.1 */
static void
test_named(void)
{
	start();
	have("1 identified email=ann");
	have("2 identified email=bob");
	is("[3.1] contact_id comes before everything",
	   play("identify shop contact=1 phone=1"), "updated 1");
	is("[3.1] also before the owner of an identifier",
	   play("identify conversations contact=1 email=bob"), "updated 1 conflicts email:bob");
	is("[3.1] unknown: P0002", play("identify shop contact=9 phone=2"), "P0002");
	is("[3.1] attributes alone will do", play("identify shop contact=2 .a=1"), "updated 2");

	start();
	have("1 identified email=ann");
	have("2 merged in=1");
	have("3 erased");
	is("[3.1] followed to its survivor", play("identify shop contact=2 phone=1"), "updated 1");
	is("[3.1] erased: P0002", play("identify shop contact=3 phone=1"), "P0002");

	start();
	have("1 identified email=ann visitor=v1");
	is("[3.1] in claim mode, too", play("identify conversations key=v1 contact=1 phone=1"), "updated 1");

	start();
	have("1 anonymous visitor=v1");
	have("2 identified email=ann");
	is("[3.1] an anonymous one stands for K", play("identify conversations contact=1 email=ann"),
	   "merged 2 merged 1");

	start();
	have("1 anonymous visitor=v1");
	is("[3.1] and is identified like K [3.4]", play("identify conversations contact=1 email=ann"),
	   "identified 1");

	start();
	have("1 anonymous visitor=v1");
	is("[3.1] a free key is attached to it", play("identify conversations key=v2 contact=1"), "updated 1");
	is("[3.1] so that it has both", contact(1), "anonymous visitor=v1 visitor=v2");

	start();
	have("1 anonymous visitor=v1");
	have("2 identified email=ann");
	is("[3.1] also where it is merged then",
	   play("identify conversations key=v2 contact=1 email=ann verified"), "merged 2 merged 1");
	is("[3.1] the key comes along", contact(2),
	   "identified email=ann/verified visitor=v1 visitor=v2/verified +1");
	ok(first_merge()->nidentifiers == 2, "[3.1] as the ended contact's");
	is("[9.4] which history says", events(), "1:attached 1:merged 2:absorbed 2:moved_in 2:moved_in "
	   "2:verified 2:list_added");

	start();
	have("1 anonymous visitor=v1");
	have("2 anonymous visitor=v2");
	have("3 identified email=ann visitor=v3");
	is("[3.1] another's key beside an anonymous one is an error",
	   play("identify conversations key=v2 contact=1 email=x"), "22023");
	is("[3.1] whoever has it", play("identify conversations key=v3 contact=1"), "22023");
	ok(world->events == NULL && !ci_world_is_changed(world), "[3.1] and nothing is written");
	is("[3.1] its own key is none", play("identify conversations key=v1 contact=1 .a=1"), "updated 1");

	start();
	is("[3] nothing to find anybody by is an error", play("identify conversations .a=1"), "22023");
	is("[3] in any source", play("identify shop .a=1"), "22023");
}

/* RULES 3.2 to 3.6 */
static void
test_target(void)
{
	start();
	have("1 identified email=ann visitor=v1");
	have("2 identified email=bob");
	play("identify conversations key=v1 email=bob");
	ok(meant() == 1, "[3.2] in claim mode an identified K is it, whatever is given");
	is("[3.2] and the other keeps all", contact(2), "identified email=bob");

	start();
	have("1 identified email=ann visitor=v1");
	have("2 identified email=bob");
	is("[3.2] not where the application vouches",
	   play("identify conversations key=v1 email=bob verified"), "switched 2");

	start();
	have("1 identified ext_id=1 email=ann");
	have("2 identified email=bob phone=2");
	play("identify shop ext_id=1 phone=2");
	ok(meant() == 1, "[3.3] the owner of the strongest");
	play("identify shop phone=2 email=ann");
	ok(meant() == 1, "[3.3] of whichever are given");
	play("identify shop ext_id=7 email=bob");
	ok(meant() == 2, "[3.3] the strongest that has an owner");

	start();
	have("1 identified ext_id=1 email=ann");
	play("identify shop ext_id=2 email=ann");
	ok(meant() == -1, "[3.3] who is disqualified by a stronger one");
	is("[3.3] is not it", psprintf("%s, %s", contact(1), contact(-1)),
	   "identified ext_id=1, identified ext_id=2 email=ann");

	start();
	have("1 identified ext_id=1 email=ann");
	have("2 identified phone=2");
	play("identify conversations ext_id=2 email=ann phone=2");
	ok(meant() == 2, "[3.3] the next one, if that is not disqualified");

	start();
	have("1 identified email=ann phone=1");
	play("identify conversations email=ann phone=2");
	ok(meant() == 1, "[3.3] a weaker one disqualifies nobody");

	start();
	have("1 identified ext_id=1 ext_id~2 email=ann");
	play("identify conversations ext_id=2 email=ann");
	ok(meant() == 1, "[0] an alias does not contradict");

	start();
	have("1 identified ext_id=1 ext_id~2 email=ann");
	is("[6.4] and leads to the contact as a primary does", play("identify shop ext_id=2"), "unchanged 1");

	start();
	have("1 identified email=ann");
	play("identify conversations ext_id=2 email=ann");
	ok(meant() == 1, "[0] having none of the kind does not contradict");

	start();
	have("1 anonymous visitor=v1");
	have("2 identified email=bob");
	is("[3.3] before [3.4]", play("identify conversations key=v1 email=bob"), "merged 2 merged 1");

	start();
	have("1 anonymous visitor=v1");
	is("[3.4] K if it is anonymous", play("identify conversations key=v1 email=ann"), "identified 1");
	is("[3.4] its id lives on", contact(1), "identified email=ann visitor=v1 +1");

	start();
	have("1 anonymous visitor=v1");
	have("2 identified ext_id=1 email=bob");
	is("[3.4] also where the only owner is disqualified",
	   play("identify conversations key=v1 ext_id=2 email=bob"), "identified 1 conflicts email:bob");

	start();
	have("1 identified email=ann push=p1");
	is("[3.5] in login mode an identified K that nothing contradicts",
	   play("identify push key=p1 phone=1"), "updated 1");
	is("[3.5] also what it has", play("identify push key=p1 email=ann"), "unchanged 1");
	is("[3.6] one that is contradicted is not it", play("identify push key=p1 email=bob"), "switched -1");
	is("[3.6] but a new contact", contact(-1), "identified email=bob push=p1");
	is("[3.6] and the other keeps its own", contact(1), "identified email=ann phone=1");

	start();
	have("1 identified email=ann phone=1 push=p1");
	is("[3.5] any given identifier can contradict",
	   play("identify push key=p1 ext_id=5 phone=2"), "switched -1");

	start();
	is("[3.6] without key or owner a new contact", play("identify shop email=ann"), "created -1");
	is("[3.6] is identified", contact(-1), "identified email=ann");
	is("[9.4] which history says", events(), "-1:created -1:added");
	is("[3.6] with a new key, too", play("identify conversations key=v1 email=bob"), "created -2");
	is("[3.7] which is attached", contact(-2), "identified email=bob visitor=v1 +1");
}

/* RULES 3.7 to 3.10 */
static void
test_key_follows(void)
{
	start();
	have("1 identified email=ann visitor=v1");
	is("[3.7] a new key is attached", play("identify conversations key=v2 email=ann"), "updated 1");
	is("[3.7] beside the others", contact(1), "identified email=ann visitor=v1 visitor=v2 +1");

	start();
	have("1 anonymous visitor=v1 push=p1 .a=1");
	have("2 identified email=ann visitor=v2");
	is("[3.8] an anonymous K is merged into T", play("identify conversations key=v1 email=ann"),
	   "merged 2 merged 1");
	is("[3.8] whose id lives on", contact(2),
	   "identified email=ann visitor=v1 visitor=v2 push=p1 .a=1 +1");
	is("[6.3] the other points to it", contact(1), "merged in 2");

	start();
	have("1 identified email=ann push=p1@10 push=p2 phone=1");
	have("2 identified email=bob");
	is("[3.9] an identified K keeps all but the key", play("identify push key=p1 email=bob"), "switched 2");
	is("[3.9] the key is the other's", contact(2), "identified email=bob push=p1");
	is("[3.9] and the rest is not", contact(1), "identified email=ann phone=1 push=p2");
	is("[9.4] both histories say so", events(), "1:moved_out 2:moved_in");
	ok(find_event("moved_out")->other->id == 2 && find_event("moved_in")->other->id == 1,
	   "[9.4] and name each other");

	start();
	have("1 identified email=ann push=p1@10");
	have("2 identified email=bob");
	is("[3.9] not by a call that is older", play("identify push key=p1 email=bob at=9"),
	   "unchanged 2 ignored push");
	is("[3.9] nor by one as old", play("identify push key=p1 email=bob at=10"), "unchanged 2 ignored push");
	is("[3.9] then it stays", contact(1), "identified email=ann push=p1");
	is("[3.9] by a newer one", play("identify push key=p1 email=bob at=11"), "switched 2");
	is_number("[3.9] whose time it has then", row("push", "p1")->updated_at, 11);

	start();
	have("1 identified email=ann visitor=v1");
	have("2 identified email=bob");
	is("[3.9] where contact_id was given, in claim mode too",
	   play("identify conversations key=v1 contact=2"), "switched 2");

	/* The time of an attachment. */
	start();
	have("1 identified email=ann push=p1@10");
	have("2 identified email=bob");
	play("identify push key=p1 email=ann");
	is_number("[3.9] a confirmation without time of its own moves no key's time",
			  row("push", "p1")->updated_at, 10);
	play("identify push key=p1 email=ann at=20");
	is_number("[3.9] one with a time does", row("push", "p1")->updated_at, 20);
	is("[3.9] so that an older call", play("identify push key=p1 email=bob at=15"),
	   "unchanged 2 ignored push");
	play("identify push key=p1 email=ann at=12");
	is_number("[4.10] an older confirmation does not turn it back", row("push", "p1")->updated_at, 20);

	start();
	have("1 anonymous push=p1@10");
	play("identify push key=p1 email=ann at=50");
	is_number("[3.9] the call that identified by it gives its time", row("push", "p1")->updated_at, 50);
	is("[3.9] which an older one does not beat", play("identify push key=p1 email=bob at=40"),
	   "created -1 ignored push");
	is("[3.9] so the key stays", contact(1), "identified email=ann push=p1");

	start();
	have("1 anonymous push=p1@10");
	play("identify push key=p1 email=ann");
	is_number("[3.9] without a time of its own, too", row("push", "p1")->updated_at, NOW);

	start();
	have("1 anonymous push=p1@10");
	play("identify push key=p1 email=ann at=5");
	is_number("[3.9] it is the last call that ties it, though it was seen later",
			  row("push", "p1")->updated_at, 5);
	is("[3.9] so that what was given after that moves it", play("identify push key=p1 email=bob at=7"),
	   "switched -1");

	start();
	have("1 anonymous push=p1@10 push=p2@10");
	have("2 identified email=ann");
	play("identify push key=p1 email=ann at=50");
	is_number("[3.9] the call that merged by it, too", row("push", "p1")->updated_at, 50);
	is_number("[3.9] other keys of the contact keep theirs", row("push", "p2")->updated_at, 10);

	start();
	have("1 identified email=ann push=p1");
	have("2 identified email=bob phone=2");
	play("identify shop email=ann phone=2");
	play("identify push key=p1 email=bob");
	play("identify api contact=1 .a=1");
	ok(ci_world_contact(world, 1)->state == CI_IDENTIFIED &&
	   ci_world_contact(world, 2)->state == CI_IDENTIFIED && world->merges == NULL,
	   "[3.10] identify never merges two identified contacts");
}

int
main(void)
{
	test_capture();
	test_seen();
	test_keys();
	test_class();
	test_named();
	test_target();
	test_key_follows();
	return done();
}
