-- Looking back, as the README shows it.
SELECT current_database() AS home \gset
CREATE DATABASE regress_contact_identity_past TEMPLATE template0;
\c regress_contact_identity_past
SET client_min_messages = warning;
CREATE EXTENSION contact_identity;
SELECT contact_identity.setup();
RESET client_min_messages;
SET search_path = contact_identity, public;
-- A browser takes push messages; then its user logs in, and moves later.
SELECT capture('push', 'browser-7');
SELECT clock_timestamp() AS monday \gset
SELECT contact_id, outcome FROM identify('shop', email => 'ann@example.org', attributes => '{"city": "Lyon"}');
SELECT contact_id, outcome FROM identify('push', 'browser-7', email => 'ann@example.org');
SELECT clock_timestamp() AS friday \gset
SELECT contact_id, outcome FROM identify('shop', email => 'ann@example.org', attributes => '{"city": "Paris"}', actor => 'Bea');

-- What was known on Friday, and whose the browser was on Monday and is now.
SELECT label, state, attributes, keys FROM contact_as_of(2, :'friday');
SELECT owner_as_of('push', 'browser-7', :'monday') AS monday, owner_as_of('push', 'browser-7', now()) AS now;
SELECT state, survivor_id FROM contact_as_of(1, :'friday');

SELECT what, who, source FROM timeline(2);

\pset tuples_only on
-- a time that the README can show
UPDATE merge SET merged_at = '2026-03-06 09:30+01';
SET timezone = 'Europe/Paris';
\pset format unaligned
SELECT graph(2);
\pset format aligned
\pset tuples_only off

-- fail: nobody has that id, and nobody had that number
SELECT * FROM contact_as_of(3, now());
SELECT owner_as_of('phone', '+12061234567', now()) IS NULL AS nobody;
\c :home
DROP DATABASE regress_contact_identity_past;
