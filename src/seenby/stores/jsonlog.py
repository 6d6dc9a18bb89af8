"""The database's own log, read to find connections that were not Seenby's (PostgreSQL documentation, 19.8.5, jsonlog).

One JSON object a line, written by the server's logging process; with ``log_connections = 'all'`` and
``log_disconnections = on`` every session leaves lines like (shortened)::

    {"timestamp":"2026-11-22 09:29:11.236 UTC","user":"platform_owner","dbname":"platform","remote_host":"[local]",
     "session_id":"6b02b5e7.210a","line_num":3,"ps":"authentication","session_start":"2026-11-22 09:29:11 UTC",
     "error_severity":"LOG","message":"connection authorized: user=platform_owner database=platform
     application_name=psql","backend_type":"client backend"}

``session_id`` is the session's start in Unix seconds and its pid, both in hexadecimal.

What it can show, and what not: a session is Seenby's own when its role is Seenby's and it says, from where the gateway
is, that it is the gateway. Whoever holds a grant role's secret (derived from the gateway's) could say the same.
Whoever is superuser of the server or root of its machine can stop the log or edit it: a change of the logging settings
and lines missing within a session are reported, lines that are gone altogether cannot be. Ship the log elsewhere to
close that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from seenby.errors import ConfigError

GUARD_ROLE = "seenby_guard"
GRANT_ROLE = "seenby_g_"  # and what follows: one role a grant
GATEWAY_APPLICATION = "seenby"

STATEMENTS_KEPT = 200  # a session
STATEMENTS_KEPT_IN_ALL = 10_000
STATEMENT_LENGTH = 4000
SESSIONS_KEPT = 10_000
NOTES_KEPT = 100
LINE_LIMIT = 16 * 1024 * 1024
"""Bytes. A longer line is skipped and counted as unreadable."""


class Position(NamedTuple):
    """How far a file has been read: up to ``offset`` bytes of the file with this inode."""

    inode: int
    offset: int


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the log. Times are Unix seconds; what the server left out is "" or 0."""

    at: float
    session: str
    number: int
    user: str
    database: str
    host: str
    pid: int
    state: str  # "ps": what the process was doing, as in "authentication", "idle", "SELECT"
    severity: str
    message: str
    detail: str
    application: str
    backend: str


@dataclass(slots=True)
class Session:
    """A connection that was not Seenby's own, with what the log knows of it."""

    id: str
    at: float
    user: str
    database: str
    host: str
    pid: int
    application: str
    why: str
    statements: list[tuple[float, str]] = field(default_factory=list)
    more_statements: int = 0
    lines: int = 0
    last_number: int = 0
    ended: float | None = None

    @property
    def missing_lines(self) -> int:
        """How many of its lines are not in the log, although later ones are."""
        return max(0, self.last_number - self.lines)


def log_files(place: Path) -> list[Path]:
    """The log's files, oldest first: ``place`` itself, or every ``*.json`` in it. Raises ConfigError: there is none."""
    try:
        found = sorted(place.glob("*.json"), key=lambda file: file.stat().st_mtime) if place.is_dir() else [place]
        if found and all(file.is_file() for file in found):
            return found
    except OSError as error:
        raise ConfigError(f"cannot read the database's log {place}: {error.strerror}") from None
    raise ConfigError(
        f"there is no database log at {place}",
        hint="set logging_collector = on and log_destination = 'jsonlog', and name the file in [reconcile] log",
    )


def read_lines(file: Path, position: Position | None = None) -> Iterator[tuple[Line | None, Position]]:
    """Every whole line after ``position``, and the position after it; None stands for a line that makes no sense.

    A last line without its end is still being written: it is left for the next call. A position in another file (the
    log was rotated) or behind the end (it was cut) means: from the start. Memory: one line.

    Raises:
        ConfigError: the file cannot be read.
    """
    try:
        with file.open("rb") as stream:
            inode = file.stat().st_ino
            if position and position.inode == inode and position.offset <= file.stat().st_size:
                stream.seek(position.offset)
            while raw := stream.readline(LINE_LIMIT):
                if not raw.endswith(b"\n"):
                    if len(raw) < LINE_LIMIT:
                        return
                    while (rest := stream.readline(LINE_LIMIT)) and not rest.endswith(b"\n"):
                        pass
                yield _line(raw), Position(inode, stream.tell())
    except OSError as error:
        raise ConfigError(
            f"cannot read the database's log {file}: {error.strerror}",
            hint="run this as the user the database runs as, or as one whom log_file_mode lets read",
        ) from None


def _line(raw: bytes) -> Line | None:
    # A crash of the logging process may leave half a line, with the next one written right behind it.
    start = raw.rfind(b'{"timestamp":"')
    for text in (raw, raw[start:] if start > 0 else b""):
        try:
            return _parsed(json.loads(text))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            continue
    return None


def _parsed(found: dict[str, Any]) -> Line:
    session = str(found.get("session_id", ""))
    return Line(
        at=_time(found["timestamp"], found.get("session_start", ""), session),
        session=session,
        number=int(found.get("line_num", 0)),
        user=str(found.get("user", "")),
        database=str(found.get("dbname", "")),
        host=str(found.get("remote_host", "")),
        pid=int(found.get("pid", 0)),
        state=str(found.get("ps", "")),
        severity=str(found.get("error_severity", "")),
        message=str(found.get("message", "")),
        detail=str(found.get("detail", "")),
        application=str(found.get("application_name", "")),
        backend=str(found.get("backend_type", "")),
    )


