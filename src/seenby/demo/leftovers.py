"""A world's folder: who holds it, and the end of what a killed demo left behind."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from seenby.errors import UsageError

MARKER = ".seenby-demo"
PREFIX = "seenby-demo-"
PID_FILES = ("*/pg/data/postmaster.pid", "*/gateway.pid")
KILL_SECONDS = 10.0


def fresh_folder() -> tuple[Path, IO[str]]:
    """A new folder among the system's temporary files, held. Removes what killed demos of this user left there."""
    for marker in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{MARKER}"):
        with suppress(OSError):
            if marker.stat().st_uid == os.geteuid() and (lock := _lock(marker)):
                with lock:
                    end_processes(marker.parent)
                    shutil.rmtree(marker.parent)
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
            end_processes(folder)
            shutil.rmtree(folder)
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
    """Ends the databases and gateways whose pid files lie in a world's folder, and waits until they are gone."""
    pids = [pid for pattern in PID_FILES for file in folder.glob(pattern) if (pid := _pid_of(file, folder))]
    for pid in pids:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGQUIT)  # both lead their own group; for PostgreSQL: immediate shutdown
    deadline = time.monotonic() + KILL_SECONDS
    for pid in pids:
        while _command(pid):
            if time.monotonic() > deadline:
                with suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)
            time.sleep(0.02)


def _pid_of(file: Path, folder: Path) -> int:
    """The pid that a file names, 0 unless that process's command line names the folder (pids are used again)."""
    try:
        pid = int(file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 0
    return pid if str(folder) in _command(pid) else 0


def _command(pid: int) -> str:
    """Its command line, "" when there is no such process (or only a zombie of it)."""
    if Path("/proc/self/cmdline").exists():  # Linux, where a small image may lack ps(1); proc_pid_cmdline(5)
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    found = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], check=False, capture_output=True, text=True)
    return "" if "<defunct>" in found.stdout else found.stdout.strip()
