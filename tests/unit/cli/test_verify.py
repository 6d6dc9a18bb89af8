"""``seenby verify``: the same check as ``seenby-verify log``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.ledgers import STARTED, VERIFIER, publish, query, with_seal

SEENBY = [sys.executable, "-c", "from seenby.cli import main; main()"]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SEENBY, *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("ledger") / "public"
    publish(with_seal([STARTED, *query(3), *query(300, 1)]), directory)
    return directory


def test_a_good_log(log: Path) -> None:
    for place in (log, log.parent):
        said = run("verify", place, "--key", str(VERIFIER))
        assert (said.returncode, said.stderr) == (0, "")
        assert [line.split()[0] for line in said.stdout.splitlines()[:12]] == [*map(str, range(1, 12)), "The"]
        assert "307 entries" in said.stdout


def test_a_changed_byte_is_named_and_the_status_is_1(log: Path) -> None:
    bundle = log / "tile" / "entries" / "001.p" / "51"
    data = bundle.read_bytes()
    bundle.write_bytes(data[:2000] + bytes([data[2000] ^ 1]) + data[2001:])
    try:
        said = run("verify", log, "--key", str(VERIFIER))
        assert said.returncode == 1
        assert "tile/entries/001.p/51: entry 275 is not the entry that was logged" in said.stderr
        assert said.stdout.splitlines()[-1].lstrip().startswith("3 ")
        assert "does not hold" in said.stdout
        answer = json.loads(run("verify", log, "--key", str(VERIFIER), "--json").stdout)
        assert answer["ok"] is False
        assert answer["fault"]["step"] == 3
        assert answer["fault"]["where"] == "tile/entries/001.p/51"
        assert len(answer["steps"]) == 2
    finally:
        bundle.write_bytes(data)
    assert json.loads(run("verify", log, "--key", str(VERIFIER), "--json").stdout)["ok"] is True


def test_what_a_newcomer_gets_wrong(log: Path) -> None:
    said = run("verify", log / "nowhere", "--key", str(VERIFIER))
    assert (said.returncode, "there is no directory" in said.stderr) == (66, True)
    said = run("verify", log, "--key", "rubbish")
    assert (said.returncode, "a verifier key looks like" in said.stderr) == (64, True)
    said = run("verify", log / "tile", "--key", str(VERIFIER))
    assert (said.returncode, "there is no checkpoint" in said.stderr) == (1, True)
    for said in (run("verify"), run("verify", log)):
        assert said.returncode != 0
        assert "Traceback" not in said.stderr + said.stdout
