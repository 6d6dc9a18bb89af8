"""Requests to erase people's keys that wait for their batch: one small file, gone from it only when it is done.

``state/erasures.json``, mode 0600, outside of the ledger: it names people, and nothing in a ledger does. ::

    {"v": 1, "waiting": [{"person": "account:42", "by": "dora", "at": 1795338000}]}
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from seenby.errors import ConfigError
from seenby.stores.durable import create


@dataclass(frozen=True, slots=True)
class Waiting:
    """Somebody's key is to go. ``by``: who asked; ``at``: when, Unix seconds."""

    person: str
    by: str
    at: float


class ErasureQueue:
    """What waits is durable when ``add`` returns. Not thread safe. Methods raise OSError.

    Attributes:
        waiting: by person, oldest first.
    """

    def __init__(self, path: Path) -> None:
        """Raises ConfigError if the file is damaged: then somebody would wait for ever without knowing."""
        self._path = path
        self.waiting: dict[str, Waiting] = {}
        try:
            found = json.loads(path.read_bytes())
            if found["v"] != 1:
                raise ValueError
            self.waiting = {one["person"]: Waiting(one["person"], one["by"], one["at"]) for one in found["waiting"]}
        except FileNotFoundError:
            pass
        except (ValueError, TypeError, KeyError, OSError) as error:
            raise ConfigError(
                f"{path} cannot be read",
                hint="it holds who waits to be erased; repair it, or delete it and ask for the erasures again",
                detail=str(error),
            ) from None

    def add(self, people: Iterable[str], by: str, at: float) -> None:
        """Who waits already goes on waiting as before."""
        for person in people:
            self.waiting.setdefault(person, Waiting(person, by, at))
        self._save()

    def done(self, people: Collection[str]) -> None:
        """Their keys are gone."""
        for person in people:
            self.waiting.pop(person, None)
        self._save()

    def _save(self) -> None:
        if not self.waiting:
            if self._path.exists():
                os.unlink(self._path)
            return
        rows = [asdict(one) for one in self.waiting.values()]
        create(self._path, json.dumps({"v": 1, "waiting": rows}).encode())


def next_batch(after: float, every_minutes: int) -> float:
    """The first time of the grid after ``after``, in Unix seconds: for 1440 minutes, the next midnight UTC."""
    step = every_minutes * 60
    return (math.floor(after / step) + 1) * step
