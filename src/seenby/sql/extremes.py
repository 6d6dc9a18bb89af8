"""Conditions with subqueries at their best and at their worst, whoever's rows are taken away.

A row of FROM is there only together with the people whose rows it was made of. So a subquery gives for it at most what
the tables hold now, and at least the rows that belong to nobody else than these people:

    SELECT a.handle FROM accounts a WHERE NOT EXISTS (SELECT 1 FROM posts p WHERE p.author = a.id)
    -> ... WHERE NOT EXISTS (SELECT 1 FROM posts p WHERE p.author = a.id AND p."seenby$1" = a."seenby$1")

Whoever has posts never comes into this result: with the posts goes the account. A row whose condition is not true at
its best takes part in nothing; where it is true at its worst, the subquery's people decide about nothing.

SQL's three truth values are in order, false before unknown before true. In it AND, OR, IS TRUE and a subquery's EXISTS
and ANY rise with what they are made of, NOT, IS NOT TRUE and ALL fall. What is not understood is true at its best and
false at its worst, which can only add people.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

from postgast import pg_query_pb2 as pb

from seenby.sql import functions, tree
from seenby.sql.blocks import Block, Conjunct, Query, Sublink
from seenby.sql.offset import constant
from seenby.sql.scope import Column, Level
from seenby.sql.usable import Around, column_holds, gives, qualified, target, written

VALUE = "seenby$v"

Places = Sequence[tuple[int, str]]
"""Outputs of a query by number, each with the name that it gets."""

Keys = Sequence[tuple[str, str, str]]
"""Hidden columns as (kind, alias, name): the people who are there whenever a row is."""

_SWAPPED = {"=": "=", "<>": "<>", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}


def owners(block: Block) -> Keys:
    """Of tables alone: a row that DISTINCT or GROUP BY made can be there without each of those who stand in it."""
    return [
        (key.kind, relation.alias, key.name)
        for relation in block.relations
        if relation.index is not None and not relation.bit & block.level.nullable
        for key in relation.keys
    ]


def grade(query: Query, place: int) -> tuple[int, bool]:
    """``fragile`` and ``possible`` of an output, seen from outside of the query."""
    column = query.outputs[place]
    if query.limited:
        return 2, column.possible or column.fragile == 0
    return column.fragile, column.possible


@dataclass(frozen=True, slots=True)
class _At:
    """Where an expression stands.

    Attributes:
        keys: of the row that it is evaluated for.
        alone: nothing but AND stands around it, so that Postgres can make a join of a subquery.
        only: 1: all that counts is whether it is true; -1: whether it is false; 0: both.
    """

    conjunct: Conjunct
    block: Block
    around: Around
    keys: Keys
    alone: bool = True
    only: int = 1

    def turned(self) -> _At:
        return replace(self, only=-self.only)

    def below(self, only: int | None = None) -> _At:
        return replace(self, alone=False, only=self.only if only is None else only)


class Extremes(ABC):
    """Writes conditions down; what they are made of is read, and given are copies."""

    @abstractmethod
    def rows(self, query: Query, places: Places, around: Around) -> pb.SelectStmt:
        """What a subquery could give in any part of the data."""

    def best(self, conjunct: Conjunct, block: Block, around: Around) -> pb.Node | None:
        """Where this is not true, ``conjunct`` is true in no part of the data. None: nothing is known."""
        assert conjunct.node is not None
        node = self._bound(conjunct.node, True, _At(conjunct, block, around, owners(block)))
        return None if _is(node, True) else node

    def worst(
        self, conjunct: Conjunct, block: Block, around: Around, keys: Keys, *, alone: bool = True
    ) -> pb.Node | None:
        """Where this is true, ``conjunct`` is true in every part of the data. None: nothing is known."""
        assert conjunct.node is not None
        node = self._bound(conjunct.node, False, _At(conjunct, block, around, keys, alone))
        return None if _is(node, False) else node

    def settled(self, link: Sublink, block: Block, around: Around) -> pb.Node | None:
        """Where this is true, the value of a subquery's EXISTS, ANY or ALL is the same in every part of the data."""
        if link.scalar or link.needs & block.level.nullable or link.kind == pb.EXPR_SUBLINK:
            return None
        least = self._least(link, block, around, owners(block), alone=True, fails=link.kind == pb.ALL_SUBLINK)
        return None if least is None else tree.exists(least)

    # one expression

    def _bound(self, node: pb.Node, up: bool, at: _At) -> pb.Node:
        kind = node.WhichOneof("node")
        unknown = tree.true() if up else tree.false()
        if not tree.has_subquery(node):
            return qualified(node, at.conjunct.names) if self._firm(node, at) else unknown
        if kind == "bool_expr":
            if node.bool_expr.boolop == pb.NOT_EXPR:
                return _negated(self._bound(node.bool_expr.args[0], not up, at.turned()))
            inside = at if node.bool_expr.boolop == pb.AND_EXPR else at.below()
            return _joined(node.bool_expr.boolop, [self._bound(one, up, inside) for one in node.bool_expr.args])
        if kind == "coalesce_expr" and len(node.coalesce_expr.args) == 1:  # parentheses, see found.enclose
            return self._bound(node.coalesce_expr.args[0], up, at)
        if kind == "boolean_test":
            return self._tested(node.boolean_test, up, at)
        if kind == "sub_link":
            link = _link(node.sub_link, at)
            return unknown if link is None else self._asked(link, up, at)
        if kind == "a_expr" and node.a_expr.kind == pb.AEXPR_OP and up and at.only == 1:
            return self._compared_with(node.a_expr, at) or unknown
        return unknown

    def _tested(self, test: pb.BooleanTest, up: bool, at: _At) -> pb.Node:
        """IS TRUE and its like, which say true or false."""
        kind = test.booltesttype
        turns = kind in {pb.IS_NOT_TRUE, pb.IS_FALSE}
        if kind not in {pb.IS_TRUE, pb.IS_NOT_FALSE} and not turns:
            return tree.true() if up else tree.false()
        about_truth = kind in {pb.IS_TRUE, pb.IS_NOT_TRUE}
        inner = self._bound(test.arg, up != turns, at.below(1 if about_truth else -1))
        made = _certain(inner, unknown=not about_truth)
        return _negated(made) if turns else made

    def _asked(self, link: Sublink, up: bool, at: _At) -> pb.Node:
        """EXISTS, ANY, ALL."""
        unknown = tree.true() if up else tree.false()
        rises = link.kind in {pb.EXISTS_SUBLINK, pb.ANY_SUBLINK}
        if link.scalar or link.needs & at.block.level.nullable or not (rises or link.kind == pb.ALL_SUBLINK):
            return unknown
        if up != rises:
            least = self._least(link, at.block, at.around, at.keys, alone=at.alone, fails=not rises)
            if least is None:
                return unknown
            return tree.exists(least) if rises else _negated(tree.exists(least))
        if link.kind == pb.EXISTS_SUBLINK:
            return unknown if link.query.lone_row else tree.exists(self.rows(link.query, (), at.around))
        most = self._most(link, link.node.testexpr, at)
        if most is not None:
            return most
        if link.kind == pb.ANY_SUBLINK and not link.query.lone_row:
            return tree.exists(self.rows(link.query, (), at.around))
        return unknown

    def _most(self, link: Sublink, test: pb.Node, at: _At, operator: str = "") -> pb.Node | None:
        """``test`` compared with everything that the subquery could give."""
        query = link.query
        width = len(test.row_expr.args) if test.WhichOneof("node") == "row_expr" else 1
        if tree.has_subquery(test) or not link.test_total or width != len(query.outputs):
            return None
        grades = [grade(query, place) for place in range(width)]
        sure = all(fragile < 2 or possible for fragile, possible in grades)
        if not sure or not all(one.total and gives(query, n, at.around) for n, one in enumerate(query.outputs)):
            return None
        truth = at.only == 1 and link.kind != pb.ALL_SUBLINK
        for column in link.test_refs:
            strict = frozenset({id(column)} if truth else ())
            if not column_holds(column, at.block.level, at.around, strict) or not (truth or column.fragility == 0):
                return None
            if column.bits & at.block.level.nullable:
                return None
        if not truth and any(fragile for fragile, _ in grades):
            return None
        node = pb.Node()
        made = node.sub_link
        made.sub_link_type = link.kind if not operator else pb.ANY_SUBLINK
        made.testexpr.CopyFrom(qualified(test, link.names))
        made.oper_name.extend([tree.string(operator)] if operator else link.node.oper_name)
        places = [(place, VALUE if not place else f"{VALUE}{place}") for place in range(width)]
        made.subselect.select_stmt.CopyFrom(self.rows(query, places, at.around))
        return node

    def _compared_with(self, expr: pb.A_Expr, at: _At) -> pb.Node | None:
        """``x < (SELECT max(y) ...)``: true only if it is true of one of the values that could come out."""
        operator, test, asked = expr.name[-1].string.sval, expr.lexpr, expr.rexpr
        if test.WhichOneof("node") == "sub_link":
            operator, test, asked = _SWAPPED.get(operator, ""), asked, test
        if operator not in functions.COMPARISONS or asked.WhichOneof("node") != "sub_link":
            return None
        link = _link(asked.sub_link, at)
        if link is None or tree.has_subquery(test) or link.needs & at.block.level.nullable or link.scalar:
            return None
        if link.kind == pb.EXPR_SUBLINK and not link.query.lone_row and constant(link.query.select.limit_count) != 1:
            return None
        if not at.conjunct.sure:
            return None
        refs = _columns(test, at)
        if refs is None:
            return None
        return self._most(replace(link, test_refs=refs, test_total=True, names=at.conjunct.names), test, at, operator)

    # the rows that are there whenever these people are

    def _least(
        self, link: Sublink, block: Block, around: Around, keys: Keys, *, alone: bool, fails: bool
    ) -> pb.SelectStmt | None:
        """SELECT 1 of them, if ``link`` compares: of those for which the comparison is true, or false if ``fails``."""
        query = link.query
        if not _plain(query, link.kind):
            return None
        (inner,) = query.blocks
        own = {relation.alias for relation in inner.relations}
        conditions = []
        equal = False
        if link.kind != pb.EXISTS_SUBLINK:
            if link.test is None or not link.test_total or len(query.outputs) != 1:
                return None
            if not all(_is_firm(column, block.level, around) for column in link.test_refs):
                return None
            if not all(_is_firm(column, inner.level, around) for column in query.outputs[0].sources):
                return None
            test = qualified(link.test, link.names)
            if any(len(ref.fields) < 2 or ref.fields[0].string.sval in own for ref in tree.column_references(test)):
                return None  # it would mean another table in there
            same = tree.operation(link.operator, test, target(inner, 0, VALUE).res_target.val)
            equal = link.operator == "=" and not fails
            conditions.append(tree.negated(same) if fails else same)
        for conjunct in inner.conjuncts:
            if conjunct.sublinks:
                node = self.worst(conjunct, inner, around, keys, alone=alone)
            elif conjunct.total and all(_is_firm(column, inner.level, around) for column in conjunct.refs):
                node = written(conjunct)
            else:
                node = None
            if node is None:
                return None
            equal = equal or _links(conjunct)
            conditions.append(node)
        known = [key for key in keys if key[1] not in own]
        for relation in inner.relations:
            for key in relation.keys:
                mine = tree.column(relation.alias, key.name)
                there = _there(mine, [one for one in known if one[0] == key.kind], freely=alone and equal)
                if there is None:
                    return None
                conditions.append(there)
        select = tree.select([tree.one_target()], [relation.node for relation in inner.relations])
        if conditions:
            select.where_clause.CopyFrom(tree.conjunction(conditions))
        return select

    @staticmethod
    def _firm(node: pb.Node, at: _At) -> bool:
        """It has the same value in every part of the data."""
        refs = _columns(node, at)
        return at.conjunct.sure and refs is not None and all(_is_firm(one, at.block.level, at.around) for one in refs)


