-- RULES 10.2 to 10.4: what would happen, undoing a merge, different people.
BEGIN;
\ir words.psql
SELECT plan(57);


------------------------------------------------------------------ [10.2]
CALL given('ann', identify('shop', email => 'ann@example.org', phone => '+12065550100', attributes => '{"city": "Ulm"}'));
CALL given('visitor', capture('conversations', 'v1', '{"lang": "de"}'));
CREATE TABLE there AS SELECT (SELECT count(*) FROM history) AS events, (SELECT max(event_id) FROM history) AS newest;

SELECT results_eq(
    $$ SELECT after ->> 'outcome', (after ->> 'contact_id')::bigint, (after ->> 'merged_contact_id')::bigint, after -> 'conflicts'
       FROM preview_identify('conversations', 'v1', email => 'ann@example.org', phone => '+12065550199')
       WHERE table_name = 'identify_result' $$,
    $$ VALUES ('merged', id('ann'), id('visitor'), '[null]'::jsonb) $$,
    '[10.2] the answer is the one that the call would give; a conflict that does not exist yet is null');
SELECT ok((SELECT rules @> '{3.3,3.8,4.1,4.3}' FROM preview_identify('conversations', 'v1', email => 'ann@example.org',
               phone => '+12065550199') WHERE table_name = 'identify_result'),
    '[10.2] with the rules that decided');
SELECT set_eq(
    $$ SELECT DISTINCT table_name FROM preview_identify('conversations', 'v1', email => 'ann@example.org', phone => '+12065550199') $$,
    $$ VALUES ('identify_result'), ('contact'), ('identifier'), ('conflict'), ('list_member'), ('merge'), ('history'), ('contact_count') $$,
    '[10.2] and the rows of each table that would change');
SELECT results_eq(
    $$ SELECT before ->> 'state', after ->> 'state', (after ->> 'survivor_id')::bigint
       FROM preview_identify('conversations', 'v1', email => 'ann@example.org')
       WHERE table_name = 'contact' AND row_key = jsonb_build_object('contact_id', id('visitor')) $$,
    $$ VALUES ('anonymous', 'merged', id('ann')) $$, '[10.2] before and after');
SELECT results_eq(
    $$ SELECT (before ->> 'contact_id')::bigint, (after ->> 'contact_id')::bigint, rules
       FROM preview_identify('conversations', 'v1', email => 'ann@example.org')
       WHERE table_name = 'identifier' AND row_key ->> 'value' = 'v1' $$,
    $$ VALUES (id('visitor'), id('ann'), '{3.8}'::text[]) $$, '[10.2] each row with the rules that are about it');
SELECT results_eq(
    $$ SELECT before, row_key -> 'contact_id' FROM preview_identify('shop', email => 'new@example.org') WHERE table_name = 'contact' $$,
    $$ VALUES (NULL::jsonb, 'null'::jsonb) $$, '[10.2] a contact that does not exist yet has no id');
SELECT results_eq(
    $$ SELECT table_name, after ->> 'outcome' FROM preview_identify('conversations', 'v1') $$,
    $$ VALUES ('identify_result', 'unchanged') $$, '[10.2] where nothing would change there is only the answer');
SELECT throws_ok($$ SELECT * FROM preview_identify('api', email => 'no address') $$, '22023', NULL,
    '[10.2] what the call would refuse is refused');
SELECT throws_ok($$ SELECT * FROM preview_merge(id('ann'), id('visitor'), NULL) $$, '22023', 'an agent''s name is needed',
    '[10.2] so is a merge');
SELECT results_eq(
    $$ SELECT after ->> 'outcome' FROM preview_merge(id('ann'), id('visitor'), 'Eve') WHERE table_name = 'identify_result' $$,
    $$ VALUES ('merged') $$, '[10.2] and one that is not is shown');
