-- What psql prints when a row of the view contacts is not stored as a whole.
SELECT contact_identity.setup();
SET contact_identity.account_id = 50;
SELECT contact_identity.create_account(50, 'listing');
INSERT INTO contact_identity.attribute (account_id, name, type) VALUES (50, 'visits', 'number');
-- [4.11] [4.17] the rest of the row is stored, and a warning names what is not
INSERT INTO contact_identity.contacts (email, attributes)
VALUES ('listing@example.org', '{"visits": "many", "city": "Lyon"}') RETURNING label, attributes;
UPDATE contact_identity.contacts SET phone = '+12061234567', attributes = '{"visits": 3, "city": "Lyon"}'
WHERE email = 'listing@example.org' RETURNING phone, attributes;
-- nothing to name
UPDATE contact_identity.contacts SET attributes = '{"visits": 4}' WHERE email = 'listing@example.org' RETURNING attributes;
DELETE FROM contact_identity.contacts WHERE email = 'listing@example.org';

-- fail: the triggers are for these views alone, whoever may execute their function
CREATE VIEW mine AS SELECT 1 AS account_id, 1::bigint AS contact_id, 1 AS attributes;
CREATE TRIGGER mine INSTEAD OF INSERT OR DELETE ON mine FOR EACH ROW EXECUTE FUNCTION contact_identity.write_contacts();
INSERT INTO mine (attributes) VALUES (1);
DELETE FROM mine;
DROP VIEW mine;
-- fail: and for the columns that setup() gives them
BEGIN;
DROP VIEW contact_identity.contacts;
CREATE VIEW contact_identity.contacts AS SELECT 1 AS account_id, 1 AS contact_id, 1 AS attributes;
CREATE TRIGGER mine INSTEAD OF DELETE ON contact_identity.contacts FOR EACH ROW EXECUTE FUNCTION contact_identity.write_contacts();
DELETE FROM contact_identity.contacts;
ROLLBACK;
