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

