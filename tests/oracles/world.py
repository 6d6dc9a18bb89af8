"""The small world that the oracles judge in: ten people, eight of them in scope, and three forms of the same data.

* ``public``: the platform's tables; ``shown``: the grant's security-barrier views over them (what a plan reads);
* a second database, ``..._copied``, whose ``public`` physically holds only what the grant reveals (invariant I5);
* ``worlds``: the same rows, each with a bit mask of the people it belongs to, so that one statement can answer a
  query in all 256 worlds in which some of the eight people never existed (invariant I4).

The copy and the worlds are computed here in Python from the literals below, never through the views.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import psycopg
from psycopg import sql

from seenby.model.classes import DataClass, Treatment
from seenby.model.people import Person
from seenby.model.shape import Catalog, KeyColumn, Shape, ShapeView, ViewColumn
from seenby.stores.cluster import Cluster
from tests.oracles.allowed import AGGREGATES, FUNCTIONS, SET_RETURNING, TYPES, WINDOWS
from tests.oracles.rows import ACCOUNTS, DEVICES, Value

Row = dict[str, Value]

REGIONS_IN_SCOPE = ("eu", "us")
MASKED_TEXT = "***"

OIDS = {
    "integer": 23,
    "text": 25,
    "boolean": 16,
    "date": 1082,
    "character varying(12)": 1043,
    "text[]": 1009,
    "jsonb": 3802,
}
KINDS = {
    "integer": "int",
    "text": "text",
    "boolean": "bool",
    "date": "date",
    "character varying(12)": "text",
    "text[]": "array",
    "jsonb": "json",
}


@dataclass(frozen=True, slots=True)
class Column:
    """``mask`` is the SQL of the view's masked value; ``masked`` does the same in Python, from the owner's home."""

    name: str
    type_name: str
    data_class: DataClass
    mask: str = ""
    masked: Callable[[Value, str], Value] | None = None
    refused: bool = False

    @property
    def kind(self) -> str:
        return KINDS[self.type_name]


@dataclass(frozen=True, slots=True)
class Table:
    """``join``, ``where`` and ``keys`` are the view's; ``owners`` says the same in Python."""

    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    owners: Callable[[Row], tuple[Person | None, ...]]
    keys: tuple[KeyColumn, ...] = ()
    key_sql: tuple[str, ...] = ()
    join: str = ""
    where: str = "true"

    @property
    def visible(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if not column.refused)


def account(key: Value) -> Person | None:
    return None if key is None else Person("account", str(key))


def plain(name: str, type_name: str, data_class: DataClass = DataClass.PUBLIC) -> Column:
    return Column(name, type_name, data_class)


HOME: dict[Value, str] = {row[0]: str(row[5]) for row in ACCOUNTS}
DEVICE_OWNER = {row[0]: row[1] for row in DEVICES}
PEOPLE = (*(Person("account", str(n)) for n in range(1, 7)), Person("contact", "+441"), Person("contact", "2"))
"""Everybody in scope, in the order of their bits. ``contact:2`` shares its key with ``account:2`` on purpose."""

EUROPEANS_ONLY = "CASE WHEN {home} = 'eu' THEN {column} ELSE '***'::text END"

