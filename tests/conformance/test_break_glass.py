"""Break-glass as its user meets it: a warning in every session, the record, and the lock in the middle of a result."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
import pytest

from seenby.grants.signing import Verb
from seenby.model.disclosure import QueryDisclosure
from tests.conformance.test_limits import BITE_SECONDS, Reading, until
from tests.conformance.test_statistics import recorded
from tests.fixtures.gateway import Served
from tests.fixtures.pace import in_time
from tests.fixtures.psql import Psql

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("served")]

USER = "dana.price"


def sign(served: Served, reviewer: str, grant: str, verb: Verb) -> None:
    client = served.client(reviewer)
    commit = bytes.fromhex(client.read(f"/grants/{grant}")["commit"])
    body = {"signature": client.sign(verb, grant, commit), "verdict": str(verb), "note": ""}
    client.post_signed(f"/grants/{grant}/review", body)


@pytest.fixture
def glass(served: Served) -> Iterator[str]:
    """Broken by USER, about one person; settled afterwards, whatever the test made of it."""
    person = f"account:{served.world.cast.customer.person.key}"
    why = "she says goodbye in a live video"
    cells = ("contact", ["eu"]), ("location", ["eu"])
    grant = served.grant(USER, *cells, people=[person], seconds=1200, emergency=True, reason=why)
    yield grant
    view = served.client("ines.moreau").read(f"/grants/{grant}")
    if "ines.moreau" not in {signed["name"] for signed in view["signatures"]}:
        sign(served, "ines.moreau", grant, Verb.JUSTIFIED)


def test_every_record_says_so(served: Served, glass: str) -> None:
    with served.connect(USER, glass) as connection, recorded(served) as items:
        assert len(connection.execute("SELECT phone FROM accounts").fetchall()) == 1
    [entry] = [item for item in items if isinstance(item, QueryDisclosure)]
    assert b'"emergency":true,"grant"' in entry.record
    assert b'"reason":"she says goodbye in a live video"' in entry.withheld
    assert b"goodbye" not in entry.record


def test_every_session_is_warned(served: Served, glass: str, psql: Psql) -> None:
    warning = (
        "WARNING:  this is break-glass: everybody you look at is told that it was an emergency, and 1 approver of eu"
    )
    assert warning in psql(served.dsn(USER, glass), "SELECT 1").stderr


def test_a_lock_cuts_every_session_within_a_second_in_the_middle_of_a_result(served: Served, glass: str) -> None:
    other = served.grant(USER, ("behaviour", ["eu"]))
    role, _ = served.role(USER, other)
    with served.connect(USER, other) as connection, served.connect(USER, glass) as idle:
        reading = Reading(connection)
        assert reading.error is None
        began = time.monotonic()
        sign(served, "marta.silva", glass, Verb.UNJUSTIFIED)
        error = reading.end()
        assert in_time(reading.ended - began, BITE_SECONDS)
        assert error.sqlstate == "57P01"
        assert "is locked: a reviewer found break-glass" in str(error)
        with pytest.raises(psycopg.OperationalError):
            idle.execute("SELECT 1")
    for grant in ("", other, glass):
        with pytest.raises(psycopg.OperationalError, match="is locked: a reviewer found break-glass"):
            served.connect(USER, grant)
    with served.direct() as direct:
        asked = "SELECT 1 FROM pg_roles WHERE rolname = %s AND rolcanlogin"
        until(lambda: direct.execute(asked, (role,)).fetchone() is None)
    sign(served, "ines.moreau", glass, Verb.JUSTIFIED)

    def goes_on() -> bool:
        try:
            served.connect(USER, other).close()
        except psycopg.OperationalError:
            return False
        return True

    until(goes_on)
