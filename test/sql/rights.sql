-- Who may do what: the owner of the tables is no superuser, and whoever calls
-- needs the right to execute a function and no right on any table.
SELECT current_database() AS home \gset
CREATE DATABASE regress_contact_identity_rights TEMPLATE template0;
CREATE ROLE regress_contact_identity_owner;
CREATE ROLE regress_contact_identity_app;
CREATE ROLE regress_contact_identity_nobody;
\c regress_contact_identity_rights
\set VERBOSITY terse
SET client_min_messages = warning;

-- fail: installing takes CREATE on the database
SET SESSION AUTHORIZATION regress_contact_identity_owner;
CREATE EXTENSION contact_identity;
RESET SESSION AUTHORIZATION;
GRANT CREATE ON DATABASE regress_contact_identity_rights TO regress_contact_identity_owner;
SET SESSION AUTHORIZATION regress_contact_identity_owner;
CREATE EXTENSION contact_identity;

-- fail: there are no tables yet, and the hint says how to get them
\set VERBOSITY default
SELECT contact_identity.capture('push', 'browser');
\echo :SQLSTATE
\set VERBOSITY terse

-- every other function says the same, also to arguments that mean nothing
CREATE FUNCTION pg_temp.answer(routine regprocedure) RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
    EXECUTE (SELECT format('SELECT * FROM %s(%s)', p.oid::regproc, string_agg(
                        CASE t WHEN 'integer'::regtype THEN '1' WHEN 'bigint'::regtype THEN '1'
                               WHEN 'text'::regtype THEN quote_literal('email')
                               WHEN 'jsonb'::regtype THEN quote_literal('[]') ELSE 'NULL' END
                        || '::' || t::regtype, ', ' ORDER BY n))
             FROM pg_proc p LEFT JOIN unnest(p.proargtypes::oid[]) WITH ORDINALITY a (t, n) ON true
             WHERE p.oid = routine GROUP BY p.oid);
    RETURN 'none';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END
$$;
SELECT p.oid::regprocedure AS routine, pg_temp.answer(p.oid) AS answer
FROM pg_proc p
WHERE p.pronamespace = 'contact_identity'::regnamespace AND p.prokind = 'f'
  AND p.prorettype <> 'trigger'::regtype AND p.proname NOT IN ('setup', 'make_views', 'detach')
  AND pg_temp.answer(p.oid) <> '42P01'
ORDER BY 1;
SELECT count(*) > 15 AS many FROM pg_proc p
WHERE p.pronamespace = 'contact_identity'::regnamespace AND pg_temp.answer(p.oid) = '42P01';

-- the owner's default privileges give PUBLIC nothing of ours either
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO PUBLIC;
SELECT contact_identity.setup();
ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON SEQUENCES FROM PUBLIC;

-- what is not the installer's
SELECT c.oid::regclass, c.relowner::regrole FROM pg_class c
WHERE c.relnamespace = 'contact_identity'::regnamespace AND c.relowner <> current_user::regrole;
SELECT p.oid::regprocedure, p.proowner::regrole FROM pg_proc p
WHERE p.pronamespace = 'contact_identity'::regnamespace AND p.proowner <> current_user::regrole;
SELECT t.oid::regtype, t.typowner::regrole FROM pg_type t
WHERE t.typnamespace = 'contact_identity'::regnamespace AND t.typowner <> current_user::regrole;
SELECT n.nspowner::regrole FROM pg_namespace n WHERE n.nspname = 'contact_identity';

-- what PUBLIC may do: execute no function, see no table, view or sequence
SELECT p.oid::regprocedure FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
WHERE p.pronamespace = 'contact_identity'::regnamespace AND a.grantee = 0;
SELECT c.oid::regclass, a.privilege_type FROM pg_class c,
       aclexplode(coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner))) a
WHERE c.relnamespace = 'contact_identity'::regnamespace AND c.relkind NOT IN ('i', 'I', 'c') AND a.grantee = 0;
SELECT a.privilege_type FROM pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
WHERE n.nspname = 'contact_identity' AND a.grantee = 0;

