"""What the map says is a person's: one count for each path that leads to them. SQL text, for a DBA's own connection."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from seenby.datamap import DataMap, MappedTable, OwnerPath, TableName
from seenby.model.people import Person


@dataclass(frozen=True, slots=True)
class Way:
    """One path of one table. ``sql`` takes the person's key twice: it counts rows, and lists keys of the first."""

    table: TableName
    path: tuple[str, ...]
    sql: str


def ways(datamap: DataMap, person: Person) -> Iterable[Way]:
    """Every path on which rows belong to people of this kind, by table."""
    for table in sorted(datamap.tables.values(), key=lambda one: one.name):
        for owner in table.owners:
            if owner.kind == person.kind:
                yield Way(table.name, owner.path, _sql(table, owner))


def _sql(table: MappedTable, owner: OwnerPath) -> str:
    joins, here = [], "t"
    for number, hop in enumerate(owner.hops, start=1):
        pairs = [
            f"o{number}.{_ident(target)} = {here}.{_ident(column)}"
            for column, target in zip(hop.columns, hop.targets, strict=True)
        ]
        if hop.when:
            pairs.append(f"{here}.{_ident(hop.when[0])}::text = {_literal(hop.when[1])}")
        joins.append(f" JOIN {_place(hop.table)} o{number} ON {' AND '.join(pairs)}")
        here = f"o{number}"
    # The parameter takes the column's type: an index on it is used.
    rows = f"FROM {_place(table.name)} t{''.join(joins)} WHERE {here}.{_ident(owner.column)} = %s"
    keys = f"concat_ws(', ', {', '.join(f't.{_ident(column)}::text' for column in table.key)})" if table.key else "NULL"
    return f"SELECT (SELECT count(*) {rows}), ARRAY(SELECT {keys} {rows} ORDER BY 1 LIMIT 1000)"


def _place(name: TableName) -> str:
    return f"{_ident(name.schema)}.{_ident(name.name)}"


def _ident(name: str) -> str:
    return '"' + name.replace('"', '""').replace("%", "%%") + '"'


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''").replace("%", "%%") + "'"
