-- RULES 4.1 to 4.5 and 4.12 to 4.18: what identify stores of identifiers,
-- lists and keys, and what it answers.
BEGIN;
\ir words.psql
SELECT plan(258);

-- Sources of other shapes than the built-in ones.
INSERT INTO source (account_id, source, same_value, other_contact)
VALUES (1, 'crm', 'primary_wins', 'move'), (1, 'till', 'last_update_wins', 'conflict');

------------------------------------------------------------------ its own value
CALL given('ann', identify('shop', email => 'ann@example.org', phone => '+12065550101'));
CALL given('ann 2', identify('shop', email => 'ann.2@example.org'));
SELECT is(said(identify('shop', email => 'ann@example.org', phone => '+12065550101')), 'unchanged ann',
    '[4.1] primaries that the contact holds: nothing changes');
CALL done(merge(id('ann'), id('ann 2'), 'agent'));
SELECT is(holds('ann'), 'email ann@example.org, email ~ann.2@example.org, phone +12065550101', '[6.4] an alias');
SELECT is(said(identify('shop', email => 'ann.2@example.org')), 'unchanged ann',
    '[4.1] nor with an alias, where the last update wins');
SELECT is(said(identify('crm', email => 'ann.2@example.org')), 'unchanged ann', '[4.1] or where the primary wins');
SELECT is(said(identify('api', email => 'ann.2@example.org')), 'unchanged ann',
    '[4.1] or where others'' values are refused');
SELECT is(holds('ann'), 'email ann@example.org, email ~ann.2@example.org, phone +12065550101', '[4.1] it stays what it is');
SELECT is(conflicts_of('ann'), 'email ann.2@example.org',
    '[4.1] its own value is no conflict, but for the one that the merge opened');

--------------------------------------------------------------------- free values
SELECT is(said(identify('shop', email => 'ann@example.org', ext_id => 'ann', whatsapp => '+12065550101', landline => '+12065550102')),
    'updated ann', '[4.2] free values of kinds that the contact has none of ...');
SELECT is((SELECT array_agg(kind ORDER BY kind) FROM identifiers WHERE contact_id = id('ann') AND is_primary),
    '{email,ext_id,landline,phone,whatsapp}', '[4.2] ... become its primaries');
CALL given('ben', identify('conversations', 'ben', ext_id => 'ben'));
SELECT is(said(identify('conversations', 'ben', email => 'ben@example.org', occurred_at => day(1))), 'updated ben',
    '[4.2] whatever the source and the time');
SELECT is(holds('ben'), 'email ben@example.org, ext_id ben, visitor ben', '[4.2] as primaries');

SELECT is(said(identify('conversations', 'ben', email => 'ben.2@example.org')), 'updated ben conflict email',
    '[4.3] primary wins: a different free value is a conflict');
SELECT is(holds('ben'), 'email ben@example.org, ext_id ben, visitor ben', '[4.3] and the primary is kept');
SELECT is(conflicts_of('ben'), 'email ben.2@example.org', '[4.3] the conflict has no owner');
SELECT is(said(identify('conversations', contact_id => id('ben'), email => 'ben.3@example.org', occurred_at => day(1))),
    'updated ben conflict email', '[4.3] an older one too');

CALL given('cid', identify('shop', email => 'cid@example.org', phone => '+12065550103', occurred_at => day(3)));
CALL done(identify('shop', email => 'cid@example.org', landline => '+12065550104', occurred_at => day(1)));
CALL done(identify('shop', contact_id => id('cid'), phone => '+12065550103', occurred_at => day(9)));
SELECT is(said(identify('shop', contact_id => id('cid'), email => 'cid.2@example.org', occurred_at => day(3))),
    'unchanged cid ignored email', '[4.3] last update wins: a value of the same time is dropped and named');
SELECT is(said(identify('shop', contact_id => id('cid'), email => 'cid.2@example.org', occurred_at => day(2))),
    'unchanged cid ignored email', '[4.3] an older one too');
SELECT is(conflicts_of('cid'), '', '[4.3] that is no conflict');
SELECT is(said(identify('shop', contact_id => id('cid'), email => 'cid.2@example.org', occurred_at => day(4))), 'updated cid',
    '[4.3] a newer one replaces it, by the time of this kind alone');
SELECT is(holds('cid'), 'email cid.2@example.org, landline +12065550104, phone +12065550103', '[4.3] as primary');
SELECT is((SELECT count(*) FROM find('email', 'cid@example.org')), 0::bigint, '[4.3] the old one leads to nobody');
SELECT is((SELECT count(*) FROM history WHERE contact_id = id('cid') AND field = 'email'
           AND old_value = '"cid@example.org"' AND new_value = '"cid.2@example.org"'), 1::bigint,
    '[4.3] and is kept in history');
SELECT is(said(identify('shop', email => 'cid@example.org'), 'dee'), 'created dee', '[4.3] it is free for another');

