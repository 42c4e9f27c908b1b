-- RULES 6: merging, by identify and by merge().
BEGIN;
\ir words.psql
SELECT plan(88);

--------------------------------------------------------------- who survives
CALL given('older', capture('conversations', 'older', '{"city": "Bonn", "name": "A"}', 'chat'));
CALL given('ann', identify('shop', email => 'ann@example.org', attributes => '{"city": "Ulm"}'));
SELECT is(said(identify('conversations', 'older', email => 'ann@example.org')), 'merged ann < older conflict city',
    '[6.1] the identified contact survives, though it is younger');
CALL given('chatty', capture('push', 'chatty', '{"a": 1, "b": 2}'));
SELECT is(said(identify('push', 'chatty', email => 'ann@example.org', verified => true)), 'merged ann < chatty',
    '[6.1] though the other is verified');
CALL given('third', capture('conversations', 'third'));
SELECT is(said(identify('conversations', contact_id => id('third'), email => 'ann@example.org')), 'merged ann < third',
    '[6.1] though the other is named');
SELECT is((SELECT array_agg(state || ' ' || name_of(survivor_id) ORDER BY contact_id) FROM contact
           WHERE contact_id IN (id('older'), id('chatty'), id('third'))),
    '{merged ann,merged ann,merged ann}', '[6.1] they ended');
SELECT is((SELECT count(*) FROM all_contacts WHERE contact_id IN (id('older'), id('chatty'), id('third'))), 0::bigint,
    '[6.1] and are listed nowhere');

-------------------------------------------------------------- nothing is lost
-- An anonymous contact with all that one can have.
CALL given('bo', capture('conversations', 'bo', '{"city": "Bonn", "zip": "1", "name": "Bo"}', occurred_at => day(3)));
CALL done(identify('conversations', 'bo 2', contact_id => id('bo'), occurred_at => day(3)));
CALL done(identify('push', 'bo push', contact_id => id('bo'), occurred_at => day(3)));
CALL done(unsubscribe('push', 'bo push'));
CALL done(add_to_list(id('bo'), 'Contacts active in Conversations', 'agent'));
CALL done(block(id('bo'), 'sms', 'agent'));
CALL given('cy', identify('shop', email => 'cy@example.org', phone => '+12065550101', occurred_at => day(5),
                          attributes => '{"city": "Ulm", "zip": "1"}'));
SELECT count(*) AS events FROM history WHERE contact_id = id('bo') \gset
SELECT is(said(identify('conversations', 'bo', email => 'cy@example.org', occurred_at => day(6))), 'merged cy < bo conflict city',
    '[6.2] a contact with everything is merged');
SELECT is(holds('cy'), 'email cy@example.org, phone +12065550101, push bo push, visitor bo, visitor bo 2',
    '[6.2] keys are on the survivor');
SELECT is((SELECT active FROM identifiers WHERE contact_id = id('cy') AND value = 'bo push'), false,
    '[6.2] opted out as they were');
SELECT is(lists_of('cy'), 'Contacts active in Conversations', '[6.2] lists');
SELECT is(attributes_of('cy'), '{"city": "Ulm", "zip": "1", "name": "Bo"}', '[6.2] attributes');
SELECT is(conflicts_of('cy'), 'city Bonn', '[6.2] or conflicts');
SELECT is(reach_of('cy'), 'email', '[6.2] blocks');
SELECT ok((SELECT count(*) FROM history WHERE contact_id = id('bo')) > :events,
    '[6.2] history is there, under its own number');
CALL given('di', identify('conversations', 'di', email => 'di@example.org', attributes => '{"city": "Rom"}'));
CALL done(identify('conversations', 'di', attributes => '{"city": "Oslo"}'));
CALL done(identify('conversations', 'di', email => 'cy@example.org', phone => '+12065550101'));
CALL done(identify('conversations', 'di', attributes => '{"city": "Riga"}'));
SELECT is(conflicts_of('di'), 'city Oslo obsolete, email cy@example.org of cy, phone +12065550101 of cy, city Riga',
    '[6.2] (conflicts)');
CALL given('el', identify('shop', email => 'el@example.org'));
CALL done(merge(id('el'), id('di'), 'agent'));
SELECT is(conflicts_of('el'), 'city Oslo obsolete, email cy@example.org of cy, phone +12065550101 of cy, city Riga, email di@example.org',
    '[6.2] conflicts follow, settled ones too');
