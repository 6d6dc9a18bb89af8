"""A grant's life: what the events of the log make of it. The log decides; no database row does.

::

    request ──> requested ──quorum──> approved ──activate──> active
       break-glass ─┼────────────────────>│                    │
                    │                     │                    │
                    ├─ deny ─> denied     ├─ revoke ─> revoked ├─ revoke ─> revoked
                    ├─ revoke ─> revoked  └─ end ────> expired └─ end ────> expired
                    └─ end ──> expired

A review of break-glass changes no state: seenby.grants.review says what it means.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from seenby.errors import GrantEnded, NoGrant, Refused, SeenbyError, UsageError, VerificationError
from seenby.grants.signing import Verb, verify_grant
from seenby.model.grant import GrantState, GrantTerms
from seenby.model.principal import Principal
from seenby_verify.tlog import entries
from seenby_verify.tlog.entries import VERBS, EndReason, KeyAdded
from seenby_verify.tlog.grantlog import REVIEW_VERBS


class Event(Enum):
    """What can happen to a grant. QUORUM follows a request or an approval after which no approval is missing."""

    REQUEST = "requested"
    APPROVE = "approved"
    QUORUM = "approved by everybody needed"
    ACTIVATE = "activated"
    DENY = "denied"
    REVOKE = "revoked"
    END = "ended"
    BREAK_GLASS = "broken open"
    REVIEW = "reviewed"


TABLE: Final[Mapping[tuple[GrantState | None, Event], GrantState]] = {
    (None, Event.REQUEST): GrantState.REQUESTED,
    (GrantState.REQUESTED, Event.APPROVE): GrantState.REQUESTED,
    (GrantState.REQUESTED, Event.QUORUM): GrantState.APPROVED,
    (GrantState.REQUESTED, Event.DENY): GrantState.DENIED,
    (GrantState.REQUESTED, Event.REVOKE): GrantState.REVOKED,
    (GrantState.REQUESTED, Event.END): GrantState.EXPIRED,
    (GrantState.APPROVED, Event.ACTIVATE): GrantState.ACTIVE,
    (GrantState.APPROVED, Event.REVOKE): GrantState.REVOKED,
    (GrantState.APPROVED, Event.END): GrantState.EXPIRED,
    (GrantState.ACTIVE, Event.REVOKE): GrantState.REVOKED,
    (GrantState.ACTIVE, Event.END): GrantState.EXPIRED,
    (None, Event.BREAK_GLASS): GrantState.APPROVED,
    (GrantState.APPROVED, Event.REVIEW): GrantState.APPROVED,
    (GrantState.ACTIVE, Event.REVIEW): GrantState.ACTIVE,
    (GrantState.REVOKED, Event.REVIEW): GrantState.REVOKED,
    (GrantState.EXPIRED, Event.REVIEW): GrantState.EXPIRED,
}
"""Everything that is not here is refused."""

OFFICER: Final = "protection-officer"

ENDED: Final = frozenset({GrantState.DENIED, GrantState.REVOKED, GrantState.EXPIRED})

EVENTS: Final[Mapping[type, Event]] = {
    entries.GrantRequested: Event.REQUEST,
    entries.GrantApproved: Event.APPROVE,
    entries.GrantActivated: Event.ACTIVATE,
    entries.GrantDenied: Event.DENY,
    entries.GrantRevoked: Event.REVOKE,
    entries.GrantEnded: Event.END,
    entries.BreakGlass: Event.BREAK_GLASS,
    entries.GrantReviewed: Event.REVIEW,
}

_REASONS: Final = {
    EndReason.WINDOW: "its time is over",
    EndReason.CAP: "its cap on people or rows is reached",
    EndReason.PRINCIPAL_CHANGED: "its principal's country, entity or role is no longer what the terms say",
    EndReason.PRINCIPAL_GONE: "its principal is no longer in the directory",
    EndReason.NOT_ENCLOSED: "the database no longer encloses it",
}


def advance(state: GrantState | None, event: Event) -> GrantState:
    """The next state. Raises UsageError for what cannot happen in this one."""
    try:
        return TABLE[state, event]
    except KeyError:
        is_now = f"it is {state}" if state else "nobody requested it"
        raise UsageError(
            f"this grant cannot be {event.value}: {is_now}", hint="see `seenby grant show ID`; ask for a new one"
        ) from None


@dataclass(frozen=True, slots=True)
class Logged:
    """An event of a grant, with the key that signed it as the log knew it at that place (None: it did not)."""

    entry: entries.GrantEvent
    key: KeyAdded | None


@dataclass(slots=True)
class History:
    """The key events and grant events of one region's log, fed in the log's order.

    Attributes:
        keys: by key id, the keys that count now.
        grants: by grant id (hex), its events.
    """

    keys: dict[bytes, KeyAdded] = field(default_factory=dict)
    grants: dict[str, list[Logged]] = field(default_factory=dict)

    def add(self, entry: entries.Entry) -> None:
        """Takes the next entry; entries about other things pass by."""
        match entry:
            case entries.KeyAdded():
                self.keys[entries.key_id(entry.key)] = entry
            case entries.KeyRetired():
                self.keys.pop(entries.key_id(entry.key), None)
            case entries.GrantActivated() | entries.GrantEnded():
                self.grants.setdefault(entry.grant.hex(), []).append(Logged(entry, None))
            case (
                entries.GrantRequested()
                | entries.GrantApproved()
                | entries.GrantDenied()
                | entries.GrantRevoked()
                | entries.GrantReviewed()
                | entries.BreakGlass()
            ):
                logged = Logged(entry, self.keys.get(entry.key_id))
                self.grants.setdefault(entry.grant.hex(), []).append(logged)


@dataclass(frozen=True, slots=True)
class Approval:
    """One approver's signature that holds."""

    key_id: bytes
    region: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class Review(Approval):
    """One reviewer's verdict on break-glass. ``role``: as the log had it when they signed."""

    role: str
    justified: bool

    @property
    def verb(self) -> Verb:
        return Verb.JUSTIFIED if self.justified else Verb.UNJUSTIFIED


