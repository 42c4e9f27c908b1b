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

CREATE TYPE contact_identity.identify_result AS (
    request           integer,
    contact_id        bigint,
    outcome           text,
    merged_contact_id bigint,
    conflicts         bigint[],
    ignored           text[],
    error             text
);
COMMENT ON TYPE contact_identity.identify_result IS 'What a call did (RULES 4.17).';
COMMENT ON COLUMN contact_identity.identify_result.request IS 'Number of the request in its batch, from 1.';
COMMENT ON COLUMN contact_identity.identify_result.contact_id IS 'The contact that the call meant: live, and where a merge happened the survivor.';
COMMENT ON COLUMN contact_identity.identify_result.outcome IS
    'The first that fits: merged (a contact ended), switched (a key changed hands), created (a new contact, identified),'
    ' captured (a new one, anonymous), identified (anonymous until now), updated, unchanged.';
COMMENT ON COLUMN contact_identity.identify_result.merged_contact_id IS 'The contact that ended, if one did.';
COMMENT ON COLUMN contact_identity.identify_result.conflicts IS 'The open conflicts that the call opened or met again.';
COMMENT ON COLUMN contact_identity.identify_result.ignored IS
    'What was not stored: kinds of identifiers or of the key, names of attributes.';
COMMENT ON COLUMN contact_identity.identify_result.error IS 'SQLSTATE and message of a request of a batch that could not be used.';

CREATE FUNCTION contact_identity.settings_changed() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ci_settings_changed';
COMMENT ON FUNCTION contact_identity.settings_changed() IS
    'Trigger on the tables of settings: sessions read them again.';

CREATE FUNCTION contact_identity.keep_setting_in_use() RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    in_use boolean;
BEGIN
    IF TG_TABLE_NAME = 'list' THEN
        in_use := EXISTS (SELECT FROM contact_identity.list_member m
                          WHERE m.account_id = OLD.account_id AND m.list_id = OLD.list_id);
    ELSE
        in_use := EXISTS (SELECT FROM contact_identity.identifier i
                          WHERE i.account_id = OLD.account_id AND i.kind = OLD.kind);
    END IF;
    IF in_use THEN
        RAISE EXCEPTION '% is in use by contacts', CASE TG_TABLE_NAME WHEN 'list' THEN 'list' ELSE 'kind of identifiers' END
            USING ERRCODE = 'foreign_key_violation',
                  HINT = 'A list can be renamed; a source that makes keys of a kind can be switched off.';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
COMMENT ON FUNCTION contact_identity.keep_setting_in_use() IS
    'Trigger: kinds and lists that contacts have are not removed (23503).';

CREATE FUNCTION contact_identity.write_contacts() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ci_write_contacts';
COMMENT ON FUNCTION contact_identity.write_contacts() IS
    'Trigger of the views contacts and all_contacts: a row written there is a request of source api, a row deleted there is erased.'
    ' 23505: value of another contact; 428C9: the column is derived; 55000: the last identifier (RULES 4.5).';

CREATE FUNCTION contact_identity.create_account(account_id integer, name text) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ci_create_account';
COMMENT ON FUNCTION contact_identity.create_account(integer, text) IS
    'Makes a further contact database with the built-in kinds, sources, list and blocked values (RULES 0). 23505: it is there already.';

CREATE FUNCTION contact_identity.capture(
    source text, key text, attributes jsonb DEFAULT NULL, via text DEFAULT NULL,
    occurred_at timestamptz DEFAULT NULL, account_id integer DEFAULT NULL) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ci_capture';
COMMENT ON FUNCTION contact_identity.capture(text, text, jsonb, text, timestamptz, integer) IS
    'The contact of a key; a new key makes one anonymous contact (RULES 1). 22023: source, via or key cannot be used.';

CREATE FUNCTION contact_identity.identify(
    source text, key text DEFAULT NULL, email text DEFAULT NULL, phone text DEFAULT NULL,
    ext_id text DEFAULT NULL, whatsapp text DEFAULT NULL, landline text DEFAULT NULL,
    attributes jsonb DEFAULT NULL, via text DEFAULT NULL, occurred_at timestamptz DEFAULT NULL,
    contact_id bigint DEFAULT NULL, verified boolean DEFAULT false, actor text DEFAULT NULL,
    account_id integer DEFAULT NULL) RETURNS contact_identity.identify_result
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ci_identify';
COMMENT ON FUNCTION contact_identity.identify(text, text, text, text, text, text, text, jsonb, text, timestamptz, bigint, boolean, text, integer) IS
    'Says who a visitor is and stores what was given (RULES 3 and 4). occurred_at: when it was said, null for now.'
    ' 22023: malformed; 23505: value of another contact, where the source refuses; P0002: no such contact; 54000: too large.';

CREATE FUNCTION contact_identity.identify_batch(
    requests jsonb, account_id integer DEFAULT NULL) RETURNS SETOF contact_identity.identify_result
LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ci_identify_batch';
COMMENT ON FUNCTION contact_identity.identify_batch(jsonb, integer) IS
    'Plays an array of objects with the arguments of identify() and op (identify, capture, subscribe, unsubscribe, logout):'
    ' a row for each, in order; a bad request has its error there and stops nobody else.';

