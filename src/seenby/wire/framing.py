"""Cuts a byte stream into PostgreSQL messages (PostgreSQL documentation, 54.7: message formats).

A message after startup is ``type(1) length(4, counts itself) body``::

    51 00 00 00 0d 53 45 4c 45 43 54 20 31 00        Q "SELECT 1"
    ^Q ^ 13        ^ body
"""

from __future__ import annotations

from struct import Struct

from seenby.errors import ProtocolError

_LENGTH = Struct(">I").unpack_from
Message = tuple[int, bytes]
"""(type byte, body)"""


class Framer:
    """Collects bytes, gives whole messages. Bounded: a message longer than ``limit`` bytes is a ProtocolError.

    A long message that arrives in many reads is joined once, not once per read.
    """

    __slots__ = ("_have", "_need", "_parts", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._parts: list[bytes] = []
        self._have = 0
        self._need = 5

    def feed(self, data: bytes) -> list[Message]:
        """Adds what was read; returns every message that is complete now."""
        if self._parts:
            self._parts.append(data)
            self._have += len(data)
            if self._have < self._need:
                return []
            data = b"".join(self._parts)
            self._parts.clear()
        messages: list[Message] = []
        position, end = 0, len(data)
        need = 5
        while end - position >= 5:
            (length,) = _LENGTH(data, position + 1)
            if length < 4 or length > self.limit:
                raise ProtocolError(
                    f"a message of {length} bytes is not accepted",
                    hint=f"the limit is {self.limit} bytes (limits.max_message)" if length > self.limit else "",
                )
            stop = position + 1 + length
            if stop > end:
                need = 1 + length
                break
            messages.append((data[position], data[position + 5 : stop]))
            position = stop
        if position < end:
            self._parts.append(data[position:])
        self._have = end - position
        self._need = need
        return messages

    @property
    def pending(self) -> int:
        """Bytes of an unfinished message."""
        return self._have if self._parts else 0
