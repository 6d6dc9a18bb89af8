"""What an analyst may try who wants to know about one person: each of these once told, and is refused or left out."""

from __future__ import annotations

import psycopg
import pytest

from tests.conformance.test_statistics import Connection, analyst, grant, real, rows
from tests.fixtures.gateway import Served

__all__ = ["analyst"]
pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("served")]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT max(birth_date) > ALL (SELECT date '1990-01-01') FROM accounts",
        "SELECT string_agg(handle, ',') IN (SELECT 'x') FROM accounts",
        "SELECT count(*) FROM accounts HAVING max(birth_date) > ALL (SELECT date '1990-01-01')",
        "SELECT count(*) FROM accounts ORDER BY max(birth_date) IN (SELECT date '1990-01-01')",
    ],
)
def test_what_a_subquery_is_compared_with_is_a_figure_too(analyst: Connection, sql: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="single person's value"):
        rows(analyst, sql)


def test_a_filtered_figure_that_a_subquery_is_compared_with_is_left_out_too(analyst: Connection) -> None:
    asked = ", ".join(
        f"count(*) FILTER (WHERE country = '{one}') IN (SELECT {n})" for one, n in (("GR", 6), ("DE", 17))
    )
    assert rows(analyst, f"SELECT {asked} FROM accounts") == [(None, True)]


def test_two_cases_do_not_meet_in_one_person(served: Served, analyst: Connection) -> None:
    """Either chooses more than ten people, and the rows where both give a value are of one."""
    [(one,)] = real(served, "SELECT id FROM accounts WHERE country = 'FR' LIMIT 1")
    arguments = ", ".join(f"CASE WHEN country = '{c}' OR id = {one} THEN length(handle) END" for c in ("DE", "IE"))
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="of two CASEs could pick a single person"):
        rows(analyst, f"SELECT regr_avgx({arguments}) FROM accounts")


def test_two_sets_of_groups_are_compared_as_two_statistics_are(served: Served, analyst: Connection) -> None:
    """17 Germans, and 18 people who are German or Mr X."""
    [(one,)] = real(served, "SELECT id FROM accounts WHERE country = 'IT' LIMIT 1")
    sets = "GROUP BY GROUPING SETS ((country = 'DE'), (country = 'DE' OR id = {}))"
    with pytest.raises(psycopg.errors.ConfigurationLimitExceeded, match="two figures of this statistic differ by"):
        rows(analyst, f"SELECT count(*) FROM accounts {sets.format(one)}")
    apart = "SELECT count(*) FROM accounts GROUP BY GROUPING SETS ((country = 'DE'), (language = 'en')) ORDER BY 1"
    assert rows(analyst, apart) == real(served, apart)


def test_more_sets_than_anybody_can_count_are_refused_at_once(analyst: Connection) -> None:
    cube = "CUBE (country, handle, bio, interests, phone, email, full_name, gender)"
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="more than 16 sets of groups"):
        rows(analyst, f"SELECT count(*) FROM accounts GROUP BY {', '.join([cube] * 6)}")


def test_noise_grows_with_how_often_a_set_of_groups_is_shown(served: Served) -> None:
    """Ten counts of everybody, each with noise of its own: a person changes all ten, and their mean is no better."""
    off = []
    with served.connect("lena.koch", grant(served, "lena.koch", noise={"budget": 30_000, "each": 1000})) as connection:
        [(whole,)] = real(served, "SELECT count(*) FROM accounts")
        for _ in range(30):
            found = rows(connection, f"SELECT count(*) FROM accounts GROUP BY GROUPING SETS ({', '.join(['()'] * 10)})")
            off += [abs(count - whole) for (count,) in found]
    assert len(off) == 300
    assert 7 < sum(off) / len(off) < 13, "the scale is 10 / epsilon"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM accounts a, (SELECT n FROM generate_series(1, 1000) n) s",
        "SELECT count(DISTINCT follower_id) FROM follows",  # when one goes away whom they follow, so do many rows
    ],
)
def test_noise_is_refused_where_one_person_changes_more_than_one(served: Served, sql: str) -> None:
    with (
        served.connect("lena.koch", grant(served, "lena.koch", noise={"budget": 1000, "each": 1000})) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="somebody can have several rows"),
    ):
        rows(connection, sql)
