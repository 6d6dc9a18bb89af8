"""What a client sends before the first typed message, and how versions are agreed (54.2.1, 54.7).

::

    00 00 00 08 04 d2 16 2f                              SSLRequest      (80877103)
    00 00 00 08 04 d2 16 30                              GSSENCRequest   (80877104)
    00 00 00 10 04 d2 16 2e  pid(4) key(4..256)          CancelRequest   (80877102)
    00 00 00 22 00 03 00 02  "user\\0alice\\0...\\0\\0"  StartupMessage  3.2
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from seenby.errors import ProtocolError

_U32 = Struct(">I").unpack_from
_HEAD = Struct(">II")
MAX_STARTUP = 10_000  # MAX_STARTUP_PACKET_LENGTH in libpq/pqcomm.h

SSL_REQUEST = 80877103
GSSENC_REQUEST = 80877104
CANCEL_REQUEST = 80877102
PROTOCOL_3_0 = 0x0003_0000
PROTOCOL_3_2 = 0x0003_0002


@dataclass(frozen=True, slots=True)
class SSLRequest:
    pass


@dataclass(frozen=True, slots=True)
class GSSENCRequest:
    pass


@dataclass(frozen=True, slots=True)
class CancelRequest:
    pid: int
    key: bytes


@dataclass(frozen=True, slots=True)
class StartupMessage:
    """``version`` as sent; ``parameters`` without the protocol's own ``_pq_.`` options, which are in ``options``."""

    version: int
    parameters: dict[str, str]
    options: tuple[str, ...]


Startup = SSLRequest | GSSENCRequest | CancelRequest | StartupMessage


def read_startup(buffer: bytes) -> tuple[Startup, int] | None:
    """The first packet in ``buffer`` and its length in bytes, or None while it is incomplete.

    Raises ProtocolError for anything else: an HTTP request, a direct TLS hello, garbage.
    """
    if len(buffer) < 4:
        return None
    (length,) = _U32(buffer)
    if length < 8 or length > MAX_STARTUP:
        raise ProtocolError("this is not the PostgreSQL protocol", hint="connect with a PostgreSQL client")
    if len(buffer) < length:
        return None
    (code,) = _U32(buffer, 4)
    body = buffer[8:length]
    if code == SSL_REQUEST and not body:
        return SSLRequest(), length
    if code == GSSENC_REQUEST and not body:
        return GSSENCRequest(), length
    if code == CANCEL_REQUEST and 8 <= len(body) <= 260:
        return CancelRequest(_U32(body)[0], body[4:]), length
    if code >> 16 == 3:
        return _startup_message(code, body), length
    raise ProtocolError(
        f"protocol version {code >> 16}.{code & 0xFFFF} is not supported", hint="versions 3.0 and 3.2 are"
    )


def _startup_message(version: int, body: bytes) -> StartupMessage:
    if not body.endswith(b"\0"):
        raise ProtocolError("the startup message does not end with a zero byte")
    fields = body[:-1].split(b"\0")
    if fields.pop() != b"" or len(fields) % 2 or b"" in fields[::2]:
        raise ProtocolError("the startup message holds a name without a value, or a value without a name")
    try:
        texts = [field.decode() for field in fields]
    except UnicodeDecodeError:
        raise ProtocolError("the startup message is not UTF-8", hint="set client_encoding to UTF8") from None
    pairs = dict(zip(texts[::2], texts[1::2], strict=True))
    own = tuple(sorted(name for name in pairs if name.startswith("_pq_.")))
    return StartupMessage(version, {k: v for k, v in pairs.items() if k not in own}, own)


def startup_message(parameters: dict[str, str], version: int = PROTOCOL_3_0) -> bytes:
    """What we send to Postgres."""
    body = b"".join(f"{name}\0{value}\0".encode() for name, value in parameters.items()) + b"\0"
    return _HEAD.pack(8 + len(body), version) + body


def cancel_request(pid: int, key: bytes) -> bytes:
    """``pid`` and ``key`` from BackendKeyData."""
    return _HEAD.pack(12 + len(key), CANCEL_REQUEST) + pid.to_bytes(4, "big") + key
