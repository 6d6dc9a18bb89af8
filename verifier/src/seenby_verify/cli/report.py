"""``seenby-verify report``: hold a daily report against the entries of its log."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from rich.markup import escape

from seenby_verify.cli.output import console, fault_of, say_error, say_json
from seenby_verify.cli.reading import check_log, not_whole
from seenby_verify.cli.trust import Json, Key, PolicyFile, policy_of
from seenby_verify.errors import NotFound, UsageError, VerificationError
from seenby_verify.tlog.entries import DailyReport, key_id
from seenby_verify.tlog.reports import Report, differences
from seenby_verify.tlog.verify import TITLES


def report(place: str, day: str, /, *, key: Key = None, policy: PolicyFile = None, json_: Json = False) -> int:
    """Hold the report of a day against the log: who signed it, and are its counts those of the entries?

    Checks the whole log first, then names each difference. Exit status 0: what public entries can show agrees. 1: it
    does not. 66: the log has no report of that day.

    Parameters
    ----------
    place
        Where the log is: a URL or a directory.
    day
        As in 2026-11-22.
    """
    try:
        wanted = date.fromisoformat(day).isoformat()
    except ValueError:
        wanted = ""
    if wanted != day:
        raise UsageError(f"{day!r:.80} is no day", hint="as in 2026-11-22")
    check, steps, fault = check_log(place, policy_of(key, policy))
    if fault and len(steps) < len(TITLES) - 1:
        raise not_whole(place, steps, fault)
    # The last step is about reports: what it found is told here, difference by difference.
    named = [(at, event) for at, event in check.rules.events if isinstance(event, DailyReport) and _date(event) == day]
    if not named:
        if fault:
            raise not_whole(place, steps, fault)
        raise NotFound(f"the log has no report of {day}", hint="reports are written when their day is over")
    index, event = named[0]
    found = Report.parse(event.document)
    wrong = differences(found, bytes(check.kinds[found.first : found.end]))
    wrong += [
        f"is not the only one: entry {at} says otherwise" for at, other in named if other.document != event.document
    ]
    if fault and not wrong:
        raise not_whole(place, steps, fault)
    keys = [one.key_id.hex() for _, one in named]
    members: dict[str, Any] = {"entry": index, "day": day, "keys": keys, "differences": wrong}
    members["report"] = json.loads(event.document)
    if wrong:
        error = VerificationError(
            f"the report of {day} (entry {index}) is not what the log says", where=f"entry {index}"
        )
        if json_:
            say_json({"ok": False, "fault": fault_of(error), **members})
            return error.exit_code
        for one in wrong:
            console().print(f"[bold red]differs[/] it {escape(one)}")
        return say_error(error)
    if json_:
        say_json({"ok": True, "fault": None, **members})
    else:
        _say(found, index, keys, key_id(check.accepted.log.key).hex())
    return 0


def _date(event: DailyReport) -> str:
    """The day that a report is of, "" if it says none. The month of its entry is that in which it was written."""
    try:
        return Report.parse(event.document).date
    except VerificationError:
        return ""


def _say(found: Report, index: int, keys: list[str], own: str) -> None:
    to = console()
    auditors = [one for one in keys if one != own]
    signed = [f"auditor's key {one}, which counted there" for one in auditors]
    signed += ["the log's own key"] if own in keys else []
    to.print(
        f"[bold green]The report of {found.date} agrees with the log.[/] Entry {index}, signed by {', '.join(signed)}."
    )
    if not auditors:
        to.print("No auditor has confirmed it.")
    counts = ", ".join(f"{count} {name}" for name, count in sorted(found.counts.items()))
    to.print(f"Held against entries {found.first} to {found.end - 1}, kind by kind: {counts or 'none'}.", markup=False)
    if found.cells:
        cells = ", ".join(f"{one.count} {one.by} {one.what}" for one in found.cells)
        to.print(f"Accesses, of people each: {cells}.", markup=False)
        to.print("What an access was for is in sealed records: of these cells only the sums can be checked here.")
