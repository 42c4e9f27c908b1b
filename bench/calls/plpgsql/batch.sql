\set n :n + 1
\set id (:run * 64 + :client_id) * 10000000 + :n
SELECT count(plain.identify('push', 'k' || :id || '-' || g, 'n' || :id || '-' || g || '@example.org')) FROM generate_series(1, 100) AS g;
