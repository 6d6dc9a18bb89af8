"""The extended protocol: Parse, Bind, Describe, Execute, Close, Flush, Sync (54.2.3)."""

from __future__ import annotations

import pytest

from seenby.errors import Refused
from seenby.model.plan import ControlKind, Plan, RefusedPlan
from seenby.session import names
from seenby.session import session as session_module
from seenby.wire import backend, frontend
from tests.playbooks.playbook import (
    BEGIN,
    BOUND,
    CLOSED,
    COMMIT,
    PARSED,
    ROLLBACK_TO,
    SAVEPOINT,
    Play,
    Told,
    bind,
    complete,
    control,
    describe,
    describe_portal,
    exact,
    execute,
    failure,
    fields,
    flush,
    heading,
    nobody,
    parse,
    prepared,
    query,
    ready,
    row,
    suspended,
    sync,
    text_values,
)

PHONE = exact("phone of $1", parameters=1)
PAIR = exact("pair", visible=2)
ONE = nobody("one")
REFUSED = RefusedPlan(Refused("column iban is not revealed"), "select iban")
TYPED = backend.parameter_description((20,))
POISON = parse(b"", "seenby refused the statement")


def test_parse_bind_describe_execute_sync_in_one_go() -> None:
    play = Play({"phone of $1": PHONE})
    values = text_values("42")
    play.client(parse(b"", "phone of $1"), bind(b"", b"", values), describe_portal(), execute(b""), sync()).server(
        parse(b"s1", PHONE.sql), describe(b"s1"), bind(b"", b"s1", values), execute(b""), sync()
    )
    play.postgres(prepared("k", "phone", oids=(20,)), BOUND).client_sees(PARSED, BOUND, heading("phone"))
    play.postgres(row("42", "+44"), complete(1), ready("I")).ledger(1, "account:42", rows=1)
    play.recorded(1).client_sees(row("+44"), complete(1), ready("I"))
    play.over()


def test_a_prepared_statement_is_parsed_by_postgres_once() -> None:
    play = Play({"phone of $1": PHONE})
    play.client(parse(b"a", "phone of $1"), describe(b"a"), sync()).server(
        parse(b"s1", PHONE.sql), describe(b"s1"), sync()
    )
    play.postgres(prepared("k", "phone", oids=(20,)), ready("I")).client_sees(
        PARSED, TYPED, heading("phone"), ready("I")
    )
    # Another name, the same text: Postgres knows it, so the client's ParseComplete is ours.
    play.client(parse(b"b", "phone of $1"), describe(b"b"), sync()).server(sync()).client_sees(
        PARSED, TYPED, heading("phone")
    )
    play.postgres(ready("I")).client_sees(ready("I"))
    values = text_values("42")
    play.client(bind(b"", b"b", values), execute(b""), sync()).server(bind(b"", b"s1", values), execute(b""), sync())
    play.over()


def test_another_parameter_type_is_another_statement() -> None:
    play = Play({"phone of $1": PHONE})
    play.client(parse(b"a", "phone of $1", (20,)), parse(b"b", "phone of $1", (25,)), sync()).server(
        parse(b"s1", PHONE.sql, (20,)), describe(b"s1"), parse(b"s2", PHONE.sql, (25,)), describe(b"s2"), sync()
    )
    play.over()


def test_result_formats_are_shifted_by_the_keys_which_stay_text() -> None:
    play = Play({"pair": PAIR})
    play.client(parse(b"a", "pair"), sync()).server(parse(b"s1", PAIR.sql), describe(b"s1"), sync())
    play.postgres(prepared("k", "a", "b"), ready("I")).client_sees(PARSED, ready("I"))
    for asked, sent in (((), ()), ((0,), ()), ((1,), (0, 1, 1)), ((0, 1), (0, 0, 1)), ((0, 0), ())):
        play.client(bind(b"", b"a", formats=asked), describe_portal(), flush()).server(
            bind(b"", b"s1", formats=sent), flush()
        )
        play.postgres(BOUND).client_sees(BOUND, backend.row_description(fields("a", "b"), asked))
    play.over()


