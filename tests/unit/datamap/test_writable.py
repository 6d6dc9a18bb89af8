"""What staff can change at most: never what says whose a row is, or who may see it."""

from __future__ import annotations

import pytest

from seenby.datamap import StaffWrites, TableName, parse
from seenby.errors import ConfigError

MAP = """
version = 1
[people.account]
table = "accounts"
key = "id"
region_column = "home_region"
protected = "is_protected"
[tables.accounts]
key = ["id"]
owners = [{ kind = "account", path = "id" }]
columns = { id = "public", bio = "content", home_region = "public", is_protected = "identity" }
staff_writable = { update = ["bio"] }
[tables.tickets]
key = ["id"]
owners = [{ kind = "account", path = "account_id" }]
columns = { id = "public", account_id = "public", status = "content" }
[tables.notes]
key = ["id"]
owners = [{ kind = "account", path = ["ticket_id -> tickets.id", "account_id"] }]
columns = { id = "content", ticket_id = "content", body = "content", author = "content", at = "content" }
[tables.notes.staff_writable]
insert = ["ticket_id", "body"]
author = "author"
at = "at"
[tables.contacts]
key = ["id"]
scope = "any"
owners = [{ kind = "account", path = "account_id" }, { kind = "account", path = "other_id", nullable = true }]
columns = { id = "contact", account_id = "contact", other_id = "contact", name = "contact" }
[tables.songs]
key = ["id"]
nobody = true
columns = { id = "public", title = "public" }
"""


def test_it_is_read() -> None:
    tables = parse(MAP, source="datamap.toml", region="eu").tables
    assert tables[TableName("public", "accounts")].staff == StaffWrites(update=("bio",))
    notes = tables[TableName("public", "notes")].staff
    assert notes == StaffWrites(insert=("ticket_id", "body"), author="author", at="at")
    assert notes.forced == ("author", "at")
    assert tables[TableName("public", "tickets")].staff is None, "nothing is writable by default"


WRONG = {
    "the key": ('update = ["bio"]', 'update = ["id"]', "column id says whose a row is"),
    "the home region": ('update = ["bio"]', 'update = ["home_region"]', "column home_region says whose"),
    "a flag": ('update = ["bio"]', 'update = ["is_protected"]', "column is_protected says whose"),
    "no class": ('update = ["bio"]', 'update = ["nope"]', "column nope has no data class"),
    "the way to an owner": (
        '[tables.notes.staff_writable]\n', '[tables.notes.staff_writable]\nupdate = ["ticket_id"]\n', "ticket_id says"
    ),
    "a column on the way of another table": (
        'status = "content" }', 'status = "content" }\nstaff_writable = { update = ["account_id"] }', "account_id says"
    ),
    "a key of its own": ('["ticket_id", "body"]', '["ticket_id", "id"]', "column id is part of the key"),
    "no key": (
        'key = ["id"]\nowners = [{ kind = "account", path = ["', 'owners = [{ kind = "account", path = ["', "key"
    ),
    "no owner": ('insert = ["ticket_id", "body"]', 'insert = ["body"]', "does not say which account"),
    "an author that staff give": ('"body"]\nauthor', '"body", "author"]\nauthor', "author is filled by the database"),
    "author and time in one": ('at = "at"', 'at = "author"', "one column"),
    "an insert without an author": ('author = "author"\nat = "at"', "", "author"),
    "nothing": ('update = ["bio"]', 'triggers = ["t"]', "lets staff change nothing"),
    "an empty table": ('{ update = ["bio"] }', "{ }", "staff_writable"),
    "a row that may be others' too": (
        'name = "contact" }\n', 'name = "contact" }\nstaff_writable = { update = ["name"] }\n', 'scope = "any"'
    ),
    "nobody's rows": (
        'title = "public" }\n', 'title = "public" }\nstaff_writable = { update = ["title"] }\n', "about nobody"
    ),
    "a misspelt field": ('staff_writable = { update', 'staff_writeable = { update', "staff_writable"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_it_cannot_say(case: str) -> None:
    there, instead, words = WRONG[case]
    assert there in MAP
    with pytest.raises(ConfigError) as refused:
        parse(MAP.replace(there, instead, 1), source="datamap.toml", region="eu")
    assert words in f"{refused.value.message} {refused.value.hint}"
    assert "datamap.toml" in refused.value.message
    assert refused.value.hint
