-- Nothing trusts search_path: a caller's schemas may hold whatever pg_catalog
-- and our schema have, under the same names, and none of it is ever asked.
SELECT current_database() AS home \gset
CREATE DATABASE regress_contact_identity_path TEMPLATE template0;
\c regress_contact_identity_path

-- a trap under every name of pg_catalog; this function of the server's does
-- nothing but raise an error
CREATE SCHEMA hostile;
DO $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT row_number() OVER () AS n, oprname AS name, oprleft::regtype AS l, oprright::regtype AS r
        FROM pg_operator WHERE oprnamespace = 'pg_catalog'::regnamespace
    LOOP
        EXECUTE format('CREATE FUNCTION hostile.operator_%s(%s) RETURNS boolean LANGUAGE internal AS %L',
                       item.n, concat_ws(', ', nullif(item.l::text, '-'), item.r), 'any_in');
        EXECUTE format('CREATE OPERATOR hostile.%s (%s RIGHTARG = %s, FUNCTION = hostile.operator_%s)',
                       item.name, 'LEFTARG = ' || nullif(item.l::text, '-') || ',', item.r, item.n);
    END LOOP;
    FOR item IN
        SELECT proname AS name, array_to_string(proargtypes::regtype[], ', ') AS arguments
        FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind IN ('f', 'w')
    LOOP
        EXECUTE format('CREATE FUNCTION hostile.%I(%s) RETURNS boolean LANGUAGE internal AS %L',
                       item.name, item.arguments, 'any_in');
    END LOOP;
    FOR item IN
        SELECT row_number() OVER () AS n, proname AS name, array_to_string(proargtypes::regtype[], ', ') AS arguments
        FROM pg_proc JOIN pg_aggregate ON aggfnoid = pg_proc.oid
        WHERE pronamespace = 'pg_catalog'::regnamespace AND aggkind = 'n'
    LOOP
        EXECUTE format('CREATE FUNCTION hostile.step_%s(%s) RETURNS boolean LANGUAGE internal AS %L',
                       item.n, concat_ws(', ', 'boolean', nullif(item.arguments, '')), 'any_in');
        EXECUTE format('CREATE AGGREGATE hostile.%I(%s) (STYPE = boolean, SFUNC = hostile.step_%s)',
                       item.name, coalesce(nullif(item.arguments, ''), '*'), item.n);
    END LOOP;
    FOR item IN
        SELECT relname AS name FROM pg_class
        WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v')
    LOOP
        EXECUTE format('CREATE TABLE hostile.%I ()', item.name);
    END LOOP;
    FOR item IN
        SELECT typname AS name FROM pg_type
        WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype IN ('b', 'p', 'r') AND typname !~ '^_'
    LOOP
        EXECUTE format('CREATE TYPE hostile.%I AS ENUM ()', item.name);
    END LOOP;
END
$$;
ALTER DATABASE regress_contact_identity_path SET search_path = pg_temp, hostile, pg_catalog;

-- fail: the trap works
\c -
SELECT 1 = 1;
SELECT now();
SELECT 'a'::text;

-- installed and set up in its presence
CREATE EXTENSION contact_identity;
SELECT contact_identity.setup();

-- traps under our own names, too, and those of tables in pg_temp, which is
-- searched before everything else
SET search_path = pg_catalog;
DO $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT relname AS name FROM pg_class
        WHERE relnamespace = 'contact_identity'::regnamespace AND relkind IN ('r', 'v')
    LOOP
        EXECUTE format('CREATE TABLE hostile.%I ()', item.name);
    END LOOP;
    FOR item IN
        SELECT proname AS name, array_to_string(proargtypes::regtype[], ', ') AS arguments
        FROM pg_proc WHERE pronamespace = 'contact_identity'::regnamespace
    LOOP
        EXECUTE format('CREATE FUNCTION hostile.%I(%s) RETURNS boolean LANGUAGE internal AS %L',
                       item.name, item.arguments, 'any_in');
    END LOOP;
