\set r random(1, :people)
SELECT plain.identify('push', 'o' || :r, 'u' || :r || '@example.org');
