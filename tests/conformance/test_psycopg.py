"""psycopg 3 through the gateway: the same checks directly and under a grant that shows everything, compared whole.

Rows as bytes, column names, types, modifiers, formats, command tags, SQLSTATEs, transaction states, settings.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from ipaddress import ip_address, ip_network
from itertools import product
from typing import Any

import psycopg
import pytest
from psycopg import pq
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb

from tests.fixtures.gateway import AS_THE_GATEWAY, Served, everything
from tests.fixtures.pace import in_time

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("served")]

Connection = psycopg.Connection[Any]

TABLES = (
    "countries", "sounds", "accounts", "credentials", "devices", "logins", "positions", "videos", "comments",
    "watch_events", "likes", "shares", "follows", "messages", "contacts", "linked_accounts", "wallets", "purchases",
    "payments", "faces", "tickets", "ticket_messages", "reports",
)  # fmt: skip
"""All that a grant can show whole: every column type of the demo's schema."""

QUERIES = (
    "SELECT 1 AS one, 'x' AS text, NULL AS nothing, 1.50 AS number, true AS yes",
    "SELECT id FROM accounts WHERE false",
    "SELECT id, id AS again, handle \"Mixed Case\", phone || '!' FROM accounts ORDER BY id LIMIT 3",
    "SELECT a.handle, v.caption FROM accounts a JOIN videos v ON v.account_id = a.id ORDER BY v.id, a.id LIMIT 20",
    "SELECT a.id, d.id FROM accounts a LEFT JOIN devices d ON d.account_id = a.id ORDER BY 1, 2",
    "SELECT x.h FROM (SELECT handle AS h, id FROM accounts) x ORDER BY x.id OFFSET 3 LIMIT 4",
    "WITH v AS (SELECT id, caption FROM videos) SELECT * FROM v ORDER BY id LIMIT 5",
    "SELECT id, phone FROM accounts WHERE id < 1000000005 UNION ALL SELECT id, phone FROM contacts ORDER BY 1, 2",
    "SELECT count(*), count(phone), min(birth_date), max(created_at) FROM accounts",
    "SELECT country, count(*) FROM accounts GROUP BY country ORDER BY country",
    "SELECT source, count(*), sum(watched_s) FROM watch_events GROUP BY 1 ORDER BY 1",
    "SELECT a.handle, a.country, count(*) FROM accounts a JOIN devices d ON d.account_id = a.id GROUP BY a.id"
    " ORDER BY a.id LIMIT 5",
    "SELECT DISTINCT os FROM devices ORDER BY os",
    "SELECT country FROM accounts UNION SELECT code FROM countries ORDER BY 1",
    "SELECT id, (SELECT count(*) FROM videos v WHERE v.account_id = a.id) FROM accounts a ORDER BY id LIMIT 9 OFFSET 2",
    "SELECT id FROM accounts a WHERE NOT EXISTS (SELECT FROM videos v WHERE v.account_id = a.id) ORDER BY id LIMIT 9",
    "SELECT tag, count(*) FROM videos, unnest(tags) AS tag GROUP BY tag HAVING count(*) > 1 ORDER BY 2 DESC, 1 LIMIT 9",
    "SELECT id, lag(id) OVER (ORDER BY id) FROM accounts ORDER BY id",
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT i, a.id FROM n, accounts a"
    " WHERE a.id = 1000000000 + i ORDER BY i",
    "SELECT VALUES_.a FROM (VALUES (1, 'x'), (2, NULL)) AS VALUES_ (a, b) ORDER BY 1",
    "VALUES (1, 'x'), (2, NULL)",
    "TABLE countries ORDER BY code",
    "SELECT",
    "",
    "SHOW TimeZone",
    "SET application_name TO 'here'",
    "BEGIN",
    "COMMIT",
)

