-- People in groups of four, who share telephones, are taken for each other,
-- merged and told apart, within their group and in any way there is.  Some are
-- erased meanwhile, and whole groups at the end.
--
-- What people say has marks in it that are in nothing else: "needles".  Whose a
-- needle is, is asked of the rows before the erasure.  It goes where no row says
-- that another contact has or had it, or that it was given about one; what a
-- merge brought that was undone says neither.
SET client_min_messages = error;
CREATE SCHEMA erasure;
CREATE SCHEMA app;
SET search_path = erasure;

-- An application's tables.
CREATE TABLE app.customers (no serial PRIMARY KEY, mail text, phone text, name text, city text, contact_id bigint);
CREATE TABLE app.orders (no serial PRIMARY KEY, mail text, name text);
CREATE TABLE app.tickets (no serial PRIMARY KEY, contact_id bigint);

CREATE TABLE needle (needle text PRIMARY KEY, person integer);
CREATE TABLE gone (needle text PRIMARY KEY, contact_id bigint, way text);
CREATE TABLE stays (needle text PRIMARY KEY, contact_id bigint);
CREATE TABLE wrong (what text, found text);
CREATE TABLE played (op text PRIMARY KEY, times integer);

CREATE FUNCTION one_of(VARIADIC words text[]) RETURNS text
RETURN words[1 + floor(random() * cardinality(words))];

CREATE FUNCTION chance(probability double precision) RETURNS boolean
RETURN random() < probability;

-- Notes what is to be found in a dump, and answers what it is a mark of.
CREATE FUNCTION noted(said text, person integer, VARIADIC needles text[]) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO needle SELECT lower(n), person FROM unnest(needles) n ON CONFLICT DO NOTHING;
    RETURN said;
END
$$;

-- A value of a person, as it is typed.  One that has been erased is not said
-- again; then it is a further one.
CREATE FUNCTION say(kind text, person integer) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    number integer := 1 + floor(random() * 3);
    mark text;
    digits text;
    given text;
BEGIN
    LOOP
        -- Of the kind, too: the address does not have the mark of the key.
        mark := format('q%s%s%sz', substr(md5(kind), 1, 3), lpad(person::text, 4, '0'), lpad(number::text, 2, '0'));
        digits := lpad((person * 100 + number)::text, 8, '0');
        digits := substr(digits, 1, 4) || ' ' || substr(digits, 5);
        given := CASE kind WHEN 'phone' THEN '+49151' WHEN 'whatsapp' THEN '+49160' WHEN 'landline' THEN '+4930' END
                 || replace(digits, ' ', '');
        EXIT WHEN NOT EXISTS (SELECT FROM gone WHERE needle IN (mark, substr(given, 2), (70000000 + person * 100 + number)::text)
                              OR right(needle, 10) = ' ' || digits);
        number := number + 1;
    END LOOP;
    CASE
    WHEN kind = 'name' THEN
        RETURN noted(mark || (ARRAY['', ' Müller', ' "the quick"', E' \\ \t'])[1 + number % 4], person, mark);
    WHEN kind IN ('phone', 'whatsapp', 'landline') THEN
        PERFORM noted(given, person, substr(given, 2));
        CASE floor(random() * 3)
        WHEN 0 THEN RETURN given;
        WHEN 1 THEN RETURN '00' || substr(given, 2);
        ELSE
            -- The spelling is a needle of its own.
            given := format('+49 (0)%s %s', substr(given, 4, length(given) - 11), digits);
            RETURN noted(given, person, given);
        END CASE;
    WHEN kind = 'email' THEN
        given := format(CASE WHEN number % 2 = 0 THEN one_of('%s@bücher.example', '%s@xn--bcher-kva.example')
                             ELSE one_of('%s@example.org', ' %s@Example.ORG') END,
                        CASE WHEN chance(0.3) THEN upper(mark) ELSE mark END);
        RETURN noted(given, person, mark);
    WHEN kind = 'number' THEN
        RETURN noted((70000000 + person * 100 + number)::text, person, (70000000 + person * 100 + number)::text);
    WHEN kind = 'key of push' THEN
        RETURN noted('https://push.example/' || mark, person, mark);
    ELSE
        RETURN noted(mark, person, mark);
    END CASE;
