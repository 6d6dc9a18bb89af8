"""Rows for a schema that has none: what refers to something refers to it, by foreign key or by the data map."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import psycopg

from tests.fixtures.reading import Name, Step, name_of, place, quoted, steps

ROWS = 24
"""A table. Every fifth value of a column that may be NULL is."""

COLUMNS = """
SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod), b.typname, a.attnotnull,
       a.attgenerated <> '',
       ARRAY(SELECT enumlabel::text FROM pg_enum e WHERE e.enumtypid = b.oid ORDER BY enumsortorder),
       CASE WHEN b.typname IN ('varchar', 'bpchar') AND a.atttypmod > 4 THEN a.atttypmod - 4 END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND n.nspname !~ '^(pg_|seenby)' AND n.nspname <> 'information_schema'
ORDER BY 1, 2, a.attnum"""

KEYS = """
SELECT n.nspname, c.relname, tn.nspname, t.relname,
       ARRAY(SELECT attname::text FROM unnest(k.conkey) WITH ORDINALITY u (num, place)
             JOIN pg_attribute ON attrelid = c.oid AND attnum = num ORDER BY place),
       ARRAY(SELECT attname::text FROM unnest(k.confkey) WITH ORDINALITY u (num, place)
             JOIN pg_attribute ON attrelid = t.oid AND attnum = num ORDER BY place)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class t ON t.oid = k.confrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace WHERE k.contype = 'f'"""


@dataclass(frozen=True)
class Column:
    type: str
    base: str
    not_null: bool
    generated: bool
    labels: list[str]
    length: int | None


class Filler:
    """Which value stands in row ``n`` of a column follows from its name and number alone."""

    def __init__(self, connection: psycopg.Connection[Any], mapped: Mapping[str, Any]) -> None:
        self.connection = connection
        self.columns: dict[Name, dict[str, Column]] = {}
        for schema, table, name, *rest in connection.execute(COLUMNS).fetchall():
            self.columns.setdefault((schema, table), {})[name] = Column(*rest)
        self.steps: dict[Name, list[Step]] = {}
        for schema, table, other, target, names, targets in connection.execute(KEYS).fetchall():
            self._add((schema, table), Step(tuple(names), (other, target), tuple(targets), None))
        for written, entry in mapped["tables"].items():
            for owner in entry.get("owners", ()):
                here = name_of(written)
                way, column = steps(owner)
                for step in way:
                    self._add(here, step)
                    here = step.table
                kind = mapped["people"][owner["kind"]]
                listed = name_of(kind["table"])
                if kind.get("account", True) and (here, column) != (listed, kind["key"]):
                    self._add(here, Step((column,), listed, (kind["key"],), None))

    @classmethod
    def write(cls, connection: psycopg.Connection[Any], mapped: Mapping[str, Any]) -> None:
        assert cls(connection, mapped).fill() > ROWS * len(mapped["tables"]) // 2

    def _add(self, table: Name, step: Step) -> None:
        found = self.steps.setdefault(table, [])
        if all(one.columns != step.columns or one.when != step.when for one in found):
            found.append(step)

    def value(self, table: Name, name: str, n: int, depth: int = 0) -> str | None:
        column = self.columns[table][name]
        conditions = [step.when[1] for step in self.steps.get(table, ()) if step.when and step.when[0] == name]
        if conditions:
            return conditions[n % len(conditions)]
        leading = [step for step in self.steps.get(table, ()) if name in step.columns and depth < 6]
        if len(leading) > 1 and leading[0].when:
            leading = [step for step in leading if step.when and self.value(table, step.when[0], n) == step.when[1]]
        if leading:
            step = max(leading, key=lambda one: len(one.columns))
            pick = random.Random(f"{table} {step.columns} {n}")
            if not column.not_null and pick.random() < 0.2:
                return None
            target = step.targets[step.columns.index(name)]
            return self.value(step.table, target, pick.randint(1, ROWS), depth + 1)
        if not column.not_null and depth == 0 and random.Random(f"{table} {name} {n}").random() < 0.2:
            return None
        return self._plain(name, column, n)

    def _plain(self, name: str, column: Column, n: int) -> str | None:
        if column.labels:
            return column.labels[n % len(column.labels)]
        if column.base.startswith("_"):
            return "{}"
        match column.base:
            case "int2" | "int4" | "int8" | "numeric" | "float4" | "float8" | "oid":
                return str(n)
            case "bool":
                return "ft"[n % 2]
            case "uuid":
                return f"00000000-0000-4000-8000-{n:012x}"
            case "date" | "timestamp" | "timestamptz":
                return str(date(2025, 1, 1) + timedelta(days=n))
            case "time" | "timetz":
                return "12:00"
            case "interval":
                return f"{n} minutes"
            case "inet" | "cidr":
                return f"203.0.113.{n}"
            case "json" | "jsonb":
                return f'{{"n": {n}}}'
            case "bytea":
                return f"\\x{n:02x}"
            case "text" | "varchar" | "bpchar" | "name" | "citext":
                text = f"{name}-{n}"
                return text if column.length is None else text[-column.length :]
            case "tsvector":
                return f"word{n}"
        return None

    def fill(self) -> int:
        """Writes them; answers how many. A row that the database does not take (CHECK, UNIQUE) is left out."""
        written = 0
        self.connection.execute("SET session_replication_role = replica")
        for table, columns in self.columns.items():
            names = [name for name, column in columns.items() if not column.generated]
            listed = ", ".join(map(quoted, names))
            values = ", ".join(f"%s::{columns[name].type}" for name in names)
            statement = (
                f"INSERT INTO {place(table)} ({listed}) OVERRIDING SYSTEM VALUE"
                f" VALUES ({values}) ON CONFLICT DO NOTHING"
            )
            for n in range(1, ROWS + 1):
                try:
                    row = [self.value(table, name, n) for name in names]
                    written += self.connection.execute(statement.encode(), row).rowcount
                except psycopg.errors.IntegrityError:
                    continue
        self.connection.execute("RESET session_replication_role")
        return written
