"""``seenby demo``: makes the embedded world, runs the tour through it, and leaves nothing behind."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from seenby.demo import tour
from seenby.demo.world import World
from seenby_verify.cli.plain import PlainConsole


def demo(
    *,
    people: int = 20_000,
    once: bool = False,
    json_: Annotated[Path | None, Parameter(name="--json")] = None,
    dir_: Annotated[Path | None, Parameter(name="--dir")] = None,
    seed: int = 1,
) -> int:
    """Make two regions of a short-video platform, all real, and show on them what Seenby does.

    Takes half a minute, then stays up with connection strings to paste; Ctrl-C stops and removes everything.
    Exit status 1 when a step of the tour did not come out as stated.

    Parameters
    ----------
    people
        Accounts in all, at least 200; 50 watch events each. A million takes about ten minutes and 15 GB.
    once
        Exit after the tour. So does a run without a terminal.
    json_
        Write the tour's outcome to this file, as JSON.
    dir_
        Keep the world in this folder while it runs. Default: a fresh one among the temporary files.
    seed
        Another number makes other people.
    """
    # A closed terminal or a `kill` ends the demo as Ctrl-C does: through the clean-up; also where whoever started
    # it ignores SIGINT, as a shell does for what it runs in the background.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    console = PlainConsole(highlight=False)
    with World(dir_) as world:
        _build(world, people, seed, console)
        report = tour.run(world, console)
        if json_:
            report.write(json_)
        if not once and sys.stdin.isatty() and sys.stdout.isatty():
            _stay(world, console)
    return 0 if report.ok else 1


def _stay(world: World, console: Console) -> None:
    """Prints how to reach everything, and waits for Ctrl-C."""
    console.print("\n[bold]Now you.[/] Everything runs until Ctrl-C; paste a line into another terminal:\n")
    for who, command in tour.facts(world):
        console.print(Text(who, style="bold"))
        console.print(Text(f"  {command}", style="cyan"), soft_wrap=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        console.print("\nStopping ...")


def _build(world: World, people: int, seed: int, console: Console) -> None:
    columns = (
        TextColumn("[bold]{task.fields[region]}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )  # fmt: skip
    with Progress(*columns, console=console) as bars:
        tasks: dict[str, TaskID] = {
            name: bars.add_task("starting PostgreSQL", total=1.0, region=name) for name in world.regions
        }
        world.build(
            people=people,
            seed=seed,
            progress=lambda region, stage, done: bars.update(tasks[region], description=stage, completed=done),
        )
    rows = {name: sum(region.rows.values()) for name, region in world.regions.items()}
    counted = ", ".join(f"{name} {count:,} rows" for name, count in rows.items())
    console.print(f"{people:,} people in {world.directory}: {counted}")
    world.start()
