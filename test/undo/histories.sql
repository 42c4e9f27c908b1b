-- Each history is of contacts and values of its own.  It is played to its end
-- twice from the same point, in subtransactions: without the merge, and with it
-- and its undoing.  What is compared is every row of the two contacts, times
-- included, but for when they changed last.  The same again with history purged
-- before it is undone [10.9].  Ten histories share an account, whose calls are
-- then put an hour apart and whose history is purged up to some time: answers
-- about later times have to stay what they were.
SET search_path = public, contact_identity;
SET client_min_messages = warning;
SELECT setseed(:seed / 32768.0) \g /dev/null

CREATE FUNCTION one_of(VARIADIC words text[]) RETURNS text
RETURN words[1 + floor(random() * cardinality(words))];

CREATE FUNCTION the_account() RETURNS integer
RETURN current_setting('contact_identity.account_id')::integer;

-- What is there of two contacts.  When a conflict was settled or a contact became
-- identified is told up to some time: two that undo a merge have two clocks.
CREATE FUNCTION rows_of(ids bigint[], until timestamptz DEFAULT 'infinity') RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(E'\n',
        (SELECT string_agg(r::text, E'\n' ORDER BY r.kind, r.value)
         FROM contact_identity.identifier r WHERE r.contact_id = ANY (ids)),
        (SELECT string_agg(to_jsonb(r)::text, E'\n' ORDER BY r.contact_id)
         FROM (SELECT c.contact_id, c.state, c.made, c.origin, c.survivor_id, c.created_at,
                      CASE WHEN c.identified_at <= until THEN c.identified_at END AS identified_at, c.last_seen_at,
                      c.attributes, c.attribute_times
               FROM contact_identity.contact c
               WHERE c.contact_id = ANY (ids) OR c.survivor_id = ANY (ids)) r),
        (SELECT string_agg((to_jsonb(r) || jsonb_build_object('settled_at', CASE WHEN r.settled_at <= until THEN r.settled_at END))::text,
                           E'\n' ORDER BY r.conflict_id)
         FROM contact_identity.conflict r WHERE r.contact_id = ANY (ids)),
        (SELECT string_agg(r::text, E'\n' ORDER BY r.contact_id, r.list_id)
         FROM contact_identity.list_member r WHERE r.contact_id = ANY (ids)),
        (SELECT string_agg(r::text, E'\n' ORDER BY r.contact_id, r.channel)
         FROM contact_identity.block r WHERE r.contact_id = ANY (ids)),
        (SELECT n::text FROM contact_identity.contact_counts n WHERE n.account_id = the_account()))
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
    WHERE i.account_id = the_account() AND i.kind = 'ext_id' AND i.value = format('%s %s', who, round);
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
        FROM contact_identity.conflicts c WHERE c.account_id = the_account() AND c.contact_id = contact AND c.status = 'open'
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
CREATE FUNCTION outcome(round integer, survivor bigint, loser bigint, merges boolean, newer boolean, purges boolean,
                        seed double precision)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    BEGIN
        IF purges AND newer THEN
            EXECUTE 'CALL contact_identity.purge_history(''0'')';
        END IF;
        IF merges THEN
            PERFORM contact_identity.merge(survivor, loser, 'agent', newer);
        END IF;
        PERFORM setseed(seed);
        FOR i IN 1 .. floor(random() * 4) LOOP
            PERFORM random_call(round, '{x,y}');
        END LOOP;
        IF purges THEN
            EXECUTE 'CALL contact_identity.purge_history(''0'')';
        END IF;
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

-- What comes out when the merge is undone now, with history purged before or not.
CREATE FUNCTION undone_now(survivor bigint, loser bigint, purges boolean) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    BEGIN
        IF purges THEN
            EXECUTE 'CALL contact_identity.purge_history(''0'')';
        END IF;
        PERFORM contact_identity.unmerge(loser, 'agent');
        result := rows_of(ARRAY[survivor, loser], transaction_timestamp());
        RAISE SQLSTATE 'UNDO1';
    EXCEPTION WHEN SQLSTATE 'UNDO1' THEN
        NULL;
    WHEN object_not_in_prerequisite_state THEN
        result := SQLERRM;
    END;
    RETURN result;
END
$$;

