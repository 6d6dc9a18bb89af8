"""Rows of outer joins as they could be: each optional side as it is, or filled with NULL.

Whose partners are taken away, a row loses them and stays. So a condition on the optional side says nothing about a row
unless it fails for the row both with its partner and without:

    SELECT v.id FROM videos v LEFT JOIN messages m ON m.id = v.id WHERE m.likes > 3 OR v.views > 9
    -> ... FROM videos v LEFT JOIN messages m ON m.id = v.id
       WHERE (m.likes > 3 OR v.views > 9) OR (NULL > 3 OR v.views > 9)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pb

from seenby.sql import tree
from seenby.sql.blocks import Block, Join

MOST = 12
"""So many combinations of sides that are there or not are written down."""


def absences(joins: Iterable[Join]) -> list[int]:
    """The relations that could be NULL in one row of these, as bits: one entry for each combination of sides."""
    found = {0}
    for join in joins:
        sides = [side for side in (join.left, join.right) if join.nullable & side]
        found |= {known | side for known in found for side in sides}
    return sorted(found) if len(found) <= MOST else []


def below(join: Join) -> Iterator[Join]:
    """The joins that stand inside of one."""
    for lower in join.lower:
        yield lower
        yield from below(lower)


def either(nodes: Sequence[pb.Node], block: Block, joins: Iterable[Join]) -> pb.Node | None:
    """Where this is not true, ``nodes`` are not all true of the row, whichever of its sides are there. None: unknown.

    Args:
        nodes: conditions that hold in every part of the data as long as the row's sides stay as they are.
        block: the SELECT that they stand in.
        joins: those that the row is made by.
    """
    found: dict[bytes, pb.Node] = {}
    for bits in absences(joins):
        names = {relation.alias for relation in block.relations if relation.bit & bits}
        kept = [one for node in nodes if (one := without(node, names)) is not None]
        if not kept:
            return None
        whole = tree.conjunction(kept)
        found.setdefault(whole.SerializeToString(), whole)
    return tree.disjunction(list(found.values())) if found else None


def without(node: pb.Node, names: Set[str]) -> pb.Node | None:
    """``node`` with NULL for every column of these tables. None: true, or in a subquery a name means another table."""
    if names.isdisjoint(tree.qualifiers(node)):
        return node
    if not names.isdisjoint(_tables(node)):
        return None
    test = node.null_test
    if test.nulltesttype == pb.IS_NULL and len(test.arg.column_ref.fields) > 1:
        return None
    node = pb.Node.FromString(node.SerializeToString())
    _empty(node, names)
    return node


def _empty(message: Message, names: Set[str]) -> None:
    """``x.a`` -> ``CASE WHEN false THEN x.a END``, which is a NULL of its type; so for ``x.a[1]`` as a whole."""
    if isinstance(message, pb.Node):
        column = message.a_indirection.arg if message.WhichOneof("node") == "a_indirection" else message
        fields = column.column_ref.fields
        if len(fields) > 1 and fields[0].string.sval in names:
            message.CopyFrom(tree.only_if([tree.false()], message))
            return
    for part, value in message.ListFields():
        if part.message_type is not None:
            for one in value if part.is_repeated else (value,):
                _empty(one, names)


def _tables(message: Message) -> Iterator[str]:
    """What stands in FROM in an expression's subqueries, by the name that it has there; "" for a function."""
    if isinstance(message, pb.RangeVar):
        yield message.alias.aliasname or message.relname
    elif isinstance(message, pb.RangeSubselect | pb.RangeFunction):
        yield message.alias.aliasname
    for part, value in message.ListFields():
        if part.message_type is not None:
            for one in value if part.is_repeated else (value,):
                yield from _tables(one)
