"""``seenby-verify`` as a stranger runs it: on real files, honest ones and others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from seenby_verify.cli.output import console
from seenby_verify.tlog.entries import DailyReport, decode, encode
from seenby_verify.tlog.tree import leaf_hash
from tests.fixtures.bundles import World
from tests.fixtures.bundles_log import NOW
from tests.fixtures.public_web import on_a_thread, plain_web
from tests.fixtures.written_logs import seenby_verify, written

GRANT = "6f" * 16


class Home:
    """A directory with a log of four months, and what people hold of it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.world = World()
        self.log = written(self.world.eu, directory / "eu", time=NOW, cosigners=2)
        self.policy = self.file("policy", self.world.policy())
        self.key = str(self.world.eu.vkey)

    def file(self, name: str, content: str | bytes) -> Path:
        path = self.directory / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("home"))


def told(*arguments: object, status: int = 0) -> str:
    """What the command says on both streams, when it ends with this status."""
    said = seenby_verify(*arguments)
    assert said.returncode == status, said.stdout + said.stderr
    assert "Traceback" not in said.stderr + said.stdout
    assert bool(said.stderr) is (status not in (0, 75))
    return said.stdout + said.stderr


def test_what_the_log_says_moves_no_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    """A log's operator writes the names that a report counts by; they may not paint over what does not agree."""
    for markup in (True, False):
        console().print("41 purpose \x1b[2J\x1b[1;1Hagrees\r\u202e with the log.\x9b2J", markup=markup)
    said = capsys.readouterr().out
    assert said.count("purpose \N{REPLACEMENT CHARACTER}[2J") == 2
    assert not set("\x1b\r\u202e\x9b") & set(said)


def answer(*arguments: object, status: int = 0) -> Any:
    said = seenby_verify(*arguments, "--json")
    assert said.returncode == status, said.stdout + said.stderr
    return json.loads(said.stdout)


def test_a_log_in_a_directory(home: Home) -> None:
    said = told("log", home.log, "--policy", home.policy, "--organisation", home.world.org_key)
    assert [line.split()[0] for line in said.splitlines()[:10]] == [str(number) for number in range(1, 11)]
    assert "The log holds." in said
    assert "No witness was asked for" not in said
    assert "No witness was asked for" in told("log", home.log, "--key", home.key)


def test_a_log_on_a_web_server_and_its_cache(home: Home, tmp_path: Path) -> None:
    with plain_web(home.log) as url:
        found = answer("log", url, "--policy", home.policy, "--cache", tmp_path)
    assert (found["ok"], found["size"], found["witnesses"]) == (
        True,
        98,
        ["news-witness.example", "uni-witness.example"],
    )


def test_a_tampered_log_names_the_file_and_the_entry(home: Home, tmp_path: Path) -> None:
    log = written(home.world.eu, tmp_path / "log", time=NOW, cosigners=2)
    bundle = log / "tile/entries/000.p/98"
    bundle.write_bytes(bundle.read_bytes()[:-1] + b"x")
    said = told("log", log, "--policy", home.policy, status=1)
    assert "does not hold" in said
    assert "entry 97 is not the entry that was logged" in said
    found = answer("log", log, "--policy", home.policy, status=1)
    assert (found["ok"], found["fault"]["step"], len(found["steps"])) == (False, 3, 2)
    assert found["fault"]["where"] == "tile/entries/000.p/98"


def test_too_few_witnesses(home: Home, tmp_path: Path) -> None:
    log = written(home.world.eu, tmp_path / "log", time=NOW, cosigners=1)
    assert "has not the cosignatures" in told("log", log, "--policy", home.policy, status=1)


