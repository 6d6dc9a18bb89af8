"""What docs/formats/entries.md calls each kind of entry. Daily reports count under these names."""

from __future__ import annotations

from collections import Counter
from typing import Final

from seenby_verify.tlog.entries import (
    KINDS,
    AttemptRefused,
    BreakGlass,
    DailyReport,
    Disclosure,
    Entry,
    EpochKey,
    Erasure,
    GrantActivated,
    GrantApproved,
    GrantDenied,
    GrantEnded,
    GrantRequested,
    GrantReviewed,
    GrantRevoked,
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

NAMES: Final[dict[type[Entry], str]] = {
    LogStarted: "log started",
    KeyAdded: "key added",
    KeyRetired: "key retired",
    EpochKey: "epoch key",
    Regions: "regions",
    GrantRequested: "grant requested",
    GrantApproved: "grant approved",
    GrantDenied: "grant denied",
    GrantActivated: "grant activated",
    GrantRevoked: "grant revoked",
    GrantEnded: "grant ended",
    GrantReviewed: "grant reviewed",
    BreakGlass: "break-glass",
    Query: "query",
    PersonNamed: "person",
    Statistic: "statistic",
    AttemptRefused: "refused attempt",
    PersonEnrolled: "person enrolled",
    Erasure: "erasure",
    Move: "move",
    Transfer: "transfer",
    Disclosure: "disclosure",
    DailyReport: "daily report",
    Seal: "seal",
}


def counted(kinds: bytes) -> dict[str, int]:
    """Kinds of entries, a byte each -> {"query": 3, ...}."""
    return {NAMES[KINDS[kind]]: count for kind, count in sorted(Counter(kinds).items())}
