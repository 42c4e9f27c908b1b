-- A day at a small shop: makes a contact database, plays the day and shows what
-- came of it.  Run by scripts/demo in a database of its own.
--
-- The parts of the day, each also an example of use:
--     people.sql      who they are
--     customers.sql   a list of customers, taken over by COPY into the view inbox
--     visits.sql      page views: capture
--     chat.sql        messages: identify, with values that are refused
--     push.sql        log-ins of push subscribers, shared devices, opting out
--     orders.sql      orders: an attached table of the shop, which calls nothing
--     check.sql       fails unless everything came out as it must
--     evening.sql     a preview, a merge that is undone, someone forgotten, the past
\set QUIET on
\pset pager off
\pset null ''
SET client_min_messages = warning;

CREATE EXTENSION contact_identity;
SELECT contact_identity.setup() \g /dev/null
-- The shop is in Germany: numbers without a country code are German.
UPDATE contact_identity.account SET default_region = 'DE';

-- What each call answered.
CREATE TEMP TABLE played (n integer GENERATED ALWAYS AS IDENTITY, part text, source text,
                          outcome text, contact_id bigint, refused text, reason text);

-- Ends the demo unless something holds.
CREATE FUNCTION pg_temp.must(what text, holds boolean) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF holds IS NOT TRUE THEN
        RAISE EXCEPTION 'not so: %', what;
    END IF;
END
$$;

\ir people.sql
\ir customers.sql
CREATE TEMP TABLE counts AS
SELECT 'before' AS counted, identified, anonymous_push, anonymous_conversations, listing_total, home_total
FROM contact_identity.contact_counts;

\echo
\echo 'A DAY AT A SMALL SHOP'
\echo
\echo '1. In the morning the shop has a list of customers, which COPY has taken into the view'
\echo '   inbox, and no visitors yet. The listing shows who is known and who takes push'
\echo '   messages; home counts everybody.'
\echo
TABLE counts;

\ir visits.sql
SELECT clock_timestamp() AS noon \gset
\ir chat.sql
SELECT pg_temp.must('exactly the spoilt messages were refused',
    (SELECT count(*) FROM played WHERE outcome = 'refused') = (SELECT count(*) FROM message WHERE spoilt))
\g /dev/null
\ir push.sql
\ir orders.sql
INSERT INTO counts
SELECT 'after', identified, anonymous_push, anonymous_conversations, listing_total, home_total
FROM contact_identity.contact_counts;
-- As autovacuum would do a minute later; and compiling a query for so few rows
-- takes longer than running it.
ANALYZE;
SET jit = off;

\echo
\echo '2. The day: 1,600 browsers open the chat window and 900 take push messages; the people'
\echo '   behind them have names in twelve languages. The calls are like these:'
\echo '   capture(''push'', ''https://push.example/send/5b2a88a0d1312e28'')'
\echo '   identify(''conversations'', ''visitor-9dc79c856cef'', email => ''nuria.castano@example.org'')'
\echo '   The orders call nothing: the shop''s own table of orders is attached, and each row that'
\echo '   it inserts is such a call. This is what they answered, in each part of the day:'
\echo
SELECT answer, meaning,
       count(*) FILTER (WHERE part = 'customers') AS customers,
       count(*) FILTER (WHERE part = 'visits') AS visits,
       count(*) FILTER (WHERE part = 'chat') AS chat,
       count(*) FILTER (WHERE part = 'push') AS push,
       count(*) FILTER (WHERE part = 'orders') AS orders
FROM (VALUES ('captured',   'a new contact, anonymous'),
             ('created',    'a new contact, known at once'),
             ('identified', 'an anonymous contact is known now'),
             ('merged',     '... and was known before: now one'),
             ('switched',   'somebody else has the device now'),
             ('updated',    'something was added or changed'),
             ('unchanged',  'nothing new: nothing was written'),
             ('refused',    'a value cannot be used')) o (answer, meaning)
JOIN played p ON p.outcome = o.answer
GROUP BY answer, meaning
ORDER BY array_position('{captured,created,identified,merged,switched,updated,unchanged,refused}', answer);

