-- Writing to the view contacts: a row is a request of source api.
BEGIN;
SELECT plan(54);
SET search_path = contact_identity, public;

-- INSERT
PREPARE first AS INSERT INTO contacts (email, attributes) VALUES (' Ann@Example.org ', '{"city": "Lyon", "gone": null}')
    RETURNING ROW(label, state, email, attributes, reachable)::text;
SELECT results_eq('first', $$SELECT ROW('ann@example.org', 'identified', 'ann@example.org', '{"city": "Lyon"}'::jsonb, ARRAY['email'])::text$$,
                  '[8.1] INSERT makes a contact and returns what was stored');
SELECT is((SELECT given FROM identifiers WHERE value = 'ann@example.org'), 'Ann@Example.org', '[7.1] the spelling is kept');
SELECT is((SELECT count(*) FROM history WHERE source = 'api' AND event = 'created'), 1::bigint, '[10.1] as source api, with history');
SELECT throws_ok($$INSERT INTO contacts (email) VALUES ('ANN@example.org')$$, '23505', 'value belongs to another contact',
                 '[4.4] an e-mail of somebody else is refused');
SELECT throws_ok($$INSERT INTO contacts (ext_id, email) VALUES ('new', 'ann@example.org')$$, '23505', NULL,
                 '[4.4] also beside a new value');
SELECT is((SELECT count(*) FROM contacts), 1::bigint, '[4.15] and nothing of it is stored');
SELECT throws_ok($$INSERT INTO contacts (email) VALUES ('nobody')$$, '22023', 'email is malformed', '[7.4] a malformed value');
SELECT throws_ok($$INSERT INTO contacts (attributes) VALUES ('{"a": 1}')$$, '22023', NULL, '[3.6] nothing to find anybody by');
SELECT throws_ok($$INSERT INTO contacts (email, attributes) VALUES ('x@example.org', '[1]')$$, '22023', NULL,
                 '[0.0] attributes are an object');
SELECT throws_ok(format($$INSERT INTO contacts (email, %I) VALUES ('x@example.org', %L)$$, c.name, c.value), '428C9', NULL,
                 '[1.5] ' || c.name || ' is derived')
FROM (VALUES ('contact_id', '7'), ('label', 'Ann'), ('state', 'anonymous'), ('reachable', '{email}'), ('open_conflicts', '1'),
             ('created_at', '2026-01-01'), ('identified_at', '2026-01-01'), ('updated_at', '2026-01-01'),
             ('last_seen_at', '2026-01-01')) AS c (name, value);
SELECT lives_ok($$INSERT INTO contacts (email, phone, ext_id) SELECT 'p' || n || '@example.org', '+4477712345' || n, 'p' || n
                FROM generate_series(10, 20) n$$, '[8.1] many rows at once');
SELECT is((SELECT identified FROM contact_counts), 12::bigint, '[2.4] they are counted');

-- UPDATE
PREPARE second AS UPDATE contacts SET email = 'p10@example.net', attributes = attributes || '{"vip": true}' WHERE ext_id = 'p10'
    RETURNING ROW(email, phone, attributes, open_conflicts)::text;
SELECT results_eq('second', $$SELECT ROW('p10@example.net', '+447771234510', '{"vip": true}'::jsonb, 0::bigint)::text$$,
                  '[4.3] UPDATE replaces, returns what was stored and opens no conflict');
SELECT is_empty($$SELECT find('email', 'p10@example.org')$$, '[4.3] the old value is freed');
SELECT is((SELECT count(*) FROM history WHERE event = 'replaced' AND old_value = '"p10@example.org"'), 1::bigint,
          '[4.3] and kept in history');
SELECT throws_ok($$UPDATE contacts SET email = 'ann@example.org' WHERE ext_id = 'p10'$$, '23505', NULL,
                 '[4.4] a value of another contact is refused');
SELECT is((SELECT count(*) FROM merges), 0::bigint, '[3.10] nobody was merged');
SELECT throws_ok($$UPDATE contacts SET label = 'x' WHERE ext_id = 'p10'$$, '428C9', NULL, '[1.5] the label is derived');
SELECT throws_ok($$UPDATE contacts SET contact_id = 1 WHERE ext_id = 'p10'$$, '428C9', NULL, '[0.0] the id never changes');
CREATE TEMP TABLE before AS SELECT count(*) AS events FROM history;
SELECT lives_ok($$UPDATE contacts SET email = email, attributes = attributes$$, '[4.16] the same again');
SELECT is((SELECT count(*) FROM history), (SELECT events FROM before), '[4.16] changes nothing');
PREPARE third AS UPDATE contacts SET email = NULL, phone = NULL WHERE ext_id = 'p10' RETURNING ROW(label, email, phone, reachable)::text;
SELECT results_eq('third', $$SELECT ROW('p10', NULL::text, NULL::text, '{}'::text[])::text$$, '[4.5] setting null removes');
SELECT throws_ok($$UPDATE contacts SET ext_id = NULL WHERE ext_id = 'p10'$$, '55000', NULL, '[4.5] but not the last one');
SELECT lives_ok($$UPDATE contacts SET ext_id = NULL, email = 'p10@example.com' WHERE ext_id = 'p10'$$,
                '[4.5] unless it is given another in the same step');
SELECT lives_ok($$UPDATE contacts SET attributes = attributes - 'city' WHERE email = 'ann@example.org'$$,
                '[4.7] an attribute that is left out is cleared');
SELECT is((SELECT attributes FROM contacts WHERE email = 'ann@example.org'), '{}'::jsonb, '[4.7] it is gone');
SELECT is((identify('api', email => 'ann@example.org', attributes => '{"city": "Rome"}', occurred_at => '2020-01-01')).ignored, '{city}',
          '[4.7] cleared is not never set: an older value stays out');

