-- Real input: a thousand rows about some hundred people, misspelt and half
-- empty.  Each row is a chat visitor who leaves what the row has.  What must
-- come of it is computed here from the file alone.  The file is fake_1000.csv
-- in the folder $CI_DATA.
\set file `echo "$CI_DATA/fake_1000.csv"`
\set missing `test -r "$CI_DATA/fake_1000.csv" && echo false || echo true`
BEGIN;
\if :missing
SELECT plan(1);
SELECT skip('fake_1000.csv is not in the folder CI_DATA', 1);
\else
SELECT plan(25);

\set QUIET on
\o /dev/null
SELECT contact_identity.create_account(max(account_id) + 1, 'fake 1000') FROM contact_identity.account;
SELECT set_config('contact_identity.account_id', max(account_id)::text, true) FROM contact_identity.account;
\o
CREATE TEMP TABLE fake (unique_id integer, first_name text, surname text, dob text, city text, email text,
                        cluster text);
COPY fake FROM :'file' CSV HEADER;
CREATE FUNCTION pg_temp.owner(kind text, value text) RETURNS bigint LANGUAGE sql STABLE AS
$$ SELECT contact_identity.find(kind, value) $$;
CREATE TEMP VIEW counts AS
SELECT identified, anonymous_push, anonymous_conversations FROM contact_identity.contact_counts
WHERE account_id = current_setting('contact_identity.account_id')::integer;

-- RULES 7.1 once more, for the ASCII that the file is written in: a local part
-- of parts joined by dots; labels that neither begin nor end with a hyphen, at
-- least two, the last not all digits.
CREATE TEMP TABLE visitor AS
SELECT unique_id AS line, 'visitor-' || unique_id AS key, email,
       nullif(first_name, '') AS first_name, nullif(surname, '') AS surname, nullif(dob, '') AS dob,
       nullif(city, '') AS city,
       CASE WHEN coalesce(email, '') = '' THEN 'none'
            WHEN length(btrim(email)) <= 254
             AND btrim(email) ~ $re$^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@[^@]+$$re$
             AND split_part(btrim(email), '@', 2) ~ '^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$'
             AND split_part(btrim(email), '@', 2) !~ '[^.]{64}'
             AND split_part(btrim(email), '@', 2) !~ '\.[0-9]+$' THEN 'good'
            ELSE 'bad' END AS quality,
       lower(btrim(email)) COLLATE "C" AS address
FROM fake;
-- what is given with a good address, and who is first with it
CREATE TEMP TABLE given AS
SELECT v.line, v.key, v.address, a.name, a.value,
       first_value(a.value) OVER same AS first_value, row_number() OVER same AS nth
FROM visitor v
CROSS JOIN LATERAL (VALUES ('first_name', first_name), ('surname', surname), ('dob', dob), ('city', city)) a (name, value)
WHERE v.quality = 'good' AND a.value IS NOT NULL
WINDOW same AS (PARTITION BY v.address, a.name ORDER BY v.line);

SELECT is((SELECT count(*)::integer FROM fake), 1000, 'rows');
SELECT is_empty('SELECT * FROM fake WHERE fake::text ~ ''[^ -~]''', 'all of it ASCII');
SELECT results_eq('SELECT quality, count(*)::integer FROM visitor GROUP BY 1 ORDER BY 1',
                  $$VALUES ('bad', 30), ('good', 759), ('none', 211)$$, 'good, malformed and missing addresses');

-- All visitors appear, then each leaves what the row has.
CREATE TEMP TABLE seen AS
SELECT key, contact_identity.capture('conversations', key) AS contact_id
FROM (SELECT * FROM visitor ORDER BY line) v;
SELECT results_eq('SELECT * FROM counts', 'VALUES (0::bigint, 0::bigint, 1000::bigint)', '[1.1] a thousand visitors');

CREATE TEMP TABLE told (line integer, outcome text, contact_id bigint, merged_contact_id bigint,
                        conflicts bigint[], ignored text[], error text, message text);
