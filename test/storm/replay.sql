-- What must be so after a storm: each call's result is explained, and the calls
-- played again one by one, in another account, give the same.
--
-- The order of the replay, of the calls that wrote anything.  Those that share a
-- contact or a value have numbers in the order in which they took effect.  Those
-- that share none are free; but their values can meet later, in a merge, and
-- then the newer counts.  So they are ordered by their clocks, which is the order
-- in which they held their contacts.  A call that has to wait has its clock from
-- before, where what it waited for was not changed: its place is after all earlier
-- numbers that named this value or wrote its row, whether they gave it or took it
-- away, or that held a contact that it held, and did nothing about that.
--
-- A call that wrote nothing holds nothing: it may have waited and lost a race,
-- and then answers from a look at whatever was committed by then.  What it saw
-- is no less than what was committed as it began and no more than what was as it
-- ended.  One that is about one key or one contact is played at each place in
-- the order from that before the first call that it need not have seen up to that
-- after the last one that it can have seen, and must answer the same at one of
-- them, and write nothing.  Those about several can have seen what no place in
-- this order is: of two calls that share nothing the second by the clock alone,
-- where that was the first to commit.  "unexplained" looks at them.
--
-- Compared is all that is left: contacts, identifiers, conflicts, lists, blocks,
-- merges and counts, every event of history, and every result; with these freedoms:
-- - ids are other ids; a row for each pair is in "twin"; so are those in the
--   words that stand for an erased key;
-- - times of the clock are other times; those that were given are the same;
-- - the rows of one call in history, and of one contact anywhere, have no order;
-- - who erases a contact does not hold those whose conflicts name it as the
--   owner, so that a call that moves such a conflict may be before or after;
--   what the event says of an erased owner is left out.
SET search_path = storm, public;

CREATE TABLE twin (
    account_id integer,
    type       text,
    id         bigint,
    twin_id    bigint NOT NULL,
    PRIMARY KEY (account_id, type, id)
);

-- How a replay went wrong.
CREATE TABLE difference (
    account_id integer NOT NULL,
    played_id  bigint NOT NULL,
    problem    text NOT NULL
);

-- The events of each call.
CREATE INDEX ON contact_identity.event (account_id, xid);
CREATE INDEX ON played (account_id, xid);
CREATE VIEW event_of_call AS
SELECT p.account_id, p.played_id, p.replays, e.event_id
FROM played p
JOIN contact_identity.event e ON e.account_id = p.account_id AND e.xid = p.xid AND e.event_id < p.played_id
WHERE NOT EXISTS (SELECT FROM played q WHERE q.account_id = p.account_id AND q.xid = p.xid
                  AND q.played_id < p.played_id AND q.played_id > e.event_id);

-- The values that the arguments of each call name.
CREATE FUNCTION values_of(args jsonb) RETURNS SETOF text LANGUAGE sql IMMUTABLE AS $$
    SELECT DISTINCT storm.kind_of(v.key, r) || ' ' || v.value
    FROM jsonb_array_elements(CASE jsonb_typeof(args) WHEN 'array' THEN args ELSE jsonb_build_array(args) END) r,
         jsonb_each_text(r) v
    WHERE v.key IN ('key', 'email', 'phone', 'ext_id', 'whatsapp', 'landline')
$$;

-- The contacts that arguments and results name.
CREATE FUNCTION contacts_of(json jsonb) RETURNS SETOF text LANGUAGE sql IMMUTABLE AS $$
    SELECT DISTINCT v.value
    FROM jsonb_path_query(json, 'strict $.** ? (@.type() == "object")') o, jsonb_each_text(o) v
    WHERE v.key IN ('contact_id', 'merged_contact_id', 'survivor', 'loser', 'a', 'b') AND v.value IS NOT NULL
$$;

-- Arguments or a result with the ids of the other account.
CREATE FUNCTION translated(json jsonb, account integer) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN CASE jsonb_typeof(json)
        WHEN 'array' THEN (SELECT jsonb_agg(storm.translated(e, account) ORDER BY n) FROM jsonb_array_elements(json) WITH ORDINALITY a (e, n))
        WHEN 'object' THEN (SELECT jsonb_object_agg(m.key, CASE
                WHEN m.key IN ('contact_id', 'merged_contact_id', 'survivor', 'loser', 'a', 'b', 'conflict_id') AND m.value <> 'null' THEN
                    (SELECT to_jsonb(t.twin_id) FROM storm.twin t WHERE t.account_id = account AND t.id = m.value::bigint
                     AND t.type = CASE m.key WHEN 'conflict_id' THEN 'conflict' ELSE 'contact' END)
                WHEN m.key = 'conflicts' AND m.value <> 'null' THEN
                    (SELECT jsonb_agg(t.twin_id ORDER BY t.twin_id) FROM jsonb_array_elements_text(m.value) c
                     LEFT JOIN storm.twin t ON t.account_id = account AND t.type = 'conflict' AND t.id = c::bigint)
                ELSE m.value END) FROM jsonb_each(json) m)
        ELSE json END;
