"""What the live database says about the mapped tables, and whether the map agrees with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NoReturn

from seenby.datamap.load import nearest
from seenby.datamap.model import DataMap, MappedTable, OwnerPath, TableName
from seenby.errors import ConfigError

KEY_TYPES = frozenset({"int2", "int4", "int8", "text", "varchar", "bpchar", "uuid"})
"""Types whose text form is the same in every session and equal iff the values are (not so: float, bytea, numeric)."""


@dataclass(frozen=True, slots=True)
class ColumnFact:
    """One column as pg_attribute and pg_type have it.

    Attributes:
        type_oid, type_name: the declared type; the name with typmod, as format_type prints it with an empty
            search_path, so that types outside pg_catalog are qualified.
        base_name: typname of the type, of the base type for a domain: ``varchar``.
        base_type: format_type of the same, with typmod: ``character varying(20)``. Equal to type_name unless a domain.
        category: pg_type.typcategory of the base type (PostgreSQL documentation, 52.64): S text, N numbers, A arrays...
        collation: qualified and quoted, "" where it is the type's own.
    """

    name: str
    type_oid: int
    type_name: str
    base_name: str
    base_type: str
    category: str
    not_null: bool
    collation: str = ""


@dataclass(frozen=True, slots=True)
class TableFact:
    """One table. ``unique``: column sets that identify a row; ``indexed``: columns that lead an index."""

    name: TableName
    oid: int
    columns: dict[str, ColumnFact] = field(hash=False)
    unique: frozenset[frozenset[str]]
    indexed: frozenset[str]


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """Every ordinary and partitioned table of the platform's schemas; ``version`` is a digest over all of it."""

    version: str
    tables: dict[TableName, TableFact] = field(hash=False)


def check_facts(datamap: DataMap, facts: DatabaseFacts) -> None:
    """Raises ConfigError where the map names what the database does not have, or what cannot serve as a key."""
    checker = _Checker(datamap, facts)
    for name in datamap.tables:
        checker.exists(name)
    for table in datamap.tables.values():
        checker.table(table)
    for kind in datamap.kinds.values():
        place = f"people.{kind.name}"
        key = checker.column(kind.table, kind.key, place)
        checker.key_type(key, f"{place}: {kind.table}.{kind.key}")
        if kind.account:
            checker.unique(kind.table, (kind.key,), place)
        if kind.home_column:
            home = checker.column(kind.table, kind.home_column, place)
            if home.category not in "SE":
                field = "country_column" if kind.countries else "region_column"
                checker.fail(f"{place}: {field} {home.name} is of type {home.type_name}", "use a text column")
        if kind.birth_date:
            born = checker.column(kind.table, kind.birth_date, place)
            if born.base_name not in {"date", "timestamp", "timestamptz"}:
                checker.fail(f"{place}: birth_date {born.name} is of type {born.type_name}", "use a date")
        for flag in (kind.protected, kind.employee, kind.minor):
            if flag and (found := checker.column(kind.table, flag, place)).base_name != "bool":
                checker.fail(f"{place}: {flag} is of type {found.type_name}", "use a boolean column")


def _family(column: ColumnFact) -> str:
    if column.base_name in {"int2", "int4", "int8", "numeric", "float4", "float8"}:
        return "numbers"
    return "texts" if column.base_name in {"text", "varchar", "bpchar", "citext", "name"} else column.base_name


class _Checker:
    def __init__(self, datamap: DataMap, facts: DatabaseFacts) -> None:
        self.datamap = datamap
        self.facts = facts

    def fail(self, message: str, hint: str) -> NoReturn:
        raise ConfigError(f"{self.datamap.source}: {message}", hint=hint)

    def exists(self, name: TableName) -> None:
        if name not in self.facts.tables:
            self.fail(f"tables.{name}: the database has no such table", nearest(str(name), map(str, self.facts.tables)))

    def table(self, table: MappedTable) -> None:
        place = f"tables.{table.name}"
        for column in (*table.columns, *table.key):
            self.column(table.name, column, place)
        if table.key:
            self.unique(table.name, table.key, f"{place}: key")
        for owner in table.owners:
            self.path(table.name, owner, f"{place}: owners")

    def path(self, start: TableName, owner: OwnerPath, place: str) -> None:
        here = start
        for hop in owner.hops:
            for column, target in zip(hop.columns, hop.targets, strict=True):
                self.comparable((here, column), (hop.table, target), place)
            if not hop.many:
                self.unique(hop.table, hop.targets, place)
            if hop.when and (kind := self.column(here, hop.when[0], place)).category not in "SE":
                self.fail(f"{place}: {here}.{kind.name} is of type {kind.type_name}", "name a text or enum column")
            here = hop.table
        self.key_type(self.column(here, owner.column, place), f"{place}: {here}.{owner.column}")
        people = self.datamap.kinds[owner.kind]
        if people.account:
            self.comparable((here, owner.column), (people.table, people.key), place)

    def comparable(self, one: tuple[TableName, str], other: tuple[TableName, str], place: str) -> None:
        """A view joins along the path: Postgres compares no text with a number, and no uuid with a text."""
        left, right = self.column(*one, place), self.column(*other, place)
        if _family(left) != _family(right):
            self.fail(
                f"{place}: {one[0]}.{one[1]} is of type {left.type_name} and {other[0]}.{other[1]} of type "
                f"{right.type_name}, which cannot be compared",
                "name a column of the same type, or leave this owner out",
            )

    def column(self, table: TableName, column: str, place: str) -> ColumnFact:
        columns = self.facts.tables[table].columns
        if column not in columns:
            self.fail(f"{place}: table {table} has no column {column}", nearest(column, columns))
        return columns[column]

    def unique(self, table: TableName, columns: tuple[str, ...], place: str) -> None:
        if not any(found <= set(columns) for found in self.facts.tables[table].unique):
            listed = ", ".join(columns)
            self.fail(
                f"{place}: {table} ({listed}) is not unique, so it may lead to many rows",
                f"name a column with a unique index, or make one: CREATE UNIQUE INDEX ON {table} ({listed})",
            )

    def key_type(self, column: ColumnFact, place: str) -> None:
        if column.base_name not in KEY_TYPES:
            self.fail(
                f"{place} is of type {column.type_name}, which cannot name a person",
                f"use a column of one of the types {', '.join(sorted(KEY_TYPES))}",
            )
