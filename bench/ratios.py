"""`make bench`: the same pgbench work straight to Postgres and through the gateway, in one run, as ratios.

Everything is on: TLS off on the unix socket as for direct Postgres, grants, views, analysis, attribution, the ledger
with a durable entry per query. Runs alternate, and medians are compared, because a shared machine drifts.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from seenby.demo.region import OWNER, PLATFORM
from seenby.demo.world import World
from seenby.stores.cluster import BIN

PEOPLE = int(os.environ.get("BENCH_PEOPLE", "20000"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "4"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
BULK_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Work:
    name: str
    script: str
    clients: int


def main() -> None:
    console = Console()
    with World() as world:
        console.print(f"building a world of {PEOPLE} people ...")
        world.build(people=PEOPLE, seed=1, progress=lambda *_: None)
        world.start()
        grant = _grant(world)
        low, high = 1_000_000_001, 1_000_000_000 + PEOPLE // 2
        point = f"\\set id random({low}, {high})\nSELECT handle, country FROM accounts WHERE id = :id;\n"
        bulk = f"SELECT id, account_id, caption FROM videos ORDER BY id LIMIT {BULK_ROWS};\n"
        works = [Work(f"point lookup, {n} client{'s' if n > 1 else ''}", point, n) for n in (1, 8, 64)]
        works.append(Work(f"bulk read, {BULK_ROWS} rows", bulk, 1))
        region = world.regions["eu"]
        direct = {
            "PGHOST": str(region.running.sockets),
            "PGPORT": str(region.running.port),
            "PGUSER": OWNER,
            "PGPASSWORD": region.passwords[OWNER],
        }
        through = {
            "PGHOST": str(region.socket_dir),
            "PGPORT": str(region.port),
            "PGUSER": "lena.koch",
            "PGPASSWORD": world.staff["lena.koch"].password,
            "PGOPTIONS": f"-c seenby.grant={grant}",
        }
        rows = []
        for work in works:
            pairs = [(_pgbench(work, direct), _pgbench(work, through)) for _ in range(ROUNDS)]
            ratio = statistics.median(b / a for a, b in pairs)
            rows.append((work.name, *(statistics.median(column) for column in zip(*pairs, strict=True)), ratio))
            console.print(f"  {work.name}: {ratio:.2f}")
    table = Table(title=f"transactions per second, median of {ROUNDS} alternating runs of {SECONDS} s")
    for heading in ("work", "direct", "through Seenby", "ratio"):
        table.add_column(heading, justify="left" if heading == "work" else "right")
    for name, a, b, ratio in rows:
        table.add_row(name, f"{a:,.0f}", f"{b:,.0f}", f"{ratio:.2f}")
    console.print(table)


def _grant(world: World) -> str:
    member = world.staff["lena.koch"]
    done = subprocess.run(
        [sys.executable, "-c", "from seenby.cli import main; main()", "grant", "request",
         "--class", "public", "--region", "eu", "--purpose", "research", "--reference", "BENCH", "--minutes", "600",
         "--max-people", str(10**9), "--max-rows", str(10**12),
         "--as", "lena.koch", "--key", str(member.key_file), "--config", str(world.regions["eu"].config_file)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = re.search(r"\b[0-9a-f]{32}\b", done.stdout)
    if done.returncode or not found:
        sys.exit(done.stdout + done.stderr)
    return found[0]


def _pgbench(work: Work, where: dict[str, str]) -> float:
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(work.script)
        script.flush()
        command = [str(BIN / "pgbench"), "-n", "-M", "prepared", "-T", str(SECONDS), "-c", str(work.clients),
                   "-j", "1", "-f", script.name, PLATFORM]  # fmt: skip
        done = subprocess.run(command, env={**os.environ, **where}, capture_output=True, text=True, check=False)
    found = re.search(r"tps = ([0-9.]+)", done.stdout)
    failed = re.search(r"number of failed transactions: ([1-9]\d*)", done.stdout)
    if done.returncode or not found or failed:
        sys.exit(f"{work.name}: {done.stdout}{done.stderr}")
    return float(found[1])


if __name__ == "__main__":
    main()
