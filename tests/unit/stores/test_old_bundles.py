"""What a person kept before their key was erased: it holds for ever, under the log as it has become since."""

from __future__ import annotations

from pathlib import Path

import pytest

from seenby.errors import NotFound
from seenby.model.disclosure import PeopleEvent
from seenby.stores.bundles import enrolment_receipt, make_bundle
from seenby.stores.ledger import Ledger
from seenby.stores.view import public_reader
from seenby_verify.monitor.compare import contradiction
from seenby_verify.tlog.bundle import BundleCheck
from seenby_verify.tlog.checkpoint import open_checkpoint
from seenby_verify.tlog.policy import Policy
from seenby_verify.tlog.proof import ReceiptCheck
from seenby_verify.tlog.verify import verify
from tests.fixtures.histories import Home, month
from tests.fixtures.ledgers import disclosure

ADA, BEN = "account:1", "account:2"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


async def lookups(ledger: Ledger) -> None:
    await ledger.append(disclosure(ADA, BEN))
    await ledger.append(disclosure(ADA))


async def erased(ledger: Ledger) -> None:
    await ledger.append(PeopleEvent((ADA,), True))
    await ledger.append(disclosure(BEN))


def given(home: Home, person: str) -> tuple[bytes, bytes]:
    """(bundle, enrolment receipt) as of now."""
    with home.view() as view:
        keys = home.enrolled(view, person)
        return make_bundle(person, keys, view, home.region, now=home.now), enrolment_receipt(view, keys[0])


def test_an_old_bundle_and_its_receipt_hold_after_the_key_was_erased(home: Home) -> None:
    home.live(lookups)
    home.now = month(2026, 9)
    home.live(lookups)
    bundle, receipt = given(home, ADA)
    before = (home.public / "checkpoint").read_bytes()
    for when in (month(2026, 10), month(2026, 11)):
        home.now = when
        home.live(erased)
    trust = Policy.trusting(home.key)
    check = BundleCheck(bundle, trust, receipt=receipt)
    assert len(list(check.steps())) == 8
    assert [one.how for one in check.shown] == ["enrolled"] + ["disclosed"] * 4
    assert len(list(ReceiptCheck(receipt, trust).steps())) == 4
    # Its checkpoint is no other history than the one that everybody is shown now, and that holds as a whole.
    now = (home.public / "checkpoint").read_bytes()
    older, newer = ((open_checkpoint(note, home.key), note) for note in (before, now))
    assert newer[0].size > older[0].size
    assert contradiction(older, newer, public_reader(home.public)) is None
    paths = [str(path.relative_to(home.public)) for path in home.public.rglob("*") if path.is_file()]
    assert len(list(verify(paths, public_reader(home.public), home.key))) == 11


def test_nothing_new_is_made_for_who_was_erased_and_all_for_others(home: Home) -> None:
    home.live(lookups)
    home.live(erased)
    with pytest.raises(NotFound, match="nobody is enrolled"):
        given(home, ADA)
    bundle, receipt = given(home, BEN)
    assert len(list(BundleCheck(bundle, Policy.trusting(home.key), receipt=receipt).steps())) == 8
