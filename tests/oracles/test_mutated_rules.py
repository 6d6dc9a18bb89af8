"""The rules of the companion query, each broken in turn: the queries by hand or a few hundred generated ones notice."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from postgast import pg_query_pb2 as pb

from seenby.model.plan import Plan, QueryPlan
from seenby.sql import extremes, first, gather, influence, nulled, outer, pieces, ranges, sure, tree, usable
from seenby.sql.blocks import Block, Query
from seenby.sql.extremes import Extremes
from seenby.sql.influence import Influence
from tests.oracles.campaign import analyse
from tests.oracles.idioms import IDIOMS, idiom
from tests.oracles.judge import Analyse, Judge, OracleFailure
from tests.oracles.query import Case
from tests.oracles.traps import TRAPS
from tests.oracles.wide import Wide

BY_HAND = IDIOMS | TRAPS

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("oracles-1")]

PATIENCE = 1500

Patch = pytest.MonkeyPatch


# --- mutants: each is one line of a rule left out or turned around ------------------------------------------------


def subqueries_forgotten(patch: Patch) -> None:
    patch.setattr(Influence, "_linked", lambda *_: iter(()))


def subqueries_in_on_forgotten(patch: Patch) -> None:
    _linked_unless(patch, lambda link: link.join is not None)


def conditions_on_aggregates_kept(patch: Patch) -> None:
    """A condition holds although it looks at what changes when somebody's row goes."""
    real = usable.column_holds

    def holds(column: Any, *rest: Any) -> bool:
        return not column.shadowed or real(column, *rest)

    patch.setattr(usable, "column_holds", holds)
    patch.setattr(influence, "column_holds", holds)
    patch.setattr(ranges, "column_holds", holds)
    patch.setattr(extremes, "column_holds", holds)
    patch.setattr(sure, "column_holds", holds)


def conditions_above_outer_joins_kept(patch: Patch) -> None:
    real = usable.holds

    def holds(conjunct: Any, block: Any, around: Any) -> bool:
        joins, block.joins = block.joins, []
        try:
            return bool(real(conjunct, block, around))
        finally:
            block.joins = joins

    patch.setattr(ranges, "holds", holds)


def limit_kept(patch: Patch) -> None:
    """Only those in front take part, although the ones behind move up."""
    real = Influence.parts

    def parts(self: Influence, query: Any, places: Any, around: Any) -> Iterator[Any]:
        for part in real(self, query, places, around):
            select = pb.SelectStmt.FromString(part.select.SerializeToString())
            if query.limited and query.select.HasField("limit_count") and query.branches is None:
                select.limit_count.CopyFrom(query.select.limit_count)
                select.limit_option = pb.LIMIT_OPTION_COUNT
            yield replace(part, select=select)

    patch.setattr(Influence, "parts", parts)


def optional_side_forgotten(patch: Patch) -> None:
    real = Influence._tree

    def made(self: Influence, item: Any, *rest: Any) -> Any:
        piece = real(self, item, *rest)
        nullable = getattr(item, "nullable", 0)
        if nullable:
            optional = set(_aliases(item, nullable))
            piece.keys = [key for key in piece.keys if key[1] not in optional]
        return piece

    patch.setattr(Influence, "_tree", made)


def full_join_as_left_join(patch: Patch) -> None:
    real = influence._variants
    patch.setattr(influence, "_variants", lambda block: itertools.islice(real(block), 1))


def second_branch_forgotten(patch: Patch) -> None:
    real = Influence.parts

    def parts(self: Influence, query: Any, places: Any, around: Any) -> Iterator[Any]:
        if query.branches is not None and not query.recursion:
            return real(self, query.branches[0], places, around)
        return real(self, query, places, around)

    patch.setattr(Influence, "parts", parts)


def later_rounds_forgotten(patch: Patch) -> None:
    real = Influence.parts

    def parts(self: Influence, query: Any, places: Any, around: Any) -> Iterator[Any]:
        if query.recursion:
            return real(self, query.branches[0], (), around)
        return real(self, query, places, around)

    patch.setattr(Influence, "parts", parts)


