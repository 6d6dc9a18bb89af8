"""Turns what a session hands over into entries and journal records: labels, commitments, sealed blobs.

The hot path of the ledger: one query that shows one person takes about a dozen crypto calls and little else. Random
bytes come from the system in large draws; keys that stay the same are set up once per person and epoch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from seenby.errors import Internal, UsageError
from seenby.model.disclosure import EntryBound, PeopleEvent, QueryDisclosure, RefusedAttempt
from seenby.session.record import NOTHING, canonical, event_record
from seenby.stores.auditors import RecordKeys
from seenby.stores.counting import Known, People
from seenby.stores.journal import encode_record
from seenby.stores.keystore import KeyStore
from seenby.stores.layout import NO_GRANT, head_private
from seenby.stores.native import HERE, RecordSealer
from seenby.stores.state import State, Usage
from seenby_verify.tlog.entries import (
    QUERY_TAIL,
    STATISTIC_TAIL,
    AttemptRefused,
    BreakGlass,
    DailyReport,
    EpochKey,
    Erasure,
    GrantRequest,
    GrantRequested,
    PersonEnrolled,
    Query,
    Statistic,
    bucket,
    encode,
    key_id,
)
from seenby_verify.tlog.records import (
    DOCUMENT_RANDOM,
    PART_RANDOM,
    RECORD_RANDOM,
    DocumentCrypto,
    commitment,
)
from seenby_verify.tlog.reports import report_message

_DRAW: Final = 64 * 1024
_STATISTIC: Final = EntryBound.STATISTIC
"""Looked up once: finding an enumeration's member takes three times as long as a name (Python 3.11)."""
ERASED: Final = b'{"how":"erased","v":1}'


@dataclass(frozen=True, slots=True)
class GrantDocument:
    """A request with the sealed half of it: ``grant_commit`` = HMAC-SHA-256(opening, terms)."""

    event: GrantRequest
    terms: bytes
    opening: bytes


@dataclass(frozen=True, slots=True)
class ReportDocument:
    """What the gateway says of a day of some month (1 to 31), for the log's own key to sign (docs/formats/reports.md).

    ``confirmed``: an auditor has signed it, as of an epoch: (epoch, key id, signature).
    """

    day: int
    document: bytes
    confirmed: tuple[int, bytes, bytes] | None = None


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
            self._pool = os.urandom(max(_DRAW, count))
            at, end = 0, count
        self._at = end
        return self._pool[at:end]


def epoch_of(now: float) -> tuple[int, float]:
    """The epoch of a Unix time, and when the next one begins: 1795338000.0 -> (202611, 1796083200.0)."""
    day = datetime.fromtimestamp(now, UTC)
    year, month = (day.year + 1, 1) if day.month == 12 else (day.year, day.month + 1)
    return day.year * 100 + day.month, datetime(year, month, 1, tzinfo=UTC).timestamp()


def enrolled_part(version: int, fingerprint: str) -> bytes:
    """What an enrolment says of a person: which key it commits to."""
    return canonical({"fingerprint": fingerprint, "how": "enrolled", "v": 1, "version": version})


def open_document(keystore: KeyStore, region: str, sealed: bytes, event: GrantRequest) -> GrantDocument:
    """The document of a request in the journal. Raises VerificationError if it does not open or fit."""
    opened = DocumentCrypto(keystore.epoch_key(event.epoch), region, event.epoch).open(sealed)
    return GrantDocument(event, opened.text, opened.opening)


