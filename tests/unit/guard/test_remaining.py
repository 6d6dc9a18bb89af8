"""What is left of a grant's terms when the data map has lost something of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seenby.datamap import parse
from seenby.errors import UnknownColumn
from seenby.guard.remaining import what_remains
from seenby.model.classes import DataClass
from seenby.model.grant import Cell, Write, WriteAction
from tests.fixtures.grants import wish

MAP = parse(
    """
version = 1
[people.account]
table = "accounts"
key = "id"
region = "local"
[tables.accounts]
key = ["id"]
owners = [{ kind = "account", path = "id" }]
columns = { id = "public", email = "contact" }
staff_writable = { update = ["email"] }
""",
    source="map",
    region="eu",
)
EMAIL = Write("accounts", WriteAction.UPDATE, ("email",))


def cells(*what: str) -> tuple[Cell, ...]:
    return tuple(Cell(one, ("eu",)) for one in what)


def test_what_the_map_has_stays_as_it_was_signed() -> None:
    terms = wish(writes=(EMAIL,))
    terms = replace(terms, cells=cells("contact", "public.accounts.email", "accounts.email"))
    assert what_remains(terms, MAP) == (terms, ())


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (Write("accounts", WriteAction.UPDATE, ("phone",)), "update of accounts"),
        (Write("accounts", WriteAction.DELETE), "delete of accounts"),
        (Write("posts", WriteAction.INSERT), "insert of posts"),
    ],
)
def test_what_is_gone_is_left_out_and_said(write: Write, said: str) -> None:
    terms = replace(wish(), cells=cells("accounts.phone", "contact", "posts.body"), writes=(EMAIL, write))
    left, gone = what_remains(terms, MAP)
    assert left == replace(terms, cells=cells("contact"), writes=(EMAIL,))
    assert gone == ("accounts.phone", "posts.body", said)


def test_every_class_stays_even_if_no_column_has_it_now() -> None:
    terms = replace(wish(), cells=cells(*sorted(DataClass)))
    assert what_remains(terms, MAP) == (terms, ())


def test_nothing_is_left() -> None:
    with pytest.raises(UnknownColumn, match=r"nothing that this grant shows is left: accounts\.phone, posts\.body"):
        what_remains(replace(wish(), cells=cells("accounts.phone", "posts.body")), MAP)
