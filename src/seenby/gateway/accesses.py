"""Active grants as sessions use them: one Access a grant, shared by all its sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from seenby.errors import SeenbyError
from seenby.gateway.active import ActiveGrant, lost_words
from seenby.gateway.facts import grant_facts
from seenby.gateway.grants import GrantService
from seenby.gateway.noise import check_noise, noise
from seenby.model.principal import Principal
from seenby.model.shape import Catalog
from seenby.model.statistic import Answering
from seenby.session.access import Access, Usage
from seenby.stores.ledger import Ledger
from seenby.stores.remembered import Remembered
from seenby_verify.tlog.entries import EndReason

log = structlog.get_logger()


class AccessBook:
    """Looks up grants for sign-in, and tells sessions when one ends.

    Attributes:
        on_end: called when an access has ended, to cut its sessions at once.
    """

    def __init__(
        self, service: GrantService, ledger: Ledger, catalog: Callable[[], Catalog], remembered: Remembered
    ) -> None:
        self.on_end: Callable[[], None] = lambda: None
        self._service = service
        self._ledger = ledger
        self._catalog = catalog
        self._accesses: dict[str, tuple[Access, ActiveGrant]] = {}
        self._closed: SeenbyError | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._remembered = remembered

    def principal(self, name: str) -> Principal | None:
        """As the directory says now."""
        return self._service.directory.current.principals.get(name)

    def accesses(self, principal: str) -> Sequence[Access]:
        """The principal's active grants, oldest first.

        Raises UnderMigration; what ``close_all`` was told, until ``open``; GrantEnded for somebody who is locked.
        """
        if (closed := self._service.paused or self._closed) is not None:
            raise closed
        if (lock := self._service.judge.lock_of(principal)) is not None:
            raise lock.ended()
        return [self._access(active) for active in self._service.active_for(principal)]

    def secret(self, grant: str) -> tuple[str, str]:
        """(role, password) in Postgres."""
        _, active = self._accesses[grant]
        return active.role, active.password

    def cap_reached(self, grant: str) -> None:
        """Ends a grant whose results went beyond its caps too often, in the log and in the database."""
        task = asyncio.ensure_future(self._service.end(grant, EndReason.CAP))
        self._ending.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._ending.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # The sessions are cut already; the service's own timer ends what the log says is over.
            log.error("grant-end", reason=type(error).__name__)

    def catalog_changed(self) -> None:
        """The schema changed: what was analysed before counts no more."""
        for access, _ in self._accesses.values():
            access.catalog = self._catalog()
            access.plans.clear()
            access.version += 1

    def close_all(self, error: SeenbyError) -> None:
        """The data map no longer fits the database: no session goes on or begins until somebody put that right."""
        self._closed = error
        for access, _ in self._accesses.values():
            access.ended = error
        self._accesses.clear()
        self.on_end()

    def open(self) -> None:
        """The data map fits."""
        self._closed = None

    def _access(self, active: ActiveGrant) -> Access:
        found = self._accesses.get(active.terms.id)
        thresholds = self._service.directory.current.statistics
        answering = Answering(active.terms.answers, thresholds, self._remembered.seed, active.terms.noise)
        if found is not None and found[1] is active:
            if found[0].answering != answering:
                found[0].answering = answering
                found[0].plans.clear()
            return found[0]
        check_noise(active.terms)
        used = self._ledger.usage(bytes.fromhex(active.terms.id))
        access = Access(
            terms=active.terms,
            shape=active.shape,
            catalog=self._catalog(),
            usage=Usage(used.rows, set(used.people), self._ledger.pseudonym, used.statistics),
            facts=grant_facts(active.terms, active.approvers),
            answering=answering,
            cohorts=self._remembered.memory(active.terms.principal),
            notice=lost_words(active.lost),
            noise=noise,
        )
        self._accesses[active.terms.id] = (access, active)

        def ended(error: SeenbyError) -> None:
            access.ended = error
            self._accesses.pop(active.terms.id, None)
            self.on_end()

        active.life.on_end(ended)
        return access
