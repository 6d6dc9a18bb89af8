"""Bundles of real ledgers, judged by the verifier alone: whole, of every month, and never half a lie."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from seenby.errors import NotFound, Unavailable, UsageError, VerificationError
from seenby.model.disclosure import EntryBound, PeopleEvent, RefusedAttempt
from seenby.stores.bundles import enrolment_receipt, make_bundle
from seenby.stores.ledger import Ledger
from seenby.stores.other_logs import OtherLog
from seenby.stores.view import LogView, open_state
from seenby_verify.client import open_log
from seenby_verify.tlog.bundle import BundleCheck
from seenby_verify.tlog.policy import Policy
from seenby_verify.tlog.records import label
from seenby_verify.tlog.tiles import TileReader
from seenby_verify.tlog.tree import inclusion_proof
from tests.fixtures.histories import ORGANISATION_KEY, Home, month, regions_entry
from tests.fixtures.ledgers import RECORD, WITHHELD, disclosure

NOW = month(2026, 12)


def bundle(home: Home, person: str, *others: OtherLog) -> bytes:
    with home.view() as view:
        return make_bundle(person, home.enrolled(view, person), view, home.region, now=NOW, others=others)


def checked(data: bytes, *homes: Home, receipt: bytes | None = None) -> BundleCheck:
    """The verifier's judgement, with nothing but public keys."""
    check = BundleCheck(
        data, Policy.trusting(*(home.key for home in homes)), organisation=ORGANISATION_KEY, receipt=receipt
    )
    assert len(list(check.steps())) == 8
    return check


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Four months of eu, of which October has no entry; account:1 comes in August, account:3 in November."""
    home = Home(tmp_path_factory.mktemp("eu"))

    async def story(ledger: Ledger) -> None:
        await ledger.append(disclosure("account:1"))
        await ledger.append(RefusedAttempt(RECORD, WITHHELD))
        await ledger.append(disclosure("account:1", "account:2"))
        home.now = month(2026, 9)
        await ledger.append(disclosure("account:2"))
        await ledger.append(disclosure())
        home.now = month(2026, 11)
        await ledger.append(disclosure("account:3", "account:1")._replace(bound=EntryBound.UPPER))
        for _ in range(3):
            await ledger.append(disclosure("account:1"))
            await ledger.published()

    home.live(story)
    return home


def test_an_enrolment_that_was_changed_in_the_journal_gives_no_bundle(tmp_path: Path) -> None:
    """Its epoch says with which month the list begins."""
    home = Home(tmp_path)
    home.live(lambda ledger: ledger.append(disclosure("account:1")))
    with home.view() as view:
        (enrolment,) = home.enrolled(view, "account:1")
        entry = view.entry(enrolment.index)
    (segment,) = (tmp_path / "ledger" / "private" / "journal").iterdir()
    data = segment.read_bytes()
    assert data.count(entry) == 1
    for byte in range(2, 6):
        changed = bytearray(data)
        changed[data.index(entry) + byte] ^= 1
        segment.write_bytes(changed)
        with home.view() as view, pytest.raises(VerificationError, match="is not the one in the public log"):
            home.enrolled(view, "account:1")


def test_a_person_of_four_months(home: Home) -> None:
    check = checked(bundle(home, "account:1"), home)
    assert [(one.epoch, one.how, one.bound) for one in check.shown] == [
        (202608, "enrolled", ""),
        (202608, "disclosed", "exact"),
        (202608, "disclosed", "exact"),
        (202611, "disclosed", "upper"),
        (202611, "disclosed", "exact"),
        (202611, "disclosed", "exact"),
        (202611, "disclosed", "exact"),
    ]
    epochs = json.loads(bundle(home, "account:1"))["logs"][0]["epochs"]
    assert [item["epoch"] for item in epochs] == [202608, 202609, 202611]
    assert [item["keys"][0]["count"] for item in epochs] == [3, 0, 4]


def test_epochs_begin_with_the_enrolment(home: Home) -> None:
    made = json.loads(bundle(home, "account:3"))
    assert [item["epoch"] for item in made["logs"][0]["epochs"]] == [202611]
    assert [one.how for one in checked(bundle(home, "account:3"), home).shown] == ["enrolled", "disclosed"]


def test_the_receipt_belongs_to_the_bundle_and_to_no_other(home: Home) -> None:
    with home.view() as view:
        receipts = [enrolment_receipt(view, home.enrolled(view, f"account:{n}")[-1]) for n in (1, 3)]
    checked(bundle(home, "account:1"), home, receipt=receipts[0])
    with pytest.raises(VerificationError, match="another entry than those that enrolled"):
        checked(bundle(home, "account:1"), home, receipt=receipts[1])


def test_nobody(home: Home) -> None:
    with pytest.raises(NotFound, match="nobody is enrolled as account:9"):
        bundle(home, "account:9")


def test_a_hidden_access_is_found(home: Home) -> None:
    """The operator takes the last access of November out of the bundle, counts one less and proves that."""
    made = json.loads(bundle(home, "account:1"))
    log = made["logs"][0]
    hidden = log["shown"].pop()
    with home.view() as view:
        key = home.enrolled(view, "account:1")[0].key
        proof = view.prove_label(202611, label(key.key, "eu", 202611, hidden["n"]))
    log["epochs"][-1]["keys"][0] |= {"count": hidden["n"], "absent": proof.to_json()}
    with pytest.raises(VerificationError, match="it is not proven that 202611 holds no more than 3 entries"):
        checked(json.dumps(made).encode(), home)


def test_every_person_of_a_random_history(tmp_path: Path) -> None:
    """Many people, months, groups and sizes: every bundle holds what was submitted, and the verifier agrees."""
    rng = random.Random(int(os.environ["SEENBY_SEED"]))
    home = Home(tmp_path)
    told: dict[str, int] = {}

    async def story(ledger: Ledger) -> None:
        for number in range(8, 12):
            home.now = month(2026, number)
            waiting = []
            for _ in range(rng.randrange(60, 120)):
                people = {f"account:{rng.randrange(30)}" for _ in range(rng.randrange(5))}
                for person in people:
                    told[person] = told.get(person, 0) + 1
                waiting.append(asyncio.ensure_future(ledger.append(disclosure(*people))))
                if rng.random() < 0.1:
                    await asyncio.gather(*waiting)
                if rng.random() < 0.05:
                    await ledger.published()
            await asyncio.gather(*waiting)

    home.live(story)
    for person, times in told.items():
        shown = checked(bundle(home, person), home).shown
        assert sum(one.how == "disclosed" for one in shown) == times
    with home.view() as view:
        tiles = TileReader(lambda path: (home.public / path).read_bytes(), view.checkpoint.size)
        for index in range(view.checkpoint.size):
            assert view.proof(index) == inclusion_proof(tiles.node, index, view.checkpoint.size)


# --- while the gateway writes


def test_while_the_gateway_writes(tmp_path: Path) -> None:
    """Every bundle is of one checkpoint, though the log grows all the time."""
    home = Home(tmp_path)
    sizes: set[int] = set()

    async def run() -> None:
        async with home.opened(0.002) as ledger:
            await ledger.append(disclosure("account:1"))
            writing = True

            async def write() -> None:
                while writing:
                    await ledger.append(disclosure("account:1", "account:2"))

            def make() -> bytes:
                with LogView.at_checkpoint(home.ledger, ledger.state, ledger.verifier_key) as view:
                    sizes.add(view.checkpoint.size)
                    return make_bundle("account:1", home.enrolled(view, "account:1"), view, "eu", now=NOW)

            await ledger.published()
            task = asyncio.ensure_future(write())
            made: list[bytes] = []
            while len(made) < 10 or (len(sizes) < 4 and len(made) < 1000):  # a checkpoint takes a slow disk long
                made.append(await asyncio.to_thread(make))
            writing = False
            await task
            counts = [len(checked(data, home).shown) for data in made]
            assert counts == sorted(counts)

    asyncio.run(run())
    assert len(sizes) > 3


def test_a_state_without_its_checkpoint_is_told(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.live(lambda ledger: ledger.append(disclosure("account:1")))
    before = (home.public / "checkpoint").read_bytes()
    home.live(lambda ledger: ledger.append(disclosure("account:1")))
    (home.public / "checkpoint").write_bytes(before)
    with pytest.raises(Unavailable, match="is not the one that the ledger has come to"):
        bundle(home, "account:1")


def test_a_checkpoint_without_the_cosignatures_is_waited_for(home: Home) -> None:
    asked = []

    def accepts(note: bytes) -> bool:
        asked.append(note)
        return len(asked) > 2

    with open_state(home.ledger) as state:
        with LogView.at_checkpoint(home.ledger, state, home.key, accepts=accepts) as view:
            assert view.note == asked[0]
        with (
            pytest.raises(Unavailable, match="has not the cosignatures"),
            LogView.at_checkpoint(home.ledger, state, home.key, accepts=lambda _: False, wait=0.02),
        ):
            pass
    assert len(asked) == 3


# --- what lies here is not what was logged


def damage(home: Home, needle: bytes) -> None:
    """Flips a bit of the journal's only occurrence of these bytes."""
    [path] = (home.ledger / "private" / "journal").iterdir()
    data = bytearray(path.read_bytes())
    assert data.count(needle) == 1
    data[data.index(needle)] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("part", "fault"),
    [
        (lambda item: item["sealed"], "the sealed part behind entry {entry} is not the one that was logged"),
        (lambda item: item["record"], "the record behind entry {entry} is not the one that was logged"),
        (lambda item: item["entry"]["entry"], "entry {entry} of the journal is not the one in the public log"),
        (lambda item: item["head"]["entry"], "entry {head} of the journal is not the one in the public log"),
    ],
)
def test_a_damaged_journal_makes_no_bundle(tmp_path: Path, part: Any, fault: str) -> None:
    home = Home(tmp_path)

    async def story(ledger: Ledger) -> None:
        await ledger.append(disclosure("account:1"))
        await ledger.append(disclosure("account:1"))

    home.live(story)
    item = json.loads(bundle(home, "account:1"))["logs"][0]["shown"][2]
    data = base64.b64decode(part(item))
    fault = fault.format(entry=item["entry"]["index"], head=item["head"]["index"])
    damage(home, data[-40:] if data[1:2] != b"\x20" else data[6:38])
    with pytest.raises(VerificationError, match=fault):
        bundle(home, "account:1")


