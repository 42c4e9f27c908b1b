-- RULES 10.5: contact_as_of and owner_as_of answer for the past from history, as
-- the database knew it then; timeline and graph tell and draw it [10.1].
BEGIN;
\ir words.psql
SELECT plan(74);
\ir scene.psql

-- present(): every contact as the tables have it now, in the columns of contact_as_of.
CREATE FUNCTION present(account integer) RETURNS TABLE (contact_id bigint, label text, state text, email text, phone text, ext_id text,
    whatsapp text, landline text, attributes jsonb, reachable text[], open_conflicts bigint, created_at timestamptz,
    identified_at timestamptz, updated_at timestamptz, survivor_id bigint, identifiers jsonb, keys jsonb, lists jsonb, blocked text[])
LANGUAGE sql STABLE AS $$
    SELECT c.contact_id, a.label, c.state, a.email, a.phone, a.ext_id, a.whatsapp, a.landline, coalesce(a.attributes, '{}'),
        coalesce(a.reachable, '{}'), coalesce(a.open_conflicts, 0), c.created_at, a.identified_at, c.updated_at, c.survivor_id,
        coalesce((SELECT jsonb_object_agg(kind, v) FROM (SELECT kind, jsonb_agg(value ORDER BY is_primary DESC, value) AS v
            FROM contact_identity.identifiers AS i WHERE i.account_id = account AND i.contact_id = c.contact_id AND identifying GROUP BY kind) AS k), '{}'),
        coalesce((SELECT jsonb_object_agg(kind, v) FROM (SELECT kind, jsonb_agg(value ORDER BY value) AS v
            FROM contact_identity.identifiers AS i WHERE i.account_id = account AND i.contact_id = c.contact_id AND NOT identifying GROUP BY kind) AS k), '{}'),
        coalesce((SELECT jsonb_object_agg(list, subscribed) FROM contact_identity.lists AS l
            WHERE l.account_id = account AND l.contact_id = c.contact_id), '{}'),
        ARRAY(SELECT channel::text FROM contact_identity.block AS b WHERE b.account_id = account AND b.contact_id = c.contact_id ORDER BY 1)
    FROM contact_identity.contact AS c LEFT JOIN contact_identity.all_contacts AS a USING (account_id, contact_id)
    WHERE c.account_id = account
$$;

------------------------------------------------------------------- a long scene
-- Snapshots are taken along the way, of two accounts.
CREATE TABLE snapshot (n integer, account integer, at timestamptz, seen jsonb);
CREATE TABLE owned (n integer, account integer, at timestamptz, kind text, value text, contact_id bigint);
SELECT setseed(0.25) \g /dev/null
DO $$
DECLARE
    happened text[] := '{}';
BEGIN
    FOR i IN 1 .. 1200 LOOP
        CALL act();
        IF i % 300 = 0 OR i = 3 THEN
            INSERT INTO snapshot SELECT i, account, clock_timestamp(), to_jsonb(p)
            FROM unnest('{1,1002}'::integer[]) AS account, present(account) AS p;
            INSERT INTO owned SELECT i, o.account_id, clock_timestamp(), o.kind, o.value, o.contact_id
            FROM contact_identity.identifiers AS o;
        END IF;
    END LOOP;
END $$;
SELECT is((SELECT string_agg(DISTINCT seen ->> 'state', ' ') FROM snapshot), 'anonymous erased identified merged',
    '[10.5] (a scene in which everything happens)');
-- What an erased contact brought by a merge that was undone is not known any more.
CREATE TEMP VIEW parted AS
SELECT e.account_id, e.contact_id FROM event AS e
WHERE (e.field_type IN ('identifier', 'key') OR e.event IN ('set', 'unset')) AND e.old_value IS NULL AND e.new_value IS NULL
  AND EXISTS (SELECT FROM event AS r WHERE r.account_id = e.account_id AND r.contact_id = e.contact_id AND r.event = 'released');
-- which makes owner_as_of a look-up
CREATE INDEX event_value ON event (account_id, field, new_value) WHERE field_type IN ('identifier', 'key');

SELECT is_empty(format($$ SELECT * FROM present(%1$s) EXCEPT
    SELECT p.* FROM contact_identity.contact AS c, contact_as_of(c.contact_id, 'infinity', %1$s) AS p WHERE c.account_id = %1$s $$, account),
    '[10.5] as of the end of time every contact is as it is')
