"""Several regions that each have auditors, k of n: bundles are whole over all logs, and each quorum opens its own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from seenby.cli import command_line
from seenby.stores.audit import read_records, shares_of
from seenby.stores.auditors import Auditors
from seenby.stores.bundles import make_bundle
from seenby.stores.ledger import Ledger
from seenby.stores.other_logs import OtherLog
from seenby.stores.view import public_reader
from seenby_verify.client import open_log
from seenby_verify.errors import VerificationError
from seenby_verify.tlog.bundle import BundleCheck
from seenby_verify.tlog.policy import Policy
from seenby_verify.tlog.records import RecordOpener
from seenby_verify.tlog.verify import verify
from tests.fixtures.histories import ORGANISATION_KEY, Home, month, regions_entry
from tests.fixtures.ledgers import disclosure
from tests.unit.stores.test_auditors import KEYS, opened_by

EPOCHS = (202609, 202611)
EU = Auditors(3, KEYS)
US = Auditors(2, {name: KEYS[name] for name in ("ben", "cid", "dee")})
"""Three of four for eu, two of three of them for us."""


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Home]:
    """Two months of two regions: account:1 lives in eu, account:50 in us; both logs have the list of both."""
    eu, us = (Home(tmp_path_factory.mktemp(n), n, auditors=a) for n, a in (("eu", EU), ("us", US)))

    async def begin(ledger: Ledger) -> None:
        await ledger.append(regions_entry(1, eu, us))
        for _ in range(2):
            await ledger.append(disclosure("account:1" if ledger.region == "eu" else "account:50"))

    for when in (month(2026, 9), month(2026, 11)):
        for home in (us, eu):
            home.now = when
            home.live(begin if when == month(2026, 9) else lookups)
    return eu, us


async def lookups(ledger: Ledger) -> None:
    await ledger.append(disclosure("account:1", "account:2") if ledger.region == "eu" else disclosure("account:50"))


def bundle(home: Home, person: str, other: Home) -> bytes:
    with home.view() as view, open_log(other.public) as source:
        log = OtherLog.read(source, other.region, other.key)
        return make_bundle(person, home.enrolled(view, person), view, home.region, now=home.now, others=[log])


def test_a_bundle_is_whole_over_both_regions(two: tuple[Home, Home]) -> None:
    for home, other, person, number in ((*two, "account:1", 4), (two[1], two[0], "account:50", 4)):
        policy = Policy.trusting(home.key, other.key)
        check = BundleCheck(bundle(home, person, other), policy, organisation=ORGANISATION_KEY)
        assert len(list(check.steps())) == 8
        assert len(check.shown) == number
        assert {one.region for one in check.shown} == {home.region}


def test_one_region_less_is_found_though_auditors_hold_its_records(two: tuple[Home, Home]) -> None:
    eu, us = two
    cut = json.loads(bundle(eu, "account:1", us))
    del cut["logs"][1]
    with pytest.raises(VerificationError, match=us.origin):
        list(BundleCheck(json.dumps(cut).encode(), Policy.trusting(eu.key, us.key)).steps())


def test_both_logs_hold_and_name_the_same_regions(two: tuple[Home, Home]) -> None:
    for home in two:
        paths = [str(path.relative_to(home.public)) for path in home.public.rglob("*") if path.is_file()]
        steps = list(verify(paths, public_reader(home.public), home.key, organisation=ORGANISATION_KEY))
        assert "the newest names eu, us; signed by the organisation" in steps[8].detail


@pytest.mark.parametrize("epoch", EPOCHS)
def test_each_regions_quorum_opens_its_own_records_and_no_others(two: tuple[Home, Home], epoch: int) -> None:
    private: dict[str, bytes] = {}
    for home, quorum in zip(two, (("ada", "ben", "cid"), ("ben", "dee")), strict=True):
        shares = shares_of(home.ledger, epoch)
        assert not isinstance(opened_by(shares, *quorum[:-1]), bytes)
        found = opened_by(shares, *quorum)
        assert isinstance(found, bytes)
        private[home.region] = found
        opener = RecordOpener(home.region, epoch, auditors_key=found)
        kinds = [one.record["kind"] for one in read_records(home.ledger, epoch, opener)]
        assert kinds.count("query") == (2 if epoch == EPOCHS[0] else 1)
        alone = RecordOpener(home.region, epoch, region_key=home.keystore().epoch_key(epoch))
        with pytest.raises(VerificationError, match="is for the auditors of its epoch"):
            list(read_records(home.ledger, epoch, alone))
    assert private["eu"] != private["us"]
    for home, other in (two, two[::-1]):
        opener = RecordOpener(home.region, epoch, auditors_key=private[other.region])
        with pytest.raises(VerificationError, match="does not open with this epoch's key"):
            list(read_records(home.ledger, epoch, opener))


def test_each_month_of_each_region_has_a_key_of_its_own(two: tuple[Home, Home]) -> None:
    keys = {shares_of(home.ledger, epoch).public for home in two for epoch in EPOCHS}
    assert len(keys) == 4


def test_who_saw_lists_it_all_and_names_no_staff_without_the_months_key(
    two: tuple[Home, Home], capsys: pytest.CaptureFixture[str]
) -> None:
    eu, _ = two
    config = eu.directory / "seenby.toml"
    config.write_text('region = "eu"\norigin = "eu.test/ledger"\nstate = "."\n[control]\nsocket = "control.sock"\n')

    def told(*more: str) -> dict[str, Any]:
        words = ["who-saw", "account:1", "--config", str(config), "--json", *more]
        command_line(words)(words, exit_on_error=False, result_action="return_value")
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    assert [row["purpose"] for row in told()["seen"]] == ["support"] * 3
    assert [row["opened"] for row in told("--auditor")["seen"]] == [False] * 3
