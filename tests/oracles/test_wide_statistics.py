"""Statistics of every shape against brute force: sets of groups, FILTER, outer joins, unions, rows per person.

As in test_statistics.py, the reference reads the rows of the plain tables and keeps people as lists. It knows nothing
of sketches, levels or guards: it says for each figure which people stand behind it, and holds every two figures of a
statement, and what groups that are left out make of them, against each other name by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations, product
from random import Random
from typing import Any

import psycopg
import pytest

from seenby.attribute.cohorts import Memory
from seenby.model.plan import Bound, QueryPlan
from seenby.sql import analyse
from seenby.stores.cluster import Cluster
from tests.fixtures.generated import LONG, SEED
from tests.oracles.test_statistics import LEAST, MORE, ONLY, People, World, differences
from tests.unit.sql.world import CATALOG, SHAPE, database_sql

pytestmark = pytest.mark.postgres

STATISTICS = 40
ROUNDS = 150 if LONG else 10


@dataclass(frozen=True)
class Filter:
    """A condition of FILTER. ``without``: the key columns of which no row is there, by what it says."""

    text: str
    without: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Shape:
    """A FROM clause.

    Attributes:
        keys: who a row is about, and how many rows of tables it stands for.
        optional: the key columns of what LEFT JOIN may leave out.
        union: the two key columns are two sides of UNION ALL.
        tables: those with people.
        groups, figures: what may be grouped by and asked.
        filters: conditions with a place for a number.
    """

    text: str
    keys: tuple[tuple[str, str], ...]
    tables: frozenset[str]
    groups: tuple[str, ...]
    figures: tuple[str, ...]
    filters: tuple[Filter, ...]
    optional: tuple[int, ...] = ()
    union: bool = False


DEVICES = frozenset({"accounts", "devices"})
SHAPES = (
    Shape("accounts a", (("a.id", "1"),), frozenset({"accounts"}), ("a.home", "a.bio", "a.coins > 1", "a.id < {}"),
          ("sum(a.coins)", "count(a.bio)", "avg(length(a.handle))"),
          (Filter("a.id <> {}"), Filter("a.coins > 1"), Filter("a.id < {}"), Filter("a.bio IS NULL"),
           Filter("EXISTS (SELECT 1 FROM devices d WHERE d.account_id = a.id AND d.id <> 2{})"),
           Filter("a.id NOT IN (SELECT account_id FROM devices WHERE model = 'm1')"))),
    Shape("accounts a LEFT JOIN devices d ON d.account_id = a.id", (("a.id", "1"), ("d.account_id", "1")), DEVICES,
          ("a.home", "a.coins"), ("count(d.id)", "sum(a.coins)"),
          (Filter("d.account_id IS NULL", frozenset({1})), Filter("d.id <> {}"), Filter("a.id <> {}")), (1,)),
    Shape("accounts a LEFT JOIN devices d ON d.account_id = a.id AND d.id <> 2{}",
          (("a.id", "1"), ("d.account_id", "1")), DEVICES,
          ("a.home",), ("count(d.id)", "count(DISTINCT d.model)"),
          (Filter("a.coins > 1"), Filter("d.id <> 21{}")), (1,)),
    Shape("(SELECT home AS h, id AS who, 1 AS side, 1 AS n FROM accounts UNION ALL SELECT a.home, d.account_id, 2, 0 "
          "FROM devices d JOIN accounts a ON a.id = d.account_id WHERE d.id <> 2{}) e",
          (("CASE WHEN e.side = 1 THEN e.who END", "1"), ("CASE WHEN e.side = 2 THEN e.who END", "1")), DEVICES,
          ("e.h",), ("sum(e.n)", "count(e.n)"), (Filter("e.who <> {}"), Filter("e.n = 1")), union=True),
    Shape("(SELECT account_id, count(*) AS n FROM devices WHERE id <> 2{} GROUP BY account_id) x "
          "JOIN accounts a ON a.id = x.account_id", (("x.account_id", "x.n"), ("a.id", "1")), DEVICES,
          ("a.home", "x.n > 2"), ("avg(x.n)", "sum(x.n)", "count(*)"), (Filter("x.n > 1"), Filter("a.id <> {}"))),
    Shape("(SELECT DISTINCT account_id FROM devices WHERE model <> 'm{}') x", (("x.account_id", "count"),),
          frozenset({"devices"}), (), ("count(*)",), (Filter("x.account_id > {}"),)),
)  # fmt: skip

VALUES = {
    "sum(a.coins)": ("a.coins", True), "count(a.bio)": ("a.bio", False), "avg(length(a.handle))": ("a.handle", True),
    "count(d.id)": ("d.id", False), "count(DISTINCT d.model)": ("d.model", True), "sum(e.n)": ("e.n", True),
    "count(e.n)": ("e.n", False),
}  # fmt: skip
"""Of what values each figure is, where they can be NULL; False: it says how many there are, as FILTER would."""

WEIGHED_DISTINCT = "(SELECT count(*) FROM devices w WHERE w.account_id = x.account_id AND w.model <> 'm{}')"


@dataclass(frozen=True)
class Asked:
    shape: Shape
    number: int
    where: str
    groups: tuple[str, ...]
    by: str
    sets: tuple[tuple[int, ...], ...]
    filters: tuple[Filter, ...]
    figure: str

    def fill(self, text: str) -> str:
        return text.replace("{}", str(self.number))

    @property
    def choices(self) -> tuple[Filter, ...]:
        """Its filters, and behind them which rows have a value for its figure."""
        values = (f"{VALUES[self.figure][0]} IS NOT NULL",) if self.figure in VALUES else ()
        return (*self.filters, *map(Filter, values))

    def family(self, number: int) -> bool:
        """The choice is held against others of the same alone: what a figure says of values."""
        return number == len(self.filters) and VALUES[self.figure][1]

    @property
    def source(self) -> str:
        return f"FROM {self.fill(self.shape.text)} WHERE {self.fill(self.where)}"

    @property
    def text(self) -> str:
        marks = [f"grouping({', '.join(self.groups)})"] if self.groups else ["0"]
        filtered = [f"count(*) FILTER (WHERE {self.fill(one.text)})" for one in self.filters]
        outputs = ", ".join([*marks, *self.groups, "count(*)", self.figure, *filtered])
        return f"SELECT {outputs} {self.source}{self.by}"

    @property
    def rows(self) -> str:
        """Each row with its groups, filters, and people with their weights."""
        weights = [self.fill(WEIGHED_DISTINCT) if weight == "count" else weight for _, weight in self.shape.keys]
        outputs = [*self.groups, *(self.fill(one.text) for one in self.choices)]
        pairs = [f"({key})::text, {weight}" for (key, _), weight in zip(self.shape.keys, weights, strict=True)]
        return f"SELECT {', '.join([*outputs, *pairs])} {self.source}"


def ask(random: Random) -> Asked:
    shape = random.choice(SHAPES)
    number = random.randint(1, 60)
    groups = tuple(one.replace("{}", str(number)) for one in random.sample(shape.groups, min(len(shape.groups), 3)))
    groups = groups[: random.randint(0, len(groups))]
    every = tuple(range(len(groups)))
    names = ", ".join(groups)
    ways: list[tuple[str, tuple[tuple[int, ...], ...]]] = [(f" GROUP BY {names}" if names else "", (every,))]
    if groups:
        ways.append((f" GROUP BY ROLLUP ({names})", tuple(every[:size] for size in range(len(every), -1, -1))))
        singles = ", ".join(f"({one})" for one in groups)
        ways.append((f" GROUP BY GROUPING SETS ({singles}, ())", (*((place,) for place in every), ())))
        cube = tuple(one for size in range(len(every), -1, -1) for one in combinations(every, size))
        ways.append((f" GROUP BY CUBE ({names})", cube))
    if len(groups) == 3:
        # What the two have in common is not among them, and adds up all the same.
        first, second, third = groups
        ways += [(f" GROUP BY GROUPING SETS (({first}, {second}), ({first}, {third}))", ((0, 1), (0, 2)))] * 3
    by, sets = random.choice(ways)
    filters = tuple(random.sample(shape.filters, random.randint(0, min(2, len(shape.filters)))))
    where = random.choice(["true", "true", *(one.text for one in shape.filters if not one.without)])
    return Asked(shape, number, where, groups, by, sets, filters, random.choice(shape.figures))


Place = tuple[tuple[int, ...], tuple[Any, ...]]
"""A set of groups, and the values of one group of it."""


@dataclass(frozen=True)
class Read:
    """A row: its groups, which filters it passes, and who it is about with which weight."""

    values: tuple[Any, ...]
    passed: tuple[bool, ...]
    people: tuple[tuple[str | None, int], ...]


@dataclass(frozen=True)
class Cell:
    """A figure: of which group, by which choice (-1: all rows of it), and the rows behind it, by their numbers.

    ``flag``: how many rows the optional side of an outer join has; ``total``: what is shown of a finer set.
    """

    place: Place
    number: int
    rows: frozenset[int]
    family: bool = False
    flag: bool = False
    total: bool = False


@dataclass
class Truth:
    """The rows behind each group, and behind each FILTER in it."""

    asked: Asked
    rows: list[Read]
    groups: dict[Place, set[int]]
    filtered: dict[tuple[Place, int], set[int]]

    def people(self, rows: Iterable[int], key: int) -> People:
        found = People()
        for number in rows:
            person, weight = self.rows[number].people[key]
            if person is not None:
                found[person] += weight
        return found

    def enough(self, rows: Iterable[int], without: frozenset[int] = frozenset()) -> bool:
        keys = [key for key in range(len(self.asked.shape.keys)) if key not in without]
        return all(len(self.people(rows, key)) >= LEAST for key in keys)

    def large(self, place: Place) -> bool:
        return place in self.groups and self.enough(self.groups[place])

    def large_filtered(self, place: Place, number: int) -> bool:
        return self.enough(self.filtered[place, number], self.asked.choices[number].without)

    def together(self) -> list[Cell]:
        """By group, of a set or of what two sets have in common: which rows figures are told of."""
        found: list[Cell] = []
        for place, rows in self.groups.items():
            if self.large(place):
                found.append(Cell(place, -1, frozenset(rows)))
                for key in self.asked.shape.optional:
                    there = frozenset(row for row in rows if self.rows[row].people[key][0] is not None)
                    found.append(Cell(place, -1, there, flag=True))
        for (place, number), rows in self.filtered.items():
            if self.large_filtered(place, number) and self.large(place):
                found.append(Cell(place, number, frozenset(rows), self.asked.family(number)))
        sets = self.asked.sets
        coarser = {tuple(sorted(set(one) & set(other))) for one in sets for other in sets} | {()}
        shown = {-1: {place: rows for place, rows in self.groups.items() if self.large(place)}}
        for number in range(len(self.asked.choices)):
            large = [place for place in shown[-1] if self.large_filtered(place, number)]
            shown[number] = {place: self.filtered[place, number] for place in large}
        for one, coarse, (number, cells) in product(sets, coarser, shown.items()):
            if set(coarse) < set(one):
                whole: dict[Place, set[int]] = {}
                for (own, values), rows in cells.items():
                    if own == one:
                        named = (coarse, tuple(values[own.index(place)] for place in coarse))
                        whole.setdefault(named, set()).update(rows)
                family = number >= 0 and self.asked.family(number)
                found += [Cell(named, number, frozenset(rows), family, total=True) for named, rows in whole.items()]
        return found

    def tells(self) -> bool:
        """The rows between two figures of one group are of somebody, and of fewer than LEAST."""
        keys = range(len(self.asked.shape.keys))
        return any(
            0 < len(self.people(one.rows ^ other.rows, key)) < LEAST
            for one, other in combinations(self.together(), 2)
            if (one.place, one.family) == (other.place, other.family)
            for key in keys
        )

    def apart(self) -> list[tuple[int, int]]:
        """As ``sides``, of any two figures of different sets of groups, if neither is a part of the other's groups."""
        keys = range(len(self.asked.shape.keys))
        found = []
        for one, other in combinations([cell for cell in self.together() if not cell.flag], 2):
            a, b = set(one.place[0]), set(other.place[0])
            nested = (a <= b or b <= a) and one.number == other.number
            if a != b and not nested and one.family == other.family:
                people = [[self.people(cell.rows, key) for key in keys] for cell in (one, other)]
                found += [differences(left, right) for left, right in product(*people)]
        return found

    def sides(self) -> list[tuple[int, int]]:
        """Of unions: by how many people, or people with other numbers of rows, two sides of a group differ."""
        if not self.asked.shape.union:
            return []
        places: list[set[int]] = [rows for place, rows in self.groups.items() if self.large(place)]
        places += [rows for (place, n), rows in self.filtered.items() if self.large_filtered(place, n)]
        return [differences(self.people(rows, 0), self.people(rows, 1)) for rows in [*places, *self.totals()]]

    def totals(self) -> list[set[int]]:
        """What the groups of each set that are shown are together, and their cells of each FILTER."""
        found = []
        for cell in self.together():
            if cell.place not in self.groups or cell.place == ((), ()):
                found.append(set(cell.rows))
        return found


