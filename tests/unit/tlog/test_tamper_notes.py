"""The tamper campaign, notes: checkpoints, cosignatures, receipts, promises, evidence, lists of regions.

Every byte of each is changed. What nobody needs to notice is said where it is allowed.
"""

from __future__ import annotations

import base64
import json
import os
import random
from collections.abc import Callable, Iterator

import pytest

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.evidence import Fork, parse_evidence
from seenby_verify.tlog.policy import Policy
from seenby_verify.tlog.promise import Promise
from seenby_verify.tlog.proof import ReceiptCheck
from seenby_verify.tlog.regions import RegionList
from seenby_verify.tlog.tree import consistency_proof, leaf_hash
from tests.fixtures.bundles import World
from tests.fixtures.bundles_case import dumped
from tests.fixtures.bundles_log import NOW, TIMES, Log, signed_note
from tests.fixtures.tampering import Campaign, byte_changes, line_changes, list_changes, places, put, shape_changes

WORLD, STRANGE = World(), World(seed=4)
EU, US = WORLD.eu, WORLD.us
POLICY = Policy.parse(WORLD.policy().encode())
SIZE = len(EU.entries)
NOTE = EU.checkpoint(NOW)
TWICE = "a signature that stands there twice counts once"
ORDER = "the order of signatures has no meaning"


def seeded(salt: object) -> random.Random:
    return random.Random(f"{os.environ['SEENBY_SEED']} {salt}")


def refused(check: Callable[[bytes], object], data: bytes) -> str:
    """Why; "" if it holds."""
    try:
        check(data)
    except VerificationError as error:
        return error.message or "without a reason"
    return ""


def changes(data: bytes, salt: object) -> Iterator[tuple[str, bytes]]:
    yield from byte_changes(data, seeded(salt))


def judge_lines(check: Callable[[bytes], object], data: bytes, campaign: Campaign) -> None:
    """Lines dropped, doubled, reordered. Signature lines may be doubled and reordered, and nothing else may be."""
    signatures = sum(line.startswith("—".encode()) for line in data.splitlines())
    text = data.splitlines()[:-signatures]
    for change, other in line_changes(data):
        why = refused(check, other)
        if why:
            campaign.catch(change)
            continue
        assert change != "drop", other
        assert other.splitlines()[: len(text)] == text, other
        campaign.allow(TWICE if change == "duplicate" else ORDER)


# --- checkpoint and cosignature


@pytest.mark.tampers("checkpoint")
def test_no_byte_of_a_checkpoint_is_changed(campaign: Campaign) -> None:
    """Two witnesses are asked for and two signed, so every signature is needed."""
    assert refused(POLICY.accepts, NOTE) == ""
    for change, other in changes(NOTE, "checkpoint"):
        assert refused(POLICY.accepts, other), (change, other)
        campaign.catch(change)
    judge_lines(POLICY.accepts, NOTE, campaign)


@pytest.mark.tampers("cosignature")
def test_no_cosignature_is_moved_renamed_or_dated_otherwise(campaign: Campaign) -> None:
    text, lines = NOTE.split(b"\n\n")[0], NOTE.decode().splitlines()[-2:]
    others = EU.checkpoint(NOW, size=70).decode().splitlines()[-2:] + US.checkpoint(NOW).decode().splitlines()[-2:]
    for n, line in enumerate(lines):
        dash, name, encoded = line.split(" ")
        raw = base64.b64decode(encoded)
        spoilt = [raw[:4] + (NOW - 60 * n + by).to_bytes(8, "big") + raw[12:] for by in (-1, 1, 3600)]
        spoilt += [bytes([raw[0] ^ 1]) + raw[1:], raw[:-1], raw + b"\0", raw[:4] + raw[12:], raw[:4] + bytes(72)]
        spoilt += [base64.b64decode(other.split(" ")[2]) for other in others]
        for one in spoilt:
            changed = f"{dash} {name} {base64.b64encode(one).decode()}"
            assert refused(POLICY.accepts, NOTE.replace(line.encode(), changed.encode())), changed
            campaign.catch("flip")
        for other in ("ngo-witness.example", lines[1 - n].split(" ")[1], EU.origin):
            assert refused(POLICY.accepts, NOTE.replace(line.encode(), f"{dash} {other} {encoded}".encode()))
            campaign.catch("rename")
    for log in (STRANGE.eu, US):
        borrowed = log.checkpoint(NOW, size=30).decode().splitlines()[-2:]
        note = text + b"\n\n" + NOTE.split(b"\n")[4] + b"\n" + "\n".join(borrowed).encode() + b"\n"
        assert refused(POLICY.accepts, note)
        campaign.catch("splice")
    assert refused(POLICY.accepts, STRANGE.eu.checkpoint(NOW))
    campaign.catch("splice")


