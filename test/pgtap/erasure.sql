-- RULES 10.6: what stays of a contact that is erased, and what does not.
BEGIN;
\ir words.psql
\ir counts.psql
SELECT plan(92);

-- All rows of all tables as text, each with its table's name.
CREATE FUNCTION pg_temp.dump() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    tab regclass;
BEGIN
    FOR tab IN SELECT oid FROM pg_catalog.pg_class
               WHERE relnamespace = 'contact_identity'::regnamespace AND relkind = 'r' ORDER BY relname
    LOOP
        RETURN QUERY EXECUTE format('SELECT %L || '' '' || t::text FROM %s t', tab, tab);
    END LOOP;
END $$;
CREATE FUNCTION pg_temp.says(what text) RETURNS SETOF text LANGUAGE sql AS
$$ SELECT line FROM pg_temp.dump() AS line WHERE strpos(lower(line), lower(what)) > 0 ORDER BY line $$;

-- Somebody with a past: merged by the visitor and by an agent, with conflicts,
-- values that were replaced, moved out and moved in.
CALL given('ann', identify('push', 'annpush1', email => 'Ann.Old@Example.org', attributes => '{"name": "Annabella", "size": 42}', occurred_at => day(1)));
CALL done(identify('push', 'annpush1', email => 'ann.new@example.org', contact_id => id('ann'), occurred_at => day(2)));
CALL given('chat', capture('conversations', 'annchat1', attributes => '{"note": "Likes quinces"}'));
CALL done(identify('conversations', 'annchat1', email => 'ann.new@example.org', attributes => '{"name": "Anabelle"}'));
CALL given('lily', identify('shop', email => 'ann.lily@example.org', ext_id => 'annext77', phone => '+442071234567'));
CALL done(merge(id('ann'), id('lily'), 'Eve'));
CALL done(identify('conversations', 'annchat1', phone => '+44 20 7123 9999'));
CALL done(block(id('ann'), 'email'));
CALL given('bob', identify('shop', email => 'bob@example.org', ext_id => 'bobext', attributes => '{"name": "Robert"}'));
-- Bob's: a phone that was hers, a value of hers given about him.
CALL done(identify('shop', ext_id => 'bobext', phone => '+442071234567'));
CALL given('tom', identify('conversations', 'tomchat', email => 'tom@example.org'));
CALL done(identify('conversations', 'tomchat', email => 'ann.lily@example.org'));
CALL done(identify('conversations', 'tomchat', ext_id => 'annext77'));
-- Hers: a landline that was bob's.
CALL done(identify('shop', ext_id => 'bobext', landline => '+442079990000'));
CALL done(identify('shop', email => 'ann.new@example.org', landline => '+442079990000'));
SELECT is((SELECT contact_id FROM identifiers WHERE value = '+442079990000'), id('ann'), 'the landline has moved to ann');
SELECT is((SELECT contact_id FROM identifiers WHERE value = '+442071234567'), id('bob'), 'her phone to bob');
SELECT isnt_empty($$SELECT FROM event WHERE contact_id = id('bob') AND found_value = 'ann.new@example.org'$$,
    'a row of bob''s history has the address by which ann was found');
INSERT INTO inbox (source, key, email, attributes) VALUES
    ('nowhere', NULL, ' ANN.NEW@example.org ', NULL),
    ('nowhere', 'annpush1', NULL, NULL),
    ('nowhere', NULL, NULL, '{"mail": "ann.old@example.org"}'),
    ('nowhere', NULL, NULL, '{"text": "please call Ann.Old@example.org back"}'),
    ('nowhere', NULL, 'bob@example.org', NULL),
    ('nowhere', NULL, 'tom@example.org', '{"size": 42, "name": "Annabella"}');
INSERT INTO inbox (source, contact_id, email) VALUES ('nowhere', id('ann'), 'x@example.org');
INSERT INTO jobs (account_id, query, state, started_at, updated_at, last_error)
VALUES (1, 'SELECT 1 AS request_id, ''Ann.New@example.org'' AS email', 'failed', now(), now(), '22023: no "ann.new@example.org"'),
       (1, 'SELECT 1 AS request_id, ''bob@example.org'' AS email', 'done', now(), now(), NULL);
SELECT set_config('t.lines', string_agg(line, chr(10)), true) AS lines FROM pg_temp.dump() AS line \gset
SELECT home_total AS home FROM contact_counts WHERE account_id = 1 \gset
SELECT is_empty('SELECT * FROM check_integrity()', 'all is well before');

