"""Rows that a change returned: whose they are, as they were and are, what is recorded and what is told of them."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from struct import Struct

from seenby.errors import ProtocolError
from seenby.model.classes import DataClass
from seenby.model.disclosure import Shown
from seenby.model.plan import WritePlan
from seenby.session.record import canonical, person_part
from seenby.wire import backend
from seenby.wire.backend import Field

_I32 = Struct(">i").unpack_from
_COLUMNS = Struct(">H")
_SIZE = Struct(">i")
PREVIEW_FIELDS = tuple(Field(name, 25, -1, -1) for name in (b"row", b"column", b"before", b"after"))

Row = dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Changed:
    """One row: whose it is (by key of the plan), before and after; None: it was, or is, not there."""

    people: tuple[str | None, ...]
    before: Row | None
    after: Row | None
    shown: bytes  # DataRow of RETURNING

    @property
    def columns(self) -> list[str]:
        """Those whose value differs."""
        before, after = self.before or {}, self.after or {}
        return [name for name in (before or after) if before.get(name) != after.get(name)]


def read(plan: WritePlan, body: bytes) -> Changed:
    """From a DataRow. Raises ProtocolError when its hidden columns are not there."""
    values = [None if one is None else one.decode() for one in backend.read_values(body)[: plan.hidden]]
    if len(values) < plan.hidden:
        raise ProtocolError("Postgres sent a row without its person keys")
    names = [name for name, _ in plan.row]
    people, rest = values[: len(plan.keys)], values[len(plan.keys) :]
    before = dict(zip(names, rest, strict=False)) if plan.before else None
    after = dict(zip(names, rest[len(rest) - len(names) :], strict=True)) if plan.after else None
    return Changed(tuple(people), before, after, _without(body, plan.hidden))


def digests(plan: WritePlan, row: Changed, salt: bytes) -> dict[str, object]:
    """What a record says of one row (docs/formats/records.md)."""
    return {
        "action": plan.action.name.lower(),
        "after": _digest(salt, row.after),
        "before": _digest(salt, row.before),
        "salt": salt.hex(),
        "table": plan.table,
    }


def parts(plan: WritePlan, rows: Sequence[Changed], salts: Sequence[bytes]) -> tuple[Shown, ...]:
    """Per person: the columns that were read or changed, and their rows' digests if there are salts for them."""
    found: dict[str, tuple[set[tuple[str, DataClass]], list[object]]] = {}
    classes = dict(plan.row)
    for place, row in enumerate(rows):
        differing = {(f"{plan.table}.{name}", classes[name]) for name in row.columns}
        for key, owner in zip(row.people, plan.keys, strict=True):
            if key is None:
                continue
            columns, changes = found.setdefault(f"{owner.kind}:{key}", (set(), []))
            columns |= differing | set(owner.columns)
            if salts and (change := digests(plan, row, salts[place])) not in changes:
                changes.append(change)
    return tuple([Shown(person, _part(columns, changes)) for person, (columns, changes) in found.items()])


def anybody(plan: WritePlan, people: Iterable[str], how: str) -> tuple[Shown, ...]:
    """The same for people who could be the ones that an error, or no row at all, is about."""
    part = person_part([pair for key in plan.keys for pair in key.columns], how)
    return tuple([Shown(person, part) for person in dict.fromkeys(people)])


def answer(plan: WritePlan, rows: Sequence[Changed], fields: tuple[Field, ...]) -> bytes:
    """What the client is told once it is committed, with a heading of ``fields`` if there are any."""
    shown = [row.shown for row in rows] if plan.visible else []
    heading = backend.row_description(fields) if plan.visible and fields else b""
    return heading + b"".join(shown) + backend.command_complete(f"{plan.action.value} {len(rows)}")


def preview(plan: WritePlan, rows: Sequence[Changed], *, heading: bool) -> bytes:
    """What it is told when nothing was changed."""
    lines = [line for row in rows for line in _previewed(plan, row)]
    heads = backend.row_description(PREVIEW_FIELDS) if heading else b""
    return heads + b"".join(lines) + backend.command_complete(f"SELECT {len(lines)}")


def _previewed(plan: WritePlan, row: Changed) -> list[bytes]:
    """DataRows, one for each value that differs: ``("videos id=7", "visibility", "public", "hidden")``."""
    named = row.before or row.after or {}
    place = f"{plan.table} " + ", ".join(f"{name}={named[name]}" for name in plan.identity)
    before, after = row.before or {}, row.after or {}
    return [_data_row((place, name, before.get(name), after.get(name))) for name in row.columns]


def _part(columns: Iterable[tuple[str, DataClass]], changes: list[object]) -> bytes:
    """The person's part: as of a query, and what became of their rows."""
    listed = sorted(columns)
    part: dict[str, object] = {
        "classes": sorted({str(one) for _, one in listed}),
        "columns": [name for name, _ in listed],
        "how": "disclosed",
        "v": 1,
    }
    return canonical({**part, "changes": changes} if changes else part)


def _digest(salt: bytes, row: Row | None) -> str | None:
    """HMAC of the row's canonical JSON: without the salt it says nothing, also of a row with few possible values."""
    return None if row is None else hmac.digest(salt, canonical(row), "sha256").hex()


def _without(body: bytes, hidden: int) -> bytes:
    """A DataRow without its first columns."""
    (columns,) = _COLUMNS.unpack_from(body)
    at = 2
    for _ in range(hidden):
        (size,) = _I32(body, at)
        at += 4 + max(size, 0)
    return backend.message(b"D", _COLUMNS.pack(columns - hidden) + body[at:])


def _data_row(values: tuple[str | None, ...]) -> bytes:
    pieces = [_COLUMNS.pack(len(values))]
    for one in values:
        raw = b"" if one is None else one.encode()
        pieces.append(_SIZE.pack(-1 if one is None else len(raw)) + raw)
    return backend.message(b"D", b"".join(pieces))
