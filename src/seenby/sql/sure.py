"""The rows of a subquery that are there whenever certain people are, whoever else's rows are taken away.

What such rows settle no other person decides: EXISTS is true if there is one, ``x IN (...)`` if one equals x. See
extremes.py, which asks for them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence, Set
from enum import Enum

from postgast import pg_query_pb2 as pb

from seenby.sql import tree
from seenby.sql.blocks import Block, Conjunct, Item, Query, Sublink
from seenby.sql.offset import constant
from seenby.sql.scope import Column, Level, Relation
from seenby.sql.usable import Around, column_holds, fragility, qualified, target, written

VALUE = "seenby$v"
_SURE = "seenby$m"

Keys = Sequence[tuple[str, str, str]]
"""Hidden columns as (kind, alias, name): the people who are there whenever a row is."""


class Which(Enum):
    """The rows that are asked for, of a subquery that something is compared with."""

    COMPARED = "those for which the comparison says what is asked"
    NULL = "those whose value is NULL"
    ANY = "all"


class Sure(ABC):
    """Writes them down; what they are made of is read, and given are copies."""

    @abstractmethod
    def worst(
        self, conjunct: Conjunct, block: Block, around: Around, keys: Keys, *, alone: bool = True
    ) -> pb.Node | None:
        """Where this is true, ``conjunct`` is true in every part of the data that has ``keys``. None: unknown."""

    def least(
        self,
        link: Sublink,
        block: Block,
        around: Around,
        keys: Keys,
        *,
        alone: bool,
        fails: bool,
        which: Which = Which.COMPARED,
    ) -> pb.SelectStmt | None:
        """SELECT 1 of the rows that are there with ``keys``; if ``link`` compares, of those for which it says so.

        Args:
            link: the subquery.
            block: the SELECT around it.
            around: where that stands.
            keys: of the row that the subquery is evaluated for.
            alone: nothing but AND stands around it, so that Postgres can make a join of it.
            fails: rows are asked for of which the comparison is false, not true.
            which: what of the rows.
        """
        query = link.query
        if not _plain(query, link.kind):
            return None
        (inner,) = query.blocks
        around = around.with_all_sides(inner.level)
        compares = link.kind != pb.EXISTS_SUBLINK and which is not Which.ANY
        staying = _staying(inner, inner.outputs[0].sources if compares else ())
        if staying is None:
            return None
        relations, conjuncts = staying
        own = {relation.alias for relation in relations}
        test = value = None
        if link.kind != pb.EXISTS_SUBLINK:
            if not _can_be_compared(link, inner, block, around):
                return None
            assert link.test is not None
            test, value = qualified(link.test, link.names), target(inner, 0, VALUE)
            if any(len(ref.fields) < 2 for ref in tree.column_references(test)):
                return None
        compared = which is Which.COMPARED
        apart = compared and test is not None and _is_hidden(test, own)
        inside = self._conditions(conjuncts, inner, around, [key for key in keys if key[1] not in own], alone=alone)
        if inside is None:
            return None
        outside: list[pb.Node] = []
        if value is not None and which is Which.NULL:
            inside.insert(0, tree.is_null(value.res_target.val))
        elif test is not None and value is not None and compared:
            same = tree.operation(link.operator, test, tree.column(_SURE, VALUE) if apart else value.res_target.val)
            outside.append(tree.negated(same) if fails else same)
        freely = alone and _asks_for_equal(link, conjuncts, fails=fails, compared=compared)
        known = [key for key in keys if apart or key[1] not in own] if freely or compared else []
        targets = [value] if apart and value is not None else []
        for relation in relations:
            for key in relation.keys:
                mine = tree.column(relation.alias, key.name)
                if apart:
                    name = f"seenby$k{len(targets)}"
                    targets.append(tree.column_target(relation.alias, key.name, name))
                    mine = tree.column(_SURE, name)
                outside.append(_there(mine, [one for one in known if one[0] == key.kind], freely=freely))
        entries = [relation.node for relation in relations]
        if not apart:
            first = 1 if compared and test is not None else 0
            return _select([], entries, outside[:first] + inside + outside[first:])
        return _select([], [tree.subselect(_select(targets, entries, inside), _SURE)], outside)

    def sure(
        self, link: Sublink, block: Block, around: Around, keys: Keys, *, alone: bool, fails: bool
    ) -> list[pb.Node]:
        """Conditions of which each alone says that a row for which ``link`` says so is there with ``keys``."""
        found = [self.least(link, block, around, keys, alone=alone, fails=fails)]
        if found[0] is not None and not (alone and _asks_for_equal(link, link.query.blocks[0].conjuncts, fails=fails)):
            found.append(self.least(link, block, around, (), alone=alone, fails=fails))  # those of nobody
        return list({str(one): tree.exists(one) for one in found if one is not None}.values())

    def _conditions(
        self, conjuncts: Sequence[Conjunct], inner: Block, around: Around, keys: Keys, *, alone: bool
    ) -> list[pb.Node] | None:
        """What the rows have to meet, whoever goes. None: that is not known."""
        conditions = []
        for conjunct in conjuncts:
            if conjunct.sublinks:
                node = self.worst(conjunct, inner, around, keys, alone=alone)
            elif conjunct.total and all(is_firm(column, inner.level, around) for column in conjunct.refs):
                node = written(conjunct)
            else:
                node = None
            if node is None:
                return None
            conditions.append(node)
        return conditions


def _is_hidden(test: pb.Node, own: Set[str]) -> bool:
    """The row around cannot be named in there: its table has the name of one there."""
    return any(ref.fields[0].string.sval in own for ref in tree.column_references(test))


def _asks_for_equal(link: Sublink, conjuncts: Sequence[Conjunct], *, fails: bool, compared: bool = True) -> bool:
    """A column in there has to equal one of the row around, so that Postgres can hash the rows."""
    if compared and link.test is not None and link.operator == "=" and not fails:
        return True
    return any(map(_links, conjuncts))


def _staying(block: Block, shown: Sequence[Column]) -> tuple[list[Relation], list[Conjunct]] | None:
    """The tables and conditions that a row of FROM and WHERE needs to be there. None: they are not tables alone.

    A row of an outer join that has its partner is there as long as both are, and a row of the side that stays whole is
    there without one. ``shown``: columns that the row has to show besides.
    """
    conjuncts = [one for one in block.conjuncts if one.join is None]
    needed = 0
    for bits in (*(one.bits for one in conjuncts), *(one.bits for one in shown)):
        needed |= bits
    relations = [one for item in block.items for one in _whole(item, needed, conjuncts)]
    left_out = [one for one in block.conjuncts if one not in conjuncts]
    if (
        not relations
        or any(one.index is None for one in relations)
        or not all(one.total and not one.sublinks for one in left_out)
    ):
        return None
    return relations, conjuncts


def _whole(item: Item, needed: int, conjuncts: list[Conjunct]) -> Iterator[Relation]:
    """The tables of an entry of FROM without optional sides that are not needed; ``conjuncts`` gets their ON."""
    if isinstance(item, Relation):
        yield item
        return
    assert item.sides is not None
    left, right = item.sides
    if not needed & item.right and item.right & item.nullable:
        yield from _whole(left, needed, conjuncts)
    elif not needed & item.left and item.left & item.nullable:
        yield from _whole(right, needed, conjuncts)
    else:
        for conjunct in item.conjuncts:
            conjuncts.append(conjunct)
            needed |= conjunct.bits
        yield from _whole(left, needed, conjuncts)
        yield from _whole(right, needed, conjuncts)


def _select(targets: Sequence[pb.Node], entries: Sequence[pb.Node], conditions: list[pb.Node]) -> pb.SelectStmt:
    select = tree.select(targets or [tree.one_target()], entries)
    if conditions:
        select.where_clause.CopyFrom(tree.conjunction(conditions))
    return select


def _can_be_compared(link: Sublink, inner: Block, block: Block, around: Around) -> bool:
    """Both sides have the same value in every part of the data."""
    if link.test is None or not link.test_total or len(inner.outputs) != 1:
        return False
    firm = all(is_firm(column, block.level, around) for column in link.test_refs)
    return firm and all(is_firm(column, inner.level, around) for column in inner.outputs[0].sources)


def _plain(query: Query, kind: pb.SubLinkType.ValueType) -> bool:
    """Rows of tables, each of which is there if its people are."""
    if query.branches is not None or query.recursion:
        return False
    if query.limited:
        count = constant(query.select.limit_count)
        if kind != pb.EXISTS_SUBLINK or not count or count < 1 or query.select.HasField("limit_offset"):
            return False
    (block,) = query.blocks
    if block.values is not None or block.aggregated or block.firsts:
        return False
    return all(column.fragile < 2 and column.total for column in block.outputs)


def _links(conjunct: Conjunct) -> bool:
    """It says that a column equals one of the SELECT around."""
    return conjunct.equal is not None and sum(column.origin is None for column in conjunct.equal) == 1


def is_firm(column: Column, level: Level, around: Around) -> bool:
    if fragility(column, around) or (column.origin is None and column.bits & around.optional(level)):
        return False
    return column.total and column_holds(column, level, around)


def _there(mine: pb.Node, keys: Keys, *, freely: bool) -> pb.Node:
    """The person ``mine`` is one of ``keys``, or nobody. Not ``freely``: in a form that Postgres can hash."""
    same = [tree.operation("=", mine, tree.column(alias, name)) for _, alias, name in keys]
    if freely or not same:
        return joined(pb.OR_EXPR, [*same, tree.is_null(mine)])
    return same[0]


def is_constant(node: pb.Node, value: bool) -> bool:
    return node.a_const.WhichOneof("val") == "boolval" and node.a_const.boolval.boolval is value


def joined(operator: pb.BoolExprType.ValueType, nodes: list[pb.Node]) -> pb.Node:
    """AND or OR, without what does not count."""
    neutral = operator == pb.AND_EXPR
    if any(is_constant(node, not neutral) for node in nodes):
        return tree.false() if neutral else tree.true()
    kept = [node for node in nodes if not is_constant(node, neutral)]
    if not kept:
        return tree.true() if neutral else tree.false()
    return tree.conjunction(kept) if neutral else tree.disjunction(kept)
