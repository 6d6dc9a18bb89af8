"""The grant service: what people sign goes into the ledger first, then it takes effect. One per gateway process.

Ending is the one exception to that order: a session is cut at once, and the ledger is told in the same breath.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import structlog

from seenby.errors import ConfigError, SeenbyError, Unavailable, UsageError
from seenby.gateway.active import ActiveGrant, Enforcer, Life, PeopleFacts, lost_words
from seenby.gateway.grant_audit import audit
from seenby.gateway.grant_truth import Grant, Truth
from seenby.gateway.judge import Judge
from seenby.gateway.noise import check_noise
from seenby.grants.lifecycle import (
    ENDED,
    Event,
    advance,
    check_again,
    check_signer,
    end_words,
    ended_error,
)
from seenby.grants.lifecycle import why_over as why_over_for
from seenby.grants.policy import Allowed, Denied, Policies
from seenby.grants.review import broken_words
from seenby.grants.signing import Verb, verify_grant
from seenby.grants.terms import decode_terms, encode_terms, grant_commit
from seenby.model.grant import GrantState, GrantTerms
from seenby.model.principal import Principal
from seenby.stores.control import Control
from seenby.stores.directory import DirectoryFile
from seenby.stores.ledger import Ledger
from seenby_verify.tlog import entries
from seenby_verify.tlog.entries import EndReason

POLL_SECONDS = 0.25
"""How often the directory and the clock are looked at, so that a limit bites within a second."""
AUDIT_SECONDS = 5.0
"""How often the control database is held against the truth."""

log = structlog.get_logger("seenby.grants")


class GrantService:
    """Requests, approvals, denials, revocations, expiry. Methods may run concurrently.

    Args:
        region: whose gateway this is.
        clock: Unix seconds; tests own it.
    """

    def __init__(
        self,
        *,
        region: str,
        ledger: Ledger,
        control: Control,
        directory: DirectoryFile,
        policies: Policies,
        people: PeopleFacts,
        enforcer: Enforcer,
        clock: Callable[[], float],
    ) -> None:
        self.region = region
        self.truth = Truth(region, ledger, control, clock)
        self.directory = directory
        self.policies = policies
        self.judge = Judge(self.truth, directory, policies, people, clock)
        self.paused: SeenbyError | None = None
        """While it is set no grant has sessions or a role: what everybody is told. ``pause`` sets it, or who starts."""
        self._people = people
        self._enforcer = enforcer
        self._clock = clock
        self._roles_to_end: set[str] = set()
        self._ending = asyncio.Lock()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._audited = float("-inf")

    def active_for(self, principal: str) -> list[ActiveGrant]:
        """The grants that ``principal`` can use now, oldest first."""
        if self.judge.lock_of(principal) is not None:
            return []
        now = self._clock()
        found = (g.active for g in self.truth.grants.values() if g.terms.principal == principal)
        return [active for active in found if active is not None and active.why_not(now) is None]

    # What people do.

    def draft(self, principal: str, **wish: Any) -> tuple[GrantTerms, Allowed]:
        """Completes a wish to terms: who the directory says the principal is, and how many approvals are needed.

        Looks at nobody's data, so that a draft tells nothing about people. ``wish`` has ``id``, ``purpose``,
        ``reference``, ``cells``, ``people``, ``max_people``, ``max_rows``, ``not_before`` (0: now) and ``seconds``;
        it may have ``answers``, ``noise``, ``writes``, ``reason`` and ``emergency``.
        """
        who = self.directory.current.principal(principal)
        now = int(self._clock())
        begin = wish.pop("not_before") or now
        terms = GrantTerms(
            region=self.region,
            principal=who.name,
            country=who.country,
            entity=who.entity,
            unit=who.unit,
            role=who.role,
            approvals=1,
            requested_at=now,
            not_before=begin,
            not_after=begin + wish.pop("seconds"),
            **wish,
        )
        encode_terms(terms)
        check_noise(terms)
        self.judge.check_writes(terms)
        count = self.policies.reviews_for if terms.emergency else self.policies.approvals_for
        needed = count(terms, who, self.judge.facts(terms, {}))
        if isinstance(needed, Denied):
            raise needed.error(who.name)
        return replace(terms, approvals=needed.approvals), needed

    async def request(self, data: bytes, opening: bytes, signature: bytes) -> Grant:
        """A signed request. ``data``: canonical terms; ``opening``: 32 random bytes.

        Raises PolicyDenied, NotFound (a person who is not there), UsageError, VerificationError, AuthFailed. A
        refusal by policy is in the ledger before it is raised.
        """
        terms = decode_terms(data)
        check_noise(terms)
        grant = Grant(terms, data, opening, grant_commit(opening, data))
        principal = self.directory.current.principal(terms.principal)
        verb, what = (Verb.BREAK_GLASS, "reviews") if terms.emergency else (Verb.REQUEST, "approvals")
        verify_grant(principal.public_key, signature, verb, self.region, terms.id, grant.commit)
        await self.judge.check_request(terms, principal)
        allowed = await self.judge.decide(terms, principal)
        if terms.approvals < allowed.approvals:
            raise UsageError(
                f"the policy asks for {allowed.approvals} {what}, the terms for {terms.approvals}",
                hint="sign terms with the number that the policy asks for",
            )
        async with grant.lock:
            await self.truth.add(grant, principal, signature)
            if terms.emergency:
                await self._tell("break-glass", broken_words(terms), grant)
            await self._activate_if_due(grant)
        return grant

    async def approve(self, grant_id: str, name: str, signature: bytes) -> Grant:
        """An approver's signature. After the last one the grant is activated, as soon as its time begins."""
        grant, approver = self.truth.find(grant_id), self.directory.current.principal(name)
        async with grant.lock:
            self._check_signed(grant, Event.APPROVE, Verb.APPROVE, approver, signature)
            await self._end_if_over(grant)
            advance(grant.state, Event.APPROVE)
            check_again(grant.standing, entries.key_id(approver.public_key), approver.role, Verb.APPROVE)
            refused = self.policies.decide_approval(grant.terms, approver, self.judge.facts(grant.terms, {}))
            if refused is not None:
                error = refused.error(name)
                await self.truth.record_refusal(grant.terms, approver, error, "seenby grant approve")
                raise error
            await self.truth.sign(grant, entries.GrantApproved, approver, signature, Verb.APPROVE)
            await self._activate_if_due(grant)
        return grant

    async def deny(self, grant_id: str, name: str, signature: bytes) -> Grant:
        """An approver says no to a request, for good."""
        grant, approver = self.truth.find(grant_id), self.directory.current.principal(name)
        async with grant.lock:
            self._check_signed(grant, Event.DENY, Verb.DENY, approver, signature)
            advance(grant.state, Event.DENY)
            await self.truth.sign(grant, entries.GrantDenied, approver, signature, Verb.DENY)
        return grant

    async def review(self, grant_id: str, reviewer: Principal, signature: bytes, verb: Verb, note: str) -> Grant:
        """A reviewer's verdict on break-glass, JUSTIFIED or UNJUSTIFIED. ``note``: for the protection officer."""
        grant = self.truth.find(grant_id)
        if not grant.terms.emergency:
            raise UsageError("only break-glass is reviewed", hint="`seenby grant list` says which grants are")
        async with grant.lock:
            self._check_signed(grant, Event.REVIEW, verb, reviewer, signature)
            advance(grant.state, Event.REVIEW)
            check_again(grant.standing, entries.key_id(reviewer.public_key), reviewer.role, verb)
            refused = self.policies.decide_approval(grant.terms, reviewer, self.judge.facts(grant.terms, {}))
            if refused is not None:
                error = refused.error(reviewer.name)
                await self.truth.record_refusal(grant.terms, reviewer, error, "seenby grant review")
                raise error
            await self.truth.sign(grant, entries.GrantReviewed, reviewer, signature, verb)
            text = f"{reviewer.name} signed {verb}: {note or 'no note'}"
            await self._tell("review", text, grant)
        self._begin_due()
        return grant

    async def _tell(self, kind: str, text: str, grant: Grant) -> None:
        """A notice about what the ledger holds already: the gateway's log has it if the control database has not."""
        try:
            await self.truth.notify(kind, text, grant.terms.id, grant.terms.principal)
        except Unavailable as error:
            log.warning("notice", kind=kind, grant=grant.terms.id, text=text, stored=error.message)

    async def revoke(self, grant_id: str, name: str, signature: bytes) -> Grant:
        """The requester or an approver ends it: its sessions at once, its role in the database right after."""
        grant, principal = self.truth.find(grant_id), self.directory.current.principal(name)
        self._check_signed(grant, Event.REVOKE, Verb.REVOKE, principal, signature)
        advance(grant.state, Event.REVOKE)
        self._cut(grant, f"{name} revoked it")
        async with grant.lock:
            advance(grant.state, Event.REVOKE)
            try:
                await self.truth.sign(grant, entries.GrantRevoked, principal, signature, Verb.REVOKE)
            finally:
                await self._stop(grant, f"{name} revoked it")
        return grant

    async def end(self, grant_id: str, reason: EndReason) -> None:
        """Ends a grant for a reason that nobody signs, as in: its cap is reached. Nothing if it has ended."""
        grant = self.truth.find(grant_id)
        self._cut(grant, end_words(reason))
        async with grant.lock:
            if grant.state not in ENDED:
                await self._end(grant, reason)

    # What time brings.

    async def start(self) -> None:
        """Rebuilds everything from the ledger and puts database and copy right. Call once, before all else."""
        await self.truth.rebuild()
        alive = {name for name, grant in self.truth.grants.items() if grant.state is GrantState.ACTIVE}
        await self._enforcer.keep_only(set() if self.paused else alive)
        await self.tick()

    async def pause(self, error: SeenbyError) -> None:
        """Suspends every grant: its sessions are told ``error``, its role and its views leave the database.

        The log has no event for it: nothing is shown meanwhile, and no grant ends (docs/adr/0017). Raises
        Unavailable when the database does not obey; nothing is shown then either.
        """
        self.paused = error
        for grant in self.truth.grants.values():
            self._suspend(grant, error)
        for grant in list(self.truth.grants.values()):
            async with grant.lock:  # it may have been in the middle of being activated
                self._suspend(grant, error)
        async with self._ending:
            await self._enforcer.keep_only(())
            self._roles_to_end.clear()

    def resume(self) -> None:
        """Lets the grants go on whose time is not over: roles and views are made anew, by the timer."""
        self.paused = None
        for grant in self.truth.grants.values():
            grant.blocked = ""  # the data map may have changed
        self._begin_due()

    async def run(self) -> None:
        """The timer, until it is cancelled. A failure is logged and tried again: time must not stop."""
        try:
            while True:
                self._begin_due()
                await asyncio.sleep(POLL_SECONDS)
        finally:
            for task in self._tasks.values():
                task.cancel()

    async def tick(self) -> None:
        """Does everything that is due now, and waits for it."""
        self._begin_due()
        while self._tasks:
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _begin_due(self) -> None:
        """Cuts what is over, at once; the rest runs in tasks of its own, so that no slow grant holds up another."""
        now = self._clock()
        try:
            changed = self.directory.changed()
        except ConfigError as error:
            changed = False
            text = f"{error.message}; what the directory said before still counts"
            self._spawn("directory", partial(self.truth.notify, "directory", text))
        if changed:
            for grant in self.truth.grants.values():
                grant.blocked = ""
            self._spawn("keys", lambda: self.truth.retire_keys(self.directory.current))
        for grant in self.truth.grants.values():
            if grant.state in ENDED:
                continue
            reason = self._why_over(grant)
            if reason is not None:
                self._cut(grant, end_words(reason))
            elif grant.active is not None and (lock := self.judge.lock_of(grant.terms.principal)) is not None:
                self._suspend(grant, lock.ended())
            if reason is not None or self._is_due(grant):
                self._spawn(grant.terms.id, partial(self._settle, grant))
        if self._roles_to_end:
            self._spawn("roles", self._end_roles)
        if now >= self._audited + AUDIT_SECONDS:
            self._audited = now
            self._spawn("audit", lambda: audit(self.truth, self.directory.current))

    def _spawn(self, name: str, work: Callable[[], Any]) -> None:
        """One task per name at a time; what is still due will be found again."""
        if name in self._tasks:
            return
        task = asyncio.create_task(work())
        self._tasks[name] = task

        def done(task: asyncio.Task[None]) -> None:
            del self._tasks[name]
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("grants", work=name, error=str(error), kind=type(error).__name__)

        task.add_done_callback(done)

    async def _settle(self, grant: Grant) -> None:
        async with grant.lock:
            await self._end_if_over(grant)
            await self._activate_if_due(grant)

    # Steps.

    def _check_signed(self, grant: Grant, event: Event, verb: Verb, by: Principal, signature: bytes) -> None:
        verify_grant(by.public_key, signature, verb, self.region, grant.terms.id, grant.commit)
        check_signer(event, grant.terms, by.region, own=by.name == grant.terms.principal)

    def _why_over(self, grant: Grant) -> EndReason | None:
        principal = self.directory.current.principals.get(grant.terms.principal)
        return why_over_for(grant.terms, principal, self._clock())

    def _cut(self, grant: Grant, because: str) -> None:
        """Ends the sessions of this process now, without waiting for anything."""
        grant.cut = grant.cut or ended_error(grant.terms, because)
        if grant.active is not None:
            grant.active.life.end(grant.cut)

    def _suspend(self, grant: Grant, error: SeenbyError) -> None:
        """While its principal is locked, or the schema is being changed, a grant has neither sessions nor a role.

        After that it goes on by itself.
        """
        active, grant.active = grant.active, None
        if active is not None:
            self._roles_to_end.add(grant.terms.id)
            active.life.end(error)

    async def _stop(self, grant: Grant, because: str) -> None:
        """Sessions, then the role in the database; a database that is away is asked again until it obeys."""
        try:
            self._cut(grant, because)
        finally:
            grant.active = None
            self._roles_to_end.add(grant.terms.id)
            await self._end_roles()

    async def _end_roles(self) -> None:
        async with self._ending:
            ending = sorted(self._roles_to_end)
            if ending:
                await self._enforcer.end(ending)
                self._roles_to_end.difference_update(ending)

    async def _end_if_over(self, grant: Grant) -> None:
        reason = self._why_over(grant)
        if reason is not None and grant.state not in ENDED:
            await self._end(grant, reason)

    async def _end(self, grant: Grant, reason: EndReason) -> None:
        was_active = grant.state is GrantState.ACTIVE
        try:
            await self.truth.record(grant, entries.GrantEnded(0, bytes.fromhex(grant.terms.id), grant.commit, reason))
        finally:
            if was_active:
                await self._stop(grant, end_words(reason))

    def _is_due(self, grant: Grant) -> bool:
        """Approved and its time has come; or active in the log, and a restart or a failure took it from us."""
        waiting = grant.state in {GrantState.APPROVED, GrantState.ACTIVE} and grant.active is None
        ready = (
            self.paused is None
            and waiting
            and not grant.blocked
            and grant.cut is None
            and self._clock() >= grant.terms.not_before
        )
        return ready and self.judge.lock_of(grant.terms.principal) is None

    async def _activate_if_due(self, grant: Grant) -> None:
        if not self._is_due(grant) or self._why_over(grant) is not None:
            return
        again = grant.state is GrantState.ACTIVE
        try:
            terms, lost = self._people.what_remains(grant.terms) if again else (grant.terms, ())
        except SeenbyError as error:
            await self._not_enclosed(grant, error)
            return
        approvers = await self.judge.still_agreed(grant, terms)
        if grant.blocked:
            await self.truth.notify("not activated", grant.blocked, grant.terms.id, grant.terms.principal)
            return
        if not again:
            await self.truth.record(grant, entries.GrantActivated(0, bytes.fromhex(grant.terms.id), grant.commit))
        if grant.terms.id in self._roles_to_end:
            await self._end_roles()  # it was suspended: the old role goes before the new one comes
        try:
            made = await self._enforcer.activate(terms)
        except Unavailable:
            raise
        except SeenbyError as error:
            await self._not_enclosed(grant, error)
            return
        named = tuple((approver.name, approver.unit) for approver in approvers)
        life = Life(grant.cut)
        grant.active = ActiveGrant(grant.terms, made.shape, made.role, made.password, named, life, lost)
        if lost:
            await self._tell("narrowed", lost_words(lost), grant)

    async def _not_enclosed(self, grant: Grant, error: SeenbyError) -> None:
        await self._end(grant, EndReason.NOT_ENCLOSED)
        await self.truth.notify("not enclosed", f"{error.message} {error.detail}".strip(), grant.terms.id)
