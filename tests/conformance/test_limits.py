"""Limits bite (invariant I6): within a second, in the middle of a result and in idle sessions; and nothing grows."""

from __future__ import annotations

import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import pq
from psycopg.generators import copy_from
from psycopg.waiting import wait

from seenby.gateway import connection as gateway_connection
from seenby.stores.config import Config, load_config
from seenby.stores.directory import load_directory, render_directory
from tests.fixtures.gateway import PERMIT_ALL, Served, serve, submissions
from tests.fixtures.pace import in_time

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("served")]

Connection = psycopg.Connection[Any]

ENDLESS = "SELECT a.*, b.*, c.id FROM watch_events a, watch_events b, watch_events c"
BITE_SECONDS = 1.0
WAIT_SECONDS = 30.0
"""After which a test that waits has failed."""


def until(condition: Callable[[], bool], bar: float = WAIT_SECONDS) -> None:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < WAIT_SECONDS
        time.sleep(0.005)
    assert in_time(time.monotonic() - began, bar)


class Reading:
    """A client on a thread that reads rows for as long as they come."""

    def __init__(self, connection: Connection, query: str = ENDLESS) -> None:
        self.rows = 0
        self.error: psycopg.Error | None = None
        self.ended = 0.0
        self._thread = threading.Thread(target=self._read, args=(connection, query))
        self._thread.start()
        until(lambda: self.rows > 0 or self.error is not None)

    def _read(self, connection: Connection, query: str) -> None:
        try:
            for _ in connection.cursor().stream(query.encode()):
                self.rows += 1
        except psycopg.Error as error:
            self.error = error
        self.ended = time.monotonic()

    def end(self) -> psycopg.Error:
        self._thread.join(WAIT_SECONDS)
        assert not self._thread.is_alive()
        assert self.error is not None
        return self.error


def backends(served: Served, role: str) -> int:
    with served.direct() as direct:
        row = direct.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = %s", (role,)).fetchone()
    assert row is not None
    return int(row[0])


def test_a_revocation_cuts_a_stream_within_a_second(served: Served) -> None:
    grant = served.grant("ben.ortiz", ("behaviour", ["eu"]))
    role, _ = served.role("ben.ortiz", grant)
    with served.connect("ben.ortiz", grant) as connection:
        reading = Reading(connection)
        assert reading.error is None
        began = time.monotonic()
        served.revoke("ben.ortiz", grant)
        error = reading.end()
        assert in_time(reading.ended - began, BITE_SECONDS)
        assert error.sqlstate == "57P01"
        assert "revoked" in str(error)
        assert error.diag.message_hint
    until(lambda: backends(served, role) == 0, BITE_SECONDS)
    with pytest.raises(psycopg.OperationalError, match="not an active grant"):
        served.connect("ben.ortiz", grant)


def test_what_a_client_left_running_is_cancelled(served: Served) -> None:
    """Postgres itself would count on for hours, and the grant's connections would run out."""
    grant = served.grant("ben.ortiz", ("behaviour", ["eu"]))
    role, _ = served.role("ben.ortiz", grant)
    connection = served.connect("ben.ortiz", grant)
    connection.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 1000000000000)")
    until(lambda: backends(served, role) == 1)
    connection.pgconn.finish()
    until(lambda: backends(served, role) == 0)
    connection.close()


def told_without_asking(connection: Connection, bar: float = BITE_SECONDS) -> bytes:
    """What an idle client is told: libpq keeps it for the next answer."""

    def told() -> bool:
        try:
            connection.pgconn.consume_input()
        except psycopg.OperationalError:
            return True
        return connection.pgconn.status != pq.ConnStatus.OK

    until(told, bar)
    return connection.pgconn.error_message


