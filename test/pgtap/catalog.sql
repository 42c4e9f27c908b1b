-- What the catalogs say about the extension's functions and about the tables
-- and views of setup().
BEGIN;
SELECT plan(30);

CREATE TEMP VIEW ours AS
SELECT p.oid, p.proname, p.oid::regprocedure::text AS routine, l.lanname, p.prosecdef, p.proleakproof, p.provolatile,
       p.proparallel, p.proconfig, p.prokind, p.prosrc, p.proargnames, p.pronargs, p.pronargdefaults,
       p.proargtypes, p.proacl, p.proowner
FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
WHERE p.pronamespace = 'contact_identity'::regnamespace;
CREATE TEMP VIEW relation AS
SELECT c.oid, c.relname, c.relkind, c.reloptions, c.relacl, c.relowner FROM pg_class c
WHERE c.relnamespace = 'contact_identity'::regnamespace;

-- Functions
SELECT cmp_ok((SELECT count(*)::integer FROM ours), '>', 20, 'there are functions to look at');
SELECT is_empty($$
    SELECT routine FROM ours o
    WHERE NOT EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
                      WHERE d.classid = 'pg_proc'::regclass AND d.objid = o.oid AND d.deptype = 'e'
                        AND e.extname = 'contact_identity')$$,
    'every function is the extension''s');
-- What writes to an application's tables leaves its path to their triggers, and
-- sets its own around all else.
SELECT set_eq($$
    SELECT proname::text FROM ours
    WHERE lanname IN ('c', 'plpgsql') AND prokind <> 'p'
      AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (proconfig), false)$$,
    ARRAY['attach', 'attached_insert', 'attached_update', 'attached_before_insert', 'follow'],
    'every C and PL/pgSQL function sets search_path to pg_catalog and, last, pg_temp, but for five');
SELECT is_empty($$
    SELECT routine FROM ours o WHERE lanname = 'sql' AND NOT EXISTS (
        SELECT FROM pg_proc p WHERE p.oid = o.oid AND p.prosqlbody IS NOT NULL)$$,
    'SQL functions have their names bound at installation');
SELECT is_empty($$ SELECT routine FROM ours WHERE obj_description(oid, 'pg_proc') IS NULL $$,
    'every function has a comment');
SELECT is_empty($$ SELECT routine FROM ours WHERE prosecdef $$, 'none is SECURITY DEFINER');
SELECT is_empty($$ SELECT routine FROM ours WHERE proleakproof $$, 'none is marked LEAKPROOF');
SELECT is_empty($$ SELECT routine FROM ours WHERE lanname = 'c' AND prosrc !~ '^ci_' $$,
    'C symbols begin with ci_');
SELECT is_empty($$
    SELECT routine FROM ours o, aclexplode(coalesce(o.proacl, acldefault('f', o.proowner))) a
    WHERE a.grantee = 0$$,
    'PUBLIC may execute none');

-- Those that read depend on the snapshot, the settings and the caller: they
-- are STABLE, and nothing of ours is IMMUTABLE.  All others write.
CREATE TEMP VIEW reader AS
SELECT * FROM ours
WHERE proname IN ('resolve', 'find', 'contact_panel', 'readable_accounts', 'check_integrity', 'normalize',
                  'contact_as_of', 'owner_as_of', 'timeline', 'graph', 'unfollowed_references');
SELECT cmp_ok((SELECT count(*)::integer FROM reader), '>=', 6, 'there are reading functions');
SELECT is_empty($$ SELECT routine, provolatile FROM reader WHERE provolatile <> 's' $$,
    'reading functions are STABLE');
SELECT is_empty($$ SELECT routine, proparallel FROM reader WHERE proparallel = 'u' $$,
    'and not PARALLEL UNSAFE');
SELECT is_empty($$
    SELECT routine FROM ours o WHERE (provolatile <> 'v' OR proparallel <> 'u')
        AND NOT EXISTS (SELECT FROM reader r WHERE r.oid = o.oid)$$,
    'all others are VOLATILE and PARALLEL UNSAFE');
SELECT is_empty($$
    SELECT routine FROM ours
    WHERE proargnames[pronargs] IS DISTINCT FROM 'account_id' AND prokind = 'f'
      AND proname NOT IN ('setup', 'make_views', 'create_account', 'readable_accounts', 'check_integrity')
      AND NOT EXISTS (SELECT FROM pg_proc p WHERE p.oid = ours.oid AND p.prorettype = 'trigger'::regtype)$$,
    'account_id is the last argument');
SELECT is_empty($$
    SELECT routine FROM ours
    WHERE proargnames[pronargs] = 'account_id'
      AND (pronargdefaults = 0 OR proargtypes[pronargs - 1] <> 'integer'::regtype)$$,
    'it is an integer and has a default');

-- Tables and views
SELECT is_empty($$
    SELECT relname FROM relation
    WHERE relkind IN ('r', 'p', 'v') AND obj_description(oid, 'pg_class') IS NULL$$,
    'every table and view has a comment');
SELECT is_empty($$
    SELECT r.relname, a.attname FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0
    WHERE r.relkind = 'v' AND col_description(r.oid, a.attnum) IS NULL$$,
    'every column of a view has one');
SELECT is_empty($$
    SELECT relname FROM relation r
    WHERE relkind IN ('r', 'p', 'v', 'S') AND EXISTS (
        SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = r.oid AND d.deptype = 'e')$$,
    'no table, view or sequence is the extension''s: the data belongs to its owner');
