"""One connection to Postgres, signed in as a grant's role."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from scramp import ScramClient, ScramException

from seenby.errors import ParameterFixed, SeenbyError, Unavailable
from seenby.wire import backend, frontend, startup
from seenby.wire.framing import Framer

SIGN_IN_SECONDS = 10
CANCEL_SECONDS = 30
MAX_SIGN_IN_MESSAGE = 1 << 20

# Set for every session by the gateway: a role's own settings are advice that the role can change (guard).
FIXED_SETTINGS = {
    "client_encoding": "UTF8",
    "default_transaction_isolation": "repeatable read",
    "default_transaction_read_only": "on",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    "row_security": "on",
    "client_min_messages": "error",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "15min",
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where Postgres is: a socket directory or a host, and the database."""

    host: str
    port: int
    database: str

    async def connect(self, factory: Callable[[], asyncio.Protocol]) -> None:
        """Opens a TCP or unix connection. Raises Unavailable."""
        loop = asyncio.get_running_loop()
        try:
            if self.host.startswith("/"):
                await loop.create_unix_connection(factory, f"{self.host}/.s.PGSQL.{self.port}")
            else:
                await loop.create_connection(factory, self.host, self.port)
        except OSError as error:
            raise Unavailable(
                "the database cannot be reached", hint="try again later; tell the operator", detail=error.strerror or ""
            ) from None


class Link(asyncio.Protocol):
    """Signs in, then hands every byte to ``on_data``; ``on_lost`` when Postgres is gone."""

    def __init__(self, role: str, password: str, database: str, settings: dict[str, str]) -> None:
        self._parameters = {"user": role, "database": database, **FIXED_SETTINGS, **settings}
        self._scram = ScramClient(["SCRAM-SHA-256"], role, password)
        self._framer = Framer(MAX_SIGN_IN_MESSAGE)
        self._signed_in: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ready = False
        self.transport: asyncio.Transport | None = None
        self.on_data: Callable[[bytes], None] | None = None
        self.on_lost: Callable[[], None] | None = None
        self.on_pressure: Callable[[bool], None] | None = None
        self.parameters: dict[str, str] = {}
        self.key = (0, b"")

    @classmethod
    async def open(cls, address: Address, role: str, password: str, settings: dict[str, str]) -> Link:
        """A link that is ready for queries. Raises Unavailable, or what Postgres's refusal means."""
        link = cls(role, password, address.database, {"application_name": "seenby", **settings})
        try:
            async with asyncio.timeout(SIGN_IN_SECONDS):
                await address.connect(lambda: link)
                await link._signed_in
        except TimeoutError:
            link.close()
            raise Unavailable("the database did not answer the sign-in in time", hint="try again later") from None
        except SeenbyError:
            link.close()
            raise
        return link

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(startup.startup_message(self._parameters))

    def data_received(self, data: bytes) -> None:
        if self._ready:
            if self.on_data is not None:
                self.on_data(data)
            return
        try:
            for kind, body in self._framer.feed(data):
                self._sign_in(kind, body)
        except SeenbyError as error:
            self._fail(error)
        except ScramException:
            self._fail(Unavailable("the sign-in to the database failed", hint="tell the operator"))

    def _sign_in(self, kind: int, body: bytes) -> None:
        assert self.transport is not None
        match kind:
            case backend.AUTHENTICATION:
                code, rest = int.from_bytes(body[:4], "big"), body[4:]
                if code == backend.AUTH_SASL:
                    first = self._scram.get_client_first().encode()
                    answer = b"SCRAM-SHA-256\0" + len(first).to_bytes(4, "big") + first
                    self.transport.write(frontend.password(answer))
                elif code == backend.AUTH_SASL_CONTINUE:
                    self._scram.set_server_first(rest.decode())
                    self.transport.write(frontend.password(self._scram.get_client_final().encode()))
                elif code == backend.AUTH_SASL_FINAL:
                    self._scram.set_server_final(rest.decode())
                elif code != 0:
                    raise Unavailable("the database asks for a sign-in other than SCRAM", hint="tell the operator")
            case backend.PARAMETER_STATUS:
                name, value = backend.read_parameter_status(body)
                self.parameters[name] = value
            case backend.KEY_DATA:
                self.key = (int.from_bytes(body[:4], "big"), body[4:])
            case backend.READY:
                self._ready = True
                if not self._signed_in.done():
                    self._signed_in.set_result(None)
            case backend.ERROR:
                sqlstate = backend.read_report(body).get("C", "")
                if sqlstate == "22023":
                    raise ParameterFixed(
                        "a setting of the sign-in has a value that Postgres does not know",
                        hint="look at options=, PGTZ and PGDATESTYLE of the client",
                    )
                raise Unavailable("the database refused the grant's role", hint="tell the operator", detail=sqlstate)

    def _fail(self, error: SeenbyError) -> None:
        if not self._signed_in.done():
            self._signed_in.set_exception(error)

    def write(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.write(data)

    def close(self) -> None:
        """Ends the connection; Postgres rolls back what was open."""
        self.on_data = self.on_lost = self.on_pressure = None
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(frontend.terminate())
            self.transport.close()

    def pause_writing(self) -> None:
        if self.on_pressure:
            self.on_pressure(True)

    def resume_writing(self) -> None:
        if self.on_pressure:
            self.on_pressure(False)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._fail(Unavailable("the database closed the connection during the sign-in", hint="try again later"))
        if self.on_lost is not None:
            self.on_lost()


class _OneShot(asyncio.Protocol):
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.over = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if not self.over.done():
            self.over.set_result(None)

    def abort(self) -> None:
        self._transport.abort()


async def cancel(address: Address, key: tuple[int, bytes]) -> None:
    """Asks Postgres to cancel what the link with this key does (54.2.8). Raises Unavailable.

    Postgres closes the connection when the signal is sent: a statement that the link gets afterwards is safe from it.
    """
    asked = _OneShot(startup.cancel_request(*key))
    await address.connect(lambda: asked)
    try:
        async with asyncio.timeout(CANCEL_SECONDS):
            await asked.over
    except TimeoutError:
        raise Unavailable("the database does not answer", hint="try again later; tell the operator") from None
    finally:
        asked.abort()
