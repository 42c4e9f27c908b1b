\set r random(1, :people)
\set v random(1, :people)
BEGIN;
SELECT contact_id AS mine FROM steps.identifier WHERE account_id = 1 AND kind = 'push' AND value = 's' || :r \gset
SELECT contact_id AS owner FROM steps.identifier WHERE account_id = 1 AND kind = 'email' AND value = 'u' || :v || '@example.org' \gset
UPDATE steps.contact SET updated_at = now() WHERE account_id = 1 AND contact_id = least(:mine::bigint, :owner::bigint);
UPDATE steps.contact SET updated_at = now() WHERE account_id = 1 AND contact_id = greatest(:mine::bigint, :owner::bigint);
UPDATE steps.identifier SET contact_id = :owner, updated_at = now() WHERE account_id = 1 AND kind = 'push' AND value = 's' || :r;
INSERT INTO steps.event (account_id, contact_id, call_id, written_at, occurred_at, event, field_type, field, old_value, old_source, old_at, new_value, new_source, new_at, detail, other_contact_id, source, found_kind, found_value) VALUES (1, :mine, 1, now(), now(), 'moved_out', 'key', 'push', to_jsonb('s' || :r), 'push', now(), NULL, NULL, NULL, '{"old": {"opted_in": true}}', :owner, 'push', 'email', 'u' || :v || '@example.org'), (1, :owner, 1, now(), now(), 'moved_in', 'key', 'push', NULL, NULL, NULL, to_jsonb('s' || :r), 'push', now(), '{"new": {"opted_in": true}}', :mine, 'push', 'email', 'u' || :v || '@example.org');
COMMIT;
