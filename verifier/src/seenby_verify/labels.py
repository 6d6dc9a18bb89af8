"""Finds the entries about a person in a public log, by the labels that only their keys can make."""

from __future__ import annotations

from collections.abc import Sequence

from seenby_verify.client import LogSource
from seenby_verify.errors import VerificationError
from seenby_verify.kept import Folder
from seenby_verify.placed import proven
from seenby_verify.tlog.entries import PersonNamed, decode
from seenby_verify.tlog.fsck import CHECKPOINT
from seenby_verify.tlog.policy import Policy
from seenby_verify.tlog.proof import Proof
from seenby_verify.tlog.records import label
from seenby_verify.tlog.tiles import ENTRIES, WIDTH, decode_bundle_prefix, read_tile
from seenby_verify.tlog.tree import Frontier, leaf_hash
from seenby_verify.tlog.verify import Progress


class Labels:
    """The labels of one person in one region: numbers 0, 1, 2, ... of each key, in each epoch.

    Args:
        keys: version and key of each.
    """

    def __init__(self, keys: Sequence[tuple[int, bytes]], region: str) -> None:
        self._keys = [key for _, key in keys]
        self._region = region
        self._known: dict[int, dict[bytes, tuple[int, int]]] = {}
        self._made: dict[int, int] = {}

    def _epoch(self, epoch: int, numbers: int) -> dict[bytes, tuple[int, int]]:
        """Label -> (key, number) of the first ``numbers`` labels of each key."""
        known = self._known.setdefault(epoch, {})
        for number in range(self._made.get(epoch, 0), numbers):
            for at, key in enumerate(self._keys):
                known[label(key, self._region, epoch, number)] = (at, number)
        self._made[epoch] = max(numbers, self._made.get(epoch, 0))
        return known

    def mine(self, entry: bytes) -> bool:
        """Whether an entry is about the person. In the log's order: numbers have no gaps, so a few ahead are enough."""
        found = decode(entry)
        if not isinstance(found, PersonNamed):
            return False
        where = self._epoch(found.epoch, self._made.get(found.epoch, 2)).get(found.label)
        if where is None:
            return False
        self._epoch(found.epoch, where[1] + 3)
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


MOST = 1 << 20
"""Entries about one person in one month that are looked for at the most."""


def scan(source: LogSource, policy: Policy, labels: Labels, folder: Folder, progress: Progress) -> None:
    """Saves a receipt of every entry about the person. Everything that is read is held against the signed root.

    Raises VerificationError, Unavailable.
    """
    note = source.fresh(CHECKPOINT)
    if note is None:
        raise VerificationError("there is no checkpoint", where=CHECKPOINT, hint="give the log's directory or URL")
    checkpoint = policy.accepts(note).checkpoint
    edge, found = Frontier(), []
    for bundle in range((checkpoint.size + WIDTH - 1) // WIDTH):
        first = bundle * WIDTH
        path, data = read_tile(source.read, checkpoint.size, ENTRIES, bundle)
        count = min(WIDTH, checkpoint.size - first)
        for index, entry in enumerate(decode_bundle_prefix(data, count, first, path), first):
            edge.append(leaf_hash(entry))
            if entry[1:2] == bytes([PersonNamed.KIND]) and labels.mine(entry):
                found.append(index)
        progress(first + count, checkpoint.size)
    if edge.root() != checkpoint.root:
        raise VerificationError("the entries are not those that the log signed", where=CHECKPOINT)
    for index in found:
        placed = proven(source.read, index, checkpoint)
        assert placed is not None
        folder.given(index, Proof(index, placed[1], note, placed[0]).encode())
