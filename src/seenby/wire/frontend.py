"""Messages a client sends after startup (54.7), as far as a session must look into them."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from struct import error as struct_error
from typing import NamedTuple

from seenby.errors import ProtocolError

QUERY, PARSE, BIND, DESCRIBE, EXECUTE = b"QPBDE"
CLOSE, FLUSH, SYNC, TERMINATE, PASSWORD, FUNCTION_CALL = b"CHSXpF"
COPY_DATA, COPY_DONE, COPY_FAIL = b"dcf"

_U16 = Struct(">H").unpack_from
_I32 = Struct(">i").unpack_from
_SYNC = b"S\0\0\0\x04"
_FLUSH = b"H\0\0\0\x04"
_head = Struct(">cI").pack


@dataclass(frozen=True, slots=True)
class Parse:
    name: bytes
    text: str
    oids: tuple[int, ...]


class Bind(NamedTuple):
    """``values`` is everything from the parameter formats to the last parameter value, untouched bytes."""

    portal: bytes
    statement: bytes
    values: bytes
    parameters: int
    formats: tuple[int, ...]  # result formats: none, one for all, or one a column


def text_of(body: bytes) -> str:
    """The text of a Query message. Raises ProtocolError when it is not one zero-terminated UTF-8 text."""
    if not body or body.find(b"\0") != len(body) - 1:
        raise ProtocolError("the query text holds a zero byte or lacks the last one")
    return _decode(body[:-1])


def read_parse(body: bytes) -> Parse:
    name, at = _cstring(body, 0)
    text, at = _cstring(body, at)
    try:
        (count,) = _U16(body, at)
        oids = Struct(f">{count}I").unpack_from(body, at + 2)
    except struct_error:
        raise ProtocolError("a Parse message is cut short") from None
    _ends(body, at + 2 + 4 * count)
    return Parse(name, _decode(text), oids)


def read_bind(body: bytes) -> Bind:
    try:
        portal, statement, _ = body.split(b"\0", 2)
        start = at = len(portal) + len(statement) + 2
        (count,) = _U16(body, at)
        at += 2 + 2 * count
        (parameters,) = _U16(body, at)
        if count > 1 and count != parameters:
            raise ProtocolError(f"a Bind message has {count} parameter formats but {parameters} parameters")
        at += 2
        for _ in range(parameters):
            (size,) = _I32(body, at)
            if size < -1:
                raise ProtocolError("a Bind message has a value of negative length")
            at += 4 + (size if size > 0 else 0)
        values = body[start:at]
        (results,) = _U16(body, at)
        formats = Struct(f">{results}H").unpack_from(body, at + 2) if results else ()
    except (struct_error, ValueError):
        raise ProtocolError("a Bind message is cut short") from None
    _ends(body, at + 2 + 2 * results)
    return Bind(portal, statement, values, parameters, formats)


def read_target(body: bytes) -> tuple[bytes, bytes]:
    """Describe and Close: ``(b"S" or b"P", name)``."""
    name, at = _cstring(body, 1)
    _ends(body, at)
    if body[:1] not in {b"S", b"P"}:
        raise ProtocolError("Describe and Close take a statement or a portal")
    return body[:1], name


def read_execute(body: bytes) -> tuple[bytes, int]:
    """(portal, row limit; 0 = all)."""
    _ends(body, body.find(b"\0") + 5)
    return body[:-5], _I32(body, len(body) - 4)[0]


def parameter_texts(values: bytes) -> list[str | None]:
    """The parameter values of a Bind for the record: text as it stands, binary as ``\\x`` hex, NULL as None."""
    (count,) = _U16(values, 0)
    formats = Struct(f">{count}H").unpack_from(values, 2) if count else ()
    at = 2 + 2 * count
    (parameters,) = _U16(values, at)
    at += 2
    texts: list[str | None] = []
    for index in range(parameters):
        (size,) = _I32(values, at)
        at += 4
        if size < 0:
            texts.append(None)
            continue
        raw = values[at : at + size]
        at += size
        binary = formats[index if count > 1 else 0] if count else 0
        texts.append("\\x" + raw.hex() if binary else raw.decode(errors="replace"))
    return texts


def parse(name: bytes, text: str, oids: tuple[int, ...] = ()) -> bytes:
    body = name + b"\0" + text.encode() + b"\0" + Struct(f">H{len(oids)}I").pack(len(oids), *oids)
    return _head(b"P", 4 + len(body)) + body


NO_VALUES = b"\0\0\0\0"


def bind(portal: bytes, statement: bytes, values: bytes = NO_VALUES, formats: tuple[int, ...] = ()) -> bytes:
    """``values`` as in Bind: formats and values of the parameters."""
    tail = Struct(f">H{len(formats)}H").pack(len(formats), *formats) if formats else b"\0\0"
    body = portal + b"\0" + statement + b"\0" + values + tail
    return _head(b"B", 4 + len(body)) + body


def describe(kind: bytes, name: bytes) -> bytes:
    return _head(b"D", 6 + len(name)) + kind + name + b"\0"


_EXECUTE_ALL = b"E\0\0\0\x09\0\0\0\0\0"


def execute(portal: bytes, limit: int = 0) -> bytes:
    if not portal and not limit:
        return _EXECUTE_ALL
    return _head(b"E", 9 + len(portal)) + portal + b"\0" + limit.to_bytes(4, "big")


def close(kind: bytes, name: bytes) -> bytes:
    return _head(b"C", 6 + len(name)) + kind + name + b"\0"


def query(text: str) -> bytes:
    body = text.encode() + b"\0"
    return _head(b"Q", 4 + len(body)) + body


def password(body: bytes) -> bytes:
    """PasswordMessage, SASLInitialResponse and SASLResponse share the type ``p``."""
    return _head(b"p", 4 + len(body)) + body


def sync() -> bytes:
    return _SYNC


def flush() -> bytes:
    return _FLUSH


def terminate() -> bytes:
    return b"X\0\0\0\x04"


def _cstring(body: bytes, at: int) -> tuple[bytes, int]:
    end = body.find(b"\0", at)
    if end < 0:
        raise ProtocolError("a message is cut short")
    return body[at:end], end + 1


def _ends(body: bytes, at: int) -> None:
    if at != len(body):
        raise ProtocolError("a message is longer or shorter than its fields")


def _decode(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise ProtocolError("the text is not UTF-8", hint="set client_encoding to UTF8") from None
