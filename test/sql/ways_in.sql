-- The examples of the README, in a database where setup() has run.
SET contact_identity.account_id = 40;
SELECT contact_identity.create_account(40, 'ways in');
-- a batch
SELECT request, outcome, error FROM contact_identity.identify_batch('[
    {"source": "push", "key": "browser-1", "op": "capture"},
    {"source": "push", "key": "browser-1", "email": "ann@example.org", "attributes": {"city": "Lyon"}},
    {"source": "shop", "email": "bob at example.org"}]');
-- the view contacts
INSERT INTO contact_identity.contacts (email, attributes)
VALUES ('Bob@Example.org', '{"city": "Rome"}') RETURNING label, attributes;
UPDATE contact_identity.contacts SET attributes = attributes || '{"city": "Milan"}'
WHERE email = 'bob@example.org' RETURNING label, attributes;
DELETE FROM contact_identity.contacts WHERE email = 'bob@example.org';
-- declared attributes
INSERT INTO contact_identity.attribute (account_id, name, type, choices)
VALUES (40, 'city', 'text', NULL), (40, 'size', 'choice', '{S,M,L}');
SELECT outcome, ignored FROM contact_identity.identify('shop', email => 'ann@example.org',
    attributes => '{"city": "Nice", "size": "XL", "citty": "Nice"}');
