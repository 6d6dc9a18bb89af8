"""What a monitor remembers of one log: one SQLite file, and evidence beside it.

::

    STATE/monitor.sqlite        changes as a whole, once per look at the log
    STATE/evidence/             what contradicts: for people, and for seenby-verify evidence
"""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Final

from seenby_verify.errors import Unavailable, UsageError
from seenby_verify.files import write_durably
from seenby_verify.tlog.rules import Place

_TABLES: Final = """
create table if not exists facts (name text primary key, value text not null) without rowid;
create table if not exists events (at integer primary key, entry blob not null);
create table if not exists labels (label blob primary key, epoch integer not null) without rowid;
create table if not exists promises (note blob primary key, met integer not null default 0) without rowid;
create table if not exists kinds (at integer primary key, kinds blob not null);
create table if not exists checkpoints (size integer, root blob, note blob not null, primary key (size, root));
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest tree that was looked at and holds.

    Attributes:
        key: the verifier key of the log that signed it.
        frontier: the roots of its complete subtrees, biggest first: enough to go on hashing.
        place: where the entry rules stand.
        observed: Unix time at which the log was last seen to end here.
        cosigned: the earliest time at which a witness saw this tree; 0 if none did.
        note: the signed checkpoint.
    """

    key: str
    size: int
    root: bytes
    frontier: tuple[bytes, ...]
    place: Place
    observed: float
    cosigned: int
    note: bytes


class MemoryLost(Unavailable):
    """What the monitor remembers cannot be read or written. It says nothing about the log."""


class Memory:
    """One process at a time. ``with memory.look():`` is one transaction: all of it is kept, or nothing."""

    def __init__(self, directory: Path) -> None:
        """Makes the directory if it is new. Raises MemoryLost if another monitor has it, or if it is damaged."""
        self.directory = directory
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot make {directory}: {error.strerror}", hint="give a directory of yours") from None
        try:
            self._database = sqlite3.connect(directory / "monitor.sqlite", isolation_level=None, timeout=0.2)
        except sqlite3.Error as error:
            raise self._unusable(error) from None
        try:
            self._database.executescript(
                f"pragma locking_mode = exclusive; pragma synchronous = full; begin exclusive; {_TABLES} commit;"
            )
        except sqlite3.Error as error:
            self._database.close()
            raise self._unusable(error) from None

    def _unusable(self, error: Exception) -> MemoryLost:
        if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
            return MemoryLost(f"another monitor uses {self.directory}", hint="one monitor has one state directory")
        hint = "keep it aside, and begin again with a new --state; until then nobody remembers for you"
        if isinstance(error, sqlite3.OperationalError):  # a disk or its permissions; what is damaged is another error
            hint = "see that there is room, and that this user may write there; it is not lost"
        return MemoryLost(f"the monitor's memory in {self.directory} cannot be used: {error}", hint=hint)

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Memory:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def look(self) -> Iterator[None]:
        """A transaction. Raises MemoryLost if the disk does not take it."""
        try:
            self._database.execute("begin")
            try:
                yield
            except BaseException:
                self._database.execute("rollback")
                raise
            self._database.execute("commit")
        except sqlite3.Error as error:
            raise self._unusable(error) from None

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Raises MemoryLost if the file is damaged: reading stands outside of transactions, too."""
        try:
            return self._database.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._unusable(error) from None

    def fact(self, name: str) -> Any:
        """A small value; None if it was never set. Raises MemoryLost."""
        for (value,) in self._rows("select value from facts where name = ?", name):
            try:
                return json.loads(value)
            except ValueError as error:
                raise self._unusable(error) from None
        return None

    def set_fact(self, name: str, value: object) -> None:
        self._database.execute("insert or replace into facts values (?, ?)", (name, json.dumps(value)))

    @property
    def seen(self) -> Seen | None:
        value = self.fact("seen")
        if value is None:
            return None
        try:
            value |= {name: base64.b64decode(value[name]) for name in ("root", "note")}
            value["frontier"] = tuple(base64.b64decode(one) for one in value["frontier"])
            return Seen(**{**value, "place": Place(*value["place"])})
        except (ValueError, KeyError, TypeError) as error:
            raise self._unusable(error) from None

    def set_seen(self, seen: Seen) -> None:
        value = {name: getattr(seen, name) for name in ("key", "size", "observed", "cosigned")}
        value |= {"root": _text(seen.root), "note": _text(seen.note), "place": astuple(seen.place)}
        self.set_fact("seen", {**value, "frontier": [_text(one) for one in seen.frontier]})

    def add(self, epoch: int, label: bytes) -> bool:
        """seenby_verify.tlog.rules.Labels."""
        row = self._database.execute("insert or ignore into labels values (?, ?)", (label, epoch))
        return row.rowcount == 1

    def labels(self, epoch: int) -> Iterator[bytes]:
        for (label,) in self._database.execute("select label from labels where epoch = ?", (epoch,)):
            yield label

    def add_events(self, events: Iterable[tuple[int, bytes]]) -> None:
        self._database.executemany("insert into events values (?, ?)", events)

    def events(self) -> Iterator[tuple[int, bytes]]:
        yield from self._rows("select at, entry from events order by at")

    def add_kinds(self, at: int, kinds: bytes, needed: int) -> None:
        """A kind each of the entries from ``at`` on. Before entry ``needed`` they are in a daily report: forgotten."""
        if kinds:
            self._database.execute("insert into kinds values (?, ?)", (at, kinds))
        self._database.execute("delete from kinds where at + length(kinds) <= ?", (needed,))
        self.set_fact("reported", needed)

    def kinds(self) -> tuple[int, bytes]:
        """(index of the first, a byte each) of the entries that are in no daily report yet."""
        needed = self.fact("reported") or 0
        rows = self._rows("select at, kinds from kinds order by at")
        joined = b"".join(bytes(kinds) for _, kinds in rows)
        return needed, joined[needed - rows[0][0] :] if rows else b""

    def add_checkpoint(self, size: int, root: bytes, note: bytes) -> None:
        self._database.execute("insert or ignore into checkpoints values (?, ?, ?)", (size, root, note))

    def contradicting(self, size: int, root: bytes) -> bytes | None:
        """A checkpoint that the log signed over the same number of entries, with another root."""
        rows = self._rows("select note from checkpoints where size = ? and root <> ? limit 1", size, root)
        return bytes(rows[0][0]) if rows else None

    def add_promise(self, note: bytes) -> None:
        """A signed promise; once is enough."""
        self._database.execute("insert or ignore into promises (note) values (?)", (note,))

    def promises(self) -> list[bytes]:
        """Those that are not met yet."""
        rows = self._rows("select note from promises where not met")
        return [bytes(note) for (note,) in rows]

    def met(self, note: bytes) -> None:
        self._database.execute("update promises set met = 1 where note = ?", (note,))

    def keep(self, name: str, data: bytes) -> Path:
        """Writes a file of evidence. Raises Unavailable."""
        path = self.directory / "evidence" / name
        try:
            path.parent.mkdir(exist_ok=True)
            write_durably(path, data)
        except OSError as error:
            raise Unavailable(f"the evidence cannot be written to {path}: {error.strerror}") from None
        return path


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
