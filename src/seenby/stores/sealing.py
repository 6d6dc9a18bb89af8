"""Turns what a session hands over into entries and journal records: labels, commitments, sealed blobs.

The hot path of the ledger: one query that shows one person takes about a dozen crypto calls and little else. Random
bytes come from the system in large draws; keys that stay the same are set up once per person and epoch.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from seenby.errors import Internal, UsageError
from seenby.model.disclosure import EntryBound, QueryDisclosure, RefusedAttempt
from seenby.stores.auditors import RecordKeys
from seenby.stores.journal import Record, encode_record, framed
from seenby.stores.keystore import KeyStore
from seenby_verify.tlog.entries import (
    PERSON_STRUCT,
    QUERY_STRUCT,
    VERSION,
    AttemptRefused,
    BreakGlass,
    EpochKey,
    GrantRequest,
    GrantRequested,
    PersonNamed,
    Query,
    Statistic,
    bucket,
    decode,
    encode,
)
from seenby_verify.tlog.records import (
    DOCUMENT_RANDOM,
    PART_RANDOM,
    RECORD_RANDOM,
    DocumentCrypto,
    PersonCrypto,
    RecordCrypto,
    commitment,
)

CACHED_PEOPLE: Final = 100_000
_DRAW: Final = 64 * 1024
_NO_GRANT: Final = bytes(16)
HEAD_PRIVATE: Final = 20
"""Bytes before the sealed record of a query, statistic or refused attempt: grant[16], rows u32."""
PERSON_PRIVATE: Final = 16
"""Bytes before a person's sealed part: pseudonym[16]."""


@dataclass(slots=True)
class Usage:
    """What a grant has shown so far. ``people`` holds pseudonyms (``Ledger.pseudonym``); read only."""

    rows: int = 0
    people: set[bytes] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class GrantDocument:
    """A request with the sealed half of it: ``grant_commit`` = HMAC-SHA-256(opening, terms)."""

    event: GrantRequest
    terms: bytes
    opening: bytes


Sealed = tuple[list[bytes], bytes]
"""Entries, and the journal records that hold them with what is private to each."""


class Randomness:
    """os.urandom in large draws: one system call for hundreds of records."""

    __slots__ = ("_at", "_pool")

    def __init__(self) -> None:
        self._pool = b""
        self._at = 0

    def take(self, count: int) -> bytes:
        at = self._at
        end = at + count
        if end > len(self._pool):
            self._pool = os.urandom(_DRAW)
            at, end = 0, count
        self._at = end
        return self._pool[at:end]


def epoch_of(now: float) -> tuple[int, float]:
    """The epoch of a Unix time, and when the next one begins: 1795338000.0 -> (202611, 1796083200.0)."""
    day = datetime.fromtimestamp(now, UTC)
    year, month = (day.year + 1, 1) if day.month == 12 else (day.year, day.month + 1)
    return day.year * 100 + day.month, datetime(year, month, 1, tzinfo=UTC).timestamp()


