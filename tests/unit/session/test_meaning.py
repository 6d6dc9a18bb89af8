"""A SET that decides what texts mean stands alone, so that the settings in force are always known."""

from __future__ import annotations

import pytest

from seenby.model.plan import Bound, ControlKind, ControlPlan, Plan, QueryPlan
from seenby.session.meaning import Meaning

QUERY = QueryPlan("SELECT 1", Bound.NOBODY, 1)
COMMIT = ControlPlan(ControlKind.COMMIT, "COMMIT", "COMMIT")
NAME = ControlPlan(ControlKind.SET, "SET", "SET application_name TO 'x'", "application_name", "x")


def change(name: str, value: str = "") -> ControlPlan:
    return ControlPlan(ControlKind.SET, "SET", f"SET {name}", name.lower(), value)


ZONE = change("TimeZone", "Asia/Tokyo")


@pytest.mark.parametrize(
    ("plans", "block", "runs"),
    [
        ((ZONE,), False, True),
        ((ZONE,), True, False),
        ((QUERY, ZONE), False, False),
        ((ZONE, QUERY), False, False),
        ((ZONE, COMMIT), False, False),
        ((COMMIT, ZONE), False, False),
        ((ZONE, change("DateStyle", "DMY")), False, False),
        ((ZONE, NAME), False, False),
        ((NAME, QUERY, NAME, COMMIT), True, True),
    ],
)
def test_what_may_stand_in_one_batch(plans: tuple[Plan, ...], block: bool, runs: bool) -> None:
    meaning = Meaning({})
    refusals = [meaning.refusal(plan, 4, block=block) for plan in plans]
    assert refusals[:-1] == [None] * (len(plans) - 1)
    assert (refusals[-1] is None) is runs


def test_after_the_batch_everything_may_run_again() -> None:
    meaning = Meaning({})
    plans: tuple[Plan, ...] = (QUERY, ZONE, QUERY, ZONE)
    for batch, plan in enumerate(plans):
        assert meaning.refusal(plan, batch, block=False) is None


def test_the_settings_in_force() -> None:
    meaning = Meaning({"TimeZone": "Europe/Dublin", "extra_float_digits": "3", "application_name": "x"})
    assert meaning.now == {"TimeZone": "Europe/Dublin", "extra_float_digits": "3"}
    meaning.told("TimeZone", "Asia/Tokyo")
    meaning.told("session_authorization", "seenby_g_1")
    meaning.done(change("extra_float_digits", "0"))
    meaning.done(change("bytea_output", "escape"))
    meaning.done(change("TimeZone", "asia/tokyo"))  # Postgres's spelling counts
    assert meaning.now == {"TimeZone": "Asia/Tokyo", "extra_float_digits": "0", "bytea_output": "escape"}
    meaning.done(change("extra_float_digits"))  # RESET
    meaning.done(change("bytea_output"))
    assert meaning.now == {"TimeZone": "Asia/Tokyo", "extra_float_digits": "3"}
