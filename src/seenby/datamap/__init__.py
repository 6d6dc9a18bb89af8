"""Whose data is where: the map from tables, rows and columns to people and data classes. Pure."""

from __future__ import annotations

from seenby.datamap.facts import ColumnFact, DatabaseFacts, TableFact, check_facts
from seenby.datamap.load import SCHEMA, nearest, parse
from seenby.datamap.model import (
    Countries,
    DataMap,
    Hop,
    MappedColumn,
    MappedTable,
    MappedView,
    Mask,
    MaskKind,
    OwnerPath,
    PersonKind,
    RowScope,
    StaffWrites,
    TableName,
)
from seenby.datamap.rows import named_rows
from seenby.datamap.unmapped import unmapped

__all__ = [
    "SCHEMA",
    "ColumnFact",
    "Countries",
    "DataMap",
    "DatabaseFacts",
    "Hop",
    "MappedColumn",
    "MappedTable",
    "MappedView",
    "Mask",
    "MaskKind",
    "OwnerPath",
    "PersonKind",
    "RowScope",
    "StaffWrites",
    "TableFact",
    "TableName",
    "check_facts",
    "named_rows",
    "nearest",
    "parse",
    "unmapped",
]
