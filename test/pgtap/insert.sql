-- New rows go straight into our tables, and whatever an owner adds to these has
-- its say as if a statement wrote them.
BEGIN;
\ir words.psql
SELECT plan(45);
SET LOCAL client_min_messages = error;

-- What the last call wrote, but for numbers and times.
CREATE FUNCTION written() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT concat_ws(' ', e.event, e.field_type, e.field, e.old_value, e.new_value, e.source, e.found_kind, e.found_value,
                     e.actor, e.role, e.xid = pg_current_xact_id(), e.detail, c.state, c.origin)
    FROM contact_identity.event e JOIN contact_identity.contact c USING (account_id, contact_id)
    WHERE e.call_id = (SELECT max(call_id) FROM contact_identity.event) ORDER BY e.event_id
$$;
CALL given('ann', identify('shop', email => 'ann@example.org', attributes => '{"city": "York"}', actor => 'Eve'));
CREATE TABLE rows AS SELECT written() AS line;
SELECT is((SELECT count(*) FROM rows), 3::bigint, '[10.1] a new contact, its e-mail and its city');
SELECT ok((SELECT bool_and(line LIKE '% Eve ' || session_user || ' t %') FROM rows), '[10.1] with who, when and in which transaction');
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO words.noted VALUES (TG_TABLE_NAME || ' ' || TG_WHEN || ' ' || TG_LEVEL);
    RETURN NEW;
END $$;
CREATE TABLE noted (what text);
SAVEPOINT whole;

CREATE TRIGGER noted BEFORE INSERT ON contact_identity.event FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER noted AFTER INSERT ON contact_identity.contact FOR EACH STATEMENT EXECUTE FUNCTION note();
CALL done(erase(id('ann')));
DELETE FROM noted;
CALL done(identify('shop', email => 'ann@example.org', attributes => '{"city": "York"}', actor => 'Eve'));
SELECT results_eq('SELECT what, count(*) FROM noted GROUP BY what ORDER BY what COLLATE "C"',
    $$VALUES ('contact AFTER STATEMENT', 1::bigint), ('event BEFORE ROW', 3)$$, 'triggers of ours are fired');
SELECT results_eq('SELECT written()', 'SELECT line FROM rows', 'and the rows are the same');
ROLLBACK TO whole;

-- Claims, too.
CREATE TRIGGER noted BEFORE INSERT ON contact_identity.identifier FOR EACH ROW EXECUTE FUNCTION note();
CALL done(erase(id('ann')));
DELETE FROM noted;
CALL done(identify('shop', email => 'ann@example.org', attributes => '{"city": "York"}', actor => 'Eve'));
SELECT results_eq('SELECT what FROM noted', ARRAY['identifier BEFORE ROW'], 'a trigger on identifiers is fired');
SELECT results_eq('SELECT written()', 'SELECT line FROM rows', 'and the rows are the same');
ROLLBACK TO whole;
CREATE TRIGGER noted BEFORE INSERT ON contact_identity.list_member FOR EACH ROW EXECUTE FUNCTION note();
CALL done(identify('conversations', email => 'ann@example.org'));
SELECT results_eq('SELECT what FROM noted', ARRAY['list_member BEFORE ROW'], '[4.12] and one on lists');
SELECT is((SELECT count(*) FROM contact_identity.list_member WHERE contact_id = id('ann') AND subscribed), 1::bigint,
    'which the contact is on then');
ROLLBACK TO whole;
CREATE FUNCTION ask() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO words.noted SELECT 'asked' FROM contact_identity.preview_identify('shop', email => NEW.value);
    RETURN NEW;
END $$;
CREATE TRIGGER asks AFTER INSERT ON contact_identity.identifier FOR EACH ROW EXECUTE FUNCTION ask();
SELECT lives_ok($$SELECT identify('shop', email => 'bob@example.org')$$,
    '[10.2] a trigger can ask about a value whose contact is still to be written');
SELECT ok((SELECT count(*) > 0 FROM noted WHERE what = 'asked'), '[10.2] and is answered');
ROLLBACK TO whole;
ALTER TABLE contact_identity.identifier ADD COLUMN region text DEFAULT 'north';
CALL done(capture('push', 'browser-1'));
SELECT is((SELECT region FROM contact_identity.identifier WHERE value = 'browser-1'), 'north', 'a default of theirs is filled in');
ROLLBACK TO whole;
CREATE UNIQUE INDEX short ON contact_identity.identifier (account_id, kind, left(value, 7));
CALL given('bob', capture('push', 'browser-1'));
SELECT throws_ok($$SELECT capture('push', 'browser-2')$$, '23505', NULL, 'an index of the owner''s refuses them');
SELECT is(capture('push', 'browser-1'), id('bob'), '[4.15] and nothing is half written');
ROLLBACK TO whole;
ALTER TABLE contact_identity.identifier DROP CONSTRAINT identifier_pkey;
SELECT throws_ok($$SELECT capture('push', 'browser-1')$$, '42P10', NULL, 'without the key that makes them unique, nothing is claimed');
CREATE UNIQUE INDEX again ON contact_identity.identifier (value, account_id, kind) INCLUDE (contact_id);
SELECT lives_ok($$SELECT capture('push', 'browser-1')$$, 'another index of just these columns will do');
ROLLBACK TO whole;

