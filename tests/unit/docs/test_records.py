"""The records that docs/formats/records.md shows are, byte for byte, the ones that the code writes."""

from __future__ import annotations

import json
from pathlib import Path

from seenby.gateway.facts import grant_facts, session_facts
from seenby.model.classes import DataClass
from seenby.model.grant import Cell, GrantTerms
from seenby.model.plan import Bound, OutputKey, QueryPlan
from seenby.model.principal import Principal
from seenby.session.record import NOTHING, RecordTemplate, attempt_record, event_record

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


RECORD, WITHHELD = shown('{"approvers":[{"unit"'), shown('{"approvers":[{"name"')
ATTEMPT, ATTEMPT_WITHHELD = shown('{"at":"2026-11-22T09:20:01.123456Z","kind":"refused"'), shown('{"client"')
ENROLLED = shown('{"at":"2026-11-22T09:20:01.123456Z","kind":"enrolled"')


def ended(record: bytes) -> bytes:
    """As the ledger ends it."""
    return record + b'<64 hex digits>"}'


def template() -> RecordTemplate:
    facts = grant_facts(TERMS, [("anna", "Trust"), ("ben", "Legal")]).with_session(SESSION)
    return RecordTemplate(facts, PLAN, "SELECT phone FROM accounts WHERE id = $1")


def test_a_query() -> None:
    record, withheld = template().fill(NOW, ["42"], 1)
    assert (ended(record), withheld) == (RECORD, WITHHELD)


def test_a_query_that_ended_in_an_error() -> None:
    """Only one more member, in its place."""
    record, withheld = template().fill(NOW, ["42"], 0, "22012")
    assert ended(record) == RECORD
    assert withheld == WITHHELD.replace(b'"rows":1,', b'"rows":0,"sqlstate":"22012",')
    assert list(json.loads(withheld)) == sorted(json.loads(withheld))


def test_a_part() -> None:
    assert template().part(1) == shown('{"classes"')


def test_a_refused_attempt() -> None:
    text, said = "SELECT phone FROM accounts", "sam has no active grant"
    record, withheld = attempt_record(SESSION, NOW, text, sqlstate="42501", message=said, detail="")
    assert (ended(record), withheld) == (ATTEMPT, ATTEMPT_WITHHELD)


def test_an_enrolment() -> None:
    assert ended(event_record("enrolled", NOW, {"region": "eu"})) == ENROLLED.split(b"        ")[0]
    assert NOTHING.decode() in DOCUMENT


def test_no_name_and_no_statement_is_in_what_persons_read() -> None:
    for record in (RECORD, ATTEMPT):
        for word in (b"sam", b"anna", b"ben", b"SELECT", b"203.0.113.7", b"ticket:1", b"psql", b"name"):
            assert word not in record


def test_every_member_is_explained() -> None:
    for record in map(json.loads, (RECORD, WITHHELD, ATTEMPT, ATTEMPT_WITHHELD)):
        for member, value in record.items():
            assert f"`{member}`" in DOCUMENT
            for inner in value if isinstance(value, dict) else ():
                assert f"`{inner}`" in DOCUMENT
