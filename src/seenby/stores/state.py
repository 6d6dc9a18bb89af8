"""What a restart needs, as of one size of the log: ``private/state``, one LMDB environment (docs/formats/ledger.md).

Everything in it is a function of the journal's first ``place.index`` entries, and is written in one transaction with
them. So it may be deleted: it is made again from the journal.

Tables, keys in the order of their bytes::

    meta      "place" -> place[64], "epoch" -> u32, "sealed" -> flag, "started" -> entry 0,
              "edge" -> the tiles' right edge, "report" -> index u64 of the newest daily report
    groups    first index u64 -> segment u64, offset u64, time u64
    events    index u64 -> entry length u16, entry, private           grant and key entries
    receipts  SHA-256(principal)[:16] | index u64 -> kind u8           whose query it was
    usage     grant[16] -> rows u64;  grant[16] | 00 -> statistics u64;  grant[16] | pseudonym[16] -> ""
    enrolled  pseudonym[16] -> index u64 of the person entry
    seals     epoch u32 -> index u64 of its newest seal
    regions   "newest" -> index u64 of the newest list of regions
    nodes     tile level u8 | tile index u64 -> 16 hashes         of a full tile: halfway up, for quick proofs
    marks     index u64 -> (seenby.stores.finding)                 landmarks in long groups
    labels    (seenby.stores.labels)
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import lmdb

from seenby.errors import LedgerFailed
from seenby.stores.journal import Place, Record
from seenby.stores.labels import LabelStore

MAP_SIZES: Final = (1 << 40, 1 << 36, 1 << 33)
"""Bytes of address space, not of disk; the first that the system grants. A terabyte holds some 10^9 labels."""
TABLES: Final = ("meta", "groups", "events", "receipts", "usage", "enrolled", "seals", "regions", "nodes", "marks")
REGIONS: Final = b"newest"
TILE: Final = struct.Struct(">BQ")
"""Level and index of a tile."""
GROUP_PLACE: Final = struct.Struct(">QQQ")
"""Segment, offset, time."""


_STATISTICS: Final = b"\0"


@dataclass(slots=True)
class Usage:
    """What a grant has shown so far. ``people`` holds pseudonyms (``Ledger.pseudonym``); read only."""

    rows: int = 0
    statistics: int = 0
    people: set[bytes] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How far the state goes.

    Attributes:
        place: of the first group that is not in it.
        epoch, sealed: of the last entry that is; whether it is a seal.
        edge: for ``Tiles.resume``.
        started: entry 0.
    """

    place: Place
    epoch: int
    sealed: bool
    edge: bytes
    started: bytes


@dataclass(slots=True)
class Changes:
    """What a run of entries adds to the tables. Lists are in the log's order."""

    groups: list[tuple[bytes, bytes]] = field(default_factory=list)
    marks: list[tuple[bytes, bytes]] = field(default_factory=list)
    events: list[tuple[bytes, bytes]] = field(default_factory=list)
    receipts: list[tuple[bytes, bytes]] = field(default_factory=list)
    rows: dict[bytes, int] = field(default_factory=dict)
    statistics: dict[bytes, int] = field(default_factory=dict)
    charged: list[bytes] = field(default_factory=list)
    enrolled: list[tuple[bytes, bytes]] = field(default_factory=list)
    seals: dict[bytes, bytes] = field(default_factory=dict)
    nodes: list[tuple[bytes, bytes]] = field(default_factory=list)
    regions: bytes = b""
    report: bytes = b""
    started: bytes = b""


def group_value(segment: int, offset: int, time: int) -> bytes:
    return GROUP_PLACE.pack(segment, offset, time)


def receipts_prefix(principal: bytes) -> bytes:
    """Names are of any length and keys are not."""
    return sha256(principal).digest()[:16]


def at_or_before(cursor: lmdb.Cursor, key: bytes) -> bool:
    """Moves to the last key that is not behind ``key``. False: there is none."""
    return bool((cursor.set_range(key) and cursor.key() == key) or cursor.prev())


