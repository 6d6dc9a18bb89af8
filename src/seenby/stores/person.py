"""What a log holds of one person: the enrolments of their keys, and every label of theirs, counted by epoch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from seenby.errors import NotFound, VerificationError
from seenby.stores.keystore import KeyStore, PersonKey
from seenby.stores.view import LogView
from seenby_verify.tlog.labels import LabelProof
from seenby_verify.tlog.records import PersonCrypto, pseudonym


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A key, and the entry that enrolled it."""

    key: PersonKey
    index: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Counted:
    """One key in one epoch.

    Attributes:
        indexes: of the entries with labels 0 to n - 1.
        absent: that label n is not under the root of the epoch's seal.
    """

    version: int
    crypto: PersonCrypto
    indexes: list[int]
    absent: LabelProof


def enrolments(view: LogView, keys: Iterable[PersonKey]) -> list[Enrolled]:
    """Those of a person's keys that the log knows, oldest first. Others were made and never used.

    Raises VerificationError if an older one is missing: no list could be complete without it.
    """
    found: list[Enrolled] = []
    for key in keys:
        index = view.enrolled(pseudonym(key.key))
        if index is None:
            continue
        if key.version != len(found) + 1:
            raise VerificationError(f"key {len(found) + 1} of this person is not in the log, but key {key.version} is")
        found.append(Enrolled(key, index, int.from_bytes(view.entry(index)[2:6], "big")))
    return found


def enrolled(view: LogView, keystore: KeyStore, person: str) -> list[Enrolled]:
    """As ``enrolments``; raises NotFound if there is none."""
    found = enrolments(view, keystore.known_keys(person))
    if not found:
        raise NotFound(
            f"nobody is enrolled as {person}: the log has no entry about them",
            hint="check the name (KIND:KEY); after an erasure nothing is known any more",
        )
    return found


def counted(view: LogView, region: str, keys: list[Enrolled]) -> Iterator[tuple[int, int, list[Counted]]]:
    """(epoch, index of its newest seal, each key that was enrolled by then), from the first enrolment on."""
    for epoch, seal in view.seals(min(key.epoch for key in keys)):
        yield epoch, seal, [_count(view, region, key.key, epoch) for key in keys if key.epoch <= epoch]


def _count(view: LogView, region: str, key: PersonKey, epoch: int) -> Counted:
    crypto = PersonCrypto(key.key, key.version, region, epoch)
    indexes: list[int] = []
    while (index := view.labelled(epoch, crypto.label(len(indexes)))) is not None:
        indexes.append(index)
    return Counted(key.version, crypto, indexes, view.prove_label(epoch, crypto.label(len(indexes))))
