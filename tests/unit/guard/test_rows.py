"""Which rows and values a view shows, against a second telling of the same rules in Python (docs/formats/datamap.md).

Generated: nullable and dangling references, one to three owners, all/any, hops (also with a condition, or along two
columns), tables without a key, people without an account, regions that are NULL or told by a country; each map is asked
fenced, listed and region-wide.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from seenby.datamap import ColumnFact, DatabaseFacts, DataMap, OwnerPath, RowScope, TableFact, TableName, parse
from seenby.guard import FENCE_LIMIT, Fence, design
from seenby.model.classes import DataClass
from seenby.model.grant import Cell, GrantTerms
from seenby.model.people import Person
from seenby.stores.cluster import Cluster

pytestmark = pytest.mark.postgres

MAPS = 400 if os.environ.get("SEENBY_CAMPAIGN") == "long" else 40
REGIONS = ("eu", "us", "jp")

SCHEMA = """
CREATE SCHEMA seenby;
CREATE TABLE seenby.scope (role name, kind text, person text, PRIMARY KEY (role, kind, person));
CREATE TABLE seenby.shape_schema (nspname name PRIMARY KEY, shows_as name);
CREATE ROLE seenby_rows_oracle;
CREATE TABLE people (id bigint PRIMARY KEY, region text, country char(2), name text);
CREATE TABLE posts (id bigint PRIMARY KEY, a bigint, b bigint, phone text, body text, place text,
  kind text NOT NULL, UNIQUE (id, kind));
CREATE TABLE likes (id bigint PRIMARY KEY, post_id bigint, liker bigint, mark text, what text);
"""


def column(name: str, base: str, *, not_null: bool = False) -> ColumnFact:
    oid, typed, category = {
        "int8": (20, "bigint", "N"),
        "text": (25, "text", "S"),
        "bpchar": (1042, "character(2)", "S"),
    }[base]
    return ColumnFact(name, oid, typed, base, typed, category, not_null)


def table(name: str, /, **columns: str) -> TableFact:
    facts = {n: column(n, base, not_null=n in {"id", "kind"}) for n, base in columns.items()}
    unique = frozenset({frozenset({"id"}), frozenset({"id", "kind"})})
    return TableFact(TableName("public", name), 1, facts, unique, frozenset({"id"}))


FACTS = DatabaseFacts(
    "v1",
    {
        fact.name: fact
        for fact in (
            table("people", id="int8", region="text", country="bpchar", name="text"),
            table("posts", id="int8", a="int8", b="int8", phone="text", body="text", place="text", kind="text"),
            table("likes", id="int8", post_id="int8", liker="int8", mark="text", what="text"),
        )
    },
)  # fmt: skip


@dataclass(frozen=True)
class World:
    people: dict[int, str | None]  # id -> region
    posts: dict[int, dict[str, object]]
    likes: dict[int, dict[str, object]]

    @classmethod
    def generate(cls, dice: random.Random) -> World:
        ids = range(1, 9)
        someone = [*ids, *ids, 99, None]  # 99: nobody has this id
        posts = {
            n: {"id": n, "a": dice.choice(someone), "b": dice.choice(someone), "phone": dice.choice(["+1", "+2", None]),
                "body": f"body {n}", "place": f"place {n}", "kind": dice.choice(["post", "it's an ad"])}
            for n in range(1, 25)
        }  # fmt: skip
        likes = {
            n: {
                "id": n,
                "post_id": dice.choice([*range(1, 25), 77, None]),
                "liker": dice.choice(someone),
                "mark": f"mark {n}",
                "what": dice.choice(["post", "post", "it's an ad", None]),
            }
            for n in range(1, 40)
        }
        return cls({n: dice.choice([*REGIONS, *REGIONS, None]) for n in ids}, posts, likes)

    def load(self, connection: psycopg.Connection) -> None:
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO people VALUES (%s, %s, %s, 'n' || %s)",
                [(n, r, COUNTRY.get(r or ""), n) for n, r in self.people.items()],
            )
            for name, rows in (("posts", self.posts), ("likes", self.likes)):
                for row in rows.values():
                    cursor.execute(f"INSERT INTO {name} VALUES ({', '.join(['%s'] * len(row))})", list(row.values()))


COUNTRY = {"eu": "at", "us": "US", "jp": "jp"}
BY_COUNTRY = 'country_column = "country"\ncountries = { eu = ["AT", "BE"], us = ["CA", "US"] }'


def generate_map(dice: random.Random) -> str:
    """TOML of a closed map: likes own what their posts do."""
    posts = [("account", ["a"], dice.random() < 0.5)]
    if dice.random() < 0.7:
        posts.append(("account", ["b"], dice.random() < 0.5))
    if dice.random() < 0.4:
        posts.append(("contact", ["phone"], dice.random() < 0.5))
    likes = [("account", ["liker"], dice.random() < 0.5)] if dice.random() < 0.7 else []
    through_posts = bool(not likes or dice.random() < 0.6)
    if through_posts:
        hop, never = dice.choice(
            [
                ("post_id -> posts.id", False),
                ("post_id -> posts.id when what = it's an ad", True),
                ("post_id, what -> posts.id, kind", False),
            ]
        )
        likes += [(kind, [hop, *path], never or dice.random() < 0.5) for kind, path, _ in posts]

    def owners(paths: list[tuple[str, list[str], bool]]) -> str:
        listed = (f'{{ kind = "{k}", path = {p}, nullable = {str(n).lower()} }}' for k, p, n in paths)
        return f"[{', '.join(listed)}]"

    contact = any(kind == "contact" for kind, _, _ in posts)
    home = dice.choice(['region_column = "region"', BY_COUNTRY, f'{BY_COUNTRY}\nregion = "jp"'])
    people = '[people.contact]\ntable = "posts"\nkey = "phone"\naccount = false\nregion = "eu"\n' if contact else ""
    return f"""
