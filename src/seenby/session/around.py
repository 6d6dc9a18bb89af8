"""PREPARE and EXECUTE, cursors, COPY: statements around a SELECT, whose rows travel like those of any other.

A cursor is one of Postgres's own, over the rewritten SELECT, so FETCH brings the person keys in front of every row.
MOVE is a FETCH whose rows are attributed, counted and dropped, as OFFSET's are. COPY is the SELECT itself; the gateway
writes the rows in COPY's formats, so that no key is ever in its text.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from struct import Struct
from typing import TYPE_CHECKING

from seenby.attribute.strip import strip_rows
from seenby.errors import SeenbyError, ServerError
from seenby.model.plan import (
    Bound,
    Constant,
    ControlKind,
    ControlPlan,
    CopyPlan,
    DeclarePlan,
    ExecutePlan,
    FetchPlan,
    PreparePlan,
    QueryPlan,
)
from seenby.session import asking
from seenby.session.expect import Acknowledged, Command, Local
from seenby.session.results import PART_BYTES, Results
from seenby.session.statements import ClientStatement, Executes, Result, ServerStatement
from seenby.sql.constants import fits
from seenby.sql.offset import MAX_INT
from seenby.wire import backend, frontend
from seenby.wire.copying import Copying

if TYPE_CHECKING:
    from seenby.session.session import Session

_NOTHING = QueryPlan("", Bound.NOBODY, 0, companion="SELECT NULL, NULL WHERE false")
_DECLARED = ControlPlan(ControlKind.DECLARE, "DECLARE CURSOR")


class Fetched(Results):
    """The answer to FETCH or MOVE: ``1``, ``2``, ``D``*, ``C``."""

    __slots__ = ("_count", "_move", "_moved")

    def __init__(self, result: Result, plan: FetchPlan) -> None:
        super().__init__(result)
        self._move = plan.move
        self._count = plan.count
        self._moved = 0

    def take_rows(self, session: Session, data: bytes, at: int, end: int) -> int:
        if not self._move:
            return super().take_rows(session, data, at, end)
        start, result = at, self.result
        at, rows = strip_rows(data, at, end, result.keys, [], result.server.width or 0)
        skipped = min(rows, result.skip)
        result.skip -= skipped
        self._moved += rows - skipped
        self._bytes += at - start
        if self._bytes > PART_BYTES:
            self.record(session, final=False)
        return at

    def on(self, session: Session, kind: int, body: bytes) -> bool:
        if kind in {backend.PARSE_COMPLETE, backend.BIND_COMPLETE}:
            return False
        if kind != backend.COMMAND_COMPLETE:
            return super().on(session, kind, body)
        rows = self._moved if self._move else self._rows + self._shown
        self.record(session, final=self._count is None or rows < self._count)
        session.emit(backend.command_complete(f"{'MOVE' if self._move else 'FETCH'} {rows}"))
        return True


class Copied(Results):
    """The answer to COPY ... TO STDOUT, which was asked as the SELECT inside."""

    __slots__ = ("_copying", "_plan")

    def __init__(self, result: Result, plan: CopyPlan) -> None:
        super().__init__(result)
        self._plan = plan
        self._copying: Copying | None = None

    def begin(self) -> bytes:
        """CopyOutResponse, once Postgres has described the columns."""
        names = [field.name for field in self.result.server.fields]
        self._copying = Copying(self._plan.form, names)
        return asking.notices(self.result.plan) + self._copying.begin()

    def _written(self, rows: list[bytes]) -> bytes:
        assert self._copying is not None
        return self._copying.rows(b"".join(rows))

    def _complete(self) -> bytes:
        assert self._copying is not None
        return self._copying.end() + backend.command_complete(f"COPY {self._shown}")


# ---------------------------------------------------------------- PREPARE, EXECUTE


def prepare(session: Session, plan: PreparePlan, text: str, *, extended: bool) -> bool:
    names, name = session.names, plan.name.encode()
    if name in names.statements:
        taken = ServerError(f'prepared statement "{plan.name}" already exists', code="42P05")
        return _refused(session, taken, text, extended=extended)
    if error := names.full_statements():
        return _refused(session, error, text, extended=extended)
    access = session.access
    statement = ClientStatement(text, plan.query, access.version if access else 0)
    statement.server = asking.prepare(session, plan.query, plan.oids)
    names.statements[name] = statement
    done = backend.command_complete("PREPARE")
    session.pending.append(Local(done, undo=partial(names.forget_name, name, statement)))
    return True


def executed(session: Session, plan: ExecutePlan) -> ClientStatement | SeenbyError:
    """The prepared statement that EXECUTE means, with a statement of Postgres behind it."""
    statement = session.names.statements.get(plan.name.encode())
    if statement is None:
        return ServerError(f'prepared statement "{plan.name}" does not exist', code="26000")
    if not isinstance(statement.plan, QueryPlan) or statement.executes is not None:
        return ServerError(
            f'prepared statement "{plan.name}" is not a SELECT', code="0A000", hint="run the statement itself"
        )
    return asking.stale(session, statement) or statement


def execute_of(plan: ExecutePlan, statement: ClientStatement, text: str) -> ClientStatement | SeenbyError:
    """EXECUTE as a statement of its own: the prepared one with its arguments bound. Needs its description."""
    server = statement.server
    assert server is not None
    values = _bound(plan, server)
    if isinstance(values, SeenbyError):
        return values
    if isinstance(statement.plan, QueryPlan) and (unread := asking.unread_offset(statement.plan, server, values)):
        return unread
    executes = Executes(plan.name.encode(), statement, values)
    both = f"{statement.text.rstrip().removesuffix(';')}; {text}"  # what the record says was asked
    return ClientStatement(both, statement.plan, statement.version, server, executes)


def misbound(session: Session, executes: Executes, parameters: int) -> ServerError | None:
    """Why a kept EXECUTE cannot run now: its statement is another one by now, or it is given parameters."""
    if parameters:
        return ServerError("EXECUTE takes its values in its text only", code="08P01", hint="bind no parameters")
    now = session.names.statements.get(executes.name)
    if now is None:
        return ServerError(f'prepared statement "{executes.name.decode()}" does not exist', code="26000")
    if now is not executes.statement:
        return ServerError("the prepared statement is another one by now", code="0A000", hint="prepare EXECUTE again")
    return None


def _bound(plan: ExecutePlan, server: ServerStatement) -> bytes | SeenbyError:
    """The arguments as in Bind."""
    wanted, given = server.parameters, plan.arguments
    if len(wanted) != len(given):
        return ServerError(
            f'wrong number of parameters for prepared statement "{plan.name}"',
            code="42601",
            hint=f"expected {len(wanted)} parameters but got {len(given)}",
        )
    for number, (value, oid) in enumerate(zip(given, wanted, strict=True), 1):
        if not fits(value, oid):
            return ServerError(
                f'parameter ${number} of prepared statement "{plan.name}" has another type',
                code="42804",
                hint="write the value as a plain string, as in  EXECUTE name('2026-01-31')",
            )
    return _values(given)


def _values(constants: Sequence[Constant]) -> bytes:
    parts = [Struct(">HH").pack(0, len(constants))]
    for one in constants:
        raw = b"" if one.text is None else one.text.encode()
        parts.append((-1 if one.text is None else len(raw)).to_bytes(4, "big", signed=True) + raw)
    return b"".join(parts)


# ---------------------------------------------------------------- cursors


def declare(
    session: Session,
    plan: DeclarePlan,
    text: str,
    server: ServerStatement,
    values: bytes,
    *,
    several: bool,
    extended: bool,
) -> bool:
    """``server``: the SELECT, prepared; described if it has parameters. ``several``: more is in the message."""
    names, name = session.names, plan.name.encode()
    if not several and not session.block:
        alone = ServerError(
            "DECLARE CURSOR can only be used in transaction blocks", code="25P01", hint="send BEGIN before it"
        )
        return _refused(session, alone, text, extended=extended)
    if error := names.full_portals():
        return _refused(session, error, text, extended=extended)
    if name in names.portals:
        taken = ServerError(f'cursor "{plan.name}" already exists', code="42P03")
        return _refused(session, taken, text, extended=extended)
    query = plan.query
    if unread := asking.unread_offset(query, server, values):
        return _refused(session, unread, text, extended=extended)
    result = asking.new_result(session, query, server, text, values)
    results = Results(result)
    version = session.access.version if session.access else 0

    def go_on() -> None:
        if several:
            # Postgres takes the second Execute of a batch for the middle of a transaction, the first one not.
            asking.companion(session, _NOTHING, frontend.NO_VALUES, (), results)
        formats = (1,) if plan.binary else ()
        portal = names.open(name, ClientStatement(text, query, version, server), formats, result, session.batch)
        portal.values = values
        binary = "BINARY " if plan.binary else ""
        sql = f"DECLARE {portal.name.decode()} {binary}NO SCROLL CURSOR WITHOUT HOLD FOR {result.plan.sql}"
        names.take_unnamed_portal()
        parsed = frontend.parse(b"", sql, server.parameters)
        session.send(parsed + frontend.bind(b"", b"", values) + frontend.execute(b""))
        session.pending.append(Command(_DECLARED, names.opened, undo=partial(names.unbind, name, portal)))

    asking.with_people(session, results, go_on)
    return True


def fetch(
    session: Session, plan: FetchPlan, text: str, formats: tuple[int, ...] | None, *, tell: bool, extended: bool
) -> bool:
    """``formats`` as in Bind; None: those of the cursor. ``tell``: describes the columns first (simple protocol)."""
    portal = session.names.portals.get(plan.name.encode())
    if portal is None or portal.result is None:
        error = ServerError(f'cursor "{plan.name}" does not exist', code="34000", hint="DECLARE it in this transaction")
        return _refused(session, error, text, extended=extended)
    result = portal.result
    server, query = result.server, result.plan
    if formats is None:
        formats = portal.formats
    if wrong := asking.wrong_formats(formats, query):
        return _refused(session, wrong, text, extended=extended)
    count = "ALL"
    if plan.count is not None:
        count = f"FORWARD {min(plan.count + result.skip, MAX_INT)}"
    session.names.take_unnamed_portal()
    session.send(
        frontend.parse(b"", f"FETCH {count} FROM {portal.name.decode()}")
        + frontend.bind(b"", b"", frontend.NO_VALUES, asking.server_formats(formats, query))
        + frontend.execute(b"")
    )
    notices = b"" if result.started else asking.notices(query)
    result.started = True
    if tell and not plan.move:
        session.pending.append(Local(lambda: notices + backend.row_description(server.fields, formats)))
    elif notices:
        session.pending.append(Local(notices))
    session.pending.append(Fetched(result, plan))
    return True


def columns_of(session: Session, plan: FetchPlan) -> ServerStatement | None:
    """Whose columns FETCH shows; None: it shows none."""
    portal = session.names.portals.get(plan.name.encode())
    return None if plan.move or portal is None or portal.result is None else portal.result.server


# ---------------------------------------------------------------- COPY


def copy(session: Session, plan: CopyPlan, text: str, server: ServerStatement) -> bool:
    query = plan.query
    result = asking.new_result(session, query, server, text, frontend.NO_VALUES)
    results = Copied(result, plan)

    def go_on() -> None:
        formats = asking.server_formats((1,) if plan.form.kind == "binary" else (), result.plan)
        session.names.take_unnamed_portal()
        session.send(frontend.bind(b"", result.server.name, frontend.NO_VALUES, formats) + frontend.execute(b""))
        session.pending.append(Acknowledged(backend.BIND_DONE, tell=False))
        session.pending.append(Local(results.begin))
        session.pending.append(results)

    asking.with_people(session, results, go_on)
    return True


def _refused(session: Session, error: SeenbyError, text: str, *, extended: bool) -> bool:
    session.refuse(asking.failed_block(session) or error, text, attempt=False, extended=extended)
    return False
