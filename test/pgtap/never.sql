-- RULES 9: what must never be, and that check_integrity() sees it when it is.
BEGIN;
\ir words.psql
SELECT plan(102);

-------------------------------------------------------------- a long mixed scene
-- 1000 calls or more.
\ir scene.psql
SELECT setseed(0.5) \g /dev/null
-- Which contact is drawn depends on the order of rows on the page, too: the scene
-- goes on, within bounds, until everything has happened.
CREATE TABLE expected_outcome (outcome text);
INSERT INTO expected_outcome VALUES ('captured'), ('created'), ('identified'), ('merged'), ('switched'), ('updated'),
    ('unchanged'), ('22023'), ('23505'), ('P0002'), ('55000'), ('true');
DO $$ BEGIN
    FOR i IN 1 .. 5000 LOOP
        CALL act();
        EXIT WHEN i >= 1000 AND i % 100 = 0
            AND NOT EXISTS (SELECT outcome FROM expected_outcome EXCEPT SELECT outcome FROM outcome);
    END LOOP;
END $$;
SELECT set_has('SELECT outcome FROM outcome', 'SELECT outcome FROM expected_outcome',
    '[9.1] a scene in which everything happens')
WHERE EXISTS (SELECT FROM outcome);
SELECT is_empty('SELECT * FROM check_integrity()', '[9.1] check_integrity() finds no breach after it');

-- The same without check_integrity().
SELECT is_empty($$ SELECT account_id, kind, value FROM identifier GROUP BY 1, 2, 3 HAVING count(*) > 1 $$,
    '[9.1] no value twice');
SELECT is_empty($$ SELECT i.kind FROM identifier AS i LEFT JOIN contact AS c USING (account_id, contact_id)
                   WHERE NOT i.parked AND c.state IS DISTINCT FROM 'anonymous' AND c.state IS DISTINCT FROM 'identified' $$,
    '[9.2] every owner is live');
SELECT is_empty($$ SELECT c.contact_id FROM contact AS c LEFT JOIN contact AS s ON s.account_id = c.account_id AND s.contact_id = c.survivor_id
                   WHERE c.survivor_id IS NOT NULL AND coalesce(s.state, 'none') NOT IN ('anonymous', 'identified') $$,
    '[9.3] every survivor is live: no chain and no loop');
SELECT is_empty($$ SELECT c.contact_id FROM contact AS c WHERE c.state IN ('anonymous', 'identified')
                   AND (c.state = 'identified') <> EXISTS (SELECT FROM identifiers AS i WHERE i.account_id = c.account_id
                       AND i.contact_id = c.contact_id AND i.identifying) $$,
    '[1.4] identified is who holds an identifying value');
SELECT is_empty($$ SELECT a.contact_id FROM identifiers AS a WHERE a.identifying AND NOT a.is_primary AND NOT EXISTS
                   (SELECT FROM identifiers AS p WHERE p.account_id = a.account_id AND p.contact_id = a.contact_id AND p.kind = a.kind
                    AND p.is_primary) $$, '[4.4] no alias without a primary of its kind');
SELECT results_eq($$ SELECT account_id, identified, anonymous_push, anonymous_conversations, listing_total, home_total
                     FROM contact_counts ORDER BY account_id $$,
    $$ SELECT a.account_id, count(*) FILTER (WHERE l.state = 'identified'), count(*) FILTER (WHERE l.state = 'anonymous'),
              (SELECT count(*) FROM all_contacts AS x WHERE x.account_id = a.account_id) - count(l.contact_id), count(l.contact_id),
              (SELECT count(*) FROM all_contacts AS x WHERE x.account_id = a.account_id)
       FROM account AS a LEFT JOIN contacts AS l USING (account_id) GROUP BY a.account_id ORDER BY a.account_id $$,
    '[9.5] the counts are the numbers of the rows');

