-- What the storm plays.  A row of "operation" is all there is to a new one: how
-- often it is drawn, its arguments and the call, which answers jsonb.
--
-- Ids in arguments and results have the names that translated() knows, since a
-- replay has other ids.

CREATE SCHEMA storm;
SET search_path = storm, public;

CREATE FUNCTION account() RETURNS integer
RETURN current_setting('contact_identity.account_id')::integer;

CREATE FUNCTION one_of(VARIADIC words text[]) RETURNS text
RETURN words[1 + floor(random() * cardinality(words))];

-- One of n words, word0 rather than word9: there is always one that all want.
CREATE FUNCTION pick(word text, n integer) RETURNS text
RETURN word || floor(random() * random() * n);

CREATE FUNCTION chance(probability double precision) RETURNS boolean
RETURN random() < probability;

-- Some time of the hour before the storm; so few that equal ones meet.  No time
-- that is given is as new as a clock of the storm, or a replay, whose clock is
-- later, could not give the same.
CREATE FUNCTION some_time() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
    SELECT a.created_at - (1 + floor(random() * 60)) * interval '1 minute'
    FROM contact_identity.account a WHERE a.account_id = storm.account()
$$;

-- A contact of the account, live or ended, rather a young one; not the ledger.
CREATE FUNCTION some_contact() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT c.contact_id
    FROM (SELECT contact_id FROM contact_identity.contact
          WHERE account_id = storm.account()
            AND contact_id <> (SELECT f.contact_id FROM contact_identity.find('ext_id', 'ledger') f (contact_id))
          ORDER BY contact_id DESC LIMIT 80) c
    ORDER BY random() LIMIT 1
$$;

-- A conflict, an open one where there is one.
CREATE FUNCTION some_conflict() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT f.conflict_id
    FROM contact_identity.conflict f
    WHERE f.account_id = storm.account()
    ORDER BY f.status = 'open' DESC, random() LIMIT 1
$$;

-- A contact that ended, rather a short time ago.
CREATE FUNCTION some_ended_contact() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT m.merged_id
    FROM (SELECT merged_id FROM contact_identity.merge
          WHERE account_id = storm.account() AND undone_at IS NULL
          ORDER BY merge_id DESC LIMIT 30) m
    ORDER BY random() LIMIT 1
$$;

CREATE FUNCTION some_key(source text) RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT jsonb_build_object('source', source, 'key', storm.pick(source, 50))
           || CASE WHEN source = 'conversations' AND storm.chance(0.2) THEN '{"via": "facebook"}' ELSE '{}' END::jsonb
$$;

CREATE FUNCTION some_attributes() RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT jsonb_object_agg(storm.pick('attribute-', 5), storm.one_of('1', '2', '"three"', 'null')::jsonb)
    FROM generate_series(1, 1 + floor(random() * 2)::integer)
$$;

-- The arguments of a request, by name.
CREATE FUNCTION some_request() RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    source text := storm.one_of('conversations', 'conversations', 'push', 'push', 'shop', 'api');
    request jsonb := jsonb_build_object('source', source);
BEGIN
    IF source IN ('conversations', 'push') AND storm.chance(0.8) THEN
        request := storm.some_key(source);
    END IF;
    IF storm.chance(0.5) OR NOT request ? 'key' THEN
        request := request || jsonb_build_object('email', storm.pick('e', 60) || '@example.org');
    END IF;
    IF storm.chance(0.3) THEN
        request := request || jsonb_build_object('phone', '+120612345' || lpad(storm.pick('', 40), 2, '0'));
    END IF;
    IF storm.chance(0.2) THEN
        request := request || jsonb_build_object('ext_id', storm.pick('customer-', 40));
    END IF;
    IF storm.chance(0.1) THEN
        request := request || jsonb_build_object('whatsapp', '+120612346' || lpad(storm.pick('', 20), 2, '0'));
    END IF;
    IF storm.chance(0.05) THEN
        request := request || jsonb_build_object('landline', '+120612347' || lpad(storm.pick('', 20), 2, '0'));
    END IF;
    IF storm.chance(0.4) THEN
        request := request || jsonb_build_object('attributes', storm.some_attributes());
    END IF;
    IF storm.chance(0.25) THEN
        request := request || jsonb_build_object('occurred_at', storm.some_time());
    END IF;
    IF source <> 'api' AND storm.chance(0.2) THEN
        request := request || '{"verified": true}';
    END IF;
    RETURN request;
