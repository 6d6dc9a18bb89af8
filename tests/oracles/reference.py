"""A second planner, over the query's tree instead of its text: right by construction, slow, and easy to break.

It shows that the oracles are sound (its plans pass on thousands of queries) and that they notice mistakes: each member
of ``Mistake`` is one that a rewriting analysis can make.

Keys come by the row's id, never through the query. The companion asks, for each occurrence of a table, for which of its
rows the query still has a row when this occurrence holds that row alone. An outer join shows a row because another one
is missing; so everything that could see the NULLs of an outer join is dropped first: each condition above it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from enum import Enum, auto

from seenby.model.plan import Bound, OutputKey, QueryPlan
from tests.oracles.expressions import AGGREGATE_WORDS
from tests.oracles.query import TOKEN, Base, Block, Case, Count, Derived, Join, Named, Node, Query, UnionAll, printed
from tests.oracles.world import BY_NAME

ONE_ROW, KEYS = "~x", "~keys"
"""Spellings of a table's token: the row ``"~x"`` alone, and the view with its keys."""


class Mistake(Enum):
    """What a planner can get wrong."""

    LAST_KEY_DROPPED = auto()
    SECOND_OWNER_FORGOTTEN = auto()
    KINDS_CONFUSED = auto()
    NULLABLE_SIDE_SKIPPED = auto()
    HIDDEN_SIDE_SKIPPED = auto()
    FULL_JOIN_AS_RIGHT_JOIN = auto()
    UNION_BRANCH_WITHOUT_KEYS = auto()
    OFFSET_ROWS_NOT_ATTRIBUTED = auto()
    HAVING_IN_COMPANION = auto()
    FIRST_TABLE_ONLY = auto()
    ERRORS_NAME_NOBODY = auto()
    MASK_LEAKS = auto()
    SCOPE_LOST = auto()
    ORDINALS_NOT_SHIFTED = auto()
    ORDER_DROPPED = auto()
    OUTER_JOIN_AS_INNER = auto()
    UNION_DISTINCT = auto()


def plan(case: Case, visible: int, mistake: Mistake | None = None) -> QueryPlan:
    """A plan for a case of the answered shapes that has ``visible`` columns."""
    schema = "leaky" if mistake is Mistake.MASK_LEAKS else "unscoped" if mistake is Mistake.SCOPE_LOST else "shown"
    companion = _on_views(" UNION ".join(_companion(inlined(case.query, {}), mistake)), schema) or None
    query = case.query
    broken = _broken(query, mistake)
    if (carried := _carried(broken, mistake)) and companion:
        text, keys = carried
        attributed = query.offset.value if query.offset and mistake is not Mistake.OFFSET_ROWS_NOT_ATTRIBUTED else 0
        error = None if mistake is Mistake.ERRORS_NAME_NOBODY else companion
        return QueryPlan(_on_views(text, schema), Bound.EXACT, visible, keys, error, offset=attributed)
    bound = Bound.UPPER if companion else Bound.NOBODY
    return QueryPlan(_on_views(printed(broken), schema), bound, visible, companion=companion)


def inlined(query: Query, ctes: dict[str, Derived]) -> Query:
    """Each reference to a CTE replaced by a derived table of its own."""
    known = dict(ctes)
    for cte in query.ctes:
        known[cte.name] = Derived(inlined(cte.query, known), cte.name, cte.columns)

    def node(old: Node) -> Node:
        match old:
            case Named(name, alias):
                return replace(known[name], alias=alias or name)
            case Derived(inner):
                return replace(old, query=inlined(inner, known))
            case Join(_, left, right):
                return replace(old, left=node(left), right=node(right))
        return old

    if isinstance(query.body, Block):
        body: Block | UnionAll = replace(query.body, sources=tuple(map(node, query.body.sources)))
    else:
        body = replace(query.body, branches=tuple(inlined(branch, known) for branch in query.body.branches))
    return replace(query, body=body, ctes=())


def _on_views(text: str, schema: str) -> str:
    def view(match: re.Match[str]) -> str:
        table = BY_NAME[match[1]]
        if match[2] == KEYS:
            return f"{schema}.{table.name}"
        columns = ", ".join(column.name for column in table.visible)
        one = ' WHERE id = "~x".id' if match[2] == ONE_ROW else ""
        return f"(SELECT {columns} FROM {schema}.{table.name}{one})" + (f" AS {table.name}" if match[3] else "")

    return TOKEN.sub(view, text.replace("public.", ""))


# --- keys in the rows --------------------------------------------------------------------------------------------


