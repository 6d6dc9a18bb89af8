"""Who has how many labels in this epoch, and is enrolled: what the writer must know of each person to go on counting.

Labels are numbered without gaps, across restarts too. What was integrated is asked of the state, by the labels
themselves: 0, 1, 3, 7, ... until one is missing, then between. So nothing about a person need be kept but for the
entries that are not integrated yet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from seenby.stores.keystore import KeyStore, PersonKey
from seenby.stores.naming import PersonLabels
from seenby.stores.native import HERE
from seenby.stores.state import State

GENERATION: Final = 100_000
"""People after which the older half of the memory may go."""


@dataclass(slots=True)
class Known:
    """A person of this epoch. ``labels``: how many they have, which is the number of the next."""

    crypto: PersonLabels
    version: int
    fingerprint: str
    labels: int
    enrolled: bool


def fingerprint(key: bytes) -> str:
    """How an enrolment names a key."""
    return hashlib.sha256(b"seenby/person-key/v1\n" + key).hexdigest()


class People:
    """Two generations of ``Known``: the older one goes when the state covers all that it counted."""

    def __init__(self, region: str, keystore: KeyStore, state: State) -> None:
        self._region = region
        self._keystore = keystore
        self._state = state
        self._epoch = 0
        self._recent: dict[str, Known] = {}
        self._earlier: dict[str, Known] = {}
        self._earlier_until = 0  # entries that must be integrated before the earlier ones may go
        self._until = 0
        self._integrated = 0
        self._enrolled: dict[bytes, int] = {}  # pseudonym -> entries before which it is: not integrated yet

    def begin(self, epoch: int) -> None:
        """Everybody counts from 0 in a new epoch; after a restart, from where they were."""
        for known in (*self._earlier.values(), *self._recent.values()):
            if known.enrolled and self._until > self._integrated:
                self._enrolled[known.crypto.pseudonym] = self._until
        self._epoch = epoch
        self._recent.clear()
        self._earlier.clear()

    def get(self, person: str) -> Known:
        """Their key is made if they have none. Raises as ``KeyStore.person_key``."""
        known = self._recent.get(person)
        if known is None:
            known = self._earlier.get(person) or self._read(self._keystore.person_key(person))
            self._recent[person] = known
        return known

    def known(self, person: str) -> Known | None:
        """As ``get``, but None for somebody who has no key, or was never enrolled."""
        known = self._recent.get(person) or self._earlier.get(person)
        if known is None:
            keys = self._keystore.known_keys(person)
            known = self._read(keys[-1]) if keys else None
        return known if known is not None and known.enrolled else None

    def _read(self, key: PersonKey) -> Known:
        crypto = HERE.person(key.key, key.version, self._region, self._epoch)
        if key.fresh:
            return Known(crypto, key.version, fingerprint(key.key), 0, False)
        pseudonym = crypto.pseudonym
        enrolled = pseudonym in self._enrolled or self._state.enrolled(pseudonym) is not None
        return Known(crypto, key.version, fingerprint(key.key), self.count(crypto) if enrolled else 0, enrolled)

    def count(self, crypto: PersonLabels) -> int:
        """How many labels of this epoch the state holds."""
        there, missing = 0, 1  # so many are there; number missing - 1 was not looked at yet
        while self._state.labelled(self._epoch, crypto.label(missing - 1)) is not None:
            there, missing = missing, 2 * missing
        missing -= 1
        while there < missing:
            middle = (there + missing) // 2
            if self._state.labelled(self._epoch, crypto.label(middle)) is not None:
                there = middle + 1
            else:
                missing = middle
        return there

    def until(self, size: int) -> None:
        """So many entries are submitted, and whoever was counted for them is in them."""
        self._until = size
        self.age()

    def age(self) -> None:
        """Lets go of people, if there are too many and the state knows them as well.

        Not while an item is made: it may name more people than a generation has, and counts them when all are known.
        """
        if len(self._recent) >= GENERATION and self._integrated >= self._earlier_until:
            self._earlier, self._recent = self._recent, {}
            self._earlier_until = self._until

    def integrated(self, size: int) -> None:
        """So many entries are in the state."""
        self._integrated = size
        if self._enrolled:
            self._enrolled = {one: until for one, until in self._enrolled.items() if until > size}

    def forget(self, people: Iterable[str]) -> None:
        for person in people:
            self._recent.pop(person, None)
            self._earlier.pop(person, None)
