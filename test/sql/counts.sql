-- The counts over transactions and sessions, beside count(*) over the rows.
-- In an account of its own, so that no other test's contacts are among them.
SELECT contact_identity.setup();
SELECT contact_identity.create_account(20, 'counts');
SET contact_identity.account_id = 20;
\set counts 'SELECT c.identified, c.anonymous_push AS push, c.anonymous_conversations AS conversations, c.listing_total AS listing, c.home_total AS home, (SELECT count(*) FROM contact_identity.contacts r WHERE r.account_id = 20) AS listed, (SELECT count(*) FROM contact_identity.all_contacts r WHERE r.account_id = 20) AS at_home FROM contact_identity.contact_counts c WHERE c.account_id = 20'
:counts;
-- [2.3] one of each
SELECT count(contact_identity.capture('push', 'p1')) AS devices, count(contact_identity.capture('conversations', 'v1')) AS visitors,
       count((contact_identity.identify('shop', email => 'ann@example.org')).contact_id) AS buyers;
:counts;

-- [2.4] rolled back: inside one more of each, afterwards none
BEGIN;
SELECT count(contact_identity.capture('push', 'p2')) AS devices, count(contact_identity.capture('conversations', 'v2')) AS visitors,
       count((contact_identity.identify('shop', email => 'bob@example.org')).contact_id) AS buyers;
:counts;
ROLLBACK;
:counts;

-- [2.4] a transaction that fails
BEGIN;
SELECT count(contact_identity.capture('push', 'p2')) AS devices;
-- fail: it is no key
SELECT contact_identity.capture('push', '');
COMMIT;
:counts;

-- [2.5] a visitor without a match, committed: the listing has one more
BEGIN;
SELECT outcome FROM contact_identity.identify('conversations', 'v1', email => 'vera@example.org');
:counts;
COMMIT;
:counts;

-- [2.5] a device merged, rolled back: one less in both, and back
BEGIN;
SELECT outcome FROM contact_identity.identify('push', 'p1', email => 'ann@example.org');
:counts;
ROLLBACK;
:counts;

-- [2.5] the same, committed
SELECT outcome FROM contact_identity.identify('push', 'p1', email => 'ann@example.org');
:counts;

-- [2.4] savepoints inside a transaction: the second of three stays away
BEGIN;
SELECT count(contact_identity.capture('push', 'p3')) AS devices;
SAVEPOINT second;
SELECT count(contact_identity.capture('push', 'p4')) AS devices;
ROLLBACK TO second;
SELECT count(contact_identity.capture('conversations', 'v3')) AS visitors;
RELEASE second;
COMMIT;
:counts;

-- [2.4] an error that is caught takes back its part
DO $$
BEGIN
    PERFORM contact_identity.capture('push', 'p5');
    BEGIN
        PERFORM contact_identity.capture('push', 'p6');
        RAISE division_by_zero;
    EXCEPTION WHEN division_by_zero THEN
        NULL;
    END;
END
$$;
:counts;

-- [2.4] another session: it sees the same, and takes away what this one added
\c -
SET contact_identity.account_id = 20;
:counts;
SELECT outcome FROM contact_identity.identify('push', 'p3', email => 'ann@example.org');
SELECT outcome FROM contact_identity.identify('push', 'p5', email => 'ann@example.org');
SELECT outcome FROM contact_identity.identify('conversations', 'v3', email => 'ann@example.org');
:counts;
BEGIN;
SELECT count(contact_identity.capture('push', 'p7')) AS devices;
\c -
SET contact_identity.account_id = 20;
-- [2.4] a session that ends takes its open transaction along
:counts;

-- [2.4] a transaction that keeps one snapshot sees its own changes in both
SELECT count(contact_identity.capture('push', 'p8')) AS devices;
BEGIN ISOLATION LEVEL REPEATABLE READ;
:counts;
SELECT count(contact_identity.capture('push', 'p9')) AS devices;
:counts;
COMMIT;

-- [2.4] a session counts in one of its parts; it has more where a prepared
-- transaction held one
INSERT INTO contact_identity.contact_count (account_id, process)
SELECT DISTINCT account_id, process FROM contact_identity.contact_count WHERE account_id = 20;
SELECT count(contact_identity.capture('push', 'p10')) AS devices;
:counts;

-- [2.4] a batch: 500 devices stay anonymous, 500 share ten addresses
SELECT r.outcome, count(*) FROM contact_identity.identify_batch(
    (SELECT jsonb_agg(jsonb_build_object('source', 'push', 'key', 'bulk' || n) ||
                      CASE WHEN n % 2 = 0 THEN jsonb_build_object('email', 'bulk' || n % 20 || '@example.org') ELSE '{}' END
                      ORDER BY n)
     FROM generate_series(1, 1000) n)) r
GROUP BY r.outcome ORDER BY r.outcome;
:counts;
-- [9.5] and nothing is amiss
SELECT * FROM contact_identity.check_integrity();
