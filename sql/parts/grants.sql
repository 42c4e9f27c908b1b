-- Everything is the installer's, and nothing is PUBLIC's.  What an update finds
-- has its owner and its rights already, and what is new is that owner's: after
-- pg_upgrade the extension is owned by whoever upgraded.
DO $grants$
DECLARE
    routine pg_catalog.regprocedure;
    new_type pg_catalog.regtype;
    owner pg_catalog.regrole;
BEGIN
    SELECT CASE WHEN p.proacl IS NULL THEN e.extowner ELSE p.proowner END INTO owner
    FROM pg_catalog.pg_extension e, pg_catalog.pg_proc p
    WHERE e.extname OPERATOR(pg_catalog.=) 'contact_identity'
      AND p.oid OPERATOR(pg_catalog.=) 'contact_identity.setup()'::pg_catalog.regprocedure;
    FOR routine IN
        SELECT p.oid
        FROM pg_catalog.pg_proc p
        JOIN pg_catalog.pg_depend d ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
         AND d.objid OPERATOR(pg_catalog.=) p.oid AND d.deptype OPERATOR(pg_catalog.=) 'e'
        JOIN pg_catalog.pg_extension e ON e.oid OPERATOR(pg_catalog.=) d.refobjid
         AND e.extname OPERATOR(pg_catalog.=) 'contact_identity'
        WHERE p.proacl IS NULL
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON ROUTINE %s FROM PUBLIC', routine);
        EXECUTE pg_catalog.format('ALTER ROUTINE %s OWNER TO %s', routine, owner);
    END LOOP;
    FOR new_type IN
        SELECT t.oid
        FROM pg_catalog.pg_type t
        JOIN pg_catalog.pg_depend d ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_type'::pg_catalog.regclass
         AND d.objid OPERATOR(pg_catalog.=) t.oid AND d.deptype OPERATOR(pg_catalog.=) 'e'
        JOIN pg_catalog.pg_extension e ON e.oid OPERATOR(pg_catalog.=) d.refobjid
         AND e.extname OPERATOR(pg_catalog.=) 'contact_identity'
        WHERE t.typowner OPERATOR(pg_catalog.<>) owner AND t.typtype OPERATOR(pg_catalog.=) 'c'
    LOOP
        EXECUTE pg_catalog.format('ALTER TYPE %s OWNER TO %s', new_type, owner);
    END LOOP;
END
$grants$;
