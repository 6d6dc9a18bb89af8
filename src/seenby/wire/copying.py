r"""Rows as COPY ... TO STDOUT writes them (PostgreSQL documentation: COPY, file formats), made from DataRows.

A line, or a binary tuple, is one CopyData message (54.2.6)::

    D 00 02 | 00 00 00 02 34 32 | ff ff ff ff        42 and NULL
    d 34 32 09 5c 4e 0a                              text:   42<tab>\N<newline>
    d 34 32 2c 0a                                    csv:    42,<newline>
    d 00 02 00 00 00 02 34 32 ff ff ff ff            binary: the row as it is
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from struct import Struct

from seenby.model.plan import CopyForm
from seenby.wire import backend

_U32 = Struct(">I").unpack_from
_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_LETTERS = {8: b"\\b", 12: b"\\f", 10: b"\\n", 13: b"\\r", 9: b"\\t", 11: b"\\v"}
COPY_DONE = b"c\0\0\0\x04"

Values = Sequence[bytes | None]


class Copying:
    """Writes the rows of one COPY.

    Args:
        form: how.
        names: of the columns.
    """

    def __init__(self, form: CopyForm, names: Sequence[bytes]) -> None:
        self._binary = form.kind == "binary"
        self._header = form.header
        self._names = names
        self._line = _csv(form, names, form.force_quote) if form.kind == "csv" else _text(form)
        self._heading = _csv(form, names, ()) if form.kind == "csv" else self._line

    def begin(self) -> bytes:
        """CopyOutResponse, and what stands before the first row."""
        count = len(self._names)
        code = int(self._binary)
        head = backend.message(b"H", Struct(f">bH{count}H").pack(code, count, *(code,) * count))
        if self._binary:
            return head + backend.message(b"d", _SIGNATURE)
        return head + (backend.message(b"d", self._heading(self._names)) if self._header else b"")

    def rows(self, data: bytes) -> bytes:
        """Whole DataRows as CopyData."""
        return b"".join(self._rows(data))

    def end(self) -> bytes:
        """What stands behind the last row, and CopyDone."""
        return (backend.message(b"d", _TRAILER) if self._binary else b"") + COPY_DONE

    def _rows(self, data: bytes) -> Iterator[bytes]:
        at, end, binary, line = 0, len(data), self._binary, self._line
        while at < end:
            stop = at + 1 + _U32(data, at + 1)[0]
            body = data[at + 5 : stop]
            yield backend.message(b"d", body if binary else line(backend.read_values(body)))
            at = stop


def _text(form: CopyForm) -> Callable[[Values], bytes]:
    """Backslash escapes; a NULL is the null string as it is."""
    delimiter, null = form.delimiter, form.null
    special = re.compile(b"[\\\\\x08-\x0d" + re.escape(delimiter) + b"]")

    def escaped(found: re.Match[bytes]) -> bytes:
        byte = found[0]
        return _LETTERS.get(byte[0]) or b"\\" + byte

    def line(values: Values) -> bytes:
        return delimiter.join([null if one is None else special.sub(escaped, one) for one in values]) + b"\n"

    return line


def _csv(form: CopyForm, names: Sequence[bytes], quoted: tuple[str, ...]) -> Callable[[Values], bytes]:
    """Quotes where they are needed: also around a value that looks like NULL, or like the end of the data."""
    delimiter, null, quote, escape = form.delimiter, form.null, form.quote, form.escape
    special = re.compile(b"[\n\r" + re.escape(delimiter) + re.escape(quote) + b"]")
    inner = re.compile(b"[" + re.escape(quote) + re.escape(escape) + b"]")
    forced = [quoted == ("*",) or name.decode() in quoted for name in names]
    single = len(names) == 1

    def field(value: bytes | None, force: bool) -> bytes:
        if value is None:
            return null
        if force or value == null or special.search(value) or (single and value == b"\\."):
            return quote + inner.sub(lambda found: escape + found[0], value) + quote
        return value

    def line(values: Values) -> bytes:
        return delimiter.join(map(field, values, forced)) + b"\n"

    return line
