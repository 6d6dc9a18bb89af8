"""Labels, commitments and sealed records (docs/formats/records.md). Pure: every random byte is an argument."""

from __future__ import annotations

import hmac
import struct
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from seenby_verify.errors import VerificationError

SEALED: Final = b"\x01"
RECORD_AAD: Final = b"seenby/record/v1\n"
PART_AAD: Final = b"seenby/part/v1\n"
_ZERO_NONCE: Final = bytes(12)
RECORD_RANDOM: Final = 32 + 32 + 12
"""Random bytes that seal_record takes: query key, opening, nonce of the wrapping."""
PART_RANDOM: Final = 32 + 12
"""Random bytes that PersonCrypto.seal takes: opening, nonce."""


def label_prefix(region: str, epoch: int) -> bytes:
    """What stands before n in the label's message: ``"seenby/label/v1\\n" 02 "eu" 00031773``."""
    return b"seenby/label/v1\n" + _place(region, epoch)


def wrap_aad(region: str, epoch: int) -> bytes:
    return b"seenby/epoch-wrap/v1\n" + _place(region, epoch)


def _place(region: str, epoch: int) -> bytes:
    name = region.encode("ascii")
    return bytes([len(name)]) + name + struct.pack(">I", epoch)


def label(person_key: bytes, region: str, epoch: int, n: int) -> bytes:
    """Label n of a person in an epoch: 32 bytes that only the person's key links to the person."""
    return hmac.digest(person_key, label_prefix(region, epoch) + n.to_bytes(8, "big"), "sha256")


_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))
_INNER_REST: Final = b"\x36" * 32
_OUTER_REST: Final = b"\x5c" * 32


def commitment(opening: bytes, record: bytes) -> bytes:
    """HMAC-SHA-256(opening, record). RFC 2104 in two hashes: hmac.digest takes half as long again for short records."""
    if len(opening) != 32:
        raise VerificationError("an opening has 32 bytes")
    inner = sha256(opening.translate(_INNER) + _INNER_REST + record).digest()
    return sha256(opening.translate(_OUTER) + _OUTER_REST + inner).digest()


def pseudonym(person_key: bytes) -> bytes:
    """16 bytes for the private journal; without the key nothing links them to the person."""
    return hmac.digest(person_key, b"seenby/pseudonym/v1", "sha256")[:16]


class PersonCrypto:
    """What one person's key is used for, with everything computed once that does not change from entry to entry."""

    __slots__ = ("_box", "_head", "_inner", "_outer", "pseudonym")

    def __init__(self, person_key: bytes, version: int, region: str, epoch: int) -> None:
        self._inner = sha256(person_key.translate(_INNER) + _INNER_REST + label_prefix(region, epoch))
        self._outer = sha256(person_key.translate(_OUTER) + _OUTER_REST)
        self._box = AESGCM(HKDF(SHA256(), 32, None, b"seenby/person-wrap/v1").derive(person_key))
        self._head = SEALED + bytes([version])
        self.pseudonym = pseudonym(person_key)

    def label(self, n: int) -> bytes:
        """HMAC with both its hashes (RFC 2104) begun in advance."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(n.to_bytes(8, "big"))
        outer.update(inner.digest())
        return outer.digest()

    def seal(self, label: bytes, query_key: bytes, part: bytes, random: bytes) -> tuple[bytes, bytes, bytes]:
        """(commit, sealed, sealed_digest) of a person's part. ``random``: PART_RANDOM fresh bytes."""
        opening = random[:32]
        nonce = random[32:]
        sealed = self._head + nonce + self._box.encrypt(nonce, query_key + opening + part, PART_AAD + label)
        return commitment(opening, part), sealed, sha256(sealed).digest()

    def open(self, label: bytes, sealed: bytes) -> OpenedPart:
        """Raises VerificationError if the blob is not this person's for this label."""
        if len(sealed) < 14 + 64 + 16 or sealed[:1] != SEALED:
            raise VerificationError("a sealed part has an unknown version or is too short")
        try:
            plain = self._box.decrypt(sealed[2:14], sealed[14:], PART_AAD + label)
        except InvalidTag:
            raise VerificationError("a sealed part does not open with this person's key") from None
        return OpenedPart(plain[:32], plain[32:64], plain[64:])


@dataclass(frozen=True, slots=True)
class OpenedPart:
    query_key: bytes
    opening: bytes
    part: bytes


@dataclass(frozen=True, slots=True)
class OpenedRecord:
    opening: bytes
    record: bytes


class EpochCrypto:
    """Wraps query keys for the region's auditors of one epoch."""

    __slots__ = ("_aad", "_box")

    def __init__(self, epoch_key: bytes, region: str, epoch: int) -> None:
        self._box = AESGCM(epoch_key)
        self._aad = wrap_aad(region, epoch)

    def seal(self, record: bytes, random: bytes, opening: bytes | None = None) -> tuple[bytes, bytes, bytes]:
        """(commit, sealed, sealed_digest) of a record.

        ``random``: RECORD_RANDOM fresh bytes, of which the first 32 are the query key.
        ``opening``: only if the record is already committed to (a grant's terms).
        """
        key = random[:32]
        nonce = random[64:]
        if opening is None:
            opening = random[32:64]
        wrapped = self._box.encrypt(nonce, key, self._aad)
        box = AESGCM(key).encrypt(_ZERO_NONCE, opening + record, RECORD_AAD)
        sealed = SEALED + nonce + wrapped + box
        return commitment(opening, record), sealed, sha256(sealed).digest()

    def open(self, sealed: bytes) -> OpenedRecord:
        """As the region's auditor. Raises VerificationError."""
        if len(sealed) < 61 or sealed[:1] != SEALED:
            raise VerificationError("a sealed record has an unknown version or is too short")
        try:
            key = self._box.decrypt(sealed[1:13], sealed[13:61], self._aad)
        except InvalidTag:
            raise VerificationError("a sealed record does not open with this epoch's key") from None
        return open_record(sealed, key)


def open_record(sealed: bytes, query_key: bytes) -> OpenedRecord:
    """As a person, with the query key out of one's own part. Raises VerificationError."""
    if len(sealed) < 61 + 32 + 16 or sealed[:1] != SEALED:
        raise VerificationError("a sealed record has an unknown version or is too short")
    try:
        plain = AESGCM(query_key).decrypt(_ZERO_NONCE, sealed[61:], RECORD_AAD)
    except InvalidTag:
        raise VerificationError("a sealed record does not open with this query key") from None
    return OpenedRecord(plain[:32], plain[32:])
