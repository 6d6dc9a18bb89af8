"""People's keys are erased when a guardian of theirs asks.

An erasure waits for the next time of a grid (``[erasure] every_minutes``), so that the entry's time says little about
whom it is about: docs/adr/0011. What waits survives a restart; what a crash left half done is finished by ``start``.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence

import structlog

from seenby.errors import PolicyDenied, SeenbyError, UsageError
from seenby.gateway.active import PeopleFacts
from seenby.gateway.facts import session_facts
from seenby.gateway.grants import GrantService
from seenby.grants.words import clock as clock_words
from seenby.model.disclosure import PeopleEvent, RefusedAttempt
from seenby.model.people import Person
from seenby.model.principal import Principal
from seenby.session.record import attempt_record
from seenby.stores.directory import APPROVING_ROLES
from seenby.stores.erasures import ErasureQueue, next_batch
from seenby.stores.erasures_found import said_erased
from seenby.stores.keystore import KeyStore
from seenby.stores.ledger import Ledger

BATCH = 9_999
"""People of one erasure: all that one bucket of the log holds."""
POLL_SECONDS = 0.5

log = structlog.get_logger("seenby.people")


class ErasureService:
    """One per gateway process, on its loop.

    Args:
        grants: for the directory, and to notify the protection officer.
        facts: where people live.
        queue: what waits to be erased.
        every_minutes: the grid of erasures.
        clock: Unix seconds.
    """

    def __init__(
        self,
        *,
        grants: GrantService,
        ledger: Ledger,
        keystore: KeyStore,
        facts: PeopleFacts,
        queue: ErasureQueue,
        every_minutes: int,
        clock: Callable[[], float],
    ) -> None:
        self.region = grants.region
        self._grants = grants
        self._ledger = ledger
        self._keystore = keystore
        self._facts = facts
        self._queue = queue
        self._every = every_minutes
        self._clock = clock
        self._executing = asyncio.Lock()
        self._again: set[str] = set()  # their entry is in the log perhaps, and their key could not be removed

    async def start(self) -> None:
        """Finishes what a crash cut short. Call it before anybody is served: nothing may follow a key's erasure."""
        half = said_erased(self._ledger, self._keystore, self.region, list(self._queue.waiting))
        if half:
            log.warning("erasures", finished=len(half), because="the log had them, the keys were still there")
            await asyncio.to_thread(self._keystore.forget, half)
            self._queue.done(half)

    async def run(self) -> None:
        """Erases what is due, until it is cancelled. What fails is logged and tried again."""
        while True:
            try:
                await self.erase_due()
            except SeenbyError as error:
                log.error("erasures", error=error.message, hint=error.hint)
                await asyncio.sleep(10 * POLL_SECONDS)
            await asyncio.sleep(POLL_SECONDS)

    async def ask(self, by: Principal, names: Sequence[str], *, at_once: bool) -> dict[str, object]:
        """Somebody signed that these people's keys are to go. What is durable when this returns cannot be lost.

        Raises PolicyDenied (recorded in the log, without the people's names), UsageError.
        """
        people = sorted({Person.parse(name) for name in names})
        if not people or len(people) > BATCH:
            raise UsageError(f"{len(people)} people cannot be erased at once", hint=f"name 1 to {BATCH}")
        await self._check_guardian(by, people)
        keyless = set(self._keystore.without_key([str(person) for person in people]))
        waiting = [str(person) for person in people if str(person) not in keyless]
        now = self._clock()
        self._queue.add(waiting, by.name, now)
        when = "at once" if at_once else f"at {clock_words(int(next_batch(now, self._every)))}"
        if waiting:
            word = "person's key" if len(waiting) == 1 else "people's keys"
            await self._grants.truth.notify("erasure", f"{by.name} erases {len(waiting)} {word}, {when}", "", by.name)
        erased = await self._erase(list(self._queue.waiting)) if at_once else 0
        return {
            "waiting": 0 if at_once else len(waiting),
            "erased": erased,
            "without_key": sorted(keyless),
        } | self.due()

    async def _check_guardian(self, by: Principal, people: Sequence[Person]) -> None:
        """Whose account is in the database says where they live; of everybody else this region holds the key."""
        said = ""
        if by.role not in APPROVING_ROLES:
            said = f"{by.name} guards nobody's data"
        else:
            found = await self._facts.lookup(people)
            homes = {found[person].region if person in found else self.region for person in people}
            if homes - {by.region}:
                said = f"{by.name} guards people of {by.region}, and not all of these are"
        if not said:
            return
        error = PolicyDenied(
            said, hint="an approver or the protection officer of the people's own region must sign an erasure"
        )
        record, withheld = attempt_record(
            session_facts(by, self.region), self._clock(), "seenby erase", sqlstate=error.state, message=said, detail=""
        )
        await self._ledger.append(RefusedAttempt(record, withheld, b"", by.name))
        raise error

    def due(self) -> dict[str, object]:
        """How many wait, and when the next batch is, Unix seconds."""
        return {"queued": len(self._queue.waiting), "next": int(next_batch(self._clock(), self._every))}

    def waiting(self, by: Principal) -> list[dict[str, object]]:
        """Who waits, for those who guard this region. Raises PolicyDenied."""
        if by.role not in APPROVING_ROLES or by.region != self.region:
            raise PolicyDenied(f"{by.name} guards nobody of {self.region}", hint="ask the protection officer")
        return [
            {"person": one.person, "by": one.by, "at": int(one.at), "due": int(next_batch(one.at, self._every))}
            for one in self._queue.waiting.values()
        ]

    async def erase_due(self) -> int:
        """Erases whose time has come; answers how many."""
        now = self._clock()
        return await self._erase(
            [
                one.person
                for one in self._queue.waiting.values()
                if one.person in self._again or next_batch(one.at, self._every) <= now
            ]
        )

    async def _erase(self, people: Sequence[str]) -> int:
        erased = 0
        async with self._executing:
            still = [person for person in people if person in self._queue.waiting]
            random.SystemRandom().shuffle(still)  # person entries stand in an order without meaning
            for start in range(0, len(still), BATCH):
                batch = tuple(still[start : start + BATCH])
                self._again.update(batch)
                await self._ledger.append(PeopleEvent(batch, True))
                self._queue.done(batch)
                self._again.difference_update(batch)
                erased += len(batch)
                log.info("erasures", erased=len(batch))
        return erased
