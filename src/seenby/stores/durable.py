"""Files that must survive a crash: whole writes, new files, directories. All raise OSError."""

from __future__ import annotations

import os
from pathlib import Path


def write_all(file: int, data: bytes) -> None:
    """os.write until everything is written (a full disk may take only a part)."""
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def create(path: Path, data: bytes) -> None:
    """A new file of mode 0600, whole or not at all, on disk when this returns."""
    replace(path.with_name(f".{path.name}.new"), path, data, mode=0o600)
    sync_directory(path.parent)


def replace(temporary: Path, path: Path, data: bytes, *, mode: int = 0o644, sync: bool = True) -> None:
    """Writes ``temporary`` and renames it to ``path``: a reader sees the old file or the new one, never a part."""
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        write_all(file, data)
        if sync:
            os.fsync(file)
    finally:
        os.close(file)
    os.rename(temporary, path)


def sync_directory(directory: Path) -> None:
    """Makes names that were added to or removed from a directory durable."""
    file = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
