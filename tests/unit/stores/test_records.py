"""Who saw a person's data: complete, checked, and nothing about anybody else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from seenby.errors import NotFound, VerificationError
from seenby.model.disclosure import EntryBound, RefusedAttempt
from seenby.stores.journal import JournalReader, JournalWriter, Record, encode_record
from seenby.stores.keystore import KeyStore
from seenby.stores.ledger import Ledger
from seenby.stores.records import Seen, public_reader, who_saw
from tests.fixtures.ledgers import NOW, ORIGIN, PART, RECORD, WITHHELD, disclosure, with_ledger


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """account:1 in entries 2, 5 and 9; account:2 in 6."""

    async def use(ledger: Ledger) -> None:
        await ledger.append(disclosure("account:1"))  # 1, 2
        await ledger.append(RefusedAttempt(RECORD, WITHHELD))  # 3
        await ledger.append(disclosure("account:1", "account:2"))  # 4, 5, 6
        await ledger.append(disclosure())  # 7
        await ledger.append(disclosure("account:1")._replace(bound=EntryBound.UPPER))  # 8, 9

    with_ledger(tmp_path, use)
    return tmp_path


def read(state: Path, person: str) -> list[Seen]:
    keystore = KeyStore.open(state / "keys", read_only=True)
    return who_saw(person, state / "ledger", "eu", keystore.verifier_key(ORIGIN), keystore)


def test_everything_about_a_person_in_order(state: Path) -> None:
    rows = read(state, "account:1")
    assert [(row.index, row.bound, row.published) for row in rows] == [
        (2, "exact", True),
        (5, "exact", True),
        (9, "upper", True),
    ]
    for row in rows:
        assert row.part == json.loads(PART)
        assert {**row.record, "withheld": ""} == json.loads(RECORD + b'"}')
    assert [row.index for row in read(state, "account:2")] == [6]
    assert read(state, "account:3") == []


def test_not_yet_published(state: Path) -> None:
    """The journal is ahead of the checkpoint: the row is shown, and marked."""
    checkpoint = state / "ledger" / "public" / "checkpoint"
    before = checkpoint.read_bytes()
    with_ledger(state, lambda ledger: ledger.append(disclosure("account:1")))
    checkpoint.write_bytes(before)
    assert [row.published for row in read(state, "account:1")] == [True, True, True, False]


def rewrite(state: Path, change: Callable[[Record], Record]) -> None:
    """Another journal, whose own digests fit: what an insider could write."""
    directory = state / "ledger" / "private" / "journal"
    records = [record for group in JournalReader(directory).groups() for record in group]
    for path in directory.iterdir():
        path.unlink()
    reader = JournalReader(directory)
    list(reader.groups())
    writer = JournalWriter(directory, reader, clock=lambda: NOW)
    for record in map(change, records):
        writer.append(encode_record(record.entry, record.private), 1)
    writer.close()


def swap(index: int, at: int, *, entry: bool = False) -> Callable[[Record], Record]:
    """Flips a bit in one record's private bytes or entry."""

    def change(record: Record) -> Record:
        if record.index != index:
            return record
        data = bytearray(record.entry if entry else record.private)
        data[at] ^= 1
        return replace(record, entry=bytes(data)) if entry else replace(record, private=bytes(data))

    return change


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (swap(5, -1), "entry 5 about account:1: the sealed part is not the one in the log"),
        (swap(4, -1), "entry 5 about account:1: the sealed record is not the one in the log"),
        (swap(5, 10, entry=True), "entry 5 about account:1: its label is not this person's number 1 of 202611"),
        (swap(5, 50, entry=True), "entry 5 about account:1: the part is not what the log commits to"),
        (swap(4, 10, entry=True), "entry 5 about account:1: the record is not what the log commits to"),
        (swap(4, 74, entry=True), "entry 5 about account:1: entry 4 is not in the tree with the stated root"),
        (swap(2, 3), "entry 5 about account:1: its label is not this person's number 0 of 202611"),
    ],
)
def test_every_row_is_checked(state: Path, change: Callable[[Record], Record], fault: str) -> None:
    rewrite(state, change)
    with pytest.raises(VerificationError) as caught:
        read(state, "account:1")
    assert caught.value.message == fault


def test_the_reader_stays_in_its_directory(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    (tmp_path / "public").mkdir()
    read_public = public_reader(tmp_path / "public")
    assert read_public("../secret") is None
    assert read_public("nothing") is None


def test_no_ledger(tmp_path: Path) -> None:
    keystore = KeyStore.open(tmp_path / "keys")
    with pytest.raises(NotFound, match="there is no ledger"):
        who_saw("account:1", tmp_path / "ledger", "eu", keystore.verifier_key(ORIGIN), keystore)