@pytest.mark.parametrize("formats", [(0, 1, 0), (1,) * 5])
def test_as_many_result_formats_as_visible_columns(formats: tuple[int, ...]) -> None:
    """A format for every column of the rewritten query would tell that there are keys."""
    play = Play({"pair": PAIR})
    play.client(parse(b"a", "pair"), bind(b"", b"a", formats=formats), sync()).server(
        parse(b"s1", PAIR.sql), describe(b"s1"), flush(), sync()
    )
    play.postgres(prepared("k", "a", "b"), ready("I")).client_sees(PARSED, Told("08P01", "2 columns"), ready("I"))
    play.over()


def test_unknown_names_and_the_skip_to_the_next_sync() -> None:
    play = Play({"one": ONE})
    skipped = parse(b"b", "one") + describe(b"b") + flush() + execute(b"")
    play.client(bind(b"", b"nope"), skipped, sync()).server(sync()).client_sees(
        Told("26000", 'prepared statement "nope" does not exist')
    )
    play.postgres(ready("I")).client_sees(ready("I"))
    play.client(execute(b"nope"), skipped, sync()).server(sync()).client_sees(
        Told("34000", 'portal "nope" does not exist')
    )
    play.postgres(ready("I")).client_sees(ready("I"))
    play.client(describe(b"b"), sync()).server(sync()).client_sees(Told("26000"))
    play.postgres(ready("I")).client_sees(ready("I"))
    play.client(describe_portal(b"b"), query("one"), sync()).server(sync()).client_sees(Told("34000"))
    play.over()


def test_an_error_of_parse_passes_without_our_names_and_leaves_nothing_behind() -> None:
    play = Play({"phone of $1": PHONE})
    values = text_values("42")
    sent = parse(b"a", "phone of $1") + bind(b"", b"a", values) + execute(b"") + sync()
    play.client(sent).server(parse(b"s1", PHONE.sql), describe(b"s1"), bind(b"", b"s1", values), execute(b""), sync())
    text = 'operator does not exist: seenby_v0123456789abcdef.accounts = "seenby$1"'
    outcome = play.postgres(failure("42883", text), ready("I"))
    outcome.client_sees(Told("42883", "operator does not exist: accounts = "), ready("I"))
    # The client was told that "a" does not exist; it may try again under the same name.
    play.client(sent).server(parse(b"s2", PHONE.sql), describe(b"s2"), bind(b"", b"s2", values), execute(b""), sync())
    play.over()


def test_an_error_of_bind_is_told_in_our_words_and_names_nobody() -> None:
    play = Play({"phone of $1": PHONE})
    values = text_values("x")
    play.client(parse(b"", "phone of $1"), bind(b"p", b"", values), execute(b"p"), sync()).server(
        parse(b"s1", PHONE.sql), describe(b"s1"), bind(b"p1", b"s1", values), execute(b"p1"), sync()
    )
    play.postgres(prepared("k", "phone", oids=(20,)), failure("22P02"), ready("I")).client_sees(
        PARSED, Told("22P02", "cannot be read as the type"), ready("I")
    )
    play.client(execute(b"p"), sync()).server(sync()).client_sees(Told("34000"))
    play.over()


def test_what_was_pipelined_behind_an_error_never_happened() -> None:
    """Statements, cached statements, portals and Close, all behind a Parse that Postgres refuses."""
    play = Play({"one": ONE, "bad": nobody("bad"), "begin": BEGIN})
    play.client(parse(b"old", "one"), sync()).server(parse(b"s1", ONE.sql), describe(b"s1"), sync())
    play.postgres(prepared("one"), ready("I")).client_sees(PARSED, ready("I"))
    play.client(
        parse(b"x", "bad"), parse(b"y", "bad"), parse(b"z", "one"), parse(b"c", "begin"),
        bind(b"p", b"old"), bind(b"q", b"c"), frontend.close(b"S", b"old"), sync(),
    ).server(parse(b"s2", "rewritten bad"), describe(b"s2"), bind(b"p1", b"s1"), sync())  # fmt: skip
    play.postgres(failure("42601"), ready("I")).client_sees(Told("42601"), ready("I"))
    for name in (b"x", b"y", b"z", b"c"):
        play.client(describe(name), sync()).server(sync()).client_sees(Told("26000"))
        play.postgres(ready("I")).client_sees(ready("I"))
    for name in (b"p", b"q"):
        play.client(describe_portal(name), sync()).server(sync()).client_sees(Told("34000"))
        play.postgres(ready("I")).client_sees(ready("I"))
    play.client(describe(b"old"), sync()).server(sync()).client_sees(backend.parameter_description(()), heading("one"))
    play.over()