class Rows(World):
    def read(self, asked: Asked) -> Truth:
        truth = Truth(asked, [], {}, {})
        width, filters = len(asked.groups), len(asked.choices)
        for number, row in enumerate(self.rows(asked.rows, "public")):
            values, passed, pairs = row[:width], row[width : width + filters], row[width + filters :]
            truth.rows.append(Read(values, tuple(map(bool, passed)), tuple(zip(pairs[::2], pairs[1::2], strict=True))))
            for one in asked.sets:
                place = (one, tuple(values[each] for each in one))
                truth.groups.setdefault(place, set()).add(number)
                for filtered, passes in enumerate(passed):
                    truth.filtered.setdefault((place, filtered), set()).update([number] if passes else [])
        return truth


@pytest.fixture(scope="module")
def world(cluster: Cluster) -> Iterator[Rows]:
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE wide_statistics")
    with psycopg.connect(cluster.dsn("wide_statistics"), autocommit=True) as connection:
        connection.execute(database_sql().encode())
        connection.execute(MORE.encode())
        yield Rows(connection)


def planned(text: str) -> QueryPlan:
    (plan,) = analyse(text, SHAPE, CATALOG, cap=1000, answering=ONLY)
    assert isinstance(plan, QueryPlan), (text, plan)
    assert plan.bound is Bound.STATISTIC
    return plan


