"""What a grant makes of the database: the views a session may read, and how each column is treated.

``guard`` designs a shape from a grant and the data map, ``sql`` resolves names against it. The views of one
shape serve every grant with the same tables, columns, masks and regions.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from seenby.model.classes import DataClass, Treatment

KEY_PREFIX = "seenby$"
"""Names that start like this are ours; a user's alias may not."""


@dataclass(frozen=True, slots=True)
class ViewColumn:
    """One column that the grant's view has. Columns to be refused are not in the view at all."""

    name: str
    treatment: Treatment  # REVEAL or MASK
    data_class: DataClass
    type_oid: int
    type_name: str  # format_type's spelling, as in "character varying(20)"
    partial: bool = False  # MASK, but some rows of the scope show the value: masked in predicates, shown in the record
    links: bool = False  # comparing two people's values tells whether they met (sql/linkage.py)
    row: str = ""  # "public.devices.id": its values are those of this column, which names one row, of one person


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """A hidden column at the end of a view: the key of a person that the row belongs to, cast to text.

    ``pins`` names the visible column that holds the same key, if there is one: a predicate ``pins = constant``
    pins the person. ``lists``: this is the table where such people are listed, each in one row.
    """

    name: str  # "seenby$1"
    kind: str  # "account"
    pins: str = ""
    lists: bool = False


@dataclass(frozen=True, slots=True)
class ViewWrites:
    """What the grant may change in one view.

    Attributes:
        key: the primary key's columns.
        update, insert: columns that may be given a value in a row that is there, and in a new one.
        forced: columns of a new row that the database fills.
    """

    key: tuple[str, ...]
    update: tuple[str, ...]
    delete: bool
    insert: tuple[str, ...]
    forced: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShapeView:
    """A table as the grant shows it. A table that belongs to nobody has no keys."""

    schema: str  # the platform's schema, as users write it
    table: str
    view_schema: str
    view: str
    columns: tuple[ViewColumn, ...]
    refused: tuple[tuple[str, DataClass | None], ...]  # (column, its class; None: nobody classified it)
    keys: tuple[KeyColumn, ...]
    writes: ViewWrites | None = None

    @property
    def qualified(self) -> str:
        return f"{self.schema}.{self.table}"


@dataclass(frozen=True, slots=True)
class Shape:
    """All views of one grant shape.

    Attributes:
        id: 16 hex digits, a digest of everything that went into the views.
        fenced: the grant names its people and they are joined behind OFFSET 0: counts, estimates and timing do not
            depend on who else exists.
        views: by (schema, table), both as Postgres stores them.
        search_path: schemas in which an unqualified table name is looked up.
        closed: the tables of the data map of which the grant shows nothing, each with its columns and their classes
            (None: nobody classified it); no columns: no grant can show it. For refusals in words; not part of the id.
        writable: what staff can change at most, by the data map: (columns to update, rows to delete, columns of new
            rows). For refusals in words; not part of the id.
        linking: purposes under which people may be compared by columns that link; not part of the id.
    """

    id: str
    fenced: bool
    views: dict[tuple[str, str], ShapeView] = field(hash=False)
    search_path: tuple[str, ...] = ("public",)
    closed: dict[tuple[str, str], tuple[tuple[str, DataClass | None], ...]] = field(default_factory=dict, hash=False)
    writable: dict[tuple[str, str], tuple[tuple[str, ...], bool, tuple[str, ...]]] = field(
        default_factory=dict, hash=False
    )
    linking: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalog:
    """What the analysis needs to know of the database, beyond the shape.

    Attributes:
        version: changes whenever the schema does; part of every cache key.
        functions: names of built-in functions that are safe to call, without schema.
        types: names of types that a cast may name, without schema.
        aggregates: the subset of ``functions`` that are aggregates; ``windows`` likewise.
        set_returning: likewise, functions that return sets.
        catalog_views: names of the ``pg_catalog`` relations that ``seenby_catalog`` serves in a filtered form; a
            query that names ``pg_catalog.x`` or bare ``x`` reads ``seenby_catalog.x`` instead.
        catalog_functions: further functions that a query over ``catalog_views`` alone may call.
        rewritten_functions: catalog functions that take the oid of any object and would print its text; a call of
            ``pg_catalog.f`` or bare ``f`` becomes ``seenby_catalog.f``, wherever it stands. So does a cast to a reg*
            type listed here: ``x::regclass`` becomes ``seenby_catalog.regclass(x)``.
        tables: every table of the platform's schemas: (schema, table) -> column names (for precise refusals).
        server_version: as ``SHOW server_version`` prints it.
        primary_keys: of the platform's tables.
        unique_keys: the sets of columns that identify a row of theirs.
        required: the columns of a table that are never NULL.
        partitions: (schema, table) -> the table whose partition it is.
    """

    version: str
    functions: frozenset[str]
    aggregates: frozenset[str]
    windows: frozenset[str]
    set_returning: frozenset[str]
    types: frozenset[str]
    catalog_views: frozenset[str]
    catalog_functions: frozenset[str]
    tables: dict[tuple[str, str], tuple[str, ...]] = field(hash=False)
    server_version: str = "18.0"
    rewritten_functions: frozenset[str] = frozenset()
    primary_keys: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict, hash=False)
    unique_keys: dict[tuple[str, str], frozenset[frozenset[str]]] = field(default_factory=dict, hash=False)
    required: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict, hash=False)
    partitions: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict, hash=False)
