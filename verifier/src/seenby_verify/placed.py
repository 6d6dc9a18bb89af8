"""Reads one entry of a log with the proof that it stands there."""

from __future__ import annotations

from seenby_verify.tlog.checkpoint import Checkpoint
from seenby_verify.tlog.tiles import Read, TileReader
from seenby_verify.tlog.tree import inclusion_proof, leaf_hash, verify_inclusion


def proven(read: Read, index: int, checkpoint: Checkpoint) -> tuple[bytes, tuple[bytes, ...]] | None:
    """Entry ``index`` and its inclusion proof under the checkpoint, which was verified; None if the tree is too small.

    Raises VerificationError if the files do not give the checkpoint's root; Unavailable.
    """
    if checkpoint.size <= index:
        return None
    tiles = TileReader(read, checkpoint.size)
    entry = tiles.entry(index)
    proof = tuple(inclusion_proof(tiles.node, index, checkpoint.size))
    verify_inclusion(leaf_hash(entry), index, checkpoint.size, proof, checkpoint.root)
    return entry, proof
