-- Accounts, contacts, identifiers, sources and attributes (RULES 0).
BEGIN;
\ir words.psql
\ir counts.psql
SELECT plan(142);

---------------------------------------------------------------------- accounts
SELECT is_empty($$
    SELECT c.relname FROM pg_class c
    LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
    WHERE c.relnamespace = 'contact_identity'::regnamespace AND c.relkind IN ('r', 'p')
      AND a.attname IS DISTINCT FROM 'account_id'
$$, '[0] the primary key of every table begins with account_id');

SELECT capture('push', 'p1') AS p1 \gset
SELECT is(current_setting('contact_identity.account_id'), '1', '[0] the setting is 1 where nobody sets it');
SELECT is((SELECT account_id FROM all_contacts WHERE contact_id = :p1), 1,
    '[0] a call that names no account lands in account 1');

SELECT create_account(72, 'second') \gset
SELECT is(
    (SELECT string_agg(format('%s|%s|%s|%s|%s|%s|%s|%s', s.source, s.enabled, s.key_kind, s.makes,
                              s.same_value, s.other_contact, s.mode, l.name), E'\n' ORDER BY s.source)
     FROM source s LEFT JOIN list l ON l.account_id = s.account_id AND l.list_id = s.default_list
     WHERE s.account_id = 1),
    'api|t|||last_update_wins|refuse|login|
conversations|t|visitor|conversations|primary_wins|conflict|claim|Contacts active in Conversations
push|t|push|push|last_update_wins|move|login|
shop|t|||last_update_wins|move|login|',
    '[0] account 1 has the four built-in sources with their policies');
SELECT is(
    (SELECT string_agg(format('%s|%s|%s|%s|%s|%s|%s|%s', s.source, s.enabled, s.key_kind, s.makes,
                              s.same_value, s.other_contact, s.mode, l.name), E'\n' ORDER BY s.source)
     FROM source s LEFT JOIN list l ON l.account_id = s.account_id AND l.list_id = s.default_list
     WHERE s.account_id = 72),
    'api|t|||last_update_wins|refuse|login|
conversations|t|visitor|conversations|primary_wins|conflict|claim|Contacts active in Conversations
push|t|push|push|last_update_wins|move|login|
shop|t|||last_update_wins|move|login|',
    '[0] so has a new account');
SELECT is(
    (SELECT string_agg(format('%s %s %s', source, via, kind), ', ' ORDER BY source, via) FROM source_via WHERE account_id = 72),
    'conversations chat visitor, conversations contact_form visitor, conversations facebook facebook, '
    'conversations instagram instagram, conversations whatsapp whatsapp_chat',
    '[0] conversations lists its vias and the kind of key that each makes');
SELECT is(ARRAY(SELECT kind::text FROM identifier_kind WHERE account_id = 72 AND identifying ORDER BY strength),
    '{ext_id,email,phone,whatsapp,landline}', '[0] the identifying kinds, strongest first');
SELECT is(ARRAY(SELECT kind::text FROM identifier_kind WHERE account_id = 72 AND NOT identifying ORDER BY kind),
    '{facebook,instagram,push,visitor,whatsapp_chat}', '[0] the kinds of keys');

-- The same values in both accounts are two sets of contacts.
SELECT contact_id AS ann FROM identify('shop', email => 'ann@example.org', attributes => '{"name": "Ann"}') \gset
SELECT contact_id AS bob FROM identify('shop', email => 'bob@example.org') \gset
SELECT (c.*)::text AS counts1 FROM contact_counts c WHERE account_id = 1 \gset
SELECT capture('push', 'p1', account_id => 72) AS p1_2 \gset
SELECT is(ARRAY(SELECT account_id FROM identifiers WHERE account_id IN (1, 72) AND kind = 'push' AND value = 'p1' ORDER BY account_id), '{1,72}',
    '[0] one key is a contact of its own in each account');
SELECT contact_id AS ann2, outcome AS ann2_outcome
FROM identify('shop', email => 'ann@example.org', attributes => '{"name": "Anna"}', account_id => 72) \gset
SELECT is(:'ann2_outcome'::text, 'created', '[0] an e-mail of another account is free in this one');
SELECT is(ARRAY(SELECT find('email', 'ann@example.org')), ARRAY[:'ann'::bigint],
    '[0] find sees its own account, here 1');