-- setup() again changes nothing: no row of a catalog, no row of a table
CREATE FUNCTION pg_temp.versions() RETURNS TABLE (catalog text, object oid, part bigint, version text)
LANGUAGE sql AS
$$
    SELECT 'pg_class', c.oid, 0, c.xmin::text FROM pg_class c
    WHERE c.relnamespace = 'contact_identity'::regnamespace
    UNION ALL SELECT 'pg_attribute', a.attrelid, a.attnum, a.xmin::text
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = 'contact_identity'::regnamespace
    UNION ALL SELECT 'pg_proc', p.oid, 0, p.xmin::text FROM pg_proc p
    WHERE p.pronamespace = 'contact_identity'::regnamespace
    UNION ALL SELECT 'pg_type', t.oid, 0, t.xmin::text FROM pg_type t
    WHERE t.typnamespace = 'contact_identity'::regnamespace
    UNION ALL SELECT 'pg_constraint', o.oid, 0, o.xmin::text FROM pg_constraint o
    WHERE o.connamespace = 'contact_identity'::regnamespace
    UNION ALL SELECT 'pg_trigger', t.oid, 0, t.xmin::text
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE c.relnamespace = 'contact_identity'::regnamespace
    UNION ALL SELECT 'pg_rewrite', r.oid, 0, r.xmin::text
    FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
    WHERE c.relnamespace = 'contact_identity'::regnamespace
    UNION ALL SELECT 'pg_description', d.objoid, d.objsubid, d.xmin::text FROM pg_description d
    UNION ALL SELECT 'account', 0, account_id, xmin::text FROM contact_identity.account
    UNION ALL SELECT 'source', 0, row_number() OVER (ORDER BY source), xmin::text FROM contact_identity.source
$$;
CREATE TEMP TABLE before AS SELECT * FROM pg_temp.versions();
SELECT contact_identity.setup();
CREATE TEMP TABLE after AS SELECT * FROM pg_temp.versions();
SELECT catalog FROM ((TABLE before EXCEPT TABLE after) UNION ALL (TABLE after EXCEPT TABLE before)) changed;
SELECT count(*) > 500 AS compared FROM before;
DROP TABLE before, after;

-- fail: a role that has nothing cannot even name our functions
SET SESSION AUTHORIZATION regress_contact_identity_nobody;
SELECT contact_identity.capture('push', 'browser');
-- fail: the schema alone gives nothing
RESET SESSION AUTHORIZATION;
GRANT USAGE ON SCHEMA contact_identity TO regress_contact_identity_nobody, regress_contact_identity_app;
SET SESSION AUTHORIZATION regress_contact_identity_nobody;
SELECT contact_identity.capture('push', 'browser');
SELECT * FROM contact_identity.contacts;
SELECT * FROM contact_identity.contact;
SELECT contact_identity.setup();

-- two functions and no table: enough to identify
SET SESSION AUTHORIZATION regress_contact_identity_owner;
GRANT EXECUTE ON FUNCTION contact_identity.capture, contact_identity.identify TO regress_contact_identity_app;
SET SESSION AUTHORIZATION regress_contact_identity_app;
SELECT c.oid::regclass FROM pg_class c
WHERE c.relnamespace = 'contact_identity'::regnamespace AND c.relkind IN ('r', 'p', 'v')
  AND has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES');
SELECT contact_identity.capture('push', 'browser') = contact_identity.capture('push', 'browser') AS same;
SELECT outcome FROM contact_identity.identify('push', 'browser', email => 'ann@example.org');
-- fail: the other functions, the views and the tables are not granted
SELECT * FROM contact_identity.merge(1, 2, 'agent');
SELECT * FROM contact_identity.contacts;
SELECT contact_identity.resolve(1);
INSERT INTO contact_identity.identifier DEFAULT VALUES;
-- history names who called [10.1]
RESET SESSION AUTHORIZATION;
SELECT DISTINCT role FROM contact_identity.history;

-- the caller is himself again after each call, after an error that a block
-- caught, and after one that a savepoint undid
SET SESSION AUTHORIZATION regress_contact_identity_app;
DO $$
BEGIN
    BEGIN
        PERFORM contact_identity.identify('push', 'browser', email => 'malformed');
    EXCEPTION WHEN invalid_parameter_value THEN
        RAISE WARNING 'caught as %', current_user;
    END;
    PERFORM contact_identity.capture('push', 'browser 2');
    RAISE WARNING 'called as %', current_user;
    PERFORM count(*) FROM contact_identity.contact;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE WARNING '% may not read the table', current_user;
END
$$;
BEGIN;
SAVEPOINT s;
SELECT contact_identity.capture('nothing', 'browser');
ROLLBACK TO SAVEPOINT s;
SELECT current_user;
SELECT contact_identity.capture('push', 'browser 3') > 0 AS captured;
SELECT current_user;
-- fail
SELECT count(*) FROM contact_identity.contact;
ROLLBACK;
SELECT current_user;

