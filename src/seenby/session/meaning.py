"""Settings that decide what a text means: ``'01/02/2026'`` is a day in January or in February, by DateStyle.

Two things of ours depend on them. A statement that Postgres has prepared keeps what its constants meant then, so all
are prepared anew after a change. And the companion of a run-time error runs on a connection of its own: without the
client's settings it would look for other people than the statement did. So at every error it must be known which
settings were in force; a rollback would take them back without a word. Therefore such a SET stands alone: outside of
transaction blocks, and with nothing else between two Syncs.
"""

from __future__ import annotations

from collections.abc import Mapping

from seenby.errors import ParameterFixed
from seenby.model.plan import ControlKind, ControlPlan, Plan
from seenby.sql.settings import FREE

TOLD = frozenset({"DateStyle", "IntervalStyle", "TimeZone"})
"""Postgres reports their new values (ParameterStatus, 54.2.7)."""
_ALL = TOLD | {"bytea_output", "extra_float_digits"}


class Meaning:
    """The settings in force on a session's link.

    Args:
        settings: what the link was opened with, in Postgres's spelling.

    Attributes:
        now: those that are not as every link has them.
    """

    __slots__ = ("_batch", "_first", "_set", "now")

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._first = {name: value for name, value in settings.items() if name in _ALL}
        self.now = dict(self._first)
        self._batch = -1  # the last one that did anything
        self._set = False  # what it did was such a SET

    @staticmethod
    def changed_by(plan: Plan) -> str:
        """The setting that ``plan`` changes, in Postgres's spelling, or ""."""
        if not isinstance(plan, ControlPlan) or plan.kind is not ControlKind.SET or not plan.sql:
            return ""
        name = FREE.get(plan.name, "")
        return name if name in _ALL else ""

    def refusal(self, plan: Plan, batch: int, *, block: bool) -> ParameterFixed | None:
        """Why ``plan`` may not run in this batch (what stands between two Syncs); None: it runs.

        Args:
            block: BEGIN was sent, and its end not yet seen.
        """
        name = self.changed_by(plan)
        first, behind_set = batch != self._batch, self._set and batch == self._batch
        self._batch, self._set = batch, bool(name) or behind_set
        if behind_set:
            return ParameterFixed("nothing can follow this SET in one message", hint="send it as a message of its own")
        if name and (block or not first):
            return ParameterFixed(
                f"{name} can be changed outside of transactions only, in a message of its own",
                hint=f"do it before BEGIN (psycopg: autocommit), or sign in with options='-c {name}=...'",
            )
        return None

    def done(self, plan: ControlPlan) -> None:
        """Postgres has carried out ``plan``."""
        name = self.changed_by(plan)
        if name and name not in TOLD:
            value = plan.value or self._first.get(name, "")
            self.now.pop(name, None)
            if value:
                self.now[name] = value

    def told(self, name: str, value: str) -> None:
        """A ParameterStatus."""
        if name in TOLD:
            self.now[name] = value