# --- receipt


def hold_receipt(data: bytes) -> int:
    """The steps that hold; raises in the one that does not."""
    return sum(1 for _ in ReceiptCheck(data, POLICY).steps())


def step_of_receipt(data: bytes) -> int:
    done = 0
    try:
        for _ in ReceiptCheck(data, POLICY).steps():
            done += 1
    except VerificationError:
        return done + 1
    return 0


@pytest.mark.tampers("receipt")
def test_no_byte_of_a_receipt_is_changed(campaign: Campaign) -> None:
    receipt = EU.receipt(12, NOTE)
    assert hold_receipt(receipt) == 4
    head = receipt.index(b"\n\n") + 2
    for change, other in changes(receipt, "receipt"):
        same = next((n for n, (a, b) in enumerate(zip(receipt, other, strict=False)) if a != b), len(other))
        # Before the checkpoint: the form (1), or what it leads to (3); the checkpoint itself: 2.
        allowed = {2} if same >= head else {1, 3}
        if change == "truncate" or other.find(b"\n\n") != head - 2:  # the checkpoint begins elsewhere, or is not there
            allowed = {1, 2, 3}
        assert step_of_receipt(other) in allowed, (change, other)
        campaign.catch(change)
    judge_lines(hold_receipt, receipt, campaign)


@pytest.mark.tampers("receipt")
def test_no_receipt_out_of_the_parts_of_others(campaign: Campaign) -> None:
    first = EU.receipt(12, NOTE)
    older = EU.checkpoint(TIMES[202609], size=70)
    for index, log in ((12, STRANGE.eu), (13, EU), (12, US), (70, EU), (0, EU)):
        other = log.receipt(index, log.checkpoint(NOW))
        mine, theirs = first.split(b"\n\n", 1), other.split(b"\n\n", 1)
        mixed = [mine[0] + b"\n\n" + theirs[1]] if log is not EU else []
        lines, others = mine[0].split(b"\n"), theirs[0].split(b"\n")
        for n in (1, 2, 3):  # extra, index, proof
            cut = slice(n, n + 1) if n < 3 else slice(3, None)
            if lines[cut] != others[cut]:
                mixed.append(
                    b"\n".join(lines[: cut.start] + others[cut] + (lines[n + 1 :] if n < 3 else [])) + b"\n\n" + mine[1]
                )
        for one in mixed:
            assert step_of_receipt(one) in {2, 3}
            campaign.catch("splice")
    assert step_of_receipt(first.split(b"\n\n", 1)[0] + b"\n\n" + older) == 3
    campaign.catch("older")
    assert step_of_receipt(EU.receipt(12, older)) == 0
    campaign.allow("an older receipt: the entry was in the log then, and is")


# --- promise


def open_promise(data: bytes) -> Promise:
    return Promise.open(data, POLICY)


@pytest.mark.tampers("promise")
def test_no_byte_of_a_promise_is_changed(campaign: Campaign) -> None:
    promise = EU.promise(12, NOW)
    assert refused(open_promise, promise) == ""
    for change, other in changes(promise, "promise"):
        assert refused(open_promise, other), (change, other)
        campaign.catch(change)
    judge_lines(open_promise, promise, campaign)
    for other in (STRANGE.eu.promise(12, NOW), NOTE, signed_note(promise.split(b"\n\n")[0] + b"\n", EU.origin, US.key)):
        assert refused(open_promise, other)
        campaign.catch("splice")


# --- evidence


def broken(entry: bool = True) -> str:
    """Evidence of a broken promise, where another entry stands or where the tree ends."""
    index = 12 if entry else SIZE
    placed = EU.placed_at(12, SIZE)
    document = {
        "format": "seenby/broken-promise/v1",
        "promise": EU.promise(index, NOW - 300, leaf=leaf_hash(b"another")).decode(),
        "checkpoint": NOTE.decode(),
        "entry": {"entry": placed["entry"], "proof": placed["proof"]} if entry else None,
    }
    return dumped(document)


def forked(sizes: tuple[int, int]) -> str:
    """Evidence of a fork: the log signed another tree of the older size."""
    older, newer = sizes
    root, proof = (EU.root(older), consistency_proof(EU.node, older, newer)) if older < newer else (None, ())
    other = bytes(31) + b"\1"
    fork = Fork(
        EU.checkpoint(NOW, size=older, root=other, cosigners=0),
        EU.checkpoint(NOW, size=newer, cosigners=0),
        root,
        tuple(proof),
    )
    return dumped(json.loads(fork.encode()))


