-- What the storm plays: calls drawn at random over few keys and values, so that
-- they meet.  Each is one statement and one transaction, or a transaction with
-- one call that meets anybody: several could deadlock, as any SQL can.

-- One of n words: pick('e', 3) is e0, e1 or e2.
CREATE FUNCTION pick(word text, n integer) RETURNS text
RETURN word || floor(random() * n);

CREATE FUNCTION one_of(VARIADIC words text[]) RETURNS text
RETURN words[1 + floor(random() * cardinality(words))];

-- A contact of the account, live or ended, rather a young one; not the ledger.
CREATE FUNCTION some_contact() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT c.contact_id
    FROM (SELECT contact_id FROM contact_identity.contact
          WHERE account_id = current_setting('contact_identity.account_id')::integer
            AND contact_id <> (SELECT f.contact_id FROM contact_identity.find('ext_id', 'ledger') f (contact_id))
          ORDER BY contact_id DESC LIMIT 80) c
    ORDER BY random() LIMIT 1
$$;

-- A conflict, an open one where there is one.
CREATE FUNCTION some_conflict() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT f.conflict_id
    FROM contact_identity.conflicts f
    WHERE f.account_id = current_setting('contact_identity.account_id')::integer
    ORDER BY f.status = 'open' DESC, random() LIMIT 1
$$;

-- The arguments of a request, by name.
CREATE FUNCTION some_request() RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    source text := one_of('conversations', 'conversations', 'push', 'push', 'shop', 'api');
    request jsonb := jsonb_build_object('source', source);
BEGIN
    IF source IN ('conversations', 'push') AND random() < 0.8 THEN
        request := request || jsonb_build_object('key', pick(source, 15));
        IF source = 'conversations' AND random() < 0.2 THEN
            request := request || '{"via": "facebook"}';
        END IF;
    END IF;
    IF random() < 0.5 OR NOT request ? 'key' THEN
        request := request || jsonb_build_object('email', pick('e', 10) || '@example.org');
    END IF;
    IF random() < 0.3 THEN
        request := request || jsonb_build_object('phone', pick('+1206123450', 8));
    END IF;
    IF random() < 0.2 THEN
        request := request || jsonb_build_object('ext_id', pick('customer-', 8));
    END IF;
    IF random() < 0.1 THEN
        request := request || jsonb_build_object('whatsapp', pick('+1206123460', 4));
    END IF;
    IF random() < 0.4 THEN
        request := request || jsonb_build_object('attributes', jsonb_build_object(
            pick('attribute-', 4), one_of('1', '2', 'null')::jsonb));
    END IF;
    IF random() < 0.2 THEN
        request := request || jsonb_build_object('occurred_at', now() - random() * interval '1 hour');
    END IF;
    IF random() < 0.2 AND source <> 'api' THEN
        request := request || '{"verified": true}';
    END IF;
    RETURN request;
END
$$;

-- A call of identify() with a request's arguments.
CREATE FUNCTION some_identify() RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT format('SELECT outcome FROM contact_identity.identify(%s%s);',
                  string_agg(format('%I => %L', r.key, r.value), ', '),
                  CASE WHEN random() < 0.1 THEN ', contact_id => some_contact()' END)
    FROM jsonb_each_text(some_request()) r
$$;

-- A capture of a key that no other call gives.
CREATE FUNCTION lone_capture() RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT format('SELECT contact_identity.capture(''push'', %L) > 0;', gen_random_uuid())
$$;

-- The request in a row of the view inbox.
CREATE FUNCTION some_row() RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT format('INSERT INTO contact_identity.inbox (%s) VALUES (%s);',
                  string_agg(quote_ident(r.key), ', '), string_agg(quote_literal(r.value), ', '))
    FROM jsonb_each_text(some_request()) r
$$;

-- A line of a session.
CREATE FUNCTION some_line() RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    dice double precision := random();
    source text := one_of('conversations', 'push');
    on_off boolean := random() < 0.5;
BEGIN
    CASE
    WHEN dice < 0.38 THEN
        RETURN some_identify();
    WHEN dice < 0.50 THEN
        RETURN format('SELECT contact_identity.capture(%L, %L) > 0;', source, pick(source, 15));
    WHEN dice < 0.56 THEN
        RETURN format('SELECT contact_identity.logout(%L, %L);', source, pick(source, 15));
    WHEN dice < 0.61 THEN
        RETURN format('SELECT contact_identity.%I(''push'', %L);',
                      CASE WHEN on_off THEN 'subscribe' ELSE 'unsubscribe' END, pick('push', 15));
    WHEN dice < 0.67 THEN
        RETURN format('SELECT outcome FROM contact_identity.merge(some_contact(), some_contact(), ''agent'', %L);', on_off);
    WHEN dice < 0.73 THEN
        RETURN CASE WHEN on_off THEN 'SELECT contact_identity.promote(some_conflict(), ''agent'', true);'
                    ELSE 'SELECT contact_identity.dismiss(some_conflict(), ''agent'');' END;
    WHEN dice < 0.76 THEN
        RETURN format('SELECT contact_identity.%I(some_contact(), ''Contacts active in Conversations'');',
                      CASE WHEN on_off THEN 'add_to_list' ELSE 'remove_from_list' END);
    WHEN dice < 0.79 THEN
        RETURN format('SELECT contact_identity.%I(some_contact(), %L);',
                      CASE WHEN on_off THEN 'block' ELSE 'unblock' END, one_of('email', 'sms', 'push'));
    WHEN dice < 0.86 THEN
        RETURN format('SELECT outcome, left(error, 5) FROM contact_identity.identify_batch(%L);',
                      (SELECT jsonb_agg(some_request()) FROM generate_series(1, 6)));
    WHEN dice < 0.89 THEN
        RETURN some_row();
    WHEN dice < 0.91 THEN
        RETURN 'DELETE FROM contact_identity.contacts WHERE account_id = current_setting(''contact_identity.account_id'')::integer'
               ' AND contact_id = (SELECT some_contact());';
    WHEN dice < 0.95 THEN
        RETURN concat('BEGIN; ', some_identify(), ' ROLLBACK;');
    WHEN dice < 0.98 THEN
        -- Whoever waits for what is rolled back here waits for the whole transaction.
        RETURN concat('BEGIN; SAVEPOINT before; ', some_identify(), ' ROLLBACK TO before; ', lone_capture(), ' COMMIT;');
    ELSE
        -- The counts of the session are held meanwhile.
        RETURN format('BEGIN; %s PREPARE TRANSACTION %L; %s COMMIT PREPARED %2$L;',
                      lone_capture(), gen_random_uuid(), lone_capture());
    END CASE;
END
$$;
