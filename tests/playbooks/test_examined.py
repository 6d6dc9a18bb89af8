"""A lookup by key that shows nobody: those whom it was about are recorded as examined before it is told."""

from __future__ import annotations

import json
from dataclasses import replace

from seenby.model.disclosure import QueryDisclosure
from tests.playbooks.playbook import (
    BOUND,
    Play,
    Told,
    bind,
    complete,
    describe,
    exact,
    execute,
    heading,
    parse,
    prepared,
    query,
    ready,
    row,
    sync,
)

LOOKUP = "SELECT 'account', id FROM looked"
PHONE = exact("phones", examined=LOOKUP, pinned=True)
NO_VALUES = b"\0\0\0\0"


def asked() -> Play:
    play = Play({"phones": PHONE})
    play.client(query("phones")).server(
        parse(b"s1", PHONE.sql) + describe(b"s1") + bind(b"", b"s1") + execute(b"") + sync()
    )
    return play


def test_nothing_found_waits_until_those_looked_for_are_recorded() -> None:
    play = asked()
    play.postgres(prepared("k", "phone"), BOUND, complete(0), ready("I")).client_sees(heading("phone")).attribution(
        1, LOOKUP, (), NO_VALUES
    )
    found = play.attributed(1, ["account:42", "account:42"])
    (_, item), *_ = found.outcome.records
    assert isinstance(item, QueryDisclosure)
    (part,) = {shown.part for shown in item.people}
    assert json.loads(part)["how"] == "examined"
    found.ledger(1, "account:42", rows=0)
    play.recorded(1).client_sees(complete(0), ready("I"))
    play.over()


def test_somebody_found_needs_no_second_question() -> None:
    play = asked()
    play.postgres(prepared("k", "phone"), BOUND, row("42", "+44 1"), complete(1), ready("I")).client_sees(
        heading("phone")
    ).ledger(1, "account:42", rows=1)
    play.recorded(1).client_sees(row("+44 1"), complete(1), ready("I"))
    play.over()


def test_of_a_list_those_who_are_not_found_are_recorded_beside_those_who_are() -> None:
    play = Play({"phones": replace(PHONE, several=True)})
    play.client(query("phones")).server(
        parse(b"s1", PHONE.sql) + describe(b"s1") + bind(b"", b"s1") + execute(b"") + sync()
    )
    play.postgres(prepared("k", "phone"), BOUND, row("42", "+44 1"), complete(1), ready("I")).client_sees(
        heading("phone")
    ).attribution(1, LOOKUP, (), NO_VALUES)
    found = play.attributed(1, ["account:42", "account:43"])
    (_, item), *_ = found.outcome.records
    assert isinstance(item, QueryDisclosure)
    assert [(one.person, json.loads(one.part)["how"]) for one in item.people] == [
        ("account:42", "disclosed"),
        ("account:43", "examined"),
    ]
    found.ledger(1, "account:42", "account:43", rows=1)
    play.recorded(1).client_sees(row("+44 1"), complete(1), ready("I"))
    play.over()


def test_when_nobody_can_say_who_was_looked_for_nothing_is_told() -> None:
    play = asked()
    play.postgres(prepared("k", "phone"), BOUND, complete(0), ready("I")).client_sees(heading("phone")).attribution(
        1, LOOKUP, (), NO_VALUES
    )
    play.attributed(1, None).client_sees(Told("57P03", fatal=True)).closes()


def test_looking_people_up_counts_against_the_cap() -> None:
    play = asked()
    play.postgres(prepared("k", "phone"), BOUND, complete(0), ready("I")).client_sees(heading("phone")).attribution(
        1, LOOKUP, (), NO_VALUES
    )
    many = [f"account:{number}" for number in range(1001)]
    end = play.attributed(1, many)
    ticket, item = end.outcome.records.pop(0)
    assert isinstance(item, QueryDisclosure)
    assert (ticket, len(item.people), item.grant) == (1, 1001, bytes(16))
    end.client_sees(Told("53400", fatal=True)).closes()
