"""A relay that does to catalogue queries what the gateway does to them, with the gateway's own code.

With it real clients can be shown ``seenby_catalog`` without the gateway. It rewrites the text of Query ('Q') and Parse
('P'); everything else passes as it is, queries over tables too.
"""

from __future__ import annotations

import socket
import struct
import threading
from pathlib import Path
from typing import BinaryIO

from postgast import pg_query_pb2 as pb

from seenby.errors import SeenbyError
from seenby.guard.catalog import CATALOG_FUNCTIONS, CATALOG_VIEWS, REWRITTEN_FUNCTIONS
from seenby.model.shape import Catalog
from seenby.sql.catalogq import decide
from seenby.sql.parse import parse

_ALLOWED = Path(__file__).parents[1] / "unit" / "guard" / "allowed_functions.txt"
_TYPES = "bool bpchar char date float8 int2 int4 int8 interval json jsonb name numeric oid text timestamptz varchar"
CATALOG = Catalog(
    version="1",
    functions=frozenset(_ALLOWED.read_text().split()),
    aggregates=frozenset(),
    windows=frozenset(),
    set_returning=frozenset(),
    types=frozenset(_TYPES.split()),
    catalog_views=CATALOG_VIEWS,
    catalog_functions=CATALOG_FUNCTIONS,
    tables={},
    rewritten_functions=REWRITTEN_FUNCTIONS,
)


def rewrite(sql: str) -> str:
    """As the gateway would send it on; a statement that it refuses becomes one that fails with its words."""
    try:
        return "; ".join(_rewritten(statement.node.select_stmt, statement.text) for statement in parse(sql)) or sql
    except SeenbyError as error:
        return 'SELECT "{}"'.format(str(error).replace('"', "'"))


def _rewritten(select: pb.SelectStmt, text: str) -> str:
    plan = decide(select, text, CATALOG, granted=True) if select.ByteSize() else None
    return text if plan is None else plan.sql


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