END
$$;

-- Attributes: some that are nobody's alone, among them.
CREATE FUNCTION say_attributes(person integer) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_object_agg(name, CASE name
        WHEN 'name' THEN to_jsonb(say('name', person))
        WHEN 'note' THEN to_jsonb('Lives in ' || say('note', person))
        WHEN 'address' THEN jsonb_build_object('street', say('street', person), 'lines', ARRAY[say('line', person), 'Lyon'])
        WHEN 'size' THEN say('number', person)::jsonb
        WHEN 'city' THEN to_jsonb(one_of('Lyon', 'Rome'))
        ELSE one_of('true', 'null', '1', '2')::jsonb END)
    FROM (SELECT one_of('name', 'note', 'address', 'size', 'city', 'vip') AS name
          FROM generate_series(1, 1 + floor(random() * 3)::integer)) names
$$;

-- Arguments of a request about a person; now and then they are mixed up with
-- somebody else of the group.
CREATE FUNCTION say_request(person integer) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    other integer := person - (person - 1) % 4 + floor(random() * 4)::integer;
    source text := one_of('conversations', 'conversations', 'push', 'push', 'shop', 'api');
    via text := CASE WHEN source = 'conversations' THEN one_of(NULL, NULL, 'chat', 'facebook', 'whatsapp') END;
    request jsonb := jsonb_build_object('source', source);
    kind text;
BEGIN
    IF source IN ('conversations', 'push') AND chance(0.8) THEN
        request := request || jsonb_build_object('key', say('key of ' || coalesce(via, source), CASE WHEN chance(0.05) THEN other ELSE person END));
        IF via IS NOT NULL THEN
            request := request || jsonb_build_object('via', via);
        END IF;
    END IF;
    IF chance(0.4) OR NOT request ? 'key' THEN
        request := request || jsonb_build_object('ext_id', say('ext_id', person));
    END IF;
    FOREACH kind IN ARRAY '{email,phone,whatsapp,landline}'::text[] LOOP
        IF chance(0.3) THEN
            request := request || jsonb_build_object(kind, say(kind, CASE WHEN chance(0.2) THEN other ELSE person END));
        END IF;
    END LOOP;
    IF chance(0.5) THEN
        request := request || jsonb_build_object('attributes', say_attributes(person));
    END IF;
    IF chance(0.2) THEN
        request := request || jsonb_build_object('occurred_at', now() - random() * interval '1 hour');
    END IF;
    IF chance(0.1) THEN
        request := request || '{"verified": true}';
    END IF;
    -- What is rejected.
    IF chance(0.1) THEN
        request := request || CASE floor(random() * 3) WHEN 0 THEN '{"source": "nowhere"}' WHEN 1 THEN '{"landline": "12"}'
                                   ELSE '{"occurred_at": "-infinity"}' END::jsonb;
    END IF;
    RETURN request;
END
$$;

-- A contact of a person, live or ended; null: none.
CREATE FUNCTION contact_of(person integer) RETURNS bigint LANGUAGE sql AS $$
    SELECT c.contact_id
    FROM contact_identity.event e JOIN contact_identity.contact c USING (account_id, contact_id)
    WHERE e.new_value::text ~ format('q[0-9a-f]{3}%s[0-9]{2}z', lpad(person::text, 4, '0'))
      AND e.field_type IN ('identifier', 'key') AND c.state <> 'erased'
      AND c.account_id = current_setting('contact_identity.account_id')::integer
    ORDER BY random() LIMIT 1
$$;

-- What the rows say of whom.  own: what a contact has, had, or was given about
-- it; beside: what else is in its row.
CREATE VIEW line AS
SELECT account_id, 'identifier' AS tab, format('%s %s', kind, value) AS id, contact_id, concat_ws(' ', value, given) AS own,
       '' AS beside, to_jsonb(i) AS row
