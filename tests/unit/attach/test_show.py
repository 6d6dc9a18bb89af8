"""What a map shows of itself: the record of processing, and all of it for programs."""

from __future__ import annotations

import json
import tomllib

from seenby.attach.show import to_json, to_markdown
from seenby.datamap import parse

MAP = """
version = 1
[people.customer]
table = "customers"
key = "id"
country_column = "country"
countries = { eu = ["FR", "AT"], uk = ["GB"] }
region = "us"
birth_date = "born"
[people.lead]
table = "leads"
key = "email"
account = false
region = "local"
[tables.customers]
key = ["id"]
owners = [{ kind = "customer", path = "id" }]
columns = { id = "identity", country = "location", born = "identity" }
[tables.leads]
key = ["email"]
owners = [{ kind = "lead", path = "email" }]
columns = { email = "contact" }
[views.newest]
stored = true
owners = [{ kind = "customer", path = "id" }, { kind = "lead", path = "mail", nullable = true }]
columns = { id = "identity", mail = "contact" }
[views."stats.totals"]
refused = "its query has aggregates"
"""
DATAMAP, WRITTEN = parse(MAP, source="map.toml", region="eu"), tomllib.loads(MAP)


def test_the_record_says_where_people_are_at_home_and_whether_there_are_children() -> None:
    record = to_markdown(DATAMAP, WRITTEN, region="eu").splitlines()
    assert (
        "| customer, with an account | customers.id | by country, column customers.country: eu: AT, FR; uk: GB; "
        "all others: us | perhaps: by column customers.born |"
    ) in record
    assert "| lead, without an account | leads.email | eu | the map does not say |" in record


def test_people_whose_country_is_not_listed_are_in_no_grant() -> None:
    closed = parse(MAP.replace('region = "us"', ""), source="map.toml", region="eu")
    assert "uk: GB; others: in no grant" in to_markdown(closed, WRITTEN, region="eu")


def test_what_the_database_says_is_neither_markup_nor_a_line_of_its_own() -> None:
    """Who may name a table, or comment on one, does not write the record."""
    name = json.dumps("x<img/onerror=y>[a](//evil)`|\n##\tAbout")
    about_nobody = 'key = ["id"]\nnobody = true\ncolumns = { id = "public" }\n'
    for what in (about_nobody, 'refused = "<script>[x](y)\\n## Not decided"\n'):
        text = f"{MAP}[tables.{name}]\n{what}"
        record = to_markdown(parse(text, source="map.toml", region="eu"), tomllib.loads(text), region="eu")
        assert "x&lt;img/onerror=y>\\[a](//evil)\\`\\| ## About" in record
        assert ("<" in record, "\\[x](y) ## Not decided" in record) == (False, "script" in what)
        assert [record.count(f"\n## {title}") for title in ("About", "Not decided")] == [1, 1]


def test_views_are_in_the_record_and_copies_are_said() -> None:
    record = to_markdown(DATAMAP, WRITTEN, region="eu").splitlines()
    assert "| newest | yes, as of its last refresh | identity, contact | customer, lead |" in record
    assert "| stats.totals | | | not known: its query has aggregates |" in record
    made = json.loads(to_json(DATAMAP, WRITTEN))
    assert made["views"]["newest"]["stored"]
    assert made["refused"] == {"stats.totals": "its query has aggregates"}


def test_all_of_it_for_programs() -> None:
    told = json.loads(to_json(DATAMAP, WRITTEN))["people"]["customer"]
    assert (told["region"], told["region_column"], told["country_column"]) == (None, None, "country")
    assert told["countries"] == {"eu": ["AT", "FR"], "uk": ["GB"]}
    assert (told["region_of_others"], told["birth_date"], told["minor"]) == ("us", "born", None)
