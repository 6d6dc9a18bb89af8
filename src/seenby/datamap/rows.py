"""Columns whose value names one row of one person, so that two equal values are the same person's."""

from __future__ import annotations

from seenby.datamap.model import DataMap, MappedTable, TableName


def named_rows(table: MappedTable, datamap: DataMap) -> dict[str, str]:
    """Column -> the unique column whose values it holds: ``device_id`` of logins -> ``public.devices.id``.

    Only of tables whose rows have one owner: then the column decides who that is.
    """
    if len(table.owners) != 1 or table.shared:
        return {}
    found = {column: _written(table.name, column) for column in _unique(table, datamap)}
    (owner,) = table.owners
    if owner.hops and owner.hops[0].when is None and not owner.hops[0].more:
        hop = owner.hops[0]
        if len(datamap.tables[hop.table].owners) == 1:
            found[hop.column] = _written(hop.table, hop.target)
    return found


def _unique(table: MappedTable, datamap: DataMap) -> set[str]:
    """Its key, and the columns to which paths lead."""
    targets = {
        hop.target
        for other in datamap.tables.values()
        for owner in other.owners
        for hop in owner.hops
        if hop.table == table.name and not hop.more and not hop.many
    }
    return targets | (set(table.key) if len(table.key) == 1 else set())


def _written(table: TableName, column: str) -> str:
    return f"{table.schema}.{table.name}.{column}"
