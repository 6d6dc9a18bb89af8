"""Settings that decide what a text means: ``'01/02/2026'`` is a day in January or in February, by DateStyle.

Two things of ours depend on them. A statement that Postgres has prepared keeps what its constants meant then, so all
are prepared anew after a change. And the companion of a run-time error runs on a connection of its own: without the
client's settings it would look for other people than the statement did. So at every error it must be known which
settings were in force.

Nobody can say that from the texts alone (SET LOCAL, savepoints, a rollback takes values back without a word). So
Postgres is asked: after every change, and when a transaction ends that had one. Meanwhile one thing is done at a time:
a change waits until everything before it is answered, and everything behind it waits for the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from seenby.errors import Unavailable
from seenby.model.plan import ControlKind, ControlPlan, Plan, QueryPlan
from seenby.session.expect import Item
from seenby.sql.settings import EVERYTHING, FREE
from seenby.wire import backend, frontend

if TYPE_CHECKING:
    from seenby.session.session import Session
    from seenby.session.waiting import Waiting

NAMES = ("bytea_output", "DateStyle", "extra_float_digits", "IntervalStyle", "TimeZone")
ASK = "SELECT " + ", ".join(f"pg_catalog.current_setting('{name}')" for name in NAMES)

TRIES = 3


class Meaning:
    """The settings in force on a session's link.

    Args:
        settings: what the link was opened with, in Postgres's spelling.

    Attributes:
        now: those that are not as every link has them.
        unsure: a transaction has changed some, so they may change again when it ends.
        failures: so often Postgres did not say which are in force, one time after the other.
    """

    __slots__ = ("failures", "now", "unsure")

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.now = {name: value for name, value in settings.items() if name in NAMES}
        self.unsure = False
        self.failures = 0

    @staticmethod
    def changed_by(plan: Plan) -> bool:
        """Whether ``plan`` changes such a setting."""
        if isinstance(plan, QueryPlan):
            return bool(plan.changes) and FREE.get(plan.changes, "") in NAMES
        if not isinstance(plan, ControlPlan) or plan.kind not in {ControlKind.SET, ControlKind.DISCARD} or not plan.sql:
            return False
        return plan.name == EVERYTHING or FREE.get(plan.name, "") in NAMES

    def learned(self, values: Sequence[bytes | None]) -> bool:
        """Postgres's answer to ASK. True if any is another one than was known."""
        now = {name: (value or b"").decode() for name, value in zip(NAMES, values, strict=True)}
        changed, self.now = now != self.now, now
        return changed


class Learned(Item):
    """The answer to ASK: ``1``, ``2``, ``D``, ``C``. ``ended``: asked by ourselves, when a transaction had ended."""

    __slots__ = ("ended",)

    def __init__(self, *, ended: bool) -> None:
        self.ended = ended

    def on(self, session: Session, kind: int, body: bytes) -> bool:
        if kind in {backend.PARSE_COMPLETE, backend.BIND_COMPLETE}:
            return False
        if kind == backend.DATA_ROW:
            session.meaning.failures = 0
            if session.meaning.learned(backend.read_values(body)):
                session.names.outdate()
            return False
        if kind != backend.COMMAND_COMPLETE:
            return super().on(session, kind, body)
        return True

    def failed(self, session: Session, fields: dict[str, str]) -> None:
        """A cancel that comes late, a timeout. The client did not ask for this, so it is asked again."""
        if not self.ended:
            super().failed(session, fields)  # as if the change itself had failed; its transaction has
            return
        meaning = session.meaning
        meaning.unsure = True
        meaning.failures += 1
        if meaning.failures >= TRIES:
            raise Unavailable("the database does not say which settings are in force", hint="connect again")


def ask(session: Waiting, *, ended: bool = False) -> None:
    """Asks Postgres which settings are in force."""
    session.send(frontend.parse(b"", ASK) + frontend.bind(b"", b"") + frontend.execute(b""))
    session.pending.append(Learned(ended=ended))
