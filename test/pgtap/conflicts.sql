-- Conflicts: secondary values beside the primary ones, and who settles them
-- (RULES 5).
BEGIN;
\ir words.psql
\ir counts.psql
SELECT plan(132);

-- A contact's conflicts of a field, oldest first: secondary value and status.
CREATE FUNCTION pg_temp.told(contact bigint, about text) RETURNS text
LANGUAGE sql AS $$
    SELECT coalesce(string_agg(format('%s %s', secondary_value #>> '{}', status), ', ' ORDER BY conflict_id), 'none')
    FROM contact_identity.conflicts WHERE contact_id = contact AND field = about
$$;

------------------------------------------------------------------ 5.1: a row
SELECT contact_id AS ann FROM identify('conversations', 'v1', email => 'ann@example.org', phone => '+12061230001', attributes => '{"size": 1}', via => 'chat') \gset
SELECT contact_id AS owner FROM identify('shop', email => 'owner@example.org', ext_id => 'owner') \gset
SELECT contact_id AS same, conflicts AS cons, outcome AS con_outcome, ignored AS con_ignored
FROM identify('conversations', 'v1', email => 'Second@Example.org', attributes => '{"size": {"feet": 2}}', via => 'contact_form',
              occurred_at => '2020-02-03 04:05:06+00') \gset
SELECT is(:'same', :'ann'::text, '[5.1] a visitor gives other values');
SELECT is(:'con_outcome'::text, 'updated', '[5.1] [4.17] that conflicts are opened is news');
SELECT is(cardinality(:'cons'::bigint[]), 2, '[5.1] [4.17] one for each field, named in the result');
SELECT is(:'con_ignored'::text[], '{}', '[5.1] nothing is ignored');
SELECT is((SELECT string_agg(format('%s|%s|%s|%s|%s|%s|%s|%s|%s|%s|%s|%s|%s', contact_id, field_type, field, primary_value, secondary_value,
                                    owner_contact_id, source, via, key, status, given_at AT TIME ZONE 'UTC', settled_by, settled_at),
                             E'\n' ORDER BY field)
           FROM conflicts WHERE conflict_id = ANY (:'cons'::bigint[])),
    format(E'%s|identifier|email|"ann@example.org"|"second@example.org"||conversations|contact_form|v1|open|2020-02-03 04:05:06||\n'
           '%1$s|attribute|size|1|{"feet": 2}||conversations|contact_form|v1|open|2020-02-03 04:05:06||', :ann),
    '[5.1] a conflict has contact, field, both values, source, via, key, time given and status');
SELECT conflicts[1] AS owned FROM identify('conversations', 'v1', email => 'owner@example.org') \gset
SELECT is((SELECT format('%s %s', secondary_value, owner_contact_id) FROM conflicts WHERE conflict_id = :owned), '"owner@example.org" ' || :owner,
    '[5.1] and the owner, where the value is another contact''s');
SELECT ok((SELECT given_at BETWEEN now() AND clock_timestamp() FROM conflicts WHERE conflict_id = :owned),
    '[5.1] [4.10] without a time of its own it was given now');

-- The primary value shown is the live one.
SELECT outcome FROM identify('shop', email => 'ann.new@example.org', contact_id => :ann) \gset
SELECT is((SELECT primary_value FROM conflicts WHERE conflict_id = :owned), '"ann.new@example.org"',
    '[5.1] the primary value shown is the live one');
SELECT outcome FROM identify('shop', phone => '+12061230001', attributes => '{"size": 9}') \gset
SELECT is((SELECT primary_value FROM conflicts WHERE contact_id = :ann AND field = 'size'), '9',
    '[5.1] of an attribute too');

-- At most one is open for a contact, a field and a key; without key, a source.
SELECT contact_id AS one FROM identify('conversations', 'k1', email => 'one@example.org') \gset
SELECT outcome FROM identify('conversations', 'k2', contact_id => :one) \gset
SELECT conflicts[1] AS c1 FROM identify('conversations', 'k1', email => 'one1@example.org') \gset
SELECT conflicts[1] AS c2 FROM identify('conversations', 'k2', email => 'one1@example.org') \gset
SELECT conflicts[1] AS c3 FROM identify('conversations', contact_id => :one, email => 'one1@example.org') \gset
INSERT INTO source (account_id, source, key_kind, makes, same_value, other_contact, mode)
VALUES (1, 'desk', 'visitor', 'conversations', 'primary_wins', 'conflict', 'claim');
SELECT conflicts[1] AS c4 FROM identify('desk', contact_id => :one, email => 'one1@example.org') \gset
SELECT is(pg_temp.told(:one, 'email'), 'one1@example.org open, one1@example.org open, one1@example.org open, one1@example.org open',
    '[5.1] one conflict for each key, and without key for each source');
SELECT is((SELECT string_agg(format('%s %s', source, key), ', ' ORDER BY conflict_id) FROM conflicts WHERE contact_id = :one),
    'conversations k1, conversations k2, conversations , desk ', '[5.1] as they were given');
SELECT is((identify('desk', 'k1', email => 'one1@example.org')).conflicts, ARRAY[:'c1'::bigint],
    '[5.1] a key is one key, whatever the source');
SELECT is((identify('conversations', contact_id => :one, email => 'one1@example.org')).conflicts, ARRAY[:'c3'::bigint],
    '[5.1] without key the source''s own is met again');
SELECT is((identify('conversations', contact_id => :one, phone => '+12061230031')).conflicts, '{}',
    '[5.1] a field that is free is no conflict');
SELECT is(cardinality((identify('conversations', 'k1', phone => '+12061230032')).conflicts), 1,
    '[5.1] another field of the same key');
SELECT is((SELECT max(n)::int FROM (SELECT count(*) AS n FROM conflicts WHERE status = 'open'
                                    GROUP BY contact_id, field_type, field, key, CASE WHEN key IS NULL THEN source END) AS x), 1,
    '[5.1] nowhere are two open for one contact, field and key');

-- Of a merge.
SELECT contact_id AS stays FROM identify('shop', email => 'stays@example.org', attributes => '{"size": 1}') \gset
SELECT contact_id AS ends FROM identify('shop', email => 'ends@example.org', attributes => '{"size": 2}') \gset
SELECT conflicts AS mcons FROM merge(:stays, :ends, 'Eve') \gset
SELECT is((SELECT string_agg(format('%s %s %s %s %s %s', field, primary_value, secondary_value, owner_contact_id, source, key), ', ' ORDER BY field)
           FROM conflicts WHERE conflict_id = ANY (:'mcons'::bigint[]) AND contact_id = :stays),
    format('email "stays@example.org" "ends@example.org"  merge %s, size 1 2  merge %1$s', :ends),
    '[5.1] [6.4] a merge''s conflicts have source merge and the ended contact''s id as key');

------------------------------------------------------- 5.2: however often given
SELECT contact_id AS ben FROM identify('conversations', 'v2', email => 'ben@example.org', attributes => '{"size": 1}') \gset
SELECT conflicts AS cons FROM identify('conversations', 'v2', email => 'ben2@example.org', attributes => '{"size": 2}') \gset
SELECT versions() AS before \gset
SELECT outcome AS again_outcome, conflicts AS again_cons, ignored AS again_ignored
FROM identify('conversations', 'v2', email => 'ben2@example.org', attributes => '{"size": 2}') \gset
SELECT is(:'again_outcome'::text, 'unchanged', '[5.2] the same secondary again changes nothing');
SELECT is(:'again_cons'::bigint[], :'cons'::bigint[],
    '[5.2] [4.17] the result names the conflicts that it met again');
SELECT is(:'again_ignored'::text[], '{}', '[5.2] nothing is ignored');
SELECT is((identify('conversations', 'v2', email => ' BEN2@EXAMPLE.ORG ', attributes => '{"size": 2.0}')).conflicts, :'cons'::bigint[],
    '[5.2] nor in another spelling');
SELECT is((SELECT count(*)::int FROM generate_series(1, 10) AS n, identify('conversations', 'v2', email => 'ben2@example.org', via => 'chat') AS r
           WHERE r.outcome = 'unchanged'), 10, '[5.2] however often he insists');
SELECT is(versions(), :'before', '[5.2] nothing is written');
SELECT is((SELECT email || ' ' || (attributes ->> 'size') FROM contacts WHERE contact_id = :ben), 'ben@example.org 1',
    '[5.2] the primary does not change');
SELECT is((SELECT open_conflicts::int FROM contacts WHERE contact_id = :ben), 2,
    '[5.2] the listing counts each once');

-- A different one from the same key.
SELECT conflicts AS cons3, outcome AS outcome3 FROM identify('conversations', 'v2', email => 'ben3@example.org', attributes => '{"size": 3}') \gset
SELECT is(:'outcome3'::text, 'updated', '[5.2] a different secondary from the same key');
SELECT is(pg_temp.told(:ben, 'email'), 'ben2@example.org obsolete, ben3@example.org open',
    '[5.2] makes the open conflict obsolete and opens a new one');
SELECT is(pg_temp.told(:ben, 'size'), '2 obsolete, 3 open', '[5.2] for an attribute too');
SELECT is((SELECT count(*)::int FROM unnest(:'cons3'::bigint[]) AS c JOIN unnest(:'cons'::bigint[]) AS o ON c = o), 0,
    '[5.2] under a new number');
SELECT ok((SELECT bool_and(settled_at IS NOT NULL AND settled_by IS NULL) FROM conflicts WHERE conflict_id = ANY (:'cons'::bigint[])),
    '[5.2] the obsolete one says when, and that nobody settled it');
SELECT throws_ok(format('SELECT promote(%s, ''Eve'', customer_confirmed => true)', (:'cons'::bigint[])[1]), '55000', format('conflict %s is settled already', (:'cons'::bigint[])[1]),
    '[5.2] so an agent who had the old number before him does not store the new value');
SELECT is((SELECT email::text FROM contacts WHERE contact_id = :ben), 'ben@example.org',
    '[5.2] the primary is still the first');
SELECT is((SELECT string_agg(event, ' ' ORDER BY event) FROM history WHERE contact_id = :ben AND field = 'email' AND event LIKE 'conflict%'),
    'conflict_obsolete conflict_opened conflict_opened', '[5.2] [10.1] all of it is history');
-- Another key does not touch it.
SELECT outcome FROM identify('conversations', 'v2b', contact_id => :ben, email => 'ben4@example.org') \gset
SELECT is(pg_temp.told(:ben, 'email'), 'ben2@example.org obsolete, ben3@example.org open, ben4@example.org open',
    '[5.2] one from another key makes none obsolete');
-- Back to the first secondary.
SELECT outcome FROM identify('conversations', 'v2', email => 'ben2@example.org') \gset
SELECT is(pg_temp.told(:ben, 'email'), 'ben2@example.org obsolete, ben3@example.org obsolete, ben4@example.org open, ben2@example.org open',
    '[5.2] the obsolete one given again is a new one');

-- Dismissed stays dismissed.
SELECT contact_id AS cat FROM identify('conversations', 'v3', email => 'cat@example.org', attributes => '{"size": 1}') \gset
SELECT conflicts AS cons FROM identify('conversations', 'v3', email => 'cat2@example.org', attributes => '{"size": 2}') \gset
SELECT dismiss(c, 'Eve') FROM unnest(:'cons'::bigint[]) AS c ORDER BY c \g /dev/null
SELECT versions() AS before \gset
SELECT outcome AS again_outcome, conflicts AS again_cons, ignored AS again_ignored
FROM identify('conversations', 'v3', email => 'Cat2@example.org', attributes => '{"size": 2.0}') \gset
SELECT is(:'again_outcome'::text, 'unchanged', '[5.2] one that was dismissed changes nothing when given again');
SELECT is(:'again_cons'::bigint[], '{}', '[5.2] [4.17] no open conflict is named');
SELECT is((SELECT array_agg(f ORDER BY f) FROM unnest(:'again_ignored'::text[]) AS f), '{email,size}',
    '[4.17] but the fields are, as ignored');
SELECT is(versions(), :'before', '[5.2] nothing is written');
SELECT is(pg_temp.told(:cat, 'email') || ', ' || pg_temp.told(:cat, 'size'), 'cat2@example.org dismissed, 2 dismissed',
    '[5.2] it stays dismissed');
SELECT outcome FROM identify('conversations', 'v3', email => 'cat3@example.org') \gset
SELECT is(pg_temp.told(:cat, 'email'), 'cat2@example.org dismissed, cat3@example.org open',
    '[5.2] a different one is a new conflict');

------------------------------------------------------------------ 5.3: promote
SELECT contact_id AS dan FROM identify('conversations', 'v4', email => 'dan@example.org', attributes => '{"size": 1}') \gset
SELECT conflicts[1] AS c_email FROM identify('conversations', 'v4', email => 'Dan2@example.org') \gset
SELECT conflicts[1] AS c_size FROM identify('conversations', 'v4', attributes => '{"size": 2}') \gset
SELECT throws_ok(format('SELECT promote(%s, NULL, customer_confirmed => true)', :c_email), '22023', 'an agent''s name is needed',
    '[5.3] without an agent''s name it is refused');
SELECT throws_ok(format('SELECT promote(%s, '''', customer_confirmed => true)', :c_email), '22023', 'an agent''s name is needed',
    '[5.3] an empty name is none');
SELECT throws_ok(format('SELECT promote(%s, ''Eve'')', :c_email), '22023', 'the customer has not confirmed the value',
    '[5.3] unless confirmed it is refused');
SELECT throws_ok(format('SELECT promote(%s, ''Eve'', customer_confirmed => false)', :c_email), '22023', 'the customer has not confirmed the value',
    '[5.3] false does not confirm');
SELECT throws_ok(format('SELECT promote(%s, ''Eve'', customer_confirmed => NULL)', :c_email), '22023', 'the customer has not confirmed the value',
    '[5.3] nor does NULL');
SELECT is((SELECT email || ' ' || open_conflicts FROM contacts WHERE contact_id = :dan), 'dan@example.org 2',
    '[5.3] nothing came of these');
SELECT throws_ok('SELECT promote(0, ''Eve'', customer_confirmed => true)', 'P0002', 'conflict 0 does not exist',
    '[5.3] a conflict that is not there');
SELECT throws_ok('SELECT promote(NULL, ''Eve'', customer_confirmed => true)', '22023', 'conflict_id must be given',
    '[5.3] NULL as conflict');

SAVEPOINT promoted;
SELECT is(promote(:c_email, 'Eve', customer_confirmed => true), true, '[5.3] promote');
SELECT is((SELECT email::text FROM contacts WHERE contact_id = :dan), 'dan2@example.org',
    '[5.3] makes the secondary primary: in the listing');
SELECT is((SELECT string_agg(format('%s %s %s %s', value, given, is_primary, verified), ', ') FROM identifiers WHERE contact_id = :dan AND kind = 'email'),
    'dan2@example.org Dan2@example.org t t',
    '[5.3] [4.18] among the identifiers, as it was spelt, and verified by the agent');
SELECT is(ARRAY(SELECT find('email', 'dan2@example.org')), ARRAY[:'dan'::bigint], '[5.3] to find');
SELECT is((SELECT string_agg(value, ', ') FROM audience WHERE contact_id = :dan AND channel = 'email'), 'dan2@example.org',
    '[5.3] to reach');
SELECT is((SELECT string_agg(format('%s %s', primary_value, secondary_value), ', ') FROM contact_panel(:dan) WHERE field = 'email'), '"dan2@example.org" ',
    '[5.3] on the detail page');
SELECT is((identify('shop', email => 'dan2@example.org')).contact_id, :'dan', '[5.3] to identify');
SELECT is((SELECT format('%s %s %s', status, settled_by, settled_at BETWEEN now() AND clock_timestamp()) FROM conflicts WHERE conflict_id = :c_email),
    'promoted Eve t', '[5.1] the conflict says who settled it, and when');
SELECT is((SELECT format('%s %s %s', old_value, new_value, actor) FROM history
           WHERE contact_id = :dan AND field = 'email' AND old_value IS NOT NULL AND event NOT LIKE 'conflict%'),
    '"dan@example.org" "dan2@example.org" Eve', '[5.3] the old primary goes to history');
SELECT is(ARRAY(SELECT find('email', 'dan@example.org')), '{}', '[5.3] it leads to nobody');
SELECT is((identify('api', email => 'dan@example.org')).outcome, 'created', '[5.3] and is free');
SELECT is((SELECT open_conflicts::int FROM contacts WHERE contact_id = :dan), 1,
    '[5.3] the other conflict stays open');
ROLLBACK TO promoted;
SELECT is((SELECT email || ' ' || open_conflicts FROM contacts WHERE contact_id = :dan), 'dan@example.org 2',
    '[5.3] all that in one transaction: undone with it');
SELECT is(promote(:c_size, 'Eve', customer_confirmed => true), true, '[5.3] an attribute is promoted');
SELECT is((SELECT attributes FROM contacts WHERE contact_id = :dan), '{"size": 2}',
    '[5.3] and is the primary value');
SELECT is((SELECT format('%s %s %s', old_value, new_value, actor) FROM history WHERE contact_id = :dan AND field = 'size' AND old_value IS NOT NULL AND event NOT LIKE 'conflict%'),
    '1 2 Eve', '[5.3] the old one goes to history');
SELECT is((identify('conversations', 'v4', attributes => '{"size": 2}')).outcome, 'unchanged',
    '[5.3] given again it is the contact''s own');
SELECT is((identify('shop', email => 'dan@example.org', attributes => '{"size": 3}', occurred_at => '2021-01-01 00:00+00')).ignored, '{size}',
    '[5.3] [4.10] what was promoted is newer than what is told of earlier');
-- Whatever the primary has become meanwhile.
SELECT outcome FROM identify('conversations', 'v4', attributes => '{"size": 4}') \gset
SELECT conflicts[1] AS c_size FROM identify('conversations', 'v4b', contact_id => :dan, attributes => '{"size": 4}') \gset
SELECT outcome FROM identify('shop', contact_id => :dan, attributes => '{"size": null}') \gset
SELECT is((SELECT primary_value FROM conflicts WHERE conflict_id = :c_size), NULL,
    '[5.1] [4.7] an attribute that was cleared since has no primary value');
SELECT is(promote(:c_size, 'Eve', customer_confirmed => true), true, '[5.3] its conflict can be promoted');
SELECT is((SELECT attributes FROM contacts WHERE contact_id = :dan), '{"size": 4}', '[5.3] and fills it');
SELECT is((SELECT open_conflicts::int FROM contacts WHERE contact_id = :dan AND attributes ? 'size'), 1,
    '[5.7] the other key''s conflict of that value is obsolete with it');

--------------------------------------------------- 5.4: a value of another contact
SELECT contact_id AS eli FROM identify('conversations', 'v5', email => 'eli@example.org', phone => '+12061230051') \gset
SELECT contact_id AS fay FROM identify('shop', email => 'fay@example.org', ext_id => 'fay') \gset
SELECT conflicts[1] AS c_fay FROM identify('conversations', 'v5', email => 'fay@example.org') \gset
SELECT throws_ok(format('SELECT promote(%s, ''Eve'', customer_confirmed => true)', :c_fay), '23505', 'value belongs to another contact',
    '[5.4] promoting a value of another contact is refused');
SELECT matches((SELECT code || ' ' || detail FROM refusal(format('SELECT contact_identity.promote(%s, ''Eve'', customer_confirmed => true)', :c_fay))),
    '^23505 .*\y' || :fay || '\y', '[5.4] the owner is named');
SELECT is((SELECT email || ' ' || open_conflicts FROM contacts WHERE contact_id = :eli), 'eli@example.org 1',
    '[5.4] nothing changes, the conflict stays open');
SELECT is(ARRAY(SELECT find('email', 'fay@example.org')), ARRAY[:'fay'::bigint], '[5.4] the owner keeps the value');
SELECT outcome FROM identify('shop', ext_id => 'fay', email => 'fay.new@example.org') \gset
SELECT is(promote(:c_fay, 'Eve', customer_confirmed => true), true,
    '[5.4] once the owner has it no more, it can be promoted');
SELECT is((SELECT email::text FROM contacts WHERE contact_id = :eli), 'fay@example.org', '[5.3] and is primary');
SELECT conflicts[1] AS c_free FROM identify('conversations', 'v5', email => 'free@example.org') \gset
SELECT contact_id AS taker FROM identify('shop', email => 'free@example.org') \gset
SELECT matches((SELECT code || ' ' || detail FROM refusal(format('SELECT contact_identity.promote(%s, ''Eve'', customer_confirmed => true)', :c_free))),
    '^23505 .*\y' || :taker || '\y', '[5.4] a value that was free when given and is taken now is refused too');

----------------------------------------------------- 5.5, 5.6: dismiss, and twice
SELECT contact_id AS gus FROM identify('conversations', 'v6', email => 'gus@example.org', attributes => '{"size": 1}') \gset
SELECT conflicts[1] AS c1 FROM identify('conversations', 'v6', email => 'gus2@example.org') \gset
SELECT conflicts[1] AS c2 FROM identify('conversations', 'v6', attributes => '{"size": 2}') \gset
SELECT throws_ok(format('SELECT dismiss(%s, NULL)', :c1), '22023', 'an agent''s name is needed',
    '[5.5] dismiss wants an agent''s name');
SELECT throws_ok(format('SELECT dismiss(%s, '''')', :c1), '22023', 'an agent''s name is needed',
    '[5.5] an empty name is none');
SELECT throws_ok('SELECT dismiss(0, ''Eve'')', 'P0002', 'conflict 0 does not exist',
    '[5.5] a conflict that is not there');
SELECT throws_ok('SELECT dismiss(NULL, ''Eve'')', '22023', 'conflict_id must be given', '[5.5] NULL as conflict');
SELECT is(dismiss(:c1, 'Eve'), true, '[5.5] dismiss');
SELECT is((SELECT email::text FROM contacts WHERE contact_id = :gus), 'gus@example.org', '[5.5] keeps the primary');
SELECT is((SELECT format('%s %s %s', status, settled_by, settled_at BETWEEN now() AND clock_timestamp()) FROM conflicts WHERE conflict_id = :c1),
    'dismissed Eve t', '[5.1] the conflict says who settled it, and when');
SELECT is((SELECT actor FROM history WHERE contact_id = :gus AND event = 'conflict_dismissed'), 'Eve',
    '[5.5] [10.1] so does the history');
SELECT is(dismiss(:c2, 'Eve'), true, '[5.5] an attribute''s conflict too');
SELECT is((SELECT attributes FROM contacts WHERE contact_id = :gus), '{"size": 1}', '[5.5] keeps the primary');
SELECT versions() AS before \gset
SELECT throws_ok(format('SELECT dismiss(%s, ''Bob'')', :c1), '55000', format('conflict %s is settled already', :c1),
    '[5.6] a second agent who dismisses is told that it is settled');
SELECT throws_ok(format('SELECT promote(%s, ''Bob'', customer_confirmed => true)', :c1), '55000', format('conflict %s is settled already', :c1),
    '[5.6] so is one who promotes');
SELECT conflicts[1] AS c3 FROM identify('conversations', 'v6', email => 'gus3@example.org') \gset
SELECT promote(:c3, 'Eve', customer_confirmed => true) \gset
SELECT throws_ok(format('SELECT promote(%s, ''Bob'', customer_confirmed => true)', :c3), '55000', format('conflict %s is settled already', :c3),
    '[5.6] after a promotion the second promotion');
SELECT throws_ok(format('SELECT dismiss(%s, ''Bob'')', :c3), '55000', format('conflict %s is settled already', :c3),
    '[5.6] and a dismissal');
SELECT is((SELECT string_agg(settled_by, ' ' ORDER BY conflict_id) FROM conflicts WHERE contact_id = :gus), 'Eve Eve Eve',
    '[5.6] the first agent''s word stands');
SAVEPOINT settled;
SELECT conflicts[1] AS c4 FROM identify('conversations', 'v6', email => 'gus4@example.org') \gset
SAVEPOINT dismissed;
SELECT dismiss(:c4, 'Eve') \gset
ROLLBACK TO dismissed;
SELECT is(promote(:c4, 'Bob', customer_confirmed => true), true, '[5.6] what was rolled back settled nothing');

----------------------------------------------- 5.7: obsolete, merged, erased
SELECT contact_id AS hal FROM identify('conversations', 'v7', email => 'hal@example.org', attributes => '{"size": 1}') \gset
SELECT outcome FROM identify('conversations', 'v7', email => 'hal2@example.org', attributes => '{"size": 2}') \gset
SELECT outcome FROM identify('conversations', 'v7b', contact_id => :hal, email => 'hal2@example.org', attributes => '{"size": 3}') \gset
SELECT is((identify('shop', contact_id => :hal, email => 'HAL2@example.org', attributes => '{"size": 2.0}')).conflicts, '{}',
    '[5.7] [4.17] another source gives the secondary as its value: no open conflict is left to name');
SELECT is(pg_temp.told(:hal, 'email'), 'hal2@example.org obsolete, hal2@example.org obsolete',
    '[5.7] when the primary comes to equal the secondary, the conflict is obsolete, of each key');
SELECT is(pg_temp.told(:hal, 'size'), '2 obsolete, 3 open', '[5.7] one with another value stays open');
SELECT contact_id AS ida FROM identify('conversations', 'v8', email => 'ida@example.org') \gset
SELECT contact_id AS jon FROM identify('shop', email => 'jon@example.org', phone => '+12061230071') \gset
SELECT outcome FROM identify('conversations', 'v8', phone => '+12061230072') \gset
SELECT conflicts[1] AS c_jon FROM identify('conversations', 'v8', phone => '+12061230071') \gset
SELECT outcome FROM identify('shop', contact_id => :ida, phone => '+12061230071') \gset
SELECT is(pg_temp.told(:ida, 'phone'), '+12061230071 obsolete', '[5.7] also when the value moves from its owner');

-- A merged contact's conflicts follow it.
SELECT contact_id AS kim FROM identify('conversations', 'v10', email => 'kim@example.org') \gset
SELECT conflicts[1] AS c_open FROM identify('conversations', 'v10', email => 'kim2@example.org') \gset
SELECT conflicts[1] AS c_old FROM identify('conversations', contact_id => :kim, email => 'kim3@example.org') \gset
SELECT dismiss(:c_old, 'Eve') \gset
SELECT contact_id AS leo FROM identify('shop', ext_id => 'leo') \gset
SELECT merge(:leo, :kim, 'Eve') \gset
SELECT is((SELECT string_agg(format('%s %s %s', contact_id, secondary_value, status), ', ' ORDER BY conflict_id)
           FROM conflicts WHERE conflict_id IN (:c_open, :c_old)),
    format('%s "kim2@example.org" open, %1$s "kim3@example.org" dismissed', :leo),
    '[5.7] when the contact is merged its conflicts follow');
SELECT is((SELECT primary_value FROM conflicts WHERE conflict_id = :c_open), '"kim@example.org"',
    '[5.7] beside the survivor''s primary, which moved there too');
SELECT is((identify('conversations', 'v10', email => 'kim2@example.org')).conflicts, ARRAY[:'c_open'::bigint],
    '[5.7] the same one is met again at the survivor');
SELECT is((identify('conversations', contact_id => :leo, email => 'kim3@example.org')).ignored, '{email}',
    '[5.7] [5.2] what was dismissed stays dismissed there');

-- Where the survivor has an open one for that field and key, the later stays.
SELECT contact_id AS m1 FROM identify('shop', ext_id => 'm1', attributes => '{"size": 1}') \gset
SELECT contact_id AS m2 FROM identify('shop', ext_id => 'm2', attributes => '{"size": 1}') \gset
SELECT conflicts[1] AS early FROM identify('conversations', contact_id => :m1, attributes => '{"size": 5}', occurred_at => '2024-01-01 00:00+00') \gset
SELECT conflicts[1] AS late FROM identify('conversations', contact_id => :m2, attributes => '{"size": 6}', occurred_at => '2024-01-02 00:00+00') \gset
SAVEPOINT rivals;
SELECT merge(:m1, :m2, 'Eve') \gset
SELECT is(pg_temp.told(:m1, 'size'), '5 obsolete, 6 open',
    '[5.7] of two for a field and source the one given later stays open: the ended contact''s');
SELECT is(pg_temp.told(:m2, 'size'), 'none', '[5.7] none is left behind');
ROLLBACK TO rivals;
SELECT merge(:m2, :m1, 'Eve') \gset
SELECT is(pg_temp.told(:m2, 'size'), '5 obsolete, 6 open', '[5.7] or the survivor''s');
SELECT contact_id AS n1 FROM identify('conversations', 'shared', ext_id => 'n1', attributes => '{"size": 1}') \gset
SELECT outcome FROM identify('conversations', 'shared', attributes => '{"size": 5}', occurred_at => '2024-01-01 00:00+00') \gset
SELECT contact_id AS n2 FROM identify('shop', ext_id => 'n2', attributes => '{"size": 1}') \gset
SELECT is((identify('conversations', 'shared', ext_id => 'n2', verified => true)).contact_id, :'n2',
    '[3.9] a key that moves on by a log-in');
SELECT outcome FROM identify('conversations', 'shared', attributes => '{"size": 6}', occurred_at => '2024-01-02 00:00+00') \gset
SELECT is(pg_temp.told(:n1, 'size') || ', ' || pg_temp.told(:n2, 'size'), '5 open, 6 open',
    '[5.1] leaves an open conflict at either contact');
SELECT merge(:n1, :n2, 'Eve') \gset
SELECT is(pg_temp.told(:n1, 'size'), '5 obsolete, 6 open',
    '[5.7] of two for a field and key the one given later stays open');
SELECT contact_id AS o1 FROM identify('conversations', 'o1', ext_id => 'o1', attributes => '{"size": 1}') \gset
SELECT contact_id AS o2 FROM identify('conversations', 'o2', ext_id => 'o2', attributes => '{"size": 2}') \gset
SELECT outcome FROM identify('conversations', 'o2', attributes => '{"size": 1}') \gset
SELECT merge(:o1, :o2, 'Eve') \gset
SELECT is((SELECT string_agg(format('%s %s %s %s', secondary_value, source, key, status), ', ' ORDER BY source) FROM conflicts WHERE contact_id = :o1 AND field = 'size'),
    format('1 conversations o2 obsolete, 2 merge %s open', :o2),
    '[5.7] one that equals the survivor''s primary is obsolete');

-- An owner that is merged.
SELECT contact_id AS pam FROM identify('conversations', 'v11', email => 'pam@example.org') \gset
SELECT contact_id AS quin FROM identify('shop', email => 'quin@example.org') \gset
SELECT contact_id AS roy FROM identify('shop', ext_id => 'roy') \gset
SELECT conflicts[1] AS c_quin FROM identify('conversations', 'v11', email => 'quin@example.org') \gset
SELECT merge(:roy, :quin, 'Eve') \gset
SELECT is((SELECT owner_contact_id FROM conflicts WHERE conflict_id = :c_quin), :'roy',
    '[5.7] an owner that is merged is followed to its survivor');
SELECT matches((SELECT code || ' ' || detail FROM refusal(format('SELECT contact_identity.promote(%s, ''Eve'', customer_confirmed => true)', :c_quin))),
    '^23505 .*\y' || :roy || '\y', '[5.4] [5.7] promote names the survivor');
SELECT merge(:pam, :roy, 'Eve') \gset
SELECT is((SELECT format('%s %s', owner_contact_id, status) FROM conflicts WHERE conflict_id = :c_quin), ' open',
    '[5.7] where that is the conflict''s own contact, it has no owner any more');
SELECT is(promote(:c_quin, 'Eve', customer_confirmed => true), true, '[5.3] then it can be promoted');
SELECT is((SELECT string_agg(format('%s %s', value, is_primary), ', ' ORDER BY value) FROM identifiers WHERE contact_id = :pam AND kind = 'email'),
    'pam@example.org f, quin@example.org t', '[6.4] which swaps primary and alias');

----------------------------------------------- 5.8: a secondary identifies nobody
SELECT contact_id AS vic FROM identify('conversations', 'v14', email => 'vic@example.org') \gset
SELECT conflicts[1] AS c_vic FROM identify('conversations', 'v14', email => 'Both@example.org') \gset
SELECT contact_id AS wim FROM identify('conversations', 'v15', email => 'wim@example.org') \gset
SELECT conflicts[1] AS c_wim FROM identify('conversations', 'v15', email => 'both@example.org') \gset
SELECT is((SELECT count(*)::int FROM conflicts WHERE account_id = 1 AND secondary_value = '"both@example.org"' AND status = 'open'), 2,
    '[5.8] two contacts may have the same secondary value');
SELECT is(ARRAY(SELECT find('email', 'both@example.org')), '{}', '[5.8] no lookup matches it');
SELECT is(ARRAY(SELECT find('email', 'both@example.org', secondary => false)), '{}', '[5.8] nor when told not to');
SELECT is(ARRAY(SELECT find('email', ' BOTH@example.org', secondary => true) ORDER BY 1), ARRAY[:'vic'::bigint, :'wim'::bigint],
    '[5.8] unless asked to');
SELECT is(ARRAY(SELECT find('email', 'vic@example.org', secondary => true)), ARRAY[:'vic'::bigint],
    '[5.8] when asked, primary values are still found');
SELECT is((SELECT count(*)::int FROM contacts WHERE account_id = 1 AND email = 'both@example.org'), 0,
    '[5.8] nor does the listing');
SELECT contact_id AS both, outcome AS both_outcome FROM identify('shop', email => 'both@example.org') \gset
SELECT is(:'both_outcome'::text, 'created', '[5.8] it identifies nobody: who gives it is a new contact');
SELECT is(ARRAY(SELECT find('email', 'both@example.org')), ARRAY[:'both'::bigint],
    '[5.8] and it is unique to nobody: that contact holds it');
SELECT is(pg_temp.told(:vic, 'email') || ', ' || pg_temp.told(:wim, 'email'), 'both@example.org open, both@example.org open',
    '[5.8] both conflicts stay');
SELECT is(ARRAY(SELECT find('email', 'both@example.org', secondary => true) ORDER BY 1), ARRAY[:'vic'::bigint, :'wim'::bigint, :'both'::bigint],
    '[5.8] when asked, a lookup finds all three');
SELECT throws_ok(format('SELECT promote(%s, ''Eve'', customer_confirmed => true)', :c_vic), '23505', 'value belongs to another contact',
    '[5.4] neither can be promoted now');
SELECT dismiss(:c_wim, 'Eve') \gset
SELECT is(ARRAY(SELECT find('email', 'both@example.org', secondary => true) ORDER BY 1), ARRAY[:'vic'::bigint, :'both'::bigint],
    '[5.8] a conflict that was settled is no secondary value any more');
SELECT throws_ok($$SELECT find('fax', '+12061230001')$$, '22023', 'unknown kind of identifier',
    '[5.8] a lookup by a kind that is not there');
SELECT throws_ok($$SELECT find('email', 'nobody')$$, '22023', 'email is malformed',
    '[5.8] [7.4] a lookup by a malformed value');
SELECT throws_ok($$SELECT find(NULL, 'a@example.org')$$, '22023', 'kind must not be null',
    '[5.8] a lookup by no kind');
SELECT throws_ok($$SELECT find('email', NULL)$$, '22023', 'value must not be null', '[5.8] a lookup by no value');

SELECT is(count_error(), 'none', '[2.4] the counts are those of the rows after all this');
SELECT is_empty('SELECT * FROM check_integrity()', '[9.4] and nothing breaks the rules');
SELECT * FROM finish();
ROLLBACK;
