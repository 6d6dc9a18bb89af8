"""`seenby reconcile` on a real server's own log: the way around Seenby is named, Seenby's own traffic is not."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from seenby.cli.reconcile import reconcile
from seenby.demo.region import OWNER, PLATFORM, Region
from seenby.demo.world import World
from seenby.errors import ConfigError, UsageError
from seenby.stores.jsonlog import Reconciliation, read_lines

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("world")]

Report = dict[str, Any]


@pytest.fixture
def eu(world: World) -> Region:
    return world.regions["eu"]


@pytest.fixture
def now(eu: Region) -> str:
    """A moment after everything that earlier tests did: their sessions have left their last line."""
    deadline = time.monotonic() + 30
    while True:
        found = Reconciliation(PLATFORM, local=True)
        for line, _ in read_lines(eu.running.jsonlog):
            found.add(line)
        if all(session.ended for session in found.foreign.values()) or time.monotonic() > deadline:
            break
        time.sleep(0.005)
    with psycopg.connect(eu.running.dsn()) as connection:
        # The log has whole milliseconds: what follows is not to begin in this one.
        row = connection.execute("SELECT (clock_timestamp() + '1 ms')::text, pg_sleep(0.003)").fetchone()
    assert row is not None
    return str(row[0])


def visit(region: Region, role: str, application: str, *statements: str, password: str = "") -> None:
    dsn = region.running.dsn(PLATFORM, role, password or region.passwords[role])
    with psycopg.connect(dsn, autocommit=True, application_name=application) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def json_of(capsys: pytest.CaptureFixture[str], region: Region, **options: Any) -> tuple[int, Report]:
    code = reconcile(config=region.config_file, json_=True, **options)
    return code, json.loads(capsys.readouterr().out)


def until(read: Callable[[], tuple[int, Report]], holds: Callable[[Report], object]) -> tuple[int, Report]:
    """The server's logging process writes a little after the session: reads until ``holds``."""
    deadline = time.monotonic() + 30
    while True:
        code, report = read()
        if holds(report) or time.monotonic() > deadline:
            return code, report
        time.sleep(0.01)


def ended(count: int) -> Callable[[Report], bool]:
    return lambda report: len([session for session in report["foreign"] if session["until"]]) == count


