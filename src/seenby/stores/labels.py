"""The label trees of all epochs in LMDB, for the one writer and for readers in any process (docs/formats/seals.md).

Everything is in the database: there is no cache to load, to write back or to forget. What an aborted transaction did
never was; a read-only transaction of another process sees the last commit.

The tree is kept as a binary trie over the labels' bits, cut into pages (docs/adr/0007). A page at depth d, for one
value of the first d bits, covers the next s bits (s = 8 above depth 16, else 4)::

    epoch u32 | d u8 | the first d bits     ->  levels[2^s] counts[2^s] hashes[2^(t+1) - 2][32] records crc u32
    epoch u32                               ->  root[32] count u64 crc u32

At most ``FEW`` labels under one node are a *bucket*: their records (label[32], index u64) lie in the page, sorted.
``levels`` says for each of the 2^s slots how many bits under d the bucket ends that the slot belongs to, or ``CHILD``:
too many labels, in a page of their own. ``counts`` says how many records begin with the slot's bits. ``hashes``: of the
nodes 2, 3, 4...; node n has the children 2n and 2n + 1; t is the deepest level in use. A node without labels has 32
zero bytes, one with labels on one side only has that side's hash: so each value is one of the crit-bit tree. All of it
is a function of the set: whatever the batches were, the bytes are the same.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from hashlib import sha256
from typing import Final
from zlib import crc32

import lmdb

from seenby.errors import LedgerFailed, VerificationError
from seenby_verify.tlog.labels import EMPTY, NODE_PREFIX, LabelProof, LabelTree, bit_of, verify_absent, verify_present

FEW: Final = 3
"""Labels of a bucket. They are hashed anew for each that is added: more need fewer pages and more hashing."""
CHILD: Final = 255
RECORD: Final = 40
FLUSH: Final = 512
"""Pages kept in memory before they are handed to LMDB."""
HINT: Final = "stop the gateway and delete the folder of the ledger's state: it is made again from the journal"


class LabelStore:
    """Labels by epoch, where each stands in the log, and the hashes over them.

    Uses one named database, ``labels``, of the environment that it is given: open that with ``max_dbs`` of at least one
    more than you need, and with ``readahead=False``. Transactions are the caller's, with ``buffers`` or without.
    """

    def __init__(self, env: lmdb.Environment) -> None:
        """Opens the database, or makes it. Raises LedgerFailed if it is not there and the environment is read-only.

        Must not be called while this thread has a write transaction open.
        """
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
        records.sort()
        batch = _Batch(txn, self._db, epoch, records)
        root = batch.page(0, 0, len(records)) if count else batch.build(0, records)
        batch.flush()
        key, value = epoch.to_bytes(4, "big"), root + (count + len(records)).to_bytes(8, "big")
        txn.put(key, value + _sum(key, value), db=self._db)
        return root

    def root(self, txn: lmdb.Transaction, epoch: int) -> bytes:
        """The root of the epoch's tree as of this transaction; 32 zero bytes if it has no labels."""
        return self._epoch(txn, epoch)[0]

    def count(self, txn: lmdb.Transaction, epoch: int) -> int:
        """How many labels the epoch has."""
        return self._epoch(txn, epoch)[1]

    def index(self, txn: lmdb.Transaction, epoch: int, label: bytes) -> int | None:
        """Which entry of the log has this label; None if none has."""
        if not self.count(txn, epoch):
            return None
        depth = 0
        while True:
            page = _read(txn, self._db, _key(epoch.to_bytes(4, "big"), depth, label))
            stride = _stride(depth)
            slot = _slot(depth, label)
            if page[slot] != CHILD:
                break
            depth += stride
        for record in _bucket_of(page, stride, slot):
            if record.startswith(label):
                return int.from_bytes(record[32:], "big")
        return None

    def prove(self, txn: lmdb.Transaction, epoch: int, label: bytes) -> LabelProof:
        """The proof, under ``root`` of the same transaction, that ``label`` is there, or that it is not."""
        root, count = self._epoch(txn, epoch)
        if not count:
            return LabelProof(None)
        steps: list[tuple[int, bytes]] = []
        path = bytearray(label)  # turns off the label's where that side has no labels: the tree has no node there
        prefix, bit, stride, node = epoch.to_bytes(4, "big"), 0, _stride(0), 1
        page = _read(txn, self._db, _key(prefix, 0, label))
        while True:
            level = node.bit_length() - 1
            slot = (node << stride - level) - (1 << stride)
            if page[slot] == level:
                break
            if level == stride:
                page = _read(txn, self._db, _key(prefix, bit, bytes(path)))
                stride, node = _stride(bit), 1
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
        bucket = LabelTree(record[:32] for record in _bucket_of(page, stride, slot)).prove(label)
        proof = LabelProof(bucket.leaf, (*bucket.steps, *reversed(steps)))
        try:
            (verify_present if proof.leaf == label else verify_absent)(label, proof, root)
        except VerificationError as error:
            raise LedgerFailed(f"the ledger's label tree is damaged: {error.message}", hint=HINT) from None
        return proof

    def _epoch(self, txn: lmdb.Transaction, epoch: int) -> tuple[bytes, int]:
        key = epoch.to_bytes(4, "big")
        if txn.get(key, db=self._db) is None:
            return EMPTY, 0
        value = bytes(_read(txn, self._db, key))
        return value[:32], int.from_bytes(value[32:40], "big")


