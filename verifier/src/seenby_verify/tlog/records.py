"""Labels, commitments and sealed records (docs/formats/records.md). Pure: every random byte is an argument."""

from __future__ import annotations

import hmac
import struct
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from seenby_verify.errors import VerificationError

SEALED: Final = b"\x01"
RECORD: Final = b"\x02"
BY_REGION: Final = b"\x01"
BY_BLOCK: Final = b"\x02"
RECORD_AAD: Final = b"seenby/record/v1\n"
WITHHELD_AAD: Final = b"seenby/withheld/v1\n"
PART_AAD: Final = b"seenby/part/v1\n"
BLOCK_INFO: Final = b"seenby/block/v1\n"
SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
"""RFC 9180, base mode. What ``SUITE.encrypt`` gives is ``enc[32] || ciphertext``."""
BLOCK_BYTES: Final = 32 + 48
"""A sealed block key: ``enc[32] | block[48]``."""
HOLE: Final = b'"withheld":"'
"""What a record ends with when it is handed to ``RecordCrypto.seal``, which adds the commitment and closes it."""
DOCUMENT_RANDOM: Final = 32 + 12
"""Random bytes that DocumentCrypto.seal takes: query key, nonce of the wrapping."""
RECORD_RANDOM: Final = 4 * 32 + 12
"""Random bytes that RecordCrypto.seal takes: Q, S, the openings of record and withheld half, nonce of the wrapping."""
_ZERO_NONCE: Final = bytes(12)
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


def person_mac(person_key: bytes, person: str, region: str, target: str, at: int) -> bytes:
    """What proves that somebody holds a person's key (docs/formats/receipts.md, "Fetching, for a person").

    ``target``: path and query; ``at``: Unix seconds.
    """
    message = f"seenby/person-read/v1\n{person}\n{region}\n{target}\n{at}\n"
    return hmac.digest(person_key, message.encode(), "sha256")


class PersonCrypto:
    """What one person's key is used for, with everything computed once that does not change from entry to entry."""

    __slots__ = ("_box", "_head", "_inner", "_outer", "pseudonym")

    def __init__(self, person_key: bytes, version: int, region: str, epoch: int) -> None:
        """Raises VerificationError for a key of another length: its HMAC begins otherwise."""
        if len(person_key) != 32:
            raise VerificationError("a person key has 32 bytes")
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
        opening, nonce = random[:32], random[32:]
        box = self._box.encrypt(nonce, query_key + opening + part, PART_AAD + label)
        sealed = self._head + nonce + box
        # commitment(), whose check of the length is not needed here.
        mac = sha256(opening.translate(_INNER) + _INNER_REST + part).digest()
        commit = sha256(opening.translate(_OUTER) + _OUTER_REST + mac).digest()
        return commit, sealed, sha256(sealed).digest()

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
class Opened:
    """A document, a record or a withheld half, with what its commitment was made with."""

    opening: bytes
    text: bytes

    @property
    def commit(self) -> bytes:
        return commitment(self.opening, self.text)


class DocumentCrypto:
    """Seals the terms of grants with the region's key of one epoch, so that the gateway can read them again."""

    __slots__ = ("_aad", "_box")

    def __init__(self, epoch_key: bytes, region: str, epoch: int) -> None:
        self._box = AESGCM(epoch_key)
        self._aad = wrap_aad(region, epoch)

    def seal(self, document: bytes, opening: bytes, random: bytes) -> tuple[bytes, bytes]:
        """(sealed, sealed_digest). ``opening``: of ``grant_commit``; ``random``: DOCUMENT_RANDOM fresh bytes."""
        key, nonce = random[:32], random[32:]
        wrapped = self._box.encrypt(nonce, key, self._aad)
        sealed = SEALED + nonce + wrapped + AESGCM(key).encrypt(_ZERO_NONCE, opening + document, RECORD_AAD)
        return sealed, sha256(sealed).digest()

    def open(self, sealed: bytes) -> Opened:
        """Raises VerificationError."""
        if len(sealed) < 61 or sealed[:1] != SEALED:
            raise VerificationError("a sealed document has an unknown version or is too short")
        key = _decrypt(self._box, sealed[1:13], sealed[13:61], self._aad, "a sealed document", "this epoch's key")
        return _open_box(key, sealed[61:], RECORD_AAD, "a sealed document")


