-- RULES 10.7: anonymous contacts that nobody has seen for long.
BEGIN;
\ir words.psql
\ir counts.psql
SELECT plan(24);

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
SELECT * FROM finish();
ROLLBACK;
