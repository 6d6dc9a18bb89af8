"""One entry of the journal, with the entry that it belongs to, without reading the group around it.

A group may be megabytes: whatever waited was written at once. So the state keeps *landmarks* in long groups, one every
LANDMARK entries: where that entry's record begins, and where the record of the last entry before it that names nobody.

    marks    index u64 -> segment u64, offset u64, index u64 and offset u64 of the head
"""

from __future__ import annotations

import os
from pathlib import Path
from struct import Struct
from typing import Final, NamedTuple

import lmdb

from seenby.errors import VerificationError
from seenby.stores.journal import GROUP, GROUP_HEADER, Group, Record, damaged, segment_path
from seenby.stores.state import State, at_or_before
from seenby_verify.tlog.entries import PersonNamed

LANDMARK: Final = 64
NEAR: Final = 64 * 1024
"""Bytes that are read first: LANDMARK records of people are a third of it."""
_MARK: Final = Struct(">QQQQ")
_LENGTHS: Final = 2 + 4


class _At(NamedTuple):
    """A record: of entry ``entry``, from byte ``at`` of its file."""

    entry: int
    at: int


def landmarks(group: Group) -> list[tuple[bytes, bytes]]:
    """Rows of the table ``marks`` for a group."""
    found: list[tuple[bytes, bytes]] = []
    if len(group) <= LANDMARK:
        return found
    place = group.place
    at = place.offset + GROUP_HEADER.size
    head = _At(place.index, at)
    for index, (entry, private) in enumerate(group.pairs, place.index):
        if (index - place.index) % LANDMARK == 0 and index > place.index:
            found.append((index.to_bytes(8, "big"), _MARK.pack(place.segment, at, *head)))
        if entry[1] != PersonNamed.KIND:
            head = _At(index, at)
        at += _LENGTHS + len(entry) + len(private)
    return found


class Finder:
    """Reads a journal by index, as of one transaction of its state. ``close`` it."""

    def __init__(self, journal: Path, state: State, txn: lmdb.Transaction) -> None:
        self._journal = journal
        self._state = state
        self._txn = txn
        self._files: dict[int, int] = {}

    def close(self) -> None:
        for file in self._files.values():
            os.close(file)

    def records(self, index: int) -> tuple[Record | None, Record]:
        """The record of an entry, after that of the last entry before it in its group that names nobody.

        What a session hands over is in one group, so a person entry's head is there. Raises LedgerFailed: something
        else stands in the journal; OSError.
        """
        first, segment, offset, _ = self._state.group_in(self._txn, index)
        file, path = self._file(segment)
        header = os.pread(file, GROUP_HEADER.size, offset)
        magic, length, number, _, _ = GROUP_HEADER.unpack(header.ljust(GROUP_HEADER.size, b"\0"))
        if magic != GROUP or number != first:
            raise damaged(path, offset, f"the group of entry {first} does not stand there")
        begin = offset + GROUP_HEADER.size
        end = begin + length
        start, head = self._landmark(index, first) or (_At(first, begin), None)
        found: _At | None = None
        for wanted in (NEAR, end - start.at):
            data = os.pread(file, min(wanted, end - start.at), start.at)
            if len(data) != min(wanted, end - start.at):
                raise damaged(path, offset, "the group is cut off")
            walked = _walk(data, start, index)
            if walked is not None:
                nearest, found = walked
                break
        if found is None:
            raise damaged(path, offset, "the group is not made of whole records")
        head = nearest or head
        return head and self._record(path, file, head, end), self._record(path, file, found, end)

    def _file(self, segment: int) -> tuple[int, Path]:
        path = segment_path(self._journal, segment)
        file = self._files.get(segment)
        if file is None:
            file = self._files[segment] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        return file, path

    def _record(self, path: Path, file: int, place: _At, end: int) -> Record:
        room = end - place.at
        data = os.pread(file, min(room, NEAR // 16), place.at)
        middle = 2 + int.from_bytes(data[:2], "big")
        start = middle + 4
        stop = start + int.from_bytes(data[middle:start], "big")
        if stop > len(data):
            data = os.pread(file, min(room, stop), place.at)
        if stop > len(data):
            raise damaged(path, place.at, "no whole record stands there")
        return Record(place.entry, data[2:middle], data[start:stop])

    def _landmark(self, index: int, first: int) -> tuple[_At, _At] | None:
        """The last one up to this entry, if its group has one."""
        with self._txn.cursor(self._state.table("marks")) as cursor:
            if not at_or_before(cursor, index.to_bytes(8, "big")):
                return None
            here = int.from_bytes(cursor.key(), "big")
            if here <= first:
                return None
            _, at, head, head_at = _MARK.unpack(cursor.value())
            return _At(here, at), _At(head, head_at)


def _walk(data: bytes, start: _At, index: int) -> tuple[_At | None, _At] | None:
    """(the last record before entry ``index`` that names nobody, that entry's own); None: ``data`` ends before it."""
    at, number, people = 0, int.from_bytes, PersonNamed.KIND
    head: _At | None = None
    for here in range(start.entry, index + 1):
        middle = at + 2 + number(data[at : at + 2], "big")
        after = middle + 4
        if after > len(data):
            return None
        if here == index:
            return head, _At(here, start.at + at)
        if data[at + 3] != people:
            head = _At(here, start.at + at)
        at = after + number(data[middle:after], "big")
    raise VerificationError(f"entry {index} is not in a group that begins with entry {start.entry}")