FROM unnest('{1,1002}'::integer[]) AS account;
SELECT is_empty(format($$ SELECT p.* FROM contact_identity.contact AS c, contact_as_of(c.contact_id, clock_timestamp(), %1$s) AS p
    WHERE c.account_id = %1$s EXCEPT SELECT * FROM present(%1$s) $$, account), '[10.5] and as of now')
FROM unnest('{1,1002}'::integer[]) AS account;
SELECT is_empty($$ SELECT s.n, s.seen, to_jsonb(p) FROM snapshot AS s
    LEFT JOIN contact AS c ON c.account_id = s.account AND c.contact_id = (s.seen ->> 'contact_id')::bigint
    LEFT JOIN LATERAL contact_as_of(c.contact_id, s.at, s.account) AS p ON true
    WHERE to_jsonb(p) IS DISTINCT FROM s.seen AND c.state <> 'erased'
      AND NOT EXISTS (SELECT FROM parted AS x WHERE x.account_id = s.account AND x.contact_id = c.contact_id) $$, '[10.5] what was seen at a time is answered later');
SELECT is_empty($$ SELECT s.n, s.seen, to_jsonb(p) FROM snapshot AS s
    JOIN contact AS c ON c.account_id = s.account AND c.contact_id = (s.seen ->> 'contact_id')::bigint AND c.state = 'erased'
    LEFT JOIN LATERAL contact_as_of(c.contact_id, s.at, s.account) AS p ON true
    WHERE (p.state, p.survivor_id, p.created_at, p.identified_at, p.updated_at, p.open_conflicts) IS DISTINCT FROM
          (s.seen ->> 'state', (s.seen ->> 'survivor_id')::bigint, (s.seen ->> 'created_at')::timestamptz, (s.seen ->> 'identified_at')::timestamptz,
           (s.seen ->> 'updated_at')::timestamptz, (s.seen ->> 'open_conflicts')::bigint) $$,
    '[10.5] [10.6] of those erased since, numbers and times');
SELECT is_empty($$ SELECT s.n, to_jsonb(p) FROM snapshot AS s
    JOIN contact AS c ON c.account_id = s.account AND c.contact_id = (s.seen ->> 'contact_id')::bigint AND c.state = 'erased'
    CROSS JOIN LATERAL contact_as_of(c.contact_id, s.at, s.account) AS p
    WHERE p.email IS NOT NULL OR p.phone IS NOT NULL OR p.ext_id IS NOT NULL OR p.whatsapp IS NOT NULL OR p.landline IS NOT NULL
       OR p.attributes <> '{}' OR p.identifiers <> '{}' OR p.keys <> '{}' OR p.lists <> '{}' OR p.blocked <> '{}' OR (p.state = 'identified' AND p.label IS NOT NULL) $$,
    '[10.6] and none of their values');
SELECT is_empty($$ SELECT c.contact_id FROM snapshot AS s JOIN contact AS c ON c.account_id = s.account
    CROSS JOIN LATERAL contact_as_of(c.contact_id, s.at, s.account) AS p WHERE s.n = 3
    EXCEPT SELECT (seen ->> 'contact_id')::bigint FROM snapshot WHERE n = 3 $$, '[10.5] nobody was there before his time');
SELECT is_empty($$ SELECT o.* FROM (SELECT * FROM owned ORDER BY random() LIMIT 500) AS o JOIN contact AS c ON c.account_id = o.account AND c.contact_id = o.contact_id
    WHERE owner_as_of(o.kind, o.value, o.at, o.account) IS DISTINCT FROM o.contact_id AND c.state <> 'erased'
      AND NOT EXISTS (SELECT FROM parted AS x WHERE x.account_id = o.account AND x.contact_id = o.contact_id) $$,
    '[10.5] the owner of a value at a time is answered later');
SELECT is_empty($$ SELECT o.* FROM (SELECT DISTINCT account, kind, value FROM owned) AS o
    WHERE owner_as_of(o.kind, o.value, 'infinity', o.account) IS DISTINCT FROM (SELECT i.contact_id FROM identifiers AS i
          WHERE i.account_id = o.account AND i.kind = o.kind AND i.value = o.value) $$, '[10.5] and the owner of today, or nobody');