END
$$;

-- Many of them, as a batch takes them.
CREATE FUNCTION some_requests() RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT jsonb_agg(CASE WHEN storm.chance(0.8) THEN storm.some_request()
                          ELSE storm.some_key('push')
                               || jsonb_build_object('op', storm.one_of('capture', 'subscribe', 'unsubscribe', 'logout'))
                     END)
    FROM generate_series(1, 2 + floor(random() * 12)::integer)
$$;

CREATE TABLE operation (
    name   text PRIMARY KEY,
    weight double precision NOT NULL,
    args   text NOT NULL,       -- an expression
    call   text NOT NULL        -- a statement with the arguments as $1
);
INSERT INTO operation VALUES
('identify', 34, 'some_request()', $$
    SELECT to_jsonb(r) FROM contact_identity.identify($1->>'source', $1->>'key', $1->>'email', $1->>'phone',
        $1->>'ext_id', $1->>'whatsapp', $1->>'landline', $1->'attributes', $1->>'via',
        ($1->>'occurred_at')::timestamptz, ($1->>'contact_id')::bigint,
        coalesce(($1->>'verified')::boolean, false), $1->>'actor') r $$),
('identify a contact', 5, $$some_request() || jsonb_build_object('contact_id', some_contact())$$,
    'the call of identify'),
('capture', 12, $$some_key(one_of('conversations', 'push')) || CASE WHEN chance(0.3) THEN
        jsonb_build_object('attributes', some_attributes()) ELSE '{}' END$$, $$
    SELECT jsonb_build_object('contact_id',
        contact_identity.capture($1->>'source', $1->>'key', $1->'attributes', $1->>'via')) $$),
('logout', 5, $$some_key(one_of('conversations', 'push'))$$, $$
    SELECT to_jsonb(contact_identity.logout($1->>'source', $1->>'key', $1->>'via')) $$),
('subscribe', 3, $$some_key('push')$$, $$
    SELECT to_jsonb(contact_identity.subscribe($1->>'source', $1->>'key')) $$),
('unsubscribe', 3, $$some_key('push')$$, $$
    SELECT to_jsonb(contact_identity.unsubscribe($1->>'source', $1->>'key')) $$),
('merge', 7, $$jsonb_build_object('survivor', some_contact(), 'loser', some_contact(), 'newer_wins', chance(0.5))$$, $$
    SELECT to_jsonb(r) FROM contact_identity.merge(($1->>'survivor')::bigint, ($1->>'loser')::bigint, 'agent',
        ($1->>'newer_wins')::boolean) r $$),
('promote', 4, $$jsonb_build_object('conflict_id', some_conflict())$$, $$
    SELECT to_jsonb(contact_identity.promote(($1->>'conflict_id')::bigint, 'agent', true)) $$),
('dismiss', 3, $$jsonb_build_object('conflict_id', some_conflict())$$, $$
    SELECT to_jsonb(contact_identity.dismiss(($1->>'conflict_id')::bigint, 'agent')) $$),
('add_to_list', 2, $$jsonb_build_object('contact_id', some_contact())$$, $$
    SELECT to_jsonb(contact_identity.add_to_list(($1->>'contact_id')::bigint, 'Contacts active in Conversations')) $$),
('remove_from_list', 4, $$jsonb_build_object('contact_id', some_contact())$$, $$
    SELECT to_jsonb(contact_identity.remove_from_list(($1->>'contact_id')::bigint, 'Contacts active in Conversations')) $$),
('block', 2, $$jsonb_build_object('contact_id', some_contact(), 'channel', one_of('email', 'sms', 'push'))$$, $$
    SELECT to_jsonb(contact_identity.block(($1->>'contact_id')::bigint, $1->>'channel')) $$),