-- Columns.
ALTER TABLE contact_identity.event ADD COLUMN gone int, ADD COLUMN region text DEFAULT 'north', ADD COLUMN note text;
ALTER TABLE contact_identity.event DROP COLUMN gone;
CALL done(capture('push', 'browser-1'));
SELECT is((SELECT string_agg(DISTINCT region, ',') FROM contact_identity.event), 'north', 'a default is filled in');
ALTER TABLE contact_identity.event ALTER COLUMN region DROP DEFAULT;
CALL done(capture('push', 'browser-2'));
SELECT is((SELECT count(*) FROM contact_identity.event WHERE region IS NULL AND note IS NULL), 2::bigint, 'a column without one is null');
ALTER TABLE contact_identity.contact ADD COLUMN short text GENERATED ALWAYS AS (left(origin, 2)) STORED;
CALL given('gil', capture('push', 'browser-3'));
SELECT is((SELECT short FROM contact_identity.contact WHERE contact_id = id('gil')), 'pu', 'a generated one is generated');
ALTER TABLE contact_identity.contact ADD COLUMN number int GENERATED BY DEFAULT AS IDENTITY (START 1000);
CALL given('hal', capture('push', 'browser-4'));
SELECT ok((SELECT number >= 1000 FROM contact_identity.contact WHERE contact_id = id('hal')), 'an identity is numbered');
ALTER TABLE contact_identity.contact ADD COLUMN noted information_schema.time_stamp;
CALL given('kay', capture('push', 'browser-10'));
SELECT ok((SELECT noted IS NOT NULL FROM contact_identity.contact WHERE contact_id = id('kay')), 'a domain''s default is filled in');
DROP VIEW contact_identity.history CASCADE;
ALTER TABLE contact_identity.event ALTER COLUMN actor TYPE varchar(3);
SELECT throws_ok($$SELECT identify('shop', email => 'bob@example.org', actor => 'Evelyn')$$, '22001', NULL, 'a narrower type refuses');
SELECT is((SELECT outcome FROM identify('shop', email => 'bob@example.org', actor => 'Eve')), 'created', 'and takes what it can hold');
ALTER TABLE contact_identity.event RENAME COLUMN actor TO who;
SELECT throws_ok($$SELECT capture('push', 'browser-5')$$, '42703', NULL, 'a column that is gone is named');
ROLLBACK TO whole;

-- Constraints.
ALTER TABLE contact_identity.event ADD COLUMN must text;
ALTER TABLE contact_identity.event ADD CONSTRAINT must CHECK (must IS NOT NULL) NOT VALID;
SELECT throws_ok($$SELECT capture('push', 'browser-6')$$, '23514', NULL, 'a constraint refuses');
ALTER TABLE contact_identity.event DROP CONSTRAINT must;
ALTER TABLE contact_identity.contact ADD CONSTRAINT nobody CHECK (attributes ->> 'city' IS DISTINCT FROM 'Secret City');
SELECT throws_ok($$SELECT capture('push', 'browser-6', attributes => '{"city": "Secret City"}')$$, '23514', NULL,
    'also one of attributes');
DO $$
DECLARE
    shown text;
BEGIN
    PERFORM capture('push', 'browser-6', attributes => '{"city": "Secret City"}');
EXCEPTION WHEN check_violation THEN
    GET STACKED DIAGNOSTICS shown = PG_EXCEPTION_DETAIL;
    PERFORM set_config('words.shown', shown, true);
