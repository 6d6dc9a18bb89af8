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


class Answers(StrEnum):
    """What a grant's queries are answered with: people's rows, figures about many people, or either."""

    ROWS = "rows"
    STATISTICS = "statistics"
    BOTH = "both"


class WriteAction(StrEnum):
    DELETE = "delete"
    INSERT = "insert"
    UPDATE = "update"


@dataclass(frozen=True, slots=True)
class Write:
    """What may be changed in one table. ``columns``: which an update may set; of a delete and an insert none."""

    table: str
    action: WriteAction
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Noise:
    """Differential privacy: how much all statistics of a grant may tell about one person, and how much each does.

    ``budget`` and ``each``: epsilon, in thousandths.
    """

    budget: int
    each: int

    @property
    def statistics(self) -> int:
        """How many the budget is enough for."""
        return self.budget // self.each


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
        approvals: how many approvers of each home region must sign: before it works, of break-glass within three days.
        requested_at: Unix seconds.
        answers: people's rows, statistics, or both.
        writes: what may be changed; sorted by table and action.
        emergency: break-glass: works at once, is reviewed afterwards.
        reason: one sentence for the approvers; of break-glass never empty.
        noise: that is added to figures; None: none.
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
    answers: Answers = Answers.ROWS
    writes: tuple[Write, ...] = ()
    emergency: bool = False
    reason: str = ""
    noise: Noise | None = None

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
