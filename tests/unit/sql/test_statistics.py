"""What is a statistic, and what could hide one person's value in a sum and so is none."""

from __future__ import annotations

import pytest

from seenby.model.classes import DataClass
from seenby.model.grant import Answers
from seenby.model.plan import Bound, Plan, QueryPlan, RefusedPlan
from seenby.model.statistic import Answering, Thresholds
from seenby.sql import analyse
from tests.unit.sql.world import CATALOG, SHAPE

ONLY = Answering(Answers.STATISTICS, seed=7)
BOTH = Answering(Answers.BOTH, seed=7)

STATISTICS = (
    "SELECT count(*) FROM accounts",
    "SELECT count(1), sum(2) FROM accounts",
    "SELECT home, count(*), avg(coins) FROM accounts WHERE joined > now() - interval '7 days' GROUP BY home",
    "SELECT home, round(sum(coins) / nullif(count(*), 0), 2) FROM accounts GROUP BY 1 ORDER BY 2 DESC LIMIT 5",
    "SELECT date_trunc('day', a.joined) AS day, count(DISTINCT d.model) FROM accounts a "
    "JOIN devices d ON d.account_id = a.id GROUP BY day ORDER BY day, count(*)",
    "SELECT upper(home), count(*) FROM accounts GROUP BY upper(accounts.home) HAVING avg(coins) > 1 OR count(*) > 2",
    "SELECT count(*) FROM (SELECT * FROM accounts WHERE coins > 2) x",
    "WITH x AS (SELECT id, home AS place FROM accounts) SELECT place, count(*) FROM x GROUP BY place",
    "SELECT title, sum(coins) FROM accounts JOIN regions USING (home) WHERE title = $1 GROUP BY title",
    "SELECT avg(length(handle)), sum(coins::numeric - coins::numeric), avg(extract(year FROM joined)) FROM accounts",
    "SELECT joined::date, 1 / (count(*) - 11), sum(coins)::int2 FROM accounts GROUP BY joined::date",
    "SELECT CASE WHEN coins > 5 THEN 'much' ELSE 'little' END AS how, count(*) FROM accounts GROUP BY how",
    "SELECT count(*) FROM messages",
    "SELECT count(bio) FROM accounts",
    "SELECT avg(s.coins) FROM messages m JOIN accounts s ON s.id = m.sender JOIN accounts r ON r.id = m.recipient",
    "SELECT count(*) FROM accounts a JOIN accounts b ON b.id = a.id JOIN devices d ON d.account_id = b.id",
    "SELECT r.title, count(*) FROM (SELECT d.model, a.home FROM devices d JOIN accounts a ON a.id = d.account_id) x "
    "JOIN regions r ON r.home = x.home GROUP BY 1",
    "SELECT avg(extract(epoch FROM joined) - extract(epoch FROM joined) + abs(coins::numeric)) FROM accounts",
    # What fails only at the edge of a type.
    "SELECT date_trunc('week', joined)::date, count(*) FROM accounts WHERE joined::date > '2026-01-01' GROUP BY 1",
    "SELECT width_bucket(extract(year FROM age(joined)), 10, 70, 6), count(*) FROM accounts GROUP BY 1",
    # Sets of groups, FILTER.
    "SELECT home, bio, grouping(home), count(*) FROM accounts GROUP BY ROLLUP (home, bio) HAVING count(*) > 2",
    "SELECT home, count(*) FROM accounts GROUP BY GROUPING SETS ((home, bio), (home), ()) ORDER BY 1",
    "SELECT home, count(*) FILTER (WHERE coins > 1), avg(coins) FILTER (WHERE bio IS NULL) FROM accounts GROUP BY 1",
    # What is made of figures.
    "SELECT DISTINCT count(*) FROM accounts GROUP BY home",
    "SELECT home, 100 * count(*) / sum(count(*)) OVER () FROM accounts GROUP BY home",
    "SELECT home, n, rank() OVER (ORDER BY n) FROM (SELECT home, count(*) AS n FROM accounts GROUP BY 1) x",
    "SELECT count(*), (SELECT count(*) FROM devices) FROM accounts",
    "SELECT count(*) FROM accounts UNION ALL SELECT count(*) FROM devices",
    "WITH x AS (SELECT home, count(*) AS n FROM accounts GROUP BY 1) SELECT r.title, max(x.n) FROM x JOIN regions r "
    "ON r.home = x.home WHERE n > 2 GROUP BY 1",
    # CASE in figures, and subqueries about the very person of the row.
    "SELECT home, sum(CASE WHEN coins > 2 THEN coins ELSE 0 END), count(CASE home WHEN 'eu' THEN 1 END) FROM accounts "
    "GROUP BY home",
    "SELECT sum(CASE WHEN id = 42 THEN coins END) FROM accounts",
    "SELECT avg(CASE WHEN EXISTS (SELECT 1 FROM devices WHERE account_id = a.id) THEN 0 ELSE 1 END) FROM accounts a",
    "SELECT count(*) FILTER (WHERE id IN (SELECT account_id FROM devices)) FROM accounts",
    "SELECT count(*) FROM accounts WHERE id IN (SELECT account_id FROM devices WHERE model = 'm1')",
    "SELECT home, EXISTS (SELECT 1 FROM devices d WHERE d.account_id = a.id), count(*) FROM accounts a GROUP BY 1, 2",
    # What stands below them.
    "SELECT a.home, count(*), count(d.id) FROM accounts a LEFT JOIN devices d ON d.account_id = a.id GROUP BY 1",
    "SELECT sum(b.coins) FROM accounts a LEFT JOIN accounts b ON b.id = a.id AND b.handle = 'x'",
    "SELECT g.day, count(a.id) FROM generate_series(now() - interval '9 days', now(), '1 day') g (day) "
    "LEFT JOIN accounts a ON a.joined::date = g.day::date GROUP BY 1",
    "SELECT sum(coins) FROM accounts a JOIN generate_series(1, 3) g (n) ON true",
    "SELECT sum(coins) FROM (SELECT * FROM accounts UNION ALL SELECT * FROM accounts WHERE id = 42) x",
    "SELECT day, sum(x), sum(y) FROM (SELECT joined::date AS day, 1 AS x, 0 AS y FROM accounts UNION ALL "
    "SELECT a.joined::date, 0, 1 FROM devices d JOIN accounts a ON a.id = d.account_id) e GROUP BY day",
    "SELECT avg(n), sum(n), count(*) FROM (SELECT account_id, count(*) AS n FROM devices GROUP BY account_id) x",
    "SELECT avg(m) FROM (SELECT account_id, max(id) AS m FROM devices GROUP BY account_id HAVING count(*) > 1) x",
    "SELECT count(*) FROM (SELECT DISTINCT account_id FROM devices) x",
    "SELECT count(*) FILTER (WHERE y.account_id IS NULL) FROM (SELECT DISTINCT account_id FROM devices) x "
    "LEFT JOIN (SELECT account_id, count(*) AS n FROM devices WHERE model = 'm1' GROUP BY 1) y USING (account_id)",
)

