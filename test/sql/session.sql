-- A chat visitor leaves an e-mail address and a city, then another city.
SELECT contact_identity.setup();
SET search_path = contact_identity, public;
SELECT capture('conversations', 'visitor-1');
SELECT contact_id, outcome FROM identify('conversations', 'visitor-1', email => 'Ann@Example.org', attributes => '{"city": "Lyon"}');
SELECT contact_id, outcome, conflicts FROM identify('conversations', 'visitor-1', attributes => '{"city": "Paris"}');
-- The agent sees both; the customer confirms the second.
SELECT field, primary_value, secondary_value, conflict_id FROM contact_panel(1);
SELECT promote(1, agent => 'Bea', customer_confirmed => true);
-- A browser allows push notifications; then its user logs in to the shop.
SELECT capture('push', 'browser-7');
SELECT contact_id, outcome, merged_contact_id FROM identify('push', 'browser-7', email => 'ann@example.org');
SELECT contact_id, label, attributes, reachable FROM contacts;
SELECT event, field, old_value, new_value FROM history WHERE contact_id = 1 ORDER BY event_id;
