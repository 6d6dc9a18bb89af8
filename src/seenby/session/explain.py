"""EXPLAIN on its way: Postgres's whole plan is collected, and what the grant shows of it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seenby.attribute.strip import strip_rows
from seenby.errors import ProtocolError
from seenby.model.plan import QueryPlan
from seenby.session.results import Results
from seenby.session.statements import Result
from seenby.sql.explain_forms import written
from seenby.sql.explained import shown
from seenby.wire import backend
from seenby.wire.backend import Field

if TYPE_CHECKING:
    from seenby.session.session import Session

_TYPES = {"text": (25, -1), "yaml": (25, -1), "json": (114, -1), "xml": (142, -1)}
"""The column's type and its size, by format."""


class Explained(Results):
    """The answer to EXPLAIN (FORMAT JSON): one ``D``, then ``C``. No row of data is among it, so none is counted."""

    __slots__ = ()

    def take_rows(self, session: Session, data: bytes, at: int, end: int) -> int:  # noqa: ARG002 - as Results
        at, _ = strip_rows(data, at, end, self.result.keys, self._out, self.result.server.width or 0)
        return at

    def _written(self, rows: list[bytes]) -> bytes:
        what = self.result.plan.explains
        if not rows and self.result.part:
            return b""  # the only row was fetched before
        data = b"".join(rows)
        if what is None or int.from_bytes(data[1:5], "big") + 1 != len(data):
            raise ProtocolError("Postgres explained a statement in other than one row")
        (answer,) = backend.read_values(data[5:])
        if answer is None:
            raise ProtocolError("Postgres explained a statement with nothing")
        lines = written(shown(answer, what, self.result.parameters), what.form)
        return b"".join([_row(line.encode()) for line in lines])


def results(result: Result, heading: bytes = b"") -> Results:
    """What waits for the rows of ``result``."""
    return Explained(result, heading) if result.plan.explains else Results(result, heading)


def columns(plan: object, fields: tuple[Field, ...]) -> tuple[Field, ...]:
    """What the client is told of the columns that Postgres describes: an explanation has the type of its own format."""
    if not isinstance(plan, QueryPlan) or plan.explains is None:
        return fields
    return tuple(Field(field.name, *_TYPES[plan.explains.form], -1) for field in fields)


def _row(value: bytes) -> bytes:
    return backend.message(b"D", b"\0\1" + len(value).to_bytes(4, "big") + value)
