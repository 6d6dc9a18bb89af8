"""Enrolment: everybody of the data map's people tables gets a key, and the log a commitment to it (docs/adr/0008)."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

from seenby.datamap import PersonKind
from seenby.errors import NotFound, PolicyDenied
from seenby.model.disclosure import PeopleEvent
from seenby.model.people import Person
from seenby.model.principal import Principal
from seenby.stores.keystore import KeyStore
from seenby.stores.ledger import Ledger
from seenby.stores.people_pages import count_people, people_after
from seenby.stores.userdb import UserDatabase

PAGE = 1_000
"""People of one enrolment. More would hold up everybody's sessions for a noticeable time (about 0.1 s for these)."""


@dataclass(frozen=True, slots=True)
class Page:
    """What one call of ``enrol`` did.

    Attributes:
        people: how many it looked at; enrolled: those who were not enrolled before.
        after: where the next page begins; None: that was the last one.
    """

    people: int
    enrolled: int
    after: str | None


class Enrolment:
    """One per gateway process, on its loop. A page is the unit: whoever calls goes on from page to page.

    Args:
        region: whose gateway this is.
    """

    def __init__(self, *, region: str, ledger: Ledger, keystore: KeyStore, database: UserDatabase) -> None:
        self.region = region
        self._ledger = ledger
        self._keystore = keystore
        self._database = database

    @property
    def _kinds(self) -> dict[str, PersonKind]:
        return self._database.datamap.kinds

    def _kind(self, name: str) -> PersonKind:
        kind = self._kinds.get(name)
        if kind is None:
            known = ", ".join(sorted(self._kinds))
            raise NotFound(f"the data map has no people of kind {name!r}", hint=f"it has {known}")
        return kind

    def _check_enroller(self, by: Principal) -> None:
        if by.role != "operator" and by.region != self.region:
            raise PolicyDenied(
                f"{by.name} cannot enrol people", hint="an operator does it, or who guards the region's people"
            )

    async def count(self, by: Principal) -> dict[str, int]:
        """How many people of each kind the database has now. Raises PolicyDenied, Unavailable."""
        self._check_enroller(by)
        return {name: await count_people(self._database, kind) for name, kind in sorted(self._kinds.items())}

    async def enrol(self, by: Principal, name: str, after: str | None) -> Page:
        """Enrols those on the next page of a kind who are not yet. Raises PolicyDenied, NotFound, Unavailable."""
        self._check_enroller(by)
        keys = await people_after(self._database, self._kind(name), after, PAGE)
        people = [str(Person(name, key)) for key in keys]
        self._keystore.person_keys(people)
        fresh = []
        for start in range(0, len(people), 200):
            fresh += [person for person in people[start : start + 200] if not self._ledger.enrolled(person)]
            await asyncio.sleep(0)  # sessions go on meanwhile
        if fresh:
            random.SystemRandom().shuffle(fresh)
            await self._ledger.append(PeopleEvent(tuple(fresh), False))
        return Page(len(people), len(fresh), keys[-1] if len(keys) == PAGE else None)
