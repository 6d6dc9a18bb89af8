"""Terms have one spelling; whatever else comes is refused in words."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from seenby.errors import UsageError
from seenby.grants.terms import check_terms, decode_terms, encode_terms, grant_commit
from seenby.model.grant import Answers, Cell, Noise, Write, WriteAction
from seenby.model.people import Person
from tests.fixtures.grants import EVE, JO, OPENING, commit_of, wish

GOLDEN = (
    b'{"answers":"rows","approvals":2,"cells":[{"regions":["eu"],"what":"contact"}],"country":"IE","emergency":false,'
    b'"entity":"Orbit Ireland Ltd","id":"6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f","max_people":1,"max_rows":1000,'
    b'"not_after":1795305600,"not_before":1795303800,"people":["account:42"],"principal":"sam","purpose":"support",'
    b'"reason":"","reference":"ticket:1","region":"eu","requested_at":1795303800,"role":"support","unit":"Care","v":2,'
    b'"writes":[{"action":"update","columns":["phone"],"table":"accounts"}]}'
)
TERMS = wish(writes=(Write("accounts", WriteAction.UPDATE, ("phone",)),))
FIRST = (
    b'{"approvals":2,"cells":[{"regions":["eu"],"what":"contact"}],"country":"IE","entity":"Orbit Ireland Ltd",'
    b'"id":"6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f","max_people":1,"max_rows":1000,"not_after":1795305600,'
    b'"not_before":1795303800,"people":["account:42"],"principal":"sam","purpose":"support",'
    b'"reference":"ticket:1","region":"eu","requested_at":1795303800,"role":"support","unit":"Care","v":1}'
)


def test_golden_bytes_and_commitment() -> None:
    assert encode_terms(TERMS) == GOLDEN
    assert decode_terms(GOLDEN) == TERMS
    assert commit_of(TERMS) == hmac.new(OPENING, GOLDEN, hashlib.sha256).digest()
    assert commit_of(TERMS).hex() == "72d73c8a27647cd40fcc419c965a1f779cb9265cb203926296fd278f374bfe85"


def test_terms_of_version_1_are_read_for_good() -> None:
    assert decode_terms(FIRST) == wish()
    assert grant_commit(OPENING, FIRST).hex() == "af7c4a2ea3530d642164e07616a96f5869f9b6499bf11f557148a4a62ce0bf13"
    assert encode_terms(decode_terms(FIRST)) == encode_terms(wish()) != FIRST


@pytest.mark.parametrize("new", ["answers", "writes", "emergency", "reason"])
def test_terms_of_version_1_have_nothing_of_version_2(new: str) -> None:
    value = json.loads(FIRST) | {new: json.loads(GOLDEN)[new]}
    with pytest.raises(UsageError, match=new):
        decode_terms(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


NOISY = (
    b'{"answers":"statistics","approvals":2,"cells":[{"regions":["eu"],"what":"contact"}],"country":"IE",'
    b'"emergency":false,"entity":"Orbit Ireland Ltd","id":"6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f","max_people":1,'
    b'"max_rows":1000,"noise":{"budget":1000,"each":100},"not_after":1795305600,"not_before":1795303800,'
    b'"people":["account:42"],"principal":"sam","purpose":"support","reason":"","reference":"ticket:1","region":"eu",'
    b'"requested_at":1795303800,"role":"support","unit":"Care","v":3,"writes":[]}'
)


def test_terms_with_noise_are_of_version_3_and_all_others_as_they_were() -> None:
    terms = wish(answers=Answers.STATISTICS, noise=Noise(1000, 100))
    assert encode_terms(terms) == NOISY
    assert decode_terms(NOISY) == terms
    assert terms.noise is not None
    assert terms.noise.statistics == 10
    assert decode_terms(GOLDEN).noise is None
    assert b'"v":2' in encode_terms(wish(answers=Answers.STATISTICS))


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"noise": None},
        {"noise": 1000},
        {"noise": {"budget": 1000}},
        {"noise": {"budget": 1000, "each": 100, "more": 1}},
        {"noise": {"budget": 1000.0, "each": 100}},
        {"noise": {"budget": 1000, "each": True}},
        {"noise": {"budget": 100, "each": 101}},
        {"noise": {"budget": 100, "each": 0}},
        {"noise": {"budget": 100_001, "each": 1}},
        {"answers": "rows"},
        {"answers": "both"},
    ],
    ids=str,
)
def test_odd_noise_is_refused(change: dict[str, Any]) -> None:
    value = json.loads(NOISY) | change
    with pytest.raises(UsageError):
        decode_terms(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def test_the_page_shows_these_bytes() -> None:
    page = (Path(__file__).parents[3] / "docs/formats/grant.md").read_text()
    for terms in (GOLDEN, FIRST, NOISY):
        start = page.index("    " + terms[:20].decode())
        shown = "".join(line.strip() for line in page[start : page.index("\n\n", start)].splitlines())
        assert shown.encode() == terms
        assert f"    {grant_commit(OPENING, terms).hex()}\n" in page


def test_terms_without_people_and_with_several_regions_come_back() -> None:
    terms = wish(people=None, cells=(Cell("accounts.phone", ("eu", "us")), Cell("public", ("us",))))
    assert decode_terms(encode_terms(terms)) == terms
    assert b'"people":null' in encode_terms(terms)


@pytest.mark.parametrize(
    "change",
    [
        {"v": 1},
        {"v": 3},
        {"v": True},
        {"v": "1"},
        {"extra": 1},
        {"id": "6F" * 16},
        {"id": 7},
        {"region": "EU"},
        {"cells": []},
        {"cells": {}},
        {"cells": [{"what": "contact"}]},
        {"cells": [{"what": "contact", "regions": "eu"}]},
        {"cells": [{"what": "contact", "regions": []}]},
        {"cells": [{"what": "contact", "regions": ["us", "eu"]}]},
        {"cells": [{"what": "contact", "regions": [1]}]},
        {"cells": [{"what": 5, "regions": ["eu"]}]},
        {"cells": [{"what": "everything", "regions": ["eu"]}]},
        {"cells": [{"what": "public", "regions": ["eu"]}, {"what": "contact", "regions": ["eu"]}]},
        {"people": []},
        {"people": ["42"]},
        {"people": [42]},
        {"people": ["account:7", "account:42"]},
        {"people": ["account:42", "account:42"]},
        {"people": ["account:4\n2"]},
        {"max_people": 0},
        {"max_rows": True},
        {"max_rows": "9"},
        {"not_after": 1795303800},
        {"approvals": -1},
        {"approvals": 10},
        {"principal": ""},
        {"purpose": ""},
        {"reference": "x" * 201},
        {"reference": "two\nlines"},
        {"reference": None},
        {"answers": "row"},
        {"answers": None},
        {"emergency": 0},
        {"reason": "two\nlines"},
        {"reason": None},
        {"writes": {}},
        {"writes": [{"action": "update", "columns": ["phone"], "table": "accounts", "more": 1}]},
        {"writes": [{"action": "truncate", "columns": [], "table": "accounts"}]},
        {"writes": [{"action": "update", "columns": [], "table": "accounts"}]},
        {"writes": [{"action": "update", "columns": ["phone", "email"], "table": "accounts"}]},
        {"writes": [{"action": "update", "columns": ["phone", 1], "table": "accounts"}]},
        {"writes": [{"action": "update", "columns": ["a.b"], "table": "accounts"}]},
        {"writes": [{"action": "update", "columns": "phone", "table": "accounts"}]},
        {"writes": [{"action": "delete", "columns": ["phone"], "table": "accounts"}]},
        {"writes": [{"action": "insert", "columns": ["phone"], "table": "accounts"}]},
        {"writes": [{"action": "insert", "columns": [], "table": "a.b.c"}]},
        {"writes": [{"action": action, "columns": [], "table": "a"} for action in ("insert", "delete")]},
        {"writes": [{"action": "delete", "columns": [], "table": "a"}] * 2},
        {"people": None},
        {"answers": "both"},
        {"answers": "statistics"},
    ],
    ids=str,
)
def test_odd_terms_are_refused(change: dict[str, Any]) -> None:
    value = json.loads(GOLDEN) | change
    with pytest.raises(UsageError):
        decode_terms(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


@pytest.mark.parametrize("key", sorted(json.loads(GOLDEN)))
def test_no_key_may_be_missing(key: str) -> None:
    value = {name: item for name, item in json.loads(GOLDEN).items() if name != key}
    with pytest.raises(UsageError):
        decode_terms(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def test_every_changed_byte_is_refused_or_means_something_else() -> None:
    meant = 0
    for place in range(len(GOLDEN)):
        changed = GOLDEN[:place] + bytes([GOLDEN[place] ^ 1]) + GOLDEN[place + 1 :]
        assert grant_commit(OPENING, changed) != commit_of(TERMS)
        try:
            assert decode_terms(changed) != TERMS
        except UsageError:
            continue
        meant += 1
    assert 0 < meant < len(GOLDEN)


EMERGENCY = {"emergency": True, "reason": "somebody threatens to kill themselves", "writes": []}


def test_break_glass() -> None:
    terms = wish(emergency=True, reason=EMERGENCY["reason"])
    assert decode_terms(encode_terms(terms)) == terms


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"reason": " "}, "needs a reason"),
        ({"not_after": 1795305601}, "30 minutes at most"),
        ({"not_before": 1795303801}, "begins at once"),
        ({"cells": [{"regions": ["eu"], "what": what} for what in ("contact", "content", "device")]}, "two data cl"),
        ({"cells": [{"regions": ["eu"], "what": "accounts.phone"}]}, "two data classes"),
        ({"people": None}, "named one by one"),
        ({"answers": "statistics"}, "shows rows"),
        ({"writes": [{"action": "delete", "columns": [], "table": "a"}]}, "changes nothing"),
        ({"approvals": 0}, "must review"),
    ],
    ids=str,
)
def test_break_glass_is_short_and_narrow_whatever_the_policy_says(change: dict[str, Any], words: str) -> None:
    value = json.loads(GOLDEN) | EMERGENCY | change
    with pytest.raises(UsageError, match=words):
        decode_terms(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def test_lists_that_are_not_sorted_are_refused_before_they_are_signed() -> None:
    with pytest.raises(UsageError, match="sorted"):
        check_terms(wish(people=(JO, EVE)))


def test_too_many_people_for_one_grant() -> None:
    people = tuple(sorted((Person("account", str(number)) for number in range(10_000)), key=str))
    with pytest.raises(UsageError, match="too many people"):
        encode_terms(wish(people=people))


def test_a_short_opening_is_refused() -> None:
    with pytest.raises(UsageError):
        grant_commit(b"short", GOLDEN)
