"""Auditors: any k of n open a month together, k-1 cannot; what happens at the turn of a month; the end of retention."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from seenby.errors import ConfigError, LedgerFailed, NotFound, UsageError
from seenby.stores.audit import destroy_epoch, read_records, shares_of
from seenby.stores.auditors import Auditors, auditors_of, epochs_file, seal_shares
from seenby.stores.keystore import KeyStore
from seenby.stores.ledger import Ledger
from seenby_verify.errors import VerificationError
from seenby_verify.tlog.entries import GrantDenied
from seenby_verify.tlog.records import RecordOpener
from seenby_verify.tlog.shares import EpochShares, Progress, quorums
from tests.fixtures.ledgers import APPROVERS, NOW, ORIGIN, disclosure, document, keys, signed

DECEMBER = 1796083200.0
NAMES = ("ada", "ben", "cid", "dee")
PRIVATE = {name: X25519PrivateKey.from_private_bytes(name.encode().ljust(32, b".")) for name in NAMES}
KEYS = {name: key.public_key().public_bytes_raw() for name, key in PRIVATE.items()}
EPOCH_KEY = X25519PrivateKey.from_private_bytes(b"e" * 32)


def opened_by(shares: EpochShares, *names: str) -> Progress | bytes:
    """What comes out when these act, one after the other."""
    found: Progress | bytes = shares.start()
    for name in names:
        assert isinstance(found, Progress)
        found = found.open(name, PRIVATE[name])
        if isinstance(found, Progress):
            found = Progress.parse(found.encode())  # as the next one gets it
    return found


@pytest.mark.parametrize("threshold", [1, 2, 3, 4])
def test_any_k_of_n_open_and_no_fewer(threshold: int) -> None:
    shares = EpochShares.parse(seal_shares(Auditors(threshold, KEYS), "eu", 202611, EPOCH_KEY).encode())
    for quorum in quorums(NAMES, threshold):
        assert opened_by(shares, *quorum) == EPOCH_KEY.private_bytes_raw()
        assert isinstance(opened_by(shares, *quorum[:-1]), Progress)


def test_a_quorum_acts_in_the_order_of_its_names() -> None:
    shares = seal_shares(Auditors(3, KEYS), "eu", 202611, EPOCH_KEY)
    for order in permutations(("ada", "ben", "cid")):
        if order == ("ada", "ben", "cid"):
            continue
        with pytest.raises(VerificationError, match=r"turn"):
            opened_by(shares, *order)
    with pytest.raises(VerificationError, match="does not open with this key"):
        shares.start().open("ada", PRIVATE["ben"])


@pytest.mark.parametrize(
    ("keys_", "threshold", "words"),
    [
        (KEYS, 0, "nothing says how many"),
        ({}, 2, "names no auditors"),
        (KEYS, 5, "5 of 4 auditors cannot be"),
        ({f"a{n}": bytes([n + 1] * 32) for n in range(12)}, 5, "792 quorums"),
        (KEYS | {"eva": KEYS["ada"]}, 2, "two auditors have the same key"),
        (KEYS | {"eva": bytes(32)}, 2, "the key of the auditor eva is not an X25519 public key"),
    ],
)
def test_auditors_who_cannot_be_are_refused_in_words(keys_: dict[str, bytes], threshold: int, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        auditors_of(keys_, threshold)


def test_no_auditors_at_all_are_allowed() -> None:
    assert auditors_of({}, 0) is None


def ledger_of(folder: Path, now: float = NOW, named: dict[str, bytes] = KEYS) -> Ledger:
    return Ledger.open(
        folder / "ledger", region="eu", origin=ORIGIN, keystore=KeyStore.open(folder / "keys"),
        clock=lambda: now, publish_after=0.01, auditors=lambda: auditors_of(named, 2 if named else 0),
    )  # fmt: skip


def write(folder: Path, *people: str, now: float = NOW, named: dict[str, bytes] = KEYS, grants: str = "") -> None:
    async def work() -> None:
        ledger = ledger_of(folder, now, named)
        try:
            if grants:
                for key in keys():
                    await ledger.append(key)  # type: ignore[arg-type]  # key entries, all of them
                await ledger.append(document())
            if grants == "denied":
                await ledger.append(signed(GrantDenied, APPROVERS[0]))
            await ledger.append(disclosure(*people))
            await ledger.published()
        finally:
            await ledger.close()

    asyncio.run(work())


def test_records_open_with_the_months_key_and_not_with_the_regions(tmp_path: Path) -> None:
    write(tmp_path, "account:1", "account:2")
    write(tmp_path, "account:3")  # a restart goes on under the same key
    shares = shares_of(tmp_path / "ledger", 202611)
    private = opened_by(shares, "ben", "dee")
    assert isinstance(private, bytes)
    found = list(read_records(tmp_path / "ledger", 202611, RecordOpener("eu", 202611, auditors_key=private)))
    assert [one.record["kind"] for one in found] == ["enrolled", "query", "enrolled", "query"]
    assert found[1].withheld["principal"] == {"name": "sam"}
    store = KeyStore.open(tmp_path / "keys", read_only=True)
    with pytest.raises(VerificationError, match="entry 3: a sealed record is for the auditors of its epoch"):
        list(read_records(tmp_path / "ledger", 202611, RecordOpener("eu", 202611, region_key=store.epoch_key(202611))))
    with pytest.raises(VerificationError, match="does not open with this epoch's key"):
        list(read_records(tmp_path / "ledger", 202611, RecordOpener("eu", 202611, auditors_key=b"x" * 32)))


def test_without_auditors_the_regions_key_opens(tmp_path: Path) -> None:
    write(tmp_path, "account:1", named={})
    store = KeyStore.open(tmp_path / "keys", read_only=True)
    opener = RecordOpener("eu", 202611, region_key=store.epoch_key(202611))
    assert len(list(read_records(tmp_path / "ledger", 202611, opener))) == 2
    with pytest.raises(NotFound, match="no auditors' key of 202611"):
        shares_of(tmp_path / "ledger", 202611)


def test_a_month_keeps_its_key_and_the_next_one_has_another(tmp_path: Path) -> None:
    write(tmp_path, "account:1")
    write(tmp_path, "account:2", named={name: KEYS[name] for name in NAMES[:2]})
    write(tmp_path, "account:1", now=DECEMBER, named={name: KEYS[name] for name in NAMES[:2]})
    first, second = shares_of(tmp_path / "ledger", 202611), shares_of(tmp_path / "ledger", 202612)
    assert (len(first.auditors), len(second.auditors)) == (4, 2)
    assert first.public != second.public


def test_lost_or_changed_shares_stop_the_ledger_in_words(tmp_path: Path) -> None:
    write(tmp_path, "account:1")
    file = epochs_file(tmp_path / "ledger", 202611)
    whole = file.read_bytes()
    file.write_bytes(replace(EpochShares.parse(whole), threshold=2, public=b"p" * 32).encode())
    with pytest.raises(LedgerFailed, match="it is not the document that the log names"):
        ledger_of(tmp_path)
    file.unlink()
    with pytest.raises(LedgerFailed, match="cannot be read"):
        ledger_of(tmp_path)
    file.write_bytes(whole)
    write(tmp_path, "account:1")


def test_destroyed_keys_open_nothing_and_the_ledger_still_starts(tmp_path: Path) -> None:
    write(tmp_path, "account:1", grants="denied")
    store = KeyStore.open(tmp_path / "keys")
    with pytest.raises(UsageError, match="202611 is not over"):
        destroy_epoch(tmp_path / "ledger", store, "eu", 202611, 202611)
    assert destroy_epoch(tmp_path / "ledger", store, "eu", 202611, 202612) == [
        "the auditors' shares", "the region's key",
    ]  # fmt: skip
    with pytest.raises(NotFound, match="was destroyed"):
        store.epoch_key(202611)
    with pytest.raises(NotFound, match="not there any more"):
        shares_of(tmp_path / "ledger", 202611)
    assert destroy_epoch(tmp_path / "ledger", store, "eu", 202611, 202612) == []
    store.close()
    write(tmp_path, "account:1", now=DECEMBER)  # the month is over, so its shares are not missed
    assert shares_of(tmp_path / "ledger", 202612).epoch == 202612
    assert json.loads(epochs_file(tmp_path / "ledger", 202612).read_bytes())["v"] == 1


def test_the_keys_of_a_month_stay_while_a_grant_of_it_lives(tmp_path: Path) -> None:
    write(tmp_path, "account:1", grants="requested")
    store = KeyStore.open(tmp_path / "keys")
    with pytest.raises(UsageError, match="has not ended"):
        destroy_epoch(tmp_path / "ledger", store, "eu", 202611, 202612)
    assert epochs_file(tmp_path / "ledger", 202611).exists()
    assert len(store.epoch_key(202611)) == 32
