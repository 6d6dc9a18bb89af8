-- support: an account, its devices, its address book
SELECT id, phone, nickname FROM accounts ORDER BY id;
SELECT * FROM accounts WHERE id = 12;
SELECT nickname, birthday FROM accounts WHERE phone = '+447900900012';
SELECT a.id, b.nickname AS invited_by FROM accounts a LEFT JOIN accounts b ON b.id = a.invited_by_id ORDER BY a.id;
SELECT d.id, d.model FROM devices d JOIN accounts a ON a.id = d.account_id ORDER BY d.id;
SELECT account_id, count(*) FROM devices GROUP BY account_id ORDER BY 1;
SELECT phone, count(*) FROM address_book GROUP BY phone ORDER BY 1;
SELECT ab.account_id, ab.phone FROM address_book ab WHERE ab.phone LIKE '+44780010001%' ORDER BY ab.id;
SELECT a.nickname, ab.phone FROM accounts a JOIN address_book ab ON ab.account_id = a.id ORDER BY ab.id;
SELECT last_ip FROM devices WHERE account_id = 12;
SELECT d.last_ip, a.nickname FROM devices d, devices e, accounts a WHERE d.last_ip = e.last_ip AND a.id = e.account_id;
SELECT push_token IS NOT NULL, count(*) FROM devices GROUP BY 1;
WITH RECURSIVE up AS (SELECT id, invited_by_id, 1 AS step FROM accounts UNION ALL SELECT a.id, a.invited_by_id, u.step + 1 FROM accounts a JOIN up u ON u.invited_by_id = a.id) SELECT step, count(*) FROM up GROUP BY step ORDER BY step;
-- moderator: a report about a chat
SELECT m.id, m.body, m.sent_at::date IS NOT NULL FROM messages m WHERE m.chat_id = 7 ORDER BY m.id;
SELECT m.chat_id, c.is_group, count(*) FROM messages m JOIN chats c ON c.id = m.chat_id GROUP BY 1, 2 ORDER BY 1;
SELECT a.nickname, m.body FROM messages m JOIN accounts a ON a.id = m.sender_id ORDER BY m.id LIMIT 20;
SELECT m.id, r.emoji, r.account_id FROM messages m LEFT JOIN reactions r ON r.message_id = m.id ORDER BY 1, 3;
SELECT m.body, count(r.*) FROM messages m LEFT JOIN reactions r ON r.message_id = m.id GROUP BY m.id, m.body ORDER BY 2 DESC, 1;
SELECT message_id, file_name FROM attachments ORDER BY id;
SELECT f.file_name, m.body, a.nickname FROM attachments f JOIN messages m ON m.id = f.message_id JOIN accounts a ON a.id = m.sender_id ORDER BY f.id;
SELECT file_name, exif -> 'gps' ->> 'lat' FROM attachments ORDER BY id;
SELECT exif ->> 'camera' AS camera, count(*) FROM attachments GROUP BY 1 ORDER BY 1;
SELECT m.id FROM messages m WHERE m.sender_id NOT IN (SELECT account_id FROM chat_members cm WHERE cm.chat_id = m.chat_id) ORDER BY 1;
SELECT DISTINCT cm.chat_id FROM chat_members cm JOIN messages m ON m.chat_id = cm.chat_id AND m.sender_id = cm.account_id ORDER BY 1;
SELECT m.id, n.id FROM messages m JOIN LATERAL (SELECT id FROM messages WHERE chat_id = m.chat_id AND id > m.id ORDER BY id LIMIT 1) n ON true ORDER BY 1, 2;
SELECT sender_id, body, row_number() OVER (PARTITION BY sender_id ORDER BY id) FROM messages;
-- who knows whom
SELECT a.account_id, b.account_id, count(*) FROM chat_members a JOIN chat_members b ON b.chat_id = a.chat_id AND b.account_id > a.account_id GROUP BY 1, 2 ORDER BY 1, 2;
SELECT caller_id, callee_id, q.jitter_ms FROM calls c JOIN call_quality q ON q.call_id = c.id ORDER BY c.id;
SELECT call_id FROM call_quality WHERE lost_packets > 0 ORDER BY 1;
SELECT c.id FROM calls c WHERE c.caller_id IN (SELECT invited_by_id FROM accounts) ORDER BY 1;
SELECT x.nickname, y.nickname FROM calls c JOIN accounts x ON x.id = c.caller_id LEFT JOIN accounts y ON y.id = c.callee_id ORDER BY c.id;
SELECT id FROM calls WHERE caller_id = callee_id;
SELECT caller_id FROM calls UNION ALL SELECT callee_id FROM calls ORDER BY 1;
SELECT caller_id FROM calls EXCEPT SELECT sender_id FROM messages ORDER BY 1;
-- analyst
SELECT home_region, count(*) FROM accounts GROUP BY home_region ORDER BY 1;
SELECT extract(year FROM birthday) AS year, count(*) FROM accounts GROUP BY ROLLUP (1) ORDER BY 1;
SELECT is_group, count(*) FROM chats GROUP BY is_group ORDER BY 1;
SELECT avg(n), max(n) FROM (SELECT count(*) AS n FROM messages GROUP BY sender_id) s;
SELECT chat_id, count(*) FILTER (WHERE muted) AS muted, bool_or(muted) FROM chat_members GROUP BY chat_id ORDER BY 1;
SELECT emoji, count(DISTINCT account_id) FROM reactions GROUP BY emoji;
SELECT sum(jitter_ms), avg(lost_packets) FROM call_quality;
SELECT count(*) FROM messages WHERE body ILIKE '%part 1%';
SELECT width_bucket(id, 1, 120, 4) AS quarter, count(*) FROM accounts GROUP BY 1 ORDER BY 1;
SELECT a.id, (SELECT max(m.id) FROM messages m WHERE m.sender_id = a.id) AS latest FROM accounts a ORDER BY a.id;
-- mistakes
SELECT nickname_of(12);
SELECT topic FROM chats;
SELECT label FROM address_book;
SELECT birthday + 'x' FROM accounts;
SELECT * FROM accounts FOR UPDATE;
