"""The region's few secrets that are nobody's: the checkpoints' signing key, the epochs' keys for grants' documents.

One file each in a directory of mode 0700, wrapped by the KMS under a KEK that no rotation touches: a checkpoint key
must stay as long as the log, an epoch key as long as its records are kept. What is wrapped begins with the file's name,
so that none can be put in another's place.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from seenby.errors import ConfigError, NotFound
from seenby.stores.durable import create, sync_directory
from seenby.stores.kms import Kms

KEK: Final = "seenby-region"


class RegionSecrets:
    """Args: directory: holds ``checkpoint.key`` and ``epochs/202611``.

    Every method raises ConfigError, NotFound (the KEK is gone), Unavailable, OSError.
    """

    def __init__(self, directory: Path, kms: Kms, *, read_only: bool) -> None:
        self._directory = directory
        self._kms = kms
        self._read_only = read_only
        self._opened: dict[str, bytes] = {}

    def epoch_key(self, epoch: int) -> bytes:
        """Made (durably) if there is none."""
        return self._secret(f"epochs/{epoch}")

    def destroy_epoch_key(self, epoch: int) -> bool:
        """For good: a mark stays, so that no other key takes its place. False: there was none."""
        path = self._directory / f"epochs/{epoch}"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        create(_mark(path), b"")
        self._opened.pop(f"epochs/{epoch}", None)
        there = path.exists()
        if there:
            path.unlink()
            sync_directory(path.parent)
        return there

    def checkpoint_key(self) -> Ed25519PrivateKey:
        """Made (durably) at the first call."""
        return Ed25519PrivateKey.from_private_bytes(self._secret("checkpoint.key"))

    def _secret(self, name: str) -> bytes:
        known = self._opened.get(name)
        if known is None:
            path = self._directory / name
            if _mark(path).exists():
                raise NotFound(f"{path} was destroyed", hint="what it sealed cannot be opened any more")
            if not path.exists():
                if self._read_only:
                    raise ConfigError(f"{path} is missing", hint="check state in seenby.toml")
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                if KEK not in self._kms.names():
                    self._kms.create(KEK)
                create(path, self._kms.wrap(KEK, name.encode() + b"\n" + os.urandom(32)))
            opened = self._kms.unwrap(KEK, path.read_bytes())
            if len(opened) < 32 or opened[:-32] != name.encode() + b"\n":
                raise ConfigError(f"{path} holds something else", hint="restore it from its backup")
            known = self._opened[name] = opened[-32:]
        return known


def _mark(path: Path) -> Path:
    return path.with_name(f"{path.name}.destroyed")