REFUSED = {
    "SELECT handle FROM accounts": "asks for rows",
    "SELECT home, n, handle FROM (SELECT home, count(*) AS n FROM accounts GROUP BY 1) x JOIN accounts USING (home)": (
        "asks for rows"
    ),
    "SELECT home, count(*) FROM accounts GROUP BY 1 UNION ALL SELECT handle, coins FROM accounts": "asks for rows",
    "SELECT count(*), (SELECT max(coins) FROM accounts) FROM devices": "max can give",
    "SELECT home, count(*), (SELECT count(*) FROM devices d WHERE d.model = a.home) FROM accounts a GROUP BY home": (
        "each row of the SELECT around it"
    ),
    "SELECT x.n FROM regions r, LATERAL (SELECT count(*) AS n FROM accounts WHERE home = r.home) x": "LATERAL",
    "SELECT home, sum(max(coins)) OVER () FROM accounts GROUP BY home": "max can give",
    "SELECT count(*) FILTER (WHERE 1 / (id - 42) > 0) FROM accounts": "can fail",
    "SELECT count(*) FROM accounts GROUP BY CUBE (home, bio, handle, coins, joined)": "sets of groups",
    "SELECT home, id, count(*) FROM accounts GROUP BY ROLLUP (home, id)": "single people",
    "SELECT width_bucket(coins, 1, 1, 4), count(*) FROM accounts GROUP BY 1": "can fail",
    "SELECT width_bucket(coins, 1, id, 4), count(*) FROM accounts GROUP BY 1": "can fail",
    "SELECT age(joined, joined), count(*) FROM accounts GROUP BY 1": "can fail",
    "SELECT count(r.title) FROM accounts a LEFT JOIN regions r ON r.home = a.home AND a.id <> 42": "about nobody",
    "SELECT count(*) FROM accounts a FULL JOIN devices d ON d.account_id = a.id": "FULL JOIN",
    "SELECT count(model) FROM (SELECT d.model FROM accounts a LEFT JOIN devices d ON d.account_id = a.id) x": (
        "an outer join in a subquery"
    ),
    "SELECT sum(n) FROM (SELECT account_id, count(*) FILTER (WHERE account_id = 42) AS n FROM devices GROUP BY 1) x": (
        "a subquery computed"
    ),
    "SELECT sum(n) FROM (SELECT account_id, 100 / count(*) AS n FROM devices GROUP BY account_id) x": (
        "a subquery computed"
    ),
    "SELECT sum(n) FROM (SELECT account_id, nullif(count(*), 3) AS n FROM devices GROUP BY account_id) x": (
        "a subquery computed"
    ),
    "SELECT max(n) FROM (SELECT account_id, count(*) AS n FROM devices GROUP BY account_id) x": "max can give",
    "SELECT avg(n) FROM (SELECT sender, count(*) AS n FROM messages GROUP BY sender) x": "groups already",
    "SELECT sum(v) FROM (SELECT coins AS v FROM accounts UNION ALL SELECT nullif(coins, 7) FROM accounts) x": (
        "a subquery computed"
    ),
    "SELECT count(*) FROM (SELECT id FROM accounts UNION SELECT id FROM accounts) x": "UNION ALL alone",
    "SELECT sum(coins) FROM accounts a JOIN generate_series(1, 3) g (n) ON g.n = 1 OR a.id = 42": (
        "columns that are equal"
    ),
    "SELECT sum(coins) FROM accounts a, generate_series(1, a.coins) n": "generate_series in FROM could count",
    "SELECT sum(coins) FROM accounts a, unnest(CASE WHEN id = 42 THEN ARRAY[1, 2] ELSE ARRAY[1] END) n": (
        "unnest in FROM could count"
    ),
    "SELECT DISTINCT ON (max(coins)) home, count(*) FROM accounts GROUP BY home": "max can give",
    "WITH x AS (SELECT * FROM accounts) SELECT count(*) FROM x WHERE coins > 2 "
    "UNION ALL (WITH x AS (SELECT * FROM accounts WHERE id <> 42) SELECT count(*) FROM x)": "the same name",
    "SELECT id, count(*) FROM accounts GROUP BY id": "single people",
    "SELECT account_id, count(*) FROM devices GROUP BY 1": "single people",
    "SELECT handle, count(*) FROM accounts GROUP BY home, handle HAVING min(coins) > 1": "min can give",
    "SELECT max(coins) FROM accounts": "max can give",
    "SELECT avg(a.coins) FROM accounts a JOIN devices d ON d.account_id = a.id JOIN devices e ON e.account_id = a.id": (
        "a whole unique key"
    ),
    "SELECT count(*) FROM devices d JOIN messages m ON m.sender = d.account_id": "a whole unique key",
    "SELECT avg(coins) FROM accounts a JOIN regions r ON r.rank = a.coins": "a whole unique key",
    "SELECT avg(coins) FROM accounts a JOIN regions r ON r.home = a.home JOIN regions q ON q.rank = r.rank": "unique",
    "SELECT avg(coins) FROM accounts a, devices d": "a whole unique key",
    "SELECT avg(coins) FROM accounts a JOIN contacts c ON c.owner = a.id JOIN devices d ON d.account_id = a.id": (
        "a whole unique key"
    ),
    "WITH x AS (SELECT account_id FROM devices) SELECT count(*) FROM x JOIN x y ON y.account_id = x.account_id": (
        "a whole unique key"
    ),
    "SELECT avg(coins) FROM (SELECT home FROM (SELECT home, generate_series(1, 9) AS n FROM regions) q "
    "WHERE n = 1 OR home = 'eu') r JOIN accounts a USING (home)": "gives several rows",
    "SELECT bool_or(coins > 1) FROM accounts": "bool_or can give",
    "SELECT array_agg(coins) FROM accounts": "array_agg can give",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY coins) FROM accounts": "percentile_cont can give",
    "SELECT count(*) FROM accounts ORDER BY max(coins)": "max can give",
    "SELECT 1 FROM accounts HAVING string_agg(handle, '') > 'x'": "string_agg can give",
    "SELECT sum(CASE WHEN coins > 2 THEN coins * coins END) FROM accounts": "could pick a single person",
    "SELECT sum(CASE WHEN 1 / (id - 42) > 0 THEN coins END) FROM accounts": "can fail",
    "SELECT sum(n) FROM (SELECT account_id, sum(CASE WHEN id = 7 THEN 1 END) AS n FROM devices GROUP BY 1) x": (
        "a subquery computed"
    ),
    # Subqueries about other people than the row's.
    "SELECT count(*) FROM accounts WHERE id IN (SELECT sender FROM messages)": "no subqueries",
    "SELECT count(*) FROM accounts WHERE home IN (SELECT model FROM devices)": "no subqueries",
    "SELECT count(*) FROM accounts WHERE id IN (SELECT id FROM devices)": "no subqueries",
    "SELECT count(*) FROM accounts WHERE id IN (SELECT account_id FROM devices GROUP BY 1 HAVING count(*) > 3)": (
        "no subqueries"
    ),
    "SELECT count(*) FROM accounts WHERE id IN (SELECT account_id FROM devices ORDER BY id LIMIT 1)": "no subqueries",
    "SELECT count(*) FROM accounts a WHERE EXISTS (SELECT 1 FROM devices WHERE account_id <= a.id)": "no subqueries",
    "SELECT count(*) FROM accounts a WHERE EXISTS (SELECT 1 FROM devices d WHERE d.id = a.id)": "no subqueries",
    "SELECT count(*) FROM accounts a WHERE EXISTS (SELECT 1 FROM devices d, accounts b WHERE d.account_id = a.id)": (
        "no subqueries"
    ),
    "SELECT count(*) FROM accounts a WHERE EXISTS (SELECT 1 FROM devices d WHERE d.account_id = a.id OR d.id = 7)": (
        "no subqueries"
    ),
    "SELECT count(*) FROM accounts a WHERE EXISTS (SELECT 1 FROM devices d WHERE account_id = a.id AND 1 / d.id = 1)": (
        "can fail"
    ),
    "SELECT count(*) FROM accounts WHERE id = (SELECT account_id FROM devices WHERE id = 201)": "no subqueries",
    "SELECT count(nullif(id, 42)) FROM accounts": "could pick a single person",
    "SELECT sum((id = 42)::int) FROM accounts": "could pick a single person",
    "SELECT count(DISTINCT starts_with(handle, 'clara')) FROM accounts": "could pick a single person",
    "SELECT sum(coins * coins) FROM accounts": "could pick a single person",
    "SELECT sum(coins + 1) FROM accounts": "could pick a single person",
    "SELECT avg(coalesce(coins, 0)) FROM accounts": "could pick a single person",
    "SELECT count(*) FROM accounts WHERE 1 / (CASE WHEN id = 42 AND coins > 5 THEN 0 ELSE 1 END) = 1": "can fail",
    "SELECT count(*) FROM accounts GROUP BY 1 / (CASE WHEN id = 42 AND coins > 5 THEN 0 ELSE 1 END)": "can fail",
    "SELECT home, count(*) FROM accounts GROUP BY home HAVING 1 / (avg(coins) - 5) > 0": "can fail",
    "SELECT count(*) FROM accounts a JOIN devices d ON d.account_id = a.id AND 1 / (a.id - 42) = 0": "can fail",
    "WITH x AS MATERIALIZED (SELECT *, 1 / (id - 42) AS z FROM accounts) SELECT count(*) FROM x": "can fail",
    "SELECT sum(coins::int2) FROM accounts": "could pick a single person",
    "SELECT sum(coins + coins) FROM accounts": "could fail on a single large value",
    "SELECT sum(coins::numeric - coins) FROM accounts": "could fail on a single large value",
    "SELECT sum(abs(coins::int8 - coins::int8)) FROM accounts": "could fail on a single large value",
    "SELECT sum(abs(length(handle) + length(bio))) FROM accounts": "could fail on a single large value",
    "SELECT avg(coins + coins) FROM (SELECT coins FROM accounts) x": "could fail on a single large value",
    "SELECT avg(joined - joined) FROM accounts": "could fail on a single large value",
    "SELECT avg(date_part('epoch', joined) - date_part('epoch', joined)) FROM accounts": "could fail on a single",
    "SELECT count(handle::int) FROM accounts": "could pick a single person",
    "SELECT sum(DISTINCT coins) FROM accounts": "sum(DISTINCT ...)",
    "SELECT sum(id) FROM accounts": "says who somebody is",
    "SELECT count(*) FROM (SELECT * FROM accounts WHERE EXISTS (SELECT 1 FROM devices)) x": "no subqueries",
    "SELECT count(*) FROM (SELECT id, (SELECT count(*) FROM devices) AS n FROM accounts) x": "no subqueries",
    "SELECT count(*) FROM (SELECT id FROM accounts UNION ALL SELECT 42) x": "a side of UNION ALL",
    "SELECT sum(v) FROM (SELECT CASE WHEN id = 42 THEN coins ELSE 0 END AS v FROM accounts) x": "a subquery computed",
    "SELECT count(v) FROM (SELECT nullif(id, 42) AS v FROM accounts) x": "a subquery computed",
    "SELECT count(*) FROM (SELECT * FROM accounts LIMIT 5) x": "whose rows take part",
    "SELECT count(*) FROM (SELECT DISTINCT home FROM accounts) x": "groups already",
    "SELECT count(v.id) FROM accounts a LEFT JOIN (VALUES (42)) v (id) ON v.id = a.id": "VALUES",
    "SELECT sum(coins) FROM accounts a JOIN (VALUES (1), (2)) v (n) ON v.n = 1 OR a.id = 42": "VALUES",
    "SELECT sum(coins) FROM accounts a JOIN regions r ON r.rank = 1 OR a.id = 42": "columns that are equal",
    "SELECT sum(coins) FROM accounts a, regions r WHERE r.rank = 1 OR a.id = 42": "columns that are equal",
    "SELECT sum(coins) FROM (SELECT coins, CASE WHEN id = 42 THEN 1 ELSE 2 END AS w FROM accounts) x "
    "JOIN regions r ON r.rank = x.w": "columns that are equal",
    "SELECT sum(coins) FROM accounts a JOIN LATERAL (SELECT 1 FROM regions WHERE home = a.home) r ON true": "LATERAL",
}


