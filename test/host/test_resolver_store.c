/*-------------------------------------------------------------------------
 *
 * test_resolver_store.c
 *	  RULES 4 without a server: what a call stores.  Prints TAP.
 *
 * What is expected comes from the rules, never from what the code answered.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "resolver_fixture.h"

/* RULES 4.1 to 4.3 */
static void
test_free(void)
{
	start();
	have("1 identified email=ann@10 email~old@5 +1");
	is("[4.1] what it holds changes nothing", play("identify conversations email=ann"), "unchanged 1");
	is("[4.1] nor does its alias", play("identify conversations email=old"), "unchanged 1");
	is("[4.1] in a source where the last update wins", play("identify shop email=old"), "unchanged 1");
	is("[4.1] it stays as it was", contact(1), "identified email=ann email~old +1");
	ok(!ci_world_is_changed(world), "[4.16] and nothing is touched");

	start();
	have("1 identified email=ann +1");
	is("[4.2] a free value of a kind that it lacks", play("identify conversations email=ann phone=1"),
	   "updated 1");
	is("[4.2] becomes its primary", contact(1), "identified email=ann phone=1 +1");
	is("[9.4] with history", events(), "1:added");
	is("[4.2] the kinds are namespaces of their own",
	   play("identify conversations email=ann whatsapp=1 landline=1"), "updated 1");
	is("[4.2] each", contact(1), "identified email=ann phone=1 whatsapp=1 landline=1 +1");

	start();
	have("1 identified email=ann visitor=v1 +1");
	is("[4.3] primary wins keeps it and opens a conflict",
	   play("identify conversations key=v1 email=bob"), "updated 1 conflicts email:bob");
	is("[4.3] beside it", contact(1), "identified email=ann visitor=v1 +1 ?email:bob");
	ok(row("email", "bob")->contact == NULL, "[5.8] it is nobody's");

	start();
	have("1 identified ext_id=1 email=ann@10");
	is("[4.3] last update wins replaces", play("identify shop ext_id=1 email=bob"), "updated 1");
	is("[4.3] by the newer", contact(1), "identified ext_id=1 email=bob");
	is("[4.3] the old one is kept in history", find_event("replaced")->old_value.text, "ann");
	ok(find_event("replaced")->old_at == 10 &&
	   strcmp(find_event("replaced")->old_source, "shop") == 0, "[10.1] with its time and source");
	ok(row("email", "ann")->contact == NULL, "[4.3] and is free");
	is("[4.3] for anybody", play("identify shop email=ann"), "created -1");

	start();
	have("1 identified ext_id=1 email=ann@10");
	is("[4.3] an older one is dropped and named", play("identify shop ext_id=1 email=bob at=9"),
	   "unchanged 1 ignored email");
	is("[4.3] so is one as old", play("identify shop ext_id=1 email=bob at=10"),
	   "unchanged 1 ignored email");
	is("[4.3] it changes nothing", contact(1), "identified ext_id=1 email=ann");
	is("[4.3] newer is newer", play("identify shop ext_id=1 email=bob at=11"), "updated 1");
	is_number("[4.10] with the time given", row("email", "bob")->updated_at, 11);

	start();
	have("1 identified ext_id=1 email=ann@10 email~old@5");
	play("identify shop ext_id=1 email=bob");
	is("[4.3] aliases stay aliases", contact(1), "identified ext_id=1 email=bob email~old");
}