def place_of(row: tuple[Any, ...], asked: Asked) -> Place:
    width = len(asked.groups)
    mark = row[0]
    own = tuple(place for place in range(width) if not mark >> (width - 1 - place) & 1)
    return own, tuple(row[1 + place] for place in own)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_against_brute_force(world: Rows, number: int) -> None:
    random = Random(f"{SEED}/wide statistics/{number}")
    answered = near = hidden = 0
    for _ in range(STATISTICS):
        asked = ask(random)
        plan, truth = planned(asked.text), world.read(asked)
        sketched = world.sketched(plan)

        # Every group that is shown has enough people, says what Postgres says, and hides its small filters.
        shown = world.rows(plan.sql, "seenby_v")
        expected = []
        for row in world.rows(asked.text, "public"):
            place = place_of(row, asked)
            if truth.large(place):
                first = len(row) - len(asked.filters)
                cells = [cell if truth.large_filtered(place, one) else None for one, cell in enumerate(row[first:])]
                hidden += cells.count(None)
                valued = asked.figure not in VALUES or truth.large_filtered(place, len(asked.filters))
                expected.append((*row[: first - 1], row[first - 1] if valued else None, *cells))
        assert Counter(shown) == Counter(expected), (asked.text, plan.sql)
        assert bool(list(sketched.cohorts())) is bool(expected), asked.text

        # Two figures of it that differ by few people's rows are noticed, and no others.
        sides = truth.sides() + truth.apart()
        if truth.tells() or any(0 < alone < LEAST or (not alone and 0 < rows < LEAST) for alone, rows in sides):
            assert sketched.near, (asked.text, "tells on somebody by itself")
        elif sketched.near:
            assert any(0 < (alone or rows) < 4 * LEAST for alone, rows in sides), (asked.text, "for no reason")
        if sketched.near:
            near += 1
            continue

        # The same may be asked again.
        memory, again = Memory(), world.sketched(plan)
        sketched.asked = again.asked = b"this"
        memory.add(list(sketched.cohorts()))
        assert not memory.close(list(again.cohorts()), LEAST), asked.text
        answered += bool(expected)
    assert answered > 0
    assert near > 0
    assert hidden > 0


