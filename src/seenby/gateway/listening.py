"""HTTP on the gateway's own loop, beside its sessions."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn


async def serve_http(config: uvicorn.Config, listener: socket.socket) -> None:
    """Serves on ``listener`` until it is cancelled; then answers what was asked already, and closes it."""
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving
        listener.close()


class _Server(uvicorn.Server):
    """Signals are the gateway's business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
