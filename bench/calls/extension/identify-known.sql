\set r random(1, :people)
SELECT * FROM contact_identity.identify('push', 'o' || :r, email => 'u' || :r || '@example.org');
