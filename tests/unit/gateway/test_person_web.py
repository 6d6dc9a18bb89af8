"""`GET /mine`: people fetch promises and receipts of what is about them, with their key; nobody else does."""

from __future__ import annotations

import asyncio
import base64
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

from seenby.gateway import person_web
from seenby.model.disclosure import PeopleEvent
from seenby.stores.keystore import PersonKey
from seenby.stores.receipts import Page, Receipts
from seenby_verify import client
from seenby_verify.errors import VerificationError
from seenby_verify.kept import Folder, fetch
from seenby_verify.labels import Labels, scan
from seenby_verify.tlog.entries import Erasure, PersonNamed
from seenby_verify.tlog.policy import Policy
from seenby_verify.tlog.promise import Promise
from seenby_verify.tlog.proof import ReceiptCheck
from seenby_verify.tlog.records import label, person_mac
from seenby_verify.tlog.tiles import tiles_of
from tests.fixtures.ledgers import disclosure, every_entry
from tests.fixtures.person_desk import Desk, open_desk
from tests.fixtures.written_logs import seenby_verify

ADA, BEN = "account:1", "account:2"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as made:
        yield made


def key_of(desk: Desk, person: str) -> bytes:
    async def look() -> bytes:
        return desk.keystore.known_keys(person)[-1].key

    return desk.do(look())


def header(person: str, key: bytes, path: str = "/mine", *, at: int = 0, region: str = "eu") -> dict[str, str]:
    at = at or int(time.time())
    name = base64.b64encode(person.encode()).decode()
    return {person_web.HEADER: f"{name} {at} {person_mac(key, person, region, path, at).hex()}"}


def asked(desk: Desk, person: str, path: str = "/mine", key: bytes = b"") -> dict[str, Any]:
    answer = httpx2.get(desk.url + path, headers=header(person, key or key_of(desk, person), path))
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    found: dict[str, Any] = answer.json()
    return found


def test_enrolment_and_each_access_first_as_a_promise_then_as_a_receipt(desk: Desk) -> None:
    desk.do(desk.ledger.append(disclosure(ADA, BEN)))
    desk.do(desk.ledger.append(disclosure(ADA)))
    trust = Policy.trusting(desk.ledger.verifier_key)
    promised = [Promise.open(one["promise"].encode(), trust) for one in asked(desk, ADA)["entries"]]
    logged = every_entry(desk.folder)
    key = key_of(desk, ADA)
    expected = [n for n, one in enumerate(logged) if isinstance(one, PersonNamed) and _labelled(one, key)]
    assert [one.index for one in promised] == expected
    assert len(expected) == 3
    assert len(asked(desk, BEN)["entries"]) == 2
    desk.publish()
    desk.do(desk.ledger.append(disclosure(ADA)))
    entries = asked(desk, ADA)["entries"]
    assert [sorted(one) for one in entries] == [["index", "receipt"]] * 3 + [["index", "promise"]]
    for one, promise in zip(entries, promised, strict=False):
        check = ReceiptCheck(one["receipt"].encode(), trust)
        assert len(list(check.steps())) == 4
        assert (one["index"], check.entry) == (promise.index, logged[promise.index])
    since = expected[-1]
    assert asked(desk, ADA, f"/mine?since={since}")["entries"] == entries[2:]


def _labelled(entry: PersonNamed, key: bytes) -> bool:
    return entry.label in {label(key, "eu", entry.epoch, n) for n in range(8)}


