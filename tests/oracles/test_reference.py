"""The oracles are sound and notice mistakes: a planner over the query's tree passes, and none of its mistakes does."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from random import Random

import pytest

from tests.oracles.generate import Generator
from tests.oracles.judge import Judge, OracleFailure
from tests.oracles.query import Case
from tests.oracles.reference import Mistake, plan

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("oracles")]

PATIENCE = 8000
"""The rarest mistake shows once in about 500 queries, the normal suite runs 3,600: this is for unlucky seeds."""
SOUND = 20000 if os.environ.get("SEENBY_CAMPAIGN") == "long" else 800


def cases(seed: str) -> Iterator[Case]:
    generator = Generator(Random(f"{os.environ['SEENBY_SEED']}/{seed}"))
    while True:
        yield generator.case()


def judged(judge: Judge, case: Case, mistake: Mistake | None) -> None:
    parsed = judge.copied.describe(case.text)
    if isinstance(parsed, str):  # wrong in itself: nothing to plan
        return
    visible, _ = parsed
    planned = plan(case, visible, mistake)
    if mistake is None or planned != plan(case, visible):  # what has nothing to get wrong is no proof of anything
        judge.judge(case, lambda _: (planned,))


def test_the_right_planner_passes(judge: Judge) -> None:
    for case in itertools.islice(cases("sound"), SOUND):
        judged(judge, case, None)


@pytest.mark.parametrize("mistake", list(Mistake), ids=lambda mistake: mistake.name.lower())
def test_each_mistake_is_found(mistake: Mistake, judge: Judge) -> None:
    for number, case in enumerate(itertools.islice(cases("mistakes"), PATIENCE)):
        try:
            judged(judge, case, mistake)
        except OracleFailure as failure:
            if failure.kind in {"companion", "error"}:  # a parameter went with the mistake: no proof of anything
                continue
            print(f"{mistake.name} after {number + 1} queries: {failure.kind}")
            return
    pytest.fail(f"nobody noticed {mistake.name} in {PATIENCE} queries")
