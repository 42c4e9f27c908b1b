-- Rows of ours are changed straight, and whatever an owner adds to our tables has
-- its say as if a statement changed them.
BEGIN;
\ir words.psql
SELECT plan(22);
SET LOCAL client_min_messages = error;

CREATE TABLE noted (what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO words.noted VALUES (TG_TABLE_NAME || ' ' || TG_WHEN || ' ' || TG_LEVEL);
    RETURN NEW;
END $$;
CALL given('ann', capture('push', 'browser-1'));
CALL given('bob', identify('shop', email => 'bob@example.org', attributes => '{"city": "York"}'));
ALTER TABLE contact_identity.contact ADD COLUMN gone int, ADD COLUMN note text;
ALTER TABLE contact_identity.contact DROP COLUMN gone;
UPDATE contact_identity.contact SET note = 'of the owner''s';
SAVEPOINT whole;

CALL done(identify('push', 'browser-1', email => 'ann@example.org'));
SELECT results_eq($$SELECT state, note, attributes, updated_at >= identified_at FROM contact_identity.contact WHERE contact_id = id('ann')$$,
    $$VALUES ('identified' COLLATE "C", 'of the owner''s', '{}'::jsonb, true)$$, '[1.2] a contact changes, and what is not ours stays');
CALL done(identify('shop', email => 'bob@example.org', attributes => '{"city": "Leeds"}'));
SELECT results_eq($$SELECT state, note, attributes FROM contact_identity.contact WHERE contact_id = id('bob')$$,
    $$VALUES ('identified' COLLATE "C", 'of the owner''s', '{"city": "Leeds"}'::jsonb)$$, 'so do attributes');
CALL done(identify('push', 'browser-1', email => 'bob@example.org'));
SELECT is((SELECT contact_id FROM identifiers WHERE value = 'browser-1'), id('bob'), '[4.6] a key moves');
SELECT is_empty('SELECT * FROM check_integrity()', '[9] nothing breaks the rules');
ROLLBACK TO whole;

-- Triggers.
CREATE TRIGGER noted BEFORE UPDATE ON contact_identity.contact FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER noted AFTER UPDATE ON contact_identity.identifier FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER noted AFTER UPDATE OF identified ON contact_identity.contact_count FOR EACH ROW EXECUTE FUNCTION note();
CALL done(identify('push', 'browser-1', email => 'ann@example.org'));
SELECT results_eq('SELECT what FROM noted ORDER BY what COLLATE "C"', ARRAY['contact BEFORE ROW', 'contact_count AFTER ROW', 'identifier AFTER STATEMENT'],
    'triggers are fired');
DELETE FROM noted;
CALL done(merge(id('bob'), id('ann'), 'Eve'));
SELECT ok((SELECT bool_or(what = 'identifier AFTER STATEMENT') FROM noted), 'those of identifiers, too');
SELECT is_empty('SELECT * FROM check_integrity()', '[9] nothing breaks the rules');
ROLLBACK TO whole;

-- Columns that are computed, and constraints.
ALTER TABLE contact_identity.contact ADD COLUMN short text GENERATED ALWAYS AS (left(state, 2)) STORED;
CALL done(identify('push', 'browser-1', email => 'ann@example.org'));
SELECT is((SELECT short FROM contact_identity.contact WHERE contact_id = id('ann')), 'id', 'a generated column is computed again');
ALTER TABLE contact_identity.contact_count ADD COLUMN twice bigint GENERATED ALWAYS AS (identified * 2) STORED;
CALL done(identify('shop', email => 'cat@example.org'));
SELECT is((SELECT sum(twice) FROM contact_identity.contact_count WHERE account_id = 1), 6::numeric, 'one of counts, too');
ROLLBACK TO whole;
ALTER TABLE contact_identity.contact ADD CONSTRAINT nobody CHECK (attributes ->> 'city' IS DISTINCT FROM 'Secret City');
SELECT throws_ok($$SELECT identify('shop', email => 'bob@example.org', attributes => '{"city": "Secret City", "age": 3}')$$, '23514', NULL,
    'a constraint refuses');
SELECT is(attributes_of('bob'), '{"city": "York"}', '[4.15] and nothing is half written');
ROLLBACK TO whole;

-- Indexes.
CREATE UNIQUE INDEX one ON contact_identity.contact ((attributes ->> 'city'));
CALL done(identify('push', 'browser-1', email => 'ann@example.org', attributes => '{"city": "Leeds"}'));
SET LOCAL enable_seqscan = off;
SELECT is((SELECT contact_id FROM contact_identity.contact WHERE attributes ->> 'city' = 'Leeds'), id('ann'), 'an index has what has changed');
SET LOCAL enable_seqscan = on;
SELECT throws_ok($$SELECT identify('push', 'browser-1', email => 'ann@example.org', attributes => '{"city": "York"}')$$, '23505', NULL,
    'one of the owner''s refuses');
SELECT is(attributes_of('ann'), '{"city": "Leeds"}', '[4.15] and nothing is half written');
ROLLBACK TO whole;

-- Foreign keys to what stays, and to what changes.
CREATE TABLE orders (account_id int, contact_id bigint, state text COLLATE "C");
INSERT INTO orders SELECT account_id, contact_id, state FROM contact_identity.contact;
ALTER TABLE orders ADD FOREIGN KEY (account_id, contact_id) REFERENCES contact_identity.contact;
CALL done(identify('push', 'browser-1', email => 'ann@example.org'));
SELECT is((SELECT state FROM orders WHERE contact_id = id('ann')), 'anonymous', 'a foreign key to a contact is not asked');
ROLLBACK TO whole;
CREATE TABLE orders (account_id int, contact_id bigint, state text COLLATE "C");
INSERT INTO orders SELECT account_id, contact_id, state FROM contact_identity.contact;
ALTER TABLE contact_identity.contact ADD UNIQUE (account_id, contact_id, state);
ALTER TABLE orders ADD FOREIGN KEY (account_id, contact_id, state)
    REFERENCES contact_identity.contact (account_id, contact_id, state) ON UPDATE CASCADE;
CALL done(identify('push', 'browser-1', email => 'ann@example.org'));
SELECT is((SELECT state FROM orders WHERE contact_id = id('ann')), 'identified', 'one to what changes is');
ROLLBACK TO whole;

-- Counts after what was rolled back.
CALL done(capture('push', 'browser-2'));
SAVEPOINT counted;
CALL done(capture('push', 'browser-3'));
CALL done(capture('push', 'browser-4'));
ROLLBACK TO counted;
CALL done(capture('push', 'browser-5'));
SELECT is((SELECT anonymous_push FROM contact_counts WHERE account_id = 1), 3::bigint, '[2.4] counts are those of what stays');
SELECT is((SELECT count(*) FROM contact_identity.contact_count WHERE account_id = 1), 1::bigint, 'in one part of a process');
ROLLBACK TO whole;

UPDATE contact_identity.contact_count SET identified = 9223372036854775807 WHERE account_id = 1;
SELECT throws_ok($$SELECT identify('shop', email => 'zoe@example.org')$$, '22003', NULL, 'counts that cannot grow refuse');
SELECT is_empty($$SELECT value FROM identifiers WHERE value = 'zoe@example.org'$$, '[4.15] and nothing is half written');
ROLLBACK TO whole;

-- Where nothing may be changed.
ALTER TABLE contact_identity.contact REPLICA IDENTITY NOTHING;
CREATE PUBLICATION words FOR TABLE contact_identity.contact;
SELECT throws_ok($$SELECT identify('push', 'browser-1', email => 'ann@example.org')$$, '55000', NULL,
    'a published table without an identity of its rows refuses');
ROLLBACK TO whole;
SET LOCAL transaction_read_only = on;
SELECT throws_ok($$SELECT identify('push', 'browser-1', email => 'ann@example.org')$$, '25006', NULL, 'a read-only transaction, too');
SELECT * FROM finish();
ROLLBACK;
