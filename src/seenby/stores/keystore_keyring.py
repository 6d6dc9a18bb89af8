"""Generations of data keys: each wraps people's keys, and is itself wrapped by the KMS under a KEK of its own.

A generation is *live* (new rows are written under it), *closed* (another one is live), *retired* (no row is under it
any more) and at last *destroyed*: its KEK is gone from the KMS, and with it whatever an old backup holds.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import struct
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from seenby.errors import ConfigError, NotFound, Unavailable
from seenby.stores.keystore_rows import HEAD, ID, PLACE, generation_of, version_of
from seenby.stores.kms import NONCE, Kms

_DEK: Final = b"seenby/dek/v1\n"
_AAD: Final = b"seenby/person-key-wrap/v1\n"
_SECRETS: Final = struct.Struct(f">{len(_DEK)}sI32s32s")


@dataclass(frozen=True, slots=True)
class Generation:
    """Times are Unix seconds, None: not yet.

    Attributes:
        number: 1, 2, ...
        kek: its name in the KMS.
        wrapped: data key and index key, wrapped by the KMS; empty when destroyed.
    """

    number: int
    kek: str
    wrapped: bytes
    made: float
    closed: float | None = None
    retired: float | None = None
    destroyed: float | None = None


class Shelf(Protocol):
    """Where wrapped rows lie: a file or a database. Rows go in and out as blocks (keystore_rows).

    Every method may be called from any thread, blocks, and raises Unavailable or OSError when the place is not there.
    What changes something is durable when it returns.
    """

    def generations(self) -> list[Generation]:
        """By number. Empty: a new store."""

    def save(self, generations: Sequence[Generation]) -> None:
        """Adds or replaces generations, all or none. From then on ``add`` refuses what is closed."""

    def pages(self, rows: int) -> Iterator[bytes]:
        """All rows, sorted, in blocks of about so many."""

    def fetch(self, ids: Sequence[bytes]) -> bytes:
        """The rows of some people."""

    def add(self, rows: bytes, generation: int) -> bool:
        """Writes new rows, all under one generation. False, and nothing is written, if that one is closed.

        A row that is there already counts as written. Raises ConfigError if a person has another key of this version.
        """

    def replace(self, rows: bytes) -> None:
        """Puts rows in the place of those of the same person and version, where these still are."""

    def remove(self, ids: Sequence[bytes]) -> None:
        """Takes people's rows out."""

    def counts(self) -> dict[int, int]:
        """How many rows are under each generation."""

    def tidy(self) -> None:
        """Called when a rotation is through: what was replaced may go for good."""

    def rotating(self) -> AbstractContextManager[None]:
        """Held while generations change. Raises Unavailable if somebody else holds it."""

    def close(self) -> None: ...


