"""`GET /receipts` at a running service: everybody gets what their own sessions made, and nothing else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from seenby.errors import VerificationError
from seenby.gateway.control_api import READER, control_app, serve_control
from seenby.gateway.control_receipts import receipt_routes
from seenby.grants.signing import read_message
from seenby.model.disclosure import RefusedAttempt
from seenby.stores.receipts import Receipts
from seenby_verify.tlog.entries import AttemptRefused, Query
from seenby_verify.tlog.policy import Policy
from seenby_verify.tlog.proof import ReceiptCheck
from tests.fixtures.grant_gateway import Door, open_door
from tests.fixtures.grants import private_key
from tests.fixtures.ledgers import RECORD, WITHHELD, disclosure

pytestmark = pytest.mark.postgres


@pytest.fixture
def http(tmp_path: Path, control_dsn: str) -> Iterator[tuple[Door, httpx2.Client]]:
    """An office, and a socket at which receipts are given."""
    with open_door(tmp_path, control_dsn, time.time) as door:
        ledger, socket = door.office.ledger, tmp_path / "receipts.sock"
        receipts = Receipts(ledger, ledger._keystore.checkpoint_key())

        async def start() -> asyncio.Task[None]:
            app = control_app(door.office.service, time.time, receipt_routes(receipts))
            task = asyncio.create_task(serve_control(app, socket))
            while not socket.exists() and not task.done():
                await asyncio.sleep(0.005)
            return task

        async def stop(task: asyncio.Task[None]) -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            receipts.close()

        serving = door.do(start())
        with httpx2.Client(transport=httpx2.HTTPTransport(uds=str(socket)), base_url="http://gateway") as client:
            yield door, client
        door.do(stop(serving))


def header(name: str, path: str, by: str = "", at: int = 0) -> dict[str, str]:
    seconds = at or int(time.time())
    signature = private_key(by or name).sign(read_message(name, "eu", path, seconds))
    return {READER: f"{name} {seconds} {signature.hex()}"}


def read(client: httpx2.Client, name: str, path: str) -> Any:
    answer = client.get(path, headers=header(name, path))
    assert answer.status_code == 200, answer.text
    return answer.json()


Http = tuple[Door, httpx2.Client]


def test_each_query_and_each_refusal_has_a_receipt_for_who_asked_and_for_nobody_else(http: Http) -> None:
    door, client = http
    ledger = door.office.ledger
    door.do(ledger.append(disclosure("account:42")._replace(principal="sam")))
    door.do(ledger.append(disclosure("account:42")._replace(principal="li")))
    door.do(ledger.append(RefusedAttempt(RECORD, WITHHELD, principal="sam")))
    door.do(ledger.published())
    page = read(client, "sam", "/receipts")
    kinds = []
    for one in page["entries"]:
        assert sorted(one) == ["index", "receipt"]
        check = ReceiptCheck(one["receipt"].encode(), Policy.trusting(ledger.verifier_key))
        assert len(list(check.steps())) == 4
        assert check.proof.index == one["index"]
        kinds.append(type(check.entry))
    assert (kinds, page["next"]) == ([Query, AttemptRefused], None)
    last = page["entries"][-1]["index"]
    assert read(client, "sam", f"/receipts?since={last}")["entries"] == page["entries"][1:]
    (other,) = read(client, "li", "/receipts")["entries"]
    assert other["index"] not in {one["index"] for one in page["entries"]}
    for name in ("audrey", "root", "dora"):  # not even those who read grants of others
        assert read(client, name, "/receipts") == {"entries": [], "next": None}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("since=-1", 400), ("since=", 400), ("since=01", 400), ("since=1e3", 400), ("since=9223372036854775808", 400),
        ("since=1&since=2", 400), ("before=5", 400), ("principal=li", 400), ("since=1&principal=li", 400),
        ("since=9223372036854775807", 200), ("since=0", 200), ("", 200),
    ],
)  # fmt: skip
def test_only_one_number_may_be_given(http: Http, query: str, status: int) -> None:
    path = f"/receipts?{query}" if query else "/receipts"
    answer = http[1].get(path, headers=header("sam", path))
    told: dict[str, Any] = answer.json()
    assert answer.status_code == status
    if status == 400:
        assert told["hint"] == "as in /receipts?since=73894"


def test_without_ones_own_signature_over_this_path_and_time_nothing_is_told(http: Http) -> None:
    _, client = http
    path = "/receipts?since=5"
    now = int(time.time())
    assert client.get(path, headers=header("sam", path)).status_code == 200
    for sent, status in (
        ({}, 401),
        (header("sam", path, at=now - 120), 401),
        (header("sam", path, by="li"), VerificationError.http),
        (header("sam", "/receipts?since=6"), VerificationError.http),
    ):
        answer = client.get(path, headers=sent)
        assert (answer.status_code, "entries" in answer.json()) == (status, False)
