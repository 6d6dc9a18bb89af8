"""Rows on their way: keys are taken off, the part is recorded, and only then may it be shown (invariant I1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seenby.attribute.arrays import elements
from seenby.attribute.noise import noised
from seenby.attribute.strip import strip_rows
from seenby.errors import Internal, LimitReached, SeenbyError
from seenby.model.disclosure import EntryBound, QueryDisclosure, Shown
from seenby.model.plan import Bound
from seenby.session import server_errors
from seenby.session.expect import Item
from seenby.session.statements import Result
from seenby.wire import backend

if TYPE_CHECKING:
    from seenby.session.session import Session
    from seenby.session.telling import Telling

NO_GRANT = bytes(16)
PART_BYTES = 128 * 1024
"""A result larger than this is recorded and released in parts."""


class Results(Item):
    """The answer to Execute of a query: ``D``*, then ``C``, ``s`` or ``I``."""

    __slots__ = ("_bytes", "_out", "_rows", "_shown", "heading", "result")

    def __init__(self, result: Result, heading: bytes = b"") -> None:
        self.result = result
        self.heading = heading  # RowDescription of the simple protocol
        self._out: list[bytes] = []
        self._rows = 0
        self._bytes = 0
        self._shown = 0  # rows of earlier parts of this Execute

    def take_rows(self, session: Session, data: bytes, at: int, end: int) -> int:
        """Takes all whole DataRows at ``at``. Returns the position after them."""
        start = at
        result = self.result
        out = self._out
        if result.skip:
            out = []
        at, rows = strip_rows(data, at, end, result.keys, out, result.server.width or 0)
        if result.skip and rows:
            out, rows = _drop_first(out, rows, result)
            self._out += out
        self._rows += rows
        self._bytes += at - start
        if self._bytes > PART_BYTES:
            self.record(session, final=False)
        return at

    def on(self, session: Session, kind: int, body: bytes) -> bool:
        if kind == backend.COMMAND_COMPLETE:
            self.record(session, final=True)
            # Rows that OFFSET dropped are not counted.
            session.emit(self._complete())
            return True
        if kind == backend.SUSPENDED:
            self.record(session, final=False)
            session.emit(backend.SUSPENDED_DONE)
            return True
        return super().on(session, kind, body)

    def _complete(self) -> bytes:
        return backend.command_complete(self.result.plan.tag or f"SELECT {self._shown}")

    def record(self, session: Session, *, final: bool) -> None:
        """Names everybody in this part; its bytes wait behind the entry."""
        out, rows = self._out, self._rows
        self._out, self._rows, self._bytes = [], 0, 0
        if session.outbox.muted:
            return
        result = self.result
        if result.plan.noise is not None:
            out = [self._noised(b"".join(out))]
        template = result.template
        if template.silent:
            session.emit(self._head() + self._written(out))
            self._shown += rows
            return
        people = self._people()
        access = session.access
        assert access is not None
        try:
            access.usage.charge(access.terms, [shown.person for shown in people], rows)
        except LimitReached as error:
            session.limit_reached(error, result, people)
            return
        self._shown += rows
        item = QueryDisclosure(
            *template.fill(session.clock(), result.parameters, rows),
            people,
            result.part,
            final,
            template.bound,
            session.grant_id,
            rows,
            session.principal,
            result.cohort,
        )
        tell = self._head() + self._written(out)
        lookup = result.plan.looks_up and template.bound is not EntryBound.STATISTIC  # which names nobody
        if final and lookup and (result.plan.several or (not people and result.part == 0)):
            session.examine(result, item, tell)
        else:
            session.record(item, tell)
        result.part += 1

    def _noised(self, rows: bytes) -> bytes:
        draw, plan = self.result.noise, self.result.plan
        if draw is None or plan.noise is None:
            raise Internal("a statistic without its noise")
        return noised(rows, plan.noise.columns, draw)

    def failed(self, session: Session, fields: dict[str, str]) -> None:
        """A run-time error is one bit about everybody whose rows could have raised it: they are named too."""
        self._out, self._rows, self._bytes = [], 0, 0
        error = server_errors.run_time_error(fields)
        if session.outbox.muted:
            return
        if self.result.plan.bound is Bound.NOBODY or not server_errors.depends_on_data(error.state):
            session.emit(backend.error_response(error))
            return
        session.attribute_error(self.result, error)

    def _head(self) -> bytes:
        heading, self.heading = self.heading, b""
        return heading

    def _written(self, rows: list[bytes]) -> bytes:
        """What the client is sent for these rows."""
        return b"".join(rows)

    def _people(self) -> tuple[Shown, ...]:
        result = self.result
        if result.upper:
            upper, result.upper = result.upper, []
            part = result.template.part(0)
            return tuple(Shown(person, part) for person in dict.fromkeys(upper))
        keys = result.plan.keys
        if len(keys) == 1 and not result.named and not keys[0].many:
            # The common case: one key, first part. Everybody found is new.
            prefix = keys[0].kind + ":"
            part = result.template.part(1)
            shown = [Shown(prefix + raw.decode(), part) for raw in result.keys[0]]
            result.keys[0].clear()
            result.named = {one.person: 1 for one in shown}
            return tuple(shown)
        found: dict[str, int] = {}
        for index, (key, raws) in enumerate(zip(keys, result.keys, strict=True)):
            for raw in raws:
                for name in elements(raw) if key.many else (raw.decode(),):
                    person = f"{key.kind}:{name}"
                    found[person] = found.get(person, 0) | 1 << index
            raws.clear()
        fresh = []
        for person, bits in found.items():
            before = result.named.get(person, 0)
            if bits & ~before:
                result.named[person] = before | bits
                fresh.append(Shown(person, result.template.part(bits & ~before)))
        return tuple(fresh)


def people_of_error(session: Telling, result: Result, people: list[str] | None) -> tuple[Shown, ...] | None:
    """Whom a run-time error is about, without those already recorded. None: nobody could say, and no list helps."""
    access = session.access
    assert access is not None
    if people is None:
        scope = access.terms.people
        if scope is None:
            return None
        people = [str(person) for person in scope]
    part = result.template.part((1 << len(result.plan.keys)) - 1)
    return tuple(Shown(person, part) for person in dict.fromkeys(people) if person not in result.named)


def told_by_error(
    session: Telling, result: Result, error: SeenbyError, people: tuple[Shown, ...], grant: bytes
) -> QueryDisclosure:
    """The entry for an error that tells something about ``people``, none of whose rows is shown.

    ``grant``: NO_GRANT leaves it out of the grant's usage (a breach of a cap is not charged against the cap).
    """
    record, withheld = result.template.fill(session.clock(), result.parameters, 0, error.state)
    return QueryDisclosure(record, withheld, people, result.part, True, EntryBound.UPPER, grant, 0, session.principal)


def _drop_first(pieces: list[bytes], rows: int, result: Result) -> tuple[list[bytes], int]:
    """OFFSET: the rows were attributed, and are not shown. Pieces are cut into rows only here."""
    data = b"".join(pieces)
    dropped = min(rows, result.skip)
    at = 0
    for _ in range(dropped):
        at += 1 + int.from_bytes(data[at + 1 : at + 5], "big")
    result.skip -= dropped
    return ([data[at:]] if at < len(data) else []), rows - dropped
