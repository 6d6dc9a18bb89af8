"""What may be computed of single rows below a statistic: an error there, or its absence, would tell about one of them.

Mostly what cannot fail. Beside that, what fails only at the edge of a type (infinity, NaN, the year 294277), where no
constant of the statement moves the edge: ``age(birth_date)``, not ``1 / (id - 42)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pb

from seenby.sql.blocks import Block
from seenby.sql.expressions import WIDENED
from seenby.sql.functions import DATE_FIELDS, TOTAL_OPERATORS
from seenby.sql.functions import words as names
from seenby.sql.scope import Column

Total = Callable[[pb.Node], bool]
"""Evaluating it cannot raise an error, whatever the data."""

# Numbers of pg_type.dat.
INT8, INT4, FLOAT8, DATE, TIMESTAMP, TIMESTAMPTZ, INTERVAL, NUMERIC = 20, 23, 701, 1082, 1114, 1184, 1186, 1700
_MOMENTS = frozenset({DATE, TIMESTAMP, TIMESTAMPTZ})
_NUMBERS = frozenset({INT8, 21, INT4, 700, FLOAT8, NUMERIC})
_CASTS = {"date": DATE, "timestamp": TIMESTAMP, "timestamptz": TIMESTAMPTZ, "numeric": NUMERIC, "int4": INT4,
          "int8": INT8, "float8": FLOAT8}  # fmt: skip
_GIVES = {"extract": NUMERIC, "date_part": FLOAT8, "age": INTERVAL, "length": INT4, "width_bucket": INT4, "count": INT8}
OF_FIELD = names("date_trunc date_part extract")


def harmless(node: pb.Node, block: Block, total: Total) -> bool:
    """``node``: of the expressions of ``block``, and read already."""
    if total(node):
        return True
    match node.WhichOneof("node"):
        case "bool_expr":
            return all(harmless(one, block, total) for one in node.bool_expr.args)
        case "coalesce_expr":
            return all(harmless(one, block, total) for one in node.coalesce_expr.args)
        case "null_test":
            return harmless(node.null_test.arg, block, total)
        case "case_expr":
            case = node.case_expr
            parts = [one for when in case.args for one in (when.case_when.expr, when.case_when.result)]
            parts += [one for name in ("arg", "defresult") if case.HasField(name) for one in (getattr(case, name),)]
            return all(harmless(one, block, total) for one in parts)
        case "a_expr":
            expr = node.a_expr
            known = expr.kind == pb.AEXPR_OP and expr.name[-1].string.sval in TOTAL_OPERATORS - {"~~", "~~*"}
            return (
                known
                and expr.HasField("lexpr")
                and harmless(expr.lexpr, block, total)
                and harmless(expr.rexpr, block, total)
            )
        case "type_cast":
            cast = node.type_cast
            name = cast.type_name.names[-1].string.sval
            wide = type_of(cast.arg, block) in WIDENED.get(name, ())
            return wide and not cast.type_name.typmods and harmless(cast.arg, block, total)
        case "func_call":
            return _call(node.func_call, block, total)
    return False


def _call(call: pb.FuncCall, block: Block, total: Total) -> bool:
    name, args = name_of_call(call), call.args
    if call.agg_order or call.HasField("agg_filter") or call.HasField("over"):
        return False
    if name in OF_FIELD and len(args) == 2:
        field: str = args[0].a_const.sval.sval
        return field.lower() in DATE_FIELDS and harmless(args[1], block, total)
    if name == "age" and len(args) == 1:
        return type_of(args[0], block) in _MOMENTS and harmless(args[0], block, total)
    if name == "to_char" and len(args) == 2:
        constant = args[1].WhichOneof("node") == "a_const"
        return constant and type_of(args[0], block) in _MOMENTS and harmless(args[0], block, total)
    if name == "width_bucket" and len(args) == 4:
        low, high, count = (_number(one) for one in args[1:])
        sound = low is not None and high is not None and low != high and count is not None and count > 0
        return sound and type_of(args[0], block) in _NUMBERS and harmless(args[0], block, total)
    return False


def _number(node: pb.Node) -> float | None:
    """Of a constant that is written as a number."""
    constant = node.a_const
    match constant.WhichOneof("val"):
        case "ival":
            return float(constant.ival.ival)
        case "fval":
            return float(constant.fval.fval)
    return None


def type_of(node: pb.Node, block: Block) -> int:
    """The number of its type; 0 if it is not known."""
    match node.WhichOneof("node"):
        case "column_ref":
            column = column_of(node, block)
            return 0 if column is None else column.type_oid or _of_series(column)
        case "type_cast":
            return _CASTS.get(node.type_cast.type_name.names[-1].string.sval, 0)
        case "func_call":
            name = name_of_call(node.func_call)
            if name == "date_trunc" and len(node.func_call.args) == 2:
                kind = type_of(node.func_call.args[1], block)
                return TIMESTAMPTZ if kind == DATE else kind
            return _GIVES.get(name, 0)
    return 0


def _of_series(column: Column) -> int:
    """``generate_series(from, to, '1 day')`` gives moments."""
    call = series_call(column)
    if call is None or name_of_call(call) != "generate_series" or len(call.args) != 3:
        return 0
    return TIMESTAMP if call.args[2].a_const.WhichOneof("val") == "sval" else 0


def series_call(column: Column) -> pb.FuncCall | None:
    """The function in FROM that the column is of; None if it is of a table or a subquery."""
    relation = column.relation
    if relation is None or relation.node.WhichOneof("node") != "range_function":
        return None
    call: pb.FuncCall = relation.node.range_function.functions[0].list.items[0].func_call
    return call


def name_of_call(call: pb.FuncCall) -> str:
    """Without its schema."""
    name: str = call.funcname[-1].string.sval
    return name


def column_of(node: pb.Node, block: Block) -> Column | None:
    """What a name means in FROM; None if it is no column of it."""
    if node.WhichOneof("node") != "column_ref":
        return None
    return block.scope.meaning([part.string.sval for part in node.column_ref.fields][-3:])


def children(message: Message) -> Iterator[pb.Node]:
    """The nodes directly inside."""
    for part, value in message.ListFields():
        if part.message_type is None:
            continue
        for one in value if part.is_repeated else (value,):
            if isinstance(one, pb.Node):
                yield one
            else:
                yield from children(one)


def inside(message: Message) -> list[pb.Node]:
    """Every node inside."""
    return [inner for child in children(message) for inner in (child, *inside(child))]


def references(node: pb.Node) -> list[pb.Node]:
    """The names of columns in it."""
    return [one for one in (node, *inside(node)) if one.WhichOneof("node") == "column_ref"]