CREATE TABLE differing (round integer, purged boolean, without text, undone text);
CREATE TABLE past (account_id integer, contacts bigint[], values_of text[], times timestamptz[], before text, after text,
    purged bigint, emptied bigint, undone bigint, refused bigint);
CREATE TABLE played (round integer, anonymous boolean, events bigint);

-- What is answered about the past.
CREATE FUNCTION past_of(p past) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(E'\n',
        (SELECT string_agg(format('%s %s: %s', c, t, r), E'\n' ORDER BY c, t) FROM unnest(p.contacts) c, unnest(p.times) t
         LEFT JOIN LATERAL contact_identity.contact_as_of(c, t) r ON true),
        (SELECT string_agg(format('%s %s: %s', v, t, contact_identity.owner_as_of(split_part(v, ':', 1), substr(v, strpos(v, ':') + 1), t)),
                           E'\n' ORDER BY v, t) FROM unnest(p.values_of) v, unnest(p.times) t))
$$;

-- Purges the history of an account up to some time, and undoes what can be undone.
CREATE PROCEDURE end_account(account integer) LANGUAGE plpgsql AS $$
DECLARE
    p past;
    calls bigint;
    oldest bigint;
    loser bigint;
BEGIN
    p.account_id := account;
    UPDATE contact_identity.event e SET written_at = now() - o.age * interval '1 hour'
    FROM (SELECT f.call_id, rank() OVER (ORDER BY min(f.event_id) DESC) AS age
          FROM contact_identity.event f WHERE f.account_id = account GROUP BY f.call_id) o
    WHERE e.account_id = account AND e.call_id = o.call_id;
    UPDATE contact_identity.merge m SET merged_at = (SELECT min(e.written_at) FROM contact_identity.event e
        WHERE e.account_id = account AND e.merge_id = m.merge_id)
    WHERE m.account_id = account;
    SELECT count(DISTINCT e.call_id) INTO calls FROM contact_identity.event e WHERE e.account_id = account;
    oldest := floor(random() * calls);
    UPDATE contact_identity.account a SET unmerge_for = floor(random() * calls) * interval '1 hour' WHERE a.account_id = account;
    COMMIT;
    p.contacts := ARRAY(SELECT c.contact_id FROM contact_identity.contact c WHERE c.account_id = account ORDER BY random() LIMIT 30);
    p.values_of := ARRAY(SELECT v FROM (SELECT DISTINCT e.field || ':' || (e.new_value #>> '{}') AS v FROM contact_identity.event e
        WHERE e.account_id = account AND e.field_type IN ('identifier', 'key') AND e.new_value IS NOT NULL) d ORDER BY random() LIMIT 20);
    p.times := ARRAY(SELECT now() - floor(random() * oldest) * interval '1 hour' FROM generate_series(1, 4)) || 'infinity'::timestamptz;
    p.before := past_of(p);
    CALL contact_identity.purge_history(oldest * interval '1 hour' + interval '30 minutes', 7, account, p.purged);
    p.after := past_of(p);
    p.emptied := (SELECT count(*) FROM contact_identity.merge m WHERE m.account_id = account AND m.detail = '{}');
    p.undone := 0;
    p.refused := 0;
    FOR loser IN SELECT m.merged_id FROM contact_identity.merge m
                 WHERE m.account_id = account AND m.undone_at IS NULL AND m.detail <> '{}' ORDER BY m.merge_id DESC LOOP
        BEGIN
            PERFORM contact_identity.unmerge(loser, 'agent');
            p.undone := p.undone + 1;
        EXCEPTION WHEN object_not_in_prerequisite_state THEN
            p.refused := p.refused + 1;  -- something stands in the way
        END;
    END LOOP;
    INSERT INTO past SELECT p.*;
    COMMIT;
END
$$;

CREATE PROCEDURE play(histories integer) LANGUAGE plpgsql AS $$
DECLARE
    survivor bigint;
    loser bigint;
    seed double precision;
    newer boolean;
    without text;
    undone text;
    purges boolean;
    account integer := 1;
BEGIN
    FOR round IN 1 .. histories LOOP
        IF round % 10 = 1 AND round > 1 THEN
            CALL end_account(account);
            account := account + 1;
            PERFORM contact_identity.create_account(account, 'ten more');
            PERFORM set_config('contact_identity.account_id', account::text, false);
        END IF;
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
        without := outcome(round, survivor, loser, false, newer, false, seed);
        FOREACH purges IN ARRAY ARRAY[false, true] LOOP
            undone := outcome(round, survivor, loser, true, newer, purges, seed);
            IF undone IS DISTINCT FROM without THEN
                INSERT INTO differing VALUES (round, purges, without, undone);
            END IF;
        END LOOP;
        INSERT INTO played
        SELECT round, round % 4 = 0, count(*) FROM contact_identity.event e WHERE e.contact_id IN (survivor, loser);
        -- For check_integrity(): some are merged and undone for good, some stay merged.
        IF round % 3 > 0 THEN
            PERFORM contact_identity.merge(survivor, loser, 'agent', newer);
            PERFORM random_call(round, '{s,l}') FROM generate_series(1, 15);
            COMMIT;
            without := undone_now(survivor, loser, false);
            undone := undone_now(survivor, loser, true);
            IF undone IS DISTINCT FROM without THEN
                INSERT INTO differing VALUES (round, true, without, undone);
            END IF;
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
    CALL end_account(account);
END
$$;
-- For owner_as_of(), as the README says.
CREATE INDEX ON contact_identity.event (account_id, field, new_value) WHERE field_type IN ('identifier', 'key');
SET contact_identity.account_id = 1;
CALL play(:histories);

CREATE FUNCTION report(number integer, good boolean, name text, what text) RETURNS text
RETURN format(E'%sok %s - %s%s', CASE WHEN good THEN '' ELSE 'not ' END, number, name,
              CASE WHEN good THEN '' ELSE E'\n# ' || replace(left(what, 4000), E'\n', E'\n# ') END);
SELECT report(1 + purges::integer, count(d) = 0, name,
              (SELECT format(E'%s histories, as round %s:\nwithout\n%s\nundone\n%s',
                             (SELECT count(*) FROM differing o WHERE o.purged = purges), d.round, d.without, d.undone)
               FROM differing d WHERE d.purged = purges ORDER BY length(d.without) LIMIT 1))
FROM (VALUES (false, '[10.3] a merge that is undone leaves what there would be without it'),
             (true, '[10.9] also when history is purged before')) v (purges, name)
LEFT JOIN differing d ON d.purged = purges GROUP BY purges, name ORDER BY purges;
SELECT report(3, count(*) > :histories * 0.7 AND bool_or(anonymous) AND NOT bool_and(anonymous), 'histories were played',
              format('%s', count(*))) FROM played;
SELECT report(4, count(*) = 0, '[10.5] later times have the answers that they had before the purge',
              (SELECT format(E'%s accounts, as %s:\nbefore\n%s\nafter\n%s', count(*), min(p.account_id), min(b.line), min(a.line))
               FROM past p CROSS JOIN LATERAL regexp_split_to_table(p.before, E'\n') WITH ORDINALITY b (line, n)
               JOIN LATERAL regexp_split_to_table(p.after, E'\n') WITH ORDINALITY a (line, n) USING (n)
               WHERE a.line <> b.line))
FROM past WHERE before IS DISTINCT FROM after;
SELECT report(5, sum(purged) > 0 AND sum(emptied) > 0 AND sum(undone) > 0, 'history was purged, merges were emptied, and others undone',
              format('%s %s %s', sum(purged), sum(emptied), sum(undone))) FROM past;
SELECT report(6, count(*) = 0, '[9.4] check_integrity() finds no breach',
              string_agg(i::text, E'\n')) FROM contact_identity.check_integrity() i;
\echo 1..6
SELECT format('# %s histories of %s to %s rows of history, %s differ', count(*), min(events), max(events),
              (SELECT count(*) FROM differing)) FROM played;
SELECT format('# %s rows of history purged, %s merges emptied, %s undone afterwards, %s refused', sum(purged), sum(emptied), sum(undone), sum(refused))
FROM past;
SELECT 1 / (CASE WHEN EXISTS (SELECT FROM differing) OR EXISTS (SELECT FROM contact_identity.check_integrity())
            OR EXISTS (SELECT FROM past WHERE before IS DISTINCT FROM after) THEN 0 ELSE 1 END)
\g /dev/null
