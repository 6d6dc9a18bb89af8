"""What a look at a database finds: the catalogue, statistics and a few sampled values. Read by ``stores.inspect``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from seenby.datamap import TableName

INTEGERS = frozenset({"int2", "int4", "int8"})
TEXTS = frozenset({"text", "varchar", "bpchar", "name"})
JSONS = frozenset({"json", "jsonb"})
TIMES = frozenset({"date", "timestamp", "timestamptz", "time", "timetz", "interval"})
NUMBERS = frozenset({"int2", "int4", "int8", "float4", "float8", "numeric", "money"})


_UNWRITABLE = frozenset("., \n\r\t")


def writable(name: str) -> bool:
    """Whether a path of a map can write the name: dots, commas and spaces divide it."""
    return not _UNWRITABLE & set(name)


class RelationKind(StrEnum):
    """``pg_class.relkind``."""

    TABLE = "r"
    PARTITIONED = "p"
    VIEW = "v"
    MATERIALIZED = "m"
    FOREIGN = "f"


@dataclass(frozen=True, slots=True)
class FoundColumn:
    """One column.

    Attributes:
        type_name: as format_type prints it: ``character varying(20)``, ``public.mood``.
        base_name: typname of the type, or of the base type of a domain: ``varchar``. Of an array: ``_varchar``.
        kind: pg_type.typtype of that: b base, e enum, c composite, r range, m multirange, d domain.
        element: typname of an array's elements, else "".
        labels: of an enum.
        nulls: share of NULLs by the statistics, -1 where there are none; ``distinct``: pg_stats.n_distinct, 0 likewise.
        samples: distinct values as text, shortened, at most some dozens; in the order in which they were read.
    """

    name: str
    type_name: str
    base_name: str
    kind: str
    element: str = ""
    not_null: bool = False
    generated: bool = False
    identity: bool = False
    default: str = ""
    comment: str = ""
    labels: tuple[str, ...] = ()
    nulls: float = -1.0
    distinct: float = 0.0
    samples: tuple[str, ...] = ()

    @property
    def is_integer(self) -> bool:
        return self.base_name in INTEGERS

    @property
    def is_text(self) -> bool:
        return self.base_name in TEXTS or self.base_name == "citext"

    @property
    def is_key(self) -> bool:
        """Could hold a key that leads to a row of another table."""
        return writable(self.name) and (self.is_integer or self.base_name in {"uuid", "text", "varchar", "bpchar"})

    @property
    def family(self) -> str:
        """Columns of one family can be compared without a cast: ``int``, ``text``, or the type itself."""
        if self.is_integer:
            return "int"
        return "text" if self.base_name in {"text", "varchar", "bpchar"} else self.base_name


@dataclass(frozen=True, slots=True)
class ForeignKey:
    columns: tuple[str, ...]
    table: TableName
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FoundTable:
    """One relation.

    Attributes:
        rows: pg_class.reltuples, -1 where never analysed.
        unique: column sets that identify a row; ``indexed``: columns that lead an index.
        inherits: parents by (old) inheritance. Partitions are not listed at all: they are part of their table.
        uses: of a view: the relations it reads; ``definition``: its query, every name qualified; ``obstacles``: what
            makes its rows something else than rows of tables (aggregates, subqueries...).
        readable: the inspecting role may SELECT.
    """

    name: TableName
    kind: RelationKind
    columns: dict[str, FoundColumn] = field(hash=False)
    rows: float = -1.0
    comment: str = ""
    primary: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    indexed: frozenset[str] = frozenset()
    foreign: tuple[ForeignKey, ...] = ()
    partitions: int = 0
    inherits: tuple[TableName, ...] = ()
    uses: tuple[TableName, ...] = ()
    definition: str = ""
    obstacles: tuple[str, ...] = ()
    readable: bool = True

    @property
    def is_table(self) -> bool:
        return self.kind in {RelationKind.TABLE, RelationKind.PARTITIONED}

    def identifies(self, column: str) -> bool:
        """Whether ``column`` alone is unique, and a path can lead to it."""
        return (column,) in self.unique and writable(column) and all(writable(part) for part in self.name)

    @property
    def key(self) -> tuple[str, ...]:
        """The primary key, or the shortest unique columns that are never NULL, or any unique ones; () if none."""
        keys = [one for one in self.unique if all(writable(name) for name in one)]
        if self.primary in keys:
            return self.primary
        sure = [one for one in keys if all(self.columns[name].not_null for name in one)]
        return min(sure or keys, key=lambda one: (len(one), one), default=())


@dataclass(frozen=True, slots=True)
class Inspection:
    """A database as of one moment. ``left_out``: relations of extensions, with the extension's name."""

    database: str
    server_version: str
    tables: dict[TableName, FoundTable] = field(hash=False)
    left_out: tuple[tuple[TableName, str], ...] = ()
    large_objects: bool = False

    @property
    def base(self) -> dict[TableName, FoundTable]:
        """Ordinary and partitioned tables: what a data map can hold."""
        return {name: table for name, table in self.tables.items() if table.is_table}


@dataclass(frozen=True, slots=True)
class Trial:
    """A question for the database: are the sampled values of a column keys of ``table``.``target``?

    ``path``: of values inside the column's (attach/inside.py); "": its own.
    """

    source: TableName
    column: str
    table: TableName
    target: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Contained:
    """Its answer: of ``tried`` distinct values ``found`` are there. ``empty``: the target has no rows at all."""

    tried: int
    found: int
    empty: bool = False

    @property
    def share(self) -> float:
        return self.found / self.tried if self.tried else 0.0


def listing(names: Iterable[object], limit: int = 4) -> str:
    """``a, b, c and 5 more``."""
    every = [str(name) for name in names]
    more = len(every) - limit
    return ", ".join(every[:limit]) + (f" and {more} more" if more > 0 else "")
