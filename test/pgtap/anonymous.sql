-- Anonymous contacts: capture, labels, opt-out and logout (RULES 1).
BEGIN;
\ir words.psql
\ir counts.psql
SELECT plan(172);

------------------------------------------------------------- 1.1 to 1.3: a key
SELECT home_total AS home FROM contact_counts WHERE account_id = 1 \gset
SELECT capture('push', 'p1') AS p1 \gset
SELECT is((SELECT home_total::int - :home FROM contact_counts WHERE account_id = 1), 1,
    '[1.1] a new push key makes exactly one contact');
SELECT is((SELECT state::text FROM all_contacts WHERE contact_id = :p1), 'anonymous', '[1.1] an anonymous one');
SELECT is((SELECT string_agg(kind || ' ' || value, ', ') FROM identifiers WHERE contact_id = :p1), 'push p1',
    '[1.1] that holds the key and nothing else');
SELECT capture('conversations', 'v1') AS v1 \gset
SELECT is((SELECT home_total::int - :home FROM contact_counts WHERE account_id = 1), 2,
    '[1.1] a new visitor key makes exactly one contact');
SELECT is((SELECT state::text FROM all_contacts WHERE contact_id = :v1), 'anonymous', '[1.1] an anonymous one');
SELECT is((SELECT string_agg(kind || ' ' || value, ', ') FROM identifiers WHERE contact_id = :v1), 'visitor v1',
    '[1.1] that holds the key and nothing else');
SELECT is((SELECT outcome FROM identify('push', 'p1b')), 'captured',
    '[1.1] identify with a new key and no identifier is a capture');
SELECT is((SELECT count(*)::int FROM history WHERE contact_id = :p1 AND event = 'created'), 1,
    '[1.1] [10.1] its history tells that it was made, once');

SELECT home_total AS home FROM contact_counts WHERE account_id = 1 \gset
SELECT versions() AS before \gset
SELECT is(capture('push', 'p1'), :'p1', '[1.2] a known push key returns its contact');
SELECT is(capture('conversations', 'v1'), :'v1', '[1.2] a known visitor key returns its contact');
SELECT is(capture('conversations', 'v1', via => 'chat'), :'v1', '[1.2] whatever the via of that key kind');
SELECT is((identify('push', 'p1')).outcome, 'unchanged', '[1.2] so does identify with the key alone');
SELECT is(versions(), :'before', '[1.2] and nothing is written');
SELECT is((SELECT home_total::int - :home FROM contact_counts WHERE account_id = 1), 0,
    '[1.2] and no contact made');

SAVEPOINT page_view;
SET LOCAL transaction_read_only = on;
SELECT is(capture('push', 'p1'), :'p1', '[1.2] [4.16] so that it works where nothing can be written');
ROLLBACK TO page_view;

SELECT contact_id AS p2 FROM identify('push', 'p2', email => 'p2@example.org') \gset
SELECT home_total AS home FROM contact_counts WHERE account_id = 1 \gset
SELECT versions() AS before \gset
SELECT is(capture('push', 'p2'), :'p2', '[1.2] a known key returns its contact, an identified one too');
SELECT is(versions(), :'before', '[1.2] and nothing is written');
SELECT capture('push', 'p3') AS p3 \gset
SELECT is((identify('push', 'p3', email => 'p2@example.org')).merged_contact_id, :'p3',
    '[3.8] the contact of a key is merged');
SELECT is(capture('push', 'p3'), :'p2', '[1.2] [6.3] the key then returns the survivor');
SELECT is((SELECT home_total::int - :home FROM contact_counts WHERE account_id = 1), 0, '[1.2] and makes none');

-- That it was seen is noted at most once a day.
SELECT capture('push', 'seen', occurred_at => now() - interval '25 hours') AS seen \gset
SELECT is((SELECT last_seen_at FROM all_contacts WHERE contact_id = :seen), now() - interval '25 hours',
    '[1.2] a contact was seen when it was made');
SELECT event_id AS last_event FROM history ORDER BY event_id DESC LIMIT 1 \gset
SELECT is(capture('push', 'seen', occurred_at => now() - interval '2 hours'), :'seen',
    '[1.2] seen again within a day');
SELECT is((SELECT last_seen_at FROM all_contacts WHERE contact_id = :seen), now() - interval '25 hours',
    '[1.2] is not noted');