SELECT is(ARRAY(SELECT find('email', 'ann@example.org', account_id => 72)), ARRAY[:'ann2'::bigint],
    '[0] find sees its own account, here 72');
SELECT is((SELECT attributes FROM all_contacts WHERE account_id = 1 AND contact_id = :ann), '{"name": "Ann"}',
    '[0] an attribute given in account 72 changes nothing in account 1');
SELECT is((SELECT (c.*)::text FROM contact_counts c WHERE account_id = 1), :'counts1'::text,
    '[0] [2.3] contacts of account 72 do not count in account 1');
SELECT is((SELECT listing_total::int FROM contact_counts WHERE account_id = 72), 2,
    '[0] [2.3] they count in account 72');
SELECT is(count_error(72), 'none', '[2.4] the counts of account 72 are those of its rows');

SELECT throws_ok(format('SELECT identify(''shop'', email => ''x@example.org'', contact_id => %s, account_id => 72)', :ann), 'P0002', format('contact %s does not exist', :ann),
    '[0] [3.1] to identify, a contact of another account does not exist');
SELECT throws_ok(format('SELECT merge(%s, %s, ''Eve'', account_id => 72)', :ann2, :ann), 'P0002', format('contact %s does not exist', :ann),
    '[0] [6.6] to merge, a contact of another account does not exist');
SELECT throws_ok(format('SELECT merge(%s, %s, ''Eve'', account_id => 72)', :ann, :ann2), 'P0002', format('contact %s does not exist', :ann),
    '[0] [6.6] nor does a survivor of another account');
SELECT throws_ok(format('SELECT block(%s, ''email'', account_id => 72)', :ann), 'P0002', format('contact %s does not exist', :ann),
    '[0] nor to block');
SELECT throws_ok(format('SELECT add_to_list(%s, ''Contacts active in Conversations'', account_id => 72)', :ann), 'P0002', format('contact %s does not exist', :ann),
    '[0] nor to put on a list');
SELECT is(resolve(:ann, account_id => 72), NULL, '[0] resolve knows no contact of another account');
SELECT contact_id AS chat, conflicts[1] AS chat_conflict FROM identify('conversations', 'v1', email => 'chat@example.org') \gset
SELECT conflicts[1] AS chat_conflict FROM identify('conversations', 'v1', email => 'chat2@example.org') \gset
SELECT throws_ok(format('SELECT dismiss(%s, ''Eve'', account_id => 72)', :chat_conflict), 'P0002', format('conflict %s does not exist', :chat_conflict),
    '[0] nor is there a conflict of another account to settle');

-- Settings are an account's own.
UPDATE account SET anonymous_label = 'Visitor <id>' WHERE account_id = 72;
SELECT is((SELECT label FROM all_contacts WHERE contact_id = :p1_2), 'Visitor ' || :p1_2,
    '[0] [1.5] a setting of account 72 works there');
SELECT is((SELECT label FROM all_contacts WHERE contact_id = :p1), 'Anonymous contact #' || :p1,
    '[0] [1.5] and not in account 1');
UPDATE source SET enabled = false WHERE account_id = 72 AND source = 'push';
SELECT throws_ok($$SELECT capture('push', 'p2', account_id => 72)$$, '22023', 'source "push" is switched off',
    '[0] a source that is off in account 72 is off there');
SELECT lives_ok($$SELECT capture('push', 'p2')$$, '[0] and on in account 1');
UPDATE source SET enabled = true WHERE account_id = 72 AND source = 'push';

