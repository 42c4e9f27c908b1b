\set n :n + 1
\set m :m + 1
\set id (:run * 64 + :client_id) * 10000000 + :n
\set p :base + :m * :clients + :client_id
BEGIN;
SELECT contact_id FROM steps.identifier WHERE account_id = 1 AND kind = 'push' AND value = 'p' || :p \gset
UPDATE steps.contact SET state = 'identified', identified_at = now(), updated_at = now() WHERE account_id = 1 AND contact_id = :contact_id;
INSERT INTO steps.identifier (account_id, kind, value, contact_id, is_primary, opted_in, verified, updated_at, source) VALUES (1, 'email', 'n' || :id || '@example.org', :contact_id, true, false, false, now(), 'push');
INSERT INTO steps.event (account_id, contact_id, call_id, written_at, occurred_at, event, field_type, field, new_value, new_source, new_at, detail, source, found_kind, found_value) VALUES (1, :contact_id, 1, now(), now(), 'added', 'identifier', 'email', to_jsonb('n' || :id || '@example.org'), 'push', now(), '{"new": {"primary": true}}', 'push', 'push', 'p' || :p), (1, :contact_id, 1, now(), now(), 'identified', 'contact', 'state', '"identified"', NULL, NULL, NULL, 'push', 'push', 'p' || :p);
UPDATE steps.contact_count SET identified = identified + 1, anonymous_push = anonymous_push - 1 WHERE account_id = 1 AND process = :client_id;
COMMIT;
