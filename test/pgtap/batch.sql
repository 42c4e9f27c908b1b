-- A batch gives what the same calls give one by one: each answer, and what is
-- stored afterwards (RULES 4.10, 4.17, 7.4; DESIGN, "One pipeline").
--
-- Two accounts that are set up alike get the same requests, one as a batch and
-- one call by call.  Ids differ, so they are compared by the order in which
-- they were drawn; times that the clock gave, by their order.
\set QUIET on
SET search_path = contact_identity, public;
SET client_min_messages = warning;

CREATE FUNCTION pg_temp.pick(anyarray) RETURNS anyelement LANGUAGE sql VOLATILE AS
$$ SELECT $1[1 + floor(random() * cardinality($1))::integer] $$;

-- A request over few people, keys and values, so that they meet.  contact is
-- the place of a contact among those that there are.
CREATE FUNCTION pg_temp.random_request(contacts integer) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    op text := pg_temp.pick('{identify,identify,identify,identify,identify,identify,identify,identify,capture,capture,capture,subscribe,unsubscribe,logout}'::text[]);
    source text := pg_temp.pick('{conversations,conversations,conversations,push,push,shop,api,crm}'::text[]);
    result jsonb;
    name text;
BEGIN
    result := jsonb_build_object('source', source);
    IF op <> 'identify' OR random() < 0.1 THEN
        result := result || jsonb_build_object('op', op);
    END IF;
    IF random() < (CASE WHEN source IN ('shop', 'api') THEN 0.02 WHEN op = 'identify' THEN 0.7 ELSE 0.98 END) THEN
        result := result || jsonb_build_object('key', 'k' || floor(random() * 12)::integer);
    END IF;
    IF source = 'conversations' AND random() < 0.3 THEN
        result := result || jsonb_build_object('via', pg_temp.pick('{chat,facebook,whatsapp,pigeon}'::text[]));
    END IF;
    IF op IN ('identify', 'capture') THEN
        IF random() < 0.5 THEN
            result := result || jsonb_build_object('attributes', jsonb_build_object(
                pg_temp.pick('{a,b}'::text[]), pg_temp.pick('{1,1.0,2,null,"\"x\"",[1]}'::jsonb[]),
                pg_temp.pick('{c,d}'::text[]), pg_temp.pick('{1,2,null}'::jsonb[])));
        END IF;
        IF random() < 0.4 THEN
            result := result || jsonb_build_object('occurred_at',
                pg_temp.pick('{2020-01-01,2020-01-02,2020-01-03,2020-01-04,2020-01-05,2020-01-06,3020-01-01,infinity}'::text[]));
        END IF;
    END IF;
    IF op = 'identify' THEN
        IF random() < 0.6 THEN
            result := result || jsonb_build_object('email', 'm' || floor(random() * 10)::integer ||
                                                   CASE WHEN random() < 0.02 THEN '@' ELSE pg_temp.pick('{@example.org,@Example.ORG}'::text[]) END);
        END IF;
        IF random() < 0.3 THEN
            result := result || jsonb_build_object('phone', '+120655501' || 10 + floor(random() * 6)::integer);
        END IF;
        IF random() < 0.3 THEN
            result := result || jsonb_build_object('ext_id', pg_temp.pick('{c1,c2,c3,c4,c5,c6,null}'::text[]));
        END IF;
        IF random() < 0.1 THEN
            result := result || jsonb_build_object('landline', '+120655502' || 10 + floor(random() * 3)::integer);
        END IF;
        IF random() < 0.1 THEN
            result := result || jsonb_build_object('contact', floor(random() * contacts)::integer);
        END IF;
        IF random() < 0.15 THEN
            result := result || jsonb_build_object('verified', random() < 0.7);
        END IF;
        IF random() < 0.1 THEN
            result := result || jsonb_build_object('actor', 'Bea');
        END IF;
    END IF;
    -- what a call would not even be made with
    IF random() < 0.02 THEN
        result := result - 'contact' || '{"unreadable": true}' || pg_temp.pick(ARRAY['{"op": "destroy"}', '{"colour": 1}', '{"op": "logout", "email": "m1@example.org"}',
                                     '{"verified": "yes"}', '{"occurred_at": "one day"}', '{"op": "identify", "contact_id": 1.5}']::jsonb[]);
    END IF;
    RETURN result;
END $$;

