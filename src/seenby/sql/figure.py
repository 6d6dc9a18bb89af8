"""The name Postgres gives to an output column that has no alias (PostgreSQL source: FigureColname, parse_target.c)."""

from __future__ import annotations

from postgast import pg_query_pb2 as pb

NAMELESS = "?column?"

_VALUE_FUNCTIONS = {
    pb.SVFOP_CURRENT_DATE: "current_date",
    pb.SVFOP_CURRENT_TIME: "current_time",
    pb.SVFOP_CURRENT_TIME_N: "current_time",
    pb.SVFOP_CURRENT_TIMESTAMP: "current_timestamp",
    pb.SVFOP_CURRENT_TIMESTAMP_N: "current_timestamp",
    pb.SVFOP_LOCALTIME: "localtime",
    pb.SVFOP_LOCALTIME_N: "localtime",
    pb.SVFOP_LOCALTIMESTAMP: "localtimestamp",
    pb.SVFOP_LOCALTIMESTAMP_N: "localtimestamp",
    pb.SVFOP_CURRENT_ROLE: "current_role",
    pb.SVFOP_CURRENT_USER: "current_user",
    pb.SVFOP_USER: "user",
    pb.SVFOP_SESSION_USER: "session_user",
    pb.SVFOP_CURRENT_CATALOG: "current_catalog",
    pb.SVFOP_CURRENT_SCHEMA: "current_schema",
}


def output_name(node: pb.Node) -> str:
    return _figure(node)[0] or NAMELESS


def _figure(node: pb.Node) -> tuple[str, int]:
    """(name, strength): a weak name (1) gives way to one from deeper inside, a strong one (2) does not."""
    kind = node.WhichOneof("node")
    if kind == "column_ref":
        for part in reversed(node.column_ref.fields):
            if part.WhichOneof("node") == "string":
                return part.string.sval, 2
        return "", 0
    if kind == "a_indirection":
        for part in reversed(node.a_indirection.indirection):
            if part.WhichOneof("node") == "string":
                return part.string.sval, 2
        return _figure(node.a_indirection.arg)
    if kind == "func_call":
        return node.func_call.funcname[-1].string.sval, 2
    if kind == "a_expr":
        return ("nullif", 2) if node.a_expr.kind == pb.AEXPR_NULLIF else ("", 0)
    if kind == "type_cast":
        name, strength = _figure(node.type_cast.arg)
        if strength > 1 or not node.type_cast.type_name.names:
            return name, strength
        return node.type_cast.type_name.names[-1].string.sval, 1
    if kind == "collate_clause":
        return _figure(node.collate_clause.arg)
    if kind == "case_expr":
        if node.case_expr.HasField("defresult"):
            name, strength = _figure(node.case_expr.defresult)
            if strength > 1:
                return name, strength
        return "case", 1
    if kind == "sub_link":
        return _sublink(node.sub_link)
    if kind == "min_max_expr":
        return ("greatest" if node.min_max_expr.op == pb.IS_GREATEST else "least"), 2
    if kind == "sqlvalue_function":
        return _VALUE_FUNCTIONS.get(node.sqlvalue_function.op, ""), 2
    return {
        "a_array_expr": ("array", 2),
        "row_expr": ("row", 2),
        "coalesce_expr": ("coalesce", 2),
        "grouping_func": ("grouping", 2),
    }.get(kind or "", ("", 0))


def _sublink(link: pb.SubLink) -> tuple[str, int]:
    if link.sub_link_type == pb.EXISTS_SUBLINK:
        return "exists", 2
    if link.sub_link_type == pb.ARRAY_SUBLINK:
        return "array", 2
    if link.sub_link_type == pb.EXPR_SUBLINK:
        select = link.subselect.select_stmt
        while select.op != pb.SETOP_NONE:
            select = select.larg
        if select.target_list:
            target = select.target_list[0].res_target
            return target.name or output_name(target.val), 2
        if select.values_lists:
            return "column1", 2
    return "", 0
