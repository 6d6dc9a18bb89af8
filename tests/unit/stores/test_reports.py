"""Daily reports of real ledgers: what they count, when they are written, and that strangers find them right."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from seenby.gateway.reporting import DailyReports
from seenby.model.disclosure import RefusedAttempt
from seenby.stores.journal import JournalReader
from seenby.stores.ledger import Ledger
from seenby.stores.reports import Facts, Tally, cells
from seenby_verify.tlog.entries import DailyReport
from seenby_verify.tlog.policy import Policy
from seenby_verify.tlog.reports import Report
from seenby_verify.tlog.verify import LogCheck
from tests.fixtures.ledgers import GRANT, RECORD, WITHHELD, disclosure, every_entry, open_ledger

DAY = 86_400
START = datetime(2026, 11, 21, 9, tzinfo=UTC).timestamp()
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC).timestamp()
OTHER = b"h" * 16
FACTS: Facts = {
    GRANT: {"country": "IE", "purpose": "support"},
    OTHER: {"country": "DE", "purpose": "research"},
}
"""The terms of two grants."""


class Days:
    """A ledger whose clock the test turns, and the reports on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = START

    def live(self, story: Callable[[Ledger, DailyReports], Awaitable[None]], *, ahead: float = 0.01) -> None:
        """One run of a gateway. ``ahead``: seconds from an entry to the checkpoint."""

        async def run() -> None:
            ledger = open_ledger(self.folder, clock=lambda: self.now, publish_after=ahead)
            try:
                await story(ledger, DailyReports(ledger, lambda: FACTS, lambda: self.now))
            finally:
                await ledger.close()

        asyncio.run(run())

    def reports(self) -> list[Report]:
        """As a stranger finds them, after a check of the whole log."""
        public = self.folder / "ledger" / "public"
        with_log = open_ledger(self.folder, clock=lambda: self.now)
        key = with_log.verifier_key
        asyncio.run(with_log.close())
        paths = [str(path.relative_to(public)) for path in public.rglob("*") if path.is_file()]
        check = LogCheck(lambda _: paths, lambda path: (public / path).read_bytes(), Policy.trusting(key))
        assert len(list(check.steps())) == 11
        found = [event for _, event in check.rules.events if isinstance(event, DailyReport)]
        return [Report.parse(event.document) for event in found]


@pytest.fixture
def days(tmp_path: Path) -> Days:
    return Days(tmp_path)


def people(first: int, count: int) -> list[str]:
    return [f"account:{number}" for number in range(first, first + count)]


def test_a_report_counts_its_day_and_nothing_else(days: Days) -> None:
    async def story(ledger: Ledger, reports: DailyReports) -> None:
        await ledger.append(disclosure(*people(0, 12)))
        await ledger.append(disclosure(*people(0, 3)))
        await ledger.append(disclosure(*people(20, 11))._replace(grant=OTHER))
        await ledger.append(RefusedAttempt(RECORD, WITHHELD))
        assert await reports.write_due() == 0  # the day is not over
        days.now += DAY
        assert await reports.write_due() == 1
        await ledger.append(disclosure(*people(0, 1)))
        assert await reports.write_due() == 0
        days.now += DAY
        assert await reports.write_due() == 1

    days.live(story)
    first, second = days.reports()
    assert (first.date, second.date) == ("2026-11-21", "2026-11-22")
    assert (first.counts["query"], first.counts["person"], first.counts["refused attempt"]) == (3, 12 + 11 + 26, 1)
    told = [(one.by, one.what, one.count) for one in first.cells]
    assert told == [
        ("country", "DE", 11),
        ("country", "IE", 15),
        ("purpose", "research", 11),
        ("purpose", "support", 15),
    ]
    assert second.first == first.end
    assert (second.counts["query"], second.counts["daily report"], second.cells) == (1, 1, ())


def test_after_an_outage_every_day_has_its_report(days: Days) -> None:
    async def before(ledger: Ledger, reports: DailyReports) -> None:
        await ledger.append(disclosure(*people(0, 2)))

    async def after(ledger: Ledger, reports: DailyReports) -> None:
        assert await reports.write_due() == 4

    days.live(before)
    days.now += 4 * DAY
    days.live(after)
    found = days.reports()
    assert [one.date for one in found] == ["2026-11-21", "2026-11-22", "2026-11-23", "2026-11-24"]
    assert [one.counts.get("query", 0) for one in found] == [1, 0, 0, 0]
    assert [one.first == one.end for one in found] == [False, True, True, True]