/* RULES 4.4 and 4.5 */
static void
test_owned(void)
{
	start();
	have("1 identified email=ann visitor=v1 +1");
	have("2 identified phone=2");
	is("[4.4] conflict: both keep what they have",
	   play("identify conversations key=v1 phone=2"), "updated 1 conflicts phone:2");
	is("[4.4] T", contact(1), "identified email=ann visitor=v1 +1 ?phone:2");
	is("[4.4] and O", contact(2), "identified phone=2");
	ok(conflict_of(1, "phone", "2")->owner->id == 2, "[4.4] the conflict names O");

	/* move */
	start();
	have("1 identified ext_id=1 phone=1@10");
	have("2 identified email=bob phone=2@20");
	is("[4.4] move: a newer one moves", play("identify shop ext_id=1 phone=2"), "updated 1");
	is("[4.4] to T", contact(1), "identified ext_id=1 phone=2");
	is("[4.4] from O", contact(2), "identified email=bob");
	is("[4.4] both histories say so", events(), "2:moved_out 1:moved_in");
	ok(find_event("moved_in")->other->id == 2 && find_event("moved_out")->other->id == 1,
	   "[4.4] and name the other");
	is("[4.3] T's own goes to history", find_event("moved_in")->old_value.text, "1");
	ok(row("phone", "1")->contact == NULL, "[4.3] and is free");

	start();
	have("1 identified ext_id=1 phone=1@30");
	have("2 identified email=bob phone=2@20");
	is("[4.4] not newer than O's", play("identify shop ext_id=1 phone=2 at=20"),
	   "unchanged 1 ignored phone");
	is("[4.4] nor than T's own", play("identify shop ext_id=1 phone=2 at=30"),
	   "unchanged 1 ignored phone");
	is("[4.4] newer than both", play("identify shop ext_id=1 phone=2 at=31"), "updated 1");

	start();
	have("1 identified ext_id=1");
	have("2 identified phone=2@20");
	is("[4.4] O's only identifying value is a conflict", play("identify shop ext_id=1 phone=2"),
	   "updated 1 conflicts phone:2");
	is("[4.5] it cannot be taken", contact(2), "identified phone=2");
	is("[4.4] but dropped, if not newer", play("identify shop ext_id=1 phone=2 at=20"),
	   "unchanged 1 ignored phone");

	start();
	have("1 identified ext_id=1");
	have("2 identified phone=2@20 phone~3@5 phone~4@6");
	is("[4.4] aliases count", play("identify shop ext_id=1 phone=2"), "updated 1");
	is("[4.4] the newest becomes primary", contact(2), "identified phone=4 phone~3");
	is("[9.4] with history", events(), "2:moved_out 1:moved_in 2:made_primary");
	is("[4.4] an alias can move, too", play("identify shop ext_id=1 phone=3"), "updated 1");
	is("[4.4] without another becoming primary", contact(2), "identified phone=4");
	is("[4.4] to be T's primary", contact(1), "identified ext_id=1 phone=3");

	start();
	have("1 identified ext_id=1");
	have("2 identified email=bob phone=2 !sms !email !push");
	play("identify shop ext_id=1 phone=2");
	is("[4.4] a block on its channel is copied", contact(1), "identified ext_id=1 phone=2 !sms");
	is("[4.4] O keeps its own", contact(2), "identified email=bob !email !sms !push");
	ok(find_event("blocked")->contact->id == 1, "[9.4] with history");

	start();
	have("1 identified ext_id=1 phone=1");
	have("2 identified email=bob phone=2");
	is("[4.4] who keeps primaries and moves: a conflict where T has one",
	   play("identify keeper ext_id=1 phone=2"), "updated 1 conflicts phone:2");
	start();
	have("1 identified ext_id=1");
	have("2 identified email=bob phone=2");
	is("[4.4] a move where it has none", play("identify keeper ext_id=1 phone=2"), "updated 1");
	is("[4.4] to T", contact(1), "identified ext_id=1 phone=2");

	/* refuse */
	start();
	have("1 identified ext_id=1");
	have("2 identified ext_id=2 email=bob");
	have("3 identified phone=3");
	is("[4.4] refuse: 23505", play("identify api ext_id=1 email=bob phone=3 landline=5 .a=1"), "23505");
	is("[4.4] the detail names every kind and owner", request->error.detail,
	   "email belongs to contact 2; phone belongs to contact 3.");
	is("[4.4] nothing of the call is stored", contact(1), "identified ext_id=1");
	ok(!ci_world_is_changed(world) && result.contact == NULL, "[9.4] nor anywhere");
	is("[4.4] T's own is no offence", play("identify api ext_id=1 landline=5"), "updated 1");
	is("[4.4] nor where the contact would be new", play("identify api ext_id=9 email=bob"), "23505");
	is_number("[4.4] which is then not made", world->ncontacts, 3);

	/* each identifier sees what the one before it did */
	start();
	have("1 identified ext_id=1");
	have("2 identified email=bob phone=2");
	is("[4] each sees what the one before it did", play("identify shop ext_id=1 email=bob phone=2"),
	   "updated 1 conflicts phone:2");
	is("[4.5] the last one stays", contact(2), "identified phone=2");
	is("[4] the stronger has gone", contact(1), "identified ext_id=1 email=bob ?phone:2");
}