@pytest.mark.parametrize("state", ["fresh", "idle", "in a transaction"])
def test_expiry_cuts_an_idle_session(served: Served, state: str) -> None:
    grant = served.grant("ben.ortiz", ("contact", ["eu"]), seconds=600)
    role, _ = served.role("ben.ortiz", grant)
    connection = served.connect("ben.ortiz", grant)
    if state != "fresh":
        connection.execute("BEGIN" if state == "in a transaction" else "SELECT 1")
    try:
        served.clock.offset += 601
        told_without_asking(connection)
    finally:
        served.clock.offset -= 601
    with pytest.raises(psycopg.OperationalError, match=r"expired|closed"):
        connection.execute("SELECT 1")
    connection.close()
    until(lambda: backends(served, role) == 0, BITE_SECONDS)


@contextmanager
def moved(served: Served, name: str, country: str) -> Iterator[None]:
    """The identity provider says that ``name`` is somewhere else now."""
    file = served.config.directory_file
    before = file.read_text()
    directory = load_directory(file)
    principals = {**directory.principals, name: replace(directory.principals[name], country=country)}
    try:
        replace_text(file, render_directory(replace(directory, principals=principals)))
        yield
    finally:
        replace_text(file, before)
        until(lambda: served.region.grants.directory.current.principals[name].country != country)


def replace_text(file: Path, text: str) -> None:
    fresh = file.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(file)


def test_a_principal_who_moves_is_cut_within_a_second(served: Served) -> None:
    grant = served.grant("ben.ortiz", ("behaviour", ["eu"]))
    with served.connect("ben.ortiz", grant) as connection, served.connect("ben.ortiz", grant) as idle:
        reading = Reading(connection)
        began = time.monotonic()
        with moved(served, "ben.ortiz", "CN"):
            error = reading.end()
            told_without_asking(idle)
        assert in_time(reading.ended - began, BITE_SECONDS)
        assert error.sqlstate == "57P01"
        assert error.diag.message_hint
    with pytest.raises(psycopg.OperationalError, match="not an active grant"):
        served.connect("ben.ortiz", grant)  # coming back revives nothing


PEOPLE = "SELECT id FROM accounts WHERE id = ANY(%s) ORDER BY id"


def existing(served: Served, count: int) -> list[int]:
    with served.direct() as direct:
        rows = direct.execute("SELECT id FROM accounts WHERE home_region = %s ORDER BY id LIMIT %s", (
            served.config.region, count,
        )).fetchall()  # fmt: skip
    return [row[0] for row in rows]


def test_the_cap_on_people(served: Served) -> None:
    """Counted over all sessions of the grant; a person twice counts once; a refused result shows nobody."""
    known = existing(served, 10)
    grant = served.grant("ben.ortiz", ("contact", ["eu"]), max_people=5)
    with served.connect("ben.ortiz", grant) as one, served.connect("ben.ortiz", grant) as two:
        with pytest.raises(psycopg.errors.ConfigurationLimitExceeded, match="more people than the 5") as refusal:
            one.execute(PEOPLE, (known[:6],))
        assert "--max-people" in (refusal.value.diag.message_hint or "")
        assert len(one.execute(PEOPLE, (known[:3],)).fetchall()) == 3
        assert len(two.execute(PEOPLE, (known[1:4],)).fetchall()) == 3
        assert len(two.execute(PEOPLE, (known[4:5],)).fetchall()) == 1
        for connection in (one, two):
            with pytest.raises(psycopg.errors.ConfigurationLimitExceeded):
                connection.execute(PEOPLE, (known[5:6],))
            with pytest.raises(psycopg.errors.ConfigurationLimitExceeded):
                connection.execute("SELECT count(*) FROM accounts")
            assert len(connection.execute(PEOPLE, (known[:5],)).fetchall()) == 5
        with one.transaction(), pytest.raises(psycopg.errors.ConfigurationLimitExceeded):
            one.execute(PEOPLE, (known[5:6],))
    served.revoke("ben.ortiz", grant)


