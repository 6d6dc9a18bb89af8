"""What a witness answers, by the text of C2SP tlog-witness."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from seenby_verify.errors import UsageError, VerificationError
from seenby_verify.tlog.checkpoint import Checkpoint, sign_checkpoint
from seenby_verify.tlog.note import Note
from seenby_verify.tlog.tree import EMPTY_ROOT
from seenby_verify.witness.decide import MAX_BODY, Answer, Seen, Submission, Witness
from tests.fixtures.memory_logs import MemoryLog

KEY = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
LOG = MemoryLog()
WITNESS = Witness("witness.test/w", KEY, [LOG.vkey])
NOW = 1_795_338_000


def answer(body: bytes, seen: Seen | None = None, now: int = NOW) -> Answer:
    read = WITNESS.read(body)
    return read if isinstance(read, Answer) else WITNESS.decide(read, seen or Seen(), now)


def seen_at(size: int, time: int = NOW) -> Seen:
    """As if the witness had cosigned this size."""
    got = answer(LOG.request(0, size), now=time).seen
    assert got is not None
    return got


def test_the_first_checkpoint_is_cosigned_without_a_proof() -> None:
    got = answer(LOG.request(0, 10))
    assert got.status == 200
    (signature,) = Note.parse(LOG.note(10) + got.body).signatures([WITNESS.vkey])
    assert signature.time == NOW
    assert got.seen == Seen(10, LOG.root(10), NOW, LOG.note(10) + got.body)


@pytest.mark.parametrize(("old", "new"), [(10, 11), (10, 16), (8, 20), (1, 2), (10, 10), (255, 513)])
def test_a_checkpoint_that_continues_the_last_is_cosigned(old: int, new: int) -> None:
    got = answer(LOG.request(old, new), seen_at(old), NOW + 5)
    assert got.status == 200
    assert got.seen is not None
    assert (got.seen.size, got.seen.time) == (new, NOW + 5)


def test_the_empty_log_is_cosigned_if_its_root_is_the_empty_root() -> None:
    good = sign_checkpoint(Checkpoint("log.test", 0, EMPTY_ROOT), LOG.key)
    assert answer(b"old 0\n\n" + good).status == 200
    bad = sign_checkpoint(Checkpoint("log.test", 0, b"x" * 32), LOG.key)
    assert answer(b"old 0\n\n" + bad).status == 422


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 0\n",
        b"old 0\n" + LOG.note(1),
        b"old 00\n\n" + LOG.note(1),
        b"old -1\n\n" + LOG.note(1),
        b"old +1\n\n" + LOG.note(1),
        b"old \n\n" + LOG.note(1),
        b"old 0 \n\n" + LOG.note(1),
        b"Old 0\n\n" + LOG.note(1),
        b"old 0\r\n\r\n" + LOG.note(1),
        "old ١\n\n".encode() + LOG.note(1),
        b"old 99999999999999999999\n\n" + LOG.note(1),
        b"old 2\nnothing\n\n" + LOG.note(3),
        b"old 2\n" + base64.b64encode(b"x" * 31) + b"\n\n" + LOG.note(3),
        b"old 2\n" + base64.b64encode(b"x" * 32) + b" \n\n" + LOG.note(3),
        b"old 2\n" + (base64.b64encode(b"x" * 32) + b"\n") * 64 + b"\n" + LOG.note(3),
        b"old 0\n\n",
        b"old 0\n\nlog.test\n1\n",
        b"old 0\n\n" + LOG.note(1)[:-1],
        b"old 0\n\n" + LOG.note(1) + b"more",
        b"old 4\n\n" + LOG.note(3),
    ],
)
def test_a_malformed_request_is_a_bad_one(body: bytes) -> None:
    assert answer(body).status == 400


def test_a_request_that_is_too_long_is_not_read() -> None:
    assert answer(b"old 0\n\n" + b"x" * MAX_BODY).status == 413


def test_an_unknown_log_is_not_found() -> None:
    assert answer(MemoryLog("other.test").request(0, 1)).status == 404


def test_a_checkpoint_without_a_known_signature_is_forbidden() -> None:
    assert answer(MemoryLog(seed=8).request(0, 1)).status == 403


def test_a_false_signature_is_forbidden_even_beside_a_good_one() -> None:
    note = LOG.note(3)
    false = note.replace(b"\n3\n", b"\n4\n")
    assert answer(b"old 0\n\n" + false).status == 403
    both = note + false.rpartition(b"\n\n")[2].replace(b"log.test ", b"log.test ")
    assert answer(b"old 0\n\n" + both).status == 200  # the same line twice is no harm
    wrong = base64.b64encode(LOG.vkey.id + b"\0" * 64)
    assert answer(b"old 0\n\n" + note + "— log.test ".encode() + wrong + b"\n").status == 403


def test_signatures_by_others_are_ignored_and_not_kept() -> None:
    other = MemoryLog("log.test", seed=9).note(3).rpartition(b"\n\n")[2]
    got = answer(b"old 0\n\n" + LOG.note(3) + other)
    assert got.status == 200
    assert got.seen is not None
    assert other not in got.seen.note


@pytest.mark.parametrize("old", [0, 4, 6, 9])
def test_another_old_size_is_a_conflict_that_tells_ours(old: int) -> None:
    got = answer(LOG.request(old, 9), seen_at(5))
    assert (got.status, got.body, got.content_type) == (409, b"5\n", "text/x.tlog.size")
    assert got.seen is None


def test_a_proof_that_does_not_hold_is_unprocessable() -> None:
    seen = seen_at(5)
    proof = LOG.proof(5, 9)
    wrong = {
        "none": [],
        "short": proof[:-1],
        "long": [*proof, proof[-1]],
        "turned": proof[::-1],
        "changed": [b"x" * 32, *proof[1:]],
    }
    for steps in wrong.values():
        body = b"old 5\n" + b"".join(base64.b64encode(s) + b"\n" for s in steps) + b"\n" + LOG.note(9)
        got = answer(body, seen)
        assert (got.status, got.seen) == (422, None)


def test_a_proof_for_the_first_checkpoint_is_unprocessable() -> None:
    body = b"old 0\n" + base64.b64encode(b"x" * 32) + b"\n\n" + LOG.note(3)
    assert answer(body).status == 422


def test_a_second_view_is_refused_and_kept_as_evidence() -> None:
    other = MemoryLog(fork=3, name="other")
    seen = seen_at(5)
    got = answer(other.request(5, 9), seen)
    assert (got.status, got.seen) == (422, None)
    same = answer(other.request(5, 5), seen)
    assert (same.status, same.seen, same.fork) == (422, None, other.note(5))
    # Also when the old size is wrong: what is signed is signed.
    assert answer(other.request(3, 5), seen).fork == other.note(5)


def test_a_clock_that_goes_back_a_little_stands_still_and_one_that_goes_back_far_is_no_clock() -> None:
    seen = seen_at(5)
    got = answer(LOG.request(5, 6), seen, NOW - 30)
    assert got.seen is not None
    assert got.seen.time == NOW
    assert answer(LOG.request(5, 6), seen, NOW - 3600).status == 500


def test_a_new_key_of_a_log_counts_beside_the_old_one() -> None:
    newer = MemoryLog(seed=9)
    witness = Witness("w", KEY, [LOG.vkey, newer.vkey])
    for log in (LOG, newer):
        assert isinstance(witness.read(log.request(0, 3)), Submission)


def test_what_was_cosigned_is_read_again_and_nothing_else() -> None:
    seen = seen_at(5)
    assert WITNESS.reopen(seen.note) == ("log.test", seen)
    for wrong in (LOG.note(5), seen.note.replace(b"\n5\n", b"\n6\n"), seen.note[:-1], b""):
        with pytest.raises(VerificationError):
            WITNESS.reopen(wrong)


def test_a_witness_of_nothing_is_none() -> None:
    with pytest.raises(UsageError):
        Witness("w", KEY, [])
