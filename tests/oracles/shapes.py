"""The row of the precision table that a query counts in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from tests.oracles.expressions import AGGREGATE_WORDS
from tests.oracles.query import Block, Derived, Join, Named, Node, Query, Sub, UnionAll
from tests.oracles.trees import queries

OUTER = " over an outer join"
IN_SELECT, ASKED_IN_SELECT = "scalar in SELECT", "condition in SELECT"


def shape_of(query: Query) -> str:
    """The row of the precision table that a query counts in: the first of its features in this order."""
    body = query.body
    blocks = [body] if isinstance(body, Block) else []
    nodes = list(_nodes(query))
    if any(block.group for block in blocks):
        shape = "group by"
    elif any(word in item for block in blocks for item in block.items for word in AGGREGATE_WORDS):
        shape = "aggregate"
    elif any(block.distinct for block in blocks):
        shape = "distinct"
    elif any(map(_is_outer, nodes)):
        shape = "outer join below" if outer_below(query) else "outer join"
    elif not blocks:
        shape = "union all"
    elif query.ctes or any(isinstance(node, Derived | Named) for node in nodes):
        shape = "derived, CTE"
    elif len(nodes) > 1:
        shape = "join"
    else:
        shape = "one table"
    return shape + (" + offset" if query.offset else " + limit" if query.limit else "")


def row_of(label: str, query: Query, split: Iterable[str]) -> str:
    """The row of a query that was made as ``label``.

    Outer joins have a row of their own in the table, so what is ``split`` has one for queries with an outer join too,
    wherever it stands; and of the subqueries in a select list only those that are its value alone are scalar ones.
    """
    if label not in split:
        return label
    outer = any(
        _is_outer(node)
        for inner in queries(query)
        if isinstance(inner.body, Block)
        for source in inner.body.sources
        for node in _joined(source)
    )
    if label == IN_SELECT and isinstance(query.body, Block):
        asked = [item for item in query.body.items if isinstance(item, Sub)]
        if not all(re.fullmatch(r"\(⟦\?\d+⟧\) AS \w+", item) for item in asked):
            label = ASKED_IN_SELECT
    return label + OUTER * outer


def _nodes(query: Query) -> Iterable[Node]:
    for inner in _queries(query):
        if isinstance(inner.body, Block):
            for source in inner.body.sources:
                yield from _joined(source)


def outer_below(query: Query) -> bool:
    """Whether an outer join stands in a derived table, a CTE or a branch of UNION ALL."""
    top = query.body.sources if isinstance(query.body, Block) else ()
    return sum(map(_is_outer, _nodes(query))) > sum(_is_outer(node) for source in top for node in _joined(source))


def may_be_refused(query: Query) -> bool:
    """Whether two CTEs have one name, where an outer join below makes the names matter: not answered yet."""
    names = Counter(cte.name for inner in _queries(query) for cte in inner.ctes)
    return outer_below(query) and max(names.values(), default=0) > 1


def _queries(query: Query) -> Iterable[Query]:
    yield query
    for cte in query.ctes:
        yield from _queries(cte.query)
    if isinstance(query.body, UnionAll):
        for branch in query.body.branches:
            yield from _queries(branch)
    else:
        for node in (node for source in query.body.sources for node in _joined(source)):
            if isinstance(node, Derived):
                yield from _queries(node.query)


def _is_outer(node: Node) -> bool:
    return isinstance(node, Join) and node.kind.split()[0] in {"LEFT", "RIGHT", "FULL"}


def _joined(node: Node) -> Iterable[Node]:
    yield node
    if isinstance(node, Join):
        yield from _joined(node.left)
        yield from _joined(node.right)