def decided(sql: str, answering: Answering) -> Plan:
    (plan,) = analyse(sql, SHAPE, CATALOG, cap=10, answering=answering)
    return plan


def planned(sql: str, answering: Answering) -> QueryPlan:
    plan = decided(sql, answering)
    assert isinstance(plan, QueryPlan), plan
    return plan


@pytest.mark.parametrize("sql", STATISTICS)
def test_a_statistic(sql: str) -> None:
    plan = planned(sql, ONLY)
    assert (plan.bound, plan.instead) == (Bound.STATISTIC, None)
    assert "count(DISTINCT" in plan.sql.partition("HAVING")[2]
    assert plan.cohort is not None
    assert plan.cohort.least == 10
    assert plan.companion, "an error is about people all the same"
    both = planned(sql, BOTH)
    assert both.bound is Bound.STATISTIC
    assert both.instead == planned(sql, Answering()).in_full, "small groups are shown, and named as under one for rows"
    assert "HAVING count(DISTINCT" not in both.sql


@pytest.mark.parametrize("sql", REFUSED)
def test_no_statistic(sql: str) -> None:
    plan = decided(sql, ONLY)
    assert isinstance(plan, RefusedPlan)
    assert plan.error.message.startswith("this grant answers with statistics only: ")
    assert REFUSED[sql] in plan.error.message
    assert plan.error.hint
    assert planned(sql, BOTH) == planned(sql, Answering()), "under a grant for both it names people, as ever"