WRONG = (
    "SELEC 1",
    "SELECT id FROM accounts WHERE id = $1",
    "SELECT id FROM accounts WHERE",
    "SELECT 1; SELECT (",
    "SELECT 'open",
    "SELECT nothing_such FROM accounts",
    "SELECT id FROM nothing_such",
    "SELECT id FROM accounts a JOIN devices d ON a.id = d.account_id",
    "SELECT accounts.id FROM accounts a",
    "SELECT nothing_such(id) FROM accounts",
    "SELECT id + handle FROM accounts",
    "SELECT id FROM accounts WHERE handle",
    "SELECT id, count(*) FROM accounts",
    "SELECT count(*) FROM accounts GROUP BY count(*)",
    "SELECT id FROM accounts UNION ALL SELECT handle, id FROM accounts",
    "SELECT id FROM accounts UNION ALL SELECT handle FROM accounts",
    "SELECT 1 / 0",
    "SELECT 1 / (id - id) FROM accounts",
    "SELECT handle::int FROM accounts",
    "SELECT id::int2 FROM accounts",
    "SELECT id FROM accounts LIMIT -1",
    "SELECT substring(handle, 1, -1) FROM accounts",
    "SELECT '2026-13-01'::date",
    "SELECT date '2026-01-01' + id::int FROM accounts WHERE id / 0 > 1",
    "SELECT CASE WHEN 1 THEN 2 END",
)

Value = tuple[str, Any]
PARAMETERS: tuple[Value, ...] = (
    ("int2", 7), ("int4", -(2**31)), ("int8", 2**62), ("text", "it's – \\ \" $1"), ("text", ""), ("text", None),
    ("bool", True), ("float8", 1.25), ("float4", -0.5), ("numeric", Decimal("-123456789.1200")),
    ("date", date(2024, 2, 29)), ("timestamptz", datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)),
    ("timestamp", datetime(1999, 12, 31)),  # noqa: DTZ001 - a type without a zone
    ("interval", timedelta(days=3, seconds=5)), ("uuid", uuid.UUID(int=2**100 + 5)),
    ("bytea", b"\x00\xff'\\"), ("bytea", b""), ("inet", ip_address("192.0.2.7")),
    ("cidr", ip_network("2001:db8::/32")), ("jsonb", Jsonb({"a": [1, None, "ü"]})), ("int8[]", [1, 2, None]),
    ("text[]", ["a,b", '"', None, "NULL", ""]), ("text[]", []), ("date[]", [date(2020, 1, 1)]),
    ("varchar(3)", "abcdef"),
)  # fmt: skip


@pytest.fixture(scope="module")
def grant(served: Served) -> str:
    return everything(served)


@pytest.fixture
def through(served: Served, grant: str) -> Iterator[Connection]:
    with served.connect("aoife.byrne", grant) as connection:
        yield connection


@pytest.fixture
def direct(served: Served) -> Iterator[Connection]:
    with served.direct(AS_THE_GATEWAY) as connection:
        yield connection


Both = Callable[[Callable[[Connection], Any]], Any]


@pytest.fixture
def both(direct: Connection, through: Connection) -> Both:
    """Runs a check on either connection, asserts that the answers are the same, and returns them."""

    def run(check: Callable[[Connection], Any]) -> Any:
        expected, found = check(direct), check(through)
        assert found == expected
        return found

    return run


def answer(cursor: psycopg.Cursor[Any]) -> tuple[Any, ...]:
    """All that a client can see of a result, values as they came."""
    result = cursor.pgresult
    assert result is not None
    columns = [
        (result.fname(i), result.ftype(i), result.fmod(i), result.fsize(i), result.fformat(i))
        for i in range(result.nfields)
    ]
    rows = [tuple(result.get_value(row, i) for i in range(result.nfields)) for row in range(result.ntuples)]
    return pq.ExecStatus(result.status).name, result.command_status, columns, rows


def outcome(
    connection: Connection, query: str, arguments: tuple[Any, ...] | None = None, **options: Any
) -> tuple[Any, ...]:
    """The answer, or the SQLSTATE and the position of the error; and the transaction's state."""
    try:
        told = answer(connection.execute(query.encode(), arguments, **options))
    except psycopg.Error as error:
        told = (error.sqlstate, error.diag.statement_position, "seenby_" in str(error))
    return *told, connection.info.transaction_status.name


def state(connection: Connection, query: str, *arguments: Any, **options: Any) -> tuple[Any, ...]:
    """As outcome, of an error the SQLSTATE alone."""
    told = outcome(connection, query, *arguments, **options)
    return told if len(told) > 4 else (told[0], told[-1])