-- an anonymous contact, by its row
SELECT lives_ok($$SELECT capture('push', 'browser')$$, '[1.1] a push contact');
SELECT throws_ok($$UPDATE contacts SET email = 'ann@example.org' WHERE state = 'anonymous'$$, '23505', NULL,
                 '[4.4] given the e-mail of another it is not merged');
PREPARE fourth AS UPDATE contacts SET email = 'new@example.org' WHERE state = 'anonymous' RETURNING ROW(state, email, reachable)::text;
SELECT results_eq('fourth', $$SELECT ROW('identified', 'new@example.org', ARRAY['email', 'push'])::text$$, '[1.4] it becomes identified');

-- DELETE erases
SELECT identify('push', 'browser', attributes => '{"secret": "s3cret"}');
SELECT capture('push', 'browser-2');
SELECT identify('push', 'browser-2', email => 'new@example.org');
PREPARE fifth AS DELETE FROM contacts WHERE email = 'new@example.org' RETURNING ROW(email)::text;
SELECT results_eq('fifth', $$SELECT ROW('new@example.org')::text$$, '[10.6] DELETE erases');
CREATE FUNCTION pg_temp.has(relation regclass, value text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    found boolean;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT FROM %s t WHERE strpos(t::text, $1) > 0)', relation) INTO found USING value;
    RETURN found;
END $$;
SELECT ok(pg_temp.has('contact_identity.source', 'conversations'), 'what is there is found');
SELECT is_empty($$
    SELECT t.relname FROM (VALUES ('new@example.org'), ('s3cret'), ('browser')) v (value), pg_class t
    WHERE t.relnamespace = 'contact_identity'::regnamespace AND t.relkind = 'r' AND pg_temp.has(t.oid, v.value)$$,
    '[10.6] nothing that it or the one merged into it held is left in any table');
SELECT is((SELECT array_agg(DISTINCT event ORDER BY event) FROM history WHERE field = 'state' AND event = 'erased'), '{erased}',
          '[10.6] the names of events stay');
SELECT ok(capture('push', 'browser') > (SELECT max(contact_id) FROM history WHERE event = 'erased'),
          '[1.8] when the key of an erased contact comes back, a new contact with a new id is made');
SELECT is((SELECT state || ' ' || reachable::text FROM contacts WHERE contact_id = capture('push', 'browser')), 'anonymous {push}',
          '[1.8] an anonymous one, that takes push messages [1.7]');
SELECT throws_ok(format('SELECT identify(''api'', contact_id => %s, email => ''late@example.org'')',
                        (SELECT min(contact_id) FROM history WHERE event = 'erased')), 'P0002', NULL,
                 '[3.1] an erased contact cannot be named any more');

-- A contact that ends after the statement has seen its row: here by the statement
-- itself, else by another session.
SELECT identify('api', ext_id => 'stays', email => 'stays@example.org', attributes => '{"city": "Rome"}');
SELECT identify('api', ext_id => 'ends', email => 'ends@example.org');
CREATE FUNCTION pg_temp.end_it(contact bigint) RETURNS boolean LANGUAGE sql VOLATILE COST 1000000 AS
$$ SELECT (contact_identity.merge(f, contact, 'Eve')).outcome = 'merged' FROM contact_identity.find('ext_id', 'stays') f $$;
PREPARE sixth AS DELETE FROM contacts WHERE email = 'ends@example.org' AND pg_temp.end_it(contact_id) RETURNING contact_id;
SELECT is_empty('sixth', '[6.3] DELETE passes over a contact that was merged meanwhile');
SELECT is((SELECT email || ' ' || (attributes ->> 'city') FROM contacts WHERE ext_id = 'stays'), 'stays@example.org Rome',
          '[6.3] its survivor is not deleted');
SELECT unmerge(merged_id, 'Eve') FROM merges ORDER BY merge_id DESC LIMIT 1;
PREPARE seventh AS UPDATE contacts SET email = NULL, attributes = '{"city": "Oslo"}'
    WHERE email = 'ends@example.org' AND pg_temp.end_it(contact_id) RETURNING contact_id;
SELECT is_empty('seventh', '[6.3] UPDATE, too');
SELECT is((SELECT email || ' ' || (attributes ->> 'city') FROM contacts WHERE ext_id = 'stays'), 'stays@example.org Rome',
          '[6.3] and its survivor keeps what it has');
CREATE FUNCTION pg_temp.erase_it(contact bigint) RETURNS boolean LANGUAGE sql VOLATILE COST 1000000 AS
$$ SELECT contact_identity.erase(contact) $$;
SELECT identify('api', ext_id => 'goes'), identify('api', ext_id => 'goes too');
PREPARE eighth AS DELETE FROM contacts WHERE ext_id = 'goes' AND pg_temp.erase_it(contact_id) RETURNING contact_id;
SELECT is_empty('eighth', '[10.6] nor is one deleted that was erased meanwhile');
PREPARE ninth AS UPDATE contacts SET email = 'goes@example.org' WHERE ext_id = 'goes too' AND pg_temp.erase_it(contact_id) RETURNING contact_id;
SELECT is_empty('ninth', '[10.6] or updated');
SELECT is_empty($$SELECT find('email', 'goes@example.org')$$, '[10.6] and nothing is stored');
SELECT lives_ok(format('SELECT erase(%s)', merged_id), '[6.3] erase() follows it to its survivor')
FROM merges WHERE undone_at IS NULL ORDER BY merge_id DESC LIMIT 1;
SELECT is_empty('SELECT * FROM check_integrity()', '[9.4] all is well');
SELECT * FROM finish();
ROLLBACK;