def test_what_was_made_and_closed_behind_an_error_is_not_brought_back() -> None:
    """Found by tests/fuzz: the undone Close gave back a statement whose Parse had been undone, and Bind hung."""
    play = Play({"begin": BEGIN, "bad": nobody("bad"), "one": ONE})
    play.client(
        parse(b"a", "bad"), parse(b"b", "begin"), parse(b"c", "one"),
        frontend.close(b"S", b"c"), frontend.close(b"S", b"b"), frontend.close(b"S", b"a"), sync(),
    ).server(
        parse(b"s1", "rewritten bad"), describe(b"s1"), parse(b"s2", ONE.sql), describe(b"s2"), sync()
    )  # fmt: skip
    play.postgres(failure("42601"), ready("I")).client_sees(Told("42601"), ready("I"))
    for name in (b"a", b"b", b"c"):
        play.client(bind(b"", name), sync()).server(sync()).client_sees(Told("26000"))
        play.postgres(ready("I")).client_sees(ready("I"))
    play.over()


def opened(play: Play) -> None:
    """A portal ``p`` over phones, and a savepoint behind it."""
    in_block(play)
    play.client(parse(b"a", "phone"), bind(b"p", b"a"), parse(b"b", "one"), sync()).server(
        parse(b"s1", exact("phone").sql), describe(b"s1"), bind(b"p1", b"s1"),
        parse(b"s2", ONE.sql), describe(b"s2"), sync(),
    )  # fmt: skip
    play.postgres(prepared("k", "phone"), BOUND, prepared("one"), ready("T")).client_sees(
        PARSED, BOUND, PARSED, ready("T")
    )
    play.client(query("savepoint s")).server(parse(b"", "SAVEPOINT s"), bind(b"", b""), execute(b""), sync())
    play.postgres(PARSED, BOUND, complete("SAVEPOINT"), ready("T")).client_sees(complete("SAVEPOINT"), ready("T"))


def back_to_the_savepoint(play: Play) -> None:
    play.client(query("rollback to s")).server(parse(b"", "ROLLBACK TO s"), bind(b"", b""), execute(b""), sync())
    play.postgres(PARSED, BOUND, complete("ROLLBACK"), ready("T")).client_sees(complete("ROLLBACK"), ready("T"))


WITH_SAVEPOINTS: dict[str, Plan | tuple[Plan, ...]] = {
    "phone": exact("phone"), "one": ONE, "begin": BEGIN, "savepoint s": SAVEPOINT, "rollback to s": ROLLBACK_TO,
    "commit": COMMIT,
}  # fmt: skip


def test_the_name_of_a_portal_is_taken_until_it_is_closed() -> None:
    """The name in Postgres is another one each time: what it stands for cannot be mistaken."""
    play = Play(WITH_SAVEPOINTS)
    opened(play)
    play.client(bind(b"p", b"b"), sync()).server(POISON, sync())
    play.postgres(failure("42601"), ready("E")).client_sees(Told("42P03", '"p" already exists'), ready("E"))
    back_to_the_savepoint(play)
    play.client(execute(b"p"), frontend.close(b"P", b"p"), bind(b"p", b"b"), execute(b"p"), sync()).server(
        execute(b"p1"), frontend.close(b"P", b"p1"), bind(b"p2", b"s2"), execute(b"p2"), sync()
    )
    play.postgres(row("1", "a"), complete(1), CLOSED, BOUND, row("2"), complete(1), ready("T")).ledger(
        1, "account:1", rows=1
    )
    play.recorded(1).client_sees(row("a"), complete(1), CLOSED, BOUND, row("2"), complete(1), ready("T"))
    play.over()


def test_a_close_that_postgres_skips_closes_nothing() -> None:
    play = Play(WITH_SAVEPOINTS)
    opened(play)
    play.client(bind(b"q", b"b", formats=(0,)), frontend.close(b"P", b"p"), sync()).server(
        bind(b"p2", b"s2", formats=()), frontend.close(b"P", b"p1"), sync()
    )
    play.postgres(failure("57014"), ready("E")).client_sees(Told("57014"), ready("E"))
    back_to_the_savepoint(play)
    play.client(execute(b"p"), sync()).server(execute(b"p1"), sync())
    play.postgres(row("1", "a"), complete(1), ready("T")).ledger(1, "account:1", rows=1)
    play.recorded(1).client_sees(row("a"), complete(1), ready("T"))
    play.over()


