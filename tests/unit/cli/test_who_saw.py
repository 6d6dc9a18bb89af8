"""``seenby who-saw`` as the protection officer runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seenby.stores.ledger import Ledger
from tests.fixtures.ledgers import ORIGIN, disclosure, with_ledger
from tests.unit.cli.test_verify import run


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("region")

    async def use(ledger: Ledger) -> None:
        await ledger.append(disclosure("account:1", "account:2"))
        await ledger.append(disclosure("account:1"))

    with_ledger(directory / "state", use)
    file = directory / "seenby.toml"
    file.write_text(f'region = "eu"\norigin = "{ORIGIN}"\nstate = "state"\n[control]\nsocket = "control.sock"\n')
    return file


def test_a_person_sees_when_why_and_what_but_no_name(config: Path) -> None:
    said = run("who-saw", "account:1", "--config", config)
    assert (said.returncode, said.stderr) == (0, "")
    for word in ("2026-11-22 09:20:01", "support", "contact", "accounts.phone", "disclosed", "2 times"):
        assert word in said.stdout
    assert "sam" not in said.stdout
    assert "T-1" not in said.stdout


def test_an_auditor_sees_who(config: Path) -> None:
    assert "sam" in run("who-saw", "account:2", "--config", config, "--auditor").stdout


def test_json(config: Path) -> None:
    answer = json.loads(run("who-saw", "account:1", "--config", config, "--json").stdout)
    assert (answer["person"], answer["region"], len(answer["seen"])) == ("account:1", "eu", 2)
    assert answer["seen"][0] == {
        "entry": 2,
        "published": True,
        "when": "2026-11-22T09:20:01.000000Z",
        "purpose": "support",
        "reference": "T",
        "classes": ["contact"],
        "columns": ["accounts.phone"],
        "how": "disclosed",
        "bound": "exact",
    }


def test_nobody_and_nonsense(config: Path) -> None:
    said = run("who-saw", "account:77", "--config", config)
    assert (said.returncode, "Nobody was shown data of account:77" in said.stdout) == (0, True)
    said = run("who-saw", "77", "--config", config)
    assert (said.returncode, "write KIND:KEY" in said.stderr) == (64, True)
    said = run("who-saw", "account:1", "--config", config.with_name("other.toml"))
    assert (said.returncode, "Traceback" in said.stderr) == (78, False)