-- a view can be granted, with the function that says which accounts to show
SET SESSION AUTHORIZATION regress_contact_identity_owner;
GRANT SELECT ON contact_identity.contacts, contact_identity.contact_counts TO regress_contact_identity_app;
GRANT EXECUTE ON FUNCTION contact_identity.readable_accounts TO regress_contact_identity_app;
SET SESSION AUTHORIZATION regress_contact_identity_app;
SELECT state, email FROM contact_identity.contacts ORDER BY contact_id;
SELECT identified, home_total FROM contact_identity.contact_counts;
-- fail: not for writing
UPDATE contact_identity.contact SET state = 'erased';

-- fail: whoever may not create in the schema cannot set up either
SET SESSION AUTHORIZATION regress_contact_identity_owner;
GRANT EXECUTE ON FUNCTION contact_identity.setup, contact_identity.make_views TO regress_contact_identity_nobody;
SET SESSION AUTHORIZATION regress_contact_identity_nobody;
SELECT contact_identity.setup();
SET SESSION AUTHORIZATION regress_contact_identity_owner;

-- fail: the views use the extension's functions
DROP EXTENSION contact_identity;
-- with CASCADE the functions and views go, the tables and their rows stay
SELECT contact_identity.capture('push', 'browser') AS browser \gset
DROP EXTENSION contact_identity CASCADE;
SELECT to_regclass('contact_identity.contacts') AS view,
       (SELECT count(*) FROM pg_proc WHERE pronamespace = 'contact_identity'::regnamespace) AS functions,
       (SELECT count(*) FROM contact_identity.contact) AS contacts,
       (SELECT count(*) FROM contact_identity.identifier) AS identifiers;

-- fail: the schema is no place for an extension while others may create in it
GRANT CREATE ON SCHEMA contact_identity TO regress_contact_identity_app;
CREATE EXTENSION contact_identity;
REVOKE CREATE ON SCHEMA contact_identity FROM regress_contact_identity_app;
-- fail: nor for another role's
RESET SESSION AUTHORIZATION;
GRANT CREATE ON DATABASE regress_contact_identity_rights TO regress_contact_identity_nobody;
SET SESSION AUTHORIZATION regress_contact_identity_nobody;
CREATE EXTENSION contact_identity;

-- its owner resumes, in the same session
SET SESSION AUTHORIZATION regress_contact_identity_owner;
CREATE EXTENSION contact_identity;
SELECT contact_identity.setup();
SELECT contact_identity.capture('push', 'browser') = :browser AS same;
SELECT outcome FROM contact_identity.identify('push', 'browser', email => 'ann@example.org');
SELECT contact_identity.capture('push', 'browser 4') > :browser AS new;
SELECT state, email FROM contact_identity.contacts ORDER BY contact_id;
SELECT identified, home_total FROM contact_identity.contact_counts;
SELECT * FROM contact_identity.check_integrity();
-- and in another one; the rights on functions are to be granted again
\c -
\set VERBOSITY terse
SET SESSION AUTHORIZATION regress_contact_identity_app;
SELECT contact_identity.capture('push', 'browser');
SET SESSION AUTHORIZATION regress_contact_identity_owner;
GRANT EXECUTE ON FUNCTION contact_identity.capture TO regress_contact_identity_app;
SET SESSION AUTHORIZATION regress_contact_identity_app;
SELECT contact_identity.capture('push', 'browser') = :browser AS same;

-- the owner is no superuser, and what he makes of the tables harms nobody else
SET SESSION AUTHORIZATION regress_contact_identity_owner;
BEGIN;
ALTER TABLE contact_identity.contact ALTER origin TYPE bigint USING 81985529216486895;
-- fail: a number is no text to read
SELECT contact_identity.capture('push', 'browser');
ROLLBACK;
BEGIN;
ALTER TABLE contact_identity.contact ALTER attribute_times DROP NOT NULL;
UPDATE contact_identity.contact SET attribute_times = NULL;
-- fail: nor is nothing
SELECT contact_identity.identify('push', 'browser', email => 'ann@example.org');
ROLLBACK;
BEGIN;
UPDATE contact_identity.contact SET attributes = '[1, 2]', attribute_times = '{"a": [1, "shop"]}';
-- fail: nor an array an object
SELECT contact_identity.identify('push', 'browser', email => 'ann@example.org');
ROLLBACK;
BEGIN;
UPDATE contact_identity.contact SET attributes = '{"a": 1}', attribute_times = '["a"]';
-- fail: nor are the times one
SELECT contact_identity.identify('push', 'browser', email => 'ann@example.org');
ROLLBACK;
BEGIN;
INSERT INTO contact_identity.conflict (account_id, contact_id, field_type, field, secondary_value, source, status, given_at)
SELECT 1, :browser, 'identifier', 'email', '{"a": 1}', 'push', 'open', now();
-- fail: nor an object a value
SELECT contact_identity.identify('push', 'browser', email => 'ann@example.org');
ROLLBACK;
BEGIN;
DROP VIEW contact_identity.conflicts CASCADE;
ALTER TABLE contact_identity.conflict ALTER via TYPE bigint USING 81985529216486895;
INSERT INTO contact_identity.conflict (account_id, contact_id, field_type, field, secondary_value, source, via, status, given_at)
SELECT 1, :browser, 'attribute', 'a', '1', 'push', 81985529216486895, 'open', now();
-- fail: neither in what is returned
SELECT * FROM contact_identity.contact_panel(:browser);
ROLLBACK;

