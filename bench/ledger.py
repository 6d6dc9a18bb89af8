"""`python -m bench.ledger`: the ledger alone, each figure beside what it costs elsewhere, in one run.

Durable appends against one fdatasync per record and one committed INSERT per record; person entries through to a
sealed, signed checkpoint; restarts; the size of the public log. BENCH_ENTRIES: person entries of the largest log
(default 10^6; 10^7 takes about ten minutes and some gigabytes). SEENBY_NATIVE=0: without the native module.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from rich.console import Console
from rich.table import Table

from seenby.model.disclosure import EntryBound, QueryDisclosure, Shown
from seenby.stores.bundles import make_bundle
from seenby.stores.cluster import Cluster
from seenby.stores.keystore import KeyStore
from seenby.stores.ledger import Ledger
from seenby.stores.native import described
from seenby.stores.person import enrolled
from seenby.stores.view import LogView, open_state
from seenby_verify.tlog.bundle import BundleCheck
from seenby_verify.tlog.policy import Policy

ORIGIN = "eu.bench.example/ledger"
ENTRIES = int(os.environ.get("BENCH_ENTRIES", "1000000"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "3"))
PEOPLE = 50_000
CALLERS = (1, 64, 1000)
RECORD = (
    b'{"at":"2026-11-22T09:20:01.000000Z","bound":"exact","cells":[{"regions":["eu"],"what":"contact"}],'
    b'"classes":["contact"],"columns":["accounts.phone"],"grant":"6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f","kind":"query",'
    b'"principal":{"country":"IE","entity":"Orbit Ireland Ltd","role":"support","unit":"Care"},"purpose":"support",'
    b'"region":"eu","tables":["accounts"],"v":1,"withheld":"'
)
WITHHELD = b'{"principal":{"name":"sam"},"statement":"SELECT phone FROM accounts WHERE id = $1","v":1}'
PART = b'{"classes":["contact"],"columns":["accounts.phone"],"how":"disclosed","v":1}'
GRANT = b"g" * 16
GROUP = 500
"""People of one query where many person entries are wanted."""
YEAR_PEOPLE = 10_000
YEAR_TIMES = 4
"""In the year's log everybody is shown so many times a month; five of them 100 times more."""


def item(first: int, count: int = 1) -> QueryDisclosure:
    people = tuple(Shown(f"account:{(first + n) % PEOPLE}", PART) for n in range(count))
    return QueryDisclosure(RECORD, WITHHELD, people, 0, True, EntryBound.EXACT, GRANT, count, "sam")


def open_ledger(directory: Path, clock: Callable[[], float] = time.time) -> Ledger:
    keystore = KeyStore.open(directory / "keys")
    return Ledger.open(directory / "ledger", region="eu", origin=ORIGIN, keystore=keystore, clock=clock, apart=True)


async def durable(ledger: Ledger, callers: int) -> float:
    """Queries that show one person each, durable per second.

    Each caller submits its next when it is told that the one before is durable, as the gateway's connections do.
    """
    loop = asyncio.get_running_loop()
    ends, done, ended = time.monotonic() + SECONDS, 0, loop.create_future()
    going = callers

    def told(error: BaseException | None) -> None:
        nonlocal done, going
        if error is not None and not ended.done():
            ended.set_exception(error)
        done += 1
        if time.monotonic() < ends:
            ledger.submit(item(done * 37), told)
        else:
            going -= 1
            if not going and not ended.done():
                ended.set_result(None)

    began = time.monotonic()
    for number in range(callers):
        ledger.submit(item(number), told)
    await ended
    return done / (time.monotonic() - began)


async def integrated(ledger: Ledger, entries: int, told: Callable[[int], None] = lambda _: None) -> float:
    """Person entries per second until a sealed checkpoint covers them all."""
    began, failed = time.monotonic(), []
    waiting = 0
    room = asyncio.Event()

    def done(error: BaseException | None) -> None:
        nonlocal waiting
        waiting -= 1
        if error is not None:
            failed.append(error)
        room.set()

    for first in range(0, entries, GROUP):
        ledger.submit(item(first, min(GROUP, entries - first)), done)
        waiting += 1
        if first // GROUP % 4 == 0:
            await asyncio.sleep(0)
        while waiting > 64:
            room.clear()
            await room.wait()
        if first % 100_000 == 0:
            told(first)
    await ledger.published(submitted=True)
    if failed:
        raise failed[0]
    return entries / (time.monotonic() - began)


