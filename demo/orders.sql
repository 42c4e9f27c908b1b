-- The orders: what was delivered where.  The shop has a table of orders of its
-- own, and calls nothing: once the table is attached, inserting an order finds or
-- makes its contact and notes it in the row.
CREATE TABLE customer_order (order_no integer PRIMARY KEY, email text, phone text, name text, city text,
                             contact_id bigint);
SELECT contact_identity.attach('customer_order', 'shop', email => 'email', phone => 'phone',
    attributes => '{name,city}', contact_id => 'contact_id', on_error => 'raise') \g /dev/null
INSERT INTO customer_order (order_no, email, phone, name, city)
SELECT row_number() OVER (ORDER BY pg_temp.dice('orders at ' || person, 600), person),
       pg_temp.typed_email(email, 'order ' || person), phone, name,
       ('{Berlin,Potsdam,Oranienburg,Erkner}'::text[])[1 + pg_temp.dice('city ' || person, 4)]
FROM person WHERE orders
ORDER BY 1;

-- For the table of answers: who was new with the first order.
INSERT INTO played (part, source, outcome, contact_id)
SELECT 'orders', 'shop', CASE WHEN h.contact_id IS NULL THEN 'updated' ELSE 'created' END, o.contact_id
FROM customer_order o
LEFT JOIN contact_identity.history h ON h.contact_id = o.contact_id AND h.event = 'created' AND h.source = 'shop'
 AND NOT EXISTS (SELECT FROM customer_order p WHERE p.contact_id = o.contact_id AND p.order_no < o.order_no)
ORDER BY o.order_no;
