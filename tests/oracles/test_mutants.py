"""The analysis itself, broken in four ways: the oracles find each within the normal suite's number of queries."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from dataclasses import replace
from random import Random

import postgast
import pytest
from google.protobuf.message import Message
from postgast import pg_query_pb2 as pb

from seenby import sql
from seenby.model.plan import Bound, Plan, QueryPlan
from tests.oracles import world
from tests.oracles.generate import Generator
from tests.oracles.judge import Judge, OracleFailure
from tests.oracles.query import Base, Block, Case, Query
from tests.oracles.refusals import MASKED, refused

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("oracles")]

NORMAL = 3600


def without_last_key(plan: QueryPlan) -> QueryPlan:
    """The last key is NULL in every row: of a UNION ALL, that is the key of its last branch."""
    if plan.bound is not Bound.EXACT:
        return plan
    tree = postgast.parse(plan.sql)
    for select in _blocks(tree.stmts[0].stmt.select_stmt):
        target = select.target_list[len(plan.keys) - 1].res_target
        target.val.CopyFrom(postgast.parse("SELECT NULL::text").stmts[0].stmt.select_stmt.target_list[0].res_target.val)
    return replace(plan, sql=postgast.deparse(tree))


def without_second_parts(plan: QueryPlan) -> QueryPlan:
    """The companion collects the first part of each UNION ALL only: the core, but not what an outer join adds.

    Its outermost UNION stays: it only says when to stop early.
    """
    if plan.bound is not Bound.UPPER or not plan.companion:
        return plan
    tree = postgast.parse(plan.companion)
    for select in [found for found in _messages(tree) if isinstance(found, pb.SelectStmt)]:
        while select.op == pb.SETOP_UNION and select.all:
            first = pb.SelectStmt()
            first.CopyFrom(select.larg)
            select.CopyFrom(first)
    return replace(plan, companion=postgast.deparse(tree))


def with_offset_in_postgres(plan: QueryPlan) -> QueryPlan:
    """Skipped rows never reach the gateway."""
    if not plan.offset:
        return plan
    return replace(plan, sql=f"SELECT * FROM ({plan.sql}) AS q OFFSET {plan.offset}", offset=0)


def without_one_person(plan: QueryPlan) -> QueryPlan:
    if plan.bound is not Bound.UPPER or not plan.companion:
        return plan
    return replace(plan, companion=f"SELECT * FROM ({plan.companion}) AS q(kind, key) WHERE key <> '1'")


@pytest.mark.parametrize(
    "mutate", [without_last_key, without_second_parts, with_offset_in_postgres, without_one_person]
)
def test_a_mutated_plan_is_found(mutate: Callable[[QueryPlan], QueryPlan], judge: Judge) -> None:
    def analyse(text: str) -> tuple[Plan, ...]:
        plans = sql.analyse(text, world.shape(), world.CATALOG, cap=1000, linking=True)
        return tuple(mutate(plan) if isinstance(plan, QueryPlan) else plan for plan in plans)

    generator = Generator(Random(f"{os.environ['SEENBY_SEED']}/mutants"))
    for case in itertools.islice(iter(generator.case, None), NORMAL):
        try:
            judge.judge(case, analyse)
        except OracleFailure as failure:
            if failure.kind == "missing":
                return
    pytest.fail(f"nobody noticed in {NORMAL} queries")


@pytest.mark.parametrize("text", [text for texts in MASKED.values() for text in texts if "NATURAL" not in text])
def test_a_masked_column_that_may_be_used_is_found(text: str, judge: Judge) -> None:
    """A shape that forgets which columns are masked, over the right views: the answer equals the copy's, and still."""
    unmasked = world.shape(masks=False)
    with pytest.raises(OracleFailure) as failure:
        judge.judge(
            refused("masked", text), lambda text: sql.analyse(text, unmasked, world.CATALOG, cap=1000, linking=True)
        )
    assert failure.value.kind == "answered"


def test_a_filter_that_sees_through_the_mask_is_found(judge: Judge) -> None:
    leaky = world.shape("leaky", masks=False)
    block = Block(("id",), (Base("accounts", "accounts"),), ("email = 'cyd@x.us'",))
    with pytest.raises(OracleFailure) as failure:
        judge.judge(Case(Query(block)), lambda text: sql.analyse(text, leaky, world.CATALOG, cap=1000, linking=True))
    assert failure.value.kind == "rows"


def _blocks(select: pb.SelectStmt) -> list[pb.SelectStmt]:
    return [select] if select.op == pb.SETOP_NONE else _blocks(select.larg) + _blocks(select.rarg)


def _messages(message: Message) -> list[Message]:
    found = [message]
    for part, value in message.ListFields():
        if part.message_type is not None:
            for inner in [value] if isinstance(value, Message) else value:
                found += _messages(inner)
    return found
