"""A change: a transaction of its own, recorded before it is committed, told after it is (docs/adr/0013).

::

    client                         Postgres                                        ledger
    UPDATE ...             ->      Sync, SET TRANSACTION READ WRITE, the statement
                           <-      the rows before and after
                                                                            ->     who, which rows, digests
                                                                            <-     durable
                           ->      Sync                                            (preview: an error, then Sync)
    rows, UPDATE 1         <-      committed

Everything that the client sends meanwhile waits. What is not committed for whatever reason is rolled back by Postgres.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from seenby.errors import Internal, LimitReached, ProtocolError, SeenbyError, ServerError
from seenby.model.disclosure import EntryBound, QueryDisclosure, Shown
from seenby.model.plan import MAX_WRITTEN, Bound, OutputKey, QueryPlan, RefusedPlan, WritePlan
from seenby.session import asking, changed, server_errors
from seenby.session.expect import Item, Local, Ready
from seenby.session.record import RecordFacts, RecordTemplate
from seenby.session.results import NO_GRANT
from seenby.session.statements import Portal, ServerStatement
from seenby.session.write_items import Before, Lookup, Undone
from seenby.wire import backend, frontend

if TYPE_CHECKING:
    from seenby.model.plan import Plan
    from seenby.session.session import Session

READ_WRITE = "SET TRANSACTION READ WRITE"
UNDO = "seenby takes it back"  # no SQL: Postgres answers 42601, and rolls the transaction back at the Sync


@dataclass(slots=True, eq=False)
class Write:
    """One change on its way.

    Attributes:
        rows: what Postgres returned.
        examined: whom its conditions name, if no row fits and that is known.
        parts, bound: whom it names, and how closely.
        ticket: of the entry, 0 while there is none.
        told: the answer to the client, once it is known.
        failed: ``told`` is an error.
    """

    plan: WritePlan
    server: ServerStatement
    text: str
    values: bytes
    formats: tuple[int, ...]
    extended: bool
    preview: bool
    rows: list[changed.Changed] = field(default_factory=list)
    examined: tuple[str, ...] = ()
    parts: tuple[Shown, ...] = ()
    bound: EntryBound = EntryBound.EXACT
    ticket: int = 0
    told: bytes = b""
    failed: bool = False

    # ---------------------------------------------------------------- on its way, in order

    def begin(self, session: Session) -> bytes:
        """Its statement is prepared: it runs in a transaction of its own."""
        session.names.take_unnamed_portal()
        session.send(
            frontend.sync()
            + frontend.parse(b"", READ_WRITE)
            + frontend.bind(b"", b"")
            + frontend.execute(b"")
            + frontend.bind(b"", self.server.name, self.values, self._server_formats())
            + frontend.execute(b"")
            + frontend.flush()
        )
        session.pending.extend((Before(session.batch), _Opened(self), _Rows(self)))
        return b""

    def give_up(self, session: Session) -> None:
        """Postgres refused to prepare the statement, and the client was told."""
        session.write = None
        if not self.extended:
            session.sync()

    def take(self, body: bytes) -> None:
        """One row."""
        if len(self.rows) > MAX_WRITTEN:
            raise ProtocolError("Postgres returned more rows than the statement can change")
        self.rows.append(changed.read(self.plan, body))

    def ran(self, session: Session) -> None:
        """All rows are here. That there are none answers a question too: whom is it about?"""
        if self.rows or self.plan.examined is None:
            self.record(session)
            return
        session.send(
            frontend.parse(b"", self.plan.examined, self.server.parameters)
            + frontend.bind(b"", b"", self.values)
            + frontend.execute(b"")
            + frontend.flush()
        )
        session.pending.append(Lookup(partial(self._looked_up, session), partial(self._nobody_said, session)))

    def _looked_up(self, session: Session, people: list[str]) -> None:
        self.examined = tuple(people)
        self.record(session)

    def _nobody_said(self, session: Session, fields: dict[str, str]) -> None:
        """Cancelled, say. That it came so far tells that no row fits."""
        self.refused(session, fields, ran=True, always=True)

    def record(self, session: Session) -> None:
        """Nothing is committed: everybody whose row it is, is named now, or who was examined."""
        access = session.access
        assert access is not None
        salts = [session.random(32) for _ in self.rows]
        self._name(session, salts if not self.preview else [])
        if len(self.rows) > MAX_WRITTEN:
            self.undo(session, LimitReached(f"one statement changes at most {MAX_WRITTEN} rows", hint="split it"))
            return
        try:
            access.usage.charge(access.terms, [shown.person for shown in self.parts], len(self.rows))
        except LimitReached as error:
            self.undo(session, error)
            return
        state = "previewed" if self.preview else "attempted"
        self.ticket = self._disclose(session, state, salts)
        session.outbox.hold(self.ticket)

    def durable(self, session: Session, ticket: int) -> None:
        """The ledger holds the entry: now it may count."""
        if not ticket or ticket != self.ticket:
            return
        self.ticket = 0
        if self.preview:
            self.told = changed.preview(self.plan, self.rows, heading=not self.extended)
            self._take_back(session)
        else:
            self.told = changed.answer(self.plan, self.rows, () if self.extended else self.server.fields)
            assert session.access is not None
            session.access.cohorts.changed()  # before a statistic can see it
            session.send(frontend.sync())
            session.pending.append(_Commit(self, session.batch))

    def undo(self, session: Session, error: LimitReached) -> None:
        """It goes beyond a limit. Whose rows these are is recorded: that there are so many tells about each."""
        self._name(session, [])
        ticket = self._disclose(session, "undone", [], error.state, grant=NO_GRANT)
        session.outbox.hold(ticket)
        self.told, self.failed = backend.error_response(error), True
        self._take_back(session)

    def _take_back(self, session: Session) -> None:
        session.send(frontend.parse(b"", UNDO) + frontend.sync())
        session.pending.extend((Undone(), _End(self, session.batch)))

    def refused(self, session: Session, fields: dict[str, str], *, ran: bool, always: bool = False) -> None:
        """Postgres failed it. An error while rows were changed is a result: it could be about anybody in the grant."""
        error = server_errors.run_time_error(fields)
        self.told, self.failed = backend.error_response(error), True
        if always or (ran and server_errors.depends_on_data(error.state)):
            access = session.access
            assert access is not None
            self._name_anybody(session, "disclosed")
            try:
                access.usage.charge(access.terms, [shown.person for shown in self.parts], 0)
            except LimitReached as limit:
                self.told = backend.error_response(limit)
            session.outbox.hold(self._disclose(session, "undone", [], error.state))
        session.send(frontend.sync())
        session.pending.append(_End(self, session.batch))

    def not_committed(self, session: Session, fields: dict[str, str]) -> None:
        """The entry stands already, so a second one says that nothing was changed."""
        error = server_errors.run_time_error(fields)
        self._name(session, [])
        session.outbox.hold(self._disclose(session, "undone", [], error.state))
        self.told, self.failed = backend.error_response(error), True

    def over(self, session: Session) -> None:
        """Committed or rolled back: the client hears of it, and goes on."""
        session.write = None
        session.emit(self.told)
        if not self.extended:
            session.sync()
        elif self.failed:
            session.skip_to_sync()

    # ---------------------------------------------------------------- what is recorded

    def _name(self, session: Session, salts: list[bytes]) -> None:
        self.parts = changed.parts(self.plan, self.rows, salts)
        if not self.parts and self.examined:
            self.parts = changed.anybody(self.plan, self.examined, "examined")
        elif not self.parts:
            self._name_anybody(session, "examined")

    def _name_anybody(self, session: Session, how: str) -> None:
        """A grant that may change rows lists its people, and nobody else's row is in its views."""
        assert session.access is not None
        self.parts = changed.anybody(self.plan, map(str, session.access.terms.people or ()), how)
        self.bound = EntryBound.UPPER

    def _disclose(
        self, session: Session, state: str, salts: list[bytes], sqlstate: str = "", grant: bytes = b""
    ) -> int:
        """Hands the entry to the ledger. Returns its ticket."""
        plan = self.plan
        digests = [changed.digests(plan, row, salt) for row, salt in zip(self.rows, salts, strict=bool(salts))]
        change = {"action": plan.action.name.lower(), "columns": list(plan.changed), "state": state}
        withheld = {"changes": digests, "settings": dict(session.meaning.now)}
        facts = session.facts.with_session(RecordFacts({"change": change}, withheld))
        like = QueryPlan(
            plan.sql,
            Bound.EXACT,
            plan.visible,
            plan.keys,
            tables=plan.tables,
            columns=plan.columns,
            classes=plan.classes,
        )
        count = len(self.rows) if salts else 0
        parameters = frontend.parameter_texts(self.values) if plan.parameters else []
        record, hidden = RecordTemplate(facts, like, self.text).fill(session.clock(), parameters, count, sqlstate)
        ticket = session.outbox.ticket()
        item = QueryDisclosure(
            record, hidden, self.parts, 0, True, self.bound, grant or session.grant_id, count, session.principal
        )
        session.hand_over(ticket, item)
        return ticket

    def _server_formats(self) -> tuple[int, ...]:
        """The client's result formats with text for the hidden columns."""
        if self.preview or not any(self.formats):
            return ()
        own = self.formats if len(self.formats) > 1 else self.formats * self.plan.visible
        return (0,) * self.plan.hidden + own


