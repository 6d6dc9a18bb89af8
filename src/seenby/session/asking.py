"""What the simple and the extended protocol both ask of Postgres: a statement prepared, a companion, a command."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from seenby.errors import Internal, ServerError, Unsupported
from seenby.model.plan import (
    Bound,
    ControlKind,
    ControlPlan,
    CopyPlan,
    DeclarePlan,
    Plan,
    PreparePlan,
    QueryPlan,
    WritePlan,
)
from seenby.model.statistic import COHORT_COLUMNS
from seenby.session import server_errors
from seenby.session.expect import Acknowledged, Command, Companion, Item, Local, Prepared
from seenby.session.results import Results
from seenby.session.statements import ClientStatement, Result, ServerStatement
from seenby.session.statistics import CohortRows
from seenby.wire import backend, frontend

if TYPE_CHECKING:
    from seenby.session.session import Session

_INTEGERS = {20: 8, 21: 2, 23: 4}
"""Bytes of int8, int2 and int4, by type oid."""
_DECIMAL = re.compile(r"\s*[+-]?[0-9]{1,19}\s*", re.ASCII)


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


def with_people(session: Session, results: Results, go_on: Callable[[], None]) -> None:
    """``go_on`` sends the statement of ``results``. Whoever takes part and is not in its rows is asked for first.

    In an upper bound these are found in the same snapshot, before the rows come. Behind a statistic they are counted,
    and only then is it known what ``go_on`` sends: nothing, the figures, or another text that names everybody.
    Needs the description of the statement, unless it has no parameters.
    """
    result = results.result
    plan, oids = result.plan, result.server.parameters
    if plan.bound is not Bound.STATISTIC:
        if plan.beside:
            companion(session, plan, result.values, oids, results)
        go_on()
        return

    def decided() -> None:
        if result.plan is not plan:
            _name(session, result, oids)
            if result.plan.beside:
                companion(session, result.plan, result.values, oids, results)
        go_on()

    cohort = CohortRows(results)
    _beside(session, QueryPlan(cohort.sql, Bound.NOBODY, COHORT_COLUMNS), result.values, oids, cohort)
    session.go_on_with(decided)


def _name(session: Session, result: Result, oids: tuple[int, ...]) -> None:
    """A statistic that turned out to be none is a result of its new plan."""
    plan = result.plan
    result.server = prepare(session, plan, oids)
    result.template = session.template(plan, result.template.text)
    result.keys = _no_keys(plan)
    result.skip = _skipped(plan, result.parameters)


def companion(session: Session, plan: QueryPlan, values: bytes, oids: tuple[int, ...], results: Results) -> None:
    """Asks who takes part, and gives the people to ``results``."""
    if plan.companion is None:
        raise Internal("an upper bound without a companion query")
    _beside(session, QueryPlan(plan.companion, Bound.NOBODY, 2), values, oids, Companion(results))


def _beside(session: Session, plan: QueryPlan, values: bytes, oids: tuple[int, ...], item: Item) -> None:
    server = prepare(session, plan, oids)
    session.names.take_unnamed_portal()
    session.send(frontend.bind(b"", server.name, values) + frontend.execute(b""))
    session.pending.append(item)


def new_result(session: Session, plan: QueryPlan, server: ServerStatement, text: str, values: bytes) -> Result:
    parameters = frontend.parameter_texts(values) if plan.parameters else []
    template = session.template(plan, text)
    return Result(plan, server, template, parameters, values, _no_keys(plan), skip=_skipped(plan, parameters))


def _no_keys(plan: QueryPlan) -> tuple[set[bytes], ...]:
    return tuple([set() for _ in plan.keys])


def _skipped(plan: QueryPlan, parameters: Sequence[str | None]) -> int:
    return plan.offset + _number(parameters, plan.offset_parameter)


def unread_offset(plan: QueryPlan, server: ServerStatement, values: bytes) -> Unsupported | None:
    """Why OFFSET $n cannot be skipped here: it must be read as Postgres reads it, so only plain integers are taken.

    Needs the description of the statement.
    """
    place = plan.offset_parameter if plan.instead is None else plan.instead.offset_parameter
    if not place:
        return None
    size = _INTEGERS.get(server.parameters[place - 1]) if place <= len(server.parameters) else None
    texts = frontend.parameter_texts(values)
    text = texts[place - 1] if place <= len(texts) else None  # too few are Postgres's to refuse
    if size is not None and (text is None or _DECIMAL.fullmatch(text) or _is_binary(text, size)):
        return None
    return Unsupported(
        f"OFFSET ${place} needs a plain integer here, because the skipped rows are recorded too",
        hint=f"send ${place} as int8, int4 or int2, in decimal digits, or write the number",
    )


def _is_binary(text: str, size: int) -> bool:
    return text.startswith("\\x") and len(text) == 2 + 2 * size


def _number(parameters: Sequence[str | None], place: int) -> int:
    """What OFFSET $n is bound to (see unread_offset); 0 for NULL, as in Postgres."""
    text = parameters[place - 1] if 0 < place <= len(parameters) else None
    if text is None:
        return 0
    if text.startswith("\\x"):
        return max(int.from_bytes(bytes.fromhex(text[2:]), "big", signed=True), 0)
    return max(int(text), 0)


def control(session: Session, plan: ControlPlan, *, extended: bool) -> None:
    """A statement without rows: answered here, or sent to Postgres as Parse, Bind, Execute."""
    if plan.notice:
        session.pending.append(Local(backend.notice_response(plan.notice)))
    if plan.tag == "DISCARD ALL" and session.block:
        inside = ServerError("DISCARD ALL cannot run inside a transaction block", code="25001", hint="end it first")
        session.refuse(failed_block(session) or inside, plan.tag, attempt=False, extended=extended)
    elif plan.kind is ControlKind.EMPTY:
        session.pending.append(Local(backend.EMPTY_DONE))
    elif plan.kind is ControlKind.DEALLOCATE:
        _deallocate(session, plan, extended=extended)
    elif plan.kind is ControlKind.CLOSE:
        _close_cursor(session, plan, extended=extended)
    elif plan.sql and session.access is not None:
        if plan.kind is ControlKind.BEGIN:
            session.begun()
        if plan.kind is ControlKind.DISCARD:
            session.names.statements.clear()
            session.names.portals.clear()
        session.names.take_unnamed_portal()
        session.send(frontend.parse(b"", plan.sql) + frontend.bind(b"", b"") + frontend.execute(b""))
        session.pending.append(Command(plan, session.names.opened))
        session.in_step(plan)
    elif failed := failed_block(session):
        session.refuse(failed, plan.tag, attempt=False, extended=extended)
    else:
        session.pending.append(Local(backend.command_complete(plan.tag)))


def _close_cursor(session: Session, plan: ControlPlan, *, extended: bool) -> None:
    """CLOSE of one cursor, or of all."""
    names, name = session.names, plan.name.encode()
    if name and name not in names.portals:
        gone = ServerError(f'cursor "{plan.name}" does not exist', code="34000")
        session.refuse(failed_block(session) or gone, plan.tag, attempt=False, extended=extended)
        return
    closed = {name: names.portals.pop(name)} if name else dict(names.portals)
    undo = partial(names.reopen, closed)
    sql = f"CLOSE {closed[name].name.decode()}" if name else plan.sql
    if not name:
        names.portals.clear()
    if session.access is None or (name and closed[name].result is None):  # ours alone
        session.pending.append(Local(backend.command_complete(plan.tag), undo=undo))
        return
    names.take_unnamed_portal()
    session.send(frontend.parse(b"", sql) + frontend.bind(b"", b"") + frontend.execute(b""))
    session.pending.append(Command(plan, names.opened, undo=undo))


def _deallocate(session: Session, plan: ControlPlan, *, extended: bool) -> None:
    statements = session.names.statements
    closed = dict(statements)
    if not plan.name:
        statements.clear()
    elif statements.pop(plan.name.encode(), None) is None:
        gone = ServerError(f'prepared statement "{plan.name}" does not exist', code="26000")
        session.refuse(failed_block(session) or gone, plan.tag, attempt=False, extended=extended)
        return

    def undo() -> None:
        for name in closed.keys() - statements.keys():
            statements[name] = closed[name]

    session.pending.append(Local(backend.command_complete(plan.tag), undo=undo))


def as_query(plan: Plan) -> QueryPlan | None:
    """The plan of whatever travels like a query; SHOW returns a row, so it does. None: another kind of statement."""
    if isinstance(plan, QueryPlan):
        return plan
    if isinstance(plan, ControlPlan) and plan.kind is ControlKind.SHOW:
        return QueryPlan(plan.sql, Bound.NOBODY, 1, tag=plan.tag)
    return None


def _meaning(session: Session, text: str) -> Plan | None:
    """What a prepared statement's text stands for today; None: not one statement."""
    plans = session.analyse(text)
    plan = plans[0].query if isinstance(plans[0], PreparePlan) else plans[0]
    return None if len(plans) != 1 else as_query(plan) or plan


