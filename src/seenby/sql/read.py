"""SELECT -> Query: relations found, names resolved, stars expanded, masks kept out, subqueries made to carry keys.

The tree is changed in place: after reading, it says the same against the shape's views as the user's text said
against the tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from postgast import pg_query_pb2 as pb

from seenby.errors import (
    AmbiguousName,
    NoGrant,
    Refused,
    SyntaxFailed,
    UnknownColumn,
    UnknownTable,
    Unsupported,
)
from seenby.model.shape import Catalog, Shape
from seenby.sql import carry, outer, tree
from seenby.sql.blocks import Block, Conjunct, Join, Query
from seenby.sql.expressions import Expressions
from seenby.sql.figure import output_name
from seenby.sql.scope import (
    EMPTY,
    Column,
    Key,
    Merged,
    Relation,
    Scope,
    ViewIndex,
    doubled,
    masked_use,
    own_name,
)

_JOIN_KINDS = frozenset({pb.JOIN_INNER, pb.JOIN_LEFT, pb.JOIN_RIGHT, pb.JOIN_FULL})
_CONSTANTS = frozenset({"a_const", "param_ref"})
_FROM_WORDS = {
    "range_function": ("a function in FROM", "select from tables; functions may stand in the select list and in WHERE"),
    "range_table_sample": ("TABLESAMPLE", "use LIMIT, or a condition on a key"),
    "range_table_func": ("XMLTABLE", "select the column itself"),
    "json_table": ("JSON_TABLE", "select the column itself, or use -> and ->>"),
}


class Views:
    """A shape's views by name, made ready once; ``of`` finds what a table's name means."""

    def __init__(self, shape: Shape, catalog: Catalog) -> None:
        self.shape = shape
        self._catalog = catalog
        self._indexes: dict[tuple[str, str], ViewIndex] = {}

    def of(self, schema: str, table: str) -> ViewIndex:
        """Raises Refused for a table that the grant does not show, UnknownTable for one that is not there."""
        for one in (schema,) if schema else self.shape.search_path:
            index = self._indexes.get((one, table))
            if index is not None:
                return index
            view = self.shape.views.get((one, table))
            if view is not None:
                index = self._indexes[one, table] = ViewIndex(view)
                return index
            if (one, table) in self._catalog.tables:
                raise Refused(
                    f"this grant shows nothing of table {_written(one, table)}",
                    hint="ask for one of its classes: seenby grant request --help",
                )
        written = f"{schema}.{table}" if schema else table
        if schema in {"pg_catalog", "information_schema"} or table in self._catalog.catalog_views:
            raise Refused(
                f"{written} is not shown together with tables of the platform",
                hint="ask the catalog in a query of its own",
            )
        known = [_written(*name) for name in {*self.shape.views, *self._catalog.tables}]
        near = get_close_matches(written, sorted(known), 1, 0.6)
        hint = f"did you mean {near[0]}?" if near else r"\dt lists the tables that this grant shows"
        raise UnknownTable(f'relation "{written}" does not exist', hint=hint)


@dataclass(slots=True, eq=False)
class Cte:
    """A WITH entry: its columns and keys are copied into every reference."""

    query: Query
    outputs: list[Column]
    keys: list[Key]


Ctes = Mapping[str, Cte]


class Reader:
    """Reads one statement. ``tables`` and ``relations`` gather everything that it reads."""

    def __init__(self, views: Views | None, catalog: Catalog) -> None:
        self._views = views
        self.expressions = Expressions(catalog)
        self.relations: list[Relation] = []  # of views, wherever they stand
        self.blocks: list[Block] = []  # inner ones first
        self.unsteady = False  # a condition looks at what an outer join inside a subquery made
        self.shadowed = False  # a CTE has the name of one further out
        self._withs: list[pb.WithClause] = []

    def statement(self, select: pb.SelectStmt) -> Query:
        """A whole statement."""
        query = self.query(select, {})
        if self.expressions.series and query.persons:
            raise Unsupported(
                f"function {self.expressions.series} makes several rows of one, which is not attributed to people yet",
                hint="select the column itself",
            )
        return query

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
        if select.sort_clause:
            self._sort(select.sort_clause, query)
        self._limit(select, query)
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
            [_united(*pair) for pair in zip(left.outputs, right.outputs, strict=True)],
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
            keys = self._carried(query, f"WITH {cte.ctename}")
            names = [name.string.sval for name in cte.aliascolnames]
            outputs = _renamed(query, [own_name(name) for name in names], f'WITH query "{cte.ctename}"')
            self.shadowed = self.shadowed or cte.ctename in ctes
            known[own_name(cte.ctename)] = Cte(query, outputs, keys)
        return known

    def _carried(self, query: Query, place: str) -> list[Key]:
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
            scope, joins = self._from(item, block, ctes)
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
            self._conditions(select.where_clause, scope, block, None, "WHERE")
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
                        expanded.append(_star_target(column, block.scope))
                        block.outputs.append(_output(column.name, column))
                    continue
                name = own_name(target.name) or fields[-1].string.sval
                block.outputs.append(_output(name, self.expressions.resolve(value.column_ref, block.scope)))
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

    def _conditions(self, node: pb.Node, scope: Scope, block: Block, join: Join | None, use: str) -> None:
        if node.WhichOneof("node") == "bool_expr" and node.bool_expr.boolop == pb.AND_EXPR:
            for arg in node.bool_expr.args:
                self._conditions(arg, scope, block, join, use)
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
            if block.scope.find(name) is not None or not _named(block.outputs, name, "GROUP BY"):
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

    def _sort(self, items: Iterable[pb.Node], query: Query) -> None:
        scope = EMPTY if query.operation else query.blocks[0].scope
        for item in items:
            sort = item.sort_by
            if sort.use_op:
                raise Unsupported("ORDER BY ... USING is not used here", hint="write ASC or DESC")
            node = sort.node
            kind = node.WhichOneof("node")
            if kind == "a_const" and node.a_const.WhichOneof("val") == "ival":
                self._output_used(query.outputs, node.a_const.ival.ival, "ORDER BY")
                query.ordinals.append(node.a_const)
            elif kind == "column_ref" and len(node.column_ref.fields) == 1:
                # SQL's rule: a name of the output first, then a column of FROM.
                if not _named(query.outputs, node.column_ref.fields[0].string.sval, "ORDER BY"):
                    self._look(node, scope, "ORDER BY")
            else:
                self._look(node, scope, "ORDER BY")
        if self.expressions.window and not query.operation and "a window function" not in query.obstacles:
            query.obstacles.append("a window function")
        if self.expressions.aggregate and not query.operation and not query.blocks[0].aggregated:
            query.blocks[0].aggregated = True
            query.obstacles.append("an aggregate")
        self.expressions.aggregate = self.expressions.window = False

    def _output_used(self, outputs: list[Column], place: int, use: str) -> None:
        if not 1 <= place <= len(outputs):
            raise UnknownColumn(
                f"{use} position {place} is not in select list", hint=f"there are {len(outputs)} columns"
            )
        column = outputs[place - 1]
        if column.masked:
            raise masked_use(column.masked, use)
        column.use()

    def _limit(self, select: pb.SelectStmt, query: Query) -> None:
        if select.limit_option == pb.LIMIT_OPTION_WITH_TIES:
            raise Unsupported("WITH TIES cannot be attributed to people yet", hint="use LIMIT with a larger number")
        for given, node in (("limit_count", select.limit_count), ("limit_offset", select.limit_offset)):
            if select.HasField(given):
                self.expressions.read(node, EMPTY, "LIMIT")
                query.limited = True

    # FROM

    def _from(self, node: pb.Node, block: Block, ctes: Ctes) -> tuple[Scope, list[Join]]:
        kind = node.WhichOneof("node")
        if kind == "range_var":
            relation = self._table(node, block, ctes)
            return Scope({relation.alias: relation}), []
        if kind == "range_subselect":
            relation = self._subquery(node, block, ctes)
            return Scope({relation.alias: relation}), []
        if kind == "join_expr":
            return self._join(node.join_expr, block, ctes)
        words, hint = _FROM_WORDS.get(kind or "", ((kind or "").replace("_", " "), "select from tables"))
        raise Unsupported(f"{words} cannot be attributed to people yet", hint=hint)

    def _table(self, node: pb.Node, block: Block, ctes: Ctes) -> Relation:
        var = node.range_var
        alias = own_name(var.alias.aliasname) if var.HasField("alias") else ""
        names = [own_name(name.string.sval) for name in var.alias.colnames] if alias else []
        bit = 1 << len(block.relations)
        if var.catalogname:
            raise Refused("another database cannot be named", hint="write schema.table at most")
        cte = ctes.get(var.relname) if not var.schemaname else None
        if cte is not None:
            relation = _copied(alias or var.relname, bit, node, cte.outputs, cte.keys, names)
        else:
            if self._views is None:
                raise NoGrant(
                    f"no grant is active, so table {var.relname} is closed",
                    hint="ask for one: seenby grant request --help",
                )
            if not var.inh:
                raise Unsupported("FROM ONLY is not used here", hint="leave ONLY out")
            index = self._views.of(var.schemaname, var.relname)
            view = index.view
            relation = Relation(alias or var.relname, bit, node, index, "" if alias else view.schema)
            relation.keys = [Key(key.kind, relation, key.name, [relation.uses]) for key in view.keys]
            if names:
                _check_width(names, len(view.columns), f'table "{relation.alias}"')
                relation.rename(names)
            var.schemaname, var.relname = view.view_schema, view.view
            if not alias:
                var.alias.aliasname = relation.alias
            self.relations.append(relation)
        block.relations.append(relation)
        return relation

    def _subquery(self, node: pb.Node, block: Block, ctes: Ctes) -> Relation:
        part = node.range_subselect
        if part.lateral:
            raise Unsupported("LATERAL cannot be attributed to people yet", hint="write it as a JOIN with the table")
        if part.HasField("alias"):
            alias = own_name(part.alias.aliasname)
        else:
            alias = part.alias.aliasname = f"seenby$t{len(block.relations)}"
        query = self.query(part.subquery.select_stmt, ctes)
        keys = self._carried(query, "the subquery" + ("" if alias.startswith("seenby$") else f" {alias}"))
        names = [own_name(name.string.sval) for name in part.alias.colnames]
        outputs = _renamed(query, names, f'table "{alias}"')
        relation = _copied(alias, 1 << len(block.relations), node, outputs, keys, [])
        block.relations.append(relation)
        return relation

    def _join(self, node: pb.JoinExpr, block: Block, ctes: Ctes) -> tuple[Scope, list[Join]]:
        if node.is_natural:
            raise Unsupported("NATURAL JOIN would also join on columns that the grant hides", hint="write USING (...)")
        if node.HasField("alias") or node.HasField("join_using_alias"):
            raise Unsupported("a join cannot have an alias here", hint="give the tables aliases instead")
        if node.jointype not in _JOIN_KINDS:
            raise Unsupported("this kind of join is not known", hint="use JOIN, LEFT, RIGHT or FULL JOIN")
        left, left_joins = self._from(node.larg, block, ctes)
        right, right_joins = self._from(node.rarg, block, ctes)
        join = Join(
            node.jointype,
            sum(relation.bit for relation in left.relations.values()),
            sum(relation.bit for relation in right.relations.values()),
            node,
            tuple(left_joins + right_joins),
        )
        merges = [self._merge(name.string.sval, left, right, join, block) for name in node.using_clause]
        star = None
        if merges:
            hidden = {one.column.name for one in merges}
            star = [one.column for one in merges] + [
                column for column in left.columns() + right.columns() if column.name not in hidden
            ]
            for scope in (left, right):
                scope.merged = [one for one in scope.merged if one.column.name not in hidden]
        scope = left
        scope.add(right)
        if merges:
            scope.star, scope.merged = star, scope.merged + merges
        if node.HasField("quals"):
            self._conditions(node.quals, scope, block, join, "JOIN ... ON")
        block.joins.append(join)
        return scope, [join]

    def _merge(self, name: str, left: Scope, right: Scope, join: Join, block: Block) -> Merged:
        sides = []
        for scope, side in ((left, "left"), (right, "right")):
            column = scope.find(name)
            if column is None:
                raise UnknownColumn(f'column "{name}" specified in USING clause does not exist in {side} table')
            if column.refused is not None:
                raise column.refused
            if column.masked:
                raise masked_use(column.masked, "JOIN ... USING")
            column.use()
            sides.append(column)
        conjunct = Conjunct(None, sides, sides[0].bits | sides[1].bits, True, join)
        conjunct.equal = (sides[0], sides[1])
        conjunct.strict = outer.column_parts(sides[0]) | outer.column_parts(sides[1])
        block.conjuncts.append(conjunct)
        join.conjuncts.append(conjunct)
        full = join.kind == pb.JOIN_FULL
        one, other = reversed(sides) if join.kind == pb.JOIN_RIGHT else sides
        column = Column(
            name,
            name,
            bits=conjunct.bits if full else one.bits,
            type_oid=one.type_oid if sides[0].type_oid == sides[1].type_oid else 0,
            pin=None if full else one.pin,
            total=sides[0].total and sides[1].total,
            fragile=max(side.fragile for side in sides),
            strict=not full and one.strict,
            sources=(one, other),
        )
        members = tuple(
            relation
            for scope, side in ((left, sides[0]), (right, sides[1]))
            for relation in _members(scope, side, name)
        )
        return Merged(column, members)


def _members(scope: Scope, column: Column, name: str) -> tuple[Relation, ...]:
    if column.relation is not None:
        return (column.relation,)
    return next(merged.members for merged in scope.merged if merged.column.name == name)


def _output(name: str, column: Column) -> Column:
    return Column(
        name,
        name,
        masked=column.masked,
        type_oid=column.type_oid,
        pin=column.pin,
        total=column.total,
        sources=(column,),
    )


def _star_target(column: Column, scope: Scope) -> pb.Node:
    if column.relation is not None:
        output = column.name if column.real != column.name else ""
        return tree.column_target(column.relation.alias, column.real, output)
    try:
        alone = scope.find(column.name) is column
    except AmbiguousName:
        alone = False
    if alone:
        return tree.column_target("", column.name)
    node = pb.Node()
    node.res_target.name = column.name
    node.res_target.val.CopyFrom(_written_out(column))
    return node


def _written_out(column: Column) -> pb.Node:
    """A column of JOIN ... USING without its short name, which means two things where another table has it too."""
    if column.relation is not None:
        return tree.column_target(column.relation.alias, column.real).res_target.val
    first, second = column.sources
    if column.strict and column.type_oid:
        return _written_out(first)
    node = pb.Node()
    node.coalesce_expr.args.extend([_written_out(first), _written_out(second)])
    return node


def _united(left: Column, right: Column) -> Column:
    return Column(
        left.name,
        left.real,
        masked=left.masked or right.masked,
        type_oid=left.type_oid if left.type_oid == right.type_oid else 0,
        total=left.total and right.total,
        fragile=max(left.fragile, right.fragile),
        sources=(left, right),
    )


def _check_width(names: list[str], width: int, what: str) -> None:
    if len(names) > width:
        # Without this a name too many would name one of our key columns.
        raise SyntaxFailed(f"{what} has {width} columns available but {len(names)} columns specified")


def _renamed(query: Query, names: list[str], what: str) -> list[Column]:
    """The outputs under their new names. Names that stand twice get a name of ours behind the scenes."""
    outputs = query.outputs
    _check_width(names, len(outputs), what)
    for place, column in enumerate(outputs):
        if place < len(names):
            column.name = column.real = names[place]
    twice = doubled([column.name for column in outputs])
    first = query.blocks[0].select
    for place, column in enumerate(outputs):
        if column.name in twice and place >= len(names) and not first.values_lists:
            column.real = f"seenby$c{place + 1}"
            first.target_list[place].res_target.name = column.real
    return outputs


def _copied(alias: str, bit: int, node: pb.Node, outputs: list[Column], keys: list[Key], names: list[str]) -> Relation:
    """A reference to a subquery or CTE: its outputs as columns of a relation."""
    relation = Relation(alias, bit, node)
    _check_width(names, len(outputs), f'table "{alias}"')
    places = {id(key): Key(key.kind, relation, key.name, key.uses) for key in keys}
    relation.keys = list(places.values())
    relation.ordered = []
    for place, output in enumerate(outputs):
        name = names[place] if place < len(names) else output.name
        relation.ordered.append(
            Column(
                name,
                name if place < len(names) else output.real,
                relation,
                bit,
                output.masked,
                type_oid=output.type_oid,
                pin=places.get(id(output.pin)),
                total=output.total,
                fragile=output.fragile,
                sources=(output,),
            )
        )
    relation.columns = {column.name: column for column in relation.ordered}
    relation.doubled = doubled([column.name for column in relation.ordered])
    return relation


def _named(outputs: list[Column], name: str, use: str) -> bool:
    """Whether ``name`` means an output column; if so, it is used."""
    found = [column for column in outputs if column.name == name]
    for column in found:
        if column.masked:
            raise masked_use(column.masked, use)
        column.use()
    return bool(found)


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


def _written(schema: str, table: str) -> str:
    return table if schema == "public" else f"{schema}.{table}"