--------------------------------------------- another's: the source says conflict
CALL given('eva', identify('conversations', 'eva', email => 'eva@example.org'));
CALL given('flo', identify('shop', email => 'flo@example.org', phone => '+12065550105'));
SELECT is(said(identify('conversations', 'eva', email => 'flo@example.org', phone => '+12065550105')),
    'updated eva conflict email,phone', '[4.4] conflict: another''s values, also of a kind that the contact has none of');
SELECT is(conflicts_of('eva'), 'email flo@example.org of flo, phone +12065550105 of flo',
    '[4.4] are conflicts that name the owner');
SELECT is(holds('eva'), 'email eva@example.org, visitor eva', '[4.4] the contact keeps what it has');
SELECT is(holds('flo'), 'email flo@example.org, phone +12065550105', '[4.4] as the owner does');
SELECT is(conflicts_of('flo'), '', '[4.4] there is none on the owner');
SELECT is(said(identify('till', contact_id => id('eva'), email => 'flo@example.org')), 'updated eva conflict email',
    '[4.4] a source whose last update wins may say conflict too');
SELECT is(holds('flo'), 'email flo@example.org, phone +12065550105', '[4.4] nothing moved');

------------------------------------------------- another's: the source says move
CALL given('gus', identify('shop', email => 'gus@example.org', phone => '+12065550106', occurred_at => day(5)));
CALL given('hal', identify('shop', ext_id => 'hal', occurred_at => day(1)));
SELECT is(said(identify('shop', ext_id => 'hal', email => 'gus@example.org', occurred_at => day(4))), 'unchanged hal ignored email',
    '[4.4] move: older than the owner''s is dropped and named');
SELECT is(said(identify('shop', ext_id => 'hal', email => 'gus@example.org', occurred_at => day(5))), 'unchanged hal ignored email',
    '[4.4] move: so is one of the same time');
SELECT is(holds('gus'), 'email gus@example.org, phone +12065550106', '[4.4] the owner keeps it');
SELECT is(said(identify('shop', ext_id => 'hal', email => 'gus@example.org', occurred_at => day(6))), 'updated hal',
    '[4.4] move: a newer one moves');
SELECT is(holds('hal'), 'email gus@example.org, ext_id hal', '[4.4] to the contact');
SELECT is(holds('gus'), 'phone +12065550106', '[4.4] away from the owner');
SELECT is((SELECT count(*) FROM history WHERE contact_id = id('gus') AND field = 'email' AND old_value = '"gus@example.org"'
           AND new_value IS NULL), 1::bigint, '[4.4] the owner''s history says so');
SELECT is((SELECT count(*) FROM history WHERE contact_id = id('hal') AND field = 'email' AND new_value = '"gus@example.org"'
           AND old_value IS NULL), 1::bigint, '[4.4] and the contact''s');

CALL given('ian', identify('shop', ext_id => 'ian', email => 'ian@example.org', occurred_at => day(8)));
SELECT is(said(identify('shop', ext_id => 'ian', email => 'gus@example.org', occurred_at => day(7))), 'unchanged ian ignored email',
    '[4.4] move: newer than the owner''s but older than its own is dropped');
SELECT is(said(identify('shop', ext_id => 'ian', email => 'gus@example.org', occurred_at => day(8))), 'unchanged ian ignored email',
    '[4.4] move: or of the same time as its own');
SELECT is(said(identify('shop', ext_id => 'ian', email => 'gus@example.org', occurred_at => day(9))), 'updated ian',
    '[4.4] move: newer than both moves');
SELECT is(holds('ian'), 'email gus@example.org, ext_id ian', '[4.4] in the place of its own');
SELECT is((SELECT count(*) FROM find('email', 'ian@example.org')), 0::bigint, '[4.4] which is freed');
SELECT is((SELECT count(*) FROM history WHERE contact_id = id('ian') AND old_value = '"ian@example.org"'), 1::bigint,
    '[4.4] and kept in history');

CALL given('jan', identify('shop', email => 'jan@example.org', occurred_at => day(1)));
SELECT is(said(identify('shop', ext_id => 'hal', email => 'jan@example.org', occurred_at => day(9))), 'updated hal conflict email',
    '[4.5] [4.4] move: the only identifying value of its owner is a conflict');
SELECT is(conflicts_of('hal'), 'email jan@example.org of jan', '[4.4] that names the owner');
SELECT is(holds('jan'), 'email jan@example.org', '[4.5] who keeps it');
SELECT is(said(identify('shop', ext_id => 'ian', email => 'jan@example.org', occurred_at => day(1))), 'unchanged ian ignored email',
    '[4.4] if it is not newer it is dropped all the same');

