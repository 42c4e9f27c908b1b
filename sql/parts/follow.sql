-- Columns of an application's tables that hold ids of contacts (RULES 10.8).
-- follow() has no search_path of its own: it keeps that of its caller for the
-- triggers of the table, and sets one around all else.
CREATE FUNCTION contact_identity.follow(
    "table" regclass, "column" text, account_id integer DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'ci_follow';
COMMENT ON FUNCTION contact_identity.follow(regclass, text, integer) IS
    'From now on a merge re-points a column of contact ids to the survivor, and unmerge() puts it back (RULES 10.8).'
    ' True if it was not followed. 42501: not the owner of the table; 22023: no such column, its type does not fit, or no primary key;'
    ' 42809: not a table that can be followed.';

CREATE FUNCTION contact_identity.unfollow(
    "table" regclass, "column" text, account_id integer DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ci_unfollow';
COMMENT ON FUNCTION contact_identity.unfollow(regclass, text, integer) IS
    'Undoes follow(); rows stay as they are, and unmerge() puts none of them back. True if the column was followed.';

CREATE FUNCTION contact_identity.repoint_followed(account_id integer DEFAULT NULL) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ci_repoint_followed';
COMMENT ON FUNCTION contact_identity.repoint_followed(integer) IS
    'Re-points the rows of followed columns that name ended contacts: those from before follow(), those written while the contact was'
    ' being merged, and those that a constraint kept back. Answers how many (RULES 10.8).';

CREATE FUNCTION contact_identity.unfollowed_references(
    account_id integer DEFAULT NULL, OUT "table" regclass, OUT "column" text, OUT "constraint" text, OUT problem text)
RETURNS SETOF record
LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ci_unfollowed_references';
COMMENT ON FUNCTION contact_identity.unfollowed_references(integer) IS
    'Foreign keys to contacts that no follow() covers, and followed columns that are gone (RULES 10.8).';

CREATE FUNCTION contact_identity.named_contacts(
    contact_ids bigint[], account_id integer DEFAULT NULL) RETURNS bigint[]
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ci_named_contacts';
COMMENT ON FUNCTION contact_identity.named_contacts(bigint[], integer) IS
    'Those of some contacts that a row of yours names, in a followed column or by a foreign key (RULES 10.7); in order of id.';

CREATE FUNCTION contact_identity.followed_truncate() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ci_followed_truncate';
COMMENT ON FUNCTION contact_identity.followed_truncate() IS
    'Trigger of follow(): marks the table as followed, and forgets its rows when it is truncated.';

