"""One admitted client: bytes from both sides in, an Outcome out (see outcome.py). No I/O, no clock of its own.

Every client message (simple.py, extended.py) becomes messages for Postgres and, in the same order, items that say
what the answers mean (expect.py). What may be shown waits in the outbox behind the ledger's tickets; everything later
waits behind it, so the client sees one order only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice, takewhile

from seenby.errors import Internal, LimitReached, ProtocolError, SeenbyError, ServerError, SyntaxFailed, Unavailable
from seenby.model.disclosure import Shown
from seenby.model.plan import Plan, RefusedPlan, WritePlan
from seenby.session import extended, simple
from seenby.session.access import Access
from seenby.session.expect import Item, Local, Poison, Ready
from seenby.session.meaning import Meaning, ask
from seenby.session.outcome import Outcome
from seenby.session.record import RecordFacts
from seenby.session.results import NO_GRANT, told_by_error
from seenby.session.serverside import ServerReader
from seenby.session.statements import Result, ServerStatement
from seenby.session.waiting import REST, Waiting
from seenby.session.writes import Write
from seenby.sql import analyse, linking_allowed
from seenby.wire import backend, frontend
from seenby.wire.framing import Framer

MAX_PIPELINED = 10_000
"""So many unanswered items stop the reading of what the client sent meanwhile."""
MAX_HELD = 64 << 20
"""Bytes of unread messages that end the session. A driver that heeds ``wants_more`` never gets there."""
_POISON = "seenby refused the statement"  # no SQL: Postgres answers 42601 and fails the transaction


class Session(Waiting):
    """The state machine of one connection after sign-in.

    Args:
        access: the grant in use, or None: then every query is answered with ``no_access``.
        facts: what every record of this session says of who asks and from where.
        clock: Unix seconds.
        max_message: bytes; a longer client message ends the session.
        settings: what the link is opened with, in Postgres's spelling.
        principal: who asks; they may fetch receipts for what this session is shown.
        random: so many random bytes, for the digests of changed rows.
        preview: changes are shown and taken back (``-c seenby.preview=on``).
    """

    def __init__(
        self,
        *,
        access: Access | None,
        no_access: SeenbyError,
        facts: RecordFacts,
        clock: Callable[[], float],
        max_message: int,
        settings: Mapping[str, str],
        principal: str = "",
        random: Callable[[int], bytes] | None = None,
        preview: bool = False,
    ) -> None:
        super().__init__(access, facts, clock, principal, Meaning(settings))
        self._no_access = no_access
        self._framer = Framer(max_message)
        self._server = ServerReader()
        self.status = "I"
        self.batch = 0  # Syncs sent so far
        self._begun = 0  # the batch of the last BEGIN
        self._block = False  # BEGIN was sent, and its end not yet seen
        self.answered = -1  # the newest batch (up to a Sync) that Postgres has finished; the first is 0
        self._held_bytes = 0
        self.write: Write | None = None  # a change on its way: what the client sends waits for its end
        self.random = random or _no_random
        self.preview = preview
        self._ran = self._wrote = -1  # the batch in which something ran, and a change
        self.closed = False
        self._left = False  # it was cut while Postgres had work to do

    # ---------------------------------------------------------------- events

    def client_data(self, data: bytes) -> Outcome:
        """Bytes from the client."""
        return self._guarded(self._take, data)

    def server_data(self, data: bytes) -> Outcome:
        """Bytes from Postgres."""
        return self._guarded(self._answered, data)

    def recorded(self, ticket: int) -> Outcome:
        """The ledger holds the entry durably: what waited for it may go."""
        return self._guarded(self._durable, ticket)

    def attributed(self, ticket: int, people: list[str] | None) -> Outcome:
        """The answer to an Attribution. None: the companion failed too."""
        return self._guarded(self._attributed, ticket, people)

    def end(self, error: SeenbyError) -> Outcome:
        """Cuts the session now: grant ended, ledger failed, server lost, shutdown. Nothing unreleased is shown.

        What this event had already handed to the ledger stays handed over: an attempt is not hidden by what follows.
        """
        if self.closed:
            return Outcome()
        self.closed = True
        self._left = bool(self.pending)
        out = Outcome(records=self._out.records, to_client=[backend.error_response(error, fatal=True)], close=True)
        self._out = Outcome()
        self.outbox.clear()
        self.pending.clear()
        self._held.clear()
        return out

    def _durable(self, ticket: int) -> None:
        self.outbox.durable(ticket)
        if self.write is not None:
            self.write.durable(self, ticket)

    def _guarded(self, step: Callable[..., None], *arguments: object) -> Outcome:
        """Runs one event. Anything unexpected closes both sides (invariant I2)."""
        if self.closed:
            return Outcome()
        if self.access is not None and self.access.ended is not None:
            return self.end(self.access.ended)
        try:
            step(*arguments)
            self._out.to_client = self.outbox.take()
        except SeenbyError as error:
            return self.end(error)
        except Exception as error:  # noqa: BLE001 - fail closed, whatever it was
            out = self.end(Internal("an internal error; the session is closed", detail=type(error).__name__))
            out.fault = error
            return out
        out, self._out = self._out, Outcome()
        return out

    @property
    def waiting(self) -> int:
        """Results that wait for the ledger."""
        return len(self.outbox)

    @property
    def unfinished(self) -> bool:
        """Postgres has work to do for it."""
        return self._left or bool(self.pending)

    @property
    def wants_more(self) -> bool:
        """False while messages wait unread for Postgres's answers: then the driver stops reading from the client."""
        return not self._held

    def limit_reached(self, error: LimitReached, result: Result, people: tuple[Shown, ...] | None) -> None:
        """The head's result breaks a cap of the grant, or is a statistic that must not be shown: as after any error,
        nothing more is told up to the next Sync.

        Recorded with ``people``: that there are more than the cap tells something about each of them. None: it is a
        statistic, about too many to be named or about too few to be told.
        """
        ticket = self.outbox.ticket()
        if people is None:
            self._record_attempt(error, result.template.text, ticket)
        else:
            self._out.records.append((ticket, told_by_error(self, result, error, people, NO_GRANT)))
        self.outbox.hold(ticket, backend.error_response(error))
        self.outbox.muted = True
        self._fail_block = True
        behind = list(takewhile(_is_not_ready, islice(self.pending, 1, None)))
        for item in reversed(behind):
            item.unmake(self)
        self._skipping = self._skipping or len(behind) + 1 == len(self.pending)

    # ---------------------------------------------------------------- what Postgres answered (called by items)

    def forget(self, statement: ServerStatement) -> None:
        """Postgres refused to prepare it, or skipped it."""
        self.names.forget_server(statement)
        self.described(statement)

    def forget_names(self, statement: ServerStatement) -> None:
        """The client was never told that it is prepared, under whatever names."""
        self.names.forget_names_of(statement)
        self.described(statement)

    def ready(self, status: str, batch: int) -> None:
        if self._fail_block:
            self._fail_block = False
            if status == "T":
                if len(self.pending) > 1:  # the client pipelines beyond a refused result: too late to fail the block
                    raise ProtocolError(
                        "a refused result (beyond a cap of the grant, or a statistic about too few) ended the session",
                        hint="wait for its answer before more is sent in the transaction",
                    )
                self.send(frontend.parse(b"", _POISON) + frontend.sync())
                self.pending.append(Poison(b""))
                self.pending.append(Ready(batch))
                return
        if self.meaning.unsure and status == "I":
            # Nothing is behind this: while it is unsure, everything waits. What the end took back is asked first.
            self.meaning.unsure = False
            ask(self, ended=True)
            self.send(frontend.sync())
            self.pending.append(Ready(batch))
            return
        self.outbox.muted = False
        self.status = status
        self.answered = batch
        # A client that pipelines may have sent BEGIN or Bind after the Sync that is answered here.
        if batch >= self._begun:
            self._block = status != "I"
        if status == "I":
            self.names.transaction_ended(batch)
        self.emit(backend.ready(status))

    def server_failed(self, body: bytes) -> None:
        """ErrorResponse: the head item failed; everything up to the next Sync is not answered."""
        fields = backend.read_report(body)
        if fields.get("V", fields.get("S")) in {"FATAL", "PANIC"}:
            if self.access is not None and self.access.ended is not None:
                raise self.access.ended
            raise Unavailable("the database closed the connection", hint="connect again", detail=fields.get("C", ""))
        if not self.pending:
            raise ProtocolError("Postgres sent an error that nobody asked for")
        if isinstance(self.pending[0], Ready):  # the commit of an implicit transaction failed; Z still follows
            self.pending[0].failed(self, fields)
            return
        head = self.pending.popleft()
        head.failed(self, fields)
        behind = list(takewhile(_is_not_ready, self.pending))
        # The last is undone first: a Close behind a Parse must not bring back what the Parse never made.
        for _ in behind:
            self.pending.popleft()
        for item in reversed(behind):
            item.dropped(self)
        head.unmake(self)
        self._skipping = self._skipping or not self.pending

    # ---------------------------------------------------------------- what the client asked

    def _take(self, data: bytes) -> None:
        self._held_bytes += len(data)
        self._held.extend(self._framer.feed(data))
        self._work()

    def _answered(self, data: bytes) -> None:
        self._server.feed(self, data)
        if self._held or self._step is not None:  # a message may have waited for this
            self._work()

    def _work(self) -> None:
        held, pending = self._held, self.pending
        if self._full and not pending:
            self._full = False
            next_step, self._step = self._step, None
            if next_step is not None and not self._skipping:
                next_step()
        while held and self._stalled is None and self.write is None and not self._full and not self.closed:
            kind, body = held.popleft()
            if self._skipping and kind not in _ENDS_SKIPPING:
                continue
            step = STEPS.get(kind)
            if step is None:
                self._without_step(kind)
            else:
                step(self, body)
            if pending and type(pending[0]) is Local:
                self.advance()
            if len(pending) >= MAX_PIPELINED:
                self._full = True
                self.send(frontend.flush())
        if not held:
            self._held_bytes = 0
        elif self._held_bytes > MAX_HELD:
            raise ProtocolError("too many messages were sent before the answers to earlier ones")

    def advance(self) -> None:
        """Our own answers at the head of the queue go out."""
        pending = self.pending
        while pending and type(head := pending[0]) is Local:
            pending.popleft()
            head.tell(self)

    def _without_step(self, kind: int) -> None:
        if kind == frontend.TERMINATE:
            self.closed = True
            self._out.close = True
        elif kind == frontend.FUNCTION_CALL:
            raise ProtocolError("function calls by oid are not accepted", hint="use SELECT")
        elif kind not in _COPY:
            raise ProtocolError(f"a message of type {chr(kind)!r} does not belong here")

    # ---------------------------------------------------------------- for the steps (simple.py, extended.py)

    def analyse(self, text: str) -> tuple[Plan, ...]:
        access = self.access
        if access is None:
            return (RefusedPlan(self._no_access, text),)
        plans = access.plans.get(text)
        if plans is None:
            linking = linking_allowed(access.terms, access.shape)
            plans = analyse(
                text,
                access.shape,
                access.catalog,
                cap=access.terms.max_people,
                answering=access.answering,
                linking=linking,
            )
            access.remember(text, plans)
        return plans

    def sync(self) -> None:
        """Ends what the client sent since the last Sync, or the statements of one Query message."""
        if self.access is None:
            self.pending.append(Local(lambda: backend.ready(self.status)))
        else:
            self.send(frontend.sync())
            self.pending.append(Ready(self.batch))
            self.batch += 1
            if self.meaning.unsure:
                self._full = True

    def may_run(self, plan: Plan, text: str, *, extended: bool) -> bool:
        """False: refused, because a change stands alone (writes.py)."""
        if self._wrote == self.batch:
            error = ServerError("nothing can follow a change in one message", code="25001", hint="send it afterwards")
            self.refuse(error, text, attempt=False, extended=extended)
            return False
        self._ran = self.batch
        if isinstance(plan, WritePlan):
            self._wrote = self.batch
        return True

    @property
    def stands_alone(self) -> bool:
        """Outside of a transaction block, and nothing else ran since the last Sync."""
        return not self._block and self._ran != self.batch

    def skip_to_sync(self) -> None:
        """An error was told: what the client sent behind it is passed over, up to its Sync."""
        self._skipping = True

    def begun(self) -> None:
        """BEGIN is about to be sent."""
        self._block = True
        self._begun = self.batch

    @property
    def block(self) -> bool:
        """BEGIN was sent, and its end not yet seen."""
        return self._block

    def refuse(self, error: SeenbyError, text: str, *, attempt: bool, extended: bool) -> None:
        position = error.position if isinstance(error, SyntaxFailed) else 0
        data = backend.error_response(error, position=position)
        ticket = self._record_attempt(error, text) if attempt else 0
        if self.access is not None and self._block:
            self.send(frontend.parse(b"", _POISON))
            self.pending.append(Poison(data, ticket))
        else:
            if extended and self.pending and self.access is not None:
                # Postgres sends an error at once; the client may wait for it before it sends Sync.
                self.send(frontend.flush())
            self.pending.append(Local(data, ticket))
        self._skipping = extended


def _no_random(size: int) -> bytes:
    raise Internal(f"a session without a source of {size} random bytes changes nothing")


def _is_not_ready(item: Item) -> bool:
    return not isinstance(item, Ready)


def _sync(session: Session, body: bytes) -> None:  # noqa: ARG001 - a step takes the message's body
    session._skipping = False
    session.sync()


_ENDS_SKIPPING = frozenset({frontend.SYNC, frontend.TERMINATE, REST})
_COPY = frozenset({frontend.COPY_DATA, frontend.COPY_DONE, frontend.COPY_FAIL})
"""The tail of a COPY that failed is passed over (54.2.6)."""

STEPS: dict[int, Callable[[Session, bytes], None]] = {
    frontend.QUERY: simple.query,
    REST: simple.rest,
    frontend.PARSE: extended.parse,
    frontend.BIND: extended.bind,
    frontend.DESCRIBE: extended.describe,
    frontend.EXECUTE: extended.execute,
    frontend.CLOSE: extended.close,
    frontend.FLUSH: extended.flush,
    frontend.SYNC: _sync,
}