def subqueries_in_from_forgotten(patch: Patch) -> None:
    """Who stands in a subquery that keeps no row of its own apart."""
    patch.setattr(Influence, "_rides", lambda self, relation: False)
    whole = Influence.parts

    def parts(self: Influence, query: Any, places: Any, around: Any) -> Iterator[Any]:
        return iter(()) if around.focus else whole(self, query, places, around)

    patch.setattr(Influence, "parts", parts)


def aggregate_without_rows_forgotten(patch: Patch) -> None:
    """count(*) over nothing is a row: what depends on it is not cut off by an empty FROM."""
    patch.setattr(Block, "lone_row", property(lambda self: False))
    patch.setattr(Query, "lone_row", property(lambda self: False))


def not_in_as_in(patch: Patch) -> None:
    """Of NOT IN only the equal rows, not the NULLs that make all of it NULL."""
    real = Influence.compared
    patch.setattr(Influence, "compared", lambda self, *rest: real(self, *rest)[:1])


def compared_by_any_column(patch: Patch) -> None:
    """x IN (subquery): cut off by a value that changes when somebody's row goes."""
    patch.setattr(influence, "grade", lambda query, place: (0, False))
    patch.setattr(extremes, "grade", lambda query, place: (0, False))


def possible_values_relied_on(patch: Patch) -> None:
    """The people of a subquery cut off by max(x), as if the row with another x did not decide about it."""
    real = usable.column_holds

    def holds(column: Any, level: Any, around: Any, *rest: Any) -> bool:
        return real(column, level, replace(around, focus={}), *rest)

    patch.setattr(usable, "column_holds", holds)
    patch.setattr(influence, "column_holds", holds)
    patch.setattr(ranges, "column_holds", holds)
    patch.setattr(extremes, "column_holds", holds)
    patch.setattr(sure, "column_holds", holds)


def other_groups_forgotten(patch: Patch) -> None:
    """Relations that nothing connects: those of one are enough."""
    real = pieces.finished
    patch.setattr(influence, "finished", lambda *given: itertools.islice(real(*given), 1))


def second_owner_forgotten(patch: Patch) -> None:
    real = Influence._relation

    def relation(self: Influence, *rest: Any) -> Any:
        piece = real(self, *rest)
        if piece is not None:
            piece.keys = piece.keys[:1]
        return piece

    patch.setattr(Influence, "_relation", relation)


def except_by_what_is_left(patch: Patch) -> None:
    """EXCEPT could give only what the right side does not have now."""
    real = Influence.rows

    def rows(self: Influence, query: Any, places: Any, around: Any) -> Any:
        made = real(self, query, places, around)
        if query.branches is not None and query.select.op == pb.SETOP_EXCEPT and places:
            right = real(self, query.branches[1], places, around)
            return tree.united(made, right, pb.SETOP_EXCEPT, keep=False)
        return made

    patch.setattr(Influence, "rows", rows)


def not_turns_nothing(patch: Patch) -> None:
    """NOT EXISTS at its best is NOT of EXISTS at its best: cut off where the subquery has a row of somebody else."""
    real = Extremes._bound
    patch.setattr(Extremes, "_bound", lambda self, node, up, at: real(self, node, True, at))


def every_row_is_ones_own(patch: Patch) -> None:
    """NOT EXISTS: cut off by a row that can go away while the row of FROM stays."""
    patch.setattr(sure, "_there", lambda mine, keys, *, freely: tree.true())


def optional_rows_are_there(patch: Patch) -> None:
    """The people of the optional side of a LEFT JOIN are there whenever the row is."""

    def owners(block: Any, around: Any) -> Any:
        relations = [one for one in block.relations if one.index is not None]
        return [(key.kind, one.alias, key.name) for one in relations for key in one.keys]

    patch.setattr(extremes, "owners", owners)
    patch.setattr(influence, "owners", owners)


def errors_tell_nothing(patch: Patch) -> None:
    """EXISTS (...) OR true: whose rows make the subquery fail is forgotten."""
    patch.setattr(influence, "cannot_fail", lambda query: True)


