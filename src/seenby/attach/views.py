"""Whose rows a view's are, read from its query: exact, or refused with a sentence.

A row of a plain view (tables joined, some of their rows and columns) is made of one row of each table in FROM, and
belongs to all people to whom these belong. Each must be found from the view's own columns: by the column that leads to
the person, or by a key of the table.

    SELECT o.id, c.email FROM orders o JOIN customers c ON c.id = o.customer_id
    -> o's person: id -> orders.id, customer_id;  c's: the same, because ON makes c.id equal to o.customer_id

``pg_get_viewdef`` prints the query; with an empty search_path every name is qualified (PostgreSQL documentation, 9.27).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError, Message
from postgast import PgQueryError, parse
from postgast import pg_query_pb2 as pb

from seenby.attach.classify import SENSITIVE
from seenby.attach.inspection import FoundTable, Inspection, RelationKind, listing, writable
from seenby.attach.ownership import MOST_OWNERS
from seenby.datamap import Hop, OwnerPath, TableName
from seenby.model.classes import DataClass

_DEEPEST = 9


@dataclass(frozen=True, slots=True)
class Known:
    """What a map says of a relation. ``refused``: nobody knows whose its rows are."""

    owners: tuple[OwnerPath, ...]
    columns: Mapping[str, DataClass | None] = field(hash=False)
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Derived:
    """One view. ``refused``: why nobody can say whose its rows are. No owners and not refused: about nobody.

    ``stored``: its rows are a copy (a materialized view), as of when it was last refreshed.
    """

    name: TableName
    stored: bool
    reads: tuple[TableName, ...]
    owners: tuple[OwnerPath, ...]
    columns: Mapping[str, DataClass | None] = field(hash=False)
    refused: str = ""


class _Inexact(Exception):
    """Why the query does not tell."""


@dataclass(frozen=True, slots=True)
class _Source:
    """One entry of FROM. ``outer``: a row of the view may do without it."""

    alias: str
    found: FoundTable
    known: Known
    outer: bool


_Place = tuple[str, str]
"""(alias, column)."""


def derive(inspection: Inspection, tables: Mapping[TableName, Known]) -> list[Derived]:
    """Every view and materialized view of the database. ``tables``: what is known of the tables."""
    known = dict(tables)
    made: dict[TableName, Derived] = {}

    def visit(name: TableName, above: tuple[TableName, ...]) -> None:
        table = inspection.tables[name]
        for used in table.uses:
            read = inspection.tables.get(used)  # not a partition, nor an extension's
            if read is not None and _is_view(read) and used not in made and used not in above:
                visit(used, (*above, name))
        one = made[name] = _derived(table, inspection, known)
        known[name] = Known(one.owners, one.columns, bool(one.refused))

    for name in sorted(name for name, table in inspection.tables.items() if _is_view(table)):
        if name not in made:
            visit(name, ())
    return [made[name] for name in sorted(made)]


def _is_view(table: FoundTable) -> bool:
    return table.kind in {RelationKind.VIEW, RelationKind.MATERIALIZED}


def _derived(table: FoundTable, inspection: Inspection, known: Mapping[TableName, Known]) -> Derived:
    stored = table.kind is RelationKind.MATERIALIZED
    unknown: dict[str, DataClass | None] = dict.fromkeys(table.columns)
    try:
        if not all(map(writable, table.name)):
            raise _Inexact("its name has a dot, a comma or a space, which a map cannot write")
        query = _Query(table, inspection, known)
        return Derived(table.name, stored, table.uses, query.owners(), query.classes())
    except _Inexact as why:
        return Derived(table.name, stored, table.uses, (), unknown, str(why))


class _Query:
    """A view's SELECT, read."""

    def __init__(self, table: FoundTable, inspection: Inspection, known: Mapping[TableName, Known]) -> None:
        self._inspection = inspection
        self._known = known
        self._sources: dict[str, _Source] = {}
        self._same: dict[_Place, _Place] = {}
        self._on: dict[_Place, _Place] = {}
        if table.obstacles:
            raise _Inexact(f"its query has {listing(table.obstacles)}, so its rows are not rows of a table")
        select = _select(table.definition)
        for node in select.from_clause:
            self._from(node, outer=False)
        if select.HasField("where_clause"):
            self._equalities(select.where_clause)
        _refuse_functions(select)
        targets = [node.res_target.val for node in select.target_list]
        if len(targets) != len(table.columns):
            raise _Inexact("its query could not be read")
        self._targets = dict(zip(table.columns, targets, strict=True))
        self._shown: dict[_Place, str] = {}
        self._equal: dict[_Place, str] = {}
        for name, value in self._targets.items():
            place = self._place(value)
            if place is not None and writable(name):
                self._shown.setdefault(place, name)
                self._equal.setdefault(self._root(place), name)

    # -- FROM -------------------------------------------------------------------------------------------------------

    def _from(self, node: pb.Node, *, outer: bool) -> None:
        kind = node.WhichOneof("node")
        if kind == "range_var":
            self._table(node.range_var, outer=outer)
        elif kind == "join_expr":
            join = node.join_expr
            if join.jointype not in {pb.JOIN_INNER, pb.JOIN_LEFT, pb.JOIN_RIGHT} or join.is_natural:
                raise _Inexact("its query has a FULL or NATURAL JOIN")
            if join.using_clause:
                raise _Inexact("its query joins with USING; write ON")
            self._from(join.larg, outer=outer or join.jointype == pb.JOIN_RIGHT)
            self._from(join.rarg, outer=outer or join.jointype == pb.JOIN_LEFT)
            if join.HasField("quals"):
                self._equalities(join.quals, always=join.jointype == pb.JOIN_INNER and not outer)
        else:
            raise _Inexact("its query reads something else than tables and views")

    def _table(self, var: pb.RangeVar, *, outer: bool) -> None:
        name = TableName(var.schemaname or "pg_catalog", var.relname)  # the only schema that is not printed
        found, known = self._inspection.tables.get(name), self._known.get(name)
        if found is not None and found.kind is RelationKind.FOREIGN:
            raise _Inexact(f"it reads {name}, a foreign table")
        if found is None or known is None:
            raise _Inexact(f"it reads {name}, which is a partition, or not the platform's")
        if known.refused:
            raise _Inexact(f"it reads {name}, whose people are not known")
        if var.alias.colnames:
            raise _Inexact(f"its query gives the columns of {name} other names")
        alias = var.alias.aliasname or var.relname
        self._sources[alias] = _Source(alias, found, known, outer)

    def _place(self, node: pb.Node) -> _Place | None:
        """The table's column that an expression simply is."""
        if node.WhichOneof("node") != "column_ref":
            return None
        fields = [one.string.sval for one in node.column_ref.fields]
        if len(fields) == 2 and fields[0] in self._sources and fields[1] in self._sources[fields[0]].found.columns:
            return fields[0], fields[1]
        holders = [alias for alias, one in self._sources.items() if fields[-1] in one.found.columns]
        return (holders[0], fields[0]) if len(fields) == 1 and len(holders) == 1 else None

    def _equalities(self, condition: pb.Node, *, always: bool = True) -> None:
        """Columns that are equal in every row of the view; or only where the optional side of a join is there."""
        if condition.WhichOneof("node") == "bool_expr" and condition.bool_expr.boolop == pb.AND_EXPR:
            for one in condition.bool_expr.args:
                self._equalities(one, always=always)
            return
        if condition.WhichOneof("node") != "a_expr" or condition.a_expr.kind != pb.AEXPR_OP:
            return
        expression = condition.a_expr
        left, right = self._place(expression.lexpr), self._place(expression.rexpr)
        if [one.string.sval for one in expression.name] == ["="] and left and right:
            one, other = (self._sources[alias].found.columns[column] for alias, column in (left, right))
            if one.base_name == other.base_name or (one.is_integer and other.is_integer):  # not text and char(8)
                if not always:
                    self._on |= {left: right, right: left}
                elif self._root(left) != self._root(right):
                    self._same[self._root(left)] = self._root(right)

    def _root(self, place: _Place) -> _Place:
        while place in self._same:
            place = self._same[place]
        return place

    # -- what follows -----------------------------------------------------------------------------------------------

    def owners(self) -> tuple[OwnerPath, ...]:
        """All people of all rows of which one is made."""
        told = {one.alias: self._of(one) for one in self._sources.values() if one.known.owners}
        kept = [self._sources[alias] for alias, paths in told.items() if paths]
        for one in kept[::-1]:
            if self._same_people(one, kept):
                kept.remove(one)
        for alias, paths in told.items():
            source = self._sources[alias]
            if not paths and not self._same_people(source, kept):
                name = source.found.name
                raise _Inexact(f"its columns have neither a key of {name} nor what leads from {name} to its people")
        found: dict[tuple[str, tuple[str, ...]], OwnerPath] = {}
        for one in kept:
            for owner in told[one.alias]:
                key = owner.kind, owner.path
                if key not in found or not owner.nullable:
                    found[key] = owner
        if len(found) > MOST_OWNERS:
            raise _Inexact(f"its rows belong to {len(found)} people each, more than the {MOST_OWNERS} of a map")
        if any(len(owner.path) > _DEEPEST for owner in found.values()):
            raise _Inexact("its people are further away than a path of a map can be long")
        return tuple(found[key] for key in sorted(found))

    def _same_people(self, source: _Source, others: Sequence[_Source]) -> bool:
        """Whether each owner of a row is, by an equality, also one of another table's row, which is always there."""
        beside = {
            self._person(one, owner)
            for one in others
            if one is not source and not one.outer
            for owner in one.known.owners
            if not owner.nullable
        } - {None}
        return all(self._person(source, owner) in beside for owner in source.known.owners)

    def _person(self, source: _Source, owner: OwnerPath) -> tuple[str, _Place] | None:
        """A person whose key the row itself has: the kind, and all columns that are equal to it."""
        if owner.hops:
            return None
        place = (source.alias, owner.column)
        return owner.kind, self._root(self._on.get(place, place) if source.outer else place)

    def _of(self, source: _Source) -> Sequence[OwnerPath]:
        """The owners of one table's rows, seen from the view's columns; none if these do not lead there."""
        if direct := self._renamed(source):
            return direct
        hop = self._key_hop(source)
        if hop is None:
            return ()
        return [
            OwnerPath(one.kind, (hop, *one.hops), one.column, one.nullable or source.outer)
            for one in source.known.owners
        ]

    def _named(self, alias: str, column: str) -> str:
        """The view's column that is this one, or equal to it; "" if there is none."""
        return self._shown.get((alias, column)) or self._equal.get(self._root((alias, column)), "")

    def _renamed(self, source: _Source) -> list[OwnerPath]:
        """The paths with the view's names in the first step, if it has all of these columns; else none."""
        made = []
        for one in source.known.owners:
            names = {column: self._named(source.alias, column) for column in one.starts}
            if not all(names.values()):
                return []
            nullable = one.nullable or source.outer
            if not one.hops:
                made.append(OwnerPath(one.kind, (), names[one.column], nullable))
                continue
            first = one.hops[0]
            when = (names[first.when[0]], first.when[1]) if first.when else None
            more = tuple((names[column], target) for column, target in first.more)
            hop = Hop(names[first.column], first.table, first.target, when, more, first.many)
            made.append(OwnerPath(one.kind, (hop, *one.hops[1:]), one.column, nullable))
        return made

    def _key_hop(self, source: _Source) -> Hop | None:
        """Back to the row itself, by a key of it that the view has."""
        table = source.found
        for key in sorted(
            table.unique if table.is_table else (), key=lambda one: (one != table.primary, len(one), one)
        ):
            names = [self._named(source.alias, column) for column in key]
            sure = all(table.columns[column].not_null and writable(column) for column in key)
            if key and sure and all(names):
                more = tuple(zip(names[1:], key[1:], strict=True))
                return Hop(names[0], table.name, key[0], None, more)
        return None

    def classes(self) -> dict[str, DataClass | None]:
        """Each column's class: the strictest of what it is made of; None where one of these has none."""
        found: dict[str, DataClass | None] = {}
        for name, value in self._targets.items():
            places = [self._place(node) for node in _column_nodes(value)]
            classes = [self._sources[one[0]].known.columns.get(one[1]) if one else None for one in places]
            known = [one for one in classes if one is not None]
            whole = known and len(known) == len(classes) and writable(name)
            found[name] = min(known, key=SENSITIVE.index) if whole else None
        return found