RESET SESSION AUTHORIZATION;
CREATE SCHEMA try AUTHORIZATION regress_contact_identity_owner;
GRANT USAGE ON SCHEMA try TO PUBLIC;
SET SESSION AUTHORIZATION regress_contact_identity_owner;
-- what explains, undoes and forgets (RULES 10): a call of each, with its arguments by name
SELECT contact_id AS ann FROM contact_identity.identify('conversations', 'visitor a', email => 'ann@example.org', phone => '+442071234567') \gset
SELECT contact_id AS bob FROM contact_identity.identify('shop', ext_id => 'bobs number', email => 'bob@example.org') \gset
SELECT contact_id AS cat FROM contact_identity.identify('shop', ext_id => 'cats number', attributes => '{"note": "cats secret"}') \gset
SELECT outcome FROM contact_identity.merge(:bob, :cat, 'Eve');
CREATE TABLE try.app_orders (no integer PRIMARY KEY, contact_id bigint);
CREATE TEMP TABLE argument AS
SELECT * FROM (VALUES ('source', '''shop'''), ('email', '''bob@example.org'''), ('ext_id', '''bobs number'''),
    ('attributes', '''{"note": "bobs secret"}'''), ('contact_id', :'ann'), ('survivor', :'ann'), ('loser', :'bob'), ('a', :'ann'), ('b', :'bob'),
    ('agent', '''Eve'''), ('kind', '''email'''), ('value', '''bob@example.org'''), ('as_of', '''infinity'''), ('older_than', '''0'''),
    ('table', '''try.app_orders'''), ('column', '''contact_id'''), ('contact_ids', format('ARRAY[%s::bigint]', :'ann')),
    ('account_id', '1'), ('verified', 'false'), ('suppress', 'true'), ('lifted', 'true'), ('newer_wins', 'true'), ('batch_size', '10')) a (name, value);
CREATE TEMP TABLE call AS
SELECT p.oid, p.proname::text AS name, p.prokind,
       (SELECT jsonb_object_agg(a.name, CASE WHEN p.proname = 'unmerge' AND a.name = 'loser' THEN :'cat' ELSE a.value END)
        FROM unnest(p.proargnames) WITH ORDINALITY u (name, n) JOIN argument a USING (name)
        WHERE coalesce(p.proargmodes[u.n], 'i') = 'i') AS args
FROM pg_proc p
WHERE p.pronamespace = 'contact_identity'::regnamespace
  AND p.proname = ANY ('{preview_identify,preview_merge,unmerge,set_distinct,contact_as_of,owner_as_of,timeline,graph,erase,purge_anonymous,follow,unfollow,repoint_followed,unfollowed_references,named_contacts}');
