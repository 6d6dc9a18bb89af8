"""Wrapped person keys as rows of one width, and a compact table of them (docs/formats/ledger.md, "Key store").

::

    row := id[16] | version u16 | generation u32 | nonce[12] | AES-256-GCM(DEK, nonce, key[32], aad)      82 bytes
    id   = HMAC-SHA-256(index key, person)[:16]
    aad  = "seenby/person-key-wrap/v1\\n" || id || version u16

The ids are spread evenly, so the rows are kept sorted in 4,096 chunks by their first 12 bits: a lookup is one short
bisection, a new row moves a few kilobytes, and a million people take 82 MB and little more.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Final

ID: Final = 16
PLACE: Final = struct.Struct(">16sH")
"""What a row is sorted by: id and version."""
HEAD: Final = struct.Struct(">16sHI")
ROW: Final = HEAD.size + 60
_CHUNKS: Final = 4096


def generation_of(row: bytes) -> int:
    return int.from_bytes(row[18:22], "big")


def version_of(row: bytes) -> int:
    return int.from_bytes(row[16:18], "big")


def rows_of(block: bytes | bytearray) -> Iterator[bytes]:
    """The rows of a block, one by one."""
    return (bytes(block[at : at + ROW]) for at in range(0, len(block), ROW))


class Table:
    """Rows by id. Not safe for several threads by itself."""

    __slots__ = ("_chunks", "_evict_next", "_rows")

    def __init__(self) -> None:
        self._chunks = [bytearray() for _ in range(_CHUNKS)]
        self._evict_next = 0
        self._rows = 0

    def __len__(self) -> int:
        """How many rows: every version counts."""
        return self._rows

    def fill(self, block: bytes) -> None:
        """Adds a block of rows that are sorted by id and version; a row that is there already is replaced."""
        for number, part in _parts(block):
            chunk = self._chunks[number]
            if not chunk or chunk[-ROW : PLACE.size - ROW] < part[: PLACE.size]:
                chunk += part
                self._rows += len(part) // ROW
            elif len(part) * 16 < len(chunk):
                for row in rows_of(part):
                    self.put(row)
            else:
                self._rows -= len(chunk) // ROW
                chunk += part
                self._settle(number)

    def fill_all(self, blocks: Iterable[bytes]) -> None:
        """As ``fill`` with one block after the other; many times as fast if they are many. For an empty table."""
        disordered = set()
        for block in blocks:
            for number, part in _parts(block):
                chunk = self._chunks[number]
                if chunk and chunk[-ROW : PLACE.size - ROW] >= part[: PLACE.size]:
                    disordered.add(number)
                chunk += part
        self._rows = sum(len(chunk) // ROW for number, chunk in enumerate(self._chunks) if number not in disordered)
        for number in disordered:
            self._settle(number)

    def _settle(self, number: int) -> None:
        """Sorts a chunk whose rows are not counted; of two rows in one place the later one counts."""
        last = {row[: PLACE.size]: row for row in rows_of(self._chunks[number])}
        self._chunks[number] = bytearray().join(last[place] for place in sorted(last))
        self._rows += len(last)

    def __contains__(self, place: bytes) -> bool:
        """Whether there is a row of this person (an id), or of this version (id and version)."""
        chunk = self._chunks[_number(place)]
        at = _find(chunk, place) * ROW
        return chunk[at : at + len(place)] == place

    def get(self, id_: bytes) -> list[bytes]:
        """All rows of a person, oldest version first."""
        chunk = self._chunks[_number(id_)]
        at, found = _find(chunk, id_) * ROW, []
        while chunk[at : at + ID] == id_:
            found.append(bytes(chunk[at : at + ROW]))
            at += ROW
        return found

    def put(self, row: bytes) -> None:
        """Adds a row, or replaces the one of this person and version."""
        chunk, place = self._chunks[_number(row)], row[: PLACE.size]
        at = _find(chunk, place) * ROW
        there = chunk[at : at + PLACE.size] == place
        chunk[at : at + ROW if there else at] = row
        self._rows += not there

    def remove(self, id_: bytes) -> None:
        """Takes every row of a person out."""
        chunk = self._chunks[_number(id_)]
        at, count = _find(chunk, id_) * ROW, len(self.get(id_))
        del chunk[at : at + ROW * count]
        self._rows -= count

    def evict(self) -> None:
        """Empties one chunk, another one each time."""
        self._rows -= len(self._chunks[self._evict_next]) // ROW
        self._chunks[self._evict_next] = bytearray()
        self._evict_next = (self._evict_next + 1) % _CHUNKS

    def blocks(self) -> Iterator[bytes]:
        """Everything, sorted, in blocks that ``fill`` takes at once."""
        return (bytes(chunk) for chunk in self._chunks if chunk)


def _parts(block: bytes) -> Iterator[tuple[int, bytes]]:
    """A sorted block, cut where another chunk begins."""
    total, at = len(block) // ROW, 0
    near = total // _CHUNKS * 2 + 16
    while at < total:
        number = _number(block[at * ROW : at * ROW + 2])
        end = min(at + near, total)  # ids are spread evenly: the next chunk's rows most likely begin before this
        if end < total and _number(block[end * ROW : end * ROW + 2]) == number:
            end = total
        end = bisect_left(range(end), number + 1, at, key=lambda n: _number(block[n * ROW : n * ROW + 2]))
        yield number, block[at * ROW : end * ROW]
        at = end


def _number(start: bytes) -> int:
    return start[0] << 4 | start[1] >> 4


def _find(chunk: bytearray, place: bytes) -> int:
    """The number of the first row that is not before ``place`` (an id, or id and version)."""
    width = len(place)
    return bisect_left(range(len(chunk) // ROW), bytearray(place), key=lambda n: chunk[n * ROW : n * ROW + width])
