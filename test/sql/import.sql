-- import(): the rows of a query, committed batch by batch.  In a database of
-- its own, so that no other test's contacts are among them.
SELECT current_database() AS home \gset
CREATE DATABASE regress_contact_identity_import TEMPLATE template0;
\c regress_contact_identity_import
CREATE EXTENSION contact_identity;
\set SHOW_CONTEXT never
SELECT contact_identity.setup();
CREATE VIEW job AS
SELECT job, source, state, done, rejected, total, last_request_id, runs, last_error, ended_at IS NOT NULL AS ended
FROM contact_identity.jobs;

-- customers that a shop has had for long
CREATE TABLE customer (id integer PRIMARY KEY, mail text, town text, registered timestamptz);
INSERT INTO customer
SELECT n, CASE WHEN n % 10 = 0 THEN 'nobody' ELSE 'customer-' || n || '@example.org' END, 'Town ' || n,
       timestamptz '2020-01-01 00:00:00+00' + n * interval '1 day'
FROM generate_series(1, 25) n;
-- so that each batch is reported
SET contact_identity.batch_size = 10;
SET contact_identity.report_interval = 0;
CALL contact_identity.import('SELECT id AS request_id, mail AS email, jsonb_build_object(''town'', town) AS attributes,
                                     registered AS occurred_at FROM customer ORDER BY town;', 'shop');
SELECT * FROM job;
SELECT job, line, request, code FROM contact_identity.rejected ORDER BY line;
SELECT count(*), count(*) FILTER (WHERE c.attributes ->> 'town' = 'Town ' || u.id) AS towns,
       count(*) FILTER (WHERE i.updated_at = u.registered AND i.source = 'shop') AS times
FROM customer u JOIN contact_identity.contacts c ON c.email = u.mail
JOIN contact_identity.identifiers i ON i.contact_id = c.contact_id;

-- fail: it is done
CALL contact_identity.import(job => 1);
-- fail: there is no such job
CALL contact_identity.import(job => 4711);

-- what cannot be used makes no job
-- fail: no query
CALL contact_identity.import();
-- fail: no query
CALL contact_identity.import('customer');
-- fail: not one that reads, or more than one
CALL contact_identity.import('DELETE FROM customer RETURNING id AS request_id');
CALL contact_identity.import('SELECT 1 AS request_id; SELECT 2 AS request_id');
-- fail: no number to go on after, or none that counts
CALL contact_identity.import('SELECT mail AS email FROM customer', 'shop');
CALL contact_identity.import('SELECT mail AS request_id FROM customer', 'shop');
-- fail: columns that are no arguments
CALL contact_identity.import('SELECT id AS request_id, mail AS emial FROM customer', 'shop');
CALL contact_identity.import('SELECT id AS request_id, 2 AS account_id FROM customer', 'shop');
-- fail: no such account
CALL contact_identity.import('SELECT id AS request_id, mail AS email FROM customer', 'shop', account_id => 2);
SELECT count(*) FROM job;

-- a query that fails: the job says why, and goes on when it is mended
-- fail: a number that is there twice
INSERT INTO customer VALUES (26, 'a@example.org'), (27, 'b@example.org');
CALL contact_identity.import('SELECT least(id, 26) AS request_id, mail AS email FROM customer WHERE id > 5', 'api');
SELECT * FROM job WHERE job = 2;
CALL contact_identity.import('SELECT id AS request_id, mail AS email FROM customer WHERE id > 5', job => 2);
SELECT * FROM job WHERE job = 2;
-- fail: none at all
CALL contact_identity.import('SELECT nullif(id, 27) AS request_id, mail AS email FROM customer WHERE id > 25', 'shop');
-- fail: in the query itself
CALL contact_identity.import('SELECT id AS request_id, (1 / (27 - id))::text AS key FROM customer', 'push');
SELECT * FROM job WHERE job > 2 ORDER BY job;

-- interrupted in the course of a batch: what was committed stays, and is not done again
CREATE FUNCTION interrupt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'interrupted';
END $$;
CREATE TRIGGER interrupt BEFORE INSERT ON contact_identity.identifier FOR EACH ROW
WHEN (new.value = 'browser 15') EXECUTE FUNCTION interrupt();
\set query 'SELECT n AS request_id, format(''browser %s'', n) AS key FROM generate_series(1, 22) AS n'
CALL contact_identity.import(:'query', 'push');
SELECT * FROM job WHERE job = 5;
SELECT count(*) FROM contact_identity.identifiers WHERE kind = 'push';
DROP TRIGGER interrupt ON contact_identity.identifier;
CALL contact_identity.import(job => 5);
SELECT * FROM job WHERE job = 5;
SELECT count(*) FROM contact_identity.identifiers WHERE kind = 'push';
SELECT count(*), count(DISTINCT new_value) FROM contact_identity.history WHERE event = 'attached';
SELECT name FROM pg_cursors;

-- in a transaction block or function it says that it is one transaction
BEGIN;
CALL contact_identity.import('SELECT 1::smallint AS request_id, ''push'' AS source, ''block'' AS key, ''capture'' AS op');
SELECT * FROM job WHERE job = 6;
ROLLBACK;
SELECT count(*) FROM job WHERE job = 6;
SELECT count(*) FROM contact_identity.identifiers WHERE value = 'block';
CREATE FUNCTION take_in() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    job bigint;
BEGIN
    CALL contact_identity.import('SELECT 1 AS request_id, ''block'' AS key', 'push', job);
    RETURN job;
END $$;
SELECT take_in();
-- a procedure or DO may commit, and so may what it calls
DO $$
DECLARE
    job bigint;
BEGIN
    CALL contact_identity.import('SELECT n AS request_id, format(''do %s'', n) AS key FROM generate_series(1, 11) AS n', 'push', job);
    ROLLBACK;
END $$;
SELECT count(*) FROM contact_identity.identifiers WHERE value LIKE 'do %';

-- nothing to do
CALL contact_identity.import('SELECT 1 AS request_id WHERE false', 'shop');
-- nothing to cancel
SELECT contact_identity.cancel_import(1), contact_identity.cancel_import(4711), contact_identity.cancel_import(NULL);

-- the query has the caller's rights, not those of the tables' owner, nor those of who started the job
CREATE ROLE regress_contact_identity_loader;
GRANT USAGE ON SCHEMA contact_identity TO regress_contact_identity_loader;
GRANT EXECUTE ON PROCEDURE contact_identity.import TO regress_contact_identity_loader;
CREATE TRIGGER interrupt BEFORE INSERT ON contact_identity.identifier FOR EACH ROW
WHEN (new.value = 'theirs') EXECUTE FUNCTION interrupt();
SET ROLE regress_contact_identity_loader;
-- fail: not theirs to read
CALL contact_identity.import('SELECT contact_id AS request_id FROM contact_identity.contact', 'shop');
CALL contact_identity.import('SELECT 1 AS request_id, ''loaded'' AS key', 'push');
-- fail: interrupted
CALL contact_identity.import('SELECT 1 AS request_id, current_user::text AS actor, ''theirs'' AS key, ''x'' AS ext_id', 'push');
RESET ROLE;
DROP TRIGGER interrupt ON contact_identity.identifier;
SELECT max(job) AS theirs FROM job WHERE state = 'failed' \gset
-- fail: somebody else's query
CALL contact_identity.import(job => :theirs);
CALL contact_identity.import('SELECT 1 AS request_id, current_user::text AS actor, ''theirs'' AS key, ''x'' AS ext_id', job => :theirs);
-- fail: not everybody may
REVOKE EXECUTE ON PROCEDURE contact_identity.import FROM regress_contact_identity_loader;
SET ROLE regress_contact_identity_loader;
CALL contact_identity.import('SELECT 1 AS request_id, ''loaded'' AS key', 'push');
RESET ROLE;
-- fail: an owner has taken the query away
BEGIN;
ALTER TABLE contact_identity.jobs ALTER query DROP NOT NULL;
UPDATE contact_identity.jobs SET query = NULL, state = 'failed' WHERE job = 1;
COMMIT;
CALL contact_identity.import(job => 1);

SELECT * FROM contact_identity.check_integrity();
\c :home
DROP DATABASE regress_contact_identity_import;
DROP ROLE regress_contact_identity_loader;
