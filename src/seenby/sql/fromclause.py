"""FROM: tables, subqueries and CTEs become relations of a block; joins say which column a name means above them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from postgast import pg_query_pb2 as pb

from seenby.errors import NoGrant, Refused, SyntaxFailed, UnknownColumn, Unsupported
from seenby.sql import outer
from seenby.sql.blocks import Block, Conjunct, Join, Query
from seenby.sql.scope import Column, Key, Merged, Relation, Scope, doubled, masked_use, own_name
from seenby.sql.views import Views

_JOIN_KINDS = frozenset({pb.JOIN_INNER, pb.JOIN_LEFT, pb.JOIN_RIGHT, pb.JOIN_FULL})
_FROM_WORDS = {
    "range_function": ("a function in FROM", "select from tables; functions may stand in the select list and in WHERE"),
    "range_table_sample": ("TABLESAMPLE", "use LIMIT, or a condition on a key"),
    "range_table_func": ("XMLTABLE", "select the column itself"),
    "json_table": ("JSON_TABLE", "select the column itself, or use -> and ->>"),
}


@dataclass(slots=True, eq=False)
class Cte:
    """A WITH entry: its columns and keys are copied into every reference."""

    outputs: list[Column]
    keys: list[Key]


Ctes = Mapping[str, Cte]


class FromReader(ABC):
    """Reads FROM clauses. ``relations`` gathers the views of the statement, wherever they stand."""

    def __init__(self, views: Views | None) -> None:
        self._views = views
        self.relations: list[Relation] = []

    @abstractmethod
    def query(self, select: pb.SelectStmt, ctes: Ctes) -> Query:
        """Reads a subquery."""

    @abstractmethod
    def carried(self, query: Query, place: str) -> list[Key]:
        """Makes a subquery give its keys as its last columns."""

    @abstractmethod
    def conditions(self, node: pb.Node, scope: Scope, block: Block, join: Join | None, use: str) -> None:
        """Reads WHERE or ON."""

    def item(self, node: pb.Node, block: Block, ctes: Ctes) -> tuple[Scope, list[Join]]:
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
            if names and view.columns:
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
        keys = self.carried(query, "the subquery" + ("" if alias.startswith("seenby$") else f" {alias}"))
        names = [own_name(name.string.sval) for name in part.alias.colnames]
        outputs = renamed(query, names, f'table "{alias}"')
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
        left, left_joins = self.item(node.larg, block, ctes)
        right, right_joins = self.item(node.rarg, block, ctes)
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
            self.conditions(node.quals, scope, block, join, "JOIN ... ON")
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
