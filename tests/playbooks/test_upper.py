"""Upper bounds: a companion query in the same snapshot names everybody who took part. Errors that tell of rows."""

from __future__ import annotations

import json
from dataclasses import replace

from seenby.model.people import Person
from tests.playbooks.playbook import (
    BEGIN,
    BOUND,
    PARSED,
    Play,
    Told,
    bind,
    complete,
    describe,
    exact,
    execute,
    failure,
    flush,
    heading,
    parse,
    prepared,
    query,
    ready,
    row,
    suspended,
    sync,
    text_values,
    upper,
)

COUNT = upper("count")
BY_AGE = upper("count of $1", parameters=1)
PHONE = exact("phones")
THEY = (row("account", "42"), row("contact", "+44"))
COUNT_RUN = (
    parse(b"s1", COUNT.sql) + describe(b"s1")
    + parse(b"s2", "companion count") + describe(b"s2")
    + bind(b"", b"s2") + execute(b"")
    + bind(b"", b"s1") + execute(b"") + sync()
)  # fmt: skip


def test_the_companion_runs_first_and_names_everybody() -> None:
    play = Play({"count": COUNT})
    play.client(query("count")).server(COUNT_RUN)
    play.postgres(prepared("n"), prepared("kind", "key"), BOUND, *THEY, row("account", "42"), complete(3))
    play.postgres(BOUND, row("2"), complete(1), ready("I")).client_sees(heading("n")).ledger(
        1, "account:42", "contact:+44", rows=1
    )
    play.recorded(1).client_sees(row("2"), complete(1), ready("I"))
    play.over()


def test_bind_waits_until_the_types_of_the_parameters_are_known() -> None:
    """The companion must get the types that Postgres chose for the main query: they may differ in its text."""
    play = Play({"count of $1": BY_AGE})
    values = text_values("30")
    play.client(parse(b"", "count of $1"), bind(b"", b"", values), execute(b""), sync()).server(
        parse(b"s1", BY_AGE.sql), describe(b"s1"), flush()
    )
    assert not play.reads()
    play.postgres(prepared("n", oids=(23,))).client_sees(PARSED).server(
        parse(b"s2", "companion count of $1", (23,)), describe(b"s2"),
        bind(b"", b"s2", values), execute(b""),
        bind(b"", b"s1", values), execute(b""), sync(),
    )  # fmt: skip
    assert play.reads()
    play.postgres(prepared("kind", "key", oids=(23,)), BOUND, *THEY, complete(2), BOUND).client_sees(BOUND)
    play.postgres(row("2"), complete(1), ready("I")).ledger(1, "account:42", "contact:+44", rows=1)
    play.recorded(1).client_sees(row("2"), complete(1), ready("I"))
    # The next time everything is known.
    again = bind(b"", b"s2", values) + execute(b"") + bind(b"", b"s1", values) + execute(b"") + sync()
    play.client(parse(b"", "count of $1"), bind(b"", b"", values), execute(b""), sync()).server(again).client_sees(
        PARSED
    )
    play.over()


def test_bind_does_not_wait_for_a_statement_that_postgres_refuses() -> None:
    play = Play({"count of $1": BY_AGE})
    play.client(parse(b"", "count of $1"), bind(b"", b"", text_values("30")), execute(b""), sync()).server(
        parse(b"s1", BY_AGE.sql), describe(b"s1"), flush()
    )
    play.postgres(failure("42883", "no such operator")).client_sees(Told("42883")).server(sync())
    play.postgres(ready("I")).client_sees(ready("I"))
    play.over()


def test_bind_does_not_wait_for_a_statement_that_an_earlier_batch_lost() -> None:
    """Two names for one text. The first Parse fails, so the second has nothing in Postgres to wait for."""
    play = Play({"count": COUNT})
    play.client(parse(b"a", "count"), sync(), parse(b"b", "count"), sync(), bind(b"", b"b"), sync()).server(
        parse(b"s1", COUNT.sql), describe(b"s1"), sync(), sync(), flush()
    )
    play.postgres(failure("42883", "no such operator"), ready("I")).client_sees(
        Told("42883"), ready("I"), PARSED
    ).server(flush(), sync())
    play.postgres(ready("I"), ready("I")).client_sees(ready("I"), Told("26000"), ready("I"))
    play.over()


