"""SQL in, SQL out: every rule and every refusal, as data (cases/*.toml)."""

from __future__ import annotations

from typing import Any

import pytest

from seenby.errors import SyntaxFailed
from seenby.model.plan import ControlPlan, QueryPlan, RefusedPlan
from seenby.sql import analyse
from tests.unit.sql.world import CATALOG, SHAPE, cases

Case = dict[str, Any]


def _named(name: str) -> list[Any]:
    return [pytest.param(case, id=case["sql"][:100]) for case in cases(name)]


def _check_refusal(plan: object, case: Case) -> None:
    assert isinstance(plan, RefusedPlan)
    error = plan.error
    assert error.state == case["state"]
    assert case["message"] in error.message
    assert case["hint"] in error.hint
    assert error.hint or not case["hint"]
    assert plan.text == case["sql"]
    if isinstance(error, SyntaxFailed):
        assert error.position == case.get("position", 0)


@pytest.mark.parametrize("case", _named("refused"))
def test_what_is_refused_says_why_and_what_to_do(case: Case) -> None:
    (plan,) = analyse(case["sql"], SHAPE, CATALOG, cap=10)
    _check_refusal(plan, case)


@pytest.mark.parametrize("case", _named("statements"))
def test_statements_that_are_no_select(case: Case) -> None:
    (plan,) = analyse(case["sql"], SHAPE, CATALOG, cap=10)
    if "state" in case:
        return _check_refusal(plan, case)
    assert isinstance(plan, ControlPlan)
    assert plan.kind.value == case["kind"]
    assert plan.tag == case["tag"]
    assert plan.sql == case["becomes"]
    assert (plan.name, plan.value) == (case.get("name", ""), case.get("value", ""))
    return None


@pytest.mark.parametrize("case", _named("answered"))
def test_what_is_answered_becomes_this(case: Case) -> None:
    (plan,) = analyse(case["sql"], SHAPE, CATALOG, cap=10)
    assert not isinstance(plan, RefusedPlan), plan.error
    assert isinstance(plan, QueryPlan)
    assert plan.sql == case["becomes"]
    assert plan.bound.value == case["bound"]
    keys = [f"{key.kind}{'*' * key.many}: {', '.join(name for name, _ in key.columns)}".rstrip() for key in plan.keys]
    assert keys == case.get("keys", [])
    assert [name for name, _ in plan.parts] == case.get("parts", [])
    if "core" in case:
        companion = plan.in_full.companion
        assert companion is not None
        assert f"FROM ({case['core']}) AS c" in companion
    assert plan.offset == case.get("offset", 0)
    assert plan.pinned == case.get("pinned", False)
    assert plan.parameters == case.get("parameters", 0)
    assert plan.catalog_only == case.get("catalog_only", False)
    assert bool(plan.notices) == case.get("notices", False)
