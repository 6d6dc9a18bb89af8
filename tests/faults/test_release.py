"""kill -9 of a whole gateway under load: every row that a client received is in the ledger (invariant I1)."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from seenby.stores.config import Config, load_config
from seenby.stores.keystore_open import open_keystore
from seenby.stores.ledger import Ledger
from seenby.stores.records import who_saw
from tests.fixtures.gateway import PERMIT_ALL, Doors, Served, listening, serve

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("served")]

ROUNDS = 20
CAMPAIGNS = 25 if os.environ.get("SEENBY_CAMPAIGN") == "long" else 1
"""Of so many kills."""
CLIENTS = 4
PRINCIPAL = "grace.kim"


@pytest.fixture(scope="module")
def config(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Region us of the world with a policy that permits everything, as a file for a process of its own."""
    policies: Path = tmp_path_factory.mktemp("policies")
    (policies / "all.cedar").write_text(PERMIT_ALL)
    folder = served.world.regions["us"].directory
    file = folder / "seenby-permissive.toml"
    file.write_text(f'policies = "{policies}"\n' + (folder / "seenby.toml").read_text())
    return load_config(file)


class Process:
    """``seenby serve``, until it is killed."""

    def __init__(self, config: Config) -> None:
        self._log = (config.file.parent / "killed-gateway.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from seenby.cli import main; main()", "serve", "--config", str(config.file)],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, start_new_session=True,
        )  # fmt: skip

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._log.close()


class Client:
    """Asks for random people as fast as it can, and remembers whom it was shown and how many rows came.

    Two kinds of query: few people at a time, and a stream in parts that a kill cuts somewhere.
    """

    def __init__(self, dsn: str, people: list[int], seed: int) -> None:
        self.seen: set[int] = set()
        self.rows = 0
        self._random = random.Random(seed)
        self._people = people
        self._thread = threading.Thread(target=self._run, args=(dsn,))
        self._thread.start()

    def _run(self, dsn: str) -> None:
        try:
            with psycopg.connect(dsn, autocommit=True) as connection:
                while True:
                    if self._random.random() < 0.7:
                        some = self._random.sample(self._people, self._random.randint(1, 4))
                        query, values = "SELECT id, phone FROM accounts WHERE id = ANY(%s)", (some,)
                    else:
                        few = self._people[: self._random.randint(1, len(self._people))]
                        query = "SELECT a.id, repeat('x', 4000) FROM accounts a, countries c WHERE a.id = ANY(%s)"
                        values = (few,)
                    for row in connection.cursor().stream(query, values):
                        self.seen.add(row[0])
                        self.rows += 1
        except psycopg.OperationalError:
            return

    def join(self) -> None:
        self._thread.join(60)
        assert not self._thread.is_alive()


@contextmanager
def doors(served: Served, config: Config) -> Iterator[Doors]:
    """Those of a gateway that is starting, once it listens for staff."""
    deadline = time.monotonic() + 30
    while not listening(config.control_socket):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    with closing(Doors(served.staff, config)) as made:
        yield made


def connected(dsn: str) -> None:
    """Returns once the gateway answers for this grant."""
    deadline = time.monotonic() + 30
    while True:
        try:
            with psycopg.connect(dsn) as connection:
                connection.execute("SELECT 1")
                return
        except psycopg.OperationalError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def shown(config: Config, grant: str, people: set[int]) -> tuple[int, set[int]]:
    """What the ledger says of a grant after a restart: rows, and who of ``people`` is named."""
    keystore = open_keystore(config)
    ledger = Ledger.open(
        config.ledger_dir, region=config.region, origin=config.origin, keystore=keystore, clock=time.time
    )
    try:
        used = ledger.usage(bytes.fromhex(grant))
        return used.rows, {one for one in people if ledger.pseudonym(f"account:{one}") in used.people}
    finally:
        asyncio.run(ledger.close())
        keystore.close()


@pytest.mark.parametrize("campaign", range(CAMPAIGNS))
def test_every_row_that_a_client_received_is_in_the_ledger(served: Served, config: Config, campaign: int) -> None:
    """Seen to fail: ``Outbox.hold`` releasing at once, and a ledger that answers before its write."""
    rng = random.Random(f"{os.environ['SEENBY_SEED']}/{campaign}")
    with psycopg.connect(served.world.regions["us"].running.dsn("platform")) as direct:
        rows = direct.execute("SELECT id FROM accounts WHERE home_region = 'us' ORDER BY id LIMIT 60").fetchall()
    people = [row[0] for row in rows]
    received, grant = 0, ""
    for _ in range(ROUNDS):
        process = Process(config)
        try:
            with doors(served, config) as us:
                if grant:  # a gateway that starts sets up every open grant
                    us.revoke(PRINCIPAL, grant)
                grant = us.grant(PRINCIPAL, ("contact", ["us"]))
                dsn = us.dsn(PRINCIPAL, grant)
            connected(dsn)
            clients = [Client(dsn, people, rng.randrange(2**32)) for _ in range(CLIENTS)]
            # The moment of the kill is the experiment: when some rows have come, and a random moment later.
            enough, deadline = rng.randint(0, 100), time.monotonic() + 20
            while sum(client.rows for client in clients) < enough and time.monotonic() < deadline:
                time.sleep(0.001)
            time.sleep(rng.uniform(0, 0.45))
        finally:
            process.kill()
        for client in clients:
            client.join()
        seen = set().union(*(client.seen for client in clients))
        rows_seen = sum(client.rows for client in clients)
        recorded, named = shown(config, grant, seen)
        assert named == seen
        assert recorded >= rows_seen
        received += rows_seen
    assert received > 20 * ROUNDS, "the clients saw too little for this to prove anything"
    keystore = open_keystore(config, read_only=True)
    person = f"account:{people[0]}"
    found = who_saw(person, config.ledger_dir, config.region, keystore.verifier_key(config.origin), keystore)
    assert found
    assert all(one.published for one in found)
    assert {one.part["how"] for one in found} == {"disclosed"}
    with serve(served.world, config) as again:
        again.revoke(PRINCIPAL, grant)
