"""Whatever is not refused does not tell who was at the same place: generated queries, in two worlds.

In the second world everybody's places are their own: a person who was at places 1, 2, 1 was there too at some x, y, x,
but nobody else ever was at x or y. A query that compares nobody's places with anybody else's cannot tell the worlds
apart, as long as it does not show the places themselves. So each generated query that the analysis lets pass gives the
same rows in both.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from random import Random
from typing import Any

import psycopg
import pytest

from seenby import sql
from seenby.model.classes import DataClass, Treatment
from seenby.model.plan import RefusedPlan
from seenby.model.shape import KeyColumn, Shape, ShapeView, ViewColumn
from seenby.stores.cluster import Cluster
from tests.oracles.world import CATALOG

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("oracles")]

LONG = os.environ.get("SEENBY_CAMPAIGN") == "long"
QUERIES = 20_000 if LONG else 600

Columns = list[tuple[str, str]]  # (how it is written, its type: person, device, place, number, places)

TABLES: dict[str, Columns] = {
    "people": [("id", "person"), ("coins", "number")],
    "devices": [("id", "device"), ("person_id", "person"), ("serial", "place")],
    "visits": [("id", "number"), ("device_id", "device"), ("place", "place"), ("at", "number")],
}
PINS = {"people": "id", "devices": "person_id"}
ROWS = {("devices", "id"): "devices.id", ("visits", "device_id"): "devices.id", ("visits", "id"): "visits.id"}
PEOPLE, DEVICES, VISITS, PLACES = 6, 9, 30, 4


def shape() -> Shape:
    views = {}
    for table, columns in TABLES.items():
        made = tuple(
            ViewColumn(
                name, Treatment.REVEAL, DataClass.LOCATION, 20, "bigint",
                links=kind == "place", row=ROWS.get((table, name), ""),
            )
            for name, kind in columns
        )  # fmt: skip
        keys = (KeyColumn("seenby$1", "person", PINS.get(table, "")),)
        views["public", table] = ShapeView("public", table, "shown", table, made, (), keys)
    return Shape("0" * 16, fenced=False, views=views)


def fill(connection: psycopg.Connection[Any], random: Random) -> None:
    """Schemas ``one`` and ``two``."""
    owner = {device: random.randint(1, PEOPLE) for device in range(1, DEVICES + 1)}
    seen = [(n, random.randint(1, DEVICES), random.choice([None, *range(1, PLACES + 1)]), n) for n in range(VISITS)]
    serials = {device: random.randint(1, 3) for device in owner}
    for schema in ("one", "two"):
        connection.execute(f"CREATE SCHEMA {schema}; SET search_path = {schema}".encode())
        for table, columns in TABLES.items():
            connection.execute(f"CREATE TABLE {table} ({', '.join(f'{c} bigint' for c, _ in columns)})".encode())

        def own(place: int | None, person: int, schema: str = schema) -> int | None:
            return place if place is None or schema == "one" else person * 1000 + place

        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO people VALUES (%s, %s)", [(n, n % 3) for n in range(1, PEOPLE + 1)])
            cursor.executemany(
                "INSERT INTO devices VALUES (%s, %s, %s)",
                [(device, person, own(serials[device], person)) for device, person in owner.items()],
            )
            cursor.executemany(
                "INSERT INTO visits VALUES (%s, %s, %s, %s)",
                [(n, device, own(place, owner[device]), at) for n, device, place, at in seen],
            )


class Generator:
    """Queries that like to compare places, in all the ways that SQL has."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self._made = 0

    def query(self) -> str:
        """A whole statement, which shows no place."""
        ctes: dict[str, Columns] = {}
        text = ""
        if self.random.random() < 0.3:
            inner, columns = self.select(1, [], ctes)
            ctes["w"] = columns
            text = f"WITH w AS ({inner}) "
        inner, columns = self.select(2, [], ctes)
        shown = [f"q.{name}" if kind not in {"place", "places"} else f"q.{name} IS NULL" for name, kind in columns]
        outer = self.random.choice([f"SELECT {', '.join(shown)}", "SELECT count(*)"])
        return f"{text}{outer} FROM ({inner}) q"

    def _name(self) -> str:
        self._made += 1
        return f"t{self._made}"

    def select(self, depth: int, outside: Columns, ctes: dict[str, Columns]) -> tuple[str, Columns]:
        """A SELECT with its outputs ``c0``, ``c1`` ..."""
        left, columns = self.block(depth, outside, ctes)
        if self.random.random() < 0.8:
            return left, columns
        operation = self.random.choice(["UNION ALL", "UNION ALL", "UNION", "INTERSECT", "EXCEPT"])
        right, _ = self.block(depth, outside, ctes, kinds=[kind for _, kind in columns])
        return f"{left} {operation} {right}", columns

    def block(
        self, depth: int, outside: Columns, ctes: dict[str, Columns], kinds: list[str] | None = None
    ) -> tuple[str, Columns]:
        there, parts = self.source(depth, outside, ctes)
        where = " AND ".join(self.condition(depth, there, outside, ctes) for _ in range(self.random.randint(0, 2)))
        where = f" WHERE {where}" if where else ""
        if kinds is not None:
            values = [self._of(there, kind) or "NULL::bigint" for kind in kinds]
            values = ["NULL::bigint[]" if kind == "places" else one for one, kind in zip(values, kinds, strict=True)]
            return f"SELECT {', '.join(values)} FROM {parts}{where}", []
        form = self.random.choice(["plain", "plain", "plain", "group", "group", "distinct", "window", "lone"])
        picked = self.random.sample(there, min(len(there), self.random.randint(1, 3)))
        if form == "plain":
            outputs = picked + [(self.value(depth, there, outside, ctes), "number")] * (self.random.random() < 0.3)
            return self._select("SELECT", outputs, f"FROM {parts}{where}")
        if form == "distinct":
            on = f" ON ({picked[0][0]})" if self.random.random() < 0.3 else ""
            return self._select(f"SELECT DISTINCT{on}", picked, f"FROM {parts}{where}")
        if form == "window":
            return self._select("SELECT", [*picked, self.window(there)], f"FROM {parts}{where}")
        figures = [self.figure(there) for _ in range(self.random.randint(1, 2))]
        if form == "lone":
            return self._select("SELECT", figures, f"FROM {parts}{where}")
        group = f"GROUP BY {', '.join(name for name, _ in picked)}"
        having = self.random.choice(["", " HAVING count(*) > 1"])
        if (person := self._of(there, "person")) and self.random.random() < 0.3:
            having = f" HAVING count(DISTINCT {person}) > 1"
        return self._select("SELECT", picked + figures, f"FROM {parts}{where} {group}{having}")

    @staticmethod
    def _select(select: str, outputs: Columns, rest: str) -> tuple[str, Columns]:
        written = ", ".join(f"{text} AS c{place}" for place, (text, _) in enumerate(outputs))
        return f"{select} {written} {rest}", [(f"c{place}", kind) for place, (_, kind) in enumerate(outputs)]

    def source(self, depth: int, outside: Columns, ctes: dict[str, Columns]) -> tuple[Columns, str]:
        """FROM, and what can be named of it."""
        text, there = self.relation(depth, outside, ctes)
        for _ in range(self.random.choice([0, 1, 1, 2])):
            lateral = depth > 0 and self.random.random() < 0.1
            other, columns = self.relation(depth, there if lateral else outside, ctes, lateral=lateral)
            kind = self.random.choice(["JOIN", "JOIN", "JOIN", "LEFT JOIN", "FULL JOIN", ","])
            if kind == "," or (lateral and kind == "FULL JOIN"):
                text, there = f"{text} CROSS JOIN {other}", there + columns
                continue
            on = self._equal(there, columns)
            if kind != "FULL JOIN" and self.random.random() < 0.2:
                on += f" AND {self._equal(there + columns, there + columns)}"
            text, there = f"{text} {kind} {other} ON {on}", there + columns
        return there, text

    def relation(
        self, depth: int, outside: Columns, ctes: dict[str, Columns], *, lateral: bool = False
    ) -> tuple[str, Columns]:
        alias = self._name()
        if lateral or (depth > 0 and self.random.random() < 0.3):
            inner, columns = self.select(depth - 1, outside, ctes)
            text = f"{'LATERAL ' if lateral else ''}({inner}) {alias}"
        elif ctes and self.random.random() < 0.5:
            (columns,) = ctes.values()
            text = f"w {alias}"
        else:
            table = self.random.choice(list(TABLES))
            text, columns = f"{table} {alias}", TABLES[table]
        return text, [(f"{alias}.{name}", kind) for name, kind in columns]

    def _of(self, columns: Columns, kind: str) -> str:
        found = [name for name, one in columns if one == kind]
        return self.random.choice(found) if found else ""

    def _equal(self, left: Columns, right: Columns) -> str:
        pairs = [(a, b, kind) for a, kind in left for b, other in right if kind == other and a != b]
        keys = [pair for pair in pairs if pair[2] in {"person", "device"}]
        if not pairs:
            return "true"
        one, other, kind = self.random.choice(keys if keys and self.random.random() < 0.6 else pairs)
        if kind == "places":
            return f"{one} && {other}"
        return self.random.choice([f"{one} = {other}", f"{one} = {other}", f"{one} - {other} = 0"])

    def condition(self, depth: int, there: Columns, outside: Columns, ctes: dict[str, Columns]) -> str:
        choice = self.random.random()
        if choice < 0.25:
            return self._equal(there, there + outside)
        if choice < 0.5:
            keys = [name for name, kind in there if kind in {"person", "device", "number"}]
            return f"{self.random.choice(keys)} = {self.random.randint(1, 4)}" if keys else "true"
        if choice < 0.6 and (place := self._of(there, "place")):
            return f"{place} IS {self.random.choice(['', 'NOT '])}NULL"
        if choice < 0.7:
            one, other = (self.condition(0, there, outside, ctes) for _ in range(2))
            return self.random.choice([f"({one} OR {other})", f"NOT ({one})"])
        if depth == 0:
            return self._equal(there, there + outside)
        if choice < 0.85 and (place := self._of(there, self.random.choice(["place", "place", "device", "person"]))):
            kind = next(kind for name, kind in there if name == place)
            inner, _ = self.block(depth - 1, there, ctes, kinds=[kind])
            return f"{place} {self.random.choice(['IN', 'IN', 'NOT IN'])} ({inner})"
        inner, _ = self.select(depth - 1, there, ctes)
        return self.random.choice(
            [f"EXISTS ({inner})", f"NOT EXISTS ({inner})", f"(SELECT count(*) FROM ({inner}) n) > 1"]
        )

    def value(self, depth: int, there: Columns, outside: Columns, ctes: dict[str, Columns]) -> str:
        return f"CASE WHEN {self.condition(depth, there, outside, ctes)} THEN 1 ELSE 0 END"

    def window(self, there: Columns) -> tuple[str, str]:
        partition = self.random.sample(there, min(len(there), self.random.randint(0, 2)))
        by = f"PARTITION BY {', '.join(name for name, _ in partition)}" if partition else ""
        if (place := self._of(there, "place")) and self.random.random() < 0.4:
            return f"max({place}) OVER ({by})", "place"
        if place and self.random.random() < 0.2:
            return f"rank() OVER ({by} ORDER BY {place})", "number"
        return f"count(*) OVER ({by})", "number"

    def figure(self, there: Columns) -> tuple[str, str]:
        place = self._of(there, "place")
        if not place:
            return "count(*)", "number"
        return self.random.choice([
            ("count(*)", "number"), (f"count({place})", "number"), (f"count(DISTINCT {place})", "number"),
            (f"min({place})", "place"), (f"max({place}) FILTER (WHERE {self._equal(there, there)})", "place"),
            (f"array_agg({place})", "places"), (f"(min({place}) = max({place}))::int", "number"),
        ])  # fmt: skip


