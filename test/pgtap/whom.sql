-- RULES 3: whom a call means, and where its key goes.
BEGIN;
\ir words.psql
SELECT plan(117);

-- Sources of other shapes than the built-in ones.
INSERT INTO source (account_id, source, key_kind) VALUES (1, 'desk', 'visitor');

---------------------------------------------------------------- what is needed
SELECT throws_ok($$ SELECT identify('shop') $$, '22023', NULL,
    '[3.0] nothing to find anybody by is an error');
SELECT throws_ok($$ SELECT identify('shop', attributes => '{"name": "Ann"}') $$, '22023', NULL,
    '[3.0] attributes find nobody');
SELECT throws_ok($$ SELECT identify('conversations', email => NULL, key => NULL, contact_id => NULL) $$, '22023', NULL,
    '[3.0] null is not given');
SELECT throws_ok($$ SELECT identify(NULL, email => 'ann@example.org') $$, '22023', NULL,
    '[3.0] a call has a source');
SELECT throws_ok($$ SELECT identify('shop', email => '') $$, '22023', NULL,
    '[3.0] an empty identifier is malformed, not left out');
SELECT throws_ok($$ SELECT identify('conversations', '', email => 'ann@example.org') $$, '22023', NULL,
    '[3.0] an empty key is malformed, not left out');

CALL given('ann', identify('shop', email => 'ann@example.org'));
SELECT is(said(identify('shop', email => E' \tANN@Example.ORG\n')), 'unchanged ann',
    '[3.0] input is normalised first');
SELECT is(said(identify('conversations', 'key', attributes => '{"name": "Kay"}'), 'kay'), 'captured kay',
    '[3.0] with a key and no identifier it is a capture');
SELECT is(attributes_of('kay'), '{"name": "Kay"}', '[3.0] that also stores attributes');
SELECT is(said(identify('conversations', 'key', attributes => '{"city": "Bonn"}')), 'updated kay',
    '[3.0] also for a key that is known');
SELECT is(attributes_of('kay'), '{"name": "Kay", "city": "Bonn"}', '[3.0] beside the ones that are there');
SELECT is(capture('conversations', 'key'), id('kay'), '[3.0] it is the contact that capture answers');
SELECT throws_ok($$ SELECT identify('desk', 'key 1') $$, '22023', NULL,
    '[3.0] a source that makes no anonymous contact captures none with identify either');

---------------------------------------------------------- the named contact
CALL given('bob', identify('shop', email => 'bob@example.org'));
SELECT is(said(identify('shop', email => 'bob@example.org', contact_id => id('ann'))), 'updated ann conflict email',
    '[3.1] contact_id goes before every identifier');
SELECT is(said(identify('push', 'ann key', contact_id => id('ann'))), 'updated ann',
    '[3.1] contact_id is enough to find a contact by');
CALL given('bobs key', identify('conversations', 'bob key'));
CALL done(identify('conversations', 'bob key', email => 'bob@example.org'));
SELECT is(said(identify('conversations', email => 'bob@example.org', contact_id => id('bobs key'))), 'unchanged bob',
    '[3.1] contact_id is followed to its survivor');
CALL given('old ann', identify('shop', email => 'old.ann@example.org'));
CALL done(merge(id('ann'), id('old ann'), 'agent'));
SELECT is(said(identify('shop', phone => '+12065550101', contact_id => id('old ann'))), 'updated ann',
    '[3.1] also where two identified ones were merged');

CALL given('cat', capture('conversations', 'cat'));
SELECT is(said(identify('shop', attributes => '{"name": "Cat"}', contact_id => id('cat'))), 'updated cat',
    '[3.1] an anonymous contact_id stands for the contact of the key: attributes');
SELECT is(said(identify('conversations', 'second', contact_id => id('cat'))), 'updated cat',
    '[3.1] a free key beside it ...');
SELECT is(holds('cat'), 'visitor cat, visitor second', '[3.1] ... is attached to it');
SELECT is(said(identify('conversations', 'cat', contact_id => id('cat'))), 'unchanged cat',
    '[3.1] its own key may stand beside it');
