"""FROM and WHERE of a companion query, as far as they hold in every part of the data (usable.py, extremes.py)."""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from postgast import pg_query_pb2 as pb

from seenby.errors import TooComplex
from seenby.sql import tree
from seenby.sql.blocks import Block, Conjunct, Item, Join, Query, Sublink
from seenby.sql.extremes import Extremes, Places
from seenby.sql.nulled import below, either
from seenby.sql.parse import SPLIT_HINT
from seenby.sql.pieces import Condition, Part, Piece
from seenby.sql.scope import Relation
from seenby.sql.usable import Around, column_holds, gives, holds, written

MAX_WRITTEN = 1000
"""Entries of FROM. A WITH query is written down wherever it is named, so that a chain of them can double each time."""


@dataclass(frozen=True, slots=True)
class Core:
    """FROM and WHERE of a block as far as they hold; ``named``: the relations whose keys are in it."""

    pieces: list[Piece]
    conditions: list[Condition]
    around: Around
    named: int


class Ranges(Extremes):
    """Writes FROM and WHERE down. Reads the tree; what it gives are copies."""

    def __init__(self) -> None:
        self._written = 0
        self._riding: dict[int, bool] = {}

    @abstractmethod
    def parts(self, query: Query, places: Places, around: Around) -> Iterator[Part]:
        """Everybody who decides about what a subquery gives."""

    def core(
        self,
        block: Block,
        around: Around,
        kinds: dict[int, int],
        focus: Relation | None,
        part: Part | None,
        but: Sublink | None = None,
    ) -> Core:
        """FROM and WHERE of a block as far as they hold; ``part`` stands there instead of the relation ``focus``, and
        what the subquery ``but`` asks is left out.
        """
        gone = named = 0
        pieces = {}
        for relation in block.relations:
            # What stands further right may name this one, but only what is left of it.
            piece = self._relation(relation, block, around.without(block.level, gone), focus, part)
            if piece is None:
                gone |= relation.bit
            else:
                pieces[relation.bit] = piece
                named |= relation.bit if piece.keys else 0
        around = around.without(block.level, gone)
        conditions: list[Condition] = []
        optional = any(join.nullable for join in block.joins)
        if optional:
            found = [self._tree(item, block, around, pieces, kinds) for item in block.items]
        else:
            found = list(pieces.values())
        lost = []
        for conjunct in block.conjuncts:
            if (optional and conjunct.join is not None) or (
                but is not None and but.required and but in conjunct.sublinks
            ):
                continue
            if conjunct.bits & block.level.nullable and not holds(conjunct, block, around):
                lost.append(conjunct)
            elif conjunct.sublinks:
                node = self.best(conjunct, block, around)
                if node is not None:
                    conditions.append((node, named_bits(node, block, conjunct.bits), None))
            elif holds(conjunct, block, around):
                conditions.append((written(conjunct), conjunct.bits, None))
        node = either(list(self._with_all_sides(lost, block, around)), block, block.joins)
        if node is not None:
            known = functools.reduce(int.__or__, (conjunct.bits for conjunct in lost))
            conditions.append((node, named_bits(node, block, known), None))
        return Core(found, conditions, around, named)

    def _with_all_sides(self, conjuncts: list[Conjunct], block: Block, around: Around) -> Iterator[pb.Node]:
        """Conditions at their best, of rows whose optional sides stay as they are."""
        around = around.with_all_sides(block.level)
        for conjunct in conjuncts:
            if conjunct.sublinks:
                node = self.best(conjunct, block, around)
                if node is not None:
                    yield node
            elif holds(conjunct, block, around):
                yield written(conjunct)

    def _relation(
        self, relation: Relation, block: Block, around: Around, focus: Relation | None, part: Part | None
    ) -> Piece | None:
        """An entry of FROM; None if it tells nothing."""
        self._written += 1
        if self._written > MAX_WRITTEN:
            raise TooComplex("a companion query for this statement would be too long", hint=SPLIT_HINT)
        if relation.index is not None:
            keys = [(key.kind, relation.alias, key.name) for key in relation.keys] if focus is None else []
            return Piece(relation.node, relation.bit, 0, keys)
        if relation is focus:
            assert part is not None
            node = tree.subselect(part.select, relation.alias, lateral=relation.lateral)
            keys = [(kind, relation.alias, f"seenby$k{n}") for n, kind in enumerate(part.kinds, 1)]
            return Piece(node, relation.bit, relation.needs, keys)
        if relation.own is not None:
            name = around.own.get(id(relation.own))
            if name is not None:
                return Piece(tree.table(name, relation.alias, _names(relation)), relation.bit, 0, [])
            places = [(number, column.real) for number, column in enumerate(relation.ordered or ())]
            return Piece(tree.subselect(self.rows(relation.own, places, around), relation.alias), relation.bit, 0, [])
        if relation.query is None:
            known = all(
                column_holds(source, block.level, around, frozenset({id(source)}))
                for column in relation.ordered or ()
                for source in column.sources
            )
            if (
                not (relation.total or around.risky)
                or not known
                or relation.needs & around.gone.get(id(block.level), 0)
            ):
                return None
            outwards = any(one.origin is not None for column in relation.ordered or () for one in column.sources)
            return Piece(relation.node, relation.bit, relation.needs, [], bare=outwards)
        kept = kept_outputs(relation, around) if focus is None and self._rides(relation) else []
        if kept:
            (only,) = self.parts(relation.query, kept, around)
            node = tree.subselect(only.select, relation.alias, lateral=relation.lateral)
            keys = [(kind, relation.alias, f"seenby$k{n}") for n, kind in enumerate(only.kinds, 1)]
            return Piece(node, relation.bit, relation.needs, keys)
        places = _possible(relation, around)
        if not places and not relation.query.lone_row and not relation.query.limited:
            return Piece(
                tree.subselect(self.rows(relation.query, (), around), relation.alias, lateral=relation.lateral),
                relation.bit, relation.needs, [],
            )  # fmt: skip
        if not places:
            return None
        node = tree.subselect(self.rows(relation.query, places, around), relation.alias, lateral=relation.lateral)
        return Piece(node, relation.bit, relation.needs, [])

    def _rides(self, relation: Relation) -> bool:
        """The keys of a subquery can stand in its rows: one plain SELECT, whose columns all tell rows apart."""
        query = relation.query
        if query is None:
            return False
        known = self._riding.get(id(query))
        if known is None:
            known = self._riding[id(query)] = self._keys_ride(query)
        return known

    def _keys_ride(self, query: Query) -> bool:
        if query.recursion or query.branches is not None or query.limited or not query.persons:
            return False
        (block,) = query.blocks
        if block.lone_row or block.sublinks or any(join.kind == pb.JOIN_FULL for join in block.joins):
            return False
        if any(column.fragile == 2 and column.possible for column in query.outputs):
            return False
        if not any(column.fragile < 2 and column.total for column in query.outputs):
            return False
        return all(bool(one.index) or not one.persons or self._rides(one) for one in block.relations)

    def _tree(self, item: Item, block: Block, around: Around, pieces: dict[int, Piece], kinds: dict[int, int]) -> Piece:
        if isinstance(item, Relation):
            piece = pieces.get(item.bit)
            return piece if piece is not None else Piece(tree.nothing(item.alias), item.bit, 0, [])
        left, right = (self._tree(side, block, around, pieces, kinds) for side in _sides(item))
        nodes = []
        for one in item.conjuncts:
            if holds(one, block, around):
                nodes.append(written(one))
            elif not one.sublinks and (
                node := either(list(self._with_all_sides([one], block, around)), block, below(item))
            ):
                nodes.append(node)
        node = pb.Node()
        join = node.join_expr
        join.jointype = kinds.get(id(item), item.kind)
        join.larg.CopyFrom(left.node)
        join.rarg.CopyFrom(right.node)
        join.quals.CopyFrom(tree.conjunction(nodes) if nodes else tree.true())
        return Piece(node, left.bits | right.bits, left.needs | right.needs, left.keys + right.keys)