\echo
\echo '3. What was refused, and why. Nothing of such a call is stored; the visitor stays'
\echo '   anonymous until a better one comes.'
\echo
SELECT times, example, regexp_replace(reason, '^(.{40,58}) ', E'\\1\n') AS reason
FROM (SELECT reason, count(*) AS times,
             (array_agg(refused ORDER BY length(refused), n))[1] AS example
      FROM played WHERE outcome = 'refused'
      GROUP BY reason) r
ORDER BY times DESC, reason;

\echo
\echo '4. In the evening. A chat visitor who says who he is enters the listing; a push'
\echo '   subscriber was in it already. Whoever was known before is merged: one fewer.'
\echo
TABLE counts;
CREATE TEMP TABLE effect AS
SELECT e.*, (SELECT count(*) FROM played p
             WHERE p.outcome = e.outcome AND (e.source IS NULL OR p.source = e.source)
               AND p.part <> 'customers') AS times
FROM (VALUES ('new chat visitor',                  'captured',   'conversations',  0,  1),
             ('new push subscriber',               'captured',   'push',           1,  1),
             ('chat visitor says who he is',       'identified', 'conversations',  1,  0),
             ('push subscriber logs in',           'identified', 'push',           0,  0),
             ('chat visitor was known: merged',    'merged',     'conversations',  0, -1),
             ('push subscriber was known: merged', 'merged',     'push',          -1, -1),
             ('somebody new without a visit',      'created',    NULL,             1,  1))
     AS e (what, outcome, source, listing, home);
SELECT what AS "what happened", times, to_char(listing * times, 'FMSG99990') AS listing,
       to_char(home * times, 'FMSG99990') AS home
FROM effect
UNION ALL
SELECT 'together', NULL, to_char(sum(listing * times), 'FMSG99990'), to_char(sum(home * times), 'FMSG99990')
FROM effect
UNION ALL
SELECT 'the counts, after less before', NULL, to_char(a.listing_total - b.listing_total, 'FMSG99990'),
       to_char(a.home_total - b.home_total, 'FMSG99990')
FROM counts a, counts b WHERE a.counted = 'after' AND b.counted = 'before';

\echo
\echo '5. A page of the listing: the view contacts. Questions are values that were given and'
\echo '   differ from those stored; they wait for an agent.'
\echo
SELECT contact_id AS id, label, attributes ->> 'name' AS name,
       array_to_string(reachable, ', ') AS "reachable by", nullif(open_conflicts, 0) AS questions
FROM contact_identity.contacts ORDER BY contact_id LIMIT 15 OFFSET 811;

SELECT contact_identity.normalize('phone', '030 23125901') AS number \gset
\echo
\echo '6. The Yılmaz family has one telephone, ':number'. Each wrote it in the'
\echo '   contact form. The first holds it; for the others it is an open question.'
\echo
SELECT contact_id AS id, c.attributes ->> 'name' AS name, c.email, t."number as typed", t.telephone
FROM (SELECT contact_id, given AS "number as typed", 'holds it' AS telephone, updated_at AS at
      FROM contact_identity.identifiers
      WHERE kind = 'phone' AND value = :'number'
      UNION ALL
      SELECT contact_id, given, 'open, held by ' || owner_contact_id, given_at
      FROM contact_identity.conflicts
      WHERE status = 'open' AND field = 'phone' AND secondary_value = to_jsonb(:'number'::text)) t
JOIN contact_identity.contacts c USING (contact_id)
ORDER BY t.at;

SELECT contact_identity.find('email', 'j.weissgerber@example.org') AS customer \gset
\echo
\echo '7. What an agent sees while a customer writes, contact_panel(':customer'): the stored value,'
\echo '   and beside it what he gave in the chat. However often he insists, the stored one stays.'
\echo
SELECT field, primary_value #>> '{}' AS "primary", secondary_value #>> '{}' AS secondary,
       conflict_id AS conflict, via