END
$$;
\c -
SET search_path = pg_catalog;
DO $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT DISTINCT relname AS name FROM pg_class
        WHERE relnamespace IN ('pg_catalog'::regnamespace, 'contact_identity'::regnamespace)
          AND relkind IN ('r', 'v')
    LOOP
        EXECUTE format('CREATE TABLE pg_temp.%I ()', item.name);
    END LOOP;
END
$$;
RESET search_path;

-- the usual life of a contact
SELECT contact_identity.capture('push', 'browser', occurred_at => '2020-03-01 12:00+00');
SELECT contact_identity.capture('push', 'browser');
SELECT * FROM contact_identity.identify('push', 'browser', ext_id => 'c-1', email => 'Ann@Example.org',
                                        attributes => '{"name": "Ann", "visits": 1}');
SELECT * FROM contact_identity.identify('push', 'browser', email => 'anna@example.org', attributes => '{"visits": 2}');
SELECT * FROM contact_identity.identify('conversations', 'visitor-1', phone => '+1 (206) 123-4567',
                                        via => 'chat', attributes => '{"city": "London"}');
SELECT * FROM contact_identity.identify('conversations', 'visitor-1', email => 'anna@example.org',
                                        phone => '+12061234568', attributes => '{"city": "Paris"}');
SELECT contact_identity.promote(2, 'agent', customer_confirmed => true);
SELECT contact_identity.dismiss(3, 'agent');
SELECT contact_identity.capture('conversations', 'visitor-2');
SELECT * FROM contact_identity.identify('conversations', 'visitor-2', phone => '+12061234568');
SELECT * FROM contact_identity.merge(1, 2, 'agent');
SELECT contact_identity.unsubscribe('push', 'browser');
SELECT contact_identity.subscribe('push', 'browser');
SELECT contact_identity.logout('conversations', 'visitor-2');
SELECT contact_identity.block(2, 'email');
SELECT contact_identity.unblock(2, 'email');
SELECT contact_identity.remove_from_list(1, 'Contacts active in Conversations');
SELECT contact_identity.add_to_list(1, 'Contacts active in Conversations');
SELECT contact_identity.capture('push', 'browser 2');
-- fail
SELECT contact_identity.capture('nothing', 'browser');
SELECT * FROM contact_identity.identify('api', email => 'malformed');

-- what is read
SELECT contact_identity.resolve(2);
SELECT contact_identity.find('phone', '+1 206 123 45 68');
SELECT contact_identity.find('phone', '+1 206 123 45 68', secondary => true);
SELECT contact_identity.normalize('email', ' Ann@BÜCHER.example');
SELECT field_type, field, primary_value, secondary_value, conflict_id FROM contact_identity.contact_panel(2);
SELECT state, email, attributes, reachable, open_conflicts, identifiers, keys, lists, blocked
FROM contact_identity.contact_as_of(1, 'infinity');
SELECT contact_identity.owner_as_of('email', ' Ann@example.org', 'infinity');
SELECT what FROM contact_identity.timeline(2);
SELECT pg_catalog.left(contact_identity.graph(2), 12);
SELECT contact_id, label, state, email, phone, ext_id, attributes, reachable, open_conflicts
FROM contact_identity.contacts ORDER BY contact_id;
SELECT contact_id, label FROM contact_identity.all_contacts ORDER BY contact_id;
SELECT * FROM contact_identity.contact_counts;
SELECT kind, value, given, contact_id, is_primary, active FROM contact_identity.identifiers ORDER BY kind, value;
SELECT conflict_id, contact_id, field, primary_value, secondary_value, owner_contact_id, key, status
FROM contact_identity.conflicts ORDER BY conflict_id;
SELECT survivor_id, merged_id, actor FROM contact_identity.merges ORDER BY merge_id;
SELECT contact_id, field_type, old_value, new_value FROM contact_identity.history ORDER BY event_id;
SELECT list, contact_id, subscribed FROM contact_identity.lists ORDER BY contact_id;
SELECT contact_id, channel, value FROM contact_identity.audience ORDER BY contact_id, channel, value;
SELECT * FROM contact_identity.check_integrity();

