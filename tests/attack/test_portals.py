"""Names of portals and cursors: what one stands for here, it stands for in Postgres, however it is pipelined.

Messages go out all at once, so that what Postgres skips behind an error was sent as if it would be carried out.
"""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from seenby.wire import backend, frontend
from seenby.wire.framing import Framer
from tests.fixtures.gateway import Served, everything, submissions

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("served")]

PEOPLE = "SELECT handle, id FROM accounts ORDER BY id"
LETTERS = "SELECT 'a', 'b', 'c'"


@pytest.fixture(scope="module")
def grant(served: Served) -> str:
    return everything(served)


class Raw:
    """The wire below a driver: messages as they are, and what comes back for each Sync or Query."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._socket = connection.pgconn.socket
        self._framer = Framer(1 << 24)

    def send(self, *messages: bytes) -> list[tuple[int, bytes]]:
        """Sends all at once. Returns the answers up to the last ReadyForQuery."""
        data = b"".join(messages)
        ends = sum(kind in {frontend.QUERY, frontend.SYNC} for kind, _ in Framer(1 << 24).feed(data))
        while data:
            select.select([], [self._socket], [], 10)
            data = data[os.write(self._socket, data) :]
        found: list[tuple[int, bytes]] = []
        while sum(kind == backend.READY for kind, _ in found) < ends:
            assert select.select([self._socket], [], [], 10)[0], f"no answer; so far {found}"
            got = os.read(self._socket, 65536)
            assert got, f"the session ended; so far {found}"
            found += self._framer.feed(got)
        return found


def rows(answers: list[tuple[int, bytes]]) -> list[list[bytes | None]]:
    return [backend.read_values(body) for kind, body in answers if kind == backend.DATA_ROW]


def states(answers: list[tuple[int, bytes]]) -> list[str]:
    return [backend.read_report(body)["C"] for kind, body in answers if kind == backend.ERROR]


def query(text: str) -> bytes:
    return frontend.query(text)


def run(text: str) -> bytes:
    """One statement of the extended protocol, with names that nothing else has."""
    return frontend.parse(b"", text) + frontend.bind(b"", b"") + frontend.execute(b"")


@pytest.fixture
def wire(served: Served, grant: str) -> Iterator[Raw]:
    with served.connect("aoife.byrne", grant) as connection:
        yield Raw(connection)


@contextmanager
def nobody_is_shown_unnamed(served: Served) -> Iterator[list[list[bytes | None]]]:
    """Every row that is put into the list is either of nobody, or its person is named."""
    shown: list[list[bytes | None]] = []
    with submissions(served) as entries:
        yield shown
    named = {person for entry in entries for person in entry}
    for row in shown:
        if row != [b"a", b"b", b"c"]:
            assert len(row) == 2, row
            assert f"account:{(row[1] or b'').decode()}" in named, row


@pytest.mark.parametrize("extended", [False, True])
def test_a_cursor_whose_close_was_skipped(served: Served, wire: Raw, *, extended: bool) -> None:
    def ask(*texts: str) -> bytes:
        if extended:
            return b"".join(run(text) for text in texts) + frontend.sync()
        return query("; ".join(texts))

    with nobody_is_shown_unnamed(served) as shown:
        assert states(wire.send(ask("BEGIN"), ask(f"DECLARE c CURSOR FOR {PEOPLE}"), ask("SAVEPOINT s"))) == []
        answers = wire.send(
            ask("SELECT 1/0", "CLOSE c"),
            ask("ROLLBACK TO s"),
            ask(f"DECLARE c CURSOR FOR {LETTERS}"),
            ask("ROLLBACK TO s"),
            ask("FETCH 3 FROM c"),
        )
        assert states(answers)[0] == "22012"
        shown.extend(rows(answers))
        shown.extend(rows(wire.send(ask("ROLLBACK TO s"), ask("FETCH 3 FROM c"))))


def test_a_portal_whose_bind_was_refused(served: Served, wire: Raw) -> None:
    with nobody_is_shown_unnamed(served) as shown:
        prepared = frontend.parse(b"a", PEOPLE) + frontend.parse(b"n", LETTERS)
        opened = wire.send(query("BEGIN"), prepared, frontend.bind(b"c", b"a"), run("SAVEPOINT s"), frontend.sync())
        assert states(opened) == []
        answers = wire.send(
            frontend.bind(b"c", b"n") + frontend.sync(),
            query("ROLLBACK TO s"),
            frontend.execute(b"c", 3) + frontend.sync(),
        )
        shown.extend(rows(answers))
        assert states(answers) == ["42P03"]
        assert len(shown) == 3, "the portal is the one that it was"


def test_a_portal_whose_close_was_skipped(served: Served, wire: Raw) -> None:
    with nobody_is_shown_unnamed(served) as shown:
        prepared = frontend.parse(b"a", PEOPLE) + frontend.parse(b"n", LETTERS) + frontend.parse(b"bad", "SELECT 1/0")
        opened = wire.send(query("BEGIN"), prepared, frontend.bind(b"c", b"a"), run("SAVEPOINT s"), frontend.sync())
        assert states(opened) == []
        answers = wire.send(
            run("SELECT 1/0") + frontend.close(b"P", b"c") + frontend.sync(),
            query("ROLLBACK TO s"),
            frontend.bind(b"c", b"n") + frontend.sync(),
            query("ROLLBACK TO s"),
            frontend.execute(b"c", 3) + frontend.sync(),
            query("ROLLBACK TO s"),
            query("FETCH 3 FROM c"),
        )
        shown.extend(rows(answers))


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("extended", [False, True])
def test_rows_that_offset_skips_are_asked_for_again_when_a_fetch_was_skipped(
    wire: Raw, *, at_once: bool, extended: bool
) -> None:
    fetch = query("FETCH 2 FROM c")
    declare = query(f"DECLARE c CURSOR FOR {PEOPLE} OFFSET 3")
    if extended:
        fetch = frontend.execute(b"c", 2) + frontend.sync()
        declare = frontend.parse(b"a", f"{PEOPLE} OFFSET 3") + frontend.bind(b"c", b"a") + frontend.sync()
    assert states(wire.send(query("BEGIN"), declare, query("SAVEPOINT s"))) == []
    failed, again = (query("SELECT 1/0"), fetch), (query("ROLLBACK TO s"), fetch, fetch)
    answers = wire.send(*failed, *again) if at_once else wire.send(*failed) + wire.send(*again)
    assert states(answers) == ["22012", "25P02"]
    ids = [int(row[1] or b"0") - 1_000_000_000 for row in rows(answers)]
    assert ids == [4, 5, 6, 7]


@pytest.mark.parametrize("leave", ["ROLLBACK TO s", "ROLLBACK", "COMMIT"])
def test_the_unnamed_portal_whose_bind_was_skipped(served: Served, wire: Raw, leave: str) -> None:
    """A failed transaction is left by a statement that runs in Postgres's unnamed portal: it takes the old one away."""
    with nobody_is_shown_unnamed(served) as shown:
        prepared = frontend.parse(b"a", PEOPLE) + frontend.parse(b"n", LETTERS) + frontend.parse(b"l", leave)
        opened = wire.send(query("BEGIN"), query("SAVEPOINT s"), prepared, frontend.bind(b"", b"a"), frontend.sync())
        assert states(opened) == []
        answers = wire.send(
            frontend.parse(b"x", "SELECT 1/0"),
            frontend.bind(b"x", b"x") + frontend.execute(b"x") + frontend.bind(b"", b"n") + frontend.sync(),
            frontend.execute(b"", 2) + frontend.sync(),
            frontend.bind(b"l", b"l") + frontend.execute(b"l") + frontend.sync(),
            frontend.execute(b"", 2) + frontend.sync(),
        )
        shown.extend(rows(answers))
        assert rows(answers) == [], "there is no such portal any more"
        assert states(answers)[0] == "22012"
