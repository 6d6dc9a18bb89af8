"""What the simple and the extended protocol both ask of Postgres: a statement prepared, a companion, a command."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from seenby.errors import Internal, ServerError
from seenby.model.plan import Bound, ControlKind, ControlPlan, QueryPlan
from seenby.session.expect import Acknowledged, Command, Companion, Local, Prepared
from seenby.session.results import Results
from seenby.session.statements import Result, ServerStatement
from seenby.wire import backend, frontend

if TYPE_CHECKING:
    from seenby.session.session import Session


def prepare(
    session: Session, plan: QueryPlan, oids: tuple[int, ...], *, undo: Callable[[], object] | None = None
) -> ServerStatement:
    """The statement as Postgres knows it; with ``undo`` the client waits for ParseComplete."""
    names, pending = session.names, session.pending
    statement = names.server(plan.sql, oids)
    if statement is not None:
        if undo is not None:
            pending.append(Local(backend.PARSE_DONE, undo=undo))
        return statement
    _close(session, names.evict())
    statement = names.new_server(plan, oids)
    session.send(frontend.parse(statement.name, plan.sql, oids) + frontend.describe(b"S", statement.name))
    pending.append(Prepared(statement, tell=undo is not None))
    return statement


def _close(session: Session, statements: list[ServerStatement]) -> None:
    for one in statements:
        session.send(frontend.close(b"S", one.name))
        session.pending.append(Acknowledged(backend.CLOSE_DONE, tell=False))


def companion(session: Session, plan: QueryPlan, values: bytes, oids: tuple[int, ...], results: Results) -> None:
    """Whoever takes part in an upper bound is found in the same snapshot, before the rows come."""
    if plan.companion is None:
        raise Internal("an upper bound without a companion query")
    server = prepare(session, QueryPlan(plan.companion, Bound.NOBODY, 2), oids)
    session.names.take_unnamed_portal()
    session.send(frontend.bind(b"", server.name, values) + frontend.execute(b""))
    session.pending.append(Companion(results))


def new_result(session: Session, plan: QueryPlan, server: ServerStatement, text: str, values: bytes) -> Result:
    parameters = frontend.parameter_texts(values) if plan.parameters else []
    keys: tuple[set[bytes], ...] = tuple([set() for _ in plan.keys])
    template = session.template(plan, text)
    return Result(plan, server, template, parameters, values, keys, skip=plan.offset, unasked=plan.offset)


def control(session: Session, plan: ControlPlan) -> None:
    """A statement without rows: answered here, or sent to Postgres as Parse, Bind, Execute."""
    if plan.kind is ControlKind.EMPTY:
        session.pending.append(Local(backend.EMPTY_DONE))
    elif plan.kind is ControlKind.DEALLOCATE:
        _deallocate(session, plan)
    elif plan.sql and session.access is not None:
        if plan.kind is ControlKind.BEGIN:
            session.begun()
        if session.meaning.changed_by(plan):
            _close(session, session.names.take_all())
        session.names.take_unnamed_portal()
        session.send(frontend.parse(b"", plan.sql) + frontend.bind(b"", b"") + frontend.execute(b""))
        session.pending.append(Command(plan))
    else:
        session.pending.append(Local(backend.command_complete(plan.tag)))


def _deallocate(session: Session, plan: ControlPlan) -> None:
    statements = session.names.statements
    if not plan.name:
        statements.clear()
    elif statements.pop(plan.name.encode(), None) is None:
        error = ServerError(f'prepared statement "{plan.name}" does not exist', code="26000")
        session.refuse(error, plan.tag, attempt=False, extended=False)
        return
    session.pending.append(Local(backend.command_complete(plan.tag)))


def as_query(plan: QueryPlan | ControlPlan) -> QueryPlan:
    """SHOW returns a row, so it travels like a query that shows nobody."""
    if isinstance(plan, QueryPlan):
        return plan
    return QueryPlan(plan.sql, Bound.NOBODY, 1, tag=plan.tag)


def notices(plan: QueryPlan) -> bytes:
    return b"".join([backend.notice_response(text) for text in plan.notices])
