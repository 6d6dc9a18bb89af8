"""A grant for both: figures without names where enough people stand behind them, otherwise everybody is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from seenby.model.disclosure import EntryBound, QueryDisclosure, RefusedAttempt
from tests.conformance.test_statistics import Connection, grant, queries, real, recorded, rows
from tests.fixtures.gateway import CLASSES, Served

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("served")]


def test_a_grant_for_both_names_people_where_they_are_too_few(served: Served) -> None:
    mine = grant(served, "lena.koch", "both")
    with served.connect("lena.koch", mine) as connection, recorded(served) as items:
        assert rows(connection, "SELECT count(*) FROM accounts") == [(150,)]
        assert rows(connection, "SELECT count(*) FROM accounts WHERE country = 'FR'") == [(7,)]
        assert len(rows(connection, "SELECT country, count(*) FROM accounts GROUP BY 1")) == 12
        assert rows(connection, "SELECT max(views) FROM videos WHERE visibility = 'public'")
        assert len(rows(connection, "SELECT handle FROM accounts WHERE country = 'FR'")) == 7
    said = [(entry.bound, len(entry.people), entry.cohort) for entry in queries(items)]
    assert said[:3] == [(EntryBound.STATISTIC, 0, 150), (EntryBound.EXACT, 7, 0), (EntryBound.EXACT, 150, 0)]
    assert all(bound is not EntryBound.STATISTIC and people > 1 for bound, people, _ in said[3:])
    assert b'"bound":"exact"' in queries(items)[1].record
    assert b'"statistic"' not in queries(items)[1].record


SMALL = "SELECT country, count(*) FROM accounts WHERE id > {} GROUP BY country ORDER BY 2 DESC, 1 {}"
"""Some countries are small."""
SHOWN = "SELECT 'account:' || id FROM accounts WHERE country IN (SELECT country FROM ({}) x)"


def by_parameters(connection: Connection) -> list[tuple[Any, ...]]:
    return rows(connection, SMALL.format("%s", "LIMIT 3 OFFSET 2"), [0])


def by_binary(connection: Connection) -> list[tuple[Any, ...]]:
    return connection.cursor(binary=True).execute(SMALL.format("%b", "LIMIT 3 OFFSET %b").encode(), [0, 2]).fetchall()


def by_execute(connection: Connection) -> list[tuple[Any, ...]]:
    connection.execute(f"PREPARE x (bigint) AS {SMALL.format('$1', 'LIMIT 3 OFFSET 2')}".encode())
    return rows(connection, "EXECUTE x (0)")


def by_cursor(connection: Connection) -> list[tuple[Any, ...]]:
    with connection.transaction():
        connection.execute(f"DECLARE c CURSOR FOR {SMALL.format(0, 'LIMIT 3 OFFSET 2')}".encode())
        return rows(connection, "FETCH 1 FROM c") + rows(connection, "FETCH ALL FROM c")


def by_one_message(connection: Connection) -> list[tuple[Any, ...]]:
    text = f"BEGIN; DECLARE d CURSOR FOR {SMALL.format(0, 'LIMIT 3 OFFSET 2')}; FETCH ALL FROM d; COMMIT"
    cursor = connection.execute(text.encode())
    assert cursor.nextset()
    assert cursor.nextset()
    return cursor.fetchall()


def by_copy(connection: Connection) -> list[tuple[Any, ...]]:
    with connection.cursor().copy(f"COPY ({SMALL.format(0, 'LIMIT 3 OFFSET 2')}) TO STDOUT".encode()) as copy:
        lines = b"".join(copy).decode().splitlines()
    return [(country, int(count)) for country, count in (line.split("\t") for line in lines)]


def by_pipeline(connection: Connection) -> list[tuple[Any, ...]]:
    with connection.pipeline():
        asked = connection.execute(SMALL.format("%s", "LIMIT 3 OFFSET 2").encode(), [0])
        behind = connection.execute("SELECT 7")
        assert behind.fetchall() == [(7,)]
        return asked.fetchall()


@pytest.mark.parametrize("ask", [by_parameters, by_binary, by_execute, by_cursor, by_one_message, by_copy, by_pipeline])
def test_whose_groups_are_too_small_are_named_by_keys_that_come_with_the_rows(
    served: Served, ask: Callable[[Connection], list[tuple[Any, ...]]]
) -> None:
    """All of whom somebody may know from the rows, also from those that OFFSET drops, and nobody else."""
    text = SMALL.format(0, "LIMIT 5")
    named = {person for (person,) in real(served, SHOWN.format(text))}
    with served.connect("lena.koch", grant(served, "lena.koch", "both")) as connection, recorded(served) as items:
        assert ask(connection) == real(served, text)[2:]
    assert {entry.bound for entry in queries(items)} == {EntryBound.EXACT}
    assert {shown.person for entry in queries(items) for shown in entry.people} == named
    assert len(named) < 150


def test_an_offset_that_only_postgres_can_read_is_refused_while_it_may_have_to_be_skipped_here(served: Served) -> None:
    sql = SMALL.format(0, "LIMIT 3 OFFSET %s")
    with served.connect("lena.koch", grant(served, "lena.koch", "both")) as connection:
        assert rows(connection, sql, ["2"]) == real(served, SMALL.format(0, "LIMIT 3 OFFSET 2"))
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="needs a plain integer"):
            rows(connection, sql, ["0x2"])


def test_two_figures_that_differ_by_few_people_are_told_with_their_names(served: Served) -> None:
    """All of these stand in the answer. So it is not refused as under a grant for statistics alone."""
    [(video,)] = real(
        served,
        "SELECT min(id) FROM videos WHERE account_id = "
        "(SELECT account_id FROM videos GROUP BY 1 HAVING count(*) > 1 LIMIT 1)",
    )
    makers = {person for (person,) in real(served, "SELECT DISTINCT 'account:' || account_id FROM videos")}
    for sql in (
        f"SELECT sum(views), sum(views) FILTER (WHERE id <> {video}) FROM videos",
        f"SELECT (SELECT sum(views) FROM videos), (SELECT sum(views) FROM videos WHERE id <> {video})",
    ):
        with served.connect("lena.koch", grant(served, "lena.koch", "both")) as connection, recorded(served) as items:
            assert rows(connection, sql) == real(served, sql)
        [entry] = queries(items)
        assert entry.bound is not EntryBound.STATISTIC
        assert {shown.person for shown in entry.people} == makers


def test_nine_people_with_names_do_not_tell_on_the_tenth(served: Served) -> None:
    ten = ", ".join(str(one) for (one,) in real(served, "SELECT id FROM accounts ORDER BY 1 LIMIT 10"))
    sql = "SELECT sum(length(handle)) FROM accounts WHERE id IN ({}) AND id <> {}"
    with served.connect("lena.koch", grant(served, "lena.koch", "both")) as connection:
        assert rows(connection, sql.format(ten, 0)) == real(served, sql.format(ten, 0))
        with pytest.raises(psycopg.errors.ConfigurationLimitExceeded, match="differ by fewer than 10 people"):
            rows(connection, sql.format(ten, ten[:10]))


ALL_BUT_ONE = (
    "SELECT country, count(*) FROM accounts WHERE id <> {} GROUP BY country",  # some countries are small
    "SELECT count(*), count(*) FILTER (WHERE id > 1000000003) FROM accounts WHERE id <> {}",  # near each other
)


@pytest.mark.parametrize("named", ALL_BUT_ONE)
def test_nor_do_figures_with_names_tell_on_one_whom_they_do_not_name(served: Served, named: str) -> None:
    """Behind the earlier figure nobody is named. If the one with names came first, everybody is named behind both."""
    [(one,)] = real(served, "SELECT max(id) FROM accounts")
    everybody, without = "SELECT count(*) FROM accounts", named.format(one)
    with served.connect("lena.koch", grant(served, "lena.koch", "both")) as connection:
        assert rows(connection, everybody) == [(150,)]
        with pytest.raises(psycopg.errors.ConfigurationLimitExceeded, match="differ by fewer than 10 people"):
            rows(connection, without)
    mine = grant(served, "lena.koch", "both")
    with served.connect("lena.koch", mine) as connection, recorded(served) as items:
        assert set(rows(connection, without)) == set(real(served, without))
        assert rows(connection, everybody) == [(150,)]
    assert [(entry.bound, len(entry.people)) for entry in queries(items)][1] == (EntryBound.EXACT, 150)
    assert f"account:{one}" in {shown.person for shown in queries(items)[1].people}
    second = served.grant("lena.koch", *((cell, ("eu", "us")) for cell in CLASSES), answers="statistics")
    with (
        served.connect("lena.koch", second) as connection,
        pytest.raises(psycopg.errors.ConfigurationLimitExceeded, match="differ by fewer than 10 people"),
    ):
        rows(connection, everybody)


@pytest.mark.parametrize("first", [True, False])
def test_nor_does_a_grant_for_both_tell_a_difference(served: Served, *, first: bool) -> None:
    """To name the 149 would not do: the figure that the two tell is about the one who is not among them."""
    [(one,)] = real(served, "SELECT min(id) FROM accounts")
    pair = ["SELECT count(*) FROM accounts", f"SELECT count(*) FROM accounts WHERE id <> {one}"]
    if not first:
        pair.reverse()
    with served.connect("lena.koch", grant(served, "lena.koch", "both")) as connection, recorded(served) as items:
        expected = rows(connection, pair[0])
        with pytest.raises(psycopg.errors.ConfigurationLimitExceeded, match="differ by fewer than 10 people"):
            rows(connection, pair[1])
        assert rows(connection, pair[0]) == expected
    assert [type(item) for item in items] == [QueryDisclosure, RefusedAttempt, QueryDisclosure]
    assert {(entry.bound, len(entry.people)) for entry in queries(items)} == {(EntryBound.STATISTIC, 0)}
