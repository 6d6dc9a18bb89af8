"""``seenby bundle`` as the protection officer runs it; what it writes is judged by the verifier's own command."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import nullcontext
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from seenby.cli.bundle import bundle, cosigned
from seenby.errors import SeenbyError, VerificationError
from seenby.stores.ledger import Ledger
from seenby_verify.tlog.bundle import BundleCheck
from seenby_verify.tlog.cosignature import cosign, witness_key
from seenby_verify.tlog.policy import Policy
from tests.fixtures.histories import ORGANISATION_KEY, Home, month, regions_entry
from tests.fixtures.ledgers import disclosure
from tests.unit.cli.test_verify import run

VERIFY = [sys.executable, "-c", "from seenby_verify.cli import main; main()"]


def config_of(home: Home, more: str = "") -> Path:
    file = home.directory / "seenby.toml"
    file.write_text(
        f'region = "{home.region}"\norigin = "{home.origin}"\nstate = "."\n[control]\nsocket = "control.sock"\n{more}'
    )
    return file


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Home]:
    """eu, whose list of regions names us too."""
    eu, us = (Home(tmp_path_factory.mktemp(name), name) for name in ("eu", "us"))

    async def in_us(ledger: Ledger) -> None:
        await ledger.append(disclosure("account:50"))

    async def in_eu(ledger: Ledger) -> None:
        await ledger.append(disclosure("account:1", "account:2"))
        await ledger.append(regions_entry(1, eu, us))
        eu.now = month(2026, 9)
        await ledger.append(disclosure("account:1"))

    us.live(in_us)
    eu.live(in_eu)
    for home in (eu, us):
        config_of(home)
    return eu, us


def policy_of(directory: Path, *homes: Home) -> Path:
    """Of somebody who asks for no witness."""
    file = directory / "trust.policy"
    file.write_text("".join(f"log {home.key}\n" for home in homes) + "quorum none\n")
    return file


def verified(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*VERIFY, *map(str, arguments)], capture_output=True, text=True, check=False)


def test_the_verifier_accepts_what_is_written(two: tuple[Home, Home], tmp_path: Path) -> None:
    eu, us = two
    out, receipt = tmp_path / "1.bundle.json", tmp_path / "1.tlog-proof"
    arguments = ("account:1", "--config", config_of(eu), "--out", out, "--receipt", receipt, "--log", f"us={us.public}")
    said = run("bundle", *arguments)
    assert (said.returncode, said.stderr) == (0, "")
    assert f"The bundle of account:1 is in {out}." in said.stdout
    assert [path.stat().st_mode & 0o777 for path in (out, receipt)] == [0o600, 0o600]
    trust = ("--policy", policy_of(tmp_path, eu, us), "--organisation", str(ORGANISATION_KEY))
    found = verified("bundle", out, *trust, "--receipt", receipt, "--json")
    assert (found.returncode, found.stderr) == (0, "")
    assert [one["how"] for one in json.loads(found.stdout)["shown"]] == ["enrolled", "disclosed", "disclosed"]
    # Nothing is written over, and a bundle is not left alone without the receipt that was asked for.
    said = run("bundle", *arguments)
    assert (said.returncode, "is already there" in said.stderr) == (64, True)
    out.unlink()
    said = run("bundle", *arguments)
    assert (said.returncode, f"{receipt} is already there" in said.stderr, out.exists()) == (64, True, False)


def test_the_receipt_is_of_this_person(two: tuple[Home, Home], tmp_path: Path) -> None:
    eu, us = two
    files = [(tmp_path / f"{number}.json", tmp_path / f"{number}.tlog-proof") for number in (1, 2)]
    for number, (out, receipt) in enumerate(files, 1):
        bundle(f"account:{number}", config=config_of(eu), out=out, receipt=receipt, log=[f"us={us.public}"])
    for receipt, fault in ((files[0][1], None), (files[1][1], "another entry than those that enrolled")):
        check = BundleCheck(
            files[0][0].read_bytes(),
            Policy.trusting(eu.key, us.key),
            organisation=ORGANISATION_KEY,
            receipt=receipt.read_bytes(),
        )
        with pytest.raises(VerificationError, match=fault) if fault else nullcontext():
            assert len(list(check.steps())) == 8


def test_a_checkpoint_needs_the_cosignatures_of_the_gateways_policy(two: tuple[Home, Home]) -> None:
    """The file names the witnesses; which log it is follows from the list of regions, whatever else the file says."""
    eu, us = two
    trusted, stranger = (Ed25519PrivateKey.from_private_bytes(name * 32) for name in (b"w", b"x"))
    policy = Policy.parse(f"log {eu.key}\nwitness paper {witness_key('paper.test', trusted)}\nquorum paper\n".encode())
    for home in (eu, us):
        note = (home.public / "checkpoint").read_bytes()
        text = note[: note.index(b"\n\n") + 1]
        accepts = cosigned(policy, home.key)
        assert not accepts(note)
        assert not accepts(note + cosign(text, "paper.test", stranger, 1795338000))
        assert accepts(note + cosign(text, "paper.test", trusted, 1795338000))
        assert cosigned(None, home.key)(note)


def test_the_policy_in_the_config_is_asked(
    two: tuple[Home, Home], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No bundle is made that strangers would not accept: of every log, a checkpoint is waited for that is cosigned."""
    eu, us = two
    witness = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
    key = witness_key("paper.test", witness)
    (eu.directory / "gateway.policy").write_text(f"log {eu.key}\nwitness paper {key}\nquorum paper\n")
    config = config_of(eu, '[witnesses]\npolicy = "gateway.policy"\n')
    files = [home.public / "checkpoint" for home in (us, eu)]
    notes = [file.read_bytes() for file in files]
    for module in ("view", "other_logs"):  # half a minute passes between two looks
        clock = SimpleNamespace(monotonic=count(step=30).__next__, sleep=lambda _: None)
        monkeypatch.setattr(f"seenby.stores.{module}.time", clock)
    try:
        for file, note, fault in zip(files, notes, ("the checkpoint in ", "the newest checkpoint"), strict=True):
            with pytest.raises(SeenbyError, match=f"{fault}.* has not the cosignatures that were asked for"):
                bundle("account:1", config=config, out=tmp_path / "x", log=[f"us={us.public}"])
            assert not (tmp_path / "x").exists()
            file.write_bytes(note + cosign(note[: note.index(b"\n\n") + 1], "paper.test", witness, 1795338000))
        bundle("account:1", config=config, out=tmp_path / "x", log=[f"us={us.public}"])
    finally:
        config_of(eu)
        for file, note in zip(files, notes, strict=True):
            file.write_bytes(note)


