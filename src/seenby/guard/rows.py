"""The rows of one table that a grant shows: joins to its people, who is in scope, whose home region reveals what.

Three ways to say "in scope", measured on PostgreSQL 18 (point query, by number of people in the grant):

========= ============================================== ==================== =================================
way       SQL                                            100 / 10 k people    holds against
========= ============================================== ==================== =================================
FENCED    the people joined first, OFFSET 0 on top       0.2 ms / 20 ms       values, counts, estimates, timing
LISTED    one probe of the scope per row                 0.08 ms / 0.08 ms    values
REGIONS   the person's home region only                  as the plain table   values
========= ============================================== ==================== =================================
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from seenby.datamap import DatabaseFacts, DataMap, Hop, MappedTable, OwnerPath, PersonKind, RowScope, TableName
from seenby.guard.homes import TEXT_TYPES, home_region
from seenby.guard.quote import ident, literal, literals, qualified

BASE = "t"


class Fence(StrEnum):
    """How the grant's people stand in the views."""

    FENCED = "fenced"
    LISTED = "listed"
    REGIONS = "regions"


@dataclass(frozen=True, slots=True)
class Owner:
    """One owner of the rows, as SQL over the joined aliases.

    Attributes:
        typed: the column that holds the person's key; ``key``: the same as text.
        region: the home region, as text.
        constant_region: the region of a kind that has only one.
        present: the key is there and leads to a person; "" where that is always so.
        absent: the row has no such owner; "" where it must have one.
        listed: the person is one of the grant's people; "" for REGIONS.
    """

    path: OwnerPath
    typed: str
    key: str
    region: str
    constant_region: str | None
    present: str
    absent: str
    listed: str

    def in_regions(self, regions: tuple[str, ...]) -> str:
        """``o1."home_region" IN ('eu')``; TRUE or FALSE for a constant region."""
        if self.constant_region is not None:
            return "TRUE" if self.constant_region in regions else "FALSE"
        return f"{self.region} IN ({literals(regions)})" if regions else "FALSE"

    def in_scope(self, regions: tuple[str, ...], *, listed: bool = True) -> str:
        """The person is in the grant's scope. ``listed=False``: that they are listed is known already."""
        return all_of(self.present, self.listed if listed else "", self.in_regions(regions))