-- The setting supplies the account, an argument comes before it.
SET LOCAL contact_identity.account_id = 72;
SELECT is(capture('push', 'p1'), :'p1_2', '[0] the setting chooses the account');
SELECT is(capture('push', 'p1', account_id => NULL), :'p1_2', '[0] account_id => NULL means the setting');
SELECT is(capture('push', 'p1', account_id => 1), :'p1', '[0] an account that is given comes before the setting');
SELECT is(resolve(:ann), NULL, '[0] reading functions follow the setting too');
SAVEPOINT setting;
SET LOCAL contact_identity.account_id = 1;
SELECT is(capture('push', 'p1'), :'p1', '[0] the setting can change inside a transaction');
ROLLBACK TO setting;
SELECT is(capture('push', 'p1'), :'p1_2', '[0] and goes back with a savepoint');
SET LOCAL contact_identity.account_id = 1;
SELECT throws_ok('SET contact_identity.account_id = 0', '22023', '0 is outside the valid range for parameter "contact_identity.account_id" (1 .. 2147483647)',
    '[0] the setting refuses what is no account number');
SELECT throws_ok($$SELECT capture('push', 'p1', account_id => 73)$$, '22023', 'account 73 does not exist',
    '[0] an account that is not there is an error');
SELECT throws_ok($$SELECT capture('push', 'p1', account_id => -1)$$, '22023', 'account_id must be greater than 0',
    '[0] so is a number that no account has');
SELECT create_account(73, 'third') \gset
SELECT lives_ok($$SELECT capture('push', 'p1', account_id => 73)$$, '[0] an account works as soon as it is made');
SELECT throws_ok($$SELECT create_account(73, 'again')$$, '23505', 'account 73 exists already',
    '[0] an account is made once');
SELECT throws_ok($$SELECT create_account(NULL, 'none')$$, '22023', 'account_id must be greater than 0',
    '[0] an account has a number');
SELECT throws_ok($$SELECT create_account(0, 'zero')$$, '22023', 'account_id must be greater than 0',
    '[0] from 1 on');
SELECT throws_ok($$SELECT create_account(74, NULL)$$, '22023', 'name of the account must be given',
    '[0] and a name');

---------------------------------------------------------------------- contacts
SELECT is((identify('push', 'p1', email => 'p1@example.org')).contact_id, :'p1',
    '[0] a contact that is identified keeps its id');
SELECT capture('push', 'p3') AS p3 \gset
SELECT is((identify('push', 'p3', email => 'p1@example.org')).contact_id, :'p1',
    '[0] [6.1] and keeps it when another is merged into it');
SELECT is((SELECT format('%s %s', state, survivor_id) FROM contact WHERE contact_id = :p3), 'merged ' || :p1,
    '[0] a merged contact has ended and points to its survivor');
SELECT is(resolve(:p3), :'p1', '[0] [6.3] and leads there');

------------------------------------------------------------------- identifiers
SELECT is((identify('shop', email => ' Ann@Example.ORG ')).contact_id, :'ann',
    '[0] an identifier is its normalised value');
SELECT is(ARRAY(SELECT find('email', 'ANN@example.org')), ARRAY[:'ann'::bigint], '[0] find normalises too');
SELECT contact_id AS sms FROM identify('shop', phone => '+12061234567') \gset
SELECT contact_id AS chatter, outcome AS chatter_outcome FROM identify('api', whatsapp => '+1 206 123 4567') \gset
SELECT is(:'chatter_outcome'::text, 'created',
    '[0] [7.2] a number that one contact has as phone is free as whatsapp');
SELECT is((identify('api', landline => '0012061234567')).outcome, 'created', '[0] [7.2] and free as landline');
SELECT is((identify('api', phone => '001 206 1234567')).contact_id, :'sms',
    '[0] each kind leads to its own contact');

SELECT contact_id AS two_keys FROM identify('push', 'device1', email => 'devices@example.org') \gset
SELECT outcome FROM identify('push', 'device2', email => 'devices@example.org') \gset
SELECT outcome FROM identify('conversations', 'browser1', email => 'devices@example.org') \gset
SELECT outcome FROM identify('conversations', 'browser2', email => 'devices@example.org') \gset
SELECT is((SELECT string_agg(kind || ' ' || value, ', ' ORDER BY kind, value) FROM identifiers
           WHERE contact_id = :two_keys AND NOT identifying),
    'push device1, push device2, visitor browser1, visitor browser2',
    '[0] a contact holds any number of keys of each kind');

