"""Many queries through the oracles: counts per shape, and reports of what failed, shrunk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from seenby import sql
from seenby.model.plan import Plan
from tests.oracles import world
from tests.oracles.judge import SLOW, Analyse, Judge, OracleBroken, OracleFailure
from tests.oracles.query import Case
from tests.oracles.trees import shrunk

TOLD = 4
"""So many failures of one kind are shrunk and told per chunk."""

SLOW_ALLOWED = 1
"""So many queries of a run may be too slow, and are counted as refused: one in some 100,000 is. They are not shrunk,
because each attempt would take as long."""

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
    if 0 < len(failures.get(SLOW, ())) <= SLOW_ALLOWED:
        counts[SLOW] = Counter(queries=len(slow := failures.pop(SLOW)), refused=len(slow))
    return counts, failures


def told(judge: Judge, seed: str, analyse: Analyse, failures: Failures) -> str:
    """The first failures of each kind, shrunk, as a report that can be acted on."""
    return "\n\n".join(_told(judge, seed, analyse, kind, found) for kind, found in failures.items())


def _told(judge: Judge, seed: str, analyse: Analyse, kind: str, found: list[tuple[Case, OracleFailure]]) -> str:
    lines = [f"{kind}: {len(found)} failures, seed SEENBY_SEED={seed} (the number after / is the chunk)"]
    if kind == SLOW:
        return "\n".join([*lines, *(f"  {case.text}\n    parameters: {case.params}" for case, _ in found)])
    for case, _ in found[:TOLD]:
        small = minimise(judge, case, analyse, kind)
        try:
            judge.judge(small, analyse)
        except OracleFailure as failure:
            notes = "".join(f"\n      {note}" for note in getattr(failure, "__notes__", ()))
            lines.append(f"  {small.why}: {small.text}\n    parameters: {small.params}\n    {failure}{notes}")
    return "\n".join(lines)


def minimise(judge: Judge, case: Case, analyse: Analyse, kind: str, tries: int = 400) -> Case:
    """The smallest case, reached by leaving parts out, that still fails in the same way."""
    while True:
        for smaller in shrunk(case):
            tries -= 1
            if tries < 0:
                return case
            if _fails(judge, smaller, analyse, kind):
                case = smaller
                break
        else:
            return case


def _fails(judge: Judge, case: Case, analyse: Analyse, kind: str) -> bool:
    try:
        state = judge.copied.run(case.text, case.params).state
        if state and (kind != "error" or not state.startswith("22")):  # class 22: data; others: no longer a query
            return False
        judge.judge(case, analyse)
    except OracleFailure as failure:
        return failure.kind == kind
    except (OracleBroken, TypeError, ValueError, AttributeError, IndexError):  # no longer a query
        return False
    return False
