"""``seenby-verify report``: hold a daily report against the entries of its log."""

from __future__ import annotations

import re
from typing import Any, Final

from seenby_verify.cli.output import console, say_json
from seenby_verify.cli.reading import checked_log
from seenby_verify.cli.trust import Json, Key, PolicyFile, policy_of
from seenby_verify.cli.words import counted
from seenby_verify.errors import NotFound, UsageError, VerificationError
from seenby_verify.tlog.entries import DailyReport
from seenby_verify.tlog.strict import MAX_NUMBER, canonical, load_json
from seenby_verify.tlog.verify import LogCheck

_DAY: Final = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])-([0-2][0-9]|3[01])", re.ASCII)
LEAST: Final = 10
"""People that a cell of a report counts at least (docs/formats/entries.md)."""


def report(place: str, day: str, /, *, key: Key = None, policy: PolicyFile = None, json_: Json = False) -> int:
    """Hold the report of a day against the log: is it an auditor's, and are its counts those of the entries?

    Checks the whole log first. Exit status 0: what public entries can show agrees. 1: it does not. 66: the log has no
    report of that day.

    Parameters
    ----------
    place
        Where the log is: a URL or a directory.
    day
        As in 2026-11-22.
    """
    match = _DAY.fullmatch(day)
    if match is None:
        raise UsageError(f"{day!r:.80} is no day", hint="as in 2026-11-22")
    epoch, number = int(match[1] + match[2]), int(match[3])
    check = checked_log(place, policy_of(key, policy))
    reports = [
        (index, event) for index, event in check.rules.events
        if isinstance(event, DailyReport) and (event.epoch, event.day) == (epoch, number)
    ]  # fmt: skip
    if not reports:
        raise NotFound(f"the log has no report of {day}", hint="reports are written when their day is over")
    index, found = reports[-1]
    document, compared = _compare(check, index, found, day)
    members = {"entry": index, "day": day, "auditor": found.key_id.hex(), "compared": compared, "report": document}
    if json_:
        say_json({"ok": True, "fault": None, **members})
        return 0
    to = console()
    to.print(
        f"[bold green]The report of {day} agrees with the log.[/] Entry {index}, signed by the auditor's key "
        f"{found.key_id.hex()}, which counted there."
    )
    to.print(f"Held against the entries: {', '.join(compared)}.", markup=False)
    if len(reports) > 1:
        to.print(f"There are {len(reports)} reports of that day; this is the last.")
    to.print(
        "Purposes and kinds of data are in sealed records: about those cells the auditor's signature is all there is."
    )
    return 0


def _compare(check: LogCheck, index: int, found: DailyReport, day: str) -> tuple[dict[str, Any], list[str]]:
    """The document, and what of it was held against entries. Raises VerificationError for what disagrees."""
    where = f"entry {index}"

    def wrong(what: str) -> VerificationError:
        return VerificationError(f"the report of {day} (entry {index}) {what}", where=where)

    document = load_json(found.document, f"the report of {day}", len(found.document))
    if not isinstance(document, dict) or canonical(document) != found.document:
        raise wrong("is no canonical JSON object")
    compared = ["the auditor's signature"]
    for name, expected in (("date", day), ("region", check.rules.grants.region)):
        if name in document:
            if document[name] != expected:
                raise wrong(f"says that its {name} is {document[name]!r:.80}; the log says {expected}")
            compared.append(name)
    counts = document.get("counts")
    if counts is not None:
        first, end = document.get("from"), document.get("to")
        if type(first) is not int or type(end) is not int or not 0 <= first <= end <= index <= MAX_NUMBER:
            raise wrong("does not say which entries before it it counts")
        real = counted(bytes(check.kinds[first:end]))
        if counts != real:
            names = sorted({*counts, *real}) if isinstance(counts, dict) else []
            off = next((one for one in names if counts.get(one) != real.get(one)), "")
            stated = f"{counts.get(off, 0)!r:.20} of {off!r:.40}" if off else "something else"
            raise wrong(f"counts {stated} in entries {first} to {end - 1}, where {real.get(off, 0)} stand")
        compared.append(f"the number of entries of each kind in {first} to {end - 1}")
    for cell in document.get("cells") or []:
        count = cell.get("count") if isinstance(cell, dict) else None
        if type(count) is int and 0 < count < LEAST:
            raise wrong(f"has a cell of {count}: fewer than {LEAST} could point at somebody")
    return document, compared
