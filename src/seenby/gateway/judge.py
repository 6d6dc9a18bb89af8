"""What policy, directory and log say about a request: today, and again before it is activated."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from seenby.errors import NotFound, SeenbyError, Unavailable, UsageError
from seenby.gateway.active import PeopleFacts
from seenby.gateway.grant_truth import Grant, Truth
from seenby.grants.facts import Facts, PersonFact
from seenby.grants.lifecycle import missing_approvals
from seenby.grants.policy import Allowed, Denied, Policies
from seenby.grants.review import Lock, command, lock_of
from seenby.grants.words import what
from seenby.model.grant import GrantState, GrantTerms
from seenby.model.people import Person
from seenby.model.principal import Principal
from seenby.stores.directory import DirectoryFile

SKEW_SECONDS = 300
"""How far ``requested_at`` may be from the gateway's clock, and ``not_before`` in the past."""


class Judge:
    """Asks, and records refusals. Gives nothing to anybody.

    Args:
        clock: Unix seconds.
    """

    def __init__(
        self,
        truth: Truth,
        directory: DirectoryFile,
        policies: Policies,
        people: PeopleFacts,
        clock: Callable[[], float],
    ) -> None:
        self._truth = truth
        self._directory = directory
        self._policies = policies
        self._people = people
        self._clock = clock

    def lock_of(self, principal: str) -> Lock | None:
        """Why ``principal`` gets nothing for now: break-glass of theirs is not reviewed, or was not justified."""
        broken = ((grant.terms, grant.standing) for grant in self._truth.broken)
        return lock_of(principal, broken, self._clock())

    def facts(self, terms: GrantTerms, people: Mapping[Person, PersonFact]) -> Facts:
        """What a decision goes by; ``people``: those who were looked up."""
        current = self._directory.current
        columns = [cell.what for cell in terms.cells if "." in cell.what]
        return Facts(current.regions, frozenset(current.purposes), people, self._people.classes_of(columns))

    def check_writes(self, terms: GrantTerms) -> None:
        """Is what it would change writable at all? Nobody should approve what cannot be. Raises UsageError."""
        self._people.check_writes(terms)

    async def check_request(self, terms: GrantTerms, principal: Principal) -> None:
        """Does the request fit this gateway, this moment and this principal? Raises UsageError, Refused."""
        now = self._clock()
        if terms.id in self._truth.history.grants:
            raise UsageError(f"grant {terms.id[:8]} was requested before", hint="make a new request")
        if terms.region != self._truth.region:
            raise UsageError(f"this is the gateway of {self._truth.region}", hint=f"ask the gateway of {terms.region}")
        said = (terms.country, terms.entity, terms.unit, terms.role)
        if said != (principal.country, principal.entity, principal.unit, principal.role):
            raise UsageError("the terms say something else about you than the directory", hint="make a new request")
        self.check_writes(terms)
        if abs(terms.requested_at - now) > SKEW_SECONDS or terms.not_before < now - SKEW_SECONDS:
            raise UsageError("the request is too old, or its window begins in the past", hint="make a new request")
        if now >= terms.not_after:
            raise UsageError("the window of this request is over already", hint="ask for a later one")
        if (lock := self.lock_of(principal.name)) is not None:
            error = lock.refused()
            await self._truth.record_refusal(terms, principal, error, command(terms))
            raise error

    async def decide(self, terms: GrantTerms, principal: Principal) -> Allowed:
        """May they ask? A refusal is in the ledger before it is raised. Raises PolicyDenied, NotFound, Unavailable."""
        facts = self.facts(terms, await self._people.lookup(terms.people or ()))
        try:
            verdict = self._verdict(terms, principal, facts)
        except NotFound as error:
            await self._truth.record_refusal(terms, principal, error, command(terms))
            raise
        if isinstance(verdict, Allowed):
            return verdict
        denial = verdict.error(principal.name)
        await self._truth.record_refusal(terms, principal, denial, command(terms))
        if protected := facts.protected_among(terms.people):
            await self._truth.notify(
                "protected person",
                f"{principal.name} asked for {what(terms)}, by name {', '.join(map(str, protected))}, for "
                f"{terms.purpose}, {terms.reference or 'no reference'}; refused by rule {verdict.rules[0].id}",
                terms.id,
                principal.name,
            )
        raise denial

    def _verdict(self, terms: GrantTerms, principal: Principal, facts: Facts) -> Allowed | Denied:
        decide = self._policies.decide_break_glass if terms.emergency else self._policies.decide_request
        return decide(terms, principal, facts)

    async def still_agreed(self, grant: Grant, terms: GrantTerms) -> list[Principal]:
        """The approvers; ``grant.blocked`` says why, if today's policy and directory no longer carry the grant.

        ``terms``: the grant's, without what the data map no longer has.
        """
        current = self._directory.current
        # The directory has one key of each person, so two keys of one person are never two approvers.
        signed = [(approval, current.by_key(approval.key_id)) for approval in grant.standing.approvals]
        counted = [approval for approval, who in signed if who is not None and who.name != terms.principal]
        approvers = [who for _, who in signed if who is not None]
        # Once active, an approver's leaving changes nothing: the signature held when it was needed.
        first = grant.state is GrantState.APPROVED and not terms.emergency
        if first and (missing := missing_approvals(terms, counted)):
            needed = ", ".join(f"{number} of {region}" for region, number in missing.items())
            grant.blocked = f"an approver left before it began (missing: {needed}); it must be asked for again"
            return []
        try:
            facts = self.facts(terms, await self._people.lookup(terms.people or ()))
            verdict = self._verdict(terms, current.principal(terms.principal), facts)
        except Unavailable:
            raise
        except SeenbyError as error:
            grant.blocked = f"it cannot be decided any more: {error.message}"
            return []
        if isinstance(verdict, Denied):
            grant.blocked = f"today's policy refuses it, by rule {verdict.rules[0].id}"
        elif verdict.approvals > terms.approvals:
            grant.blocked = f"today's policy asks for {verdict.approvals} approvals, the terms for {terms.approvals}"
        return approvers
