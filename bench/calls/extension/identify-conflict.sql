\set v random(1, :people)
\set r random(1, :people)
SELECT * FROM contact_identity.identify('conversations', 'v' || :v, email => 'u' || :r || '@example.org');
