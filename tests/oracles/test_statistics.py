"""Statistics against brute force: whom each figure is about, which are shown, and which two tell on somebody.

Generated statistics run over the shape's views as the gateway runs them. The reference reads the plain tables: the
people of each group are a list, and two lists are compared name by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import psycopg
import pytest

from seenby.attribute.cohorts import Cohort, Groups, Memory, Row
from seenby.model.grant import Answers
from seenby.model.plan import Bound, QueryPlan
from seenby.model.statistic import Answering, Thresholds
from seenby.sql import analyse
from seenby.stores.cluster import Cluster
from tests.fixtures.generated import LONG, SEED
from tests.unit.sql.world import CATALOG, SHAPE, database_sql

pytestmark = pytest.mark.postgres

LEAST = 5
ONLY = Answering(Answers.STATISTICS, Thresholds(LEAST), seed=SEED)
STATISTICS = 40
ROUNDS = 200 if LONG else 12

MORE = """
INSERT INTO public.accounts SELECT n, 'h' || n, nullif('bio ' || n % 7, 'bio 3'), '+44' || n,
    (ARRAY['eu','us','xx'])[1 + n % 3], nullif(n % 4, 3), '2026-01-01 12:00Z'::timestamptz + n * interval '2 days'
    FROM generate_series(13, 60) n;
