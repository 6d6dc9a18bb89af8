"""Staff ask attached databases through the running gateway: every answer is right, nobody is missing, nothing crashes.

Three small platforms with questions written by hand (``queries``), an attic of odd things, and schemas of other
people's platforms with rows made up. What a grant shows and whose it is comes from a second reading of the data map
(tests/fixtures/reading.py); right is what Postgres answers on a database that holds only that.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from seenby.cli.sample import sample
from tests.conformance.attach.asked import Answer, Granted, Office, Refusal, check, classes, office, rows_of
from tests.conformance.attach.filled import Filler
from tests.fixtures.attached import Fill
from tests.fixtures.reading import Name, place, written
from tests.fixtures.staff_queries import Generator, Question, joins_of

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("attached")]

HERE = Path(__file__).parent
LONG = os.environ.get("SEENBY_CAMPAIGN") == "long"
QUERIES = 400 if LONG else 20  # a grant
DELETED = 40 if LONG else 5  # people, a grant
SMALL = ("village", "bazaar", "whisper")
OTHERS = tuple(sorted(path.stem for path in (HERE / "schemas").glob("*.sql"))) if LONG else ("maps", "teams")
NAMES = (*SMALL, "attic", *OTHERS)

GRANTS = {
    "one": (classes(), 1),
    "some": (classes(), 10),
    "part": (classes("public", "contact", "content", "communication"), 10),
    "wide": (classes(), None),
    "mixed": (
        classes("contact", "location", homes=["eu"]) | classes("public", "identity", "behaviour", "content"),
        None,
    ),
}
EDITS = {
    "attic": (
        (
            '[tables."billing.lines"]\nkey = []\nnobody = true\n',
            '[tables."billing.lines"]\nkey = []\n'
            'owners = [{ kind = "user", path = ["tenant, number -> billing.invoices.tenant, number", "user_id"] }]\n',
        ),
        (
            'owners = [{ kind = "user", path = "reporter_user_id" }]\n',
            'owners = [\n  { kind = "user", path = "reporter_user_id" },\n'
            '  { kind = "user", path = ["thing_id -> notes.id when thing_type = Big Note", "user_id"],'
            " nullable = true },\n]\n",
        ),
        (
            '[tables."billing.notes".columns]\n',
            '[tables."billing.notes".staff_writable]\nupdate = ["body"]\n[tables."billing.notes".columns]\n',
        ),
    )
}
"""What somebody who knows the platform corrects in the map."""
ANSWERS = {"teams": {"members.channels": "channelmembers.userid"}}
"""Where not the first answer is given: what is said in channels belongs to every member, so no grant shows it."""


@pytest.fixture(scope="module")
def here(request: pytest.FixtureRequest) -> Iterator[Office]:
    """The platform of that name, attached, with its gateway running."""
    name = request.param
    (file,) = (
        folder / f"{name}.sql"
        for folder in (HERE / "small", HERE / "odd", HERE / "schemas")
        if (folder / f"{name}.sql").exists()
    )
    script = file.read_text("utf-8").replace("'uk'", "'us'")  # a region that the staff's directory knows
    fill: Fill | None = Filler.write if file.parent.name == "schemas" else None
    grants = {title: terms for title, terms in GRANTS.items() if LONG or not fill or title in {"some", "part", "wide"}}
    with office(
        name, script, grants, answers=ANSWERS.get(name), edits=EDITS.get(name, ()), fill=fill, pick=_pick(name)
    ) as made:
        yield made


def _pick(what: str) -> random.Random:
    return random.Random(f"{os.environ['SEENBY_SEED']} {what}")


@pytest.mark.parametrize("here", NAMES, indirect=True)
def test_every_table_shows_what_the_map_says(here: Office) -> None:
    for grant in here.grants.values():
        assert grant.reading.shown
        with here.connect(grant) as connection:
            for table in grant.reading.shown:
                theirs = {one for people in grant.people[table].values() for one in people}
                text = f"SELECT * FROM {place(table)}"
                answer = here.ask(connection, text)
                assert answer.rows == rows_of(grant.copy, text), (grant.name, text)
                assert answer.people == theirs, (grant.name, text)
            for table in here.rows.tables.keys() - grant.reading.shown.keys():
                answer = here.ask(connection, f"SELECT 1 FROM {place(table)}")
                assert isinstance(answer.rows, Refusal), (grant.name, table)
                assert answer.rows.sqlstate == "42501", (grant.name, table)


@pytest.mark.parametrize("here", SMALL, indirect=True)
def test_questions_by_hand(here: Office) -> None:
    lines = (HERE / "queries" / f"{here.made.name}.sql").read_text("utf-8").splitlines()
    texts = [line for line in lines if line and not line.startswith("--")]
    for grant in here.grants.values():
        answered = examine(here, grant, [Question(text, text) for text in texts])
        # These two show everything; what is refused tries to link people, or is a mistake.
        if grant.name in {"some", "wide"}:
            assert answered > len(texts) * 3 // 4, grant.name


@pytest.mark.parametrize("here", NAMES, indirect=True)
def test_generated_questions(here: Office) -> None:
    pick = _pick(f"asks {here.made.name}")
    for grant in here.grants.values():
        generator = Generator(grant.reading, pick, joins_of(grant.reading))
        answered = examine(here, grant, [generator.ask() for _ in range(QUERIES)])
        assert answered > QUERIES * 3 // 4, grant.name


def examine(here: Office, grant: Granted, questions: Iterable[Question]) -> int:
    """Asks them all and holds answers and people against the copy. How many were answered."""
    asked: list[tuple[Question, Answer]] = []
    with here.connect(grant) as connection:
        for question in questions:
            answer = here.ask(connection, question.text)
            assert not (wrong := check(grant, question.text, answer)), (grant.name, question.text, wrong)
            if isinstance(answer.rows, Refusal):
                continue
            if question.source and answer.exact:
                assert answer.people == grant.owners(*question.source), (grant.name, question.text)
            asked.append((question, answer))
    people = grant.everybody()
    whole = [rows_of(grant.copy, question.text) for question, _ in asked]
    for person in _pick(grant.id).sample(people, min(DELETED, len(people))):
        with grant.without(person):
            for (question, answer), before in zip(asked, whole, strict=True):
                if person not in answer.people | answer.examined:
                    now = rows_of(grant.copy, question.text)
                    assert now == before, (grant.name, question.text, f"{person} is missing")
    return len(asked)


@pytest.mark.parametrize("here", NAMES, indirect=True)
def test_what_is_theirs(here: Office, capsys: pytest.CaptureFixture[str]) -> None:
    """`seenby sample` names every row of a person, and none of others. Whose key is empty cannot be asked about."""
    kinds = here.rows.mapped["people"]
    listed = [(k, key) for k, key in here.rows.people if kinds[k].get("account", True) and key and "\n" not in key]
    for kind, key in _pick(f"samples {here.made.name}").sample(listed, 5):
        capsys.readouterr()
        sample(f"{kind}:{key}", here.made.dsn, map_=here.made.map, json_=True)
        ways = json.loads(capsys.readouterr().out)["paths"]
        found = {(way["table"], row) for way in ways for row in way["keys"] if row is not None}
        theirs = {
            (written(table), _key(here, table, row))
            for table, rows in here.rows.owned.items()
            for row, owners in rows
            if here.rows.tables[table]["key"] and any(owner[:2] == (kind, key) for owner in owners or ())
        }
        assert found == theirs, (kind, key)


def _key(here: Office, table: Name, row: dict[str, str | None]) -> str:
    return ", ".join(value for column in here.rows.tables[table]["key"] if (value := row[column]) is not None)
