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
from seenby.sql.blocks import Block, Conjunct, Join, Query
from seenby.sql.outputs import written_out
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
        whole: SELECTs, by the identity of their level, whose rows are looked at with all optional sides as they are.
        first: LIMIT below the top may be read as its first rows. Not where people are looked for who decide which these
            are: else two of them could hide each other.
    """

    focus: Mapping[int, int] = field(default_factory=dict)
    gone: Mapping[int, int] = field(default_factory=dict)
    own: Mapping[int, str] = field(default_factory=dict)
    risky: bool = False
    whole: frozenset[int] = _NONE
    first: bool = True

    def literally(self) -> Around:
        return replace(self, first=False)

    def looking_at(self, level: Level, bit: int) -> Around:
        return replace(self, focus={**self.focus, id(level): bit})

    def without(self, level: Level, bits: int) -> Around:
        return replace(self, gone={**self.gone, id(level): bits}) if bits else self

    def with_all_sides(self, level: Level) -> Around:
        return replace(self, whole=self.whole | {id(level)})

    def optional(self, level: Level) -> int:
        """The relations of a SELECT that may be NULL instead of what they are."""
        return 0 if id(level) in self.whole else level.nullable

    def writing(self, query: object, name: str) -> Around:
        return replace(self, own={**self.own, id(query): name}, risky=True)


def column_holds(column: Column, level: Level, around: Around, strict: frozenset[int] = _NONE) -> bool:
    """Whether a value of ``column`` can be relied on; ``strict``: what the condition is strict in."""
    if column.shadowed:
        return False
    place, bits = level, column.bits
    if column.origin is not None and column.level is not None:
        place, bits = column.level, column.origin.bits
        if bits & around.optional(place) and id(column) not in strict:
            return False
    if around.gone.get(id(place), 0) & bits:
        return False
    fragile = fragility(column, around)
    if fragile == 1 and id(column) not in strict:
        return False
    if fragile == 2 and (not column.possible or around.focus.get(id(place), 0) & bits):
        return False
    return not (around.focus or around.gone) or _is_given(column, place, around)


def fragility(column: Column, around: Around) -> int:
    """``Column.fragility``, there."""
    if column.origin is not None and column.level is not None and id(column.level) in around.whole:
        return fragility(column.origin, around)
    return column.fragility


def _is_given(column: Column, place: Level, around: Around) -> bool:
    """The subquery that ``column`` belongs to gives it there: what it is made of can be relied on too."""
    column = column.origin or column
    relation = column.relation
    if relation is None:
        return all(column_holds(one, place, around, frozenset({id(one)})) for one in column.sources)
    if relation.query is None or relation.ordered is None:
        return True
    number = next(number for number, one in enumerate(relation.ordered) if one is column)
    return gives(relation.query, number, around)


def gives(query: Query, number: int, around: Around) -> bool:
    """Whether an output of a subquery can be written down there."""
    if query.recursion:
        return True
    if query.branches is not None:
        return all(gives(branch, number, around) for branch in query.branches)
    (block,) = query.blocks
    sources = block.outputs[number].sources
    return all(column_holds(one, block.level, around, frozenset({id(one)})) for one in sources)


def holds(conjunct: Conjunct, block: Block, around: Around) -> bool:
    """Whether a condition can be relied on."""
    if conjunct.sublinks or not (conjunct.total or around.risky):
        return False
    if around.gone.get(id(block.level), 0) & conjunct.bits:
        return False
    if not all(column_holds(column, block.level, around, conjunct.strict) for column in conjunct.refs):
        return False
    return id(block.level) in around.whole or all(
        not join.nullable & conjunct.bits or within(conjunct.join, join) or conjunct.strict_bits & join.nullable
        for join in block.joins
    )


def within(join: Join | None, outer: Join) -> bool:
    """``join`` is ``outer`` or stands below it."""
    return join is outer or (join is not None and any(within(join, lower) for lower in outer.lower))


def written(conjunct: Conjunct) -> pb.Node:
    """The condition with every column qualified, for a FROM without USING."""
    if conjunct.node is None:
        left, right = (written_out(column) for column in conjunct.refs)
        return tree.operation("=", left, right)
    return qualified(conjunct.node, conjunct.names)


def qualified(node: pb.Node, names: Mapping[str, Column]) -> pb.Node:
    """A copy of an expression with every column qualified."""
    copy = pb.Node.FromString(node.SerializeToString())
    _qualify(copy, names)
    return copy


def _qualify(message: Message, names: Mapping[str, Column]) -> None:
    if isinstance(message, pb.Node) and message.WhichOneof("node") == "column_ref":
        fields = message.column_ref.fields
        if len(fields) == 1 and (column := names.get(fields[0].string.sval)) is not None:
            message.CopyFrom(written_out(column))
        return
    for part, value in message.ListFields():
        if part.message_type is not None:
            for one in value if part.is_repeated else (value,):
                _qualify(one, names)


def target(block: Block, place: int, name: str) -> pb.Node:
    """Output ``place`` of a block as an entry of a select list."""
    column = block.outputs[place]
    made = pb.Node()
    made.res_target.name = name
    if column.plain:
        made.res_target.val.CopyFrom(written_out(column.sources[0]))
        return made
    value = block.select.target_list[place].res_target.val
    if place in block.argued:
        value = value.func_call.args[0]
    made.res_target.val.CopyFrom(qualified(value, block.names[place]))
    return made