TABLES: tuple[Table, ...] = (
    Table(
        "accounts",
        (
            plain("id", "integer"),
            plain("handle", "text"),
            Column(
                "email",
                "text",
                DataClass.CONTACT,
                EUROPEANS_ONLY.format(home="t.home", column="t.email"),
                lambda value, home: value if home == "eu" else MASKED_TEXT,
            ),
            plain("phone", "text", DataClass.CONTACT),
            Column("birth", "date", DataClass.IDENTITY, refused=True),
            plain("home", "text"),
            plain("coins", "integer", DataClass.PAYMENT),
            plain("joined", "date"),
        ),
        ACCOUNTS,
        lambda row: (account(row["id"]),),
        (KeyColumn("seenby$1", "account", "id"),),
        ("t.id::text",),
        where="t.home IN ('eu', 'us')",
    ),
    Table(
        "devices",
        (
            plain("id", "integer"),
            plain("account_id", "integer"),
            plain("model", "character varying(12)", DataClass.DEVICE),
            Column("imei", "text", DataClass.DEVICE, refused=True),
            plain("carrier", "text", DataClass.DEVICE),
            plain("year", "integer", DataClass.DEVICE),
        ),
        DEVICES,
        lambda row: (account(row["account_id"]),),
        (KeyColumn("seenby$1", "account", "account_id"),),
        ("t.account_id::text",),
        "JOIN public.accounts p ON p.id = t.account_id",
        "p.home IN ('eu', 'us')",
    ),
    Table(
        "logins",
        (
            plain("id", "integer"),
            plain("device_id", "integer"),
            Column("ip", "text", DataClass.LOCATION, "'***'::text", lambda value, home: MASKED_TEXT),
            plain("day", "date", DataClass.BEHAVIOUR),
            plain("ok", "boolean", DataClass.BEHAVIOUR),
        ),
        (
            (1, 1, "10.0.0.1", "2025-01-01", True),
            (2, 1, "10.0.0.2", "2025-01-02", False),
            (3, 3, "10.0.0.1", "2025-01-01", None),
            (4, 4, "10.0.0.3", "2025-01-02", True),
            (5, 6, None, None, True),
            (6, 7, "10.0.0.9", "2025-01-01", True),
        ),
        lambda row: (account(DEVICE_OWNER[row["device_id"]]),),
        (KeyColumn("seenby$1", "account"),),
        ("d.account_id::text",),
        "JOIN public.devices d ON d.id = t.device_id JOIN public.accounts p ON p.id = d.account_id",
        "p.home IN ('eu', 'us')",
    ),
    Table(
        "messages",
        (
            plain("id", "integer"),
            plain("sender", "integer"),
            plain("recipient", "integer"),
            Column("body", "text", DataClass.COMMUNICATION, "'***'::text", lambda value, home: MASKED_TEXT),
            plain("likes", "integer"),
        ),
        (
            (1, 1, 2, "hi", 1),
            (2, 2, 1, "yo", None),
            (3, 3, 4, "hi", 0),
            (4, 5, None, "all", 5),
            (5, 6, 6, "me", 5),
            (6, 1, 5, None, 2),
            (7, 7, 1, "psst", 1),
            (8, 2, 7, "back", 3),
        ),
        lambda row: (account(row["sender"]), account(row["recipient"])),
        (KeyColumn("seenby$1", "account", "sender"), KeyColumn("seenby$2", "account", "recipient")),
        ("t.sender::text", "t.recipient::text"),
        "JOIN public.accounts s ON s.id = t.sender LEFT JOIN public.accounts r ON r.id = t.recipient",
        "s.home IN ('eu', 'us') AND (t.recipient IS NULL OR r.home IN ('eu', 'us'))",
    ),
    Table(
        "videos",
        (
            plain("id", "integer"),
            plain("author", "integer"),
            plain("title", "text", DataClass.CONTENT),
            plain("views", "integer"),
            plain("open", "boolean"),
        ),
        (
            (1, 1, "cats", 10, True),
            (2, 2, "cats", 10, True),
            (3, 2, "dogs", None, False),
            (4, 4, None, 3, None),
            (5, 6, "cats", 7, True),
            (6, None, "old", 1, True),
            (7, 8, "far", 99, True),
        ),
        lambda row: (account(row["author"]),),
        (KeyColumn("seenby$1", "account", "author"),),
        ("t.author::text",),
        "LEFT JOIN public.accounts p ON p.id = t.author",
        "t.author IS NULL OR p.home IN ('eu', 'us')",
    ),
    Table(
        "contacts",
        (
            plain("id", "integer"),
            plain("owner", "integer"),
            plain("name", "text", DataClass.CONTACT),
            plain("number", "text", DataClass.CONTACT),
        ),
        ((1, 1, "Ma", "+441"), (2, 2, "Mum", "+441"), (3, 2, None, "2"), (4, 4, "Ma", "2"), (5, 7, "Bo", "+441")),
        lambda row: (account(row["owner"]), Person("contact", str(row["number"]))),
        (KeyColumn("seenby$1", "account", "owner"), KeyColumn("seenby$2", "contact", "number")),
        ("t.owner::text", "t.number::text"),
        "JOIN public.accounts p ON p.id = t.owner",
        "p.home IN ('eu', 'us')",
    ),
    Table(
        "posts",
        (
            plain("id", "integer"),
            plain("author", "integer"),
            plain("tags", "text[]", DataClass.CONTENT),
            plain("meta", "jsonb", DataClass.CONTENT),
        ),
        (
            (1, 1, "{cats,eu}", '{"k": "ann", "n": 3, "l": ["x", "y"]}'),
            (2, 1, "{}", "{}"),
            (3, 2, "{cats}", '{"k": "bob", "l": []}'),
            (4, 3, None, '{"n": 5, "l": ["x"]}'),
            (5, 5, "{dogs,cats,eu}", None),
            (6, None, "{eu}", '{"k": "ann"}'),
            (7, 7, "{far}", '{"k": "gus"}'),
        ),
        lambda row: (account(row["author"]),),
        (KeyColumn("seenby$1", "account", "author"),),
        ("t.author::text",),
        "LEFT JOIN public.accounts p ON p.id = t.author",
        "t.author IS NULL OR p.home IN ('eu', 'us')",
    ),
    Table(
        "regions",
        (plain("home", "text"), plain("title", "text"), plain("rank", "integer")),
        (("eu", "Europe", 1), ("us", "America", 2), ("ap", "Asia", None)),
        lambda row: (),
    ),
)
BY_NAME = {table.name: table for table in TABLES}

CATALOG = Catalog(
    version="1",
    functions=frozenset(FUNCTIONS.split()),
    aggregates=frozenset(AGGREGATES.split()),
    windows=frozenset(WINDOWS.split()),
    set_returning=frozenset(SET_RETURNING.split()),
    types=frozenset(TYPES.split()),
    catalog_views=frozenset({"pg_class"}),
    catalog_functions=frozenset({"pg_table_is_visible"}),
    tables={("public", table.name): tuple(column.name for column in table.columns) for table in TABLES}
    | {("public", "payments"): ("id", "account_id", "card")},
)