DIRECTED = (
    # (told first, asked next): the second is the first without one person, or without one row of theirs.
    ("SELECT avg(n) FROM (SELECT account_id, count(*) AS n FROM devices GROUP BY account_id) x",
     "SELECT avg(n) FROM (SELECT account_id, count(*) AS n FROM devices WHERE id <> 201 GROUP BY account_id) x"),
    ("SELECT avg(n) FROM (SELECT account_id, count(*) AS n FROM devices GROUP BY account_id) x",
     "SELECT avg(n) FROM (SELECT account_id, count(*) AS n FROM devices GROUP BY account_id) x WHERE account_id <> 8"),
    ("SELECT count(*), count(d.id) FROM accounts a LEFT JOIN devices d ON d.account_id = a.id",
     "SELECT count(*), count(d.id) FROM accounts a LEFT JOIN devices d ON d.account_id = a.id AND d.id <> 201"),
    ("SELECT sum(n) FROM (SELECT 1 AS n FROM accounts UNION ALL SELECT 0 FROM devices) e",
     "SELECT sum(n) FROM (SELECT 1 AS n FROM accounts WHERE id <> 8 UNION ALL SELECT 0 FROM devices) e"),
    ("SELECT count(*) FROM accounts", "SELECT count(*) FILTER (WHERE id <> 8) FROM accounts WHERE id > 2"),
    ("SELECT count(*) FROM messages",
     "SELECT count(*) FROM accounts UNION ALL SELECT count(*) FROM accounts WHERE id > 1"),
    ("SELECT count(*) FROM messages",
     "SELECT sum(m), sum(n) FROM (SELECT 1 AS m, 0 AS n FROM accounts UNION ALL "
     "SELECT 0, 1 FROM accounts WHERE id > 1) e"),
    ("SELECT count(*) FROM messages", "SELECT count(*), count(*) FILTER (WHERE id <> 201) FROM devices"),
    ("SELECT count(*) FROM messages", "SELECT sum(a.coins), sum(b.coins) FROM accounts a LEFT JOIN accounts b "
     "ON b.id = a.id AND b.handle <> 'h8'"),
    ("SELECT home, n, sum(n) OVER () FROM (SELECT home, count(*) AS n FROM accounts GROUP BY home) x",
     "SELECT (SELECT count(*) FROM accounts WHERE id <> 8), count(*) FROM devices"),
)  # fmt: skip