def raw_fdatasync(directory: Path, size: int) -> float:
    """Records of this size, each written and synced alone."""
    file = os.open(directory / "raw", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    data, count, ends = os.urandom(size), 0, time.monotonic() + SECONDS
    while time.monotonic() < ends:
        os.write(file, data)
        os.fdatasync(file)
        count += 1
    os.close(file)
    return count / SECONDS


def committed_inserts(cluster: Cluster, size: int) -> float:
    """Rows of this size, each committed alone, over one connection."""
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        connection.execute("CREATE TABLE log (id bigserial PRIMARY KEY, record bytea NOT NULL)")
        data, count, ends = os.urandom(size), 0, time.monotonic() + SECONDS
        while time.monotonic() < ends:
            connection.execute("INSERT INTO log (record) VALUES (%s)", (data,))
            count += 1
    return count / SECONDS


def bundles(place: Path, people: range = range(100)) -> tuple[float, float, float]:
    """(median, 99th percentile) of making a person's bundle, median of checking it; milliseconds."""
    made, checked = [], []
    keystore = KeyStore.open(place / "keys")
    key = keystore.verifier_key(ORIGIN)
    policy = Policy.parse(f"log {key}\nquorum none\n".encode())
    with open_state(place / "ledger") as state, LogView.at_checkpoint(place / "ledger", state, key) as view:
        for n in people:
            began = time.monotonic()
            person = f"account:{n}"
            data = make_bundle(person, enrolled(view, keystore, person), view, "eu", now=time.time())
            made.append(1000 * (time.monotonic() - began))
            began = time.monotonic()
            list(BundleCheck(data, policy).steps())
            checked.append(1000 * (time.monotonic() - began))
    keystore.close()
    return statistics.median(made), sorted(made)[-1 - len(made) // 100], statistics.median(checked)


def bytes_of(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def main() -> None:
    console = Console(highlight=False)
    console.print(f"sealing and label trees: {described()}\n")
    folder = Path(tempfile.mkdtemp(prefix="seenby-bench-"))
    try:
        appends(console, folder / "appends")
        growth(console, folder)
        year(console, folder / "year")
    finally:
        shutil.rmtree(folder)


def appends(console: Console, folder: Path) -> None:
    folder.mkdir()

    async def measure() -> dict[int, float]:
        ledger = open_ledger(folder)
        await integrated(ledger, PEOPLE)  # everybody is enrolled
        rates = {callers: await durable(ledger, callers) for callers in CALLERS}
        await ledger.close()
        return rates

    rates = asyncio.run(measure())
    cluster = Cluster.create(Path(tempfile.mkdtemp(prefix="seenby-pg-")) / "c", durable=True)
    try:
        rows, raw = committed_inserts(cluster, 1200), raw_fdatasync(folder, 1200)
    finally:
        cluster.remove()
    table = Table(title="durable appends per second (one query that shows one person)")
    for heading in ("callers", "Seenby", "/ one fdatasync each", "/ one committed INSERT each"):
        table.add_column(heading, justify="right")
    for callers, rate in rates.items():
        table.add_row(f"{callers}", f"{rate:,.0f}", f"{rate / raw:.1f}", f"{rate / rows:.1f}")
    console.print(table)
    console.print(f"one fdatasync each: {raw:,.0f}/s; one committed INSERT each: {rows:,.0f}/s\n")


def growth(console: Console, folder: Path) -> None:
    table = Table(title="growth: logs of so many person entries")
    for heading in (
        "person entries",
        "to a sealed checkpoint /s",
        "restart s",
        "public bytes/entry",
        "state bytes/entry",
        "append + publish, median s",
        "bundle ms (p50, p99)",
        "its check ms",
    ):
        table.add_column(heading, justify="right")
    size = 10_000
    while size <= ENTRIES:
        place = folder / f"log{size}"
        place.mkdir()

        async def fill(place: Path = place, size: int = size) -> float:
            ledger = open_ledger(place)
            await integrated(ledger, PEOPLE if size > PEOPLE else 0)
            rate = await integrated(ledger, size, lambda done: console.print(f"  {done:,} of {size:,}", end="\r"))
            await ledger.close()
            return rate

        rate = asyncio.run(fill())

        async def again(place: Path = place) -> tuple[float, float]:
            began = time.monotonic()
            ledger = open_ledger(place)
            opened = time.monotonic() - began
            times = []
            for n in range(5):
                began = time.monotonic()
                await ledger.append(item(n))
                await ledger.published()
                times.append(time.monotonic() - began)
            await ledger.close()
            return opened, statistics.median(times)

        restart, latency = asyncio.run(again())
        public = bytes_of(place / "ledger" / "public") / size
        state = bytes_of(place / "ledger" / "private" / "state") / size
        half, most, check = bundles(place)
        figures = f"{rate:,.0f}", f"{restart:.2f}", f"{public:.0f}", f"{state:.0f}", f"{latency:.2f}"
        table.add_row(f"{size:,}", *figures, f"{half:.0f}, {most:.0f}", f"{check:.0f}")
        shutil.rmtree(place)
        size *= 10
    console.print(table)


def year(console: Console, place: Path) -> None:
    """What a person takes away after a year: twelve epochs, a seal and a proof of absence for each."""
    place.mkdir()
    now = datetime(2025, 11, 15, tzinfo=UTC)

    def clock() -> float:
        return now.timestamp()

    async def fill() -> int:
        nonlocal now
        ledger = open_ledger(place, clock)
        for month in range(12):
            now = now.replace(year=2025 + (month + 10) // 12, month=(month + 10) % 12 + 1)
            for first in range(0, YEAR_PEOPLE * YEAR_TIMES, GROUP):
                await ledger.append(item(first % YEAR_PEOPLE, GROUP))
            for _ in range(100):
                await ledger.append(item(0, 5))
            await ledger.published()
        await ledger.close()
        return ledger.size

    size = asyncio.run(fill())
    table = Table(title=f"a person's year, in a log of {size:,} entries")
    for heading in ("times shown", "bundle ms (p50, p99)", "its check ms"):
        table.add_column(heading, justify="right")
    for times, people in ((12 * YEAR_TIMES, range(100, 300)), (12 * YEAR_TIMES + 1200, range(5))):
        half, most, check = bundles(place, people)
        table.add_row(f"{times:,}", f"{half:.0f}, {most:.0f}", f"{check:.0f}")
    console.print(table)


if __name__ == "__main__":
    main()
