\set r random(1, :people)
\set v random(1, :people)
SELECT plain.identify('push', 's' || :r, 'u' || :v || '@example.org');
