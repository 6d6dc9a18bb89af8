"""Who saw a person's data: complete, checked, and nothing about anybody else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from seenby.errors import NotFound, VerificationError
from seenby.model.disclosure import EntryBound, PeopleEvent, RefusedAttempt
from seenby.stores.integrate import Integrator
from seenby.stores.journal import JournalReader, JournalWriter, Record, encode_record
from seenby.stores.keystore import KeyStore
from seenby.stores.layout import sealed_record
from seenby.stores.ledger import Ledger
from seenby.stores.publish import Tiles
from seenby.stores.records import History, Names, history, public_reader, who_saw
from seenby.stores.state import State
from seenby.stores.view import LogView
from seenby_verify.tlog.entries import PersonEnrolled, PersonNamed, Query, Seal, decode
from seenby_verify.tlog.shares import OpenedEpochKey
from tests.fixtures.histories import Home, month
from tests.fixtures.ledgers import ORIGIN, PART, RECORD, WITHHELD, disclosure


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Three months of eu: account:1 is shown in August (twice) and November; account:2 in August, 3 never."""
    home = Home(tmp_path)

    async def story(ledger: Ledger) -> None:
        await ledger.append(disclosure("account:1"))
        await ledger.append(RefusedAttempt(RECORD, WITHHELD))
        await ledger.append(disclosure("account:1", "account:2"))
        home.now = month(2026, 9)
        await ledger.append(disclosure())
        await ledger.append(PeopleEvent(("account:3",), False))
        home.now = month(2026, 11)
        await ledger.append(disclosure("account:1")._replace(bound=EntryBound.UPPER))

    home.live(story)
    return home


def read(home: Home, person: str, names: Names | None = None) -> History:
    return history(person, home.ledger, home.region, home.key, home.keystore(), names)


def journal(home: Home) -> list[list[Record]]:
    return [list(group) for group in JournalReader(home.ledger / "private" / "journal").groups()]


def shown(home: Home) -> list[tuple[int, int]]:
    """(index of the query entry, index of the person entry) of every access, in the log's order."""
    found, head = [], None
    for record in (record for group in journal(home) for record in group):
        if record.entry[1] != PersonNamed.KIND:
            head = record
        elif head is not None and head.entry[1] == Query.KIND:
            found.append((head.index, record.index))
    return found


def test_everything_about_a_person_in_order(home: Home) -> None:
    [first, second, other, third] = [index for _, index in shown(home)]
    found = read(home, "account:1")
    assert [(row.index, row.epoch, row.bound) for row in found.seen] == [
        (first, 202608, "exact"),
        (second, 202608, "exact"),
        (third, 202611, "upper"),
    ]
    for row in found.seen:
        assert row.part == json.loads(PART)
        assert {**row.record, "withheld": ""} == json.loads(RECORD + b'"}')
        assert row.withheld is None
    assert [row.index for row in read(home, "account:2").seen] == [other]
    assert who_saw("account:1", home.ledger, "eu", home.key, home.keystore()) == list(found.seen)


def test_an_enrolment_is_told_and_is_no_access(home: Home) -> None:
    for person, months in (("account:1", 3), ("account:2", 3), ("account:3", 2)):
        found = read(home, person)
        assert [(one.how, one.version) for one in found.events] == [("enrolled", 1)]
        assert found.months == months
    assert (read(home, "account:3").seen, read(home, "account:3").events[0].when[:7]) == ((), "2026-09")
    assert isinstance(decode(journal(home)[1][0].entry), PersonEnrolled)


def test_of_a_stranger_nothing_is_said(home: Home) -> None:
    found = read(home, "account:9")
    assert (found.seen, found.events, found.months) == ((), (), 0)
    assert found.size == sum(map(len, journal(home)))


# --- what lies here is not what was logged


