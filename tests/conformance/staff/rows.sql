-- What the people of the list did, beside what chance gave them, so that few answers are empty: two who quarrel (20, 21),
-- a customer who buys (42), tickets in a queue. Ids above 1.9 * 10^9 are from here, and two videos.

INSERT INTO messages (id, sender_id, recipient_id, client_uuid, body, attachment, sent_at)
SELECT 1900000000 + n, 1000000000 + CASE WHEN n % 3 = 0 THEN 21 ELSE 20 END, 1000000000 + CASE WHEN n % 3 = 0 THEN 20 ELSE 21 END,
       gen_random_uuid(), 'the train is late again ' || n, CASE WHEN n = 4 THEN '\x0102'::bytea END, now() - n * interval '7 hours'
FROM generate_series(1, 9) n;

INSERT INTO messages (id, sender_id, recipient_id, client_uuid, body, sent_at)
VALUES (1900000101, 1000000042, 1000000020, gen_random_uuid(), 'are you coming on Sunday', now() - interval '8 days'),
       (1900000102, 1000000020, 1000000042, gen_random_uuid(), 'not again', now() - interval '8 days' + interval '3 minutes');

INSERT INTO reports (id, reporter_id, reported_id, video_id, reason, note, handled_by, at)
VALUES (1900000001, 1000000021, 1000000020, NULL, 'harassment', 'writes every day', NULL, now() - interval '20 hours'),
       (1900000002, 1000000042, 1000000020, NULL, 'self_harm', NULL, 'lotte.maes', now() - interval '30 hours'),
       (1900000003, 1000000020, 1000000021, NULL, 'spam', 'it is the other way round', NULL, now() - interval '10 hours');

INSERT INTO comments (id, video_id, account_id, reply_to, body, posted_at)
SELECT 1900000000 + n, v.id, 1000000020, NULL, 'call me when you can', date_trunc('minute', now() - interval '2 days') + n * interval '9 seconds'
FROM generate_series(1, 5) n, (SELECT min(id) AS id FROM videos WHERE account_id = (SELECT min(account_id) FROM videos)) v;

INSERT INTO videos (id, account_id, caption, tags, length_s, views, posted_at)
VALUES (1000000901, 1000000042, 'see you at eight?', '{recipe,fyp}', 31, 4200, now() - interval '12 days'),
       (1000000902, 1000000021, 'where is this place', '{cats,travel}', 18, 900, now() - interval '3 days');
INSERT INTO comments (id, video_id, account_id, body, posted_at) VALUES (1900000011, 1000000902, 1000000020, 'not again', now() - interval '2 days');

INSERT INTO purchases (id, wallet_id, coins, price, at)
SELECT 1900000000 + n, w.id, 700, 9.03, now() - n * interval '9 days'
FROM generate_series(1, 6) n JOIN wallets w ON w.account_id = CASE WHEN n < 5 THEN 1000000042 ELSE 1000000021 END;
INSERT INTO purchases (id, wallet_id, coins, price, at)
SELECT 1900000010 + n, w.id, 7000, 90.30, date_trunc('day', now()) - interval '3 days' + n * interval '5 minutes'
FROM generate_series(1, 4) n JOIN wallets w ON w.account_id = 1000000022;
INSERT INTO payments (id, purchase_id, method, card_last4, payer_name, amount, at)
SELECT id, id, 'card', '4242', CASE WHEN id % 2 = 0 THEN 'Clara Novak' ELSE 'C. Novak' END, price + (id = 1900000002)::int, at
FROM purchases WHERE id IN (1900000001, 1900000002, 1900000003, 1900000005, 1900000006);

INSERT INTO tickets (id, reference, account_id, subject, status, assignee, opened_at)
SELECT 1900000000 + n, 'T-9' || lpad(n::text, 2, '0'), 1000000020 + n % 3, (ARRAY['account locked', 'payment failed', 'delete my data'])[1 + n % 3],
       CASE WHEN n % 4 = 0 THEN 'closed' ELSE 'open' END, CASE WHEN n > 13 THEN 'sean.keane' END, now() - n * interval '11 hours'
FROM generate_series(1, 16) n;
INSERT INTO ticket_messages (id, ticket_id, staff_login, body, at)
SELECT 1900000000 + n * 3 + k, 1900000000 + n, CASE WHEN k = 1 THEN 'aoife.byrne' END, 'my account is locked',
       now() - n * interval '11 hours' + k * interval '10 minutes'
FROM generate_series(4, 16, 4) n, generate_series(0, 1) k;

INSERT INTO positions (id, device_id, latitude, longitude, accuracy_m, at)
SELECT 1900000000 + n, 1000000042, 48.2 + n * 0.004, 16.36 + n * 0.002, 12, date_trunc('day', now()) - interval '10 days' + n * interval '3 hours'
FROM generate_series(1, 5) n;
INSERT INTO logins (id, device_id, ip, user_agent, succeeded, at)
SELECT 1900000000 + n, 1000000042, '198.18.7.7', 'Shorts/41.3 (Android)', n > 2, now() - interval '6 days' + n * interval '4 minutes'
FROM generate_series(1, 4) n;
INSERT INTO watch_events (id, account_id, video_id, source, watched_s, finished, at)
SELECT 1900000000 + n, 1000000042, v.id, 'for_you', 5 + n, n % 2 = 0, now() - n * interval '5 hours'
FROM generate_series(1, 45) n, (SELECT min(id) AS id FROM videos) v;
-- A phone whose clock is ahead: the last day has few people at whatever time of the day this runs, and after midnight too.
INSERT INTO watch_events (id, account_id, video_id, source, watched_s, finished, at)
SELECT 1900000099, 1000000042, min(id), 'for_you', 5, false, date_trunc('day', now()) + interval '1 day' FROM videos;
-- A child who gave their true age: of the ages below 18 one has few people, whatever the day.
UPDATE accounts SET birth_date = now() - interval '9 years' WHERE id = (SELECT max(id) FROM accounts WHERE home_region = 'eu');
