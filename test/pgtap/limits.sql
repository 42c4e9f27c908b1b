-- The limits of the README: what is at one is taken, what is beyond it refused.
BEGIN;
\ir words.psql
SELECT plan(47);
SET LOCAL client_min_messages = error;

-- The statement with the number of its limit, and with one more.
CREATE FUNCTION limits(statement text, lim integer, code text, what text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    RETURN NEXT lives_ok(replace(statement, '%N', lim::text), what || ': ' || lim);
    RETURN NEXT throws_ok(replace(statement, '%N', (lim + 1)::text), code, NULL, what || ': no more');
END $$;

-- An e-mail address of so many octets: labels of 63, and a shorter one.
CREATE FUNCTION mail(octets integer) RETURNS text LANGUAGE sql AS $$
    SELECT 'a@' || repeat(repeat('b', 59) || '.', (octets - 6) / 60) || repeat('c', (octets - 6) % 60) || '.org'
$$;
SELECT is(octet_length(mail(254)) || ' ' || octet_length(mail(255)), '254 255', 'the addresses are as long as they are to be');
SELECT limits($$ SELECT identify('shop', email => mail(%N)) $$, 254, '22023', 'octets of an e-mail address');
SELECT limits($$ SELECT identify('shop', email => 'a@' || repeat('b', %N) || '.org') $$, 63, '22023', 'octets of a label of its domain');
SELECT limits($$ SELECT identify('shop', ext_id => repeat('x', %N)) $$, 255, '22023', 'octets of an ext_id');
SELECT limits($$ SELECT identify('shop', phone => '+4420' || repeat('7', %N - 4)) $$, 12, '22023', 'digits of a British telephone number');
SELECT limits($$ SELECT capture('push', repeat('x', %N)) $$, 2000, '22023', 'octets of a key');
SELECT limits($$ SELECT capture('conversations', repeat('x', %N), via => 'facebook') $$, 2000, '22023', 'of any kind');
SELECT limits($$ SELECT capture('push', 'name', jsonb_build_object(repeat('n', %N), 1)) $$, 255, '22023', 'octets of an attribute''s name');
SELECT limits($$ SELECT capture('push', 'many', (SELECT jsonb_object_agg('a' || i, i) FROM generate_series(1, %N) i)) $$, 1000, '54000',
    'attributes of a call');
SELECT limits($$ SELECT capture('push', 'both', (SELECT jsonb_object_agg('a' || i, i) FROM generate_series(1, %N - 500) i)),
                        capture('push', 'both', (SELECT jsonb_object_agg('b' || i, i) FROM generate_series(1, 500) i)) $$, 1000, '54000',
    'attributes of a contact');
SELECT limits($$ SELECT capture('push', 'large' || %N, jsonb_build_object('abc', repeat('x', %N - 5))) $$, 1000000, '54000',
    'octets of attributes, names and quotes included');
SELECT limits($$ SELECT capture('push', 'deep', jsonb_build_object('a', (repeat('[', %N) || repeat(']', %N))::jsonb)) $$, 1000, '54000',
    'depth of an attribute''s value, arrays');
SELECT limits($$ SELECT capture('push', 'deep', jsonb_build_object('b', (repeat('{"a":', %N) || '1' || repeat('}', %N))::jsonb)) $$, 1000, '54000',
    'and objects');
SELECT limits($$ SELECT identify('shop', email => 'a@example.org', actor => repeat('x', %N)) $$, 255, '22023', 'octets of an actor''s name');
SELECT limits($$ SELECT block(capture('push', 'agent'), 'push', repeat('x', %N)) $$, 255, '22023', 'of an agent''s');
SELECT limits($$ SELECT create_account(%N, repeat('x', %N)) $$, 255, '22023', 'octets of an account''s name');
SELECT limits($$ SET LOCAL contact_identity.batch_size = %N $$, 100000, '22023', 'contact_identity.batch_size');
RESET contact_identity.batch_size;
SELECT lives_ok('SET LOCAL contact_identity.batch_size = 1', 'contact_identity.batch_size: 1');
SELECT throws_ok('SET LOCAL contact_identity.batch_size = 0', '22023', NULL, 'contact_identity.batch_size: no less');
RESET contact_identity.batch_size;
-- At 1,000,000 a batch takes minutes.
SELECT throws_ok($$ SELECT identify_batch(('[' || repeat('{},', 1000000) || '{}]')::jsonb) $$, '54000', 'too many requests',
    'requests of a batch: no more than 1000000');

-- Settings, which are rows
INSERT INTO contact_identity.identifier_kind (account_id, kind, identifying, normalizer)
SELECT 1, 'kind' || i, false, 'exact' FROM generate_series(1, 22) i;
SELECT lives_ok($$ SELECT capture('push', 'kinds') $$, 'kinds of identifiers of an account: 32');
INSERT INTO contact_identity.identifier_kind (account_id, kind, identifying, normalizer) VALUES (1, 'kind23', false, 'exact');
SELECT throws_ok($$ SELECT capture('push', 'kinds') $$, '54000', NULL, 'kinds of identifiers of an account: no more');
DELETE FROM contact_identity.identifier_kind WHERE kind LIKE 'kind_%';
SELECT limits($$ INSERT INTO contact_identity.source (account_id, source) VALUES (1, repeat('s', %N)) $$, 63, '23514', 'letters of a source''s name');
SELECT limits($$ INSERT INTO contact_identity.blocked_value VALUES (1, repeat('s', %N)) $$, 2000, '23514', 'octets of a blocked value');

---------------------------------------------------------------- no limit but memory
-- A contact with thousands of keys; test/hostile/run long merges one of 100,000.
SELECT is((SELECT count(*) FROM identify_batch((SELECT jsonb_agg(jsonb_build_object('source', 'push', 'key', 'many' || i, 'email', 'many@example.org'))
                                                FROM generate_series(1, 5000) i)) WHERE error IS NULL), 5000::bigint, 'a contact of 5000 keys');
SELECT is((SELECT outcome FROM identify('shop', email => 'other@example.org')), 'created', 'and another');
SELECT is((SELECT outcome FROM merge((SELECT contact_id FROM contacts WHERE email = 'other@example.org'),
                                     (SELECT contact_id FROM contacts WHERE email = 'many@example.org'), 'agent')), 'merged', 'are merged');
SELECT is((SELECT count(*) FROM identifiers WHERE contact_id = (SELECT contact_id FROM contacts WHERE email = 'other@example.org')), 5002::bigint,
    'with all of them');
SELECT is_empty('SELECT * FROM check_integrity()', '[9] after all of this');
SELECT finish();
ROLLBACK;