@pytest.fixture(scope="module")
def worlds(cluster: Cluster) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(cluster.dsn(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE linkage")
    with psycopg.connect(cluster.dsn("linkage"), autocommit=True) as connection:
        fill(connection, Random(1))
        connection.execute("SET statement_timeout = '300ms'; SET jit = off")
        yield connection


def rows(connection: psycopg.Connection[Any], schema: str, text: str) -> list[str] | None:
    """None: it took too long, or is no SQL."""
    try:
        connection.execute(f"SET search_path = {schema}".encode())
        return sorted(map(str, connection.execute(text.encode()).fetchall()))
    except psycopg.Error:
        return None


def test_what_passes_cannot_tell_who_was_at_the_same_place(worlds: psycopg.Connection[Any]) -> None:
    random = Random(f"{os.environ['SEENBY_SEED']} linkage")
    generator, shown = Generator(random), shape()
    passed = refused = needless = 0
    for _ in range(QUERIES):
        text = generator.query()
        (plan,) = sql.analyse(text, shown, CATALOG, cap=1000)
        if isinstance(plan, RefusedPlan) and "links people" not in plan.error.message:
            assert plan.error.sqlstate in {"0A000", "42501", "54001"}, (text, plan.error)
            continue
        one = rows(worlds, "one", text)
        two = rows(worlds, "two", text)
        if one is None or two is None:
            continue
        if isinstance(plan, RefusedPlan):
            refused += 1
            needless += one == two
        else:
            passed += 1
            assert one == two, text
    print(f"\n{passed} passed, {refused} refused, of which {refused - needless} told something in this world")
    assert passed > QUERIES // 10
    assert refused - needless > QUERIES // 30