SELECT is(capture('push', 'seen', occurred_at => now() - interval '1 hour'), :'seen',
    '[1.2] seen again after a day');
SELECT is((SELECT last_seen_at FROM all_contacts WHERE contact_id = :seen), now() - interval '1 hour',
    '[1.2] is noted');
SELECT versions() AS before \gset
SELECT is(capture('push', 'seen'), :'seen', '[1.2] but not twice a day');
SELECT is(capture('push', 'seen', occurred_at => now() - interval '10 days'), :'seen',
    '[1.2] nor an earlier time, late to be told');
SELECT is(versions(), :'before', '[1.2] nothing is written');
SELECT is((SELECT count(*)::int FROM history WHERE event_id > :last_event), 0, '[1.2] being seen makes no history');

-- The interval is a setting.
SELECT capture('push', 'often', occurred_at => now() - interval '25 hours') AS often \gset
UPDATE account SET seen_interval = '2 days' WHERE account_id = 1;
SELECT is(capture('push', 'often', occurred_at => now()), :'often', '[1.2] with an interval of two days');
SELECT is((SELECT last_seen_at FROM all_contacts WHERE contact_id = :often), now() - interval '25 hours',
    '[1.2] a day is not noted');
UPDATE account SET seen_interval = '1 hour' WHERE account_id = 1;
SELECT is(capture('push', 'often', occurred_at => now() - interval '23 hours'), :'often',
    '[1.2] with an interval of an hour');
SELECT is((SELECT last_seen_at FROM all_contacts WHERE contact_id = :often), now() - interval '23 hours',
    '[1.2] two hours are');
SELECT is(capture('push', 'often', occurred_at => now() + interval '5 years'), :'often',
    '[1.2] [4.10] a time in the future');
SELECT ok((SELECT last_seen_at BETWEEN now() AND clock_timestamp() FROM all_contacts WHERE contact_id = :often),
    '[1.2] [4.10] counts as now');
UPDATE account SET seen_interval = '1 day' WHERE account_id = 1;

SELECT isnt(capture('push', 'p4'), capture('push', 'p5'), '[1.3] two keys are two contacts');
SELECT isnt(capture('push', 'p4'), capture('push', 'P4'), '[1.3] [7.3] keys that differ in case are two');
SELECT isnt(capture('push', 'same'), capture('conversations', 'same'),
    '[1.3] one text as push key and as visitor key is two');
SELECT is((SELECT count(DISTINCT capture('conversations', 'many' || n))::int FROM generate_series(1, 20) n), 20,
    '[1.3] twenty keys are twenty contacts');
SELECT is((SELECT max(n)::int FROM (SELECT count(*) AS n FROM identifiers
                                    WHERE NOT identifying AND contact_id IN (SELECT contact_id FROM all_contacts WHERE account_id = 1 AND state = 'anonymous')
                                    GROUP BY contact_id) AS keys), 1, '[1.3] nobody is shared');

---------------------------------------------------- 1.4: anonymous exactly while
SELECT contact_id AS named, outcome AS named_outcome FROM identify('conversations', 'named', attributes => '{"name": "Ann"}') \gset
SELECT is(:'named_outcome'::text, 'captured', '[1.4] a name alone');
SELECT is((SELECT attributes FROM all_contacts WHERE contact_id = :named), '{"name": "Ann"}', '[1.4] is stored');
SELECT is((SELECT state::text FROM all_contacts WHERE contact_id = :named), 'anonymous',
    '[1.4] and leaves the contact anonymous');
SELECT capture('push', 'named', attributes => '{"name": "Bob"}') AS bob \gset
SELECT is((SELECT state || ' ' || attributes FROM all_contacts WHERE contact_id = :bob), 'anonymous {"name": "Bob"}',
    '[1.4] so does capture with a name');
SELECT is((identify('push', 'named', attributes => '{"name": "Rob"}')).outcome, 'updated',
    '[1.4] a name can be given later');
SELECT is((SELECT state || ' ' || attributes FROM all_contacts WHERE contact_id = :bob), 'anonymous {"name": "Rob"}',
    '[1.4] and leaves the contact anonymous');
SELECT is((identify('conversations', 'i1', ext_id => 'c-1')).outcome, 'created',
    '[1.4] a customer number makes it identified');
SELECT is((identify('conversations', 'i2', email => 'i2@example.org')).outcome, 'created',
    '[1.4] so does an e-mail');