END $$;
SELECT is(current_setting('words.shown'), 'The row is not shown, since it may hold personal values.', '[9.6] and shows no value');
SELECT is((SELECT count(*) FROM identifiers WHERE value = 'browser-6'), 0::bigint, '[4.15] nothing is half written');
ALTER TABLE contact_identity.contact DROP CONSTRAINT nobody;
CREATE FUNCTION takes(text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 <> ''browser-6''';
ALTER TABLE contact_identity.identifier ADD CONSTRAINT theirs CHECK (words.takes(value));
SELECT throws_ok($$SELECT capture('push', 'browser-6')$$, '23514', NULL, 'one that calls a function of the owner''s, too');
CREATE OR REPLACE FUNCTION takes(text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 <> ''browser-7''';
SELECT lives_ok($$SELECT capture('push', 'browser-6')$$, 'as it is now');
SELECT throws_ok($$SELECT capture('push', 'browser-7')$$, '23514', NULL, 'and refuses others then');
ALTER TABLE contact_identity.identifier DROP CONSTRAINT theirs;
ALTER TABLE contact_identity.identifier ADD CONSTRAINT broken CHECK (is_primary OR 1 / 0 > 0) NOT VALID;
SELECT throws_ok($$SELECT capture('push', 'browser-8')$$, '22012', NULL, 'one that fails');
SELECT throws_ok($$SELECT capture('push', 'browser-8')$$, '22012', NULL, 'and fails again');
ALTER TABLE contact_identity.identifier DROP CONSTRAINT broken;
ALTER TABLE contact_identity.identifier ADD CONSTRAINT whole CHECK (octet_length(identifier::text) < 4000);
SELECT lives_ok($$SELECT capture('push', 'browser-8')$$, 'one about a whole row');
SELECT lives_ok($$SELECT capture('push', 'browser-9')$$, 'and about the next');
CREATE TYPE shape AS (age text);
ALTER TABLE contact_identity.contact ADD CONSTRAINT shape
    CHECK (jsonb_populate_record(NULL::words.shape, attributes) IS DISTINCT FROM NULL) NOT VALID;
SELECT lives_ok($$SELECT identify('shop', email => 'ned@example.org', attributes => '{"age": "old"}')$$, 'one that asks a type');
ALTER TYPE shape ALTER ATTRIBUTE age TYPE integer;
SELECT throws_ok($$SELECT identify('shop', email => 'nell@example.org', attributes => '{"age": "young"}')$$, '22P02', NULL, 'as it is now');
ALTER TABLE contact_identity.contact DROP CONSTRAINT shape;
ALTER TABLE contact_identity.contact ADD CONSTRAINT mine CHECK (tableoid = 'contact_identity.contact'::regclass);
SELECT lives_ok($$SELECT capture('push', 'browser-10'), identify('push', 'browser-9', email => 'olga@example.org')$$, 'one that asks which table it is');
ALTER TABLE contact_identity.event ADD COLUMN needed text NOT NULL DEFAULT '';
ALTER TABLE contact_identity.event ALTER COLUMN needed DROP DEFAULT;
SELECT throws_ok($$SELECT identify('shop', email => 'mia@example.org')$$, '23502', NULL, 'a column that must not be null');
ALTER TABLE contact_identity.event DROP COLUMN needed;
ALTER TABLE contact_identity.event DROP COLUMN must;
CREATE UNIQUE INDEX one ON contact_identity.event (account_id) WHERE event = 'cleared';
CALL given('ida', identify('shop', email => 'ida@example.org', attributes => '{"a": 1, "b": 1}'));
SELECT throws_ok($$SELECT identify('shop', email => 'ida@example.org', attributes => '{"a": null, "b": null}')$$, '23505', NULL,
    'an index refuses');
SELECT is(attributes_of('ida'), '{"a": 1, "b": 1}', '[4.15] and nothing is half written');
ROLLBACK TO whole;

-- Indexes.
CREATE INDEX mine ON contact_identity.event (found_value) WHERE event = 'created';
SELECT count(*) FROM identify_batch((SELECT jsonb_agg(jsonb_build_object('source', 'shop', 'email', n || '@example.org')) FROM generate_series(1, 2500) n)) \g /dev/null
SET LOCAL enable_seqscan = off;
SELECT is((SELECT count(*) FROM contact_identity.event WHERE event = 'created' AND found_value LIKE '%@example.org'), 2501::bigint,
    'an index has all rows of many');
SET LOCAL enable_seqscan = on;
SET LOCAL enable_indexscan = off;
SET LOCAL enable_indexonlyscan = off;
SET LOCAL enable_bitmapscan = off;
SELECT is((SELECT count(*) FROM contact_identity.event WHERE event = 'created' AND found_value LIKE '%@example.org'), 2501::bigint,
    'as many as the table');
SELECT is_empty('SELECT * FROM check_integrity()', '[9] nothing breaks the rules');
ROLLBACK TO whole;

-- Where nothing may be written.
SET LOCAL transaction_read_only = on;
SELECT throws_ok($$SELECT capture('push', 'browser-9')$$, '25006', NULL, 'a read-only transaction writes nothing');
SELECT lives_ok($$SELECT capture('push', 'browser-9') WHERE false$$, 'and reads');
SELECT * FROM finish();
ROLLBACK;