def test_whether_a_name_is_free_again_is_known_when_everything_before_is_answered() -> None:
    """COMMIT, and BEGIN and Bind behind it at once: the name is free, and the session waits until it knows."""
    play = Play(WITH_SAVEPOINTS)
    opened(play)
    play.client(query("commit"), query("begin"), bind(b"p", b"b"), sync()).server(
        parse(b"", "COMMIT"), bind(b"", b""), execute(b""), sync(),
        parse(b"", "BEGIN"), bind(b"", b""), execute(b""), sync(), flush(),
    )  # fmt: skip
    done = PARSED + BOUND
    play.postgres(done, complete("COMMIT"), ready("I"), done, complete("BEGIN"), ready("T")).client_sees(
        complete("COMMIT"), ready("I"), complete("BEGIN"), ready("T")
    ).server(bind(b"p2", b"s2"), sync())
    play.over()


def test_what_was_opened_behind_a_savepoint_is_gone_with_it() -> None:
    play = Play(WITH_SAVEPOINTS)
    opened(play)
    play.client(bind(b"q", b"b"), sync()).server(bind(b"p2", b"s2"), sync())
    play.postgres(BOUND, ready("T")).client_sees(BOUND, ready("T"))
    back_to_the_savepoint(play)
    play.client(bind(b"q", b"b"), sync()).server(bind(b"p3", b"s2"), sync())
    play.postgres(BOUND, ready("T")).client_sees(BOUND, ready("T"))
    play.client(bind(b"p", b"b"), sync()).server(POISON, sync())
    play.postgres(failure("42601"), ready("E")).client_sees(Told("42P03"), ready("E"))
    play.over()


def test_a_refused_text_cannot_be_prepared_and_takes_the_unnamed_statement_with_it() -> None:
    play = Play({"one": ONE, "select iban": REFUSED})
    play.client(parse(b"", "one"), sync()).server(parse(b"s1", ONE.sql), describe(b"s1"), sync())
    play.postgres(prepared("one"), ready("I")).client_sees(PARSED, ready("I"))
    play.client(parse(b"", "select iban"), describe(b""), bind(b"", b""), execute(b""), sync()).server(sync()).attempt(
        1, "select iban", "42501"
    )
    play.postgres(ready("I"))
    play.recorded(1).client_sees(Told("42501", "iban"), ready("I"))
    play.client(bind(b"", b""), sync()).server(sync()).client_sees(Told("26000"))
    play.over()


def test_a_simple_query_takes_the_unnamed_statement_and_portal_away() -> None:
    play = Play({"one": ONE, "": control(ControlKind.EMPTY, "")})
    play.client(parse(b"", "one"), bind(b"", b""), query("")).server(
        parse(b"s1", ONE.sql), describe(b"s1"), bind(b"", b"s1"), sync()
    )
    play.postgres(prepared("one"), BOUND, ready("I")).client_sees(PARSED, BOUND, backend.EMPTY_DONE, ready("I"))
    play.client(execute(b""), sync()).server(sync()).client_sees(Told("34000"))
    play.postgres(ready("I")).client_sees(ready("I"))
    play.client(bind(b"", b""), sync()).server(sync()).client_sees(Told("26000"))
    play.over()


def in_block(play: Play) -> None:
    play.client(query("begin")).server(parse(b"", "BEGIN"), bind(b"", b""), execute(b""), sync())
    play.postgres(PARSED, BOUND, complete("BEGIN"), ready("T")).client_sees(complete("BEGIN"), ready("T"))


def test_a_simple_query_takes_the_unnamed_portal_away_inside_a_block_too() -> None:
    play = Play({"begin": BEGIN, "one": ONE, "": control(ControlKind.EMPTY, "")})
    in_block(play)
    play.client(parse(b"a", "one"), bind(b"", b"a"), query("")).server(
        parse(b"s1", ONE.sql), describe(b"s1"), bind(b"", b"s1"), sync()
    )
    play.postgres(prepared("one"), BOUND, ready("T")).client_sees(PARSED, BOUND, backend.EMPTY_DONE, ready("T"))
    play.client(execute(b""), sync()).server(POISON, sync())
    play.postgres(failure("42601"), ready("E")).client_sees(Told("34000"), ready("E"))
    play.over()


