-- RULES 4.6 to 4.10: attributes, and the time of a call.
BEGIN;
\ir words.psql
SELECT plan(180);

-- A contact that the shop knows, with an attribute of day 5.
CREATE PROCEDURE known(who text, what jsonb DEFAULT '{"city": "Bonn"}', since timestamptz DEFAULT day(5)) LANGUAGE plpgsql AS $$
BEGIN
    CALL given(who, identify('shop', ext_id => who, attributes => what, occurred_at => since));
END $$;
-- What two kinds of sources say about it: primary wins, last update wins.
CREATE FUNCTION keeps(who text, what jsonb, at timestamptz DEFAULT NULL) RETURNS text LANGUAGE sql AS
$$ SELECT said(identify('conversations', contact_id => id(who), attributes => what, occurred_at => at)) $$;
CREATE FUNCTION updates(who text, what jsonb, at timestamptz DEFAULT NULL) RETURNS text LANGUAGE sql AS
$$ SELECT said(identify('shop', contact_id => id(who), attributes => what, occurred_at => at)) $$;

------------------------------------------------------------- what an attribute is
SELECT throws_ok(format($$ SELECT identify('shop', email => 'x@example.org', attributes => %L) $$, a), '22023', NULL,
    '[4.6] attributes are an object, not ' || a)
FROM unnest('{"null",true,1,"\"name\"",[],"[{\"name\": \"Ann\"}]"}'::text[]) AS a;
SELECT throws_ok($$ SELECT capture('conversations', 'x', '[]') $$, '22023', NULL, '[4.6] in capture too');
CALL known('obj', '{"n": 1, "o": {"a": 1, "b": [1, 2]}, "s": "x"}');
SELECT is(keeps('obj', '{"n": 1.0, "o": {"b": [1.00, 2], "a": 1e0}, "s": "x"}'), 'unchanged obj',
    '[4.6] compared as jsonb compares');
SELECT is(keeps('obj', '{"s": "X"}'), 'updated obj conflict s', '[4.6] text with its case');
SELECT is(keeps('obj', '{"n": "1"}'), 'updated obj conflict n', '[4.6] a number is no text');
SELECT is(keeps('obj', '{"o": {"a": 1, "b": [2, 1]}}'), 'updated obj conflict o', '[4.6] an array has an order');
SELECT is(updates('obj', '{"o": {"c": 3}}'), 'updated obj', '[4.7] a value ...');
SELECT is(attributes_of('obj'), '{"n": 1, "o": {"c": 3}, "s": "x"}', '[4.7] ... is replaced whole');
SELECT is(updates('obj', '{"o": {"c": null}}'), 'updated obj', '[4.7] null within a value ...');
SELECT is(attributes_of('obj'), '{"n": 1, "o": {"c": null}, "s": "x"}', '[4.7] ... is part of it');
SELECT is(updates('obj', '{}'), 'unchanged obj', '[4.7] no attribute');
SELECT is(updates('obj', NULL), 'unchanged obj', '[4.7] null is not given');

------------------------------------------------------------------- primary wins
CALL known('pia');
SELECT is(keeps('pia', '{"name": "Pia"}', day(1)), 'updated pia', '[4.6] primary wins: a missing one ...');
SELECT is(attributes_of('pia'), '{"city": "Bonn", "name": "Pia"}', '[4.6] ... is filled, whatever its time');
SELECT is(keeps('pia', '{"city": "Bonn"}', day(2)), 'unchanged pia', '[4.6] an equal one, older');
SELECT is(keeps('pia', '{"city": "Bonn"}', day(7)), 'unchanged pia', '[4.6] an equal one, newer: no conflict ...');
SELECT is(conflicts_of('pia'), '', '[4.6] ... at all');
SELECT is(updates('pia', '{"city": "Köln"}', day(6)), 'unchanged pia ignored city', '[4.6] [4.10] but its time moved');
SELECT is(keeps('pia', '{"city": "Ulm"}', day(3)), 'updated pia conflict city',
    '[4.6] a different one that is older is a conflict');
