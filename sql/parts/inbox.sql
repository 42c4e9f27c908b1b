-- Requests in bulk: the view inbox, whose triggers these are, and import().
CREATE FUNCTION contact_identity.write_inbox() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ci_write_inbox';
COMMENT ON FUNCTION contact_identity.write_inbox() IS
    'Triggers of the view inbox: collect the rows of a statement and play them as requests.';
