"""Joins that give nobody more rows than the data does, and those that do."""

from __future__ import annotations

import pytest

from seenby.model.grant import Answers
from seenby.model.plan import QueryPlan
from seenby.model.statistic import Answering
from seenby.sql import analyse
from seenby.sql.weights import _alike
from tests.unit.sql.world import CATALOG, SHAPE

ONLY = Answering(Answers.STATISTICS, seed=7)


def answered(joins: str) -> bool:
    (plan,) = analyse(f"SELECT count(*) FROM {joins}", SHAPE, CATALOG, cap=10, answering=ONLY)
    return isinstance(plan, QueryPlan)


@pytest.mark.parametrize(
    "joins",
    [
        "devices d JOIN accounts a ON a.id = d.account_id",
        "accounts a JOIN devices d ON a.id = d.account_id",
        "devices d, accounts a WHERE d.account_id = a.id AND a.coins > 3",
        "accounts a JOIN accounts b ON b.id = a.id",
        "accounts a (x) JOIN devices d ON d.account_id = a.x",
        "messages m JOIN accounts s ON s.id = m.sender JOIN accounts r ON r.id = m.recipient",
        "devices d JOIN accounts a ON a.id = d.account_id JOIN regions r ON r.home = a.home",
        "regions r JOIN accounts a ON a.home = r.home JOIN devices d ON d.account_id = a.id",
        "(SELECT id AS x, home AS y FROM accounts) a JOIN (SELECT account_id AS z FROM devices) d ON d.z = a.x",
        "devices d JOIN devices e ON e.id = d.id",
        "devices d JOIN devices e ON e.id = d.id AND e.account_id = d.account_id",
    ],
)
def test_a_row_of_one_table_says_which_rows_of_the_others_it_is_joined_with(joins: str) -> None:
    assert answered(joins)


@pytest.mark.parametrize(
    "joins",
    [
        "devices d JOIN devices e ON e.account_id = d.account_id",
        "devices d JOIN accounts a ON a.id = d.account_id JOIN devices e ON e.account_id = a.id",
        "messages m JOIN accounts a ON a.id = m.sender JOIN devices d ON d.account_id = a.id",
        "messages m JOIN messages n ON n.sender = m.sender AND n.recipient = m.recipient",
        "accounts a JOIN accounts b ON b.home = a.home",
        "accounts a, regions r",
        "accounts a JOIN regions r ON r.title = a.home",
        "accounts a JOIN contacts c ON c.owner = a.id JOIN contacts e ON e.owner = a.id",
        "accounts a (x, y) JOIN devices d (id, n) ON d.n = a.x JOIN devices e (id, n) ON e.n = a.x",
        "(SELECT d.account_id FROM devices d JOIN accounts a ON a.id = d.account_id) x "
        "JOIN messages m ON m.sender = x.account_id",
    ],
)
def test_two_tables_with_several_rows_each_multiply(joins: str) -> None:
    assert not answered(joins)


def test_a_with_query_that_is_read_twice_is_two_tables() -> None:
    sql = "WITH x AS (SELECT * FROM devices) SELECT count(*) FROM x {}"
    for joins, many in (("", False), ("JOIN x y ON y.account_id = x.account_id", True), ("JOIN x y USING (id)", True)):
        (plan,) = analyse(sql.format(joins), SHAPE, CATALOG, cap=10, answering=ONLY)
        assert isinstance(plan, QueryPlan) is not many


def test_a_number_may_equal_several_of_a_larger_type() -> None:
    assert _alike(20, 23)
    assert _alike(25, 1043)
    assert not _alike(20, 701), "2^53 and 2^53 + 1 are the same float8"
