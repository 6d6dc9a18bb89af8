"""``seenby who-saw`` as the protection officer runs it."""

from __future__ import annotations

import asyncio
import json
from importlib.resources import files
from io import StringIO
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from rich.console import Console

from seenby.cli.who_saw import _table, who_saw
from seenby.errors import SeenbyError
from seenby.stores.audit import shares_of
from seenby.stores.auditors import Auditors
from seenby.stores.keystore import KeyStore
from seenby.stores.ledger import Ledger
from seenby_verify.cli.bundle import shown_table
from seenby_verify.tlog.shares import OpenedEpochKey
from tests.fixtures.ledgers import EPOCH, NOW, ORIGIN, disclosure, with_ledger
from tests.unit.cli.test_verify import run

ADA = X25519PrivateKey.from_private_bytes(b"a" * 32)


def config_in(directory: Path) -> Path:
    file = directory / "seenby.toml"
    file.write_text(f'region = "eu"\norigin = "{ORIGIN}"\nstate = "state"\n[control]\nsocket = "control.sock"\n')
    return file


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("region")

    async def use(ledger: Ledger) -> None:
        await ledger.append(disclosure("account:1", "account:2"))
        await ledger.append(disclosure("account:1"))

    with_ledger(directory / "state", use)
    return config_in(directory)


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A region whose records are sealed for its auditor, and the month's key as that auditor opened it."""
    directory = tmp_path_factory.mktemp("audited")
    auditors = Auditors(1, {"ada": ADA.public_key().public_bytes_raw()})

    async def live() -> None:
        ledger = Ledger.open(
            directory / "state" / "ledger",
            region="eu",
            origin=ORIGIN,
            keystore=KeyStore.open(directory / "state" / "keys"),
            clock=lambda: NOW,
            publish_after=0.01,
            auditors=lambda: auditors,
        )
        await ledger.append(disclosure("account:1"))
        await ledger.close()

    (directory / "state").mkdir()
    asyncio.run(live())
    opened = shares_of(directory / "state" / "ledger", EPOCH).start().open("ada", ADA)
    assert isinstance(opened, bytes)
    key = directory / "epoch.json"
    key.write_bytes(OpenedEpochKey("eu", EPOCH, opened).encode())
    return config_in(directory), key


def test_a_person_sees_when_why_and_what_but_no_name(config: Path) -> None:
    said = run("who-saw", "account:1", "--config", config)
    assert (said.returncode, said.stderr) == (0, "")
    for word in ("2026-11-22 09:20:01", "support", "contact", "accounts.phone", "disclosed", "2 times"):
        assert word in said.stdout
    assert "sam" not in said.stdout
    assert "T-1" not in said.stdout