SELECT is(keeps('pia', '{"city": "Rom"}', day(9)), 'updated pia conflict city', '[4.6] one that is newer too');
SELECT is(attributes_of('pia') -> 'city', '"Bonn"', '[4.6] the primary stays');
SELECT is((SELECT array_agg(concat_ws(' ', secondary_value, status, field_type) ORDER BY conflict_id) FROM conflicts
           WHERE contact_id = id('pia')), '{"\"Ulm\" obsolete attribute","\"Rom\" open attribute"}',
    '[4.6] beside the secondary value');
SELECT is(keeps('pia', '{"city": null}'), 'unchanged pia ignored city', '[4.6] null is ignored, and named');
SELECT is(keeps('pia', '{"zip": null}'), 'unchanged pia ignored zip', '[4.6] also where there is nothing');
SELECT is(attributes_of('pia'), '{"city": "Bonn", "name": "Pia"}', '[4.6] nothing is cleared');
SELECT is(updates('pia', '{"zip": "53111"}', day(1)), 'updated pia', '[4.6] nor is a clearing remembered');

CALL known('qi');
SELECT is(updates('qi', '{"city": null}', day(8)), 'updated qi', '[4.7] cleared on day 8');
SELECT is(keeps('qi', '{"city": "Ulm"}', day(7)), 'unchanged qi ignored city',
    '[4.6] a cleared one is not filled by an older value');
SELECT is(keeps('qi', '{"city": "Ulm"}', day(8)), 'unchanged qi ignored city', '[4.6] nor by one of the same time');
SELECT is(conflicts_of('qi'), '', '[4.6] which is no conflict either');
SELECT is(keeps('qi', '{"city": "Ulm"}', day(9)), 'updated qi', '[4.6] but by a newer one');
SELECT is(attributes_of('qi'), '{"city": "Ulm"}', '[4.6] it is there');

--------------------------------------------------------------- last update wins
CALL known('ray');
SELECT is(updates('ray', '{"city": "Ulm"}', day(4)), 'unchanged ray ignored city',
    '[4.7] last update wins: older is dropped and named');
SELECT is(updates('ray', '{"city": "Ulm"}', day(5)), 'unchanged ray ignored city',
    '[4.7] equal in time is dropped and named');
SELECT is(updates('ray', '{"city": "Bonn"}', day(4)), 'unchanged ray', '[4.7] unless it is the value that is there: older');
SELECT is(updates('ray', '{"city": "Bonn"}', day(5)), 'unchanged ray',
    '[4.7] unless it is the value that is there: equal in time');
SELECT is(updates('ray', '{"city": null}', day(5)), 'unchanged ray ignored city',
    '[4.7] null that is not newer clears nothing');
SELECT is(attributes_of('ray'), '{"city": "Bonn"}', '[4.7] it is there');
SELECT is(conflicts_of('ray'), '', '[4.7] and there is no conflict');
SELECT is(updates('ray', '{"city": "Ulm"}', day(6)), 'updated ray', '[4.7] newer replaces');
SELECT is(attributes_of('ray'), '{"city": "Ulm"}', '[4.7] it does');
SELECT is(updates('ray', '{"zip": "89073", "city": "Ulm"}', day(9)), 'updated ray', '[4.7] another attribute, of day 9');
SELECT is(updates('ray', '{"name": "Ray"}', day(2)), 'updated ray', '[4.7] and a third, of day 2');
SELECT is(updates('ray', '{"zip": "1", "name": "Roy", "city": "Rom"}', day(8)), 'updated ray ignored city,zip',
    '[4.7] each goes by its own time');
SELECT is(attributes_of('ray'), '{"city": "Ulm", "zip": "89073", "name": "Roy"}', '[4.7] as it does here');
SELECT is(updates('ray', '{"zip": null}', day(10)), 'updated ray', '[4.7] null that is newer ...');
SELECT is(attributes_of('ray'), '{"city": "Ulm", "name": "Roy"}', '[4.7] ... clears');
SELECT is(updates('ray', '{"zip": "53111"}', day(10)), 'unchanged ray ignored zip',
    '[4.7] the time of clearing is remembered: equal');
