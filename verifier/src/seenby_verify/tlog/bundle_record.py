"""What one entry about a person says: opens their part and the record that it leads to (docs/formats/records.md).

Part of step 7 of a bundle's check; that both entries are in the log was checked before.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.bundle_format import Key, ShownItem
from seenby_verify.tlog.entries import (
    Disclosure,
    Erasure,
    Move,
    PeopleHead,
    PersonEnrolled,
    PersonNamed,
    Query,
    Transfer,
)
from seenby_verify.tlog.records import PersonCrypto, SealedRecord, commitment
from seenby_verify.tlog.steps import at
from seenby_verify.tlog.strict import DEPTH, depth, load_json

BOUNDS: Final = ("nobody", "exact", "upper")
"""What the byte ``bound`` of a query entry says."""
HEADS: Final = (Query, PersonEnrolled, Erasure, Move, Transfer, Disclosure)
_SAYS: Final[dict[type, tuple[str, tuple[str, ...]]]] = {
    Query: ("query", ("disclosed", "examined")),
    PersonEnrolled: ("enrolled", ("enrolled",)),
    Erasure: ("erased", ("erased",)),
}
"""By the kind of the head: the record's ``kind``, and what ``how`` may be in a person's part."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One entry about the person, every word of it checked against the log.

    ``when``: RFC 3339, in UTC; ``reference``: of what kind; ``bound``: nobody, exact or upper, and "" where the
    entry is no query. Text that the record does not have is "". ``record`` and ``part``: all that the person may read.
    """

    region: str
    index: int
    epoch: int
    version: int
    kind: str
    when: str
    how: str
    bound: str
    purpose: str
    reference: str
    classes: tuple[str, ...]
    columns: tuple[str, ...]
    record: dict[str, Any]
    part: dict[str, Any]


def open_shown(
    where: str, region: str, shown: ShownItem, entry: PersonNamed, head: PeopleHead, key: Key, crypto: PersonCrypto
) -> Shown:
    """What to tell the person. Raises VerificationError, with its place, if a blob is not what was logged.

    Args:
        where: the item's place in the bundle.
        entry, head: the two entries of ``shown``.
        crypto: of ``key``, for the region and the entry's epoch.
    """
    place = f"{where}.sealed"
    try:
        if hashlib.sha256(shown.sealed).digest() != entry.sealed_digest:
            raise VerificationError("is not the part that was logged")
        if shown.sealed[1:2] != bytes([shown.version]):
            raise VerificationError("is for another version of the key")
        opened = crypto.open(entry.label, shown.sealed)
        if commitment(opened.opening, opened.part) != entry.commit:
            raise VerificationError("does not open what was logged")
        part = _document(opened.part)
        place = f"{where}.record"
        if hashlib.sha256(shown.record).digest() != head.sealed_digest:
            raise VerificationError("is not the record that was logged")
        box = SealedRecord.parse(shown.record).record(opened.query_key)
        if box.commit != head.commit:
            raise VerificationError("does not open what was logged")
        record = _document(box.text)
        _fits(head, record, part, key)
        return Shown(
            region=region,
            index=shown.entry.index,
            epoch=entry.epoch,
            version=key.version,
            kind=_text(record, "kind"),
            when=_text(record, "at"),
            how=_text(part, "how"),
            bound=BOUNDS[head.bound] if isinstance(head, Query) else "",
            purpose=_text(record, "purpose"),
            reference=_text(_object(record, "reference"), "kind"),
            classes=_texts(part, "classes"),
            columns=_texts(part, "columns"),
            record=record,
            part=part,
        )
    except VerificationError as error:
        raise at(place, error) from None


def _document(data: bytes) -> dict[str, Any]:
    """A record or a part: an object of version 1. Members that nobody here knows are ignored (records.md)."""
    value = load_json(data, "the document", len(data))
    if not isinstance(value, dict):
        raise VerificationError("is no JSON object")
    if depth(value) > DEPTH:
        raise VerificationError(f"is nested more than {DEPTH} deep")
    if type(value.get("v")) is not int or value["v"] != 1:
        raise VerificationError("has an unknown version", hint="take a newer version of the verifier")
    return value


def _fits(head: PeopleHead, record: dict[str, Any], part: dict[str, Any], key: Key) -> None:
    """Do the words of record and part belong to this kind of entry?"""
    kind, how = record.get("kind"), part.get("how")
    if type(head) not in _SAYS:  # what else happens to people's data has no records of its own yet
        if how in ("enrolled", "erased"):
            raise VerificationError(f"says {how!r:.40} behind another kind of entry")
        return
    said, hows = _SAYS[type(head)]
    if kind != said:
        raise VerificationError(f"says {kind!r:.40} where the log has {said!r}")
    if how not in hows:
        raise VerificationError(f"leads to a part that says {how!r:.40} where the log has {said!r}")
    if how == "enrolled":
        fingerprint = hashlib.sha256(b"seenby/person-key/v1\n" + key.key).hexdigest()
        version = part.get("version")
        if type(version) is not int or (version, part.get("fingerprint")) != (key.version, fingerprint):
            raise VerificationError("leads to a part that enrols another key")


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name, "")
    if not isinstance(value, str):
        raise VerificationError(f"has a member {name!r} that is no text")
    return value


def _texts(document: dict[str, Any], name: str) -> tuple[str, ...]:
    value = document.get(name, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise VerificationError(f"has a member {name!r} that is no list of texts")
    return tuple(value)


def _object(document: dict[str, Any], name: str) -> dict[str, Any]:
    value = document.get(name, {})
    if not isinstance(value, dict):
        raise VerificationError(f"has a member {name!r} that is no object")
    return value
