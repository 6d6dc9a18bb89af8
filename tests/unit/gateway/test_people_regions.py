"""The list of regions: signed, logged when it is new, and refused in words when it is anything else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from seenby.cli import command_line
from seenby.errors import ConfigError
from seenby.gateway.region_list import RegionsFile
from seenby.stores.journal import JournalReader
from seenby.stores.ledger import Ledger
from seenby_verify.tlog.entries import Regions, decode
from seenby_verify.tlog.regions import RegionList
from seenby_verify.tlog.vkey import VerifierKey
from tests.fixtures.commands import seenby
from tests.fixtures.ledgers import open_ledger, with_ledger

ORGANISATION = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
NAME = "orbit.example"
KEY = str(VerifierKey(NAME, ORGANISATION.public_key().public_bytes_raw()))
US = VerifierKey("us.test/ledger", Ed25519PrivateKey.from_private_bytes(b"u" * 32).public_key().public_bytes_raw())


def signed(serial: int, *logs: tuple[str, VerifierKey], key: Ed25519PrivateKey = ORGANISATION) -> bytes:
    return RegionList(NAME, serial, logs).sign(key)


def logged(folder: Path) -> list[bytes]:
    groups = JournalReader(folder / "ledger" / "private" / "journal").groups()
    found = [decode(one.entry) for group in groups for one in group]
    return [entry.document for entry in found if isinstance(entry, Regions)]


def with_file(folder: Path, use: Callable[[Ledger, RegionsFile], Awaitable[None]]) -> None:
    async def work(ledger: Ledger) -> None:
        await use(ledger, RegionsFile(folder / "regions", KEY, "eu", ledger))

    with_ledger(folder, work)


def test_each_new_list_is_logged_once(tmp_path: Path) -> None:
    async def use(ledger: Ledger, file: RegionsFile) -> None:
        eu = ("eu", ledger.verifier_key)
        first, second = signed(1, eu), signed(2, eu, ("us", US))
        for text, new in ((first, True), (first, False), (second, True), (second, False)):
            (tmp_path / "regions").write_bytes(text)
            assert await file.log_it() is new
        assert (ledger.regions, logged(tmp_path)) == (second, [first, second])

    with_file(tmp_path, use)

    async def again(ledger: Ledger, file: RegionsFile) -> None:
        assert await file.log_it() is False

    with_file(tmp_path, again)


@pytest.mark.parametrize("wrong", ["signature", "serial", "left out", "this log", "older", "torn", "missing"])
def test_a_wrong_list_is_refused_in_words_and_the_log_keeps_its_own(tmp_path: Path, wrong: str) -> None:
    words = {
        "signature": "is not signed by the organisation's key",
        "serial": "number 4 does not follow number 2",
        "left out": "leaves out or changes region us",
        "this log": "does not name this log for region eu",
        "older": "number 1 does not follow number 2",
        "torn": "is refused",
        "missing": "cannot read the list of regions",
    }

    async def use(ledger: Ledger, file: RegionsFile) -> None:
        eu, us = ("eu", ledger.verifier_key), ("us", US)
        (tmp_path / "regions").write_bytes(signed(1, eu, us))
        await file.log_it()
        good = signed(2, eu, us)
        (tmp_path / "regions").write_bytes(good)
        await file.log_it()
        text = {
            "signature": signed(3, eu, us, key=Ed25519PrivateKey.from_private_bytes(b"x" * 32)),
            "serial": signed(4, eu, us),
            "left out": signed(3, eu),
            "this log": signed(3, ("eu", US)),
            "older": signed(1, eu, us),
            "torn": good[:-20],
            "missing": b"",
        }[wrong]
        (tmp_path / "regions").write_bytes(text)
        if wrong == "missing":
            (tmp_path / "regions").unlink()
        with pytest.raises(ConfigError, match=words[wrong]):
            await file.log_it()
        assert (ledger.regions, len(logged(tmp_path))) == (good, 2)

    with_file(tmp_path, use)


def test_a_key_that_is_none_is_told(tmp_path: Path) -> None:
    async def use(ledger: Ledger) -> None:
        with pytest.raises(ConfigError, match=r"organisation in seenby\.toml"):
            RegionsFile(tmp_path / "regions", "orbit.example", "eu", ledger)

    with_ledger(tmp_path, use)


def test_the_organisation_makes_lists_that_gateways_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> str:
        command_line(words)(words, exit_on_error=False, result_action="return_value")
        return capsys.readouterr().out

    key = run("regions", "keygen", "--organisation", NAME, "--out", "org.pem").strip()
    assert Path("org.pem").stat().st_mode & 0o777 == 0o600

    async def make() -> tuple[str, bytes]:
        ledger = open_ledger(tmp_path)
        try:
            Path("log.vkey").write_text(f"{ledger.verifier_key}\n")
            run("regions", "sign", "--key", "org.pem", "--organisation", NAME, "--log", "eu=log.vkey", "--out", "one")
            said = run("regions", "sign", "--key", "org.pem", "--after", "one", "--log", f"us={US}", "--out", "two")
            for name in ("one", "two"):
                assert await RegionsFile(Path(name), key, "eu", ledger).log_it()
            return said, ledger.regions
        finally:
            await ledger.close()

    said, regions = asyncio.run(make())
    assert "List number 2 of orbit.example: eu, us." in said
    assert RegionList.open(regions, VerifierKey.parse(key)).serial == 2


def test_a_log_whose_key_is_misspelt_makes_no_sense(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is not a list that does not hold."""
    key, out = tmp_path / "org.pem", tmp_path / "list"
    assert seenby(capsys, "regions", "keygen", "--organisation", NAME, "--out", key)[0] == 0
    code, said = seenby(capsys, "regions", "sign", "--key", key, "--organisation", NAME, "--log", "eu=x", "--out", out)
    assert (code, "--log: the verifier key has not three parts" in said, out.exists()) == (64, True, False)
