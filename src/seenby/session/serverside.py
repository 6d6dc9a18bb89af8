"""Reads what Postgres sends, without making an object of every row."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from seenby.errors import ProtocolError
from seenby.session.expect import Local
from seenby.session.results import Results
from seenby.wire import backend

if TYPE_CHECKING:
    from seenby.session.session import Session

_LENGTH = Struct(">I").unpack_from
MAX_MESSAGE = 1 << 30  # Postgres's own limit of a message

# What a client is told when a setting changes; the rest (whose name we are) is not its business.
REPORTED = frozenset(
    {
        "application_name", "client_encoding", "DateStyle", "integer_datetimes", "IntervalStyle",
        "server_encoding", "server_version", "standard_conforming_strings", "TimeZone",
    }
)  # fmt: skip

_DATA_ROW = backend.DATA_ROW
_ANYTIME = frozenset({backend.ERROR, backend.NOTICE, backend.PARAMETER_STATUS, backend.NOTIFICATION})


class ServerReader:
    """Cuts Postgres's bytes and gives each message to the item that waits for it."""

    __slots__ = ("_have", "_need", "_parts")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._have = 0
        self._need = 5

    def feed(self, session: Session, data: bytes) -> None:
        if self._parts:
            self._parts.append(data)
            self._have += len(data)
            if self._have < self._need:
                return
            data = b"".join(self._parts)
            self._parts.clear()
        at, end, need = 0, len(data), 5
        pending = session.pending
        while end - at >= 5:
            kind = data[at]
            (length,) = _LENGTH(data, at + 1)
            if length < 4 or length > MAX_MESSAGE:
                raise ProtocolError("Postgres sent a message of an impossible length")
            stop = at + 1 + length
            if stop > end:
                need = 1 + length
                break
            head = pending[0] if pending else None
            if kind == _DATA_ROW and isinstance(head, Results):
                at = head.take_rows(session, data, at, end)
                continue
            body = data[at + 5 : stop]
            at = stop
            if kind in _ANYTIME:
                _anytime(session, kind, body)
            elif head is None:
                raise ProtocolError(f"Postgres sent a message of type {chr(kind)!r} that nobody asked for")
            elif head.on(session, kind, body):
                # ready() may append to the queue, so the head is taken off by identity.
                assert pending[0] is head
                pending.popleft()
            if pending and type(pending[0]) is Local:
                session.advance()
        if at < end:
            self._parts.append(data[at:])
        self._have = end - at
        self._need = need


def _anytime(session: Session, kind: int, body: bytes) -> None:
    """What Postgres may send whatever it was asked."""
    if kind == backend.ERROR:
        session.server_failed(body)
    elif kind == backend.NOTICE:
        return  # a notice of the server may hold values, and nobody asked for one
    elif kind == backend.PARAMETER_STATUS:
        name, value = backend.read_parameter_status(body)
        if name in REPORTED:
            session.emit(backend.parameter_status(name, value))
    else:
        raise ProtocolError("Postgres sent a notification that nobody may listen to")
