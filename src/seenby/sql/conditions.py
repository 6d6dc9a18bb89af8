"""WHERE, ON and whatever else decides about rows: conditions one by one, and what is known of each."""

from __future__ import annotations

from postgast import pg_query_pb2 as pb

from seenby.sql import gather, outer
from seenby.sql.blocks import Block, Conjunct, Join
from seenby.sql.found import Found
from seenby.sql.scope import Column, Scope
from seenby.sql.withclause import WithReader

_CONSTANTS = frozenset({"a_const", "param_ref"})


class ConditionReader(WithReader):
    """Reads conditions."""

    def look(self, node: pb.Node, scope: Scope, use: str, found: Found) -> list[Column]:
        """Reads an expression that decides about rows: what it names is used, whatever the output."""
        refs = self.expressions.read(node, scope, use)
        for column in refs:
            column.use()
        found.add(self.expressions.found)
        return refs

    def conditions(self, node: pb.Node, scope: Scope, block: Block, join: Join | None, use: str) -> None:
        if node.WhichOneof("node") == "bool_expr" and node.bool_expr.boolop == pb.AND_EXPR:
            for arg in node.bool_expr.args:
                self.conditions(arg, scope, block, join, use)
            return
        found = Found()
        refs = self.look(node, scope, use, found)
        bits = 0
        for column in refs:
            bits |= column.bits
        for link in found.sublinks:
            link.join, link.conditional = join, True
            bits |= link.needs
        conjunct = Conjunct(node, refs, bits, self.expressions.total, join, names=self.expressions.names)
        conjunct.sublinks, conjunct.sure = tuple(found.sublinks), self.expressions.sure
        conjunct.shrinks = gather.is_more_than(node, refs)
        block.sublinks += found.sublinks
        gather.ask_for_equal(node, found.sublinks, refs)
        if node.WhichOneof("node") == "sub_link" and node.sub_link.sub_link_type in {pb.EXISTS_SUBLINK, pb.ANY_SUBLINK}:
            found.sublinks[-1].required = True
        if join is not None or block.delicate:
            conjunct.strict = outer.strict_parts(node, scope)
            for link in found.sublinks:
                if link.required:
                    conjunct.strict |= outer.asked_parts(link.query, scope.level)
        if node.WhichOneof("node") == "a_expr":
            _note_equality(conjunct, node.a_expr)
        block.conjuncts.append(conjunct)
        if join is not None:
            join.conjuncts.append(conjunct)


def _note_equality(conjunct: Conjunct, expr: pb.A_Expr) -> None:
    if expr.name[-1].string.sval != "=":
        return
    if expr.kind in {pb.AEXPR_IN, pb.AEXPR_OP_ANY} and len(conjunct.refs) == 1:
        listed = expr.rexpr.list.items if expr.kind == pb.AEXPR_IN else [expr.rexpr]
        if expr.lexpr.WhichOneof("node") == "column_ref" and all(_is_constant(one) for one in listed):
            conjunct.pins = conjunct.refs[0].pin
    if expr.kind != pb.AEXPR_OP:
        return
    left, right = expr.lexpr, expr.rexpr
    kinds = {left.WhichOneof("node"), right.WhichOneof("node")}
    if kinds == {"column_ref"} and len(conjunct.refs) == 2:
        conjunct.equal = (conjunct.refs[0], conjunct.refs[1])
    elif "column_ref" in kinds and len(conjunct.refs) == 1:
        other = right if left.WhichOneof("node") == "column_ref" else left
        if _is_constant(other):
            conjunct.pins = conjunct.refs[0].pin


def _is_constant(node: pb.Node) -> bool:
    while node.WhichOneof("node") == "type_cast":
        node = node.type_cast.arg
    if node.WhichOneof("node") == "a_array_expr":
        return all(_is_constant(one) for one in node.a_array_expr.elements)
    return node.WhichOneof("node") in _CONSTANTS
