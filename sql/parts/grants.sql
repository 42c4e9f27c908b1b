-- Everything is the installer's, and nothing is PUBLIC's.
DO $grants$
DECLARE
    routine regprocedure;
BEGIN
    FOR routine IN
        SELECT p.oid FROM pg_catalog.pg_proc p
        WHERE p.pronamespace OPERATOR(pg_catalog.=) 'contact_identity'::pg_catalog.regnamespace
          AND EXISTS (SELECT FROM pg_catalog.pg_depend d
                      WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
                        AND d.objid OPERATOR(pg_catalog.=) p.oid
                        AND d.deptype OPERATOR(pg_catalog.=) 'e')
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON ROUTINE %s FROM PUBLIC', routine);
        EXECUTE pg_catalog.format($own$ALTER ROUTINE %s OWNER TO @extowner@$own$, routine);
    END LOOP;
    ALTER TYPE contact_identity.identify_result OWNER TO @extowner@;
END
$grants$;
