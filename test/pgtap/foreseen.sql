-- [10.2] What a preview says is what happens: random calls, previewed and made.
BEGIN;
\ir words.psql
SELECT plan(5);
SET LOCAL client_min_messages = error;
SELECT setseed(0.1);

CREATE FUNCTION one_of(VARIADIC choices text[]) RETURNS text LANGUAGE sql VOLATILE AS
$$ SELECT choices[1 + floor(random() * cardinality(choices))::int] $$;

-- What is there, in the words of a preview: rows by table and key, without
-- when they were written.
CREATE FUNCTION there() RETURNS TABLE (row_of text, data jsonb) LANGUAGE sql STABLE AS
$$
    SELECT 'contact ' || contact_id, jsonb_strip_nulls(jsonb_build_object('state', state, 'survivor_id', survivor_id, 'attributes', attributes))
    FROM contact_identity.contact WHERE account_id = 1 AND state <> 'erased'
    UNION ALL
    SELECT 'identifier ' || kind || ' ' || value, jsonb_strip_nulls(jsonb_build_object('contact_id', contact_id, 'source', source,
        'verified', verified, 'is_primary', CASE WHEN kind IN ('push', 'visitor') THEN NULL ELSE is_primary END,
        'opted_in', CASE WHEN kind = 'push' THEN opted_in END))
    FROM contact_identity.identifier WHERE account_id = 1
    UNION ALL
    SELECT 'conflict ' || conflict_id, jsonb_build_object('status', status)
    FROM contact_identity.conflict WHERE account_id = 1
$$;

-- Rows of a preview as those: what there will be, null where there will be none.
-- Contacts and conflicts that do not exist yet have no number.
CREATE FUNCTION foreseen(table_name text, row_key jsonb, after jsonb) RETURNS TABLE (row_of text, data jsonb) LANGUAGE sql STABLE AS
$$
    SELECT CASE table_name WHEN 'contact' THEN 'contact ' || (row_key ->> 'contact_id')
               WHEN 'identifier' THEN 'identifier ' || (row_key ->> 'kind') || ' ' || (row_key ->> 'value')
               WHEN 'conflict' THEN 'conflict ' || (row_key ->> 'conflict_id') END,
           CASE table_name WHEN 'contact' THEN jsonb_strip_nulls(after - '{last_seen_at,identified_at,origin,made,created_at}'::text[])
               WHEN 'identifier' THEN jsonb_strip_nulls(after - '{updated_at,given,parked}'::text[])
               WHEN 'conflict' THEN jsonb_build_object('status', after ->> 'status') END
$$;
CREATE TABLE problem (call text, what text);
CREATE TABLE made (call text, outcome text, rows_changed int);

