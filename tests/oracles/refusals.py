"""Statements that must be refused: uses of masked columns, refused columns, hidden things, other statement kinds.

Each offence is a SELECT of its own; most are then wrapped into other queries, where they must be found as well.
"""

from __future__ import annotations

from random import Random

from tests.oracles.query import Block, Case, Expect, Query

MASKED = {
    "WHERE": (
        "SELECT a.id FROM accounts a WHERE a.email = 'ann@x.eu'",
        "SELECT id FROM accounts WHERE email LIKE 'a%' AND id > 0",
        "SELECT id FROM messages WHERE body IS NOT NULL",
        "SELECT id FROM logins WHERE ip IN ('10.0.0.1', '***')",
        "SELECT id FROM accounts WHERE length(coalesce(email, 'x')) > 3",
        "SELECT id FROM accounts WHERE CASE WHEN id > 1 THEN email ELSE handle END = 'x'",
        "SELECT id FROM accounts WHERE (handle, email) = ('ann', 'ann@x.eu')",
        "SELECT x FROM accounts AS a(x, y, z) WHERE z IS NULL",
        "SELECT a.id FROM public.accounts a WHERE NOT (a.handle = 'x' OR a.email IS NULL)",
        "SELECT id FROM accounts WHERE $1 = email",
    ),
    "a join": (
        "SELECT a.id FROM accounts a JOIN contacts c ON a.email = c.name",
        "SELECT a.id FROM accounts a LEFT JOIN contacts c ON c.owner = a.id AND a.email IS NULL",
        "SELECT l.id FROM logins l JOIN logins k USING (ip)",
        "SELECT l.id FROM logins l NATURAL JOIN logins k",
        "SELECT a.id FROM accounts a FULL JOIN messages m ON a.email = m.body",
    ),
    "grouping": (
        "SELECT count(*) AS n FROM messages GROUP BY body",
        "SELECT body AS b, count(*) AS n FROM messages GROUP BY 1",
        "SELECT body AS b, count(*) AS n FROM messages GROUP BY b",
        "SELECT upper(email) AS u FROM accounts GROUP BY upper(email)",
        "SELECT DISTINCT ip FROM logins",
        "SELECT DISTINCT * FROM logins",
        "SELECT home FROM accounts GROUP BY home HAVING max(email) IS NOT NULL",
    ),
    "an aggregate": (
        "SELECT count(email) AS n FROM accounts",
        "SELECT max(ip) AS n FROM logins",
        "SELECT count(DISTINCT body) AS n FROM messages",
        "SELECT string_agg(handle, ',' ORDER BY email) AS n FROM accounts",
        "SELECT count(*) FILTER (WHERE ip IS NULL) AS n FROM logins",
        "SELECT sum(length(body)) AS n FROM messages",
    ),
    "ORDER BY": (
        "SELECT id FROM accounts ORDER BY email",
        "SELECT id, email FROM accounts ORDER BY 2",
        "SELECT id, email AS e FROM accounts ORDER BY e",
        "SELECT * FROM logins ORDER BY id, ip DESC",
        "SELECT id FROM accounts ORDER BY length(email)",
        "SELECT handle AS h FROM accounts UNION ALL SELECT email FROM accounts ORDER BY h",
    ),
    "an outer block": (
        "SELECT d.e FROM (SELECT email AS e FROM accounts) d WHERE d.e = 'x'",
        "SELECT id FROM (SELECT * FROM accounts) d WHERE email = 'x'",
        "SELECT d.b FROM (SELECT id, email FROM accounts) AS d(a, b) WHERE b IS NULL",
        "SELECT e FROM (SELECT handle AS e FROM accounts UNION ALL SELECT email FROM accounts) d WHERE e = 'x'",
        "SELECT k FROM (SELECT email || '' AS k FROM accounts) d WHERE k LIKE 'a%'",
        "SELECT d.id FROM (SELECT * FROM logins) d JOIN (SELECT * FROM logins) e ON d.ip = e.ip",
        "WITH c AS (SELECT email FROM accounts) SELECT count(email) AS n FROM c",
        "WITH c(x) AS (SELECT ip FROM logins) SELECT x FROM c ORDER BY x",
        "WITH c AS (SELECT * FROM messages), d AS (SELECT * FROM c) SELECT id FROM d WHERE body = 'hi'",
        "SELECT email FROM (SELECT id, email FROM accounts) d ORDER BY 1",
    ),
}
REFUSED_COLUMNS = (
    "SELECT birth FROM accounts",
    "SELECT a.birth AS b FROM accounts a",
    "SELECT id FROM accounts WHERE birth > '1990-01-01'",
    "SELECT id FROM accounts ORDER BY birth",
    "SELECT count(imei) AS n FROM devices",
    "SELECT d.id FROM devices d JOIN devices e USING (imei)",
    "SELECT a.id FROM accounts a LEFT JOIN devices d ON d.imei = a.handle",
    "SELECT count(*) AS n FROM accounts GROUP BY birth",
    "SELECT (a).birth FROM accounts a",
    "SELECT public.accounts.birth FROM public.accounts",
)
WHOLE_ROWS = (
    "SELECT a FROM accounts a",
    "SELECT a::text AS t FROM accounts a",
    "SELECT count(a) AS n FROM accounts a",
    "SELECT id FROM accounts a WHERE a IS NOT NULL",
    "SELECT id FROM accounts a ORDER BY a",
    "SELECT a.id FROM accounts a JOIN accounts b ON a = b",
    "SELECT to_jsonb(a) AS j FROM accounts a",
    "SELECT row_to_json(a) AS j FROM accounts a",
    "SELECT ROW(a.*) AS r FROM accounts a",
    "SELECT concat(a) AS r FROM accounts a",
    "SELECT coalesce(d, d) AS r FROM (SELECT * FROM messages) d",
)
HIDDEN = (
    'SELECT "seenby$1" FROM accounts',
    'SELECT a."seenby$1" AS k FROM accounts a',
    'SELECT id FROM messages ORDER BY "seenby$2"',
    'SELECT id AS "seenby$1" FROM regions',
    'SELECT id FROM accounts AS "seenby$t"',
    'SELECT d."seenby$1" FROM (SELECT id FROM accounts) d',
    "SELECT ctid FROM accounts",
    "SELECT tableoid FROM accounts",
    "SELECT id FROM shown.accounts",
    "SELECT id FROM worlds.accounts",
    "SELECT * FROM payments",
    "SELECT id FROM public.payments",
    "SELECT * FROM no_such_table",
    "SELECT id FROM elsewhere.accounts",
    "SELECT no_such_column FROM accounts",
    "SELECT rolname FROM pg_authid",
    "SELECT rolname FROM pg_catalog.pg_authid",
    "SELECT tablename FROM pg_stats",
    "SELECT definition FROM pg_views",
    "SELECT most_common_vals FROM pg_catalog.pg_stats",
)
UNSAFE = (
    "SELECT id FROM accounts ORDER BY random()",
    "SELECT id FROM accounts WHERE random() < 0.5",
    "SELECT pg_sleep(1) AS x FROM accounts",
    "SELECT pg_read_file('PG_VERSION') AS x",
    "SELECT set_config('role', 'none', false) AS x FROM accounts",
    "SELECT current_setting('data_directory') AS x",
    "SELECT query_to_xml('SELECT 1', true, true, '') AS x",
    "SELECT nextval('s') AS x",
    "SELECT no_such_function(id) AS x FROM accounts",
    "SELECT public.lower(handle) AS x FROM accounts",
    "SELECT 'accounts'::regclass AS x",
    "SELECT clock_timestamp() AS x FROM accounts",
    "SELECT pg_get_viewdef('shown.accounts') AS x",
    "SELECT id FROM accounts TABLESAMPLE bernoulli (50)",
    "SELECT id FROM accounts FOR UPDATE",
    "SELECT id FROM accounts FOR SHARE SKIP LOCKED",
)
STATEMENTS = (
    "INSERT INTO accounts (id) VALUES (99)",
    "UPDATE accounts SET coins = 0",
    "DELETE FROM accounts",
    "MERGE INTO accounts a USING regions r ON false WHEN MATCHED THEN DELETE",
    "WITH d AS (DELETE FROM accounts RETURNING id) SELECT id FROM d",
    "SELECT id INTO other FROM accounts",
    "CREATE TABLE other AS SELECT id FROM accounts",
    "CREATE TEMP VIEW v AS SELECT id FROM accounts",
    "TRUNCATE accounts",
    "DROP TABLE accounts",
    "GRANT SELECT ON accounts TO PUBLIC",
    "COPY accounts TO PROGRAM 'cat'",
    "COPY accounts FROM STDIN",
    "DO $$ BEGIN PERFORM 1; END $$",
    "CALL something()",
    "LISTEN news",
    "NOTIFY news",
    "LOCK TABLE accounts",
    "VACUUM accounts",
    "SET ROLE postgres",
    "SET SESSION AUTHORIZATION postgres",
    "SET search_path = shown",
    "SET row_security = off",
    "SET TRANSACTION SNAPSHOT '00000003-0000001B-1'",
    "PREPARE TRANSACTION 'x'",
    "ALTER ROLE oracle_reader RESET ALL",
    "EXPLAIN ANALYZE SELECT id FROM accounts",
    "EXPLAIN SELECT id FROM accounts WHERE handle = 'ann'",
    "DECLARE c CURSOR WITH HOLD FOR SELECT id FROM accounts",
    "SELECT id FROM accounts; DELETE FROM accounts",
    "SELECT id FROM accounts; SELECT email FROM accounts ORDER BY email",
    "SELECT id FROM accounts WHERE",
)
WRAPPERS = (
    "{}",
    "{}",
    "SELECT * FROM ({}) AS wrapped",
    "SELECT count(*) FROM ({}) AS wrapped",
    "SELECT r.home FROM regions r LEFT JOIN ({}) AS wrapped ON true",
    "SELECT handle FROM accounts CROSS JOIN ({}) AS wrapped LIMIT 1",
    "WITH c9 AS ({}) SELECT * FROM c9",
    "WITH c9 AS ({}) SELECT 1 FROM regions",
    "SELECT * FROM (WITH c9 AS ({}) SELECT * FROM c9) AS wrapped",
    "SELECT * FROM ((({}))) AS wrapped",
)


def offences() -> list[tuple[str, str]]:
    """(why, SELECT) of everything that may be wrapped."""
    return [
        *((f"a masked column in {where}", text) for where, texts in MASKED.items() for text in texts),
        *(("a refused column", text) for text in REFUSED_COLUMNS),
        *(("a whole row, with its hidden keys", text) for text in WHOLE_ROWS),
        *(("something hidden or unknown", text) for text in HIDDEN),
        *(("something unsafe", text) for text in UNSAFE),
    ]


OFFENCES = offences()
NOTHING = Query(Block(("1",)))


def refused(why: str, text: str) -> Case:
    params = ("x",) if "$1" in text else ()
    return Case(NOTHING, params, Expect.REFUSE, why, raw=text)


def refusal(random: Random) -> Case:
    """A random statement that must be refused."""
    if random.random() < 0.1:
        return refused("a statement kind", random.choice(STATEMENTS))
    why, text = random.choice(OFFENCES)
    return refused(why, random.choice(WRAPPERS).format(text))
