-- Real input: the page views of a shop, each with a browser's cookie, and the
-- customers to whom the browsers later turn out to belong.  The files are in
-- the folder $CI_DATA: clique_bait_events.csv, clique_bait_users.csv.
\set events `echo "$CI_DATA/clique_bait_events.csv"`
\set users `echo "$CI_DATA/clique_bait_users.csv"`
\set missing `test -r "$CI_DATA/clique_bait_events.csv" -a -r "$CI_DATA/clique_bait_users.csv" && echo false || echo true`
BEGIN;
\if :missing
SELECT plan(1);
SELECT skip('the files of Clique Bait are not in the folder CI_DATA', 1);
\else
SELECT plan(24);

\set QUIET on
\o /dev/null
SELECT contact_identity.create_account(max(account_id) + 1, 'Clique Bait') FROM contact_identity.account;
SELECT set_config('contact_identity.account_id', max(account_id)::text, true) FROM contact_identity.account;
\o
CREATE TEMP TABLE event (line serial, visit_id text, cookie_id text, page_id text, event_type text,
                         sequence_number text, event_time text);
COPY event (visit_id, cookie_id, page_id, event_type, sequence_number, event_time) FROM :'events' CSV HEADER;
CREATE TEMP TABLE customer (line serial, user_id text, cookie_id text, start_date text);
COPY customer (user_id, cookie_id, start_date) FROM :'users' CSV HEADER;
CREATE FUNCTION pg_temp.owner(kind text, value text) RETURNS bigint LANGUAGE sql STABLE AS
$$ SELECT contact_identity.find(kind, value) $$;
CREATE TEMP VIEW counts AS
SELECT identified, anonymous_push, anonymous_conversations FROM contact_identity.contact_counts
WHERE account_id = current_setting('contact_identity.account_id')::integer;

-- The rows as they are: each table's name, and where each of its rows lies.
CREATE FUNCTION pg_temp.versions() RETURNS TABLE (name text, version text) LANGUAGE plpgsql AS
$$
DECLARE
    item regclass;
BEGIN
    FOR item IN SELECT oid FROM pg_class
                WHERE relnamespace = 'contact_identity'::regnamespace AND relkind IN ('r', 'p')
    LOOP
        RETURN QUERY EXECUTE format('SELECT %L, concat(xmin, '' '', ctid) FROM %s', item, item);
    END LOOP;
END
$$;

-- what the files say
SELECT is((SELECT count(*)::integer FROM event), 32734, 'page views');
SELECT is((SELECT count(DISTINCT cookie_id)::integer FROM event), 1782, 'browsers');
SELECT is((SELECT count(*)::integer FROM customer), 1782, 'logins');
SELECT is((SELECT count(DISTINCT user_id)::integer FROM customer), 500, 'customers');
SELECT set_eq('SELECT cookie_id FROM customer', 'SELECT DISTINCT cookie_id FROM event',
              'every browser is some customer''s');

-- the page views, in the order of the file
CREATE TEMP TABLE seen AS
SELECT line, cookie_id, contact_identity.capture('push', cookie_id) AS contact_id
FROM (SELECT * FROM event ORDER BY line) e;
SELECT results_eq('SELECT * FROM counts', 'VALUES (0::bigint, 1782::bigint, 0::bigint)',
                  '[1.1] [1.2] one anonymous push contact for each browser');
SELECT is((SELECT count(*)::integer FROM (SELECT FROM seen GROUP BY cookie_id
                                          HAVING count(DISTINCT contact_id) > 1) s), 0,
          '[1.2] a browser is the same contact at every page view');
SELECT is((SELECT count(DISTINCT contact_id)::integer FROM seen), 1782, '[1.3] two browsers are two contacts');
SELECT is((SELECT count(*)::integer FROM contact_identity.contacts
           WHERE account_id = current_setting('contact_identity.account_id')::integer AND state = 'anonymous'
             AND reachable = ARRAY['push'] AND label = 'Anonymous contact #' || contact_id), 1782,
          '[1.5] [2.2] [2.7] listed, labelled and reachable by push');