def test_the_grant_shows_every_row(direct: Connection, through: Connection) -> None:
    """Else the comparisons below would compare less than they seem to."""
    for table in TABLES:
        count = f"SELECT count(*) FROM {table}".encode()
        assert through.execute(count).fetchone() == direct.execute(count).fetchone(), table


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("table", TABLES)
def test_tables(both: Both, table: str, binary: bool) -> None:
    order = "1, 2"
    told = both(lambda c: answer(c.execute(f"SELECT * FROM {table} ORDER BY {order}".encode(), binary=binary)))
    assert told[3], "an empty table proves nothing"


@pytest.mark.parametrize("query", QUERIES)
def test_the_simple_protocol(both: Both, query: str) -> None:
    def check(connection: Connection) -> tuple[Any, ...]:
        results = connection.pgconn.exec_(query.encode())
        cursor = psycopg.Cursor(connection)
        cursor.pgresult = results
        return *answer(cursor), connection.info.transaction_status.name

    told = both(check)
    assert told[0] in {"TUPLES_OK", "COMMAND_OK", "EMPTY_QUERY"}


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("query", QUERIES)
def test_the_extended_protocol(both: Both, query: str, binary: bool) -> None:
    if "%" not in query:
        both(lambda c: outcome(c, query, (), binary=binary))


@pytest.mark.parametrize("skipped", [0, 2, 10**6, None])
@pytest.mark.parametrize(
    "query",
    [
        "SELECT id FROM accounts ORDER BY id LIMIT %s OFFSET %s",
        "SELECT id, count(*) FROM devices WHERE id > %s GROUP BY 1 ORDER BY 1 OFFSET %s",
    ],
)
def test_pages_by_parameters(both: Both, query: str, skipped: int | None) -> None:
    both(lambda c: [outcome(c, query, (7, skipped), binary=binary) for binary in (False, True)])


def test_a_negative_offset_is_refused_as_by_postgres(both: Both) -> None:
    both(lambda c: outcome(c, "SELECT id FROM accounts ORDER BY id LIMIT %s OFFSET %s", (7, -1), binary=False))


@pytest.mark.parametrize("query", WRONG)
def test_errors_have_postgres_own_sqlstate(both: Both, query: str) -> None:
    """The position only of syntax errors: any other one would be a place in the rewritten text."""
    told = both(lambda c: state(c, query))
    assert told[0] not in {"TUPLES_OK", "COMMAND_OK"}
    assert told[-1] == "IDLE"
    both(lambda c: state(c, query, (), prepare=True))


@pytest.mark.parametrize(
    "query", ["SELEC 1", "SELECT id FROM accounts WHERE", "SELECT 'üü€😀', 1 frm x y", "SELECT 1; SELECT ("]
)
def test_the_caret_of_a_syntax_error_is_at_the_right_place(both: Both, query: str) -> None:
    told = both(lambda c: outcome(c, query))
    assert told[0] == "42601"


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize(("kind", "value"), PARAMETERS)
def test_parameters(both: Both, kind: str, value: object, binary: bool) -> None:
    placeholder = "%b" if binary else "%t"
    try:
        both(lambda c: outcome(c, f"SELECT {placeholder}::{kind} AS value", (value,), binary=binary))
    except psycopg.ProgrammingError:  # psycopg has no binary form of it
        assert binary


@pytest.mark.parametrize(
    ("condition", "table", "value"),
    [
        ("id = %s", "accounts", 1000000042),
        ("id = ANY(%s)", "accounts", [1000000042, 1000000043, 5]),
        ("handle = %s", "accounts", "clara.novak"),
        ("phone > %s", "accounts", "+4"),
        ("birth_date < %s", "accounts", date(1990, 1, 1)),
        ("created_at >= %s", "accounts", datetime(2026, 1, 1, tzinfo=UTC)),
        ("is_protected = %s", "accounts", True),
        ("interests @> %s", "accounts", ["games"]),
        ("settings @> %s", "accounts", Jsonb({"ads": True})),
        ("ip = %s", "logins", ip_address("10.0.0.1")),
        ("latitude > %s", "positions", 48.5),
        ("source = %s", "watch_events", "search"),
        ("attachment IS NOT DISTINCT FROM %s", "messages", None),
        ("balance > %s", "wallets", Decimal("10.50")),
        ("length_s < %s", "videos", 20),
    ],
)
def test_parameters_against_columns(both: Both, condition: str, table: str, value: object) -> None:
    query = f"SELECT * FROM {table} WHERE {condition} ORDER BY 1, 2"
    for binary, prepare in product((False, True), repeat=2):
        both(partial(outcome, query=query, arguments=(value,), binary=binary, prepare=prepare))


