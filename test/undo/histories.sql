-- Each history is of contacts and values of its own.  It is played to its end
-- twice from the same point, in subtransactions: without the merge, and with it
-- and its undoing.  What is compared is every row of the two contacts, times
-- included, but for when they changed last.
SET search_path = public, contact_identity;
SET client_min_messages = warning;
SELECT setseed(:seed / 32768.0) \g /dev/null

CREATE FUNCTION one_of(VARIADIC words text[]) RETURNS text
RETURN words[1 + floor(random() * cardinality(words))];

CREATE TABLE pair (round integer, survivor bigint, loser bigint);

-- What is there of two contacts.
CREATE FUNCTION rows_of(ids bigint[]) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(E'\n',
        (SELECT string_agg(r::text, E'\n' ORDER BY r.kind, r.value)
         FROM contact_identity.identifier r WHERE r.contact_id = ANY (ids)),
        (SELECT string_agg(to_jsonb(r)::text, E'\n' ORDER BY r.contact_id)
         FROM (SELECT c.contact_id, c.state, c.made, c.origin, c.survivor_id, c.created_at, c.identified_at,
                      c.last_seen_at, c.attributes, c.attribute_times
               FROM contact_identity.contact c
               WHERE c.contact_id = ANY (ids) OR c.survivor_id = ANY (ids)) r),
        (SELECT string_agg(r::text, E'\n' ORDER BY r.conflict_id)
         FROM contact_identity.conflict r WHERE r.contact_id = ANY (ids)),
        (SELECT string_agg(r::text, E'\n' ORDER BY r.contact_id, r.list_id)
         FROM contact_identity.list_member r WHERE r.contact_id = ANY (ids)),
        (SELECT string_agg(r::text, E'\n' ORDER BY r.contact_id, r.channel)
         FROM contact_identity.block r WHERE r.contact_id = ANY (ids)),
        (SELECT n::text FROM contact_identity.contact_counts n WHERE n.account_id = 1))
$$;

