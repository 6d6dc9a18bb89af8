"""The one writer of a region's ledger: ``submit`` -> journal (group commit, durable) -> public log.

Three places, one direction::

    loop's thread      submit: encrypt, count, queue
    journal thread     everything queued: one write, one fdatasync           -> done(None) on the loop
    publishing thread  journal -> tiles, label tree, checkpoint in a second  never waits for, nor delays, the journal
                       (the first two in a process of their own, if it is opened ``apart``)

A failed write ends the ledger: everybody who waits gets LedgerFailed, and so does everybody after (fail closed).
Formats: docs/formats/ledger.md.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from seenby.errors import LedgerFailed, SeenbyError, UsageError
from seenby.model.disclosure import PeopleEvent, QueryDisclosure, RefusedAttempt
from seenby.stores.apart import Apart
from seenby.stores.auditors import Auditors, RecordKeys
from seenby.stores.erasing import Leaving
from seenby.stores.grouping import Done, GroupWriter, Queued
from seenby.stores.integrate import Head
from seenby.stores.journal import encode_record
from seenby.stores.keystore import KeyStore
from seenby.stores.layout import seal_mark
from seenby.stores.locks import integrating_lock, writer_lock
from seenby.stores.opening import LoggedEvent, Opened, open_files
from seenby.stores.publishing import OnPublished, Publishing
from seenby.stores.reading import LedgerReading, Recent
from seenby.stores.sealing import GrantDocument, ReportDocument, Sealed, Sealer
from seenby_verify.tlog.checkpoint import valid_name
from seenby_verify.tlog.entries import BreakGlass, EpochKey, GrantEvent, GrantRequested, KeyEvent, Regions, encode
from seenby_verify.tlog.grantlog import signer

MAX_BEHIND: Final = 1 << 20
"""Entries that may be durable and not public. Then the journal waits: whoever asks for more, asks at the pace of what
is made public, and no promise is broken by a backlog that grows."""

Item = QueryDisclosure | RefusedAttempt | PeopleEvent | ReportDocument | GrantDocument | GrantEvent | KeyEvent | Regions


def holder(key_id: bytes) -> str:
    """Who has a key, where the log knows no name: ``key 0f1e...``, which is nobody's name."""
    return f"key {key_id.hex()}"


def _nobody(_: BaseException | None) -> None:
    """Nobody waits for an entry of the ledger's own."""