-- One call.  A function that answers less than identify() leaves the rest null.
CREATE FUNCTION pg_temp.call(account integer, r jsonb) RETURNS identify_result LANGUAGE plpgsql AS $$
DECLARE
    answer identify_result;
    why text;
BEGIN
    CASE coalesce(r ->> 'op', 'identify')
    WHEN 'identify' THEN
        answer := identify(r ->> 'source', r ->> 'key', r ->> 'email', r ->> 'phone', r ->> 'ext_id', r ->> 'whatsapp',
                           r ->> 'landline', r -> 'attributes', r ->> 'via', (r ->> 'occurred_at')::timestamptz,
                           (r ->> 'contact_id')::bigint, coalesce((r ->> 'verified')::boolean, false), r ->> 'actor', account);
    WHEN 'capture' THEN
        answer.contact_id := capture(r ->> 'source', r ->> 'key', r -> 'attributes', r ->> 'via',
                                     (r ->> 'occurred_at')::timestamptz, account);
    WHEN 'subscribe' THEN
        answer.outcome := subscribe(r ->> 'source', r ->> 'key', r ->> 'via', account);
    WHEN 'unsubscribe' THEN
        answer.outcome := unsubscribe(r ->> 'source', r ->> 'key', r ->> 'via', account);
    ELSE
        answer.outcome := logout(r ->> 'source', r ->> 'key', r ->> 'via', account);
    END CASE;
    RETURN answer;
EXCEPTION WHEN invalid_parameter_value OR unique_violation OR no_data_found THEN
    GET STACKED DIAGNOSTICS why = PG_EXCEPTION_DETAIL;
    answer := NULL;
    answer.error := SQLSTATE || ': ' || SQLERRM || CASE WHEN why <> '' THEN ': ' || why ELSE '' END;
    RETURN answer;
END $$;

-- An answer in a line, with places for ids.
CREATE FUNCTION pg_temp.line(op text, r identify_result, contacts bigint[], conflicts bigint[]) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    ids text[];
BEGIN
    IF r.error IS NOT NULL THEN
        FOR ids IN SELECT regexp_matches(r.error, '(contact (?:is )?)(\d+)', 'g') LOOP
            r.error := replace(r.error, ids[1] || ids[2],
                               ids[1] || coalesce('#' || array_position(contacts, ids[2]::bigint), ids[2]));
        END LOOP;
        RETURN 'error ' || r.error;
    END IF;
    RETURN CASE op
        WHEN 'capture' THEN 'contact ' || array_position(contacts, r.contact_id)
        WHEN 'identify' THEN concat(r.outcome, ' ', array_position(contacts, r.contact_id), ' merged ',
            array_position(contacts, r.merged_contact_id), ' conflicts ',
            (SELECT array_agg(array_position(conflicts, c) ORDER BY n) FROM unnest(r.conflicts) WITH ORDINALITY AS u (c, n)),
            ' ignored ', r.ignored)
        ELSE 'changed ' || CASE r.outcome WHEN 'updated' THEN true WHEN 'unchanged' THEN false ELSE r.outcome::boolean END
    END;
END $$;

CREATE FUNCTION pg_temp.contacts_of(account integer) RETURNS bigint[] LANGUAGE sql STABLE AS
$$ SELECT coalesce(array_agg(contact_id ORDER BY contact_id), '{}') FROM contact WHERE account_id = account $$;
CREATE FUNCTION pg_temp.conflicts_of(account integer) RETURNS bigint[] LANGUAGE sql STABLE AS
$$ SELECT coalesce(array_agg(conflict_id ORDER BY conflict_id), '{}') FROM conflict WHERE account_id = account $$;

-- What an account holds, in lines.
CREATE FUNCTION pg_temp.state_of(account integer, contacts bigint[], conflicts bigint[]) RETURNS SETOF text
LANGUAGE sql STABLE AS $$
    SELECT concat_ws(' ', 'contact', array_position(contacts, contact_id), state, made, origin,
                     array_position(contacts, survivor_id), attributes,
                     (SELECT string_agg(key || ' ' || (value ->> 1), ',') FROM jsonb_each(attribute_times)))
    FROM contact WHERE account_id = account
    UNION ALL
    SELECT concat_ws(' ', kind, value, array_position(contacts, contact_id), is_primary, opted_in, parked, verified,
                     source, given, CASE WHEN updated_at < '2021-01-01' THEN updated_at END)
    FROM identifier WHERE account_id = account
    UNION ALL
    SELECT concat_ws(' ', 'conflict', array_position(conflicts, conflict_id), array_position(contacts, contact_id),
                     field_type, field, secondary_value, given, array_position(contacts, owner_contact_id), source, via,
                     key_kind, CASE WHEN key_kind = 'contact' THEN array_position(contacts, key::bigint)::text ELSE key END,
                     status, settled_by, CASE WHEN given_at < '2021-01-01' THEN given_at END)
    FROM conflict WHERE account_id = account
    UNION ALL
    SELECT concat_ws(' ', 'list', array_position(contacts, contact_id), subscribed, source)
    FROM list_member WHERE account_id = account
    UNION ALL
    SELECT concat_ws(' ', 'block', array_position(contacts, contact_id), channel)
    FROM block WHERE account_id = account
    UNION ALL
    SELECT concat_ws(' ', 'counts', identified, anonymous_push, anonymous_conversations)
    FROM contact_counts WHERE account_id = account
