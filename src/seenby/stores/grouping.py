"""Group commit: everything that waits is written at once, synced at once, and told at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Final, NamedTuple

from seenby.stores.journal import JournalWriter
from seenby.stores.keystore import KeyStore
from seenby.stores.opening import LoggedEvent

MAX_GROUP: Final = 8 << 20
"""Bytes after which a group takes no further item."""

Done = Callable[[BaseException | None], None]


class Queued(NamedTuple):
    """What waits to be written.

    Attributes:
        payload: journal records.
        entries: how many they are.
        done: whom to tell.
        event: the event, if it is one.
        seal: it is a seal, which ends its group, so that the journal can be read up to it.
        receipt: (index, entry, principal): who may ask for a promise.
    """

    payload: bytes
    entries: int
    done: Done
    event: LoggedEvent | None = None
    seal: bool = False
    receipt: tuple[int, bytes, str] | None = None


class GroupWriter:
    """The journal's thread.

    Args:
        written: called on the loop with each group, the time it was written at (Unix milliseconds) and what went wrong;
            after a failure nothing more is written.
    """

    def __init__(
        self,
        journal: JournalWriter,
        keystore: KeyStore,
        region: str,
        written: Callable[[list[Queued], int, Exception | None], None],
    ) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self._journal = journal
        self._keystore = keystore
        self._told = written
        self._queue: SimpleQueue[Queued | None] = SimpleQueue()
        self._may_write = Event()
        self._may_write.set()
        self._thread = Thread(target=self._run, name=f"journal-{region}", daemon=True)
        self._thread.start()

    def put(self, item: Queued) -> None:
        """``loop`` must be set before the first."""
        self._queue.put(item)

    def hold(self) -> None:
        """Writes nothing more until ``go_on``: who waits for it, waits. Nobody is told anything."""
        self._may_write.clear()

    def go_on(self) -> None:
        self._may_write.set()

    def drain(self) -> list[Queued]:
        """Ends the thread; answers what it did not write."""
        left = []
        while True:
            try:
                item = self._queue.get_nowait()
            except Empty:
                break
            if item is not None:
                left.append(item)
        self._queue.put(None)
        self.go_on()
        return left

    def join(self) -> None:
        """Waits until everything is written."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        queue, stop = self._queue, False
        while not stop:
            item = queue.get()
            self._may_write.wait()
            if item is None:
                return
            batch, size = [item], len(item.payload)
            while size < MAX_GROUP and not item.seal:
                try:
                    item = queue.get_nowait()
                except Empty:
                    break
                if item is None:
                    stop = True
                    break
                batch.append(item)
                size += len(item.payload)
            failure: Exception | None = None
            time = 0
            try:
                self._keystore.flush()
                payload = b"".join([item.payload for item in batch])
                _, time = self._journal.append(payload, sum([item.entries for item in batch]))
            except Exception as error:  # noqa: BLE001  # whatever it is: nothing more may be written
                failure, stop = error, True
            assert self.loop is not None
            try:
                self.loop.call_soon_threadsafe(self._told, batch, time, failure)
            except RuntimeError:  # the loop is closed: nobody waits any more
                return
