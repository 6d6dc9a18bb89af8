"""What an approver reads before they sign."""

from __future__ import annotations

import pytest

from seenby.grants.words import duration, reference_kind, scope, what, whom
from seenby.model.grant import Answers, Cell, Write, WriteAction
from seenby.model.people import Person
from tests.fixtures.grants import EVE, GHOST, JO, wish


def test_the_whole_grant_in_order() -> None:
    assert scope(wish()) == (
        ("who", "sam (support, Care, Orbit Ireland Ltd, in IE)"),
        ("why", "support, ticket:1"),
        ("sees", "contact data of people of eu"),
        ("of whom", "account:42"),
        ("when", "2026-11-21 23:30:00 UTC to 2026-11-22 00:00:00 UTC (30 minutes)"),
        ("at most", "1 person, 1000 rows"),
        ("approvals", "2 approvers of eu"),
    )


def test_several_things_of_several_regions() -> None:
    terms = wish(cells=(Cell("accounts.phone", ("eu",)), Cell("content", ("eu", "us")), Cell("public", ("eu", "us"))))
    assert what(terms) == (
        "the column accounts.phone of people of eu; content data and public data of people of eu and us"
    )
    assert ("approvals", "2 approvers of eu and 2 approvers of us") in scope(terms)


def test_what_may_be_changed_and_statistics_and_emergencies_are_said() -> None:
    writes = (
        Write("accounts", WriteAction.UPDATE, ("email", "phone")),
        Write("ticket_notes", WriteAction.DELETE),
        Write("ticket_notes", WriteAction.INSERT),
    )
    said = dict(scope(wish(writes=writes, reason="the person asked")))
    assert said["changes"] == (
        "the columns accounts.email and accounts.phone; deletes rows of ticket_notes; adds rows to ticket_notes"
    )
    assert said["reason"] == "the person asked"
    assert dict(scope(wish(answers=Answers.STATISTICS)))["shown as"].startswith("statistics only")
    assert dict(scope(wish(answers=Answers.BOTH)))["shown as"] == "rows, and statistics about many people"
    first, *rest = scope(wish(emergency=True, reason="a threat to life"))
    assert first == ("emergency", "break-glass: works at once, without approval, and is reviewed afterwards")
    assert rest[-1] == ("reviews", "2 approvers of eu")


def test_nothing_is_left_unsaid() -> None:
    terms = wish(GHOST, "public", people=None, reference="", approvals=0, max_people=7, max_rows=1)
    said = dict(scope(terms))
    assert said["who"].endswith("country unknown)")
    assert said["why"] == "support, no reference"
    assert said["of whom"] == "everybody whose home region is eu"
    assert said["at most"] == "7 people, 1 row"
    assert said["approvals"].startswith("none needed")


def test_long_lists_are_counted() -> None:
    assert whom(wish(people=(EVE, JO))) == "account:42 and account:7"
    many = tuple(Person("account", str(number)) for number in range(10, 19))
    assert whom(wish(people=many)) == (
        "9 people: account:10, account:11, account:12, account:13, account:14 and 4 more"
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "1 second"), (90, "90 seconds"), (60, "1 minute"), (5400, "90 minutes"), (7200, "2 hours"), (86400, "1 day")],
)
def test_durations(seconds: int, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("reference", "kind"),
    [("ticket:4711", "ticket"), ("T-1002", "T"), ("4711", ""), ("", ""), ("Fall 3", "Fall")],
)
def test_of_a_reference_persons_are_told_the_kind_only(reference: str, kind: str) -> None:
    assert reference_kind(reference) == kind