------------------------------------------------------------------------- erased
SELECT is(erase(id('lily')), true, '[10.6] [6.3] erase says that it erased; an ended contact stands for its survivor');
SELECT is((SELECT string_agg(state, ' ') FROM contact WHERE contact_id IN (id('ann'), id('chat'), id('lily'))), 'erased erased erased',
    '[10.6] the contact and all that was merged into it');
SELECT is_empty(format('SELECT * FROM pg_temp.says(%L)', value), '[10.6] nothing has ' || value)
FROM unnest('{ann.old@example.org,ann.new@example.org,annpush1,annchat1,quinces,Anabelle,+442071239999,7123 9999}'::text[]) AS value;
SELECT is((SELECT count(*)::int FROM pg_temp.says('Annabella')), 1,
    '[10.6] an attribute is gone; what somebody else''s rejected request gives is his');
SELECT is_empty($$SELECT * FROM event WHERE contact_id IN (id('ann'), id('chat'), id('lily'))
    AND (found_value IS NOT NULL OR detail IS NOT NULL OR (field_type <> 'contact' AND (old_value IS NOT NULL OR new_value IS NOT NULL)))$$,
    '[10.6] her history has no value, found, old or new');
SELECT isnt_empty($$SELECT * FROM history WHERE contact_id = id('ann') AND event = 'replaced' AND field = 'email' AND occurred_at = day(2)$$,
    '[10.6] numbers, times and names of events stay');
SELECT is((SELECT string_agg(DISTINCT detail::text, ',') FROM contact_identity.merge WHERE survivor_id = id('ann')), '{}',
    '[10.6] nor have the records of merges');
SELECT is_empty($$SELECT * FROM conflict WHERE contact_id IN (id('ann'), id('chat'), id('lily'))$$, '[5.7] her conflicts are gone');
SELECT is_empty($$SELECT FROM list_member WHERE contact_id IN (id('ann'), id('chat'), id('lily'))$$, '[10.6] her lists');
SELECT is_empty($$SELECT FROM block WHERE contact_id IN (id('ann'), id('chat'), id('lily'))$$, '[10.6] and blocks');
SELECT is(resolve(id('chat')), NULL, '[10.6] no number leads anywhere');
SELECT throws_ok(format('SELECT erase(%s)', id('ann')), 'P0002', format('contact %s does not exist', id('ann')), '[10.6] she is erased once');
SELECT throws_ok('SELECT erase(0)', 'P0002', 'contact 0 does not exist', '[10.6] nobody to erase');
SELECT throws_ok('SELECT erase(NULL)', '22023', 'contact_id must be given', '[10.6] NULL as contact');
SELECT throws_ok(format('SELECT erase(%s, actor => %L)', id('bob'), repeat('x', 256)), '22023',
    'name of the agent must be at most 255 octets long', '[10.6] an actor that is too long');
SELECT is((SELECT home_total::int FROM contact_counts WHERE account_id = 1), :home - 1, '[2.6] she does not count');
SELECT is(count_error(), 'none', '[2.4] and the counts are those of the rows');

------------------------------------------------------------------ what is others'
SELECT is(conflicts_of('tom'), 'email ann.lily@example.org, ext_id annext77',
    '[10.6] what was given about another stays his, and is nobody''s');
SELECT is(holds('bob'), 'email bob@example.org, ext_id bobext, phone +442071234567', '[10.6] bob keeps what moved to him');
SELECT isnt_empty($$SELECT FROM event WHERE contact_id = id('bob') AND event = 'moved_out' AND old_value = '"+442079990000"'$$,
    '[10.6] and his history what was his');
SELECT results_eq($$SELECT coalesce(request ->> 'email', request::text) FROM rejected ORDER BY rejected_id$$,
    $$VALUES ('{}'), ('{}'), ('{}'), ('{}'), ('bob@example.org'), ('tom@example.org'), ('{}') $$,
    '[10.6] rejected requests that give an erased value, however spelt, are emptied, and no others');
SELECT results_eq('SELECT query, last_error FROM jobs ORDER BY job',
    $$VALUES ('', '22023'), ('SELECT 1 AS request_id, ''bob@example.org'' AS email', NULL) $$,
    '[10.6] and queries that have one in their text');
