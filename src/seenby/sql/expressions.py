"""One expression: every name resolved, every function, type and operator checked, masked columns kept out.

Default deny: a kind of expression without a method here is refused. Names are changed in place where the text would
mean something else against the shape's views.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pb

from seenby.errors import Unsupported
from seenby.model.shape import Catalog
from seenby.sql import functions
from seenby.sql.blocks import Query, Sublink
from seenby.sql.found import TRUTH_VALUES, Found, enclose, is_positive, pattern_cannot_fail
from seenby.sql.functions import SERVED
from seenby.sql.named import masked_use, whole_row
from seenby.sql.readings import Item, Mixed, Reading, Window
from seenby.sql.refused import unread
from seenby.sql.scope import EMPTY, Column, Scope

_COUNT = [pb.Node(string=pb.String(sval="count"))]
_OPERATORS = TRUTH_VALUES | {"a_expr", "collate_clause", "a_indirection"}
_BETWEEN = frozenset({pb.AEXPR_BETWEEN, pb.AEXPR_NOT_BETWEEN, pb.AEXPR_BETWEEN_SYM, pb.AEXPR_NOT_BETWEEN_SYM})
_PRINTED_BARE = {"t": "true", "f": "false"}  # 't'::bool is printed as true, which has another column name
WIDENED = {
    "date": {1082, 1114, 1184},
    "timestamp": {1114},
    "int4": {16, 21, 23},
    "int8": {20, 21, 23},
    "numeric": {20, 21, 23, 1700},
    "float8": {20, 21, 23, 700, 701},
}
"""Casts of columns of these types (pg_type.dat: bool 16, int8 20, int2 21, int4 23, float4 700, float8 701, date 1082,
timestamp 1114, timestamptz 1184, numeric 1700) that cannot fail."""


_SUBLINKS = frozenset({pb.EXISTS_SUBLINK, pb.ANY_SUBLINK, pb.ALL_SUBLINK, pb.EXPR_SUBLINK, pb.ARRAY_SUBLINK})


class Expressions:
    """Reads expressions of one statement.

    After ``read`` returns, ``refs`` holds the columns that were named, ``total`` whether evaluating cannot fail,
    ``sure`` the same of what stands outside of its subqueries, ``renamed`` whether the printed text might get another
    column name, ``names`` what unqualified names mean, and ``found`` what else stands in it.

    libpg_query prints some operands without the parentheses that they need: ``(a AND b) IS NULL`` comes out as
    ``a AND b IS NULL``. A truth value in such a place is put into COALESCE(...), which changes nothing else, and
    ``doubtful`` asks for the printed text to be parsed again and compared.
    """

    def __init__(self, catalog: Catalog, subquery: Callable[[pb.SelectStmt, Scope], Query]) -> None:
        self._catalog = catalog
        self._subquery = subquery
        self._scope = EMPTY
        self._use = ""
        self.refs: list[Column] = []
        self.total = self.sure = True
        self.parameters = 0  # the highest $n so far
        self._named: int = 0  # how many parameters were met
        self.found = Found()
        self.renamed = False
        self.doubtful = False
        self.names: dict[str, Column] = {}
        self.readings: list[Reading] = []  # of the whole statement

    def read(self, node: pb.Node, scope: Scope, use: str) -> list[Column]:
        """Checks ``node``; ``use`` says where it stands, in words, as in ``WHERE``. Returns the columns it names."""
        self._scope = scope
        self._use = use
        self.refs = []
        self.total = True
        self.renamed = False
        self.found = Found()
        self.names = {}
        self._walk(node)
        # A subquery may find two rows where one is wanted.
        self.sure, self.total = self.total, self.total and not self.found.sublinks
        self._note(counts=node.func_call.funcname[-1:] == _COUNT and not node.func_call.HasField("over"))
        return self.refs

    def _note(self, *, counts: bool = False, window: Window | None = None) -> None:
        found = self.found
        refs, sublinks, mixed = tuple(self.refs), tuple(found.sublinks), tuple(found.mixed)
        self.readings.append(Reading(self._scope.level, self._use, refs, sublinks, mixed, counts, window=window))

    def _walk(self, node: pb.Node) -> None:
        kind = node.WhichOneof("node")
        if kind is None or kind == "a_const":
            return
        method = _METHODS.get(kind)
        if method is None:
            raise unread(kind, self._use)
        method(self, getattr(node, kind))
        if kind == "sqlvalue_function":
            functions.serve_keyword(node, self._catalog.rewritten_functions)

    def _bare(self, node: pb.Node) -> None:
        """An operand that is printed without parentheses. These come first: what is read remembers the nodes."""
        if node.WhichOneof("node") in _OPERATORS:
            self.doubtful = True
            self.renamed = enclose(node) or self.renamed
        self._walk(node)

    def _met(self) -> tuple[int, int, int]:
        """How much was met that is not constant."""
        return len(self.refs), self._named, len(self.found.sublinks)

    def _all(self, nodes: Iterable[pb.Node]) -> None:
        for node in nodes:
            self._walk(node)

    def _column(self, ref: pb.ColumnRef) -> None:
        column = self.resolve(ref, self._scope)
        if column.masked:
            raise masked_use(column.masked, self._use)
        if not column.total:
            self.total = False
        if len(ref.fields) == 1:
            self.names[ref.fields[0].string.sval] = column
        self.refs.append(column)

    @staticmethod
    def resolve(ref: pb.ColumnRef, scope: Scope) -> Column:
        """The column that ``ref`` means. ``schema.table.column`` loses its schema: our view stands elsewhere."""
        fields = ref.fields
        parts = [part.string.sval for part in fields]
        if fields[-1].WhichOneof("node") == "a_star":
            raise whole_row(parts[-2] if len(parts) > 1 else "*")
        if len(parts) == 1:
            column = scope.lookup(parts[0])
        elif len(parts) == 2:
            column = scope.qualified(parts[0], parts[1])
        elif len(parts) == 3:
            column = scope.qualified(parts[1], parts[2], parts[0])
            del fields[0]
        else:
            raise Unsupported("a column cannot be qualified with a database", hint="write schema.table.column at most")
        return column

    def _parameter(self, ref: pb.ParamRef) -> None:
        self._named += 1
        self.parameters = max(self.parameters, ref.number)

    def _operator(self, expr: pb.A_Expr) -> None:
        name = functions.check_operator(expr.name)
        known = self._met()
        kind = expr.kind
        if kind in {pb.AEXPR_OP, pb.AEXPR_NULLIF, pb.AEXPR_DISTINCT}:
            if expr.HasField("lexpr"):
                self._walk(expr.lexpr)
            self._walk(expr.rexpr)
        else:
            self._bare(expr.lexpr)
            if kind in _BETWEEN:
                for bound in expr.rexpr.list.items:
                    self._bare(bound)
            elif kind in {pb.AEXPR_LIKE, pb.AEXPR_ILIKE, pb.AEXPR_NOT_DISTINCT}:
                self._bare(expr.rexpr)
            else:
                self._walk(expr.rexpr)
        if not self.total:
            return
        if kind in {pb.AEXPR_LIKE, pb.AEXPR_ILIKE}:
            self.total = pattern_cannot_fail(expr.rexpr)
        elif kind in {pb.AEXPR_OP, pb.AEXPR_OP_ANY, pb.AEXPR_OP_ALL}:
            # Without columns and parameters the planner computes it, whatever the data: all or no rows fail.
            self.total = name in functions.TOTAL_OPERATORS or self._met() == known
            self.total = self.total or (name in {"/", "%"} and is_positive(expr.rexpr))
            if name in {"~~", "!~~", "~~*", "!~~*"}:
                self.total = self.total and pattern_cannot_fail(expr.rexpr)
        elif kind == pb.AEXPR_SIMILAR:
            self.total = False

    def _boolean(self, expr: pb.BoolExpr) -> None:
        self._all(expr.args)

    def _test(self, expr: pb.NullTest | pb.BooleanTest) -> None:
        self._bare(expr.arg)

    def _argument(self, expr: pb.NamedArgExpr) -> None:
        self._walk(expr.arg)

    def _arguments(self, expr: pb.CoalesceExpr | pb.MinMaxExpr | pb.RowExpr) -> None:
        self._all(expr.args)

    def _items(self, items: pb.List) -> None:
        self._all(items.items)

    def _elements(self, expr: pb.A_ArrayExpr) -> None:
        self._all(expr.elements)

    def _case(self, expr: pb.CaseExpr) -> None:
        if expr.HasField("arg"):
            self._walk(expr.arg)
        for when in expr.args:
            self._walk(when.case_when.expr)
            self._walk(when.case_when.result)
        if expr.HasField("defresult"):
            self._walk(expr.defresult)

    def _cast(self, cast: pb.TypeCast) -> None:
        type_name = functions.check_type(cast.type_name, self._catalog.types)
        self._all(cast.type_name.typmods)
        known = self._met()
        arg = cast.arg
        inner = arg.WhichOneof("node")
        if inner == "a_expr":  # printed as CAST(... AS ...)
            self._walk(arg)
        else:
            self._bare(arg)
        if type_name == "bool" and arg.a_const.sval.sval in _PRINTED_BARE:
            arg.a_const.sval.sval = _PRINTED_BARE[arg.a_const.sval.sval]
        if inner in {"a_const", "param_ref"} or type_name in functions.TEXT_TYPES:
            return
        if self._met() == known:
            return
        widened = inner == "column_ref" and self.refs[-1].type_oid in WIDENED.get(type_name, ())
        self.total = self.total and widened and not cast.type_name.typmods

    def _collate(self, expr: pb.CollateClause) -> None:
        functions.check_collation(expr.collname)
        self._bare(expr.arg)

    def _value_function(self, _: pb.SQLValueFunction) -> None:
        """CURRENT_DATE and its like: the same value for the whole transaction."""

    def _subscript(self, expr: pb.A_Indirection) -> None:
        self._bare(expr.arg)
        self.doubtful = self.doubtful or expr.arg.WhichOneof("node") not in {"column_ref", "param_ref"}
        for part in expr.indirection:
            if part.WhichOneof("node") != "a_indices":
                # (x).f can mean a function call f(x).
                raise Unsupported("(value).field cannot be used here", hint="use a function, or x->>'field' for JSON")
            if part.a_indices.HasField("lidx"):
                self._walk(part.a_indices.lidx)
            if part.a_indices.HasField("uidx"):
                self._walk(part.a_indices.uidx)

    def _call(self, call: pb.FuncCall) -> None:
        catalog = self._catalog
        name = functions.check_function(call, catalog.functions)
        if call.func_variadic:
            raise Unsupported("VARIADIC is not used here", hint="pass the arguments one by one")
        known = self._met()
        before, outer_use = self.total, self._use
        window = None
        if call.HasField("over"):
            self.found.window = True
            self.found.partitions.append(self._partition(call.over))
            self._use = "a window function"
            window = self.window_parts(call.over)
        elif name in catalog.aggregates or call.agg_within_group:  # rank is a window function and an aggregate
            self.found.aggregate = True
            self._use = "an aggregate"
        elif name in catalog.set_returning:
            self.found.series = name
        start, asked = len(self.refs), len(self.found.sublinks)
        self._all(call.args)
        for item in call.agg_order:
            self._walk(item.sort_by.node)
        if call.HasField("agg_filter"):
            self._walk(call.agg_filter)
        outwards = [column.origin is not None for column in self.refs[start:]]
        if self._use == "an aggregate" and outwards and all(outwards):
            # SQL makes it an aggregate of the SELECT around, which then gives one row.
            raise Unsupported(
                f"{name}() of columns of the SELECT around its subquery cannot be attributed to people",
                hint="compute it in a subquery in FROM first",
            )
        if self._use != outer_use:
            refs, sublinks = tuple(self.refs[start:]), tuple(self.found.sublinks[asked:])
            self.found.mixed.append(Mixed(name, call.agg_distinct, refs, sublinks, window))
        self._use = outer_use
        if name in catalog.rewritten_functions:
            call.funcname[0].string.sval = SERVED
        total = name in functions.TOTAL or self._met() == known
        if name in functions.TOTAL_OF_FIELD and call.args:
            first = call.args[0]
            total = first.a_const.sval.sval.lower() in functions.DATE_FIELDS
        self.total = before and self.total and total

    def _partition(self, window: pb.WindowDef) -> str | frozenset[int]:
        if window.name:
            name: str = window.name
            return name
        if window.refname:
            return frozenset()
        return self.partition(window, self._scope)

    @staticmethod
    def partition(window: pb.WindowDef, scope: Scope) -> frozenset[int]:
        """The columns of PARTITION BY, by identity."""
        columns = (
            scope.meaning([part.string.sval for part in node.column_ref.fields][-3:])
            for node in window.partition_clause
            if node.WhichOneof("node") == "column_ref"
        )
        return frozenset(id(column) for column in columns if column is not None)

    def _sublink(self, link: pb.SubLink) -> None:
        kind = link.sub_link_type
        if kind not in _SUBLINKS or self._scope is EMPTY:
            raise Unsupported(
                f"a subquery in {self._use} cannot be attributed to people", hint="run it as a query of its own"
            )
        operator = functions.check_operator(link.oper_name) if link.oper_name else "="
        known, sure = len(self.refs), self.total
        test = None
        if link.HasField("testexpr"):
            self.total = True
            around, self.found = self.found, Found()
            if link.testexpr.WhichOneof("node") == "row_expr":
                self._walk(link.testexpr)
            else:
                self._bare(link.testexpr)
                test = None if self.found.computed else link.testexpr
            around.add(self.found)
            around.mixed += self.found.mixed
            self.found = around
        test_refs, test_total = tuple(self.refs[known:]), self.total
        kept = self._scope, self._use, self.refs, self.renamed, self.found, self.names
        scope = self._scope
        outer, scope.level.used = scope.level.used, 0
        query = self._subquery(link.subselect.select_stmt, scope)
        needs, scope.level.used = scope.level.used, scope.level.used | outer
        self._scope, self._use, self.refs, self.renamed, self.found, self.names = kept
        self.total = sure and test_total
        if kind != pb.EXISTS_SUBLINK:
            for column in query.outputs:
                if column.masked:
                    raise masked_use(column.masked, "a subquery")
                column.use()
        self.found.sublinks.append(
            Sublink(link, query, kind, test, test_refs, test_total, self.names, operator, needs=needs)
        )

    def _grouping(self, call: pb.GroupingFunc) -> None:
        self.found.aggregate = True
        self._all(call.args)

    def window_parts(self, window: pb.WindowDef) -> Window:
        """PARTITION BY, ORDER BY and the frame of a window."""
        partition = tuple(self._item(node) for node in window.partition_clause)
        order = tuple(self._item(item.sort_by.node) for item in window.order_clause)
        if window.HasField("start_offset"):
            self._walk(window.start_offset)
        if window.HasField("end_offset"):
            self._walk(window.end_offset)
        return Window(window.name, window.refname, partition, order)

    def _item(self, node: pb.Node) -> Item:
        known, asked = len(self.refs), len(self.found.sublinks)
        self._walk(node)
        if node.WhichOneof("node") == "column_ref":
            return Item(self.refs[-1])
        return Item(None, tuple(self.refs[known:]), tuple(self.found.sublinks[asked:]))

    def read_window(self, window: pb.WindowDef, scope: Scope) -> list[Column]:
        """A window of the WINDOW clause."""
        self._scope, self._use, self.refs, self.found = scope, "a window function", [], Found()
        self._note(window=self.window_parts(window))
        return self.refs


_METHODS: dict[str, Callable[[Expressions, Message], None]] = {
    "column_ref": Expressions._column,
    "param_ref": Expressions._parameter,
    "a_expr": Expressions._operator,
    "bool_expr": Expressions._boolean,
    "null_test": Expressions._test,
    "boolean_test": Expressions._test,
    "named_arg_expr": Expressions._argument,
    "coalesce_expr": Expressions._arguments,
    "min_max_expr": Expressions._arguments,
    "row_expr": Expressions._arguments,
    "list": Expressions._items,
    "a_array_expr": Expressions._elements,
    "case_expr": Expressions._case,
    "type_cast": Expressions._cast,
    "collate_clause": Expressions._collate,
    "sqlvalue_function": Expressions._value_function,
    "a_indirection": Expressions._subscript,
    "func_call": Expressions._call,
    "sub_link": Expressions._sublink,
    "grouping_func": Expressions._grouping,
}