def test_the_example_of_the_module() -> None:
    assert planned(
        "SELECT home, count(*) FROM accounts GROUP BY home HAVING avg(coins) > 1 OR count(*) > 2", ONLY
    ).sql == (
        "SELECT home, pg_catalog.count(*) FROM seenby_v.accounts accounts GROUP BY home "
        'HAVING (CASE WHEN pg_catalog.count(DISTINCT accounts."seenby$1") FILTER (WHERE coins IS NOT NULL) >= 10 '
        "THEN pg_catalog.avg(coins) END > 1 OR pg_catalog.count(*) > 2) "
        'AND pg_catalog.count(DISTINCT accounts."seenby$1") >= 10'
    )


def test_every_kind_of_key_needs_enough_people() -> None:
    plan = planned("SELECT count(*) FROM contacts", ONLY)
    assert plan.cohort is not None
    assert plan.cohort.levels[0].kinds == ("account", "contact")
    assert plan.sql.count(">= 10") == 2


def test_the_class_that_needs_most_people_decides() -> None:
    answering = Answering(Answers.STATISTICS, Thresholds(5, {DataClass.CONTENT: 20, DataClass.DEVICE: 30}))
    for sql, least in (
        ("SELECT count(*) FROM accounts", 5),
        ("SELECT count(*) FROM accounts WHERE bio = 'x'", 20),
        ("SELECT d.model, count(bio) FROM accounts a JOIN devices d ON d.account_id = a.id GROUP BY 1", 30),
    ):
        plan = planned(sql, answering)
        assert plan.cohort is not None
        assert plan.cohort.least == least
        assert f">= {least}" in plan.sql


