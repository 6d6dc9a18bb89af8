"""The KMS: keeps key-encryption keys (KEKs) by name. What they wrap lies elsewhere; without its KEK it is noise.

All that the key store writes is wrapped under one of these keys, directly or through a data key (docs/adr/0009).
A wrapped value is ``nonce[12] || AES-256-GCM(KEK, nonce, data, aad = name)``, whichever implementation made it.
"""

from __future__ import annotations

import re
from typing import Final, Protocol

from seenby.errors import UsageError

NONCE: Final = 12
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")


class Kms(Protocol):
    """All methods may be called from any thread. All raise Unavailable when the KMS cannot be reached."""

    def create(self, name: str) -> None:
        """Makes a KEK, durable when this returns. Raises ConfigError if there is one of this name."""

    def wrap(self, name: str, data: bytes) -> bytes:
        """Encrypts. Raises NotFound if there is no such KEK."""

    def unwrap(self, name: str, wrapped: bytes) -> bytes:
        """Decrypts. Raises NotFound if there is no such KEK (any more), ConfigError if it does not open."""

    def destroy(self, name: str) -> None:
        """Ends a KEK for good, durable when this returns. No error if it is gone: a crash may have come between."""

    def names(self) -> list[str]:
        """The KEKs that are there, sorted."""


def checked_name(name: str) -> str:
    """``name`` if it can be one of a KEK: it is a file's name in one KMS and a label in another. Raises UsageError."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a key", hint="small letters, digits, dots and hyphens, at most 63"
        )
    return name
