"""The rewritten text on views gives what the user's text gives on plain tables: names, types, rows (invariant I5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from seenby.attribute.arrays import elements
from seenby.model.plan import Bound, QueryPlan, RefusedPlan
from seenby.sql import analyse
from seenby.stores.cluster import Cluster
from tests.unit.sql.world import CATALOG, SHAPE, cases, database_sql

pytestmark = pytest.mark.postgres

STATEMENTS = """
SELECT *, a.* FROM accounts a
SELECT count(*), max(coins), now() IS NULL, 'x', 1 + 1, coins FROM accounts GROUP BY coins ORDER BY 1, 2
SELECT rank(2) WITHIN GROUP (ORDER BY coins), percentile_cont(0.5) WITHIN GROUP (ORDER BY coins) FROM accounts
SELECT -coins, - (-5), @ coins, (-5)::text, (-2) ^ 2, 2 - -3, -5 % 3, (-1.5)::numeric(4, 1) FROM accounts ORDER BY 1
SELECT coins::float8, coins::numeric(8,3), handle::varchar(2), handle::bpchar, 'x'::bpchar, 'ab'::char FROM accounts
SELECT true, false, 't'::bool, 'f'::boolean, null, null::int, DATE '2026-01-01', interval '1 day' FROM accounts
SELECT CASE WHEN coins > 1 THEN 1 END, CASE coins WHEN 1 THEN handle ELSE bio END, coalesce(bio, ''), nullif(coins,
  1) FROM accounts
SELECT id, x, y FROM accounts, unnest(ARRAY[1, 2], ARRAY['a', 'b']) AS u (x, y)
SELECT (SELECT 1), (SELECT 2::int), (SELECT 3 AS c UNION SELECT 3), (VALUES (4)), CASE WHEN id = 0 THEN 1 ELSE (SELECT
  5::int) END, CASE WHEN id = 0 THEN 1 ELSE (SELECT 6 AS d) END FROM accounts
SELECT greatest(coins, 1), least(coins, 1), array[coins, 1], (array[coins, 1])[2], row(1,
  coins) FROM accounts
SELECT current_date = current_date, current_timestamp, localtimestamp(2), current_user, current_schema FROM accounts
SELECT extract(year from joined), extract(epoch from joined), date_trunc('month', joined), joined::date FROM accounts
SELECT trim(handle), trim(leading 'h' from handle), substring(handle from 1 for 2), position('1' in handle) FROM
  accounts
SELECT left(handle, 1), right(handle, 1), handle || bio, handle COLLATE "C", upper(handle) COLLATE "C" FROM accounts
SELECT joined AT TIME ZONE 'UTC', (joined AT TIME ZONE 'UTC')::date, joined + interval '1 day' FROM accounts
SELECT joined AT TIME ZONE ('U' || 'TC'), NOT coins = 1, coins BETWEEN 1 AND 2, coins NOT IN (1, 2) FROM accounts
SELECT (coins = 1) IS NULL, (coins = 1 AND true) IS NULL, (NOT coins = 1) IS NULL, (coins IS NULL) IS NOT TRUE FROM
  accounts
SELECT (coins = 1 OR id = 1)::text, (coins IN (1, 2)) = (id = 3), (bio LIKE 'b%') IN (true), (coins < 2) = true
  FROM accounts
SELECT (coins BETWEEN 1 AND 2) BETWEEN false AND true, coins IS DISTINCT FROM 1, (coins = 1) IS NOT DISTINCT FROM
  (id = 1) FROM accounts
SELECT 1 BETWEEN coins AND (id + 1), coins = ANY (ARRAY[1, 2]), coins <> ALL (ARRAY[1, 2]), (coins = 1) = ANY
  (ARRAY[true]) FROM accounts
SELECT handle LIKE 'h!%' ESCAPE '!', handle ILIKE 'H%', handle SIMILAR TO 'h[0-9]', handle ~ '^h', handle !~* 'H1'
  FROM accounts
SELECT handle FROM accounts WHERE NOT (coins = 1 AND (id = 2 OR NOT bio IS NULL)) ORDER BY joined DESC NULLS LAST, 1
SELECT a.id + coins AS coins FROM accounts a ORDER BY coins
SELECT handle AS h, coins AS handle FROM accounts ORDER BY handle, h
SELECT id, id, id FROM accounts ORDER BY 2
SELECT * FROM accounts JOIN regions USING (home)
SELECT home, accounts.home, regions.home FROM accounts RIGHT JOIN regions USING (home)
SELECT * FROM accounts FULL JOIN devices USING (id) LEFT JOIN regions USING (home)
SELECT * FROM accounts JOIN regions USING (home), regions r
SELECT * FROM regions RIGHT JOIN accounts USING (home) CROSS JOIN regions r
SELECT * FROM accounts a FULL JOIN devices d USING (id), messages
SELECT * FROM (SELECT coins AS id FROM accounts) x JOIN devices USING (id) JOIN messages m ON true
SELECT * FROM (SELECT coins AS id FROM accounts) x LEFT JOIN accounts USING (id) JOIN (SELECT 1 AS id) z ON true
SELECT d.*, a.* FROM (accounts a JOIN devices d ON a.id = d.account_id) LEFT JOIN (messages m JOIN contacts c ON
  m.sender = c.owner) ON m.recipient = a.id
