"""Cohorts that differ by few people are found, whatever their size; others are not held against anybody."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seenby.attribute.cohorts import Cohort, Groups, Memory, Row
from seenby.model.statistic import BUCKETS, MAX_GROUPS, Level

LEAST = 10


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)


def cohort(people: Iterable[int] | Mapping[int, int], kind: str = "account", *tables: str) -> Cohort:
    """As the database would sketch these people, or people with so many rows each."""
    counted = people if isinstance(people, Mapping) else dict.fromkeys(people, 1)
    made = Cohort(kind, frozenset(tables or ("accounts",)), len(counted))
    for person, rows in counted.items():
        bucket = _hash(f"bucket {person}") % BUCKETS
        keys, with_rows = made.sums.get(bucket, (0, 0))
        made.sums[bucket] = (keys + _hash(f"{person}"), with_rows + _hash(f"{person}:{rows}"))
    return made


def close(first: Cohort, second: Cohort, least: int = LEAST) -> bool:
    memory = Memory()
    memory.add([first])
    return memory.close([second], least)


PEOPLE = st.sets(st.integers(0, 3000), min_size=LEAST, max_size=400)


@settings(deadline=None)
@given(PEOPLE, st.data())
def test_a_difference_of_one_to_nine_is_always_found(people: set[int], data: st.DataObject) -> None:
    number = data.draw(st.integers(1, LEAST - 1))
    removed = data.draw(st.integers(0, min(number, len(people) - 1)))
    gone = set(sorted(people)[:removed])
    others = (people - gone) | set(range(5000, 5000 + number - removed))
    assert close(cohort(people), cohort(others))
    assert close(cohort(others), cohort(people))


def test_also_if_no_bucket_is_left_as_it_was() -> None:
    first, second = cohort(()), cohort(())
    first.sums = {bucket: (bucket + 1, 1) for bucket in range(5)}
    second.sums = {bucket: (bucket + 9, 1) for bucket in range(2, 8)}
    assert close(first, second)
    second.kind = "contact"
    assert not close(first, second)
    second.kind, second.sums[63] = "account", (7, 7)
    second.sums |= {40: (1, 1), 41: (1, 1)}
    assert not close(first, second), "eleven buckets differ"


@settings(deadline=None)
@given(PEOPLE, st.integers(3 * LEAST, 200))
def test_a_large_one_is_nobody_s_secret(people: set[int], more: int) -> None:
    assert not close(cohort(people), cohort(people | set(range(5000, 5000 + more))))


def test_the_same_people_are_the_same_statistic() -> None:
    assert not close(cohort(range(50)), cohort(range(50)))


def test_the_same_people_with_other_rows() -> None:
    rows = dict.fromkeys(range(50), 3)
    assert close(cohort(rows), cohort(rows | {7: 2}))
    assert not close(cohort(rows), cohort(rows | dict.fromkeys(range(40), 4)))


def test_of_another_kind_or_from_other_tables() -> None:
    few = range(49)
    assert close(cohort(range(50), "account", "a", "b"), cohort(few, "account", "b", "c"))
    assert not close(cohort(range(50), "account", "a"), cohort(few, "account", "b"))
    assert not close(cohort(range(50), "account"), cohort(few, "contact"))


def test_the_same_question_later_is_about_what_happened_since() -> None:
    then, now = cohort(range(50)), cohort(range(53))
    then.asked = now.asked = b"SELECT ..."
    assert not close(then, now)
    now.asked = b"SELECT ... WHERE ..."
    assert close(then, now)
    then.asked = now.asked = b""
    assert close(then, now)


def test_but_not_about_what_whoever_asks_changed_since() -> None:
    memory, kept = Memory(), list[Cohort]()
    then, now = cohort(range(50)), cohort(range(53))
    then.asked = now.asked = b"SELECT ..."
    memory.add([then])
    memory.changed()
    assert memory.close([now], LEAST)
    memory.add([now])
    later = replace(cohort(range(51)), asked=b"SELECT ...")
    assert memory.close([later], LEAST, known=lambda _, other: not other.asked) is False, "what came after may be"
    memory = Memory(keep=kept.extend)
    memory.changed()
    assert kept == [], "nothing was asked"


@pytest.mark.parametrize("least", [3, 10, 30])
def test_every_threshold(least: int) -> None:
    everybody = range(2000)
    assert close(cohort(everybody), cohort(everybody[least - 1 :]), least)
    assert not close(cohort(everybody), cohort(everybody[4 * least :]), least)


def test_the_oldest_is_forgotten_first_and_what_is_asked_again_is_the_newest() -> None:
    memory = Memory(most=2 * BUCKETS)
    first, second, third = (cohort(range(start, start + 3000)) for start in (0, 10_000, 20_000))
    near = [cohort(range(start + 1, start + 3000)) for start in (0, 10_000, 20_000)]
    memory.add([first])
    memory.add([second])
    memory.add([first])
    memory.add([third])
    assert [memory.close([one], LEAST) for one in near] == [True, False, True]


def rows(group: int, people: Cohort, column: int = 1, level: int = 0) -> list[Row]:
    """As the cohort query answers; how many people are in which bucket does not matter."""
    found = [Row(level, group, column, bucket, 1, *sums) for bucket, sums in people.sums.items()]
    first = [row._replace(people=people.people - len(found) + 1) for row in found[:1]]
    return [Row(level, group, column, None, 0, 0, 0), *first, *found[1:]]


GROUPS = Level(("account",), (("accounts",),), 0, shown=True)
TOGETHER = Level(("account",), (("accounts",),), 0)
TWO_KEYS = Level(("account", "account"), (("messages",), ("messages",)), 0, shown=True)


def groups(*answered: list[Row], levels: tuple[Level, ...] = (GROUPS, TOGETHER)) -> Groups:
    made = Groups(levels, LEAST)
    for group in answered:
        for row in group:
            made.add(row)
    return made


def test_groups_that_are_large_enough() -> None:
    large, small = cohort(range(20)), cohort(range(100, 109))
    found = groups(rows(1, large, level=1), rows(1, large), rows(2, small))
    assert (found.all_large, found.people) == (False, 20)
    assert len(list(found.cohorts())) == 2, "the large one, and all large ones together"
    assert len(list(found.cohorts(small=True))) == 3, "where everybody is named, the small one too"
    assert not list(groups([Row(0, 1, 1, None, 0, 0, 0)]).cohorts(small=True)), "of nobody there is none"
    assert not list(groups(rows(1, small)).cohorts())
    assert not groups().all_large, "of nobody there is no statistic"


def test_a_figure_without_groups_needs_enough_people_itself() -> None:
    levels = (GROUPS, replace(GROUPS, lone=True))
    large, small = cohort(range(20)), cohort(range(9))
    assert groups(rows(1, small), rows(1, large, level=1), levels=levels).complete
    assert not groups(rows(1, large), rows(1, small, level=1), levels=levels).complete
    assert not groups(rows(1, large), levels=levels).complete, "nobody is too few"


def test_every_key_column_needs_enough_people() -> None:
    """A hundred people who wrote to one: the one is told about."""
    found = groups(rows(1, cohort(range(100))), rows(1, cohort([7]), column=2), levels=(TWO_KEYS,))
    assert not list(found.cohorts())
    empty = groups(rows(1, cohort(range(100))), [Row(0, 1, 2, None, 0, 0, 0)], levels=(TWO_KEYS,))
    assert not list(empty.cohorts())


def test_nobody_has_more_than_a_third_of_the_rows() -> None:
    def weighed(most: int, every: int, people: int = 20, level: Level = GROUPS) -> bool:
        return groups(rows(1, cohort(range(people))), [Row(0, 1, 1, BUCKETS, 0, most, every)], levels=(level,)).heavy

    assert not weighed(10, 30)
    assert weighed(10, 29)
    assert not weighed(10, 12, people=9), "of too few people no figure is shown anyway"
    assert not weighed(10, 12, level=replace(GROUPS, weighed=False)), "who counts once weighs no more than others"
    assert not weighed(10, 12, level=TOGETHER)


@pytest.mark.parametrize(("fewer", "near"), [(0, False), (1, True), (9, True), (10, False)])
def test_the_rows_between_two_figures_of_one_statement_are_of_nobody_or_of_many(fewer: int, *, near: bool) -> None:
    """A group, what a FILTER leaves of it, and the rest."""
    levels = (GROUPS, replace(GROUPS, chosen=1), replace(TOGETHER, between=(0, 1)))
    every, some = cohort(range(100)), cohort(range(100 - fewer))
    between = rows(1, cohort(range(200, 200 + fewer)), level=2)
    assert groups(rows(1, every), rows(1, some, level=1), between, levels=levels).near is near
    assert not groups(rows(1, every), rows(2, some, level=1), between, levels=levels).near, "of other groups"
    few = cohort(range(9))
    assert not groups(rows(1, every), rows(1, few, level=1), between, levels=levels).near, "one of them is not told"


def test_two_sides_of_a_union_are_two_figures() -> None:
    sides = (rows(1, cohort(range(100))), rows(1, cohort(range(99)), column=2))
    union = replace(TWO_KEYS, sides=True)
    assert groups(*sides, levels=(union,)).near
    assert not groups(*sides, levels=(TWO_KEYS,)).near, (
        "a row has a sender and a recipient: no figure is about one alone"
    )
    other = replace(union, tables=(("likes",), ("shares",)))
    assert not groups(*sides, levels=(other,)).near, "other tables have other rows"


def test_two_selects_of_one_statement_are_two_statistics() -> None:
    told = (rows(1, cohort(range(100))), rows(1, cohort(range(99)), level=1))
    assert groups(*told, levels=(GROUPS, replace(GROUPS, leaf=1))).near
    assert not groups(*told, levels=(GROUPS, GROUPS)).near, "two groups have no rows in common"
    found = groups(*told, levels=(GROUPS, replace(GROUPS, leaf=1)))
    found.asked = b"this"
    assert len(list(found.cohorts())) == 2
    assert found.near, "also when it is known what was asked"
    assert not groups(told[0], rows(1, cohort(range(100)), level=1), levels=(GROUPS, replace(GROUPS, leaf=1))).near


def test_too_many_groups() -> None:
    assert not groups([Row(0, MAX_GROUPS, 1, None, 0, 0, 0)]).too_many
    assert groups([Row(0, MAX_GROUPS + 1, 1, None, 0, 0, 0)]).too_many
