"""Noise is for counts of people of whom each is in one row: then it is known how much one person changes."""

from __future__ import annotations

import pytest

from seenby.model.grant import Answers, Noise
from seenby.model.plan import QueryPlan, RefusedPlan
from seenby.model.statistic import Answering, Noisy
from seenby.sql import analyse
from tests.unit.sql.world import CATALOG, SHAPE

NOISY = Answering(Answers.STATISTICS, seed=7, noise=Noise(1000, 100))

ANSWERED = {
    "SELECT count(*) FROM accounts": Noisy((0,), 1, 100),
    "SELECT home, count(*), 'x', count(DISTINCT coins) FROM accounts GROUP BY home ORDER BY 1": Noisy((1, 3), 2, 100),
    "SELECT home, bio, count(*) FROM accounts GROUP BY ROLLUP (home, bio) ORDER BY home": Noisy((2,), 3, 100),
    "SELECT title, count(*) FROM accounts JOIN regions USING (home) WHERE coins > 2 GROUP BY title LIMIT 3": (
        Noisy((1,), 1, 100)
    ),
    "SELECT count(*) FILTER (WHERE coins > 2) FROM accounts": Noisy((0,), 1, 100),
    "SELECT n > 3, count(*) FROM (SELECT account_id, count(*) AS n FROM devices GROUP BY 1) x GROUP BY 1": (
        Noisy((1,), 1, 100)
    ),
    "SELECT count(DISTINCT account_id) FROM devices": Noisy((0,), 1, 100),
    "SELECT home FROM accounts GROUP BY home": Noisy((), 1, 100),
}

REFUSED = {
    "SELECT sum(coins) FROM accounts": "counts of people alone",
    "SELECT avg(coins), count(*) FROM accounts": "counts of people alone",
    "SELECT 2 * count(*) FROM accounts": "counts of people alone",
    "SELECT count(*)::numeric FROM accounts": "counts of people alone",
    "SELECT count(*) FROM devices": "several rows",
    "SELECT model, count(DISTINCT account_id) FROM devices GROUP BY model": "several rows",
    "SELECT count(DISTINCT model) FROM devices": "several rows",
    "SELECT count(*) FROM accounts a JOIN devices d ON d.account_id = a.id": "several rows",
    "SELECT count(*) FROM messages": "several rows",
    "SELECT count(*) FROM accounts, generate_series(1, 9)": "several rows",
    "SELECT count(*) FROM accounts a LEFT JOIN devices d ON d.account_id = a.id": "several rows",
    "SELECT count(*) FROM (SELECT id FROM accounts UNION ALL SELECT id FROM accounts) x": "several rows",
    "SELECT day, count(*) FROM (SELECT account_id, model AS day FROM devices GROUP BY 1, 2) x GROUP BY 1": "several",
    "SELECT home, count(*) FROM accounts GROUP BY home HAVING count(*) > 20": "exact counts",
    "SELECT home, count(*) FROM accounts GROUP BY home ORDER BY count(*)": "exact counts",
    "SELECT home, count(*) AS n FROM accounts GROUP BY home ORDER BY n LIMIT 1": "exact counts",
    "SELECT home, count(*) FROM accounts GROUP BY home ORDER BY 2": "exact counts",
    "SELECT DISTINCT count(*) FROM accounts GROUP BY home": "exact counts",
    "SELECT home, count(*), rank() OVER (ORDER BY count(*)) FROM accounts GROUP BY home": "exact counts",
    "SELECT count(*), (SELECT count(*) FROM accounts) FROM accounts": "computed of exact ones",
    "SELECT * FROM (SELECT home, count(*) FROM accounts GROUP BY home) x": "computed of exact ones",
    "SELECT count(*) FROM accounts UNION ALL SELECT count(*) FROM accounts": "computed of exact ones",
}


@pytest.mark.parametrize("sql", ANSWERED)
def test_noise_is_added(sql: str) -> None:
    (plan,) = analyse(sql, SHAPE, CATALOG, cap=10, answering=NOISY)
    assert isinstance(plan, QueryPlan), plan
    assert plan.noise == ANSWERED[sql]
    assert "Noise was added" in plan.notices[-1]


@pytest.mark.parametrize("sql", REFUSED)
def test_no_noise_is_known_to_be_enough(sql: str) -> None:
    (plan,) = analyse(sql, SHAPE, CATALOG, cap=10, answering=NOISY)
    assert isinstance(plan, RefusedPlan), plan
    assert plan.error.message.startswith("this grant answers with noise: ")
    assert REFUSED[sql] in plan.error.message
    assert plan.error.hint


def test_the_scale_grows_with_what_one_person_changes() -> None:
    assert Noisy((1,), 1, 100).scale == 10
    assert Noisy((1, 2), 6, 500).scale == 12


def test_what_is_no_statistic_is_refused_as_ever() -> None:
    (plan,) = analyse("SELECT handle FROM accounts", SHAPE, CATALOG, cap=10, answering=NOISY)
    assert isinstance(plan, RefusedPlan)
    assert "statistics only" in plan.error.message