class Ledger(LedgerReading):
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
        apart: bool,
    ) -> None:
        self.directory = directory
        self.region = region
        self.origin = origin
        self._keystore = keystore
        self._failure: LedgerFailed | None = None
        self._closing = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._at_seal: Callable[[int], None] | None = None
        self._recent: deque[Recent] = deque()  # in the log's order
        self._leaving = Leaving()
        self._apart: Apart | None = None
        private = directory / "private"
        private.mkdir(mode=0o700, parents=True, exist_ok=True)
        (private / "journal").mkdir(mode=0o700, exist_ok=True)
        (directory / "public").mkdir(exist_ok=True)
        with ExitStack() as locks:
            self._lock = locks.enter_context(closing(writer_lock(private)))
            self._integrating = locks.enter_context(closing(integrating_lock(private)))
            self._start(clock, RecordKeys(directory, region, auditors), publish_after, segment_bytes, apart)
            locks.pop_all()
        self._writer = GroupWriter(self._opened.journal, keystore, region, self._written)

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
        apart: bool = False,
    ) -> Ledger:
        """Opens the ledger in ``directory``, or starts it. Reads what the state does not cover: call it before serving.

        Args:
            region: whose people this ledger is about, as in ``eu``.
            origin: the log's name, first line of every checkpoint, as in ``eu.seenby.example/ledger``.
            keystore: the region's; its checkpoint key signs.
            clock: Unix seconds; only the month matters.
            auditors: of the region, asked once per epoch; None: records open with the region's own key.
            publish_after: seconds from the first unpublished entry to the next checkpoint; at most 0.5.
            segment_bytes: when the journal starts a new file.
            apart: whether a process of its own makes public what is durable (``seenby.stores.apart``). Worth it where
                queries wait for this one; a tool that appends a few entries does without.

        Raises LedgerFailed: another process writes it, it is damaged, or the disk refuses.
        """
        if not valid_name(origin):
            raise UsageError(f"{origin!r} cannot be the name of a log", hint="no spaces and no plus sign")
        try:
            return cls(directory, region, origin, keystore, clock, auditors, publish_after, segment_bytes, apart)
        except OSError as error:
            raise LedgerFailed(
                f"the ledger in {directory} cannot be opened: {error.strerror or error}",
                hint="check the disk and the permissions",
            ) from None

    # --- opening

    def _start(
        self, clock: Callable[[], float], keys: RecordKeys, publish_after: float, segment_bytes: int, apart: bool
    ) -> None:
        opened = open_files(self.directory, self.region, self.origin, self._keystore, clock, segment_bytes)
        self._opened: Opened = opened
        self._grants, self._events = opened.grants, opened.events
        self._durable = self._next = opened.size
        self._sealed = True
        self._sealer = Sealer(
            self.region, self._keystore, clock, keys, opened.state, opened.integrator.epoch, opened.epoch_key
        )
        self._sealer.integrated(opened.size)
        advance: Callable[[int], Head] = opened.integrator.advance
        if apart:  # from here on nobody writes tiles and state in this process
            self._apart = Apart(self.directory, self._integrating)
            advance = self._apart.advance
        self._publishing = Publishing(
            advance, opened.checkpoint, self.region, publish_after, self._put_seal, self._fail
        )
        self._publishing.on_published.append(lambda head, _: self._published(head.size))

    # --- submitting (the loop's thread)

    def submit(self, item: Item, done: Done) -> None:
        """Hands ``item`` to the ledger. Call it on the loop's thread.

        ``done(None)`` is called on that thread when the entry and all that belongs to it are durable, otherwise
        ``done(error)``: UsageError, VerificationError or Internal if this item cannot be logged, LedgerFailed if
        nothing can. Calls of ``done`` keep the order of ``submit`` as long as nothing fails; none is made from within.
        """
        loop = self._loop
        if loop is None:
            loop = self._loop = self._writer.loop = asyncio.get_running_loop()
        if self._failure is not None or self._closing:
            error = self._failure or LedgerFailed("the ledger is closed", hint="start the gateway again")
            loop.call_soon(done, error)
            return
        try:
            if self._leaving:
                self._leaving.check(item)
            epoch = self._sealer.epoch
            if self._sealer.tick() != epoch and not self._sealed:
                self._put(seal_mark(epoch, self._next), seal=True)
            if self._sealer.announced is not None:
                self._announce(self._sealer.announced)
            event, index = None, self._next
            if type(item) is QueryDisclosure:
                entries, payload = self._sealer.query(item, index)
            elif type(item) is RefusedAttempt:
                entries, payload = self._sealer.attempt(item)
            elif type(item) is ReportDocument:
                entries, payload = self._sealer.report(item)
            elif type(item) is PeopleEvent:
                entries, payload = self._sealer.people_event(self._leaving.without(item), index)
                if item.erased:
                    self._leaving.begin(item.people)
                    done = partial(self._erase, item.people, done)
                if not entries:
                    loop.call_soon(done, None)
                    return
            else:
                (entries, payload), event = self._grant_event(item)  # type: ignore[arg-type]  # what is left of Item
        except SeenbyError as error:
            loop.call_soon(done, error)
            return
        except BaseException as error:  # half counted: the counters are no longer to be trusted
            self._fail(error)
            loop.call_soon(done, self._failure)
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            return  # a panic of native code is no Exception, and ends the ledger like one
        receipt = None
        if type(item) is QueryDisclosure and item.principal:
            head = index + len(entries) - len(item.people) - 1  # behind an enrolment, if there is one
            receipt = (head, entries[head - index], item.principal)
        elif type(item) is RefusedAttempt and item.principal:
            receipt = (index, entries[0], item.principal)
        elif event is not None and (key := signer(event.event, self._grants)):
            receipt = (index, entries[0], holder(key))
        self._next += len(entries)
        self._sealed = False
        self._writer.put(Queued(payload, len(entries), done, event, False, receipt))

    def _put(self, entry: bytes, done: Done = _nobody, *, seal: bool = False) -> None:
        """An entry of the ledger's own."""
        self._next += 1
        self._sealed = seal
        self._writer.put(Queued(encode_record(entry, b""), 1, done, None, seal))

    def _announce(self, entry: EpochKey) -> None:
        """The auditors' key of a new epoch, before what is sealed for them."""
        self._sealer.announced = None
        self._put(encode(entry))

    def _put_seal(self, then: Callable[[int], None]) -> None:
        """For publishing: a seal at the end, unless one stands there; ``then(size)`` when it is durable."""
        if self._sealed and self._durable == self._next:
            assert self._loop is not None
            self._loop.call_soon(then, self._next)
            return
        if self._sealed:  # it is on its way
            self._at_seal = then
            return
        size = self._next + 1
        self._put(
            seal_mark(self._sealer.epoch, self._next), lambda error: then(size) if error is None else None, seal=True
        )

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

    def _grant_event(self, item: GrantDocument | GrantEvent | KeyEvent | Regions) -> tuple[Sealed, LoggedEvent | None]:
        private, document = b"", None
        if isinstance(item, GrantDocument):
            event: GrantEvent | KeyEvent | Regions
            event, private = self._sealer.document(item)
            document = item
        elif isinstance(item, GrantRequested | BreakGlass):
            raise UsageError("a request is logged together with its terms", hint="submit a GrantDocument")
        else:
            event = replace(item, epoch=self._sealer.epoch)
        data = encode(event)
        if isinstance(event, Regions):
            self._opened.regions = event.document
            return ([data], encode_record(data, private)), None
        self._grants.apply(self._next, event)
        return ([data], encode_record(data, private)), LoggedEvent(self._next, event, document)

    def _erase(self, people: tuple[str, ...], done: Done, error: BaseException | None) -> None:
        """The erasures are durable in the log: now the keys go, and only then is it done."""
        if error is not None:
            self._leaving.end(people, error)
            done(error)
            return

        def gone(ended: asyncio.Future[None]) -> None:
            self._sealer.forget(people)
            self._leaving.end(people, ended.exception())
            self._call(done, ended.exception())

        assert self._loop is not None
        self._loop.run_in_executor(None, self._keystore.forget, people).add_done_callback(gone)

    # --- what was written

    def _written(self, batch: list[Queued], time: int, failure: Exception | None) -> None:
        if failure is not None:
            self._fail(failure)
            for item in batch:
                self._call(item.done, self._failure)
            return
        for _, entries, done, event, _, receipt in batch:
            self._durable += entries
            if event is not None:
                self._events.append(event)
            if receipt is not None:
                self._recent.append(Recent(*receipt, time))
            self._call(done, None)
        at_seal = self._at_seal
        if at_seal is not None and batch[-1].seal:
            self._at_seal = None
            at_seal(self._durable)
        self._publishing.soon()
        if self._publishing.working and self._durable - self._opened.checkpoint.size > MAX_BEHIND:
            self._writer.hold()

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
        for item in self._writer.drain():
            self._call(item.done, self._failure)
        self._publishing.fail(self._failure)

    def _published(self, size: int) -> None:
        self._writer.go_on()
        self._sealer.integrated(size)
        recent = self._recent
        while recent and recent[0].place < size:
            recent.popleft()
        if self._durable > size:
            self._publishing.soon()

    async def published(self, *, submitted: bool = False) -> None:
        """Waits until everything that is durable (or ``submitted``) now is in the published checkpoint.

        Raises LedgerFailed.
        """
        if self._failure is not None:
            raise self._failure
        await self._publishing.reached(self._next if submitted else self._durable)

    async def cosigned(self, plain: bytes, note: bytes) -> bool:
        """Puts witnesses' signatures under the published note ``plain``; False if a newer one stands there by now."""
        return await self._publishing.cosigned(plain, note)

    def on_published(self, told: OnPublished) -> None:
        """``told(head, note)`` is called on the loop's thread after each new checkpoint."""
        self._publishing.on_published.append(told)

    # --- ending

    async def close(self) -> None:
        """Writes and publishes what was submitted, then lets the directory go. Twice is once."""
        if self._closing:
            return
        self._closing = True
        loop = self._loop = self._writer.loop = asyncio.get_running_loop()
        try:
            while self._failure is None and self._opened.checkpoint.size < self._next:
                await self._publishing.now()
        finally:
            await loop.run_in_executor(None, self._writer.join)
            await asyncio.sleep(0)
            self._publishing.close()
            if self._apart is not None:
                self._apart.close()
            self._opened.close()
            self._integrating.close()
            self._lock.close()
