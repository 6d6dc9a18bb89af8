"""The extended protocol (54.2.3): Parse, Bind, Describe, Execute, Close, one function each."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from seenby.errors import ServerError, SyntaxFailed, Unsupported
from seenby.model.plan import (
    ControlPlan,
    CopyPlan,
    DeclarePlan,
    ExecutePlan,
    FetchPlan,
    PreparePlan,
    QueryPlan,
    RefusedPlan,
    WritePlan,
)
from seenby.session import around, asking, explain, writes
from seenby.session.expect import Acknowledged, Local
from seenby.session.parameters import closed_type
from seenby.session.results import Results
from seenby.session.statements import ClientStatement, Portal
from seenby.wire import backend, frontend

if TYPE_CHECKING:
    from seenby.session.session import Session

MAX_ROWS = 2**31 - 1  # of an Execute message


def parse(session: Session, body: bytes) -> None:
    message = frontend.read_parse(body)
    names = session.names
    if not message.name:
        names.statements.pop(b"", None)  # as Postgres does, also when the new text is refused
    plans = session.analyse(message.text)
    plan = plans[0]
    if len(plans) > 1:
        error = SyntaxFailed("cannot insert multiple commands into a prepared statement")
        return session.refuse(error, message.text, attempt=False, extended=True)
    if isinstance(plan, RefusedPlan):
        return session.refuse(plan.error, plan.text or message.text, attempt=plan.attempt, extended=True)
    if message.name and message.name in names.statements:
        taken = ServerError(f'prepared statement "{message.name.decode()}" already exists', code="42P05")
        return session.refuse(taken, message.text, attempt=False, extended=True)
    if full := names.full_statements():
        return session.refuse(full, message.text, attempt=False, extended=True)
    access = session.access
    if closed := closed_type(message.oids, access.shape if access else None):
        return session.refuse(closed, message.text, attempt=True, extended=True)
    statement = ClientStatement(message.text, plan, access.version if access else 0)
    if isinstance(plan, ExecutePlan):
        made = around.executed(session, plan)
        if isinstance(made, ClientStatement) and made.server is not None:
            if not made.server.described:
                return session.stall(made.server, (frontend.PARSE, body))
            made = around.execute_of(plan, made, message.text)
        if not isinstance(made, ClientStatement):
            return session.refuse(asking.failed_block(session) or made, message.text, attempt=False, extended=True)
        statement = made
    undo = partial(names.forget_name, message.name, statement)
    query = plan.query if isinstance(plan, (DeclarePlan, CopyPlan)) else asking.as_query(plan)
    if isinstance(plan, WritePlan):
        statement.server = asking.prepare(session, writes.prepared_as(plan), message.oids, undo=undo)
    elif query is None:
        session.pending.append(Local(backend.PARSE_DONE, undo=undo))
    else:
        if statement.plan is plan and not isinstance(plan, (DeclarePlan, CopyPlan)):
            statement.plan = query
        statement.server = asking.prepare(session, query, message.oids, undo=undo)
    names.statements[message.name] = statement
    return None


def bind(session: Session, body: bytes) -> None:
    message = frontend.read_bind(body)
    statement = _statement(session, message.statement)
    if statement is None:
        return
    plan, server, names = statement.plan, statement.server, session.names
    values = message.values
    if full := names.full_portals():
        session.refuse(full, statement.text, attempt=False, extended=True)
        return
    if message.portal and message.portal in names.portals:
        if session.pending:  # what is not answered yet may have freed the name
            session.wait((frontend.BIND, body))
        else:
            taken = ServerError(f'cursor "{message.portal.decode(errors="replace")}" already exists', code="42P03")
            session.refuse(taken, statement.text, attempt=False, extended=True)
        return
    if not isinstance(plan, QueryPlan) or server is None:
        portal = names.open(message.portal, statement, message.formats, None, session.batch)
        portal.values = values
        session.pending.append(Local(backend.BIND_DONE, undo=partial(names.unbind, message.portal, portal)))
        return
    if not session.may_run(plan, statement.text, extended=True):
        return
    if statement.executes is not None:
        if error := around.misbound(session, statement.executes, message.parameters):
            session.refuse(error, statement.text, attempt=False, extended=True)
            return
        values = statement.executes.values
    if (plan.beside or plan.offset_parameter) and not server.described:
        # The companion must be prepared with the parameter types that Postgres chose; OFFSET's must be an integer's.
        session.stall(server, (frontend.BIND, body))
        return
    if unread := asking.unread_offset(plan, server, values):
        session.refuse(unread, statement.text, attempt=False, extended=True)
        return
    if error := asking.wrong_formats(message.formats, plan):
        session.refuse(error, statement.text, attempt=False, extended=True)
        return
    result = asking.new_result(session, plan, server, statement.text, values)

    def go_on() -> None:
        formats = asking.server_formats(message.formats, result.plan)
        portal = names.open(message.portal, statement, message.formats, result, session.batch)
        session.send(frontend.bind(portal.name, result.server.name, values, formats))
        undo = partial(names.unbind, message.portal, portal)
        session.pending.append(Acknowledged(backend.BIND_DONE, tell=True, undo=undo))

    asking.with_people(session, Results(result), go_on)


def describe(session: Session, body: bytes) -> None:
    kind, name = frontend.read_target(body)
    if kind == b"S":
        statement = _statement(session, name)
        if statement is None:
            return
        formats: tuple[int, ...] = ()
    else:
        portal = _portal(session, name)
        if portal is None:
            return
        statement, formats = portal.statement, portal.formats
    plan, parameters, rows = statement.plan, statement.server, statement.server
    if statement.executes is not None or isinstance(plan, CopyPlan):
        parameters = None  # its values are in its text
    if isinstance(plan, FetchPlan):
        rows = around.columns_of(session, plan)
    elif not isinstance(plan, QueryPlan):
        rows = None

    def answer() -> bytes:
        head = backend.parameter_description(parameters.parameters if parameters else ()) if kind == b"S" else b""
        if isinstance(plan, WritePlan):
            return head + writes.described(session, plan, statement.server, formats)
        return head + (
            backend.row_description(explain.columns(plan, rows.fields), formats) if rows else backend.NO_DATA_DONE
        )

    session.pending.append(Local(answer))


def execute(session: Session, body: bytes) -> None:
    name, limit = frontend.read_execute(body)
    portal = _portal(session, name)
    if portal is None:
        return
    result = portal.result
    if isinstance(portal.statement.plan, WritePlan):
        writes.execute(session, portal)
        return
    if result is None:
        _run(session, portal, limit, body)
        return
    if result.plan.changes and session.must_wait(result.plan):
        session.wait((frontend.EXECUTE, body))
        return
    if limit > 0 and session.skipping(result):
        session.wait((frontend.EXECUTE, body))
        return
    heading = asking.notices(result.plan) if result.plan.notices and not result.started else b""
    result.started = True
    if limit > 0 and result.plan.explains and result.plan.explains.form == "text":
        error = Unsupported(
            "EXPLAIN in text is not fetched in portions here", hint="ask for all rows, or for one of  (FORMAT json)"
        )
        session.refuse(error, portal.statement.text, attempt=False, extended=True)
        return
    if limit > 0:
        # OFFSET: the rows to drop come on top of those that the client asks for.
        limit = min(limit + result.skip, MAX_ROWS)
    session.send(frontend.execute(portal.name, max(limit, 0)))
    session.pending.append(explain.results(result, heading))
    if result.plan.changes:
        session.in_step(result.plan)


def _run(session: Session, portal: Portal, limit: int, body: bytes) -> None:
    """Execute of a portal that is ours alone."""
    statement = portal.statement
    plan, text, server = statement.plan, statement.text, statement.server
    if session.must_wait(plan):
        session.wait((frontend.EXECUTE, body))
        return
    if not session.may_run(plan, text, extended=True):
        return
    match plan:
        case ControlPlan():
            asking.control(session, plan, extended=True)
        case PreparePlan():
            around.prepare(session, plan, text, extended=True)
        case DeclarePlan() if server is not None:
            if plan.query.parameters and not server.described:
                session.stall(server, (frontend.EXECUTE, body))
            else:
                around.declare(session, plan, text, server, portal.values, several=False, extended=True)
        case FetchPlan() if limit > 0:
            error = Unsupported("FETCH is not fetched in portions here", hint="ask for as many rows as you want")
            session.refuse(error, text, attempt=False, extended=True)
        case FetchPlan():
            around.fetch(session, plan, text, portal.formats, tell=False, extended=True)
        case CopyPlan() if server is not None:
            around.copy(session, plan, text, server)
        case _:
            asking.not_run(session, text, extended=True)


def close(session: Session, body: bytes) -> None:
    kind, name = frontend.read_target(body)
    names = session.names
    if kind == b"S":
        closed = names.statements.pop(name, None)
        undo = partial(names.statements.setdefault, name, closed) if closed else None
        session.pending.append(Local(backend.CLOSE_DONE, undo=undo))
    else:
        portal = names.portals.pop(name, None)
        back = partial(names.reopen, {name: portal}) if portal else None
        if portal is None or portal.result is None:
            session.pending.append(Local(backend.CLOSE_DONE, undo=back))
        else:
            session.send(frontend.close(b"P", portal.name))
            session.pending.append(Acknowledged(backend.CLOSE_DONE, tell=True, undo=back))


def flush(session: Session, body: bytes) -> None:  # noqa: ARG001 - every message has a body
    if session.access is not None:
        session.send(frontend.flush())


def _statement(session: Session, name: bytes) -> ClientStatement | None:
    """What ``name`` stands for; None: refused."""
    statement = session.names.statements.get(name)
    if statement is None:
        error = ServerError(f'prepared statement "{name.decode(errors="replace")}" does not exist', code="26000")
        session.refuse(error, "", attempt=False, extended=True)
        return None
    if stale := asking.stale(session, statement):
        session.refuse(stale, statement.text, attempt=False, extended=True)
        return None
    return statement


def _portal(session: Session, name: bytes) -> Portal | None:
    """What ``name`` stands for; None: refused."""
    portal = session.names.portals.get(name)
    if portal is None:
        error = ServerError(f'portal "{name.decode(errors="replace")}" does not exist', code="34000")
        session.refuse(error, "", attempt=False, extended=True)
    return portal
