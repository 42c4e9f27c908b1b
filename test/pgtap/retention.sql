-- RULES 10.7 and 10.9: anonymous contacts that nobody has seen for long, and old
-- history.
BEGIN;
\ir words.psql
\ir counts.psql
SELECT plan(74);

CREATE TABLE public.orders (id serial PRIMARY KEY, account_id integer DEFAULT 1, contact_id bigint,
    FOREIGN KEY (account_id, contact_id) REFERENCES contact_identity.contact (account_id, contact_id));
CREATE TABLE public.visits (id serial PRIMARY KEY, contact_id bigint);
CALL done(follow('public.visits', 'contact_id'));
CREATE PROCEDURE pg_temp.age(VARIADIC who text[]) LANGUAGE sql AS
$$ UPDATE contact SET last_seen_at = now() - interval '2 years' WHERE contact_id IN (SELECT id(w) FROM unnest(who) w) $$;

CALL given('old', capture('push', 'oldpush', attributes => '{"name": "Zoe"}'));
CALL given('oldchat', capture('conversations', 'oldchat'));
CALL given('young', capture('push', 'youngpush'));
CALL given('ann', identify('push', 'annpush', email => 'ann@example.org'));
CALL given('ordered', capture('push', 'orderpush'));
CALL given('visited', capture('push', 'visitpush'));
CALL given('into', capture('push', 'intopush'));
CALL given('ended', capture('push', 'endedpush'));
CALL done(merge(id('into'), id('ended'), 'Eve'));
CALL given('kept', capture('push', 'keptpush'));
CALL given('named', capture('push', 'namedpush'));
CALL done(merge(id('kept'), id('named'), 'Eve'));
CALL given('out', capture('push', 'outpush'));
CALL done(unsubscribe('push', 'outpush'));
CALL done(logout('push', 'outpush'));
INSERT INTO public.orders (contact_id) VALUES (id('ordered')), (id('named'));
INSERT INTO public.visits (contact_id) VALUES (id('visited'));
CALL pg_temp.age('old', 'oldchat', 'ann', 'ordered', 'visited', 'into', 'kept', 'out');
SELECT anonymous_push AS push, anonymous_conversations AS chats, home_total AS home FROM contact_counts WHERE account_id = 1 \gset

SELECT throws_ok('CALL purge_anonymous(NULL)', '22023', 'older_than must be given', '[10.7] no age');
SELECT throws_ok('CALL purge_anonymous(''-1 day'')', '22023', 'older_than must not be negative', '[10.7] an age in the future');
SELECT throws_ok('CALL purge_anonymous(''178000000 years'')', '22023', 'older_than must be at most 1000 years', '[10.7] an age before all times');
SELECT throws_ok('CALL purge_anonymous(''1 year'', 0)', '22023', 'batch_size must be from 1 to 100000', '[10.7] a batch of nobody');
SELECT throws_ok('CALL purge_anonymous(''1 year'', account_id => 99)', '22023', 'account 99 does not exist', '[0] no such account');
CALL purge_anonymous('3 years');
SELECT is((SELECT home_total::int FROM contact_counts WHERE account_id = 1), :home, '[10.7] nobody is that old');
CALL purge_anonymous('1 year', 2) \gset
SELECT is(:purged, 4, '[10.7] says how many it has purged');
SELECT is((SELECT string_agg(name, ' ' ORDER BY name) FROM person p WHERE NOT EXISTS (SELECT FROM contact c WHERE c.contact_id = p.contact_id)),
    'ended into old oldchat out', '[10.7] who was not seen since, and what had been merged into one');
SELECT is((SELECT string_agg(name, ' ' ORDER BY name) FROM person p JOIN contact c USING (contact_id)),
    'ann kept named ordered visited young', '[10.7] not identified ones, nor those that a foreign key or a followed column names');
SELECT is((SELECT format('%s %s %s', anonymous_push - :push, anonymous_conversations - :chats, home_total - :home)
           FROM contact_counts WHERE account_id = 1), '-3 -1 -4', '[10.7] counts fall by that number');
