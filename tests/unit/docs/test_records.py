"""The records that docs/formats/records.md shows are, byte for byte, the ones that the code writes."""

from __future__ import annotations

import json
from pathlib import Path

from seenby.gateway.accesses import grant_facts, session_facts
from seenby.model.classes import DataClass
from seenby.model.grant import Cell, GrantTerms
from seenby.model.plan import Bound, OutputKey, QueryPlan
from seenby.model.principal import Principal
from seenby.session.record import RecordTemplate, attempt_record

DOCUMENT = (Path(__file__).parents[3] / "docs/formats/records.md").read_text()
NOW = 1_795_339_201.123456
SAM = Principal("sam", "IE", "Orbit Ireland Ltd", "Care", "support", "", bytes(32), "")
TERMS = GrantTerms(
    "6f" * 16, "eu", "sam", "IE", "Orbit Ireland Ltd", "Care", "support", "support", "ticket:1",
    (Cell("contact", ("eu",)),), None, 0, 2**40, 1, 1000, 2, 0,
)  # fmt: skip
SESSION = session_facts(SAM, "eu", network="203.0.113.7", application="psql")
PLAN = QueryPlan(
    sql="",
    bound=Bound.EXACT,
    visible=1,
    keys=(OutputKey("account", (("accounts.id", DataClass.PUBLIC), ("accounts.phone", DataClass.CONTACT))),),
    tables=("accounts",),
    columns=("accounts.id", "accounts.phone"),
    classes=(DataClass.CONTACT, DataClass.PUBLIC),
)


def shown(start: str) -> bytes:
    """The example on the page that starts like this, without its line breaks."""
    at = DOCUMENT.index("    " + start)
    return "".join(line.strip() for line in DOCUMENT[at : DOCUMENT.index("\n\n", at)].splitlines()).encode()


def template() -> RecordTemplate:
    facts = grant_facts(TERMS, [("anna", "Trust"), ("ben", "Legal")]) | SESSION
    return RecordTemplate(facts, PLAN, "SELECT phone FROM accounts WHERE id = $1")


def test_a_query() -> None:
    assert template().fill(NOW, ["42"], 1) == shown('{"approvers"')


def test_a_query_that_ended_in_an_error() -> None:
    """Only one more member, in its place."""
    record = template().fill(NOW, ["42"], 0, "22012")
    plain = shown('{"approvers"').replace(b'"rows":1,', b'"rows":0,"sqlstate":"22012",')
    assert record == plain
    assert list(json.loads(record)) == sorted(json.loads(record))


def test_a_part() -> None:
    assert template().part(1) == shown('{"classes"')


def test_a_refused_attempt() -> None:
    text, said = "SELECT phone FROM accounts", "sam has no active grant"
    assert attempt_record(SESSION, NOW, text, sqlstate="42501", message=said, detail="") == shown('{"at"')


def test_every_member_is_explained() -> None:
    query, attempt = json.loads(shown('{"approvers"')), json.loads(shown('{"at"'))
    for record in (query, attempt):
        for member in record:
            assert f"`{member}`" in DOCUMENT
    for member in (*query["principal"], *query["client"], *query["reference"]):
        assert f"`{member}`" in DOCUMENT