SELECT is(updates('ray', '{"zip": "53111"}', day(9)), 'unchanged ray ignored zip',
    '[4.7] the time of clearing is remembered: older');
SELECT is(updates('ray', '{"zip": "53111"}', day(11)), 'updated ray', '[4.7] newer than the clearing');
SELECT is(attributes_of('ray'), '{"city": "Ulm", "name": "Roy", "zip": "53111"}', '[4.7] it is there again');
SELECT unalike(updates('ray', '{"never": null}', day(5)), '%ignored%', '[4.7] to clear what is not there ...');
SELECT is(updates('ray', '{"never": "x"}', day(4)), 'unchanged ray ignored never', '[4.7] ... is remembered too');
SELECT is(attributes_of('ray') ? 'never', false, '[4.7] cleared is not null');
SELECT is(updates('ray', '{"never": "x"}', day(6)), 'updated ray', '[4.7] newer than that');

------------------------------------------------------------ anonymous until now
CALL given('sid', capture('conversations', 'sid', '{"city": "Bonn"}', occurred_at => day(5)));
SELECT is(said(identify('conversations', 'sid', attributes => '{"city": "Ulm"}', occurred_at => day(4))), 'unchanged sid ignored city',
    '[4.8] of an anonymous contact the last update wins: older is dropped and named');
SELECT is(said(identify('conversations', 'sid', attributes => '{"city": "Ulm"}', occurred_at => day(6))), 'updated sid',
    '[4.8] though the source keeps primaries: newer replaces');
SELECT is(said(identify('conversations', 'sid', attributes => '{"city": null}', occurred_at => day(7))), 'updated sid',
    '[4.8] and null clears');
SELECT is(attributes_of('sid'), '{}', '[4.8] it is cleared');
SELECT is(said(identify('conversations', 'sid', attributes => '{"city": "Rom"}', occurred_at => day(7))), 'unchanged sid ignored city',
    '[4.8] with its time');
SELECT is(said(identify('conversations', 'sid', attributes => '{"city": "Rom", "name": "Sid", "zip": "1"}', occurred_at => day(8))), 'updated sid',
    '[4.8] of day 8');
SELECT is(conflicts_of('sid'), '', '[4.8] without any conflict');
SELECT is(said(identify('conversations', 'sid', email => 'sid@example.org', occurred_at => day(7),
                        attributes => '{"city": "Ulm", "name": "Sid", "street": "A 1"}')), 'identified sid conflict city',
    '[4.8] identified by a source that keeps primaries: different and older is a conflict');
SELECT is(attributes_of('sid'), '{"city": "Rom", "name": "Sid", "zip": "1", "street": "A 1"}',
    '[4.8] the newer value is the primary');
SELECT is(conflicts_of('sid'), 'city Ulm', '[4.8] the older the secondary one');
CALL given('tom', capture('conversations', 'tom', '{"city": "Bonn", "zip": "1"}', occurred_at => day(5)));
SELECT is(said(identify('conversations', 'tom', email => 'tom@example.org', attributes => '{"city": "Ulm"}', occurred_at => day(5))),
    'identified tom conflict city', '[4.8] or equal in time');
CALL given('udo', capture('conversations', 'udo', '{"city": "Bonn"}', occurred_at => day(5)));
SELECT is(said(identify('conversations', 'udo', email => 'udo@example.org', attributes => '{"city": "Ulm"}', occurred_at => day(6))),
    'identified udo', '[4.8] newer replaces: there was no database value to defend');
SELECT is(attributes_of('udo'), '{"city": "Ulm"}', '[4.8] without a conflict');
SELECT is(said(identify('conversations', 'udo', attributes => '{"city": "Rom"}', occurred_at => day(7))), 'updated udo conflict city',
    '[4.8] from the next call on there is');
CALL given('val', capture('push', 'val', '{"city": "Bonn"}', occurred_at => day(5)));
SELECT is(said(identify('push', 'val', email => 'val@example.org', attributes => '{"city": "Ulm"}', occurred_at => day(4))),
    'identified val ignored city', '[4.8] identified by a source whose last update wins: older is dropped and named');