SELECT is((identify('conversations', 'i3', phone => '+12061230003')).outcome, 'created',
    '[1.4] so does a phone number');
SELECT is((identify('conversations', 'i4', whatsapp => '+12061230004')).outcome, 'created',
    '[1.4] so does a WhatsApp number');
SELECT is((identify('conversations', 'i5', landline => '+12061230005')).outcome, 'created',
    '[1.4] so does a landline');
SELECT is((SELECT count(*)::int FROM identifiers i JOIN all_contacts c USING (account_id, contact_id)
           WHERE account_id = 1 AND i.kind = 'visitor' AND i.value LIKE 'i_' AND c.state = 'identified'), 5,
    '[1.4] all five are identified');
SELECT is((identify('conversations', 'named', email => 'named@example.org')).outcome, 'identified',
    '[1.4] an anonymous contact is identified by its first identifier');
SELECT is((SELECT state || ' ' || attributes FROM all_contacts WHERE contact_id = :named), 'identified {"name": "Ann"}',
    '[1.4] and keeps what it has');
SELECT is((SELECT count(*)::int FROM all_contacts c WHERE (c.state = 'anonymous') <> NOT EXISTS (
              SELECT FROM identifiers i WHERE i.account_id = c.account_id AND i.contact_id = c.contact_id AND i.identifying)),
    0, '[1.4] anonymous are exactly those without an identifying identifier');

--------------------------------------------------------------------- 1.5: label
SELECT is((SELECT label FROM all_contacts WHERE contact_id = :p1), 'Anonymous contact #' || :p1,
    '[1.5] the label of an anonymous contact has its id');
SELECT capture('push', 'labelled', attributes => '{"name": "Ann"}') AS labelled \gset
SELECT is((SELECT label FROM contacts WHERE contact_id = :labelled), 'Anonymous contact #' || :labelled,
    '[1.5] a name is no label');
SELECT regexp_replace(versions(), 'account: .*?\n', '') AS before \gset
SAVEPOINT german;
UPDATE account SET anonymous_label = 'Anonymer Kontakt #<id>' WHERE account_id = 1;
SELECT is((SELECT label FROM all_contacts WHERE contact_id = :p1), 'Anonymer Kontakt #' || :p1,
    '[1.5] it follows the setting at once');
SELECT is(regexp_replace(versions(), 'account: .*?\n', ''), :'before', '[1.5] it is stored nowhere');
ROLLBACK TO german;
SELECT is((SELECT label FROM all_contacts WHERE contact_id = :p1), 'Anonymous contact #' || :p1,
    '[1.5] and goes back with it');
UPDATE account SET anonymous_label = 'Somebody' WHERE account_id = 1;
SELECT is((SELECT label FROM all_contacts WHERE contact_id = :p1), 'Somebody',
    '[1.5] a label without <id> is taken as it is');
UPDATE account SET anonymous_label = 'Anonymous contact #<id>' WHERE account_id = 1;

SELECT contact_id AS lab FROM identify('shop', landline => '+12061230011') \gset
SELECT is((SELECT label FROM contacts WHERE contact_id = :lab), '+12061230011',
    '[1.5] an identified contact''s label is its strongest identifier: a landline');
SELECT outcome FROM identify('shop', landline => '+12061230011', whatsapp => '+12061230012') \gset
SELECT is((SELECT label FROM contacts WHERE contact_id = :lab), '+12061230012',
    '[1.5] WhatsApp comes before landline');
SELECT outcome FROM identify('shop', landline => '+12061230011', phone => '+12061230013') \gset
SELECT is((SELECT label FROM contacts WHERE contact_id = :lab), '+12061230013',
    '[1.5] phone comes before WhatsApp');
SELECT outcome FROM identify('shop', landline => '+12061230011', ext_id => 'c-99') \gset
SELECT is((SELECT label FROM contacts WHERE contact_id = :lab), 'c-99',
    '[1.5] the customer number comes before phone');
SELECT outcome FROM identify('shop', landline => '+12061230011', email => 'lab@example.org') \gset
SELECT is((SELECT label FROM contacts WHERE contact_id = :lab), 'lab@example.org',
    '[1.5] but its e-mail comes before all');
SELECT outcome FROM identify('conversations', contact_id => :lab, email => 'secondary@example.org') \gset
SELECT is((SELECT label FROM contacts WHERE contact_id = :lab), 'lab@example.org',
    '[1.5] a secondary e-mail is no label');

