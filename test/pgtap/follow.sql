-- RULES 10.8: columns of an application's own tables that hold ids of contacts.
BEGIN;
\ir words.psql
SELECT plan(112);
CREATE SCHEMA app;
SET LOCAL search_path = app, words, contact_identity, public;
SET LOCAL client_min_messages = error;

-- Whom the rows of a query name, in its order.
CREATE FUNCTION names(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    ids bigint[];
BEGIN
    EXECUTE format('SELECT array_agg(x) FROM (%s) q (x)', query) INTO ids;
    RETURN (SELECT string_agg(coalesce(name_of(i), '-'), ' ' ORDER BY n) FROM unnest(ids) WITH ORDINALITY u (i, n));
END $$;
-- A visitor, anonymous, and a call that says who it is.
CREATE PROCEDURE visits(who text) LANGUAGE sql AS $$ INSERT INTO person VALUES (who, capture('push', who)) $$;
CREATE PROCEDURE login(who text, mail text) LANGUAGE sql AS $$ CALL done(identify('push', who, email => mail)) $$;
CALL given('ann', identify('shop', email => 'ann@example.org'));
CALL given('ben', identify('shop', email => 'ben@example.org'));
CALL given('cid', identify('shop', email => 'cid@example.org'));

---------------------------------------------------------------- registration
CREATE TABLE orders (no integer PRIMARY KEY, contact_id bigint, note text);
CREATE INDEX ON orders (contact_id);
SELECT is(follow('orders', 'contact_id'), true, '[10.8] a column is followed');
SELECT is(follow('orders', 'contact_id'), false, '[10.8] once');
SELECT is((SELECT string_agg(concat_ws(' ', relation, column_name), ', ') FROM followed), 'orders contact_id',
    '[10.8] it is in the table followed');

CREATE TABLE odd (no integer, contact_id bigint, t text, g bigint GENERATED ALWAYS AS (no + 1) STORED,
                  i bigint GENERATED ALWAYS AS IDENTITY);
SELECT throws_ok($$SELECT follow('odd', 'contact_id')$$, '22023', 'table "odd" has no primary key that rows can be remembered by',
    '[10.8] a table needs a primary key');
ALTER TABLE odd ADD PRIMARY KEY (no) DEFERRABLE;
SELECT throws_ok($$SELECT follow('odd', 'contact_id')$$, '22023', 'table "odd" has no primary key that rows can be remembered by',
    '[10.8] one that always holds');
ALTER TABLE odd DROP CONSTRAINT odd_pkey, ADD PRIMARY KEY (no);
SELECT throws_ok($$SELECT follow('odd', 'contact')$$, '22023', 'column "contact" of table "odd" does not exist', '[10.8] the column must be there');
SELECT throws_ok($$SELECT follow('odd', 't')$$, '22023', 'column "t" of table "odd" cannot hold ids of contacts', '[10.8] and be a bigint or integer');
SELECT throws_ok($$SELECT follow('odd', 'g')$$, '22023', 'column "g" cannot be followed, since it is generated', '[10.8] that can be written');
SELECT throws_ok($$SELECT follow('odd', 'i')$$, '22023', 'column "i" cannot be followed, since it is generated', '[10.8] as often as needed');
SELECT throws_ok($$SELECT follow(NULL, 'i')$$, '22023', 'table must be given', '[10.8] a table is needed');
SELECT throws_ok($$SELECT follow('odd', NULL)$$, '22023', 'column must be given', '[10.8] and a column');
SELECT throws_ok($$SELECT follow(4000000000::regclass, 'x')$$, '42P01', 'relation with OID 4000000000 does not exist', '[10.8] a table that is there');
SELECT throws_ok($$SELECT follow('odd', 'contact_id', 99)$$, '22023', 'account 99 does not exist', '[10.8] and an account');
CREATE VIEW seen AS TABLE odd;
SELECT throws_ok($$SELECT follow('seen', 'contact_id')$$, '42809', '"seen" is not a table', '[10.8] a view cannot be followed');
CREATE TEMP TABLE passing (contact_id bigint PRIMARY KEY);
SELECT throws_ok($$SELECT follow('passing', 'contact_id')$$, '42809', 'table "passing" is temporary', '[10.8] nor a temporary table');
SELECT throws_ok($$SELECT follow('contact_identity.block', 'contact_id')$$, '42809', 'table "block" is one of contact_identity''s own', '[10.8] nor ours');
CREATE TABLE ruled (contact_id bigint PRIMARY KEY);
CREATE RULE r AS ON UPDATE TO ruled DO INSTEAD NOTHING;
SELECT throws_ok($$SELECT follow('ruled', 'contact_id')$$, '42809', 'table "ruled" has rules', '[10.8] nor one with rules');
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE CONSTRAINT TRIGGER later AFTER UPDATE ON odd DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION nothing();
SELECT throws_ok($$SELECT follow('odd', 'contact_id')$$, '42809', 'trigger "later" of table "odd" is deferrable',
    '[10.8] nor one whose triggers would run when rights are others''');

---------------------------------------------------------------- every merge
CALL visits('v1'); CALL visits('v2'); CALL visits('v3');
INSERT INTO orders VALUES (1, id('ann')), (2, id('v1')), (3, id('v1')), (4, id('v2')), (5, NULL), (6, 0);
CALL login('v1', 'ann@example.org');
SELECT is(names('SELECT contact_id FROM orders ORDER BY no'), 'ann ann ann v2 - somebody', '[10.8] a login re-points the visitor''s rows, and no others');
SAVEPOINT whole;
CALL login('v2', 'ann@example.org');
ROLLBACK TO whole;
SELECT is(names('SELECT contact_id FROM orders WHERE no = 4'), 'v2', '[10.8] with the merge, or not at all');
CALL done(merge(id('ben'), id('ann'), 'agent'));
SELECT is(names('SELECT contact_id FROM orders ORDER BY no'), 'ben ben ben v2 - somebody', '[10.8] merge()');
-- v2 into cid, cid into ben, and v3 into ben, in a batch each
INSERT INTO orders VALUES (7, id('v3')), (8, id('cid'));
INSERT INTO inbox (source, key, email) VALUES ('push', 'v2', 'cid@example.org'), ('push', 'v3', 'cid@example.org');
SELECT is(names('SELECT contact_id FROM orders WHERE no IN (4, 7, 8) ORDER BY no'), 'cid cid cid', '[10.8] a batch, all at once');
CREATE TABLE logins (no integer PRIMARY KEY, visitor text, mail text, contact_id bigint);
SELECT attach('logins', 'push', key => 'visitor', email => 'mail', contact_id => 'contact_id') AS ignored \gset
SELECT follow('logins', 'contact_id') AS ignored \gset
INSERT INTO logins VALUES (1, 'v4', NULL), (2, 'v4', 'dee@example.org'), (3, 'v5', NULL), (4, 'v5', 'dee@example.org');
INSERT INTO person SELECT 'dee', contact_id FROM logins WHERE no = 2;
SELECT is(names('SELECT contact_id FROM logins ORDER BY no'), 'dee dee dee dee',
    '[10.8] an attached table that is followed: rows of the same statement, too');
UPDATE logins SET mail = 'cid@example.org' WHERE no = 4;
SELECT is((SELECT count(*) FROM history WHERE event = 'merged' AND contact_id = id('dee')), 0::bigint, '[8.1] re-pointing plays nothing');

-- Chains in one change set
CALL visits('c1'); CALL visits('c2');
INSERT INTO orders VALUES (11, id('c1')), (12, id('c2'));
SELECT is((SELECT string_agg(outcome, ' ' ORDER BY request) FROM identify_batch(jsonb_build_array(
        jsonb_build_object('source', 'push', 'key', 'c1', 'email', 'ben@example.org'),
        jsonb_build_object('source', 'push', 'key', 'c2', 'email', 'ben@example.org')))),
    'merged merged', 'two merges in one batch');
SELECT is(names('SELECT contact_id FROM orders WHERE no IN (11, 12) ORDER BY no'), 'ben ben', '[10.8] both are re-pointed');

---------------------------------------------------------------- undoing
SELECT is((SELECT count(*) FROM followed_row WHERE relation = 'orders'::regclass), 9::bigint, '[10.8] each re-pointed row is remembered, for each of its merges');
SELECT to_regproc('contact_identity.unmerge') IS NULL AS no_unmerge \gset
\if :no_unmerge
SELECT skip('unmerge is not there', 22);
\else
-- ann has ended in ben, who got rows since
INSERT INTO orders VALUES (20, id('ben')), (21, id('ben'));
UPDATE orders SET contact_id = id('cid') WHERE no = 3;
DELETE FROM orders WHERE no = 1;
SELECT lives_ok($$SELECT unmerge(id('c2'), 'agent')$$, '[10.3] the newest merge is undone');
SELECT is(names('SELECT contact_id FROM orders WHERE no IN (11, 12) ORDER BY no'), 'ben c2', '[10.8] its rows go back, and no others');
SELECT lives_ok($$SELECT unmerge(id('c1'), 'agent')$$, '[10.3] the one before it');
SELECT lives_ok($$SELECT unmerge(id('ann'), 'agent')$$, '[10.3] and one of two identified contacts');
SELECT is(names('SELECT contact_id FROM orders WHERE no IN (2, 3, 20, 21) ORDER BY no'), 'ann cid ben ben',
    '[10.8] rows added since stay with the survivor, rows given to somebody else stay there');
SELECT lives_ok($$SELECT unmerge(id('v1'), 'agent')$$, '[10.3] the first of the chain');
SELECT is(names('SELECT contact_id FROM orders WHERE no IN (2, 3) ORDER BY no'), 'v1 cid', '[10.8] a row goes back the way that it came');
SELECT is((SELECT count(*) FROM followed_row r JOIN merge m USING (account_id, merge_id) WHERE m.merged_id IN (id('ann'), id('v1'), id('c1'))),
    0::bigint, '[10.8] what was undone is not remembered');

-- Keys of every type, whatever the session's formats
CREATE TYPE mood AS ENUM ('so', 'it''s', 'Übel');
CREATE DOMAIN code AS text CHECK (VALUE <> '');
CREATE TABLE "Odd ""keys" (
    "a ""b'\" text, d date, at timestamptz, f float8, b bytea, m mood, i interval, u uuid, n numeric, c code,
    "con tact" integer, other bigint, PRIMARY KEY ("a ""b'\", d, at, f, b, m, i, u, n, c, "con tact"));
SELECT follow('"Odd ""keys"', 'con tact') AS ignored, follow('"Odd ""keys"', 'other') AS ignored2 \gset
CALL visits('k1');
INSERT INTO "Odd ""keys" VALUES
    (E'it''s "\\ {}, ü', '2020-03-02', '2020-03-02 12:34:56.789012+00', 0.1::float8 + 0.2, '\x00ff5c', 'it''s', '1 mon 2 days 3:04:05.678',
     '00000000-0000-0000-0000-000000000001', 1.0, 'x', id('k1'), id('k1')),
    ('', 'infinity', '-infinity', 'NaN', '', 'Übel', '-1 days', '00000000-0000-0000-0000-000000000002', 'NaN', 'y', id('k1'), NULL),
    ('', '0044-03-15 BC', 'infinity', '-1e-300', '', 'so', '0', '00000000-0000-0000-0000-000000000003', 1e-20, 'z', id('cid'), id('k1'));
SET LOCAL datestyle = 'SQL, DMY'; SET LOCAL extra_float_digits = -10; SET LOCAL bytea_output = 'escape';
SET LOCAL intervalstyle = 'iso_8601'; SET LOCAL timezone = 'Asia/Kolkata';
CALL login('k1', 'ben@example.org');
SELECT is(names('SELECT x FROM (SELECT n, "con tact" FROM "Odd ""keys" UNION ALL SELECT n, other FROM "Odd ""keys") q (n, x) ORDER BY n, x'),
    'ben cid ben ben ben -', '[10.8] odd names, two columns of a table, one of them in its primary key');
SET LOCAL datestyle = 'German'; SET LOCAL extra_float_digits = 0; SET LOCAL intervalstyle = 'sql_standard'; SET LOCAL timezone = 'UTC';
SELECT lives_ok($$SELECT unmerge(id('k1'), 'agent')$$, '[10.3] undone in a session with other formats');
SELECT is(names('SELECT x FROM (SELECT n, "con tact" FROM "Odd ""keys" UNION ALL SELECT n, other FROM "Odd ""keys") q (n, x) ORDER BY n, x'),
    'cid k1 k1 k1 k1 -', '[10.8] the rows are found by keys of any type');
RESET datestyle; RESET extra_float_digits; RESET bytea_output; RESET intervalstyle; RESET timezone;

-- The table is another by now
CREATE TABLE moved (no integer PRIMARY KEY, contact_id bigint);
SELECT follow('moved', 'contact_id') AS ignored \gset
CALL visits('k2'); INSERT INTO moved VALUES (1, id('k2')); CALL login('k2', 'ben@example.org');
SAVEPOINT whole;
ALTER TABLE moved RENAME no TO number;
SELECT lives_ok($$SELECT unmerge(id('k2'), 'agent')$$, '[10.8] a primary key that has changed is no obstacle');
SELECT is(names('SELECT contact_id FROM moved'), 'ben', '[10.8] but the row stays');
ROLLBACK TO whole;
ALTER TABLE moved RENAME TO gone;
SELECT lives_ok($$SELECT unmerge(id('k2'), 'agent')$$, '[10.8] the table may be renamed');
SELECT is(names('SELECT contact_id FROM gone'), 'k2', '[10.8] and its row goes back');
ROLLBACK TO whole;
SELECT unfollow('moved', 'contact_id') AS ignored \gset
SELECT lives_ok($$SELECT unmerge(id('k2'), 'agent')$$, '[10.8] where it is not followed any more');
SELECT is(names('SELECT contact_id FROM moved'), 'ben', '[10.8] nothing goes back');
ROLLBACK TO whole;
TRUNCATE moved;
INSERT INTO moved VALUES (1, id('ben'));
SELECT lives_ok($$SELECT unmerge(id('k2'), 'agent')$$, '[10.8] where it was emptied');
SELECT is(names('SELECT contact_id FROM moved'), 'ben', '[10.8] another row with a key that was used before stays');
ROLLBACK TO whole;
DROP TABLE moved;
SELECT lives_ok($$SELECT unmerge(id('k2'), 'agent')$$, '[10.8] and where it is gone');

-- A constraint that keeps rows back
CREATE TABLE profiles (contact_id bigint PRIMARY KEY, nick text);
SELECT follow('profiles', 'contact_id') AS ignored \gset
CALL visits('k3'); INSERT INTO profiles VALUES (id('k3'), 'k'); CALL login('k3', 'ben@example.org');
CALL visits('k4'); INSERT INTO profiles VALUES (id('k4'), 'l'); CALL login('k4', 'ben@example.org');
SELECT is(names('SELECT contact_id FROM profiles ORDER BY nick'), 'ben k4', '[10.8] a row that would collide stays');
SELECT unmerge(id('k4'), 'agent') AS ignored \gset
SELECT unmerge(id('k3'), 'agent') AS ignored \gset
SELECT is(names('SELECT contact_id FROM profiles ORDER BY nick'), 'k3 k4', '[10.8] and the other goes back');
DROP TABLE profiles;
\endif

---------------------------------------------------------------- constraints
CREATE TABLE subscribed (newsletter text, contact_id bigint, PRIMARY KEY (newsletter, contact_id));
SELECT follow('subscribed', 'contact_id') AS ignored \gset
CALL visits('u1'); CALL visits('u2'); CALL given('uma', identify('shop', email => 'uma@example.org'));
INSERT INTO subscribed VALUES ('a', id('uma')), ('a', id('u1')), ('b', id('u1')), ('c', id('u1')), ('c', id('u2'));
SELECT lives_ok($$CALL login('u1', 'uma@example.org')$$, '[10.8] a login does not fail because a row would collide');
SELECT is(names('SELECT contact_id FROM subscribed ORDER BY newsletter, nullif(contact_id, id(''uma'')) NULLS FIRST'), 'uma u1 uma uma u2',
    '[10.8] what collides keeps its contact, the rest is re-pointed');
SELECT is(resolve(id('u1')), id('uma'), '[6.3] which leads to the survivor');
DELETE FROM subscribed WHERE newsletter = 'a' AND contact_id = id('uma');
SELECT is(repoint_followed(), 1::bigint, '[10.8] once the rows are one, it is re-pointed');
SELECT is(names('SELECT contact_id FROM subscribed ORDER BY newsletter, contact_id'), 'uma uma u2 uma', '[10.8] as if it had been at once');
SELECT is((SELECT count(*) FROM followed_row WHERE relation = 'subscribed'::regclass), 3::bigint, '[10.8] and remembered');
SELECT is(repoint_followed(), 0::bigint, '[10.8] again: nothing is left');
-- Rows from before, which name contacts that ended one after another
CALL visits('q1'); CALL given('qa', identify('shop', email => 'qa@example.org')); CALL given('qb', identify('shop', email => 'qb@example.org'));
CALL login('q1', 'qa@example.org');
CALL done(merge(id('qb'), id('qa'), 'agent'));
CREATE TABLE late (no integer PRIMARY KEY, contact_id bigint);
INSERT INTO late VALUES (1, id('q1')), (2, id('qa')), (3, id('qb')), (4, NULL);
SELECT is(follow('late', 'contact_id'), true, '[10.8] a table whose rows are older than its being followed');
SELECT is(names('SELECT contact_id FROM late ORDER BY no'), 'q1 qa qb -', '[10.8] follow() writes nothing');
SELECT is(repoint_followed(), 2::bigint, '[10.8] rows are re-pointed when that is asked for');
SELECT is(names('SELECT contact_id FROM late ORDER BY no'), 'qb qb qb -', '[10.8] to the last survivor');
SELECT is((SELECT string_agg(name_of(m.merged_id) || ' ' || (r.key ->> 'no'), ', ' ORDER BY m.merge_id, r.row_id)
           FROM followed_row r JOIN merge m USING (account_id, merge_id) WHERE r.relation = 'late'::regclass),
    'q1 1, qa 1, qa 2', '[10.8] and remembered for each step');
\if :no_unmerge
SELECT skip('unmerge is not there', 2);
\else
SELECT unmerge(id('qa'), 'agent') AS ignored \gset
SELECT is(names('SELECT contact_id FROM late ORDER BY no'), 'qa qa qb -', '[10.8] so that they go back step by step');
SELECT unmerge(id('q1'), 'agent') AS ignored \gset
SELECT is(names('SELECT contact_id FROM late ORDER BY no'), 'q1 qa qb -', '[10.8] to where they were');
\endif
-- Deferred constraints are checked at once, and are deferred again.
CREATE TABLE refers (no integer PRIMARY KEY, account_id integer DEFAULT 1, contact_id bigint, seat integer,
    FOREIGN KEY (account_id, contact_id) REFERENCES contact DEFERRABLE INITIALLY DEFERRED,
    UNIQUE (seat, contact_id) DEFERRABLE INITIALLY DEFERRED);
SELECT is((SELECT string_agg(r::text, ' ') FROM unfollowed_references() r),
    '(refers,contact_id,refers_account_id_contact_id_fkey,"a foreign key to contacts that is not followed")',
    '[10.8] a foreign key that nobody registered is listed');
SELECT follow('refers', 'contact_id') AS ignored \gset
SELECT is_empty('SELECT * FROM unfollowed_references()', '[10.8] and one that is followed is not');
INSERT INTO refers VALUES (1, 1, id('uma'), 1), (2, 1, id('u2'), 1), (3, 1, id('u2'), 2);
CALL login('u2', 'uma@example.org');
SELECT is(names('SELECT contact_id FROM refers ORDER BY no'), 'uma u2 uma', '[10.8] deferred constraints are asked at once');
UPDATE refers SET contact_id = id('uma') WHERE no = 2;
SELECT throws_ok('SET CONSTRAINTS ALL IMMEDIATE', '23505', NULL, 'and are the application''s again');
DELETE FROM refers;

---------------------------------------------------------------- as whom
CREATE ROLE regress_contact_identity_app;
CREATE ROLE regress_contact_identity_web;
GRANT USAGE ON SCHEMA app, contact_identity, public, words TO regress_contact_identity_app, regress_contact_identity_web;
GRANT SELECT ON person TO regress_contact_identity_web;
GRANT EXECUTE ON FUNCTION follow(regclass, text, integer), unfollow(regclass, text, integer) TO regress_contact_identity_app;
GRANT EXECUTE ON FUNCTION identify(text, text, text, text, text, text, text, jsonb, text, timestamptz, bigint, boolean, text, integer)
    TO regress_contact_identity_web;
CREATE SCHEMA shop AUTHORIZATION regress_contact_identity_app;
CREATE TABLE shop.carts (no integer PRIMARY KEY, contact_id bigint CHECK (contact_id > -1), secret text);
CREATE TABLE shop.journal (who name, path text, old_id bigint, new_id bigint);
CREATE FUNCTION shop.note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO journal VALUES (current_user, current_setting('search_path'), OLD.contact_id, NEW.contact_id);
    RETURN NEW;
END $$;
CREATE TRIGGER note BEFORE UPDATE ON shop.carts FOR EACH ROW EXECUTE FUNCTION shop.note();
ALTER TABLE shop.carts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE shop.carts OWNER TO regress_contact_identity_app;
ALTER TABLE shop.journal OWNER TO regress_contact_identity_app;
SET LOCAL ROLE regress_contact_identity_web;
SELECT is((refusal($$SELECT contact_identity.follow('shop.carts', 'contact_id')$$)).code, '42501', '[10.8] who may not call it does not follow');
SET LOCAL ROLE regress_contact_identity_app;
SELECT is((refusal($$SELECT contact_identity.follow('app.orders', 'contact_id')$$)).message, 'must be owner of table orders', '[10.8] nor who does not own the table');
SELECT is((refusal($$SELECT contact_identity.unfollow('app.orders', 'contact_id')$$)).message, 'must be owner of table orders', '[10.8] nor is it undone');
SELECT is((refusal($$CREATE TRIGGER t AFTER TRUNCATE ON shop.carts EXECUTE FUNCTION contact_identity.followed_truncate(
    'account_id', '1', 'column', 'contact_id', 'search_path', 'public')$$)).code, '42501', '[10.8] an account is not followed behind its back');
SET LOCAL search_path = shop;
SELECT contact_identity.follow('carts', 'contact_id') AS ignored \gset
RESET ROLE;
SET LOCAL search_path = app, words, contact_identity, public;
CALL visits('w1'); CALL visits('w2'); CALL visits('w3'); CALL visits('w4');
INSERT INTO shop.carts VALUES (1, id('w1'), 'x'), (2, id('w2'), 'y'), (3, id('w3'), 'secret');
-- Somebody who may call us and no more, with tables to be mistaken for the owner's.
SET LOCAL ROLE regress_contact_identity_web;
SET LOCAL search_path = words, public;
CREATE TEMP TABLE journal (who name, path text, old_id bigint, new_id bigint);
SELECT is((contact_identity.identify('push', 'w1', email => 'uma@example.org')).outcome, 'merged', '[10.8] whoever calls');
SELECT is((SELECT count(*) FROM pg_temp.journal), 0::bigint, '[10.8] its tables are not taken for the owner''s');
SELECT is((refusal('TABLE shop.carts')).code, '42501', '[10.8] nor may it see the owner''s');
RESET ROLE;
SET LOCAL search_path = app, words, contact_identity, public;
SELECT is(names('SELECT contact_id FROM shop.carts ORDER BY no'), 'uma w2 w3', '[10.8] rows are re-pointed whatever policies hide');
SELECT results_eq('SELECT who, path, old_id, new_id FROM shop.journal',
    $$VALUES ('regress_contact_identity_app'::name, 'shop, pg_temp', id('w1'), id('uma'))$$,
    '[10.8] triggers run as the table''s owner, with the path of follow()');
DROP TABLE pg_temp.journal;
-- What a trigger may not do
SAVEPOINT whole;
CREATE OR REPLACE FUNCTION shop.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RESET ROLE; RETURN NEW; END $$;
SELECT is((refusal($$CALL login('w2', 'uma@example.org')$$)).message, 'cannot set parameter "role" within security-definer function',
    '[10.8] a trigger cannot become the caller');
ROLLBACK TO whole;
CREATE OR REPLACE FUNCTION shop.note() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM set_config('search_path', 'shop', false), set_config('contact_identity.account_id', '7', false); RETURN NEW; END $$;
CALL login('w2', 'uma@example.org');
SELECT is(current_setting('search_path') || ' ' || current_setting('contact_identity.account_id'), 'app, words, contact_identity, public 1',
    '[10.8] nor leave settings behind');
SELECT is(names('SELECT contact_id FROM shop.carts ORDER BY no'), 'uma uma w3', '[10.8] which is no error');
ROLLBACK TO whole;
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON shop.journal DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION nothing();
SELECT is((refusal($$CALL login('w2', 'uma@example.org')$$)).message, 'cannot fire deferred trigger within security-restricted operation',
    '[10.8] nor wait for the end of the transaction');
ROLLBACK TO whole;
DO $$ BEGIN EXECUTE format('ALTER TABLE shop.carts ADD CHECK (contact_id <> %s OR secret <> %L)', id('uma'), 'secret'); END $$;
SELECT is((refusal($$CALL login('w3', 'uma@example.org')$$)).code, '23514', '[10.8] an error of the application''s ends the call');
SELECT is((refusal($$CALL login('w3', 'uma@example.org')$$)).detail, 'The row is not shown, since it may hold personal values.',
    '[9.6] and shows its row to nobody');
SELECT is((SELECT state FROM all_contacts WHERE contact_id = id('w3')), 'anonymous', '[4.15] nothing of it is stored');
ROLLBACK TO whole;
-- The owner of our tables has no power over tables that are not his.
INSERT INTO shop.carts VALUES (9, 0, 'z');
ALTER TABLE shop.carts ADD other bigint;
ALTER TABLE shop.carts DISABLE TRIGGER note;
UPDATE shop.carts SET other = id('w4');
INSERT INTO contact_identity.followed VALUES (1, 'shop.carts', 'other'), (1, 'shop.carts', 'no');
CALL login('w4', 'uma@example.org');
SELECT is(names('SELECT DISTINCT other FROM shop.carts'), 'w4', '[10.8] a table whose owner has not called follow() is not written');
ROLLBACK TO whole;

---------------------------------------------------------------- tables that change
ALTER TABLE logins RENAME contact_id TO who;
SELECT lives_ok($$CALL login('w4', 'uma@example.org')$$, '[10.8] a column that is gone stops no merge');
SELECT is((SELECT string_agg(r::text, ' ') FROM unfollowed_references() r),
    '(logins,contact_id,,"followed, but the column is gone")', '[10.8] and is listed');
SELECT is(unfollow('logins', 'contact_id'), true, '[10.8] until it is given up');
SELECT is(unfollow('logins', 'contact_id'), false, '[10.8] once');
SELECT is(follow('logins', 'who'), true, '[10.8] it is followed under its new name');
DROP TRIGGER contact_identity_follow ON logins;
SELECT lives_ok($$CALL login('w3', 'uma@example.org')$$, '[10.8] nor does a trigger that is gone');
SELECT is(names('SELECT contact_id FROM shop.carts ORDER BY no'), 'uma w2 uma', '[10.8] other tables are followed as before');
SELECT is((SELECT string_agg(r::text, ' ') FROM unfollowed_references() r),
    '(logins,who,,"followed, but the trigger of follow() is gone")', '[10.8] it is listed, too');
SELECT is(follow('logins', 'who'), true, '[10.8] and can be followed again');
DROP TABLE logins;
SELECT lives_ok($$CALL login('w2', 'uma@example.org')$$, '[10.8] nor does a table that is gone');
SELECT is((SELECT problem FROM unfollowed_references()), 'followed, but the table is gone', '[10.8] which is listed');
CREATE TABLE events (day date, no integer, contact_id integer, PRIMARY KEY (day, no)) PARTITION BY RANGE (day);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
CREATE UNIQUE INDEX ON events_2 (contact_id);
SELECT throws_ok($$SELECT follow('events_1', 'contact_id')$$, '42809', 'table "events_1" is a partition', '[10.8] a partition is followed by its parent');
SELECT is(follow('events', 'contact_id'), true, '[10.8] a partitioned table');
SELECT is_empty('SELECT * FROM unfollowed_references()', '[10.8] what is gone is forgotten with the next follow()');
CREATE TABLE heirs (extra text) INHERITS (orders);
CALL visits('x1'); CALL visits('x2');
INSERT INTO events VALUES ('2020-02-01', 1, id('x1')), ('2021-02-01', 1, id('x1')), ('2021-02-01', 2, id('uma'));
INSERT INTO heirs VALUES (30, id('x1'));
CALL login('x1', 'uma@example.org');
SELECT is(names('SELECT contact_id FROM events ORDER BY day, no'), 'uma x1 uma', '[10.8] in each of its partitions, column type integer');
SELECT is(names('SELECT contact_id FROM heirs'), 'x1', '[10.8] tables that inherit from one are tables of their own');

---------------------------------------------------------------- the rest
-- A trigger of the application's that calls us
CREATE FUNCTION also() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.note = 'also' THEN
        CALL login('x2', 'cid@example.org');
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER also BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION also();
CALL visits('x3');
INSERT INTO orders VALUES (31, id('x3'), 'also'), (32, id('x2'), NULL);
CALL login('x3', 'uma@example.org');
SELECT is(names('SELECT contact_id FROM orders WHERE no IN (31, 32) ORDER BY no'), 'uma cid', '[10.8] triggers may call, and merge others');
-- Ids of one account are not those of another.
SELECT create_account(2, 'other') AS ignored \gset
SELECT is(follow('orders', 'contact_id', account_id => 2), true, '[10.8] a table can follow several accounts');
SELECT capture('push', 'y1', account_id => 2) AS y1 \gset
INSERT INTO orders VALUES (40, :y1);
SELECT contact_id AS y2 FROM identify('shop', email => 'uma@example.org', account_id => 2) \gset
CALL done(identify('push', 'y1', email => 'uma@example.org', account_id => 2));
SELECT is((SELECT contact_id FROM orders WHERE no = 40), :y2::bigint, '[10.8] which have ids of their own');
SELECT is(unfollow('orders', 'contact_id', account_id => 2), true, '[10.8] and are given up one by one');
SELECT is((SELECT count(*) FROM followed WHERE relation = 'orders'::regclass), 1::bigint, '[10.8] account 1 is followed as before');
-- Whom the application names, for who removes contacts
CREATE TABLE by_key (no integer PRIMARY KEY, account_id integer DEFAULT 1, contact_id bigint, FOREIGN KEY (account_id, contact_id) REFERENCES contact);
CALL visits('n1'); CALL visits('n2'); CALL visits('n3'); CALL visits('n4'); CALL visits('n5');
SELECT is(named_contacts(ARRAY[id('n1'), id('n2'), id('n3'), id('n4'), id('n5')]), '{}', '[10.7] contacts that nobody names');
INSERT INTO orders VALUES (50, id('n1')), (51, id('n3'));
INSERT INTO by_key VALUES (1, 1, id('n2')), (2, 1, id('n3'));
INSERT INTO shop.carts VALUES (50, id('n5'));
SELECT is(names($$SELECT unnest(named_contacts(ARRAY[id('n3'), id('n2'), NULL, -1, id('n1'), id('n4'), id('n5'), id('n3')]))$$),
    'n1 n2 n3 n5', '[10.7] those that a followed column or a foreign key names, whatever policies hide');
SELECT is(named_contacts(NULL), '{}', '[10.7] of none, none');
-- Erased
CREATE TABLE mails (address text PRIMARY KEY, contact_id bigint);
SELECT follow('mails', 'contact_id') AS ignored \gset
CALL visits('z1'); CALL given('zoe', identify('shop', email => 'zoe@example.org'));
INSERT INTO mails VALUES ('zoe@example.org', id('z1'));
CALL login('z1', 'zoe@example.org');
SELECT is((SELECT count(*) FROM followed_row WHERE key ->> 'address' = 'zoe@example.org'), 1::bigint, '[10.8] keys of rows are remembered');
DELETE FROM contacts WHERE contact_id = id('zoe');
SELECT is((SELECT count(*) FROM followed_row WHERE key ->> 'address' = 'zoe@example.org'), 0::bigint, '[10.6] and forgotten with the contact');
SELECT is(names('SELECT contact_id FROM mails'), 'zoe', '[10.8] the row is the application''s');
SELECT is_empty('SELECT * FROM check_integrity()', '[9] nothing is broken');
SELECT * FROM finish();
ROLLBACK;
