"""One test each for what must never break, through the running gateway. Each was seen to fail; its docstring says how.

An approval whose signature does not match: ``tests/unit/gateway/test_grants_tampering.py``.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import pq

from seenby.errors import LedgerFailed
from seenby.gateway.link import Link
from seenby.gateway.server import Gateway
from seenby.session import results, serverside, session
from seenby.session.outbox import Outbox
from seenby.session.record import RecordTemplate
from seenby.stores.grouping import Done
from seenby.stores.ledger import Item
from seenby.wire import frontend
from tests.attack.test_gateway import MASKED_USES, run
from tests.fixtures.gateway import Served, submissions
from tests.fixtures.pace import in_time

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("served")]

Connection = psycopg.Connection[Any]

QUERY = "SELECT id, phone FROM accounts ORDER BY id LIMIT 5"
SECONDS = 30.0
"""After which a test that waits has failed."""


@pytest.fixture(scope="module")
def grant(served: Served) -> Iterator[str]:
    made = served.grant("lena.koch", ("contact", ["eu"]))
    yield made
    served.revoke("lena.koch", made)


@pytest.fixture
def connection(served: Served, grant: str) -> Iterator[Connection]:
    made = served.connect("lena.koch", grant)
    made.execute("SELECT 1")  # the link to Postgres is there
    yield made
    made.close()


class SlowLedger:
    """Holds every entry back until ``let_go``, or says that it could not be written."""

    def __init__(self, served: Served, patch: pytest.MonkeyPatch) -> None:
        self.waiting: list[tuple[Item, Done]] = []
        self.came = threading.Event()
        self._served = served
        self._submit = served.region.ledger.submit
        patch.setattr(served.region.ledger, "submit", self._hold)

    def _hold(self, item: Item, done: Done) -> None:
        self.waiting.append((item, done))
        self.came.set()

    def let_go(self) -> None:
        waiting, self.waiting = self.waiting, []
        for item, done in waiting:
            self._served.loop.call_soon_threadsafe(self._submit, item, done)

    def fail(self) -> None:
        waiting, self.waiting = self.waiting, []
        for _, done in waiting:
            self._served.loop.call_soon_threadsafe(done, LedgerFailed("the disk is full"))


def arrived(connection: Connection) -> bool:
    """Whether the client has the answer, or a part of it."""
    connection.pgconn.consume_input()
    return not connection.pgconn.is_busy()


@pytest.mark.parametrize(
    "query", [QUERY, "SELECT count(phone) FROM accounts", "SELECT phone::uuid FROM accounts", "DROP TABLE x"]
)
def test_nothing_arrives_before_its_entry_is_durable(
    served: Served, connection: Connection, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    """Rows, statistics, errors about rows and refusals.

    Seen to fail: ``Outbox.hold`` releasing at once (``self._ready.append(data)``).
    """
    ledger = SlowLedger(served, monkeypatch)
    connection.pgconn.send_query(query.encode())
    assert ledger.came.wait(SECONDS)
    for _ in range(20):
        time.sleep(0.01)
        assert not arrived(connection)
    ledger.let_go()
    until(lambda: arrived(connection))
    result = connection.pgconn.get_result()
    assert result is not None
    assert result.status in {pq.ExecStatus.TUPLES_OK, pq.ExecStatus.FATAL_ERROR}
    while connection.pgconn.get_result() is not None:
        pass


@pytest.mark.parametrize(
    "query", [QUERY, "SELECT count(phone) FROM accounts", "SELECT phone::uuid FROM accounts", "DROP TABLE x"]
)
def test_nothing_arrives_when_the_ledger_fails(
    served: Served, connection: Connection, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    """Seen to fail: ``Connection._recorded`` taking an error for success."""
    ledger = SlowLedger(served, monkeypatch)
    connection.pgconn.send_query(query.encode())
    assert ledger.came.wait(SECONDS)
    ledger.fail()
    until(lambda: arrived(connection))
    result = connection.pgconn.get_result()
    assert result is not None
    assert result.status == pq.ExecStatus.FATAL_ERROR
    assert result.error_field(pq.DiagnosticField.SQLSTATE) == b"58030"
    assert result.error_field(pq.DiagnosticField.SEVERITY_NONLOCALIZED) == b"FATAL"
    until(lambda: closed(connection))
    until(lambda: not grant_backends(served))


def closed(connection: Connection) -> bool:
    try:
        connection.pgconn.consume_input()
    except psycopg.OperationalError:
        return True
    return connection.pgconn.status == pq.ConnStatus.BAD


def grant_backends(served: Served) -> int:
    with served.direct() as direct:
        row = direct.execute("SELECT count(*) FROM pg_stat_activity WHERE usename ^@ 'seenby_g_'").fetchone()
    assert row is not None
    return int(row[0])


def until(condition: Callable[[], bool], seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_grants_role_reads_no_base_table_and_no_other_grants_scope(served: Served, grant: str) -> None:
    """With the role's own secret, past the gateway; the rest is in tests/attack/test_direct.py.

    Seen to fail: ``GRANT SELECT ON accounts TO PUBLIC`` (attach refuses it, so it was given after).
    """
    other = served.grant("ben.ortiz", ("communication", ["eu"]), ("contact", ["eu"]), people=["account:1000000042"])
    role, password = served.role("lena.koch", grant)
    theirs = next(a for a in served.region.gateway.grants.accesses("ben.ortiz") if a.terms.id == other)
    cluster = served.world.regions["eu"].running
    with psycopg.connect(cluster.dsn("platform", role, password), autocommit=True) as direct:
        for table in ("public.accounts", "public.payments", "seenby.scope"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                direct.execute(f"SELECT 1 FROM {table}".encode())
        for view in theirs.shape.views.values():
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                direct.execute(f"SELECT 1 FROM {view.view_schema}.{view.view}".encode())
        mine = next(a for a in served.region.gateway.grants.accesses("lena.koch") if a.terms.id == grant)
        view = mine.shape.views["public", "accounts"]
        assert direct.execute(f"SELECT count(*) FROM {view.view_schema}.{view.view}".encode()).fetchone() != (0,)
    served.revoke("ben.ortiz", other)


def test_a_fenced_grant_shows_its_people_and_nobody_else(served: Served) -> None:
    """Seen to fail: views whose scope leaves out ``role = CURRENT_USER``, so that scopes ran together."""
    first = served.grant("ben.ortiz", ("contact", ["eu"]), people=["account:1000000042"])
    second = served.grant("ben.ortiz", ("contact", ["eu"]), people=["account:1000000043"])
    for grant, person in ((first, 1000000042), (second, 1000000043)):
        with served.connect("ben.ortiz", grant) as connection:
            assert connection.execute("SELECT id FROM accounts").fetchall() == [(person,)]
            assert connection.execute("SELECT count(*) FROM accounts").fetchone() == (1,)
            owners = connection.execute("SELECT account_id, matched_account_id FROM contacts").fetchall()
            assert all(person in row for row in owners)
        served.revoke("ben.ortiz", grant)


def test_the_second_statement_of_a_simple_query_is_analysed(served: Served, connection: Connection) -> None:
    """Both ways: a refused one is refused, an allowed one is recorded.

    Seen to fail: session/simple.py running ``session.analyse(text)[:1]``.
    """
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("SELECT 1; SELECT iban FROM payments")
    with submissions(served) as submitted:
        cursor = connection.execute("SELECT 1; SELECT phone FROM accounts WHERE id = 1000000042; SELECT 2")
        assert [cursor.fetchall(), cursor.nextset(), len(cursor.fetchall())] == [[(1,)], True, 1]
    assert ["account:1000000042"] in submitted


@pytest.mark.parametrize("statement", MASKED_USES)
def test_a_masked_column_is_refused_in_each_use(connection: Connection, statement: str) -> None:
    """Never answered on the mask (silently wrong), never on the value (a leak).

    Seen to fail: ``Treatment.MASK`` columns taken for plain ones in sql/scope.py.
    """
    said = run(connection, [statement], extended=False)
    assert isinstance(said, psycopg.Error)
    assert said.sqlstate in {"42501", "0A000"}


def test_an_error_text_holds_no_value(served: Served, connection: Connection) -> None:
    """Seen to fail: ``run_time_error`` passing Postgres's message on."""
    with served.direct() as direct:
        (phone,) = direct.execute("SELECT phone FROM accounts WHERE id = 1000000042").fetchone() or ("",)
        with pytest.raises(psycopg.errors.InvalidTextRepresentation, match=phone.replace("+", r"\+")):
            direct.execute("SELECT phone::uuid FROM accounts WHERE id = 1000000042")
    with submissions(served) as submitted, pytest.raises(psycopg.errors.InvalidTextRepresentation) as told:
        connection.execute("SELECT phone::uuid FROM accounts WHERE id = 1000000042")
    assert phone not in str(told.value)
    assert submitted == [["account:1000000042"]]


