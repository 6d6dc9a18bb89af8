"""Cohorts that differ by few people are found, whatever their size; others are not held against anybody."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seenby.attribute.cohorts import Cohort, Groups, Memory, Row
from seenby.model.statistic import BUCKETS, MAX_GROUPS

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
    then.asked = now.asked = ("SELECT ...", (), ())
    assert not close(then, now)
    now.asked = ("SELECT ... WHERE ...", (), ())
    assert close(then, now)
    then.asked = now.asked = None
    assert close(then, now)


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


def rows(group: int, people: Cohort, column: int = 1) -> list[Row]:
    """As the cohort query answers; the number of people is in the first bucket's row."""
    found = [Row(group, column, bucket, 0, *sums) for bucket, sums in people.sums.items()]
    return [Row(group, column, None, 0, 0, 0), *[row._replace(people=people.people) for row in found[:1]], *found[1:]]


def groups(*answered: list[Row], kinds: tuple[str, ...] = ("account",)) -> Groups:
    made = Groups(kinds, LEAST)
    for group in answered:
        for row in group:
            made.add(row)
    return made


def test_groups_that_are_large_enough() -> None:
    large, small = cohort(range(20)), cohort(range(100, 109))
    found = groups(rows(0, large), rows(1, large), rows(2, small))
    assert (found.shown, found.all_large, found.people) == (True, False, 20)
    assert len(list(found.cohorts())) == 2, "the large one, and all large ones together"
    assert not groups(rows(1, small)).shown
    assert not groups().all_large, "of nobody there is no statistic"


def test_every_key_column_needs_enough_people() -> None:
    """A hundred people who wrote to one: the one is told about."""
    found = groups(rows(1, cohort(range(100))), rows(1, cohort([7]), column=2), kinds=("account", "account"))
    assert not found.shown
    empty = groups(rows(1, cohort(range(100))), [Row(1, 2, None, 0, 0, 0)], kinds=("account", "account"))
    assert not empty.shown


def test_nobody_has_more_than_a_third_of_the_rows() -> None:
    def weighed(group: int, most: int, every: int, people: int = 20) -> bool:
        return groups(rows(group, cohort(range(people))), [Row(group, 1, BUCKETS, 0, most, every)]).heavy

    assert not weighed(1, 10, 30)
    assert weighed(1, 10, 29)
    assert weighed(0, 10, 29)
    assert not weighed(1, 10, 12, people=9), "of too few people no figure is shown anyway"


def test_too_many_groups() -> None:
    assert not groups([Row(MAX_GROUPS, 1, None, 0, 0, 0)]).too_many
    assert groups([Row(MAX_GROUPS + 1, 1, None, 0, 0, 0)]).too_many