SELECT is(conflicts_of('di'), '', '[6.2] and are not there twice');

---------------------------------------------------------------------- resolve
CALL given('f1', identify('conversations', 'f1', email => 'f1@example.org'));
CALL given('f2', identify('shop', email => 'f2@example.org'));
CALL given('f3', identify('shop', email => 'f3@example.org'));
CALL given('f4', identify('shop', email => 'f4@example.org'));
CALL done(merge(id('f2'), id('f1'), 'agent'));
CALL done(merge(id('f3'), id('f2'), 'agent'));
CALL done(merge(id('f4'), id('f3'), 'agent'));
SELECT is((SELECT array_agg(name_of(resolve(id(n))) ORDER BY n) FROM unnest('{f1,f2,f3,f4}'::text[]) AS n), '{f4,f4,f4,f4}',
    '[6.3] resolve of an ended contact gives the survivor');
SELECT is((SELECT array_agg(name_of(survivor_id) ORDER BY contact_id) FROM contact WHERE contact_id IN (id('f1'), id('f2'), id('f3'))),
    '{f4,f4,f4}', '[6.3] in one step however long the chain was');
SELECT is(resolve(id('f4')), id('f4'), '[6.3] of a live one itself');
SELECT is(resolve(2000000000000), NULL, '[6.3] of an unknown one nothing');
SELECT is(said(identify('shop', contact_id => id('f1'), phone => '+12065550102')), 'updated f4',
    '[6.3] a write that names an ended contact');
SELECT is(capture('conversations', 'f1'), id('f4'), '[6.3] a capture of its key');
SELECT is(said(identify('conversations', 'f1', attributes => '{"a": 1}')), 'updated f4', '[6.3] a write that names its key');
SELECT ok(block(id('f2'), 'email', 'agent'), '[6.3] a block ...');
SELECT is(reach_of('f4'), 'sms', '[6.3] ... lands on the survivor');
INSERT INTO list (account_id, name) VALUES (1, 'Friends');
SELECT ok(add_to_list(id('f3'), 'Friends', 'agent'), '[6.3] a list ...');
SELECT is(lists_of('f4'), 'Contacts active in Conversations, Friends', '[6.3] ... too');

-------------------------------------------------------------------- merge()
CALL given('gus', identify('shop', email => 'gus@example.org', phone => '+12065550103', occurred_at => day(5),
    attributes => '{"same": 1, "differs": "mine", "older": "mine", "cleared": "x"}'));
CALL done(identify('shop', email => 'gus@example.org', attributes => '{"cleared": null}', occurred_at => day(6)));
CALL given('hal', identify('push', 'hal', email => 'hal@example.org', ext_id => 'hal', occurred_at => day(7),
    attributes => '{"same": 1.0, "differs": "theirs", "missing": [1], "cleared": "y"}'));
CALL done(identify('shop', email => 'hal@example.org', attributes => '{"older": "theirs"}', occurred_at => day(3)));
SELECT is(said(merge(id('gus'), id('hal'), 'agent')), 'merged gus < hal conflict differs,email,older',
    '[6.4] merge(): what is different is a conflict');
SELECT is(holds('gus'), 'email gus@example.org, email ~hal@example.org, ext_id hal, phone +12065550103, push hal',
    '[6.4] identifiers that the survivor lacks move, of a kind that it has it becomes an alias');
SELECT is((SELECT array_agg(concat_ws(' ', field, secondary_value, source, key = id('hal')::text, owner_contact_id) ORDER BY field)
           FROM conflicts WHERE contact_id = id('gus') AND status = 'open'),
    '{"differs \"theirs\" merge t","email \"hal@example.org\" merge t","older \"theirs\" merge t"}',
    '[6.4] [5.1] conflicts without owner, with source merge and the ended contact''s id as key, older ones too');
SELECT is(attributes_of('gus'), '{"same": 1, "differs": "mine", "older": "mine", "missing": [1], "cleared": "y"}',
    '[6.4] attributes: the survivor''s stay, missing ones are filled, and a cleared one by a newer value');
SELECT is(said(identify('shop', email => 'hal@example.org')), 'unchanged gus',
    '[6.4] the merge holds when the person logs in with the other address');
SELECT is((SELECT f FROM find('email', 'hal@example.org') AS f), id('gus'), '[6.4] the alias leads to the contact');
SELECT throws_ok($$ SELECT identify('api', ext_id => 'not hal', email => 'hal@example.org') $$, '23505', NULL,
    '[6.4] it is free for nobody');
