"""The label trees of all epochs in LMDB, for the one writer and for readers in any process (docs/formats/seals.md).

Everything is in the database: there is no cache to load, to write back or to forget. What an aborted transaction did
never was; a read-only transaction of another process sees the last commit.
"""

from __future__ import annotations

from collections.abc import Iterable

import lmdb

from seenby_verify.tlog.labels import LabelProof


class LabelStore:
    """Labels by epoch, where each stands in the log, and the hashes over them.

    Uses one named database, ``labels``, of the environment that it is given: open that with ``max_dbs`` of at least one
    more than you need, and with ``readahead=False``. Transactions are the caller's, with ``buffers`` or without.
    """

    def __init__(self, env: lmdb.Environment) -> None:
        """Opens the database, or makes it. Raises LedgerFailed if it is not there and the environment is read-only.

        Must not be called while this thread has a write transaction open.
        """
        raise NotImplementedError

    def insert(self, txn: lmdb.Transaction, epoch: int, labels: Iterable[tuple[bytes, int]]) -> bytes:
        """Adds (label of 32 bytes, index of its entry in the log) in any order; answers the root with them.

        Bigger batches are cheaper: a node over several new labels is hashed once. Raises LedgerFailed if a label is
        there already, twice in the batch, or the database is damaged: abort the transaction then.
        """
        raise NotImplementedError

    def root(self, txn: lmdb.Transaction, epoch: int) -> bytes:
        """The root of the epoch's tree as of this transaction; 32 zero bytes if it has no labels."""
        raise NotImplementedError

    def count(self, txn: lmdb.Transaction, epoch: int) -> int:
        """How many labels the epoch has."""
        raise NotImplementedError

    def index(self, txn: lmdb.Transaction, epoch: int, label: bytes) -> int | None:
        """Which entry of the log has this label; None if none has."""
        raise NotImplementedError

    def prove(self, txn: lmdb.Transaction, epoch: int, label: bytes) -> LabelProof:
        """The proof, under ``root`` of the same transaction, that ``label`` is there, or that it is not."""
        raise NotImplementedError
