"""The daily report: when a day is over (UTC), the gateway says in the log what was in it (docs/formats/reports.md).

Days on which nothing happened have one too, and after an outage every day that was missed: a day that is left out is
what a monitor shouts at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date, timedelta

import structlog

from seenby.errors import NotFound, PolicyDenied, SeenbyError, UsageError
from seenby.gateway.grant_truth import Truth
from seenby.grants.signing import verify_read
from seenby.model.principal import Principal
from seenby.stores.ledger import Ledger
from seenby.stores.reports import Facts, begun, make_report
from seenby.stores.sealing import ReportDocument, epoch_of
from seenby.stores.view import LogView
from seenby_verify.tlog.entries import DailyReport, decode, key_id
from seenby_verify.tlog.reports import Report, midnight_after, report_message
from seenby_verify.tlog.rules import AUDITOR

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
        self._lock = asyncio.Lock()  # what is confirmed is the newest report, also when its entry is written

    async def run(self) -> None:
        """Writes what is due, until it is cancelled. What fails is logged and tried again."""
        while True:
            try:
                await self.write_due()
            except (SeenbyError, OSError) as error:
                log.error("daily report", error=str(error))
                await asyncio.sleep(10 * POLL_SECONDS)
            await asyncio.sleep(POLL_SECONDS)

    async def newest(self) -> tuple[Report, int]:
        """The newest report in the log, and the epoch of an entry that is written now.

        Raises NotFound, LedgerFailed, OSError.
        """
        found = await asyncio.to_thread(self._newest)
        if found is None:
            raise NotFound("the log has no daily report yet", hint="the first one is written when a day is over (UTC)")
        report, epoch = found
        return report, max(epoch, epoch_of(self._clock())[0])  # a log's epoch never falls, whatever the clock does

    async def confirm(self, truth: Truth, by: Principal, document: bytes, epoch: int, signature: bytes) -> None:
        """An auditor has recounted the newest report and signed it, for an entry of ``epoch``.

        Raises PolicyDenied, NotFound, UsageError (it is not the newest, the month has turned), VerificationError.
        """
        if by.role != AUDITOR:
            raise PolicyDenied(f"{by.name} is no auditor", hint="an auditor confirms reports")
        async with self._lock:
            report, _ = await self.newest()
            if report.encode() != document:
                raise UsageError(
                    f"the newest report is that of {report.date}, and another was signed",
                    hint="run `seenby audit confirm` again: it takes the newest one",
                )
            message = report_message(self._ledger.region, epoch, report.day.day, document)
            verify_read(by.public_key, signature, message)
            await truth.know_key(by)
            signed = epoch, key_id(by.public_key), signature
            await self._ledger.append(ReportDocument(report.day.day, document, signed))
            await self._ledger.published()

    async def write_due(self) -> int:
        """A report for each day that is over and has none; answers how many. Raises LedgerFailed, OSError."""
        now = self._clock()
        if now < self._due:
            return 0
        async with self._lock:
            return await self._write(now)

    async def _write(self, now: float) -> int:
        # Whatever the journal still takes is written at a later time than now.
        await self._ledger.published(submitted=True)
        found = await asyncio.to_thread(self._newest)
        day, first = (found[0].day + timedelta(days=1), found[0].end) if found else (begun(self._ledger.state), 0)
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

    def _newest(self) -> tuple[Report, int] | None:
        """The newest report, and the epoch in which it was written."""
        ledger = self._ledger
        index = ledger.state.report()  # before the view, which then covers it
        if index is None:
            return None
        with LogView.at_checkpoint(ledger.directory, ledger.state, ledger.verifier_key) as view:
            entry = decode(view.entry(index))
        assert isinstance(entry, DailyReport)
        return Report.parse(entry.document), entry.epoch

    def _make(self, day: date, first: int, facts: Facts) -> Report:
        return make_report(self._ledger.directory, self._ledger.state, self._ledger.region, day, first, facts)