SELECT is_empty($$ SELECT w.* FROM (SELECT DISTINCT account, kind, value FROM owned ORDER BY 1, 2, 3 LIMIT 50) AS o
    JOIN LATERAL (SELECT s.n, owner_as_of(o.kind, o.value, s.at, o.account) AS owner
                  FROM (SELECT DISTINCT ON (n) n, at FROM owned ORDER BY n, at) AS s) AS w ON w.owner IS NOT NULL
    WHERE NOT EXISTS (SELECT FROM owned AS h WHERE h.n = w.n AND h.account = o.account AND h.kind = o.kind AND h.value = o.value
                      AND h.contact_id = w.owner) $$, '[10.5] and never somebody who did not own it');
CREATE TEMP TABLE story AS SELECT c.account_id, c.contact_id AS asked, t.*
FROM contact AS c CROSS JOIN LATERAL timeline(c.contact_id, c.account_id) AS t WHERE c.account_id IN (1, 1002);
SELECT is((SELECT count(*) FROM story WHERE contact_id = asked), (SELECT count(*) FROM event WHERE account_id IN (1, 1002)),
    '[10.1] a line for each event');
SELECT is_empty($$ SELECT what FROM story WHERE what IS NULL OR what !~ '^[CT].*\.$' OR what ~ '[[:cntrl:]]' OR what ~ '%' $$,
    '[10.1] each a sentence on one line');
SELECT is_empty($$ SELECT s.what FROM story AS s JOIN event AS e USING (account_id, event_id)
    JOIN contact AS c ON c.account_id = s.account_id AND c.contact_id = s.contact_id
    WHERE (s.what ~ '\(erased\)') <> (c.state = 'erased')
      AND e.event IN ('attached', 'added', 'set', 'replaced', 'detached', 'conflict_opened')
      AND NOT (c.state <> 'erased' AND EXISTS (SELECT FROM parted AS x
                                               WHERE x.account_id = e.account_id AND x.contact_id = e.contact_id)) $$,
    '[10.6] values are erased of those erased, and of nobody else');
SELECT is((SELECT count(*) FROM contact AS c WHERE c.state IN ('anonymous', 'identified') AND graph(c.contact_id, c.account_id) IS NULL), 0::bigint,
    '[10.5] and everybody has a picture');
DO $$ BEGIN
    SET LOCAL transaction_read_only = on;
    PERFORM contact_as_of(c.contact_id, now()), owner_as_of('email', 'm1@example.org', now()), timeline(c.contact_id), graph(c.contact_id)
    FROM contact_identity.contact AS c WHERE c.account_id = 1 AND c.state = 'identified' LIMIT 1;
    SET LOCAL transaction_read_only = off;
EXCEPTION WHEN active_sql_transaction THEN NULL;
END $$;
SELECT pass('[10.5] they work in a read-only transaction');

---------------------------------------------------------------- one by one
DROP INDEX event_value;
CALL given('ann', capture('conversations', 'ann chat', '{"city": "Bonn"}'));
SELECT clock_timestamp() AS captured \gset
CALL done(identify('conversations', 'ann chat', email => 'Ann.P@Example.org', phone => '+12065550701', attributes => '{"city": "Ulm"}'));
CALL done(block(id('ann'), 'sms', 'agent'));
SELECT clock_timestamp() AS identified \gset
CALL given('bob', identify('push', 'bob push', email => 'bob.p@example.org', ext_id => 'bob p'));
CALL done(unsubscribe('push', 'bob push'));
SELECT clock_timestamp() AS known \gset
CALL done(merge(id('ann'), id('bob'), 'Maria'));
SELECT clock_timestamp() AS merged \gset
CALL done(identify('shop', contact_id => id('ann'), phone => '+12065550702'));
CALL done(identify('shop', contact_id => id('ann'), attributes => '{"city": null}'));
CALL done(remove_from_list(id('ann'), 'Contacts active in Conversations', 'agent'));
CALL done(logout('conversations', 'ann chat'));
SELECT clock_timestamp() AS later \gset
SELECT is((SELECT count(*) FROM contact_as_of(id('ann'), :'captured'::timestamptz - interval '1 hour')), 0::bigint, '[10.5] not there yet: no row');
SELECT is((SELECT count(*) FROM contact_as_of(id('ann'), '-infinity')), 0::bigint, '[10.5] nor at the beginning of time');
SELECT is((SELECT concat_ws(' ', state, label = 'Anonymous contact #' || contact_id, attributes, keys, identified_at, lists, reachable)
           FROM contact_as_of(id('ann'), :'captured')), 'anonymous t {"city": "Bonn"} {"visitor": ["ann chat"]} {} {}', '[1.4] [10.5] anonymous then');
