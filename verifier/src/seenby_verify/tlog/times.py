"""Unix times as dates, UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

LAST_TIME: Final = 253_402_300_799
"""The end of the year 9999, Unix time: later ones have no date, and stand nowhere but in what is meant to break us."""


def date_of(time: float) -> datetime:
    """UTC; of a time beyond all calendars, the last second that has a date."""
    return datetime.fromtimestamp(min(time, LAST_TIME), UTC)


def month(time: float) -> int:
    """The epoch of a Unix time; of one beyond all calendars, the last.

    >>> month(1795338000), month(2**62)
    (202611, 999912)
    """
    at = date_of(time)
    return at.year * 100 + at.month


def clock(time: float) -> str:
    """
    >>> clock(1795338000), clock(2**62)
    ('2026-11-22 09:00:00 UTC', '9999-12-31 23:59:59 UTC')
    """
    return f"{date_of(time):%Y-%m-%d %H:%M:%S} UTC"
