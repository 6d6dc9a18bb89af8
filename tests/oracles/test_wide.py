"""I4 and I5 over everything beyond plain joins: aggregates, windows, subqueries anywhere, set operations, recursion."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from random import Random

import pytest

from tests.fixtures.oracles import PROPERTY
from tests.oracles.campaign import analyse, run, told
from tests.oracles.floors import FLOORS, FLOORS_OF_ORDINARY
from tests.oracles.judge import Judge
from tests.oracles.ordinary import ORDINARY, Ordinary
from tests.oracles.wide import SHAPES, Wide

LONG = os.environ.get("SEENBY_CAMPAIGN") == "long"
CHUNKS = 100 if LONG else 12
QUERIES, OF_A_SHAPE = 800, 100
WORKERS = 2
"""Each has its own server and databases."""

pytestmark = pytest.mark.postgres

Record = Callable[[str, object], None]


def halved(number: int) -> pytest.MarkDecorator:
    return pytest.mark.xdist_group(f"oracles-{number % WORKERS}")


@pytest.mark.parametrize("chunk", [pytest.param(n, marks=halved(n)) for n in range(CHUNKS)])
def test_nobody_is_missing_and_nothing_is_silently_wrong(chunk: int, judge: Judge, record_property: Record) -> None:
    seed = f"{os.environ['SEENBY_SEED']}/wide/{chunk}"
    generator = Wide(Random(seed))
    counts, failures = run(judge, (generator.case() for _ in range(QUERIES)), analyse)
    record_property(PROPERTY, json.dumps(counts))
    if failures:
        pytest.fail(told(judge, seed, analyse, failures), pytrace=False)


@pytest.mark.parametrize(
    "shape", [pytest.param(shape, marks=halved(n)) for n, shape in enumerate((*SHAPES, *ORDINARY))]
)
def test_a_shape_is_answered_and_names_few_others(shape: str, judge: Judge, record_property: Record) -> None:
    """The same queries each time, so that what names more people than before is seen."""
    generator = Ordinary(Random(shape)) if shape in ORDINARY else Wide(Random(shape))
    counts, failures = run(judge, (generator.case(shape) for _ in range(OF_A_SHAPE)), analyse)
    record_property(PROPERTY, json.dumps(counts))
    if failures:
        pytest.fail(told(judge, shape, analyse, failures), pytrace=False)
    floors = FLOORS | FLOORS_OF_ORDINARY
    for name, row in counts.items():
        if name in floors:
            assert row["disclosed"] / row["attributed"] >= floors[name], name
    refused = sum(row["refused"] for row in counts.values())
    assert refused <= OF_A_SHAPE * (0.25 if "recursion" in shape else 0.1)
