"""Queries as staff write them, and the traps that rules of attribution fall into.

``@table`` stands for a table that gets an alias, ``@table!`` for one without. ORDER BY the outputs' numbers, LIMIT and
OFFSET at the end belong to the outermost query; all that is inside has one answer, unless it stands in ``LOOSE``.
"""

from __future__ import annotations

import re

from tests.oracles.query import Block, Case, Count, Expect, Query, Sort

TABLE = re.compile(r"@(\w+)(!?)")
TAIL = re.compile(
    r"(?:\s+ORDER BY (?P<order>\d+(?: DESC)?(?:, \d+(?: DESC)?)*))?"
    r"(?:\s+(?P<limit>LIMIT (?P<count>\d+)|FETCH FIRST (?P<first>\d+) ROWS (?P<ties>WITH TIES)))?"
    r"(?:\s+(?P<offset>OFFSET (?P<skip>\d+)))?\s*$"
)

IDIOMS: dict[str, tuple[str, ...]] = {
    "aggregates": (
        "SELECT count(*), max(joined), bool_or(coins > 3) FROM @accounts a WHERE a.home = 'eu'",
        "SELECT count(*) = 0 FROM @videos v WHERE v.title = 'no such title'",
        "SELECT count(*) FILTER (WHERE ok), count(*) FILTER (WHERE NOT ok) FROM @logins l",
        "SELECT array_agg(DISTINCT tag ORDER BY tag) FROM @posts p, unnest(p.tags) AS t(tag)",
        "SELECT bool_and(EXISTS (SELECT 1 FROM @videos v WHERE v.author = a.id)) FROM @accounts a",
        "SELECT sum((SELECT count(*) FROM @devices d WHERE d.account_id = a.id)) FROM @accounts a WHERE a.home = 'eu'",
        "SELECT jsonb_agg(p.meta -> 'k' ORDER BY p.id) FROM @posts p",
    ),
    "groups": (
        "SELECT home, count(*) FROM @accounts! GROUP BY home HAVING count(*) > 2",
        "SELECT author, count(*) FROM @videos! GROUP BY 1 HAVING max(views) >= 10 ORDER BY 2 DESC LIMIT 1",
        "SELECT home, joined, count(*) FROM @accounts! GROUP BY GROUPING SETS ((home), (joined), ())",
        "SELECT home, coins, grouping(home, coins), count(*) FROM @accounts! GROUP BY ROLLUP (home, coins)"
        " ORDER BY 3, 1",
        "SELECT model, carrier, count(*) FROM @devices! GROUP BY CUBE (model, carrier) HAVING count(*) = 1",
        "SELECT date_part('year', joined), count(*) FROM @accounts! GROUP BY date_part('year', joined)",
        "SELECT handle FROM @accounts! GROUP BY handle HAVING count(*) > 1",
        "SELECT a.home FROM @accounts a GROUP BY a.home HAVING NOT EXISTS"
        " (SELECT 1 FROM @regions r WHERE r.home = a.home AND r.rank > 1)",
        "SELECT m.sender FROM @messages m GROUP BY m.sender HAVING count(*) > (SELECT avg(n) FROM"
        " (SELECT count(*) AS n FROM @messages k GROUP BY k.sender) c)",
        "SELECT 1 FROM @videos! HAVING sum(views) > 20",
    ),
    "distinct": (
        "SELECT DISTINCT home, coins FROM @accounts! ORDER BY 1, 2 LIMIT 2",
        "SELECT count(DISTINCT number) FROM @contacts!",
        "SELECT d.handle FROM (SELECT DISTINCT handle FROM @accounts!) d WHERE d.handle = 'ann'",
        "SELECT x.account_id, x.model FROM (SELECT DISTINCT ON (account_id) account_id, model, year FROM @devices!"
        " ORDER BY account_id, year DESC NULLS LAST, id) x WHERE x.year < 2023",
        "SELECT a.handle, l.day FROM @accounts a JOIN (SELECT DISTINCT ON (d.account_id) d.account_id, l.day"
        " FROM @logins l JOIN @devices d ON d.id = l.device_id ORDER BY d.account_id, l.day DESC, l.id) l"
        " ON l.account_id = a.id",
    ),
    "limits": (
        "SELECT t.handle FROM (SELECT handle, coins FROM @accounts! ORDER BY coins DESC NULLS LAST, id LIMIT 2) t"
        " WHERE t.coins < 10",
        "SELECT count(*) FROM (SELECT 1 FROM @videos! ORDER BY id LIMIT 2) t",
        "SELECT t.id FROM (SELECT id FROM @messages! ORDER BY id OFFSET 2) t WHERE t.id > 3",
        "SELECT id, likes FROM @messages! ORDER BY 2 DESC FETCH FIRST 1 ROWS WITH TIES",
        "SELECT id, likes FROM @messages! ORDER BY 2 FETCH FIRST 2 ROWS WITH TIES OFFSET 1",
        "SELECT home, coins FROM @accounts! ORDER BY 2 DESC, 1 LIMIT 2 OFFSET 2",
        "SELECT t.likes FROM (SELECT likes FROM @messages! ORDER BY likes FETCH FIRST 2 ROWS WITH TIES) t",
        "(SELECT id FROM @videos! ORDER BY views DESC NULLS LAST, id LIMIT 1) UNION ALL"
        " (SELECT id FROM @posts! ORDER BY id DESC LIMIT 1)",
        "SELECT a.handle, v.title FROM @accounts a LEFT JOIN (SELECT author, title FROM @videos!"
        " ORDER BY views, id LIMIT 2) v ON v.author = a.id WHERE v.title IS NULL",
    ),
    "windows": (
        "SELECT id, rank() OVER (ORDER BY likes) FROM @messages! ORDER BY 2, 1 LIMIT 2",
        "SELECT t.id, t.likes FROM (SELECT id, likes, rank() OVER (ORDER BY likes DESC NULLS LAST) AS r"
        " FROM @messages!) t"
        " WHERE t.r = 1",
        "SELECT t.author, t.title FROM (SELECT author, title, row_number() OVER"
        " (PARTITION BY author ORDER BY views DESC NULLS LAST, id) AS n FROM @videos!) t WHERE t.n = 1",
        "SELECT id, lag(day) OVER w, count(*) OVER (PARTITION BY ok) FROM @logins! WINDOW w AS (ORDER BY day, id)",
        "SELECT id, sum(likes) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM @messages!",
        "SELECT home, count(*), sum(count(*)) OVER () FROM @accounts! GROUP BY home",
        "SELECT t.id FROM (SELECT id, first_value(handle) OVER (ORDER BY joined, id) AS f FROM @accounts!) t"
        " WHERE t.f = 'ann'",
        "SELECT id, ntile(2) OVER (ORDER BY id), percent_rank() OVER (ORDER BY id) FROM @devices! ORDER BY 1 LIMIT 2",
    ),
    "outer joins": (
        "SELECT a.handle FROM @accounts a LEFT JOIN @videos v ON v.author = a.id WHERE v.id IS NULL",
        "SELECT a.handle, v.title FROM @accounts a LEFT JOIN @videos v ON v.author = a.id AND v.open WHERE v.views > 5",
        "SELECT v.title FROM @regions r LEFT JOIN @videos v ON v.views = r.rank LEFT JOIN @posts p ON p.id = v.id"
        " WHERE r.rank = 1 AND p.author IS DISTINCT FROM 2",
        "SELECT t.n FROM (SELECT r.rank AS n, v.author FROM @regions r LEFT JOIN @videos v ON v.id = r.rank) t"
        " WHERE t.author IS NULL AND t.n = 1",
        "SELECT coalesce(v.title, p.meta ->> 'k') FROM @videos v FULL JOIN @posts p ON p.author = v.author"
        " WHERE v.id IS NULL OR p.id IS NULL",
        "SELECT d.n, a.handle FROM (SELECT count(*) AS n FROM @videos! WHERE open) d RIGHT JOIN @accounts a"
        " ON d.n > a.id",
        "SELECT d.n, a.handle FROM (SELECT count(*) AS n FROM @videos! WHERE views > 100) d FULL"
        " JOIN @accounts a ON d.n = a.id",
        "SELECT a.id FROM @accounts a LEFT JOIN (SELECT sender, count(*) AS n FROM @messages! GROUP BY sender) m"
        " ON m.sender = a.id WHERE coalesce(m.n, 0) < 2",
        "SELECT a.id FROM @accounts a LEFT JOIN @devices d ON d.account_id = a.id LEFT JOIN @logins l"
        " ON l.device_id = d.id GROUP BY a.id HAVING count(l.id) = 0",
    ),
    "EXISTS": (
        "SELECT handle FROM @accounts a WHERE EXISTS (SELECT 1 FROM @messages m WHERE m.sender = a.id AND m.likes > 0)",
        "SELECT handle FROM @accounts a WHERE NOT EXISTS (SELECT 1 FROM @videos v WHERE v.author = a.id AND v.open)",
        "SELECT handle FROM @accounts a WHERE EXISTS (SELECT 1 FROM @devices d WHERE d.account_id = a.id)"
        " AND NOT EXISTS (SELECT 1 FROM @contacts c WHERE c.owner = a.id) AND a.home = 'us'",
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM @accounts! WHERE handle = 'ann')",
        "SELECT count(*) FROM @regions r WHERE NOT EXISTS (SELECT 1 FROM @accounts a WHERE a.home = r.home)",
        "SELECT handle FROM @accounts a WHERE EXISTS (SELECT 1 FROM @messages m WHERE m.sender = a.id AND NOT EXISTS"
        " (SELECT 1 FROM @messages k WHERE k.sender = m.recipient AND k.recipient = a.id))",
        "SELECT EXISTS (SELECT 1 FROM @videos! WHERE views > 1000), EXISTS (SELECT 1 FROM @videos! WHERE open)",
    ),
    "IN": (
        "SELECT handle FROM @accounts! WHERE id IN (SELECT author FROM @videos! WHERE title = 'cats')",
        "SELECT handle FROM @accounts! WHERE id NOT IN (SELECT sender FROM @messages!)",
        "SELECT handle FROM @accounts! WHERE id NOT IN (SELECT author FROM @videos!)",
        "SELECT handle FROM @accounts! WHERE coins NOT IN (SELECT likes FROM @messages! WHERE likes IS NOT NULL)",
        "SELECT id FROM @messages! WHERE (sender, recipient) IN (SELECT recipient, sender FROM @messages!)",
        "SELECT id FROM @messages! WHERE (sender, likes) NOT IN (SELECT author, views FROM @videos!)",
        "SELECT handle FROM @accounts! WHERE coins > ALL (SELECT likes FROM @messages! WHERE likes IS NOT NULL)",
        "SELECT handle FROM @accounts! WHERE coins = ANY (SELECT views FROM @videos!) OR id = 2",
        "SELECT id IN (SELECT author FROM @posts!) FROM @accounts!",
        "SELECT handle FROM @accounts! WHERE id IN (SELECT owner FROM @contacts! GROUP BY owner HAVING count(*) > 1)",
        "SELECT handle FROM @accounts! WHERE id IN (SELECT sender FROM @messages!"
        " ORDER BY likes DESC NULLS LAST, id LIMIT 2)",
    ),
    "scalars": (
        "SELECT handle, (SELECT count(*) FROM @videos v WHERE v.author = a.id) FROM @accounts a",
        "SELECT handle, (SELECT title FROM @videos v WHERE v.author = a.id ORDER BY id LIMIT 1) FROM @accounts a",
        "SELECT handle FROM @accounts! WHERE coins = (SELECT max(coins) FROM @accounts!)",
        "SELECT handle FROM @accounts a WHERE (SELECT count(*) FROM @messages m WHERE m.sender = a.id) = 0",
        "SELECT handle, CASE WHEN EXISTS (SELECT 1 FROM @posts p"
        " WHERE p.author = a.id) THEN 'writes' ELSE 'reads' END"
        " FROM @accounts a",
        "SELECT handle, ARRAY(SELECT v.title FROM @videos v WHERE v.author = a.id ORDER BY v.id) FROM @accounts a",
        "SELECT (SELECT (SELECT max(l.day) FROM @logins l WHERE l.device_id = d.id) FROM @devices d"
        " WHERE d.account_id = a.id ORDER BY d.id LIMIT 1) FROM @accounts a",
        "SELECT a.id FROM @accounts a JOIN @videos v ON v.author = a.id AND v.views ="
        " (SELECT max(w.views) FROM @videos w WHERE w.author = a.id)",
        "SELECT a.id, v.id FROM @accounts a LEFT JOIN @videos v ON v.author = a.id AND NOT EXISTS"
        " (SELECT 1 FROM @posts p WHERE p.author = v.author)",
        "SELECT coalesce((SELECT min(likes) FROM @messages!), -1)",
        "SELECT (SELECT count(*) FROM @accounts!) - (SELECT count(DISTINCT sender) FROM @messages!)",
    ),
    "set operations": (
        "SELECT id FROM @accounts! UNION SELECT author FROM @videos!",
        "SELECT sender FROM @messages! INTERSECT SELECT author FROM @videos!",
        "SELECT id FROM @accounts! EXCEPT SELECT sender FROM @messages! ORDER BY 1",
        "SELECT likes FROM @messages! EXCEPT ALL SELECT coins FROM @accounts!",
        "SELECT handle FROM @accounts! EXCEPT (SELECT name FROM @contacts! UNION SELECT title FROM @videos!)",
        "SELECT a.handle FROM @accounts a JOIN (SELECT sender AS x FROM @messages! UNION SELECT recipient"
        " FROM @messages!) t"
        " ON t.x = a.id",
        "SELECT count(*) FROM (SELECT id FROM @accounts! INTERSECT ALL SELECT owner FROM @contacts!) t",
        "VALUES (1, 'a') UNION ALL SELECT id, handle FROM @accounts!",
    ),
    "LATERAL, functions": (
        "SELECT a.handle, t.title FROM @accounts a CROSS JOIN LATERAL (SELECT title FROM @videos v"
        " WHERE v.author = a.id ORDER BY views DESC NULLS LAST, id LIMIT 1) t",
        "SELECT a.handle, t.n FROM @accounts a LEFT JOIN LATERAL (SELECT count(*) AS n FROM @messages m"
        " WHERE m.sender = a.id) t ON true WHERE t.n < 1",
        "SELECT p.id, t.tag, t.nr FROM @posts p, unnest(p.tags) WITH ORDINALITY AS t(tag, nr)",
        "SELECT p.id, e.key, e.value FROM @posts p CROSS JOIN jsonb_each_text(p.meta) AS e",
        "SELECT p.id, x FROM @posts p LEFT JOIN jsonb_array_elements_text(p.meta -> 'l') AS x ON true WHERE x IS NULL",
        "SELECT t.tag, count(*) FROM @posts p, unnest(p.tags) AS t(tag) GROUP BY t.tag HAVING count(*) > 1",
        "SELECT s.n, count(v.id) FROM generate_series(0, 12, 4) AS s(n) LEFT JOIN @videos v"
        " ON v.views >= s.n AND v.views < s.n + 4 GROUP BY s.n",
        "SELECT unnest(tags) FROM @posts! WHERE id < 4",
        "SELECT w FROM @accounts a, regexp_split_to_table(a.handle, 'n') AS w WHERE w <> ''",
        "SELECT id FROM @posts! WHERE tags && ARRAY['dogs'] OR meta @> '{\"k\": \"ann\"}' OR 'eu' = ALL (tags)",
        "SELECT v.x, a.handle FROM (VALUES (1), (2), (99)) AS v(x) LEFT JOIN @accounts a ON a.id = v.x",
    ),
    "WITH": (
        "WITH busy AS (SELECT sender FROM @messages! GROUP BY sender HAVING count(*) > 1)"
        " SELECT a.handle FROM @accounts a JOIN busy b ON b.sender = a.id",
        "WITH t AS (SELECT id, coins FROM @accounts!) SELECT x.id FROM t x JOIN t y ON y.coins > x.coins",
        "WITH t AS MATERIALIZED (SELECT id, coins FROM @accounts! ORDER BY coins DESC NULLS LAST, id LIMIT 3)"
        " SELECT (SELECT count(*) FROM t), (SELECT min(coins) FROM t)",
        "WITH accounts AS (SELECT author AS id FROM @videos!) SELECT id FROM accounts WHERE id > 1",
        "WITH a AS (WITH b AS (SELECT max(views) AS m FROM @videos!) SELECT m FROM b) SELECT v.id FROM @videos v, a"
        " WHERE v.views = a.m",
        "WITH RECURSIVE r(p, d) AS (SELECT 1, 0 UNION SELECT m.recipient, r.d + 1 FROM r JOIN @messages m"
        " ON m.sender = r.p"
        " WHERE r.d < 3) SELECT a.handle, r.d FROM r JOIN @accounts a ON a.id = r.p",
        "WITH RECURSIVE r(p) AS (SELECT id FROM @accounts! WHERE handle = 'eve' UNION SELECT m.recipient FROM r"
        " JOIN @messages m ON m.sender = r.p) SELECT count(*) FROM r",
        "WITH RECURSIVE r(p) AS (SELECT 3 UNION SELECT m.recipient FROM r JOIN @messages m ON m.sender = r.p)"
        " SELECT count(*) FROM r",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4) SELECT n.i, a.handle FROM n"
        " LEFT JOIN @accounts a ON a.id = n.i",
        "WITH unused AS (SELECT id FROM @videos!) SELECT handle FROM @accounts! WHERE id = 1",
    ),
    "names": (
        "SELECT * FROM @accounts! NATURAL JOIN @regions!",
        "SELECT home, count(*) FROM @accounts! JOIN @regions! USING (home) GROUP BY home",
        "SELECT videos.id FROM @accounts videos JOIN @videos accounts ON accounts.author = videos.id"
        " WHERE accounts.open",
        "SELECT a.id FROM @accounts a WHERE EXISTS (SELECT 1 FROM @videos a WHERE a.author = 1)",
        "SELECT id FROM @accounts! WHERE EXISTS (SELECT 1 FROM @videos v WHERE author = accounts.id)",
        "SELECT handle FROM @accounts! WHERE id IN (SELECT id FROM @regions!)",
        "SELECT s.* FROM (SELECT a.*, v.title FROM @accounts a LEFT JOIN @videos v ON v.author = a.id) s"
        " WHERE s.title IS NULL",
    ),
}
"""By what they are about; counted as one shape each in the table of precision."""

