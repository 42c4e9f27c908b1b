-- Every kind of call, once, in an account of its own that this makes (variable
-- account).  What it prints has no ids and no times, so that two runs print the
-- same.
SET client_min_messages = warning;
SET contact_identity.account_id = :account;
SELECT contact_identity.create_account(:account, 'account');
SELECT contact_identity.capture('push', 'device') AS one \gset
SELECT 'capture', contact_identity.capture('push', 'device', '{"city": "Rome"}') = :one;
SELECT 'identify', r.outcome, r.contact_id = :one
FROM contact_identity.identify('push', 'device', email => 'Ann@Example.org', phone => '+39 06 1234567') r;
SELECT 'unchanged', r.outcome FROM contact_identity.identify('push', 'device', email => 'ann@example.org') r;
SELECT 'conflict', r.outcome, cardinality(r.conflicts), r.ignored
FROM contact_identity.identify('conversations', 'visitor', email => 'ann@example.org', via => 'chat',
                               attributes => '{"city": "Oslo", "size": 3}') r;
SELECT 'batch', r.outcome, r.error FROM contact_identity.identify_batch(
    '[{"source": "shop", "email": "bob@example.org", "attributes": {"city": "Bern"}},
      {"op": "capture", "source": "push", "key": "device 2"},
      {"op": "unsubscribe", "source": "push", "key": "device 2"},
      {"source": "shop", "email": "malformed"}]') r ORDER BY r.request;
SELECT 'subscribe', contact_identity.subscribe('push', 'device 2');
SELECT 'unsubscribe', contact_identity.unsubscribe('push', 'device 2');
SELECT 'logout', contact_identity.logout('push', 'device 2');
SELECT 'conflicts', field, primary_value, secondary_value, status FROM contact_identity.conflicts
WHERE account_id = :account ORDER BY field;
SELECT 'promote', contact_identity.promote(conflict_id, 'agent', true) FROM contact_identity.conflicts
WHERE account_id = :account AND field = 'city' AND status = 'open';
SELECT 'merge', r.outcome, r.merged_contact_id IS NOT NULL
FROM contact_identity.find('email', 'bob@example.org') bob, contact_identity.merge(:one, bob, 'agent') r;
SELECT 'dismiss', contact_identity.dismiss(conflict_id, 'agent') FROM contact_identity.conflicts
WHERE account_id = :account AND status = 'open' AND field = 'city';
SELECT 'block', contact_identity.block(:one, 'sms'), contact_identity.unblock(:one, 'sms'), contact_identity.block(:one, 'push');
SELECT 'list', contact_identity.remove_from_list(:one, 'Contacts active in Conversations'),
       contact_identity.add_to_list(:one, 'Contacts active in Conversations');
INSERT INTO contact_identity.inbox (source, email, attributes) VALUES
    ('shop', 'eve@example.org', '{"city": "Nice"}'), ('shop', 'malformed', NULL);
CALL contact_identity.import('SELECT 1 AS request_id, ''dee@example.org'' AS email', 'shop') \gset
SELECT 'jobs', state, done FROM contact_identity.jobs WHERE account_id = :account;
SELECT 'rejected', code FROM contact_identity.rejected WHERE account_id = :account ORDER BY rejected_id;
CREATE TABLE public.application (no integer PRIMARY KEY, mail text, contact_id bigint);
SELECT 'attach', contact_identity.attach('public.application', 'shop', email => 'mail', contact_id => 'contact_id');
INSERT INTO public.application VALUES (1, 'ann@example.org'), (2, 'fay@example.org');
SELECT 'attached', no, mail, contact_id = :one FROM public.application ORDER BY no;
SELECT 'detach', contact_identity.detach('public.application');
DROP TABLE public.application;
INSERT INTO contact_identity.contacts (email, attributes) VALUES ('gus@example.org', '{"city": "Cork"}');
UPDATE contact_identity.contacts SET email = 'gus@example.net' WHERE account_id = :account AND email = 'gus@example.org';
SELECT 'normalize', contact_identity.normalize('email', ' A@Example.ORG ');
SELECT 'resolve', contact_identity.resolve(merged_id) = :one FROM contact_identity.merges WHERE account_id = :account ORDER BY merge_id;
SELECT 'panel', field_type, field, primary_value, secondary_value FROM contact_identity.contact_panel(:one) ORDER BY 1, 2, 3;
SELECT 'counts', identified, anonymous_push, anonymous_conversations, listing_total, home_total
FROM contact_identity.contact_counts WHERE account_id = :account;
SELECT 'contacts', replace(label, contact_id::text, '?'), state, email, phone, attributes, reachable, open_conflicts
FROM contact_identity.all_contacts WHERE account_id = :account ORDER BY contact_id;
SELECT 'identifiers', kind, value, is_primary, active, source FROM contact_identity.identifiers
WHERE account_id = :account ORDER BY kind, value;
SELECT 'history', event, field_type, field, old_value, new_value, source FROM contact_identity.history
WHERE account_id = :account AND event_id > 0 AND field_type <> 'contact' ORDER BY event_id;
SELECT 'lists', list, subscribed FROM contact_identity.lists WHERE account_id = :account ORDER BY contact_id;
SELECT 'audience', channel, value FROM contact_identity.audience WHERE account_id = :account ORDER BY 2, 3;
SELECT 'integrity', * FROM contact_identity.check_integrity();
