-- RULES 8: rows of an application's own tables.
BEGIN;
\ir words.psql
SELECT plan(183);
CREATE SCHEMA app;
SET LOCAL search_path = app, words, contact_identity, public;
SET LOCAL client_min_messages = error;

-- Everything that is known of the contact with an e-mail address, in a line.
CREATE FUNCTION known(mail text) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', phone, ext_id, nullif(attributes, '{}')::text)
    FROM contact_identity.contacts WHERE email = mail
$$;
CREATE FUNCTION contact_of(mail text) RETURNS bigint LANGUAGE sql AS $$
    SELECT contact_id FROM contact_identity.contacts WHERE email = mail
$$;
CREATE FUNCTION calls() RETURNS bigint LANGUAGE sql AS $$ SELECT count(DISTINCT call_id) FROM contact_identity.event $$;
-- The triggers of ours on a table, by the functions that they call.
CREATE FUNCTION triggers_of(tab regclass) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(p.proname, ', ' ORDER BY p.proname), '')
    FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
    WHERE t.tgrelid = tab AND p.pronamespace = 'contact_identity'::regnamespace
$$;

---------------------------------------------------------------- a shop's customers
CREATE TABLE customers (
    id      integer PRIMARY KEY,
    mail    text,
    mobile  varchar(40),
    name    text,
    city    text,
    born    date,
    points  integer,
    spent   numeric,
    member  boolean,
    tags    text[],
    extra   jsonb,
    changed timestamptz
);
INSERT INTO customers (id, mail, name) VALUES (1, 'before@example.org', 'Bo');
SELECT is(attach('customers', 'shop', ext_id => 'id', email => 'mail', phone => 'mobile',
                 attributes => '{name,city=town,born,points,spent,member,tags,extra}'), 0::bigint,
    '[8.1] attach takes in no row unless it is told to');
SELECT is(contact_of('before@example.org'), NULL, '[8.1] the rows that are there are left alone');
SELECT is(triggers_of('customers'), 'attached_insert, attached_update', '[8.1] one trigger for inserts, one for updates');

INSERT INTO customers VALUES
    (2, ' Ann@Example.org', '+1 206 555 0101', 'Ann', 'Lyon', '1990-02-03', 7, 12.50, true, '{a,b}', '{"x": [1]}');
SELECT is(known('ann@example.org'),
    '+12065550101 2 {"born": "1990-02-03", "name": "Ann", "tags": ["a", "b"], "town": "Lyon", "extra": {"x": [1]},'
    ' "spent": 12.50, "member": true, "points": 7}',
    '[8.1] an inserted row is a call of identify: identifiers normalised, further columns as attributes of their type');
SELECT is((SELECT source FROM history WHERE contact_id = contact_of('ann@example.org') AND event = 'created'), 'shop',
    '[8.1] of the source that attach was told');

INSERT INTO customers (id, mail, name) VALUES (3, 'ben@example.org', 'Ben'), (4, 'cid@example.org', 'Cid'), (5, NULL, 'Dee');
SELECT is(known('ben@example.org') || ', ' || known('cid@example.org'), '3 {"name": "Ben"}, 4 {"name": "Cid"}',
    '[8.1] each row of a statement; null is not given');
SELECT is((SELECT attributes FROM contacts WHERE ext_id = '5'), '{"name": "Dee"}', '[8.1] an identifier is enough');
SELECT is((SELECT count(*) FROM rejected), 0::bigint, '[8.2] nothing to report');

SAVEPOINT whole;
INSERT INTO customers (id, mail) VALUES (6, 'eve@example.org');
SELECT isnt(contact_of('eve@example.org'), NULL, '[8.1] in the same transaction');
ROLLBACK TO whole;
SELECT is(contact_of('eve@example.org'), NULL, '[4.15] with the row, or not at all');

-- Updates
UPDATE customers SET mail = 'ann.2@example.org', city = 'Paris' WHERE id = 2;
SELECT is(known('ann.2@example.org'),
    '+12065550101 2 {"born": "1990-02-03", "name": "Ann", "tags": ["a", "b"], "town": "Paris", "extra": {"x": [1]},'
    ' "spent": 12.50, "member": true, "points": 7}', '[8.1] an update of mapped columns is a call too');
SELECT calls() AS before, versions() AS rows \gset
UPDATE customers SET changed = now();
UPDATE customers SET name = name, mail = mail;
UPDATE customers SET name = 'nobody' WHERE false;
SELECT ok(versions() = :'rows', '[8.1] an update of other columns, or to the same values, does nothing');
CALL done(identify('shop', email => 'ben@example.org', attributes => '{"name": "Benjamin"}'));
UPDATE customers SET changed = now() + interval '1 s';
SELECT is(known('ben@example.org'), '3 {"name": "Benjamin"}', '[8.1] so what was learned since stays');
UPDATE customers SET name = 'Bennie' WHERE id = 3;
SELECT is(known('ben@example.org'), '3 {"name": "Bennie"}', '[8.1] until the column is changed');
UPDATE customers SET name = CASE id WHEN 3 THEN 'Ben' ELSE name END;
SELECT is(calls(), (:before + 3)::bigint, '[8.1] of a statement only the rows that it changed are played');
UPDATE customers SET city = NULL, mail = NULL WHERE id = 2;
SELECT is((SELECT attributes ->> 'town' FROM contacts WHERE ext_id = '2'), NULL,
    '[4.7] an attribute whose column is set to null is cleared');
SELECT is((SELECT email FROM contacts WHERE ext_id = '2'), 'ann.2@example.org', '[8.1] an identifier is not: null is not given');
CALL done(identify('shop', ext_id => '2', attributes => '{"town": "Nice"}'));
INSERT INTO customers (id, mail) VALUES (7, 'ann.2@example.org') ON CONFLICT DO NOTHING;
DELETE FROM customers WHERE id = 7;
UPDATE customers SET name = 'Anne' WHERE id = 2;
SELECT is((SELECT attributes ->> 'town' FROM contacts WHERE ext_id = '2'), 'Nice', '[8.1] a column that was null before is not given');

-- Deletes
SELECT versions() AS rows \gset
DELETE FROM customers WHERE id = 3;
TRUNCATE customers;
SELECT ok(versions() = :'rows', '[8.1] deleting rows does nothing to contacts');

