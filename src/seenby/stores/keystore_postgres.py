"""People's keys in a PostgreSQL database of their own (docs/formats/ledger.md, "Key store").

Two connections: the loop's thread fetches over one, the journal's thread writes over the other, so that a write under
way never holds up a look-up. One that broke is opened again at the next call.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.resources import files
from threading import Lock
from typing import Any, Final, TypeVar

import psycopg
from psycopg.rows import class_row

from seenby.errors import ConfigError, Unavailable
from seenby.stores.keystore_keyring import Generation, being_rotated, written_twice
from seenby.stores.keystore_rows import ID, PLACE, ROW, generation_of

T = TypeVar("T")

SCHEMA: Final = "seenby_keys"
BLOCK: Final = 100_000
"""Rows that go to the server in one statement."""
_MIGRATIONS = files("seenby.stores") / "key_migrations"
_MIGRATION_LOCK: Final = 0x5EE2B8
_ROTATION_LOCK: Final = 0x5EE2B9

_ROWS = "string_agg(id || int2send(version) || int4send(generation) || wrapped, '' ORDER BY id, version)"
_UNPACKED = f"""
  (SELECT substr(block, at + 1, {ID}) AS id,
          (get_byte(block, at + 16) * 256 + get_byte(block, at + 17))::smallint AS version,
          substr(block, at + 23, 60) AS wrapped
   FROM (SELECT %(rows)s::bytea AS block) AS given, generate_series(0, length(block) - 1, {ROW}) AS at) AS new
"""
# The lock on the live generation's row: a rotation closes it with an UPDATE, which waits for every row that is on its
# way under it, so that none is left behind. The same row a second time (the connection broke after the commit)
# counts as written; another key in its place does not.
_ADD = f"""
WITH live AS (SELECT generation FROM deks WHERE generation = %(generation)s AND closed IS NULL FOR SHARE)
INSERT INTO person_keys SELECT new.id, new.version, live.generation, new.wrapped FROM live, {_UNPACKED}
ON CONFLICT (id, version) DO UPDATE SET wrapped = excluded.wrapped WHERE person_keys.wrapped = excluded.wrapped
"""
_REPLACE = f"""
UPDATE person_keys AS old SET generation = %(generation)s, wrapped = new.wrapped
FROM {_UNPACKED} WHERE old.id = new.id AND old.version = new.version
"""
_PAGE = f"""
SELECT coalesce({_ROWS}, '') FROM (
  SELECT * FROM person_keys WHERE (id, version) > (%s, %s) ORDER BY id, version LIMIT %s) AS page
"""
_SAVE = """
INSERT INTO deks VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (generation) DO UPDATE SET wrapped = excluded.wrapped, closed = excluded.closed,
  retired = excluded.retired, destroyed = excluded.destroyed WHERE deks.kek = excluded.kek
