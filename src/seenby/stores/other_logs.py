"""Another region's log, read from its public files: every entry, its tree, and the label tree of every epoch.

Nothing of it is believed: the checkpoint is signed by the key in the signed list of regions, the entries give its root,
and the labels give the roots of its seals. No secret of the other region is involved.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from seenby.errors import Unavailable, VerificationError
from seenby.stores.view import WAIT_SECONDS, Accepts
from seenby_verify.client import CHECKPOINT, LogSource
from seenby_verify.tlog.checkpoint import Checkpoint, VerifierKey, open_checkpoint
from seenby_verify.tlog.entries import PersonNamed, Regions, Seal, decode
from seenby_verify.tlog.labels import LabelTree
from seenby_verify.tlog.steps import Placed
from seenby_verify.tlog.tiles import ENTRIES, WIDTH, TileReader, decode_bundle_prefix, read_tile
from seenby_verify.tlog.tree import Frontier, inclusion_proof, leaf_hash

_PAUSE = 0.2


@dataclass(slots=True)
class Epoch:
    """One with entries. ``seal``: the index of its newest seal; ``tree``: over the labels before that."""

    epoch: int
    tree: LabelTree
    seal: int = -1


class OtherLog:
    """See the module. Reading takes some ten seconds per million entries; one serves for any number of bundles.

    Attributes:
        region, key: as the list of regions has them.
        note, checkpoint: the log's, of which all this is true.
        regions: the index of the newest list of regions in it, if there is one.
    """

    def __init__(self, source: LogSource, region: str, key: VerifierKey, note: bytes) -> None:
        """Reads the log whose checkpoint is ``note``. Raises VerificationError, Unavailable."""
        self.region = region
        self.key = key
        self.note = note
        self.checkpoint: Checkpoint = open_checkpoint(note, key)
        self.regions: int | None = None
        self._tiles = TileReader(source.read, self.checkpoint.size)
        self._epochs: list[Epoch] = []
        self._replay(source)

    @classmethod
    def read(cls, source: LogSource, region: str, key: VerifierKey, *, accepts: Accepts = lambda _: True) -> OtherLog:
        """The log as of its newest checkpoint that is accepted; waits for one for some seconds."""
        until = time.monotonic() + WAIT_SECONDS
        while True:
            note = source.fresh(CHECKPOINT)
            if note is None:
                raise VerificationError(f"there is no checkpoint in {source.location}", where=CHECKPOINT)
            if accepts(note):
                return cls(source, region, key, note)
            if time.monotonic() > until:
                raise Unavailable(
                    f"the checkpoint in {source.location} has not the cosignatures that were asked for",
                    hint="see whether the witnesses answer, then ask again",
                )
            time.sleep(_PAUSE)

    def epochs_since(self, epoch: int) -> list[Epoch]:
        """From the last one that is not later than ``epoch``, or the log's first."""
        before = [i for i, one in enumerate(self._epochs) if one.epoch <= epoch]
        return self._epochs[before[-1] if before else 0 :]

    def placed(self, index: int) -> Placed:
        """An entry with its proof."""
        proof = inclusion_proof(self._tiles.node, index, self.checkpoint.size)
        return Placed(index, self._tiles.entry(index), tuple(proof))

    def _replay(self, source: LogSource) -> None:
        size, frontier = self.checkpoint.size, Frontier()
        fresh: list[bytes] = []
        last = b""
        for first in range(0, size, WIDTH):
            path, data = read_tile(source.read, size, ENTRIES, first // WIDTH)
            for index, entry in enumerate(decode_bundle_prefix(data, min(WIDTH, size - first), first, path), first):
                frontier.append(leaf_hash(entry))
                self._take(index, entry, fresh)
                last = entry
        if frontier.root() != self.checkpoint.root:
            raise VerificationError(f"the entries in {source.location} do not give its checkpoint's root")
        if last[1:2] != bytes([Seal.KIND]):
            raise VerificationError(f"the log in {source.location} does not end in a seal")

    def _take(self, index: int, entry: bytes, fresh: list[bytes]) -> None:
        kind, epoch = entry[1], int.from_bytes(entry[2:6], "big")
        if not self._epochs or epoch != self._epochs[-1].epoch:
            if fresh or (self._epochs and epoch < self._epochs[-1].epoch):
                raise VerificationError(f"entry {index} of region {self.region}: no seal ends the epoch before it")
            self._epochs.append(Epoch(epoch, LabelTree()))
        if kind == PersonNamed.KIND:
            fresh.append(entry[6:38])
        elif kind == Seal.KIND:
            seal, current = decode(entry), self._epochs[-1]
            current.tree.insert(fresh)
            fresh.clear()
            if not isinstance(seal, Seal) or seal.covers != index or seal.root != current.tree.root():
                raise VerificationError(f"entry {index} of region {self.region} is a seal over other labels")
            current.seal = index
        elif kind == Regions.KIND:
            self.regions = index