$$;

-- What happened in an account, in order.
CREATE FUNCTION pg_temp.history_of(account integer, contacts bigint[], conflicts bigint[]) RETURNS SETOF text
LANGUAGE sql STABLE AS $$
    WITH merges AS (SELECT merge_id, row_number() OVER (ORDER BY merge_id) AS n FROM merge WHERE account_id = account)
    (SELECT concat_ws(' ', row_number() OVER (ORDER BY event_id), array_position(contacts, contact_id), event, field_type,
                      CASE WHEN field_type <> 'list' THEN field END,
                      CASE WHEN field IN ('survivor', 'merged') THEN to_jsonb(array_position(contacts, old_value::bigint)) ELSE old_value END,
                      CASE WHEN field IN ('survivor', 'merged') THEN to_jsonb(array_position(contacts, new_value::bigint)) ELSE new_value END,
                      old_source, new_source, source, via, actor, found_kind, found_value, detail,
                      dense_rank() OVER (ORDER BY call_id), (SELECT n FROM merges m WHERE m.merge_id = e.merge_id),
                      array_position(conflicts, conflict_id), array_position(contacts, other_contact_id))
     FROM event e WHERE account_id = account ORDER BY event_id)
    UNION ALL
    (SELECT concat_ws(' ', 'merge', array_position(contacts, survivor_id), array_position(contacts, merged_id), source, actor,
                      detail - '{identified_at,last_seen_at,survivor_last_seen_at,identifiers,attributes,lists,survivor_lists,conflicts,settled_conflicts,ended_before,times_before}'::text[],
                      (SELECT string_agg((i - 'updated_at')::text, ',' ORDER BY i - 'updated_at') FROM jsonb_array_elements(detail -> 'identifiers') i),
                      (SELECT string_agg((i - 'updated_at')::text, ',' ORDER BY i - 'updated_at') FROM jsonb_array_elements(detail -> 'attributes') i),
                      (SELECT string_agg(concat(array_position(conflicts, (i ->> 'conflict_id')::bigint), i ->> 'status'), ',' ORDER BY i)
                       FROM jsonb_array_elements(detail -> 'conflicts') i),
                      (SELECT string_agg(array_position(conflicts, i::bigint)::text, ',' ORDER BY i) FROM jsonb_array_elements_text(detail -> 'settled_conflicts') i),
                      (SELECT string_agg(array_position(contacts, i::bigint)::text, ',' ORDER BY i) FROM jsonb_array_elements_text(detail -> 'ended_before') i),
                      (SELECT string_agg(i ->> 'name', ',' ORDER BY i ->> 'name') FROM jsonb_array_elements(detail -> 'times_before') i))
     FROM merge WHERE account_id = account ORDER BY merge_id)
$$;

