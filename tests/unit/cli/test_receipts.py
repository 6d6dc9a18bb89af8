"""`seenby receipts` against a running region: the promise first, then the receipt, both checked by the verifier."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from seenby.cli import command_line
from seenby.cli.control_client import ControlClient
from seenby.errors import SeenbyError
from seenby_verify.tlog.policy import Policy
from seenby_verify.tlog.promise import Promise
from seenby_verify.tlog.vkey import VerifierKey
from tests.fixtures.commands import seenby
from tests.fixtures.gateway import Served
from tests.fixtures.unwitnessed import unwitnessed
from tests.fixtures.written_logs import seenby_verify

pytestmark = pytest.mark.postgres

AOIFE, BEN = "aoife.byrne", "ben.ortiz"
Run = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Region eu without witnesses: its receipts are there when its checkpoint is."""
    with unwitnessed(tmp_path_factory.mktemp("policies")) as running_region:
        yield running_region


@pytest.fixture
def run(served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command as somebody, into ``tmp_path/out``; (exit status, everything that was printed)."""

    def run(name: str, *arguments: str, out: str = "out", wait: str = "10") -> tuple[int, str]:
        place = ("--config", served.config.file, "--out", tmp_path / out)
        signed = ("--as", name, "--key", served.world.staff[name].key_file)
        return seenby(capsys, "receipts", *signed, "--wait", wait, *place, *arguments)

    return run


def on_loop(served: Served, work: Any) -> None:
    asyncio.run_coroutine_threadsafe(work, served.loop).result(60)


@contextmanager
def unpublished(served: Served) -> Iterator[Callable[[], None]]:
    """Nothing becomes public until the function is called, or the block ends."""
    ledger = served.region.ledger

    def publish() -> None:
        on_loop(served, ledger._publishing.now())

    on_loop(served, ledger.published())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger._publishing, "_after", 3600.0)
        try:
            yield publish
        finally:
            publish()


GRANTS: dict[str, str] = {}


def look(served: Served, name: str) -> None:
    """One query about two people. Asking for its grant, the first time, makes entries of theirs too."""
    if name not in GRANTS:
        GRANTS[name] = served.grant(name, ("contact", ["eu"]))
    with served.connect(name, GRANTS[name]) as connection:
        assert len(connection.execute("SELECT phone FROM accounts ORDER BY id LIMIT 2").fetchall()) == 2


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_promise_first_and_its_receipt_within_the_delay(served: Served, run: Run, tmp_path: Path) -> None:
    out, key = tmp_path / "out", str(served.region.ledger.verifier_key)
    public = served.config.ledger_dir / "public"
    look(served, AOIFE)
    run(AOIFE)
    old = set(files(out)) if out.exists() else set()
    with unpublished(served) as publish:
        look(served, AOIFE)
        code, said = run(AOIFE, wait="0")
        assert (code, "1 promise in" in said, "Run this again for the receipts." in said) == (0, True, True)
        (name,) = set(files(out)) - old
        index = int(name.removesuffix(".promise"))
        promise = Promise.open((out / name).read_bytes(), Policy.trusting(served.region.ledger.verifier_key))
        assert (promise.index, promise.delay, (out / name).stat().st_mode & 0o777) == (index, 60, 0o600)
        assert abs(promise.time - time.time()) < 30
        judged = seenby_verify("promise", out / name, public, "--key", key)
        assert (judged.returncode, judged.stdout.split()[0]) == (75, "open")
        kept = (out / name).read_bytes()
        publish()
        judged = seenby_verify("promise", out / name, public, "--key", key)
        assert (judged.returncode, judged.stdout.split()[0]) == (0, "kept")
        code, said = run(AOIFE)
        assert code == 0
        assert "1 receipt saved in" in said
        assert "1 of them promised before; each was checked." in said
        assert time.time() < promise.due
    assert set(files(out)) - old == {f"{index}.tlog-proof"}
    assert kept not in [path.read_bytes() for path in out.iterdir()]
    judged = seenby_verify("receipt", out / f"{index}.tlog-proof", "--key", key)
    assert (judged.returncode, "The receipt holds" in judged.stdout) == (0, True)
    assert f"entry {index} of {served.config.origin} is a query" in " ".join(judged.stdout.split())
    code, said = run(AOIFE)
    assert (code, "Nothing new" in said) == (0, True)


def test_it_waits_for_the_receipts_of_what_is_promised(served: Served, run: Run, tmp_path: Path) -> None:
    """A gateway that publishes by itself does so in a second; the command ends when it has them all."""
    look(served, AOIFE)
    run(AOIFE)
    look(served, AOIFE)
    code, said = run(AOIFE, "--json")
    told = json.loads(said)
    assert (code, len(told["receipts"]), told["promises"]) == (0, 1, [])
    assert [name for name in files(tmp_path / "out") if name.endswith(".promise")] == []


def test_nobody_gets_anothers(served: Served, run: Run, tmp_path: Path) -> None:
    look(served, AOIFE)
    look(served, BEN)
    run(AOIFE, out="aoife")
    run(BEN, out="ben")
    mine, his = set(files(tmp_path / "aoife")), set(files(tmp_path / "ben"))
    assert mine
    assert his
    assert not mine & his


def test_a_broken_promise_is_kept_and_said(served: Served, run: Run, tmp_path: Path) -> None:
    """The log promised another entry than it shows: the promise is what convicts it, and no receipt replaces it."""
    out = tmp_path / "out"
    look(served, AOIFE)
    with unpublished(served):
        look(served, AOIFE)
        run(AOIFE, wait="0")
        (name,) = [one for one in files(out) if one.endswith(".promise")]
        key = served.region.ledger._keystore.checkpoint_key()
        true = Promise.open((out / name).read_bytes(), Policy.trusting(served.region.ledger.verifier_key))
        false = Promise(true.origin, true.index, bytes(32), true.time, true.delay).sign(key)
        (out / name).write_bytes(false)
        code, said = run(AOIFE, wait="0")
        assert (code, f"the log promised another entry {true.index} than it has" in said) == (1, True)
    code, said = run(AOIFE)
    assert (code, f"the log promised another entry {true.index} than it has" in said) == (1, True)
    assert "--evidence" in said
    assert (out / name).read_bytes() == false
    assert not (out / f"{true.index}.tlog-proof").exists()


def test_a_promise_that_is_overdue_is_said(served: Served, run: Run, tmp_path: Path) -> None:
    """Of an entry that the gateway does not know any more."""
    out = tmp_path / "out"
    out.mkdir()
    key = served.region.ledger._keystore.checkpoint_key()
    index = served.region.ledger.size + 1000
    note = Promise(served.config.origin, index, bytes(32), int(time.time()) - 100, 60).sign(key)
    (out / f"{index}.promise").write_bytes(note)
    code, said = run(AOIFE, wait="0")
    assert (code, f"the log promised entry {index} for an earlier time" in said) == (1, True)
    assert f"seenby-verify promise {out}/{index}.promise" in said


STRANGER = VerifierKey(
    "eu.stranger.test", Ed25519PrivateKey.from_private_bytes(b"s" * 32).public_key().public_bytes_raw()
)


def test_what_does_not_hold_is_not_saved(served: Served, run: Run, tmp_path: Path) -> None:
    look(served, AOIFE)
    code, said = run(AOIFE, "--log-key", str(STRANGER))
    assert (code, "which you do not trust" in said, files(tmp_path / "out")) == (1, True, [])
    run(AOIFE)
    there = files(tmp_path / "out")
    assert there
    code, said = run(AOIFE, "--log-key", str(STRANGER))
    assert (code, "is not of this log" in said, files(tmp_path / "out")) == (64, True, there)
    code, said = run(AOIFE, "--log-key", "nonsense")
    assert (code, "--log-key" in said) == (64, True)


Answer = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (lambda page: [], "no list of receipts"),
        (lambda page: {**page, "next": 0}, "no list of receipts"),
        (lambda page: {**page, "next": "5"}, "no list of receipts"),
        (lambda page: {"entries": page["entries"]}, "no list of receipts"),
        (lambda page: {**page, "entries": [{"index": "../x", "receipt": ""}]}, "no list of receipts"),
        (lambda page: {**page, "entries": [{"index": 5, "receipt": "x"}]}, "does not begin with c2sp.org/tlog-proof"),
        (lambda page: {**page, "entries": [{"index": 5}]}, "no list of receipts"),
        (
            lambda page: {**page, "entries": [{**page["entries"][0], "index": 1}]},
            "what came for entry 1 is about another entry",
        ),
    ],
)
def test_a_gateway_that_lies_is_told(
    served: Served, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: Answer, words: str
) -> None:
    look(served, AOIFE)
    on_loop(served, served.region.ledger.published())
    read = ControlClient.read
    monkeypatch.setattr(ControlClient, "read", lambda self, path: changed(read(self, path)))
    code, said = run(AOIFE)
    assert (code, words in said, files(tmp_path / "out")) == (1, True, [])


def test_without_the_logs_key_it_says_what_is_missing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["--as", "x", "--key", "k", "--socket", "s", "--out", str(tmp_path)]
    with pytest.raises(SeenbyError) as refused:
        command_line(["receipts"])(["receipts", *arguments], exit_on_error=False, result_action="return_value")
    assert refused.value.hint == "give --config FILE, or --log-key KEY"
