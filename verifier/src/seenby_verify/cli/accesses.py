"""A table of accesses: of the person's own bundle, and of the protection officer's ``seenby who-saw``."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import Any

from rich.table import Table
from rich.text import Text

from seenby_verify.cli.plain import cell, cells

HEADINGS = ("when (UTC)", "purpose", "reference", "data", "columns", "how")
THERE = ("(only that", "they are there)")
"""In the place of columns: a count shows none of theirs, and still tells that they are there."""


def access_table(title: str, *more: str) -> Table:
    """With ``HEADINGS`` and ``more`` of them. Usual names fit into 80 columns."""
    table = Table(
        title=Text(title), title_justify="left", box=None, pad_edge=False, header_style="bold", padding=(0, 1, 1, 0)
    )
    for heading in (*HEADINGS, *more):
        table.add_column(heading, overflow="fold")
    return table


def access_cells(row: dict[str, Any], columns: Sequence[str], how: str) -> list[Text]:
    """What stands under ``HEADINGS``. From the operator's records: never markup, nothing that moves a cursor."""
    when = str(row["when"]).replace("T", " ")[:19]
    return [
        *map(cell, (when, row["purpose"], row["reference"])),
        cells(row["classes"]),
        cells(columns),
        cells(wrap(how, 10)),
    ]
