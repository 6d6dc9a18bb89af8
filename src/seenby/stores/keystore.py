"""The region's secrets in one directory of mode 0700: person keys, epoch keys, the checkpoints' signing key.

``persons.keys`` only grows (docs/formats/ledger.md, "Key store"); it is read whole at start. Making a key takes two
steps, so that many are synced at once: ``person_key`` answers at once and queues the record, ``flush`` makes everything
queued durable. The ledger's writer flushes before it writes the entries that use the keys.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from seenby.errors import ConfigError
from seenby.stores.durable import create, sync_directory, write_all
from seenby_verify.tlog.checkpoint import VerifierKey

MAGIC: Final = b"seenby/persons/1"
BATCH: Final = b"SBk1"
_HEAD: Final = struct.Struct(">4sI")
_HEAD_BYTES: Final = _HEAD.size + 4


@dataclass(frozen=True, slots=True)
class PersonKey:
    """32 random bytes, and which of the person's keys they are (1, 2, ...)."""

    version: int
    key: bytes


def _stored_id(person: str) -> bytes:
    name = person.encode()
    return name if len(name) <= 255 else b"#" + hashlib.sha256(name).hexdigest().encode()


def encode_key(person: str, key: PersonKey) -> bytes:
    """One key record."""
    name = _stored_id(person)
    return bytes([len(name)]) + name + bytes([key.version]) + key.key


def encode_batch(records: bytes) -> bytes:
    head = _HEAD.pack(BATCH, len(records))
    return b"".join((head, zlib.crc32(head).to_bytes(4, "big"), records, zlib.crc32(records).to_bytes(4, "big")))