class Rows:
    """FROM and WHERE of one view, and the conditions that its columns need.

    Args:
        regions: the home regions of the grant, sorted.
        scope_table: quoted name of the table (role, kind, person).
        base: what stands for the table in FROM; "": the table itself.
        user: who is looked for in the scope.
    """

    def __init__(
        self,
        table: MappedTable,
        datamap: DataMap,
        facts: DatabaseFacts,
        fence: Fence,
        regions: tuple[str, ...],
        scope_table: str,
        *,
        base: str = "",
        user: str = "CURRENT_USER",
    ) -> None:
        self.table = table
        self.regions = regions
        self._base = base or qualified(*table.name)
        self._user = user
        self._datamap = datamap
        self._facts = facts
        self._fence = fence
        self._scope_table = scope_table
        self._joins = Joins(table.name, facts)
        self.owners = tuple(self._owner(path) for path in table.owners)

    def from_where(self) -> str:
        """The text after the select list, without the fence's OFFSET 0."""
        base = f"{self._base} {BASE}"
        if not self.owners:
            return f"\nFROM {base}"
        drives = self.drives
        lines, driver = [base, *self._joins.lines()], None
        if len(drives) == 1:
            driver = drives[0]
            lines.append(self._people(driver))
        elif drives:
            keys = self._names_row()
            same = " AND ".join(f"{BASE}.{key} = c.{key}" for key in keys)
            picked = ", ".join(f"{BASE}.{key}" for key in keys)
            branches = "\n  UNION\n  ".join(self._branch(picked, base, drive) for drive in drives)
            lines = [f"({branches}) c", f"JOIN {base} ON {same}", *lines[1:]]
        return "\nFROM " + "\n".join(lines) + f"\nWHERE {self._condition(driver)}"

    def reveals(self, regions: tuple[str, ...]) -> str:
        """The condition under which a row in scope reveals a column that has cells for ``regions``."""
        if self.table.scope is RowScope.ALL:
            return all_of(*(any_of(owner.absent, owner.in_regions(regions)) for owner in self.owners))
        if len(self.owners) == 1:
            return self.owners[0].in_regions(regions)
        return any_of(*(owner.in_scope(regions) for owner in self.owners))

    def _names_row(self) -> list[str]:
        """The columns by which a row is found again. Without a key, or where parts of it may be NULL and so equal to
        nothing, it is where the row lies, which holds within one statement."""
        columns = self._facts.tables[self.table.name].columns
        if self.table.key and all(columns[name].not_null for name in self.table.key):
            return [ident(name) for name in self.table.key]
        return ["tableoid", "ctid"]

    @property
    def drives(self) -> tuple[Owner, ...]:
        """FENCED: the owners from whom the rows are found: one that every row must have, else all of them."""
        if self._fence is not Fence.FENCED:
            return ()
        certain = [owner for owner in self.owners if not owner.path.nullable]
        if len(self.owners) > 1 and self.table.scope is RowScope.ALL and certain:
            return (next((owner for owner in certain if self.indexed(owner)), certain[0]),)
        return self.owners

    def indexed(self, owner: Owner) -> bool:
        """Whether indexes lead from the person back to the rows."""
        steps, here = [], self.table.name
        for hop in owner.path.hops:
            steps.append((here, hop.column))
            here = hop.table
        steps.append((here, owner.path.column))
        return all(column in self._facts.tables[table].indexed for table, column in steps)

    def _condition(self, driver: Owner | None) -> str:
        scopes = [owner.in_scope(self.regions, listed=owner is not driver) for owner in self.owners]
        if self.table.scope is RowScope.ANY:
            return any_of(*scopes)
        each = [any_of(owner.absent, scope) for owner, scope in zip(self.owners, scopes, strict=True)]
        if all(owner.absent for owner in self.owners):
            each.append(any_of(*(owner.present for owner in self.owners)))
        return all_of(*each)

    def _owner(self, path: OwnerPath) -> Owner:
        kind = self._datamap.kinds[path.kind]
        # LEFT where a row may do without this owner; the condition then says whether it does.
        outer = path.nullable or self.table.scope is RowScope.ANY
        alias, here, absent = self._joins.follow(path.hops, outer)
        absent.append(self._joins.is_null(alias, here, path.column))
        column = path.column
        if kind.account and (here, column) != (kind.table, kind.key):
            alias = self._joins.add(alias, Hop(column, kind.table, kind.key), outer)
            here, column = kind.table, kind.key
        typed = f"{alias}.{ident(column)}"
        fact = self._facts.tables[here].columns[column]
        key = typed if fact.base_name in TEXT_TYPES else f"{typed}::text"
        return Owner(
            path=path,
            typed=typed,
            key=key,
            region=home_region(kind, self._facts, alias),
            constant_region=kind.region,
            present="" if fact.not_null and (alias == BASE or not outer) else f"{typed} IS NOT NULL",
            absent=any_of(*absent) if path.nullable else "",
            listed="" if self._fence is Fence.REGIONS else self._listed(kind, key),
        )

    def _listed(self, kind: PersonKind, key: str) -> str:
        # Not EXISTS: Postgres would turn it into a join and, knowing little about so young a scope, may drive
        # the query from 1,000 people times 1,000 people. A scalar subquery stays one probe of the key per row.
        return (
            f"(SELECT true FROM {self._scope_table} s WHERE s.role = {self._user}"
            f" AND s.kind = {literal(kind.name)} AND s.person = {key})"
        )

    def _branch(self, picked: str, base: str, owner: Owner) -> str:
        joins = Joins(self.table.name, self._facts)
        alias, here, _ = joins.follow(owner.path.hops, outer=False)
        typed = f"{alias}.{ident(owner.path.column)}"
        return f"SELECT {picked} FROM {' '.join([base, *joins.lines()])} {self._people(owner, typed, here)}"

    def _people(self, owner: Owner, typed: str = "", table: TableName | None = None) -> str:
        """``JOIN (SELECT person::bigint ... FROM seenby.scope ...) s ON s.person = o1."id"``."""
        kind = self._datamap.kinds[owner.path.kind]
        path_end = owner.path.hops[-1].table if owner.path.hops else self.table.name
        holder, column = (kind.table, kind.key) if kind.account else (path_end, owner.path.column)
        if table is not None:
            holder, column = table, owner.path.column
        fact = self._facts.tables[holder].columns[column]
        person = "person" if fact.base_name in TEXT_TYPES else f"person::{fact.base_type}"
        # The cast stands behind the kind, because another kind's keys need not have this type.
        return (
            f"JOIN (SELECT CASE WHEN kind = {literal(kind.name)} THEN {person} END AS person FROM {self._scope_table}"
            f" WHERE role = {self._user} AND kind = {literal(kind.name)}) s ON s.person = {typed or owner.typed}"
        )


