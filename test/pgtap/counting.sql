-- Listing, counting and reaching (RULES 2).
BEGIN;
\ir words.psql
\ir counts.psql
SELECT plan(154);

-- What an account's contact counts as: 'identified', 'push' or 'conversations'
-- by the views, or 'nothing'.
CREATE FUNCTION pg_temp.counts_as(contact bigint) RETURNS text
LANGUAGE sql AS $$
    SELECT CASE WHEN a.contact_id IS NULL AND l.contact_id IS NULL THEN 'nothing'
                WHEN a.contact_id IS NULL THEN 'listed, but not at home'
                WHEN a.state = 'identified' AND l.contact_id IS NOT NULL THEN 'identified'
                WHEN a.state = 'anonymous' AND l.contact_id IS NOT NULL THEN 'push'
                WHEN a.state = 'anonymous' THEN 'conversations'
                ELSE 'identified, but not listed' END
    FROM (VALUES (contact)) AS v (contact_id)
    LEFT JOIN contact_identity.all_contacts a USING (contact_id)
    LEFT JOIN contact_identity.contacts l USING (contact_id)
$$;

-- How far the two totals are from what they were.
CREATE FUNCTION pg_temp.change(listing bigint, home bigint) RETURNS text
LANGUAGE sql AS $$
    SELECT format('%s %s', listing_total - listing, home_total - home)
    FROM contact_identity.contact_counts WHERE account_id = 81
$$;

-- In an account of its own, which is empty.
SELECT create_account(81, 'counting') \gset
SET LOCAL contact_identity.account_id = 81;

------------------------------------------------------ 2.1: push or conversations
SELECT is((SELECT (c.identified, c.anonymous_push, c.anonymous_conversations, c.listing_total, c.home_total)::text
           FROM contact_counts c WHERE account_id = 81), '(0,0,0,0,0)', '[2.3] an empty account counts nothing');
SELECT capture('push', 'p1') AS p1 \gset
SELECT is(pg_temp.counts_as(:p1), 'push', '[2.1] a contact with a push key is anonymous push');
SELECT capture('conversations', 'v1') AS v1 \gset
SELECT is(pg_temp.counts_as(:v1), 'conversations', '[2.1] one with a visitor key is anonymous conversations');
SELECT capture('conversations', 'f1', via => 'facebook') AS f1 \gset
SELECT is(pg_temp.counts_as(:f1), 'conversations', '[2.1] so is one with a network''s key');
SELECT unsubscribe('push', 'p1') \gset
SELECT is(pg_temp.counts_as(:p1), 'push', '[2.1] an opted-out push key is a push key');
SELECT is(count_error(), 'none', '[2.4] the counts are those of the rows');

-- A contact of conversations that gets and loses a push key.
SELECT outcome FROM identify('push', 'p2', contact_id => :v1) \gset
SELECT is(pg_temp.counts_as(:v1), 'push', '[2.1] a visitor who gets a push key beside is anonymous push');
SELECT is(count_error(), 'none', '[2.4] and counted as that');
SELECT logout('conversations', 'v1') \gset
SELECT is(pg_temp.counts_as(:v1), 'push', '[2.1] it holds a push key still');
SELECT unsubscribe('push', 'p2') \gset
SELECT logout('push', 'p2') \gset
SELECT is(pg_temp.counts_as(:v1), 'conversations',
    '[2.1] without any key it is what made it, conversations; an opt-out that is remembered is no key');
SELECT is(count_error(), 'none', '[2.4] and counted as that');
SELECT outcome FROM identify('conversations', 'v1', contact_id => :v1) \gset
SELECT is(pg_temp.counts_as(:v1), 'conversations', '[2.1] with a visitor key again it is anonymous conversations');

