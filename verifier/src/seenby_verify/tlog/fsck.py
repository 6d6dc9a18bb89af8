"""Do the files of a public log hold together: bundles, tiles, root? And if not, which file and which entry is it?

Every entry is witnessed by its bundle, by its hash in ``tile/0`` and by the tile (or root) above. Where two
disagree, the signed root decides which of them is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.checkpoint import Checkpoint, VerifierKey, open_checkpoint
from seenby_verify.tlog.tiles import (
    ENTRIES,
    HEIGHT,
    WIDTH,
    Read,
    Tile,
    complete_roots,
    split_hashes,
    subtree_root,
    tiles_of,
)
from seenby_verify.tlog.tree import fold, leaf_hash, root_of

CHECKPOINT: Final = "checkpoint"


def _wrong(path: str, what: str) -> VerificationError:
    return VerificationError(f"{path}: {what}", where=path)


class Files:
    """The files of one checkpoint's tree. ``paths``: every file that stands in the public directory."""

    def __init__(self, paths: Iterable[str], read: Read, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self._paths = frozenset(paths)
        self._read = read
        self._used: set[str] = {CHECKPOINT}

    def tile(self, tile: Tile) -> tuple[str, bytes]:
        """(path, content) of a tile that the tree must have; of hash tiles, of the right length."""
        path = tile.path
        data = self._read(path) if path in self._paths else None
        if data is None and tile.width < WIDTH:
            # A log at work deletes a partial tile once the full one is there (tlog-tiles, "Partial Tiles").
            path = Tile(tile.level, tile.index).path
            data = self._read(path)
            if data is not None:
                if not _is_full(tile.level, data):
                    raise _wrong(path, "is no full tile")
                if tile.level != ENTRIES:
                    data = data[: 32 * tile.width]
        if data is None:
            raise _wrong(tile.path, "the file is missing")
        if tile.level != ENTRIES and len(data) != 32 * tile.width:
            raise _wrong(path, f"has {len(data)} bytes instead of {32 * tile.width}")
        self._used.add(path)
        return path, data

    def missing(self) -> int:
        """Checks that every tile of the tree is there; answers how many. Reads only the tiles of hashes."""
        count = 0
        for tile in tiles_of(self.checkpoint.size):
            count += 1
            if tile.level != ENTRIES:
                self.tile(tile)
            elif tile.path not in self._paths and self._read(Tile(ENTRIES, tile.index).path) is None:
                raise _wrong(tile.path, "the file is missing")
        return count

    def entries(self) -> Iterator[tuple[str, int, list[bytes]]]:
        """(path, index of the first, entries) of every bundle, each held against its tile of hashes."""
        for tile in tiles_of(self.checkpoint.size):
            if tile.level != ENTRIES:
                return
            path, data = self.tile(tile)
            hash_path, hashes = self.tile(Tile(0, tile.index, tile.width))
            yield path, tile.index * WIDTH, self._bundle(tile, path, data, hash_path, split_hashes(hashes))

    def _bundle(self, tile: Tile, path: str, data: bytes, hash_path: str, hashes: list[bytes]) -> list[bytes]:
        entries: list[bytes] = []
        first, at = tile.index * WIDTH, 0
        for number, stated in enumerate(hashes):
            start = at + 2
            end = start + int.from_bytes(data[at:start], "big")
            entry = data[start:end]
            if end > len(data) or start > len(data) or leaf_hash(entry) != stated:
                raise self._blame(tile, number, path, data, hash_path)
            entries.append(entry)
            at = end
        if at != len(data) and path == tile.path:
            raise _wrong(path, f"{len(data) - at} bytes too many after entry {first + len(hashes) - 1}")
        return entries

    def _blame(self, tile: Tile, number: int, path: str, data: bytes, hash_path: str) -> VerificationError:
        """Entry ``number`` of a bundle and its hash disagree: which of the two files does the root contradict?"""
        index = tile.index * WIDTH + number
        if self._root() == self.checkpoint.root:
            if len(data) < max(_start(data, number) + 2, _start(data, number + 1)):
                return _wrong(path, f"entry {index} runs past the end of the file")
            return _wrong(path, f"entry {index} is not the entry that was logged")
        leaves = [leaf_hash(entry) for entry in _entries(data)]
        if len(leaves) == tile.width and self._root(tile.index, leaves) == self.checkpoint.root:
            return _wrong(hash_path, f"the hash of entry {index} is wrong")
        return _wrong(path, f"entry {index} and its hash in {hash_path} disagree, and neither gives the signed root")

    def _root(self, replaced: int = -1, leaves: list[bytes] | None = None) -> bytes:
        """The root over the hashes of level 0, with one tile's replaced."""
        hashes: list[bytes] = []
        for tile in tiles_of(self.checkpoint.size):
            if tile.level == 0:
                hashes += leaves if leaves and tile.index == replaced else split_hashes(self.tile(tile)[1])
        return root_of(hashes)

    def hashes(self, blocks: list[bytes], edge: list[bytes]) -> None:
        """Checks the tiles above level 0 and the root.

        ``blocks``: the root of each full tile of level 0; ``edge``: the hashes after them.
        """
        size, root = self.checkpoint.size, self.checkpoint.root
        computed = fold([*complete_roots(blocks), *complete_roots(edge)])
        for tile in tiles_of(size):
            if tile.level < 1:
                continue
            nodes = _level(blocks, tile.level)[tile.index * WIDTH : tile.index * WIDTH + tile.width]
            path, data = self.tile(tile)
            for number, (node, stated) in enumerate(zip(nodes, split_hashes(data), strict=True)):
                if node == stated:
                    continue
                span = WIDTH**tile.level
                first = (tile.index * WIDTH + number) * span
                what = f"entries {first} to {first + span - 1}"
                if computed == root:
                    raise _wrong(path, f"hash {number}, over {what}, is wrong")
                below = Tile(ENTRIES, first // WIDTH).path if tile.level == 1 else path
                raise _wrong(below, f"{what} are not the ones in {path}, and do not give the signed root")
        if computed != root:
            raise _wrong(
                CHECKPOINT,
                f"the {size} entries give the root {computed.hex()}, but {root.hex()} is what the log signed",
            )

    def extra(self, key: VerifierKey) -> int:
        """Checks that nothing else stands in the directory; answers how many older partial tiles there are.

        Tiles beyond the checkpoint are allowed if a newer checkpoint covers them by now: the log is at work.
        """
        older, newest = 0, -1
        current = {(tile.level, tile.index): tile for tile in tiles_of(self.checkpoint.size)}
        for path in sorted(self._paths - self._used):
            tile = Tile.parse(path)
            if tile is None:
                raise _wrong(path, "the file does not belong into a log")
            data = self._read(path)
            if data is None:
                continue  # deleted meanwhile: a partial tile whose full one came
            whole = current.get((tile.level, tile.index))
            if whole is None or whole.width < tile.width:
                if newest < 0:
                    newest = open_checkpoint(self._read(CHECKPOINT) or b"", key).size
                if tile not in _with_partials(newest, tile):
                    raise _wrong(path, f"goes beyond the checkpoint of size {self.checkpoint.size}")
                continue
            older += 1
            _, content = self.tile(whole)
            length = _start(content, tile.width) if tile.level == ENTRIES else 32 * tile.width
            if data != content[:length]:
                raise _wrong(path, f"is not the beginning of {whole.path}")
        return older


def _with_partials(size: int, tile: Tile) -> set[Tile]:
    """``tile`` itself, if a tree of this size has it or a wider one in its place."""
    width = min(WIDTH, (size >> (max(tile.level, 0) * HEIGHT)) - tile.index * WIDTH)
    return {tile} if tile.width <= width else set()


def _is_full(level: int, data: bytes) -> bool:
    """Whether a tile or bundle has 256 hashes or entries, and nothing else; what they are is not looked at."""
    if level != ENTRIES:
        return len(data) == 32 * WIDTH
    lengths = [len(entry) + 2 for entry in _entries(data)]
    return len(lengths) == WIDTH and sum(lengths) == len(data)


def _start(data: bytes, number: int) -> int:
    """Where entry ``number`` of a bundle starts, as its lengths say."""
    at = 0
    for _ in range(number):
        at += 2 + int.from_bytes(data[at : at + 2], "big")
    return at


def _entries(data: bytes) -> Iterator[bytes]:
    at = 0
    while at + 2 <= len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        yield data[at + 2 : end]
        at = end


def _level(blocks: list[bytes], level: int) -> list[bytes]:
    """The hashes that the tiles of ``level`` (1 or more) hold, from those of level 1."""
    for _ in range(level - 1):
        full = len(blocks) // WIDTH * WIDTH
        blocks = [subtree_root(blocks[at : at + WIDTH]) for at in range(0, full, WIDTH)]
    return blocks
