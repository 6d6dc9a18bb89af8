"""A statistic on its way: who stands behind it is known before it is sent, and decides what is (verdict.py).

Under a grant for statistics alone its figures are shown, or it is refused, and Postgres is never asked for it. Under
one for rows too, everybody may be named instead: then another text is sent, whose rows bring the person keys.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from seenby.attribute.cohorts import Groups, Row
from seenby.attribute.verdict import Verdict, verdict
from seenby.errors import Internal, LimitReached, ProtocolError
from seenby.model.statistic import COHORT_COLUMNS, LARGEST_SHARE, names_a_moment
from seenby.session.expect import Item
from seenby.wire import backend

if TYPE_CHECKING:
    from seenby.session.results import Results
    from seenby.session.session import Session


_DIFFER = "differ by fewer than {least} people, so that together they would tell about those"
_RECORDED = "the refusal is recorded, and ten of them end the grant"
_WORDS = {
    Verdict.NEAR: (
        f"two figures of this statistic {_DIFFER}",
        "leave out the totals and FILTERs that would tell what is left out, or group by something coarser; "
        + _RECORDED,
    ),
    Verdict.CLOSE: (f"this statistic and an earlier one {_DIFFER}", f"ask about other groups; {_RECORDED}"),
    Verdict.MANY: ("this statistic has too many groups", "group by something coarser, or narrow the WHERE"),
    Verdict.HEAVY: (
        f"somebody has more than one in {LARGEST_SHARE} of the rows behind a figure, so that it would be nearly theirs",
        "ask about more people, or about a table with fewer rows of each",
    ),
    Verdict.FEW: ("fewer than {least} people stand behind this statistic", "ask about more people"),
}
"""Of each refusal the message and the hint."""
_BREACHES = frozenset({Verdict.NEAR, Verdict.CLOSE})


class CohortRows(Item):
    """Bind and Execute of the cohort query: ``2``, its rows, ``C``."""

    __slots__ = ("_bound", "_cohort", "_groups", "_results")

    def __init__(self, results: Results) -> None:
        cohort = results.result.plan.cohort
        if cohort is None:
            raise Internal("a statistic without a cohort query")
        self._results = results
        self._cohort = cohort
        self._groups = Groups(cohort.levels, cohort.least)
        self._bound = False

    @property
    def sql(self) -> str:
        return self._cohort.sql

    def on(self, session: Session, kind: int, body: bytes) -> bool:
        if kind == backend.DATA_ROW:
            self._groups.add(_row(backend.read_values(body)))
            return False
        if kind == backend.BIND_COMPLETE:
            self._bound = True
            return False
        if kind != backend.COMMAND_COMPLETE:
            return super().on(session, kind, body)
        try:
            self._decide(session)
        except LimitReached as error:
            session.limit_reached(error, self._results.result, None)
        return True

    def failed(self, session: Session, fields: dict[str, str]) -> None:
        if self._bound:
            self._results.failed(session, fields)
        else:
            super().failed(session, fields)  # a parameter that is no integer says nothing about rows

    def _decide(self, session: Session) -> None:
        """Sets what becomes of the result. Raises LimitReached where nothing may be shown."""
        result, groups, access, least = self._results.result, self._groups, session.access, self._cohort.least
        plan = result.plan
        assert access is not None
        groups.asked = self._asked(session)
        naming = plan.instead is not None
        cohorts = list(groups.cohorts(small=naming))
        found = verdict(groups, cohorts, access.cohorts, least, naming=naming)
        if found in _WORDS:
            if found in _BREACHES:
                access.usage.breaches += 1
            message, hint = _WORDS[found]
            raise LimitReached(message.format(least=least), hint=hint)
        if found is Verdict.NAMED:
            for cohort in cohorts:
                cohort.named = True
            assert plan.instead is not None
            result.plan = plan.instead
        else:
            if plan.noise is not None:
                access.spend()
                result.noise = access.noise(plan.noise.scale)
            result.cohort = groups.people
        access.cohorts.add(cohorts)  # if that cannot be kept, the session ends here

    def _asked(self, session: Session) -> bytes:
        """A digest of what chose the people; b"" where that may be others at another time."""
        result = self._results.result
        if not self._cohort.steady or names_a_moment(result.values.decode("latin-1")):
            return b""
        # Values as they were bound, with their formats and types: the same bytes can say something else.
        # Settings as of now: every SET before this query has been answered, and none behind it.
        settings = tuple(sorted(session.meaning.now.items()))
        return sha256(repr((self.sql, result.values, result.server.parameters, settings)).encode()).digest()


def _row(values: list[bytes | None]) -> Row:
    if len(values) != COHORT_COLUMNS:
        raise ProtocolError("the cohort query answers with other columns than it asked for")
    level, group, column, bucket, people, keys, rows = values
    if level is None or group is None or column is None or people is None or keys is None or rows is None:
        raise ProtocolError("the cohort query answers with NULL")
    return Row(
        int(level), int(group), int(column), None if bucket is None else int(bucket), int(people), int(keys), int(rows)
    )
