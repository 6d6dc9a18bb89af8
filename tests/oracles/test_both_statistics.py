"""Figures without names and answers with names, of one principal under a grant for both, against brute force.

The reference knows who stands behind each figure of each answer, and who was named with it. Whatever two figures differ
by, of one answer or of two, is of nobody, of enough people, or of people who were named with one of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import product
from random import Random

import psycopg
import pytest

from seenby.attribute.arrays import elements
from seenby.attribute.cohorts import Memory
from seenby.attribute.verdict import Verdict, verdict
from seenby.model.grant import Answers
from seenby.model.plan import Bound, QueryPlan
from seenby.model.shape import Catalog
from seenby.model.statistic import Answering, Thresholds
from seenby.sql import analyse
from seenby.stores.cluster import Cluster
from tests.fixtures.generated import LONG, SEED
from tests.oracles import test_statistics as plain
from tests.oracles import test_wide_statistics as wide
from tests.oracles.test_statistics import FULL, LEAST, MORE, People
from tests.unit.sql.world import CATALOG, SHAPE, database_sql

pytestmark = pytest.mark.postgres

BOTH = Answering(Answers.BOTH, Thresholds(LEAST), seed=SEED)
STATISTICS = 30
ROUNDS = 150 if LONG else 10


class Rows(wide.Rows):
    def decided(self, plan: QueryPlan, memory: Memory) -> Verdict:
        """As a session decides and remembers (session/statistics.py)."""
        assert plan.cohort is not None
        groups = self.sketched(plan)
        cohorts = list(groups.cohorts(small=True))
        found = verdict(groups, cohorts, memory, LEAST, naming=True)
        for cohort in cohorts:
            cohort.named = found is Verdict.NAMED
        if found is not Verdict.CLOSE:
            memory.add(cohorts)
        return found

    def named(self, plan: QueryPlan) -> set[str]:
        """Everybody whom the plan's keys or its companion name."""
        if not plan.keys:
            assert plan.companion is not None
            return {f"{kind}:{key}" for kind, key in self.rows(plan.companion, "seenby_v")}
        found = set()
        for row in self.rows(plan.sql, "seenby_v"):
            for key, value in zip(plan.keys, row, strict=False):
                if value is not None:
                    each = elements(value.encode()) if key.many else [value]
                    found |= {f"{key.kind}:{one}" for one in each}
        return found


@pytest.fixture(scope="module")
def world(cluster: Cluster) -> Iterator[Rows]:
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE both_statistics")
    with psycopg.connect(cluster.dsn("both_statistics"), autocommit=True) as connection:
        connection.execute(database_sql().encode())
        connection.execute(MORE.encode())
        yield Rows(connection)


def planned(text: str, catalog: Catalog) -> QueryPlan:
    (plan,) = analyse(text, SHAPE, catalog, cap=1000, answering=BOTH)
    assert isinstance(plan, QueryPlan), (text, plan)
    assert plan.bound is Bound.STATISTIC
    assert plan.instead is not None
    return plan


def few_between(one: People, other: People) -> set[str]:
    """Those by whom two figures differ, if they are few; if nobody, those who have another number of rows."""
    between = one.keys() ^ other.keys() or {key for key in one.keys() & other.keys() if one[key] != other[key]}
    return set(between) if len(between) < LEAST else set()


Told = list[tuple[str, frozenset[str], People]]


def everybody(asked: plain.Asked, truth: plain.Truth) -> Told:
    """Behind each group, and behind all of them together: by key column, its kind and the tables."""
    keys = range(len(asked.source.keys))
    together: list[People] = [sum((each[key] for each in truth.groups.values()), People()) for key in keys]
    return [
        (asked.source.keys[key][0], asked.source.tables, each[key])
        for each in [*truth.groups.values(), together]
        for key in keys
        if each[key]
    ]


@pytest.mark.parametrize("number", range(ROUNDS))
def test_whatever_two_answers_differ_by_is_about_many_or_named(world: Rows, number: int) -> None:
    random = Random(f"{SEED}/both/{number}")
    memory, told = Memory(), list[tuple[Told, set[str]]]()
    found = Counter[Verdict]()
    for _ in range(STATISTICS):
        asked = plain.ask(random)
        plan = planned(asked.statistic, FULL)
        assert plan.instead is not None
        mine = everybody(asked, world.truth(asked))
        known = list(told)
        decided = world.decided(plan, memory)
        found[decided] += 1
        if decided is Verdict.CLOSE:
            continue
        named = world.named(plan.instead) if decided is Verdict.NAMED else set[str]()
        if decided is Verdict.NAMED:
            assert named == {f"{kind}:{person}" for kind, _, people in mine for person in people}, asked
        else:
            assert all(len(people) >= LEAST for _, _, people in mine), asked
        for theirs, other_named in known:
            for (kind, tables, people), (other_kind, other_tables, other) in product(mine, theirs):
                if kind == other_kind and tables & other_tables:
                    exposed = {f"{kind}:{person}" for person in few_between(people, other)}
                    assert exposed <= named | other_named, (asked, exposed)
        told.append((mine, named))
    assert found[Verdict.FIGURES] > 0
    assert found[Verdict.NAMED] > 0


@pytest.mark.parametrize("number", range(ROUNDS))
def test_whatever_two_figures_of_one_answer_differ_by_is_about_many_or_named(world: Rows, number: int) -> None:
    random = Random(f"{SEED}/both wide/{number}")
    found = Counter[Verdict]()
    for _ in range(STATISTICS):
        asked = wide.ask(random)
        plan, truth = planned(asked.text, CATALOG), world.read(asked)
        assert plan.instead is not None
        decided = world.decided(plan, Memory())
        found[decided] += 1
        if decided is Verdict.FIGURES:
            assert all(map(truth.large, truth.groups)), asked.text
            # That nobody of a group passes a FILTER says what another group in its place would.
            some = [chosen for chosen, rows in truth.filtered.items() if rows]
            assert all(truth.large_filtered(*chosen) for chosen in some), asked.text
            assert not truth.tells(), asked.text
        else:
            assert decided is Verdict.NAMED
            people = {f"account:{person}" for row in truth.rows for person, _ in row.people if person is not None}
            assert people <= world.named(plan.instead), asked.text
    assert found[Verdict.FIGURES] > 0
    assert found[Verdict.NAMED] > 0


def test_nine_of_ten_who_are_named_tell_on_the_tenth_who_is_not(world: Rows) -> None:
    """Too few to be a figure, so they are named; but not if a figure about one more has been told, or is."""
    least, fewer = f"id <= {LEAST}", f"id < {LEAST}"
    figure, named = (planned(f"SELECT sum(coins) FROM accounts WHERE {one}", FULL) for one in (least, fewer))
    memory = Memory()
    assert world.decided(figure, memory) is Verdict.FIGURES
    assert world.decided(named, memory) is Verdict.CLOSE
    memory = Memory()
    assert world.decided(named, memory) is Verdict.NAMED
    assert world.decided(figure, memory) is Verdict.NAMED