SELECT is(said(identify('conversations', 'wes', email => 'wes@example.org', attributes => '{"city": "Bonn", "zip": null}'), 'wes'), 'created wes',
    '[4.8] a new contact');
SELECT is(attributes_of('wes'), '{"city": "Bonn"}', '[4.8] with what was given');

-------------------------------------------------- those of a merged anonymous one
-- An anonymous contact with attributes is merged into a known one that has
-- city Bonn of day 5; which source identifies, what the call gives and when.
CREATE FUNCTION brings(who text, brought jsonb, brought_at timestamptz, source text, call jsonb DEFAULT NULL,
                       call_at timestamptz DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    CALL known(who);
    CALL given(who || '''s', capture(source, who, brought, occurred_at => brought_at));
    RETURN said(identify(source, who, ext_id => who, attributes => call, occurred_at => call_at));
END $$;
SELECT is(brings('a1', '{"name": "A", "zip": "1"}', day(1), 'conversations'), 'merged a1 < a1''s',
    '[4.9] primary wins: missing ones ...');
SELECT is(attributes_of('a1'), '{"city": "Bonn", "name": "A", "zip": "1"}', '[4.9] ... are filled');
SELECT is(updates('a1', '{"name": "B"}', day(1)) || ', ' || updates('a1', '{"zip": "2"}', day(2)), 'unchanged a1 ignored name, updated a1',
    '[4.9] with their own times');
SELECT is(brings('a2', '{"city": "Ulm"}', day(9), 'conversations'), 'merged a2 < a2''s conflict city',
    '[4.9] primary wins: different is a conflict');
SELECT is((SELECT (secondary_value, given_at = day(9))::text FROM conflicts WHERE contact_id = id('a2')), '("""Ulm""",t)',
    '[4.9] as if given with its time');
SELECT is(brings('a3', '{"city": "Bonn"}', day(9), 'conversations'), 'merged a3 < a3''s', '[4.9] primary wins: equal');
SELECT is(updates('a3', '{"city": "Ulm"}', day(8)), 'unchanged a3 ignored city', '[4.9] moves the time');
SELECT is(brings('a4', '{"city": "Ulm", "zip": "1"}', day(2), 'conversations', '{"city": "Rom", "zip": "2"}', day(3)),
    'merged a4 < a4''s conflict city', '[4.9] of two the newer is asked about: the call''s');
SELECT is(conflicts_of('a4') || ' ' || attributes_of('a4'), 'city Rom {"zip": "2", "city": "Bonn"}', '[4.9] that one only');
SELECT is(brings('a5', '{"city": "Ulm", "zip": "1"}', day(4), 'conversations', '{"city": "Rom", "zip": "2"}', day(3)),
    'merged a5 < a5''s conflict city ignored city,zip', '[4.9] of two the newer is asked about: the one that came along; the other is named');
SELECT is(conflicts_of('a5') || ' ' || attributes_of('a5'), 'city Ulm {"zip": "1", "city": "Bonn"}', '[4.9] this one only');
SELECT is(brings('a6', '{"city": "Ulm", "zip": "1"}', day(3), 'conversations', '{"city": "Rom", "zip": "2"}', day(3)),
    'merged a6 < a6''s conflict city', '[4.9] on a tie the call''s');
SELECT is(conflicts_of('a6') || ' ' || attributes_of('a6'), 'city Rom {"zip": "2", "city": "Bonn"}', '[4.9] only');
SELECT alike(brings('a7', '{"city": "Ulm", "zip": null, "name": null}', day(9), 'conversations', '{"zip": "2"}', day(3)),
    'merged a7 < a7''s conflict city%', '[4.6] null is ignored in 4.9 too: a value of the call is asked about though older');
SELECT is(attributes_of('a7'), '{"city": "Bonn", "zip": "2"}', '[4.6] and stored');
SELECT is(updates('a7', '{"name": "A"}', day(1)), 'updated a7', '[4.6] and the clearing is not there');

SELECT is(brings('b1', '{"city": "Ulm", "name": "B"}', day(6), 'push'), 'merged b1 < b1''s',
    '[4.9] last update wins: newer ...');
SELECT is(attributes_of('b1'), '{"city": "Ulm", "name": "B"}', '[4.9] ... replaces');
SELECT is(updates('b1', '{"city": "Rom"}', day(6)) || ', ' || updates('b1', '{"city": "Rom"}', day(7)), 'unchanged b1 ignored city, updated b1',
    '[4.9] with its own time');
SELECT is(brings('b2', '{"city": "Ulm", "name": "B"}', day(4), 'push'), 'merged b2 < b2''s ignored city',
    '[4.9] last update wins: older is dropped and named');
SELECT is(attributes_of('b2'), '{"city": "Bonn", "name": "B"}', '[4.9] what is missing is filled');
SELECT is(brings('b3', '{"city": null}', day(6), 'push'), 'merged b3 < b3''s', '[4.9] last update wins: a newer null ...');
SELECT is(attributes_of('b3'), '{}', '[4.9] ... clears');
SELECT is(brings('b4', '{"city": "Ulm"}', day(7), 'push', '{"city": "Rom"}', day(6)), 'merged b4 < b4''s ignored city',
    '[4.9] last update wins: of two the newer');
SELECT is(attributes_of('b4'), '{"city": "Ulm"}', '[4.9] is asked about');
SELECT is(brings('b5', '{"city": "Ulm"}', day(6), 'push', '{"city": "Rom"}', day(7)), 'merged b5 < b5''s',
    '[4.9] last update wins: of two the newer, the call''s');
SELECT is(attributes_of('b5'), '{"city": "Rom"}', '[4.9] is stored');
SELECT is(brings('b6', '{"city": "Ulm"}', day(6), 'push', '{"city": "Rom"}', day(6)), 'merged b6 < b6''s',
    '[4.9] last update wins: on a tie');
SELECT is(attributes_of('b6'), '{"city": "Rom"}', '[4.9] the call''s');
SELECT is(brings('b7', '{"city": null}', day(7), 'push', '{"city": "Rom"}', day(6)), 'merged b7 < b7''s ignored city',
    '[4.9] last update wins: null may be the newer of two');
SELECT is(attributes_of('b7'), '{}', '[4.9] and clears');

-------------------------------------------------------------------- the time
CALL known('xia');
SELECT is(updates('xia', '{"city": "Ulm"}', 'infinity'), 'updated xia', '[4.10] infinity is in the future');
SELECT is(updates('xia', '{"city": "Rom"}', '2999-01-01'), 'updated xia', '[4.10] a time in the future');
SELECT is(updates('xia', '{"city": "Oslo"}'), 'updated xia',
    '[4.10] counts as now: a call without a time is newer than everything stored');
SELECT is(updates('xia', '{"city": "Riga"}'), 'updated xia', '[4.10] so of two calls in one transaction the later wins');
SELECT is(attributes_of('xia'), '{"city": "Riga"}', '[4.10] it did');
SELECT is(said(identify('shop', contact_id => id('xia'), email => 'xia@example.org', occurred_at => '2999-01-01')), 'updated xia',
    '[4.10] of identifiers ...');
SELECT is(said(identify('shop', contact_id => id('xia'), email => 'xia.2@example.org')), 'updated xia',
    '[4.10] ... the same');
SELECT is(said(identify('shop', contact_id => id('xia'), email => 'xia.3@example.org')), 'updated xia', '[4.10] ... twice');
SELECT ok((SELECT bool_and(updated_at < clock_timestamp() + interval '1 hour') FROM identifiers WHERE contact_id = id('xia')),
    '[4.10] no time in the future is stored');
SELECT is((SELECT max(occurred_at) < clock_timestamp() + interval '1 hour' FROM history WHERE contact_id = id('xia')), true,
    '[4.10] nor in history');
CALL given('yan', capture('push', 'yan', occurred_at => 'infinity'));
SELECT is(said(identify('push', 'yan', email => 'xia.3@example.org')), 'merged xia < yan', '[4.10] of a key ...');
SELECT is(said(identify('push', 'yan', email => 'yan@example.org'), 'yan 2'), 'switched yan 2', '[4.10] ... the same');
-- A clock that was set back: what is stored is later than now.
CALL given('wu', identify('shop', ext_id => 'wu', email => 'wu@example.org', attributes => '{"city": "Bonn"}'));
UPDATE identifier SET updated_at = '2999-01-01 00:00:00+00' WHERE contact_id = id('wu') AND kind = 'email';
SELECT is(said(identify('shop', ext_id => 'wu', email => 'wu.2@example.org')), 'updated wu',
    '[4.10] a call without a time is newer than that ...');
SELECT is((SELECT updated_at FROM identifiers WHERE contact_id = id('wu') AND kind = 'email'), '2999-01-01 00:00:00.000001+00',
    '[4.10] ... by a microsecond');
UPDATE contact SET attribute_times = '{"city": [32472144000000000, "shop"]}' WHERE contact_id = id('wu');
SELECT is(updates('wu', '{"city": "Ulm"}'), 'updated wu', '[4.10] of attributes too: this was a time of the year 2999');
SELECT is((SELECT attribute_times -> 'city' -> 0 FROM contact WHERE contact_id = id('wu')), '32472144000000001',
    '[4.10] and a microsecond');
SELECT throws_ok($$ SELECT identify('shop', email => 'x@example.org', occurred_at => '-infinity') $$, '22023', NULL,
    '[4.10] -infinity is no time');
SELECT throws_ok($$ SELECT capture('push', 'x', occurred_at => '-infinity') $$, '22023', NULL, '[4.10] of a capture either');
SELECT is(said(identify('shop', email => 'old@example.org', attributes => '{"city": "Ur"}', occurred_at => '4713-01-01 BC'), 'old'), 'created old',
    '[4.10] the oldest time there is');
SELECT is(updates('old', '{"city": "Rom"}', '0753-04-21 BC'), 'updated old', '[4.10] is older than others');
CALL known('zac');
SELECT is((SELECT array_agg(said(b) ORDER BY b.request) FROM identify_batch('[
    {"source": "shop", "ext_id": "zac", "attributes": {"city": "Ulm"}, "email": "zac.1@example.org"},
    {"source": "shop", "ext_id": "zac", "attributes": {"city": "Rom"}, "email": "zac.2@example.org"}]') AS b),
    '{"updated zac","updated zac"}', '[4.10] of two requests in one batch ...');
SELECT is(concat_ws(' ', attributes_of('zac'), holds('zac')), '{"city": "Rom"} email zac.2@example.org, ext_id zac',
    '[4.10] ... the later wins');

-- Three calls in every order: the same contact.
CREATE FUNCTION play(who text, calls integer[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    call integer;
BEGIN
    CALL given(who, identify('shop', ext_id => who, occurred_at => day(1)));
    FOREACH call IN ARRAY calls LOOP
        PERFORM identify('shop', ext_id => who,
            attributes => ('[{"a": "one", "b": null, "c": 1, "d": 1}, {"a": "two", "b": 2, "c": 2, "d": 2},
                             {"a": "two", "b": 3, "c": null, "d": 1}]'::jsonb) -> call - 1,
            email => CASE call WHEN 2 THEN who || '.2@example.org' ELSE who || '.1@example.org' END,
            occurred_at => day(1 + call));
    END LOOP;
    RETURN replace(holds(who) || ' ' || attributes_of(who), who, 'who');
END $$;
SELECT is(play('play' || n, calls), play('play' || n + 10, '{1,2,3}') ,
    '[4.10] the order in which values of one contact arrive does not matter: ' || calls::text)
FROM (VALUES (1, '{1,3,2}'::integer[]), (2, '{2,1,3}'), (3, '{2,3,1}'), (4, '{3,1,2}'), (5, '{3,2,1}'), (6, '{3,2,1,2,3,1}')) AS p (n, calls);
SELECT is(attributes_of('play5'), '{"a": "two", "b": 3, "d": 1}', '[4.10] it is what the newest said');

CALL known('bo');
SELECT is(updates('bo', '{"city": "Bonn"}', day(9)), 'unchanged bo', '[4.10] a newer confirmation ...');
SELECT is((SELECT count(*) FROM history WHERE contact_id = id('bo') AND field = 'city'), 1::bigint,
    '[4.10] ... has no history');
SELECT is(updates('bo', '{"city": "Ulm"}', day(8)), 'unchanged bo ignored city', '[4.10] ... and moves the time forward');
SELECT is(updates('bo', '{"city": "Bonn"}', day(7)) || ', ' || updates('bo', '{"city": "Ulm"}', day(8)), 'unchanged bo, unchanged bo ignored city',
    '[4.10] an older one does not move it back');
SELECT is(updates('bo', '{"gone": null}', day(3)) || ', ' || updates('bo', '{"gone": null}', day(6)) || ', ' || updates('bo', '{"gone": 1}', day(5)),
    'updated bo, unchanged bo, unchanged bo ignored gone', '[4.10] a clearing is confirmed too');
CALL known('cy');
SELECT is(updates('cy', '{"city": "Bonn"}'), 'unchanged cy', '[4.10] a confirmation without a time ...');
SELECT is(updates('cy', '{"city": "Ulm"}', day(6)), 'updated cy', '[4.10] ... writes nothing');
CALL given('di', identify('shop', ext_id => 'di', email => 'di@example.org', occurred_at => day(5)));
SELECT is(said(identify('shop', email => 'di@example.org', occurred_at => day(9))), 'unchanged di',
    '[4.10] an identifier is confirmed ...');
SELECT is(said(identify('shop', ext_id => 'di', email => 'di.2@example.org', occurred_at => day(8))), 'unchanged di ignored email',
    '[4.10] ... too');
SELECT is(said(identify('conversations', email => 'di@example.org', contact_id => id('di'), occurred_at => day(11))), 'updated di',
    '[4.10] (the list)');
SELECT is(said(identify('shop', ext_id => 'di', email => 'di.2@example.org', occurred_at => day(10))), 'unchanged di ignored email',
    '[4.10] by a source that keeps primaries as well');
SELECT is(said(identify('shop', email => 'di@example.org')), 'unchanged di', '[4.10] without a time ...');
SELECT is(said(identify('shop', ext_id => 'di', email => 'di.2@example.org', occurred_at => day(12))), 'updated di',
    '[4.10] ... it is not');

--------------------------------------------------------------------- the limits
CREATE FUNCTION many(n integer, from_n integer DEFAULT 1) RETURNS jsonb LANGUAGE sql IMMUTABLE AS
$$ SELECT jsonb_object_agg('a' || i, i) FROM generate_series(from_n, from_n + n - 1) AS i $$;
CALL known('em', many(999));
SELECT is(updates('em', many(1, 1000)), 'updated em', '[4.7] a contact has up to 1000 attributes');
SELECT throws_ok($$ SELECT updates('em', '{"a1001": 1}') $$, '54000', NULL, '[4.7] and no more');
SELECT throws_ok($$ SELECT keeps('em', '{"a1001": 1}') $$, '54000', NULL, '[4.6] whatever the source');
SELECT throws_ok($$ SELECT updates('em', '{"a1001": null}') $$, '54000', NULL, '[4.7] cleared ones too');
SELECT is(updates('em', '{"a1000": 2}'), 'updated em', '[4.7] those that are there can change');
SELECT throws_ok($$ SELECT capture('conversations', 'em', many(1001)) $$, '54000', NULL, '[4.7] a call has up to 1000');
CALL given('em''s', capture('conversations', 'em', '{"another": 1}'));
SELECT throws_ok($$ SELECT identify('conversations', 'em', ext_id => 'em') $$, '54000', NULL,
    '[4.9] a merge makes no more either');
SELECT is(resolve(id('em''s')), id('em''s'), '[4.9] and then does not take place');
CALL known('fo', jsonb_build_object('big', repeat('x', 999000)));
SELECT is(length(attributes_of('fo') ->> 'big'), 999000, '[4.7] up to 1,000,000 bytes');
SELECT throws_ok($$ SELECT updates('fo', jsonb_build_object('more', repeat('y', 2000))) $$, '54000', NULL, '[4.7] in all');
SELECT throws_ok($$ SELECT capture('conversations', 'fo', jsonb_build_object('big', repeat('x', 1000001))) $$, '54000', NULL,
    '[4.7] in one value too');
SELECT is(updates('fo', '{"big": "small"}'), 'updated fo', '[4.7] a big value can be replaced');
-- 9 octets each as given, a gigabyte as text
CREATE TEMP TABLE long AS SELECT jsonb_agg('1e131000'::jsonb) AS numbers FROM generate_series(1, 10000);
SELECT throws_ok($$ SELECT updates('fo', jsonb_build_object('long', numbers)) FROM long $$, '54000', NULL,
    '[4.7] numbers are as large as they are long');
SELECT results_eq($$ SELECT r.outcome, left(r.error, 5) FROM long, identify_batch(jsonb_build_array(
        jsonb_build_object('source', 'shop', 'ext_id', 'long', 'attributes', jsonb_build_object('long', numbers)),
        jsonb_build_object('source', 'shop', 'ext_id', 'long'))) r ORDER BY r.request $$,
    $$ VALUES (NULL, '54000'), ('created', NULL) $$, '[7.4] and of a batch only that request fails');
SELECT is(updates('fo', jsonb_build_object(repeat('n', 255), 1)), 'updated fo', '[4.7] a name has up to 255 octets');
SELECT throws_ok($$ SELECT updates('fo', jsonb_build_object(repeat('n', 256), 1)) $$, '22023', NULL, '[4.7] and no more');
SELECT throws_ok($$ SELECT updates('fo', jsonb_build_object(repeat('ü', 128), 1)) $$, '22023', NULL,
    '[4.7] octets, not letters');

CREATE FUNCTION deep(n integer) RETURNS jsonb LANGUAGE sql IMMUTABLE AS
$$ SELECT (repeat('{"a":[', n) || '1' || repeat(']}', n))::jsonb $$;
SELECT is(updates('fo', jsonb_build_object('deep', deep(500))), 'updated fo', '[4.7] a value a thousand levels deep');
SELECT is(updates('fo', jsonb_build_object('deep', deep(500))), 'unchanged fo', '[4.7] is compared');
SELECT ok(attributes_of('fo') -> 'deep' = deep(500), '[4.7] and stored as it is');
SELECT throws_ok($$ SELECT updates('fo', jsonb_build_object('deep', jsonb_build_array(deep(500)))) $$, '54000', 'attributes nest too deeply',
    '[4.7] one level more is refused');
SELECT throws_ok($$ SELECT updates('fo', jsonb_build_object('deep', deep(5000))) $$, '54000', 'attributes nest too deeply',
    '[4.7] as are ten thousand');
CREATE TEMP TABLE deeper AS SELECT jsonb_build_object('deep', deep(500)) AS a;
SET LOCAL max_stack_depth = '100kB';
CALL known('gu');
SELECT is(updates('gu', '{"shallow": {}}'), 'updated gu', '[4.7] with little stack a value that is not deep is no matter');
SELECT throws_ok($$ SELECT updates('gu', a) FROM deeper $$, '54001', NULL,
    '[4.7] one too deep for the stack is an error and no crash');
RESET max_stack_depth;
SELECT is(updates('fo', '{"a\"b\\c\n": "\u00e4\"\\\u0001", "É": "é"}'), 'updated fo',
    '[4.7] names and values of any letters');
SELECT is(attributes_of('fo') - 'deep' - repeat('n', 255), '{"big": "small", "a\"b\\c\n": "ä\"\\\u0001", "É": "é"}',
    '[4.7] are kept');
SELECT is(keeps('fo', '{"a\"b\\c\n": "ä\"\\\u0001", "É": "é"}'), 'unchanged fo', '[4.6] and compared');
SELECT is(updates('fo', '{"x": 1e400, "y": 123456789012345678901234567890.5, "z": 0.10}'), 'updated fo',
    '[4.7] numbers of any size');
SELECT is(updates('fo', '{"x": 1e400, "y": 123456789012345678901234567890.50, "z": 0.1}'), 'unchanged fo',
    '[4.7] are compared as numbers');
SELECT is(updates('fo', '{"y": 123456789012345678901234567890.6}'), 'updated fo', '[4.7] to the last digit');

SELECT * FROM finish();
ROLLBACK;
