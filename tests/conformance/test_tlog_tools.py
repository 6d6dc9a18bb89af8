"""Other people's implementations of the C2SP formats, in Python and in Go, accept a log of ours of 70,000 entries, and
refuse it when it is changed. The log is written by the real writer, not by a test's own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from seenby.stores.bundles import receipt
from seenby.stores.ledger import Ledger
from seenby.stores.view import LogView
from seenby_verify.tlog.cosignature import cosign, witness_key
from seenby_verify.tlog.note import Note
from tests.fixtures.ledgers import NOW, disclosure, with_ledger

pytestmark = pytest.mark.xdist_group("others")
CHECK = Path(__file__).parent / "others_check.py"
QUERIES, PEOPLE = 14, 5000
WITNESS = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
Verdict = Callable[[Path], str]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``ledger/public``, ``old`` (an earlier checkpoint), ``vkey``, ``policy`` and ``receipts``."""
    folder = tmp_path_factory.mktemp("others")

    async def write(ledger: Ledger) -> None:
        for number in range(QUERIES):
            people = [f"account:{(number * PEOPLE + n) % 20_000}" for n in range(PEOPLE)]
            await ledger.append(disclosure(*people))
            await ledger.published()
            if number == 2:
                shutil.copy(folder / "ledger/public/checkpoint", folder / "old")
        key, note = ledger.verifier_key, ledger.note
        (folder / "vkey").write_text(str(key))
        witness = witness_key("witness.test/w", WITNESS)
        (folder / "policy").write_text(f"log {key}\nwitness w {witness}\nquorum w\n")
        cosigned = note + cosign(Note.parse(note).text, witness.name, WITNESS, int(NOW))
        assert await ledger.cosigned(note, cosigned)
        (folder / "receipts").mkdir()
        with LogView.at_checkpoint(folder / "ledger", ledger.state, key) as view:
            for index in (0, 2, 255, 256, 300, 65_535, 65_536, view.checkpoint.size - 1):
                (folder / "receipts" / f"{index}.tlog-proof").write_bytes(receipt(view, index))

    with_ledger(folder, write)
    return folder


@pytest.fixture(scope="module", params=["aics-tlog", "torchwood"])
def verdict(request: pytest.FixtureRequest, log: Path) -> Verdict:
    def judge(public: Path) -> str:
        old = str(log / "old")
        if request.param == "torchwood":
            program = str(request.getfixturevalue("torchwood"))
            command = [program, str(public), str(log / "policy"), old, str(log / "receipts")]
        else:
            python = str(request.getfixturevalue("others") / "python")
            command = [python, str(CHECK), str(public), (log / "vkey").read_text(), old]
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


@pytest.mark.parametrize("part", ["index", "proof", "checkpoint", "cosignature"])
def test_a_changed_receipt_is_refused(part: str, log: Path, torchwood: Path, tmp_path: Path) -> None:
    receipts = tmp_path / "receipts"
    shutil.copytree(log / "receipts", receipts)
    command = [str(torchwood), str(log / "ledger/public"), str(log / "policy"), str(log / "old"), str(receipts)]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "accepted\n"
    file = receipts / "300.tlog-proof"
    lines = file.read_text().splitlines()
    head = lines.index("")
    at = {"index": 2, "proof": 3, "checkpoint": head + 3, "cosignature": len(lines) - 1}[part]
    old = lines[at]
    lines[at] = old.replace("300", "301") if part == "index" else old[:-9] + ("B" if old[-9] == "A" else "A") + old[-8:]
    assert lines[at] != old
    file.write_text("\n".join(lines) + "\n")
    refused = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (refused.returncode, refused.stdout.startswith("receipt of entry 300: ")) == (1, True)
