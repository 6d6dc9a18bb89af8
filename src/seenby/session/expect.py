"""What a session waits for from Postgres: one item for each thing asked, in order.

Postgres answers in the order it was asked, so the head of the queue says what the next message means. After an
ErrorResponse Postgres skips everything up to the next Sync; so do the items in front of the next ``Ready``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seenby.errors import ProtocolError
from seenby.model.plan import ControlKind, ControlPlan
from seenby.session import server_errors
from seenby.wire import backend

if TYPE_CHECKING:
    from collections.abc import Callable

    from seenby.session.results import Results
    from seenby.session.session import Session
    from seenby.session.statements import ServerStatement


class Item:
    """Something asked of Postgres. ``on`` returns True when the answer is complete."""

    __slots__ = ()

    def on(self, session: Session, kind: int, body: bytes) -> bool:  # noqa: ARG002
        raise ProtocolError(f"Postgres sent a message of type {chr(kind)!r} that nobody asked for")

    def failed(self, session: Session, fields: dict[str, str]) -> None:
        """Postgres answered with an error instead: tells it. ``unmake`` follows."""
        session.emit(backend.error_response(server_errors.run_time_error(fields)))

    def unmake(self, session: Session) -> None:
        """An earlier item failed: the client must not find the statement or portal that it asked for here."""

    def dropped(self, session: Session) -> None:
        """An earlier item failed, and Postgres will not answer this one."""
        self.unmake(session)


class Local(Item):
    """Our own answer, in its place among Postgres's. ``data`` may be a function, called when its turn comes.

    ``ticket`` is the one of a refused attempt, which is recorded before its refusal is told, or 0.
    """

    __slots__ = ("data", "ticket", "undo")

    def __init__(
        self, data: bytes | Callable[[], bytes], ticket: int = 0, undo: Callable[[], object] | None = None
    ) -> None:
        self.data = data
        self.ticket = ticket
        self.undo = undo

    def tell(self, session: Session) -> None:
        data = self.data if isinstance(self.data, bytes) else self.data()
        if self.ticket:
            session.outbox.hold(self.ticket, data)
        else:
            session.emit(data)

    def unmake(self, session: Session) -> None:  # noqa: ARG002
        if self.undo is not None:
            self.undo()

    def dropped(self, session: Session) -> None:
        self.unmake(session)
        if self.ticket:
            session.outbox.hold(self.ticket)


class Poison(Local):
    """A refusal inside a transaction block: Postgres is made to fail it too, and our words take its error's place."""

    __slots__ = ()

    def failed(self, session: Session, fields: dict[str, str]) -> None:  # noqa: ARG002
        self.tell(session)


class Prepared(Item):
    """Parse and Describe: ``1``, ``t``, then ``T`` or ``n``."""

    __slots__ = ("statement", "tell")

    def __init__(self, statement: ServerStatement, *, tell: bool) -> None:
        self.statement = statement
        self.tell = tell

    def on(self, session: Session, kind: int, body: bytes) -> bool:
        if kind == backend.PARSE_COMPLETE:
            if self.tell:
                session.emit(backend.PARSE_DONE)
            return False
        if kind == backend.PARAMETER_DESCRIPTION:
            self.statement.parameters = backend.read_parameter_description(body)
            return False
        if kind != backend.ROW_DESCRIPTION:
            return super().on(session, kind, body)
        fields = backend.read_row_description(body)
        if self.statement.width is not None and len(fields) != self.statement.width:
            # Keys are cut off by position: one column more or less, and they would not be the keys.
            raise ProtocolError("Postgres describes other columns than the analysis found")
        self.statement.width = len(fields)
        self.statement.fields = fields[self.statement.hidden :]
        self.statement.described = True
        session.described(self.statement)
        return True

    def failed(self, session: Session, fields: dict[str, str]) -> None:
        session.forget(self.statement)
        session.emit(backend.error_response(server_errors.parse_error(fields)))

    def unmake(self, session: Session) -> None:
        session.forget_names(self.statement)

    def dropped(self, session: Session) -> None:
        session.forget(self.statement)


class Acknowledged(Item):
    """One message without a body: ``2`` (Bind) or ``3`` (Close)."""

    __slots__ = ("data", "kind", "tell", "undo")

    def __init__(self, data: bytes, *, tell: bool, undo: Callable[[], object] | None = None) -> None:
        self.kind = data[0]
        self.data = data
        self.tell = tell
        self.undo = undo

    def unmake(self, session: Session) -> None:  # noqa: ARG002
        if self.undo is not None:
            self.undo()

    def on(self, session: Session, kind: int, body: bytes) -> bool:
        if kind != self.kind:
            return super().on(session, kind, body)
        if self.tell:
            session.emit(self.data)
        return True


class Command(Item):
    """A statement without rows, sent as Parse, Bind, Execute: ``1``, ``2``, ``C``."""

    __slots__ = ("opened", "plan", "undo")

    def __init__(self, plan: ControlPlan, opened: int, undo: Callable[[], object] | None = None) -> None:
        self.plan = plan
        self.opened = opened  # portals, when this was sent
        self.undo = undo

    def unmake(self, session: Session) -> None:  # noqa: ARG002
        if self.undo is not None:
            self.undo()

    def on(self, session: Session, kind: int, body: bytes) -> bool:
        if kind in {backend.PARSE_COMPLETE, backend.BIND_COMPLETE}:
            return False
        if kind != backend.COMMAND_COMPLETE:
            return super().on(session, kind, body)
        # COMMIT of a failed transaction answers ROLLBACK, so the tag is Postgres's own, but for
        # START TRANSACTION, which went as BEGIN, and DISCARD ALL, which went as RESET ALL.
        own = self.plan.kind not in {ControlKind.BEGIN, ControlKind.DISCARD}
        session.names.controlled(self.plan, self.opened)
        session.emit(backend.message(b"C", body) if own else backend.command_complete(self.plan.tag))
        return True


class Companion(Item):
    """Bind and Execute of the companion query: ``2``, rows of (kind, key), ``C``."""

    __slots__ = ("_bound", "results")

    def __init__(self, results: Results) -> None:
        self.results = results
        self._bound = False

    def on(self, session: Session, kind: int, body: bytes) -> bool:
        if kind == backend.DATA_ROW:
            person_kind, key = backend.read_values(body)
            if person_kind is not None and key is not None:
                self.results.result.upper.append(f"{person_kind.decode()}:{key.decode()}")
            return False
        if kind == backend.BIND_COMPLETE:
            self._bound = True
            return False
        if kind != backend.COMMAND_COMPLETE:
            return super().on(session, kind, body)
        return True

    def failed(self, session: Session, fields: dict[str, str]) -> None:
        if self._bound:
            self.results.failed(session, fields)
        else:
            super().failed(session, fields)  # a parameter that is no integer says nothing about rows


class Ready(Item):
    """The answer to the Sync that ended ``batch``: what the client sent since the Sync before."""

    __slots__ = ("batch",)

    def __init__(self, batch: int) -> None:
        self.batch = batch

    def on(self, session: Session, kind: int, body: bytes) -> bool:
        if kind != backend.READY or body not in {b"I", b"T", b"E"}:
            return super().on(session, kind, body)
        session.ready(body.decode(), self.batch)
        return True