/* RULES 4.6 and 4.7 */
static void
test_attributes(void)
{
	/* primary wins */
	start();
	have("1 identified email=ann visitor=v1@10 .city=\"Ulm\"@10 .gone=null@10 .n=1@10 +1");
	is("[4.6] missing is filled", play("identify conversations key=v1 .lang=\"de\""), "updated 1");
	is("[4.6] equal is no change", play("identify conversations key=v1 .city=\"Ulm\""), "unchanged 1");
	is("[0] 1 equals 1.0", play("identify conversations key=v1 .n=1.0"), "unchanged 1");
	is("[4.6] different opens a conflict", play("identify conversations key=v1 .city=\"Bonn\""),
	   "updated 1 conflicts city:\"Bonn\"");
	is("[4.6] JSON null is ignored", play("identify conversations key=v1 .city=null"),
	   "unchanged 1 ignored city");
	is("[4.6] also of a name that is not there", play("identify conversations key=v1 .x=null"),
	   "unchanged 1 ignored x");
	ok(attribute(1, "x") == &no_attribute, "[4.6] nothing is remembered of it");
	is("[4.6] cleared is not filled by an older value",
	   play("identify conversations key=v1 .gone=1 at=9"), "unchanged 1 ignored gone");
	is("[4.6] nor one as old", play("identify conversations key=v1 .gone=1 at=10"),
	   "unchanged 1 ignored gone");
	is("[4.6] by a newer one", play("identify conversations key=v1 .gone=1 at=11"), "updated 1");
	is("[4.6] all in all", contact(1), "identified email=ann visitor=v1 .city=\"Ulm\" .gone=1 "
	   ".lang=\"de\" .n=1 +1 ?city:\"Bonn\"");

	start();
	have("1 identified email=ann visitor=v1@10 .city=\"Ulm\"@10");
	is("[4.6] an older value is a conflict as well",
	   play("identify conversations key=v1 .city=\"Bonn\" at=5"), "updated 1 conflicts city:\"Bonn\"");
	is_number("[5.1] with its time", conflict_of(1, "city", "\"Bonn\"")->given_at, 5);

	start();
	have("1 identified email=ann visitor=v1@10 .city=\"Ulm\"@10");
	is("[4.6] equal and newer moves the time", play("identify conversations key=v1 .city=\"Ulm\" at=20"),
	   "unchanged 1");
	is_number("[4.6] forward", attribute(1, "city")->at, 20);
	play("identify conversations key=v1 .city=\"Ulm\" at=15");
	is_number("[4.6] never back", attribute(1, "city")->at, 20);
	ok(world->nevents == 0, "[4.10] without history");

	/* last update wins */
	start();
	have("1 identified ext_id=1 .city=\"Ulm\"@10 .gone=null@10");
	is("[4.7] older is dropped and named", play("identify shop ext_id=1 .city=\"Bonn\" at=9"),
	   "unchanged 1 ignored city");
	is("[4.7] equal in time, too", play("identify shop ext_id=1 .city=\"Bonn\" at=10"),
	   "unchanged 1 ignored city");
	is("[4.7] unless it is what is there", play("identify shop ext_id=1 .city=\"Ulm\" at=9"),
	   "unchanged 1");
	is("[4.7] newer replaces", play("identify shop ext_id=1 .city=\"Bonn\" at=11"), "updated 1");
	is_number("[4.7] with its time", attribute(1, "city")->at, 11);
	is("[4.7] the old one is in history", find_event("set")->old_value.json, "\"Ulm\"");
	ok(find_event("set")->old_at == 10 && find_event("set")->new_at == 11, "[10.1] with both times");
	is("[4.7] null that is older is dropped", play("identify shop ext_id=1 .city=null at=11"),
	   "unchanged 1 ignored city");
	is("[4.7] null that is newer clears", play("identify shop ext_id=1 .city=null at=12"), "updated 1");
	is("[4.7] and that is remembered", contact(1), "identified ext_id=1 .city=null .gone=null");
	is("[4.7] an older value stays out", play("identify shop ext_id=1 .city=\"Rom\" at=12"),
	   "unchanged 1 ignored city");
	is("[4.7] a newer one comes in", play("identify shop ext_id=1 .city=\"Rom\" at=13"), "updated 1");
	is("[4.7] clearing what was never there is remembered",
	   play("identify shop ext_id=1 .fax=null at=50"), "updated 1");
	is("[4.7] so that an older value stays out", play("identify shop ext_id=1 .fax=1 at=49"),
	   "unchanged 1 ignored fax");
	is("[4.16] clearing again changes nothing", play("identify shop ext_id=1 .fax=null"), "unchanged 1");
	is("[4.7] each attribute has its own time",
	   play("identify shop ext_id=1 .city=\"Wien\" .new=1 .gone=2 at=13"), "updated 1 ignored city");
	is("[4.7] all in all", contact(1), "identified ext_id=1 .city=\"Rom\" .fax=null .gone=2 .new=1");

	start();
	have("1 identified ext_id=1 .o={\"a\":1}@10");
	play("identify shop ext_id=1 .o={\"b\":2}");
	is("[0] a value is replaced whole", contact(1), "identified ext_id=1 .o={\"b\":2}");
}

