"""Masks: total for every value, and of the column's own type. (A mask that fails prints the value.)"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from seenby.datamap import ColumnFact, Mask, MaskKind
from seenby.errors import ConfigError
from seenby.guard.masks import mask_sql
from seenby.stores.cluster import Cluster

_TIMES = ["-infinity", "infinity", "4714-11-24 BC", "0001-01-01", "2000-02-29", "1969-06-30 23:59:59.999999"]

NASTY: dict[str, list[str]] = {
    "text": ["", "a", "ünïcödé", "+447000000007", "x@y.example", "@", "a@b@c", "x" * 100_000, "\n\t"],
    "character varying(20)": ["", "+447000000007", "x@y.example", "12345678901234567890"],
    "character varying(3)": ["abc", ""],
    "character(15)": ["356938035643809", "", "a"],
    "bytea": ["", "\\xff00"],
    "integer": ["0", "-2147483648", "2147483647"],
    "smallint": ["-32768", "32767"],
    "bigint": ["-9223372036854775808", "9223372036854775807"],
    "numeric(4,2)": ["99.99", "-99.99", "0", "NaN"],
    "numeric": ["1e100", "-1e100", "NaN", "Infinity", "-Infinity", "1e-300"],
    "real": ["3.4e38", "-3.4e38", "1e-45", "NaN", "Infinity", "99.96"],
    "double precision": ["1.7976931348623157e308", "-1.7976931348623157e308", "5e-324", "NaN", "-Infinity", "52.37"],
    "date": [*_TIMES, "5874897-12-31", "9999-12-31"],
    "timestamp without time zone": [*_TIMES, "294276-12-31", "9999-12-31"],
    "timestamp(0) with time zone": [
        "-infinity",
        "infinity",
        "4714-11-25 BC",
        "2000-02-29",
        "294276-12-31 12:00+00",
        "9999-12-31 23:59+00",
    ],
    "inet": ["10.1.2.3", "10.1.2.3/8", "2001:db8::1", "::/0", "0.0.0.0/0"],
    "cidr": ["10.0.0.0/8", "2001:db8::/32", "0.0.0.0/0", "10.1.2.3/32"],
    "uuid": ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
    "boolean": ["true"],
    "jsonb": ['{"a": 1}'],
    "text[]": ["{a,b}"],
    "interval": ["1 day"],
}

CONSTANTS = {
    "character varying(3)": "longer", "bytea": "\\x00", "numeric(4,2)": "1.5", "date": "2000-01-01", "jsonb": "{}",
    "timestamp without time zone": "2000-01-01", "timestamp(0) with time zone": "2000-01-01", "boolean": "false",
    "inet": "0.0.0.0", "cidr": "0.0.0.0", "uuid": "00000000-0000-0000-0000-000000000000",
}  # fmt: skip
"""For all others: 7."""


@pytest.fixture(scope="module")
def database(cluster: Cluster) -> Iterator[psycopg.Connection]:
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        yield connection


def column(connection: psycopg.Connection, typed: str) -> ColumnFact:
    row = connection.execute(
        "SELECT oid, typname, typcategory FROM pg_type WHERE oid = to_regtype(%s)", (typed,)
    ).fetchone()
    assert row is not None
    return ColumnFact("c", row[0], typed, row[1], typed, row[2], False)


@pytest.mark.postgres
@pytest.mark.parametrize("typed", NASTY)
@pytest.mark.parametrize("kind", MaskKind)
def test_total_and_of_the_columns_type(database: psycopg.Connection, typed: str, kind: MaskKind) -> None:
    fact = column(database, typed)
    mask = Mask(kind, CONSTANTS.get(typed, "7") if kind is MaskKind.CONSTANT else "")
    try:
        sql = mask_sql(mask, fact, "c", "place")
    except ConfigError:
        return  # does not fit the type, and is refused when the shape is designed
    with database.transaction(force_rollback=True):
        database.execute("SET LOCAL TimeZone = 'Asia/Kathmandu'")
        database.execute(f"CREATE TABLE plain (c {typed})")
        for value in (*NASTY[typed], None):
            database.execute("INSERT INTO plain VALUES (%s)", (value,))
        database.execute(f"CREATE VIEW masked AS SELECT CASE WHEN c IS NULL THEN c ELSE {sql} END AS m FROM plain")
        assert len(database.execute("SELECT m FROM masked").fetchall()) == len(NASTY[typed]) + 1
        made = database.execute(
            "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'masked'::regclass"
        )
        assert made.fetchall() == [(typed,)]


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("kind", "typed", "value", "shown"),
    [
        ("null", "text", "x", None),
        ("empty", "text", "x", ""),
        ("empty", "text[]", "{x}", "{}"),
        ("zero", "numeric(4,2)", "12.34", "0.00"),
        ("year", "date", "1987-06-05", "1987-01-01"),
        ("month", "date", "1987-06-05", "1987-06-01"),
        ("day", "timestamp without time zone", "1987-06-05 12:34:56", "1987-06-05 00:00:00"),
        ("year", "timestamp with time zone", "1987-12-31 23:30:00+00", "1987-01-01 00:00:00+00"),
        ("year", "date", "infinity", None),
        ("last4", "character varying(20)", "+447000000007", "****0007"),
        ("last4", "character varying(20)", "12345678", "****"),
        ("last4", "character varying(20)", "", "****"),
        ("last4", "text", None, None),
        ("initial", "text", "Jane", "J***"),
        ("initial", "text", "", None),
        ("email-domain", "text", "jane@mail.example", "***@mail.example"),
        ("email-domain", "text", "jane", None),
        ("network", "inet", "10.1.2.3", "10.1.0.0/16"),
        ("network", "inet", "2001:db8:1:2::3", "2001:db8::/32"),
        ("one-decimal", "double precision", "52.3799", "52.3"),
        ("one-decimal", "numeric(4,2)", "99.99", "99.90"),
        ("one-decimal", "double precision", "1e300", None),
    ],
)
def test_what_is_shown(
    database: psycopg.Connection, kind: str, typed: str, value: str | None, shown: str | None
) -> None:
    sql = mask_sql(Mask(MaskKind(kind)), column(database, typed), "c", "place")
    row = database.execute(f"SELECT ({sql})::text FROM (SELECT %s::{typed}) v (c)", (value,)).fetchone()
    assert row == (shown,)


@pytest.mark.parametrize(
    ("kind", "base"), [("last4", "int8"), ("year", "text"), ("zero", "text"), ("network", "text"), ("empty", "int4")]
)
def test_a_mask_that_does_not_fit(kind: str, base: str) -> None:
    fact = ColumnFact("c", 1, base, base, base, "S" if base == "text" else "N", False)
    with pytest.raises(ConfigError, match=f"tables.t.columns.c: the mask {kind} does not fit"):
        mask_sql(Mask(MaskKind(kind)), fact, "c", "tables.t.columns.c")
