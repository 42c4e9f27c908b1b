-- The floor: the extension's own tables once more, with the same indexes and
-- constraints, to be written by plain SQL.  Nothing is looked up that the call
-- does not need to write its rows, and nothing is decided.
CREATE SCHEMA floor;
CREATE TABLE floor.contact (LIKE contact_identity.contact INCLUDING ALL);
CREATE TABLE floor.identifier (LIKE contact_identity.identifier INCLUDING ALL);
CREATE TABLE floor.event (LIKE contact_identity.event INCLUDING ALL);
CREATE TABLE floor.merge (LIKE contact_identity.merge INCLUDING ALL);
CREATE TABLE floor.conflict (LIKE contact_identity.conflict INCLUDING ALL);
CREATE TABLE floor.contact_count (LIKE contact_identity.contact_count INCLUDING ALL);
INSERT INTO floor.contact_count (account_id, process) SELECT 1, generate_series(0, 15);
