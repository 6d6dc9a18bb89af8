"""A data map against the database as it is now: drift, what nobody sees, slow paths, and ways around the map."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from seenby.attach.inspection import FoundTable, Inspection, RelationKind, listing
from seenby.attach.views import Derived, Known, derive
from seenby.datamap import DataMap, MappedTable, MappedView, OwnerPath, TableName, nearest
from seenby.datamap.load import table_name


class Level(StrEnum):
    """A PROBLEM makes the check fail; a WARNING only with --strict; a NOTE never."""

    PROBLEM = "problem"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One. ``what``: drift, unclassified, unreachable, unproved, unmapped view, slow, around. ``fix``: what to do."""

    level: Level
    what: str
    place: str
    message: str
    fix: str


@dataclass(frozen=True, slots=True)
class Around:
    """Something through which data could leave past the map. ``kind``: see ``stores.inspect_sql.AROUND``."""

    kind: str
    name: str
    detail: str


def check(
    datamap: DataMap, written: Mapping[str, Any], inspection: Inspection, around: Iterable[Around]
) -> list[Finding]:
    """Everything, most urgent first.

    Args:
        written: the map as TOML has it, for what the gateway leaves out: refused tables, unclassified columns.
    """
    found = [
        *_drift(written, inspection),
        *_views(datamap, written, inspection),
        *_unclassified(written),
        *_unreachable(written, inspection),
        *_slow(datamap, inspection),
        *(_around(one) for one in around),
    ]
    order = list(Level)
    return sorted(found, key=lambda one: (order.index(one.level), one.what, one.place))


def _drift(written: Mapping[str, Any], inspection: Inspection) -> Iterable[Finding]:
    tables = {table_name(name): entry for name, entry in written["tables"].items()}
    base = inspection.base
    for name, entry in tables.items():
        if name not in base:
            other = inspection.tables.get(name)
            is_now = f"is now {_called(other)}" if other else "is not in the database"
            hint = nearest(str(name), map(str, base))
            yield Finding(
                Level.PROBLEM, "drift", f"tables.{name}", f"the table {is_now}", f"remove it from the map; {hint}"
            )
            continue
        known = {*entry.get("columns", ()), *entry.get("unclassified", ())}
        there = base[name].columns
        for column in sorted(known - set(there)):
            hint = nearest(column, there)
            yield Finding(Level.PROBLEM, "drift", f"tables.{name}.{column}", "there is no such column", hint)
        missing = [column for column in there if column not in known]
        if missing and "refused" not in entry:
            yield Finding(
                Level.PROBLEM,
                "drift",
                f"tables.{name}",
                f"the map does not name {listing(missing)}: refused until somebody classifies it",
                "give each a class, or list it under unclassified",
            )
        key = tuple(entry.get("key", ()))
        if key and "refused" not in entry and not any(set(one) <= set(key) for one in base[name].unique):
            fix = f"name unique columns, as in key = {list(base[name].key)}"
            yield Finding(Level.PROBLEM, "drift", f"tables.{name}.key", f"{listing(key)} is not unique", fix)
    for name in sorted(set(base) - set(tables)):
        yield Finding(
            Level.PROBLEM,
            "drift",
            str(name),
            "the map does not name this table: refused until somebody says whose its rows are",
            "run seenby attach DSN --out MAP again, or write it by hand",
        )


def _views(datamap: DataMap, written: Mapping[str, Any], inspection: Inspection) -> Iterable[Finding]:
    """Views in the map, held against their queries. Nobody is shown one, so one that is missing is a note."""
    tables = {
        name: Known(table.owners, {column: one.data_class for column, one in table.columns.items()})
        for name, table in datamap.tables.items()
    }
    closed = {name: Known((), {}, refused=True) for name in inspection.base if name not in tables}
    derived = {one.name: one for one in derive(inspection, tables | closed)}
    names = {table_name(name): entry for name, entry in written.get("views", {}).items()}
    for name, entry in sorted(names.items()):
        place = f"views.{name}"
        one = derived.get(name)
        if one is None:
            there = "is a table now" if name in inspection.tables else "is not in the database"
            yield Finding(Level.PROBLEM, "drift", place, f"the view {there}", "remove it from the map")
            continue
        known = {*entry.get("columns", ()), *entry.get("unclassified", ())}
        if "refused" not in entry and known != set(one.columns):
            differing = listing(sorted(known ^ set(one.columns)))
            fix = "run seenby attach DSN --out MAP again"
            yield Finding(Level.PROBLEM, "drift", place, f"the map and the view differ in {differing}", fix)
        yield from _whose(place, datamap.views.get(name), one)
    for name in sorted(set(derived) - set(names)):
        fix = "run seenby attach DSN --out MAP again"
        yield Finding(Level.NOTE, "unmapped view", str(name), "the map does not say whose rows it shows", fix)


