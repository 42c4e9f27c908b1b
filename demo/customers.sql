-- Before opening: the customers that the shop knows already.  Its old list is a
-- file, and COPY takes it into the view inbox.
\o customers.tsv
COPY (SELECT 'api', email, phone, jsonb_build_object('name', name)
      FROM person WHERE customer ORDER BY person) TO STDOUT;
\o
\copy contact_identity.inbox (source, email, phone, attributes) FROM 'customers.tsv'

-- For the table of answers: whom the list has made.
INSERT INTO played (part, source, outcome, contact_id)
SELECT 'customers', source, event, contact_id FROM contact_identity.history
WHERE source = 'api' AND event = 'created' ORDER BY event_id;