@dataclass(frozen=True, slots=True)
class Standing:
    """What the log says about one grant.

    Attributes:
        state: None when there is no request that holds.
        requester: key id of whoever requested it, b"" without a request that holds.
        approvals: the ones that hold, in the log's order.
        ended_because: in words, "" while it has not ended.
        problems: events that do not hold, and why; each is worth a look by the protection officer.
        reviews: of break-glass, the ones that hold, in the log's order.
    """

    state: GrantState | None = None
    requester: bytes = b""
    approvals: tuple[Approval, ...] = ()
    ended_because: str = ""
    problems: tuple[str, ...] = ()
    reviews: tuple[Review, ...] = ()


def missing_approvals(terms: GrantTerms, approvals: Iterable[Approval]) -> dict[str, int]:
    """Home region -> how many more approvers of that region must sign. Empty: nobody. One key counts once."""
    signed = {(approval.region, approval.key_id) for approval in approvals}
    missing = {
        region: terms.approvals - sum(guarded == region for guarded, _ in signed) for region in terms.home_regions
    }
    return {region: number for region, number in missing.items() if number > 0}


def check_signer(event: Event, terms: GrantTerms, region: str, *, own: bool) -> None:
    """May somebody who guards ``region`` ("": nobody's) sign this event? ``own``: it is their own request.

    Raises Refused. No policy file can soften this.
    """
    guards = region in terms.home_regions
    home = " or ".join(terms.home_regions)
    if event is Event.APPROVE and own:
        raise Refused("nobody approves their own request", hint=f"ask approvers of {home}")
    if event is Event.APPROVE and not guards:
        raise Refused(f"only an approver of {home} can approve this", hint=f"ask approvers of {home}")
    if event is Event.REVIEW and (own or not guards):
        raise Refused(f"break-glass is reviewed by approvers of {home}, never by its user", hint="ask two of them")
    if event is Event.DENY and (own or not guards):
        raise Refused(f"only an approver of {home} can deny this", hint="your own request you can revoke")
    if event is Event.REVOKE and not (own or guards):
        raise Refused(f"only its requester and the approvers of {home} can revoke this", hint="tell one of them")


def replay(region: str, terms: GrantTerms, commit: bytes, events: Iterable[Logged]) -> Standing:
    """The standing of a grant whose terms match ``commit``, from its events in the log's order.

    An event that does not hold (a signature that does not match, an approver of another region, an approval twice)
    changes nothing and is reported. One that ends the grant counts even if its signature does not hold: ending is
    the safe side.
    """
    standing = Standing()
    for logged in events:
        try:
            standing = _step(standing, region, terms, commit, logged)
        except (UsageError, Refused, VerificationError) as error:
            problem = f"{type(logged.entry).__name__}: {error.message}"
            ending = EVENTS.get(type(logged.entry)) in {Event.DENY, Event.REVOKE}
            known = standing.state is not None and standing.state not in ENDED
            standing = replace(standing, problems=(*standing.problems, problem))
            if ending and known:
                standing = replace(standing, state=GrantState.REVOKED, ended_because=problem)
    return standing


