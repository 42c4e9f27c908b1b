-- Many calls of each kind in one session; what it takes of memory is noted at
-- intervals, and must not grow.  :calls in all.
CREATE SCHEMA leaks;
CREATE TABLE leaks.memory (kind text, step integer, used bigint, resident bigint, PRIMARY KEY (kind, step));
CREATE TABLE leaks.visits (no bigserial PRIMARY KEY, visitor text, email text, payload json, contact_id bigint);

-- In octets: of all memory contexts, and as the operating system sees it.
CREATE FUNCTION leaks.used() RETURNS bigint LANGUAGE sql AS $$ SELECT sum(used_bytes) FROM pg_backend_memory_contexts $$;
CREATE FUNCTION leaks.resident() RETURNS bigint LANGUAGE sql AS $$
    SELECT 1024 * substring(pg_read_file('/proc/self/status', 0, 10000) FROM 'RssAnon:\s+(\d+)')::bigint
$$;

-- A call of each kind; n is its number.
CREATE FUNCTION leaks.call(kind text, n integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    who text := kind || n;
    few integer := n % 500;
BEGIN
    CASE kind
        WHEN 'capture, new' THEN PERFORM contact_identity.capture('conversations', who);
        WHEN 'capture, known' THEN PERFORM contact_identity.capture('conversations', 'known');
        WHEN 'identify, new' THEN PERFORM contact_identity.identify('shop', email => format('new%s@example.org', n), attributes => '{"a": [1, {"b": 2}]}');
        WHEN 'identify, known' THEN PERFORM contact_identity.identify('shop', email => 'known@example.org', attributes => '{"city": "Lyon"}');
        WHEN 'identify, updated' THEN PERFORM contact_identity.identify('shop', email => format('updated%s@example.org', few), attributes => jsonb_build_object('n', n));
        WHEN 'identify, conflict' THEN PERFORM contact_identity.identify('conversations', 'conflict' || few, email => format('conflict%s@example.org', few), attributes => jsonb_build_object('a', n));
        WHEN 'identify, merged' THEN
            PERFORM contact_identity.capture('push', who);
            PERFORM contact_identity.identify('push', who, email => format('merged%s@example.org', n % 5000));
        WHEN 'batch' THEN
            PERFORM count(*) FROM contact_identity.identify_batch((SELECT jsonb_agg(jsonb_build_object('source', 'shop', 'email', format('batch%s.%s@example.org', n % 20, i), 'attributes', jsonb_build_object('n', n)))
                    FROM generate_series(1, 20) i) || '[{"source": "shop", "email": "malformed"}]');
        WHEN 'inbox' THEN
            INSERT INTO contact_identity.inbox (source, key, email, attributes)
            SELECT 'conversations', 'inbox' || few, format('inbox%s@example.org', few), format('{"n": %s}', n) FROM generate_series(1, 20) i
            UNION ALL VALUES ('conversations', 'inbox', 'malformed', '{');
        WHEN 'find' THEN PERFORM contact_identity.find('email', 'known@example.org', true);
        WHEN 'panel' THEN PERFORM contact_identity.contact_panel(1);
        WHEN 'normalize' THEN PERFORM contact_identity.normalize('phone', '+1 206 555 0' || 100 + n % 100), contact_identity.resolve(n % 100);
        WHEN 'agents' THEN
            PERFORM contact_identity.block(1, 'email', 'agent'), contact_identity.unblock(1, 'email', 'agent');
            PERFORM contact_identity.add_to_list(1, 'Contacts active in Conversations'), contact_identity.remove_from_list(1, 'Contacts active in Conversations');
            PERFORM contact_identity.unsubscribe('push', 'opted'), contact_identity.subscribe('push', 'opted'), contact_identity.logout('push', 'opted');
        WHEN 'view' THEN UPDATE contact_identity.contacts SET attributes = jsonb_build_object('n', n) WHERE contact_id = 1;
        WHEN 'attached' THEN
            INSERT INTO leaks.visits (visitor, email, payload) VALUES ('attached' || few, CASE WHEN n % 2 = 0 THEN format('attached%s@example.org', few) END, '{"a": 1}'), ('attached' || n % 7, NULL, '"\u0000"');
        WHEN 'errors' THEN
            BEGIN
                PERFORM contact_identity.identify('api', email => CASE n % 5 WHEN 0 THEN 'malformed' WHEN 1 THEN 'known@example.org' ELSE 'other@example.org' END,
                    ext_id => CASE n % 5 WHEN 2 THEN 'other' WHEN 1 THEN 'other' END, phone => CASE n % 5 WHEN 3 THEN 'no number' END, contact_id => CASE n % 5 WHEN 4 THEN 999999999999 END);
            EXCEPTION WHEN OTHERS THEN
            END;
            BEGIN
                CASE n % 6
                    WHEN 0 THEN PERFORM contact_identity.find('no kind', 'x');
                    WHEN 1 THEN PERFORM contact_identity.contact_panel(-1);
                    WHEN 2 THEN PERFORM contact_identity.identify_batch('{}');
                    WHEN 3 THEN UPDATE contact_identity.contacts SET label = 'x' WHERE contact_id = 1;
                    WHEN 4 THEN INSERT INTO contact_identity.inbox (source, email) VALUES ('shop', 'a@example.org'), ((1 / (n - n))::text, NULL);
                    ELSE UPDATE contact_identity.inbox SET email = NULL; PERFORM contact_identity.promote(-1, 'agent', true);
                END CASE;
            EXCEPTION WHEN OTHERS THEN
            END;
    END CASE;
END
$$;

-- Ten steps of calls, the memory noted after each.
CREATE PROCEDURE leaks.play(kind text, calls integer) LANGUAGE plpgsql AS $$
DECLARE
    n integer := 0;
BEGIN
    FOR step IN 0 .. 10 LOOP
        FOR i IN 1 .. greatest(calls / 11, 1) LOOP
            n := n + 1;
            PERFORM leaks.call(kind, n);
            IF n % 50 = 0 THEN
                COMMIT;
            END IF;
        END LOOP;
        COMMIT;
        INSERT INTO leaks.memory VALUES (kind, step, leaks.used(), leaks.resident());
        COMMIT;
    END LOOP;
END
$$;
SELECT contact_identity.capture('conversations', 'known');
SELECT contact_identity.identify('shop', email => 'known@example.org', attributes => '{"city": "Lyon"}', ext_id => 'known');
SELECT contact_identity.identify('shop', email => 'other@example.org');
SELECT contact_identity.identify('conversations', 'known', email => 'one@example.org');
SELECT contact_identity.attach('leaks.visits', 'conversations', key => 'visitor', email => 'email', attributes => '{payload}', contact_id => 'contact_id');
-- In one session, one after the other, and a second time each: the first call
-- of any kind makes what stays.
SELECT format('CALL leaks.play(%L, %s)', kind, 220)
FROM unnest('{"capture, new","capture, known","identify, new","identify, known","identify, updated","identify, conflict","identify, merged",batch,inbox,find,panel,normalize,agents,view,attached,errors}'::text[]) kind \gexec
CREATE TABLE leaks.kinds AS SELECT DISTINCT kind FROM leaks.memory;
TRUNCATE leaks.memory;
SELECT format('CALL leaks.play(%L, %s)', kind, :calls / 16) FROM leaks.kinds ORDER BY kind \gexec
