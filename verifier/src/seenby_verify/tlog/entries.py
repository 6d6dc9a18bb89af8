"""Entries of the public log: one frozen dataclass per kind, and their bytes (docs/formats/entries.md).

An entry is ``01 | kind | body``. A person entry, 102 bytes::

    01 21 00031773 <label 32> <commit 32> <sealed_digest 32>

``encode`` and ``decode`` are inverse to each other; both raise VerificationError. Who submits an entry to the ledger
may leave ``epoch`` 0: the ledger stamps it.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Annotated, ClassVar, Final, get_type_hints

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.codec import Blob, Codec, Epoch, Fixed, Flag, Text, Unsigned

VERSION: Final = 1
MAX_ENTRY: Final = 65_535

Month = Annotated[int, Epoch()]
Bytes8 = Annotated[bytes, Fixed(8)]
Bytes16 = Annotated[bytes, Fixed(16)]
Bytes32 = Annotated[bytes, Fixed(32)]
Bytes64 = Annotated[bytes, Fixed(64)]
Byte = Annotated[int, Unsigned(1)]
Word = Annotated[int, Unsigned(4)]
Long = Annotated[int, Unsigned(8)]
Bool = Annotated[bool, Flag()]
Name = Annotated[str, Text()]
Document = Annotated[bytes, Blob()]
Digits = Annotated[int, Unsigned(1, 0, 20)]


class EndReason(IntEnum):
    """Why a grant ended without anybody's signature."""

    WINDOW = 1
    CAP = 2
    PRINCIPAL_CHANGED = 3
    PRINCIPAL_GONE = 4
    NOT_ENCLOSED = 5


class Recipient(IntEnum):
    """To whom data was disclosed."""

    THIRD_PARTY = 1
    AUTHORITY = 2


@dataclass(frozen=True, slots=True)
class LogStarted:
    """Index 0 of every log. ``key``: first Ed25519 public key of the checkpoints."""

    KIND: ClassVar[int] = 0x01
    epoch: Month
    region: Name
    origin: Name
    key: Bytes32


@dataclass(frozen=True, slots=True)
class _Key:
    epoch: Month
    role: Name
    region: Name
    key: Bytes32


@dataclass(frozen=True, slots=True)
class KeyAdded(_Key):
    """An approver's or auditor's Ed25519 public key counts from here on."""

    KIND: ClassVar[int] = 0x08


@dataclass(frozen=True, slots=True)
class KeyRetired(_Key):
    """The key counts no more."""

    KIND: ClassVar[int] = 0x09


@dataclass(frozen=True, slots=True)
class EpochKey:
    """The X25519 public ``key`` under which the epoch's records are sealed for its auditors."""

    KIND: ClassVar[int] = 0x0A
    epoch: Month
    threshold: Annotated[int, Unsigned(1, 1)]
    auditors: Annotated[int, Unsigned(1, 1)]
    key: Bytes32
    shares_digest: Bytes32


@dataclass(frozen=True, slots=True)
class Regions:
    """The signed list of regions (docs/formats/trust.md)."""

    KIND: ClassVar[int] = 0x0B
    epoch: Month
    document: Document


@dataclass(frozen=True, slots=True)
class _Grant:
    epoch: Month
    grant: Bytes16
    grant_commit: Bytes32


@dataclass(frozen=True, slots=True)
class _SignedGrant(_Grant):
    key_id: Bytes8
    signature: Bytes64


@dataclass(frozen=True, slots=True)
class GrantRequested(_SignedGrant):
    """``approvals``: how many approvers must sign. ``sealed_digest``: of the sealed terms."""

    KIND: ClassVar[int] = 0x10
    approvals: Byte
    sealed_digest: Bytes32


@dataclass(frozen=True, slots=True)
class GrantApproved(_SignedGrant):
    KIND: ClassVar[int] = 0x11


@dataclass(frozen=True, slots=True)
class GrantDenied(_SignedGrant):
    KIND: ClassVar[int] = 0x12