SELECT is_empty($$SELECT * FROM check_integrity()$$, '[9] nothing breaks the rules');
-- Lines that were there and are not, of others than her.
SELECT is_empty($$
    SELECT * FROM (SELECT unnest(string_to_array(current_setting('t.lines'), chr(10))) EXCEPT ALL SELECT pg_temp.dump()) AS gone (line)
    WHERE line !~ '^(contact|event|identifier|conflict|merge|list_member|block|rejected|jobs|contact_count) '$$,
    '[10.6] no other table has changed');
SELECT is_empty($$
    SELECT * FROM (SELECT unnest(string_to_array(current_setting('t.lines'), chr(10))) EXCEPT ALL SELECT pg_temp.dump()) AS gone (line)
    WHERE line LIKE 'identifier %' AND line !~ format(',(%s|%s|%s),[tf],', id('ann'), id('chat'), id('lily'))
       OR line LIKE 'contact (%' AND line !~ format('^contact .1,(%s|%s|%s),', id('ann'), id('chat'), id('lily'))
       OR line LIKE 'event %' AND line !~ format('^event .1,[0-9]+,(%s|%s|%s),', id('ann'), id('chat'), id('lily'))
          AND line !~ 'ann.new@example.org'$$,
    '[10.6] and nothing of others is lost but the address that found her');

------------------------------------------------------------------- not to come back
SELECT is((SELECT count(*)::int FROM suppressed), 0, '[10.6] without suppress nothing is kept');
SELECT is(said(identify('shop', email => 'ann.new@example.org'), 'ann2'), 'created ann2', '[1.8] and who comes back is somebody new');
CALL done(identify('push', 'annpush2', email => 'ann.new@example.org'));
CALL done(unsubscribe('push', 'annpush2'));
CALL done(logout('push', 'annpush2'));
CALL done(identify('push', 'annpush3', email => 'ann.new@example.org'));
SELECT is(erase(id('ann2'), suppress => true, actor => 'Eve'), true, '[10.6] erased and suppressed');
SELECT is((SELECT string_agg(format('%s %s', kind, length(hash)), ', ' ORDER BY kind) FROM suppressed), 'email 32, push 32, push 32',
    '[10.6] each identifier and key leaves a hash');
SELECT is_empty(format('SELECT * FROM pg_temp.says(%L)', value), '[10.6] and nothing has ' || value)
FROM unnest('{ann.new@example.org,annpush2,annpush3}'::text[]) AS value;
CALL done(set_config('t.versions', versions(), true));
SELECT throws_ok(call, '22023', what || ' was erased and is not to be stored again', '[10.6] refused: ' || call)
FROM (VALUES ($$SELECT identify('shop', email => ' ANN.new@example.org')$$, 'email'),
             ($$SELECT identify('conversations', 'newchat', phone => '+442071230000', email => 'ann.new@example.org')$$, 'email'),
             ($$SELECT capture('push', 'annpush2')$$, 'push'), ($$SELECT subscribe('push', 'annpush3')$$, 'push'),
             ($$SELECT logout('push', 'annpush3')$$, 'push'),
             ($$INSERT INTO contacts (email) VALUES ('ann.new@example.org')$$, 'email'),
             ($$UPDATE contacts SET email = 'ann.new@example.org' WHERE email = 'bob@example.org'$$, 'email')) AS calls (call, what);
SELECT is(versions(), current_setting('t.versions'), '[10.6] and no row of any table is written');
SELECT results_eq($$SELECT outcome, error FROM identify_batch('[{"source": "shop", "email": "ann.new@example.org", "attributes": {"name": "Zoe"}},
    {"source": "shop", "email": "carl@example.org"}]')$$,
    $$VALUES (NULL, '22023: email was erased and is not to be stored again'), ('created', NULL) $$, '[10.6] in a batch it is an error of its request');
INSERT INTO inbox (source, email, attributes) VALUES ('shop', 'ann.new@example.org', '{"name": "Zoe"}');
SELECT is((SELECT format('%s %s', code, request) FROM rejected ORDER BY rejected_id DESC LIMIT 1), '22023 {}',
    '[10.6] given in bulk it is recorded without what it gave');
SET LOCAL client_min_messages = error;
CREATE TABLE public.orders (id serial PRIMARY KEY, mail text, name text);
CALL done(attach('public.orders', 'shop', email => 'mail', attributes => '{name}'));
INSERT INTO public.orders (mail, name) VALUES ('Ann.New@example.org', 'Zoe');
SELECT is_empty($$SELECT * FROM pg_temp.says('ann.new@example.org') UNION ALL SELECT * FROM pg_temp.says('Zoe')$$,
    '[10.6] by whichever way it comes, nothing of it is stored');
