\set r random(1, :people)
SELECT plain.capture('push', 'o' || :r);