('unblock', 2, $$coalesce((SELECT jsonb_build_object('contact_id', b.contact_id, 'channel', b.channel)
        FROM contact_identity.block b WHERE b.account_id = account() ORDER BY random() LIMIT 1),
        jsonb_build_object('contact_id', some_contact(), 'channel', 'email'))$$, $$
    SELECT to_jsonb(contact_identity.unblock(($1->>'contact_id')::bigint, $1->>'channel')) $$),
('batch', 7, 'some_requests()', $$
    SELECT jsonb_agg(to_jsonb(r)) FROM contact_identity.identify_batch($1) r $$),
('inbox', 4, 'some_requests()', $$
    INSERT INTO contact_identity.inbox
    SELECT * FROM jsonb_to_recordset($1) AS r (source text, key text, email text, phone text, ext_id text, whatsapp text,
        landline text, attributes text, via text, occurred_at text, contact_id text, verified text, actor text, op text) $$),
('unmerge', 5, $$jsonb_build_object('loser', some_ended_contact())$$, $$
    SELECT to_jsonb(r) FROM contact_identity.unmerge(($1->>'loser')::bigint, 'agent') r $$),
('set_distinct', 2, $$jsonb_build_object('a', some_contact(), 'b', some_contact())$$, $$
    SELECT to_jsonb(contact_identity.set_distinct(($1->>'a')::bigint, ($1->>'b')::bigint, 'agent')) $$),
('lift distinct', 2, $$coalesce((SELECT jsonb_build_object('a', p.contact_id, 'b', p.other_id)
        FROM contact_identity.distinct_pair p WHERE p.account_id = account() ORDER BY random() LIMIT 1),
        jsonb_build_object('a', some_contact(), 'b', some_contact()))$$, $$
    SELECT to_jsonb(contact_identity.set_distinct(($1->>'a')::bigint, ($1->>'b')::bigint, 'agent', true)) $$),
('erase', 2, $$jsonb_build_object('contact_id', some_contact(), 'suppress', chance(0.1))$$, $$
    SELECT to_jsonb(contact_identity.erase(($1->>'contact_id')::bigint, ($1->>'suppress')::boolean, 'agent')) $$),
-- The statement passes over a contact that ended after it began.
('delete', 1, $$jsonb_build_object('contact_id', some_contact())$$, $$
    DELETE FROM contact_identity.all_contacts
    WHERE account_id = storm.account() AND contact_id = ($1->>'contact_id')::bigint $$),
('preview_identify', 3, 'some_request()', $$
    SELECT jsonb_agg(to_jsonb(r)) FROM contact_identity.preview_identify($1->>'source', $1->>'key', $1->>'email',
        $1->>'phone', $1->>'ext_id', $1->>'whatsapp', $1->>'landline', $1->'attributes', $1->>'via',
        ($1->>'occurred_at')::timestamptz, ($1->>'contact_id')::bigint,
        coalesce(($1->>'verified')::boolean, false), $1->>'actor') r $$),
('preview_merge', 2, 'the arguments of merge', $$
    SELECT jsonb_agg(to_jsonb(r)) FROM contact_identity.preview_merge(($1->>'survivor')::bigint, ($1->>'loser')::bigint,
        'agent', ($1->>'newer_wins')::boolean) r $$),
-- Nobody meets it.  It has no weight: it stands in longer transactions.
('lone capture', 0, $$jsonb_build_object('source', 'push', 'key', gen_random_uuid())$$, 'the call of capture');
UPDATE operation o SET call = c.call
FROM operation c WHERE o.call = 'the call of ' || c.name;
UPDATE operation o SET args = c.args
FROM operation c WHERE o.args = 'the arguments of ' || c.name;

-- The calls that were played, in the transaction of each: what is committed of
-- one is so of the other.  Its number is drawn from the sequence of events
-- while the call still holds its contacts and values.  So calls that share any
-- have numbers in the order in which they took effect, and the events of a call
-- are those of its transaction between the call before it and itself.
CREATE TABLE played (
    account_id integer NOT NULL,
    played_id  bigint PRIMARY KEY,
    session    integer,
    op         text NOT NULL,
    args       jsonb NOT NULL,
    result     jsonb,
    wrote      boolean NOT NULL,    -- any row
    had_xid    boolean NOT NULL,    -- also of an attempt that was rolled back, or found nothing to write
    xid        xid8 NOT NULL,
    surely     pg_snapshot NOT NULL,    -- what it has seen surely
    perhaps    pg_snapshot NOT NULL,    -- and at the most
    began_at   timestamptz NOT NULL,
    played_at  timestamptz NOT NULL,
    met        bigint[],            -- contacts that it held, by what its arguments name
    replays    bigint               -- the call of another account that this repeats
);

