"""Daily reports: what a region's gateway says of one day, held against the entries (docs/formats/reports.md).

::

    {"cells":[{"by":"purpose","count":41,"what":"support"}],"counts":{"person":57,"query":30,"seal":9},
     "date":"2026-11-22","from":1207,"region":"eu","to":1303,"v":1}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import date as Day
from hashlib import sha256
from typing import Final

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.entries import DailyReport, PersonNamed, Query
from seenby_verify.tlog.names import counted
from seenby_verify.tlog.strict import Fields, canonical, load_json

LEAST: Final = 10
"""Different people behind a cell, and behind all that are left out together."""
SORTS: Final = ("country", "purpose")
"""By what accesses are counted: where who looked was, and for what."""
DAY_SECONDS: Final = 86_400
MAX_DOCUMENT: Final = 60_000
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_SHOWN: Final = re.compile(rb"%c(%c*)" % (Query.KIND, PersonNamed.KIND), re.DOTALL)


@dataclass(frozen=True, slots=True)
class Cell:
    """So many accesses had this purpose, or were made from this country."""

    by: str
    what: str
    count: int


@dataclass(frozen=True, slots=True)
class Report:
    """Entries ``first`` to ``end`` - 1 were written on the day ``date`` (2026-11-22), UTC."""

    date: str
    region: str
    first: int
    end: int
    counts: Mapping[str, int]
    cells: tuple[Cell, ...]

    def encode(self) -> bytes:
        cells = [{"by": one.by, "count": one.count, "what": one.what} for one in self.cells]
        document = {"cells": cells, "counts": dict(self.counts), "date": self.date, "from": self.first}
        return canonical(document | {"region": self.region, "to": self.end, "v": 1})

    @classmethod
    def parse(cls, document: bytes) -> Report:
        """Raises VerificationError: there is one spelling only. What it counts is not looked at."""
        what = "the daily report"
        fields = Fields(
            load_json(document, what, MAX_DOCUMENT), what, ("cells", "counts", "date", "from", "region", "to", "v")
        )
        fields.number("v", 1, 1)
        counts = fields.raw("counts")
        if not isinstance(counts, dict) or not all(type(one) is int and one > 0 for one in counts.values()):
            raise VerificationError(f"{what}: its counts are not names with numbers")
        found = cls(
            fields.text("date", 10),
            fields.text("region", 255),
            fields.number("from"),
            fields.number("to"),
            counts,
            fields.each("cells", 10_000, _cell),
        )
        found.day  # noqa: B018  # raises if it is none
        if found.encode() != document:
            raise VerificationError(f"{what} is not canonical JSON")
        if sorted({(one.by, one.what) for one in found.cells}) != [(one.by, one.what) for one in found.cells]:
            raise VerificationError(f"{what} has its cells in another order, or one of them twice")
        return found

    @property
    def day(self) -> Day:
        try:
            if _DATE.fullmatch(self.date):
                return Day.fromisoformat(self.date)
        except ValueError:
            pass
        raise VerificationError(f"the daily report is of {self.date!r:.20}, which is no day")

    @property
    def over(self) -> int:
        """Unix time at which its day was over: nobody can report on it before."""
        return midnight_after(self.day)


def midnight_after(day: Day) -> int:
    """Unix time at which a day (UTC) is over."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) + DAY_SECONDS


def _cell(value: object, place: str) -> Cell:
    fields = Fields(value, place, ("by", "count", "what"))
    if fields.text("by") not in SORTS:
        raise VerificationError(f"{place}: nobody counts by {fields.text('by')!r:.40}", where=place)
    return Cell(fields.text("by"), fields.text("what"), fields.number("count"))


def report_message(region: str, epoch: int, day: int, document: bytes) -> bytes:
    """The bytes under a report's signature. ``epoch``, ``day``: of the entry."""
    return f"seenby/report/v1\n{region}\n{epoch}\n{day}\n{sha256(document).hexdigest()}\n".encode()


