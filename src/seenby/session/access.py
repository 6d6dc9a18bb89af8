"""What a session may use: one active grant, how much of it is used up, and whether it has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from seenby.attribute.cohorts import Memory
from seenby.attribute.noise import Draw
from seenby.errors import Internal, LimitReached, SeenbyError
from seenby.model.grant import GrantTerms, Noise
from seenby.model.plan import Plan
from seenby.model.shape import Catalog, Shape
from seenby.model.statistic import ROWS, Answering
from seenby.session.record import RecordFacts

CACHED_TEXTS = 2000
MAX_BREACHES = 10
"""So often may results go beyond a cap of one grant: each tells that there is more than the cap, and ten such
answers are no binary search."""


class Usage:
    """How many rows and people a grant has shown over its whole life, against its caps.

    People shown before this process started are known by pseudonym only (the ledger's private journal).

    Attributes:
        rows: shown so far.
        statistics: answered so far.
        breaches: how many results would have gone beyond a cap; beyond MAX_BREACHES the gateway ends the grant.
    """

    __slots__ = ("_before", "_names", "_pseudonym", "breaches", "rows", "statistics")

    def __init__(self, rows: int, before: set[bytes], pseudonym: Callable[[str], bytes], statistics: int = 0) -> None:
        self.rows = rows
        self.statistics = statistics
        self.breaches = 0
        self._before = before
        self._names: set[str] = set()
        self._pseudonym = pseudonym

    @property
    def people(self) -> int:
        """People shown so far. A person shown before and after a restart counts once."""
        return len(self._before) + len(self._names)

    def charge(self, terms: GrantTerms, people: Iterable[str], rows: int) -> None:
        """Counts a result part before it is recorded. Raises LimitReached, and counts nothing, beyond a cap."""
        fresh = set(people) - self._names
        if self._before and fresh:
            fresh = {person for person in fresh if self._pseudonym(person) not in self._before}
        if len(self._before) + len(self._names) + len(fresh) > terms.max_people:
            self.breaches += 1
            raise LimitReached(
                f"this result would show more people than the {terms.max_people} that the grant allows",
                hint="narrow the query, or ask for a grant with a larger --max-people",
                detail=f"grant {terms.id}: {self.people} people shown so far",
            )
        if self.rows + rows > terms.max_rows:
            self.breaches += 1
            raise LimitReached(
                f"this result would show more rows than the {terms.max_rows} that the grant allows",
                hint="narrow the query, or ask for a grant with a larger --max-rows",
                detail=f"grant {terms.id}: {self.rows} rows shown so far",
            )
        self._names |= fresh
        self.rows += rows

    def spend(self, noise: Noise) -> None:
        """Counts one statistic more. Raises LimitReached, and counts nothing, when the budget of noise is spent."""
        if self.statistics >= noise.statistics:
            raise LimitReached(
                f"the budget of this grant is spent: epsilon {noise.budget / 1000:g}, of which each statistic costs "
                f"{noise.each / 1000:g}",
                hint="use the figures that you have, or ask for another grant",
            )
        self.statistics += 1


def no_noise(_: float) -> Draw:
    raise Internal("a statistic with noise under a grant without")


@dataclass(slots=True, eq=False)
class Access:
    """One active grant, shared by all its sessions.

    Attributes:
        version: changes when the shape or the catalog does; part of every cache key.
        ended: why the grant no longer works; set once, checked before every release.
        facts: the part of every query record that is the same for the whole grant.
        plans: analysed statements by text.
        answering: rows, statistics, or both.
        cohorts: of the principal's earlier statistics, shared by all their grants.
        notice: what every session is told when it begins, "" for nothing.
        noise: draws of a scale; raises Refused where there is none to be had.
    """

    terms: GrantTerms
    shape: Shape
    catalog: Catalog
    usage: Usage
    facts: RecordFacts
    version: int = 0
    ended: SeenbyError | None = None
    plans: dict[str, tuple[Plan, ...]] = field(default_factory=dict)
    answering: Answering = ROWS
    cohorts: Memory = field(default_factory=Memory)
    notice: str = ""
    noise: Callable[[float], Draw] = no_noise

    def spend(self) -> None:
        """Counts a statistic against the budget of noise. Raises LimitReached."""
        if self.terms.noise is None:
            raise Internal("a statistic with noise under a grant without")
        self.usage.spend(self.terms.noise)

    def remember(self, text: str, plans: tuple[Plan, ...]) -> None:
        """Keeps an analysis. The oldest go first; very long texts are not worth their memory."""
        if len(text) > 10_000:
            return
        if len(self.plans) >= CACHED_TEXTS:
            for old in list(self.plans)[: CACHED_TEXTS // 4]:
                del self.plans[old]
        self.plans[text] = plans
