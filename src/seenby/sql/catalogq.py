"""Queries over the catalog, and queries over nothing: any shape, because they show nobody's data.

``psql``'s ``\\d``, drivers that look up types, ``SELECT 1``. A relation of the catalog becomes the one of the same name
in ``seenby_catalog``, which shows what the grant may know; so do some functions and casts.
Default deny again: a kind of node that is not listed here is refused.

    SELECT c.oid::regclass FROM pg_catalog.pg_class c WHERE c.relname OPERATOR(pg_catalog.~) '^(accounts)$'
    -> SELECT seenby_catalog.regclass(c.oid) AS oid FROM seenby_catalog.pg_class c WHERE ...
"""

from __future__ import annotations

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pb

from seenby.errors import NoGrant, Refused, SyntaxFailed, Unsupported
from seenby.model.plan import Bound, QueryPlan
from seenby.model.shape import Catalog
from seenby.sql import functions
from seenby.sql.expressions import enclose
from seenby.sql.figure import output_name
from seenby.sql.functions import SERVED
from seenby.sql.parse import check_printed, deparse
from seenby.sql.scope import own_name
from seenby.sql.tree import table_references

_NODES = functions.words("""
    SelectStmt ResTarget ColumnRef String AStar RangeVar Alias RangeSubselect RangeFunction JoinExpr WithClause
    CommonTableExpr A_Expr BoolExpr NullTest BooleanTest A_Const Integer Float Boolean BitString ParamRef TypeCast
    TypeName FuncCall NamedArgExpr SubLink CaseExpr CaseWhen CoalesceExpr MinMaxExpr A_ArrayExpr RowExpr List
    SortBy WindowDef CollateClause SQLValueFunction A_Indirection A_Indices GroupingSet GroupingFunc Node
    """)


def decide(select: pb.SelectStmt, text: str, catalog: Catalog, *, granted: bool) -> QueryPlan | None:
    """The plan, or None if the statement reads a table of the platform. Changes the tree only if it has a plan."""
    if not _may_concern(select, text):
        return None
    found = list(table_references(select, frozenset()))
    served = [var for var in found if _served(var, catalog)]
    if len(served) < len(found):
        return None
    if served and not granted:
        raise NoGrant(
            "no grant is active, so the catalog is closed too", hint="ask for one: seenby grant request --help"
        )
    visible = _width(select)
    rewriter = _Rewriter(catalog)
    rewriter.message(select)
    for var in served:
        _serve(var)
    text = deparse(select)
    check_printed(text, select)
    return QueryPlan(text, Bound.NOBODY, visible, catalog_only=bool(served), parameters=rewriter.parameters)


def _may_concern(select: pb.SelectStmt, text: str) -> bool:
    """Cheap and one-sided: an ordinary query over tables does not pay for a walk."""
    if select.op == pb.SETOP_NONE and not select.HasField("with_clause"):
        if not select.from_clause:
            return True
        if select.from_clause[0].WhichOneof("node") == "range_function":
            return True
    lower = text.lower()
    return "pg_" in lower or "information_schema" in lower


def _served(var: pb.RangeVar, catalog: Catalog) -> bool:
    if var.catalogname:
        return False
    if var.schemaname == "information_schema":
        return f"information_schema.{var.relname}" in catalog.catalog_views
    return var.schemaname in {"", "pg_catalog"} and var.relname in catalog.catalog_views


def _serve(var: pb.RangeVar) -> None:
    if var.schemaname == "information_schema":
        if not var.HasField("alias"):
            var.alias.aliasname = var.relname
        var.relname = f"information_schema.{var.relname}"
    var.schemaname = SERVED


def _width(select: pb.SelectStmt) -> int:
    """How many columns the statement shows; 0 when stars make that unknown: the server's description tells."""
    while select.op != pb.SETOP_NONE:
        select = select.larg
    if select.values_lists:
        return len(select.values_lists[0].list.items)
    for node in select.target_list:
        value = node.res_target.val
        if value.WhichOneof("node") == "column_ref" and value.column_ref.fields[-1].WhichOneof("node") == "a_star":
            return 0
    return len(select.target_list)


