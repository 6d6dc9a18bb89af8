"""SET DateStyle and its like: texts mean what they mean in Postgres, although the gateway keeps statements prepared."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import pq

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


MIXED = (
    # pgAdmin's first message
    ("SET DateStyle=ISO; SET client_min_messages=notice; SET client_encoding='UTF8'; SELECT '01/02/2020'::date",),
    ("SET DateStyle = 'ISO, DMY'; SELECT '01/02/2020'::date; SET DateStyle = 'ISO, MDY'; SELECT '01/02/2020'::date",),
    ("SELECT '01/02/2020'::date; SET DateStyle = 'SQL, DMY'; SELECT '01/02/2020'::date, 1/0",),
    ("BEGIN", "SET TimeZone = 'Asia/Tokyo'", "SELECT '2020-01-01 00:00'::timestamptz", "COMMIT", "SHOW TimeZone"),
    ("BEGIN", "SET TimeZone = 'Asia/Tokyo'", "SELECT '2020-01-01 00:00'::timestamptz", "ROLLBACK",
     "SELECT '2020-01-01 00:00'::timestamptz"),
    ("BEGIN", "SET LOCAL DateStyle = 'ISO, DMY'", "SELECT '01/02/2020'::date", "COMMIT", "SELECT '01/02/2020'::date"),
    ("BEGIN", "SET DateStyle = 'ISO, DMY'", "SELECT 1/0", "SELECT 1", "ROLLBACK", "SELECT '01/02/2020'::date"),
    ("BEGIN", "SET DateStyle = 'ISO, DMY'", "SAVEPOINT s", "SET DateStyle = 'ISO, YMD'", "SELECT '01/02/03'::date",
     "ROLLBACK TO s", "SELECT '01/02/03'::date", "RELEASE s", "COMMIT", "SELECT '01/02/03'::date"),
    ("BEGIN; SET TimeZone = 'Asia/Tokyo'; SAVEPOINT s; SET TimeZone = 'UTC'; ROLLBACK TO s; SELECT now() IS NOT NULL",
     "SHOW TimeZone", "ROLLBACK AND CHAIN", "SHOW TimeZone", "COMMIT AND CHAIN", "SELECT 1", "COMMIT"),
    ("BEGIN", "SET LOCAL DateStyle = 'ISO, DMY'", "SELECT '01/02/2020'::date", "COMMIT AND CHAIN",
     "SELECT '01/02/2020'::date", "COMMIT"),
    ("SET TimeZone = 'Nowhere/Such'; SELECT 1", "SHOW TimeZone"),
    ("SET LOCAL TimeZone = 'Asia/Tokyo'; SELECT '2020-01-01 00:00'::timestamptz", "SHOW TimeZone"),
    ("SELECT set_config('TimeZone', 'Asia/Tokyo', false)", "SELECT '2020-01-01 00:00'::timestamptz", "SHOW TimeZone"),
    ("BEGIN", "SELECT set_config('DateStyle', 'ISO, DMY', true)", "SELECT '01/02/2020'::date", "ROLLBACK",
     "SELECT '01/02/2020'::date"),
    ("SELECT pg_catalog.set_config('bytea_output', 'escape', false) AS x; SELECT '\\x0041'::bytea",
     "RESET bytea_output"),
    ("SET extra_float_digits = 0; SELECT 0.1::float8 + 0.2::float8", "RESET ALL", "SELECT 0.1::float8 + 0.2::float8"),
    ("SET TIME ZONE 'Asia/Tokyo'", "DISCARD ALL", "SELECT '2020-01-01 00:00'::timestamptz"),
    ("SET TIME ZONE 'Asia/Tokyo'", "SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL",
     "SHOW TIME ZONE"),
    ("BEGIN", "DISCARD PLANS", "DISCARD TEMP", "DISCARD SEQUENCES", "DISCARD ALL", "DISCARD ALL", "COMMIT"),
    ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE"),
    ("SET statement_timeout = 0", "SET lock_timeout = 5000", "SHOW lock_timeout", "RESET statement_timeout"),
    ("SET transaction_timeout = 0; SET idle_session_timeout = '1h'", "SHOW idle_session_timeout"),
    ("SET statement_timeout TO '30s'", "SHOW statement_timeout", "SET statement_timeout = nothing_such"),
    ("BEGIN READ WRITE", "SELECT 1", "COMMIT"),
    ("BEGIN ISOLATION LEVEL READ COMMITTED", "SELECT 1", "COMMIT"),
    ("START TRANSACTION ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE", "SHOW transaction_isolation", "COMMIT"),
    ("SET standard_conforming_strings = on", "SET client_min_messages TO warning", "SET jit = off", "SHOW jit"),
    ("COMMIT AND CHAIN", "ROLLBACK AND CHAIN"),
)  # fmt: skip


def ask(connection: psycopg.Connection[Any], text: str) -> tuple[Any, ...]:
    result = connection.pgconn.exec_(text.encode())
    state = result.error_field(pq.DiagnosticField.SQLSTATE)
    rows = [tuple(result.get_value(row, i) for i in range(result.nfields)) for row in range(result.ntuples)]
    names = [result.fname(i) for i in range(result.nfields)]
    return state or result.command_status, names, rows, connection.info.transaction_status.name


@pytest.mark.parametrize("steps", MIXED)
def test_settings_change_when_postgres_changes_them(served: Served, grant: str, steps: tuple[str, ...]) -> None:
    """Also inside of transactions, by a rollback, in one message with what depends on them."""
    with served.connect("aoife.byrne", grant) as through, served.direct(AS_THE_GATEWAY) as direct:
        for step in (*steps, "SELECT '01/02/2020'::date, '2020-01-01 00:00'::timestamptz"):
            assert ask(through, step) == ask(direct, step), step
        for name in ("TimeZone", "DateStyle", "IntervalStyle"):
            assert through.info.parameter_status(name) == direct.info.parameter_status(name)


def test_settings_in_a_pipeline(served: Served, grant: str) -> None:
    """Everything in one go; each text is another one, since Postgres keeps what a prepared one meant."""
    texts = (
        "SELECT '01/02/2020'::date AS a", "SET DateStyle = 'ISO, DMY'", "SELECT '01/02/2020'::date AS b", "BEGIN",
        "SELECT '01/02/2020'::date AS c", "SET DateStyle = 'ISO, MDY'", "SELECT '01/02/2020'::date AS d", "ROLLBACK",
        "SELECT '01/02/2020'::date AS e", "SET TimeZone = 'Asia/Tokyo'",
        "SELECT '2020-01-01 00:00+00'::timestamptz::text",
        "SELECT '01/02/2020'::date AS f",
    )  # fmt: skip
    answers = []
    with served.connect("aoife.byrne", grant) as through, served.direct(AS_THE_GATEWAY) as direct:
        for connection in (through, direct):
            with connection.pipeline():
                cursors = [connection.execute(text, prepare=True) for text in texts]
            answers.append([cursor.fetchall() for cursor in cursors if cursor.description])
    assert answers[0] == answers[1]
    assert len({str(one) for one in answers[0]}) == 3


def test_an_error_after_a_rollback_is_attributed_under_the_settings_of_then(served: Served, grant: str) -> None:
    with served.direct() as direct:
        (one,) = direct.execute("SELECT min(id) FROM accounts").fetchone() or (0,)
    query = (
        f"SELECT id FROM accounts WHERE id = {one} AND '03/02/2020'::date < '02/04/2020'::date"
        " AND CASE WHEN handle > '' THEN 1 / (length(handle) - length(handle)) = 1 ELSE false END"
    )
    with served.connect("aoife.byrne", grant) as connection:
        connection.execute("SET DateStyle = 'DMY'")
        connection.execute("BEGIN")
        connection.execute("SET DateStyle = 'MDY'")
        assert connection.execute("SELECT '03/02/2020'::date < '02/04/2020'::date").fetchone() == (False,)
        connection.execute("ROLLBACK")
        with submissions(served) as found, pytest.raises(psycopg.errors.DivisionByZero):
            connection.execute(query)
        assert found == [[f"account:{one}"]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("SET lock_timeout = 0", "lock_timeout stays at 10 seconds"),
        ("SET lock_timeout = '1h'", "lock_timeout stays at 10 seconds"),
        ("SET idle_in_transaction_session_timeout = 0", "stays at 900 seconds"),
    ],
)
def test_a_client_may_only_shorten_timeouts_and_is_told(served: Served, grant: str, text: str, words: str) -> None:
    notices: list[str] = []
    with served.connect("aoife.byrne", grant) as connection:
        connection.add_notice_handler(lambda told: notices.append(told.message_primary or ""))
        connection.execute(text.encode())
        name = text.split()[1]
        assert connection.execute(f"SHOW {name}".encode()).fetchone() in {("10s",), ("15min",)}
    assert len(notices) == 1
    assert words in notices[0]


def test_timeouts_of_the_sign_in(served: Served, grant: str) -> None:
    options = f"-c seenby.grant={grant} -c statement_timeout=250 -c lock_timeout=0"
    with psycopg.connect(served.dsn("aoife.byrne"), autocommit=True, options=options) as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("250ms",)
        assert connection.execute("SHOW lock_timeout").fetchone() == ("10s",)
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT count(*) FROM watch_events a, watch_events b, watch_events c")


def test_what_a_transaction_is_is_never_told_wrongly(served: Served, grant: str) -> None:
    with served.connect("aoife.byrne", grant) as connection:
        for begin in ("BEGIN READ WRITE", "BEGIN ISOLATION LEVEL READ COMMITTED", "BEGIN"):
            connection.execute(begin.encode())
            connection.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
            assert connection.execute("SHOW transaction_read_only").fetchone() == ("on",)
            assert connection.execute("SHOW transaction_isolation").fetchone() == ("repeatable read",)
            connection.execute("COMMIT")
        with pytest.raises(psycopg.errors.CantChangeRuntimeParam, match="REPEATABLE READ"):
            connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE")


def test_show_all_is_a_short_list(served: Served, grant: str) -> None:
    with served.connect("aoife.byrne", grant) as connection:
        cursor = connection.execute("SHOW ALL")
        assert [column.name for column in cursor.description or ()] == ["name", "setting", "description"]
        assert cursor.statusmessage == "SHOW"
        found = {row[0]: row[1] for row in cursor}
    assert found["TimeZone"] == "UTC"
    assert "data_directory" not in found
