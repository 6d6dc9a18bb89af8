"""The label trees of all epochs in LMDB, for the one writer and for readers in any process (docs/formats/seals.md).

Everything is in the database: there is no cache to load, to write back or to forget. What an aborted transaction did
never was; a read-only transaction of another process sees the last commit. The layout: ``seenby.stores.label_pages``.
"""

from __future__ import annotations

from collections.abc import Iterable

import lmdb

from seenby.errors import LedgerFailed, VerificationError
from seenby.stores.label_pages import (
    CHILD,
    DAMAGED,
    HINT,
    RECORD,
    bucket_of,
    damage_is_told,
    page_key,
    page_sum,
    read_page,
    slot_of,
    stride_at,
)
from seenby.stores.native import HERE, Worked
from seenby_verify.tlog.labels import EMPTY, LabelProof, LabelTree, bit_of, verify_absent, verify_present


class LabelStore:
    """Labels by epoch, where each stands in the log, and the hashes over them.

    Uses one named database, ``labels``, of the environment that it is given: open that with ``max_dbs`` of at least one
    more than you need, and with ``readahead=False``. Transactions are the caller's, with ``buffers`` or without.
    """

    def __init__(self, env: lmdb.Environment, worked: Worked = HERE) -> None:
        """Opens the database, or makes it. Raises LedgerFailed if it is not there and the environment is read-only.

        Must not be called while this thread has a write transaction open.
        """
        self._insert = worked.insert_labels
        try:
            self._db = env.open_db(b"labels", create=not env.flags()["readonly"])
        except lmdb.Error as error:
            raise LedgerFailed(f"the ledger's label trees cannot be opened: {error}", hint=HINT) from None

    def insert(self, txn: lmdb.Transaction, epoch: int, labels: Iterable[tuple[bytes, int]]) -> bytes:
        """Adds (label of 32 bytes, index of its entry in the log) in any order; answers the root with them.

        Bigger batches are cheaper: a node over several new labels is hashed once. Raises LedgerFailed if a label is
        there already, twice in the batch, or the database is damaged: abort the transaction then.
        """
        records = [label + index.to_bytes(8, "big") for label, index in labels]
        if odd := set(map(len, records)) - {RECORD}:
            raise LedgerFailed(f"{odd.pop() - 8} bytes are no label")
        root, count = self._epoch(txn, epoch)
        if not records:
            return root
        with damage_is_told():
            root = self._insert(txn, self._db, epoch, not count, records)
        key, value = epoch.to_bytes(4, "big"), root + (count + len(records)).to_bytes(8, "big")
        txn.put(key, value + page_sum(key, value), db=self._db)
        return root

    def root(self, txn: lmdb.Transaction, epoch: int) -> bytes:
        """The root of the epoch's tree as of this transaction; 32 zero bytes if it has no labels."""
        return self._epoch(txn, epoch)[0]

    def count(self, txn: lmdb.Transaction, epoch: int) -> int:
        """How many labels the epoch has."""
        return self._epoch(txn, epoch)[1]

    @damage_is_told()
    def index(self, txn: lmdb.Transaction, epoch: int, label: bytes) -> int | None:
        """Which entry of the log has this label; None if none has."""
        if not self.count(txn, epoch):
            return None
        depth = 0
        while True:
            page = read_page(txn, self._db, page_key(epoch.to_bytes(4, "big"), depth, label))
            stride = stride_at(depth)
            slot = slot_of(depth, label)
            if page[slot] != CHILD:
                break
            depth += stride
        for record in bucket_of(page, stride, slot):
            if record.startswith(label):
                return int.from_bytes(record[32:], "big")
        return None

    @damage_is_told()
    def prove(self, txn: lmdb.Transaction, epoch: int, label: bytes) -> LabelProof:
        """The proof, under ``root`` of the same transaction, that ``label`` is there, or that it is not."""
        root, count = self._epoch(txn, epoch)
        if not count:
            return LabelProof(None)
        steps: list[tuple[int, bytes]] = []
        path = bytearray(label)  # turns off the label's where that side has no labels: the tree has no node there
        prefix, bit, stride, node = epoch.to_bytes(4, "big"), 0, stride_at(0), 1
        page = read_page(txn, self._db, page_key(prefix, 0, label))
        while True:
            level = node.bit_length() - 1
            slot = (node << stride - level) - (1 << stride)
            if page[slot] == level:
                break
            if level == stride:
                page = read_page(txn, self._db, page_key(prefix, bit, bytes(path)))
                stride, node = stride_at(bit), 1
                continue
            side = bit_of(label, bit)
            at = (2 << stride) - 64 + 64 * node
            pair = (bytes(page[at : at + 32]), bytes(page[at + 32 : at + 64]))
            if pair[side] == EMPTY:
                side ^= 1
                path[bit >> 3] ^= 128 >> (bit & 7)
            elif pair[side ^ 1] != EMPTY:
                steps.append((bit, pair[side ^ 1]))
            node = 2 * node + side
            bit += 1
        bucket = LabelTree(record[:32] for record in bucket_of(page, stride, slot)).prove(label)
        proof = LabelProof(bucket.leaf, (*bucket.steps, *reversed(steps)))
        try:
            (verify_present if proof.leaf == label else verify_absent)(label, proof, root)
        except VerificationError as error:
            raise LedgerFailed(f"{DAMAGED}: {error.message}", hint=HINT) from None
        return proof

    def _epoch(self, txn: lmdb.Transaction, epoch: int) -> tuple[bytes, int]:
        key = epoch.to_bytes(4, "big")
        if txn.get(key, db=self._db) is None:
            return EMPTY, 0
        value = bytes(read_page(txn, self._db, key))
        return value[:32], int.from_bytes(value[32:40], "big")