def _select(definition: str) -> pb.SelectStmt:
    try:
        (statement,) = parse(definition).stmts
    except (PgQueryError, DecodeError, ValueError):
        raise _Inexact("its query could not be read") from None
    select = statement.stmt.select_stmt
    if select.op != pb.SETOP_NONE:
        raise _Inexact("its query puts several together (UNION, INTERSECT or EXCEPT)")
    for name, told in _OBSTACLES:
        value = getattr(select, name)
        if select.HasField(name) if isinstance(value, Message) else bool(value):
            raise _Inexact(f"its query has {told}, so its rows are not rows of a table")
    return select


_OBSTACLES = (
    ("with_clause", "WITH"), ("distinct_clause", "DISTINCT"), ("group_clause", "GROUP BY"),
    ("having_clause", "HAVING"), ("limit_count", "LIMIT"), ("limit_offset", "OFFSET"), ("values_lists", "VALUES"),
    ("locking_clause", "FOR UPDATE"),
)  # fmt: skip


_READING = re.compile(r"(query|table|schema|database|cursor)_to_xml\w*|ts_stat|ts_rewrite|lo_\w+|loread|pg_\w+|\w+val")
"""Of Postgres's own (pg_proc.dat) those that look at tables, files, large objects, sequences or the server."""


def _refuse_functions(select: pb.SelectStmt) -> None:
    """The platform's own functions and operators may read any table, and so may some of Postgres's."""
    for message in _messages(select):
        names: Sequence[pb.Node] = ()
        if isinstance(message, pb.FuncCall):
            names = message.funcname
        elif isinstance(message, pb.A_Expr):
            names = message.name
        of_the_platform = len(names) > 1 and names[0].string.sval != "pg_catalog"
        if of_the_platform or (isinstance(message, pb.FuncCall) and _READING.fullmatch(names[-1].string.sval)):
            called = ".".join(one.string.sval for one in names)
            raise _Inexact(f"its query calls {called}, which may read anything")


def _column_nodes(node: pb.Node) -> Iterator[pb.Node]:
    for message in _messages(node):
        if isinstance(message, pb.Node) and message.WhichOneof("node") == "column_ref":
            yield message


def _messages(message: Message) -> Iterable[Message]:
    yield message
    for part, value in message.ListFields():
        if part.message_type is not None:
            for one in value if part.is_repeated else (value,):
                yield from _messages(one)
