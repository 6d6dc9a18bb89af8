"""Small pieces of parse tree that the rewriting puts into a statement."""

from __future__ import annotations

from postgast import pg_query_pb2 as pb

_NULL_TEXT = pb.Node()
_NULL_TEXT.type_cast.arg.a_const.isnull = True
_NULL_TEXT.type_cast.type_name.names.add().string.sval = "text"
_NULL_TEXT.type_cast.type_name.typemod = -1

_TRUE = pb.Node()
_TRUE.a_const.boolval.boolval = True
_FALSE = pb.Node()
_FALSE.a_const.boolval.boolval = False


def column_target(alias: str, name: str, output: str = "") -> pb.Node:
    """``alias.name AS output``, as an entry of a target list; without ``AS`` when ``output`` is empty."""
    node = pb.Node()
    if output:
        node.res_target.name = output
    fields = node.res_target.val.column_ref.fields
    if alias:
        fields.add().string.sval = alias
    fields.add().string.sval = name
    return node


def null_target(output: str = "") -> pb.Node:
    """``NULL::text AS output``."""
    node = pb.Node()
    if output:
        node.res_target.name = output
    node.res_target.val.CopyFrom(_NULL_TEXT)
    return node


def null_text() -> pb.Node:
    return _NULL_TEXT


def true() -> pb.Node:
    return _TRUE


def false() -> pb.Node:
    return _FALSE


def conjunction(nodes: list[pb.Node]) -> pb.Node:
    """``a AND b AND c``; at least one node."""
    if len(nodes) == 1:
        return nodes[0]
    node = pb.Node()
    node.bool_expr.boolop = pb.AND_EXPR
    node.bool_expr.args.extend(nodes)
    return node


def equality(left: tuple[str, str], right: tuple[str, str]) -> pb.Node:
    """``a.x = b.y``."""
    node = pb.Node()
    node.a_expr.kind = pb.AEXPR_OP
    node.a_expr.name.add().string.sval = "="
    for side, (alias, name) in ((node.a_expr.lexpr, left), (node.a_expr.rexpr, right)):
        side.column_ref.fields.add().string.sval = alias
        side.column_ref.fields.add().string.sval = name
    return node