def test_a_parameter_of_the_wrong_type(both: Both) -> None:
    for value in ("x", "1e400", None, -1):
        both(partial(outcome, query="SELECT handle FROM accounts WHERE id = %s::int8", arguments=(value,)))


def test_prepared_statements(both: Both) -> None:
    def check(connection: Connection) -> list[Any]:
        connection.prepare_threshold = 2
        found = []
        for key in range(1000000040, 1000000050):
            found.append(outcome(connection, "SELECT id, phone FROM accounts WHERE id = %s", (key,)))
        for _ in range(3):
            found.append(outcome(connection, "SELECT 1 / %s", (0,)))
            found.append(outcome(connection, "SELECT count(*) FROM videos WHERE id > %s", (0,), prepare=True))
        found.append(outcome(connection, "DEALLOCATE ALL"))
        found.append(outcome(connection, "SELECT count(*) FROM videos WHERE id > %s", (5,), prepare=True))
        found.append(outcome(connection, "DEALLOCATE nothing_such"))
        return found

    assert len(both(check)) == 19


def test_a_pipeline(both: Both) -> None:
    def check(connection: Connection) -> list[Any]:
        found: list[Any] = []
        with connection.pipeline() as pipeline:
            cursors = [
                connection.execute("SELECT id, handle FROM accounts ORDER BY id LIMIT %s", (n,)) for n in range(5)
            ]
            pipeline.sync()
            found += [cursor.fetchall() for cursor in cursors]
        try:
            with connection.pipeline():
                good = connection.execute("SELECT 1")
                connection.execute("SELECT 1 / 0")
                skipped = connection.execute("SELECT 2")
                found.append(good.fetchall())
                found.append(skipped.fetchall())
        except psycopg.Error as error:
            found.append(error.sqlstate)
        found.append(outcome(connection, "SELECT 3"))
        with connection.transaction(), connection.pipeline():
            first = connection.execute("SELECT count(*) FROM accounts")
            second = connection.execute("SELECT count(*) FROM videos")
            found += [first.fetchone(), second.fetchone()]
        return found

    both(check)


STEPS = (
    ("BEGIN", "SELECT 1", "COMMIT"),
    ("BEGIN", "SELECT 1 / 0", "SELECT 1", "COMMIT", "SELECT 1"),
    ("BEGIN", "SAVEPOINT a", "SELEC", "SELECT 1", "ROLLBACK TO a", "SELECT 1", "RELEASE a", "COMMIT"),
    ("BEGIN", 'SAVEPOINT "A b"', "SELECT nothing_such", 'ROLLBACK TO SAVEPOINT "A b"', "ROLLBACK"),
    ("COMMIT", "ROLLBACK", "ROLLBACK TO a", "SAVEPOINT a", "RELEASE a"),
    ("BEGIN", "BEGIN", "ROLLBACK"),
    ("START TRANSACTION READ ONLY", "SELECT 1", "END"),
    ("BEGIN ISOLATION LEVEL REPEATABLE READ", "RELEASE nothing_such", "ROLLBACK"),
    ("BEGIN; SELECT 1; SELECT 1/0; COMMIT", "SELECT 1", "ROLLBACK"),
    ("SELECT 1; SELECT 2; BEGIN; SELECT 3", "COMMIT"),
    ("SELECT 1; SELECT 1/0; SELECT 2",),
    ("BEGIN", "SELECT 1 / 0", "COMMIT; SELECT 5"),
    ("SELECT 1; ; SELECT 2;",),
    (";", "-- nothing", "/* nothing */"),
)


@pytest.mark.parametrize("steps", STEPS)
def test_transactions(both: Both, steps: tuple[str, ...]) -> None:
    both(lambda c: [state(c, step) for step in steps])
    both(lambda c: outcome(c, "ROLLBACK")[-1])