def _step(before: Standing, region: str, terms: GrantTerms, commit: bytes, logged: Logged) -> Standing:
    entry = logged.entry
    event = EVENTS[type(entry)]
    state = advance(before.state, event)
    if entry.grant_commit != commit or entry.grant.hex() != terms.id:
        raise VerificationError("it is about other terms than the ones requested")
    after = replace(before, state=state)
    if isinstance(entry, entries.GrantEnded):
        return replace(after, ended_because=_REASONS[EndReason(entry.reason)])
    if isinstance(entry, entries.GrantActivated):
        return after
    if logged.key is None:
        raise VerificationError("the log knows no key with this id at this place")
    key, opening = logged.key, isinstance(entry, entries.GrantRequested | entries.BreakGlass)
    own = opening or entry.key_id == before.requester
    check_signer(event, terms, key.region, own=own)
    verb = signed_verb(key.key, entry, region)
    if isinstance(entry, entries.GrantRequested | entries.BreakGlass):
        if entry.approvals != terms.approvals:
            raise VerificationError("it asks for another number of approvals than the terms")
        if isinstance(entry, entries.BreakGlass) != terms.emergency:
            raise VerificationError("break-glass and its terms do not say the same")
        after = replace(after, requester=entry.key_id)
    elif event in {Event.APPROVE, Event.REVIEW}:
        check_again(before, entry.key_id, key.role, verb)
        signed = (entry.key_id, key.region, entry.signature)
        if event is Event.APPROVE:
            after = replace(after, approvals=(*before.approvals, Approval(*signed)))
        elif not terms.emergency:
            raise UsageError("only break-glass is reviewed")
        else:
            after = replace(after, reviews=(*before.reviews, Review(*signed, key.role, verb is Verb.JUSTIFIED)))
    else:
        because = "the requester took it back" if own else f"an approver of {key.region} {event.value} it"
        after = replace(after, ended_because=because)
    if state is GrantState.REQUESTED and not missing_approvals(terms, after.approvals):
        after = replace(after, state=advance(state, Event.QUORUM))
    return after


def check_again(standing: Standing, key_id: bytes, role: str, verb: Verb) -> None:
    """Raises UsageError for a second signature of one approver.

    A protection officer may find justified what they found unjustified before, and so lift the lock. Never the other
    way round: whoever recorded their first signature could send it again.
    """
    signed = [one for one in (*standing.approvals, *standing.reviews) if one.key_id == key_id]
    if not signed:
        return
    last = signed[-1]
    if role == OFFICER and verb is Verb.JUSTIFIED and isinstance(last, Review) and not last.justified:
        return
    done = "reviewed" if isinstance(last, Review) else "approved"
    raise UsageError(f"you have {done} this already", hint="another approver of the region must sign")


def signed_verb(key: bytes, entry: entries.SignedGrantEvent, region: str) -> Verb:
    """What the signature of an event says; of a review that is the verdict. Raises VerificationError."""
    verbs = list(map(Verb, REVIEW_VERBS)) if isinstance(entry, entries.GrantReviewed) else [Verb(VERBS[type(entry)])]
    for verb in verbs[:-1]:
        with contextlib.suppress(VerificationError):
            verify_grant(key, entry.signature, verb, region, entry.grant.hex(), entry.grant_commit)
            return verb
    verify_grant(key, entry.signature, verbs[-1], region, entry.grant.hex(), entry.grant_commit)
    return verbs[-1]


def why_over(terms: GrantTerms, principal: Principal | None, now: float) -> EndReason | None:
    """Why the grant is over at Unix time ``now``, for its principal as the directory knows them now (None: gone)."""
    if now >= terms.not_after:
        return EndReason.WINDOW
    if principal is None:
        return EndReason.PRINCIPAL_GONE
    if (principal.country, principal.entity, principal.role) != (terms.country, terms.entity, terms.role):
        return EndReason.PRINCIPAL_CHANGED
    return None


def ended_error(terms: GrantTerms, because: str) -> GrantEnded:
    """What a session whose grant ended is told."""
    return GrantEnded(f"grant {terms.id[:8]} ended: {because}", hint="ask for a new one: `seenby grant request`")


def end_words(reason: EndReason) -> str:
    """Why a grant ended, in words."""
    return _REASONS[reason]


def validity(terms: GrantTerms, principal: Principal | None, now: float) -> SeenbyError | None:
    """None while the grant may be used: inside [not_before, not_after), by its principal, who has not moved."""
    reason = why_over(terms, principal, now)
    if reason is not None:
        return ended_error(terms, _REASONS[reason])
    if now < terms.not_before:
        return NoGrant(f"grant {terms.id[:8]} has not begun yet", hint="wait until its time begins")
    return None