-- [4.10] The times in an account: those given as they are, those of the clock
-- by their order.
CREATE FUNCTION pg_temp.times_of(account integer, contacts bigint[], conflicts bigint[]) RETURNS SETOF text
LANGUAGE sql STABLE AS $$
    SELECT concat_ws(' ', what, CASE WHEN at < '2021-01-01' THEN at END,
                     dense_rank() OVER (ORDER BY CASE WHEN at > '2021-01-01' THEN at END NULLS FIRST))
    FROM (SELECT concat_ws(' ', 'identifier', kind, value) AS what, updated_at AS at FROM identifier WHERE account_id = account
          UNION ALL
          SELECT concat_ws(' ', 'contact', array_position(contacts, contact_id), v.name), v.at
          FROM contact, LATERAL (VALUES ('created', created_at), ('identified', identified_at), ('seen', last_seen_at)) v (name, at)
          WHERE account_id = account
          UNION ALL
          SELECT concat_ws(' ', 'attribute', array_position(contacts, contact_id), a.key),
                 timestamptz '1970-01-01 00:00:00+00' + (a.value ->> 0)::bigint * interval '1 microsecond'
          FROM contact, LATERAL jsonb_each(attribute_times) a WHERE account_id = account
          UNION ALL
          SELECT concat_ws(' ', 'conflict', array_position(conflicts, conflict_id)), given_at FROM conflict WHERE account_id = account
          UNION ALL
          SELECT concat_ws(' ', 'list', array_position(contacts, contact_id)), since FROM list_member WHERE account_id = account
          UNION ALL
          SELECT concat_ws(' ', 'event', dense_rank() OVER (ORDER BY event_id), v.name), v.at
          FROM event, LATERAL (VALUES ('occurred', occurred_at), ('old', old_at), ('new', new_at)) v (name, at)
          WHERE account_id = account) t
    WHERE at IS NOT NULL
$$;

-- What the batches were, and what was not as it must be.
CREATE TABLE pg_temp.played (batch integer, size integer, requests integer, outcomes text[], errors text[]);
CREATE TABLE pg_temp.difference (batch integer, what text, in_batch text, one_by_one text);

