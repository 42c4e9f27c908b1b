-- Requests in bulk through the view inbox: what they leave is what single calls
-- leave.  The real input is in the folder $CI_DATA: page views and logins of
-- Clique Bait, and the misspelt people of fake_1000.csv.
\set events `echo "$CI_DATA/clique_bait_events.csv"`
\set users `echo "$CI_DATA/clique_bait_users.csv"`
\set fake `echo "$CI_DATA/fake_1000.csv"`
\set missing `test -r "$CI_DATA/clique_bait_events.csv" -a -r "$CI_DATA/clique_bait_users.csv" -a -r "$CI_DATA/fake_1000.csv" && echo false || echo true`
\set requests `mktemp`
\set QUIET on
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT plan(24);
\o /dev/null
SELECT contact_identity.create_account(20001, 'single'), contact_identity.create_account(20002, 'bulk');
\o

-- The contacts of an account by the order in which they were made.
CREATE TEMP VIEW person AS
SELECT account_id, contact_id, row_number() OVER (PARTITION BY account_id ORDER BY contact_id) AS n
FROM contact_identity.contact WHERE account_id IN (20001, 20002);
CREATE TEMP VIEW held AS
SELECT p.account_id, p.n, i.kind, i.value, i.given, i.is_primary, i.active, i.verified, i.source, i.updated_at
FROM contact_identity.identifiers i JOIN person p USING (account_id, contact_id);
CREATE TEMP VIEW attribute AS
SELECT p.account_id, p.n, t.key AS name, c.attributes -> t.key AS value, t.value ->> 1 AS source,
       to_timestamp((t.value ->> 0)::numeric / 1000000) AS at
FROM contact_identity.contact c JOIN person p USING (account_id, contact_id), jsonb_each(c.attribute_times) t;
CREATE TEMP VIEW conflict AS
SELECT p.account_id, p.n, v.field, v.secondary_value, v.status, v.source, v.key, v.given_at
FROM contact_identity.conflicts v JOIN person p USING (account_id, contact_id);
CREATE TEMP VIEW story AS
SELECT p.account_id, p.n, h.event, h.field_type, CASE WHEN h.field_type <> 'list' THEN h.field END AS field,
       CASE WHEN h.field NOT IN ('survivor', 'merged') THEN h.old_value END AS old_value,
       CASE WHEN h.field NOT IN ('survivor', 'merged') THEN h.new_value END AS new_value,
       h.source, h.occurred_at, h.found_kind, h.found_value,
       row_number() OVER (PARTITION BY p.account_id ORDER BY h.event_id) AS place
