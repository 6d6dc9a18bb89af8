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

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pb

from seenby.sql import functions, tree
from seenby.sql.blocks import Block, Conjunct, Query, Sublink
from seenby.sql.offset import constant
from seenby.sql.scope import Column
from seenby.sql.sure import VALUE, Keys, Sure, Which, is_constant, is_firm, joined
from seenby.sql.usable import Around, column_holds, fragility, gives, qualified

Places = Sequence[tuple[int, str]]
"""Outputs of a query by number, each with the name that it gets."""

_SWAPPED = {"=": "=", "<>": "<>", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}


def owners(block: Block, around: Around) -> Keys:
    """Of tables alone: a row that DISTINCT or GROUP BY made can be there without each of those who stand in it."""
    return [
        (key.kind, relation.alias, key.name)
        for relation in block.relations
        if relation.index is not None and not relation.bit & around.optional(block.level)
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


class Extremes(Sure):
    """Writes conditions down; what they are made of is read, and given are copies."""

    @abstractmethod
    def rows(self, query: Query, places: Places, around: Around) -> pb.SelectStmt:
        """What a subquery could give in any part of the data."""

    def best(self, conjunct: Conjunct, block: Block, around: Around) -> pb.Node | None:
        """Where this is not true, ``conjunct`` is true in no part of the data. None: nothing is known."""
        assert conjunct.node is not None
        node = self._bound(conjunct.node, True, _At(conjunct, block, around, owners(block, around)))
        return None if is_constant(node, True) else node

    def worst(
        self, conjunct: Conjunct, block: Block, around: Around, keys: Keys, *, alone: bool = True
    ) -> pb.Node | None:
        """Where this is true, ``conjunct`` is true in every part of the data. None: nothing is known."""
        assert conjunct.node is not None
        node = self._bound(conjunct.node, False, _At(conjunct, block, around, keys, alone))
        return None if is_constant(node, False) else node

    def settled(self, link: Sublink, block: Block, around: Around, keys: Keys) -> pb.Node | None:
        """Where this is true, what a subquery is asked is the same in every part of the data that has ``keys``."""
        if link.scalar or link.needs & around.optional(block.level) or link.kind == pb.EXPR_SUBLINK:
            return None
        fails = link.kind == pb.ALL_SUBLINK
        found = self.sure(link, block, around, keys, alone=True, fails=fails)
        return joined(pb.OR_EXPR, found) if found else None

    def guards(self, link: Sublink, block: Block, around: Around) -> list[pb.Node]:
        """Where one of them is not true, a subquery of the select list is asked in no part of the data: CASE."""
        if block.aggregated or link not in block.listed:
            return []
        found = []
        for place, target in enumerate(block.select.target_list):
            for node in _asked_only_if(target.res_target.val, link.node):
                names = block.names[place] if place < len(block.names) else {}
                one = Conjunct(node, [], 0, False, None, names=names, sublinks=tuple(block.listed), sure=False)
                best = self._bound(node, True, _At(one, block, around, owners(block, around), alone=False))
                if not is_constant(best, True):
                    found.append(best)
        return found

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
            return joined(node.bool_expr.boolop, [self._bound(one, up, inside) for one in node.bool_expr.args])
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
        if link.scalar or link.needs & at.around.optional(at.block.level) or not (rises or link.kind == pb.ALL_SUBLINK):
            return unknown
        if up != rises:
            found = self._sure_rows(link, at, fails=not rises)
            if not found:
                return unknown
            return joined(pb.OR_EXPR, found) if rises else _negated(joined(pb.OR_EXPR, found))
        if link.kind == pb.EXISTS_SUBLINK:
            return unknown if link.query.lone_row else tree.exists(self.rows(link.query, (), at.around))
        most = self._most(link, link.node.testexpr, at)
        if most is not None:
            return most
        if link.kind == pb.ANY_SUBLINK and not link.query.lone_row:
            return tree.exists(self.rows(link.query, (), at.around))
        return unknown

    def _sure_rows(self, link: Sublink, at: _At, *, fails: bool) -> list[pb.Node]:
        """Conditions of which each alone says that rows which are always there settle it: IN is true, ALL false.

        ``x NOT IN (...)`` is not true either if one of them compares as NULL.
        """
        found = self.sure(link, at.block, at.around, at.keys, alone=at.alone, fails=fails)
        if not found or link.test is None or at.only != (1 if fails else -1):
            return found
        for which in (Which.NULL, Which.ANY) if link.test_refs else (Which.NULL,):
            least = self.least(link, at.block, at.around, at.keys, alone=at.alone, fails=fails, which=which)
            if least is not None:
                node = tree.exists(least)
                if which is Which.ANY:
                    node = tree.conjunction([tree.is_null(qualified(link.test, link.names)), node])
                found.append(node)
        return found

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
            if not column_holds(column, at.block.level, at.around, strict) or not (
                truth or fragility(column, at.around) == 0
            ):
                return None
            if column.bits & at.around.optional(at.block.level):
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
        if link is None or tree.has_subquery(test) or link.needs & at.around.optional(at.block.level) or link.scalar:
            return None
        if link.kind == pb.EXPR_SUBLINK and not link.query.lone_row and constant(link.query.select.limit_count) != 1:
            return None
        if not at.conjunct.sure:
            return None
        refs = _columns(test, at)
        if refs is None:
            return None
        return self._most(replace(link, test_refs=refs, test_total=True, names=at.conjunct.names), test, at, operator)

    @staticmethod
    def _firm(node: pb.Node, at: _At) -> bool:
        """It has the same value in every part of the data."""
        refs = _columns(node, at)
        return at.conjunct.sure and refs is not None and all(is_firm(one, at.block.level, at.around) for one in refs)


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


def _negated(node: pb.Node) -> pb.Node:
    """NOT; of an OR each part by itself, since of NOT EXISTS that stands alone Postgres can make a join."""
    if is_constant(node, True):
        return tree.false()
    if node.WhichOneof("node") == "bool_expr" and node.bool_expr.boolop == pb.OR_EXPR:
        return joined(pb.AND_EXPR, [_negated(one) for one in node.bool_expr.args])
    return tree.true() if is_constant(node, False) else tree.negated(node)


def _certain(node: pb.Node, *, unknown: bool) -> pb.Node:
    """``node`` with ``unknown`` for NULL."""
    if is_constant(node, True) or is_constant(node, False):
        return node
    made = pb.Node()
    made.coalesce_expr.args.extend([node, tree.true() if unknown else tree.false()])
    return made


def unless(node: pb.Node) -> pb.Node:
    """``node`` is not true."""
    if node.WhichOneof("node") == "bool_expr" and node.bool_expr.boolop == pb.OR_EXPR:
        return tree.conjunction([unless(one) for one in node.bool_expr.args])
    whole = node.WhichOneof("node") == "sub_link" and node.sub_link.sub_link_type == pb.EXISTS_SUBLINK
    return tree.negated(node if whole else _certain(node, unknown=False))


def _asked_only_if(message: Message, link: pb.SubLink) -> list[pb.Node]:
    """The conditions of CASE that must be true for ``link``, somewhere in an expression, to be asked."""
    if isinstance(message, pb.CaseWhen) and _holds(message.result, link):
        return [message.expr, *_asked_only_if(message.result, link)]
    for part, value in message.ListFields():
        if part.message_type is not None:
            for one in value if part.is_repeated else (value,):
                if _holds(one, link):
                    plain = not (isinstance(message, pb.CaseExpr) and message.HasField("arg"))
                    return _asked_only_if(one, link) if plain else []
    return []


def _holds(message: Message, link: pb.SubLink) -> bool:
    return message is link or any(
        _holds(one, link)
        for part, value in message.ListFields()
        if part.message_type is not None
        for one in (value if part.is_repeated else (value,))
    )
