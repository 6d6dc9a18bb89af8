"""Constants where a statement takes nothing else: the arguments of EXECUTE, and the types that PREPARE declares."""

from __future__ import annotations

from collections.abc import Iterable

from postgast import pg_query_pb2 as pb

from seenby.errors import ServerError, Unknown, Unsupported
from seenby.model.plan import Constant
from seenby.sql.functions import name_of

_TYPES = {
    # pg_type.dat: name -> (oid, oid of the array)
    "bool": (16, 1000), "bytea": (17, 1001), "name": (19, 1003), "int8": (20, 1016), "int2": (21, 1005),
    "int4": (23, 1007), "text": (25, 1009), "json": (114, 199), "cidr": (650, 651), "float4": (700, 1021),
    "float8": (701, 1022), "inet": (869, 1041), "bpchar": (1042, 1014), "varchar": (1043, 1015), "date": (1082, 1182),
    "time": (1083, 1183), "timestamp": (1114, 1115), "timestamptz": (1184, 1185), "interval": (1186, 1187),
    "numeric": (1700, 1231), "uuid": (2950, 2951), "jsonb": (3802, 3807),
}  # fmt: skip
BOOL, INT8, INT4, TEXT, NUMERIC = 16, 20, 23, 25, 1700
_INT4_ARRAY, _TEXT_ARRAY = 1007, 1009
_NUMBERS = {21, 20, 23, 700, 701, 1700}
_FRACTIONS = {700, 701, 1700}
_TEXTS = {25, 1043}
_HINT = "write it as a string, as in  EXECUTE name('2026-01-31')"


def type_oid(name: pb.TypeName) -> int:
    """The oid of a built-in type; a length, as in varchar(3), means nothing for a parameter."""
    written = name_of(name.names, "type")
    known = _TYPES.get(written)
    if known is None or name.setof or name.pct_type:
        raise Unknown(
            f"type {written} is not one that PREPARE may declare here",
            hint="leave the types out, and cast the parameter in the statement, as in  $1::text",
        )
    return known[bool(name.array_bounds)]


def constants(nodes: Iterable[pb.Node]) -> tuple[Constant, ...]:
    return tuple(_constant(node) for node in nodes)


def _constant(node: pb.Node) -> Constant:
    which = node.WhichOneof("node")
    if which == "a_const":
        return _literal(node.a_const)
    if which == "type_cast" and not node.type_cast.type_name.typmods:
        value = _constant(node.type_cast.arg)
        oid = type_oid(node.type_cast.type_name)
        if fits(value, oid):
            return Constant(value.text, oid)
    if which == "a_array_expr" and node.a_array_expr.elements:
        return _array(constants(node.a_array_expr.elements))
    if which == "param_ref":
        raise ServerError(f"there is no parameter ${node.param_ref.number}", code="42P02", hint=_HINT)
    raise Unsupported("EXECUTE takes constants only here", hint=_HINT)


def _literal(constant: pb.A_Const) -> Constant:
    if constant.isnull:
        return Constant(None, 0)
    match constant.WhichOneof("val"):
        case "ival":
            return Constant(str(constant.ival.ival), INT4)
        case "fval":
            text = constant.fval.fval
            whole = text.lstrip("-").isdigit() and -(2**63) <= int(text) < 2**63
            return Constant(text, INT8 if whole else NUMERIC)
        case "boolval":
            return Constant("true" if constant.boolval.boolval else "false", BOOL)
        case "sval":
            return Constant(constant.sval.sval, 0)
    raise Unsupported("EXECUTE takes no bit strings here", hint=_HINT)


def _array(elements: tuple[Constant, ...]) -> Constant:
    """``ARRAY[1, 2]`` and ``ARRAY['a', NULL]``, of one type."""
    oids = {one.oid for one in elements if one.text is not None}
    if len(oids) != 1 or not oids <= {INT4, 0, TEXT}:
        raise Unsupported("EXECUTE takes arrays of integers or of strings only here", hint="write it as  '{a,b}'")
    texts = ["NULL" if one.text is None else _quoted(one.text) for one in elements]
    return Constant("{" + ",".join(texts) + "}", _INT4_ARRAY if oids == {INT4} else _TEXT_ARRAY)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def fits(value: Constant, oid: int) -> bool:
    """Whether the value's text, read as a value of type ``oid``, is what Postgres's assignment of it would give."""
    if value.oid in {0, oid} or value.text is None:
        return True
    if value.oid in {INT4, INT8}:
        return oid in _NUMBERS | _TEXTS
    if value.oid == NUMERIC:
        return oid in _FRACTIONS
    return value.oid in _TEXTS and oid in _TEXTS