def test_our_own_use_of_the_unnamed_portal_takes_the_clients_away() -> None:
    play = Play({"begin": BEGIN, "one": ONE, "savepoint s": SAVEPOINT})
    in_block(play)
    play.client(
        parse(b"a", "one"), parse(b"s", "savepoint s"), bind(b"", b"a"), bind(b"p", b"s"), execute(b"p"), execute(b"")
    ).server(
        parse(b"s1", ONE.sql), describe(b"s1"), bind(b"", b"s1"),
        parse(b"", "SAVEPOINT s"), bind(b"", b""), execute(b""), POISON,
    )  # fmt: skip
    play.postgres(prepared("one"), BOUND, PARSED, BOUND, complete("SAVEPOINT"), failure("42601")).client_sees(
        PARSED, PARSED, BOUND, BOUND, complete("SAVEPOINT"), Told("34000")
    )
    play.over()


def test_several_commands_cannot_be_prepared_together() -> None:
    play = Play({"one; one": (ONE, ONE)})
    play.client(parse(b"", "one; one"), sync()).server(sync()).client_sees(Told("42601", "multiple commands"))
    play.postgres(ready("I")).client_sees(ready("I"))
    play.over()


def test_a_name_is_taken_until_it_is_closed() -> None:
    play = Play({"one": ONE})
    play.client(parse(b"a", "one"), parse(b"a", "one"), sync()).server(
        parse(b"s1", ONE.sql), describe(b"s1"), flush(), sync()
    )
    play.postgres(prepared("one"), ready("I")).client_sees(PARSED, Told("42P05", "already exists"), ready("I"))
    play.client(frontend.close(b"S", b"a"), parse(b"a", "one"), sync()).server(sync()).client_sees(CLOSED, PARSED)
    play.postgres(ready("I")).client_sees(ready("I"))
    play.over()


def test_close_of_unknown_names_succeeds() -> None:
    play = Play()
    play.client(frontend.close(b"S", b"x"), frontend.close(b"P", b"y"), sync()).server(sync()).client_sees(
        CLOSED, CLOSED
    )
    play.postgres(ready("I")).client_sees(ready("I"))
    play.over()


def test_deallocate_one_and_all() -> None:
    one, everything = (
        control(ControlKind.DEALLOCATE, "DEALLOCATE", name="a"),
        control(ControlKind.DEALLOCATE, "DEALLOCATE ALL"),
    )
    play = Play({"one": ONE, "deallocate a": one, "deallocate all": everything})
    play.client(parse(b"a", "one"), parse(b"b", "one"), sync()).server(parse(b"s1", ONE.sql), describe(b"s1"), sync())
    play.postgres(prepared("one"), ready("I")).client_sees(PARSED, PARSED, ready("I"))
    play.client(query("deallocate a")).server(sync()).client_sees(complete("DEALLOCATE"))
    play.postgres(ready("I")).client_sees(ready("I"))
    play.client(query("deallocate a")).server(sync()).client_sees(Told("26000", '"a" does not exist'))
    play.postgres(ready("I")).client_sees(ready("I"))
    play.client(parse(b"d", "deallocate all"), bind(b"", b"d"), execute(b""), sync()).server(sync()).client_sees(
        PARSED, BOUND, complete("DEALLOCATE ALL")
    )
    play.postgres(ready("I")).client_sees(ready("I"))
    play.client(bind(b"", b"b"), sync()).server(sync()).client_sees(Told("26000"))
    play.over()


def test_control_statements_are_described_as_returning_nothing() -> None:
    play = Play({"begin": BEGIN})
    play.client(parse(b"", "begin"), describe(b""), bind(b"", b""), describe_portal(), execute(b""), sync()).server(
        parse(b"", "BEGIN"), bind(b"", b""), execute(b""), sync()
    ).client_sees(PARSED, backend.parameter_description(()), backend.NO_DATA_DONE, BOUND, backend.NO_DATA_DONE)
    play.postgres(PARSED, BOUND, complete("BEGIN"), ready("T")).client_sees(complete("BEGIN"), ready("T"))
    play.over()