FROM contact_identity.identifier i
UNION ALL SELECT account_id, 'contact', contact_id::text, contact_id, attributes::text, '', to_jsonb(c)
FROM contact_identity.contact c
UNION ALL SELECT account_id, 'conflict', conflict_id::text, contact_id, concat_ws(' ', secondary_value, given), key,
       to_jsonb(f) - 'key' - 'owner_contact_id'
FROM contact_identity.conflict f
UNION ALL SELECT e.account_id, 'event', e.event_id::text, e.contact_id, concat_ws(' ', e.old_value, e.new_value, e.detail),
       e.found_value, to_jsonb(e) - 'found_value'
FROM contact_identity.event e
UNION ALL SELECT account_id, 'list_member', format('%s %s', list_id, contact_id), contact_id, '', '', to_jsonb(m)
FROM contact_identity.list_member m
UNION ALL SELECT account_id, 'block', format('%s %s', channel, contact_id), contact_id, '', '', to_jsonb(b)
FROM contact_identity.block b
UNION ALL SELECT account_id, 'merge', merge_id::text, merged_id, '', detail::text, to_jsonb(m)
FROM contact_identity.merge m
UNION ALL SELECT account_id, 'rejected', rejected_id::text, NULL, '', request::text, to_jsonb(r)
FROM contact_identity.rejected r
UNION ALL SELECT account_id, 'jobs', job::text, NULL, '', concat_ws(' ', query, last_error), to_jsonb(j)
FROM contact_identity.jobs j;

-- While a merge held that was undone: the rows of history of its survivor that
-- it and its undoing wrote are the ended contact's, those between may be either's.
CREATE VIEW undone AS
SELECT a.contact_id, a.merge_id, a.event_id AS from_event, r.event_id AS to_event, r.call_id
FROM contact_identity.event a
JOIN contact_identity.merge m ON m.account_id = a.account_id AND m.merge_id = a.merge_id AND m.undone_at IS NOT NULL
JOIN LATERAL (SELECT r.event_id, r.call_id FROM contact_identity.event r
              WHERE r.contact_id = a.contact_id AND r.event = 'released' AND r.other_contact_id = a.other_contact_id
                AND r.event_id > a.event_id ORDER BY r.event_id LIMIT 1) r ON true
WHERE a.event = 'absorbed';

CREATE TABLE before (LIKE line);
ALTER TABLE before ADD sure boolean, ADD theirs boolean;
CREATE TABLE fate (needle text, stays boolean, may_stay boolean);

-- Erases a contact and notes what has to be gone.
CREATE PROCEDURE forget(contact bigint, suppresses boolean) LANGUAGE plpgsql AS $$
DECLARE
    ids bigint[];
    way text := one_of('erase', 'erase', 'delete', 'delete all', 'batch of two');
    account integer := current_setting('contact_identity.account_id')::integer;