/* RULES 4.8 and 4.9 */
static void
test_anonymous_attributes(void)
{
	start();
	have("1 anonymous visitor=v1 .city=\"Ulm\"@10");
	is("[4.8] of an anonymous contact the last update wins, whatever the source",
	   play("capture conversations key=v1 .city=\"Bonn\""), "updated 1");
	is("[4.8] also by null", play("capture conversations key=v1 .city=null"), "updated 1");
	is("[4.8] and older ones are dropped", play("capture conversations key=v1 .city=\"Ulm\" at=20"),
	   "unchanged 1 ignored city");

	start();
	have("1 anonymous visitor=v1 .city=\"Ulm\"@10");
	is("[4.8] also while it is identified, by a newer value",
	   play("identify conversations key=v1 email=ann .city=\"Bonn\""), "identified 1");
	is("[4.8] it is replaced", contact(1), "identified email=ann visitor=v1 .city=\"Bonn\" +1");

	start();
	have("1 anonymous visitor=v1 .city=\"Ulm\"@10 .n=1@10");
	is("[4.8] what would be dropped then is a conflict",
	   play("identify conversations key=v1 email=ann .city=\"Bonn\" .n=1.0 at=9"),
	   "identified 1 conflicts city:\"Bonn\"");
	is("[4.16] which the same call meets again",
	   play("identify conversations key=v1 email=ann .city=\"Bonn\" .n=1.0 at=9"),
	   "unchanged 1 conflicts city:\"Bonn\"");

	start();
	have("1 anonymous visitor=v1 .city=null@10");
	is("[4.8] also against a cleared one",
	   play("identify conversations key=v1 email=ann .city=\"Bonn\" at=9"),
	   "identified 1 conflicts city:\"Bonn\"");
	is("[4.16] again", play("identify conversations key=v1 email=ann .city=\"Bonn\" at=9"),
	   "unchanged 1 conflicts city:\"Bonn\"");

	start();
	have("1 anonymous visitor=v1 .city=\"Ulm\"@10");
	is("[4.8] null is no value to be offered",
	   play("identify conversations key=v1 email=ann .city=null at=9"), "identified 1 ignored city");

	start();
	have("1 anonymous push=p1 .city=\"Ulm\"@10");
	is("[4.8] in a source where the last update wins it is dropped",
	   play("identify push key=p1 email=ann .city=\"Bonn\" at=9"), "identified 1 ignored city");

	start();
	have("1 anonymous visitor=v1 .city=\"Ulm\"@10");
	is("[4.8] and where the call does not identify",
	   play("identify conversations key=v1 .city=\"Bonn\" at=9"), "unchanged 1 ignored city");

	/* merged in a source whose primary wins */
	start();
	have("1 anonymous visitor=v1 .lang=\"de\"@10 .city=\"Ulm\"@10 .same=1@10");
	have("2 identified email=ann .city=\"Bonn\"@5 .same=1@5");
	is("[4.9] what K brings is asked about by 4.6",
	   play("identify conversations key=v1 email=ann"), "merged 2 merged 1 conflicts city:\"Ulm\"");
	is("[4.9] filled or kept beside", contact(2), "identified email=ann visitor=v1 .city=\"Bonn\" "
	   ".lang=\"de\" .same=1 +1 ?city:\"Ulm\"");
	is_number("[4.9] with its own time", attribute(2, "lang")->at, 10);
	is_number("[4.9] an equal one moves the time", attribute(2, "same")->at, 10);
	ok(first_merge()->time_moves != NULL && first_merge()->time_moves->at == 5 &&
	   strcmp(first_merge()->time_moves->name, "same") == 0 &&
	   first_merge()->time_moves->next == NULL, "[10.3] and the merge knows the time before");

	start();
	have("1 anonymous visitor=v1 .a=1@10 .b=1@10 .c=1@30");
	have("2 identified email=ann");
	is("[4.9] of K's and the call's the newer, the call's on a tie",
	   play("identify conversations key=v1 email=ann .a=2 .b=2 .c=2 at=10"),
	   "merged 2 merged 1 ignored c");
	is("[4.9] for each name", contact(2), "identified email=ann visitor=v1 .a=2 .b=2 .c=1 +1");
	is_number("[4.9] with its time", attribute(2, "c")->at, 30);

	start();
	have("1 anonymous visitor=v1 .a=1@10");
	have("2 identified email=ann .a=3@20");
	is("[4.9] so at most one of the two is a conflict",
	   play("identify conversations key=v1 email=ann .a=2"), "merged 2 merged 1 conflicts a:2");

	start();
	have("1 anonymous visitor=v1 .a=null@10 .b=5@10");
	have("2 identified email=ann .a=3@5");
	is("[4.6] JSON null is ignored in 4.9, too",
	   play("identify conversations key=v1 email=ann .b=null"), "merged 2 merged 1 ignored b");
	is("[4.6] neither K's nor the call's counts", contact(2),
	   "identified email=ann visitor=v1 .a=3 .b=5 +1");

	/* merged in a source where the last update wins */
	start();
	have("1 anonymous push=p1 .a=1@10 .b=1@10 .c=null@10 .d=1@10");
	have("2 identified email=ann .a=2@5 .b=2@15 .c=2@5 .d=null@15");
	is("[4.9] by 4.7 the newer wins", play("identify push key=p1 email=ann"),
	   "merged 2 merged 1 ignored b d");
	is("[4.9] for each name", contact(2), "identified email=ann push=p1 .a=1 .b=2 .c=null .d=null");
	is("[6.2] what lost is in the merge", psprintf("%d", first_merge()->nattributes), "4");
}

