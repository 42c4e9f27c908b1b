-- What would happen, and undoing it, as the README shows it.
SELECT current_database() AS home \gset
CREATE DATABASE regress_contact_identity_undo TEMPLATE template0;
\c regress_contact_identity_undo
SET client_min_messages = warning;
CREATE EXTENSION contact_identity;
SELECT contact_identity.setup();
RESET client_min_messages;
SELECT contact_id, outcome
FROM contact_identity.identify('shop', email => 'ann@example.org', attributes => '{"city": "Ulm"}');
SELECT contact_identity.capture('conversations', 'visitor-1', '{"city": "Bonn", "language": "de"}');

-- A visitor gives Ann's address: what would that do?
SELECT after ->> 'outcome' AS outcome, after ->> 'contact_id' AS contact_id,
       after ->> 'merged_contact_id' AS merged, rules
FROM contact_identity.preview_identify('conversations', 'visitor-1', email => 'ann@example.org')
WHERE table_name = 'identify_result';
SELECT table_name, row_key, before ->> 'contact_id' AS before, after ->> 'contact_id' AS after, rules
FROM contact_identity.preview_identify('conversations', 'visitor-1', email => 'ann@example.org')
WHERE table_name IN ('identifier', 'conflict');

-- It is done, and the visitor goes on.
SELECT contact_id, outcome, merged_contact_id
FROM contact_identity.identify('conversations', 'visitor-1', email => 'ann@example.org');
SELECT contact_identity.capture('conversations', 'visitor-1', '{"page": "returns"}');
SELECT contact_id, email, attributes FROM contact_identity.all_contacts ORDER BY contact_id;

-- Then Eve learns that it was somebody else.
SELECT contact_id, outcome FROM contact_identity.unmerge(2, 'Eve');
SELECT contact_id, label, attributes FROM contact_identity.all_contacts ORDER BY contact_id;
SELECT contact_id, field, secondary_value, key, status FROM contact_identity.conflicts;
SELECT contact_id, other_contact_id, actor FROM contact_identity.distinct_contacts;
-- Nothing merges them again.
SELECT contact_id, outcome, conflicts
FROM contact_identity.identify('conversations', 'visitor-1', email => 'ann@example.org');
SELECT contact_identity.merge(1, 2, 'Eve');
SELECT contact_identity.set_distinct(1, 2, 'Eve', lifted => true);

-- What was merged last is undone first.
SELECT outcome FROM contact_identity.merge(1, 2, 'Eve');
SELECT contact_id, outcome FROM contact_identity.identify('shop', email => 'anna@example.org');
SELECT outcome FROM contact_identity.merge(3, 1, 'Eve');
SELECT contact_identity.unmerge(2, 'Eve');
SELECT contact_id, outcome FROM contact_identity.unmerge(1, 'Eve');
SELECT contact_id, outcome FROM contact_identity.unmerge(2, 'Eve');
SELECT contact_id, state, email FROM contact_identity.all_contacts ORDER BY contact_id;
SELECT * FROM contact_identity.check_integrity();
\c :home
DROP DATABASE regress_contact_identity_undo;
