"""The label tree: golden vectors, the definition on random and hostile sets, every spoilt proof refused."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.labels import (
    EMPTY,
    LabelProof,
    LabelTree,
    bit_of,
    first_difference,
    leaf_hash,
    node_hash,
    verify_absent,
    verify_present,
)
from tests.fixtures.labels import SHAPES, definition

VECTORS = json.loads((Path(__file__).parent / "vectors/labels.json").read_text())
LONG = os.environ.get("SEENBY_CAMPAIGN") == "long"


def seeded(salt: object) -> random.Random:
    return random.Random(f"{os.environ['SEENBY_SEED']} {salt}")


def proven(label: bytes, proof: LabelProof, root: bytes) -> bool:
    """Is it there? Exactly one of the two statements holds under a good proof."""
    held = []
    for present, check in ((True, verify_present), (False, verify_absent)):
        try:
            check(label, proof, root)
            held.append(present)
        except VerificationError:
            pass
    assert len(held) == 1
    return held[0]


# --- golden vectors


@pytest.mark.parametrize("case", VECTORS["sets"], ids=lambda case: case["name"])
def test_golden_roots(case: dict[str, Any]) -> None:
    labels = [bytes.fromhex(label) for label in case["labels"]]
    assert definition(labels).hex() == case["root"]
    assert LabelTree(labels).root().hex() == case["root"]


@pytest.mark.parametrize("case", VECTORS["proofs"], ids=lambda case: f"{case['set']}-{case['label'][:8]}")
def test_golden_proofs(case: dict[str, Any]) -> None:
    label, root = bytes.fromhex(case["label"]), bytes.fromhex(case["root"])
    proof = LabelProof.from_json(case["proof"])
    assert proof.to_json() == case["proof"]
    assert proven(label, proof, root) is case["present"]
    (members,) = (item["labels"] for item in VECTORS["sets"] if item["name"] == case["set"])
    tree = LabelTree(map(bytes.fromhex, members))
    assert tree.prove(label) == proof
    assert (label in tree) is case["present"]


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda case: case["why"])
def test_golden_refusals(case: dict[str, Any]) -> None:
    label, root = bytes.fromhex(case["label"]), bytes.fromhex(case["root"])
    proof = LabelProof.from_json(case["proof"])
    for check in (verify_present, verify_absent):
        with pytest.raises(VerificationError):
            check(label, proof, root)


def test_hashes_are_the_documents() -> None:
    assert EMPTY == bytes(32) == LabelTree().root()
    one, other = b"\x11" * 32, b"\x91" * 32
    assert LabelTree([one]).root() == leaf_hash(one)
    assert LabelTree([other, one]).root() == node_hash(0, leaf_hash(one), leaf_hash(other))
    assert [bit_of(other, bit) for bit in range(8)] == [1, 0, 0, 1, 0, 0, 0, 1]
    assert first_difference(one, other) == 0
    assert first_difference(one, one) == 256


# --- against the definition


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(20 if LONG else 3))
def test_a_growing_tree_is_the_definition_of_its_set(shape: str, seed: int) -> None:
    generator = seeded((shape, seed))
    labels = SHAPES[shape](generator, 400)
    others = SHAPES[shape](generator, 30) + [generator.randbytes(32) for _ in range(5)]
    tree, at = LabelTree(), 0
    while at < len(labels):
        batch = labels[at : at + generator.choice((1, 2, 7, 100))]
        tree.insert(batch)
        at += len(batch)
        there = set(labels[:at])
        root = definition(there)
        assert tree.root() == root
        assert len(tree) == at
        for label in [*generator.sample(labels, 5), *others]:
            assert proven(label, tree.prove(label), root) is (label in there) is (label in tree)


def test_the_order_of_insertion_does_not_matter() -> None:
    generator = seeded("order")
    labels = SHAPES["random"](generator, 200)
    one = LabelTree()
    for label in labels:
        one.insert([label])
    assert one.root() == LabelTree(reversed(labels)).root() == LabelTree(labels).root()


@pytest.mark.parametrize("batch", [1, 10])
def test_a_label_stands_once(batch: int) -> None:
    labels = SHAPES["random"](seeded("twice"), 50)
    tree = LabelTree(labels)
    for again in ([labels[7]], [labels[0], b"n" * 32], [b"n" * 32, b"n" * 32]):
        with pytest.raises(VerificationError, match="twice"):
            tree.insert(again[:batch] if batch == 1 and again[0] in labels else again)
        there = [*labels, b"n" * 32] if b"n" * 32 in tree else labels
        assert tree.root() == definition(there), "a refused insertion leaves a tree that holds"


def test_labels_of_another_length_are_refused() -> None:
    for label in (b"", b"x" * 31, b"x" * 33):
        with pytest.raises(VerificationError, match="bytes are no label"):
            LabelTree([b"y" * 32, label])
        with pytest.raises(VerificationError, match="bytes are no label"):
            verify_absent(label, LabelProof(None), EMPTY)


def test_the_deepest_tree_needs_no_deep_stack() -> None:
    labels = [bytes(32)] + [(1 << n).to_bytes(32, "big") for n in range(256)]
    limit, here = sys.getrecursionlimit(), len(list(_frames()))
    sys.setrecursionlimit(here + 30)
    try:
        tree = LabelTree(labels)
        proof = tree.prove(bytes(32))
        verify_present(bytes(32), proof, tree.root())
    finally:
        sys.setrecursionlimit(limit)
    assert [bit for bit, _ in proof.steps] == list(range(255, -1, -1))
    assert tree.root() == definition(labels)


def _frames() -> Iterator[object]:
    frame = sys._getframe()
    while frame is not None:
        yield frame
        frame = frame.f_back  # type: ignore[assignment]  # None ends the loop


# --- proofs that somebody touched


def spoilt(proof: dict[str, Any], generator: random.Random) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every kind of change to a proof in JSON that still is one."""
    steps = proof["steps"]
    parsed = LabelProof.from_json(proof)
    for at, (bit, value) in enumerate(parsed.steps):
        changed = [*parsed.steps]
        for other in {(bit + 1) % 256, (bit - 1) % 256, 255 - bit} - {bit}:
            changed[at] = (other, value)
            yield f"bit {at}", LabelProof(parsed.leaf, tuple(changed)).to_json()
        flipped = bytearray(value)
        flipped[generator.randrange(32)] ^= 1 << generator.randrange(8)
        changed[at] = (bit, bytes(flipped))
        yield f"hash {at}", LabelProof(parsed.leaf, tuple(changed)).to_json()
        yield f"without {at}", {**proof, "steps": steps[:at] + steps[at + 1 :]}
        yield f"twice {at}", {**proof, "steps": steps[: at + 1] + steps[at:]}
        if at:
            yield f"swapped {at}", {**proof, "steps": [*steps[: at - 1], steps[at], steps[at - 1], *steps[at + 1 :]]}
    assert parsed.leaf is not None
    for position in range(32):
        leaf = bytearray(parsed.leaf)
        leaf[position] ^= 1 << generator.randrange(8)
        yield f"leaf {position}", LabelProof(bytes(leaf), parsed.steps).to_json()
    yield "no leaf", {**proof, "leaf": None}
    yield "nothing", {"leaf": None, "steps": []}
    yield "more", {**proof, "steps": [*steps, [0, steps[0][1]]]}