def everything_is_certain(patch: Patch) -> None:
    """What a subquery says can never change, so that its people decide about nothing."""
    patch.setattr(influence, "unless", lambda node: tree.false())


def in_is_never_null(patch: Patch) -> None:
    """NOT (x IN ...) asks for x too, so that a LEFT JOIN below it is an inner one."""
    real = outer._null_parts

    def parts(node: Any, scope: Any) -> Any:
        return outer.strict_parts(node, scope) if node.WhichOneof("node") == "sub_link" else real(node, scope)

    patch.setattr(outer, "_null_parts", parts)


def optional_sides_stay(patch: Patch) -> None:
    """A condition on the optional side of an outer join says of a row what it says while the partner is there."""
    patch.setattr(nulled, "absences", lambda joins: [0])


def null_is_as_good_as_equal(patch: Patch) -> None:
    """A row of the subquery that is NULL makes NOT IN false, also where it makes a difference that it is not."""
    real = Extremes._sure_rows

    def rows(self: Extremes, link: Any, at: Any, *, fails: bool) -> Any:
        return real(self, link, replace(at, only=1 if fails else -1), fails=fails)

    patch.setattr(Extremes, "_sure_rows", rows)


def tables_of_one_name_are_one(patch: Patch) -> None:
    """x.a means the table in the subquery, although it was said of the one around it."""
    patch.setattr(sure, "_is_hidden", lambda test, own: False)


def every_side_stays(patch: Patch) -> None:
    """A row without a partner is there in the rows that need one too."""
    real = sure._whole
    patch.setattr(sure, "_whole", lambda item, needed, conjuncts: real(item, 0, conjuncts))


def else_is_asked_as_then(patch: Patch) -> None:
    """CASE WHEN a THEN b ELSE c: c is asked where a is true."""

    def conditions(message: Any, link: Any) -> Any:
        cases = message.case_expr.args if message.WhichOneof("node") == "case_expr" else []
        return [one.case_when.expr for one in cases if not extremes._holds(one.case_when.expr, link)]

    patch.setattr(extremes, "_asked_only_if", conditions)


def every_having_only_shrinks(patch: Patch) -> None:
    """As if no group could come when people go: avg(x) > 8."""
    patch.setattr(gather, "only_shrinks", lambda node, *, aggregate: True)


def every_order_stays(patch: Patch) -> None:
    """As if no group moved forward when people go: ORDER BY count(*) LIMIT 1."""
    patch.setattr(gather, "stays_behind", lambda column, *, down, last: True)


def everything_counts(patch: Patch) -> None:
    """As if whatever is compared were a count of rows."""
    patch.setattr(gather, "grows_with_rows", lambda node: True)


def every_subquery_shrinks(patch: Patch) -> None:
    """As if a row that fails could not pass when people go: NOT EXISTS below EXISTS, LIMIT, EXCEPT."""
    patch.setattr(gather, "shrinks", lambda link: True)


def subqueries_carry_nobody(patch: Patch) -> None:
    patch.setattr(gather, "_keys", lambda *_: [])


def optional_rows_steady(patch: Patch) -> None:
    """As if the rows of a LEFT JOIN only went away, and were never filled with NULL instead."""
    patch.setattr(Block, "steady", property(lambda self: True))


def first_rows_hide_each_other(patch: Patch) -> None:
    """Two LIMITs below the top: the people of one looked for only where the first rows of the other are."""
    patch.setattr(usable.Around, "literally", lambda self: self)


def first_rows_by_their_place(patch: Patch) -> None:
    """The first rows without those that OFFSET skips."""
    real = first._number

    def number(select: Any) -> int | None:
        count = real(select)
        return count and count - 1 if select.HasField("limit_offset") else count

    patch.setattr(first, "_number", number)


