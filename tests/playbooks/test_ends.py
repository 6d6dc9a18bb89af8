"""Caps that bite, grants that end, servers that vanish, bytes that do not belong, code that raises: fail closed."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from seenby.errors import GrantEnded, LedgerFailed, Refused, Unavailable
from seenby.model.plan import RefusedPlan
from seenby.session import asking, extended, results, simple
from seenby.session import session as session_module
from seenby.session.expect import Acknowledged, Companion, Local, Prepared, Ready
from seenby.session.names import Names
from seenby.session.outbox import Outbox
from seenby.session.results import Results
from seenby.session.serverside import ServerReader
from seenby.session.session import Session
from seenby.wire import backend, frontend
from seenby.wire.framing import Framer
from tests.playbooks.playbook import (
    BEGIN,
    BOUND,
    COMMIT,
    PARSED,
    Play,
    Told,
    bind,
    complete,
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
    upper,
)

PHONE = exact("phones")
ONE = nobody("one")
RUN = parse(b"s1", PHONE.sql) + describe(b"s1") + bind(b"", b"s1") + execute(b"") + sync()
POISON = parse(b"", "seenby refused the statement") + sync()
REVOKED = GrantEnded("grant 6f has been revoked")


def test_one_person_too_many_shows_nobody_of_the_part_and_is_recorded() -> None:
    play = Play({"phones": PHONE}, people=1)
    play.client(query("phones")).server(RUN)
    play.postgres(prepared("k", "x"), BOUND, row("42", "+44"), row("7", "+45"), complete(2), ready("I")).client_sees(
        heading("x")
    ).breach(1, "phones", "account:42", "account:7")
    play.recorded(1).client_sees(Told("53400", "more people than the 1"), ready("I"))
    assert play.access.usage.people == 0
    # The session goes on, and one person is still allowed.
    play.client(query("phones")).server(bind(b"", b"s1"), execute(b""), sync())
    play.postgres(BOUND, row("42", "+44"), complete(1), ready("I")).client_sees(heading("x")).ledger(
        2, "account:42", rows=1
    )
    play.recorded(2).client_sees(row("+44"), complete(1), ready("I"))
    play.over()


def test_one_row_too_many() -> None:
    play = Play({"phones": PHONE}, rows=1)
    play.client(query("phones")).server(RUN)
    play.postgres(prepared("k", "x"), BOUND, row("42", "+44"), row("42", "+45"), complete(2), ready("I")).client_sees(
        heading("x")
    ).breach(1, "phones", "account:42")
    play.recorded(1).client_sees(Told("53400", "more rows than the 1"), ready("I"))
    play.over()


def test_beyond_a_cap_the_rest_of_the_message_is_silent() -> None:
    play = Play({"phones; one; phones": (PHONE, ONE, PHONE)}, people=1)
    play.client(query("phones; one; phones")).server(
        RUN[: -len(sync())], parse(b"s2", ONE.sql), describe(b"s2"), bind(b"", b"s2"), execute(b""),
        bind(b"", b"s1"), execute(b""), sync(),
    )  # fmt: skip
    play.postgres(
        prepared("k", "x"), BOUND, row("42", "+44"), row("7", "+45"), complete(2),
        prepared("one"), BOUND, row("1"), complete(1), BOUND, row("42", "+44"), failure("22012"), ready("I"),
    ).client_sees(heading("x")).breach(1, "phones; one; phones", "account:42", "account:7")  # fmt: skip
    play.recorded(1).client_sees(Told("53400"), ready("I"))
    play.over()


def test_beyond_a_cap_the_extended_protocol_skips_to_sync() -> None:
    play = Play({"phones": PHONE, "one": ONE}, people=1)
    play.client(parse(b"a", "phones"), bind(b"", b"a"), execute(b""), parse(b"b", "one"), bind(b"", b"b")).server(
        RUN[: -len(sync())], parse(b"s2", ONE.sql), describe(b"s2"), bind(b"", b"s2")
    )
    play.postgres(prepared("k", "x"), BOUND, row("42", "+44"), row("7", "+45"), complete(2)).client_sees(
        PARSED, BOUND
    ).breach(1, "phones", "account:42", "account:7")
    play.client(execute(b""), sync()).server(sync())
    play.recorded(1).client_sees(Told("53400"))
    play.postgres(prepared("one"), BOUND, ready("I")).client_sees(ready("I"))
    # As after any error, what was parsed behind it is not there.
    play.client(describe(b"b"), sync()).server(sync()).client_sees(Told("26000"))
    play.over()


def test_beyond_a_cap_a_block_fails_in_postgres_too() -> None:
    play = Play({"phones": PHONE, "begin": BEGIN}, people=1)
    play.client(query("begin")).server(parse(b"", "BEGIN"), bind(b"", b""), execute(b""), sync())
    play.postgres(PARSED, BOUND, complete("BEGIN"), ready("T")).client_sees(complete("BEGIN"), ready("T"))
    play.client(query("phones")).server(RUN)
    play.postgres(prepared("k", "x"), BOUND, row("42", "+44"), row("7", "+45"), complete(2), ready("T")).client_sees(
        heading("x")
    ).breach(1, "phones", "account:42", "account:7").server(POISON)
    play.recorded(1).client_sees(Told("53400"))
    play.postgres(failure("42601"), ready("E")).client_sees(ready("E"))
    play.over()


def test_beyond_a_cap_a_block_that_is_pipelined_further_ends_the_session() -> None:
    play = Play({"phones": PHONE, "begin": BEGIN}, people=1)
    play.client(query("begin"), query("phones"), query("phones")).server(
        parse(b"", "BEGIN"), bind(b"", b""), execute(b""), sync(), RUN, bind(b"", b"s1"), execute(b""), sync()
    )
    play.postgres(PARSED, BOUND, complete("BEGIN"), ready("T")).client_sees(complete("BEGIN"), ready("T"))
    play.postgres(prepared("k", "x"), BOUND, row("42", "+44"), row("7", "+45"), complete(2), ready("T")).client_sees(
        Told("08P01", "a refused result", fatal=True)
    ).breach(1, "phones", "account:42", "account:7").closes()
    play.over()


def test_a_cap_in_the_second_part_of_a_result_keeps_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "PART_BYTES", 20)
    play = Play({"phones": PHONE}, people=1)
    play.client(query("phones")).server(RUN)
    play.postgres(prepared("k", "x"), BOUND, row("42", "+44"), row("42", "+45")).client_sees(heading("x")).ledger(
        1, "account:42", rows=2, final=False
    )
    play.postgres(row("42", "+46"), row("7", "+47")).breach(2, "phones", "account:7", part=1)
    play.postgres(row("42", "+48"), row("7", "+49"), complete(6), ready("I"))
    play.recorded(2)
    play.recorded(1).client_sees(row("+44"), row("+45"), Told("53400"), ready("I"))
    play.over()


@pytest.mark.parametrize("where", ["idle", "running", "in the middle of a row", "waiting for the ledger"])
def test_an_ended_grant_cuts_at_the_next_event_and_nothing_unreleased_is_shown(where: str) -> None:
    play = Play({"phones": PHONE})
    event: Callable[[], Any] = lambda: play.client(query("phones"))  # noqa: E731
    if where != "idle":
        play.client(query("phones")).server(RUN)
        event = lambda: play.postgres(prepared("k", "x"), BOUND, row("42", "+44"), complete(1), ready("I"))  # noqa: E731
    if where == "in the middle of a row":
        play.postgres(prepared("k", "x"), BOUND, row("42", "+44")).client_sees(heading("x"))
        play.session.server_data(row("7", "+45")[:9])
        event = lambda: play.postgres(row("7", "+45")[9:])  # noqa: E731
    if where == "waiting for the ledger":
        event().client_sees(heading("x")).ledger(1, "account:42", rows=1)
        event = lambda: play.recorded(1)  # noqa: E731
    play.access.ended = REVOKED
    event().client_sees(Told("57P01", "revoked", fatal=True)).closes()
    assert play.session.closed
    for later in (play.session.client_data(query("phones")), play.session.recorded(1), play.session.end(REVOKED)):
        assert (later.to_client, later.to_server, later.records, later.close) == ([], [], [], False)
    play.over()


@pytest.mark.parametrize("error", [REVOKED, Unavailable("the database closed the connection"), LedgerFailed("full")])
def test_the_driver_can_end_it_while_results_wait(error: Any) -> None:
    play = Play({"phones": PHONE})
    play.client(query("phones")).server(RUN)
    play.postgres(prepared("k", "x"), BOUND, row("42", "+44"), complete(1), ready("I")).client_sees(
        heading("x")
    ).ledger(1, "account:42", rows=1)
    out = play.session.end(error)
    assert out.close
    assert b"+44" not in b"".join(out.to_client)
    assert backend.read_report(b"".join(out.to_client)[5:])["C"] == error.state
    assert play.session.recorded(1).to_client == []


def test_postgres_says_goodbye() -> None:
    play = Play({"phones": PHONE})
    play.client(query("phones")).server(RUN)
    play.postgres(failure("57P01", severity="FATAL")).client_sees(
        Told("57P03", "the database closed the connection", fatal=True)
    ).closes()
    play.over()


def test_terminate_closes_and_answers_nothing() -> None:
    play = Play({"phones": PHONE})
    play.client(frontend.terminate(), query("phones")).closes()
    play.over()


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (backend.message(b"F", b"\0\0\0\1\0\0\0\0\0\0"), "function calls by oid"),
        (backend.message(b"p", b"secret"), "does not belong here"),
        (backend.message(b"\x00"), "does not belong here"),
        (backend.message(b"Q", b"select 1"), "zero byte"),
        (backend.message(b"Q", b"select \xff\0"), "UTF-8"),
        (backend.message(b"P", b"x"), "cut short"),
        (backend.message(b"D", b"X\0"), "a statement or a portal"),
        (b"Q\xff\xff\xff\xff", "bytes is not accepted"),
        (b"GET / HTTP/1.1\r\n\r\n", "bytes is not accepted"),
    ],
)
def test_what_is_not_the_protocol_ends_the_session(sent: bytes, words: str) -> None:
    play = Play()
    play.client(sent).client_sees(Told("08P01", words, fatal=True)).closes()
    play.over()


def test_an_attempt_is_not_hidden_by_garbage_behind_it() -> None:
    play = Play({"select iban": RefusedPlan(Refused("no"), "select iban")})
    play.client(query("select iban"), backend.message(b"F")).attempt(1, "select iban", "42501").client_sees(
        Told("08P01", fatal=True)
    ).closes()
    play.over()


def test_the_tail_of_a_copy_is_ignored() -> None:
    play = Play()
    play.client(backend.message(b"d", b"1\t2\n"), backend.message(b"c"), backend.message(b"f", b"no\0"))
    play.over()


@pytest.mark.parametrize(
    "sent",
    [
        row("42", "+44"),
        complete(1),
        ready("I"),
        backend.message(b"A", b"\0\0\0\1channel\0payload\0"),
        backend.message(b"G", b"\0\0\0"),
        backend.message(b"?"),
        failure("22012"),
        b"D\0\0\0\0",
        b"D\xff\xff\xff\xff",
    ],
)
def test_what_postgres_was_not_asked_for_ends_the_session(sent: bytes) -> None:
    play = Play()
    play.postgres(sent).client_sees(Told("08P01", fatal=True)).closes()
    play.over()


@pytest.mark.parametrize(
    "answer",
    [
        PARSED + row("42", "+44"),
        prepared("k", "x") + BOUND + row("+44")[:7],
        prepared("x"),  # one column less than the analysis found: the first would be taken for a key
        prepared("k", "x", "y"),
        PARSED + backend.parameter_description(()) + backend.NO_DATA_DONE,
        prepared("k", "x") + BOUND + backend.message(b"D", b"\0\0"),
        prepared("k", "x") + BOUND + backend.message(b"G", b"\0\0\0"),
        BOUND,
        ready("I"),
    ],
)
def test_an_answer_that_does_not_fit_the_question_shows_no_row(answer: bytes) -> None:
    play = Play({"phones": PHONE})
    play.client(query("phones")).server(RUN)
    out = play.session.server_data(answer + b"D\0\0\0\x0b\0\1\0\0\0\1x" + complete(1) + ready("I"))
    assert out.close
    assert out.fault is None, out.fault
    shown = b"".join(out.to_client)
    assert b"+44" not in shown
    assert shown[:1] == b"E"


def test_a_column_more_than_the_analysis_found_is_not_shown() -> None:
    """Keys are cut off by position, so whoever counts other columns than we do must not be believed."""
    play = Play({"phones": PHONE})
    play.client(query("phones")).server(RUN)
    play.postgres(prepared("k", "x", "y")).client_sees(Told("08P01", "other columns", fatal=True)).closes()
    play.over()


def test_a_row_of_no_length_is_no_row() -> None:
    play = Play({"one": ONE})
    play.client(query("one")).server(parse(b"s1", ONE.sql), describe(b"s1"), bind(b"", b"s1"), execute(b""), sync())
    play.postgres(prepared("n"), BOUND).client_sees(heading("n"))
    play.postgres(b"D\0\0\0\0").client_sees(Told("08P01", "impossible length", fatal=True)).closes()
    play.over()


# ---------------------------------------------------------------- code that raises

OWNERS: tuple[type | ModuleType, ...] = (
    *(Session, Names, Outbox, Framer, ServerReader, Results, Prepared, Acknowledged, Companion, Local, Ready),
    *(asking, extended, simple),
)
NOT_STEPS = {"__init__", "end", "_guarded", "client_data", "server_data", "recorded", "attributed", "__len__"}
STEPS = [
    (owner, name)
    for owner in OWNERS
    for name, member in vars(owner).items()
    if inspect.isfunction(member) and name not in NOT_STEPS
    if isinstance(owner, type) or member.__module__ == owner.__name__
]


def conversation() -> list[tuple[bytes, bytes]]:
    """Client messages and what Postgres answers, so that most of the code runs."""
    begin = PARSED + BOUND + complete("BEGIN") + ready("T")
    count = prepared("n") + prepared("kind", "key") + BOUND + row("account", "42") + complete(1)
    return [
        (query("begin"), begin),
        (query("phones"), prepared("k", "x") + BOUND + row("42", "+44") + complete(1) + ready("T")),
        (query("select iban"), failure("42601") + ready("E")),
        (query("commit"), PARSED + BOUND + complete("ROLLBACK") + ready("I")),
        (query("count"), count + BOUND + row("1") + complete(1) + ready("I")),
        (
            parse(b"a", "phones") + describe(b"a") + bind(b"p", b"a") + execute(b"p") + sync(),
            BOUND + row("7", "+45") + complete(1) + ready("I"),
        ),
        (parse(b"", "count") + bind(b"", b"") + execute(b"") + sync(), b""),
        (b"", BOUND + row("account", "42") + complete(1) + BOUND + row("1") + failure("22012") + ready("I")),
        (query("one"), prepared("n") + BOUND + row("1") + complete(1) + ready("I")),
        (frontend.close(b"S", b"a") + frontend.close(b"P", b"p") + sync(), ready("I")),
        (bind(b"", b"gone") + sync(), ready("I")),
        (parse(b"z", "bad") + sync(), failure("42601") + ready("I")),
    ]


def session_for() -> Play:
    return Play(
        {
            "begin": BEGIN,
            "commit": COMMIT,
            "phones": PHONE,
            "count": upper("count"),
            "one": ONE,
            "bad": nobody("bad"),
            "select iban": RefusedPlan(Refused("no"), "select iban"),
        }
    )


def run(play: Play) -> tuple[bool, set[int]]:
    """Plays the conversation; every ticket becomes durable at once. Says whether the session was closed."""
    session = play.session
    durable: set[int] = set()
    for sent, answer in conversation():
        todo = [session.client_data(sent), session.server_data(answer)]
        while todo:
            out = todo.pop(0)
            if out.close:
                shown = b"".join(out.to_client)
                assert b"+4" not in shown
                assert out.to_server == []
                return True, durable
            for ticket, _ in out.records:
                durable.add(ticket)
                todo.append(session.recorded(ticket))
            for attribution in out.attributions:
                todo.append(session.attributed(attribution.ticket, ["account:42"]))
    return False, durable


def test_the_conversation_runs_through() -> None:
    closed, durable = run(session_for())
    assert not closed
    assert len(durable) == 5


@pytest.mark.parametrize(("owner", "name"), STEPS, ids=[f"{owner.__name__}.{name}" for owner, name in STEPS])
def test_code_that_raises_at_any_stage_closes_both_sides(
    owner: type | ModuleType, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invariant I2: whatever function breaks, at its first call the session ends and shows nothing more."""
    called = False

    def broken(*args: object, **named: object) -> Any:
        nonlocal called
        called = True
        raise RuntimeError("a fault")

    for kind, step in session_module.STEPS.items():
        if step is getattr(owner, name):
            monkeypatch.setitem(session_module.STEPS, kind, broken)
    monkeypatch.setattr(owner, name, broken)
    closed, _ = run(session_for())
    assert closed is called
