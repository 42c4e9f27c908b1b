-- A contact with 100,000 keys of nearly the greatest length is merged; one with
-- so many that the record of a merge could not hold them is refused, whole.
CREATE FUNCTION pg_temp.give(mail text, first integer, last integer) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(r) FROM generate_series(first, last, 1000) b,
        LATERAL (SELECT jsonb_agg(jsonb_build_object('source', 'push', 'email', mail, 'key', repeat(md5(i::text), 61) || i)) AS requests
                 FROM generate_series(b, least(b + 999, last)) i) l,
        LATERAL contact_identity.identify_batch(l.requests) r
$$;
SELECT contact_id AS many FROM contact_identity.identify('shop', email => 'many@example.org') \gset
SELECT contact_id AS other FROM contact_identity.identify('shop', email => 'other@example.org') \gset
SELECT pg_temp.give('many@example.org', 1, 100000) \g /dev/null
SELECT outcome AS merged FROM contact_identity.merge(:other, :many, 'agent') \gset
SELECT pg_temp.give('other@example.org', 100001, 120000) \g /dev/null
SELECT contact_id AS third FROM contact_identity.identify('shop', email => 'third@example.org') \gset
SELECT max(event_id) AS before FROM contact_identity.event \gset
CREATE FUNCTION pg_temp.refusal(survivor bigint, loser bigint) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM contact_identity.merge(survivor, loser, 'agent');
    RETURN 'merged';
EXCEPTION WHEN program_limit_exceeded THEN
    RETURN SQLERRM;
END
$$;
SELECT pg_temp.refusal(:third, :other) AS refused \gset
SELECT 'merge: ' || :'merged' WHERE :'merged' <> 'merged'
UNION ALL SELECT 'merge of too much: ' || :'refused' WHERE :'refused' <> 'contact holds too much to be merged'
UNION ALL SELECT 'keys: ' || count(*) FROM contact_identity.identifier WHERE contact_id = :other AND kind = 'push' HAVING count(*) <> 120000
UNION ALL SELECT 'something was written' FROM contact_identity.event WHERE event_id > :before
UNION ALL SELECT c::text FROM contact_identity.check_integrity() c;
