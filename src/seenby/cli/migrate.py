"""``seenby migrate``: suspends all grants while the platform's schema is changed, and lets them go on afterwards."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.text import Text

from seenby.cli.control_client import ControlClient
from seenby.cli.grant import As, ConfigFile, Json, Key, Socket, open_client
from seenby.errors import Unavailable, UsageError
from seenby.grants.words import clock
from seenby_verify.cli.plain import sentences

app = App(
    name="migrate",
    help="Change the platform's schema: grants are suspended meanwhile, because their views block ALTER and DROP.",
)

Minutes = Annotated[int, Parameter(help="How long it should take at most; afterwards the gateway warns, loudly.")]
Reason = Annotated[str, Parameter(help="One sentence for the protection officer.")]


@app.command
def begin(
    *,
    as_: As,
    key: Key,
    minutes: Minutes = 60,
    reason: Reason = "",
    config: ConfigFile = None,
    socket: Socket = None,
    json_: Json = False,
) -> None:
    """Suspend every grant. When this returns, no view of Seenby's is in the platform's database.

    Running sessions are cut (SQLSTATE 57P03), new ones are told to try again later. No grant ends by it, except one
    whose time is over. It stays so until `seenby migrate end`, also when the gateway is killed and starts again.
    """
    with open_client(as_, key, config, socket) as client:
        opened = client.post_signed("/migration", {"minutes": minutes, "reason": reason})
    if json_:
        print(json.dumps(opened))
        return
    _say(f"All grants are suspended. Change the schema now; it should be over by {clock(opened['open']['until'])}.")
    _say("next: seenby migrate end")


@app.command
def end(*, as_: As, key: Key, config: ConfigFile = None, socket: Socket = None, json_: Json = False) -> None:
    """Hold the data map against the database as it is now, and let the grants go on.

    The gateway reads the data map again: take out of it what is gone, classify what is new (or leave it out: it is
    refused). While the map names what the database does not have, everything stays suspended, and each place is named
    (exit status 78). A grant that names a column that is gone goes on with the rest.
    """
    with open_client(as_, key, config, socket) as client:
        _end(client, json_)


@app.command
def status(*, as_: As, key: Key, config: ConfigFile = None, socket: Socket = None, json_: Json = False) -> int:
    """Is a migration open? Exit status 0: no. 1: yes."""
    with open_client(as_, key, config, socket) as client:
        found = client.read("/migration")["open"]
    if json_:
        print(json.dumps({"open": found}))
    elif found is None:
        _say("No migration is open.")
    else:
        _say(f"{found['by']} began a migration at {clock(found['at'])}: {found['reason'] or 'no reason given'}")
        late = "it should have been" if found["late"] else "it should be"
        _say(f"All grants are suspended; {late} over by {clock(found['until'])}. next: seenby migrate end")
    return 0 if found is None else 1


@app.command
def run(
    *command: Annotated[str, Parameter(help="After --, as in: -- psql -v ON_ERROR_STOP=1 -f change.sql PLATFORM")],
    as_: As,
    key: Key,
    minutes: Minutes = 60,
    reason: Reason = "",
    config: ConfigFile = None,
    socket: Socket = None,
) -> int:
    """Begin, run a command, and end, also when it fails or is interrupted. Exit status: the command's.

    Example: seenby migrate run --as root.ops --key root.pem --config seenby.toml -- alembic upgrade head
    """
    if not command or shutil.which(command[0]) is None:
        raise UsageError(
            f"there is no command {command[0]}" if command else "which command?",
            hint="write it after --, as in: seenby migrate run ... -- psql -f change.sql PLATFORM",
        )
    with open_client(as_, key, config, socket) as client, _terminated():
        try:
            client.post_signed("/migration", {"minutes": minutes, "reason": reason or f"runs {command[0]}"})
        except (KeyboardInterrupt, SystemExit):
            _say("Interrupted while beginning. Is a migration open now? seenby migrate status")
            raise
        except Unavailable:
            # It may be open all the same: then the database did not let go of Seenby's views.
            if (found := client.read("/migration")["open"]) is not None and found["by"] == as_:
                _say(f"{command[0]} was not run; ending the migration.")
                _end(client, as_json=False)
            raise
        code = 1
        try:
            _say("All grants are suspended.")
            code = _run(command)
        finally:
            if code:
                _say(f"{command[0]} failed (exit status {code}); ending the migration.")
            _end(client, as_json=False)
    return code


def _run(command: Sequence[str]) -> int:
    """Exit status as a shell has it. Whatever interrupts us ends the command first: nothing may change afterwards."""
    with subprocess.Popen(command) as process:
        try:
            returned = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
    return returned if returned >= 0 else 128 - returned


@contextmanager
def _terminated() -> Iterator[None]:
    """SIGTERM becomes an exception, so that what was begun is ended."""

    def stop(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(client: ControlClient, as_json: bool) -> None:
    outcome: dict[str, Any] = client.post_signed("/migration/end", {})
    if as_json:
        print(json.dumps(outcome))
        return
    for one in outcome["findings"]:
        _say(f"{one['level']}: {one['what']}: {one['place']}: {one['message']}")
    for grant, words in outcome["narrowed"].items():
        _say(f"grant {grant[:8]}: {words}")
    for grant, because in outcome["ended"].items():
        _say(f"grant {grant[:8]} ended: {because}")
    if outcome["waiting"]:
        _say(f"{len(outcome['waiting'])} grants are not active yet: seenby grant list says why")
    _say(f"The migration is over; {len(outcome['again'])} grants are active again.")


def _say(text: str) -> None:
    sentences().print(Text(text))