# ---------------------------------------------------------------- what is waited for


class _Opened(Item):
    """The transaction was made READ WRITE: ``1``, ``2``, ``C``."""

    __slots__ = ("write",)

    def __init__(self, write: Write) -> None:
        self.write = write

    def on(self, session: Session, kind: int, body: bytes) -> bool:
        if kind in {backend.PARSE_COMPLETE, backend.BIND_COMPLETE}:
            return False
        if kind != backend.COMMAND_COMPLETE:
            return super().on(session, kind, body)
        return True

    def failed(self, session: Session, fields: dict[str, str]) -> None:
        self.write.refused(session, fields, ran=False)


class _Rows(Item):
    """The statement itself: ``2``, rows, ``C``."""

    __slots__ = ("bound", "write")

    def __init__(self, write: Write) -> None:
        self.write = write
        self.bound = False

    def on(self, session: Session, kind: int, body: bytes) -> bool:
        if kind == backend.DATA_ROW:
            self.write.take(body)
            return False
        if kind == backend.BIND_COMPLETE:
            self.bound = True
            return False
        if kind != backend.COMMAND_COMPLETE:
            return super().on(session, kind, body)
        self.write.ran(session)
        return True

    def failed(self, session: Session, fields: dict[str, str]) -> None:
        # A parameter that is no integer says nothing about rows.
        self.write.refused(session, fields, ran=self.bound)