FROM contact_identity.event h JOIN person p USING (account_id, contact_id);
-- the rows of a view, of one account
CREATE FUNCTION pg_temp.rows_of(what regclass, account integer) RETURNS SETOF jsonb LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format('SELECT to_jsonb(r) - %L FROM %s r WHERE account_id = %s', 'account_id', what, account);
END $$;
CREATE FUNCTION pg_temp.is_same(what regclass, description text) RETURNS text LANGUAGE sql AS $$
    SELECT is_empty(format('(SELECT pg_temp.rows_of(%1$L, 20001) EXCEPT ALL SELECT pg_temp.rows_of(%1$L, 20002))
                            UNION ALL (SELECT pg_temp.rows_of(%1$L, 20002) EXCEPT ALL SELECT pg_temp.rows_of(%1$L, 20001))', what),
                    description)
$$;

\if :missing
SELECT skip('the files of real input are not in the folder CI_DATA', 15);
\else
CREATE TEMP TABLE event (line serial, visit_id text, cookie_id text, page_id text, event_type text,
                         sequence_number text, event_time timestamptz);
COPY event (visit_id, cookie_id, page_id, event_type, sequence_number, event_time) FROM :'events' CSV HEADER;
CREATE TEMP TABLE login (line serial, user_id text, cookie_id text, start_date timestamptz);
COPY login (user_id, cookie_id, start_date) FROM :'users' CSV HEADER;
CREATE TEMP TABLE fake (unique_id integer, first_name text, surname text, dob text, city text, email text, cluster text);
COPY fake FROM :'fake' CSV HEADER;

-- Page views and logins as they happened; then each of the others opens the
-- chat, and says who he is.
CREATE TEMP TABLE request AS
SELECT row_number() OVER (ORDER BY part, occurred_at, line) AS n, r.*
FROM (SELECT 1 AS part, line, 'push' AS source, cookie_id AS key, NULL AS email, NULL AS ext_id,
             jsonb_build_object('page', page_id, 'visit', visit_id) AS attributes, event_time AS occurred_at, 'capture' AS op
      FROM event
      UNION ALL SELECT 1, -line, 'push', cookie_id, NULL, user_id, NULL, start_date, NULL FROM login
      UNION ALL SELECT 2, unique_id, 'conversations', 'visitor-' || unique_id, NULL, NULL, NULL,
                       timestamptz '2021-01-01 00:00:00+00' + unique_id * interval '1 second', 'capture' FROM fake
      UNION ALL SELECT 3, unique_id, 'conversations', 'visitor-' || unique_id, nullif(email, ''), NULL,
                       jsonb_strip_nulls(jsonb_build_object('first_name', nullif(first_name, ''), 'surname', nullif(surname, ''),
                                                            'dob', nullif(dob, ''), 'city', nullif(city, ''))),
                       timestamptz '2021-01-02 00:00:00+00' - unique_id * interval '1 second', NULL FROM fake) r;

-- one by one
CREATE TEMP TABLE refused (n bigint, code text);
DO $$
DECLARE
    r record;
BEGIN
    FOR r IN SELECT * FROM request ORDER BY n LOOP
        IF r.op = 'capture' THEN
            PERFORM contact_identity.capture(r.source, r.key, r.attributes, occurred_at => r.occurred_at, account_id => 20001);
        ELSE
            BEGIN
                PERFORM contact_identity.identify(r.source, r.key, email => r.email, ext_id => r.ext_id,
                    attributes => r.attributes, occurred_at => r.occurred_at, account_id => 20001);
            EXCEPTION WHEN invalid_parameter_value THEN
                INSERT INTO refused VALUES (r.n, SQLSTATE);
            END;
        END IF;
    END LOOP;
END $$;

-- and by COPY
\o :requests
\qecho 'COPY contact_identity.inbox (account_id, source, key, email, ext_id, attributes, occurred_at, op) FROM stdin;'
COPY (SELECT 20002, source, key, email, ext_id, attributes, occurred_at, op FROM request ORDER BY n) TO STDOUT;
\qecho '\\.'
\o
\i :requests

SELECT is((SELECT count(*)::integer FROM request), 32734 + 1782 + 2 * 1000, 'so many requests');
SELECT results_eq('SELECT line, code FROM contact_identity.rejected WHERE account_id = 20002 ORDER BY 1', 'SELECT n, code FROM refused ORDER BY 1',
    '[7.4] the same are refused');
SELECT is((SELECT count(*)::integer FROM refused), 30, 'those with a malformed address');
SELECT is((SELECT count(DISTINCT job)::integer FROM contact_identity.rejected WHERE account_id = 20002), 1, 'of one statement');
-- Autovacuum may have found these tables empty meanwhile.
ANALYZE contact_identity.contact, contact_identity.identifier, contact_identity.conflict, contact_identity.event;
SELECT pg_temp.is_same('held', 'identifier by identifier, the state is the same');
SELECT ok((SELECT count(*) > 1782 + 500 + 1000 FROM held WHERE account_id = 20002), 'of all identifiers there are');
SELECT pg_temp.is_same('attribute', 'attribute by attribute, too, with its time and source');
SELECT ok((SELECT count(*) > 2000 FROM attribute WHERE account_id = 20002), 'of all attributes there are');
SELECT pg_temp.is_same('conflict', 'and conflict by conflict');
SELECT ok((SELECT count(*) > 500 FROM conflict WHERE account_id = 20002), 'of which there are many');
SELECT pg_temp.is_same('story', '[9.4] history tells the same in the same order');
SELECT pg_temp.is_same('contact_identity.contact_counts', '[2.3] the counts are the same');
SELECT results_eq('SELECT subscribed, count(*) FROM contact_identity.lists WHERE account_id = 20002 GROUP BY 1',
                  'SELECT subscribed, count(*) FROM contact_identity.lists WHERE account_id = 20001 GROUP BY 1', '[4.12] and the lists');
SELECT is((SELECT count(*) FROM contact_identity.merges WHERE account_id = 20002),
          (SELECT count(*) FROM contact_identity.merges WHERE account_id = 20001), '[6.8] and the merges');
SELECT is_empty('SELECT * FROM contact_identity.check_integrity()', '[9] nothing is out of order');
\endif
\setenv REQUESTS :requests
\! rm -f "$REQUESTS"

-- Values so large that a batch is written in pieces.
SELECT set_config('contact_identity.account_id', '20002', true) \g /dev/null
INSERT INTO contact_identity.inbox (source, email, attributes)
SELECT 'shop', 'large-' || n || '@example.org', jsonb_build_object('text', repeat(chr(96 + n), 900000)) FROM generate_series(1, 20) n;
INSERT INTO contact_identity.inbox (source, email, attributes)
SELECT 'shop', 'large-' || n || '@example.org', jsonb_build_object('text', repeat(chr(97 + n), 900000)) FROM generate_series(1, 20) n;
INSERT INTO contact_identity.inbox (source, key, email, attributes)
SELECT 'conversations', 'large ' || n, 'large-' || n || '@example.org', jsonb_build_object('text', repeat(chr(96 + n), 900000))
FROM generate_series(1, 20) n;
SELECT is((SELECT count(*)::integer FROM contact_identity.contacts c, generate_series(1, 20) n
           WHERE account_id = 20002 AND email = 'large-' || n || '@example.org'
             AND attributes ->> 'text' = repeat(chr(97 + n), 900000)), 20, '[4.7] large values are stored');
SELECT is((SELECT count(*)::integer FROM contact_identity.conflicts
           WHERE account_id = 20002 AND status = 'open' AND length(secondary_value #>> '{}') = 900000), 20,
          '[4.6] also those that wait');
SELECT is((SELECT count(*)::integer FROM contact_identity.history
           WHERE account_id = 20002 AND field = 'text' AND length(new_value #>> '{}') = 900000), 60, '[10.1] each has its row');
SELECT is_empty('SELECT * FROM contact_identity.check_integrity()', '[9] nothing is out of order');

-- What must not end a COPY: texts that no type takes, and far too long ones.
INSERT INTO contact_identity.inbox (source, key, attributes) VALUES
    ('push', 'deep', repeat('[', 100000)), ('push', 'zero', '{"a": "\u0000"}'), ('push', 'long', '{"a": 1e130000}'),
    ('push', repeat('k', 5000000), NULL);
SELECT results_eq($$ SELECT line, code FROM contact_identity.rejected
                     WHERE account_id = 20002 AND job = (SELECT max(job) FROM contact_identity.rejected) ORDER BY line $$,
    $$ VALUES (1::bigint, '22023'), (2, '22023'), (4, '22023') $$, '[7.4] are rejected one by one');
SELECT is((SELECT max(length(request ->> 'key')) FROM contact_identity.rejected WHERE account_id = 20002), 2000000,
    'and kept up to 2,000,000 octets of a text');

-- A batch that is too large for memory is refused before it is read.
PREPARE too_many AS SELECT * FROM contact_identity.identify_batch((SELECT jsonb_agg(1) FROM generate_series(1, 1000001)));
SELECT throws_ok('EXECUTE too_many', '54000', 'too many requests', 'a batch has 1,000,000 requests at most');
CREATE FUNCTION pg_temp.hint(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    hint text;
BEGIN
    EXECUTE statement;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RETURN hint;
END $$;
SELECT is(pg_temp.hint('EXECUTE too_many'), 'Write them to the view contact_identity.inbox, which takes any number.',
    'and inbox is for more');
-- [8.2] whatever the session's setting of the account
SELECT is((SELECT count(*)::integer FROM contact_identity.contacts WHERE account_id = 20001 AND email LIKE 'large%'), 0,
    '[0] nothing of it is another account''s');
SELECT finish();
ROLLBACK;
