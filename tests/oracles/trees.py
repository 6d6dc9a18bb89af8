"""The tree of a query: how much work it is, which queries stand in it, and smaller trees that lack one part."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

from tests.oracles.query import (
    PARAMETER,
    Base,
    Block,
    Case,
    Count,
    Derived,
    Function,
    Join,
    Named,
    Node,
    Query,
    Sort,
    Sub,
    UnionAll,
    rewritten,
    tables,
    user_text,
)


def compact(query: Query, params: tuple[str, ...]) -> tuple[Query, tuple[str, ...]]:
    """Renumbers $n so that there are no gaps, and drops the values of parameters that are not there."""
    used = sorted({int(number) for number in PARAMETER.findall(user_text(query))})
    numbers = {old: new for new, old in enumerate(used, 1)}

    def renumber(text: str) -> str:
        renumbered = PARAMETER.sub(lambda match: f"${numbers[int(match[1])]}", text) if "$" in text else text
        if isinstance(text, Sub):
            return Sub(renumbered, tuple(rewritten(query, renumber) for query in text.queries))
        return renumbered

    if used != list(range(1, len(used) + 1)):
        query = rewritten(query, renumber)
    return query, tuple(params[number - 1] for number in used)


def work(query: Query, ctes: dict[str, float] | None = None) -> tuple[float, float]:
    """(rows of the result, rows of its largest part), roughly: to leave out queries that would take seconds."""
    known, most = dict(ctes or {}), 0.0
    for cte in query.ctes:
        if query.recursive:
            known[cte.name] = 20.0
        rows, inner = work(cte.query, known)
        known[cte.name] = max(rows, known.get(cte.name, 0.0)) if query.recursive else rows
        most = max(most, inner)
    if isinstance(query.body, UnionAll):
        parts = [work(branch, known) for branch in query.body.branches]
        rows = sum(part for part, _ in parts)
    elif query.body.raw:
        return 10.0, 10.0 * len(tables(query))
    else:
        block = query.body
        parts = [_node_work(node, known) for node in block.sources]
        rows = 1.0
        for part, _ in parts:
            rows *= part
        for link in _subs((block.items, block.where, block.having, query.order)):
            parts += [(1.0, rows * work(inner, known)[1]) for inner in link.queries]
    most = max(most, rows, *(inner for _, inner in parts), 0.0)
    return min(rows, float(query.limit.value)) if query.limit else rows, most


def _subs(value: object) -> Iterator[Sub]:
    """The expressions with subqueries in it, not looking into these."""
    if isinstance(value, Sub):
        yield value
    elif isinstance(value, tuple):
        for element in value:
            yield from _subs(element)
    elif isinstance(value, Sort):
        yield from _subs(value.text)


def _node_work(node: Node, ctes: dict[str, float]) -> tuple[float, float]:
    match node:
        case Base():
            return 6.0, 6.0
        case Named(name):
            return ctes[name], 0.0
        case Derived(query):
            return work(query, ctes)
        case Function():
            return 2.0, 2.0
        case Join(_, left, right, on, using):
            (a, most_a), (b, most_b) = _node_work(left, ctes), _node_work(right, ctes)
            joined = bool(using) or any(re.fullmatch(r"\S+ = \S+", text) and text != "1 = 1" for text in on)
            rows = max(a, b, a * b / 4) if joined else a * b
            if isinstance(right, Derived) and right.lateral:
                most_b *= a
            links = [a * b * work(inner, ctes)[1] for link in _subs(on) for inner in link.queries]
            return rows, max(most_a, most_b, rows, *links)


def smaller(value: object, *, top: bool = True) -> Iterator[Any]:
    """Every tree that lacks one part of ``value``: one clause, one list element, one join side.

    An order that picks rows stays as it is: below the top, SQL would permit several answers without it.
    """
    if isinstance(value, Sub):
        for n, query in enumerate(value.queries):
            for less in smaller(query, top=False):
                if isinstance(less, Query):
                    yield Sub(value, (*value.queries[:n], less, *value.queries[n + 1 :]))
    elif isinstance(value, tuple):
        for n in range(len(value)):
            yield value[:n] + value[n + 1 :]
        for n, element in enumerate(value):
            for less in smaller(element, top=top):
                yield (*value[:n], less, *value[n + 1 :])
    elif is_dataclass(value) and not isinstance(value, type):
        if isinstance(value, Join):
            yield value.left
            yield value.right
        if isinstance(value, UnionAll):
            yield from (branch.body for branch in value.branches)
        unchanged = {"recursive"}
        if isinstance(value, Query):
            picks = isinstance(value.body, Block) and value.body.distinct_on
            unchanged |= {"order"} if picks or (not top and (value.limit or value.offset)) else set()
        for part in fields(value):
            old = getattr(value, part.name)
            if isinstance(value, Query) and part.name in unchanged:
                continue
            if isinstance(old, Count) or old is True:
                yield replace(value, **{part.name: False if old is True else None})
            else:
                for less in smaller(old, top=False):
                    if less == () and part.name in {"items", "branches"}:
                        continue
                    yield replace(value, **{part.name: less})


def shrunk(case: Case) -> Iterator[Case]:
    """Simpler cases, the boldest cuts first. Sort columns are numbers, so items go only when no Sort needs them."""
    if case.raw:
        return
    found = [query for query in smaller(case.query) if isinstance(query, Query)]
    for smallest in sorted(found, key=lambda query: len(user_text(query))):
        if not (case.loose or steady(smallest)):
            continue
        query, params = compact(smallest, case.params)
        yield replace(case, query=query, params=params)


def steady(query: Query) -> bool:
    """Whether each LIMIT and DISTINCT ON below the top has an order: the answer is one function of the data."""
    return all(
        inner.order or not (inner.limit or inner.offset or (isinstance(inner.body, Block) and inner.body.distinct_on))
        for inner in queries(query)
        if inner is not query
    )


def queries(value: object) -> Iterator[Query]:
    """Every query in a tree, itself first."""
    if isinstance(value, Query):
        yield value
    if isinstance(value, Sub):
        for query in value.queries:
            yield from queries(query)
    elif isinstance(value, tuple):
        for element in value:
            yield from queries(element)
    elif is_dataclass(value) and not isinstance(value, type):
        for part in fields(value):
            yield from queries(getattr(value, part.name))
