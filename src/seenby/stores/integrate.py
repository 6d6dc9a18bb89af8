"""Journal -> tiles, label tree, tables: makes public what the writer wrote, and quick to open again.

It reads the journal's files, whether the writer wrote them a moment ago or a restart finds them; there is no other way
in. So it needs little memory, and can run in a process of its own (``stores/apart.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import lmdb
import structlog

from seenby.errors import LedgerFailed
from seenby.stores.finding import landmarks
from seenby.stores.journal import START, Group, JournalReader
from seenby.stores.layout import EVENTS, HEADS, NO_GRANT, PERSON_PRIVATE, principal_of, seal_mark
from seenby.stores.publish import Tiles
from seenby.stores.state import Changes, State, group_value, receipts_prefix
from seenby_verify.tlog.entries import (
    AttemptRefused,
    DailyReport,
    LogStarted,
    PersonEnrolled,
    PersonNamed,
    Regions,
    Seal,
    Statistic,
    encode,
)

CHUNK: Final = 32_768
"""Entries after which a transaction is committed, while a long journal is caught up with."""

log = structlog.get_logger("seenby.ledger")


@dataclass(frozen=True, slots=True)
class Head:
    """A tree that may be published: it ends in a seal."""

    size: int
    root: bytes


class Integrator:
    """Not thread safe: one caller at a time; ``advance`` always on the same thread.

    Attributes:
        reader: where the journal goes on behind what is integrated.
        epoch: of the last entry; 0 if there is none.
        sealed: whether the last entry is a seal.
        started: entry 0.
    """

    def __init__(self, journal: Path, state: State, tiles: Tiles) -> None:
        """Goes on where ``state`` ends. Raises LedgerFailed if the journal is not the one that it was made from."""
        self._journal = journal
        self._state = state
        self._tiles = tiles
        self._changes = Changes()
        self._entries: list[bytes] = []
        self._labels: list[tuple[bytes, int]] = []
        self._grant = NO_GRANT
        self._kind = 0  # of the last entry that is no person's
        self.epoch = 0
        self.sealed = True
        self.started = b""
        snapshot = state.snapshot()
        if snapshot is not None:
            tiles.resume(snapshot.edge)
            self.epoch, self.started, self.sealed = snapshot.epoch, snapshot.started, snapshot.sealed
        self.reader = JournalReader(journal, snapshot.place if snapshot else START)

    def advance(self, until: int | None = None) -> Head:
        """Integrates the journal before entry ``until``, or all of it, durably; answers the tree.

        Raises LedgerFailed, OSError; the integrator is of no further use then.
        """
        first, told = self.reader.place.index, self.reader.place.index
        txn = self._state.env.begin(write=True)
        try:
            for group in self.reader.groups(until):
                self._take(group, txn)
                if len(self._entries) >= CHUNK or self.reader.place.index >= told + CHUNK:
                    self._commit(txn)
                    if until is None and told > first:
                        log.info("reading the journal", region_journal=str(self._journal), entries=self._tiles.size)
                    told = self.reader.place.index
                    txn = self._state.env.begin(write=True)
            self._commit(txn)
        except lmdb.Error as error:
            txn.abort()
            raise LedgerFailed(f"the ledger's state cannot be written: {error}") from None
        except BaseException:
            txn.abort()
            raise
        self._tiles.partials()
        return Head(self._tiles.size, self._tiles.root())

    def _commit(self, txn: lmdb.Transaction) -> None:
        self._flush(txn)
        self._tiles.sync()
        self._state.mark(txn, self.reader.place, self.epoch, self.sealed, self._tiles.edge())
        txn.commit()

    def _flush(self, txn: lmdb.Transaction) -> bytes:
        """Everything taken so far goes into tiles, tree and tables; answers the epoch's root."""
        self._tiles.add(self._entries)
        self._entries.clear()
        root = self._state.labels.insert(txn, self.epoch, self._labels)
        self._labels.clear()
        self._changes.nodes = self._tiles.halfway()
        self._state.write(txn, self._changes)
        self._changes = Changes()
        return root

    def _take(self, group: Group, txn: lmdb.Transaction) -> None:
        place, changes = group.place, self._changes
        changes.groups.append((place.index.to_bytes(8, "big"), group_value(place.segment, place.offset, group.time)))
        changes.marks += landmarks(group)
        entries, labels = self._entries, self._labels
        for index, (entry, private) in enumerate(group.pairs, place.index):
            kind = entry[1]
            if kind == PersonNamed.KIND:
                labels.append((entry[6:38], index))
                if self._kind == PersonEnrolled.KIND:
                    changes.enrolled.append((private[:PERSON_PRIVATE], index.to_bytes(8, "big")))
                elif self._grant != NO_GRANT:
                    changes.charged.append(self._grant + private[:PERSON_PRIVATE])
            elif kind == Seal.KIND:
                entries.append(self._seal(index, entry, txn))
                changes = self._changes
                continue
            else:
                self._head(index, kind, entry, private)
            entries.append(entry)
        last = group.pairs[-1][0]
        self.sealed = last[1] == Seal.KIND
        self.epoch = max(self.epoch, int.from_bytes(last[2:6], "big"))

    def _head(self, index: int, kind: int, entry: bytes, private: bytes) -> None:
        changes = self._changes
        epoch = int.from_bytes(entry[2:6], "big")
        if epoch != self.epoch:
            if self._labels or epoch < self.epoch:
                raise LedgerFailed(f"entry {index} of the journal: no seal ends the epoch {self.epoch} before it")
            self.epoch = epoch
        self._kind, self._grant = kind, NO_GRANT
        key = index.to_bytes(8, "big")
        if kind in HEADS:
            grant = private[:16]
            if grant != NO_GRANT and kind != AttemptRefused.KIND:
                self._grant = grant
                changes.rows[grant] = changes.rows.get(grant, 0) + int.from_bytes(private[16:20], "big")
                if kind == Statistic.KIND and not int.from_bytes(entry[70:74], "big"):  # the first part of it
                    changes.statistics[grant] = changes.statistics.get(grant, 0) + 1
            if principal := principal_of(private):
                changes.receipts.append((receipts_prefix(principal) + key, bytes((kind,))))
        elif kind in EVENTS:
            if kind == Regions.KIND:
                changes.regions = key
            changes.events.append((key, len(entry).to_bytes(2, "big") + entry + private))
        elif kind == DailyReport.KIND:
            changes.report = key
        elif kind == LogStarted.KIND:
            changes.started = self.started = entry

    def _seal(self, index: int, entry: bytes, txn: lmdb.Transaction) -> bytes:
        """The published entry for the place of a seal in the journal."""
        epoch = int.from_bytes(entry[2:6], "big")
        if epoch > self.epoch and not self._labels:
            self.epoch = epoch
        if entry != seal_mark(self.epoch, index):
            raise LedgerFailed(f"entry {index} of the journal is no seal of epoch {self.epoch} at this place")
        self._changes.seals[entry[2:6]] = index.to_bytes(8, "big")
        return encode(Seal(self.epoch, index, self._flush(txn)))