def test_the_search_path_cannot_move_between_parse_and_execute(connection: Connection) -> None:
    """Seen to fail: ``search_path`` among the settings that are FREE."""
    raw = connection.pgconn
    raw.prepare(b"p", b"SELECT count(*) FROM accounts")
    before = raw.exec_prepared(b"p", []).get_value(0, 0)
    for statement in (b"SET search_path = pg_temp", b"SET LOCAL search_path TO pg_catalog", b"RESET search_path"):
        assert raw.exec_(statement).error_field(pq.DiagnosticField.SQLSTATE) == b"55P02"
    assert raw.exec_prepared(b"p", []).get_value(0, 0) == before
    assert raw.exec_(b"SHOW search_path").get_value(0, 0)


class Broken(Exception):
    """Not one of ours: something nobody expected."""


def raising(*_: object, **__: object) -> Any:
    raise Broken("secret value")


async def raising_later(*_: object, **__: object) -> Any:
    raise Broken("secret value")


def told_fatal(connection: Connection) -> bytes | None:
    """Sends QUERY. The SQLSTATE of the FATAL error that comes instead of an answer."""
    raw = connection.pgconn
    raw.send_query(QUERY.encode())
    until(lambda: arrived(connection))
    result = raw.get_result()
    while result is not None and result.status == pq.ExecStatus.TUPLES_OK:
        result = raw.get_result()
    assert result is not None
    assert result.error_field(pq.DiagnosticField.SEVERITY_NONLOCALIZED) == b"FATAL"
    assert b"secret" not in result.error_message
    return result.error_field(pq.DiagnosticField.SQLSTATE)