SELECT is(count_error(), 'none', '[2.4] and are those of the rows');
SELECT is_empty($$SELECT FROM event WHERE contact_id IN (SELECT id(n) FROM unnest('{ended,into,old,oldchat,out}'::text[]) n)$$,
    '[10.7] their history is gone');
SELECT is_empty($$SELECT FROM identifier WHERE value IN ('oldpush', 'oldchat', 'intopush', 'endedpush', 'outpush')$$, '[10.7] and their keys, detached ones too');
SELECT is_empty($$SELECT FROM contact_identity.merge WHERE merged_id = id('ended')$$, '[10.7] and their merges');
SELECT is(resolve(id('old')), NULL, '[6.3] their numbers lead nowhere');
SELECT throws_ok(format('SELECT block(%s, ''push'')', id('old')), 'P0002', format('contact %s does not exist', id('old')), '[10.7] nor do they exist');
SELECT ok(capture('push', 'oldpush') NOT IN (SELECT contact_id FROM person), '[1.8] a key that comes back is a contact with a new id');
CALL purge_anonymous('1 year') \gset
SELECT is(:purged, 0, '[10.7] nobody is left to purge');
DELETE FROM public.orders;
DELETE FROM public.visits;
CALL purge_anonymous('1 year') \gset
SELECT is(:purged, 3, '[10.7] until nothing names them any more');
SELECT is(count_error(), 'none', '[2.4] the counts are those of the rows');
SELECT is_empty('SELECT * FROM check_integrity()', '[9] nothing breaks the rules');
-- A remembered opt-out goes with whom had the key since.
CALL given('opt', identify('push', 'opt push', email => 'opt@example.org'));
CALL done(unsubscribe('push', 'opt push'));
CALL done(logout('push', 'opt push'));
CALL given('opt2', capture('push', 'opt push'));
UPDATE contact SET last_seen_at = last_seen_at - interval '2 years' WHERE contact_id = id('opt2');
SELECT lives_ok($$CALL purge_anonymous('1 year')$$, '[10.7] purged');
SELECT is(resolve(id('opt2')), NULL, '[10.7] also one with a key that is opted out');
SELECT is_empty('SELECT * FROM check_integrity()', '[9.4] and check_integrity() knows that nothing is known of it any more');

-- RULES 10.9: what history need not tell any more.
SELECT throws_ok('CALL purge_history(NULL)', '22023', 'older_than must be given', '[10.9] no age');
SELECT throws_ok('CALL purge_history(''-1 day'')', '22023', 'older_than must not be negative', '[10.9] an age in the future');
SELECT throws_ok('CALL purge_history(''178000000 years'')', '22023', 'older_than must be at most 1000 years', '[10.9] an age before all times');
SELECT throws_ok('CALL purge_history(''1 year'', 0)', '22023', 'batch_size must be from 1 to 100000', '[10.9] a batch of nobody');
SELECT throws_ok('CALL purge_history(''1 year'', account_id => 99)', '22023', 'account 99 does not exist', '[0] no such account');

-- Everything until now happens that much earlier.
CREATE PROCEDURE pg_temp.pass(span interval) LANGUAGE sql AS $$
    UPDATE event SET written_at = written_at - span;
    UPDATE contact_identity.merge SET merged_at = merged_at - span;
