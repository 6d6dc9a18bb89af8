"""All sessions of one gateway process: who may come in, with which grant, and how long."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import os
import secrets
import ssl
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from seenby.errors import ConfigError, GrantEnded, NoGrant, Refused, SeenbyError, Unavailable
from seenby.gateway.active import Enforcer
from seenby.gateway.connection import Connection
from seenby.gateway.facts import session_facts
from seenby.gateway.link import Address, Link
from seenby.grants.lifecycle import end_words, ended_error
from seenby.grants.review import broken_notice
from seenby.model.grant import GrantTerms
from seenby.model.plan import ControlPlan, RefusedPlan
from seenby.model.principal import Principal
from seenby.model.shape import Catalog
from seenby.session.access import MAX_BREACHES, Access
from seenby.session.handshake import Admitted, Handshake
from seenby.session.outcome import Attribution
from seenby.session.session import Session
from seenby.sql import analyse
from seenby.sql.settings import FREE, LIMITS, identifier, literal
from seenby.stores.config import Config
from seenby.stores.ledger import Ledger
from seenby.wire import backend, frontend, startup
from seenby.wire.framing import Framer
from seenby_verify.tlog.entries import EndReason

log = structlog.get_logger()

TICK_SECONDS = 0.1
COMPANION_SECONDS = 30
_NO_ROLE = {"28000", "28P01"}  # the sign-in failed: there is no such role


class Grants(Protocol):
    """What the gateway needs to know of grants (gateway/grants.py)."""

    def principal(self, name: str) -> Principal | None: ...
    def accesses(self, principal: str) -> Sequence[Access]: ...
    def secret(self, grant: str) -> tuple[str, str]:
        """(role, password) in Postgres."""
        ...

    def cap_reached(self, grant: str) -> None:
        """Results went beyond its caps too often: the grant is over."""
        ...


class Gateway:
    """Listens, admits, keeps count, cuts.

    Args:
        catalog: the newest one.
        clock: Unix seconds; tests own it.
        enforcer: makes a grant's role again that the database has lost; None: sessions of such a grant are refused.
    """

    def __init__(
        self,
        config: Config,
        *,
        ledger: Ledger,
        grants: Grants,
        catalog: Callable[[], Catalog],
        secret: bytes,
        clock: Callable[[], float] = time.time,
        enforcer: Enforcer | None = None,
    ) -> None:
        self.config = config
        self.ledger = ledger
        self.grants = grants
        self.clock = clock
        self.address = Address(config.database.host, config.database.port, config.database.dbname)
        self.tls, self._binding = _tls(config)
        self._catalog = catalog
        self._enforcer = enforcer
        self._secret = hmac.digest(secret, b"seenby/handshake/v1", "sha256")
        self._connections: set[Connection] = set()
        self._by_key: dict[tuple[int, bytes], Connection] = {}
        self._next_pid = 1
        self._servers: list[asyncio.Server] = []
        self._ticker: asyncio.Task[None] | None = None
        self.port = config.listen.port

    # ---------------------------------------------------------------- life

    async def start(self) -> None:
        """Binds TCP and the unix socket. Raises ConfigError when a place is taken."""
        loop = asyncio.get_running_loop()
        listen = self.config.listen
        try:
            if listen.host:
                tcp = await loop.create_server(lambda: Connection(self, unix=False), listen.host, listen.port)
                self._servers.append(tcp)
                self.port = tcp.sockets[0].getsockname()[1]
            if listen.socket_dir:
                path = Path(listen.socket_dir) / f".s.PGSQL.{self.port}"
                path.parent.mkdir(parents=True, exist_ok=True)
                with contextlib.suppress(FileNotFoundError):
                    path.unlink()
                unix = await loop.create_unix_server(lambda: Connection(self, unix=True), str(path))
                path.chmod(0o777)  # as Postgres's own: who comes in is decided by SCRAM
                self._servers.append(unix)
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {listen.host}:{listen.port} or in {listen.socket_dir}: {error.strerror}",
                hint="is another gateway running? change [listen]",
            ) from None
        self._ticker = asyncio.create_task(self._tick())

    async def stop(self) -> None:
        """Ends every session with a sentence, then the listeners."""
        if self._ticker is not None:
            self._ticker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticker
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            connection.cut(GrantEnded("the gateway is stopping", hint="connect again later"))
        for server in self._servers:
            await server.wait_closed()

    async def _tick(self) -> None:
        """Cuts what has ended: at the latest TICK_SECONDS after it did (invariant I6)."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self.cut_ended()

    def cut_ended(self) -> None:
        """Ends every session whose grant has ended, idle or in the middle of a result."""
        now = self.clock()
        for connection in list(self._connections):
            access = connection.session.access if connection.session else None
            if access is None:
                continue
            if access.ended is None:
                access.ended = expiry(access.terms, now)
            if access.ended is None and access.usage.breaches >= MAX_BREACHES:
                access.ended = ended_error(access.terms, end_words(EndReason.CAP))
                self.grants.cap_reached(access.terms.id)
            if access.ended is not None:
                connection.cut(access.ended)

    # ---------------------------------------------------------------- connections

    def add(self, connection: Connection) -> bool:
        if len(self._connections) >= self.config.limits.max_sessions:
            return False
        self._connections.add(connection)
        return True

    def remove(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._by_key.pop(connection.key, None)

    def handshake(self, *, unix: bool) -> Handshake:
        return Handshake(
            self.grants.principal,
            secret=self._secret,
            nonce=secrets.token_urlsafe(18),
            tls=self.tls is not None and not unix,
            need_tls=self.tls is not None and self.config.listen.require_tls and not unix,
            binding=self._binding,
        )

    def cancel(self, request: startup.CancelRequest) -> None:
        """An unknown key is answered with nothing, as Postgres does."""
        connection = self._by_key.get((request.pid, request.key))
        if connection is not None:
            connection.cancel_running()

    def open_session(self, admitted: Admitted, connection: Connection) -> tuple[Session, dict[str, str], bytes]:
        """(session, settings for its link, the bytes that greet the client). Raises SeenbyError: not admitted."""
        if admitted.database != self.config.database.dbname:
            raise Unavailable(
                f'database "{admitted.database}" is not behind this gateway',
                hint=f"connect with dbname={self.config.database.dbname}",
            )
        catalog = self._catalog()
        settings = self._settings(admitted, catalog)
        access, no_access = self._choose(admitted)
        principal = admitted.principal
        application = settings.get("application_name", "")
        own = session_facts(principal, self.config.region, network=connection.peer, application=application)
        session = Session(
            access=access,
            no_access=no_access,
            facts=access.facts.with_session(own) if access else own,
            clock=self.clock,
            max_message=self.config.limits.max_message,
            settings=settings,
            principal=principal.name,
            random=os.urandom,
            preview=admitted.preview,
        )
        broken = broken_notice(access.terms) if access and access.terms.emergency else ""
        warning = "; ".join(filter(None, (broken, access.notice if access else "")))
        connection.key = (self._next_pid, os.urandom(32 if admitted.minor >= 2 else 4))
        self._next_pid = self._next_pid % 0x7FFF_FFFF + 1
        self._by_key[connection.key] = connection
        # What pg_backend_pid() answers: the number that the client was told.
        own_number = {"seenby.pid": str(connection.key[0])}
        return session, settings | own_number, _greeting(principal, settings, catalog, connection.key, warning)

    def _settings(self, admitted: Admitted, catalog: Catalog) -> dict[str, str]:
        """What the link is opened with, in Postgres's spelling: libpq sends ``datestyle`` for PGDATESTYLE."""
        settings = {}
        for name, value in admitted.settings:
            text = f"SET {identifier(name)} TO {literal(value)}"
            plan = analyse(text, None, catalog, cap=0)[0]
            if isinstance(plan, RefusedPlan):
                raise plan.error
            if isinstance(plan, ControlPlan) and plan.name in FREE:  # the rest is what it says already
                settings[FREE[plan.name]] = value
            elif isinstance(plan, ControlPlan) and plan.name in LIMITS:
                settings[plan.name] = plan.value
        return settings

    def _choose(self, admitted: Admitted) -> tuple[Access | None, SeenbyError]:
        name = admitted.principal.name
        active = [access for access in self.grants.accesses(name) if access.ended is None]
        if admitted.grant:
            for access in active:
                if access.terms.id == admitted.grant.lower():
                    return access, NoGrant("")
            raise NoGrant(
                f"grant {admitted.grant} is not an active grant of {name}",
                hint=f"see them with: seenby grant list --as {name}",
            )
        if len(active) == 1:
            return active[0], NoGrant("")
        if active:
            ids = ", ".join(access.terms.id for access in active)
            return None, Refused(
                f"{name} has {len(active)} active grants, and the session did not say which one it uses",
                hint=f"connect with options='-c seenby.grant=ID'; active: {ids}",
            )
        return None, NoGrant(
            f"{name} has no active grant: nobody approved access to anybody's data",
            hint=f"ask for one: seenby grant request --as {name} --purpose ... --class ... --region "
            f"{self.config.region}",
        )

    # ---------------------------------------------------------------- Postgres

    async def open_link(self, session: Session, settings: dict[str, str]) -> Link:
        """A link for this session's grant. Raises SeenbyError."""
        access = session.access
        assert access is not None
        role, password = self.grants.secret(access.terms.id)
        path = ", ".join(f'"{one}"' for one in view_schemas(access))
        # The client's own application name is in the record; in Postgres it would tell other grants who works now.
        own = {name: value for name, value in settings.items() if name != "application_name"}
        try:
            return await Link.open(self.address, role, password, {**own, "search_path": path})
        except Unavailable as error:
            if error.detail not in _NO_ROLE or not await self._made_again(access, role):
                raise
        return await Link.open(self.address, role, password, {**own, "search_path": path})

    async def _made_again(self, access: Access, role: str) -> bool:
        """Whether a grant's role that the database lost (a crash, a restored backup) is there again, as it was."""
        if self._enforcer is None or over(access):
            return False
        made = await self._enforcer.activate(access.terms)
        if over(access):  # meanwhile: what was just made must not outlive the grant
            await self._enforcer.end([access.terms.id])
            return False
        log.warning("role-made-again", grant=access.terms.id)
        return made.role == role and made.shape.id == access.shape.id

    async def run_companion(self, session: Session, attribution: Attribution) -> list[str]:
        """Who took part in a statement that failed. Raises SeenbyError when that cannot be said."""
        link = await self.open_link(session, attribution.settings)
        done: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        framer = Framer(1 << 30)
        people: list[str] = []

        def read(data: bytes) -> None:
            for kind, body in framer.feed(data):
                if kind == backend.DATA_ROW:
                    person_kind, key = backend.read_values(body)
                    if person_kind is not None and key is not None:
                        people.append(f"{person_kind.decode()}:{key.decode()}")
                elif kind == backend.ERROR and not done.done():
                    done.set_exception(Unavailable("the companion query failed"))
                elif kind == backend.READY and not done.done():
                    done.set_result(people)

        link.on_data = read
        try:
            link.write(
                frontend.parse(b"", attribution.companion, attribution.oids)
                + frontend.bind(b"", b"", attribution.values)
                + frontend.execute(b"")
                + frontend.sync()
            )
            async with asyncio.timeout(COMPANION_SECONDS):
                return await done
        except TimeoutError:
            raise Unavailable("the companion query took too long") from None
        finally:
            link.close()


def expiry(terms: GrantTerms, now: float) -> GrantEnded | None:
    """What to tell a session whose grant's window is over, if the grant service has not told it yet."""
    return ended_error(terms, end_words(EndReason.WINDOW)) if now >= terms.not_after else None


def over(access: Access) -> bool:
    return access.ended is not None


def view_schemas(access: Access) -> list[str]:
    """The schemas of the shape's views, in the order of the platform's search path."""
    by_schema = {view.schema: view.view_schema for view in access.shape.views.values()}
    ordered = [by_schema[one] for one in access.shape.search_path if one in by_schema]
    return ordered + sorted(set(by_schema.values()) - set(ordered))


def _greeting(
    principal: Principal, settings: dict[str, str], catalog: Catalog, key: tuple[int, bytes], warning: str
) -> bytes:
    status = {
        "application_name": settings.get("application_name", ""),
        "client_encoding": "UTF8",
        "DateStyle": settings.get("DateStyle", "ISO, MDY"),
        "default_transaction_read_only": "on",
        "in_hot_standby": "off",
        "integer_datetimes": "on",
        "IntervalStyle": settings.get("IntervalStyle", "postgres"),
        "is_superuser": "off",
        "scram_iterations": "4096",
        "search_path": "public",
        "server_encoding": "UTF8",
        "server_version": catalog.server_version,
        "session_authorization": principal.name,
        "standard_conforming_strings": "on",
        "TimeZone": settings.get("TimeZone", "UTC"),
    }
    return (
        b"".join(backend.parameter_status(name, value) for name, value in status.items())
        + backend.key_data(*key)
        + (backend.notice_response(warning, severity="WARNING") if warning else b"")
        + backend.ready("I")
    )


def _tls(config: Config) -> tuple[ssl.SSLContext | None, bytes]:
    """The context, and the certificate's hash for channel binding (RFC 5929, tls-server-end-point)."""
    listen = config.listen
    if not listen.tls_cert:
        return None, b""
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(listen.tls_cert, listen.tls_key)
        certificate = x509.load_pem_x509_certificate(Path(listen.tls_cert).read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"the TLS certificate {listen.tls_cert} or its key cannot be used", detail=str(error)
        ) from None
    algorithm = certificate.signature_hash_algorithm
    # RFC 5929, 4.1: SHA-256 stands in for MD5, SHA-1 and schemes without a hash of their own.
    name = algorithm.name if algorithm and algorithm.name not in {"md5", "sha1"} else "sha256"
    return context, hashlib.new(name, certificate.public_bytes(Encoding.DER)).digest()
