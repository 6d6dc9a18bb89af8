"""Questions in the terminal, one key each; what people changed in the map stays."""

from __future__ import annotations

import io
import tomllib
from collections.abc import Iterator

from rich.console import Console

from seenby.attach.merge import merge
from seenby.attach.proposal import Answer
from seenby.attach.propose import propose
from seenby.attach.write import to_toml
from seenby.cli.attach_review import Reviewer
from seenby.datamap import TableName
from tests.unit.attach.build import database

DATABASE = database(
    users="id*, email, password_hash, country",
    letters="id*, sender_id, recipient_id, body",
    rooms="id*, topic",
    documents="id*, title",
    blocked="id*, email",
)


def review(keys: str) -> tuple[dict[str, Answer], str]:
    """Plays the keys until they end; returns the answers and what was on the screen."""
    screen = io.StringIO()
    pressed: Iterator[str] = iter(keys)
    reviewer = Reviewer(
        Console(file=screen, width=200), "ana", lambda: "2026-11-29T08:00:00Z", lambda: next(pressed, "")
    )
    answers: dict[str, Answer] = {}
    proposal = propose(DATABASE, {}, answers)
    while question := reviewer.next(proposal.questions):
        for answer in reviewer.ask(question, len(proposal.questions)):
            answers[answer.subject] = answer
        proposal = propose(DATABASE, {}, answers)
    return answers, screen.getvalue()


def test_the_most_valuable_first() -> None:
    questions = propose(DATABASE, {}, {}).questions
    assert [one.value for one in questions] == sorted((one.value for one in questions), reverse=True)
    assert {one.subject for one in questions} == {
        "references to users.id", "people.users.region", "tables about nobody", "tables.blocked",
    }  # fmt: skip


def test_one_key_answers() -> None:
    answers, screen = review("l" + "y" + "n" + "1")
    assert {one.answer for one in answers.values()} == {"local", "users.id", "nobody", "contact:email"}
    assert all(one.by == "ana" for one in answers.values())
    assert "letters.sender_id -> users.id" in screen
    text = to_toml(propose(DATABASE, {}, answers))
    assert tomllib.loads(text)["people"]["blocked"] == {
        "table": "blocked", "key": "email", "account": False, "region": "local",
    }  # fmt: skip
    assert propose(DATABASE, {}, answers).questions == (), "nothing is asked twice"


def test_skip_and_stop() -> None:
    assert review("sq")[0] == {}
    assert review("")[0] == {}
    answers, screen = review("l" + "x" + "q")
    assert list(answers) == ["people.users.region"]
    assert "press one of y n e s q" in screen


def test_asked_one_by_one() -> None:
    answers, _ = review("l" + "e" + "y" + "n" + "q")
    given = {one.subject: one.answer for one in answers.values() if one.subject.startswith("references")}
    assert sorted(given) == ["references.letters.recipient_id", "references.letters.sender_id"]
    assert sorted(given.values()) == ["no", "users.id"]


def test_what_people_changed_stays() -> None:
    machine = to_toml(propose(DATABASE, {}, {}))
    edited = machine.replace('body = "communication"', 'body = { class = "communication", mask = "empty" }')
    edited = edited.replace('mask = ["contact", "identity", "location"]', 'mask = ["contact"]')
    assert edited != machine
    answer = Answer("tables.rooms", "nobody", "ana", "2026-11-29T08:00:00Z")
    newer = to_toml(propose(DATABASE, {}, {"tables.rooms": answer}))
    text, kept = merge(edited, (machine,), newer, decided={"rooms"})
    assert kept == ["tables.letters"]
    written = tomllib.loads(text)
    assert written["tables"]["letters"]["columns"]["body"] == {"class": "communication", "mask": "empty"}
    assert written["tables"]["rooms"]["nobody"] is True
    assert written["mask"] == ["contact"]
    assert written["answers"][0]["subject"] == "tables.rooms"


def test_a_table_that_people_added_stays() -> None:
    machine = to_toml(propose(DATABASE, {}, {}))
    edited = machine + '\n# by hand\n[tables."old.things"]\nrefused = "gone soon"\n'
    text, kept = merge(edited, (machine,), machine)
    assert kept == ['tables."old.things"']
    assert tomllib.loads(text)["tables"]["old.things"] == {"refused": "gone soon"}


def test_a_changed_database_changes_the_rest() -> None:
    machine = to_toml(propose(DATABASE, {}, {}))
    grown = database(
        users="id*, email, password_hash, country", letters="id*, sender_id, recipient_id, body", notes="id*, user_id"
    )
    newer = to_toml(propose(grown, {}, {}))
    text, kept = merge(machine, (machine,), newer)
    assert (text, kept) == (newer, [])
    assert TableName("public", "notes") in propose(grown, {}, {}).tables
