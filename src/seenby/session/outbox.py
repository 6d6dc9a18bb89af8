"""What may be shown, in one order, behind the ledger's tickets: the place where invariant I1 is kept."""

from __future__ import annotations

from collections import deque


class Outbox:
    """Bytes for the client. What waits for a ticket holds up everything after it.

    ::

        emit(T) hold(1, D D) emit(C Z) hold(2, D)      waiting: 1: [D D, C Z]  2: [D]      take() -> [T]
        durable(2)                                     waiting: the same: 1 is not durable
        durable(1)                                     waiting: nothing                    take() -> [D D, C Z, D]

    Attributes:
        muted: an error was told, and the client expects nothing more up to its next Sync.
    """

    __slots__ = ("_durable", "_ready", "_tickets", "_waiting", "muted")

    def __init__(self) -> None:
        self._ready: list[bytes] = []
        self._waiting: deque[tuple[int, list[bytes]]] = deque()
        self._durable: set[int] = set()
        self._tickets = 0
        self.muted = False

    def ticket(self) -> int:
        self._tickets += 1
        return self._tickets

    def emit(self, data: bytes) -> None:
        """Shows ``data``, which is nobody's, after everything that already waits."""
        if self.muted:
            return
        if self._waiting:
            self._waiting[-1][1].append(data)
        else:
            self._ready.append(data)

    def hold(self, ticket: int, data: bytes = b"") -> None:
        """``data`` and all that follows wait until ``ticket`` is durable."""
        self._waiting.append((ticket, [data] if data and not self.muted else []))
        if self._durable:
            self._release()

    def fill(self, ticket: int, data: bytes) -> None:
        """Puts ``data`` where ``hold(ticket)`` kept a place for it."""
        for waiting, chunks in self._waiting:
            if waiting == ticket:
                chunks.insert(0, data)

    def durable(self, ticket: int) -> None:
        self._durable.add(ticket)
        self._release()

    def _release(self) -> None:
        waiting, durable = self._waiting, self._durable
        while waiting and waiting[0][0] in durable:
            ticket, chunks = waiting.popleft()
            durable.discard(ticket)
            self._ready += chunks

    def take(self) -> list[bytes]:
        """What may be shown now."""
        ready, self._ready = self._ready, []
        return ready

    def clear(self) -> None:
        """Nothing that waits will ever be shown."""
        self._ready.clear()
        self._waiting.clear()

    def __len__(self) -> int:
        return len(self._waiting)
