"""Noise on its way out: counts in rows that Postgres sent are replaced before they are written anywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from seenby.errors import ProtocolError

Draw = Callable[[], int]
"""One cell's noise; a new one at each call."""


def noised(rows: bytes, columns: Sequence[int], draw: Draw) -> bytes:
    """Whole DataRows with noise added to ``columns``, which hold counts (int8, as text or binary) or NULL.

    Raises ProtocolError: there is no such column, or no count in it.
    """
    out, at = [], 0
    while at < len(rows):
        end = at + 1 + int.from_bytes(rows[at + 1 : at + 5], "big")
        out.append(_row(rows[at:end], columns, draw))
        at = end
    return b"".join(out)


def _row(row: bytes, columns: Sequence[int], draw: Draw) -> bytes:
    width = int.from_bytes(row[5:7], "big")
    if columns and columns[-1] >= width:
        raise ProtocolError("a row has fewer columns than noise is added to")
    cells, at = [], 7
    for place in range(width):
        size = int.from_bytes(row[at : at + 4], "big", signed=True)
        value = None if size < 0 else row[at + 4 : at + 4 + size]
        at += 4 + max(size, 0)
        if value is not None and place in columns:
            value = _with(value, draw())
        cells.append(b"\xff\xff\xff\xff" if value is None else len(value).to_bytes(4, "big") + value)
    body = row[5:7] + b"".join(cells)
    return row[:1] + (4 + len(body)).to_bytes(4, "big") + body


def _with(value: bytes, noise: int) -> bytes:
    """A count has less than 2^56 rows, so that in binary it begins with a zero byte, which is in no text."""
    if len(value) == 8 and value[0] == 0:
        return (int.from_bytes(value, "big") + noise).to_bytes(8, "big", signed=True)
    if not value.isdigit():
        raise ProtocolError("noise is added to something that is no count")
    return b"%d" % (int(value) + noise)