-- Aliases lead to a contact, are free for nobody and reach nobody.
SELECT contact_id AS kept FROM identify('shop', email => 'kept@example.org', phone => '+12061230001') \gset
SELECT contact_id AS gone FROM identify('shop', email => 'alias@example.org') \gset
SELECT is((merge(:kept, :gone, 'Eve')).outcome, 'merged', '[6.4] two identified contacts are merged');
SELECT is((SELECT string_agg(value, ', ') FROM identifiers WHERE contact_id = :kept AND kind = 'email' AND is_primary), 'kept@example.org',
    '[0] a contact has one primary value of a kind');
SELECT is((SELECT string_agg(value, ', ') FROM identifiers WHERE contact_id = :kept AND kind = 'email' AND NOT is_primary), 'alias@example.org',
    '[0] a merge may leave an alias beside it');
SELECT is(ARRAY(SELECT find('email', 'alias@example.org')), ARRAY[:'kept'::bigint],
    '[0] an alias leads to its contact');
SELECT is((identify('shop', email => 'alias@example.org')).contact_id, :'kept', '[0] also in identify');
SELECT throws_ok(format('SELECT identify(''api'', email => ''alias@example.org'', contact_id => %s)', :sms), '23505', 'value belongs to another contact',
    '[0] an alias is free for nobody');
SELECT is(ARRAY(SELECT value::text FROM audience WHERE contact_id = :kept AND channel = 'email'), '{kept@example.org}',
    '[0] an alias reaches nobody');
SELECT is((SELECT email::text FROM contacts WHERE contact_id = :kept), 'kept@example.org',
    '[0] the listing shows the primary value');
-- What contradicts a contact.
SELECT is((identify('shop', email => 'alias@example.org', phone => '+12061230001')).contact_id, :'kept',
    '[0] [3.3] an alias does not contradict its contact');
SELECT is((identify('shop', ext_id => 'c-1', phone => '+12061230001')).contact_id, :'kept',
    '[0] [3.3] nor does a value of a kind that it has not');
SELECT isnt((identify('shop', email => 'stranger@example.org', phone => '+12061230001')).contact_id, :'kept',
    '[0] [3.3] a value that the contact holds neither as primary nor as alias, of a kind that it has, does');

----------------------------------------------------------------------- sources
-- A source is a row: it works from its INSERT on, and no longer than that.
SELECT throws_ok($$SELECT capture('kiosk', 'k1')$$, '22023', 'source does not exist',
    '[0] [1.6] a source that is not in the table is an error');
SAVEPOINT kiosk;
INSERT INTO source (account_id, source, key_kind, makes, same_value, other_contact, mode)
VALUES (1, 'kiosk', 'visitor', 'conversations', 'primary_wins', 'conflict', 'claim');
SELECT capture('kiosk', 'k1') AS k1 \gset
SELECT is((SELECT state::text FROM all_contacts WHERE contact_id = :k1), 'anonymous',
    '[0] a source that was added captures');
SELECT is((identify('kiosk', 'k1', email => 'kiosk@example.org')).outcome, 'identified', '[0] and identifies');
SELECT is((SELECT source::text FROM identifiers WHERE account_id = 1 AND kind = 'email' AND value = 'kiosk@example.org'), 'kiosk',
    '[0] under its own name');
SELECT is(cardinality((identify('kiosk', 'k1', email => 'kiosk2@example.org')).conflicts), 1,
    '[0] by its own policy: the primary wins');
SELECT is((identify('kiosk', 'k1', email => 'ann@example.org')).contact_id, :'k1',
    '[0] [3.2] by its own mode: claim');
SELECT throws_ok($$SELECT capture('kiosk', 'k1', account_id => 72)$$, '22023', 'source does not exist',
    '[0] a source that was added to account 1 is not in account 72');
ROLLBACK TO kiosk;
SELECT throws_ok($$SELECT capture('kiosk', 'k1')$$, '22023', 'source does not exist',
    '[0] after the rollback of its INSERT it is unknown again');
