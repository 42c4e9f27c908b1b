\set m :m + 1
\set p :base + :m * :clients + :client_id
\set r random(1, :people)
BEGIN;
SELECT contact_id AS mine FROM steps.identifier WHERE account_id = 1 AND kind = 'push' AND value = 'p' || :p \gset
SELECT contact_id AS owner FROM steps.identifier WHERE account_id = 1 AND kind = 'email' AND value = 'u' || :r || '@example.org' \gset
UPDATE steps.contact SET updated_at = now() WHERE account_id = 1 AND contact_id = :owner;
UPDATE steps.contact SET state = 'merged', survivor_id = :owner, updated_at = now() WHERE account_id = 1 AND contact_id = :mine;
UPDATE steps.identifier SET contact_id = :owner, updated_at = now() WHERE account_id = 1 AND kind = 'push' AND value = 'p' || :p;
INSERT INTO steps.merge (account_id, survivor_id, merged_id, source, merged_at, detail) VALUES (1, :owner, :mine, 'push', now(), jsonb_build_object('state', 'anonymous', 'identifiers', jsonb_build_array(jsonb_build_object('kind', 'push', 'value', 'p' || :p, 'source', 'push', 'opted_in', true, 'updated_at', now()))));
INSERT INTO steps.event (account_id, contact_id, call_id, written_at, occurred_at, event, field_type, field, new_value, new_source, new_at, detail, source, found_kind, found_value) VALUES (1, :mine, 1, now(), now(), 'merged', 'contact', 'survivor', to_jsonb(:owner::bigint), NULL, NULL, NULL, 'push', 'email', 'u' || :r || '@example.org'), (1, :owner, 1, now(), now(), 'absorbed', 'contact', 'merged', to_jsonb(:mine::bigint), NULL, NULL, NULL, 'push', 'email', 'u' || :r || '@example.org'), (1, :owner, 1, now(), now(), 'moved_in', 'key', 'push', to_jsonb('p' || :p), 'push', now(), '{"new": {"opted_in": true}}', 'push', 'email', 'u' || :r || '@example.org');
UPDATE steps.contact_count SET anonymous_push = anonymous_push - 1 WHERE account_id = 1 AND process = :client_id;
COMMIT;
