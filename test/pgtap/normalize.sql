-- RULES 7: what is one value in many spellings, and what is none.
BEGIN;
\ir words.psql
SELECT plan(847);

-- A value normalises to another, or is refused.
CREATE FUNCTION becomes(kind text, given text, wanted text, description text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN is(contact_identity.normalize(kind, given), wanted, description || ': ' || to_json(left(given, 60)));
EXCEPTION WHEN OTHERS THEN
    RETURN is(SQLSTATE, wanted, description || ': ' || to_json(left(given, 60)));
END $$;
CREATE FUNCTION refused(kind text, given text, description text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN is(contact_identity.normalize(kind, given), '22023', description || ': ' || to_json(left(given, 60)));
EXCEPTION WHEN OTHERS THEN
    RETURN is(SQLSTATE, '22023', description || ': ' || to_json(left(given, 60)));
END $$;

---------------------------------------------------------------------- e-mail
SELECT becomes('email', given, wanted, '[7.1] ' || why) FROM (VALUES
    ('ann@example.org', 'ann@example.org', 'an address'),
    ('  ann@example.org ', 'ann@example.org', 'white space around it is removed'),
    (E'\t\r\nann@example.org\n', 'ann@example.org', 'of any kind'),
    (U&'\00A0\3000ann@example.org\2003', 'ann@example.org', 'of any script'),
    ('Ann.Lee@EXAMPLE.Org', 'ann.lee@example.org', 'ASCII letters to lower case'),
    (U&'\00C4nne@example.org', U&'\00C4nne@example.org', 'no other letters'),
    (U&'jose\0301@example.org', U&'jos\00E9@example.org', 'local part to NFC'),
    (U&'\212B@example.org', U&'\00C5@example.org', 'also of a single character'),
    (U&'JOSE\0301@example.org', U&'jos\00C9@example.org', 'composed or not, a letter is the same letter'),
    (U&'JOS\00C9@example.org', U&'jos\00C9@example.org', 'composed or not, a letter is the same letter'),
    (U&'ann@b\00FCcher.example', 'ann@xn--bcher-kva.example', 'international domain to its ASCII form'),
    (U&'ann@B\00DCCHER.Example', 'ann@xn--bcher-kva.example', 'whatever its case'),
    (U&'ann@bu\0308cher.example', 'ann@xn--bcher-kva.example', 'composed or not'),
    ('ann@xn--bcher-kva.example', 'ann@xn--bcher-kva.example', 'which is one domain with it'),
    ('ann@XN--BCHER-KVA.example', 'ann@xn--bcher-kva.example', 'in any case'),
    (U&'ann@stra\00DFe.example', 'ann@xn--strae-oqa.example', 'by UTS 46, not transitional'),
    (U&'ann@\FF45\FF58\FF41\FF4D\FF50\FF4C\FF45.org', 'ann@example.org', 'by UTS 46, wide letters'),
    (U&'ann@b\00FCcher\3002example', 'ann@xn--bcher-kva.example', 'by UTS 46, another full stop'),
    (U&'\03B4\03BF\03BA\03B9\03BC\03AE@example.org', U&'\03B4\03BF\03BA\03B9\03BC\03AE@example.org', 'printable characters beyond ASCII'),
    ('!#$%&''*+-/=?^_`{|}~@example.org', '!#$%&''*+-/=?^_`{|}~@example.org', 'all signs that a local part may have'),
    ('0.1-2_3@example.org', '0.1-2_3@example.org', 'digits'),
    ('a@b.co', 'a@b.co', 'a short one'),
    ('a@3com.1-2.org', 'a@3com.1-2.org', 'labels with digits and hyphens'),
    ('first.last+tag@gmail.com', 'first.last+tag@gmail.com', 'no provider''s private rules'),
    ('firstlast@googlemail.com', 'firstlast@googlemail.com', 'of any provider'),
    (repeat('a', 242) || '@example.org', repeat('a', 242) || '@example.org', 'up to 254 octets'),
    ('a@' || repeat('b', 63) || '.org', 'a@' || repeat('b', 63) || '.org', 'labels of up to 63'),
    ('a@b.' || repeat('c', 63), 'a@b.' || repeat('c', 63), 'the last too')) AS v (given, wanted, why);

SELECT refused('email', given, '[7.1] ' || why) FROM (VALUES
    ('', 'empty'),
    (E' \t', 'white space alone'),
    ('ann', 'no @'),
    ('example.org', 'no @'),
    ('ann@@example.org', 'two @'),
    ('ann@b@example.org', 'two @'),
    ('@example.org', 'nothing before the @'),
    ('ann@', 'nothing behind the @'),
    ('@', 'an @ alone'),
    (repeat('a', 243) || '@example.org', 'more than 254 octets'),
    (repeat(U&'\00E9', 122) || '@example.org', 'more than 254 octets, if not letters'),
    (repeat('a', 100000) || '@example.org', 'far too long'),
    ('a@' || repeat('b', 64) || '.org', 'a label of 64'),
    ('a@b.' || repeat('c', 64), 'a last label of 64'),
    ('ann@localhost', 'no dot in the domain'),
    ('ann@example.', 'a dot at the end'),
    ('ann@example.org.', 'a dot at the end'),
    ('ann@.example.org', 'a dot at the start'),
    ('ann@example..org', 'an empty label'),
    ('ann@.', 'a dot alone'),
    ('"ann"@example.org', 'a quoted local part'),
    ('"ann lee"@example.org', 'a quoted local part with a space'),
    ('ann\@lee@example.org', 'a quoted sign'),
    ('ann(home)@example.org', 'a comment'),
    ('(home)ann@example.org', 'a comment before'),
    ('ann@example.org(home)', 'a comment behind'),
    ('ann@[192.0.2.1]', 'an address literal'),
    ('ann@[IPv6:2001:db8::1]', 'an address literal'),
    ('ann@192.0.2.1', 'the last label all digits'),
    ('ann@example.123', 'the last label all digits'),
    (U&'ann@example.\0661\0662', 'the last label all digits, of any script'),
    (E'an\001n@example.org', 'a control character'),
    (E'an\tn@example.org', 'a tab inside'),
    (E'an\nn@example.org', 'a line break inside'),
    (E'ann@exam\177ple.org', 'a control character in the domain'),
    (U&'an\0085n@example.org', 'a control character beyond ASCII'),
    (U&'an\200Bn@example.org', 'a character that does not print'),
    (U&'an\00ADn@example.org', 'a character that does not print'),
    (U&'an\202En@example.org', 'a character that does not print'),
    (U&'an\E000n@example.org', 'a character of private use'),
    (U&'ann@exa\200Bmple.org', 'a character that does not print in the domain'),
    ('.ann@example.org', 'an empty part at the start'),
    ('ann.@example.org', 'an empty part at the end'),
    ('ann..lee@example.org', 'an empty part inside'),
    ('.@example.org', 'a dot alone'),
    ('ann lee@example.org', 'a space'),
    (U&'ann\00A0lee@example.org', 'a space of another kind'),
    ('ann@example .org', 'a space in the domain'),
    ('Ann <ann@example.org>', 'a name beside it'),
    ('<ann@example.org>', 'brackets around it'),
    ('mailto:ann@example.org', 'a scheme'),
    ('ann@example.org,bob@example.org', 'two addresses'),
    ('ann,lee@example.org', 'a sign that a local part may not have: ,'),
    ('ann;lee@example.org', 'a sign that a local part may not have: ;'),
    ('ann:lee@example.org', 'a sign that a local part may not have: :'),
    ('ann[lee@example.org', 'a sign that a local part may not have: ['),
    (U&'ann\037Elee@example.org', 'what becomes such a sign'),
    ('ann@exam_ple.org', 'a sign that a label may not have: _'),
    ('ann@exam+ple.org', 'a sign that a label may not have: +'),
    ('ann@exam/ple.org', 'a sign that a label may not have: /'),
    (U&'ann@ex\2603mple!.org', 'a sign that a label may not have: !'),
    ('ann@-example.org', 'a hyphen at the start of a label'),
    ('ann@example-.org', 'a hyphen at the end of a label'),
    ('ann@example.-org', 'a hyphen at the start of the last label'),
    ('ann@example.org-', 'a hyphen at the end of the last label'),
    ('ann@xn--a.example', 'no form of an international domain'),
    ('ann@xn--.example', 'no form of an international domain')) AS v (given, why);

CALL given('ann', identify('shop', email => U&'  Ann.Lee@B\00DCCHER.example '));
SELECT is((SELECT email FROM contacts WHERE contact_id = id('ann')), 'ann.lee@xn--bcher-kva.example',
    '[7.1] compared in its ASCII form');
SELECT is((SELECT given FROM identifiers WHERE contact_id = id('ann')), U&'Ann.Lee@B\00DCCHER.example',
    '[7.1] the spelling given is kept to show');
SELECT is(said(identify('shop', email => U&'ANN.LEE@b\00FCcher.EXAMPLE')), 'unchanged ann',
    '[7.1] another spelling is the same address');
SELECT is((SELECT given FROM identifiers WHERE contact_id = id('ann')), U&'Ann.Lee@B\00DCCHER.example',
    '[7.1] and the first spelling stays');
SELECT is((SELECT f FROM find('email', U&' ANN.lee@B\00DCCHER.example') AS f), id('ann'), '[7.1] find understands it too');

----------------------------------------------------------------------- phone
SELECT becomes(kind, given, wanted, '[7.2] ' || why) FROM (VALUES
    ('919788824675', '+919788824675', 'digits alone are international where no default region is set'),
    ('+91 9788824675', '+919788824675', 'with a plus'),
    ('0091 9788824675', '+919788824675', 'with 00'),
    (' +91 9788824675 ', '+919788824675', 'white space around it'),
    ('(0091) 9788824675', '+919788824675', '00 in brackets'),
    ('00919788824675', '+919788824675', '00 and digits alone'),
    ('+44 (0)7771234567', '+447771234567', 'a national prefix in brackets'),
    ('+44(0) 7771 234 567', '+447771234567', 'a national prefix in brackets, spaced'),
    ('0044 (0)7771234567', '+447771234567', 'a national prefix in brackets after 00'),
    ('+1 (206) 123-4567', '+12061234567', 'brackets'),
    ('+1.206.123.4567', '+12061234567', 'dots'),
    ('+1-206-123-4567', '+12061234567', 'hyphens'),
    ('+1/206/123/4567', '+12061234567', 'slashes'),
    ('+1 [206] 123 4567', '+12061234567', 'square brackets'),
    (U&'+1\00A0206\2011123\20134567', '+12061234567', 'separators of other kinds'),
    (U&'\FF0B\FF11 206 123 4567', '+12061234567', 'wide digits and plus'),
    ('+49 30 12345678', '+493012345678', 'another country'),
    ('+52 1 55 1234 5678', '+525512345678', 'a prefix for mobiles that is dialled no more')) AS v (given, wanted, why),
    unnest('{phone,whatsapp,landline}'::text[]) AS kind;
SELECT refused(kind, given, '[7.2] ' || why) FROM (VALUES
    ('', 'empty'),
    ('+', 'a plus alone'),
    ('-', 'a separator alone'),
    ('(206) 123-4567', 'no country code and no default region, not digits alone'),
    ('206 123 4567', 'spaces are not digits alone'),
    ('206-123-4567', 'hyphens are not digits alone'),
    ('+1 206 1', 'too short'),
    ('+1 123 4567', 'possible only locally'),
    ('+49 123', 'too short'),
    ('+1 206 123 45678', 'too long'),
    ('+49 123456789012345678', 'too long'),
    (repeat('1', 100000), 'far too long'),
    ('+1 206 CALL NOW', 'letters'),
    ('+1 800 FLOWERS', 'letters'),
    ('my number', 'letters'),
    ('+12061234567a', 'letters'),
    ('+999 1234567890', 'an unknown country code'),
    ('+210 1234567', 'an unknown country code'),
    ('9991234567890', 'an unknown country code'),
    ('+0 206 123 4567', 'an unknown country code'),
    ('+1 206 123 4567 ext. 12', 'an extension'),
    ('+1 206 123 4567 x12', 'an extension'),
    ('+1 206 123 4567;ext=12', 'an extension'),
    ('+1 206 123 4567,12', 'an extension'),
    ('+1 206 123 4567#12', 'an extension'),
    ('tel:+12061234567;ext=12', 'an extension'),
    ('++12061234567', 'two plus signs'),
    ('+1206+1234567', 'a plus inside'),
    ('-12061234567', 'a negative number'),
    ('+1 206 123 4567 / +1 206 123 4568', 'two numbers'),
    ('+1 206 123 4567, +1 206 123 4568', 'two numbers')) AS v (given, why), unnest('{phone,whatsapp,landline}'::text[]) AS kind;

UPDATE account SET default_region = 'US' WHERE account_id = 1;
SELECT becomes('phone', given, wanted, '[7.2] default region US: ' || why) FROM (VALUES
    ('(206) 123-4567', '+12061234567', 'a number without country code'),
    ('2061234567', '+12061234567', 'digits alone'),
    ('1 206 123 4567', '+12061234567', 'with its own country code'),
    ('+44 (0)7771234567', '+447771234567', 'one with a country code'),
    ('0091 9788824675', '+919788824675', 'a leading 00 is always +')) AS v (given, wanted, why);
SELECT refused('phone', given, '[7.2] default region US: ' || why) FROM (VALUES
    ('123-4567', 'possible only locally'),
    ('919788824675', 'digits alone are not international any more')) AS v (given, why);
SELECT is(said(identify('shop', phone => '(206) 123-4567'), 'us'), 'created us', '[7.2] default region in identify ...');
SELECT is((SELECT phone FROM contacts WHERE contact_id = id('us')), '+12061234567', '[7.2] ... too');
UPDATE account SET default_region = 'GB' WHERE account_id = 1;
SELECT becomes('phone', '020 7946 0958', '+442079460958', '[7.2] default region GB: the national prefix goes');
SELECT is(said(identify('shop', phone => '+12061234567')), 'unchanged us', '[7.2] what is stored is in no region');
UPDATE account SET default_region = NULL WHERE account_id = 1;
SELECT refused('phone', '020 7946 0958', '[7.2] no region again');
SELECT create_account(1002, 'another') \g /dev/null
UPDATE account SET default_region = 'US' WHERE account_id = 1002;
SELECT is(contact_identity.normalize('phone', '(206) 123-4567', account_id => 1002), '+12061234567',
    '[7.2] the region is the account''s');
SELECT refused('phone', '(206) 123-4567', '[7.2] and not the other''s');

CALL given('p', identify('shop', phone => '+12065550101'));
CALL given('w', identify('shop', whatsapp => '+12065550101'));
CALL given('l', identify('shop', landline => '+12065550101'));
SELECT is((SELECT count(DISTINCT id(n)) FROM unnest('{p,w,l}'::text[]) AS n), 3::bigint,
    '[7.2] the phone kinds are separate namespaces');
SELECT is(said(identify('shop', phone => '0091 9788824675'), 'in'), 'created in', '[7.2] the spellings ...');
SELECT is(said(identify('shop', phone => given)), 'unchanged in', '[7.2] ... are one number: ' || given)
FROM unnest('{919788824675,+91 9788824675,0091 9788824675}'::text[]) AS given;
SELECT is((SELECT given FROM identifiers WHERE contact_id = id('in')), '0091 9788824675',
    '[7.2] the spelling is kept to show');

--------------------------------------------------------------- ext_id and keys
SELECT becomes(kind, given, given, '[7.3] exact: ' || why) FROM (VALUES
    ('A-1', 'case'), ('a-1', 'case'), ('a  b', 'spaces inside'), (U&'e\0301', 'not composed'), (U&'\00E9', 'composed'),
    ('007', 'digits'), ('+1 206', 'no number'), ('x "y"', 'quotes inside'), ('ann@EXAMPLE.org', 'no address')) AS v (given, why),
    unnest('{ext_id,visitor,facebook,instagram,whatsapp_chat,push}'::text[]) AS kind;
SELECT refused(kind, given, '[7.3] ' || why) FROM (VALUES
    ('', 'empty'), (' ', 'white space alone'), (' a', 'white space before'), ('a ', 'white space behind'), (E'a\t', 'a tab behind'),
    (E'a\n', 'a line break behind'), (U&'\00A0a', 'white space of another kind before'), (U&'a\3000', 'and behind'),
    (E'a\001b', 'a control character'), (E'a\tb', 'a tab inside'), (E'a\nb', 'a line break inside'), (E'a\177', 'a control character at the end'),
    (U&'a\0085b', 'a control character beyond ASCII')) AS v (given, why),
    unnest('{ext_id,visitor,facebook,instagram,whatsapp_chat,push}'::text[]) AS kind;
SELECT is(contact_identity.normalize('ext_id', repeat('x', 255)), repeat('x', 255), '[7.3] ext_id up to 255 octets');
SELECT is(contact_identity.normalize('ext_id', repeat(U&'\00E9', 127)), repeat(U&'\00E9', 127), '[7.3] octets, not letters');
SELECT refused('ext_id', repeat('x', 256), '[7.3] ext_id, 256 octets');
SELECT refused('ext_id', repeat(U&'\00E9', 128), '[7.3] ext_id, 256 octets');
SELECT is(contact_identity.normalize(kind, repeat('x', 2000)), repeat('x', 2000), '[7.3] a key up to 2,000 octets: ' || kind)
FROM unnest('{visitor,facebook,instagram,whatsapp_chat,push}'::text[]) AS kind;
SELECT refused(kind, repeat('x', 2001), '[7.3] a key, 2,001 octets: ' || kind)
FROM unnest('{visitor,facebook,instagram,whatsapp_chat,push}'::text[]) AS kind;
SELECT refused('push', repeat('x', 10000000), '[7.3] a key, far too long');
SELECT is(said(identify('shop', ext_id => 'Ab'), 'Ab'), 'created Ab', '[7.3] in identify: an ext_id');
SELECT is(said(identify('shop', ext_id => 'aB'), 'aB'), 'created aB', '[7.3] another case is another');
SELECT isnt(capture('push', 'Ab'), capture('push', 'aB'), '[7.3] of keys too');
SELECT isnt(capture('push', U&'e\0301'), capture('push', U&'\00E9'), '[7.3] composed or not are two');
SELECT is(capture('push', repeat('e', 2000)), capture('push', repeat('e', 2000)), '[7.3] a long one is one');

------------------------------------------------------------- what an error says
-- complains(statement, field, value): 22023 that names the field, says what is
-- expected, and does not repeat the value.
CREATE FUNCTION complains(statement text, field text, given text, description text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    answer record;
BEGIN
    SELECT * INTO answer FROM refusal(statement);
    RETURN NEXT is(answer.code, '22023', description || ': 22023');
    RETURN NEXT ok(answer.message ~ ('\y' || field || '\y'), description || ': names the field');
    RETURN NEXT ok(answer.detail <> '', description || ': says what is expected');
    RETURN NEXT ok(strpos(lower(answer.shown), lower(given)) = 0, description || ': without the value');
END $$;
SELECT complains(format('SELECT identify(%L, %s => %L)', 'shop', field, given), field, given, '[7.4] ' || field)
FROM (VALUES ('email', 'secret.name@localhost'), ('email', 'secret name'), ('email', repeat('secret', 100) || '@example.org'),
             ('phone', '+1 206 secret'), ('phone', '+999 7654321'), ('phone', '7654321 x'), ('phone', '+1 206 555 0199 ext. 7654'),
             ('whatsapp', '+1 5550199'), ('landline', '5550199 5550199 5550199'), ('ext_id', ' secret'), ('ext_id', E'sec\001ret')) AS v (field, given);
SELECT complains(format('SELECT capture(%L, %L, via => %L)', source, 'secret ', via), kind, 'secret',
    '[7.4] key of ' || kind)
FROM (VALUES ('conversations', NULL, 'visitor'), ('conversations', 'facebook', 'facebook'), ('push', NULL, 'push')) AS v (source, via, kind);
SELECT complains(format('SELECT contact_identity.normalize(%L, %L)', 'email', 'secret@'), 'email', 'secret',
    '[7.4] normalize()');
SELECT is((SELECT array_agg(b.error IS NULL ORDER BY b.request) FROM identify_batch('[
    {"source": "shop", "email": "batch.1@example.org"}, {"source": "shop", "email": "batch.2"}, {"source": "shop", "email": "batch.3@example.org"}]') AS b),
    '{t,f,t}', '[7.4] a batch reports it for its row ...');
SELECT is((SELECT count(*) FROM identifiers WHERE value LIKE 'batch.%'), 2::bigint, '[7.4] ... and goes on');
SELECT ok(b.error ~ '\yemail\y' AND b.error !~ 'batch', '[7.4] in the same words')
FROM identify_batch('[{"source": "shop", "email": "batch.2"}]') AS b;
SELECT throws_ok($$ SELECT contact_identity.normalize('telegram', 'x') $$, '22023', NULL, '[7.4] a kind that is not there');

-------------------------------------------------------------- blocked values
CREATE TEMP TABLE blocked (value text);
INSERT INTO blocked VALUES ('null'), ('undefined'), ('none'), ('nil'), ('nan'), ('0'), ('-1'), ('true'), ('false'), ('anonymous'), ('guest'),
    ('unknown'), ('test'), ('n/a'), ('[object Object]'), ('00000000-0000-0000-0000-000000000000');
SELECT refused(kind, value, '[7.5] blocked, as ' || kind)
FROM blocked, unnest('{ext_id,email,phone,whatsapp,landline,visitor,facebook,instagram,whatsapp_chat,push}'::text[]) AS kind;
SELECT refused('ext_id', f,
    '[7.5] in any case') FROM blocked, unnest(ARRAY[upper(value), lower(value), initcap(value)]) AS f;
SELECT refused('ext_id', f, '[7.5] inside quotes') FROM blocked,
    unnest(ARRAY['"' || value || '"', '''' || value || '''', '`' || value || '`', U&'\201C' || value || U&'\201D', '"''' || upper(value) || '''"']) AS f;
SELECT refused('visitor', f, '[7.5] nothing between quotes') FROM unnest(ARRAY['""', '''''', '"''''"', '" "']) AS f;
SELECT throws_ok(format('SELECT capture(%L, %L)', 'conversations', value), '22023', NULL,
    '[7.5] [1.6] as a key: ' || value) FROM blocked;
SELECT throws_ok(format('SELECT identify(%L, ext_id => %L)', 'shop', value), '22023', NULL,
    '[7.5] in identify: ' || value) FROM blocked;
SELECT is(said(identify('shop', ext_id => v), v), 'created ' || v, '[7.5] what only begins like one is none: ' || v)
FROM unnest('{null-1,nullable,00,-12,tester,guest house,none@all}'::text[]) AS v;
INSERT INTO blocked_value (account_id, value) VALUES (1, 'n-a'), (1, 'To Be Done');
SELECT refused('ext_id', f,
    '[7.5] an account can add some') FROM unnest('{n-a,N-A,"\"n-a\"",To Be Done,to be done,"TO BE DONE"}'::text[]) AS f;
SELECT throws_ok($$ SELECT capture('push', 'n-a') $$, '22023', NULL, '[7.5] as keys too');
SELECT is(contact_identity.normalize('ext_id', 'n-a', account_id => 1002), 'n-a', '[7.5] for itself');
INSERT INTO blocked_value (account_id, value) VALUES (1, 'noreply@example.org'), (1, '+12065550199');
SELECT refused('email', ' NoReply@Example.org', '[7.5] an address');
SELECT refused('phone', '+1 206 555 0199', '[7.5] a number, in any spelling');
DELETE FROM blocked_value WHERE account_id = 1 AND value = 'test';
SELECT is(contact_identity.normalize('ext_id', 'test'), 'test', '[7.5] the table decides');
SELECT complains($$ SELECT identify('shop', ext_id => 'Undefined') $$, 'ext_id', 'Undefined', '[7.5] refused as malformed');

---------------------------------------------------- attributes named like kinds
SELECT throws_ok(format($$ SELECT identify('shop', ext_id => 'an-ext', attributes => '{"name": "A", "%s": "x"}') $$, kind), '22023', NULL,
    '[7.6] an attribute may not be named ' || kind) FROM identifier_kind WHERE account_id = 1;
SELECT ok(hint ~ ('\y' || kind || '\y'), '[7.6] the error says which argument to use: ' || kind)
FROM identifier_kind, refusal(format($$ SELECT identify('shop', ext_id => 'an-ext', attributes => '{"%s": "x"}') $$, kind))
WHERE account_id = 1 AND identifying;
SELECT throws_ok($$ SELECT capture('conversations', 'some key', '{"email": "ann@example.org"}') $$, '22023', NULL,
    '[7.6] in capture too');
SELECT throws_ok($$ SELECT identify('shop', ext_id => 'an-ext', attributes => '{"email": null}') $$, '22023', NULL,
    '[7.6] null either');
SELECT is(said(identify('shop', ext_id => 'an-ext', attributes => '{"Email": "x", "e-mail": "y", "address": {"email": "z"}}'), 'at'), 'created at',
    '[7.6] other names may be like it, and names within a value the same');

SELECT * FROM finish();
ROLLBACK;