def test_a_bundle_shows_who_saw_the_data_and_what_no_bundle_can_show(home: Home) -> None:
    world = home.world
    bundle = home.file("ada.bundle.json", json.dumps(world.bundle(world.ada, world.ada2)))
    receipt = home.file(
        "ada.tlog-proof", world.eu.receipt(next(p.index for p in world.eu.placed if p.person == world.ada),
                                           world.eu.checkpoint(NOW))
    )  # fmt: skip
    said = told("bundle", bundle, "--policy", home.policy, "--organisation", world.org_key, "--receipt", receipt)
    assert "your data was shown 8 times and looked through without being shown once" in said
    assert "2026-09-06 04:14:07" in said
    assert "abuse" in said
    assert "an access that the operator did not log" in said
    assert "No enrolment receipt" not in said
    found = answer("bundle", bundle, "--policy", home.policy)
    assert len(found["shown"]) == 11
    assert len(found["cannot_show"]) == 3


def test_a_bundle_that_hides_an_access(home: Home) -> None:
    world = home.world
    bundle = world.bundle(world.ada, world.ada2)
    del bundle["logs"][0]["shown"][3]
    file = home.file("hidden.bundle.json", json.dumps(bundle))
    said = told("bundle", file, "--policy", home.policy, status=1)
    assert "6 complete: nothing is left out" in said
    assert "202609" in said
    assert answer("bundle", file, "--policy", home.policy, status=1)["fault"]["step"] == 6


def test_text_from_a_record_moves_no_cursor(home: Home) -> None:
    """What the operator wrote is printed as text: no escape sequences, no markup."""

    def spoil(what: str, value: Any) -> Any:
        return {**value, "purpose": "\x1b[2J[red]x"} if what == "record" and "purpose" in value else value

    world = World(spoil=spoil)
    bundle = home.file("escape.bundle.json", json.dumps(world.bundle(world.ada, world.ada2)))
    said = told("bundle", bundle, "--policy", home.file("escape.policy", world.policy()))
    assert "\x1b" not in said
    assert "�[2J[red]x" in said


def test_receipts(home: Home) -> None:
    world = home.world
    good = world.eu.receipt(44, world.eu.checkpoint(NOW))
    receipt = home.file("44.tlog-proof", good)
    assert "entry 44 of eu.log.platform.example is a person" in told("receipt", receipt, "--policy", home.policy)
    assert answer("receipt", receipt, "--key", home.key)["time"] is None
    other = home.file("45.tlog-proof", good.replace(b"index 44", b"index 45"))
    assert "3 inclusion" in told("receipt", other, "--policy", home.policy, status=1)


@pytest.mark.parametrize(
    ("index", "leaf", "time", "status", "verdict"),
    [
        (5, None, NOW - 300, 0, "kept"),
        (5, b"x" * 32, NOW - 300, 1, "broken"),
        (98, b"x" * 32, NOW - 300, 1, "broken"),
        (98, b"x" * 32, NOW, 75, "open"),
    ],
)
def test_a_promise_and_what_becomes_of_it(
    home: Home, tmp_path: Path, index: int, leaf: bytes | None, time: int, status: int, verdict: str
) -> None:
    promise = home.file("some.promise", home.world.eu.promise(index, time, leaf=leaf))
    out = tmp_path / "evidence.json"
    found = answer("promise", promise, home.log, "--policy", home.policy, "--evidence", out, status=status)
    assert found["verdict"] == verdict
    assert out.exists() is (verdict == "broken")
    if out.exists():
        said = told("evidence", out, "--policy", home.policy)
        assert f"promised entry {index} by 2026-11-22 09:06:00 UTC" in said
        out.write_bytes(out.read_bytes().replace(b"\\n60\\n", b"\\n61\\n"))
        assert "signature by eu.log.platform.example is false" in told(
            "evidence", out, "--policy", home.policy, status=1
        )


def test_a_promise_without_witnesses_stays_open(home: Home) -> None:
    promise = home.file("late.promise", home.world.eu.promise(5, NOW - 300, leaf=leaf_hash(b"x")))
    assert "nobody can prove the time" in told("promise", promise, home.log, "--key", home.key, status=75)


