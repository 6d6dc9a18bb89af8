"""Entries with what is sealed beside them, in Python (``seenby.stores.native`` has the same, compiled)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from seenby.stores.journal import framed
from seenby.stores.layout import PERSON_PRIVATE
from seenby_verify.tlog.entries import HEAD_STRUCT, PERSON_STRUCT, VERSION, PersonNamed
from seenby_verify.tlog.records import PART_RANDOM, RECORD_RANDOM, PersonCrypto, RecordCrypto


class PersonLabels(Protocol):
    """What is known of a person's key in one region and epoch."""

    @property
    def pseudonym(self) -> bytes:
        """How the private journal names them: 16 bytes."""

    def label(self, n: int, /) -> bytes:
        """Their label n: 32 bytes."""


def name_people(
    epoch: int,
    people: Sequence[PersonCrypto],
    numbers: Sequence[int],
    parts: Sequence[bytes],
    query_key: bytes,
    random: bytes,
) -> tuple[list[bytes], bytes]:
    """A person entry for each, and the journal's records of them one behind the other.

    Args:
        epoch: in which all of them are.
        people: whom the query showed.
        numbers: of the label that each gets.
        parts: what each is told.
        query_key: Q, with which each can open the query's record; 32 bytes.
        random: PART_RANDOM fresh bytes for each.

    Raises ValueError for what does not fit together.
    """
    if len(random) != PART_RANDOM * len(people) or len(query_key) != 32:
        raise ValueError("a query key of 32 bytes and 44 random bytes for each person are needed")
    entries, payload, at = [], [], 0
    for person, n, part in zip(people, numbers, parts, strict=True):
        label = person.label(n)
        commit, sealed, digest = person.seal(label, query_key, part, random[at : at + PART_RANDOM])
        at += PART_RANDOM
        entry = PERSON_STRUCT.pack(VERSION, PersonNamed.KIND, epoch, label, commit, digest)
        entries.append(entry)
        payload.append(framed(entry, PERSON_PRIVATE + len(sealed)) + person.pseudonym + sealed)
    return entries, b"".join(payload)


class RecordSealer:
    """Makes entries of what is sealed for the region's auditors, as ``RecordCrypto`` seals it."""

    def __init__(self, key: bytes, region: str, epoch: int, block: bytes) -> None:
        self._epoch = epoch
        self._crypto = RecordCrypto(key, region, epoch, block)

    def entry(
        self, kind: int, tail: bytes, private: bytes, record: bytes, withheld: bytes, random: bytes
    ) -> tuple[bytes, bytes]:
        """(the entry, the journal's record of it).

        Args:
            kind: of an entry that begins as HEAD_STRUCT says.
            tail: the rest of the entry.
            private: what stands before the sealed record in the journal.
            record, withheld, random: as for ``RecordCrypto.seal``.

        Raises ValueError for too few random bytes, or too many.
        """
        if len(random) != RECORD_RANDOM:
            raise ValueError("140 random bytes are needed")
        commit, sealed, digest = self._crypto.seal(record, withheld, random)
        entry = HEAD_STRUCT.pack(VERSION, kind, self._epoch, commit, digest) + tail
        return entry, framed(entry, len(private) + len(sealed)) + private + sealed