-- A contact of push.
SELECT outcome FROM identify('conversations', 'v2', contact_id => :p1) \gset
SELECT is(pg_temp.counts_as(:p1), 'push', '[2.1] a push contact that gets a visitor key is anonymous push');
SELECT logout('push', 'p1') \gset
SELECT is(pg_temp.counts_as(:p1), 'conversations', '[2.1] with a visitor key alone it is anonymous conversations');
SELECT is(count_error(), 'none', '[2.4] and counted as that');
SELECT logout('conversations', 'v2') \gset
SELECT is(pg_temp.counts_as(:p1), 'push', '[2.1] without any key it is what made it, push');
SELECT is(count_error(), 'none', '[2.4] and counted as that');

-- Merged by an agent.
SELECT capture('conversations', 'v3') AS v3 \gset
SELECT capture('push', 'p3') AS p3 \gset
SELECT merge(:v3, :p3, 'Eve') \gset
SELECT is(pg_temp.counts_as(:v3), 'push',
    '[2.1] an anonymous contact gets the push key of one that is merged into it');
SELECT is(count_error(), 'none', '[2.4] and is counted as anonymous push');
SELECT capture('push', 'p6') AS p6 \gset
SELECT capture('conversations', 'v6') AS v6 \gset
SELECT merge(:p6, :v6, 'Eve') \gset
SELECT is(pg_temp.counts_as(:p6), 'push',
    '[2.1] an anonymous push contact stays one when it gets a visitor key by a merge');
SELECT logout('push', 'p6') \gset
SELECT is(pg_temp.counts_as(:p6), 'conversations', '[2.1] until it holds that key alone');
SELECT is(count_error(), 'none', '[2.4] and the counts agree');
INSERT INTO source (account_id, source, key_kind, makes) VALUES (81, 'app', 'push', 'push');
SELECT capture('app', 'p4') AS p4 \gset
SELECT logout('app', 'p4') \gset
SELECT is(pg_temp.counts_as(:p4), 'push', '[2.1] what a source makes is kept on the contact');
UPDATE source SET key_kind = 'visitor', makes = 'conversations' WHERE account_id = 81 AND source = 'app';
SELECT is(pg_temp.counts_as(:p4), 'push', '[2.1] also when the source makes another kind of contacts later');
SELECT is(count_error(), 'none', '[2.4] and the counts agree');
DELETE FROM source WHERE account_id = 81 AND source = 'app';
SELECT is(pg_temp.counts_as(:p4), 'push', '[2.1] and when there is no such source any more');

-------------------------------------------------------------- 2.2: who is listed
SELECT contact_id AS ann FROM identify('shop', email => 'ann@example.org') \gset
SELECT is(pg_temp.counts_as(:ann), 'identified', '[2.2] an identified contact is in both views');
SELECT contact_id AS chatter FROM identify('conversations', 'v4', email => 'chatter@example.org') \gset
SELECT is(pg_temp.counts_as(:chatter), 'identified', '[2.2] also one from conversations');
SELECT capture('conversations', 'v5') AS v5 \gset
SELECT capture('push', 'p5') AS p5 \gset
SELECT is((SELECT count(*)::int FROM contacts WHERE contact_id IN (:v5, :p5)), 1,
    '[2.2] the listing shows anonymous push contacts, not anonymous conversations ones');
SELECT is((SELECT count(*)::int FROM all_contacts WHERE contact_id IN (:v5, :p5)), 2,
    '[2.2] all_contacts shows both');

-------------------------------------------------------------------- 2.3: the sums
SELECT is((SELECT listing_total - identified - anonymous_push FROM contact_counts WHERE account_id = 81)::int, 0,
    '[2.3] listing_total is identified and anonymous push');
SELECT is((SELECT home_total - listing_total - anonymous_conversations FROM contact_counts WHERE account_id = 81)::int, 0,
    '[2.3] home_total is that and anonymous conversations');
SELECT is((SELECT identified::int FROM contact_counts WHERE account_id = 81), 2, '[2.3] two are identified');
SELECT is((SELECT anonymous_push::int FROM contact_counts WHERE account_id = 81), 4,
    '[2.3] four are anonymous push');
SELECT is((SELECT anonymous_conversations::int FROM contact_counts WHERE account_id = 81), 4,
    '[2.3] four are anonymous conversations');
SELECT is(count_error(), 'none', '[2.4] count(*) over the rows says the same');

