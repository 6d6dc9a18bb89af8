"""``seenby-verify monitor``: follow a log, remember it, and shout when it cannot be true."""

from __future__ import annotations

import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter
from rich.markup import escape

from seenby_verify.cli.output import console, progress, say_error, say_json
from seenby_verify.cli.trust import Json, Key, Organisation, PolicyFile, organisation_of, parse_key, policy_of
from seenby_verify.client import open_log
from seenby_verify.errors import SeenbyError, Unavailable, UsageError, VerificationError
from seenby_verify.monitor.alarm import Alarm
from seenby_verify.monitor.follow import Follower, Look
from seenby_verify.monitor.memory import Memory, MemoryLost
from seenby_verify.monitor.promises import collect, judge
from seenby_verify.monitor.witnesses import AskedWitness, ask
from seenby_verify.tlog.promise import Verdict
from seenby_verify.tlog.times import clock
from seenby_verify.tlog.vkey import COSIGNATURE

LONGEST: Final = 86_400.0 * 365
"""Seconds between two looks: a machine cannot sleep for any number of them."""


def monitor(
    place: str,
    /,
    *,
    state: Path,
    key: Key = None,
    policy: PolicyFile = None,
    organisation: Organisation = None,
    witness: Annotated[list[tuple[str, str]] | None, Parameter(negative="")] = None,
    promise: Annotated[list[Path] | None, Parameter(negative="")] = None,
    once: bool = False,
    interval: float = 60.0,
    max_delay: float = 3600.0,
    json_: Json = False,
) -> int:
    """Follow a log: read what is new, check it, hold it against everything seen before, and shout.

    It shouts at a fork, at a log that shrinks, at entries of a month in which they cannot have been written, at
    entries, seals or daily reports that may not stand there, and at what is late. What contradicts is kept in
    STATE/evidence. Promises that it is given it follows until they are met; of one that is not it makes evidence.

    Exit status 0 (with --once): everything holds. 1: it shouted. 69: the log is away, not yet for longer than it
    may be. 130: Ctrl-C.

    Parameters
    ----------
    place
        Where the log is: a URL or a directory.
    state
        A directory for what the monitor remembers. One for each log; never give it an old copy.
    witness
        URL and verifier key of a witness that is asked what it saw last; give it once for each.
    promise
        A promise of the log (N.promise), or a directory of them, as `seenby receipts` makes; once for each. New files
        are found at every look.
    once
        Look once and end, as for cron.
    interval
        Seconds between two looks.
    max_delay
        Seconds until an entry must be published and cosigned, and for which the log may be away.
    json_
        Print one JSON object per line instead of text.
    """
    if not (0 < interval <= LONGEST and max_delay >= 0):
        raise UsageError("--interval and --max-delay are seconds", hint="as in --interval 60 --max-delay 3600")
    trusted, organisation_key = policy_of(key, policy), organisation_of(organisation)
    witnesses = [AskedWitness(url, parse_key(vkey, "--witness", COSIGNATURE)) for url, vkey in witness or ()]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with open_log(place) as source, Memory(state) as memory, progress("new entries") as tell:
        follower = Follower(
            source,
            memory,
            trusted,
            max_delay=max_delay,
            clock=time.time,
            organisation=organisation_key,
            progress=tell,
        )
        while True:
            status, ends = _look(follower, witnesses, promise or [], json_)
            if once or ends:
                return status
            time.sleep(interval)


def _look(follower: Follower, witnesses: list[AskedWitness], promises: list[Path], as_json: bool) -> tuple[int, bool]:
    """One look at log, promises and witnesses: the exit status if it were the last, and whether it must be."""
    try:
        _say_look(follower.look(), as_json)
    except Alarm as alarm:
        return _shout(alarm, as_json), not alarm.passing
    except MemoryLost as error:
        return _forgotten(error, as_json), False
    except Unavailable as error:
        _say(as_json, "unreachable", f"[yellow]no answer:[/] {escape(error.message)}", message=error.message)
        return error.exit_code, False
    status, ends = _promises(follower, promises, as_json), False
    if missing := follower.missing_report():
        status = _shout(missing, as_json)
    for witness in witnesses:
        name = witness.key.name
        try:
            said = ask(witness, follower)
        except Alarm as alarm:
            status, ends = _shout(alarm, as_json), ends or not alarm.passing
        except SeenbyError as error:
            # A witness that is away or talks nonsense says nothing about the log.
            _say(as_json, "witness", f"  [yellow]{escape(error.message)}[/]", witness=name, message=error.message)
            status = status or error.exit_code
        else:
            _say(as_json, "witness", f"  {escape(name)}: {said}", witness=name, message=said)
    return status, ends


def _promises(follower: Follower, places: list[Path], as_json: bool) -> int:
    """What became of each promise: the exit status."""
    status = 0
    for wrong in collect(follower, places):
        status = VerificationError.exit_code
        _say(as_json, "promise", f"  [yellow]no promise to follow:[/] {escape(wrong)}", verdict=None, message=wrong)
    try:
        judged = judge(follower)
    except Alarm as alarm:
        return _shout(alarm, as_json)
    except MemoryLost as error:
        return _forgotten(error, as_json)
    except Unavailable as error:
        _say(as_json, "unreachable", f"[yellow]no answer:[/] {escape(error.message)}", message=error.message)
        return error.exit_code
    for one in judged:
        promise = one.promise
        colour, said = ("green", "met") if one.verdict is Verdict.KEPT else ("yellow", "not there yet")
        text = f"  promise of entry {promise.index}: [{colour}]{said}[/], due {clock(promise.due)}"
        members = {"index": promise.index, "verdict": str(one.verdict), "due": promise.due}
        if one.alarm is None:
            _say(as_json, "promise", text, **members)
        else:
            status = _shout(one.alarm, as_json)
    return status


def _say_look(look: Look, as_json: bool) -> None:
    seen = f" by witnesses at {clock(look.time)}" if look.time is not None else ""
    text = f"[green]holds[/] {escape(look.origin)}: {look.size} entries{seen}, {look.new} new"
    if look.waiting:
        text += f"; [yellow]a newer checkpoint does not count yet:[/] {escape(look.waiting)}"
    members = {"origin": look.origin, "size": look.size, "new": look.new, "time": look.time, "waiting": look.waiting}
    _say(as_json, "holds", text, **members)


def _forgotten(error: MemoryLost, as_json: bool) -> int:
    """Says that this look was for nothing, through no fault of the log."""
    _say(as_json, "memory", "[yellow]nothing can be remembered[/]", message=error.message, hint=error.hint)
    return say_error(error)


def _shout(alarm: Alarm, as_json: bool) -> int:
    kept = [str(one) for one in alarm.evidence]
    banner = f"[bold white on red] {alarm.kind.upper()} [/] [bold]{escape(alarm.message)}[/]"
    _say(as_json, "alarm", banner, kind=str(alarm.kind), message=alarm.message, evidence=kept, hint=alarm.hint)
    say_error(alarm)
    if not as_json:
        for path in kept:
            print(f"  kept: {path}", flush=True)
    return alarm.exit_code


def _say(as_json: bool, event: str, text: str, **members: Any) -> None:
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    if as_json:
        say_json({"event": event, "at": now, **members}, indent=None)
    else:
        console().print(f"[dim]{now}[/] {text}")