SELECT is(said(identify('shop', email => 'dora@example.org'), 'dora'), 'created dora', '[10.6] others are not refused');
SELECT create_account(2, 'second') \gset
SELECT is((identify('shop', email => 'ann.new@example.org', account_id => 2)).outcome, 'created', '[0] nor in another account');
DELETE FROM suppressed;
SELECT is(said(identify('shop', email => 'ann.new@example.org'), 'ann3'), 'created ann3', '[10.6] until the hashes are deleted');

------------------------------------------------- merged by mistake, and told apart
-- What the merge had brought to the survivor goes with the one that it was of.
CALL given('uma', identify('shop', ext_id => 'umaext', attributes => '{"town": "Umatown", "size": "middling"}'));
CALL given('vic', identify('conversations', 'vicchat1', ext_id => 'vicext77', email => 'vic@example.org', phone => '+442071235555',
    attributes => '{"town": "Victown7", "size": "immense7", "pet": "a heron named Vic"}'));
CALL done(merge(id('uma'), id('vic'), 'Eve'));
CALL done(identify('conversations', 'vicchat1', whatsapp => '+442071236666', attributes => '{"hat": "bowler77"}'));
CALL done(identify('conversations', 'vicchat1', attributes => '{"cane": "bamboo77"}'));
CALL done(identify('push', 'vicpush77', ext_id => 'vicext77', attributes => '{"cane": "rattan77"}'));
CALL done(identify('push', 'vicpush77', ext_id => 'vicext77', attributes => '{"cane": "ebony777"}'));
CALL done(identify('shop', ext_id => 'umaext', attributes => '{"shoe": "brogue77"}'));
CALL done(dismiss(open_conflict('uma', 'town'), 'Eve'));
CALL done(promote(open_conflict('uma', 'size'), 'Eve', true));
CALL done(unmerge(id('vic'), 'Eve'));
CALL done(identify('conversations', 'vicchat1', attributes => '{"pet": "another heron"}'));
SELECT isnt_empty(format('SELECT * FROM pg_temp.says(%L)', value), 'there is ' || value)
FROM unnest('{vic@example.org,a heron,bowler77}'::text[]) AS value;
CREATE TEMP TABLE uma AS SELECT to_jsonb(a) - 'updated_at' AS row FROM all_contacts AS a WHERE contact_id = id('uma');
SELECT is(erase(id('vic')), true, '[10.6] the one of an undone merge is erased');
SELECT is_empty(format('SELECT * FROM pg_temp.says(%L)', value), '[10.6] nothing has ' || value)
FROM unnest('{vicchat1,vicext77,vic@example.org,+442071235555,+442071236666,Victown7,heron,bowler77,vicpush77,bamboo77,rattan77,ebony777}'::text[]) AS value;
SELECT bag_eq($$SELECT to_jsonb(a) - 'updated_at' FROM all_contacts AS a WHERE contact_id = id('uma')$$, 'SELECT row FROM uma',
    '[10.6] the other is what she was');
SELECT isnt_empty(format('SELECT * FROM event WHERE contact_id = id(%L) AND new_value = %L', 'uma', value), '[10.6] and what was said of uma herself is there: ' || value::text)
FROM (VALUES ('"brogue77"'::jsonb), ('"immense7"')) AS v (value);
SELECT is_empty('SELECT * FROM check_integrity()', '[9] nothing breaks the rules');
SELECT is((contact_as_of(id('uma'), clock_timestamp())).ext_id, 'umaext', '[10.5] her past can be asked for');

-- A merge around another: what went through a third contact is the first one's.
CALL given('xia', identify('shop', ext_id => 'xiaext'));
CALL given('yan', identify('shop', ext_id => 'yanext77', email => 'yan@example.org'));
CALL given('zoe', identify('shop', ext_id => 'zoeext'));
CALL done(merge(id('xia'), id('yan'), 'Eve'));
CALL done(merge(id('zoe'), id('xia'), 'Eve'));
CALL done(unmerge(id('xia'), 'Eve'));
CALL done(unmerge(id('yan'), 'Eve'));
CALL done(erase(id('yan')));
SELECT is_empty(format('SELECT * FROM pg_temp.says(%L)', value), '[10.6] nothing has ' || value)
FROM unnest('{yanext77,yan@example.org}'::text[]) AS value;
SELECT is(holds('xia') || ', ' || holds('zoe'), 'ext_id xiaext, ext_id zoeext', '[10.6] nobody else has lost anything');