-- kay has an alias from day 3 and one from day 2
CALL given('kay', identify('shop', email => 'kay@example.org', occurred_at => day(1)));
CALL given('kay 2', identify('shop', email => 'kay.2@example.org', occurred_at => day(3)));
CALL given('kay 3', identify('shop', email => 'kay.3@example.org', occurred_at => day(2)));
CALL done(merge(id('kay'), id('kay 2'), 'agent'));
CALL done(merge(id('kay'), id('kay 3'), 'agent'));
CALL done(block(id('kay'), 'email', 'agent'));
CALL done(block(id('kay'), 'sms', 'agent'));
CALL given('lou', identify('shop', ext_id => 'lou', phone => '+12065550107', occurred_at => day(1)));
SELECT is(said(identify('shop', ext_id => 'lou', email => 'kay@example.org', occurred_at => day(9))), 'updated lou',
    '[4.4] move: aliases count as identifying values of the owner');
SELECT is(holds('kay'), 'email kay.2@example.org, email ~kay.3@example.org', '[4.4] whose newest alias becomes primary');
SELECT is(reach_of('lou'), 'sms', '[4.4] the block on the channel of the value goes along, that on another does not');
SELECT is(reach_of('kay'), '', '[4.4] the owner keeps its own');
SELECT is(conflicts_of('kay'), 'email kay.2@example.org obsolete, email kay.3@example.org',
    '[5.7] the alias that became primary is no conflict any more');
CALL given('max', identify('shop', ext_id => 'max'));
SELECT is(said(identify('shop', ext_id => 'max', email => 'kay.3@example.org')), 'updated max',
    '[4.4] move: an alias moves as well');
SELECT is(holds('kay'), 'email kay.2@example.org', '[4.4] and leaves the primary');
SELECT is(holds('max'), 'email kay.3@example.org, ext_id max', '[4.4] it is primary where it went');

CALL given('nia', identify('shop', email => 'nia@example.org', phone => '+12065550108'));
CALL given('ona', identify('shop', ext_id => 'ona', email => 'ona@example.org'));
SELECT is(said(identify('crm', ext_id => 'ona', email => 'nia@example.org')), 'updated ona conflict email',
    '[4.4] keeps primaries and moves: a conflict where the contact has another value of the kind');
SELECT is(conflicts_of('ona'), 'email nia@example.org of nia', '[4.4] that names the owner');
SELECT is(holds('nia'), 'email nia@example.org, phone +12065550108', '[4.4] who keeps it');
SELECT is(said(identify('crm', ext_id => 'ona', phone => '+12065550108')), 'updated ona',
    '[4.4] it moves where the contact has none');
SELECT is(holds('ona'), 'email ona@example.org, ext_id ona, phone +12065550108', '[4.4] as its primary');

CALL given('pam', identify('shop', ext_id => 'pam', email => 'pam@example.org', occurred_at => day(1)));
CALL given('que', identify('shop', whatsapp => '+12065550109', occurred_at => day(1)));
SELECT is(said(identify('shop', contact_id => id('que'), email => 'pam@example.org', ext_id => 'pam', occurred_at => day(2))),
    'updated que conflict email',
    '[4.4] strongest first, each seeing what the one before did: the second has become the owner''s only one');
SELECT is(holds('que'), 'ext_id pam, whatsapp +12065550109', '[4.4] the strongest moved');
SELECT is(holds('pam'), 'email pam@example.org', '[4.4] the other did not');

----------------------------------------------- another's: the source says refuse
CALL given('rob', identify('shop', email => 'rob@example.org'));
CALL given('sam', identify('shop', phone => '+12065550110', landline => '+12065550111'));
CALL given('tia', identify('shop', ext_id => 'tia'));
SELECT is((SELECT code FROM refusal($$ SELECT identify('api', ext_id => 'tia', email => 'rob@example.org', phone => '+12065550110',
              whatsapp => '+12065550112', attributes => '{"name": "Tia"}') $$)), '23505', '[4.4] refuse: 23505');
SELECT ok(detail ~ format('\yemail\y.*\y%s\y', id('rob')) AND detail ~ format('\yphone\y.*\y%s\y', id('sam'))
          AND detail !~ 'whatsapp|landline|ext_id',
    '[4.4] refuse: the detail names every offending kind and its owner, and no other')
FROM refusal($$ SELECT identify('api', ext_id => 'tia', email => 'rob@example.org', phone => '+12065550110',
                whatsapp => '+12065550112', attributes => '{"name": "Tia"}') $$);
SELECT versions() AS before \gset
SELECT is((SELECT array_agg(b.error IS NOT NULL) FROM identify_batch('[{"source": "api", "ext_id": "tia", "email": "rob@example.org",
    "whatsapp": "+12065550112", "attributes": {"name": "Tia"}}]') AS b), '{t}',
    '[4.4] refuse: a batch reports it for its row');
SELECT ok(versions() = :'before', '[4.4] refuse: nothing of the call is stored');
SELECT throws_ok($$ SELECT identify('api', email => 'rob@example.org', phone => '+12065550110') $$, '23505', NULL,
    '[4.4] refuse: of two owners, one is the contact and the other is in the way');
SELECT is(said(identify('api', ext_id => 'tia', email => 'tia@example.org')), 'updated tia',
    '[4.4] refuse: free values are stored');