-------------------------------------------------------------------- 1.6: refused
SELECT throws_ok($$SELECT capture('nowhere', 'k1')$$, '22023', 'source does not exist', '[1.6] an unknown source');
SELECT throws_ok($$SELECT capture('Push', 'k1')$$, '22023', 'source does not exist',
    '[1.6] a source''s name is compared exactly');
SELECT throws_ok($$SELECT capture('', 'k1')$$, '22023', 'source does not exist', '[1.6] no source');
SELECT throws_ok($$SELECT capture(NULL, 'k1')$$, '22023', 'source must be given', '[1.6] NULL as source');
SELECT throws_ok($$SELECT capture('merge', 'k1')$$, '22023', 'source does not exist',
    '[1.6] [5.1] merge is no source to capture from');
SELECT throws_ok($$SELECT capture('shop', 'k1')$$, '22023', 'source "shop" takes no key',
    '[1.6] shop makes no anonymous contact');
SELECT throws_ok($$SELECT capture('api', 'k1')$$, '22023', 'source "api" takes no key', '[1.6] nor does api');
INSERT INTO source (account_id, source, key_kind) VALUES (1, 'desk', 'visitor');
SELECT throws_ok($$SELECT capture('desk', 'desk1')$$, '22023', 'source "desk" makes no anonymous contacts',
    '[1.6] nor a source with keys that is not said to');
SELECT throws_ok($$SELECT identify('desk', 'desk1', attributes => '{"name": "Ann"}')$$, '22023', 'source "desk" makes no anonymous contacts',
    '[1.6] nor by identify');
SELECT is((identify('desk', 'desk1', email => 'desk@example.org')).outcome, 'created',
    '[1.6] with an identifier it makes an identified one');
SELECT versions() AS before \gset
SELECT throws_ok($$SELECT capture('push', '')$$, '22023', 'push is malformed', '[1.6] an empty key');
SELECT throws_ok($$SELECT capture('push', NULL)$$, '22023', 'push is malformed', '[1.6] NULL as key');
SELECT throws_ok($$SELECT capture('push', '  ')$$, '22023', 'push is malformed', '[1.6] a key of white space');
SELECT throws_ok($$SELECT capture('push', ' k1')$$, '22023', 'push is malformed',
    '[1.6] [7.3] white space before a key');
SELECT throws_ok($$SELECT capture('push', E'k\n1')$$, '22023', 'push is malformed',
    '[1.6] [7.3] a control character in a key');
SELECT throws_ok($$SELECT capture('push', repeat('k', 2001))$$, '22023', 'push is malformed',
    '[1.6] [7.3] a key of 2001 octets');
SELECT throws_ok($$SELECT capture('push', 'undefined')$$, '22023', 'push is malformed',
    '[1.6] [7.5] a blocked key');
SELECT throws_ok($$SELECT capture('push', '"NULL"')$$, '22023', 'push is malformed',
    '[1.6] [7.5] a blocked key in quotes and capitals');
SELECT throws_ok($$SELECT capture('conversations', '00000000-0000-0000-0000-000000000000')$$, '22023', 'visitor is malformed',
    '[1.6] [7.5] a blocked visitor key');
UPDATE source SET enabled = false WHERE account_id = 1 AND source IN ('push', 'conversations');
SELECT throws_ok($$SELECT capture('push', 'off')$$, '22023', 'source "push" is switched off',
    '[1.6] a source that is switched off');
SELECT throws_ok($$SELECT capture('push', 'p1')$$, '22023', 'source "push" is switched off',
    '[1.6] also with a key that is known');
UPDATE source SET enabled = true WHERE account_id = 1 AND source IN ('push', 'conversations');
SELECT is((SELECT count(*)::int FROM identifiers WHERE account_id = 1 AND value IN ('k1', ' k1', '', '  ', 'desk', 'undefined', 'off')), 0,
    '[1.6] nothing of all that is written');
INSERT INTO blocked_value (account_id, value) VALUES (1, 'nobody');
SELECT throws_ok($$SELECT capture('push', 'Nobody')$$, '22023', 'push is malformed',
    '[1.6] [7.5] a value that the account blocks');
