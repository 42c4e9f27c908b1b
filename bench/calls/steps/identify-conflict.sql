\set v random(1, :people)
\set r random(1, :people)
BEGIN;
SELECT contact_id AS mine FROM steps.identifier WHERE account_id = 1 AND kind = 'visitor' AND value = 'v' || :v \gset
SELECT contact_id AS owner FROM steps.identifier WHERE account_id = 1 AND kind = 'email' AND value = 'u' || :r || '@example.org' \gset
UPDATE steps.contact SET updated_at = now() WHERE account_id = 1 AND contact_id = :mine;
INSERT INTO steps.conflict (account_id, contact_id, field_type, field, secondary_value, given, owner_contact_id, source, key_kind, key, status, given_at) VALUES (1, :mine, 'identifier', 'email', to_jsonb('u' || :r || '@example.org'), 'u' || :r || '@example.org', :owner, 'conversations', 'visitor', 'v' || :v, 'open', now()) RETURNING conflict_id \gset
INSERT INTO steps.event (account_id, contact_id, call_id, written_at, occurred_at, conflict_id, other_contact_id, event, field_type, field, new_value, new_source, source, found_kind, found_value) VALUES (1, :mine, 1, now(), now(), :conflict_id, :owner, 'conflict_opened', 'identifier', 'email', to_jsonb('u' || :r || '@example.org'), 'conversations', 'conversations', 'visitor', 'v' || :v);
COMMIT;
