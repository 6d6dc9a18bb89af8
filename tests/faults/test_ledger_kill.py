"""kill -9 of the ledger's writer at random moments: nothing acknowledged is lost, no checkpoint is contradicted."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from seenby.stores.journal import JournalReader, Record
from seenby.stores.keystore import KeyStore
from seenby.stores.records import public_reader, who_saw
from seenby_verify.tlog.checkpoint import Checkpoint, open_checkpoint
from seenby_verify.tlog.entries import PersonNamed, Query, decode
from seenby_verify.tlog.fsck import Files
from seenby_verify.tlog.records import pseudonym
from seenby_verify.tlog.tree import Frontier, leaf_hash
from seenby_verify.tlog.verify import TITLES, verify
from tests.fixtures.ledgers import with_ledger

ROUNDS = 20
LEDGERS = 25 if os.environ.get("SEENBY_CAMPAIGN") == "long" else 1
"""Each is killed so often: what is checked between two rounds is the whole of it."""
WRITER = Path(__file__).with_name("ledger_writer.py")
ROOT = Path(__file__).parents[2]


class Run:
    """A writer process, what it acknowledged, and every checkpoint that stood in public meanwhile."""

    def __init__(self, directory: Path, first: int, *, apart: bool, limit: int | None = None) -> None:
        arguments = [str(directory), str(first), str(int(apart)), *([str(limit)] if limit else [])]
        self.process = subprocess.Popen(
            [sys.executable, str(WRITER), *arguments],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self.acknowledged: set[int] = set()
        self.checkpoints: set[bytes] = set()
        self.failed = False
        self._public = directory / "ledger" / "public" / "checkpoint"
        self.told = threading.Event()
        self._started = threading.Event()
        self._threads = [threading.Thread(target=self._listen), threading.Thread(target=self._watch)]
        for thread in self._threads:
            thread.start()
        assert self._started.wait(30)

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line == b"failed\n":
                self.failed = True
            elif line == b"open\n":
                self._started.set()
            elif line.endswith(b"\n"):
                self.acknowledged.add(int(line))
                self.told.set()
        self._started.set()
        self.told.set()

    def _watch(self) -> None:
        while self.process.poll() is None:
            if self._public.exists():
                self.checkpoints.add(self._public.read_bytes())
            time.sleep(0.001)

    def end(self, *, kill: bool) -> None:
        if kill:
            self.process.kill()
        self.process.wait(30)
        for thread in self._threads:
            thread.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.checkpoints.add(self._public.read_bytes())


def journal(directory: Path) -> list[Record]:
    reader = JournalReader(directory / "ledger" / "private" / "journal")
    return [record for group in reader.groups() for record in group]


def numbers(records: list[Record]) -> list[int]:
    """The numbers of the disclosures in the journal."""
    return [int.from_bytes(record.private[:16], "big") for record in records if record.entry[1] == Query.KIND]


def behind_queries(records: list[Record], names: set[bytes]) -> int:
    """How many person entries of these pseudonyms follow a query."""
    count, head = 0, 0
    for record in records:
        if record.entry[1] != PersonNamed.KIND:
            head = record.entry[1]
        elif record.private[:16] in names and head == Query.KIND:
            count += 1
    return count


def check(directory: Path, acknowledged: set[int], notes: set[bytes]) -> None:
    """After a restart: everything acknowledged is in the public log, which continues every checkpoint ever seen."""

    async def nothing(_: object) -> None:
        return

    with_ledger(directory, nothing)
    ledger = directory / "ledger"
    keystore = KeyStore.open(directory / "keys", read_only=True)
    key = keystore.verifier_key("eu.test/ledger")
    public = ledger / "public"
    paths = [path.relative_to(public).as_posix() for path in public.rglob("*") if path.is_file()]
    assert len(list(verify(paths, public_reader(public), key))) == len(TITLES)
    found = numbers(journal(directory))
    assert acknowledged <= set(found)
    assert len(found) == len(set(found))
    checkpoints: dict[int, list[Checkpoint]] = {}
    for note in notes:
        checkpoint = open_checkpoint(note, key)
        checkpoints.setdefault(checkpoint.size, []).append(checkpoint)
    frontier = Frontier()
    seen = 0
    newest = open_checkpoint((public / "checkpoint").read_bytes(), key)
    files = Files(paths, public_reader(public), newest)
    for entry in (entry for _, _, entries in files.entries() for entry in entries):
        decode(entry)
        frontier.append(leaf_hash(entry))
        for checkpoint in checkpoints.get(frontier.size, ()):
            assert checkpoint.root == frontier.root()
            seen += 1
    assert seen == len(notes)
    assert newest.size == len(journal(directory))
    # No key is lost that an entry needs: every row opens, and the list has what the journal has under the pseudonym.
    for person in ("account:1", "account:51", "account:101", "account:201"):
        names = {pseudonym(one.key) for one in keystore.known_keys(person)}
        assert len(who_saw(person, ledger, "eu", key, keystore)) == behind_queries(journal(directory), names)


@pytest.mark.parametrize("ledger", range(LEDGERS))
def test_kill_at_random_moments(tmp_path: Path, ledger: int) -> None:
    generator = random.Random(f"{os.environ['SEENBY_SEED']}/{ledger}")
    acknowledged: set[int] = set()
    checkpoints: set[bytes] = set()
    first = 0
    for number in range(ROUNDS):
        run = Run(tmp_path, first, apart=number % 2 == 0)
        if number % 4:  # some are killed before they have done anything, on a slow machine too
            assert run.told.wait(30)
        time.sleep(generator.random() ** 2 * 0.5)
        run.end(kill=True)
        assert not run.failed
        acknowledged |= run.acknowledged
        checkpoints |= run.checkpoints
        found = numbers(journal(tmp_path))
        assert run.acknowledged <= set(found)
        first = max([first, *found]) + 1
    assert len(acknowledged) > ROUNDS
    assert len(checkpoints) > ROUNDS // 2
    check(tmp_path, acknowledged, checkpoints)


@pytest.mark.parametrize("limit", [400_000, 700_001])
def test_a_full_disk(tmp_path: Path, limit: int) -> None:
    """No file may grow beyond the limit: a real write that takes a part and then fails."""
    run = Run(tmp_path, 0, apart=False, limit=limit)
    run.end(kill=False)
    assert run.failed
    assert run.acknowledged <= set(numbers(journal(tmp_path)))
    assert len(run.acknowledged) > 3
    check(tmp_path, run.acknowledged, run.checkpoints)
