-- Contacts 1 to 6: two with a conflict each, a subscriber, a visitor, an ended one and an erased one.
SELECT contact_identity.create_account(2, 'zqx');
SELECT contact_identity.identify('conversations', 'v1', email => 'zqxann@example.org', attributes => '{"city": "zqxtown"}', via => 'chat');
SELECT contact_identity.identify('conversations', 'v2', email => 'zqxbob@example.org', ext_id => 'zqx2');
SELECT contact_identity.identify('conversations', 'v1', attributes => '{"city": "zqxville"}');
SELECT contact_identity.identify('conversations', 'v2', email => 'zqxann@example.org');
SELECT contact_identity.capture('push', 'p1');
SELECT contact_identity.capture('conversations', 'v3', '{"name": "zqx"}');
SELECT contact_identity.capture('conversations', 'v4');
SELECT contact_identity.identify('conversations', 'v4', email => 'zqxbob@example.org');
SELECT contact_identity.identify('shop', email => 'zqxerased@example.org');
DELETE FROM contact_identity.contacts WHERE email = 'zqxerased@example.org';
