"""From the first byte of a connection to a principal who has proved a password: TLS, versions, SCRAM.

::

    SSLRequest ──S──> (TLS) ──> StartupMessage ──> SASL ──> SASLContinue ──> SASLFinal ──> Admitted
    CancelRequest ──> Cancel
    anything else ──> an ErrorResponse and the end

RFC 5802 and 7677 (through ``scramp``), with ``tls-server-end-point`` binding (RFC 5929) on TLS. An unknown name gets
the same questions as a known one (a made-up salt), so that names cannot be guessed.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from scramp import ScramException, ScramMechanism

from seenby.errors import AuthFailed, Internal, ParameterFixed, ProtocolError, SeenbyError, Unsupported
from seenby.model.principal import Principal
from seenby.wire import backend, frontend, startup
from seenby.wire.framing import Framer

MAX_PASSWORD_MESSAGE = 8192
_ITERATIONS = 4096
_KNOWN = frozenset({"user", "database", "options", "replication"})


@dataclass(frozen=True, slots=True)
class Admitted:
    """Attributes:
    minor: the protocol's minor version to speak, 0 or 2.
    settings: what the client wants set, in order; not yet allowed.
    grant: the grant's id asked for, or "".
    preview: changes are to be shown and taken back.
    """

    principal: Principal
    database: str
    settings: tuple[tuple[str, str], ...]
    grant: str
    minor: int
    preview: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """What the driver does next; ``close`` after sending."""

    to_client: bytes = b""
    start_tls: bool = False
    cancel: startup.CancelRequest | None = None
    admitted: Admitted | None = None
    close: bool = False


class _Phase(Enum):
    STARTUP = auto()
    TLS = auto()
    SASL = auto()
    PROOF = auto()
    OVER = auto()


class Handshake:
    """Args:
    lookup: the directory; None for an unknown name.
    secret: keys the made-up salts of unknown names.
    nonce: printable random text, for SCRAM.
    tls: a certificate is configured. need_tls: refuse to sign in without.
    binding: the certificate's hash (tls-server-end-point), once TLS runs.
    """

    def __init__(
        self,
        lookup: Callable[[str], Principal | None],
        *,
        secret: bytes,
        nonce: str,
        tls: bool,
        need_tls: bool,
        binding: bytes,
    ) -> None:
        self._lookup = lookup
        self._secret = secret
        self._nonce = nonce
        self._tls = tls
        self._need_tls = need_tls
        self._binding = binding
        self._secured = False
        self._phase = _Phase.STARTUP
        self._buffer = b""
        self._framer = Framer(MAX_PASSWORD_MESSAGE)
        self._message: startup.StartupMessage | None = None
        self._principal: Principal | None = None
        self._grant = ""
        self._preview = False
        self._settings: tuple[tuple[str, str], ...] = ()
        self._scram = ScramMechanism("SCRAM-SHA-256").make_server(self._verifier, s_nonce=nonce)

    def secured(self) -> None:
        """TLS is up. Bytes read before that are thrown away by the driver, never used (CVE-2021-23214)."""
        self._secured = True
        self._phase = _Phase.STARTUP
        self._buffer = b""
        self._scram = ScramMechanism("SCRAM-SHA-256").make_server(
            self._verifier, channel_binding=("tls-server-end-point", self._binding), s_nonce=self._nonce
        )

    def data(self, data: bytes) -> list[Step]:
        """Bytes from the client. Errors become an ErrorResponse and the end of the connection."""
        try:
            return self._data(data)
        except SeenbyError as error:
            return [self._end(error)]
        except Exception as error:  # noqa: BLE001 - fail closed, whatever it was
            return [self._end(Internal("an internal error during the sign-in", detail=type(error).__name__))]

    def _end(self, error: SeenbyError) -> Step:
        self._phase = _Phase.OVER
        return Step(backend.error_response(error, fatal=True), close=True)

    def _data(self, data: bytes) -> list[Step]:
        steps: list[Step] = []
        if self._phase is _Phase.OVER:
            return steps
        if self._phase is _Phase.TLS:
            raise ProtocolError("bytes came between the TLS request and its answer")
        if self._phase is _Phase.STARTUP:
            self._buffer += data
            data = b""
            while found := self._next_packet():
                packet, used = found
                self._buffer = self._buffer[used:]
                steps.append(self._startup(packet))
            data, self._buffer = self._after_startup()
        if data:
            messages = self._framer.feed(data)
            for index, (kind, body) in enumerate(messages):
                if kind != frontend.PASSWORD:
                    raise ProtocolError("expected the client's SASL answer")
                if self._phase is _Phase.SASL:
                    steps.append(self._first(body))
                elif self._phase is _Phase.PROOF:
                    if index + 1 < len(messages) or self._framer.pending:
                        raise ProtocolError("bytes came before the sign-in was answered")
                    steps.append(self._proof(body))
        return steps

    def _next_packet(self) -> tuple[startup.Startup, int] | None:
        return startup.read_startup(self._buffer) if self._phase is _Phase.STARTUP else None

    def _after_startup(self) -> tuple[bytes, bytes]:
        """(bytes for the sign-in, bytes to keep)."""
        if self._phase is _Phase.TLS and self._buffer:
            raise ProtocolError("bytes came between the TLS request and its answer")
        return (self._buffer, b"") if self._phase is _Phase.SASL else (b"", self._buffer)

    def _startup(self, packet: startup.Startup) -> Step:
        match packet:
            case startup.SSLRequest() if self._tls and not self._secured:
                self._phase = _Phase.TLS
                return Step(b"S", start_tls=True)
            case startup.SSLRequest() | startup.GSSENCRequest():
                return Step(b"N")
            case startup.CancelRequest():
                self._phase = _Phase.OVER
                return Step(cancel=packet, close=True)
            case startup.StartupMessage():
                return self._hello(packet)

    def _hello(self, message: startup.StartupMessage) -> Step:
        if self._need_tls and not self._secured:
            raise AuthFailed(
                "this gateway is reached with TLS only", hint="connect with sslmode=require, or verify-full"
            )
        if message.parameters.get("replication", "false") not in {"false", "off", "0", "no"}:
            raise Unsupported(
                "replication does not go through this gateway", hint="it would show every row of everybody"
            )
        name = message.parameters.get("user", "")
        if not name:
            raise AuthFailed("no user name was given", hint="connect with user=YOUR-NAME")
        self._message = message
        settings = [pair for pair in message.parameters.items() if pair[0] not in _KNOWN]
        settings += _options(message.parameters.get("options", ""))
        self._grant = dict(settings).get("seenby.grant", "")
        self._preview = _switch(dict(settings).get("seenby.preview", "off"))
        self._settings = tuple(pair for pair in settings if pair[0] not in {"seenby.grant", "seenby.preview"})
        self._principal = self._lookup(name)
        self._phase = _Phase.SASL
        minor = message.version & 0xFFFF
        head = b""
        if minor not in {0, 2} or message.options:
            head = backend.negotiate(startup.PROTOCOL_3_2 if minor >= 2 else startup.PROTOCOL_3_0, message.options)
        mechanisms = [b"SCRAM-SHA-256-PLUS", b"SCRAM-SHA-256"] if self._secured else [b"SCRAM-SHA-256"]
        offer = b"".join(one + b"\0" for one in mechanisms) + b"\0"
        return Step(head + backend.authentication(backend.AUTH_SASL, offer))

    def _verifier(self, _: str) -> tuple[bytes, bytes, bytes, int]:
        principal = self._principal
        if principal is None:
            assert self._message is not None
            name = self._message.parameters["user"].encode()
            salt = hmac.digest(self._secret, b"seenby/unknown-name\0" + name, "sha256")[:16]
            nobody = hashlib.sha256(self._secret + salt).digest()
            return salt, nobody, nobody, _ITERATIONS
        return parse_verifier(principal.scram)

    def _first(self, body: bytes) -> Step:
        mechanism, _, rest = body.partition(b"\0")
        known = {b"SCRAM-SHA-256"} | ({b"SCRAM-SHA-256-PLUS"} if self._secured else set())
        if mechanism not in known or int.from_bytes(rest[:4], "big") != len(rest) - 4:
            raise ProtocolError("the client chose a sign-in that was not offered")
        try:
            first = rest[4:].decode()
            # libpq sends "n,,n=,r=...": the name is the startup message's (PostgreSQL documentation, 54.3.1). scramp
            # insists on a name, so it gets one; the proof is over what the client really sent.
            header, empty, nonce = first.partition(",n=,")
            self._scram.set_client_first(f"{header},n=-,{nonce}" if empty else first)
            if empty:
                self._scram.client_first_bare = f"n=,{nonce}"
            answer = self._scram.get_server_first()
        except (ScramException, UnicodeDecodeError):
            raise AuthFailed("the sign-in failed") from None
        self._phase = _Phase.PROOF
        return Step(backend.authentication(backend.AUTH_SASL_CONTINUE, answer.encode()))

    def _proof(self, body: bytes) -> Step:
        message = self._message
        assert message is not None
        name = message.parameters["user"]
        try:
            self._scram.set_client_final(body.decode())
            answer = self._scram.get_server_final()
        except (ScramException, UnicodeDecodeError):
            raise self._wrong(name) from None
        if self._principal is None:
            raise self._wrong(name)
        self._phase = _Phase.OVER
        return Step(
            backend.authentication(backend.AUTH_SASL_FINAL, answer.encode()) + backend.AUTH_OK,
            admitted=Admitted(
                self._principal,
                message.parameters.get("database", name),
                self._settings,
                self._grant,
                2 if message.version & 0xFFFF >= 2 else 0,
                self._preview,
            ),
        )

    @staticmethod
    def _wrong(name: str) -> AuthFailed:
        return AuthFailed(
            f'password authentication failed for user "{name}"',
            hint="the directory's administrator can set a new password",
        )


def parse_verifier(verifier: str) -> tuple[bytes, bytes, bytes, int]:
    """``SCRAM-SHA-256$4096:salt$stored:server`` -> (salt, stored key, server key, iterations). Raises ValueError."""
    from base64 import b64decode

    scheme, iterations_salt, keys = verifier.split("$")
    if scheme != "SCRAM-SHA-256":
        raise ValueError(scheme)
    iterations, salt = iterations_salt.split(":")
    stored, server = keys.split(":")
    return b64decode(salt), b64decode(stored), b64decode(server), int(iterations)


def _switch(value: str) -> bool:
    """Of ``-c seenby.preview=on``. Raises ParameterFixed for anything else: it must not be read as "for real"."""
    if value not in {"on", "off"}:
        raise ParameterFixed(f"seenby.preview is on or off, not {value!r}", hint="write -c seenby.preview=on")
    return value == "on"


def _options(text: str) -> list[tuple[str, str]]:
    r"""``-c name=value --name=value``; a backslash keeps a space (libpq's ``options``, 32.1.2)."""
    words: list[str] = []
    word, escaped, inside = "", False, False
    for char in text:
        if escaped:
            word, escaped, inside = word + char, False, True
        elif char == "\\":
            escaped = True
        elif char.isspace():
            if inside:
                words.append(word)
            word, inside = "", False
        else:
            word, inside = word + char, True
    if inside:
        words.append(word)
    pairs = []
    rest = iter(words)
    for one in rest:
        setting = next(rest, "") if one == "-c" else one[2:] if one.startswith(("-c", "--")) else ""
        name, equals, value = setting.partition("=")
        if not (name and equals):
            raise ParameterFixed(
                f"the startup option {one!r} is not accepted", hint="write options='-c seenby.grant=ID'"
            )
        pairs.append((name.replace("-", "_"), value))
    return pairs