MUTANTS: Sequence[Callable[[Patch], None]] = (
    subqueries_forgotten,
    subqueries_in_on_forgotten,
    conditions_on_aggregates_kept,
    conditions_above_outer_joins_kept,
    limit_kept,
    optional_side_forgotten,
    full_join_as_left_join,
    second_branch_forgotten,
    later_rounds_forgotten,
    subqueries_in_from_forgotten,
    aggregate_without_rows_forgotten,
    not_in_as_in,
    compared_by_any_column,
    possible_values_relied_on,
    other_groups_forgotten,
    second_owner_forgotten,
    except_by_what_is_left,
    not_turns_nothing,
    every_row_is_ones_own,
    optional_rows_are_there,
    errors_tell_nothing,
    everything_is_certain,
    in_is_never_null,
    optional_sides_stay,
    null_is_as_good_as_equal,
    tables_of_one_name_are_one,
    every_side_stays,
    else_is_asked_as_then,
    every_having_only_shrinks,
    every_order_stays,
    everything_counts,
    every_subquery_shrinks,
    subqueries_carry_nobody,
    optional_rows_steady,
    first_rows_hide_each_other,
    first_rows_by_their_place,
)


@pytest.mark.parametrize("mutate", MUTANTS, ids=lambda mutate: mutate.__name__)
def test_a_mutated_rule_is_noticed(mutate: Callable[[Patch], None], cases: Cases, judge: Judge) -> None:
    tried = 0
    for tried, (case, right) in enumerate(cases, 1):
        with pytest.MonkeyPatch.context() as patch:
            mutate(patch)
            plans = _planned(case.text)
            # What a broken rule makes no difference to is judged as ever, and need not be for each rule again.
            noticed = plans is not None and _in_full(plans) != right and _fails(case, judge, _only(plans))
        if noticed and not _fails(case, judge, analyse):
            print(f"after {tried} queries: {case.text}")
            return
    pytest.fail(f"nobody noticed in {tried} queries")


class Cases:
    """The queries, each with its right plan, made when the first rule needs them and kept for the others."""

    def __init__(self) -> None:
        self._kept: list[tuple[Case, tuple[Plan, ...]]] = []
        self._rest = _cases()

    def __iter__(self) -> Iterator[tuple[Case, tuple[Plan, ...]]]:
        for number in itertools.count():
            if number == len(self._kept):
                case = next(self._rest, None)
                if case is None:
                    return
                self._kept.append((case, _in_full(analyse(case.text))))
            yield self._kept[number]


@pytest.fixture(scope="module")
def cases() -> Cases:
    return Cases()


def _planned(text: str) -> tuple[Plan, ...] | None:
    """None: a broken rule can end in any error, which is no proof that somebody is missing."""
    try:
        return analyse(text)
    except Exception:
        return None


def _only(plans: tuple[Plan, ...]) -> Analyse:
    return lambda _: plans


def _in_full(plans: tuple[Plan, ...]) -> tuple[Plan, ...]:
    """With what is written only when it is needed, which is not compared otherwise."""
    return tuple(plan.in_full if isinstance(plan, QueryPlan) else plan for plan in plans)


def _fails(case: Case, judge: Judge, analyse: Analyse) -> bool:
    """Somebody is missing, or the companion query cannot run: it names what a broken rule left out elsewhere."""
    try:
        judge.judge(case, analyse)
    except OracleFailure as failure:
        return failure.kind in {"missing", "companion"}
    return False


def _cases() -> Iterator[Case]:
    for label, texts in BY_HAND.items():
        yield from (idiom(label, text) for text in texts)
    generator = Wide(Random(f"{os.environ['SEENBY_SEED']}/rules"))
    yield from (generator.case() for _ in range(PATIENCE))


def _linked_unless(patch: Patch, skip: Callable[[Any], bool]) -> None:
    real = Influence._linked

    def linked(self: Influence, block: Any, link: Any, *rest: Any) -> Iterator[Any]:
        return iter(()) if skip(link) else real(self, block, link, *rest)

    patch.setattr(Influence, "_linked", linked)


def _aliases(item: Any, bits: int) -> Iterator[str]:
    """The names of the relations of a join that are among ``bits``."""
    for side in item.sides or ():
        if hasattr(side, "sides"):
            yield from _aliases(side, bits)
        elif side.bit & bits:
            yield side.alias
