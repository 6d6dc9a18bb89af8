"""Statistics: figures about so many people that no entry names them one by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from seenby.model.classes import DataClass
from seenby.model.grant import Answers, Noise

LEAST_PEOPLE = 10
"""People behind a figure, unless the organisation's directory says otherwise."""
LEAST_LEAST = 3
"""Of two people each knows the other's share."""
MOST_LEAST = 30
"""More than so many cannot be asked for: the comparison of cohorts (attribute/cohorts.py) is made for fewer."""

LARGEST_SHARE = 3
"""Nobody has more than one in so many of the rows behind a figure: an average would be nearly theirs."""

BUCKETS = 64
"""Of a cohort's sketch."""
MAX_GROUPS = 500
"""A statistic with more groups is refused."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """How many people must stand behind a figure about data of each class; ``default`` for the others."""

    default: int = LEAST_PEOPLE
    classes: Mapping[DataClass, int] = field(default_factory=dict)

    def of(self, classes: Iterable[DataClass]) -> int:
        """The largest of them counts."""
        return max([self.default, *(self.classes.get(one, 0) for one in classes)])


USUAL = Thresholds()


@dataclass(frozen=True, slots=True)
class Answering:
    """How the queries of a grant are answered.

    ``seed``: what the sketches of cohorts are made with; whoever knows it could build cohorts that look alike.
    ``noise``: that every statistic gets.
    """

    answers: Answers = Answers.ROWS
    thresholds: Thresholds = USUAL
    seed: int = 0
    noise: Noise | None = None


ROWS = Answering()
"""No statistics."""


@dataclass(frozen=True, slots=True)
class Noisy:
    """What noise is added to.

    Attributes:
        columns: of the output, from 0: counts of people. NULL stays NULL.
        cells: how many of all its cells one person changes, each by at most 1.
        epsilon: that the statistic costs, in thousandths.
    """

    columns: tuple[int, ...]
    cells: int
    epsilon: int

    @property
    def scale(self) -> float:
        """Of the discrete Laplace distribution from which each cell's noise is drawn."""
        return 1000 * self.cells / self.epsilon


@dataclass(frozen=True, slots=True)
class Level:
    """Groups that a statistic has figures of: those of one set of GROUP BY, or of a FILTER in these.

    Attributes:
        kinds: of the key columns 1, 2, ...
        tables: of each key column those with people, sorted.
        leaf: levels with the same number are of the same SELECT.
        by: the places of what its groups are grouped by, among what its SELECT groups by.
        chosen: which of the SELECT's filters chooses its rows; 0: none.
        shown: there are figures of its groups; otherwise it is what groups of another level amount to together.
        between: its groups are the rows that are in a group of one of these two levels and not in that of the other.
        lone: it is one group, because there is no GROUP BY.
        weighed: whoever has more rows weighs more in some figure.
        sides: each key column is of a side of UNION ALL, and of other rows.
    """

    kinds: tuple[str, ...]
    tables: tuple[tuple[str, ...], ...]
    leaf: int
    by: tuple[int, ...] = ()
    chosen: int = 0
    shown: bool = False
    lone: bool = False
    weighed: bool = True
    sides: bool = False
    between: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class CohortQuery:
    """The query beside a statistic that says how many people each group has, and sketches who they are.

    Attributes:
        sql: rows ``(level, group, key column, bucket, people, sum of keys, sum of keys with their rows)``, all but the
            bucket not NULL; in bucket ``BUCKETS`` instead ``(..., 0, rows of whoever has most of them, rows of all)``.
            Takes the same $n parameters as the statistic.
        least: people that each group needs under each key column.
        levels: counted from 0.
        grouped: it has GROUP BY; small groups are left out by the statistic itself unless the grant gives rows too.
        filtered: it has FILTER; its figures about few people are NULL.
        steady: the same text, parameters and settings choose the same people, as long as the data is the same.
    """

    sql: str
    least: int
    levels: tuple[Level, ...]
    grouped: bool
    filtered: bool
    steady: bool


COHORT_COLUMNS = 7


_MOMENTS = ("now", "today", "tomorrow", "yesterday")


def names_a_moment(text: str) -> bool:
    """As a date it may mean another day tomorrow (PostgreSQL documentation, 8.5.1.4)."""
    return any(one in text.lower() for one in _MOMENTS)
