"""FROM: tables, subqueries and CTEs become relations of a block; joins say which column a name means above them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from postgast import pg_query_pb2 as pb

from seenby.errors import NoGrant, Refused, SyntaxFailed, UnknownColumn, Unsupported
from seenby.sql import outer, series
from seenby.sql.blocks import Block, Conjunct, Item, Join, Query
from seenby.sql.expressions import Expressions
from seenby.sql.named import masked_use, own_name
from seenby.sql.scope import Column, Key, Level, Merged, Relation, Scope, doubled
from seenby.sql.views import Views

_JOIN_KINDS = frozenset({pb.JOIN_INNER, pb.JOIN_LEFT, pb.JOIN_RIGHT, pb.JOIN_FULL})
_FROM_WORDS = {
    "range_table_sample": ("TABLESAMPLE", "use LIMIT, or a condition on a key"),
    "range_table_func": ("XMLTABLE", "select the column itself"),
    "json_table": ("JSON_TABLE", "select the column itself, or use -> and ->>"),
}


@dataclass(slots=True, eq=False)
class Cte:
    """A WITH entry: its columns and keys are copied into every reference.

    ``own``: what the second part of a recursive one reads of itself. ``outwards``: the tables of SELECTs around it that
    it names.
    """

    query: Query
    outputs: list[Column]
    keys: list[Key]
    own: bool = False
    outwards: tuple[tuple[Level, Relation], ...] = ()


Ctes = Mapping[str, Cte]


class FromReader(ABC):
    """Reads FROM clauses. ``relations`` gathers the views of the statement, wherever they stand."""

    expressions: Expressions

    def __init__(self, views: Views | None) -> None:
        self.views = views
        self.relations: list[Relation] = []
        self.moved: list[tuple[str, str, tuple[Level, ...]]] = []
        """Where a WITH query is named: what it names of further out, and the SELECTs in between."""

    @abstractmethod
    def query(self, select: pb.SelectStmt, ctes: Ctes, parent: Scope | None) -> Query:
        """Reads a subquery. ``parent``: the SELECT around it, whose columns it may name."""

    @abstractmethod
    def carried(self, query: Query) -> list[Key]:
        """Makes a subquery give its keys as its last columns, if it can."""

    @abstractmethod
    def conditions(self, node: pb.Node, scope: Scope, block: Block, join: Join | None, use: str) -> None:
        """Reads WHERE or ON."""

    def item(self, node: pb.Node, block: Block, ctes: Ctes, beside: Scope) -> tuple[Scope, Item, list[Join]]:
        """One entry of FROM. ``beside``: what stands before it, which LATERAL may name."""
        kind = node.WhichOneof("node")
        if kind == "join_expr":
            return self._join(node.join_expr, block, ctes, beside)
        if kind == "range_var":
            relation = self._table(node, block, ctes)
        elif kind == "range_subselect":
            relation = self._subquery(node, block, ctes, beside)
        elif kind == "range_function":
            relation = self._function(node, block, beside)
        else:
            words, hint = _FROM_WORDS.get(kind or "", ((kind or "").replace("_", " "), "select from tables"))
            raise Unsupported(f"{words} cannot be attributed to people yet", hint=hint)
        block.relations.append(relation)
        scope = Scope({relation.alias: relation}, parent=block.scope.parent, level=block.level, ctes=ctes)
        return scope, relation, []

    def _table(self, node: pb.Node, block: Block, ctes: Ctes) -> Relation:
        var = node.range_var
        alias = own_name(var.alias.aliasname) if var.HasField("alias") else ""
        names = [own_name(name.string.sval) for name in var.alias.colnames] if alias else []
        bit = 1 << len(block.relations)
        if var.catalogname:
            raise Refused("another database cannot be named", hint="write schema.table at most")
        cte = ctes.get(var.relname) if not var.schemaname else None
        if cte is not None:
            relation = _copied(alias or var.relname, bit, node, cte.query, cte.outputs, cte.keys, names)
            relation.query, relation.own = (None, cte.query) if cte.own else (cte.query, None)
            for level, named in cte.outwards:
                level.used |= named.bit
                around = [scope.level for scope in ancestors(block.scope.parent)]
                inside = around[: around.index(level)] if level in around else around
                self.moved.append((var.relname, named.alias, tuple(inside)))
            return relation
        if self.views is None:
            raise NoGrant(
                f"no grant is active, so table {var.relname} is closed",
                hint="ask for one: seenby grant request --help",
            )
        if not var.inh:
            raise Unsupported("FROM ONLY is not used here", hint="leave ONLY out")
        index = self.views.of(var.schemaname, var.relname)
        view = index.view
        relation = Relation(alias or var.relname, bit, node, index, "" if alias else view.schema)
        relation.keys = [Key(key.kind, relation, key.name, [relation.uses]) for key in view.keys]
        if names and view.columns:
            _check_width(names, len(view.columns), f'table "{relation.alias}"')
            relation.rename(names)
        var.schemaname, var.relname = view.view_schema, view.view
        if not alias:
            var.alias.aliasname = relation.alias
        self.relations.append(relation)
        return relation

    def _subquery(self, node: pb.Node, block: Block, ctes: Ctes, beside: Scope) -> Relation:
        part = node.range_subselect
        if part.HasField("alias"):
            alias = own_name(part.alias.aliasname)
        else:
            alias = part.alias.aliasname = f"seenby$t{len(block.relations)}"
        before, block.level.used = block.level.used, 0
        query = self.query(part.subquery.select_stmt, ctes, beside if part.lateral else block.scope.parent)
        needs, block.level.used = block.level.used, before | block.level.used
        keys = self.carried(query)
        names = [own_name(name.string.sval) for name in part.alias.colnames]
        outputs = renamed(query, names, f'table "{alias}"')
        relation = _copied(alias, 1 << len(block.relations), node, query, outputs, keys, [])
        relation.query, relation.lateral, relation.needs = query, part.lateral, needs
        return relation

    def _function(self, node: pb.Node, block: Block, beside: Scope) -> Relation:
        before, block.level.used = block.level.used, 0
        relation = series.read(node, len(block.relations), beside, self.expressions)
        block.sublinks += self.expressions.found.sublinks
        for column in (column for ordered in relation.ordered or () for column in ordered.sources):
            if column.level is None:
                relation.needs |= column.bits
        relation.needs |= block.level.used
        block.level.used |= before
        return relation

    def _join(self, node: pb.JoinExpr, block: Block, ctes: Ctes, beside: Scope) -> tuple[Scope, Item, list[Join]]:
        if node.HasField("alias") or node.HasField("join_using_alias"):
            raise Unsupported("a join cannot have an alias here", hint="give the tables aliases instead")
        if node.jointype not in _JOIN_KINDS:
            raise Unsupported("this kind of join is not known", hint="use JOIN, LEFT, RIGHT or FULL JOIN")
        left, left_item, left_joins = self.item(node.larg, block, ctes, beside)
        right, right_item, right_joins = self.item(node.rarg, block, ctes, together(beside, left))
        if node.is_natural:
            _spell_out(node, left, right)
        join = Join(
            node.jointype,
            sum(relation.bit for relation in left.relations.values()),
            sum(relation.bit for relation in right.relations.values()),
            node,
            tuple(left_joins + right_joins),
            sides=(left_item, right_item),
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
            self.conditions(node.quals, scope, block, join, "JOIN ... ON")
        block.joins.append(join)
        return scope, join, [join]

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
        sure = all(column.total for column in sides)
        conjunct = Conjunct(None, sides, sides[0].bits | sides[1].bits, sure, join)
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


def ancestors(scope: Scope | None) -> Iterator[Scope]:
    """A scope and those around it."""
    while scope is not None:
        yield scope
        scope = scope.parent


def together(first: Scope, second: Scope) -> Scope:
    """What LATERAL may name: both."""
    both = Scope(parent=first.parent, level=first.level, ctes=first.ctes)
    for scope in (first, second):
        both.relations |= scope.relations
        both.merged = both.merged + scope.merged
    return both


def _spell_out(node: pb.JoinExpr, left: Scope, right: Scope) -> None:
    """NATURAL JOIN -> JOIN ... USING (every name that both sides have)."""
    hidden = {name for one in right.relations.values() if one.index for name in one.index.refused}
    for relation in left.relations.values():
        for name in relation.index.refused if relation.index else ():
            if name in hidden or any(column.name == name for column in right.columns()):
                raise Unsupported(
                    f"NATURAL JOIN would also join on {name}, which the grant hides", hint="write USING (...)"
                )
    there = {column.name for column in right.columns()}
    for name in dict.fromkeys(column.name for column in left.columns()):
        if name in hidden:
            raise Unsupported(
                f"NATURAL JOIN would also join on {name}, which the grant hides", hint="write USING (...)"
            )
        if name in there:
            node.using_clause.add().string.sval = name
    node.is_natural = False
    if not node.using_clause and node.jointype == pb.JOIN_INNER:
        node.quals.a_const.boolval.boolval = True
    elif not node.using_clause:
        raise Unsupported("the sides of NATURAL JOIN have no column in common", hint="write ON")


def _members(scope: Scope, column: Column, name: str) -> tuple[Relation, ...]:
    if column.relation is not None:
        return (column.relation,)
    return next(merged.members for merged in scope.merged if merged.column.name == name)


def _check_width(names: list[str], width: int, what: str) -> None:
    if len(names) > width:
        # Without this a name too many would name one of our key columns.
        raise SyntaxFailed(f"{what} has {width} columns available but {len(names)} columns specified")


def renamed(query: Query, names: list[str], what: str) -> list[Column]:
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


def _copied(
    alias: str, bit: int, node: pb.Node, query: Query, outputs: list[Column], keys: list[Key], names: list[str]
) -> Relation:
    """A reference to a subquery or CTE: its outputs as columns of a relation."""
    unsure = query.limited or bool(query.recursion)
    relation = Relation(alias, bit, node)
    _check_width(names, len(outputs), f'table "{alias}"')
    places = {id(key): Key(key.kind, relation, key.name, key.uses, many=key.many) for key in keys}
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
                fragile=2 if unsure else output.fragile,
                grows=output.grows and not unsure,
                possible=output.possible or (unsure and output.fragile == 0),
                sources=(output,),
            )
        )
    relation.columns = {column.name: column for column in relation.ordered}
    relation.doubled = doubled([column.name for column in relation.ordered])
    return relation