"""


class Link:
    """One connection for one caller at a time.

    Args:
        patience: seconds for which a call waits for a database that is not there.
    """

    def __init__(self, dsn: str, patience: float) -> None:
        self._dsn = dsn
        self._patience = patience
        self._lock = Lock()
        self._connection: psycopg.Connection[Any] | None = None

    def run(self, work: Callable[[psycopg.Connection[Any]], T]) -> T:
        """Runs ``work``, again from its beginning if the connection breaks. Raises Unavailable, ConfigError."""
        deadline, tries = time.monotonic() + self._patience, 0
        with self._lock:
            while True:
                try:
                    if self._connection is None:
                        self._connection = self._connect()
                    return work(self._connection)
                except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                    self._drop()
                    tries += 1
                    if tries < 2:
                        continue
                    if time.monotonic() > deadline:
                        raise Unavailable(
                            "the database of people's keys does not answer, so nothing is shown",
                            hint="check that PostgreSQL runs and that [keys] in seenby.toml is right",
                            detail=str(error).strip(),
                        ) from None
                    time.sleep(0.1)
                except psycopg.Error as error:
                    raise ConfigError(
                        "the database of people's keys refuses", hint="check [keys] in seenby.toml", detail=str(error)
                    ) from None

    def _connect(self) -> psycopg.Connection[Any]:
        options = f"-c search_path={SCHEMA} -c synchronous_commit=on -c jit=off -c work_mem=64MB"
        return psycopg.connect(self._dsn, autocommit=True, connect_timeout=2, tcp_user_timeout=5000, options=options)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        with self._lock:
            self._drop()


class PostgresShelf:
    """A Shelf.

    Args:
        dsn: libpq connection string of the database, as a role that owns it.
        patience: for how many seconds a write waits for a database that is gone; a look-up tries once more, no longer,
            because the gateway's loop waits for it.
    """

    def __init__(self, dsn: str, *, read_only: bool, patience: float = 30.0) -> None:
        self._dsn = dsn
        self._reading = Link(dsn, 0.0)
        self._writing = Link(dsn, patience)
        if not read_only:
            self._reading.run(_migrate)

    def generations(self) -> list[Generation]:
        def read(connection: psycopg.Connection[Any]) -> list[Generation]:
            with connection.cursor(row_factory=class_row(Generation)) as cursor:
                return cursor.execute(
                    "SELECT generation AS number, kek, wrapped, made, closed, retired, destroyed FROM deks ORDER BY 1"
                ).fetchall()

        return self._reading.run(read)

    def save(self, generations: Sequence[Generation]) -> None:
        def write(connection: psycopg.Connection[Any]) -> None:
            with connection.transaction(), connection.cursor() as cursor:
                for one in generations:
                    moments = one.made, one.closed, one.retired, one.destroyed
                    if cursor.execute(_SAVE, (one.number, one.kek, one.wrapped, *moments)).rowcount != 1:
                        raise being_rotated()  # somebody else has made a generation of this number

        self._writing.run(write)

    def pages(self, rows: int) -> Iterator[bytes]:
        after = bytes(PLACE.size)
        while page := self._page(after, rows):
            yield page
            after = page[-ROW : PLACE.size - ROW]

    def _page(self, after: bytes, rows: int) -> bytes:
        id_, version = PLACE.unpack(after)
        return self._reading.run(lambda connection: _bytes(connection, _PAGE, (id_, version, rows)))

    def fetch(self, ids: Sequence[bytes]) -> bytes:
        query = f"SELECT coalesce({_ROWS}, '') FROM person_keys WHERE id = ANY (%s)"
        return self._reading.run(lambda connection: _bytes(connection, query, (list(ids),)))

    def add(self, rows: bytes, generation: int) -> bool:
        if self._writing.run(lambda connection: _add(connection, rows, generation)):
            return True
        if self.generations()[-1].number != generation:
            return False
        raise written_twice()

    def replace(self, rows: bytes) -> None:
        generation = generation_of(rows)
        for block in _blocks(rows):
            self._writing.run(partial(_count, _REPLACE, block, generation))

    def remove(self, ids: Sequence[bytes]) -> None:
        self._writing.run(
            lambda connection: connection.execute("DELETE FROM person_keys WHERE id = ANY (%s)", (list(ids),))
        )

    def counts(self) -> dict[int, int]:
        query = "SELECT generation, count(*) FROM person_keys GROUP BY 1 ORDER BY 1"
        return self._reading.run(lambda connection: dict(connection.execute(query).fetchall()))

    def tidy(self) -> None:
        """Rows of before leave the table's file. Backups and the write-ahead log still have them."""
        self._writing.run(lambda connection: connection.execute("VACUUM person_keys"))

    @contextmanager
    def rotating(self) -> Iterator[None]:
        link = Link(self._dsn, 0.0)
        try:
            if not link.run(lambda connection: _lock(connection, "pg_try_advisory_lock")):
                raise being_rotated()
            yield
            # A closed connection lets its locks go only when the server notices: whoever comes next need not wait.
            link.run(lambda connection: _lock(connection, "pg_advisory_unlock"))
        finally:
            link.close()

    def close(self) -> None:
        self._reading.close()
        self._writing.close()


class _NotAllError(Exception):
    """Rolls a transaction back."""


def _bytes(connection: psycopg.Connection[Any], query: str, values: Sequence[object]) -> bytes:
    row = connection.execute(query.encode(), values, binary=True).fetchone()
    return bytes(row[0]) if row else b""


def _lock(connection: psycopg.Connection[Any], function: str) -> bool:
    return connection.execute(f"SELECT {function}({_ROTATION_LOCK})".encode()).fetchone() == (True,)


def _add(connection: psycopg.Connection[Any], rows: bytes, generation: int) -> bool:
    """All rows in one transaction, or none."""
    try:
        with connection.transaction():
            written = sum(_count(_ADD, block, generation, connection) for block in _blocks(rows))
            if written != len(rows) // ROW:
                raise _NotAllError
    except _NotAllError:
        return False
    return True


def _count(query: str, rows: bytes, generation: int, connection: psycopg.Connection[Any]) -> int:
    return connection.execute(query.encode(), {"rows": rows, "generation": generation}).rowcount


def _blocks(rows: bytes) -> Iterator[bytes]:
    return (rows[at : at + BLOCK * ROW] for at in range(0, len(rows), BLOCK * ROW))


def _migrate(connection: psycopg.Connection[Any]) -> None:
    """Runs every file of key_migrations/ that this database has not seen, in the order of their names."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MIGRATION_LOCK,))
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        connection.execute("CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY, at timestamptz NOT NULL)")
        seen = {name for (name,) in connection.execute("SELECT name FROM migrations").fetchall()}
        for file in sorted(_MIGRATIONS.iterdir(), key=lambda entry: entry.name):
            if file.name.endswith(".sql") and file.name not in seen:
                connection.execute(file.read_text().encode())
                connection.execute("INSERT INTO migrations VALUES (%s, now())", (file.name,))