def test_evidence_that_proves_nothing(home: Home) -> None:
    world = home.world
    note = world.eu.checkpoint(NOW).decode()
    fork: dict[str, Any] = {"format": "seenby/fork/v1", "older": note, "newer": note, "root": None, "proof": []}
    file = home.file("fork.json", json.dumps(fork))
    assert "can both be true" in told("evidence", file, "--policy", home.policy, status=1)
    placed = world.eu.placed_at(5, len(world.eu.entries))
    kept = {
        "format": "seenby/broken-promise/v1",
        "promise": world.eu.promise(5, NOW - 300).decode(),
        "checkpoint": note,
        "entry": {"entry": placed["entry"], "proof": placed["proof"]},
    }
    file = home.file("kept.json", json.dumps(kept))
    assert "a promise that is kept" in told("evidence", file, "--policy", home.policy, status=1)
    file = home.file("nothing.json", "{}")
    assert "is neither" in told("evidence", file, "--policy", home.policy, status=1)


def test_a_grant_and_whose_keys_signed(home: Home) -> None:
    said = told("grant", home.log, GRANT, "--policy", home.policy)
    assert f"Grant {GRANT}: active. 2 of 2 approvals needed." in said
    assert said.count("signed by approver's key") == 2
    events = answer("grant", home.log, GRANT, "--policy", home.policy)["events"]
    assert [event["event"] for event in events] == [
        "grant requested",
        "grant approved",
        "grant approved",
        "grant activated",
    ]
    assert "has no grant" in told("grant", home.log, "00" * 16, "--policy", home.policy, status=66)
    assert "no grant's id" in told("grant", home.log, "6f", "--policy", home.policy, status=64)


def test_a_daily_report_against_the_log(home: Home, tmp_path: Path) -> None:
    assert "agrees with the log" in told("report", home.log, "2026-08-06", "--policy", home.policy)
    assert "no report of 2026-08-07" in told("report", home.log, "2026-08-07", "--policy", home.policy, status=66)
    assert "is no day" in told("report", home.log, "yesterday", "--policy", home.policy, status=64)


def test_a_report_that_counts_less_than_there_is(home: Home, tmp_path: Path) -> None:
    """An auditor's signature over false counts."""
    world = World()
    at = next(n for n, entry in enumerate(world.eu.entries) if isinstance(decode(entry), DailyReport))
    honest = decode(world.eu.entries[at])
    assert isinstance(honest, DailyReport)
    document = honest.document.replace(b'"query":3', b'"query":2')
    assert document != honest.document
    message = f"seenby/report/v1\neu\n{honest.epoch}\n{honest.day}\n{hashlib.sha256(document).hexdigest()}\n"
    world.eu.entries[at] = encode(replace(honest, document=document, signature=world.auditor.sign(message.encode())))
    world.eu.nodes.clear()
    log = written(world.eu, tmp_path / "log", time=NOW, cosigners=2)
    said = told("report", log, "2026-08-06", "--key", home.key, status=1)
    assert "counts 2 of 'query' in entries 0 to 67, where 3 stand" in said


@contextmanager
def answering(status: int) -> Iterator[str]:
    """A web server that answers everything with a page, and this status."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"<html>")

        def log_message(self, *_: object) -> None:
            """Not in the tests' output."""

    with on_a_thread(ThreadingHTTPServer(("127.0.0.1", 0), Answer)) as url:
        yield url


@pytest.mark.parametrize(
    ("status", "ends", "hint"),
    [
        (500, 69, "ask again later"),
        (502, 69, "ask again later"),
        (404, 66, "check the URL; --scan asks nobody"),
        (302, 66, "check the URL; --scan asks nobody"),
        (200, 1, "the region's log?"),
    ],
)
def test_a_gateway_that_is_out_of_order_is_no_missing_file(
    home: Home, tmp_path: Path, status: int, ends: int, hint: str
) -> None:
    bundle = home.file("mine.bundle.json", json.dumps(home.world.bundle(home.world.ada, home.world.ada2)))
    with answering(status) as url:
        said = told("mine", bundle, url, "--out", tmp_path / "mine", "--policy", home.policy, status=ends)
    assert hint in said


