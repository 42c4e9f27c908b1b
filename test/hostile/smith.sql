-- For sqlsmith: it looks for functions in pg_proc without a schema, so that a
-- view of that name shows it ours, and few others.
CREATE SCHEMA smith;
CREATE VIEW smith.pg_proc AS
SELECT p.* FROM pg_catalog.pg_proc p
WHERE p.pronamespace = 'contact_identity'::regnamespace AND p.prokind = 'f' AND p.proname NOT IN ('setup', 'make_views')
   OR p.oid::regprocedure::text IN ('lower(text)', 'md5(text)', 'to_jsonb(anyelement)', 'jsonb_build_array()', 'jsonb_strip_nulls(jsonb)', 'now()',
                                    'int4abs(integer)', 'count("any")', 'min(text)', 'max(integer)', 'max(bigint)', 'octet_length(text)', 'reverse(text)');
-- Values for the arguments of each type.
CREATE TABLE smith.argument (t text, k text, n integer, i bigint, j jsonb, at timestamptz, b boolean, list text[]);
INSERT INTO smith.argument VALUES
    ('conversations', 'v1', 1, 1, '{"city": "zqx"}', now(), true, '{city}'), ('push', 'p1', 2, 2, '[{"source": "api", "email": "zqx@example.org"}]', 'infinity', false, '{}'),
    ('api', 'zqxann@example.org', NULL, NULL, NULL, NULL, NULL, NULL), ('email', '+12065550100', 0, -1, '[]', '-infinity', NULL, '{NULL}'),
    ('shop', '', 2147483647, 9223372036854775807, '{"a": [1, {"b": null}]}', '4714-11-24 00:00:00+00 BC', true, '{*}');
GRANT USAGE ON SCHEMA smith TO PUBLIC;
GRANT SELECT ON ALL TABLES IN SCHEMA smith TO PUBLIC;
GRANT SELECT ON ALL TABLES IN SCHEMA contact_identity TO hostile_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON contact_identity.contacts, contact_identity.all_contacts, contact_identity.inbox TO hostile_app;
-- What it writes down: the errors that it met.
CREATE SCHEMA log;
CREATE TABLE log.instance (id bigserial PRIMARY KEY, rev text, target text, hostname text, version text, seed text);
CREATE TABLE log.stat (id bigint, generated bigint, level float8, nodes float8, updated timestamptz, retries float8, impedance jsonb);
CREATE TABLE log.error (id bigint, msg text, query text, sqlstate text);
