"""What time brings to grants: they become due, end, are suspended while the schema changes, and go on after a restart.

Ending comes before everything: a session is cut at once, and the ledger is told in the same breath.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog

from seenby.errors import ConfigError, SeenbyError, Unavailable
from seenby.gateway.active import ActiveGrant, Enforcer, Life, PeopleFacts, lost_words
from seenby.gateway.grant_audit import audit
from seenby.gateway.grant_truth import Grant, Truth
from seenby.gateway.judge import Judge
from seenby.grants.lifecycle import (
    ENDED,
    end_words,
    ended_error,
)
from seenby.grants.lifecycle import why_over as why_over_for
from seenby.grants.policy import Policies
from seenby.model.grant import GrantState
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


class GrantTimes:
    """The half of ``GrantService`` that nobody signs. Methods may run concurrently.

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

    async def _tell(self, kind: str, text: str, grant: Grant) -> None:
        """A notice about what the ledger holds already: the gateway's log has it if the control database has not."""
        try:
            await self.truth.notify(kind, text, grant.terms.id, grant.terms.principal)
        except Unavailable as error:
            log.warning("notice", kind=kind, grant=grant.terms.id, text=text, stored=error.message)

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
