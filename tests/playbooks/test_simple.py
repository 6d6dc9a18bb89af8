"""The simple protocol: one Query message, any number of statements (54.2.2.1)."""

from __future__ import annotations

from seenby.errors import NotFound, Refused, SyntaxFailed
from seenby.model.plan import ControlKind, RefusedPlan
from seenby.wire import backend
from tests.playbooks.playbook import (
    BEGIN,
    BOUND,
    COMMIT,
    PARSED,
    Play,
    Told,
    bind,
    complete,
    control,
    describe,
    exact,
    execute,
    failure,
    heading,
    nobody,
    parse,
    prepared,
    query,
    ready,
    row,
    sync,
)

ONE = nobody("one")
PHONE = exact("phones")
REFUSED = RefusedPlan(Refused("column iban is not revealed", hint="ask for class payment"), "select iban")
RUN_ONE = parse(b"s1", ONE.sql) + describe(b"s1") + bind(b"", b"s1") + execute(b"")
POISON = parse(b"", "seenby refused the statement")


def run_control(sql: str) -> bytes:
    return parse(b"", sql) + bind(b"", b"") + execute(b"")


def done(tag: str) -> bytes:
    return PARSED + BOUND + complete(tag)


def test_two_statements_are_both_analysed_and_both_answered() -> None:
    play = Play({"one; phones": (ONE, PHONE)})
    play.client(query("one; phones")).server(
        RUN_ONE, parse(b"s2", PHONE.sql), describe(b"s2"), bind(b"", b"s2"), execute(b""), sync()
    )
    play.postgres(prepared("one"), BOUND, row("1"), complete(1)).client_sees(heading("one"), row("1"), complete(1))
    play.postgres(prepared("k", "p"), BOUND, row("42", "+44"), complete(1), ready("I")).client_sees(
        heading("p")
    ).ledger(1, "account:42", rows=1)
    play.recorded(1).client_sees(row("+44"), complete(1), ready("I"))
    play.over()


def test_the_second_statement_is_refused_after_the_first_was_answered() -> None:
    play = Play({"one; select iban": (ONE, REFUSED, ONE)})
    play.client(query("one; select iban")).server(RUN_ONE, sync()).attempt(1, "select iban", "42501")
    play.postgres(prepared("one"), BOUND, row("1"), complete(1), ready("I")).client_sees(
        heading("one"), row("1"), complete(1)
    )
    play.recorded(1).client_sees(Told("42501", "column iban"), ready("I"))
    play.over()


def test_a_refusal_alone_is_told_after_the_attempt_is_recorded() -> None:
    play = Play({"select iban": REFUSED})
    play.client(query("select iban")).server(sync()).attempt(1, "select iban", "42501")
    play.postgres(ready("I"))
    play.recorded(1).client_sees(Told("42501"), ready("I"))
    play.over()


def test_a_refusal_that_concerned_no_data_is_told_at_once() -> None:
    wrong = RefusedPlan(SyntaxFailed('syntax error at or near "selct"', position=1), attempt=False)
    play = Play({"selct": wrong})
    play.client(query("selct")).server(sync()).client_sees(Told("42601", "selct"))
    play.postgres(ready("I")).client_sees(ready("I"))
    play.over()


def test_a_refusal_inside_a_block_fails_the_block_in_postgres_too() -> None:
    play = Play({"begin": BEGIN, "select iban": REFUSED, "one": ONE})
    play.client(query("begin")).server(run_control("BEGIN"), sync())
    play.postgres(done("BEGIN"), ready("T")).client_sees(complete("BEGIN"), ready("T"))
    play.client(query("select iban")).server(POISON, sync()).attempt(1, "select iban", "42501")
    play.postgres(failure("42601"), ready("E"))
    play.recorded(1).client_sees(Told("42501", "column iban"), ready("E"))
    # Until ROLLBACK nothing runs; Postgres says so, we say it in our words.
    play.client(query("one")).server(RUN_ONE, sync())
    play.postgres(failure("25P02"), ready("E")).client_sees(Told("25P02", "until ROLLBACK"), ready("E"))
    play.over()


def test_a_refusal_behind_a_begin_in_the_same_message_fails_the_block() -> None:
    play = Play({"begin; select iban": (BEGIN, REFUSED)})
    play.client(query("begin; select iban")).server(run_control("BEGIN"), POISON, sync()).attempt(
        1, "select iban", "42501"
    )
    play.postgres(done("BEGIN"), failure("42601"), ready("E")).client_sees(complete("BEGIN"))
    play.recorded(1).client_sees(Told("42501"), ready("E"))
    play.over()