def test_a_crash_in_the_middle_of_the_day_changes_nothing(days: Days, tmp_path: Path) -> None:
    async def morning(ledger: Ledger, reports: DailyReports) -> None:
        await ledger.append(disclosure(*people(0, 11)))

    async def evening(ledger: Ledger, reports: DailyReports) -> None:
        await ledger.append(disclosure(*people(5, 11)))
        days.now += DAY
        assert await reports.write_due() == 1

    days.live(morning)
    days.live(evening)
    (report,) = days.reports()
    assert [(one.what, one.count) for one in report.cells] == [("IE", 22), ("support", 22)]


def test_the_last_day_of_a_month_is_reported_in_the_next(days: Days) -> None:
    days.now = DECEMBER - 3600

    async def story(ledger: Ledger, reports: DailyReports) -> None:
        await ledger.append(disclosure(*people(0, 2)))
        days.now += 3600
        await ledger.append(disclosure(*people(0, 1)))  # in December, before the report is written
        assert await reports.write_due() == 1

    days.live(story)
    (report,) = days.reports()
    (entry,) = [entry for entry in every_entry(days.folder) if isinstance(entry, DailyReport)]
    assert (report.date, report.counts["query"]) == ("2026-11-30", 1)
    assert (entry.epoch, entry.day) == (202612, 30)


def test_what_was_written_before_midnight_and_is_public_only_after_it_belongs_to_its_day(days: Days) -> None:
    async def story(ledger: Ledger, reports: DailyReports) -> None:
        await ledger.append(disclosure(*people(0, 2)))
        days.now += DAY
        waiting = asyncio.create_task(ledger.append(disclosure(*people(0, 1))))
        await asyncio.sleep(0)
        assert await reports.write_due() == 1
        await waiting

    days.live(story, ahead=0.3)
    (report,) = days.reports()
    assert report.counts["query"] == 1
    public = list(JournalReader(days.folder / "ledger" / "private" / "journal").groups())
    midnight = 1000 * (START + 15 * 3600)
    assert [group.time < midnight for group in public] == [group.place.index < report.end for group in public]


def test_a_start_that_finds_all_reports_written_writes_none(days: Days) -> None:
    async def story(ledger: Ledger, reports: DailyReports) -> None:
        days.now += DAY
        assert await reports.write_due() == 1

    async def again(ledger: Ledger, reports: DailyReports) -> None:
        assert await reports.write_due() == 0

    days.live(story)
    days.live(again)
    assert len(days.reports()) == 1


@pytest.mark.parametrize(
    ("behind", "told"),
    [
        ({"a": 10, "b": 25}, ["a", "b"]),
        ({"a": 9}, []),
        ({"a": 9, "b": 25}, []),  # b alone would tell that 9 people's accesses were something else
        ({"a": 9, "b": 25, "c": 30}, ["c"]),  # so b, the next, is left out with it
        ({"a": 4, "b": 7, "c": 30}, ["c"]),  # together they are enough
        ({"": 1, "a": 25}, []),  # what nobody knows is never told
        ({"": 30, "a": 25}, ["a"]),
        ({}, []),
    ],
)
def test_cells_that_would_point_at_few_people_are_left_out(behind: dict[str, int], told: list[str]) -> None:
    tallies: dict[tuple[str, str], Tally] = {}
    person = 0
    for what, count in behind.items():
        tally = tallies["purpose", what] = Tally()
        for _ in range(count):
            person += 1
            tally.add(person.to_bytes(16, "big"))
    assert [one.what for one in cells(tallies)] == told


def test_one_person_who_was_looked_up_often_is_one_person() -> None:
    tally, crowd = Tally(), Tally()
    for n in range(50):
        tally.add(b"the same one....")
        crowd.add(n.to_bytes(16, "big"))
    assert cells({("purpose", "support"): tally, ("country", "IE"): crowd})[0].by == "country"
    assert len(cells({("purpose", "support"): tally, ("country", "IE"): crowd})) == 1
