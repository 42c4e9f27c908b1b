-- Calls every routine of the extension with the values of values.sql, and says
-- of each what came of it.
CREATE TABLE hostile.result (number serial, phase text, role name DEFAULT current_user, statement text, state text, message text, bad text);
CREATE TABLE hostile.tally (phase text, role name DEFAULT current_user, routine text, state text, times bigint DEFAULT 1,
                            PRIMARY KEY (phase, role, routine, state));
CREATE TABLE hostile.routine AS
SELECT p.oid::regprocedure AS signature, p.proname::text AS name, format('contact_identity.%I', p.proname) AS called, p.prokind = 'p' AS is_procedure,
       p.prorettype = 'trigger'::regtype AS is_trigger, p.proretset AS is_set,
       coalesce(p.proargnames, '{}')::text[] AS names,
       ARRAY(SELECT t.oid::regtype::text FROM unnest(p.proargtypes) WITH ORDINALITY a (oid, n) JOIN pg_type t ON t.oid = a.oid ORDER BY n) AS types
FROM pg_proc p
JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'contact_identity';
GRANT ALL ON ALL TABLES IN SCHEMA hostile TO PUBLIC;
GRANT ALL ON ALL SEQUENCES IN SCHEMA hostile TO PUBLIC;

-- What is wrong about an error, or null.  class: further states that the phase expects.
CREATE FUNCTION hostile.fault(state text, message text, class text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
    -- Names of columns and the text of a query are the caller's own, and no data;
    -- an index is made by setup(), for the owner who may read it.
    SELECT CASE WHEN state = 'ZZ666' THEN 'found a function of another schema'
                WHEN message ~ 'zqx' AND message !~ '^(column ".*" of|syntax error at or near|unterminated|could not create unique index)' THEN 'shows a personal value'
                -- ARRAY() of a call that answers an empty array
                WHEN state = '2202E' AND message = 'cannot accumulate empty arrays' THEN NULL
                WHEN state !~ ('^(22023|ZZ000|00000|23505|42501|42P01|428C9|54000|55000|P0002|0A000|40001' || class || ')$') THEN 'unexpected error'
           END
$$;

-- Runs a statement, which is rolled back unless it is to be kept, and notes what came of it.
CREATE FUNCTION hostile.try(phase text, routine text, statement text, keep boolean DEFAULT false, class text DEFAULT '',
                            path text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    state text := '00000';
    message text;
    detail text;
    hint text;
    bad text;
BEGIN
    BEGIN
        IF path IS NOT NULL THEN
            PERFORM pg_catalog.set_config('search_path', path, true);
        END IF;
        EXECUTE statement;
        IF path IS NOT NULL THEN
            PERFORM pg_catalog.set_config('search_path', 'pg_catalog', true);
        END IF;
        IF NOT keep THEN
            RAISE EXCEPTION USING ERRCODE = 'ZZ000';
        END IF;
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    END;
    message := concat_ws(' / ', message, nullif(detail, ''), nullif(hint, ''));
    bad := hostile.fault(state, message, class);
    INSERT INTO hostile.tally VALUES (phase, current_user, routine, replace(state, 'ZZ000', '00000'))
        ON CONFLICT ON CONSTRAINT tally_pkey DO UPDATE SET times = tally.times + 1;
    IF bad IS NOT NULL THEN
        INSERT INTO hostile.result (phase, statement, state, message, bad) VALUES (phase, left(statement, 2000), state, left(message, 500), bad);
    END IF;
    RETURN state;
END
$$;

-- The statement that calls a routine with those expressions.
CREATE FUNCTION hostile.call(routine hostile.routine, expressions text[]) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN routine.is_procedure THEN format('CALL %s(%s)', routine.called, a.list)
                WHEN routine.is_trigger THEN format('SELECT %s()', routine.called)
                ELSE format('SELECT pg_catalog.format(''%%s'', x) FROM %s(%s) x', routine.called, a.list) END
    FROM (SELECT coalesce(string_agg(format('%I => (%s)::%s', routine.names[n], expressions[n],
              (SELECT format('pg_catalog.%I', t.typname) FROM pg_type t WHERE t.oid = routine.types[n]::regtype)), ', ' ORDER BY n), '') AS list
          FROM generate_subscripts(routine.types, 1) n) a
$$;

-- What a routine is given when all is well.
CREATE FUNCTION hostile.base(routine hostile.routine) RETURNS text[]
LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(coalesce(
        (SELECT b.expression FROM hostile.base b WHERE b.argument = routine.names[n] AND coalesce(b.routine, routine.name) = routine.name
         ORDER BY b.routine NULLS LAST LIMIT 1), 'NULL') ORDER BY n), '{}')
    FROM generate_subscripts(routine.types, 1) n
$$;

CREATE FUNCTION hostile.class_of(routine text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN routine IN ('attach', 'detach', 'import', 'follow', 'unfollow') THEN '|42[67P8]..'
                WHEN routine ~ '^purge_' THEN '|2D000' ELSE '' END
$$;

-- A valid call of each, then each argument with each value of its type; with a
-- path, those that need nothing of pg_catalog.
CREATE PROCEDURE hostile.each_argument(share float DEFAULT 1, path text DEFAULT NULL)
LANGUAGE plpgsql AS $$
DECLARE
    r hostile.routine;
    base text[];
    given text[];
    v record;
    state text;
    name constant text := 'each argument' || CASE WHEN path IS NOT NULL THEN ', hostile path' ELSE '' END;
BEGIN
    FOR r IN SELECT * FROM hostile.routine WHERE NOT is_trigger ORDER BY signature::text LOOP
        base := hostile.base(r);
        state := hostile.try(name, r.name, hostile.call(r, base), false, hostile.class_of(r.name), path);
        IF state <> 'ZZ000' AND current_user <> 'hostile_nobody' THEN
            INSERT INTO hostile.result (phase, statement, state, bad)
            SELECT name, hostile.call(r, base), state, 'the valid call fails'
            WHERE NOT EXISTS (SELECT FROM unnest(r.names[:array_length(r.types, 1)]) n WHERE n NOT IN (SELECT argument FROM hostile.base))
              AND r.name !~ '^purge_'
              AND NOT (current_user = 'hostile_app' AND r.name IN ('setup', 'make_views', 'attach', 'detach') AND state = '42501');
        END IF;
        FOR n IN 1 .. coalesce(array_length(r.types, 1), 0) LOOP
            FOR v IN SELECT expression FROM hostile.value x WHERE x.type = r.types[n] AND random() < share
                     AND (path IS NULL OR expression !~ '\|\||\(|now') ORDER BY number LOOP
                given := base;
                given[n] := v.expression;
                PERFORM hostile.try(name, r.name, hostile.call(r, given), false, hostile.class_of(r.name), path);
            END LOOP;
        END LOOP;
        COMMIT;
    END LOOP;
END
$$;

-- Some expression of a type.
CREATE FUNCTION hostile.some_value(type text, plain boolean) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT expression FROM hostile.value x WHERE x.type = $1 AND (NOT plain OR expression !~ '\|\||\(|now') ORDER BY random() LIMIT 1
$$;

-- Calls with any values in any arguments; what they do is kept.
CREATE PROCEDURE hostile.combinations(times integer, path text DEFAULT NULL)
LANGUAGE plpgsql AS $$
DECLARE
    r hostile.routine;
    given text[];
    phase constant text := 'combinations' || CASE WHEN path IS NOT NULL THEN ', hostile path' ELSE '' END;
BEGIN
    FOR i IN 1 .. times LOOP
        SELECT * INTO r FROM hostile.routine WHERE NOT is_trigger AND name NOT IN ('setup', 'make_views', 'check_integrity') ORDER BY random() LIMIT 1;
        given := hostile.base(r);
        FOR n IN 1 .. coalesce(array_length(given, 1), 0) LOOP
            IF random() < 0.4 THEN
                given[n] := hostile.some_value(r.types[n], path IS NOT NULL);
            END IF;
            IF r.names[n] IN ('contact_id', 'survivor', 'loser', 'conflict_id') AND random() < 0.6 THEN
                given[n] := 1 + floor(random() * 30)::int;
            END IF;
        END LOOP;
        PERFORM hostile.try(phase, r.name, hostile.call(r, given), true, hostile.class_of(r.name), path);
        IF i % 50 = 0 THEN
            COMMIT;
        END IF;
    END LOOP;
    COMMIT;
END
$$;

-- Each column of the views that can be written to, with each value of its type.
CREATE PROCEDURE hostile.each_column(share float DEFAULT 1)
LANGUAGE plpgsql AS $$
DECLARE
    c record;
    v record;
    view text;
    expression text;
BEGIN
    FOR c IN
        SELECT r.oid::regclass AS view, r.relname AS name, a.attname AS field, format_type(a.atttypid, NULL) AS type
        FROM pg_class r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0
        WHERE r.relnamespace = 'contact_identity'::regnamespace AND r.relname IN ('contacts', 'all_contacts', 'inbox')
        ORDER BY r.relname, a.attnum
    LOOP
        FOR v IN SELECT x.expression FROM hostile.value x WHERE x.type = c.type AND random() < share ORDER BY number LOOP
            view := c.view::text;
            expression := format('(%s)::%s', v.expression, c.type);
            PERFORM hostile.try('each column', c.name, CASE c.name WHEN 'inbox' THEN
                    format('INSERT INTO %s (%s %I) VALUES (%s %s)', view, CASE WHEN c.field <> 'source' THEN 'source,' END, c.field,
                           CASE WHEN c.field <> 'source' THEN '''conversations'',' END, expression)
                ELSE format('INSERT INTO %s (%s %I) VALUES (%s %s) RETURNING *', view, CASE WHEN c.field <> 'ext_id' THEN 'ext_id,' END, c.field,
                            CASE WHEN c.field <> 'ext_id' THEN '''zqxid'',' END, expression) END);
            IF c.name <> 'inbox' THEN
                PERFORM hostile.try('each column', c.name, format('UPDATE %s SET %I = %s WHERE contact_id < 3 RETURNING *', view, c.field, expression));
            END IF;
            PERFORM hostile.try('each column', c.name, format('DELETE FROM %s WHERE %I IS NOT DISTINCT FROM %s', view, c.field, expression),
                                false, CASE WHEN c.type = 'regclass' THEN '|42883' END);
        END LOOP;
        COMMIT;
    END LOOP;
    FOREACH view IN ARRAY '{contacts,all_contacts,inbox}'::text[] LOOP
        view := 'contact_identity.' || view;
        PERFORM hostile.try('each column', view, format('INSERT INTO %s DEFAULT VALUES', view));
        PERFORM hostile.try('each column', view, format('INSERT INTO %s DEFAULT VALUES ON CONFLICT DO NOTHING', view));
        PERFORM hostile.try('each column', view, format('INSERT INTO %s SELECT * FROM %s', view, view));
        PERFORM hostile.try('each column', view, format('UPDATE %s SET email = ''zqxall@example.org''', view));
        PERFORM hostile.try('each column', view, format('UPDATE %1$s a SET email = b.email FROM %1$s b', view));
        PERFORM hostile.try('each column', view, format('DELETE FROM %s', view));
        PERFORM hostile.try('each column', view, format('WITH d AS (DELETE FROM %1$s RETURNING *) UPDATE %1$s SET email = NULL', view));
        PERFORM hostile.try('each column', view, format('MERGE INTO %1$s USING %1$s s ON false WHEN NOT MATCHED THEN INSERT DEFAULT VALUES', view));
        PERFORM hostile.try('each column', view, format('LOCK TABLE %s', view));
        PERFORM hostile.try('each column', view, format('SELECT * FROM %s FOR UPDATE', view));
        PERFORM hostile.try('each column', view, format('TRUNCATE %s', view), false, '|42809');
    END LOOP;
END
$$;

-- Trigger functions called as none, and as triggers of what they are not for.
CREATE PROCEDURE hostile.each_trigger()
LANGUAGE plpgsql AS $$
DECLARE
    r hostile.routine;
    target text;
    fired text;
    argument text;
    real_one record;
    states constant text := '|39P01|2BP01|23514|42...';
BEGIN
    FOR r IN SELECT * FROM hostile.routine WHERE is_trigger ORDER BY signature::text LOOP
        PERFORM hostile.try('triggers', r.name, format('SELECT %s()', r.called), false, states);
        FOREACH target IN ARRAY '{hostile.orders,hostile.odd,hostile.no_columns,hostile.parts,hostile.a_view,contact_identity.contacts,contact_identity.inbox,contact_identity.contact}'::text[] LOOP
            FOREACH fired IN ARRAY ARRAY[
                'BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW', 'AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW',
                'BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s FOR EACH STATEMENT', 'AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s FOR EACH STATEMENT',
                'INSTEAD OF INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW', 'AFTER INSERT ON %s REFERENCING NEW TABLE AS zqx FOR EACH STATEMENT',
                'AFTER UPDATE ON %s REFERENCING OLD TABLE AS a NEW TABLE AS b FOR EACH STATEMENT', 'AFTER INSERT OR UPDATE OR DELETE ON %s DEFERRABLE INITIALLY DEFERRED FOR EACH ROW'] LOOP
                FOREACH argument IN ARRAY ARRAY['', '''zqx''', '''1'', ''shop'', ''zqx'', ''''', array_to_string(array_fill('''email=email'''::text, '{40}'), ',')] LOOP
                    PERFORM hostile.try('triggers', r.name, format('CREATE %s TRIGGER wrong %s EXECUTE FUNCTION %s(%s);',
                            CASE WHEN fired ~ 'DEFERRABLE' THEN 'CONSTRAINT' END, format(fired, target), r.called, argument)
                        || format('INSERT INTO %s DEFAULT VALUES;', target), false, states || '|23502');
                    IF target ~ 'orders|contact' THEN
                        PERFORM hostile.try('triggers', r.name, format('CREATE %s TRIGGER wrong %s EXECUTE FUNCTION %s(%s);',
                                CASE WHEN fired ~ 'DEFERRABLE' THEN 'CONSTRAINT' END, format(fired, target), r.called, argument)
                            || CASE WHEN target ~ 'orders' THEN
                                 'INSERT INTO hostile.orders (no, email) VALUES (8, ''zqx8@example.org''), (9, NULL); UPDATE hostile.orders SET city = ''zqx''; DELETE FROM hostile.orders;'
                               || 'SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE hostile.orders;' ELSE format('UPDATE %s SET attributes = ''{}''; DELETE FROM %1$s;', target) END,
                            false, states || '|23...');
                    END IF;
                END LOOP;
            END LOOP;
            COMMIT;
        END LOOP;
    END LOOP;

    -- A real one, of a table that it was not made for, or with its arguments cut off.
    PERFORM contact_identity.attach('hostile.orders', 'shop', email => 'email', ext_id => 'no', attributes => '{city}', occurred_at => 'changed', contact_id => 'contact_id');
    FOR real_one IN SELECT pg_get_triggerdef(oid) AS made, tgname AS name FROM pg_trigger WHERE tgrelid = 'hostile.orders'::regclass AND NOT tgisinternal LOOP
        FOREACH target IN ARRAY '{hostile.odd,hostile.no_columns,hostile.parts,hostile.parts_1}'::text[] LOOP
            PERFORM hostile.try('triggers', real_one.name, replace(real_one.made, 'hostile.orders', target)
                || format(';INSERT INTO %s DEFAULT VALUES; UPDATE %1$s SET city = city', target), false, states || '|23514');
        END LOOP;
        FOR n IN 0 .. 12 LOOP
            PERFORM hostile.try('triggers', real_one.name, format('DROP TRIGGER %I ON hostile.orders;', real_one.name)
                || regexp_replace(real_one.made, format('(''[^'']*''(, )?){%s}\)$', n), ''''')')
                || ';INSERT INTO hostile.orders (no, email) VALUES (7, ''zqx7@example.org''); UPDATE hostile.orders SET city = ''zqx''', false, states);
        END LOOP;
    END LOOP;
    FOREACH target IN ARRAY ARRAY['DROP COLUMN email', 'RENAME email TO e', 'ALTER email TYPE int USING 1', 'DROP COLUMN contact_id', 'ALTER contact_id TYPE text',
                                  'ALTER changed TYPE date', 'ALTER no TYPE text', 'DROP CONSTRAINT orders_pkey', 'ADD COLUMN more text DEFAULT ''zqx'''] LOOP
        PERFORM hostile.try('triggers', 'attached', 'ALTER TABLE hostile.orders ' || target
            || ';INSERT INTO hostile.orders (no) VALUES (6); UPDATE hostile.orders SET city = ''zqx''', false, states);
    END LOOP;
    PERFORM contact_identity.detach('hostile.orders');
END
$$;

-- Valid calls in places and under settings where they are not expected.
CREATE PROCEDURE hostile.each_place(share float DEFAULT 1)
LANGUAGE plpgsql AS $$
DECLARE
    r hostile.routine;
    base text;
    form text;
    item text;
BEGIN
    FOR r IN SELECT * FROM hostile.routine WHERE NOT is_trigger ORDER BY signature::text LOOP
        base := hostile.call(r, hostile.base(r));
        IF NOT r.is_procedure THEN
            base := regexp_replace(regexp_replace(base, '^SELECT pg_catalog.format\(''%s'', x\) FROM ', ''), ' x$', '');
            FOREACH form IN ARRAY ARRAY[
                'SELECT %s', 'SELECT %s LIMIT 1', 'SELECT * FROM %s LIMIT 1', 'SELECT * FROM %s WITH ORDINALITY', 'SELECT * FROM ROWS FROM (%s, generate_series(1, 3)) x',
                'SELECT * FROM %s x, %s y', 'SELECT %s, %s', 'SELECT * FROM generate_series(1, 3) g, LATERAL %s x', 'SELECT * FROM %s AS (a integer, b text)',
                'VALUES (%s)', 'SELECT CASE WHEN random() < 2 THEN 1 END WHERE (%s) IS NOT NULL', 'SELECT ARRAY(SELECT %s)', 'SELECT count(*), max((%s)::text)',
                'SELECT 1 ORDER BY %s', 'SELECT row_number() OVER (ORDER BY (%s)::text)', 'SELECT (%s) IS NULL FROM generate_series(1, 2) GROUP BY 1',
                'DECLARE other SCROLL CURSOR FOR SELECT %s; MOVE LAST IN other; MOVE FIRST IN other; CLOSE other', 'DECLARE other CURSOR WITH HOLD FOR SELECT * FROM %s x',
                'EXPLAIN (ANALYZE, VERBOSE, BUFFERS) SELECT %s', 'CREATE TEMP TABLE other AS SELECT %s AS x', 'CREATE MATERIALIZED VIEW hostile.other AS SELECT %s AS x',
                'CREATE INDEX ON hostile.orders ((%s))', 'ALTER TABLE hostile.orders ADD CHECK ((%s) IS NOT NULL)', 'ALTER TABLE hostile.orders ADD x text DEFAULT (%s)::text',
                'DEALLOCATE ALL; PREPARE other AS SELECT %s; EXECUTE other; EXECUTE other', 'DO $d$ BEGIN PERFORM %s; PERFORM %s; EXCEPTION WHEN no_data_found THEN END $d$'] LOOP
                CONTINUE WHEN random() > share;
                -- a server with assertions ends at a cursor that a statement of the same EXECUTE has opened
                CONTINUE WHEN form LIKE 'DECLARE %; MOVE %' AND current_setting('debug_assertions')::boolean;
                PERFORM hostile.try('places', r.name, replace(form, '%s', base), false, '|23514|42601|42704|42804|42809|42883|42P1[67]');
            END LOOP;
            base := 'SELECT * FROM ' || base || ' x';
        END IF;
        PERFORM hostile.try('places', r.name, 'SET LOCAL transaction_read_only = on; ' || base, false, '|25006');
        FOREACH item IN ARRAY ARRAY['max_stack_depth = ''100kB''', 'work_mem = ''64kB''', 'row_security = off', 'DateStyle = ''SQL, DMY''', 'IntervalStyle = sql_standard',
            'TimeZone = ''Asia/Kathmandu''', 'bytea_output = escape', 'quote_all_identifiers = on', 'transform_null_equals = on', 'array_nulls = off', 'lc_messages = ''C''',
            'standard_conforming_strings = off', 'enable_indexscan = off', 'plan_cache_mode = force_custom_plan', 'plan_cache_mode = force_generic_plan', 'force_parallel_mode = on', 'constraint_exclusion = on',
            'default_tablespace = ''pg_default''', 'session_replication_role = replica', 'check_function_bodies = off', 'default_table_access_method = heap', 'jit_above_cost = 0',
            'contact_identity.account_id = 1', 'contact_identity.account_id = 2', 'contact_identity.account_id = 2147483647', 'contact_identity.account_id = 0',
            'contact_identity.batch_size = 1', 'contact_identity.batch_size = 1000000', 'contact_identity.other = 1'] LOOP
            CONTINUE WHEN random() > share;
            PERFORM hostile.try('places', r.name, 'SET LOCAL ' || item || '; ' || base, false, '|54001|42602');
        END LOOP;
        COMMIT;
    END LOOP;
END
$$;

-- Calls of every routine, or of some, after a statement of the tables' owner; all is undone.
CREATE FUNCTION hostile.after(phase text, change text, share float, class text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    r hostile.routine;
    results hostile.result[];
    tallies hostile.tally[];
BEGIN
    BEGIN
        EXECUTE change;
        FOR r IN SELECT * FROM hostile.routine WHERE NOT is_trigger AND random() < share ORDER BY signature::text LOOP
            PERFORM hostile.try(phase, r.name, hostile.call(r, hostile.base(r)), false, hostile.class_of(r.name) || class);
        END LOOP;
        IF random() < share THEN
            PERFORM hostile.try(phase, 'contacts', 'SELECT c::text FROM contact_identity.all_contacts c', false, class);
            PERFORM hostile.try(phase, 'contacts', 'UPDATE contact_identity.contacts SET attributes = ''{"a": 1}'' WHERE contact_id = 1 RETURNING *', false, class);
            PERFORM hostile.try(phase, 'contacts', 'INSERT INTO contact_identity.contacts (email) VALUES (''zqx@example.org'') RETURNING *', false, class);
            PERFORM hostile.try(phase, 'inbox', 'INSERT INTO contact_identity.inbox (source, email, key) VALUES (''api'', ''zqx@example.org'', NULL), (''push'', NULL, ''p1'')', false, class);
        END IF;
        results := ARRAY(SELECT x FROM hostile.result x);
        tallies := ARRAY(SELECT x FROM hostile.tally x);
        RAISE EXCEPTION USING ERRCODE = 'ZZ000';
    EXCEPTION
        WHEN SQLSTATE 'ZZ000' THEN
            INSERT INTO hostile.result (phase, role, statement, state, message, bad)
            SELECT x.phase, x.role, change || '; ' || x.statement, x.state, x.message, x.bad FROM unnest(results) x
            WHERE x.number NOT IN (SELECT number FROM hostile.result);
            -- all anew: to update a row that what was undone had updated fails an assertion of the server
            DELETE FROM hostile.tally;
            INSERT INTO hostile.tally SELECT (x).* FROM unnest(tallies) x;
        WHEN OTHERS THEN
            INSERT INTO hostile.result (phase, statement, state, message, bad) VALUES (phase, change, SQLSTATE, SQLERRM, 'the change is not possible');
    END;
END
$$;

CREATE PROCEDURE hostile.each_table(share float DEFAULT 1)
LANGUAGE plpgsql AS $$
DECLARE
    c record;
BEGIN
    FOR c IN SELECT r.oid::regclass AS name, CASE r.relkind WHEN 'r' THEN 'TABLE' WHEN 'v' THEN 'VIEW' ELSE 'INDEX' END AS kind
             FROM pg_class r LEFT JOIN pg_index i ON i.indexrelid = r.oid AND EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
             WHERE r.relnamespace = 'contact_identity'::regnamespace AND r.relkind IN ('r', 'v', 'i') AND i IS NULL
             ORDER BY r.relname
    LOOP
        PERFORM hostile.after('tables', format('DROP %s %s CASCADE', c.kind, c.name), share, '|42P01|42P10|42703');
        IF c.kind <> 'INDEX' THEN
            PERFORM hostile.after('tables', format('ALTER %s %s RENAME TO other', c.kind, c.name), share, '|42P01|42P07|42P10|42703|42809');
            PERFORM hostile.after('tables', format('ALTER %s %s RENAME TO other; CREATE VIEW %2$s AS TABLE contact_identity.other', c.kind, c.name), share * 0.3, '|39P01|42...|23502');
            PERFORM hostile.after('tables', format('REVOKE ALL ON %s FROM hostile_owner, hostile_app', c.name), share * 0.3, '');
        END IF;
        COMMIT;
    END LOOP;
END
$$;

-- Every column of every table of ours, renamed, dropped, of another type, null, or of other values.
CREATE PROCEDURE hostile.each_table_column(share float)
LANGUAGE plpgsql AS $$
DECLARE
    c record;
    change text;
    prepare text := (SELECT coalesce(string_agg(format('DROP VIEW IF EXISTS %s CASCADE;', oid::regclass), ''), '') FROM pg_class
                     WHERE relnamespace = 'contact_identity'::regnamespace AND relkind = 'v' AND relname <> 'inbox');
    constraints text;
    settings constant regclass[] := '{contact_identity.account,contact_identity.source,contact_identity.source_via,contact_identity.list,contact_identity.identifier_kind,contact_identity.blocked_value,contact_identity.attribute}';
    states constant text := '|42...|22...|23...|XX001';
BEGIN
    FOR c IN SELECT r.oid AS relation, r.oid::regclass AS name, a.attname AS field, format_type(a.atttypid, NULL) AS type, a.attgenerated AS generated, a.attidentity AS ident
             FROM pg_class r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
             WHERE r.relnamespace = 'contact_identity'::regnamespace AND r.relkind = 'r' AND random() < share * 4
             ORDER BY r.relname, a.attnum
    LOOP
        constraints := (SELECT string_agg(format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS %I CASCADE;', k.conrelid::regclass, k.conname), '')
                        FROM pg_constraint k WHERE k.conrelid = c.relation);
        constraints := concat(constraints, (SELECT string_agg(format('DROP TRIGGER %I ON %s;', t.tgname, c.name), '') FROM pg_trigger t
                        WHERE t.tgrelid = c.relation AND NOT t.tgisinternal));
        constraints := concat(constraints, (SELECT string_agg(format('DROP INDEX %s;', i.indexrelid::regclass), '') FROM pg_index i
                        WHERE i.indrelid = c.relation AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)));
        PERFORM hostile.after('columns', format('ALTER TABLE %s RENAME %I TO other', c.name, c.field), share, states);
        PERFORM hostile.after('columns', format('ALTER TABLE %s DROP %I CASCADE', c.name, c.field), share, states);
        PERFORM hostile.after('columns', prepare || format('ALTER TABLE %s DROP %I CASCADE; ALTER TABLE %1$s ADD %2$I %s', c.name, c.field, c.type), share, states);
        CONTINUE WHEN c.generated <> '';
        IF c.ident <> '' THEN
            constraints := constraints || format('ALTER TABLE %s ALTER %I DROP IDENTITY;', c.name, c.field);
        END IF;
        PERFORM hostile.after('columns', constraints || format('ALTER TABLE %s ALTER %I DROP NOT NULL; UPDATE %1$s SET %2$I = NULL', c.name, c.field), share, states);
        FOREACH change IN ARRAY '{text,jsonb,bytea,integer,bigint,numeric,boolean,interval,text[],int4range,timestamp,"char",name,point,hostile.a_type}'::text[] LOOP
            IF change <> c.type AND random() < share * 4 THEN
                PERFORM hostile.after('columns', prepare || constraints || format('ALTER TABLE %s ALTER %I DROP DEFAULT, ALTER %2$I DROP NOT NULL, ALTER %2$I TYPE %s USING NULL', c.name, c.field, change), share, states);
            END IF;
        END LOOP;
        FOR change IN SELECT v.expression FROM hostile.value v WHERE v.type = c.type AND length(v.expression) < 60 AND v.expression !~ '100000|pg_toast|contact_identity' AND random() < share * 2 LOOP
            PERFORM hostile.after('columns', prepare || constraints || format('ALTER TABLE %s ALTER %I DROP NOT NULL; UPDATE %1$s SET %2$I = (%s)::%s', c.name, c.field,
                -- Names of settings are not personal.
                CASE WHEN c.relation = ANY (settings) THEN replace(change, 'zqx', 'some') ELSE change END, c.type), share, states);
        END LOOP;
        COMMIT;
    END LOOP;
END
$$;

-- Values of many megabytes in each argument that can have them.
CREATE PROCEDURE hostile.each_large(octets bigint, share float DEFAULT 1)
LANGUAGE plpgsql AS $$
DECLARE
    r hostile.routine;
    given text[];
    large text;
BEGIN
    FOR r IN SELECT * FROM hostile.routine WHERE NOT is_trigger AND types && '{text,jsonb,text[]}'::text[] ORDER BY signature::text LOOP
        FOR n IN 1 .. array_length(r.types, 1) LOOP
            FOREACH large IN ARRAY CASE r.types[n]
                WHEN 'text' THEN ARRAY[format('repeat(repeat(''x'', 1000), %s)', octets / 1000)]
                WHEN 'text[]' THEN ARRAY[format('ARRAY[repeat(repeat(''x'', 1000), %s)]', octets / 4000)]
                WHEN 'jsonb' THEN ARRAY[format('jsonb_build_object(''a'', repeat(repeat(''x'', 1000), %s))', least(octets, 260000000) / 1000),
                                        format('jsonb_build_object(repeat(repeat(''x'', 1000), %s), 1)', least(octets, 260000000) / 1000),
                                        format('jsonb_build_array(jsonb_build_object(''source'', ''api'', ''email'', repeat(repeat(''x'', 1000), %s)))', least(octets, 260000000) / 1000)]
                ELSE '{}' END LOOP
                CONTINUE WHEN random() > share;
                given := hostile.base(r);
                given[n] := large;
                PERFORM hostile.try('large', r.name, hostile.call(r, given), false, hostile.class_of(r.name));
            END LOOP;
        END LOOP;
        COMMIT;
    END LOOP;
    PERFORM hostile.try('large', 'inbox', format('INSERT INTO contact_identity.inbox (source, email, attributes) VALUES (repeat(repeat(''x'', 1000), %1$s), NULL, NULL), (''api'', repeat(repeat(''x'', 1000), %1$s), NULL),'
                                       ' (''api'', NULL, repeat(repeat(''x'', 1000), %1$s)), (''api'', ''zqxnew@example.org'', repeat(repeat(''['', 1000), %1$s))', octets / 4000));
    PERFORM hostile.try('large', 'contacts', format('INSERT INTO contact_identity.contacts (ext_id) VALUES (repeat(repeat(''x'', 1000), %s))', octets / 1000));
    PERFORM hostile.try('large', 'contacts', format('UPDATE contact_identity.contacts SET attributes = jsonb_build_object(''a'', repeat(repeat(''x'', 1000), %s))', least(octets, 260000000) / 1000));
END
$$;
