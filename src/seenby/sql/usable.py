"""What a companion query may rely on: conditions and columns that hold the same in every part of the data.

I4 asks who makes a difference *after some set of other people's rows is taken away*. Then an aggregate has another
value, another row is the first, a row without a partner is filled with NULL. A condition that looks at such a value
says nothing about who takes part, so a companion query leaves it out, which can only add people. What does not look
at one (the columns of the rows themselves) it keeps: a row that fails it takes part in nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pb

from seenby.sql import tree
from seenby.sql.blocks import Block, Conjunct, Join
from seenby.sql.scope import Column, Level

_NONE: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Around:
    """Where a piece of a companion query stands.

    Attributes:
        focus: per SELECT the relation whose people are looked for; of its columns only those count that tell rows
            apart in every part of the data.
        gone: per SELECT the relations that the piece leaves out.
        own: recursive queries that are being written down, with the names that they have there.
        risky: conditions that can raise an error are kept.
    """

    focus: Mapping[int, int] = field(default_factory=dict)
    gone: Mapping[int, int] = field(default_factory=dict)
    own: Mapping[int, str] = field(default_factory=dict)
    risky: bool = False

    def looking_at(self, level: Level, bit: int) -> Around:
        return replace(self, focus={**self.focus, id(level): bit})

    def without(self, level: Level, bits: int) -> Around:
        return replace(self, gone={**self.gone, id(level): bits}) if bits else self

    def writing(self, query: object, name: str) -> Around:
        return replace(self, own={**self.own, id(query): name}, risky=True)


def column_holds(column: Column, level: Level, around: Around, strict: frozenset[int] = _NONE) -> bool:
    """Whether a value of ``column`` can be relied on; ``strict``: what the condition is strict in."""
    if column.shadowed:
        return False
    place, bits = level, column.bits
    if column.origin is not None and column.level is not None:
        place, bits = column.level, column.origin.bits
        if bits & place.nullable and id(column) not in strict:
            return False
    if around.gone.get(id(place), 0) & bits:
        return False
    fragile = column.fragility
    if fragile < 2:
        return fragile == 0 or id(column) in strict
    return column.possible and not around.focus.get(id(place), 0) & bits


def holds(conjunct: Conjunct, block: Block, around: Around) -> bool:
    """Whether a condition can be relied on."""
    if conjunct.sublinks or not (conjunct.total or around.risky):
        return False
    if around.gone.get(id(block.level), 0) & conjunct.bits:
        return False
    if not all(column_holds(column, block.level, around, conjunct.strict) for column in conjunct.refs):
        return False
    return all(
        not join.nullable & conjunct.bits or within(conjunct.join, join) or conjunct.strict_bits & join.nullable
        for join in block.joins
    )


def within(join: Join | None, outer: Join) -> bool:
    """``join`` is ``outer`` or stands below it."""
    return join is outer or (join is not None and any(within(join, lower) for lower in outer.lower))


def written(conjunct: Conjunct) -> pb.Node | None:
    """The condition with every column qualified, for a FROM without USING; None if that cannot be said."""
    if conjunct.node is None:
        left, right = (column.base for column in conjunct.refs)
        if left is None or right is None:
            return None
        return tree.equality(_place(left), _place(right))
    return qualified(conjunct.node, conjunct.names)


def qualified(node: pb.Node, names: Mapping[str, Column]) -> pb.Node | None:
    """A copy of an expression with every column qualified; None if that cannot be said."""
    if any(column.base is None for column in names.values()):
        return None
    copy = pb.Node.FromString(node.SerializeToString())
    _qualify(copy, names)
    return copy


def _qualify(message: Message, names: Mapping[str, Column]) -> None:
    if isinstance(message, pb.ColumnRef):
        if len(message.fields) == 1 and (column := names.get(message.fields[0].string.sval)) is not None:
            base = column.base
            assert base is not None
            alias, name = _place(base)
            message.fields[0].string.sval = alias
            message.fields.add().string.sval = name
        return
    for part, value in message.ListFields():
        if part.message_type is not None:
            for one in value if part.is_repeated else (value,):
                _qualify(one, names)


def _place(column: Column) -> tuple[str, str]:
    assert column.relation is not None
    return column.relation.alias, column.real


def target(block: Block, place: int, name: str) -> pb.Node | None:
    """Output ``place`` of a block as an entry of a select list; None if that cannot be said."""
    column = block.outputs[place]
    if column.plain:
        base = column.sources[0].base if column.sources else None
        return None if base is None else tree.column_target(*_place(base), name)
    value = block.select.target_list[place].res_target.val
    if place in block.argued:
        value = value.func_call.args[0]
    node = qualified(value, block.names[place])
    if node is None:
        return None
    made = pb.Node()
    made.res_target.name = name
    made.res_target.val.CopyFrom(node)
    return made
