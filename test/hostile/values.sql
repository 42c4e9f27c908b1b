-- What the functions are fed with: a fixture, and the edge values of each type.
-- Everything personal in it has the letters zqx, which no message may show.
CREATE SCHEMA hostile;
GRANT USAGE ON SCHEMA hostile TO PUBLIC;

-- The edge values of a type, as expressions that need no search_path.
CREATE TABLE hostile.value (number serial, type text, expression text);
CREATE FUNCTION hostile.add(type text, VARIADIC expressions text[]) RETURNS void
LANGUAGE sql AS $$ INSERT INTO hostile.value (type, expression) SELECT $1, unnest($2) $$;

DO $values$
BEGIN
    PERFORM hostile.add('text', 'NULL', $$''$$, $$' '$$, $$'zqx'$$, $$E'zqx\nzqx'$$, $$E'\t'$$, $$E'\x7f'$$, $$E'zqx\x01'$$,
        $$U&'\200Bzqx'$$, $$U&'zqx\202Ezqx\202C'$$, $$U&'\FEFF'$$, $$U&'\00A0'$$, $$U&'\FFFD'$$, $$U&'\+10FFFF'$$, $$U&'\2066zqx'$$,
        $$U&'zqx\0301@example.org'$$, $$'e' || repeat(U&'\0301', 3000)$$, $$U&'\0130zqx@EXAMPLE.org'$$, $$U&'zqx@\3002example.org'$$,
        $$'zqx' || repeat('x', 252)$$, $$'zqx' || repeat('x', 253)$$, $$'zqx' || repeat('x', 1997)$$, $$'zqx' || repeat('x', 1998)$$,
        $$repeat('x', 63)$$, $$repeat(U&'\00FC', 128)$$, $$repeat('zqx', 1000000)$$,
        $$'zqxnew@example.org'$$, $$'zqxann@example.org'$$, $$'zqxbob@example.org'$$, $$'@'$$, $$'a@b'$$, $$'zqx@' || repeat('a.', 120) || 'org'$$,
        $$'zqx@xn--a'$$, $$'zqx@xn--' || repeat('9', 60) || '.org'$$, $$'+442079460999'$$, $$'0044 (0)20 7946 0999'$$, $$'+'$$, $$repeat('1', 32)$$,
        $$repeat('1', 100000)$$, $$U&'\0661\0662\0663\0664'$$, $$'+1 206 555 0100 ext. 5'$$, $$'null'$$, $$'NaN'$$, $$'-1'$$, $$'1e400'$$, $$'true'$$, $$'{}'$$,
        $$'[1'$$, $$'{"zqx": "zqx"}'$$, $$'infinity'$$, $$'-infinity'$$, $$'294277-01-01'$$, $$'2026-01-31 12:00:00 zqx'$$, $$'9223372036854775808'$$,
        $$'%s%n%d'$$, $$'$1'$$, $$'; SELECT 1'$$, $$'"'$$, $$''''$$, $$'\'$$, $$convert_from('\xe97a7178', 'LATIN1')$$, $$convert_from('\x93fa967b', 'SJIS')$$,
        $$'api'$$, $$'push'$$, $$'shop'$$, $$'conversations'$$, $$'merge'$$, $$'chat'$$, $$'facebook'$$, $$'email'$$, $$'phone'$$, $$'visitor'$$, $$'sms'$$,
        $$'capture'$$, $$'logout'$$, $$'Contacts active in Conversations'$$, $$'contact_id'$$, $$'zqx1'$$, $$'v1'$$, $$'p1'$$, $$'raise'$$);
    PERFORM hostile.add('bigint', 'NULL', '0', '-1', '1', '2', '3', '4', '2147483648', '9223372036854775807', '(-9223372036854775808)');
    PERFORM hostile.add('bigint[]', 'NULL', $$'{}'$$, $$'{NULL}'$$, $$'{1,2,2,-1,9223372036854775807}'$$, $$'{{1,2},{3,NULL}}'$$, $$'[5:6]={1,2}'$$,
        $$array_fill(1::bigint, '{5000}')$$);
    PERFORM hostile.add('integer', 'NULL', '0', '-1', '1', '2', '3', '2147483647', '(-2147483648)');
    PERFORM hostile.add('boolean', 'NULL', 'true', 'false');
    PERFORM hostile.add('timestamp with time zone', 'NULL', $$'infinity'$$, $$'-infinity'$$, $$'4714-11-24 00:00:00+00 BC'$$,
        $$'294276-12-31 23:59:59.999999+00'$$, $$'1970-01-01'$$, $$'0001-01-01'$$, $$'1999-12-31 23:59:59.999999+00'$$, 'now()');
    PERFORM hostile.add('interval', 'NULL', $$'0'$$, $$'-1 year'$$, $$'178000000 years'$$, $$'-178000000 years'$$, $$'1 microsecond'$$);
    PERFORM hostile.add('text[]', 'NULL', $$'{}'$$, $$'{NULL}'$$, $$'{zqx}'$$, $$'{{city,email},{key,NULL}}'$$, $$'{*}'$$, $$'{*,city=}'$$, $$'{town=city}'$$,
        $$'{city,city}'$$, $$'{a=b=c}'$$, $$'{=}'$$, $$'{""}'$$, $$'[5:6]={city,email}'$$, $$'{email=city}'$$, $$'{ctid}'$$, $$'{tableoid}'$$,
        $$array_fill('city'::text, '{5000}')$$, $$ARRAY[repeat('zqx', 1000)]$$);
    PERFORM hostile.add('regclass', 'NULL', '0', '4294967295', $$'pg_catalog.pg_class'$$, $$'pg_catalog.pg_class_oid_index'$$, $$'pg_toast.pg_toast_1255'$$,
        $$'hostile.orders'$$, $$'hostile.odd'$$, $$'hostile.parts'$$, $$'hostile.parts_1'$$, $$'hostile.a_view'$$, $$'hostile.a_sequence'$$,
        $$'hostile.a_type'$$, $$'hostile.no_columns'$$, $$'contact_identity.contact'$$, $$'contact_identity.inbox'$$, $$'contact_identity.contacts'$$);
    PERFORM hostile.add('jsonb', 'NULL', $$'null'$$, $$'{}'$$, $$'[]'$$, $$'"zqx"'$$, $$'-1e131071'$$, $$'1e-16383'$$, $$'true'$$, $$'[null, [], {}, "zqx", 1]'$$,
        $$'{"city": "zqx"}'$$, $$'{"city": null}'$$, $$'{"": 1}'$$, $$'{"email": "zqx"}'$$, $$'{"n": 1e131071}'$$, $$'{"zqx": {"zqx": [1.0, 1.00, -0]}}'$$,
        $$('"' || repeat('zqx', 1000000) || '"')$$, $$('{"city": "' || repeat('zqx', 400000) || '"}')$$, $$('{"' || repeat('x', 256) || '": 1}')$$,
        $$jsonb_build_object('deep', (repeat('[', 3000) || repeat(']', 3000))::jsonb)$$, $$(repeat('{"a":', 3000) || '1' || repeat('}', 3000))$$,
        $$(repeat('[', 3000) || repeat(']', 3000))$$, $$(SELECT jsonb_object_agg('a' || i, i) FROM generate_series(1, 1001) i)$$,
        $$(SELECT jsonb_agg(NULL::int) FROM generate_series(1, 3000) i)$$,
        $$(SELECT jsonb_agg(jsonb_build_object('source', 'api', 'email', 'zqx' || i % 50 || '@example.org')) FROM generate_series(1, 200) i)$$,
        $$'[{"zqx": 1}]'$$, $$'[{"source": 1, "key": {}}]'$$, $$'[{"op": "erase"}]'$$, $$'[{"source": "api", "email": 1e131071}]'$$,
        $$'[{"source": "api", "contact_id": 1e30}]'$$, $$'[{"source": "api", "contact_id": 1.5}]'$$, $$'[{"source": "api", "email": ["zqx"]}]'$$,
        $$'[{"source": "push", "key": "p1", "op": "logout"}, {"source": "push", "key": "p1", "op": "capture"}]'$$,
        $$'[{"source": "api", "ext_id": "zqx1", "occurred_at": "-infinity"}]'$$, $$'[{"source": "api", "ext_id": "zqx1", "occurred_at": "zqx"}]'$$,
        $$'[{"source": "api", "email": "zqx@@", "verified": "yes"}]'$$, $$'[{"source": "conversations", "key": "\u202ezqx", "attributes": {"a": "\ud83d\ude00"}}]'$$,
        $$jsonb_build_array(jsonb_build_object('source', 'api', 'email', 'zqx9@example.org', 'attributes', (repeat('[', 2000) || repeat(']', 2000))::jsonb))$$,
        $$jsonb_build_array(jsonb_build_object('source', 'api', 'email', 'zqx9@example.org', 'attributes', jsonb_build_object('a', (repeat('[', 2000) || repeat(']', 2000))::jsonb)))$$);
END
$values$;

-- What an argument of that name is given otherwise, so that the call succeeds.
CREATE TABLE hostile.base (routine text, argument text, expression text);
INSERT INTO hostile.base VALUES
    (NULL, 'source', $$'conversations'$$), (NULL, 'key', $$'v1'$$), (NULL, 'email', $$'zqxann@example.org'$$),
    (NULL, 'phone', $$'+12065550100'$$), (NULL, 'ext_id', $$'zqx1'$$), (NULL, 'whatsapp', $$'+12065550101'$$),
    (NULL, 'landline', $$'+12065550102'$$), (NULL, 'attributes', $$'{"city": "zqxtown", "size": 1}'$$), (NULL, 'via', $$'chat'$$),
    (NULL, 'occurred_at', $$'2026-01-01'$$), (NULL, 'contact_id', '1'), (NULL, 'verified', 'false'), (NULL, 'actor', $$'agent'$$),
    (NULL, 'agent', $$'agent'$$), (NULL, 'account_id', '1'), (NULL, 'conflict_id', '1'), (NULL, 'customer_confirmed', 'true'),
    (NULL, 'survivor', '1'), (NULL, 'loser', '2'), (NULL, 'newer_wins', 'true'), (NULL, 'channel', $$'email'$$),
    (NULL, 'list', $$'Contacts active in Conversations'$$), (NULL, 'kind', $$'email'$$), (NULL, 'value', $$'zqxann@example.org'$$),
    (NULL, 'secondary', 'true'), (NULL, 'table', $$'hostile.orders'$$), (NULL, 'requests', $$'[{"source": "api", "email": "zqxcat@example.org"}]'$$),
    ('identify', 'contact_id', 'NULL'), ('identify', 'key', 'NULL'),
    ('subscribe', 'source', $$'push'$$), ('unsubscribe', 'source', $$'push'$$),
    ('subscribe', 'key', $$'p1'$$), ('unsubscribe', 'key', $$'p1'$$), ('subscribe', 'via', 'NULL'), ('unsubscribe', 'via', 'NULL'),
    ('contact_panel', 'key', 'NULL'), ('create_account', 'account_id', '77'), ('create_account', 'name', $$'zqx'$$),
    ('attach', 'source', $$'shop'$$), ('attach', 'key', 'NULL'), ('attach', 'email', $$'email'$$), ('attach', 'phone', 'NULL'),
    ('attach', 'ext_id', $$'no'$$), ('attach', 'whatsapp', 'NULL'), ('attach', 'landline', 'NULL'), ('attach', 'attributes', $$'{city}'$$),
    ('attach', 'via', 'NULL'), ('attach', 'occurred_at', $$'changed'$$), ('attach', 'contact_id', 'NULL'), ('attach', 'verified', 'false'),
    ('attach', 'via_column', 'NULL'), ('attach', 'on_error', $$'report'$$), ('attach', 'take_in', 'true'),
    ('import', 'query', $$'SELECT no AS request_id, email FROM hostile.orders'$$), ('import', 'source', $$'shop'$$), ('import', 'job', 'NULL'),
    ('cancel_import', 'job', '1'), ('unmerge', 'loser', '5'), (NULL, 'suppress', 'true'), (NULL, 'a', '1'), (NULL, 'b', '2'), (NULL, 'lifted', 'false'),
    ('preview_identify', 'contact_id', 'NULL'), ('preview_identify', 'key', 'NULL'), (NULL, 'older_than', $$'1 year'$$);

-- Tables that the extension has to do with, ordinary and odd.
CREATE TABLE hostile.orders (no integer PRIMARY KEY, email text, city text, contact_id bigint, changed timestamptz, payload jsonb);
INSERT INTO hostile.orders VALUES (1, 'zqxdee@example.org', 'zqxtown', NULL, now(), '{}'), (2, 'zqx@@', NULL, NULL, NULL, NULL);
CREATE TABLE hostile.odd ("zqx ""quoted" text, email bytea, city int[], changed date, no point);
CREATE TABLE hostile.no_columns ();
CREATE TABLE hostile.parts (no integer, email text, city text, changed timestamptz, contact_id bigint) PARTITION BY RANGE (no);
CREATE TABLE hostile.parts_1 PARTITION OF hostile.parts FOR VALUES FROM (0) TO (10);
CREATE VIEW hostile.a_view AS SELECT * FROM hostile.orders;
CREATE SEQUENCE hostile.a_sequence;
CREATE TYPE hostile.a_type AS (a int);
GRANT ALL ON ALL TABLES IN SCHEMA hostile TO PUBLIC;
ALTER TABLE hostile.orders OWNER TO hostile_owner;

-- A schema that shadows what the extension uses.  Whatever finds it, fails.
CREATE SCHEMA evil;
GRANT USAGE ON SCHEMA evil TO PUBLIC;
DO $evil$
DECLARE
    item record;
BEGIN
    -- Every function and operator of pg_catalog that takes one or two of the types that our statements have.
    FOR item IN
        SELECT DISTINCT p.proname AS name, pg_get_function_identity_arguments(p.oid) AS arguments
        FROM pg_proc p
        WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND p.provariadic = 0
          AND p.proname IN ('now', 'unnest', 'coalesce', 'nullif', 'jsonb_each', 'to_jsonb', 'array_agg', 'lower', 'upper', 'format',
                            'concat', 'octet_length', 'jsonb_object_field', 'jsonb_build_object', 'clock_timestamp', 'pg_current_xact_id',
                            'nextval', 'count', 'sum', 'replace', 'quote_ident', 'format_type', 'pg_has_role', 'to_regclass', 'array_to_string',
                            'string_to_table', 'starts_with', 'length', 'text', 'int8', 'int4', 'timestamptz', 'jsonb_array_elements', 'jsonb_typeof')
          AND pg_get_function_identity_arguments(p.oid) !~ 'internal|cstring|OUT '
    LOOP
        EXECUTE format('CREATE FUNCTION evil.%I(%s) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION ''evil %s'' USING ERRCODE = ''ZZ666''; END $$',
                       item.name, item.arguments, item.name);
    END LOOP;
    FOR item IN
        SELECT o.oprname AS name, o.oprleft::regtype AS l, o.oprright::regtype AS r
        FROM pg_operator o
        WHERE o.oprname IN ('=', '<>', '<', '>', '<=', '>=', '||', '~', '~~', '->', '->>', '#>>', '@>', '?', '+', '-')
          AND o.oprleft::regtype::text IN ('text', 'bigint', 'integer', 'jsonb', 'timestamp with time zone', 'boolean', 'anyarray',
                                           'oid', 'name', '"char"', 'smallint')
          AND o.oprright <> 0
    LOOP
        IF to_regprocedure(format('evil.operator(%s, %s)', item.l, item.r)) IS NULL THEN
            EXECUTE format('CREATE FUNCTION evil.operator(%s, %s) RETURNS boolean LANGUAGE plpgsql'
                           ' AS $$ BEGIN RAISE EXCEPTION ''evil operator'' USING ERRCODE = ''ZZ666''; END $$', item.l, item.r);
        END IF;
        EXECUTE format('CREATE OPERATOR evil.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = evil.operator)', item.name, item.l, item.r);
    END LOOP;
    FOR item IN SELECT c.relname AS name FROM pg_class c WHERE c.relnamespace = 'contact_identity'::regnamespace AND c.relkind IN ('r', 'v')
    LOOP
        EXECUTE format('CREATE VIEW evil.%I AS SELECT 1 / (random() * 0)::int AS account_id', item.name);
    END LOOP;
END
$evil$;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA evil TO PUBLIC;

\ir contacts.sql
