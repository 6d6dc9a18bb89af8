"""The Merkle tree of RFC 6962, section 2.1: hashes, an incremental frontier, inclusion and consistency proofs.

Nodes have coordinates: ``(level, index)`` is the root of the complete subtree over leaves ``index * 2**level`` to
``(index + 1) * 2**level``. Whoever can read such nodes (from tiles, from memory) can make any proof.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from seenby_verify.errors import VerificationError

EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
ReadNode = Callable[[int, int], bytes]
"""(level, index) -> 32 bytes."""


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The roots of the complete subtrees that a growing tree consists of, biggest first; O(log n) memory."""

    __slots__ = ("_roots", "size")

    def __init__(self) -> None:
        self.size = 0
        self._roots: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Adds one leaf hash."""
        size = self.size
        roots = self._roots
        while size & 1:
            leaf = node_hash(roots.pop(), leaf)
            size >>= 1
        roots.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        return fold(self._roots)


def fold(roots: Sequence[bytes]) -> bytes:
    """The root over complete subtrees of falling size."""
    if not roots:
        return EMPTY_ROOT
    root = roots[-1]
    for left in reversed(roots[:-1]):
        root = node_hash(left, root)
    return root


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


def range_hash(read: ReadNode, low: int, high: int) -> bytes:
    """MTH(D[low:high]), where low is a multiple of a power of two >= high - low, as in RFC 6962's recursion."""
    width = high - low
    if width & (width - 1) == 0:
        level = width.bit_length() - 1
        return read(level, low >> level)
    middle = low + _split(width)
    return node_hash(range_hash(read, low, middle), range_hash(read, middle, high))


def tree_root(read: ReadNode, size: int) -> bytes:
    return range_hash(read, 0, size) if size else EMPTY_ROOT


def _split(width: int) -> int:
    """The largest power of two smaller than ``width``."""
    return 1 << (width - 1).bit_length() - 1


def inclusion_proof(read: ReadNode, index: int, size: int) -> list[bytes]:
    """PATH(index, D[0:size]), the leaf's sibling first (RFC 6962, 2.1.1)."""
    if not 0 <= index < size:
        raise VerificationError(f"entry {index} is not in a tree of size {size}")
    proof: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            proof.append(range_hash(read, middle, high))
            high = middle
        else:
            proof.append(range_hash(read, low, middle))
            low = middle
    proof.reverse()
    return proof


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Raises VerificationError unless ``leaf`` is entry ``index`` of the tree with this root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        raise VerificationError(f"entry {index} is not in a tree of size {size}")
    node, last, result = index, size - 1, leaf
    for step in proof:
        if last == 0:
            raise VerificationError("the inclusion proof is too long")
        if node & 1 or node == last:
            result = node_hash(step, result)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            result = node_hash(result, step)
        node >>= 1
        last >>= 1
    if last:
        raise VerificationError("the inclusion proof is too short")
    if result != root:
        raise VerificationError(f"entry {index} is not in the tree with the stated root")


def consistency_proof(read: ReadNode, old: int, new: int) -> list[bytes]:
    """PROOF(old, D[0:new]) (RFC 6962, 2.1.2); empty if old is 0 or equal to new."""
    if not 0 <= old <= new:
        raise VerificationError(f"a tree of size {new} has no prefix of size {old}")
    if old in (0, new):
        return []
    proof: list[bytes] = []
    low, high, whole = 0, new, True
    while high != old:
        middle = low + _split(high - low)
        if old <= middle:
            proof.append(range_hash(read, middle, high))
            high = middle
        else:
            proof.append(range_hash(read, low, middle))
            low, whole = middle, False
    if not whole:
        proof.append(range_hash(read, low, high))
    proof.reverse()
    return proof


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Raises VerificationError unless the old tree is a prefix of the new one (RFC 9162, 2.1.4.2)."""
    if not 0 <= old <= new:
        raise VerificationError(f"a tree of size {new} has no prefix of size {old}")
    if old in (0, new):
        if proof:
            raise VerificationError("the consistency proof is too long")
        if old_root != (EMPTY_ROOT if old == 0 else new_root):
            raise VerificationError(f"two roots for the tree of size {old}")
        return
    steps = list(proof)
    if old & (old - 1) == 0:
        steps.insert(0, old_root)
    if not steps:
        raise VerificationError("the consistency proof is too short")
    node, last = old - 1, new - 1
    while node & 1:
        node >>= 1
        last >>= 1
    first = second = steps[0]
    for step in steps[1:]:
        if last == 0:
            raise VerificationError("the consistency proof is too long")
        if node & 1 or node == last:
            first = node_hash(step, first)
            second = node_hash(step, second)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            second = node_hash(second, step)
        node >>= 1
        last >>= 1
    if last or first != old_root or second != new_root:
        raise VerificationError(f"the tree of size {new} does not continue the tree of size {old}")