def test_a_portal_in_pieces_names_everybody_with_its_first_piece() -> None:
    play = Play({"count": COUNT})
    play.client(parse(b"", "count"), describe(b""), sync()).server(parse(b"s1", COUNT.sql), describe(b"s1"), sync())
    play.postgres(prepared("n"), ready("I")).client_sees(PARSED, b"t\0\0\0\6\0\0", heading("n"), ready("I"))
    play.client(bind(b"p", b""), execute(b"p", 1), execute(b"p", 1), sync()).server(
        parse(b"s2", "companion count"), describe(b"s2"), bind(b"", b"s2"), execute(b""),
        bind(b"p1", b"s1"), execute(b"p1", 1), execute(b"p1", 1), sync(),
    )  # fmt: skip
    play.postgres(
        prepared("kind", "key"),
        BOUND,
        *THEY,
        complete(2),
        BOUND,
        row("1"),
        suspended,
        row("2"),
        complete(1),
        ready("I"),
    ).client_sees(BOUND).ledger(1, "account:42", "contact:+44", rows=1, final=False).ledger(2, rows=1, part=1)
    play.recorded(1).client_sees(row("1"), suspended)
    play.recorded(2).client_sees(row("2"), complete(1), ready("I"))
    play.over()


def test_a_run_time_error_waits_until_everybody_it_could_be_about_is_recorded() -> None:
    play = Play({"phones": PHONE})
    play.client(query("phones")).server(
        parse(b"s1", PHONE.sql), describe(b"s1"), bind(b"", b"s1"), execute(b""), sync()
    )
    play.postgres(prepared("k", "x"), BOUND, row("42", "+44"), failure("22012"), ready("I")).client_sees(
        heading("x")
    ).attribution(1, "companion phones", (), b"\0\0\0\0")
    found = play.attributed(1, ["account:42", "account:7", "account:42"])
    (_, disclosure), *_ = found.outcome.records
    found.ledger(1, "account:42", "account:7", rows=0)
    assert json.loads(disclosure.withheld)["sqlstate"] == "22012", "the record says that it was an error"
    play.recorded(1).client_sees(Told("22012", "division by zero"), ready("I"))
    play.over()


def test_the_attribution_has_the_types_and_values_of_the_statement_that_failed() -> None:
    plan = exact("phone of $1", parameters=1)
    play = Play({"phone of $1": plan})
    values = text_values("0")
    play.client(parse(b"", "phone of $1"), bind(b"", b"", values), execute(b""), sync()).server(
        parse(b"s1", plan.sql), describe(b"s1"), bind(b"", b"s1", values), execute(b""), sync()
    )
    play.postgres(prepared("k", "x", oids=(23,)), BOUND, failure("22012"), ready("I")).client_sees(
        PARSED, BOUND
    ).attribution(1, "companion phone of $1", (23,), values)
    play.over()


def test_an_error_after_a_part_was_shown_names_only_those_not_named_yet() -> None:
    play = Play({"phones": PHONE})
    play.client(parse(b"", "phones"), bind(b"p", b""), execute(b"p", 1), sync()).server(
        parse(b"s1", PHONE.sql), describe(b"s1"), bind(b"p1", b"s1"), execute(b"p1", 1), sync()
    )
    play.postgres(prepared("k", "x"), BOUND, row("42", "+44"), suspended, ready("T")).client_sees(PARSED, BOUND).ledger(
        1, "account:42", rows=1, final=False
    )
    play.recorded(1).client_sees(row("+44"), suspended, ready("T"))
    play.client(execute(b"p"), sync()).server(execute(b"p1"), sync())
    play.postgres(failure("22012"), ready("E")).attribution(2, "companion phones", (), b"\0\0\0\0")
    play.attributed(2, ["account:42", "account:7"]).ledger(2, "account:7", rows=0, part=1)
    play.recorded(2).client_sees(Told("22012"), ready("E"))
    play.over()


def test_when_the_companion_fails_too_the_whole_scope_is_named() -> None:
    scope = (Person("account", "42"), Person("account", "7"))
    play = Play({"phones": PHONE}, scope=scope)
    play.client(query("phones")).server(
        parse(b"s1", PHONE.sql), describe(b"s1"), bind(b"", b"s1"), execute(b""), sync()
    )
    play.postgres(prepared("k", "x"), BOUND, failure("22012"), ready("I")).client_sees(heading("x")).attribution(
        1, "companion phones", (), b"\0\0\0\0"
    )
    play.attributed(1, None).ledger(1, "account:42", "account:7", rows=0)
    play.recorded(1).client_sees(Told("22012"), ready("I"))
    play.over()