def _carried(query: Query, mistake: Mistake | None) -> tuple[str, tuple[OutputKey, ...]] | None:
    """(text with keys first, the keys) for inner joins of tables and UNION ALL of those, else None."""
    if isinstance(query.body, UnionAll) and any(branch.ctes for branch in query.body.branches):
        return None
    blocks = [query.body] if isinstance(query.body, Block) else [branch.body for branch in query.body.branches]
    found: list[list[tuple[str, str]]] = []
    for block in blocks:
        if not isinstance(block, Block) or block.group or block.having or block.distinct or _aggregates(block):
            return None
        bases = [base for source in block.sources for base in _bases(source)]
        if None in bases:
            return None
        found.append([key for base in bases if base for key in _keys(base, mistake)])
    if mistake is Mistake.LAST_KEY_DROPPED and found[-1]:
        found[-1].pop()
    width = sum(map(len, found))
    names = [f'"seenby$k{n}"' for n in range(width)]
    done, before = [], 0
    for n, (block, keys) in enumerate(zip(blocks, found, strict=True)):
        texts = ["NULL::text"] * width
        if not (n == 1 and mistake is Mistake.UNION_BRANCH_WITHOUT_KEYS):
            texts[before : before + len(keys)] = [text for _, text in keys]
        before += len(keys)
        items = tuple(f"{text} AS {name}" for text, name in zip(texts, names, strict=True))
        assert isinstance(block, Block)
        done.append(replace(block, items=items + block.items))
    body: Block | UnionAll = done[0]
    if isinstance(query.body, UnionAll):
        body = replace(query.body, branches=tuple(map(Query, done)))
    shift = 0 if mistake is Mistake.ORDINALS_NOT_SHIFTED else width
    order = tuple(
        replace(sort, text=str(int(sort.text) + shift)) if sort.text.isdigit() else sort for sort in query.order
    )
    limit, offset = query.limit, query.offset
    if offset and mistake is not Mistake.OFFSET_ROWS_NOT_ATTRIBUTED:
        if limit:
            value = limit.value + offset.value
            limit = Count(f"LIMIT {value}", value)
        offset = None
    outputs = tuple(OutputKey(kind, ()) for keys in found for kind, _ in keys)
    return printed(replace(query, body=body, order=order, limit=limit, offset=offset)), outputs


def _bases(node: Node) -> Iterator[Base | None]:
    """The tables of a FROM element; None for whatever keys are not looked up through."""
    match node:
        case Join(kind, left, right):
            yield from [None] if _outer(kind) else [*_bases(left), *_bases(right)]
        case Base(table, _, _, columns) if not (columns and BY_NAME[table].keys):
            yield node
        case _:
            yield None


def _keys(base: Base, mistake: Mistake | None) -> list[tuple[str, str]]:
    name = base.alias or base.table
    keys = [
        (_kind(key.kind, mistake), f'(SELECT k."{key.name}" FROM ⟦{base.table}|{KEYS}⟧ k WHERE k.id = {name}.id)')
        for key in BY_NAME[base.table].keys
    ]
    return keys[:1] if mistake is Mistake.SECOND_OWNER_FORGOTTEN else keys


def _kind(kind: str, mistake: Mistake | None) -> str:
    return "account" if mistake is Mistake.KINDS_CONFUSED else kind


def _aggregates(block: Block) -> bool:
    return any(item.startswith(AGGREGATE_WORDS) for item in block.items)


def _outer(kind: str) -> bool:
    return kind.split()[0] in {"LEFT", "RIGHT", "FULL"}


# --- the companion -----------------------------------------------------------------------------------------------


def _companion(query: Query, mistake: Mistake | None) -> Iterator[str]:
    query = replace(query, order=(), limit=None, offset=None)
    if isinstance(query.body, Block):
        block = query.body
        if mistake is not Mistake.HAVING_IN_COMPANION or not block.having:
            block = replace(block, items=("1",), group=(), having=(), distinct=False)
        query = replace(query, body=block)
    loose, tainted = _loosened(query)
    for n, (base, nullable, loosened) in enumerate(_witnesses(loose, mistake)):
        if mistake is Mistake.FIRST_TABLE_ONLY and n:
            return
        strict = nullable and mistake is Mistake.NULLABLE_SIDE_SKIPPED
        strict |= not nullable and mistake is Mistake.HIDDEN_SIDE_SKIPPED
        witness = list(_witnesses(query, mistake))[n][2] if tainted and strict else loosened
        keys = BY_NAME[base.table].keys
        for key in keys[:1] if mistake is Mistake.SECOND_OWNER_FORGOTTEN else keys:
            yield (
                f'SELECT \'{_kind(key.kind, mistake)}\'::text, "~x"."{key.name}" FROM ⟦{base.table}|{KEYS}⟧ AS "~x"'
                f' WHERE "~x"."{key.name}" IS NOT NULL AND EXISTS ({printed(witness)})'
            )


