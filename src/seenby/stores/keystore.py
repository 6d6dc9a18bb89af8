"""The region's keys: one for every person, and the region's own. What lies on disk opens with the KMS alone.

People's keys are kept in memory, wrapped, and unwrapped one by one when they are needed; they lie in a file or in a
database (``Shelf``). Making a key takes two steps, so that many are written at once: ``person_key`` answers at once and
queues the row, ``flush`` makes everything queued durable. The ledger's writer flushes before it writes the entries that
use the keys. docs/formats/ledger.md, "Key store"; docs/adr/0009.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from seenby.errors import ConfigError, UsageError
from seenby.stores import keystore_rotation as rotation
from seenby.stores.keystore_file import FileShelf
from seenby.stores.keystore_keyring import Generation, Keyring, Shelf
from seenby.stores.keystore_rotation import OnProgress, Upkeep
from seenby.stores.keystore_rows import ID, PLACE, Table, generation_of, rows_of, version_of
from seenby.stores.keystore_secrets import RegionSecrets
from seenby.stores.kms import Kms
from seenby.stores.kms_file import FileKms
from seenby_verify.tlog.checkpoint import VerifierKey

CACHED_PEOPLE: Final = 10_000_000
MAX_VERSION: Final = 255
PAGE: Final = 50_000


@dataclass(frozen=True, slots=True)
class PersonKey:
    """32 random bytes, and which of the person's keys they are (1, 2, ...). ``fresh``: made by this very call."""

    version: int
    key: bytes = field(repr=False)
    fresh: bool = field(default=False, compare=False)