-- What writes rows
COPY customers (id, mail, name) FROM stdin;
11	copy.1@example.org	C1
12	copy.2@example.org	C2
\.
SELECT is(known('copy.1@example.org') || known('copy.2@example.org'), '11 {"name": "C1"}12 {"name": "C2"}', '[8.1] COPY');
INSERT INTO customers (id, mail, name) VALUES (11, 'copy.1@example.org', 'C1 again'), (13, 'copy.3@example.org', 'C3')
ON CONFLICT (id) DO UPDATE SET name = excluded.name;
SELECT is(known('copy.1@example.org') || known('copy.3@example.org'), '11 {"name": "C1 again"}13 {"name": "C3"}',
    '[8.1] INSERT ... ON CONFLICT DO UPDATE, both ways');
SELECT calls() AS before \gset
INSERT INTO customers (id, mail, name) VALUES (11, 'copy.9@example.org', 'none') ON CONFLICT DO NOTHING;
SELECT is(calls(), :before::bigint, '[8.1] ON CONFLICT DO NOTHING, where it does nothing');
MERGE INTO customers c USING (VALUES (12, 'C2 merged'), (14, 'C4')) v (id, name) ON c.id = v.id
WHEN MATCHED THEN UPDATE SET name = v.name
WHEN NOT MATCHED THEN INSERT (id, mail, name) VALUES (v.id, 'copy.4@example.org', v.name);
SELECT is(known('copy.2@example.org') || known('copy.4@example.org'), '12 {"name": "C2 merged"}14 {"name": "C4"}', '[8.1] MERGE');
WITH moved AS (INSERT INTO customers (id, mail) VALUES (15, 'copy.5@example.org') RETURNING id)
UPDATE customers SET name = 'C3 again' WHERE id = 13;
SELECT is(known('copy.3@example.org') || known('copy.5@example.org'), '13 {"name": "C3 again"}15', '[8.1] a WITH that writes');
CREATE TABLE copied (LIKE customers);
INSERT INTO copied (id, mail) VALUES (16, 'copy.6@example.org');
INSERT INTO customers SELECT * FROM copied;
SELECT isnt(contact_of('copy.6@example.org'), NULL, '[8.1] INSERT ... SELECT');
SELECT calls() AS before \gset
SET LOCAL session_replication_role = replica;
INSERT INTO customers (id, mail) VALUES (17, 'copy.7@example.org');
SET LOCAL session_replication_role = origin;
SELECT is(calls(), :before::bigint, '[8.1] rows that replication writes are played where they were written first');

------------------------------------------------------------------ unusable rows
TRUNCATE customers;
INSERT INTO customers (id, mail, name) VALUES (21, 'good.1@example.org', 'G1'), (22, 'malformed', 'G2'), (23, 'good.3@example.org', 'G3');
SELECT is((SELECT count(*) FROM customers), 3::bigint, '[8.2] a row that cannot be used does not stop the statement');
SELECT is(known('good.1@example.org') || known('good.3@example.org'), '21 {"name": "G1"}23 {"name": "G3"}',
    '[8.2] nor the rows before and after it');
SELECT is((SELECT concat_ws(' ', account_id, line, code, request) FROM rejected),
    '1 2 22023 {"email": "malformed", "ext_id": "22", "source": "shop", "attributes": {"name": "G2"}}',
    '[8.2] it is a row of rejected, with its number in the statement');
SELECT is((SELECT count(*) FROM contacts WHERE ext_id = '22'), 0::bigint, '[8.2] nothing of it is stored');
SELECT unalike((SELECT message FROM rejected), '%malformed@%', '[9.6] the message has no value');
UPDATE customers SET mail = 'null' WHERE id = 23;
SELECT is((SELECT count(*) FROM rejected WHERE line = 1 AND request ->> 'ext_id' = '23'), 1::bigint, '[8.2] updates likewise');
UPDATE customers SET mail = 'good.2@example.org' WHERE id = 22;
SELECT is(known('good.2@example.org'), '22 {"name": "G2"}', '[8.2] mended in the table, it is played');

SELECT is(attach('customers', 'shop', email => 'mail', phone => 'mobile', attributes => '{name}'), 0::bigint,
    '[8.1] attached again, the new mapping takes the place of the old one');
SELECT is(triggers_of('customers'), 'attached_insert, attached_update', '[8.1] and not a place beside it');
DELETE FROM rejected;
INSERT INTO customers (id, mail, mobile) VALUES (31, NULL, NULL), (32, '', ''), (33, '', '+12065550133');
SELECT is((SELECT count(*) FROM rejected), 0::bigint, '[8.2] a row that gives nothing is nothing to report');
SELECT is((SELECT count(*) FROM contacts WHERE phone = '+12065550133'), 1::bigint, '[8.1] an empty string is not given');
INSERT INTO customers (id, name) VALUES (34, 'Nobody');
SELECT is((SELECT request FROM rejected), '{"source": "shop", "attributes": {"name": "Nobody"}}',
    '[8.2] one that gives something and nobody is reported');

SELECT is(attach('customers', 'shop', email => 'mail', attributes => '{name}', on_error => 'raise'), 0::bigint, '[8.2] or it raises');
DELETE FROM rejected;
SELECT calls() AS before \gset
SELECT throws_ok($$ INSERT INTO customers (id, mail) VALUES (41, 'good.41@example.org'), (42, 'malformed') $$,
    '22023', 'email is malformed', '[8.2] as attach was told');
SELECT is((SELECT count(*) FROM rejected), 0::bigint, '[8.2] without a row in rejected');
SELECT is(contact_of('good.41@example.org'), NULL, '[4.15] nothing of the statement is left');
SELECT throws_ok($$ UPDATE customers SET mail = 'malformed' WHERE id = 21 $$, '22023', 'email is malformed', '[8.2] updates likewise');

-------------------------------------------------------------------------- detach
SELECT is(detach('customers', account_id => 2), false, '[8.1] detach leaves what is attached to another account');
SELECT is(detach('customers'), true, '[8.1] detach');
SELECT is(triggers_of('customers'), '', '[8.1] leaves nothing on the table');
SELECT is(detach('customers'), false, '[8.1] detach again says that there was nothing');
SELECT calls() AS before \gset
INSERT INTO customers (id, mail) VALUES (43, 'detached@example.org');
UPDATE customers SET mail = 'detached.2@example.org' WHERE id = 43;
SELECT is(calls(), :before::bigint, '[8.1] detached, a table writes nothing');

-------------------------------------------------------- altered and dropped tables
SELECT is(attach('customers', 'shop', email => 'mail', attributes => '{name,city}'), 0::bigint, 'attached once more');
ALTER TABLE customers ADD COLUMN later text;
ALTER TABLE customers DROP COLUMN born;
INSERT INTO customers (id, mail, name, later) VALUES (51, 'later@example.org', 'Lea', 'x');
SELECT is(known('later@example.org'), '{"name": "Lea"}', '[8.3] columns that are not mapped come and go');
ALTER TABLE customers RENAME mail TO email_address;
SELECT throws_ok($$ INSERT INTO customers (id, email_address) VALUES (52, 'x@example.org') $$, '42703',
    'column "mail" of table "customers" does not exist', '[8.3] a mapped column that was renamed is named, and the table');