------------------------------------------------ 2.4, 2.5: the scenes, and undone
-- A visitor, unmatched.
SELECT capture('conversations', 'scene1') AS scene \gset
SELECT listing_total AS listing, home_total AS home FROM contact_counts WHERE account_id = 81 \gset
SELECT (c.*)::text AS counts FROM contact_counts c WHERE account_id = 81 \gset
SAVEPOINT scene;
SELECT is((identify('conversations', 'scene1', email => 'scene1@example.org')).outcome, 'identified',
    '[2.5] a visitor is identified without a match');
SELECT is(pg_temp.change(:listing, :home), '1 0', '[2.5] the listing has one more, home none');
SELECT is(count_error(), 'none', '[2.4] inside the transaction');
SELECT is(pg_temp.counts_as(:scene), 'identified', '[2.2] the contact is listed');
ROLLBACK TO scene;
SELECT is((SELECT (c.*)::text FROM contact_counts c WHERE account_id = 81), :'counts'::text,
    '[2.4] after the rollback the counts are those of before');
SELECT is(count_error(), 'none', '[2.4] and those of the rows');
SELECT is(pg_temp.counts_as(:scene), 'conversations', '[2.2] the contact is not listed');

-- A device, unmatched.
SELECT capture('push', 'scene2') AS scene \gset
SELECT listing_total AS listing, home_total AS home FROM contact_counts WHERE account_id = 81 \gset
SELECT (c.*)::text AS counts FROM contact_counts c WHERE account_id = 81 \gset
SAVEPOINT scene;
SELECT is((identify('push', 'scene2', email => 'scene2@example.org')).outcome, 'identified',
    '[2.5] a push contact is identified without a match');
SELECT is(pg_temp.change(:listing, :home), '0 0', '[2.5] neither total changes');
SELECT is(count_error(), 'none', '[2.4] inside the transaction');
SELECT is(pg_temp.counts_as(:scene), 'identified', '[2.2] it is listed as identified');
ROLLBACK TO scene;
SELECT is((SELECT (c.*)::text FROM contact_counts c WHERE account_id = 81), :'counts'::text,
    '[2.4] after the rollback the counts are those of before');
SELECT is(count_error(), 'none', '[2.4] and those of the rows');
SELECT is(pg_temp.counts_as(:scene), 'push', '[2.2] it is listed as anonymous push');

-- A visitor, merged into a contact that is there.
SELECT listing_total AS listing, home_total AS home FROM contact_counts WHERE account_id = 81 \gset
SELECT (c.*)::text AS counts FROM contact_counts c WHERE account_id = 81 \gset
SAVEPOINT scene;
SELECT is((identify('conversations', 'scene1', email => 'ann@example.org')).outcome, 'merged',
    '[2.5] a visitor is merged into an existing contact');
SELECT is(pg_temp.change(:listing, :home), '0 -1', '[2.5] home has one less, the listing the same');
SELECT is(count_error(), 'none', '[2.4] inside the transaction');
SAVEPOINT inner_scene;
SELECT is((identify('push', 'scene2', email => 'ann@example.org')).outcome, 'merged',
    '[2.5] a push contact after it');
SELECT is(pg_temp.change(:listing, :home), '-1 -2', '[2.5] one less in both');
ROLLBACK TO inner_scene;
SELECT is(pg_temp.change(:listing, :home), '0 -1', '[2.4] a savepoint inside takes back its own part');
SELECT is(count_error(), 'none', '[2.4] and the counts are those of the rows');
ROLLBACK TO scene;
SELECT is((SELECT (c.*)::text FROM contact_counts c WHERE account_id = 81), :'counts'::text,
    '[2.4] after the rollback the counts are those of before');
SELECT is(count_error(), 'none', '[2.4] and those of the rows');

-- A device, merged into a contact that is there.
SAVEPOINT scene;
SELECT is((identify('push', 'scene2', email => 'ann@example.org')).outcome, 'merged',
    '[2.5] a push contact is merged into an existing contact');
