"""The control database: queue and cache of grants, and notices for the protection officer.

Nothing in it is believed: the gateway holds every row against the ledger (seenby.gateway.grants).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from importlib.resources import files
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row, dict_row

from seenby.errors import Unavailable

_MIGRATIONS = files("seenby.stores") / "migrations"
_MIGRATION_LOCK = 0x5EE2B7  # any number that no other program takes as an advisory lock in this database


@dataclass(frozen=True, slots=True)
class GrantRow:
    """A row of ``grants``, as somebody left it."""

    id: str
    terms: bytes
    opening: bytes
    requester_key: bytes
    requester_signature: bytes
    status: str
    requested_at: int
    changed_at: int


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """A row of ``decisions``: ``verb`` is approve, deny, revoke, review or review-unjustified."""

    grant_id: str
    verb: str
    key_id: bytes
    name: str
    signature: bytes
    at: int


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the protection officer must know. ``at``: Unix seconds."""

    at: int
    kind: str
    grant_id: str
    principal: str
    text: str


class Control:
    """One connection to the control database, opened again after it broke. All methods raise Unavailable.

    Args:
        dsn: libpq connection string of the database ``seenby``.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._lock = asyncio.Lock()

    @classmethod
    async def open(cls, dsn: str) -> Control:
        """Connects and brings the tables up to date."""
        control = cls(dsn)
        async with control._transaction() as connection:
            await _migrate(connection)
        return control

    async def close(self) -> None:
        """Closes the connection, if one is open."""
        async with self._lock:
            if self._connection is not None:
                await self._connection.close()
                self._connection = None

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        async with self._lock:
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = await psycopg.AsyncConnection.connect(self._dsn, connect_timeout=10)
                async with self._connection.transaction():
                    yield self._connection
            except psycopg.Error as error:
                raise Unavailable(
                    "the control database did not answer",
                    hint="check that PostgreSQL runs and that [control] in seenby.toml is right",
                    detail=type(error).__name__,
                ) from error

    async def put_grant(self, row: GrantRow) -> None:
        """Adds a grant."""
        async with self._transaction() as connection:
            await connection.execute(*_insert(row))

    async def put_right(self, row: GrantRow, decisions: Sequence[DecisionRow]) -> None:
        """Replaces what stands there about a grant, whatever it is."""
        async with self._transaction() as connection:
            await connection.execute("DELETE FROM grants WHERE id = %s", (row.id,))  # and its decisions with it
            await connection.execute(*_insert(row))
            for decision in decisions:
                await connection.execute(*_insert(decision))

    async def set_status(self, grant_id: str, status: str, at: int) -> None:
        """Writes what the ledger says into the copy."""
        async with self._transaction() as connection:
            await connection.execute(
                "UPDATE grants SET status = %s, changed_at = %s WHERE id = %s", (status, at, grant_id)
            )

    async def put_decision(self, row: DecisionRow) -> None:
        """Adds what somebody signed."""
        async with self._transaction() as connection:
            await connection.execute(*_insert(row))

    async def grants(self) -> Sequence[GrantRow]:
        """Every row, oldest first."""
        async with self._transaction() as connection, connection.cursor(row_factory=class_row(GrantRow)) as cursor:
            await cursor.execute(
                "SELECT id, terms, opening, requester_key, requester_signature, status, requested_at, changed_at"
                " FROM grants ORDER BY requested_at, id"
            )
            return await cursor.fetchall()

    async def decisions(self) -> Sequence[DecisionRow]:
        """Every decision, oldest first."""
        async with self._transaction() as connection, connection.cursor(row_factory=class_row(DecisionRow)) as cursor:
            await cursor.execute(
                "SELECT grant_id, verb, key_id, name, signature, at FROM decisions ORDER BY at, grant_id, key_id"
            )
            return await cursor.fetchall()

    async def add_notice(self, notice: Notice) -> bool:
        """Stores a notice; False if the same one is there already."""
        async with self._transaction() as connection:
            done = await connection.execute(
                "INSERT INTO notices (at, kind, grant_id, principal, text) VALUES (%s, %s, %s, %s, %s)"
                " ON CONFLICT DO NOTHING",
                (notice.at, notice.kind, notice.grant_id, notice.principal, notice.text),
            )
            return done.rowcount == 1

    async def notices(self) -> Sequence[Notice]:
        """Every notice, oldest first."""
        async with self._transaction() as connection, connection.cursor(row_factory=class_row(Notice)) as cursor:
            await cursor.execute("SELECT at, kind, grant_id, principal, text FROM notices ORDER BY id")
            return await cursor.fetchall()


def _insert(row: GrantRow | DecisionRow) -> tuple[sql.Composed, tuple[object, ...]]:
    """The rows' attributes are the tables' columns."""
    table = "grants" if isinstance(row, GrantRow) else "decisions"
    names = [field.name for field in fields(row)]
    query = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.SQL(", ").join([sql.Placeholder()] * len(names)),
    )
    return query, tuple(getattr(row, name) for name in names)


async def _migrate(connection: psycopg.AsyncConnection[Any]) -> None:
    """Runs every file of migrations/ that this database has not seen, in the order of their names."""
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MIGRATION_LOCK,))
    await connection.execute("CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY, at timestamptz NOT NULL)")
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute("SELECT name FROM migrations")
        seen = {row["name"] for row in await cursor.fetchall()}
    for file in sorted(_MIGRATIONS.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".sql") and file.name not in seen:
            await connection.execute(file.read_text().encode())
            await connection.execute("INSERT INTO migrations VALUES (%s, now())", (file.name,))
