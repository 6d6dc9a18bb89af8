"""Any entry of the journal is found with its head, however long the group is that it was written in."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest

from seenby.errors import LedgerFailed
from seenby.stores.finding import LANDMARK, NEAR, Finder
from seenby.stores.journal import JournalReader, Record
from seenby.stores.ledger import Ledger
from seenby.stores.state import State
from seenby_verify.tlog.entries import PersonNamed
from tests.fixtures.ledgers import disclosure, with_ledger

PRIVATE = Path("ledger", "private")


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """Queries of nobody, of one, of many and of very many people, submitted at once and so written at once."""
    chance = random.Random(int(os.environ["SEENBY_SEED"]))
    sizes = [chance.choice([0, 1, 1, 3, 70]) for _ in range(60)] + [900]
    chance.shuffle(sizes)

    async def use(ledger: Ledger) -> None:
        await ledger.append(disclosure("account:1"))
        several = (ledger.append(disclosure(*(f"account:{n}" for n in range(size)))) for size in sizes)
        await asyncio.gather(*several)

    with_ledger(tmp_path, use)
    return tmp_path


def read(directory: Path) -> list[tuple[Record | None, Record]]:
    """Every entry with its head, by reading everything."""
    found: list[tuple[Record | None, Record]] = []
    for group in JournalReader(directory / PRIVATE / "journal").groups():
        head = None
        for record in group:
            found.append((head, record))
            if record.entry[1] != PersonNamed.KIND:
                head = record
    return found


def test_each_entry_is_found_with_its_head(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = read(written)
    assert max(map(len, JournalReader(written / PRIVATE / "journal").groups())) > 10 * LANDMARK
    longest = 0
    pread = os.pread

    def counted(file: int, length: int, offset: int) -> bytes:
        nonlocal longest
        longest = max(longest, length)
        return pread(file, length, offset)

    monkeypatch.setattr(os, "pread", counted)
    state = State(written / PRIVATE / "state", readonly=True)
    with state.env.begin() as txn:
        finder = Finder(written / PRIVATE / "journal", state, txn)
        for index, pair in enumerate(wanted):
            assert finder.records(index) == pair
        finder.close()
    state.close()
    assert longest == NEAR, "no more is read than what is near"


def test_a_state_without_landmarks_finds_the_same(written: Path) -> None:
    """As an earlier version left it."""
    wanted = read(written)
    state = State(written / PRIVATE / "state")
    with state.env.begin(write=True) as txn:
        txn.drop(state.table("marks"), delete=False)
        finder = Finder(written / PRIVATE / "journal", state, txn)
        assert [finder.records(index) for index in range(len(wanted))] == wanted
        finder.close()
    state.close()


def test_what_is_cut_off_is_told(written: Path) -> None:
    count = len(read(written))
    [path] = (written / PRIVATE / "journal").iterdir()
    os.truncate(path, path.stat().st_size // 2)
    state = State(written / PRIVATE / "state", readonly=True)
    with state.env.begin() as txn:
        finder = Finder(written / PRIVATE / "journal", state, txn)
        with pytest.raises(LedgerFailed, match="is damaged at byte"):
            finder.records(count - 1)
        finder.close()
    state.close()