def _loosened(query: Query) -> tuple[Query, bool]:
    """(the query without the conditions that could see an outer join's NULLs, whether there are any).

    Nothing above refers to the columns of such a block any more, so its select list goes too (a merged USING column
    may be ambiguous without USING).
    """
    if isinstance(query.body, UnionAll):
        branches = [_loosened(branch) for branch in query.body.branches]
        tainted = any(taint for _, taint in branches)
        parts = tuple(_bare(branch) if tainted else branch for branch, _ in branches)
        return replace(query, body=replace(query.body, branches=parts), order=()), tainted
    nodes = [_loosened_node(node) for node in query.body.sources]
    if not any(taint for _, taint in nodes):
        return query, False
    sources = tuple(node for node, _ in nodes)
    return replace(query, body=replace(query.body, items=("1",), sources=sources, where=()), order=()), True


def _loosened_node(node: Node) -> tuple[Node, bool]:
    match node:
        case Derived(query):
            loose, tainted = _loosened(query)
            return replace(node, query=loose, columns=() if tainted else node.columns), tainted
        case Join(kind, left, right):
            (left, one), (right, two) = _loosened_node(left), _loosened_node(right)
            if (one or two) and kind != "CROSS JOIN":
                return replace(node, left=left, right=right, on=("true",), using=()), True
            return replace(node, left=left, right=right), one or two or _outer(kind)
    return node, False


def _bare(query: Query) -> Query:
    if isinstance(query.body, UnionAll):
        return replace(query, body=replace(query.body, branches=tuple(map(_bare, query.body.branches))))
    return replace(query, body=replace(query.body, items=("1",)))


def _witnesses(query: Query, mistake: Mistake | None) -> Iterator[tuple[Base, bool, Query]]:
    """Per occurrence of a table: (it, whether an outer join may null-extend it, the query with row ``~x`` alone)."""
    body = query.body
    if isinstance(body, UnionAll):
        for n, branch in enumerate(body.branches):
            if not (n and mistake is Mistake.UNION_BRANCH_WITHOUT_KEYS):
                yield from _witnesses(branch, mistake)
        return
    for n, source in enumerate(body.sources):
        for base, nullable, node in _one_row(source, mistake):
            sources = (*body.sources[:n], node, *body.sources[n + 1 :])
            yield base, nullable, replace(query, body=replace(body, sources=sources))


def _one_row(node: Node, mistake: Mistake | None) -> Iterator[tuple[Base, bool, Node]]:
    match node:
        case Base(table):
            if BY_NAME[table].keys:
                yield node, False, replace(node, spelling=ONE_ROW)
        case Derived():
            for base, nullable, query in _witnesses(node.query, mistake):
                yield base, nullable, replace(node, query=query)
        case Join(kind, left, right):
            side = kind.split()[0]
            for base, nullable, inner in _one_row(left, mistake):
                # A nullable row takes part where it matches; of a FULL JOIN it is there in any case.
                keep = {"RIGHT": "JOIN", "FULL": "LEFT JOIN"}.get(side, kind)
                if mistake is Mistake.FULL_JOIN_AS_RIGHT_JOIN and side == "FULL":
                    keep = "JOIN"
                yield base, nullable or side in {"RIGHT", "FULL"}, replace(node, kind=keep, left=inner)
            for base, nullable, inner in _one_row(right, mistake):
                keep = {"LEFT": "JOIN", "FULL": "RIGHT JOIN"}.get(side, kind)
                yield base, nullable or side in {"LEFT", "FULL"}, replace(node, kind=keep, right=inner)


# --- mistakes in the main text -----------------------------------------------------------------------------------


def _broken(query: Query, mistake: Mistake | None) -> Query:
    if mistake is Mistake.ORDER_DROPPED:
        return replace(query, order=())
    if mistake is Mistake.UNION_DISTINCT and isinstance(query.body, UnionAll):
        return replace(query, body=replace(query.body, operator="UNION"))
    if mistake is Mistake.OUTER_JOIN_AS_INNER and isinstance(query.body, Block):
        sources = tuple(
            replace(source, kind="JOIN") if isinstance(source, Join) and _outer(source.kind) else source
            for source in query.body.sources
        )
        return replace(query, body=replace(query.body, sources=sources))
    return query
