"""PREPARE and EXECUTE, cursors, COPY, and settings in the middle of things: what is asked of Postgres, what is told."""

from __future__ import annotations

import json
from dataclasses import replace

from seenby.model.plan import (
    Constant,
    ControlKind,
    ControlPlan,
    CopyForm,
    CopyPlan,
    DeclarePlan,
    ExecutePlan,
    FetchPlan,
    PreparePlan,
)
from seenby.session.meaning import ASK
from seenby.wire import backend
from tests.playbooks.playbook import (
    BEGIN,
    BOUND,
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
    flush,
    heading,
    nobody,
    parse,
    prepared,
    query,
    ready,
    row,
    sync,
    text_values,
    upper,
)

PHONES = exact("phones")
PHONE = exact("phone of $1", parameters=1)
ONE = nobody("one")
DECLARE = "DECLARE p1 NO SCROLL CURSOR WITHOUT HOLD FOR "
SETTINGS = ("hex", "ISO, MDY", "1", "postgres", "UTC")
SET = ControlPlan(ControlKind.SET, "SET", "SET DateStyle TO 'DMY'", "datestyle")


def run(sql: str) -> bytes:
    return parse(b"", sql) + bind(b"", b"") + execute(b"")


def done(tag: str) -> bytes:
    return PARSED + BOUND + complete(tag)


def in_a_block(play: Play) -> None:
    play.client(query("begin")).server(run("BEGIN"), sync())
    play.postgres(done("BEGIN"), ready("T")).client_sees(complete("BEGIN"), ready("T"))


def test_execute_waits_for_the_description_and_binds_its_arguments() -> None:
    play = Play({"prepare; execute": (PreparePlan("p", PHONE), ExecutePlan("p", (Constant("42", 23),)))})
    play.client(query("prepare; execute")).server(parse(b"s1", PHONE.sql), describe(b"s1"), flush())
    values = text_values("42")
    play.postgres(prepared("k", "phone", oids=(20,))).client_sees(complete("PREPARE")).server(
        bind(b"", b"s1", values), execute(b""), sync()
    )
    play.postgres(BOUND, row("42", "+44"), complete(1), ready("I")).client_sees(heading("phone")).ledger(
        1, "account:42", rows=1
    )
    play.recorded(1).client_sees(row("+44"), complete(1), ready("I"))
    play.over()


def test_the_record_of_execute_says_what_was_prepared_and_with_which_values() -> None:
    play = Play({"PREPARE p": PreparePlan("p", PHONE), "EXECUTE p(42)": ExecutePlan("p", (Constant("42", 23),))})
    play.client(query("PREPARE p")).server(parse(b"s1", PHONE.sql), describe(b"s1"), sync())
    play.postgres(prepared("k", "phone", oids=(20,)), ready("I")).client_sees(complete("PREPARE"), ready("I"))
    play.client(query("EXECUTE p(42)")).server(bind(b"", b"s1", text_values("42")), execute(b""), sync())
    outcome = play.session.server_data(BOUND + row("42", "+44") + complete(1) + ready("I"))
    ((_, item),) = outcome.records
    record = json.loads(item.withheld)
    assert (record["statement"], record["parameters"]) == ("PREPARE p; EXECUTE p(42)", ["42"])


def test_what_waited_behind_an_error_is_not_run_and_the_message_ends() -> None:
    play = Play({"prepare; execute; one": (PreparePlan("p", PHONE), ExecutePlan("p", (Constant("42", 23),)), ONE)})
    play.client(query("prepare; execute; one")).server(parse(b"s1", PHONE.sql), describe(b"s1"), flush())
    play.postgres(failure("42P01", "no such table")).client_sees(Told("42P01")).server(sync())
    play.postgres(ready("I")).client_sees(ready("I"))
    play.over()


def test_a_cursor_is_one_of_postgres_over_the_rewritten_text() -> None:
    play = Play(
        {
            "begin": BEGIN,
            "declare": DeclarePlan("c", PHONES),
            "fetch": FetchPlan("c", 2),
            "move": FetchPlan("c", 2, True),
        }
    )
    in_a_block(play)
    play.client(query("declare")).server(parse(b"s1", PHONES.sql), describe(b"s1"), run(DECLARE + PHONES.sql), sync())
    play.postgres(prepared("k", "p"), done("DECLARE CURSOR"), ready("T")).client_sees(
        complete("DECLARE CURSOR"), ready("T")
    )
    play.client(query("fetch")).server(run("FETCH FORWARD 2 FROM p1"), sync()).client_sees(heading("p"))
    play.postgres(PARSED, BOUND, row("1", "a"), row("2", "b"), complete("FETCH 2"), ready("T")).ledger(
        1, "account:1", "account:2", rows=2, final=False
    )
    play.recorded(1).client_sees(row("a"), row("b"), complete("FETCH 2"), ready("T"))
    # The rows that MOVE skips are somebody's too: named, counted, not shown.
    play.client(query("move")).server(run("FETCH FORWARD 2 FROM p1"), sync())
    play.postgres(PARSED, BOUND, row("3", "c"), complete("FETCH 1"), ready("T")).ledger(2, "account:3", rows=0, part=1)
    play.recorded(2).client_sees(complete("MOVE 1"), ready("T"))
    play.over()


