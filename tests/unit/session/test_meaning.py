"""Which statements change what texts mean, and what is known of the settings in force."""

from __future__ import annotations

import pytest

from seenby.model.plan import Bound, ControlKind, ControlPlan, Plan, QueryPlan
from seenby.session.meaning import NAMES, Meaning

QUERY = QueryPlan("SELECT 1", Bound.NOBODY, 1)


def change(name: str, sql: str = "SET") -> ControlPlan:
    return ControlPlan(ControlKind.SET, "SET", sql, name)


@pytest.mark.parametrize(
    ("plan", "changes"),
    [
        (QUERY, False),
        (QueryPlan("SELECT set_config(...)", Bound.NOBODY, 1, changes="timezone"), True),
        (QueryPlan("SELECT set_config(...)", Bound.NOBODY, 1, changes="application_name"), False),
        (ControlPlan(ControlKind.COMMIT, "COMMIT", "COMMIT"), False),
        (change("application_name"), False),
        (change("statement_timeout"), False),
        (change("timezone", ""), False),
        *((change(name.lower()), True) for name in NAMES),
        (change("all"), True),
        (ControlPlan(ControlKind.DISCARD, "DISCARD ALL", "RESET ALL", "all"), True),
        (ControlPlan(ControlKind.DISCARD, "DISCARD PLANS"), False),
        (ControlPlan(ControlKind.SHOW, "SHOW", "SHOW timezone", "timezone"), False),
    ],
)
def test_what_changes_the_meaning_of_texts(plan: Plan, changes: bool) -> None:
    assert Meaning.changed_by(plan) is changes


def test_only_what_postgres_says_is_known() -> None:
    meaning = Meaning({"TimeZone": "Europe/Dublin", "extra_float_digits": "3", "application_name": "x"})
    assert meaning.now == {"TimeZone": "Europe/Dublin", "extra_float_digits": "3"}
    values = (b"hex", b"ISO, MDY", b"3", b"postgres", b"Asia/Tokyo")
    assert meaning.learned(values)
    assert meaning.now == dict(zip(NAMES, ("hex", "ISO, MDY", "3", "postgres", "Asia/Tokyo"), strict=True))
    assert not meaning.learned(values)
    assert meaning.learned((b"escape", *values[1:]))