/* RULES 4.10 */
static void
test_time(void)
{
	start();
	have("1 identified ext_id=1 .a=1@10");
	play("identify shop ext_id=1 .a=2 at=5000");
	is_number("[4.10] a time in the future counts as now", attribute(1, "a")->at, NOW);
	is("[4.10] so two of them are of one time", play("identify shop ext_id=1 .a=3 at=6000"),
	   "unchanged 1 ignored a");
	play("identify shop ext_id=1 .a=4");
	is("[4.10] a call without it is newer than everything stored", attribute(1, "a")->json, "4");
	is_number("[4.10] a microsecond after what it is compared with", attribute(1, "a")->at, NOW + 1);

	start();
	have("1 identified ext_id=1 email=ann@10");
	play("identify shop ext_id=1 email=bob");
	play("identify shop ext_id=1 email=cat");
	is("[4.10] of two requests of one batch the later wins", contact(1), "identified ext_id=1 email=cat");

	start();
	have("1 identified ext_id=1");
	have("2 identified ext_id=2 phone=5@2000");
	play("identify shop ext_id=1 phone=5");
	is("[4.10] also of a value that another has", contact(1), "identified ext_id=1 phone=5");
	play("identify shop ext_id=2 phone=5");
	is("[4.10] and back", contact(2), "identified ext_id=2 phone=5");

	start();
	have("1 identified email=ann push=p1@2000");
	have("2 identified email=bob");
	is("[4.10] and of a key", play("identify push key=p1 email=bob"), "switched 2");
	is("[4.10] back", play("identify push key=p1 email=ann"), "switched 1");

	start();
	have("1 anonymous push=p1 .a=1@2000");
	have("2 identified email=bob");
	play("identify push key=p1 email=bob .a=2");
	is("[4.10] and than what K brings", contact(2), "identified email=bob push=p1 .a=2");

	start();
	have("1 identified ext_id=1 email=ann@10 .a=1@10");
	is("[4.10] a newer confirmation is unchanged", play("identify shop ext_id=1 email=ann .a=1 at=20"),
	   "unchanged 1");
	ok(row("email", "ann")->updated_at == 20 && attribute(1, "a")->at == 20 && world->nevents == 0,
	   "[4.10] and moves the times forward, without history");
	ok(ci_world_is_changed(world), "[4.10] which is to be written");
	is("[4.10] so that what came between stays out",
	   play("identify shop ext_id=1 email=bob .a=2 at=15"), "unchanged 1 ignored email a");

	start();
	have("1 identified ext_id=1@10 email=ann@10 .a=1@10");
	is("[4.10] without a time a confirmation", play("identify shop ext_id=1 email=ann .a=1"),
	   "unchanged 1");
	ok(!ci_world_is_changed(world), "[4.10] writes nothing");
}

