"""Promises: golden vectors, every spelling that the format does not have, what becomes of one, and evidence."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.evidence import BrokenPromise, parse_evidence
from seenby_verify.tlog.policy import Policy
from seenby_verify.tlog.promise import Promise, Verdict
from seenby_verify.tlog.steps import Placed
from seenby_verify.tlog.tree import leaf_hash
from tests.fixtures.bundles import World
from tests.fixtures.bundles_log import NOW, TIMES
from tests.fixtures.bundles_vectors import VECTORS

CASES = json.loads((VECTORS / "receipts.json").read_text("utf-8"))
LEAF = "gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ="
TEXT = f"seenby/promise/v1\neu.log.platform.example\n73894\n{LEAF}\n1795338000\n60\n"
WHY = {
    "another version": "is neither",
    "an unknown member": "unknown member 'index'",
    "a promise that the log did not sign": "the promise's signature by eu.log.platform.example is false",
    "a checkpoint with too few witnesses": "has not the cosignatures",
    "a checkpoint of another log": "of another log than the promise",
    "a checkpoint from within the delay": "open, not broken",
    "a checkpoint without witnesses": "open, not broken",
    "the entry is there": "kept, not broken",
    "the entry is not proven": "not in the tree",
    "no entry, but the tree is big enough": "does not fit",
    "an entry behind the tree's end": "is not in a tree of size",
}


@pytest.mark.parametrize("case", CASES["promises"], ids=lambda case: case["name"])
def test_golden_promises(case: dict[str, Any]) -> None:
    policy = Policy.parse(case["policy"].encode())
    if "fault" in case:
        with pytest.raises(VerificationError):
            Promise.open(case["promise"].encode(), policy)
        return
    found = Promise.open(case["promise"].encode(), policy)
    values = {"origin": found.origin, "index": found.index, "time": found.time, "delay": found.delay}
    assert {**values, "leaf": base64.b64encode(found.leaf).decode()} == case["ok"]
    assert found.due == found.time + found.delay
    assert found.sign(World().eu.key) == case["promise"].encode(), "there is one spelling"


@pytest.mark.parametrize("case", CASES["judged"], ids=lambda case: case["name"])
def test_golden_verdicts(case: dict[str, Any]) -> None:
    policy = Policy.parse(case["policy"].encode())
    promise = Promise.open(case["promise"].encode(), policy)
    accepted = policy.accepts(case["checkpoint"].encode())
    leaf = None
    if case["entry"]:
        placed = Placed.read({"index": promise.index, **case["entry"]}, "entry")
        placed.check(accepted.checkpoint, "entry")
        leaf = leaf_hash(placed.entry)
    assert promise.judge(accepted, leaf) == Verdict(case["verdict"])


@pytest.mark.parametrize("case", CASES["evidence"], ids=lambda case: case["name"])
def test_golden_evidence(case: dict[str, Any]) -> None:
    policy = Policy.parse(case["policy"].encode())
    if "fault" in case:
        with pytest.raises(VerificationError, match=WHY[case["name"]]):
            parse_evidence(case["evidence"].encode()).check(policy)
        return
    found = parse_evidence(case["evidence"].encode())
    assert isinstance(found, BrokenPromise)
    told = found.check(policy)
    assert f"entry {case['ok']['index']} " in told
    assert parse_evidence(found.encode()) == found


def test_every_lie_about_evidence_has_its_reason() -> None:
    assert WHY.keys() == {case["name"] for case in CASES["evidence"] if "fault" in case}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (("promise/v1", "promise/v2"), "five lines"),
        (("promise/v1\n", "promise/v1\n\n"), "five lines"),
        (("\n60\n", "\n60"), "five lines"),
        (("\n60\n", "\n60\n\n"), "five lines"),
        (("\n60\n", "\n60\nmore\n"), "five lines"),
        (("\n60\n", "\n60\nmore"), "five lines"),
        (("eu.log.platform.example", "eu log"), "names no log"),
        (("eu.log.platform.example", "eu+log"), "names no log"),
        (("eu.log.platform.example", ""), "names no log"),
        (("\n73894", "\n073894"), "no such number"),
        (("\n73894", "\n-1"), "no such number"),
        (("\n73894", "\n٧"), "no such number"),
        (("\n60\n", "\n 60\n"), "no such number"),
        (("\n60\n", "\n9223372036854775807\n"), "no such number"),
        (("\n1795338000", "\n1795338000.5"), "no such number"),
        (("\n1795338000", "\n253402300740"), "no such number"),  # due in the year 10000
        ((LEAF, LEAF[:-1]), "no leaf hash"),
        ((LEAF, "AAAA"), "no leaf hash"),
        ((LEAF, LEAF[:-2] + "R="), "no leaf hash"),
    ],
)
def test_other_spellings(change: tuple[str, str], match: str) -> None:
    assert Promise.parse(TEXT.encode()).text == TEXT.encode()
    text = TEXT.replace(*change)
    assert text != TEXT
    with pytest.raises(VerificationError, match=match):
        Promise.parse(text.encode())


def test_a_promise_is_no_checkpoint_and_the_other_way_round() -> None:
    """One key signs both, so neither may ever be read as the other."""
    world = World()
    policy = Policy.parse(world.policy().encode())
    with pytest.raises(VerificationError, match="five lines"):
        Promise.open(world.eu.checkpoint(NOW), policy)
    with pytest.raises(VerificationError, match="not a tree size"):
        policy.accepts(world.eu.promise(3, NOW))


def test_a_promise_signed_by_somebody_else() -> None:
    world = World()
    policy = Policy.parse(world.policy().encode())
    promise = Promise.open(world.eu.promise(3, NOW), policy)
    with pytest.raises(VerificationError, match="no signature by its log"):
        Promise.open(promise.sign(world.us.key), policy)
    with pytest.raises(VerificationError, match="you do not trust"):
        Promise.open(promise.sign(world.eu.key), Policy.parse(world.policy(world.us).encode()))


def test_the_second_at_which_a_promise_is_broken() -> None:
    world = World()
    policy = Policy.parse(world.policy().encode())
    promise = Promise.open(world.eu.promise(500, TIMES[202611], leaf=b"l" * 32), policy)
    for seconds, verdict in ((0, Verdict.OPEN), (60, Verdict.OPEN), (61, Verdict.BROKEN)):
        # Two of three must have cosigned, so the time is that of the second: a minute before the first line's.
        accepted = policy.accepts(world.eu.checkpoint(TIMES[202611] + seconds))
        assert accepted.time == TIMES[202611] + seconds
        assert promise.judge(accepted, None) is verdict


def test_the_time_is_when_the_quorum_was_reached_not_the_latest() -> None:
    """A third witness who came later does not make a checkpoint later than what two have seen."""
    world = World()
    policy = Policy.parse(world.policy().encode())
    accepted = policy.accepts(world.eu.checkpoint(NOW, cosigners=3))
    assert [one.time for one in accepted.cosignatures] == [NOW - 120, NOW - 60, NOW]
    assert accepted.time == NOW - 60
    promise = Promise.open(world.eu.promise(500, NOW - 120, leaf=b"l" * 32), policy)
    assert promise.judge(accepted, None) is Verdict.OPEN


def test_judging_what_does_not_belong_together() -> None:
    world = World()
    policy = Policy.parse(world.policy().encode())
    promise = Promise.open(world.eu.promise(3, NOW - 1000), policy)
    with pytest.raises(VerificationError, match="the checkpoint by 'us"):
        promise.judge(policy.accepts(world.us.checkpoint(NOW)), promise.leaf)
    with pytest.raises(VerificationError, match="does not fit"):
        promise.judge(policy.accepts(world.eu.checkpoint(NOW)), None)
    with pytest.raises(VerificationError, match="does not fit"):
        promise.judge(policy.accepts(world.eu.checkpoint(NOW, size=2)), promise.leaf)
