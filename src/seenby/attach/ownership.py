"""From every table to its people: along references to tables with known owners, nearest first, never in a circle."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from seenby.attach.inspection import FoundTable, Inspection, listing
from seenby.attach.references import Reference
from seenby.datamap import Hop, OwnerPath, TableName

MOST_OWNERS = 9
DEEPEST = 8


@dataclass(frozen=True, slots=True)
class People:
    """One kind of people of the proposed map.

    ``region_column``, ``country_column``: where their home region stands, or a country that tells it; "" for neither.
    ``birth_date``, ``minor``: columns that tell their age.
    """

    kind: str
    table: TableName
    key: str
    account: bool = True
    region_column: str = ""
    country_column: str = ""
    birth_date: str = ""
    minor: str = ""
    reasons: tuple[str, ...] = ()
    confidence: float = 1.0


@dataclass(slots=True)
class Owned:
    """What was found for one table. ``used``: the references on whose truth the owners rest."""

    owners: list[OwnerPath] = field(default_factory=list)
    used: list[Reference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, owner: OwnerPath, used: Sequence[Reference]) -> None:
        if all((one.kind, one.path) != (owner.kind, owner.path) for one in self.owners):
            self.owners.append(owner)
        self.used += [one for one in used if one not in self.used]

    @property
    def confidence(self) -> float:
        return min((one.confidence for one in self.used), default=1.0)


class Ownership:
    """Finds the owners of all tables.

    Args:
        references: accepted ones, of one column at most one (or several with ``when``).
        beside: tables that are people too, one row for each of ``kinds``' rows: a reference to them is one to a person.
        members: tables of groups, with the hop to the table of their members and what it rests on.
        said: references to groups from tables whose rows belong to every member, whoever else they belong to.
    """

    def __init__(
        self,
        inspection: Inspection,
        kinds: Sequence[People],
        references: Sequence[Reference],
        beside: frozenset[TableName] = frozenset(),
        members: Mapping[TableName, tuple[Hop, Sequence[Reference]]] | None = None,
        said: Collection[Reference] = (),
    ) -> None:
        self._members = members or {}
        self._said = said
        self._inspection = inspection
        self._kinds = {kind.table: kind for kind in kinds if kind.account}
        self._beside = beside
        self._references: dict[TableName, list[Reference]] = {}
        self._into: dict[TableName, list[Reference]] = {}
        for one in references:
            self._references.setdefault(one.source, []).append(one)
            self._into.setdefault(one.table, []).append(one)
        self.found: dict[TableName, Owned] = {}
        for kind in kinds:
            if not kind.account:
                self._mentioned(kind)

    def solve(self) -> Mapping[TableName, Owned]:
        """Every table that has owners, with them. What is missing has none, or none that a map can say."""
        for kind in self._kinds.values():
            self._people(kind)
        for name in sorted(self._beside):
            self._direct(self._inspection.tables[name], frozenset(self._kinds))
            if name not in self.found:
                for back in self._backwards(name).get(name, []):
                    self._follow(self._inspection.tables[name], back)
        settled = {name for name in [*self._kinds, *self._beside] if name in self.found}
        people = frozenset(settled)
        for name, (hop, used) in sorted(self._members.items()):
            self._group(name, hop, used, people)
            settled |= {name, hop.table}
        waiting = {name for name in self._inspection.base if name not in settled}
        while True:
            # A table waits until all those are settled to which it leads, so that none of its people is missed.
            while ready := self._ready(waiting, settled, people):
                for name in ready:
                    self._settle(name, people, settled)
                waiting -= set(ready)
                settled |= {name for name in ready if name in self.found}
            backs = self._backwards()
            if not backs:
                return self.found
            for name, found in sorted(backs.items()):
                for one in found:
                    self._follow(self._inspection.tables[name], one)
            settled |= set(backs)
            waiting -= set(backs)

    def _ready(self, waiting: set[TableName], settled: set[TableName], people: frozenset[TableName]) -> list[TableName]:
        """Tables whose owners can be told now. In a circle: those of it that lead out to somebody."""
        coming = self._reachable(waiting, settled)
        ready, some = [], []
        for name in sorted(waiting):
            mine = self._references.get(name, [])
            targets = {one.table for one in mine if one.table != name}
            direct = any(one.table in people and one.when is None for one in mine)
            open_ends = {one.table for one in mine if one.when is not None} if direct else targets
            if not targets & settled:
                continue
            some.append(name)
            if not open_ends & coming - {name}:
                ready.append(name)
        return ready or some

    def _reachable(self, waiting: set[TableName], settled: set[TableName]) -> set[TableName]:
        """Those that wait and will lead to somebody."""
        known = set(settled)
        grown = True
        while grown:
            more = {
                name
                for name in waiting - known
                if any(one.table in known and one.table != name for one in self._references.get(name, []))
            }
            known |= more
            grown = bool(more)
        return known - settled

    def _settle(self, name: TableName, people: frozenset[TableName], settled: set[TableName]) -> None:
        """The owners of one table: by its references to people, else by those to tables that have owners."""
        table = self._inspection.tables[name]
        mine = [one for one in self._references.get(name, []) if one.table in settled and one.table != name]
        mine = [one for one in mine if self._depth(one) <= DEEPEST]
        direct = [one for one in mine if one.table in people and one.when is None]
        other = [one for one in mine if one.when is None]
        chosen = direct or (self._chosen(table, other) if other else [])
        said = [one for one in other if one in self._said and one not in chosen]
        for one in [*chosen, *said, *(one for one in mine if one.when is not None)]:
            self._follow(table, one)

    def _mentioned(self, kind: People) -> None:
        nullable = not self._inspection.tables[kind.table].columns[kind.key].not_null
        owned = self.found.setdefault(kind.table, Owned())
        owned.add(OwnerPath(kind.kind, (), kind.key, nullable), [])

    def _people(self, kind: People) -> None:
        owned = self.found.setdefault(kind.table, Owned())
        owned.add(OwnerPath(kind.kind, (), kind.key), [])
        table = self._inspection.tables[kind.table]
        for one in self._references.get(kind.table, []):
            if one.table in self._kinds and one.column != kind.key and one.when is None:
                other = self._kinds[one.table]
                if len(owned.owners) == MOST_OWNERS:
                    owned.notes.append(f"not followed: {one.column}, a map holds {MOST_OWNERS} people for each row")
                elif one.target == other.key:
                    owned.add(OwnerPath(other.kind, (), one.column, not table.columns[one.column].not_null), [one])
                    if one.table == kind.table:
                        owned.notes.append(f"{one.column} names another person of the same table")

    def _direct(self, table: FoundTable, people: frozenset[TableName]) -> None:
        for one in self._references.get(table.name, []):
            if one.table in people and one.table != table.name:
                self._follow(table, one)

    def _group(self, name: TableName, hop: Hop, used: Sequence[Reference], people: frozenset[TableName]) -> None:
        """A group belongs to whom its own columns name, and to everybody to whom its list of members does."""
        for one in (name, hop.table):
            self._direct(self._inspection.tables[one], people)
        owned = self.found.setdefault(name, Owned())
        for owner in self.found[hop.table].owners:
            owned.add(OwnerPath(owner.kind, (hop, *owner.hops), owner.column, nullable=True), used)

    def _follow(self, table: FoundTable, one: Reference) -> None:
        """Adds the owners to whom a reference leads."""
        owned = self.found.setdefault(table.name, Owned())
        columns = (one.column, *(column for column, _ in one.more))
        nullable = any(not table.columns[column].not_null for column in columns) or one.when is not None
        kind = self._kinds.get(one.table)
        if kind is not None and one.target == kind.key and one.when is None and not one.more:
            owned.add(OwnerPath(kind.kind, (), one.column, nullable), [one])
            return
        hop = Hop(one.column, one.table, one.target, one.when, one.more)
        reached = self.found[one.table]
        for owner in reached.owners:
            through = OwnerPath(owner.kind, (hop, *owner.hops), owner.column, nullable or owner.nullable)
            owned.add(through, [one, *reached.used])

    def _depth(self, one: Reference) -> int:
        return 1 + max((len(owner.hops) for owner in self.found[one.table].owners), default=0)

    def _chosen(self, table: FoundTable, parents: list[Reference]) -> list[Reference]:
        """The parents to whom the row belongs: all, unless those would be more people than a map can hold."""
        sure = [one for one in parents if one.certain] or parents
        certain = [one for one in sure if table.columns[one.column].not_null]
        chosen = certain or sure
        if sum(len(self.found[one.table].owners) for one in chosen) > MOST_OWNERS:
            chosen = [min(chosen, key=lambda one: (len(self.found[one.table].owners), one.column))]
        return chosen

    def _backwards(self, only: TableName | None = None) -> dict[TableName, list[Reference]]:
        """Tables to whose rows one row each of a table with owners refers: ``id -> accounts.actor_id``, unique."""
        found: dict[TableName, list[Reference]] = {}
        for name, table in self._inspection.base.items():
            if name in self.found or (only is not None and name != only):
                continue
            for one in self._into.get(name, []):
                source = self._inspection.tables[one.source]
                if one.source in self.found and source.identifies(one.column) and one.when is None and not one.more:
                    back = Reference(
                        name, one.target, one.source, one.column, one.confidence,
                        f"one row of {one.source} for each: {one.column} is unique", one.certain,
                    )  # fmt: skip
                    if table.columns[one.target].is_key and self._depth(back) <= DEEPEST:
                        found.setdefault(name, []).append(back)
        return {name: backs[:1] for name, backs in found.items()}


def too_many(owned: Owned) -> str:
    """Why the owners cannot stand in a map, or ""."""
    if len(owned.owners) > MOST_OWNERS:
        names = listing(dict.fromkeys(owner.path[0] for owner in owned.owners))
        return f"its rows belong to {len(owned.owners)} people each (by {names}), more than the {MOST_OWNERS} of a map"
    return ""