SELECT alike((SELECT hint FROM refusal($$ UPDATE customers SET name = 'x' $$)),
    'Call contact_identity.detach(''app.customers''), then attach the table again%', '[8.3] the hint says what to do');
SELECT ok((SELECT code = '42703' AND detail ~ 'as email' FROM refusal($$ UPDATE customers SET name = 'x' $$)),
    '[8.3] updates say the same, and what the column was');
ALTER TABLE customers RENAME email_address TO mail;
INSERT INTO customers (id, mail) VALUES (53, 'back@example.org');
SELECT isnt(contact_of('back@example.org'), NULL, '[8.3] named as before, it is used again');
ALTER TABLE customers DROP COLUMN city;
SELECT throws_ok($$ INSERT INTO customers (id, mail) VALUES (54, 'x@example.org') $$, '42703',
    'column "city" of table "customers" does not exist', '[8.3] a mapped column that was dropped, an attribute too');
SELECT is(detach('customers'), true, '[8.3] such a table can be detached');
SELECT is(attach('customers', 'shop', email => 'mail', attributes => '{name}'), 0::bigint, '[8.3] and attached again');
INSERT INTO customers (id, mail) VALUES (55, 'again@example.org');
SELECT isnt(contact_of('again@example.org'), NULL, '[8.3] it works again');
ALTER TABLE customers ALTER COLUMN mail TYPE json USING to_json(mail);
SELECT throws_ok($$ INSERT INTO customers (id, mail) VALUES (56, '1') $$, '42804',
    'column "mail" of table "customers" cannot be used as email', '[8.3] a type that no longer fits');
ALTER TABLE customers ALTER COLUMN mail TYPE text USING mail #>> '{}';
ALTER TABLE customers RENAME TO clients;
INSERT INTO clients (id, mail) VALUES (57, 'renamed@example.org');
SELECT isnt(contact_of('renamed@example.org'), NULL, '[8.3] the table may be renamed');
CREATE SCHEMA elsewhere;
ALTER TABLE clients SET SCHEMA elsewhere;
INSERT INTO elsewhere.clients (id, mail) VALUES (58, 'moved@example.org');
SELECT isnt(contact_of('moved@example.org'), NULL, '[8.3] and moved');
SELECT 'elsewhere.clients'::regclass::oid AS gone \gset
SELECT versions() AS rows \gset
DROP TABLE elsewhere.clients;
SELECT is((SELECT count(*) FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
           WHERE p.pronamespace = 'contact_identity'::regnamespace AND (t.tgrelid = :gone OR p.proname ~ '^attached')), 0::bigint,
    '[8.3] dropping the table leaves no trigger behind');
SELECT is((SELECT count(*) FROM pg_catalog.pg_depend WHERE :gone IN (objid, refobjid)), 0::bigint, '[8.3] nor a dependency');
SELECT ok(versions() = :'rows', '[8.3] nor anything in our tables, or out of them');

------------------------------------------------------------ several tables at once
CREATE TABLE visitors (visitor text PRIMARY KEY, mail text, name text, channel text, contact_id bigint);
CREATE TABLE browsers (endpoint text, login text);
CREATE TABLE orders (no integer PRIMARY KEY, mail text, city text, at timestamp);
CALL done(attach('visitors', 'conversations', key => 'visitor', email => 'mail', via_column => 'channel', attributes => '{name}'));
CALL done(attach('browsers', 'push', key => 'endpoint', email => 'login', verified => true));
CALL done(attach('orders', 'shop', email => 'mail', attributes => '{city}', occurred_at => 'at'));
INSERT INTO visitors (visitor) VALUES ('v1'), ('v2');
CALL given('v1', capture('conversations', 'v1'));
SELECT is(holds('v1'), 'visitor v1', '[8.1] a row with a key alone is a capture');
SELECT is((SELECT state FROM all_contacts WHERE contact_id = id('v1')), 'anonymous', '[1.4] and its contact anonymous');
INSERT INTO browsers VALUES ('b1', NULL);
CALL given('b1', capture('push', 'b1'));
INSERT INTO orders VALUES (1, 'fay@example.org', 'Rome', '2020-01-02');
CALL given('fay', contact_of('fay@example.org'));
UPDATE visitors SET mail = 'fay@example.org' WHERE visitor = 'v1';
UPDATE browsers SET login = 'fay@example.org';
SELECT is(holds('fay'), 'email fay@example.org, push b1, visitor v1', '[8.1] several tables with different sources: one person');
SELECT is((SELECT string_agg(source, ' ' ORDER BY merge_id) FROM merges WHERE survivor_id = id('fay')), 'conversations push',
    '[3.8] each by the rules of its source');
UPDATE visitors SET name = 'Fay' WHERE visitor = 'v1';
UPDATE visitors SET name = 'Someone' WHERE visitor = 'v1';
SELECT is(attributes_of('fay') ->> 'name', 'Fay', '[4.6] here the primary wins');
SELECT is(conflicts_of('fay'), 'name Someone', '[4.6] and the other is a conflict');
SELECT is((SELECT string_agg(kind, ' ' ORDER BY kind) FROM identifiers WHERE contact_id = id('fay') AND verified), 'email push',
    '[4.18] verified, where attach was told');
INSERT INTO visitors VALUES ('f9', NULL, NULL, 'facebook'), ('x9', NULL, NULL, 'telex');
SELECT is((SELECT kind FROM identifiers WHERE value = 'f9'), 'facebook', '[4.13] a column can say by which via');
SELECT is((SELECT request ->> 'via' FROM rejected WHERE request ->> 'key' = 'x9'), 'telex', '[4.13] one that the source does not list is reported');

-- [4.10] the time of a row
INSERT INTO orders VALUES (2, 'fay@example.org', 'Oslo', '2020-01-01');
SELECT is(attributes_of('fay') ->> 'city', 'Rome', '[8.1] a named time column is the row''s occurred_at: an older row changes nothing');
INSERT INTO orders VALUES (3, 'fay@example.org', 'Bern', '2020-01-03');
SELECT is(attributes_of('fay') ->> 'city', 'Bern', '[8.1] a newer one does');
SELECT is((SELECT max(occurred_at) FROM history WHERE contact_id = id('fay') AND field = 'city'), '2020-01-03'::timestamp::timestamptz,
    '[8.1] a time without zone is in the session''s');
