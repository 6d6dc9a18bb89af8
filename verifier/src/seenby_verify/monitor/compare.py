"""Can two checkpoints of one log both be true? And if not, what proves it to others?"""

from __future__ import annotations

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.checkpoint import Checkpoint
from seenby_verify.tlog.evidence import Fork
from seenby_verify.tlog.tiles import Read, TileReader
from seenby_verify.tlog.tree import consistency_proof, range_hash, verify_consistency


def contradiction(older: tuple[Checkpoint, bytes], newer: tuple[Checkpoint, bytes], read: Read) -> Fork | None:
    """A fork, if there is one. Each checkpoint comes with its note; ``read``: the files of the newer one's log.

    Raises VerificationError if those files do not give the newer checkpoint's root: then nobody can tell.
    """
    (old, old_note), (new, new_note) = older, newer
    if old.size == new.size:
        return None if old.root == new.root else Fork(old_note, new_note)
    if not old.size:
        return None
    tiles = TileReader(read, new.size)
    root = range_hash(tiles.node, 0, old.size)
    proof = consistency_proof(tiles.node, old.size, new.size)
    verify_consistency(old.size, new.size, root, new.root, proof)
    return None if root == old.root else Fork(old_note, new_note, root, tuple(proof))


def tells(error: VerificationError) -> str:
    """Why nobody can tell, as part of a sentence."""
    return f"the files that are served do not give the root that was signed ({error.message})"
