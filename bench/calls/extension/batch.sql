\set n :n + 1
\set id (:run * 64 + :client_id) * 10000000 + :n
SELECT count(contact_id) FROM contact_identity.identify_batch((SELECT jsonb_agg(jsonb_build_object('source', 'push', 'key', 'k' || :id || '-' || g, 'email', 'n' || :id || '-' || g || '@example.org')) FROM generate_series(1, 100) AS g));
