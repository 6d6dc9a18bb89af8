"""The person-free query record: what is committed to in the log and sealed beside it (docs/formats/records.md).

It has two halves: the record, for the people concerned too, and what is withheld from them. Canonical JSON (RFC 8785):
keys sorted, no spaces, UTF-8. All that is the same for one statement of one session is rendered once; per query only
the time, the parameters and the number of rows are put in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring
from typing import NamedTuple

from seenby.errors import Internal
from seenby.model.classes import DataClass
from seenby.model.disclosure import EntryBound
from seenby.model.plan import Bound, QueryPlan
from seenby_verify.tlog.records import HOLE

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
NOTHING = b'{"v":1}'
"""The withheld half where nothing is withheld."""


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


class RecordFacts(NamedTuple):
    """Members that all records of a grant or a session have, in both halves.

    An object may stand in both, each with its own members: ``principal`` is a country, a role and so on, and withheld
    a name.
    """

    visible: Mapping[str, object]
    withheld: Mapping[str, object]

    def with_session(self, own: RecordFacts) -> RecordFacts:
        """These of the grant and ``own`` of the session, which win."""
        return RecordFacts({**self.visible, **own.visible}, {**self.withheld, **own.withheld})


class RecordTemplate:
    """Both halves of a query record with their holes, and the per-person parts that go with its plan.

    Attributes:
        bound: of the entry.
        silent: the plan reads no table, so that nothing of it is recorded.
    """

    __slots__ = ("_parts", "_plan", "_record", "_withheld", "bound", "silent", "text")

    def __init__(self, facts: RecordFacts, plan: QueryPlan, text: str) -> None:
        self.text = text
        self.bound = _BOUNDS[plan.bound]
        self.silent = plan.bound is Bound.NOBODY and not plan.tables
        self._plan = plan
        self._parts: dict[int, bytes] = {}
        record = {
            **facts.visible,
            "at": _AT,
            "bound": plan.bound.value,
            "classes": [str(one) for one in plan.classes],
            "columns": list(plan.columns),
            "kind": "query",
            "tables": list(plan.tables),
            "v": VERSION,
        }
        if plan.cohort is not None and plan.bound is Bound.STATISTIC:
            said: dict[str, object] = {"conditions": list(plan.conditions), "least": plan.cohort.least}
            if plan.noise is not None:
                said["epsilon"] = plan.noise.epsilon
            record["statistic"] = said
        withheld = {
            **facts.withheld,
            "parameters": _PARAMETERS,
            "rows": _ROWS,
            "sqlstate": _SQLSTATE,
            "statement": text,
            "v": VERSION,
        }
        # A statement cannot contain a zero byte, so a hole cannot be forged. The last one takes its member with it.
        self._record = _pieces(_open(record), canonical(_AT))
        holes = (canonical(_PARAMETERS), canonical(_ROWS), b'"sqlstate":%b,' % canonical(_SQLSTATE))
        self._withheld = _pieces(canonical(withheld), *holes)

    def fill(self, now: float, parameters: Sequence[str | None], rows: int, sqlstate: str = "") -> tuple[bytes, bytes]:
        """(record up to the commitment of the other half, withheld half).

        ``now``: Unix seconds; ``rows``: of this part; ``sqlstate``: of the error that it ended with.
        """
        before, after = self._record
        a, b, c, d = self._withheld
        error = b'"sqlstate":%b,' % canonical(sqlstate) if sqlstate else b""
        return (
            b'%b"%b"%b' % (before, instant(now).encode(), after),
            b"%b%b%b%d%b%b%b" % (a, _texts(parameters), b, rows, c, error, d),
        )

    def part(self, bits: int) -> bytes:
        """The per-person record of somebody found under these keys of the output (bit 0 = the first key)."""
        part = self._parts.get(bits)
        if part is None:
            columns = [pair for index, key in enumerate(self._plan.keys) if bits >> index & 1 for pair in key.columns]
            part = self._parts[bits] = person_part(columns or self._plan.parts)
        return part

    @property
    def examined(self) -> bytes:
        """The per-person record of somebody whom the statement was about, and whose data it does not show."""
        columns = [pair for key in self._plan.keys for pair in key.columns]
        return person_part(columns or self._plan.parts, "examined")


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
    facts: RecordFacts, now: float, text: str, *, sqlstate: str, message: str, detail: str
) -> tuple[bytes, bytes]:
    """A refused attempt, as ``RecordTemplate.fill``: who tried what, and what they were told."""
    told = {"detail": detail, "message": message, "sqlstate": sqlstate, "statement": text, "v": VERSION}
    return event_record("refused", now, facts.visible), canonical({**facts.withheld, **told})


def event_record(kind: str, now: float, visible: Mapping[str, object]) -> bytes:
    """What happened, up to the commitment of the withheld half: ``{"at":...,"kind":"enrolled",...,"withheld":"``."""
    return _open({**visible, "at": instant(now), "kind": kind, "v": VERSION})


def _open(record: Mapping[str, object]) -> bytes:
    """The canonical JSON of a record that the ledger will end: with the commitment of the withheld half."""
    text = canonical({**record, "withheld": ""})
    if not text.endswith(HOLE + b'"}'):
        raise Internal("a record has a member behind the last one")
    return text[:-2]


def _pieces(text: bytes, *holes: bytes) -> list[bytes]:
    pieces = []
    for hole in holes:
        before, _, text = text.partition(hole)
        pieces.append(before)
    return [*pieces, text]
