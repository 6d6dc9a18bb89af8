"""Somebody with a grant who tries to see more than the ledger says: through cursors, names, figures and changes.

What the oracles do with generated queries is done here by hand: odd names and odd keys, and everybody whom an entry
does not name is taken out of the database, which must not change the answer.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import pq

from tests.fixtures.gateway import AS_THE_GATEWAY, CLASSES, Served, everything, submissions

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("served")]

Connection = psycopg.Connection[Any]
INT8, FLOAT8, TEXT = 20, 701, 25
SOMEBODY = 1_000_000_001


@pytest.fixture(scope="module")
def grant(served: Served) -> str:
    return everything(served)


@pytest.fixture
def insider(served: Served, grant: str) -> Iterator[Connection]:
    with served.connect("aoife.byrne", grant) as connection:
        yield connection


def rows(connection: Connection, sql: str) -> list[tuple[Any, ...]]:
    return connection.execute(sql.encode()).fetchall()


def named(served: Served, connection: Connection, sql: str) -> tuple[list[tuple[Any, ...]], set[str]]:
    """The rows, and everybody who stands in an entry about them."""
    with submissions(served) as entries:
        found = rows(connection, sql)
    return found, {person for entry in entries for person in entry}


# ---------------------------------------------------------------- who is not named decides about nothing

OWNED = (
    ("accounts", "id"), ("devices", "account_id"), ("videos", "account_id"), ("comments", "account_id"),
    ("follows", "follower_id"), ("follows", "followee_id"), ("messages", "sender_id"), ("messages", "recipient_id"),
    ("contacts", "account_id"), ("contacts", "matched_account_id"), ("tickets", "account_id"),
    ("reports", "reporter_id"), ("reports", "reported_id"),
)  # fmt: skip


@contextmanager
def only(direct: Connection, people: set[str]) -> Iterator[None]:
    """The database without the rows of everybody else, until the block ends."""
    keys = {kind: [p.split(":", 1)[1] for p in people if p.startswith(kind)] for kind in ("account:", "contact:")}
    accounts = [int(key) for key in keys["account:"]]
    with direct.transaction(force_rollback=True):
        direct.execute("SET LOCAL session_replication_role = replica")
        for table, column in OWNED:
            direct.execute(f"DELETE FROM {table} WHERE {column} <> ALL (%s)".encode(), (accounts,))
        direct.execute("DELETE FROM contacts WHERE phone <> ALL (%s)", (keys["contact:"],))
        yield


NAMES = (
    "SELECT handle AS c1 FROM accounts UNION SELECT caption FROM videos ORDER BY c1 LIMIT 7",
    "SELECT handle AS k1 FROM accounts UNION SELECT caption AS v FROM videos ORDER BY k1 DESC LIMIT 7",
    "SELECT handle AS country, count(*) FROM accounts GROUP BY id, country ORDER BY id LIMIT 3",
    "SELECT left(country, 1) AS h, count(*) FROM accounts GROUP BY h ORDER BY 2, 1",
    "SELECT count(*) AS status, status AS count FROM tickets GROUP BY tickets.status ORDER BY status, count",
    "SELECT -id AS id FROM accounts ORDER BY id LIMIT 3",
    "SELECT h FROM accounts AS a(id, h, id2) WHERE id < 1000000003 ORDER BY id",
    "WITH accounts AS (SELECT * FROM accounts WHERE id < 1000000005) SELECT id, handle FROM accounts ORDER BY id",
    "WITH a(x) AS (SELECT id FROM accounts ORDER BY id LIMIT 3)"
    " SELECT x, (WITH a(x) AS (VALUES (1)) SELECT x FROM a) AS y FROM a ORDER BY x",
    "SELECT id, a.id, v.id FROM (SELECT id, handle FROM accounts) a FULL JOIN (SELECT account_id AS id, caption"
    " FROM videos) v USING (id) ORDER BY 1, 2, 3 LIMIT 9",
    "SELECT x.x FROM (SELECT id AS x FROM accounts WHERE id < 1000000004) x ORDER BY 1",
    "SELECT v.column1, handle AS column2 FROM accounts, (VALUES (1, 2)) v WHERE id < 1000000003 ORDER BY 2",
    "(VALUES ('a')) UNION SELECT handle FROM accounts WHERE id < 1000000003 ORDER BY column1",
    'SELECT a."id" AS "seenby", handle AS "a b""c" FROM accounts a WHERE id = 1000000001',
)
PLACES = (
    "SELECT FROM accounts WHERE id = 1000000042",
    "SELECT count(*) FROM (SELECT FROM accounts WHERE country = 'IE') x",
    "SELECT country, count(*) FROM accounts GROUP BY 1 ORDER BY 2 DESC, 1 OFFSET 1 FETCH FIRST 2 ROWS WITH TIES",
    "SELECT x.* FROM (SELECT country, count(*) FROM accounts GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 3) x ORDER BY 1",
    "SELECT country FROM accounts UNION SELECT code FROM countries ORDER BY 1 FETCH FIRST 3 ROWS WITH TIES",
    "SELECT code FROM countries ORDER BY (SELECT count(*) FROM accounts a WHERE a.country = code) DESC, code LIMIT 3",
    "SELECT code FROM countries GROUP BY code HAVING (SELECT count(*) FROM accounts a WHERE a.country = code) > 15"
    " ORDER BY 1",
    "SELECT count(*) FILTER (WHERE EXISTS (SELECT FROM accounts a WHERE a.country = code)) FROM countries",
    "SELECT code, n FROM countries, unnest(ARRAY(SELECT id FROM accounts a WHERE a.country = code ORDER BY id LIMIT 2))"
    " n ORDER BY 1, 2",
    "SELECT code, x.n FROM countries, LATERAL (VALUES ((SELECT count(*) FROM accounts a WHERE a.country = code))) x(n)"
    " ORDER BY 1",
    "VALUES ((SELECT handle FROM accounts WHERE id = 1000000001)), ('x')",
    "SELECT 7 = ANY (SELECT count(*) FROM tickets)",
    "SELECT country FROM accounts GROUP BY country HAVING NOT count(*) > 10 ORDER BY 1",
    "SELECT country FROM accounts GROUP BY country HAVING count(*) FILTER (WHERE id > 1000000140) > 0 ORDER BY 1",
    "SELECT x.id FROM (SELECT id, row_number() OVER (PARTITION BY country ORDER BY id) rn FROM accounts) x"
    " WHERE rn = 3 ORDER BY 1",
    "SELECT a.id, x.handle FROM accounts a CROSS JOIN LATERAL (SELECT b.handle FROM accounts b WHERE b.id > a.id"
    " ORDER BY b.id LIMIT 1) x ORDER BY 1 LIMIT 4",
    "SELECT count(*) FROM accounts WHERE id NOT IN (SELECT matched_account_id FROM contacts)",
    "SELECT a.id FROM accounts a FULL JOIN videos v ON v.account_id = a.id AND v.length_s > 160"
    " WHERE a.id IS NULL OR v.id IS NULL ORDER BY a.id, v.id LIMIT 5",
    "WITH RECURSIVE t(id) AS (SELECT followee_id FROM follows WHERE follower_id = 1000000001 UNION SELECT f.followee_id"
    " FROM follows f, t WHERE f.follower_id = t.id AND f.followee_id < 1000000010) SELECT count(*) FROM accounts a"
    " WHERE a.id NOT IN (SELECT id FROM t)",
    "SELECT c.phone FROM contacts c LEFT JOIN accounts a ON a.id = c.matched_account_id WHERE a.id IS NULL"
    " ORDER BY c.id LIMIT 9",
    "SELECT least(sender_id, recipient_id), greatest(sender_id, recipient_id), count(*) FROM messages GROUP BY 1, 2"
    " HAVING count(*) > 2 ORDER BY 3 DESC, 1, 2",
)


@pytest.mark.parametrize("sql", NAMES + PLACES)
def test_the_answer_is_postgres_s_and_the_same_without_everybody_who_is_not_named(
    served: Served, insider: Connection, sql: str
) -> None:
    with served.direct(AS_THE_GATEWAY) as direct:
        expected = rows(direct, sql)
    found, people = named(served, insider, sql)
    assert found == expected
    with served.direct() as direct, only(direct, people):
        assert rows(direct, sql) == expected


ODD_KEYS = (
    "a,b", '"', "{}", "NULL", "null", "", "\\", "ü–", "  ", "}{", "it's", "a\nb", '}{","', '"}{"', '\\"', "\\\\",
    "e\u0301",
)  # fmt: skip
ROWS_OF_SEVERAL = (
    "SELECT name, count(*) FROM contacts WHERE id >= 9990000000 GROUP BY name",
    "SELECT DISTINCT name FROM contacts WHERE id >= 9990000000",
    "SELECT name FROM contacts WHERE id >= 9990000000 UNION SELECT 'x'",
    "SELECT 1, n FROM (SELECT DISTINCT name n FROM contacts WHERE id >= 9990000000) x GROUP BY n",
    "SELECT DISTINCT n FROM (SELECT name n FROM contacts WHERE id >= 9990000000 GROUP BY name) y UNION SELECT 'a'",
    "SELECT (SELECT count(*) FROM contacts c WHERE c.account_id = a.id AND c.id >= 9990000000) FROM accounts a"
    f" WHERE a.id = {SOMEBODY}",
    "SELECT count(*) FROM contacts WHERE id >= 9990000000",
)


def test_keys_that_look_like_parts_of_an_array_are_named_as_they_are(served: Served, insider: Connection) -> None:
    with served.direct() as direct:
        try:
            for number, key in enumerate(ODD_KEYS):
                values = (9_990_000_000 + number, SOMEBODY, f"odd{number % 4}", key)
                direct.execute("INSERT INTO contacts VALUES (%s, %s, %s, %s, NULL, NULL, now())", values)
            for sql in ROWS_OF_SEVERAL:
                _, people = named(served, insider, sql)
                assert people - {f"account:{SOMEBODY}"} == {f"contact:{key}" for key in ODD_KEYS}, sql
        finally:
            direct.execute("DELETE FROM contacts WHERE id >= 9990000000")


# ---------------------------------------------------------------- cursors and caps


def test_whom_a_cursor_steps_over_or_skips_is_named(served: Served, insider: Connection) -> None:
    with submissions(served) as entries, insider.transaction():
        insider.execute("DECLARE c CURSOR FOR SELECT id FROM accounts ORDER BY id OFFSET 3")
        assert insider.execute("FETCH 1 FROM c").fetchall() == [(1_000_000_004,)]
        assert insider.execute("MOVE 2 FROM c").statusmessage == "MOVE 2"
        assert insider.execute("FETCH 1 FROM c").fetchall() == [(1_000_000_007,)]
    assert [len(entry) for entry in entries] == [4, 2, 1]


def ask_at_once(connection: Connection, cursors: Sequence[psycopg.Cursor[Any]]) -> None:
    with connection.pipeline():
        for number, cursor in enumerate(cursors):
            cursor.execute("SELECT handle FROM accounts WHERE id = %s", (SOMEBODY + number,))


def test_a_pipeline_of_queries_ends_at_the_cap(served: Served) -> None:
    cells = [(one, ("eu", "us")) for one in CLASSES]
    capped = served.grant("ben.ortiz", *cells, max_people=3)
    with served.connect("ben.ortiz", capped) as connection:
        cursors = [connection.cursor() for _ in range(6)]
        with pytest.raises(psycopg.Error) as refused:
            ask_at_once(connection, cursors)
        assert refused.value.sqlstate == "53400"
        assert sum(cursor.pgresult is not None and cursor.pgresult.ntuples > 0 for cursor in cursors) <= 3


# ---------------------------------------------------------------- figures


@pytest.fixture
def analyst(served: Served) -> Iterator[Connection]:
    served.region.gateway.grants._remembered._memories.pop("lena.koch", None)  # type: ignore[attr-defined]
    figures = served.grant("lena.koch", *((one, ("eu", "us")) for one in CLASSES), answers="statistics")
    with served.connect("lena.koch", figures) as connection:
        yield connection


def asked(connection: Connection, sql: str, value: bytes, oid: int, *, binary: bool) -> pq.abc.PGresult:
    return connection.pgconn.exec_params(sql.encode(), [value], [oid], [int(binary)])


SAME_BYTES = (
    ("id <> $1", (struct.pack(">q", SOMEBODY), FLOAT8, True), (struct.pack(">q", SOMEBODY), INT8, True)),
    ("handle <> $1", (b"\\x7069615f73696e677331", TEXT, False), (b"pia_sings1", TEXT, True)),
)


@pytest.mark.parametrize(("condition", "all_of_them", "all_but_one"), SAME_BYTES)
def test_a_parameter_of_the_same_bytes_is_not_the_same_question(
    analyst: Connection, condition: str, all_of_them: tuple[bytes, int, bool], all_but_one: tuple[bytes, int, bool]
) -> None:
    sql = f"SELECT count(*), sum(length(handle)) FROM accounts WHERE {condition}"
    for value, oid, binary in (all_of_them, all_of_them):
        assert asked(analyst, sql, value, oid, binary=binary).status == pq.ExecStatus.TUPLES_OK
    value, oid, binary = all_but_one
    refused = asked(analyst, sql, value, oid, binary=binary)
    assert refused.error_field(pq.DiagnosticField.SQLSTATE) == b"53400"


SMALL = "SELECT sum(coins) FROM wallets WHERE account_id = 1000000001"


@pytest.mark.parametrize(
    "ways",
    [
        (SMALL,),
        (f"PREPARE small AS {SMALL}", "EXECUTE small"),
        ("BEGIN", f"DECLARE c CURSOR FOR {SMALL}", "MOVE 1 FROM c"),
        ("BEGIN", f"DECLARE c CURSOR FOR {SMALL}", "FETCH 1 FROM c"),
    ],
)
def test_a_figure_about_one_person_is_refused_whatever_carries_it(analyst: Connection, ways: Sequence[str]) -> None:
    def all_of_them() -> None:
        for sql in ways:
            analyst.execute(sql.encode())

    with pytest.raises(psycopg.Error, match="fewer than 10 people") as refused:
        all_of_them()
    assert refused.value.sqlstate == "53400"
