"""Databases in a few lines: ``database(users="id* email", posts="id* user_id -> users.id body")``."""

from __future__ import annotations

from seenby.attach.inspection import ForeignKey, FoundColumn, FoundTable, Inspection, RelationKind
from seenby.datamap import TableName

TYPES = {"int": "int8", "text": "text", "uuid": "uuid", "json": "jsonb", "bool": "bool", "time": "timestamptz"}


def column(name: str, kind: str = "text", samples: tuple[str, ...] = (), comment: str = "") -> FoundColumn:
    base = TYPES.get(kind, kind)
    return FoundColumn(name, base, base, "b", comment=comment, samples=samples)


def database(**tables: str) -> Inspection:
    """Columns divided by commas: ``NAME [TYPE] [-> TABLE.COLUMN]``; ``*`` behind a name: the key. Default type: int for
    keys and what ends in id, else text."""
    found: dict[TableName, FoundTable] = {}
    for table, listed in tables.items():
        columns, primary, keys = {}, [], []
        for written in listed.split(","):
            left, _, target = written.partition("->")
            name, *kind = left.split()
            if name.endswith("*"):
                name = name[:-1]
                primary.append(name)
            base = TYPES.get(kind[0], kind[0]) if kind else ("int8" if name.endswith("id") else "text")
            columns[name] = FoundColumn(name, base, base, "b", not_null=name in primary)
            if target:
                aim, key = target.strip().split(".")
                keys.append(ForeignKey((name,), TableName("public", aim), (key,)))
        place = TableName("public", table)
        found[place] = FoundTable(
            place,
            RelationKind.TABLE,
            columns,
            primary=tuple(primary),
            unique=(tuple(primary),) if primary else (),
            foreign=tuple(keys),
        )
    return Inspection("built", "18", found)
