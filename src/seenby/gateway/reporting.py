"""The daily report: when a day is over (UTC), the gateway says in the log what was in it (docs/formats/reports.md).

Days on which nothing happened have one too, and after an outage every day that was missed: a day that is left out is
what a monitor shouts at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date, timedelta

import structlog

from seenby.errors import SeenbyError
from seenby.gateway.grant_truth import Truth
from seenby.stores.ledger import Ledger
from seenby.stores.reports import Facts, begun, make_report, midnight_after
from seenby.stores.sealing import ReportDocument
from seenby.stores.view import LogView
from seenby_verify.tlog.entries import DailyReport, decode
from seenby_verify.tlog.reports import Report

POLL_SECONDS = 1.0

log = structlog.get_logger("seenby.reports")


def grant_facts(truth: Truth) -> Facts:
    """What the terms of every grant say, by the names of seenby_verify.tlog.reports.SORTS."""
    terms = [grant.terms for grant in truth.grants.values()]
    return {bytes.fromhex(one.id): {"country": one.country, "purpose": one.purpose} for one in terms}


class DailyReports:
    """One per gateway process, on its loop.

    Args:
        facts: what each grant was for, asked once per report.
        clock: Unix seconds.
    """

    def __init__(self, ledger: Ledger, facts: Callable[[], Facts], clock: Callable[[], float]) -> None:
        self._ledger = ledger
        self._facts = facts
        self._clock = clock
        self._due = 0

    async def run(self) -> None:
        """Writes what is due, until it is cancelled. What fails is logged and tried again."""
        while True:
            try:
                await self.write_due()
            except (SeenbyError, OSError) as error:
                log.error("daily report", error=str(error))
                await asyncio.sleep(10 * POLL_SECONDS)
            await asyncio.sleep(POLL_SECONDS)

    async def write_due(self) -> int:
        """A report for each day that is over and has none; answers how many. Raises LedgerFailed, OSError."""
        now = self._clock()
        if now < self._due:
            return 0
        # Whatever the journal still takes is written at a later time than now.
        await self._ledger.published(submitted=True)
        day, first = await asyncio.to_thread(self._next)
        written = 0
        while midnight_after(day) <= now:
            report = await asyncio.to_thread(self._make, day, first, self._facts())
            await self._ledger.append(ReportDocument(day.day, report.encode()))
            log.info("daily report", day=report.date, entries=report.end - report.first)
            day, first, written = day + timedelta(days=1), report.end, written + 1
        if written:
            await self._ledger.published()  # so that the state knows the newest before it is asked again
        self._due = midnight_after(day)
        return written

    def _next(self) -> tuple[date, int]:
        """(the first day without a report, the first entry of it)."""
        ledger = self._ledger
        with LogView.at_checkpoint(ledger.directory, ledger.state, ledger.verifier_key) as view:
            index = ledger.state.report()
            if index is None:
                return begun(ledger.state), 0
            entry = decode(view.entry(index))
        assert isinstance(entry, DailyReport)
        last = Report.parse(entry.document)
        return last.day + timedelta(days=1), last.end

    def _make(self, day: date, first: int, facts: Facts) -> Report:
        return make_report(self._ledger.directory, self._ledger.state, self._ledger.region, day, first, facts)
