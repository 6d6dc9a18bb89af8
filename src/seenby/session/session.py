"""One admitted client: bytes from both sides in, an Outcome out (see outcome.py). No I/O, no clock of its own.

Every client message becomes messages for Postgres and, in the same order, items that say what the answers mean
(expect.py). What may be shown waits in the outbox behind the ledger's tickets; everything later waits behind it,
so the client sees one order only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from seenby.errors import Internal, ProtocolError, SeenbyError, ServerError, SyntaxFailed, Unavailable
from seenby.model.disclosure import QueryDisclosure, RefusedAttempt
from seenby.model.plan import Bound, ControlKind, ControlPlan, Plan, QueryPlan, RefusedPlan
from seenby.session.access import Access
from seenby.session.expect import Acknowledged, Command, Companion, Item, Local, Poison, Prepared, Ready
from seenby.session.outcome import Attribution, Outcome
from seenby.session.record import RecordTemplate, attempt_record
from seenby.session.results import Results, error_disclosure
from seenby.session.serverside import ServerReader
from seenby.session.statements import ClientStatement, Portal, Result, ServerStatement
from seenby.sql import analyse
from seenby.wire import backend, frontend
from seenby.wire.framing import Framer, Message

MAX_SERVER_STATEMENTS = 500
MAX_TEMPLATES = 200
_POISON = "seenby refused the statement"  # no SQL: Postgres answers 42601 and fails the transaction
_LOCAL_TAGS = {ControlKind.BEGIN: "T", ControlKind.COMMIT: "I", ControlKind.ROLLBACK: "I"}
_NO_ROWS = frozenset(ControlKind) - {ControlKind.SHOW}


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
        self._outbox: deque[tuple[int, list[bytes]]] = deque()
        self._durable: set[int] = set()
        self._tickets = 0
        self._failed_results: dict[int, tuple[Result, ServerError]] = {}
        self.pending: deque[Item] = deque()
        self._status = "I"
        self._block = False  # BEGIN was sent, and its end not yet seen
        self._skipping = False  # extended protocol: an error, so everything up to Sync is skipped
        self._fail_block = False
        self._stalled: ServerStatement | None = None
        self._held: deque[Message] = deque()
        self._statements: dict[bytes, ClientStatement] = {}
        self._portals: dict[bytes, Portal] = {}
        self._server_statements: dict[tuple[str, tuple[int, ...]], ServerStatement] = {}
        self._names = 0
        self._templates: dict[tuple[int, str], RecordTemplate] = {}
        self.closed = False

    # ---------------------------------------------------------------- events

    def client_data(self, data: bytes) -> Outcome:
        """Bytes from the client."""
        return self._guarded(lambda: self._held.extend(self._framer.feed(data)))

    def server_data(self, data: bytes) -> Outcome:
        """Bytes from Postgres."""
        return self._guarded(lambda: self._server.feed(self, data))

    def recorded(self, ticket: int) -> Outcome:
        """The ledger holds the entry durably: what waited for it may go."""

        def release() -> None:
            self._durable.add(ticket)
            self._release()

        return self._guarded(release)

    def attributed(self, ticket: int, people: list[str] | None) -> Outcome:
        """The answer to an Attribution. None: the companion failed too."""

        def record() -> None:
            result, error = self._failed_results.pop(ticket)
            try:
                item = error_disclosure(self, result, error, people)
            except SeenbyError as limit:
                item = None
                error_bytes = backend.error_response(limit)
            else:
                error_bytes = backend.error_response(error)
            for waiting, chunks in self._outbox:
                if waiting == ticket:
                    chunks.insert(0, error_bytes)
            if item is None:
                text = str(result.template.fill(self.clock(), result.parameters, 0), "utf-8")
                self._out.records.append((ticket, RefusedAttempt(self._attempt(error, text), self.grant_id)))
            else:
                self._out.records.append((ticket, item))

        return self._guarded(record)

    def end(self, error: SeenbyError) -> Outcome:
        """Cuts the session now: grant ended, ledger failed, server lost, shutdown. Nothing unreleased is shown."""
        if self.closed:
            return Outcome()
        self.closed = True
        out = Outcome(to_client=[backend.error_response(error, fatal=True)], close=True)
        self._out = Outcome()
        self._outbox.clear()
        self.pending.clear()
        return out

    def _guarded(self, step: Callable[[], object]) -> Outcome:
        """Runs one event. Anything unexpected closes both sides (invariant I2)."""
        if self.closed:
            return Outcome()
        if self.access is not None and self.access.ended is not None:
            return self.end(self.access.ended)
        try:
            step()
            self._work()
        except SeenbyError as error:
            return self.end(error)
        except Exception as error:  # noqa: BLE001 - fail closed, whatever it was
            return self.end(Internal("an internal error; the session is closed", detail=type(error).__name__))
        out, self._out = self._out, Outcome()
        return out

    # ---------------------------------------------------------------- towards the client

    def emit(self, data: bytes) -> None:
        """Shows ``data`` after everything that already waits."""
        if self._outbox:
            self._outbox[-1][1].append(data)
        else:
            self._out.to_client.append(data)

    def record(self, item: QueryDisclosure | RefusedAttempt, data: bytes) -> None:
        """Hands ``item`` to the ledger; ``data`` and all that follows wait until it is durable."""
        ticket = self._ticket()
        self._out.records.append((ticket, item))
        self._outbox.append((ticket, [data]))

    def record_attempt(self, record: bytes) -> None:
        self.record(RefusedAttempt(record, self.grant_id), b"")

    def attribute_error(self, result: Result, error: ServerError) -> None:
        """A run-time error waits until everybody it could be about is recorded."""
        ticket = self._ticket()
        self._failed_results[ticket] = (result, error)
        self._outbox.append((ticket, []))
        companion = result.plan.companion or ""
        self._out.attributions.append(Attribution(ticket, companion, result.values))

    def _ticket(self) -> int:
        self._tickets += 1
        return self._tickets

    def _release(self) -> None:
        while self._outbox and self._outbox[0][0] in self._durable:
            ticket, chunks = self._outbox.popleft()
            self._durable.discard(ticket)
            self._out.to_client += chunks

    @property
    def waiting(self) -> int:
        """Results that wait for the ledger."""
        return len(self._outbox)

    # ---------------------------------------------------------------- what Postgres answered (called by items)

    def described(self, statement: ServerStatement) -> None:
        if self._stalled is statement:
            self._stalled = None

    def forget(self, statement: ServerStatement, name: bytes | None) -> None:
        """Postgres refused to prepare it."""
        self._server_statements.pop(statement.key, None)
        if name is not None:
            self._statements.pop(name, None)
        if self._stalled is statement:
            self._stalled = None

    def fail_transaction(self) -> None:
        """A result broke a cap of the grant: as after any error, a transaction block must fail."""
        self._fail_block = True

    def ready(self, status: str) -> None:
        if self._fail_block:
            self._fail_block = False
            if status == "T":
                if len(self.pending) > 1:  # the client pipelines beyond a refused result: too late to fail the block
                    raise ProtocolError("a result beyond a cap of the grant ended the session")
                self._send(frontend.parse(b"", _POISON) + frontend.sync())
                self.pending.append(Poison(b""))
                self.pending.append(Ready())
                return
        self._status = status
        self._block = status != "I"
        if status == "I":
            self._portals.clear()
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
        self.pending.popleft().failed(self, fields)
        while self.pending and not isinstance(self.pending[0], Ready):
            self.pending.popleft().dropped(self)
        if not self.pending:
            self._skipping = True

    # ---------------------------------------------------------------- what the client asked

    def _work(self) -> None:
        self.advance()
        while self._held and self._stalled is None and not self.closed:
            kind, body = self._held.popleft()
            if self._skipping and kind not in {frontend.SYNC, frontend.TERMINATE}:
                continue
            self._client_message(kind, body)
            self.advance()

    def advance(self) -> None:
        while self.pending and type(head := self.pending[0]) is Local:
            self.pending.popleft()
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
            self.pending.append(Ready())

    def _refuse(self, error: SeenbyError, text: str, *, attempt: bool, extended: bool) -> None:
        position = error.position if isinstance(error, SyntaxFailed) else 0
        data = backend.error_response(error, position=position)
        record = self._attempt(error, text) if attempt else b""
        if self.access is not None and (self._block or self._status == "T"):
            self._send(frontend.parse(b"", _POISON))
            self.pending.append(Poison(data, record))
        else:
            self.pending.append(Local(data, record))
        self._skipping = extended

    def _attempt(self, error: SeenbyError, text: str) -> bytes:
        return attempt_record(
            self._facts, self.clock(), text, sqlstate=error.state, message=error.message, detail=error.detail
        )

    # simple protocol

    def _query(self, text: str) -> None:
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
        result = self._result(query, text, frontend.NO_VALUES)
        results = Results(result)
        self._companion(query, frontend.NO_VALUES, (), results)
        self._send(frontend.bind(b"", server.name) + frontend.execute(b""))
        self.pending.append(Acknowledged(backend.BIND_DONE, tell=False))
        self.pending.append(Local(lambda: self._heading(server, query, ())))
        self.pending.append(results)
        return True

    def _heading(self, server: ServerStatement, query: QueryPlan, formats: tuple[int, ...]) -> bytes:
        notices = b"".join(backend.notice_response(text) for text in query.notices)
        if server.fields is None:
            return notices + backend.NO_DATA_DONE
        return notices + backend.row_description(server.fields, formats)

    def _control(self, plan: ControlPlan) -> None:
        if plan.kind is ControlKind.EMPTY:
            self.pending.append(Local(backend.EMPTY_DONE))
        elif plan.kind is ControlKind.DEALLOCATE:
            self._deallocate(plan)
        elif plan.sql and self.access is not None:
            if plan.kind is ControlKind.BEGIN:
                self._block = True
            self._send(frontend.parse(b"", plan.sql) + frontend.bind(b"", b"") + frontend.execute(b""))
            self.pending.append(Command(plan))
        else:
            self.pending.append(Local(backend.command_complete(plan.tag)))

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
        access = self.access
        if isinstance(plan, ControlPlan) and plan.kind is not ControlKind.SHOW:
            server = None
            self.pending.append(Local(backend.PARSE_DONE))
        else:
            plan = _as_query(plan)
            server = self._prepare(plan, message.oids, name=message.name)
        version = access.version if access else 0
        self._statements[message.name] = ClientStatement(message.text, plan, message.oids, version, server)
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
        if not isinstance(plan, QueryPlan) or server is None:
            self._portals[message.portal] = Portal(statement, (), None)
            self.pending.append(Local(backend.BIND_DONE))
            return
        if plan.bound is Bound.UPPER and not server.described:
            # The companion must be prepared with the parameter types that Postgres chose.
            self._send(frontend.flush())
            self._stalled = server
            self._held.appendleft((frontend.BIND, body))
            return
        if len(message.formats) not in {0, 1, plan.visible}:
            error = ServerError(
                f"bind message has {len(message.formats)} result formats but query has {plan.visible} columns",
                code="08P01",
            )
            self._refuse(error, statement.text, attempt=False, extended=True)
            return
        result = self._result(plan, statement.text, message.values)
        if plan.bound is Bound.UPPER:
            result.parameters = frontend.parameter_texts(message.values)
        self._companion(plan, message.values, server.parameters, Results(result))
        formats = _server_formats(message.formats, len(plan.keys), plan.visible)
        self._send(frontend.bind(message.portal, server.name, message.values, formats))
        self.pending.append(Acknowledged(backend.BIND_DONE, tell=True))
        self._portals[message.portal] = Portal(statement, message.formats, result)

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
            if server.fields is None:
                return head + backend.NO_DATA_DONE
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
        heading = b"".join(backend.notice_response(text) for text in result.plan.notices) if not result.part else b""
        self._send(frontend.execute(name, max(limit, 0)))
        self.pending.append(Results(result, heading))

    def _close(self, kind: bytes, name: bytes) -> None:
        if kind == b"S":
            self._statements.pop(name, None)
            self.pending.append(Local(backend.CLOSE_DONE))
        elif self.access is None:
            self.pending.append(Local(backend.CLOSE_DONE))
        else:
            self._portals.pop(name, None)
            self._send(frontend.close(b"P", name))
            self.pending.append(Acknowledged(backend.CLOSE_DONE, tell=True))

    # both

    def _prepare(self, plan: QueryPlan, oids: tuple[int, ...], *, name: bytes | None = None) -> ServerStatement:
        """The statement as Postgres knows it; ``name``: the client waits for ParseComplete."""
        key = (plan.sql, oids)
        statement = self._server_statements.get(key)
        if statement is not None:
            if name is not None:
                self.pending.append(Local(backend.PARSE_DONE))
            return statement
        if len(self._server_statements) >= MAX_SERVER_STATEMENTS:
            self._evict()
        self._names += 1
        statement = ServerStatement(b"s%d" % self._names, key, len(plan.keys))
        self._server_statements[key] = statement
        self._send(frontend.parse(statement.name, plan.sql, oids) + frontend.describe(b"S", statement.name))
        self.pending.append(Prepared(statement, tell=name is not None, name=name))
        return statement

    def _evict(self) -> None:
        used = {id(one.server) for one in self._statements.values()}
        for key, old in list(self._server_statements.items())[: MAX_SERVER_STATEMENTS // 4]:
            if id(old) not in used:
                del self._server_statements[key]
                self._send(frontend.close(b"S", old.name))
                self.pending.append(Acknowledged(backend.CLOSE_DONE, tell=False))

    def _companion(self, plan: QueryPlan, values: bytes, oids: tuple[int, ...], results: Results) -> None:
        if plan.bound is not Bound.UPPER:
            return
        if plan.companion is None:
            raise Internal("an upper bound without a companion query")
        server = self._prepare(QueryPlan(plan.companion, Bound.NOBODY, 2), oids)
        self._send(frontend.bind(b"", server.name, values) + frontend.execute(b""))
        self.pending.append(Companion(results))

    def _result(self, plan: QueryPlan, text: str, values: bytes) -> Result:
        key = (id(plan), text)
        template = self._templates.get(key)
        if template is None:
            if len(self._templates) >= MAX_TEMPLATES:
                self._templates.clear()
            template = self._templates[key] = RecordTemplate(self._facts, plan, text)
        parameters = frontend.parameter_texts(values) if plan.parameters else []
        keys = tuple(set[bytes]() for _ in plan.keys)
        return Result(plan, template, parameters, values, keys, skip=plan.offset)


def _as_query(plan: QueryPlan | ControlPlan) -> QueryPlan:
    """SHOW returns a row, so it travels like a query that shows nobody."""
    if isinstance(plan, QueryPlan):
        return plan
    return QueryPlan(plan.sql, Bound.NOBODY, 1)


def _server_formats(formats: tuple[int, ...], keys: int, visible: int) -> tuple[int, ...]:
    """The client's result formats with text for the person keys in front."""
    if not any(formats):
        return ()
    return (0,) * keys + (formats if len(formats) > 1 else formats * visible)
