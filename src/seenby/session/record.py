"""The person-free query record: what is committed to in the log and sealed beside it (docs/formats/records.md).

Canonical JSON (RFC 8785): keys sorted, no spaces, UTF-8. All that is the same for one statement of one session is
rendered once; per query only the time, the parameters and the number of rows are put in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring

from seenby.model.classes import DataClass
from seenby.model.disclosure import EntryBound
from seenby.model.plan import Bound, QueryPlan

VERSION = 1
_BOUNDS = {
    Bound.NOBODY: EntryBound.NOBODY,
    Bound.EXACT: EntryBound.EXACT,
    Bound.UPPER: EntryBound.UPPER,
    Bound.STATISTIC: EntryBound.STATISTIC,
}
_AT = "\x00at\x00"
_PARAMETERS = "\x00parameters\x00"
_ROWS = "\x00rows\x00"
_SQLSTATE = "\x00sqlstate\x00"


def canonical(value: object) -> bytes:
    """RFC 8785 for what we use: no floats, keys in the Basic Multilingual Plane."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def instant(seconds: float) -> str:
    """RFC 3339 in UTC with microseconds."""
    micro = round(seconds * 1_000_000)
    whole = micro // 1_000_000
    return f"{_second(whole)}.{micro - whole * 1_000_000:06d}Z"


@lru_cache(maxsize=8)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _texts(values: Sequence[str | None]) -> bytes:
    """The canonical JSON of a list of texts, at a seventh of what ``canonical`` takes for it."""
    return f"[{','.join(['null' if one is None else encode_basestring(one) for one in values])}]".encode()


class RecordTemplate:
    """A query record with four holes, and the per-person parts that go with its plan.

    Attributes:
        bound: of the entry.
        silent: the plan reads no table, so that nothing of it is recorded.
    """

    __slots__ = ("_parts", "_pieces", "_plan", "bound", "silent", "text")

    def __init__(self, facts: Mapping[str, object], plan: QueryPlan, text: str) -> None:
        self.text = text
        self.bound = _BOUNDS[plan.bound]
        self.silent = plan.bound is Bound.NOBODY and not plan.tables
        self._plan = plan
        self._parts: dict[int, bytes] = {}
        record = {
            **facts,
            "at": _AT,
            "bound": plan.bound.value,
            "classes": [str(one) for one in plan.classes],
            "columns": list(plan.columns),
            "kind": "query",
            "parameters": _PARAMETERS,
            "rows": _ROWS,
            "sqlstate": _SQLSTATE,
            "statement": text,
            "tables": list(plan.tables),
            "v": VERSION,
        }
        whole = canonical(record)
        pieces = []
        # A statement cannot contain a zero byte, so a hole cannot be forged. The last one takes its member with it.
        holes = [canonical(hole) for hole in (_AT, _PARAMETERS, _ROWS)]
        for hole in (*holes, b'"sqlstate":%b,' % canonical(_SQLSTATE)):
            before, _, whole = whole.partition(hole)
            pieces.append(before)
        pieces.append(whole)
        self._pieces = tuple(pieces)

    def fill(self, now: float, parameters: Sequence[str | None], rows: int, sqlstate: str = "") -> bytes:
        """``now``: Unix seconds; ``rows``: of this part; ``sqlstate``: of the error that it ended with."""
        a, b, c, d, e = self._pieces
        error = b'"sqlstate":%b,' % canonical(sqlstate) if sqlstate else b""
        return b'%b"%b"%b%b%b%d%b%b%b' % (a, instant(now).encode(), b, _texts(parameters), c, rows, d, error, e)

    def part(self, bits: int) -> bytes:
        """The per-person record of somebody found under these keys of the output (bit 0 = the first key)."""
        part = self._parts.get(bits)
        if part is None:
            columns = [pair for index, key in enumerate(self._plan.keys) if bits >> index & 1 for pair in key.columns]
            part = self._parts[bits] = person_part(columns or self._plan.parts)
        return part


def person_part(columns: Sequence[tuple[str, DataClass]], how: str = "disclosed") -> bytes:
    """What the record says of one person: which of their classes and columns, disclosed or examined."""
    return canonical(
        {
            "classes": sorted({str(one) for _, one in columns}),
            "columns": sorted({name for name, _ in columns}),
            "how": how,
            "v": VERSION,
        }
    )


def attempt_record(
    facts: Mapping[str, object], now: float, text: str, *, sqlstate: str, message: str, detail: str
) -> bytes:
    """A refused attempt: who tried what, and what they were told."""
    return canonical(
        {
            **facts,
            "at": instant(now),
            "detail": detail,
            "kind": "refused",
            "message": message,
            "sqlstate": sqlstate,
            "statement": text,
            "v": VERSION,
        }
    )
