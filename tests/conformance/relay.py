"""A relay that does to catalogue queries what the gateway does to them, crudely, by regular expressions.

With it real clients can be shown ``seenby_catalog`` without the gateway. It rewrites the text of Query ('Q') and Parse
('P'); everything else passes as it is.
"""

from __future__ import annotations

import re
import socket
import struct
import threading
from pathlib import Path
from typing import BinaryIO

from seenby.guard.catalog import CATALOG_VIEWS, INFORMATION_SCHEMA_VIEWS, REWRITTEN_FUNCTIONS


def _one_of(names: frozenset[str]) -> str:
    return "|".join(sorted(map(re.escape, names), key=len, reverse=True))


_CAST = re.compile(rf"('(?:[^']|'')*'|\$\d+|\b[a-z_][\w.]*)::(?:pg_catalog\.)?({_one_of(REWRITTEN_FUNCTIONS)})\b")
_STRING = re.compile(r"('(?:[^']|'')*')")
_FUNCTION = re.compile(rf'(?<![\w."])(?:pg_catalog\.)?({_one_of(REWRITTEN_FUNCTIONS)})(?=\s*\()')
_RELATION = re.compile(
    rf'(?<![\w."])(?:pg_catalog\.)?({_one_of(CATALOG_VIEWS - INFORMATION_SCHEMA_VIEWS)})\b(?!\s*[(.])'
)
_INFORMATION = re.compile(rf"\b({_one_of(INFORMATION_SCHEMA_VIEWS)})\b(?!\.)")


def rewrite(sql: str) -> str:
    """``x::regclass`` -> call, then names of functions and relations outside string constants."""
    parts = _STRING.split(_CAST.sub(r"seenby_catalog.\2(\1)", sql))
    for i in range(0, len(parts), 2):
        text = _FUNCTION.sub(r"seenby_catalog.\1", parts[i])
        text = _RELATION.sub(r"seenby_catalog.\1", text)
        parts[i] = _INFORMATION.sub(r'seenby_catalog."\1"', text)
    return "".join(parts)


class Relay:
    """Listens on 127.0.0.1; each connection goes to the unix socket ``upstream``. ``sent`` keeps every text."""

    def __init__(self, upstream: Path) -> None:
        self.upstream = upstream
        self.sent: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(str(self.upstream))
            back = threading.Thread(target=_copy, args=(server, client), daemon=True)
            back.start()
            with client.makefile("rb") as stream:
                try:
                    self._forward(stream, server)
                except OSError:
                    pass  # one side is gone, so the other must go
            _shut(server)
            back.join()

    def _forward(self, stream: BinaryIO, server: socket.socket) -> None:
        head = stream.read(4)
        server.sendall(head + stream.read(struct.unpack("!i", head)[0] - 4))  # StartupMessage
        while kind := stream.read(1):
            body = stream.read(struct.unpack("!i", stream.read(4))[0] - 4)
            if kind == b"Q":
                body = self._text(body[:-1]) + b"\0"
            elif kind == b"P":
                name, text, rest = body.split(b"\0", 2)
                body = name + b"\0" + self._text(text) + b"\0" + rest
            server.sendall(kind + struct.pack("!i", len(body) + 4) + body)

    def _text(self, text: bytes) -> bytes:
        self.sent.append(text.decode())
        return rewrite(text.decode()).encode()


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    _shut(target)


def _shut(target: socket.socket) -> None:
    try:
        target.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
