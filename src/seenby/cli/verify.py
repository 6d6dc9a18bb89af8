"""``seenby verify``: recompute a public log from its files and one key."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from seenby.errors import NotFound, VerificationError
from seenby.stores.records import public_reader
from seenby_verify.tlog.checkpoint import VerifierKey
from seenby_verify.tlog.fsck import CHECKPOINT
from seenby_verify.tlog.verify import TITLES, Step
from seenby_verify.tlog.verify import verify as verify_log

_ATTEMPTS = 4


def verify(
    directory: Path,
    /,
    *,
    key: str,
    json_: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Check a public log: signature, every hash, every entry, every approval. Trusts nothing but the key.

    Exit status 0: everything holds. 1: something does not; the first fault is named with its file and entry.

    Parameters
    ----------
    directory
        A ledger, its public half, or a copy of that.
    key
        The log's verifier key, as in example.org/log+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k.
    json_
        Print one JSON object instead of text.
    """
    if not directory.is_dir():
        raise NotFound(f"there is no directory {directory}", hint="give the public half of a ledger: LEDGER/public")
    if not (directory / CHECKPOINT).exists() and (directory / "public" / CHECKPOINT).exists():
        directory /= "public"
    verifier = VerifierKey.parse(key)
    console = Console(highlight=False, soft_wrap=True)
    started = time.monotonic()
    steps, fault = _check(directory, verifier)
    if json_:
        found = fault and {"step": len(steps) + 1, "where": fault.where, "message": fault.message}
        print(json.dumps({"ok": fault is None, "fault": found, "steps": _as_json(steps)}, indent=2))
        return 1 if fault else 0
    for step in steps:
        console.print(f"[green]{step.number}[/] {step.title}", end="")
        console.print(f"  [dim]{step.detail}[/]" if step.detail else "")
    if fault:
        console.print(f"[bold red]{len(steps) + 1}[/] {TITLES[len(steps)]}  [bold red]does not hold[/]")
        raise fault
    console.print(f"[bold green]The log holds.[/] {time.monotonic() - started:.1f} s")
    return 0


def _as_json(steps: list[Step]) -> list[dict[str, object]]:
    return [{"number": step.number, "title": step.title, "detail": step.detail} for step in steps]


def _check(directory: Path, key: VerifierKey) -> tuple[list[Step], VerificationError | None]:
    """The steps that hold, and the fault that ended them.

    A log at work may change its files while they are read: then once more, from its new checkpoint.
    """
    read = public_reader(directory)
    for attempt in range(_ATTEMPTS):
        before = read(CHECKPOINT)
        steps: list[Step] = []
        paths = [path.relative_to(directory).as_posix() for path in directory.rglob("*") if not path.is_dir()]
        try:
            steps.extend(verify_log(paths, read, key))
        except VerificationError as error:
            fault = error
        else:
            return steps, None
        if attempt == _ATTEMPTS - 1:
            break
        time.sleep(0.6)  # longer than a writer needs from its tiles to its checkpoint
        if read(CHECKPOINT) == before:
            break
    return steps, fault