SELECT is(said(identify('conversations', email => 'cat@example.org', contact_id => id('cat'))), 'identified cat',
    '[3.1] it stands for the contact of the key: a free identifier makes it identified');
CALL given('dog', capture('conversations', 'dog'));
SELECT is(said(identify('shop', email => 'bob@example.org', contact_id => id('dog'))), 'merged bob < dog',
    '[3.1] it stands for the contact of the key: it is merged into an owner');
CALL given('eel', capture('conversations', 'eel'));
SELECT is(said(identify('conversations', 'free', email => 'bob@example.org', contact_id => id('eel'))), 'merged bob < eel',
    '[3.1] a free key beside it ...');
SELECT is(holds('bob'), 'email bob@example.org, visitor bob key, visitor dog, visitor eel, visitor free',
    '[3.1] ... goes along');
CALL given('fox', capture('conversations', 'fox'));
CALL given('gnu', capture('conversations', 'gnu'));
SELECT throws_ok(format($$ SELECT identify('conversations', 'gnu', contact_id => %s) $$, id('fox')), '22023', NULL,
    '[3.1] a key of another anonymous contact beside it is an error');
SELECT throws_ok(format($$ SELECT identify('conversations', 'cat', contact_id => %s) $$, id('fox')), '22023', NULL,
    '[3.1] a key of an identified contact beside it is an error');
SELECT throws_ok(format($$ SELECT identify('conversations', 'gnu', email => 'fox@example.org', contact_id => %s) $$, id('fox')),
    '22023', NULL, '[3.1] with an identifier too');
SELECT throws_ok($$ SELECT identify('shop', email => 'ann@example.org', contact_id => 2000000000000) $$, 'P0002', NULL,
    '[3.1] an unknown contact_id is P0002, whatever else is given');
SELECT throws_ok(format($$ SELECT identify('shop', email => 'ann@example.org', contact_id => %s) $$, n), 'P0002', NULL,
    '[3.1] contact_id ' || n || ' is unknown')
