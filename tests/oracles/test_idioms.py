"""I4 and I5 over queries that were written by hand."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from seenby.model.plan import Bound, QueryPlan
from tests.fixtures.oracles import PROPERTY
from tests.oracles.campaign import analyse, run, told
from tests.oracles.idioms import FEW, IDIOMS, LOOSE, idiom
from tests.oracles.judge import Judge
from tests.oracles.traps import TRAPS

BY_HAND = IDIOMS | TRAPS

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("oracles-0")]


@pytest.mark.parametrize("label", list(BY_HAND))
def test_an_idiom_is_answered_rightly_and_names_everybody(
    label: str, judge: Judge, record_property: Callable[[str, object], None]
) -> None:
    counts, failures = run(judge, (idiom(f"by hand: {label}", text) for text in BY_HAND[label]), analyse)
    record_property(PROPERTY, json.dumps(counts))
    if failures:
        pytest.fail(told(judge, "none", analyse, failures), pytrace=False)


@pytest.mark.parametrize("text", LOOSE)
def test_an_idiom_with_several_permitted_answers_names_its_people(text: str, judge: Judge) -> None:
    case = idiom("by hand", text, loose=True)
    judge.judge(case, analyse)
    (plan,) = analyse(case.text)
    assert isinstance(plan, QueryPlan)
    if plan.bound is Bound.UPPER:
        run_of = judge.carry_out(plan, ())
        assert run_of.people


@pytest.mark.parametrize(("text", "named"), FEW)
def test_a_filter_on_one_person_names_few(text: str, named: str, judge: Judge) -> None:
    case = idiom("by hand", text)
    judge.judge(case, analyse)
    (plan,) = analyse(case.text)
    assert isinstance(plan, QueryPlan)
    people = judge.carry_out(plan, ()).people
    assert {person.key for person in people if person.kind == "account"} <= set(named.split())
