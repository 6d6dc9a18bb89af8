"""OFFSET: the rows that it skips decide too, so they are attributed, then dropped by the gateway.

    LIMIT 10 OFFSET 20     ->  LIMIT 30                      and the gateway drops 20
    LIMIT $1 OFFSET $2     ->  LIMIT $1::int8 + coalesce($2::int8, 0) OFFSET least($2::int8, 0)      and it drops $2

A negative number stays Postgres's to refuse.
"""

from __future__ import annotations

from postgast import pg_query_pb2 as pb

from seenby.errors import Unsupported
from seenby.sql import tree

MAX_INT = 2**31 - 1  # what an integer constant of the parser holds


def take_offset(select: pb.SelectStmt) -> tuple[int, int]:
    """Takes OFFSET out. Returns how many rows to drop, and the parameter that says so instead (0: none).

    Raises Unsupported for an expression.
    """
    if not select.HasField("limit_offset"):
        return 0, 0
    offset, number = constant(select.limit_offset), _parameter(select.limit_offset)
    limited = select.HasField("limit_count") and not select.limit_count.a_const.isnull
    count = constant(select.limit_count) if limited else 0
    if number and (not limited or count is not None or _parameter(select.limit_count)):
        skipped = _int8(select.limit_offset)
        if limited:
            select.limit_count.CopyFrom(tree.operation("+", _int8(select.limit_count), _or_zero(skipped)))
        else:
            select.ClearField("limit_count")
        select.limit_offset.CopyFrom(_at_most_zero(skipped))
        return 0, number
    if offset is None or count is None or min(offset, count) < 0 or offset + count > MAX_INT:
        raise Unsupported(
            "OFFSET needs plain numbers or parameters here, because the skipped rows are recorded too",
            hint="write LIMIT and OFFSET as numbers, or continue after the last key: WHERE id > ... LIMIT ...",
        )
    select.ClearField("limit_offset")
    if not limited:
        select.ClearField("limit_count")
        select.limit_option = pb.LIMIT_OPTION_DEFAULT
    elif count:
        select.limit_count.a_const.ival.ival += offset
    return offset, 0


def _or_zero(value: pb.Node) -> pb.Node:
    """``coalesce(value, 0)``: OFFSET NULL skips nothing, LIMIT NULL gives all."""
    node = pb.Node()
    node.coalesce_expr.args.append(value)
    node.coalesce_expr.args.add().a_const.ival.SetInParent()
    return node


def _at_most_zero(value: pb.Node) -> pb.Node:
    """``least(value, 0)``."""
    node = pb.Node()
    node.min_max_expr.op = pb.IS_LEAST
    node.min_max_expr.args.append(value)
    node.min_max_expr.args.add().a_const.ival.SetInParent()
    return node


def _int8(value: pb.Node) -> pb.Node:
    """``value::int8``, the type that LIMIT and OFFSET have."""
    while value.WhichOneof("node") == "type_cast":
        value = value.type_cast.arg
    if value.WhichOneof("node") == "a_const":
        return pb.Node.FromString(value.SerializeToString())
    node = pb.Node()
    node.type_cast.arg.CopyFrom(value)
    node.type_cast.type_name.names.extend((tree.string("pg_catalog"), tree.string("int8")))
    node.type_cast.type_name.typemod = -1
    return node


def _parameter(node: pb.Node) -> int:
    """n of ``$n`` or ``$n::bigint``; 0 for anything else."""
    if node.WhichOneof("node") == "type_cast" and node.type_cast.type_name.names[-1].string.sval in {"int8", "int4"}:
        node = node.type_cast.arg
    return node.param_ref.number if node.WhichOneof("node") == "param_ref" else 0


def constant(node: pb.Node) -> int | None:
    """An integer, or None."""
    if node.WhichOneof("node") == "a_const" and node.a_const.WhichOneof("val") == "ival":
        number: int = node.a_const.ival.ival
        return number
    return None
