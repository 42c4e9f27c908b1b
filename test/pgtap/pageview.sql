-- The call made most, the page view: who is known already is answered from
-- reading alone [4.16], and that somebody was seen is noted once in a while
-- [1.2].  Everything here is measured outside of pgTAP's transaction, which
-- writes.
SET client_min_messages = warning;
\o /dev/null
SELECT contact_identity.create_account(max(account_id) + 1, 'page view') FROM contact_identity.account;
SELECT set_config('contact_identity.account_id', max(account_id)::text, false) FROM contact_identity.account;

SELECT contact_identity.capture('push', 'browser');
SELECT contact_identity.identify('push', 'phone', ext_id => 'c-1', email => 'ann@example.org',
                                 attributes => '{"name": "Ann", "visits": 1}');
SELECT contact_identity.unsubscribe('push', 'phone');
SELECT contact_identity.identify('conversations', 'visitor', email => 'bob@example.org', phone => '+12061234567',
                                 attributes => '{"city": "London"}');
SELECT contact_identity.identify('conversations', 'visitor', email => 'ann@example.org', phone => '+12061234568',
                                 attributes => '{"city": "Paris"}');
SELECT contact_identity.identify('conversations', 'visitor-2', email => 'cid@example.org', phone => '+12061234569');
SELECT contact_identity.identify('conversations', 'visitor-2', phone => '+12061234560');
SELECT contact_identity.dismiss(conflict_id, 'agent') FROM contact_identity.conflicts
WHERE account_id = current_setting('contact_identity.account_id')::integer
  AND secondary_value = '"+12061234560"';
SELECT contact_identity.block(id, 'sms') FROM contact_identity.find('visitor', 'visitor') id;
SELECT contact_identity.identify('conversations', 'ended', email => 'dan@example.org');
SELECT contact_identity.merge(survivor, loser, 'agent')
FROM contact_identity.find('visitor', 'visitor') survivor, contact_identity.find('visitor', 'ended') loser;
SELECT id AS survivor FROM contact_identity.find('visitor', 'visitor') id \gset
SELECT merged_id AS ended FROM contact_identity.merges
WHERE account_id = current_setting('contact_identity.account_id')::integer \gset

