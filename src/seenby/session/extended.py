"""The extended protocol (54.2.3): Parse, Bind, Describe, Execute, Close, one function each."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from seenby.errors import ServerError, SyntaxFailed
from seenby.model.plan import Bound, ControlKind, ControlPlan, QueryPlan, RefusedPlan
from seenby.session import asking
from seenby.session.expect import Acknowledged, Local
from seenby.session.parameters import closed_type
from seenby.session.results import Results
from seenby.session.statements import ClientStatement, Portal
from seenby.wire import backend, frontend

if TYPE_CHECKING:
    from seenby.session.session import Session

MAX_STATEMENTS = 5000
"""Statements that one client may keep prepared."""
MAX_PORTALS = 1000
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
    if len(names.statements) >= MAX_STATEMENTS:
        full = ServerError(
            f"more than {MAX_STATEMENTS} prepared statements", code="53400", hint="close those not needed any more"
        )
        return session.refuse(full, message.text, attempt=False, extended=True)
    access = session.access
    if closed := closed_type(message.oids, access.shape if access else None):
        return session.refuse(closed, message.text, attempt=True, extended=True)
    version = access.version if access else 0
    if isinstance(plan, ControlPlan) and plan.kind is not ControlKind.SHOW:
        statement = ClientStatement(message.text, plan, version)
        undo = partial(names.forget_name, message.name, statement)
        session.pending.append(Local(backend.PARSE_DONE, undo=undo))
    else:
        query = asking.as_query(plan)
        statement = ClientStatement(message.text, query, version)
        undo = partial(names.forget_name, message.name, statement)
        statement.server = asking.prepare(session, query, message.oids, undo=undo)
    names.statements[message.name] = statement
    return None


def bind(session: Session, body: bytes) -> None:
    message = frontend.read_bind(body)
    statement = _statement(session, message.statement)
    if statement is None:
        return
    plan, server, names = statement.plan, statement.server, session.names
    if len(names.portals) >= MAX_PORTALS:
        full = ServerError(f"more than {MAX_PORTALS} open portals", code="53400", hint="close some")
        session.refuse(full, statement.text, attempt=False, extended=True)
        return
    if isinstance(plan, QueryPlan) and not session.may_run(plan, statement.text, extended=True):
        return
    if not isinstance(plan, QueryPlan) or server is None:
        portal = Portal(statement, (), None, session.batch)
        names.portals[message.portal] = portal
        session.pending.append(Local(backend.BIND_DONE, undo=partial(names.unbind, message.portal, portal)))
        return
    upper = plan.bound is Bound.UPPER
    if upper and not server.described:
        # The companion must be prepared with the parameter types that Postgres chose.
        session.stall(server, (frontend.BIND, body))
        return
    if len(message.formats) > 1 and len(message.formats) != plan.visible and (plan.visible or plan.keys):
        error = ServerError(
            f"bind message has {len(message.formats)} result formats but query has {plan.visible} columns",
            code="08P01",
        )
        session.refuse(error, statement.text, attempt=False, extended=True)
        return
    result = asking.new_result(session, plan, server, statement.text, message.values)
    if upper:
        asking.companion(session, plan, message.values, server.parameters, Results(result))
    formats = _server_formats(message.formats, len(plan.keys), plan.visible)
    session.send(frontend.bind(message.portal, server.name, message.values, formats))
    portal = Portal(statement, message.formats, result, session.batch)
    names.portals[message.portal] = portal
    undo = partial(names.unbind, message.portal, portal)
    session.pending.append(Acknowledged(backend.BIND_DONE, tell=True, undo=undo))


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
    server, plan = statement.server, statement.plan
    if server is None or not isinstance(plan, QueryPlan):
        head = backend.parameter_description(()) if kind == b"S" else b""
        session.pending.append(Local(head + backend.NO_DATA_DONE))
        return

    def answer() -> bytes:
        head = backend.parameter_description(server.parameters) if kind == b"S" else b""
        return head + backend.row_description(server.fields, formats)

    session.pending.append(Local(answer))


def execute(session: Session, body: bytes) -> None:
    name, limit = frontend.read_execute(body)
    portal = _portal(session, name)
    if portal is None:
        return
    result = portal.result
    if result is None:
        plan = portal.statement.plan
        assert isinstance(plan, ControlPlan)
        if session.may_run(plan, portal.statement.text, extended=True):
            asking.control(session, plan)
        return
    heading = asking.notices(result.plan) if result.plan.notices and not result.started else b""
    result.started = True
    if limit > 0:
        # OFFSET: the rows to drop come on top of those that the client asks for.
        limit = min(limit + result.unasked, MAX_ROWS)
        result.unasked = 0
    session.send(frontend.execute(name, max(limit, 0)))
    session.pending.append(Results(result, heading))


def close(session: Session, body: bytes) -> None:
    kind, name = frontend.read_target(body)
    names = session.names
    if kind == b"S":
        closed = names.statements.pop(name, None)
        undo = partial(names.statements.setdefault, name, closed) if closed else None
        session.pending.append(Local(backend.CLOSE_DONE, undo=undo))
    elif session.access is None:
        session.pending.append(Local(backend.CLOSE_DONE))
    else:
        names.portals.pop(name, None)
        session.send(frontend.close(b"P", name))
        session.pending.append(Acknowledged(backend.CLOSE_DONE, tell=True))


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
    if session.access is not None and statement.version != session.access.version:
        # The views were rebuilt after Parse: what was analysed is not what would run.
        stale = ServerError(
            "the tables changed since this statement was prepared", code="0A000", hint="prepare it again"
        )
        session.refuse(stale, statement.text, attempt=False, extended=True)
        return None
    server = statement.server
    if server is not None and isinstance(statement.plan, QueryPlan) and not session.names.is_current(server):
        statement.server = asking.prepare(session, statement.plan, server.key[1])
    return statement


def _portal(session: Session, name: bytes) -> Portal | None:
    """What ``name`` stands for; None: refused."""
    portal = session.names.portals.get(name)
    if portal is None:
        error = ServerError(f'portal "{name.decode(errors="replace")}" does not exist', code="34000")
        session.refuse(error, "", attempt=False, extended=True)
    return portal


def _server_formats(formats: tuple[int, ...], keys: int, visible: int) -> tuple[int, ...]:
    """The client's result formats with text for the person keys in front."""
    if not formats or not any(formats):
        return ()
    if not keys:
        return formats
    return (0,) * keys + (formats if len(formats) > 1 else formats * visible)