class KeyStore:
    """See the module. One process writes; ``read_only`` is for tools beside a running gateway."""

    def __init__(self, directory: Path, *, read_only: bool) -> None:
        self.directory = directory
        self._read_only = read_only
        self._keys: dict[bytes, bytes] = {}  # stored id -> version byte and key, of the highest version
        self._older: dict[bytes, list[bytes]] = {}
        self._queued: deque[bytes] = deque()
        self._file = -1
        self._epochs: dict[int, bytes] = {}

    @classmethod
    def open(cls, directory: Path, *, read_only: bool = False) -> KeyStore:
        """Opens the store, and makes it if it is not there.

        Raises ConfigError if the directory is open to others, missing (read only) or damaged.
        """
        store = cls(directory, read_only=read_only)
        try:
            if not read_only:
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                (directory / "epochs").mkdir(mode=0o700, exist_ok=True)
            if directory.stat().st_mode & 0o077:
                raise ConfigError(f"the key store {directory} is open to others", hint=f"chmod 700 {directory}")
            store._load(directory / "persons.keys")
        except OSError as error:
            raise ConfigError(
                f"the key store {directory} cannot be opened", hint="check keys_dir in seenby.toml", detail=str(error)
            ) from None
        return store

    def _load(self, path: Path) -> None:
        data = path.read_bytes() if path.exists() else b""
        end = self._parse(data, path)
        if self._read_only:
            return
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._file, end)
        os.lseek(self._file, end, os.SEEK_SET)
        if not end:
            write_all(self._file, MAGIC)
        os.fsync(self._file)
        sync_directory(self.directory)

    def _parse(self, data: bytes, path: Path) -> int:
        """Fills the table; answers where the intact part ends. Only the last batch may be torn."""
        if len(data) < len(MAGIC):
            return 0
        if not data.startswith(MAGIC):
            raise ConfigError(f"{path} is not a file of person keys")
        at = len(MAGIC)
        while at < len(data):
            start = at + _HEAD_BYTES
            intact = _head_stands(data, at)
            end = start + int.from_bytes(data[at + 4 : at + 8], "big") + 4 if intact else len(data)
            records = data[start : end - 4]
            if not intact or end > len(data) or zlib.crc32(records) != int.from_bytes(data[end - 4 : end], "big"):
                if end >= len(data) and not _head_follows(data, at + 1):
                    return at
                raise ConfigError(
                    f"{path} is damaged at byte {at}", hint="restore the key store from its backup", detail="CRC-32"
                )
            self._remember_all(records)
            at = end
        return at

    def _remember_all(self, records: bytes) -> None:
        at, total = 0, len(records)
        while at < total:
            middle = at + 1 + records[at]
            self._remember(records[at + 1 : middle], records[middle : middle + 33])
            at = middle + 33

    def _remember(self, name: bytes, value: bytes) -> None:
        known = self._keys.get(name)
        if known is not None:
            self._older.setdefault(name, []).append(min(known, value))
            value = max(known, value)
        self._keys[name] = value

    def __len__(self) -> int:
        return len(self._keys)

    def person_key(self, person: str) -> PersonKey:
        """The person's newest key ("account:42"), made now if there is none. A new one counts only after ``flush``."""
        name = _stored_id(person)
        value = self._keys.get(name)
        if value is None:
            if self._read_only:
                raise ConfigError("this key store was opened to be read only")
            key = PersonKey(1, os.urandom(32))
            self._queued.append(encode_key(person, key))
            self._keys[name] = b"\x01" + key.key
            return key
        return PersonKey(value[0], value[1:])

    def known_keys(self, person: str) -> list[PersonKey]:
        """Every key that this person has or had, oldest first; empty if there is none."""
        name = _stored_id(person)
        newest = self._keys.get(name)
        values = sorted([*self._older.get(name, ()), *([] if newest is None else [newest])])
        return [PersonKey(value[0], value[1:]) for value in values]

    def flush(self) -> None:
        """Makes every key handed out so far durable. May be called from another thread. Raises OSError."""
        if not self._queued:
            return
        records = []
        while self._queued:
            records.append(self._queued.popleft())
        write_all(self._file, encode_batch(b"".join(records)))
        os.fdatasync(self._file)

    def epoch_key(self, epoch: int) -> bytes:
        """The epoch's key for auditors, made (durably) if there is none. Raises ConfigError, OSError."""
        key = self._epochs.get(epoch)
        if key is None:
            path = self.directory / "epochs" / str(epoch)
            if not path.exists():
                if self._read_only:
                    raise ConfigError(f"the key store has no key for the epoch {epoch}")
                create(path, os.urandom(32))
            key = path.read_bytes()
            if len(key) != 32:
                raise ConfigError(f"{path} does not hold 32 bytes", hint="restore the key store from its backup")
            self._epochs[epoch] = key
        return key

    def checkpoint_key(self) -> Ed25519PrivateKey:
        """The key that signs checkpoints, made (durably) at the first call. Raises ConfigError, OSError."""
        path = self.directory / "checkpoint.key"
        if not path.exists():
            if self._read_only:
                raise ConfigError(f"{path} is missing", hint="check keys_dir in seenby.toml")
            new = Ed25519PrivateKey.generate()
            create(path, new.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        try:
            key = load_pem_private_key(path.read_bytes(), None)
        except ValueError:
            raise ConfigError(f"{path} is not a private key in PEM") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigError(f"{path} is not an Ed25519 key")
        return key

    def verifier_key(self, origin: str) -> VerifierKey:
        """What strangers must be given: the public half of the checkpoint key under the log's name."""
        return VerifierKey(origin, self.checkpoint_key().public_key().public_bytes_raw())

    def close(self) -> None:
        """Closes the file; queued keys that nobody flushed are forgotten."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _head_stands(data: bytes, at: int) -> bool:
    if at + _HEAD_BYTES > len(data) or data[at : at + 4] != BATCH:
        return False
    return zlib.crc32(data[at : at + 8]) == int.from_bytes(data[at + 8 : at + 12], "big")


def _head_follows(data: bytes, at: int) -> bool:
    while (at := data.find(BATCH, at)) >= 0:
        if _head_stands(data, at):
            return True
        at += 1
    return False