SELECT results_eq('SELECT count(*), max(event_id) FROM history', 'SELECT events, newest FROM there', '[10.2] nothing was written');
SELECT is(resolve(id('visitor')), id('visitor'), '[10.2] nobody ended');
CREATE TABLE shown AS SELECT after ->> 'event' AS event
FROM preview_identify('conversations', 'v1', email => 'ann@example.org') WHERE table_name = 'history';
CALL done(identify('conversations', 'v1', email => 'ann@example.org'));
SELECT bag_eq('SELECT h.event FROM history h, there WHERE h.event_id > there.newest', 'SELECT event FROM shown',
    '[10.2] the call then writes the history that was shown');

------------------------------------------------------------------ [10.3]
SELECT is(said(unmerge(id('visitor'), 'Eve')), 'updated visitor', '[10.3] the merge is undone');
SELECT is(holds('visitor'), 'visitor v1', '[10.3] the key is back');
SELECT is(attributes_of('visitor'), '{"lang": "de"}', '[10.3] so are the attributes');
SELECT is(attributes_of('ann'), '{"city": "Ulm"}', '[10.3] of both');
SELECT is((SELECT state FROM all_contacts WHERE contact_id = id('visitor')), 'anonymous', '[10.3] and the state');
SELECT is((SELECT count(*) FROM distinct_contacts WHERE (contact_id, other_contact_id) IN
           ((id('ann'), id('visitor')), (id('visitor'), id('ann')))), 1::bigint,
    '[10.3] an anonymous one is set distinct from whom it was merged into');
SELECT is(said(identify('conversations', 'v1', email => 'ann@example.org')), 'updated visitor conflict email',
    '[10.3] [10.4] so the next page view does not merge them again');
SELECT throws_ok(format('SELECT unmerge(%s, %L)', id('visitor'), 'Eve'), '55000',
    format('contact %s is not merged', id('visitor')), '[10.3] it is undone once');
SELECT is((SELECT undone_by FROM merges WHERE merged_id = id('visitor')), 'Eve', '[10.3] the merge says who undid it');
SELECT throws_ok(format('SELECT unmerge(%s, NULL)', id('visitor')), '22023', 'an agent''s name is needed', '[10.3] an agent undoes it');
SELECT throws_ok($$ SELECT unmerge(999999, 'Eve') $$, 'P0002', 'contact 999999 does not exist', '[10.3] nobody of that id');
SELECT throws_ok($$ SELECT unmerge(NULL, 'Eve') $$, '22023', 'loser must be given', '[10.3] nobody named');

-- What was written since.
CALL given('bob', identify('shop', email => 'bob@example.org', attributes => '{"plan": "free"}'));
CALL given('rob', identify('push', 'rob 1', email => 'rob@example.org', attributes => '{"plan": "pro", "vip": true}'));
CALL done(merge(id('bob'), id('rob'), 'Eve'));
CALL done(identify('shop', email => 'bob@example.org', attributes => '{"since": "bob"}'));
CALL done(identify('push', 'rob 1', attributes => '{"since key": "rob"}'));
CALL done(identify('push', 'rob 1', phone => '+12065550123'));
CALL done(identify('shop', email => 'rob@example.org', attributes => '{"since alias": "rob"}'));
CALL done(identify('push', 'bob 1', email => 'bob@example.org'));
CALL done(unmerge(id('rob'), 'Eve'));
SELECT is(holds('bob'), 'email bob@example.org, push bob 1', '[10.3] what was given with the survivor''s own stays with it');
SELECT is(holds('rob'), 'email rob@example.org, phone +12065550123, push rob 1',
    '[10.3] what was given with a key that goes back goes along');
SELECT is(attributes_of('bob'), '{"plan": "free", "since": "bob"}', '[10.3] so do attributes: those of the one');
SELECT is(attributes_of('rob'), '{"plan": "pro", "vip": true, "since key": "rob", "since alias": "rob"}',
    '[10.3] and of the other, given with its key or its identifier');
SELECT is((SELECT count(*) FROM conflicts WHERE contact_id IN (id('bob'), id('rob'))), 0::bigint,
    '[10.3] the conflicts of the merge are gone');
SELECT is((SELECT count(*) FROM distinct_contacts WHERE id('rob') IN (contact_id, other_contact_id)), 0::bigint,
    '[10.3] an identified one is not set distinct');

