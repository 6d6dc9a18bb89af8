"""A KMS in a directory: one file of 32 bytes for each KEK. For the demo, tests and a single machine.

It protects as far as the directory is kept apart from what the keys wrap, and out of every backup.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from seenby.errors import ConfigError, NotFound, Unavailable
from seenby.stores.durable import create, sync_directory, write_all
from seenby.stores.kms import NONCE, checked_name

SUFFIX: Final = ".kek"


class FileKms:
    """Args: directory: of mode 0700, made with the first key. Raises ConfigError if it is open to others."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        try:
            if directory.exists() and directory.stat().st_mode & 0o077:
                raise ConfigError(f"the keys in {directory} are open to others", hint=f"chmod 700 {directory}")
        except OSError as error:
            raise self._unavailable(error) from None

    def create(self, name: str) -> None:
        path = self._path(name)
        if path.exists():
            raise ConfigError(f"there is a key {name} already", hint=f"look into {self.directory}")
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            create(path, os.urandom(32))
        except OSError as error:
            raise self._unavailable(error) from None

    def wrap(self, name: str, data: bytes) -> bytes:
        nonce = os.urandom(NONCE)
        return nonce + AESGCM(self._key(name)).encrypt(nonce, data, name.encode())

    def unwrap(self, name: str, wrapped: bytes) -> bytes:
        cipher = AESGCM(self._key(name))
        try:
            return cipher.decrypt(wrapped[:NONCE], wrapped[NONCE:], name.encode())
        except (InvalidTag, ValueError):
            raise ConfigError(f"what is wrapped under the key {name} does not open", hint="it was changed") from None

    def destroy(self, name: str) -> None:
        """Overwrites, then unlinks. Enough for a plain file system; not for one that copies on write, nor for flash."""
        path = self._path(name)
        try:
            file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                write_all(file, os.urandom(32))
                os.fsync(file)
            finally:
                os.close(file)
            path.unlink()
            sync_directory(self.directory)
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._unavailable(error) from None

    def names(self) -> list[str]:
        return sorted(path.name.removesuffix(SUFFIX) for path in self.directory.glob(f"[a-z0-9]*{SUFFIX}"))

    def _path(self, name: str) -> Path:
        return self.directory / (checked_name(name) + SUFFIX)

    def _key(self, name: str) -> bytes:
        path = self._path(name)
        try:
            key = path.read_bytes()
        except FileNotFoundError:
            raise NotFound(
                f"the KMS has no key {name}", hint="it was destroyed, or [keys] kms names another KMS"
            ) from None
        except OSError as error:
            raise self._unavailable(error) from None
        if len(key) != 32:
            raise ConfigError(f"{path} does not hold 32 bytes")
        return key

    def _unavailable(self, error: OSError) -> Unavailable:
        return Unavailable(f"the keys in {self.directory} cannot be used: {error.strerror or error}")
