-- Requests in bulk: the view inbox, whose triggers these are, and import().
CREATE FUNCTION contact_identity.write_inbox() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ci_write_inbox';
COMMENT ON FUNCTION contact_identity.write_inbox() IS
    'Triggers of the view inbox: collect the rows of a statement and play them as requests.';

CREATE PROCEDURE contact_identity.import(
    query text DEFAULT NULL, source text DEFAULT NULL, INOUT job bigint DEFAULT NULL,
    account_id integer DEFAULT NULL)
LANGUAGE c AS 'MODULE_PATHNAME', 'ci_import';
COMMENT ON PROCEDURE contact_identity.import(text, text, bigint, integer) IS
    'Plays the rows of a query, which has a request_id and columns as inbox, and commits each batch: see the table jobs.'
    ' source is that of rows that have none. With a job it goes on with one that was interrupted, after the last request_id.';

CREATE FUNCTION contact_identity.cancel_import(job bigint, account_id integer DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ci_cancel_import';
COMMENT ON FUNCTION contact_identity.cancel_import(bigint, integer) IS
    'Lets a job of import() end with the batch that it is at. True if it was running.';