BEGIN
    SELECT array_agg(c.contact_id) INTO ids
    FROM contact_identity.contact c JOIN contact_identity.contact o USING (account_id)
    WHERE o.contact_id = contact
      AND coalesce(o.survivor_id, o.contact_id) IN (c.contact_id, c.survivor_id);
    TRUNCATE before;
    INSERT INTO before
    SELECT l.*, coalesce(u.sure, true), coalesce(u.theirs, l.tab IN ('identifier', 'contact', 'conflict', 'event'))
    FROM line l
    LEFT JOIN LATERAL (
        SELECT false AS sure, NOT bool_or(l.row ->> 'merge_id' = u.merge_id::text OR l.row ->> 'call_id' = u.call_id::text) AS theirs
        FROM undone u
        WHERE l.tab = 'event' AND u.contact_id = l.contact_id AND l.id::bigint BETWEEN u.from_event AND u.to_event + 1000
          AND (l.id::bigint <= u.to_event OR l.row ->> 'call_id' = u.call_id::text)
        HAVING count(*) > 0) u ON true;
    -- [10.3] What a merge set aside goes with it, unless it was promoted.
    UPDATE before SET sure = false, theirs = false
    WHERE tab = 'conflict' AND before.row ->> 'source' = 'merge' AND before.row ->> 'status' <> 'promoted';

    DELETE FROM fate;
    WITH mine AS MATERIALIZED (
        SELECT DISTINCT n.needle
        FROM (SELECT string_agg(lower(b.own), ' ') AS said FROM before b WHERE b.contact_id = ANY (ids)) h
        JOIN needle n ON strpos(h.said, n.needle) > 0
    ), others AS MATERIALIZED (
        SELECT lower(b.own) AS said, b.theirs AND b.sure AS stays, b.theirs OR (NOT b.sure AND b.tab = 'conflict') AS may_stay
        FROM before b WHERE (b.contact_id = ANY (ids)) IS NOT TRUE AND b.own <> ''
    )
    INSERT INTO fate
    SELECT m.needle, coalesce(bool_or(o.stays), false), coalesce(bool_or(o.may_stay), false)
    FROM mine m LEFT JOIN others o ON strpos(o.said, m.needle) > 0
    GROUP BY m.needle;

    CASE way
    WHEN 'delete' THEN
        DELETE FROM contact_identity.all_contacts c WHERE c.contact_id = contact_identity.resolve(contact);
    WHEN 'delete all' THEN
        DELETE FROM contact_identity.all_contacts c
        WHERE c.account_id = account AND c.contact_id = ANY (ids);
    ELSE
        PERFORM contact_identity.erase(contact, suppresses, 'agent');
    END CASE;

    -- A spelling of what is another's is his, too.
    INSERT INTO gone SELECT f.needle, contact, way FROM fate f
    WHERE NOT f.may_stay AND NOT EXISTS (
        SELECT FROM fate n WHERE n.may_stay AND n.needle = replace(replace(replace(f.needle, '(0)', ''), '+', ''), ' ', ''))
    ON CONFLICT DO NOTHING;
    DELETE FROM stays WHERE needle IN (SELECT needle FROM fate);
    INSERT INTO stays SELECT f.needle, contact FROM fate f WHERE f.stays ON CONFLICT DO NOTHING;

    -- Nothing of others is lost, but how calls found them.
    INSERT INTO wrong
    SELECT 'lost by ' || way, format('%s %s of contact %s: %s now %s', b.tab, b.id, b.contact_id, b.row, l.row)
    FROM before b LEFT JOIN line l ON l.account_id = b.account_id AND l.tab = b.tab AND l.id = b.id
    WHERE b.contact_id <> ALL (ids) AND b.sure AND NOT (b.tab = 'merge' AND b.row ->> 'undone_at' IS NOT NULL) AND b.row IS DISTINCT FROM l.row;
    INSERT INTO wrong
    SELECT 'lost beside by ' || way, format('%s %s of contact %s: %s', b.tab, b.id, b.contact_id, b.beside)
    FROM before b JOIN line l ON l.account_id = b.account_id AND l.tab = b.tab AND l.id = b.id
    WHERE (b.contact_id = ANY (ids)) IS NOT TRUE AND b.tab <> 'merge' AND b.sure AND b.beside <> '' AND b.beside <> l.beside
      AND NOT EXISTS (SELECT FROM fate f WHERE strpos(lower(b.beside), f.needle) > 0 AND (NOT f.stays OR b.tab IN ('rejected', 'jobs')))
      AND NOT (b.tab = 'rejected' AND b.row -> 'request' ->> 'contact_id' = ANY (ids::text[]));
END
$$;

CREATE FUNCTION many(person integer) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_agg(say_request(person - (person - 1) % 4 + floor(random() * 4)::integer))
    FROM generate_series(1, 2 + floor(random() * 4)::integer)
$$;