def test_an_empty_query_through_the_extended_protocol() -> None:
    play = Play({"": control(ControlKind.EMPTY, "")})
    play.client(parse(b"", ""), bind(b"", b""), describe_portal(), execute(b""), sync()).server(sync()).client_sees(
        PARSED, BOUND, backend.NO_DATA_DONE, backend.EMPTY_DONE
    )
    play.postgres(ready("I")).client_sees(ready("I"))
    play.over()


def test_a_portal_is_read_in_pieces_and_each_piece_is_an_entry() -> None:
    plan = exact("phone", notices=("only people of eu are shown",))
    play = Play({"phone": plan})
    notice = backend.notice_response("only people of eu are shown")
    play.client(parse(b"", "phone"), bind(b"p", b""), execute(b"p", 2), flush()).server(
        parse(b"s1", plan.sql), describe(b"s1"), bind(b"p1", b"s1"), execute(b"p1", 2), flush()
    )
    play.postgres(prepared("k", "x"), BOUND, row("1", "a"), row("2", "b"), suspended).client_sees(PARSED, BOUND).ledger(
        1, "account:1", "account:2", rows=2, final=False
    )
    play.recorded(1).client_sees(notice, row("a"), row("b"), suspended)
    play.client(execute(b"p", 2), sync()).server(execute(b"p1", 2), sync())
    play.postgres(row("1", "c"), complete(1), ready("I")).ledger(2, rows=1, part=1)
    play.recorded(2).client_sees(row("c"), complete(1), ready("I"))
    play.over()


def test_offset_in_pieces_the_dropped_rows_come_on_top() -> None:
    plan = exact("page", offset=2)
    play = Play({"page": plan})
    play.client(parse(b"", "page"), bind(b"p", b""), execute(b"p", 1), execute(b"p", 1), sync()).server(
        parse(b"s1", plan.sql), describe(b"s1"), bind(b"p1", b"s1"), execute(b"p1", 3), flush()
    )
    # How many rows are still to be dropped is known when those asked for are there.
    play.postgres(prepared("k", "x"), BOUND, row("1", "a"), row("2", "b"), row("3", "c"), suspended).client_sees(
        PARSED, BOUND
    ).ledger(1, "account:1", "account:2", "account:3", rows=1, final=False).server(execute(b"p1", 1), sync())
    play.postgres(row("4", "d"), suspended).ledger(2, "account:4", rows=1, part=1, final=False)
    play.recorded(1).client_sees(row("c"), suspended)
    play.recorded(2).client_sees(row("d"), suspended)
    play.over()


def test_execute_everything_of_an_offset_asks_for_everything() -> None:
    plan = exact("page", offset=2)
    play = Play({"page": plan})
    play.client(
        parse(b"", "page"), bind(b"p", b""), execute(b"p", 0), bind(b"q", b""), execute(b"q", 2**31 - 1), sync()
    ).server(
        parse(b"s1", plan.sql), describe(b"s1"), bind(b"p1", b"s1"), execute(b"p1"),
        bind(b"p2", b"s1"), execute(b"p2", 2**31 - 1), sync(),
    )  # fmt: skip
    play.over()


def test_the_tables_changed_between_parse_and_bind() -> None:
    play = Play({"phone": exact("phone")})
    play.client(parse(b"a", "phone"), sync()).server(parse(b"s1", exact("phone").sql), describe(b"s1"), sync())
    play.postgres(prepared("k", "x"), ready("I")).client_sees(PARSED, ready("I"))
    play.access.version += 1
    play.access.remember("phone", (exact("iban"),))
    for stale in (bind(b"", b"a"), describe(b"a")):
        play.client(stale, sync()).server(sync()).client_sees(Told("0A000", "the tables changed"))
        play.postgres(ready("I")).client_sees(ready("I"))
    play.over()


def test_a_change_elsewhere_leaves_what_is_prepared_alone() -> None:
    """Somebody added a column somewhere. Clients prepare behind their user's back, and never again."""
    play = Play({"phone": exact("phone")})
    play.client(parse(b"a", "phone"), sync()).server(parse(b"s1", exact("phone").sql), describe(b"s1"), sync())
    play.postgres(prepared("k", "x"), ready("I")).client_sees(PARSED, ready("I"))
    play.access.version += 1
    play.client(bind(b"", b"a"), sync()).server(bind(b"", b"s1"), sync())
    play.postgres(BOUND, ready("I")).client_sees(BOUND, ready("I"))
    play.over()


