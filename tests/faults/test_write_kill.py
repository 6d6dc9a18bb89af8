"""kill -9 of a whole gateway while it changes rows: what changed is in the ledger, what was told has changed."""

from __future__ import annotations

import os
import random
import threading
import time
from typing import Any

import psycopg
import pytest

from seenby.model.grant import Write, WriteAction
from seenby.stores.config import Config
from tests.faults.test_release import PRINCIPAL, Process, config, connected, shown
from tests.fixtures.gateway import Served, serve

__all__ = ["config"]

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("served")]

ROUNDS = 100 if os.environ.get("SEENBY_CAMPAIGN") == "long" else 4
CLIENTS = 4
VIDEOS = 200


class Moderator:
    """Hides one video after the other, and remembers which it was told were hidden."""

    def __init__(self, dsn: str, videos: list[int]) -> None:
        self.told: set[int] = set()
        self._videos = videos
        self._thread = threading.Thread(target=self._run, args=(dsn,))
        self._thread.start()

    def _run(self, dsn: str) -> None:
        try:
            with psycopg.connect(dsn, autocommit=True) as connection:
                for video in self._videos:
                    sql = "UPDATE videos SET visibility = 'hidden' WHERE id = %s RETURNING id"
                    self.told |= {row[0] for row in connection.execute(sql, (video,)).fetchall()}
        except psycopg.OperationalError:
            return

    def join(self) -> None:
        self._thread.join(60)
        assert not self._thread.is_alive()


def after_some(moderators: list[Moderator], rng: random.Random) -> None:
    """The moment of the kill is the experiment: when a few changes were told, and a random moment later."""
    enough, deadline = rng.randint(1, 40), time.monotonic() + 20
    while sum(len(moderator.told) for moderator in moderators) < enough and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(rng.uniform(0, 0.02))


def nobody_left(platform: psycopg.Connection[Any]) -> None:
    """Returns once Postgres has noticed that the gateway is gone: what had reached it is done by then."""
    deadline = time.monotonic() + 20
    sessions = "SELECT FROM pg_stat_activity WHERE starts_with(usename, 'seenby_g_')"
    while platform.execute(sessions).fetchall():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_every_changed_row_is_in_the_ledger(served: Served, config: Config) -> None:
    """Seen to fail, though not in every run: the commit sent together with the entry. That nothing is committed before
    the entry is durable is shown without luck in tests/conformance/test_writes.py.
    """
    rng = random.Random(int(os.environ["SEENBY_SEED"]))
    world_us = served.world.regions["us"]
    with psycopg.connect(world_us.running.dsn("platform"), autocommit=True) as platform:
        found = platform.execute(
            "SELECT min(v.id), v.account_id FROM videos v JOIN accounts a ON a.id = v.account_id"
            " WHERE a.home_region = 'us' AND v.visibility = 'public' GROUP BY v.account_id LIMIT %s",
            (VIDEOS,),
        )
        owners: dict[int, int] = dict(found.fetchall())
        hides = [Write("videos", WriteAction.UPDATE, ("visibility",))]
        people = [f"account:{owner}" for owner in sorted(owners.values())]
        with serve(served.world, config) as us:
            grants = [us.grant(PRINCIPAL, ("content", ["us"]), people=people, writes=hides) for _ in range(ROUNDS)]
            dsns = [us.dsn(PRINCIPAL, grant) for grant in grants]
        changed = left = 0
        for grant, dsn in zip(grants, dsns, strict=True):
            videos = list(owners)
            rng.shuffle(videos)
            process = Process(config)
            try:
                connected(dsn)
                moderators = [Moderator(dsn, videos[place::CLIENTS]) for place in range(CLIENTS)]
                after_some(moderators, rng)
            finally:
                process.kill()
            for moderator in moderators:
                moderator.join()
            told = set().union(*(moderator.told for moderator in moderators))
            nobody_left(platform)
            hidden = {
                video
                for (video,) in platform.execute(
                    "SELECT id FROM videos WHERE visibility = 'hidden' AND id = ANY (%s)", (list(owners),)
                )
            }
            recorded, named = shown(config, grant, {owners[video] for video in hidden})
            assert told <= hidden
            assert named == {owners[video] for video in hidden}
            assert recorded >= len(hidden)
            changed += len(hidden)
            left += len(videos) - len(hidden)
            platform.execute("UPDATE videos SET visibility = 'public' WHERE id = ANY (%s)", (list(hidden),))
        assert changed >= ROUNDS, "too little was changed for this to prove anything"
        assert left > 0, "no kill came before the end"
    with serve(served.world, config) as again:
        for grant in grants:
            again.revoke(PRINCIPAL, grant)
