"""Invariant I1: no byte of a person's data reaches a client before the entry that names that person is durable."""

from __future__ import annotations

import pytest

from seenby.model.plan import OutputKey, QueryPlan
from seenby.session import results
from seenby.session.session import Session
from tests.playbooks.playbook import (
    BOUND,
    PHONE_KEY,
    Play,
    Told,
    bind,
    complete,
    describe,
    exact,
    execute,
    heading,
    nobody,
    parse,
    prepared,
    query,
    ready,
    row,
    sync,
)

PHONE = exact("phones")
ANSWER = (prepared("k", "phone"), BOUND, row("42", "+44"), row("7", "+45"), complete(2), ready("I"))
SEEN = (row("+44"), row("+45"), complete(2), ready("I"))


def started(play: Play) -> None:
    play.client(query("phones")).server(
        parse(b"s1", PHONE.sql), describe(b"s1"), bind(b"", b"s1"), execute(b""), sync()
    )


def test_rows_wait_for_their_entry() -> None:
    play = Play({"phones": PHONE})
    started(play)
    play.postgres(*ANSWER).client_sees(heading("phone")).ledger(1, "account:42", "account:7", rows=2)
    play.recorded(1).client_sees(*SEEN)
    play.over()


def test_the_same_however_the_bytes_of_postgres_are_cut() -> None:
    whole = b"".join(ANSWER)
    for size in (1, 2, 3, 7, 16, len(whole)):
        play = Play({"phones": PHONE})
        started(play)
        shown, handed_over = b"", []
        for at in range(0, len(whole), size):
            outcome = play.session.server_data(whole[at : at + size])
            shown += b"".join(outcome.to_client)
            handed_over += outcome.records
        assert shown == heading("phone")
        assert len(handed_over) == 1
        play.recorded(1).client_sees(*SEEN)
        play.over()


def test_these_plays_would_notice_a_release_before_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test of the test: a session that hands over the entry and shows the rows at once fails the play."""

    def hasty(self: Session, item: object, data: bytes) -> None:
        self.emit(data)

    monkeypatch.setattr(Session, "record", hasty)
    with pytest.raises(AssertionError, match="the client sees"):
        test_rows_wait_for_their_entry()


def test_a_large_result_is_recorded_and_shown_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "PART_BYTES", 30)
    play = Play({"phones": PHONE})
    started(play)
    play.postgres(prepared("k", "phone"), BOUND).client_sees(heading("phone"))
    play.postgres(row("42", "+44"), row("7", "+45")).ledger(1, "account:42", "account:7", rows=2, final=False)
    # Account 42 is named already by this result's first part; the rows are still counted and still wait.
    play.postgres(row("42", "+46"), row("9", "+47")).ledger(2, "account:9", rows=2, part=1, final=False)
    play.recorded(1).client_sees(row("+44"), row("+45"))
    play.postgres(row("42", "+48"), complete(5), ready("I")).ledger(3, rows=1, part=2)
    play.recorded(2).client_sees(row("+46"), row("+47"))
    play.recorded(3).client_sees(row("+48"), complete(5), ready("I"))
    play.over()


def test_pipelined_results_keep_their_order_though_the_ledger_answers_out_of_order() -> None:
    play = Play({"phones": PHONE})
    started(play)
    play.postgres(*ANSWER).client_sees(heading("phone")).ledger(1, "account:42", "account:7", rows=2)
    play.recorded(1).client_sees(*SEEN)
    once = (BOUND, row("42", "+44"), complete(1), ready("I"))
    again = bind(b"", b"s1") + execute(b"") + sync()
    play.client(query("phones"), query("phones"), query("phones")).server(again * 3)
    play.postgres(*once, *once, *once).client_sees(heading("phone")).ledger(2, "account:42", rows=1).ledger(
        3, "account:42", rows=1
    ).ledger(4, "account:42", rows=1)
    play.recorded(4)
    play.recorded(3)
    end = (row("+44"), complete(1), ready("I"))
    play.recorded(2).client_sees(*end, heading("phone"), *end, heading("phone"), *end)
    play.over()


def test_what_shows_nobody_waits_behind_what_shows_somebody() -> None:
    play = Play({"phones": PHONE, "select 1": nobody("select 1")})
    started(play)
    play.client(query("select 1")).server(
        parse(b"s2", "rewritten select 1"), describe(b"s2"), bind(b"", b"s2"), execute(b""), sync()
    )
    play.postgres(*ANSWER).client_sees(heading("phone")).ledger(1, "account:42", "account:7", rows=2)
    play.postgres(prepared("one"), BOUND, row("1"), complete(1), ready("I"))
    play.recorded(1).client_sees(*SEEN, heading("one"), row("1"), complete(1), ready("I"))
    play.over()


def test_an_empty_result_is_an_entry_too_and_its_end_waits() -> None:
    """No rows is an answer about somebody: the statement is on record before it is told."""
    play = Play({"phones": PHONE})
    started(play)
    play.postgres(prepared("k", "phone"), BOUND, complete(0), ready("I")).client_sees(heading("phone")).ledger(
        1, rows=0
    )
    play.recorded(1).client_sees(complete(0), ready("I"))
    play.over()


def test_a_table_that_is_nobodys_is_recorded_without_people() -> None:
    play = Play({"select": nobody("select", tables=("gifts",))})
    play.client(query("select")).server(
        parse(b"s1", "rewritten select"), describe(b"s1"), bind(b"", b"s1"), execute(b""), sync()
    )
    play.postgres(prepared("n"), BOUND, row("1"), complete(1), ready("I")).client_sees(heading("n")).ledger(1, rows=1)
    play.recorded(1).client_sees(row("1"), complete(1), ready("I"))
    play.over()


def test_two_keys_in_a_row_are_two_people_and_null_is_nobody() -> None:
    both = exact("pairs", keys=(PHONE_KEY, OutputKey("contact", ())))
    play = Play({"pairs": both})
    play.client(query("pairs")).server(parse(b"s1", both.sql), describe(b"s1"), bind(b"", b"s1"), execute(b""), sync())
    rows = (row("42", "+1", "a"), row(None, "+2", "b"), row("42", None, None))
    play.postgres(prepared("k", "l", "x"), BOUND, *rows, complete(3), ready("I")).client_sees(heading("x")).ledger(
        1, "account:42", "contact:+1", "contact:+2", rows=3
    )
    play.recorded(1).client_sees(row("a"), row("b"), row(None), complete(3), ready("I"))
    play.over()


@pytest.mark.parametrize("plan", [PHONE, nobody("phones"), nobody("phones", visible=0)])
def test_a_row_with_a_column_more_than_described_ends_the_session(plan: QueryPlan) -> None:
    """It could be another statement's, with a person's key in it that nobody takes off."""
    play = Play({"phones": plan})
    play.client(query("phones")).server(parse(b"s1", plan.sql), describe(b"s1"), bind(b"", b"s1"), execute(b""), sync())
    described = ("k", "phone") if plan.keys else ("phone",)
    play.postgres(prepared(*described), BOUND).client_sees(heading("phone"))
    width = len(described)
    play.postgres(row(*["1"] * width), row(*["1"] * (width + 1)), complete(2), ready("I")).client_sees(
        Told("08P01", fatal=True)
    ).closes()
    play.over()
