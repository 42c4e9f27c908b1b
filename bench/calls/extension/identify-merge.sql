\set m :m + 1
\set p :base + :m * :clients + :client_id
\set r random(1, :people)
SELECT * FROM contact_identity.identify('push', 'p' || :p, email => 'u' || :r || '@example.org');
