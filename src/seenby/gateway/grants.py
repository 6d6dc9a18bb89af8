"""The grant service: what people sign goes into the ledger first, then it takes effect. One per gateway process.

Ending is the one exception to that order: a session is cut at once, and the ledger is told in the same breath.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from seenby.errors import UsageError
from seenby.gateway.grant_times import GrantTimes
from seenby.gateway.grant_truth import Grant
from seenby.gateway.noise import check_noise
from seenby.grants.lifecycle import (
    ENDED,
    Event,
    advance,
    check_again,
    check_signer,
    end_words,
)
from seenby.grants.policy import Allowed, Denied
from seenby.grants.review import broken_words
from seenby.grants.signing import Verb, verify_grant
from seenby.grants.terms import decode_terms, encode_terms, grant_commit
from seenby.model.grant import GrantTerms
from seenby.model.principal import Principal
from seenby_verify.tlog import entries
from seenby_verify.tlog.entries import EndReason


class GrantService(GrantTimes):
    """Requests, approvals, denials, revocations. Methods may run concurrently."""

    def draft(self, principal: str, **wish: Any) -> tuple[GrantTerms, Allowed]:
        """Completes a wish to terms: who the directory says the principal is, and how many approvals are needed.

        Looks at nobody's data, so that a draft tells nothing about people. ``wish`` has ``id``, ``purpose``,
        ``reference``, ``cells``, ``people``, ``max_people``, ``max_rows``, ``not_before`` (0: now) and ``seconds``;
        it may have ``answers``, ``noise``, ``writes``, ``reason`` and ``emergency``.
        """
        who = self.directory.current.principal(principal)
        now = int(self._clock())
        begin = wish.pop("not_before") or now
        terms = GrantTerms(
            region=self.region,
            principal=who.name,
            country=who.country,
            entity=who.entity,
            unit=who.unit,
            role=who.role,
            approvals=1,
            requested_at=now,
            not_before=begin,
            not_after=begin + wish.pop("seconds"),
            **wish,
        )
        encode_terms(terms)
        check_noise(terms)
        self.judge.check_writes(terms)
        count = self.policies.reviews_for if terms.emergency else self.policies.approvals_for
        needed = count(terms, who, self.judge.facts(terms, {}))
        if isinstance(needed, Denied):
            raise needed.error(who.name)
        return replace(terms, approvals=needed.approvals), needed

    async def request(self, data: bytes, opening: bytes, signature: bytes) -> Grant:
        """A signed request. ``data``: canonical terms; ``opening``: 32 random bytes.

        Raises PolicyDenied, NotFound (a person who is not there), UsageError, VerificationError, AuthFailed. A
        refusal by policy is in the ledger before it is raised.
        """
        terms = decode_terms(data)
        check_noise(terms)
        grant = Grant(terms, data, opening, grant_commit(opening, data))
        principal = self.directory.current.principal(terms.principal)
        verb, what = (Verb.BREAK_GLASS, "reviews") if terms.emergency else (Verb.REQUEST, "approvals")
        verify_grant(principal.public_key, signature, verb, self.region, terms.id, grant.commit)
        await self.judge.check_request(terms, principal)
        allowed = await self.judge.decide(terms, principal)
        if terms.approvals < allowed.approvals:
            raise UsageError(
                f"the policy asks for {allowed.approvals} {what}, the terms for {terms.approvals}",
                hint="sign terms with the number that the policy asks for",
            )
        async with grant.lock:
            await self.truth.add(grant, principal, signature)
            if terms.emergency:
                await self._tell("break-glass", broken_words(terms), grant)
            await self._activate_if_due(grant)
        return grant

    async def approve(self, grant_id: str, name: str, signature: bytes) -> Grant:
        """An approver's signature. After the last one the grant is activated, as soon as its time begins."""
        grant, approver = self.truth.find(grant_id), self.directory.current.principal(name)
        async with grant.lock:
            self._check_signed(grant, Event.APPROVE, Verb.APPROVE, approver, signature)
            await self._end_if_over(grant)
            advance(grant.state, Event.APPROVE)
            check_again(grant.standing, entries.key_id(approver.public_key), approver.role, Verb.APPROVE)
            refused = self.policies.decide_approval(grant.terms, approver, self.judge.facts(grant.terms, {}))
            if refused is not None:
                error = refused.error(name)
                await self.truth.record_refusal(grant.terms, approver, error, "seenby grant approve")
                raise error
            await self.truth.sign(grant, entries.GrantApproved, approver, signature, Verb.APPROVE)
            await self._activate_if_due(grant)
        return grant

    async def deny(self, grant_id: str, name: str, signature: bytes) -> Grant:
        """An approver says no to a request, for good."""
        grant, approver = self.truth.find(grant_id), self.directory.current.principal(name)
        async with grant.lock:
            self._check_signed(grant, Event.DENY, Verb.DENY, approver, signature)
            advance(grant.state, Event.DENY)
            await self.truth.sign(grant, entries.GrantDenied, approver, signature, Verb.DENY)
        return grant

    async def review(self, grant_id: str, reviewer: Principal, signature: bytes, verb: Verb, note: str) -> Grant:
        """A reviewer's verdict on break-glass, JUSTIFIED or UNJUSTIFIED. ``note``: for the protection officer."""
        grant = self.truth.find(grant_id)
        if not grant.terms.emergency:
            raise UsageError("only break-glass is reviewed", hint="`seenby grant list` says which grants are")
        async with grant.lock:
            self._check_signed(grant, Event.REVIEW, verb, reviewer, signature)
            advance(grant.state, Event.REVIEW)
            check_again(grant.standing, entries.key_id(reviewer.public_key), reviewer.role, verb)
            refused = self.policies.decide_approval(grant.terms, reviewer, self.judge.facts(grant.terms, {}))
            if refused is not None:
                error = refused.error(reviewer.name)
                await self.truth.record_refusal(grant.terms, reviewer, error, "seenby grant review")
                raise error
            await self.truth.sign(grant, entries.GrantReviewed, reviewer, signature, verb)
            text = f"{reviewer.name} signed {verb}: {note or 'no note'}"
            await self._tell("review", text, grant)
        self._begin_due()
        return grant

    async def revoke(self, grant_id: str, name: str, signature: bytes) -> Grant:
        """The requester or an approver ends it: its sessions at once, its role in the database right after."""
        grant, principal = self.truth.find(grant_id), self.directory.current.principal(name)
        self._check_signed(grant, Event.REVOKE, Verb.REVOKE, principal, signature)
        advance(grant.state, Event.REVOKE)
        self._cut(grant, f"{name} revoked it")
        async with grant.lock:
            advance(grant.state, Event.REVOKE)
            try:
                await self.truth.sign(grant, entries.GrantRevoked, principal, signature, Verb.REVOKE)
            finally:
                await self._stop(grant, f"{name} revoked it")
        return grant

    async def end(self, grant_id: str, reason: EndReason) -> None:
        """Ends a grant for a reason that nobody signs, as in: its cap is reached. Nothing if it has ended."""
        grant = self.truth.find(grant_id)
        self._cut(grant, end_words(reason))
        async with grant.lock:
            if grant.state not in ENDED:
                await self._end(grant, reason)

    def _check_signed(self, grant: Grant, event: Event, verb: Verb, by: Principal, signature: bytes) -> None:
        verify_grant(by.public_key, signature, verb, self.region, grant.terms.id, grant.commit)
        check_signer(event, grant.terms, by.region, own=by.name == grant.terms.principal)