-- A value that the survivor lost to the key that goes back.
CALL given('cat', identify('shop', email => 'cat@example.org'));
CALL given('kat', capture('conversations', 'kat 1'));
CALL done(merge(id('cat'), id('kat'), 'Eve'));
UPDATE source SET same_value = 'last_update_wins' WHERE source = 'conversations';
CALL done(identify('conversations', 'kat 1', email => 'kat@example.org'));
UPDATE source SET same_value = 'primary_wins' WHERE source = 'conversations';
SELECT is(holds('cat'), 'email kat@example.org, visitor kat 1', '[4.3] the last update wins');
CALL done(unmerge(id('kat'), 'Eve'));
SELECT is(holds('cat'), 'email cat@example.org', '[10.3] the survivor has again what it had');
SELECT is(holds('kat'), 'email kat@example.org, visitor kat 1', '[10.3] and the other what came with its key');
SELECT is((SELECT state FROM contacts WHERE contact_id = id('kat')), 'identified', '[1.4] which makes it identified');

-- What is in the way.
CALL given('dan', identify('shop', email => 'dan@example.org'));
CALL given('den', identify('push', 'den 1', email => 'den@example.org'));
CALL given('don', identify('shop', email => 'don@example.org'));
CALL done(merge(id('dan'), id('den'), 'Eve'));
CALL done(merge(id('don'), id('dan'), 'Eve'));
SELECT throws_like(format('SELECT unmerge(%s, %L)', id('den'), 'Eve'), '%cannot be undone now', '[10.3] a later merge is in the way');
CALL done(unmerge(id('dan'), 'Eve'));
SELECT is(resolve(id('den')), id('dan'), '[10.3] [6.3] who had ended in it ends in it again');
CALL done(unmerge(id('den'), 'Eve'));
SELECT is(holds('dan') || '; ' || holds('den') || '; ' || holds('don'),
    'email dan@example.org; email den@example.org, push den 1; email don@example.org', '[10.3] newest first, all are as they were');
CALL done(merge(id('dan'), id('den'), 'Eve'));
CALL given('dip', identify('push', 'den 1', email => 'dip@example.org', ext_id => 'dip'));
SELECT is(holds('dip'), 'email dip@example.org, ext_id dip, push den 1', '[3.9] a key moved');
SELECT throws_ok(format('SELECT unmerge(%s, %L)', id('den'), 'Eve'), '55000',
    format('the merge of contact %s cannot be undone now', id('den')), '[10.3] a value since moved is in the way');
CALL done(logout('push', 'den 1'));
CALL done(unmerge(id('den'), 'Eve'));
SELECT is(holds('den'), 'email den@example.org', '[1.9] a key that was logged out stays so');

-- What an undoing puts back has not been given since.
CALL given('una', identify('shop', ext_id => 'una'));
CALL given('uno', identify('shop', ext_id => 'uno', attributes => '{"pet": "cat"}'));
CALL given('uri', identify('shop', ext_id => 'uri'));
CALL done(merge(id('una'), id('uno'), 'Eve'));
CALL done(identify('shop', ext_id => 'uno', whatsapp => '+12065550177', attributes => '{"hat": "red"}'));
CALL done(merge(id('uri'), id('una'), 'Eve'));
CALL done(unmerge(id('una'), 'Eve'));
CALL done(unmerge(id('uno'), 'Eve'));
SELECT results_eq($$ SELECT name_of(contact_id), ext_id COLLATE "default", whatsapp COLLATE "default", attributes::text
    FROM all_contacts WHERE contact_id IN (id('una'), id('uno'), id('uri')) ORDER BY ext_id $$,
    $$ VALUES ('una', 'una', NULL, '{}'), ('uno', 'uno', '+12065550177', '{"hat": "red", "pet": "cat"}'), ('uri', 'uri', NULL, '{}') $$,
    '[10.3] of a chain, undone newest first, each has what is its own');