class State:
    """One writing transaction at a time; reading is free from any thread and process, as of the last commit."""

    def __init__(self, directory: Path, *, readonly: bool = False) -> None:
        """Opens the environment, or makes it. Raises LedgerFailed."""
        self.directory = directory
        try:
            if not readonly:
                directory.mkdir(mode=0o700, exist_ok=True)
            self.env = self._open(directory, readonly)
            self._tables = {name: self.env.open_db(name.encode(), create=not readonly) for name in TABLES}
            self.labels = LabelStore(self.env)
        except (lmdb.Error, OSError) as error:
            raise LedgerFailed(
                f"the ledger's state in {directory} cannot be opened: {error}",
                hint="if it is damaged, delete this folder: it is made again from the journal",
            ) from None

    @staticmethod
    def _open(directory: Path, readonly: bool) -> lmdb.Environment:
        for size in MAP_SIZES:
            try:
                return lmdb.open(
                    str(directory), map_size=size, max_dbs=16, mode=0o600, readahead=False, readonly=readonly
                )
            except lmdb.Error:
                if size == MAP_SIZES[-1]:
                    raise
        raise AssertionError

    def close(self) -> None:
        self.env.close()

    # --- writing

    def write(self, txn: lmdb.Transaction, changes: Changes) -> None:
        """Adds ``changes`` to the tables."""
        tables = self._tables
        for name, rows in (("groups", changes.groups), ("marks", changes.marks), ("events", changes.events)):
            if rows:
                txn.cursor(tables[name]).putmulti(rows, append=True)
        txn.cursor(tables["receipts"]).putmulti(sorted(changes.receipts))
        txn.cursor(tables["enrolled"]).putmulti(sorted(changes.enrolled))
        usage = tables["usage"]
        counted = [*changes.rows.items(), *((grant + _STATISTICS, one) for grant, one in changes.statistics.items())]
        for key, more in counted:
            before = int.from_bytes(txn.get(key, b"", usage), "big")
            txn.put(key, (before + more).to_bytes(8, "big"), db=usage)
        txn.cursor(usage).putmulti([(key, b"") for key in sorted(set(changes.charged))])
        txn.cursor(tables["seals"]).putmulti(sorted(changes.seals.items()))
        txn.cursor(tables["nodes"]).putmulti(sorted(changes.nodes))
        if changes.regions:
            txn.put(REGIONS, changes.regions, db=tables["regions"])
        if changes.report:
            txn.put(b"report", changes.report, db=tables["meta"])
        if changes.started:
            txn.put(b"started", changes.started, db=tables["meta"])

    def mark(self, txn: lmdb.Transaction, place: Place, epoch: int, sealed: bool, edge: bytes) -> None:
        """How far the tables go with this transaction."""
        meta = self._tables["meta"]
        txn.put(b"place", place.encode(), db=meta)
        txn.put(b"epoch", epoch.to_bytes(4, "big"), db=meta)
        txn.put(b"sealed", bytes((sealed,)), db=meta)
        txn.put(b"edge", edge, db=meta)

    # --- reading

    def table(self, name: str) -> Any:
        """The handle of one of TABLES, for a transaction of ``env`` that reads several of them."""
        return self._tables[name]

    def snapshot(self) -> Snapshot | None:
        with self.env.begin(self._tables["meta"]) as txn:
            place = txn.get(b"place")
            if place is None:
                return None
            epoch = int.from_bytes(txn.get(b"epoch", b""), "big")
            sealed = txn.get(b"sealed") == b"\x01"
            return Snapshot(Place.decode(place), epoch, sealed, txn.get(b"edge", b""), txn.get(b"started", b""))

    def report(self) -> int | None:
        """The index of the newest daily report."""
        with self.env.begin(self._tables["meta"]) as txn:
            value = txn.get(b"report")
            return None if value is None else int.from_bytes(value, "big")

    def events(self) -> Iterator[Record]:
        """Grant and key entries in the log's order."""
        with self.env.begin(self._tables["events"]) as txn:
            for key, value in txn.cursor():
                end = 2 + int.from_bytes(value[:2], "big")
                yield Record(int.from_bytes(key, "big"), value[2:end], value[end:])

    def usage(self, grant: bytes) -> Usage:
        usage = Usage()
        with self.env.begin(self._tables["usage"]) as txn:
            cursor = txn.cursor()
            if cursor.set_range(grant):
                for key, value in cursor:
                    if not key.startswith(grant):
                        break
                    if len(key) == 16:
                        usage.rows = int.from_bytes(value, "big")
                    elif key[16:] == _STATISTICS:
                        usage.statistics = int.from_bytes(value, "big")
                    else:
                        usage.people.add(key[16:])
        return usage

    def enrolled(self, pseudonym: bytes) -> int | None:
        """The index of the person entry that enrolled them."""
        with self.env.begin(self._tables["enrolled"]) as txn:
            value = txn.get(pseudonym)
            return None if value is None else int.from_bytes(value, "big")

    def labelled(self, epoch: int, label: bytes) -> int | None:
        """The index of the entry with this label."""
        with self.env.begin() as txn:
            return self.labels.index(txn, epoch, label)

    def group(self, index: int) -> tuple[int, int, int, int] | None:
        """(first index, segment, offset, time) of the group that holds entry ``index``, if the state goes so far."""
        with self.env.begin() as txn:
            place = txn.get(b"place", db=self._tables["meta"])
            if place is None or not 0 <= index < Place.decode(place).index:
                return None
            return self.group_in(txn, index)

    def group_in(self, txn: lmdb.Transaction, index: int) -> tuple[int, int, int, int]:
        """The same, as of ``txn``, whose state goes so far."""
        with txn.cursor(self._tables["groups"]) as cursor:
            at_or_before(cursor, index.to_bytes(8, "big"))
            return int.from_bytes(cursor.key(), "big"), *GROUP_PLACE.unpack(cursor.value())

    def receipts(self, principal: bytes) -> list[tuple[int, int]]:
        """(index, kind) of every entry that this principal's sessions made."""
        prefix, found = receipts_prefix(principal), []
        with self.env.begin(self._tables["receipts"]) as txn:
            cursor = txn.cursor()
            if cursor.set_range(prefix):
                for key, value in cursor:
                    if not key.startswith(prefix):
                        break
                    found.append((int.from_bytes(key[16:], "big"), value[0]))
        return found

    def differs(self, other: State) -> str:
        """The name of the first table in which two states of the same place differ; "" if none does."""
        for name in (*TABLES, "labels"):
            mine, theirs = (
                one.env.begin(one.env.open_db(name.encode(), create=False), buffers=True) for one in (self, other)
            )
            with mine, theirs:
                for one, two in zip(mine.cursor(), theirs.cursor(), strict=False):
                    if one != two:
                        return name
                if mine.stat()["entries"] != theirs.stat()["entries"]:
                    return name
        return ""