def test_a_refusal_is_told_although_the_client_waits_with_sync() -> None:
    """Postgres sends an error at once. What is in front of it must not lie unflushed in Postgres's buffer."""
    play = Play({"one": ONE, "select iban": REFUSED})
    play.client(parse(b"a", "one"), parse(b"b", "select iban"), flush()).server(
        parse(b"s1", ONE.sql), describe(b"s1"), flush()
    ).attempt(1, "select iban", "42501")
    play.postgres(prepared("one")).client_sees(PARSED)
    play.recorded(1).client_sees(Told("42501"))
    play.client(sync()).server(sync())
    play.postgres(ready("I")).client_sees(ready("I"))
    play.over()


def test_an_attempt_is_recorded_though_something_in_front_of_it_fails() -> None:
    play = Play({"one": ONE, "select iban": REFUSED})
    play.client(parse(b"a", "one"), parse(b"b", "select iban"), sync()).server(
        parse(b"s1", ONE.sql), describe(b"s1"), flush(), sync()
    ).attempt(1, "select iban", "42501")
    play.postgres(failure("42601"), ready("I")).client_sees(Told("42601"))
    play.recorded(1).client_sees(ready("I"))
    play.over()


def test_the_answer_of_one_batch_does_not_end_the_portals_of_the_next() -> None:
    """Whether the second Execute comes in the same read as its Bind is chance."""
    play = Play({"one": ONE})
    first = parse(b"a", "one") + bind(b"", b"a") + execute(b"") + sync()
    play.client(first, bind(b"", b"a")).server(
        parse(b"s1", ONE.sql), describe(b"s1"), bind(b"", b"s1"), execute(b""), sync(), bind(b"", b"s1")
    )
    play.postgres(prepared("one"), BOUND, row("1"), complete(1), ready("I")).client_sees(
        PARSED, BOUND, row("1"), complete(1), ready("I")
    )
    play.client(execute(b""), sync()).server(execute(b""), sync())
    play.postgres(BOUND, row("1"), complete(1), ready("I")).client_sees(BOUND, row("1"), complete(1), ready("I"))
    play.client(execute(b""), sync()).server(sync()).client_sees(Told("34000"))
    play.over()


def test_the_answer_of_one_batch_does_not_hide_the_begin_of_the_next() -> None:
    play = Play({"one": ONE, "begin": BEGIN, "select iban": REFUSED})
    begin = parse(b"", "BEGIN") + bind(b"", b"") + execute(b"")
    play.client(query("one"), query("begin")).server(
        parse(b"s1", ONE.sql), describe(b"s1"), bind(b"", b"s1"), execute(b""), sync(), begin, sync()
    )
    play.postgres(prepared("one"), BOUND, row("1"), complete(1), ready("I")).client_sees(
        heading("one"), row("1"), complete(1), ready("I")
    )
    play.client(query("select iban")).server(POISON, sync()).attempt(1, "select iban", "42501")
    play.postgres(PARSED, BOUND, complete("BEGIN"), ready("T"), failure("42601"), ready("E")).client_sees(
        complete("BEGIN"), ready("T")
    )
    play.recorded(1).client_sees(Told("42501"), ready("E"))
    play.over()


def test_an_error_in_answer_to_sync_itself_leaves_the_next_batch_alone() -> None:
    play = Play({"one": ONE})
    play.client(query("one"), query("one")).server(
        parse(b"s1", ONE.sql), describe(b"s1"), bind(b"", b"s1"), execute(b""), sync(),
        bind(b"", b"s1"), execute(b""), sync(),
    )  # fmt: skip
    play.postgres(prepared("one"), BOUND, row("1"), complete(1), failure("40001"), ready("I")).client_sees(
        heading("one"), row("1"), complete(1), Told("40001"), ready("I")
    )
    play.postgres(BOUND, row("1"), complete(1), ready("I")).client_sees(
        heading("one"), row("1"), complete(1), ready("I")
    )
    play.over()


