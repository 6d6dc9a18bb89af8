"""The core of a block: the keys of the rows that its FROM and WHERE leave, for companion queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pb

from seenby.sql import carry, outer, tree
from seenby.sql.blocks import Block, Conjunct
from seenby.sql.scope import Column, Key


def branches(block: Block, keys: Sequence[Key | None]) -> Iterator[pb.SelectStmt]:
    """SELECTs of ``keys`` over a block; as inner joins if its outer joins let people decide who stand in no row."""
    everything = sum(relation.bit for relation in block.relations)
    for present, named, conditions in [(everything, everything, [])] if block.exact else outer.branches(block):
        wanted = [key if key is not None and key.relation.bit & named else None for key in keys]
        if not any(wanted):
            continue
        select = pb.SelectStmt(op=pb.SETOP_NONE, limit_option=pb.LIMIT_OPTION_DEFAULT)
        select.target_list.extend(carry.key_target(key) for key in wanted)
        if block.exact:
            select.from_clause.extend(block.select.from_clause)
            if block.select.HasField("where_clause"):
                select.where_clause.CopyFrom(block.select.where_clause)
        else:
            select.from_clause.extend(relation.node for relation in block.relations if relation.bit & present)
            nodes = [node for one in conditions if (node := _qualified(one)) is not None]
            if nodes:
                select.where_clause.CopyFrom(tree.conjunction(nodes))
        yield select


def _qualified(conjunct: Conjunct) -> pb.Node | None:
    """The condition with every column qualified, for a FROM without USING; None if that cannot be said."""
    names: dict[str, Column] = {}
    for column in conjunct.refs:
        base = column.base
        if base is None:
            return None
        if column.relation is None or column.name not in names:
            names[column.name] = base
    if conjunct.node is None:
        left, right = (column.base for column in conjunct.refs)
        assert left is not None
        assert right is not None
        return tree.equality(_place(left), _place(right))
    _qualify(conjunct.node, names)
    return conjunct.node


def _place(column: Column) -> tuple[str, str]:
    assert column.relation is not None
    return column.relation.alias, column.real


def _qualify(message: Message, names: dict[str, Column]) -> None:
    if isinstance(message, pb.ColumnRef):
        if len(message.fields) == 1:
            alias, name = _place(names[message.fields[0].string.sval])
            message.fields[0].string.sval = alias
            message.fields.add().string.sval = name
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for one in value if field.is_repeated else (value,):
                _qualify(one, names)


def leave_out_risky(block: Block) -> None:
    select = block.select
    where = [one for one in block.conjuncts if one.join is None]
    if not all(one.total for one in where):
        nodes = [one.node for one in where if one.total and one.node is not None]
        if nodes:
            kept = pb.Node()
            kept.CopyFrom(tree.conjunction(nodes))
            select.where_clause.CopyFrom(kept)
        else:
            select.ClearField("where_clause")
    for join in block.joins:
        if all(one.total for one in join.conjuncts):
            continue
        nodes = [one.node for one in join.conjuncts if one.total and one.node is not None]
        kept = pb.Node()
        kept.CopyFrom(tree.conjunction(nodes) if nodes else tree.true())
        join.node.quals.CopyFrom(kept)
