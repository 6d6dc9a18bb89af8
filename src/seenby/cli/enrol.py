"""``seenby enrol``: everybody of the data map gets a key, and the log a commitment to it."""

from __future__ import annotations

import json
import time
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from seenby.cli.control_client import ControlClient
from seenby.cli.grant import As, ConfigFile, Json, Key, Socket, open_client
from seenby.errors import NotFound
from seenby_verify.cli.plain import PlainConsole, sentences


def enrol(
    *, as_: As, key: Key, kind: str = "", config: ConfigFile = None, socket: Socket = None, json_: Json = False
) -> None:
    """Enrol the people of the platform's database, through the running gateway.

    Each gets a key of their own, and the log an entry that commits to it: they can have a receipt for that, and the
    list of who saw their data is provably whole from then on. Who is enrolled already is left as they are, so it can be
    ended and run again at any time. An operator may run it, or who guards the region's people.

    Parameters
    ----------
    kind
        A kind of people of the data map, as in account. Default: all kinds.
    """
    console = PlainConsole(stderr=True, highlight=False)
    with open_client(as_, key, config, socket) as client:
        there: dict[str, int] = client.read("/people")
        if kind and kind not in there:
            raise NotFound(f"the data map has no people of kind {kind!r}", hint=f"it has {', '.join(sorted(there))}")
        started = time.monotonic()
        done = {}
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console) as progress:
            for name in [kind] if kind else sorted(there):
                task = progress.add_task(f"people of kind {name}", total=there[name])
                done[name] = _all(client, name, lambda count, task=task: progress.advance(task, count))
        seconds = time.monotonic() - started
    if json_:
        print(json.dumps({"kinds": done, "seconds": round(seconds, 3)}))
        return
    out = sentences()
    for name, (people, enrolled) in done.items():
        out.print(f"[bold]{name}[/]: {enrolled} enrolled, {people - enrolled} were enrolled already")
    total = sum(people for people, _ in done.values())
    out.print(f"{total} people in {seconds:.1f} s" + (f", {total / seconds:.0f} a second" if seconds > 1 else ""))


def _all(client: ControlClient, kind: str, advance: Any) -> tuple[int, int]:
    """Every page of one kind: how many people there are, and how many of them were new."""
    people = enrolled = 0
    after: str | None = None
    while True:
        page = client.post_signed("/enrolments", {"kind": kind, "after": after})
        people += page["people"]
        enrolled += page["enrolled"]
        advance(page["people"])
        after = page["after"]
        if after is None:
            return people, enrolled