def test_transaction_blocks_of_psycopg(both: Both) -> None:
    def check(connection: Connection) -> list[Any]:
        found: list[Any] = []
        with connection.transaction():
            found.append(outcome(connection, "SELECT count(*) FROM accounts"))
            with connection.transaction(force_rollback=True):
                found.append(outcome(connection, "SELECT 2"))
            try:
                with connection.transaction("inner"):
                    connection.execute("SELECT 1 / 0")
            except psycopg.Error as error:
                found.append(error.sqlstate)
            found.append(outcome(connection, "SELECT 3"))
        found.append(connection.info.transaction_status.name)
        connection.autocommit = False
        found.append(outcome(connection, "SELECT 4"))
        connection.rollback()
        found.append(connection.info.transaction_status.name)
        connection.commit()
        connection.autocommit = True
        return found

    both(check)


def test_a_refusal_inside_a_transaction_fails_it(through: Connection) -> None:
    """What Seenby refuses is an error like Postgres's: the block is over until ROLLBACK."""
    through.execute("BEGIN")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        through.execute("INSERT INTO accounts (id) VALUES (1)")
    assert through.info.transaction_status.name == "INERROR"
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        through.execute("SELECT 1")
    assert through.execute("ROLLBACK").statusmessage == "ROLLBACK"
    assert through.execute("SELECT 1").fetchone() == (1,)


def test_stream(both: Both) -> None:
    query = "SELECT id, watched_s FROM watch_events ORDER BY id"
    rows = both(lambda c: list(c.cursor().stream(query)))
    assert len(rows) > 1000
    both(lambda c: list(c.cursor(binary=True).stream(query, size=100)))


def test_a_stream_that_is_left_early(through: Connection) -> None:
    for row in through.cursor().stream("SELECT id FROM watch_events"):
        assert row
        break
    assert through.execute("SELECT 1").fetchone() == (1,)


def test_executemany_and_many_results(both: Both) -> None:
    def check(connection: Connection) -> list[Any]:
        cursor = connection.cursor()
        cursor.executemany("SELECT handle FROM accounts WHERE id = %s", [(1000000042,), (1,)], returning=True)
        found: list[Any] = [cursor.fetchall()]
        while cursor.nextset():
            found.append(cursor.fetchall())
        cursor.execute("SELECT 1; SELECT id FROM accounts ORDER BY id LIMIT 2; SHOW TimeZone; SELECT 'x'")
        found.append(answer(cursor))
        while cursor.nextset():
            found.append(answer(cursor))
        return found

    assert len(both(check)) == 6


def test_every_part_of_a_large_result(both: Both) -> None:
    """Larger than what is recorded and released in one part, wider than one read of a socket."""
    query = "SELECT w.*, repeat('x', 300) FROM watch_events w ORDER BY id"
    told = both(lambda c: answer(c.execute(query)))
    assert sum(len(row[-1] or b"") for row in told[3]) > 3 * 128 * 1024


def test_copy_from_is_refused_in_words(through: Connection) -> None:
    with pytest.raises(psycopg.Error) as refusal, through.cursor().copy("COPY accounts FROM STDIN") as copy:
        list(copy)
    assert refusal.value.sqlstate == "42501"
    assert refusal.value.diag.message_hint
    assert through.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("tcp", [False, True])
@pytest.mark.parametrize(
    "query",
    [
        "SELECT a.id, b.id FROM watch_events a, watch_events b, watch_events c WHERE a.id + b.id + c.id = 7",
        "SELECT count(*) FROM watch_events a, watch_events b, watch_events c WHERE a.id + b.id <> c.id",
    ],
)
def test_cancel(served: Served, grant: str, query: str, tcp: bool) -> None:
    role, _ = served.role("aoife.byrne", grant)
    busy = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND usename = %s"
    connection = served.connect("aoife.byrne", grant, tcp=tcp)
    failed: list[psycopg.Error] = []

    def run() -> None:
        try:
            connection.execute(query.encode())
        except psycopg.Error as error:
            failed.append(error)

    # A daemon, and no `with`: closing a connection waits for the thread that uses it.
    thread = threading.Thread(target=run, daemon=True)
    with served.direct() as direct:
        thread.start()
        until(lambda: direct.execute(busy, (role,)).fetchone() == (1,))
        began = time.monotonic()
        connection.cancel_safe(timeout=30)
        thread.join(30)
        assert not thread.is_alive(), "it is cancelled"
        took = time.monotonic() - began
    assert in_time(took, 2)
    assert [error.sqlstate for error in failed] == ["57014"]
    assert connection.execute("SELECT count(*) FROM countries").fetchone() != (0,)
    connection.close()


