"""What a monitor shouts."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from seenby_verify.errors import VerificationError


class Kind(StrEnum):
    """Why.

    FORK: two checkpoints that cannot both be true.
    ROLLBACK: the log shows fewer entries than before.
    BACKDATED, FUTURE: entries say that they are from a month in which they cannot have been written.
    RULES: an entry, a seal, a signature or a list of regions may not stand where it stands.
    FILES: the files do not give what the log signed.
    DELAY: an entry or a cosignature that should be there by now is not.
    REPORT: a day is over, and its report is not there.
    PROMISE: a promise that the monitor was given is not met, and its time is over.
    UNREACHABLE: the log has not answered for longer than it may.
    """

    FORK = "fork"
    ROLLBACK = "rollback"
    BACKDATED = "back-dated"
    FUTURE = "future"
    RULES = "rules"
    FILES = "files"
    DELAY = "delay"
    REPORT = "report"
    PROMISE = "promise"
    UNREACHABLE = "unreachable"


class Alarm(VerificationError):
    """``evidence``: files that were kept. ``passing``: the log itself may hold, so that the monitor goes on."""

    def __init__(self, kind: Kind, message: str, *, evidence: tuple[Path, ...] = (), hint: str = "") -> None:
        super().__init__(message, where=str(kind), hint=hint)
        self.kind = kind
        self.evidence = evidence

    @property
    def passing(self) -> bool:
        return self.kind in (Kind.DELAY, Kind.REPORT, Kind.PROMISE, Kind.UNREACHABLE)