SELECT is_empty('SELECT * FROM contact_identity.check_integrity()', '[9] nothing is out of order');

-- the logins
CREATE TEMP TABLE told AS
SELECT c.line, c.user_id, c.cookie_id, r.*
FROM (SELECT * FROM customer ORDER BY line) c
CROSS JOIN LATERAL contact_identity.identify('push', c.cookie_id, ext_id => c.user_id) r;
SELECT results_eq('SELECT * FROM counts', 'VALUES (500::bigint, 0::bigint, 0::bigint)',
                  '[2.5] one contact for each customer, and nobody anonymous');
SELECT results_eq('SELECT outcome, count(*)::integer FROM told GROUP BY 1 ORDER BY 1',
                  $$VALUES ('identified', 500), ('merged', 1282)$$,
                  '[3.4] [3.8] a customer''s first browser is identified, the others are merged into its contact');
SELECT is_empty($$
    SELECT * FROM told t WHERE outcome = 'identified'
        IS DISTINCT FROM (line = (SELECT min(line) FROM customer c WHERE c.user_id = t.user_id))$$,
    '[6.1] the first one is who lives on');
SELECT is((SELECT count(*)::integer FROM contact_identity.merges
           WHERE account_id = current_setting('contact_identity.account_id')::integer), 1282, '[6.8] 1,282 merges');
SELECT is_empty($$
    SELECT cookie_id FROM customer
    WHERE pg_temp.owner('push', cookie_id) IS DISTINCT FROM pg_temp.owner('ext_id', user_id)$$,
    'every browser is found under its customer');
SELECT is_empty($$
    SELECT c.cookie_id FROM customer c JOIN (SELECT DISTINCT cookie_id, contact_id FROM seen) s USING (cookie_id)
    WHERE contact_identity.resolve(s.contact_id) IS DISTINCT FROM pg_temp.owner('ext_id', c.user_id)$$,
    '[6.3] every id that a page view ever answered leads to its customer');
SELECT is((SELECT count(*)::integer FROM contact_identity.identifiers
           WHERE account_id = current_setting('contact_identity.account_id')::integer AND kind = 'push'), 1782,
          '[6.2] no browser was lost');
SELECT is((SELECT count(*)::integer FROM contact_identity.contacts
           WHERE account_id = current_setting('contact_identity.account_id')::integer
             AND state = 'identified' AND reachable = ARRAY['push'] AND open_conflicts = 0), 500,
          '[2.8] all are reachable by push still, and nothing is in conflict');
SELECT is_empty('SELECT * FROM contact_identity.check_integrity()', '[9] nothing is out of order');

-- both files again
CREATE TEMP TABLE before AS SELECT * FROM pg_temp.versions();
CREATE TEMP TABLE seen_again AS
SELECT cookie_id, contact_identity.capture('push', cookie_id) AS contact_id
FROM (SELECT * FROM event ORDER BY line) e;
CREATE TEMP TABLE told_again AS
SELECT r.*
FROM (SELECT * FROM customer ORDER BY line) c
CROSS JOIN LATERAL contact_identity.identify('push', c.cookie_id, ext_id => c.user_id) r;
SELECT is_empty($$
    SELECT * FROM seen_again a JOIN customer c USING (cookie_id)
    WHERE a.contact_id IS DISTINCT FROM pg_temp.owner('ext_id', c.user_id)$$,
    '[6.3] a page view now means the customer');
SELECT is((SELECT array_agg(DISTINCT outcome) FROM told_again), ARRAY['unchanged'], '[4.16] a login changes nothing');
SELECT is((SELECT count(*) > 1782 * 3 FROM before), true, 'of all rows there are');
SELECT is_empty('(TABLE before EXCEPT SELECT * FROM pg_temp.versions())
                 UNION ALL (SELECT * FROM pg_temp.versions() EXCEPT TABLE before)',
                '[4.16] no row is another or a new version');
SELECT results_eq('SELECT * FROM counts', 'VALUES (500::bigint, 0::bigint, 0::bigint)', '[2.4] nor is a count');
\endif
SELECT finish();
ROLLBACK;
