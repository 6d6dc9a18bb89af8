"""Statistics with noise through a real gateway: what is off, what is spent and recorded, and what ends it."""

from __future__ import annotations

import psycopg
import pytest

from seenby.errors import SeenbyError
from seenby.gateway import noise
from seenby.model.disclosure import EntryBound
from tests.conformance.test_statistics import grant, queries, real, recorded, rows
from tests.fixtures.gateway import Served

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("served")]

COUNTRIES = "SELECT country, count(*), count(DISTINCT language) FROM accounts GROUP BY country ORDER BY country"


def noisy(served: Served, budget: int = 1000, each: int = 100) -> str:
    return grant(served, "lena.koch", noise={"budget": budget, "each": each})


def test_counts_are_off_by_as_much_as_the_grant_says_and_the_rest_is_as_it_is(served: Served) -> None:
    # Two counts, of which each person changes both: the scale is 2 / 0.2.
    expected = {country: count for country, count, _ in real(served, COUNTRIES) if count >= 10}
    off = []
    with served.connect("lena.koch", noisy(served, 6000, 200)) as connection, recorded(served) as items:
        notices: list[str] = []
        connection.add_notice_handler(lambda told: notices.append(told.message_primary or ""))
        for _ in range(30):
            found = rows(connection, COUNTRIES)
            assert [country for country, *_ in found] == list(expected)
            off += [count - expected[country] for country, count, _ in found]
    assert "Noise was added to each count: most are off by less than 30." in notices
    assert {entry.bound for entry in queries(items)} == {EntryBound.STATISTIC}
    assert all(
        b'"statistic":{"conditions":["accounts.country"],"epsilon":200,"least":10}' in e.record for e in queries(items)
    )
    # 30 draws for each of several countries; the mean of |discrete Laplace| is close to its scale.
    assert len(off) >= 60
    assert 5 < sum(map(abs, off)) / len(off) < 18
    assert abs(sum(off) / len(off)) < 8


@pytest.mark.parametrize("binary", [False, True])
def test_every_way_to_ask(served: Served, *, binary: bool) -> None:
    sql = "SELECT count(*) FROM accounts"
    with served.connect("lena.koch", noisy(served, 5000, 100)) as connection:
        found = [connection.execute(sql, binary=binary).fetchone()]
        connection.execute("PREPARE x AS SELECT count(*) FROM accounts")
        found += rows(connection, "EXECUTE x")
        with connection.transaction():
            connection.execute(f"DECLARE c CURSOR FOR {sql}".encode())
            found += rows(connection, "FETCH ALL FROM c")
        with connection.cursor().copy(f"COPY ({sql}) TO STDOUT".encode()) as copy:
            found.append((int(b"".join(copy)),))
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="answers with noise"):
            rows(connection, "SELECT sum(length(handle)) FROM accounts")
    # Of scale 10: four times nothing, or once 150, is seen once in 150,000 runs.
    assert all(one is not None and 0 < one[0] < 300 for one in found)
    assert set(found) != {(150,)}


def test_when_the_budget_is_spent_nothing_more_is_told_not_even_after_a_restart(served: Served) -> None:
    mine = noisy(served, 1000, 300)
    sql = "SELECT count(*) FROM accounts"
    with served.connect("lena.koch", mine) as connection:
        for _ in range(2):
            rows(connection, sql)
    book = served.region.gateway.grants
    book._accesses.clear()  # type: ignore[attr-defined]
    with served.connect("lena.koch", mine) as connection, recorded(served) as items:
        rows(connection, sql)
        for _ in range(2):
            with pytest.raises(psycopg.errors.ConfigurationLimitExceeded, match=r"epsilon 1, of which each .* 0.3"):
                rows(connection, sql)
        assert len(queries(items)) == 1


def test_a_statistic_that_is_refused_costs_nothing(served: Served) -> None:
    with served.connect("lena.koch", noisy(served, 100, 100)) as connection:
        with pytest.raises(psycopg.errors.ConfigurationLimitExceeded, match="fewer than 10 people"):
            rows(connection, "SELECT count(*) FROM accounts WHERE country = 'FR'")
        assert rows(connection, "SELECT count(*) FROM accounts")


def test_without_opendp_there_is_no_such_grant(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    before = noisy(served)
    monkeypatch.setattr(noise, "installed", lambda: False)
    with pytest.raises(SeenbyError, match="OpenDP is not installed") as caught:
        noisy(served)
    assert "seenby[noise]" in (caught.value.hint or "")
    with pytest.raises(psycopg.OperationalError, match="OpenDP is not installed"):
        served.connect("lena.koch", before)