SELECT versions() AS rows \gset
UPDATE orders SET at = '2020-02-01' WHERE no = 1;
SELECT ok(versions() = :'rows', '[8.1] moving the time alone gives nothing');
UPDATE orders SET at = '2020-02-01', city = 'Graz' WHERE no = 1;
SELECT is(attributes_of('fay') ->> 'city', 'Graz', '[8.1] with something else it counts');
UPDATE orders SET at = NULL, city = 'Linz' WHERE no = 1;
SELECT is(attributes_of('fay') ->> 'city', 'Linz', '[4.10] without a time it is now');

------------------------------------------------------------------ the contact's id
CALL done(attach('visitors', 'conversations', key => 'visitor', email => 'mail', contact_id => 'contact_id', attributes => '{name}'));
SELECT is(triggers_of('visitors'), 'attached_before_insert, attached_update',
    '[8.1] with contact_id rows are played before they are inserted');
PREPARE visit AS INSERT INTO visitors (visitor) VALUES ($1) RETURNING contact_id;
EXECUTE visit('w1') \gset
SELECT is(:contact_id::bigint, capture('conversations', 'w1'), '[8.1] the row has its contact''s id, and RETURNING shows it');
INSERT INTO visitors (visitor, mail) VALUES ('w2', 'gus@example.org'), ('w3', NULL), ('w4', 'gus@example.org');
SELECT is((SELECT array_agg(contact_id ORDER BY visitor) FROM visitors WHERE visitor IN ('w2', 'w3', 'w4')),
    ARRAY[contact_of('gus@example.org'), capture('conversations', 'w3'), contact_of('gus@example.org')],
    '[8.1] each row that of its own contact');
COPY visitors (visitor, mail) FROM stdin;
w5	hal@example.org
\.
SELECT is((SELECT contact_id FROM visitors WHERE visitor = 'w5'), contact_of('hal@example.org'), '[8.1] COPY too');
UPDATE visitors SET mail = 'gus@example.org' WHERE visitor = 'w1';
SELECT is((SELECT contact_id FROM visitors WHERE visitor = 'w1'), contact_of('gus@example.org'),
    '[8.1] after an update that led to another contact the id is corrected');
INSERT INTO visitors (visitor, mail) VALUES ('w6', 'malformed');
SELECT is((SELECT contact_id FROM visitors WHERE visitor = 'w6'), NULL, '[8.2] a row that cannot be used is inserted without');
SELECT is((SELECT code FROM rejected WHERE request ->> 'key' = 'w6'), '22023', '[8.2] and reported');
UPDATE visitors SET mail = 'ivy@example.org' WHERE visitor = 'w6';
SELECT is((SELECT contact_id FROM visitors WHERE visitor = 'w6'), contact_of('ivy@example.org'), '[8.2] once it is mended it gets one');
INSERT INTO visitors (visitor, mail) VALUES ('w6', 'jon@example.org') ON CONFLICT DO NOTHING;
SELECT is((SELECT count(*) FROM conflicts WHERE secondary_value = '"jon@example.org"'), 1::bigint,
    '[8.1] a row that ON CONFLICT DO NOTHING drops has been played');
INSERT INTO visitors (visitor, mail) VALUES ('w3', 'kim@example.org')
ON CONFLICT (visitor) DO UPDATE SET mail = excluded.mail;
SELECT is((SELECT contact_id FROM visitors WHERE visitor = 'w3'), contact_of('kim@example.org'), '[8.1] ON CONFLICT DO UPDATE');
SELECT versions() AS rows \gset
INSERT INTO visitors (visitor, mail, contact_id) VALUES ('w7', 'leo@example.org', 4711) RETURNING contact_id AS kept \gset
SELECT ok(versions() = :'rows' AND :kept = 4711, '[8.1] a row that has a contact''s id already is a copy: left alone');
UPDATE visitors SET contact_id = NULL WHERE visitor = 'w1';
SELECT ok(versions() = :'rows' AND (SELECT contact_id IS NULL FROM visitors WHERE visitor = 'w1'),
    '[8.1] the column is an answer and no question: changing it does nothing');
UPDATE visitors SET visitor = 'w8', mail = 'mia@example.org' WHERE visitor = 'w7';
SELECT is((SELECT contact_id FROM visitors WHERE visitor = 'w8'), contact_of('mia@example.org'), '[8.1] the primary key may change with it');

-- The application's own triggers find what they find otherwise, and the row
-- is read after them.
CREATE TABLE audit (what text);
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO audit VALUES (TG_OP || ' ' || new.visitor); RETURN NULL; END $$;
CREATE FUNCTION tidy() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN new.mail := replace(new.mail, ' at ', '@'); RETURN new; END $$;
CREATE TRIGGER audit AFTER INSERT OR UPDATE ON visitors FOR EACH ROW EXECUTE FUNCTION audit();
CREATE TRIGGER tidy BEFORE INSERT OR UPDATE ON visitors FOR EACH ROW EXECUTE FUNCTION tidy();
INSERT INTO visitors (visitor, mail) VALUES ('w9', 'ned at example.org');
SELECT is((SELECT contact_id FROM visitors WHERE visitor = 'w9'), contact_of('ned@example.org'),
    '[8.1] what the application''s own triggers make of the row is played');
UPDATE visitors SET mail = 'gus@example.org' WHERE visitor = 'w3';
SELECT is((SELECT string_agg(what, ', ') FROM audit), 'INSERT w9, UPDATE w3',
    '[8.1] where the contact stays the same, the row is not written again');
CREATE TABLE tickets (no integer PRIMARY KEY, mail text, contact_id bigint);
CALL done(attach('tickets', 'shop', email => 'mail', contact_id => 'contact_id'));
CREATE FUNCTION audit_ticket() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO audit VALUES (TG_OP || ' ' || new.no); RETURN NULL; END $$;
CREATE TRIGGER audit AFTER INSERT OR UPDATE ON tickets FOR EACH ROW EXECUTE FUNCTION audit_ticket();
INSERT INTO tickets VALUES (1, 'gus@example.org'), (2, 'hal@example.org');
DELETE FROM audit;
UPDATE tickets SET mail = CASE no WHEN 1 THEN 'hal@example.org' ELSE 'gus@example.org' END;
SELECT is((SELECT array_agg(contact_id ORDER BY no) FROM tickets), ARRAY[contact_of('hal@example.org'), contact_of('gus@example.org')],
    '[8.1] rows that change places change their contacts');