def _stride(depth: int) -> int:
    return 8 if depth < 16 else 4


def _slot(depth: int, label: bytes) -> int:
    byte = label[depth >> 3]
    return byte if depth < 16 else byte & 15 if depth & 4 else byte >> 4


def _key(epoch: bytes, depth: int, label: bytes) -> bytes:
    """Of the page at ``depth`` that labels like this one fall into."""
    byte = depth >> 3
    if depth & 4:
        return epoch + bytes((depth, *label[:byte], label[byte] & 0xF0))
    return epoch + bytes((depth,)) + label[:byte]


def _sum(key: bytes, value: bytes | bytearray) -> bytes:
    return crc32(value, crc32(key)).to_bytes(4, "big")


def _read(txn: lmdb.Transaction, db: lmdb._Database, key: bytes) -> bytearray:
    """The page without its sum. Hashes are not checked when they are used: a damaged one would be sealed for good."""
    value = txn.get(key, db=db)
    if value is None:
        raise LedgerFailed("the ledger's label tree is damaged: a page is missing", hint=HINT)
    page = bytearray(value)
    found = page[-4:]
    del page[-4:]
    if _sum(key, page) != found:
        raise LedgerFailed("the ledger's label tree is damaged: a page is not what was written", hint=HINT)
    return page


def _records(page: bytearray, stride: int) -> int:
    """Where the records begin."""
    deepest = max(page[: 1 << stride])
    return (2 << stride) - 64 + (64 << (stride if deepest == CHILD else deepest))


def _bucket_of(page: bytearray, stride: int, slot: int) -> list[bytes]:
    """The records of the bucket that this slot belongs to."""
    width, shift = 1 << stride, stride - page[slot]
    first = width + (slot >> shift << shift)
    start = _records(page, stride) + RECORD * sum(page[width:first])
    stop = start + RECORD * sum(page[first : first + (1 << shift)])
    return [bytes(page[at : at + RECORD]) for at in range(start, stop, RECORD)]