-- Arguments for an operation.
CREATE FUNCTION args(op text) RETURNS jsonb LANGUAGE plpgsql VOLATILE SET search_path = storm, pg_catalog AS $$
DECLARE
    result jsonb;
BEGIN
    EXECUTE 'SELECT ' || (SELECT o.args FROM operation o WHERE o.name = op) INTO STRICT result;
    RETURN result;
END
$$;

-- The values whose rows calls have written, with numbers as calls have.  Some are
-- in no argument and, after an erase, in no event.
CREATE TABLE written (
    account_id integer NOT NULL,
    written_id bigint NOT NULL,
    xid        xid8 NOT NULL,
    kind       text NOT NULL,
    value      text NOT NULL
);
CREATE FUNCTION note_written() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO storm.written
    SELECT r.account_id, nextval('contact_identity.event_event_id_seq'), pg_current_xact_id(), r.kind, r.value
    FROM rows r;
    RETURN NULL;
END
$$;
CREATE TRIGGER storm_inserted AFTER INSERT ON contact_identity.identifier
    REFERENCING NEW TABLE AS rows FOR EACH STATEMENT EXECUTE FUNCTION note_written();
CREATE TRIGGER storm_updated AFTER UPDATE ON contact_identity.identifier
    REFERENCING NEW TABLE AS rows FOR EACH STATEMENT EXECUTE FUNCTION note_written();
CREATE TRIGGER storm_deleted AFTER DELETE ON contact_identity.identifier
    REFERENCING OLD TABLE AS rows FOR EACH STATEMENT EXECUTE FUNCTION note_written();

-- How many rows this session has written, but for values that were claimed: an
-- attempt that is rolled back has come no further.  Each change updates a row of
-- its contact, or makes one and an event.
CREATE FUNCTION rows_written() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN sum(pg_stat_get_xact_tuples_updated(c.oid) + pg_stat_get_xact_tuples_deleted(c.oid)
               + CASE c.relname WHEN 'event' THEN pg_stat_get_xact_tuples_inserted(c.oid) ELSE 0 END)::bigint
    FROM pg_class c WHERE c.relnamespace = 'contact_identity'::regnamespace AND c.relkind = 'r';
END
$$;

