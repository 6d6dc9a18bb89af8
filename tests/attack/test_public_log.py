"""What an outsider learns from the public files alone (SECURITY.md, "What the public log tells").

The attacker has every public file and knows the exact moment of one lookup of one person, so knows which entries it
made. The claim: this person's other entries cannot be told from anybody else's. So the same history is written twice,
once with this person in the other lookups and once with other people in their place: nothing but keyed random values
may differ.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from dataclasses import fields
from pathlib import Path
from typing import Any

from seenby.model.disclosure import PeopleEvent
from seenby.stores.keystore import KeyStore
from seenby.stores.ledger import Ledger
from seenby_verify.tlog.entries import PersonNamed
from seenby_verify.tlog.records import label, pseudonym
from tests.fixtures.ledgers import EPOCH, disclosure, every_entry, with_ledger

PEOPLE = [f"account:{n}" for n in range(40)]
VICTIM, OTHERS = PEOPLE[0], PEOPLE[1:]
RANDOM = {"label", "commit", "sealed_digest", "root", "key"}
"""Fields that are hashes under random keys, or hashes of such."""

History = list[tuple[str, ...]]


def write(folder: Path, history: History) -> list[Any]:
    async def story(ledger: Ledger) -> None:
        await ledger.append(PeopleEvent(tuple(PEOPLE), erased=False))
        for people in history:
            await ledger.append(disclosure(*people))
        await ledger.published()

    with_ledger(folder, story, publish_after=0.5)
    return every_entry(folder)


def shape(entry: Any) -> tuple[object, ...]:
    """An entry without its random values."""
    return type(entry).__name__, *(getattr(entry, f.name) for f in fields(entry) if f.name not in RANDOM)


def test_who_knows_one_lookup_finds_no_other(tmp_path: Path) -> None:
    generator = random.Random(int(os.environ["SEENBY_SEED"]))
    known = (VICTIM,)
    elsewhere = [tuple(generator.sample(OTHERS, generator.randint(1, 5))) for _ in range(30)]
    with_victim: History = [(VICTIM, *people[1:]) if generator.random() < 0.4 else people for people in elsewhere]
    one = write(tmp_path / "with", [known, *with_victim])
    other = write(tmp_path / "without", [known, *elsewhere])
    assert sum(VICTIM in people for people in with_victim) > 3
    # Seals stand where time put them; all else must be the same, entry for entry.
    shapes = [[shape(entry) for entry in log if type(entry).__name__ != "Seal"] for log in (one, other)]
    assert shapes[0] == shapes[1]


def test_no_value_stands_twice_and_none_is_a_name(tmp_path: Path) -> None:
    """Random values never recur, also for the same person again and again; no name is in any public byte."""
    log = write(tmp_path, [(VICTIM, OTHERS[n % 3]) for n in range(60)])
    values = Counter(
        value
        for entry in log
        for f in fields(entry)
        if f.name in {"label", "commit"} and (value := getattr(entry, f.name))
    )
    assert max(values.values()) == 1
    public = tmp_path / "ledger" / "public"
    everything = b"".join(path.read_bytes() for path in sorted(public.rglob("*")) if path.is_file())
    key = KeyStore.open(tmp_path / "keys", read_only=True).known_keys(VICTIM)[0].key
    for secret in (VICTIM.encode(), b"sam", b"SELECT", b"T-1", key, pseudonym(key)):
        assert secret not in everything
    # The check can fail: who has the key finds every one of their entries.
    mine = {label(key, "eu", EPOCH, n) for n in range(61)}
    assert {entry.label for entry in log if isinstance(entry, PersonNamed)} >= mine
