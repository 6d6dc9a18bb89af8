"""The person entries of a query, in Python (``seenby.stores.native`` has the same, compiled)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from seenby.stores.journal import framed
from seenby.stores.layout import PERSON_PRIVATE
from seenby_verify.tlog.entries import PERSON_STRUCT, VERSION, PersonNamed
from seenby_verify.tlog.records import PART_RANDOM, PersonCrypto


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
    """
    entries, payload, at = [], [], 0
    for person, n, part in zip(people, numbers, parts, strict=True):
        label = person.label(n)
        commit, sealed, digest = person.seal(label, query_key, part, random[at : at + PART_RANDOM])
        at += PART_RANDOM
        entry = PERSON_STRUCT.pack(VERSION, PersonNamed.KIND, epoch, label, commit, digest)
        entries.append(entry)
        payload.append(framed(entry, PERSON_PRIVATE + len(sealed)) + person.pseudonym + sealed)
    return entries, b"".join(payload)
