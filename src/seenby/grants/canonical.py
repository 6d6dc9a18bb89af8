"""Canonical JSON (RFC 8785) for the closed set of values that we sign: ASCII-keyed objects, lists, text, integers.

Without floats the canonical form is what ``json`` writes with sorted keys and no spaces, once every value is known
to be in the set::

    {"id":"00ff","people":["account:42"],"v":1}
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from seenby.errors import UsageError

Json = None | bool | int | str | Sequence["Json"] | Mapping[str, "Json"]

MAX_INTEGER = 2**53 - 1
"""The largest integer that every JSON reader keeps exact (RFC 8785, 3.2.2.3)."""


def encode(value: Json) -> bytes:
    """Canonical bytes, UTF-8. Raises UsageError for a value outside the set (floats, lone surrogates, odd keys)."""
    _check(value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def decode(data: bytes) -> Json:
    """The value, if ``data`` is exactly its canonical form; otherwise UsageError."""
    try:
        value: Json = json.loads(data.decode())
        canonical = encode(value)
    except (ValueError, RecursionError, UsageError):
        raise UsageError("these bytes are not canonical JSON", hint="write RFC 8785 JSON without floats") from None
    # Catches spaces, another key order, a key given twice, a second spelling of the same text.
    if canonical != data:
        raise UsageError("these bytes are JSON, but not in the canonical form", hint="write it as RFC 8785 says")
    return value


def _check(value: object) -> None:
    match value:
        case None | bool():
            return
        case int():
            if abs(value) > MAX_INTEGER:
                raise UsageError("an integer beyond 2^53 - 1 has no canonical form")
        case str():
            # RFC 8785, 3.2.2.2: a lone surrogate must be an error.
            if any("\ud800" <= character <= "\udfff" for character in value):
                raise UsageError("a lone surrogate has no canonical form")
        case list() | tuple():
            for item in value:
                _check(item)
        case dict():
            for key, item in value.items():
                # ASCII keys sort alike by byte, by code point and by UTF-16 unit, the order of RFC 8785.
                if not (isinstance(key, str) and key.isascii()):
                    raise UsageError(f"{key!r} cannot be a key in canonical JSON", hint="use ASCII names")
                _check(item)
        case _:
            raise UsageError(f"{type(value).__name__} has no canonical form here")