def test_the_record_names_what_chose_the_people() -> None:
    plan = planned("SELECT a.home, count(bio) FROM accounts a WHERE coins > 2 AND joined < now() GROUP BY 1", ONLY)
    assert plan.conditions == ("accounts.coins", "accounts.home", "accounts.joined")
    assert "accounts.bio" in plan.columns


def test_what_is_about_nobody_is_no_statistic() -> None:
    for sql in ("SELECT * FROM regions", "SELECT 1", "SELECT title, max(rank) FROM regions GROUP BY 1"):
        assert planned(sql, ONLY).bound is Bound.NOBODY


def test_a_masked_column_stays_masked() -> None:
    plan = decided("SELECT count(DISTINCT phone) FROM accounts", ONLY)
    assert isinstance(plan, RefusedPlan)
    assert "phone" in plan.error.message


@pytest.mark.parametrize(
    ("sql", "steady"),
    [
        ("SELECT home, count(*) FROM accounts WHERE coins > 2 GROUP BY home", True),
        ("SELECT now(), count(*) FROM accounts WHERE joined >= '2026-11-01'", True),
        ("SELECT count(*) FROM accounts WHERE joined > now() - interval '7 days'", False),
        ("SELECT count(*) FROM accounts WHERE joined > current_date", False),
        ("SELECT count(*) FROM accounts WHERE joined > 'Today'", False),
        ("SELECT count(*) FROM accounts WHERE joined > 'yesterday'::timestamptz AND id <> 42", False),
        ("SELECT count(*) FROM accounts WHERE version() = 'x' OR id <> 42", False),
        ("SELECT count(*) FROM (SELECT * FROM accounts WHERE current_database() = 'x') x", False),
    ],
)
def test_whether_the_same_text_chooses_the_same_people_tomorrow(sql: str, *, steady: bool) -> None:
    plan = planned(sql, ONLY)
    assert plan.cohort is not None
    assert plan.cohort.steady is steady