def _bucket_hash(records: list[bytes]) -> bytes:
    """Over sorted records. Raises LedgerFailed for two with one label."""
    hashes: list[bytes] = []
    bits: list[int] = []
    before = 0
    for record in records:
        value = int.from_bytes(record, "big")
        if hashes:
            bit = 8 * RECORD - (value ^ before).bit_length()
            if bit > 255:
                raise LedgerFailed("a label stands in an epoch twice")
            while bits and bits[-1] > bit:
                right = hashes.pop()
                hashes[-1] = sha256(NODE_PREFIX[bits.pop()] + hashes[-1] + right).digest()
            bits.append(bit)
        before = value
        hashes.append(sha256(b"\x02" + record[:32]).digest())
    while bits:
        right = hashes.pop()
        hashes[-1] = sha256(NODE_PREFIX[bits.pop()] + hashes[-1] + right).digest()
    return hashes[0] if hashes else EMPTY


def _join(children: bytearray, bit: int) -> bytes:
    """The hash of a node at this bit, from those of its children."""
    if children.startswith(EMPTY):
        return bytes(children[32:])
    if children.endswith(EMPTY):
        return bytes(children[:32])
    return sha256(NODE_PREFIX[bit] + children).digest()


class _Batch:
    """Sorted records on their way into one epoch: each page that they touch is read, changed and written once."""

    def __init__(self, txn: lmdb.Transaction, db: lmdb._Database, epoch: int, records: list[bytes]) -> None:
        self._txn = txn
        self._db = db
        self._epoch = epoch.to_bytes(4, "big")
        self._all = records
        self._pages: list[tuple[bytes, bytearray]] = []

    def flush(self) -> None:
        self._txn.cursor(self._db).putmulti(self._pages)
        self._pages.clear()

    def build(self, depth: int, records: list[bytes]) -> bytes:
        """A new page, and those below it; answers its hash."""
        stride = _stride(depth)
        page = bytearray((2 << stride) - 64 + (64 << stride))
        kept: list[bytes] = []
        value = self._fill(page, depth, stride, 1, records, kept)
        page += b"".join(kept)
        self._write(_key(self._epoch, depth, records[0]), page, stride)
        return value

    def _write(self, key: bytes, page: bytearray, full: int = 0) -> None:
        """``full``: the stride of a page with room for all hashes; what it does not need goes."""
        if full:
            del page[_records(page, full) : (2 << full) - 64 + (64 << full)]
        page += _sum(key, page)
        self._pages.append((key, page))
        if len(self._pages) >= FLUSH:
            self.flush()

    def _fill(
        self, page: bytearray, depth: int, stride: int, node: int, records: list[bytes], kept: list[bytes]
    ) -> bytes:
        """Makes ``records`` all that there is under a node of a page with room for all hashes; answers its hash.

        Those that stay in the page are added to ``kept``.
        """
        width, level = 1 << stride, node.bit_length() - 1
        if len(records) <= FEW:
            slots = 1 << stride - level
            first = slots * node - width
            page[first : first + slots] = bytes((level,)) * slots
            page[width + first : width + first + slots] = bytes(slots)
            for record in records:
                page[width + _slot(depth, record)] += 1
            kept += records
            value = _bucket_hash(records)
        elif level == stride:
            if depth + stride == 256:
                raise LedgerFailed("a label stands in an epoch twice")
            page[node - width] = CHILD
            page[node] = 0
            value = self.build(depth + stride, records)
        else:
            bit = depth + level
            byte, mask = bit >> 3, 128 >> (bit & 7)
            middle = bisect_left(records, mask, key=lambda record: record[byte] & mask)
            left = self._fill(page, depth, stride, 2 * node, records[:middle], kept)
            right = self._fill(page, depth, stride, 2 * node + 1, records[middle:], kept)
            if not middle:
                value = right
            elif middle == len(records):
                value = left
            else:
                value = sha256(NODE_PREFIX[bit] + left + right).digest()
        if node > 1:
            at = 2 * width - 64 + 32 * node
            page[at : at + 32] = value
        return value

    def page(self, depth: int, low: int, high: int) -> bytes:
        """Adds the records ``low`` to ``high`` - 1 of the batch to the page that they belong to; answers its hash."""
        everything = self._all
        key = _key(self._epoch, depth, everything[low])
        page = _read(self._txn, self._db, key)
        if high - low == 1 and depth >= 16 and (value := self._one(key, page, depth, low)):
            return value
        stride = _stride(depth)
        width = 1 << stride
        heap = 2 * width - 64
        at, room = _records(page, stride), heap + (64 << stride)
        counted, roomy, dirty, value = width, False, 0, b""
        while low < high:
            slot = _slot(depth, everything[low])
            if page[slot] == CHILD:
                node = width + slot
                end = self._until(depth, stride, slot + 1, low, high)
                value = self.page(depth + stride, low, end)
            else:
                shift = stride - page[slot]
                node = width + slot >> shift
                first, last = width + (slot >> shift << shift), width + ((slot >> shift) + 1 << shift)
                at += RECORD * sum(page[counted:first])
                counted = first
                stop = at + RECORD * sum(page[first:last])
                end = self._until(depth, stride, last - width, low, high)
                bucket = [bytes(page[start : start + RECORD]) for start in range(at, stop, RECORD)]
                bucket += everything[low:end]
                bucket.sort()
                if len(bucket) > FEW and not roomy:
                    start = _records(page, stride)
                    page[start:start] = bytes(room - start)
                    at, stop, roomy = at + room - start, stop + room - start, True
                if len(bucket) > FEW:
                    kept: list[bytes] = []
                    value = self._fill(page, depth, stride, node, bucket, kept)
                else:
                    kept, value = bucket, _bucket_hash(bucket)
                    for record in everything[low:end]:
                        page[width + _slot(depth, record)] += 1
                page[at:stop] = b"".join(kept)
            if node > 1:
                page[heap + 32 * node : heap + 32 * node + 32] = value
                dirty |= 1 << (node >> 1)
            low = end
        while dirty:
            node = dirty.bit_length() - 1
            value = _join(page[heap + 64 * node : heap + 64 * node + 64], depth + node.bit_length() - 1)
            dirty ^= 1 << node
            if node > 1:
                page[heap + 32 * node : heap + 32 * node + 32] = value
                dirty |= 1 << (node >> 1)
        self._write(key, page, stride if roomy else 0)
        return value

    def _one(self, key: bytes, page: bytearray, depth: int, low: int) -> bytes:
        """The same for one record in a page of 16 slots: nearly all pages are such. b"" if its bucket is full."""
        record = self._all[low]
        slot = record[depth >> 3] & 15 if depth & 4 else record[depth >> 3] >> 4
        level = page[slot]
        if level == CHILD:
            level, node = 4, 16 + slot
            value = self.page(depth + 4, low, low + 1)
        else:
            shift = 4 - level
            node = 16 + slot >> shift
            first = node << shift  # in counts: they begin at 16, as the nodes of the last level do
            many = sum(page[first : first + (1 << shift)])
            if many >= FEW:
                return b""
            at = _records(page, 4) + RECORD * sum(page[16:first])
            stop = at + RECORD * many
            page[16 + slot] += 1
            if many:
                bucket = [record, *(bytes(page[start : start + RECORD]) for start in range(at, stop, RECORD))]
                bucket.sort()
                page[at:stop] = b"".join(bucket)
                value = _bucket_hash(bucket)
            else:
                page[at:at] = record
                value = sha256(b"\x02" + record[:32]).digest()
        bit = depth + level
        while node > 1:
            page[32 * node - 32 : 32 * node] = value
            node >>= 1
            bit -= 1
            value = _join(page[64 * node - 32 : 64 * node + 32], bit)
        self._write(key, page)
        return value

    def _until(self, depth: int, stride: int, slot: int, low: int, high: int) -> int:
        """Where the records of the batch from ``low`` on reach this slot."""
        if high - low == 1 or slot == 1 << stride:
            return high
        record, byte = self._all[low], depth >> 3
        if stride == 4:
            slot = record[byte] & 0xF0 | slot if depth & 4 else slot << 4
        return bisect_left(self._all, record[:byte] + bytes((slot,)), low + 1, high)