def test_when_nobody_can_say_who_took_part_the_attempt_is_recorded_with_its_statement() -> None:
    play = Play({"phones": PHONE})
    play.client(query("phones")).server(
        parse(b"s1", PHONE.sql), describe(b"s1"), bind(b"", b"s1"), execute(b""), sync()
    )
    play.postgres(prepared("k", "x"), BOUND, failure("22012"), ready("I")).client_sees(heading("x")).attribution(
        1, "companion phones", (), b"\0\0\0\0"
    )
    play.attributed(1, None).attempt(1, "phones", "22012")
    play.recorded(1).client_sees(Told("22012"), ready("I"))
    play.over()


def test_a_plan_without_a_companion_is_not_one_that_names_nobody() -> None:
    plan = replace(PHONE, companion=None)
    play = Play({"phones": plan}, scope=(Person("account", "42"),))
    play.client(query("phones")).server(parse(b"s1", plan.sql), describe(b"s1"), bind(b"", b"s1"), execute(b""), sync())
    play.postgres(prepared("k", "x"), BOUND, failure("22012"), ready("I")).client_sees(heading("x")).ledger(
        1, "account:42", rows=0
    )
    play.recorded(1).client_sees(Told("22012"), ready("I"))
    play.over()


def test_naming_for_an_error_counts_towards_the_cap() -> None:
    play = Play({"phones": PHONE}, people=1)
    play.client(query("phones")).server(
        parse(b"s1", PHONE.sql), describe(b"s1"), bind(b"", b"s1"), execute(b""), sync()
    )
    play.postgres(prepared("k", "x"), BOUND, failure("22012"), ready("I")).client_sees(heading("x")).attribution(
        1, "companion phones", (), b"\0\0\0\0"
    )
    play.attributed(1, ["account:42", "account:7"]).breach(1, "phones", "account:42", "account:7")
    play.recorded(1).client_sees(Told("53400", "more people than the 1"), ready("I"))
    play.over()


def test_errors_that_tell_nothing_of_rows_are_told_at_once() -> None:
    for code in ("57014", "40001", "25P02"):
        play = Play({"phones": PHONE})
        play.client(query("phones")).server(
            parse(b"s1", PHONE.sql), describe(b"s1"), bind(b"", b"s1"), execute(b""), sync()
        )
        play.postgres(prepared("k", "x"), BOUND, failure(code), ready("I")).client_sees(
            heading("x"), Told(code), ready("I")
        )
        play.over()


def test_a_companion_that_fails_on_a_row_is_attributed_and_one_that_fails_on_a_parameter_is_not() -> None:
    play = Play({"count": COUNT})
    play.client(query("count")).server(COUNT_RUN)
    play.postgres(
        prepared("n"), prepared("kind", "key"), BOUND, row("account", "42"), failure("22012"), ready("I")
    ).attribution(1, "companion count", (), b"\0\0\0\0")
    play.attributed(1, None).attempt(1, "count", "22012")
    play.recorded(1).client_sees(Told("22012"), ready("I"))
    play = Play({"count": COUNT})
    play.client(query("count")).server(COUNT_RUN)
    play.postgres(prepared("n"), prepared("kind", "key"), failure("22P02"), ready("I")).client_sees(
        Told("22P02"), ready("I")
    )
    play.over()


def test_the_companion_takes_the_unnamed_portal_so_the_clients_is_gone() -> None:
    """Rows of the companion are people. A client that goes on reading its unnamed portal must not meet them."""
    play = Play({"begin": BEGIN, "count": COUNT, "phones": PHONE})
    play.client(query("begin")).server(parse(b"", "BEGIN"), bind(b"", b""), execute(b""), sync())
    play.postgres(PARSED, BOUND, complete("BEGIN"), ready("T")).client_sees(complete("BEGIN"), ready("T"))
    play.client(parse(b"a", "phones"), parse(b"b", "count"), sync()).server(
        parse(b"s1", PHONE.sql), describe(b"s1"), parse(b"s2", COUNT.sql), describe(b"s2"), sync()
    )
    play.postgres(prepared("k", "x"), prepared("n"), ready("T")).client_sees(PARSED, PARSED, ready("T"))
    play.client(bind(b"", b"a"), bind(b"p", b"b"), execute(b""), sync()).server(
        bind(b"", b"s1"),
        parse(b"s3", "companion count"), describe(b"s3"), bind(b"", b"s3"), execute(b""), bind(b"p2", b"s2"),
        parse(b"", "seenby refused the statement"), sync(),
    )  # fmt: skip
    play.postgres(
        BOUND, prepared("kind", "key"), BOUND, *THEY, complete(2), BOUND, failure("42601"), ready("E")
    ).client_sees(BOUND, BOUND, Told("34000"), ready("E"))
    play.over()
