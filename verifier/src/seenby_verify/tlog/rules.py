"""What every entry of a log must fulfil, one after the other: well formed, in its place, signed by a key that counts,
sealed.

Whoever reads a log uses this: the one-time check of a whole log, and the monitor that reads on where it stopped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.checkpoint import VerifierKey
from seenby_verify.tlog.entries import (
    DailyReport,
    Disclosure,
    Entry,
    EpochKey,
    Erasure,
    LogStarted,
    Move,
    PersonEnrolled,
    PersonNamed,
    Query,
    Regions,
    Transfer,
    bucket,
    decode,
    key_id,
)
from seenby_verify.tlog.grantlog import GRANT_EVENTS, GrantLog
from seenby_verify.tlog.regions import RegionList
from seenby_verify.tlog.reports import ReportRules, report_message
from seenby_verify.tlog.seals import SealRules

AUDITOR: Final = "auditor"
"""The role of the keys that confirm daily reports."""
_REMEMBERED: Final = frozenset(kind.KIND for kind in (LogStarted, Regions, DailyReport, *GRANT_EVENTS))


class Labels(Protocol):
    """Every label that stood in the log so far."""

    def add(self, epoch: int, label: bytes) -> bool:
        """False if it was there before."""


class LabelsInMemory:
    def __init__(self) -> None:
        self._labels: set[bytes] = set()

    def add(self, epoch: int, label: bytes) -> bool:  # noqa: ARG002  # no label stands twice, in whatever epoch
        before = len(self._labels)
        self._labels.add(label)
        return len(self._labels) > before


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reader of the log stands.

    ``owed``: the bucket of the entry whose people are being named, if any; ``keyed``: the epoch of the last epoch key.
    """

    size: int = 0
    epoch: int = 0
    owed: int | None = None
    named: int = 0
    keyed: int = 0


