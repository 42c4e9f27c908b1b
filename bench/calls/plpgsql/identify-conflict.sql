\set v random(1, :people)
\set r random(1, :people)
SELECT plain.identify('conversations', 'v' || :v, 'u' || :r || '@example.org');
