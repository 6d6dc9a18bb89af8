"""``seenby reconcile``: who connected to the user database that was not Seenby? From the database's own log."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from seenby.cli.moment import moment
from seenby.errors import ConfigError
from seenby.stores.config import Config, load_config
from seenby.stores.jsonlog import Position, Reconciliation, Session, log_files, read_lines
from seenby_verify.cli.plain import sentences


def reconcile(
    *,
    config: Path,
    since: str = "",
    log: Path | None = None,
    cursor: Path | None = None,
    json_: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Name every connection to the user database that was not Seenby's own, with its statements.

    Reads the log that the database itself writes (jsonlog, log_connections, log_disconnections). Exit status 0: nobody
    but Seenby connected. 1: somebody did, or the log has been changed so that somebody could be missing from it.

    Parameters
    ----------
    config
        The region's seenby.toml.
    since
        Judge only what was logged at or after this time, as in 2026-11-22T09:30:00Z. Default: [reconcile] since in the
        configuration, the moment when Seenby took the database over.
    log
        The log: a file, or the folder of its *.json files. Default: [reconcile] log in the configuration.
    cursor
        Remember in this file how far the log was read, and go on from there next time (for a job that runs often).
    json_
        Print one JSON object instead of text.
    """
    settings = load_config(config)
    place = log or (Path(settings.reconcile.log) if settings.reconcile.log else None)
    if place is None:
        raise ConfigError(
            f"{settings.file} does not say where the database's own log is",
            hint='write log = "FILE" under [reconcile], or give --log FILE',
        )
    found = Reconciliation(
        settings.database.dbname, settings.database.host.startswith("/"), moment(since or settings.reconcile.since)
    )
    begun = cursor is not None and cursor.exists()
    read(place, found, cursor)
    if not (found.lines or begun):
        raise ConfigError(
            f"the database's log {place} holds no line: nobody can say from it who connected",
            hint="is it the file that the database writes? An emptied log is a reason to ask who could do that",
        )
    if json_:
        print(json.dumps(as_json(found), indent=2))
    else:
        _print(sentences(), settings, place, found)
    return 0 if found.clean else 1


def read(place: Path, found: Reconciliation, cursor: Path | None = None) -> None:
    """Folds the log at ``place`` into ``found``, from where ``cursor`` says if it is given."""
    positions = _load(cursor) if cursor else {}
    reached: dict[int, int] = {}
    for file in log_files(place):
        inode = file.stat().st_ino
        known = positions.get(inode)
        reached[inode] = known or 0
        for line, position in read_lines(file, Position(inode, known) if known else None):
            found.add(line)
            reached[position.inode] = position.offset
    if cursor:
        cursor.write_text(
            json.dumps({"version": 1, "read": {str(key): value for key, value in reached.items()}}) + "\n"
        )


def _load(cursor: Path) -> dict[int, int]:
    if not cursor.exists():
        return {}
    try:
        raw = json.loads(cursor.read_text())
        return {int(key): int(value) for key, value in raw["read"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, OSError):
        raise ConfigError(
            f"{cursor} is not a cursor of `seenby reconcile`", hint="delete it: the whole log is then read again"
        ) from None


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def as_json(found: Reconciliation) -> dict[str, Any]:
    """What ``--json`` prints. Times are ISO 8601 in UTC."""
    return {
        "clean": found.clean,
        "since": _iso(found.since) if found.since else None,
        "lines": found.lines,
        "own": found.own,
        "foreign": [_session(session) for session in found.foreign.values()],
        "more_foreign": found.more_foreign,
        "turned_down": found.failed,
        "elsewhere": [
            {"role": role, "database": database, "connections": count}
            for (role, database), count in found.elsewhere.items()
        ],
        "unreadable_lines": found.unreadable,
        "logging_changed": [{"at": _iso(at), "message": message} for at, message in found.changes],
    }


def _session(session: Session) -> dict[str, Any]:
    return {
        "at": _iso(session.at),
        "until": _iso(session.ended) if session.ended else None,
        "role": session.user,
        "database": session.database,
        "from": session.host,
        "pid": session.pid,
        "application": session.application,
        "why": session.why,
        "statements": [{"at": _iso(at), "text": text} for at, text in session.statements],
        "more_statements": session.more_statements,
        "missing_lines": session.missing_lines,
    }


def _print(console: Console, settings: Config, place: Path, found: Reconciliation) -> None:
    window = f"since {_iso(found.since)}" if found.since else "from the beginning of the log"
    console.print(Text(f"Database {found.platform} of region {settings.region}, {window}, from {place}"))
    for session in found.foreign.values():
        _print_session(console, session)
    if found.more_foreign:
        console.print(f"... and {found.more_foreign} more such connections")
    for at, message in found.changes:
        console.print(Text(f"\n{_iso(at)}  the database's logging was changed: {message}", style="bold red"))
    if found.unreadable:
        console.print(Text(f"\n{found.unreadable} lines of the log could not be read.", style="bold red"))
    others = len(found.foreign) + found.more_foreign
    console.print(
        Text(
            f"\nConnections to {found.platform}: {found.own} of Seenby's own, {others} not of Seenby's.",
            style="bold red" if others else "bold",
        )
    )
    if found.failed:
        tried = ", ".join(f"{role} ({count})" for role, count in sorted(found.failed.items()))
        console.print(Text(f"Turned down by the database: {tried}"))
    if found.elsewhere:
        pairs = ", ".join(f"{role} in {database} ({count})" for (role, database), count in found.elsewhere.items())
        console.print(Text(f"Not judged, connections to other databases of the server: {pairs}"))


def _one_line(text: str) -> str:
    # Whoever wrote the statement could otherwise steer the reader's terminal with escape sequences.
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in " ".join(text.split()))


def _print_session(console: Console, session: Session) -> None:
    end = f"until {_iso(session.ended)}" if session.ended else "still open, as far as the log goes"
    console.print(Text(f"\n{_iso(session.at)}  {session.user}: {session.why}", style="bold red"))
    console.print(Text(f"  from {session.host or '?'}, pid {session.pid}, application {session.application!r}, {end}"))
    for at, text in session.statements:
        console.print(Text(f"  {_iso(at)}  {_one_line(text)}"))
    if session.more_statements:
        console.print(f"  ... and {session.more_statements} more statements")
    if not session.statements:
        console.print("  its statements are not in the log (log_statement was off for this role)")
    if session.missing_lines:
        console.print(Text(f"  {session.missing_lines} lines of it are missing from the log", style="bold red"))