SELECT is((SELECT concat_ws(' ', state, label, email, phone, attributes, reachable, blocked, lists, identified_at IS NOT NULL)
           FROM contact_as_of(id('ann'), :'identified')),
    'identified ann.p@example.org ann.p@example.org +12065550701 {"city": "Ulm"} {email} {sms} {"Contacts active in Conversations": true} t',
    '[1.4] [10.5] identified then, and how it was reached [2.7]');
SELECT is((SELECT concat_ws(' ', state, ext_id, keys, reachable) FROM contact_as_of(id('bob'), :'known')),
    'identified bob p {"push": ["bob push"]} {email}', '[10.5] [1.7] an opted-out key is held and reaches nobody');
SELECT is((SELECT concat_ws(' ', state, survivor_id = id('ann'), label, identifiers, keys, attributes) FROM contact_as_of(id('bob'), :'merged')),
    'merged t {} {} {}', '[10.5] merged then, with its survivor');
SELECT is((SELECT concat_ws(' ', identifiers, keys, open_conflicts, ext_id) FROM contact_as_of(id('ann'), :'merged')),
    '{"email": ["ann.p@example.org", "bob.p@example.org"], "phone": ["+12065550701"], "ext_id": ["bob p"]} '
    '{"push": ["bob push"], "visitor": ["ann chat"]} 1 bob p', '[10.5] [6.4] the primary before the alias; keys; conflicts');
SELECT is((SELECT concat_ws(' ', phone, attributes, lists, keys) FROM contact_as_of(id('ann'), :'later')),
    '+12065550702 {} {"Contacts active in Conversations": false} {"push": ["bob push"]}',
    '[10.5] replaced, cleared, off the list, detached');
SELECT is(owner_as_of('email', ' ANN.p@example.ORG ', :'captured'), NULL, '[10.5] nobody''s then');
SELECT is(name_of(owner_as_of('email', ' ANN.p@example.ORG ', :'identified')), 'ann', '[10.5] hers since, in any spelling [7.1]');
SELECT is(name_of(owner_as_of('phone', '+1 (206) 555-0701', :'merged')), 'ann', '[10.5] [7.2] hers then');
SELECT is(owner_as_of('phone', '+1 (206) 555-0701', :'later'), NULL, '[10.5] and given up');
SELECT is(name_of(owner_as_of('push', 'bob push', :'known')), 'bob', '[10.5] a key');
SELECT is(name_of(owner_as_of('push', 'bob push', :'merged')), 'ann', '[10.5] [6.2] that went along');
SELECT is(name_of(owner_as_of('email', 'bob.p@example.org', :'merged')), 'ann', '[10.5] an alias is owned');
SELECT is(name_of(owner_as_of('visitor', 'ann chat', :'merged')), 'ann', '[10.5] a key');
SELECT is(owner_as_of('visitor', 'ann chat', 'infinity'), NULL, '[10.5] [1.9] that was detached');
SELECT is(owner_as_of('visitor', 'nobody ever', now()), NULL, '[10.5] a value that nobody ever had');
SELECT is(owner_as_of('email', 'ann.p@example.org', :'later', 1002), NULL, '[0] another account has its own history');

