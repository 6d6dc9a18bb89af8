"""SET DateStyle and its like: texts mean what they mean in Postgres, although the gateway keeps statements prepared."""

from __future__ import annotations

import psycopg
import pytest

from tests.fixtures.gateway import AS_THE_GATEWAY, Served, everything, submissions

pytestmark = pytest.mark.postgres

TEXTS = (
    "SELECT '01/02/2020'::date",
    "SELECT '2020-01-01 00:00'::timestamptz AT TIME ZONE 'UTC'",
    "SELECT count(*) FROM accounts WHERE created_at < '2030-01-01' AND '01/02/2020'::date = make_date(2020, 2, 1)",
    "SELECT ad_id::text, details::text FROM devices ORDER BY id LIMIT 1",
)


@pytest.fixture(scope="module")
def grant(served: Served) -> str:
    return everything(served)


@pytest.mark.parametrize("prepare", [False, True])
def test_constants_are_read_again_after_a_change(served: Served, grant: str, prepare: bool) -> None:
    with served.connect("aoife.byrne", grant) as through, served.direct(AS_THE_GATEWAY) as direct:
        for change in (
            "SET DateStyle = 'ISO, DMY'",
            "SET TimeZone = 'Asia/Tokyo'",
            "RESET DateStyle",
            "RESET TimeZone",
        ):
            for text in TEXTS:
                through.execute(text, prepare=prepare)  # as it was; psycopg keeps what it prepared
            for connection in (through, direct):
                connection.execute(change)
            for text in TEXTS:
                assert through.execute(text, prepare=prepare).fetchall() == direct.execute(text).fetchall(), change


def test_the_companion_of_an_error_reads_constants_as_the_statement_did(served: Served, grant: str) -> None:
    """03/02 is before 02/04 in February and April only: otherwise the companion would find nobody."""
    with served.direct() as direct:
        (one,) = direct.execute("SELECT min(id) FROM accounts").fetchone() or (0,)
    query = (
        f"SELECT id FROM accounts WHERE id = {one} AND '03/02/2020'::date < '02/04/2020'::date"
        " AND CASE WHEN handle > '' THEN 1 / (length(handle) - length(handle)) = 1 ELSE false END"
    )
    dsn = served.dsn("aoife.byrne", grant)
    with psycopg.connect(dsn, autocommit=True) as changed:
        changed.execute("SET DateStyle = 'DMY'")
        with submissions(served) as found, pytest.raises(psycopg.errors.DivisionByZero):
            changed.execute(query)
        assert found == [[f"account:{one}"]]
    options = f"-c seenby.grant={grant} -c DateStyle=DMY"
    with psycopg.connect(served.dsn("aoife.byrne"), autocommit=True, options=options) as signed_in:
        with submissions(served) as found, pytest.raises(psycopg.errors.DivisionByZero):
            signed_in.execute(query)
        assert found == [[f"account:{one}"]]


def test_such_a_set_stands_alone(served: Served, grant: str) -> None:
    with served.connect("aoife.byrne", grant) as connection:
        for text in (
            "BEGIN; SET TimeZone = 'UTC'",
            "SET TimeZone = 'UTC'; SELECT 1",
            "SELECT 1; SET DateStyle = 'DMY'",
        ):
            with pytest.raises(psycopg.errors.CantChangeRuntimeParam):
                connection.execute(text)
            connection.execute("ROLLBACK")
        connection.execute("SET application_name = 'x'; SELECT 1")
        with connection.pipeline() as pipeline:
            connection.execute("SET TimeZone = 'Asia/Tokyo'")
            connection.execute("SELECT id FROM accounts LIMIT 1")
            with pytest.raises(psycopg.errors.CantChangeRuntimeParam):
                pipeline.sync()
