"""Whether the platform's schema is being changed: one small file, there from the beginning of a migration to its end.

``state/migration.json``, mode 0600. A gateway that is killed in between finds it when it starts. ::

    {"v": 1, "by": "root.ops", "at": 1795338000, "minutes": 60, "reason": "phone numbers become text"}
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from seenby.errors import ConfigError, Unavailable
from seenby.stores.durable import create, sync_directory


@dataclass(frozen=True, slots=True)
class OpenMigration:
    """``by``: who began it; ``at``: when, Unix seconds; ``minutes``: how long it should take at most."""

    by: str
    at: int
    minutes: int
    reason: str

    @property
    def until(self) -> int:
        """Unix seconds."""
        return self.at + 60 * self.minutes


class MigrationFile:
    """Durable when ``open`` or ``close`` returns. Both raise Unavailable when the disk refuses."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> OpenMigration | None:
        """The migration that is open. Raises ConfigError if the file is damaged: nobody may take that for "none"."""
        try:
            found = json.loads(self._path.read_bytes())
            if found.pop("v") != 1:
                raise ValueError("not version 1")
            read = OpenMigration(**found)
            if [type(one) for one in asdict(read).values()] != [str, int, int, str]:
                raise ValueError("a member is of another type")
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError, AttributeError, OSError) as error:
            raise ConfigError(
                f"{self._path} cannot be read",
                hint="it says that the platform's schema is being changed; delete it when that is over",
                detail=str(error),
            ) from None
        return read

    def open(self, migration: OpenMigration) -> None:
        with self._told():
            create(self._path, json.dumps({"v": 1, **asdict(migration)}).encode())

    def close(self) -> None:
        """Also when somebody deleted the file meanwhile: nobody could end the migration otherwise."""
        with self._told():
            self._path.unlink(missing_ok=True)
            sync_directory(self._path.parent)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise Unavailable(
                f"{self._path} cannot be changed: {error.strerror or error}",
                hint="put right the disk or the folder's permissions, then ask again",
            ) from None
