"""A grant in plain words: what an approver reads before they sign."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from seenby.model.grant import Answers, GrantTerms, Noise, WriteAction

PEOPLE_SHOWN = 5


def clock(at: float) -> str:
    """Unix seconds -> ``2026-11-22 09:20:01 UTC``."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def duration(seconds: int) -> str:
    """Seconds -> ``30 minutes``, ``2 hours``, ``7 days``, in the largest unit that fits without a rest."""
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        number, rest = divmod(seconds, size)
        if number and not rest:
            return f"{number} {unit}{'' if number == 1 else 's'}"
    return "no time"


def who(terms: GrantTerms) -> str:
    """``sam (support, Customer Care, Orbit Ireland Ltd, in IE)``."""
    where = f"in {terms.country}" if terms.country else "country unknown"
    return f"{terms.principal} ({', '.join(filter(None, (terms.role, terms.unit, terms.entity, where)))})"


def what(terms: GrantTerms) -> str:
    """``contact data and the column accounts.phone of people of eu``."""
    by_homes: dict[tuple[str, ...], list[str]] = {}
    for cell in terms.cells:
        name = f"the column {cell.what}" if "." in cell.what else f"{cell.what} data"
        by_homes.setdefault(cell.regions, []).append(name)
    parts = [f"{_and(names)} of people of {_and(list(homes))}" for homes, names in by_homes.items()]
    return "; ".join(parts)


def whom(terms: GrantTerms) -> str:
    """``account:42 and account:43``, or that it is everybody of a region."""
    if terms.people is None:
        return f"everybody whose home region is {_and(list(terms.home_regions), 'or')}"
    names = [str(person) for person in terms.people]
    if len(names) > PEOPLE_SHOWN:
        return f"{len(names)} people: {', '.join(names[:PEOPLE_SHOWN])} and {len(names) - PEOPLE_SHOWN} more"
    return _and(names)


def scope(terms: GrantTerms) -> tuple[tuple[str, str], ...]:
    """The whole grant as (label, sentence) pairs, in the order in which an approver should read them."""
    people = "1 person" if terms.max_people == 1 else f"{terms.max_people} people"
    rows = "1 row" if terms.max_rows == 1 else f"{terms.max_rows} rows"
    lasting = duration(terms.not_after - terms.not_before)
    extra = {
        "emergency": "break-glass: works at once, without approval, and is reviewed afterwards" * terms.emergency,
        "reason": terms.reason,
        "shown as": _ANSWERS[terms.answers] + noise(terms.noise),
        "changes": changes(terms),
    }
    said = {label: ((label, text),) if text else () for label, text in extra.items()}
    return (
        *said["emergency"],
        ("who", who(terms)),
        ("why", f"{terms.purpose}, {terms.reference or 'no reference'}"),
        *said["reason"],
        ("sees", what(terms)),
        *said["shown as"],
        *said["changes"],
        ("of whom", whom(terms)),
        ("when", f"{clock(terms.not_before)} to {clock(terms.not_after)} ({lasting})"),
        ("at most", f"{people}, {rows}"),
        ("reviews" if terms.emergency else "approvals", approvals(terms)),
    )


_ANSWERS = {
    Answers.ROWS: "",
    Answers.STATISTICS: "statistics only: figures about many people, never one person's row",
    Answers.BOTH: "rows, and statistics about many people",
}


def noise(terms: Noise | None) -> str:
    """``, with noise: epsilon 0.1 each, 1 in all (10 statistics)``; "" for none."""
    if terms is None:
        return ""
    each, budget = terms.each / 1000, terms.budget / 1000
    return f", with noise: epsilon {each:g} each, {budget:g} in all ({terms.statistics} statistics)"


def changes(terms: GrantTerms) -> str:
    """``the columns accounts.email and accounts.phone; adds rows to ticket_notes``; "" when nothing may be changed."""
    found = []
    for write in terms.writes:
        match write.action:
            case WriteAction.UPDATE:
                columns = "the columns" if len(write.columns) > 1 else "the column"
                found.append(f"{columns} {_and([f'{write.table}.{column}' for column in write.columns])}")
            case WriteAction.INSERT:
                found.append(f"adds rows to {write.table}")
            case WriteAction.DELETE:
                found.append(f"deletes rows of {write.table}")
    return "; ".join(found)


def approvals(terms: GrantTerms) -> str:
    """``2 approvers of eu``; of break-glass those who must review it."""
    if not terms.approvals:
        return "none needed: the policy allows it as it is"
    number = "1 approver" if terms.approvals == 1 else f"{terms.approvals} approvers"
    return _and([f"{number} of {region}" for region in terms.home_regions])


def _and(names: list[str], word: str = "and") -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"


def reference_kind(reference: str) -> str:
    """What sort of reference: ``ticket:4711`` -> ticket. The number itself names a case, and so perhaps a person.

    >>> reference_kind("T-1002")
    'T'
    """
    found = re.match(r"[^\W\d]+", reference)
    return found[0] if found else ""
