"""Statements around a SELECT: PREPARE, DECLARE CURSOR, COPY ... TO STDOUT. What is inside is analysed like any other.

COPY's rows are those of the SELECT, written by the gateway (wire/copying.py), so only what it writes is accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from postgast import pg_query_pb2 as pb

from seenby.errors import Refused, ServerError, Unsupported, UsageError
from seenby.model.plan import CopyForm, CopyPlan, DeclarePlan, Plan, PreparePlan, QueryPlan
from seenby.sql.constants import type_oid
from seenby.sql.named import own_name

_BINARY, _SCROLL, _HOLD = 0x1, 0x2, 0x20  # parsenodes.h: CURSOR_OPT_...
_NO_DELIMITER = set(b"\\.abcdefghijklmnopqrstuvwxyz0123456789")

Analyse = Callable[[pb.SelectStmt], Plan]


def decide(node: pb.Node, kind: str, analyse: Analyse) -> Plan | None:
    """The plan; None for a kind that is not one of these."""
    match kind:
        case "prepare_stmt":
            return _prepare(node.prepare_stmt, analyse)
        case "declare_cursor_stmt":
            return _declare(node.declare_cursor_stmt, analyse)
        case "copy_stmt":
            return _copy(node.copy_stmt, analyse)
    return None


def _query(node: pb.Node, what: str, analyse: Analyse) -> QueryPlan:
    if node.WhichOneof("node") != "select_stmt":
        raise Refused(f"{what} takes a SELECT only; a grant only reads", hint="use SELECT")
    plan = analyse(node.select_stmt)
    if not isinstance(plan, QueryPlan):
        raise Unsupported(f"{what} does not take a SELECT that changes settings", hint="run it as a statement")
    return plan


def _prepare(statement: pb.PrepareStmt, analyse: Analyse) -> PreparePlan:
    oids = tuple(type_oid(one.type_name) for one in statement.argtypes)
    return PreparePlan(statement.name, _query(statement.query, "PREPARE", analyse), oids)


def _declare(statement: pb.DeclareCursorStmt, analyse: Analyse) -> DeclarePlan:
    if statement.options & _HOLD:
        raise Unsupported(
            "a cursor WITH HOLD outlives its transaction, and with it the grant's end", hint="leave WITH HOLD out"
        )
    if statement.options & _SCROLL:
        raise Unsupported("cursors only go forward here", hint="leave SCROLL out, or read the rows into the client")
    query = _query(statement.query, "DECLARE CURSOR", analyse)
    return DeclarePlan(own_name(statement.portalname), query, bool(statement.options & _BINARY))


def _copy(statement: pb.CopyStmt, analyse: Analyse) -> CopyPlan:
    if statement.is_from:
        raise Refused("COPY FROM changes the database; a grant only reads", hint="use SELECT")
    if statement.filename or statement.is_program:
        raise Refused(
            "COPY writes to the client only, not to a file or program of the server",
            hint="use COPY ... TO STDOUT, or psql's \\copy",
        )
    form = _form(statement.options)
    query = pb.Node()
    if statement.HasField("query"):
        query.CopyFrom(statement.query)
    else:
        query.select_stmt.CopyFrom(_whole(statement))
    plan = _query(query, "COPY", analyse)
    if plan.parameters:
        raise ServerError("there is no parameter $1", code="42P02", hint="COPY takes no parameters; write the values")
    return CopyPlan(plan, form)


def _whole(statement: pb.CopyStmt) -> pb.SelectStmt:
    """``COPY accounts (id, phone)`` -> ``SELECT id, phone FROM accounts``."""
    select = pb.SelectStmt(op=pb.SETOP_NONE, limit_option=pb.LIMIT_OPTION_DEFAULT)
    for column in statement.attlist:
        select.target_list.add().res_target.val.column_ref.fields.add().string.sval = column.string.sval
    if not statement.attlist:
        select.target_list.add().res_target.val.column_ref.fields.add().a_star.SetInParent()
    select.from_clause.add().range_var.CopyFrom(statement.relation)
    return select


def _form(options: list[pb.Node]) -> CopyForm:
    """Raises Unsupported for an option that is not written here, UsageError (22023) as Postgres does for wrong ones."""
    given: dict[str, pb.Node] = {}
    for option in options:
        element = option.def_elem
        if element.defname in given:
            raise UsageError("conflicting or redundant options", hint=f"say {element.defname} once")
        given[element.defname] = element.arg
    kind = next(_texts(given.pop("format", pb.Node())), "text")
    if kind not in {"text", "csv", "binary"}:
        raise UsageError(f'COPY format "{kind}" not recognized', hint="use text, csv or binary")
    encoding = next(_texts(given.pop("encoding", pb.Node())), "utf8").lower().replace("-", "")
    if encoding not in {"utf8", "unicode"}:
        raise Unsupported("COPY writes UTF8 only here", hint="leave ENCODING out")
    header = _flag(given.pop("header", None)) or False
    csv = kind == "csv"
    form = CopyForm(
        kind=kind,
        delimiter=_byte(given, "delimiter", b"," if csv else b"\t"),
        null=next(_texts(given.pop("null", pb.Node())), "" if csv else "\\N").encode(),
        header=header,
        quote=(quote := _byte(given, "quote", b'"', csv=csv)),
        escape=_byte(given, "escape", quote, csv=csv),
        force_quote=_columns(given, csv=csv),
    )
    if given:
        raise Unsupported(f"COPY's option {min(given)} is not written here", hint="leave it out")
    _check(form, binary_plain=kind != "binary" or not ({"delimiter", "null", "header"} & _names(options)))
    return form


def _names(options: list[pb.Node]) -> set[str]:
    return {option.def_elem.defname for option in options}


def _check(form: CopyForm, *, binary_plain: bool) -> None:
    """As Postgres checks them (commands/copy.c), so that no value can look like something else."""
    if not binary_plain:
        raise UsageError("cannot specify DELIMITER, NULL or HEADER in BINARY mode", hint="leave it out")
    delimiter = form.delimiter
    if delimiter in b"\r\n" or (form.kind == "text" and delimiter[0] in _NO_DELIMITER):
        raise UsageError(f'COPY delimiter cannot be "{delimiter.decode()}"', hint="choose another character")
    if b"\n" in form.null or b"\r" in form.null or (form.kind != "binary" and delimiter in form.null):
        raise UsageError("COPY null representation cannot hold a newline or the delimiter", hint="choose another one")
    if form.kind == "csv" and (form.quote == delimiter or form.quote in form.null or form.quote in b"\r\n"):
        raise UsageError("COPY quote must differ from the delimiter and not be in NULL", hint="choose another one")


def _byte(given: dict[str, pb.Node], name: str, default: bytes, *, csv: bool = True) -> bytes:
    if name not in given:
        return default
    value = next(_texts(given.pop(name)), "").encode()
    if not csv:
        raise UsageError(f"COPY {name.upper()} requires CSV mode", hint="say FORMAT csv")
    if len(value) != 1:
        raise Unsupported(f"COPY {name.upper()} must be a single one-byte character", hint="as in  ';'")
    return value


def _columns(given: dict[str, pb.Node], *, csv: bool) -> tuple[str, ...]:
    if "force_quote" not in given:
        return ()
    if not csv:
        raise UsageError("COPY FORCE_QUOTE requires CSV mode", hint="say FORMAT csv")
    node = given.pop("force_quote")
    if node.WhichOneof("node") == "a_star":
        return ("*",)
    return tuple(_texts(node))


def _flag(node: pb.Node | None) -> bool | None:
    """A boolean option; None: not given."""
    if node is None:
        return None
    text = next(_texts(node), "true").lower()
    if text not in {"true", "on", "1", "false", "off", "0"}:
        raise UsageError(f'"{text}" is no boolean', hint="say true or false")
    return text in {"true", "on", "1"}


def _texts(node: pb.Node) -> Iterator[str]:
    match node.WhichOneof("node"):
        case "string":
            yield node.string.sval
        case "boolean":
            yield "true" if node.boolean.boolval else "false"
        case "integer":
            yield str(node.integer.ival)
        case "list":
            for item in node.list.items:
                yield from _texts(item)
