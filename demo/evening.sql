-- The evening: what the shop asks before it changes something, what it takes
-- back, whom it forgets, and how it looks back at the day.
SELECT contact_identity.capture('conversations', 'visitor-jonas', '{"name": "Jonas Weißgerber"}', via => 'chat')
       AS jonas \gset
\echo
\echo '10. A visitor, Jonas, contact ':jonas', gives an address that is known. What would'
\echo '    happen? Ask before it does: nothing is written.'
\echo '    preview_identify(''conversations'', ''visitor-jonas'','
\echo '                     email => ''j.weissgerber@example.org'')'
\echo
SELECT table_name AS "table",
       CASE table_name
           WHEN 'identify_result' THEN after ->> 'outcome' || ' into contact ' || (after ->> 'contact_id')
           WHEN 'contact' THEN 'contact ' || (row_key ->> 'contact_id') || ' is then ' || (after ->> 'state')
           WHEN 'identifier' THEN (row_key ->> 'kind') || ' goes to contact ' || (after ->> 'contact_id')
           WHEN 'conflict' THEN (after ->> 'field') || ': ' || (after ->> 'secondary_value')
           WHEN 'contact_count' THEN 'anonymous conversations ' || (after ->> 'anonymous_conversations_added')
           WHEN 'history' THEN (after ->> 'event') || ', contact ' || (after ->> 'contact_id')
           WHEN 'merge' THEN (after ->> 'merged_id') || ' into ' || (after ->> 'survivor_id')
       END AS "what would change",
       array_to_string(rules, ' ') AS "by the rules"
FROM contact_identity.preview_identify('conversations', 'visitor-jonas', email => 'j.weissgerber@example.org');
SELECT pg_temp.must('a preview writes nothing',
    (SELECT state FROM contact_identity.all_contacts WHERE contact_id = :jonas) = 'anonymous') \g /dev/null

\echo
\echo '11. The call is made, and Jonas is merged into Jürgen, ':customer'. Then he says that'
\echo '    it is his father''s address. Undo it: unmerge(':jonas', ''Maria'')'
\echo
SELECT outcome, contact_id, merged_contact_id AS merged
FROM contact_identity.identify('conversations', 'visitor-jonas', email => 'j.weissgerber@example.org');
SELECT contact_identity.unmerge(:jonas, 'Maria') \g /dev/null
SELECT contact_id AS id, label, state, attributes ->> 'name' AS name, open_conflicts AS questions
FROM contact_identity.all_contacts WHERE contact_id IN (:customer, :jonas) ORDER BY contact_id;
\echo '    They are different people from now on. When he gives the address again, it'
\echo '    is a question for an agent and merges nobody:'
\echo
SELECT outcome, contact_id, merged_contact_id AS merged
FROM contact_identity.identify('conversations', 'visitor-jonas', email => 'j.weissgerber@example.org');
SELECT contact_id AS id, field, secondary_value #>> '{}' AS secondary, owner_contact_id AS "held by", status
FROM contact_identity.conflicts WHERE contact_id = :jonas;
SELECT pg_temp.must('what was undone is as it was',
    (SELECT state = 'anonymous' AND attributes = '{"name": "Jonas Weißgerber"}' FROM contact_identity.all_contacts
     WHERE contact_id = :jonas)
    AND (SELECT open_conflicts = 0 FROM contact_identity.all_contacts WHERE contact_id = :customer)) \g /dev/null

SELECT contact_identity.find('email', 'defne.yilmaz@example.com') AS defne \gset
\echo
\echo '12. Defne Yılmaz asks to be forgotten:'
\echo '    erase(':defne', suppress => true, actor => ''Maria'')'
\echo '    The history keeps what happened, and none of her values:'
\echo
SELECT contact_identity.erase(:defne, suppress => true, actor => 'Maria') \g /dev/null
SELECT event, CASE field_type WHEN 'list' THEN 'list' ELSE field END AS field, new_value #>> '{}' AS value,
       actor AS "by"
FROM contact_identity.history WHERE contact_id = :defne ORDER BY event_id;
\echo '    With suppress, her address is not taken again, whoever gives it:'
\echo
SELECT request, outcome, error
FROM contact_identity.identify_batch('[{"source": "shop", "email": "Defne.Yilmaz@Example.com"}]');
SELECT pg_temp.must('nobody has her address',
    NOT EXISTS (SELECT FROM contact_identity.find('email', 'defne.yilmaz@example.com', secondary => true)))
\g /dev/null

SELECT clock_timestamp() AS evening \gset
\echo
\echo '13. Looking back. At noon Nuria was nobody, and Jürgen had his old telephone:'
\echo '    contact_as_of(':nuria', noon), owner_as_of(''phone'', ''030 23125911'', noon)'
\echo
SELECT t.at, c.contact_id AS id, c.label, c.state, c.reachable::text AS "reachable by"
FROM (VALUES ('noon', :'noon'::timestamptz), ('evening', :'evening')) t (at, clock)
CROSS JOIN contact_identity.contact_as_of(:nuria, t.clock) c
ORDER BY t.clock;
SELECT phone, contact_identity.owner_as_of('phone', phone, :'noon') AS "whose at noon",
       contact_identity.owner_as_of('phone', phone, :'evening') AS "in the evening"
FROM (VALUES ('030 23125911'), ('0171 39200-42')) p (phone);
\echo '    And the story of a contact, with that of those who were merged into it:'
\echo '    timeline(':customer')'
\echo
SELECT regexp_replace(what, '^(?=.{67})(.{40,64}) ', E'\\1\n  ') AS what, who
FROM contact_identity.timeline(:customer);

\echo
\echo '14. A picture, in the language of Mermaid: graph(':zofia'), Zofia Kowalska and what'
\echo '    was merged into her. (Where it says today is the time, which would differ in'
\echo '    each run.)'
\echo
\pset format unaligned
\pset tuples_only on
SELECT regexp_replace(contact_identity.graph(:zofia), 'merged [-0-9: ]+"', 'merged today"', 'g');
\pset tuples_only off
\pset format aligned