def named_bits(node: pb.Node, block: Block, known: int) -> int:
    """The relations of a block whose names stand in an expression, its subqueries too. ``known``: some of them."""
    if known == sum(relation.bit for relation in block.relations):
        return known
    names = set(tree.qualifiers(node))
    for relation in block.relations:
        if relation.alias in names:
            known |= relation.bit
    return known


def _sides(join: Join) -> tuple[Item, Item]:
    assert join.sides is not None
    return join.sides


def _names(relation: Relation) -> list[str]:
    return [column.real for column in relation.ordered or ()]


def kept_outputs(relation: Relation, around: Around) -> list[tuple[int, str]]:
    """The outputs of a subquery that tell its rows apart in every part of the data."""
    assert relation.query is not None
    return [
        (number, column.real)
        for number, column in enumerate(relation.ordered or ())
        if column.fragile < 2 and (column.total or around.risky) and gives(relation.query, number, around)
    ]


def _possible(relation: Relation, around: Around) -> list[tuple[int, str]]:
    """The outputs of a subquery whose values are among those of its rows."""
    query = relation.query
    assert query is not None
    return [
        (number, column.real)
        for number, column in enumerate(relation.ordered or ())
        if (column.fragile < 2 or column.possible)
        and (column.total or around.risky or query.recursion)
        and gives(query, number, around)
    ]