CREATE FUNCTION try(call text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    rows_before jsonb := (SELECT coalesce(jsonb_object_agg(row_of, data), '{}') FROM there());
    events bigint := (SELECT count(*) FROM contact_identity.event);
    conflicts_before bigint := (SELECT count(*) FROM contact_identity.conflict);
    preview jsonb;
    preview_error text;
    answer jsonb;
    expected jsonb;
    found_rows jsonb;
    item record;
BEGIN
    BEGIN
        EXECUTE 'SELECT jsonb_agg(p) FROM contact_identity.preview_' || call || ' p' INTO preview;
    EXCEPTION WHEN OTHERS THEN
        preview_error := SQLSTATE || ' ' || SQLERRM;
    END;
    IF (SELECT coalesce(jsonb_object_agg(row_of, data), '{}') FROM there()) IS DISTINCT FROM rows_before
       OR events <> (SELECT count(*) FROM contact_identity.event) THEN
        INSERT INTO problem VALUES (call, 'the preview wrote something');
    END IF;
    BEGIN
        EXECUTE 'SELECT to_jsonb(r) - ''{request,error}''::text[] FROM contact_identity.' || call || ' r' INTO answer;
    EXCEPTION WHEN OTHERS THEN
        IF preview_error IS DISTINCT FROM SQLSTATE || ' ' || SQLERRM THEN
            INSERT INTO problem VALUES (call, format('error %s %s, foreseen: %s', SQLSTATE, SQLERRM, coalesce(preview_error, 'none')));
        END IF;
        INSERT INTO made VALUES (call, 'error', 0);
        RETURN;
    END;
    IF preview_error IS NOT NULL THEN
        INSERT INTO problem VALUES (call, 'no error, foreseen: ' || preview_error);
        RETURN;
    END IF;
    found_rows := (SELECT coalesce(jsonb_object_agg(row_of, data), '{}') FROM there());

    -- the answer, but for numbers that were not there
    expected := (SELECT p -> 'after' FROM jsonb_array_elements(preview) p WHERE p ->> 'table_name' = 'identify_result');
    IF expected ->> 'outcome' IS DISTINCT FROM answer ->> 'outcome'
       OR expected -> 'ignored' IS DISTINCT FROM answer -> 'ignored'
       OR expected -> 'merged_contact_id' IS DISTINCT FROM answer -> 'merged_contact_id'
       OR jsonb_array_length(expected -> 'conflicts') <> jsonb_array_length(answer -> 'conflicts')
       OR (expected -> 'contact_id' <> 'null' AND expected -> 'contact_id' <> answer -> 'contact_id')
       OR (expected -> 'contact_id' = 'null') <> (NOT rows_before ? ('contact ' || (answer ->> 'contact_id'))) THEN
        INSERT INTO problem VALUES (call, format('answered %s, foreseen: %s', answer, expected));
    END IF;
    -- each row that was there
    FOR item IN
        SELECT r.key, r.value AS now, b.value AS before, f.data AS foreseen, f.row_of IS NOT NULL AS is_foreseen
        FROM jsonb_each(rows_before) b
        LEFT JOIN jsonb_each(found_rows) r USING (key)
        LEFT JOIN (SELECT f.* FROM jsonb_to_recordset(preview) AS p (table_name text, row_key jsonb, after jsonb),
                   foreseen(p.table_name, p.row_key, p.after) f WHERE f.row_of IS NOT NULL) f ON f.row_of = b.key
    LOOP
        -- a value that goes to somebody new goes to one without a number
        IF item.foreseen ? 'source' AND NOT item.foreseen ? 'contact_id' AND NOT rows_before ? ('contact ' || (item.now ->> 'contact_id')) THEN
            item.now := item.now - 'contact_id';
        END IF;
        IF item.is_foreseen AND item.now IS DISTINCT FROM item.foreseen THEN
            INSERT INTO problem VALUES (call, format('%s is %s, foreseen: %s', item.key, item.now, item.foreseen));
        ELSIF NOT item.is_foreseen AND item.now IS DISTINCT FROM item.before THEN
            INSERT INTO problem VALUES (call, format('%s is %s and was %s, nothing foreseen', item.key, item.now, item.before));
        END IF;
    END LOOP;
    -- and how many are new
    FOR item IN
        SELECT 'history' AS "table", (SELECT count(*) FROM contact_identity.event) - events AS now,
               (SELECT count(*) FROM jsonb_array_elements(preview) p WHERE p ->> 'table_name' = 'history') AS foreseen
        UNION ALL
        SELECT 'conflict', (SELECT count(*) FROM contact_identity.conflict) - conflicts_before,
               (SELECT count(*) FROM jsonb_array_elements(preview) p WHERE p ->> 'table_name' = 'conflict' AND p -> 'before' = 'null')
        UNION ALL
        SELECT k.kind, (SELECT count(*) FROM jsonb_object_keys(found_rows) r WHERE r LIKE k.kind || ' %' AND NOT rows_before ? r),
               (SELECT count(*) FROM jsonb_array_elements(preview) p WHERE p ->> 'table_name' = k.kind AND p -> 'before' = 'null')
        FROM unnest('{contact,identifier}'::text[]) AS k (kind)
    LOOP
        IF item.now <> item.foreseen THEN
            INSERT INTO problem VALUES (call, format('%s new rows of %s, foreseen: %s', item.now, item."table", item.foreseen));
        END IF;
    END LOOP;
    INSERT INTO made VALUES (call, answer ->> 'outcome', jsonb_array_length(preview) - 1);
END $$;

-- One of the calls that can be previewed, with few values, so that they meet.
CREATE FUNCTION some_call() RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    source text := one_of('push', 'conversations', 'shop', 'push', 'conversations');
    contacts bigint[] := (SELECT array_agg(contact_id ORDER BY random()) FROM contact_identity.contact WHERE account_id = 1 AND state <> 'erased');
BEGIN
    IF random() < 0.12 AND cardinality(contacts) > 1 THEN
        RETURN format('merge(%s, %s, %L)', contacts[1], contacts[2], 'Eve');
    END IF;
    RETURN format('identify(%L, key => %L, email => %L, phone => %L, ext_id => %L, attributes => %L, contact_id => %L, verified => %L)',
        source, CASE WHEN source <> 'shop' AND random() < 0.8 THEN 'key-' || floor(random() * 12) END,
        CASE WHEN random() < 0.5 THEN 'person-' || floor(random() * 9) || '@example.org' END,
        CASE WHEN random() < 0.2 THEN '+44770090012' || floor(random() * 6) END,
        CASE WHEN random() < 0.2 THEN 'customer ' || floor(random() * 6) END,
        CASE WHEN random() < 0.3 THEN jsonb_build_object(one_of('city', 'size'), floor(random() * 3)) END,
        CASE WHEN random() < 0.1 THEN contacts[1] END, random() < 0.1);
END $$;

DO $$
BEGIN
    FOR n IN 1..400 LOOP
        PERFORM try(some_call());
        IF random() < 0.05 THEN
            PERFORM contact_identity.set_distinct(a.contact_id, b.contact_id, agent => 'Eve')
            FROM contact_identity.contacts a, contact_identity.contacts b WHERE a.contact_id < b.contact_id ORDER BY random() LIMIT 1;
        END IF;
    END LOOP;
END $$;
SELECT is((SELECT string_agg(call || ': ' || what, E'\n') FROM (SELECT * FROM problem LIMIT 5) p), NULL, '[10.2] what is foreseen is what happens');
SELECT is((SELECT count(*)::int FROM made), 400, '[10.2] of so many calls');
SELECT ok((SELECT count(DISTINCT outcome) FROM made) >= 5, '[10.2] with many outcomes');
SELECT ok((SELECT count(*) FROM made WHERE rows_changed > 3) > 100, '[10.2] that change rows');
SELECT is((SELECT count(*)::int FROM check_integrity()), 0, '[9] and nothing is out of order');
SELECT * FROM finish();
ROLLBACK;
