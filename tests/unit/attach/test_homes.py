"""Where people are at home, and how old they are: what a proposal says of it, and what it asks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seenby.attach.countries import EEA, are_codes
from seenby.attach.inspection import Inspection
from seenby.attach.proposal import Answer, Proposal
from seenby.attach.propose import propose
from seenby.attach.write import to_toml
from seenby.datamap import PersonKind, TableName, parse
from tests.unit.attach.build import database

USERS = TableName("public", "users")


def people(columns: str, **samples: tuple[str, ...]) -> Inspection:
    """A table of users with these columns; of some of them values were seen."""
    made = database(users=f"id*, email, password_hash, {columns}", posts="id*, user_id -> users.id, body")
    table = made.tables[USERS]
    seen = {name: replace(column, samples=samples.get(name, ())) for name, column in table.columns.items()}
    return replace(made, tables={**made.tables, USERS: replace(table, columns=seen)})


def answered(inspection: Inspection, answer: str = "") -> Proposal:
    subject = "people.users.region"
    told = {subject: Answer(subject, answer, "ana", "2026-11-29T08:00:00Z")} if answer else {}
    return propose(inspection, {}, told)


def kind(proposal: Proposal) -> PersonKind:
    return parse(to_toml(proposal), source="map.toml", region="ch").kinds["user"]


def choices(proposal: Proposal) -> dict[str, str]:
    found = [one for one in proposal.questions if one.subject == "people.users.region"]
    return {key.key: key.decides[0][1] for one in found for key in one.choices}


def test_a_country_is_asked_about_and_never_assumed() -> None:
    """Where somebody lives need not be where the platform keeps its promise: a person decides."""
    seen = people("country_code", country_code=("FR", "de", "US"))
    assert choices(answered(seen)) == {"l": "local", "1": "country:country_code"}
    assert kind(answered(seen)).countries is None
    made = kind(answered(seen, "country:country_code")).countries
    assert made is not None
    assert (made.column, made.regions, made.rest) == ("country_code", (("eu", EEA),), "ch")
    assert choices(answered(seen, "country:country_code")) == {}, "nothing is asked twice"


@pytest.mark.parametrize("values", [("eu", "us-east"), ("France", "Poland"), ()])
def test_what_is_no_country_code_may_be_a_region(values: tuple[str, ...]) -> None:
    assert choices(answered(people("country", country=values))) == {"l": "local", "1": "column:country"}


def test_the_list_is_of_codes_each_once() -> None:
    assert len(set(EEA)) == 30
    assert list(EEA) == sorted(EEA)
    assert are_codes(EEA)
    assert not are_codes(["FR", "France"])


@pytest.mark.parametrize(
    ("columns", "born", "minor"),
    [
        ("birthday date", "birthday", None),
        ("date_of_birth time", "date_of_birth", None),
        ("geburtsdatum date, is_minor bool", "geburtsdatum", "is_minor"),
        ("birthday text, minor int", None, None),
        ("born_at_sea bool, created_on date", None, None),
    ],
)
def test_ages(columns: str, born: str | None, minor: str | None) -> None:
    made = kind(answered(people(columns)))
    assert (made.birth_date, made.minor) == (born, minor)
