"""How a query is answered: the first rule that takes it. A new rule is one function in ``RULES``.

=========  ==========================================================================  =============================
rule       takes                                                                       people are found by
=========  ==========================================================================  =============================
nobody     tables about nobody, or none                                                nothing to find
statistic  aggregates about many people, under a grant that asks for statistics         nobody; a cohort query counts
exact      select-project-join and UNION ALL; ORDER BY; LIMIT with constant OFFSET;    keys in every row
           aggregates, DISTINCT and subqueries that rows can carry the keys of
           (gather.py); UNION of such
whole      windows and DISTINCT ON at the top, without LIMIT: every row of FROM         a companion query in the same
           decides                                                                     snapshot, before the first row
upper      everything else that was read: aggregates, DISTINCT, windows, subqueries    a companion query in the same
           in expressions, LIMIT below the top, set operations, WITH RECURSIVE, outer  snapshot
           joins with a condition on the optional side
=========  ==========================================================================  =============================

What no rule takes has been refused before, where the reader met it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from postgast import pg_query_pb2 as pb

from seenby.errors import Internal, Refused, Unsupported
from seenby.model.grant import Answers
from seenby.model.plan import Bound, OutputKey, QueryPlan
from seenby.model.statistic import ROWS, Answering, Noisy
from seenby.sql import carry, cohort, statistics
from seenby.sql.blocks import Query
from seenby.sql.companion import companion, is_plain
from seenby.sql.examined import examined, looks_up
from seenby.sql.noisy import read_noisy
from seenby.sql.offset import take_offset
from seenby.sql.parse import check_printed, deparse
from seenby.sql.read import Reader
from seenby.sql.scope import Key, Shown
from seenby.sql.statistics import Leaf

COUNTED = "Aggregates count only the rows that this grant shows."


@dataclass(frozen=True, slots=True)
class Case:
    """A statement that was read, the cap on people, and what the grant answers with.

    ``again`` reads and decides the same text once more, for a grant with these answers, with all queries written out;
    where it is missing they are written at once.
    """

    query: Query
    reader: Reader
    cap: int
    answering: Answering = ROWS
    again: Callable[[Answering], QueryPlan] | None = None


def decide(case: Case) -> QueryPlan:
    for column in case.query.outputs:
        column.use()
    for rule in RULES:
        plan = rule(case)
        if plan is not None:
            return plan
    raise Unsupported("this statement cannot be attributed to people yet", hint="write it with joins and UNION ALL")


def decide_statistic(case: Case, otherwise: Refused) -> QueryPlan:
    """As if the grant gave statistics alone, if it gives them at all. Raises ``otherwise`` if it is none."""
    if case.answering.answers is Answers.ROWS:
        raise otherwise
    try:
        return decide(replace(case, answering=replace(case.answering, answers=Answers.STATISTICS)))
    except Refused:
        if case.answering.answers is Answers.STATISTICS:
            raise
        raise otherwise from None


def nobody(case: Case) -> QueryPlan | None:
    if case.query.persons:
        return None
    return _plan(case, _printed(case), Bound.NOBODY)


def statistic(case: Case) -> QueryPlan | None:
    """Of a grant for statistics alone everything else is refused here; of one for both, the other rules follow."""
    query, reader, answering = case.query, case.reader, case.answering
    if answering.answers is Answers.ROWS:
        return None
    finder = statistics.Finder(reader.catalog, reader.cannot_fail)
    why = finder.why_not(query)
    if not why and cohort.repeats_names(query.select):
        why = "two of its WITH queries have the same name"
    if not why and reader.unsteady:
        why = "it does not say whose rows take part"
    if why and answering.answers is Answers.STATISTICS:
        raise Refused(
            f"this grant answers with statistics only: {why}",
            hint="ask for count, sum, avg... with GROUP BY, or for a grant that shows rows",
        )
    if why:
        return None
    noisy = _noisy(case, finder.leaves)
    for leaf in finder.leaves:
        leaf.sources.prepare()
    both = answering.answers is Answers.BOTH
    usual = upper(case)
    least = answering.thresholds.of(usual.classes)
    behind = cohort.cohort_query(finder.leaves, query.select, least, answering.seed, complete=both)
    conditions = statistics.choosing(finder.leaves)
    plan = replace(usual, bound=Bound.STATISTIC, cohort=behind, conditions=conditions)
    if both:
        if case.again is None:
            raise Internal("a statement that may turn out to be no statistic cannot be read once more")
        return replace(plan, instead=case.again(ROWS))
    for leaf in finder.leaves:
        cohort.guard(leaf, least, fenced=leaf.block.select is not query.select)
    sql = deparse(query.select)
    check_printed(sql, query.select)
    left_out = [f"Groups of fewer than {least} people are left out."] if behind.grouped else []
    if behind.grouped and any(leaf.block.select is not query.select or leaf.has_windows for leaf in finder.leaves):
        left_out.append("What is computed of groups is computed of those that are not left out.")
    if behind.filtered:
        left_out.append(
            f"A figure is NULL if its FILTER, a branch of its CASE, or its values are of fewer than {least} people."
        )
    if noisy is not None:
        left_out.append(f"Noise was added to each count: most are off by less than {3 * noisy.scale:.0f}.")
    return replace(plan, sql=sql, notices=(*usual.notices, *left_out), noise=noisy)


def _noisy(case: Case, leaves: Sequence[Leaf]) -> Noisy | None:
    noise = case.answering.noise
    if noise is None:
        return None
    found = read_noisy(case.query, leaves, case.reader.catalog.unique_keys, noise.each)
    if isinstance(found, str):
        raise Refused(
            f"this grant answers with noise: {found}",
            hint="ask for count(*) with GROUP BY, or for a grant without noise",
        )
    return found


def exact(case: Case) -> QueryPlan | None:
    query = case.query
    united = query.select.op == pb.SETOP_UNION and not query.select.all
    if set(query.obstacles) - ({"UNION"} if united else set()) or not _steady(case):
        return None
    offset, parameter = take_offset(query.select)
    found = carry.slots(query)
    many = [united or carry.is_many(query, column) for column in found]
    if united:
        instead = carry.unite_by_groups(query, found)
        sql = deparse(instead)
        if case.reader.expressions.doubtful:
            check_printed(sql, instead)
    else:
        carry.prepend_keys(query, found)
        sql = _printed(case)
    keys = tuple(
        OutputKey(_kind(column), _shown([key for key in column if key]), several)
        for column, several in zip(found, many, strict=True)
    )
    # Half of the work, for what is asked after an error only. But what may turn out not to be writable is written now.
    plain = len(case.reader.blocks) == 1 and is_plain(case.reader.blocks[0])
    later = partial(case.again, case.answering) if plain and case.again is not None else None
    others = companion(query, case.cap, early=False) if later is None else None
    return _plan(
        case,
        sql,
        Bound.EXACT,
        keys=keys,
        companion=others,
        offset=offset,
        offset_parameter=parameter,
        notices=_counted(case),
        later=later,
    )


def _steady(case: Case) -> bool:
    return not case.reader.unsteady and all(block.exact and not block.lost for block in case.query.blocks)


def whole(case: Case) -> QueryPlan | None:
    query = case.query
    if query.branches is not None or query.limited or query.blocks[0].gathers or not _steady(case):
        return None
    if not query.obstacles or set(query.obstacles) - {"a window function", "DISTINCT ON"}:
        return None
    if not all(one.total for block in case.reader.blocks for one in block.conjuncts):
        return None  # the companion leaves some of them out
    return replace(upper(case), bound=Bound.EXACT)


def upper(case: Case) -> QueryPlan:
    parts = tuple(sorted({shown for one in case.reader.relations if one.keys for shown in one.uses}))
    sql = _printed(case)
    others = companion(case.query, case.cap, early=True)
    return _plan(case, sql, Bound.UPPER, companion=others, parts=parts, notices=_counted(case))


def _counted(case: Case) -> tuple[str, ...]:
    return (COUNTED,) if any(block.aggregated for block in case.reader.blocks) else ()


Rule = Callable[[Case], QueryPlan | None]
RULES: tuple[Rule, ...] = (nobody, statistic, exact, whole, upper)


def _plan(
    case: Case,
    sql: str,
    bound: Bound,
    *,
    keys: tuple[OutputKey, ...] = (),
    companion: str | None = None,
    parts: tuple[Shown, ...] = (),
    offset: int = 0,
    offset_parameter: int = 0,
    notices: tuple[str, ...] = (),
    later: Callable[[], QueryPlan] | None = None,
) -> QueryPlan:
    relations = case.reader.relations
    used = {shown for relation in relations for shown in relation.uses}
    return QueryPlan(
        sql=sql,
        bound=bound,
        visible=len(case.query.outputs),
        keys=keys,
        companion=companion,
        parts=parts,
        tables=tuple(sorted({relation.index.label for relation in relations if relation.index})),
        columns=tuple(sorted({label for label, _ in used})),
        classes=tuple(sorted({data_class for _, data_class in used})),
        offset=offset,
        offset_parameter=offset_parameter,
        notices=notices,
        pinned=any(one.pins for block in case.reader.blocks for one in block.conjuncts),
        several=any(one.pins_several for block in case.reader.blocks for one in block.conjuncts),
        agreed=any(one.settled for one in case.reader.queries if one is not case.query),
        examined=examined(case.reader.blocks, case.reader.views, case.cap) if later is None else None,
        lookup=later is not None and looks_up(case.reader.blocks),
        later=later,
        parameters=case.reader.expressions.parameters,
    )


def _printed(case: Case) -> str:
    text = deparse(case.query.select)
    if case.reader.expressions.doubtful:
        check_printed(text, case.query.select)
    return text


def _kind(column: list[Key | None]) -> str:
    return next(key.kind for key in column if key is not None)


def _shown(keys: list[Key]) -> tuple[Shown, ...]:
    return tuple(sorted({shown for key in keys for use in key.uses for shown in use}))
