"""Reading a data map: the documented example, and a precise sentence for every mistake."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from seenby.datamap import (
    SCHEMA,
    Countries,
    DataMap,
    Hop,
    Mask,
    MaskKind,
    OwnerPath,
    RowScope,
    TableName,
    named_rows,
    nearest,
    parse,
)
from seenby.errors import ConfigError
from seenby.model.classes import DataClass

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs/formats/datamap.md").read_text("utf-8")
EXAMPLE: str = re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL)[0]


def load(text: str = EXAMPLE) -> DataMap:
    return parse(text, source="map.toml", region="eu")


def changed(old: str, new: str) -> str:
    assert old in EXAMPLE
    return EXAMPLE.replace(old, new, 1)


def test_the_documented_example() -> None:
    made = load()
    account, contact = made.kinds["account"], made.kinds["contact"]
    assert (account.table, account.key, account.region_column, account.protected) == (
        TableName("public", "accounts"), "id", "home_region", "is_protected",
    )  # fmt: skip
    assert (contact.account, contact.region) == (False, "eu")
    hop = Hop("device_id", TableName("public", "devices"), "id")
    assert made.tables[TableName("public", "logins")].owners == (OwnerPath("account", (hop,), "account_id"),)
    contacts = made.tables[TableName("public", "contacts")]
    assert contacts.scope is RowScope.ANY
    assert [(owner.kind, owner.nullable) for owner in contacts.owners] == [
        ("account", False), ("contact", False), ("account", True),
    ]  # fmt: skip
    assert made.tables[TableName("public", "sounds")].nobody


def test_home_by_country() -> None:
    """``local`` is this region's name here too; without ``region`` everybody else is at home nowhere."""
    listed = 'country_column = "country"\ncountries = { local = ["FR", "AT"], us = ["US"] }'
    for rest, region in ((None, ""), ("us", '\nregion = "us"'), ("eu", '\nregion = "local"')):
        account = load(changed('region_column = "home_region"', listed + region)).kinds["account"]
        assert account.countries == Countries("country", (("eu", ("AT", "FR")), ("us", ("US",))), rest)
        assert (account.region, account.region_column, account.home_column) == (None, None, "country")


def test_masks_of_columns() -> None:
    columns = load().tables[TableName("public", "accounts")].columns
    assert columns["phone"].mask == Mask(MaskKind.LAST4)
    assert columns["is_protected"].mask == Mask(MaskKind.NULL), "its class is in the map's mask list"
    assert columns["handle"].mask is None
    messages = load().tables[TableName("public", "messages")].columns
    assert messages["body"].mask == Mask(MaskKind.CONSTANT, "[hidden]"), "a mask of its own, its class has none"
    assert messages["sent_at"].mask is None


def test_columns_that_link_nobody() -> None:
    columns = load(changed('at = "behaviour"', 'at = "behaviour"\nos = { class = "device", shared = true }'))
    logins = columns.tables[TableName("public", "logins")].columns
    assert (logins["os"].shared, logins["os"].mask) == (True, None)
    assert not logins["ip"].shared
    with pytest.raises(ConfigError, match="column at is behaviour data, which links nobody anyway"):
        load(changed('at = "behaviour"', 'at = { class = "behaviour", shared = true }'))
    with pytest.raises(ConfigError, match=r"tables\.logins\.columns\.at"):
        load(changed('at = "behaviour"', 'at = { class = "device", shared = false }'))


def test_purposes_that_link() -> None:
    assert load().linking == ()
    assert load(changed("mask =", 'linking = ["security-investigation"]\nmask =')).linking == (
        "security-investigation",
    )


def test_columns_that_name_a_row_of_one_person() -> None:
    made = load()

    def rows(name: str) -> dict[str, str]:
        return named_rows(made.tables[TableName("public", name)], made)

    assert rows("devices") == {"id": "public.devices.id"}
    assert rows("logins") == {"id": "public.logins.id", "device_id": "public.devices.id"}
    assert rows("messages") == {}, "two people own each row"
    assert rows("sounds") == {}
    made = load(EXAMPLE.replace('"device_id -> devices.id"', '"device_id, version -> devices.id, revision"'))
    assert rows("logins") == {"id": "public.logins.id"}, "one column of a key of two names no row"


