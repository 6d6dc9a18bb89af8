"""Which key and grant events may stand where (docs/formats/entries.md, "Grants")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from seenby.errors import VerificationError
from seenby_verify.tlog.entries import (
    BreakGlass,
    GrantActivated,
    GrantApproved,
    GrantDenied,
    GrantEnded,
    GrantRequested,
    GrantReviewed,
    GrantRevoked,
    KeyRetired,
    grant_message,
)
from seenby_verify.tlog.grantlog import GrantLog
from seenby_verify.tlog.records import commitment
from tests.fixtures.ledgers import (
    APPROVERS,
    COMMIT,
    EPOCH,
    GRANT,
    OPENING,
    REQUESTER,
    TERMS,
    key_added,
    keys,
    public,
    requested,
    signed,
)

ONE, TWO = APPROVERS
STRANGER = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
ACTIVATED = GrantActivated(EPOCH, GRANT, COMMIT)
ENDED = GrantEnded(EPOCH, GRANT, COMMIT, 1)
APPROVED = [requested(), signed(GrantApproved, ONE), signed(GrantApproved, TWO)]
GLASS = signed(BreakGlass, REQUESTER, 2, b"d" * 32)


def run(*events: Any) -> GrantLog:
    log = GrantLog("eu")
    for index, event in enumerate([*keys(), *events]):
        log.apply(index, event)
    return log


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([requested()], "requested"),
        (APPROVED, "requested"),
        ([*APPROVED, ACTIVATED], "active"),
        ([requested(0), ACTIVATED], "active"),
        ([*APPROVED, ACTIVATED, signed(GrantRevoked, ONE)], "revoked"),
        ([*APPROVED, ACTIVATED, signed(GrantRevoked, REQUESTER)], "revoked"),
        ([*APPROVED, ACTIVATED, ENDED], "ended"),
        ([requested(), ENDED], "ended"),
        ([requested(), signed(GrantDenied, TWO)], "denied"),
        ([GLASS, ACTIVATED, ENDED, signed(GrantReviewed, ONE)], "ended"),
    ],
)
def test_lives(events: Sequence[Any], state: str) -> None:
    assert run(*events).grants[GRANT].state == state


@pytest.mark.parametrize(
    ("events", "fault"),
    [
        ([ACTIVATED], "nobody requested"),
        ([requested(), requested()], "a second time"),
        ([requested(), ACTIVATED], "2 approvals are missing"),
        ([requested(), signed(GrantApproved, ONE), ACTIVATED], "1 approvals are missing"),
        ([requested(), signed(GrantApproved, ONE), signed(GrantApproved, ONE)], "twice"),
        ([requested(), signed(GrantApproved, REQUESTER)], "the requester"),
        ([requested(), signed(GrantApproved, STRANGER)], "does not count here"),
        ([requested(), signed(GrantApproved, ONE, commit=b"x" * 32)], "other terms"),
        ([requested(), replace(signed(GrantApproved, ONE), signature=bytes(64))], "does not match"),
        ([requested(), replace(signed(GrantRevoked, ONE), signature=signed(GrantDenied, ONE).signature)], "match"),
        ([replace(requested(), signature=bytes(64))], "does not match"),
        ([*APPROVED, ACTIVATED, signed(GrantDenied, ONE)], "active already"),
        ([*APPROVED, ACTIVATED, ACTIVATED], "active already"),
        ([*APPROVED, ENDED, ACTIVATED], "was ended"),
        ([*APPROVED, signed(GrantDenied, ONE), ACTIVATED], "was denied"),
        ([*APPROVED, ACTIVATED, signed(GrantRevoked, ONE), ENDED], "was revoked"),
        ([GLASS, ACTIVATED, ENDED, signed(GrantReviewed, REQUESTER)], "the requester"),
        ([*APPROVED, ACTIVATED, signed(GrantReviewed, ONE)], "no break-glass"),
        ([*APPROVED, ENDED, signed(GrantReviewed, ONE)], "no break-glass"),
        ([key_added(ONE)], "added a second time"),
        ([KeyRetired(EPOCH, "approver", "eu", public(STRANGER))], "does not count"),
        ([KeyRetired(EPOCH, "approver", "us", public(ONE))], "does not count"),
        ([requested(), KeyRetired(EPOCH, "approver", "eu", public(ONE)), signed(GrantApproved, ONE)], "count here"),
    ],
)
def test_what_may_not_stand_there(events: Sequence[Any], fault: str) -> None:
    log = run(*events[:-1])
    before = repr(log)
    with pytest.raises(VerificationError, match=fault):
        log.apply(99, events[-1])
    assert repr(log) == before


def test_the_verdict_of_a_review_is_in_its_signature() -> None:
    unjustified = replace(
        signed(GrantReviewed, TWO), signature=TWO.sign(grant_message("review-unjustified", "eu", GRANT, COMMIT))
    )
    log = run(GLASS, ACTIVATED, signed(GrantReviewed, ONE), unjustified)
    assert list(log.grants[GRANT].reviews.values()) == [True, False]
    assert log.signatures == 3
    other = replace(unjustified, signature=TWO.sign(grant_message("approve", "eu", GRANT, COMMIT)))
    with pytest.raises(VerificationError, match="does not match"):
        run(GLASS, other)


def test_an_approval_counts_although_its_key_is_retired_later() -> None:
    log = run(*APPROVED, KeyRetired(EPOCH, "approver", "eu", public(ONE)), ACTIVATED)
    assert log.grants[GRANT].state == "active"
    assert log.signatures == 3


def test_a_signature_is_for_one_region() -> None:
    log = GrantLog("us")
    for index, key in enumerate(keys()):
        log.apply(index, key)  # type: ignore[arg-type]  # keys() are key events
    with pytest.raises(VerificationError, match="does not match"):
        log.apply(9, requested())


def test_whoever_holds_the_terms_can_check_them() -> None:
    log = run(*APPROVED)
    assert len(log.check_terms(GRANT, TERMS, OPENING).approvals) == 2
    with pytest.raises(VerificationError, match="not the terms"):
        log.check_terms(GRANT, TERMS.replace(b"2", b"1", 1), OPENING)
    with pytest.raises(VerificationError, match="not the terms"):
        log.check_terms(GRANT, TERMS, bytes(32))
    with pytest.raises(VerificationError, match="nobody requested"):
        log.check_terms(bytes(16), TERMS, OPENING)
    with pytest.raises(VerificationError, match="another region or number"):
        run(requested(1)).check_terms(GRANT, TERMS, OPENING)


@pytest.mark.parametrize(
    "terms",
    [
        b'{"approvals":true,"id":"' + GRANT.hex().encode() + b'","region":"eu"}',
        b'{"approvals":1.0,"id":"' + GRANT.hex().encode() + b'","region":"eu"}',
        b'{"approvals":2,' + TERMS.replace(b"2", b"1", 1)[1:],
        b"[" * 100_000,
        b"[]",
        b"7",
        b"\xff",
    ],
)
def test_terms_that_cannot_be_read_say_nothing(terms: bytes) -> None:
    """Whoever asks for a grant chooses the bytes that are committed to."""
    commit = commitment(OPENING, terms)
    log = run(signed(GrantRequested, REQUESTER, 1, b"d" * 32, commit=commit))
    with pytest.raises(VerificationError, match=r"cannot be read|another region or number"):
        log.check_terms(GRANT, terms, OPENING)
