"""EXPLAIN (COSTS OFF) of a SELECT, under a grant that names its people (shape.fenced). Everything else is refused.

The SELECT is read as if it were to run, so what may not be asked may not be explained. What Postgres then explains is
the user's statement over the grant's views, without the person keys that would travel with its rows. Postgres is
always asked for JSON with every name spelled in full; explained.py keeps what the grant may show of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pb

from seenby.errors import Refused, Unsupported, UsageError
from seenby.model.plan import Bound, Explaining, Plan, QueryPlan
from seenby.model.shape import Catalog, Shape
from seenby.sql.parse import check_printed, deparse
from seenby.sql.read import Reader
from seenby.sql.views import Views

FORMS = ("text", "xml", "json", "yaml")
_SPELLING = "write  EXPLAIN (COSTS OFF) SELECT ..."
_ASK = "EXPLAIN (COSTS OFF, VERBOSE, FORMAT JSON) "
_CLOSED = {
    "analyze": "EXPLAIN ANALYZE counts rows beyond those that it shows",
    "buffers": "BUFFERS counts pages beyond those of the grant's rows",
    "wal": "WAL counts what the statement read and wrote",
    "timing": "TIMING tells how long rows beyond the grant took",
    "summary": "SUMMARY tells how long planning took",
    "memory": "MEMORY tells of the planner's insides",
    "serialize": "SERIALIZE runs the statement",
    "generic_plan": "a generic plan is not shown here",
    "settings": "SETTINGS tells of the server's settings",
    "verbose": "VERBOSE names what the grant's views are made of",
}
"""Options that stay off, and why."""
_ON, _OFF = frozenset({"true", "on", "1"}), frozenset({"false", "off", "0"})


def decide(
    statement: pb.ExplainStmt, analyse: Callable[[pb.SelectStmt], Plan], views: Views | None, catalog: Catalog
) -> QueryPlan:
    """``analyse``: what is decided of the SELECT itself; it may change the tree that it is given.

    Raises whatever that refuses, and Unsupported, Refused or UsageError (22023) for what is not explained.
    """
    if views is None or not views.shape.fenced:
        raise Unsupported(
            "EXPLAIN is not answered under this grant: plans tell of rows outside of it",
            hint="run the query itself; a grant for named people answers  EXPLAIN (COSTS OFF) SELECT ...",
        )
    form = _form(statement.options)
    if statement.query.WhichOneof("node") != "select_stmt":
        raise Unsupported("EXPLAIN is answered for a SELECT only", hint=_SPELLING)
    select = pb.SelectStmt.FromString(statement.query.select_stmt.SerializeToString())
    names, columns, constants = _words(select)
    plan = analyse(statement.query.select_stmt)
    if not isinstance(plan, QueryPlan) or not plan.tables:
        raise Unsupported(
            "EXPLAIN shows how tables of the platform are read, and this statement reads none", hint="run it"
        )
    if plan.bound is Bound.STATISTIC:
        raise Refused("this grant answers with statistics only, not with plans", hint="run the query itself")
    query = Reader(views, catalog).statement(select)
    for column in query.outputs:
        column.use()
    text = deparse(query.select)
    check_printed(text, query.select)
    return replace(
        QueryPlan(_ASK + text, Bound.NOBODY, 1),
        tables=plan.tables,
        parameters=plan.parameters,
        tag="EXPLAIN",
        explains=Explaining(
            form=form,
            tables=frozenset(views.shape.views),
            names=names,
            columns=columns | _shown(views.shape),
            constants=constants,
            functions=catalog.functions,
            types=catalog.types,
        ),
    )


def _shown(shape: Shape) -> frozenset[str]:
    return frozenset(column.name for view in shape.views.values() for column in view.columns)


def _form(options: list[pb.Node]) -> str:
    """The FORMAT. As in Postgres, the last one of a name counts."""
    given = {option.def_elem.defname: _text(option.def_elem.arg) for option in options}
    form = given.pop("format", "text")
    for name, value in given.items():
        if name == "costs":
            continue
        if name not in _CLOSED:
            raise Unsupported(f"EXPLAIN has no option {name.upper()} here", hint=_SPELLING)
        if not (name == "serialize" and value == "none") and _is_on(name, value):
            raise Unsupported(f"{_CLOSED[name]}, so it is not answered here", hint=_SPELLING)
    if _is_on("costs", given.get("costs", "true")):
        raise Unsupported("EXPLAIN shows estimates unless it is told not to, and none are shown here", hint=_SPELLING)
    if form not in FORMS:
        raise UsageError(f'EXPLAIN format "{form}" not recognized', hint=f"use {', '.join(FORMS)}")
    return form


def _is_on(name: str, value: str) -> bool:
    if value not in _ON | _OFF:
        raise UsageError(f'EXPLAIN {name.upper()} cannot be "{value}"', hint=f"say {name.upper()} OFF")
    return value in _ON


def _text(node: pb.Node) -> str:
    """An option's value in lower case; an option without one is on."""
    match node.WhichOneof("node"):
        case None:
            return "true"
        case "string":
            return str(node.string.sval).lower()
        case "boolean":
            return "true" if node.boolean.boolval else "false"
        case "integer":
            return str(node.integer.ival)
    raise UsageError("this is no value of an EXPLAIN option", hint=_SPELLING)


def _words(select: pb.SelectStmt) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """The user's own: names of what they read from, names that they give to columns, constants."""
    names: set[str] = set()
    columns: set[str] = set()
    constants: set[str] = set()
    for message in _messages(select):
        match message:
            case pb.RangeVar():
                names.add(message.relname)
            case pb.Alias():
                names.add(message.aliasname)
                columns.update(one.string.sval for one in message.colnames)
            case pb.CommonTableExpr():
                names.add(message.ctename)
                columns.update(one.string.sval for one in message.aliascolnames)
            case pb.FuncCall() if message.funcname:
                names.add(message.funcname[-1].string.sval)
                columns.add(message.funcname[-1].string.sval)
            case pb.ResTarget():
                columns.add(message.name)
            case pb.A_Const():
                constants.add(constant(message))
    return frozenset(names), frozenset(columns), frozenset(constants)


def constant(node: pb.A_Const) -> str:
    """A constant as text; of NULL "NULL"."""
    match node.WhichOneof("val"):
        case "ival":
            return str(node.ival.ival)
        case "fval":
            return str(node.fval.fval)
        case "boolval":
            return "true" if node.boolval.boolval else "false"
        case "sval":
            return str(node.sval.sval)
        case "bsval":
            return str(node.bsval.bsval)
    return "NULL"


def _messages(message: Message) -> Iterator[Message]:
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for one in value if field.is_repeated else (value,):
                yield from _messages(one)