def test_another_schema() -> None:
    text = EXAMPLE + '\n[tables."billing.plans"]\nkey = ["id"]\nnobody = true\ncolumns = { id = "public" }\n'
    assert TableName("billing", "plans") in load(text).tables
    assert str(TableName("billing", "plans")) == "billing.plans"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("version = ", "not valid TOML", "correct"),
        (changed("version = 1", "version = 2"), "version: 1 was expected", "datamap.md"),
        (changed("[people.account]", "[person.account]"), "'person' was unexpected", "datamap.md"),
        (changed('["contact", "identity", "location"]', '["public"]'), "mask.0", "datamap.md"),
        (changed('account = false\n', 'account = false\nprotected = "x"\n'), "protected needs people with an acc", ""),
        (changed('region = "local"', ""), "people.contact: give exactly one of region, region_column, and", ""),
        (changed('region_column = "home_region"', 'country_column = "country"'), "account: give exactly one of", ""),
        (changed('region_column = "home_region"', 'region = "eu"\ncountries = { eu = ["FR"] }'),
         'account: "country_column" is a required', ""),
        (changed('region_column = "home_region"', 'country_column = "c"\ncountries = { eu = ["France"] }'), "eu.0", ""),
        (changed('region_column = "home_region"', 'country_column = "c"\ncountries = { eu = ["FR"], us = ["FR"] }'),
         "country FR is in eu and in us", "keep one"),
        (changed('account = false\n', 'account = false\nminor = "x"\n'), "minor needs people with an account", ""),
        (changed('table = "accounts"', 'table = "acounts"'), "account: the map has no table acounts", "accounts"),
        (changed('kind = "account", path = "id"', 'kind = "acount", path = "id"'), "no people of kind acount", "acc"),
        (changed('path = "id"', 'path = "handle"'), "rows of accounts do not belong to these people", 'path = "id"'),
        (changed("device_id -> devices.id", "device_id -> device.id"), "the map has no table device", "devices"),
        (changed("device_id -> devices.id", "device_id = devices.id"), "cannot read the hop", "COLUMN -> TABLE.COLUMN"),
        (changed('["device_id -> devices.id", "account_id"]', '["device_id -> devices.id"]'), "not in a column", "end"),
        (changed('handle = "public"', 'handle = "pubic"'), "no data class 'pubic'; did you mean public?", ""),
        (changed('mask = "last4" }\nemail', 'mask = "last5" }\nemail'), "no mask 'last5'; did you mean last4?", ""),
        (changed('handle = "public"', 'handle = { class = "public", mask = "null" }'), "public columns have no", ""),
        (changed("nobody = true", "nobdy = true"), "no field 'nobdy'; did you mean nobody?", ""),
        (changed("nobody = true", ""), "say whose rows these are", ""),
        (changed("nobody = true", 'nobody = true\nrefused = "why"'), "a table that is refused has no owners", ""),
        (changed("nobody = true", 'refused = "why"\nscope = "any"'), "a table that is refused has no owners", ""),
        (changed("nobody = true", 'nobody = true\nunclassified = ["title"]'), "title has a class and is uncl", "keep"),
        (changed("device_id -> devices.id", "device_id -> sounds.id").replace("nobody = true", 'refused = "why"'),
         "the map refuses table sounds", "say whose rows"),
        (changed("device_id -> devices.id", "device_id -> devices.id when kind"), "cannot read the hop", "when COLUMN"),
        (changed("device_id -> devices.id", "device_id -> devices.id when kind = Phone"),
         "leads nowhere for rows that do not meet it", "nullable"),
        (changed('key = ["id"]\nowners = [{ kind = "account", path = "account_id" }]',
                 'key = []\nstaff_writable = { delete = true }\nowners = [{ kind = "account", path = "account_id" }]'),
         "cannot change a table without a key", "name its key"),
        (changed("nobody = true", 'nobody = true\nscope = "any"'), "a table of nobody has no scope", ""),
        (changed('scope = "any"', 'scope = "some"'), "tables.contacts.scope", ""),
        (changed('{ kind = "contact", path = "phone" },', '{ kind = "account", path = "account_id" },'), "twice", ""),
        (EXAMPLE + '[tables."public.accounts"]\nkey = ["id"]\nnobody = true\ncolumns = { id = "public" }\n',
         "listed twice", "keep one"),
        (changed('region = "local"', 'region_column = "r"') + """
[tables.invites]
key = ["id"]
owners = [{ kind = "contact", path = "phone" }]
columns = { id = "contact" }
""", "home region of a contact stands in contacts", "constant region"),
    ],
)  # fmt: skip
def test_mistakes(text: str, message: str, hint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(text)
    assert refused.value.message.startswith("map.toml")
    assert message in refused.value.message
    assert hint in refused.value.hint
    assert refused.value.hint


LIKES = """
[tables.likes]
key = ["id"]
owners = [{ kind = "account", path = ["contact_id -> contacts.id", "account_id"] }]
columns = { id = "behaviour" }
"""


def test_what_is_refused_is_not_in_the_map() -> None:
    """A refused table may be known in all else; columns without a class are listed, and refused too."""
    text = EXAMPLE.replace("nobody = true", 'refused = "whose songs are these?"')
    text = text.replace('key = ["id"]\nowners', 'key = ["id"]\nunclassified = ["notes", "a b"]\nowners', 1)
    made = load(text)
    assert TableName("public", "sounds") not in made.tables
    assert "notes" not in made.tables[TableName("public", "accounts")].columns
    assert load(EXAMPLE + '\n[tables.letters]\nrefused = "whose?"\n').tables.keys() == load().tables.keys()


MEMBERS = """
[tables.chats]
key = ["id"]
owners = [{ kind = "account", path = ["id <- members.chat, id", "account_id"] }]
columns = { topic = "communication" }
[tables.members]
key = []
owners = [{ kind = "account", path = "account_id" }]
columns = { chat = "communication" }
"""


def test_a_hop_to_many_rows() -> None:
    made = load(EXAMPLE + MEMBERS.replace(".chat, id", ".chat"))
    chats = made.tables[TableName("public", "chats")]
    hop = Hop("id", TableName("public", "members"), "chat", many=True)
    assert chats.owners == (OwnerPath("account", (hop,), "account_id"),)
    assert chats.owners[0].path == ("id <- members.chat", "account_id"), "as it was written"
    assert chats.shared
    assert not made.tables[TableName("public", "members")].shared
    assert named_rows(chats, made) == {}, "no column decides whose such a row is"
    assert "chat" not in named_rows(made.tables[TableName("public", "members")], made), "it leads to many rows, not one"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MEMBERS, "has more columns on one side"),
        (MEMBERS.replace(".chat, id", ".chat when kind = x"), "has a condition and leads to many rows"),
        (MEMBERS.replace('"id <- members.chat, id"', '"id <- members.chat", "x <- members.chat"'), "many rows twice"),
        (MEMBERS.replace(".chat, id", ".chat").replace('key = ["id"]\nowners', 'key = ["id"]\nscope = "any"\n'
         'staff_writable = { delete = true }\nowners'), "belong to all members of a group"),
        (MEMBERS.replace(', "account_id"] }', '] }'), "not in a column"),
    ],
)  # fmt: skip
def test_mistakes_with_many(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(EXAMPLE + text)


VIEW = """
[views."shop.newest"]
owners = [{ kind = "account", path = ["who -> accounts.id", "id"] }]
columns = { who = "identity" }
"""


def test_views() -> None:
    """They are no tables: no grant shows one."""
    made = load(EXAMPLE + VIEW + '[views.totals]\nrefused = "its query has aggregates"\n')
    (view,) = made.views.values()
    assert (view.name, view.stored, view.columns) == (("shop", "newest"), False, {"who": DataClass.IDENTITY})
    assert view.owners == (OwnerPath("account", (Hop("who", TableName("public", "accounts"), "id"),), "id"),)
    assert view.name not in made.tables


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (VIEW.replace("shop.newest", "accounts"), "views.accounts: it is listed already"),
        (VIEW + VIEW.replace("shop.newest", "public.devices"), "views.devices: it is listed already"),
        (VIEW.replace("columns =", 'nobody = true\ncolumns ='), "views.shop.newest"),
        (VIEW.replace("columns =", 'unclassified = ["who"]\ncolumns ='), "column who has a class and is uncl"),
        (VIEW.replace("accounts.id", "acounts.id"), "views.shop.newest: owners: the map has no table acounts"),
        (VIEW.replace('"account"', '"acount"'), "views.shop.newest: owners: there are no people of kind acount"),
        (VIEW.replace("columns =", "stored = false\ncolumns ="), "views.shop.newest.stored"),
        ('[views.x]\nkey = ["id"]\nnobody = true\n', "views.x"),
    ],
)  # fmt: skip
def test_views_with_mistakes(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(EXAMPLE + text)
    assert message in refused.value.message
    assert refused.value.message.startswith("map.toml:"), "with line and column"


def test_answers_are_for_attach_only() -> None:
    answer = '\n[[answers]]\nsubject = "tables.x"\nanswer = "nobody"\nby = "ana"\nat = "2026-11-29T08:00:00Z"\n'
    assert load(EXAMPLE + answer) == load()


def test_a_hop_with_a_condition() -> None:
    """One column leads to rows of several tables, and another says of which."""
    text = EXAMPLE.replace(
        '{ kind = "account", path = ["device_id -> devices.id", "account_id"] }',
        '{ kind = "account", nullable = true, path = ["item -> devices.id when type = My Device", "account_id"] }',
    )
    (owner,) = load(text).tables[TableName("public", "logins")].owners
    assert owner.hops == (Hop("item", TableName("public", "devices"), "id", ("type", "My Device")),)
    assert owner.path == ("item -> devices.id when type = My Device", "account_id")


def test_a_hop_along_a_key_of_several_columns() -> None:
    text = EXAMPLE.replace('"device_id -> devices.id"', '"device_id, version -> devices.id, revision"')
    ((hop,),) = (owner.hops for owner in load(text).tables[TableName("public", "logins")].owners)
    assert (hop.columns, hop.targets) == (("device_id", "version"), ("id", "revision"))
    assert str(hop) == "device_id, version -> devices.id, revision"
    with pytest.raises(ConfigError, match="more columns on one side"):
        load(EXAMPLE.replace('"device_id -> devices.id"', '"device_id, version -> devices.id"'))


def test_a_map_that_is_not_closed() -> None:
    """A like reaches its person through an address-book entry, which also belongs to the person in it."""
    with pytest.raises(
        ConfigError, match=r"tables.likes: the map is not closed: a path goes through contacts"
    ) as refused:
        load(EXAMPLE + LIKES)
    missing = refused.value.hint.removeprefix("add the owner ")
    assert tomllib.loads(f"owner = {missing}")["owner"] == {
        "kind": "contact", "path": ["contact_id -> contacts.id", "phone"],
    }  # fmt: skip


def test_the_hints_close_the_map() -> None:
    """Pasting what the messages say leads to a map that loads, after as many rounds as people are missing."""
    text, pasted = EXAMPLE + LIKES, 0
    while pasted < 5:
        try:
            made = load(text)
        except ConfigError as error:
            missing = error.hint.removeprefix("add the owner ")
            text = text.replace(
                '["contact_id -> contacts.id", "account_id"] }',
                f'["contact_id -> contacts.id", "account_id"] }}, {missing}',
                1,
            )
            pasted += 1
        else:
            break
    assert pasted == 2
    assert [owner.column for owner in made.tables[TableName("public", "likes")].owners] == [
        "account_id", "matched_account_id", "phone",
    ]  # fmt: skip
    assert made.tables[TableName("public", "likes")].owners[1].nullable


def test_the_schema_names_every_class_and_mask() -> None:
    """The JSON schema and the code have one list each; they must be the same."""
    assert SCHEMA["$defs"]["class"]["enum"] == [one.value for one in DataClass]
    masks = SCHEMA["$defs"]["classWithMask"]["properties"]["mask"]["oneOf"][0]["enum"]
    assert {*masks, "constant"} == {one.value for one in MaskKind}


def test_the_document_names_every_class_and_mask() -> None:
    for name in (*DataClass, *MaskKind):
        assert f"`{name.value}`" in DOCUMENT or f"{{ {name.value} =" in DOCUMENT


def test_nearest() -> None:
    assert nearest("acounts", ["accounts", "videos"]) == "did you mean accounts?"
    assert nearest("zzz", ["b", "a"]) == "known: a, b"
    assert nearest("zzz", []) == ""


def test_the_demo_is_a_map() -> None:
    text = (ROOT / "src/seenby/demo/datamap.toml").read_text("utf-8")
    assert len(parse(text, source="datamap.toml", region="us").tables) > 15
