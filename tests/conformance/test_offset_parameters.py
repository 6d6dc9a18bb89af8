"""OFFSET $n, whose rows the gateway drops itself: it reads the parameter as Postgres does, or refuses it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import pq

from tests.fixtures.gateway import Served, everything

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("served")]

Connection = psycopg.Connection[Any]
INT8, INT2, INT4, TEXT, OID, FLOAT4, FLOAT8, VARCHAR, NUMERIC, JSONB = 20, 21, 23, 25, 26, 700, 701, 1043, 1700, 3802
IDS = "SELECT id FROM accounts ORDER BY id LIMIT 4 OFFSET $1"


@pytest.fixture(scope="module")
def through(served: Served) -> Iterator[Connection]:
    with served.connect("aoife.byrne", everything(served)) as connection:
        yield connection


@pytest.fixture(scope="module")
def direct(served: Served) -> Iterator[Connection]:
    with served.direct() as connection:
        yield connection


def asked(connection: Connection, sql: str, oid: int, value: bytes | None, *, binary: bool) -> list[Any] | str:
    """The rows, or the SQLSTATE."""
    result = connection.pgconn.exec_params(sql.encode(), [value], [oid], [int(binary)])
    if result.status != pq.ExecStatus.TUPLES_OK:
        return (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
    return [result.get_value(row, 0) for row in range(result.ntuples)]


READ = (
    *((oid, text, False) for oid in (0, INT8, INT4, INT2) for text in (b"0", b"2", b" +3\t", b"-0", b"007", None)),
    *((oid, text, False) for oid in (0, INT8, INT4, INT2) for text in (b"-1", b"32767", b"9" * 19)),
    (INT8, struct.pack(">q", 3), True), (INT4, struct.pack(">i", 3), True), (INT2, struct.pack(">h", 3), True),
    (INT8, struct.pack(">q", -3), True), (INT2, struct.pack(">h", 32767), True),
)  # fmt: skip


@pytest.mark.parametrize("cast", ["", "::int8", "::int4"])
@pytest.mark.parametrize(("oid", "value", "binary"), READ)
def test_integers_as_postgres_reads_them(
    direct: Connection, through: Connection, oid: int, value: bytes | None, *, binary: bool, cast: str
) -> None:
    expected = asked(direct, IDS + cast, oid, value, binary=binary)
    assert asked(through, IDS + cast, oid, value, binary=binary) == expected


REFUSED = (
    *((oid, text, False) for oid in (0, INT8, INT4) for text in (b"0x10", b"0b11", b"0o17", b"1_000", b"2.5", b"x")),
    (INT8, b"", False),
    *((oid, text, False) for oid in (NUMERIC, FLOAT8, FLOAT4) for text in (b"2", b"2.5", b"1e1")),
    *((oid, b"2", False) for oid in (TEXT, VARCHAR, JSONB, OID)),
    (OID, b"\xff\xff\xff\xff", True), (FLOAT8, struct.pack(">d", 2.0), True), (TEXT, b"2", True),
    (NUMERIC, struct.pack(">hhhhh", 1, 0, 0, 0, 2), True), (INT8, b"\0\0\0\2", True), (INT4, b"\0\2", True),
    (INT8, "٣".encode(), False),
)  # fmt: skip


@pytest.mark.parametrize("cast", ["", "::int8", "::int4"])
@pytest.mark.parametrize(("oid", "value", "binary"), REFUSED)
def test_anything_else_is_refused_in_words(
    through: Connection, oid: int, value: bytes, *, binary: bool, cast: str
) -> None:
    assert asked(through, IDS + cast, oid, value, binary=binary) in {"0A000", "42846"}, "42846: no cast to int8"
    assert asked(through, IDS, INT8, b"2", binary=False) == [b"1000000003", b"1000000004", b"1000000005", b"1000000006"]


def test_a_cursor_and_a_prepared_statement_too(through: Connection) -> None:
    declare = f"DECLARE c CURSOR FOR {IDS}"
    with through.transaction(force_rollback=True):
        for text in (b"0x10", b"1_0"):
            with through.transaction(force_rollback=True):
                result = through.pgconn.exec_params(declare.encode(), [text], [INT8])
                assert result.error_field(pq.DiagnosticField.SQLSTATE) == b"0A000"
                assert b"decimal digits" in (result.error_field(pq.DiagnosticField.MESSAGE_HINT) or b"")
    through.execute(f"PREPARE odd AS {IDS}".encode())
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="OFFSET"):
        through.execute("EXECUTE odd('0x10')")
    assert through.execute("EXECUTE odd(2)").fetchone() == (1_000_000_003,)
