"""A lookup by key through a real gateway: who is not found is recorded as examined, whatever is shown of others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from seenby.model.disclosure import QueryDisclosure
from tests.fixtures.gateway import Served, everything, watching

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("served")]

Connection = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def through(served: Served) -> Iterator[Connection]:
    with served.connect("aoife.byrne", everything(served)) as connection:
        yield connection


@pytest.fixture(scope="module")
def found(served: Served) -> int:
    """Somebody of this region with a device."""
    return one(
        served,
        "SELECT account_id FROM devices d JOIN accounts a ON a.id = account_id WHERE a.home_region = 'eu' LIMIT 1",
    )


@pytest.fixture(scope="module")
def without(served: Served) -> int:
    """Somebody of this region without a ticket."""
    ticket = "SELECT FROM tickets WHERE account_id = a.id"
    return one(served, f"SELECT id FROM accounts a WHERE a.home_region = 'eu' AND NOT EXISTS ({ticket}) LIMIT 1")


def one(served: Served, sql: str) -> int:
    with served.direct() as direct:
        row = direct.execute(sql.encode()).fetchone()
        assert row is not None
        return int(row[0])


def said(served: Served, through: Connection, sql: str, values: Any = None) -> dict[str, str]:
    """What the entry says of each person."""
    items: list[QueryDisclosure] = []
    with watching(served, items.append):
        through.execute(sql.encode(), values).fetchall()
    return {shown.person: json.loads(shown.part)["how"] for item in items for shown in item.people}


def test_who_has_a_row_that_does_not_fit(served: Served, through: Connection, found: int) -> None:
    sql = f"SELECT model FROM devices WHERE account_id = {found} AND model = 'no such model'"
    assert said(served, through, sql) == {f"account:{found}": "examined"}


def test_who_has_no_row_in_that_table_at_all(served: Served, through: Connection, without: int) -> None:
    assert said(served, through, f"SELECT subject FROM tickets WHERE account_id = {without}") == {
        f"account:{without}": "examined"
    }
    assert said(served, through, "SELECT subject FROM tickets WHERE account_id = %s", [without]) == {
        f"account:{without}": "examined"
    }


@pytest.mark.parametrize("condition", ["account_id IN ({0}, {1})", "account_id = ANY ('{{{0},{1}}}')"])
def test_of_a_list_each_is_recorded(
    served: Served, through: Connection, found: int, without: int, condition: str
) -> None:
    people = said(served, through, "SELECT id FROM tickets WHERE " + condition.format(found, without))
    assert people[f"account:{without}"] == "examined"
    assert people.keys() == {f"account:{found}", f"account:{without}"}


def test_nobody_is_invented(served: Served, through: Connection) -> None:
    assert said(served, through, "SELECT subject FROM tickets WHERE account_id = 987654321") == {}
