"""Somebody else's witness cosigns a log of ours, step by step, and does not cosign another view of it."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from seenby.stores.witnesses import Cosigner, tile_proof
from seenby_verify.tlog.policy import Policy
from seenby_verify.tlog.vkey import COSIGNATURE, VerifierKey
from tests.fixtures.two_views import LOG, ORIGIN, PublicLog

pytestmark = pytest.mark.xdist_group("others")


@pytest.fixture
def policy(others: Path, tmp_path: Path) -> Iterator[Policy]:
    """Trust in our log and in an aics-witness that runs and knows it."""
    program, config = str(others / "aics-witness"), str(tmp_path / "witness.json")

    def call(command: str, *arguments: str) -> str:
        return subprocess.run(
            [program, command, "--config", config, *arguments], check=True, capture_output=True, text=True
        ).stdout

    key = VerifierKey.parse(call("init", "--name", "aics.test/w", "--listen", "127.0.0.1:0"), COSIGNATURE)
    call("add-log", "--origin", ORIGIN, "--vkey", str(LOG))
    with subprocess.Popen([program, "serve", "--config", config], stderr=subprocess.PIPE, text=True) as serving:
        try:
            assert serving.stderr is not None
            url = next(match[1] for line in serving.stderr if (match := re.search(r"listening on (http\S+)", line)))
            yield Policy.parse(f"log {LOG}\nwitness aics {key} {url}\nquorum aics\n".encode())
            (known,) = json.loads(call("status", "--json"))["logs"]
            assert (known["origin"], known["size"]) == (ORIGIN, 70_000)
        finally:
            serving.terminate()


def test_another_witness_cosigns_the_log_and_only_one_view_of_it(policy: Policy, tmp_path: Path) -> None:
    one, two = PublicLog(tmp_path / "one"), PublicLog(tmp_path / "two", fork=3)

    async def go() -> None:
        first, again, second = (Cosigner(policy, LOG, tile_proof(view.directory)) for view in (one, one, two))
        try:
            for cosigner, size in ((first, 1), (first, 300), (again, 300), (again, 70_000)):
                got = await cosigner.cosign(one.grow(size))
                assert got.fulfilled, got.states
            for size, told in ((5, "our log went back"), (70_000, "two logs"), (70_001, "two logs")):
                got = await second.cosign(two.grow(size))
                assert not got.fulfilled
                assert told in got.states[0].alarm
        finally:
            for cosigner in (first, again, second):
                await cosigner.close()

    asyncio.run(go())