@dataclass(frozen=True, slots=True)
class GrantActivated(_Grant):
    KIND: ClassVar[int] = 0x13


@dataclass(frozen=True, slots=True)
class GrantRevoked(_SignedGrant):
    KIND: ClassVar[int] = 0x14


@dataclass(frozen=True, slots=True)
class GrantEnded(_Grant):
    """Ended by itself: expired, used up, or its principal is no longer who the terms say."""

    KIND: ClassVar[int] = 0x15
    reason: Annotated[int, Unsigned(1, 1, 5)]


@dataclass(frozen=True, slots=True)
class GrantReviewed(_SignedGrant):
    KIND: ClassVar[int] = 0x16


@dataclass(frozen=True, slots=True)
class BreakGlass(_SignedGrant):
    """A request that works at once, without approvals before it, and must be reviewed after."""

    KIND: ClassVar[int] = 0x17
    approvals: Byte
    sealed_digest: Bytes32


@dataclass(frozen=True, slots=True)
class _Head:
    epoch: Month
    commit: Bytes32
    sealed_digest: Bytes32


@dataclass(frozen=True, slots=True)
class Query(_Head):
    """One part of one result. ``bucket``: decimal digits of the number of person entries that follow directly."""

    KIND: ClassVar[int] = 0x20
    part: Word
    final: Bool
    bound: Annotated[int, Unsigned(1, 0, 2)]
    bucket: Digits


@dataclass(frozen=True, slots=True)
class PersonNamed:
    """One person whom the entry before concerns. Only with the person's key can ``label`` be recognised."""

    KIND: ClassVar[int] = 0x21
    epoch: Month
    label: Bytes32
    commit: Bytes32
    sealed_digest: Bytes32


@dataclass(frozen=True, slots=True)
class Statistic(_Head):
    """A result about a cohort that names nobody. ``cohort``: decimal digits of its size, 0 if not stated."""

    KIND: ClassVar[int] = 0x22
    part: Word
    final: Bool
    cohort: Digits


@dataclass(frozen=True, slots=True)
class AttemptRefused(_Head):
    KIND: ClassVar[int] = 0x23


@dataclass(frozen=True, slots=True)
class _Event(_Head):
    bucket: Digits


@dataclass(frozen=True, slots=True)
class PersonEnrolled(_Event):
    KIND: ClassVar[int] = 0x30


@dataclass(frozen=True, slots=True)
class Erasure(_Event):
    KIND: ClassVar[int] = 0x31


@dataclass(frozen=True, slots=True)
class Move(_Event):
    KIND: ClassVar[int] = 0x32
    from_region: Name
    to_region: Name


@dataclass(frozen=True, slots=True)
class Transfer(_Event):
    KIND: ClassVar[int] = 0x33
    home: Name
    country: Name


@dataclass(frozen=True, slots=True)
class Disclosure(_Event):
    KIND: ClassVar[int] = 0x34
    recipient: Annotated[int, Unsigned(1, 1, 2)]


@dataclass(frozen=True, slots=True)
class DailyReport:
    KIND: ClassVar[int] = 0x40
    epoch: Month
    day: Annotated[int, Unsigned(1, 1, 31)]
    document: Document
    key_id: Bytes8
    signature: Bytes64


@dataclass(frozen=True, slots=True)
class Seal:
    """``root`` of the label tree over the epoch's labels in entries 0 to ``covers`` - 1: all that stands before it."""

    KIND: ClassVar[int] = 0x41
    epoch: Month
    covers: Long
    root: Bytes32


KeyEvent = KeyAdded | KeyRetired
GrantRequest = GrantRequested | BreakGlass
SignedGrantEvent = GrantRequested | GrantApproved | GrantDenied | GrantRevoked | GrantReviewed | BreakGlass
GrantEvent = SignedGrantEvent | GrantActivated | GrantEnded
PeopleHead = Query | PersonEnrolled | Erasure | Move | Transfer | Disclosure
Entry = (
    LogStarted
    | KeyEvent
    | EpochKey
    | Regions
    | GrantEvent
    | PeopleHead
    | PersonNamed
    | Statistic
    | AttemptRefused
    | DailyReport
    | Seal
)

