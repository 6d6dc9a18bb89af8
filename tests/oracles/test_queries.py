"""I4 and I5 over generated queries: nobody is missing, and nothing is silently wrong."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random

import pytest

from seenby import sql
from seenby.model.plan import Bound, Plan, QueryPlan
from tests.fixtures.oracles import PROPERTY
from tests.oracles import world
from tests.oracles.generate import Generator
from tests.oracles.judge import Judge, OracleFailure, minimise
from tests.oracles.query import Case
from tests.oracles.refusals import OFFENCES, STATEMENTS, WRAPPERS, refusal, refused
from tests.oracles.unusual import Unusual

LONG = os.environ.get("SEENBY_CAMPAIGN") == "long"
CHUNKS = 40 if LONG else 6
ANSWERED, UNANSWERED, REFUSED = 600, 60, 60
TOLD = 4
"""So many failures of one kind are shrunk and told per chunk."""

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("oracles")]

SHAPE = world.shape()


def analyse(text: str) -> tuple[Plan, ...]:
    return sql.analyse(text, SHAPE, world.CATALOG, cap=1000)


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
    counts: dict[str, Counter[str]] = {}
    failures: dict[str, list[tuple[Case, OracleFailure]]] = {}
    for case in cases(seed):
        try:
            verdict = judge.judge(case, analyse)
        except OracleFailure as failure:
            failures.setdefault(failure.kind, []).append((case, failure))
            continue
        row = counts.setdefault(verdict.shape, Counter())
        row.update(["queries", verdict.outcome])
        row.update(disclosed=verdict.disclosed, attributed=verdict.attributed, failed=int(verdict.failed))
    record_property(PROPERTY, json.dumps(counts))
    if failures:
        pytest.fail("\n\n".join(told(judge, seed, kind, found) for kind, found in failures.items()), pytrace=False)


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
        whole, capped = (sql.analyse(case.text, SHAPE, world.CATALOG, cap=cap)[0] for cap in (1000, 2))
        if not isinstance(whole, QueryPlan) or whole.bound is not Bound.UPPER:
            continue
        assert isinstance(capped, QueryPlan)
        everybody, some = (judge.carry_out(plan, case.params).people for plan in (whole, capped))
        assert some <= everybody
        assert len(some) >= min(3, len(everybody)), capped.companion
        checked += 1


def told(judge: Judge, seed: str, kind: str, found: list[tuple[Case, OracleFailure]]) -> str:
    """The first failures of one kind, shrunk, as a report that can be acted on."""
    lines = [f"{kind}: {len(found)} failures, seed SEENBY_SEED={seed} (the number after / is the chunk)"]
    for case, _ in found[:TOLD]:
        small = minimise(judge, case, analyse, kind)
        try:
            judge.judge(small, analyse)
        except OracleFailure as failure:
            notes = "".join(f"\n      {note}" for note in getattr(failure, "__notes__", ()))
            lines.append(f"  query: {small.text}\n    parameters: {small.params}\n    {failure}{notes}")
    return "\n".join(lines)