def rewrite(home: Home, change: Callable[[Record], Record]) -> None:
    """Another journal of the same groups, whose own digests fit: what an insider could write."""
    groups = journal(home)
    directory = home.ledger / "private" / "journal"
    for path in directory.iterdir():
        path.unlink()
    reader = JournalReader(directory)
    list(reader.groups())
    writer = JournalWriter(directory, reader, clock=lambda: home.now)
    for group in groups:
        records = [change(record) for record in group]
        writer.append(b"".join(encode_record(one.entry, one.private) for one in records), len(records))
    writer.close()


def flipped(index: int, at: int, *, entry: bool = False) -> Callable[[Record], Record]:
    """Flips a bit in one record's private bytes or entry."""

    def change(record: Record) -> Record:
        if record.index != index:
            return record
        data = bytearray(record.entry if entry else record.private)
        data[at] ^= 1
        return replace(record, entry=bytes(data)) if entry else replace(record, private=bytes(data))

    return change


@pytest.mark.parametrize(
    ("of", "at", "entry", "fault"),
    [
        ("person", -1, False, "entry {person}.sealed: is not the part that was logged"),
        ("head", -1, False, "entry {person}.record: is not the record that was logged"),
        ("person", 10, True, "entry {person} of the journal is not the one in the public log"),
        ("person", 50, True, "entry {person} of the journal is not the one in the public log"),
        ("person", 80, True, "entry {person} of the journal is not the one in the public log"),
        ("head", 10, True, "entry {head} of the journal is not the one in the public log"),
        ("head", 50, True, "entry {head} of the journal is not the one in the public log"),
    ],
)
def test_every_row_is_checked(home: Home, of: str, at: int, entry: bool, fault: str) -> None:
    head, person = shown(home)[1]
    rewrite(home, flipped(person if of == "person" else head, at, entry=entry))
    with pytest.raises(VerificationError) as caught:
        read(home, "account:1")
    assert caught.value.message == fault.format(head=head, person=person)


def test_a_changed_public_log_is_not_believed(home: Home) -> None:
    """A hash in its newest tile that is on the path of every other entry; the checkpoint does not give it."""
    path = max((home.public / "tile" / "0" / "000.p").iterdir(), key=lambda one: int(one.name))
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(data)
    with pytest.raises(VerificationError, match="is not in the tree with the stated root"):
        read(home, "account:1")


# --- completeness: a state that lies


