"""A grant's life follows from the log's events and from signatures that hold; nothing else moves it."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from seenby.errors import GrantEnded, NoGrant, SeenbyError, UsageError
from seenby.grants.lifecycle import ENDED, TABLE, Event, History, Standing, advance, replay, validity
from seenby.grants.signing import Verb
from seenby.model.grant import Cell, GrantState, GrantTerms
from seenby.model.principal import Principal
from seenby_verify.tlog import entries
from tests.fixtures.grants import ADA, BEN, DORA, NOW, SAM, UNA, commit_of, key_added, signed, staff, wish

TERMS = wish()
KEYS = [key_added(who) for who in (SAM, ADA, BEN, UNA, DORA)]


def requested(terms: GrantTerms = TERMS, by: Principal = SAM) -> entries.GrantRequested:
    return entries.GrantRequested(
        202611,
        bytes.fromhex(terms.id),
        commit_of(terms),
        entries.key_id(by.public_key),
        signed(by, Verb.REQUEST, terms),
        terms.approvals,
        bytes(32),
    )


SIGNED: dict[Verb, type[entries.GrantApproved] | type[entries.GrantDenied] | type[entries.GrantRevoked]] = {
    Verb.APPROVE: entries.GrantApproved,
    Verb.DENY: entries.GrantDenied,
    Verb.REVOKE: entries.GrantRevoked,
}


def decided(verb: Verb, by: Principal, terms: GrantTerms = TERMS, signature: bytes | None = None) -> entries.Entry:
    return SIGNED[verb](
        202611,
        bytes.fromhex(terms.id),
        commit_of(terms),
        entries.key_id(by.public_key),
        signature if signature is not None else signed(by, verb, terms),
    )


def activated(terms: GrantTerms = TERMS) -> entries.GrantActivated:
    return entries.GrantActivated(202611, bytes.fromhex(terms.id), commit_of(terms))


def ended(reason: entries.EndReason, terms: GrantTerms = TERMS) -> entries.Entry:
    return entries.GrantEnded(202611, bytes.fromhex(terms.id), commit_of(terms), reason)


def standing(*log: entries.Entry, terms: GrantTerms = TERMS, keys: list[entries.KeyAdded] | None = None) -> Standing:
    history = History()
    for entry in [*(KEYS if keys is None else keys), *log]:
        history.add(entry)
    return replay("eu", terms, commit_of(terms), history.grants.get(terms.id, []))


def test_the_whole_life() -> None:
    log: list[entries.Entry] = [requested()]
    assert standing(*log).state is GrantState.REQUESTED
    log.append(decided(Verb.APPROVE, ADA))
    assert standing(*log).state is GrantState.REQUESTED
    log.append(decided(Verb.APPROVE, BEN))
    assert standing(*log).state is GrantState.APPROVED
    log.append(activated())
    assert standing(*log).state is GrantState.ACTIVE
    log.append(ended(entries.EndReason.WINDOW))
    over = standing(*log)
    assert (over.state, over.ended_because, over.problems) == (GrantState.EXPIRED, "its time is over", ())


def test_a_grant_that_needs_nobody_is_approved_at_once() -> None:
    terms = replace(TERMS, approvals=0)
    assert standing(requested(terms), terms=terms).state is GrantState.APPROVED


@pytest.mark.parametrize("verb", [Verb.DENY, Verb.REVOKE])
def test_an_approver_ends_a_request(verb: Verb) -> None:
    over = standing(requested(), decided(verb, ADA))
    assert over.state is {Verb.DENY: GrantState.DENIED, Verb.REVOKE: GrantState.REVOKED}[verb]
    assert not over.problems
    assert "an approver of eu" in over.ended_because


def test_every_pair_outside_the_table_is_refused() -> None:
    for state, event in product([None, *GrantState], Event):
        if (state, event) not in TABLE:
            with pytest.raises(UsageError):
                advance(state, event)
    after = {(state, event) for state, event in TABLE if state in ENDED}
    assert {event for _, event in after} == {Event.REVIEW}, "after the end there are only reviews"
    assert all(TABLE[state, event] is state for state, event in after)


def test_nothing_without_a_request_that_holds() -> None:
    assert standing(decided(Verb.APPROVE, ADA), activated()).state is None
    forged = replace(requested(), signature=bytes(64))
    assert standing(forged, decided(Verb.APPROVE, ADA), decided(Verb.APPROVE, BEN), activated()).state is None
    other_number = replace(requested(), approvals=0)
    assert standing(other_number, activated()).state is None


def test_a_forged_approval_counts_for_nothing() -> None:
    for bad in (
        decided(Verb.APPROVE, BEN, signature=bytes(64)),
        decided(Verb.APPROVE, BEN, signature=signed(ADA, Verb.APPROVE, TERMS)),
        decided(Verb.APPROVE, BEN, signature=signed(BEN, Verb.REVOKE, TERMS)),
        decided(Verb.APPROVE, BEN, signature=signed(BEN, Verb.APPROVE, replace(TERMS, max_rows=1))),
        decided(Verb.APPROVE, BEN, signature=signed(BEN, Verb.APPROVE, replace(TERMS, id="00" * 16))),
        decided(Verb.APPROVE, ADA),
        decided(Verb.APPROVE, UNA),
        decided(Verb.APPROVE, SAM),
        decided(Verb.APPROVE, staff("stranger", "IE", "x", "approver", "eu")),
    ):
        found = standing(requested(), decided(Verb.APPROVE, ADA), bad, activated())
        assert found.state is GrantState.REQUESTED
        assert len(found.approvals) == 1
        assert len(found.problems) == 2, "the approval, and the activation that came too early"


def test_approvals_of_other_terms_cannot_be_moved_here() -> None:
    wider = replace(TERMS, people=None)
    moved = [replace(requested(wider), signature=signed(SAM, Verb.REQUEST, TERMS))]
    log = [*moved, decided(Verb.APPROVE, ADA), decided(Verb.APPROVE, BEN), activated()]
    assert standing(*log, terms=wider).state is None


def test_an_event_about_another_commitment_is_not_about_this_grant() -> None:
    approved = [requested(), decided(Verb.APPROVE, ADA), decided(Verb.APPROVE, BEN)]
    found = standing(*approved, replace(activated(), grant_commit=bytes(32)))
    assert found.state is GrantState.APPROVED
    assert "other terms" in found.problems[0]


def test_a_key_counts_only_while_the_log_says_so() -> None:
    retired = entries.KeyRetired(202611, BEN.role, BEN.region, BEN.public_key)
    log = [requested(), decided(Verb.APPROVE, ADA), retired, decided(Verb.APPROVE, BEN)]
    assert standing(*log).state is GrantState.REQUESTED
    log = [requested(), decided(Verb.APPROVE, ADA), decided(Verb.APPROVE, BEN), retired, activated()]
    assert standing(*log).state is GrantState.ACTIVE


def test_an_approver_who_asks_needs_two_others() -> None:
    terms = wish(ADA)
    own = standing(
        requested(terms, ADA), decided(Verb.APPROVE, ADA, terms), decided(Verb.APPROVE, BEN, terms), terms=terms
    )
    assert own.state is GrantState.REQUESTED
    assert "nobody approves their own request" in own.problems[0]


def test_people_of_two_regions_need_approvers_of_both() -> None:
    terms = wish(cells=(Cell("contact", ("eu", "us")),))
    both = [decided(Verb.APPROVE, ADA, terms), decided(Verb.APPROVE, BEN, terms)]
    assert standing(requested(terms), *both, terms=terms).state is GrantState.REQUESTED
    uma = staff("uma", "US", "Orbit Inc.", "approver", "us")
    both += [decided(Verb.APPROVE, UNA, terms), decided(Verb.APPROVE, uma, terms)]
    assert standing(requested(terms), *both, terms=terms, keys=[*KEYS, key_added(uma)]).state is GrantState.APPROVED


def test_who_may_end_it() -> None:
    active = [requested(), decided(Verb.APPROVE, ADA), decided(Verb.APPROVE, BEN), activated()]
    for by in (SAM, ADA, DORA):
        assert standing(*active, decided(Verb.REVOKE, by)).state is GrantState.REVOKED
    assert not standing(*active, decided(Verb.REVOKE, SAM)).problems


def test_a_revocation_that_does_not_hold_ends_the_grant_all_the_same_and_is_reported() -> None:
    active = [requested(), decided(Verb.APPROVE, ADA), decided(Verb.APPROVE, BEN), activated()]
    over = standing(*active, decided(Verb.REVOKE, ADA, signature=bytes(64)))
    assert over.state is GrantState.REVOKED
    assert len(over.problems) == 1


@pytest.mark.parametrize(
    ("principal", "now", "error"),
    [
        (SAM, NOW - 1, NoGrant),
        (SAM, NOW, None),
        (SAM, NOW + 1799.9, None),
        (SAM, NOW + 1800, GrantEnded),
        (replace(SAM, country="CN"), NOW, GrantEnded),
        (replace(SAM, country=""), NOW, GrantEnded),
        (replace(SAM, entity="Orbit Beijing Co."), NOW, GrantEnded),
        (replace(SAM, role="operator"), NOW, GrantEnded),
        (replace(SAM, unit="Another Team"), NOW, None),
        (None, NOW, GrantEnded),
    ],
)
def test_valid_only_inside_the_window_and_for_the_principal_as_asked(
    principal: Principal | None, now: float, error: type[SeenbyError] | None
) -> None:
    found = validity(TERMS, principal, now)
    assert type(found) is (error or type(None))
