"""Somebody else's implementation of the C2SP formats accepts a log of ours of 70,000 entries, and refuses it when it is
changed. The log is written by the real writer, not by a test's own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from seenby.stores.ledger import Ledger
from tests.fixtures.ledgers import disclosure, with_ledger

pytestmark = pytest.mark.xdist_group("others")
CHECK = Path(__file__).parent / "others_check.py"
QUERIES, PEOPLE = 14, 5000
Verdict = Callable[[Path], str]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``ledger/public``, ``old`` (an earlier checkpoint) and ``vkey``."""
    folder = tmp_path_factory.mktemp("others")

    async def write(ledger: Ledger) -> None:
        for number in range(QUERIES):
            people = [f"account:{(number * PEOPLE + n) % 20_000}" for n in range(PEOPLE)]
            await ledger.append(disclosure(*people))
            await ledger.published()
            if number == 2:
                shutil.copy(folder / "ledger/public/checkpoint", folder / "old")
        (folder / "vkey").write_text(str(ledger.verifier_key))

    with_ledger(folder, write)
    return folder


@pytest.fixture(scope="module")
def verdict(others: Path, log: Path) -> Verdict:
    def judge(public: Path) -> str:
        command = [str(others / "python"), str(CHECK), str(public), (log / "vkey").read_text(), str(log / "old")]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    return judge


def test_the_log_is_accepted(log: Path, verdict: Verdict) -> None:
    size = int((log / "ledger/public/checkpoint").read_text().splitlines()[1])
    assert size > QUERIES * PEOPLE
    assert verdict(log / "ledger/public") == "accepted"


@pytest.mark.parametrize("path", ["checkpoint", "tile/0/001", "tile/1/000", "tile/entries/100"])
def test_a_changed_log_is_refused(path: str, log: Path, verdict: Verdict, tmp_path: Path) -> None:
    copy = tmp_path / "public"
    shutil.copytree(log / "ledger/public", copy)
    file = copy / path
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    assert verdict(copy) not in ("accepted", "")
