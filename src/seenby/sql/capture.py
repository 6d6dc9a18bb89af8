"""Names that would come to mean another table when a piece of a statement is written down below other tables.

FROM videos u, LATERAL (SELECT min(x) FROM (SELECT u.title AS x) m, posts u)      m names the videos
... FROM posts u WHERE EXISTS (SELECT 1 FROM (SELECT u.title AS x) m)             m would name the posts
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pb

_NOTHING: frozenset[str] = frozenset()


def would_mean_others(
    entries: Sequence[pb.Node], conditions: Sequence[pb.Node], outer: Sequence[pb.Node], *, bare: bool
) -> bool:
    """Whether a name in ``SELECT FROM entries WHERE conditions`` could mean one of the tables ``outer`` around it.

    ``bare``: there are unqualified names of columns further out.
    """
    around = frozenset(name for node in outer for name in _aliases(node))
    mine = frozenset(name for node in entries for name in _aliases(node))
    named = [name for node in entries for name in _of_entry(node, _NOTHING, mine)]
    named += [name for node in conditions for name in _outwards(node, mine)]
    return bare or not around.isdisjoint(named)


def _aliases(node: pb.Node) -> Iterator[str]:
    """The names that an entry of FROM gives to what stands beside and above it."""
    kind = node.WhichOneof("node")
    if kind == "join_expr":
        yield from _aliases(node.join_expr.larg)
        yield from _aliases(node.join_expr.rarg)
    elif kind == "range_var":
        yield node.range_var.alias.aliasname or node.range_var.relname
    elif kind == "range_subselect":
        yield node.range_subselect.alias.aliasname
    elif kind == "range_function":
        call = node.range_function.functions[0].list.items[0].func_call
        yield node.range_function.alias.aliasname or call.funcname[-1].string.sval


def _of_entry(node: pb.Node, bound: frozenset[str], mine: frozenset[str]) -> Iterator[str]:
    """Of an entry of FROM; only what is LATERAL, or a function, may name the entries beside it."""
    kind = node.WhichOneof("node")
    if kind == "join_expr":
        for side in (node.join_expr.larg, node.join_expr.rarg):
            yield from _of_entry(side, bound, mine)
        yield from _outwards(node.join_expr.quals, mine)
    elif kind == "range_subselect":
        inner = node.range_subselect
        yield from _outwards(inner.subquery, mine if inner.lateral else bound)
    else:
        yield from _outwards(node, mine)


def _outwards(message: Message, bound: frozenset[str]) -> Iterator[str]:
    """The tables that are named in it and are not of its own, where ``bound`` are known."""
    if isinstance(message, pb.ColumnRef):
        if len(message.fields) > 1 and (name := message.fields[0].string.sval) not in bound:
            yield name
        return
    mine = bound
    if isinstance(message, pb.SelectStmt) and message.from_clause:
        mine = bound.union(*(_aliases(node) for node in message.from_clause))
        for node in message.from_clause:
            yield from _of_entry(node, bound, mine)
    for part, value in message.ListFields():
        if part.message_type is None or (part.name == "from_clause" and isinstance(message, pb.SelectStmt)):
            continue
        for one in value if part.is_repeated else (value,):
            yield from _outwards(one, mine)
