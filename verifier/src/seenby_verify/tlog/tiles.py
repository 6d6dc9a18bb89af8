"""C2SP tlog-tiles: which files a tree of some size has, how they are named, and what is in them.

::

    tile/0/x001/234        256 leaf hashes, 8,192 bytes
    tile/1/004.p/210       partial tile, 210 hashes of full level-0 tiles
    tile/entries/x001/234  256 entries, each after a u16 length
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.tree import node_hash

WIDTH: Final = 256
HEIGHT: Final = 8
ENTRIES: Final = -1
"""The "level" of entry bundles."""

Read = Callable[[str], bytes | None]
"""A file of the public half by its path ("tile/0/000"); None: there is none."""

_PATH = re.compile(r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """One tile or bundle. ``level`` -1: entries. ``width`` 256: full."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """
        >>> Tile(0, 1234067, 5).path
        'tile/0/x001/x234/067.p/5'
        """
        parts = [f"{self.index % 1000:03}"]
        rest = self.index // 1000
        while rest:
            parts.append(f"x{rest % 1000:03}")
            rest //= 1000
        level = "entries" if self.level == ENTRIES else str(self.level)
        suffix = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{level}/{'/'.join(reversed(parts))}{suffix}"

    @classmethod
    def parse(cls, path: str) -> Tile | None:
        """The tile that ``path`` names, None if it names none (canonical spellings only)."""
        match = _PATH.fullmatch(path)
        if match is None:
            return None
        level = ENTRIES if match[1] == "entries" else int(match[1])
        index = int(match[2].replace("/", "").replace("x", ""))
        tile = cls(level, index, int(match[3]) if match[3] else WIDTH)
        return tile if level < 64 and tile.path == path else None


def tiles_of(size: int) -> Iterator[Tile]:
    """Every tile that a tree of this size has, level by level, bundles first, each level from the left."""
    for level in (ENTRIES, *range(64 // HEIGHT)):
        full, partial = divmod(size >> (max(level, 0) * HEIGHT), WIDTH)
        if level > 0 and not full and not partial:
            return
        for index in range(full):
            yield Tile(level, index)
        if partial:
            yield Tile(level, full, partial)


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    return b"".join([struct.pack(">H", len(entry)) + entry for entry in entries])


def decode_bundle(data: bytes, count: int, first: int, path: str) -> list[bytes]:
    """The ``count`` entries of a bundle whose first entry has index ``first``."""
    entries, at = [], 0
    for number in range(count):
        if at + 2 > len(data):
            raise VerificationError(f"{path}: ends before entry {first + number}", where=path)
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if end > len(data):
            raise VerificationError(f"{path}: ends within entry {first + number}", where=path)
        entries.append(data[at + 2 : end])
        at = end
    if at != len(data):
        raise VerificationError(f"{path}: {len(data) - at} bytes after entry {first + count - 1}", where=path)
    return entries


def subtree_root(hashes: Sequence[bytes]) -> bytes:
    """The root over 2**k hashes."""
    while len(hashes) > 1:
        hashes = [node_hash(hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
    return hashes[0]


def complete_roots(hashes: list[bytes]) -> list[bytes]:
    """The roots of the complete subtrees that a row of nodes consists of, biggest first."""
    out, at = [], 0
    while at < len(hashes):
        width = 1 << (len(hashes) - at).bit_length() - 1
        out.append(subtree_root(hashes[at : at + width]))
        at += width
    return out


def split_hashes(data: bytes) -> list[bytes]:
    return [data[at : at + 32] for at in range(0, len(data), 32)]


def read_tile(read: Read, size: int, level: int, index: int) -> tuple[str, bytes]:
    """A tile of the tree of this size: (path, bytes). If a partial one is gone, the full one that replaced it."""
    full, partial = divmod(size >> (max(level, 0) * HEIGHT), WIDTH)
    if index > full or (index == full and not partial):
        raise VerificationError(f"a tree of size {size} has no {Tile(level, index).path}")
    width = WIDTH if index < full else partial
    tile = Tile(level, index, width)
    data, path = read(tile.path), tile.path
    if data is None and width < WIDTH:
        path = Tile(level, index).path
        data = read(path)
    if data is None:
        raise VerificationError(f"{tile.path} is missing", where=tile.path)
    return path, data


class TileReader:
    """Nodes and entries of a published tree of ``size``, out of its tiles. Trusts the tiles: check against the root."""

    def __init__(self, read: Read, size: int) -> None:
        self._read = read
        self._size = size
        self._cache: dict[tuple[int, int], list[bytes]] = {}

    def node(self, level: int, index: int) -> bytes:
        """A ReadNode (seenby_verify.tlog.tree)."""
        tile_level, above = divmod(level, HEIGHT)
        first = index << above
        hashes = self._hashes(tile_level, first // WIDTH)
        part = hashes[first % WIDTH : first % WIDTH + (1 << above)]
        if len(part) != 1 << above:
            raise VerificationError(f"a tree of size {self._size} has no node {index} at level {level}")
        return subtree_root(part)

    def _hashes(self, level: int, index: int) -> list[bytes]:
        hashes = self._cache.get((level, index))
        if hashes is None:
            path, data = read_tile(self._read, self._size, level, index)
            hashes = split_hashes(data)
            if len(data) % 32 or not hashes:
                raise VerificationError(f"{path} has {len(data)} bytes, not a multiple of 32", where=path)
            if len(self._cache) > 512:
                self._cache.clear()
            self._cache[level, index] = hashes
        return hashes

    def entry(self, index: int) -> bytes:
        """The bytes of entry ``index``."""
        bundle, number = divmod(index, WIDTH)
        path, data = read_tile(self._read, self._size, ENTRIES, bundle)
        return decode_bundle_prefix(data, number + 1, bundle * WIDTH, path)[number]


def decode_bundle_prefix(data: bytes, count: int, first: int, path: str) -> list[bytes]:
    """The first ``count`` entries of a bundle that may hold more."""
    at = 0
    for _ in range(count):
        at += 2 + int.from_bytes(data[at : at + 2], "big")
    return decode_bundle(data[:at], count, first, path)
