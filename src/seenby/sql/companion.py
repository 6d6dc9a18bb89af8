"""The companion query: everybody whose rows take part in a statement, as rows (kind, key), in the same snapshot.

It runs beside a query whose output cannot carry keys (an aggregate), and after a run-time error of any query, because
an error tells something about these people. So it must not fail where the query fails: conditions that can raise an
error are left out of it, which can only add people.

    SELECT count(*) FROM accounts a WHERE a.country = 'IE'
    -> SELECT DISTINCT 'account'::text AS kind, k1 AS key                      -- in its plain form, see _people
       FROM (SELECT a."seenby$1" FROM v.accounts a WHERE a.country = 'IE') AS c (k1)
       WHERE k1 IS NOT NULL LIMIT 501
"""

from __future__ import annotations

from collections.abc import Sequence

from postgast import pg_query_pb2 as pb

from seenby.sql import carry, widen
from seenby.sql.blocks import Block, Query
from seenby.sql.core import branches, leave_out_risky
from seenby.sql.parse import deparse

_BESIDE_CORE = (
    "target_list", "distinct_clause", "group_clause", "group_distinct", "having_clause", "window_clause",
    "values_lists", "sort_clause", "limit_count", "limit_offset",
)  # fmt: skip

_ROWS_PER_PERSON = 20


def companion(query: Query, found: carry.Slots, blocks: list[Block], cap: int, *, unsteady: bool, early: bool) -> str:
    """SQL text. Spends the tree: call it when the statement itself has been printed.

    Args:
        query: the statement.
        found: its key columns.
        blocks: every block of the statement, inner ones first.
        cap: people.
        unsteady: a condition looks at what an outer join inside a subquery made (widen.py).
        early: it runs beside every execution, so it should stop early.
    """
    selects = widen.subqueries(query, found, blocks) if unsteady else []
    for block in blocks:
        if block.exact and not block.widened:
            leave_out_risky(block)
    kinds = [next(key.kind for key in column if key is not None) for column in found]
    texts = []
    if all(block.exact for block in query.blocks):
        texts.append(_core(query, found))
    else:
        for place, block in enumerate(query.blocks):
            selects += [(block, select) for select in branches(block, [column[place] for column in found])]
    texts += [_scoped(block.withs, deparse(select)) for block, select in selects]
    core = texts[0] if len(texts) == 1 else " UNION ALL ".join(f"({text})" for text in texts)
    return _people(core, kinds, cap, early=early)


def _people(core: str, kinds: list[str], cap: int, *, early: bool) -> str:
    """Distinct (kind, key) out of the key columns of ``core``, at most ``cap`` + 1.

    DISTINCT reads everything before it gives a row. ``early`` looks at the first rows alone, and at all of them only
    if there are more and they did not name too many people already: on 300,000 rows 11 ms instead of 74 ms when the
    cap is passed, and 0.03 ms more when there are few rows.
    """
    names = [f"k{number}" for number in range(1, len(kinds) + 1)]
    columns = ", ".join(names)
    pairs = ", ".join(f"({_quote(kind)}, {name})" for kind, name in zip(kinds, names, strict=True))
    if len(kinds) == 1:
        pick, unnest, there = f"{_quote(kinds[0])}::text AS kind, k1 AS key", "", "k1 IS NOT NULL"
    else:
        pick, there = "v.kind, v.key", "v.key IS NOT NULL"
        unnest = f" CROSS JOIN LATERAL (VALUES {pairs}) AS v (kind, key)"
    rows = f"({core}) AS c ({columns}){unnest} WHERE {there}"
    if not early:
        return f"SELECT DISTINCT {pick} FROM {rows} LIMIT {cap + 1}"
    first = _ROWS_PER_PERSON * (cap + 1)
    return (
        f"WITH h AS MATERIALIZED (SELECT * FROM ({core}) AS c ({columns}) LIMIT {first}), "
        f"d AS MATERIALIZED (SELECT DISTINCT {pick} FROM h{unnest} WHERE {there} LIMIT {cap + 1}) "
        f"SELECT kind, key FROM d UNION SELECT {pick} FROM {rows} "
        f"AND (SELECT count(*) FROM h) = {first} AND (SELECT count(*) FROM d) <= {cap} LIMIT {cap + 1}"
    )


def _core(query: Query, found: carry.Slots) -> str:
    """The keys of all rows that FROM and WHERE leave, of every block."""
    for select in query.selects:
        for name in _BESIDE_CORE:
            select.ClearField(name)
        select.limit_option = pb.LIMIT_OPTION_DEFAULT
        if select.op != pb.SETOP_NONE:
            select.op, select.all = pb.SETOP_UNION, True
    for place, block in enumerate(query.blocks):
        block.select.target_list.extend(carry.key_target(column[place]) for column in found)
    return deparse(query.select)


def _scoped(withs: Sequence[pb.WithClause], text: str) -> str:
    """``text`` where the CTEs of ``withs`` (outermost first) are known."""
    for place, clause in enumerate(reversed(withs)):
        lone = pb.SelectStmt(op=pb.SETOP_NONE, limit_option=pb.LIMIT_OPTION_DEFAULT)
        lone.with_clause.CopyFrom(clause)
        lone.target_list.add().res_target.val.a_const.ival.ival = 1
        # A parenthesised SELECT with its own WITH may not get a second one.
        inner = f"SELECT * FROM ({text}) AS w" if place else text
        text = deparse(lone).removesuffix("SELECT 1") + inner
    return text


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
