"""Who saw a person's data: opens what is theirs, holds every entry against the public log, proves that none is missing.

Reads files only, beside a running gateway or without one, as of the newest checkpoint (docs/formats/records.md and
seals.md). What anybody could check in a bundle is checked here too, by the verifier's own code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seenby.errors import NotFound, VerificationError
from seenby.stores.keystore import KeyStore
from seenby.stores.layout import PERSON_PRIVATE, sealed_record
from seenby.stores.person import Counted, Enrolled, counted, enrolments
from seenby.stores.view import LogView, open_state, public_reader
from seenby_verify.tlog.bundle_format import Key, ShownItem
from seenby_verify.tlog.bundle_record import HEADS, Shown, open_shown
from seenby_verify.tlog.checkpoint import VerifierKey
from seenby_verify.tlog.entries import Entry, PersonNamed, Seal, decode
from seenby_verify.tlog.labels import verify_absent
from seenby_verify.tlog.records import RecordOpener, SealedRecord
from seenby_verify.tlog.shares import OpenedEpochKey
from seenby_verify.tlog.steps import Placed, at

__all__ = ["Event", "History", "Names", "Seen", "history", "public_reader", "who_saw"]


@dataclass(frozen=True, slots=True)
class Seen:
    """One time somebody was shown (or examined) this person's data; every check holds.

    Attributes:
        index, epoch: of the person entry in the log.
        published: whether it is in the public log. Nothing else is listed.
        record: the query record.
        part: what of this person's.
        bound: ``exact`` or ``upper``.
        withheld: the other half of the record (names, statement); None if it was not asked for or does not open.
    """

    index: int
    epoch: int
    published: bool
    record: dict[str, Any]
    part: dict[str, Any]
    bound: str
    withheld: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """What is no access: ``how`` is ``enrolled`` or ``erased``. ``version``: of the key; ``when``: RFC 3339, UTC."""

    index: int
    how: str
    when: str
    version: int


@dataclass(frozen=True, slots=True)
class History:
    """All that the log has about a person, oldest first, proven to be whole.

    Attributes:
        size: of the public log that this is true of.
        months: how many have a seal under which nothing else about the person is.
        closed: epochs whose withheld halves did not open, with the reason.
    """

    seen: tuple[Seen, ...]
    events: tuple[Event, ...]
    size: int
    months: int
    closed: Mapping[int, str] = field(default_factory=dict)


class Names:
    """What opens withheld halves: the region's own keys, and those that auditors opened."""

    def __init__(self, region: str, keystore: KeyStore, opened: tuple[OpenedEpochKey, ...] = ()) -> None:
        """Raises VerificationError if a key is another region's."""
        for one in opened:
            if one.region != region:
                raise VerificationError(f"the auditors' key of {one.epoch} is of region {one.region}, not {region}")
        self._region = region
        self._keystore = keystore
        self._private = {one.epoch: one.private for one in opened}
        self._openers: dict[tuple[int, bool], RecordOpener] = {}
        self.closed: dict[int, str] = {}

    def open(self, epoch: int, sealed: bytes, commit: bytes) -> dict[str, Any] | None:
        """The withheld half of the record that an entry commits to. Raises VerificationError if it is another's."""
        by_auditors = bool(SealedRecord.parse(sealed).block)
        if by_auditors and epoch not in self._private:
            self.closed[epoch] = "sealed for the auditors"
            return None
        opener = self._openers.get((epoch, by_auditors))
        if opener is None:
            try:
                opener = self._opener(epoch, by_auditors)
            except NotFound:
                self.closed[epoch] = "destroyed at the end of their retention"
                return None
            self._openers[epoch, by_auditors] = opener
        opened = opener.open(sealed)
        if opened.record.commit != commit:
            raise VerificationError("the record that its month's key opens is not the one that was logged")
        value = json.loads(opened.withheld.text)
        if not isinstance(value, dict):
            raise VerificationError("its withheld half is not a JSON object")
        return value

    def _opener(self, epoch: int, by_auditors: bool) -> RecordOpener:
        if by_auditors:
            return RecordOpener(self._region, epoch, auditors_key=self._private[epoch])
        return RecordOpener(self._region, epoch, region_key=self._keystore.epoch_key(epoch))


def who_saw(person: str, ledger: Path, region: str, key: VerifierKey, keystore: KeyStore) -> list[Seen]:
    """The accesses of ``history``."""
    return list(history(person, ledger, region, key, keystore).seen)


