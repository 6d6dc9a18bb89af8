"""The one writer of a region's ledger: ``submit`` -> journal (group commit, durable) -> public log.

Three places, one direction::

    loop's thread      submit: seal, count, queue                          ~10 us a query
    journal thread     everything queued: one write, one fdatasync         -> done(None) on the loop
    publishing thread  leaf hashes, tiles, checkpoint, within a second     never waits for, nor delays, the journal

A failed write ends the ledger: everybody who waits gets LedgerFailed, and so does everybody after (fail closed).
Formats: docs/formats/ledger.md.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final

from seenby.errors import LedgerFailed, SeenbyError, UsageError, VerificationError
from seenby.model.disclosure import QueryDisclosure, RefusedAttempt
from seenby.stores.auditors import Auditors, RecordKeys
from seenby.stores.journal import JournalReader, JournalWriter, Record, encode_record
from seenby.stores.keystore import KeyStore
from seenby.stores.publish import Publisher
from seenby.stores.publishing import Publishing
from seenby.stores.sealing import GrantDocument, Sealed, Sealer, Usage
from seenby_verify.tlog.checkpoint import VerifierKey, valid_name
from seenby_verify.tlog.entries import (
    BreakGlass,
    EpochKey,
    GrantEvent,
    GrantRequested,
    KeyEvent,
    LogStarted,
    decode,
    encode,
)
from seenby_verify.tlog.grantlog import GRANT_EVENTS, GrantLog

Item = QueryDisclosure | RefusedAttempt | GrantDocument | GrantEvent | KeyEvent
Done = Callable[[BaseException | None], None]

MAX_GROUP: Final = 8 << 20
"""Bytes after which a group takes no further item."""


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """A grant or key entry with its index; ``document`` only for requests."""

    index: int
    event: GrantEvent | KeyEvent
    document: GrantDocument | None = None


_Queued = tuple[bytes, list[bytes], Done, LoggedEvent | None]
"""Journal records, the entries in them, whom to tell, the event if it is one."""


def _nobody(_: BaseException | None) -> None:
    """Nobody waits for an entry of the ledger's own."""


