"""Keys of people inside arrays and JSON: found, asked about, and shown to nobody until somebody decides."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from seenby.attach.inside import sampled
from seenby.attach.inspection import Contained, FoundColumn, Inspection, Trial
from seenby.attach.proposal import Answer, Proposal
from seenby.attach.propose import propose, trials
from seenby.datamap import TableName
from seenby.model.classes import DataClass
from tests.unit.attach.build import column, database

NOTES = TableName("public", "notes")
NUMBERS = tuple(str(number) for number in range(1, 13))


def holding(made: FoundColumn, *, owned: bool = True, key: str = "int") -> Inspection:
    """Users, and a table with one more column: of a user each, or of nobody."""
    owner = f", user_id {key} -> users.id" if owned else ""
    inspection = database(users=f"id* {key}, email, password_hash", notes=f"id*{owner}, body")
    table = inspection.tables[NOTES]
    return replace(
        inspection,
        tables={**inspection.tables, NOTES: replace(table, columns={**table.columns, made.name: made})},
    )


def array(name: str, element: str, samples: tuple[str, ...] = ()) -> FoundColumn:
    return FoundColumn(name, f"{element}[]", f"_{element}", "b", element=element, samples=samples)


def document(name: str, *values: object) -> FoundColumn:
    return column(name, "json", tuple(json.dumps(value) for value in values))


def proposed(inspection: Inspection, share: float = 1.0, answer: str = "", subject: str = "") -> Proposal:
    """As if ``share`` of all looked-up values were there."""
    seen: Mapping[Trial, Contained] = {one: Contained(20, int(20 * share)) for one in trials(inspection, {})}
    told = {subject: Answer(subject, answer, "ana", "2026-11-29T08:00:00Z")} if subject else {}
    return propose(inspection, seen, told)


def is_closed(proposal: Proposal, name: str) -> bool:
    """Unclassified, with a sentence, and a question that could change it."""
    verdict = proposal.tables[NOTES].columns[name]
    asked = [part.subject for one in proposal.questions for part in (one, *one.parts)]
    about_people = "may hold keys of people" in verdict.reason
    assert about_people == (f"columns.notes.{name}" in asked)
    return verdict.data_class is None and about_people


@pytest.mark.parametrize(
    "made",
    [
        array("participants", "int8", ("{1,2,3}", "{4}")),
        array("participants", "int8"),
        document("payload", {"user_id": 4}, {"user_id": 5}, {"user_id": 6}),
        document("payload", {"sender": {"id": 4}}, {"sender": {"id": 5}}, {"sender": {"id": 6}}),
        document("payload", {"to": [{"userId": 4}, {"userId": 5}, {"userId": 6}]}),
        document("participants", [1, 2, 3], [4]),
        document("seen_by", dict.fromkeys(NUMBERS[:6], True), dict.fromkeys(NUMBERS[6:], False)),
    ],
)
def test_what_its_name_says_is_people(made: FoundColumn) -> None:
    assert is_closed(proposed(holding(made)), made.name)


def test_keys_of_other_types() -> None:
    uuids = array("member_ids", "uuid", ("{6f1d0c0e-0000-4000-8000-000000000001}",))
    assert is_closed(proposed(holding(uuids, key="uuid")), "member_ids")
    texts = column("extra", samples=('{"author": "ann"}', '{"author": "bob"}', '{"author": "cat"}'))
    assert is_closed(proposed(holding(texts, key="text")), "extra"), "JSON that is kept as text"
    assert not is_closed(proposed(holding(texts)), "extra"), "a name is no number"


def test_values_decide_where_the_name_says_nothing() -> None:
    keys = tuple(f"{{6f1d0c0e-0000-4000-8000-0000000000{number:02}}}" for number in range(10, 30))
    for made in (array("who", "uuid", keys), document("data", *({"x": {"y": key.strip("{}")}} for key in keys))):
        inspection = holding(made, key="uuid")
        name = made.name
        assert is_closed(proposed(inspection, 1.0), name)
        assert not is_closed(proposed(inspection, 0.95), name), "one of them is no key: they are something else"


def test_names_are_believed_only_as_far_as_the_values_go() -> None:
    made = array("participants", "int8", ("{1,2,3}", "{4,5}"))
    assert is_closed(proposed(holding(made), 0.1), "participants"), "others were deleted, or live elsewhere"
    assert not is_closed(proposed(holding(made), 0.0), "participants")


@pytest.mark.parametrize(
    "made",
    [
        array("scores", "int4", ("{1,2,3,4,5,6,7,8,9}",)),
        array("tags", "text", ("{red,green}", "{blue}")),
        document("payload", {"followers": 12, "width": 3}, {"followers": 14}, {"followers": 15}),
        document("payload", {"author": {"name": {"first": True}}}),
        document("settings", {"theme": "dark"}, {"theme": "light"}),
        array("moments", "timestamptz", ("{2026-01-01}",)),
    ],
)
def test_what_is_nobody(made: FoundColumn) -> None:
    """Small numbers are somebody's key by chance, and a number of followers is no follower."""
    assert not is_closed(proposed(holding(made)), made.name)


def test_a_value_that_was_cut_off_is_not_looked_up() -> None:
    inspection = holding(array("member_ids", "int8", ("{11,12,1", "{13}")))
    (trial,) = trials(inspection, {})
    assert sampled(inspection, trial) == ["11", "12", "13"]


def test_a_table_of_nobody_with_such_a_column_is_refused() -> None:
    found = proposed(holding(array("participants", "int8", ("{1,2,3}",)), owned=False)).tables[NOTES]
    assert "participants may hold keys of people" in found.refused


@pytest.mark.parametrize(
    ("answer", "data_class"),
    [("none", None), ("owners", DataClass.COMMUNICATION), ("refused", None)],
)
def test_an_answer_decides(answer: str, data_class: DataClass | None) -> None:
    inspection = holding(array("participants", "int8", ("{1,2,3}",)))
    found = proposed(inspection, answer=answer, subject="columns.notes.participants")
    assert found.tables[NOTES].columns["participants"].data_class is data_class
    assert not [one for one in found.questions if "participants" in one.subject], "nothing is asked twice"
    told = found.tables[NOTES].columns["participants"].reason
    assert ("may hold keys of people" in told) == (answer == "refused")


def test_documents_have_the_class_of_their_paths_once_somebody_decided() -> None:
    payload = document("payload", {"user_id": 4, "mail": "a@example.org"}, {"user_id": 5, "mail": "b@example.org"})
    inspection = holding(payload)
    assert is_closed(proposed(inspection), "payload")
    found = proposed(inspection, answer="owners", subject="columns.notes.payload")
    assert found.tables[NOTES].columns["payload"].data_class is DataClass.CONTACT