def test_who_has_not_the_key_is_told_the_same_whatever_is_wrong(desk: Desk) -> None:
    desk.do(desk.ledger.append(disclosure(ADA, BEN)))
    ada, now = key_of(desk, ADA), int(time.time())
    good = header(ADA, ada)
    assert httpx2.get(desk.url + "/mine", headers=good).status_code == 200
    name, at, mac = good[person_web.HEADER].split(" ")
    told = set()
    for sent in (
        {},
        header(BEN, ada),
        header("account:999", ada),
        header("account:999", bytes(32)),  # a name without a key has no key of zeros
        header(ADA, ada, at=now - 100),
        header(ADA, ada, at=now + 100),
        header(ADA, ada, "/mine?since=1"),
        header(ADA, ada, region="us"),
        {person_web.HEADER: f"{name} {at} {mac[:-2]}"},
        {person_web.HEADER: f"{name} {at} {mac} x"},
        {person_web.HEADER: f"{name} 0{at} {mac}"},
        {person_web.HEADER: f"%% {at} {mac}"},
        {person_web.HEADER: f"{base64.b64encode(b'account:1' + bytes([10])).decode()} {at} {mac}"},
    ):
        answer = httpx2.get(desk.url + "/mine", headers=sent)
        told.add((answer.status_code, answer.text))
    assert len(told) == 1
    assert next(iter(told))[0] == 401


def test_a_query_that_is_none_is_refused_in_words(desk: Desk) -> None:
    desk.do(desk.ledger.append(disclosure(ADA)))
    path = "/mine?since=-1"
    answer = httpx2.get(desk.url + path, headers=header(ADA, key_of(desk, ADA), path))
    assert (answer.status_code, answer.json()["hint"]) == (400, "as in /receipts?since=73894")
    assert httpx2.post(desk.url + "/mine").status_code == 405


