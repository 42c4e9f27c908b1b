-- The page views: 1,600 browsers with the chat window and 900 that subscribe to
-- push messages open one to three pages each.  Nobody is known by name yet; the
-- first view of each makes an anonymous contact, the others find it again.
--
-- Browsers 1 .. 840 and 901 .. 913 belong to the person of that number.
CREATE TEMP TABLE page_view AS
SELECT source, key, pg_temp.dice('view ' || key || view, 600) AS minute
FROM (SELECT 'conversations' AS source, 'visitor-' || left(md5('chat ' || n), 12) AS key
      FROM generate_series(1, 1600) n
      UNION ALL
      SELECT 'push', 'https://push.example/send/' || left(md5('push ' || n), 16)
      FROM generate_series(1, 913) n WHERE n NOT BETWEEN 841 AND 853) browser
CROSS JOIN LATERAL generate_series(1, 1 + pg_temp.dice('views ' || key, 3)) view;

DO $$
DECLARE
    page_view record;
    contact bigint;
BEGIN
    FOR page_view IN SELECT source, key FROM page_view ORDER BY minute, key LOOP
        contact := contact_identity.capture(page_view.source, page_view.key);
        INSERT INTO played (part, source, outcome, contact_id)
        VALUES ('visits', page_view.source, 'captured', contact);
    END LOOP;
END
$$;

-- capture() answers with the contact, new or not: the first time is the new one.
UPDATE played SET outcome = 'unchanged'
WHERE part = 'visits'
  AND n NOT IN (SELECT min(n) FROM played WHERE part = 'visits' GROUP BY contact_id);
