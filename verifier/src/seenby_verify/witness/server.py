"""The witness's HTTP side, by the standard library alone.

::

    POST /add-checkpoint                        C2SP tlog-witness
    GET  /<sha256 of origin, hex>/checkpoint    the last checkpoint cosigned for that log
"""

from __future__ import annotations

import io
import json
import re
import socket
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from seenby_verify.witness.decide import MAX_BODY, Answer
from seenby_verify.witness.state import State

REQUEST_SECONDS: Final = 20.0
"""For one request, from the first byte awaited to the last byte sent; also how long a connection may idle."""
MAX_CONNECTIONS: Final = 64
_LATEST: Final = re.compile(r"/([0-9a-f]{64})/checkpoint")


class WitnessServer(ThreadingHTTPServer):
    """Serves one state. ``clock``: Unix seconds. ``told``: gets one JSON line per request that is not plain reading."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self,
        address: tuple[str, int],
        state: State,
        *,
        clock: Callable[[], float] = time.time,
        told: Callable[[str], None] = lambda _: None,
        seconds: float = REQUEST_SECONDS,
    ) -> None:
        """Raises OSError if ``address`` cannot be listened on."""
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self.state = state
        self.clock = clock
        self.told = told
        self.seconds = seconds
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._slots.acquire(blocking=False):
            try:
                request.settimeout(1)
                request.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            except OSError:
                pass
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  # the library's own names
        """A client that is gone is nothing to tell; anything else would be our fault and is told in one line."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            self.told(json.dumps({"event": "fault", "error": repr(error)}))


class _Timed(io.RawIOBase):
    """A socket's bytes until a deadline: who sends one byte a second is cut off as well."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.deadline = 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        remaining = self.deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("too slow")
        self._connection.settimeout(remaining)
        return self._connection.recv_into(buffer)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # An answer is one packet: head and body in two would have the second wait for the other side's delayed ACK.
    wbufsize = -1
    disable_nagle_algorithm = True
    server_version = "seenby-witness"
    sys_version = ""
    server: WitnessServer

    def setup(self) -> None:
        super().setup()
        self._timed = _Timed(self.connection)
        self.rfile = io.BufferedReader(self._timed)

    def handle_one_request(self) -> None:
        self._timed.deadline = time.monotonic() + self.server.seconds
        super().handle_one_request()

    def do_POST(self) -> None:
        length = self.headers.get("content-length", "")
        if self.path != "/add-checkpoint":
            self._send(Answer(404, b"the witness knows add-checkpoint only\n"), close=True)
        elif not re.fullmatch(r"[0-9]{1,9}", length):
            self._send(Answer(411, b"the length of the request must be stated\n"), close=True)
        elif int(length) > MAX_BODY:
            self._send(Answer(413, f"a request has at most {MAX_BODY} bytes\n".encode()), close=True)
        else:
            body = self.rfile.read(int(length))
            if len(body) < int(length):
                self.close_connection = True
                return
            answer = self.server.state.add_checkpoint(body, int(self.server.clock()))
            self._tell(body, answer)
            self._send(answer)

    def do_GET(self) -> None:
        match = _LATEST.fullmatch(self.path)
        note = self.server.state.latest(match[1]) if match else None
        self._send(Answer(200, note) if note else Answer(404, b"there is nothing here\n"))

    do_HEAD = do_GET

    def _send(self, answer: Answer, *, close: bool = False) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-cache")
        if close or (self.headers.get("content-length") and self.command != "POST"):
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _tell(self, body: bytes, answer: Answer) -> None:
        line: dict[str, object] = {"event": "add-checkpoint", "status": answer.status, "bytes": len(body)}
        if answer.seen:
            origin, size, *_ = answer.seen.note.decode().split("\n", 2)
            line |= {"origin": origin, "size": int(size), "time": answer.seen.time}
        elif answer.status != 409:
            line["why"] = answer.body.decode().strip()
        if answer.fork:
            line["fork"] = True
        self.server.told(json.dumps(line, ensure_ascii=False))

    def log_message(self, format: str, *args: Any) -> None:
        """Told by ``_tell``."""
