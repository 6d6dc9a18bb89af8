"""A schema that the data map no longer fits: nothing is shown until somebody put that right."""

from __future__ import annotations

import time

import psycopg
import pytest

from tests.fixtures.gateway import Served, last_words

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("served")]

QUERY = "SELECT id FROM accounts LIMIT 1"


def told(served: Served, grant: str) -> str:
    """What a new session is told; "" if it works."""
    try:
        with served.connect("aoife.byrne", grant) as connection:
            connection.execute(QUERY)
    except psycopg.Error as error:
        return str(error)
    return ""


def test_sessions_end_and_no_new_one_begins_until_the_map_fits_again(served: Served) -> None:
    grant = served.grant("aoife.byrne", ("public", ["eu"]))
    with served.direct() as platform, served.connect("aoife.byrne", grant) as session:
        platform.execute("ALTER TABLE sounds RENAME title TO titel")
        try:
            assert "sounds has no column title" in last_words(session, QUERY)
            # Longer than between two looks at the schema: each of them cut sessions, and let new ones in.
            for _ in range(25):
                assert "sounds has no column title" in told(served, grant)
                time.sleep(0.1)
        finally:
            platform.execute("ALTER TABLE sounds RENAME titel TO title")
        deadline = time.monotonic() + 60
        while told(served, grant):
            assert time.monotonic() < deadline
