-- Functions that answer from history.
CREATE FUNCTION contact_identity.contact_as_of(contact_id bigint, as_of timestamptz, account_id integer DEFAULT NULL)
RETURNS TABLE (contact_id bigint, label text, state text, email text, phone text, ext_id text, whatsapp text,
    landline text, attributes jsonb, reachable text[], open_conflicts bigint, created_at timestamptz,
    identified_at timestamptz, updated_at timestamptz, survivor_id bigint, identifiers jsonb, keys jsonb,
    lists jsonb, blocked text[])
AS 'MODULE_PATHNAME', 'ci_contact_as_of'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 1
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION contact_identity.contact_as_of(bigint, timestamptz, integer) IS
    'A contact as the database knew it at a time, from history (RULES 10.5): the columns of all_contacts but last_seen_at; survivor_id, where it was merged; identifiers and keys, objects of kinds and arrays of values, primary ones first; lists, an object of names, false: it had left; blocked, the channels. No row: it was not there yet. Of a contact that was erased since, all but state, times and numbers is empty and reachable is null. What is configured (labels, names of lists, kinds) is as now. 22023: a null; P0002: no such contact, or it was purged; 55000: before account.history_from.';

CREATE FUNCTION contact_identity.owner_as_of(kind text, value text, as_of timestamptz, account_id integer DEFAULT NULL)
RETURNS bigint
AS 'MODULE_PATHNAME', 'ci_owner_as_of'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 10000
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION contact_identity.owner_as_of(text, text, timestamptz, integer) IS
    'The contact that owned an identifier, alias or key at a time, the value given in any spelling; null: nobody, or somebody erased since (RULES 10.5). Reads the whole history unless there is an index ON contact_identity.event (account_id, field, new_value) WHERE field_type IN (''identifier'', ''key''). 22023: a null, a malformed value or no such kind; 55000: before account.history_from.';

CREATE FUNCTION contact_identity.timeline(contact_id bigint, account_id integer DEFAULT NULL)
RETURNS TABLE (at timestamptz, what text, who text, source text, via text, contact_id bigint, event_id bigint,
    occurred_at timestamptz)
AS 'MODULE_PATHNAME', 'ci_timeline'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 20
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION contact_identity.timeline(bigint, integer) IS
    'The story of a contact in sentences, a row for each change in the order in which they were written, with those of the contacts that were merged into it until then. at: when it was written; occurred_at: when it happened; who: the agent or actor named; contact_id, event_id: whose row of history it is. Values longer than 100 characters are cut. Of an ended contact it tells how it ended. 22023: a null; P0002: no such contact.';

CREATE FUNCTION contact_identity.graph(contact_id bigint, account_id integer DEFAULT NULL) RETURNS text
AS 'MODULE_PATHNAME', 'ci_graph'
LANGUAGE C STABLE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION contact_identity.graph(bigint, integer) IS
    'A picture of a contact as a flowchart in Mermaid''s language: its identifiers and keys, and the contacts that were merged into it with the time in the session''s time zone. Up to 50 nodes; what is more is a number. Values longer than 40 characters are cut. An ended contact stands for its survivor. 22023: a null; P0002: no such contact, or it was erased.';
