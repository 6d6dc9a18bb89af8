-- support: somebody writes in
SELECT login, email, village FROM members ORDER BY login;
SELECT * FROM members WHERE email = 'm7@example.org';
SELECT email FROM members WHERE email ILIKE 'M1%@example.org' ORDER BY email;
SELECT login, joined, born FROM members WHERE login IN ('m1eef', 'm3dde', 'mffff');
SELECT m.login, count(t.id) AS threads FROM members m LEFT JOIN threads t ON t.starter = m.login GROUP BY m.login;
SELECT id, headline, opened::date FROM threads WHERE starter = 'm1eef' ORDER BY opened DESC, id;
SELECT r.id, r.body, t.headline FROM replies r JOIN threads t ON t.id = r.thread ORDER BY r.id LIMIT 10;
SELECT l.id, l.from_login, l.to_login, l.body FROM letters l WHERE NOT l.opened ORDER BY l.id;
SELECT who, max(day) AS last_seen FROM visits GROUP BY who ORDER BY who;
SELECT DISTINCT ON (writer) writer, id FROM replies ORDER BY writer, id DESC;
-- moderator: what was said, and how people took it
SELECT r.writer, r.body, count(th.login) AS thanks FROM replies r LEFT JOIN thanks th ON th.reply_id = r.id GROUP BY r.id, r.writer, r.body ORDER BY thanks DESC, r.writer, r.body;
SELECT r.id FROM replies r WHERE NOT EXISTS (SELECT FROM thanks t WHERE t.reply_id = r.id) ORDER BY r.id;
SELECT r.id, p.path FROM replies r JOIN reply_pictures p ON p.reply_id = r.id ORDER BY p.path;
SELECT path FROM reply_pictures WHERE reply_id IN (SELECT id FROM replies WHERE body LIKE '%right%') ORDER BY path;
SELECT t.board, b.colour, count(*) FROM threads t JOIN boards b ON b.slug = t.board GROUP BY 1, 2 ORDER BY 1;
SELECT t.headline, (SELECT count(*) FROM replies r WHERE r.thread = t.id) AS replies FROM threads t ORDER BY 2 DESC, 1;
SELECT writer, thread FROM replies INTERSECT SELECT starter, id FROM threads;
SELECT login FROM thanks EXCEPT SELECT writer FROM replies ORDER BY 1;
SELECT headline, lag(headline) OVER (PARTITION BY starter ORDER BY opened) FROM threads;
SELECT t.id, r.id FROM threads t CROSS JOIN LATERAL (SELECT id FROM replies WHERE thread = t.id ORDER BY id LIMIT 1) r ORDER BY 1, 2;
WITH busy AS (SELECT writer, count(*) AS n FROM replies GROUP BY writer HAVING count(*) > 2) SELECT m.login, b.n FROM busy b JOIN members m ON m.login = b.writer ORDER BY 1;
SELECT r.id, r.body FROM replies r JOIN threads t ON r.thread = t.id AND r.writer = t.starter;
SELECT string_agg(body, ' / ' ORDER BY id) FROM replies GROUP BY thread;
SELECT body FROM replies WHERE body ~ '\m7\d? times' ORDER BY body;
-- who wrote to whom
SELECT a.login, b.login, l.body FROM letters l JOIN members a ON a.login = l.from_login JOIN members b ON b.login = l.to_login ORDER BY l.id;
SELECT from_login, to_login, count(*) FROM letters GROUP BY GROUPING SETS ((from_login), (to_login), ()) ORDER BY 1, 2;
SELECT least(from_login, to_login) AS one, greatest(from_login, to_login) AS other, bool_and(opened) FROM letters GROUP BY 1, 2;
SELECT l.id FROM letters l FULL JOIN members m ON m.login = l.to_login WHERE m.village = 'Upper Wick' OR m.login IS NULL;
SELECT count(*) FILTER (WHERE opened), count(*) FROM letters;
-- analyst
SELECT village, count(*), min(joined), max(born) FROM members GROUP BY village ORDER BY village;
SELECT date_trunc('year', born) AS year, count(*) FROM members GROUP BY 1 ORDER BY 1;
SELECT count(DISTINCT who), avg(n) FROM (SELECT who, count(*) AS n FROM visits GROUP BY who) v;
SELECT board, percentile_disc(0.5) WITHIN GROUP (ORDER BY headline) FROM threads GROUP BY board;
SELECT board, rank() OVER (ORDER BY count(*) DESC) FROM threads GROUP BY board;
SELECT day, sum(count(*)) OVER (ORDER BY day) FROM visits GROUP BY day;
SELECT slug, colour FROM boards ORDER BY slug;
SELECT count(*) FROM waiting_list WHERE since > '2026-10-05';
SELECT CASE WHEN born < '1980-01-01' THEN 'older' ELSE 'younger' END AS age, count(*) FROM members GROUP BY 1;
TABLE thanks;
SELECT m.*, t.* FROM members m NATURAL JOIN thanks t;
VALUES (1, 'one'), (2, 'two');
-- security: whose address is it?
SELECT writer, ip FROM replies WHERE writer = 'm1eef' ORDER BY id;
SELECT agent, day FROM visits WHERE who = 'm1eef' ORDER BY day;
SELECT ip, count(*) FROM replies GROUP BY ip;
-- mistakes
SELECT 1 / (length(login) - length(login)) FROM members;
SELECT nickname FROM members;
SELECT * FROM nothing_here;
SELECT title FROM boards;
