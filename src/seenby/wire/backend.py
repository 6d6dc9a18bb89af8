"""Messages a server sends (54.7): built for the client, read from Postgres."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, wraps
from struct import Struct
from struct import error as struct_error
from typing import TypeVar

from seenby.errors import ProtocolError, SeenbyError

AUTHENTICATION, PARAMETER_STATUS, KEY_DATA, READY, ERROR, NOTICE = b"RSKZEN"
PARSE_COMPLETE, BIND_COMPLETE, CLOSE_COMPLETE = b"123"
ROW_DESCRIPTION, PARAMETER_DESCRIPTION, NO_DATA, DATA_ROW = b"TtnD"
COMMAND_COMPLETE, EMPTY_QUERY, SUSPENDED, NOTIFICATION = b"CIsA"
COPY_OUT, COPY_IN, COPY_BOTH, NEGOTIATE = b"HGWv"

T = TypeVar("T")
_head = Struct(">cI").pack
_U16 = Struct(">H").unpack_from
_I32 = Struct(">i").unpack_from
_FIELD = Struct(">IhIhih")

PARSE_DONE = b"1\0\0\0\x04"
BIND_DONE = b"2\0\0\0\x04"
CLOSE_DONE = b"3\0\0\0\x04"
NO_DATA_DONE = b"n\0\0\0\x04"
EMPTY_DONE = b"I\0\0\0\x04"
SUSPENDED_DONE = b"s\0\0\0\x04"
AUTH_OK = b"R\0\0\0\x08\0\0\0\0"
AUTH_SASL, AUTH_SASL_CONTINUE, AUTH_SASL_FINAL = 10, 11, 12


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a RowDescription. Table and attribute numbers are dropped: they name our views, not tables."""

    name: bytes
    type_oid: int
    size: int
    modifier: int


def message(kind: bytes, body: bytes = b"") -> bytes:
    return _head(kind, 4 + len(body)) + body


def authentication(code: int, body: bytes = b"") -> bytes:
    return message(b"R", code.to_bytes(4, "big") + body)


def parameter_status(name: str, value: str) -> bytes:
    return message(b"S", f"{name}\0{value}\0".encode())


def key_data(pid: int, key: bytes) -> bytes:
    return message(b"K", pid.to_bytes(4, "big") + key)


def negotiate(version: int, options: tuple[str, ...]) -> bytes:
    """NegotiateProtocolVersion: the version to speak, major part too (0x00030002), and the options we do not know.

    54.7 speaks of the minor version only; Postgres sends, and libpq expects, the whole number.
    """
    body = version.to_bytes(4, "big") + len(options).to_bytes(4, "big")
    return message(b"v", body + b"".join(option.encode() + b"\0" for option in options))


def ready(status: str) -> bytes:
    """``status``: I idle, T in a transaction, E in a failed one."""
    return b"Z\0\0\0\x05" + status.encode()


@lru_cache(maxsize=256)
def command_complete(tag: str) -> bytes:
    return message(b"C", tag.encode() + b"\0")


def error_response(error: SeenbyError, *, fatal: bool = False, position: int = 0) -> bytes:
    return message(b"E", _report("FATAL" if fatal else "ERROR", error.state, error, position))


def notice_response(text: str, *, code: str = "00000", severity: str = "NOTICE") -> bytes:
    body = f"S{severity}\0V{severity}\0C{code}\0M{text}\0\0".encode()
    return message(b"N", body)


def _report(severity: str, code: str, error: SeenbyError, position: int) -> bytes:
    fields = [f"S{severity}", f"V{severity}", f"C{code}", f"M{error.message}"]
    if error.detail:
        fields.append(f"D{error.detail}")
    if error.hint:
        fields.append(f"H{error.hint}")
    if position:
        fields.append(f"P{position}")
    return "\0".join(field.replace("\0", "\ufffd") for field in fields).encode(errors="replace") + b"\0\0"


def row_description(fields: tuple[Field, ...], formats: tuple[int, ...] = ()) -> bytes:
    """``formats`` as in Bind: none (all text), one for all, or one a column."""
    parts = [len(fields).to_bytes(2, "big")]
    for index, field in enumerate(fields):
        code = (formats[index] if len(formats) > 1 else formats[0]) if formats else 0
        parts.append(field.name + b"\0" + _FIELD.pack(0, 0, field.type_oid, field.size, field.modifier, code))
    return message(b"T", b"".join(parts))


def parameter_description(oids: tuple[int, ...]) -> bytes:
    return message(b"t", Struct(f">H{len(oids)}I").pack(len(oids), *oids))


def _strict(read: Callable[[bytes], T]) -> Callable[[bytes], T]:
    """A message of Postgres that cannot be read is a ProtocolError, as a client's is."""

    @wraps(read)
    def checked(body: bytes) -> T:
        try:
            return read(body)
        except (struct_error, ValueError):
            raise ProtocolError("Postgres sent a message that is cut short or garbled") from None

    return checked


@_strict
def read_row_description(body: bytes) -> tuple[Field, ...]:
    fields = []
    (count,) = _U16(body)
    at = 2
    for _ in range(count):
        end = body.index(b"\0", at)
        _, _, oid, size, modifier, _ = _FIELD.unpack_from(body, end + 1)
        fields.append(Field(body[at:end], oid, size, modifier))
        at = end + 1 + _FIELD.size
    return tuple(fields)


@_strict
def read_parameter_description(body: bytes) -> tuple[int, ...]:
    (count,) = _U16(body)
    return Struct(f">{count}I").unpack_from(body, 2)


@_strict
def read_values(body: bytes) -> list[bytes | None]:
    """The values of one DataRow."""
    (count,) = _U16(body)
    at = 2
    values: list[bytes | None] = []
    for _ in range(count):
        (size,) = _I32(body, at)
        at += 4
        if size < 0:
            values.append(None)
        else:
            values.append(body[at : at + size])
            at += size
    if at != len(body):
        raise ProtocolError("Postgres sent a row whose length is wrong")
    return values


def read_report(body: bytes) -> dict[str, str]:
    """Fields of ErrorResponse or NoticeResponse by their letter: C SQLSTATE, M message (54.8)."""
    return {part[:1].decode(errors="replace"): part[1:].decode(errors="replace") for part in body.split(b"\0") if part}


@_strict
def read_parameter_status(body: bytes) -> tuple[str, str]:
    name, value = body.decode().split("\0")[:2]
    return name, value