---------------------------------------------------- what the tables themselves refuse
CALL given('ann', identify('conversations', 'ann', email => 'ann@example.org', phone => '+12065550201', attributes => '{"city": "Bonn"}'));
CALL given('bob', identify('conversations', 'bob', email => 'bob@example.org', phone => '+12065550202', attributes => '{"city": "Bonn"}'));
CALL given('cat', identify('shop', email => 'cat@example.org', landline => '+12065550203'));
CALL given('dan', identify('shop', email => 'dan@example.org'));
CALL given('eva', capture('conversations', 'eva'));
CALL done(merge(id('ann'), id('cat'), 'agent'));
CALL done(merge(id('bob'), id('dan'), 'agent'));
CALL done(identify('conversations', 'bob', attributes => '{"city": "Ulm"}'));
CALL done(block(id('bob'), 'sms', 'agent'));
CALL given('old', identify('shop', email => 'old@example.org'));
DELETE FROM contacts WHERE contact_id = id('old');
CALL given('pat', identify('shop', email => 'pat@example.org', ext_id => 'pat 1', attributes => '{"age": 1}'));
CALL done(identify('shop', contact_id => id('pat'), ext_id => 'pat 2', attributes => '{"age": 2}'));
CALL done(identify('shop', contact_id => id('pat'), ext_id => 'pat 3', attributes => '{"age": 3}'));
CALL done(identify('shop', contact_id => id('pat'), ext_id => 'pat 1'));
SELECT throws_ok(format($$ INSERT INTO identifier (account_id, kind, value, contact_id, is_primary, opted_in, verified, updated_at, source)
    VALUES (1, 'email', 'bob@example.org', %s, false, false, false, now(), 'shop') $$, id('ann')), '23505', NULL,
    '[9.1] a row written by hand does not make a value two contacts'' either');
SELECT throws_ok(format($$ UPDATE identifier SET value = 'bob@example.org' WHERE account_id = 1 AND value = 'ann@example.org' $$), '23505', NULL,
    '[9.1] nor one changed by hand');
SELECT throws_ok(format($$ INSERT INTO identifier (account_id, kind, value, contact_id, is_primary, opted_in, verified, updated_at, source)
    VALUES (1, 'email', 'ann.2@example.org', %s, true, false, false, now(), 'shop') $$, id('ann')), '23505', NULL,
    '[9.1] and of a kind there is one primary');