@pytest.mark.parametrize(
    ("person", "logs", "status", "fault"),
    [
        ("account:1", [], 64, "the list of regions names us, and its log was not given"),
        ("account:1", ["us"], 64, "--log us names no region and place"),
        ("account:1", ["us={us}", "us={us}"], 64, "--log us was given twice"),
        ("account:1", ["us={us}", "uk={us}"], 64, "the list of regions does not name uk beside eu"),
        ("account:1", ["us={eu}"], 1, "the checkpoint carries no signature by a key that you trust"),
        ("account:1", ["us={us}/nowhere"], 66, "there is no directory"),
        ("account:77", ["us={us}"], 66, "nobody is enrolled as account:77"),
        ("77", [], 64, "'77' does not name a person"),
    ],
)
def test_what_is_refused_writes_nothing(
    two: tuple[Home, Home], tmp_path: Path, person: str, logs: list[str], status: int, fault: str
) -> None:
    eu, us = two
    out = tmp_path / "x.bundle.json"
    with pytest.raises(SeenbyError) as caught:
        bundle(person, config=config_of(eu), out=out, log=[one.format(us=us.public, eu=eu.public) for one in logs])
    assert caught.value.exit_code == status
    assert fault in caught.value.message
    assert not out.exists()


def test_two_files_need_two_names(two: tuple[Home, Home], tmp_path: Path) -> None:
    eu, us = two
    out = tmp_path / "x"
    with pytest.raises(SeenbyError, match="bundle and receipt cannot be one file"):
        bundle("account:1", config=config_of(eu), out=out, receipt=out, log=[f"us={us.public}"])
    assert not out.exists()
