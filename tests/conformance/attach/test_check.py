"""`seenby datamap check`: each finding, its level, and the exit status, on a database that has one of everything."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from seenby.cli.datamap import check, show
from seenby.cli.sample import sample
from seenby.errors import ConfigError
from seenby.stores.cluster import Cluster

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("attach")]

MAP = """
version = 1
[people.user]
table = "users"
key = "id"
region = "local"
[tables.users]
key = ["id"]
owners = [{ kind = "user", path = "id" }]
columns = { id = "public", name = "identity" }
[tables.notes]
key = ["id"]
unclassified = ["extra"]
owners = [{ kind = "user", path = "user_id" }]
columns = { id = "content", user_id = "content" }
[tables.rooms]
refused = "whose rooms are these?"
columns = { id = "content" }
"""
SCHEMA = """
CREATE TABLE users (id bigint PRIMARY KEY, name text);
CREATE TABLE notes (id bigint PRIMARY KEY, user_id bigint NOT NULL REFERENCES users, extra text);
CREATE TABLE rooms (id bigint PRIMARY KEY);
"""


@pytest.fixture
def dsn(cluster: Cluster) -> Iterator[str]:
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE attach_check")
    with psycopg.connect(cluster.dsn("attach_check"), autocommit=True) as connection:
        connection.execute(SCHEMA)
    yield cluster.dsn("attach_check")
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        connection.execute("DROP DATABASE attach_check WITH (FORCE)")


@pytest.fixture
def found(
    dsn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, set[tuple[str, str, str]]]]:
    """found(sql, map=..., strict=...): the exit status, and (level, what, place) of each finding after the SQL ran."""

    def run(statement: str = "", *, text: str = MAP, strict: bool = False) -> tuple[int, set[tuple[str, str, str]]]:
        if statement:
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute(statement.encode())
        file = tmp_path / "map.toml"
        file.write_text(text)
        capsys.readouterr()
        status = check(dsn, map_=file, strict=strict, json_=True)
        told = json.loads(capsys.readouterr().out)
        assert told["ok"] == (status == 0)
        assert all(one["message"] for one in told["findings"])
        return status, {(one["level"], one["what"], one["place"]) for one in told["findings"]}

    return run


QUIET = {("note", "unclassified", "tables.notes"), ("note", "unreachable", "tables.rooms")}
SLOW = ("warning", "slow", "notes.user_id")


def test_a_path_without_an_index(found: Callable[..., tuple[int, set[tuple[str, str, str]]]]) -> None:
    assert found() == (0, {*QUIET, SLOW})
    assert found(strict=True) == (1, {*QUIET, SLOW})
    assert found("CREATE INDEX ON notes (user_id)", strict=True) == (0, QUIET)


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
         ("problem", "around", "public.f()")),
        ("GRANT SELECT ON notes TO PUBLIC", ("problem", "around", "public.notes")),
        ("CREATE VIEW v AS SELECT name FROM users; GRANT SELECT ON v TO PUBLIC", ("problem", "around", "public.v")),
        ("ALTER TABLE notes ENABLE ROW LEVEL SECURITY", ("note", "around", "public.notes")),
        ("ALTER TABLE notes ADD COLUMN new text", ("problem", "drift", "tables.notes")),
        ("ALTER TABLE notes RENAME user_id TO owner_id", ("problem", "drift", "tables.notes.user_id")),
        ("ALTER TABLE notes DROP CONSTRAINT notes_pkey", ("problem", "drift", "tables.notes.key")),
        ("DROP TABLE rooms", ("problem", "drift", "tables.rooms")),
        ("CREATE TABLE more (id int)", ("problem", "drift", "more")),
    ],
)  # fmt: skip
def test_findings(
    statement: str, finding: tuple[str, str, str], found: Callable[..., tuple[int, set[tuple[str, str, str]]]]
) -> None:
    status, told = found(statement)
    assert finding in told
    assert status == (1 if finding[0] == "problem" else 0)


def test_what_is_not_open_is_no_finding(found: Callable[..., tuple[int, set[tuple[str, str, str]]]]) -> None:
    statement = """
        CREATE FUNCTION g() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
        REVOKE EXECUTE ON FUNCTION g FROM PUBLIC;
        CREATE FUNCTION h() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE VIEW w AS SELECT name FROM users"""
    unmapped = ("note", "unmapped view", "w")
    assert found(statement) == (0, {*QUIET, SLOW, unmapped}), "a view that the record does not name fails nothing"


def test_people_read_it(dsn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "map.toml"
    file.write_text(MAP)
    assert check(dsn, map_=file) == 0
    told = capsys.readouterr().out
    assert "warning  slow: notes.user_id: no index leads from a person to the rows of notes" in told
    assert "CREATE INDEX CONCURRENTLY ON public.notes (user_id)" in told
    assert "0 problems, 1 warnings, 2 notes" in told


def test_people_read_a_sample_and_no_name_moves_their_cursor(
    dsn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "posts\x1b[2K"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f'CREATE TABLE "{name}" (id bigint PRIMARY KEY, user_id bigint)'.encode())
        connection.execute(f'INSERT INTO users VALUES (7); INSERT INTO "{name}" VALUES (1, 7), (2, 7)'.encode())
    file = tmp_path / "map.toml"
    file.write_text(f"""{MAP}
[tables.{json.dumps(name)}]
key = ["id"]
owners = [{{ kind = "user", path = "user_id" }}]
columns = {{ id = "content", user_id = "content" }}
""")
    assert sample("user:7", dsn, map_=file) == 0
    told = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert told == [
        ["table", "rows", "by"],
        ["posts\N{REPLACEMENT CHARACTER}[2K", "2", "user_id"],
        ["users", "1", "id"],
        ["Nothing", "of", "theirs", "in:", "notes"],
    ]


def test_a_wrong_map(dsn: str, tmp_path: Path) -> None:
    file = tmp_path / "map.toml"
    file.write_text(MAP.replace('name = "identity"', 'name = "idendity"'))
    with pytest.raises(ConfigError, match=r"map.toml:10:\d+: tables.users.columns.name: .* did you mean identity"):
        check(dsn, map_=file)
    with pytest.raises(ConfigError, match="cannot read the data map"):
        check(dsn, map_=tmp_path / "none.toml")


def test_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "map.toml"
    file.write_text(MAP)
    show(file, format_="json")
    told = json.loads(capsys.readouterr().out)
    assert told["tables"]["notes"]["owners"] == [{"kind": "user", "path": ["user_id"], "nullable": False}]
    assert told["refused"] == {"rooms": "whose rooms are these?"}
    show(file, format_="md", region="eu")
    record = capsys.readouterr().out
    assert "| user, with an account | users.id | eu |" in record
    assert "| users | name | user |" in record
    assert "- rooms: whose rooms are these?" in record
    assert "- notes: extra" in record
    show(file, format_="svg")
    picture = capsys.readouterr().out
    assert picture.count('rx="4"') == 3, "a card for each table; the refused one too"
    assert "<title>rooms: whose rooms are these?</title>" in picture
    assert "<title>user_id = user</title>" in picture
