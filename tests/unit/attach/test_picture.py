"""The picture of a map, read as XML: everything of the map is in it once, and nothing stands on anything else."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from xml.etree import ElementTree

import pytest

from seenby.attach.picture import to_svg
from seenby.attach.propose import propose
from seenby.attach.write import to_toml
from seenby.datamap import parse
from tests.unit.attach.build import database

SVG = "{http://www.w3.org/2000/svg}"
USERS = "id*, email, password_hash"


@dataclass(frozen=True)
class Box:
    """A card. ``title``: what a pointer on it is told."""

    title: str
    x: float
    y: float
    width: float
    height: float
    dashed: bool

    def meets(self, other: Box) -> bool:
        apart = self.x + self.width <= other.x or other.x + other.width <= self.x
        return not apart and not (self.y + self.height <= other.y or other.y + other.height <= self.y)


def picture(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(to_svg(parse(text, source="map.toml", region="eu"), tomllib.loads(text)))


def boxes(root: ElementTree.Element) -> list[Box]:
    found = []
    for group in root.iter(f"{SVG}g"):
        rect = group.find(f"{SVG}rect[@rx='4']")
        if rect is not None:
            at = {name: float(rect.attrib[name]) for name in ("x", "y", "width", "height")}
            found.append(Box(group.findtext(f"{SVG}title", ""), dashed="stroke-dasharray" in rect.attrib, **at))
    return found


def lines(root: ElementTree.Element) -> list[str]:
    """What a pointer on each line is told."""
    return [told for path in root.iter(f"{SVG}path") if (told := path.findtext(f"{SVG}title"))]


def test_every_table_once_and_where_its_people_are_found() -> None:
    made = database(
        users=USERS, posts="id*, user_id -> users.id, body text", comments="id*, post_id -> posts.id, body text",
        likes="id*, comment_id -> comments.id", countries="code*, name", odd="id*, created_by text",
    )  # fmt: skip
    root = picture(to_toml(propose(made, {}, {})))
    solid = [one.title.split(":")[0] for one in boxes(root) if not one.dashed]
    assert sorted(solid) == ["comments", "countries", "likes", "posts", "users"]
    assert lines(root) == [
        "post_id -> posts.id / user_id = user",
        "comment_id -> comments.id / post_id -> posts.id / user_id = user",
    ], "a column that names a person is no line, but a chip"
    (refused,) = [one for one in boxes(root) if one.title.startswith("odd: ")]
    assert "leads nowhere" in refused.title


def test_no_line_leaves_its_panel() -> None:
    """A like is behaviour, a comment content: the comment stands beside the like again, dashed."""
    made = database(
        users=USERS, comments="id*, user_id -> users.id, body text", likes="id*, comment_id -> comments.id",
    )  # fmt: skip
    found = [one for one in boxes(picture(to_toml(propose(made, {}, {})))) if one.title.startswith("comments")]
    assert [one.dashed for one in found] == [False, True]
    assert found[1].title == "comments: what they publish"


def test_a_column_that_names_people_by_another_key_is_a_chip() -> None:
    """It leads to the people's own table and no further, so a line would tell less."""
    text = to_toml(propose(database(users=USERS, posts="id*, user_id -> users.id, body text"), {}, {}))
    text = text.replace('path = "user_id"', 'path = ["login -> users.email", "id"]')
    assert lines(picture(text)) == []


def test_a_card_stands_beside_those_that_lead_to_it() -> None:
    """c leads over b to a, and to d, which leads nowhere: d stands beside b, and no line passes behind a card."""
    made = database(
        users=USERS, a="id*, user_id -> users.id, body text", b="id*, a_id -> a.id, body text",
        c="id*, b_id -> b.id, d_id -> d.id, body text", d="id*, user_id -> users.id, body text",
    )  # fmt: skip
    at = {one.title.split(":")[0]: one.x for one in boxes(picture(to_toml(propose(made, {}, {}))))}
    assert at["a"] < at["b"] == at["d"] < at["c"]


def many() -> str:
    """Sixty tables in chains, circles and alone; names of every length; references that skip over others."""
    chain = {f"t{n}": f"id*, p_id -> t{n - 1}.id, q_id -> t{n // 2}.id, body text" for n in range(1, 12)}
    wide = {f"table_{n}_{'x' * (4 * n % 50)}": "id*, user_id -> users.id, post text" for n in range(40)}
    return to_toml(
        propose(
            database(
                users=USERS, t0="id*, user_id -> users.id, body text", a="id*, b_id -> b.id, user_id -> users.id",
                b="id*, a_id -> a.id, t3_id -> t3.id", **chain, **wide,
            ), {}, {},
        )
    )  # fmt: skip


def test_nothing_stands_on_anything_else() -> None:
    root = picture(many())
    found = boxes(root)
    assert len([one for one in found if not one.dashed]) > 50
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for number, one in enumerate(found):
        assert 0 <= one.x <= one.x + one.width <= width, one
        assert 0 <= one.y <= one.y + one.height <= height, one
        assert not [other for other in found[number + 1 :] if one.meets(other)]


@pytest.mark.parametrize("name", ["<b>&amp;", 'x"y', "用户帖子" * 6, "é" * 60])
def test_names_are_text(name: str) -> None:
    made = database(users=USERS, **{name: "id*, user_id -> users.id, body text"})
    (one,) = [box for box in boxes(picture(to_toml(propose(made, {}, {})))) if box.title.startswith(name)]
    assert one.width > 0


def test_control_characters_in_names_break_no_picture() -> None:
    text = """version = 1
[people.account]
table = "a\\u0001\\u001b\\uffff"
key = "id"
region = "eu"
[tables."a\\u0001\\u001b\\uffff"]
key = ["id"]
owners = [{ kind = "account", path = "id" }]
columns = { id = "public" }
"""
    (one,) = boxes(picture(text))
    assert one.title.startswith("a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}")


def test_views_and_what_is_optional() -> None:
    text = to_toml(propose(database(users=USERS, posts="id*, user_id -> users.id, body text"), {}, {}))
    text += '[views.newest]\nowners = [{ kind = "user", path = ["id -> posts.id", "user_id"], nullable = true }]\n'
    root = picture(text)
    assert any(box.title == "newest" for box in boxes(root))
    (group,) = [one for one in root.iter(f"{SVG}g") if (one.findtext(f"{SVG}title") or "").startswith("id -> posts.id")]
    (chip,) = group.iter(f"{SVG}rect")
    assert "stroke-dasharray" in chip.attrib
