-- Rows are found whatever there are of them, and however the tables have changed.
BEGIN;
\ir words.psql
SELECT plan(24);
SET LOCAL client_min_messages = error;

-- Whoever has very many keys, and what stands behind them in order.
SELECT contact_id AS kim FROM identify('conversations', 'visitor', whatsapp => '+447700900123', email => 'kim@example.org', ext_id => 'kim') \gset
SELECT count(identify('push', 'browser-' || n, email => 'kim@example.org')) FROM generate_series(1, 40) n \gset
SELECT is((SELECT count(*)::int FROM identifiers WHERE contact_id = :kim AND kind = 'push'), 40, '40 browsers');
SELECT is((SELECT array_length(conflicts, 1) FROM identify('conversations', 'visitor', whatsapp => '+447700900124', email => 'kim2@example.org')), 2,
    '[4.9] of a contact with very many keys every value is known: another one waits');
SELECT is((SELECT string_agg(kind || ' ' || value, ', ' ORDER BY kind) FROM identifiers WHERE contact_id = :kim AND is_primary),
    'email kim@example.org, ext_id kim, whatsapp +447700900123', '[4.9] and it has those that it had');
SELECT is((SELECT outcome FROM identify('conversations', 'visitor', whatsapp => '+447700900123', ext_id => 'kim')), 'unchanged',
    'and giving them again changes nothing');

-- Whoever has very many conflicts.
SELECT contact_id AS lee FROM identify('conversations', 'insists', email => 'lee@example.org') \gset
SELECT conflicts[1] AS con FROM identify('conversations', 'other', email => 'lee@example.org', attributes => '{"a": 1}') \gset
DO $$
DECLARE
    conflict bigint;
BEGIN
    FOR n IN 1..40 LOOP
        SELECT conflicts[1] INTO conflict FROM contact_identity.identify('conversations', 'insists', email => 'lee' || n || '@example.org');
        PERFORM contact_identity.dismiss(conflict, 'Eve');
    END LOOP;
END $$;
SELECT conflicts AS waiting FROM identify('conversations', 'insists', email => 'lee41@example.org') \gset
SELECT is((SELECT string_agg(status || ' ' || count, ', ' ORDER BY status)
           FROM (SELECT status, count(*) FROM conflicts WHERE contact_id = :lee GROUP BY status) AS s), 'dismissed 40, open 1',
    '40 conflicts that are settled, and one that is not');
SELECT is((SELECT conflicts FROM identify('conversations', 'insists', email => 'lee41@example.org')), :'waiting'::bigint[],
    '[5.2] of a contact with very many conflicts the open one is met again');
SELECT is((SELECT outcome || ' ' || cardinality(conflicts) FROM identify('conversations', 'insists', email => 'lee40@example.org')),
    'unchanged 0', '[5.2] and a dismissed one stays so');
SELECT conflicts AS newer FROM identify('conversations', 'insists', email => 'lee42@example.org') \gset
SELECT is((SELECT string_agg(secondary_value #>> '{}', ', ') FROM conflicts WHERE contact_id = :lee AND status = 'open'), 'lee42@example.org',
    '[5.2] a newer one takes the place of the open one');

SAVEPOINT whole;
-- Columns that the owner adds and drops, so that ours are at other places.
ALTER TABLE contact_identity.identifier ADD COLUMN note text DEFAULT 'mine';
ALTER TABLE contact_identity.identifier RENAME COLUMN given TO given_before;
ALTER TABLE contact_identity.identifier ADD COLUMN given text;
UPDATE contact_identity.identifier SET given = given_before;
ALTER TABLE contact_identity.identifier DROP COLUMN given_before CASCADE;
SELECT is((SELECT outcome FROM identify('conversations', 'visitor', email => 'Kim@Example.org')), 'unchanged',
    'columns are found where they are');
SELECT is(capture('push', 'browser-7'), :kim::bigint, 'and rows by them');
ROLLBACK TO whole;

-- Without its indexes a table is searched.
DROP INDEX contact_identity.identifier_contact;
SELECT is((SELECT outcome || ' ' || cardinality(conflicts) FROM identify('conversations', 'visitor', whatsapp => '+447700900125')), 'updated 1',
    'rows are found without an index, too');
ALTER TABLE contact_identity.identifier DROP CONSTRAINT identifier_pkey;
SELECT is(capture('push', 'browser-8'), :kim::bigint, 'also those of keys');
-- One of a part of the rows is no index for all of them.
CREATE INDEX ON contact_identity.identifier (account_id, kind, value) WHERE value = 'browser-9';
SELECT is(capture('push', 'browser-8'), :kim::bigint, 'an index of some rows is not asked for others');
CREATE INDEX ON contact_identity.identifier USING hash (value);
SELECT is(capture('push', 'browser-8'), :kim::bigint, 'nor one of another kind');
CREATE INDEX ON contact_identity.identifier (account_id, kind, value);
SELECT is(capture('push', 'browser-8'), :kim::bigint, 'a new one is');
ROLLBACK TO whole;
SELECT is(capture('push', 'browser-9'), :kim::bigint, 'an index that is back is found again');

-- What is not as setup() made it is named.
ALTER TABLE contact_identity.identifier RENAME COLUMN parked TO was_parked;
SELECT throws_ok('SELECT capture(''push'', ''browser-1'')', '42703', 'table "identifier" of contact_identity has no column "parked"',
    'a column that is missing');
ROLLBACK TO whole;
ALTER TABLE contact_identity.contact DROP COLUMN origin CASCADE, ADD COLUMN origin varchar DEFAULT 'push';
SELECT throws_ok('SELECT capture(''push'', ''browser-1'')', '42804', NULL, 'a column of another type');
ROLLBACK TO whole;
ALTER TABLE contact_identity.block RENAME TO blocks;
SELECT throws_ok('SELECT identify(''push'', ''browser-1'', email => ''new@example.org'')', '42P01', 'contact_identity has no table "block" in this database',
    'a table that is missing');
CREATE VIEW contact_identity.block AS TABLE contact_identity.blocks;
SELECT throws_ok('SELECT identify(''push'', ''browser-1'', email => ''new@example.org'')', '42809', '"block" of contact_identity is not an ordinary table',
    'what is no table');
ROLLBACK TO whole;
ALTER TABLE contact_identity.account ALTER COLUMN suppress_key DROP NOT NULL;
UPDATE contact_identity.account SET suppress_key = NULL;
SELECT throws_ok('SELECT capture(''push'', ''browser-1'')', '22004', 'column "suppress_key" of contact_identity must not be null',
    'a null where none is written');
ROLLBACK TO whole;
ALTER TABLE contact_identity.conflict DROP CONSTRAINT conflict_check;
UPDATE contact_identity.conflict SET key = NULL WHERE contact_id = :lee;
SELECT throws_ok('SELECT identify(''conversations'', ''insists'', email => ''lee43@example.org'')', 'XX001', NULL, 'a key without its value');
ROLLBACK TO whole;
SELECT merge(:kim, :lee, 'Eve');
UPDATE contact_identity.contact SET survivor_id = 4711 WHERE contact_id = :lee;
SELECT throws_ok(format('SELECT graph(%s)', :lee), 'XX001', NULL, 'a survivor that does not exist');
ROLLBACK TO whole;
SELECT is((SELECT count(*)::int FROM check_integrity()), 0, 'and all is as it was');
SELECT * FROM finish();
ROLLBACK;
