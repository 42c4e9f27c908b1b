-- What an application has instead: a function that finds or makes a contact, in
-- PL/pgSQL, as a competent engineer writes it.  Safe in a race (unique keys, and
-- tried again after a violation), a page view is noted once an hour.  It has no
-- history, keeps no value that loses, asks no policy, normalises nothing and
-- counts nobody.
CREATE SCHEMA plain;
CREATE TABLE plain.contact (
    contact_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email text UNIQUE,
    phone text UNIQUE,
    ext_id text UNIQUE,
    attributes jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE plain.device (
    kind text,
    key text,
    contact_id bigint NOT NULL REFERENCES plain.contact,
    opted_in boolean NOT NULL DEFAULT true,
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, key)
);
CREATE INDEX ON plain.device (contact_id);

CREATE FUNCTION plain.capture(_kind text, _key text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    mine bigint;
    owner bigint;
    seen timestamptz;
BEGIN
    SELECT contact_id, last_seen_at INTO owner, seen FROM plain.device WHERE kind = _kind AND key = _key;
    IF FOUND THEN
        IF seen < now() - interval '1 hour' THEN
            UPDATE plain.device SET last_seen_at = now() WHERE kind = _kind AND key = _key;
        END IF;
        RETURN owner;
    END IF;
    INSERT INTO plain.contact DEFAULT VALUES RETURNING contact_id INTO mine;
    INSERT INTO plain.device (kind, key, contact_id) VALUES (_kind, _key, mine)
    ON CONFLICT (kind, key) DO UPDATE SET last_seen_at = now() RETURNING contact_id INTO owner;
    IF owner <> mine THEN
        DELETE FROM plain.contact WHERE contact_id = mine;
    END IF;
    RETURN owner;
END
$$;

CREATE FUNCTION plain.identify(_kind text, _key text, _email text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    mine bigint;
    owner bigint;
    my_email text;
BEGIN
    LOOP
        BEGIN
            SELECT contact_id INTO owner FROM plain.contact WHERE email = lower(_email);
            SELECT d.contact_id, c.email INTO mine, my_email
            FROM plain.device d JOIN plain.contact c USING (contact_id)
            WHERE d.kind = _kind AND d.key = _key FOR UPDATE OF c;
            IF owner IS NULL AND mine IS NULL THEN
                INSERT INTO plain.contact (email) VALUES (lower(_email)) RETURNING contact_id INTO owner;
                IF _key IS NOT NULL THEN
                    INSERT INTO plain.device (kind, key, contact_id) VALUES (_kind, _key, owner);
                END IF;
            ELSIF owner IS NULL THEN
                UPDATE plain.contact SET email = lower(_email), last_seen_at = now()
                WHERE contact_id = mine AND email IS NULL;
                owner := mine;
            ELSIF mine IS NULL AND _key IS NOT NULL THEN
                INSERT INTO plain.device (kind, key, contact_id) VALUES (_kind, _key, owner);
            ELSIF mine <> owner THEN
                UPDATE plain.device SET contact_id = owner WHERE contact_id = mine;
                IF my_email IS NULL THEN
                    DELETE FROM plain.contact WHERE contact_id = mine;
                END IF;
            END IF;
            RETURN owner;
        EXCEPTION WHEN unique_violation THEN
            -- somebody else was first: look again
        END;
    END LOOP;
END
$$;
