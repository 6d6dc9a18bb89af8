"""Takes the person keys off every row: whose data is this?

Keys stand first in the rewritten output, as text, so a row needs no walk over the user's columns::

    44 00 00 00 1d 00 02 | 00 00 00 02 34 32 | 00 00 00 0d 2b 34 ...      from Postgres: key "42", phone
    44 00 00 00 17 00 01 |                     00 00 00 0d 2b 34 ...      to the client

The bytes after the keys are copied as one piece, whatever they hold, text or binary.
"""

from __future__ import annotations

from struct import Struct

from seenby.errors import ProtocolError

_HEAD = Struct(">BIHi").unpack_from  # type, length, columns, size of the first key
_U32 = Struct(">I").unpack_from
_I32 = Struct(">i").unpack_from
_pack = Struct(">BIH").pack
_ROW = ord("D")


def strip_rows(
    data: bytes, at: int, end: int, keys: tuple[set[bytes], ...], out: list[bytes], width: int = 0
) -> tuple[int, int]:
    """Reads the whole DataRows that start at ``at``; stops at another message or at a row that is not complete.

    Args:
        data: what Postgres sent.
        at, end: the part of ``data`` to look at.
        keys: one set for each leading key column; the keys found are added. Empty: rows pass as they are.
        out: the client's bytes are appended.
        width: columns of each row, with the keys; 0: as many as there are.

    Returns:
        (position after the last row taken, number of rows).

    Raises:
        ProtocolError: a row has other columns than ``width``, fewer than there are keys, or is shorter than they say.
    """
    if not keys:
        return _pass_rows(data, at, end, out, width)
    if len(keys) == 1:
        return _strip_one(data, at, end, keys[0], out, width)
    rows = 0
    count = len(keys)
    while end - at >= 11 and data[at] == _ROW:
        _, length, columns, _ = _HEAD(data, at)
        stop = at + 1 + length
        if stop > end:
            break
        cut = at + 7
        for found in keys:
            if cut + 4 > stop:
                raise _without_keys()
            (size,) = _I32(data, cut)
            cut += 4
            if size >= 0:
                found.add(data[cut : cut + size])
                cut += size
        if cut > stop or columns < count or (width and columns != width):
            raise _without_keys()
        out.append(_pack(_ROW, length - (cut - at - 7), columns - count) + data[cut:stop])
        at = stop
        rows += 1
    _check_rest(data, at, end)
    return at, rows


def _strip_one(data: bytes, at: int, end: int, found: set[bytes], out: list[bytes], width: int) -> tuple[int, int]:
    rows = 0
    head, pack, add, append = _HEAD, _pack, found.add, out.append
    while end - at >= 11 and data[at] == _ROW:
        _, length, columns, size = head(data, at)
        stop = at + 1 + length
        if stop > end:
            break
        cut = at + 11
        if size > 0:
            add(data[cut : cut + size])
            cut += size
        elif size == 0:
            add(b"")
        if cut > stop or not columns or (width and columns != width):
            raise _without_keys()
        append(pack(_ROW, length + at + 7 - cut, columns - 1))
        append(data[cut:stop])
        at = stop
        rows += 1
    _check_rest(data, at, end)
    return at, rows


def _check_rest(data: bytes, at: int, end: int) -> None:
    """What stopped the loop must not be a whole row too short for a key: nobody would ever take it."""
    if end - at >= 5 and data[at] == _ROW and at + 1 + _U32(data, at + 1)[0] <= end:
        raise _without_keys()


def _without_keys() -> ProtocolError:
    return ProtocolError("Postgres sent a row without its person keys")


def _pass_rows(data: bytes, at: int, end: int, out: list[bytes], width: int) -> tuple[int, int]:
    start, rows = at, 0
    wanted = width.to_bytes(2, "big")
    while end - at >= 5 and data[at] == _ROW:
        stop = at + 1 + _U32(data, at + 1)[0]
        if stop > end:
            break
        if width and data[at + 5 : at + 7] != wanted:  # rows with person keys, perhaps
            raise ProtocolError("Postgres sent a row with other columns than were asked for")
        at = stop
        rows += 1
    if at > start:
        out.append(data[start:at])
    return at, rows