FROM unnest('{0, -1, -9223372036854775808, 9223372036854775807}'::bigint[]) AS n;
SELECT is((SELECT array_agg(b.error IS NOT NULL ORDER BY b.request)
           FROM identify_batch('[{"source": "shop", "email": "new@example.org"},
                                 {"source": "shop", "phone": "+12065550199", "contact_id": -1}]') AS b),
    '{f,t}', '[3.1] nor does a number below zero mean a contact that the batch makes');
CALL given('hen', capture('push', 'hen'));
CALL given('elk', identify('shop', email => 'elk@example.org'));
DELETE FROM contacts WHERE contact_id IN (id('hen'), id('elk'));
SELECT throws_ok(format($$ SELECT identify('shop', email => 'ann@example.org', contact_id => %s) $$, id(who)), 'P0002', NULL,
    '[3.1] an erased contact_id is P0002, once ' || what)
FROM (VALUES ('hen', 'anonymous'), ('elk', 'identified')) AS e (who, what);
SELECT create_account(1002, 'another') \g /dev/null
CALL given('far', identify('shop', email => 'far@example.org', account_id => 1002));
SELECT throws_ok(format($$ SELECT identify('shop', phone => '+12065550102', contact_id => %s) $$, id('far')), 'P0002', NULL,
    '[3.1] a contact_id of another account is P0002');

-------------------------------------------------------------------- claim mode
CALL given('kim', identify('conversations', 'kim', email => 'kim@example.org'));
CALL given('lea', identify('shop', email => 'lea@example.org', ext_id => 'lea'));
SELECT is(said(identify('conversations', 'kim', email => 'lea@example.org')), 'updated kim conflict email',
    '[3.2] in claim mode it is the contact of the key, though another owns the identifier');
SELECT is(said(identify('conversations', 'kim', email => 'lea@example.org', ext_id => 'lea')),
    'updated kim conflict email,ext_id', '[3.2] even the strongest one');
SELECT is(said(identify('conversations', 'kim', email => 'unheard.of@example.org')), 'updated kim conflict email',
    '[3.2] or one contradicts it');
SELECT is(holds('kim'), 'email kim@example.org, visitor kim', '[3.2] which keeps what it has');
SELECT is(holds('lea'), 'email lea@example.org, ext_id lea', '[3.2] as the owner does');
SELECT is(said(identify('push', 'kim push', email => 'kim@example.org')), 'updated kim', '[3.7] a second key');
SELECT is(said(identify('push', 'kim push', ext_id => 'lea')), 'switched lea',
    '[3.2] in login mode the identifiers decide');

------------------------------------------------------------------- the owner
CALL given('has ext_id', identify('shop', ext_id => 'strongest'));
CALL given('has email', identify('shop', email => 'second@example.org'));
CALL given('has phone', identify('shop', phone => '+12065550113'));
CALL given('has whatsapp', identify('shop', whatsapp => '+12065550114'));
CALL given('has landline', identify('shop', landline => '+12065550115'));
SELECT is(said(identify('conversations', landline => '+12065550115', whatsapp => '+12065550114', phone => '+12065550113',
                        email => 'second@example.org', ext_id => 'strongest')),
    'updated has ext_id conflict email,landline,phone,whatsapp', '[3.3] the owner of the ext_id before all others');
SELECT is(said(identify('conversations', landline => '+12065550115', whatsapp => '+12065550114', phone => '+12065550113',
                        email => 'second@example.org')),
    'updated has email conflict landline,phone,whatsapp', '[3.3] then of the email');
SELECT is(said(identify('conversations', landline => '+12065550115', whatsapp => '+12065550114', phone => '+12065550113')),
    'updated has phone conflict landline,whatsapp', '[3.3] then of the phone');
SELECT is(said(identify('conversations', landline => '+12065550115', whatsapp => '+12065550114')),
    'updated has whatsapp conflict landline', '[3.3] then of whatsapp');
SELECT is(said(identify('conversations', landline => '+12065550115')), 'updated has landline', '[3.3] then of the landline');
SELECT is(said(identify('conversations', email => 'nobody.has@example.org', phone => '+12065550113')), 'updated has phone',
    '[3.3] the strongest that has an owner: a stronger free value has none');
SELECT is(holds('has phone'), 'email nobody.has@example.org, phone +12065550113', '[3.3] and goes to that owner');

CALL given('may', identify('shop', ext_id => 'may', email => 'may@example.org'));
CALL given('ned', identify('shop', phone => '+12065550121'));
SELECT is(said(identify('conversations', ext_id => 'not may', email => 'may@example.org'), 'new 1'), 'created new 1 conflict email',
    '[3.3] an owner that a stronger identifier contradicts is disqualified');
SELECT is(said(identify('conversations', ext_id => 'may', email => 'different@example.org')), 'updated may conflict email',
    '[3.3] one that a weaker identifier contradicts is not');
SELECT is(said(identify('conversations', ext_id => 'not may either', email => 'may@example.org', phone => '+12065550121')),
    'updated ned conflict email', '[3.3] after a disqualified owner comes that of the next identifier');
SELECT is(holds('ned'), 'ext_id not may either, phone +12065550121',
    '[3.3] a kind that the owner has no primary of contradicts nobody');
CALL given('ole', identify('shop', email => 'ole@example.org', phone => '+12065550122'));
CALL given('ole 2', identify('shop', email => 'ole.2@example.org'));
CALL done(merge(id('ole'), id('ole 2'), 'agent'));
SELECT is(said(identify('conversations', email => 'ole.2@example.org', phone => '+12065550122')), 'updated ole',
    '[3.3] an alias leads to its contact as a primary does, and contradicts it not');
SELECT is(said(identify('conversations', ext_id => 'ole', email => 'ole.2@example.org')), 'updated ole',
    '[3.3] the owner of an alias is qualified as any');
SELECT is(said(identify('conversations', ext_id => 'not ole', email => 'ole.2@example.org'), 'new 2'), 'created new 2 conflict email',
    '[3.3] and disqualified as any');

---------------------------------------------------- the contact of the key
CALL given('qi', capture('conversations', 'qi'));
SELECT is(said(identify('conversations', 'qi', email => 'qi@example.org')), 'identified qi',
    '[3.4] where nobody owns an identifier it is the anonymous contact of the key');
CALL given('ray', capture('push', 'ray'));
SELECT is(said(identify('push', 'ray', email => 'ray@example.org')), 'identified ray', '[3.4] in login mode too');
CALL given('sue', capture('conversations', 'sue'));
SELECT is(said(identify('conversations', 'sue', ext_id => 'sue', email => 'may@example.org')), 'identified sue conflict email',
    '[3.4] or where the only owner is disqualified');

SELECT is(said(identify('push', 'ray')), 'unchanged ray', '[3.5] the identified contact of the key where nothing is given');
SELECT is(said(identify('push', 'ray', phone => '+12065550131')), 'updated ray',
    '[3.5] or nothing that contradicts it');
SELECT is(holds('ray'), 'email ray@example.org, phone +12065550131, push ray', '[3.5] and it gets what was given');
CALL given('ray 2', identify('shop', email => 'ray.2@example.org'));
CALL done(merge(id('ray'), id('ray 2'), 'agent'));
SELECT is(said(identify('push', 'ray', email => 'ray.2@example.org', ext_id => 'ray')), 'updated ray',
    '[3.3] an alias of it is its own');
SELECT is(said(identify('push', 'ray', phone => '+12065550132'), 'new 3'), 'switched new 3',
    '[3.5] what contradicts it is another''s: [3.6] a new contact');
SELECT is(holds('new 3'), 'phone +12065550132, push ray', '[3.6] that has what was given, and the key [3.9]');
SELECT is(holds('ray'), 'email ray@example.org, email ~ray.2@example.org, ext_id ray, phone +12065550131',
    '[3.6] and takes nothing else away');
SELECT is(said(identify('shop', email => 'tim@example.org', attributes => '{"name": "Tim"}'), 'tim'), 'created tim',
    '[3.6] without a key and an owner a new contact');
SELECT is(attributes_of('tim'), '{"name": "Tim"}', '[3.6] with the attributes given');

-------------------------------------------------------------------- verified
CALL given('uma', identify('conversations', 'uma', email => 'uma@example.org'));
SELECT is(said(identify('conversations', 'uma', email => 'tim@example.org')), 'updated uma conflict email',
    '[3.2] not verified, claim mode');
SELECT is(said(identify('conversations', 'uma', email => 'tim@example.org', verified => NULL)), 'unchanged uma conflict email',
    '[3.2] verified null is not verified');
SELECT is(said(identify('conversations', 'uma', email => 'tim@example.org', verified => true)), 'switched tim',
    '[3.6] verified puts the call into login mode whatever the source');
SELECT is(said(identify('conversations', 'uma', email => 'vic@example.org', verified => true), 'vic'), 'switched vic',
    '[3.6] with all that login mode says');
CALL given('vic 2', identify('shop', ext_id => 'vic 2'));
SELECT is(said(identify('conversations', contact_id => id('vic'), ext_id => 'vic 2', verified => true)),
    'updated vic conflict ext_id', '[3.6] but the values are dealt with as the source says');

------------------------------------------------------------ the key: attached
SELECT is(said(identify('conversations', 'tims', email => 'tim@example.org')), 'updated tim',
    '[3.7] a key that is nobody''s ...');
SELECT is(holds('tim'), 'email tim@example.org, visitor tims', '[3.7] ... is attached to the contact');
SELECT is(said(identify('conversations', 'wes', email => 'wes@example.org'), 'wes'), 'created wes',
    '[3.7] with a contact that is made ...');
SELECT is(holds('wes'), 'email wes@example.org, visitor wes', '[3.7] ... too');

-------------------------------------------------------------- the key: merged
CALL given('xan', capture('conversations', 'xan'));
CALL given('yul', identify('shop', email => 'yul@example.org'));
SELECT is(said(identify('conversations', 'xan', email => 'yul@example.org')), 'merged yul < xan',
    '[3.8] the anonymous contact of the key is merged into the owner');
SELECT is(resolve(id('xan')), id('yul'), '[3.8] whose id lives on, though the other is older');
SELECT is(holds('yul'), 'email yul@example.org, visitor xan', '[3.8] with the key');
CALL given('zoe', capture('conversations', 'zoe'));
SELECT is(said(identify('conversations', 'zoe', contact_id => id('yul'))), 'merged yul < zoe',
    '[3.8] also where contact_id names the contact');
CALL given('abe', capture('push', 'abe'));
SELECT is(said(identify('push', 'abe', email => 'yul@example.org')), 'merged yul < abe', '[3.8] in login mode too');

--------------------------------------------------------------- the key: moved
CALL given('oto', identify('shop', email => 'oto@example.org', phone => '+12065550141', occurred_at => day(1),
                           attributes => '{"name": "Oto"}'));
CALL given('una', identify('shop', email => 'una@example.org', occurred_at => day(1)));
CALL done(identify('push', 'attached', email => 'oto@example.org', occurred_at => day(10)));
SELECT is(said(identify('push', 'attached', email => 'una@example.org', occurred_at => day(9))), 'unchanged una ignored push',
    '[3.9] a call older than the attachment leaves the key and names it');
SELECT is(said(identify('push', 'attached', email => 'una@example.org', occurred_at => day(10))), 'unchanged una ignored push',
    '[3.9] one of the same time is not newer');
SELECT is(holds('oto'), 'email oto@example.org, phone +12065550141, push attached', '[3.9] the key stayed');
SELECT is(said(identify('push', 'attached', email => 'una@example.org', occurred_at => day(11))), 'switched una',
    '[3.9] a newer call moves it');
SELECT is(holds('una'), 'email una@example.org, push attached', '[3.9] to the contact that is meant');
SELECT is(holds('oto'), 'email oto@example.org, phone +12065550141', '[3.9] the other keeps everything else');
SELECT is(attributes_of('oto'), '{"name": "Oto"}', '[3.9] attributes too');
SELECT is(resolve(id('oto')), id('oto'), '[3.9] and is not merged');
SELECT is(said(identify('push', 'attached', email => 'oto@example.org', occurred_at => day(10))), 'unchanged oto ignored push',
    '[3.9] moving is an attachment: older than it');
SELECT is(said(identify('push', 'attached', email => 'una@example.org', occurred_at => day(15))), 'unchanged una',
    '[3.9] the same again, later');
SELECT is(said(identify('push', 'attached', email => 'oto@example.org', occurred_at => day(14))), 'unchanged oto ignored push',
    '[3.9] with occurred_at, confirming is an attachment: older than it');
SELECT is(said(identify('push', 'attached', email => 'oto@example.org', occurred_at => day(16))), 'switched oto',
    '[3.9] newer than it');

CALL done(identify('push', 'confirmed', email => 'oto@example.org', occurred_at => day(10)));
SELECT is(said(identify('push', 'confirmed', email => 'oto@example.org')), 'unchanged oto',
    '[3.9] the same again, without a time');
SELECT is(said(identify('push', 'confirmed', email => 'una@example.org', occurred_at => day(12))), 'switched una',
    '[3.9] without occurred_at confirming is no attachment');

CALL given('ivy', capture('push', 'ivy', occurred_at => day(10)));
CALL done(identify('push', 'ivy 2', contact_id => id('ivy'), occurred_at => day(10)));
SELECT is(said(identify('push', 'ivy', email => 'ivy@example.org', occurred_at => day(20))), 'identified ivy',
    '[3.4] with a time');
SELECT is(said(identify('push', 'ivy', email => 'una@example.org', occurred_at => day(15))), 'unchanged una ignored push',
    '[3.9] identifying by a key is an attachment: older than it');
SELECT is(said(identify('push', 'ivy 2', email => 'una@example.org', occurred_at => day(15))), 'switched una',
    '[3.9] a key by which nobody was identified has its own time');
SELECT is(said(identify('push', 'ivy', email => 'una@example.org', occurred_at => day(21))), 'switched una',
    '[3.9] newer than the identification');
CALL given('jon', capture('push', 'jon', occurred_at => day(10)));
CALL done(identify('push', 'jon 2', contact_id => id('jon'), occurred_at => day(10)));
SELECT is(said(identify('push', 'jon', email => 'oto@example.org', occurred_at => day(20))), 'merged oto < jon',
    '[3.8] with a time');
SELECT is(said(identify('push', 'jon', email => 'una@example.org', occurred_at => day(15))), 'unchanged una ignored push',
    '[3.9] merging by a key is an attachment: older than it');
SELECT is(said(identify('push', 'jon 2', email => 'una@example.org', occurred_at => day(15))), 'switched una',
    '[3.9] a key by which nobody was merged has its own time');
SELECT is(said(identify('push', 'jon', email => 'una@example.org', occurred_at => day(21))), 'switched una',
    '[3.9] newer than the merge');

CALL done(identify('conversations', 'claimed', email => 'oto@example.org', occurred_at => day(10)));
SELECT is(said(identify('conversations', 'claimed', contact_id => id('una'), occurred_at => day(10))), 'unchanged una ignored visitor',
    '[3.9] contact_id moves no key by an older call, in claim mode either');
SELECT is(said(identify('conversations', 'claimed', contact_id => id('una'), occurred_at => day(11))), 'switched una',
    '[3.9] with contact_id a key moves in claim mode too');
SELECT is(said(identify('conversations', 'claimed', contact_id => id('oto'))), 'switched oto',
    '[3.9] a call without a time is newer than every attachment');
SELECT is(said(identify('conversations', 'claimed', email => 'una@example.org')), 'updated oto conflict email',
    '[3.9] [3.2] without contact_id a key never leaves an identified contact in claim mode');

------------------------------------------------------------- never by the way
CALL given('p', identify('conversations', 'p', email => 'p@example.org'));
CALL given('q', identify('shop', email => 'q@example.org', phone => '+12065550151'));
CALL given('r', identify('shop', ext_id => 'r', whatsapp => '+12065550152'));
CALL given('s', identify('push', 's', landline => '+12065550153'));
SELECT unalike(said(identify('conversations', 'p', email => 'q@example.org', ext_id => 'r', landline => '+12065550153')), 'merged%',
    '[3.10] identified contacts are not merged: in claim mode');
SELECT unalike(said(identify('conversations', 'p', email => 'q@example.org', ext_id => 'r', verified => true)), 'merged%',
    '[3.10] verified');
SELECT unalike(said(identify('push', 's', email => 'p@example.org', phone => '+12065550151', whatsapp => '+12065550152')), 'merged%',
    '[3.10] in login mode, where values move');
SELECT unalike(said(identify('conversations', 'p', email => 'q@example.org', contact_id => id('s'))), 'merged%',
    '[3.10] with contact_id');
SELECT throws_ok($$ SELECT identify('api', email => 'p@example.org', ext_id => 'r') $$, '23505', NULL,
    '[3.10] by a source that refuses');
SELECT is((SELECT array_agg(resolve(id(n)) = id(n)) FROM unnest('{p,q,r,s}'::text[]) AS n), '{t,t,t,t}',
    '[3.10] all of them live on');
SELECT is((SELECT array_agg(name_of(merged_id) ORDER BY name_of(merged_id)) FROM merges WHERE account_id = 1),
    '{abe,bobs key,dog,eel,jon,old ann,ole 2,ray 2,xan,zoe}',
    '[3.10] none ended but anonymous ones and those that merge() was called with');

SELECT * FROM finish();
ROLLBACK;