SELECT is(pg_temp.change(:listing, :home), '-1 -1', '[2.5] home and the listing have one less');
SELECT is(count_error(), 'none', '[2.4] inside the transaction');
SELECT is(pg_temp.counts_as(:scene), 'nothing', '[2.6] the merged contact is listed nowhere');
ROLLBACK TO scene;
SELECT is((SELECT (c.*)::text FROM contact_counts c WHERE account_id = 81), :'counts'::text,
    '[2.4] after the rollback the counts are those of before');
SELECT is(count_error(), 'none', '[2.4] and those of the rows');
SELECT is(pg_temp.counts_as(:scene), 'push', '[2.2] it is listed again');

-- Nothing undone: the parts add up.
SELECT outcome FROM identify('conversations', 'scene1', email => 'scene1@example.org') \gset
SELECT outcome FROM identify('push', 'scene2', email => 'scene1@example.org') \gset
SELECT is(pg_temp.change(:listing, :home), '0 -1', '[2.5] one more by the visitor and one less by the device');
SELECT is(count_error(), 'none', '[2.4] and the counts are those of the rows');

-- Every other way in and out.
SELECT listing_total AS listing, home_total AS home FROM contact_counts WHERE account_id = 81 \gset
SELECT contact_id AS bob FROM identify('api', email => 'bob@example.org') \gset
SELECT is(pg_temp.change(:listing, :home), '1 1', '[2.4] an identified contact that nobody knew');
SELECT is((SELECT count(*)::int FROM identify_batch('[
        {"source": "push", "key": "b1"},
        {"source": "push", "key": "b1", "email": "b1@example.org"},
        {"source": "conversations", "key": "b2"},
        {"source": "conversations", "key": "b3", "email": "b1@example.org"},
        {"source": "conversations", "key": "b2", "email": "b1@example.org"},
        {"source": "nowhere", "key": "b4"},
        {"source": "push", "key": "b5"}]')), 7, '[2.4] a batch of all kinds');
SELECT is(pg_temp.change(:listing, :home), '3 3', '[2.4] adds what is left of it');
SELECT is(count_error(), 'none', '[2.4] and the counts are those of the rows');
SELECT contact_id AS carl FROM identify('api', email => 'carl@example.org') \gset
SELECT merge(:ann, :carl, 'Eve') \gset
SELECT is(pg_temp.change(:listing, :home), '3 3', '[2.6] an identified contact that came and that an agent merged');
SELECT is(pg_temp.counts_as(:carl), 'nothing', '[2.6] is listed nowhere');
INSERT INTO contacts (email) VALUES ('insert@example.org');
SELECT is(pg_temp.change(:listing, :home), '4 4', '[2.4] a contact that is inserted into the view');
SELECT throws_ok($$DO 'BEGIN PERFORM contact_identity.capture(''push'', ''lost''); PERFORM contact_identity.capture(''push'', ''''); END'$$, '22023', 'push is malformed',
    '[2.4] a call that fails takes the one before it in its block along');
SELECT is(pg_temp.change(:listing, :home), '4 4', '[2.4] and neither counts');
SELECT is(count_error(), 'none', '[2.4] and the counts are those of the rows');

-- Counts and rows of one snapshot, in one statement.
SELECT is((SELECT c.home_total - count(a.contact_id) FROM contact_counts c JOIN all_contacts a USING (account_id)
           WHERE account_id = 81 GROUP BY c.home_total)::int, 0,
    '[2.4] one statement sees counts and rows of one snapshot');
DECLARE before CURSOR FOR SELECT c.home_total, (SELECT count(*) FROM all_contacts a WHERE a.account_id = c.account_id)
FROM contact_counts c WHERE account_id = 81;
SELECT home_total AS home FROM contact_counts WHERE account_id = 81 \gset
SELECT capture('push', 'after the cursor') \gset
FETCH before \gset cursor_
SELECT is(:'cursor_home_total'::int, :home, '[2.4] a snapshot of before shows the counts of before');
SELECT is(:'cursor_count'::int, :home, '[2.4] as it shows the rows of before');
CLOSE before;

---------------------------------------------------- 2.6: merged and erased ones
SELECT contact_id AS left_over FROM identify('conversations', 'm1', email => 'left@example.org', phone => '+12061230020') \gset
SELECT outcome FROM identify('conversations', 'm1', email => 'left2@example.org') \gset
SELECT contact_id AS other FROM identify('conversations', 'm2', email => 'other@example.org') \gset
SELECT merge(:other, :left_over, 'Eve') \gset
SELECT is((SELECT count(*)::int FROM identifiers WHERE contact_id = :left_over), 0,
    '[2.6] a merged contact has no identifier');
SELECT is((SELECT count(*)::int FROM lists WHERE contact_id = :left_over), 0, '[2.6] and is on no list');
SELECT is((SELECT count(*)::int FROM audience WHERE contact_id = :left_over), 0, '[2.6] and in no audience');
SELECT is((SELECT count(*)::int FROM conflicts WHERE contact_id = :left_over AND status = 'open'), 0,
    '[2.6] and in no open conflict');
SELECT is(count_error(), 'none', '[2.4] and the counts are those of the rows');

---------------------------------------------------------- 2.7: who can be reached
CREATE FUNCTION pg_temp.reached(contact bigint) RETURNS text
LANGUAGE sql AS $$
    SELECT coalesce((SELECT string_agg(channel || ' ' || value, ', ' ORDER BY channel, value)
                     FROM contact_identity.audience WHERE contact_id = contact), 'nobody')
$$;
CREATE FUNCTION pg_temp.channels(contact bigint) RETURNS text
LANGUAGE sql AS $$
    SELECT array_to_string(ARRAY(SELECT unnest(reachable) ORDER BY 1), ' ')
    FROM contact_identity.all_contacts WHERE contact_id = contact
$$;
SELECT contact_id AS dora FROM identify('shop', ext_id => 'dora') \gset
SELECT is(pg_temp.reached(:dora), 'nobody', '[2.7] a customer number reaches nobody');
SELECT is(pg_temp.channels(:dora), '', '[2.7] and the view says so');
SELECT outcome FROM identify('shop', ext_id => 'dora', landline => '+12061230021') \gset
SELECT is(pg_temp.reached(:dora), 'nobody', '[2.7] nor does a landline');
SELECT outcome FROM identify('shop', ext_id => 'dora', phone => '+12061230022') \gset
SELECT is(pg_temp.reached(:dora), 'sms +12061230022', '[2.7] a phone number is reached by SMS and not by WhatsApp');
SELECT outcome FROM identify('shop', ext_id => 'dora', whatsapp => '+12061230023') \gset
SELECT is(pg_temp.reached(:dora), 'sms +12061230022, whatsapp +12061230023', '[2.7] WhatsApp by its own kind');
SELECT outcome FROM identify('shop', ext_id => 'dora', email => 'Dora@Example.ORG') \gset
SELECT is(pg_temp.reached(:dora), 'email dora@example.org, sms +12061230022, whatsapp +12061230023',
    '[2.7] e-mail by the primary e-mail');
SELECT outcome FROM identify('push', 'dora1', ext_id => 'dora') \gset
SELECT outcome FROM identify('push', 'dora2', ext_id => 'dora') \gset
SELECT is(pg_temp.reached(:dora), 'email dora@example.org, push dora1, push dora2, sms +12061230022, whatsapp +12061230023',
    '[2.7] push by each push key');
SELECT is(pg_temp.channels(:dora), 'email push sms whatsapp', '[2.7] the view names the four channels');
SELECT outcome FROM identify('conversations', 'dora3', ext_id => 'dora') \gset
SELECT is(pg_temp.channels(:dora), 'email push sms whatsapp', '[2.7] a visitor key is no channel');

-- Blocked, each for itself.
SELECT is(block(:dora, 'email'), true, '[2.7] block says whether it changed anything');
SELECT is(block(:dora, 'email'), false, '[2.7] once');
SELECT is(pg_temp.channels(:dora), 'push sms whatsapp', '[2.7] blocked for e-mail, the rest stays');
SELECT is((SELECT email::text FROM contacts WHERE contact_id = :dora), 'dora@example.org',
    '[2.7] the address stays too');
SELECT block(:dora, 'sms') \gset
SELECT is(pg_temp.channels(:dora), 'push whatsapp', '[2.7] blocked for SMS');
SELECT block(:dora, 'whatsapp') \gset
SELECT is(pg_temp.channels(:dora), 'push', '[2.7] blocked for WhatsApp');
SELECT block(:dora, 'push') \gset
SELECT is(pg_temp.channels(:dora), '', '[2.7] blocked for push');
SELECT is(pg_temp.reached(:dora), 'nobody', '[2.7] the audience says the same');
SELECT outcome FROM identify('shop', ext_id => 'dora', email => 'dora2@example.org', phone => '+12061230024') \gset
SELECT is(pg_temp.reached(:dora), 'nobody', '[2.7] [4.14] a new address lifts no block');
SELECT subscribe('push', 'dora1') \gset
SELECT is(pg_temp.reached(:dora), 'nobody', '[2.7] nor does subscribe');
SELECT is(unblock(:dora, 'email'), true, '[2.7] unblock says whether it changed anything');
SELECT is(unblock(:dora, 'email'), false, '[2.7] once');
SELECT is(pg_temp.reached(:dora), 'email dora2@example.org', '[2.7] each channel is unblocked for itself');
SELECT is(unblock(:dora, 'push') AND unblock(:dora, 'sms') AND unblock(:dora, 'whatsapp'), true,
    '[2.7] the others');
SELECT is(pg_temp.channels(:dora), 'email push sms whatsapp', '[2.7] all are open again');
SELECT throws_ok(format('SELECT block(%s, ''landline'')', :dora), '22023', 'channel does not exist',
    '[2.7] landline is no channel');
SELECT throws_ok(format('SELECT block(%s, NULL)', :dora), '22023', 'channel does not exist', '[2.7] nor is NULL');
SELECT throws_ok(format('SELECT unblock(%s, '''')', :dora), '22023', 'channel does not exist',
    '[2.7] nor an empty string');
SELECT throws_ok('SELECT block(0, ''email'')', 'P0002', 'contact 0 does not exist',
    '[2.7] a contact that is not there cannot be blocked');
SELECT throws_ok('SELECT unblock(0, ''email'')', 'P0002', 'contact 0 does not exist', '[2.7] nor unblocked');

-- Push keys, each for itself.
SELECT unsubscribe('push', 'dora1') \gset
SELECT is((SELECT string_agg(value, ' ') FROM audience WHERE contact_id = :dora AND channel = 'push'), 'dora2',
    '[2.7] an opted-out push key is not reached');
SELECT ok((SELECT 'push' = ANY (reachable) FROM contacts WHERE contact_id = :dora),
    '[2.7] one that is opted in is enough');
SELECT unsubscribe('push', 'dora2') \gset
SELECT is(pg_temp.channels(:dora), 'email sms whatsapp', '[2.7] none is not');

-- Anonymous contacts.
SELECT capture('push', 'shy', attributes => '{"name": "Shy"}') AS shy \gset
SELECT is(pg_temp.reached(:shy), 'push shy', '[2.7] an anonymous push contact is reached by push');
SELECT is(pg_temp.channels(:shy), 'push', '[2.7] and by nothing else');
SELECT block(:shy, 'push') \gset
SELECT is(pg_temp.reached(:shy), 'nobody', '[2.7] unless blocked for push');
SELECT ok(EXISTS (SELECT FROM contacts WHERE contact_id = :shy), '[2.7] [2.2] it stays listed');
SELECT is(pg_temp.reached(:v5) || pg_temp.reached(:f1), 'nobodynobody',
    '[2.7] an anonymous conversations contact is reached by nothing');
SELECT is(pg_temp.channels(:v5), '', '[2.7] and the view says so');
SELECT capture('push', 'keyless') AS keyless \gset
SELECT logout('push', 'keyless') \gset
SELECT is(pg_temp.channels(:keyless) || pg_temp.reached(:keyless), 'nobody',
    '[2.7] a push contact without key is reached by nothing');

-- A secondary value and an alias are no way to reach anyone.
SELECT contact_id AS sec FROM identify('conversations', 's1', ext_id => 'sec', email => 'sec@example.org') \gset
SELECT outcome FROM identify('conversations', 's1', email => 'sec2@example.org') \gset
SELECT is(pg_temp.reached(:sec), 'email sec@example.org', '[2.7] a secondary e-mail is no way to reach anyone');
SELECT contact_id AS owner FROM identify('shop', phone => '+12061230025', email => 'owner@example.org') \gset
SELECT outcome FROM identify('conversations', 's1', phone => '+12061230025') \gset
SELECT is(pg_temp.channels(:sec), 'email', '[2.7] nor is a number that is another contact''s');
SELECT is(pg_temp.reached(:owner), 'email owner@example.org, sms +12061230025',
    '[2.7] that contact is reached as before');
SELECT merge(:sec, :owner, 'Eve') \gset
SELECT is(pg_temp.reached(:sec), 'email sec@example.org, sms +12061230025',
    '[2.7] nor is an alias; a value that moved is');

-------------------------------------------------------- 2.8: becoming identified
SELECT capture('push', 'late') AS late \gset
SELECT is(pg_temp.reached(:late), 'push late', '[2.8] an anonymous push contact');
SELECT outcome FROM identify('push', 'late', email => 'late@example.org', phone => '+12061230026', whatsapp => '+12061230026') \gset
SELECT is(pg_temp.reached(:late), 'email late@example.org, push late, sms +12061230026, whatsapp +12061230026',
    '[2.8] is reachable by all it gives at once, and keeps push');
SELECT capture('conversations', 'late2') AS late2 \gset
SELECT outcome FROM identify('conversations', 'late2', email => 'late2@example.org') \gset
SELECT is(pg_temp.reached(:late2), 'email late2@example.org', '[2.8] a visitor is too');
SELECT capture('push', 'late3') AS late3 \gset
SELECT outcome FROM identify('push', 'late3', email => 'late2@example.org') \gset
SELECT is(pg_temp.reached(:late2), 'email late2@example.org, push late3',
    '[2.8] a merged contact''s push reaches its survivor at once');
SELECT is(pg_temp.reached(:late3), 'nobody', '[2.6] and itself no more');
SELECT capture('push', 'late4') AS late4 \gset
SELECT block(:late4, 'push') \gset
SELECT outcome FROM identify('push', 'late4', email => 'late4@example.org') \gset
SELECT is(pg_temp.reached(:late4), 'email late4@example.org',
    '[2.8] [4.14] a block for push stays, and blocks push only');
SELECT capture('push', 'late5') AS late5 \gset
SELECT block(:late5, 'push') \gset
SELECT outcome FROM identify('push', 'late5', email => 'late2@example.org') \gset
SELECT is(pg_temp.reached(:late2), 'email late2@example.org',
    '[2.7] [6.7] a block of a contact that is merged goes with it');

------------------------------------------------------------ 2.9: the detail page
CREATE FUNCTION pg_temp.panel(contact bigint, only_key text DEFAULT NULL) RETURNS text
LANGUAGE sql AS $$
    SELECT string_agg(format('%s: %s', field, coalesce(primary_value::text, '-')) || coalesce(' / ' || secondary_value::text, ''), ', '
                      ORDER BY field, secondary_value::text)
    FROM contact_identity.contact_panel(contact, key => only_key)
    WHERE field_type IN ('identifier', 'attribute')
$$;
SELECT capture('push', 'detail', attributes => '{"name": "Dee", "age": 30}') AS detail \gset
SELECT is(pg_temp.panel(:detail), 'age: 30, name: "Dee"',
    '[2.9] the detail page works for an anonymous push contact');
SELECT capture('conversations', 'detail', attributes => '{"name": "Dan"}') AS dan \gset
SELECT is(pg_temp.panel(:dan), 'name: "Dan"', '[2.9] and for an anonymous conversations contact');
SELECT lives_ok(format('SELECT * FROM contact_panel(%s)', :v5), '[2.9] also for one of which nothing is known');
SELECT outcome FROM identify('conversations', 'detail', email => 'dan@example.org', phone => '+12061230027') \gset
SELECT is(pg_temp.panel(:dan), 'email: "dan@example.org", name: "Dan", phone: "+12061230027"',
    '[2.9] and for an identified one, with its identifiers');
SELECT conflicts AS cons FROM identify('conversations', 'detail', email => 'dan2@example.org', attributes => '{"name": "Daniel", "age": 31}') \gset
SELECT is(pg_temp.panel(:dan), 'age: 31, email: "dan@example.org" / "dan2@example.org", name: "Dan" / "Daniel", phone: "+12061230027"',
    '[2.9] it shows each field with its primary and secondary value');
SELECT is((SELECT array_agg(conflict_id ORDER BY conflict_id) FROM contact_panel(:dan)
           WHERE conflict_id IS NOT NULL), (SELECT array_agg(c ORDER BY c) FROM unnest(:'cons'::bigint[]) AS c),
    '[2.9] and the conflict to settle');
SELECT outcome FROM identify('conversations', 'detail2', contact_id => :dan, email => 'dan3@example.org') \gset
SELECT is(pg_temp.panel(:dan), 'age: 31, email: "dan@example.org" / "dan2@example.org", email: "dan@example.org" / "dan3@example.org", name: "Dan" / "Daniel", phone: "+12061230027"',
    '[2.9] a row for each open conflict of a field');
SELECT is(pg_temp.panel(:dan, 'detail2'), 'age: 31, email: "dan@example.org" / "dan3@example.org", name: "Dan", phone: "+12061230027"',
    '[2.9] with a key, the conflicts of that key');
SELECT is(pg_temp.panel(:dan, 'detail3'), 'age: 31, email: "dan@example.org", name: "Dan", phone: "+12061230027"',
    '[2.9] with a key that gave nothing, none');
SELECT is((SELECT format('%s %s %s %s', field_type, source, via, key) FROM contact_panel(:dan, key => 'detail2') WHERE conflict_id IS NOT NULL),
    'identifier conversations  detail2', '[2.9] it says where the secondary value is from');
SELECT dismiss(c, 'Eve') FROM unnest(:'cons'::bigint[]) AS c ORDER BY c \g /dev/null
SELECT is(pg_temp.panel(:dan), 'age: 31, email: "dan@example.org" / "dan3@example.org", name: "Dan", phone: "+12061230027"',
    '[2.9] a conflict that was settled is not shown');
SELECT outcome FROM identify('shop', email => 'dan@example.org', attributes => '{"age": null}') \gset
SELECT is(pg_temp.panel(:dan), 'email: "dan@example.org" / "dan3@example.org", name: "Dan", phone: "+12061230027"',
    '[2.9] nor an attribute that was cleared');
SELECT contact_id AS eva FROM identify('shop', email => 'eva@example.org', phone => '+12061230028') \gset
SELECT contact_id AS fred FROM identify('conversations', 'detail4', ext_id => 'fred') \gset
SELECT outcome FROM identify('conversations', 'detail4', phone => '+12061230028') \gset
SELECT is(pg_temp.panel(:fred), 'ext_id: "fred", phone: - / "+12061230028"',
    '[2.9] a field that has a secondary value only');
SELECT is((SELECT owner_contact_id FROM contact_panel(:fred) WHERE field = 'phone'), :'eva',
    '[2.9] and whose it is');
SELECT throws_ok('SELECT * FROM contact_panel(NULL)', '22023', 'contact_id must not be null',
    '[2.9] NULL as contact');
SELECT throws_ok('SELECT * FROM contact_panel(0)', 'P0002', 'contact 0 does not exist',
    '[2.9] a contact that is not there has no detail page');

SELECT is(count_error(), 'none', '[2.4] after all this the counts are those of the rows');
SELECT is_empty('SELECT * FROM check_integrity()', '[9.5] and nothing breaks the rules');
SELECT * FROM finish();
ROLLBACK;