DELETE FROM blocked_value WHERE account_id = 1 AND value = 'nobody';
SELECT lives_ok($$SELECT capture('push', 'nobody')$$, '[1.6] [7.5] and blocks no more');
SELECT lives_ok($$SELECT capture('push', repeat('k', 2000))$$, '[1.6] [7.3] a key of 2000 octets is a key');
SELECT throws_ok($$SELECT identify('push')$$, '22023', 'nothing to find a contact by',
    '[1.6] neither key nor identifier');
SELECT throws_ok($$SELECT identify('push', '')$$, '22023', 'push is malformed', '[1.6] an empty key in identify');

------------------------------------------------------------------ 1.7: opting out
SELECT capture('push', 'opt') AS opt \gset
SELECT ok((SELECT active FROM identifiers WHERE account_id = 1 AND kind = 'push' AND value = 'opt'),
    '[1.7] a push key is opted in when it is first seen');
SELECT is((SELECT reachable::text[] FROM contacts WHERE contact_id = :opt), '{push}', '[1.7] [2.7] and reachable');
SELECT is(unsubscribe('push', 'opt'), true, '[1.7] unsubscribe');
SELECT ok((SELECT NOT active FROM identifiers WHERE account_id = 1 AND kind = 'push' AND value = 'opt'),
    '[1.7] opts it out');
SELECT is((SELECT reachable::text[] FROM contacts WHERE contact_id = :opt), '{}',
    '[1.7] the contact stays listed and is not reachable');
SELECT is((SELECT count(*)::int FROM audience WHERE contact_id = :opt), 0, '[1.7] and in no audience');
SELECT is(count_error(), 'none', '[1.7] [2.4] it is counted as before');
SELECT versions() AS before \gset
SELECT is(unsubscribe('push', 'opt'), false, '[1.9] the second unsubscribe changes nothing and says so');
SELECT is(versions(), :'before', '[1.9] and writes nothing');
SELECT is(capture('push', 'opt'), :'opt', '[1.7] a capture');
SELECT ok((SELECT NOT active FROM identifiers WHERE account_id = 1 AND kind = 'push' AND value = 'opt'),
    '[1.7] does not opt it in');
SELECT is((identify('push', 'opt', attributes => '{"name": "Ann"}')).outcome, 'updated',
    '[1.7] an identify without identifier');
SELECT ok((SELECT NOT active FROM identifiers WHERE account_id = 1 AND kind = 'push' AND value = 'opt'),
    '[1.7] does not opt it in');
SELECT is((identify('push', 'opt', email => 'opt@example.org')).outcome, 'identified', '[1.7] an identify');
SELECT ok((SELECT NOT active FROM identifiers WHERE account_id = 1 AND kind = 'push' AND value = 'opt'),
    '[1.7] does not opt it in');
SELECT is((SELECT reachable::text[] FROM contacts WHERE contact_id = :opt), '{email}',
    '[1.7] an e-mail reaches it, push does not');
SELECT is((identify('push', 'opt', email => 'opt@example.org', verified => true)).contact_id, :'opt',
    '[1.7] a log-in');
SELECT ok((SELECT NOT active FROM identifiers WHERE account_id = 1 AND kind = 'push' AND value = 'opt'),
    '[1.7] does not opt it in');
SELECT contact_id AS opt2, outcome AS opt2_outcome FROM identify('push', 'opt', email => 'opt2@example.org') \gset
SELECT is(:'opt2_outcome'::text, 'switched', '[1.7] [3.9] another person who logs in on that device gets its key');
SELECT is((SELECT contact_id || ' ' || active FROM identifiers WHERE account_id = 1 AND kind = 'push' AND value = 'opt'), :opt2 || ' false',
    '[1.7] which is not opted in by it');
SELECT capture('push', 'opt3') AS opt3 \gset
SELECT unsubscribe('push', 'opt3') \gset
SELECT is((identify('push', 'opt3', email => 'opt2@example.org')).outcome, 'merged', '[1.7] a merge');
SELECT is((SELECT string_agg(value || ' ' || active, ', ' ORDER BY value) FROM identifiers WHERE contact_id = :opt2 AND kind = 'push'),
    'opt false, opt3 false', '[1.7] opts no key in');
SELECT is(subscribe('push', 'opt'), true, '[1.7] subscribe');
SELECT ok((SELECT active FROM identifiers WHERE account_id = 1 AND kind = 'push' AND value = 'opt'),
    '[1.7] opts it in again');