-- What kind of value a request names by an argument: the same key may be one of
-- several channels' kinds.
CREATE FUNCTION kind_of(argument text, request jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN argument <> 'key' THEN argument
                WHEN request ->> 'source' = 'push' THEN 'push'
                ELSE CASE request ->> 'via' WHEN 'facebook' THEN 'facebook' WHEN 'instagram' THEN 'instagram'
                                            WHEN 'whatsapp' THEN 'whatsapp_chat' ELSE 'visitor' END END
$$;

-- The contacts that have what arguments name, also as who had it last.
CREATE FUNCTION owners(args jsonb) RETURNS bigint[] LANGUAGE sql VOLATILE AS $$
    SELECT array_agg(DISTINCT i.contact_id)
    FROM jsonb_array_elements(CASE jsonb_typeof(args) WHEN 'array' THEN args ELSE jsonb_build_array(args) END) r,
         jsonb_each_text(r) v, contact_identity.identifier i
    WHERE v.key IN ('key', 'email', 'phone', 'ext_id', 'whatsapp', 'landline')
      AND i.account_id = storm.account() AND i.value = v.value AND i.kind = storm.kind_of(v.key, r)
$$;

-- Plays a call and notes it.
CREATE FUNCTION play(op text, args jsonb, replays bigint DEFAULT NULL) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    began_at timestamptz := clock_timestamp();
    played_at timestamptz;
    xid xid8;
    result jsonb;
    id bigint;
    rows_before bigint := storm.rows_written();
    surely pg_snapshot := pg_current_snapshot();
BEGIN
    IF op IN ('inbox', 'delete') THEN
        EXECUTE (SELECT o.call FROM storm.operation o WHERE o.name = op) USING args;
    ELSE
        EXECUTE (SELECT o.call FROM storm.operation o WHERE o.name = op) INTO result USING args;
    END IF;
    xid := pg_current_xact_id_if_assigned();
    played_at := clock_timestamp();     -- before the number, and so before whoever waits goes on
    id := nextval('contact_identity.event_event_id_seq');
    INSERT INTO storm.played VALUES (storm.account(), id, current_setting('storm.session', true)::integer, op, args,
        result, storm.rows_written() > rows_before, xid IS NOT NULL, pg_current_xact_id(), surely, pg_current_snapshot(),
        began_at, played_at, CASE WHEN xid IS NOT NULL THEN storm.owners(args) END, replays);
    RETURN id;
END
$$;

-- Which operation is next.
CREATE FUNCTION some_operation() RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT o.name
    FROM (SELECT name, sum(weight) OVER (ORDER BY name) AS upto FROM storm.operation) o,
         (SELECT random() * sum(weight) AS at FROM storm.operation) dice
    WHERE dice.at < o.upto ORDER BY o.upto LIMIT 1
$$;

-- A line of a session's script.  What meets others is one call of its
-- transaction: several could deadlock, as any SQL can.  Arguments are drawn by
-- a statement of their own, or every call would have read many contacts.  It
-- prints the numbers of the calls that it knows to be committed, and no others.
CREATE FUNCTION some_line() RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    dice double precision := random();
    op text := storm.some_operation();
    drawn text := format(
        E'BEGIN ISOLATION LEVEL READ COMMITTED; SELECT storm.args(%L) AS args \\gset\nCOMMIT;\n', op);
    call text := format(E'SELECT storm.play(%L, :''args'');\n', op);
    held text := format(E'SELECT storm.play(%L, :''args'') AS call \\gset\n', op);
    lone text := E'SELECT storm.play(''lone capture'', storm.args(''lone capture''));\n';
    other text := E'SELECT storm.play(''lone capture'', storm.args(''lone capture'')) AS other \\gset\n';
    known text := E'SELECT played_id FROM storm.played WHERE played_id IN (:call, :other);\n';
    id uuid := gen_random_uuid();
BEGIN
    RETURN concat(drawn, E'\\set call 0\n\\set other 0\n') || CASE
        WHEN dice < 0.80 THEN call
        WHEN dice < 0.84 THEN concat('BEGIN; ', held, E'ROLLBACK;\n')
        -- Whoever waits for what is rolled back here waits for the whole transaction.
        WHEN dice < 0.88 THEN concat('BEGIN; SAVEPOINT before; ', held, E'\\set call 0\nROLLBACK TO before; ', other,
                                     E'COMMIT;\n', known)
        WHEN dice < 0.92 THEN concat('BEGIN; ', held, other, other, other, other, E'COMMIT;\n', known)
        -- The session's counts are held meanwhile.
        WHEN dice < 0.96 THEN concat('BEGIN; ', held, format('PREPARE TRANSACTION %L; ', id), lone,
                                     format(E'COMMIT PREPARED %L;\n', id), known)
        ELSE concat('BEGIN; ', held, format('PREPARE TRANSACTION %L; ', id), lone, format(E'ROLLBACK PREPARED %L;\n', id))
    END;
END
$$;

-- A session's script.  Every tenth call adds to the contact "ledger", which no
-- other call touches.
CREATE FUNCTION script(session integer, calls integer) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT format(E'SET storm.session = %s; SELECT setseed(%s);\n', session, random())
           || string_agg(storm.some_line() || CASE WHEN call % 10 = 0 THEN format(
                  E'SELECT storm.play(''identify'', ''{"source": "shop", "ext_id": "ledger", "attributes": {"session-%s": %s}}'');\n',
                  session, call / 10) ELSE '' END, '' ORDER BY call)
    FROM generate_series(1, calls) call
$$;
