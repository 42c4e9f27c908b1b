\set n :n + 1
\set id (:run * 64 + :client_id) * 10000000 + :n
SELECT * FROM contact_identity.identify('shop', email => 'n' || :id || '@example.org');
