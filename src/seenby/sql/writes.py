"""UPDATE, DELETE and INSERT of a grant that may change rows -> a WritePlan (docs/adr/0013).

The user's conditions, values and RETURNING are read as a SELECT over the same table, so that names, masks and functions
mean and allow what they do there. Then the statement is put together again, over the grant's view::

    UPDATE videos SET visibility = 'hidden' WHERE id = $1 RETURNING caption
    SELECT caption, 'hidden' FROM videos WHERE id = $1                              what is read
    UPDATE v.videos videos SET visibility = 'hidden'
      FROM (SELECT videos."seenby$1" AS "seenby$b1", videos.id::text AS "seenby$b2", ..., videos.id AS "seenby$i1"
            FROM v.videos videos WHERE videos.id = $1 LIMIT 21) "seenby$b"
      WHERE videos.id = "seenby$b"."seenby$i1"
      RETURNING "seenby$b"."seenby$b1", ..., videos.id::text, ..., caption          what is run
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pb

from seenby.errors import NoGrant, Refused, Unsupported
from seenby.model.classes import Treatment
from seenby.model.plan import MAX_WRITTEN, OutputKey, WriteAction, WritePlan
from seenby.model.shape import Catalog, ShapeView, ViewWrites
from seenby.sql import tree, writes_refused
from seenby.sql.blocks import Block, Conjunct, Query
from seenby.sql.examined import examined
from seenby.sql.named import masked_use
from seenby.sql.parse import print_checked
from seenby.sql.read import Reader
from seenby.sql.scope import Relation, Shown
from seenby.sql.views import ViewIndex, Views

KINDS = {
    "update_stmt": WriteAction.UPDATE,
    "delete_stmt": WriteAction.DELETE,
    "insert_stmt": WriteAction.INSERT,
}
_BEFORE = "seenby$b"
_IDENTITY = "seenby$i"
_CONSTANTS = frozenset({"a_const", "param_ref"})

Statement = pb.UpdateStmt | pb.DeleteStmt | pb.InsertStmt


def decide(node: pb.Node, kind: str, views: Views | None, catalog: Catalog) -> WritePlan:
    """The plan of an UPDATE, DELETE or INSERT. Raises for everything that the grant does not let staff change."""
    action = KINDS[kind]
    statement = getattr(node, kind)
    name = statement.relation.relname
    if views is None:
        raise NoGrant(f"no grant is active, so table {name} is closed", hint="ask for one: seenby grant request --help")
    index = views.of(statement.relation.schemaname, name)
    writes = index.view.writes
    if writes is None or not _allows(writes, action):
        raise writes_refused.not_given(action, index, views)
    _check_plain(statement, catalog)
    if isinstance(statement, pb.InsertStmt):
        return _insert(statement, index, writes, views, catalog)
    return _change(statement, action, index, writes, views, catalog)


def _allows(writes: ViewWrites, action: WriteAction) -> bool:
    if action is WriteAction.DELETE:
        return writes.delete
    return bool(writes.update if action is WriteAction.UPDATE else writes.insert)


# ---------------------------------------------------------------- UPDATE and DELETE


def _change(
    statement: pb.UpdateStmt | pb.DeleteStmt,
    action: WriteAction,
    index: ViewIndex,
    writes: ViewWrites,
    views: Views,
    catalog: Catalog,
) -> WritePlan:
    update = statement if isinstance(statement, pb.UpdateStmt) else None
    others = update.from_clause if update is not None else statement.using_clause
    if others:
        raise Unsupported(
            f"{action.value} with a second table is not used here",
            hint="find the keys with a SELECT, and name them: WHERE id IN (...)",
        )
    if not statement.HasField("where_clause"):
        raise writes_refused.not_pinned(index, writes)
    targets = _targets(update, index, writes) if update is not None else []
    read = _Read(statement.relation, statement.returning_clause, views, catalog)
    read.select.where_clause.CopyFrom(statement.where_clause)
    read.values([target.res_target.val for target in targets])
    read.now()
    if not _pinned(read.query.blocks[0].conjuncts, writes, index.view):
        raise writes_refused.not_pinned(index, writes)
    relation, before = read.relation, _Before(read, writes)
    node = pb.Node()
    made = node.update_stmt if update is not None else node.delete_stmt
    made.relation.CopyFrom(relation.node.range_var)
    (made.from_clause if update is not None else made.using_clause).append(before.subselect())
    made.where_clause.CopyFrom(before.same_row())
    hidden = before.columns()
    if update is not None:
        for target, value in zip(targets, read.set_values, strict=True):
            made.target_list.append(_assignment(target.res_target.name, value))
        hidden += [_as_text(relation.alias, name) for name in read.row]
    made.returning_clause.exprs.extend([*hidden, *read.returning])
    named = [target.res_target.name for target in targets]
    return replace(read.plan(action, print_checked(node), named), examined=_examined(read.query.blocks[0], views))


def _targets(update: pb.UpdateStmt, index: ViewIndex, writes: ViewWrites) -> list[pb.Node]:
    """The assignments, each to a column that the grant may change."""
    for node in update.target_list:
        target = node.res_target
        if target.indirection:
            raise Unsupported(
                "a part of a column cannot be set", hint=f"give {target.name} a whole value: SET {target.name} = ..."
            )
        kind = target.val.WhichOneof("node")
        if kind == "multi_assign_ref":
            raise Unsupported("SET (a, b) = ... is not used here", hint="write SET a = ..., b = ...")
        if kind == "set_to_default":
            raise Unsupported("SET ... = DEFAULT is not used here", hint="write the value itself")
        if target.name not in writes.update:
            raise writes_refused.column_not_given(
                f"update {index.label}.{target.name}", index, target.name, writes.update
            )
    return list(update.target_list)


def _assignment(name: str, value: pb.Node) -> pb.Node:
    node = pb.Node()
    node.res_target.name = name
    node.res_target.val.CopyFrom(value)
    return node


def _pinned(conjuncts: Iterable[Conjunct], writes: ViewWrites, view: ShapeView) -> bool:
    """Whether the conditions fix the primary key, or the key of a person, to constants or parameters."""
    fixed = {name for conjunct in conjuncts if (name := _fixed(conjunct))}
    return fixed >= set(writes.key) or any(key.pins in fixed for key in view.keys if key.pins)


def _examined(block: Block, views: Views) -> str | None:
    """Who is asked about if no row fits. None: anybody.

    Of a list only those are found who have rows in this table, and a row of several people tells about each of them.
    """
    pins = [one.node.a_expr.kind for one in block.conjuncts if one.pins is not None and one.node is not None]
    if len(block.relations[0].keys) != 1 or any(kind != pb.AEXPR_OP for kind in pins):
        return None
    return examined([block], views, 1000)  # more are in no grant that may change rows


def _fixed(conjunct: Conjunct) -> str:
    """The column in ``column = constant``, ``column IN (constants)`` or ``column = ANY (constant)``; "" otherwise."""
    node = conjunct.node
    if node is None or node.WhichOneof("node") != "a_expr" or len(conjunct.refs) != 1:
        return ""
    expr = node.a_expr
    if expr.name[-1].string.sval != "=" or expr.kind not in {pb.AEXPR_OP, pb.AEXPR_IN, pb.AEXPR_OP_ANY}:
        return ""
    column, value = expr.lexpr, expr.rexpr
    if column.WhichOneof("node") != "column_ref" and expr.kind == pb.AEXPR_OP:
        column, value = value, column
    return conjunct.refs[0].name if column.WhichOneof("node") == "column_ref" and _constant(value) else ""


def _constant(node: pb.Node) -> bool:
    kind = node.WhichOneof("node")
    if kind == "type_cast":
        return _constant(node.type_cast.arg)
    if kind in {"list", "a_array_expr"}:
        items = node.list.items if kind == "list" else node.a_array_expr.elements
        return all(_constant(item) for item in items)
    return kind in _CONSTANTS


class _Before:
    """The rows that are about to change, as a subquery beside the statement: at most one more than may change."""

    def __init__(self, read: _Read, writes: ViewWrites) -> None:
        self._read = read
        self._alias = read.relation.alias
        self._key = writes.key

    def subselect(self) -> pb.Node:
        select = pb.SelectStmt(op=pb.SETOP_NONE, limit_option=pb.LIMIT_OPTION_COUNT)
        for place, key in enumerate(self._read.relation.keys, start=1):
            select.target_list.append(tree.column_target(self._alias, key.name, f"{_BEFORE}{place}"))
        first = len(self._read.relation.keys) + 1
        for place, name in enumerate(self._read.row, start=first):
            select.target_list.append(_as_text(self._alias, name, f"{_BEFORE}{place}"))
        for place, name in enumerate(self._key, start=1):
            select.target_list.append(tree.column_target(self._alias, name, f"{_IDENTITY}{place}"))
        select.from_clause.append(self._read.relation.node)
        select.where_clause.CopyFrom(self._read.select.where_clause)
        select.limit_count.a_const.ival.ival = MAX_WRITTEN + 1
        node = pb.Node()
        node.range_subselect.subquery.select_stmt.CopyFrom(select)
        node.range_subselect.alias.aliasname = _BEFORE
        return node

    def same_row(self) -> pb.Node:
        pairs = enumerate(self._key, start=1)
        return tree.conjunction(
            [tree.equality((self._alias, name), (_BEFORE, f"{_IDENTITY}{place}")) for place, name in pairs]
        )

    def columns(self) -> list[pb.Node]:
        """Person keys and the row as it was, for RETURNING."""
        number = len(self._read.relation.keys) + len(self._read.row)
        return [tree.column_target(_BEFORE, f"{_BEFORE}{place}") for place in range(1, number + 1)]


# ---------------------------------------------------------------- INSERT


def _insert(
    statement: pb.InsertStmt, index: ViewIndex, writes: ViewWrites, views: Views, catalog: Catalog
) -> WritePlan:
    if statement.HasField("on_conflict_clause"):
        raise Unsupported("ON CONFLICT is not used here", hint="leave it out: the database makes the key of a new row")
    if statement.override not in {pb.OVERRIDING_NOT_SET, pb.OVERRIDING_KIND_UNDEFINED}:
        raise Refused("OVERRIDING is not used here", hint="leave it out: the database makes the key of a new row")
    names = [node.res_target.name for node in statement.cols]
    if not names:
        raise Unsupported(
            "INSERT names its columns here", hint=f"INSERT INTO {index.label} ({', '.join(writes.insert)}) VALUES ..."
        )
    for node in statement.cols:
        if node.res_target.indirection:
            raise Unsupported("a part of a column cannot be given", hint="give the whole value")
        name = node.res_target.name
        if name in writes.forced:
            raise Refused(
                f"the database fills {index.label}.{name} itself: who wrote the row, and when", hint="leave it out"
            )
        if name not in writes.insert:
            raise writes_refused.column_not_given(
                f"give a new row of {index.label} a value of {name}", index, name, writes.insert
            )
    values = statement.select_stmt.select_stmt
    if not values.values_lists or values.sort_clause or values.HasField("limit_count"):
        raise Unsupported("INSERT takes VALUES here, no query", hint="INSERT INTO ... (...) VALUES (...)")
    if len(values.values_lists) > MAX_WRITTEN:
        raise writes_refused.too_many()
    given = Reader(views, catalog)
    given.statement(values)
    read = _Read(statement.relation, statement.returning_clause, views, catalog)
    read.now()
    for column in read.query.outputs:
        if column.masked:
            raise masked_use(column.masked, "RETURNING of a new row")
    relation = read.relation
    node = pb.Node()
    made = node.insert_stmt
    made.relation.CopyFrom(relation.node.range_var)
    made.cols.extend(statement.cols)
    made.select_stmt.select_stmt.CopyFrom(values)
    made.override = pb.OVERRIDING_NOT_SET
    hidden = [tree.column_target(relation.alias, key.name) for key in relation.keys]
    hidden += [_as_text(relation.alias, name) for name in read.row]
    made.returning_clause.exprs.extend([*hidden, *read.returning])
    return read.plan(WriteAction.INSERT, print_checked(node), names, parameters=given.expressions.parameters)


# ---------------------------------------------------------------- both


@dataclass(slots=True)
class _Reading:
    query: Query
    relation: Relation


class _Read:
    """One table, a condition, and what is returned and set, read as a SELECT."""

    def __init__(self, relation: pb.RangeVar, returning: pb.ReturningClause, views: Views, catalog: Catalog) -> None:
        if returning.options:
            raise Unsupported(
                "RETURNING WITH is not used here", hint="seenby preview shows the rows before and after the change"
            )
        self._reader = Reader(views, catalog)
        self.select = pb.SelectStmt(op=pb.SETOP_NONE, limit_option=pb.LIMIT_OPTION_DEFAULT)
        self.select.from_clause.add().range_var.CopyFrom(relation)
        self.select.target_list.extend(returning.exprs)
        self._set = 0
        self._done: _Reading | None = None

    def values(self, values: Sequence[pb.Node]) -> None:
        """The new values stand behind what is returned."""
        self._set = len(values)
        for value in values:
            self.select.target_list.add().res_target.val.CopyFrom(value)

    def now(self) -> None:
        """Reads it. Raises what a SELECT would, and for a new value that could fail or that is masked."""
        query = self._reader.statement(self.select)
        if query.obstacles or len(query.blocks) != 1 or len(query.blocks[0].relations) != 1:
            raise Unsupported("a change is made of one table's columns, constants and parameters", hint=_SIMPLE)
        for column in query.outputs[len(query.outputs) - self._set :]:
            if column.masked:
                raise masked_use(column.masked, "SET")
            if not column.total:
                raise Unsupported("a new value must be one that cannot fail, whatever the row holds", hint=_SIMPLE)
        for column in query.outputs:
            column.use()
        self._done = _Reading(query, query.blocks[0].relations[0])

    @property
    def query(self) -> Query:
        assert self._done is not None
        return self._done.query

    @property
    def relation(self) -> Relation:
        assert self._done is not None
        return self._done.relation

    @property
    def row(self) -> list[str]:
        """The columns whose plain value the grant shows in every row."""
        index = self.relation.index
        assert index is not None
        return [column.name for column in index.view.columns if column.treatment is Treatment.REVEAL]

    @property
    def returning(self) -> list[pb.Node]:
        return list(self.select.target_list)[: len(self.query.outputs) - self._set]

    @property
    def set_values(self) -> list[pb.Node]:
        return [node.res_target.val for node in list(self.select.target_list)[len(self.query.outputs) - self._set :]]

    def plan(self, action: WriteAction, sql: str, changed: Sequence[str], *, parameters: int = 0) -> WritePlan:
        relation = self.relation
        index = relation.index
        assert index is not None
        named = self.row if action is WriteAction.DELETE else changed
        used: set[Shown] = {*relation.uses}
        used |= {(f"{index.label}.{name}", index.columns[name].data_class) for name in named}
        shown = tuple(sorted(used))
        return WritePlan(
            action=action,
            sql=sql,
            keys=tuple(OutputKey(key.kind, shown) for key in relation.keys),
            row=tuple((name, index.columns[name].data_class) for name in self.row),
            identity=index.view.writes.key if index.view.writes else (),
            visible=len(self.query.outputs) - self._set,
            table=index.label,
            changed=tuple(sorted(f"{index.label}.{name}" for name in changed)),
            tables=(index.label,),
            columns=tuple(label for label, _ in shown),
            classes=tuple(sorted({data_class for _, data_class in shown})),
            parameters=max(parameters, self._reader.expressions.parameters),
        )


_SIMPLE = "use constants, parameters, and columns of the row with operators and functions that cannot fail"
_NO_PLACE = {
    "sub_link": "a subquery",
    "grouping_func": "GROUPING",
    "with_clause": "WITH",
    "set_to_default": "DEFAULT",
}


def _check_plain(statement: Message, catalog: Catalog) -> None:
    """Refuses what could read another row: subqueries, WITH, aggregates, windows, functions that make rows."""
    for field, value in statement.ListFields():
        if field.message_type is None:
            continue
        for one in value if field.is_repeated else (value,):
            kind = one.WhichOneof("node") if isinstance(one, pb.Node) else field.name
            if kind == "set_to_default" and isinstance(statement, pb.ResTarget):
                continue  # SET x = DEFAULT has words of its own
            if kind in _NO_PLACE:
                raise Unsupported(f"{_NO_PLACE[kind]} is not used in a change", hint=_SIMPLE)
            if isinstance(one, pb.FuncCall):
                name = one.funcname[-1].string.sval if one.funcname else ""
                if one.HasField("over") or name in catalog.aggregates | catalog.windows | catalog.set_returning:
                    raise Unsupported(f"{name} looks at more than one row, or makes several of one", hint=_SIMPLE)
            _check_plain(one, catalog)


def _as_text(alias: str, name: str, output: str = "") -> pb.Node:
    """``alias.name::text AS output``."""
    node = pb.Node()
    if output:
        node.res_target.name = output
    cast = node.res_target.val.type_cast
    cast.arg.CopyFrom(tree.column_target(alias, name).res_target.val)
    cast.type_name.names.add().string.sval = "text"
    cast.type_name.typemod = -1
    return node