def test_every_spoilt_proof_is_refused() -> None:
    generator = seeded("spoilt")
    labels = SHAPES["random"](generator, 200)
    tree = LabelTree(labels)
    root, count = tree.root(), 0
    for label in [*labels[:10], *(generator.randbytes(32) for _ in range(10))]:
        for what, proof in spoilt(tree.prove(label).to_json(), generator):
            for check in (verify_present, verify_absent):
                with pytest.raises(VerificationError):
                    check(label, LabelProof.from_json(proof), root)
                count += 1
                assert what
    assert count > 2000


def test_a_good_proof_says_nothing_of_another_label_or_root() -> None:
    """A proof shows where one path ends: it holds for labels on that path, and tells the truth about them."""
    generator = seeded("other")
    labels = SHAPES["random"](generator, 100)
    tree = LabelTree(labels[:50])
    for label in labels:
        proof = tree.prove(label)
        for other in labels:
            if tree.prove(other) != proof:
                for check in (verify_present, verify_absent):
                    with pytest.raises(VerificationError):
                        check(other, proof, tree.root())
            else:
                assert proven(other, proof, tree.root()) is (other in labels[:50])
        with pytest.raises(VerificationError, match="does not lead to the seal's root"):
            verify_absent(label, proof, LabelTree(labels[:49]).root())


