"""The platform's schema changes while staff work: what is new is refused and reported within a second, and nothing else
breaks."""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs

from seenby.cli.datamap import check
from tests.conformance.attach.asked import Office, Refusal, classes, office, rows_of
from tests.fixtures.gateway import last_words
from tests.fixtures.pace import in_time

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("attached")]

BAZAAR = Path(__file__).parent / "small" / "bazaar.sql"
WORK = (
    "SELECT * FROM customers",
    "SELECT c.email, o.status FROM customers c JOIN orders o ON o.customer_id = c.id",
    "SELECT status, count(*) FROM orders GROUP BY status",
    "SELECT a.street FROM addresses a WHERE owner_type = 'Shop'",
)
SOON = 1.0
"""Seconds until a new column is refused by name and reported, on a machine that does nothing else."""
DEADLOCK = "40P01"
TRIES = 3
"""How often that is measured, unless it is soon. A machine that runs the whole suite gets three times as long."""


@pytest.fixture(scope="module")
def bazaar() -> Iterator[Office]:
    grants = {"some": (classes(), 10), "wide": (classes(), None)}
    with office("bazaar", BAZAAR.read_text("utf-8"), grants, pick=random.Random(1)) as made:
        yield made


@dataclass
class Work:
    """Sessions that ask the same again and again; ``wrong``: every answer that was not the first one."""

    answers: int = 0
    wrong: list[object] = field(default_factory=list)


@contextmanager
def at_work(here: Office) -> Iterator[Work]:
    """A session of each grant works on a thread of its own until the block ends, and once more after it."""
    work, done = Work(), threading.Event()

    def run(connection: psycopg.Connection[Any], first: list[object]) -> None:
        while True:
            last = done.wait(0.02)  # as people work; the gateway under test is a thread of the same interpreter
            for text, before in zip(WORK, first, strict=True):
                now = rows_of(connection, text)
                work.answers += 1
                if isinstance(now, Refusal) and now.sqlstate == DEADLOCK:
                    continue  # with the DDL; Postgres ends one of the two, and asking again is what it wants
                if now != before:
                    work.wrong.append((text, now))
            if last:
                return

    threads, sessions = [], []
    for grant in here.grants.values():
        sessions.append(here.connect(grant))
        first: list[object] = [rows_of(sessions[-1], text) for text in WORK]
        assert all(isinstance(rows, list) and rows for rows in first)
        threads.append(threading.Thread(target=run, args=(sessions[-1], first)))
    for thread in threads:
        thread.start()
    try:
        yield work
    finally:
        done.set()
        for thread in threads:
            thread.join()
        for session in sessions:
            session.close()
    assert work.answers >= len(threads) * len(WORK)
    assert work.wrong == []


def change(platform: psycopg.Connection[Any], text: str) -> None:
    """As a migration does it: asked again where Postgres ended it to break a deadlock. DDL locks a table and then what
    depends on it, a query the views and then their tables; whoever waited longest may be either."""
    for left in reversed(range(20)):
        try:
            platform.execute(text.encode())
        except psycopg.errors.DeadlockDetected:
            if not left:
                raise
        else:
            return


def until(connection: psycopg.Connection[Any], text: str, told: str) -> float:
    """Seconds until a query is told this; it is never answered."""
    start = time.monotonic()
    while True:
        with pytest.raises(psycopg.Error) as error:
            connection.execute(text.encode())
        if re.search(told, str(error.value)):
            assert error.value.diag.message_hint
            return time.monotonic() - start
        assert time.monotonic() < start + 60, error.value
        time.sleep(0.02)


def test_an_added_column(bazaar: Office, capsys: pytest.CaptureFixture[str]) -> None:
    """Refused by name, in the gateway's log, and found by `seenby datamap check`."""
    with (
        at_work(bazaar),
        capture_logs() as log,
        bazaar.connect(bazaar.grants["some"]) as session,
        bazaar.served.direct() as platform,
    ):
        best = 99.0
        for number in range(TRIES):
            name = f"religion_{number}"
            change(platform, f"ALTER TABLE customers ADD COLUMN {name} text DEFAULT 'none'")
            best = min(
                best, until(session, f"SELECT {name} FROM customers", f"customers.{name} is not in the data map")
            )
            until(session, f"SELECT email FROM customers WHERE {name} = 'none'", "not in the data map")
            described = session.execute("SELECT * FROM customers").description or ()
            assert name not in [column.name for column in described]
            assert [f"customers.{name}"] in [line.get("names") for line in log if line["event"] == "unclassified"]
            assert check(bazaar.made.dsn, map_=bazaar.made.map) == 1
            assert name in capsys.readouterr().out
            change(platform, f"ALTER TABLE customers DROP COLUMN {name}")
            until(session, f"SELECT {name} FROM customers", "does not exist")
            if best < SOON:
                break
    with capsys.disabled():
        print(f"an added column: refused by name and reported after {best:.2f} s")
    assert in_time(best, 3 * SOON)


