"""A statistic: who stands behind it is counted first, and what is sent to Postgres afterwards depends on it.

Nobody is behind these figures but whom the cohort query's rows say: one group, all of its people in one bucket.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from seenby.errors import GrantEnded
from seenby.model.plan import Bound, Plan, QueryPlan
from seenby.model.statistic import CohortQuery, Level
from tests.playbooks.playbook import (
    BEGIN,
    BOUND,
    PARSED,
    Play,
    Told,
    bind,
    complete,
    describe,
    describe_portal,
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
    sync,
    text_values,
    upper,
)

GROUP = Level(("account",), (("accounts",),), 0, shown=True, lone=True)
COHORT = CohortQuery("cohort count", 10, (GROUP,), grouped=False, filtered=False, steady=False)


def statistic(instead: QueryPlan | None, parameters: int = 0) -> QueryPlan:
    """``instead``: how it is answered where everybody must be named; None: under a grant for statistics alone."""
    return replace(
        upper("count", parameters=parameters), sql="figures", bound=Bound.STATISTIC, cohort=COHORT, instead=instead
    )


ALONE, BY_KEYS, BY_COMPANION = statistic(None), statistic(exact("count")), statistic(upper("count"))
COUNTED = prepared(*"lgjbpkr")


def people(number: int, key: int = 1) -> bytes:
    """The rows of the cohort query."""
    return BOUND + row("0", "1", "1", "0", f"{number}", f"{key}", f"{key}") + complete(1)


def asked(name: bytes) -> bytes:
    return parse(name, COHORT.sql) + describe(name) + bind(b"", name) + execute(b"")


def begun(plan: Plan) -> Play:
    """``count`` was sent; Postgres has described it, and is asked for its people."""
    play = Play({"count": plan})
    play.client(query("count")).server(parse(b"s1", "figures"), describe(b"s1"), asked(b"s2"), flush())
    return play


@pytest.mark.parametrize("plan", [ALONE, BY_KEYS, BY_COMPANION])
def test_figures_are_asked_for_when_their_people_are_counted_and_nobody_is_named(plan: QueryPlan) -> None:
    play = begun(plan)
    play.postgres(prepared("n"), COUNTED, people(10)).server(bind(b"", b"s1"), execute(b""), sync())
    play.postgres(BOUND, row("10"), complete(1), ready("I")).client_sees(heading("n")).ledger(1, rows=1)
    play.recorded(1).client_sees(row("10"), complete(1), ready("I"))
    play.over()


def test_of_too_few_people_another_text_is_sent_whose_rows_bring_their_keys() -> None:
    play = begun(BY_KEYS)
    named = exact("count")
    play.postgres(prepared("n"), COUNTED, people(2)).server(
        parse(b"s3", named.sql), describe(b"s3"), bind(b"", b"s3"), execute(b""), sync()
    )
    play.postgres(prepared("k", "n"), BOUND, row("42", "2"), row("43", "2"), complete(2)).client_sees(
        heading("n")
    ).ledger(1, "account:42", "account:43", rows=2)
    play.postgres(ready("I"))
    play.recorded(1).client_sees(row("2"), row("2"), complete(2), ready("I"))
    play.over()


def test_or_a_companion_names_them_which_is_not_asked_before() -> None:
    play = begun(BY_COMPANION)
    play.postgres(prepared("n"), COUNTED, people(2)).server(
        parse(b"s3", "rewritten count"), describe(b"s3"),
        parse(b"s4", "companion count"), describe(b"s4"), bind(b"", b"s4"), execute(b""),
        bind(b"", b"s3"), execute(b""), sync(),
    )  # fmt: skip
    play.postgres(
        prepared("n"), prepared("kind", "key"), BOUND, row("account", "42"), complete(1), BOUND, row("1"), complete(1)
    ).client_sees(heading("n")).ledger(1, "account:42", rows=1)
    play.postgres(ready("I"))
    play.recorded(1).client_sees(row("1"), complete(1), ready("I"))
    play.over()


def test_a_statistic_that_is_refused_is_never_run() -> None:
    play = begun(ALONE)
    play.postgres(prepared("n"), COUNTED, people(9)).attempt(1, "count", "53400").server(sync())
    play.postgres(ready("I"))
    play.recorded(1).client_sees(Told("53400", "fewer than 10 people"), ready("I"))
    play.over()


def test_what_the_client_sends_meanwhile_waits_for_the_decision() -> None:
    """Bind, Describe, Execute and a second query in one piece: the portal is of the text that was chosen."""
    play = Play({"count": statistic(exact("count", parameters=1), parameters=1), "phones": exact("phones")})
    values = text_values("7")
    play.client(parse(b"", "count"), sync()).server(parse(b"s1", "figures"), describe(b"s1"), sync())
    play.postgres(prepared("n", oids=(20,)), ready("I")).client_sees(PARSED, ready("I"))
    play.client(bind(b"p", b"", values), describe_portal(b"p"), execute(b"p"), sync(), query("phones")).server(
        parse(b"s2", COHORT.sql, (20,)), describe(b"s2"), bind(b"", b"s2", values), execute(b""), flush()
    )
    assert not play.reads()
    named = exact("count").sql
    play.postgres(prepared(*"lgjbpkr", oids=(20,)), people(3)).server(
        parse(b"s3", named, (20,)), describe(b"s3"), bind(b"p1", b"s3", values), execute(b"p1"), sync(),
        parse(b"s4", exact("phones").sql), describe(b"s4"), bind(b"", b"s4"), execute(b""), sync(),
    )  # fmt: skip
    assert play.reads()
    play.postgres(prepared("k", "n", oids=(20,)), BOUND, row("42", "3"), complete(1), ready("I")).client_sees(
        BOUND, heading("n")
    ).ledger(1, "account:42", rows=1)
    play.postgres(prepared("k", "phone"), BOUND, row("42", "+44"), complete(1), ready("I")).ledger(
        2, "account:42", rows=1
    )
    play.recorded(1).client_sees(row("3"), complete(1), ready("I"), heading("phone"))
    play.recorded(2).client_sees(row("+44"), complete(1), ready("I"))
    play.over()


def test_a_bind_alone_goes_on_by_itself_and_keys_come_as_text() -> None:
    """Nothing else need come from the client for that."""
    play = Play({"count": BY_KEYS})
    play.client(parse(b"", "count"), sync()).server(parse(b"s1", "figures"), describe(b"s1"), sync())
    play.postgres(prepared("n"), ready("I")).client_sees(PARSED, ready("I"))
    play.client(bind(b"", b"", formats=(1,))).server(asked(b"s2"), flush())
    assert play.reads()
    play.postgres(COUNTED, people(2)).server(
        parse(b"s3", exact("count").sql), describe(b"s3"), bind(b"", b"s3", formats=(0, 1))
    )
    play.over()


def test_after_a_refusal_everything_up_to_sync_is_passed_over_and_the_rest_is_not() -> None:
    play = Play({"count": ALONE, "phones": exact("phones")})
    play.client(parse(b"", "count"), sync()).server(parse(b"s1", "figures"), describe(b"s1"), sync())
    play.postgres(prepared("n"), ready("I")).client_sees(PARSED, ready("I"))
    play.client(bind(b"", b""), execute(b""), bind(b"", b""), execute(b""), sync(), query("phones")).server(
        asked(b"s2"), flush()
    )
    play.postgres(COUNTED, people(3)).attempt(1, "count", "53400").server(
        sync(), parse(b"s3", exact("phones").sql), describe(b"s3"), bind(b"", b"s3"), execute(b""), sync()
    )
    play.recorded(1).client_sees(Told("53400"))
    play.postgres(ready("I")).client_sees(ready("I"))
    play.over()


def test_where_the_people_cannot_be_counted_nothing_else_is_sent() -> None:
    """The statement behind it is not run either: neither of one message, nor of one batch."""
    play = Play({"count; phones": (BY_KEYS, exact("phones"))})
    play.client(query("count; phones")).server(parse(b"s1", "figures"), describe(b"s1"), asked(b"s2"), flush())
    play.postgres(prepared("n"), failure("42501")).client_sees(Told("42501")).server(sync())
    play.postgres(ready("I")).client_sees(ready("I"))
    play.over()


def test_statements_of_one_message_go_on_behind_it() -> None:
    play = Play({"count; phones": (BY_KEYS, exact("phones"))})
    play.client(query("count; phones")).server(parse(b"s1", "figures"), describe(b"s1"), asked(b"s2"), flush())
    play.postgres(prepared("n"), COUNTED, people(10)).server(
        bind(b"", b"s1"), execute(b""),
        parse(b"s3", exact("phones").sql), describe(b"s3"), bind(b"", b"s3"), execute(b""), sync(),
    )  # fmt: skip
    play.postgres(BOUND, row("10"), complete(1)).client_sees(heading("n")).ledger(1, rows=1)
    play.over()


def test_a_refused_statistic_fails_its_transaction() -> None:
    play = Play({"begin": BEGIN, "count": ALONE})
    play.client(query("begin")).server(parse(b"", "BEGIN"), bind(b"", b""), execute(b""), sync())
    play.postgres(PARSED, BOUND, complete("BEGIN"), ready("T")).client_sees(complete("BEGIN"), ready("T"))
    play.client(query("count")).server(parse(b"s1", "figures"), describe(b"s1"), asked(b"s2"), flush())
    play.postgres(prepared("n"), COUNTED, people(3)).attempt(1, "count", "53400").server(sync())
    play.recorded(1).client_sees(Told("53400"))
    poison = play.postgres(ready("T"))
    poison.server(parse(b"", "seenby refused the statement"), sync())
    play.postgres(failure("42601"), ready("E")).client_sees(ready("E"))
    play.over()


def test_a_grant_that_ends_meanwhile_ends_the_session_and_nothing_is_sent() -> None:
    play = begun(BY_KEYS)
    play.access.ended = GrantEnded("grant 6f was revoked", hint="ask for another")
    play.postgres(prepared("n"), COUNTED, people(2)).client_sees(Told("57P01", fatal=True)).closes()
    play.over()