/* RULES 4.12, 4.13, 4.14 */
static void
test_lists(void)
{
	start();
	is("[4.12] the default list", play("identify conversations key=v1 email=ann"), "created -1");
	is("[4.12] has whom the source identifies", contact(-1), "identified email=ann visitor=v1 +1");
	is("[9.4] with history", events(), "-1:created -1:attached -1:added -1:list_added");

	start();
	have("1 identified email=ann visitor=v1");
	is("[4.12] not by a key alone", play("capture conversations key=v1"), "unchanged 1");
	is("[4.12] nor with attributes", play("identify conversations key=v1 .a=1"), "updated 1");
	is("[4.12] so far", contact(1), "identified email=ann visitor=v1 .a=1");
	is("[4.12] an identifier, though it is known", play("identify conversations key=v1 email=ann"),
	   "updated 1");
	is("[4.12] puts it there", contact(1), "identified email=ann visitor=v1 .a=1 +1");
	is("[4.16] once", play("identify conversations key=v1 email=ann"), "unchanged 1");
	is("[4.12] remove_from_list", play("remove contact=1 list=1"), "updated 1");
	is("[4.12] keeps the row as unsubscribed", contact(1), "identified email=ann visitor=v1 .a=1 -1");
	is("[4.12] who was ever on it is not put there again",
	   play("identify conversations key=v1 email=ann"), "unchanged 1");
	is("[4.12] but by add_to_list", play("add contact=1 list=1"), "updated 1");
	is("[4.12] is", contact(1), "identified email=ann visitor=v1 .a=1 +1");
	is("[4.16] again changes nothing", play("add contact=1 list=1"), "unchanged 1");
	is("[4.12] off a list that it was never on nobody is taken", play("remove contact=1 list=2"),
	   "unchanged 1");
	is("[4.12] a list that is not there is an error", play("add contact=1"), "22023");

	start();
	have("1 anonymous push=p1");
	play("identify push key=p1 email=ann");
	is("[4.12] push does not use the list", contact(1), "identified email=ann push=p1");

	start();
	have("1 anonymous facebook=f1");
	have("2 anonymous instagram=i1");
	is("[4.13] every via leads to identification",
	   play("identify conversations via=facebook key=f1 email=ann"), "identified 1");
	is("[4.13] in the same way", play("identify conversations via=instagram key=i1 phone=1"),
	   "identified 2");
	is("[4.13] it is recorded", world->last_event->request->via, "instagram");

	start();
	have("1 identified email=ann visitor=v1 !email !push -1 -2");
	play("identify conversations key=v1 email=ann phone=1");
	is("[4.14] identification lifts no block", contact(1),
	   "identified email=ann phone=1 visitor=v1 -1 -2 !email !push");
	is("[4.14] block", play("block contact=1 channel=sms"), "updated 1");
	is("[4.16] again", play("block contact=1 channel=sms"), "unchanged 1");
	is("[4.14] unblock", play("unblock contact=1 channel=email"), "updated 1");
	is("[4.16] again", play("unblock contact=1 channel=email"), "unchanged 1");
	is("[4.14] only these lift them", contact(1),
	   "identified email=ann phone=1 visitor=v1 -1 -2 !sms !push");
	is("[4.14] of nobody", play("block contact=9 channel=sms"), "P0002");
}