def test_a_breached_cap_names_whom_it_tells_about_and_ten_end_the_grant(served: Served) -> None:
    """Whether a guess about one person is right could be read from a cap that breaks only then."""
    known = existing(served, 10)
    grant = served.grant("ben.ortiz", ("contact", ["eu"]), max_people=3)
    guess = "SELECT a.id FROM accounts a JOIN accounts b ON b.id = %s AND b.phone LIKE '+%%' WHERE a.id = ANY(%s)"
    with served.connect("ben.ortiz", grant) as connection, submissions(served) as named:
        for _ in range(9):
            with pytest.raises(psycopg.errors.ConfigurationLimitExceeded):
                connection.execute(guess, (known[9], known[:6]))
        until(lambda: len(named) == 9)
        assert all(f"account:{known[9]}" in people for people in named)
        assert len(connection.execute(PEOPLE, (known[:3],)).fetchall()) == 3, "nothing of it is charged"
        said: list[str] = []
        connection.add_notice_handler(lambda told: said.append(told.message_primary or ""))
        with pytest.raises((psycopg.errors.ConfigurationLimitExceeded, psycopg.errors.AdminShutdown)) as tenth:
            connection.execute(guess, (known[9], known[:6]))
        until(lambda: grant not in [active.terms.id for active in served.region.grants.active_for("ben.ortiz")])
        with pytest.raises(psycopg.OperationalError) as after:
            connection.execute(PEOPLE, (known[:3],))
        # The end comes before the tenth refusal, together with it (then libpq makes a notice of it), or after it.
        assert "cap on people or rows" in "\n".join([str(tenth.value), *said, str(after.value)])


def test_the_cap_on_rows_cuts_a_stream(served: Served) -> None:
    grant = served.grant("ben.ortiz", ("behaviour", ["eu"]), max_rows=5000)
    with served.connect("ben.ortiz", grant) as connection:
        rows = 0
        stream = connection.cursor().stream("SELECT a.*, repeat('x', 500) FROM watch_events a, watch_events b")
        refusal = None
        try:
            for _ in stream:
                rows += 1
        except psycopg.errors.ConfigurationLimitExceeded as error:
            refusal = error
        assert refusal is not None
        assert "more rows than the 5000" in str(refusal)
        assert 0 < rows <= 5000
        assert "--max-rows" in (refusal.diag.message_hint or "")
        left = 5000 - rows
        assert connection.execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(psycopg.errors.ConfigurationLimitExceeded):
            connection.execute("SELECT id FROM watch_events LIMIT %s", (left + 1,))
    served.revoke("ben.ortiz", grant)


def buffered(served: Served, grant: str) -> int:
    """Bytes that the gateway keeps for sessions of ``grant``: towards the client, and held back."""
    total = 0
    for connection in list(served.region.gateway._connections):
        session, transport = connection.session, connection._transport
        if session is not None and transport is not None and session.grant_id.hex() == grant:
            total += transport.get_write_buffer_size()
            total += sum(len(chunk) for _, chunks in list(session.outbox._waiting) for chunk in chunks)
    return total


@pytest.mark.parametrize("tcp", [False, True])
def test_a_client_that_does_not_read_costs_little_and_is_cut_all_the_same(served: Served, tcp: bool) -> None:
    """Broken once: without ``pause_reading`` the gateway held more than 100 MB after a second."""
    grant = served.grant("ben.ortiz", ("behaviour", ["eu"]))
    role, _ = served.role("ben.ortiz", grant)
    connection = served.connect("ben.ortiz", grant, tcp=tcp)
    connection.pgconn.send_query(ENDLESS.encode())
    stuck = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND wait_event = 'ClientWrite'"
    with served.direct() as direct:
        until(lambda: direct.execute(stuck, (role,)).fetchone() == (1,))
        for _ in range(20):
            assert buffered(served, grant) < 8 << 20
            time.sleep(0.01)
        assert direct.execute(stuck, (role,)).fetchone() == (1,)
    with served.connect("ben.ortiz", grant) as other:
        assert other.execute("SELECT 1").fetchone() == (1,)
    served.revoke("ben.ortiz", grant)
    until(lambda: not buffered(served, grant) and backends(served, role) == 0, 2 * BITE_SECONDS)
    connection.close()