class KeyStore:
    """See the module. Look-ups are for one thread (the loop's). ``flush``, ``forget``, ``refresh`` and the rotation
    block, and may be called from any.

    Args:
        shelf, kms, secrets: where people's rows lie, what opens them, and the region's own keys.
        read_only: for tools beside a running gateway: nothing is made, and only what is asked for is read.
        cached_people: how many keys are held in memory. If there are more, a person who is not among them costs one
            fetch, and ``prefetch`` makes it one for many.
        clock: Unix seconds.
    """

    def __init__(
        self,
        shelf: Shelf,
        kms: Kms,
        secrets: RegionSecrets,
        *,
        read_only: bool = False,
        cached_people: int = CACHED_PEOPLE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._shelf = shelf
        self._kms = kms
        self._clock = clock
        self._keyring = Keyring(shelf, kms)
        self._secrets = secrets
        self._read_only = read_only
        self._limit = cached_people
        self._table = Table()
        self._queued: dict[bytes, bytes] = {}  # id and version -> row that is not durable yet
        self._erasures = 0
        self._tables = Lock()  # of what is in memory; held for moments. Taken after the other one, never before
        self._writing = Lock()  # held while the shelf changes
        self._whole = False
        try:
            self._keyring.open(clock(), read_only=read_only)
            self._loaded = self._keyring.newest  # the generation that was the newest when the rows were read
            if not read_only:
                self._load()
        except BaseException:
            shelf.close()
            raise

    @classmethod
    def open(cls, directory: Path, *, read_only: bool = False, kms: Kms | None = None) -> KeyStore:
        """The key store in a directory, with people's keys in a file there; made if it is not there.

        Args:
            kms: by default the directory ``kms`` beside it.

        Raises ConfigError if the directory is open to others, missing (read only) or damaged.
        """
        shelf = FileShelf(directory, read_only=read_only)
        kms = FileKms(directory.parent / "kms") if kms is None else kms
        return cls(shelf, kms, RegionSecrets(directory, kms, read_only=read_only), read_only=read_only)

    def _load(self) -> None:
        """Reads every row, or as many as are held. With ``_writing`` held: then what is not on the shelf is queued."""
        table = Table()
        whole = True
        for page in self._shelf.pages(PAGE):
            table.fill(page)
            if len(table) > self._limit:
                whole = False
                break
        with self._tables:
            for row in self._queued.values():
                table.put(row)
            self._table, self._whole = table, whole

    def __len__(self) -> int:
        """How many keys are in memory."""
        return len(self._table)

    # --- people

    def person_key(self, person: str) -> PersonKey:
        """The person's newest key ("account:42"), made now if there is none. A new one counts only after ``flush``.

        Raises ConfigError: the row does not open, or the store is read only. Unavailable: it cannot be fetched.
        """
        id_ = self._keyring.id_of(person)
        rows = self._rows(id_)
        if rows:
            return PersonKey(version_of(rows[-1]), self._key(rows[-1]))
        return self._make(id_, 1)

    def person_keys(self, people: Sequence[str]) -> list[PersonKey]:
        """``person_key`` of each, at several times the speed: for enrolling many."""
        ids = [self._keyring.id_of(person) for person in people]
        missing = self._missing(ids)
        pool = os.urandom(32 * len(missing))
        if missing and self._read_only:
            raise _read_only()
        keys = {id_: pool[at * 32 : at * 32 + 32] for at, id_ in enumerate(sorted(missing))}
        with self._tables:
            rows = {PLACE.pack(id_, 1): self._keyring.wrap(id_, 1, key) for id_, key in keys.items()}
            self._table.fill(b"".join(rows.values()))
            self._queued.update(rows)
        answers = []
        for id_ in ids:
            key = keys.get(id_)
            if key is None:
                newest = self._rows(id_)[-1]
                answers.append(PersonKey(version_of(newest), self._key(newest)))
            else:
                answers.append(PersonKey(1, key, id_ in missing))
                missing.discard(id_)
        return answers

    def renew(self, person: str) -> PersonKey:
        """A new version of a person's key; the older ones go on opening what they sealed. Counts after ``flush``."""
        id_ = self._keyring.id_of(person)
        rows = self._rows(id_)
        version = version_of(rows[-1]) + 1 if rows else 1
        if version > MAX_VERSION:
            raise UsageError(f"a person has at most {MAX_VERSION} keys", hint="erase the key instead")
        return self._make(id_, version)

    def known_keys(self, person: str) -> list[PersonKey]:
        """Every key that this person has or had, oldest first; empty if there is none."""
        return [PersonKey(version_of(row), self._key(row)) for row in self._rows(self._keyring.id_of(person))]

    def without_key(self, people: Iterable[str]) -> list[str]:
        """Those of ``people`` who have no key. One fetch at most. Raises Unavailable."""
        names = {self._keyring.id_of(person): person for person in people}
        missing = self._missing(list(names))
        return [name for id_, name in names.items() if id_ in missing]

    def prefetch(self, people: Sequence[str]) -> None:
        """Brings many people's keys into memory with one fetch; free when all are there. Raises Unavailable."""
        if not self._whole:
            self._missing([self._keyring.id_of(person) for person in people])

    def _missing(self, ids: Sequence[bytes]) -> set[bytes]:
        with self._tables:
            missing = {id_ for id_ in ids if id_ not in self._table}
        if missing and not self._whole:
            missing -= self._fetch(missing).keys()
        return missing

    def forget(self, people: Sequence[str]) -> None:
        """Erases every key of these people; durable when this returns. Blocks: use a thread. Raises Unavailable."""
        if self._read_only:
            raise _read_only()
        ids = [self._keyring.id_of(person) for person in people]
        with self._writing:
            self._shelf.remove(ids)
            with self._tables:
                self._erasures += 1
                for id_ in ids:
                    self._table.remove(id_)
                gone = set(ids)
                self._queued = {place: row for place, row in self._queued.items() if place[:ID] not in gone}

    def flush(self) -> None:
        """Makes every key handed out so far durable. May be called from another thread.

        Raises Unavailable, OSError (they are still queued then), ConfigError (another process writes here too).
        """
        if not self._queued:
            return
        with self._writing:
            with self._tables:
                queued = [self._queued[place] for place in sorted(self._queued)]
            while True:
                newest = self._keyring.newest
                rows = b"".join([self._keyring.rewrap(row, newest) for row in queued])
                if self._shelf.add(rows, newest):
                    break
                self._take_up()
            with self._tables:
                for old, row in zip(queued, rows_of(rows), strict=True):
                    self._queued.pop(row[: PLACE.size], None)
                    if old != row:
                        self._table.put(row)

    def _make(self, id_: bytes, version: int) -> PersonKey:
        if self._read_only:
            raise _read_only()
        key = os.urandom(32)
        with self._tables:
            row = self._keyring.wrap(id_, version, key)
            self._table.put(row)
            self._queued[row[: PLACE.size]] = row
        return PersonKey(version, key, True)

    def _key(self, row: bytes) -> bytes:
        if not self._keyring.holds(row):  # another process has rotated and destroyed: the row of today opens
            self.refresh()
            if not self._keyring.holds(row):
                row = next((one for one in self._rows(row[:ID]) if one[: PLACE.size] == row[: PLACE.size]), row)
        return self._keyring.unwrap(row)

    def _rows(self, id_: bytes) -> list[bytes]:
        with self._tables:
            rows = self._table.get(id_)
        if rows or self._whole:
            return rows
        return self._fetch([id_]).get(id_, [])

    def _fetch(self, ids: Iterable[bytes]) -> dict[bytes, list[bytes]]:
        """Rows from the shelf into memory, and those that are queued still."""
        wanted = set(ids)
        while True:
            with self._tables:  # before the fetch: what is written in between is then in one of the two
                erasures = self._erasures
                queued = [row for row in self._queued.values() if row[:ID] in wanted]
            block = self._shelf.fetch(list(wanted))
            with self._tables:
                if erasures != self._erasures:  # else somebody who was erased meanwhile would be back
                    continue
                while not self._whole and len(self._table) + len(wanted) > self._limit and len(self._table):
                    self._table.evict()
                for row in [*rows_of(block), *queued]:
                    self._table.put(row)
                return {id_: rows for id_ in wanted if (rows := self._table.get(id_))}

    # --- upkeep

    def refresh(self) -> None:
        """Takes up what another process has rotated, and lets destroyed generations go. Raises Unavailable."""
        self._take_up()
        if self._loaded != self._keyring.newest:
            self._reload()

    def _take_up(self) -> None:
        """Generations as they are today, and those under which rows are queued: ``flush`` wraps these anew."""
        found = self._keyring.look()
        with self._tables:
            self._keyring.take(found, {generation_of(row) for row in self._queued.values()})

    def _reload(self) -> None:
        with self._writing:
            self._loaded = self._keyring.newest
            if self._read_only:
                with self._tables:
                    self._table = Table()
            else:
                self._load()

    def rotate(self, *, progress: OnProgress = rotation.quietly) -> Generation:
        """Wraps every key under a new generation (keystore_rotation.rotate); the gateway may go on meanwhile."""
        if self._read_only:
            raise _read_only()
        made = rotation.rotate(self._shelf, self._kms, self._clock(), progress=progress)
        self._take_up()
        self._reload()
        return made

    def rotate_when_due(
        self, rotate_days: float, destroy_after_days: float, *, progress: OnProgress = rotation.quietly
    ) -> Upkeep:
        """What a gateway does once an hour, in a thread: takes up what others rotated, rotates, destroys.

        Args:
            rotate_days, destroy_after_days: how old the live generation may become; how long a retired one stays.

        Raises Unavailable (another process is at it, or database or KMS is not there: try again later), ConfigError.
        """
        self.refresh()
        made = None
        if rotation.rotation_due(self._shelf, self._clock(), rotate_days):
            made = self.rotate(progress=progress)
        return Upkeep(made, self.destroy_old(destroy_after_days))

    def destroy_old(self, days: float) -> list[Generation]:
        """Destroys generations that retired ``days`` ago or earlier (keystore_rotation.destroy_old); returns them."""
        if self._read_only:
            raise _read_only()
        gone = rotation.destroy_old(self._shelf, self._kms, self._clock(), days)
        if gone:
            self._take_up()
        return gone

    # --- the region's own

    def epoch_key(self, epoch: int) -> bytes:
        """The epoch's key for grants' documents, made (durably) if there is none. Raises ConfigError, OSError."""
        return self._secrets.epoch_key(epoch)

    def destroy_epoch_key(self, epoch: int) -> bool:
        """At the end of retention. From then on ``epoch_key`` raises NotFound. False: there was none."""
        return self._secrets.destroy_epoch_key(epoch)

    def checkpoint_key(self) -> Ed25519PrivateKey:
        """The key that signs checkpoints, made (durably) at the first call. Raises ConfigError, OSError."""
        return self._secrets.checkpoint_key()

    def verifier_key(self, origin: str) -> VerifierKey:
        """What strangers must be given: the public half of the checkpoint key under the log's name."""
        return VerifierKey(origin, self.checkpoint_key().public_key().public_bytes_raw())

    def close(self) -> None:
        """Lets the shelf go; queued keys that nobody flushed are forgotten."""
        self._shelf.close()


def _read_only() -> ConfigError:
    return ConfigError("this key store was opened to be read only")
