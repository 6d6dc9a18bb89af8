"""Queries where people decide about a result in which they do not stand: what rules of attribution forget."""

from __future__ import annotations

TRAPS: dict[str, tuple[str, ...]] = {
    "rows that nothing gives": (
        "SELECT count(*), (SELECT max(views) FROM @videos!) FROM @accounts! WHERE id = 99",
        "SELECT max(id) FROM @accounts! WHERE id = 99 HAVING count(*) < (SELECT max(views) FROM @videos!)",
        "SELECT home, count(*), (SELECT max(views) FROM @videos!) FROM @accounts! WHERE id = 99 GROUP BY ROLLUP (home)",
        "SELECT count(*) FROM @accounts! WHERE id = 99 HAVING EXISTS (SELECT 1 FROM @videos! WHERE views > 5)",
        "SELECT d.n, d.m FROM (SELECT count(*) AS n, (SELECT min(l.day) FROM @logins l) AS m FROM @devices!"
        " WHERE year = 1) d",
        "SELECT a.id, d.n FROM @accounts a LEFT JOIN LATERAL (SELECT count(*) AS n, (SELECT max(p.id)"
        " FROM @posts p) AS m"
        " FROM @videos v WHERE v.author = a.id AND v.views > 1000) d ON true WHERE d.m > 3",
        "SELECT a.handle FROM @accounts a WHERE (SELECT count(*) + (SELECT max(views) FROM @videos!) FROM @devices d"
        " WHERE d.account_id = 99) > 5",
        "SELECT 1 FROM @accounts! WHERE false GROUP BY GROUPING SETS ((home), ()) HAVING"
        " (SELECT count(*) FROM @contacts!) > 2",
    ),
    "first rows below": (
        "SELECT a.id, v.id FROM (SELECT id FROM @accounts! ORDER BY id LIMIT 1) a JOIN"
        " (SELECT id FROM @videos! ORDER BY id DESC LIMIT 1) v ON a.id = v.id",
        "SELECT 1 FROM (SELECT id FROM @accounts! ORDER BY id DESC LIMIT 1) a, (SELECT likes FROM @messages!"
        " ORDER BY id LIMIT 1) m WHERE a.id = m.likes",
        "SELECT t.id FROM (SELECT id, coins FROM @accounts! ORDER BY id LIMIT 1 OFFSET 1) t",
        "SELECT t.id FROM (SELECT id, coins FROM @accounts! ORDER BY coins DESC NULLS LAST, id LIMIT 2 OFFSET 2) t"
        " WHERE t.coins = 5",
        "SELECT t.id FROM (SELECT id FROM @accounts a WHERE id IN (SELECT author FROM @videos!) ORDER BY id LIMIT 1) t",
        "SELECT t.id FROM (SELECT a.id, v.title FROM @accounts a LEFT JOIN @videos v ON v.id = a.id"
        " ORDER BY v.title NULLS FIRST, a.id LIMIT 1) t",
        "SELECT t.n FROM (SELECT home, count(*) AS n FROM @accounts! GROUP BY home ORDER BY 2, 1 LIMIT 1) t",
        "SELECT t.n FROM (SELECT DISTINCT coins AS n FROM @accounts! ORDER BY 1 LIMIT 2) t WHERE t.n > 0",
        "SELECT a.id FROM @accounts a WHERE a.id = 5 AND a.coins > (SELECT m.likes FROM @messages m"
        " ORDER BY m.likes DESC NULLS LAST, m.id LIMIT 1)",
        "SELECT t.id FROM (SELECT s.id FROM (SELECT id FROM @accounts! ORDER BY id LIMIT 3) s"
        " ORDER BY s.id DESC LIMIT 1) t",
        "SELECT 1 FROM (SELECT a.id FROM @accounts a JOIN (SELECT likes FROM @messages! ORDER BY id LIMIT 1) m"
        " ON m.likes = a.coins) x JOIN (SELECT views FROM @videos! ORDER BY id LIMIT 1) y ON y.views < x.id",
        "SELECT a.handle, t.title FROM @accounts a LEFT JOIN LATERAL (SELECT title FROM @videos v WHERE v.id >= a.id"
        " ORDER BY v.id LIMIT 1) t ON true WHERE t.title IS NULL OR t.title = 'dogs'",
    ),
    "first rows of WITH queries": (
        "WITH r AS (SELECT 1 AS x) SELECT t.id FROM (SELECT a.id FROM @accounts a JOIN r ON true"
        " ORDER BY a.id LIMIT 1) t",
        "WITH r AS (SELECT id FROM @accounts! WHERE coins > 1) SELECT t.id FROM"
        " (SELECT id FROM r ORDER BY id LIMIT 1) t",
        "WITH r AS (SELECT id FROM @accounts! WHERE coins > 1), s AS (SELECT id FROM r ORDER BY id DESC LIMIT 2)"
        " SELECT count(*) FROM s",
        "WITH r AS (SELECT id FROM @accounts! WHERE coins > 1), s AS (SELECT id FROM r ORDER BY id DESC LIMIT 2)"
        " SELECT a.handle FROM @accounts a WHERE a.id IN (SELECT id FROM s)",
        "WITH r AS (SELECT 1 AS x) SELECT a.handle FROM @accounts a WHERE a.coins >"
        " (SELECT m.likes FROM @messages m JOIN r ON r.x < m.id ORDER BY m.id LIMIT 1)",
        "WITH r AS (SELECT 1 AS x) SELECT count(*) FROM (WITH s AS (SELECT 2 AS y)"
        " SELECT m.likes FROM @messages m, r, s ORDER BY m.id LIMIT 1) t",
    ),
    "names that another table takes": (
        "SELECT a.k FROM @videos u JOIN LATERAL (SELECT min(x) AS k FROM (SELECT u.title AS x) m"
        " JOIN @accounts u ON true) a ON a.k LIKE '%n%'",
        "SELECT v.id, (SELECT count(*) FROM (SELECT v.title AS x) m, @accounts v WHERE m.x = 'cats') FROM @videos v",
        "SELECT v.id FROM @videos v WHERE EXISTS (SELECT 1 FROM (SELECT v.id AS x) m, @accounts v WHERE m.x > 2)",
    ),
    "what can fail below a recursion": (
        "WITH b AS (SELECT id - author AS k FROM @videos) SELECT count(*) FROM"
        " (WITH RECURSIVE r (p) AS (SELECT k FROM b UNION"
        " SELECT m.sender FROM r JOIN @messages m ON m.recipient = r.p) SELECT p FROM r) t",
        "WITH b AS (SELECT length(title) + author AS k FROM @videos) SELECT a.handle FROM"
        " (WITH RECURSIVE r (p) AS (SELECT b.k FROM b JOIN @accounts x ON x.id = b.k UNION SELECT m.sender FROM r"
        " JOIN @messages m ON m.recipient = r.p) SELECT p FROM r) t JOIN @accounts a ON a.id = t.p",
    ),
    "groups that come and go": (
        "SELECT home FROM @accounts! GROUP BY home HAVING min(id) > 1",
        "SELECT t.home FROM (SELECT home, min(id) AS n FROM @accounts! GROUP BY home) t WHERE t.n > 1",
        "SELECT home, min(id) FROM @accounts! GROUP BY home ORDER BY 2 DESC LIMIT 1",
        "SELECT home, avg(7 - coins) FROM @accounts! GROUP BY home ORDER BY 2 DESC LIMIT 1",
        "SELECT r.rank > 0, count(*) FROM @regions r LEFT JOIN @accounts a ON a.home = r.home GROUP BY 1"
        " HAVING count(*) FILTER (WHERE a.id IS NULL) > 1",
        "SELECT r.rank > 0, count(CASE WHEN a.id IS NULL THEN 1 END) FROM @regions r LEFT JOIN @accounts a"
        " ON a.home = r.home GROUP BY 1 ORDER BY 2 DESC LIMIT 1",
        "SELECT coalesce(a.home, 'nobody'), count(*) FROM @regions r LEFT JOIN @accounts a ON a.home = r.home"
        " AND a.coins > 3 GROUP BY 1 HAVING count(*) > 1",
        "SELECT a.home FROM @accounts a LEFT JOIN @videos v ON v.author = a.id GROUP BY a.home"
        " HAVING count(*) FILTER (WHERE v.id IS NULL) > 1",
        "SELECT a.home FROM @accounts a LEFT JOIN @videos v ON v.author = a.id GROUP BY a.home"
        " HAVING count(CASE WHEN v.id IS NULL THEN 1 END) >= 2",
        "SELECT coalesce(v.title, 'none'), count(*) FROM @accounts a LEFT JOIN @videos v ON v.author = a.id"
        " GROUP BY 1 HAVING count(*) > 1",
        "SELECT a.id, max(coalesce(v.views, 99)) FROM @accounts a LEFT JOIN @videos v ON v.author = a.id"
        " GROUP BY a.id"
        " HAVING max(coalesce(v.views, 99)) > 50",
        "SELECT title FROM @videos! GROUP BY title HAVING avg(views) > 8",
        "SELECT title FROM @videos! GROUP BY title HAVING min(views) > 8",
        "SELECT home FROM @accounts! GROUP BY home HAVING count(*) < 3",
        "SELECT home FROM @accounts! GROUP BY home HAVING count(*) > 2 AND count(coins) < 3",
        "SELECT home FROM @accounts! GROUP BY home HAVING NOT count(*) > 2",
        "SELECT home FROM @accounts! GROUP BY home HAVING count(*) > 2 OR home = 'us'",
        "SELECT home, count(*) FROM @accounts! GROUP BY home ORDER BY 2 LIMIT 1",
        "SELECT home, count(*) FROM @accounts! GROUP BY home ORDER BY 2 DESC LIMIT 1",
        "SELECT title, count(*) FROM @videos! GROUP BY title ORDER BY 2 DESC FETCH FIRST 1 ROWS WITH TIES",
        "SELECT title, sum(views) FROM @videos! GROUP BY title ORDER BY 2 DESC LIMIT 1",
        "SELECT sender, -count(*) FROM @messages! GROUP BY sender ORDER BY 2 LIMIT 2",
        "SELECT a.handle FROM @accounts a WHERE EXISTS (SELECT 1 FROM @videos v LEFT JOIN @posts p"
        " ON p.author = v.author WHERE v.author = a.id AND p.id IS NULL)",
        "SELECT a.handle FROM @accounts a WHERE a.id IN (SELECT v.author FROM @videos v WHERE NOT EXISTS"
        " (SELECT 1 FROM @messages m WHERE m.recipient = v.author))",
        "SELECT a.handle FROM @accounts a WHERE a.coins IN (SELECT count(*) FROM @videos v GROUP BY v.title)",
        "SELECT DISTINCT a.home FROM @accounts a WHERE EXISTS (SELECT 1 FROM @messages m WHERE m.sender = a.id)",
        "SELECT DISTINCT a.home, (SELECT count(*) FROM @devices d WHERE d.account_id = a.id) FROM @accounts a",
        "SELECT DISTINCT title FROM @videos! ORDER BY 1 DESC LIMIT 1",
        "SELECT count(DISTINCT v.title) FROM @accounts a LEFT JOIN @videos v ON v.author = a.id AND v.open",
    ),
    "one person, and others who decide": (
        "SELECT handle FROM @accounts! WHERE id = 3 AND id IN (SELECT sender FROM @messages!"
        " ORDER BY likes DESC NULLS LAST, id LIMIT 2)",
        "SELECT handle FROM @accounts! WHERE id = 2 AND id NOT IN (SELECT author FROM @videos!"
        " ORDER BY views DESC NULLS LAST, id LIMIT 2)",
        "SELECT handle FROM @accounts! WHERE id = 5 AND coins > ALL (SELECT likes FROM @messages! WHERE id < 4)",
        "SELECT handle FROM @accounts! WHERE id = 4 AND coins = ANY (SELECT min(likes) FROM @messages!"
        " GROUP BY recipient)",
        "SELECT (SELECT rank() OVER (ORDER BY m.likes) FROM @messages m WHERE m.sender = a.id ORDER BY m.id LIMIT 1)"
        " FROM @accounts a WHERE a.id = 1",
        "SELECT t.r FROM (SELECT id, rank() OVER (ORDER BY coins DESC NULLS LAST) AS r FROM @accounts!) t WHERE"
        " t.id = 2",
        "SELECT t.n FROM (SELECT author, count(*) OVER (PARTITION BY title) AS n FROM @videos!) t WHERE t.author = 1",
        "SELECT t.id FROM (SELECT id, max(coins) OVER () AS m FROM @accounts!) t WHERE t.id = 1 AND t.m = 5",
        "SELECT s.n FROM (SELECT home, count(*) AS n FROM @accounts! GROUP BY ROLLUP (home)) s WHERE s.home IS NULL",
        "SELECT c.name FROM @contacts c JOIN (SELECT home FROM @regions! WHERE home <> 'ap' EXCEPT"
        " SELECT home FROM @accounts! WHERE coins > 3) t ON length(t.home) = c.owner",
        "SELECT c.name FROM @contacts c WHERE c.owner = 2 AND 'eu' NOT IN (SELECT home FROM @accounts!"
        " WHERE coins > 3)",
        "SELECT c.name FROM @contacts c WHERE c.id = 1 AND NOT EXISTS (SELECT 1 FROM @accounts a WHERE a.home = 'eu')",
        "SELECT v.id FROM @videos v WHERE v.id = 3 AND v.author = (SELECT m.sender FROM @messages m"
        " ORDER BY m.id LIMIT 1)",
        "SELECT t.id FROM (SELECT id FROM @accounts! EXCEPT SELECT sender FROM @messages!) t WHERE t.id = 3",
        "SELECT t.handle FROM (SELECT DISTINCT ON (home) home, handle FROM @accounts! ORDER BY home, id) t"
        " WHERE t.handle = 'bob'",
    ),
    "subqueries that others feed": (
        "SELECT handle FROM @accounts! WHERE id = 1 AND id = (SELECT author FROM @videos! WHERE title = 'cats')",
        "SELECT handle FROM @accounts! WHERE id = (SELECT author FROM @videos! WHERE title = 'cats')",
        "SELECT handle FROM @accounts! WHERE id = 1 AND coins = (SELECT likes FROM @messages! WHERE sender = 1)",
        "SELECT handle FROM @accounts! WHERE id = 1 AND id IN ((SELECT author FROM @videos! EXCEPT"
        " SELECT recipient FROM @messages!) UNION SELECT owner FROM @contacts! WHERE id = 4)",
        "SELECT handle FROM @accounts! WHERE id = 1 AND id IN ((SELECT author FROM @videos! ORDER BY id DESC LIMIT 1)"
        " UNION SELECT owner FROM @contacts! WHERE id = 4)",
        "SELECT handle FROM @accounts! WHERE id = 1 AND id IN (SELECT author FROM @videos! INTERSECT"
        " (SELECT id FROM @accounts! EXCEPT SELECT recipient FROM @messages!))",
        "SELECT handle FROM @accounts! WHERE id = 1 AND id IN (SELECT t.author FROM (SELECT author, row_number() OVER"
        " (ORDER BY views, id) AS n FROM @videos!) t WHERE t.n < 2)",
        "SELECT handle FROM @accounts! WHERE id = 1 AND EXISTS (SELECT 1 FROM @videos v, LATERAL"
        " (SELECT m.id FROM @messages m ORDER BY m.likes DESC, m.id LIMIT 1) m WHERE m.id = 2)",
        "SELECT handle FROM @accounts! GROUP BY 1 HAVING count(*) > 1 AND max(id) IN (SELECT author FROM @videos!)",
        "SELECT count(*) IN (SELECT likes FROM @messages!) FROM @accounts!",
        "SELECT home FROM @accounts! GROUP BY home ORDER BY 1 LIMIT 1",
        "SELECT a.handle FROM @accounts a WHERE EXISTS (SELECT v.title FROM @videos v WHERE v.author = a.id OFFSET 1)",
        "SELECT handle FROM @accounts a WHERE EXISTS"
        " (SELECT 1 FROM @videos v WHERE v.author = a.id HAVING count(*) < 2)",
        "SELECT home FROM @accounts! EXCEPT SELECT home FROM @regions! UNION SELECT title FROM @videos!",
        "SELECT author FROM @videos! WHERE open UNION (SELECT sender FROM @messages! ORDER BY likes, id LIMIT 2)",
        "SELECT t.home FROM (SELECT home, count(*) AS n FROM @accounts! GROUP BY home) t WHERE t.n < 4",
        "SELECT t.home FROM (SELECT home, count(*) AS n FROM @accounts! GROUP BY home) t ORDER BY 1 LIMIT 1",
        "SELECT r.title, t.n FROM @regions r LEFT JOIN (SELECT home, count(*) AS n FROM @accounts! GROUP BY home) t"
        " ON t.home = r.home AND t.n > 3 WHERE t.n IS NULL",
        "SELECT r.title, t.n FROM @regions r LEFT JOIN (SELECT home, count(*) AS n FROM @accounts! GROUP BY home) t"
        " ON t.home = r.home ORDER BY 2 DESC LIMIT 1",
        "SELECT id, sum(likes) OVER (ORDER BY id) FROM @messages! WHERE likes / (sender - 9) < 3",
        "SELECT 10 / (count(*) - 4), home FROM @accounts! GROUP BY home HAVING count(*) > 2",
        "SELECT unnest(tags), count(*) FROM @posts! GROUP BY 1 HAVING count(*) > 1",
        "SELECT count(*), unnest(array_agg(id ORDER BY id)) FROM @accounts! GROUP BY home HAVING count(*) > 2",
    ),
    "places of subqueries": (
        "SELECT g, a.handle FROM generate_series(1, (SELECT max(likes) FROM @messages!)) g LEFT JOIN @accounts a"
        " ON a.id = g WHERE g = 3",
        "SELECT a.id, t FROM @accounts a, unnest(ARRAY(SELECT v.title FROM @videos v WHERE v.author = a.id"
        " ORDER BY v.id)) t"
        " WHERE a.id = 2",
        "SELECT a.id FROM @accounts a, generate_series(1, (SELECT count(*) FROM @messages m"
        " WHERE m.recipient = a.id)) g"
        " WHERE a.id = 4",
        "SELECT x.id FROM (SELECT a.id, EXISTS (SELECT 1 FROM @videos v WHERE v.author = a.id) AS e"
        " FROM @accounts a) x"
        " WHERE NOT x.e",
        "SELECT x.e, count(*) FROM (SELECT a.id, (SELECT count(*) FROM @messages m WHERE m.recipient = a.id) AS e"
        " FROM @accounts a) x GROUP BY x.e HAVING count(*) > 1",
        "SELECT DISTINCT x.e FROM (SELECT a.id, (SELECT count(*) FROM @messages m WHERE m.recipient = a.id) AS e"
        " FROM @accounts a) x",
        "SELECT (SELECT count(*) FROM @messages m WHERE m.recipient = a.id) FROM @accounts a UNION ALL"
        " SELECT rank FROM @regions!",
        "SELECT a.id FROM @accounts a WHERE a.id = 2 AND (SELECT true FROM @messages m WHERE m.recipient = a.id)",
        "SELECT a.id FROM @accounts a WHERE a.id = 1 AND ROW(a.id, a.coins) < ALL"
        " (SELECT m.sender, m.likes FROM @messages m WHERE m.sender > 1)",
        "SELECT r.title FROM @regions r WHERE NOT EXISTS (SELECT 1 FROM @accounts a"
        " WHERE a.home = r.home AND NOT EXISTS"
        " (SELECT 1 FROM @videos v WHERE v.author = a.id))",
        "SELECT v.id FROM @videos v WHERE v.views >= ALL (SELECT w.views FROM @videos w WHERE w.views IS NOT NULL"
        " AND w.author <> v.author)",
        "WITH RECURSIVE r(p) AS (SELECT a.id FROM @accounts a WHERE a.id = 1 UNION SELECT m.recipient FROM r"
        " JOIN @messages m ON m.sender = r.p) SELECT a.handle FROM @accounts a WHERE a.id NOT IN"
        " (SELECT p FROM r WHERE p IS NOT NULL)",
        "WITH t AS (SELECT a.id, row_number() OVER (ORDER BY a.coins DESC NULLS LAST, a.id) AS n FROM @accounts a)"
        " SELECT x.id FROM t x JOIN t y ON y.n = x.n + 1 WHERE y.id = 1",
        "SELECT a.id, v.id FROM @accounts a LEFT JOIN @videos v ON v.author = a.id AND EXISTS"
        " (SELECT 1 FROM @messages m WHERE m.recipient = a.id) WHERE a.id = 4",
        "SELECT a.id FROM @accounts a JOIN @regions r ON r.home = a.home AND a.id ="
        " (SELECT m.recipient FROM @messages m ORDER BY m.likes, m.id LIMIT 1) WHERE a.id = 4",
        "VALUES ((SELECT max(views) FROM @videos!)), (1)",
        "SELECT a.id FROM @accounts a WHERE (SELECT count(*) FROM @videos v WHERE v.author = a.id) IN"
        " (SELECT likes FROM @messages!)",
        "SELECT a.id FROM @accounts a WHERE (a.id, 5) = (SELECT m.sender, m.likes FROM @messages m WHERE m.id = 4)",
        "SELECT a.id FROM @accounts a WHERE (a.id, a.coins) = ANY (SELECT m.sender, m.likes FROM @messages m)",
        "SELECT count(*) FILTER (WHERE a.id IN (SELECT author FROM @videos!)) FROM @accounts a",
        "SELECT a.id, rank() OVER (ORDER BY (SELECT count(*) FROM @videos v WHERE v.author = a.id)) FROM @accounts a",
        "SELECT (SELECT max(likes) FROM @messages m WHERE m.sender = a.id), count(*) FROM @accounts a GROUP BY 1",
        "SELECT a.id FROM @accounts a GROUP BY a.id HAVING (SELECT bool_or(v.open) FROM @videos v"
        " WHERE v.author = a.id)",
        "SELECT x.n FROM @accounts a JOIN LATERAL (SELECT (SELECT count(*) FROM @videos v"
        " WHERE v.author = a.id) AS n) x"
        " ON x.n > 1",
        "SELECT a.id FROM @accounts a WHERE a.joined BETWEEN (SELECT min(day) - 400 FROM @logins!)"
        " AND (SELECT max(day) FROM @logins!)",
        "SELECT coalesce(a.coins, (SELECT max(v.views) FROM @videos v)) FROM @accounts a",
        "WITH t AS (SELECT sender AS s FROM @messages! WHERE likes > 0) SELECT a.handle FROM @accounts a"
        " WHERE a.id IN (SELECT s FROM t) AND a.id > (SELECT min(s) FROM t)",
        "SELECT a.id FROM @accounts a JOIN @devices d ON d.account_id = a.id AND EXISTS"
        " (SELECT 1 FROM @logins l WHERE l.device_id = d.id AND l.ok) WHERE a.coins >= 5",
        "SELECT a.id FROM @accounts a FULL JOIN @posts p ON p.author = a.id WHERE NOT EXISTS"
        " (SELECT 1 FROM @videos v WHERE v.author = p.author)",
        "SELECT a.id FROM @accounts a WHERE NOT (a.id IN (SELECT author FROM @videos!) AND EXISTS"
        " (SELECT 1 FROM @posts p WHERE p.author = a.id))",
        "SELECT p.id FROM @posts p WHERE 'cats' = ANY (p.tags) AND EXISTS (SELECT 1 FROM unnest(p.tags) AS t(x)"
        " WHERE t.x IN (SELECT home FROM @accounts!))",
    ),
    "decided by rows of one's own": (
        "SELECT a.id FROM @accounts a WHERE NOT EXISTS (SELECT 1 FROM @posts p WHERE p.author = a.id)",
        "SELECT a.id FROM @accounts a WHERE NOT EXISTS (SELECT 1 FROM @posts p WHERE p.id = a.id)",
        "SELECT a.id FROM @accounts a LEFT JOIN @messages m ON m.recipient = a.id WHERE NOT EXISTS"
        " (SELECT 1 FROM @posts p WHERE p.id = a.id)",
        "SELECT a.id FROM (SELECT id, max(coins) AS coins FROM @accounts! GROUP BY id) a WHERE a.id NOT IN"
        " (SELECT author FROM @videos! WHERE author IS NOT NULL)",
        "SELECT a.id FROM @accounts a WHERE a.coins = 5 AND (a.id = 1 OR EXISTS (SELECT 1 FROM @videos v"
        " WHERE v.views = 7))",
        "SELECT a.id FROM @accounts a WHERE (a.id NOT IN (SELECT v.author FROM @videos v)) IS NOT FALSE",
        "SELECT v.id FROM @videos v WHERE v.title NOT IN (SELECT v.title FROM @videos v WHERE v.views >= 1)",
        "SELECT r.rank, CASE WHEN EXISTS (SELECT 1 FROM @videos v WHERE v.id = r.rank AND v.views > 1000)"
        " THEN 0 ELSE (SELECT count(*) FROM @logins!) END FROM @regions r",
        "SELECT r.rank, r.rank IN (SELECT v.views FROM @videos v WHERE v.id >= r.rank AND v.title = 'dogs')"
        " FROM @regions r",
        "SELECT a.handle FROM @accounts a LEFT JOIN @videos v ON v.id = a.id WHERE coalesce(v.views, 0) < 1",
        "SELECT a.handle FROM @accounts a WHERE NOT EXISTS (SELECT 1 FROM @posts p LEFT JOIN @devices d ON d.id = p.id"
        " WHERE p.author = a.id AND (d.year > 1 OR p.id > 1))",
        "SELECT a.id FROM @accounts a WHERE (a.id NOT IN (SELECT v.author FROM @videos v)) IS NOT TRUE",
        "SELECT a.id FROM @accounts a WHERE (a.coins = ANY (SELECT m.likes FROM @messages m)) IS NOT TRUE",
        "SELECT a.id FROM @accounts a WHERE NOT (a.coins <> ALL (SELECT m.likes FROM @messages m))",
        "SELECT a.id FROM @accounts a WHERE NOT EXISTS (SELECT 1 FROM @videos v WHERE v.author = a.id AND NOT EXISTS"
        " (SELECT 1 FROM @posts p WHERE p.id = v.id))",
        "SELECT a.id FROM @accounts a LEFT JOIN @devices d ON d.account_id = a.id WHERE NOT (d.id IN"
        " (SELECT device_id FROM @logins!))",
        "SELECT a.id FROM @accounts a LEFT JOIN @devices d ON d.account_id = a.id AND d.year > 2021 WHERE"
        " NOT EXISTS (SELECT 1 FROM @logins l WHERE l.device_id = d.id)",
        "SELECT a.id, EXISTS (SELECT 1 FROM @posts p WHERE p.author = a.id OR p.id = a.id) FROM @accounts a",
        "SELECT a.id FROM @accounts a WHERE 5 > ALL (SELECT m.likes FROM @messages m WHERE m.sender = a.id)",
    ),
    "errors": (
        "SELECT a.id FROM @accounts a WHERE a.id = 1 AND (EXISTS (SELECT 1 FROM @devices d"
        " WHERE 10 / (d.year - 2024) > 0) OR a.id = 1)",
        "SELECT 10 / (SELECT count(*) FROM @videos! WHERE views > 50)",
        "SELECT 10 / (count(*) - 3) FROM @accounts! WHERE home = 'eu'",
        "SELECT (SELECT title FROM @videos v WHERE v.author = a.id) FROM @accounts a",
        "SELECT (SELECT handle FROM @accounts! WHERE coins = 12)",
        "SELECT t.x FROM (SELECT 10 / likes AS x FROM @messages!) t",
    ),
}
"""Written as in ``idioms``."""
