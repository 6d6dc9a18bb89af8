"""When a ledger publishes: soon after the first entry that is not public yet, on a thread that delays nobody else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from seenby.errors import LedgerFailed
from seenby.stores.publish import Publisher


class Publishing:
    """All methods belong to the loop's thread.

    Args:
        region: names the thread.
        after: seconds from the first unpublished entry to the next checkpoint.
        failed: told when a checkpoint could not be written; it calls ``fail``.
    """

    def __init__(
        self, publisher: Publisher, region: str, after: float, failed: Callable[[BaseException], None]
    ) -> None:
        self._publisher = publisher
        self._after = after
        self._failed = failed
        self._over = False
        self._fresh: list[bytes] = []  # durable, not yet published
        self._running: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=f"publish-{region}")

    def add(self, entries: list[bytes]) -> None:
        """Entries that are durable now, in the log's order."""
        self._fresh += entries

    def soon(self) -> None:
        """Starts the clock, if there is anything to publish and it does not run yet."""
        if self._fresh and self._timer is None and self._running is None and not self._over:
            self._timer = asyncio.get_running_loop().call_later(self._after, self._start)

    async def reached(self, size: int) -> None:
        """Waits until the published checkpoint covers ``size`` entries. Raises LedgerFailed."""
        if self._publisher.published >= size and self._running is None:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, future))
        await future

    async def rest(self) -> None:
        """The last checkpoint, without waiting for the clock."""
        while not self._over and (self._fresh or self._running is not None):
            self._stop_clock()
            if self._running is None:
                self._start()
            assert self._running is not None
            await asyncio.wait([self._running])
            await asyncio.sleep(0)

    def fail(self, error: LedgerFailed) -> None:
        """Nothing more is published; who waits is told."""
        self._over = True
        for _, future in self._waiting:
            if not future.done():
                future.set_exception(error)
        self._waiting.clear()

    def close(self) -> None:
        self._stop_clock()
        self._executor.shutdown()

    def _stop_clock(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start(self) -> None:
        self._timer = None
        entries, self._fresh = self._fresh, []
        self._running = asyncio.get_running_loop().run_in_executor(self._executor, self._publish, entries)
        self._running.add_done_callback(self._done)

    def _publish(self, entries: list[bytes]) -> None:
        """On the executor's thread."""
        for number, entry in enumerate(entries):
            self._publisher.add(entry)
            if number % 64 == 63:
                time.sleep(0)  # lets the loop's thread have the interpreter at once, not after its switch interval
        self._publisher.publish()

    def _done(self, future: asyncio.Future[None]) -> None:
        self._running = None
        error = future.exception()
        if error is not None:
            self._failed(error)
            return
        waiting, self._waiting = self._waiting, []
        for size, waiter in waiting:
            if waiter.done():
                continue
            if size <= self._publisher.published:
                waiter.set_result(None)
            else:
                self._waiting.append((size, waiter))
        self.soon()