INSERT INTO public.devices SELECT 200 + n, 1 + (n * 7) % 50, 'm' || n % 4 FROM generate_series(1, 90) n;
INSERT INTO public.messages SELECT 400 + n, 1 + (n * n) % 41, 1 + (n * 11) % 53, 'hi' FROM generate_series(1, 200) n;
INSERT INTO public.contacts SELECT 1 + (n * 3) % 31, '+44' || n % 43 FROM generate_series(20, 120) n;
"""


@dataclass(frozen=True)
class Source:
    """A FROM clause, what its people are, columns with numbers and with words."""

    text: str
    keys: tuple[tuple[str, str], ...]
    tables: frozenset[str]
    numbers: tuple[str, ...]
    words: tuple[str, ...]


ACCOUNTS = (("account", "a.id"),)
NUMBERS, WORDS = ("a.id", "a.coins"), ("a.home", "a.bio")
SOURCES = (
    Source("accounts a", ACCOUNTS, frozenset({"accounts"}), NUMBERS, WORDS),
    Source("(SELECT * FROM accounts WHERE coins IS NOT NULL) a", ACCOUNTS, frozenset({"accounts"}), NUMBERS, WORDS),
    Source("accounts a JOIN regions r ON r.home = a.home", ACCOUNTS, frozenset({"accounts"}), NUMBERS, ("r.title",)),
    Source(
        "accounts a JOIN devices d ON d.account_id = a.id",
        ACCOUNTS,
        frozenset({"accounts", "devices"}),
        (*NUMBERS, "d.id"),
        (*WORDS, "d.model"),
    ),
    Source("devices d", (("account", "d.account_id"),), frozenset({"devices"}), ("d.id", "d.account_id"), ("d.model",)),
    Source(
        "messages m",
        (("account", "m.sender"), ("account", "m.recipient")),
        frozenset({"messages"}),
        ("m.id", "m.sender", "m.recipient"),
        ("m.body",),
    ),
    Source(
        "accounts a JOIN messages m ON m.sender = a.id",
        (("account", "a.id"), ("account", "m.recipient")),
        frozenset({"accounts", "messages"}),
        (*NUMBERS, "m.recipient"),
        WORDS,
    ),
    Source(
        "contacts c",
        (("account", "c.owner"), ("contact", "c.number")),
        frozenset({"contacts"}),
        ("c.owner",),
        ("c.number",),
    ),
)


@dataclass(frozen=True)
class Asked:
    source: Source
    where: str
    groups: tuple[str, ...]

    def text(self, output: str, *, grouped: bool = True) -> str:
        by = f" GROUP BY {', '.join(self.groups)}" if self.groups and grouped else ""
        return f"SELECT {output} FROM {self.source.text} WHERE {self.where}{by}"

    @property
    def statistic(self) -> str:
        return self.text(", ".join([*self.groups, "count(*)", self.figure]))

    @property
    def figure(self) -> str:
        return "sum(a.coins)" if "a.coins" in self.source.numbers else f"count({self.source.words[0]})"


WHO = frozenset({"a.id", "d.id", "d.account_id", "m.id", "m.sender", "m.recipient", "c.owner", "c.number"})
"""Columns that say who somebody is. Beside a condition on one of these, no other is about two columns."""


def ask(random: Random) -> Asked:
    source = random.choice(SOURCES)
    who = random.random() < 0.6
    numbers = [one for one in source.numbers if who or one not in WHO]
    words = [one for one in source.words if who or one not in WHO]

    def condition(column: str) -> str:
        one = random.randint(1, 60)
        if column in source.numbers:
            return random.choice([
                "true", f"{column} <> {one}", f"{column} > {one // 8}", f"{column} NOT IN ({one}, {one + 1})",
                f"{column} NOT BETWEEN {one} AND {one + 6}",
            ])  # fmt: skip
        both = f"NOT ({column} = 'eu' AND a.coins = {one % 9})"
        return random.choice(["true", f"{column} IS NOT NULL", both if not who and column[:2] == "a." else "true"])

    # A condition about two tables at once is no part of a statistic.
    tables = sorted({column[:2] for column in (*numbers, *words)})
    parts = []
    for table in random.sample(tables, random.randint(min(1, len(tables)), len(tables))):
        of_table = [one for one in (*numbers, *words) if one.startswith(table)]
        first = random.choice(of_table)
        second = first if who else random.choice(of_table)
        parts.append(f"({condition(first)} {random.choice(['AND', 'OR'])} {condition(second)})")
    where = " AND ".join(parts) or "true"
    word = random.choice(source.words) if who else random.choice(words or [""])
    ways: list[tuple[str, ...]] = [(), ()]
    if word:
        ways.append((word,))
    if numbers:
        number = random.choice(numbers)
        ways += [(f"CASE WHEN {number} < 20 THEN 1 WHEN {number} < 40 THEN 2 END",),
                 (f"{number} = {random.randint(1, 60)}",)]  # fmt: skip
        if word:
            ways.append((word, f"{number} > 20"))
    groups = random.choice(ways)
    identified = {column for _, column in source.keys}
    return Asked(source, where, tuple(dict.fromkeys(one for one in groups if one not in identified)))


People = Counter[str]
"""person -> rows"""


@dataclass
class Truth:
    """What a statistic is about: per group, the people of each key column."""

    groups: dict[tuple[Any, ...], list[People]]

    def large(self) -> dict[tuple[Any, ...], list[People]]:
        return {group: each for group, each in self.groups.items() if all(len(one) >= LEAST for one in each)}

    def cohorts(self, asked: Asked) -> list[tuple[str, frozenset[str], People]]:
        """Everybody told about: each large group, and all of them together."""
        large = self.large()
        if not large:
            return []
        found = [*large.values()]
        found.append(
            [sum((each[place] for each in large.values()), People()) for place in range(len(asked.source.keys))]
        )
        kinds = [kind for kind, _ in asked.source.keys]
        return [(kind, asked.source.tables, people) for each in found for kind, people in zip(kinds, each, strict=True)]


class World:
    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection

    def rows(self, text: str, schema: str) -> list[tuple[Any, ...]]:
        self.connection.execute(f"SET search_path TO {schema}".encode())
        return self.connection.execute(text.encode()).fetchall()

    def truth(self, asked: Asked) -> Truth:
        groups: dict[tuple[Any, ...], list[People]] = {}
        width = len(asked.groups)
        keys = [f"({column})::text" for _, column in asked.source.keys]
        for row in self.rows(asked.text(", ".join([*asked.groups, *keys]), grouped=False), "public"):
            each = groups.setdefault(row[:width], [People() for _ in keys])
            for people, key in zip(each, row[width:], strict=True):
                if key is not None:
                    people[key] += 1
        return Truth(groups)

    def sketched(self, plan: QueryPlan) -> Groups:
        assert plan.cohort is not None
        made = Groups(plan.cohort.levels, plan.cohort.least)
        for row in self.rows(plan.cohort.sql, "seenby_v"):
            made.add(Row(*(None if value is None else int(value) for value in row)))  # type: ignore[arg-type]
        return made


@pytest.fixture(scope="module")
def world(cluster: Cluster) -> Iterator[World]:
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE statistics_oracle")
    with psycopg.connect(cluster.dsn("statistics_oracle"), autocommit=True) as connection:
        connection.execute(database_sql().encode())
        connection.execute(MORE.encode())
        yield World(connection)


FULL = replace(CATALOG, required={name: frozenset(columns) for name, columns in CATALOG.tables.items()})
"""Whose values are behind a figure, where some are NULL, is what test_wide_statistics.py asks."""


def planned(asked: Asked) -> QueryPlan:
    (plan,) = analyse(asked.statistic, SHAPE, FULL, cap=1000, answering=ONLY)
    assert isinstance(plan, QueryPlan), (asked, plan)
    assert plan.bound is Bound.STATISTIC
    return plan


def differences(one: People, other: People) -> tuple[int, int]:
    """(people in one of the two alone, people in both with another number of rows)"""
    return len(one.keys() ^ other.keys()), sum(one[person] != other[person] for person in one.keys() & other.keys())


@pytest.mark.parametrize("number", range(ROUNDS))
def test_against_brute_force(world: World, number: int) -> None:
    random = Random(f"{SEED}/statistics/{number}")
    memory, told = Memory(), list[tuple[str, frozenset[str], People]]()
    answered = alarms = 0
    for _ in range(STATISTICS):
        asked = ask(random)
        plan, truth = planned(asked), world.truth(asked)
        groups = world.sketched(plan)

        # Which groups are shown, and what they say.
        large = truth.large()
        shown = world.rows(plan.sql, "seenby_v")
        width = len(asked.groups)
        if asked.groups or large:
            every = world.rows(asked.statistic, "public")
            expected = [row for row in every if row[:width] in large]
            assert Counter(shown) == Counter(expected), (asked, plan.sql)
        else:
            assert shown == [], asked
        assert bool(list(groups.cohorts())) is bool(large), asked

        heavy = any(3 * max(one.values()) > one.total() for each in large.values() for one in each)
        assert groups.heavy is heavy, asked

        # Whom they are about.
        mine = truth.cohorts(asked)
        sketched = list(groups.cohorts())
        counted = Counter((kind, len(people)) for kind, _, people in (mine if asked.groups else mine[: len(mine) // 2]))
        assert Counter((cohort.kind, cohort.people) for cohort in sketched) == counted, asked
        assert all(cohort.tables == asked.source.tables for cohort in sketched), asked

        # Whether it may be told beside what was told.
        found = [
            differences(people, other)
            for kind, tables, people in mine
            for other_kind, other_tables, other in told
            if kind == other_kind and tables & other_tables
        ]
        close = memory.close(sketched, LEAST)
        telling = any(0 < alone < LEAST or (alone == 0 and 0 < changed < LEAST) for alone, changed in found)
        assert close or not telling, (asked, "tells on somebody together with an earlier one")
        far = all((alone or changed) == 0 or (alone or changed) >= 4 * LEAST for alone, changed in found)
        assert not (close and far), (asked, "was held against something that is far away")
        if close:
            alarms += 1
            continue
        answered += 1
        memory.add(sketched)
        told += mine
    assert answered > 0
    assert alarms > 0


def test_the_sketch_is_the_same_for_the_same_people_however_they_are_asked_for(world: World) -> None:
    texts = (
        "SELECT count(*) FROM accounts",
        "SELECT avg(coins) FROM accounts WHERE id > -1 OR id IS NULL",
        "SELECT count(handle) FROM (SELECT * FROM accounts) x",
        "SELECT count(*) FROM accounts a JOIN accounts b ON a.id = b.id",
    )
    found: list[list[Cohort]] = []
    for text in texts:
        (plan,) = analyse(text, SHAPE, FULL, cap=1000, answering=ONLY)
        assert isinstance(plan, QueryPlan)
        found.append(list(world.sketched(plan).cohorts()))
    assert all(one == found[0] for one in found)