-- A call about the one or the other of two people: their keys and values are
-- few, so that they conflict with each other, and are taken and moved.
CREATE FUNCTION random_call(round integer, people text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    who text := people[1 + floor(random() * cardinality(people))];
    source text := one_of('conversations', 'conversations', 'push', 'shop', 'api');
    key text := CASE WHEN source IN ('conversations', 'push') THEN format('%s %s %s', who, round, one_of('1', '2')) END;
    contact bigint;
BEGIN
    SELECT i.contact_id INTO contact FROM contact_identity.identifiers i
    WHERE i.kind = 'ext_id' AND i.value = format('%s %s', who, round);
    CASE floor(random() * 12)
    WHEN 0 THEN
        PERFORM contact_identity.block(contact, one_of('email', 'sms', 'push'));
    WHEN 1 THEN
        PERFORM contact_identity.unblock(contact, one_of('email', 'sms', 'push'));
    WHEN 2 THEN
        PERFORM contact_identity.add_to_list(contact, 'Contacts active in Conversations');
    WHEN 3 THEN
        PERFORM contact_identity.remove_from_list(contact, 'Contacts active in Conversations');
    WHEN 4 THEN
        PERFORM CASE WHEN random() < 0.5 THEN contact_identity.unsubscribe('push', format('%s %s 1', who, round))
                ELSE contact_identity.subscribe('push', format('%s %s 1', who, round)) END;
    WHEN 5 THEN
        PERFORM contact_identity.logout('push', format('%s %s %s', who, round, one_of('1', '2')));
    WHEN 6 THEN
        PERFORM contact_identity.dismiss(c.conflict_id, 'agent')
        FROM contact_identity.conflicts c WHERE c.contact_id = contact AND c.status = 'open'
        ORDER BY c.conflict_id LIMIT 1;
    WHEN 7 THEN
        -- Aliases, and contacts that ended before.
        PERFORM contact_identity.merge(contact, (contact_identity.identify('shop',
            email => format('%s.%s.%s@example.org', who, round, gen_random_uuid()),
            attributes => '{"a": 7}')).contact_id, 'agent', random() < 0.5);
    ELSE
        PERFORM contact_identity.identify(source, key,
            ext_id => CASE WHEN key IS NULL OR random() < 0.5 THEN format('%s %s', who, round) END,
            email => CASE WHEN random() < 0.5 THEN format('%s.%s.%s@example.org', one_of(VARIADIC people), round, one_of('1', '2')) END,
            phone => CASE WHEN random() < 0.3 THEN format('+4917%s', 10000000 + round * 100 + ascii(who) % 7 * 10 + floor(random() * 3)::integer) END,
            attributes => CASE WHEN random() < 0.6 THEN jsonb_build_object(one_of('a', 'b', 'c'), one_of('1', '2', 'null')::jsonb) END,
            verified => random() < 0.2,
            occurred_at => CASE WHEN random() < 0.3 THEN now() - random() * interval '1 day' END);
    END CASE;
EXCEPTION WHEN unique_violation OR invalid_parameter_value OR object_not_in_prerequisite_state THEN
    NULL;       -- refused, as a call may be
END
$$;

-- Plays the rest of a history, and takes it back.
CREATE FUNCTION outcome(round integer, survivor bigint, loser bigint, merges boolean, newer boolean, seed double precision)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    BEGIN
        IF merges THEN
            PERFORM contact_identity.merge(survivor, loser, 'agent', newer);
        END IF;
        PERFORM setseed(seed);
        FOR i IN 1 .. floor(random() * 4) LOOP
            PERFORM random_call(round, '{x,y}');
        END LOOP;
        IF merges THEN
            PERFORM contact_identity.unmerge(loser, 'agent');
        END IF;
        result := rows_of(ARRAY[survivor, loser]);
        RAISE SQLSTATE 'UNDO1';
    EXCEPTION WHEN SQLSTATE 'UNDO1' THEN
        NULL;
    END;
    RETURN result;
END
$$;

CREATE TABLE differing (round integer, without text, undone text);
CREATE TABLE played (round integer, anonymous boolean, events bigint);

CREATE PROCEDURE play(histories integer) LANGUAGE plpgsql AS $$
DECLARE
    survivor bigint;
    loser bigint;
    seed double precision;
    newer boolean;
    without text;
    undone text;
BEGIN
    FOR round IN 1 .. histories LOOP
        survivor := (contact_identity.identify('shop', ext_id => format('s %s', round))).contact_id;
        -- An anonymous one every fourth time.
        IF round % 4 = 0 THEN
            loser := contact_identity.capture('push', format('l %s 1', round), '{"a": 1}');
        ELSE
            loser := (contact_identity.identify('shop', ext_id => format('l %s', round))).contact_id;
        END IF;
        PERFORM contact_identity.identify('shop', ext_id => format('%s %s', who, round)) FROM unnest('{x,y}'::text[]) who;
        FOR i IN 1 .. 20 + floor(random() * 10) LOOP
            PERFORM random_call(round, CASE WHEN round % 4 = 0 THEN '{s}' ELSE '{s,l}' END::text[]);
        END LOOP;
        IF round % 4 = 0 AND random() < 0.5 THEN
            PERFORM contact_identity.capture('push', format('l %s 1', round), '{"b": 2}');
        END IF;
        CONTINUE WHEN contact_identity.resolve(loser) <> loser OR contact_identity.resolve(survivor) <> survivor;
        COMMIT;
        seed := random() * 2 - 1;
        newer := random() < 0.5;
        without := outcome(round, survivor, loser, false, newer, seed);
        undone := outcome(round, survivor, loser, true, newer, seed);
        IF undone IS DISTINCT FROM without THEN
            INSERT INTO differing VALUES (round, without, undone);
        END IF;
        INSERT INTO played
        SELECT round, round % 4 = 0, count(*) FROM contact_identity.event e WHERE e.contact_id IN (survivor, loser);
        -- For check_integrity(): some are merged and undone for good, some stay merged.
        IF round % 3 > 0 THEN
            PERFORM contact_identity.merge(survivor, loser, 'agent', newer);
            PERFORM random_call(round, '{s,l}') FROM generate_series(1, 5);
        END IF;
        IF round % 3 > 1 THEN
            BEGIN
                PERFORM contact_identity.unmerge(loser, 'agent');
            EXCEPTION WHEN object_not_in_prerequisite_state THEN
                NULL;   -- something stands in the way
            END;
        END IF;
        COMMIT;
    END LOOP;
END
$$;
CALL play(:histories);

CREATE FUNCTION report(number integer, good boolean, name text, what text) RETURNS text
RETURN format(E'%sok %s - %s%s', CASE WHEN good THEN '' ELSE 'not ' END, number, name,
              CASE WHEN good THEN '' ELSE E'\n# ' || replace(left(what, 4000), E'\n', E'\n# ') END);
SELECT report(1, count(*) = 0, '[10.3] a merge that is undone leaves what there would be without it',
              (SELECT format(E'%s histories, as round %s:\nwithout\n%s\nundone\n%s',
                             (SELECT count(*) FROM differing), d.round, d.without, d.undone)
               FROM differing d ORDER BY length(d.without) LIMIT 1))
FROM differing;
SELECT report(2, count(*) > :histories * 0.7 AND bool_or(anonymous) AND NOT bool_and(anonymous), 'histories were played',
              format('%s', count(*))) FROM played;
SELECT report(3, count(*) = 0, '[9.4] check_integrity() finds no breach',
              string_agg(i::text, E'\n')) FROM contact_identity.check_integrity() i;
\echo 1..3
SELECT format('# %s histories of %s to %s rows of history, %s differ', count(*), min(events), max(events),
              (SELECT count(*) FROM differing)) FROM played;
SELECT 1 / (CASE WHEN EXISTS (SELECT FROM differing) OR EXISTS (SELECT FROM contact_identity.check_integrity()) THEN 0 ELSE 1 END)
\g /dev/null