class _Rewriter:
    """Checks every node of a statement and sends functions and casts to ``seenby_catalog``."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._types = catalog.types | functions.CATALOG_TYPES | (functions.REG_TYPES & catalog.rewritten_functions)
        self.parameters = 0

    def message(self, message: Message) -> None:
        kind = message.DESCRIPTOR.name
        if kind not in _NODES:
            raise Unsupported(
                f"{kind} cannot be used in a query over the catalog", hint="write it with plain SELECT, JOIN and WHERE"
            )
        match message:
            case pb.SelectStmt():
                self._select(message)
            case pb.ColumnRef():
                if len(message.fields) == 3 and message.fields[0].string.sval in {"pg_catalog", "information_schema"}:
                    del message.fields[0]
                return
            case pb.ParamRef():
                self.parameters = max(self.parameters, message.number)
            case pb.FuncCall():
                self._call(message)
            case pb.A_Expr():
                functions.check_operator(message.name)
            case pb.CollateClause():
                functions.check_collation(message.collname)
            case pb.TypeName():
                functions.check_type(message, self._types)
            case pb.Alias():
                own_name(message.aliasname)
            case pb.CommonTableExpr():
                own_name(message.ctename)
                if message.ctequery.WhichOneof("node") != "select_stmt":
                    raise Refused("WITH may only hold SELECT; a grant only reads", hint="leave the change out")
        for field, value in message.ListFields():
            if field.message_type is None:
                continue
            for one in value if field.is_repeated else (value,):
                self.message(one)
        match message:
            case pb.Node() if message.WhichOneof("node") == "type_cast":
                self._cast(message)
            case pb.Node() if message.WhichOneof("node") == "sqlvalue_function":
                functions.serve_keyword(message, self._catalog.rewritten_functions)
            case pb.A_Expr() if message.kind not in {pb.AEXPR_OP, pb.AEXPR_NULLIF, pb.AEXPR_DISTINCT}:
                for operand in (message.lexpr, message.rexpr, *message.rexpr.list.items):
                    enclose(operand)
            case pb.NullTest() | pb.BooleanTest():
                enclose(message.arg)
            case pb.TypeCast() if message.arg.WhichOneof("node") != "a_expr":
                enclose(message.arg)

    def _select(self, select: pb.SelectStmt) -> None:
        if select.HasField("into_clause"):
            raise Refused("SELECT INTO makes a table; a grant only reads", hint="leave INTO out")
        if select.locking_clause:
            raise Refused("FOR UPDATE and FOR SHARE lock rows; a grant only reads", hint="leave the FOR clause out")
        if not select.from_clause and any(
            node.res_target.val.column_ref.fields
            and node.res_target.val.column_ref.fields[-1].WhichOneof("node") == "a_star"
            for node in select.target_list
        ):
            raise SyntaxFailed("SELECT * with no tables specified is not valid", hint="name a table after FROM")
        for node in select.target_list:
            # A cast that becomes a call would change the column's name.
            target = node.res_target
            if not target.name and target.val.WhichOneof("node") in {"type_cast", "case_expr", "collate_clause"}:
                target.name = output_name(target.val)
            own_name(target.name)

    def _call(self, call: pb.FuncCall) -> None:
        catalog = self._catalog
        name = functions.check_function(call, catalog.functions, catalog.catalog_functions)
        if name in catalog.rewritten_functions:
            call.funcname[0].string.sval = SERVED

    def _cast(self, node: pb.Node) -> None:
        name = node.type_cast.type_name.names[-1].string.sval
        if name not in self._catalog.rewritten_functions:
            return
        if node.type_cast.type_name.array_bounds:
            raise Unsupported(f"casts to {name}[] are not used here", hint=f"cast the elements to {name}")
        node.func_call.CopyFrom(functions.served_call(name, node.type_cast.arg))
