-- Requests in bulk: INSERT and COPY into the view inbox.  In a database of its
-- own, so that no other test's contacts are among them.
SELECT current_database() AS home \gset
CREATE DATABASE regress_contact_identity_inbox TEMPLATE template0;
\c regress_contact_identity_inbox
CREATE EXTENSION contact_identity;
SELECT contact_identity.setup();
CREATE VIEW seen AS
SELECT state, email, attributes,
       ARRAY(SELECT i.kind || ' ' || i.value FROM contact_identity.identifiers i
             WHERE i.account_id = 1 AND i.contact_id = c.contact_id AND NOT i.identifying ORDER BY 1) AS keys
FROM contact_identity.all_contacts c WHERE account_id = 1;
CREATE VIEW refused AS
SELECT job, line, request, code, message FROM contact_identity.rejected WHERE account_id = 1;

-- a row is a request, as identify() has it; one that cannot be used is kept apart
INSERT INTO contact_identity.inbox (source, key, email, attributes) VALUES
    ('conversations', 'visitor-1', NULL, NULL),
    ('conversations', 'visitor-1', 'ann@example.org', '{"city": "Lyon"}'),
    ('conversations', 'visitor-2', 'ann@', NULL),
    ('push', 'browser-7', 'ann@example.org', NULL);
SELECT line, request, code, message FROM refused;
SELECT * FROM seen ORDER BY keys;