LOOSE = (
    "SELECT t.id FROM (SELECT id FROM @accounts! LIMIT 2) t",
    "SELECT t.handle FROM (SELECT DISTINCT ON (home) handle FROM @accounts! ORDER BY home) t",
    "SELECT a.id FROM @accounts a WHERE a.id IN (SELECT sender FROM @messages! LIMIT 1)",
    "SELECT t.id FROM (SELECT id, row_number() OVER (ORDER BY home) AS n FROM @accounts!) t WHERE t.n = 1",
    "SELECT string_agg(handle, ',') FROM @accounts!",
    "SELECT id, row_number() OVER (ORDER BY coins) FROM @accounts!",
    "SELECT (SELECT title FROM @videos v WHERE v.author = a.id LIMIT 1) FROM @accounts a",
    "SELECT t.x FROM (SELECT lag(id) OVER (ORDER BY ok) AS x FROM @logins!) t LIMIT 2",
    "SELECT array_agg(id) FROM @messages!",
)
"""SQL permits several answers, so only that they run and name their people is checked."""

FEW: tuple[tuple[str, str], ...] = (
    ("SELECT a.handle, s.n FROM @accounts a JOIN (SELECT sender, count(*) AS n FROM @messages! GROUP BY sender) s"
     " ON s.sender = a.id WHERE a.id = 3", "3 4"),
    ("SELECT s.n FROM (SELECT sender, count(*) AS n FROM @messages! GROUP BY sender) s WHERE s.sender = 3", "3 4"),
    ("SELECT t.title FROM (SELECT author, title, row_number() OVER (PARTITION BY author ORDER BY id) AS n"
     " FROM @videos!) t"
     " WHERE t.author = 2 AND t.n = 1", "2"),
    ("SELECT DISTINCT title FROM @videos! WHERE author = 2", "2"),
    ("SELECT t.author FROM (SELECT DISTINCT author, open FROM @videos!) t WHERE t.author = 4", "4"),
    ("SELECT count(*) FROM @devices! WHERE account_id = 5", "5"),
    ("SELECT handle FROM @accounts a WHERE id = 1 AND EXISTS (SELECT 1 FROM @videos v WHERE v.author = a.id)", "1"),
    ("SELECT handle FROM @accounts! WHERE id = 1 AND id IN (SELECT author FROM @videos!)", "1"),
    ("SELECT handle, (SELECT count(*) FROM @devices d WHERE d.account_id = a.id) FROM @accounts a"
     " WHERE a.id = 2", "2"),
    ("WITH d AS (SELECT account_id, count(*) AS n FROM @devices! GROUP BY account_id) SELECT a.handle, d.n"
     " FROM @accounts a LEFT JOIN d ON d.account_id = a.id WHERE a.id = 1", "1"),
    ("SELECT a.handle, t.title FROM @accounts a CROSS JOIN LATERAL (SELECT title FROM @videos v WHERE v.author = a.id"
     " ORDER BY id LIMIT 1) t WHERE a.id = 2", "2"),
    ("SELECT id FROM @videos! WHERE author = 1 UNION SELECT id FROM @posts! WHERE author = 2", "1 2"),
    ("SELECT max(l.day) FROM @logins l JOIN @devices d ON d.id = l.device_id WHERE d.account_id = 2", "2"),
    ("SELECT handle FROM @accounts a WHERE NOT EXISTS (SELECT 1 FROM @devices d WHERE d.account_id = a.id)", "6"),
    ("SELECT handle FROM @accounts! WHERE id NOT IN (SELECT account_id FROM @devices!)", "6"),
    ("SELECT handle FROM @accounts a WHERE NOT a.id = ANY (SELECT account_id FROM @devices!)", "6"),
    ("SELECT handle FROM @accounts a WHERE id < 3 AND (id = 1 OR EXISTS (SELECT 1 FROM @videos v WHERE v.views > 5))",
     "1 2"),
    ("SELECT handle FROM @accounts a WHERE id < 3 AND (NOT EXISTS (SELECT 1 FROM @videos v WHERE v.views > 5))"
     " IS NOT TRUE", "1 2"),
    ("SELECT a.handle FROM @accounts a LEFT JOIN @devices d ON d.account_id = a.id"
     " WHERE d.id IN (SELECT device_id FROM @logins! WHERE day IS NULL)", "5"),
    ("SELECT a.handle FROM @accounts a LEFT JOIN @devices d ON d.account_id = a.id"
     " WHERE EXISTS (SELECT 1 FROM @logins l WHERE l.device_id = d.id AND l.day IS NULL)", "5"),
    ("SELECT handle FROM @accounts! WHERE 1000 < (SELECT max(views) FROM @videos!)", ""),
    ("SELECT handle FROM @accounts! WHERE (id, coins) IN (SELECT author, views FROM @videos!)", ""),
    ("SELECT a.handle FROM @accounts a WHERE a.id = 1 AND EXISTS (SELECT 1 FROM @devices d WHERE d.year > a.coins)",
     "1"),
    ("SELECT handle FROM @accounts! WHERE id NOT IN (SELECT author FROM @videos!)", ""),
    ("SELECT handle FROM @accounts! WHERE coins > ALL (SELECT views FROM @videos! WHERE author IS NULL AND views < 0)"
     " AND id = 1", "1"),
    ("SELECT v.id FROM @videos v WHERE v.title NOT IN (SELECT v.title FROM @videos v WHERE v.title IS NOT NULL)", ""),
    ("SELECT handle FROM @accounts a WHERE (id NOT IN (SELECT author FROM @videos! WHERE views > 1000)) IS NOT TRUE",
     ""),
    ("SELECT a.handle FROM @accounts a LEFT JOIN @messages m ON m.id = a.id WHERE m.likes > 1000 OR a.id = 2", "1 2"),
    ("SELECT a.handle FROM @accounts a LEFT JOIN @devices d ON d.account_id = a.id"
     " WHERE coalesce(d.year, 0) > 0 AND (d.year > 9000 OR a.coins > 9000)", ""),
    ("SELECT handle FROM @accounts a WHERE NOT EXISTS"
     " (SELECT 1 FROM @accounts b LEFT JOIN @devices d ON d.account_id = b.id WHERE b.id = a.id)", ""),
    ("SELECT a.handle FROM @accounts a WHERE a.id NOT IN"
     " (SELECT d.account_id FROM @logins l FULL JOIN @devices d ON d.id = l.device_id WHERE d.account_id IS NOT NULL)"
     " AND a.id = 1", ""),
    ("SELECT r.rank, EXISTS (SELECT 1 FROM @posts p, @regions q) FROM @regions r", ""),
    ("SELECT r.rank, 5 = ANY (SELECT d.account_id FROM @devices d) FROM @regions r", "5"),
    ("SELECT r.rank, CASE WHEN EXISTS (SELECT 1 FROM @videos v WHERE v.id = r.rank AND v.views > 1000)"
     " THEN (SELECT count(*) FROM @logins!) END FROM @regions r", ""),
)  # fmt: skip
"""A filter on one person: nobody else may be named but whoever shares a row with them."""


def idiom(label: str, text: str, expect: Expect = Expect.ANSWER, *, loose: bool = False) -> Case:
    tokens = TABLE.sub(lambda match: f"⟦{match[1]}|{match[1]}{'|' if match[2] else ''}⟧", text)
    tail = TAIL.search(tokens)
    assert tail is not None
    order = []
    for part in (tail["order"] or "").split(", ") if tail["order"] else []:
        number, _, suffix = part.partition(" ")
        order.append(Sort(number, int(number) - 1, suffix))
    count = tail["count"] or tail["first"]
    limit = Count(tail["limit"], int(count), bool(tail["ties"])) if count else None
    offset = Count(tail["offset"], int(tail["skip"])) if tail["skip"] else None
    query = Query(Block((), raw=tokens[: tail.start()]), (), tuple(order), limit, offset)
    return Case(query, (), expect, label, loose=loose)
