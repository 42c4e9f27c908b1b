\set n :n + 1
\set id (:run * 64 + :client_id) * 10000000 + :n
BEGIN;
INSERT INTO steps.contact (account_id, state, made, origin, created_at, updated_at, last_seen_at) VALUES (1, 'anonymous', 'push', 'push', now(), now(), now()) RETURNING contact_id \gset
INSERT INTO steps.identifier (account_id, kind, value, contact_id, is_primary, opted_in, verified, updated_at, source) VALUES (1, 'push', 'k' || :id, :contact_id, false, true, false, now(), 'push');
INSERT INTO steps.event (account_id, contact_id, call_id, written_at, occurred_at, event, field_type, field, new_value, new_source, new_at, detail, source, found_kind, found_value) VALUES (1, :contact_id, 1, now(), now(), 'created', 'contact', 'state', '"anonymous"', NULL, NULL, NULL, 'push', 'push', 'k' || :id), (1, :contact_id, 1, now(), now(), 'attached', 'key', 'push', to_jsonb('k' || :id), 'push', now(), '{"new": {"opted_in": true}}', 'push', 'push', 'k' || :id);
UPDATE steps.contact_count SET anonymous_push = anonymous_push + 1 WHERE account_id = 1 AND process = :client_id;
COMMIT;
