"""Carries out what a session asks: the only place where a client's bytes, Postgres's and the ledger's meet.

A session's Outcome is carried out in one order: entries go to the ledger first, then bytes to either side.
What the session gave as ``to_client`` may be shown: it waited inside the session until its entry was durable.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import traceback
from collections.abc import Awaitable, Callable
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import structlog

from seenby.errors import Internal, LedgerFailed, ProtocolError, SeenbyError, Unavailable
from seenby.gateway.link import Link, cancel
from seenby.session.handshake import Admitted, Handshake
from seenby.session.outcome import Attribution, Outcome
from seenby.session.session import Session
from seenby.wire import backend

if TYPE_CHECKING:
    from seenby.gateway.server import Gateway

log = structlog.get_logger()

SIGN_IN_SECONDS = 30
MANY_WAITING = 32
"""So many results waiting for the ledger stop the reading from Postgres."""
CANCEL_TRIES = 20
CANCEL_AGAIN_SECONDS = 0.05
CUT_SECONDS = 0.5
"""A client that does not read its last message within this time is cut off without it."""


_T = TypeVar("_T")


def _closing(step: Callable[[Connection, _T], None]) -> Callable[[Connection, _T], None]:
    """Anything unexpected in an event closes both sides (invariant I2), instead of a client that waits for ever."""

    @wraps(step)
    def guarded(self: Connection, argument: _T) -> None:
        try:
            step(self, argument)
        except Exception as error:  # noqa: BLE001 - fail closed, whatever it was
            self.fault(error)

    return guarded


class Connection(asyncio.Protocol):
    """One client, from the first byte to the last."""

    def __init__(self, gateway: Gateway, *, unix: bool) -> None:
        self._gateway = gateway
        self._unix = unix
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._handshake: Handshake | None = gateway.handshake(unix=unix)
        self._session: Session | None = None
        self._link: Link | None = None
        self._opening = False
        self._cancel_asked = False
        self._ended = False  # our last words were sent
        self._cancels = 0  # on their way to Postgres: what it is sent meanwhile waits, or they would end that
        self._to_link: list[bytes] = []
        self._settings: dict[str, str] = {}
        self._client_slow = False
        self._server_slow = False
        self._full = (False, False)  # (too many results wait for the ledger, the session has enough to do)
        self._timer = self._loop.call_later(SIGN_IN_SECONDS, self._too_slow)
        self._tasks: set[asyncio.Task[None]] = set()
        self.key = (0, b"")
        self.peer = ""

    # ---------------------------------------------------------------- client side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer = self._transport.get_extra_info("peername")
        self.peer = "unix" if self._unix else str(peer[0]) if isinstance(peer, tuple) else ""
        if not self._gateway.add(self):
            self._send_and_close(
                backend.error_response(Unavailable("too many sessions", hint="try again later"), fatal=True)
            )

    @_closing
    def data_received(self, data: bytes) -> None:
        session = self._session
        if self._ended:
            return
        if session is not None:
            self._carry(session.client_data(data))
        elif self._handshake is not None:
            self._sign_in(self._handshake, data)

    def _sign_in(self, handshake: Handshake, data: bytes) -> None:
        for step in handshake.data(data):
            if self._transport is None:
                return
            if step.to_client:
                self._transport.write(step.to_client)
            if step.start_tls:
                self._transport.pause_reading()
                self._task(self._upgrade(handshake))
            if step.cancel is not None:
                self._gateway.cancel(step.cancel)
            if step.admitted is not None:
                self._admit(step.admitted)
            if step.close:
                self._close()

    async def _upgrade(self, handshake: Handshake) -> None:
        assert self._transport is not None
        assert self._gateway.tls is not None
        try:
            upgraded = await self._loop.start_tls(self._transport, self, self._gateway.tls, server_side=True)
        except (OSError, ssl.SSLError, ConnectionError) as error:
            log.info("tls-failed", peer=self.peer, reason=type(error).__name__)
            self._close()
            return
        if upgraded is None:
            return
        self._transport = upgraded
        handshake.secured()

    def _admit(self, admitted: Admitted) -> None:
        self._timer.cancel()
        self._handshake = None
        try:
            opened = self._gateway.open_session(admitted, self)
        except SeenbyError as error:
            self._send_and_close(backend.error_response(error, fatal=True))
            return
        self._session, self._settings, greeting = opened
        assert self._transport is not None
        self._transport.write(greeting)

    def _carry(self, outcome: Outcome) -> None:
        if outcome.fault is not None:
            _log_fault(outcome.fault)
        for ticket, item in outcome.records:
            self._gateway.ledger.submit(item, partial(self._told, ticket))
        for attribution in outcome.attributions:
            self._task(self._attribute(attribution))
        if outcome.to_server:
            self._to_link += outcome.to_server
            self._pass_on()
            if not self._opening:
                self._opening = True
                self._task(self._open_link())
        if outcome.to_client and self._transport is not None:
            self._transport.write(b"".join(outcome.to_client))
        if outcome.close:
            self._close()
            return
        session = self._session
        if session is not None:
            state = (session.waiting > MANY_WAITING, not session.wants_more)
            if state != self._full:
                self._full = state
                self._flow()

    def _told(self, ticket: int, error: BaseException | None) -> None:
        self._recorded((ticket, error))

    @_closing
    def _recorded(self, answer: tuple[int, BaseException | None]) -> None:
        ticket, error = answer
        session = self._session
        if session is None:
            return
        if error is None:
            self._carry(session.recorded(ticket))
        elif isinstance(error, SeenbyError):
            self._carry(session.end(error))
        else:
            self._carry(session.end(LedgerFailed("the entry could not be made durable, so nothing is shown")))

    def fault(self, error: Exception) -> None:
        """Our own mistake, found outside the session: both sides are closed, with a sentence if that still works."""
        _log_fault(error)
        internal = Internal("an internal error; the session is closed", detail=type(error).__name__)
        try:
            self.cut(internal)
        except Exception:  # noqa: BLE001 - it may be what failed before
            self._send_and_close(backend.error_response(internal, fatal=True))

    def cut(self, error: SeenbyError) -> None:
        """Ends the session now: nothing that is not yet on its way is shown."""
        if self._session is not None:
            self._carry(self._session.end(error))
        else:
            self._send_and_close(backend.error_response(error, fatal=True))

    def cancel_running(self) -> None:
        """The client asked on another connection to cancel what this one does."""
        if self._link is not None:
            # Nothing runs: it would end the client's next statement.
            if self._session is not None and self._session.unfinished:
                self._cancels += 1
                self._task(self._cancel_batch(self._link))
        else:
            self._cancel_asked = self._opening  # nothing runs yet; what waits for the link is cancelled when it does

    async def _cancel_batch(self, link: Link) -> None:
        """Asks again until what runs now has ended: between two messages of a batch Postgres drops a cancel."""
        session = self._session
        assert session is not None
        answered = session.answered
        for tries in range(CANCEL_TRIES):
            self._cancels += tries > 0
            try:
                await cancel(self._gateway.address, link.key)
            except Unavailable as error:  # the statement goes on, and so does the session
                log.info("cancel-failed", reason=error.message)
                return
            finally:
                self._cancels -= 1
                self._pass_on()
            await asyncio.sleep(CANCEL_AGAIN_SECONDS)
            if self._link is not link or not session.unfinished or session.answered != answered:
                return

    def _pass_on(self) -> None:
        """Sends Postgres what waits for the link, or for a cancel to be over."""
        if self._link is not None and not self._cancels:
            waiting, self._to_link = self._to_link, []
            self._link.write(b"".join(waiting))

    # ---------------------------------------------------------------- Postgres side

    async def _open_link(self) -> None:
        session = self._session
        assert session is not None
        try:
            link = await self._gateway.open_link(session, self._settings)
        except SeenbyError as error:
            self._carry(session.end(error))
            return
        if self._transport is None or session.closed:
            link.close()
            return
        link.on_data = self._server_data
        link.on_lost = self._server_lost
        link.on_pressure = self._server_pressure
        self._link = link
        self._tell_settings(link)
        self._pass_on()
        if self._cancel_asked:
            self._cancel_asked = False
            self.cancel_running()
        self._flow()

    def _tell_settings(self, link: Link) -> None:
        """The greeting said what the client asked for; Postgres may spell it otherwise (German: ``German, DMY``)."""
        assert self._transport is not None
        for name, asked in self._settings.items():
            value = link.parameters.get(name)
            if value is not None and value != asked and name != "application_name":
                self._transport.write(backend.parameter_status(name, value))

    @_closing
    def _server_data(self, data: bytes) -> None:
        assert self._session is not None
        self._carry(self._session.server_data(data))

    def _server_lost(self) -> None:
        self._link = None
        if self._session is None or self._session.closed:
            return
        access = self._session.access
        lost = Unavailable("the database closed the connection", hint="connect again")
        self._carry(self._session.end((access.ended if access else None) or lost))

    async def _attribute(self, attribution: Attribution) -> None:
        """Runs the companion of a failed statement on a link of its own."""
        session = self._session
        assert session is not None
        people: list[str] | None
        try:
            people = await self._gateway.run_companion(session, attribution)
        except SeenbyError as error:
            log.info("companion-failed", reason=error.message)
            people = None
        self._carry(session.attributed(attribution.ticket, people))

    # ---------------------------------------------------------------- flow and end

    def _flow(self) -> None:
        """Whoever is slow stops the reading on the other side: memory stays bounded."""
        ledger_slow, session_full = self._full
        link = self._link.transport if self._link is not None else None
        if link is not None and not link.is_closing():
            _let_read(link, not (self._client_slow or ledger_slow))
        client = self._transport
        if client is not None and not client.is_closing():
            # A client that does not read its answers is not asked for more questions either.
            _let_read(client, not (self._client_slow or self._server_slow or session_full))

    def pause_writing(self) -> None:
        self._client_slow = True
        self._flow()

    def resume_writing(self) -> None:
        self._client_slow = False
        self._flow()

    def _server_pressure(self, slow: bool) -> None:
        self._server_slow = slow
        self._flow()

    def _too_slow(self) -> None:
        self._send_and_close(
            backend.error_response(ProtocolError("the sign-in took too long", hint="connect again"), fatal=True)
        )

    def _send_and_close(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)
        self._close()

    def _close(self) -> None:
        transport = self._transport
        self._let_go()
        if transport is None or transport.is_closing() or self._ended:
            return
        self._ended = True
        if transport.can_write_eof():
            # Closing while the client's next message is on its way would throw our last words away with it: what
            # still comes is read and dropped until the client has seen our end.
            transport.write_eof()
            transport.resume_reading()
        else:
            transport.close()
        # What is buffered is still delivered; a client that does not read must not keep old rows coming.
        self._loop.call_later(CUT_SECONDS, transport.abort)

    def _let_go(self) -> None:
        """Closes the link. Postgres does not notice until it writes again, so what still runs there is cancelled."""
        link, self._link = self._link, None
        if link is None:
            return
        link.close()
        if self._session is None or self._session.unfinished:
            self._task(self._cancel(link))

    async def _cancel(self, link: Link) -> None:
        with contextlib.suppress(Unavailable):  # then nothing runs there either
            await cancel(self._gateway.address, link.key)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._timer.cancel()
        self._transport = None
        self._let_go()
        if self._session is not None:
            self._session.closed = True
        self._gateway.remove(self)

    @property
    def session(self) -> Session | None:
        return self._session

    def _task(self, work: Awaitable[None]) -> None:
        task = self._loop.create_task(self._guard(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guard(self, work: Awaitable[None]) -> None:
        """Anything unexpected in a task closes both sides (invariant I2)."""
        try:
            await work
        except Exception as error:  # noqa: BLE001
            self.fault(error)


def _log_fault(error: Exception) -> None:
    """Where, never what: the message of an exception may hold a value."""
    frames = traceback.extract_tb(error.__traceback__)
    place = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames[-6:]]
    log.error("session-failed", kind=type(error).__name__, place=place)


def _let_read(transport: asyncio.Transport, wanted: bool) -> None:
    if wanted:
        transport.resume_reading()
    else:
        transport.pause_reading()
