"""`seenby audit`: from a key of one's own to the records of a month, as auditors would run it; and the end of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from seenby.stores import auditors
from seenby.stores.directory import parse_directory, render_directory
from tests.fixtures.commands import seenby
from tests.fixtures.grants import DIRECTORY
from tests.unit.stores.test_auditors import write

Say = Callable[..., tuple[int, str]]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs a command; (exit status, everything that was printed)."""
    return partial(seenby, capsys)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "seenby.toml").write_text(
        'region = "eu"\norigin = "eu.test/ledger"\nstate = "."\n[control]\nsocket = "control.sock"\n'
    )
    return tmp_path / "seenby.toml"


def named_auditors(folder: Path, say: Say) -> dict[str, bytes]:
    """Three auditors make their keys, and the directory takes the printed lines."""
    lines = []
    for name in ("ada", "ben", "cid"):
        code, said = say("audit", "keygen", "--out", folder / f"{name}.pem")
        assert (code, (folder / f"{name}.pem").stat().st_mode & 0o777) == (0, 0o600)
        line = re.search(rf'{name} = "[^"]+"', said)
        assert line
        assert "Below [auditors] in directory.toml" in said, "brackets are no markup"
        lines.append(line[0])
    text = render_directory(DIRECTORY) + "\n[auditors]\n" + "\n".join(lines) + "\n"
    found = parse_directory(text, "directory.toml")
    assert parse_directory(render_directory(found), "again") == found
    return dict(found.auditors)


def test_two_of_three_open_a_month(tmp_path: Path, say: Say, config: Path) -> None:
    named = named_auditors(tmp_path, say)
    write(tmp_path, "account:1", named=named)
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    code, said = say(
        "audit", "open", "--epoch", 202611, "--config", config, "--key", tmp_path / "ada.pem", "--out", first
    )
    assert (code, "ada has opened their part" in said, "ben or cid runs" in said) == (0, True, True)
    # What one auditor got is no key of the month.
    assert say("audit", "records", "--epoch", 202611, "--config", config, "--key", first)[0] == 1
    code, said = say("audit", "open", "--shares", first, "--key", tmp_path / "ada.pem", "--out", second)
    assert (code, "it is the turn of ben or cid" in said) == (64, True)
    code, said = say("audit", "open", "--shares", first, "--key", tmp_path / "cid.pem", "--out", second)
    assert (code, "cid was the last" in said, second.stat().st_mode & 0o777) == (0, True, 0o600)
    code, said = say("audit", "records", "--epoch", 202611, "--ledger", tmp_path / "ledger", "--key", second)
    assert (code, "2 records of 202611, each held against its entry" in said) == (0, True)
    assert re.search(r"2026-11-22 09:20:01 query sam support support T-1 SELECT 1", said)
    code, said = say("audit", "records", "--epoch", 202611, "--config", config, "--key", second, "--json")
    assert json.loads(said.split("} {")[-1].join(["{", ""]))["withheld"]["statement"] == "SELECT 1"
    assert say("audit", "records", "--epoch", 202612, "--config", config, "--key", second)[0] == 64
    # The region alone cannot.
    code, said = say("audit", "records", "--epoch", 202611, "--config", config)
    assert (code, "for the auditors of its epoch" in said) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--epoch", "202611", "--ledger", "LEDGER", "--key", "OTHER"],
            "none of the auditors' of that month next: they",
        ),
        (["--epoch", "202610", "--ledger", "LEDGER", "--key", "ada.pem"], "the log has no auditors' key of 202610"),
        (["--epoch", "202611", "--key", "ada.pem"], "which ledger?"),
        (["--key", "ada.pem"], "what is to be opened?"),
        (["--shares", "nowhere", "--key", "ada.pem"], "cannot read"),
        (["--epoch", "202611", "--ledger", "LEDGER", "--key", "seenby.toml"], "not an auditor's key"),
        (["--epoch", "202611", "--ledger", "LEDGER", "--key", "loose.pem"], "can be read by others"),
        (["--epoch", "202611", "--ledger", "LEDGER", "--key", "ada.pem", "--out", "ben.pem"], "is already there"),
    ],
)
def test_what_does_not_fit_is_said(
    tmp_path: Path, say: Say, config: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    config.chmod(0o600)
    named = named_auditors(tmp_path, say)
    write(tmp_path, "account:1", named=named)
    say("audit", "keygen", "--out", "OTHER")
    Path("loose.pem").write_bytes(Path("ada.pem").read_bytes())
    Path("loose.pem").chmod(0o644)
    places = {"LEDGER": str(tmp_path / "ledger")}
    whole = ["--out", "new.json", *arguments] if "--out" not in arguments else arguments
    code, said = say("audit", "open", *(places.get(one, one) for one in whole))
    assert (code != 0, words in said) == (True, True), said
    assert not Path("new.json").exists()


def test_the_end_of_retention(tmp_path: Path, say: Say, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "account:1", named=named_auditors(tmp_path, say), now=1793000000.0)  # October 2026
    assert auditors.epochs_file(tmp_path / "ledger", 202610).exists()
    monkeypatch.setattr("time.time", lambda: 1795338000.0)  # November
    code, said = say("audit", "destroy", "--epoch", 202611, "--config", config)
    assert (code, "202611 is not over" in said) == (64, True)
    code, said = say("audit", "destroy", "--epoch", 202610, "--config", config)
    assert (code, "Destroyed: the auditors' shares and the region's key of 202610" in said) == (0, True)
    code, said = say("audit", "destroy", "--epoch", 202610, "--config", config)
    assert (code, "there are no keys of 202610" in said) == (66, True)
    code, said = say("audit", "records", "--epoch", 202610, "--config", config)
    assert (code, "was destroyed" in said) == (66, True)


@pytest.mark.parametrize("epoch", ["20261", "202613", "202600", "2026-11"])
def test_a_month_that_is_none_makes_no_sense(epoch: str) -> None:
    """It is not a state folder that lacks something."""
    command = [sys.executable, "-c", "from seenby.cli import main; main()", "audit", "records", "--epoch", epoch]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (said.returncode, "--epoch" in said.stderr) == (64, True)


def test_who_confirms_a_report_says_whom_they_trust(tmp_path: Path, say: Say) -> None:
    """``--key`` is the auditor's own here."""
    common = ("audit", "confirm", tmp_path, "--as", "ada", "--key", tmp_path / "ada.pem")
    code, said = say(*common)
    assert (code, "either --log-key or --policy" in said, "next: --log-key takes" in said) == (64, True, True)
    code, said = say(*common, "--log-key", "nonsense")
    assert (code, "--log-key: " in said) == (64, True)