INSERT INTO source (account_id, source, key_kind, makes, same_value, other_contact, mode)
VALUES (1, 'kiosk', 'visitor', 'conversations', 'last_update_wins', 'move', 'claim');
SELECT capture('kiosk', 'k1') AS k1 \gset
SELECT is((identify('kiosk', 'k1', email => 'kiosk@example.org')).outcome, 'identified',
    '[0] inserted again it works again');
SELECT is((identify('kiosk', 'k1', email => 'kiosk2@example.org')).conflicts, '{}',
    '[0] with the policy that it has now: the last update wins');
SELECT is((SELECT email::text FROM contacts WHERE contact_id = :k1), 'kiosk2@example.org',
    '[0] so the value is replaced');

-- Switched off, and on again.
SAVEPOINT off;
UPDATE source SET enabled = false WHERE account_id = 1 AND source = 'shop';
SELECT throws_ok($$SELECT identify('shop', email => 'late@example.org')$$, '22023', 'source "shop" is switched off',
    '[0] a source that is switched off is an error');
SELECT is((SELECT count(*)::int FROM find('email', 'ann@example.org')), 1, '[0] what it brought stays');
ROLLBACK TO off;
SELECT is((identify('shop', email => 'late@example.org')).outcome, 'created', '[0] after the rollback it is on');
UPDATE source SET enabled = false WHERE account_id = 1 AND source = 'shop';
SELECT throws_ok($$SELECT identify('shop', email => 'late2@example.org')$$, '22023', 'source "shop" is switched off',
    '[0] off at once');
UPDATE source SET enabled = true WHERE account_id = 1 AND source = 'shop';
SELECT is((identify('shop', email => 'late2@example.org')).outcome, 'created', '[0] on at once');
DELETE FROM source WHERE account_id = 1 AND source = 'kiosk';
SELECT throws_ok($$SELECT capture('kiosk', 'k1')$$, '22023', 'source does not exist',
    '[0] a source that was deleted is unknown');
SELECT is((SELECT state::text FROM contacts WHERE contact_id = :k1), 'identified', '[0] its contacts stay');

-- A policy that changes, each of them.
SELECT contact_id AS pol FROM identify('conversations', 'v2', email => 'pol@example.org') \gset
SAVEPOINT policy;
UPDATE source SET same_value = 'last_update_wins' WHERE account_id = 1 AND source = 'conversations';
SELECT is((identify('conversations', 'v2', email => 'pol2@example.org')).conflicts, '{}',
    '[0] same_value changed: no conflict');
SELECT is((SELECT email::text FROM contacts WHERE contact_id = :pol), 'pol2@example.org',
    '[0] but the newer value');
ROLLBACK TO policy;
SELECT is(cardinality((identify('conversations', 'v2', email => 'pol2@example.org')).conflicts), 1,
    '[0] rolled back: a conflict');
SELECT is((SELECT email::text FROM contacts WHERE contact_id = :pol), 'pol@example.org',
    '[0] and the primary value of before');

UPDATE source SET mode = 'login' WHERE account_id = 1 AND source = 'conversations';
SELECT is((identify('conversations', 'v2', email => 'ann@example.org')).contact_id, :'ann',
    '[0] [3.3] mode changed to login: the owner is meant');
UPDATE source SET mode = 'claim' WHERE account_id = 1 AND source = 'conversations';
SELECT contact_id AS pol FROM identify('conversations', 'v3', email => 'claim@example.org') \gset
SELECT is((identify('conversations', 'v3', email => 'ann@example.org')).contact_id, :'pol',
    '[0] [3.2] mode changed to claim: the contact of the key');

SELECT throws_ok(format('SELECT identify(''api'', contact_id => %s, phone => ''+12061234567'')', :pol), '23505', 'value belongs to another contact',
    '[0] [4.4] other_contact is refuse');
UPDATE source SET other_contact = 'conflict' WHERE account_id = 1 AND source = 'api';
SELECT conflicts[1] AS con FROM identify('api', contact_id => :pol, phone => '+12061234567') \gset
SELECT is((SELECT owner_contact_id FROM conflicts WHERE conflict_id = :con), :'sms',
    '[0] [4.4] changed to conflict');
