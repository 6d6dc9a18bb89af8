"""Who saw a person's data: reads the journal, opens what is the person's, and checks every row against the public log.

Reads files only, beside a running gateway or without one (docs/formats/records.md).
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from seenby.errors import NotFound, VerificationError
from seenby.stores.journal import JournalReader, Record
from seenby.stores.keystore import KeyStore, PersonKey
from seenby.stores.layout import PERSON_PRIVATE, sealed_record
from seenby_verify.tlog.checkpoint import Checkpoint, VerifierKey, open_checkpoint
from seenby_verify.tlog.entries import PersonNamed, Query, decode
from seenby_verify.tlog.records import PersonCrypto, SealedRecord, commitment, pseudonym
from seenby_verify.tlog.tiles import Read, TileReader
from seenby_verify.tlog.tree import inclusion_proof, leaf_hash, verify_inclusion

BOUNDS = ("nobody", "exact", "upper")


@dataclass(frozen=True, slots=True)
class Seen:
    """One time somebody was shown (or examined) this person's data; every check holds.

    Attributes:
        index: of the person entry in the log.
        published: False for the second or so until the public checkpoint covers the entry; then it was not yet checked
            against the public log.
        record: the query record.
        part: what of this person's.
        bound: ``exact`` or ``upper``.
    """

    index: int
    published: bool
    record: dict[str, Any]
    part: dict[str, Any]
    bound: str


def public_reader(directory: Path) -> Read:
    """Files of a public half. A path that leads outside is not there."""

    def read(path: str) -> bytes | None:
        file = directory / path
        if ".." in path or not file.is_file():
            return None
        return file.read_bytes()

    return read


def who_saw(person: str, ledger: Path, region: str, key: VerifierKey, keystore: KeyStore) -> list[Seen]:
    """Everything the ledger of a region holds about a person, oldest first.

    Raises VerificationError, naming the entry, if a label, commitment, digest or inclusion does not hold; NotFound if
    there is no ledger; LedgerFailed if the journal is damaged.
    """
    read = public_reader(ledger / "public")
    note = read("checkpoint")
    if note is None:
        raise NotFound(f"there is no ledger in {ledger}", hint="check the state folder in seenby.toml")
    public = _Public(open_checkpoint(note, key), read)
    keys = {pseudonym(known.key): known for known in keystore.known_keys(person)}
    if not keys:
        return []
    found: list[Seen] = []
    counts: Counter[tuple[bytes, bytes]] = Counter()
    head: Record | None = None
    for group in JournalReader(ledger / "private" / "journal").groups():
        for record in group:
            if record.entry[1] != PersonNamed.KIND:
                head = record
                continue
            name = record.private[:PERSON_PRIVATE]
            known = keys.get(name)
            if known is None:
                continue
            epoch = record.entry[2:6]
            n = counts[name, epoch]
            counts[name, epoch] += 1
            if head is not None and head.entry[1] != Query.KIND:
                continue
            try:
                found.append(_check(known, region, n, head, record, public))
            except VerificationError as error:
                raise VerificationError(
                    f"entry {record.index} about {person}: {error.message}", where=f"entry {record.index}"
                ) from None
    return found


class _Public:
    """The published log, to hold entries against."""

    def __init__(self, checkpoint: Checkpoint, read: Read) -> None:
        self.checkpoint = checkpoint
        self._tiles = TileReader(read, checkpoint.size)

    def holds(self, record: Record) -> bool:
        """Whether the entry is published. Raises VerificationError if another one is in its place."""
        size = self.checkpoint.size
        if record.index >= size:
            return False
        proof = inclusion_proof(self._tiles.node, record.index, size)
        verify_inclusion(leaf_hash(record.entry), record.index, size, proof, self.checkpoint.root)
        return True


def _check(key: PersonKey, region: str, n: int, head: Record | None, record: Record, public: _Public) -> Seen:
    entry = decode(record.entry)
    if not isinstance(entry, PersonNamed):
        raise VerificationError("it names no person")
    query = decode(head.entry) if head is not None else None
    if head is None or not isinstance(query, Query):
        raise VerificationError("it does not stand behind a query")
    crypto = PersonCrypto(key.key, key.version, region, entry.epoch)
    if crypto.label(n) != entry.label:
        raise VerificationError(f"its label is not this person's number {n} of {entry.epoch}")
    sealed = record.private[PERSON_PRIVATE:]
    _same(sha256(sealed).digest(), entry.sealed_digest, "the sealed part is not the one in the log")
    mine = crypto.open(entry.label, sealed)
    _same(commitment(mine.opening, mine.part), entry.commit, "the part is not what the log commits to")
    sealed = sealed_record(Query.KIND, head.private)
    _same(sha256(sealed).digest(), query.sealed_digest, "the sealed record is not the one in the log")
    opened = SealedRecord.parse(sealed).record(mine.query_key)
    _same(opened.commit, query.commit, "the record is not what the log commits to")
    published = public.holds(head) and public.holds(record)
    return Seen(record.index, published, _object(opened.text), _object(mine.part), BOUNDS[query.bound])


def _same(computed: bytes, stated: bytes, fault: str) -> None:
    if computed != stated:
        raise VerificationError(fault)


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise VerificationError("its record is not a JSON object")
    return value