class EntryRules:
    """Looks at every entry once, in order; keeps the first fault of each sort.

    Attributes:
        place: what comes next. With the entries that ``remembers`` and the labels it is all that a reader must keep.
        events: (index, entry) of every grant and key event, list of regions and daily report taken so far.
        grants, seals, reports, regions: what they amount to; ``regions`` is the newest list, None if the log has none.
        malformed, misplaced, unsigned, unsealed, unlisted, misreported: the first fault of each sort, with its place.
    """

    def __init__(self, key: VerifierKey, labels: Labels | None = None, organisation: VerifierKey | None = None) -> None:
        """``key``: the log's; its name is the origin. ``organisation`` signs lists of regions; None: anybody may."""
        self.counts: Counter[type] = Counter()
        self.malformed: VerificationError | None = None
        self.misplaced: VerificationError | None = None
        self.unsigned: VerificationError | None = None
        self.unsealed: VerificationError | None = None
        self.unlisted: VerificationError | None = None
        self.misreported: VerificationError | None = None
        self.grants = GrantLog("")
        self.seals = SealRules()
        self.reports = ReportRules()
        self.regions: RegionList | None = None
        self.events: list[tuple[int, Entry]] = []
        self.place = Place()
        self._key = key
        self._organisation = organisation
        self._labels = labels or LabelsInMemory()
        self._path = ""

    def resume(
        self,
        place: Place,
        events: Iterable[tuple[int, bytes]],
        labels: Iterable[bytes],
        kinds: tuple[int, bytes] = (0, b""),
    ) -> None:
        """Goes on behind ``place``, which is behind a seal. Raises VerificationError.

        Args:
            events: the entries that ``remembers``, with their indexes.
            labels: those of the epoch of ``place``.
            kinds: ``reports.first`` and ``reports.kinds``.
        """
        self.place = place
        report = b""
        for index, data in events:
            entry = decode(data)
            if isinstance(entry, LogStarted):
                self.grants.region = entry.region
            elif isinstance(entry, Regions):
                self.regions = RegionList.open(entry.document, None)
            elif isinstance(entry, DailyReport):
                report = entry.document
            elif isinstance(entry, GRANT_EVENTS):
                self.grants.apply(index, entry)
        self.seals.resume(place.epoch, labels)
        self.reports.resume(report, *kinds)

    @staticmethod
    def remembers(entry: bytes) -> bool:
        """Whether ``resume`` needs this entry (a well-formed one)."""
        return entry[1] in _REMEMBERED

    @property
    def fault(self) -> VerificationError | None:
        """What to tell first."""
        return self.malformed or self.misplaced or self.unsigned or self.unsealed or self.unlisted or self.misreported

    def take(self, path: str, first: int, entries: list[bytes]) -> None:
        """The entries from index ``first`` on, as they stand in the file ``path``."""
        self._path = path
        for index, data in enumerate(entries, first):
            if self.malformed:
                return
            try:
                entry = decode(data)
            except VerificationError as error:
                self.malformed = _at(index, path, error)
                return
            self.counts[type(entry)] += 1
            try:
                if not self.misplaced:
                    self._place(index, entry)
            except VerificationError as error:
                self.misplaced = _at(index, path, error)
            try:
                if not self.unsealed and not self.misplaced:
                    self.seals.take(index, entry)
            except VerificationError as error:
                self.unsealed = _at(index, path, error)
            if isinstance(entry, (Regions, DailyReport, *GRANT_EVENTS)):
                self._event(index, entry, path)
            self.reports.kinds.append(data[1])

    def _event(self, index: int, entry: Entry, path: str) -> None:
        self.events.append((index, entry))
        try:
            if isinstance(entry, Regions):
                if not self.unlisted:
                    self._list(entry)
            elif self.unsigned:
                pass
            elif isinstance(entry, DailyReport):
                self._report(index, entry, path)
            elif isinstance(entry, GRANT_EVENTS):
                self.grants.apply(index, entry)
        except VerificationError as error:
            if isinstance(entry, Regions):
                self.unlisted = _at(index, path, error)
            else:
                self.unsigned = _at(index, path, error)

    def _list(self, entry: Regions) -> None:
        found = RegionList.open(entry.document, self._organisation)
        if (self.grants.region, self._key) not in found.logs:
            raise VerificationError("the list of regions leaves out the log that it stands in")
        if self.regions:
            found.check_follows(self.regions)
        self.regions = found

    def _report(self, index: int, entry: DailyReport, path: str) -> None:
        """Signed by the log's own key, or by an auditor whose key counts here; and what it counts (reports.md)."""
        added = self.grants.keys.get(entry.key_id)
        if own := entry.key_id == key_id(self._key.key):
            key = self._key.key
        elif added and added.role == AUDITOR:
            key = added.key
        else:
            raise VerificationError("the daily report is signed by a key that is no auditor's here")
        message = report_message(self.grants.region, entry.epoch, entry.day, entry.document)
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(entry.signature, message)
        except (InvalidSignature, ValueError):
            who = "log" if own else "auditor"
            raise VerificationError(f"the {who}'s signature under the daily report does not match") from None
        try:
            if not self.misreported:
                self.reports.take(index, entry, self.grants.region)
        except VerificationError as error:
            self.misreported = _at(index, path, error)

    def _place(self, index: int, entry: Entry) -> None:
        place = self.place
        if (index == 0) is not isinstance(entry, LogStarted):
            raise VerificationError("a log starts with the entry that says so, and only there")
        if isinstance(entry, LogStarted):
            if (entry.origin, entry.key) != (self._key.name, self._key.key):
                raise VerificationError("the log started under another name or key")
            self.grants.region = entry.region
        if entry.epoch < place.epoch:
            raise VerificationError(f"epoch {entry.epoch} after {place.epoch}")
        if isinstance(entry, PersonNamed):
            if place.owed is None or bucket(place.named + 1) > place.owed:
                raise VerificationError("a person is named where nobody is announced")
            if entry.epoch != place.epoch:
                raise VerificationError("a person is named in another epoch than what concerns them")
            if not self._labels.add(entry.epoch, entry.label):
                raise VerificationError("a label stands in the log twice")
            self.place = Place(index + 1, place.epoch, place.owed, place.named + 1, place.keyed)
            return
        self._end()
        if isinstance(entry, Query) and entry.bound == 0 and entry.bucket:
            raise VerificationError("a query that read nobody's data announces people")
        owed = None
        if isinstance(entry, Query | PersonEnrolled | Erasure | Move | Transfer | Disclosure):
            owed = entry.bucket
        keyed = place.keyed
        if isinstance(entry, EpochKey):
            if entry.epoch == keyed:
                raise VerificationError(f"a second key for the auditors of {keyed}")
            if not 1 <= entry.threshold <= entry.auditors:
                raise VerificationError(f"{entry.threshold} of {entry.auditors} auditors cannot be")
            keyed = entry.epoch
        self.place = Place(index + 1, entry.epoch, owed, keyed=keyed)

    def _end(self) -> None:
        """The people announced must have been named by now."""
        place = self.place
        if place.owed is not None and bucket(place.named) != place.owed:
            raise VerificationError(
                f"{place.named} people are named up to here, but a number of {place.owed} digits is announced"
            )

    def finish(self, size: int) -> None:
        """A checkpoint of this size ends here: are the last people named, and all of them sealed?"""
        try:
            if not self.misplaced:
                self._end()
        except VerificationError as error:
            self.misplaced = _at(size - 1, self._path, error)
        try:
            if not self.unsealed:
                self.seals.finish(size)
        except VerificationError as error:
            self.unsealed = _at(size - 1, self._path, error) if size else error


def _at(index: int, path: str, error: VerificationError) -> VerificationError:
    return VerificationError(f"{path}: entry {index}: {error.message}", where=path, hint=error.hint)