def test_commit_of_a_failed_block_says_rollback_as_postgres_does() -> None:
    play = Play({"begin": BEGIN, "commit": COMMIT})
    play.client(query("begin")).server(run_control("BEGIN"), sync())
    play.postgres(done("BEGIN"), ready("E")).client_sees(complete("BEGIN"), ready("E"))
    play.client(query("commit")).server(run_control("COMMIT"), sync())
    play.postgres(done("ROLLBACK"), ready("I")).client_sees(complete("ROLLBACK"), ready("I"))
    play.over()


def test_an_error_of_postgres_ends_the_message_and_the_rest_is_not_waited_for() -> None:
    play = Play({"one; one": (ONE, ONE)})
    play.client(query("one; one")).server(RUN_ONE, bind(b"", b"s1"), execute(b""), sync())
    play.postgres(failure("53200"), ready("I")).client_sees(Told("53200", "out of memory"), ready("I"))
    # The statement was never prepared, so the next use prepares it again.
    play.client(query("one; one")).server(
        parse(b"s2", ONE.sql), describe(b"s2"), bind(b"", b"s2"), execute(b""), bind(b"", b"s2"), execute(b""), sync()
    )
    play.over()


def test_no_word_of_a_run_time_error_passes() -> None:
    play = Play({"one": ONE})
    play.client(query("one")).server(RUN_ONE, sync())
    play.postgres(prepared("one"), BOUND).client_sees(heading("one"))
    outcome = play.session.server_data(failure("22P02") + ready("I"))
    told = b"".join(outcome.to_client)
    assert b"+44" not in told
    assert b"Postgres" not in told
    assert b"22P02" in told


def test_notices_of_the_plan_come_first_and_those_of_postgres_never() -> None:
    said = nobody("said", notices=("only people of eu are shown",))
    play = Play({"said": said})
    play.client(query("said")).server(parse(b"s1", said.sql), describe(b"s1"), bind(b"", b"s1"), execute(b""), sync())
    notice = backend.message(b"N", b"SWARNING\0VWARNING\0C01000\0Mvalue +44\0\0")
    play.postgres(notice, prepared("n"), notice, BOUND, row("1"), notice, complete(1), ready("I")).client_sees(
        backend.notice_response("only people of eu are shown"), heading("n"), row("1"), complete(1), ready("I")
    )
    play.over()


def test_an_empty_query() -> None:
    play = Play({"": control(ControlKind.EMPTY, "")})
    play.client(query("")).server(sync()).client_sees(backend.EMPTY_DONE)
    play.postgres(ready("I")).client_sees(ready("I"))
    play.over()


def test_offset_drops_rows_after_their_people_are_named() -> None:
    plan = exact("page", offset=2)
    play = Play({"page": plan})
    play.client(query("page")).server(parse(b"s1", plan.sql), describe(b"s1"), bind(b"", b"s1"), execute(b""), sync())
    play.postgres(prepared("k", "p"), BOUND, row("1", "a")).client_sees(heading("p"))
    play.postgres(row("2", "b"), row("3", "c"), row("4", "d"), complete(4), ready("I")).ledger(
        1, "account:1", "account:2", "account:3", "account:4", rows=2
    )
    play.recorded(1).client_sees(row("c"), row("d"), complete(2), ready("I"))
    play.over()


def test_settings_of_postgres_that_clients_track_are_passed_on_and_others_are_not() -> None:
    play = Play({"set": control(ControlKind.SET, "SET", "SET timezone TO 'UTC'")})
    play.client(query("set")).server(run_control("SET timezone TO 'UTC'"), sync())
    play.postgres(
        PARSED,
        BOUND,
        backend.parameter_status("TimeZone", "UTC"),
        backend.parameter_status("session_authorization", "seenby_g_1"),
        complete("SET"),
        ready("I"),
    ).client_sees(backend.parameter_status("TimeZone", "UTC"), complete("SET"), ready("I"))
    play.over()


def test_show_is_a_row_about_nobody() -> None:
    play = Play({"show timezone": control(ControlKind.SHOW, "SHOW", "SHOW timezone")})
    play.client(query("show timezone")).server(
        parse(b"s1", "SHOW timezone"), describe(b"s1"), bind(b"", b"s1"), execute(b""), sync()
    )
    play.postgres(prepared("TimeZone"), BOUND, row("UTC"), complete("SHOW"), ready("I")).client_sees(
        heading("TimeZone"), row("UTC"), complete("SHOW"), ready("I")
    )
    play.over()


def test_without_a_grant_every_statement_is_refused_and_recorded() -> None:
    play = Play(granted=False)
    play.client(query("select 1")).attempt(1, "select 1", "42501")
    play.recorded(1).client_sees(Told("42501", "no active grant"), ready("I"))
    play.over()


def test_an_unknown_refusal_carries_its_own_state() -> None:
    play = Play({"x": RefusedPlan(NotFound("there is no such thing"), "x")})
    play.client(query("x")).server(sync()).attempt(1, "x", "02000")
    play.recorded(1).client_sees(Told("02000"))
    play.postgres(ready("I")).client_sees(ready("I"))
    play.over()
