-- follow(): an application's own column of contact ids, as the README shows it.
SELECT current_database() AS home \gset
CREATE DATABASE regress_contact_identity_follow TEMPLATE template0;
\c regress_contact_identity_follow
SET client_min_messages = warning;
CREATE EXTENSION contact_identity;
SELECT contact_identity.setup();
RESET client_min_messages;
-- A shop keeps what visitors put into their carts.
CREATE TABLE carts (
    cart_no    integer PRIMARY KEY,
    contact_id bigint NOT NULL,
    article    text
);
CREATE INDEX ON carts (contact_id);
INSERT INTO carts VALUES
    (1, contact_identity.capture('conversations', 'visitor-1'), 'lamp'),
    (2, contact_identity.capture('conversations', 'visitor-2'), 'chair');
SELECT contact_identity.follow('carts', 'contact_id');
-- Visitor 1 says who she is, and later logs in as visitor 2.
SELECT contact_id, outcome FROM contact_identity.identify('conversations', 'visitor-1', email => 'ann@example.org');
SELECT contact_id, outcome, merged_contact_id
FROM contact_identity.identify('conversations', 'visitor-2', email => 'ann@example.org');
SELECT cart_no, contact_id, article FROM carts ORDER BY cart_no;
SELECT merge_id, relation, column_name, key FROM contact_identity.followed_row;

-- A table that has a row for each contact
CREATE TABLE profiles (contact_id bigint PRIMARY KEY, nickname text);
SELECT contact_identity.follow('profiles', 'contact_id');
INSERT INTO profiles VALUES
    (1, 'ann'), (contact_identity.capture('conversations', 'visitor-3'), 'nan');
SELECT contact_id, outcome, merged_contact_id
FROM contact_identity.identify('conversations', 'visitor-3', email => 'ann@example.org');
SELECT contact_id, nickname, contact_identity.resolve(contact_id) FROM profiles ORDER BY contact_id;
-- The application decides what becomes of the two.
DELETE FROM profiles WHERE contact_id = 1;
SELECT contact_identity.repoint_followed();
SELECT contact_id, nickname FROM profiles ORDER BY contact_id;

-- What nobody follows
CREATE TABLE invoices (
    invoice_no integer PRIMARY KEY,
    account_id integer NOT NULL DEFAULT 1,
    contact_id bigint,
    FOREIGN KEY (account_id, contact_id) REFERENCES contact_identity.contact
);
SELECT * FROM contact_identity.unfollowed_references();
-- Rows from before are re-pointed when asked for: contact 2 ended in 1.
INSERT INTO invoices VALUES (1, 1, 2);
SELECT contact_identity.follow('invoices', 'contact_id');
SELECT contact_identity.repoint_followed();
SELECT * FROM invoices;
SELECT * FROM contact_identity.unfollowed_references();

-- A large table: the server is told that it is one.
CREATE TABLE views (view_no bigint PRIMARY KEY, contact_id bigint, page text);
INSERT INTO views SELECT i, 0, 'home' FROM generate_series(1, 10) i;
UPDATE pg_class SET relpages = 1, reltuples = 999999 WHERE oid = 'views'::regclass;
SELECT contact_identity.follow('views', 'contact_id');
SELECT contact_identity.unfollow('views', 'contact_id');
UPDATE pg_class SET relpages = 1, reltuples = 1000000 WHERE oid = 'views'::regclass;
SELECT contact_identity.follow('views', 'contact_id');
SELECT contact_identity.unfollow('views', 'contact_id');
-- Indexes that do not help, and one that does
CREATE INDEX ON views (page, contact_id);
CREATE INDEX ON views (contact_id) WHERE page = 'home';
UPDATE pg_class SET relpages = 1, reltuples = 1000000 WHERE oid = 'views'::regclass;
SELECT contact_identity.follow('views', 'contact_id');
SELECT contact_identity.unfollow('views', 'contact_id');
CREATE INDEX ON views (contact_id, page) WHERE contact_id IS NOT NULL;
UPDATE pg_class SET relpages = 1, reltuples = 1000000 WHERE oid = 'views'::regclass;
SELECT contact_identity.follow('views', 'contact_id');
SELECT contact_identity.unfollow('views', 'contact_id');
-- The index is used, and the merge is one statement for all of them.
INSERT INTO views SELECT i, contact_identity.capture('push', 'p-' || i % 10), 'home' FROM generate_series(11, 20000) i;
UPDATE views SET contact_id = -view_no WHERE view_no > 40;
VACUUM ANALYZE views;
SELECT contact_identity.follow('views', 'contact_id');
CREATE TABLE updates (statement_no integer GENERATED ALWAYS AS IDENTITY, rows bigint);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO updates (rows) SELECT count(*) FROM new_rows;
    RETURN NULL;
