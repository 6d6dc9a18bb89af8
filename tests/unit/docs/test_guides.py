"""Every command that a guide shows in a shell block runs, as it stands there, on a real log."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from seenby.stores.bundles import enrolment_receipt, make_bundle
from seenby.stores.ledger import Ledger
from tests.fixtures.histories import Home
from tests.fixtures.ledgers import disclosure

GUIDE = Path(__file__).parents[3] / "docs" / "guide" / "verify.md"
BLOCKS = re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.S)


@pytest.fixture
def stranger(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A folder with what a person was given, and an environment in which seenby-verify is installed."""
    home = Home(tmp_path / "home")

    async def story(ledger: Ledger) -> None:
        await ledger.append(disclosure("account:1", "account:2"))
        await ledger.append(disclosure("account:1"))

    home.live(story)
    folder = tmp_path / "stranger"
    folder.mkdir()
    with home.view() as view:
        keys = home.enrolled(view, "account:1")
        (folder / "my.bundle.json").write_bytes(make_bundle("account:1", keys, view, "eu", now=home.now))
        (folder / "my.tlog-proof").write_bytes(enrolment_receipt(view, keys[0]))
    program = folder / "seenby-verify"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from seenby_verify.cli import main; main()" "$@"\n')
    program.chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    return folder, {**os.environ, "PATH": path, "LOG": str(home.public), "KEY": str(home.key), "NO_COLOR": "1"}


def test_the_commands_of_verify_md(stranger: tuple[Path, dict[str, str]]) -> None:
    folder, environment = stranger
    assert len(BLOCKS) >= 7
    said = ""
    for block in BLOCKS:
        done = subprocess.run(
            ["sh", "-e", "-c", block], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        said += done.stdout
    assert "The log holds" in said
    assert "support" in said, "the bundle shows for what"
    assert (folder / "verify.html").stat().st_size > 10_000