class _End(Ready):
    """The Sync behind what was not committed."""

    __slots__ = ("write",)

    def __init__(self, write: Write, batch: int) -> None:
        super().__init__(batch)
        self.write = write

    def on(self, session: Session, kind: int, body: bytes) -> bool:
        if kind != backend.READY or body != b"I":
            return super().on(session, kind, body)
        self.write.over(session)
        return True


class _Commit(_End):
    """The Sync that commits."""

    __slots__ = ()

    def failed(self, session: Session, fields: dict[str, str]) -> None:
        self.write.not_committed(session, fields)


# ---------------------------------------------------------------- what the client asks


def query(session: Session, plans: tuple[Plan, ...], text: str) -> None:
    """A Query message with a change in it."""
    for refused in (plan for plan in plans if isinstance(plan, RefusedPlan)):
        session.refuse(refused.error, refused.text or text, attempt=refused.attempt, extended=False)
        return session.sync()
    plan = plans[0]
    if len(plans) > 1 or not isinstance(plan, WritePlan):
        session.refuse(_alone(), text, attempt=False, extended=False)
        return session.sync()
    if not _may_run(session, plan, text, extended=False):
        return session.sync()
    server = asking.prepare(session, prepared_as(plan), ())
    return _go(session, Write(plan, server, text, frontend.NO_VALUES, (), False, session.preview))


def described(session: Session, plan: WritePlan, server: ServerStatement | None, formats: tuple[int, ...]) -> bytes:
    """RowDescription, or NoData without RETURNING."""
    if session.preview:
        return backend.row_description(changed.PREVIEW_FIELDS, formats)
    if server is None or not plan.visible:
        return backend.NO_DATA_DONE
    return backend.row_description(server.fields, formats)


def execute(session: Session, portal: Portal) -> None:
    """Of a bound change: Postgres hears of it only now."""
    statement = portal.statement
    plan, server = statement.plan, statement.server
    assert isinstance(plan, WritePlan)
    if server is None:
        raise Internal("a change was bound before it was prepared")
    columns = len(changed.PREVIEW_FIELDS) if session.preview else plan.visible
    if len(portal.formats) > 1 and len(portal.formats) != columns:
        error = ServerError(
            f"bind message has {len(portal.formats)} result formats but query has {columns} columns", code="08P01"
        )
        session.refuse(error, statement.text, attempt=False, extended=True)
        return
    if not _may_run(session, plan, statement.text, extended=True):
        return
    if not session.names.is_current(server):
        server = statement.server = asking.prepare(session, prepared_as(plan), server.key[1])
    write = Write(plan, server, statement.text, portal.values, portal.formats, True, session.preview)
    _go(session, write)


def _go(session: Session, write: Write) -> None:
    """Starts it when all that was asked before is answered."""
    session.write = write
    session.send(frontend.flush())
    begin = partial(write.begin, session)
    session.pending.append(Local(begin, undo=partial(write.give_up, session)))


def _may_run(session: Session, plan: WritePlan, text: str, *, extended: bool) -> bool:
    error = None if session.stands_alone else _alone()
    if error is not None:
        session.refuse(error, text, attempt=False, extended=extended)
        return False
    return session.may_run(plan, text, extended=extended)


def _alone() -> SeenbyError:
    return ServerError(
        "a change stands alone: outside of a transaction block, in a message of its own",
        code="25001",
        hint="send it without BEGIN (psycopg: autocommit=True; SQLAlchemy: isolation_level='AUTOCOMMIT')",
    )


def prepared_as(plan: WritePlan) -> QueryPlan:
    """As Postgres prepares it: so many hidden columns in front."""
    hidden = (OutputKey("", ()),) * plan.hidden
    return QueryPlan(plan.sql, Bound.EXACT, plan.visible, hidden)
