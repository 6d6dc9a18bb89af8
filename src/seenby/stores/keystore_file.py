"""People's keys in one file, for a single machine (docs/formats/ledger.md, "Key store").

New rows are appended, a batch per sync. What must go (an erased person, rows of an old generation) goes by writing the
whole file anew: about a second for a million people. Several processes may use it: each change holds a lock and
first looks whether somebody else wrote; then it reads the file again before it goes on.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
import zlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

from seenby.errors import ConfigError
from seenby.stores.durable import replace, sync_directory, write_all
from seenby.stores.keystore_keyring import Generation, being_rotated, written_twice
from seenby.stores.keystore_rows import ID, PLACE, ROW, Table, rows_of

MAGIC: Final = b"seenby/persons/2"
BATCH: Final = b"SBk2"
FEW: Final = 8
"""So many people are looked for in the file itself; for more its rows are sorted first."""
_HEAD: Final = struct.Struct(">4sI")
_HEAD_BYTES: Final = _HEAD.size + 4


def encode_batch(rows: bytes) -> bytes:
    head = _HEAD.pack(BATCH, len(rows))
    return b"".join((head, zlib.crc32(head).to_bytes(4, "big"), rows, zlib.crc32(rows).to_bytes(4, "big")))


class FileShelf:
    """A Shelf. Args: directory: of mode 0700; made if it is not there and may be."""

    def __init__(self, directory: Path, *, read_only: bool) -> None:
        self._directory = directory
        self._path = directory / "persons.keys"
        self._generations = directory / "generations.json"
        self._read_only = read_only
        self._file = -1
        self._end = 0  # how long the file was after our last write: if it is not, somebody else wrote, or was torn
        self._first: Table | None = None  # what opening read, for who reads it all next
        self._left: Table | None = None  # who was in the open file when a rotation began to replace its rows
        try:
            if not read_only:
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if directory.stat().st_mode & 0o077:
                raise ConfigError(f"the key store {directory} is open to others", hint=f"chmod 700 {directory}")
            if not read_only:
                with self._locked():
                    self._first = self._cut()
        except OSError as error:
            raise ConfigError(
                f"the key store {directory} cannot be opened", hint="check [keys] in seenby.toml", detail=str(error)
            ) from None

    def generations(self) -> list[Generation]:
        if not self._generations.exists():
            return []
        try:
            return [
                Generation(**one | {"wrapped": bytes.fromhex(one["wrapped"])})
                for one in json.loads(self._generations.read_bytes())
            ]
        except (ValueError, TypeError, KeyError):
            raise ConfigError(f"{self._generations} is damaged", hint="restore the key store from its backup") from None

    def save(self, generations: Sequence[Generation]) -> None:
        with self._locked():
            known = {one.number: one for one in [*self.generations(), *generations]}
            told = [asdict(known[number]) | {"wrapped": known[number].wrapped.hex()} for number in sorted(known)]
            fresh = self._directory / ".generations.new"
            replace(fresh, self._generations, json.dumps(told, indent=1).encode(), mode=0o600)
            sync_directory(self._directory)

    def pages(self, rows: int) -> Iterator[bytes]:
        first, self._first = self._first, None
        table = first if first is not None and self._ours() else self._read()[0]
        page = bytearray()
        for block in table.blocks():
            page += block
            if len(page) >= rows * ROW:
                yield bytes(page)
                page.clear()
        if page:
            yield bytes(page)

    def fetch(self, ids: Sequence[bytes]) -> bytes:
        if len(ids) <= FEW:
            data = self._data()
            spans = self._spans(data)
            return b"".join(row for one in ids for row in _rows_of_one(data, spans, one))
        table = self._read()[0]
        return b"".join(row for one in ids for row in table.get(one))

    def add(self, rows: bytes, generation: int) -> bool:
        with self._locked():
            if self.generations()[-1].number != generation:
                return False
            if not self._ours():  # whoever asks looked for these people in what the file was before
                there = self._cut()
                if any(row[: PLACE.size] in there and row not in there.get(row[:ID]) for row in rows_of(rows)):
                    raise written_twice()
            self._append(rows)
            return True

    def replace(self, rows: bytes) -> None:
        with self._locked():
            if not self._ours():
                self._cut()
            if self._left is None:
                self._left = self._read()[0]
            left = self._left  # who went since the page was read must not come back
            self._append(b"".join([row for row in rows_of(rows) if row[: PLACE.size] in left]))

    def remove(self, ids: Sequence[bytes]) -> None:
        with self._locked():
            table = self._read()[0]
            for one in ids:
                table.remove(one)
            self._rewrite(table)

    def counts(self) -> dict[int, int]:
        found: Counter[bytes] = Counter()
        for block in self._read()[0].blocks():
            found.update(block[at : at + 4] for at in range(PLACE.size, len(block), ROW))
        return {int.from_bytes(number, "big"): count for number, count in sorted(found.items())}

    def tidy(self) -> None:
        with self._locked():
            self._rewrite(self._read()[0])

    @contextmanager
    def rotating(self) -> Iterator[None]:
        file = os.open(self._directory / "rotating.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise being_rotated() from None
            yield
        finally:
            self._left = None
            os.close(file)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        self._left = None

    # --- the file

    @contextmanager
    def _locked(self) -> Iterator[None]:
        file = os.open(self._directory / "persons.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        finally:
            os.close(file)

    def _ours(self) -> bool:
        """Whether the file is as we left it: not replaced, nothing appended, nothing torn."""
        if self._file < 0:
            return False
        try:
            return os.path.samestat(self._path.stat(), os.fstat(self._file)) and (
                os.fstat(self._file).st_size == self._end
            )
        except FileNotFoundError:
            return False

    def _append(self, rows: bytes) -> None:
        """Only after ``_ours`` or ``_cut``, under the same lock."""
        data = encode_batch(rows)
        self._first = None
        write_all(self._file, data)
        os.fdatasync(self._file)
        self._end += len(data)

    def _cut(self) -> Table:
        """Opens the file, made if it is not there, without the batch that a crash left torn. Returns its rows."""
        self.close()
        table, self._end = self._read()
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._file, self._end)
        if not self._end:
            write_all(self._file, MAGIC)
            self._end = len(MAGIC)
        os.fsync(self._file)
        sync_directory(self._directory)
        return table

    def _rewrite(self, table: Table) -> None:
        """The next change opens the new file."""
        data = b"".join([MAGIC, *(encode_batch(block) for block in table.blocks())])
        replace(self._directory / ".persons.new", self._path, data, mode=0o600)
        sync_directory(self._directory)

    def _read(self) -> tuple[Table, int]:
        """All rows, later ones over earlier ones, and where the intact part ends. Only the last batch may be torn."""
        data, table = self._data(), Table()
        spans = self._spans(data)
        table.fill_all(data[start:end] for start, end in spans)
        return table, spans[-1][1] + 4 if spans else len(MAGIC) if data.startswith(MAGIC) else 0

    def _data(self) -> bytes:
        return self._path.read_bytes() if self._path.exists() else b""

    def _spans(self, data: bytes) -> list[tuple[int, int]]:
        """Where the rows of each intact batch begin and end."""
        if len(data) < len(MAGIC):
            return []
        if not data.startswith(MAGIC):
            raise ConfigError(
                f"{self._path} is not a file of person keys",
                hint="of version 2; one that an earlier Seenby wrote cannot be read",
            )
        at, spans, view = len(MAGIC), list[tuple[int, int]](), memoryview(data)
        while at < len(data):
            start = at + _HEAD_BYTES
            intact = _head_stands(data, at)
            end = start + int.from_bytes(data[at + 4 : at + 8], "big") if intact else len(data)
            if (
                not intact
                or end + 4 > len(data)
                or zlib.crc32(view[start:end]) != int.from_bytes(data[end : end + 4], "big")
            ):
                if end + 4 >= len(data) and not _head_follows(data, at + 1):
                    break
                raise ConfigError(
                    f"{self._path} is damaged at byte {at}",
                    hint="restore the key store from its backup",
                    detail="CRC-32",
                )
            spans.append((start, end))
            at = end + 4
        return spans


def _rows_of_one(data: bytes, spans: list[tuple[int, int]], id_: bytes) -> list[bytes]:
    """A person's rows, oldest version first; of two in one place the later one counts."""
    found, at = dict[bytes, bytes](), -1
    while (at := data.find(id_, at + 1)) >= 0:
        start, end = spans[bisect_right(spans, (at, len(data))) - 1] if spans else (0, 0)
        if start <= at < end and (at - start) % ROW == 0:  # not by chance across rows, between batches, or torn
            row = data[at : at + ROW]
            found[row[: PLACE.size]] = row
    return [found[place] for place in sorted(found)]


def _head_stands(data: bytes, at: int) -> bool:
    if at + _HEAD_BYTES > len(data) or data[at : at + 4] != BATCH:
        return False
    return zlib.crc32(data[at : at + 8]) == int.from_bytes(data[at + 8 : at + 12], "big")


def _head_follows(data: bytes, at: int) -> bool:
    while (at := data.find(BATCH, at)) >= 0:
        if _head_stands(data, at):
            return True
        at += 1
    return False