class Ledger:
    """See the module. Make it with ``Ledger.open``; end it with ``close``. One per directory: a lock sees to it."""

    def __init__(
        self,
        directory: Path,
        region: str,
        origin: str,
        keystore: KeyStore,
        clock: Callable[[], float],
        auditors: Callable[[], Auditors | None],
        publish_after: float,
        segment_bytes: int,
    ) -> None:
        self.directory = directory
        self.region = region
        self.origin = origin
        self._keystore = keystore
        self._sealer = Sealer(region, keystore, clock, RecordKeys(directory, region, auditors))
        self._grants = GrantLog(region)
        self._events: list[LoggedEvent] = []
        self._failure: LedgerFailed | None = None
        self._closing = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queue: SimpleQueue[_Queued | None] = SimpleQueue()
        self._durable = 0
        self._next = 0
        self._lock = self._take_lock()
        try:
            self._restore(segment_bytes, clock)
            self._publishing = Publishing(self._publisher, region, publish_after, self._fail)
        except BaseException:
            os.close(self._lock)
            raise
        self._thread = Thread(target=self._write_groups, name=f"journal-{region}", daemon=True)
        self._thread.start()

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        region: str,
        origin: str,
        keystore: KeyStore,
        clock: Callable[[], float],
        auditors: Callable[[], Auditors | None] = lambda: None,
        publish_after: float = 0.25,
        segment_bytes: int = 64 << 20,
    ) -> Ledger:
        """Opens the ledger in ``directory``, or starts it. Reads the whole journal: call it before serving.

        Args:
            region: whose people this ledger is about, as in ``eu``.
            origin: the log's name, first line of every checkpoint, as in ``eu.seenby.example/ledger``.
            keystore: the region's; its checkpoint key signs.
            clock: Unix seconds; only the month matters.
            auditors: of the region, asked once per epoch; None: records open with the region's own key.
            publish_after: seconds from the first unpublished entry to the next checkpoint; at most 0.5.
            segment_bytes: when the journal starts a new file.

        Raises LedgerFailed: another process writes it, it is damaged, or the disk refuses.
        """
        if not valid_name(origin):
            raise UsageError(f"{origin!r} cannot be the name of a log", hint="no spaces and no plus sign")
        try:
            return cls(directory, region, origin, keystore, clock, auditors, publish_after, segment_bytes)
        except OSError as error:
            raise LedgerFailed(
                f"the ledger in {directory} cannot be opened: {error.strerror or error}",
                hint="check the disk and the permissions",
            ) from None

    # --- opening

    def _take_lock(self) -> int:
        private = self.directory / "private"
        private.mkdir(mode=0o700, parents=True, exist_ok=True)
        (private / "journal").mkdir(mode=0o700, exist_ok=True)
        (self.directory / "public").mkdir(exist_ok=True)
        lock = os.open(private / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise LedgerFailed(
                f"another process writes the ledger in {self.directory}",
                hint="a ledger has one writer; stop the other gateway first",
            ) from None
        return lock

    def _restore(self, segment_bytes: int, clock: Callable[[], float]) -> None:
        key = self._keystore.checkpoint_key()
        private = self.directory / "private"
        self._publisher = Publisher(self.directory / "public", private / "publishing.tmp", self.origin, key)
        reader = JournalReader(private / "journal")
        for group in reader.groups():
            for record in group:
                self._restore_one(record)
        self._sealer.restored()
        self._publisher.restored()
        self._journal = JournalWriter(private / "journal", reader, clock=clock, segment_bytes=segment_bytes)
        if not self._journal.place.index:
            public = key.public_key().public_bytes_raw()
            started = encode(LogStarted(self._sealer.tick(), self.region, self.origin, public))
            self._journal.append(encode_record(started, b""), 1)
            self._publisher.add(started)
        self._next = self._durable = self._journal.place.index
        self._publisher.publish()

    def _restore_one(self, record: Record) -> None:
        try:
            entry = decode(record.entry)
            if record.index == 0 and (
                not isinstance(entry, LogStarted) or (entry.region, entry.origin) != (self.region, self.origin)
            ):
                raise VerificationError(f"it is not the log {self.origin} of region {self.region}")
            if isinstance(entry, GRANT_EVENTS):
                self._grants.apply(record.index, entry)
                document = None
                if isinstance(entry, GrantRequested | BreakGlass):
                    document = self._sealer.opened(record, entry)
                self._events.append(LoggedEvent(record.index, entry, document))
        except VerificationError as error:
            raise LedgerFailed(
                f"entry {record.index} of the journal is refused: {error.message}",
                hint="check region, origin and keys_dir in seenby.toml",
            ) from None
        self._sealer.restore(record)
        self._publisher.restore(record.entry)

    # --- submitting (the loop's thread)

    def submit(self, item: Item, done: Done) -> None:
        """Hands ``item`` to the ledger. Call it on the loop's thread.

        ``done(None)`` is called on that thread when the entry and all that belongs to it are durable, otherwise
        ``done(error)``: UsageError, VerificationError or Internal if this item cannot be logged, LedgerFailed if
        nothing can. Calls of ``done`` keep the order of ``submit`` as long as nothing fails; none is made from within.
        """
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        if self._failure is not None or self._closing:
            error = self._failure or LedgerFailed("the ledger is closed", hint="start the gateway again")
            loop.call_soon(done, error)
            return
        try:
            event = None
            self._sealer.tick()
            if self._sealer.announced is not None:
                self._announce(self._sealer.announced)
            if type(item) is QueryDisclosure:
                entries, payload = self._sealer.query(item)
            elif type(item) is RefusedAttempt:
                entries, payload = self._sealer.attempt(item)
            else:
                (entries, payload), event = self._grant_event(item)  # type: ignore[arg-type]  # what is left of Item
        except SeenbyError as error:
            loop.call_soon(done, error)
            return
        except Exception as error:  # noqa: BLE001  # half counted: the counters are no longer to be trusted
            self._fail(error)
            loop.call_soon(done, self._failure)
            return
        self._next += len(entries)
        self._queue.put((payload, entries, done, event))

    def _announce(self, entry: EpochKey) -> None:
        """The auditors' key of a new epoch, before what is sealed for them."""
        self._sealer.announced = None
        data = encode(entry)
        self._next += 1
        self._queue.put((encode_record(data, b""), [data], _nobody, None))

    async def append(self, item: Item) -> None:
        """``submit``, and wait until it is durable. Raises what ``done`` was given."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def done(error: BaseException | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

        self.submit(item, done)
        await future

    def _grant_event(self, item: GrantDocument | GrantEvent | KeyEvent) -> tuple[Sealed, LoggedEvent]:
        private, document = b"", None
        if isinstance(item, GrantDocument):
            event: GrantEvent | KeyEvent
            event, private = self._sealer.document(item)
            document = item
        elif isinstance(item, GrantRequested | BreakGlass):
            raise UsageError("a request is logged together with its terms", hint="submit a GrantDocument")
        else:
            event = replace(item, epoch=self._sealer.epoch)
        data = encode(event)
        self._grants.apply(self._next, event)
        return ([data], encode_record(data, private)), LoggedEvent(self._next, event, document)

    # --- writing (the journal's thread)

    def _write_groups(self) -> None:
        queue, stop = self._queue, False
        while not stop:
            item = queue.get()
            if item is None:
                return
            batch, size = [item], len(item[0])
            while size < MAX_GROUP:
                try:
                    item = queue.get_nowait()
                except Empty:
                    break
                if item is None:
                    stop = True
                    break
                batch.append(item)
                size += len(item[0])
            failure: Exception | None = None
            try:
                self._keystore.flush()
                self._journal.append(b"".join([item[0] for item in batch]), sum([len(item[1]) for item in batch]))
            except Exception as error:  # noqa: BLE001  # whatever it is: nothing more may be written
                failure, stop = error, True
            assert self._loop is not None
            try:
                self._loop.call_soon_threadsafe(self._written, batch, failure)
            except RuntimeError:  # the loop is closed: nobody waits any more
                return

    def _written(self, batch: list[_Queued], failure: Exception | None) -> None:
        if failure is not None:
            self._fail(failure)
            for _, _, done, _ in batch:
                self._call(done, self._failure)
            return
        for _, entries, done, event in batch:
            self._durable += len(entries)
            self._publishing.add(entries)
            if event is not None:
                self._events.append(event)
            self._call(done, None)
        self._publishing.soon()

    def _call(self, done: Done, error: BaseException | None) -> None:
        try:
            done(error)
        except Exception as fault:  # noqa: BLE001  # one listener's fault must not keep the others waiting
            assert self._loop is not None
            self._loop.call_exception_handler({"message": "a ledger callback failed", "exception": fault})

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = LedgerFailed(
                "the ledger cannot be written, so nothing is shown",
                hint="look at the disk, then start the gateway again",
                detail=f"{type(error).__name__}: {error}",
            )
        while True:
            try:
                item = self._queue.get_nowait()
            except Empty:
                break
            if item is not None:
                self._call(item[2], self._failure)
        self._queue.put(None)
        self._publishing.fail(self._failure)

    async def published(self) -> None:
        """Waits until everything that is durable now is in the published checkpoint. Raises LedgerFailed."""
        if self._failure is not None:
            raise self._failure
        await self._publishing.reached(self._durable)

    # --- reading

    @property
    def size(self) -> int:
        """How many entries are durable."""
        return self._durable

    @property
    def failure(self) -> LedgerFailed | None:
        """Why nothing is accepted any more, if so."""
        return self._failure

    @property
    def verifier_key(self) -> VerifierKey:
        """What strangers need to verify this log."""
        return self._keystore.verifier_key(self.origin)

    @property
    def grants(self) -> GrantLog:
        """What the log's grant entries amount to (submitted ones included). Read only."""
        return self._grants

    def grant_events(self) -> Iterator[LoggedEvent]:
        """Every durable grant and key entry, in the log's order."""
        yield from tuple(self._events)

    def usage(self, grant: bytes) -> Usage:
        """What a grant (16 bytes) has shown so far, submitted disclosures included. Read only."""
        return self._sealer.usage.get(grant) or Usage()

    def pseudonym(self, person: str) -> bytes:
        """How ``Usage.people`` names ``account:42``."""
        return self._sealer.pseudonym(person)

    # --- ending

    async def close(self) -> None:
        """Writes and publishes what was submitted, then lets the directory go. Twice is once."""
        if self._closing:
            return
        self._closing = True
        loop = self._loop = asyncio.get_running_loop()
        self._queue.put(None)
        await loop.run_in_executor(None, self._thread.join)
        try:
            if self._failure is None:
                await asyncio.sleep(0)
                await self._publishing.rest()
        finally:
            self._publishing.close()
            self._journal.close()
            os.close(self._lock)
