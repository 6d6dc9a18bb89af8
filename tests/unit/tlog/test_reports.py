"""Daily reports: golden vectors, whole logs with false reports whose signatures are good, and the tamper campaign."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.entries import DailyReport, KeyAdded, Seal, decode, encode
from seenby_verify.tlog.reports import Report, ReportRules, accesses, report_message
from seenby_verify.tlog.rules import EntryRules
from tests.fixtures.bundles_log import Log, Person, canonical, counted, public
from tests.fixtures.bundles_vectors import VECTORS
from tests.fixtures.tampering import Campaign, byte_changes, list_changes, places, put, shape_changes
from tests.fixtures.written_logs import new_log

WORLD, *CASES = json.loads((VECTORS / "reports.json").read_text("utf-8"))
KINDS = bytes.fromhex(WORLD["kinds"])
AUDITOR = Ed25519PrivateKey.from_private_bytes(b"A" * 32)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_golden_reports(case: dict[str, Any]) -> None:
    rules = ReportRules()
    at = {one["index"]: bytes.fromhex(one["entry"]) for one in case["reports"]}

    def read() -> None:
        for index, kind in enumerate(KINDS):
            if index in at:
                entry = decode(at[index])
                assert isinstance(entry, DailyReport)
                assert encode(entry) == at[index]
                message = report_message(WORLD["region"], entry.epoch, entry.day, entry.document)
                Ed25519PublicKey.from_public_bytes(bytes.fromhex(WORLD["log"])).verify(entry.signature, message)
                rules.take(index, entry, WORLD["region"])
            rules.kinds.append(kind)

    if case["fault"]:
        with pytest.raises(VerificationError) as caught:
            read()
        assert case["fault"] in caught.value.message
        return
    read()
    assert rules.last is not None
    assert rules.last.encode() == decode(at[max(at)]).document  # type: ignore[union-attr]  # a report, as above
    assert bytes(rules.kinds) == KINDS[rules.last.end :]


def test_accesses_are_people_behind_queries_alone() -> None:
    assert accesses(KINDS) == 23
    assert accesses(b"\x20\x20\x21\x41\x30\x21\x21") == 1
    assert accesses(b"") == 0


# Whole logs: everything an operator can sign


class Days:
    """A log with two days and their reports, which its own key signs."""

    def __init__(self) -> None:
        self.log, self.crowd = new_log(202611)
        self.reported = 0

    def lookups(self, *people: Person) -> None:
        self.log.query(*people)
        self.log.seal()

    def report(self, day: int, spoil: Callable[[Report], Report] = lambda report: report) -> int:
        """The report of a day of November over everything that is in none yet."""
        entries = self.log.entries
        first, self.reported = self.reported, len(entries)
        report = Report(f"2026-11-{day:02}", "eu", first, len(entries), counted(entries[first:]), ())
        return self.add(spoil(report).encode(), day)

    def add(self, document: bytes, day: int, key: Ed25519PrivateKey | None = None) -> int:
        at = self.log.report(day, document, key)
        self.log.seal()
        return at

    def fault(self) -> str:
        return fault_of(self.log)


def fault_of(log: Log) -> str:
    rules = EntryRules(log.vkey)
    rules.take("entries", 0, log.entries)
    rules.finish(len(log.entries))
    return rules.fault.message if rules.fault else ""


@pytest.fixture
def days() -> Days:
    made = Days()
    made.lookups(*made.crowd[:3])
    made.report(21)
    made.lookups(*made.crowd[3:5])
    return made


def test_honest_days_hold_and_an_auditor_may_confirm(days: Days) -> None:
    days.log.add(KeyAdded(202611, "auditor", "", public(AUDITOR)))
    days.log.seal()
    at = days.report(22)
    entry = decode(days.log.entries[at])
    assert isinstance(entry, DailyReport)
    days.add(entry.document, 22, AUDITOR)
    assert days.fault() == ""


def test_a_confirmation_by_somebody_else_or_of_something_else(days: Days) -> None:
    days.log.add(KeyAdded(202611, "approver", "eu", public(AUDITOR)))
    days.log.seal()
    entry = decode(days.log.entries[days.report(22)])
    assert isinstance(entry, DailyReport)
    size = len(days.log.entries)
    days.add(entry.document, 22, AUDITOR)
    assert "is no auditor's here" in days.fault()
    del days.log.entries[size:]
    days.log.nodes.clear()
    days.add(entry.document.replace(b'"query":1', b'"query":2'), 22)
    assert "comes behind the report of 2026-11-22" in days.fault()


@pytest.mark.parametrize("key", [None, AUDITOR])
def test_a_report_without_a_document_confirms_nothing(key: Ed25519PrivateKey | None) -> None:
    """Also where no report stands before it, which it would be the same as."""
    made = Days()
    made.log.add(KeyAdded(202611, "auditor", "", public(AUDITOR)))
    made.add(b"", 22, key)
    assert "the daily report" in made.fault()


@pytest.mark.parametrize("day", [21, 23])
def test_a_confirmation_is_of_the_same_day(days: Days, day: int) -> None:
    entry = decode(days.log.entries[days.report(22)])
    assert isinstance(entry, DailyReport)
    days.add(entry.document, day)
    assert f"stands in an entry of day {day} in 202611" in days.fault()


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda r: replace(r, counts={**r.counts, "query": 2}), "2 of 'query' in entries 38 to 43, where 1 stand"),
        (lambda r: replace(r, counts={n: c for n, c in r.counts.items() if n != "person"}), "counts 0 of 'person'"),
        (lambda r: replace(r, first=r.first + 1), "counts from entry 39 on; nobody counted those from 38 on"),
        (lambda r: replace(r, end=r.end - 1), "counts 2 of 'seal' in entries 38 to 42, where 1 stand"),
        (lambda r: replace(r, end=r.end + 1), "do not all stand before it"),
        (lambda r: replace(r, region="us"), "says that its region is 'us'; the log says eu"),
        (lambda r: replace(r, date="2026-11-23"), "stands in an entry of day 22 in 202611; it leaves a day out"),
    ],
)  # fmt: skip
def test_what_the_operator_signs_falsely_is_found(days: Days, spoil: Callable[[Report], Report], fault: str) -> None:
    days.report(22, spoil)
    assert fault in days.fault()


def test_a_day_that_is_left_out(days: Days) -> None:
    days.report(23)
    assert "leaves a day out: the report before it is of 2026-11-21" in days.fault()


def test_two_differences_are_both_told(days: Days) -> None:
    days.report(22, lambda r: replace(r, counts={**r.counts, "query": 2, "person": 1}))
    assert "counts 1 of 'person'" in days.fault()
    assert "counts 2 of 'query'" in days.fault()


@pytest.mark.tampers("report")
def test_no_byte_of_a_report_is_changed(days: Days, campaign: Campaign) -> None:
    """Whoever is not the log: every byte of the entry."""
    at = days.report(22)
    honest = days.log.entries[at]
    for change, data in byte_changes(honest, random.Random(f"{os.environ['SEENBY_SEED']} report")):
        days.log.entries[at] = data
        assert days.fault(), (change, data)
        campaign.catch(change)


@pytest.mark.tampers("report")
def test_no_member_of_a_report_is_changed_though_the_log_signs_it(days: Days, campaign: Campaign) -> None:
    """The operator: every member in every way that its type allows, under a good signature."""
    size = len(days.log.entries)
    honest = Report("2026-11-22", "eu", days.reported, size, counted(days.log.entries[days.reported :]), ())
    document = json.loads(honest.encode())
    generator = random.Random(f"{os.environ['SEENBY_SEED']} member")
    for path, value in places(document):
        changes = list(shape_changes(value, generator))
        if isinstance(value, list):
            changes += list_changes(value, generator)
        if type(value) is int:
            changes += [("count", value + 1), ("count", value - 1)]
        for change, other in changes:
            days.add(canonical(put(document, path, other)), 22)
            assert days.fault(), (path, change, other)
            campaign.catch(change)
            del days.log.entries[size:]


@pytest.mark.tampers("report")
def test_no_report_is_dropped_doubled_moved_or_taken_from_another_log(days: Days, campaign: Campaign) -> None:
    days.report(22)
    days.lookups(*days.crowd[5:7])
    days.report(23)
    entries = list(days.log.entries)
    at = [n for n, entry in enumerate(entries) if isinstance(decode(entry), DailyReport)]

    def fault(others: list[bytes]) -> str:
        """The seals are made anew: the operator can do that too."""
        labels: list[bytes] = []
        days.log.entries = []
        for data in others:
            entry = decode(data)
            if isinstance(entry, Seal):
                days.log.labels[202611] = labels
                days.log.seal()
                continue
            if data[1] == 0x21:
                labels.append(data[6:38])
            days.log.entries.append(data)
        return days.fault()

    assert fault(entries) == ""
    for n in at[:-1]:
        assert fault(entries[:n] + entries[n + 1 :]), n
        campaign.catch("drop")
    for one, two in pairwise(at):
        assert fault([*entries[:one], entries[two], *entries[one + 1 : two], entries[one], *entries[two + 1 :]])
        campaign.catch("reorder")
    assert fault([*entries[: at[2]], entries[at[0]], *entries[at[2] :]])
    campaign.catch("replay older")
    strange = Days()
    strange.log, strange.crowd = new_log(202611, seed=9)
    strange.lookups(*strange.crowd[:3])
    other = strange.log.entries[strange.report(21)]
    assert "no auditor's" in fault([*entries[: at[0]], other, *entries[at[0] + 1 :]])
    campaign.catch("splice")