SELECT is_empty($$
    SELECT r.relname, a.privilege_type FROM relation r,
           aclexplode(coalesce(r.relacl, acldefault(CASE r.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", r.relowner))) a
    WHERE r.relkind IN ('r', 'p', 'v', 'S') AND a.grantee = 0$$,
    'PUBLIC has no right on any');

-- A view that reads a table by itself is a barrier.  Two are none, so that a
-- page of them costs a page: whose rows they show is decided in live_contact.
SELECT set_eq($$
    SELECT relname::text FROM relation
    WHERE relkind = 'v' AND NOT coalesce('security_barrier=true' = ANY (reloptions), false)$$,
    ARRAY['contacts', 'all_contacts'],
    'views are barriers, but for two');
SELECT is_empty($$
    SELECT v.relname FROM relation v
    WHERE v.relname IN ('contacts', 'all_contacts')
      AND pg_get_viewdef(v.oid) !~ E'\n   FROM contact_identity\\.live_contact c($|;|\n *WHERE)'$$,
    'and these two select from live_contact alone');
SELECT is_empty($$
    SELECT v.relname, t.relname FROM relation v
    JOIN pg_rewrite w ON w.ev_class = v.oid
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
    JOIN relation t ON t.oid = d.refobjid AND t.relkind IN ('r', 'p')
    WHERE v.relkind = 'v' AND v.relname NOT IN ('contacts', 'all_contacts')
      AND pg_get_viewdef(v.oid) !~ 'readable_accounts'$$,
    'every barrier says which accounts the reader may see');

-- RULES 0: an account's rows can be placed on one node.
SELECT is_empty($$
    SELECT r.relname FROM relation r
    WHERE r.relkind IN ('r', 'p') AND NOT EXISTS (
        SELECT FROM pg_constraint o JOIN pg_attribute a ON a.attrelid = o.conrelid AND a.attnum = o.conkey[1]
        WHERE o.conrelid = r.oid AND o.contype = 'p' AND a.attname = 'account_id')$$,
    '[0] every primary key begins with account_id');
SELECT is_empty($$
    SELECT i.indexrelid::regclass FROM pg_index i JOIN relation r ON r.oid = i.indrelid
    LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    WHERE a.attname IS DISTINCT FROM 'account_id'$$,
    '[0] and every index');
SELECT is_empty($$
    SELECT r.relname FROM relation r
    WHERE r.relkind = 'v' AND NOT EXISTS (
        SELECT FROM pg_attribute a WHERE a.attrelid = r.oid AND a.attname = 'account_id')$$,
    '[0] every view has it');

-- Sharing the lock of a row of settings would make all calls wait in a queue.
SELECT is_empty($$
    SELECT conrelid::regclass, confrelid::regclass FROM pg_constraint
    WHERE connamespace = 'contact_identity'::regnamespace AND contype = 'f'
      AND conrelid IN (SELECT oid FROM relation WHERE relname IN (
          'contact', 'identifier', 'conflict', 'list_member', 'block', 'merge', 'event', 'contact_count'))$$,
    'no foreign key leads away from a table that calls write to');
-- Dropping a type with CASCADE drops the columns that use it.
SELECT is_empty($$
    SELECT r.relname, a.attname, a.atttypid::regtype FROM relation r
    JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type t ON t.oid = a.atttypid
    WHERE r.relkind IN ('r', 'p') AND t.typnamespace <> 'pg_catalog'::regnamespace$$,
    'tables use the server''s own types');
SELECT is_empty($$
    SELECT r.relname, t.tgname FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid
    WHERE NOT t.tgisinternal AND r.relkind <> 'v'
      AND r.relname NOT IN ('account', 'identifier_kind', 'list', 'source', 'source_via', 'blocked_value', 'attribute',
                            'followed', 'suppressed')$$,
    'and have no triggers, but for the settings');
SELECT set_eq($$
    SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = 'contact_identity.identifier'::regclass
      AND a.attnum > 0 AND a.attcollation <> 0 AND a.attcollation <> (SELECT oid FROM pg_collation WHERE collname = 'C')$$,
    ARRAY['given'],
    'identifiers are compared by bytes; only their spelling is for people');

-- The columns that others build on
SELECT is_empty($$
    SELECT v.name, c.name FROM (VALUES
        ('contacts', 'contact_id label state email phone ext_id whatsapp landline attributes reachable'
                     ' open_conflicts created_at identified_at updated_at last_seen_at'),
        ('all_contacts', 'contact_id label state email phone ext_id whatsapp landline attributes reachable'
                     ' open_conflicts created_at identified_at updated_at last_seen_at'),
        ('contact_counts', 'identified anonymous_push anonymous_conversations listing_total home_total'),
        ('identifiers', 'kind value given contact_id identifying is_primary active verified source updated_at'),
        ('conflicts', 'conflict_id contact_id field_type field primary_value secondary_value owner_contact_id'
                      ' source via key status given_at settled_by settled_at'),
        ('merges', 'merge_id survivor_id merged_id source actor merged_at detail'),
        ('history', 'event_id contact_id event field_type field old_value new_value source via actor role'
                    ' occurred_at written_at'),
        ('lists', 'list contact_id subscribed since'),
        ('audience', 'contact_id channel value')) v (name, columns),
        string_to_table('account_id ' || v.columns, ' ') AS c (name)
    WHERE NOT EXISTS (SELECT FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid
                      WHERE r.relname = v.name AND r.relkind = 'v' AND a.attname = c.name)$$,
    'the views have the columns that others build on');

SELECT finish();
ROLLBACK;
