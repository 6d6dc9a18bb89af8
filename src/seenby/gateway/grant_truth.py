"""What is true of grants in this region: the ledger's events, and the documents that match their commitments.

The control database is a copy of it for readers. Writing here means: first the ledger, then memory, then the copy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from seenby.errors import NotFound, PolicyDenied, SeenbyError, Unavailable, UsageError
from seenby.gateway.active import ActiveGrant
from seenby.gateway.facts import grant_facts, session_facts
from seenby.grants.lifecycle import History, Standing, replay
from seenby.grants.signing import Verb
from seenby.grants.terms import decode_terms, grant_commit
from seenby.model.disclosure import RefusedAttempt
from seenby.model.grant import GrantState, GrantTerms
from seenby.model.principal import Principal
from seenby.session.record import attempt_record
from seenby.stores.control import Control, DecisionRow, GrantRow, Notice
from seenby.stores.directory import Directory
from seenby.stores.ledger import Ledger
from seenby.stores.sealing import GrantDocument
from seenby_verify.tlog import entries

log = structlog.get_logger("seenby.grants")


@dataclass(slots=True, eq=False)
class Grant:
    """One grant as this process knows it. ``standing`` follows from the log alone.

    Attributes:
        data: the canonical terms.
        blocked: why it is approved and still not activated, "" if nothing stands against it.
        cut: set when it is about to end, before the log is asked; nothing activates it from then on.
        lock: held while anything about it changes.
    """

    terms: GrantTerms
    data: bytes
    opening: bytes
    commit: bytes
    standing: Standing = field(default_factory=Standing)
    active: ActiveGrant | None = None
    blocked: str = ""
    cut: SeenbyError | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def state(self) -> GrantState:
        """Only grants with a request that holds are ever kept."""
        assert self.standing.state is not None
        return self.standing.state


SignedLater = (
    type[entries.GrantApproved] | type[entries.GrantDenied] | type[entries.GrantRevoked] | type[entries.GrantReviewed]
)
"""What people sign about a grant that is there."""


class Truth:
    """All grants of the region.

    Args:
        region: whose ledger this is.
        clock: Unix seconds.

    Attributes:
        history: the log's key events and grant events.
        grants: by id; those whose documents match and whose request holds.
        broken: of these the ones that are break-glass.
    """

    def __init__(self, region: str, ledger: Ledger, control: Control, clock: Callable[[], float]) -> None:
        self.region = region
        self.control = control
        self.history = History()
        self.grants: dict[str, Grant] = {}
        self.broken: list[Grant] = []
        self._ledger = ledger
        self._clock = clock
        self._keys_lock = asyncio.Lock()

    async def rebuild(self) -> None:
        """Reads the log and the documents sealed beside it. What does not hold becomes a notice, never a grant."""
        found = []
        for logged in self._ledger.grant_events():
            self.history.add(logged.event)
            if logged.document is not None:
                data, opening = logged.document.terms, logged.document.opening
                found.append(Grant(decode_terms(data), data, opening, grant_commit(opening, data)))
        for grant in found:
            events = self.history.grants[grant.terms.id]
            grant.standing = replay(self.region, grant.terms, grant.commit, events)
            for problem in grant.standing.problems:
                await self.notify("log", f"an event in the log does not hold: {problem}", grant.terms.id)
            if grant.standing.state is not None:
                self._keep(grant)

    def find(self, prefix: str) -> Grant:
        """The grant whose id begins like this. Raises NotFound, or UsageError when several do."""
        found = [grant for name, grant in self.grants.items() if len(prefix) >= 4 and name.startswith(prefix)]
        if len(found) > 1:
            raise UsageError(f"{len(found)} grants begin with {prefix}", hint="give more digits")
        if not found:
            raise NotFound(f"there is no grant {prefix}", hint="`seenby grant list` shows the ones you may see")
        return found[0]

    async def add(self, grant: Grant, principal: Principal, signature: bytes) -> None:
        """A new request, which the caller has checked."""
        terms, key, now = grant.terms, entries.key_id(principal.public_key), int(self._clock())
        # "new" claims nothing: should the ledger fail now, the row means nothing to anybody.
        await self.control.put_grant(GrantRow(terms.id, grant.data, grant.opening, key, signature, "new", now, now))
        await self.know_key(principal)
        kind = entries.BreakGlass if terms.emergency else entries.GrantRequested
        request = kind(0, bytes.fromhex(terms.id), grant.commit, key, signature, terms.approvals, bytes(32))
        await self.record(grant, request)
        self._keep(grant)

    def _keep(self, grant: Grant) -> None:
        self.grants[grant.terms.id] = grant
        if grant.terms.emergency:
            self.broken.append(grant)

    async def sign(self, grant: Grant, kind: SignedLater, principal: Principal, signature: bytes, verb: Verb) -> None:
        """What somebody signed about a grant, which the caller has checked."""
        await self.know_key(principal)
        key = entries.key_id(principal.public_key)
        row = DecisionRow(grant.terms.id, verb, key, principal.name, signature, int(self._clock()))
        await self.record(grant, kind(0, bytes.fromhex(grant.terms.id), grant.commit, key, signature), row)

    async def record(self, grant: Grant, entry: entries.GrantEvent, decision: DecisionRow | None = None) -> None:
        """Appends an event. Afterwards ``grant.standing`` is what it made of the grant, and the copy follows."""
        if isinstance(entry, entries.GrantRequested | entries.BreakGlass):
            await self._ledger.append(GrantDocument(entry, grant.data, grant.opening))
        else:
            await self._ledger.append(entry)
        self.history.add(entry)
        grant.standing = replay(self.region, grant.terms, grant.commit, self.history.grants[grant.terms.id])
        try:
            if decision is not None:
                await self.control.put_decision(decision)
            await self.control.set_status(grant.terms.id, grant.state, int(self._clock()))
        except Unavailable as error:
            # The ledger has it. The next audit puts the copy right.
            log.warning("control database", error=error.message)

    async def record_refusal(self, terms: GrantTerms, principal: Principal, error: SeenbyError, what: str) -> None:
        """A refused attempt at the control API. Its record names no person: a denial's words are about rules."""
        facts = grant_facts(terms, ()).with_session(session_facts(principal, self.region))
        said = error.message if isinstance(error, PolicyDenied) else "it names a person who is not there"
        record, withheld = attempt_record(facts, self._clock(), what, sqlstate=error.state, message=said, detail="")
        await self._ledger.append(RefusedAttempt(record, withheld, bytes.fromhex(terms.id), principal.name))

    async def notify(self, kind: str, text: str, grant_id: str = "", principal: str = "") -> None:
        """A notice for the protection officer: stored once, and told in the gateway's own log."""
        if await self.control.add_notice(Notice(int(self._clock()), kind, grant_id, principal, text)):
            log.warning("notice", kind=kind, grant=grant_id, principal=principal, text=text)

    async def retire_keys(self, directory: Directory) -> None:
        """Keys that the directory no longer has, or has with another role or region, count no more."""
        async with self._keys_lock:
            for key, logged in list(self.history.keys.items()):
                who = directory.by_key(key)
                if who is None or (who.role, who.region) != (logged.role, logged.region):
                    await self._append(entries.KeyRetired(0, logged.role, logged.region, logged.key))

    async def know_key(self, principal: Principal) -> None:
        """The log must know a key before anything that it signed."""
        async with self._keys_lock:
            logged = self.history.keys.get(entries.key_id(principal.public_key))
            if logged is not None and (logged.role, logged.region) == (principal.role, principal.region):
                return
            if logged is not None:
                await self._append(entries.KeyRetired(0, logged.role, logged.region, logged.key))
            await self._append(entries.KeyAdded(0, principal.role, principal.region, principal.public_key))

    async def _append(self, entry: entries.KeyEvent) -> None:
        await self._ledger.append(entry)
        self.history.add(entry)
