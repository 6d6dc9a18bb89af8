"""A grant: who may see what of whom, for which purpose, until when."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from seenby.model.people import Person


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the decision matrix: a data class or one column, for people of these home regions.

    ``what`` is a data class (``contact``) or a column (``accounts.phone``).
    """

    what: str
    regions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GrantTerms:
    """Everything that the requester asks for and the approvers sign. Never changes after the request.

    Attributes:
        id: 32 lower-case hex digits, random.
        region: the region whose gateway and ledger this grant lives in.
        principal: who will see the data; country, entity, unit and role are as of the request.
        purpose: one word from the organisation's list, as in ``support``.
        reference: the ticket, case or report.
        cells: what is revealed, for whose home regions. ``public`` columns of rows in scope are always revealed.
        people: the people in scope, or None: everybody whose home region a cell names.
        not_before, not_after: Unix seconds; the grant works in [not_before, not_after).
        max_people, max_rows: caps over the grant's whole life.
        approvals: how many approvers must sign.
        requested_at: Unix seconds.
    """

    id: str
    region: str
    principal: str
    country: str
    entity: str
    unit: str
    role: str
    purpose: str
    reference: str
    cells: tuple[Cell, ...]
    people: tuple[Person, ...] | None
    not_before: int
    not_after: int
    max_people: int
    max_rows: int
    approvals: int
    requested_at: int

    @property
    def home_regions(self) -> tuple[str, ...]:
        """Every home region that some cell names, sorted."""
        return tuple(sorted({region for cell in self.cells for region in cell.regions}))


class GrantState(StrEnum):
    REQUESTED = "requested"
    APPROVED = "approved"
    ACTIVE = "active"
    DENIED = "denied"
    REVOKED = "revoked"
    EXPIRED = "expired"