STAGES: tuple[tuple[str, Any, str, Any], ...] = (
    ("analysis", session, "analyse", raising),
    ("stripping keys", results, "strip_rows", raising),
    ("naming people", results.Results, "_people", raising),
    ("filling the record", RecordTemplate, "fill", raising),
    ("holding back", Outbox, "hold", raising),
    ("releasing", Outbox, "durable", raising),
    ("reading the server", serverside.ServerReader, "feed", raising),
    ("hearing from the ledger", session.Session, "recorded", raising),
    ("hearing from the client", session.Session, "client_data", raising),
    ("hearing from Postgres", session.Session, "server_data", raising),
    ("opening the link", Gateway, "open_link", raising_later),
    ("writing to the link", Link, "write", raising),
    ("reading a message", frontend, "text_of", raising),
)


@pytest.mark.parametrize(("stage", "owner", "name", "broken"), STAGES, ids=[one[0] for one in STAGES])
def test_code_that_raises_at_any_stage_closes_both_sides(
    served: Served, grant: str, monkeypatch: pytest.MonkeyPatch, stage: str, owner: Any, name: str, broken: Any
) -> None:
    """The client reads XX000, FATAL, without the exception's text; Postgres loses the session; others go on.

    Seen to fail: without ``_closing`` in gateway/connection.py the client waits for ever. What happens inside a session
    is caught there first (tests/playbooks); then this passes with either guard, and fails without both.
    """
    with served.connect("lena.koch", grant) as connection:
        if stage != "opening the link":
            connection.execute("SELECT 1")
        access = next(a for a in served.region.gateway.grants.accesses("lena.koch") if a.terms.id == grant)
        access.plans.clear()
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, broken)
            assert told_fatal(connection) == b"XX000"
            until(lambda: closed(connection))
    until(lambda: not grant_backends(served))
    with served.connect("lena.koch", grant) as again:
        assert again.execute("SELECT 1").fetchone() == (1,)


def test_a_ledger_that_raises_closes_both_sides(served: Served, connection: Connection) -> None:
    """Seen to fail: as above."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(served.region.ledger, "submit", raising)
        assert told_fatal(connection) == b"XX000"
        until(lambda: closed(connection))
    until(lambda: not grant_backends(served))


def test_expiry_cuts_a_stream(served: Served) -> None:
    """The test's clock jumps beyond the window while rows are on their way: 57P01 within a second, then silence.

    Seen to fail: ``Gateway._tick`` not cutting what has ended.
    """
    grant = served.grant("ben.ortiz", ("behaviour", ["eu"]), seconds=600)
    with served.connect("ben.ortiz", grant) as connection, no_other_ends(served):
        rows = connection.cursor().stream("SELECT a.* FROM watch_events a, watch_events b")
        assert next(rows)
        served.clock.offset += 700
        began = time.monotonic()
        with pytest.raises(psycopg.errors.AdminShutdown, match="its time is over"):
            all(time.monotonic() - began < SECONDS for _ in rows)
        assert in_time(time.monotonic() - began, 1)
        until(lambda: closed(connection))
    until(lambda: not grant_backends(served))


class no_other_ends:
    """Puts the tests' clock back; the grants of other tests are longer than these jumps."""

    def __init__(self, served: Served) -> None:
        self._served = served

    def __enter__(self) -> None:
        self._before = self._served.clock.offset

    def __exit__(self, *_: object) -> None:
        self._served.clock.offset = self._before


def test_the_loop_is_not_blocked_by_a_slow_analysis_of_others(served: Served, connection: Connection) -> None:
    """A statement of the largest kind that is analysed at all holds nobody up for longer than a second."""
    worst = "SELECT id FROM accounts WHERE id IN (" + ",".join(map(str, range(20_000))) + ")"
    done = threading.Event()

    def other() -> None:
        connection.execute(worst.encode())
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    waited = 0.0
    while not done.is_set():
        began = time.monotonic()
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), served.loop).result(SECONDS)
        waited = max(waited, time.monotonic() - began)
    thread.join()
    assert in_time(waited, 1)