VERBS: Final[dict[type, str]] = {
    GrantRequested: "request",
    GrantApproved: "approve",
    GrantDenied: "deny",
    GrantRevoked: "revoke",
    GrantReviewed: "review",
    BreakGlass: "break-glass",
}
"""What a signed grant event's signature says."""


def _layout(kind: type) -> tuple[tuple[str, Codec], ...]:
    hints = get_type_hints(kind, include_extras=True)
    return tuple((field.name, hints[field.name].__metadata__[0]) for field in fields(kind))


KINDS: Final[dict[int, type[Entry]]] = {kind.KIND: kind for kind in Entry.__args__}
_LAYOUTS: Final = {kind.KIND: _layout(kind) for kind in KINDS.values()}

HEAD_STRUCT: Final = struct.Struct(">BBI32s32s")
"""How an entry with a sealed record begins: version, kind, epoch, commit, sealed_digest. For the hot path."""
QUERY_TAIL: Final = struct.Struct(">IBBB")
"""How a query entry ends: part, final, bound, bucket."""
STATISTIC_TAIL: Final = struct.Struct(">IBB")
"""How a statistic's ends: part, final, cohort."""
PERSON_STRUCT: Final = struct.Struct(">BBI32s32s32s")
"""A whole person entry: version, kind, epoch, label, commit, sealed_digest. For the hot path."""


def encode(entry: Entry) -> bytes:
    """The canonical bytes of an entry."""
    out = [bytes((VERSION, entry.KIND))]
    for name, codec in _LAYOUTS[entry.KIND]:
        try:
            out.append(codec.encode(getattr(entry, name)))
        except VerificationError as error:
            raise VerificationError(f"{type(entry).__name__}.{name}: {error.message}") from None
    data = b"".join(out)
    if len(data) > MAX_ENTRY:
        raise VerificationError(f"an entry of {len(data)} bytes is longer than {MAX_ENTRY}")
    return data


def decode(data: bytes) -> Entry:
    """The entry in ``data``, which must hold nothing else."""
    if len(data) < 2 or len(data) > MAX_ENTRY:
        raise VerificationError(f"{len(data)} bytes are no entry")
    if data[0] != VERSION:
        raise VerificationError(f"entry version {data[0]} is unknown", hint="take a newer version of Seenby")
    kind = KINDS.get(data[1])
    if kind is None:
        raise VerificationError(f"entry kind 0x{data[1]:02x} is unknown", hint="take a newer version of Seenby")
    values, at = [], 2
    for name, codec in _LAYOUTS[data[1]]:
        try:
            value, at = codec.decode(data, at)
        except VerificationError as error:
            raise VerificationError(f"{kind.__name__}.{name}: {error.message}") from None
        values.append(value)
    if at != len(data):
        raise VerificationError(f"{kind.__name__} has {len(data) - at} bytes too many")
    return kind(*values)  # type: ignore[arg-type]  # the layout has the fields' types and order


def bucket(people: int) -> int:
    """Decimal digits of a number of people: 0 -> 0, 7 -> 1, 42 -> 2."""
    return len(str(people)) if people else 0


def key_id(public_key: bytes) -> bytes:
    """How an entry names an Ed25519 public key: SHA-256(key)[:8]."""
    return hashlib.sha256(public_key).digest()[:8]


def grant_message(verb: str, region: str, grant: bytes, grant_commit: bytes) -> bytes:
    """The bytes under a grant event's signature.

    >>> grant_message("approve", "eu", bytes(16), bytes(32))[:26]
    b'seenby/grant/v1\\napprove\\neu'
    """
    lines = ("seenby/grant/v1", verb, region, grant.hex(), grant_commit.hex(), "")
    return "\n".join(lines).encode("ascii")
