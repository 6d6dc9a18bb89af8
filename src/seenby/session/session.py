"""One admitted client: bytes from both sides in, an Outcome out (see outcome.py). No I/O, no clock of its own.

Every client message becomes messages for Postgres and, in the same order, items that say what the answers mean
(expect.py). What may be shown waits in the outbox behind the ledger's tickets; everything later waits behind it,
so the client sees one order only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import islice, takewhile

from seenby.errors import Internal, LimitReached, ProtocolError, SeenbyError, ServerError, SyntaxFailed, Unavailable
from seenby.model.disclosure import QueryDisclosure, RefusedAttempt
from seenby.model.plan import Bound, ControlKind, ControlPlan, Plan, QueryPlan, RefusedPlan
from seenby.session.access import Access
from seenby.session.expect import Acknowledged, Command, Companion, Item, Local, Poison, Prepared, Ready
from seenby.session.outbox import Outbox
from seenby.session.outcome import Attribution, Outcome
from seenby.session.parameters import closed_type
from seenby.session.record import RecordTemplate, attempt_record
from seenby.session.results import Results, error_disclosure
from seenby.session.serverside import ServerReader
from seenby.session.statements import ClientStatement, Portal, Result, ServerStatement
from seenby.sql import analyse
from seenby.wire import backend, frontend
from seenby.wire.framing import Framer, Message

MAX_SERVER_STATEMENTS = 500
MAX_TEMPLATES = 200
MAX_STATEMENTS = 5000
"""Statements that one client may keep prepared."""
MAX_PORTALS = 1000
MAX_ROWS = 2**31 - 1  # of an Execute message
MAX_PIPELINED = 10_000
"""So many unanswered items stop the reading of what the client sent meanwhile."""
MAX_HELD = 64 << 20
"""Bytes of unread messages that end the session. A driver that heeds ``wants_more`` never gets there."""
_POISON = "seenby refused the statement"  # no SQL: Postgres answers 42601 and fails the transaction


class Session:
    """The state machine of one connection after sign-in.

    Args:
        access: the grant in use, or None: then every query is answered with ``no_access``.
        facts: what every record of this session says of who asks and from where.
        clock: Unix seconds.
        max_message: bytes; a longer client message ends the session.
    """

    def __init__(
        self,
        *,
        access: Access | None,
        no_access: SeenbyError,
        facts: dict[str, object],
        clock: Callable[[], float],
        max_message: int,
    ) -> None:
        self.access = access
        self.clock = clock
        self.grant_id = bytes.fromhex(access.terms.id) if access else b""
        self._no_access = no_access
        self._facts = facts
        self._framer = Framer(max_message)
        self._server = ServerReader()
        self._out = Outcome()
        self.outbox = Outbox()
        self.emit = self.outbox.emit
        self._failed_results: dict[int, tuple[Result, ServerError]] = {}
        self.pending: deque[Item] = deque()
        self._status = "I"
        self._batch = 0  # Syncs sent so far
        self._begun = 0  # the batch of the last BEGIN
        self._block = False  # BEGIN was sent, and its end not yet seen
        self._skipping = False  # extended protocol: an error, so everything up to Sync is skipped
        self._fail_block = False
        self._stalled: ServerStatement | None = None
        self._held: deque[Message] = deque()
        self._held_bytes = 0
        self._full = False
        self._statements: dict[bytes, ClientStatement] = {}
        self._portals: dict[bytes, Portal] = {}
        self._server_statements: dict[tuple[str, tuple[int, ...]], ServerStatement] = {}
        self._names = 0
        self._templates: dict[tuple[int, str], RecordTemplate] = {}
        self.closed = False

    # ---------------------------------------------------------------- events

    def client_data(self, data: bytes) -> Outcome:
        """Bytes from the client."""
        return self._guarded(self._take, data)

    def server_data(self, data: bytes) -> Outcome:
        """Bytes from Postgres."""
        return self._guarded(self._server.feed, self, data)

    def recorded(self, ticket: int) -> Outcome:
        """The ledger holds the entry durably: what waited for it may go."""
        return self._guarded(self.outbox.durable, ticket)

    def attributed(self, ticket: int, people: list[str] | None) -> Outcome:
        """The answer to an Attribution. None: the companion failed too."""
        return self._guarded(self._tell_failure, ticket, people)

    def end(self, error: SeenbyError) -> Outcome:
        """Cuts the session now: grant ended, ledger failed, server lost, shutdown. Nothing unreleased is shown.

        What this event had already handed to the ledger stays handed over: an attempt is not hidden by what follows.
        """
        if self.closed:
            return Outcome()
        self.closed = True
        out = Outcome(records=self._out.records, to_client=[backend.error_response(error, fatal=True)], close=True)
        self._out = Outcome()
        self.outbox.clear()
        self.pending.clear()
        self._held.clear()
        return out

    def _guarded(self, step: Callable[..., None], *arguments: object) -> Outcome:
        """Runs one event. Anything unexpected closes both sides (invariant I2)."""
        if self.closed:
            return Outcome()
        if self.access is not None and self.access.ended is not None:
            return self.end(self.access.ended)
        try:
            step(*arguments)
            self._work()
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
    def wants_more(self) -> bool:
        """False while messages wait unread for Postgres's answers: then the driver stops reading from the client."""
        return not self._held

    # ---------------------------------------------------------------- towards the ledger and the client

    def record(self, item: QueryDisclosure, data: bytes) -> None:
        """Hands ``item`` to the ledger; ``data`` and all that follows wait until it is durable."""
        ticket = self.outbox.ticket()
        self._out.records.append((ticket, item))
        self.outbox.hold(ticket, data)

    def _record_attempt(self, error: SeenbyError, text: str, ticket: int = 0) -> int:
        """Hands a refused attempt to the ledger when it is made, whatever becomes of the answer. Returns its ticket."""
        record = attempt_record(
            self._facts, self.clock(), text, sqlstate=error.state, message=error.message, detail=error.detail
        )
        ticket = ticket or self.outbox.ticket()
        self._out.records.append((ticket, RefusedAttempt(record, self.grant_id)))
        return ticket

    def attribute_error(self, result: Result, error: ServerError) -> None:
        """A run-time error waits until everybody it could be about is recorded."""
        ticket = self.outbox.ticket()
        self._failed_results[ticket] = (result, error)
        self.outbox.hold(ticket)
        if result.plan.companion is None:
            self._tell_failure(ticket, None)
        else:
            self._out.attributions.append(
                Attribution(ticket, result.plan.companion, result.server.parameters, result.values)
            )

    def _tell_failure(self, ticket: int, people: list[str] | None) -> None:
        result, error = self._failed_results.pop(ticket)
        told: SeenbyError = error
        item: QueryDisclosure | None
        try:
            item = error_disclosure(self, result, error, people)
        except LimitReached as limit:
            item, told = None, limit
        if item is None:
            self._record_attempt(told, result.template.text, ticket)
        else:
            self._out.records.append((ticket, item))
        self.outbox.fill(ticket, backend.error_response(told))

    def limit_reached(self, error: LimitReached, result: Result) -> None:
        """The head's result breaks a cap of the grant: as after any error, nothing more is told up to the next Sync.

        Recorded, because it says that there are more people or rows than the cap.
        """
        ticket = self._record_attempt(error, result.template.text)
        self.outbox.hold(ticket, backend.error_response(error))
        self.outbox.muted = True
        self._fail_block = True
        behind = list(takewhile(_is_not_ready, islice(self.pending, 1, None)))
        for item in reversed(behind):
            item.unmake(self)
        self._skipping = self._skipping or len(behind) + 1 == len(self.pending)

    # ---------------------------------------------------------------- what Postgres answered (called by items)

    def described(self, statement: ServerStatement) -> None:
        if self._stalled is statement:
            self._stalled = None

    def forget(self, statement: ServerStatement) -> None:
        """Postgres refused to prepare it, or skipped it."""
        if self._server_statements.get(statement.key) is statement:
            del self._server_statements[statement.key]
        self.forget_names(statement)

    def forget_names(self, statement: ServerStatement) -> None:
        """The client was never told that it is prepared, under whatever names."""
        for name in [name for name, one in self._statements.items() if one.server is statement]:
            del self._statements[name]
        if self._stalled is statement:
            self._stalled = None

    def _forget_name(self, name: bytes, statement: ClientStatement) -> None:
        if self._statements.get(name) is statement:
            del self._statements[name]

    def _unbind(self, name: bytes, portal: Portal) -> None:
        # Postgres may still have an older portal of this name. To take the new one for it would be to cut off
        # the wrong keys, so the name is gone for this client.
        if self._portals.get(name) is portal:
            del self._portals[name]

    def ready(self, status: str, batch: int) -> None:
        if self._fail_block:
            self._fail_block = False
            if status == "T":
                if len(self.pending) > 1:  # the client pipelines beyond a refused result: too late to fail the block
                    raise ProtocolError("a result beyond a cap of the grant ended the session")
                self._send(frontend.parse(b"", _POISON) + frontend.sync())
                self.pending.append(Poison(b""))
                self.pending.append(Ready(batch))
                return
        self.outbox.muted = False
        self._status = status
        # A client that pipelines may have sent BEGIN or Bind after the Sync that is answered here.
        if batch >= self._begun:
            self._block = status != "I"
        if status == "I" and self._portals:
            self._portals = {name: one for name, one in self._portals.items() if one.batch > batch}
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

    def _work(self) -> None:
        held, pending = self._held, self.pending
        if pending and type(pending[0]) is Local:
            self.advance()
        if self._full and not pending:
            self._full = False
        while held and self._stalled is None and not self._full and not self.closed:
            kind, body = held.popleft()
            if self._skipping and kind not in {frontend.SYNC, frontend.TERMINATE}:
                continue
            self._client_message(kind, body)
            if pending and type(pending[0]) is Local:
                self.advance()
            if len(pending) >= MAX_PIPELINED:
                self._full = True
                self._send(frontend.flush())
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

    def _client_message(self, kind: int, body: bytes) -> None:
        match kind:
            case frontend.EXECUTE:
                self._execute(body)
            case frontend.BIND:
                self._bind(body)
            case frontend.SYNC:
                self._skipping = False
                self._sync()
            case frontend.QUERY:
                self._query(frontend.text_of(body))
            case frontend.PARSE:
                self._parse(frontend.read_parse(body))
            case frontend.DESCRIBE:
                self._describe(*frontend.read_target(body))
            case frontend.CLOSE:
                self._close(*frontend.read_target(body))
            case frontend.FLUSH:
                if self.access is not None:
                    self._send(frontend.flush())
            case frontend.TERMINATE:
                self.closed = True
                self._out.close = True
            case frontend.COPY_DATA | frontend.COPY_DONE | frontend.COPY_FAIL:
                return  # the tail of a COPY that failed (54.2.6)
            case frontend.FUNCTION_CALL:
                raise ProtocolError("function calls by oid are not accepted", hint="use SELECT")
            case _:
                raise ProtocolError(f"a message of type {chr(kind)!r} does not belong here")

    def _send(self, data: bytes) -> None:
        self._out.to_server.append(data)

    def _analyse(self, text: str) -> tuple[Plan, ...]:
        access = self.access
        if access is None:
            return (RefusedPlan(self._no_access, text),)
        plans = access.plans.get(text)
        if plans is None:
            plans = analyse(text, access.shape, access.catalog, cap=access.terms.max_people)
            access.remember(text, plans)
        return plans

    def _sync(self) -> None:
        if self.access is None:
            self.pending.append(Local(lambda: backend.ready(self._status)))
        else:
            self._send(frontend.sync())
            self.pending.append(Ready(self._batch))
            self._batch += 1

    def _refuse(self, error: SeenbyError, text: str, *, attempt: bool, extended: bool) -> None:
        position = error.position if isinstance(error, SyntaxFailed) else 0
        data = backend.error_response(error, position=position)
        ticket = self._record_attempt(error, text) if attempt else 0
        if self.access is not None and self._block:
            self._send(frontend.parse(b"", _POISON))
            self.pending.append(Poison(data, ticket))
        else:
            if extended and self.pending and self.access is not None:
                # Postgres sends an error at once; the client may wait for it before it sends Sync.
                self._send(frontend.flush())
            self.pending.append(Local(data, ticket))
        self._skipping = extended

    # simple protocol

    def _query(self, text: str) -> None:
        self._statements.pop(b"", None)
        self._portals.pop(b"", None)
        for plan in self._analyse(text):
            if not self._run(plan, text):
                break
        self._sync()

    def _run(self, plan: Plan, text: str) -> bool:
        if isinstance(plan, RefusedPlan):
            self._refuse(plan.error, plan.text or text, attempt=plan.attempt, extended=False)
            return False
        if isinstance(plan, ControlPlan) and plan.kind is not ControlKind.SHOW:
            self._control(plan)
            return True
        query = _as_query(plan)
        server = self._prepare(query, ())
        result = self._result(query, server, text, frontend.NO_VALUES)
        results = Results(result)
        if query.bound is Bound.UPPER:
            self._companion(query, frontend.NO_VALUES, (), results)
        self._send(frontend.bind(b"", server.name) + frontend.execute(b""))
        self.pending.append(Acknowledged(backend.BIND_DONE, tell=False))
        self.pending.append(Local(lambda: _notices(query) + backend.row_description(server.fields)))
        self.pending.append(results)
        return True

    def _control(self, plan: ControlPlan) -> None:
        if plan.kind is ControlKind.EMPTY:
            self.pending.append(Local(backend.EMPTY_DONE))
        elif plan.kind is ControlKind.DEALLOCATE:
            self._deallocate(plan)
        elif plan.sql and self.access is not None:
            if plan.kind is ControlKind.BEGIN:
                self._block = True
                self._begun = self._batch
            self._take_unnamed_portal()
            self._send(frontend.parse(b"", plan.sql) + frontend.bind(b"", b"") + frontend.execute(b""))
            self.pending.append(Command(plan))
        else:
            self.pending.append(Local(backend.command_complete(plan.tag)))

    def _take_unnamed_portal(self) -> None:
        """We are about to use it ourselves, so the client's is gone."""
        portal = self._portals.get(b"")
        if portal is not None and portal.result is not None:
            del self._portals[b""]

    def _deallocate(self, plan: ControlPlan) -> None:
        if not plan.name:
            self._statements.clear()
        elif self._statements.pop(plan.name.encode(), None) is None:
            error = ServerError(f'prepared statement "{plan.name}" does not exist', code="26000")
            self._refuse(error, plan.tag, attempt=False, extended=False)
            return
        self.pending.append(Local(backend.command_complete(plan.tag)))

    # extended protocol

    def _parse(self, message: frontend.Parse) -> None:
        if not message.name:
            self._statements.pop(b"", None)  # as Postgres does, also when the new text is refused
        plans = self._analyse(message.text)
        plan = plans[0]
        if len(plans) > 1:
            error = SyntaxFailed("cannot insert multiple commands into a prepared statement")
            return self._refuse(error, message.text, attempt=False, extended=True)
        if isinstance(plan, RefusedPlan):
            return self._refuse(plan.error, plan.text or message.text, attempt=plan.attempt, extended=True)
        if message.name and message.name in self._statements:
            error2 = ServerError(f'prepared statement "{message.name.decode()}" already exists', code="42P05")
            return self._refuse(error2, message.text, attempt=False, extended=True)
        if len(self._statements) >= MAX_STATEMENTS:
            full = ServerError(
                f"more than {MAX_STATEMENTS} prepared statements", code="53400", hint="close those not needed any more"
            )
            return self._refuse(full, message.text, attempt=False, extended=True)
        if closed := closed_type(message.oids, self.access.shape if self.access else None):
            return self._refuse(closed, message.text, attempt=True, extended=True)
        version = self.access.version if self.access else 0
        if isinstance(plan, ControlPlan) and plan.kind is not ControlKind.SHOW:
            statement = ClientStatement(message.text, plan, version)
            undo = partial(self._forget_name, message.name, statement)
            self.pending.append(Local(backend.PARSE_DONE, undo=undo))
        else:
            query = _as_query(plan)
            statement = ClientStatement(message.text, query, version)
            undo = partial(self._forget_name, message.name, statement)
            statement.server = self._prepare(query, message.oids, undo=undo)
        self._statements[message.name] = statement
        return None

    def _statement(self, name: bytes) -> ClientStatement | None:
        statement = self._statements.get(name)
        if statement is None:
            error = ServerError(f'prepared statement "{name.decode(errors="replace")}" does not exist', code="26000")
            self._refuse(error, "", attempt=False, extended=True)
            return None
        if self.access is not None and statement.version != self.access.version:
            # The views were rebuilt after Parse: what was analysed is not what would run.
            stale = ServerError(
                "the tables changed since this statement was prepared", code="0A000", hint="prepare it again"
            )
            self._refuse(stale, statement.text, attempt=False, extended=True)
            return None
        return statement

    def _bind(self, body: bytes) -> None:
        message = frontend.read_bind(body)
        statement = self._statement(message.statement)
        if statement is None:
            return
        plan, server = statement.plan, statement.server
        if len(self._portals) >= MAX_PORTALS:
            full = ServerError(f"more than {MAX_PORTALS} open portals", code="53400", hint="close some")
            self._refuse(full, statement.text, attempt=False, extended=True)
            return
        if not isinstance(plan, QueryPlan) or server is None:
            portal = Portal(statement, (), None, self._batch)
            self._portals[message.portal] = portal
            self.pending.append(Local(backend.BIND_DONE, undo=partial(self._unbind, message.portal, portal)))
            return
        if plan.bound is Bound.UPPER and not server.described:
            # The companion must be prepared with the parameter types that Postgres chose.
            self._send(frontend.flush())
            self._stalled = server
            self._held.appendleft((frontend.BIND, body))
            return
        if len(message.formats) not in {0, 1, plan.visible} and (plan.visible or plan.keys):
            error = ServerError(
                f"bind message has {len(message.formats)} result formats but query has {plan.visible} columns",
                code="08P01",
            )
            self._refuse(error, statement.text, attempt=False, extended=True)
            return
        result = self._result(plan, server, statement.text, message.values)
        if plan.bound is Bound.UPPER:
            self._companion(plan, message.values, server.parameters, Results(result))
        formats = _server_formats(message.formats, len(plan.keys), plan.visible)
        self._send(frontend.bind(message.portal, server.name, message.values, formats))
        portal = Portal(statement, message.formats, result, self._batch)
        self._portals[message.portal] = portal
        undo = partial(self._unbind, message.portal, portal)
        self.pending.append(Acknowledged(backend.BIND_DONE, tell=True, undo=undo))

    def _describe(self, kind: bytes, name: bytes) -> None:
        if kind == b"S":
            statement = self._statement(name)
            if statement is None:
                return
            formats: tuple[int, ...] = ()
        else:
            portal = self._portal(name)
            if portal is None:
                return
            statement, formats = portal.statement, portal.formats
        server, plan = statement.server, statement.plan
        if server is None or not isinstance(plan, QueryPlan):
            head = backend.parameter_description(()) if kind == b"S" else b""
            self.pending.append(Local(head + backend.NO_DATA_DONE))
            return

        def answer() -> bytes:
            head = backend.parameter_description(server.parameters) if kind == b"S" else b""
            return head + backend.row_description(server.fields, formats)

        self.pending.append(Local(answer))

    def _portal(self, name: bytes) -> Portal | None:
        portal = self._portals.get(name)
        if portal is None:
            error = ServerError(f'portal "{name.decode(errors="replace")}" does not exist', code="34000")
            self._refuse(error, "", attempt=False, extended=True)
        return portal

    def _execute(self, body: bytes) -> None:
        name, limit = frontend.read_execute(body)
        portal = self._portal(name)
        if portal is None:
            return
        plan = portal.statement.plan
        if portal.result is None:
            assert isinstance(plan, ControlPlan)
            self._control(plan)
            return
        result = portal.result
        heading = b"" if result.started else _notices(result.plan)
        result.started = True
        if limit > 0:
            # OFFSET: the rows to drop come on top of those that the client asks for.
            limit = min(limit + result.unasked, MAX_ROWS)
            result.unasked = 0
        self._send(frontend.execute(name, max(limit, 0)))
        self.pending.append(Results(result, heading))

    def _close(self, kind: bytes, name: bytes) -> None:
        if kind == b"S":
            closed = self._statements.pop(name, None)
            undo = partial(self._statements.setdefault, name, closed) if closed else None
            self.pending.append(Local(backend.CLOSE_DONE, undo=undo))
        elif self.access is None:
            self.pending.append(Local(backend.CLOSE_DONE))
        else:
            self._portals.pop(name, None)
            self._send(frontend.close(b"P", name))
            self.pending.append(Acknowledged(backend.CLOSE_DONE, tell=True))

    # both

    def _prepare(
        self, plan: QueryPlan, oids: tuple[int, ...], *, undo: Callable[[], object] | None = None
    ) -> ServerStatement:
        """The statement as Postgres knows it; with ``undo`` the client waits for ParseComplete."""
        key = (plan.sql, oids)
        statement = self._server_statements.get(key)
        if statement is not None:
            if undo is not None:
                self.pending.append(Local(backend.PARSE_DONE, undo=undo))
            return statement
        if len(self._server_statements) >= MAX_SERVER_STATEMENTS:
            self._evict()
        self._names += 1
        # A star over the catalog, which has no keys, has as many columns as Postgres says.
        width = len(plan.keys) + plan.visible
        statement = ServerStatement(b"s%d" % self._names, key, len(plan.keys), width or None)
        self._server_statements[key] = statement
        self._send(frontend.parse(statement.name, plan.sql, oids) + frontend.describe(b"S", statement.name))
        self.pending.append(Prepared(statement, tell=undo is not None))
        return statement

    def _evict(self) -> None:
        used = {id(one.server) for one in self._statements.values()}
        for key, old in list(self._server_statements.items())[: MAX_SERVER_STATEMENTS // 4]:
            if id(old) not in used:
                del self._server_statements[key]
                self._send(frontend.close(b"S", old.name))
                self.pending.append(Acknowledged(backend.CLOSE_DONE, tell=False))

    def _companion(self, plan: QueryPlan, values: bytes, oids: tuple[int, ...], results: Results) -> None:
        if plan.companion is None:
            raise Internal("an upper bound without a companion query")
        server = self._prepare(QueryPlan(plan.companion, Bound.NOBODY, 2), oids)
        self._take_unnamed_portal()
        self._send(frontend.bind(b"", server.name, values) + frontend.execute(b""))
        self.pending.append(Companion(results))

    def _result(self, plan: QueryPlan, server: ServerStatement, text: str, values: bytes) -> Result:
        key = (id(plan), text)
        template = self._templates.get(key)
        if template is None:
            if len(self._templates) >= MAX_TEMPLATES:
                self._templates.clear()
            template = self._templates[key] = RecordTemplate(self._facts, plan, text)
        parameters = frontend.parameter_texts(values) if plan.parameters else []
        keys: tuple[set[bytes], ...] = tuple([set() for _ in plan.keys])
        return Result(plan, server, template, parameters, values, keys, skip=plan.offset, unasked=plan.offset)


def _as_query(plan: QueryPlan | ControlPlan) -> QueryPlan:
    """SHOW returns a row, so it travels like a query that shows nobody."""
    if isinstance(plan, QueryPlan):
        return plan
    return QueryPlan(plan.sql, Bound.NOBODY, 1)


def _is_not_ready(item: Item) -> bool:
    return not isinstance(item, Ready)


def _notices(plan: QueryPlan) -> bytes:
    return b"".join([backend.notice_response(text) for text in plan.notices]) if plan.notices else b""


def _server_formats(formats: tuple[int, ...], keys: int, visible: int) -> tuple[int, ...]:
    """The client's result formats with text for the person keys in front."""
    if not formats or not any(formats):
        return ()
    if not keys:
        return formats
    return (0,) * keys + (formats if len(formats) > 1 else formats * visible)