def test_a_hidden_access_is_found(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    last, real = shown(home)[-1][1], LogView.labelled

    def labelled(view: LogView, epoch: int, label: bytes) -> int | None:
        index = real(view, epoch, label)
        return None if index == last else index

    monkeypatch.setattr(LogView, "labelled", labelled)
    with pytest.raises(VerificationError, match="not proven that 202611 holds no more than 0 entries of key 1"):
        read(home, "account:1")


def test_another_entry_in_the_place_of_ones_own(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    [_, second, other, _] = [index for _, index in shown(home)]
    real = LogView.labelled

    def labelled(view: LogView, epoch: int, label: bytes) -> int | None:
        index = real(view, epoch, label)
        return other if index == second else index

    monkeypatch.setattr(LogView, "labelled", labelled)
    with pytest.raises(VerificationError, match=f"entry {other} has not the label of this person's number 2 of 202608"):
        read(home, "account:1")


@pytest.mark.parametrize(
    ("hidden", "fault"),
    [
        (202608, "there is no seal of 202608, when the key was enrolled"),
        (202609, r"entry \d+ is not the first of 202611: months could be left out"),
        (202611, r"the newest seal is entry \d+, and not the last of \d+ entries"),
    ],
)
def test_a_hidden_month_is_found(home: Home, monkeypatch: pytest.MonkeyPatch, hidden: int, fault: str) -> None:
    real = LogView.seals
    monkeypatch.setattr(LogView, "seals", lambda view, since: [one for one in real(view, since) if one[0] != hidden])
    with pytest.raises(VerificationError, match=fault):
        read(home, "account:1")


def test_an_older_seal_is_not_enough(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry behind it would be missing from its root."""
    seals = [record.index for group in journal(home) for record in group if record.entry[1] == Seal.KIND]
    real = LogView.seals

    def older(view: LogView, since: int) -> list[tuple[int, int]]:
        return [(epoch, seals[0] if epoch == 202608 else index) for epoch, index in real(view, since)]

    monkeypatch.setattr(LogView, "seals", older)
    with pytest.raises(VerificationError, match=f"entry {seals[0]} of the journal is not the one in the public log"):
        read(home, "account:1")


def test_the_seal_of_another_month_is_not_enough(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    real = LogView.seals

    def later(view: LogView, since: int) -> list[tuple[int, int]]:
        of = dict(real(view, 0))
        return [(epoch, of[202609] if epoch == 202608 else index) for epoch, index in real(view, since)]

    monkeypatch.setattr(LogView, "seals", later)
    with pytest.raises(VerificationError, match=r"is not a seal of 202608 over all entries before it"):
        read(home, "account:1")


def test_an_enrolment_that_is_none(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list would begin with a month that the state chose."""
    first = shown(home)[0][1]
    monkeypatch.setattr(LogView, "enrolled", lambda view, pseudonym: first)
    with pytest.raises(VerificationError, match=f"entry {first} does not enrol key 1 of this person"):
        read(home, "account:1")


def test_a_record_that_stands_behind_the_person(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    (_, first), (later, _) = shown(home)[:2]
    real = LogView.records

    def records(view: LogView, index: int) -> tuple[Record | None, Record]:
        head, mine = real(view, index)
        return (real(view, later)[1] if index == first else head), mine

    monkeypatch.setattr(LogView, "records", records)
    with pytest.raises(VerificationError, match=f"entry {first} does not stand behind an entry that names people"):
        read(home, "account:1")


def test_a_state_made_of_another_journal(home: Home, tmp_path: Path) -> None:
    """The insider gives the last access another label in journal and state: then the seal is another too."""
    rewrite(home, flipped(shown(home)[-1][1], 10, entry=True))
    directory = home.ledger / "private" / "state"
    for path in directory.iterdir():
        path.unlink()
    state = State(directory)
    Integrator(home.ledger / "private" / "journal", state, Tiles(tmp_path / "other", tmp_path / "tmp")).advance()
    state.close()
    seal = sum(map(len, journal(home))) - 1
    with pytest.raises(VerificationError, match=f"entry {seal} of the journal is not the one in the public log"):
        read(home, "account:1")


# --- names of staff


def test_names_open_with_the_regions_key(home: Home) -> None:
    names = Names("eu", home.keystore())
    assert [row.withheld for row in read(home, "account:1", names).seen] == [json.loads(WITHHELD)] * 3
    assert names.closed == {}


def test_the_months_key_opens_the_record_that_was_logged_or_none(home: Home) -> None:
    head = next(one for group in journal(home) for one in group if one.index == shown(home)[0][0])
    sealed = sealed_record(Query.KIND, head.private)
    names = Names("eu", home.keystore())
    assert names.open(202608, sealed, head.entry[6:38]) == json.loads(WITHHELD)
    with pytest.raises(VerificationError, match="is not the one that was logged"):
        names.open(202608, sealed, bytes(32))


def test_names_of_a_destroyed_month_are_not_there(home: Home) -> None:
    """The person's own half opens all the same."""
    home.keystore(read_only=False).destroy_epoch_key(202608)
    found = read(home, "account:1", Names("eu", home.keystore()))
    assert [row.withheld is None for row in found.seen] == [True, True, False]
    assert found.closed == {202608: "destroyed at the end of their retention"}


def test_a_key_of_another_region_is_refused(home: Home) -> None:
    key = OpenedEpochKey("us", 202611, X25519PrivateKey.generate().private_bytes_raw())
    with pytest.raises(VerificationError, match="the auditors' key of 202611 is of region us, not eu"):
        Names("eu", home.keystore(), (key,))


# --- no ledger


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