def test_a_new_table_and_a_new_partition(bazaar: Office) -> None:
    with (
        at_work(bazaar),
        capture_logs() as log,
        bazaar.connect(bazaar.grants["wide"]) as session,
        bazaar.served.direct() as platform,
    ):
        change(platform, "CREATE TABLE complaints (id int, customer_id uuid, text text)")
        change(
            platform, "CREATE TABLE orders_2027 PARTITION OF orders FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')"
        )
        until(session, "SELECT * FROM complaints", "complaints is not in the data map")
        until(session, "SELECT * FROM orders_2027", "orders_2027 is a partition of orders")
        names = [line["names"] for line in log if line["event"] == "unclassified"]
        assert {name for some in names for name in some} == {"complaints"}
        change(platform, "ALTER TABLE orders DETACH PARTITION orders_2027; DROP TABLE orders_2027, complaints")
        until(session, "SELECT * FROM complaints", "does not exist")


def test_a_new_label_of_an_enum(bazaar: Office) -> None:
    text = "SELECT count(*) FROM ratings WHERE subject_type = 'Courier'"
    with at_work(bazaar), bazaar.connect(bazaar.grants["wide"]) as session:
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            session.execute(text)
        with bazaar.served.direct() as platform:
            change(platform, "ALTER TYPE subject ADD VALUE 'Courier'")
        assert session.execute(text).fetchall() == [(0,)]


@pytest.mark.parametrize(
    ("ddl", "told"),
    [
        ("ALTER TABLE customers ALTER COLUMN phone TYPE varchar(40)", "view seenby_v"),
        ("ALTER TABLE customers DROP COLUMN phone", "view seenby_v"),
        ("DROP TABLE currencies", "view seenby_v"),
        ("ALTER TABLE customers ADD COLUMN token uuid DEFAULT gen_random_uuid()", "rewrites public.customers"),
        ("ALTER TABLE orders ADD COLUMN token uuid DEFAULT gen_random_uuid()", "rewrites public.orders"),
    ],
)
def test_what_grants_block(bazaar: Office, ddl: str, told: str) -> None:
    """The database refuses, and says what of Seenby's it is for; staff notice nothing."""
    with at_work(bazaar), bazaar.served.direct() as platform:
        with pytest.raises(psycopg.Error) as error:
            change(platform, ddl)
        assert told in f"{error.value} {error.value.diag.message_detail}"


def test_what_may_be_rewritten(bazaar: Office) -> None:
    """Tables that no grant can show."""
    with at_work(bazaar), bazaar.served.direct() as platform:
        change(platform, "CREATE TABLE scratch (id int)")
        change(platform, "ALTER TABLE scratch ALTER COLUMN id TYPE text")
        change(platform, "DROP TABLE scratch")


def test_a_column_that_no_view_shows_may_go(bazaar: Office) -> None:
    """Until then it was unclassified; a constraint or an index on a shown column may come, too."""
    with at_work(bazaar), bazaar.served.direct() as platform:
        change(platform, "ALTER TABLE orders ADD COLUMN courier_code text DEFAULT 'none'")
        change(platform, "CREATE INDEX hurry ON orders (status)")
        change(platform, "ALTER TABLE customers ADD CONSTRAINT sane CHECK (email LIKE '%@%')")
        change(platform, "ALTER TABLE customers ALTER COLUMN full_name SET NOT NULL")
        change(platform, "ALTER TABLE orders ALTER COLUMN courier_code SET DEFAULT 'bike'")
        change(platform, "ALTER TABLE orders DROP COLUMN courier_code")


def test_a_renamed_column_closes_everything_until_it_is_back(bazaar: Office) -> None:
    """The map names what is not there any more, so nobody can say what anything shows."""
    grant = bazaar.grants["some"]
    with bazaar.served.direct() as platform, bazaar.connect(grant) as session, capture_logs() as log:
        change(platform, "ALTER TABLE customers RENAME phone TO telephone")
        try:
            start = time.monotonic()
            assert "customers has no column phone" in last_words(session, WORK[0])
            assert "customers has no column phone" in next(line["error"] for line in log if line["event"] == "catalog")
            with pytest.raises(psycopg.Error, match="customers has no column phone"):
                bazaar.connect(grant)
        finally:
            change(platform, "ALTER TABLE customers RENAME telephone TO phone")
        while True:
            try:
                with bazaar.connect(grant) as again:
                    assert isinstance(rows_of(again, WORK[0]), list)
                break
            except psycopg.OperationalError:
                assert time.monotonic() < start + 60