def wrong_formats(formats: tuple[int, ...], plan: QueryPlan) -> ServerError | None:
    """Why these formats do not fit. One for every column of the rewritten query would tell that there are keys."""
    if len(formats) > 1 and len(formats) != plan.visible and (plan.visible or plan.keys):
        return ServerError(
            f"bind message has {len(formats)} result formats but query has {plan.visible} columns", code="08P01"
        )
    return None


def server_formats(formats: tuple[int, ...], plan: QueryPlan) -> tuple[int, ...]:
    """The client's result formats with text for the person keys in front."""
    if not formats or not any(formats):
        return ()
    if not plan.keys:
        return formats
    return (0,) * len(plan.keys) + (formats if len(formats) > 1 else formats * plan.visible)


def stale(session: Session, statement: ClientStatement) -> ServerError | None:
    """Why a prepared statement cannot run any more; one that Postgres has to prepare again is on its way."""
    access = session.access
    if access is not None and statement.version != access.version:
        # The schema changed after Parse. Mostly elsewhere: then the text still means what it meant, and clients that
        # prepare behind their user's back (psycopg, pgjdbc) notice nothing, as with Postgres itself.
        if _meaning(session, statement.text) != statement.plan:
            return ServerError(
                "the tables changed since this statement was prepared", code="0A000", hint="prepare it again"
            )
        statement.version = access.version
    server, plan = statement.server, statement.plan
    if server is not None and not isinstance(plan, WritePlan) and not session.names.is_current(server):
        query = as_query(plan) if not isinstance(plan, (DeclarePlan, CopyPlan)) else plan.query
        assert query is not None
        statement.server = prepare(session, query, server.key[1])
    return None


def failed_block(session: Session) -> ServerError | None:
    """What Postgres says of anything but the end of a transaction that has failed; None: it has not."""
    if session.status != "E":
        return None
    return server_errors.run_time_error({"C": "25P02"})


def not_run(session: Session, text: str, *, extended: bool) -> bool:
    """Fail closed: a kind of statement that nobody carries out."""
    error = Unsupported("this kind of statement is not carried out here", hint="use SELECT")
    session.refuse(error, text, attempt=True, extended=extended)
    return False


def notices(plan: QueryPlan) -> bytes:
    return b"".join([backend.notice_response(text) for text in plan.notices])
