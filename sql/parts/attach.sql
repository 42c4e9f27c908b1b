-- Rows of an application's own tables (RULES 8).  attach() and the triggers have
-- no search_path of their own: where they write into such a table, its triggers
-- must find what they find otherwise.  They set one around all else.
CREATE FUNCTION contact_identity.attach(
    "table" regclass, source text, key text DEFAULT NULL, email text DEFAULT NULL, phone text DEFAULT NULL,
    ext_id text DEFAULT NULL, whatsapp text DEFAULT NULL, landline text DEFAULT NULL,
    attributes text[] DEFAULT NULL, via text DEFAULT NULL, occurred_at text DEFAULT NULL,
    contact_id text DEFAULT NULL, verified boolean DEFAULT false, via_column text DEFAULT NULL,
    on_error text DEFAULT 'report', take_in boolean DEFAULT false,
    account_id integer DEFAULT NULL) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'ci_attach';
COMMENT ON FUNCTION contact_identity.attach(regclass, text, text, text, text, text, text, text, text[], text, text, text, boolean, text, text, boolean, integer) IS
    'From now on rows inserted into a table or updated are calls of identify (RULES 8). key to landline, via_column, occurred_at:'
    ' names of its columns; attributes: further ones, as column or column=name, or * for all others; contact_id: the column that'
    ' receives the contact''s id; on_error: report or raise; take_in: also the rows that are there, answering how many.'
    ' 42501: not the owner of the table; 22023: a column is missing or its type does not fit.';

CREATE FUNCTION contact_identity.detach("table" regclass, account_id integer DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ci_detach';
COMMENT ON FUNCTION contact_identity.detach(regclass, integer) IS
    'Undoes attach(); contacts stay. With an account only if the table is attached to that one. True if it was attached.';

CREATE FUNCTION contact_identity.attached_insert() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'ci_attached_insert';
COMMENT ON FUNCTION contact_identity.attached_insert() IS
    'Trigger of attach(): plays the rows that a statement has inserted.';

CREATE FUNCTION contact_identity.attached_update() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'ci_attached_update';
COMMENT ON FUNCTION contact_identity.attached_update() IS
    'Trigger of attach(): plays the rows in which a statement has changed a mapped column.';

CREATE FUNCTION contact_identity.attached_before_insert() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'ci_attached_before_insert';
COMMENT ON FUNCTION contact_identity.attached_before_insert() IS
    'Trigger of attach(): plays a row that is to be inserted and fills in its contact''s id.';

