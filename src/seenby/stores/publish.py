"""The ledger's public half: entries -> tiles and bundles; (size, root) -> checkpoint (docs/formats/ledger.md).

Everything here is a function of the journal and may be written again at any time. Tiles are written without a sync and
synced many at once, before the state says that they are there. C2SP tlog-tiles, tlog-checkpoint.
"""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from seenby.errors import LedgerFailed, VerificationError
from seenby.stores.durable import replace, sync_directory
from seenby.stores.native import HERE
from seenby_verify.tlog.checkpoint import Checkpoint, VerifierKey, open_checkpoint, sign_checkpoint
from seenby_verify.tlog.tiles import ENTRIES, HEIGHT, WIDTH, Tile, complete_roots, split_hashes
from seenby_verify.tlog.tree import fold

SYNCING_THREADS: Final = 4
"""fsyncs of many files at a time share the file system's own commits (measured on ext4: 0.2 ms instead of 0.5)."""


class Tiles:
    """Grows the tiles of a log. Not thread safe: one caller at a time. Every method may raise OSError.

    Attributes:
        size: entries added so far.
    """

    def __init__(self, directory: Path, temporary: Path) -> None:
        """``temporary``: a path on the same file system, where a file is written before it is renamed into place."""
        self.size = 0
        self._directory = directory
        self._temporary = temporary
        self._levels: list[bytearray] = [bytearray()]  # per level, the hashes of the tile at the right edge
        self._bundle = bytearray()  # the entries of the bundle at the right edge, with their lengths
        self._fresh: list[Tile] = []  # full ones, not synced yet
        self._halfway: list[tuple[bytes, bytes]] = []
        self._directories: set[Path] = set()  # with names that are not synced yet

    def edge(self) -> bytes:
        """What ``resume`` needs to go on from here: ``size u64 | levels u8 | (count u8 | hashes)* | bundle``."""
        levels = b"".join([bytes([len(hashes) // 32]) + hashes for hashes in self._levels])
        return struct.pack(">QB", self.size, len(self._levels)) + levels + self._bundle

    def resume(self, edge: bytes) -> None:
        self.size, levels = struct.unpack_from(">QB", edge)
        at = 9
        self._levels = []
        for _ in range(levels):
            end = at + 1 + 32 * edge[at]
            self._levels.append(bytearray(edge[at + 1 : end]))
            at = end
        self._bundle = bytearray(edge[at:])

    def add(self, entries: list[bytes]) -> None:
        """Appends entries; writes tiles that become full. A file that is there already and right stays."""
        at = 0
        while at < len(entries):
            end = at + WIDTH - self.size % WIDTH
            taken = entries[at:end]
            hashes, framed = HERE.leaves(taken)
            self._levels[0] += hashes
            self._bundle += framed
            self.size += len(taken)
            at = end
            if self.size % WIDTH == 0:
                self._fill()

    def _fill(self) -> None:
        index = self.size // WIDTH - 1
        self.write(Tile(ENTRIES, index), bytes(self._bundle))
        self._bundle.clear()
        level = 0
        while len(self._levels[level]) == 32 * WIDTH:
            data = bytes(self._levels[level])
            self._levels[level].clear()
            self.write(Tile(level, index), data)
            if level + 1 == len(self._levels):
                self._levels.append(bytearray())
            middle = HERE.above(data, HEIGHT // 2)
            self._halfway.append((struct.pack(">BQ", level, index), middle))
            level += 1
            self._levels[level] += HERE.above(middle, HEIGHT // 2)
            index //= WIDTH

    def halfway(self) -> list[tuple[bytes, bytes]]:
        """(level u8 | index u64, hashes halfway up) of each tile that became full since the last call.

        They spare a proof 9 of 10 hashes.
        """
        found, self._halfway = self._halfway, []
        return found

    def write(self, tile: Tile, data: bytes) -> None:
        path = self._directory / tile.path
        if tile.width == WIDTH:
            self._fresh.append(tile)
            self._directories.add(path.parent)
        try:
            if path.read_bytes() == data:
                return
        except FileNotFoundError:
            pass
        try:
            replace(self._temporary, path, data, sync=False)
        except FileNotFoundError:
            self._make(path.parent)
            replace(self._temporary, path, data, sync=False)

    def _make(self, directory: Path) -> None:
        above = directory
        while not above.exists():
            above = above.parent
            self._directories.add(above)
        directory.mkdir(parents=True)

    def root(self) -> bytes:
        """The root over everything added: the tiles at the right edge, cut into complete subtrees."""
        return fold([root for level in reversed(self._levels) for root in complete_roots(split_hashes(bytes(level)))])

    def partials(self) -> None:
        """Writes the partial tiles of the present size."""
        for tile, data in self.edges():
            self.write(tile, data)

    def edges(self) -> Iterable[tuple[Tile, bytes]]:
        """The partial tiles of the present size, and what is in them."""
        if self._bundle:
            yield Tile(ENTRIES, self.size // WIDTH, self.size % WIDTH), bytes(self._bundle)
        for level, hashes in enumerate(self._levels):
            if hashes:
                yield Tile(level, (self.size >> 8 * level) // WIDTH, len(hashes) // 32), bytes(hashes)

    def sync(self) -> None:
        """Makes every full tile durable that was added since the last call; their partial forerunners go."""
        paths = [self._directory / tile.path for tile in self._fresh]
        if len(paths) > 8:
            with ThreadPoolExecutor(SYNCING_THREADS) as threads:
                list(threads.map(_sync, paths))
        else:
            for path in paths:
                _sync(path)
        for directory in self._directories:
            sync_directory(directory)
        for path in paths:
            partial = f"{path}.p"
            if os.path.isdir(partial):
                shutil.rmtree(partial)
        self._fresh.clear()
        self._directories.clear()


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


class CheckpointFile:
    """The file ``checkpoint``.

    Attributes:
        note: what stands in it, with all signatures; empty before the first.
        checkpoint: the same, read; None before the first.
    """

    def __init__(self, directory: Path, temporary: Path, origin: str, key: Ed25519PrivateKey) -> None:
        """Reads it. Raises LedgerFailed if it is another log's."""
        self._path = directory / "checkpoint"
        self._temporary = temporary
        self._origin = origin
        self._key = key
        self.note = b""
        self.checkpoint: Checkpoint | None = None
        try:
            self.note = self._path.read_bytes()
            self.checkpoint = open_checkpoint(self.note, VerifierKey(origin, self._key.public_key().public_bytes_raw()))
        except FileNotFoundError:
            pass
        except VerificationError as error:
            raise LedgerFailed(
                f"the published checkpoint in {directory} is not this log's: {error.message}",
                hint="check origin and keys_dir, or restore the checkpoint from a backup",
            ) from None

    @property
    def size(self) -> int:
        """Of the published tree."""
        return self.checkpoint.size if self.checkpoint else 0

    def publish(self, size: int, root: bytes) -> bytes:
        """Signs and writes a checkpoint, unless it stands there; answers the note. Raises OSError."""
        checkpoint = Checkpoint(self._origin, size, root)
        if checkpoint != self.checkpoint:
            self._write(sign_checkpoint(checkpoint, self._key))
            self.checkpoint = checkpoint
        return self.note

    def cosigned(self, plain: bytes, note: bytes) -> bool:
        """Replaces ``plain`` by the same note with more signatures. False: a newer one stands there. Raises OSError."""
        if self.note != plain:
            return False
        self._write(note)
        return True

    def _write(self, note: bytes) -> None:
        replace(self._temporary, self._path, note)
        self.note = note
