"""Reads a log for a command: checks all of it, once more if it was at work meanwhile."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from seenby_verify.cli.output import progress, taken
from seenby_verify.client import LogSource, open_log
from seenby_verify.errors import VerificationError
from seenby_verify.tlog.fsck import CHECKPOINT
from seenby_verify.tlog.policy import Policy
from seenby_verify.tlog.steps import Step
from seenby_verify.tlog.tiles import Read
from seenby_verify.tlog.verify import TITLES, LogCheck
from seenby_verify.tlog.vkey import VerifierKey

_ATTEMPTS: Final = 4
_PAUSE: Final = 0.6
"""Seconds: longer than a writer needs from its tiles to its checkpoint."""


def reader(source: LogSource) -> Read:
    """Reads files of the log; the checkpoint past every cache."""
    return lambda path: source.fresh(path) if path == CHECKPOINT else source.read(path)


def check_log(
    place: str, policy: Policy, *, organisation: VerifierKey | None = None, cache: Path | None = None
) -> tuple[LogCheck, list[Step], VerificationError | None]:
    """The check, the steps that hold, and the fault that ended them. Raises NotFound, Unavailable, UsageError.

    A log at work may change its files while they are read: then once more, from its new checkpoint.
    """
    with open_log(place, cache=cache) as source, progress("entries") as tell:
        read = reader(source)
        for attempt in range(_ATTEMPTS):
            before = read(CHECKPOINT)
            check = LogCheck(source.paths, read, policy, organisation=organisation, progress=tell)
            steps, fault = taken(check.steps())
            if fault is None or attempt == _ATTEMPTS - 1:
                break
            time.sleep(_PAUSE)
            if read(CHECKPOINT) == before:
                break
        return check, steps, fault


def checked_log(place: str, policy: Policy) -> LogCheck:
    """The check of a log that holds; raises the fault of one that does not."""
    check, steps, fault = check_log(place, policy)
    if fault:
        raise not_whole(place, steps, fault)
    return check


def not_whole(place: str, steps: list[Step], fault: VerificationError) -> VerificationError:
    """What to say of a log with this fault behind these steps that hold, where one entry of it was asked about."""
    return VerificationError(
        f"the log does not hold, in step {len(steps) + 1} ({TITLES[len(steps)]}): {fault.message}",
        where=fault.where,
        hint=fault.hint or f"seenby-verify log {place}",
    )
