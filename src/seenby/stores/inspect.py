"""Looks at a database as an ordinary role: catalogue, statistics, a few rows of each table. Reads only, in seconds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql as raw

from seenby.attach.check import Around
from seenby.attach.inside import sampled
from seenby.attach.inspection import Contained, ForeignKey, FoundColumn, FoundTable, Inspection, RelationKind, Trial
from seenby.datamap import TableName
from seenby.errors import ConfigError, Unavailable
from seenby.stores import inspect_sql as queries

TIMEOUT_MS = 2_000
KEPT = 40
"""Distinct values of a column that are kept; they stay in memory."""
OLDEST = 150_000
SETTINGS = (
    "default_transaction_read_only = on",
    f"statement_timeout = {TIMEOUT_MS}",
    "lock_timeout = 500",
    "jit = off",
    "max_parallel_workers_per_gather = 0",
    "datestyle = 'ISO'",
    "timezone = 'UTC'",
    "search_path = ''",  # format_type and regclass then qualify everything that is not Postgres's own
)


class Inspector:
    """One read-only connection. Use it as a context manager.

    Raises:
        Unavailable: nobody answers at the address, or not with this user and password.
        ConfigError: the server is too old.
    """

    def __init__(self, dsn: str) -> None:
        try:
            self._connection = psycopg.connect(
                dsn,
                autocommit=True,
                application_name="seenby attach",
                client_encoding="UTF8",
                connect_timeout=10,
            )
        except psycopg.Error as error:
            raise Unavailable(
                "the database does not answer",
                hint="write the address as psql takes it: 'host=... dbname=... user=...' or postgresql://...",
                detail=str(error).strip(),
            ) from None
        if self._connection.info.server_version < OLDEST:
            version = self._connection.info.server_version // 10_000
            self._connection.close()
            raise ConfigError(f"this is PostgreSQL {version}", hint="Seenby needs PostgreSQL 15 or later")
        # After the connection, not as its options: poolers refuse those, and the address may have its own.
        for setting in SETTINGS:
            self._connection.execute(f"SET {setting}".encode())

    def __enter__(self) -> Inspector:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    @property
    def connection(self) -> psycopg.Connection[tuple[Any, ...]]:
        return self._connection

    def inspect(self, *, samples: bool = True) -> Inspection:
        """The whole database. Without ``samples``: the catalogue only."""
        try:
            self._connection.execute("SET statement_timeout = 60000")
            found = self._catalogue(statistics=samples)
            self._connection.execute(f"SET statement_timeout = {TIMEOUT_MS}".encode())
        except psycopg.Error as error:
            raise Unavailable(
                "the database's catalogue could not be read", detail=str(error).strip(), hint="try again"
            ) from None
        if not samples:
            return found
        tables = {name: self._sampled(table) if table.is_table else table for name, table in found.tables.items()}
        return Inspection(found.database, found.server_version, tables, found.left_out, found.large_objects)

    def around(self) -> list[Around]:
        """What everybody may do in this database, past any map."""
        try:
            return [Around(*row) for row in self._rows(queries.AROUND)]
        except psycopg.Error as error:
            raise Unavailable("the database's privileges could not be read", detail=str(error).strip()) from None

    def collations(self) -> dict[tuple[TableName, str], str]:
        """Of the columns that have one of their own, qualified and quoted."""
        try:
            found = self._rows(queries.COLLATIONS)
        except psycopg.Error as error:
            raise Unavailable(
                "the database's collations could not be read", detail=str(error).strip(), hint="try again"
            ) from None
        return {(TableName(schema, table), name): collation for schema, table, name, collation in found}

    def counted(self, text: str, key: str) -> tuple[int | None, list[str]]:
        """Runs a query of ``seenby.attach.sample``: (rows, their keys). None: it took more than 5 s.

        Raises:
            ConfigError: this role may not read the table, or the map does not fit the database.
        """
        try:
            with self._connection.transaction():
                self._connection.execute("SET LOCAL statement_timeout = 5000")
                count, keys = self._connection.execute(raw.SQL(text), [key, key]).fetchall()[0]
                return count, keys
        except psycopg.errors.QueryCanceled:
            return None, []
        except psycopg.DataError:
            return 0, []  # a key that the column's type cannot be: nobody's
        except psycopg.Error as error:
            hint = "give a role that may read the mapped tables; run seenby datamap check"
            raise ConfigError(f"the database refused: {error.diag.message_primary}", hint=hint) from None

    def _rows(self, text: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(raw.SQL(text)).fetchall()

    def _catalogue(self, *, statistics: bool) -> Inspection:
        with self._connection.transaction():  # the queries must be of one moment
            self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            relations = self._rows(queries.RELATIONS)
            columns = self._rows(queries.COLUMNS)
            indexes = self._rows(queries.INDEXES)
            foreign = self._rows(queries.FOREIGN_KEYS)
            known = self._rows(queries.STATISTICS) if statistics else []
            views = self._rows(queries.VIEWS)
            definitions = {oid: (text, tuple(flags)) for oid, text, flags in self._rows(queries.DEFINITIONS)}
            leaves = self._rows(queries.LEAVES) if statistics else []
            large = bool(self._rows("SELECT EXISTS (SELECT FROM pg_largeobject_metadata)")[0][0])
        names = {oid: TableName(schema, name) for schema, name, oid, *_ in relations}
        stats = {(oid, column): (nulls, distinct) for oid, column, nulls, distinct in known}
        by_table: dict[int, dict[str, FoundColumn]] = {}
        for oid, column, type_name, base, kind, element, *rest in columns:
            not_null, generated, identity, default, comment, labels = rest
            nulls, distinct = stats.get((oid, column), (-1.0, 0.0))
            by_table.setdefault(oid, {})[column] = FoundColumn(
                column, type_name, base, kind, element, not_null, generated, identity, default, comment,
                tuple(labels), nulls, distinct,
            )  # fmt: skip
        self._leaves: dict[TableName, list[tuple[str, str]]] = {}
        for oid, schema, leaf in leaves:
            if oid in names:
                self._leaves.setdefault(names[oid], []).append((schema, leaf))
        keys_of: dict[int, list[tuple[bool, bool, bool, list[str]]]] = {}
        for oid, *rest in indexes:
            keys_of.setdefault(oid, []).append((rest[0], rest[1], rest[2], rest[3]))
        foreign_of: dict[int, list[ForeignKey]] = {}
        for oid, target, keys, targets in foreign:
            if target in names:
                made = ForeignKey(tuple(keys), names[target], tuple(targets))
                foreign_of.setdefault(oid, []).append(made)
        tables, left_out = {}, []
        for schema, name, oid, kind, rows, partition, comment, children, parents, extension, readable in relations:
            table = TableName(schema, name)
            if extension:
                left_out.append((table, extension))
                continue
            if partition:
                continue
            mine = keys_of.get(oid, [])
            definition, obstacles = definitions.get(oid, ("", ()))
            tables[table] = FoundTable(
                name=table,
                kind=RelationKind(kind),
                columns=by_table.get(oid, {}),
                rows=rows,
                comment=comment,
                primary=next((tuple(keys) for primary, _, _, keys in mine if primary), ()),
                unique=tuple(tuple(keys) for _, unique, _, keys in mine if unique),
                indexed=frozenset(keys[0] for _, _, whole, keys in mine if whole and keys and keys[0]),
                foreign=tuple(foreign_of.get(oid, ())),
                partitions=children if kind == "p" else 0,
                inherits=tuple(names[parent] for parent in parents if parent in names),
                uses=tuple(names[used] for view, used in views if view == oid and used in names),
                definition=definition,
                obstacles=obstacles,
                readable=readable,
            )
        info = self._connection.info
        return Inspection(info.dbname, info.parameter_status("server_version") or "", tables, tuple(left_out), large)

    def _sampled(self, table: FoundTable) -> FoundTable:
        wanted = [
            (column.name, text)
            for column in table.columns.values()
            if (text := queries.short_text(column.name, column.base_name)) is not None
        ]
        places = self._leaves.get(table.name, []) if table.kind is RelationKind.PARTITIONED else [table.name]
        rows: list[tuple[Any, ...]] = []
        if table.readable and wanted:
            for schema, name in places:
                rows += self._try(schema, name, wanted)
        if not rows:
            return table
        columns = dict(table.columns)
        for place, (name, _) in enumerate(wanted):
            distinct = dict.fromkeys(row[place] for row in rows if row[place] is not None)
            columns[name] = replace(columns[name], samples=tuple(distinct)[:KEPT])
        return replace(table, columns=columns)

    def _try(self, schema: str, name: str, wanted: list[tuple[str, str]]) -> list[tuple[Any, ...]]:
        """Rows, or none: a table may be locked, its partition closed to this role, a type without text."""
        try:
            pages = int(self._rows(queries.size_sql(schema, name))[0][0])
            return self._rows(queries.sample_sql(schema, name, wanted, pages))
        except psycopg.OperationalError:  # also: cancelled by a timeout
            if self._connection.closed:
                raise Unavailable("the database closed the connection", hint="try again") from None
            return []
        except (psycopg.Error, UnicodeDecodeError):  # the latter: a database of bytes (SQL_ASCII)
            return []

    def contained(self, inspection: Inspection, trials: Iterable[Trial]) -> dict[Trial, Contained]:
        """Looks for each column's sampled values among the keys it may refer to. Needs samples."""
        answers: dict[Trial, Contained] = {}
        for trial in trials:
            values = sampled(inspection, trial)
            target = inspection.tables[trial.table]
            if not target.readable:
                continue
            kind = target.columns[trial.target].type_name
            try:
                found, empty = self._connection.execute(
                    raw.SQL(queries.contained_sql(*trial.table, trial.target, kind)), [values]
                ).fetchall()[0]
            except psycopg.DataError:  # a value that is no key at all
                answers[trial] = Contained(len(values), 0)
            except psycopg.Error:
                if self._connection.closed:
                    raise Unavailable("the database closed the connection", hint="try again") from None
            else:
                answers[trial] = Contained(len(values), found, empty)
        return answers