def test_cancel_of_an_idle_session_changes_nothing(through: Connection) -> None:
    through.execute("SELECT 1")
    through.cancel_safe()
    assert through.execute("SELECT 2").fetchone() == (2,)


def test_a_cancel_that_comes_late_ends_nothing_else(served: Served, grant: str) -> None:
    """The statement has ended by itself when Postgres gets to it: the next one waits until the cancel is over."""
    busy = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND usename = %s"
    role, _ = served.role("aoife.byrne", grant)
    short = "SELECT count(*) FROM generate_series(1, 6000000)"
    with (
        served.connect("aoife.byrne", grant) as connection,
        served.direct() as direct,
        ThreadPoolExecutor(1) as asking,
    ):
        first = asking.submit(lambda: connection.execute(short).fetchone())
        until(lambda: direct.execute(busy, (role,)).fetchone() == (1,))
        # What accepts connections, and so cancels; the sessions go on.
        postmaster = int(
            (served.world.regions[served.config.region].running.data / "postmaster.pid").read_text().split()[0]
        )
        os.kill(postmaster, signal.SIGSTOP)
        try:
            connection.cancel_safe(timeout=5)
            assert first.result(60) == (6_000_000,)
            second = asking.submit(lambda: connection.execute(short).fetchone())
            time.sleep(0.1)  # were it not held it would run by now
        finally:
            os.kill(postmaster, signal.SIGCONT)
        assert second.result(60) == (6_000_000,)


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


SETTINGS = (
    "client_encoding", "DateStyle", "integer_datetimes", "IntervalStyle", "is_superuser", "server_encoding",
    "server_version", "standard_conforming_strings", "TimeZone", "application_name", "default_transaction_read_only",
    "in_hot_standby",
)  # fmt: skip


def test_settings_are_told_as_postgres_tells_them(served: Served, grant: str) -> None:
    asked = "-c DateStyle=german -c timezone=europe/berlin -c INTERVALSTYLE=iso_8601"
    with (
        served.direct(f"{AS_THE_GATEWAY} {asked}") as direct,
        psycopg.connect(
            served.dsn("aoife.byrne"), options=f"-c seenby.grant={grant} {asked}", autocommit=True
        ) as through,
    ):
        for connection in (direct, through):
            connection.execute("SELECT 1")  # the gateway opens its own link now

        def told(connection: Connection) -> dict[str, str | None]:
            return {name: connection.info.parameter_status(name) for name in SETTINGS} | {"is_superuser": None}

        assert told(through) == told(direct)
        for change in ("SET TimeZone TO 'asia/tokyo'", "SET DateStyle = 'SQL, DMY'", "SET application_name = 'x'"):
            for connection in (direct, through):
                connection.execute(change)
            assert told(through) == told(direct)
        query = "SELECT created_at, birth_date, created_at - '2020-01-01' FROM accounts ORDER BY id LIMIT 5"
        assert outcome(through, query) == outcome(direct, query)


@pytest.mark.parametrize("version", ["3.0", "3.2"])
@pytest.mark.parametrize("tcp", [False, True])
def test_both_versions_of_the_protocol(served: Served, grant: str, version: str, tcp: bool) -> None:
    dsn = f"{served.dsn('aoife.byrne', grant, tcp=tcp)} min_protocol_version={version} max_protocol_version={version}"
    with psycopg.connect(dsn) as connection:
        assert connection.pgconn.full_protocol_version == int(version[2]) + 30000
        assert connection.execute("SELECT count(*) FROM accounts").fetchone() != (0,)
        connection.cancel_safe()


def test_a_client_of_the_future_is_answered_with_the_newest_version(served: Served, grant: str) -> None:
    """libpq "greases": it asks for 3.9999 and an option that nobody knows, and wants to be told so."""
    with psycopg.connect(f"{served.dsn('aoife.byrne', grant)} max_protocol_version=latest") as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_tls_with_channel_binding(served: Served, grant: str) -> None:
    dsn = served.dsn("aoife.byrne", grant, tcp=True) + " channel_binding=require"
    with psycopg.connect(dsn) as connection:
        assert connection.pgconn.ssl_in_use
        assert connection.execute("SELECT count(*) FROM accounts").fetchone() != (0,)
    with pytest.raises(psycopg.OperationalError, match="channel binding"):
        psycopg.connect(served.dsn("aoife.byrne", grant) + " channel_binding=require")  # none without TLS


