"""A batch of labels on its way into one epoch's tree, in Python (``seenby.stores.native`` has the same, compiled)."""

from __future__ import annotations

from bisect import bisect_left
from hashlib import sha256
from typing import Final

import lmdb

from seenby.errors import LedgerFailed
from seenby.stores.label_pages import (
    CHILD,
    DAMAGED,
    FEW,
    HINT,
    RECORD,
    TWICE,
    page_key,
    page_sum,
    read_page,
    records_at,
    slot_of,
    stride_at,
)
from seenby_verify.tlog.labels import EMPTY, NODE_PREFIX

FLUSH: Final = 512
"""Pages kept in memory before they are handed to LMDB."""


def insert(txn: lmdb.Transaction, db: lmdb._Database, epoch: int, fresh: bool, records: list[bytes]) -> bytes:
    """Adds records (label[32] | index u64, at least one, in any order); answers the root with them.

    ``fresh``: the epoch has no labels yet. Raises LedgerFailed.
    """
    records.sort()
    batch = _Batch(txn, db, epoch, records)
    root = batch.build(0, records) if fresh else batch.page(0, 0, len(records))
    batch.flush()
    return root


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
                raise LedgerFailed(TWICE)
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
        stride = stride_at(depth)
        page = bytearray((2 << stride) - 64 + (64 << stride))
        kept: list[bytes] = []
        value = self._fill(page, depth, stride, 1, records, kept)
        page += b"".join(kept)
        self._write(page_key(self._epoch, depth, records[0]), page, stride)
        return value

    def _write(self, key: bytes, page: bytearray, full: int = 0) -> None:
        """``full``: the stride of a page with room for all hashes; what it does not need goes."""
        if full:
            del page[records_at(page, full) : (2 << full) - 64 + (64 << full)]
        page += page_sum(key, page)
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
                page[width + slot_of(depth, record)] += 1
            kept += records
            value = _bucket_hash(records)
        elif level == stride:
            if depth + stride == 256:
                raise LedgerFailed(TWICE)
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
        if depth == 256:  # a page whose sum is right, and that nobody wrote: below the last bit is nothing
            raise LedgerFailed(f"{DAMAGED}: a page is not what was written", hint=HINT)
        key = page_key(self._epoch, depth, everything[low])
        page = read_page(self._txn, self._db, key)
        if high - low == 1 and depth >= 16 and (value := self._one(key, page, depth, low)):
            return value
        stride = stride_at(depth)
        width = 1 << stride
        heap = 2 * width - 64
        at, room = records_at(page, stride), heap + (64 << stride)
        counted, roomy, dirty, value = width, False, 0, b""
        while low < high:
            slot = slot_of(depth, everything[low])
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
                    start = records_at(page, stride)
                    page[start:start] = bytes(room - start)
                    at, stop, roomy = at + room - start, stop + room - start, True
                if len(bucket) > FEW:
                    kept: list[bytes] = []
                    value = self._fill(page, depth, stride, node, bucket, kept)
                else:
                    kept, value = bucket, _bucket_hash(bucket)
                    for record in everything[low:end]:
                        page[width + slot_of(depth, record)] += 1
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
            at = records_at(page, 4) + RECORD * sum(page[16:first])
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
