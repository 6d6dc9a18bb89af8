"""What the platform's database says about itself, read in one moment, and held against the data map.

All SQL comes from ``seenby.guard.facts``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql as raw

from seenby.datamap import ColumnFact, DatabaseFacts, DataMap, TableFact, TableName, check_facts
from seenby.guard import catalog as guard_catalog
from seenby.guard import facts
from seenby.guard.functions import FunctionFact, decide
from seenby.guard.types import castable
from seenby.model.shape import Catalog


@dataclass(frozen=True, slots=True)
class Read:
    """``fingerprint``: changes whenever something of this does (seenby.guard.facts)."""

    catalog: Catalog
    facts: DatabaseFacts
    fingerprint: str


async def read_catalog(connection: psycopg.AsyncConnection[Any], datamap: DataMap) -> Read:
    """Raises ConfigError when the map names what the database does not have, or what cannot serve as a key."""
    # REPEATABLE READ: the fingerprint and what it stands for are of one moment.
    async with connection.transaction():
        await run(connection, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        fingerprint = await read_fingerprint(connection, datamap)
        read = await _read_facts(connection)
        functions = decide(
            FunctionFact(name, kind, volatility, tuple(types), *rest)
            for name, kind, volatility, types, *rest in await rows(connection, facts.FUNCTIONS)
        )
        types = castable(row[0] for row in await rows(connection, facts.TYPES))
        relations = await rows(connection, facts.RELATION_NAMES)
        keys = await rows(connection, facts.PRIMARY_KEYS)
    check_facts(datamap, read)
    catalog = Catalog(
        version=read.version,
        functions=functions.allowed,
        aggregates=functions.aggregates,
        windows=functions.windows,
        set_returning=functions.set_returning,
        types=types,
        catalog_views=guard_catalog.CATALOG_VIEWS,
        catalog_functions=guard_catalog.CATALOG_FUNCTIONS,
        rewritten_functions=guard_catalog.REWRITTEN_FUNCTIONS,
        tables={(schema, table): tuple(columns) for schema, table, columns, *_ in relations},
        partitions={(schema, table): (*whole,) for schema, table, _, *whole in relations if whole[0] is not None},
        primary_keys={(schema, table): tuple(columns) for schema, table, columns in keys},
        unique_keys={(name.schema, name.name): one.unique for name, one in read.tables.items()},
        required={
            (name.schema, name.name): frozenset(column.name for column in one.columns.values() if column.not_null)
            for name, one in read.tables.items()
        },
        server_version=connection.info.parameter_status("server_version") or "",
    )
    return Read(catalog, read, fingerprint)


async def read_fingerprint(connection: psycopg.AsyncConnection[Any], datamap: DataMap) -> str:
    """A few milliseconds."""
    found: str = (await rows(connection, facts.fingerprint(datamap)))[0][0]
    return found


async def _read_facts(connection: psycopg.AsyncConnection[Any]) -> DatabaseFacts:
    columns = await rows(connection, facts.COLUMNS)
    indexes = await rows(connection, facts.INDEXES)
    tables: dict[TableName, TableFact] = {}
    found: dict[TableName, dict[str, ColumnFact]] = {}
    oids: dict[TableName, int] = {}
    for schema, table, oid, *column in columns:
        name = TableName(schema, table)
        oids[name] = oid
        fact = ColumnFact(column[0], *column[1:])
        found.setdefault(name, {})[fact.name] = fact
    for name, by_name in found.items():
        mine = [(keys, unique) for schema, table, keys, unique in indexes if (schema, table) == name]
        tables[name] = TableFact(
            name=name,
            oid=oids[name],
            columns=by_name,
            unique=frozenset(frozenset(keys) for keys, unique in mine if unique),
            indexed=frozenset(keys[0] for keys, _ in mine if keys and keys[0]),
        )
    digest = hashlib.sha256(repr((columns, indexes)).encode()).hexdigest()
    return DatabaseFacts(version=digest[:16], tables=tables)


async def rows(connection: psycopg.AsyncConnection[Any], text: str) -> list[tuple[Any, ...]]:
    """What a query of ours answers."""
    cursor = await connection.execute(raw.SQL(text))
    return await cursor.fetchall()


async def run(connection: psycopg.AsyncConnection[Any], text: str) -> None:
    """One of our statements, or several."""
    await connection.execute(raw.SQL(text))