def history(
    person: str, ledger: Path, region: str, key: VerifierKey, keystore: KeyStore, names: Names | None = None
) -> History:
    """Everything the public log of a region holds about a person; empty if the person has no key.

    Args:
        key: of the log.
        names: to open withheld halves too.

    Raises VerificationError, naming the entry, if a label, commitment, digest or inclusion does not hold, or an entry
    could be missing; NotFound if there is no ledger; LedgerFailed if the journal is damaged; Unavailable.
    """
    with open_state(ledger) as state, LogView.at_checkpoint(ledger, state, key) as view:
        keys = enrolments(view, keystore.known_keys(person))
        if not keys:
            return History((), (), view.checkpoint.size, 0)
        return _Reader(view, region, keys, names).read()


class _Reader:
    """One person, one view. Finds each fault that a bundle's check would find, in the order of the epochs."""

    def __init__(self, view: LogView, region: str, keys: list[Enrolled], names: Names | None) -> None:
        self._view = view
        self._region = region
        self._names = names
        self._keys = {one.key.version: Key(one.key.version, one.key.key, region, one.index) for one in keys}
        self._enrolled = keys
        self._seen: list[Seen] = []
        self._events: list[Event] = []

    def read(self) -> History:
        months, after, size = 0, 0, self._view.checkpoint.size
        for epoch, place, counts in counted(self._view, self._region, self._enrolled):
            if months and self._entry(self._view.placed(after)).epoch != epoch:
                raise VerificationError(f"entry {after} is not the first of {epoch}: months could be left out")
            if not months and epoch != self._enrolled[0].epoch:
                raise VerificationError(f"there is no seal of {self._enrolled[0].epoch}, when the key was enrolled")
            self._month(epoch, place, counts)
            months, after = months + 1, place + 1
        if after != size:
            raise VerificationError(f"the newest seal is entry {after - 1}, and not the last of {size} entries")
        for one in self._enrolled:
            if not any(event.index == one.index and event.how == "enrolled" for event in self._events):
                raise VerificationError(f"entry {one.index} does not enrol key {one.key.version} of this person")
        return History(
            tuple(sorted(self._seen, key=lambda one: one.index)),
            tuple(sorted(self._events, key=lambda one: one.index)),
            size,
            months,
            self._names.closed if self._names else {},
        )

    def _month(self, epoch: int, place: int, counts: list[Counted]) -> None:
        seal = self._entry(self._view.placed(place))
        if not isinstance(seal, Seal) or (seal.epoch, seal.covers) != (epoch, place):
            raise VerificationError(f"entry {place} is not a seal of {epoch} over all entries before it")
        for one in counts:
            for n, index in enumerate(one.indexes):
                self._take(one, epoch, n, index)
            try:
                verify_absent(one.crypto.label(len(one.indexes)), one.absent, seal.root)
            except VerificationError as error:
                raise VerificationError(
                    f"it is not proven that {epoch} holds no more than {len(one.indexes)} entries of key {one.version}",
                    where=f"entry {place}",
                    detail=error.message,
                ) from None

    def _take(self, key: Counted, epoch: int, n: int, index: int) -> None:
        head, mine = self._view.records(index)
        where = f"entry {index}"
        if head is None:
            raise VerificationError(f"{where} does not stand behind an entry that names people", where=where)
        item = ShownItem(
            key.version,
            epoch,
            n,
            self._view.placed(index, mine.entry),
            mine.private[PERSON_PRIVATE:],
            self._view.placed(head.index, head.entry),
            sealed_record(head.entry[1], head.private),
        )
        entry, before = self._entry(item.entry), self._entry(item.head)
        if not isinstance(entry, PersonNamed) or entry.epoch != epoch or entry.label != key.crypto.label(n):
            raise VerificationError(f"{where} has not the label of this person's number {n} of {epoch}", where=where)
        if not isinstance(before, HEADS) or before.epoch != epoch or not 1 <= index - head.index < 10**before.bucket:
            raise VerificationError(f"{where} does not stand behind an entry that names people", where=where)
        shown = open_shown(where, self._region, item, entry, before, self._keys[key.version], key.crypto)
        self._add(shown, item.record, before.commit)

    def _add(self, shown: Shown, sealed: bytes, commit: bytes) -> None:
        if shown.how in ("enrolled", "erased"):
            self._events.append(Event(shown.index, shown.how, shown.when, shown.version))
            return
        try:
            withheld = self._names.open(shown.epoch, sealed, commit) if self._names else None
        except VerificationError as error:
            raise at(f"entry {shown.index}", error) from None
        # Published: what is not in the checkpoint's tree was refused above.
        self._seen.append(Seen(shown.index, shown.epoch, True, shown.record, shown.part, shown.bound, withheld))

    def _entry(self, placed: Placed) -> Entry:
        """The entry, proven to be in the tree."""
        placed.check(self._view.checkpoint, f"entry {placed.index}")
        return decode(placed.entry)
