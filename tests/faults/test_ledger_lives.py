"""Random lives of a ledger: months that pass and clocks that go wrong, a key store that is away, restarts, erasures.

Whatever happened, in the end the public log verifies, and each person's list is whole and is what was acknowledged.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from seenby.errors import Unavailable
from seenby.model.disclosure import PeopleEvent, RefusedAttempt
from seenby.stores import auditors, counting, publish, sealing
from seenby.stores.keystore import KeyStore
from seenby.stores.ledger import Ledger
from seenby.stores.native import NATIVE, PYTHON
from seenby.stores.records import history, public_reader
from seenby_verify.tlog.checkpoint import VerifierKey
from seenby_verify.tlog.verify import TITLES, verify
from tests.fixtures.ledgers import GRANT, NOW, ORIGIN, RECORD, WITHHELD, disclosure

LIVES = 300 if os.environ.get("SEENBY_CAMPAIGN") == "long" else 8
DAY = 86_400.0


class AwayNowAndThen:
    """A key store whose database or KMS does not answer each time."""

    def __init__(self, store: KeyStore, generator: random.Random) -> None:
        self.often = 0.0
        self._store = store
        self._generator = generator

    def __getattr__(self, name: str) -> Any:
        if name in ("epoch_key", "person_key", "known_keys") and self._generator.random() < self.often:
            raise Unavailable("the key store does not answer")
        return getattr(self._store, name)


class Life:
    """Attributes: acknowledged: how often each was shown since they are who they are."""

    def __init__(self, directory: Path, generator: random.Random) -> None:
        self.directory = directory
        self.people = [f"account:{n}" for n in range(generator.choice([3, 12, 40]))]
        self.acknowledged: Counter[str] = Counter()
        self._now = NOW
        self._any = generator

    async def session(self) -> VerifierKey:
        """From one start of the ledger to its end."""
        generator = self._any
        store: Any = AwayNowAndThen(KeyStore.open(self.directory / "keys"), generator)
        ledger = Ledger.open(
            self.directory / "ledger",
            region="eu",
            origin=ORIGIN,
            keystore=store,
            clock=lambda: self._now,
            publish_after=generator.choice([0.001, 0.02, 0.2]),
            segment_bytes=generator.choice([4096, 64 << 20]),
            apart=generator.random() < 0.1,
        )
        store.often = generator.choice([0, 0, 0.05, 0.3])
        for _ in range(generator.randint(5, 40)):
            await asyncio.gather(*(self._something(ledger) for _ in range(generator.choice([1, 1, 3, 12]))))
        store.often = 0
        await ledger.published()
        await ledger.close()
        return ledger.verifier_key

    async def _something(self, ledger: Ledger) -> None:
        generator = self._any
        kind = generator.choices(["query", "refused", "enrol", "erase", "wait", "clock"], [70, 10, 8, 2, 4, 6])[0]
        some = generator.sample(self.people, generator.randint(1, 3))
        try:
            if kind == "query":
                await ledger.append(disclosure(*some))
                self.acknowledged.update(some)
            elif kind == "refused":
                await ledger.append(RefusedAttempt(RECORD, WITHHELD, GRANT, "pat"))
            elif kind == "enrol":
                await ledger.append(PeopleEvent(tuple(some), erased=False))
            elif kind == "erase":
                await ledger.append(PeopleEvent((some[0],), erased=True))
                del self.acknowledged[some[0]]
            elif kind == "wait":
                await asyncio.sleep(generator.choice([0, 0.005, 0.03]))
            else:
                self._now += generator.choice([40, 15, -20, 1 / 24]) * DAY
        except Unavailable:  # the key store's word, or somebody is just being erased: nothing was shown
            return

    def check(self, key: VerifierKey) -> None:
        public = self.directory / "ledger" / "public"
        paths = [path.relative_to(public).as_posix() for path in public.rglob("*") if path.is_file()]
        assert len(list(verify(paths, public_reader(public), key))) == len(TITLES)
        keystore = KeyStore.open(self.directory / "keys")
        for person in self.people:
            seen = history(person, self.directory / "ledger", "eu", key, keystore).seen
            assert len(seen) == self.acknowledged[person], person


def test_whatever_happens_each_list_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = 0
    for number in range(LIVES):
        generator = random.Random(f"{os.environ['SEENBY_SEED']} life {number}")
        life = Life(tmp_path / str(number), generator)
        for _ in range(generator.randint(1, 4)):
            # Who does the work may change from start to start, and how many people are kept in memory.
            worked = generator.choice([NATIVE or PYTHON, PYTHON])
            for module in (auditors, counting, publish, sealing):
                monkeypatch.setattr(module, "HERE", worked)
            monkeypatch.setattr(counting, "GENERATION", generator.choice([2, 5, 100_000]))
            key = asyncio.run(life.session())
        life.check(key)
        shown += life.acknowledged.total()
    assert shown > 20 * LIVES