END
$$;

-- A result without what may differ: conflicts have no order, and messages name ids.
CREATE FUNCTION plain(json jsonb) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN CASE jsonb_typeof(json)
        WHEN 'array' THEN (SELECT jsonb_agg(storm.plain(e) ORDER BY n) FROM jsonb_array_elements(json) WITH ORDINALITY a (e, n))
        WHEN 'object' THEN (SELECT jsonb_object_agg(m.key, CASE
                WHEN m.key = 'conflicts' AND m.value <> 'null' THEN
                    (SELECT jsonb_agg(c ORDER BY c) FROM jsonb_array_elements(m.value) c)
                WHEN m.key = 'error' AND m.value <> 'null' THEN to_jsonb(regexp_replace(m.value #>> '{}', 'contact [0-9]+', 'contact', 'g'))
                ELSE m.value END) FROM jsonb_each(json) m)
        ELSE json END;
END
$$;

-- The call that wrote the row of a value.
CREATE INDEX ON written (account_id, xid);
CREATE VIEW value_of_call AS
SELECT w.account_id, p.played_id, w.kind || ' ' || w.value AS value
FROM written w
JOIN played p ON p.account_id = w.account_id AND p.xid = w.xid AND w.written_id < p.played_id
WHERE NOT EXISTS (SELECT FROM played q WHERE q.account_id = p.account_id AND q.xid = p.xid
                  AND q.played_id < p.played_id AND q.played_id > w.written_id);

-- The calls of an account that wrote, in the order in which they are replayed.
CREATE FUNCTION in_order(account integer) RETURNS SETOF bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    CREATE TEMP TABLE moment ON COMMIT DROP AS
    SELECT p.played_id, p.args, coalesce(max(e.written_at), p.played_at) AS at
    FROM storm.played p
    LEFT JOIN storm.event_of_call c ON c.played_id = p.played_id
    LEFT JOIN contact_identity.event e ON e.account_id = account AND e.event_id = c.event_id
    WHERE p.account_id = account AND p.wrote GROUP BY p.played_id;
    CREATE TEMP TABLE named ON COMMIT DROP AS
    SELECT m.played_id, v.value FROM moment m, storm.values_of(m.args) v (value)
    UNION SELECT m.played_id, v.value FROM storm.value_of_call v JOIN moment m USING (played_id) WHERE v.account_id = account
    UNION SELECT m.played_id, 'contact ' || c.id FROM moment m JOIN storm.played p USING (played_id),
        storm.contacts_of(jsonb_build_array(p.args, p.result)) c (id)
    UNION SELECT m.played_id, 'contact ' || c.id FROM moment m JOIN storm.played p USING (played_id), unnest(p.met) c (id)
    UNION SELECT m.played_id, 'contact ' || e.contact_id FROM moment m JOIN storm.event_of_call c USING (played_id)
        JOIN contact_identity.event e ON e.account_id = account AND e.event_id = c.event_id;
    LOOP
        UPDATE moment m SET at = l.at
        FROM (SELECT played_id, max(at) AS at
              FROM (SELECT n.played_id, max(m.at) OVER (PARTITION BY n.value ORDER BY n.played_id) AS at
                    FROM named n JOIN moment m USING (played_id)) w
              GROUP BY played_id) l
        WHERE l.played_id = m.played_id AND l.at > m.at;
        EXIT WHEN NOT FOUND;
    END LOOP;
    RETURN QUERY SELECT m.played_id FROM moment m ORDER BY m.at, m.played_id;
END
$$;

-- Calls about one key or one contact that wrote nothing, and after how many of
-- the others they may have been.
CREATE TABLE look (
    account_id integer,
    played_id  bigint,
    earliest   bigint NOT NULL,
    latest     bigint NOT NULL,
    explained  boolean NOT NULL DEFAULT false,
    PRIMARY KEY (account_id, played_id)
);
CREATE INDEX ON look (account_id, earliest) WHERE NOT explained;

CREATE FUNCTION find_looks(account integer, calls bigint[]) RETURNS void LANGUAGE sql VOLATILE AS $$
    INSERT INTO storm.look
    SELECT account, p.played_id,
           coalesce(min(o.n) FILTER (WHERE NOT pg_visible_in_snapshot(o.xid, p.surely)) - 1, cardinality(calls)),
           coalesce(max(o.n) FILTER (WHERE pg_visible_in_snapshot(o.xid, p.perhaps)), 0)
    FROM storm.played p,
         (SELECT c.n, w.xid FROM unnest(calls) WITH ORDINALITY c (id, n) JOIN storm.played w ON w.played_id = c.id) o
    WHERE p.account_id = account AND NOT p.wrote
      AND p.op IN ('capture', 'subscribe', 'unsubscribe', 'logout', 'block', 'unblock', 'add_to_list', 'remove_from_list')
    GROUP BY p.played_id
$$;

-- Plays the calls of an account again, in another one.
CREATE PROCEDURE replay(account integer, twin integer) LANGUAGE plpgsql AS $$
DECLARE
    calls bigint[] := ARRAY(SELECT storm.in_order(account));
    number bigint;
    call storm.played;
    again storm.played;
    problem text;
    looks bigint[];
BEGIN
    PERFORM contact_identity.create_account(twin, 'replay of ' || account);
    PERFORM set_config('contact_identity.account_id', twin::text, false);
    PERFORM storm.find_looks(account, calls);
    COMMIT;
    FOR place IN 0..cardinality(calls) LOOP
        looks := ARRAY(SELECT l.played_id FROM storm.look l
                       WHERE l.account_id = account AND NOT l.explained AND l.earliest <= place AND l.latest >= place);
        FOREACH number IN ARRAY looks LOOP
            SELECT * INTO STRICT call FROM storm.played p WHERE p.played_id = number;
            BEGIN
                again.played_id := storm.play(call.op, storm.translated(call.args, account), number);
                SELECT * INTO STRICT again FROM storm.played p WHERE p.played_id = again.played_id;
                problem := CASE WHEN again.wrote THEN 'wrote' END;
            EXCEPTION WHEN OTHERS THEN
                problem := SQLERRM;
            END;
            ROLLBACK;
            IF problem IS NULL AND storm.plain(storm.translated(call.result, account)) IS NOT DISTINCT FROM storm.plain(again.result) THEN
                UPDATE storm.look l SET explained = true WHERE l.account_id = account AND l.played_id = number;
                COMMIT;
            END IF;
        END LOOP;
        EXIT WHEN place = cardinality(calls);

        number := calls[place + 1];
        SELECT * INTO STRICT call FROM storm.played p WHERE p.played_id = number;
        BEGIN
            problem := NULL;
            again.played_id := storm.play(call.op, storm.translated(call.args, account), number);
            SELECT * INTO STRICT again FROM storm.played p WHERE p.played_id = again.played_id;
        EXCEPTION WHEN OTHERS THEN
            problem := concat_ws(' ', call.op, call.args, 'failed with', SQLSTATE, SQLERRM);
        END;
        IF problem IS NULL THEN
            -- One request makes one contact at most; the conflicts of one contact,
            -- field and call come one after the other.
            INSERT INTO storm.twin
            WITH made AS (
                SELECT c.account_id, 'contact' AS type, e.contact_id AS id, '' AS what,
                       row_number() OVER (PARTITION BY c.account_id ORDER BY e.event_id) AS n
                FROM storm.event_of_call c JOIN contact_identity.event e USING (account_id, event_id)
                WHERE c.played_id IN (number, again.played_id) AND e.event = 'created')
            SELECT account, a.type, a.id, b.id FROM made a JOIN made b USING (type, what, n)
            WHERE a.account_id = account AND b.account_id = twin;
            INSERT INTO storm.twin
            WITH made AS (
                SELECT c.account_id, 'conflict' AS type, e.conflict_id AS id,
                       concat_ws(' ', coalesce(t.twin_id, e.contact_id), e.field_type, e.field) AS what,
                       row_number() OVER (PARTITION BY c.account_id, e.contact_id, e.field_type, e.field ORDER BY e.event_id) AS n
                FROM storm.event_of_call c JOIN contact_identity.event e USING (account_id, event_id)
                LEFT JOIN storm.twin t ON t.account_id = e.account_id AND t.type = 'contact' AND t.id = e.contact_id
                WHERE c.played_id IN (number, again.played_id) AND e.event = 'conflict_opened')
            SELECT account, a.type, a.id, b.id FROM made a JOIN made b USING (type, what, n)
            WHERE a.account_id = account AND b.account_id = twin
            ON CONFLICT DO NOTHING;     -- opened again by unmerge
            IF (SELECT count(*) FILTER (WHERE e.account_id = account) <> count(*) FILTER (WHERE e.account_id = twin)
                FROM storm.event_of_call c JOIN contact_identity.event e USING (account_id, event_id)
                WHERE c.played_id IN (number, again.played_id)) THEN
                problem := concat_ws(' ', call.op, 'made another number of events for', call.args);
            END IF;
            IF storm.plain(storm.translated(call.result, account)) IS DISTINCT FROM storm.plain(again.result) THEN
                problem := concat_ws(' ', call.op, 'gave', storm.plain(storm.translated(call.result, account)),
                                     'and again', storm.plain(again.result), 'for', call.args);
            END IF;
        END IF;
        IF problem IS NOT NULL THEN
            INSERT INTO storm.difference VALUES (account, number, problem);
            EXIT;       -- what follows would differ for that reason
        END IF;
        COMMIT;
    END LOOP;
    INSERT INTO storm.difference
    SELECT account, l.played_id, concat_ws(' ', p.op, 'gave', p.result, 'and wrote nothing, which is so at no place from', l.earliest,
                                           'to', l.latest, 'of', cardinality(calls), 'for', p.args)
    FROM storm.look l JOIN storm.played p USING (played_id)
    WHERE l.account_id = account AND NOT l.explained
      AND NOT EXISTS (SELECT FROM storm.difference d WHERE d.account_id = account);
END
$$;

-- A time that was given; of the clock's, only that it is one.
CREATE FUNCTION told(at timestamptz, since timestamptz) RETURNS text
RETURN CASE WHEN at < since THEN (at AT TIME ZONE 'UTC')::text WHEN at IS NOT NULL THEN 'clock' END;

-- All that an account holds, a row of jsonb for each, with the ids of the other
-- account where "translate" says so.  Times from "since" on are the clock's.
CREATE FUNCTION holding(account integer, translate boolean, since timestamptz) RETURNS TABLE (what text, held jsonb)
LANGUAGE sql STABLE AS $$
    WITH contact_twin AS MATERIALIZED (
        SELECT c.contact_id AS id, CASE WHEN translate THEN t.twin_id ELSE c.contact_id END AS other
        FROM contact_identity.contact c
        LEFT JOIN storm.twin t ON t.account_id = account AND t.type = 'contact' AND t.id = c.contact_id
        WHERE c.account_id = account
    ), conflict_twin AS MATERIALIZED (
        SELECT DISTINCT e.conflict_id AS id, CASE WHEN translate THEN t.twin_id ELSE e.conflict_id END AS other
        FROM contact_identity.event e
        LEFT JOIN storm.twin t ON t.account_id = account AND t.type = 'conflict' AND t.id = e.conflict_id
        WHERE e.account_id = account AND e.conflict_id IS NOT NULL
    )
    SELECT 'contact', to_jsonb(r) FROM (
        SELECT t.other AS contact_id, c.state, c.made, c.origin, s.other AS survivor_id, c.attributes,
               storm.told(c.created_at, since) AS created_at, storm.told(c.identified_at, since) AS identified_at,
               (SELECT jsonb_object_agg(a.key, (a.value - 0) || to_jsonb(storm.told(
                    timestamptz 'epoch' + (a.value ->> 0)::bigint * interval '1 microsecond', since)))
                FROM jsonb_each(c.attribute_times) a) AS attribute_times
        FROM contact_identity.contact c JOIN contact_twin t ON t.id = c.contact_id
        LEFT JOIN contact_twin s ON s.id = c.survivor_id WHERE c.account_id = account) r
    UNION ALL
    SELECT 'identifier', to_jsonb(r) FROM (
        SELECT i.kind, i.value, t.other AS contact_id, i.is_primary, i.opted_in, i.parked, i.verified, i.source, i.given,
               storm.told(i.updated_at, since) AS updated_at
        FROM contact_identity.identifier i LEFT JOIN contact_twin t ON t.id = i.contact_id WHERE i.account_id = account) r
    UNION ALL
    SELECT 'conflict', to_jsonb(r) FROM (
        SELECT f.other AS conflict_id, t.other AS contact_id, c.field_type, c.field, c.secondary_value, c.given,
               o.other AS owner_contact_id, c.source, c.via, c.key_kind,
               CASE c.key_kind WHEN 'contact' THEN (SELECT k.other::text FROM contact_twin k WHERE k.id = c.key::bigint)
                    ELSE regexp_replace(c.key, '^erased [0-9]+$', 'erased') END AS key,
               c.status, c.settled_by, storm.told(c.given_at, since) AS given_at
        FROM contact_identity.conflict c LEFT JOIN conflict_twin f ON f.id = c.conflict_id
        LEFT JOIN contact_twin t ON t.id = c.contact_id LEFT JOIN contact_twin o ON o.id = c.owner_contact_id
        WHERE c.account_id = account) r
    UNION ALL
    SELECT 'list', to_jsonb(r) FROM (
        SELECT l.list, t.other AS contact_id, l.subscribed, storm.told(l.since, since) AS since
        FROM contact_identity.lists l LEFT JOIN contact_twin t ON t.id = l.contact_id WHERE l.account_id = account) r
    UNION ALL
    SELECT 'block', to_jsonb(r) FROM (
        SELECT t.other AS contact_id, b.channel
        FROM contact_identity.block b LEFT JOIN contact_twin t ON t.id = b.contact_id WHERE b.account_id = account) r
    UNION ALL
    SELECT 'merge', to_jsonb(r) FROM (
        SELECT s.other AS survivor_id, l.other AS merged_id, m.source, m.actor, m.undone_by
        FROM contact_identity.merge m LEFT JOIN contact_twin s ON s.id = m.survivor_id
        LEFT JOIN contact_twin l ON l.id = m.merged_id WHERE m.account_id = account) r
    UNION ALL
    SELECT 'distinct', to_jsonb(r) FROM (
        SELECT least(a.other, b.other), greatest(a.other, b.other), p.actor
        FROM contact_identity.distinct_pair p LEFT JOIN contact_twin a ON a.id = p.contact_id
        LEFT JOIN contact_twin b ON b.id = p.other_id WHERE p.account_id = account) r
    UNION ALL
    -- their hashes have another key
    SELECT 'suppressed', to_jsonb(r) FROM (
        SELECT s.kind, count(*) FROM contact_identity.suppressed s WHERE s.account_id = account GROUP BY s.kind) r
    UNION ALL
    SELECT 'counts', to_jsonb(n) - 'account_id' FROM contact_identity.contact_counts n WHERE n.account_id = account
    UNION ALL
    SELECT 'event', to_jsonb(r) FROM (
        SELECT CASE WHEN translate THEN p.played_id ELSE p.replays END AS call, t.other AS contact_id,
               f.other AS conflict_id, o.other AS other_contact_id, e.event, e.field_type,
               CASE e.field_type WHEN 'list' THEN (SELECT l.name FROM contact_identity.list l
                    WHERE l.account_id = account AND l.list_id = e.field::integer) ELSE e.field END AS field,
               CASE WHEN e.field_type = 'contact' AND e.field IN ('merged', 'survivor', 'distinct') THEN
                    (SELECT to_jsonb(v.other) FROM contact_twin v WHERE to_jsonb(v.id) = e.old_value) ELSE e.old_value END AS old_value,
               CASE WHEN e.field_type = 'contact' AND e.field IN ('merged', 'survivor', 'distinct') THEN
                    (SELECT to_jsonb(v.other) FROM contact_twin v WHERE to_jsonb(v.id) = e.new_value) ELSE e.new_value END AS new_value,
               e.old_source, e.new_source, storm.told(e.old_at, since) AS old_at, storm.told(e.new_at, since) AS new_at,
               storm.told(e.occurred_at, since) AS occurred_at, e.source, e.via, e.found_kind, e.found_value, e.actor
        FROM contact_identity.event e
        LEFT JOIN storm.event_of_call p ON p.account_id = account AND p.event_id = e.event_id
        LEFT JOIN contact_twin t ON t.id = e.contact_id
        LEFT JOIN contact_twin o ON o.id = e.other_contact_id AND NOT (starts_with(e.event, 'conflict_') AND EXISTS (
            SELECT FROM contact_identity.contact c
            WHERE c.account_id = account AND c.contact_id = e.other_contact_id AND c.state = 'erased'))
        LEFT JOIN conflict_twin f ON f.id = e.conflict_id
        WHERE e.account_id = account) r
$$;

-- Where an account and its replay differ.
CREATE FUNCTION differences(account integer, twin integer) RETURNS TABLE (side text, what text, held jsonb) LANGUAGE sql STABLE
SET enable_nestloop = off SET jit = off AS $$
    WITH since AS (SELECT a.created_at AS at FROM contact_identity.account a WHERE a.account_id = account),
    one AS MATERIALIZED (SELECT h.* FROM since, storm.holding(account, true, since.at) h),
    two AS MATERIALIZED (SELECT h.* FROM since, storm.holding(twin, false, since.at) h)
    SELECT 'storm', d.* FROM (TABLE one EXCEPT ALL TABLE two) d
    UNION ALL SELECT 'replay', d.* FROM (TABLE two EXCEPT ALL TABLE one) d
$$;

-- Successful calls whose result history does not explain.  Those that wrote are
-- explained by their replay; these answer what was there: the contact is the
-- one that was named, or had one of the values given by then, or is the survivor
-- of such a one.
CREATE FUNCTION unexplained(account integer) RETURNS SETOF storm.played LANGUAGE sql STABLE AS $$
    WITH had AS MATERIALIZED (
        SELECT DISTINCT e.field_type, e.new_value #>> '{}' AS value, e.contact_id, min(e.event_id) AS since
        FROM contact_identity.event e
        WHERE e.account_id = account AND e.field_type IN ('identifier', 'key') AND e.new_value IS NOT NULL
          AND NOT starts_with(e.event, 'conflict_')
        GROUP BY 1, 2, 3
    )
    SELECT p.* FROM storm.played p
    WHERE p.account_id = account AND NOT p.wrote AND p.result ? 'contact_id'
      AND (coalesce(p.result ->> 'outcome', 'unchanged') <> 'unchanged'
           OR NOT EXISTS (
               SELECT FROM (SELECT h.contact_id FROM had h JOIN jsonb_each_text(p.args) a ON h.value = a.value
                            AND CASE a.key WHEN 'key' THEN 'key' ELSE 'identifier' END = h.field_type
                            WHERE h.since < p.played_id
                            UNION ALL SELECT (p.args ->> 'contact_id')::bigint
                            UNION ALL SELECT (p.args ->> 'survivor')::bigint) c (contact_id)
               WHERE c.contact_id = (p.result ->> 'contact_id')::bigint
                  OR EXISTS (SELECT FROM contact_identity.event m
                             WHERE m.account_id = account AND m.contact_id = c.contact_id AND m.event_id < p.played_id
                               AND m.event IN ('merged', 'repointed') AND m.new_value = p.result -> 'contact_id')
                  -- whom an erased contact had, nobody knows any more
                  OR EXISTS (SELECT FROM contact_identity.contact x WHERE x.account_id = account
                             AND x.contact_id = (p.result ->> 'contact_id')::bigint AND x.state = 'erased')
                  -- nor what came with a merge that was undone, when the other was erased
                  OR EXISTS (SELECT FROM contact_identity.event v WHERE v.account_id = account AND v.event_id < p.played_id
                             AND v.contact_id = (p.result ->> 'contact_id')::bigint AND v.new_value IS NULL
                             AND v.event IN ('moved_in', 'added', 'alias_added'))))
$$;

-- What the storm was: calls; those that wrote; those that changed a contact that
-- another session had changed last; and those that met that one: that began
-- before it had ended.
CREATE FUNCTION figures(account integer) RETURNS TABLE (calls bigint, wrote bigint, shared bigint, met bigint, contacts bigint)
LANGUAGE sql STABLE AS $$
    SELECT count(*), count(*) FILTER (WHERE p.wrote), count(*) FILTER (WHERE m.shared), count(*) FILTER (WHERE m.met),
           (SELECT count(*) FROM contact_identity.contact c WHERE c.account_id = account)
    FROM storm.played p LEFT JOIN (
        SELECT l.played_id, bool_or(l.began_at < l.before) AS met, bool_or(l.session <> l.other) AS shared
        FROM (SELECT p.played_id, p.began_at, p.session, lag(p.session) OVER c AS other, lag(p.played_at) OVER c AS before
              FROM (SELECT DISTINCT c.played_id, e.contact_id
                    FROM storm.event_of_call c JOIN contact_identity.event e USING (account_id, event_id)
                    WHERE c.account_id = account) t JOIN storm.played p USING (played_id)
              WINDOW c AS (PARTITION BY t.contact_id ORDER BY p.played_id)) l
        GROUP BY l.played_id) m USING (played_id)
    WHERE p.account_id = account
$$;
