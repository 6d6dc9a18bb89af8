"""What a newcomer reads first: the list of commands, and each command's own page."""

from __future__ import annotations

import subprocess
import sys

import pytest

from seenby.cli import COMMANDS


def seenby(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from seenby.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={"COLUMNS": "200"})


def test_without_arguments_it_says_what_to_do_first() -> None:
    said = seenby()
    assert (said.returncode, said.stderr) == (0, "")
    words = said.stdout.split("\n\n")[1]
    assert words.startswith("New here? Run seenby demo")
    for name, (_, sentence) in COMMANDS.items():
        assert f"{name} " in said.stdout
        assert sentence in said.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_says_more_than_the_list(name: str) -> None:
    said = seenby(name, "--help")
    assert (said.returncode, said.stderr) == (0, "")
    assert f"Usage: seenby {name}" in said.stdout
    if not COMMANDS[name][0].endswith(":app"):  # those have commands of their own
        assert COMMANDS[name][1] not in said.stdout, "the docstring stands there instead"
        assert "--no-" not in said.stdout


def test_a_mistyped_command() -> None:
    said = seenby("verfy")
    assert said.returncode != 0
    assert 'Did you mean "verify"' in said.stdout + said.stderr


def test_brackets_of_a_hint_are_printed() -> None:
    """They are the names of tables in seenby.toml, not the console's markup."""
    code = "import sys; from seenby.cli import report; from seenby.errors import Refused; " + (
        "report(Refused('[listen] is wrong', hint='change [listen] in seenby.toml'))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[listen] is wrong" in said.stderr
    assert "change [listen] in" in said.stderr
