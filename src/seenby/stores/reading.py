"""What a ledger says of itself while it is open. For the loop's thread; nothing here changes anything on disk."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from seenby.errors import LedgerFailed
from seenby.stores.keystore import KeyStore
from seenby.stores.opening import LoggedEvent, Opened
from seenby.stores.sealing import Sealer
from seenby.stores.state import State, Usage
from seenby_verify.tlog.checkpoint import VerifierKey
from seenby_verify.tlog.grantlog import GrantLog


class Recent(NamedTuple):
    """An entry that is durable and not public yet: whose it is, and when it was written (Unix milliseconds)."""

    place: int
    entry: bytes
    principal: str
    time: int


class LedgerReading:
    """The half of ``Ledger`` that only answers."""

    origin: str
    _durable: int
    _events: list[LoggedEvent]
    _failure: LedgerFailed | None
    _grants: GrantLog
    _keystore: KeyStore
    _opened: Opened
    _recent: deque[Recent]
    _sealer: Sealer

    @property
    def size(self) -> int:
        """How many entries are durable."""
        return self._durable

    @property
    def note(self) -> bytes:
        """The published checkpoint, as it stands there."""
        return self._opened.checkpoint.note

    @property
    def state(self) -> State:
        """What is known of everything that is published. Read only."""
        return self._opened.state

    @property
    def failure(self) -> LedgerFailed | None:
        """Why nothing is accepted any more, if so."""
        return self._failure

    @property
    def verifier_key(self) -> VerifierKey:
        """What strangers need to verify this log."""
        return self._keystore.verifier_key(self.origin)

    @property
    def grants(self) -> GrantLog:
        """What the log's grant entries amount to (submitted ones included). Read only."""
        return self._grants

    @property
    def regions(self) -> bytes:
        """The newest signed list of regions in the log; empty if there is none."""
        return self._opened.regions

    def grant_events(self) -> Iterator[LoggedEvent]:
        """Every durable grant and key entry, in the log's order."""
        yield from tuple(self._events)

    def recent(self, principal: str) -> list[Recent]:
        """What this principal's sessions made durable that is not public yet."""
        return [one for one in self._recent if one.principal == principal]

    def usage(self, grant: bytes) -> Usage:
        """What a grant (16 bytes) has shown so far, submitted disclosures included. Read only."""
        return self._sealer.used(grant)

    def enrolled(self, person: str) -> bool:
        """Whether their enrolment is submitted. Their key is made if they have none."""
        return self._sealer.enrolled(person)

    def pseudonym(self, person: str) -> bytes:
        """How ``Usage.people`` names ``account:42``."""
        return self._sealer.pseudonym(person)
