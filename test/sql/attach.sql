-- attach() and detach(): a shop's table of customers, then the visitors and
-- messages of a chat, as the README shows them.
SELECT current_database() AS home \gset
CREATE DATABASE regress_contact_identity_attach TEMPLATE template0;
\c regress_contact_identity_attach
SET client_min_messages = warning;
CREATE EXTENSION contact_identity;
SELECT contact_identity.setup();
RESET client_min_messages;

-- The shop has customers already.
CREATE TABLE customers (
    customer_no integer PRIMARY KEY,
    email       text,
    phone       text,
    name        text,
    city        text,
    updated_at  timestamptz NOT NULL DEFAULT now()
);
INSERT INTO customers VALUES
    (1, 'ann@example.org', '+1 206 555 0101', 'Ann', 'Lyon', '2024-03-01'),
    (2, 'ben@example.org', NULL, 'Ben', 'Rome', '2024-05-01'),
    (3, 'unknown', NULL, 'Cid', NULL, '2024-06-01');
SELECT contact_identity.attach('customers', 'shop',
    ext_id => 'customer_no', email => 'email', phone => 'phone', attributes => '{name,city}',
    occurred_at => 'updated_at', take_in => true);
SELECT contact_id, label, phone, ext_id, attributes FROM contact_identity.contacts ORDER BY contact_id;

-- From now on the shop writes its table and calls nothing.
INSERT INTO customers VALUES (4, 'Dee@Example.org', NULL, 'Dee', 'Oslo');
UPDATE customers SET city = 'Nice', updated_at = now() WHERE customer_no = 1;
UPDATE customers SET city = NULL, updated_at = now() WHERE customer_no = 2;
SELECT contact_id, label, phone, ext_id, attributes FROM contact_identity.contacts ORDER BY contact_id;

-- A row that cannot be used does not stop the shop; it is kept for a look.
INSERT INTO customers VALUES (5, 'eve(at)example.org', NULL, 'Eve'), (6, 'fay@example.org', NULL, 'Fay');
SELECT job, line, code, message, request ->> 'ext_id' AS ext_id FROM contact_identity.rejected ORDER BY job, line;
UPDATE customers SET email = 'eve@example.org' WHERE customer_no = 5;
SELECT label FROM contact_identity.contacts WHERE ext_id = '5';

-- A chat: its rows get their contact's id before they are stored.
CREATE TABLE visitors (
    visitor    text PRIMARY KEY,
    email      text,
    nickname   text,
    contact_id bigint
);
CREATE TABLE messages (
    message_no integer PRIMARY KEY,
    visitor    text NOT NULL,
    channel    text NOT NULL,
    body       text,
    contact_id bigint
);
SELECT contact_identity.attach('visitors', 'conversations',
    key => 'visitor', email => 'email', attributes => '{nickname}', via => 'chat', contact_id => 'contact_id');
SELECT contact_identity.attach('messages', 'conversations',
    key => 'visitor', via_column => 'channel', contact_id => 'contact_id');
INSERT INTO visitors (visitor) VALUES ('v-1') RETURNING contact_id;
INSERT INTO messages VALUES (1, 'v-1', 'chat', 'Hello?'), (2, 'ps-7', 'facebook', 'Hi') RETURNING message_no, contact_id;

-- The visitor says who they are: the anonymous contact ends in the customer's.
UPDATE visitors SET email = 'ann@example.org', nickname = 'Annie' WHERE visitor = 'v-1';
INSERT INTO messages VALUES (3, 'v-1', 'chat', 'It is me') RETURNING message_no, contact_id;
SELECT visitor, contact_id FROM visitors;
SELECT message_no, contact_id, contact_identity.resolve(contact_id) FROM messages ORDER BY message_no;
SELECT contact_id, label, state, attributes FROM contact_identity.all_contacts ORDER BY contact_id;

-- Or a bad row raises.
SELECT contact_identity.attach('visitors', 'conversations',
    key => 'visitor', email => 'email', via => 'chat', on_error => 'raise');
-- fail: the second row
INSERT INTO visitors (visitor, email) VALUES ('v-2', 'gus@example.org'), ('v-3', 'none');
COPY visitors (visitor, email) FROM stdin;
v-4	hal@example.org
v-5	null
\.

-- What was done to the table since
ALTER TABLE customers RENAME email TO mail;
-- fail: the column is gone
INSERT INTO customers VALUES (7, 'ivy@example.org');
SELECT contact_identity.detach('customers');
SELECT contact_identity.attach('customers', 'shop', ext_id => 'customer_no', email => 'mail');
ALTER TABLE customers ALTER customer_no TYPE float8;
-- fail: its type
INSERT INTO customers VALUES (7, 'ivy@example.org');
ALTER TABLE messages DROP CONSTRAINT messages_pkey;
-- fail: no primary key to write the id by
UPDATE messages SET visitor = 'v-9' WHERE message_no = 3;

-- What does not fit
-- fail: no such column
SELECT contact_identity.attach('messages', 'conversations', key => 'visiter');
-- fail: their types
SELECT contact_identity.attach('visitors', 'shop', email => 'contact_id');
SELECT contact_identity.attach('visitors', 'shop', email => 'email', occurred_at => 'nickname');
-- fail: no primary key
SELECT contact_identity.attach('messages', 'conversations', key => 'visitor', contact_id => 'contact_id');
-- fail: the name of an identifier
SELECT contact_identity.attach('visitors', 'conversations', key => 'visitor', attributes => '{*,contact_id=}');
-- fail: nobody to find
SELECT contact_identity.attach('visitors', 'conversations', attributes => '{nickname}');
-- fail: the table's own past is not to be missed
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT contact_identity.attach('visitors', 'conversations', key => 'visitor', take_in => true);
ROLLBACK;
CREATE TABLE parts (mail text) PARTITION BY HASH (mail);
CREATE TABLE part PARTITION OF parts FOR VALUES WITH (MODULUS 1, REMAINDER 0);
-- fail: a partition
SELECT contact_identity.attach('part', 'shop', email => 'mail');

-- Attached tables hold the extension; CASCADE drops the triggers and no data.
-- fail: what depends on it
SET client_min_messages = warning;
\set VERBOSITY terse
DROP EXTENSION contact_identity;
DROP EXTENSION contact_identity CASCADE;
SELECT count(*) AS customers FROM customers;
SELECT count(*) AS events FROM contact_identity.event WHERE event = 'created';
SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgname ~ 'contact_identity' AND tgname <> 'contact_identity_settings' ORDER BY 1, 2;
\c :home
DROP DATABASE regress_contact_identity_attach;