class RecordCrypto:
    """Seals records for the region's auditors of one epoch.

    Args:
        key: E where no auditors are configured, otherwise a block key B.
        block: of B, what opens it: ``enc[32] | block[48]`` (HPKE of B to the epoch's public key, BLOCK_INFO).
    """

    __slots__ = ("_aad", "_box", "_head")

    def __init__(self, key: bytes, region: str, epoch: int, block: bytes = b"") -> None:
        if len(block) not in (0, BLOCK_BYTES):
            raise VerificationError("a sealed block key has 80 bytes")
        if len(key) != 32:  # AES takes shorter ones too
            raise VerificationError("a key has 32 bytes")
        self._box = AESGCM(key)
        self._aad = wrap_aad(region, epoch)
        self._head = RECORD + (BY_BLOCK + block if block else BY_REGION)

    def seal(self, record: bytes, withheld: bytes, random: bytes) -> tuple[bytes, bytes, bytes]:
        """(commit, sealed, sealed_digest) of a record with its withheld half.

        Args:
            record: canonical JSON up to its last member, whose value is the commitment of the withheld half: it ends
                with HOLE.
            withheld: canonical JSON.
            random: RECORD_RANDOM fresh bytes, of which the first 32 are Q, what persons are given.
        """
        inner, outer = random[64:128].translate(_INNER), random[64:128].translate(_OUTER)
        opening, nonce = random[64:96], random[128:]
        # HMAC twice, as in commitment(), with the four paddings made in two steps.
        mac = sha256(inner[32:] + _INNER_REST + withheld).digest()
        mark = sha256(outer[32:] + _OUTER_REST + mac).hexdigest().encode()
        text = record + mark + b'"}'
        mac = sha256(inner[:32] + _INNER_REST + text).digest()
        commit = sha256(outer[:32] + _OUTER_REST + mac).digest()
        box = AESGCM(random[:32]).encrypt(_ZERO_NONCE, opening + text, RECORD_AAD)
        sealed = b"%b%b%b%b%b%b" % (
            self._head,
            nonce,
            self._box.encrypt(nonce, random[:64], self._aad),
            len(box).to_bytes(4, "big"),
            box,
            AESGCM(random[32:64]).encrypt(_ZERO_NONCE, random[96:128] + withheld, WITHHELD_AAD),
        )
        return commit, sealed, sha256(sealed).digest()


@dataclass(frozen=True, slots=True)
class SealedRecord:
    """The fields of a sealed record.

    Attributes:
        block: ``enc[32] | block[48]``; empty where no auditors were configured.
        nonce, wrapped: of AES-GCM(E or B, nonce, Q || S).
        box, withheld: sealed with Q and S.
    """

    block: bytes
    nonce: bytes
    wrapped: bytes
    box: bytes
    withheld: bytes

    @classmethod
    def parse(cls, sealed: bytes) -> SealedRecord:
        """Raises VerificationError: unknown version, unknown wrap, too short."""
        at = 2 + (BLOCK_BYTES if sealed[1:2] == BY_BLOCK else 0)
        middle = at + 12 + 80
        end = middle + 4 + int.from_bytes(sealed[middle : middle + 4], "big")
        if sealed[:1] != RECORD or sealed[1:2] not in (BY_REGION, BY_BLOCK) or end + 48 > len(sealed):
            raise VerificationError("a sealed record has an unknown version or is too short")
        return cls(sealed[2:at], sealed[at : at + 12], sealed[at + 12 : middle], sealed[middle + 4 : end], sealed[end:])

    def record(self, query_key: bytes) -> Opened:
        """As a person, with Q out of one's own part. Raises VerificationError."""
        return _open_box(query_key, self.box, RECORD_AAD, "a sealed record")


@dataclass(frozen=True, slots=True)
class OpenedRecord:
    """Both halves of a record. The record names the commitment of the withheld one; that was checked."""

    record: Opened
    withheld: Opened


class RecordOpener:
    """Opens both halves of the records of one epoch.

    Args:
        region_key: E, for records from when no auditors were configured; empty: those do not open.
        auditors_key: the epoch's private key (X25519, 32 bytes), which the auditors opened together; empty: the others
            do not open.
    """

    def __init__(self, region: str, epoch: int, *, region_key: bytes = b"", auditors_key: bytes = b"") -> None:
        self._aad = wrap_aad(region, epoch)
        self._region = AESGCM(region_key) if region_key else None
        self._auditors = X25519PrivateKey.from_private_bytes(auditors_key) if auditors_key else None
        self._block: tuple[bytes, AESGCM] | None = None

    def open(self, sealed: bytes) -> OpenedRecord:
        """Raises VerificationError."""
        fields = SealedRecord.parse(sealed)
        box = self._opened_block(fields.block) if fields.block else self._region
        if box is None:
            raise VerificationError(
                "a sealed record is for the auditors of its epoch" if fields.block else "the region's key is needed"
            )
        keys = _decrypt(box, fields.nonce, fields.wrapped, self._aad, "a sealed record", "this epoch's key")
        record = fields.record(keys[:32])
        withheld = _open_box(keys[32:], fields.withheld, WITHHELD_AAD, "the withheld half of a record")
        check_withheld(record.text, withheld)
        return OpenedRecord(record, withheld)

    def _opened_block(self, block: bytes) -> AESGCM | None:
        if self._auditors is None:
            return None
        if self._block is None or self._block[0] != block:  # thousands of records in a row share one
            try:
                key = SUITE.decrypt(block, self._auditors, BLOCK_INFO)
            except InvalidTag:
                raise VerificationError("a sealed record does not open with this epoch's key") from None
            self._block = block, AESGCM(key)
        return self._block[1]


def check_withheld(record: bytes, withheld: Opened) -> None:
    """Raises VerificationError unless the record names the commitment of this withheld half."""
    if not record.endswith(HOLE + withheld.commit.hex().encode() + b'"}'):
        raise VerificationError("the withheld half is not the one that the record names")


def _open_box(key: bytes, box: bytes, aad: bytes, what: str) -> Opened:
    if len(box) < 32 + 16:
        raise VerificationError(f"{what} is too short")
    plain = _decrypt(AESGCM(key), _ZERO_NONCE, box, aad, what, "this query key")
    return Opened(plain[:32], plain[32:])


def _decrypt(box: AESGCM, nonce: bytes, data: bytes, aad: bytes, what: str, key: str) -> bytes:
    try:
        return box.decrypt(nonce, data, aad)
    except InvalidTag:
        raise VerificationError(f"{what} does not open with {key}") from None
