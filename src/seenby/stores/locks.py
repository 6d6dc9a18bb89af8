"""Who may write a ledger: two files under ``private`` with flock(2), which end with the processes that hold them.

``lock`` is the writer's. ``integrating.lock`` is its too, and its child's (``stores/apart.py``), which may outlive a
writer that was killed.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Final

from seenby.errors import LedgerFailed

WAIT: Final = 30.0
"""Seconds that a new writer waits for the child of one that was killed: it ends with the request it works on."""


class FileLock:
    """Attributes: ``file``: the descriptor; whoever inherits it holds the lock too."""

    def __init__(self, path: Path, taken: LedgerFailed, wait: float = 0.0) -> None:
        """Raises ``taken`` if another process holds it for longer than ``wait`` seconds; OSError."""
        self.file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        ends = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() >= ends:
                    os.close(self.file)
                    raise taken from None
                time.sleep(0.02)

    def close(self) -> None:
        os.close(self.file)


def writer_lock(private: Path) -> FileLock:
    taken = LedgerFailed(
        f"another process writes the ledger in {private.parent}",
        hint="a ledger has one writer; stop the other gateway first",
    )
    return FileLock(private / "lock", taken)


def integrating_lock(private: Path, wait: float = WAIT) -> FileLock:
    taken = LedgerFailed(
        f"a process that an earlier gateway left still writes in {private}",
        hint="look for seenby.stores.apart among the processes and end it",
    )
    return FileLock(private / "integrating.lock", taken, wait)
