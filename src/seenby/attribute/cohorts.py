"""Who stands behind a statistic, as a sketch, and whether two cohorts differ by so few people that it tells on them.

Two figures about nearly the same people give away the rest: `count(*)` of a country, and of the same country without
one person. So a cohort is compared with those of earlier statistics of the same principal that read one of its tables.
It may be large, so it is not kept as a list of people: each person's key falls into one of 64 buckets, and a bucket
keeps the sum of its keys' hashes. The sum does not depend on their order, so the database computes it::

    bucket   0          1          2                  63
           [ 8f3a...  | -         | 11c9...  | ...  | 70b2... ]        - : nobody

If d people are in one cohort and not in the other, then at most d buckets differ, and at least one (but for a
collision of 64-bit hashes). So "some buckets differ, but fewer than k" finds every pair that differs by 1 to k - 1
people, and a few that differ by a little more. If no bucket differs, it is the same people, perhaps with other rows: a
second sum, of each key with its number of rows, is compared in the same way.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from seenby.model.statistic import BUCKETS, LARGEST_SHARE, MAX_GROUPS, MOST_LEAST, Level

MAX_SUMS = 200_000
"""So many sums of buckets are kept of one principal (about 50 MB; 3,000 statistics about many people, or 6 with 500
groups); the oldest go first."""

Sums = dict[int, tuple[int, int]]
"""bucket -> (sum over keys, sum over keys with their number of rows)"""


@dataclass(slots=True)
class Cohort:
    """The people of one kind behind one group under one key column.

    ``tables``: those with people that were read. ``asked``: a digest of what chose the people; equal for two cohorts
    between which only the data can have changed. Empty: nobody knows. ``at``: Unix seconds when it was told.
    ``named``: these people stand in the log (verdict.py).
    """

    kind: str
    tables: frozenset[str] = frozenset()
    people: int = 0
    sums: Sums = field(default_factory=dict)
    asked: bytes = b""
    at: int = field(default=0, compare=False)
    named: bool = False


_SUM = 16
"""Bytes of a sum of 64-bit hashes: of 2^64 people at most."""
_NAMED = 0x80
"""Beside the length of ``asked``, which is a digest or nothing."""


def encode_cohort(cohort: Cohort) -> bytes:
    """Bytes for ``decode_cohort``."""
    parts = [_text(cohort.kind), bytes([len(cohort.tables)]), *map(_text, sorted(cohort.tables))]
    asked = len(cohort.asked) | (_NAMED if cohort.named else 0)
    parts += [cohort.people.to_bytes(8, "big"), bytes([asked]), cohort.asked]
    for bucket, sums in cohort.sums.items():
        parts += [bytes([bucket]), *(one.to_bytes(_SUM, "big", signed=True) for one in sums)]
    return b"".join(parts)


def decode_cohort(data: bytes) -> Cohort:
    """Of what ``encode_cohort`` made."""
    at = 0

    def take(count: int) -> bytes:
        nonlocal at
        at += count
        return data[at - count : at]

    def text() -> str:
        return take(int.from_bytes(take(2), "big")).decode()

    kind = text()
    tables = frozenset(text() for _ in range(take(1)[0]))
    people = int.from_bytes(take(8), "big")
    asked = take(1)[0]
    cohort = Cohort(kind, tables, people, asked=take(asked & ~_NAMED), named=asked & _NAMED != 0)
    while at < len(data):
        bucket = take(1)[0]
        keys, rows = (int.from_bytes(take(_SUM), "big", signed=True) for _ in range(2))
        cohort.sums[bucket] = (keys, rows)
    return cohort


def _text(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


class Row(NamedTuple):
    """A row of the cohort query (model/statistic.py).

    ``bucket`` None: rows without such a key. ``BUCKETS``: of all together; ``keys`` is the number of rows of whoever
    has most of them, ``rows`` that of everybody.
    """

    level: int
    group: int
    column: int
    bucket: int | None
    people: int
    keys: int
    rows: int


class Groups:
    """What a cohort query answered.

    Args:
        levels: of the cohort query.
        least: people that a group needs under each key column.

    Attributes:
        asked: as of each cohort.
    """

    def __init__(self, levels: Sequence[Level], least: int) -> None:
        self.asked = b""
        self._levels = levels
        self._least = least
        self._groups: dict[tuple[int, int], dict[int, Cohort]] = {}
        self._heavy: set[tuple[int, int]] = set()

    def add(self, row: Row) -> None:
        level, place = self._levels[row.level], (row.level, row.group)
        cohorts = self._groups.setdefault(place, {})
        cohort = cohorts.get(row.column)
        if cohort is None:
            cohort = cohorts[row.column] = Cohort(level.kinds[row.column - 1], frozenset(level.tables[row.column - 1]))
        if row.bucket == BUCKETS and level.shown and level.weighed and row.keys * LARGEST_SHARE > row.rows:
            self._heavy.add(place)
        if row.bucket is None or not row.people:
            return
        cohort.people += row.people
        cohort.sums[row.bucket] = (row.keys, row.rows)

    def _is_large(self, place: tuple[int, int]) -> bool:
        return all(cohort.people >= self._least for cohort in self._groups[place].values())

    def _of(self, level: int) -> Iterator[tuple[int, int]]:
        return (place for place in self._groups if place[0] == level)

    @property
    def too_many(self) -> bool:
        return any(group > MAX_GROUPS for _, group in self._groups)

    @property
    def complete(self) -> bool:
        """Every figure that is no group's is about enough people."""
        lone = (number for number, level in enumerate(self._levels) if level.lone)
        return all(any(map(self._is_large, self._of(number))) for number in lone)

    @property
    def heavy(self) -> bool:
        """Somebody has so large a share of the rows of a group that its figures are nearly theirs."""
        return any(map(self._is_large, self._heavy))

    @property
    def all_large(self) -> bool:
        """There is a group at each level, and none is too small."""
        shown = (number for number, level in enumerate(self._levels) if level.shown)
        return all((found := list(self._of(number))) and all(map(self._is_large, found)) for number in shown)

    @property
    def people(self) -> int:
        """Behind the whole statistic: under the key column and at the level with most of them."""
        return max((cohort.people for cohort in self.cohorts()), default=0)

    @property
    def near(self) -> bool:
        """Two figures of it differ by the rows of few people: a group and what a FILTER leaves of it, or what is shown
        of a finer set; both sides of an outer join; two sides of UNION ALL; or two SELECTs."""
        return self._few_between() or self._near_sides() or self._near_leaves()

    def _few_between(self) -> bool:
        for (number, group), cohorts in self._groups.items():
            between = self._levels[number].between
            told = between is not None and all(self._is_told((one, group)) for one in between)
            if told and any(0 < cohort.people < self._least for cohort in cohorts.values()):
                return True
        return False

    def _is_told(self, place: tuple[int, int]) -> bool:
        return place in self._groups and self._is_large(place)

    def _near_sides(self) -> bool:
        for (number, group), cohorts in self._groups.items():
            level = self._levels[number]
            if level.sides and level.between is None and self._is_large((number, group)):
                memory = Memory()
                for cohort in map(_unasked, cohorts.values()):
                    if memory.close([cohort], self._least):
                        return True
                    memory.add([cohort])
        return False

    def _near_leaves(self) -> bool:
        """Those of two SELECTs, or of two sets of groups of one: (country = 'DE') and (country = 'DE' OR id = 42)."""
        memory = Memory()
        levels: dict[int, tuple[Cohort, Level]] = {}  # by the cohort's identity

        def known(one: Cohort, other: Cohort) -> bool:
            """What lies between them is other groups that are shown, or was counted: ``between``."""
            (_, a), (_, b) = levels[id(one)], levels[id(other)]
            nested = set(a.by) <= set(b.by) or set(b.by) <= set(a.by)
            return a.leaf == b.leaf and (a.by == b.by or (nested and a.chosen == b.chosen))

        for (number, _), asked in self._told():
            cohort = _unasked(asked)
            levels[id(cohort)] = cohort, self._levels[number]
            if memory.close([cohort], self._least, known):
                return True
            memory.recall(cohort)
        return False

    def _told(self, *, small: bool = False) -> Iterator[tuple[tuple[int, int], Cohort]]:
        """By level."""
        for place in sorted(self._groups):
            if self._levels[place[0]].between is None and (small or self._is_large(place)):
                for cohort in self._groups[place].values():
                    yield place, cohort

    def cohorts(self, *, small: bool = False) -> Iterator[Cohort]:
        """Those that figures are told about, and what they are together. ``small``: also about too few people."""
        for _, cohort in self._told(small=small):
            cohort.asked = self.asked
            if cohort.people:
                yield cohort


