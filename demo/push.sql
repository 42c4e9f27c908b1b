-- The log-ins: push subscribers log in to the shop, which knows their address and
-- vouches for it.  Some of them use a tablet that somebody else of the household
-- logs in to in the evening.
CREATE TEMP TABLE login AS
SELECT person, 20 + pg_temp.dice('logs in at ' || person, 500) AS minute,
       'https://push.example/send/' || left(md5('push ' || person), 16) AS key,
       email, name, language
FROM person WHERE logs_in;

INSERT INTO login
SELECT other.person, 550 + other.person % 40, login.key, other.email, other.name, other.language
FROM login
JOIN person other ON other.person = login.person + 1
WHERE other.customer AND NOT other.logs_in AND other.person < 900
  AND pg_temp.dice('tablet ' || other.person, 3) = 0;

DO $$
DECLARE
    login record;
    result contact_identity.identify_result;
BEGIN
    FOR login IN SELECT * FROM login ORDER BY minute, person LOOP
        result := contact_identity.identify('push', login.key,
            email => login.email,
            attributes => jsonb_build_object('name', login.name, 'language', login.language),
            verified => true);
        INSERT INTO played (part, source, outcome, contact_id)
        VALUES ('push', 'push', result.outcome, result.contact_id);
    END LOOP;
END
$$;

-- One subscriber in forty has enough of push messages.
INSERT INTO played (part, source, outcome)
SELECT 'push', 'push',
       CASE WHEN contact_identity.unsubscribe('push', key) THEN 'updated' ELSE 'unchanged' END
FROM (SELECT DISTINCT key FROM page_view
      WHERE source = 'push' AND pg_temp.dice('enough ' || key, 40) = 0 ORDER BY key) subscriber;