-- Something happens to a person.
CREATE PROCEDURE act(op text, person integer) LANGUAGE plpgsql AS $$
DECLARE
    contact bigint := contact_of(person);
    other integer := person - (person - 1) % 4 + floor(random() * 4)::integer;
    request jsonb := say_request(person);
BEGIN
    CASE op
    WHEN 'identify' THEN
        PERFORM contact_identity.identify(request ->> 'source', request ->> 'key', request ->> 'email', request ->> 'phone',
            request ->> 'ext_id', request ->> 'whatsapp', request ->> 'landline', request -> 'attributes', request ->> 'via',
            (request ->> 'occurred_at')::timestamptz, CASE WHEN chance(0.15) THEN contact END,
            coalesce((request ->> 'verified')::boolean, false), CASE WHEN chance(0.1) THEN 'agent' END);
    WHEN 'capture' THEN
        PERFORM contact_identity.capture('push', say('key of push', person), CASE WHEN chance(0.5) THEN say_attributes(person) END);
    WHEN 'batch' THEN
        PERFORM contact_identity.identify_batch(many(person));
    WHEN 'inbox' THEN
        INSERT INTO contact_identity.inbox
        SELECT * FROM jsonb_to_recordset(many(person)) AS r (source text, key text, email text, phone text, ext_id text,
            whatsapp text, landline text, attributes text, via text, occurred_at text, contact_id text, verified text);
    WHEN 'attached' THEN
        INSERT INTO app.customers (mail, phone, name, city)
        VALUES (CASE WHEN chance(0.9) THEN say('email', person) ELSE 'bad' END, CASE WHEN chance(0.5) THEN say('phone', person) END,
                say('name', person), one_of('Lyon', 'Rome'));
        UPDATE app.customers SET name = say('name', person), mail = say('email', person)
        WHERE strpos(mail, lpad(person::text, 4, '0')) > 0 AND chance(0.5);
        INSERT INTO app.orders (mail, name) VALUES (say('email', person), say('name', person));
    WHEN 'followed' THEN
        INSERT INTO app.tickets (contact_id) VALUES (contact);
    WHEN 'import' THEN
        EXECUTE format('CALL contact_identity.import(%L, %L)',
            format('SELECT 1 AS request_id, %L AS email, %L AS ext_id, %L::jsonb AS attributes',
                   say('email', person), say('ext_id', person), say_attributes(person)), one_of('shop', 'conversations'));
    WHEN 'merge' THEN
        PERFORM contact_identity.merge(contact, contact_of(other), 'agent', chance(0.5));
    WHEN 'unmerge' THEN
        PERFORM contact_identity.unmerge(m.merged_id, 'agent')
        FROM contact_identity.merge m WHERE m.undone_at IS NULL AND m.survivor_id = contact_identity.resolve(contact)
        ORDER BY m.merge_id DESC LIMIT 1;
    WHEN 'promote' THEN
        PERFORM contact_identity.promote(f.conflict_id, 'agent', true)
        FROM contact_identity.conflict f WHERE f.contact_id = contact_identity.resolve(contact) AND f.status = 'open'
        ORDER BY random() LIMIT 1;
    WHEN 'dismiss' THEN
        PERFORM contact_identity.dismiss(f.conflict_id, 'agent')
        FROM contact_identity.conflict f WHERE f.contact_id = contact_identity.resolve(contact) AND f.status = 'open'
        ORDER BY random() LIMIT 1;
    WHEN 'reach' THEN
        PERFORM contact_identity.block(contact, one_of('email', 'sms', 'push'));
        PERFORM contact_identity.unblock(contact, one_of('email', 'sms', 'push'));
        PERFORM contact_identity.add_to_list(contact, 'Contacts active in Conversations');
        PERFORM contact_identity.remove_from_list(contact, 'Contacts active in Conversations') WHERE chance(0.5);
    WHEN 'key' THEN
        PERFORM contact_identity.unsubscribe('push', say('key of push', person)) WHERE chance(0.5);
        PERFORM contact_identity.logout('push', say('key of push', person)) WHERE chance(0.5);
        PERFORM contact_identity.subscribe('push', say('key of push', person)) WHERE chance(0.3);
        PERFORM contact_identity.logout('conversations', say('key of conversations', person)) WHERE chance(0.3);
    WHEN 'distinct' THEN
        PERFORM contact_identity.set_distinct(contact, contact_of(other), 'agent', chance(0.4));
    WHEN 'view' THEN
        UPDATE contact_identity.contacts c SET email = say('email', person), attributes = c.attributes || say_attributes(person)
        WHERE c.contact_id = contact AND chance(0.5);
    WHEN 'erase' THEN
        IF contact IS NOT NULL THEN
            CALL forget(contact, chance(0.2));
        END IF;
    END CASE;
