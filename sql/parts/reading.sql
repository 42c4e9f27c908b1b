-- Functions that read, in the caller's snapshot.
CREATE FUNCTION contact_identity.readable_accounts() RETURNS integer[]
AS 'MODULE_PATHNAME', 'ci_readable_accounts'
LANGUAGE C STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION contact_identity.readable_accounts() IS
    'The accounts whose rows the views show to the current role.';

CREATE FUNCTION contact_identity.resolve(contact_id bigint, account_id integer DEFAULT NULL) RETURNS bigint
AS 'MODULE_PATHNAME', 'ci_resolve'
LANGUAGE C STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION contact_identity.resolve(bigint, integer) IS
    'The live contact that an id leads to: its own, or of an ended contact its survivor''s; null if it is unknown, purged or erased (RULES 6.3).';

CREATE FUNCTION contact_identity.find(kind text, value text, secondary boolean DEFAULT false,
    account_id integer DEFAULT NULL) RETURNS SETOF bigint
AS 'MODULE_PATHNAME', 'ci_find'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 1
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION contact_identity.find(text, text, boolean, integer) IS
    'The contact that owns an identifier, alias or key, given in any spelling; with secondary => true also those that have it as an open secondary value (RULES 5.8).';

CREATE FUNCTION contact_identity.contact_panel(contact_id bigint, key text DEFAULT NULL,
    account_id integer DEFAULT NULL)
RETURNS TABLE (field_type text, field text, primary_value jsonb, secondary_value jsonb, conflict_id bigint,
    owner_contact_id bigint, source text, via text, key text, given_at timestamptz)
AS 'MODULE_PATHNAME', 'ci_contact_panel'
LANGUAGE C STABLE PARALLEL SAFE ROWS 20
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION contact_identity.contact_panel(bigint, text, integer) IS
    'What a contact''s page shows: a row for each field and open conflict, with the primary and the secondary value; with a key only the conflicts of that key (RULES 2.9).';

CREATE FUNCTION contact_identity.check_integrity()
RETURNS TABLE (account_id integer, rule text, object text, problem text)
AS 'MODULE_PATHNAME', 'ci_check_integrity'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 1
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION contact_identity.check_integrity() IS
    'Proves over the whole database what must never happen (RULES 9) and returns a row for each breach; none: all is well.';