------------------------------------------------------------- the last primary
SELECT throws_ok(format($$ UPDATE contacts SET email = NULL WHERE contact_id = %s $$, id('rob')), '55000', NULL,
    '[4.5] the last primary cannot be removed');
SELECT is(holds('rob'), 'email rob@example.org', '[4.5] it is there');
UPDATE contacts SET landline = NULL WHERE contact_id = id('sam');
SELECT is(holds('sam'), 'phone +12065550110', '[4.5] one of two can be');
SELECT throws_ok(format($$ UPDATE contacts SET phone = NULL WHERE contact_id = %s $$, id('sam')), '55000', NULL,
    '[4.5] but then the other cannot');
UPDATE contacts SET phone = '+12065550119' WHERE contact_id = id('sam');
SELECT is(holds('sam'), 'phone +12065550119', '[4.5] replacing it is not removing it');

---------------------------------------------------------------- the default list
CALL given('uli', capture('conversations', 'uli'));
SELECT is(lists_of('uli'), '', '[4.12] an anonymous contact is on no list');
CALL done(identify('conversations', 'uli', email => 'uli@example.org'));
SELECT is(lists_of('uli'), 'Contacts active in Conversations', '[4.12] identified by conversations, it is on its list');
CALL given('vim', identify('shop', email => 'vim@example.org'));
CALL done(identify('push', 'vim', email => 'vim@example.org'));
CALL done(identify('api', email => 'vim@example.org'));
SELECT is(lists_of('vim'), '', '[4.12] push, shop and api have no list');
CALL done(identify('conversations', contact_id => id('vim'), attributes => '{"name": "Vim"}'));
SELECT is(lists_of('vim'), '', '[4.12] a call that gives no identifier puts nobody on the list');
SELECT is(said(identify('conversations', email => 'vim@example.org')), 'updated vim',
    '[4.12] one that gives an identifier ...');
SELECT is(lists_of('vim'), 'Contacts active in Conversations',
    '[4.12] ... puts a contact that was identified already on the list');
CALL given('wim', capture('conversations', 'wim'));
CALL given('xia', identify('shop', email => 'xia@example.org'));
CALL done(identify('conversations', 'wim', email => 'xia@example.org'));
SELECT is(lists_of('xia'), 'Contacts active in Conversations', '[4.12] also one that the anonymous contact is merged into');
CALL given('yan', identify('push', 'yan', email => 'yan@example.org'));
CALL done(identify('conversations', contact_id => id('yan'), email => 'vim@example.org'));
SELECT is(lists_of('yan'), 'Contacts active in Conversations', '[4.12] also where the identifier ends as a conflict');

SELECT throws_ok(format('SELECT add_to_list(%s, %L)', id('uli'), 'No such list'), '22023', NULL,
    '[4.12] a list that is not there');
SELECT throws_ok(format('SELECT remove_from_list(%s, %L)', id('uli'), 'No such list'), '22023', NULL,
    '[4.12] to be taken from either');
SELECT throws_ok(format('SELECT add_to_list(%s, NULL)', id('uli')), '22023', NULL, '[4.12] none named');
SELECT throws_ok($$ SELECT add_to_list(2000000000000, 'Contacts active in Conversations') $$, 'P0002', NULL,
    '[4.12] a contact that is not there');
SELECT ok(remove_from_list(id('uli'), 'Contacts active in Conversations', 'agent'), '[4.12] remove_from_list ...');
SELECT is(lists_of('uli'), '-Contacts active in Conversations', '[4.12] ... keeps the row, as unsubscribed');
SELECT is(said(identify('conversations', 'uli', email => 'uli@example.org')), 'unchanged uli',
    '[4.12] who was ever on it ...');
SELECT is(lists_of('uli'), '-Contacts active in Conversations', '[4.12] ... is not put on it again');
SELECT is(said(identify('conversations', 'uli', email => 'uli@example.org', phone => '+12065550113')), 'updated uli',
    '[4.12] not even ...');
SELECT is(lists_of('uli'), '-Contacts active in Conversations', '[4.12] ... with a new value');
UPDATE list SET name = 'Chatty' WHERE account_id = 1 AND name = 'Contacts active in Conversations';
CALL given('zac', identify('conversations', 'zac', email => 'zac@example.org'));
SELECT is(lists_of('zac') || ' ' || lists_of('vim'), 'Chatty Chatty', '[4.12] the list may be renamed');
UPDATE source SET default_list = NULL WHERE account_id = 1 AND source = 'conversations';
CALL given('zed', identify('conversations', 'zed', email => 'zed@example.org'));
SELECT is(lists_of('zed'), '', '[4.12] a source without a default list puts nobody on any');
UPDATE source SET default_list = (SELECT list_id FROM list WHERE account_id = 1 AND name = 'Chatty')
WHERE account_id = 1 AND source = 'conversations';