# --- two regions


@pytest.fixture
def two(tmp_path: Path) -> tuple[Home, Home]:
    """eu from August, us from September, and a list that names both."""
    eu, us = Home(tmp_path / "eu"), Home(tmp_path / "us", "us", month(2026, 9))

    async def in_us(ledger: Ledger) -> None:
        await ledger.append(regions_entry(1, eu, us))
        await ledger.append(disclosure("account:1", "account:50"))
        us.now = month(2026, 11)
        await ledger.append(disclosure("account:51"))

    async def in_eu(ledger: Ledger) -> None:
        await ledger.append(disclosure("account:1"))
        eu.now = month(2026, 10)
        await ledger.append(regions_entry(1, eu, us))
        await ledger.append(disclosure("account:2", "account:1"))
        await ledger.append(PeopleEvent(("account:3",), False))

    us.live(in_us)
    eu.live(in_eu)
    return eu, us


def read(home: Home) -> OtherLog:
    with open_log(home.public) as source:
        return OtherLog.read(source, home.region, home.key)


def test_two_regions(two: tuple[Home, Home]) -> None:
    """account:1 of us is somebody else with another key."""
    eu, us = two
    other = read(us)
    for person, epochs, shown in (
        ("account:1", [202609, 202611], 3),
        ("account:2", [202609, 202611], 2),
        ("account:3", [202609, 202611], 1),
    ):
        data = bundle(eu, person, other)
        assert len(checked(data, eu, us).shown) == shown
        log = json.loads(data)["logs"][1]
        assert [item["epoch"] for item in log["epochs"]] == epochs
        assert (log["start"] is not None) == (person == "account:1")
    checked(bundle(us, "account:50", read(eu)), us, eu)


