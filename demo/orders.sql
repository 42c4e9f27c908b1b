-- The orders: what was delivered where.  An order is placed with an e-mail
-- address and a telephone number and without any key; customers who are known are
-- found, the others become contacts.
CREATE TEMP TABLE shop_order AS
SELECT row_number() OVER (ORDER BY pg_temp.dice('orders at ' || person, 600), person) AS order_no,
       pg_temp.typed_email(email, 'order ' || person) AS email, phone, name,
       ('{Berlin,Potsdam,Oranienburg,Erkner}'::text[])[1 + pg_temp.dice('city ' || person, 4)] AS city
FROM person WHERE orders;

DO $$
DECLARE
    shop_order record;
    result contact_identity.identify_result;
BEGIN
    FOR shop_order IN SELECT * FROM shop_order ORDER BY order_no LOOP
        result := contact_identity.identify('shop',
            email => shop_order.email,
            phone => shop_order.phone,
            attributes => jsonb_build_object('name', shop_order.name, 'city', shop_order.city));
        INSERT INTO played (part, source, outcome, contact_id)
        VALUES ('orders', 'shop', result.outcome, result.contact_id);
    END LOOP;
END
$$;