def cannot_fail(query: Query) -> bool:
    """Nothing in it can raise an error, which would tell about people too."""
    for block in query.blocks:
        select = block.select
        if (
            select.group_clause
            or select.HasField("having_clause")
            or select.distinct_clause
            or query.select.sort_clause
        ):
            return False  # it may, in a place that is not looked at here
        if not all(one.total for one in block.outputs):
            return False
        if not all(one.total or (one.sure and one.sublinks) for one in block.conjuncts):
            return False
        if any(link.scalar or link.kind == pb.EXPR_SUBLINK or not cannot_fail(link.query) for link in block.sublinks):
            return False
        for relation in block.relations:
            if not relation.total or (relation.query is not None and not cannot_fail(relation.query)):
                return False
    return not query.recursion


def says_nothing_else(node: pb.Node | None, link: Sublink) -> bool:
    """It is the subquery's EXISTS or IN, or NOT that."""
    while node is not None and node.WhichOneof("node") == "bool_expr" and node.bool_expr.boolop == pb.NOT_EXPR:
        node = node.bool_expr.args[0]
    return node is not None and node.WhichOneof("node") == "sub_link" and node.sub_link is link.node


def _plain(query: Query, kind: pb.SubLinkType.ValueType) -> bool:
    """Rows of tables, each of which is there if its people are."""
    if query.branches is not None or query.recursion:
        return False
    if query.limited:
        count = constant(query.select.limit_count)
        if kind != pb.EXISTS_SUBLINK or not count or count < 1 or query.select.HasField("limit_offset"):
            return False
    (block,) = query.blocks
    if block.values is not None or block.aggregated or block.firsts or any(join.nullable for join in block.joins):
        return False
    if not block.relations or not all(relation.index is not None for relation in block.relations):
        return False
    return all(column.fragile == 0 and column.total for column in block.outputs)


