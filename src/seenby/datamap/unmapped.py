"""What a database has and its data map does not name: refused, until somebody decides."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from seenby.datamap.model import DataMap, TableName


def unmapped(
    datamap: DataMap, tables: Mapping[tuple[str, str], Collection[str]], partitions: Collection[tuple[str, str]]
) -> frozenset[str]:
    """Columns of mapped tables (``accounts.religion``), and whole tables and views (``billing.notes``).

    Args:
        tables: everything the database has, with its columns.
        partitions: those of them that are part of another one.
    """
    found = set()
    for name, columns in tables.items():
        mapped = datamap.tables.get(TableName(*name))
        if mapped is not None:
            found |= {f"{mapped.name}.{column}" for column in columns if column not in mapped.columns}
        elif name not in partitions:
            found.add(str(TableName(*name)))
    return frozenset(found)
