"""EXPLAIN: Postgres's whole plan is asked for as JSON; the client sees what the grant shows, once it is recorded."""

from __future__ import annotations

import json

from seenby.model.plan import Bound, Explaining, QueryPlan
from seenby.wire import backend
from seenby.wire.backend import Field
from tests.playbooks.playbook import (
    BOUND,
    Play,
    Told,
    bind,
    complete,
    describe,
    exact,
    execute,
    fields,
    flush,
    parse,
    prepared,
    query,
    ready,
    row,
    suspended,
    sync,
)

PLAN = [
    {
        "Plan": {
            "Node Type": "Subquery Scan",
            "Alias": "accounts",
            "Plans": [
                {"Node Type": "Seq Scan", "Relation Name": "accounts", "Schema": "public", "Filter": "(s.x = 1)"}
            ],
        }
    }
]
LINES = ("Subquery Scan on accounts", "  ->  Seq Scan on accounts")
DONE = complete("EXPLAIN")


def explain(form: str) -> QueryPlan:
    names = frozenset({"accounts"})
    what = Explaining(form, frozenset({("public", "accounts")}), names, *(frozenset[str](),) * 4)
    return QueryPlan(f"EXPLAIN {form}", Bound.NOBODY, 1, tables=("accounts",), tag="EXPLAIN", explains=what)


TEXT, JSON = explain("text"), explain("json")


def column(oid: int = 25) -> bytes:
    return backend.row_description((Field(b"QUERY PLAN", oid, -1, -1),))


def test_each_line_of_text_is_a_row_and_waits_for_the_ledger() -> None:
    play = Play({"explain": TEXT})
    play.client(query("explain")).server(
        parse(b"s1", TEXT.sql), describe(b"s1"), bind(b"", b"s1"), execute(b""), sync()
    )
    play.postgres(prepared("QUERY PLAN"), BOUND).client_sees(column())
    play.postgres(row(json.dumps(PLAN)), DONE, ready("I")).ledger(1, rows=0)
    play.recorded(1).client_sees(row(LINES[0]), row(LINES[1]), DONE, ready("I"))
    play.over()


def test_json_has_its_own_type_and_is_one_row() -> None:
    play = Play({"explain": JSON})
    play.client(parse(b"p", "explain"), describe(b"p"), bind(b"", b"p"), execute(b""), sync()).server(
        parse(b"s1", JSON.sql), describe(b"s1"), bind(b"", b"s1"), execute(b""), sync()
    )
    described = backend.PARSE_DONE + backend.parameter_description(()) + column(114)
    play.postgres(prepared("QUERY PLAN"), BOUND).client_sees(described, BOUND)
    play.postgres(row(json.dumps(PLAN)), DONE, ready("I")).ledger(1, rows=0)
    inner = {"Node Type": "Seq Scan", "Relation Name": "accounts"}
    shown = [{"Plan": {"Node Type": "Subquery Scan", "Alias": "accounts", "Plans": [inner]}}]
    play.recorded(1).client_sees(row(json.dumps(shown, indent=2)), DONE, ready("I"))
    play.over()


def test_a_large_plan_is_not_told_in_parts() -> None:
    """A part of a plan could not be read, so nothing of it is told before its end."""
    play = Play({"explain": TEXT})
    play.client(query("explain")).server(
        parse(b"s1", TEXT.sql), describe(b"s1"), bind(b"", b"s1"), execute(b""), sync()
    )
    play.postgres(prepared("QUERY PLAN"), BOUND).client_sees(column())
    plan = [{"Plan": {"Node Type": "Append", "Output": ["x" * 300_000], "Plans": [{"Node Type": "Result"}] * 2}}]
    play.postgres(row(json.dumps(plan)))
    play.postgres(DONE, ready("I")).ledger(1, rows=0)
    play.recorded(1).client_sees(row("Append"), row("  ->  Result"), row("  ->  Result"), DONE, ready("I"))
    play.over()


def test_text_in_portions_is_refused() -> None:
    play = Play({"explain": TEXT})
    play.client(parse(b"", "explain"), bind(b"", b""), execute(b"", 1), sync()).server(
        parse(b"s1", TEXT.sql), describe(b"s1"), bind(b"", b"s1"), flush(), sync()
    )
    play.postgres(prepared("QUERY PLAN"), BOUND).client_sees(backend.PARSE_DONE, BOUND, Told("0A000", "in portions"))
    play.postgres(ready("I")).client_sees(ready("I"))
    play.over()


def test_one_row_of_json_may_be_fetched_as_one() -> None:
    play = Play({"explain": JSON})
    play.client(parse(b"", "explain"), bind(b"", b""), execute(b"", 1), flush()).server(
        parse(b"s1", JSON.sql), describe(b"s1"), bind(b"", b"s1"), execute(b"", 1), flush()
    )
    play.postgres(prepared("QUERY PLAN"), BOUND).client_sees(backend.PARSE_DONE, BOUND)
    plan = json.dumps([{"Plan": {"Node Type": "Result"}}], indent=2)
    play.postgres(row(plan), suspended).ledger(1, rows=0, final=False)
    play.recorded(1).client_sees(row(plan), suspended)
    play.client(execute(b"", 1), sync()).server(execute(b"", 1), sync())
    play.postgres(DONE, ready("I")).ledger(2, rows=0, part=1)
    play.recorded(2).client_sees(DONE, ready("I"))
    play.over()


def test_an_answer_of_another_form_closes_both_sides() -> None:
    two = row(json.dumps(PLAN)) * 2
    for answer in (row("Seq Scan on accounts"), row(None), two, b"", row("[]")):
        play = Play({"explain": TEXT})
        play.client(query("explain")).server(
            parse(b"s1", TEXT.sql), describe(b"s1"), bind(b"", b"s1"), execute(b""), sync()
        )
        play.postgres(prepared("QUERY PLAN"), BOUND).client_sees(column())
        play.postgres(answer, DONE, ready("I")).client_sees(Told("08P01", fatal=True)).closes()
        play.over()


def test_other_statements_are_described_as_before() -> None:
    plan = exact("phone")
    play = Play({"phone": plan})
    play.client(query("phone")).server(parse(b"s1", plan.sql), describe(b"s1"), bind(b"", b"s1"), execute(b""), sync())
    play.postgres(prepared("k0", "phone"), BOUND).client_sees(backend.row_description(fields("phone")))
    play.over()
