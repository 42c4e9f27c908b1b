\set r random(1, :people)
SELECT c.contact_id, c.last_seen_at FROM steps.identifier i JOIN steps.contact c USING (account_id, contact_id) WHERE i.account_id = 1 AND i.kind = 'push' AND i.value = 'o' || :r;