def test_which_logs_are_needed_says_the_list(two: tuple[Home, Home], home: Home) -> None:
    eu, us = two
    with pytest.raises(UsageError, match="the list of regions names us, and its log was not given"):
        bundle(eu, "account:1")
    with pytest.raises(UsageError, match="does not name"):
        bundle(home, "account:1", read(us))


def test_entries_in_another_region_are_not_passed_over(two: tuple[Home, Home]) -> None:
    """The key of us's account:1, as if it had been enrolled in eu."""
    eu, us = two
    with us.view() as view:
        foreign = us.enrolled(view, "account:1")
    with eu.view() as view:
        home = eu.enrolled(view, "account:1")
        stolen = type(home[0])(foreign[0].key, home[0].index, home[0].epoch)
        with pytest.raises(VerificationError, match="the log of region us has entries about this person in 202609"):
            make_bundle("account:1", [stolen], view, "eu", now=NOW, others=[read(us)])


@pytest.mark.parametrize("at", range(20, 1200, 97))
def test_another_log_is_not_believed(two: tuple[Home, Home], at: int) -> None:
    """Any byte of its entries: its root, or its seals, are others then."""
    _, us = two
    path = max((us.public / "tile" / "entries" / "000.p").iterdir(), key=lambda one: int(one.name))
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 1
    path.write_bytes(data)
    with pytest.raises(VerificationError):
        read(us)
