"""Queries over the catalog, and queries over nothing: any shape, because they show nobody's data.

``psql``'s ``\\d``, drivers that look up types, ``SELECT 1``. A relation of the catalog becomes the one of the same name
in ``seenby_catalog``, which shows what the grant may know; so do some functions and casts. Its system columns, which a
view does not have, become constants: the number of the real relation, transaction 0.
Default deny again: a kind of node that is not listed here is refused.

    SELECT c.oid::regclass, c.tableoid FROM pg_catalog.pg_class c WHERE c.relname OPERATOR(pg_catalog.~) '^(accounts)$'
    -> SELECT seenby_catalog.regclass(c.oid) AS oid, 'pg_catalog.pg_class'::regclass::oid AS tableoid
       FROM seenby_catalog.pg_class c WHERE ...
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pb

from seenby.errors import NoGrant, Refused, SyntaxFailed, Unsupported
from seenby.model.plan import Bound, QueryPlan
from seenby.model.shape import Catalog
from seenby.sql import functions
from seenby.sql.figure import output_name
from seenby.sql.found import enclose
from seenby.sql.functions import SERVED
from seenby.sql.named import own_name
from seenby.sql.parse import check_printed, deparse
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
    rewriter = _Rewriter(catalog, _names(select))
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


def _names(message: Message) -> frozenset[str]:
    """Of all CTEs."""
    found = {message.ctename} if isinstance(message, pb.CommonTableExpr) else set()
    for field, value in message.ListFields():
        if field.message_type is not None:
            for one in value if field.is_repeated else (value,):
                found |= _names(one)
    return frozenset(found)


def _own_tables(items: Iterable[pb.Node]) -> Iterator[pb.RangeVar]:
    """The tables of one FROM clause, through its joins."""
    for item in items:
        match item.WhichOneof("node"):
            case "range_var":
                yield item.range_var
            case "join_expr":
                yield from _own_tables((item.join_expr.larg, item.join_expr.rarg))


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


_SYSTEM = frozenset({"tableoid", "xmin"})
_RENAMED = frozenset({"type_cast", "case_expr", "collate_clause"})


def _real_name(var: pb.RangeVar) -> str:
    return f"{var.schemaname or 'pg_catalog'}.{var.relname}"


def _last(node: pb.Node) -> str:
    """The last part of a column's name, "*" for a star, "" for anything else."""
    if not node.column_ref.fields:
        return ""
    part = node.column_ref.fields[-1]
    return part.string.sval if part.WhichOneof("node") == "string" else "*"


def _constant(text: str) -> pb.Node:
    node = pb.Node()
    node.a_const.sval.sval = text
    return node


def _typed(arg: pb.Node, type_name: str) -> pb.Node:
    node = pb.Node()
    node.type_cast.arg.CopyFrom(arg)
    for part in ("pg_catalog", type_name):
        node.type_cast.type_name.names.add().string.sval = part
    node.type_cast.type_name.typemod = -1
    return node


class _Rewriter:
    """Checks every node of a statement and sends functions and casts to ``seenby_catalog``."""

    def __init__(self, catalog: Catalog, ctes: frozenset[str]) -> None:
        self._catalog = catalog
        self._ctes = ctes
        self._scopes: list[
            dict[str, str]
        ] = []  # of each block, from outside: alias -> served relation; "": the only one
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
        if isinstance(message, pb.A_Expr):
            self._compare(message)
        for field, value in message.ListFields():
            if field.message_type is None:
                continue
            for one in value if field.is_repeated else (value,):
                self.message(one)
        match message:
            case pb.SelectStmt():
                self._scopes.pop()
            case pb.Node() if message.WhichOneof("node") == "column_ref":
                self._system_column(message)
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
        scope = {
            var.alias.aliasname or var.relname: _real_name(var)
            for var in _own_tables(select.from_clause)
            if _served(var, self._catalog) and (var.schemaname or var.relname not in self._ctes)
        }
        if len(select.from_clause) == 1 and select.from_clause[0].WhichOneof("node") == "range_var":
            scope[""] = next(iter(scope.values()), "")
        self._scopes.append(scope)
        for node in select.target_list:
            # A cast that becomes a call would change the column's name; so would a constant.
            target = node.res_target
            if not target.name and (target.val.WhichOneof("node") in _RENAMED or _last(target.val) in _SYSTEM):
                target.name = output_name(target.val)
            own_name(target.name)

    def _system_column(self, node: pb.Node) -> None:
        """``c.tableoid`` and ``c.xmin`` of a served relation; of one without alias if the block has no other."""
        column = _last(node)
        if column not in _SYSTEM:
            return
        fields = node.column_ref.fields
        relation = None
        if len(fields) == 2:
            alias = fields[0].string.sval
            relation = next((scope[alias] for scope in reversed(self._scopes) if alias in scope), None)
        elif self._scopes:
            relation = self._scopes[-1].get("")
        if not relation:
            return
        if column == "xmin":
            node.CopyFrom(_typed(_constant("0"), "xid"))
        else:
            node.CopyFrom(_typed(_typed(_constant(relation), "regclass"), "oid"))

    def _call(self, call: pb.FuncCall) -> None:
        catalog = self._catalog
        if ".".join(part.string.sval for part in call.funcname) in catalog.catalog_functions and len(call.funcname) > 1:
            call.funcformat = pb.COERCE_EXPLICIT_CALL
            return  # one of information_schema's
        name = functions.check_function(call, catalog.functions, catalog.catalog_functions)
        if name in catalog.rewritten_functions:
            call.funcname[0].string.sval = SERVED

    def _compare(self, expression: pb.A_Expr) -> None:
        """``x::regtype = 'trigger'::regtype``: the first would become text, the other one not. So: ``x = ...``."""
        sides = (expression.lexpr, expression.rexpr)
        casts = [side.type_cast for side in sides if side.WhichOneof("node") == "type_cast"]
        names = {one.type_name.names[-1].string.sval for one in casts}
        if len(casts) < 2 or len(names) > 1 or not names <= functions.REG_TYPES & self._catalog.rewritten_functions:
            return
        if any(one.type_name.array_bounds for one in casts):
            return
        for side in sides:
            if side.type_cast.arg.WhichOneof("node") != "a_const":
                inner = pb.Node()
                inner.CopyFrom(side.type_cast.arg)
                side.CopyFrom(inner)

    def _cast(self, node: pb.Node) -> None:
        name = node.type_cast.type_name.names[-1].string.sval
        if name not in self._catalog.rewritten_functions:
            return
        if node.type_cast.type_name.array_bounds:
            name += "[]"
        call = functions.served_call(name, node.type_cast.arg)
        if node.type_cast.arg.WhichOneof("node") != "a_const" or name.endswith("[]"):
            node.func_call.CopyFrom(call)
            return
        # A name is looked up once, not row by row: pgcli's list of functions took 2 s.
        lookup = pb.SelectStmt(limit_option=pb.LIMIT_OPTION_DEFAULT, op=pb.SETOP_NONE)
        lookup.target_list.add().res_target.val.func_call.CopyFrom(call)
        node.sub_link.sub_link_type = pb.EXPR_SUBLINK
        node.sub_link.subselect.select_stmt.CopyFrom(lookup)