def test_offset_is_skipped_in_front_of_the_first_fetch() -> None:
    page = exact("page", offset=2)
    play = Play({"begin": BEGIN, "declare": DeclarePlan("c", page), "fetch": FetchPlan("c")})
    in_a_block(play)
    play.client(query("declare")).server(parse(b"s1", page.sql), describe(b"s1"), run(DECLARE + page.sql), sync())
    play.postgres(prepared("k", "p"), done("DECLARE CURSOR"), ready("T")).client_sees(
        complete("DECLARE CURSOR"), ready("T")
    )
    play.client(query("fetch")).server(run("FETCH FORWARD 3 FROM p1"), sync()).client_sees(heading("p"))
    play.postgres(PARSED, BOUND, row("1", "a"), row("2", "b"), row("3", "c"), complete("FETCH 3"), ready("T")).ledger(
        1, "account:1", "account:2", "account:3", rows=1, final=False
    )
    play.recorded(1).client_sees(row("c"), complete("FETCH 1"), ready("T"))
    play.over()


def test_the_people_of_an_upper_bound_are_found_when_the_cursor_is_opened() -> None:
    count = upper("count")
    play = Play({"begin": BEGIN, "declare": DeclarePlan("c", count), "fetch": FetchPlan("c", None)})
    in_a_block(play)
    play.client(query("declare")).server(
        parse(b"s1", count.sql), describe(b"s1"), parse(b"s2", "companion count"), describe(b"s2"),
        bind(b"", b"s2"), execute(b""), run(DECLARE + count.sql), sync(),
    )  # fmt: skip
    play.postgres(
        prepared("n"), prepared("kind", "key"), BOUND, row("account", "1"), complete(1), done("DECLARE CURSOR"),
        ready("T"),
    ).client_sees(complete("DECLARE CURSOR"), ready("T"))  # fmt: skip
    play.client(query("fetch")).server(run("FETCH ALL FROM p1"), sync()).client_sees(heading("n"))
    play.postgres(PARSED, BOUND, row("7"), complete("FETCH 1"), ready("T")).ledger(1, "account:1", rows=1)
    play.recorded(1).client_sees(row("7"), complete("FETCH 1"), ready("T"))
    play.over()


def test_a_cursor_whose_declare_failed_is_gone_for_the_client() -> None:
    """Postgres may still have an older one of this name; its rows must never be cut by the new one's plan."""
    play = Play({"begin": BEGIN, "declare": DeclarePlan("c", PHONES), "fetch": FetchPlan("c")})
    in_a_block(play)
    play.client(query("declare")).server(parse(b"s1", PHONES.sql), describe(b"s1"), run(DECLARE + PHONES.sql), sync())
    play.postgres(prepared("k", "p"), PARSED, BOUND, failure("42P03"), ready("E")).client_sees(
        Told("42P03"), ready("E")
    )
    poison = parse(b"", "seenby refused the statement")
    play.client(query("fetch")).server(poison, sync())
    play.postgres(failure("25P02"), ready("E")).client_sees(Told("25P02", "until ROLLBACK"), ready("E"))
    play.over()


def test_copy_is_the_select_itself_and_its_rows_wait_as_any_others() -> None:
    form = CopyForm("csv", b",", b"", header=True)
    play = Play({"copy": CopyPlan(PHONES, form)})
    play.client(query("copy")).server(parse(b"s1", PHONES.sql), describe(b"s1"), bind(b"", b"s1"), execute(b""), sync())
    data = [backend.message(b"d", line) for line in (b"p\n", b"a\n", b'"b,c"\n')]
    out = backend.message(b"H", b"\0\0\1\0\0")
    play.postgres(prepared("k", "p"), BOUND).client_sees(out, data[0])
    play.postgres(row("1", "a"), row("2", "b,c"), complete(2), ready("I")).ledger(1, "account:1", "account:2", rows=2)
    play.recorded(1).client_sees(data[1], data[2], backend.message(b"c"), complete("COPY 2"), ready("I"))
    play.over()


