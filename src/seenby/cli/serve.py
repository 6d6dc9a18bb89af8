"""``seenby serve``: one region's gateway, with its ledger and the control API, until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import structlog
import uvloop

from seenby.gateway.service import running
from seenby.stores.config import Config, load_config
from seenby.stores.native import described

log = structlog.get_logger()


def serve(*, config: Path) -> None:
    """Run the gateway of one region until SIGTERM or Ctrl-C.

    Logs one JSON object a line to stderr. No line holds data of people.

    Parameters
    ----------
    config
        The region's seenby.toml.
    """
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    uvloop.run(_serve(load_config(config)))


async def _serve(config: Config) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(config) as region:
        port, sockets = region.gateway.port, config.listen.socket_dir
        log.info("serving", region=config.region, port=port, sockets=sockets, ledger=described())
        waiting: list[asyncio.Future[Any]] = [asyncio.ensure_future(stop.wait()), region.failed]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        waiting[0].cancel()
        if region.failed.done():
            region.failed.result()
        log.info("stopping", region=config.region)
