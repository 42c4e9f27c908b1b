\set n :n + 1
\set id (:run * 64 + :client_id) * 10000000 + :n
BEGIN;
SELECT array_agg(nextval(pg_get_serial_sequence('steps.contact', 'contact_id'))) AS ids FROM generate_series(1, 100) \gset
INSERT INTO steps.contact (contact_id, account_id, state, origin, created_at, identified_at, updated_at, last_seen_at) OVERRIDING SYSTEM VALUE SELECT unnest(:ids::bigint[]), 1, 'identified', 'push', now(), now(), now(), now();
INSERT INTO steps.identifier (account_id, kind, value, contact_id, is_primary, opted_in, verified, updated_at, source) SELECT 1, v.kind, v.value, contact_id, v.is_primary, v.opted_in, false, now(), 'push' FROM unnest(:ids::bigint[]) WITH ORDINALITY AS g (contact_id, n), LATERAL (VALUES ('email', 'n' || :id || '-' || n || '@example.org', true, false), ('push', 'k' || :id || '-' || n, false, true)) AS v (kind, value, is_primary, opted_in);
INSERT INTO steps.event (account_id, contact_id, call_id, written_at, occurred_at, event, field_type, field, new_value, new_source, new_at, detail, source, found_kind, found_value) SELECT 1, contact_id, 1, now(), now(), v.*, 'push', 'push', 'k' || :id || '-' || n FROM unnest(:ids::bigint[]) WITH ORDINALITY AS g (contact_id, n), LATERAL (VALUES ('created', 'contact', 'state', jsonb '"identified"', NULL, NULL::timestamptz, NULL::jsonb), ('added', 'identifier', 'email', to_jsonb('n' || :id || '-' || n || '@example.org'), 'push', now(), '{"new": {"primary": true}}'), ('attached', 'key', 'push', to_jsonb('k' || :id || '-' || n), 'push', now(), '{"new": {"opted_in": true}}')) AS v;
UPDATE steps.contact_count SET identified = identified + 100 WHERE account_id = 1 AND process = :client_id;
COMMIT;