-- settings, another account, and setting up again
UPDATE contact_identity.account SET anonymous_label = 'Anonymer Kontakt #<id>';
SELECT label FROM contact_identity.all_contacts ORDER BY contact_id DESC LIMIT 1;
SELECT contact_identity.create_account(2, 'second');
SET contact_identity.account_id = 2;
SELECT contact_identity.capture('push', 'browser');
SELECT outcome, error FROM contact_identity.identify_batch('[
    {"source": "push", "key": "browser", "ext_id": "c-1", "attributes": {"visits": 1}},
    {"op": "logout", "source": "push", "key": "browser"},
    {"source": "api", "email": "malformed"}]');

-- rows of an application's table
CREATE SCHEMA app;
CREATE TABLE app.customers (no integer PRIMARY KEY, mail varchar, name pg_catalog.text, contact_id bigint);
INSERT INTO app.customers VALUES (1, 'bob@example.org', 'Bob');
SELECT contact_identity.attach('app.customers', 'shop', email => 'mail', attributes => '{name}',
                               contact_id => 'contact_id', take_in => true);
INSERT INTO app.customers VALUES (2, 'cid@example.org', 'Cid') RETURNING contact_id;
UPDATE app.customers SET mail = 'bob@example.org' WHERE no OPERATOR(pg_catalog.=) 2;
SELECT no, contact_id FROM app.customers ORDER BY no;
SELECT contact_identity.attach('app.customers', 'shop', email => 'mail', attributes => '{*}');
INSERT INTO app.customers VALUES (3, 'dee@example.org', 'Dee'), (4, 'malformed', NULL);
UPDATE app.customers SET name = 'Deedee';
SELECT contact_identity.detach('app.customers');

-- what explains, undoes and forgets
SET contact_identity.account_id = 1;
CREATE TABLE app.orders (no integer PRIMARY KEY, contact_id bigint);
INSERT INTO app.orders VALUES (1, 2), (2, 3);
SELECT contact_identity.follow('app.orders', 'contact_id');
SELECT contact_identity.repoint_followed();
SELECT * FROM contact_identity.unfollowed_references();
SELECT contact_identity.named_contacts('{2,3,4}');
SELECT pg_catalog.count(*) FROM contact_identity.preview_identify('api', email => 'anna@example.org', attributes => '{"city": "Rome"}');
SELECT contact_id AS gus FROM contact_identity.identify('api', ext_id => 'gus', attributes => '{"note": "to be forgotten"}') \gset
SELECT pg_catalog.count(*) FROM contact_identity.preview_merge(1, :gus, 'agent');
SELECT outcome FROM contact_identity.merge(1, :gus, 'agent');
SELECT outcome FROM contact_identity.unmerge(:gus, 'agent');
SELECT contact_identity.set_distinct(1, :gus, 'agent');
SELECT contact_identity.set_distinct(1, :gus, 'agent', lifted => true);
INSERT INTO contact_identity.inbox (source, ext_id, attributes) VALUES ('nowhere', NULL, '{"note": "to be forgotten"}'), ('nowhere', 'gus', NULL);
SELECT contact_identity.erase(:gus, suppress => true, actor => 'agent');
SELECT request FROM contact_identity.rejected ORDER BY rejected_id DESC LIMIT 2;
-- fail
SELECT contact_identity.identify('api', ext_id => 'gus');
DELETE FROM contact_identity.contacts WHERE contact_id OPERATOR(pg_catalog.=) 1;
CALL contact_identity.purge_anonymous('0');
SELECT contact_identity.unfollow('app.orders', 'contact_id');
SELECT * FROM contact_identity.check_integrity();

SELECT contact_identity.setup();

\c :home
DROP DATABASE regress_contact_identity_path;