def test_the_end_of_the_list_says_how_far_it_goes(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    who_saw("account:1", config=config)
    said = capsys.readouterr().out
    assert "enrolled" not in said, "no access"
    assert "Their key 1 was made 2026-11-22 09:00:00 UTC (entry " in said
    assert "under the seal of 1 month there is nothing more about them in the public log of " in said


def test_an_auditor_sees_who(config: Path) -> None:
    assert "sam" in run("who-saw", "account:2", "--config", config, "--auditor").stdout


def test_json(config: Path) -> None:
    answer = json.loads(run("who-saw", "account:1", "--config", config, "--json").stdout)
    assert (answer["person"], answer["region"], len(answer["seen"])) == ("account:1", "eu", 2)
    [enrolled] = answer["events"]
    assert (enrolled["how"], enrolled["version"]) == ("enrolled", 1)
    first, second = answer["seen"]
    assert enrolled["index"] < first["entry"] < second["entry"] < answer["size"]
    assert {**first, "entry": 0} == {
        "entry": 0,
        "published": True,
        "when": "2026-11-22T09:20:01.000000Z",
        "purpose": "support",
        "reference": "T",
        "classes": ["contact"],
        "columns": ["accounts.phone"],
        "how": "disclosed",
        "bound": "exact",
    }


def test_json_for_an_auditor(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    who_saw("account:2", config=config, auditor=True, json_=True)
    [row] = json.loads(capsys.readouterr().out)["seen"]
    assert (row["opened"], row["who"], row["statement"]) == (True, {"role": "support", "name": "sam"}, "SELECT 1")
    assert (row["approvers"], row["reference_id"]) == ([], "T-1")


def test_where_there_are_auditors_their_key_opens_the_names(
    audited: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    config, key = audited
    who_saw("account:1", config=config, auditor=True)
    said = capsys.readouterr().out
    assert "sam" not in said
    assert "(sealed)" in said
    assert f"Names and statements of {EPOCH} are not shown: they are sealed for the auditors." in said
    assert f"Give --auditor-key FILE (seenby audit open --epoch {EPOCH})." in said
    who_saw("account:1", config=config, auditor=True, auditor_key=[key])
    said = capsys.readouterr().out
    assert "sam" in said
    assert "not shown" not in said


def test_a_person_needs_no_auditor(audited: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    who_saw("account:1", config=audited[0])
    said = capsys.readouterr().out
    assert ("support" in said, "sealed" in said) == (True, False)


def test_keys_that_are_none(audited: tuple[Path, Path], tmp_path: Path) -> None:
    config, key = audited
    other = tmp_path / "other.json"
    other.write_bytes(OpenedEpochKey("eu", EPOCH, b"o" * 32).encode())
    for path, auditor, fault in (
        (key, False, "--auditor-key opens what --auditor shows"),
        (tmp_path / "nowhere", True, "cannot read"),
        (config, True, "is not JSON"),
        (other, True, "does not open with this epoch's key"),
    ):
        with pytest.raises(SeenbyError) as caught:
            who_saw("account:1", config=config, auditor=auditor, auditor_key=[path])
        assert fault in caught.value.message


def test_nobody_and_nonsense(config: Path) -> None:
    said = run("who-saw", "account:77", "--config", config)
    assert (said.returncode, "Nobody was shown data of account:77" in said.stdout) == (0, True)
    assert "or their key was erased since" in said.stdout
    said = run("who-saw", "77", "--config", config)
    assert (said.returncode, "write KIND:KEY" in said.stderr) == (64, True)
    said = run("who-saw", "account:1", "--config", config.with_name("other.toml"))
    assert (said.returncode, "Traceback" in said.stderr) == (78, False)


def test_a_misspelt_kind_is_not_somebody_whom_nobody_saw(config: Path) -> None:
    map_file = config.with_name("datamap.toml")
    map_file.write_text(files("seenby.demo").joinpath("datamap.toml").read_text())
    said = run("who-saw", "accounts:77", "--config", config)
    assert (said.returncode, "no people of kind 'accounts'" in said.stderr) == (66, True)
    assert "the data map's kinds: account" in said.stderr
    map_file.write_text("\ufeff", "utf-16")
    assert run("who-saw", "accounts:77", "--config", config).returncode == 0, "nor with one in another encoding"
    map_file.unlink()
    assert run("who-saw", "accounts:77", "--config", config).returncode == 0, "without a map nobody can tell"
    config.with_name("latin.toml").write_bytes(b'region = "\xe9"')
    said = run("who-saw", "account:77", "--config", config.with_name("latin.toml"))
    assert (said.returncode, "not text in UTF-8" in said.stderr) == (78, True)


def test_on_a_terminal_of_80_columns_no_word_is_cut() -> None:
    """The table of a bundle, too."""
    row = {
        "when": "2026-11-22T09:20:01Z", "purpose": "moderation", "reference": "ticket", "region": "eu",
        "classes": ["contact", "public"], "columns": ["accounts.email", "accounts.handle"], "bound": "upper",
        "entry": 21160, "index": 21160, "part": {},
    }  # fmt: skip
    rows = [{**row, "how": how} for how in ("disclosed", "examined")] + [{**row, "how": "examined", "columns": []}]
    for table in (_table("account:1", rows, auditor=False), shown_table([*rows, {**row, "how": "enrolled"}])):
        Console(width=80, file=(printed := StringIO())).print(table)
        words = set(printed.getvalue().split())
        assert words >= {"2026-11-22", "09:20:01", "moderation", "accounts.email", "accounts.handle", "21160", "there)"}