$$;
-- What history tells of a contact, for a field or an event.
CREATE FUNCTION pg_temp.told(who text, about text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(concat_ws(' ', event, old_value #>> '{}', '>', new_value #>> '{}'), ', ' ORDER BY event_id)
    FROM event WHERE contact_id = id(who) AND about IN (field, event)
$$;
CREATE FUNCTION pg_temp.then_of(who text, at timestamptz) RETURNS text LANGUAGE sql AS
$$ SELECT (contact_as_of(id(who), at))::text $$;

SELECT create_account(7, 'another') \gset
SELECT set_config('contact_identity.account_id', '7', true) \g /dev/null
CALL given('other', identify('shop', ext_id => 'u', attributes => '{"city": "Bern"}'));
CALL done(identify('shop', ext_id => 'u', attributes => '{"city": "Bonn"}'));
SELECT set_config('contact_identity.account_id', '1', true) \g /dev/null
CALL given('eva', identify('shop', ext_id => 'e', email => 'eva1@example.org', attributes => '{"city": "Bern", "age": 1}'));
CALL done(identify('shop', ext_id => 'e', email => 'eva2@example.org', attributes => '{"city": "Bonn"}'));
CALL done(identify('shop', ext_id => 'e', email => 'eva1@example.org', attributes => '{"city": "Ulm"}'));
CALL done(block(id('eva'), 'email'));
CALL done(unblock(id('eva'), 'email'));
CALL done(block(id('eva'), 'email'));
CALL done(add_to_list(id('eva'), 'Contacts active in Conversations'));
CALL done(remove_from_list(id('eva'), 'Contacts active in Conversations'));
CALL done(identify('push', 'evapush 1', ext_id => 'e'));
CALL done(identify('push', 'evapush 2', ext_id => 'e'));
CALL done(unsubscribe('push', 'evapush 1'));
CALL done(subscribe('push', 'evapush 1'));
CALL done(unsubscribe('push', 'evapush 2'));
CALL done(logout('push', 'evapush 2'));
CALL done(identify('conversations', 'evachat', email => 'eva1@example.org'));
CALL done(identify('conversations', 'evachat', email => 'eva3@example.org'));
SELECT dismiss(conflict_id, 'Eve') FROM conflicts WHERE contact_id = id('eva') AND status = 'open' \g /dev/null
CALL given('wim', identify('shop', ext_id => 'w', phone => '+31612345678'));
CALL given('wim1', capture('push', 'wimpush'));
INSERT INTO public.visits (contact_id) VALUES (id('wim1'));
CALL done(identify('push', 'wimpush', ext_id => 'w', attributes => '{"city": "Delft"}'));
CALL pg_temp.pass('1 year');
CALL done(identify('shop', ext_id => 'e', attributes => '{"city": "Jena"}'));
CALL done(identify('shop', ext_id => 'e', phone => '+31612345678'));
CALL given('wim2', identify('shop', email => 'wim2@example.org', attributes => '{"city": "Gouda"}'));
INSERT INTO public.visits (contact_id) VALUES (id('wim2'));
CALL done(merge(id('wim'), id('wim2'), 'Eve'));
CALL done(identify('shop', ext_id => 'w', attributes => '{"city": "Breda"}'));
CALL done(identify('shop', ext_id => 'w', attributes => '{"city": "Venlo"}'));
CALL pg_temp.pass('60 days');
CALL done(identify('shop', ext_id => 'e', attributes => '{"city": "Kiel"}'));
SELECT count(*) AS events FROM event \gset
SELECT now() - interval '1 year' AS horizon \gset
SELECT array_agg(pg_temp.then_of(w, t) ORDER BY w, t) AS past FROM unnest('{eva,wim,wim1,wim2}'::text[]) w,
    unnest(ARRAY[:'horizon', now() - interval '90 days', now() - interval '1 day', now()]::timestamptz[]) t \gset

-- A year: wim1's merge and what was before it are older.
CALL purge_history('1 year', 2) \gset
SELECT is(:events - (SELECT count(*) FROM event), :purged::bigint, '[10.9] says how many rows it has purged');
SELECT is(pg_temp.told('eva', 'city'), 'set Bonn > Ulm, set Ulm > Jena, set Jena > Kiel', '[10.9] the newest row before that of an attribute stays, and those since');
SELECT is(pg_temp.told('eva', 'age'), 'set > 1', '[10.9] the only row stays');
SELECT is(pg_temp.told('eva', 'email'), 'replaced eva2@example.org > eva1@example.org, blocked false > true, conflict_dismissed > eva3@example.org',
    '[10.9] the newest row of an identifier stays, of a block and of a conflict');
SELECT is(pg_temp.told('eva', 'push'), 'opted_in evapush 1 > evapush 1, detached evapush 2 >', '[10.9] of each key, with its opt-out');
SELECT ok(NOT opted_in AND parked, '[1.7] which outlives it') FROM identifier WHERE value = 'evapush 2' AND account_id = 1;
SELECT ok(pg_temp.told('eva', 'blocked') = 'blocked false > true' AND pg_temp.told('eva', 'unblocked') IS NULL, '[10.9] the newest row of a block stays');
SELECT is(pg_temp.told('eva', 'list_removed'), 'list_removed true > false', '[10.9] and of a list');
SELECT is(pg_temp.told('eva', 'list_added'), NULL, '[10.9] the ones before it are gone');
SELECT is(pg_temp.told('wim', 'absorbed'), format('absorbed > %s, absorbed > %s', id('wim1'), id('wim2')), '[10.9] what ended in a contact stays known');
SELECT is((SELECT count(*)::int FROM event WHERE account_id = 7 AND field = 'city'), 2, '[0] another account is left alone');
SELECT ok((SELECT history_from BETWEEN :'horizon' AND clock_timestamp() - interval '1 year' FROM account WHERE account_id = 1), '[10.9] it is noted from when on history is whole');
SELECT is((SELECT history_from FROM account WHERE account_id = 7), NULL, '[10.9] for the account');
SELECT is(count_error(), 'none', '[2.4] counts are those of the rows');
SELECT is_empty('SELECT * FROM check_integrity()', '[9.4] what stays says what is there');

-- The past.
UPDATE account SET history_from = :'horizon' WHERE account_id = 1;
SELECT is(array_agg(pg_temp.then_of(w, t) ORDER BY w, t), :'past'::text[], '[10.5] later times have the answers that they had')
FROM unnest('{eva,wim,wim1,wim2}'::text[]) w,
    unnest(ARRAY[:'horizon', now() - interval '90 days', now() - interval '1 day', now()]::timestamptz[]) t;
SELECT is(owner_as_of('phone', '+31612345678', :'horizon'), id('wim'), '[10.5] so has a value that changed hands since');
SELECT is(owner_as_of('phone', '+31612345678', now() - interval '1 day'), id('eva'), '[10.5] before and after');
SELECT is((refusal(format($$ SELECT contact_as_of(%s, %L::timestamptz - interval '1 second') $$, id('eva'), :'horizon'))).code, '55000', '[10.9] contact_as_of of an earlier time');
SELECT is((refusal(format($$ SELECT owner_as_of('email', 'eva1@example.org', %L::timestamptz - interval '1 second') $$, :'horizon'))).code, '55000', '[10.9] owner_as_of');
SELECT is((SELECT count(*)::int FROM timeline(id('eva')) WHERE what ~ '^History before .* was purged in part\.$'), 1, '[10.9] a story says from when on it is whole');
SELECT is((SELECT what ~ '^History before' FROM timeline(id('eva')) LIMIT 1), true, '[10.9] at its beginning');
CALL given('new', capture('push', 'newpush'));
SELECT is_empty($$ SELECT FROM timeline(id('new')) WHERE what ~ '^History' $$, '[10.9] which that of a later contact does not');
SELECT is((SELECT count(*)::int FROM event WHERE contact_id = id('new')), 2, '[10.9] whose rows are all there');

-- Merges.
SELECT is((SELECT detail FROM contact_identity.merge WHERE merged_id = id('wim1')), '{}', '[10.9] an old merge keeps its row and nothing of what it took');
SELECT is(resolve(id('wim1')), id('wim'), '[6.3] who ended in it still has a survivor');
SELECT is(count(*)::int, 1, '[10.8] rows that it re-pointed are not remembered, those of a younger one are') FROM followed_row;
CALL purge_history('0') \g /dev/null
SELECT is(pg_temp.told('eva', 'city'), 'set Jena > Kiel', '[10.9] younger than unmerge_for: history goes');
SELECT is(pg_temp.told('wim', 'city'), 'conflict_opened > Gouda, set Delft > Breda, set Breda > Venlo', '[10.9] but not what undoing a younger merge needs');
SELECT is((said(unmerge(id('wim2'), 'Eve'))), 'updated wim2', '[10.9] which can be undone');
SELECT is((SELECT concat_ws(' ', email, attributes ->> 'city') FROM contacts WHERE contact_id = id('wim2')), 'wim2@example.org Gouda', '[10.3] and gives back everything');
SELECT is((SELECT concat_ws(' ', ext_id, email, attributes ->> 'city') FROM contacts WHERE contact_id = id('wim')), 'w Venlo', '[10.3] to both');
SELECT is((SELECT array_agg(name_of(contact_id) ORDER BY id) FROM public.visits), '{wim,wim2}', '[10.8] rows of followed columns, too');
SELECT results_eq($$ SELECT code, message, detail, hint FROM refusal(format('SELECT unmerge(%s, ''Eve'')', id('wim1'))) $$,
    format($$ VALUES ('55000'::text, 'the merge of contact %s cannot be undone now'::text, 'What that needs was purged.'::text,
        'The account''s unmerge_for says how long it is kept.'::text) $$, id('wim1')), '[10.9] an older one cannot be undone any more');
SELECT is_empty('SELECT * FROM check_integrity()', '[9] nothing breaks the rules');

-- How long merges can be undone is the account's to say.
CALL done(merge(id('wim'), id('wim2'), 'Eve'));
UPDATE account SET unmerge_for = '10 days' WHERE account_id = 1;
CALL pg_temp.pass('11 days');
CALL purge_history('12 days') \g /dev/null
SELECT isnt((SELECT max(detail::text) FROM contact_identity.merge WHERE merged_id = id('wim2') AND undone_at IS NULL), '{}', '[10.9] no merge goes that is younger than older_than');
UPDATE account SET unmerge_for = '12 days' WHERE account_id = 1;
CALL purge_history('1 day') \g /dev/null
SELECT isnt((SELECT max(detail::text) FROM contact_identity.merge WHERE merged_id = id('wim2') AND undone_at IS NULL), '{}', '[10.9] nor one younger than unmerge_for');
UPDATE account SET unmerge_for = '10 days' WHERE account_id = 1;
CALL purge_history('1 day') \g /dev/null
SELECT is((SELECT max(detail::text) FROM contact_identity.merge WHERE merged_id = id('wim2') AND undone_at IS NULL), '{}', '[10.9] one that is older than both does');
SELECT history_from AS noted FROM account WHERE account_id = 1 \gset
CALL purge_history('5 years') \gset
SELECT is(:purged, 0, '[10.9] nothing is left that is older');
SELECT is((SELECT history_from FROM account WHERE account_id = 1), :'noted', '[10.9] and that is not taken back');

-- What a contact ever had is still erased with it [10.6].
CALL given('uwe', identify('shop', ext_id => 'uwe', email => 'uwe.a@example.org'));
CALL done(identify('shop', ext_id => 'uwe', email => 'uwe.b@example.org'));
CALL done(identify('shop', ext_id => 'uwe', email => 'uwe.c@example.org'));
INSERT INTO rejected (account_id, job, line, request, code, message, rejected_at)
VALUES (1, 1, 1, '{"email": "Uwe.A@example.org", "phone": "none"}', '22023', 'malformed', now());
CALL pg_temp.pass('1 year');
CALL purge_history('1 day') \g /dev/null
SELECT is(pg_temp.told('uwe', 'added'), 'added > uwe', '[10.9] of each value one row stays');
CALL done(erase(id('uwe')));
SELECT is((SELECT request FROM rejected WHERE job = 1), '{}', '[10.6] so that erase() knows it');
CALL pg_temp.pass('1 year');
CALL purge_history('1 day') \g /dev/null
SELECT is((SELECT state FROM contact_as_of(id('uwe'), 'infinity')), 'erased', '[10.9] history of an erased contact');
SELECT is_empty('SELECT * FROM check_integrity()', '[9] nothing breaks the rules then');
SELECT is(count_error(), 'none', '[2.4] nor do the counts');
SELECT * FROM finish();
ROLLBACK;