-------------------------------------------------------------------- the story
SELECT is((SELECT string_agg(replace(replace(what, id('ann')::text, 'A'), id('bob')::text, 'B') || coalesce(' (' || who || ')', ''),
                             E'\n' ORDER BY event_id) FROM timeline(id('ann')) WHERE what !~ '(C|c)onflict'), $$Contact A was created, anonymous.
Contact A got the visitor key "ann chat".
The city of contact A was set to "Bonn".
Contact A got the email "ann.p@example.org".
Contact A became identified.
Contact A got the phone "+12065550701".
The city of contact A changed from "Bonn" to "Ulm".
Contact A was put on the list "Contacts active in Conversations".
Contact A was blocked for sms. (agent)
Contact B was created, identified.
Contact B got the push key "bob push".
Contact B got the ext_id "bob p".
Contact B got the email "bob.p@example.org".
The push key "bob push" of contact B was opted out.
Contact B was merged into contact A. (Maria)
Contact A got the push key "bob push" from contact B. (Maria)
Contact A got the ext_id "bob p" from contact B. (Maria)
Contact A got the email "bob.p@example.org" from contact B, as an alias. (Maria)
The phone of contact A changed from "+12065550701" to "+12065550702".
The city of contact A was cleared; it was "Ulm".
Contact A was taken off the list "Contacts active in Conversations". (agent)
The visitor key "ann chat" was detached from contact A.$$, '[10.1] a contact''s story, and that of whom was merged into it');
SELECT is((SELECT replace(replace(what, id('ann')::text, 'A'), id('bob')::text, 'B') FROM timeline(id('bob')) ORDER BY event_id DESC LIMIT 1),
    'Contact B was merged into contact A.', '[10.1] that of an ended contact says how it ended');
SELECT is((SELECT array_agg(DISTINCT contact_id) FROM timeline(id('bob'))), ARRAY[id('bob')], '[10.1] and no more');
SELECT ok((SELECT bool_and(h.written_at = t.at AND h.occurred_at = t.occurred_at AND h.source IS NOT DISTINCT FROM t.source
                           AND h.actor IS NOT DISTINCT FROM t.who AND h.via IS NOT DISTINCT FROM t.via)
           FROM timeline(id('ann')) AS t JOIN history AS h USING (event_id)), '[10.1] times, actor, source and via are those of history');
CALL done(identify('shop', contact_id => id('ann'), attributes => jsonb_build_object('note', E'a\nb' || repeat('x', 500), E'na\nme', 1)));
SELECT is((SELECT string_agg(replace(what, id('ann')::text, 'A'), ' ' ORDER BY what COLLATE "C") FROM timeline(id('ann'))
           WHERE what ~ 'note|na.*me'), 'The "na\nme" of contact A was set to 1. The note of contact A was set to "a\nb' || repeat('x', 95) || '….',
    '[10.1] a line stays one, and long values are cut');

-- What a later version may write, and undone merges [10.3]
INSERT INTO event (account_id, contact_id, call_id, written_at, occurred_at, event, field_type, field, old_value, new_value, other_contact_id)
VALUES (1, id('bob'), 1, clock_timestamp(), now(), 'unmerged', 'contact', 'survivor', to_jsonb(id('ann')), NULL, id('ann')),
       (1, id('ann'), 1, clock_timestamp(), now(), 'released', 'contact', 'merged', to_jsonb(id('bob')), NULL, id('bob')),
       (1, id('ann'), 1, clock_timestamp(), now(), 'moved_out', 'identifier', 'ext_id', '"bob p"', NULL, id('bob')),
       (1, id('bob'), 1, clock_timestamp(), now(), 'moved_in', 'identifier', 'ext_id', NULL, '"bob p"', id('ann')),
       (1, id('ann'), 1, clock_timestamp(), now(), 'unset', 'attribute', 'note', '1', NULL, NULL),
       (1, id('ann'), 1, clock_timestamp(), now(), 'unset', 'list', '1', 'true', NULL, NULL),
       (1, id('ann'), 1, clock_timestamp(), now(), 'unblocked', 'block', 'sms', 'true', 'false', NULL),
       (1, id('ann'), 1, clock_timestamp(), now(), 'set_distinct', 'contact', 'distinct', NULL, to_jsonb(id('bob')), id('bob')),
       (1, id('ann'), 1, clock_timestamp(), now(), 'invented', 'attribute', 'city', '1', '2', NULL),
       (1, id('bob'), 1, clock_timestamp(), now(), 'set', 'attribute', 'after', NULL, '1', NULL);
SELECT is((SELECT concat_ws(' ', state, survivor_id, keys, identifiers, attributes) FROM contact_as_of(id('bob'), now() + interval '1 day')),
    'identified {} {"ext_id": ["bob p"]} {"after": 1}', '[10.3] [10.5] a separated contact has what its own rows give it again');