SELECT is((SELECT count(*) FROM audit), 4::bigint, '[8.1] each is corrected once, and nothing goes round in circles');

------------------------------------------------------------------ partitioned tables
CREATE TABLE events (at date, who text, mail text, note text, PRIMARY KEY (at, who)) PARTITION BY RANGE (at);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE events_2 (note text, gone text, who text NOT NULL, mail text, at date NOT NULL);
ALTER TABLE events_2 DROP COLUMN gone;
ALTER TABLE events ATTACH PARTITION events_2 FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
CREATE TABLE events_3 PARTITION OF events FOR VALUES FROM ('2022-01-01') TO ('2023-01-01') PARTITION BY LIST (who);
CREATE TABLE events_3a PARTITION OF events_3 FOR VALUES IN ('p5', 'p6');
CALL done(attach('events', 'conversations', key => 'who', email => 'mail', attributes => '{note}'));
SELECT is(string_agg(triggers_of(relid), '; '), repeat('attached_insert, attached_update; ', 4) || 'attached_insert, attached_update',
    '[8.1] a partitioned table''s triggers are on each partition, at every level') FROM pg_partition_tree('events');
SELECT calls() AS before \gset
INSERT INTO events VALUES ('2020-05-01', 'p1', 'p1@example.org', 'a'), ('2021-05-01', 'p2', 'p2@example.org', 'b');
SELECT is(known('p1@example.org') || known('p2@example.org'), '{"note": "a"}{"note": "b"}', '[8.1] rows written through the partitioned table');
INSERT INTO events_2 (at, who, mail, note) VALUES ('2021-06-01', 'p3', 'p3@example.org', 'c');
INSERT INTO events_3 VALUES ('2022-06-01', 'p5', 'p5@example.org', 'd');
INSERT INTO events_3a VALUES ('2022-06-01', 'p6', 'p6@example.org', 'e');
SELECT is(known('p3@example.org') || known('p5@example.org') || known('p6@example.org'), '{"note": "c"}{"note": "d"}{"note": "e"}',
    '[8.1] to a partition directly, whatever the order of its columns');
SELECT is(calls(), (:before + 5)::bigint, '[8.1] each once');
SELECT versions() AS rows \gset
UPDATE events SET at = '2021-07-01' WHERE who = 'p1';
SELECT is((SELECT tableoid::regclass::text FROM events WHERE who = 'p1'), 'events_2', 'a row moves to another partition');
SELECT ok(versions() = :'rows', '[8.1] which does nothing');
UPDATE events SET at = '2020-07-01', mail = 'p1.2@example.org' WHERE who = 'p1';
UPDATE events_2 SET note = 'c2' WHERE who = 'p3';
SELECT is((SELECT count(*) FROM conflicts WHERE field = 'email' AND secondary_value = '"p1.2@example.org"'), 1::bigint,
    '[8.1] unless a mapped column changes with it');
SELECT is((SELECT count(*) FROM conflicts WHERE field = 'note' AND secondary_value = '"c2"'), 1::bigint, '[8.1] or in a partition directly');
SELECT is_empty('SELECT * FROM check_integrity()', '[9] all is well');
CREATE TABLE events_4 PARTITION OF events FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
INSERT INTO events VALUES ('2023-05-01', 'p7', 'p7@example.org', 'f');
SELECT is(known('p7@example.org'), '{"note": "f"}', '[8.1] a new partition is served by the partitioned table');
SELECT set_eq('SELECT rule, object FROM check_integrity()', $$ VALUES ('8.1', 'table app.events_4') $$,
    '[8.1] check_integrity reports that it lacks triggers of its own');
CALL done(attach('events', 'conversations', key => 'who', email => 'mail', attributes => '{note}'));
SELECT is_empty('SELECT * FROM check_integrity()', '[8.1] attached again, it has them');
SELECT throws_ok($$ SELECT attach('events_1', 'shop', email => 'mail') $$, '42809', 'table "events_1" is a partition',
    '[8.1] a partition is attached with its table');
SELECT is(detach('events'), true, '[8.1] and detached with it');
SELECT is(string_agg(triggers_of(relid), ''), '', '[8.1] nothing is left on any') FROM pg_partition_tree('events');

CREATE TABLE tasks (part integer, no integer, mail text, contact_id bigint, PRIMARY KEY (part, no)) PARTITION BY LIST (part);
CREATE TABLE tasks_1 PARTITION OF tasks FOR VALUES IN (1);
CREATE TABLE tasks_2 (contact_id bigint, mail text, no integer NOT NULL, part integer NOT NULL);
ALTER TABLE tasks ATTACH PARTITION tasks_2 FOR VALUES IN (2);
CALL done(attach('tasks', 'shop', email => 'mail', contact_id => 'contact_id'));
CREATE TABLE tasks_3 PARTITION OF tasks FOR VALUES IN (3);
INSERT INTO tasks VALUES (1, 1, 'gus@example.org'), (2, 2, 'hal@example.org'), (3, 3, 'ivy@example.org');
INSERT INTO tasks_2 (part, no, mail) VALUES (2, 4, 'kim@example.org');
SELECT is((SELECT array_agg(contact_id ORDER BY no) FROM tasks),
    ARRAY[contact_of('gus@example.org'), contact_of('hal@example.org'), contact_of('ivy@example.org'), contact_of('kim@example.org')],
    '[8.1] the contact''s id is put into rows of every partition, new ones too');
SELECT versions() AS rows \gset
UPDATE tasks SET part = 3 - part WHERE part < 3;
SELECT ok(versions() = :'rows', '[8.1] moving rows between them plays nothing');
SELECT is((SELECT array_agg(contact_id ORDER BY no) FROM tasks),
    ARRAY[contact_of('gus@example.org'), contact_of('hal@example.org'), contact_of('ivy@example.org'), contact_of('kim@example.org')],
    '[8.1] they keep their contacts');
UPDATE tasks SET part = 2, mail = 'hal@example.org' WHERE no = 3;
UPDATE tasks_1 SET mail = 'gus@example.org' WHERE no = 4;
SELECT is((SELECT array_agg(contact_id ORDER BY no) FROM tasks),
    ARRAY[contact_of('gus@example.org'), contact_of('hal@example.org'), contact_of('hal@example.org'), contact_of('gus@example.org')],
    '[8.1] unless they change, moved or not');
SELECT is((SELECT string_agg(object, ', ') FROM check_integrity()), 'table app.tasks_3',
    '[8.1] here too a new partition lacks the trigger for updates');