DO $$
DECLARE
    v record;
    r contact_identity.identify_result;
    why text;
BEGIN
    FOR v IN SELECT * FROM visitor ORDER BY line LOOP
        BEGIN
            r := contact_identity.identify('conversations', v.key, email => nullif(v.email, ''),
                attributes => jsonb_strip_nulls(jsonb_build_object('first_name', v.first_name,
                    'surname', v.surname, 'dob', v.dob, 'city', v.city)));
            INSERT INTO told VALUES (v.line, r.outcome, r.contact_id, r.merged_contact_id, r.conflicts, r.ignored);
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS why = PG_EXCEPTION_DETAIL;
            INSERT INTO told (line, error, message) VALUES (v.line, SQLSTATE, SQLERRM || ' ' || why);
        END;
    END LOOP;
END
$$;

-- whom
SELECT set_eq('SELECT line FROM told WHERE error IS NOT NULL', $$SELECT line FROM visitor WHERE quality = 'bad'$$,
              '[7.1] the malformed addresses are refused, and no other');
SELECT is((SELECT array_agg(DISTINCT error) FROM told WHERE error IS NOT NULL), ARRAY['22023'], '[7.4] with 22023');
SELECT is_empty('SELECT message FROM told JOIN visitor USING (line) WHERE message LIKE ''%'' || email || ''%''',
                '[9.6] and no message has the address');
SELECT is_empty($$SELECT * FROM told WHERE error IS NOT NULL AND message NOT LIKE '%email%'$$, '[7.4] but it names the field');
SELECT results_eq('SELECT * FROM counts',
    $$SELECT count(DISTINCT address) FILTER (WHERE quality = 'good'), 0::bigint,
             count(*) FILTER (WHERE quality <> 'good') FROM visitor$$,
    '[2.5] a contact for each address; whoever gave none that can be used stays anonymous');
SELECT results_eq('SELECT outcome, count(*) FROM told WHERE error IS NULL GROUP BY 1 ORDER BY 1',
    $$SELECT CASE WHEN quality = 'none' THEN CASE WHEN has THEN 'updated' ELSE 'unchanged' END
                  WHEN first THEN 'identified' ELSE 'merged' END, count(*)
      FROM (SELECT quality, coalesce(first_name, surname, dob, city) IS NOT NULL AS has,
                   line = min(line) OVER (PARTITION BY address) AS first
            FROM visitor WHERE quality <> 'bad') v
      GROUP BY 1 ORDER BY 1$$,
    '[4.17] the first of an address is identified, the others are merged');
SELECT is((SELECT count(*) FROM contact_identity.merges
           WHERE account_id = current_setting('contact_identity.account_id')::integer),
          (SELECT count(*) - count(DISTINCT address) FROM visitor WHERE quality = 'good'), '[6.8] as many merges');
SELECT is_empty($$
    SELECT v.line FROM visitor v JOIN seen s USING (key)
    WHERE (contact_identity.resolve(s.contact_id), pg_temp.owner('visitor', v.key))
        IS DISTINCT FROM (CASE WHEN quality = 'good' THEN pg_temp.owner('email', v.email) ELSE s.contact_id END,
                          CASE WHEN quality = 'good' THEN pg_temp.owner('email', v.email) ELSE s.contact_id END)$$,
    '[6.3] every visitor leads to the contact of his address, or is his own');
SELECT results_eq($$
    SELECT f.line FROM (SELECT min(line) AS line, address FROM visitor WHERE quality = 'good' GROUP BY address) f
    JOIN visitor v USING (line) JOIN seen s USING (key)
    WHERE pg_temp.owner('email', f.address) = s.contact_id ORDER BY 1$$,
    $$SELECT min(line) FROM visitor WHERE quality = 'good' GROUP BY address ORDER BY 1$$,
    '[6.1] the first contact of an address lives on');

