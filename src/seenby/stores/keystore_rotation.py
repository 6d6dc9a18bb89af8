"""Rotation of the key-encryption keys, and their destruction: what ends the keys in old backups (docs/adr/0009).

Whoever is erased today is in yesterday's backup, wrapped under a generation that is live today. A rotation ends that
generation within ``rotate_days``, and its KEK is destroyed ``destroy_after_days`` later: from that day on no copy of
the store that was made before the erasure opens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from seenby.errors import ConfigError
from seenby.stores.keystore_keyring import Generation, Keyring, Shelf
from seenby.stores.keystore_rows import ROW, generation_of, rows_of
from seenby.stores.kms import Kms

DAY: Final = 86400.0
PAGE: Final = 10_000
OnProgress = Callable[[int, int], None]
"""Called with how many rows were looked at, and how many there are."""


def quietly(_done: int, _all: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A generation and how many rows are under it."""

    generation: Generation
    rows: int


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What ``KeyStore.rotate_when_due`` did: the generation it made, and those it destroyed."""

    made: Generation | None
    destroyed: list[Generation]


def status(shelf: Shelf) -> list[Standing]:
    """Every generation there ever was."""
    counts = shelf.counts()
    return [Standing(one, counts.get(one.number, 0)) for one in shelf.generations()]


def rotate(
    shelf: Shelf,
    kms: Kms,
    now: float,
    *,
    progress: OnProgress = quietly,
) -> Generation:
    """Makes a new generation and wraps every row under it; returns it. A rotation that broke off is finished instead.

    A gateway may go on meanwhile: it takes up the new generation when it next writes a key.

    Args:
        now: Unix seconds.

    Raises Unavailable if another process rotates, or database or KMS is not there.
    """
    with shelf.rotating():
        keyring = Keyring(shelf, kms)
        keyring.open(now, read_only=True)
        if not _unfinished(shelf):
            keyring.begin(now)
            keyring.refresh()
        total, done = sum(shelf.counts().values()), 0
        progress(0, total)
        for page in shelf.pages(PAGE):
            old = [row for row in rows_of(page) if generation_of(row) != keyring.newest]
            if old:
                shelf.replace(b"".join([keyring.rewrap(row, keyring.newest) for row in old]))
            done += len(page) // ROW
            progress(done, total)
        shelf.tidy()
        left = shelf.counts()
        there = shelf.generations()
        shelf.save(
            [
                replace(one, retired=now)
                for one in there[:-1]
                if one.retired is None and not left.get(one.number) and one.closed is not None
            ]
        )
        return there[-1]


def _unfinished(shelf: Shelf) -> bool:
    return any(one.closed is not None and one.retired is None for one in shelf.generations())


def rotation_due(shelf: Shelf, now: float, days: float) -> bool:
    """Whether the live generation is ``days`` old, or a rotation broke off."""
    return _unfinished(shelf) or now - shelf.generations()[-1].made >= days * DAY


def destroy_old(shelf: Shelf, kms: Kms, now: float, days: float) -> list[Generation]:
    """Destroys the KEKs of generations that were retired ``days`` ago or earlier; returns them.

    Raises ConfigError if a row is still under one of them: then nothing is destroyed.
    """
    if not _due(shelf, now, days):
        return []
    with shelf.rotating():
        due = _due(shelf, now, days)
        counts = shelf.counts()
        for one in due:
            if counts.get(one.number):
                raise ConfigError(
                    f"{counts[one.number]} keys are under generation {one.number}, which is retired: it stays",
                    hint="run `seenby keys rotate`",
                )
        gone = []
        for one in due:
            kms.destroy(one.kek)
            gone.append(replace(one, wrapped=b"", destroyed=now))
            shelf.save(gone[-1:])
        return gone


def _due(shelf: Shelf, now: float, days: float) -> list[Generation]:
    return [
        one
        for one in shelf.generations()
        if one.destroyed is None and one.retired is not None and now - one.retired >= days * DAY
    ]