-- A row that a trigger swallows on its way shifts the old rows against the new.
CREATE TABLE moves (part integer, mail text, city text) PARTITION BY LIST (part);
CREATE TABLE moves_1 PARTITION OF moves FOR VALUES IN (1);
CREATE TABLE moves_2 PARTITION OF moves FOR VALUES IN (2);
CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RETURN CASE WHEN new.mail <> 'uma@example.org' THEN new END; END $$;
CREATE TRIGGER swallow BEFORE INSERT ON moves_2 FOR EACH ROW EXECUTE FUNCTION swallow();
CALL done(attach('moves', 'shop', email => 'mail', attributes => '{city}'));
INSERT INTO moves VALUES (1, 'uma@example.org', 'Rome'), (1, 'vic@example.org', NULL), (1, 'wim@example.org', NULL);
CALL done(identify('shop', email => 'vic@example.org', attributes => '{"city": "Bern"}'));
UPDATE moves SET part = 2;
SELECT is((SELECT count(*) FROM moves_2), 2::bigint, 'a trigger swallows a row on its way to another partition');
SELECT is(known('vic@example.org'), '{"city": "Bern"}', '[8.1] no other row is taken for one whose column was set to null');
DROP TABLE tasks, events, moves;

------------------------------------------------------------ rows that are there already
CREATE TABLE members (no integer PRIMARY KEY, mail text, city text, joined date, contact_id bigint);
INSERT INTO members VALUES (1, 'olaf@example.org', 'third', '2020-03-03'), (2, 'olaf@example.org', 'first', '2020-01-01'),
    (3, 'malformed', NULL, '2020-01-01'), (4, NULL, NULL, '2020-01-01'), (5, 'olaf@example.org', 'second', '2020-02-02'),
    (6, 'pia@example.org', NULL, NULL);
DELETE FROM rejected;
SELECT is(attach('members', 'conversations', email => 'mail', attributes => '{city}', occurred_at => 'joined', take_in => true), 4::bigint,
    '[8.1] take_in answers how many rows it took in');
