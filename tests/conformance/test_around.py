"""PREPARE and EXECUTE, cursors, COPY: compared with Postgres, and who is named before anything is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest
from psycopg import pq
from psycopg.generators import copy_from, execute
from psycopg.waiting import wait

from tests.fixtures.gateway import AS_THE_GATEWAY, Served, everything, submissions
from tests.fixtures.psql import Psql

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("served")]

Connection = psycopg.Connection[Any]
Answer = tuple[Any, ...]


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


def told(result: pq.abc.PGresult) -> Answer:
    """All that a client sees of one result; of an error the SQLSTATE."""
    if state := result.error_field(pq.DiagnosticField.SQLSTATE):
        return ("ERROR", state)
    columns = [(result.fname(i), result.ftype(i), result.fmod(i), result.fformat(i)) for i in range(result.nfields)]
    rows = [tuple(result.get_value(row, i) for i in range(result.nfields)) for row in range(result.ntuples)]
    return pq.ExecStatus(result.status).name, result.command_status, columns, rows


def simple(connection: Connection, text: str) -> Answer:
    return told(connection.pgconn.exec_(text.encode()))


def extended(
    connection: Connection, text: str, binary: bool = False, values: list[bytes | None] | None = None
) -> Answer:
    return told(connection.pgconn.exec_params(text.encode(), values, result_format=int(binary)))


PREPARED = (
    "PREPARE p (bigint) AS SELECT id, handle FROM accounts WHERE id = $1",
    "EXECUTE p(1000000042)",
    "EXECUTE p('1000000042')",
    "EXECUTE p(1000000042::int)",
    "EXECUTE p(NULL)",
    "EXECUTE p",
    "EXECUTE p(1, 2)",
    "EXECUTE p('x')",
    "PREPARE p AS SELECT 1",
    "PREPARE t (text, bool, numeric, int[], text[]) AS SELECT $1 || '!', NOT $2, $3 + 1, $4, $5",
    "EXECUTE t('a''b', true, 1.50, ARRAY[1, 2], ARRAY['x', NULL, 'a \"q\" \\'])",
    "EXECUTE t(-17, 'no', -5, '{}', '{NULL}')",
    "EXECUTE t(99999999999, false, 99999999999, '{3}', ARRAY['NULL'])",
    "PREPARE o AS SELECT count(*), $2 AS said FROM accounts WHERE created_at > $1 AND handle <> $2",
    "EXECUTE o('2020-01-01', 'x')",
    "EXECUTE o(date '2020-01-01', 'x')",
    "DEALLOCATE p",
    "EXECUTE p(1)",
    "DEALLOCATE p",
    "PREPARE p AS VALUES (1), (2); EXECUTE p; EXECUTE p",
    "DEALLOCATE ALL",
    "EXECUTE p",
    "PREPARE bad AS SELECT nothing_such FROM accounts",
    "EXECUTE bad",
    "PREPARE z (int) AS SELECT 1 / $1",
    "EXECUTE z(0)",
    "BEGIN",
    "EXECUTE nothing_such",
    "EXECUTE z(1)",
    "PREPARE y AS SELECT 1",
    "ROLLBACK",
    "EXECUTE z(1)",
    "EXECUTE y",
)
REFUSED_HERE = {"EXECUTE o(date '2020-01-01', 'x')"}
"""The value's type is not the parameter's: Postgres would convert it."""


@pytest.mark.parametrize("ask", [simple, extended])
def test_prepare_and_execute_as_postgres_does(direct: Connection, through: Connection, ask: Any) -> None:
    for text in PREPARED:
        if ask is extended and ";" in text:
            continue
        found, expected = ask(through, text), ask(direct, text)
        if text in REFUSED_HERE:
            assert found == ("ERROR", b"42804")
        else:
            assert found == expected, text


def test_names_are_shared_with_the_protocols(direct: Connection, through: Connection) -> None:
    """PREPARE in SQL, Bind by name; Parse by name, EXECUTE in SQL."""
    for connection in (direct, through):
        pgconn = connection.pgconn
        simple(connection, "PREPARE a (bigint) AS SELECT handle FROM accounts WHERE id = $1")
        assert told(pgconn.exec_prepared(b"a", [b"1000000042"]))[3] == [(b"clara.novak",)]
        pgconn.prepare(b"b", b"SELECT handle FROM accounts WHERE id = $1")
        assert simple(connection, "EXECUTE b(1000000042)")[3] == [(b"clara.novak",)]
        assert simple(connection, "PREPARE b AS SELECT 1") == ("ERROR", b"42P05")
        assert told(pgconn.prepare(b"a", b"SELECT 1")) == ("ERROR", b"42P05")
        # A driver keeps EXECUTE itself prepared; what it stands for is another one meanwhile.
        pgconn.prepare(b"kept", b"EXECUTE b(1000000042)")
        pgconn.send_describe_prepared(b"kept")
        (described,) = wait(execute(pgconn), pgconn.socket)
        assert (described.nparams, described.fname(0)) == (0, b"handle")
        assert told(pgconn.exec_prepared(b"kept", None))[3] == [(b"clara.novak",)]
        simple(connection, "DEALLOCATE b")
        assert told(pgconn.exec_prepared(b"kept", None)) == ("ERROR", b"26000")
    through.pgconn.prepare(b"b", b"SELECT 1, 2")
    assert told(through.pgconn.exec_prepared(b"kept", None)) == ("ERROR", b"0A000"), "Postgres would send other columns"


def test_execute_names_whom_it_shows(served: Served, through: Connection) -> None:
    simple(through, "PREPARE p (bigint) AS SELECT handle FROM accounts WHERE id = $1")
    simple(through, "PREPARE n AS SELECT count(*) FROM accounts WHERE id < $1")
    with submissions(served) as found:
        simple(through, "EXECUTE p(1000000042)")
        simple(through, "EXECUTE n(1000000003)")
        simple(through, "EXECUTE p(5)")
    assert [sorted(people) for people in found] == [
        ["account:1000000042"],
        ["account:1000000001", "account:1000000002"],
        [],
    ]


def test_an_error_of_execute_is_attributed(served: Served, through: Connection) -> None:
    simple(through, "PREPARE p (bigint, int) AS SELECT length(handle) / $2 FROM accounts WHERE id = $1")
    with submissions(served) as found:
        assert simple(through, "EXECUTE p(1000000042, 0)") == ("ERROR", b"22012")
    assert found == [["account:1000000042"]]


# ---------------------------------------------------------------- cursors

ORDERED = "SELECT id, handle FROM accounts ORDER BY id"
CURSORS = (
    (f"DECLARE c CURSOR FOR {ORDERED}", "FETCH c", "FETCH NEXT FROM c", "FETCH 3 IN c", "FETCH FORWARD 2 FROM c",
     "MOVE c", "MOVE FORWARD 5 IN c", "FETCH RELATIVE 1 FROM c", "FETCH ALL FROM c", "FETCH ALL FROM c",
     "MOVE 2 FROM c", "CLOSE c", "FETCH c"),
    (f"DECLARE c NO SCROLL CURSOR WITHOUT HOLD FOR {ORDERED} LIMIT 9 OFFSET 4", "FETCH 2 FROM c", "MOVE 2 FROM c",
     "FETCH 99 FROM c", "MOVE ALL FROM c"),
    (f"DECLARE c CURSOR FOR {ORDERED} OFFSET 4", "MOVE 3 FROM c", "FETCH 1 FROM c", "MOVE ALL FROM c", "CLOSE ALL",
     "FETCH c"),
    (f"DECLARE c BINARY CURSOR FOR {ORDERED}", "FETCH 2 FROM c"),
    (f"DECLARE c INSENSITIVE CURSOR FOR {ORDERED}", "MOVE FORWARD ALL IN c"),
    ('DECLARE "A b" CURSOR FOR VALUES (1), (2)', 'FETCH "A b"', "FETCH a", "ROLLBACK", 'FETCH "A b"'),
    ("DECLARE c CURSOR FOR SELECT country, count(*) FROM accounts GROUP BY 1 ORDER BY 1", "FETCH 2 FROM c", "MOVE c",
     "FETCH ALL FROM c"),
    ("DECLARE c CURSOR FOR SELECT 10 / (n - 3) FROM (VALUES (1), (2), (3), (4)) AS v (n)", "FETCH 2 FROM c", "FETCH c",
     "FETCH c"),
    ("DECLARE c CURSOR FOR SELECT 1", "DECLARE c CURSOR FOR SELECT 2", "ROLLBACK"),
    ("DECLARE c CURSOR FOR SELECT 1", "SAVEPOINT s", "DECLARE d CURSOR FOR SELECT 2", "ROLLBACK TO s", "FETCH c",
     "FETCH d"),
    ("DECLARE c CURSOR FOR SELECT 1", "SAVEPOINT s", "DECLARE d CURSOR FOR SELECT 2", "DECLARE c CURSOR FOR SELECT 3",
     "ROLLBACK TO s", "DECLARE d CURSOR FOR SELECT 4", "FETCH d", "FETCH c", "DECLARE c CURSOR FOR SELECT 5"),
    ("DECLARE c CURSOR FOR SELECT 1", "SAVEPOINT s", "DECLARE d CURSOR FOR SELECT 2", "RELEASE s", "FETCH d",
     "DECLARE d CURSOR FOR SELECT 3"),
    ("SAVEPOINT s", "SAVEPOINT t", "DECLARE d CURSOR FOR SELECT 2", "RELEASE t", "ROLLBACK TO s",
     "DECLARE d CURSOR FOR SELECT 3", "FETCH d"),
    ("DECLARE c CURSOR FOR SELECT 1", "CLOSE c", "DECLARE c CURSOR FOR SELECT 2", "FETCH c", "CLOSE ALL",
     "DECLARE c CURSOR FOR SELECT 3", "FETCH c", "COMMIT", "BEGIN", "DECLARE c CURSOR FOR SELECT 4", "FETCH c"),
    ("DECLARE c CURSOR FOR SELECT 1", "COMMIT AND CHAIN", "DECLARE c CURSOR FOR SELECT 2", "FETCH c"),
    ("DECLARE c CURSOR FOR SELECT 1; COMMIT; BEGIN; DECLARE c CURSOR FOR SELECT 2; FETCH c; CLOSE c; CLOSE c",),
    ("DECLARE c CURSOR FOR SELECT 1", "SAVEPOINT s", "SELECT 1/0; CLOSE c", "ROLLBACK TO s", "FETCH c", "CLOSE c"),
    ("DECLARE c CURSOR FOR SELECT nothing_such FROM accounts", "FETCH c"),
    ("FETCH c",), ("MOVE c",), ("CLOSE c",), ("CLOSE ALL",),
    ("DECLARE c CURSOR FOR SELECT 1; FETCH c; CLOSE c; FETCH c", "ROLLBACK"),
    ("COMMIT; DECLARE c CURSOR FOR SELECT 1; FETCH c", "FETCH c"),
)  # fmt: skip


@pytest.mark.parametrize("ask", [simple, extended])
@pytest.mark.parametrize("steps", CURSORS)
def test_cursors_as_postgres_has_them(
    direct: Connection, through: Connection, ask: Any, steps: tuple[str, ...]
) -> None:
    if ask is extended and any(";" in step for step in steps):
        ask = simple
    for step in ("BEGIN", *steps):
        found, expected = ask(through, step), ask(direct, step)
        assert found == expected, step
    for connection in (direct, through):
        connection.execute("ROLLBACK")


def test_a_cursor_needs_a_transaction(direct: Connection, through: Connection) -> None:
    for connection in (direct, through):
        assert simple(connection, "DECLARE c CURSOR FOR SELECT 1") == ("ERROR", b"25P01")
        assert extended(connection, "DECLARE c CURSOR FOR SELECT 1") == ("ERROR", b"25P01")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("DECLARE c SCROLL CURSOR FOR SELECT 1", "only go forward"),
        ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", "WITH HOLD"),
        ("FETCH PRIOR FROM c", "goes forward"),
        ("FETCH ABSOLUTE 3 FROM c", "goes forward"),
        ("FETCH LAST FROM c", "goes forward"),
        ("FETCH FIRST FROM c", "goes forward"),
        ("FETCH 0 FROM c", "goes forward"),
        ("MOVE BACKWARD 2 FROM c", "goes forward"),
        ("FETCH -1 FROM c", "goes forward"),
        ("DECLARE c CURSOR FOR SELECT iban FROM nothing_such", "does not exist"),
    ],
)  # fmt: skip
def test_what_a_cursor_does_not_do_is_said(through: Connection, text: str, words: str) -> None:
    with through.transaction(force_rollback=True):
        with pytest.raises(psycopg.Error, match=words) as refusal, through.transaction():
            through.execute(text.encode())
        assert refusal.value.diag.message_hint


def test_who_is_fetched_and_who_is_moved_over_is_named_and_nobody_behind(served: Served, through: Connection) -> None:
    def named(text: str) -> list[int]:
        with submissions(served) as found:
            simple(through, text)
        return sorted(int(one.split(":")[1]) - 1_000_000_000 for people in found for one in people)

    simple(through, "BEGIN")
    assert named(f"DECLARE c CURSOR FOR {ORDERED} OFFSET 2") == []
    assert named("FETCH 2 FROM c") == [1, 2, 3, 4], "OFFSET's too"
    assert named("MOVE 3 FROM c") == [5, 6, 7]
    assert named("FETCH c") == [8]
    assert named("CLOSE c") == []
    simple(through, "DECLARE c CURSOR FOR SELECT count(*) FROM accounts WHERE id < 1000000004")
    assert named("FETCH c") == [1, 2, 3]
    assert named("FETCH c") == []
    simple(through, "DECLARE d CURSOR FOR SELECT id FROM accounts WHERE 1 / (id - 1000000003) = 0 AND id < 1000000005")
    assert named("FETCH ALL FROM d") == [1, 2, 3, 4], "an error is about everybody who could have raised it"
    simple(through, "ROLLBACK")


@pytest.mark.parametrize("binary", [False, True])
def test_psycopgs_named_cursors(direct: Connection, through: Connection, binary: bool) -> None:
    query = "SELECT id, handle, created_at FROM accounts WHERE id > %s ORDER BY id"
    answers = []
    for connection in (direct, through):
        with connection.transaction(), connection.cursor("named") as cursor:
            cursor.itersize = 7
            cursor.execute(query, (1000000020,), binary=binary)
            assert cursor.description is not None
            found: list[Any] = [column.name for column in cursor.description]
            found += [cursor.fetchone(), cursor.fetchmany(3)]
            cursor.scroll(4)
            found += [cursor.fetchone(), list(cursor)]
        answers.append(found)
    assert answers[0] == answers[1]
    assert len(answers[0][-1]) > 50


def test_asyncpgs_cursors(served: Served, grant: str) -> None:
    async def read() -> list[Any]:
        connection = await asyncpg.connect(
            host=served.config.listen.socket_dir, port=served.config.listen.port, database="platform",
            user="aoife.byrne", password=served.world.staff["aoife.byrne"].password,
            server_settings={"seenby.grant": grant},
        )  # fmt: skip
        try:
            async with connection.transaction():
                found = [row["id"] async for row in connection.cursor(ORDERED, prefetch=7)]
                cursor = await connection.cursor("SELECT id FROM accounts WHERE id > $1 ORDER BY id", 1000000005)
                found += [row["id"] for row in await cursor.fetch(3)]
                await cursor.forward(4)
                found += [row["id"] for row in await cursor.fetch(1)]
                return found
        finally:
            await connection.close()

    ids = asyncio.run(read())
    assert len(ids) > 100
    assert [one - 1_000_000_000 for one in ids[-4:]] == [6, 7, 8, 13]


# ---------------------------------------------------------------- COPY

ODD = r"""
    SELECT * FROM (VALUES (1, 'plain', NULL, true), (2, '', 'a,b', false), (3, E'tab\there', E'new\nline', NULL),
    (4, E'back\\slash', E'c\rr', true), (5, '"quoted"', '\.', false), (6, '\N', 'NULL', NULL),
    (7, E'\b\f\v\x01', '|', true),
    (8, 'ü€😀', ';''', NULL), (9, ' x ', '\N', NULL)) AS odd (n, "Text", other, "a b")
