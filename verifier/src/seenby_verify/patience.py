"""How long somebody else's server is waited for, all in all.

An HTTP client's own timeouts are for one pause each. Who sends a byte every few seconds would hold a reader for days,
and a monitor that waits does not shout.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import httpx2

SLOWEST: Final = 32 << 10
"""Bytes a second that an answer must come with, after the first pause."""


class TooSlow(httpx2.ReadTimeout):
    """The answer was not there in the time that its length allows."""


class Patience:
    """Cuts the line of a request that takes too long. For one client, used by one thread."""

    def __init__(self) -> None:
        self.extensions: Final[Mapping[str, Any]] = {"trace": self._trace}
        """To be given with each request: so the sockets are known."""
        self._lines: deque[socket.socket] = deque(maxlen=4)
        self._over = False

    @contextmanager
    def for_answer(self, pause: float, limit: int) -> Iterator[None]:
        """``pause``: seconds that the server may take for nothing; ``limit``: bytes of the longest answer.

        Raises TooSlow.
        """
        self._over = False
        timer = threading.Timer(pause + limit / SLOWEST, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (httpx2.TransportError, httpx2.DecodingError):
            if self._over:
                raise TooSlow("the answer comes too slowly") from None
            raise
        finally:
            timer.cancel()

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            line = info["return_value"].get_extra_info("socket")
            if isinstance(line, socket.socket):
                self._lines.append(line)

    def _cut(self) -> None:
        self._over = True
        for line in tuple(self._lines):
            with contextlib.suppress(OSError):  # closed already
                socket.socket.shutdown(line, socket.SHUT_RDWR)  # not TLS's, which would write first
