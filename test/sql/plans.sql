-- Statements are planned once and kept, often when the tables are still small;
-- what a large batch reads must not grow with the square of its size.  In a
-- database of its own, whose tables are small.
SELECT current_database() AS home \gset
CREATE DATABASE regress_contact_identity_plans TEMPLATE template0;
\c regress_contact_identity_plans
CREATE EXTENSION contact_identity;
SELECT contact_identity.setup();
ALTER TABLE contact_identity.contact SET (autovacuum_enabled = false);
ALTER TABLE contact_identity.identifier SET (autovacuum_enabled = false);
ALTER TABLE contact_identity.conflict SET (autovacuum_enabled = false);
-- the rows that the current transaction has read by the keys of these tables
CREATE FUNCTION rows_read() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT sum(pg_stat_get_xact_tuples_fetched(indexrelid))::bigint FROM pg_index
    WHERE indrelid IN ('contact_identity.contact'::regclass, 'contact_identity.identifier'::regclass,
                       'contact_identity.conflict'::regclass)
$$;
-- n requests of one customer each
CREATE FUNCTION customers(n integer, city text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_agg(jsonb_build_object('source', 'shop', 'ext_id', i::text, 'email', i || '@example.org',
                                        'attributes', jsonb_build_object('city', city)))
    FROM generate_series(1, n) i
$$;

-- the planner is told that there are two customers, and no more
SELECT outcome, count(*) FROM contact_identity.identify_batch(customers(2, 'Lyon')) GROUP BY outcome;
VACUUM ANALYZE;
\c -
SELECT outcome, count(*) FROM contact_identity.identify_batch(customers(2, 'Nice')) GROUP BY outcome;
SELECT outcome, count(*) FROM contact_identity.identify_batch(customers(1000, 'Lyon')) GROUP BY outcome ORDER BY outcome;
BEGIN;
SELECT rows_read() AS before \gset
SELECT outcome, count(*) FROM contact_identity.identify_batch(customers(1000, 'Nice')) GROUP BY outcome;
SELECT rows_read() - :before < 100 * 1000 AS linear;
COMMIT;

-- nor what erasing reads, with what others keep
ALTER TABLE contact_identity.event SET (autovacuum_enabled = false);
SELECT contact_identity.erase(contact_identity.find('ext_id', '1'));
SELECT count(contact_identity.identify('conversations', 'visitor-' || i, email => i % 2 + 2 || '@example.org'))
FROM generate_series(1, 1000) i;
BEGIN;
SELECT sum(pg_stat_get_xact_tuples_fetched(indexrelid)) + (SELECT sum(pg_stat_get_xact_tuples_returned(c.oid))
    FROM pg_class c WHERE c.relnamespace = 'contact_identity'::regnamespace AND c.relkind = 'r') AS before
FROM pg_index WHERE indrelid = 'contact_identity.event'::regclass \gset
SELECT contact_identity.erase(contact_identity.find('ext_id', '4'));
SELECT sum(pg_stat_get_xact_tuples_fetched(indexrelid)) + (SELECT sum(pg_stat_get_xact_tuples_returned(c.oid))
    FROM pg_class c WHERE c.relnamespace = 'contact_identity'::regnamespace AND c.relkind = 'r') - :before < 1000 AS little
FROM pg_index WHERE indrelid = 'contact_identity.event'::regclass;
COMMIT;
\c :home
DROP DATABASE regress_contact_identity_plans;
