"""A statistic may go by who somebody is, or by two columns at once; not by both: it would ask about one person."""

from __future__ import annotations

import pytest

from seenby.model.plan import Bound, QueryPlan, RefusedPlan
from seenby.sql.singled import WHY
from tests.unit.sql.test_statistics import ONLY, decided

NINE = "a.id IN (1, 2, 3, 4, 5, 6, 7, 8, 9)"
ASKED = f"{NINE} OR (a.id = 42 AND a.bio = 'x')"

REFUSED = (
    f"SELECT count(*) FROM accounts a WHERE {ASKED}",
    f"SELECT 1, count(*) FROM accounts a WHERE NOT (NOT ({NINE}) AND NOT (a.id = 42 AND a.bio = 'x')) GROUP BY 1",
    f"SELECT count(*) FROM accounts a WHERE ({NINE} OR a.id = $1) AND (a.home = 'eu' OR a.bio = 'x')",
    "SELECT count(*) FROM accounts a WHERE CASE WHEN a.id = 42 THEN a.bio = 'x' ELSE a.id < 10 END",
    f"SELECT count(*) FROM accounts a WHERE {NINE} OR concat(a.id::text, a.bio) = '42x'",
    f"SELECT count(*) FROM accounts a WHERE {NINE} OR (a.id, a.bio) = (42, 'x')",
    f"SELECT count(*), count(*) FILTER (WHERE {ASKED}) FROM accounts a",
    "SELECT count(*) FILTER (WHERE a.home = 'eu' OR a.bio = 'x') FROM accounts a WHERE a.id > 31",
    f"SELECT sum(CASE WHEN {ASKED} THEN a.coins END) FROM accounts a",
    f"SELECT count(*) FROM accounts a GROUP BY {ASKED}",
    f"SELECT count(*) FROM accounts a GROUP BY CASE WHEN {NINE} THEN 'x' WHEN a.id = 42 THEN a.bio END",
    f"SELECT count(*) FROM (SELECT * FROM accounts a WHERE {NINE}) x WHERE x.home = 'eu' OR x.bio = 'x'",
    "SELECT count(*) FROM (SELECT a.id, CASE WHEN a.id = 42 THEN a.bio ELSE 'x' END AS c FROM accounts a) x "
    "WHERE x.c = 'x'",
    "WITH w AS (SELECT id AS n, bio AS m FROM accounts) SELECT count(*) FROM w WHERE n < 10 OR (n = 42 AND m = 'x')",
    "SELECT count(*) FROM accounts a JOIN accounts b ON b.id = a.id WHERE b.id < 11 AND (a.home = 'eu' OR a.bio = 'x')",
    f"SELECT count(*) FROM accounts a WHERE {NINE} AND NOT EXISTS "
    "(SELECT 1 FROM accounts b WHERE b.id = a.id AND b.id = 9 AND b.bio = 'x')",
    "SELECT count(*) FROM accounts a WHERE a.id NOT IN (SELECT account_id FROM devices WHERE id = 201 AND model = 'm')",
    "SELECT count(*) FROM accounts a WHERE a.bio = 'x' OR a.id IN (SELECT account_id FROM devices WHERE id = 201)",
    "SELECT count(*), count(b.id) FROM accounts a LEFT JOIN accounts b ON b.id = a.id AND b.id < 12 AND b.bio = 'x'",
    "SELECT count(*), count(b.id) FROM accounts a LEFT JOIN accounts b ON b.id = a.id AND b.id = 42 "
    "WHERE b.id IS NULL OR b.bio = 'x'",
    "SELECT count(*) FROM accounts a JOIN generate_series(1, 10) n ON a.id = n WHERE a.home = 'eu' OR a.bio = 'x'",
    "SELECT count(*) FROM accounts JOIN generate_series(1, 10) n (id) USING (id) WHERE home = 'eu' OR bio = 'x'",
    "SELECT count(*) FROM accounts a WHERE EXISTS "
    "(SELECT 1 FROM devices d WHERE d.account_id = a.id AND (d.id = 201 OR a.bio = 'x'))",
    "SELECT count(*) FROM (SELECT id, bio AS b FROM accounts) a WHERE EXISTS "
    "(SELECT 1 FROM devices d WHERE d.account_id = a.id AND (d.id = 201 OR a.b = 'x'))",
    "SELECT count(*), count(CASE WHEN c = 'x' THEN 1 END) FROM "
    "(SELECT CASE WHEN id = 42 THEN bio ELSE 'x' END AS c FROM accounts) x",
    "SELECT avg(n) FROM (SELECT account_id, count(*) AS n FROM devices GROUP BY account_id "
    "HAVING account_id < 10 OR (account_id = 42 AND max(model) > 'm')) x",
    "SELECT count(*) FROM (SELECT account_id, count(*) FILTER (WHERE account_id = 42 AND model = 'm') AS n "
    "FROM devices GROUP BY account_id) x WHERE x.n = 0",
    "SELECT sum(n) FROM (SELECT a.id AS who, a.bio AS what, 1 AS n FROM accounts a UNION ALL "
    "SELECT account_id, model, 1 FROM devices) e WHERE who < 10 OR what = 'x'",
)

ANSWERED = (
    "SELECT count(*) FROM accounts a WHERE a.id NOT IN (1, 2, 3) AND a.home = 'eu' AND a.bio IS NOT NULL",
    "SELECT count(*) FROM accounts a WHERE a.home = 'eu' OR a.bio = 'x'",
    "SELECT count(*) FROM accounts a WHERE a.id = 1 OR NOT (a.id > 5)",
    "SELECT a.home, a.bio, count(*) FROM accounts a WHERE a.id <> 5 GROUP BY a.home, a.bio",
    "SELECT count(*) FROM accounts a JOIN devices d ON d.account_id = a.id WHERE a.home = 'eu' OR a.bio = 'x'",
    "SELECT count(*) FROM accounts a WHERE a.id IN (SELECT account_id FROM devices WHERE model = 'm') OR a.bio = 'x'",
    "SELECT count(*) FROM (SELECT id, home, bio FROM accounts) x WHERE x.home = 'eu' OR x.bio = 'x'",
    "SELECT sum(n) FROM (SELECT id AS who, 1 AS n FROM accounts UNION ALL SELECT account_id, 1 FROM devices) e "
    "WHERE who > 9",
    "SELECT count(*) FROM accounts a JOIN regions r ON r.home = a.home WHERE r.home = 'eu' OR r.title = 'x'",
)


@pytest.mark.parametrize("sql", REFUSED)
def test_a_question_about_one_person_is_no_statistic_however_it_is_written(sql: str) -> None:
    plan = decided(sql, ONLY)
    assert isinstance(plan, RefusedPlan), plan
    assert WHY in plan.error.message


@pytest.mark.parametrize("sql", ANSWERED)
def test_what_only_leaves_people_out_or_only_looks_at_what_they_are_is_one(sql: str) -> None:
    plan = decided(sql, ONLY)
    assert isinstance(plan, QueryPlan), plan
    assert plan.bound is Bound.STATISTIC
