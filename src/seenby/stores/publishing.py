"""When a ledger publishes: soon after the first entry that is not public yet, on a thread that delays nobody else.

::

    clock runs out -> a seal goes into the journal -> it is durable -> integrate up to it -> checkpoint
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from seenby.errors import LedgerFailed
from seenby.stores.integrate import Head
from seenby.stores.publish import CheckpointFile

OnPublished = Callable[[Head, bytes], None]
"""Told of each new checkpoint: its tree, and the signed note."""


class Publishing:
    """All methods belong to the loop's thread.

    Attributes:
        working: everything before some seal is being made public; ``on_published`` or ``failed`` is called next.

    Args:
        advance: integrates the journal before that entry; blocks.
        region: names the thread.
        after: seconds from the first unpublished entry to the next checkpoint.
        seal: puts a seal into the journal and calls back with the size that ends in it when it is durable.
        failed: told when a checkpoint could not be written; it calls ``fail``.
    """

    def __init__(
        self,
        advance: Callable[[int], Head],
        checkpoint: CheckpointFile,
        region: str,
        after: float,
        seal: Callable[[Callable[[int], None]], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._advance = advance
        self._checkpoint = checkpoint
        self._after = after
        self._seal = seal
        self._failed = failed
        self._over = False
        self.working = False
        self._running: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=f"publish-{region}")
        self.on_published: list[OnPublished] = []

    def soon(self) -> None:
        """Something is durable that is not public. Starts the clock, if it does not run yet."""
        if self._timer is None and self._running is None and not self._over:
            self._timer = asyncio.get_running_loop().call_later(self._after, self._start)

    async def reached(self, size: int) -> None:
        """Waits until the published checkpoint covers ``size`` entries. Raises LedgerFailed."""
        if self._checkpoint.size >= size and self._running is None:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, future))
        await future

    async def now(self) -> None:
        """Publishes without waiting for the clock, and waits for that; a failure is told elsewhere."""
        if self._timer is not None:
            self._timer.cancel()
        if self._running is None and not self._over:
            self._start()
        if self._running is not None:
            await asyncio.wait([self._running])

    async def cosigned(self, plain: bytes, note: bytes) -> bool:
        """Puts cosignatures under the published checkpoint ``plain``, if it is still the newest. Raises OSError."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._checkpoint.cosigned, plain, note)

    def fail(self, error: LedgerFailed) -> None:
        """Nothing more is published; who waits is told."""
        self._over = True
        if self._running is not None and not self._running.done():
            self._running.set_result(None)
        for _, future in self._waiting:
            if not future.done():
                future.set_exception(error)
        self._waiting.clear()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._executor.shutdown()

    def _start(self) -> None:
        self._timer = None
        if self._over:
            return
        self._running = asyncio.get_running_loop().create_future()
        self._seal(self._sealed)

    def _sealed(self, size: int) -> None:
        if self._over:
            return
        self.working = True
        work = asyncio.get_running_loop().run_in_executor(self._executor, self._publish, size)
        work.add_done_callback(self._done)

    def _publish(self, size: int) -> tuple[Head, bytes]:
        """On the executor's thread."""
        head = self._advance(size)
        return head, self._checkpoint.publish(head.size, head.root)

    def _done(self, work: asyncio.Future[tuple[Head, bytes]]) -> None:
        self.working = False
        error = work.exception()
        if error is not None:
            self._failed(error)
            return
        running, self._running = self._running, None
        for told in self.on_published:
            told(*work.result())
        waiting, self._waiting = self._waiting, []
        for size, waiter in waiting:
            if waiter.done():
                continue
            if size <= self._checkpoint.size:
                waiter.set_result(None)
            else:
                self._waiting.append((size, waiter))
        if running is not None and not running.done():
            running.set_result(None)
