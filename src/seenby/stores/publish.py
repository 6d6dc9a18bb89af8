"""The ledger's public half: entries -> tiles, bundles, checkpoint (C2SP tlog-tiles; docs/formats/ledger.md).

Everything here is a function of the journal and may be written again at any time. So tiles are not synced; opening a
ledger compares each with what the journal says. What must never happen is that a checkpoint contradicts an earlier one.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from seenby.errors import LedgerFailed, VerificationError
from seenby.stores.durable import replace
from seenby_verify.tlog.checkpoint import Checkpoint, VerifierKey, open_checkpoint, sign_checkpoint
from seenby_verify.tlog.tiles import ENTRIES, WIDTH, Tile, complete_roots, split_hashes, subtree_root
from seenby_verify.tlog.tree import fold, leaf_hash


class Publisher:
    """Grows the public half. Not thread safe: one caller at a time.

    Attributes:
        size: entries added so far; published or not.
        published: size of the checkpoint on disk.
    """

    def __init__(self, directory: Path, temporary: Path, origin: str, key: Ed25519PrivateKey) -> None:
        """Reads the published checkpoint, if there is one, so that ``restore`` can hold the journal against it."""
        self.size = 0
        self.published = 0
        self._directory = directory
        self._temporary = temporary
        self._origin = origin
        self._key = key
        self._levels: list[bytearray] = [bytearray()]  # per level, the hashes of the tile at the right edge
        self._bundle: list[bytes] = []  # the entries of the bundle at the right edge, with their lengths
        self._full: list[Tile] = []  # filled since the last checkpoint: their partial forerunners may go
        self._before = self._read_checkpoint()

    def _read_checkpoint(self) -> Checkpoint | None:
        try:
            note = (self._directory / "checkpoint").read_bytes()
        except FileNotFoundError:
            return None
        try:
            return open_checkpoint(note, VerifierKey(self._origin, self._key.public_key().public_bytes_raw()))
        except VerificationError as error:
            raise LedgerFailed(
                f"the published checkpoint in {self._directory} is not this log's: {error.message}",
                hint="check origin and keys_dir, or restore the checkpoint from a backup",
            ) from None

    def restore(self, entry: bytes) -> None:
        """``add`` while a ledger opens: files that are right stay; the checkpoint must fit the journal."""
        self.add(entry, keep=True)
        if self._before is not None and self.size == self._before.size:
            if self.root() != self._before.root:
                raise LedgerFailed(
                    f"the journal gives another root for size {self.size} than the published checkpoint",
                    hint="restore the ledger's private half from its backup; a checkpoint is never contradicted",
                )
            self.published = self.size

    def restored(self) -> None:
        """All entries of the journal are in. Raises LedgerFailed if the published log is longer."""
        if self._before is not None and self.size < self._before.size:
            raise LedgerFailed(
                f"the journal ends after {self.size} entries, but {self._before.size} are published",
                hint="restore the ledger's private half from its backup; a checkpoint is never contradicted",
            )

    def add(self, entry: bytes, *, keep: bool = False) -> None:
        """Appends one entry; writes tiles that become full. ``keep``: not if they are there already. Raises OSError."""
        self._bundle.append(len(entry).to_bytes(2, "big") + entry)
        self.size += 1
        self._levels[0] += leaf_hash(entry)
        if self.size % WIDTH:
            return
        index = self.size // WIDTH - 1
        self._write(Tile(ENTRIES, index), b"".join(self._bundle), keep)
        self._bundle.clear()
        level = 0
        while len(self._levels[level]) == 32 * WIDTH:
            data = bytes(self._levels[level])
            self._levels[level].clear()
            self._write(Tile(level, index), data, keep)
            if level + 1 == len(self._levels):
                self._levels.append(bytearray())
            level += 1
            self._levels[level] += subtree_root(split_hashes(data))
            index //= WIDTH

    def _write(self, tile: Tile, data: bytes, keep: bool) -> None:
        path = self._directory / tile.path
        if tile.width == WIDTH:
            self._full.append(tile)
        if keep:
            try:
                if path.read_bytes() == data:
                    return
            except FileNotFoundError:
                pass
        try:
            replace(self._temporary, path, data, sync=False)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace(self._temporary, path, data, sync=False)

    def root(self) -> bytes:
        """The root over everything added: the tiles at the right edge, cut into complete subtrees."""
        return fold([root for level in reversed(self._levels) for root in complete_roots(split_hashes(bytes(level)))])

    def publish(self) -> Checkpoint:
        """Writes the partial tiles and then the checkpoint. Raises OSError."""
        if self._bundle:
            self._write(Tile(ENTRIES, self.size // WIDTH, len(self._bundle)), b"".join(self._bundle), False)
        for level, hashes in enumerate(self._levels):
            if hashes:
                index = (self.size >> 8 * level) // WIDTH
                self._write(Tile(level, index, len(hashes) // 32), bytes(hashes), False)
        checkpoint = Checkpoint(self._origin, self.size, self.root())
        note = sign_checkpoint(checkpoint, self._key)
        replace(self._temporary, self._directory / "checkpoint", note)
        self.published = self.size
        for tile in self._full:
            partial = self._directory / f"{tile.path}.p"
            if os.path.isdir(partial):
                shutil.rmtree(partial)
        self._full.clear()
        return checkpoint