class Sealer:
    """Owns the epoch, the label counters and the usage of grants. Every method runs on the loop's thread.

    ``tick`` goes before each item, and what it announced is logged before it: an item has one epoch.

    Attributes:
        announced: set by ``tick``: an epoch key that must be logged before anything else. Who logs it sets it to None.
        usage: of the grants that were asked about since the start; read only.
    """

    def __init__(
        self,
        region: str,
        keystore: KeyStore,
        clock: Callable[[], float],
        keys: RecordKeys,
        state: State,
        epoch: int,
        epoch_key: EpochKey | None,
    ) -> None:
        """``state``: covers the whole journal. ``epoch``: of its last entry; ``epoch_key``: the last one in it.

        Raises LedgerFailed if the shares of that epoch key are not there.
        """
        self.epoch = epoch
        self.announced: EpochKey | None = None
        self.usage: dict[bytes, Usage] = {}
        self._region = region
        self._keystore = keystore
        self._clock = clock
        self._keys = keys
        self._people = People(region, keystore, state)
        self._state = state
        self._random = Randomness()
        self._next_epoch = self._renew_at = 0.0
        self._left = 0
        self._records: RecordSealer
        self._documents: DocumentCrypto
        # That of an earlier month is used no more, and its shares may have been destroyed.
        if epoch_key is not None and epoch_key.epoch == max(epoch, epoch_of(clock())[0]):
            keys.restore(epoch_key)

    def tick(self) -> int:
        """The epoch now. It never falls, even if the clock does."""
        now = self._clock()
        if now >= self._renew_at:
            self._renew(now)
        return self.epoch

    def _renew(self, now: float) -> None:
        """A new epoch has begun, or a block key is too old."""
        if now >= self._next_epoch:
            epoch, following = epoch_of(now)
            # A clock that was behind the log comes into an epoch that has begun: who is counted in it stays so.
            if epoch > self.epoch or not self._next_epoch:
                self._begin(max(self.epoch, epoch))
            self._next_epoch = following
        self._renew_block(now)

    def _begin(self, epoch: int) -> None:
        # Both may be refused (a KMS that does not answer). Until they are not, the epoch before goes on: seals that are
        # written meanwhile are its own.
        key = self._keystore.epoch_key(epoch)
        announced = self._keys.begin(epoch, key)
        self.epoch, self.announced = epoch, announced
        self._documents = DocumentCrypto(key, self._region, epoch)
        self._people.begin(epoch)

    def _renew_block(self, now: float) -> None:
        self._records = self._keys.renew(now)
        self._renew_at = min(self._next_epoch, self._keys.renew_at)
        self._left = self._keys.records

    def _seal(
        self, kind: int, tail: bytes, private: bytes, record: bytes, withheld: bytes, random: bytes
    ) -> tuple[bytes, bytes]:
        """The entry of a record, and the journal's record of it."""
        if not self._left:
            self._renew_block(self._clock())
        self._left -= 1
        return self._records.entry(kind, tail, private, record, withheld, random)

    def pseudonym(self, person: str) -> bytes:
        """How the private journal names a person: 16 bytes."""
        self._people.age()
        return self._people.get(person).crypto.pseudonym

    def enrolled(self, person: str) -> bool:
        """Whether a person's key has its enrolment. The key is made if there is none."""
        self._people.age()
        return self._people.get(person).enrolled

    def integrated(self, size: int) -> None:
        """The state covers so many entries now: what it knows need not be kept in memory."""
        self._people.integrated(size)

    def used(self, grant: bytes) -> Usage:
        """What a grant has shown so far. Read only."""
        usage = self.usage.get(grant)
        if usage is None:
            # All that was shown before this process began is in the state; whatever it adds is added here first.
            usage = self.usage[grant] = self._state.usage(grant) if grant != NO_GRANT else Usage()
        return usage

    def query(self, item: QueryDisclosure, index: int) -> Sealed:
        """The query entry and its person entries; before them, the enrolment of those who are new.

        ``index``: of the first entry.
        """
        check(item)
        record, withheld, shown, part, final, bound, grant, rows, principal, cohort = item
        find, people, fresh = self._people.get, [], []
        for person, _ in shown:
            known = find(person)
            people.append(known)
            if not known.enrolled:
                fresh.append(known)
        entries: list[bytes] = []
        payload: list[bytes] = []
        if fresh:
            self._enrol(fresh, entries, payload)
        random = self._random.take(RECORD_RANDOM)
        if bound is _STATISTIC:
            kind, tail = Statistic.KIND, STATISTIC_TAIL.pack(part, final, bucket(cohort))
        else:
            kind, tail = Query.KIND, QUERY_TAIL.pack(part, final, bound, bucket(len(people)))
        private = head_private(grant, rows, principal.encode())
        entry, written = self._seal(kind, tail, private, record, withheld, random)
        entries.append(entry)
        payload.append(written)
        self._name(people, [said for _, said in shown], random[:32], entries, payload)
        if grant != NO_GRANT:
            usage = self.usage.get(grant) or self.used(grant)
            usage.rows += rows
            usage.statistics += bound is _STATISTIC and part == 0
            usage.people.update([known.crypto.pseudonym for known in people])
        self._people.until(index + len(entries))
        return entries, b"".join(payload)

    def _name(
        self,
        people: Sequence[Known],
        parts: Sequence[bytes],
        query_key: bytes,
        entries: list[bytes],
        payload: list[bytes],
    ) -> None:
        """A person entry for each."""
        numbers = []
        for person in people:
            numbers.append(person.labels)
            person.labels += 1
        random = self._random.take(PART_RANDOM * len(people))
        named, written = HERE.name_people(
            self.epoch, [person.crypto for person in people], numbers, parts, query_key, random
        )
        entries += named
        payload.append(written)

    def people_event(self, item: PeopleEvent, index: int) -> Sealed:
        """Enrolments of those who are not enrolled yet, or erasures of those who are. Nobody left: no entries."""
        entries: list[bytes] = []
        payload: list[bytes] = []
        if not item.erased:
            fresh = [one for one in map(self._people.get, item.people) if not one.enrolled]
            if fresh:
                self._enrol(fresh, entries, payload)
        else:
            known = [one for one in map(self._people.known, item.people) if one is not None]
            if known:
                self._event(Erasure, "erased", known, [ERASED] * len(known), entries, payload)
        self._people.until(index + len(entries))
        return entries, b"".join(payload)

    def _enrol(self, people: Sequence[Known], entries: list[bytes], payload: list[bytes]) -> None:
        parts = [enrolled_part(one.version, one.fingerprint) for one in people]
        self._event(PersonEnrolled, "enrolled", people, parts, entries, payload)
        for one in people:
            one.enrolled = True

    def _event(
        self,
        kind: type[PersonEnrolled | Erasure],
        name: str,
        people: Sequence[Known],
        parts: Sequence[bytes],
        entries: list[bytes],
        payload: list[bytes],
    ) -> None:
        record = event_record(name, self._clock(), {"region": self._region})
        random = self._random.take(RECORD_RANDOM)
        entry, written = self._seal(kind.KIND, bytes((bucket(len(people)),)), b"", record, NOTHING, random)
        entries.append(entry)
        payload.append(written)
        self._name(people, parts, random[:32], entries, payload)

    def forget(self, people: Iterable[str]) -> None:
        """Nothing of these people's keys stays in memory."""
        self._people.forget(people)

    def attempt(self, item: RefusedAttempt) -> Sealed:
        if len(item.grant) not in (0, 16):
            raise Internal("a refused attempt has an impossible grant")
        private = head_private(item.grant or NO_GRANT, 0, item.principal.encode())
        random = self._random.take(RECORD_RANDOM)
        entry, written = self._seal(AttemptRefused.KIND, b"", private, item.record, item.withheld, random)
        return [entry], written

    def report(self, item: ReportDocument) -> Sealed:
        """Signed by the log's own key, in the epoch in which it is written; or by the auditor who confirms it."""
        if item.confirmed is None:
            key = self._keystore.checkpoint_key()
            signer = key_id(key.public_key().public_bytes_raw())
            signature = key.sign(report_message(self._region, self.epoch, item.day, item.document))
        else:
            epoch, signer, signature = item.confirmed
            if epoch != self.epoch:
                raise UsageError(f"that was signed for {epoch}, and it is {self.epoch} now", hint="sign it again")
        entry = encode(DailyReport(self.epoch, item.day, item.document, signer, signature))
        return [entry], encode_record(entry, b"")

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
    if len(item.principal.encode()) > 255:
        raise Internal("a principal's name is longer than 255 bytes")