"""
COPIES = (
    "COPY accounts TO STDOUT",
    "COPY accounts (id, handle, phone, birth_date) TO STDOUT (FORMAT csv, HEADER)",
    "COPY (SELECT id, handle, interests, settings, created_at FROM accounts ORDER BY id) TO STDOUT",
    "COPY (SELECT id, handle FROM accounts ORDER BY id LIMIT 5 OFFSET 3) TO STDOUT WITH (HEADER)",
    "COPY (SELECT count(*) FROM accounts) TO STDOUT",
    "COPY (SELECT a.id, d.* FROM accounts a LEFT JOIN devices d ON d.account_id = a.id ORDER BY 1, 2) TO STDOUT CSV",
    "COPY (SELECT) TO STDOUT",
    "COPY (SELECT 1 WHERE false) TO STDOUT (FORMAT csv, HEADER true)",
    *(
        f"COPY ({ODD}) TO STDOUT {options}"
        for options in (
            "", "(DELIMITER '|')", "(DELIMITER ',', NULL 'NULL')", "(NULL '')", "(HEADER on)", "(FORMAT csv)",
            "(FORMAT csv, HEADER, DELIMITER ';')", "CSV QUOTE '''' ESCAPE '\\'", "CSV NULL 'NULL'", "CSV FORCE QUOTE *",
            "(FORMAT csv, FORCE_QUOTE (\"Text\", n), HEADER)", "(FORMAT csv, DELIMITER E'\\t', NULL '\\N')", "BINARY",
            "(FORMAT 'binary')", "(ENCODING 'UTF8')",
        )
    ),
    r"COPY (VALUES ('\.'), (''), (NULL), ('x')) TO STDOUT CSV",
    "COPY accounts (id, handle) TO STDOUT (FORMAT binary)",
    "COPY (SELECT * FROM watch_events ORDER BY 1) TO STDOUT BINARY",
    # errors, by SQLSTATE
    "COPY (SELECT 1) TO STDOUT (DELIMITER '||')",
    "COPY (SELECT 1) TO STDOUT (DELIMITER 'a')",
    "COPY (SELECT 1) TO STDOUT (FORMAT nothing_such)",
    "COPY (SELECT nothing_such FROM accounts) TO STDOUT",
    "COPY nothing_such TO STDOUT",
    "COPY (SELECT id / 0 FROM accounts) TO STDOUT",
    "COPY (SELECT 1000000003 / (id - 1000000003) FROM accounts ORDER BY id) TO STDOUT",
)  # fmt: skip


def copied(connection: Connection, text: str) -> Answer:
    """Everything that a COPY answers: the data, columns and formats, the tag; or the SQLSTATE."""
    result = connection.pgconn.exec_(text.encode())
    return written(connection, result) if result.status == pq.ExecStatus.COPY_OUT else told(result)


def written(connection: Connection, result: pq.abc.PGresult) -> Answer:
    formats = [result.fformat(i) for i in range(result.nfields)]
    data = []
    try:
        while isinstance(got := wait(copy_from(connection.pgconn), connection.fileno()), memoryview):
            data.append(bytes(got))
    except psycopg.Error as error:
        return "ERROR", (error.sqlstate or "").encode()
    return formats, b"".join(data), got.command_status


@pytest.mark.parametrize("text", COPIES)
def test_copy_writes_what_postgres_writes(direct: Connection, through: Connection, text: str) -> None:
    found, expected = copied(through, text), copied(direct, text)
    if " ORDER BY " not in text and not isinstance(expected[0], str) and expected[0] != [1] * len(expected[0]):
        found, expected = ((one[0], sorted(one[1].split(b"\n")), one[2]) for one in (found, expected))
    assert found == expected
    assert through.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("COPY accounts FROM STDIN", "only reads"),
        ("COPY accounts TO '/tmp/x'", "to the client only"),
        ("COPY (SELECT 1) TO PROGRAM 'cat'", "to the client only"),
        ("COPY (SELECT 1) TO STDOUT (ENCODING 'latin1')", "UTF8"),
        ("COPY (SELECT 1) TO STDOUT (FREEZE)", "freeze"),
        ("COPY (SELECT 1) TO STDOUT (nothing_such 1)", "nothing_such"),
        ("COPY (DELETE FROM accounts RETURNING id) TO STDOUT", "SELECT only"),
        ("COPY credentials TO STDOUT (HEADER match)", "no boolean"),
    ],
)
def test_what_copy_does_not_do_is_said(through: Connection, text: str, words: str) -> None:
    with pytest.raises(psycopg.Error, match=words) as refusal, through.cursor().copy(text.encode()) as copy:
        b"".join(copy)
    assert refusal.value.diag.message_hint


def test_copy_names_everybody_whose_rows_it_writes(served: Served, through: Connection) -> None:
    for options in ("", "CSV HEADER", "BINARY"):
        with submissions(served) as found:
            copied(through, f"COPY (SELECT handle FROM accounts WHERE id < 1000000004 ORDER BY id) TO STDOUT {options}")
        assert sorted(one for people in found for one in people) == [f"account:100000000{n}" for n in (1, 2, 3)]


def test_copy_in_the_extended_protocol(direct: Connection, through: Connection) -> None:
    for connection in (direct, through):
        text = b"COPY (SELECT id FROM accounts WHERE id = 1000000042) TO STDOUT"
        result = connection.pgconn.exec_params(text, None)
        assert result.status == pq.ExecStatus.COPY_OUT
        assert written(connection, result) == ([0], b"1000000042\n", b"COPY 1")
    assert told(through.pgconn.exec_params(text.replace(b"1000000042", b"$1"), [b"1"])) == ("ERROR", b"42P02")


def test_psqls_copy_writes_a_file(served: Served, grant: str, psql: Psql, tmp_path: Path) -> None:
    for name, dsn in (("through", served.dsn("aoife.byrne", grant)), ("direct", direct_dsn(served))):
        file = tmp_path / name
        script = f"\\copy (SELECT id, handle, phone FROM accounts ORDER BY id) to '{file}' csv header\n"
        run(psql, dsn, script)
    assert (tmp_path / "through").read_bytes() == (tmp_path / "direct").read_bytes()
    assert (tmp_path / "through").read_bytes().startswith(b"id,handle,phone\n")


def test_psqls_fetch_count(served: Served, grant: str, psql: Psql) -> None:
    script = "\\set FETCH_COUNT 7\nSELECT id, handle FROM accounts ORDER BY id;\n"
    assert run(psql, served.dsn("aoife.byrne", grant), script) == run(psql, direct_dsn(served), script)


def direct_dsn(served: Served) -> str:
    return served.world.regions[served.config.region].running.dsn("platform")


def run(psql: Psql, dsn: str, script: str) -> str:
    done = psql(dsn, script, "-v", "ON_ERROR_STOP=1")
    assert done.code == 0, done.stderr
    return done.stdout
