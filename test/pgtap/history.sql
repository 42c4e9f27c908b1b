-- RULES 10.1 and 9.4: every change is a row of history, and every row a change.
BEGIN;
\ir words.psql
SELECT plan(66);

-- news(): what was written since it was asked last, in order, a line each:
-- whose, what, from what to what.
CREATE TABLE heard (event_id bigint PRIMARY KEY);
CREATE FUNCTION news() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    told text;
BEGIN
    WITH fresh AS (
        INSERT INTO heard SELECT event_id FROM contact_identity.history WHERE account_id = 1 ON CONFLICT DO NOTHING RETURNING event_id)
    SELECT string_agg(concat_ws(' ', name_of(contact_id),
               CASE WHEN conflict_id IS NOT NULL THEN 'conflict ' || field || ' ' || (new_value #>> '{}')
                    WHEN field_type IN ('contact', 'block') THEN field_type
                    WHEN field_type = 'list' THEN 'list'
                    WHEN old_value = new_value THEN field || ' ' || (new_value #>> '{}') || ' itself'
                    ELSE field || coalesce(' from ' || (old_value #>> '{}'), '') || coalesce(' to ' || (new_value #>> '{}'), '')
               END), ', ' ORDER BY event_id)
    INTO told FROM fresh JOIN contact_identity.history USING (event_id);
    RETURN coalesce(told, 'nothing');
END $$;
-- The same, but in no order of ours.
CREATE FUNCTION sorted_news() RETURNS text LANGUAGE sql AS
$$ SELECT string_agg(n, ', ' ORDER BY n COLLATE "C") FROM string_to_table(news(), ', ') AS n $$;

------------------------------------------------------------- a row for each change
CALL given('ann', capture('push', 'ann', '{"a": 1}'));
SELECT is(sorted_news(), 'ann a to 1, ann contact, ann push to ann',
    '[10.1] a contact is made: itself, its key, its attribute');
CALL done(identify('push', 'ann', attributes => '{"a": 2, "b": 1}'));
SELECT is(sorted_news(), 'ann a from 1 to 2, ann b to 1', '[10.1] attributes are set and replaced');
CALL done(identify('push', 'ann', attributes => '{"a": null}'));
SELECT is(sorted_news(), 'ann a from 2', '[10.1] an attribute is cleared');
CALL done(unsubscribe('push', 'ann'));
SELECT is(sorted_news(), 'ann push ann itself', '[10.1] a key is opted out');
CALL done(subscribe('push', 'ann'));
SELECT is(sorted_news(), 'ann push ann itself', '[10.1] and in');
CALL done(identify('push', 'ann', email => 'ann@example.org', phone => '+12065550101'));
SELECT is(sorted_news(), 'ann contact, ann email to ann@example.org, ann phone to +12065550101',
    '[10.1] it is identified: itself, its identifiers');
CALL done(identify('push', 'ann', email => 'ann@example.org', verified => true));
SELECT is(sorted_news(), 'ann email ann@example.org itself, ann push ann itself', '[10.1] identifier and key are verified');
CALL done(identify('shop', contact_id => id('ann'), email => 'ann.2@example.org'));
SELECT is(sorted_news(), 'ann email from ann@example.org to ann.2@example.org', '[10.1] an identifier is replaced');
CALL done(identify('conversations', 'ann chat', email => 'ann.2@example.org'));
SELECT is(sorted_news(), 'ann list, ann visitor to ann chat', '[10.1] a key is attached, the contact put on a list');
CALL done(remove_from_list(id('ann'), 'Contacts active in Conversations', 'agent'));
SELECT is(sorted_news(), 'ann list', '[10.1] it is taken from a list');
CALL done(add_to_list(id('ann'), 'Contacts active in Conversations', 'agent'));
SELECT is(sorted_news(), 'ann list', '[10.1] it is put on a list');
CALL done(block(id('ann'), 'sms', 'agent'));
SELECT is(sorted_news(), 'ann block', '[10.1] it is blocked');
CALL done(unblock(id('ann'), 'sms', 'agent'));
SELECT is(sorted_news(), 'ann block', '[10.1] it is unblocked');
CALL done(identify('conversations', 'ann chat', email => 'other@example.org', attributes => '{"b": 3}'));
SELECT is(sorted_news(), 'ann conflict b 3, ann conflict email other@example.org', '[10.1] conflicts are opened');
CALL done(identify('conversations', 'ann chat', attributes => '{"b": 4}'));
SELECT is(sorted_news(), 'ann conflict b 3, ann conflict b 4', '[10.1] one is made obsolete and one opened');
CALL done(dismiss(open_conflict('ann', 'b'), 'agent'));
SELECT is(sorted_news(), 'ann conflict b 4', '[10.1] one is dismissed');
CALL done(promote(open_conflict('ann', 'email'), 'agent', true));
SELECT is(sorted_news(), 'ann conflict email other@example.org, ann email from ann.2@example.org to other@example.org',
    '[10.1] one is promoted: the old primary goes to history');

CALL given('bob', identify('shop', email => 'bob@example.org', landline => '+12065550102', whatsapp => '+12065550102'));
SELECT is(sorted_news(), 'bob contact, bob email to bob@example.org, bob landline to +12065550102, bob whatsapp to +12065550102',
    '[10.1] an identified contact is made');
CALL done(block(id('bob'), 'whatsapp', 'agent'));
CALL done(news());
CALL done(identify('shop', contact_id => id('ann'), whatsapp => '+12065550102'));
SELECT is(sorted_news(), 'ann block, ann whatsapp to +12065550102, bob whatsapp from +12065550102',
    '[10.1] an identifier moves: both say so, and its block');
CALL done(identify('push', 'ann', email => 'bob@example.org'));
SELECT is(sorted_news(), 'ann push from ann, bob push to ann', '[10.1] a key moves: both say so');
CALL done(logout('push', 'ann'));
SELECT is(sorted_news(), 'bob push from ann', '[10.1] a key is detached');
CALL given('cat', capture('conversations', 'cat', '{"c": 1, "d": 2}'));
CALL done(news());
CALL done(identify('conversations', 'cat', email => 'bob@example.org'));
SELECT is((SELECT string_agg(n, ', ' ORDER BY n COLLATE "C") FROM (SELECT DISTINCT n FROM string_to_table(news(), ', ') AS n) AS s),
    'bob c to 1, bob contact, bob d to 2, bob list, bob visitor to cat, cat contact', '[10.1] an anonymous contact is merged: what came is named');
CALL given('dan', identify('shop', ext_id => 'dan', email => 'dan@example.org', attributes => '{"c": 5, "e": 6}'));
CALL done(news());
CALL done(merge(id('bob'), id('dan'), 'agent'));
SELECT is(sorted_news(), 'bob conflict c 5, bob conflict email dan@example.org, bob contact, bob e to 6, bob email to dan@example.org, bob ext_id to dan, dan contact',
    '[10.1] identified contacts are merged: what came, aliases and conflicts are named');
CALL given('eva', identify('shop', ext_id => 'eva', email => 'eva@example.org'));
CALL done(news());
CALL done(identify('shop', ext_id => 'eva', email => 'bob@example.org'));
SELECT is(sorted_news(), 'bob conflict email dan@example.org, bob email dan@example.org itself, bob email from bob@example.org, eva email from eva@example.org to bob@example.org',
    '[10.1] a primary moves away, and the alias takes its place');

-------------------------------------------------------------- no change, no row
SELECT is(capture('conversations', 'cat'), id('bob'), '[9.4] (a capture)');
SELECT is(said(identify('conversations', 'cat', email => 'dan@example.org', phone => NULL)), 'unchanged bob',
    '[9.4] (nothing new)');
SELECT is(said(identify('shop', ext_id => 'eva', attributes => '{"f": 1}', occurred_at => day(2))), 'updated eva',
    '[9.4] (with a time)');
SELECT is(sorted_news(), 'eva f to 1', '[9.4] a change has its row');
SELECT is(said(identify('shop', ext_id => 'eva', attributes => '{"f": 1}', occurred_at => day(3))), 'unchanged eva',
    '[4.10] a confirmation');
SELECT is(said(identify('shop', ext_id => 'eva', attributes => '{"f": 2}', occurred_at => day(1))), 'unchanged eva ignored f',
    '[4.7] one too old');
SELECT throws_ok($$ SELECT identify('api', ext_id => 'eva', phone => '+12065550101', attributes => '{"g": 1}') $$, '23505', NULL,
    '[4.4] refused');
SELECT throws_ok($$ SELECT identify('conversations', 'new key', email => 'malformed', attributes => '{"g": 1}') $$, '22023', NULL,
    '[7.4] malformed');
SELECT is(said(identify('conversations', 'cat', email => 'other@example.org')), 'updated bob conflict email',
    '[9.4] (a conflict)');
CALL done(news());
SELECT is(said(identify('conversations', 'cat', email => 'other@example.org')), 'unchanged bob conflict email',
    '[9.4] (met again)');
CALL done(subscribe('push', 'ann'));
CALL done(unblock(id('ann'), 'email'));
CALL done(add_to_list(id('ann'), 'Contacts active in Conversations'));
CALL done(merge(id('bob'), id('dan'), 'agent'));
UPDATE contact SET last_seen_at = day(1) WHERE contact_id = id('bob');
SELECT is(capture('conversations', 'cat'), id('bob'), '[1.2] (seen again)');
SELECT isnt((SELECT last_seen_at FROM contact WHERE contact_id = id('bob')), day(1), '[1.2] (which was noted)');
SELECT is(sorted_news(), 'nothing', '[9.4] without a change no row');

------------------------------------------------------------------- what a row says
CALL given('fay', identify('push', 'fay', email => 'fay@example.org', attributes => '{"a": 1}', occurred_at => day(1), actor => 'importer'));
SELECT clock_timestamp() AS since \gset
CALL done(identify('conversations', 'fay form', email => 'fay@example.org', phone => '+12065550103', via => 'contact_form', occurred_at => day(3),
                   actor => 'clerk 7', attributes => '{"a": 2, "b": 1}'));
CREATE TEMP TABLE told AS SELECT * FROM history WHERE contact_id = id('fay') AND occurred_at = day(3);
SELECT is((SELECT string_agg(field, ' ' ORDER BY field) FROM told WHERE field_type <> 'list'), 'a b phone visitor',
    '[10.1] occurred_at: when it happened');
SELECT is((SELECT string_agg(DISTINCT concat_ws(' ', source, via, actor), ', ') FROM told), 'conversations contact_form clerk 7',
    '[10.1] source, via and actor of the call');
SELECT is((SELECT string_agg(DISTINCT role, ', ') FROM told), session_user::text, '[10.1] the session role');
SELECT ok((SELECT bool_and(written_at BETWEEN :'since' AND clock_timestamp()) FROM told), '[10.1] when it was written');
SELECT is((SELECT count(DISTINCT call_id) FROM told), 1::bigint, '[10.1] what joins the rows of one call');
SELECT is((SELECT count(DISTINCT call_id) FROM history WHERE contact_id = id('fay')), 2::bigint, '[10.1] and of no other');
SELECT is((SELECT count(*) FROM told WHERE event IS NULL OR event = '' OR field_type IS NULL), 0::bigint,
    '[10.1] an event and a field');
SELECT is((SELECT string_agg(DISTINCT concat_ws(' ', found_kind, found_value), ', ') FROM told), 'email fay@example.org',
    '[10.1] the identifier by which the call found its contact');
CALL done(identify('conversations', 'fay form', attributes => '{"c": 1}'));
SELECT is((SELECT concat_ws(' ', found_kind, found_value) FROM history WHERE contact_id = id('fay') AND field = 'c'), 'visitor fay form',
    '[10.1] or the key');
CALL done(identify('shop', contact_id => id('fay'), attributes => '{"d": 1}'));
SELECT is((SELECT (found_kind IS NULL, found_value IS NULL)::text FROM history WHERE contact_id = id('fay') AND field = 'd'), '(t,t)',
    '[10.1] or neither, where it was named');
CALL done(identify('conversations', 'fay form', contact_id => id('fay'), attributes => '{"e": 1}'));
SELECT is((SELECT (found_kind IS NULL, found_value IS NULL)::text FROM history WHERE contact_id = id('fay') AND field = 'e'), '(t,t)',
    '[10.1] though a key was given');
CALL done(identify('shop', email => 'fay@example.org', attributes => '{"a": 3}', occurred_at => day(5)));
CALL done(identify('shop', contact_id => id('fay'), phone => '+12065550104', occurred_at => day(6)));
SELECT is((SELECT row(old_value, old_source, old_at = day(1), new_value, new_source, new_at = day(5))::text FROM history
           WHERE contact_id = id('fay') AND field = 'a' AND occurred_at = day(5)), '(1,push,t,3,shop,t)',
    '[10.1] an attribute: old and new value with their sources and times');
SELECT is((SELECT row(old_value, old_source, old_at = day(3), new_value, new_source, new_at = day(6))::text FROM history
           WHERE contact_id = id('fay') AND field = 'phone' AND occurred_at = day(6)),
    '("""+12065550103""",conversations,t,"""+12065550104""",shop,t)', '[10.1] an identifier: old and new value with their sources and times');
CALL done(identify('shop', email => 'fay@example.org', attributes => '{"a": null}', occurred_at => day(7)));
SELECT is((SELECT row(old_value, old_source, old_at = day(5), new_value, new_source, new_at = day(7))::text FROM history
           WHERE contact_id = id('fay') AND field = 'a' AND occurred_at = day(7)), '(3,shop,t,,shop,t)',
    '[10.1] a clearing has its source and time');
CALL given('gil', capture('conversations', 'gil', '{"z": 1}', 'chat', day(4)));
CALL done(identify('conversations', 'gil', email => 'fay@example.org', occurred_at => day(8)));
SELECT is((SELECT row(old_value, new_value, new_source, new_at = day(4), occurred_at = day(8))::text FROM history
           WHERE contact_id = id('fay') AND field = 'z'), '(,1,conversations,t,t)',
    '[10.1] [4.9] what came with a merge has its own time');
SELECT is((SELECT array_agg(DISTINCT merge_id) FROM history WHERE contact_id IN (id('fay'), id('gil')) AND occurred_at = day(8)
           AND (field_type IN ('key', 'contact') OR field = 'z')),
    (SELECT array_agg(merge_id) FROM merges WHERE merged_id = id('gil')), '[10.1] what joins the rows of one merge');
SELECT is((SELECT count(DISTINCT call_id) FROM history WHERE contact_id IN (id('fay'), id('gil')) AND occurred_at = day(8)), 1::bigint,
    '[10.1] which is in the call');
SELECT is((SELECT count(*) FROM history WHERE account_id = 1 AND merge_id IS NOT NULL AND contact_id NOT IN
           (SELECT survivor_id FROM merges UNION SELECT merged_id FROM merges)), 0::bigint,
    '[10.1] no other row is of a merge');
CALL given('hal', identify('shop', email => 'hal@example.org', phone => '+12065550105'));
CALL given('ida', identify('shop', ext_id => 'ida', occurred_at => day(9)));
CALL done(identify('shop', ext_id => 'ida', phone => '+12065550105'));
SELECT is((SELECT count(DISTINCT call_id) FROM history WHERE field = 'phone' AND contact_id IN (id('hal'), id('ida')) AND call_id =
              (SELECT call_id FROM history WHERE field = 'phone' AND contact_id = id('ida'))
           HAVING count(*) = 2), 1::bigint, '[10.1] a call that changes two contacts joins both rows');
CALL done(identify('shop', ext_id => 'ida', attributes => '{"g": 1}'));
SELECT ok((SELECT occurred_at >= :'since' FROM history WHERE contact_id = id('ida') AND field = 'g'),
    '[10.1] [4.10] without occurred_at it happened now');
CALL done(identify('shop', ext_id => 'ida', attributes => '{"g": 2}', occurred_at => 'infinity'));
SELECT ok((SELECT occurred_at <= clock_timestamp() FROM history WHERE contact_id = id('ida') AND new_value = '2'),
    '[10.1] [4.10] nor in the future');
CREATE ROLE regress_contact_identity_clerk SUPERUSER;
SET LOCAL ROLE regress_contact_identity_clerk;
CALL done(identify('shop', ext_id => 'ida', attributes => '{"h": 1}'));
RESET ROLE;
SELECT is((SELECT role FROM history WHERE contact_id = id('ida') AND field = 'h'), session_user::text,
    '[10.1] the session''s role and not one that it took on');
SELECT is((SELECT count(*) FROM identify_batch('[{"source": "shop", "ext_id": "ida", "attributes": {"i": 1}},
    {"source": "shop", "ext_id": "ida", "attributes": {"j": 1}, "actor": "robot"}]')), 2::bigint, '[10.1] (a batch)');
SELECT is((SELECT string_agg(concat_ws(' ', field, actor), ', ' ORDER BY event_id) || ' ' || count(DISTINCT call_id) FROM history
           WHERE contact_id = id('ida') AND field IN ('i', 'j')), 'i, j robot 2',
    '[10.1] each request of a batch is a call');
SELECT is((SELECT count(*) FROM history WHERE contact_id = id('ida') AND xid <> pg_current_xact_id()), 0::bigint,
    '[10.1] the transaction');

--------------------------------------------------- history is the whole truth
-- The state that history tells is the state that is.
SELECT is_empty($$
    SELECT c.contact_id FROM all_contacts AS c
    LEFT JOIN LATERAL (
        SELECT coalesce(jsonb_object_agg(field, new_value) FILTER (WHERE new_value IS NOT NULL), '{}') AS attributes
        FROM (SELECT DISTINCT ON (field) field, new_value FROM history
              WHERE history.contact_id = c.contact_id AND field_type = 'attribute' AND event NOT LIKE 'conflict%'
              ORDER BY field, event_id DESC) AS last) AS h ON true
    WHERE c.attributes <> h.attributes $$, '[9.4] attributes are what history says last');
SELECT is_empty($$
    SELECT i.contact_id, i.kind FROM identifiers AS i
    LEFT JOIN LATERAL (
        SELECT h.contact_id FROM history AS h
        WHERE h.account_id = i.account_id AND h.field = i.kind AND h.event NOT LIKE 'conflict%' AND to_jsonb(i.value) IN (h.old_value, h.new_value)
        ORDER BY event_id DESC LIMIT 1) AS last ON true
    WHERE last.contact_id IS DISTINCT FROM i.contact_id $$, '[9.4] whose an identifier is, history says last');
SELECT is_empty($$
    SELECT h.event_id FROM history AS h
    WHERE h.field_type = 'attribute' AND h.event NOT LIKE 'conflict%' AND h.old_value = h.new_value $$,
    '[9.4] no attribute was changed to what it was');
SELECT is_empty('SELECT * FROM check_integrity()', '[9.4] all is well');

SELECT * FROM finish();
ROLLBACK;