class Sealer:
    """Owns the epoch, the label counters and the usage of grants. Every method runs on the loop's thread.

    ``restore`` is fed with the journal's records first. ``tick`` goes before each item, and what it announced is logged
    before it: an item has one epoch.

    Attributes:
        epoch_key: the last one in the log.
        announced: set by ``tick``: an epoch key that must be logged before anything else. Who logs it sets it to None.
    """

    def __init__(self, region: str, keystore: KeyStore, clock: Callable[[], float], keys: RecordKeys) -> None:
        self.epoch = 0
        self.epoch_key: EpochKey | None = None
        self.announced: EpochKey | None = None
        self.usage: dict[bytes, Usage] = {}
        self._region = region
        self._keystore = keystore
        self._clock = clock
        self._keys = keys
        self._random = Randomness()
        self._next_epoch = self._renew_at = 0.0
        self._left = 0
        self._counts: dict[bytes, int] = {}
        self._people: dict[str, PersonCrypto] = {}
        self._records: RecordCrypto
        self._documents: DocumentCrypto
        self._charged: set[bytes] = set()  # while restoring: the people set of the query at hand

    def restore(self, record: Record) -> None:
        """Counts one record of the journal."""
        kind = record.entry[1]
        epoch = int.from_bytes(record.entry[2:6], "big")
        if epoch > self.epoch:
            self.epoch = epoch
            self._counts.clear()
        if kind == PersonNamed.KIND:
            pseudonym = record.private[:PERSON_PRIVATE]
            self._counts[pseudonym] = self._counts.get(pseudonym, 0) + 1
            self._charged.add(pseudonym)
        elif kind in (Query.KIND, Statistic.KIND):
            usage = self.usage.setdefault(record.private[:16], Usage())
            usage.rows += int.from_bytes(record.private[16:HEAD_PRIVATE], "big")
            self._charged = usage.people
        elif kind == EpochKey.KIND:
            entry = decode(record.entry)
            assert isinstance(entry, EpochKey)
            self.epoch_key = entry

    def restored(self) -> None:
        """The journal ends here. Raises LedgerFailed if the shares of the last epoch key are not there."""
        if self.epoch_key is not None:
            self._keys.restore(self.epoch_key)

    def opened(self, record: Record, event: GrantRequest) -> GrantDocument:
        """The document of a request in the journal. Raises VerificationError if it does not open or fit."""
        crypto = DocumentCrypto(self._keystore.epoch_key(event.epoch), self._region, event.epoch)
        opened = crypto.open(record.private)
        return GrantDocument(event, opened.text, opened.opening)

    def tick(self) -> int:
        """The epoch now. It never falls, even if the clock does."""
        now = self._clock()
        if now >= self._renew_at:
            self._renew(now)
        return self.epoch

    def _renew(self, now: float) -> None:
        """A new epoch has begun, or a block key is used up."""
        if now >= self._next_epoch:
            epoch, following = epoch_of(now)
            if epoch > self.epoch:
                self._counts.clear()
                self.epoch = epoch
            self._people.clear()
            key = self._keystore.epoch_key(self.epoch)
            self._documents = DocumentCrypto(key, self._region, self.epoch)
            entry = self._keys.begin(self.epoch, key)
            if entry is not None:
                self.epoch_key = self.announced = entry
            self._next_epoch = following
        self._renew_block(now)

    def _renew_block(self, now: float) -> None:
        self._records = self._keys.renew(now)
        self._renew_at = min(self._next_epoch, self._keys.renew_at)
        self._left = self._keys.records

    def _seal(self, record: bytes, withheld: bytes, random: bytes) -> tuple[bytes, bytes, bytes]:
        if not self._left:
            self._renew_block(self._clock())
        self._left -= 1
        return self._records.seal(record, withheld, random)

    def _person(self, person: str) -> PersonCrypto:
        crypto = self._people.get(person)
        if crypto is None:
            if len(self._people) >= CACHED_PEOPLE:
                del self._people[next(iter(self._people))]
            key = self._keystore.person_key(person)
            crypto = self._people[person] = PersonCrypto(key.key, key.version, self._region, self.epoch)
        return crypto

    def pseudonym(self, person: str) -> bytes:
        """How the private journal names a person: 16 bytes."""
        self.tick()
        return self._person(person).pseudonym

    def query(self, item: QueryDisclosure) -> Sealed:
        """The query entry and its person entries."""
        people = item.people
        check(item)
        epoch = self.epoch
        random = self._random.take(RECORD_RANDOM)
        commit, sealed, digest = self._seal(item.record, item.withheld, random)
        if item.bound is EntryBound.STATISTIC:
            entry = encode(Statistic(epoch, commit, digest, item.part, item.final, 0))
        else:
            count = len(people)
            entry = QUERY_STRUCT.pack(
                VERSION, 0x20, epoch, commit, digest, item.part, item.final, item.bound, bucket(count)
            )
        entries = [entry]
        payload = [*framed(entry, HEAD_PRIVATE + len(sealed)), item.grant, item.rows.to_bytes(4, "big"), sealed]
        usage = self.usage.get(item.grant)
        if usage is None:
            usage = self.usage[item.grant] = Usage()
        usage.rows += item.rows
        query_key = random[:32]
        counts = self._counts
        named = usage.people
        take = self._random.take
        for shown in people:
            person = self._people.get(shown.person) or self._person(shown.person)
            pseudonym = person.pseudonym
            n = counts.get(pseudonym, 0)
            counts[pseudonym] = n + 1
            label = person.label(n)
            commit, sealed, digest = person.seal(label, query_key, shown.part, take(PART_RANDOM))
            entry = PERSON_STRUCT.pack(VERSION, 0x21, epoch, label, commit, digest)
            entries.append(entry)
            payload += (*framed(entry, PERSON_PRIVATE + len(sealed)), pseudonym, sealed)
            named.add(pseudonym)
        return entries, b"".join(payload)

    def attempt(self, item: RefusedAttempt) -> Sealed:
        if len(item.grant) not in (0, 16):
            raise Internal("a refused attempt has an impossible grant")
        epoch = self.epoch
        commit, sealed, digest = self._seal(item.record, item.withheld, self._random.take(RECORD_RANDOM))
        entry = encode(AttemptRefused(epoch, commit, digest))
        return [entry], encode_record(entry, (item.grant or _NO_GRANT) + bytes(4) + sealed)

    def document(self, item: GrantDocument) -> tuple[GrantRequest, bytes]:
        """(the event with its sealed_digest, the sealed document)."""
        if commitment(item.opening, item.terms) != item.event.grant_commit:
            raise UsageError("these terms and this opening do not give the grant_commit that was signed")
        sealed, digest = self._documents.seal(item.terms, item.opening, self._random.take(DOCUMENT_RANDOM))
        event = item.event
        kind = BreakGlass if isinstance(event, BreakGlass) else GrantRequested
        return kind(
            self.epoch, event.grant, event.grant_commit, event.key_id, event.signature, event.approvals, digest
        ), sealed


def check(item: QueryDisclosure) -> None:
    """Raises Internal for what no session may hand over: it would make a log that nobody accepts."""
    people = item.people
    if len(item.grant) != 16 or not 0 <= item.rows < 2**32 or not 0 <= item.part < 2**32:
        raise Internal("a disclosure has an impossible grant, part or number of rows")
    if people and item.bound in (EntryBound.NOBODY, EntryBound.STATISTIC):
        raise Internal(f"a disclosure of the kind {item.bound.name} names people")
    if len(people) > 1 and len({shown.person for shown in people}) != len(people):
        raise Internal("a disclosure names somebody twice")
