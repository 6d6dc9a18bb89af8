"""Entries in words, for people who never read docs/formats/entries.md."""

from __future__ import annotations

from typing import Final

from seenby_verify.tlog.entries import (
    AttemptRefused,
    DailyReport,
    Disclosure,
    EndReason,
    Entry,
    EpochKey,
    Erasure,
    GrantEnded,
    KeyAdded,
    KeyRetired,
    LogStarted,
    Move,
    PersonEnrolled,
    PersonNamed,
    Query,
    Regions,
    Seal,
    Statistic,
    Transfer,
)
from seenby_verify.tlog.names import NAMES

ENDS: Final = {
    EndReason.WINDOW: "its window is over",
    EndReason.CAP: "a cap on people or rows was reached",
    EndReason.PRINCIPAL_CHANGED: "its principal's country, entity or role changed",
    EndReason.PRINCIPAL_GONE: "its principal left the directory",
    EndReason.NOT_ENCLOSED: "the database no longer encloses it",
}
_BOUNDS: Final = ("that read nobody's data", "", "that names more people than it may have shown")


def in_words(entry: Entry) -> str:
    """One sentence's worth about an entry, without its epoch."""
    match entry:
        case LogStarted():
            return f"the log {entry.origin} of region {entry.region} started"
        case KeyAdded() | KeyRetired():
            what = "counts from here on" if isinstance(entry, KeyAdded) else "counts no more"
            return f"the {entry.role}'s key {entry.key.hex()[:16]}… {what}"
        case Query():
            return f"a query {_BOUNDS[entry.bound]}".rstrip() + f", about {_people(entry.bucket)}"
        case PersonEnrolled() | Erasure() | Move() | Transfer() | Disclosure():
            return f"{NAMES[type(entry)]}, about {_people(entry.bucket)}"
        case PersonNamed():
            return f"a person, under the label {entry.label.hex()[:16]}…"
        case DailyReport():
            return f"the report of day {entry.day}"
        case Seal():
            return f"a seal over the {entry.covers} entries before it"
        case EpochKey() | Regions() | Statistic() | AttemptRefused():
            return NAMES[type(entry)]
        case GrantEnded():
            return f"grant {entry.grant.hex()} ended: {ENDS[EndReason(entry.reason)]}"
        case _:
            return f"{NAMES[type(entry)]}: {entry.grant.hex()}"


def _people(bucket: int) -> str:
    """
    >>> _people(2)
    '10 to 99 people'
    """
    if bucket < 2:
        return ("nobody", "1 to 9 people")[bucket]
    return f"{10 ** (bucket - 1)} to {10**bucket - 1} people"