------------------------------------------------------- what check_integrity() finds
-- breach(statement, rules): damage done by hand to tables that were sound is
-- found, in a row for each breach, and nothing is left of it.  What is written
-- by hand is a change without history [9.4] besides.
CREATE FUNCTION breach(statement text, wanted text, description text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    found_rows text;
    touched bigint;
BEGIN
    BEGIN
        EXECUTE statement;
        GET DIAGNOSTICS touched = ROW_COUNT;
        SELECT string_agg(rule, ', ' ORDER BY rule) INTO found_rows FROM contact_identity.check_integrity();
        RAISE SQLSTATE 'CI001';
    EXCEPTION WHEN SQLSTATE 'CI001' THEN
        NULL;
    END;
    RETURN is(coalesce(found_rows, 'nothing') || CASE WHEN touched = 0 THEN ', of a statement that changed nothing' ELSE '' END,
              wanted, description);
END $$;
SELECT is_empty('SELECT * FROM check_integrity()', '[9.1] all is well before');

SAVEPOINT damage;
ALTER TABLE identifier DROP CONSTRAINT identifier_pkey;
INSERT INTO identifier SELECT account_id, kind, value, id('bob'), false, opted_in, parked, verified, updated_at, source, given
FROM identifier WHERE account_id = 1 AND value = 'ann@example.org';
SELECT is((SELECT count(*) FROM check_integrity() WHERE rule = '9.1'), 1::bigint,
    '[9.1] two contacts with the same value are found');
ROLLBACK TO SAVEPOINT damage;

SELECT breach(format($$ UPDATE identifier SET contact_id = %s WHERE account_id = 1 AND value = 'eva' $$, owner), '9.2, 9.4',
    '[9.2] a key ' || what)
FROM (VALUES (id('cat'), 'of an ended contact'), (id('old'), 'of an erased contact'), (2000000000000, 'of a contact that is not there')) AS o (owner, what);
SELECT breach(format($$ UPDATE identifier SET contact_id = %s WHERE account_id = 1 AND value = '+12065550202' $$, owner), '9.2, 9.4',
    '[9.2] an identifier ' || what)
FROM (VALUES (id('cat'), 'of an ended contact'), (id('old'), 'of an erased contact'), (2000000000000, 'of a contact that is not there')) AS o (owner, what);

SELECT breach(format($$ UPDATE contact SET survivor_id = %s WHERE contact_id = %s $$, id('dan'), id('cat')), '9.3, 9.4',
    '[9.3] a chain of survivors');
SELECT breach(format($$ UPDATE contact SET survivor_id = contact_id WHERE contact_id = %s $$, id('cat')), '9.3, 9.4',
    '[9.3] a loop');
SELECT breach(format($$ UPDATE contact SET survivor_id = %s WHERE contact_id = %s $$, id('old'), id('cat')), '9.3, 9.4',
    '[9.3] a survivor that was erased');
SELECT breach(format($$ UPDATE contact SET survivor_id = 2000000000000 WHERE contact_id = %s $$, id('cat')), '9.3, 9.4',
    '[9.3] a survivor that is not there');

SELECT breach(format($$ UPDATE contact SET attributes = '{"city": "Ulm"}' WHERE contact_id = %s $$, id('ann')), '9.4',
    '[9.4] an attribute changed without history');
SELECT breach(format($$ UPDATE contact SET attributes = '{}', attribute_times = '{}' WHERE contact_id = %s $$, id('ann')), '9.4',
    '[9.4] one removed');
SELECT breach(format($$ UPDATE contact SET attributes = attributes || '{"zip": 1}', attribute_times = attribute_times || '{"zip": [1, "shop"]}'
                        WHERE contact_id = %s $$, id('ann')), '9.4', '[9.4] one added');
SELECT breach($$ UPDATE identifier SET value = 'ann.2@example.org' WHERE account_id = 1 AND value = 'ann@example.org' $$, '9.4, 9.4',
    '[9.4] an identifier changed without history');
SELECT breach($$ DELETE FROM identifier WHERE account_id = 1 AND value = '+12065550201' $$, '9.4', '[9.4] one removed');
SELECT breach(format($$ INSERT INTO identifier (account_id, kind, value, contact_id, is_primary, opted_in, verified, updated_at, source)
    VALUES (1, 'ext_id', 'ann', %s, true, false, false, now(), 'shop') $$, id('ann')), '9.4', '[9.4] one added');
SELECT breach(format($$ UPDATE identifier SET contact_id = %s WHERE account_id = 1 AND value = 'eva' $$, id('ann')), '9.4',
    '[9.4] a key given to another');
SELECT breach(format($$ UPDATE identifier SET is_primary = NOT is_primary WHERE account_id = 1 AND value IN ('ann@example.org', 'cat@example.org') $$), '5.7, 9.4, 9.4',
    '[9.4] primary and alias swapped');
SELECT breach(format($$ DELETE FROM event WHERE contact_id = %s AND field = 'phone' $$, id('ann')), '9.4',
    '[9.4] the history of an identifier removed');
SELECT breach(format($$ DELETE FROM event WHERE contact_id = %s AND field = 'city' $$, id('ann')), '9.4',
    '[9.4] the history of an attribute removed');
SELECT breach(format($$ INSERT INTO event (account_id, contact_id, call_id, written_at, occurred_at, event, field_type, field, old_value, new_value)
    SELECT account_id, contact_id, call_id, written_at, occurred_at, event, field_type, field, '"Bonn"', '"Ulm"'
    FROM event WHERE contact_id = %s AND field = 'city' $$, id('ann')), '9.4',
    '[9.4] history of an attribute that did not change');
SELECT breach(format($$ INSERT INTO event (account_id, contact_id, call_id, written_at, occurred_at, event, field_type, field, new_value)
    SELECT account_id, contact_id, call_id, written_at, occurred_at, event, field_type, 'whatsapp', '"+12065550209"'
    FROM event WHERE contact_id = %s AND field = 'phone' $$, id('ann')), '9.4',
    '[9.4] history of an identifier that is not there');
-- again(where): rows of history a second time
CREATE FUNCTION again(which text) RETURNS text LANGUAGE sql AS $$
    SELECT 'INSERT INTO event (account_id, contact_id, call_id, written_at, occurred_at, event, field_type, field, old_value, new_value,'
           ' old_source, new_source, old_at, new_at, detail, source) SELECT account_id, contact_id, call_id, written_at, occurred_at,'
           ' event, field_type, field, old_value, new_value, old_source, new_source, old_at, new_at, detail, source FROM event'
           ' WHERE account_id = 1 AND ' || which
$$;
SELECT breach(again(format($$ contact_id = %s AND field = 'city' $$, id('ann'))), '9.4',
    '[9.4] the history of an attribute twice');
SELECT breach(again(format($$ contact_id = %s AND field = 'phone' $$, id('ann'))), '9.4',
    '[9.4] the history of an identifier twice');
SELECT breach(again(format($$ contact_id = %s AND field_type = 'key' $$, id('eva'))), '9.4',
    '[9.4] the history of a key twice');
SELECT breach(again(format($$ contact_id = %s AND field_type = 'list' $$, id('bob'))), '9.4',
    '[9.4] the history of a list twice');
SELECT breach(again(format($$ contact_id = %s AND field_type = 'block' $$, id('bob'))), '9.4',
    '[9.4] the history of a block twice');
SELECT breach(format($$ DELETE FROM event WHERE contact_id = %s AND field = 'age' AND new_value = '2' $$, id('pat')), '9.4',
    '[9.4] one of three changes of an attribute without history');
SELECT breach(format($$ DELETE FROM event WHERE contact_id = %s AND field = 'ext_id' AND new_value = '"pat 2"' $$, id('pat')), '9.4',
    '[9.4] an identifier replaced and put back, the replacing without history');
SELECT breach($$ INSERT INTO contact (account_id, state, made, origin, created_at, updated_at, last_seen_at)
    VALUES (1, 'anonymous', 'conversations', 'conversations', now(), now(), now());
    UPDATE contact_count SET anonymous_conversations = anonymous_conversations + 1
    WHERE part = (SELECT min(part) FROM contact_count WHERE account_id = 1) $$, '9.4',
    '[9.4] a contact made without history');
SELECT breach(format($$ INSERT INTO block VALUES (1, %s, 'email') $$, id('ann')), '9.4', '[9.4] a block without history');
SELECT breach(format($$ DELETE FROM block WHERE contact_id = %s $$, id('bob')), '9.4',
    '[9.4] a block lifted without history');
SELECT breach(format($$ UPDATE list_member SET subscribed = false WHERE contact_id = %s $$, id('bob')), '9.4',
    '[9.4] a list left without history');
SELECT breach(format($$ DELETE FROM list_member WHERE contact_id = %s $$, id('bob')), '9.4',
    '[9.4] a list membership removed');
SELECT breach(format($$ UPDATE conflict SET status = 'dismissed', settled_at = now() WHERE contact_id = %s AND field = 'city' $$, id('bob')), '9.4',
    '[9.4] a conflict settled without history');
SELECT breach(format($$ DELETE FROM conflict WHERE contact_id = %s AND field = 'city' $$, id('bob')), '9.4',
    '[9.4] a conflict removed');

-- A detached key whose opt-out is remembered is nobody's, and its row has to be there.
CALL given('oto', identify('push', 'otos browser', email => 'oto@example.org'));
CALL done(unsubscribe('push', 'otos browser'));
CALL done(logout('push', 'otos browser'));
SELECT breach($$ DELETE FROM identifier WHERE account_id = 1 AND value = 'otos browser' $$, '9.4', '[9.4] a remembered opt-out lost');
SELECT breach($$ UPDATE identifier SET parked = false WHERE account_id = 1 AND value = 'otos browser' $$, '9.4', '[9.4] or given back');
SAVEPOINT s;
CALL given('una', capture('push', 'otos browser'));
CALL done(erase(id('una')));
SELECT is_empty('SELECT * FROM check_integrity()', '[9.4] it is gone with whom had the key since, when that one is erased');
ROLLBACK TO s;
CALL given('lia', identify('shop', email => 'lia@example.org'));
CALL given('sue', identify('shop', email => 'sue@example.org'));
CALL done(merge(id('sue'), id('lia'), 'Eve'));
CALL done(identify('push', 'otos browser', email => 'lia@example.org'));
CALL done(subscribe('push', 'otos browser'));
CALL done(logout('push', 'otos browser'));
CALL done(unmerge(id('lia'), 'Eve'));
CALL done(erase(id('lia')));
SELECT is_empty('SELECT * FROM check_integrity()', '[9.4] or when who had it was that one''s survivor meanwhile');
CALL given('mia', identify('shop', email => 'mia@example.org'));
CALL given('noa', identify('shop', ext_id => 'noa'));
CALL done(merge(id('noa'), id('mia'), 'Eve'));
SELECT breach(format($$ DELETE FROM identifier WHERE value = 'mia@example.org';
                        DELETE FROM event WHERE contact_id = %s AND event = 'moved_in' $$, id('noa')), '9.4',
    '[9.4] a value lost in a merge, and that it was moved');
CALL given('viv', capture('conversations', 'vivs chat'));
CALL given('sam', identify('shop', email => 'sam@example.org'));
CALL done(identify('conversations', 'vivs chat', email => 'sam@example.org'));
CALL done(logout('conversations', 'vivs chat'));
CALL done(unmerge(id('viv'), 'Eve'));
CALL done(erase(id('sam')));
SELECT is_empty('SELECT * FROM check_integrity()', '[9.4] a key is gone with a survivor who had lost it, when that one is erased');
ROLLBACK TO s;

SELECT breach($$ UPDATE contact_count SET identified = identified + 1 WHERE part = (SELECT min(part) FROM contact_count WHERE account_id = 1) $$,
    '9.5', '[9.5] a count of identified contacts that is wrong');
SELECT breach($$ UPDATE contact_count SET anonymous_push = anonymous_push - 1 WHERE part = (SELECT min(part) FROM contact_count WHERE account_id = 1) $$,
    '9.5', '[9.5] a count of push contacts that is wrong');
SELECT breach($$ UPDATE contact_count SET anonymous_conversations = anonymous_conversations + 1
                 WHERE part = (SELECT min(part) FROM contact_count WHERE account_id = 1) $$,
    '9.5', '[9.5] a count of conversations contacts that is wrong');
SELECT breach($$ INSERT INTO contact_count (account_id, process, identified) VALUES (1, 0, 1) $$, '9.5',
    '[9.5] a part too many');
SELECT create_account(1003, 'small'), identify('shop', email => 'only@example.org', account_id => 1003) \g /dev/null
SELECT breach($$ DELETE FROM contact_count WHERE account_id = 1003 $$, '9.5', '[9.5] the counts of an account lost');
SELECT is_empty('SELECT * FROM check_integrity()', '[9.1] all is well after');

------------------------------------------------------------- no personal value
-- discreet(statement, value...): $1 to $3 are given to the statement; it fails,
-- and none of them is in what is shown, the context of the error included.
CREATE FUNCTION discreet(statement text, wanted text, description text, VARIADIC given text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    code text := 'accepted';
    shown text[] := '{}';
    item text;
    part text;
BEGIN
    BEGIN
        EXECUTE statement USING given[1], given[2], given[3];
    EXCEPTION WHEN OTHERS THEN
        code := SQLSTATE;
        GET STACKED DIAGNOSTICS part = MESSAGE_TEXT;
        shown := shown || part;
        GET STACKED DIAGNOSTICS part = PG_EXCEPTION_DETAIL;
        shown := shown || part;
        GET STACKED DIAGNOSTICS part = PG_EXCEPTION_HINT;
        shown := shown || part;
        GET STACKED DIAGNOSTICS part = PG_EXCEPTION_CONTEXT;
        shown := shown || part;
    END;
    FOREACH item IN ARRAY given LOOP
        IF strpos(lower(array_to_string(shown, chr(10))), lower(item)) > 0 THEN
            code := code || ', and it says ' || item;
        END IF;
    END LOOP;
    RETURN is(code, wanted, '[9.6] ' || description);
END $$;
CALL given('fay', identify('shop', email => 'fay@example.org', phone => '+12065550204', attributes => '{"name": "Fay Wray"}'));
CALL given('gil', capture('conversations', 'gils key'));
SELECT discreet($$ SELECT identify('shop', email => $1) $$, '22023', 'a malformed email', 'fay wray@example');
SELECT discreet($$ SELECT identify('shop', phone => $1) $$, '22023', 'a malformed phone', '+1 206 faywray');
SELECT discreet($$ SELECT identify('shop', whatsapp => $1) $$, '22023', 'a malformed whatsapp', '+1 2065');
SELECT discreet($$ SELECT identify('shop', landline => $1) $$, '22023', 'a malformed landline', '555 0204 x 7');
SELECT discreet($$ SELECT identify('shop', ext_id => $1) $$, '22023', 'a malformed ext_id', 'fay wray ');
SELECT discreet($$ SELECT capture('conversations', $1) $$, '22023', 'a malformed key', E'fay\twray');
SELECT discreet($$ SELECT identify('shop', ext_id => $1) $$, '22023', 'a value too long', repeat('faywray', 100));
SELECT discreet($$ SELECT contact_identity.normalize('email', $1) $$, '22023', 'normalize', 'faywray@');
SELECT discreet($$ SELECT find('email', $1) $$, '22023', 'find', 'faywray@');
SELECT discreet($$ SELECT identify('api', email => $1, phone => $2) $$, '23505', 'a value of another contact', 'fay@example.org', '+12065550202');
SELECT discreet($$ SELECT identify('shop', email => $1, attributes => jsonb_build_object('email', $2)) $$, '22023', 'a forbidden attribute',
    'fay@example.org', 'fay wray');
SELECT discreet($$ SELECT identify('shop', email => $1, attributes => to_jsonb($2)) $$, '22023', 'attributes that are no object', 'fay@example.org', 'fay wray');
SELECT discreet($$ SELECT identify('shop', email => $1, attributes => jsonb_build_object('big', repeat($2, 200000))) $$, '54000', 'attributes too large',
    'fay@example.org', 'fay wray');
SELECT discreet($$ SELECT identify('shop', email => $1, attributes => jsonb_build_object(repeat($2, 100), 1)) $$, '22023', 'a name too long',
    'fay@example.org', 'fay wray');
SELECT discreet($$ SELECT identify($2, email => $1) $$, '22023', 'an unknown source', 'fay@example.org', 'fay wray');
SELECT discreet($$ SELECT identify('conversations', email => $1, via => $2) $$, '22023', 'an unknown via', 'fay@example.org', 'fay wray');
SELECT discreet($$ SELECT identify('shop', $2, email => $1) $$, '22023', 'a key for a source without one', 'fay@example.org', 'fay wray');
SELECT discreet($$ SELECT identify('shop', email => $1, contact_id => 2000000000000) $$, 'P0002', 'an unknown contact', 'fay@example.org');
SELECT discreet($$ SELECT identify('shop', email => $1, occurred_at => '-infinity') $$, '22023', 'a time that is none', 'fay@example.org');
CALL given('hal', capture('conversations', 'hals key'));
SELECT discreet(format($$ SELECT identify('conversations', $1, email => $2, contact_id => %s) $$, id('hal')), '22023', 'a key of another', 'gils key', 'fay@example.org');
CALL given('ida', identify('conversations', 'ida', email => 'ida@example.org'));
CALL done(identify('conversations', 'ida', email => 'fay@example.org'));
SELECT discreet(format($$ SELECT promote(%s, $2, true) $$, conflict_id), '23505', 'promote a value of another', 'fay@example.org', 'agent smith')
FROM conflicts WHERE contact_id = id('ida');
CALL done(dismiss(open_conflict('ida', 'email'), 'agent smith'));
SELECT discreet(format($$ SELECT promote(%s, $2, true) $$, conflict_id), '55000', 'promote what is settled', 'fay@example.org', 'agent smith')
FROM conflicts WHERE contact_id = id('ida');
SELECT discreet(format($$ SELECT merge(%s, %s, $2) $$, id('gil'), id('fay')), '22023', 'a merge the wrong way round', 'fay@example.org', 'agent smith', 'gils key');
SELECT discreet(format($$ UPDATE contacts SET email = $1 WHERE contact_id = %s $$, id('fay')), '22023', 'the view: malformed', 'fay wray@example');
SELECT discreet(format($$ UPDATE contacts SET email = $1 WHERE contact_id = %s $$, id('fay')), '23505', 'the view: of another', 'ida@example.org');
SELECT discreet($$ INSERT INTO contacts (email, attributes) VALUES ($1, to_jsonb($2)) $$, '22023', 'the view: no object', 'new@example.org', 'fay wray');
-- Constraints of the owner's: the server would show the row to whoever called.
ALTER TABLE contact_identity.identifier ADD CONSTRAINT no_fay CHECK (value <> 'fay.wray@example.org');
SELECT discreet($$ SELECT identify('shop', email => $1) $$, '23514', 'a check of the owner', 'fay.wray@example.org');
ALTER TABLE contact_identity.identifier DROP CONSTRAINT no_fay;
ALTER TABLE contact_identity.identifier ADD more integer NOT NULL DEFAULT 0;
ALTER TABLE contact_identity.identifier ALTER more DROP DEFAULT;
SELECT discreet($$ SELECT identify('shop', email => $1) $$, '23502', 'a column that must not be null', 'fay.wray@example.org');
ALTER TABLE contact_identity.identifier DROP more;
SELECT ok(b.error IS NOT NULL AND b.error !~* 'fay|wray|6555', '[9.6] a batch: ' || coalesce(b.error, 'accepted'))
FROM identify_batch('[{"source": "shop", "email": "fay wray@example"}, {"source": "shop", "phone": "+1 206 faywray"},
    {"source": "api", "email": "fay@example.org", "phone": "+12065550202"},
    {"source": "fay wray", "email": "fay@example.org"}, {"source": "shop", "email": "fay@example.org", "fay wray": 1},
    {"source": "shop", "email": {"fay": "wray"}}, {"source": "shop", "email": "fay@example.org", "attributes": "fay wray"},
    {"source": "shop", "email": "fay@example.org", "occurred_at": "fay wray"}, {"source": "shop", "email": "fay@example.org", "contact_id": "fay wray"},
    {"source": "shop", "email": "fay@example.org", "verified": "fay wray"}]') AS b;
SET LOCAL client_min_messages = error;
COPY inbox (source, email, phone) FROM stdin;
shop	fay wray@example	\N
shop	copied@example.org	\N
shop	\N	+1 206 faywray
\.
SELECT is((SELECT count(*) FROM rejected WHERE account_id = 1), 2::bigint,
    '[9.6] a bad row of a COPY goes to rejected instead of raising');
SELECT is((SELECT count(*) FROM find('email', 'copied@example.org')), 1::bigint, '[9.6] and the others are taken');
SELECT is((SELECT count(*) FROM rejected WHERE account_id = 1 AND message ~* 'fay|wray'), 0::bigint,
    '[9.6] its reason repeats no value');

SELECT * FROM finish();
ROLLBACK;