SELECT is((SELECT count(*) FROM audience WHERE contact_id = id('gus') AND value = 'hal@example.org'), 0::bigint,
    '[6.4] and reaches nobody');
SELECT is(said(merge(id('gus'), id('hal'), 'agent')), 'unchanged gus', '[6.6] again');

CALL done(promote(open_conflict('gus', 'email'), 'agent',
                  customer_confirmed => true));
SELECT is(holds('gus'), 'email hal@example.org, email ~gus@example.org, ext_id hal, phone +12065550103, push hal',
    '[6.4] promoting an alias swaps the two');
SELECT is(said(identify('shop', email => 'gus@example.org')), 'unchanged gus', '[6.4] and both lead to the contact');
CALL given('ian', identify('shop', email => 'ian@example.org'));
CALL given('jo', identify('shop', email => 'jo@example.org'));
CALL done(merge(id('ian'), id('jo'), 'agent'));
CALL done(dismiss(open_conflict('ian', 'email'), 'agent'));
SELECT is(holds('ian'), 'email ian@example.org, email ~jo@example.org', '[6.4] dismissing leaves it an alias');
CALL given('ko', identify('shop', email => 'ko@example.org', phone => '+12065550104'));
CALL done(merge(id('ko'), id('ian'), 'agent'));
SELECT is(holds('ko'), 'email ko@example.org, email ~ian@example.org, email ~jo@example.org, phone +12065550104',
    '[6.4] aliases of the loser are the survivor''s');
CALL given('la', identify('shop', ext_id => 'la'));
CALL done(merge(id('la'), id('ko'), 'agent'));
SELECT is(holds('la'), 'email ko@example.org, email ~ian@example.org, email ~jo@example.org, ext_id la, phone +12065550104',
    '[6.4] where the survivor lacks the kind the primary is its primary and an alias an alias');

-- newer_wins
CALL given('mo', identify('shop', email => 'mo@example.org', phone => '+12065550105', landline => '+12065550106', occurred_at => day(5),
    attributes => '{"newer": "mine", "older": "mine", "tie": "mine", "null": "mine"}'));
CALL given('ny', identify('shop', email => 'ny@example.org', occurred_at => day(6)));
CALL done(identify('shop', email => 'ny@example.org', phone => '+12065550107', attributes => '{"older": "theirs"}', occurred_at => day(4)));
CALL done(identify('shop', email => 'ny@example.org', landline => '+12065550108', attributes => '{"tie": "theirs"}', occurred_at => day(5)));
CALL done(identify('shop', email => 'ny@example.org', attributes => '{"newer": "theirs", "null": null}', occurred_at => day(6)));
SELECT is(said(merge(id('mo'), id('ny'), 'agent', newer_wins => true)), 'merged mo < ny', '[6.4] newer_wins: no conflict');
SELECT is(holds('mo'), 'email ny@example.org, email ~mo@example.org, landline +12065550106, landline ~+12065550108, phone +12065550105, phone ~+12065550107',
    '[6.4] newer_wins: the newer identifier is primary, the other the alias; on a tie the survivor''s');
SELECT is(attributes_of('mo'), '{"newer": "theirs", "older": "mine", "tie": "mine"}',
    '[6.4] newer_wins: of attributes the newer');
SELECT is(conflicts_of('mo'), '', '[6.4] newer_wins: none is left to decide');

-- Anonymous ones
CALL given('o1', capture('conversations', 'o1', '{"a": 1}'));
CALL given('o2', capture('conversations', 'o2', '{"a": 2, "b": 1}'));
CALL given('o3', capture('push', 'o3'));
SELECT is(said(merge(id('o1'), id('o2'), 'agent')), 'merged o1 < o2 conflict a', '[6.4] two anonymous ones can be merged');
SELECT is(said(merge(id('ann'), id('o3'), 'agent')), 'merged ann < o3', '[6.4] and an anonymous one into an identified');
SELECT is(holds('o1'), 'visitor o1, visitor o2', '[6.4] with the keys');

--------------------------------------------------------------------- refused
CALL given('pa', capture('conversations', 'pa'));
SELECT throws_ok(format('SELECT merge(%s, %s, %L)', id('pa'), id('ann'), 'agent'), '22023', NULL,
    '[6.5] an identified contact cannot be merged into an anonymous one');
