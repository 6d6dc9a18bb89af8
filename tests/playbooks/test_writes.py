"""A change, message by message: a transaction of its own, recorded before the commit, told after it (I1)."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from seenby.model.classes import DataClass
from seenby.model.disclosure import EntryBound, QueryDisclosure
from seenby.model.people import Person
from seenby.model.plan import OutputKey, Plan, WriteAction, WritePlan
from seenby.session.outcome import Outcome
from seenby.session.record import RecordFacts, canonical
from seenby.session.session import Session
from seenby.session.writes import READ_WRITE, UNDO
from tests.playbooks.playbook import (
    BEGIN,
    BOUND,
    FACTS,
    GRANT,
    NOW,
    PARSED,
    Expected,
    Play,
    Told,
    access,
    bind,
    complete,
    describe,
    describe_portal,
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
)

DOCUMENT = (Path(__file__).parents[2] / "docs/formats/records.md").read_text()
HIDE = WritePlan(
    action=WriteAction.UPDATE,
    sql="rewritten hide",
    keys=(OutputKey("account", (("videos.id", DataClass.PUBLIC),)),),
    row=(("id", DataClass.PUBLIC), ("visibility", DataClass.PUBLIC)),
    identity=("id",),
    visible=1,
    table="videos",
    changed=("videos.visibility",),
    tables=("videos",),
    columns=("videos.id", "videos.visibility"),
    classes=(DataClass.PUBLIC,),
    parameters=1,
)
NAMED = replace(HIDE, examined="who")
COLUMNS = ("k", "id", "visibility", "id", "visibility", "caption")
BEFORE_AND_AFTER = row("42", "7", "yes", "7", "no", "cats")
PREPARED = prepared(*COLUMNS, oids=(20,))
OPENED = PARSED + BOUND + complete("SET")


class Writing(Play):
    """A play whose session may change rows."""

    def __init__(
        self,
        plans: dict[str, Plan | tuple[Plan, ...]],
        *,
        preview: bool = False,
        rows: int = 1000,
        people: int = 1000,
    ) -> None:
        super().__init__(plans)
        self.access = access(plans, people=people, rows=rows, scope=(Person("account", "42"), Person("account", "43")))
        self.session = Session(
            access=self.access,
            no_access=ValueError("not used"),  # type: ignore[arg-type]
            facts=RecordFacts(FACTS.visible, FACTS.withheld),
            clock=lambda: NOW,
            max_message=1 << 20,
            settings={},
            random=lambda size: b"\7" * size,
            preview=preview,
        )

    def _event(self, outcome: Outcome) -> Expected:
        outcome.to_client = [data for data in outcome.to_client if data]  # nothing is shown, and that costs nothing
        return super()._event(outcome)


def opening(values: bytes = text_values()) -> tuple[bytes, ...]:
    """What Postgres is asked when the statement is prepared."""
    return (
        sync(),
        parse(b"", READ_WRITE), bind(b"", b""), execute(b""),
        bind(b"", b"s1", values), execute(b""), flush(),
    )  # fmt: skip


def disclosure(seen: Expected) -> tuple[QueryDisclosure, dict[str, Any]]:
    """The next thing for the ledger, and its record."""
    _, item = seen.outcome.records[0]
    assert isinstance(item, QueryDisclosure)
    record: dict[str, Any] = json.loads(item.record + b'"}')
    return item, record


@pytest.fixture
def play() -> Writing:
    return Writing({"hide": HIDE, "select": nobody("select"), "begin": BEGIN, "both": (HIDE, nobody("x"))})


def begun(play: Writing) -> Expected:
    """Up to the moment when all rows are here."""
    play.client(query("hide")).server(parse(b"s1", HIDE.sql), describe(b"s1"), flush())
    play.postgres(PREPARED).server(*opening(text_values()))
    play.postgres(ready("I"), OPENED, BOUND, BEFORE_AND_AFTER)
    return play.postgres(complete("UPDATE 1"))


def test_recorded_then_committed_then_told(play: Writing) -> None:
    seen = begun(play)
    item, record = disclosure(seen)
    assert item.grant == bytes.fromhex(GRANT)
    assert record["change"] == {"action": "update", "columns": ["videos.visibility"], "state": "attempted"}
    assert json.loads(item.people[0].part)["changes"][0]["salt"] == "07" * 32
    for member, value in (("change", record["change"]), *json.loads(item.withheld).items()):
        if member in {"change", "changes", "settings"}:  # byte for byte as docs/formats/records.md shows them
            shown = re.sub(r"[0-9a-f]{64}", "<64 hex digits>", canonical({member: value}).decode())[1:-1]
            assert f"    {shown}\n" in DOCUMENT
    seen.ledger(1, "account:42", rows=1)
    play.recorded(1).server(sync())
    play.postgres(ready("I")).server(sync()).client_sees(heading("caption"), row("cats"), complete("UPDATE 1"))
    play.postgres(ready("I")).client_sees(ready("I"))
    play.over()


def test_what_the_client_sends_meanwhile_waits(play: Writing) -> None:
    begun(play).ledger(1, "account:42", rows=1)
    play.client(query("select"))
    assert not play.reads()
    play.recorded(1).server(sync())
    play.postgres(ready("I")).server(
        sync(), parse(b"s2", "rewritten select"), describe(b"s2"), bind(b"", b"s2"), execute(b""), sync()
    ).client_sees(heading("caption"), row("cats"), complete("UPDATE 1"))


def test_the_extended_protocol_of_a_driver(play: Writing) -> None:
    play.client(
        parse(b"", "hide"), bind(b"", b"", text_values("7"), (1,)), describe_portal(), execute(b""), sync()
    ).server(parse(b"s1", HIDE.sql), describe(b"s1"), flush())
    play.postgres(PREPARED).client_sees(PARSED, BOUND, heading("caption", formats=(1,))).server(
        sync(),
        parse(b"", READ_WRITE), bind(b"", b""), execute(b""),
        bind(b"", b"s1", text_values("7"), (0, 0, 0, 0, 0, 1)), execute(b""), flush(),
    )  # fmt: skip
    play.postgres(ready("I"), OPENED, BOUND, BEFORE_AND_AFTER)
    play.postgres(complete("UPDATE 1")).ledger(1, "account:42", rows=1)
    play.recorded(1).server(sync())
    play.postgres(ready("I")).server(sync()).client_sees(row("cats"), complete("UPDATE 1"))
    play.postgres(ready("I")).client_sees(ready("I"))
    play.over()


def test_a_statement_that_postgres_does_not_prepare(play: Writing) -> None:
    play.client(query("hide")).server(parse(b"s1", HIDE.sql), describe(b"s1"), flush())
    play.postgres(failure("42P01")).client_sees(Told("42P01")).server(sync())
    play.postgres(ready("I")).client_sees(ready("I"))
    play.over()


def test_an_error_of_the_change_names_everybody_in_the_grant(play: Writing) -> None:
    play.client(query("hide")).server(parse(b"s1", HIDE.sql), describe(b"s1"), flush())
    play.postgres(PREPARED).server(*opening())
    seen = play.postgres(ready("I"), OPENED, BOUND, failure("23514")).server(sync())
    _, record = disclosure(seen)
    assert record["change"]["state"] == "undone"
    seen.ledger(1, "account:42", "account:43", rows=0)
    play.postgres(ready("I")).server(sync())
    play.recorded(1).client_sees(Told("23514"))
    play.postgres(ready("I")).client_sees(ready("I"))
    play.over()


def test_a_parameter_that_does_not_fit_says_nothing_about_rows(play: Writing) -> None:
    play.client(query("hide")).server(parse(b"s1", HIDE.sql), describe(b"s1"), flush())
    play.postgres(PREPARED).server(*opening())
    play.postgres(ready("I"), OPENED, failure("22P02")).server(sync())
    play.postgres(ready("I")).server(sync()).client_sees(Told("22P02"))


def test_a_commit_that_fails_has_a_second_entry(play: Writing) -> None:
    begun(play).ledger(1, "account:42", rows=1)
    play.recorded(1).server(sync())
    seen = play.postgres(failure("23503"))
    item, record = disclosure(seen)
    assert record["change"]["state"] == "undone"
    assert "changes" not in json.loads(item.people[0].part)
    seen.ledger(2, "account:42", rows=0)
    play.postgres(ready("I")).server(sync())
    play.recorded(2).client_sees(Told("23503"))
    play.postgres(ready("I")).client_sees(ready("I"))
    play.over()


def test_more_rows_than_one_statement_changes(play: Writing) -> None:
    play.client(query("hide")).server(parse(b"s1", HIDE.sql), describe(b"s1"), flush())
    play.postgres(PREPARED).server(*opening())
    play.postgres(ready("I"), OPENED, BOUND, BEFORE_AND_AFTER * 21)
    play.postgres(complete("UPDATE 21")).server(parse(b"", UNDO), sync()).breach(1, "hide", "account:42")
    play.recorded(1)
    play.postgres(failure("42601"), ready("I")).server(sync()).client_sees(Told("53400", "at most 20 rows"))


def test_a_cap_of_the_grant() -> None:
    play = Writing({"hide": HIDE}, rows=1)
    play.access.usage.rows = 1
    play.client(query("hide")).server(parse(b"s1", HIDE.sql), describe(b"s1"), flush())
    play.postgres(PREPARED).server(*opening())
    play.postgres(ready("I"), OPENED, BOUND, BEFORE_AND_AFTER)
    play.postgres(complete("UPDATE 1")).server(parse(b"", UNDO), sync()).breach(1, "hide", "account:42")


def nothing_changed(play: Writing) -> Expected:
    """Up to the moment when it is known that no row fits."""
    play.client(query("hide")).server(parse(b"s1", HIDE.sql), describe(b"s1"), flush())
    play.postgres(PREPARED).server(*opening())
    play.postgres(ready("I"), OPENED, BOUND)
    return play.postgres(complete("UPDATE 0"))


def looked_into(item: QueryDisclosure) -> None:
    """Everybody in the grant was examined, and nobody more is known to be concerned."""
    assert [one.person for one in item.people] == ["account:42", "account:43"]
    for one in item.people:
        assert json.loads(one.part) == {"classes": ["public"], "columns": ["videos.id"], "how": "examined", "v": 1}
    assert item.bound is EntryBound.UPPER


@pytest.mark.parametrize("preview", [False, True], ids=["for real", "preview"])
def test_that_no_row_fits_is_an_answer_about_everybody_in_the_grant(preview: bool) -> None:
    play = Writing({"hide": HIDE}, preview=preview)
    seen = nothing_changed(play)
    item, record = disclosure(seen)
    assert record["change"]["state"] == ("previewed" if preview else "attempted")
    looked_into(item)
    seen.ledger(1, "account:42", "account:43", rows=0)  # and nothing is told
    play.recorded(1).server(*((parse(b"", UNDO), sync()) if preview else (sync(),)))
    if preview:
        play.postgres(failure("42601"))
    told = [heading("row", "column", "before", "after"), complete("SELECT 0")]
    if not preview:
        told = [heading("caption"), complete("UPDATE 0")]
    play.postgres(ready("I")).server(sync()).client_sees(*told)
    play.postgres(ready("I")).client_sees(ready("I"))
    play.over()


def looked_up(play: Writing) -> Expected:
    """No row fits a statement that names whom it is about."""
    play.client(query("named")).server(parse(b"s1", HIDE.sql), describe(b"s1"), flush())
    play.postgres(PREPARED).server(*opening())
    play.postgres(ready("I"), OPENED, BOUND)
    return play.postgres(complete("UPDATE 0")).server(
        parse(b"", "who", (20,)), bind(b"", b"", text_values()), execute(b""), flush()
    )


def test_whom_the_statement_names_is_asked_in_its_transaction() -> None:
    play = Writing({"named": NAMED})
    assert not looked_up(play).outcome.records
    seen = play.postgres(PARSED, BOUND, row("account", "43"), complete("SELECT 1"))
    item, record = disclosure(seen)
    assert record["change"]["state"] == "attempted"
    assert item.bound is EntryBound.EXACT
    assert json.loads(item.people[0].part)["how"] == "examined"
    seen.ledger(1, "account:43", rows=0)
    play.recorded(1).server(sync())
    play.postgres(ready("I")).server(sync()).client_sees(heading("caption"), complete("UPDATE 0"))
    play.postgres(ready("I")).client_sees(ready("I"))
    play.over()


def test_somebody_who_is_not_there_could_be_anybody() -> None:
    play = Writing({"named": NAMED})
    looked_up(play)
    seen = play.postgres(PARSED, BOUND, complete("SELECT 0"))
    looked_into(disclosure(seen)[0])


@pytest.mark.parametrize("state", ["22P02", "57014"])
def test_when_it_cannot_be_said_whom_it_names_it_is_an_error_about_anybody(state: str) -> None:
    """A cancel too: that it came so late tells that no row fits."""
    play = Writing({"named": NAMED})
    looked_up(play)
    seen = play.postgres(PARSED, failure(state)).server(sync())
    assert disclosure(seen)[1]["change"]["state"] == "undone"
    seen.ledger(1, "account:42", "account:43", rows=0)
    play.postgres(ready("I")).server(sync())
    play.recorded(1).client_sees(Told(state))


def test_looking_everybody_up_counts_against_the_cap() -> None:
    play = Writing({"hide": HIDE}, people=1)
    seen = nothing_changed(play).server(parse(b"", UNDO), sync())
    item, record = disclosure(seen)
    assert record["change"]["state"] == "undone"
    looked_into(item)
    seen.breach(1, "hide", "account:42", "account:43")
    play.recorded(1)
    play.postgres(failure("42601"), ready("I")).server(sync()).client_sees(Told("53400", "more people than the 1"))


def test_a_commit_of_nothing_that_fails_is_about_everybody_too(play: Writing) -> None:
    nothing_changed(play).ledger(1, "account:42", "account:43", rows=0)
    play.recorded(1).server(sync())
    seen = play.postgres(failure("40001"))
    item, record = disclosure(seen)
    assert record["change"]["state"] == "undone"
    looked_into(item)
    seen.ledger(2, "account:42", "account:43", rows=0)
    play.postgres(ready("I")).server(sync())
    play.recorded(2).client_sees(Told("40001"))


def test_a_preview_is_recorded_and_taken_back() -> None:
    play = Writing({"hide": HIDE}, preview=True)
    seen = begun(play)
    item, record = disclosure(seen)
    assert record["change"]["state"] == "previewed"
    assert "changes" not in json.loads(item.people[0].part)
    seen.ledger(1, "account:42", rows=1)
    play.recorded(1).server(parse(b"", UNDO), sync())
    play.postgres(failure("42601"))
    play.postgres(ready("I")).server(sync()).client_sees(
        heading("row", "column", "before", "after"), row("videos id=7", "visibility", "yes", "no"), complete("SELECT 1")
    )
    play.postgres(ready("I")).client_sees(ready("I"))
    play.over()


def test_a_change_stands_alone_in_its_message(play: Writing) -> None:
    play.client(query("both")).client_sees(Told("25001", "stands alone")).server(sync())
    play.postgres(ready("I")).client_sees(ready("I"))
    play.over()


def test_and_outside_of_a_transaction_block(play: Writing) -> None:
    play.client(query("begin"))
    play._last.outcome.to_server.clear()
    play.postgres(PARSED, BOUND, complete("BEGIN"), ready("T")).client_sees(complete("BEGIN"), ready("T"))
    seen = play.client(query("hide"))
    assert READ_WRITE.encode() not in b"".join(seen.outcome.to_server)
    seen.outcome.to_server.clear()
    play.postgres(failure("42601"), ready("E")).client_sees(Told("25001", "stands alone"), ready("E"))


def test_a_row_without_its_hidden_columns_closes_both_sides(play: Writing) -> None:
    play.client(query("hide")).server(parse(b"s1", HIDE.sql), describe(b"s1"), flush())
    play.postgres(PREPARED).server(*opening())
    play.postgres(ready("I"), OPENED, BOUND, row("42", "7")).client_sees(Told("08P01", fatal=True)).closes()


def test_a_session_that_ends_before_the_commit_never_commits(play: Writing) -> None:
    begun(play).ledger(1, "account:42", rows=1)
    play.session.closed = True
    play.recorded(1)
    play.over()