----------------------------------------------------------------------------- via
SELECT throws_ok($$ SELECT identify('conversations', 'k', email => 'k@example.org', via => 'telegram') $$, '22023', NULL,
    '[4.13] a via that the source does not list');
SELECT throws_ok($$ SELECT identify('conversations', email => 'k@example.org', via => 'telegram') $$, '22023', NULL,
    '[4.13] also without a key');
SELECT throws_ok($$ SELECT identify('shop', email => 'k@example.org', via => 'chat') $$, '22023', NULL,
    '[4.13] or one of another source');
SELECT throws_ok($$ SELECT identify('conversations', email => 'k@example.org', via => '') $$, '22023', NULL,
    '[4.13] or an empty one');
SELECT throws_ok($$ SELECT capture('push', 'k', via => 'chat') $$, '22023', NULL, '[4.13] capture too');
SELECT throws_ok($$ SELECT identify('shop', 'k', email => 'k@example.org') $$, '22023', NULL,
    '[4.13] a key for a source without key kind');
SELECT throws_ok($$ SELECT identify('api', 'k', contact_id => 1) $$, '22023', NULL, '[4.13] for the other one too');

CREATE TEMP TABLE way (via text, kind text);
INSERT INTO way VALUES ('contact_form', 'visitor'), ('chat', 'visitor'), ('facebook', 'facebook'), ('instagram', 'instagram'),
    ('whatsapp', 'whatsapp_chat');
SELECT is(said(identify('conversations', 'by ' || via, email => via || '@example.org', via => via), 'by ' || via), 'created by ' || via,
    '[4.13] every via leads to identification in the same way: ' || via) FROM way;
SELECT is(holds('by ' || via), 'email ' || via || '@example.org, ' || kind || ' by ' || via,
    '[4.13] with the key kind of ' || via) FROM way;
SELECT is(lists_of('by ' || via), 'Chatty', '[4.13] and the list: ' || via) FROM way;
SELECT is((SELECT array_agg(DISTINCT h.via) FROM history AS h WHERE contact_id = id('by ' || way.via)), ARRAY[via],
    '[4.13] the via is recorded in history: ' || via) FROM way;
SELECT is(said(identify('conversations', 'by ' || via, email => 'not.' || via || '@example.org', via => via)),
    'updated by ' || via || ' conflict email', '[4.13] and to conflicts: ' || via) FROM way;
SELECT is((SELECT via FROM conflicts WHERE contact_id = id('by ' || way.via)), via,
    '[4.13] where it is recorded too: ' || via) FROM way;
SELECT is(said(identify('conversations', 'by chat', email => 'facebook@example.org', via => 'facebook')), 'updated by facebook',
    '[4.13] the same key by another network is another key');

--------------------------------------------------------------- consent and blocks
CALL given('ada', capture('push', 'ada'));
CALL done(unsubscribe('push', 'ada'));
CALL done(block(id('ada'), 'email', 'agent'));
CALL done(identify('push', 'ada', email => 'ada@example.org', phone => '+12065550114', verified => true));
SELECT is(reach_of('ada'), 'sms', '[4.14] identification lifts no block and opts no push key in');
CALL done(identify('conversations', 'ada', email => 'ada@example.org', whatsapp => '+12065550114'));
SELECT is(reach_of('ada'), 'sms, whatsapp', '[4.14] nor does the next one');
SELECT throws_ok(format('SELECT block(%s, %L)', id('ada'), 'fax'), '22023', NULL, '[4.14] a channel that is not there');
SELECT throws_ok(format('SELECT unblock(%s, NULL)', id('ada')), '22023', NULL, '[4.14] none named');
SELECT throws_ok('SELECT block(2000000000000, ''email'')', 'P0002', NULL, '[4.14] a contact that is not there');
CALL given('bea', identify('shop', email => 'bea@example.org'));
CALL done(block(id('bea'), 'email', 'agent'));
CALL done(identify('shop', contact_id => id('bea'), email => 'bea.2@example.org'));
SELECT is(reach_of('bea'), '', '[4.14] a new address is blocked as the old one was');
CALL done(add_to_list(id('bea'), 'Chatty', 'agent'));
CALL done(remove_from_list(id('bea'), 'Chatty', 'agent'));
CALL done(identify('conversations', 'bea', email => 'bea.2@example.org'));
SELECT is(lists_of('bea'), '-Chatty', '[4.14] who has left a list stays away');

------------------------------------------------------------ in one transaction
CREATE TEMP TABLE orders (n integer);
CALL given('cal', capture('conversations', 'cal', '{"city": "Bonn"}'));
CALL given('dan', identify('shop', email => 'dan@example.org'));
SELECT versions() AS before, (SELECT c::text FROM contact_counts AS c WHERE account_id = 1) AS counts \gset
SAVEPOINT order_form;
INSERT INTO orders VALUES (1);
SELECT is(said(identify('conversations', 'cal', email => 'dan@example.org', phone => '+12065550115')), 'merged dan < cal',
    '[4.15] a merge beside the caller''s own row');
