"""A grant's terms -> its shape: which columns, how treated, which keys; and what cannot be designed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from seenby.datamap import ColumnFact, DatabaseFacts, TableFact, TableName, parse
from seenby.errors import SeenbyError
from seenby.guard import FENCE_LIMIT, Fence, design
from seenby.model.classes import DataClass, Treatment
from seenby.model.grant import Cell, GrantTerms
from seenby.model.people import Person
from seenby.model.shape import KeyColumn, ShapeView

MAP = """
version = 1
mask = ["contact"]
[people.account]
table = "accounts"
key = "id"
region_column = "region"
[tables.accounts]
key = ["id"]
owners = [{ kind = "account", path = "id" }]
[tables.accounts.columns]
id = "public"
phone = { class = "contact", mask = "last4" }
email = "contact"
card = "payment"
[tables.posts]
key = ["id"]
owners = [{ kind = "account", path = "account_id" }]
columns = { id = "content", account_id = "payment" }
[tables."billing.invoices"]
key = ["id"]
owners = [{ kind = "account", path = "account_id" }]
columns = { id = "payment", account_id = "payment", total = { class = "payment", mask = { constant = "0.00" } } }
[tables.songs]
key = ["id"]
nobody = true
columns = { id = "public", contract = "payment" }
"""


def table(schema: str, name: str, **types: str) -> TableFact:
    shapes = {"int8": ("bigint", "N"), "text": ("text", "S"), "numeric": ("numeric(12,2)", "N")}
    columns = {n: ColumnFact(n, 1, shapes[t][0], t, shapes[t][0], shapes[t][1], n == "id") for n, t in types.items()}
    return TableFact(TableName(schema, name), 1, columns, frozenset({frozenset({"id"})}), frozenset({"id"}))


TABLES = (
    table("public", "accounts", id="int8", region="text", phone="text", email="text", card="text", added="text"),
    table("public", "posts", id="int8", account_id="int8"),
    table("billing", "invoices", id="int8", account_id="int8", total="numeric"),
    table("public", "songs", id="int8", contract="text"),
)
FACTS = DatabaseFacts("v1", {fact.name: fact for fact in TABLES})
DATAMAP = parse(MAP, source="map.toml", region="eu")


def terms(cells: Mapping[str, tuple[str, ...]], people: tuple[Person, ...] | None = None) -> GrantTerms:
    listed = tuple(Cell(what, regions) for what, regions in cells.items())
    return GrantTerms("0" * 32, "eu", "p", "IE", "E", "u", "r", "support", "T", listed, people, 0, 1, 1, 1, 2, 0)


def view(cells: Mapping[str, tuple[str, ...]], name: str = "accounts", schema: str = "public") -> ShapeView:
    return design(terms(cells), DATAMAP, FACTS).shape.views[schema, name]


def treatments(found: ShapeView) -> dict[str, tuple[Treatment, bool]]:
    return {column.name: (column.treatment, column.partial) for column in found.columns}


def test_reveal_mask_refuse() -> None:
    found = view({"contact": ("eu",)})
    shown = (Treatment.REVEAL, False)
    assert treatments(found) == {"id": shown, "phone": shown, "email": shown}
    assert found.refused == (("region", None), ("card", DataClass.PAYMENT), ("added", None))
    assert found.keys == (KeyColumn("seenby$1", "account", pins="id", lists=True),)
    assert treatments(view({"content": ("eu",)}))["phone"] == (Treatment.MASK, False)


def test_one_column_of_a_class() -> None:
    found = treatments(view({"accounts.email": ("eu",)}))
    assert (found["email"][0], found["phone"][0]) == (Treatment.REVEAL, Treatment.MASK)
    assert view({"public.accounts.email": ("eu",)}) == view({"accounts.email": ("eu",)})


def test_a_class_for_some_of_the_grants_regions_is_masked_in_part() -> None:
    made = design(terms({"contact": ("eu",), "payment": ("us",)}), DATAMAP, FACTS)
    found = made.shape.views["public", "accounts"]
    assert treatments(found)["phone"] == (Treatment.MASK, True)
    assert treatments(found)["card"] == (Treatment.MASK, True), "no mask of its own: NULL where it is not revealed"
    sql = next(text for text in made.as_owner if '."accounts" WITH' in text)
    assert 'CASE WHEN t."region" IN (\'us\') THEN t."card" ELSE NULL::text END' in sql


def test_rows_of_people_of_whom_nothing_is_revealed_are_not_there() -> None:
    made = design(terms({"contact": ("eu",), "payment": ("us",)}), DATAMAP, FACTS)
    invoices = next(text for text in made.as_owner if '."invoices" WITH' in text)
    assert "IN ('us')" in invoices
    assert "'eu'" not in invoices


def test_a_table_without_a_revealed_column_is_not_there() -> None:
    assert set(design(terms({"contact": ("eu",)}), DATAMAP, FACTS).shape.views) == {
        ("public", "accounts"), ("public", "songs"),
    }  # fmt: skip


def test_what_is_closed_is_known_by_its_classes() -> None:
    closed = design(terms({"contact": ("eu",)}), DATAMAP, FACTS).shape.closed
    payment = DataClass.PAYMENT
    assert closed["billing", "invoices"] == (("id", payment), ("account_id", payment), ("total", payment))
    assert closed["public", "posts"] == (("id", DataClass.CONTENT), ("account_id", payment))
    assert ("public", "accounts") not in closed
    everything = design(terms({"content": ("eu",), "payment": ("eu",)}), DATAMAP, FACTS)
    assert everything.shape.closed == {}


def test_a_table_of_nobody_shows_its_public_columns() -> None:
    found = view({"payment": ("eu",)}, "songs")
    assert treatments(found) == {"id": (Treatment.REVEAL, False)}
    assert found.keys == ()


def test_a_key_that_is_refused_pins_nothing() -> None:
    assert view({"content": ("eu",)}, "posts").keys == (KeyColumn("seenby$1", "account", pins=""),)


def test_one_view_schema_per_schema() -> None:
    made = design(terms({"payment": ("eu",)}), DATAMAP, FACTS)
    assert made.shape.views["public", "accounts"].view_schema == f"seenby_v_{made.shape.id}"
    assert made.shape.views["billing", "invoices"].view_schema == f"seenby_v_{made.shape.id}_2"
    assert any("'billing'" in text for text in made.as_owner)


def test_constant_masks_are_tried_before_anybody_queries_them() -> None:
    made = design(terms({"payment": ("eu",), "billing.invoices.id": ("us",)}), DATAMAP, FACTS)
    assert made.checks == ("SELECT ('0.00')::numeric(12,2)",)


def test_fences() -> None:
    def fence(count: int | None) -> Fence:
        people = None if count is None else tuple(Person("account", str(n)) for n in range(count))
        return design(terms({"contact": ("eu",)}, people), DATAMAP, FACTS).fence

    assert [fence(None), fence(1), fence(FENCE_LIMIT), fence(FENCE_LIMIT + 1)] == [
        Fence.REGIONS, Fence.FENCED, Fence.FENCED, Fence.LISTED,
    ]  # fmt: skip


def test_the_fence_stands_at_the_top_of_every_view_with_people() -> None:
    made = design(terms({"contact": ("eu",), "payment": ("eu",)}, (Person("account", "1"),)), DATAMAP, FACTS)
    views = [text for text in made.as_owner if text.startswith("CREATE VIEW")]
    assert [text.endswith("OFFSET 0") for text in views] == ['."songs" ' not in text for text in views]


def test_a_missing_index_is_said() -> None:
    made = design(terms({"content": ("eu",)}, (Person("account", "1"),)), DATAMAP, FACTS)
    assert [warning.split(":")[0] for warning in made.warnings] == ["posts"]


def test_the_shape_is_its_content() -> None:
    one = design(terms({"contact": ("eu", "us")}, (Person("account", "1"),)), DATAMAP, FACTS)
    assert one == design(terms({"contact": ("us", "eu")}, (Person("account", "2"),)), DATAMAP, FACTS)
    for other in (
        design(terms({"contact": ("eu", "us")}), DATAMAP, FACTS),
        design(terms({"contact": ("eu",)}, (Person("account", "1"),)), DATAMAP, FACTS),
        design(terms({"contact": ("eu", "us")}, (Person("account", "1"),)), DATAMAP, replace(FACTS, version="v2")),
    ):
        assert other.shape.id != one.shape.id


@pytest.mark.parametrize(
    ("cells", "people", "message", "hint"),
    [
        ({"contacts": ("eu",)}, None, "contacts is no data class", "did you mean contact?"),
        ({"accounts.fone": ("eu",)}, None, "accounts.fone is no data class", "did you mean accounts.phone?"),
        ({"songs.contract": ("eu",)}, None, "belongs to nobody", "leave it out"),
        ({"contact": ("eu",)}, (Person("acount", "1"),), "no people of kind acount", "did you mean account?"),
    ],
)
def test_what_cannot_be_designed(
    cells: Mapping[str, tuple[str, ...]], people: tuple[Person, ...] | None, message: str, hint: str
) -> None:
    with pytest.raises(SeenbyError, match=message) as refused:
        design(terms(cells, people), DATAMAP, FACTS)
    assert hint in refused.value.hint


def test_rows_of_all_members_of_a_group_are_in_no_view() -> None:
    """Any number of people own each: a view has no columns for that, so the table is closed, whatever is asked for."""
    direct, rest = '"account_id" }]\ncolumns = { id = "content"', ' }]\ncolumns = { id = "content"'
    assert direct in MAP
    shared = MAP.replace(direct, f'["id <- billing.invoices.id", "account_id"]{rest}')
    datamap = parse(shared, source="map.toml", region="eu")
    made = design(terms({"content": ("eu",), "payment": ("eu",)}), datamap, FACTS).shape
    assert ("public", "posts") in design(terms({"content": ("eu",)}), DATAMAP, FACTS).shape.views
    assert ("public", "posts") not in made.views
    assert made.closed["public", "posts"] == (), "no grant can show it"
    with pytest.raises(SeenbyError, match=r"posts\.id belongs to all members of a group, and no grant shows such rows"):
        design(terms({"posts.id": ("eu",)}), datamap, FACTS)