-- Nor is what the merge in between had replaced.
CALL done(merge(id('una'), id('uno'), 'Eve'));
CALL done(identify('shop', ext_id => 'uno', attributes => '{"city": "Lyon"}'));
CALL given('ugo', identify('shop', ext_id => 'ugo', attributes => '{"city": "Bonn"}'));
CALL done(merge(id('una'), id('ugo'), 'Eve', newer_wins => true));
CALL done(unmerge(id('ugo'), 'Eve'));
CALL done(unmerge(id('uno'), 'Eve'));
SELECT results_eq($$ SELECT name_of(contact_id), attributes->>'city' FROM all_contacts
    WHERE contact_id IN (id('una'), id('uno'), id('ugo')) ORDER BY ext_id $$,
    $$ VALUES ('ugo', 'Bonn'), ('una', NULL), ('uno', 'Lyon') $$,
    '[10.3] a value that a merge in between had replaced goes back with its key');

-- Opt-outs, blocks and lists.
CALL given('eli', identify('shop', email => 'eli@example.org'));
CALL given('ely', identify('push', 'ely 1', email => 'ely@example.org'));
CALL done(block(id('ely'), 'email'));
CALL done(merge(id('eli'), id('ely'), 'Eve'));
CALL done(unsubscribe('push', 'ely 1'));
CALL done(block(id('eli'), 'sms'));
CALL done(unmerge(id('ely'), 'Eve'));
SELECT is((SELECT active FROM identifiers WHERE kind = 'push' AND value = 'ely 1'), false, '[1.7] an opt-out goes along');
SELECT results_eq($$ SELECT name_of(contact_id), channel COLLATE "default" FROM block WHERE contact_id IN (id('eli'), id('ely')) ORDER BY 1 $$,
    $$ VALUES ('eli', 'sms'), ('ely', 'email') $$, '[10.3] blocks are whose they were, a later one stays');

------------------------------------------------------------------ [10.4]
CALL given('fay', identify('push', 'fay 1', ext_id => 'fay'));
CALL given('fey', identify('shop', email => 'fey@example.org'));
SELECT ok(set_distinct(id('fey'), id('fay'), 'Eve'), '[10.4] they are different people');
SELECT ok(NOT set_distinct(id('fay'), id('fey'), 'Eve'), '[10.4] which is said once, either way round');
SELECT throws_ok(format('SELECT merge(%s, %s, %L)', id('fay'), id('fey'), 'Eve'), '55000', 'the contacts are set distinct',
    '[10.4] merge refuses');
SELECT is(said(identify('push', 'fay 1', email => 'fey@example.org')), 'updated fay conflict email',
    '[10.4] one is disqualified for the key of the other, and its value is a conflict, though push moves values');
-- A merge hands it on, and its undoing takes it back.
CALL given('gus', identify('shop', email => 'gus@example.org'));
CALL done(merge(id('gus'), id('fey'), 'Eve'));
SELECT throws_ok(format('SELECT merge(%s, %s, %L)', id('fay'), id('gus'), 'Eve'), '55000', 'the contacts are set distinct',
    '[10.4] the survivor of one is distinct from the other');
CALL done(unmerge(id('fey'), 'Eve'));
SELECT is(said(merge(id('gus'), id('fay'), 'Eve')), 'merged gus < fay',
    '[10.3] and no longer, when that is undone');
CALL done(unmerge(id('fay'), 'Eve'));
SELECT ok(set_distinct(id('fay'), id('fey'), 'Eve', lifted => true), '[10.4] until it is lifted');
SELECT ok(NOT set_distinct(id('fay'), id('fey'), 'Eve', lifted => true), '[10.4] once');
SELECT is(said(merge(id('fay'), id('fey'), 'Eve')), 'merged fay < fey', '[10.4] then they can be merged');
SELECT throws_ok(format('SELECT set_distinct(%s, %s, %L)', id('fay'), id('fey'), 'Eve'), '55000', 'the contacts are one',
    '[10.4] who is one cannot be two');
SELECT throws_ok(format('SELECT set_distinct(%s, %1$s, %L)', id('fay'), 'Eve'), '22023', NULL, '[10.4] nor from oneself');

SELECT is_empty('SELECT * FROM check_integrity()', '[9.4] check_integrity() finds no breach');
SELECT * FROM finish();
ROLLBACK;