@dataclass(frozen=True, slots=True)
class _Join:
    table: TableName
    target: str
    on: str
    outer: bool


class Joins:
    """The joined tables of one FROM; paths that share their first hops share the joins."""

    def __init__(self, base: TableName, facts: DatabaseFacts) -> None:
        self._base = base
        self._facts = facts
        self._steps: dict[tuple[str, Hop], str] = {}
        self._joins: dict[str, _Join] = {}

    def add(self, alias: str, hop: Hop, outer: bool) -> str:
        """Joins along one hop from ``alias``; returns the new alias. Inner wins where both are asked for."""
        made = self._steps.setdefault((alias, hop), f"o{len(self._steps) + 1}")
        table = self._base if alias == BASE else self._joins[alias].table
        outer = outer and (made not in self._joins or self._joins[made].outer)
        on = " AND ".join(
            f"{made}.{ident(target)} = {alias}.{ident(column)}{self._collation(table, column, hop.table, target)}"
            for column, target in zip(hop.columns, hop.targets, strict=True)
        )
        if hop.when:
            on += f" AND {alias}.{ident(hop.when[0])} = {literal(hop.when[1])}"
        self._joins[made] = _Join(hop.table, hop.target, on, outer)
        return made

    def _collation(self, table: TableName, column: str, other: TableName, target: str) -> str:
        """Which one counts where two columns are declared with different ones, as in a foreign key: the target's."""
        own = self._facts.tables[table].columns[column].collation
        theirs = self._facts.tables[other].columns[target].collation
        return f" COLLATE {theirs}" if own and theirs and own != theirs else ""

    def follow(self, hops: tuple[Hop, ...], outer: bool) -> tuple[str, TableName, list[str]]:
        """Joins along a path. Returns the last alias, its table, and the conditions "a reference is NULL here"."""
        alias, here, absent = BASE, self._base, []
        for hop in hops:
            absent += [self.is_null(alias, here, column) for column in hop.columns]
            if hop.when:
                absent.append(self._otherwise(alias, hop.when))
            alias, here = self.add(alias, hop, outer), hop.table
        return alias, here, absent

    def is_null(self, alias: str, table: TableName, column: str) -> str:
        """``column`` is NULL in a row that exists (a joined row that is missing is a dangling reference, no NULL)."""
        if self._facts.tables[table].columns[column].not_null:
            return ""
        null = f"{alias}.{ident(column)} IS NULL"
        if alias == BASE:
            return null
        return f"({alias}.{ident(self._joins[alias].target)} IS NOT NULL AND {null})"

    def _otherwise(self, alias: str, when: tuple[str, str]) -> str:
        """The row exists and does not meet the condition of its hop."""
        other = f"{alias}.{ident(when[0])} IS DISTINCT FROM {literal(when[1])}"
        if alias == BASE:
            return other
        return f"({alias}.{ident(self._joins[alias].target)} IS NOT NULL AND {other})"

    def lines(self) -> list[str]:
        return [
            f"{'LEFT JOIN' if join.outer else 'JOIN'} {qualified(*join.table)} {alias} ON {join.on}"
            for alias, join in self._joins.items()
        ]


def all_of(*parts: str) -> str:
    """AND; "" and TRUE are left out."""
    kept = [part for part in parts if part not in {"", "TRUE"}]
    if "FALSE" in kept:
        return "FALSE"
    return " AND ".join(kept) if kept else "TRUE"


def any_of(*parts: str) -> str:
    """OR in parentheses; "" is left out, and "" is the OR of nothing."""
    kept = [part for part in parts if part not in {"", "FALSE"}]
    if "TRUE" in kept:
        return "TRUE"
    if not kept:
        return "FALSE" if "FALSE" in parts else ""
    return kept[0] if len(kept) == 1 else "(" + " OR ".join(f"({part})" for part in kept) + ")"
