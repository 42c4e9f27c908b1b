CREATE FUNCTION contact_identity.preview_identify(
    source text, key text DEFAULT NULL, email text DEFAULT NULL, phone text DEFAULT NULL,
    ext_id text DEFAULT NULL, whatsapp text DEFAULT NULL, landline text DEFAULT NULL,
    attributes jsonb DEFAULT NULL, via text DEFAULT NULL, occurred_at timestamptz DEFAULT NULL,
    contact_id bigint DEFAULT NULL, verified boolean DEFAULT false, actor text DEFAULT NULL,
    account_id integer DEFAULT NULL)
RETURNS TABLE (table_name text, row_key jsonb, before jsonb, after jsonb, rules text[])
LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 20 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ci_preview_identify';
COMMENT ON FUNCTION contact_identity.preview_identify(text, text, text, text, text, text, text, jsonb, text, timestamptz, bigint, boolean, text, integer) IS
    'What identify() would do with the same arguments: first its result, then each row that would change, with the numbers of the'
    ' rules that decide. Writes and locks nothing; an id that does not exist yet is null (RULES 10.2). Errors: those of identify().';

CREATE FUNCTION contact_identity.preview_merge(
    survivor bigint, loser bigint, agent text, newer_wins boolean DEFAULT false,
    account_id integer DEFAULT NULL)
RETURNS TABLE (table_name text, row_key jsonb, before jsonb, after jsonb, rules text[])
LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 20 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ci_preview_merge';
COMMENT ON FUNCTION contact_identity.preview_merge(bigint, bigint, text, boolean, integer) IS
    'What merge() would do with the same arguments: first its result, then each row that would change, with the numbers of the rules'
    ' that decide. Writes and locks nothing; an id that does not exist yet is null (RULES 10.2). Errors: those of merge().';