-------------------------------------------------- attributes in rejected requests
SET LOCAL client_min_messages = error;
CALL given('kim', identify('shop', ext_id => 'kimext', attributes => '{"name": "Kimberly", "pet": {"kind": "an old capybara"}, "vip": true, "pin": 4711, "club": "Chess Club", "team": "Rowing Team"}'));
CALL done(identify('shop', ext_id => 'bobext', attributes => '{"pin": 4712}'));
INSERT INTO inbox (source, email, attributes) VALUES
    ('nowhere', 'bad', '{"name": "Kimberly"}'),
    ('nowhere', 'bad', '{"pin": 4711.0}'),
    ('nowhere', 'bad', '{"hat": "the hat of an old capybara"}'),
    ('nowhere', 'bad', '{"note": "for Kimberly'),
    ('nowhere', 'bad', '{"pin": 4712, "vip": true}'),
    ('nowhere', 'bad', '{"other": 4711}'),
    ('nowhere', ' BOB@example.org', '{"name": "Kimberly"}'),
    ('nowhere', 'someone@example.org', '{"club": "Chess Club"}'),
    ('nowhere', 'another@example.org', '{"club": "Chess Club"}'),
    ('nowhere', 'mistyped@example.org', '{"team": "Rowing Team"}'),
    ('nowhere', ' Mistyped@example.org', '{"team": "Rowing Team"}');
INSERT INTO jobs (account_id, query, state, started_at, updated_at)
VALUES (1, 'SELECT 1 AS request_id, ''kit'' AS ext_id, ''{"name": "Kimberly"}''::jsonb AS attributes', 'done', now(), now());
SELECT max(rejected_id) AS last FROM rejected \gset
CALL done(erase(id('kim')));
SELECT results_eq(format('SELECT request = %L FROM rejected WHERE rejected_id > %s - 11 ORDER BY rejected_id', '{}', :last),
    'VALUES (true), (true), (true), (true), (false), (false), (false), (false), (false), (true), (true)',
    '[10.6] requests that give an attribute of hers are emptied; not what others have too, or what is said of others');
SELECT results_eq('SELECT query FROM jobs ORDER BY job DESC LIMIT 1', $$VALUES ('')$$, '[10.6] and queries with one');


------------------------------------------- suppressed, and given about another before
CALL given('pia', identify('shop', ext_id => 'piaext', phone => '+442071237777'));
CALL given('quy', identify('conversations', 'quychat', email => 'quy@example.org'));
CALL done(identify('conversations', 'quychat', phone => '+442071237777'));
CALL done(erase(id('pia'), suppress => true));
SELECT throws_ok($$SELECT identify('conversations', 'quychat', phone => '+442071237777')$$, '22023',
    'phone was erased and is not to be stored again', '[10.6] a suppressed value is refused from whomever');
SELECT is(promote(open_conflict('quy', 'phone'), 'Eve', true), true, '[10.6] what was given about another is that contact''s: it can be promoted');
SELECT is(holds('quy'), 'email quy@example.org, phone +442071237777, visitor quychat', '[10.6] and is stored');
SELECT is(said(identify('conversations', 'quychat', phone => '+442071237777'), 'quy'), 'unchanged quy',
    '[10.6] who holds it gives it as any other value');
CALL done(identify('push', 'quypush', email => 'quy@example.org', phone => '+442071238888'));
SELECT throws_ok($$SELECT identify('conversations', 'quychat', phone => '+442071237777')$$, '22023',
    'phone was erased and is not to be stored again', '[10.6] until he does not any more');
SELECT is_empty('SELECT * FROM check_integrity()', '[9] nothing breaks the rules');

-- Deleted from the listing.
DELETE FROM contacts WHERE email = 'ann.new@example.org';
SELECT is((SELECT state::text COLLATE "default" FROM contact WHERE contact_id = id('ann3')), 'erased', '[10.6] what is deleted from the view is erased');
SELECT is_empty('SELECT * FROM check_integrity()', '[9] nothing breaks the rules');
SELECT is(count_error(), 'none', '[2.4] and the counts are those of the rows');
SELECT * FROM finish();
ROLLBACK;
