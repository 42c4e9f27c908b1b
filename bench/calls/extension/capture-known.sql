\set r random(1, :people)
SELECT contact_identity.capture('push', 'o' || :r);
