-- The extension installs into a schema of its own.
CREATE EXTENSION contact_identity;
SELECT n.nspname, e.extversion FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'contact_identity';
-- its library is named by no user: loading it defines the settings
LOAD '$libdir/contact_identity';
SHOW contact_identity.account_id;
-- fail: accounts count from 1
SET contact_identity.account_id = 0;
-- fail: the prefix is reserved
SET contact_identity.acount_id = 2;
