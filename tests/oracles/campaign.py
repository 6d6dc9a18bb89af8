"""Many queries through the oracles: counts per shape, and reports of what failed, shrunk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from seenby import sql
from seenby.model.plan import Plan
from tests.oracles import world
from tests.oracles.judge import Analyse, Judge, OracleFailure, minimise
from tests.oracles.query import Case

TOLD = 4
"""So many failures of one kind are shrunk and told per chunk."""

SHAPE = world.shape()


def analyse(text: str, cap: int = 1000) -> tuple[Plan, ...]:
    """Under a grant that may compare people by whatever it shows."""
    return sql.analyse(text, SHAPE, world.CATALOG, cap=cap, linking=True)


Counts = dict[str, Counter[str]]
Failures = dict[str, list[tuple[Case, OracleFailure]]]


def run(judge: Judge, cases: Iterable[Case], analyse: Analyse) -> tuple[Counts, Failures]:
    counts: Counts = {}
    failures: Failures = {}
    for case in cases:
        try:
            verdict = judge.judge(case, analyse)
        except OracleFailure as failure:
            failures.setdefault(failure.kind, []).append((case, failure))
            continue
        row = counts.setdefault(verdict.shape, Counter())
        row.update(["queries", verdict.outcome])
        row.update(disclosed=verdict.disclosed, attributed=verdict.attributed, failed=int(verdict.failed))
    return counts, failures


def told(judge: Judge, seed: str, analyse: Analyse, failures: Failures) -> str:
    """The first failures of each kind, shrunk, as a report that can be acted on."""
    return "\n\n".join(_told(judge, seed, analyse, kind, found) for kind, found in failures.items())


def _told(judge: Judge, seed: str, analyse: Analyse, kind: str, found: list[tuple[Case, OracleFailure]]) -> str:
    lines = [f"{kind}: {len(found)} failures, seed SEENBY_SEED={seed} (the number after / is the chunk)"]
    for case, _ in found[:TOLD]:
        small = minimise(judge, case, analyse, kind)
        try:
            judge.judge(small, analyse)
        except OracleFailure as failure:
            notes = "".join(f"\n      {note}" for note in getattr(failure, "__notes__", ()))
            lines.append(f"  {small.why}: {small.text}\n    parameters: {small.params}\n    {failure}{notes}")
    return "\n".join(lines)