SELECT is((SELECT string_agg(channel || ' ' || value, ', ' ORDER BY channel, value) FROM audience WHERE contact_id = :opt2),
    'email opt2@example.org, push opt', '[1.7] that device is reachable and the other is not');
SELECT versions() AS before \gset
SELECT is(subscribe('push', 'opt'), false, '[1.9] the second subscribe changes nothing and says so');
SELECT is(versions(), :'before', '[1.9] and writes nothing');
SELECT is((SELECT string_agg(event, ' ' ORDER BY event_id) FROM history WHERE contact_id IN (:opt, :opt2) AND event LIKE 'opted%'),
    'opted_out opted_in', '[1.7] [10.1] both are history');
SELECT throws_ok($$SELECT subscribe('nowhere', 'opt')$$, '22023', 'source does not exist',
    '[1.7] subscribe with an unknown source');
SELECT throws_ok($$SELECT unsubscribe(NULL, 'opt')$$, '22023', 'source must be given',
    '[1.7] unsubscribe with no source');
SELECT throws_ok($$SELECT unsubscribe('push', '')$$, '22023', 'push is malformed',
    '[1.7] unsubscribe with an empty key');
SELECT throws_ok($$SELECT subscribe('push', NULL)$$, '22023', 'push is malformed',
    '[1.7] subscribe with NULL as key');
SELECT throws_ok($$SELECT subscribe('shop', 'opt')$$, '22023', 'source "shop" takes no key',
    '[1.7] [4.13] subscribe with a source without keys');
SELECT throws_ok($$SELECT subscribe('conversations', 'v1')$$, '22023', 'keys of kind "visitor" are not subscribed to anything',
    '[1.7] a visitor key has nothing to opt in to');
SELECT throws_ok($$SELECT unsubscribe('conversations', 'v1')$$, '22023', 'keys of kind "visitor" are not subscribed to anything',
    '[1.7] nor out of');

-------------------------------------------------------------------- 1.9: logging out
SELECT contact_id AS home FROM identify('push', 'tablet', email => 'home@example.org', attributes => '{"name": "Ann"}') \gset
SELECT outcome FROM identify('push', 'desktop', email => 'home@example.org') \gset
SELECT is(logout('push', 'tablet'), true, '[1.9] logout');
SELECT is((SELECT string_agg(value, ', ') FROM identifiers WHERE contact_id = :home AND kind = 'push'), 'desktop',
    '[1.9] detaches the key and no other');
SELECT is((SELECT email || ' ' || attributes FROM contacts WHERE contact_id = :home), 'home@example.org {"name": "Ann"}',
    '[1.9] the contact keeps all else');
SELECT is(ARRAY(SELECT find('push', 'tablet')), '{}', '[1.9] nobody has the key');
SELECT versions() AS before \gset
SELECT is(logout('push', 'tablet'), false, '[1.9] the second logout changes nothing and says so');
SELECT is(logout('push', 'never seen'), false, '[1.9] a key that nobody ever had is no error for logout');
SELECT is(subscribe('push', 'never seen'), false, '[1.9] nor for subscribe');
SELECT is(unsubscribe('push', 'never seen'), false, '[1.9] nor for unsubscribe');
SELECT is(unsubscribe('push', 'tablet'), false, '[1.9] nor is one that was detached');
SELECT is(versions(), :'before', '[1.9] nothing is written');
SELECT capture('push', 'tablet') AS tablet \gset
SELECT is((SELECT state::text FROM contacts WHERE contact_id = :tablet AND contact_id <> :home), 'anonymous',
    '[1.9] the next capture makes a new anonymous contact');
SELECT ok((SELECT active FROM identifiers WHERE account_id = 1 AND kind = 'push' AND value = 'tablet'),
    '[1.9] opted in, since it was not opted out');
SELECT is((SELECT count(*)::int FROM history WHERE contact_id = :home AND event = 'detached' AND field = 'push'), 1,
    '[1.9] [10.1] the logout is history');

SELECT capture('conversations', 'v9') AS v9 \gset
SELECT is(logout('conversations', 'v9'), true, '[1.9] the key of an anonymous contact is detached too');
SELECT isnt(capture('conversations', 'v9'), :'v9', '[1.9] and its next capture is another contact');
SELECT is((SELECT state::text FROM all_contacts WHERE contact_id = :v9), 'anonymous',
    '[1.9] the contact without keys stays');