CREATE FUNCTION contact_identity.subscribe(
    source text, key text, via text DEFAULT NULL, account_id integer DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ci_subscribe';
COMMENT ON FUNCTION contact_identity.subscribe(text, text, text, integer) IS
    'Opts a push key in again (RULES 1.7). True if that changed anything.';

CREATE FUNCTION contact_identity.unsubscribe(
    source text, key text, via text DEFAULT NULL, account_id integer DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ci_unsubscribe';
COMMENT ON FUNCTION contact_identity.unsubscribe(text, text, text, integer) IS
    'Opts a push key out (RULES 1.7). True if that changed anything.';

CREATE FUNCTION contact_identity.logout(
    source text, key text, via text DEFAULT NULL, account_id integer DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ci_logout';
COMMENT ON FUNCTION contact_identity.logout(text, text, text, integer) IS
    'Detaches a key from its contact (RULES 1.9). True if somebody had it.';

CREATE FUNCTION contact_identity.promote(
    conflict_id bigint, agent text, customer_confirmed boolean DEFAULT false,
    account_id integer DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ci_promote';
COMMENT ON FUNCTION contact_identity.promote(bigint, text, boolean, integer) IS
    'Makes the secondary value of a conflict the primary one (RULES 5.3). 22023: no agent or not confirmed;'
    ' 23505: another contact holds it; 55000: settled already; P0002: no such conflict.';

CREATE FUNCTION contact_identity.dismiss(
    conflict_id bigint, agent text, account_id integer DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ci_dismiss';
COMMENT ON FUNCTION contact_identity.dismiss(bigint, text, integer) IS
    'Keeps the primary value and settles the conflict (RULES 5.5). 22023: no agent; 55000: settled already; P0002: no such conflict.';

CREATE FUNCTION contact_identity.merge(
    survivor bigint, loser bigint, agent text, newer_wins boolean DEFAULT false,
    account_id integer DEFAULT NULL) RETURNS contact_identity.identify_result
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ci_merge';
COMMENT ON FUNCTION contact_identity.merge(bigint, bigint, text, boolean, integer) IS
    'Merges one contact into another (RULES 6.4 to 6.7). newer_wins: of two values the newer becomes primary.'
    ' 22023: no agent, or an identified contact into an anonymous one; P0002: no such contact.';

CREATE FUNCTION contact_identity.block(
    contact_id bigint, channel text, actor text DEFAULT NULL, account_id integer DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ci_block';
COMMENT ON FUNCTION contact_identity.block(bigint, text, text, integer) IS
    'The contact is not to be reached by email, sms, whatsapp or push (RULES 2.7). True if that is new.';

CREATE FUNCTION contact_identity.unblock(
    contact_id bigint, channel text, actor text DEFAULT NULL, account_id integer DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ci_unblock';
COMMENT ON FUNCTION contact_identity.unblock(bigint, text, text, integer) IS
    'Lifts a block. True if there was one.';

CREATE FUNCTION contact_identity.add_to_list(
    contact_id bigint, list text, actor text DEFAULT NULL, account_id integer DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ci_add_to_list';
COMMENT ON FUNCTION contact_identity.add_to_list(bigint, text, text, integer) IS
    'Puts a contact on a list, by its name. True if it was not subscribed. 22023: no such list.';

CREATE FUNCTION contact_identity.remove_from_list(
    contact_id bigint, list text, actor text DEFAULT NULL, account_id integer DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ci_remove_from_list';
COMMENT ON FUNCTION contact_identity.remove_from_list(bigint, text, text, integer) IS
    'Unsubscribes a contact from a list; its row stays, so that no source puts it back (RULES 4.12). True if it was subscribed.';

CREATE FUNCTION contact_identity.normalize(
    kind text, value text, account_id integer DEFAULT NULL) RETURNS text
LANGUAGE c STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ci_normalize';
COMMENT ON FUNCTION contact_identity.normalize(text, text, integer) IS
    'The form in which a value of a kind is compared (RULES 7). 22023: malformed, or no such kind; null for null.';

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
-- The views over the tables, made by setup().  Each table in a view says by
-- itself which accounts the reader may see: the planner does not carry that
-- over a join.  The sub-select around readable_accounts() makes the server ask
-- once for a query and not once for a row.
--
-- Tables that only add a column are joined from the left on a unique index, so
-- that a query that does not ask for the column does not read them.
CREATE FUNCTION contact_identity.make_views() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $views$
DECLARE
    made text[] := '{}';
    item record;
    -- contacts and all_contacts differ in whom they show, and in nothing else.
    listing constant text := $listing$
        SELECT c.account_id,
               c.contact_id,
               (CASE c.state
                    WHEN 'anonymous' THEN replace(c.anonymous_label, '<id>', c.contact_id::text)
                    ELSE coalesce(c.email,
                                  (SELECT i.value
                                   FROM contact_identity.identifier i
                                   JOIN contact_identity.identifier_kind k
                                     ON k.account_id = i.account_id AND k.kind = i.kind
                                   WHERE i.account_id = c.account_id AND i.contact_id = c.contact_id
                                     AND i.is_primary
                                   ORDER BY k.strength LIMIT 1))
                END) COLLATE "default" AS label,
               c.state,
               c.email,
               c.phone,
               c.ext_id,
               c.whatsapp,
               c.landline,
               c.attributes,
               ARRAY(SELECT DISTINCT r.channel
                     FROM contact_identity.audience r
                     WHERE r.account_id = c.account_id AND r.contact_id = c.contact_id
                     ORDER BY r.channel)::text[] AS reachable,
               (SELECT count(*)
                FROM contact_identity.conflict o
                WHERE o.account_id = c.account_id AND o.contact_id = c.contact_id
                  AND o.status = 'open') AS open_conflicts,
               c.created_at,
               c.identified_at,
               c.updated_at,
               c.last_seen_at
        FROM contact_identity.live_contact c
        $listing$;
    -- Whom the listing shows (RULES 2.1, 2.2).
    listed constant text := $listed$
        WHERE c.state = 'identified'
           OR EXISTS (SELECT
                      FROM contact_identity.identifier i
                      JOIN contact_identity.identifier_kind k
                        ON k.account_id = i.account_id AND k.kind = i.kind
                      WHERE i.account_id = c.account_id AND i.contact_id = c.contact_id
                        AND NOT i.parked AND k.channel = 'push')
           OR (c.made = 'push'
               AND NOT EXISTS (SELECT
                               FROM contact_identity.identifier i
                               WHERE i.account_id = c.account_id AND i.contact_id = c.contact_id
                                 AND NOT i.parked))
        $listed$;
BEGIN
    IF to_regclass('contact_identity.audience') IS NULL THEN
        -- A key reaches by push and by nothing else, an identifier as primary
        -- only (RULES 2.7).
        CREATE VIEW contact_identity.audience WITH (security_barrier) AS
        SELECT i.account_id,
               i.contact_id,
               k.channel,
               i.value
        FROM contact_identity.identifier i
        JOIN contact_identity.identifier_kind k
          ON k.account_id = i.account_id AND k.kind = i.kind
         AND k.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
        WHERE i.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
          AND NOT i.parked
          AND CASE WHEN k.identifying THEN i.is_primary AND k.channel IS NOT NULL
                   ELSE i.opted_in AND k.channel = 'push' END
          AND NOT EXISTS (SELECT
                          FROM contact_identity.block b
                          WHERE b.account_id = i.account_id AND b.contact_id = i.contact_id
                            AND b.channel = k.channel);
        made := made || 'audience'::text;
    END IF;

    IF to_regclass('contact_identity.live_contact') IS NULL THEN
        CREATE VIEW contact_identity.live_contact WITH (security_barrier) AS
        SELECT c.account_id,
               c.contact_id,
               c.state,
               c.made,
               a.anonymous_label,
               email.value AS email,
               phone.value AS phone,
               ext_id.value AS ext_id,
               whatsapp.value AS whatsapp,
               landline.value AS landline,
               c.attributes,
               c.created_at,
               c.identified_at,
               c.updated_at,
               c.last_seen_at
        FROM contact_identity.contact c
        LEFT JOIN contact_identity.account a
          ON a.account_id = c.account_id
         AND a.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
        LEFT JOIN contact_identity.identifier email
          ON email.account_id = c.account_id AND email.contact_id = c.contact_id
         AND email.kind = 'email' AND (CASE WHEN email.is_primary THEN 1 END) = 1
         AND email.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
        LEFT JOIN contact_identity.identifier phone
          ON phone.account_id = c.account_id AND phone.contact_id = c.contact_id
         AND phone.kind = 'phone' AND (CASE WHEN phone.is_primary THEN 1 END) = 1
         AND phone.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
        LEFT JOIN contact_identity.identifier ext_id
          ON ext_id.account_id = c.account_id AND ext_id.contact_id = c.contact_id
         AND ext_id.kind = 'ext_id' AND (CASE WHEN ext_id.is_primary THEN 1 END) = 1
         AND ext_id.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
        LEFT JOIN contact_identity.identifier whatsapp
          ON whatsapp.account_id = c.account_id AND whatsapp.contact_id = c.contact_id
         AND whatsapp.kind = 'whatsapp' AND (CASE WHEN whatsapp.is_primary THEN 1 END) = 1
         AND whatsapp.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
        LEFT JOIN contact_identity.identifier landline
          ON landline.account_id = c.account_id AND landline.contact_id = c.contact_id
         AND landline.kind = 'landline' AND (CASE WHEN landline.is_primary THEN 1 END) = 1
         AND landline.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
        WHERE c.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
          AND c.state IN ('anonymous', 'identified');
        made := made || 'live_contact'::text;
    END IF;

    -- These two read tables through live_contact alone, and beside it only what
    -- belongs to one of its rows.  They are no barriers themselves, because a
    -- barrier has every column of every row made before the rows are sorted: a
    -- page of 50 would cost as much as all contacts.
    FOR item IN
        SELECT * FROM (VALUES ('contacts', listed), ('all_contacts', '')) v (name, shown)
    LOOP
        IF to_regclass('contact_identity.' || item.name) IS NULL THEN
            EXECUTE format('CREATE VIEW contact_identity.%I AS ', item.name) || listing || item.shown;
            made := made || item.name;
        END IF;
        IF NOT EXISTS (SELECT FROM pg_trigger t
                       WHERE t.tgrelid = to_regclass('contact_identity.' || item.name)
                         AND t.tgname = 'contact_identity_write') THEN
            EXECUTE format('CREATE TRIGGER contact_identity_write INSTEAD OF INSERT OR UPDATE OR DELETE'
                           ' ON contact_identity.%I FOR EACH ROW'
                           ' EXECUTE FUNCTION contact_identity.write_contacts()', item.name);
        END IF;
    END LOOP;

    IF to_regclass('contact_identity.contact_counts') IS NULL THEN
        CREATE VIEW contact_identity.contact_counts WITH (security_barrier) AS
        SELECT a.account_id,
               n.identified,
               n.anonymous_push,
               n.anonymous_conversations,
               n.identified + n.anonymous_push AS listing_total,
               n.identified + n.anonymous_push + n.anonymous_conversations AS home_total
        FROM contact_identity.account a
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(p.identified), 0)::bigint AS identified,
                   coalesce(sum(p.anonymous_push), 0)::bigint AS anonymous_push,
                   coalesce(sum(p.anonymous_conversations), 0)::bigint AS anonymous_conversations
            FROM contact_identity.contact_count p
            WHERE p.account_id = a.account_id) n
        WHERE a.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[]);
        made := made || 'contact_counts'::text;
    END IF;

    IF to_regclass('contact_identity.identifiers') IS NULL THEN
        CREATE VIEW contact_identity.identifiers WITH (security_barrier) AS
        SELECT i.account_id,
               i.kind,
               i.value,
               coalesce(i.given, i.value) AS given,
               i.contact_id,
               k.identifying,
               i.is_primary,
               i.opted_in OR k.identifying OR k.channel IS DISTINCT FROM 'push' AS active,
               i.verified,
               i.source,
               i.updated_at
        FROM contact_identity.identifier i
        LEFT JOIN contact_identity.identifier_kind k
          ON k.account_id = i.account_id AND k.kind = i.kind
         AND k.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
        WHERE i.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
          AND NOT i.parked;
        made := made || 'identifiers'::text;
    END IF;

    IF to_regclass('contact_identity.conflicts') IS NULL THEN
        CREATE VIEW contact_identity.conflicts WITH (security_barrier) AS
        SELECT v.account_id,
               v.conflict_id,
               v.contact_id,
               v.field_type,
               v.field,
               CASE v.field_type
                    WHEN 'identifier' THEN to_jsonb(p.value)
                    ELSE c.attributes -> v.field
               END AS primary_value,
               v.secondary_value,
               (SELECT nullif(live.contact_id, v.contact_id)
                FROM contact_identity.contact o
                JOIN contact_identity.contact live
                  ON live.account_id = o.account_id AND live.contact_id = coalesce(o.survivor_id, o.contact_id)
                WHERE o.account_id = v.account_id AND o.contact_id = v.owner_contact_id
                  AND live.state IN ('anonymous', 'identified')) AS owner_contact_id,
               v.source,
               v.via,
               v.key,
               v.status,
               v.given_at,
               v.settled_by,
               v.settled_at,
               v.key_kind,
               v.given
        FROM contact_identity.conflict v
        LEFT JOIN contact_identity.contact c
          ON c.account_id = v.account_id AND c.contact_id = v.contact_id
         AND c.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
        LEFT JOIN contact_identity.identifier p
          ON p.account_id = v.account_id AND p.contact_id = v.contact_id AND p.kind = v.field
         AND (CASE WHEN p.is_primary THEN 1 END) = 1
         AND p.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
        WHERE v.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[]);
        made := made || 'conflicts'::text;
    END IF;

    IF to_regclass('contact_identity.merges') IS NULL THEN
        CREATE VIEW contact_identity.merges WITH (security_barrier) AS
        SELECT m.account_id,
               m.merge_id,
               m.survivor_id,
               m.merged_id,
               m.source,
               m.actor,
               m.merged_at,
               m.detail,
               m.role
        FROM contact_identity.merge m
        WHERE m.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[]);
        made := made || 'merges'::text;
    END IF;

    IF to_regclass('contact_identity.history') IS NULL THEN
        CREATE VIEW contact_identity.history WITH (security_barrier) AS
        SELECT h.account_id,
               h.event_id,
               h.contact_id,
               h.event,
               h.field_type,
               CASE h.field_type
                   WHEN 'list' THEN coalesce((SELECT l.name FROM contact_identity.list l
                                              WHERE l.account_id = h.account_id
                                                AND l.list_id = h.field::integer), h.field)
                   ELSE h.field
               END AS field,
               h.old_value,
               h.new_value,
               h.source,
               h.via,
               h.actor,
               h.role,
               h.occurred_at,
               h.written_at,
               h.call_id,
               h.merge_id,
               h.conflict_id,
               h.other_contact_id,
               h.old_source,
               h.old_at,
               h.new_source,
               h.new_at,
               h.found_kind,
               h.found_value,
               h.detail,
               h.xid
        FROM contact_identity.event h
        WHERE h.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[]);
        made := made || 'history'::text;
    END IF;

    IF to_regclass('contact_identity.lists') IS NULL THEN
        CREATE VIEW contact_identity.lists WITH (security_barrier) AS
        SELECT m.account_id,
               l.name AS list,
               m.contact_id,
               m.subscribed,
               m.since
        FROM contact_identity.list_member m
        LEFT JOIN contact_identity.list l
          ON l.account_id = m.account_id AND l.list_id = m.list_id
         AND l.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
        WHERE m.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[]);
        made := made || 'lists'::text;
    END IF;

    -- It holds nothing.  Its columns are texts, so that what is not of a
    -- column's type is a rejected request and no error of COPY.
    IF to_regclass('contact_identity.inbox') IS NULL THEN
        CREATE VIEW contact_identity.inbox WITH (security_barrier) AS
        SELECT n.t AS source,
               n.t AS key,
               n.t AS email,
               n.t AS phone,
               n.t AS ext_id,
               n.t AS whatsapp,
               n.t AS landline,
               n.t AS attributes,
               n.t AS via,
               n.t AS occurred_at,
               n.t AS contact_id,
               n.t AS verified,
               n.t AS actor,
               n.t AS op,
               n.t AS account_id
        FROM (VALUES (NULL::text)) n (t)
        WHERE false;
        made := made || 'inbox'::text;
    END IF;
    FOR item IN
        SELECT *
        FROM (VALUES ('contact_identity_inbox_begin', 'BEFORE INSERT OR UPDATE OR DELETE', 'STATEMENT'),
                     ('contact_identity_inbox_row', 'INSTEAD OF INSERT OR UPDATE OR DELETE', 'ROW'),
                     ('contact_identity_inbox_end', 'AFTER INSERT', 'STATEMENT')) t (name, fired, level)
        WHERE NOT EXISTS (SELECT FROM pg_trigger g
                          WHERE g.tgrelid = 'contact_identity.inbox'::regclass AND g.tgname = t.name)
    LOOP
        EXECUTE format('CREATE TRIGGER %I %s ON contact_identity.inbox FOR EACH %s'
                       ' EXECUTE FUNCTION contact_identity.write_inbox()', item.name, item.fired, item.level);
    END LOOP;

    FOR item IN
        SELECT v.name, v.comment
        FROM (VALUES
            ('live_contact', 'What contacts and all_contacts are made of; read those.'),
            ('contacts', 'The listing: every identified and every anonymous push contact (RULES 2.2).'),
            ('all_contacts', 'Every live contact: the listing and the anonymous conversations contacts.'),
            ('contact_counts', 'Exact numbers of contacts, a row for each account; they equal count(*) over the rows of the same snapshot (RULES 2.3, 2.4).'),
            ('identifiers', 'Every identifier and key and whose it is. A detached key is nobody''s and not here.'),
            ('conflicts', 'Secondary values: given and different from the primary one, open and settled (RULES 5).'),
            ('merges', 'What each merge took and set aside (RULES 6.8).'),
            ('history', 'Every change of every contact (RULES 10.1); event_id gives the order.'),
            ('lists', 'Who is on a list, and who was.'),
            ('audience', 'Every value that a contact can be reached by now (RULES 2.7): one row for each primary identifier and each opted-in push key whose channel is not blocked.'),
            ('inbox', 'Takes INSERT and COPY: each row is a request that is played as identify() would, many at a time. A row that cannot be used goes to the table rejected.')
        ) v (name, comment)
        WHERE v.name = ANY (made)
    LOOP
        EXECUTE format('REVOKE ALL ON contact_identity.%I FROM PUBLIC', item.name);
        EXECUTE format('COMMENT ON VIEW contact_identity.%I IS %L', item.name, item.comment);
    END LOOP;

    FOR item IN
        WITH described (views, name, comment) AS (VALUES
            ('live_contact contacts all_contacts contact_counts identifiers conflicts merges history lists audience',
             'account_id', 'The contact database that the row belongs to.'),

            ('live_contact contacts all_contacts', 'contact_id', 'The contact; its number never changes meaning.'),
            ('contacts all_contacts', 'label', 'What to call it: its e-mail address, else its strongest identifier; of an anonymous one the account''s anonymous_label with the contact''s id (RULES 1.5).'),
            ('live_contact contacts all_contacts', 'state', 'anonymous or identified: it is identified while it holds an identifying identifier (RULES 1.4).'),
            ('live_contact contacts all_contacts', 'email', 'Primary e-mail address, normalised; null: none. The view identifiers has the spelling and the aliases.'),
            ('live_contact contacts all_contacts', 'phone', 'Primary telephone number in E.164; null: none.'),
            ('live_contact contacts all_contacts', 'ext_id', 'Primary id in the customer''s own system; null: none.'),
            ('live_contact contacts all_contacts', 'whatsapp', 'Primary WhatsApp number in E.164; null: none.'),
            ('live_contact contacts all_contacts', 'landline', 'Primary landline number in E.164; null: none.'),
            ('live_contact contacts all_contacts', 'attributes', 'Primary values by name, a JSON object; cleared ones are left out.'),
            ('contacts all_contacts', 'reachable', 'The channels it can be reached by now, in alphabetical order, of email, push, sms and whatsapp; {}: none (RULES 2.7).'),
            ('contacts all_contacts', 'open_conflicts', 'How many secondary values wait for an agent (RULES 5).'),
            ('live_contact contacts all_contacts', 'created_at', 'When the contact was made, in the time of the information (RULES 4.10).'),
            ('live_contact contacts all_contacts', 'identified_at', 'When it became identified; null: anonymous.'),
            ('live_contact contacts all_contacts', 'updated_at', 'When anything about it last changed.'),
            ('live_contact contacts all_contacts', 'last_seen_at', 'When it was last seen, noted at most once in the account''s seen_interval (RULES 1.2).'),

            ('live_contact', 'made', 'What its source makes: push or conversations; null: nothing anonymous (RULES 2.1).'),
            ('live_contact', 'anonymous_label', 'The account''s label of anonymous contacts.'),

            ('contact_counts', 'identified', 'Identified contacts.'),
            ('contact_counts', 'anonymous_push', 'Anonymous contacts that hold a push key, or no key and were made by a push source (RULES 2.1).'),
            ('contact_counts', 'anonymous_conversations', 'All other anonymous contacts.'),
            ('contact_counts', 'listing_total', 'identified + anonymous_push: the rows of the view contacts.'),
            ('contact_counts', 'home_total', 'listing_total + anonymous_conversations: the rows of the view all_contacts.'),

            ('identifiers', 'kind', 'Kind of the identifier or key, a row of identifier_kind.'),
            ('identifiers', 'value', 'The normalised value, unique in its account and kind (RULES 7, 9.1).'),
            ('identifiers', 'given', 'The value as it was spelt when it was given.'),
            ('identifiers', 'contact_id', 'The contact that owns it.'),
            ('identifiers', 'identifying', 'true: an identifier, which makes its contact identified; false: a key.'),
            ('identifiers', 'is_primary', 'true: the contact''s one primary value of that kind; false: a key, or an alias that a merge left (RULES 6.4).'),
            ('identifiers', 'active', 'false: a push key that is opted out (RULES 1.7).'),
            ('identifiers', 'verified', 'true: a call with verified => true gave it, or an agent promoted it (RULES 4.18).'),
            ('identifiers', 'source', 'The source that gave it to its contact.'),
            ('identifiers', 'updated_at', 'The time of the value, or of the key''s attachment, that newer calls are compared with (RULES 3.9, 4.10).'),

            ('conflicts', 'conflict_id', 'The conflict, as promote() and dismiss() take it.'),
            ('conflicts', 'contact_id', 'The contact that the value was given for.'),
            ('conflicts', 'field_type', 'identifier or attribute.'),
            ('conflicts', 'field', 'The identifier''s kind, or the attribute''s name.'),
            ('conflicts', 'primary_value', 'The contact''s primary value as it is now; null: it has none.'),
            ('conflicts', 'secondary_value', 'The value that was given and differs; an identifier is normalised.'),
            ('conflicts', 'owner_contact_id', 'The other contact whose value it was when it was given, followed to its survivor; null: nobody else''s, or erased (RULES 5.7).'),
            ('conflicts', 'source', 'The source that gave it; merge: a merge set it aside.'),
            ('conflicts', 'via', 'The via that it came by; null: none was given.'),
            ('conflicts', 'key', 'The key that it was given with; of a merge the ended contact''s id; null: none.'),
            ('conflicts', 'status', 'open, promoted, dismissed or obsolete.'),
            ('conflicts', 'given_at', 'The time of the value.'),
            ('conflicts', 'settled_by', 'The agent, or the actor that the call named, whose call settled it; null: open, or none was named.'),
            ('conflicts', 'settled_at', 'When it was settled; null: open.'),
            ('conflicts', 'key_kind', 'The kind of the key; contact: key is the id of a merge''s ended contact.'),
            ('conflicts', 'given', 'An identifier as it was spelt when it was given; null of attributes.'),

            ('merges', 'merge_id', 'The merge; rows of history name it.'),
            ('merges', 'survivor_id', 'The contact that lived on then; resolve() leads to the one that does now.'),
            ('merges', 'merged_id', 'The contact that ended.'),
            ('merges', 'source', 'The source of the call that merged.'),
            ('merges', 'actor', 'The agent, or the actor that the call named; null: none.'),
            ('merges', 'merged_at', 'When they were merged.'),
            ('merges', 'detail', 'What was taken and what was set aside, as unmerge needs it.'),
            ('merges', 'role', 'The session''s role.'),

            ('history', 'event_id', 'The change; a later one has a higher number.'),
            ('history', 'contact_id', 'The contact that changed.'),
            ('history', 'event', 'What happened, in a word.'),
            ('history', 'field_type', 'contact, identifier, key, attribute, list or block.'),
            ('history', 'field', 'The kind, the attribute''s name, the list''s name or the channel.'),
            ('history', 'old_value', 'What was there before; null: nothing.'),
            ('history', 'new_value', 'What is there since, or a conflict''s secondary value; null: nothing.'),
            ('history', 'source', 'The source of the call; null: it needs none.'),
            ('history', 'via', 'The via of the call; null: none was given.'),
            ('history', 'actor', 'The agent, or the actor that the call named; null: none.'),
            ('history', 'role', 'The session''s role.'),
            ('history', 'occurred_at', 'When it happened: the time of the call''s information (RULES 4.10).'),
            ('history', 'written_at', 'When it was written.'),
            ('history', 'call_id', 'Joins the rows of one call.'),
            ('history', 'merge_id', 'Joins the rows of one merge; null: of none.'),
            ('history', 'conflict_id', 'The conflict that was opened, moved or settled; null: none.'),
            ('history', 'other_contact_id', 'The contact that it came from, went to or belongs to; null: none.'),
            ('history', 'old_source', 'The source that had given the old value.'),
            ('history', 'old_at', 'The time of the old value.'),
            ('history', 'new_source', 'The source that gave the new value.'),
            ('history', 'new_at', 'The time of the new value.'),
            ('history', 'found_kind', 'The kind of the key or identifier that the call found its contact by, or made a new one for; null: by contact_id.'),
            ('history', 'found_value', 'That key or identifier.'),
            ('history', 'detail', 'What else changed about an identifier or key.'),
            ('history', 'xid', 'The transaction that wrote it.'),

            ('lists', 'list', 'Name of the list.'),
            ('lists', 'contact_id', 'The contact.'),
            ('lists', 'subscribed', 'false: was on the list and left it (RULES 4.12).'),
            ('lists', 'since', 'Since when that is so.'),

            ('audience', 'contact_id', 'The contact.'),
            ('audience', 'channel', 'email, push, sms or whatsapp.'),
            ('audience', 'value', 'The normalised identifier or the push key to reach it by.'),

            ('inbox', 'source', 'Where the data comes from.'),
            ('inbox', 'key', 'The visitor''s or browser''s key.'),
            ('inbox', 'email', 'E-mail address.'),
            ('inbox', 'phone', 'Telephone number.'),
            ('inbox', 'ext_id', 'Id in the customer''s own system.'),
            ('inbox', 'whatsapp', 'WhatsApp number.'),
            ('inbox', 'landline', 'Landline number.'),
            ('inbox', 'attributes', 'A JSON object of names and values.'),
            ('inbox', 'via', 'The way it came by, of those that the source lists.'),
            ('inbox', 'occurred_at', 'When it was said, a timestamptz; null: now.'),
            ('inbox', 'contact_id', 'The contact that is meant, where that is known.'),
            ('inbox', 'verified', 'true: the application vouches for what is given.'),
            ('inbox', 'actor', 'Who gives it.'),
            ('inbox', 'op', 'identify, capture, subscribe, unsubscribe or logout; null: identify.'),
            ('inbox', 'account_id', 'The contact database; null: that of the setting contact_identity.account_id.'))
        SELECT v.name AS view, d.name, d.comment
        FROM described d, string_to_table(d.views, ' ') AS v (name)
        WHERE v.name = ANY (made)
    LOOP
        EXECUTE format('COMMENT ON COLUMN contact_identity.%I.%I IS %L', item.view, item.name, item.comment);
    END LOOP;
END
$views$;
COMMENT ON FUNCTION contact_identity.make_views() IS 'Makes the views that are missing; setup() calls it.';
-- setup(): the tables, the views over them and account 1.  They are no members
-- of the extension: the data belongs to the role that runs this.  Each step
-- looks before it acts, so that it can be run again at any time.
CREATE FUNCTION contact_identity.setup() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $setup$
DECLARE
    object regclass;
    fresh boolean := to_regclass('contact_identity.contact') IS NULL;
BEGIN
    ------------------------------------------------------------------ settings
    CREATE TABLE IF NOT EXISTS contact_identity.account (
        account_id      integer PRIMARY KEY CHECK (account_id > 0),
        name            text NOT NULL,
        default_region  text CHECK (default_region ~ '^[A-Z]{2}$'),
        anonymous_label text NOT NULL DEFAULT 'Anonymous contact #<id>',
        seen_interval   interval NOT NULL DEFAULT '1 day'
                        CHECK (seen_interval >= interval '0' AND seen_interval <= interval '100 years'),
        created_at      timestamptz NOT NULL DEFAULT now()
    );
    CREATE TABLE IF NOT EXISTS contact_identity.identifier_kind (
        account_id  integer NOT NULL REFERENCES contact_identity.account,
        kind        text COLLATE "C" NOT NULL CHECK (kind ~ '^[a-z][a-z0-9_]{0,62}$'),
        identifying boolean NOT NULL,
        strength    smallint CHECK (strength > 0),
        normalizer  text NOT NULL CHECK (normalizer IN ('exact', 'email', 'phone')),
        max_octets  integer NOT NULL DEFAULT 2000 CHECK (max_octets BETWEEN 1 AND 2000),
        channel     text CHECK (channel IN ('email', 'sms', 'whatsapp', 'push')),
        PRIMARY KEY (account_id, kind),
        UNIQUE (account_id, strength),
        UNIQUE (account_id, kind, identifying),
        CHECK (identifying = (strength IS NOT NULL)),
        CHECK (identifying OR normalizer = 'exact'),
        CHECK (NOT identifying OR kind IN ('ext_id', 'email', 'phone', 'whatsapp', 'landline')),
        CHECK (NOT identifying OR channel IS DISTINCT FROM 'push')
    );
    CREATE TABLE IF NOT EXISTS contact_identity.list (
        account_id integer NOT NULL REFERENCES contact_identity.account,
        list_id    integer NOT NULL GENERATED BY DEFAULT AS IDENTITY,
        name       text NOT NULL CHECK (name <> ''),
        PRIMARY KEY (account_id, list_id),
        UNIQUE (account_id, name)
    );
    CREATE TABLE IF NOT EXISTS contact_identity.source (
        account_id    integer NOT NULL REFERENCES contact_identity.account,
        source        text COLLATE "C" NOT NULL CHECK (source ~ '^[^[:cntrl:]]{1,63}$' AND source <> 'merge'),
        enabled       boolean NOT NULL DEFAULT true,
        key_kind      text COLLATE "C",
        makes         text CHECK (makes IN ('conversations', 'push')),
        same_value    text NOT NULL DEFAULT 'last_update_wins'
                      CHECK (same_value IN ('primary_wins', 'last_update_wins')),
        other_contact text NOT NULL DEFAULT 'refuse'
                      CHECK (other_contact IN ('conflict', 'move', 'refuse')),
        mode          text NOT NULL DEFAULT 'login' CHECK (mode IN ('claim', 'login')),
        default_list  integer,
        identifying   boolean NOT NULL GENERATED ALWAYS AS (false) STORED,
        PRIMARY KEY (account_id, source),
        CONSTRAINT source_key_kind_is_of_keys FOREIGN KEY (account_id, key_kind, identifying)
            REFERENCES contact_identity.identifier_kind (account_id, kind, identifying),
        FOREIGN KEY (account_id, default_list) REFERENCES contact_identity.list,
        CHECK (makes IS NULL OR key_kind IS NOT NULL),
        CHECK (makes IS DISTINCT FROM 'push' OR key_kind = 'push')
    );
    CREATE TABLE IF NOT EXISTS contact_identity.source_via (
        account_id  integer NOT NULL,
        source      text COLLATE "C" NOT NULL,
        via         text COLLATE "C" NOT NULL CHECK (via ~ '^[^[:cntrl:]]{1,63}$'),
        kind        text COLLATE "C" NOT NULL,
        identifying boolean NOT NULL GENERATED ALWAYS AS (false) STORED,
        PRIMARY KEY (account_id, source, via),
        FOREIGN KEY (account_id, source) REFERENCES contact_identity.source ON DELETE CASCADE,
        CONSTRAINT source_via_kind_is_of_keys FOREIGN KEY (account_id, kind, identifying)
            REFERENCES contact_identity.identifier_kind (account_id, kind, identifying)
    );
    CREATE TABLE IF NOT EXISTS contact_identity.blocked_value (
        account_id integer NOT NULL REFERENCES contact_identity.account,
        value      text COLLATE "C" NOT NULL CHECK (octet_length(value) <= 2000),
        PRIMARY KEY (account_id, value)
    );
    CREATE TABLE IF NOT EXISTS contact_identity.attribute (
        account_id integer NOT NULL REFERENCES contact_identity.account,
        name       text COLLATE "C" NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 255),
        type       text NOT NULL CHECK (type IN ('text', 'number', 'boolean', 'date', 'choice')),
        choices    text[],
        PRIMARY KEY (account_id, name),
        CHECK ((type = 'choice') = (choices IS NOT NULL))
    );

    ------------------------------------------------------------------ contacts
    CREATE TABLE IF NOT EXISTS contact_identity.contact (
        account_id      integer NOT NULL,
        contact_id      bigint NOT NULL GENERATED BY DEFAULT AS IDENTITY,
        state           text COLLATE "C" NOT NULL
                        CHECK (state IN ('anonymous', 'identified', 'merged', 'erased')),
        made            text COLLATE "C" CHECK (made IN ('conversations', 'push')),
        origin          text COLLATE "C" NOT NULL,
        survivor_id     bigint,
        created_at      timestamptz NOT NULL,
        identified_at   timestamptz,
        updated_at      timestamptz NOT NULL,
        last_seen_at    timestamptz NOT NULL,
        attributes      jsonb NOT NULL DEFAULT '{}',
        attribute_times jsonb NOT NULL DEFAULT '{}',
        PRIMARY KEY (account_id, contact_id),
        CHECK ((state = 'merged') = (survivor_id IS NOT NULL))
    ) WITH (fillfactor = 90);
    CREATE INDEX IF NOT EXISTS contact_survivor ON contact_identity.contact (account_id, survivor_id)
        WHERE survivor_id IS NOT NULL;
    CREATE TABLE IF NOT EXISTS contact_identity.identifier (
        account_id integer NOT NULL,
        kind       text COLLATE "C" NOT NULL,
        value      text COLLATE "C" NOT NULL,
        contact_id bigint NOT NULL,
        is_primary boolean NOT NULL,
        opted_in   boolean NOT NULL,
        parked     boolean NOT NULL DEFAULT false,
        verified   boolean NOT NULL,
        updated_at timestamptz NOT NULL,
        source     text COLLATE "C" NOT NULL,
        given      text,
        PRIMARY KEY (account_id, kind, value)
    ) WITH (fillfactor = 90);
    -- What a contact holds; and it holds one primary value of a kind: nulls are
    -- distinct.  (A partial index would do for that, but for nothing else.)
    CREATE UNIQUE INDEX IF NOT EXISTS identifier_contact ON contact_identity.identifier
        (account_id, contact_id, kind, (CASE WHEN is_primary THEN 1 END));
    CREATE TABLE IF NOT EXISTS contact_identity.conflict (
        account_id       integer NOT NULL,
        conflict_id      bigint NOT NULL GENERATED BY DEFAULT AS IDENTITY,
        contact_id       bigint NOT NULL,
        field_type       text COLLATE "C" NOT NULL CHECK (field_type IN ('identifier', 'attribute')),
        field            text COLLATE "C" NOT NULL,
        secondary_value  jsonb NOT NULL,
        given            text,
        owner_contact_id bigint,
        source           text COLLATE "C" NOT NULL,
        via              text COLLATE "C",
        key_kind         text COLLATE "C",
        key              text COLLATE "C",
        status           text COLLATE "C" NOT NULL
                         CHECK (status IN ('open', 'promoted', 'dismissed', 'obsolete')),
        given_at         timestamptz NOT NULL,
        settled_by       text,
        settled_at       timestamptz,
        PRIMARY KEY (account_id, conflict_id),
        CHECK ((key IS NULL) = (key_kind IS NULL)),
        CHECK ((status = 'open') = (settled_at IS NULL))
    );
    CREATE INDEX IF NOT EXISTS conflict_contact ON contact_identity.conflict (account_id, contact_id, status);
    CREATE TABLE IF NOT EXISTS contact_identity.list_member (
        account_id integer NOT NULL,
        list_id    integer NOT NULL,
        contact_id bigint NOT NULL,
        subscribed boolean NOT NULL,
        source     text COLLATE "C",
        since      timestamptz NOT NULL,
        PRIMARY KEY (account_id, list_id, contact_id)
    );
    CREATE INDEX IF NOT EXISTS list_member_contact ON contact_identity.list_member (account_id, contact_id);
    CREATE TABLE IF NOT EXISTS contact_identity.block (
        account_id integer NOT NULL,
        contact_id bigint NOT NULL,
        channel    text COLLATE "C" NOT NULL CHECK (channel IN ('email', 'sms', 'whatsapp', 'push')),
        PRIMARY KEY (account_id, contact_id, channel)
    );
    CREATE TABLE IF NOT EXISTS contact_identity.merge (
        account_id  integer NOT NULL,
        merge_id    bigint NOT NULL GENERATED BY DEFAULT AS IDENTITY,
        survivor_id bigint NOT NULL,
        merged_id   bigint NOT NULL,
        source      text COLLATE "C" NOT NULL,
        actor       text,
        role        text NOT NULL DEFAULT session_user,
        merged_at   timestamptz NOT NULL,
        detail      jsonb NOT NULL,
        PRIMARY KEY (account_id, merge_id)
    );
    CREATE INDEX IF NOT EXISTS merge_merged ON contact_identity.merge (account_id, merged_id);
    CREATE TABLE IF NOT EXISTS contact_identity.event (
        account_id       integer NOT NULL,
        event_id         bigint NOT NULL GENERATED BY DEFAULT AS IDENTITY,
        contact_id       bigint NOT NULL,
        call_id          bigint NOT NULL,
        written_at       timestamptz NOT NULL,
        occurred_at      timestamptz NOT NULL,
        xid              xid8 NOT NULL DEFAULT pg_current_xact_id(),
        merge_id         bigint,
        conflict_id      bigint,
        other_contact_id bigint,
        old_at           timestamptz,
        new_at           timestamptz,
        event            text COLLATE "C" NOT NULL,
        field_type       text COLLATE "C" NOT NULL,
        field            text COLLATE "C" NOT NULL,
        old_value        jsonb,
        new_value        jsonb,
        old_source       text COLLATE "C",
        new_source       text COLLATE "C",
        detail           jsonb,
        source           text COLLATE "C",
        via              text COLLATE "C",
        found_kind       text COLLATE "C",
        found_value      text COLLATE "C",
        actor            text,
        role             text NOT NULL DEFAULT session_user,
        PRIMARY KEY (account_id, event_id)
    );
    CREATE INDEX IF NOT EXISTS event_contact ON contact_identity.event (account_id, contact_id);
    -- Exact counts in parts: a session writes the parts of its own process
    -- number, and adds one where a prepared transaction holds them.
    CREATE TABLE IF NOT EXISTS contact_identity.contact_count (
        account_id              integer NOT NULL,
        process                 integer NOT NULL,
        part                    bigint NOT NULL GENERATED BY DEFAULT AS IDENTITY,
        identified              bigint NOT NULL DEFAULT 0,
        anonymous_push          bigint NOT NULL DEFAULT 0,
        anonymous_conversations bigint NOT NULL DEFAULT 0,
        PRIMARY KEY (account_id, process, part)
    ) WITH (fillfactor = 50);

    IF fresh THEN
        FOR object IN
            SELECT c.oid FROM pg_class c
            WHERE c.relnamespace = 'contact_identity'::regnamespace AND c.relkind IN ('r', 'S')
              AND pg_has_role(c.relowner, 'USAGE')
        LOOP
            EXECUTE format('REVOKE ALL ON %s FROM PUBLIC', object);
        END LOOP;
        COMMENT ON TABLE contact_identity.account IS 'Settings of one contact database; change them with UPDATE.';
        COMMENT ON COLUMN contact_identity.account.default_region IS
            'ISO 3166 code of the country that telephone numbers without a country code are of; null: they need one (RULES 7.2).';
        COMMENT ON COLUMN contact_identity.account.anonymous_label IS
            'Label of anonymous contacts; <id> stands for the contact''s id (RULES 1.5).';
        COMMENT ON COLUMN contact_identity.account.seen_interval IS
            'That a contact was seen is noted at most once in this time (RULES 1.2).';
        COMMENT ON TABLE contact_identity.identifier_kind IS
            'Kinds of identifiers and keys: normaliser, strength (1 is the strongest) and the channel they reach (RULES 0).';
        COMMENT ON TABLE contact_identity.source IS 'Where data comes from, and the policies that follow from it (RULES 0).';
        COMMENT ON COLUMN contact_identity.source.identifying IS
            'Always false: the kind of a source''s keys is none of identifiers, or anonymous contacts would hold some (RULES 1.4).';
        COMMENT ON COLUMN contact_identity.source.makes IS
            'What its anonymous contacts are counted as; null: it makes none (RULES 1.6, 2.1).';
        COMMENT ON COLUMN contact_identity.source.same_value IS
            'What happens to a value that differs from the stored one: primary_wins or last_update_wins (RULES 4.3, 4.6, 4.7).';
        COMMENT ON COLUMN contact_identity.source.other_contact IS
            'What happens to a value of another contact: conflict, move or refuse (RULES 4.4).';
        COMMENT ON COLUMN contact_identity.source.mode IS
            'claim: an identified contact of the key is meant whatever is given; login: the given identifiers decide (RULES 3).';
        COMMENT ON COLUMN contact_identity.source.default_list IS
            'The list that identified contacts are put on; null: none (RULES 4.12).';
        COMMENT ON TABLE contact_identity.source_via IS 'The vias that a source takes, and the kind of key that each makes (RULES 0, 4.13).';
        COMMENT ON COLUMN contact_identity.source_via.identifying IS 'Always false, as in source.';
        COMMENT ON TABLE contact_identity.blocked_value IS
            'Values that say that there is none: refused, in any case and inside quotes too (RULES 7.5).';
        COMMENT ON TABLE contact_identity.attribute IS
            'The attributes that an account declares; where it declares any, others are not stored (RULES 4.11).';
        COMMENT ON COLUMN contact_identity.attribute.type IS
            'text, number, boolean, date (a text as 2026-01-31), or choice: one of the texts in choices.';
        COMMENT ON TABLE contact_identity.list IS 'The lists that contacts can be on; rename them with UPDATE.';
        COMMENT ON TABLE contact_identity.contact IS 'Contacts, ended ones too. Read the views contacts and all_contacts.';
        COMMENT ON COLUMN contact_identity.contact.attribute_times IS
            'For each attribute, cleared ones too: microseconds since 1970 and the source that gave it.';
        COMMENT ON TABLE contact_identity.identifier IS 'Identifiers and keys and whose they are. Read the view identifiers.';
        COMMENT ON COLUMN contact_identity.identifier.parked IS
            'Nobody''s: a detached push key whose opt-out is remembered; contact_id is its last owner (RULES 1.9).';
        COMMENT ON TABLE contact_identity.conflict IS 'Secondary values beside the primary ones. Read the view conflicts.';
        COMMENT ON TABLE contact_identity.list_member IS 'Who is or ever was on a list. Read the view lists.';
        COMMENT ON TABLE contact_identity.block IS 'The channels that a contact is not to be reached by (RULES 2.7).';
        COMMENT ON TABLE contact_identity.merge IS 'Merges and what they need to be undone. Read the view merges.';
        COMMENT ON TABLE contact_identity.event IS 'Every change. Read the view history.';
        COMMENT ON TABLE contact_identity.contact_count IS 'Parts of the exact counts. Read the view contact_counts.';
    END IF;

    ------------------------------------------------------------ bulk requests
    IF to_regclass('contact_identity.rejected') IS NULL THEN
        CREATE TABLE contact_identity.rejected (
            account_id  integer NOT NULL,
            rejected_id bigint NOT NULL GENERATED BY DEFAULT AS IDENTITY,
            job         bigint NOT NULL,
            line        bigint NOT NULL,
            request     jsonb NOT NULL,
            code        text NOT NULL,
            message     text NOT NULL,
            rejected_at timestamptz NOT NULL,
            PRIMARY KEY (account_id, rejected_id)
        );
        CREATE INDEX rejected_job ON contact_identity.rejected (account_id, job, line);
        REVOKE ALL ON contact_identity.rejected, contact_identity.rejected_rejected_id_seq FROM PUBLIC;
        COMMENT ON TABLE contact_identity.rejected IS
            'Requests given in bulk that could not be used (RULES 7.4, 8.2); delete what is dealt with.';
        COMMENT ON COLUMN contact_identity.rejected.job IS
            'The statement that it came with, as its NOTICE says, or the job of import().';
        COMMENT ON COLUMN contact_identity.rejected.line IS
            'Number of the row in its statement, from 1, or its request_id.';
        COMMENT ON COLUMN contact_identity.rejected.request IS
            'The request as it was given; identify_batch() takes it again once it is mended.';
        COMMENT ON COLUMN contact_identity.rejected.code IS 'The SQLSTATE that a single call would have had.';
        COMMENT ON COLUMN contact_identity.rejected.message IS 'What is wrong with it.';
    END IF;
    IF to_regclass('contact_identity.jobs') IS NULL THEN
        CREATE TABLE contact_identity.jobs (
            account_id      integer NOT NULL,
            job             bigint NOT NULL GENERATED BY DEFAULT AS IDENTITY,
            source          text,
            query           text NOT NULL,
            state           text NOT NULL CHECK (state IN ('running', 'done', 'failed', 'cancelled')),
            done            bigint NOT NULL DEFAULT 0,
            rejected        bigint NOT NULL DEFAULT 0,
            total           bigint,
            last_request_id bigint,
            runs            integer NOT NULL DEFAULT 1,
            role            text NOT NULL DEFAULT session_user,
            started_at      timestamptz NOT NULL,
            updated_at      timestamptz NOT NULL,
            ended_at        timestamptz,
            last_error      text,
            PRIMARY KEY (account_id, job)
        ) WITH (fillfactor = 50);
        REVOKE ALL ON contact_identity.jobs, contact_identity.jobs_job_seq FROM PUBLIC;
        COMMENT ON TABLE contact_identity.jobs IS 'What import() does and did; it commits its row with each batch.';
        COMMENT ON COLUMN contact_identity.jobs.state IS
            'running; done; failed, see last_error; cancelled. All but done can be resumed.';
        COMMENT ON COLUMN contact_identity.jobs.done IS 'Requests played, rejected ones too.';
        COMMENT ON COLUMN contact_identity.jobs.rejected IS 'Those of them that are in the table rejected.';
        COMMENT ON COLUMN contact_identity.jobs.total IS 'Requests that the query has; null: not known yet.';
        COMMENT ON COLUMN contact_identity.jobs.last_request_id IS 'The last one that was played; resuming goes on after it.';
        COMMENT ON COLUMN contact_identity.jobs.runs IS 'How often it was started or resumed.';
        COMMENT ON COLUMN contact_identity.jobs.role IS 'The session''s role.';
        COMMENT ON COLUMN contact_identity.jobs.updated_at IS 'When a batch was committed last.';
        COMMENT ON COLUMN contact_identity.jobs.last_error IS 'SQLSTATE and message of what ended the last run early.';
    END IF;

    -- A change of the settings is seen by every session from its commit on.
    FOR object IN
        SELECT c.oid FROM pg_class c
        WHERE c.relnamespace = 'contact_identity'::regnamespace AND c.relkind IN ('r', 'p')
          AND c.relname IN ('account', 'identifier_kind', 'list', 'source', 'source_via', 'blocked_value',
                            'attribute')
          AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'contact_identity_settings')
        ORDER BY c.relname
    LOOP
        EXECUTE format('CREATE TRIGGER contact_identity_settings AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE'
                       ' ON %s FOR EACH STATEMENT EXECUTE FUNCTION contact_identity.settings_changed()', object);
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER contact_identity_settings', object);
    END LOOP;

    -- Nor is a kind or list taken away under the contacts that have it.
    FOR object IN
        SELECT c.oid FROM pg_class c
        WHERE c.relnamespace = 'contact_identity'::regnamespace AND c.relname IN ('identifier_kind', 'list')
          AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'contact_identity_in_use')
        ORDER BY c.relname
    LOOP
        EXECUTE format('CREATE TRIGGER contact_identity_in_use BEFORE DELETE OR UPDATE OF account_id, %I ON %s'
                       ' FOR EACH ROW EXECUTE FUNCTION contact_identity.keep_setting_in_use()',
                       CASE object WHEN 'contact_identity.list'::regclass THEN 'list_id' ELSE 'kind' END, object);
    END LOOP;

    PERFORM contact_identity.make_views();
    IF NOT EXISTS (SELECT FROM contact_identity.account) THEN
        PERFORM contact_identity.create_account(1, 'default');
    END IF;
END
$setup$;
COMMENT ON FUNCTION contact_identity.setup() IS
    'Makes the tables and views, owned by the role that runs it, and account 1; run again, it makes what is missing and changes nothing else.';
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