SELECT is((SELECT concat_ws(' ', ext_id, attributes ? 'note', lists, blocked) FROM contact_as_of(id('ann'), now() + interval '1 day')),
    'f {} {}', '[10.3] [10.5] and the other has it no more');
SELECT is(name_of(owner_as_of('ext_id', 'bob p', 'infinity')), 'bob', '[10.3] [10.5] nor owns it');
SELECT is((SELECT string_agg(replace(replace(what, id('ann')::text, 'A'), id('bob')::text, 'B'), E'\n' ORDER BY event_id)
           FROM (SELECT * FROM timeline(id('ann')) ORDER BY event_id DESC LIMIT 7) AS t), $$Contact B was separated from contact A again.
The ext_id "bob p" of contact A went to contact B.
Contact A has no note any more; it was 1.
Contact A has no "Contacts active in Conversations" any more; it was true.
The block of contact A for sms was lifted.
Contact A and contact B are different people.
Contact A: invented of city, from 1, to 2.$$, '[10.1] [10.3] [10.4] and the story has sentences for that, and some for what it does not know');
DELETE FROM event WHERE call_id = 1 AND account_id = 1 AND contact_id IN (id('ann'), id('bob'))
    AND written_at > :'later' AND event IN ('unmerged', 'released', 'moved_out', 'moved_in', 'unset', 'unblocked', 'set_distinct', 'invented', 'set');

-------------------------------------------------------------------- the picture
SELECT is(regexp_replace(replace(replace(graph(id('bob')), id('ann')::text, 'A'), id('bob')::text, 'B'), '\d{4}-\d\d-\d\d \d\d:\d\d', 'then'),
$$flowchart LR
    cA(["Contact A, identified"])
    cA --- i1["ext_id<br/>bob p"]
    cA --- i2["email<br/>ann.p@example.org"]
    cA -.- i3["email, alias<br/>bob.p@example.org"]
    cA --- i4["phone<br/>+12065550702"]
    cA --- k1("push, opted out<br/>bob push")
    cB(["Contact B"]) -- "merged then" --> cA$$, '[10.1] a contact, what it holds and who was merged into it; an ended one stands for it');
CALL given('cat', identify('shop', ext_id => E'";]`<script>alert(1)</script>&#\\{}%%|'));
SELECT is(replace(graph(id('cat')), id('cat')::text, 'C'), $$flowchart LR
    cC(["Contact C, identified"])
    cC --- i1["ext_id<br/>#34;#59;#93;#96;#60;script#62;alert#40;1#41;#60;/script#62;#38;#35;#92;#123;#125;#37;#37;#124;"]$$,
    'no value breaks its syntax');
CALL given('dan', identify('shop', ext_id => E'Ж漢字 \u202Eab\u2028 \u200D ' || repeat('é', 100)));
SELECT is(replace(graph(id('dan')), id('dan')::text, 'D'), E'flowchart LR\n    cD(["Contact D, identified"])\n    cD --- i1["ext_id<br/>Ж漢字 \uFFFDab\uFFFD \u200D '
    || repeat('é', 29) || '…"]', 'other scripts stay, what reorders or breaks lines does not, and long values are cut');
DO $$ BEGIN
    FOR i IN 1 .. 173 LOOP
        PERFORM contact_identity.identify('push', 'dan ' || i, ext_id => E'Ж漢字 \u202Eab\u2028 \u200D ' || repeat('é', 100));
    END LOOP;
END $$;
SELECT is((SELECT count(*) FROM string_to_table(graph(id('dan')), E'\n') AS l WHERE l ~ '"'), 50::bigint, '50 nodes, and no more');
SELECT is((SELECT ltrim(replace(l, id('dan')::text, 'D')) FROM string_to_table(graph(id('dan')), E'\n') AS l WHERE l ~ 'more'),
    'cD --- krest["and 126 more keys"]', 'the rest is a number');
DO $$ BEGIN
    FOR i IN 1 .. 80 LOOP
        PERFORM contact_identity.capture('conversations', 'anon ' || i);
        PERFORM contact_identity.merge((SELECT contact_id FROM words.person WHERE name = 'dan'),
                                       contact_identity.capture('conversations', 'anon ' || i), 'agent');
    END LOOP;
