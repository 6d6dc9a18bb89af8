"""What every entry of a log must fulfil, one after the other: well formed, in its place, signed by a key that counts.

Whoever reads a log uses this: the one-time check of a whole log, and the monitor that reads on where it stopped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.checkpoint import VerifierKey
from seenby_verify.tlog.entries import (
    Disclosure,
    Entry,
    EpochKey,
    Erasure,
    LogStarted,
    Move,
    PersonEnrolled,
    PersonNamed,
    Query,
    Transfer,
    bucket,
    decode,
)
from seenby_verify.tlog.grantlog import GRANT_EVENTS, GrantLog


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
        place: what comes next; with the grant events so far and the labels it is all that must be remembered.
        events: (index, entry) of every grant or key event, and of the log's start.
        malformed, misplaced, unsigned: the first fault of each sort, with its file and entry.
    """

    def __init__(self, key: VerifierKey, labels: Labels | None = None) -> None:
        """``key``: the log's; its name is the origin."""
        self.counts: Counter[type] = Counter()
        self.malformed: VerificationError | None = None
        self.misplaced: VerificationError | None = None
        self.unsigned: VerificationError | None = None
        self.grants = GrantLog("")
        self.place = Place()
        self._key = key
        self._labels = labels or LabelsInMemory()
        self._path = ""

    def resume(self, place: Place, events: Iterable[tuple[int, bytes]]) -> None:
        """Goes on behind ``place``. ``events``: the entries that ``remember`` asked for. Raises VerificationError."""
        self.place = place
        for index, data in events:
            entry = decode(data)
            if isinstance(entry, LogStarted):
                self.grants.region = entry.region
            elif isinstance(entry, GRANT_EVENTS):
                self.grants.apply(index, entry)

    @staticmethod
    def remember(entry: bytes) -> bool:
        """Whether ``resume`` needs this entry (a well-formed one)."""
        return isinstance(decode(entry), (LogStarted, *GRANT_EVENTS))

    @property
    def fault(self) -> VerificationError | None:
        """What to tell first."""
        return self.malformed or self.misplaced or self.unsigned

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
                if not self.unsigned and isinstance(entry, GRANT_EVENTS):
                    self.grants.apply(index, entry)
            except VerificationError as error:
                self.unsigned = _at(index, path, error)

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
        """A checkpoint of this size ends here: are the last people named?"""
        try:
            if not self.misplaced:
                self._end()
        except VerificationError as error:
            self.misplaced = _at(size - 1, self._path, error)


def _at(index: int, path: str, error: VerificationError) -> VerificationError:
    return VerificationError(f"{path}: entry {index}: {error.message}", where=path, hint=error.hint)
