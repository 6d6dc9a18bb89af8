"""The parts of the ledger that are worked hardest: native code where ``seenby-native`` is installed, otherwise Python.

Both do the same to the byte (docs/adr/0026); which one is used is decided here and nowhere else. ``SEENBY_NATIVE=0`` in
the environment keeps to Python.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any, Final, Protocol

import lmdb

from seenby.errors import LedgerFailed
from seenby.stores import label_batch, leaves, naming
from seenby.stores.label_pages import DAMAGED, HINT, TWICE
from seenby.stores.naming import PersonLabels
from seenby_verify.tlog import records

INTERFACE: Final = 2
"""What native module fits: one that was built for another Seenby is left alone, and ``seenby serve`` says so."""


class RecordSealer(Protocol):
    """``naming.RecordSealer``."""

    def entry(
        self, kind: int, tail: bytes, private: bytes, record: bytes, withheld: bytes, random: bytes, /
    ) -> tuple[bytes, bytes]: ...


@dataclass(frozen=True, slots=True)
class Worked:
    """One implementation.

    Attributes:
        person: (person key, version, region, epoch) -> what ``name_people`` takes.
        name_people: (epoch, people, their labels' numbers, parts, Q, 44 random bytes for each) -> (person entries, the
            journal's records of them).
        record_sealer: (E or B, region, epoch, what opens B) -> what makes entries of records.
        insert_labels: ``label_batch.insert``.
        leaves, above: those of ``seenby.stores.leaves``.
    """

    person: Callable[[bytes, int, str, int], PersonLabels]
    name_people: Callable[[int, Sequence[Any], Sequence[int], Sequence[bytes], bytes, bytes], tuple[list[bytes], bytes]]
    record_sealer: Callable[[bytes, str, int, bytes], RecordSealer]
    insert_labels: Callable[[lmdb.Transaction, lmdb._Database, int, bool, list[bytes]], bytes]
    leaves: Callable[[Sequence[bytes]], tuple[bytes, bytes]]
    above: Callable[[bytes, int], bytes]


PYTHON: Final = Worked(
    records.PersonCrypto, naming.name_people, naming.RecordSealer, label_batch.insert, leaves.leaves, leaves.above
)


def _native() -> Worked | None:
    """None: not installed, or not of this version."""
    try:
        import seenby_native as native
    except ImportError:
        return None
    if getattr(native, "INTERFACE", 0) != INTERFACE:  # what was uninstalled may leave a folder, which is a module too
        return None

    def insert(txn: lmdb.Transaction, db: lmdb._Database, epoch: int, fresh: bool, records: list[bytes]) -> bytes:
        try:
            return native.insert(partial(txn.get, db=db), txn.cursor(db).putmulti, epoch, fresh, records)
        except native.Damaged as error:
            raise LedgerFailed(f"{DAMAGED}: {error}", hint=HINT) from None
        except native.Twice:
            raise LedgerFailed(TWICE) from None

    return Worked(native.PersonCrypto, native.name_people, native.RecordSealer, insert, native.leaves, native.above)


NATIVE: Final = _native()
HERE: Final = PYTHON if NATIVE is None or os.environ.get("SEENBY_NATIVE") == "0" else NATIVE
"""What this process uses."""


def described() -> str:
    """Which it is, for the operator: "native", or "Python" and why."""
    if HERE is not PYTHON:
        return "native"
    if NATIVE is not None:
        return "Python (SEENBY_NATIVE=0)"
    if find_spec("seenby_native"):
        return "Python (seenby-native is of another version: install the one that comes with this Seenby)"
    return "Python (seenby-native is not installed)"
