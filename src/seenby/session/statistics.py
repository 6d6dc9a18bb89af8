"""A statistic on its way: who stands behind it is known before its rows come, and decides whether they may be shown.

Too few people: under a grant that shows rows too it is answered as rows are, everybody named; under a grant for
statistics alone it is refused. Nearly the people of an earlier statistic: refused under both, because the few in whom
they differ may be just those whom the rows would not name.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from seenby.attribute.cohorts import Groups, Row
from seenby.errors import Internal, LimitReached, ProtocolError
from seenby.model.plan import QueryPlan
from seenby.model.statistic import COHORT_COLUMNS, LARGEST_SHARE, names_a_moment
from seenby.session.expect import Item
from seenby.wire import backend

if TYPE_CHECKING:
    from seenby.session.results import Results
    from seenby.session.session import Session


_WITHOUT = "leave out the totals and FILTERs that would tell what is left out, or group by something coarser"


class CohortRows(Item):
    """Bind and Execute of the cohort query: ``2``, its rows, ``C``."""

    __slots__ = ("_bound", "_groups", "_plan", "_results")

    def __init__(self, results: Results, plan: QueryPlan) -> None:
        cohort = plan.cohort
        if cohort is None:
            raise Internal("a statistic without a cohort query")
        self._results = results
        self._plan = plan
        self._groups = Groups(cohort.levels, cohort.least)
        self._bound = False

    def on(self, session: Session, kind: int, body: bytes) -> bool:
        if kind == backend.DATA_ROW:
            self._groups.add(_row(backend.read_values(body)))
            return False
        if kind == backend.BIND_COMPLETE:
            self._bound = True
            return False
        if kind != backend.COMMAND_COMPLETE:
            return super().on(session, kind, body)
        self._decide(session)
        return True

    def failed(self, session: Session, fields: dict[str, str]) -> None:
        if self._bound:
            self._results.failed(session, fields)
        else:
            super().failed(session, fields)  # a parameter that is no integer says nothing about rows

    def _decide(self, session: Session) -> None:
        """Sets what becomes of the result, before its first row is there."""
        plan, result, groups, access = self._plan, self._results.result, self._groups, session.access
        cohort = plan.cohort
        assert access is not None
        assert cohort is not None
        if cohort.steady and not names_a_moment(result.values.decode("latin-1")):
            # Values as they were bound, with their formats and types: the same bytes can say something else.
            # Settings as of now: every SET before this query has been answered, and none behind it.
            settings = tuple(sorted(session.meaning.now.items()))
            asked = repr((cohort.sql, result.values, result.server.parameters, settings))
            groups.asked = sha256(asked.encode()).digest()
        cohorts = list(groups.cohorts())
        enough = groups.all_large if plan.instead else groups.complete
        near = enough and groups.near
        close = near or (enough and access.cohorts.close(cohorts, cohort.least))
        if enough and not close and not groups.too_many and not groups.heavy:
            if plan.noise is not None:
                try:
                    access.spend()
                except LimitReached as error:
                    result.refused = error
                    return
                result.noise = access.noise(plan.noise.scale)
            access.cohorts.add(cohorts)  # if that cannot be kept, the session ends here
            result.cohort = groups.people
            result.upper.clear()
        elif close:
            access.usage.breaches += 1
            result.refused = LimitReached(
                f"{'two figures of this statistic' if near else 'this statistic and an earlier one'} differ by fewer "
                f"than {cohort.least} people, so that together they would tell about those",
                hint=f"{_WITHOUT if near else 'ask about other groups'}; the refusal is recorded, and ten of them end "
                "the grant",
            )
        elif plan.instead is not None:
            result.plan = plan.instead
            result.template = session.template(plan.instead, result.template.text)
        elif groups.too_many:
            result.refused = LimitReached(
                "this statistic has too many groups", hint="group by something coarser, or narrow the WHERE"
            )
        elif enough:
            result.refused = LimitReached(
                f"somebody has more than one in {LARGEST_SHARE} of the rows behind a figure, so that it would be "
                "nearly theirs",
                hint="ask about more people, or about a table with fewer rows of each",
            )
        else:
            result.refused = LimitReached(
                f"fewer than {cohort.least} people stand behind this statistic", hint="ask about more people"
            )


def _row(values: list[bytes | None]) -> Row:
    if len(values) != COHORT_COLUMNS:
        raise ProtocolError("the cohort query answers with other columns than it asked for")
    level, group, column, bucket, people, keys, rows = values
    if level is None or group is None or column is None or people is None or keys is None or rows is None:
        raise ProtocolError("the cohort query answers with NULL")
    return Row(
        int(level), int(group), int(column), None if bucket is None else int(bucket), int(people), int(keys), int(rows)
    )
