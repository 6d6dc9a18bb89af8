"""The simple protocol (54.2.2): one Query message with statements, each run through unnamed portals of our own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seenby.model.plan import Bound, ControlKind, ControlPlan, Plan, RefusedPlan
from seenby.session import asking
from seenby.session.expect import Acknowledged, Local
from seenby.session.results import Results
from seenby.wire import backend, frontend

if TYPE_CHECKING:
    from seenby.session.session import Session


def query(session: Session, body: bytes) -> None:
    """Every statement of the text is analysed before the first is run."""
    text = frontend.text_of(body)
    session.names.statements.pop(b"", None)
    session.names.portals.pop(b"", None)
    for plan in session.analyse(text):
        if not _run(session, plan, text):
            break
    session.sync()


def _run(session: Session, plan: Plan, text: str) -> bool:
    """Returns False when the statements behind this one are not to run."""
    if isinstance(plan, RefusedPlan):
        session.refuse(plan.error, plan.text or text, attempt=plan.attempt, extended=False)
        return False
    if not session.may_run(plan, text, extended=False):
        return False
    if isinstance(plan, ControlPlan) and plan.kind is not ControlKind.SHOW:
        asking.control(session, plan)
        return True
    read = asking.as_query(plan)
    server = asking.prepare(session, read, ())
    results = Results(asking.new_result(session, read, server, text, frontend.NO_VALUES))
    if read.bound is Bound.UPPER:
        asking.companion(session, read, frontend.NO_VALUES, (), results)
    session.send(frontend.bind(b"", server.name) + frontend.execute(b""))
    session.pending.append(Acknowledged(backend.BIND_DONE, tell=False))
    session.pending.append(Local(lambda: asking.notices(read) + backend.row_description(server.fields)))
    session.pending.append(results)
    return True
