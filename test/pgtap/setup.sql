-- setup() run again: it makes what is missing, replaces views that an earlier
-- version made otherwise, and touches nothing else.
BEGIN;
SELECT plan(15);
SET LOCAL client_min_messages = warning;

CREATE FUNCTION pg_temp.catalogue() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(x, E'\n' ORDER BY x)
    FROM (SELECT concat_ws(' ', 'class', c.oid::regclass, c.xmin, c.relacl, c.reloptions) FROM pg_class c
          WHERE c.relnamespace = 'contact_identity'::regnamespace
          UNION ALL SELECT concat_ws(' ', 'column', a.attrelid::regclass, a.attname, a.xmin)
          FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
          WHERE c.relnamespace = 'contact_identity'::regnamespace
          UNION ALL SELECT concat_ws(' ', 'rule', r.ev_class::regclass, r.xmin) FROM pg_rewrite r
          JOIN pg_class c ON c.oid = r.ev_class WHERE c.relnamespace = 'contact_identity'::regnamespace
          UNION ALL SELECT concat_ws(' ', 'trigger', t.tgrelid::regclass, t.tgname, t.xmin) FROM pg_trigger t
          JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = 'contact_identity'::regnamespace
          UNION ALL SELECT concat_ws(' ', 'comment', d.objoid, d.objsubid, d.xmin) FROM pg_description d
          JOIN pg_class c ON c.oid = d.objoid WHERE c.relnamespace = 'contact_identity'::regnamespace) y (x)
$$;

CREATE TEMP TABLE before AS SELECT pg_temp.catalogue() AS text;
SELECT contact_identity.setup();
SELECT is(pg_temp.catalogue(), (SELECT text FROM before), 'setup() run again changes no row of the catalogue');

-- A view as an earlier version might have had it: a column less, another
-- condition, with rights and a comment that somebody gave.
CREATE TEMP TABLE fresh AS
SELECT pg_get_viewdef('contact_identity.lists'::regclass) AS lists, pg_get_viewdef('contact_identity.contacts'::regclass) AS contacts,
       col_description('contact_identity.lists'::regclass, 5) AS since;
CREATE ROLE regress_contact_identity_reader;
DROP VIEW contact_identity.lists;
CREATE VIEW contact_identity.lists WITH (security_barrier) AS
SELECT m.account_id, ''::text AS list, m.contact_id, m.subscribed FROM contact_identity.list_member m;
GRANT SELECT ON contact_identity.lists TO regress_contact_identity_reader;
REVOKE DELETE ON contact_identity.lists FROM CURRENT_USER;
COMMENT ON VIEW contact_identity.lists IS 'Ours';
COMMENT ON COLUMN contact_identity.lists.list IS 'Ours too';
CREATE VIEW pg_temp.depends AS SELECT contact_id FROM contact_identity.lists;
CREATE TEMP TABLE rights AS SELECT relacl::text FROM pg_class WHERE oid = 'contact_identity.lists'::regclass;
SELECT contact_identity.setup();
SELECT is(pg_get_viewdef('contact_identity.lists'::regclass), (SELECT lists FROM fresh), 'a view that differs is replaced');
SELECT is((SELECT relacl::text FROM pg_class WHERE oid = 'contact_identity.lists'::regclass), (SELECT relacl FROM rights),
          'with its rights kept');
SELECT is((SELECT reloptions::text FROM pg_class WHERE oid = 'contact_identity.lists'::regclass), '{security_barrier=true}',
          'and still a barrier');
SELECT is(obj_description('contact_identity.lists'::regclass, 'pg_class'), 'Ours', 'and its comment');
SELECT is(col_description('contact_identity.lists'::regclass, 2), 'Ours too', 'and those of its columns');
SELECT is(col_description('contact_identity.lists'::regclass, 5), (SELECT since FROM fresh), 'and new columns have one');

-- What cannot be replaced stays: its owner made it so.
CREATE OR REPLACE VIEW contact_identity.lists WITH (security_barrier) AS
SELECT m.account_id, ''::text AS list, m.contact_id, m.subscribed, m.since, 1 AS mine FROM contact_identity.list_member m;
SET LOCAL client_min_messages = error;
SELECT lives_ok('SELECT contact_identity.setup()', 'a view with columns of its owner''s is no error');
SELECT has_column('contact_identity', 'lists', 'mine', 'and stays');

-- What hangs on a view is made again with it.
DROP VIEW contact_identity.contacts;
SELECT contact_identity.setup();
SELECT is(pg_get_viewdef('contact_identity.contacts'::regclass), (SELECT contacts FROM fresh), 'a view that is missing is made');

-- Rows that came without their sequences: by logical replication, or loaded.
DO $$
DECLARE of record;
BEGIN
    PERFORM contact_identity.identify('shop', email => 'ann@example.org', attributes => '{"a": 1}');
    PERFORM contact_identity.identify('push', 'device', email => 'ann@example.org');
    PERFORM contact_identity.capture('push', 'device 2');
    PERFORM contact_identity.identify('push', 'device 2', email => 'ann@example.org');
    PERFORM contact_identity.identify('conversations', 'visitor', email => 'ann@example.org', attributes => '{"a": 2}', via => 'chat');
    INSERT INTO contact_identity.inbox (source, email) VALUES ('shop', 'malformed');
END
$$;
CREATE TEMP VIEW sequences AS
SELECT sequencename::text AS sequence, last_value FROM pg_sequences
WHERE schemaname = 'contact_identity' AND last_value IS NOT NULL;
CREATE TEMP TABLE were AS SELECT * FROM sequences;
SELECT contact_identity.setup();
SELECT results_eq('SELECT * FROM sequences ORDER BY 1', 'SELECT * FROM were ORDER BY 1', 'sequences that are past their rows stay');
SELECT setval(to_regclass('contact_identity.' || sequence), 1, false) FROM were;
SELECT contact_identity.setup();
SELECT results_eq($$SELECT nextval('contact_identity.contact_contact_id_seq') > max(contact_id) FROM contact_identity.contact$$,
                  ARRAY[true], 'ids of contacts go on after those there are');
SELECT results_eq($$SELECT nextval('contact_identity.event_event_id_seq') = max(event_id) + 1 FROM contact_identity.event$$,
                  ARRAY[true], 'and those of events');
SELECT lives_ok($$SELECT contact_identity.identify_batch(
    '[{"source": "push", "key": "new", "email": "bob@example.org"}, {"source": "push", "key": "device 3", "op": "capture"},
      {"source": "push", "key": "device 3", "email": "ann@example.org"},
      {"source": "conversations", "key": "visitor", "via": "chat", "attributes": {"a": 3}}]')$$, 'calls go on');
-- A range of a node's own.
INSERT INTO contact_identity.contact (account_id, contact_id, state, origin, created_at, updated_at, last_seen_at)
VALUES (1, (1::bigint << 48) + 5, 'erased', 'shop', now(), now(), now());
SELECT contact_identity.setup();
SELECT ok(nextval('contact_identity.contact_contact_id_seq') < 1::bigint << 48, 'ids of another node are not followed');

SELECT * FROM finish();
ROLLBACK;
