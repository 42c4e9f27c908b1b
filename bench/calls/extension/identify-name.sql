\set n :n + 1
\set m :m + 1
\set id (:run * 64 + :client_id) * 10000000 + :n
\set p :base + :m * :clients + :client_id
SELECT * FROM contact_identity.identify('push', 'p' || :p, email => 'n' || :id || '@example.org');
