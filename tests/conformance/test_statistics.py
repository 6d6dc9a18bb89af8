"""Statistics through a real gateway: what is answered, left out and recorded, and what two of them may not tell."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from seenby.model.disclosure import EntryBound, QueryDisclosure, RefusedAttempt
from seenby.stores.grouping import Done
from seenby.stores.ledger import Item
from seenby.stores.remembered import Remembered
from tests.fixtures.gateway import CLASSES, Served

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("served")]

Connection = psycopg.Connection[Any]


@contextmanager
def recorded(served: Served) -> Iterator[list[Item]]:
    """What is handed to the ledger meanwhile."""
    found: list[Item] = []
    submit = served.region.ledger.submit

    def watched(item: Item, done: Done) -> None:
        found.append(item)
        submit(item, done)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(served.region.ledger, "submit", watched)
        yield found


def grant(served: Served, name: str, answers: str = "statistics", **changes: Any) -> str:
    """Everything that is about people, of a principal who has asked nothing yet: each test has its own."""
    served.region.gateway.grants._remembered._memories.pop(name, None)  # type: ignore[attr-defined]
    return served.grant(name, *((one, ("eu", "us")) for one in CLASSES), answers=answers, **changes)


@pytest.fixture
def analyst(served: Served) -> Iterator[Connection]:
    with served.connect("lena.koch", grant(served, "lena.koch")) as connection:
        yield connection


def rows(connection: Connection, sql: str, values: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
    return connection.execute(sql.encode(), values).fetchall()


def real(served: Served, sql: str) -> list[tuple[Any, ...]]:
    with served.direct() as direct:
        return direct.execute(sql.encode()).fetchall()


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def queries(items: Sequence[Item]) -> list[QueryDisclosure]:
    return [item for item in items if isinstance(item, QueryDisclosure)]


def test_figures_are_postgres_s_own_and_small_groups_are_left_out(served: Served, analyst: Connection) -> None:
    sql = "SELECT country, count(*), round(avg(length(handle)), 3), count(DISTINCT gender) FROM accounts"
    notices: list[str] = []
    analyst.add_notice_handler(lambda diagnostic: notices.append(diagnostic.message_primary or ""))
    with recorded(served) as items:
        found = rows(analyst, f"{sql} GROUP BY 1 ORDER BY 1")
    every = real(served, f"{sql} GROUP BY 1 ORDER BY 1")
    assert found == [row for row in every if row[1] >= 10]
    assert 0 < len(found) < len(every)
    assert notices == [
        "Aggregates count only the rows that this grant shows.", "Groups of fewer than 10 people are left out.",
        "A figure is NULL if its FILTER, a branch of its CASE, or its values are of fewer than 10 people.",
    ]  # fmt: skip
    [entry] = queries(items)
    assert (entry.bound, entry.people, entry.rows) == (EntryBound.STATISTIC, (), len(found))
    assert entry.cohort == sum(row[1] for row in found)
    assert b'"statistic":{"conditions":["accounts.country"],"least":10},"tables":["accounts"]' in entry.record
    assert b'"bound":"statistic"' in entry.record


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT d.os, count(DISTINCT d.account_id) FROM devices d JOIN accounts a ON a.id = d.account_id GROUP BY 1",
        "WITH x AS (SELECT * FROM watch_events WHERE finished) SELECT source, avg(watched_s)::int FROM x GROUP BY 1",
        "SELECT date_trunc('month', posted_at) AS month, count(*) FROM videos GROUP BY month HAVING count(*) > 1",
        "SELECT c.name, count(*) FROM accounts a JOIN countries c ON c.code = a.country GROUP BY 1",
    ],
)
def test_joins_and_subqueries_whose_rows_can_be_counted(served: Served, analyst: Connection, sql: str) -> None:
    assert (found := rows(analyst, sql))
    assert set(found) <= set(real(served, sql))


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT handle FROM accounts", "asks for rows"),
        ("SELECT max(birth_date) FROM accounts", "max can give a single person's value"),
        ("SELECT string_agg(handle, ',') FROM accounts", "single person's value"),
        ("SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY views) FROM videos", "single person's value"),
        ("SELECT count(*) FROM accounts a, LATERAL (SELECT 1) x", "LATERAL"),
    ],
)
def test_a_grant_for_statistics_never_shows_rows(served: Served, analyst: Connection, sql: str, words: str) -> None:
    with recorded(served) as items, pytest.raises(psycopg.errors.InsufficientPrivilege) as caught:
        rows(analyst, sql)
    assert "this grant answers with statistics only" in str(caught.value)
    assert words in str(caught.value)
    assert "ask for count, sum, avg" in str(caught.value.diag.message_hint)
    assert [type(item) for item in items] == [RefusedAttempt]


def test_what_is_about_nobody_is_answered_as_ever(analyst: Connection) -> None:
    assert len(rows(analyst, "SELECT * FROM countries")) > 1
    assert rows(analyst, "SELECT 1") == [(1,)]


def test_too_few_people_and_nobody_are_told_apart_by_nobody(served: Served, analyst: Connection) -> None:
    [(handle,)] = real(served, "SELECT handle FROM accounts WHERE country = 'FR' LIMIT 1")
    told = []
    for condition in (f"handle = '{handle}'", "handle = 'nobody.at.all'", "country = 'FR'"):
        with recorded(served) as items, pytest.raises(psycopg.errors.ConfigurationLimitExceeded) as caught:
            rows(analyst, f"SELECT count(*) FROM accounts WHERE {condition}")
        told.append(str(caught.value))
        assert [type(item) for item in items] == [RefusedAttempt]
        assert rows(analyst, f"SELECT country, count(*) FROM accounts WHERE {condition} GROUP BY 1") == []
    assert set(told) == {"fewer than 10 people stand behind this statistic\nHINT:  ask about more people"}


SPELLINGS = (
    "SELECT count(*) FROM accounts WHERE id <> {one}",
    "SELECT count(*) FROM accounts WHERE id NOT IN ({one})",
    "SELECT count(*) FROM accounts WHERE handle <> '{handle}'",
    "SELECT sum(length(handle)) FROM accounts WHERE NOT (handle = '{handle}')",
    "WITH x AS (SELECT * FROM accounts WHERE id <> {one}) SELECT count(*) FROM x",
    "SELECT avg(length(x.handle)) FROM (SELECT * FROM accounts WHERE id > {one} OR id < {one}) x",
    "SELECT id = {one}, count(*) FROM accounts GROUP BY 1",
    "SELECT CASE WHEN id = {one} THEN 'a' ELSE 'b' END AS who, avg(length(bio)) FROM accounts GROUP BY who",
    "SELECT count(*) FROM accounts a JOIN accounts b ON a.id = b.id WHERE b.id <> {one}",
    "SELECT count(*) FROM accounts a JOIN countries c ON c.code = a.country WHERE a.id <> {one}",
)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("first", [True, False])
def test_two_statistics_do_not_tell_on_one_person(
    served: Served, analyst: Connection, spelling: str, *, first: bool
) -> None:
    """Everybody, and everybody but one: in either order, however it is written."""
    [(one, handle)] = real(served, "SELECT id, handle FROM accounts WHERE home_region = 'eu' ORDER BY id LIMIT 1")
    without = spelling.format(one=one, handle=handle)
    pair = ["SELECT count(*) FROM accounts", without] if first else [without, "SELECT count(*) FROM accounts"]
    assert rows(analyst, pair[0])
    with recorded(served) as items, pytest.raises(psycopg.errors.ConfigurationLimitExceeded) as caught:
        rows(analyst, pair[1])
    assert "differ by fewer than 10 people" in str(caught.value)
    assert [type(item) for item in items] == [RefusedAttempt]
    assert rows(analyst, pair[0]), "what was told may be told again"


def test_nor_does_what_groups_leave_out(served: Served, analyst: Connection) -> None:
    """The whole, and the whole by country without a country of seven."""
    where = "WHERE country IN ('FR', 'DE', 'IE', 'NL')"
    assert len(rows(analyst, f"SELECT country, count(*) FROM accounts {where} GROUP BY 1")) == 3
    with pytest.raises(psycopg.errors.ConfigurationLimitExceeded, match="differ by fewer"):
        rows(analyst, f"SELECT count(*) FROM accounts {where}")


def test_nor_does_one_row_of_somebody_who_has_several(served: Served, analyst: Connection) -> None:
    [(video,)] = real(
        served,
        "SELECT min(id) FROM videos WHERE account_id = "
        "(SELECT account_id FROM videos GROUP BY 1 HAVING count(*) > 1 LIMIT 1)",
    )
    assert rows(analyst, "SELECT sum(views) FROM videos")
    with pytest.raises(psycopg.errors.ConfigurationLimitExceeded, match="differ by fewer"):
        rows(analyst, f"SELECT sum(views) FROM videos WHERE id <> {video}")


def test_nor_does_the_weight_of_somebody_who_has_many_rows(served: Served, analyst: Connection) -> None:
    """Joined with themselves, 14 videos are 196 rows, and then 2,744: an average tends to the one who has them."""
    once = "SELECT avg(w.coins) FROM wallets w JOIN videos v ON v.account_id = w.account_id"
    assert rows(analyst, once) == real(served, once)
    for more in ("JOIN videos x ON x.account_id = w.account_id", "JOIN devices d ON d.account_id = v.account_id"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="count single people several times"):
            rows(analyst, f"{once} {more}")


def test_nor_does_a_choice_of_rows_that_are_mostly_of_one_person(served: Served) -> None:
    [(one,)] = real(served, "SELECT account_id FROM videos GROUP BY 1 ORDER BY count(*) DESC LIMIT 1")
    others = "(SELECT min(id) AS id FROM videos GROUP BY account_id ORDER BY 1 LIMIT 12)"
    own = f"SELECT id FROM videos WHERE account_id = {one}"
    chosen = ", ".join(str(video) for (video,) in real(served, f"SELECT id FROM {others} x UNION {own}"))
    sql = (
        f"SELECT avg(w.coins)::int FROM wallets w JOIN videos v ON v.account_id = w.account_id WHERE v.id IN ({chosen})"
    )
    with served.connect("lena.koch", grant(served, "lena.koch")) as connection, recorded(served) as items:
        with pytest.raises(psycopg.errors.ConfigurationLimitExceeded, match="more than one in 3 of the rows"):
            rows(connection, sql)
        assert [type(item) for item in items] == [RefusedAttempt]
    with served.connect("lena.koch", grant(served, "lena.koch", "both")) as connection, recorded(served) as items:
        assert rows(connection, sql) == real(served, sql)
    [entry] = queries(items)
    assert entry.bound is not EntryBound.STATISTIC
    assert f"account:{one}" in {shown.person for shown in entry.people}


def test_statistics_that_are_far_apart_are_answered(served: Served, analyst: Connection) -> None:
    for condition in ("true", "country <> 'DE'", "country = 'DE'", "country < 'IE'", "country = 'DE'", "true"):
        sql = f"SELECT count(*) FROM accounts WHERE {condition}"
        assert rows(analyst, sql) == real(served, sql)


@pytest.mark.parametrize(
    ("more", "between", "answered"),
    [
        ("true", "", True),
        ("posted_at < now()", "", False),
        ("posted_at < 'tomorrow'", "", False),
        ("extract(hour FROM timestamptz '2026-01-01 00:00Z') < 24", "", True),
        ("extract(hour FROM timestamptz '2026-01-01 00:00Z') < 24", "SET TimeZone TO 'Asia/Tokyo'", False),
    ],
)
def test_the_same_question_is_answered_again_when_people_have_come_and_gone(
    served: Served, analyst: Connection, more: str, between: str, *, answered: bool
) -> None:
    """Whoever asks did not choose them; unless the condition looks at the clock, or at a setting that was changed."""
    question = f"SELECT sum(length_s) FROM videos WHERE length_s > 0 AND {more}"
    with served.direct() as direct:
        [(one,)] = direct.execute("SELECT account_id FROM videos GROUP BY 1 HAVING count(*) = 1 LIMIT 1").fetchall()
        before = rows(analyst, question)
        direct.execute("UPDATE videos SET length_s = -length_s WHERE account_id = %s", (one,))
        try:
            if between:
                analyst.execute(between.encode())
            if answered:
                assert rows(analyst, question) != before
            else:
                with pytest.raises(psycopg.errors.ConfigurationLimitExceeded, match="differ by fewer"):
                    rows(analyst, question)
        finally:
            direct.execute("UPDATE videos SET length_s = abs(length_s) WHERE account_id = %s", (one,))


def test_all_grants_of_one_principal_are_held_together_and_others_are_not(served: Served) -> None:
    [(one,)] = real(served, "SELECT min(id) FROM accounts")
    first, second, other = (grant(served, name) for name in ("lena.koch", "lena.koch", "wei.chen"))
    without = f"SELECT count(*) FROM accounts WHERE id <> {one}"
    with served.connect("lena.koch", first) as connection:
        rows(connection, "SELECT count(*) FROM accounts")
    with served.connect("lena.koch", second) as connection, pytest.raises(psycopg.Error, match="differ by fewer"):
        rows(connection, without)
    with served.connect("wei.chen", other) as connection:
        assert rows(connection, without)


def test_what_was_told_before_a_restart_is_compared_with_afterwards(served: Served) -> None:
    """The memory that a new process reads is the one that this one wrote."""
    [(one,)] = real(served, "SELECT min(id) FROM accounts")
    mine = grant(served, "lena.koch")
    with served.connect("lena.koch", mine) as connection:
        rows(connection, "SELECT sum(length(handle)) FROM accounts")
    book = served.region.gateway.grants
    secret = (served.config.keys_dir / "gateway.secret").read_bytes()
    book._remembered = Remembered(served.config.state / "statistics.log", secret, served.clock)  # type: ignore[attr-defined]
    book._accesses.clear()  # type: ignore[attr-defined]
    with (
        served.connect("lena.koch", mine) as connection,
        pytest.raises(psycopg.errors.ConfigurationLimitExceeded, match="differ by fewer than 10 people"),
    ):
        rows(connection, f"SELECT sum(length(handle)) FROM accounts WHERE id <> {one}")


def test_a_figure_that_cannot_be_remembered_is_not_shown(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    remembered = served.region.gateway.grants._remembered  # type: ignore[attr-defined]
    with served.connect("lena.koch", grant(served, "lena.koch")) as connection, recorded(served) as items:
        monkeypatch.setattr(remembered, "_path", served.config.state / "no" / "statistics.log")
        with pytest.raises(psycopg.OperationalError, match="cannot be kept"):
            rows(connection, "SELECT count(*) FROM accounts")
    assert queries(items) == []


def test_ten_refusals_of_this_kind_end_the_grant(served: Served) -> None:
    """Each says one bit: whether somebody is among those whom the condition names."""
    ones = [one for (one,) in real(served, "SELECT id FROM accounts ORDER BY id LIMIT 10")]
    mine = grant(served, "lena.koch")
    with served.connect("lena.koch", mine) as connection:
        rows(connection, "SELECT count(*) FROM accounts")
        for one in ones:
            with pytest.raises(psycopg.OperationalError, match=r"differ by fewer|its cap"):
                rows(connection, f"SELECT count(*) FROM accounts WHERE id <> {one}")
        until(lambda: served.client("lena.koch").read(f"/grants/{mine}")["state"] == "expired")
        with pytest.raises(psycopg.OperationalError):
            rows(connection, "SELECT 1")


def test_a_grant_for_rows_is_as_it_was(served: Served) -> None:
    with served.connect("lena.koch", grant(served, "lena.koch", "rows")) as connection, recorded(served) as items:
        rows(connection, "SELECT count(*) FROM accounts")
    [entry] = queries(items)
    assert entry.bound is not EntryBound.STATISTIC
    assert len(entry.people) == 150


def test_every_way_to_ask(served: Served, analyst: Connection) -> None:
    """Parameters, prepared statements, cursors, COPY, portions: each is one statistic, and each is compared."""
    sql = "SELECT country, count(*) FROM accounts WHERE id > {} GROUP BY country ORDER BY country"
    expected = rows(analyst, sql.format(0))
    with recorded(served) as items:
        assert rows(analyst, sql.format("%s"), [0]) == expected
        analyst.execute(f"PREPARE x (bigint) AS {sql.format('$1')}".encode())
        assert rows(analyst, "EXECUTE x (0)") == expected
        with analyst.transaction():
            analyst.execute(f"DECLARE c CURSOR FOR {sql.format(0)}".encode())
            assert rows(analyst, "FETCH 4 FROM c") + rows(analyst, "FETCH ALL FROM c") == expected
        with analyst.cursor().copy(f"COPY ({sql.format(0)}) TO STDOUT".encode()) as copy:
            assert [row.split("\t")[0] for row in b"".join(copy).decode().splitlines()] == [one for one, _ in expected]
    assert {entry.bound for entry in queries(items)} == {EntryBound.STATISTIC}
    assert not any(entry.people for entry in queries(items))
    [(one,)] = real(served, "SELECT min(id) FROM accounts WHERE home_region = 'eu' AND country = 'DE'")
    without = sql.format("0 AND id <> {}")
    for ask in (
        lambda: rows(analyst, without.format("%s"), [one]),
        lambda: list(analyst.cursor().copy(f"COPY ({without.format(one)}) TO STDOUT".encode()).__enter__()),
        lambda: rows(analyst, f"BEGIN; DECLARE d CURSOR FOR {without.format(one)}; FETCH ALL FROM d; COMMIT"),
    ):
        with pytest.raises(psycopg.Error, match="differ by fewer than 10 people"):
            ask()
        analyst.execute("ROLLBACK")


def test_a_refused_statistic_fails_its_transaction(served: Served, analyst: Connection) -> None:
    with pytest.raises(psycopg.errors.ConfigurationLimitExceeded), analyst.transaction():
        rows(analyst, "SELECT count(*) FROM accounts WHERE country = 'FR'")
    assert rows(analyst, "SELECT count(*) FROM accounts") == real(served, "SELECT count(*) FROM accounts")


def test_an_error_is_about_those_whose_rows_could_raise_it(served: Served, analyst: Connection) -> None:
    with recorded(served) as items, pytest.raises(psycopg.errors.DivisionByZero):
        rows(analyst, "SELECT 1 / (count(*) - 17) FROM accounts WHERE country = 'DE'")
    [entry] = queries(items)
    assert (entry.bound, len(entry.people)) == (EntryBound.UPPER, 17)


def test_no_error_is_an_answer_about_one_row(served: Served, analyst: Connection) -> None:
    [(one,)] = real(served, "SELECT min(id) FROM accounts")
    for condition in (f"1 / (id - {one}) > -2", f"(CASE WHEN id = {one} THEN handle ELSE '1' END)::int > 0"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="can fail on a row"):
            rows(analyst, f"SELECT count(*) FROM accounts WHERE {condition}")


def test_nor_is_an_overflow(served: Served, analyst: Connection) -> None:
    """A column added to itself often enough fails as soon as one value is larger than any number one likes."""
    often = "length_s"
    for _ in range(7):
        often = f"({often} + {often})"
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="could fail on a single large value"):
        rows(analyst, f"SELECT sum({often}) FROM videos")
    for sql in (
        f"SELECT sum({often.replace('length_s', 'length_s::numeric')}) FROM videos",
        "SELECT avg(extract(epoch FROM posted_at) - extract(epoch FROM created_at))::int FROM videos v "
        "JOIN accounts a ON a.id = v.account_id",
    ):
        assert rows(analyst, sql) == real(served, sql)


def test_too_many_groups(served: Served, analyst: Connection) -> None:
    with pytest.raises(psycopg.errors.ConfigurationLimitExceeded, match="too many groups"):
        rows(analyst, "SELECT at, count(*) FROM watch_events GROUP BY at")


def test_two_figures_of_one_statement_do_not_tell_on_one_person(served: Served, analyst: Connection) -> None:
    [(video,)] = real(
        served,
        "SELECT min(id) FROM videos WHERE account_id = "
        "(SELECT account_id FROM videos GROUP BY 1 HAVING count(*) > 1 LIMIT 1)",
    )
    for sql in (
        f"SELECT sum(views), sum(views) FILTER (WHERE id <> {video}) FROM videos",
        f"SELECT sum(views), sum(CASE WHEN id <> {video} THEN views END) FROM videos",
        f"SELECT (SELECT sum(views) FROM videos), (SELECT sum(views) FROM videos WHERE id <> {video})",
        "SELECT country, count(*) FROM accounts WHERE country IN ('FR', 'DE', 'IE', 'NL') GROUP BY ROLLUP (country)",
    ):
        with recorded(served) as items, pytest.raises(psycopg.errors.ConfigurationLimitExceeded) as caught:
            rows(analyst, sql)
        assert "two figures of this statistic differ by fewer than 10 people" in str(caught.value)
        assert "leave out the totals and FILTERs" in str(caught.value.diag.message_hint)
        assert [type(item) for item in items] == [RefusedAttempt]


def test_what_is_computed_of_figures_says_so(served: Served, analyst: Connection) -> None:
    notices: list[str] = []
    analyst.add_notice_handler(lambda told: notices.append(told.message_primary or ""))
    sql = "SELECT country, count(*), sum(count(*)) OVER () FROM accounts GROUP BY country ORDER BY country"
    found = rows(analyst, sql)
    assert {row[2] for row in found} == {sum(row[1] for row in found)}, "of the groups that are shown"
    assert "What is computed of groups is computed of those that are not left out." in notices


def test_a_figure_of_too_few_is_null_beside_one_of_enough(served: Served, analyst: Connection) -> None:
    [(short, whole)] = rows(
        analyst, "SELECT count(*) FILTER (WHERE id < 1000000004), count(*) FROM accounts WHERE home_region = 'eu'"
    )
    assert (short, whole) == (None, real(served, "SELECT count(*) FROM accounts WHERE home_region = 'eu'")[0][0])