def test_binary_copy_asks_for_binary_values_and_keys_stay_text() -> None:
    play = Play({"copy": CopyPlan(replace(PHONES, visible=2), CopyForm("binary"))})
    play.client(query("copy")).server(
        parse(b"s1", PHONES.sql), describe(b"s1"), bind(b"", b"s1", formats=(0, 1, 1)), execute(b""), sync()
    )
    head = backend.message(b"d", b"PGCOPY\n\xff\r\n\0" + bytes(8))
    play.postgres(prepared("k", "a", "b"), BOUND).client_sees(backend.message(b"H", b"\1\0\2\0\1\0\1"), head)
    play.postgres(row("1", b"\x00\x07", None), complete(1), ready("I")).ledger(1, "account:1", rows=1)
    tuple_ = backend.message(b"d", b"\0\2\0\0\0\2\x00\x07\xff\xff\xff\xff")
    play.recorded(1).client_sees(
        tuple_, backend.message(b"d", b"\xff\xff"), backend.message(b"c"), complete("COPY 1"), ready("I")
    )
    play.over()


def test_after_a_set_postgres_says_what_is_in_force_and_the_rest_waits_for_it() -> None:
    play = Play({"set; phones": (SET, PHONES), "phones": PHONES})
    play.client(query("phones")).server(
        parse(b"s1", PHONES.sql), describe(b"s1"), bind(b"", b"s1"), execute(b""), sync()
    )
    play.postgres(prepared("k", "p"), BOUND, complete(0), ready("I")).client_sees(heading("p")).ledger(1, rows=0)
    play.recorded(1).client_sees(complete(0), ready("I"))
    play.client(query("set; phones")).server(run(SET.sql), run(ASK), flush())
    # Constants mean something else: the statement is prepared anew, the old one closed.
    new = ("hex", "ISO, DMY", "1", "postgres", "UTC")
    play.postgres(done("SET"), PARSED, BOUND, row(*new), complete(1)).client_sees(complete("SET")).server(
        backend.message(b"C", b"Ss1\0"),
        parse(b"s2", PHONES.sql),
        describe(b"s2"),
        bind(b"", b"s2"),
        execute(b""),
        sync(),
    )
    play.postgres(backend.CLOSE_DONE, prepared("k", "p"), BOUND, failure("57014"), ready("I")).client_sees(
        heading("p"), Told("57014")
    ).server(run(ASK), sync())
    # It was one transaction, so the error took the SET back; the client hears of its end when that is known.
    play.postgres(PARSED, BOUND, row(*SETTINGS), complete(1), ready("I")).client_sees(ready("I"))
    play.client(query("phones")).server(
        backend.message(b"C", b"Ss2\0"),
        parse(b"s3", PHONES.sql),
        describe(b"s3"),
        bind(b"", b"s3"),
        execute(b""),
        sync(),
    )
    play.over()


def test_a_set_waits_for_what_was_asked_before_it() -> None:
    play = Play({"one": ONE, "set": SET})
    play.client(query("one"), query("set")).server(
        parse(b"s1", ONE.sql), describe(b"s1"), bind(b"", b"s1"), execute(b""), sync(), flush()
    )
    assert not play.reads()
    play.postgres(prepared("one"), BOUND, row("1"), complete(1), ready("I")).client_sees(
        heading("one"), row("1"), complete(1), ready("I")
    ).server(run(SET.sql), run(ASK), flush())
    play.over()


def test_discard_all_forgets_statements_and_cursors() -> None:
    discard = control(ControlKind.DISCARD, "DISCARD ALL", "RESET ALL", "all")
    play = Play({"one": ONE, "discard": discard})
    play.client(parse(b"a", "one"), sync()).server(parse(b"s1", ONE.sql), describe(b"s1"), sync())
    play.postgres(prepared("one"), ready("I")).client_sees(PARSED, ready("I"))
    play.client(query("discard")).server(run("RESET ALL"), run(ASK), flush())
    play.postgres(done("RESET"), PARSED, BOUND, row(*SETTINGS), complete(1)).client_sees(
        complete("DISCARD ALL")
    ).server(sync())
    play.postgres(ready("I")).server(run(ASK), sync())
    play.postgres(PARSED, BOUND, row(*SETTINGS), complete(1), ready("I")).client_sees(ready("I"))
    play.client(describe(b"a"), sync()).server(sync()).client_sees(Told("26000"))
    play.over()