SELECT * FROM (SELECT * FROM accounts a JOIN devices d ON a.id = d.account_id) s
SELECT s.* FROM (SELECT 1, 2, handle FROM accounts) AS s (x)
SELECT "?column?", upper FROM (SELECT id + 1, upper(handle) FROM accounts) s
SELECT text, bool, "case", "coalesce", "array", "row" FROM (SELECT '1'::text, 'true'::bool, CASE id WHEN 1 THEN 2
  END, coalesce(1), array[1], row(1) FROM accounts) s
WITH c (a, b) AS (SELECT id, handle FROM accounts), d AS (SELECT * FROM c) SELECT c.*, d.b FROM c JOIN d ON c.a = d.a
WITH accounts AS (SELECT id AS x FROM accounts WHERE id < 5) SELECT * FROM accounts
WITH a AS (SELECT 1 AS n) SELECT * FROM (WITH a AS (SELECT id AS n FROM accounts) SELECT n FROM a) s, a
SELECT id, 'a' FROM accounts UNION ALL SELECT 1.5, handle FROM accounts UNION ALL VALUES (3, null) ORDER BY 1, 2
SELECT NULL, handle FROM accounts UNION ALL SELECT id, bio FROM accounts
(SELECT id FROM accounts ORDER BY id DESC) UNION ALL (SELECT id FROM devices)
SELECT 1 AS x FROM accounts UNION ALL (SELECT 2 UNION ALL SELECT id FROM devices) ORDER BY x
SELECT * FROM (SELECT handle, 1 FROM accounts UNION ALL SELECT model, id FROM devices) AS u (h)
SELECT home FROM accounts INTERSECT SELECT home FROM regions
(SELECT home FROM accounts UNION SELECT title FROM regions) EXCEPT ALL SELECT 'eu'
SELECT home, count(*) FILTER (WHERE coins > 0), string_agg(handle, ',' ORDER BY id), percentile_cont(0.5) WITHIN
  GROUP (ORDER BY coins) FROM accounts GROUP BY home
SELECT count(DISTINCT home), sum(coins), avg(coins), bool_or(coins > 1) FROM accounts HAVING count(*) > 1
SELECT upper(home), count(*) FROM accounts GROUP BY upper(home) ORDER BY upper(home)
SELECT home AS h, count(*) FROM accounts GROUP BY h HAVING (count(*) > 1 AND true) IS NOT NULL ORDER BY h
SELECT handle, rank() OVER w, lag(coins, 1) OVER (PARTITION BY home ORDER BY id ROWS BETWEEN 1 PRECEDING AND
  CURRENT ROW) FROM accounts WINDOW w AS (ORDER BY coins)
