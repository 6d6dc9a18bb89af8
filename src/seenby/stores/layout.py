"""What stands beside each entry in the journal's private half (docs/formats/ledger.md, "Journal")::

query, statistic, refused attempt   grant[16] | rows u32 | length u8 | principal (UTF-8) | sealed record
enrolled, erased                    sealed record
person                              pseudonym[16] | sealed part
grant requested, break-glass        sealed document
seal and all others                 nothing
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from seenby_verify.tlog.entries import (
    AttemptRefused,
    BreakGlass,
    Erasure,
    GrantRequested,
    PersonEnrolled,
    PersonNamed,
    Query,
    Seal,
    Statistic,
    encode,
)

NO_GRANT: Final = bytes(16)
HEAD_PRIVATE: Final = 21
"""Bytes before the principal's name: grant[16] | rows u32 | length u8."""
PERSON_PRIVATE: Final = 16
"""Bytes before a person's sealed part: pseudonym[16]."""
HEADS: Final = frozenset((Query.KIND, Statistic.KIND, AttemptRefused.KIND))
RECORDED: Final = HEADS | {PersonEnrolled.KIND, Erasure.KIND}
"""Kinds whose ``sealed_digest`` is of a sealed record."""
EVENTS: Final = range(0x08, 0x20)
"""Kinds that say who may do what: keys, regions, grants."""


def head_private(grant: bytes, rows: int, principal: bytes) -> bytes:
    """``principal``: at most 255 bytes."""
    return b"%b%b%c%b" % (grant, rows.to_bytes(4, "big"), len(principal), principal)


def principal_of(private: bytes) -> bytes:
    """Whose session it was, out of the private half of one of HEADS."""
    return private[HEAD_PRIVATE : HEAD_PRIVATE + private[20]]


def sealed_record(kind: int, private: bytes) -> bytes:
    """The sealed record (or document) in the private half of an entry that is no person's."""
    return private[HEAD_PRIVATE + private[20] :] if kind in HEADS else private


def intact(kind: int, entry: bytes, private: bytes) -> bool:
    """Whether what is sealed beside an entry is what the entry's digest says."""
    if kind == PersonNamed.KIND:
        return sha256(private[PERSON_PRIVATE:]).digest() == entry[70:102]
    if kind in RECORDED:
        return sha256(sealed_record(kind, private)).digest() == entry[38:70]
    if kind in (GrantRequested.KIND, BreakGlass.KIND):
        return sha256(private).digest() == entry[-32:]
    return not private


def seal_mark(epoch: int, index: int) -> bytes:
    """What the journal holds in the place of a seal: its root is computed when it is published."""
    return encode(Seal(epoch, index, bytes(32)))