-- What a statement leaves behind: a transaction id (which a row lock needs,
-- too), a lock on one of our tables other than a reader's, WAL.  Reading may
-- tidy up a page that others have left dirty, so the least of several tries
-- counts, and the tables are vacuumed before.
CREATE FUNCTION effects(statement text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
    found text[] := '{}';
    least bigint;
    plan json;
BEGIN
    FOR try IN 1..3 LOOP
        EXECUTE 'EXPLAIN (ANALYZE, WAL, TIMING OFF, FORMAT JSON) ' || statement INTO plan;
        least := least(least, (plan -> 0 -> 'Plan' ->> 'WAL Records')::bigint);
    END LOOP;
    IF least > 0 THEN
        found := found || 'WAL'::text;
    END IF;
    IF pg_current_xact_id_if_assigned() IS NOT NULL THEN
        found := found || 'transaction id'::text;
    END IF;
    IF EXISTS (SELECT FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
               WHERE l.pid = pg_backend_pid() AND c.relnamespace = 'contact_identity'::regnamespace
                 AND l.mode <> 'AccessShareLock') THEN
        found := found || 'lock'::text;
    END IF;
    RETURN coalesce(nullif(array_to_string(found, ', '), ''), 'none');
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
VACUUM;
\o

SELECT effects($$SELECT contact_identity.capture('push', 'browser')$$) AS capture,
       effects($$SELECT contact_identity.capture('push', 'phone', attributes => '{"name": "Ann"}')$$) AS capture_identified \gset
SELECT effects($$SELECT contact_identity.identify('push', 'phone', ext_id => 'c-1', email => 'ann@example.org',
                     attributes => '{"name": "Ann", "visits": 1.0}')$$) AS identify,
       effects($$SELECT contact_identity.identify('push', 'phone', ext_id => 'c-1', email => ' Ann@EXAMPLE.org')$$) AS spelling \gset
SELECT effects($$SELECT contact_identity.identify('conversations', 'visitor', email => 'ann@example.org',
                     phone => '+12061234568', attributes => '{"city": "Paris"}')$$) AS conflict,
       effects($$SELECT contact_identity.identify('conversations', 'visitor-2', phone => '+12061234560')$$) AS dismissed,
       effects($$SELECT contact_identity.identify('conversations', 'visitor', email => 'dan@example.org')$$) AS alias \gset
SELECT effects($$SELECT contact_identity.subscribe('push', 'browser')$$) AS subscribe,
       effects($$SELECT contact_identity.unsubscribe('push', 'phone')$$) AS unsubscribe,
       effects($$SELECT contact_identity.logout('push', 'nobody''s')$$) AS logout \gset
SELECT effects(format($$SELECT contact_identity.merge(%s, %s, 'agent')$$, :survivor, :ended)) AS merge,
       effects(format($$SELECT contact_identity.block(%s, 'sms')$$, :survivor)) AS block,
       effects(format($$SELECT contact_identity.add_to_list(%s, 'Contacts active in Conversations')$$, :survivor)) AS list \gset
SELECT effects($$SELECT contact_identity.capture('push', 'new ' || clock_timestamp())$$) AS new \gset

-- the same on a standby, or where an application has a read-only connection
SET default_transaction_read_only = on;
SELECT effects($$SELECT contact_identity.capture('push', 'browser')$$) AS read_only_capture,
       effects($$SELECT contact_identity.identify('push', 'phone', ext_id => 'c-1', email => 'ann@example.org',
                     attributes => '{"name": "Ann", "visits": 1}')$$) AS read_only_identify,
       effects($$SELECT contact_identity.capture('push', 'new to a reader')$$) AS read_only_new \gset
RESET default_transaction_read_only;

SET client_min_messages = notice;
BEGIN;
SELECT plan(31);

SELECT is(:'capture'::text, 'none', '[4.16] a page view of a known key leaves nothing behind');
SELECT is(:'capture_identified'::text, 'none', '[4.16] nor of an identified contact''s key, with attributes that are there');
SELECT is(:'identify'::text, 'none', '[4.16] nor a login with all that is known already, 1 given as 1.0');
SELECT is(:'spelling'::text, 'none', '[4.16] nor in another spelling');
SELECT is(:'conflict'::text, 'none', '[4.16] [5.2] nor insisting on what are open conflicts');
SELECT is(:'dismissed'::text, 'none', '[4.16] [5.2] nor on one that was dismissed');
SELECT is(:'alias'::text, 'none', '[4.16] [4.1] nor giving an alias');
SELECT is(:'subscribe'::text, 'none', '[4.16] nor subscribing who is subscribed');
SELECT is(:'unsubscribe'::text, 'none', '[4.16] nor unsubscribing who is not');
SELECT is(:'logout'::text, 'none', '[4.16] nor the logout of a key that nobody has');
SELECT is(:'merge'::text, 'none', '[4.16] [6.6] nor a merge that was made already');
SELECT is(:'block'::text, 'none', '[4.16] nor a block that is there');
SELECT is(:'list'::text, 'none', '[4.16] nor a list that the contact is on');
SELECT is(:'new'::text, 'WAL, transaction id, lock', 'what is new does leave these, so the measure sees them');

SELECT is(:'read_only_capture'::text, 'none', '[4.16] a page view is answered in a read-only transaction');
SELECT is(:'read_only_identify'::text, 'none', '[4.16] a login that changes nothing, too');
SELECT is(left(:'read_only_new', 5), '25006', 'a new key is not: 25006, read-only transaction');

-- No row of any table is another version, however often they call.
CREATE FUNCTION versions() RETURNS numeric LANGUAGE sql STABLE AS
$$
    SELECT sum(hashtextextended(format('%s %s %s', t.tableoid, t.xmin, t.ctid), 0)) FROM (
        SELECT tableoid, xmin, ctid FROM contact_identity.contact
        UNION ALL SELECT tableoid, xmin, ctid FROM contact_identity.identifier
        UNION ALL SELECT tableoid, xmin, ctid FROM contact_identity.conflict
        UNION ALL SELECT tableoid, xmin, ctid FROM contact_identity.list_member
        UNION ALL SELECT tableoid, xmin, ctid FROM contact_identity.block
        UNION ALL SELECT tableoid, xmin, ctid FROM contact_identity.merge
        UNION ALL SELECT tableoid, xmin, ctid FROM contact_identity.event
        UNION ALL SELECT tableoid, xmin, ctid FROM contact_identity.contact_count) t
$$;
SELECT versions() AS before \gset
SELECT count(contact_identity.capture('push', 'browser')) FROM generate_series(1, 100) \gset
SELECT array_agg(DISTINCT (contact_identity.identify('push', 'phone', ext_id => 'c-1', email => 'ann@example.org')).outcome)
       AS outcomes FROM generate_series(1, 100) \gset
SELECT is(:'outcomes'::text, '{unchanged}', '[4.16] a hundred logins: unchanged');
SELECT is(versions(), :before::numeric, '[4.16] and of no table a new row, or a new version of one');

-- Noted at most once in the interval, which is a day unless it is set; the
-- times here are given, so nothing waits.
CREATE FUNCTION seen() RETURNS text LANGUAGE sql VOLATILE AS
$$
    SELECT to_char(last_seen_at AT TIME ZONE 'UTC', 'DD HH24:MI') FROM contact_identity.all_contacts
    WHERE account_id = current_setting('contact_identity.account_id')::integer
      AND contact_id = (SELECT contact_identity.find('push', 'old browser'))
$$;
CREATE FUNCTION view_at(at text) RETURNS bigint LANGUAGE sql VOLATILE AS
$$ SELECT contact_identity.capture('push', 'old browser', occurred_at => ('2020-03-' || at || '+00')::timestamptz) $$;

SELECT view_at('01 12:00') AS first \gset
SELECT is(seen(), '01 12:00', '[1.2] first seen');
SELECT count(*) AS events FROM contact_identity.history \gset
SELECT is(view_at('02 11:59'), :first::bigint, '[1.2] a known key is the same contact');
SELECT is(seen(), '01 12:00', '[1.2] less than a day later nothing is noted');
SELECT view_at('02 12:00') \gset
SELECT is(seen(), '02 12:00', '[1.2] a day later it is');
SELECT versions() AS before \gset
SELECT view_at('03 11:59') \gset
SELECT view_at('01 00:00') \gset
SELECT is(versions(), :before::numeric, '[1.2] once in a day, and never backwards');
SELECT is((SELECT count(*) FROM contact_identity.history), :events::bigint, '[1.2] [4.16] being seen is no history');

UPDATE contact_identity.account SET seen_interval = '1 hour'
WHERE account_id = current_setting('contact_identity.account_id')::integer;
SELECT view_at('02 12:59') \gset
SELECT is(seen(), '02 12:00', '[1.2] an interval of an hour: not before');
SELECT view_at('02 13:00') \gset
SELECT is(seen(), '02 13:00', '[1.2] but then');
SELECT is((contact_identity.identify('push', 'old browser', ext_id => 'old',
                                     occurred_at => '2020-03-02 14:00+00')).outcome, 'identified', 'a login');
SELECT is(seen(), '02 14:00', '[1.2] counts as seen');
SELECT is((contact_identity.identify('push', 'old browser', ext_id => 'old',
                                     occurred_at => '2020-03-02 15:00+00')).outcome, 'unchanged',
          '[1.2] [4.17] being seen alone is no change');
SELECT is(seen(), '02 15:00', '[1.2] though it was noted');

SELECT finish();
ROLLBACK;
DROP FUNCTION effects(text);
