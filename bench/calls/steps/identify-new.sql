\set n :n + 1
\set id (:run * 64 + :client_id) * 10000000 + :n
BEGIN;
INSERT INTO steps.contact (account_id, state, origin, created_at, identified_at, updated_at, last_seen_at) VALUES (1, 'identified', 'shop', now(), now(), now(), now()) RETURNING contact_id \gset
INSERT INTO steps.identifier (account_id, kind, value, contact_id, is_primary, opted_in, verified, updated_at, source) VALUES (1, 'email', 'n' || :id || '@example.org', :contact_id, true, false, false, now(), 'shop');
INSERT INTO steps.event (account_id, contact_id, call_id, written_at, occurred_at, event, field_type, field, new_value, new_source, new_at, detail, source, found_kind, found_value) VALUES (1, :contact_id, 1, now(), now(), 'created', 'contact', 'state', '"identified"', NULL, NULL, NULL, 'shop', 'email', 'n' || :id || '@example.org'), (1, :contact_id, 1, now(), now(), 'added', 'identifier', 'email', to_jsonb('n' || :id || '@example.org'), 'shop', now(), '{"new": {"primary": true}}', 'shop', 'email', 'n' || :id || '@example.org');
UPDATE steps.contact_count SET identified = identified + 1 WHERE account_id = 1 AND process = :client_id;
COMMIT;