def test_the_page(tmp_path: Path) -> None:
    there = Path(told("page").strip())
    assert told("page", tmp_path / "verify.html").strip() == str(tmp_path / "verify.html")
    assert (tmp_path / "verify.html").read_bytes() == there.read_bytes()
    for nowhere in (tmp_path / "nowhere" / "verify.html", tmp_path, "/"):
        assert "cannot write" in told("page", nowhere, status=64)


def test_what_a_newcomer_gets_wrong(home: Home) -> None:
    assert "either --key or --policy" in told("log", home.log, status=64)
    assert "a verifier key looks like" in told("log", home.log, "--key", "rubbish", status=64)
    assert "line 1" in told("log", home.log, "--policy", home.file("bad", "nonsense\n"), status=64)
    assert "there is no directory" in told("log", home.directory / "no", "--key", home.key, status=66)
    assert "cannot read" in told("receipt", home.directory / "no", "--key", home.key, status=66)
    assert "Unknown command" in told("lok", status=64)
    assert answer("log", "http://127.0.0.1:1/", "--key", home.key, status=69)["ok"] is None
    for wrong in ("inf", "1e300", "nan", "0"):
        state = home.directory / "seen"
        said = told("monitor", home.log, "--key", home.key, "--state", state, "--interval", wrong, status=64)
        assert "are seconds" in said


def test_every_fault_says_what_to_do_next(home: Home, tmp_path: Path) -> None:
    """Files that a download, an editor or a shell has changed, and files in each other's place."""
    world, policy = home.world, home.world.policy().encode()
    trusting = ("--policy", home.policy)
    for content, hint in (
        (policy.replace(b"\n", b"\r\n"), "plain line ends"),
        (b"\xef\xbb\xbf" + policy, "byte order mark"),
        (policy.decode().encode("utf-16"), "byte order mark"),
    ):
        assert hint in told("log", home.log, "--policy", home.file("changed.policy", content), status=64)
    assert "leave --key out" in told("log", home.log, *trusting, "--key", home.key, status=64)
    receipt = world.eu.receipt(0, world.eu.checkpoint(NOW, 2))
    windows = home.file("windows.tlog-proof", receipt.replace(b"\n", b"\r\n"))
    bundle = home.file("ada.bundle.json", json.dumps(world.bundle(world.ada, world.ada2)))
    for given in (windows, bundle, home.policy, home.file("cut.tlog-proof", receipt[:90])):
        said = told("receipt", given, *trusting, status=1)
        assert "An editor may have changed its line ends" in said
        assert "not ASCII" not in said, "it is"
        assert "the receipt: is it that file" in told("bundle", bundle, *trusting, "--receipt", given, status=1)
        assert "as it was saved" in told("promise", given, home.log, *trusting, status=1)
        assert "as it was saved" in told("evidence", given, *trusting, status=1)
    listed = told("bundle", home.file("list.json", "[]"), *trusting, status=1)
    assert "the document is not an object" in listed
    assert "next: ask for a new bundle" in listed
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "checkpoint").write_text("<html>")
    assert "next: keep a copy" in told("log", tmp_path / "page", *trusting, status=1)


def test_what_a_new_witness_gets_wrong(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    keygen = ("witness", "keygen", "paper.example/w", "--key")
    assert "cannot write" in told(*keygen, tmp_path / "no" / "key.pem", "--state", tmp_path / "state", status=64)
    assert "Not a directory" in told(*keygen, tmp_path / "key.pem", "--state", file / "state", status=64)
    assert "exists" in told(*keygen, tmp_path / "key.pem", "--state", file, status=64)
    told(*keygen, tmp_path / "key.pem", "--state", tmp_path / "state")  # what failed stands in nobody's way
    serve = ("witness", "serve", "--key", tmp_path / "key.pem", "--state", tmp_path / "state", "--listen")
    assert "--log: the verifier key" in told(*serve, "127.0.0.1:0", "--log", "rubbish", status=64)
    assert "next: give an address" in told(*serve, "192.0.2.1:1", "--log", home.key, status=69)
