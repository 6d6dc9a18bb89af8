"""pgAdmin, DBeaver and Metabase: what they ask at connect and when a table is browsed (tools/*.sql), both ways."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conformance.clients.checks import HIDDEN, WRITE, Attempts, plain
from tests.conformance.clients.matrix import DIFFERENCES, check_client
from tests.conformance.clients.side import Outcomes, Side, Sides, compare

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("clients")]

FILES = {"pgAdmin 4": "pgadmin.sql", "DBeaver": "dbeaver.sql", "Metabase": "metabase.sql"}


def queries(name: str) -> list[tuple[str, str]]:
    """(what it is for, text), in the order of the file."""
    text = (Path(__file__).parent / "tools" / FILES[name]).read_text()
    parts = text.split("\n\n-- ")[1:]
    return [(part.split("\n", 1)[0], part.split("\n", 1)[1].strip()) for part in parts]


def checks(name: str, side: Side) -> Outcomes:
    attempt = Attempts(psycopg.Error, lambda error: error.sqlstate or "")
    with psycopg.connect(side.dsn, autocommit=True) as connection:

        def number(name: str) -> str:
            one = connection.execute(
                "SELECT oid FROM pg_class WHERE relname = %s UNION ALL SELECT oid FROM pg_namespace WHERE nspname = %s",
                (name, name),
            ).fetchone()
            assert one is not None
            return str(one[0])

        numbers = {name: number(name) for name in ("accounts", "accounts_pkey", "public", "videos")}

        def answer(text: str) -> Any:
            """Names and types of columns, and rows: of what several statements answer, the last one's."""
            result = connection.pgconn.exec_(re.sub(r"\{(\w+)\}", lambda found: numbers[found[1]], text).encode())
            if result.status not in (psycopg.pq.ExecStatus.TUPLES_OK, psycopg.pq.ExecStatus.COMMAND_OK):
                state = (result.error_field(psycopg.pq.DiagnosticField.SQLSTATE) or b"").decode()
                return ["error", state, result.error_message.decode()]
            columns = [(result.fname(i) or b"").decode() for i in range(result.nfields)]
            rows = [[result.get_value(row, i) for i in range(result.nfields)] for row in range(result.ntuples)]
            return [columns, [] if "-- the rows differ" in text else rows]

        told = {f"{i}. {what}": plain(answer(text)) for i, (what, text) in enumerate(queries(name), 1)}
        first = {what: one for what, one in told.items() if "at connect" in what}
        attempt.found |= {"sign in": first, "catalogue": {what: told[what] for what in told if what not in first}}
        attempt("change", lambda: connection.execute(WRITE.encode()))
        attempt("hidden column", lambda: connection.execute(HIDDEN.encode()))
    return attempt.found


@pytest.mark.parametrize("name", FILES)
def test_the_same_answers_directly_and_through_the_gateway(sides: Sides, name: str) -> None:
    found = compare(sides, lambda side: checks(name, side), DIFFERENCES[name])
    assert "['error'" not in repr([found["sign in"], found["catalogue"]])
    check_client(name, found)
