"""A record built from a template is byte for byte the canonical JSON of the same facts (RFC 8785)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seenby.errors import Internal
from seenby.grants.canonical import encode
from seenby.model.classes import DataClass
from seenby.model.plan import Bound, OutputKey, QueryPlan
from seenby.session.record import (
    RecordFacts,
    RecordTemplate,
    attempt_record,
    canonical,
    event_record,
    instant,
    person_part,
)
from tests.fixtures.generated import generated

PLAN = QueryPlan(
    sql="rewritten",
    bound=Bound.EXACT,
    visible=2,
    keys=(
        OutputKey("account", (("accounts.phone", DataClass.CONTACT), ("accounts.email", DataClass.CONTACT))),
        OutputKey("contact", (("contacts.name", DataClass.IDENTITY),)),
    ),
    tables=("accounts", "contacts"),
    columns=("accounts.email", "accounts.phone", "contacts.name"),
    classes=(DataClass.CONTACT, DataClass.IDENTITY),
)
FACTS = RecordFacts(
    {"grant": "6f", "principal": {"country": "IE"}, "purpose": "ünü", "application": 'psql "x"'},
    {"principal": {"name": "sam"}, "zone": 'z"}', "application": "\\"},
)


def plainly(facts: RecordFacts, text: str, now: float, parameters: list[str | None], rows: int) -> tuple[bytes, bytes]:
    record: dict[str, Any] = {
        **facts.visible,
        "at": instant(now),
        "bound": "exact",
        "classes": ["contact", "identity"],
        "columns": ["accounts.email", "accounts.phone", "contacts.name"],
        "kind": "query",
        "tables": ["accounts", "contacts"],
        "v": 1,
        "withheld": "",
    }
    withheld: dict[str, Any] = {
        **facts.withheld, "parameters": parameters, "rows": rows, "statement": text, "v": 1
    }  # fmt: skip
    return encode(record).removesuffix(b'"}'), encode(withheld)


@pytest.mark.parametrize(
    "text",
    [
        "select 1",
        "select '\"', \"a\\b\", E'\\u0000at\\u0000'",
        '"\\u0000at\\u0000" "\\u0000rows\\u0000"',
        "-- ünü \u2028 \U0001f600 \x7f \x1b[31m\r\n\t",
        '","rows":0,"statement":"',
        "%d %b %s {0}",
    ],
)
def test_statements_with_quotes_controls_and_looks_of_holes(text: str) -> None:
    made = RecordTemplate(FACTS, PLAN, text).fill(1_795_303_800.25, ['\x01 " \\', None, "\\u0000rows\\u0000"], 3)
    assert made == plainly(FACTS, text, 1_795_303_800.25, ['\x01 " \\', None, "\\u0000rows\\u0000"], 3)


TEXTS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=30)


@generated(80)
@given(
    TEXTS,
    st.lists(st.none() | st.text(st.characters(blacklist_categories=["Cs"]), max_size=10), max_size=3),
    st.integers(0, 10**9),
    st.floats(0, 4e9),
    st.dictionaries(st.sampled_from(["a", "at", "b", "parameters", "r", "rows", "v"]), TEXTS, max_size=3),
    st.dictionaries(st.sampled_from(["a", "at", "b", "parameters", "r", "rows", "z"]), TEXTS, max_size=3),
)
def test_like_plain_canonical_json(
    text: str,
    parameters: list[str | None],
    rows: int,
    now: float,
    visible: dict[str, object],
    withheld: dict[str, object],
) -> None:
    facts = RecordFacts(visible, withheld)
    template = RecordTemplate(facts, PLAN, text)
    for _ in range(2):
        made = template.fill(now, parameters, rows)
        assert made == plainly(facts, text, now, parameters, rows)
        assert json.loads(made[1])["rows"] == rows


def test_instants() -> None:
    assert instant(0) == "1970-01-01T00:00:00.000000Z"
    assert instant(1_795_303_800.25) == "2026-11-21T23:30:00.250000Z"
    assert instant(1_795_303_800.999999) == "2026-11-21T23:30:00.999999Z"


@generated(80)
@given(st.floats(0, 4e9))
def test_instants_sort_as_time_does(now: float) -> None:
    assert instant(now) <= instant(now + 1e-3)
    assert len(instant(now)) == 27


def test_a_part_says_only_what_belongs_to_that_person() -> None:
    template = RecordTemplate(FACTS, PLAN, "select")
    assert template.part(1) == encode(
        {"classes": ["contact"], "columns": ["accounts.email", "accounts.phone"], "how": "disclosed", "v": 1}
    )
    assert template.part(2) == encode(
        {"classes": ["identity"], "columns": ["contacts.name"], "how": "disclosed", "v": 1}
    )
    both = json.loads(template.part(3))
    assert both["columns"] == ["accounts.email", "accounts.phone", "contacts.name"]
    assert json.loads(person_part((), "examined"))["how"] == "examined"


def test_an_attempt() -> None:
    record, withheld = attempt_record(FACTS, 0, 'select "x"', sqlstate="42501", message="no", detail="rule 3")
    assert json.loads(record + b'"}') == {
        **FACTS.visible, "at": instant(0), "kind": "refused", "v": 1, "withheld": ""
    }  # fmt: skip
    said = {"detail": "rule 3", "message": "no", "sqlstate": "42501", "statement": 'select "x"', "v": 1}
    assert withheld == encode({**FACTS.withheld, **said})  # type: ignore[dict-item]


def test_the_commitment_of_the_withheld_half_is_the_last_member() -> None:
    """The ledger ends the record there; a member behind it would be cut off."""
    with pytest.raises(Internal, match="behind the last"):
        event_record("enrolled", 0, {"zone": "z"})


def test_no_float_and_nothing_else_without_a_canonical_form() -> None:
    with pytest.raises(ValueError):
        canonical({"x": float("nan")})