/* RULES 4.16 */
static void
test_again(void)
{
	static const char *const calls[] = {
		"identify conversations key=v1 email=ann phone=1 .city=\"Ulm\"",
		"identify conversations key=v2 email=ann phone=2 .city=\"Bonn\" .x=null",
		"identify push key=p1 email=ann .city=\"Rom\"",
		"identify shop ext_id=1 email=bob phone=2 .fax=null",
		"identify shop ext_id=1 email=ann at=1",
		"identify api ext_id=1 .a=1 verified",
		"identify keeper key=v3 email=bob phone=1 .a=2",
		"identify conversations key=v1 email=bob verified",
		"identify push key=p1 email=cat",
	};
	char	   *steps = "";
	bool		same = true;

	start();
	for (int i = 0; i < lengthof(calls); i++)
	{
		int64		id;

		play(calls[i]);
		id = result.contact->id;
		for (CiContact *one = world->contacts; one != NULL; one = one->next)
			one->touched = one->attributes_touched = false;
		play(calls[i]);
		if (result.outcome != CI_OUTCOME_UNCHANGED || result.contact->id != id ||
			events()[0] != '\0')
			same = false, steps = psprintf("%s %d", steps, i);
		for (CiContact *one = world->contacts; one != NULL; one = one->next)
		{
			if (one->touched || one->attributes_touched)
				same = false, steps = psprintf("%s touched in %d", steps, i);
		}
	}
	ok(same, "[4.16] the same call again changes nothing, whatever it was");
	if (!same)
		printf("# steps%s\n", steps);
}

/* RULES 4.17 */
static void
test_outcome(void)
{
	start();
	have("1 anonymous visitor=v1");
	have("2 identified email=ann");
	have("3 identified email=bob visitor=v3");
	have("4 anonymous push=p4");
	is("[4.17] merged", play("identify conversations key=v1 email=ann phone=1"), "merged 2 merged 1");
	is("[4.17] switched", play("identify conversations key=v3 email=ann .a=1 verified"), "switched 2");
	is("[4.17] switched comes before created", play("identify keeper key=v3 email=new verified"),
	   "switched -1");
	is("[4.17] created", play("identify shop email=x"), "created -2");
	is("[4.17] captured", play("capture push key=p9 .a=1"), "captured -3");
	is("[4.17] identified", play("identify push key=p4 email=y"), "identified 4");
	is("[4.17] updated: a value", play("identify shop email=y .a=1"), "updated 4");
	is("[4.17] updated: a key", play("identify push key=p5 email=y"), "updated 4");
	is("[4.17] updated: a list", play("identify conversations email=y"), "updated 4");
	is("[4.17] updated: a new conflict", play("identify conversations email=y .a=2"),
	   "updated 4 conflicts a:2");
	is("[4.17] unchanged, with the conflict met again", play("identify conversations email=y .a=2"),
	   "unchanged 4 conflicts a:2");
	is("[4.17] updated: verified", play("identify shop email=y verified"), "updated 4");
	is("[4.17] unchanged", play("identify shop email=y verified"), "unchanged 4");
	is("[4.17] what is ignored is named once each",
	   play("identify shop email=y .a=3 .b=4 at=1"), "updated 4 ignored a");
	is("[4.17] as often as it is", play("identify shop email=y .a=3 .b=5 at=1"),
	   "unchanged 4 ignored a b");

	/* A conflict that the call itself makes obsolete is not open. */
	start();
	have("1 anonymous visitor=v1 .city=\"Ulm\"@10");
	have("2 identified email=ann .city=\"Bonn\"@5");
	have_conflict("70 2 .city:\"Rom\" visitor=v1", CI_OPEN);
	is("[4.17] only open conflicts are named", play("identify conversations key=v1 email=ann"),
	   "merged 2 merged 1 conflicts city:\"Ulm\"");
}

