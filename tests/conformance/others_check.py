"""Run by another Python: aics-tlog reads a whole public log. Prints "accepted", or why not.

others_check.py LOG VKEY OLD_CHECKPOINT
"""

import sys
from pathlib import Path

import aics_tlog as tlog  # type: ignore[import-not-found]  # in an environment of its own


def refusal(log: Path, vkey: str, old_note: str) -> str:
    """Why the log is refused; empty if it is accepted."""
    key = tlog.parse_vkey(vkey)
    sizes, roots = [], []
    for text in (old_note, (log / "checkpoint").read_text()):
        note = tlog.parse_note(text)
        verdict = tlog.verify_checkpoint(note, key)
        if not verdict.ok:
            return f"checkpoint: {verdict}"
        checkpoint = tlog.parse_checkpoint(note.text)
        sizes.append(checkpoint.size)
        roots.append(checkpoint.root)
    (old, size), (old_root, root) = sizes, roots
    reader = tlog.FileSystemTileReader(log)
    tlog.audit_tiles(reader, size, root)
    entries = []
    for bundle in range(-(-size // 256)):
        width = min(256, size - bundle * 256)
        entries += tlog.tiles.parse_entry_bundle(reader.read_entry_bundle(bundle, None if width == 256 else width))
    for path, data in tlog.tiles.materialise_tiles(entries).items():
        if (log / path).read_bytes() != data:
            return f"tile: {path}"
    if not tlog.verify_consistency(old, size, old_root, root, tlog.consistency_proof_from_tiles(reader, old, size)):
        return f"consistency: {old} to {size}"
    for index in (0, 1, old - 1, old, size - 1, *range(0, size, 1009)):
        proof = tlog.inclusion_proof_from_tiles(reader, index, size)
        if not tlog.verify_leaf_inclusion(entries[index], index, size, proof, root):
            return f"inclusion: {index}"
    return ""


if __name__ == "__main__":
    try:
        reason = refusal(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]).read_text())
    except (ValueError, OSError) as error:
        reason = f"{type(error).__name__}: {error}"
    print(reason or "accepted")
    sys.exit(bool(reason))
