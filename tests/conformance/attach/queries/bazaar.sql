-- support: a customer, the orders, the addresses
SELECT id, email, full_name FROM customers ORDER BY email;
SELECT * FROM customers WHERE id = 'a9f7e979-65d6-cf79-9a52-9102a973b8b9';
SELECT c.email, o.id, o.placed_on, o.status FROM customers c JOIN orders o ON o.customer_id = c.id ORDER BY o.id;
SELECT id, status FROM orders WHERE placed_on BETWEEN '2025-12-01' AND '2026-02-01' ORDER BY id;
SELECT o.id, i.line, i.pieces, l.title, l.price FROM orders o JOIN order_items i ON (i.order_id, i.placed_on) = (o.id, o.placed_on) JOIN listings l ON l.id = i.listing_id ORDER BY 1, 2;
SELECT o.id, sum(i.pieces) FROM orders o LEFT JOIN order_items i ON i.order_id = o.id AND i.placed_on = o.placed_on GROUP BY o.id, o.placed_on ORDER BY o.id;
SELECT order_id, line FROM order_items WHERE (order_id, placed_on) IN (SELECT id, placed_on FROM orders WHERE status = 'open') ORDER BY 1, 2;
SELECT c.full_name, a.street, a.city FROM customers c JOIN addresses a ON a.owner_type = 'Customer' AND a.owner_id = c.id ORDER BY 1, 2;
SELECT s.name, a.street FROM shops s LEFT JOIN addresses a ON a.owner_type = 'Shop' AND a.owner_id = s.id ORDER BY 1, 2;
SELECT owner_type, count(*) FROM addresses GROUP BY owner_type ORDER BY 1;
SELECT text FROM notices WHERE recipient_type = 'Customer' ORDER BY id;
SELECT n.text, coalesce(c.full_name, s.name) AS whom FROM notices n LEFT JOIN customers c ON c.id = n.recipient_id AND n.recipient_type = 'Customer' LEFT JOIN shops s ON s.id = n.recipient_id AND n.recipient_type = 'Shop' ORDER BY n.id;
SELECT DISTINCT postcode FROM addresses ORDER BY postcode;
-- shops
SELECT s.name, c.full_name AS keeper FROM shops s JOIN customers c ON c.id = s.keeper_id ORDER BY s.name;
SELECT s.name, count(l.id) AS listings, max(l.price) FROM shops s LEFT JOIN listings l ON l.shop_id = s.id GROUP BY s.id, s.name ORDER BY s.name;
SELECT title, price, rank() OVER (PARTITION BY shop_id ORDER BY price DESC) FROM listings;
SELECT l.title FROM listings l WHERE l.price > (SELECT avg(price) FROM listings) ORDER BY l.title;
SELECT l.id FROM listings l WHERE l.id NOT IN (SELECT listing_id FROM order_items) ORDER BY l.id;
SELECT l.title, sum(i.pieces * l.price) AS turnover FROM order_items i JOIN listings l ON l.id = i.listing_id GROUP BY l.title ORDER BY turnover DESC, l.title LIMIT 5;
SELECT keeper_id, name, iban IS NULL FROM shops ORDER BY name;
-- ratings: an enum, and things named by a text
SELECT stars, count(*) FROM ratings GROUP BY stars ORDER BY stars;
SELECT subject_type, avg(stars)::numeric(4,2) FROM ratings GROUP BY subject_type ORDER BY subject_type;
SELECT c.email, r.words FROM ratings r JOIN customers c ON c.id = r.writer_id WHERE r.subject_type = 'Shop' AND r.stars < 3 ORDER BY r.id;
SELECT subject_type::text || ' ' || subject_id AS thing, words FROM ratings ORDER BY id;
SELECT array_agg(DISTINCT subject_type) FROM ratings;
SELECT r.id FROM ratings r JOIN listings l ON r.subject_type = 'Listing' AND r.subject_id = l.id::text ORDER BY r.id;
-- finance
SELECT date_trunc('month', placed_on) AS month, status, count(*) FROM orders GROUP BY CUBE (1, 2) ORDER BY 1, 2;
SELECT customer_id, count(*) AS orders FROM orders GROUP BY customer_id HAVING count(*) > 3 ORDER BY 2 DESC, 1;
SELECT c.country, count(DISTINCT o.id) FROM customers c LEFT JOIN orders o ON o.customer_id = c.id GROUP BY c.country ORDER BY 1;
SELECT code, rate * 2 FROM currencies ORDER BY code;
SELECT o.status, round(sum(i.pieces * l.price), 2) FROM orders o JOIN order_items i ON i.order_id = o.id AND i.placed_on = o.placed_on JOIN listings l ON l.id = i.listing_id GROUP BY o.status ORDER BY 1;
WITH spent AS (SELECT o.customer_id AS who, sum(i.pieces) AS n FROM orders o JOIN order_items i USING (placed_on) WHERE i.order_id = o.id GROUP BY 1) SELECT c.email, s.n FROM customers c JOIN spent s ON s.who = c.id ORDER BY 2 DESC, 1;
SELECT min(placed_on), max(placed_on) FROM orders;
SELECT placed_on, count(*) OVER (ORDER BY placed_on ROWS BETWEEN 6 PRECEDING AND CURRENT ROW) FROM orders ORDER BY 1, 2;
SELECT id, placed_on FROM orders ORDER BY placed_on DESC, id LIMIT 3 OFFSET 2;
SELECT customer_id FROM orders UNION SELECT writer_id FROM ratings UNION SELECT keeper_id FROM shops ORDER BY 1;
SELECT customer_id FROM orders EXCEPT ALL SELECT writer_id FROM ratings ORDER BY 1;
-- people of both sides of a sale
SELECT DISTINCT buyer.email, seller.email FROM order_items i JOIN orders o ON o.id = i.order_id AND o.placed_on = i.placed_on JOIN customers buyer ON buyer.id = o.customer_id JOIN listings l ON l.id = i.listing_id JOIN shops s ON s.id = l.shop_id JOIN customers seller ON seller.id = s.keeper_id;
SELECT i.order_id FROM order_items i WHERE EXISTS (SELECT FROM listings l JOIN shops s ON s.id = l.shop_id JOIN orders o ON o.customer_id = s.keeper_id WHERE l.id = i.listing_id AND o.id = i.order_id);
SELECT count(*), count(DISTINCT listing_id) FROM order_items;
SELECT EXISTS (SELECT FROM shops), (SELECT max(price) FROM listings), NOT EXISTS (SELECT FROM ratings WHERE stars > 4);
-- mistakes
SELECT * FROM open_orders;
SELECT * FROM orders_2025;
SELECT id FROM orders WHERE id = 'x';
SELECT subject_type = 'Parcel' FROM ratings;
SELECT price / (price - price) FROM listings;