/* RULES 4.18 */
static void
test_verified(void)
{
	start();
	have("1 identified ext_id=1 email=ann visitor=v1 +1");
	is("[4.18] a claim does not set it", play("identify conversations key=v1 email=ann"), "unchanged 1");
	is("[4.18] a call with verified sets what it gives",
	   play("identify conversations key=v1 email=ann verified"), "updated 1");
	is("[4.18] and nothing else", contact(1), "identified ext_id=1 email=ann/verified visitor=v1/verified +1");
	is("[9.4] with history", events(), "1:verified 1:verified");
	play("identify conversations key=v1 email=ann");
	is("[4.18] a claim does not clear it", contact(1),
	   "identified ext_id=1 email=ann/verified visitor=v1/verified +1");
	play("identify shop ext_id=1 email=new");
	is("[4.18] a new value is not proved by the old", contact(1),
	   "identified ext_id=1 email=new visitor=v1/verified +1");

	start();
	have("1 identified ext_id=1");
	have("2 identified email=bob phone=2/verified");
	play("identify shop ext_id=1 phone=2");
	is("[4.18] what moves has it anew", contact(1), "identified ext_id=1 phone=2");
	play("identify shop email=bob phone=2 verified");
	is("[4.18] from the call that moved it", contact(2), "identified email=bob/verified phone=2/verified");

	start();
	have("1 identified email=ann push=p1/verified");
	have("2 identified email=bob");
	play("identify push key=p1 email=bob");
	is("[4.18] keys as well", contact(2), "identified email=bob push=p1");

	start();
	have("1 anonymous visitor=v1/verified visitor=v2/verified");
	have("2 identified email=bob");
	play("identify conversations key=v1 email=bob verified");
	is("[4.18] in a merge only what the call gives", contact(2),
	   "identified email=bob/verified visitor=v1/verified visitor=v2 +1");
	ok(find_event("moved_in")->new_state.verified ==
	   (strcmp(find_event("moved_in")->new_value.text, "v1") == 0),
	   "[9.4] as history has it");

	start();
	have("1 anonymous visitor=v1/verified");
	have("2 identified email=bob");
	play("identify conversations key=v1 email=bob");
	is("[4.18] by a claim nothing", contact(2), "identified email=bob visitor=v1 +1");
}

/* The limits on attributes, which RULES leave to the README. */
static void
test_limits(void)
{
	char	   *large = palloc0(CI_MAX_ATTRIBUTE_BYTES / 2 + 1);
	const char *line = "identify shop ext_id=1";

	memset(large, '1', CI_MAX_ATTRIBUTE_BYTES / 2);
	start();
	have("1 identified ext_id=1");
	is("[4] half of what a contact may have", play(psprintf("identify shop ext_id=1 .a=%s", large)),
	   "updated 1");
	is("[4] in the place of it another half", play(psprintf("identify shop ext_id=1 .a=%s", large)),
	   "unchanged 1");
	is("[4] more is refused", play(psprintf("identify shop ext_id=1 .b=%s", large)), "54000");
	is("[4] and nothing is stored", attribute(1, "b")->name, "none");
	is("[4] so is a larger one in its place", play(psprintf("identify shop ext_id=1 .a=%s%s", large, large)),
	   "54000");

	start();
	have(psprintf("1 identified ext_id=1 .a=%s .b=%s", large, large));
	is("[4] who has too much may say the same again", play(psprintf("identify shop ext_id=1 .a=%s", large)),
	   "unchanged 1");
	is("[4] have less", play("identify shop ext_id=1 .a=1"), "updated 1");

	start();
	have("1 identified ext_id=1");
	for (int i = 0; i < CI_MAX_ATTRIBUTES; i++)
		line = psprintf("%s .a%d=1", line, i);
	is("[4] as many attributes as may be", play(line), "updated 1");
	is("[4] one more", play("identify shop ext_id=1 .b=1"), "54000");
	is("[4] those that are there", play("identify shop ext_id=1 .a1=2"), "updated 1");
	is("[4] are not hindered by it", play("identify shop ext_id=1 email=ann"), "updated 1");
}

int
main(void)
{
	test_free();
	test_owned();
	test_attributes();
	test_anonymous_attributes();
	test_time();
	test_lists();
	test_again();
	test_outcome();
	test_verified();
	test_limits();
	return done();
}