def _links(conjunct: Conjunct) -> bool:
    """It says that a column equals one of the SELECT around."""
    return conjunct.equal is not None and sum(column.origin is None for column in conjunct.equal) == 1


def _is_firm(column: Column, level: Level, around: Around) -> bool:
    if column.fragility or (column.origin is None and column.bits & level.nullable):
        return False
    return column.total and column_holds(column, level, around)


def _columns(node: pb.Node, at: _At) -> tuple[Column, ...] | None:
    """The columns that an expression names."""
    found = []
    for ref in tree.column_references(node):
        parts = [part.string.sval for part in ref.fields]
        column = at.conjunct.names.get(parts[0]) if len(parts) == 1 else at.block.scope.meaning(parts)
        if column is None:
            return None
        found.append(column)
    return tuple(found)


def _link(node: pb.SubLink, at: _At) -> Sublink | None:
    return next((link for link in at.conjunct.sublinks if link.node is node), None)


def _there(mine: pb.Node, keys: Keys, *, freely: bool) -> pb.Node | None:
    """The person ``mine`` is one of ``keys``. Not ``freely``: in a form that Postgres can hash."""
    same = [tree.operation("=", mine, tree.column(alias, name)) for _, alias, name in keys]
    if freely:
        return _joined(pb.OR_EXPR, [*same, tree.is_null(mine)])
    return same[0] if same else None


