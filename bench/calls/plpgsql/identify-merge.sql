\set m :m + 1
\set p :base + :m * :clients + :client_id
\set r random(1, :people)
SELECT plain.identify('push', 'p' || :p, 'u' || :r || '@example.org');
