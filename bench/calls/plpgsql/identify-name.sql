\set n :n + 1
\set m :m + 1
\set id (:run * 64 + :client_id) * 10000000 + :n
\set p :base + :m * :clients + :client_id
SELECT plain.identify('push', 'p' || :p, 'n' || :id || '@example.org');