def _is(node: pb.Node, value: bool) -> bool:
    return node.a_const.WhichOneof("val") == "boolval" and node.a_const.boolval.boolval is value


def _negated(node: pb.Node) -> pb.Node:
    if _is(node, True):
        return tree.false()
    return tree.true() if _is(node, False) else tree.negated(node)


def _certain(node: pb.Node, *, unknown: bool) -> pb.Node:
    """``node`` with ``unknown`` for NULL."""
    if _is(node, True) or _is(node, False):
        return node
    made = pb.Node()
    made.coalesce_expr.args.extend([node, tree.true() if unknown else tree.false()])
    return made


def _joined(operator: pb.BoolExprType.ValueType, nodes: list[pb.Node]) -> pb.Node:
    """AND or OR, without what does not count."""
    neutral = operator == pb.AND_EXPR
    if any(_is(node, not neutral) for node in nodes):
        return tree.false() if neutral else tree.true()
    kept = [node for node in nodes if not _is(node, neutral)]
    if not kept:
        return tree.true() if neutral else tree.false()
    if len(kept) == 1:
        return kept[0]
    made = pb.Node()
    made.bool_expr.boolop = operator
    made.bool_expr.args.extend(kept)
    return made


def unless(node: pb.Node) -> pb.Node:
    """``node`` is not true."""
    whole = node.WhichOneof("node") == "sub_link" and node.sub_link.sub_link_type == pb.EXISTS_SUBLINK
    return tree.negated(node if whole else _certain(node, unknown=False))
