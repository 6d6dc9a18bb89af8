"""`seenby attach` prints a script that a DBA can run with psql, and that may be run again."""

from __future__ import annotations

import subprocess

import pytest

from seenby.cli.attach import attach
from seenby.demo.region import PLATFORM
from seenby.demo.world import World
from seenby.stores.cluster import BIN

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("world")]


def test_the_printed_script_runs_again_with_psql_and_holds_no_password(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    region = world.regions["eu"]
    attach(config=region.config_file)
    script = capsys.readouterr().out
    done = subprocess.run(
        [str(BIN / "psql"), "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", region.running.dsn(PLATFORM)],
        input=script,
        text=True,
        capture_output=True,
        check=False,
        env={"PGOPTIONS": "-c client_min_messages=warning"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert region.passwords["seenby_guard"] not in script
