"""A world's folder: who holds it, and the end of what a killed demo left behind."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from seenby.errors import UsageError

MARKER = ".seenby-demo"
PREFIX = "seenby-demo-"
PATIENCE_SECONDS = 10.0


def fresh_folder() -> tuple[Path, IO[str]]:
    """A new folder among the system's temporary files, held. Removes what killed demos of this user left there."""
    for marker in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{MARKER}"):
        with suppress(OSError, UsageError):
            if marker.stat().st_uid == os.geteuid() and (lock := _lock(marker)):
                with lock:
                    remove_folder(marker.parent)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
    return folder, _hold(folder)


def emptied_folder(folder: Path) -> IO[str]:
    """Makes ``folder``, or empties it if a demo made it, and holds it.

    Raises UsageError when it holds something else, or when a running demo holds it.
    """
    marker = folder / MARKER
    if marker.exists():
        lock = _lock(marker)
        if lock is None:
            raise UsageError(f"a demo is running in {folder}", hint="stop it, or choose another --dir")
        with lock:
            remove_folder(folder)
    elif folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", hint="choose another --dir")
    elif folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} holds files that no demo made", hint="choose an empty --dir, or a new one")
    folder.mkdir(parents=True, exist_ok=True)
    return _hold(folder)


def _hold(folder: Path) -> IO[str]:
    # Locked before it has its name, so that nobody takes a folder that is just being made for an abandoned one.
    before = folder / f"{MARKER}.new"
    lock = before.open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    before.rename(folder / MARKER)
    return lock


def _lock(marker: Path) -> IO[str] | None:
    """The lock goes with the process that held it, however that ended; None while it lives."""
    stream = marker.open("r+")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.close()
        return None
    return stream


def end_processes(folder: Path) -> None:
    """Ends the databases and gateways that run out of a world's folder, and waits until they are gone."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    told: set[int] = set()
    while running := _servers(folder):
        for pid, command in running.items():
            # An immediate shutdown reaches PostgreSQL's children, too.
            gently = Path(command[0]).name == "postgres" and time.monotonic() < deadline
            if pid not in told or not gently:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGQUIT if gently else signal.SIGKILL)
            told.add(pid)
        time.sleep(0.02)


def remove_folder(folder: Path) -> None:
    """Ends what runs out of a world's folder, and deletes it. Raises UsageError if something keeps it there."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while folder.exists():
        end_processes(folder)
        # A helper of a killed initdb does not name the folder; it writes on for a moment, until it notices.
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            if time.monotonic() > deadline:
                raise UsageError(f"{folder} cannot be removed", hint="remove it by hand")
            time.sleep(0.05)


def _servers(folder: Path) -> dict[int, list[str]]:
    """pid -> command line of every database server, its helpers, and every gateway that names the folder."""
    found = {}
    for pid, command in _processes():
        server = Path(command[0]).name in {"postgres", "initdb", "pg_ctl"} or "serve" in command
        if server and any(word.startswith(f"{folder}/") for word in command[1:]):
            found[pid] = command
    return found


def _processes() -> Iterator[tuple[int, list[str]]]:
    if Path("/proc/self/cmdline").exists():  # Linux, where a small image may lack ps(1); proc_pid_cmdline(5)
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if words := (entry / "cmdline").read_bytes().decode(errors="replace").split("\0"):
                    yield int(entry.name), words
        return
    listed = subprocess.run(["ps", "-A", "-ww", "-o", "pid=,command="], check=True, capture_output=True, text=True)
    for line in listed.stdout.splitlines():
        pid, _, command = line.strip().partition(" ")
        yield int(pid), command.split()
