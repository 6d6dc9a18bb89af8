"""Is the map closed: does a row belong to everybody to whom the rows on its paths belong?

A like that finds its person through a comment says something about the comment. If the comment belongs to two people
and the like to one, then deleting the other's rows can change a result that never names them.
"""

from __future__ import annotations

import json

from seenby.datamap.model import DataMap, MappedTable, OwnerPath
from seenby.errors import ConfigError


def check_closed(datamap: DataMap) -> None:
    """Raises ConfigError with the missing owner, ready to paste."""
    for table in datamap.tables.values():
        present = {(owner.kind, owner.path) for owner in table.owners}
        for owner in table.owners:
            for missing in _inherited(datamap, owner):
                if (missing.kind, missing.path) not in present:
                    raise ConfigError(
                        f"{datamap.source}: tables.{table.name}: the map is not closed: a path goes through "
                        f"{_through(missing, owner)}, whose rows also belong to somebody whom {table.name} leaves out",
                        hint=f"add the owner {_toml(missing)}",
                    )


def _inherited(datamap: DataMap, owner: OwnerPath) -> list[OwnerPath]:
    found = []
    for depth, hop in enumerate(owner.hops, start=1):
        reached: MappedTable = datamap.tables[hop.table]
        found += [
            OwnerPath(other.kind, owner.hops[:depth] + other.hops, other.column, owner.nullable or other.nullable)
            for other in reached.owners
        ]
    return found


def _through(missing: OwnerPath, owner: OwnerPath) -> str:
    shared = [mine.table for mine, theirs in zip(owner.hops, missing.hops, strict=False) if mine == theirs]
    return str(shared[-1])


def _toml(owner: OwnerPath) -> str:
    nullable = ", nullable = true" if owner.nullable else ""
    return f'{{ kind = "{owner.kind}", path = {json.dumps(list(owner.path))}{nullable} }}'