def test_setting_the_world_up_is_not_held_against_anybody(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    us = world.regions["us"]
    code, report = json_of(capsys, us)
    assert (code, report["clean"], report["foreign"]) == (0, True, [])
    assert report["since"] is not None
    code, report = json_of(capsys, us, since="2000-01-01")
    assert code == 1, "before Seenby took over, others did connect, and the log says so"
    assert {session["role"] for session in report["foreign"]} == {"postgres"}


def test_the_master_admin_is_named_with_the_statement(eu: Region, now: str, capsys: pytest.CaptureFixture[str]) -> None:
    visit(eu, OWNER, "psql", "SELECT phone FROM accounts WHERE id = 1000000042")
    code, report = until(lambda: json_of(capsys, eu, since=now), ended(1))
    (session,) = report["foreign"]
    assert code == 1
    assert (session["role"], session["from"], session["application"]) == (OWNER, "[local]", "psql")
    assert [statement["text"] for statement in session["statements"]] == [
        "SELECT phone FROM accounts WHERE id = 1000000042"
    ]
    assert session["missing_lines"] == 0


def test_the_superuser_is_named_too_even_after_switching_the_statements_off(
    eu: Region, now: str, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = eu.running.superuser_password
    visit(eu, "postgres", "", "SET log_statement = 'none'", "SELECT email FROM accounts LIMIT 1", password=secret)
    code, report = until(lambda: json_of(capsys, eu, since=now), ended(1))
    (session,) = report["foreign"]
    assert code == 1
    assert [statement["text"] for statement in session["statements"]] == ["SET log_statement = 'none'"]


def test_the_owner_cannot_switch_the_statements_off(eu: Region) -> None:
    for attempt in ("SET log_statement = 'none'", f"ALTER ROLE {OWNER} RESET log_statement"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            visit(eu, OWNER, "psql", attempt)


def test_the_gateways_own_connection_is_no_finding_the_same_role_from_psql_is(
    eu: Region, now: str, capsys: pytest.CaptureFixture[str]
) -> None:
    visit(eu, "seenby_guard", "seenby", "SELECT 1")
    code, report = until(lambda: json_of(capsys, eu, since=now), lambda report: report["own"])
    assert (code, report["own"], report["foreign"]) == (0, 1, [])
    visit(eu, "seenby_guard", "psql", "SELECT 1")
    code, report = until(lambda: json_of(capsys, eu, since=now), ended(1))
    (session,) = report["foreign"]
    assert (code, session["role"]) == (1, "seenby_guard")
    assert "does not say that it is the gateway" in session["why"]


def test_a_gateway_that_starts_works_and_stops_is_no_finding(
    eu: Region, now: str, capsys: pytest.CaptureFixture[str]
) -> None:
    eu.start_gateway()
    try:
        code, report = until(lambda: json_of(capsys, eu, since=now), lambda report: report["own"])
    finally:
        eu.stop_gateway()
    assert (code, report["foreign"]) == (0, [])
    assert report["own"] > 0


def test_guessing_a_password_is_an_attempt_not_a_connection(
    eu: Region, now: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(psycopg.OperationalError):
        visit(eu, OWNER, "psql", password="guess")
    code, report = until(lambda: json_of(capsys, eu, since=now), lambda report: report["turned_down"])
    assert (code, report["turned_down"]) == (0, {OWNER: 1})


def test_a_cursor_goes_on_where_the_last_run_ended(
    eu: Region, now: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cursor = tmp_path / "cursor"

    def all_of_it() -> tuple[int, Report]:
        return json_of(capsys, eu, since=now)

    visit(eu, OWNER, "first", "SELECT 1")
    until(all_of_it, ended(1))
    code, report = json_of(capsys, eu, since=now, cursor=cursor)
    assert (code, len(report["foreign"])) == (1, 1)
    code, report = json_of(capsys, eu, since=now, cursor=cursor)
    assert (code, report["lines"]) == (0, 0)
    visit(eu, OWNER, "second", "SELECT 2")
    until(all_of_it, ended(2))
    code, report = json_of(capsys, eu, since=now, cursor=cursor)
    assert (code, [session["application"] for session in report["foreign"]]) == (1, ["second"])


def test_for_people_it_is_text_and_cannot_steer_their_terminal(
    eu: Region, now: str, capsys: pytest.CaptureFixture[str]
) -> None:
    visit(eu, OWNER, "psql", "SELECT '[red]\x1b[2J',\n  1")
    until(lambda: json_of(capsys, eu, since=now), ended(1))
    assert reconcile(config=eu.config_file, since=now) == 1
    out = capsys.readouterr().out
    assert f"{OWNER}: not a role of Seenby's" in out
    assert "SELECT '[red]\\x1b[2J', 1" in out
    assert "\x1b[2J" not in out


def test_switching_the_log_off_is_found(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    us = world.regions["us"]
    with psycopg.connect(us.running.dsn(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET log_disconnections = off")
        connection.execute("SELECT pg_reload_conf()")
    code, report = until(lambda: json_of(capsys, us), lambda report: report["logging_changed"])
    assert (code, report["clean"]) == (1, False)
    assert report["logging_changed"][0]["message"] == 'parameter "log_disconnections" changed to "off"'


def test_wrong_use_is_a_sentence(eu: Region, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a time"):
        reconcile(config=eu.config_file, since="yesterday")
    broken = tmp_path / "cursor"
    broken.write_text("[]")
    with pytest.raises(ConfigError, match="is not a cursor"):
        reconcile(config=eu.config_file, cursor=broken)
    with pytest.raises(ConfigError, match="no database log"):
        reconcile(config=eu.config_file, log=tmp_path / "gone")
    read_before = tmp_path / "read-before"
    read_before.write_text('{"version": 1, "read": {}}')
    for content in (b"", b"half a line"):
        empty = tmp_path / "empty.json"
        empty.write_bytes(content)
        with pytest.raises(ConfigError, match="holds no line"):
            reconcile(config=eu.config_file, log=empty)
    assert reconcile(config=eu.config_file, log=empty, cursor=read_before) == 0, "nothing new is another matter"
    silent = tmp_path / "seenby.toml"
    silent.write_text(eu.config_file.read_text().split("[reconcile]")[0])
    with pytest.raises(ConfigError, match="does not say where the database's own log is"):
        reconcile(config=silent)


def test_the_command_itself_answers_with_its_exit_status(world: World, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from seenby.cli import main; main()", "reconcile"]
    config = str(world.regions["eu"].config_file)
    for options, code in (([], 0), (["--since", "2000-01-01"], 1), (["--since", "soon"], 64)):
        since = options or ["--since", "2999-01-01"]
        done = subprocess.run([*command, "--config", config, *since], capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
