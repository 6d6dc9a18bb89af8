"""Does the map let staff change only what cannot move a row, or a person, from one scope into another?

A value that says whose a row is, or where its owner is at home, decides who may see what. Staff never change one. So
the answer to "who may see this row" is the same before and after every change.
"""

from __future__ import annotations

from typing import NoReturn

from seenby.datamap.model import DataMap, MappedTable, RowScope, StaffWrites, TableName
from seenby.errors import ConfigError


def check_writable(datamap: DataMap) -> None:
    """Raises ConfigError with the table and the column."""
    deciding = _deciding(datamap)
    for table in datamap.tables.values():
        if table.staff is not None:
            _check(datamap.source, table, table.staff, deciding)


def _check(source: str, table: MappedTable, staff: StaffWrites, deciding: set[tuple[TableName, str]]) -> None:
    place = f"{source}: tables.{table.name}.staff_writable"

    def fail(message: str, hint: str) -> NoReturn:
        raise ConfigError(f"{place}: {message}", hint=hint)

    if table.nobody:
        fail("the rows of this table are about nobody, and staff change people's rows only", "remove staff_writable")
    if table.shared:
        fail("its rows belong to all members of a group, and no grant shows them", "remove staff_writable")
    if table.scope is RowScope.ANY:
        fail(
            'a row with scope = "any" may also belong to people outside of a grant',
            'staff can change tables of scope "all" only',
        )
    if not table.key:
        fail("the table has no key by which a row could be found again", "give it one, or remove staff_writable")
    if not (staff.update or staff.delete or staff.insert):
        fail("it lets staff change nothing", "give update = [...], insert = [...] or delete = true")
    for column in (*table.key, *staff.update, *staff.insert, *staff.forced):
        if column not in table.columns:
            fail(f"column {column} has no data class", f"classify it in tables.{table.name}.columns")
    for column in staff.update:
        if column in table.key or (table.name, column) in deciding:
            fail(f"column {column} says whose a row is, or who may see it", "leave it out of update")
    for column in staff.insert:
        if column in table.key:
            fail(f"column {column} is part of the key", "leave it out of insert: the database makes the key")
    for column in staff.forced:
        if column in {*staff.insert, *staff.update, *table.key}:
            fail(f"column {column} is filled by the database", "leave it out of insert and update")
    if staff.author and staff.author == staff.at:
        fail("author and at are one column", "name two")
    if staff.insert:
        # A default of a column that decides could make the row somebody else's.
        for owner in table.owners:
            for column in owner.starts:
                if column not in staff.insert:
                    fail(f"a new row does not say which {owner.kind} it belongs to", f"add {column} to insert")


def _deciding(datamap: DataMap) -> set[tuple[TableName, str]]:
    """Columns that decide whose a row is, where people are at home, or how they are treated."""
    found: set[tuple[TableName, str]] = set()
    for table in datamap.tables.values():
        for owner in table.owners:
            here = table.name
            for hop in owner.hops:
                found |= {(here, column) for column in hop.columns} | {(hop.table, target) for target in hop.targets}
                found |= {(here, hop.when[0])} if hop.when else set()
                here = hop.table
            found.add((here, owner.column))
    for kind in datamap.kinds.values():
        named = (kind.key, kind.home_column, kind.protected, kind.employee, kind.birth_date, kind.minor)
        found |= {(kind.table, column) for column in named if column}
    return found
