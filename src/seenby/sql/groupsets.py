"""GROUP BY as a list of sets of expressions: ROLLUP, CUBE and GROUPING SETS written out (PostgreSQL 7.2.4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, islice, product

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pb

from seenby.sql.blocks import Block
from seenby.sql.harmless import column_of


def group_expressions(block: Block) -> list[pb.Node]:
    """GROUP BY with positions and names of the output replaced by what they stand for, without its sets."""
    return [one for node in block.select.group_clause for one in _expressions(node, block)]


def _expressions(node: pb.Node, block: Block) -> list[pb.Node]:
    kind = node.WhichOneof("node")
    if kind == "grouping_set":
        return [one for item in node.grouping_set.content for one in _expressions(item, block)]
    if kind == "row_expr":
        return [one for item in node.row_expr.args for one in _expressions(item, block)]
    return [_meant(node, block)]


def _meant(node: pb.Node, block: Block) -> pb.Node:
    targets = block.select.target_list
    kind = node.WhichOneof("node")
    if kind == "a_const" and node.a_const.WhichOneof("val") == "ival":
        found: pb.Node = targets[node.a_const.ival.ival - 1].res_target.val
        return found
    if kind == "column_ref" and len(node.column_ref.fields) == 1 and column_of(node, block) is None:
        name = node.column_ref.fields[0].string.sval
        place = next(number for number, output in enumerate(block.outputs) if output.name == name)
        named: pb.Node = targets[place].res_target.val
        return named
    return node


def grouping_sets(block: Block, groups: Sequence[pb.Node], most: int) -> list[tuple[int, ...]]:
    """The sets, as places in ``groups``, each sorted; one empty set if there is no GROUP BY.

    One that is written twice is there twice, as Postgres shows it twice. No more than ``most + 1`` are written out: two
    CUBEs of twelve are 16 million.
    """
    parts = [list(islice(_sets(node, block, groups), most + 1)) for node in block.select.group_clause]
    return [tuple(sorted({place for one in each for place in one})) for each in islice(product(*parts), most + 1)]


def _sets(node: pb.Node, block: Block, groups: Sequence[pb.Node]) -> Iterator[tuple[int, ...]]:
    kind, content = node.grouping_set.kind, node.grouping_set.content
    if node.WhichOneof("node") != "grouping_set":
        yield _places(node, block, groups)
    elif kind == pb.GROUPING_SET_EMPTY:
        yield ()
    elif kind == pb.GROUPING_SET_SETS:
        for item in content:
            yield from _sets(item, block, groups)
    else:
        items = [_places(item, block, groups) for item in content]
        if kind == pb.GROUPING_SET_ROLLUP:
            yield from (_joined(items[:count]) for count in range(len(items), -1, -1))
        elif kind == pb.GROUPING_SET_CUBE:
            counts = range(len(items), -1, -1)
            yield from (_joined(some) for count in counts for some in combinations(items, count))
        else:
            yield _joined(items)


def _joined(items: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(place for item in items for place in item)


def _places(node: pb.Node, block: Block, groups: Sequence[pb.Node]) -> tuple[int, ...]:
    return tuple(
        next(place for place, group in enumerate(groups) if same(one, group, block))
        for one in _expressions(node, block)
    )


def same(one: Message, other: Message, block: Block) -> bool:
    """Do two expressions say the same? Where they stand in the text does not matter."""
    if isinstance(one, pb.Node) and isinstance(other, pb.Node):
        left, right = column_of(one, block), column_of(other, block)
        if left is not None or right is not None:
            return left is right
    if type(one) is not type(other):
        return False
    fields = [
        {part.name: value for part, value in each.ListFields() if part.name != "location"} for each in (one, other)
    ]
    if fields[0].keys() != fields[1].keys():
        return False
    for name, value in fields[0].items():
        part = one.DESCRIPTOR.fields_by_name[name]
        mine, theirs = (value, fields[1][name]) if part.is_repeated else ((value,), (fields[1][name],))
        if len(mine) != len(theirs):
            return False
        for a, b in zip(mine, theirs, strict=True):
            if not (same(a, b, block) if isinstance(a, Message) else a == b):
                return False
    return True
