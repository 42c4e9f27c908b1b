-- erase(), purge_anonymous() and purge_history(), as the README shows them.
SELECT current_database() AS home \gset
CREATE DATABASE regress_contact_identity_forget TEMPLATE template0;
\c regress_contact_identity_forget
SET client_min_messages = warning;
CREATE EXTENSION contact_identity;
SELECT contact_identity.setup();
RESET client_min_messages;
SELECT contact_id FROM contact_identity.identify('push', 'phone-of-ann', email => 'Ann@example.org', attributes => '{"city": "Rome"}');
SELECT contact_id FROM contact_identity.identify('conversations', 'visitor-7', email => 'bob@example.org');
SELECT outcome FROM contact_identity.identify('conversations', 'visitor-7', email => 'ann@example.org');
SELECT contact_identity.erase(1, suppress => true, actor => 'Eve');
SELECT event, field, old_value, new_value, actor FROM contact_identity.history WHERE contact_id = 1 ORDER BY event_id;
SELECT contact_id, field, secondary_value, owner_contact_id FROM contact_identity.conflicts;
\set VERBOSITY terse
SELECT contact_identity.capture('push', 'phone-of-ann');
-- Visitors of two years ago.
SELECT count(contact_identity.capture('conversations', 'visitor ' || n)) FROM generate_series(1, 2500) AS n;
UPDATE contact_identity.contact SET last_seen_at = now() - interval '2 years' WHERE state = 'anonymous';
SELECT home_total FROM contact_identity.contact_counts;
CALL contact_identity.purge_anonymous('1 year');
SELECT home_total FROM contact_identity.contact_counts;
SELECT * FROM contact_identity.check_integrity();
-- Each batch is committed; in a transaction block all is one.
SELECT count(contact_identity.capture('conversations', 'visitor ' || n)) FROM generate_series(1, 5) AS n;
BEGIN;
CALL contact_identity.purge_anonymous('0', 2);
ROLLBACK;
SELECT home_total FROM contact_identity.contact_counts;
-- History of three years ago.
SELECT contact_id FROM contact_identity.identify('shop', email => 'eva@example.org', attributes => '{"city": "Bern"}');
SELECT outcome FROM contact_identity.identify('shop', email => 'eva@example.org', attributes => '{"city": "Bonn"}');
SELECT outcome FROM contact_identity.identify('shop', email => 'eva@example.org', attributes => '{"city": "Ulm"}');
UPDATE contact_identity.event SET written_at = now() - interval '3 years' WHERE contact_id = 2508;
CALL contact_identity.purge_history('2 years');
SELECT event, field, old_value, new_value FROM contact_identity.history WHERE contact_id = 2508 ORDER BY event_id;
SELECT regexp_replace(what, 'before .* was', 'before ... was') AS what FROM contact_identity.timeline(2508);
BEGIN;
SELECT outcome FROM contact_identity.identify('shop', email => 'eva@example.org', attributes => '{"city": "Jena"}');
CALL contact_identity.purge_history('0', 2);
ROLLBACK;
SELECT history_from < now() - interval '1 year' AS is_kept FROM contact_identity.account;
SELECT * FROM contact_identity.check_integrity();
\c :home
DROP DATABASE regress_contact_identity_forget;
