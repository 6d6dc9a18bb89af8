"""Break-glass: works at once, is reviewed afterwards, and locks whoever broke it while the review is owed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seenby.grants.lifecycle import History, Standing, replay
from seenby.grants.review import REVIEW_SECONDS, lock_of, missing_reviews, review_due
from seenby.grants.signing import Verb
from seenby.model.grant import GrantState, GrantTerms
from seenby.model.principal import Principal
from seenby_verify.tlog import entries
from tests.fixtures.grants import ADA, BEN, DORA, NOW, SAM, UNA, commit_of, emergency, key_added, signed, wish

TERMS = emergency()
GOOD, BAD = Verb.JUSTIFIED, Verb.UNJUSTIFIED


def glass(terms: GrantTerms = TERMS, verb: Verb = Verb.BREAK_GLASS) -> entries.BreakGlass:
    key, signature = entries.key_id(SAM.public_key), signed(SAM, verb, terms)
    return entries.BreakGlass(
        202611, bytes.fromhex(terms.id), commit_of(terms), key, signature, terms.approvals, bytes(32)
    )


def review(by: Principal, verb: Verb, terms: GrantTerms = TERMS) -> entries.GrantReviewed:
    key = entries.key_id(by.public_key)
    return entries.GrantReviewed(202611, bytes.fromhex(terms.id), commit_of(terms), key, signed(by, verb, terms))


ACTIVATED = entries.GrantActivated(202611, bytes.fromhex(TERMS.id), commit_of(TERMS))
ENDED = entries.GrantEnded(202611, bytes.fromhex(TERMS.id), commit_of(TERMS), entries.EndReason.WINDOW)


def standing(*log: entries.Entry, terms: GrantTerms = TERMS) -> Standing:
    history = History()
    for entry in [*(key_added(who) for who in (SAM, ADA, BEN, UNA, DORA)), *log]:
        history.add(entry)
    return replay("eu", terms, commit_of(terms), history.grants.get(terms.id, []))


def locked(*log: entries.Entry, days: float = 0) -> str:
    """Why sam is locked so long after the glass was broken."""
    found = lock_of("sam", [(TERMS, standing(glass(), *log))], NOW + days * 86_400)
    return found.message if found else ""


def test_it_works_without_approvals_and_ends_as_every_grant() -> None:
    assert standing(glass()).state is GrantState.APPROVED
    assert standing(glass(), ACTIVATED).state is GrantState.ACTIVE
    over = standing(glass(), ACTIVATED, ENDED, review(ADA, GOOD), review(BEN, BAD))
    assert (over.state, over.problems) == (GrantState.EXPIRED, ())
    assert [(one.role, one.justified) for one in over.reviews] == [("approver", True), ("approver", False)]


def test_a_request_is_no_break_glass_and_the_other_way_round() -> None:
    assert standing(glass(verb=Verb.REQUEST), ACTIVATED).state is None
    terms = wish()
    assert standing(glass(terms), terms=terms).state is None, "terms that need approvers are not broken open"
    event = glass()
    asked = entries.GrantRequested(
        event.epoch, event.grant, event.grant_commit, event.key_id, signed(SAM, Verb.REQUEST, TERMS), 2, bytes(32)
    )
    assert standing(asked, ACTIVATED).state is None
    assert standing(replace(glass(), approvals=1)).state is None


def test_only_other_peoples_approvers_of_the_region_review_it_each_once() -> None:
    for bad in (review(SAM, GOOD), review(UNA, GOOD), replace(review(ADA, GOOD), signature=bytes(64))):
        found = standing(glass(), bad)
        assert (found.reviews, len(found.problems), found.state) == ((), 1, GrantState.APPROVED)
    twice = standing(glass(), review(ADA, GOOD), review(ADA, GOOD))
    assert (len(twice.reviews), len(twice.problems)) == (1, 1)
    one = review(ADA, GOOD)
    approved = entries.GrantApproved(
        one.epoch, one.grant, one.grant_commit, one.key_id, signed(ADA, Verb.APPROVE, TERMS)
    )
    assert not standing(glass(), approved).approvals


def test_other_grants_are_not_reviewed() -> None:
    terms = wish(approvals=0)
    asked = entries.GrantRequested(
        202611, bytes.fromhex(terms.id), commit_of(terms), entries.key_id(SAM.public_key),
        signed(SAM, Verb.REQUEST, terms), 0, bytes(32),
    )  # fmt: skip
    found = standing(asked, review(ADA, BAD, terms), terms=terms)
    assert (found.state, found.reviews) == (GrantState.APPROVED, ())
    assert "only break-glass is reviewed" in found.problems[0]


def test_two_reviews_within_three_days() -> None:
    assert (REVIEW_SECONDS, review_due(TERMS)) == (259_200, NOW + 259_200)
    assert missing_reviews(TERMS, standing(glass())) == {"eu": 2}
    assert missing_reviews(TERMS, standing(glass(), review(ADA, GOOD))) == {"eu": 1}
    assert locked(days=2.99) == ""
    assert locked(review(ADA, GOOD), days=3) == (
        "sam is locked: break-glass 6f6f6f6f should have been reviewed by 2026-11-24 23:30:00 UTC"
    )
    assert locked(review(ADA, GOOD), review(BEN, GOOD), days=1000) == ""
    assert lock_of("li", [(TERMS, standing(glass()))], NOW + 9 * 86_400) is None


def test_one_who_finds_it_unjustified_is_enough_and_a_protection_officer_has_the_last_word() -> None:
    assert "found break-glass 6f6f6f6f unjustified" in locked(review(ADA, BAD))
    assert locked(review(ADA, GOOD), review(BEN, BAD), days=1000)
    assert locked(review(ADA, BAD), review(BEN, GOOD)), "another approver lifts nothing"
    assert locked(review(DORA, GOOD), review(ADA, BAD)), "what the officer signed before says nothing about it"
    assert locked(review(ADA, BAD), review(DORA, GOOD)) == ""
    assert locked(review(DORA, BAD), review(DORA, GOOD)) == ""
    assert locked(review(DORA, BAD), review(DORA, GOOD), review(DORA, BAD)) == "", "an old signature is no new one"


def test_a_reviewers_key_counts_as_the_log_had_it_then() -> None:
    retired = entries.KeyRetired(202611, ADA.role, ADA.region, ADA.public_key)
    assert locked(retired, review(ADA, BAD)) == ""
    assert locked(review(ADA, BAD), retired)


@pytest.mark.parametrize("verb", [GOOD, BAD])
def test_a_verdict_cannot_be_turned_round(verb: Verb) -> None:
    [found] = standing(glass(), review(ADA, verb)).reviews
    assert found.verb is verb