@pytest.mark.parametrize(("first", "second"), DIRECTED)
@pytest.mark.parametrize("turned", [False, True])
def test_what_two_statistics_would_tell_together(world: Rows, first: str, second: str, *, turned: bool) -> None:
    """Or the second by itself."""
    if turned:
        first, second = second, first
    memory = Memory()
    told, asked = world.sketched(planned(first)), world.sketched(planned(second))
    memory.add(list(told.cohorts()))
    assert told.near or asked.near or memory.close(list(asked.cohorts()), LEAST)


SMALL = (
    "SELECT count(d.id) FROM accounts a LEFT JOIN devices d ON d.account_id = a.id AND d.account_id = 8",
    "SELECT sum(coins) FROM (SELECT coins FROM accounts UNION ALL SELECT coins FROM accounts WHERE id = 8) x",
    "SELECT avg(n) FROM (SELECT account_id, count(*) AS n FROM devices WHERE account_id < 4 GROUP BY account_id) x",
    "SELECT (SELECT sum(coins) FROM accounts WHERE id = 8), count(*) FROM devices",
    "SELECT max(n) FROM (SELECT count(*) AS n FROM accounts WHERE id = 8) x",
)


@pytest.mark.parametrize("text", SMALL)
def test_one_figure_about_too_few_is_enough_to_refuse(world: Rows, text: str) -> None:
    assert not world.sketched(planned(text)).complete


def test_a_condition_above_is_not_asked_of_groups_that_are_left_out(world: Rows) -> None:
    """Otherwise an error would say that there is such a group."""
    text = "SELECT * FROM (SELECT coins, handle, count(*) AS n FROM accounts GROUP BY 1, 2) x WHERE 1 / (coins - 1) < 5"
    assert world.rows(planned(text).sql, "seenby_v") == []


def test_a_union_that_two_selects_read_is_written_once(world: Rows) -> None:
    text = (
        "WITH e AS (SELECT coins FROM accounts UNION ALL SELECT a.coins FROM devices d JOIN accounts a "
        "ON a.id = d.account_id) SELECT count(*) FROM e UNION ALL SELECT sum(coins) FROM e"
    )
    plan = planned(text)
    assert world.rows(plan.sql, "seenby_v") == world.rows(text, "public")
    assert world.sketched(plan).complete
