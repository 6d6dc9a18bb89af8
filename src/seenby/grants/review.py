"""Break-glass afterwards: who still has to review it, until when, and whom it locks.

Whoever broke the glass is locked while the reviews are overdue, and after one that found it unjustified. All of it
follows from the log (docs/adr/0002), so that neither a restart nor the control database changes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from seenby.errors import GrantEnded, Refused
from seenby.grants.lifecycle import OFFICER, Standing, missing_approvals
from seenby.grants.words import approvals, clock, duration, what, whom
from seenby.model.grant import GrantTerms

REVIEW_SECONDS = 3 * 86_400
"""How long after the glass was broken the reviews may take."""


def missing_reviews(terms: GrantTerms, standing: Standing) -> dict[str, int]:
    """Home region -> how many more approvers of that region must review it. Empty: it is reviewed, or needs none."""
    return missing_approvals(terms, standing.reviews) if terms.emergency else {}


def review_due(terms: GrantTerms) -> int:
    """Unix seconds until when break-glass must be reviewed."""
    return terms.not_before + REVIEW_SECONDS


def unjustified(standing: Standing) -> bool:
    """A reviewer found it unjustified, and no protection officer said afterwards that it was justified."""
    found = False
    for review in standing.reviews:
        if not review.justified:
            found = True
        elif review.role == OFFICER:
            found = False
    return found


@dataclass(frozen=True, slots=True)
class Lock:
    """Why somebody gets nothing, and what helps."""

    message: str
    hint: str

    def refused(self) -> Refused:
        """What a request is told."""
        return Refused(self.message, hint=self.hint)

    def ended(self) -> GrantEnded:
        """What a session is told that ends, or does not begin."""
        return GrantEnded(self.message, hint=self.hint)


def lock_of(principal: str, grants: Iterable[tuple[GrantTerms, Standing]], now: float) -> Lock | None:
    """Why ``principal`` gets nothing at Unix time ``now``, or None. ``grants``: anybody's, of the region's log."""
    for terms, standing in grants:
        if not terms.emergency or terms.principal != principal:
            continue
        which = f"break-glass {terms.id[:8]}"
        if unjustified(standing):
            return Lock(
                f"{principal} is locked: a reviewer found {which} unjustified",
                "talk to the protection officer, whose review can lift the lock",
            )
        missing = missing_reviews(terms, standing)
        if missing and now >= review_due(terms):
            needed = ", ".join(f"{number} of {region}" for region, number in missing.items())
            return Lock(
                f"{principal} is locked: {which} should have been reviewed by {clock(review_due(terms))}",
                f"ask for the reviews that are missing ({needed}): seenby grant review {terms.id}",
            )
    return None


def broken_words(terms: GrantTerms) -> str:
    """What the protection officer and the gateway's own log are told at once."""
    return (
        f"{terms.principal} broke the glass: {what(terms)}, {whom(terms)}, for "
        f"{duration(terms.not_after - terms.not_before)}: {terms.reason}; to be reviewed by {clock(review_due(terms))}"
    )


def broken_notice(terms: GrantTerms) -> str:
    """What every session under it is told when it begins."""
    return (
        f"this is break-glass: everybody you look at is told that it was an emergency, and {approvals(terms)} review "
        f"it until {clock(review_due(terms))}"
    )


def command(terms: GrantTerms) -> str:
    """What somebody typed, as a record of a refused attempt says it."""
    return "seenby grant break-glass" if terms.emergency else "seenby grant request"
