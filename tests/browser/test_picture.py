"""The picture of a map in a real browser: with its fonts, no text runs out of its card or into another."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path

import pytest

from seenby.attach.picture import to_svg
from seenby.attach.propose import propose
from seenby.attach.write import to_toml
from seenby.datamap import parse
from tests.fixtures.browser import Browser
from tests.unit.attach.build import database

pytestmark = pytest.mark.xdist_group("browser")

MEETING = """
const box = (one) => { const r = one.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; };
const found = [];
for (const group of document.querySelectorAll("g")) {
  const rects = [...group.querySelectorAll("rect")], texts = [...group.querySelectorAll("text")];
  if (!texts.length) continue;
  const card = rects.find((one) => one.getAttribute("rx") === "4");
  for (const one of texts) {
    const [left, , right, bottom] = box(one);
    if (card && (left < box(card)[0] || right > box(card)[2] || bottom > box(card)[3])) found.push(one.textContent);
    for (const chip of rects.filter((other) => other !== card)) {
      const at = box(chip), inside = one.getAttribute("text-anchor") === "middle";
      if (inside ? left < at[0] || right > at[2] : right > at[0] && left < at[2]) found.push(one.textContent);
    }
  }
  for (const [one, other] of texts.slice(1).map((text, place) => [texts[place], text])) {
    if (box(one)[2] > box(other)[0]) found.push(`${one.textContent} / ${other.textContent}`);
  }
}
return found;
"""


def demo() -> str:
    return resources.files("seenby.demo").joinpath("datamap.toml").read_text("utf-8")


def wide() -> str:
    """Names that are as wide as names can be, and a refused table with a long reason."""
    return to_toml(
        propose(
            database(
                users="id*, email, password_hash",
                WWWWMMMMWWWWMMMMWWWWMMMMWWWWMMMMWWWWMMMMWWWWMMMMWWWWMMMM="id*, user_id -> users.id, body text, ip",
                用户帖子用户帖子用户帖子用户帖子用户帖子="id*, user_id -> users.id, body text",
                short="id*, MMMMMMMMWWWWWWWWMMMMMMMMWWWWWWWWMMMMMMMMWWWW_user_id int -> users.id",
                likes="id*, short_id -> short.id",
                rooms="id*, created_by_somebody_whose_name_is_too_long_for_any_card_id text",
            ), {}, {},
        )
    )  # fmt: skip


@pytest.mark.parametrize("text", [demo(), wide()], ids=["demo", "wide"])
def test_no_text_runs_into_another(browser: Browser, tmp_path: Path, text: str) -> None:
    file = tmp_path / "owners.svg"
    file.write_text(to_svg(parse(text, source="map.toml", region="eu"), tomllib.loads(text)), encoding="utf-8")
    browser.open(file.as_uri())
    assert len(browser.all("text")) > 20
    assert browser.script(MEETING) == []
    assert browser.complaints() == []
