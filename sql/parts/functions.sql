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

CREATE FUNCTION contact_identity.unmerge(
    loser bigint, agent text, account_id integer DEFAULT NULL) RETURNS contact_identity.identify_result
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ci_undo_merge';
COMMENT ON FUNCTION contact_identity.unmerge(bigint, text, integer) IS
    'Undoes the newest merge of a contact that ended in it: both are as they would be without it, and what was given since with a key'
    ' or identifier that goes back goes along (RULES 10.3). 22023: no agent; 55000: not merged, purged, or a later change is in the way;'
    ' P0002: no such contact.';

CREATE FUNCTION contact_identity.set_distinct(
    a bigint, b bigint, agent text, lifted boolean DEFAULT false, account_id integer DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ci_distinguish';
COMMENT ON FUNCTION contact_identity.set_distinct(bigint, bigint, text, boolean, integer) IS
    'Two contacts are different people, until that is lifted: nothing merges them, and a value of one given with a key of the other is'
    ' a conflict (RULES 10.4). True if that is new. 22023: no agent; 55000: they are one contact; P0002: no such contact.';

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

CREATE FUNCTION contact_identity.erase(
    contact_id bigint, suppress boolean DEFAULT false, actor text DEFAULT NULL,
    account_id integer DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ci_erase';
COMMENT ON FUNCTION contact_identity.erase(bigint, boolean, text, integer) IS
    'Removes every value of a contact, and of all that were merged into it, from every table; numbers, times and names of events stay'
    ' (RULES 10.6). suppress: later calls that give one of its identifiers or keys are refused. True; P0002: no such contact.';

CREATE PROCEDURE contact_identity.purge_anonymous(
    older_than interval, batch_size integer DEFAULT 1000, account_id integer DEFAULT NULL,
    INOUT purged bigint DEFAULT NULL)
LANGUAGE c AS 'MODULE_PATHNAME', 'ci_purge_anonymous';
COMMENT ON PROCEDURE contact_identity.purge_anonymous(interval, integer, integer, bigint) IS
    'Removes anonymous contacts that were not seen for so long, with their history, and commits each batch (RULES 10.7).'
    ' Those that a foreign key or a followed column names stay, and those that are in use just then. purged: how many they were.'
    ' 22023: older_than is negative or null.';

CREATE PROCEDURE contact_identity.purge_history(
    older_than interval, batch_size integer DEFAULT 1000, account_id integer DEFAULT NULL,
    INOUT purged bigint DEFAULT NULL)
LANGUAGE c AS 'MODULE_PATHNAME', 'ci_purge_history';
COMMENT ON PROCEDURE contact_identity.purge_history(interval, integer, integer, bigint) IS
    'Removes rows of history that were written so long ago, and the records of merges that are as old and older than the account''s'
    ' unmerge_for; commits each batch, of so many contacts (RULES 10.9). The newest row of each contact and field stays, of identifiers,'
    ' keys and conflicts that of each, and all that undoing a younger merge needs. What is asked about an earlier time is 55000 from then'
    ' on: account.history_from. purged: how many rows they were. 22023: older_than is negative or null.';

CREATE FUNCTION contact_identity.normalize(
    kind text, value text, account_id integer DEFAULT NULL) RETURNS text
LANGUAGE c STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ci_normalize';
COMMENT ON FUNCTION contact_identity.normalize(text, text, integer) IS
    'The form in which a value of a kind is compared (RULES 7). 22023: malformed, or no such kind; null for null.';

