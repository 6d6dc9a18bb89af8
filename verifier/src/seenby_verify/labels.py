"""Finds the entries about a person in a public log, by the labels that only their keys can make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from seenby_verify.client import LogSource
from seenby_verify.errors import VerificationError
from seenby_verify.kept import Folder
from seenby_verify.tlog.entries import PersonNamed, decode
from seenby_verify.tlog.fsck import CHECKPOINT
from seenby_verify.tlog.policy import Policy
from seenby_verify.tlog.proof import Proof
from seenby_verify.tlog.records import label
from seenby_verify.tlog.tiles import ENTRIES, HEIGHT, WIDTH, decode_bundle_prefix, read_tile, subtree_root
from seenby_verify.tlog.tree import inclusion_proof, leaf_hash, node_hash, tree_root
from seenby_verify.tlog.verify import Progress

MOST: Final = 1 << 20
"""Entries about one person in one month that are looked for at the most."""


class Labels:
    """The labels of one person in one region: numbers 0, 1, 2, ... of each key, in each epoch.

    Args:
        keys: all that they have or had.
    """

    def __init__(self, keys: Sequence[bytes], region: str) -> None:
        self._keys = keys
        self._region = region
        self._known: dict[int, dict[bytes, int]] = {}
        self._made: dict[int, int] = {}

    def _epoch(self, epoch: int, numbers: int) -> dict[bytes, int]:
        """Label -> number, of the first ``numbers`` labels of each key."""
        known = self._known.setdefault(epoch, {})
        for number in range(self._made.get(epoch, 0), numbers):
            for key in self._keys:
                known[label(key, self._region, epoch, number)] = number
        self._made[epoch] = max(numbers, self._made.get(epoch, 0))
        return known

    def mine(self, entry: bytes) -> bool:
        """Whether an entry is about the person. In the log's order: numbers have no gaps, so a few ahead are enough."""
        found = decode(entry)
        if not isinstance(found, PersonNamed):
            return False
        number = self._epoch(found.epoch, self._made.get(found.epoch, 2)).get(found.label)
        if number is None:
            return False
        self._epoch(found.epoch, number + 3)
        return True

    def check(self, entry: bytes) -> None:
        """Raises VerificationError for an entry that is not about the person, whatever its number is."""
        found = decode(entry)
        if isinstance(found, PersonNamed):
            numbers = 64
            while numbers <= MOST:
                if found.label in self._epoch(found.epoch, numbers):
                    return
                numbers *= 4
        raise VerificationError("what came is about somebody else", hint="tell whoever runs the gateway")


def scan(source: LogSource, policy: Policy, labels: Labels, folder: Folder, progress: Progress) -> None:
    """Saves a receipt of every entry about the person. Everything that is read is held against the signed root.

    Reads every entry and nothing else: proofs are made from what was read, since whoever serves the files would learn
    from the tiles that a proof is read from which entries are about who reads. Raises VerificationError, Unavailable.
    """
    note = source.fresh(CHECKPOINT)
    if note is None:
        raise VerificationError("there is no checkpoint", where=CHECKPOINT, hint="give the log's directory or URL")
    checkpoint = policy.accepts(note).checkpoint
    tree, found = _Tree(), list[tuple[int, bytes]]()
    for bundle in range((checkpoint.size + WIDTH - 1) // WIDTH):
        first = bundle * WIDTH
        path, data = read_tile(source.read, checkpoint.size, ENTRIES, bundle)
        count = min(WIDTH, checkpoint.size - first)
        entries = list(enumerate(decode_bundle_prefix(data, count, first, path), first))
        mine = [(at, one) for at, one in entries if one[1:2] == bytes([PersonNamed.KIND]) and labels.mine(one)]
        tree.add([leaf_hash(one) for _, one in entries], keep=bool(mine) or first + count == checkpoint.size)
        found += mine
        progress(first + count, checkpoint.size)
    if tree_root(tree.node, checkpoint.size) != checkpoint.root:
        raise VerificationError("the entries are not those that the log signed", where=CHECKPOINT)
    for index, entry in found:
        proof = tuple(inclusion_proof(tree.node, index, checkpoint.size))
        folder.given(index, Proof(index, proof, note, entry).encode())


class _Tree:
    """A tree of which every leaf was read once: the roots of all bundles, and the leaves of some."""

    def __init__(self) -> None:
        self._bundles = 0
        self._leaves: dict[int, list[bytes]] = {}
        self._nodes: dict[tuple[int, int], bytes] = {}

    def add(self, leaves: list[bytes], *, keep: bool) -> None:
        """The leaf hashes of the next bundle. ``keep``: proofs of them are asked for, or the bundle is not full."""
        if len(leaves) == WIDTH:
            self._nodes[HEIGHT, self._bundles] = subtree_root(leaves)
        if keep:
            self._leaves[self._bundles] = leaves
        self._bundles += 1

    def node(self, level: int, index: int) -> bytes:
        """A ReadNode (seenby_verify.tlog.tree)."""
        if level < HEIGHT:
            bundle, first = divmod(index << level, WIDTH)
            return subtree_root(self._leaves[bundle][first : first + (1 << level)])
        known = self._nodes.get((level, index))
        if known is None:
            known = node_hash(self.node(level - 1, 2 * index), self.node(level - 1, 2 * index + 1))
            self._nodes[level, index] = known
        return known
