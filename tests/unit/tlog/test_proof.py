"""Receipts (C2SP tlog-proof): golden vectors, the specification's example, and every spelling that it does not have."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.entries import PersonNamed
from seenby_verify.tlog.policy import Policy
from seenby_verify.tlog.proof import Proof, ReceiptCheck
from seenby_verify.tlog.steps import MAX_PROOF
from seenby_verify.tlog.tree import leaf_hash
from tests.fixtures.bundles import World
from tests.fixtures.bundles_log import NOW
from tests.fixtures.bundles_vectors import VECTORS

CASES = json.loads((VECTORS / "receipts.json").read_text("utf-8"))["receipts"]

# https://c2sp.org/tlog-proof; its signatures are elided there, so it can be read and not checked.
EXAMPLE = """\
c2sp.org/tlog-proof@v1
extra YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6kYXJ3aW4tYXJ
index 73894
gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=
EKNzoDWG8LGC0Yp9o+sv3qllpMP9uHQ9B20KNL+Q1zs=
RoopEkOdqkYqMB4MJXrbt/hMjOxsVn0IrWjpz1ZMMes=
AHCioX9nLjsrse6YhjRRmk1WUEirVOLLRoOQ6vfO5vk=

example.com/fancylog
109482
sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=

— example.com/fancylog hI2DJw[...]1roloI=
— witness1.example mJirIklj[...]qY9v2B/5bg==
— witness2.example TnKKVHLX[...]xwYwrSjgow==
— witness3.example S4X82uH5[...]3oEcROGLFQ==
"""


FIRST = "gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ="


def outcome(data: bytes, policy: str) -> tuple[int, VerificationError | None, ReceiptCheck]:
    """(steps that hold, the fault, the check)"""
    check = ReceiptCheck(data, Policy.parse(policy.encode()))
    done = 0
    try:
        for step in check.steps():
            done += 1
            assert (step.number, step.title) == (done, check.TITLES[done - 1])
    except VerificationError as error:
        return done, error, check
    return done, None, check


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_golden_vectors(case: dict[str, Any]) -> None:
    done, fault, check = outcome(case["receipt"].encode(), case["policy"])
    if "fault" in case:
        assert fault is not None
        assert done + 1 == case["fault"]["step"], fault.message
        return
    assert fault is None
    assert check.accepted.checkpoint.origin == case["ok"]["origin"]
    assert check.proof.index == case["ok"]["index"]
    assert base64.b64encode(check.proof.extra or b"").decode() == case["ok"]["entry"]
    assert isinstance(check.entry, PersonNamed)
    assert check.proof.encode().decode() == case["receipt"], "there is one spelling"


def test_the_example_of_the_specification() -> None:
    proof = Proof.parse(EXAMPLE.encode())
    assert proof.index == 73894
    assert proof.extra is not None
    assert proof.extra.startswith(b"age-v1.2.1-darwin")
    assert len(proof.hashes) == 5
    assert proof.hashes[0].hex().startswith("8122b25e8619")
    assert proof.checkpoint.startswith(b"example.com/fancylog\n109482\n")
    assert proof.encode() == EXAMPLE.encode()
    with pytest.raises(VerificationError, match="no signature line"):
        proof.check(bytes(32), Policy.trusting())


def test_an_entry_that_is_none_is_caught_in_the_last_step() -> None:
    world = World()
    world.eu.entries[5] = b"\x01\x99not an entry"
    done, fault, _ = outcome(world.eu.receipt(5, world.eu.checkpoint(NOW)), world.policy())
    assert done == 3
    assert fault is not None
    assert "kind 0x99" in fault.message


def test_a_proof_without_extra_is_a_proof_and_no_receipt() -> None:
    world = World()
    data = world.eu.receipt(5, world.eu.checkpoint(NOW))
    bare = b"\n".join(line for line in data.split(b"\n") if not line.startswith(b"extra "))
    proof = Proof.parse(bare)
    accepted = proof.check(leaf_hash(world.eu.entries[5]), Policy.parse(world.policy().encode()))
    assert (accepted.checkpoint.origin, accepted.time) == (world.eu.origin, NOW)
    assert Proof(5, proof.hashes, proof.checkpoint).encode() == bare
    with pytest.raises(VerificationError, match="not in the tree"):
        proof.check(leaf_hash(world.eu.entries[6]), Policy.parse(world.policy().encode()))
    done, fault, _ = outcome(bare, world.policy())
    assert done == 0
    assert fault is not None
    assert "does not hold the entry" in fault.message


def test_a_tree_of_one_entry_needs_no_hashes() -> None:
    world = World()
    note = world.eu.checkpoint(NOW, size=1)
    assert outcome(world.eu.receipt(0, note), world.policy())[1] is None


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda text: text.replace("@v1", "@v1 "), "does not begin"),
        (lambda text: "\n" + text, "does not begin"),
        (lambda text: text.replace("extra ", "extra  "), "not base64"),
        (lambda text: text.replace("extra ", "Extra "), "no line with the index"),
        (lambda text: text.replace("index ", "index  "), "no line with the index"),
        (lambda text: text.replace("index 7", "index -7"), "no line with the index"),
        (lambda text: text.replace("index 73894", "index 9223372036854775808"), "no line with the index"),
        (lambda text: text.replace("index 73894\n", ""), "no line with the index"),
        (lambda text: text.replace("index 73894\n", "index 73894\n" * 2), "no hash"),
        (lambda text: text.replace("gSKy", "gSK-"), "no hash"),
        (lambda text: text.replace("gSKy", "gSKy\r"), "no hash"),
        (lambda text: text.replace(f"{FIRST}\n", f"{FIRST}\n" * (MAX_PROOF - 3)), "too many"),
        (lambda text: text[: text.index("\n")] + text[text.index("\n\n") :], "no line with the index"),
        (lambda text: text.replace("PlQ=", "PlQ"), "no hash"),
        (lambda text: text.replace("PlQ=", "PlR="), "no hash"),
        (lambda text: text.replace("index", "índex"), "not ASCII"),
        (lambda text: text.partition("\n\n")[0] + "\n\n", "ends before its checkpoint"),
        (lambda text: text.partition("\n\n")[0], "ends before its checkpoint"),
        (lambda text: "", "does not begin"),
    ],
)
def test_other_spellings(change: Any, match: str) -> None:
    text = change(EXAMPLE)
    assert text != EXAMPLE
    with pytest.raises(VerificationError, match=match):
        Proof.parse(text.encode())


def test_as_many_hashes_as_any_tree_needs() -> None:
    proof = Proof.parse(EXAMPLE.replace(f"{FIRST}\n", f"{FIRST}\n" * (MAX_PROOF - 4)).encode())
    assert len(proof.hashes) == MAX_PROOF


@pytest.mark.parametrize("entry", [b"", b"\x01", b"\x01" * 65_536], ids=len)
def test_an_entry_too_short_or_too_long_to_be_one(entry: bytes) -> None:
    world = World()
    world.eu.entries[5] = entry
    done, fault, _ = outcome(world.eu.receipt(5, world.eu.checkpoint(NOW)), world.policy())
    assert done == 0
    assert fault is not None


def test_a_receipt_has_a_limit() -> None:
    done, fault, _ = outcome(EXAMPLE.encode() + b"x" * 1_000_000, "quorum none\n")
    assert done == 0
    assert fault is not None
    assert "longer than" in fault.message
