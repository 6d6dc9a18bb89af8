"""What a database or a log says is shown as text: it moves no cursor and paints over nothing."""

from __future__ import annotations

import pytest
from rich.text import Text

from seenby.cli import report
from seenby.errors import ConfigError
from seenby_verify.cli.plain import PlainConsole

EVIL = "posts\x1b[2K\x1b[1A\x9b2J\u202eaccounts"
SHOWN = "posts\ufffd[2K\ufffd[1A\ufffd2J\ufffdaccounts"


@pytest.mark.parametrize("one", [EVIL, Text(EVIL), Text(EVIL, style="bold")])
def test_a_name_steers_no_terminal(capsys: pytest.CaptureFixture[str], one: str | Text) -> None:
    PlainConsole(highlight=False, soft_wrap=True, markup=False).print(one)
    assert capsys.readouterr().out == f"{SHOWN}\n"


def test_a_tab_is_a_space(capsys: pytest.CaptureFixture[str]) -> None:
    """As in the second line of "connection failed: ... No such file or directory"."""
    report(ConfigError("no answer", detail="no socket\n\tIs the server running?"))
    assert "\n Is the server running?" in capsys.readouterr().err


def test_nor_does_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    report(ConfigError(EVIL, hint=EVIL, detail=EVIL))
    said = capsys.readouterr().err
    assert (said.count(SHOWN), "\x1b" in said) == (3, False)