class Keyring:
    """The data keys of a shelf, unwrapped, in memory.

    Raises ConfigError, from everything: the newest generation was destroyed, or a row was changed.
    """

    def __init__(self, shelf: Shelf, kms: Kms) -> None:
        self._shelf = shelf
        self._kms = kms
        self._ciphers: dict[int, AESGCM] = {}
        self._newest = 0
        self._index_key = b""

    def open(self, now: float, *, read_only: bool) -> None:
        """Unwraps the newest generation; makes the first one in a new store."""
        if not self._shelf.generations():
            if read_only:
                raise ConfigError("the key store is empty", hint="start the gateway once: it makes the first keys")
            if next(self._shelf.pages(1), b""):
                raise ConfigError(
                    "the generations of the key store are missing, but not its keys",
                    hint="restore the key store from its backup, all of it",
                )
            with self._shelf.rotating():
                if not self._shelf.generations():
                    self.begin(now)
        self.refresh()

    def refresh(self) -> None:
        """Takes up a new generation and lets destroyed ones go."""
        self.take(self.look())

    def look(self) -> tuple[dict[int, AESGCM], int]:
        """What there is today: slow, and changes nothing; for ``take``."""
        there = self._shelf.generations()
        newest = there[-1]
        if newest.destroyed is not None:
            raise _destroyed(newest)
        return {
            one.number: self._cipher(one) for one in there if one.destroyed is None and self._has(one)
        }, newest.number

    def take(self, found: tuple[dict[int, AESGCM], int], needed: Collection[int] = ()) -> None:
        """Goes over to what was found; ``needed``: generations that stay even if they are destroyed."""
        ciphers, newest = found
        self._ciphers = {number: self._ciphers[number] for number in needed if number in self._ciphers} | ciphers
        self._newest = newest

    def _has(self, one: Generation) -> bool:
        """Only the generations that rows may be under are unwrapped."""
        return one.retired is None or one.number in self._ciphers

    def _cipher(self, one: Generation) -> AESGCM:
        known = self._ciphers.get(one.number)
        if known is not None:
            return known
        try:
            opened = self._kms.unwrap(one.kek, one.wrapped)
        except NotFound as error:
            raise _destroyed(one) from error
        if len(opened) != _SECRETS.size or opened[: len(_DEK) + 4] != _DEK + one.number.to_bytes(4, "big"):
            raise ConfigError(f"generation {one.number} of the key store holds something else")
        _, _, dek, self._index_key = _SECRETS.unpack(opened)
        return AESGCM(dek)

    def begin(self, now: float) -> Generation:
        """A new live generation; the one before is closed. Only while ``Shelf.rotating`` is held."""
        there = self._shelf.generations()
        number = there[-1].number + 1 if there else 1
        index_key = self._index_key if there else os.urandom(32)
        kek = f"seenby-people-{number}-{secrets.token_hex(4)}"  # never a name again, whatever backup is restored
        self._kms.create(kek)
        wrapped = self._kms.wrap(kek, _SECRETS.pack(_DEK, number, os.urandom(32), index_key))
        made = Generation(number, kek, wrapped, now)
        self._shelf.save([*(replace(one, closed=now) for one in there if one.closed is None), made])
        return made

    @property
    def newest(self) -> int:
        return self._newest

    def id_of(self, person: str) -> bytes:
        """How the store names a person: nobody without the index key can tell who it is."""
        return hmac.digest(self._index_key, person.encode(), hashlib.sha256)[:ID]

    def wrap(self, id_: bytes, version: int, key: bytes, generation: int = 0) -> bytes:
        """A row under the newest generation, or the one that is named."""
        number = generation or self._newest
        nonce = os.urandom(NONCE)
        place = PLACE.pack(id_, version)
        sealed = self._ciphers[number].encrypt(nonce, key, _AAD + place)
        return HEAD.pack(id_, version, number) + nonce + sealed

    def holds(self, row: bytes) -> bool:
        """Whether the row's generation is at hand."""
        return generation_of(row) in self._ciphers

    def unwrap(self, row: bytes) -> bytes:
        """The key in a row."""
        cipher = self._ciphers.get(generation_of(row))
        if cipher is None:
            raise ConfigError(f"a person's key is wrapped under generation {generation_of(row)}, which is gone")
        nonce = HEAD.size + NONCE
        try:
            return cipher.decrypt(row[HEAD.size : nonce], row[nonce:], _AAD + row[: PLACE.size])
        except InvalidTag:
            raise ConfigError(
                "a person's key does not open: its row was changed", hint="restore the key store from its backup"
            ) from None

    def rewrap(self, row: bytes, generation: int) -> bytes:
        """The same key under this generation: the row itself if it is under it already."""
        if generation_of(row) == generation:
            return row
        return self.wrap(row[:ID], version_of(row), self.unwrap(row), generation)


def _destroyed(one: Generation) -> ConfigError:
    return ConfigError(
        f"the key {one.kek} of the key store's generation {one.number} was destroyed: nothing in it opens any more",
        hint="an old copy? use the key store of today; if it is today's, [keys] in seenby.toml names another KMS",
    )


def being_rotated() -> Unavailable:
    """What ``Shelf.rotating`` raises."""
    return Unavailable("the keys are being rotated by another process", hint="wait for it")


def written_twice() -> ConfigError:
    """What ``Shelf.add`` raises: going on would give these people two keys of one version."""
    return ConfigError(
        "another process has written keys of the same people into the key store",
        hint="one gateway for each key store; stop the other one",
    )