UPDATE source SET other_contact = 'move' WHERE account_id = 1 AND source = 'api';
SELECT contact_id AS giver FROM identify('api', email => 'giver@example.org', phone => '+12061230009') \gset
SELECT outcome FROM identify('api', contact_id => :pol, phone => '+12061230009') \gset
SELECT is((SELECT phone::text FROM contacts WHERE contact_id = :pol), '+12061230009', '[0] [4.4] changed to move');
UPDATE source SET other_contact = 'refuse' WHERE account_id = 1 AND source = 'api';
SELECT throws_ok(format('SELECT identify(''api'', contact_id => %s, phone => ''+12061234567'')', :pol), '23505', 'value belongs to another contact',
    '[0] [4.4] changed back to refuse');

-- The list and its name.
SELECT is((SELECT string_agg(list, ', ') FROM lists WHERE contact_id = :pol), 'Contacts active in Conversations',
    '[0] [4.12] conversations has a default list');
SELECT is((SELECT count(*)::int FROM lists WHERE contact_id IN (:sms, :p1)), 0, '[0] shop and push have none');
UPDATE list SET name = 'Chat' WHERE account_id = 1 AND name = 'Contacts active in Conversations';
SELECT is((SELECT string_agg(list, ', ') FROM lists WHERE contact_id = :pol), 'Chat',
    '[0] a list that is renamed keeps its contacts');
SELECT contact_id AS listed FROM identify('conversations', 'v4', email => 'listed@example.org') \gset
SELECT is((SELECT string_agg(list, ', ') FROM lists WHERE contact_id = :listed), 'Chat',
    '[0] and gets new ones under its new name');
INSERT INTO list (account_id, name) VALUES (1, 'Customers');
UPDATE source SET default_list = (SELECT list_id FROM list WHERE account_id = 1 AND name = 'Customers')
WHERE account_id = 1 AND source = 'shop';
SELECT contact_id AS buyer FROM identify('shop', email => 'buyer@example.org') \gset
SELECT is((SELECT string_agg(list, ', ') FROM lists WHERE contact_id = :buyer), 'Customers',
    '[0] a source can be given a list');
UPDATE source SET default_list = NULL WHERE account_id = 1 AND source = 'shop';
SELECT contact_id AS buyer FROM identify('shop', email => 'buyer2@example.org') \gset
SELECT is((SELECT count(*)::int FROM lists WHERE contact_id = :buyer), 0, '[0] and have it taken away');

-- The via decides the kind of key.
SELECT capture('conversations', 'same', via => 'chat') AS chat \gset
SELECT is(capture('conversations', 'same', via => 'contact_form'), :'chat',
    '[0] chat and contact form share the visitor key');
SELECT is(capture('conversations', 'same'), :'chat', '[0] without a via it is the key kind of the source');
SELECT capture('conversations', 'same', via => 'facebook') AS facebook \gset
SELECT capture('conversations', 'same', via => 'instagram') AS instagram \gset
SELECT capture('conversations', 'same', via => 'whatsapp') AS whatsapp \gset
SELECT is((SELECT string_agg(kind, ' ' ORDER BY kind) FROM identifiers
           WHERE value = 'same' AND contact_id IN (:facebook, :instagram, :whatsapp)),
    'facebook instagram whatsapp_chat', '[0] a network''s via makes that network''s kind');
SELECT is((SELECT count(DISTINCT contact_id)::int FROM identifiers WHERE account_id = 1 AND value = 'same'), 4,
    '[0] and each is a contact of its own');
SELECT throws_ok($$SELECT capture('conversations', 'same', via => 'telegram')$$, '22023', 'source "conversations" has no such via',
    '[0] [4.13] a via that the source does not list');
SELECT throws_ok($$SELECT capture('push', 'same', via => 'chat')$$, '22023', 'source "push" has no such via',
    '[0] [4.13] nor is one source''s via another''s');
SELECT throws_ok($$SELECT identify('shop', 'key', email => 'a@example.org')$$, '22023', 'source "shop" takes no key',
    '[0] [4.13] a source without key kind takes no key');
