"""The database's own log: read line by line, and folded into who connected that was not Seenby."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from seenby.errors import ConfigError
from seenby.stores import jsonlog
from seenby.stores.jsonlog import Line, Position, Reconciliation, log_files, read_lines

START = 0x6B02B5E7  # 2026-11-22 09:29:11 UTC, as in the session ids of PostgreSQL 18


def line(message: str, number: int = 3, **changes: Any) -> dict[str, Any]:
    """A line as PostgreSQL 18 writes it, of a session of platform_owner in database platform."""
    return {
        "timestamp": "2026-11-22 09:29:11.236 UTC", "user": "platform_owner", "dbname": "platform", "pid": 8458,
        "remote_host": "[local]", "session_id": "6b02b5e7.210a", "line_num": number, "ps": "idle",
        "session_start": "2026-11-22 09:29:11 UTC", "vxid": "1/1", "txid": 0, "error_severity": "LOG",
        "message": message, "backend_type": "client backend", "query_id": 0, **changes,
    }  # fmt: skip


def authorized(user: str, application: str = "", number: int = 3, **changes: Any) -> dict[str, Any]:
    named = f" application_name={application}" if application else ""
    database = changes.get("dbname", "platform")
    message = f"connection authorized: user={user} database={database}{named}"
    return line(message, number, **{"user": user, "ps": "authentication", **changes})


def write(file: Path, *lines: dict[str, Any] | str) -> Path:
    file.write_text("".join(text if isinstance(text, str) else json.dumps(text) + "\n" for text in lines))
    return file


def lines_of(file: Path, position: Position | None = None) -> list[Line | None]:
    return [found for found, _ in read_lines(file, position)]


def fold(tmp_path: Path, *lines: dict[str, Any] | str, local: bool = True, since: float = 0.0) -> Reconciliation:
    found = Reconciliation("platform", local, since)
    for item in lines_of(write(tmp_path / "postgresql.json", *lines)):
        found.add(item)
    return found


# ------------------------------------------------------------------------------------------------ reading


def test_a_line_becomes_its_fields(tmp_path: Path) -> None:
    (found,) = lines_of(write(tmp_path / "log", line("statement: SELECT 1", application_name="psql", detail="d")))
    assert found == Line(
        at=START + 0.236, session="6b02b5e7.210a", number=3, user="platform_owner", database="platform",
        host="[local]", pid=8458, state="idle", severity="LOG", message="statement: SELECT 1", detail="d",
        application="psql", backend="client backend",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("stamp", "start"),
    [
        ("2026-11-22 10:29:11.236 CET", "2026-11-22 10:29:11 CET"),
        ("2026-11-22 14:59:11.236 IST", "2026-11-22 14:59:11 IST"),
        ("2026-11-22 04:29:11.236 EST", "2026-11-22 04:29:11 EST"),
        ("2026-11-22 09:29:11.236 GMT", "2026-11-22 09:29:11 GMT"),
    ],
)
def test_any_time_zone_of_the_log_is_understood(tmp_path: Path, stamp: str, start: str) -> None:
    (found,) = lines_of(write(tmp_path / "log", line("x", timestamp=stamp, session_start=start)))
    assert found is not None
    assert found.at == pytest.approx(START + 0.236)


def test_a_half_written_last_line_waits_for_its_end(tmp_path: Path) -> None:
    whole, half = json.dumps(line("one")) + "\n", json.dumps(line("two")) + "\n"
    for cut in range(len(half)):
        file = write(tmp_path / "log", whole, half[:cut])
        ((found, position),) = read_lines(file)
        assert found is not None
        assert found.message == "one"
        file.write_text(whole + half)
        os.utime(file)
        (rest,) = lines_of(file, position)
        assert rest is not None
        assert rest.message == "two"


def test_a_position_in_a_rotated_or_shortened_file_starts_again(tmp_path: Path) -> None:
    file = write(tmp_path / "log", line("one"), line("two"))
    last = list(read_lines(file))[-1][1]
    assert lines_of(file, last) == []
    file.rename(tmp_path / "log.1")
    write(file, line("three"), line("four"))
    assert [found.message for found in lines_of(file, last) if found] == ["three", "four"]
    last = list(read_lines(file))[-1][1]
    write(file, line("x"))
    assert [found.message for found in lines_of(file, last) if found] == ["x"]


@pytest.mark.parametrize(
    "garbage", ["\n", "null\n", "[]\n", "{}\n", '{"timestamp":"soon"}\n', '{"timestamp":1}\n', "\x00\x00\n", '"\n']
)
def test_a_line_without_sense_is_said_to_be_one(tmp_path: Path, garbage: str) -> None:
    assert [found is None for found in lines_of(write(tmp_path / "log", garbage, line("after")))] == [True, False]


def test_a_line_behind_the_half_line_of_a_crash_is_still_read(tmp_path: Path) -> None:
    raw = json.dumps(line("one"), separators=(",", ":"))
    (found,) = lines_of(write(tmp_path / "log", raw[:70] + json.dumps(line("two"), separators=(",", ":")) + "\n"))
    assert found is not None
    assert found.message == "two"


def test_a_monstrous_line_is_skipped_without_being_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonlog, "LINE_LIMIT", 1000)
    file = write(tmp_path / "log", line("x" * 5000), line("after"))
    first, second = lines_of(file)
    assert first is None
    assert second is not None
    assert second.message == "after"


def test_a_folder_is_its_json_files_oldest_first(tmp_path: Path) -> None:
    for age, name in enumerate(["c.json", "a.json", "b.log"]):
        write(tmp_path / name, line(name))
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    assert [file.name for file in log_files(tmp_path)] == ["a.json", "c.json"]


def test_a_missing_log_is_a_sentence(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nothing.json"):
        with pytest.raises(ConfigError, match="no database log") as caught:
            log_files(place)
        assert "jsonlog" in caught.value.hint
    with pytest.raises(ConfigError, match="cannot read the database's log"):
        list(read_lines(tmp_path / "nothing.json"))


# ------------------------------------------------------------------------------------------------ judging


def test_the_gateways_own_sessions_are_counted_not_kept(tmp_path: Path) -> None:
    found = fold(
        tmp_path,
        authorized("seenby_guard", "seenby"),
        authorized("seenby_g_4f2a", "seenby", session_id="6b02b5e8.1"),
        line("disconnection: ...", user="seenby_g_4f2a", session_id="6b02b5e8.1", application_name="seenby"),
    )
    assert (found.own, dict(found.foreign), found.clean) == (2, {}, True)


def test_a_client_that_renames_its_session_is_still_the_gateways(tmp_path: Path) -> None:
    """The gateway passes SET application_name on; what counts is what it said of itself at the start."""
    own = {"user": "seenby_g_4f2a", "session_id": "6b02b5e8.1"}
    renamed = line("disconnection: ...", 9, application_name="my script", **own)
    assert fold(tmp_path, authorized("seenby_g_4f2a", "seenby", session_id="6b02b5e8.1"), renamed).clean
    assert fold(tmp_path, renamed).clean, "a log that begins in the middle of the session"


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (authorized("platform_owner", "seenby"), "not a role of Seenby's"),
        (authorized("postgres"), "not a role of Seenby's"),
        (authorized("seenby_control", "seenby"), "not a role of Seenby's"),
        (authorized("seenby_guardian", "seenby"), "not a role of Seenby's"),
        (authorized("seenby_g_4f2a", "psql"), "does not say that it is the gateway"),
        (authorized("seenby_guard"), "does not say that it is the gateway"),
        (authorized("seenby_guard", "seenbyx"), "does not say that it is the gateway"),
        (authorized("seenby_guard", "seenby", remote_host="10.1.2.3"), "not from the gateway's socket"),
        (authorized("backup", dbname="", backend_type="walsender"), "replication"),
    ],
)
def test_who_is_not_seenby(tmp_path: Path, entry: dict[str, Any], why: str) -> None:
    found = fold(tmp_path, entry)
    (session,) = found.foreign.values()
    assert why in session.why
    assert not found.clean


def test_a_gateway_on_another_machine_has_an_address(tmp_path: Path) -> None:
    assert fold(tmp_path, authorized("seenby_guard", "seenby", remote_host="10.1.2.3"), local=False).clean


def test_statements_are_told_however_they_were_sent(tmp_path: Path) -> None:
    found = fold(
        tmp_path,
        authorized("platform_owner", "psql"),
        line("statement: select 1; select\n2", 4, application_name="psql"),
        line("execute <unnamed>: select $1::int", 5, detail="Parameters: $1 = '4'"),
        line("duration: 0.250 ms  execute S_1: select 7", 6),
        line("statement: nope", 7),
        line('relation "nope" does not exist', 8, error_severity="ERROR", statement="select nope"),
        line("disconnection: session time: 0:00:00.012 user=platform_owner", 9, timestamp="2026-11-22 09:30:11 UTC"),
    )
    (session,) = found.foreign.values()
    assert [text for _, text in session.statements] == [
        "select 1; select\n2",
        "select $1::int  -- Parameters: $1 = '4'",
        "select 7",
        "nope",
    ]
    assert (session.user, session.host, session.pid, session.application) == ("platform_owner", "[local]", 8458, "psql")
    assert session.ended == START + 60
    assert session.missing_lines == 0


def test_lines_taken_out_of_a_session_are_missed(tmp_path: Path) -> None:
    found = fold(tmp_path, authorized("platform_owner"), line("disconnection: ...", 9))
    (session,) = found.foreign.values()
    assert session.missing_lines == 5


def test_without_log_connections_or_in_another_language_a_session_still_shows(tmp_path: Path) -> None:
    """The text cannot be relied on: lc_messages may be any language."""
    received = line("Verbindung angenommen: host=[local]", 1, user="", dbname="", ps="", backend_type="not initialized")
    checked = line("Verbindung authentifiziert: ...", 2, ps="authentication")
    assert fold(tmp_path, received, checked).clean
    found = fold(tmp_path, received, checked, line("Anweisung: SELECT phone FROM accounts", 4))
    assert [session.user for session in found.foreign.values()] == ["platform_owner"]


def test_attempts_that_the_database_turned_down_are_told_apart(tmp_path: Path) -> None:
    refused = {"error_severity": "FATAL", "session_id": "6b02b5e8.2"}
    found = fold(
        tmp_path,
        line("password authentication failed", 2, user="eve", ps="authentication", error_severity="FATAL"),
        authorized("mallory", session_id="6b02b5e8.2"),
        line('permission denied for database "platform"', 4, user="mallory", ps="startup", **refused),
    )
    assert found.clean
    assert found.failed == {"eve": 1, "mallory": 1}


def test_a_session_cut_off_later_did_connect(tmp_path: Path) -> None:
    found = fold(
        tmp_path,
        authorized("platform_owner"),
        line("terminating connection due to administrator command", 4, error_severity="FATAL"),
    )
    assert len(found.foreign) == 1


def test_other_databases_are_counted_by_role(tmp_path: Path) -> None:
    found = fold(
        tmp_path, *[authorized("seenby_control", "x", dbname="seenby", session_id=f"6b.{n}") for n in range(3)]
    )
    assert found.clean
    assert found.elsewhere == {("seenby_control", "seenby"): 3}


def test_what_was_before_is_not_judged_but_a_session_that_goes_on_is(tmp_path: Path) -> None:
    before = [authorized("platform_owner"), line("statement: CREATE TABLE t ()", 4)]
    assert fold(tmp_path, *before, since=START + 60).clean
    after = line("statement: SELECT phone FROM accounts", 5, timestamp="2026-11-22 09:31:00.000 UTC")
    found = fold(tmp_path, *before, after, since=START + 60)
    (session,) = found.foreign.values()
    assert [text for _, text in session.statements] == ["SELECT phone FROM accounts"]
    assert session.missing_lines == 0


@pytest.mark.parametrize("name", ["log_connections", "log_statement", "logging_collector", "log_destination"])
def test_a_changed_logging_setting_is_a_finding(tmp_path: Path, name: str) -> None:
    changed = line(f'parameter "{name}" changed to ""', user="", dbname="", backend_type="postmaster")
    assert not fold(tmp_path, changed).clean
    other = line('parameter "work_mem" changed to "8MB"', user="", dbname="", backend_type="postmaster")
    assert fold(tmp_path, other).clean


def test_an_unreadable_line_is_a_finding(tmp_path: Path) -> None:
    found = fold(tmp_path, "garbage\n", authorized("seenby_guard", "seenby"))
    assert (found.unreadable, found.own, found.clean) == (1, 1, False)


def test_memory_is_bounded_and_nobody_is_lost_from_the_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, limit in (("SESSIONS_KEPT", 3), ("STATEMENTS_KEPT", 4), ("STATEMENTS_KEPT_IN_ALL", 6)):
        monkeypatch.setattr(jsonlog, name, limit)
    entries: list[dict[str, Any]] = []
    for session in range(5):
        own: dict[str, Any] = {"session_id": f"6b02b5e7.{session}"}
        entries += [authorized("platform_owner", **own), *[line("statement: " + "x" * 9000, **own) for _ in range(5)]]
    found = fold(tmp_path, *entries)
    kept = list(found.foreign.values())
    assert (len(kept), found.more_foreign) == (3, 2)
    assert [len(session.statements) for session in kept] == [4, 2, 0]
    assert [session.more_statements for session in kept] == [1, 3, 5]
    assert all(len(text) < 5000 for session in kept for _, text in session.statements)
    guesses = [line("no", user=f"u{n}", ps="authentication", error_severity="FATAL") for n in range(500)]
    tried = fold(tmp_path, *guesses).failed
    assert len(tried) <= jsonlog.NOTES_KEPT + 1
    assert sum(tried.values()) == 500
