"""A grant's caps hold over its whole life, over restarts, and count each person once."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from seenby.errors import LimitReached
from seenby.session.access import CACHED_TEXTS, Usage
from tests.playbooks.playbook import access, nobody, terms

CAPS = replace(terms(3, 10, None))


def pseudonym(person: str) -> bytes:
    return hashlib.sha256(person.encode()).digest()[:16]


def usage(*before: str, rows: int = 0) -> Usage:
    return Usage(rows, {pseudonym(person) for person in before}, pseudonym)


def test_up_to_the_cap_and_not_one_more() -> None:
    used = usage()
    used.charge(CAPS, ["a", "b"], 9)
    used.charge(CAPS, ["c"], 1)
    assert (used.people, used.rows) == (3, 10)
    with pytest.raises(LimitReached, match="more people than the 3"):
        used.charge(CAPS, ["d"], 0)
    with pytest.raises(LimitReached, match="more rows than the 10"):
        used.charge(CAPS, ["a"], 1)


def test_what_is_refused_is_not_counted() -> None:
    used = usage()
    for people, rows in ((["a", "b", "c", "d"], 1), (["a"], 11)):
        with pytest.raises(LimitReached) as caught:
            used.charge(CAPS, people, rows)
        assert "shown so far" in caught.value.detail
        assert "ask for a grant with a larger" in caught.value.hint
    assert (used.people, used.rows) == (0, 0)
    used.charge(CAPS, ["a", "b", "c"], 10)


def test_a_person_counts_once() -> None:
    used = usage()
    used.charge(CAPS, ["a", "a", "b"], 1)
    used.charge(CAPS, ["a", "b", "b"], 1)
    assert used.people == 2


def test_people_from_before_a_restart_count_and_count_once() -> None:
    used = usage("a", "b", rows=4)
    assert (used.people, used.rows) == (2, 4)
    used.charge(CAPS, ["a", "b", "c"], 1)
    assert used.people == 3
    with pytest.raises(LimitReached):
        used.charge(CAPS, ["a", "d"], 1)


def test_analysed_texts_are_bounded() -> None:
    held = access({})
    for number in range(CACHED_TEXTS + 1):
        held.remember(str(number), (nobody("x"),))
    assert len(held.plans) == CACHED_TEXTS - CACHED_TEXTS // 4 + 1
    assert str(CACHED_TEXTS) in held.plans
    assert "0" not in held.plans
    held.remember("x" * 10_001, (nobody("x"),))
    assert "x" * 10_001 not in held.plans
