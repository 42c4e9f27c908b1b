-- Before opening: the customers that the shop knows already, taken over from its
-- old list in one statement.
INSERT INTO played (part, source, outcome, contact_id)
SELECT 'customers', 'api', r.outcome, r.contact_id
FROM (SELECT * FROM person WHERE customer ORDER BY person) customer
CROSS JOIN LATERAL contact_identity.identify('api',
    email => customer.email,
    phone => customer.phone,
    attributes => jsonb_build_object('name', customer.name)) r;
