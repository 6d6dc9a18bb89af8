"""The simple protocol (54.2.2): one Query message with statements, each run through unnamed portals of our own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seenby.errors import ServerError
from seenby.model.plan import (
    ControlPlan,
    CopyPlan,
    DeclarePlan,
    ExecutePlan,
    FetchPlan,
    Plan,
    PreparePlan,
    QueryPlan,
    RefusedPlan,
    WritePlan,
)
from seenby.session import around, asking, explain, writes
from seenby.session.expect import Acknowledged, Local
from seenby.session.statements import ClientStatement, ServerStatement
from seenby.wire import backend, frontend

if TYPE_CHECKING:
    from seenby.session.session import Session


@dataclass(frozen=True, slots=True)
class Rest:
    plans: Sequence[Plan]
    text: str
    several: bool  # the message has more than one statement, so that they share a transaction


def query(session: Session, body: bytes) -> None:
    """Every statement of the text is analysed before the first is run."""
    text = frontend.text_of(body)
    session.names.statements.pop(b"", None)
    session.names.portals.pop(b"", None)
    plans = session.analyse(text)
    if any(isinstance(plan, WritePlan) for plan in plans):
        writes.query(session, plans, text)
        return
    _go_on(session, Rest(plans, text, len(plans) > 1))


def rest(session: Session, body: bytes) -> None:  # noqa: ARG001 - a step takes the message's body
    """Goes on where a message had to wait, unless one of its statements has failed meanwhile."""
    left = session.take_rest()
    if left is None:
        session.sync()
    else:
        _go_on(session, left)


def _go_on(session: Session, message: Rest) -> None:
    for place, plan in enumerate(message.plans):
        if session.must_wait(plan):
            session.pause(Rest(message.plans[place:], message.text, message.several))
            return
        if isinstance(plan, ExecutePlan):
            wanted = around.executed(session, plan)
            server = getattr(wanted, "server", None)
            if isinstance(server, ServerStatement) and not server.described:
                session.pause(Rest(message.plans[place:], message.text, message.several), server)
                return
        if not _run(session, plan, message):
            break
        if session.waits:
            session.pause(Rest(message.plans[place + 1 :], message.text, message.several))
            return
    session.sync()


def _run(session: Session, plan: Plan, message: Rest) -> bool:
    """Returns False when the statements behind this one are not to run."""
    text = message.text
    if isinstance(plan, RefusedPlan):
        session.refuse(plan.error, plan.text or text, attempt=plan.attempt, extended=False)
        return False
    if not session.may_run(plan, text, extended=False):
        return False
    if (query := asking.as_query(plan)) is not None:
        if query.parameters:
            error = ServerError(
                f"there is no parameter ${query.parameters}", code="42P02", hint="a simple query has none: bind a value"
            )
            session.refuse(error, text, attempt=False, extended=False)
            return False
        _read(session, query, asking.prepare(session, query, ()), text)
        session.in_step(query)
        return True
    match plan:
        case ControlPlan():
            asking.control(session, plan, extended=False)
            return True
        case PreparePlan():
            return around.prepare(session, plan, text, extended=False)
        case ExecutePlan():
            return _execute(session, plan, text)
        case DeclarePlan():
            server = asking.prepare(session, plan.query, ())
            return around.declare(
                session, plan, text, server, frontend.NO_VALUES, several=message.several, extended=False
            )
        case FetchPlan():
            return around.fetch(session, plan, text, None, tell=True, extended=False)
        case CopyPlan():
            return around.copy(session, plan, text, asking.prepare(session, plan.query, ()))
    return asking.not_run(session, text, extended=False)


def _execute(session: Session, plan: ExecutePlan, text: str) -> bool:
    found = around.executed(session, plan)
    made = around.execute_of(plan, found, text) if isinstance(found, ClientStatement) else found
    if not isinstance(made, ClientStatement):
        session.refuse(asking.failed_block(session) or made, text, attempt=False, extended=False)
        return False
    assert made.server is not None
    assert made.executes is not None
    assert isinstance(made.plan, QueryPlan)
    _read(session, made.plan, made.server, made.text, made.executes.values)
    return True


def _read(
    session: Session, read: QueryPlan, server: ServerStatement, text: str, values: bytes = frontend.NO_VALUES
) -> None:
    result = asking.new_result(session, read, server, text, values)
    results = explain.results(result)

    def heading() -> bytes:
        described = backend.row_description(explain.columns(result.plan, result.server.fields))
        return asking.notices(result.plan) + described

    def go_on() -> None:
        session.send(frontend.bind(b"", result.server.name, values) + frontend.execute(b""))
        session.pending.append(Acknowledged(backend.BIND_DONE, tell=False))
        session.pending.append(Local(heading))
        session.pending.append(results)

    asking.with_people(session, results, go_on)