def shape(view_schema: str = "shown", *, masks: bool = True) -> Shape:
    """The grant's shape by hand. ``masks=False`` claims that nothing is masked (for the mutation tests)."""
    return Shape(
        "00000000000000aa",
        False,
        {
            ("public", table.name): ShapeView(
                "public",
                table.name,
                view_schema,
                table.name,
                tuple(
                    ViewColumn(
                        column.name,
                        Treatment.MASK if column.mask and masks else Treatment.REVEAL,
                        column.data_class,
                        OIDS[column.type_name],
                        column.type_name,
                    )
                    for column in table.visible
                ),
                tuple((column.name, column.data_class) for column in table.columns if column.refused),
                table.keys,
            )
            for table in TABLES
        },
    )


def revealed() -> dict[str, list[tuple[list[Value], int]]]:
    """Per table, the rows that the grant reveals as it reveals them, each with the bits of its owners."""
    bits = {person: 1 << n for n, person in enumerate(PEOPLE)}
    result: dict[str, list[tuple[list[Value], int]]] = {}
    for table in TABLES:
        kept = result[table.name] = []
        for values in table.rows:
            row: Row = {column.name: value for column, value in zip(table.columns, values, strict=True)}
            owners = [owner for owner in table.owners(row) if owner is not None]
            homes = {HOME[int(owner.key)] for owner in owners if owner.kind == "account"}
            if homes - set(REGIONS_IN_SCOPE):
                continue
            home = next(iter(homes), "")
            shown = [
                column.masked(row[column.name], home) if column.masked else row[column.name] for column in table.visible
            ]
            kept.append((shown, sum({bits[owner] for owner in owners})))
    return result


def _view(table: Table, schema: str, *, masks: bool = True, scoped: bool = True) -> str:
    columns = [f"{c.mask if c.mask and masks else 't.' + c.name} AS {c.name}" for c in table.visible]
    keys = [f'{text} AS "{key.name}"' for text, key in zip(table.key_sql, table.keys, strict=True)]
    where = table.where if scoped else "true"
    return (
        f"CREATE VIEW {schema}.{table.name} WITH (security_barrier) AS SELECT {', '.join(columns + keys)}"
        f" FROM public.{table.name} t {table.join} WHERE {where}"
    )


READER = "oracle_reader"


@dataclass(frozen=True, slots=True)
class Places:
    """Connection strings: the grant's views (by a role that may read nothing else), the copy, the worlds."""

    reader: str
    copied: str
    worlds: str


def build(cluster: Cluster, database: str) -> Places:
    """Makes both databases. The reader may read ``shown`` and the two views of the mutation tests only."""
    copied = f"{database}_copied"
    with psycopg.connect(cluster.dsn(), autocommit=True) as admin:
        for name in (database, copied):
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        admin.execute(f"CREATE ROLE {READER} LOGIN PASSWORD 'reader'")
    with psycopg.connect(cluster.dsn(database)) as db:
        for schema in ("shown", "leaky", "unscoped", "worlds"):
            db.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        for table in TABLES:
            _fill(db, "public", table.name, [(c.name, c.type_name) for c in table.columns], table.rows)
        db.execute("CREATE TABLE public.payments (id int, account_id int, card text)")
        for table in TABLES:
            db.execute(_view(table, "shown").encode())
            db.execute(_view(table, "leaky", masks=False).encode())
            db.execute(_view(table, "unscoped", scoped=False).encode())
        for name, rows in revealed().items():
            columns = [(c.name, c.type_name) for c in BY_NAME[name].visible]
            _fill(db, "worlds", name, [*columns, ("o", "integer")], [(*values, bits) for values, bits in rows])
        for schema in ("shown", "leaky", "unscoped"):
            db.execute(f"GRANT USAGE ON SCHEMA {schema} TO {READER}".encode())
            db.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {READER}".encode())
    with psycopg.connect(cluster.dsn(copied)) as db:
        for name, rows in revealed().items():
            columns = [(c.name, c.type_name) for c in BY_NAME[name].visible]
            _fill(db, "public", name, columns, [tuple(values) for values, _ in rows])
    return Places(cluster.dsn(database, READER, "reader"), cluster.dsn(copied), cluster.dsn(database))


def _fill(
    db: psycopg.Connection[tuple[object, ...]],
    schema: str,
    name: str,
    columns: list[tuple[str, str]],
    rows: tuple[tuple[Value, ...], ...] | list[tuple[Value, ...]],
) -> None:
    target = sql.Identifier(schema, name)
    body = ", ".join(f"{column} {type_name}" for column, type_name in columns)
    db.execute(sql.SQL("CREATE TABLE {} (").format(target) + sql.SQL(body) + sql.SQL(")"))
    marks = sql.SQL(", ").join(sql.Placeholder() * len(columns))
    for row in rows:
        db.execute(sql.SQL("INSERT INTO {} VALUES ({})").format(target, marks), row)
    db.execute(sql.SQL("ANALYZE {}").format(target))