INSERT INTO identifier_kind (account_id, kind, identifying, normalizer) VALUES (1, 'telegram', false, 'exact');
INSERT INTO source_via (account_id, source, via, kind) VALUES (1, 'conversations', 'telegram', 'telegram');
SELECT capture('conversations', 'same', via => 'telegram') AS telegram \gset
SELECT is((SELECT kind::text FROM identifiers WHERE contact_id = :telegram), 'telegram',
    '[0] a via and a kind of key that were added work at once');
INSERT INTO source (account_id, source, key_kind, makes) VALUES (1, 'app', 'push', 'push');
SELECT capture('app', 'device3') AS device3 \gset
SELECT ok(EXISTS (SELECT FROM contacts WHERE contact_id = :device3),
    '[0] [2.1] a source that was added can make push contacts');
SELECT is(capture('push', 'device3'), :'device3', '[0] two sources of one key kind share its keys');
SELECT throws_ok($$INSERT INTO source (account_id, source, key_kind, makes) VALUES (1, 'odd', 'visitor', 'push')$$, '23514', NULL,
    '[0] a source that makes push contacts has key kind push');
SELECT throws_ok($$INSERT INTO source (account_id, source, makes) VALUES (1, 'odd', 'conversations')$$, '23514', NULL,
    '[0] a source that makes contacts has a key kind');
SELECT throws_ok($$INSERT INTO source (account_id, source, key_kind, makes) VALUES (1, 'odd', 'email', 'conversations')$$, '23503', NULL,
    '[1.4] a source''s keys are of no kind of identifiers: its anonymous contacts would hold one');
SELECT throws_ok($$UPDATE source SET key_kind = 'ext_id' WHERE account_id = 1 AND source = 'conversations'$$, '23503', NULL,
    '[1.4] nor do they become so');
SELECT throws_ok($$INSERT INTO source_via (account_id, source, via, kind) VALUES (1, 'conversations', 'odd', 'phone')$$, '23503', NULL,
    '[1.4] nor the keys of a via');
SAVEPOINT in_use;
SELECT lives_ok($$INSERT INTO identifier_kind (account_id, kind, identifying, normalizer) VALUES (1, 'unused', false, 'exact')$$,
                '[0.0] a kind of keys can be added');
SELECT lives_ok($$DELETE FROM identifier_kind WHERE account_id = 1 AND kind = 'unused'$$, '[0.0] and removed while nobody has one');
SELECT capture('conversations', 'in-use-visitor') \g /dev/null
SELECT throws_ok($$DELETE FROM identifier_kind WHERE account_id = 1 AND kind = 'visitor'$$, '23503', NULL,
                 '[9.2] but not under the contacts that have it');
SELECT identify('conversations', 'in-use-visitor', email => 'in-use@example.org') \g /dev/null
SELECT throws_ok($$DELETE FROM list WHERE account_id = 1$$, '23503', NULL, '[6.2] nor is a list with members');
SELECT lives_ok($$UPDATE list SET name = 'Renamed ' || list_id WHERE account_id = 1$$, '[0.0] which can be renamed');
SELECT throws_ok($$INSERT INTO identifier_kind (account_id, kind, identifying, strength, normalizer)
                   VALUES (1, 'loyalty', true, 9, 'exact')$$, '23514', NULL,
                 '[0.0] identifying kinds are the five that calls can give');
SELECT throws_ok($$DELETE FROM account WHERE account_id = 1$$, '23503', NULL, '[0.0] an account is not removed');
ROLLBACK TO in_use;
SELECT throws_ok($$UPDATE identifier_kind SET identifying = true, strength = 9 WHERE account_id = 1 AND kind = 'visitor'$$, '23514', NULL,
    '[1.4] nor does the kind of a source''s keys become one of identifiers');
SELECT throws_ok($$INSERT INTO source (account_id, source) VALUES (1, 'merge')$$, '23514', NULL,
    '[5.1] merge is no source''s name: conflicts of merges have it');
SELECT throws_ok($$SELECT capture('conversations', 'same', via => '')$$, '22023', 'source "conversations" has no such via',
    '[0] [4.13] nor is an empty string a via');

-------------------------------------------------------------------- attributes
SELECT contact_id AS att FROM identify('shop', email => 'att@example.org',
    attributes => '{"n": 1, "tags": ["a", "b"], "address": {"street": "High Street", "city": "Leeds", "floor": 2}}') \gset