SELECT name, (SELECT string_agg(k, ' ' ORDER BY k) FROM jsonb_object_keys(args) k) AS arguments FROM call ORDER BY name;
GRANT SELECT ON call TO PUBLIC;
-- how a call ends, with some of its arguments null, and whether its error says
-- what is personal; it leaves nothing
CREATE FUNCTION try.tried(tried_name text, without text[] DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
    item record;
    statement text;
    shown text;
    part text;
BEGIN
    SELECT CASE c.prokind WHEN 'p' THEN 'CALL contact_identity.' ELSE 'SELECT * FROM contact_identity.' END || c.name || '('
           || (SELECT string_agg(format('%I => %s', e.key, CASE WHEN e.key = ANY (without) THEN 'NULL' ELSE e.value END), ', ')
               FROM jsonb_each_text(c.args) e) || CASE c.prokind WHEN 'p' THEN ', purged => NULL)' ELSE ')' END
    INTO statement
    FROM call c WHERE c.name = tried_name;
    BEGIN
        EXECUTE statement;
        RAISE SQLSTATE 'TRIED';
    EXCEPTION WHEN SQLSTATE 'TRIED' THEN
        RETURN 'answers';
    WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS shown = MESSAGE_TEXT;
        GET STACKED DIAGNOSTICS part = PG_EXCEPTION_DETAIL;
        shown := shown || part;
        GET STACKED DIAGNOSTICS part = PG_EXCEPTION_HINT;
        shown := shown || part;
        RETURN SQLSTATE || CASE WHEN shown ~* 'bob@|ann@|secret|2071234567|number' THEN ' and says what is personal' ELSE '' END;
    END;
END
$$;
-- the owner of it all, who is no superuser
SELECT answer, string_agg(name, ' ' ORDER BY name) AS calls FROM (SELECT name, try.tried(name) AS answer FROM call) c GROUP BY 1 ORDER BY 1;
-- a role that may use the schema, and no more
SET SESSION AUTHORIZATION regress_contact_identity_nobody;
SELECT answer, count(*) FROM (SELECT try.tried(name) AS answer FROM call) c GROUP BY 1;
-- one that may execute one of them at a time: follow is for the owner of the table
RESET SESSION AUTHORIZATION;
CREATE TEMP TABLE answered (granted text, name text, answer text);
GRANT ALL ON answered TO PUBLIC;
DO $$
DECLARE
    item record;
BEGIN
    FOR item IN SELECT c.oid::regprocedure AS routine, c.name FROM call c LOOP
        EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO regress_contact_identity_app', item.routine);
        SET LOCAL ROLE regress_contact_identity_app;
        INSERT INTO answered SELECT item.name, c.name, try.tried(c.name) FROM call c;
        RESET ROLE;
        EXECUTE format('REVOKE EXECUTE ON ROUTINE %s FROM regress_contact_identity_app', item.routine);
    END LOOP;
END
$$;
SELECT answer, string_agg(name, ' ' ORDER BY name) AS calls FROM answered WHERE granted = name GROUP BY 1 ORDER BY 1;
SELECT answer, count(*) FROM answered WHERE granted <> name GROUP BY answer;
DROP TABLE answered;
-- each argument in its turn null, and all of them
SET SESSION AUTHORIZATION regress_contact_identity_owner;
SELECT answer, string_agg(format('%s(%s)', name, argument), ' ' ORDER BY name, argument) AS calls
FROM (SELECT c.name, e.key AS argument, try.tried(c.name, ARRAY[e.key]) AS answer FROM call c CROSS JOIN jsonb_each_text(c.args) e) a
GROUP BY answer ORDER BY answer;
SELECT answer, string_agg(name, ' ' ORDER BY name) AS calls
FROM (SELECT c.name, try.tried(c.name, ARRAY(SELECT jsonb_object_keys(c.args))) AS answer FROM call c) a GROUP BY answer ORDER BY answer;
-- one of the tables dropped: a call that needs it says so, or that setup() is to be run
CREATE FUNCTION try.dropped() RETURNS TABLE (relation text, answer text, calls text) LANGUAGE plpgsql AS
$$
DECLARE
    item text;
BEGIN
    FOR item IN SELECT relname FROM pg_class WHERE relnamespace = 'contact_identity'::regnamespace AND relkind = 'r' ORDER BY relname LOOP
        BEGIN
            EXECUTE format('DROP TABLE contact_identity.%I CASCADE', item);
            SELECT array_agg(ARRAY[c.name, try.tried(c.name)] ORDER BY c.name)::text INTO STRICT calls FROM call c;
            RAISE SQLSTATE 'TRIED';
        EXCEPTION WHEN SQLSTATE 'TRIED' THEN
            NULL;
        END;
        RETURN QUERY SELECT item, t.a[i][2], string_agg(t.a[i][1], ' ' ORDER BY t.a[i][1])
                     FROM (SELECT calls::text[] AS a) t, generate_subscripts(t.a, 1) i GROUP BY 1, 2;
    END LOOP;
END
$$;
SET client_min_messages = error;
SELECT count(*) > 20 AS tried FROM try.dropped();
SELECT * FROM try.dropped() WHERE answer NOT IN ('answers', '42P01', '55000');
RESET client_min_messages;
DROP FUNCTION try.dropped, try.tried;
DROP TABLE call, argument;
DROP TABLE try.app_orders;

RESET SESSION AUTHORIZATION;
\c :home
DROP DATABASE regress_contact_identity_rights;
DROP ROLE regress_contact_identity_owner, regress_contact_identity_app, regress_contact_identity_nobody;
