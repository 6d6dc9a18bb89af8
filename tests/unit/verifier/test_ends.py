"""The exit status means what it says, whatever becomes of the streams that a command writes to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.bundles import World
from tests.fixtures.bundles_log import NOW
from tests.fixtures.written_logs import SEENBY_VERIFY, written

SEENBY = [sys.executable, "-c", "from seenby.cli import main; main()"]
BOTH = pytest.mark.parametrize("command", [SEENBY_VERIFY, SEENBY], ids=["seenby-verify", "seenby"])


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The arguments that check a log which holds."""
    world = World()
    log = written(world.eu, tmp_path_factory.mktemp("ends") / "eu", time=NOW, cosigners=2)
    return ["log", str(log), "--key", str(world.eu.vkey)]


def shell(line: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """``line`` by a shell, which finds the command as "$@"."""
    return subprocess.run(
        ["bash", "-c", line, "bash", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **more},
    )


def unread(*command: str) -> tuple[int, str]:
    """(exit status, what it says on stderr) of a command whose reader is gone before it begins."""
    end, pipe = os.pipe()
    os.close(end)
    try:
        said = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(pipe)
    return said.returncode, said.stderr


@pytest.mark.parametrize("more", [[], ["--json"]], ids=["text", "json"])
def test_a_reader_that_goes_away_is_not_told_that_the_log_does_not_hold(checked: list[str], more: list[str]) -> None:
    assert unread(*SEENBY_VERIFY, *checked, *more) == (141, "")


@BOTH
@pytest.mark.parametrize("page", [["--help"], ["LATER", "--help"]], ids=["all", "one"])
def test_nor_does_a_page_of_help_end_as_a_fault(command: list[str], page: list[str]) -> None:
    later = "witness" if command is SEENBY_VERIFY else "grant"
    assert unread(*command, *[later if one == "LATER" else one for one in page]) == (141, "")


def test_with_its_streams_closed_the_status_is_still_right(checked: list[str]) -> None:
    assert shell('"$@" >&-', *SEENBY_VERIFY, *checked).returncode == 0
    assert shell('"$@" <&- 2>&-', *SEENBY_VERIFY, *checked).returncode == 0
    assert shell('"$@" 2>&-', *SEENBY_VERIFY, "log", "/nowhere", *checked[2:]).returncode == 66


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@BOTH
def test_a_full_disk_is_said_and_is_no_fault_of_the_log(command: list[str], checked: list[str]) -> None:
    arguments = checked if command is SEENBY_VERIFY else ["verify", *checked[1:]]
    for more in ([], ["--json"]):
        said = shell('"$@" >/dev/full', *command, *arguments, *more)
        assert said.returncode == 74, said.stderr
        assert "No space left on device" in said.stderr
        assert "next:" in said.stderr
        assert "Traceback" not in said.stderr
    assert shell('"$@" 2>/dev/full', *command, arguments[0], "/nowhere", *arguments[2:]).returncode == 66


@pytest.mark.parametrize("encoding", ["ascii", "utf-8:strict"])
def test_what_an_encoding_lacks_is_escaped(checked: list[str], encoding: str) -> None:
    """As when a scheduled job, or another language's Windows, writes to a file."""
    assert shell('"$@"', *SEENBY_VERIFY, *checked, PYTHONIOENCODING=encoding).returncode == 0
    for name in ("caf\u00e9", "\u2014", "a\udcff"):
        said = shell('"$@"', *SEENBY_VERIFY, "bundle", name, *checked[2:], "--json", PYTHONIOENCODING=encoding)
        assert said.returncode == 66, said.stderr
        assert json.loads(said.stdout)["fault"]["message"] == f"cannot read {name}: No such file or directory"


@BOTH
@pytest.mark.parametrize("arguments", [["nosuch"], ["--nosuch"], ["LATER"], ["LATER", "--nosuch"]])
def test_a_command_that_makes_no_sense_is_nothing_that_does_not_hold(command: list[str], arguments: list[str]) -> None:
    needs = "log" if command is SEENBY_VERIFY else "who-saw"
    said = shell('"$@"', *command, *[needs if one == "LATER" else one for one in arguments])
    assert said.returncode == 64
    assert "Error" in said.stderr