def test_too_many_at_once_are_sent_away(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(person_web, "RATE", 0)
    desk.do(desk.ledger.append(disclosure(ADA)))
    assert httpx2.get(desk.url + "/mine", headers=header(ADA, key_of(desk, ADA))).status_code == 503


def test_how_long_a_refusal_takes_does_not_tell_whether_the_key_store_knows_the_name(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here it takes 150 ms to see that nobody has this name, as from a key store in a database."""
    desk.do(desk.ledger.append(disclosure(ADA)))
    look = desk.keystore.known_keys

    def slow(person: str) -> list[PersonKey]:
        if person != ADA:
            time.sleep(0.15)
        return look(person)

    monkeypatch.setattr(desk.keystore, "known_keys", slow)
    took: dict[str, list[float]] = {ADA: [], BEN: []}
    with httpx2.Client() as client:
        client.get(desk.url + "/mine")
        for _ in range(20):  # a machine that is busy makes some of them longer, and none shorter
            for person, seconds in took.items():
                before = time.monotonic()
                assert client.get(desk.url + "/mine", headers=header(person, bytes(32))).status_code == 401
                seconds.append(time.monotonic() - before)
            if abs(min(took[ADA]) - min(took[BEN])) < 0.1:
                break
    assert min(took[ADA] + took[BEN]) >= person_web.REFUSED_AFTER
    assert abs(min(took[ADA]) - min(took[BEN])) < 0.1


def test_one_person_keeps_the_thread_for_proofs_from_nobody(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.do(desk.ledger.append(disclosure(ADA, BEN)))
    asked_for, go_on = threading.Event(), threading.Event()
    of_person = Receipts.of_person

    async def slow(self: Receipts, keys: Sequence[PersonKey], since: int) -> Page:
        asked_for.set()
        await asyncio.to_thread(go_on.wait, 20)
        return await of_person(self, keys, since)

    ada = key_of(desk, ADA)
    with ThreadPoolExecutor(1) as other:
        monkeypatch.setattr(Receipts, "of_person", slow)
        first = other.submit(asked, desk, ADA)
        assert asked_for.wait(20)
        monkeypatch.setattr(Receipts, "of_person", of_person)
        second = httpx2.get(desk.url + "/mine", headers=header(ADA, ada))
        assert (second.status_code, second.json()["error"]) == (503, "your last question is not answered yet")
        assert asked(desk, BEN)["entries"]
        go_on.set()
        assert first.result(20)["entries"]
    assert asked(desk, ADA)["entries"]


# The command that a person runs


def mine(desk: Desk, bundle: Path, *more: object, place: object = "", wait: int = 0) -> tuple[int, str]:
    options = ["--out", desk.folder / "out", "--key", desk.ledger.verifier_key, "--wait", wait, *more]
    said = seenby_verify("mine", bundle, place or desk.url, *options)
    return said.returncode, " ".join((said.stdout + said.stderr).split())


def files(desk: Desk) -> list[str]:
    return sorted(path.name for path in (desk.folder / "out").iterdir())


def test_the_command_keeps_promises_until_the_receipts_are_there(desk: Desk) -> None:
    desk.do(desk.ledger.append(disclosure(ADA, BEN)))
    desk.publish()
    bundle = desk.bundle(ADA)
    status, said = mine(desk, bundle)
    assert (status, "2 receipts saved" in said) == (0, True)
    before = files(desk)
    desk.do(desk.ledger.append(disclosure(ADA)))
    status, said = mine(desk, bundle)
    assert (status, "1 promise in" in said) == (0, True)
    (new,) = set(files(desk)) - set(before)
    desk.publish()
    status, said = mine(desk, bundle)
    assert (status, "1 of them promised before" in said) == (0, True)
    assert files(desk) == sorted([*before, new.replace(".promise", ".tlog-proof")])
    judged = seenby_verify("receipt", desk.folder / "out" / files(desk)[-1], "--key", desk.ledger.verifier_key)
    assert (judged.returncode, "is a person" in " ".join(judged.stdout.split())) == (0, True)


def test_after_an_erasure_nobody_is_asked_and_the_log_itself_says_it(desk: Desk) -> None:
    desk.do(desk.ledger.append(disclosure(ADA, BEN)))
    desk.do(desk.ledger.append(disclosure(ADA)))
    desk.publish()
    bundle = desk.bundle(ADA)
    desk.do(desk.ledger.append(PeopleEvent((ADA,), True)))
    desk.publish()
    status, said = mine(desk, bundle)
    assert (status, "nobody whose key is known here" in said, "--scan" in said) == (66, True, True)
    for place in (desk.url, desk.public):
        status, said = mine(desk, bundle, "--scan", place=place)
        assert status == 0, said
    indexes = sorted(int(name.removesuffix(".tlog-proof")) for name in files(desk))
    assert len(indexes) == 4
    assert isinstance(every_entry(desk.folder)[indexes[-1] - 1], Erasure)


def test_whoever_serves_the_files_does_not_learn_which_entries_are_hers(desk: Desk) -> None:
    """Every bundle of entries is read once, as by anybody who reads the log, and nothing else."""
    for n in range(3):
        desk.do(desk.ledger.append(disclosure(ADA, *(f"account:{n}-{one}" for one in range(300)))))
        desk.publish()
    desk.do(desk.ledger.append(disclosure(*(f"account:{n}" for n in range(10, 300)))))
    desk.publish()
    labels = Labels([key_of(desk, ADA)], "eu")
    trust = Policy.trusting(desk.ledger.verifier_key)
    read: list[str] = []

    class Watched(client._Directory):
        def read(self, path: str) -> bytes | None:
            read.append(path)
            return super().read(path)

    folder = Folder(desk.folder / "out", trust, labels.check)
    scan(Watched(desk.public), trust, labels, folder, lambda _done, _all: None)
    size = trust.accepts(desk.ledger.note).checkpoint.size
    assert size > 5 * 256
    assert read == ["checkpoint", *(tile.path for tile in tiles_of(size) if tile.level == -1)]
    logged = every_entry(desk.folder)
    key = key_of(desk, ADA)
    assert folder.kept == {n for n, one in enumerate(logged) if isinstance(one, PersonNamed) and _labelled(one, key)}


def test_a_copy_in_which_an_entry_was_changed_gives_nothing(desk: Desk) -> None:
    desk.do(desk.ledger.append(disclosure(ADA)))
    desk.publish()
    bundle = desk.bundle(ADA)
    (path,) = [one for one in (desk.public / "tile" / "entries").rglob("*") if one.is_file()][-1:]
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    status, said = mine(desk, bundle, "--scan", place=desk.public)
    assert (status, "not those that the log signed" in said, files(desk)) == (1, True, [])


def test_what_is_about_somebody_else_is_not_taken(desk: Desk) -> None:
    """From a gateway that answers ada with what is about ben."""
    desk.do(desk.ledger.append(disclosure(ADA, BEN)))
    desk.publish()
    labels = Labels([key_of(desk, ADA)], "eu")
    folder = Folder(desk.folder / "out", Policy.trusting(desk.ledger.verifier_key), labels.check)
    fetch(lambda path: asked(desk, ADA, path), "/mine", folder)
    mine_alone = files(desk)
    with pytest.raises(VerificationError, match="about somebody else"):
        fetch(lambda _: {**asked(desk, BEN), "next": None}, "/mine", folder)
    assert files(desk) == mine_alone
    assert len(mine_alone) == 2


@contextmanager
def gateway_that_answers(status: int, parts: Iterable[bytes], **headers: str) -> Iterator[tuple[str, list[int]]]:
    """Its URL, and how many bytes it could send."""
    sent = [0]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            for part in parts:
                try:
                    self.wfile.write(part)
                except OSError:
                    return
                sent[0] += len(part)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", sent
        finally:
            server.shutdown()
            thread.join()


def test_a_gateway_that_answers_without_end_is_not_listened_to(desk: Desk) -> None:
    desk.do(desk.ledger.append(disclosure(ADA)))
    desk.publish()
    bundle = desk.bundle(ADA)
    for status, exit_status, words in ((200, 1, "is longer than"), (500, 69, "answers 500")):
        with gateway_that_answers(status, (bytes(1 << 16) for _ in range(1 << 11))) as (url, sent):
            found, said = mine(desk, bundle, place=url)
        assert (found, words in said) == (exit_status, True), said
        assert sent[0] < 32 << 20


def test_a_gateway_whose_answer_cannot_be_read_is_told(desk: Desk) -> None:
    desk.do(desk.ledger.append(disclosure(ADA)))
    desk.publish()
    with gateway_that_answers(200, [b"{}"], content_encoding="gzip") as (url, _):
        status, said = mine(desk, desk.bundle(ADA), place=url)
    assert (status, "does not answer" in said) == (69, True), said


def test_pages_come_to_an_end(desk: Desk) -> None:
    """From a gateway that always has another page, with nothing on it, or with what was there before."""
    desk.do(desk.ledger.append(disclosure(ADA)))
    desk.publish()
    first = asked(desk, ADA)["entries"]
    empty: list[dict[str, Any]] = []
    for entries in (empty, first):
        folder = Folder(desk.folder / f"out-{len(entries)}", Policy.trusting(desk.ledger.verifier_key))
        pages = ({"entries": entries, "next": number} for number in range(first[-1]["index"] + 1, 100))
        with pytest.raises(VerificationError, match="no list of receipts"):
            fetch(lambda _, pages=pages: next(pages), "/mine", folder)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("place", "words"),
    [("nowhere", "is no URL"), ("http://log.example/", "would tell everybody on the way"), ("ftp://x/", "is no URL")],
)
def test_places_that_cannot_be_asked(desk: Desk, place: str, words: str) -> None:
    desk.do(desk.ledger.append(disclosure(ADA)))
    desk.publish()
    status, said = mine(desk, desk.bundle(ADA), place=place)
    assert (status, words in said) == (64, True)


def test_a_region_that_the_bundle_has_not(desk: Desk) -> None:
    desk.do(desk.ledger.append(disclosure(ADA)))
    desk.publish()
    status, said = mine(desk, desk.bundle(ADA), "--region", "us")
    assert (status, "not about region us" in said) == (64, True)