EXCEPTION WHEN unique_violation OR invalid_parameter_value OR object_not_in_prerequisite_state OR no_data_found THEN
    op := SQLSTATE;     -- refused, as a call may be
END
$$;

CREATE PROCEDURE play(groups integer, calls integer) LANGUAGE plpgsql AS $$
DECLARE
    person integer;
    op text;
    ops text[] := '{identify,identify,identify,identify,identify,identify,identify,identify,identify,identify,identify,identify,
                    capture,batch,inbox,inbox,attached,followed,import,merge,merge,merge,unmerge,unmerge,promote,dismiss,reach,key,key,distinct,view,erase}';
    contact bigint;
BEGIN
    FOR i IN 1 .. groups * calls LOOP
        person := 1 + floor(random() * groups * 4);
        -- Every sixth group is another contact database's, with the same applications.
        PERFORM set_config('contact_identity.account_id', CASE WHEN (person - 1) / 4 % 6 = 5 THEN '2' ELSE '1' END, false);
        op := one_of(VARIADIC ops);
        CALL act(op, person);
        INSERT INTO played VALUES (op, 1) ON CONFLICT ON CONSTRAINT played_pkey DO UPDATE SET times = played.times + 1;
        COMMIT;
    END LOOP;
    -- Every third group is forgotten.
    FOR g IN 0 .. groups - 1 BY 3 LOOP
        PERFORM set_config('contact_identity.account_id', CASE WHEN g % 6 = 5 THEN '2' ELSE '1' END, false);
        FOR person IN g * 4 + 1 .. g * 4 + 4 LOOP
            LOOP
                contact := contact_of(person);
                EXIT WHEN contact IS NULL;
                CALL forget(contact, chance(0.2));
                COMMIT;
            END LOOP;
        END LOOP;
    END LOOP;
END
$$;

SELECT contact_identity.create_account(2, 'second') \g /dev/null
SELECT contact_identity.attach('app.customers', 'shop', email => 'mail', phone => 'phone', attributes => '{name,city}',
                               contact_id => 'contact_id', account_id => 1) \g /dev/null
SELECT contact_identity.attach('app.orders', 'conversations', email => 'mail', attributes => '{name}', account_id => 1) \g /dev/null
SELECT contact_identity.follow('app.tickets', 'contact_id', account_id => 1) \g /dev/null
SELECT setseed(:seed / 32768.0) \g /dev/null
CALL play(:groups, :calls);
-- What rejected requests say about several people, or one about somebody who is
-- there, is not hers alone.
DELETE FROM gone g
WHERE (SELECT count(DISTINCT r.request - '{source,via,occurred_at,verified,attributes}'::text[]) FROM contact_identity.rejected r
       WHERE strpos(lower(r.request ->> 'attributes'), g.needle) > 0) > 1;
DELETE FROM gone g USING contact_identity.rejected r
WHERE strpos(lower(r.request ->> 'attributes'), g.needle) > 0
  AND EXISTS (SELECT FROM contact_identity.identifier i CROSS JOIN needle n
              WHERE i.account_id = r.account_id AND strpos(i.value, n.needle) > 0
                AND strpos(lower((r.request - 'attributes')::text), n.needle) > 0);