def prove(data: bytes) -> str:
    return parse_evidence(data).check(POLICY)


EVIDENCE = {
    "another entry": broken(),
    "no entry": broken(entry=False),
    "two sizes": forked((70, SIZE)),
    "one size": forked((SIZE, SIZE)),
}


@pytest.mark.parametrize("name", EVIDENCE)
@pytest.mark.tampers("evidence")
def test_no_byte_of_evidence_is_changed(name: str, campaign: Campaign) -> None:
    """Nobody is accused by a document that is not, to the last byte, what the log signed."""
    data = EVIDENCE[name].encode()
    assert refused(prove, data) == ""
    for change, other in changes(data, name):
        assert refused(prove, other), (change, other)
        campaign.catch(change)


@pytest.mark.parametrize("name", EVIDENCE)
@pytest.mark.tampers("evidence")
def test_no_member_of_evidence_is_changed(name: str, campaign: Campaign) -> None:
    document, generator = json.loads(EVIDENCE[name]), seeded(("members", name))
    for path, value in places(document):
        for change, other in shape_changes(value, generator):
            assert refused(prove, dumped(put(document, path, other)).encode()), (path, change, other)
            campaign.catch(change)
        if isinstance(value, list):
            for change, items in list_changes(value, generator):
                assert refused(prove, dumped(put(document, path, items)).encode()), (path, change)
                campaign.catch(change)
    for other_name, other_text in EVIDENCE.items():
        other = json.loads(other_text)
        for member in document.keys() & other.keys():
            if document[member] != other[member] and other_name != name:
                mixed = {**document, member: other[member]}
                if mixed == other:
                    continue
                assert refused(prove, dumped(mixed).encode()), (other_name, member)
                campaign.catch("splice")


@pytest.mark.tampers("evidence")
def test_an_honest_log_is_never_accused(campaign: Campaign) -> None:
    """Every pair of true checkpoints, and promises that were kept or are not due."""
    for older, newer in ((46, 70), (70, SIZE), (46, SIZE), (SIZE, SIZE)):
        root, path = (EU.root(older), consistency_proof(EU.node, older, newer)) if older < newer else (None, [])
        true = Fork(EU.checkpoint(NOW, size=older), EU.checkpoint(NOW, size=newer), root, tuple(path))
        assert "both be true" in refused(prove, true.encode())
        campaign.catch("accusation")
        for wrong in (bytes(32), EU.root(45)):
            assert refused(prove, Fork(true.older, true.newer, wrong, true.proof).encode())
            campaign.catch("accusation")
    two_logs = Fork(EU.checkpoint(NOW, size=30), US.checkpoint(NOW, size=30))
    assert "two different logs" in refused(prove, two_logs.encode())
    placed = EU.placed_at(12, SIZE)
    entry = {"entry": placed["entry"], "proof": placed["proof"]}
    document = json.loads(broken())
    for promise, proof in (
        (EU.promise(12, NOW - 300), entry),
        (EU.promise(12, NOW - 60, leaf=bytes(32)), entry),
        (EU.promise(SIZE, NOW - 60, leaf=bytes(32)), None),
        (US.promise(12, NOW - 300), entry),
        (STRANGE.eu.promise(12, NOW - 300, leaf=bytes(32)), entry),
    ):
        accused = {**document, "promise": promise.decode(), "entry": proof}
        assert refused(prove, dumped(accused).encode())
        campaign.catch("accusation")


# --- list of regions


@pytest.mark.tampers("regions")
def test_no_byte_of_a_list_of_regions_is_changed(campaign: Campaign) -> None:
    def open_list(data: bytes) -> RegionList:
        return RegionList.open(data, WORLD.org_key)

    note = WORLD.regions(2, EU, US)
    assert refused(open_list, note) == ""
    for change, other in changes(note, "regions"):
        assert refused(open_list, other), (change, other)
        campaign.catch(change)
    judge_lines(open_list, note, campaign)
    third = Log("de", seeded("third"), WORLD.witnesses)
    for other in (
        WORLD.regions(2, US, EU),
        WORLD.regions(2, EU, EU),
        WORLD.regions(2, third, EU, US, key=US.key),
        STRANGE.regions(2, EU, US),
        NOTE,
    ):
        assert refused(open_list, other)
        campaign.catch("splice")