def test_statements_of_postgres_are_closed_when_nobody_uses_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "MAX_SERVER_STATEMENTS", 4)
    play = Play({str(number): nobody(str(number)) for number in range(6)})
    play.client(parse(b"kept", "0"), sync()).server(parse(b"s1", "rewritten 0"), describe(b"s1"), sync())
    play.postgres(prepared("n"), ready("I")).client_sees(PARSED, ready("I"))
    for number in (1, 2, 3):
        play.client(parse(b"", str(number)), sync()).server(
            parse(b"s%d" % (number + 1), f"rewritten {number}"), describe(b"s%d" % (number + 1)), sync()
        )
        play.postgres(prepared("n"), ready("I")).client_sees(PARSED, ready("I"))
    # The oldest quarter is looked at: s1 is in use by "kept". Nothing can be closed, and nothing breaks.
    play.client(parse(b"", "4"), sync()).server(parse(b"s5", "rewritten 4"), describe(b"s5"), sync())
    play.postgres(prepared("n"), ready("I")).client_sees(PARSED, ready("I"))
    play.client(frontend.close(b"S", b"kept"), parse(b"", "5"), sync()).server(
        frontend.close(b"S", b"s1"), parse(b"s6", "rewritten 5"), describe(b"s6"), sync()
    ).client_sees(CLOSED)
    play.postgres(CLOSED, prepared("n"), ready("I")).client_sees(PARSED, ready("I"))
    play.over()


def test_names_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "MAX_STATEMENTS", 2)
    monkeypatch.setattr(names, "MAX_PORTALS", 1)
    play = Play({"begin": BEGIN})
    play.client(parse(b"a", "begin"), parse(b"b", "begin"), parse(b"c", "begin"), sync()).server(sync()).client_sees(
        PARSED, PARSED, Told("53400", "2 prepared statements")
    )
    play.postgres(ready("I")).client_sees(ready("I"))
    play.client(bind(b"p", b"a"), bind(b"q", b"a"), sync()).server(sync()).client_sees(
        BOUND, Told("53400", "1 open portals")
    )
    play.over()


def test_a_client_that_does_not_wait_is_read_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "MAX_PIPELINED", 4)
    play = Play({"one": ONE})
    piece = bind(b"", b"a") + execute(b"")
    play.client(parse(b"a", "one"), piece * 2, sync()).server(
        parse(b"s1", ONE.sql), describe(b"s1"), bind(b"", b"s1"), execute(b""), bind(b"", b"s1"), flush()
    )
    assert not play.reads()
    answer = (BOUND, row("1"), complete(1))
    play.postgres(prepared("one"), *answer, BOUND).server(execute(b""), sync()).client_sees(PARSED, *answer, BOUND)
    assert play.reads()
    play.postgres(row("1"), complete(1), ready("I")).client_sees(row("1"), complete(1), ready("I"))
    play.over()


def test_what_waits_unread_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "MAX_PIPELINED", 1)
    monkeypatch.setattr(session_module, "MAX_HELD", 500)
    play = Play({"one": ONE})
    play.client(parse(b"a", "one")).server(parse(b"s1", ONE.sql), describe(b"s1"), flush())
    play.client(bind(b"", b"a") * 20)
    play.client(bind(b"", b"a") * 20).client_sees(Told("08P01", "too many messages", fatal=True)).closes()
    play.over()


def test_offset_of_a_parameter_waits_for_its_type() -> None:
    """Only then is it known what its bytes say, and so how many rows are to be dropped."""
    plan = exact("page", offset_parameter=1, parameters=1)
    play = Play({"page": plan})
    values = text_values("1")
    play.client(parse(b"a", "page"), bind(b"", b"a", values), execute(b""), sync()).server(
        parse(b"s1", plan.sql), describe(b"s1"), flush()
    )
    play.postgres(prepared("k", "x", oids=(20,))).client_sees(PARSED).server(
        bind(b"", b"s1", values), execute(b""), sync()
    )
    play.postgres(BOUND, row("1", "a"), row("2", "b"), complete(2), ready("I")).client_sees(BOUND).ledger(
        1, "account:1", "account:2", rows=1
    )
    play.recorded(1).client_sees(row("b"), complete(1), ready("I"))
    play.client(parse(b"b", "page", (1700,)), bind(b"", b"b", values), execute(b""), sync()).server(
        parse(b"s2", plan.sql, (1700,)), describe(b"s2"), flush()
    )
    play.postgres(prepared("k", "x", oids=(1700,))).client_sees(PARSED, Told("0A000", "OFFSET $1")).server(sync())
    play.over()