class Memory:
    """The cohorts of one principal's statistics.

    Args:
        most: sums that are kept.
        keep: is given what is new before it counts as remembered, and may raise: then it is not. ``recall`` takes it.
    """

    def __init__(self, most: int = MAX_SUMS, keep: Callable[[list[Cohort]], None] | None = None) -> None:
        self._most = most
        self._keep = keep
        self._kept: OrderedDict[int, Cohort] = OrderedDict()
        self._where: dict[tuple[str, int, int], set[int]] = {}
        self._few: dict[int, int] = {}  # cohorts in few buckets, and which these are, as bits
        self._size = 0
        self._next = 0

    def cohorts(self) -> list[Cohort]:
        """The oldest first."""
        return list(self._kept.values())

    def close(
        self, new: Iterable[Cohort], least: int, known: Callable[[Cohort, Cohort], bool] = lambda _one, _other: False
    ) -> bool:
        """Does one of ``new`` differ from an earlier one by fewer than ``least`` people, but not by nobody?

        ``known``: of two that need not be compared.

        The same question asked again may: what came in between was not chosen by whoever asks.
        """
        for cohort in new:
            candidates = self._candidates(cohort)
            if len(cohort.sums) < least:
                # So few buckets may all have changed, and still be fewer than ``least``.
                mine = _bits(cohort)
                few = [one for one, bits in self._few.items() if (mine | bits).bit_count() < least]
                candidates.update(dict.fromkeys(few, 0))
            for one, shared in candidates.items():
                other = self._kept[one]
                if other.kind != cohort.kind:
                    continue
                comparable = cohort.tables & other.tables and not _only_data(cohort, other) and not known(cohort, other)
                if comparable and 0 < _difference(cohort, other, shared) < least:
                    return True
        return False

    def add(self, new: Iterable[Cohort]) -> None:
        """Remembers them. One that is known already becomes the newest. Raises what ``keep`` raises."""
        fresh = []
        for cohort in new:
            size = len(cohort.sums)
            alike = (one for one, shared in self._candidates(cohort).items() if shared == size)
            same = next((one for one in alike if self._kept[one] == cohort), None)
            if same is None:
                fresh.append(cohort)
            else:
                self._kept.move_to_end(same)
        if fresh and self._keep is not None:
            self._keep(fresh)
        for cohort in fresh:
            self.recall(cohort)

    def changed(self) -> None:
        """The principal changes rows: so who is behind a question that was asked before is their choice from now on.

        Raises what ``keep`` raises.
        """
        if any(cohort.asked for cohort in self._kept.values()):
            if self._keep is not None:
                self._keep([Cohort("")])
            self.recall(Cohort(""))

    def recall(self, cohort: Cohort) -> None:
        """Remembers one that was kept before; one of no kind says that rows were changed then."""
        if not cohort.kind:
            for one in self._kept.values():
                one.asked = b""
            return
        number, self._next = self._next, self._next + 1
        self._kept[number] = cohort
        self._size += len(cohort.sums)
        if len(cohort.sums) < MOST_LEAST:
            self._few[number] = _bits(cohort)
        for bucket, (keys, _) in cohort.sums.items():
            self._where.setdefault((cohort.kind, bucket, keys), set()).add(number)
        while self._size > self._most:
            self._forget(*self._kept.popitem(last=False))

    def _forget(self, number: int, cohort: Cohort) -> None:
        self._size -= len(cohort.sums)
        self._few.pop(number, None)
        for bucket, (keys, _) in cohort.sums.items():
            place = (cohort.kind, bucket, keys)
            self._where[place].discard(number)
            if not self._where[place]:
                del self._where[place]

    def _candidates(self, cohort: Cohort) -> Counter[int]:
        """Earlier cohorts with equal buckets, and how many."""
        found: Counter[int] = Counter()
        for bucket, (keys, _) in cohort.sums.items():
            found.update(self._where.get((cohort.kind, bucket, keys), ()))
        return found


def _unasked(cohort: Cohort) -> Cohort:
    """What chose the people of one SELECT did not choose those of another."""
    return replace(cohort, asked=b"")


def _bits(cohort: Cohort) -> int:
    """The buckets that somebody is in."""
    return sum(1 << bucket for bucket in cohort.sums)


def _only_data(one: Cohort, other: Cohort) -> bool:
    return one.asked != b"" and one.asked == other.asked


def _difference(one: Cohort, other: Cohort, shared: int) -> int:
    """In how many buckets they differ; if in none, in how many the rows of the same people do."""
    differ = len(one.sums.keys() | other.sums.keys()) - shared
    return differ or sum(rows != other.sums[bucket][1] for bucket, (_, rows) in one.sums.items())