ROLLBACK TO SAVEPOINT order_form;
SELECT ok(versions() = :'before', '[4.15] is undone with it: every table is as it was');
SELECT is((SELECT c::text FROM contact_counts AS c WHERE account_id = 1), :'counts', '[4.15] the counts too');
SELECT is(resolve(id('cal')), id('cal'), '[4.15] both contacts are there');
SELECT is(said(identify('conversations', 'cal', email => 'dan@example.org')), 'merged dan < cal',
    '[4.15] and the merge can be had again');
DO $$ BEGIN
    INSERT INTO orders VALUES (2);
    PERFORM identify('shop', email => 'ed@example.org');
    RAISE division_by_zero;
EXCEPTION WHEN division_by_zero THEN
    NULL;
END $$;
SELECT is((SELECT count(*) FROM find('email', 'ed@example.org')), 0::bigint,
    '[4.15] an error of the caller''s undoes it as well');
DO $$ BEGIN
    INSERT INTO orders VALUES (3);
    PERFORM identify('api', ext_id => 'tia', email => 'rob@example.org');
EXCEPTION WHEN unique_violation THEN
    NULL;
END $$;
SELECT is((SELECT count(*) FROM orders), 0::bigint, '[4.15] as our error undoes the caller''s rows');
-- An error amid the writing, which here a constraint of the owner's makes.
ALTER TABLE contact ADD CONSTRAINT no_curses CHECK (attributes ->> 'name' <> 'Curse');
DO $$ BEGIN
    INSERT INTO orders VALUES (4);
    PERFORM identify('shop', email => 'rob@example.org', attributes => '{"name": "Curse"}');
EXCEPTION WHEN check_violation THEN
    INSERT INTO orders VALUES (5);
    CREATE TEMP TABLE after_error AS SELECT current_setting('search_path') AS path;
END $$;
SELECT is((SELECT array_agg(n) FROM orders), '{5}', '[4.15] also where the server finds it amid the writing');
SELECT is((SELECT path FROM after_error), current_setting('search_path'), '[4.15] and the caller goes on as himself');
DELETE FROM orders;
ALTER TABLE contact DROP CONSTRAINT no_curses;
INSERT INTO orders SELECT (identify('shop', email => 'fay@example.org')).contact_id FROM generate_series(1, 1);
SELECT is((SELECT n::bigint FROM orders), (SELECT f FROM find('email', 'fay@example.org') AS f),
    '[4.15] what a call made is there for the next statement');

