"""What goes into tiles, in Python (``seenby.stores.native`` has the same, compiled). RFC 9162, section 2.1.1."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256


def leaves(entries: Sequence[bytes]) -> tuple[bytes, bytes]:
    """(their leaf hashes, the entries as a bundle has them: each behind its length, u16), one behind the other."""
    hashes = b"".join([sha256(b"\x00" + entry).digest() for entry in entries])
    return hashes, b"".join([len(entry).to_bytes(2, "big") + entry for entry in entries])


def above(hashes: bytes, levels: int) -> bytes:
    """The nodes so many levels above a row of them: 32 * n * 2^levels bytes give 32 * n."""
    for _ in range(levels):
        hashes = b"".join([sha256(b"\x01" + hashes[at : at + 64]).digest() for at in range(0, len(hashes), 64)])
    return hashes