FROM contact_identity.contact_panel(:customer);
SELECT max(conflict_id) FILTER (WHERE field = 'phone') AS new_phone,
       max(conflict_id) FILTER (WHERE field = 'name') AS other_name
FROM contact_identity.conflicts WHERE contact_id = :customer AND status = 'open' \gset
\echo '   Maria asks, and he confirms the number. The name was only typed without umlauts.'
\echo '   promote(':new_phone', ''Maria'', customer_confirmed => true); dismiss(':other_name', ''Maria'')'
\echo
SELECT contact_identity.promote(:new_phone, 'Maria', customer_confirmed => true),
       contact_identity.dismiss(:other_name, 'Maria') \g /dev/null
SELECT field, primary_value #>> '{}' AS "primary", secondary_value #>> '{}' AS secondary,
       conflict_id AS conflict, via
FROM contact_identity.contact_panel(:customer);

SELECT contact_identity.find('email', 'zofia.kowalska@example.org') AS zofia,
       contact_identity.find('email', 'z.kowalska@kancelaria.example') AS office \gset
\echo
\echo '8. Zofia Kowalska also wrote by Instagram, from her office. Two contacts that are known'
\echo '   are never merged by themselves; an agent does it: merge(':zofia', ':office', ''Maria'')'
\echo
SELECT contact_id AS id, label, attributes ->> 'name' AS name, phone FROM contact_identity.contacts
WHERE contact_id IN (:zofia, :office) ORDER BY id;
SELECT contact_identity.merge(:zofia, :office, 'Maria') \g /dev/null
\echo '   The history says what went where. Nothing is lost:'
\echo
SELECT contact_id AS id, event,
       CASE field_type WHEN 'list' THEN 'list' ELSE field END AS field,
       CASE field_type WHEN 'list' THEN field ELSE new_value #>> '{}' END AS value,
       actor AS "by"
FROM contact_identity.history
WHERE contact_id IN (:zofia, :office) AND actor = 'Maria' ORDER BY event_id;

SELECT contact_identity.find('email', 'nuria.castano@example.org') AS nuria \gset
\echo
\echo '9. Nuria Castaño wrote in the chat and logged in on a phone that gets push messages. Two'
\echo '   anonymous contacts have become one person, who can be reached both ways.'
\echo
SELECT contact_id AS id, label, attributes ->> 'name' AS name, array_to_string(reachable, ', ') AS "reachable by"
FROM contact_identity.contacts WHERE contact_id = :nuria;
SELECT kind, given AS value, identifying, verified, source
FROM contact_identity.identifiers WHERE contact_id = :nuria ORDER BY identifying DESC, kind;
SELECT contact_id AS id, event, old_value #>> '{}' AS old, new_value #>> '{}' AS new, source, found_kind AS "found by"
FROM contact_identity.history
WHERE field_type = 'contact'
  AND (contact_id = :nuria
       OR contact_id IN (SELECT merged_id FROM contact_identity.merges WHERE survivor_id = :nuria))
ORDER BY event_id;

\ir check.sql
\ir evening.sql

\echo
\echo '15. The proof. check_integrity() returns a row for whatever is wrong, and the'
\echo '    counts are those of the rows.'
\echo
SELECT * FROM contact_identity.check_integrity();
SELECT c.listing_total, (SELECT count(*) FROM contact_identity.contacts) AS "rows of contacts",
       c.home_total, (SELECT count(*) FROM contact_identity.all_contacts) AS "rows of all_contacts"
FROM contact_identity.contact_counts c;
SELECT pg_temp.must('check_integrity() finds nothing',
    NOT EXISTS (SELECT FROM contact_identity.check_integrity())),
pg_temp.must('the counts are those of the rows',
    (SELECT listing_total = (SELECT count(*) FROM contact_identity.contacts)
            AND home_total = (SELECT count(*) FROM contact_identity.all_contacts)
     FROM contact_identity.contact_counts))
\g /dev/null
\echo 'Read on in README.md: "A session" takes the calls one by one, then there is a section per task.'
