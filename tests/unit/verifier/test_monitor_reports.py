"""A monitor recounts daily reports, also over restarts, and shouts when one is false, early or missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from seenby_verify.monitor.alarm import Alarm, Kind
from seenby_verify.tlog.reports import DAY_SECONDS, Report
from tests.fixtures.bundles_log import counted
from tests.fixtures.watch import DELAY, Watch
from tests.fixtures.written_logs import seenby_verify

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()


@pytest.fixture
def noon(watch: Watch) -> Watch:
    """22 November at noon, before the log ever had a report."""
    watch.now = NOON
    watch.look()
    return watch


def reported(watch: Watch, day: int, first: int, spoil: Callable[[Report], Report] = lambda report: report) -> int:
    """Logs the report of a day of November over entries ``first`` to the end; answers where the next begins."""
    log, end = watch.log, len(watch.log.entries)
    honest = Report(f"2026-11-{day:02}", "eu", first, end, counted(log.entries[first:]), ())
    log.report(day, spoil(honest).encode())
    log.seal()
    watch.publish()
    return end


def missing(watch: Watch) -> Alarm | None:
    with watch.follower() as follower:
        follower.look()
        return follower.missing_report()


def looked_up(watch: Watch, people: slice) -> None:
    """A query that the monitor sees by itself."""
    watch.log.query(*watch.crowd[people])
    watch.log.seal()
    watch.publish()
    watch.look()


def test_what_was_seen_over_days_and_restarts_is_recounted(noon: Watch) -> None:
    first = 0
    for day in (22, 23, 24):
        looked_up(noon, slice(day, day + 2))
        looked_up(noon, slice(day, day + 1))
        noon.now += DAY_SECONDS
        first = reported(noon, day, first)
        assert noon.look()[1] == 2
    looked_up(noon, slice(0, 2))
    noon.now += DAY_SECONDS
    reported(noon, 25, first, lambda report: replace(report, counts={**report.counts, "person": 1}))
    alarm = noon.shouts()
    assert alarm.kind is Kind.RULES
    assert "the report of 2026-11-25" in alarm.message
    assert "counts 1 of 'person'" in alarm.message


def test_a_report_that_hides_what_the_monitor_saw_on_an_earlier_look(noon: Watch) -> None:
    looked_up(noon, slice(0, 3))
    noon.now += DAY_SECONDS
    reported(noon, 22, 0, lambda report: replace(report, counts={**report.counts, "query": 2}))
    assert "counts 2 of 'query' in entries 0 to 37, where 1 stand" in noon.shouts().message


def test_a_day_without_a_report_is_shouted_at(noon: Watch) -> None:
    assert missing(noon) is None
    noon.now += 5 * DAY_SECONDS
    assert missing(noon) is None  # it never had one
    noon.now = NOON + DAY_SECONDS
    reported(noon, 22, 0)
    assert missing(noon) is None
    midnight = NOON + 12 * 3600
    noon.now = midnight + DAY_SECONDS + DELAY - 1
    assert missing(noon) is None
    noon.now += 1
    alarm = missing(noon)
    assert alarm is not None
    assert (alarm.kind, alarm.passing) == (Kind.REPORT, True)
    assert "newest daily report is of 2026-11-22: 1 that should follow it is missing" in alarm.message
    noon.now += 2 * DAY_SECONDS
    later = missing(noon)
    assert later is not None
    assert "3 that should follow it are missing" in later.message


def test_reports_that_come_late_end_it(noon: Watch) -> None:
    noon.now += DAY_SECONDS
    first = reported(noon, 22, 0)
    noon.look()
    noon.now += 2 * DAY_SECONDS
    assert missing(noon) is not None
    first = reported(noon, 23, first)
    reported(noon, 24, first)
    assert missing(noon) is None


def test_a_report_of_a_day_that_is_not_over(noon: Watch) -> None:
    reported(noon, 22, 0)
    alarm = noon.shouts()
    assert alarm.kind is Kind.FUTURE
    assert "the report of 2026-11-22 stands in a log that was seen before that day was over" in alarm.message


def test_the_command_shouts_at_a_missing_day_and_tells_each_difference(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    reported(watch, 1, 0, lambda report: replace(report, counts={**report.counts, "query": 1, "seal": 9}))
    said = seenby_verify("report", watch.place, "2026-11-01", "--key", watch.log.vkey)
    assert said.returncode == 1
    assert "differs it counts 1 of 'query' in entries 0 to 32, where 0 stand" in said.stdout
    assert "differs it counts 9 of 'seal' in entries 0 to 32, where 1 stand" in said.stdout
    told = json.loads(seenby_verify("report", watch.place, "2026-11-01", "--key", watch.log.vkey, "--json").stdout)
    assert (told["ok"], len(told["differences"]), told["report"]["date"]) == (False, 2, "2026-11-01")
    honest = Watch(tmp_path / "honest")
    reported(honest, 1, 0)
    said = seenby_verify("report", honest.place, "2026-11-01", "--key", honest.log.vkey)
    assert (said.returncode, "agrees with the log" in said.stdout) == (0, True)
    assert "No auditor has confirmed it." in said.stdout
    once = ["--once", "--state", tmp_path / "state", "--key", honest.log.vkey, "--json"]
    said = seenby_verify("monitor", honest.place, *once)
    events = [json.loads(line) for line in said.stdout.splitlines()]
    assert [event["event"] for event in events] == ["holds", "alarm"]
    assert (events[1]["kind"], said.returncode) == ("report", 1)
