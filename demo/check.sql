-- Fails unless everything came out as it must.
SELECT pg_temp.must('check_integrity() finds nothing',
    NOT EXISTS (SELECT FROM contact_identity.check_integrity())),
pg_temp.must('the counts are those of the rows',
    (SELECT listing_total = (SELECT count(*) FROM contact_identity.contacts)
            AND home_total = (SELECT count(*) FROM contact_identity.all_contacts)
     FROM contact_identity.contact_counts)),
pg_temp.must('the counts moved as the calls say',
    (SELECT sum(listing * times) = max(a.listing_total - b.listing_total)
            AND sum(home * times) = max(a.home_total - b.home_total)
     FROM effect, counts a, counts b WHERE a.counted = 'after' AND b.counted = 'before')),
pg_temp.must('who wrote spoilt messages only is anonymous',
    NOT EXISTS (SELECT FROM message m
                JOIN contact_identity.identifiers i ON i.kind = 'visitor' AND i.value = m.key
                JOIN contact_identity.all_contacts c USING (contact_id)
                GROUP BY m.key HAVING bool_and(m.spoilt) AND bool_or(c.state = 'identified'))),
pg_temp.must('every usable address leads to somebody',
    NOT EXISTS (SELECT FROM message m
                WHERE NOT m.spoilt AND m.email IS NOT NULL
                  AND NOT EXISTS (SELECT FROM contact_identity.find('email', m.email, secondary => true)))),
pg_temp.must('every call has answered something that is shown',
    NOT EXISTS (SELECT FROM played
                WHERE outcome <> ALL ('{captured,created,identified,merged,switched,updated,unchanged,refused}'))),
pg_temp.must('in the evening those are known who gave a usable address, or else a WhatsApp number',
    (SELECT identified FROM counts WHERE counted = 'after')
    = (SELECT count(*) FROM (SELECT email FROM person WHERE customer
                             UNION SELECT lower(email) FROM message WHERE NOT spoilt AND email IS NOT NULL
                             UNION SELECT email FROM login
                             UNION SELECT lower(email) FROM customer_order) given)
      + (SELECT count(DISTINCT whatsapp) FROM message WHERE email IS NULL)),
pg_temp.must('every merge is in merges',
    (SELECT count(*) FROM contact_identity.merges)
    = (SELECT count(*) FROM played WHERE outcome = 'merged') + 1),
pg_temp.must('one of the family holds the telephone, three have it as a question that names the holder',
    (SELECT count(*) = 3 AND count(DISTINCT owner_contact_id) = 1
            AND min(owner_contact_id) = (SELECT contact_identity.find('phone', '030 23125901'))
     FROM contact_identity.conflicts
     WHERE field = 'phone' AND status = 'open' AND secondary_value = '"+493023125901"')),
pg_temp.must('the promoted telephone is the customer''s',
    (SELECT contact_identity.find('phone', '0171 39200-42')) = :customer),
pg_temp.must('both addresses lead to one contact after the merge',
    (SELECT contact_identity.find('email', 'z.kowalska@kancelaria.example')) = :zofia),
pg_temp.must('chat and push are keys of one contact',
    (SELECT count(*) FROM contact_identity.identifiers
     WHERE contact_id = :nuria AND kind IN ('visitor', 'push')) = 2)
\g /dev/null
