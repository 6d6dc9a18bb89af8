"""How the label trees lie in LMDB: pages of a binary trie over the labels' bits (docs/adr/0007).

A page at depth d, for one value of the first d bits, covers the next s bits (s = 8 above depth 16, else 4)::

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

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from zlib import crc32

import lmdb

from seenby.errors import LedgerFailed, VerificationError

FEW: Final = 3
"""Labels of a bucket. They are hashed anew for each that is added: more need fewer pages and more hashing."""
CHILD: Final = 255
RECORD: Final = 40
HINT: Final = "stop the gateway and delete the folder of the ledger's state: it is made again from the journal"
DAMAGED: Final = "the ledger's label tree is damaged"
TWICE: Final = "a label stands in an epoch twice"


def stride_at(depth: int) -> int:
    return 8 if depth < 16 else 4


def slot_of(depth: int, label: bytes) -> int:
    byte = label[depth >> 3]
    return byte if depth < 16 else byte & 15 if depth & 4 else byte >> 4


def page_key(epoch: bytes, depth: int, label: bytes) -> bytes:
    """Of the page at ``depth`` that labels like this one fall into."""
    byte = depth >> 3
    if depth & 4:
        return epoch + bytes((depth, *label[:byte], label[byte] & 0xF0))
    return epoch + bytes((depth,)) + label[:byte]


def page_sum(key: bytes, value: bytes | bytearray) -> bytes:
    return crc32(value, crc32(key)).to_bytes(4, "big")


def read_page(txn: lmdb.Transaction, db: lmdb._Database, key: bytes) -> bytearray:
    """The page without its sum. Hashes are not checked when they are used: a damaged one would be sealed for good."""
    value = txn.get(key, db=db)
    if value is None:
        raise LedgerFailed(f"{DAMAGED}: a page is missing", hint=HINT)
    page = bytearray(value)
    found = page[-4:]
    del page[-4:]
    if page_sum(key, page) != found:
        raise LedgerFailed(f"{DAMAGED}: a page is not what was written", hint=HINT)
    return page


@contextmanager
def damage_is_told() -> Iterator[None]:
    """Around what reads pages: one whose sum is right, and that nobody wrote, leads to a place that is not there."""
    try:
        yield
    except (IndexError, ValueError, OverflowError, VerificationError) as error:
        raise LedgerFailed(f"{DAMAGED}: a page is not what was written", hint=HINT) from error


def records_at(page: bytearray, stride: int) -> int:
    """Where the records begin."""
    deepest = max(page[: 1 << stride])
    return (2 << stride) - 64 + (64 << (stride if deepest == CHILD else deepest))


def bucket_of(page: bytearray, stride: int, slot: int) -> list[bytes]:
    """The records of the bucket that this slot belongs to."""
    width, shift = 1 << stride, stride - page[slot]
    first = width + (slot >> shift << shift)
    start = records_at(page, stride) + RECORD * sum(page[width:first])
    stop = start + RECORD * sum(page[first : first + (1 << shift)])
    return [bytes(page[at : at + RECORD]) for at in range(start, stop, RECORD)]
