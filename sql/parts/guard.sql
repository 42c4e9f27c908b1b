\echo Use "CREATE EXTENSION contact_identity" to load this file. \quit

-- Values are compared as UTF-8, and what is in the schema is trusted: nobody
-- but its owner may put something there.
DO $guard$
BEGIN
    IF pg_catalog.current_setting('server_encoding') OPERATOR(pg_catalog.<>) 'UTF8' THEN
        RAISE EXCEPTION 'contact_identity needs a database with encoding UTF8'
            USING ERRCODE = 'feature_not_supported';
    END IF;
    IF NOT EXISTS (
        SELECT FROM pg_catalog.pg_namespace n, pg_catalog.pg_roles r
        WHERE n.nspname OPERATOR(pg_catalog.=) 'contact_identity'
          AND r.oid OPERATOR(pg_catalog.=) $role$@extowner@$role$::pg_catalog.regrole
          AND (r.rolsuper OR n.nspowner OPERATOR(pg_catalog.=) r.oid)) THEN
        RAISE EXCEPTION 'schema contact_identity belongs to another role'
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'Install as the owner of the schema, or drop it.';
    END IF;
    IF EXISTS (
        SELECT FROM pg_catalog.pg_namespace n, pg_catalog.aclexplode(n.nspacl) a
        WHERE n.nspname OPERATOR(pg_catalog.=) 'contact_identity'
          AND a.privilege_type OPERATOR(pg_catalog.=) 'CREATE'
          AND a.grantee OPERATOR(pg_catalog.<>) n.nspowner) THEN
        RAISE EXCEPTION 'others than its owner may create objects in schema contact_identity'
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'REVOKE CREATE ON SCHEMA contact_identity from them first.';
    END IF;
END
$guard$;