version = 1
mask = ["location"]
[people.account]
table = "people"
key = "id"
{home}
{people}
[tables.people]
key = ["id"]
owners = [{{ kind = "account", path = "id" }}]
columns = {{ id = "public", name = "identity" }}
[tables.posts]
key = {dice.choice(['["id"]', '["id"]', "[]"])}
scope = "{dice.choice(["all", "any"])}"
owners = {owners(posts)}
columns = {{ id = "content", body = "content", place = "location" }}
[tables.likes]
key = {dice.choice(['["id"]', '["id"]', "[]"])}
scope = "{dice.choice(["all", "any"])}"
owners = {owners(likes)}
columns = {{ id = "behaviour", mark = "behaviour" }}
"""


@dataclass(frozen=True)
class Reached:
    """Where a path of one row leads: a person, nobody (NULL), or nowhere (the row it names is missing)."""

    person: str | None
    region: str | None = None
    absent: bool = False


class Reference:
    """The rules once more, row by row."""

    def __init__(self, world: World, datamap: DataMap, terms: GrantTerms) -> None:
        self.world, self.datamap, self.terms = world, datamap, terms
        self.cells = {cell.what: set(cell.regions) for cell in terms.cells}

    def reach(self, row: dict[str, object], owner: OwnerPath) -> Reached:
        for hop in owner.hops:
            if hop.when and row[hop.when[0]] != hop.when[1]:
                return Reached(None, absent=True)
            values = [row[column] for column in hop.columns]
            if None in values:
                return Reached(None, absent=True)
            found = self.world.posts.get(int(str(values[0])))
            if found is None or [found[target] for target in hop.targets] != values:
                return Reached(None)
            row = found
        value = row[owner.column]
        if value is None:
            return Reached(None, absent=True)
        if owner.kind == "contact":
            return Reached(str(value), "eu")
        if int(str(value)) not in self.world.people:
            return Reached(None)
        return Reached(str(value), self.home(self.world.people[int(str(value))]))

    def home(self, region: str | None) -> str | None:
        """By country, Japan is listed nowhere, and neither is somebody without a country."""
        countries = self.datamap.kinds["account"].countries
        return region if countries is None or region in {"eu", "us"} else countries.rest

    def in_scope(self, reached: Reached, kind: str, regions: set[str]) -> bool:
        if reached.person is None or reached.region not in regions:
            return False
        return self.terms.people is None or Person(kind, reached.person) in self.terms.people

    def rows(self, name: str, rows: dict[int, dict[str, object]]) -> Counter[tuple[object, ...]]:
        table = self.datamap.tables[TableName("public", name)]
        home = set(self.terms.home_regions)
        revealing = {
            c.name: home if c.data_class is DataClass.PUBLIC else self.cells.get(c.data_class, set())
            for c in table.columns.values()
        }
        regions = set().union(*revealing.values())
        visible = [c for c in table.columns.values() if revealing[c.name] or c.mask]
        shown: Counter[tuple[object, ...]] = Counter()
        for row in rows.values():
            reached = [self.reach(row, owner) for owner in table.owners]
            pairs = list(zip(reached, table.owners, strict=True))
            inside = [self.in_scope(r, o.kind, regions) for r, o in pairs]
            missing = [r.absent and o.nullable for r, o in pairs]
            if table.scope is RowScope.ANY:
                if not any(inside):
                    continue
            elif not all(i or m for i, m in zip(inside, missing, strict=True)) or all(missing):
                continue
            values = []
            for c in visible:
                if table.scope is RowScope.ANY:
                    reveal = any(i and r.region in revealing[c.name] for i, r in zip(inside, reached, strict=True))
                else:
                    reveal = all(m or r.region in revealing[c.name] for m, r in zip(missing, reached, strict=True))
                values.append(row[c.name] if reveal else None)
            shown[*values, *(r.person for r in reached)] += 1
        return shown


@pytest.fixture(scope="module")
def database(cluster: Cluster) -> Iterator[psycopg.Connection]:
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE rows_oracle")
    with psycopg.connect(cluster.dsn("rows_oracle")) as connection:
        connection.execute(SCHEMA)
        connection.commit()
        yield connection
        connection.rollback()
        connection.execute("DROP ROLE seenby_rows_oracle")
        connection.commit()


@pytest.mark.parametrize("number", range(MAPS))
def test_views_show_what_the_rules_say(database: psycopg.Connection, number: int) -> None:
    dice = random.Random(f"{os.environ['SEENBY_SEED']} rows {number}")
    world = World.generate(dice)
    datamap = parse(generate_map(dice), source="map", region="eu")
    world.load(database)
    try:
        for fence in Fence:
            what = dice.sample(["content", "location", "identity", "behaviour", "public"], k=3)
            cells = tuple(Cell(one, tuple(dice.sample(REGIONS, k=dice.randint(1, 2)))) for one in what)
            terms = grant(cells, people(dice, fence))
            made = design(terms, datamap, FACTS)
            assert made.fence is fence
            database.execute("SAVEPOINT views")
            for statement in (*made.as_guard, *made.as_owner):
                database.execute(statement)
            with database.cursor() as cursor:
                cursor.executemany(
                    "INSERT INTO seenby.scope VALUES (CURRENT_USER, %s, %s)",
                    [(p.kind, p.key) for p in terms.people or ()],
                )
            reference = Reference(world, datamap, terms)
            for view in made.shape.views.values():
                base = {
                    "people": {n: {"id": n, "name": f"n{n}"} for n in world.people},
                    "posts": world.posts,
                    "likes": world.likes,
                }
                fetched = database.execute(f'SELECT * FROM {view.view_schema}."{view.view}"').fetchall()
                expected = reference.rows(view.table, base[view.table])
                assert Counter(fetched) == expected, (fence, view.table, terms.cells)
            database.execute("ROLLBACK TO views")
    finally:
        database.rollback()


def people(dice: random.Random, fence: Fence) -> tuple[Person, ...] | None:
    if fence is Fence.REGIONS:
        return None
    chosen = [Person("account", str(n)) for n in dice.sample(range(1, 9), k=5)]
    if fence is Fence.LISTED:
        chosen += [Person("account", str(n)) for n in range(1000, 1000 + FENCE_LIMIT)]
    return tuple(chosen)


def grant(cells: tuple[Cell, ...], people: tuple[Person, ...] | None) -> GrantTerms:
    return GrantTerms("0" * 32, "eu", "p", "IE", "E", "u", "r", "support", "T", cells, people, 0, 1, 1, 1, 2, 0)
