"""What is handed to the ledger when a result is about to be shown."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple


class EntryBound(IntEnum):
    """``bound`` byte of a query entry (docs/formats/entries.md)."""

    NOBODY = 0
    EXACT = 1
    UPPER = 2
    STATISTIC = 3


class Shown(NamedTuple):
    """One person in one result part: ``part`` is the canonical per-person record (what of theirs was shown)."""

    person: str  # "account:42"
    part: bytes


class QueryDisclosure(NamedTuple):
    """One part of one result, ready for the ledger. (A tuple, as Shown: made for every query, at a third of the cost.)

    Attributes:
        record: canonical JSON (RFC 8785) of the person-free query record, up to its last member: it ends with
            ``"withheld":"``, and the ledger adds the commitment of ``withheld``.
        withheld: canonical JSON of what is for auditors alone: names of staff, the statement.
        people: who is named; order does not matter, no person twice.
        part: 0 for the first part of a streamed result, then 1, 2, ...
        final: this is the last part.
        bound: how the people were found.
        grant: the grant's id, 16 bytes.
        rows: rows in this part (counts towards the grant's cap).
        principal: whose session it was; they may fetch a promise and a receipt for the entry. "": nobody.
        cohort: of a statistic: how many people stand behind it.
    """

    record: bytes
    withheld: bytes
    people: tuple[Shown, ...]
    part: int
    final: bool
    bound: EntryBound
    grant: bytes
    rows: int
    principal: str = ""
    cohort: int = 0


@dataclass(frozen=True, slots=True)
class RefusedAttempt:
    """Somebody tried something that was refused. ``record`` and ``withheld`` as above."""

    record: bytes
    withheld: bytes
    grant: bytes = b""
    principal: str = ""


@dataclass(frozen=True, slots=True)
class PeopleEvent:
    """Something else that happens to people's data: they are enrolled, or their keys are erased.

    Attributes:
        people: whom it concerns, each once.
        erased: their keys go when the entry is durable; otherwise they are enrolled, those who are not yet.
    """

    people: tuple[str, ...]
    erased: bool
