"""Reading text formats with exactly one spelling per value: base64, decimals, JSON. Everything else is refused."""

from __future__ import annotations

import json
import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Collection
from typing import Any, Final, NoReturn, TypeVar

from seenby_verify.errors import VerificationError

T = TypeVar("T")
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
MAX_NUMBER: Final = 2**63 - 1
"""The largest number that any of our text formats holds (tlog-cosignature's limit for times)."""


DEPTH: Final = 32
"""How deep a record may be nested (docs/formats/text.md): what every reader can follow."""


def decode_base64(text: str) -> bytes | None:
    """Standard base64 (RFC 4648, section 4) in its one canonical spelling; None for anything else."""
    try:
        data = a2b_base64(text)  # takes more than is canonical: the way back decides
    except ValueError:
        return None
    return data if b2a_base64(data, newline=False).decode() == text else None


def decode_decimal(text: str) -> int | None:
    """ASCII digits without leading zeroes, up to MAX_NUMBER; None for anything else."""
    if not _DECIMAL.fullmatch(text):
        return None
    number = int(text)
    return number if number <= MAX_NUMBER else None


def load_json(data: bytes, what: str, limit: int) -> Any:
    """One JSON value in UTF-8 of at most ``limit`` bytes. ``what`` names it in errors.

    Raises VerificationError for anything else, and for what JSON leaves open: members named twice, numbers that are
    no integers, half characters (lone surrogates).
    """

    def wrong(why: str) -> NoReturn:
        raise VerificationError(f"{what} {why}")

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(items)
        if len(members) != len(items):
            wrong("names a member twice")
        return members

    def number(_: str) -> NoReturn:
        wrong("holds a number that is no integer")

    def integer(digits: str) -> int:
        # Longer ones take Python seconds; and 0 has one spelling.
        if len(digits) > 20 or digits == "-0" or abs(found := int(digits)) > MAX_NUMBER:
            wrong("holds a number in another spelling, or beyond 2^63 - 1")
        return found

    if len(data) > limit:
        wrong(f"is longer than {limit} bytes")
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=pairs,
            parse_int=integer,
            parse_float=number,
            parse_constant=number,
        )
        if b"\\u" in data:  # half a character can stand there in no other way
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        wrong("is not JSON in UTF-8")
    return value


def depth(value: object) -> int:
    """How deep a JSON value is nested: of an object or array 1, and 1 more for each within it.

    >>> depth(7), depth([]), depth({"a": [[]]})
    (0, 1, 3)
    """
    level, found = [value], 0
    while level := [one for one in level if isinstance(one, dict | list)]:
        found += 1
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
    return found


class Fields:
    """A JSON object whose members are exactly ``names``; reads them with their types.

    ``place`` is where it stands, as in ``logs[0].epochs[2]``; every error names it.
    """

    __slots__ = ("_value", "place")

    def __init__(self, value: object, place: str, names: Collection[str]) -> None:
        self.place = place
        if not isinstance(value, dict):
            raise self._wrong("is not an object")
        for name in names:
            if name not in value:
                raise self._wrong(f"lacks the member {name!r}")
        for name in value:
            if name not in names:
                raise self._wrong(f"has an unknown member {name!r:.40}")
        self._value: dict[str, Any] = value

    def _wrong(self, what: str) -> VerificationError:
        return VerificationError(f"{self.place or 'the document'} {what}", where=self.place)

    def at(self, name: str) -> str:
        return f"{self.place}.{name}" if self.place else name

    def raw(self, name: str) -> Any:
        return self._value[name]

    def _bad(self, name: str, what: str) -> VerificationError:
        return VerificationError(f"{self.at(name)} is not {what}", where=self.at(name))

    def text(self, name: str, limit: int = 1024) -> str:
        value = self._value[name]
        if not isinstance(value, str) or len(value) > limit:
            raise self._bad(name, f"a string of at most {limit} characters")
        return value

    def number(self, name: str, low: int = 0, high: int = MAX_NUMBER) -> int:
        value = self._value[name]
        if type(value) is not int or not low <= value <= high:  # true is an int to Python
            raise self._bad(name, f"an integer from {low} to {high}")
        return value

    def binary(self, name: str, size: int | None = None, limit: int = 1 << 20) -> bytes:
        """Base64; exactly ``size`` bytes, or at most ``limit``."""
        value = self._value[name]
        data = decode_base64(value) if isinstance(value, str) and len(value) <= limit * 4 // 3 + 4 else None
        if data is None or (len(data) != size if size is not None else len(data) > limit):
            raise self._bad(name, "base64" + (f" of {size} bytes" if size is not None else ""))
        return data

    def array(self, name: str, limit: int) -> list[Any]:
        value = self._value[name]
        if not isinstance(value, list) or len(value) > limit:
            raise self._bad(name, f"an array of at most {limit}")
        return value

    def each(self, name: str, limit: int, read: Callable[[object, str], T]) -> tuple[T, ...]:
        """Every item of an array, read with its place."""
        return tuple(read(item, f"{self.at(name)}[{i}]") for i, item in enumerate(self.array(name, limit)))


def canonical(value: object) -> bytes:
    """RFC 8785 for what our documents hold: objects with ASCII member names, strings, integers up to 2**53."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8")
