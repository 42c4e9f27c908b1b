-- All that the catalogs know of the extension and of what setup() makes, in
-- lines that two databases have alike exactly when these are alike.
SET search_path = '';
SET client_min_messages = warning;
WITH acl (class, object, rights) AS (
    SELECT o.class, o.object, pg_catalog.string_agg(pg_catalog.format('%s:%s%s', a.grantee::pg_catalog.regrole, a.privilege_type,
               CASE WHEN a.is_grantable THEN '*' END), ',' ORDER BY a.grantee::pg_catalog.regrole::text, a.privilege_type)
    FROM (SELECT 'pg_proc'::pg_catalog.regclass, oid, acl FROM (
              SELECT oid, COALESCE(proacl, pg_catalog.acldefault('f', proowner)) AS acl FROM pg_catalog.pg_proc) p
          UNION ALL SELECT 'pg_type'::pg_catalog.regclass, oid, COALESCE(typacl, pg_catalog.acldefault('T', typowner)) FROM pg_catalog.pg_type
          UNION ALL SELECT 'pg_class'::pg_catalog.regclass, oid,
                           COALESCE(relacl, pg_catalog.acldefault(CASE relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, relowner))
          FROM pg_catalog.pg_class WHERE relkind IN ('r', 'v', 'S', 'm', 'p')
          UNION ALL SELECT 'pg_namespace'::pg_catalog.regclass, oid, COALESCE(nspacl, pg_catalog.acldefault('n', nspowner))
          FROM pg_catalog.pg_namespace) o (class, object, acl),
         pg_catalog.aclexplode(o.acl) a
    GROUP BY 1, 2),
members AS (
    SELECT d.classid, d.objid FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
    WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e' AND e.extname = 'contact_identity'),
relations AS (
    SELECT c.*, c.oid::pg_catalog.regclass AS name FROM pg_catalog.pg_class c
    WHERE c.relnamespace = 'contact_identity'::pg_catalog.regnamespace),
lines (line) AS (
    SELECT pg_catalog.concat_ws('|', 'extension', e.extversion, e.extowner::pg_catalog.regrole, e.extnamespace::pg_catalog.regnamespace,
               e.extconfig, pg_catalog.obj_description(e.oid, 'pg_extension'))
    FROM pg_catalog.pg_extension e WHERE e.extname = 'contact_identity'
    UNION ALL
    SELECT pg_catalog.concat_ws('|', 'member', i.type, i.identity, a.rights, pg_catalog.obj_description(m.objid, m.classid::pg_catalog.regclass::pg_catalog.name))
    FROM members m CROSS JOIN LATERAL pg_catalog.pg_identify_object(m.classid, m.objid, 0) i
    LEFT JOIN acl a ON a.class = m.classid AND a.object = m.objid
    UNION ALL
    SELECT pg_catalog.concat_ws('|', 'function', p.oid::pg_catalog.regprocedure, p.proowner::pg_catalog.regrole, pg_catalog.pg_get_functiondef(p.oid))
    FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'contact_identity'::pg_catalog.regnamespace
    UNION ALL
    SELECT pg_catalog.concat_ws('|', 'type', t.oid::pg_catalog.regtype, t.typowner::pg_catalog.regrole, t.typtype)
    FROM pg_catalog.pg_type t WHERE t.typnamespace = 'contact_identity'::pg_catalog.regnamespace
    UNION ALL
    SELECT pg_catalog.concat_ws('|', 'schema', n.nspname, n.nspowner::pg_catalog.regrole, a.rights, pg_catalog.obj_description(n.oid, 'pg_namespace'))
    FROM pg_catalog.pg_namespace n LEFT JOIN acl a ON a.object = n.oid AND a.class = 'pg_namespace'::pg_catalog.regclass
    WHERE n.nspname = 'contact_identity'
    UNION ALL
    SELECT pg_catalog.concat_ws('|', 'relation', r.name, r.relkind, r.relowner::pg_catalog.regrole, r.relpersistence, r.relreplident,
               r.relrowsecurity, r.relforcerowsecurity, r.reloptions, a.rights, pg_catalog.obj_description(r.oid, 'pg_class'))
    FROM relations r LEFT JOIN acl a ON a.object = r.oid AND a.class = 'pg_class'::pg_catalog.regclass
    UNION ALL
    SELECT pg_catalog.concat_ws('|', 'column', r.name, a.attnum, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull,
               a.attidentity, a.attgenerated, a.attstorage, a.attcompression, a.attstattarget, a.attislocal, a.attacl, c.collname,
               pg_catalog.pg_get_expr(d.adbin, d.adrelid), pg_catalog.col_description(a.attrelid, a.attnum))
    FROM relations r JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    LEFT JOIN pg_catalog.pg_collation c ON c.oid = a.attcollation
    UNION ALL
    SELECT pg_catalog.concat_ws('|', 'constraint', r.name, c.conname, c.convalidated, pg_catalog.pg_get_constraintdef(c.oid), pg_catalog.obj_description(c.oid, 'pg_constraint'))
    FROM relations r JOIN pg_catalog.pg_constraint c ON c.conrelid = r.oid
    UNION ALL
    SELECT pg_catalog.concat_ws('|', 'index', pg_catalog.pg_get_indexdef(i.indexrelid), i.indisprimary, i.indisvalid, i.indisreplident, i.indisclustered)
    FROM relations r JOIN pg_catalog.pg_index i ON i.indrelid = r.oid
    UNION ALL
    SELECT pg_catalog.concat_ws('|', 'view', r.name, pg_catalog.pg_get_viewdef(r.oid)) FROM relations r WHERE r.relkind = 'v'
    UNION ALL
    SELECT pg_catalog.concat_ws('|', 'trigger', pg_catalog.pg_get_triggerdef(t.oid), t.tgenabled, pg_catalog.obj_description(t.oid, 'pg_trigger'))
    FROM relations r JOIN pg_catalog.pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal
    UNION ALL
    SELECT pg_catalog.concat_ws('|', 'policy', r.name, p.polname, pg_catalog.pg_get_expr(p.polqual, p.polrelid), p.polcmd, p.polpermissive)
    FROM relations r JOIN pg_catalog.pg_policy p ON p.polrelid = r.oid
    UNION ALL
    SELECT pg_catalog.concat_ws('|', 'sequence', r.name, s.seqtypid::pg_catalog.regtype, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle)
    FROM relations r JOIN pg_catalog.pg_sequence s ON s.seqrelid = r.oid)
SELECT line FROM lines ORDER BY line COLLATE "C";
