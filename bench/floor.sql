-- A floor: the extension's own tables once more, with the same indexes and
-- constraints, to be written by plain SQL.  Nothing is looked up that the call
-- does not need to write its rows, and nothing is decided.  Twice, in the schemas
-- floor (a call is one statement) and steps (a statement per table).
CREATE SCHEMA :schema;
CREATE TABLE :schema.contact (LIKE contact_identity.contact INCLUDING ALL);
CREATE TABLE :schema.identifier (LIKE contact_identity.identifier INCLUDING ALL);
CREATE TABLE :schema.event (LIKE contact_identity.event INCLUDING ALL);
CREATE TABLE :schema.merge (LIKE contact_identity.merge INCLUDING ALL);
CREATE TABLE :schema.conflict (LIKE contact_identity.conflict INCLUDING ALL);
CREATE TABLE :schema.list_member (LIKE contact_identity.list_member INCLUDING ALL);
CREATE TABLE :schema.contact_count (LIKE contact_identity.contact_count INCLUDING ALL);
INSERT INTO :schema.contact_count (account_id, process) SELECT 1, generate_series(0, 15);
