"""SELECT -> Query: relations found, names resolved, stars expanded, masks kept out, subqueries made to carry keys.

The tree is changed in place: after reading, it says the same against the shape's views as the user's text said
against the tables.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from postgast import pg_query_pb2 as pb

from seenby.errors import (
    Refused,
    SyntaxFailed,
    Unknown,
    UnknownColumn,
    Unsupported,
)
from seenby.model.shape import Catalog
from seenby.sql import carry, first, gather, outer
from seenby.sql.blocks import Block, Query
from seenby.sql.dependent import complete_groups
from seenby.sql.expressions import Expressions
from seenby.sql.found import Found
from seenby.sql.fromclause import Ctes, together
from seenby.sql.named import masked_use, own_name
from seenby.sql.outputs import named, united
from seenby.sql.refused import closed_table
from seenby.sql.scope import EMPTY, Column, Key, Scope
from seenby.sql.selectlist import SelectListReader
from seenby.sql.views import Views


class Reader(SelectListReader):
    """Reads one statement."""

    def __init__(self, views: Views | None, catalog: Catalog) -> None:
        super().__init__(views)
        self.catalog = catalog
        self.expressions = Expressions(catalog, self._subquery_of_expression)
        self.blocks: list[Block] = []  # inner ones first
        self.queries: list[Query] = []  # likewise
        self.unsteady = False  # a condition looks at what an outer join inside a subquery made

    def statement(self, select: pb.SelectStmt) -> Query:
        """A whole statement."""
        try:
            query = self.query(select, {}, None)
        except (Unknown, Unsupported):
            self._check_closed()  # of a closed table there is more to say than what else is wrong
            raise
        self._check_closed()
        self._check_moved()
        self.unsteady = self.unsteady or any(outer.looks_inside(block) for block in self.blocks if block.delicate)
        return query

    def cannot_fail(self, node: pb.Node, scope: Scope) -> bool:
        """Evaluating an expression that was read cannot raise an error. It has no subquery."""
        self.expressions.read(node, scope, "a statistic")
        return self.expressions.total

    def _check_closed(self) -> None:
        """A closed table is refused whatever is asked of it: its columns where they are named, the rest here."""
        for index in (relation.index for relation in self.relations):
            if index is not None and not index.columns:
                raise closed_table(index.label, index.refused.values(), index.gives)

    def _check_moved(self) -> None:
        """A WITH query is written down where it is named: what it names of further out must mean the same there."""
        tables = {id(block.level): {relation.alias for relation in block.relations} for block in self.blocks}
        for name, alias, levels in self.moved:
            if any(alias in tables.get(id(level), ()) for level in levels):
                raise Unsupported(
                    f"WITH query {name} names {alias}, which means another table where {name} is used",
                    hint="give one of the two tables another alias",
                )

    def _subquery_of_expression(self, select: pb.SelectStmt, scope: Scope) -> Query:
        return self.query(select, cast("Ctes", scope.ctes), scope)

    # SELECT, set operations, WITH

    def query(self, select: pb.SelectStmt, ctes: Ctes, parent: Scope | None) -> Query:
        if select.HasField("into_clause"):
            raise Refused("SELECT INTO makes a table; a grant only reads", hint="leave INTO out")
        if select.locking_clause:
            raise Refused("FOR UPDATE and FOR SHARE lock rows; a grant only reads", hint="leave the FOR clause out")
        if select.HasField("with_clause"):
            ctes = self.with_clause(select.with_clause, ctes, parent)
        if select.op == pb.SETOP_NONE:
            values = bool(select.values_lists)
            block = self._values(select, ctes, parent) if values else self._block(select, ctes, parent)
            query = Query(select, [block], [select], block.outputs)
            query.obstacles = block.obstacles
            query.ordinals += block.ordinals
        else:
            query = self._set_operation(select, ctes, parent)
        shaky = self._sort(select.sort_clause, query)
        self._limit(select, query)
        shaky = shaky or any(block.gathers and not block.steady for block in query.blocks)
        if shaky and query.limited:
            # A row may move into the first ones when somebody else's goes away.
            query.obstacles.append("LIMIT")
        if query.branches is None:
            block = query.blocks[0]
            complete_groups(block, self.catalog.primary_keys, self.expressions.readings)
            block.any_order = gather.in_any_order(block, self.expressions.readings)
            gather.settle(block)
            query.settled = first.settles(query)
        query.settles_inside = query.settled or any(_settles_inside(one) for one in query.blocks)
        self.queries.append(query)
        return query

    def _set_operation(self, select: pb.SelectStmt, ctes: Ctes, parent: Scope | None) -> Query:
        left, right = self.query(select.larg, ctes, parent), self.query(select.rarg, ctes, parent)
        name = {pb.SETOP_UNION: "UNION", pb.SETOP_INTERSECT: "INTERSECT", pb.SETOP_EXCEPT: "EXCEPT"}[select.op]
        if name == "UNION" and select.all:
            name = "UNION ALL"
        if len(left.outputs) != len(right.outputs):
            raise SyntaxFailed(
                f"each {name.removesuffix(' ALL')} query must have the same number of columns",
                hint=f"the left has {len(left.outputs)}, the right {len(right.outputs)}",
            )
        for side in (left, right):
            for column in side.outputs if side.limited else ():
                column.fragile, column.possible = 2, column.possible or column.fragile == 0
        query = Query(
            select,
            left.blocks + right.blocks,
            [select, *left.selects, *right.selects],
            [united(*pair) for pair in zip(left.outputs, right.outputs, strict=True)],
            next((one for one in (name, left.operation, right.operation) if one not in {"", "UNION ALL"}), "UNION ALL"),
            obstacles=left.obstacles + right.obstacles,
            ordinals=left.ordinals + right.ordinals,
            branches=(left, right),
        )
        if name != "UNION ALL":
            query.obstacles.append(name)
            for column in query.outputs:
                if column.masked:
                    raise masked_use(column.masked, name)
        if left.limited or right.limited:
            query.obstacles.append(f"LIMIT in a branch of {name}")
        return query

    def carried(self, query: Query) -> list[Key]:
        """Makes ``query``, a part of another one, carry its keys as its last columns, if it can."""
        if not query.persons:
            return []
        if query.obstacles or query.limited or query.recursion or any(block.lost for block in query.blocks):
            return []
        if not all(block.exact for block in query.blocks):
            self.unsteady = True
        return carry.append_keys(query)

    # one block

    def _values(self, select: pb.SelectStmt, ctes: Ctes, parent: Scope | None) -> Block:
        block = Block(select, Scope(parent=parent, ctes=ctes), values=pb.SelectStmt())
        width = len(select.values_lists[0].list.items)
        sure = True
        for row in select.values_lists:
            refs = self.expressions.read(row, block.scope, "VALUES")
            for column in refs:
                column.use()
            block.sublinks += self.expressions.found.sublinks
            sure = sure and not refs and not self.expressions.found.sublinks
        block.outputs = [
            Column(f"column{place + 1}", f"column{place + 1}", fragile=0 if sure else 2) for place in range(width)
        ]
        assert block.values is not None
        block.values.values_lists.extend(select.values_lists)
        block.values.op, block.values.limit_option = pb.SETOP_NONE, pb.LIMIT_OPTION_DEFAULT
        self.blocks.append(block)
        return block

    def _block(self, select: pb.SelectStmt, ctes: Ctes, parent: Scope | None) -> Block:
        expressions = self.expressions
        block = Block(select, Scope(parent=parent, ctes=ctes))
        beside = block.scope
        for item in select.from_clause:
            scope, one, joins = self.item(item, block, ctes, beside)
            block.roots += joins
            block.items.append(one)
            beside = together(beside, scope)
            if len(select.from_clause) == 1:
                block.scope = scope
            else:
                block.scope.add(scope)
        scope = block.scope
        block.delicate = bool(block.joins) or any(
            column.fragile for relation in block.relations for column in relation.ordered or ()
        )
        block.delicate = block.delicate or parent is not None
        block.level.open = any(join.kind != pb.JOIN_INNER for join in block.joins)
        if select.HasField("where_clause"):
            self.conditions(select.where_clause, scope, block, None, "WHERE")
        if block.joins:
            outer.reduce(block)
            for join in block.joins:
                block.level.nullable |= join.nullable
            outer.check(block)
        block.level.open = False
        found = self.targets(select, block)
        block.listed = list(found.sublinks)
        series = bool(found.series)
        sets = False
        for node in select.group_clause:
            sets = self._group(node, block, found) or sets
        shrinks = True
        if select.HasField("having_clause"):
            inside = Found()
            self.look(select.having_clause, scope, "HAVING", inside)
            shrinks = (
                not inside.sublinks
                and block.steady
                and gather.only_shrinks(select.having_clause, aggregate=inside.aggregate)
            )
            found.add(inside)
        windows = {}
        for node in select.window_clause:
            name = own_name(node.window_def.name)
            for column in expressions.read_window(node.window_def, scope):
                column.use()
            found.add(expressions.found)
            windows[name] = expressions.partition(node.window_def, scope)
        block.aggregated = bool(found.aggregate or select.group_clause or select.HasField("having_clause"))
        block.plain_group, block.sets = bool(select.group_clause) and not sets, sets
        if block.aggregated:
            block.gathers = "group"
        plain = not block.aggregated and not found.window and not series and not block.listed
        self._distinct(select, block, found, plain=plain)
        if not shrinks:
            block.obstacles.append("HAVING")
        if block.aggregated:
            for column in block.outputs:
                if column.masked:
                    raise masked_use(column.masked, "a query with aggregates")
        if found.window:
            block.obstacles.append("a window function")
        block.sublinks += found.sublinks
        self.unsettle(block, found, windows, sets=sets)
        if block.persons:
            block.keys = carry.distinct_keys(block)
        self.blocks.append(block)
        return block

    def _group(self, node: pb.Node, block: Block, found: Found) -> bool:
        """Returns whether it makes several sets of groups."""
        kind = node.WhichOneof("node")
        if kind == "grouping_set":
            for item in node.grouping_set.content:
                self._group(item, block, found)
            return True
        if kind == "a_const" and node.a_const.WhichOneof("val") == "ival":
            output = self._output_used(block.outputs, node.a_const.ival.ival, "GROUP BY")
            block.grouped += output.sources if output.plain else ()
            block.ordinals.append(node.a_const)
        elif kind == "column_ref" and len(node.column_ref.fields) == 1:
            # SQL's rule: a column of FROM first, then a name of the output.
            name = node.column_ref.fields[0].string.sval
            if block.scope.find(name) is not None or not named(block.outputs, name, "GROUP BY"):
                block.grouped += self.look(node, block.scope, "GROUP BY", found)
        else:
            refs = self.look(node, block.scope, "GROUP BY", found)
            block.grouped += refs if kind == "column_ref" else ()
        return False

    def _distinct(self, select: pb.SelectStmt, block: Block, found: Found, *, plain: bool) -> None:
        """``plain``: GROUP BY could say the same."""
        if not select.distinct_clause:
            return
        firsts = set()
        for node in select.distinct_clause:
            if node.WhichOneof("node") is None:
                if plain:
                    block.gathers = "distinct"
                else:
                    block.obstacles.append("DISTINCT")
                break
            self._group(node, block, found)  # DISTINCT ON (...)
            if node.WhichOneof("node") == "column_ref":
                parts = [part.string.sval for part in node.column_ref.fields]
                column = block.scope.meaning(parts[-3:])
                firsts |= {id(column)} if column is not None else set()
        else:
            block.firsts = frozenset(firsts) or frozenset({0})
            block.obstacles.append("DISTINCT ON")
        for column in block.outputs:
            if column.masked:
                raise masked_use(column.masked, "DISTINCT")

    def _sort(self, items: Iterable[pb.Node], query: Query) -> bool:
        """Returns whether rows may move forward in this order when others go away."""
        scope = EMPTY if query.operation else query.blocks[0].scope
        block = query.blocks[0]
        shaky = False
        found = Found()
        for item in items:
            sort = item.sort_by
            if sort.use_op:
                raise Unsupported("ORDER BY ... USING is not used here", hint="write ASC or DESC")
            node = sort.node
            kind = node.WhichOneof("node")
            outputs: list[Column] = []
            if kind == "a_const" and node.a_const.WhichOneof("val") == "ival":
                outputs = [self._output_used(query.outputs, node.a_const.ival.ival, "ORDER BY")]
                query.ordinals.append(node.a_const)
            elif kind == "column_ref" and len(node.column_ref.fields) == 1:
                # SQL's rule: a name of the output first, then a column of FROM.
                outputs = named(query.outputs, node.column_ref.fields[0].string.sval, "ORDER BY")
            down = sort.sortby_dir == pb.SORTBY_DESC
            last = sort.sortby_nulls == pb.SORTBY_NULLS_LAST or (
                sort.sortby_nulls == pb.SORTBY_NULLS_DEFAULT and not down
            )
            if outputs:
                shaky = shaky or any(not gather.stays_behind(column, down=down, last=last) for column in outputs)
                continue
            inside = Found()
            refs = self.look(node, scope, "ORDER BY", inside)
            plain = node.WhichOneof("node") == "column_ref"
            if plain:
                counts = down and refs[0].grows and not refs[0].bits & block.level.nullable
            else:
                counts = down and block.steady and gather.grows_with_rows(node)
            fragile = outer.fragile(block, refs, plain=plain)
            moves = inside.computed or fragile == 2 or (fragile == 1 and not last)
            shaky = shaky or (moves and not counts)
            found.add(inside)
            if block.gathers == "distinct" and not any(
                refs == [source] for one in block.outputs if one.plain for source in one.sources
            ):
                block.gathers = ""
                query.obstacles.append("DISTINCT")
        if found.window and not query.operation and "a window function" not in query.obstacles:
            query.obstacles.append("a window function")
        if found.aggregate and not query.operation and not block.aggregated:
            block.aggregated, block.gathers = True, "group"
        block.sublinks += found.sublinks
        block.listed += found.sublinks
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
            query.obstacles.append("WITH TIES")
        for given, node in (("limit_count", select.limit_count), ("limit_offset", select.limit_offset)):
            if select.HasField(given):
                self.expressions.read(node, EMPTY, "LIMIT")
                query.limited = True


def _settles_inside(block: Block) -> bool:
    queries = [relation.query for relation in block.relations] + [link.query for link in block.sublinks]
    return any(query is not None and query.settles_inside for query in queries)
