-- The chat: every second visitor who has a name writes to the shop and says who
-- he is, by the contact form, in the chat window, by Instagram or by WhatsApp.
-- Names and addresses are typed by hand, and some are mistyped.
CREATE TEMP TABLE message AS
SELECT person, 10 + pg_temp.dice('writes at ' || person, 500) AS minute, channel.via,
       CASE WHEN via IN ('contact_form', 'chat') THEN 'visitor-' || left(md5('chat ' || person), 12)
            ELSE via || '-' || left(md5(via || person), 10) END AS key,
       pg_temp.typed_name(name, 'chat ' || person) AS name,
       CASE WHEN via <> 'whatsapp' OR pg_temp.dice('gives address ' || person, 2) = 0
            THEN pg_temp.typed_email(email, 'chat ' || person) END AS email,
       CASE WHEN (pg_temp.dice('gives phone ' || person, 10) < 6 AND via <> 'whatsapp') OR person > 900
            THEN pg_temp.typed_phone(phone, 'chat ' || person) END AS phone,
       CASE WHEN via = 'whatsapp' THEN '+447700900' || lpad(person::text, 3, '0') END AS whatsapp,
       false AS spoilt
FROM person
CROSS JOIN LATERAL (SELECT CASE pg_temp.dice('channel ' || person, 10) + 100 * (person / 900)
                               WHEN 0 THEN 'instagram' WHEN 1 THEN 'whatsapp'
                               WHEN 2 THEN 'chat' WHEN 3 THEN 'chat' WHEN 4 THEN 'chat'
                               ELSE 'contact_form' END AS via) channel
WHERE writes;

-- One in seven mistypes the address at first.  Two of three of these see the
-- error and write it again; the third goes away and stays anonymous.
INSERT INTO message
SELECT person, minute - 2, via, key, name, pg_temp.spoilt_email(email, 'chat ' || person), phone,
       NULL, true
FROM message
WHERE via IN ('contact_form', 'chat') AND pg_temp.dice('mistypes ' || person, 7) = 0 AND person < 900;
DELETE FROM message good
USING message spoilt
WHERE spoilt.spoilt AND NOT good.spoilt AND good.person = spoilt.person
  AND pg_temp.dice('goes away ' || good.person, 3) = 0;

-- A few type the letter O for the digit 0 of their telephone number, and one page
-- of the site has a mistake: it sends the word undefined for its visitors.
INSERT INTO message
SELECT person, minute - 3, via, key, name, email, replace(phone, '0', 'O'), NULL, true
FROM message WHERE NOT spoilt AND phone <> '' AND pg_temp.dice('letter O ' || person, 20) = 0 AND person < 900;
INSERT INTO message
SELECT person, 595, via, 'undefined', name, email, NULL, NULL, true
FROM message WHERE NOT spoilt AND via = 'chat' AND pg_temp.dice('page ' || person, 40) = 0;

-- Some write twice, and on some browsers somebody else of the household writes
-- later in the day.
INSERT INTO message
SELECT person, minute + 30, via, key, name, email, phone, whatsapp, false
FROM message WHERE NOT spoilt AND pg_temp.dice('again ' || person, 10) = 0 AND person < 900;
INSERT INTO message
SELECT other.person, 590, first.via, first.key, other.name, other.email, NULL, NULL, false
FROM message first
JOIN person other ON other.person = first.person + 1
WHERE NOT first.spoilt AND first.minute < 560 AND first.via = 'chat'
  AND other.customer AND NOT other.writes AND other.person < 900;

-- A customer has a new telephone and types his name without umlauts.
UPDATE message SET name = 'Juergen Weissgerber', phone = '0171 39200-42' WHERE person = 911;

-- Another writes by Instagram from her office.
INSERT INTO message VALUES
(912, 200, 'instagram', 'instagram-zofia.k', 'Z. Kowalska', 'z.kowalska@kancelaria.example',
 NULL, NULL, false);

-- The family, one after the other, each with a spelling of their own.
UPDATE message
SET minute = 100 + 10 * (person - 900),
    phone = ('{030 23125-901,0049 30 23125901,+49 (0)30 23 12 59 01,(030) 23125 901}'::text[])[person - 900]
WHERE person BETWEEN 901 AND 904;

-- Now the messages arrive.  A value that cannot be used is refused with SQLSTATE
-- 22023; the application tells the visitor what is wrong and nothing is stored.
DO $$
DECLARE
    message record;
    result contact_identity.identify_result;
    reason text;
BEGIN
    FOR message IN SELECT * FROM message ORDER BY minute, person, key LOOP
        BEGIN
            result := contact_identity.identify('conversations', message.key,
                email => message.email,
                phone => message.phone,
                whatsapp => message.whatsapp,
                attributes => jsonb_build_object('name', message.name),
                via => message.via);
            INSERT INTO played (part, source, outcome, contact_id)
            VALUES ('chat', 'conversations', result.outcome, result.contact_id);
        EXCEPTION WHEN invalid_parameter_value THEN
            GET STACKED DIAGNOSTICS reason = PG_EXCEPTION_DETAIL;
            INSERT INTO played (part, source, outcome, refused, reason)
            VALUES ('chat', 'conversations', 'refused',
                    CASE split_part(SQLERRM, ' ', 1) WHEN 'email' THEN message.email
                         WHEN 'phone' THEN message.phone ELSE message.key END,
                    replace(SQLERRM, ' is malformed', ': ') || reason);
        END;
    END LOOP;
END
$$;
