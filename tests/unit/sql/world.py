"""The shape that the SQL tests analyse against, and the same as tables and views in a real database."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from seenby.guard.catalog import CATALOG_FUNCTIONS, CATALOG_VIEWS, INFORMATION_SCHEMA_VIEWS, REWRITTEN_FUNCTIONS
from seenby.model.classes import DataClass, Treatment
from seenby.model.shape import Catalog, KeyColumn, Shape, ShapeView, ViewColumn

CASES = Path(__file__).parent / "cases"
REVEAL, MASK = Treatment.REVEAL, Treatment.MASK
P, CONTENT, CONTACT = DataClass.PUBLIC, DataClass.CONTENT, DataClass.CONTACT
TYPES = {"bigint": 20, "integer": 23, "text": 25, "timestamp with time zone": 1184, "boolean": 16}


def _column(name: str, type_name: str, data_class: DataClass = P, treatment: Treatment = REVEAL) -> ViewColumn:
    return ViewColumn(name, treatment, data_class, TYPES[type_name], type_name)


def _view(table: str, columns: list[ViewColumn], *keys: KeyColumn, **refused: DataClass | None) -> ShapeView:
    return ShapeView("public", table, "seenby_v", table, tuple(columns), tuple(refused.items()), keys)


VIEWS = [
    _view(
        "accounts",
        [
            _column("id", "bigint"),
            _column("handle", "text"),
            _column("bio", "text", CONTENT),
            _column("phone", "text", CONTACT, MASK),
            _column("home", "text"),
            _column("coins", "integer"),
            _column("joined", "timestamp with time zone"),
        ],
        KeyColumn("seenby$1", "account", "id", lists=True),
        card=DataClass.PAYMENT,
        note=None,
    ),
    _view(
        "devices",
        [_column("id", "bigint"), _column("account_id", "bigint"), _column("model", "text", DataClass.DEVICE)],
        KeyColumn("seenby$1", "account", "account_id"),
        imei=DataClass.DEVICE,
    ),
    _view(
        "messages",
        [
            _column("id", "bigint"),
            _column("sender", "bigint"),
            _column("recipient", "bigint"),
            _column("body", "text", DataClass.COMMUNICATION),
        ],
        KeyColumn("seenby$1", "account", "sender"),
        KeyColumn("seenby$2", "account", "recipient"),
    ),
    _view(
        "contacts",
        [_column("owner", "bigint"), _column("number", "text", CONTACT)],
        KeyColumn("seenby$1", "account", "owner"),
        KeyColumn("seenby$2", "contact", "number"),
    ),
    _view(
        "regions",
        [_column("home", "text"), _column("title", "text"), _column("rank", "integer")],
        fee=DataClass.PAYMENT,
    ),
]

SHAPE = Shape(
    "0123456789abcdef",
    False,
    {(view.schema, view.table): view for view in VIEWS},
    closed={
        ("public", "payments"): (
            ("id", DataClass.PAYMENT),
            ("account_id", DataClass.PAYMENT),
            ("card", DataClass.PAYMENT),
        ),
        ("public", "faces"): (("account_id", DataClass.BIOMETRIC), ("secret", DataClass.CREDENTIAL), ("note", None)),
        ("public", "feature_flags"): (),
    },
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


CATALOG = Catalog(
    version="1",
    functions=_words(
        "count sum max min avg string_agg array_agg row_number rank lag abs round lower upper length btrim substring "
        "position extract date_trunc date_part timezone coalesce now concat left right greatest format generate_series "
        "unnest md5 make_interval replace starts_with bool_or percentile_cont current_database version trim "
        "width_bucket age"
    ),
    aggregates=_words("count sum max min avg string_agg array_agg bool_or percentile_cont"),
    windows=_words("row_number rank lag"),
    set_returning=_words("generate_series unnest"),
    types=_words("text varchar char int2 int4 int8 numeric float8 bool date timestamptz interval bpchar jsonb"),
    catalog_views=CATALOG_VIEWS | INFORMATION_SCHEMA_VIEWS,
    catalog_functions=CATALOG_FUNCTIONS,
    tables={
        **{(view.schema, view.table): tuple(column.name for column in view.columns) for view in VIEWS},
        ("public", "payments"): ("id", "account_id", "card"),
        ("public", "faces"): ("account_id", "secret", "note"),
        ("public", "feature_flags"): ("name",),
        ("audit", "trail"): ("id",),
    },
    rewritten_functions=REWRITTEN_FUNCTIONS,
    primary_keys={("public", "accounts"): ("id",)},
    unique_keys={
        ("public", table): frozenset({frozenset({column})})
        for table, column in (("accounts", "id"), ("devices", "id"), ("messages", "id"), ("regions", "home"))
    },
)

TABLES = """
CREATE TABLE {0}.accounts (id bigint PRIMARY KEY, handle text, bio text, phone text, home text, coins int,
    joined timestamptz);
CREATE TABLE {0}.devices (id bigint, account_id bigint, model text);
CREATE TABLE {0}.messages (id bigint, sender bigint, recipient bigint, body text);
CREATE TABLE {0}.contacts (owner bigint, number text);
CREATE TABLE {0}.regions (home text, title text, rank int);
INSERT INTO {0}.accounts SELECT n, 'h' || n, nullif('bio ' || n % 5, 'bio 3'), '+44' || n,
    (ARRAY['eu','us'])[1 + n % 2], nullif(n % 4, 3), '2026-01-01 12:00Z'::timestamptz + n * interval '20 days'
    FROM generate_series(1, 12) n;
INSERT INTO {0}.devices SELECT 100 + n, 1 + n % 9, nullif('m' || n % 3, 'm2') FROM generate_series(1, 14) n;
INSERT INTO {0}.messages SELECT 200 + n, 1 + n % 7, 1 + (n * 5) % 11, 'hi ' || n FROM generate_series(1, 20) n;
INSERT INTO {0}.contacts SELECT 1 + n % 6, '+44' || n FROM generate_series(3, 15) n;
INSERT INTO {0}.regions VALUES ('eu', 'Europe', 1), ('us', 'United States', 2), ('xx', NULL, NULL);
"""
"""The platform's tables, as the grant would copy them: what is refused is not there."""


def database_sql() -> str:
    """Tables in ``public``, and the same with key columns in ``seenby_v``."""
    views = [
        f"CREATE VIEW seenby_v.{view.table} AS SELECT *, {keys} FROM public.{view.table};"
        if (keys := ", ".join(f'{key.pins}::text AS "{key.name}"' for key in view.keys))
        else f"CREATE VIEW seenby_v.{view.table} AS SELECT * FROM public.{view.table};"
        for view in VIEWS
    ]
    served = """
        CREATE SCHEMA seenby_v;
        CREATE SCHEMA seenby_catalog;
        CREATE FUNCTION seenby_catalog.current_schema() RETURNS name STABLE RETURN 'public'::name;
    """
    return TABLES.format("public") + served + "".join(views)


def cases(name: str) -> list[dict[str, Any]]:
    """The cases of one file, with the number that a failure names."""
    found: list[dict[str, Any]] = tomllib.loads((CASES / f"{name}.toml").read_text())["case"]
    return found
