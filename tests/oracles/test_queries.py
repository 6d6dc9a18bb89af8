"""I4 and I5 over generated queries: nobody is missing, and nothing is silently wrong."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from random import Random

import pytest

from seenby.model.plan import Bound, QueryPlan
from tests.fixtures.oracles import PROPERTY
from tests.oracles.campaign import analyse, run, told
from tests.oracles.generate import Generator
from tests.oracles.judge import Judge
from tests.oracles.query import Case
from tests.oracles.refusals import OFFENCES, STATEMENTS, WRAPPERS, refusal, refused
from tests.oracles.unusual import Unusual

LONG = os.environ.get("SEENBY_CAMPAIGN") == "long"
CHUNKS = 40 if LONG else 6
ANSWERED, UNANSWERED, REFUSED = 600, 60, 60
pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("oracles")]


def cases(seed: str) -> Iterator[Case]:
    random = Random(seed)
    generator = Unusual(random)
    kinds = ["answered"] * ANSWERED + ["unanswered"] * UNANSWERED + ["refused"] * REFUSED
    random.shuffle(kinds)
    for kind in kinds:
        if kind == "refused":
            yield refusal(random)
        else:
            yield generator.case() if kind == "answered" else generator.unanswered()


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_nobody_is_missing_and_nothing_is_silently_wrong(
    chunk: int, judge: Judge, record_property: Callable[[str, object], None]
) -> None:
    seed = f"{os.environ['SEENBY_SEED']}/{chunk}"
    counts, failures = run(judge, cases(seed), analyse)
    record_property(PROPERTY, json.dumps(counts))
    if failures:
        pytest.fail(told(judge, seed, analyse, failures), pytrace=False)


@pytest.mark.parametrize(
    ("why", "text"), [*OFFENCES, *(("a statement kind", text) for text in STATEMENTS)], ids=lambda value: value[:60]
)
def test_what_must_be_refused_is_refused_wherever_it_stands(why: str, text: str, judge: Judge) -> None:
    for wrapper in WRAPPERS if why != "a statement kind" else ("{}",):
        judge.judge(refused(why, wrapper.format(text)), analyse)


def test_a_capped_companion_names_more_people_than_the_cap_allows(judge: Judge) -> None:
    """``cap`` + 1 people are enough to stop a query: a companion may stop there, but not before, nor name others."""
    generator = Generator(Random(f"{os.environ['SEENBY_SEED']}/cap"))
    checked = 0
    while checked < 100:
        case = generator.case()
        whole, capped = (analyse(case.text, cap)[0] for cap in (1000, 2))
        if not isinstance(whole, QueryPlan) or whole.bound is not Bound.UPPER:
            continue
        assert isinstance(capped, QueryPlan)
        everybody, some = (judge.carry_out(plan, case.params).people for plan in (whole, capped))
        assert some <= everybody
        assert len(some) >= min(3, len(everybody)), capped.companion
        checked += 1
