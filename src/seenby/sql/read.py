"""SELECT -> Query: relations found, names resolved, stars expanded, masks kept out, subqueries made to carry keys.

The tree is changed in place: after reading, it says the same against the shape's views as the user's text said
against the tables.
"""

from __future__ import annotations

from collections.abc import Iterable

from postgast import pg_query_pb2 as pb

from seenby.errors import (
    Refused,
    SyntaxFailed,
    Unknown,
    UnknownColumn,
    Unsupported,
)
from seenby.model.shape import Catalog
from seenby.sql import carry, outer
from seenby.sql.blocks import Block, Conjunct, Join, Query
from seenby.sql.expressions import Expressions
from seenby.sql.figure import output_name
from seenby.sql.fromclause import Cte, Ctes, FromReader, renamed
from seenby.sql.outputs import named, output, star_target, united
from seenby.sql.refused import closed_table
from seenby.sql.scope import (
    EMPTY,
    Column,
    Key,
    Scope,
    masked_use,
    own_name,
)
from seenby.sql.views import Views

_CONSTANTS = frozenset({"a_const", "param_ref"})


class Reader(FromReader):
    """Reads one statement."""

    def __init__(self, views: Views | None, catalog: Catalog) -> None:
        super().__init__(views)
        self.expressions = Expressions(catalog)
        self.blocks: list[Block] = []  # inner ones first
        self.unsteady = False  # a condition looks at what an outer join inside a subquery made
        self.shadowed = False  # a CTE has the name of one further out
        self._withs: list[pb.WithClause] = []

    def statement(self, select: pb.SelectStmt) -> Query:
        """A whole statement."""
        try:
            query = self.query(select, {})
        except (Unknown, Unsupported):
            self._check_closed()  # of a closed table there is more to say than what else is wrong
            raise
        self._check_closed()
        if self.expressions.series and query.persons:
            raise Unsupported(
                f"function {self.expressions.series} makes several rows of one, which is not attributed to people yet",
                hint="select the column itself",
            )
        return query

    def _check_closed(self) -> None:
        """A closed table is refused whatever is asked of it: its columns where they are named, the rest here."""
        for index in (relation.index for relation in self.relations):
            if index is not None and not index.columns:
                raise closed_table(index.label, index.refused.values(), index.gives)

    # SELECT, set operations, WITH

    def query(self, select: pb.SelectStmt, ctes: Ctes) -> Query:
        if select.HasField("into_clause"):
            raise Refused("SELECT INTO makes a table; a grant only reads", hint="leave INTO out")
        if select.locking_clause:
            raise Refused("FOR UPDATE and FOR SHARE lock rows; a grant only reads", hint="leave the FOR clause out")
        scoped = select.HasField("with_clause")
        if scoped:
            self._withs.append(select.with_clause)
            ctes = self._with(select.with_clause, ctes)
        if select.op == pb.SETOP_NONE:
            block = self._values(select) if select.values_lists else self._block(select, ctes)
            query = Query(select, [block], [select], block.outputs)
            query.obstacles = block.obstacles
        else:
            query = self._set_operation(select, ctes)
        shaky = self._sort(select.sort_clause, query)
        self._limit(select, query)
        if shaky and query.limited:
            # A row filled with NULL may move into the first rows when somebody else's row goes away.
            query.obstacles.append("LIMIT over an outer join")
        if scoped:
            self._withs.pop()
        return query

    def _set_operation(self, select: pb.SelectStmt, ctes: Ctes) -> Query:
        left, right = self.query(select.larg, ctes), self.query(select.rarg, ctes)
        name = {pb.SETOP_UNION: "UNION", pb.SETOP_INTERSECT: "INTERSECT", pb.SETOP_EXCEPT: "EXCEPT"}[select.op]
        if name == "UNION" and select.all:
            name = "UNION ALL"
        if len(left.outputs) != len(right.outputs):
            raise SyntaxFailed(
                f"each {name.removesuffix(' ALL')} query must have the same number of columns",
                hint=f"the left has {len(left.outputs)}, the right {len(right.outputs)}",
            )
        query = Query(
            select,
            left.blocks + right.blocks,
            [select, *left.selects, *right.selects],
            [united(*pair) for pair in zip(left.outputs, right.outputs, strict=True)],
            next((one for one in (name, left.operation, right.operation) if one not in {"", "UNION ALL"}), "UNION ALL"),
            obstacles=left.obstacles + right.obstacles,
            ordinals=left.ordinals + right.ordinals,
        )
        if name != "UNION ALL":
            query.obstacles.append(name)
            for column in query.outputs:
                if column.masked:
                    raise masked_use(column.masked, name)
        if left.limited or right.limited:
            query.obstacles.append(f"LIMIT in a branch of {name}")
        return query

    def _with(self, clause: pb.WithClause, ctes: Ctes) -> Ctes:
        if clause.recursive:
            raise Unsupported(
                "WITH RECURSIVE cannot be attributed to people yet",
                hint="leave RECURSIVE out if no part reads itself; otherwise run one query per step",
            )
        known = dict(ctes)
        for node in clause.ctes:
            cte = node.common_table_expr
            if cte.ctequery.WhichOneof("node") != "select_stmt":
                raise Refused("WITH may only hold SELECT; a grant only reads", hint="leave the change out")
            query = self.query(cte.ctequery.select_stmt, known)
            keys = self.carried(query, f"WITH {cte.ctename}")
            names = [name.string.sval for name in cte.aliascolnames]
            outputs = renamed(query, [own_name(name) for name in names], f'WITH query "{cte.ctename}"')
            self.shadowed = self.shadowed or cte.ctename in ctes
            known[own_name(cte.ctename)] = Cte(outputs, keys)
        return known

    def carried(self, query: Query, place: str) -> list[Key]:
        """Makes ``query``, a part of another one, carry its keys as its last columns."""
        if not query.persons:
            return []
        obstacles = [*query.obstacles, *(["LIMIT"] if query.limited else [])]
        if obstacles:
            raise Unsupported(
                f"{place} uses {obstacles[0]}, so its rows cannot be attributed to people yet",
                hint=f"use {obstacles[0]} in the outermost SELECT only, or run that part as a query of its own",
            )
        if not all(block.exact for block in query.blocks):
            self.unsteady = True
        return carry.append_keys(query)

    # one block

    def _values(self, select: pb.SelectStmt) -> Block:
        block = Block(select, EMPTY)
        width = len(select.values_lists[0].list.items)
        for row in select.values_lists:
            self.expressions.read(row, EMPTY, "VALUES")
        block.outputs = [Column(f"column{place + 1}", f"column{place + 1}") for place in range(width)]
        self.blocks.append(block)
        return block

    def _block(self, select: pb.SelectStmt, ctes: Ctes) -> Block:
        expressions = self.expressions
        block = Block(select, Scope(), withs=tuple(self._withs))
        for item in select.from_clause:
            scope, joins = self.item(item, block, ctes)
            block.roots += joins
            if len(select.from_clause) == 1:
                block.scope = scope
            else:
                block.scope.add(scope)
        scope = block.scope
        block.delicate = bool(block.joins) or any(
            column.fragile for relation in block.relations for column in relation.ordered or ()
        )
        if select.HasField("where_clause"):
            self.conditions(select.where_clause, scope, block, None, "WHERE")
        if block.joins:
            outer.reduce(block)
        if block.delicate and block.persons:
            self.unsteady = outer.check(block) or self.unsteady
        self._targets(select, block)
        for item in select.group_clause:
            self._group(item, block)
        if select.HasField("having_clause"):
            self._look(select.having_clause, scope, "HAVING")
        for item in select.window_clause:
            own_name(item.window_def.name)
            for column in expressions.read_window(item.window_def, scope):
                column.use()
        self._distinct(select, block)
        block.aggregated = bool(expressions.aggregate or select.group_clause or select.HasField("having_clause"))
        if block.aggregated:
            block.obstacles.append("an aggregate" if expressions.aggregate else "GROUP BY")
            for column in block.outputs:
                if column.masked:
                    raise masked_use(column.masked, "a query with aggregates")
        if expressions.window:
            block.obstacles.append("a window function")
        expressions.aggregate = expressions.window = False
        if block.persons:
            block.keys = carry.distinct_keys(block)
        self.blocks.append(block)
        return block

    def _targets(self, select: pb.SelectStmt, block: Block) -> None:
        expanded: list[pb.Node] = []
        stars = False
        for node in select.target_list:
            target = node.res_target
            value = target.val
            if value.WhichOneof("node") == "column_ref":
                fields = value.column_ref.fields
                if fields[-1].WhichOneof("node") == "a_star":
                    stars = True
                    for column in self._star(value.column_ref, block.scope):
                        expanded.append(star_target(column, block.scope))
                        block.outputs.append(output(column.name, column))
                    continue
                name = own_name(target.name) or fields[-1].string.sval
                block.outputs.append(output(name, self.expressions.resolve(value.column_ref, block.scope)))
            else:
                name = own_name(target.name) or output_name(value)
                refs = self.expressions.read(value, block.scope, "an expression")
                if self.expressions.renamed and not target.name:
                    target.name = name
                block.outputs.append(Column(name, name, total=self.expressions.total, plain=False, sources=tuple(refs)))
            expanded.append(node)
        if stars:
            nodes = [pb.Node.FromString(node.SerializeToString()) for node in expanded]
            del select.target_list[:]
            select.target_list.extend(nodes)
        if block.delicate and block.persons:
            for column in block.outputs:
                column.fragile = outer.fragile(block, column.sources, plain=column.plain)

    def _star(self, ref: pb.ColumnRef, scope: Scope) -> list[Column]:
        parts = [part.string.sval for part in ref.fields][:-1]
        if not parts:
            if not scope.relations:
                raise SyntaxFailed("SELECT * with no tables specified is not valid", hint="name the columns")
            return scope.columns()
        if len(parts) > 2:
            raise Unsupported("a column cannot be qualified with a database", hint="write schema.table.* at most")
        return scope.relation(parts[-1], parts[0] if len(parts) == 2 else "").visible()

    def _look(self, node: pb.Node, scope: Scope, use: str) -> list[Column]:
        """Reads an expression that decides about rows: what it names is used, whatever the output."""
        refs = self.expressions.read(node, scope, use)
        for column in refs:
            column.use()
        return refs

    def conditions(self, node: pb.Node, scope: Scope, block: Block, join: Join | None, use: str) -> None:
        if node.WhichOneof("node") == "bool_expr" and node.bool_expr.boolop == pb.AND_EXPR:
            for arg in node.bool_expr.args:
                self.conditions(arg, scope, block, join, use)
            return
        refs = self._look(node, scope, use)
        bits = 0
        for column in refs:
            bits |= column.bits
        conjunct = Conjunct(node, refs, bits, self.expressions.total, join)
        if join is not None or block.delicate:
            conjunct.strict = outer.strict_parts(node, scope)
        if node.WhichOneof("node") == "a_expr":
            _note_equality(conjunct, node.a_expr)
        block.conjuncts.append(conjunct)
        if join is not None:
            join.conjuncts.append(conjunct)

    def _group(self, node: pb.Node, block: Block) -> None:
        kind = node.WhichOneof("node")
        if kind == "a_const" and node.a_const.WhichOneof("val") == "ival":
            self._output_used(block.outputs, node.a_const.ival.ival, "GROUP BY")
        elif kind == "column_ref" and len(node.column_ref.fields) == 1:
            # SQL's rule: a column of FROM first, then a name of the output.
            name = node.column_ref.fields[0].string.sval
            if block.scope.find(name) is not None or not named(block.outputs, name, "GROUP BY"):
                self._look(node, block.scope, "GROUP BY")
        else:
            self._look(node, block.scope, "GROUP BY")

    def _distinct(self, select: pb.SelectStmt, block: Block) -> None:
        if not select.distinct_clause:
            return
        block.obstacles.append("DISTINCT")
        for node in select.distinct_clause:
            if node.WhichOneof("node") is not None:  # DISTINCT ON (...)
                self._group(node, block)
        for column in block.outputs:
            if column.masked:
                raise masked_use(column.masked, "DISTINCT")

    def _sort(self, items: Iterable[pb.Node], query: Query) -> bool:
        """Returns whether the order depends on the optional side of an outer join."""
        scope = EMPTY if query.operation else query.blocks[0].scope
        shaky = False
        for item in items:
            sort = item.sort_by
            if sort.use_op:
                raise Unsupported("ORDER BY ... USING is not used here", hint="write ASC or DESC")
            node = sort.node
            kind = node.WhichOneof("node")
            found: list[Column] = []
            if kind == "a_const" and node.a_const.WhichOneof("val") == "ival":
                found = [self._output_used(query.outputs, node.a_const.ival.ival, "ORDER BY")]
                query.ordinals.append(node.a_const)
            elif kind == "column_ref" and len(node.column_ref.fields) == 1:
                # SQL's rule: a name of the output first, then a column of FROM.
                found = named(query.outputs, node.column_ref.fields[0].string.sval, "ORDER BY")
            if found:
                shaky = shaky or any(column.fragile for column in found)
            else:
                refs = self._look(node, scope, "ORDER BY")
                shaky = shaky or bool(outer.fragile(query.blocks[0], refs, plain=False))
        if self.expressions.window and not query.operation and "a window function" not in query.obstacles:
            query.obstacles.append("a window function")
        if self.expressions.aggregate and not query.operation and not query.blocks[0].aggregated:
            query.blocks[0].aggregated = True
            query.obstacles.append("an aggregate")
        self.expressions.aggregate = self.expressions.window = False
        return shaky

    def _output_used(self, outputs: list[Column], place: int, use: str) -> Column:
        if not 1 <= place <= len(outputs):
            raise UnknownColumn(
                f"{use} position {place} is not in select list", hint=f"there are {len(outputs)} columns"
            )
        column = outputs[place - 1]
        if column.masked:
            raise masked_use(column.masked, use)
        column.use()
        return column

    def _limit(self, select: pb.SelectStmt, query: Query) -> None:
        if select.limit_option == pb.LIMIT_OPTION_WITH_TIES:
            raise Unsupported("WITH TIES cannot be attributed to people yet", hint="use LIMIT with a larger number")
        for given, node in (("limit_count", select.limit_count), ("limit_offset", select.limit_offset)):
            if select.HasField(given):
                self.expressions.read(node, EMPTY, "LIMIT")
                query.limited = True


def _note_equality(conjunct: Conjunct, expr: pb.A_Expr) -> None:
    if expr.kind != pb.AEXPR_OP or expr.name[-1].string.sval != "=":
        return
    left, right = expr.lexpr, expr.rexpr
    kinds = {left.WhichOneof("node"), right.WhichOneof("node")}
    if kinds == {"column_ref"} and len(conjunct.refs) == 2:
        conjunct.equal = (conjunct.refs[0], conjunct.refs[1])
    elif "column_ref" in kinds and len(conjunct.refs) == 1:
        other = right if left.WhichOneof("node") == "column_ref" else left
        while other.WhichOneof("node") == "type_cast":
            other = other.type_cast.arg
        if other.WhichOneof("node") in _CONSTANTS:
            conjunct.pins = conjunct.refs[0].pin