def test_a_hundred_idle_sessions(served: Served) -> None:
    """They cost no snapshot in Postgres, answer at once, and end together within a second."""
    grant = served.grant("ben.ortiz", ("contact", ["eu"]))
    role, _ = served.role("ben.ortiz", grant)
    connections = [served.connect("ben.ortiz", grant) for _ in range(100)]
    for connection in connections[:60]:
        assert connection.execute("SELECT count(*) FROM countries").fetchone() != (0,)
    with served.direct() as direct:
        holding = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND backend_xmin IS NOT NULL"
        assert direct.execute(holding, (role,)).fetchone() == (0,)
    began = time.monotonic()
    assert connections[0].execute("SELECT 1").fetchone() == (1,)
    assert in_time(time.monotonic() - began, BITE_SECONDS)
    began = time.monotonic()
    served.revoke("ben.ortiz", grant)
    for connection in connections:
        told_without_asking(connection, WAIT_SECONDS)
    assert in_time(time.monotonic() - began, 2 * BITE_SECONDS)
    for connection in connections:
        connection.close()
    until(lambda: backends(served, role) == 0)


@pytest.mark.parametrize(
    "said", [b"", b"\0\0\0\x30\0\3\0\0user\0ben", b"\0\0\0\x08\x04\xd2\x16\x2f"], ids=["", "half", "TLS?"]
)
def test_who_goes_silent_before_the_sign_in_is_cut(
    served: Served, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real limit is half a minute."""
    monkeypatch.setattr(gateway_connection, "SIGN_IN_SECONDS", 0.2)
    before = len(served.region.gateway._connections)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(f"{served.config.listen.socket_dir}/.s.PGSQL.{served.config.listen.port}")
        client.settimeout(WAIT_SECONDS)
        client.sendall(said)
        told = b"".join(iter(lambda: client.recv(1000), b""))
    assert told.endswith(b"the sign-in took too long\0Hconnect again\0\0"), told
    until(lambda: len(served.region.gateway._connections) == before)


def test_half_a_message_is_kept_and_costs_others_nothing(served: Served) -> None:
    grant = served.grant("ben.ortiz", ("contact", ["eu"]))
    with (
        served.connect("ben.ortiz", grant) as half,
        served.connect("ben.ortiz", grant) as other,
        socket.fromfd(half.fileno(), socket.AF_UNIX, socket.SOCK_STREAM) as raw,
    ):
        raw.sendall(b"Q\0\0\0\x0dSELE")
        assert other.execute("SELECT 1").fetchone() == (1,)
        served.revoke("ben.ortiz", grant)
        told_without_asking(half)


def test_five_hundred_idle_sessions_cost_no_connection(served: Served) -> None:
    """A session that asked nothing has no link; signing in is what they cost. The next one is answered at once."""
    grant = served.grant("ben.ortiz", ("contact", ["eu"]))
    role, _ = served.role("ben.ortiz", grant)
    before = resident()
    connections = [served.connect("ben.ortiz", grant) for _ in range(500)]
    try:
        assert backends(served, role) == 0
        assert resident() - before < 100 << 20, "the clients are in this process too"
        began = time.monotonic()
        assert connections[-1].execute("SELECT 1").fetchone() == (1,)
        assert in_time(time.monotonic() - began, BITE_SECONDS)
    finally:
        for connection in connections:
            connection.close()
    served.revoke("ben.ortiz", grant)


def resident() -> int:
    """Bytes of memory that this process, with the gateway in it, has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def test_a_value_of_100_megabytes(served: Served) -> None:
    """It passes, and is in memory a few times at most: the client's own copies are in this process too."""
    grant = served.grant("ben.ortiz", ("contact", ["eu"]))
    size, before = 100_000_000, resident()
    with served.connect("ben.ortiz", grant) as connection:
        row = connection.execute("SELECT repeat('x', %s) FROM accounts LIMIT 1", (size,), binary=True).fetchone()
        assert row is not None
        assert len(row[0]) == size
        assert resident() - before < 6 * size
    served.revoke("ben.ortiz", grant)


def test_a_pipeline_of_a_thousand_queries(served: Served) -> None:
    grant = served.grant("ben.ortiz", ("contact", ["eu"]))
    known = existing(served, 50)
    with served.connect("ben.ortiz", grant) as connection, submissions(served) as named:
        with connection.pipeline():
            cursors = [
                connection.execute("SELECT id FROM accounts WHERE id = %s", (known[number % 50],))
                for number in range(1000)
            ]
        assert [cursor.fetchall() for cursor in cursors] == [[(known[number % 50],)] for number in range(1000)]
        assert len(named) == 1000
    served.revoke("ben.ortiz", grant)


HEAVY = "SELECT a.id FROM watch_events a, watch_events b, watch_events c WHERE a.id + b.id + c.id < 0"


@pytest.mark.parametrize(
    "statements",
    [("BEGIN", f"DECLARE c CURSOR FOR {HEAVY}", "FETCH 1 FROM c"), (f"COPY ({HEAVY}) TO STDOUT",)],
    ids=["cursor", "copy"],
)
def test_cancel_of_a_cursor_and_of_copy(served: Served, statements: tuple[str, ...]) -> None:
    grant = served.grant("ben.ortiz", ("behaviour", ["eu"]))
    role, _ = served.role("ben.ortiz", grant)
    with served.connect("ben.ortiz", grant) as connection:
        for statement in statements[:-1]:
            connection.execute(statement.encode())
        found: list[str | None] = []

        def run() -> None:
            result = connection.pgconn.exec_(statements[-1].encode())
            if result.status == pq.ExecStatus.COPY_OUT:
                with pytest.raises(psycopg.Error) as cancelled:
                    wait(copy_from(connection.pgconn), connection.fileno())
                found.append(cancelled.value.sqlstate)
            else:
                found.append((result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode())

        thread = threading.Thread(target=run)
        thread.start()
        active = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND state = 'active' AND query LIKE %s"
        with served.direct() as direct:
            until(lambda: direct.execute(active, (role, "%FROM%")).fetchone() == (1,))
        connection.cancel_safe(timeout=WAIT_SECONDS)
        thread.join(WAIT_SECONDS)
        assert not thread.is_alive()
        assert found == ["57014"]
        connection.execute("ROLLBACK")
        assert connection.execute("SELECT 1").fetchone() == (1,)
    served.revoke("ben.ortiz", grant)


@pytest.mark.parametrize("text", ["cursor", "copy"])
def test_the_caps_and_an_end_bite_in_cursors_and_copy(served: Served, text: str) -> None:
    """A cursor is read row by row: the fourth person is not shown; COPY ends in the middle. A revocation ends both."""
    known = existing(served, 10)
    grant = served.grant("ben.ortiz", ("contact", ["eu"]), max_people=3)
    inner = f"SELECT id FROM accounts WHERE id IN ({', '.join(map(str, known))}) ORDER BY id"
    with served.connect("ben.ortiz", grant) as connection:
        if text == "cursor":
            connection.execute("BEGIN")
            connection.execute(f"DECLARE c CURSOR FOR {inner}".encode())
            assert [connection.execute("FETCH c").fetchone() for _ in range(3)] == [(one,) for one in known[:3]]
            for verb in ("FETCH", "MOVE"):
                with pytest.raises(psycopg.errors.ConfigurationLimitExceeded), connection.transaction():
                    connection.execute(f"{verb} c".encode())
        else:
            with pytest.raises(psycopg.errors.ConfigurationLimitExceeded):
                wait(copy_from(copying(connection, inner)), connection.fileno())
            assert connection.execute(PEOPLE, (known[:3],)).fetchall() == [(one,) for one in known[:3]]
        served.revoke("ben.ortiz", grant)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("FETCH c" if text == "cursor" else f"COPY ({inner}) TO STDOUT")


def copying(connection: Connection, query: str) -> pq.abc.PGconn:
    result = connection.pgconn.exec_(f"COPY ({query}) TO STDOUT".encode())
    assert result.status == pq.ExecStatus.COPY_OUT
    return connection.pgconn


def test_a_role_that_the_database_lost_is_made_again_and_of_an_ended_grant_never(served: Served) -> None:
    """After a restored backup, say. The log says which grants are worth something, not the database."""
    grant = served.grant("ben.ortiz", ("contact", ["eu"]))
    role, _ = served.role("ben.ortiz", grant)
    there = "SELECT count(*) FROM pg_roles WHERE rolname = %s"
    with served.direct() as direct:
        direct.execute("DELETE FROM seenby.holder WHERE role = %s", (role,))
        direct.execute(f'DROP ROLE "{role}"'.encode())
        with served.connect("ben.ortiz", grant) as connection:
            assert connection.execute("SELECT count(*) > 0 FROM accounts").fetchone() == (True,)
        assert direct.execute(there, (role,)).fetchone() == (1,)
        idle = served.connect("ben.ortiz", grant)
        served.revoke("ben.ortiz", grant)
        until(lambda: direct.execute(there, (role,)).fetchone() == (0,))
        with pytest.raises(psycopg.OperationalError):
            idle.execute("SELECT 1")
        idle.close()
        assert direct.execute(there, (role,)).fetchone() == (0,)


# --- a region of its own, to be restarted


@pytest.fixture(scope="module")
def restartable(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Region us of the same world, which nothing else serves."""
    policies: Path = tmp_path_factory.mktemp("policies")
    (policies / "all.cedar").write_text(PERMIT_ALL)
    return replace(load_config(served.world.regions["us"].config_file), policies_dir=policies)


def test_the_caps_survive_a_restart(served: Served, restartable: Config) -> None:
    """What a grant has shown is counted again from the ledger, not from memory."""
    with serve(served.world, restartable) as first:
        known = existing(first, 10)
        grant = first.grant("dana.price", ("contact", ["us"]), max_people=5, max_rows=12)
        with first.connect("dana.price", grant) as connection:
            assert len(connection.execute(PEOPLE, (known[:4],)).fetchall()) == 4
    with serve(served.world, restartable) as second, second.connect("dana.price", grant) as connection:
        with pytest.raises(psycopg.errors.ConfigurationLimitExceeded):
            connection.execute(PEOPLE, (known[4:6],))
        assert len(connection.execute(PEOPLE, (known[:5],)).fetchall()) == 5
        with pytest.raises(psycopg.errors.ConfigurationLimitExceeded, match="rows"):
            connection.execute(PEOPLE, (known[:5],))
        second.revoke("dana.price", grant)


@pytest.mark.parametrize("crash", [False, True])
def test_the_database_restarts(served: Served, restartable: Config, crash: bool) -> None:
    """Every session is told; the gateway lives; new sessions work when the database does."""
    cluster = served.world.regions["us"].running
    with serve(served.world, restartable) as us:
        grant = us.grant("dana.price", ("behaviour", ["us"]))
        streaming, idle, fresh = (us.connect("dana.price", grant) for _ in range(3))
        idle.execute("SELECT 1")
        reading = Reading(streaming)
        with us.direct() as direct:
            direct.execute("CHECKPOINT")  # the tests' clusters do not wait for the disk
        cluster.stop(immediate=crash)
        error = reading.end()
        assert error.sqlstate == "57P03"
        assert error.diag.message_hint
        told_without_asking(idle, 5)
        with pytest.raises(psycopg.OperationalError, match="database") as refusal:
            fresh.execute("SELECT 1")
        assert refusal.value.diag.message_hint
        with pytest.raises(psycopg.OperationalError, match="database"), us.connect("dana.price", grant) as early:
            early.execute("SELECT 1")
        cluster.start()

        def works() -> bool:
            try:
                with us.connect("dana.price", grant) as again:
                    return bool(again.execute("SELECT 1").fetchone() == (1,))
            except psycopg.OperationalError:
                return False

        until(works)
        us.revoke("dana.price", grant)
        for connection in (streaming, idle, fresh):
            connection.close()