-- [7.4] [8.2] [9.6] COPY: what is not of an argument's type is rejected, too, and no more than that
COPY contact_identity.inbox (source, key, email, attributes, occurred_at, contact_id, verified, op, account_id) FROM stdin;
shop	\N	bob@example.org	{"city": "Paris"}	2020-02-03 10:00:00+00	\N	\N	\N	\N
shop	\N	carl@example.org	{"city": "Par	\N	\N	\N	\N	\N
shop	\N	carl@example.org	["city"]	\N	\N	\N	\N	\N
shop	\N	carl@example.org	\N	yesterday evening	\N	\N	\N	\N
shop	\N	carl@example.org	\N	\N	seven	\N	\N	\N
shop	\N	carl@example.org	\N	\N	\N	perhaps	\N	\N
shop	\N	carl@example.org	\N	\N	\N	\N	destroy	\N
shop	\N	carl@example.org	\N	\N	\N	\N	logout	\N
shop	\N	carl@example.org	\N	\N	\N	\N	\N	thirty
shop	\N	carl@example.org	\N	\N	\N	\N	\N	31
shop	\N	dora@example.org	\N	\N	\N	yes	identify	1
push	browser-8	\N	\N	\N	\N	\N	capture	\N
push	browser-8	\N	\N	\N	\N	\N	logout	\N
\.
SELECT line, request, code, message FROM refused WHERE job = 2 ORDER BY line;
SELECT line, request, code, message FROM contact_identity.rejected WHERE account_id = 31;
SELECT * FROM seen ORDER BY email, keys;
SELECT value, verified, updated_at = '2020-02-03 10:00:00+00' AS then FROM contact_identity.identifiers
WHERE account_id = 1 AND kind = 'email' ORDER BY value;
-- the request is one that identify_batch() takes when it is mended
SELECT r.outcome FROM refused, contact_identity.identify_batch(
    jsonb_build_array(request || '{"email": "erik@example.org"}')) r WHERE job = 1;

-- typed values are taken as well
INSERT INTO contact_identity.inbox (source, email, attributes, occurred_at, verified, account_id)
SELECT 'shop', 'bob@example.org', jsonb_build_object('visits', 3), timestamptz '2020-02-03 11:00:00+00', true, 1;
SELECT attributes FROM seen WHERE email = 'bob@example.org';

-- nothing was given
INSERT INTO contact_identity.inbox (source) SELECT 'shop' WHERE false;

-- batches of two: five rows are three of them
SET contact_identity.batch_size = 2;
INSERT INTO contact_identity.inbox (source, key) SELECT 'push', 'many ' || n FROM generate_series(1, 5) n;
SELECT count(*) FROM seen WHERE keys::text ~ 'many';
-- and one that fails leaves none of them
BEGIN;
INSERT INTO contact_identity.inbox (source, key) SELECT 'push', 'none ' || 1 / (5 - n) FROM generate_series(1, 5) n;
ROLLBACK;
SELECT count(*) FROM seen WHERE keys::text ~ 'none';
RESET contact_identity.batch_size;

-- several accounts in one statement
SELECT contact_identity.create_account(2, 'another');
INSERT INTO contact_identity.inbox (source, email, account_id) VALUES
    ('shop', 'ann@example.org', 1), ('shop', 'ann@example.org', 2), ('shop', 'ann@example.org', 1),
    ('shop', 'ann@example.org', 2);

-- one statement in the course of another: each has its own rows
CREATE FUNCTION tell(key text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO contact_identity.inbox (source, key) VALUES ('push', 'inner ' || key), ('push', '');
    RETURN 'outer ' || key;
END $$;
INSERT INTO contact_identity.inbox (source, key) SELECT 'push', tell(n::text) FROM generate_series(1, 2) n;
SELECT keys FROM seen WHERE keys::text ~ 'inner|outer' ORDER BY keys;
SELECT line, request FROM refused WHERE request ->> 'key' = '' ORDER BY job;

-- one that fails in the course of another, rolled back to where it began
CREATE FUNCTION tell_in_vain(key text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        INSERT INTO contact_identity.inbox (source, key) SELECT 'push', 'vain ' || 1 / (3 - n) FROM generate_series(1, 3) n;
    EXCEPTION WHEN division_by_zero THEN
        NULL;
    END;
    RETURN 'beside ' || key;
END $$;
SET contact_identity.batch_size = 2;
INSERT INTO contact_identity.inbox (source, key) SELECT 'push', tell_in_vain(n::text) FROM generate_series(1, 3) n;
RESET contact_identity.batch_size;
SELECT keys FROM seen WHERE keys::text ~ 'vain|beside' ORDER BY keys;

-- in a trigger of another table, in a subtransaction
CREATE TABLE message (visitor text);
CREATE FUNCTION message_arrives() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO contact_identity.inbox (source, key) VALUES ('conversations', NEW.visitor);
    RETURN NEW;
END $$;
CREATE TRIGGER arrives BEFORE INSERT ON message FOR EACH ROW EXECUTE FUNCTION message_arrives();
BEGIN;
SAVEPOINT before;
INSERT INTO message VALUES ('visitor 11');
ROLLBACK TO SAVEPOINT before;
INSERT INTO message VALUES ('visitor 12');
RELEASE SAVEPOINT before;
COMMIT;
SELECT keys FROM seen WHERE keys::text ~ 'visitor 1' ORDER BY keys;

-- two parts of one statement
WITH first AS (INSERT INTO contact_identity.inbox (source, key) VALUES ('push', 'part 1') RETURNING key),
     second AS (INSERT INTO contact_identity.inbox (source, key) VALUES ('push', 'part 2') RETURNING key)
SELECT key FROM first UNION ALL SELECT key FROM second ORDER BY key;
SELECT keys FROM seen WHERE keys::text ~ 'part' ORDER BY keys;

-- with the transaction, or not at all
BEGIN;
INSERT INTO contact_identity.inbox (source, key) VALUES ('push', 'undone');
ROLLBACK;
SELECT count(*) FROM seen WHERE keys::text ~ 'undone';

-- numbers that are a gigabyte as text
INSERT INTO contact_identity.inbox (source, ext_id, attributes)
VALUES ('shop', 'long', format('{"numbers": [%s1]}', repeat('1e131000, ', 10000))), ('shop', 'long', NULL);
SELECT line, code, request FROM contact_identity.rejected ORDER BY job DESC, line LIMIT 1;

-- fail: it holds nothing that could be changed
UPDATE contact_identity.inbox SET key = 'x';
DELETE FROM contact_identity.inbox;
SELECT count(*) FROM contact_identity.inbox;

-- whoever may insert needs no other right
CREATE ROLE regress_contact_identity_feeder;
GRANT USAGE ON SCHEMA contact_identity TO regress_contact_identity_feeder;
SET ROLE regress_contact_identity_feeder;
-- fail: may not
INSERT INTO contact_identity.inbox (source, key) VALUES ('push', 'fed');
RESET ROLE;
GRANT INSERT ON contact_identity.inbox TO regress_contact_identity_feeder;
SET ROLE regress_contact_identity_feeder;
INSERT INTO contact_identity.inbox (source, key) VALUES ('push', 'fed'), ('push', NULL);
-- fail: what was rejected is not for everybody
SELECT count(*) FROM contact_identity.rejected;
RESET ROLE;
SELECT keys FROM seen WHERE keys::text ~ 'fed';

-- fail: the triggers are for this view alone
CREATE TABLE mine (key text);
CREATE TRIGGER mine BEFORE INSERT ON mine FOR EACH ROW EXECUTE FUNCTION contact_identity.write_inbox();
INSERT INTO mine VALUES ('x');
DROP TRIGGER mine ON mine;
CREATE TRIGGER mine BEFORE INSERT ON mine FOR EACH STATEMENT EXECUTE FUNCTION contact_identity.write_inbox();
INSERT INTO mine VALUES ('x');
-- fail: nor is it a function to call
SELECT contact_identity.write_inbox();

SELECT * FROM contact_identity.check_integrity();
\c :home
DROP DATABASE regress_contact_identity_inbox;
DROP ROLE regress_contact_identity_feeder;
