"""A time as people write it on the command line."""

from __future__ import annotations

from datetime import UTC, datetime

from seenby.errors import UsageError


def moment(text: str) -> float:
    """ISO 8601 -> Unix seconds. A time without a zone is UTC; "" is 0. Raises UsageError."""
    if not text:
        return 0.0
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a time", hint="write it as in 2026-11-22T14:00Z") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