END $$;
CREATE TRIGGER note AFTER UPDATE ON views REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note();
SELECT pg_stat_force_next_flush();
BEGIN;
SELECT outcome, count(*) FROM contact_identity.identify_batch(
    (SELECT jsonb_agg(jsonb_build_object('source', 'push', 'key', 'p-' || i, 'email', 'ann@example.org'))
     FROM generate_series(0, 9) i)) GROUP BY 1;
SELECT statement_no, rows FROM updates;
SELECT seq_scan AS times_that_the_table_was_read FROM pg_stat_xact_user_tables WHERE relid = 'views'::regclass;
COMMIT;
SELECT count(*) AS ann_s FROM views WHERE contact_id = 1;

-- What was done to the table since
ALTER TABLE carts RENAME contact_id TO contact;
SELECT contact_identity.capture('conversations', 'visitor-4') AS visitor \gset
INSERT INTO carts VALUES (4, :visitor, 'table');
SELECT outcome FROM contact_identity.identify('conversations', 'visitor-4', email => 'ann@example.org');
SELECT * FROM contact_identity.unfollowed_references();
SELECT contact_identity.unfollow('carts', 'contact_id'), contact_identity.follow('carts', 'contact');
SELECT contact_identity.repoint_followed();
SELECT cart_no, contact FROM carts ORDER BY cart_no;
ALTER TABLE carts ALTER contact TYPE numeric;
SELECT contact_identity.capture('conversations', 'visitor-5');
SELECT outcome FROM contact_identity.identify('conversations', 'visitor-5', email => 'ann@example.org');
ALTER TABLE carts ALTER contact TYPE bigint, DROP CONSTRAINT carts_pkey;
SELECT contact_identity.capture('conversations', 'visitor-6');
SELECT outcome FROM contact_identity.identify('conversations', 'visitor-6', email => 'ann@example.org');
DROP TABLE carts;
SELECT contact_identity.capture('conversations', 'visitor-7');
SELECT outcome FROM contact_identity.identify('conversations', 'visitor-7', email => 'ann@example.org');
-- An error of the application's ends the call; rows are not shown.
ALTER TABLE invoices ADD CHECK (contact_id IS DISTINCT FROM 1) NOT VALID;
SELECT contact_identity.capture('conversations', 'visitor-8') AS visitor \gset
INSERT INTO invoices VALUES (8, 1, :visitor);
-- fail: the table's constraint
SELECT outcome FROM contact_identity.identify('conversations', 'visitor-8', email => 'ann@example.org');

-- What does not fit
-- fail: no such column
SELECT contact_identity.follow('invoices', 'contact');
-- fail: its type
ALTER TABLE invoices ADD note text;
SELECT contact_identity.follow('invoices', 'note');
-- fail: no primary key
CREATE TABLE notes (contact_id bigint);
SELECT contact_identity.follow('notes', 'contact_id');

-- Dropping the extension and making it again: the triggers are gone.
SET client_min_messages = warning;
\set VERBOSITY terse
DROP EXTENSION contact_identity CASCADE;
CREATE EXTENSION contact_identity;
SELECT contact_identity.setup();
SELECT "column", problem FROM contact_identity.unfollowed_references();
SELECT contact_identity.follow('invoices', 'contact_id'), contact_identity.follow('profiles', 'contact_id'), contact_identity.follow('views', 'contact_id');
SELECT * FROM contact_identity.unfollowed_references();
\c :home
DROP DATABASE regress_contact_identity_follow;