def _time(stamp: str, session_start: str, session: str) -> float:
    """``2026-11-22 10:29:11.236 CET`` -> Unix seconds.

    An abbreviation like CET has no agreed meaning (log_timezone decides); but the session's start stands in the line
    twice: in that zone, and in Unix seconds in the session's id. The difference is the zone's offset.
    """
    offset = 0.0
    if not stamp.endswith((" UTC", " GMT")):
        start = session_start.rpartition(" ")[0]
        offset = _as_utc(start) - int(session.partition(".")[0], 16)
    return _as_utc(stamp.rpartition(" ")[0]) - offset


def _as_utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@dataclass
class Reconciliation:
    """Folds lines into: which connections to the platform's database were not Seenby's own.

    Attributes:
        platform: the database with the user data.
        local: the gateway reaches it through a unix socket, so its own sessions have no address.
        since: Unix seconds: what was logged before is not judged (setting up the database is not Seenby's work).
        foreign: by session id, in the order of the log; at most SESSIONS_KEPT, ``more_foreign`` counts the rest.
        own: how many connections were Seenby's.
        elsewhere: connections to other databases of the server, by (role, database).
        failed: attempts to connect that the server turned down, by role.
        unreadable: lines that could not be read.
        changes: the server's own words about changed logging settings, with the time.
    """

    platform: str
    local: bool
    since: float = 0.0
    foreign: dict[str, Session] = field(default_factory=dict)
    more_foreign: int = 0
    own: int = 0
    elsewhere: dict[tuple[str, str], int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    unreadable: int = 0
    changes: list[tuple[float, str]] = field(default_factory=list)
    lines: int = 0
    _statements: int = 0

    @property
    def clean(self) -> bool:
        """Nobody but Seenby connected, and nothing suggests that the log hides somebody."""
        return not (self.foreign or self.more_foreign or self.unreadable or self.changes)

    def add(self, line: Line | None) -> None:
        """The next line of the log, in its order."""
        self.lines += 1
        if line is None:
            self.unreadable += 1
        elif not line.user:
            if line.at >= self.since and _SETTING.match(line.message) and len(self.changes) < NOTES_KEPT:
                self.changes.append((line.at, line.message))
        elif line.backend in {"client backend", "walsender"}:
            self._add_client(line)

    def _add_client(self, line: Line) -> None:
        if line.severity == "FATAL" and line.state in {"authentication", "startup"}:
            self._turned_down(line)
            return
        session = self.foreign.get(line.session)
        if session is None:
            if line.at < self.since:
                return
            entered = line.message.startswith(("connection authorized: ", "replication connection authorized: "))
            # Without log_connections, or in another language, any later line of a session shows that it got in.
            if not entered and line.state in {"authentication", "startup", ""}:
                return
            session = self._judge(line, entered)
            if session is None:
                return
        session.lines += 1
        session.last_number = line.number
        session.application = line.application or session.application
        if line.message.startswith("disconnection: "):
            session.ended = line.at
        elif (statement := _statement(line)) and line.at >= self.since:
            if len(session.statements) < STATEMENTS_KEPT and self._statements < STATEMENTS_KEPT_IN_ALL:
                session.statements.append((line.at, statement))
                self._statements += 1
            else:
                session.more_statements += 1

    def _turned_down(self, line: Line) -> None:
        # "connection authorized" is logged before the right to use the database is checked.
        self.foreign.pop(line.session, None)
        if line.at >= self.since:
            user = line.user if line.user in self.failed or len(self.failed) < NOTES_KEPT else "(others)"
            self.failed[user] = self.failed.get(user, 0) + 1

    def _judge(self, line: Line, entered: bool) -> Session | None:
        application = line.application
        if named := re.search(r" application_name=(.*?)(?: SSL enabled.*)?$", line.message) if entered else None:
            application = named[1]
        replication = line.backend == "walsender" or line.message.startswith("replication")
        if line.database != self.platform and not replication:
            if entered:
                pair = (line.user, line.database)
                self.elsewhere[pair] = self.elsewhere.get(pair, 0) + 1
            return None
        # A client may rename its session later, and the log may begin in the middle of one: its first name counts.
        named_well = not entered or application.partition(" ")[0] == GATEWAY_APPLICATION
        why = "a replication connection copies the whole server" if replication else self._foreign(line, named_well)
        if not why:
            self.own += entered
            return None
        if len(self.foreign) >= SESSIONS_KEPT:
            self.more_foreign += entered
            return None
        made = Session(line.session, line.at, line.user, line.database, line.host, line.pid, application, why)
        made.lines = line.number - 1  # what stands before its first judged line is not missed
        self.foreign[line.session] = made
        return made

    def _foreign(self, line: Line, named_well: bool) -> str:
        """Why a session of the platform's database is not Seenby's own; "" when it is."""
        if line.user != GUARD_ROLE and not line.user.startswith(GRANT_ROLE):
            return "not a role of Seenby's"
        if self.local and line.host != "[local]":
            return "a role of Seenby's, but not from the gateway's socket"
        if not named_well:
            return "a role of Seenby's, but it does not say that it is the gateway"
        return ""


_SETTING = re.compile(r'parameter "log(?:ging)?_\w+" ')
_EXECUTE = re.compile(r"(?:statement|execute [^:]*|fastpath function call|parse [^:]*|bind [^:]*): ")
_DURATION = re.compile(r"duration: [0-9.]+ ms  ")


def _statement(line: Line) -> str:
    """``statement: SELECT 1``, ``execute S_1: SELECT $1`` (detail: ``Parameters: $1 = '4'``) -> the text."""
    if line.severity != "LOG":
        return ""
    found = _EXECUTE.match(line.message, duration.end() if (duration := _DURATION.match(line.message)) else 0)
    if not found:
        return ""
    text = line.message[found.end() :] + (f"  -- {line.detail}" if line.detail else "")
    return text if len(text) <= STATEMENT_LENGTH else text[:STATEMENT_LENGTH] + " ..."