@pytest.mark.parametrize(
    ("label", "proof", "root", "reason"),
    [
        (b"x" * 32, LabelProof(None, ((0, bytes(32)),)), EMPTY, "steps but no leaf"),
        (b"x" * 32, LabelProof(None), b"r" * 32, "no labels, but its root says otherwise"),
        (b"x" * 32, LabelProof(b"x" * 31), EMPTY, "leaf of the label proof has 31 bytes"),
        (b"x" * 32, LabelProof(b"x" * 32, ((7, bytes(31)),)), EMPTY, "a hash of the label proof has 31 bytes"),
        (b"x" * 32, LabelProof(b"x" * 32, ((256, bytes(32)),)), EMPTY, "do not fall"),
        (b"x" * 32, LabelProof(b"x" * 32, ((-1, bytes(32)),)), EMPTY, "do not fall"),
        (b"x" * 32, LabelProof(b"x" * 32, ((7, bytes(32)), (7, bytes(32)))), EMPTY, "do not fall"),
        (b"x" * 32, LabelProof(b"y" * 32, ((7, bytes(32)),)), EMPTY, "bit 7 differs"),
        (b"x" * 32, LabelProof(b"y" * 32, ((6, bytes(32)),)), EMPTY, "does not lead to"),
    ],
)
def test_reasons(label: bytes, proof: LabelProof, root: bytes, reason: str) -> None:
    for check in (verify_present, verify_absent):
        with pytest.raises(VerificationError, match=reason):
            check(label, proof, root)


def test_what_is_there_is_not_absent_and_the_reverse() -> None:
    tree = LabelTree([b"x" * 32])
    with pytest.raises(VerificationError, match="the label is in the epoch's set"):
        verify_absent(b"x" * 32, tree.prove(b"x" * 32), tree.root())
    with pytest.raises(VerificationError, match="the label is not in the epoch's set"):
        verify_present(b"y" * 32, tree.prove(b"y" * 32), tree.root())
    with pytest.raises(VerificationError, match="the label is not in the epoch's set"):
        verify_present(b"y" * 32, LabelTree().prove(b"y" * 32), EMPTY)


def _changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    value: dict[str, Any] = copy.deepcopy(next(case["proof"] for case in VECTORS["proofs"] if case["set"] == "seven"))
    change(value)
    return value


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "proof",
        {},
        {"leaf": None},
        {"steps": []},
        _changed(lambda proof: proof.update(more=1)),
        _changed(lambda proof: proof.update(leaf="")),
        _changed(lambda proof: proof.update(leaf=7)),
        _changed(lambda proof: proof.update(leaf=proof["leaf"][:-1])),
        _changed(lambda proof: proof.update(leaf=proof["leaf"] + "\n")),
        _changed(lambda proof: proof.update(leaf="*" + proof["leaf"])),
        _changed(lambda proof: proof.update(leaf="A" * 42 + "B=")),  # bits beyond the last byte
        _changed(lambda proof: proof.update(leaf="_" * 43 + "=")),
        _changed(lambda proof: proof.update(leaf="é" + "A" * 42 + "=")),
        _changed(lambda proof: proof.update(leaf="A" * 40)),
        _changed(lambda proof: proof.update(steps=None)),
        _changed(lambda proof: proof.update(steps=tuple(proof["steps"]))),
        _changed(lambda proof: proof["steps"].append(None)),
        _changed(lambda proof: proof["steps"].append([0])),
        _changed(lambda proof: proof["steps"][0].append(0)),
        _changed(lambda proof: proof["steps"][0].__setitem__(0, True)),
        _changed(lambda proof: proof["steps"][0].__setitem__(0, 7.0)),
        _changed(lambda proof: proof["steps"][0].__setitem__(0, "7")),
        _changed(lambda proof: proof["steps"][0].__setitem__(0, 256)),
        _changed(lambda proof: proof["steps"][0].__setitem__(0, -1)),
        _changed(lambda proof: proof["steps"][0].__setitem__(1, None)),
        _changed(lambda proof: proof["steps"][0].__setitem__(1, "AA==")),
    ],
)
def test_json_that_is_no_proof(value: object) -> None:
    with pytest.raises(VerificationError):
        LabelProof.from_json(value)


def test_a_hundred_thousand_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    """About 461,000 hashes; a tree that hashed every path anew for every label would need 1,650,000."""
    generator = seeded("many")
    labels = [generator.randbytes(32) for _ in range(100_000)]
    tree, hashed, sha256 = LabelTree(), 0, hashlib.sha256

    def counted(data: bytes) -> object:
        nonlocal hashed
        hashed += 1
        return sha256(data)

    with monkeypatch.context() as patch:
        patch.setattr("seenby_verify.tlog.labels.hashlib", SimpleNamespace(sha256=counted))
        for at in range(0, len(labels), 5000):
            tree.insert(labels[at : at + 5000])
    assert 400_000 < hashed < 480_000
    assert tree.root() == definition(labels)