SELECT capture('conversations', 'fb', via => 'facebook') AS fb \gset
SELECT is(logout('conversations', 'fb'), false, '[1.9] without its via a key is another one');
SELECT is(logout('conversations', 'fb', via => 'facebook'), true, '[1.9] with it, it is detached');

-- An opt-out outlives the logout.
SELECT contact_id AS quiet FROM identify('push', 'quiet', email => 'quiet@example.org') \gset
SELECT unsubscribe('push', 'quiet') \gset
SELECT is(logout('push', 'quiet'), true, '[1.9] a key that is opted out is detached');
SELECT is(ARRAY(SELECT find('push', 'quiet')), '{}', '[1.9] nobody has it');
SELECT is((SELECT count(*)::int FROM identifiers WHERE account_id = 1 AND kind = 'push' AND contact_id = :quiet), 0,
    '[1.9] its contact does not');
SELECT is(logout('push', 'quiet'), false, '[1.9] a second logout changes nothing');
SELECT is(unsubscribe('push', 'quiet'), false, '[1.9] nor does a second opt-out');
SELECT capture('push', 'quiet') AS quiet2 \gset
SELECT is((SELECT state::text FROM contacts WHERE contact_id = :quiet2 AND contact_id <> :quiet), 'anonymous',
    '[1.9] the next capture makes a new anonymous contact');
SELECT ok((SELECT NOT active FROM identifiers WHERE account_id = 1 AND kind = 'push' AND value = 'quiet'),
    '[1.9] that is opted out: the opt-out outlives the logout');
SELECT is((SELECT reachable::text[] FROM contacts WHERE contact_id = :quiet2), '{}',
    '[1.9] [1.7] and not reachable');
SELECT is(logout('push', 'quiet'), true, '[1.9] it outlives another logout');
SELECT is((identify('push', 'quiet', email => 'quiet@example.org')).contact_id, :'quiet',
    '[1.9] [3.7] and the next log-in');
SELECT ok((SELECT NOT active FROM identifiers WHERE account_id = 1 AND kind = 'push' AND value = 'quiet'),
    '[1.9] which does not opt it in');
SELECT is(logout('push', 'quiet'), true, '[1.9] detached once more');
SELECT is(subscribe('push', 'quiet'), true, '[1.7] subscribe opts in a detached key too');
SELECT is(subscribe('push', 'quiet'), false, '[1.9] once');
SELECT is((identify('push', 'quiet', email => 'quiet@example.org')).contact_id, :'quiet',
    '[3.7] the log-in after it');
SELECT ok((SELECT active FROM identifiers WHERE account_id = 1 AND kind = 'push' AND value = 'quiet'),
    '[1.7] finds it opted in');

SELECT throws_ok($$SELECT logout('nowhere', 'quiet')$$, '22023', 'source does not exist',
    '[1.9] logout with an unknown source');
SELECT throws_ok($$SELECT logout(NULL, 'quiet')$$, '22023', 'source must be given', '[1.9] logout with no source');
SELECT throws_ok($$SELECT logout('push', '')$$, '22023', 'push is malformed', '[1.9] logout of an empty key');
SELECT throws_ok($$SELECT logout('push', NULL)$$, '22023', 'push is malformed', '[1.9] logout of NULL');
SELECT throws_ok($$SELECT logout('shop', 'quiet')$$, '22023', 'source "shop" takes no key',
    '[1.9] [4.13] logout with a source without keys');
SELECT throws_ok($$SELECT logout('conversations', 'fb', via => 'telegram')$$, '22023', 'source "conversations" has no such via',
    '[1.9] [4.13] logout with a via that is not listed');

-- A detached key whose opt-out is remembered can go with a later contact.
SELECT capture('push', 'passed') AS passed \gset
SELECT unsubscribe('push', 'passed') \gset
SELECT logout('push', 'passed') \gset
SELECT capture('push', 'passed') AS passed2 \gset
DELETE FROM all_contacts WHERE contact_id = :passed2;
SELECT is(ARRAY(SELECT contact_id FROM identifier WHERE kind = 'push' AND value = 'passed'), '{}',
    '[1.8] a key that was detached goes with the one who had it last');

SELECT is(count_error(), 'none', '[2.4] the counts are those of the rows after all this');
SELECT is_empty('SELECT * FROM check_integrity()', '[9.2] and nothing breaks the rules');
SELECT * FROM finish();
ROLLBACK;