----------------------------------------------------------------- once more
-- again(statement, answer): the same call a second time.
CREATE FUNCTION again(statement text, wanted text, description text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    before text;
    events bigint;
    answer text;
BEGIN
    EXECUTE 'SELECT said(' || statement || ')' INTO answer;
    before := versions();
    events := (SELECT count(*) FROM contact_identity.history);
    RETURN NEXT is(answer, wanted, '[4.17] ' || description);
    EXECUTE 'SELECT said(' || statement || ')' INTO answer;
    RETURN NEXT is(split_part(answer, ' ', 1), 'unchanged', '[4.16] again: unchanged: ' || description);
    RETURN NEXT is(split_part(answer, ' ', 2), split_part(wanted, ' ', 2),
    '[4.16] again: the same contact: ' || description);
    RETURN NEXT is((SELECT count(*) FROM contact_identity.history), events, '[4.16] again: no new history: ' || description);
    RETURN NEXT ok(versions() = before, '[4.16] again: no new row version: ' || description);
END $$;
CALL given('gil', capture('conversations', 'gil'));
CALL given('ham', identify('shop', email => 'ham@example.org', phone => '+12065550120', attributes => '{"a": 1}', occurred_at => day(5)));
CALL given('hip', identify('push', 'hip', email => 'hip@example.org', occurred_at => day(5)));
SELECT * FROM again($$ identify('conversations', 'gil', attributes => '{"name": "Gil", "n": [1, {"b": 2}]}') $$,
    'updated gil', 'attributes of an anonymous contact');
SELECT * FROM again($$ identify('conversations', 'gil', email => 'gil@example.org', phone => '+12065550121', via => 'chat') $$,
    'identified gil', 'identified');
SELECT * FROM again($$ identify('conversations', 'gil', email => 'GIL@example.org', attributes => '{"n": [1.0, {"b": 2.00}]}') $$,
    'unchanged gil', 'another spelling');
SELECT * FROM again($$ identify('conversations', 'gil', email => 'not.gil@example.org', phone => '+12065550120',
                                attributes => '{"name": "Not Gil"}') $$,
    'updated gil conflict email,name,phone', 'conflicts');
SELECT * FROM again($$ identify('shop', contact_id => id('ham'), email => 'ham.2@example.org', phone => '+12065550121',
                                attributes => '{"a": 2}', occurred_at => day(4)) $$,
    'unchanged ham ignored a,email,phone', 'too old');
SELECT * FROM again($$ identify('shop', email => 'ham@example.org', attributes => '{"a": 2, "b": null}', occurred_at => day(6)) $$,
    'updated ham', 'attributes set and cleared');
SELECT * FROM again($$ identify('push', 'hip', email => 'ham@example.org', occurred_at => day(7)) $$,
    'switched ham', 'a key that moved');
SELECT * FROM again($$ identify('push', 'hip', email => 'hip@example.org', occurred_at => day(6)) $$,
    'unchanged hip ignored push', 'a key that did not');
SELECT * FROM again($$ identify('shop', email => 'hip@example.org', phone => '+12065550120', occurred_at => day(8)) $$,
    'updated hip', 'a value that moved');
CALL given('ira', capture('push', 'ira', '{"c": 3}'));
SELECT * FROM again($$ identify('push', 'ira', email => 'hip@example.org') $$, 'merged hip < ira', 'merged');
SELECT * FROM again($$ identify('push', 'ira', email => 'hip@example.org', verified => true, actor => 'an agent') $$,
    'updated hip', 'verified');
SELECT * FROM again($$ identify('push', 'ira', contact_id => id('hip')) $$, 'unchanged hip', 'by number');
SELECT * FROM again($$ identify('conversations', 'ira', contact_id => id('ira')) $$, 'updated hip', 'by number of an ended contact');
SELECT versions() AS before \gset
SELECT is(capture('push', 'ira', '{"c": 3}'), id('hip'), '[4.16] capture again');
SELECT ok(subscribe('push', 'ira') IS FALSE AND unsubscribe('push', 'nobody''s') IS FALSE AND logout('push', 'nobody''s') IS FALSE,
    '[4.16] [1.9] nothing to do');
SELECT ok(unblock(id('hip'), 'email', 'agent') IS FALSE AND remove_from_list(id('hip'), 'Chatty', 'agent') IS FALSE,
    '[4.16] nothing to do here either');
SELECT is(said(merge(id('hip'), id('ira'), 'agent')), 'unchanged hip', '[4.16] [6.6] nor here');
SELECT ok(versions() = :'before', '[4.16] no new row version');

------------------------------------------------------------------- the answer
SELECT is(said(identify('conversations', 'jil'), 'jil'), 'captured jil', '[4.17] captured: a new one, anonymous');
SELECT is(said(identify('conversations', 'jil', email => 'jil@example.org')), 'identified jil',
    '[4.17] identified: anonymous until now');
SELECT is(said(identify('conversations', 'kev', email => 'kev@example.org'), 'kev'), 'created kev',
    '[4.17] created: a new one, identified');
SELECT is(said(identify('conversations', 'lia', email => 'kev@example.org')), 'updated kev', '[4.17] updated: a key');
SELECT is(said(identify('conversations', 'lia', email => 'kev@example.org', phone => '+12065550122')), 'updated kev',
    '[4.17] updated: a value');
SELECT is(said(identify('conversations', 'lia', attributes => '{"d": 4}')), 'updated kev', '[4.17] updated: an attribute');
SELECT is(said(identify('conversations', 'lia', attributes => '{"d": 5}')), 'updated kev conflict d',
    '[4.17] updated: a new conflict');
SELECT is(said(identify('conversations', 'lia', attributes => '{"d": 5}')), 'unchanged kev conflict d',
    '[4.17] unchanged: one met again');
SELECT is(said(identify('conversations', 'lia', email => 'kev@example.org', verified => true)), 'updated kev',
    '[4.17] updated: verified became true');
CALL given('lin', identify('shop', email => 'lin@example.org'));
SELECT is(said(identify('conversations', email => 'lin@example.org')), 'updated lin', '[4.17] updated: a list');
SELECT is(said(identify('conversations', email => 'lin@example.org')), 'unchanged lin', '[4.17] unchanged: nothing');
CALL given('mia', identify('shop', email => 'mia@example.org', attributes => '{"e": 1}', occurred_at => day(1)));
SELECT is(said(identify('shop', email => 'mia@example.org', attributes => '{"e": 1}', occurred_at => day(2))), 'unchanged mia',
    '[4.17] unchanged: only times moved');
SELECT is(said(identify('conversations', 'mop', email => 'jil@example.org', attributes => '{"f": 1}')), 'updated jil',
    '[4.17] (a second key)');
SELECT is(said(identify('push', 'mip', email => 'jil@example.org')), 'updated jil', '[4.17] (a push key)');
SELECT is(said(identify('push', 'mip', email => 'nat@example.org', attributes => '{"name": "Nat"}'), 'nat'), 'switched nat',
    '[4.17] switched goes before created');
SELECT is(said(identify('push', 'mip', contact_id => id('mia'), phone => '+12065550123')), 'switched mia',
    '[4.17] and before updated');
CALL given('oda', capture('conversations', 'oda'));
SELECT is(said(identify('conversations', 'oda', email => 'nat@example.org', phone => '+12065550124', attributes => '{"name": "Not Nat"}')),
    'merged nat < oda conflict name', '[4.17] merged goes before all, and names who ended');
SELECT is((SELECT c.conflicts FROM identify('conversations', 'oda', attributes => '{"name": "Not Nat"}') AS c),
    (SELECT array_agg(conflict_id) FROM conflicts WHERE contact_id = id('nat') AND status = 'open'),
    '[4.17] the conflicts are the ids of those in the view');
SELECT is(said(identify('conversations', 'oda', attributes => '{"name": "Somebody else"}')), 'updated nat conflict name',
    '[4.17] only open ones are named: not the one that this call made obsolete');
SELECT ok(dismiss(open_conflict('nat', 'name'), 'agent'), '[5.5] dismissed');
SELECT is(said(identify('conversations', 'oda', attributes => '{"name": "Somebody else"}')), 'unchanged nat ignored name',
    '[4.17] nor a dismissed one: nothing is dropped in silence, so the field is named');
SELECT is((SELECT (r.merged_contact_id IS NULL, r.conflicts, r.ignored, r.error IS NULL)::text
           FROM identify('shop', email => 'mia@example.org') AS r), '(t,{},{},t)',
    '[4.17] nothing is null or an empty array');

------------------------------------------------------------------------ verified
CREATE FUNCTION verified_of(who text) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(kind, ', ' ORDER BY kind, value), '') FROM contact_identity.identifiers
    WHERE contact_id = id(who) AND verified