SELECT DISTINCT coins, home FROM accounts ORDER BY home, coins LIMIT 3 OFFSET 1
SELECT DISTINCT ON (home) home, id FROM accounts ORDER BY home, id DESC
SELECT make_interval(days => coins), format('%s-%s', id, handle) FROM accounts
SELECT '{"a": 1}'::jsonb -> 'a', ('{"a": [1, 2]}'::jsonb)['a'][0], 'x' FROM accounts
SELECT ROW(1, coins) = ROW(1, 2), (id, coins) IN ((1, 1), (2, 2)), (1, 2) < (coins, 3) FROM accounts
SELECT id FROM accounts WHERE id = 3 LIMIT 1
SELECT id FROM accounts ORDER BY id LIMIT ALL
SELECT id FROM accounts ORDER BY id FETCH FIRST 2 ROWS ONLY
SELECT id, id OPERATOR(pg_catalog.+) 1 FROM accounts ORDER BY id LIMIT 1 + 1
"""


@pytest.fixture(scope="module")
def database(cluster: Cluster) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(cluster.dsn(), autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS sql_unit WITH (FORCE)")
        admin.execute("CREATE DATABASE sql_unit")
    with psycopg.connect(cluster.dsn("sql_unit")) as connection:
        connection.execute(database_sql().encode())
        yield connection  # one transaction, so that now() is the same for both texts
        connection.rollback()


def _run(connection: psycopg.Connection[Any], text: str) -> tuple[list[tuple[str, int, int]], list[tuple[str, ...]]]:
    """Names with types, and rows. An error leaves the transaction, and so now(), as it was."""
    with connection.transaction(), psycopg.RawCursor(connection) as cursor:
        cursor.execute(text.encode())
        rows = [tuple(map(str, row)) for row in cursor.fetchall()]
        described = [(column.name, column.type_code, column._fmod) for column in cursor.description or ()]
    return described, rows


def _answered() -> list[str]:
    more = [case["sql"] for case in cases("answered") if "$" not in case["sql"] and "catalog_only" not in case]
    return STATEMENTS.strip().replace("\n  ", " ").splitlines() + more


@pytest.mark.parametrize("text", _answered())
def test_names_types_and_rows_are_those_of_the_original(text: str, database: psycopg.Connection[Any]) -> None:
    (plan,) = analyse(text, SHAPE, CATALOG, cap=1000)
    assert not isinstance(plan, RefusedPlan), plan.error
    assert isinstance(plan, QueryPlan)
    try:
        expected, wanted = _run(database, text)
    except psycopg.DataError as error:
        with pytest.raises(type(error)):
            _run(database, plan.sql)
        return
    described, rows = _run(database, plan.sql)
    hidden = len(plan.keys)
    assert [name for name, _, _ in described[hidden:]] == [name for name, _, _ in expected]
    assert described[hidden:] == expected
    assert plan.visible in {len(expected), 0}
    assert all(kind == 25 for _, kind, _ in described[:hidden])
    got = [row[hidden:] for row in rows][plan.offset :]
    assert len(got) == len(wanted)
    if "LIMIT" not in text or "ORDER BY" in text:
        assert sorted(got) == sorted(wanted)
    if plan.bound is not Bound.NOBODY:
        assert plan.in_full.companion is not None
        people = _run(database, plan.in_full.companion)[1]
        assert len(set(people)) == len(people)
        if plan.bound is Bound.EXACT:
            named = {
                (key.kind, name)
                for row in rows
                for place, key in enumerate(plan.keys)
                if row[place] != "None"
                for name in (elements(row[place].encode()) if key.many else [row[place]])
            }
            assert named <= set(people)


def test_the_companion_stops_one_over_the_cap(database: psycopg.Connection[Any]) -> None:
    (plan,) = analyse("SELECT count(*) FROM messages", SHAPE, CATALOG, cap=3)
    assert isinstance(plan, QueryPlan)
    assert plan.in_full.companion is not None
    assert len(_run(database, plan.in_full.companion)[1]) == 4


def test_the_companion_that_stops_early_is_still_complete(database: psycopg.Connection[Any]) -> None:
    """81 rows of one person stand before the only row of another; the first look takes 20 * (2 + 1) rows."""
    text = (
        "SELECT count(*) FROM (SELECT a.id FROM accounts a, regions r, regions s, regions t, regions u WHERE a.id = 1"
        " UNION ALL SELECT id FROM accounts WHERE id = 9) s"
    )
    (plan,) = analyse(text, SHAPE, CATALOG, cap=2)
    assert isinstance(plan, QueryPlan)
    assert plan.in_full.companion is not None
    assert sorted(_run(database, plan.in_full.companion)[1]) == [("account", "1"), ("account", "9")]


def test_the_companion_does_not_fail_where_the_query_does(database: psycopg.Connection[Any]) -> None:
    for text in (
        "SELECT handle FROM accounts WHERE 1 / coins > 0",
        "SELECT count(*) FROM accounts a LEFT JOIN devices d ON d.id / a.coins = 1",
        "SELECT s.x FROM (SELECT 1 / coins AS x FROM accounts) s WHERE s.x > 0",
        "SELECT home FROM accounts WHERE handle LIKE 'h\\'",
        "WITH c AS (SELECT handle FROM accounts WHERE handle::int4 = 4) SELECT * FROM c",
    ):
        (plan,) = analyse(text, SHAPE, CATALOG, cap=1000)
        assert isinstance(plan, QueryPlan)
        assert plan.in_full.companion is not None
        with pytest.raises(psycopg.errors.DataError):
            _run(database, plan.sql)
        assert len(_run(database, plan.in_full.companion)[1]) >= 12


def test_a_view_with_the_widest_names_is_read(database: psycopg.Connection[Any]) -> None:
    """Names that need quotes survive; both texts mean the same."""
    text = 'SELECT "A b".handle AS "x""y", "A b"."id" AS "select" FROM accounts "A b" ORDER BY "x""y" LIMIT 2'
    (plan,) = analyse(text, SHAPE, CATALOG, cap=1000)
    assert isinstance(plan, QueryPlan)
    expected, rows = _run(database, text)
    described, got = _run(database, plan.sql)
    assert described[1:] == expected
    assert [row[1:] for row in got] == rows
    assert sql.Identifier('x"y').as_string() in plan.sql