SELECT ok(hint ~ format('%s\D+%s', id('ann'), id('pa')), '[6.5] the hint says to swap them')
FROM refusal(format('SELECT merge(%s, %s, %L)', id('pa'), id('ann'), 'agent'));
SELECT throws_ok(format('SELECT merge(%s, %s, %L)', id('mo'), id('ann'), agent), '22023', NULL,
    '[6.5] nor without an agent''s name: ' || what)
FROM (VALUES (NULL, 'null'), ('', 'empty'), ('  ', 'blank')) AS a (agent, what);
SELECT is(resolve(id('ann')), id('ann'), '[6.5] nothing happened');

CALL given('q1', identify('shop', email => 'q1@example.org'));
CALL given('q2', identify('shop', email => 'q2@example.org'));
SELECT is(said(merge(id('f1'), id('q1'), 'agent')), 'merged f4 < q1 conflict email',
    '[6.6] an ended contact stands for its survivor, as survivor');
SELECT is(said(merge(id('q2'), id('f2'), 'agent')), 'merged q2 < f4 conflict email', '[6.6] and as loser');
SELECT is(name_of(resolve(id('f1'))), 'q2', '[6.3] all of them lead to the last');
SELECT versions() AS before \gset
SELECT is(said(merge(id('q2'), id('q2'), 'agent')), 'unchanged q2', '[6.6] one with itself: nothing happens');
SELECT is(said(merge(id('f1'), id('q1'), 'agent')), 'unchanged q2', '[6.6] two that come out as one: nothing happens');
SELECT ok(versions() = :'before', '[6.6] at all');
SELECT throws_ok(format('SELECT merge(%s, %s, %L)', id('q2'), n, 'agent'), 'P0002', NULL, '[6.6] an unknown loser: ' || n)
FROM unnest('{2000000000000,0,-1}'::bigint[]) AS n;
SELECT throws_ok(format('SELECT merge(%s, %s, %L)', n, id('q2'), 'agent'), 'P0002', NULL, '[6.6] an unknown survivor: ' || n)
FROM unnest('{2000000000000,0,-1}'::bigint[]) AS n;
SELECT throws_ok(format('SELECT merge(%s, %s, %L)', a, b, 'agent'), '22023', NULL, '[6.6] none named')
FROM (VALUES ('NULL', id('q2')::text), (id('q2')::text, 'NULL'), ('NULL', 'NULL')) AS n (a, b);
SELECT throws_ok('SELECT merge(2000000000000, 2000000000000, ''agent'')', 'P0002', NULL,
    '[6.6] unknown ones do not come out as one');
CALL given('ra', identify('shop', email => 'ra@example.org'));
DELETE FROM contacts WHERE contact_id = id('ra');
SELECT throws_ok(format('SELECT merge(%s, %s, %L)', id('q2'), id('ra'), 'agent'), 'P0002', NULL,
    '[6.6] an erased one as loser');
SELECT throws_ok(format('SELECT merge(%s, %s, %L)', id('ra'), id('q2'), 'agent'), 'P0002', NULL, '[6.6] and as survivor');
SELECT create_account(1002, 'another') \g /dev/null
CALL given('far', identify('shop', email => 'far@example.org', account_id => 1002));
SELECT throws_ok(format('SELECT merge(%s, %s, %L)', id('q2'), id('far'), 'agent'), 'P0002', NULL,
    '[6.6] one of another account does not exist');
SELECT throws_ok(format('SELECT merge(%s, %s, %L, account_id => 1002)', id('q2'), id('far'), 'agent'), 'P0002', NULL,
    '[6.6] in neither');

----------------------------------------------------------- lists and blocks
INSERT INTO list (account_id, name) VALUES (1, 'in-in'), (1, 'in-out'), (1, 'out-in'), (1, 'out-out'), (1, 'in'), (1, 'out'), (1, '-in'), (1, '-out');
CALL given('sa', identify('shop', email => 'sa@example.org', phone => '+12065550109', whatsapp => '+12065550109'));
CALL given('te', identify('shop', ext_id => 'te'));
SELECT add_to_list(id('sa'), name, 'agent') FROM list WHERE name ~ '^(in|out)' \g /dev/null
SELECT remove_from_list(id('sa'), name, 'agent') FROM list WHERE name ~ '^out' \g /dev/null
SELECT add_to_list(id('te'), name, 'agent') FROM list WHERE name ~ '-' \g /dev/null
SELECT remove_from_list(id('te'), name, 'agent') FROM list WHERE name ~ '-out$' \g /dev/null
SELECT block(id('sa'), 'email', 'agent'), block(id('te'), 'sms', 'agent') \g /dev/null
CALL done(merge(id('sa'), id('te'), 'agent'));
SELECT set_eq($$ SELECT list, subscribed FROM lists WHERE contact_id = id('sa') $$,
    $$ VALUES ('in-in', true), ('in-out', false), ('out-in', false), ('out-out', false), ('in', true), ('out', false), ('-in', true), ('-out', false) $$,
    '[6.7] lists are united; unsubscribed wins over subscribed');