SELECT is(known('olaf@example.org'), '{"city": "first"}', '[8.1] in the order of their time: here the primary wins');
SELECT is((SELECT string_agg(secondary_value #>> '{}', ' ' ORDER BY conflict_id) FROM conflicts
           WHERE contact_id = contact_of('olaf@example.org')), 'second third', '[8.1] all of them');
SELECT is((SELECT line || ' ' || (request ->> 'email') FROM rejected), '2 malformed', '[8.2] what cannot be used is reported');
SELECT isnt(contact_of('pia@example.org'), NULL, '[8.1] a row without a time too');
SELECT versions() AS rows \gset
SELECT is(attach('members', 'conversations', email => 'mail', contact_id => 'contact_id', take_in => true), 4::bigint, '[8.1] taken in again');
SELECT is((SELECT array_agg(contact_id IS NOT DISTINCT FROM contact_of(mail) ORDER BY no) FROM members), array_fill(true, ARRAY[6]),
    '[8.1] with contact_id each row gets its contact''s id');
SELECT throws_ok($$ SELECT attach('members', 'shop', email => 'mail', on_error => 'raise', take_in => true) $$, '22023', 'email is malformed',
    '[8.2] or it raises');
SELECT is(triggers_of('members'), 'attached_before_insert, attached_update', '[8.1] and what was attached before stays');
CREATE TABLE heap (mail text, city text);
INSERT INTO heap SELECT 'heap@example.org', 'c' || n FROM generate_series(1, 50) n;
SET LOCAL contact_identity.batch_size = 7;
SELECT is(attach('heap', 'shop', email => 'mail', attributes => '{*}', take_in => true), 50::bigint, '[8.1] without key or time');
SELECT is(known('heap@example.org'), '{"city": "c50"}', '[8.1] as they lie, batch by batch');

-- What a statement writes is what single calls would have, however it is cut.
CREATE TABLE many (no integer PRIMARY KEY, visitor text, mail text, mobile bigint, city text);
CALL done(attach('many', 'conversations', key => 'visitor', email => 'mail', phone => 'mobile', attributes => '{city}'));
CREATE FUNCTION state(prefix text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(s, E'\n' ORDER BY s COLLATE "C") FROM (
        SELECT replace((SELECT string_agg(kind || ' ' || value || ' ' || is_primary, ', ' ORDER BY kind, value COLLATE "C")
                        FROM identifiers i WHERE i.contact_id = c.contact_id), prefix, '') || c.attributes::text
            || (SELECT count(*) FROM conflicts o WHERE o.contact_id = c.contact_id) AS s
        FROM all_contacts c WHERE EXISTS (SELECT FROM identifiers i WHERE i.contact_id = c.contact_id AND starts_with(i.value, prefix))) x
$$;
CREATE TABLE draft AS
SELECT n AS no, 'v' || n % 37 AS visitor, CASE WHEN n % 3 = 0 THEN 'm' || n * 7 % 23 || '@example.org' END AS mail, 'c' || n % 5 AS city
FROM generate_series(1, 300) n;
INSERT INTO many SELECT no, 'x-' || visitor, 'x-' || mail, NULL, city FROM draft;
SELECT count(identify('conversations', 'y-' || visitor, email => 'y-' || mail, attributes => jsonb_build_object('city', city))) AS played
FROM (SELECT * FROM draft ORDER BY no) d \gset
SELECT ok(state('x-') = state('y-') AND length(state('x-')) > 1000, '[8.1] a statement of 300 rows in batches of 7 ends as 300 calls do');
RESET contact_identity.batch_size;

--------------------------------------------------------------------- what fits
SELECT is(attach('many', 'shop', ext_id => 'no', phone => 'mobile', whatsapp => 'mobile', attributes => '{*,visitor=}'), 0::bigint,
    '[8.1] a column may serve twice');
INSERT INTO many VALUES (1001, 'nobody', 'r@example.org', 12065550199, 'Rome');
SELECT is((SELECT phone || ' ' || whatsapp || ' ' || attributes FROM contacts WHERE ext_id = '1001'),
    '+12065550199 +12065550199 {"city": "Rome", "mail": "r@example.org"}',
    '[8.1] * stands for every column that is not mapped otherwise, left out or the primary key''s');
CREATE TYPE colour AS ENUM ('red', 'green');
CREATE DOMAIN address AS text CHECK (value <> 'no');
CREATE TABLE kinds (u uuid, m address, c char(12), e colour, s smallint, f float8, p point, b bytea, r int4range, ts timestamp, big bigint,
                    gen text GENERATED ALWAYS AS ('x' || s) STORED, "odd=name" text, email text, d date, PRIMARY KEY (u));
CALL done(attach('kinds', 'conversations', key => 'c', ext_id => 'u', email => 'm', attributes => '{e,s,f,p,b,r,ts,gen,odd=name,d=day=of}'));
INSERT INTO kinds VALUES ('00000000-0000-0000-0000-00000000000a', 'K@example.org', 'key', 'red', 3, 1.5, '(1,2)', '\x01', '[1,3)',
                          '2020-01-01 12:00', 5, DEFAULT, 'odd', NULL, '2020-01-01');
SELECT is((SELECT attributes FROM contacts WHERE email = 'k@example.org'),
    '{"e": "red", "s": 3, "f": 1.5, "p": "(1,2)", "b": "\\x01", "r": "[1,3)", "ts": "2020-01-01T12:00:00", "gen": "x3",
      "odd=name": "odd", "day=of": "2020-01-01"}', '[8.1] values of any type');
SELECT is((SELECT string_agg(kind || ' ' || value, ', ' ORDER BY kind) FROM identifiers WHERE contact_id = contact_of('k@example.org')),
    'email k@example.org, ext_id 00000000-0000-0000-0000-00000000000a, visitor key', '[8.1] uuid, a domain, and char(n) without its padding');

CREATE FUNCTION attaching(rest text) RETURNS text LANGUAGE sql AS
$$ SELECT code || ' ' || message FROM words.refusal('SELECT contact_identity.attach(''kinds'', ' || rest || ')') $$;
SELECT is(attaching($$'shop', email => 'nix'$$), '22023 column "nix" of table "kinds" does not exist', '[8.1] a column that is not there');
SELECT is(attaching($$'shop', email => 'm', attributes => '{nix}'$$), '22023 column "nix" of table "kinds" does not exist', '[8.1] nor for an attribute');
SELECT is(attaching($$'shop', email => 'm', attributes => '{nix=}'$$), '22023 column "nix" of table "kinds" does not exist', '[8.1] nor to be left out');
SELECT is(attaching($$'shop', email => 'f'$$), '22023 column "f" of table "kinds" cannot be used as email', '[8.1] a type that does not fit');
SELECT is(attaching($$'shop', email => 'm', occurred_at => 's'$$), '22023 column "s" of table "kinds" cannot be used as occurred_at', '[8.1] for a time');
SELECT is(attaching($$'shop', email => 'm', contact_id => 's'$$), '22023 column "s" of table "kinds" cannot be used as contact_id', '[8.1] for an id');
SELECT is(attaching($$'shop', email => 'm', contact_id => 'big', attributes => '{gen}'$$),
    '22023 column "gen" is generated and cannot be used beside contact_id', '[8.1] what is not there yet when the id is needed');
SELECT is(attaching($$'shop', email => 'm', contact_id => 'big', ext_id => 'big'$$),
    '22023 column "big" receives the contact''s id and cannot be used as ext_id too', '[8.1] question and answer in one');
SELECT is(attaching($$'shop', attributes => '{e}'$$), '22023 no column is given that a contact could be found by', '[3] nothing to find anybody by');
SELECT is(attaching($$'shop', email => 'm', attributes => '{e,s=e}'$$), '22023 attribute "e" is given twice', '[8.1] an attribute twice');
SELECT is(attaching($$'shop', email => 'm', attributes => '{email}'$$),
    '22023 column "email" cannot become attribute "email", which is the name of an identifier', '[7.6] the name of an identifier');
SELECT is(attaching($$'shop', email => 'm', attributes => '{*}'$$),
    '22023 column "email" cannot become attribute "email", which is the name of an identifier', '[7.6] nor by *');
SELECT is(attaching($$'nix', email => 'm'$$), '22023 source does not exist', '[1.6] an unknown source');
SELECT is(attaching($$'shop', email => 'm', key => 'c'$$), '22023 source "shop" takes no key', '[4.13] a key for a source without');
SELECT is(attaching($$'shop', email => 'm', via => 'chat'$$), '22023 source "shop" has no such via', '[4.13] a via that it does not list');
SELECT is(attaching($$'conversations', key => 'c', via => 'chat', via_column => 'e'$$), '22023 only one of via and via_column can be given', 'two vias');
SELECT is(attaching($$'shop', email => 'm', on_error => 'ignore'$$), '22023 on_error must be report or raise', '[8.2] on_error');
SELECT is(attaching($$'shop', email => 'm', account_id => 99$$), '22023 account 99 does not exist', '[0] an unknown account');
SELECT is(triggers_of('kinds'), 'attached_insert, attached_update', '[8.1] what was refused has changed nothing');
ALTER TABLE kinds DROP CONSTRAINT kinds_pkey;
SELECT is(attaching($$'shop', email => 'm', contact_id => 'big'$$), '22023 table "kinds" has no primary key', '[8.1] contact_id needs a primary key');
SELECT throws_ok($$ SELECT attach('contact_identity.contacts', 'shop', email => 'email') $$, '42809', '"contacts" is not a table', 'a view');
SELECT throws_ok($$ SELECT attach('contact_identity.event', 'shop', email => 'role') $$, '42809',
    'table "event" is one of contact_identity''s own', 'one of ours');
SELECT throws_ok($$ SELECT attach(NULL, 'shop', email => 'role') $$, '22023', 'table must be given', 'no table');
SELECT throws_ok('SELECT attach(1::oid, ''shop'', email => ''role'')', '42P01', NULL, 'a table that does not exist');

------------------------------------------------------------------------ accounts
SELECT create_account(2, 'second') IS NULL AS made \gset
CREATE TABLE leads (mail text);
CALL done(attach('leads', 'shop', email => 'mail', account_id => 2));
INSERT INTO leads VALUES ('quin@example.org');
SELECT is((SELECT array_agg(account_id) FROM contacts WHERE email = 'quin@example.org'), ARRAY[2], '[8.1] attach fixes the account');
SET LOCAL contact_identity.account_id = 1;
UPDATE leads SET mail = 'rita@example.org';
SELECT is((SELECT array_agg(account_id) FROM contacts WHERE email = 'rita@example.org'), ARRAY[2], '[8.1] whatever the setting is later');

-------------------------------------------------------------------------- rights
CREATE ROLE regress_contact_identity_owner;
CREATE ROLE regress_contact_identity_writer;
GRANT USAGE ON SCHEMA words, contact_identity TO regress_contact_identity_owner;
GRANT CREATE, USAGE ON SCHEMA app TO regress_contact_identity_owner;
GRANT USAGE ON SCHEMA app TO regress_contact_identity_writer;
SET LOCAL ROLE regress_contact_identity_owner;
CREATE TABLE app.theirs (no integer PRIMARY KEY, mail text, contact_id bigint);
GRANT INSERT, SELECT, UPDATE (mail) ON app.theirs TO regress_contact_identity_writer;
SELECT throws_ok($$ SELECT contact_identity.attach('app.theirs', 'shop', email => 'mail') $$, '42501', NULL, '[8.1] attach is for those who may call it');
RESET ROLE;
GRANT EXECUTE ON FUNCTION contact_identity.attach, contact_identity.detach TO regress_contact_identity_owner;
SET LOCAL ROLE regress_contact_identity_owner;
SELECT throws_ok($$ SELECT contact_identity.attach('app.leads', 'shop', email => 'mail') $$, '42501', 'must be owner of table leads',
    '[8.1] and own the table');
SELECT throws_ok($$ SELECT contact_identity.detach('app.leads') $$, '42501', 'must be owner of table leads', '[8.1] detach likewise');
SELECT lives_ok($$ SELECT contact_identity.attach('app.theirs', 'shop', email => 'mail', contact_id => 'contact_id') $$,
    '[8.1] the owner needs no more than that');
SELECT throws_ok($$ CREATE TRIGGER own AFTER INSERT ON app.theirs REFERENCING NEW TABLE AS n FOR EACH STATEMENT
                    EXECUTE FUNCTION contact_identity.attached_insert('account_id', '2', 'source', 'shop') $$, '42501', NULL,
    '[8.1] and can make no such trigger with arguments of his choice');
SET LOCAL ROLE regress_contact_identity_writer;
INSERT INTO app.theirs (no, mail) VALUES (1, 'sven@example.org'), (2, 'tom@example.org');
UPDATE app.theirs SET mail = 'tom@example.org' WHERE no = 1;
SELECT contact_id AS written FROM app.theirs WHERE no = 1 \gset
SELECT throws_ok($$ SELECT * FROM contact_identity.contacts $$, '42501', NULL, 'the writer of the row has no right of ours');
RESET ROLE;
SELECT is(:written::bigint, contact_of('tom@example.org'), '[8.1] the trigger acts with the right of attach, whoever writes the row');
SELECT is((SELECT string_agg(DISTINCT role, ' ') FROM history WHERE contact_id = :written), session_user::text, '[10.1] history says who it was');
ALTER TABLE app.theirs ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
UPDATE app.theirs SET mail = 'sven@example.org' WHERE no = 1;
SELECT is((SELECT contact_id FROM app.theirs WHERE no = 1), contact_of('sven@example.org'), '[8.1] row security does not hide a row from it');
DROP TABLE app.theirs;

-- The functions of the triggers, called otherwise
CREATE TABLE plain (mail text);
SELECT throws_ok('SELECT attached_insert()', '39P01', NULL, 'not by a call');
CREATE TRIGGER wrong AFTER INSERT ON plain FOR EACH ROW EXECUTE FUNCTION attached_insert('account_id', '1', 'source', 'shop', 'email', 'mail');
SELECT throws_ok('INSERT INTO plain VALUES (NULL)', '39P01', NULL, 'nor for a row');
DROP TRIGGER wrong ON plain;
CREATE TRIGGER wrong AFTER INSERT ON plain FOR EACH STATEMENT EXECUTE FUNCTION attached_insert('account_id', '1', 'source', 'shop', 'email', 'mail');
SELECT throws_ok('INSERT INTO plain VALUES (NULL)', '39P01', NULL, 'nor without its rows');
DROP TRIGGER wrong ON plain;
CREATE TRIGGER wrong AFTER INSERT ON plain REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION attached_insert('email', 'mail');
SELECT throws_ok('INSERT INTO plain VALUES (NULL)', '39P01', NULL, 'nor without its arguments');

DROP TRIGGER wrong ON plain;
CREATE TRIGGER wrong BEFORE INSERT ON plain FOR EACH ROW
    EXECUTE FUNCTION attached_before_insert('account_id', '1', 'source', 'shop', 'email', 'mail');
SELECT throws_ok('INSERT INTO plain VALUES (NULL)', '39P01', 'trigger "wrong" on table "plain" names no column for the contact''s id',
    'nor before a row without a column for the id');

-- [8.2] A value that jsonb cannot have, or no attributes may.
CREATE TABLE documents (mail text, doc json, body text, tree jsonb, bytes bytea, made text);
SELECT lives_ok($$ SELECT attach('documents', 'shop', email => 'mail', attributes => '{doc,body,tree,bytes}') $$, 'attached');
SELECT lives_ok($$ INSERT INTO documents (mail, doc, made) VALUES ('doc@example.org', '{"a": "\u0000"}', 'null character'),
                   ('doc@example.org', '"\ud800"', 'half a pair'), ('doc@example.org', '1e200000', 'too large a number') $$,
    '[8.2] json that jsonb cannot have does not stop the statement');
SELECT is((SELECT string_agg(DISTINCT code || ' ' || message, ', ') FROM rejected WHERE request ->> 'email' = 'doc@example.org'),
    '22023 value of attribute "doc" has no form in jsonb', '[8.2] but is reported');
SELECT lives_ok($$ INSERT INTO documents (mail, body, bytes) VALUES ('doc2@example.org', repeat('x', 300000000), NULL),
                   ('doc2@example.org', NULL, convert_to(repeat('x', 150000000), 'UTF8')) $$,
    '[8.2] nor does a text that would not fit into jsonb');
SELECT lives_ok($$ INSERT INTO documents (mail, tree) VALUES ('doc2@example.org', (repeat('[', 14000) || repeat(']', 14000))::jsonb) $$,
    '[8.2] nor a value that nests deeply');
SELECT is((SELECT string_agg(code || ' ' || message, ', ' ORDER BY message) FROM rejected WHERE request ->> 'email' = 'doc2@example.org'),
    '54000 attribute "body" is too large: Those of a contact have up to 1000000 bytes in all.,'
    ' 54000 attribute "bytes" is too large: Those of a contact have up to 1000000 bytes in all.,'
    ' 54000 attribute "tree" is too large: Those of a contact have up to 1000000 bytes in all.', '[8.2] and is reported');
SELECT is(known('doc@example.org'), NULL, 'nothing of such a row is stored');

-- A setting of the caller's that changes what a string means
SET LOCAL standard_conforming_strings = off;
SELECT lives_ok($$ SELECT detach('documents', 1) $$, 'detached, whatever a backslash means to the caller');

SELECT is_empty('SELECT * FROM check_integrity()', '[9] after all of this');
RESET standard_conforming_strings;
SELECT finish();
ROLLBACK;