$$;
CALL given('pat', identify('conversations', 'pat', email => 'pat@example.org', phone => '+12065550125'));
SELECT is(verified_of('pat'), '', '[4.18] a claim verifies nothing');
CALL done(identify('conversations', 'pat', email => 'pat@example.org', verified => true));
SELECT is(verified_of('pat'), 'email, visitor', '[4.18] verified verifies the identifiers and the key that are given');
CALL done(identify('conversations', 'pat', email => 'pat@example.org', phone => '+12065550125'));
SELECT is(verified_of('pat'), 'email, visitor', '[4.18] a claim neither clears nor sets it');
CALL given('ria', identify('push', 'ria', email => 'ria@example.org', phone => '+12065550126', verified => true));
SELECT is(verified_of('ria'), 'email, phone, push', '[4.18] verified from the start');
CALL done(identify('push', 'ria', email => 'pat@example.org'));
SELECT is(verified_of('pat'), 'email, visitor', '[4.18] a key that moves by a claim is not verified any more');
CALL done(identify('push', 'ria', email => 'ria@example.org', verified => true));
SELECT is(verified_of('ria'), 'email, phone, push', '[4.18] one that moves by a verified call is');
CALL done(identify('shop', email => 'pat@example.org', landline => '+12065550127'));
CALL done(identify('shop', contact_id => id('pat'), ext_id => 'pat'));
CALL given('sol', identify('shop', ext_id => 'sol'));
CALL done(identify('shop', ext_id => 'sol', phone => '+12065550126'));
SELECT is(holds('sol') || '; ' || verified_of('sol'), 'ext_id sol, phone +12065550126; ',
    '[4.18] an identifier that moves loses it');
CALL done(identify('shop', ext_id => 'sol', landline => '+12065550127', verified => true));
SELECT is(verified_of('sol'), 'ext_id, landline', '[4.18] or gets it from the call that moved it');
CALL given('tod', capture('conversations', 'tod'));
CALL done(identify('conversations', 'tod 2', contact_id => id('tod'), verified => true));
SELECT is(verified_of('tod'), 'visitor', '[4.18] keys of anonymous contacts too');
CALL done(identify('conversations', 'tod', email => 'sol@example.org', contact_id => id('sol'), verified => true));
SELECT is((SELECT array_agg(value || ' ' || verified ORDER BY value) FROM identifiers WHERE contact_id = id('sol') AND kind = 'visitor'),
    '{tod true,tod 2 false}', '[4.18] a merge by a verified call verifies the key given, and takes it from the others');
SELECT is(said(identify('conversations', 'tod', email => 'una@example.org')), 'updated sol conflict email',
    '[4.18] (a conflict)');
SELECT ok(promote(open_conflict('sol', 'email'),
                  'agent', customer_confirmed => true), '[4.18] what an agent promotes ...');
SELECT is((SELECT verified FROM identifiers WHERE contact_id = id('sol') AND value = 'una@example.org'), true,
    '[4.18] ... is verified');
SELECT is(said(identify('conversations', 'tod', email => 'ria@example.org')), 'updated sol conflict email',
    '[4.18] a verified key gives a claim no other mode');
CALL given('vea', identify('shop', email => 'vea@example.org', occurred_at => day(5), verified => true));
SELECT is(said(identify('shop', contact_id => id('vea'), email => 'vea.2@example.org', occurred_at => day(6))), 'updated vea',
    '[4.18] a verified value is replaced as any');
SELECT is(verified_of('vea'), '', '[4.18] and the new one is not verified');

SELECT * FROM finish();
ROLLBACK;