def _whose(place: str, mapped: MappedView | None, one: Derived) -> Iterable[Finding]:
    if mapped is None:
        if not one.refused:
            told = "its query tells whose its rows are, and the map refuses it"
            yield Finding(Level.NOTE, "unreachable", place, told, "run seenby attach DSN --out MAP again")
    elif one.refused:
        told = f"its query does not tell whose its rows are: {one.refused}"
        yield Finding(
            Level.WARNING, "unproved", place, told, 'see whether its owners are right, or write refused = "why"'
        )
    elif {(o.kind, o.path) for o in mapped.owners} != {(o.kind, o.path) for o in one.owners}:
        told = "by its query its rows belong to other people than the map says"
        yield Finding(Level.PROBLEM, "drift", place, told, "run seenby attach DSN --out MAP again")


def _called(table: FoundTable) -> str:
    return {
        RelationKind.VIEW: "a view",
        RelationKind.MATERIALIZED: "a materialized view",
        RelationKind.FOREIGN: "a foreign table",
    }.get(table.kind, "a table")


def _unclassified(written: Mapping[str, Any]) -> Iterable[Finding]:
    for name, entry in sorted(written["tables"].items()):
        columns = entry.get("unclassified", ())
        if columns and "refused" not in entry:
            yield Finding(
                Level.NOTE, "unclassified", f"tables.{name}", f"nobody sees {listing(columns)}", "give each a class"
            )


def _unreachable(written: Mapping[str, Any], inspection: Inspection) -> Iterable[Finding]:
    for name, entry in sorted(written["tables"].items()):
        if "refused" in entry and table_name(name) in inspection.base:
            fix = "say whose the rows are: owners = [...] or nobody = true"
            yield Finding(Level.NOTE, "unreachable", f"tables.{name}", f"nobody sees it: {entry['refused']}", fix)


def _slow(datamap: DataMap, inspection: Inspection) -> Iterable[Finding]:
    """Steps from a person back to their rows without an index: each look at that person reads the whole table."""
    missing: dict[tuple[TableName, str], list[TableName]] = {}
    for table in datamap.tables.values():
        for owner in table.owners:
            for place, column in _steps(table, owner):
                found = inspection.base.get(place)
                if found is not None and column in found.columns and column not in found.indexed:
                    users = missing.setdefault((place, column), [])
                    if table.name not in users:
                        users.append(table.name)
    for (place, column), users in sorted(missing.items()):
        rows = inspection.base[place].rows
        small = 0 <= rows < 10_000
        yield Finding(
            Level.NOTE if small else Level.WARNING,
            "slow",
            f"{place}.{column}",
            f"no index leads from a person to the rows of {listing(users)}" + ("; the table is small" if small else ""),
            f"CREATE INDEX CONCURRENTLY ON {place.schema}.{place.name} ({column})",
        )


def _steps(table: MappedTable, owner: OwnerPath) -> Sequence[tuple[TableName, str]]:
    steps, here = [], table.name
    for hop in owner.hops:
        steps.append((here, hop.column))
        here = hop.table
    return [*steps, (here, owner.column)]


def _around(one: Around) -> Finding:
    fixes = {
        "definer": "run the SQL of seenby attach --config, or REVOKE EXECUTE ON FUNCTION ... FROM PUBLIC",
        "public table": "REVOKE ALL ON ... FROM PUBLIC",
        "public view": "REVOKE ALL ON ... FROM PUBLIC",
        "default": "ALTER DEFAULT PRIVILEGES ... REVOKE ... FROM PUBLIC",
        "rls": "the guard's owner role has BYPASSRLS after seenby attach --config; grants then see all rows in scope",
    }
    told = {
        "definer": "everybody may run this function with its owner's rights",
        "public table": "everybody may read or change this table, without Seenby",
        "public view": "everybody may read this view, whose rows its owner selects",
        "default": "what is made later is open to everybody",
        "rls": "the platform's row security holds for this table",
    }
    level = Level.NOTE if one.kind == "rls" else Level.PROBLEM
    detail = f" ({one.detail})" if one.detail else ""
    return Finding(level, "around", one.name, told[one.kind] + detail, fixes[one.kind])