SELECT is(reach_of('sa'), 'whatsapp', '[6.7] blocked wins over not blocked, for each channel');
CALL given('un', capture('conversations', 'un'));
SELECT add_to_list(id('un'), 'in', 'agent'), remove_from_list(id('un'), 'in', 'agent'), block(id('un'), 'whatsapp', 'agent') \g /dev/null
CALL done(identify('conversations', 'un', email => 'sa@example.org'));
SELECT is((SELECT subscribed FROM lists WHERE contact_id = id('sa') AND list = 'in'), false,
    '[6.7] in identify as well: lists');
SELECT is(reach_of('sa'), '', '[6.7] in identify as well: blocks');
-- from a source that has no default list: what the survivor is on is asked only where somebody brings a list
CALL given('pu', capture('push', 'pu'));
SELECT add_to_list(id('pu'), name, 'agent') FROM list WHERE name IN ('out', 'in-in', '-in') \g /dev/null
SELECT remove_from_list(id('pu'), '-in', 'agent') \g /dev/null
CALL done(identify('push', 'pu', email => 'sa@example.org'));
SELECT results_eq($$ SELECT list, subscribed FROM lists WHERE contact_id = id('sa') AND list IN ('out', 'in-in', '-in') ORDER BY list COLLATE "C" $$,
    $$ VALUES ('-in', false), ('in-in', true), ('out', false) $$, '[6.7] and from a source without a list of its own');
SELECT is((SELECT count(*) FROM list_member WHERE contact_id = id('pu')), 0::bigint, '[6.7] which leaves none behind');

---------------------------------------------------------------- the record
CALL given('va', identify('shop', email => 'va@example.org', attributes => '{"city": "Aachen"}'));
CALL given('we', identify('shop', email => 'we@example.org', phone => '+12065550110', attributes => '{"city": "Bremen", "street": "Cuxgasse"}'));
CALL given('xi', capture('push', 'xi', '{"city": "Dessau"}'));
CALL done(merge(id('va'), id('we'), 'agent 7'));
CALL done(identify('push', 'xi', email => 'va@example.org', attributes => '{"city": "Emden"}', actor => 'clerk 8'));
SELECT is((SELECT array_agg(concat_ws(' ', name_of(survivor_id), name_of(merged_id), actor, role) ORDER BY merge_id) FROM merges
           WHERE survivor_id = id('va')),
    ARRAY['va we agent 7 ' || session_user, 'va xi clerk 8 ' || session_user],
    '[6.8] a row for each merge: both ids and who');
SELECT is((SELECT source FROM merges WHERE merged_id = id('xi')), 'push', '[6.8] source');
SELECT ok((SELECT bool_and(merged_at IS NOT NULL AND source IS NOT NULL) FROM merges), '[6.8] time and source of all');
SELECT ok(detail::text LIKE '%+12065550110%' AND detail::text LIKE '%Cuxgasse%',
    '[6.8] what was taken') FROM merges WHERE merged_id = id('we');
SELECT ok(detail::text LIKE '%we@example.org%' AND detail::text LIKE '%Bremen%',
    '[6.8] what was set aside') FROM merges WHERE merged_id = id('we');
SELECT ok(detail::text LIKE '%Dessau%',
    '[6.8] also where the call''s own value went before it') FROM merges WHERE merged_id = id('xi');
SELECT is((SELECT count(*) FROM merges WHERE survivor_id = merged_id OR name_of(merged_id) = 'pa'), 0::bigint,
    '[6.8] a refused or empty merge has none');

SELECT is((SELECT count(*) FROM check_integrity()), 0::bigint, '[9.1] all is well');
SELECT * FROM finish();
ROLLBACK;
