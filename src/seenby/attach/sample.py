"""What the map says is a person's: one count for each path that leads to them. SQL text, for a DBA's own connection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from seenby.datamap import DataMap, OwnerPath, TableName
from seenby.model.people import Person

Collations = Mapping[tuple[TableName, str], str]
"""Of the columns that have one of their own, quoted."""


@dataclass(frozen=True, slots=True)
class Way:
    """One path of one table or view. ``sql`` takes the person's key twice: it counts rows, lists keys of the first."""

    table: TableName
    view: bool
    path: tuple[str, ...]
    sql: str


def ways(datamap: DataMap, person: Person, collations: Collations | None = None) -> Iterable[Way]:
    """Every path on which rows belong to people of this kind, by table."""
    tables = [(table.name, table.key, table.owners, False) for table in datamap.tables.values()]
    views: list[tuple[TableName, tuple[str, ...], tuple[OwnerPath, ...], bool]] = [
        (view.name, (), view.owners, True) for view in datamap.views.values()
    ]
    for name, key, owners, is_view in sorted(tables + views, key=lambda one: one[0]):
        for owner in owners:
            if owner.kind == person.kind:
                yield Way(name, is_view, owner.path, _sql(name, key, owner, collations or {}))


def _sql(table: TableName, key: tuple[str, ...], owner: OwnerPath, collations: Collations) -> str:
    joins: list[tuple[str, str]] = []
    here, reached = "t", table
    for number, hop in enumerate(owner.hops, start=1):
        pairs = [
            f"o{number}.{_ident(target)} = {here}.{_ident(column)}"
            + _collate(collations.get((reached, column)), collations.get((hop.table, target)))
            for column, target in zip(hop.columns, hop.targets, strict=True)
        ]
        if hop.when:
            pairs.append(f"{here}.{_ident(hop.when[0])}::text = {_literal(hop.when[1])}")
        joins.append((f"{_place(hop.table)} o{number}", " AND ".join(pairs)))
        here, reached = f"o{number}", hop.table
    # The parameter takes the column's type: an index on it is used.
    names_them = f"{here}.{_ident(owner.column)} = %s"
    if owner.many:  # a row counts once, however many of them are this person's
        sources, conditions = zip(*joins, strict=True)
        rows = (
            f"FROM {_place(table)} t WHERE EXISTS"
            f" (SELECT FROM {', '.join(sources)} WHERE {' AND '.join([*conditions, names_them])})"
        )
    else:
        rows = f"FROM {_place(table)} t{''.join(f' JOIN {one} ON {on}' for one, on in joins)} WHERE {names_them}"
    keys = f"concat_ws(', ', {', '.join(f't.{_ident(column)}::text' for column in key)})" if key else "NULL"
    return f"SELECT (SELECT count(*) {rows}), ARRAY(SELECT {keys} {rows} ORDER BY 1 LIMIT 1000)"


def _collate(own: str | None, target: str | None) -> str:
    """Where two columns are declared with different ones, the target's counts, as in a grant's view."""
    return f" COLLATE {target}" if own and target and own != target else ""


def _place(name: TableName) -> str:
    return f"{_ident(name.schema)}.{_ident(name.name)}"


def _ident(name: str) -> str:
    return '"' + name.replace('"', '""').replace("%", "%%") + '"'


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''").replace("%", "%%") + "'"
