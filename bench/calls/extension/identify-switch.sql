\set r random(1, :people)
\set v random(1, :people)
SELECT * FROM contact_identity.identify('push', 's' || :r, email => 'u' || :v || '@example.org');