-- what is stored
CREATE TEMP TABLE person AS
SELECT contact_id, email, attributes FROM contact_identity.contacts
WHERE account_id = current_setting('contact_identity.account_id')::integer;
SELECT is_empty($$
    SELECT address, name FROM (SELECT DISTINCT address, name, first_value FROM given) g
    LEFT JOIN person c ON c.email = g.address
    WHERE c.attributes ->> name IS DISTINCT FROM first_value$$,
    '[4.6] no first value was changed by a later one');
SELECT is((SELECT sum((SELECT count(*) FROM jsonb_object_keys(c.attributes))) FROM person c),
          (SELECT count(*)::numeric FROM given WHERE nth = 1), '[4.6] and no other value is there');
SELECT set_eq($$
    SELECT c.email, v.field, v.key, v.primary_value #>> '{}' AS first_value, v.secondary_value #>> '{}' AS value
    FROM contact_identity.conflicts v
    JOIN person c ON c.contact_id = v.contact_id
    WHERE v.account_id = current_setting('contact_identity.account_id')::integer AND v.status = 'open'$$,
    'SELECT address, name, key, first_value, value FROM given WHERE value <> first_value',
    '[4.6] [5.1] every value that differs is an open conflict, and nothing else is');
SELECT is((SELECT count(*) FROM contact_identity.conflicts
           WHERE account_id = current_setting('contact_identity.account_id')::integer),
          (SELECT count(*) FROM given WHERE value <> first_value), '[5.1] and each is there once');
SELECT is((SELECT sum(cardinality(conflicts)) FROM told), (SELECT count(*) FROM given WHERE value <> first_value),
          '[4.17] the results named them');
SELECT is_empty($$SELECT * FROM told WHERE ignored <> '{}'$$, '[4.17] nothing was dropped');
SELECT set_eq($$
    SELECT key, attributes FROM contact_identity.all_contacts JOIN seen USING (contact_id) WHERE state = 'anonymous'$$,
    $$SELECT key, CASE WHEN quality = 'bad' THEN '{}' ELSE jsonb_strip_nulls(jsonb_build_object(
          'first_name', first_name, 'surname', surname, 'dob', dob, 'city', city)) END
      FROM visitor WHERE quality <> 'good'$$,
    '[1.4] [7.4] who gave no address has his attributes and is anonymous; of a refused call nothing is stored');
SELECT results_eq($$SELECT list, subscribed, count(*) FROM contact_identity.lists
                    WHERE account_id = current_setting('contact_identity.account_id')::integer GROUP BY 1, 2$$,
    $$SELECT 'Contacts active in Conversations', true, count(DISTINCT address) FROM visitor WHERE quality = 'good'$$,
    '[4.12] everybody identified is on the list');
SELECT results_eq($$SELECT count(*) FROM contact_identity.audience
                    WHERE account_id = current_setting('contact_identity.account_id')::integer$$,
    $$SELECT count(DISTINCT address) FROM visitor WHERE quality = 'good'$$, '[2.7] and reachable by e-mail');
SELECT is_empty('SELECT * FROM contact_identity.check_integrity()', '[9] nothing is out of order');

-- all of it again
CREATE TEMP TABLE again AS
SELECT r.outcome, r.conflicts
FROM (SELECT * FROM visitor WHERE quality <> 'bad' ORDER BY line) v
CROSS JOIN LATERAL contact_identity.identify('conversations', v.key, email => nullif(v.email, ''),
    attributes => jsonb_strip_nulls(jsonb_build_object('first_name', v.first_name,
        'surname', v.surname, 'dob', v.dob, 'city', v.city))) r;
SELECT is((SELECT array_agg(DISTINCT outcome) FROM again), ARRAY['unchanged'], '[4.16] [5.2] the same again changes nothing');
SELECT is((SELECT sum(cardinality(conflicts)) FROM again), (SELECT count(*) FROM given WHERE value <> first_value),
          '[4.17] and meets the same conflicts');
\endif
SELECT finish();
ROLLBACK;
