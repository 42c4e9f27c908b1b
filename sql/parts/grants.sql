-- Everything is the installer's, and nothing is PUBLIC's.  What an update finds
-- has its owner and its rights already.
DO $grants$
DECLARE
    routine record;
    new_type record;
BEGIN
    FOR routine IN
        SELECT p.oid::pg_catalog.regprocedure AS name, e.extowner::pg_catalog.regrole AS owner
        FROM pg_catalog.pg_proc p
        JOIN pg_catalog.pg_depend d ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
         AND d.objid OPERATOR(pg_catalog.=) p.oid AND d.deptype OPERATOR(pg_catalog.=) 'e'
        JOIN pg_catalog.pg_extension e ON e.oid OPERATOR(pg_catalog.=) d.refobjid
         AND e.extname OPERATOR(pg_catalog.=) 'contact_identity'
        WHERE p.proacl IS NULL
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON ROUTINE %s FROM PUBLIC', routine.name);
        EXECUTE pg_catalog.format('ALTER ROUTINE %s OWNER TO %s', routine.name, routine.owner);
    END LOOP;
    FOR new_type IN
        SELECT t.oid::pg_catalog.regtype AS name, e.extowner::pg_catalog.regrole AS owner
        FROM pg_catalog.pg_type t
        JOIN pg_catalog.pg_depend d ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_type'::pg_catalog.regclass
         AND d.objid OPERATOR(pg_catalog.=) t.oid AND d.deptype OPERATOR(pg_catalog.=) 'e'
        JOIN pg_catalog.pg_extension e ON e.oid OPERATOR(pg_catalog.=) d.refobjid
         AND e.extname OPERATOR(pg_catalog.=) 'contact_identity'
        WHERE t.typowner OPERATOR(pg_catalog.<>) e.extowner AND t.typtype OPERATOR(pg_catalog.=) 'c'
    LOOP
        EXECUTE pg_catalog.format('ALTER TYPE %s OWNER TO %s', new_type.name, new_type.owner);
    END LOOP;
END
$grants$;
