-- Declared attributes: what is not declared is not stored, the rest is.
BEGIN;
SELECT plan(13);
SET search_path = contact_identity, public;

SELECT is((identify('api', email => 'd1@example.org', attributes => '{"anything": [1]}')).ignored, '{}',
          '[4.11] an account that declares nothing takes every attribute');
INSERT INTO attribute (account_id, name, type, choices) VALUES
    (1, 'nickname', 'text', NULL), (1, 'visits', 'number', NULL), (1, 'member', 'boolean', NULL),
    (1, 'born', 'date', NULL), (1, 'size', 'choice', ARRAY['S', 'M', 'extra "L"']);
SELECT is((identify('api', email => 'd1@example.org', attributes =>
                    '{"nickname": "Al", "visits": 1.5, "member": true, "born": "2024-02-29", "size": "extra \"L\""}')).ignored,
          '{}', '[4.11] values of the declared types are stored');
SELECT is((SELECT attributes FROM contacts WHERE email = 'd1@example.org'),
          '{"anything": [1], "nickname": "Al", "visits": 1.5, "member": true, "born": "2024-02-29", "size": "extra \"L\""}'::jsonb,
          '[4.11] and an attribute from before stays');
SELECT results_eq(
    $$SELECT outcome, ARRAY(SELECT unnest(ignored) ORDER BY 1) FROM identify('api', email => 'd2@example.org', attributes =>
      '{"nickname": 5, "visits": "1", "member": "yes", "born": "2023-02-29", "size": "XL", "other": "x"}')$$,
    $$VALUES ('created', ARRAY['born', 'member', 'nickname', 'other', 'size', 'visits'])$$,
    '[4.11] unknown attributes and values of the wrong type are named, the rest of the call is stored');
SELECT is((SELECT attributes FROM contacts WHERE email = 'd2@example.org'), '{}'::jsonb, '[4.11] none of them is stored');
SELECT is((identify('api', email => 'd1@example.org', attributes => '{"nickname": null, "visits": 2}')).outcome, 'updated',
          '[4.11] a declared attribute can be cleared [4.7]');
SELECT is((SELECT attributes ? 'nickname' FROM contacts WHERE email = 'd1@example.org'), false, '[4.7] it is gone');
SELECT is((identify('api', email => 'd2@example.org', attributes => '{"other": "x"}')).outcome, 'unchanged',
          '[4.16] a call of which nothing can be stored changes nothing');
SELECT is((SELECT ignored FROM identify_batch('[{"source": "api", "email": "d2@example.org", "attributes": {"other": 1}}]')),
          '{other}', '[4.11] a batch says the same');
SELECT lives_ok($$SELECT capture('conversations', 'd-visitor', attributes => '{"other": 1, "visits": 3}')$$,
                '[4.11] a capture stores the rest');
SELECT is((SELECT attributes FROM all_contacts WHERE contact_id = capture('conversations', 'd-visitor')), '{"visits": 3}'::jsonb,
          '[4.11] of an anonymous contact too');
DELETE FROM attribute WHERE account_id = 1;
SELECT is((identify('api', email => 'd2@example.org', attributes => '{"other": "x"}')).outcome, 'updated',
          '[4.11] once nothing is declared any more, all are taken again');
SELECT is_empty('SELECT * FROM check_integrity()', '[9.4] all is well');
SELECT * FROM finish();
ROLLBACK;