SELECT versions() AS before \gset
SELECT is((identify('shop', email => 'att@example.org', attributes => '{"n": 1.0}')).outcome, 'unchanged',
    '[0] 1 equals 1.0');
SELECT is((identify('shop', email => 'att@example.org', attributes => '{"n": 10e-1}')).outcome, 'unchanged',
    '[0] however it is written');
SELECT is((identify('shop', email => 'att@example.org', attributes => '{"address": {"floor": 2.00, "city": "Leeds", "street": "High Street"}}')).outcome,
    'unchanged', '[0] also inside; the order of names does not matter');
SELECT is(versions(), :'before', '[0] [4.16] an equal value is not written');
SELECT is((identify('shop', email => 'att@example.org', attributes => '{"n": "1"}')).outcome, 'updated',
    '[0] a string is not a number');
SELECT is((identify('shop', email => 'att@example.org', attributes => '{"tags": ["b", "a"]}')).outcome, 'updated',
    '[0] the order of an array matters');
SELECT is((identify('shop', email => 'att@example.org', attributes => '{"address": {"city": "York"}}')).outcome, 'updated',
    '[0] a value that differs inside differs');
SELECT is((SELECT attributes -> 'address' FROM contacts WHERE contact_id = :att), '{"city": "York"}',
    '[0] and is replaced whole');
SELECT is((SELECT attributes -> 'n' FROM contacts WHERE contact_id = :att), '"1"',
    '[0] a name that is not given stays');
SELECT is((identify('shop', email => 'att@example.org', attributes => '{}')).outcome, 'unchanged',
    '[0] an empty object gives nothing');
SELECT is((identify('shop', email => 'att@example.org', attributes => NULL)).outcome, 'unchanged',
    '[0] nor does NULL');
SELECT throws_ok($$SELECT identify('shop', email => 'att@example.org', attributes => '["n", 1]')$$, '22023', 'attributes must be a JSON object',
    '[0] an array is no object');
SELECT throws_ok($$SELECT identify('shop', email => 'att@example.org', attributes => '1')$$, '22023', 'attributes must be a JSON object',
    '[0] a number is no object');
SELECT throws_ok($$SELECT identify('shop', email => 'att@example.org', attributes => '"n"')$$, '22023', 'attributes must be a JSON object',
    '[0] a string is no object');
SELECT throws_ok($$SELECT identify('shop', email => 'att@example.org', attributes => 'true')$$, '22023', 'attributes must be a JSON object',
    '[0] a boolean is no object');
SELECT throws_ok($$SELECT identify('shop', email => 'att@example.org', attributes => 'null')$$, '22023', 'attributes must be a JSON object',
    '[0] JSON null is no object');
SELECT throws_ok($$SELECT capture('push', 'p9', attributes => '[]')$$, '22023', 'attributes must be a JSON object',
    '[0] capture wants an object too');

-- Primary and secondary values.
SELECT contact_id AS vis FROM identify('conversations', 'v5', email => 'first@example.org', attributes => '{"size": 1}') \gset
SELECT conflicts AS con FROM identify('conversations', 'v5', email => 'second@example.org', attributes => '{"size": 2}') \gset
SELECT is((SELECT email || ' ' || (attributes ->> 'size') FROM contacts WHERE contact_id = :vis), 'first@example.org 1',
    '[0] the primary value is the stored one');
SELECT is((SELECT string_agg(format('%s %s %s', field, primary_value, secondary_value), ', ' ORDER BY field)
           FROM conflicts WHERE conflict_id = ANY (:'con'::bigint[]) AND status = 'open'),
    'email "first@example.org" "second@example.org", size 1 2',
    '[0] a secondary value is kept beside it as an open conflict');
SELECT is((identify('conversations', 'v5', attributes => '{"size": 1.0}')).conflicts, '{}',
    '[0] [4.6] an equal value is no conflict');

SELECT is_empty('SELECT * FROM check_integrity()', '[9.1] all this left nothing that breaks the rules');
SELECT * FROM finish();
ROLLBACK;
