-- Errors and cancels at every row that a call writes, each in its turn.  The
-- faults come from triggers on the tables, as their owner may have some: then
-- statements write the rows.  Or they come from constraints, and rows are written
-- straight, but for those that are deleted.
SET search_path = storm, public;

-- All rows of the account in our tables, in a word.
CREATE FUNCTION digest() RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    result text := '';
    one text;
    relation regclass;
BEGIN
    FOR relation IN SELECT c.oid FROM pg_class c WHERE c.relnamespace = 'contact_identity'::regnamespace AND c.relkind = 'r' ORDER BY 1 LOOP
        EXECUTE format('SELECT md5(string_agg(h, '''' ORDER BY h)) FROM (SELECT md5(r::text) FROM %s r WHERE account_id = storm.account()) d (h)', relation) INTO one;
        result := md5(result || coalesce(one, ''));
    END LOOP;
    RETURN result;
END
$$;

CREATE FUNCTION no_fault() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    rows_left integer := current_setting('storm.rows_left')::integer;
BEGIN
    PERFORM set_config('storm.rows_left', (rows_left - 1)::text, false);
    IF rows_left = 1 THEN
        IF current_setting('storm.fault') = 'cancel' THEN
            PERFORM pg_cancel_backend(pg_backend_pid());
        ELSE
            RAISE EXCEPTION USING ERRCODE = 'ZX001', MESSAGE = 'a fault that was asked for';
        END IF;
    END IF;
    RETURN true;
END
$$;

CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM storm.no_fault();
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;

-- The faults come from nothing, 'triggers' or 'constraints'.
CREATE PROCEDURE set_faults(way text) LANGUAGE plpgsql AS $$
DECLARE
    relation regclass;
BEGIN
    FOR relation IN SELECT c.oid FROM pg_class c WHERE c.relnamespace = 'contact_identity'::regnamespace AND c.relkind = 'r'
                      AND c.relname IN ('contact', 'identifier', 'conflict', 'list_member', 'block', 'merge', 'event',
                                        'contact_count', 'rejected', 'distinct_pair', 'suppressed') LOOP
        EXECUTE format('DROP TRIGGER IF EXISTS storm_fault ON %s', relation);
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS storm_fault', relation);
        IF way <> '' THEN
            EXECUTE format('CREATE TRIGGER storm_fault BEFORE DELETE%s ON %s FOR EACH ROW EXECUTE FUNCTION storm.fault()',
                           CASE way WHEN 'triggers' THEN ' OR INSERT OR UPDATE' END, relation);
        END IF;
        IF way = 'constraints' THEN
            EXECUTE format('ALTER TABLE %s ADD CONSTRAINT storm_fault CHECK (storm.no_fault()) NOT VALID', relation);
        END IF;
    END LOOP;
END
$$;

CREATE TABLE faulted (op text, fault text, faults integer, problem text);

-- Plays calls of an operation, each first with a fault at its first row, then
-- at its second, and so on until it needs no more of them.  After each fault all
-- is as it was before.
CREATE PROCEDURE fault_everywhere(op text, fault text, calls integer) LANGUAGE plpgsql AS $$
DECLARE
    arguments jsonb;
    before text;
    after text;
    state text;
    told text;
    rows_before integer;
    done boolean;
    faults integer := 0;
BEGIN
    PERFORM set_config('storm.fault', fault, false);
    FOR n IN 1..calls + 20 LOOP
        EXIT WHEN n > calls AND faults > 0;     -- some must have written something
        arguments := storm.args(op);
        before := storm.digest();
        rows_before := 1;
        LOOP
            PERFORM set_config('storm.rows_left', rows_before::text, false);
            state := NULL;
            BEGIN
                PERFORM storm.play(op, arguments);
            EXCEPTION WHEN query_canceled OR OTHERS THEN
                state := SQLSTATE;
                told := SQLERRM;
            END;
            done := state IS NULL OR state NOT IN ('ZX001', '57014');
            after := storm.digest();
            IF state IS NOT NULL AND after <> before THEN
                INSERT INTO storm.faulted VALUES (op, fault, rows_before, format('%s left something of %s', state, arguments));
            ELSIF done AND state IS NOT NULL AND (state || ': ' || told) !~ current_setting('storm.expected') THEN
                INSERT INTO storm.faulted VALUES (op, fault, rows_before, format('%s: %s for %s', state, told, arguments));
            END IF;
            EXIT WHEN done;
            faults := faults + 1;
            rows_before := rows_before + 1;
        END LOOP;
        PERFORM set_config('storm.rows_left', '0', false);
        COMMIT;
    END LOOP;
    INSERT INTO storm.faulted VALUES (op, fault, faults);
END
$$;