-- Lines that are not in both.
CREATE FUNCTION pg_temp.compare(batch integer, what text, a text[], b text[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO pg_temp.difference
    SELECT batch, what,
           (SELECT string_agg(l, chr(10)) FROM (SELECT unnest(a) EXCEPT ALL SELECT unnest(b)) x (l)),
           (SELECT string_agg(l, chr(10)) FROM (SELECT unnest(b) EXCEPT ALL SELECT unnest(a)) x (l))
    WHERE a IS DISTINCT FROM b
$$;

-- Plays batches in two new accounts.
CREATE PROCEDURE pg_temp.play(batched integer, single integer, first integer, last integer) LANGUAGE plpgsql AS $$
DECLARE
    size integer;
    requests jsonb[];
    request jsonb;
    a identify_result[];
    b identify_result[];
    a_contacts bigint[] := '{}';
    b_contacts bigint[] := '{}';
    a_conflicts bigint[] := '{}';
    b_conflicts bigint[] := '{}';
    a_lines text[];
    b_lines text[];
BEGIN
    PERFORM create_account(batched, 'batched'), create_account(single, 'single');
    INSERT INTO source (account_id, source, key_kind, makes, same_value, other_contact, mode)
    SELECT i, 'crm', 'visitor', 'conversations', 'primary_wins', 'move', 'login' FROM unnest(ARRAY[batched, single]) AS i;
    FOR batch IN first .. last LOOP
        size := 1 + floor(200 * random() ^ 12);
        requests := '{}';
        FOR i IN 1 .. size LOOP
            requests := requests || pg_temp.random_request(cardinality(a_contacts));
        END LOOP;

        SELECT array_agg(r ORDER BY r.request) INTO a
        FROM identify_batch((SELECT jsonb_agg(r - '{contact,unreadable}'::text[] ||
                                              CASE WHEN r ? 'contact' THEN jsonb_build_object('contact_id', coalesce(
                                                  a_contacts[1 + (r ->> 'contact')::integer], 2000000000000)) ELSE '{}' END
                                              ORDER BY n)
                             FROM unnest(requests) WITH ORDINALITY AS u (r, n)), batched) r;
        b := '{}';
        FOREACH request IN ARRAY requests LOOP
            IF request ? 'unreadable' THEN
                b := b || NULL::identify_result;
            ELSE
                b := b || pg_temp.call(single, request || CASE WHEN request ? 'contact' THEN jsonb_build_object('contact_id', coalesce(
                    b_contacts[1 + (request ->> 'contact')::integer], 2000000000000)) ELSE '{}' END);
            END IF;
        END LOOP;

        a_contacts := pg_temp.contacts_of(batched);
        b_contacts := pg_temp.contacts_of(single);
        a_conflicts := pg_temp.conflicts_of(batched);
        b_conflicts := pg_temp.conflicts_of(single);
        SELECT array_agg(n || ' ' || CASE WHEN r ? 'unreadable' THEN left(a[n].error, 5)
                                          ELSE pg_temp.line(coalesce(r ->> 'op', 'identify'), a[n], a_contacts, a_conflicts) END ORDER BY n),
               array_agg(n || ' ' || CASE WHEN r ? 'unreadable' THEN '22023'
                                          ELSE pg_temp.line(coalesce(r ->> 'op', 'identify'), b[n], b_contacts, b_conflicts) END ORDER BY n)
        INTO a_lines, b_lines
        FROM unnest(requests) WITH ORDINALITY AS u (r, n);
        PERFORM pg_temp.compare(batch, 'answers', a_lines, b_lines);
        PERFORM pg_temp.compare(batch, 'state',
            ARRAY(SELECT * FROM pg_temp.state_of(batched, a_contacts, a_conflicts) ORDER BY 1),
            ARRAY(SELECT * FROM pg_temp.state_of(single, b_contacts, b_conflicts) ORDER BY 1));
        INSERT INTO pg_temp.played
        SELECT batch, size, count(*), array_agg(DISTINCT outcome), array_agg(DISTINCT left(error, 5)) FROM unnest(a) AS x;
    END LOOP;
    PERFORM pg_temp.compare(last, 'history',
        ARRAY(SELECT * FROM pg_temp.history_of(batched, a_contacts, a_conflicts)),
        ARRAY(SELECT * FROM pg_temp.history_of(single, b_contacts, b_conflicts)));
    PERFORM pg_temp.compare(last, 'times',
        ARRAY(SELECT * FROM pg_temp.times_of(batched, a_contacts, a_conflicts) ORDER BY 1),
        ARRAY(SELECT * FROM pg_temp.times_of(single, b_contacts, b_conflicts) ORDER BY 1));
END $$;

-- Every ten batches begin with nothing; what they left is rolled back, and only
-- what is told of them is kept.
SELECT setseed(0.5) \g /dev/null
DO $$
DECLARE
    played pg_temp.played[] := '{}';
    different pg_temp.difference[] := '{}';
BEGIN
    FOR i IN 0 .. 199 LOOP
        CALL pg_temp.play(10001, 10002, 10 * i + 1, 10 * i + 10);
        played := played || ARRAY(SELECT p FROM pg_temp.played AS p);
        different := different || ARRAY(SELECT d FROM pg_temp.difference AS d);
        ROLLBACK;
    END LOOP;
    INSERT INTO pg_temp.played SELECT * FROM unnest(played);
    INSERT INTO pg_temp.difference SELECT * FROM unnest(different);
END $$;

BEGIN;
SELECT plan(10);
SELECT is((SELECT count(*)::integer FROM pg_temp.played), 2000, 'so many batches were played');
SELECT ok((SELECT min(size) = 1 AND max(size) BETWEEN 195 AND 200 FROM pg_temp.played), 'of sizes from 1 to 200');
SELECT set_has('SELECT DISTINCT unnest(outcomes) FROM pg_temp.played',
    $$ VALUES ('merged'), ('switched'), ('created'), ('captured'), ('identified'), ('updated'), ('unchanged') $$,
    'everything that can happen did');
SELECT set_has('SELECT DISTINCT unnest(errors) FROM pg_temp.played', $$ VALUES ('22023'), ('23505'), ('P0002') $$,
    'and every refusal');
SELECT is_empty($$ SELECT * FROM pg_temp.played WHERE size IS DISTINCT FROM requests $$, 'a row for each request');
SELECT is_empty($$ SELECT * FROM pg_temp.difference WHERE what = 'answers' $$,
    '[4.17] [7.4] each answers what the call alone would have answered');
SELECT is_empty($$ SELECT * FROM pg_temp.difference WHERE what = 'state' $$, 'what is stored is the same');
SELECT is_empty($$ SELECT * FROM pg_temp.difference WHERE what = 'history' $$, '[9.4] [10.1] and what is told of it');
SELECT is_empty($$ SELECT * FROM pg_temp.difference WHERE what = 'times' $$,
    '[4.10] of two requests of one batch the later one is newer');

-- A contact that a transaction has written is its own already.  Were it locked
-- again, its row would name more and more lockers, each version of it longer.
SELECT identify('shop', email => 'ann@example.org', attributes => jsonb_build_object('visit', n), account_id => 1)
FROM generate_series(1, 5) AS n \g /dev/null
SELECT results_eq($$ SELECT c.xmax::text FROM contact c JOIN identifier i USING (account_id, contact_id)
                     WHERE account_id = 1 AND i.value = 'ann@example.org' $$, $$ VALUES ('0') $$,
    'many calls of one transaction about a contact do not lock it more than once');
SELECT finish();
ROLLBACK;