DOORS: tuple[tuple[dict[str, str], str, str], ...] = (
    ({"host": "127.0.0.1", "sslmode": "disable"}, "reached with TLS only", "sslmode=require"),
    ({"password": "wrong"}, 'password authentication failed for user "aoife.byrne"', "new password"),
    ({"user": "nobody.here"}, 'password authentication failed for user "nobody.here"', "new password"),
    ({"dbname": "seenby"}, 'database "seenby" is not behind this gateway', "dbname=platform"),
    ({"dbname": "postgres"}, 'database "postgres" is not behind', "dbname=platform"),
    ({"options": "-c seenby.grant=" + "ab" * 16}, "is not an active grant of aoife.byrne", "seenby grant list"),
    ({"options": "-c seenby.grant=x"}, "grant x is not an active grant", "seenby grant list"),
    ({"options": "-c role=postgres"}, "role cannot be set here", "a session may set"),
    ({"options": "-c session_authorization=postgres"}, "session_authorization cannot be set", "a session may set"),
    ({"options": "-c SEARCH_PATH=public"}, "search_path is fixed by the grant", "schema.table"),
    ({"options": "-c statement_timeout=x"}, 'invalid value for parameter "statement_timeout"', "as in"),
    ({"options": "-c standard_conforming_strings=off"}, "standard_conforming_strings is fixed", "it is on"),
    ({"options": "-c work_mem=1GB"}, "work_mem cannot be set", "a session may set"),
    ({"options": '-c x"=1'}, "cannot be set here", "a session may set"),
    ({"options": "-B 5"}, "the startup option '-B' is not accepted", "seenby.grant"),
    ({"client_encoding": "latin1"}, "client_encoding is fixed", "it is UTF8"),
    ({"replication": "database"}, "replication does not go through", "everybody"),
    ({"replication": "true"}, "replication does not go through", "everybody"),
)


@pytest.mark.parametrize(("change", "what", "next_step"), DOORS)
def test_who_is_not_let_in_reads_why(
    served: Served, grant: str, change: dict[str, str], what: str, next_step: str
) -> None:
    with pytest.raises(psycopg.OperationalError) as refusal:
        psycopg.connect(make_conninfo(served.dsn("aoife.byrne", grant), **change))
    said = str(refusal.value)
    assert what in said
    assert f"HINT:  {said.partition('HINT:  ')[2]}" in said
    assert next_step in said.partition("HINT:  ")[2]


def test_an_unknown_name_is_asked_the_same_as_a_known_one(served: Served) -> None:
    """Names of staff cannot be tried out: the same words for a wrong name and a wrong password."""

    def said(user: str) -> str:
        with pytest.raises(psycopg.OperationalError) as refusal:
            psycopg.connect(served.dsn("aoife.byrne"), user=user, password="wrong")
        return str(refusal.value).replace(user, "NAME")

    assert said("wei.chen") == said("nobody.here")


def test_without_a_grant_nothing_is_shown(served: Served) -> None:
    with served.connect("root.ops") as connection:
        for query in ("SELECT 1", "SELECT phone FROM accounts", "SELECT * FROM pg_class", "SHOW TimeZone", "BEGIN"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="has no active grant") as refusal:
                connection.execute(query.encode())
            assert "seenby grant request --as root.ops" in (refusal.value.diag.message_hint or "")
        assert connection.info.transaction_status.name == "IDLE"


def test_with_several_grants_one_must_be_named(served: Served) -> None:
    grants = [served.grant("ben.ortiz", ("contact", ["eu"])), served.grant("ben.ortiz", ("device", ["eu"]))]
    with served.connect("ben.ortiz") as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"\d active grants") as refusal:
            connection.execute("SELECT 1")
        for grant in grants:
            assert grant in (refusal.value.diag.message_hint or "")
    with served.connect("ben.ortiz", grants[0]) as connection:
        assert connection.execute("SELECT phone FROM accounts LIMIT 1").fetchone()
    with served.connect("ben.ortiz", grants[1].upper()) as connection:
        assert connection.execute("SELECT imei FROM devices LIMIT 1").fetchone()
    with pytest.raises(psycopg.OperationalError, match="not an active grant of wei"):
        served.connect("wei.chen", grants[0])
    for grant in grants:
        served.revoke("ben.ortiz", grant)