def accesses(kinds: bytes) -> int:
    """How many people are named behind queries, in entries of these kinds, a byte each."""
    return sum(len(run) for run in _SHOWN.findall(kinds))


def differences(report: Report, kinds: bytes) -> list[str]:
    """Everything in which a report differs from the entries that it counts, of these kinds: a sentence each."""
    real, where = counted(kinds), f"in entries {report.first} to {report.end - 1}"
    found = [
        f"counts {report.counts.get(name, 0)} of {name!r:.40} {where}, where {real.get(name, 0)} stand"
        for name in sorted({*report.counts, *real})
        if report.counts.get(name, 0) != real.get(name, 0)
    ]
    shown = accesses(kinds)
    found += [
        f"has a cell of {one.count} ({one.what!r:.40}): fewer than {LEAST} could point at somebody"
        for one in report.cells
        if one.count < LEAST
    ]
    for by in SORTS:
        stated = sum(one.count for one in report.cells if one.by == by)
        if stated > shown:
            found.append(f"counts {stated} accesses by {by} {where}, where {shown} people are named behind queries")
        elif stated and 0 < shown - stated < LEAST:
            found.append(f"leaves out {shown - stated} accesses by {by}: fewer than {LEAST} could point at somebody")
    return found


def _dated(entry: DailyReport, report: Report) -> list[str]:
    """Is the entry of the report's day, and not of an earlier month?"""
    if report.day.day != entry.day or report.day.year * 100 + report.day.month > entry.epoch:
        return [f"stands in an entry of day {entry.day} in {entry.epoch}"]
    return []


class ReportRules:
    """Fed with the kind of every entry and with every report, in order.

    Attributes:
        last: the newest report; None if the log has none.
        dates: of those that were taken since the rules were made.
        first: the index of the first entry whose kind is still needed: those before are in a report.
        kinds: of the entries from ``first`` on, a byte each.
    """

    def __init__(self) -> None:
        self.last: Report | None = None
        self.dates: list[str] = []
        self.first = 0
        self.kinds = bytearray()
        self._document = b""

    def resume(self, document: bytes, first: int, kinds: bytes) -> None:
        """Goes on behind this report (empty: none), with the kinds of what is in no report yet."""
        if document:
            self.last, self._document = Report.parse(document), document
        self.first, self.kinds = first, bytearray(kinds)

    def take(self, index: int, entry: DailyReport, region: str) -> None:
        """Entry ``index``. Raises VerificationError that names everything in which it is wrong."""
        if self.last is not None and entry.document == self._document:  # a confirmation
            for wrong in _dated(entry, self.last):
                raise VerificationError(f"the confirmation of {self.last.date} (entry {index}) {wrong}")
            return
        report = Report.parse(entry.document)
        faults = self._place(index, entry, report, region)
        if not faults:
            start = report.first - self.first
            faults = differences(report, bytes(self.kinds[start : start + report.end - report.first]))
        if faults:
            raise VerificationError(f"the report of {report.date} (entry {index}) {'; it '.join(faults)}")
        del self.kinds[: report.end - self.first]
        self.first, self.last, self._document = report.end, report, entry.document
        self.dates.append(report.date)

    def _place(self, index: int, entry: DailyReport, report: Report, region: str) -> list[str]:
        last, wrong = self.last, []
        if report.region != region:
            wrong.append(f"says that its region is {report.region!r:.40}; the log says {region}")
        wrong += _dated(entry, report)
        if last is not None and report.day <= last.day:
            wrong.append(f"comes behind the report of {last.date}")
        elif last is not None and report.day != last.day + timedelta(days=1):
            wrong.append(f"leaves a day out: the report before it is of {last.date}")
        begin = last.end if last else 0
        if report.first != begin:
            wrong.append(f"counts from entry {report.first} on; nobody counted those from {begin} on")
        if not report.first <= report.end <= index:
            wrong.append(f"counts entries up to {report.end}, which do not all stand before it")
        return wrong