END $$;
SELECT is((SELECT count(*) FROM string_to_table(graph(id('dan')), E'\n') AS l WHERE l ~ '"'), 50::bigint, '50 with those that were merged');
SELECT is((SELECT string_agg(substring(l FROM 'and.*more [a-z ]*'), ', ') FROM string_to_table(graph(id('dan')), E'\n') AS l WHERE l ~ 'more'),
    'and 230 more keys, and 57 more merged contacts', 'of each kind as many');
CALL given('eva', capture('conversations', 'eva p'));
CALL given('fay', capture('conversations', 'fay p'));
CALL done(merge(id('eva'), id('fay'), 'agent'));
CALL done(merge(id('cat'), id('eva'), 'agent'));
SELECT matches(graph(id('cat')), format('c%s\(.*--> c%s\n.*c%s\(.*--> c%s', id('eva'), id('cat'), id('fay'), id('eva')),
    'a chain of merges is one');
CALL given('gil', capture('conversations', 'gil p'));
CALL done(logout('conversations', 'gil p'));
SELECT is(replace(graph(id('gil')), id('gil')::text, 'G'), E'flowchart LR\n    cG(["Contact G, anonymous"])', 'who holds nothing is alone');

----------------------------------------------------------------------- bad input
SELECT throws_ok('SELECT * FROM contact_as_of(NULL, now())', '22023', 'contact_id must not be null', '[10.5] no contact');
SELECT throws_ok(format('SELECT * FROM contact_as_of(%s, NULL)', id('ann')), '22023', 'as_of must not be null', '[10.5] no time');
SELECT throws_ok(format($$ SELECT * FROM %s $$, call), 'P0002', 'contact 2000000000000 does not exist', '[10.5] unknown: ' || call)
FROM (VALUES ('contact_as_of(2000000000000, now())'), ('timeline(2000000000000)'), ('graph(2000000000000)')) AS c (call);
SELECT throws_ok(format($$ SELECT * FROM timeline(%s, 1002) $$, id('ann')), 'P0002', NULL, '[0] in another account it is unknown');
SELECT throws_ok('SELECT * FROM timeline(NULL)', '22023', 'contact_id must not be null', '[10.1] no contact');
SELECT throws_ok('SELECT graph(NULL)', '22023', 'contact_id must not be null', 'no contact');
SELECT throws_ok($$ SELECT owner_as_of(NULL, 'a', now()) $$, '22023', 'kind must not be null', '[10.5] no kind');
SELECT throws_ok($$ SELECT owner_as_of('email', NULL, now()) $$, '22023', 'value must not be null', '[10.5] no value');
SELECT throws_ok($$ SELECT owner_as_of('email', 'a@example.org', NULL) $$, '22023', 'as_of must not be null', '[10.5] no time');
SELECT throws_ok($$ SELECT owner_as_of('emails', 'a@example.org', now()) $$, '22023', 'unknown kind of identifier', '[10.5] no such kind');
SELECT throws_ok($$ SELECT owner_as_of('email', 'malformed', now()) $$, '22023', 'email is malformed', '[7.4] a malformed value');

-- erased
SELECT id('dan') AS dan \gset
DELETE FROM contacts WHERE contact_id = id('dan');
SELECT is((SELECT concat_ws(' ', state, email, label, attributes, reachable) FROM contact_as_of(:dan, now() + interval '1 day')), 'erased {} {}', '[10.6] erased');
SELECT throws_ok(format('SELECT graph(%s)', :dan), 'P0002', NULL, '[10.6] it has no picture any more');
SELECT is(owner_as_of('push', 'dan 1', 'infinity'), NULL, '[10.6] and owns nothing');

-- purged history [10.9]
UPDATE account SET history_from = :'known' WHERE account_id = 1;
SELECT is((refusal(format($$ SELECT * FROM contact_as_of(%s, %L) $$, id('ann'), :'identified'))).code, '55000', '[10.9] a time before that is kept');
SELECT matches((refusal(format($$ SELECT owner_as_of('email', 'ann.p@example.org', %L) $$, :'identified'))).detail,
    '^History before .* was purged in part\.$', '[10.9] which the detail says');
SELECT is((SELECT state FROM contact_as_of(id('bob'), :'merged')), 'merged', '[10.9] one after it');
SELECT is((SELECT state FROM contact_as_of(id('bob'), :'known')), 'identified', '[10.9] and that time itself');
SELECT finish();
ROLLBACK;
