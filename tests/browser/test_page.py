"""What a person does with the page: choose files, press the button, read the steps; from a file and from a server."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.fixtures.browser import PAGE, Browser, serve
from tests.fixtures.bundles import World
from tests.fixtures.bundles_log import NOW
from tests.fixtures.histories import Home
from tests.unit.stores.test_old_bundles import erased, lookups
from tests.unit.stores.test_old_bundles import given as kept

pytestmark = pytest.mark.xdist_group("browser")

STEPS = [
    "The file is whole and of a known form",
    "The logs are genuine",
    "No region is missing",
    "This is your key, from the day it was made",
    "Every month is there",
    "Nothing is left out",
    "Every record opens and is unchanged",
    "The dates fit",
]


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture
def given(world: World, tmp_path: Path) -> Path:
    """A folder with everything that ada has."""
    bundle = world.bundle(world.ada, world.ada2)
    (tmp_path / "ada.bundle.json").write_text(json.dumps(bundle), "utf-8")
    (tmp_path / "policy").write_text(world.policy(), "utf-8")
    (tmp_path / "organisation").write_text(f"{world.org_key}\n", "utf-8")
    receipt = world.eu.receipt(bundle["keys"][0]["index"], world.eu.checkpoint(NOW))
    (tmp_path / "ada.tlog-proof").write_bytes(receipt)
    del bundle["logs"][0]["shown"][2]
    (tmp_path / "hidden.bundle.json").write_text(json.dumps(bundle), "utf-8")
    return tmp_path


@pytest.fixture
def opened(browser: Browser) -> Browser:
    """The page from the disk."""
    browser.open(PAGE.as_uri())
    return browser


def check(browser: Browser, folder: Path, bundle: str = "ada.bundle.json") -> str:
    """Gives bundle and policy, presses the button, answers the verdict."""
    browser.give("bundle", folder / bundle)
    browser.give("trust", folder / "policy")
    browser.press("#check")
    return browser.wait("#verdict").text


@pytest.mark.parametrize("scheme", ["file", "http"])
def test_a_good_bundle_passes_every_step_and_asks_nobody(opened: Browser, given: Path, scheme: str) -> None:
    with contextlib.ExitStack() as stack:
        if scheme == "http":
            opened.open(f"{stack.enter_context(serve(PAGE.parent)).url}{PAGE.name}")
        good_bundle(opened, given)


def good_bundle(opened: Browser, given: Path) -> None:
    opened.press("#more > summary")
    opened.give("receipt", given / "ada.tlog-proof")
    opened.give("organisation", given / "organisation")
    verdict = check(opened, given)
    assert "Your list is genuine and complete." in verdict
    assert "From August 2026 to November 2026 your data was shown or searched 9 times." in verdict
    assert opened.steps() == ["good"] * 8
    titles = [one.text.splitlines()[0] for one in opened.all("#steps h3")]
    assert titles == STEPS
    assert {one.text for one in opened.all("#steps .mark")} == {"✓"}
    assert "the same entry as in your receipt" in opened.find("#step-4").text
    assert "signed by platform.example" in opened.find("#step-3").text
    assert "confirmed by uni-witness.example and news-witness.example, 22 November 2026, 09:10 UTC" in (
        opened.find("#step-2").text
    )
    assert opened.requests() == [opened.driver.current_url]
    assert opened.complaints() == []


def test_the_bundle_of_somebody_whose_key_was_erased_since_still_passes(opened: Browser, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.directory.mkdir()
    home.live(lookups)
    bundle, _ = kept(home, "account:1")
    home.live(erased)
    (tmp_path / "ada.bundle.json").write_bytes(bundle)
    (tmp_path / "policy").write_text(f"log {home.key}\nquorum none\n", "utf-8")
    verdict = check(opened, tmp_path)
    assert "Your list is genuine and complete." in verdict
    assert re.search(r"\bIn \w+ 20\d\d your data was shown or searched", verdict), "of one month"
    assert opened.steps() == ["good"] * 8


def test_the_list_is_by_month_and_says_what_was_shown_to_whom(opened: Browser, given: Path) -> None:
    check(opened, given)
    months = [one.text for one in opened.all(".month > summary")]
    assert months == [
        "November 2026 · 4 entries",
        "October 2026 · 1 entry",
        "September 2026 · 3 entries",
        "August 2026 · 3 entries",
    ]
    august = opened.all(".month")[-1].text
    assert "6 Aug 2026\n06:46\nContact details, public profile data\nFor support (ticket)" in august
    assert "support, Care · Orbit Ireland Ltd, Ireland\nperhaps shown" in august
    assert "Your key was made" in august
    assert "searched, not shown" in opened.all(".month")[2].text
    limits = opened.find("#shown .note").text
    for word in ("never recorded", "somebody else’s label", "Anything after 22 November 2026, 09:10 UTC"):
        assert word in limits
    assert "you gave no enrolment receipt" in limits
    assert "you did not give its key" in limits
    opened.script("document.getElementById('only').value = 'unit Care'; document.getElementById('only').onchange()")
    assert len(opened.all(".access")) == 9, "events have no unit"


def test_a_hidden_access_is_named_and_nothing_is_shown(opened: Browser, given: Path) -> None:
    verdict = check(opened, given, "hidden.bundle.json")
    assert "This file does not pass the check." in verdict
    assert "Step 6, “Nothing is left out”, does not hold: in August 2026 your entry number 3 is missing." in verdict
    assert opened.steps() == ["good"] * 5 + ["bad", "skip", "skip"]
    assert opened.find("#step-6 .mark").text == "✗"
    assert "Place in the file: logs[0].epochs[0].keys[0]" in opened.find("#step-6").text
    assert not opened.find("#shown").is_displayed()
    assert opened.all(".access") == []
    # A better file afterwards: nothing of the verdict before stays.
    assert "genuine and complete" in check(opened, given)
    assert opened.steps() == ["good"] * 8


def test_files_that_are_dropped_find_their_places(opened: Browser, given: Path) -> None:
    files = [
        [name, (given / name).read_text("utf-8")]
        for name in ("organisation", "ada.tlog-proof", "policy", "ada.bundle.json")
    ]
    opened.script(
        """
        const data = new DataTransfer();
        for (const [name, text] of arguments[0]) data.items.add(new File([text], name));
        document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data }));
        """,
        files,
    )
    for slot, told in {
        "bundle": "✓ ada.bundle.json: 35 kB",
        "trust": "✓ policy: 2 logs, 3 witnesses, quorum “outside”",
        "receipt": "✓ ada.tlog-proof: 1 kB",
        "organisation": "✓ organisation: the key of platform.example",
    }.items():
        assert opened.wait(f"#state-{slot}.good").text == told
    opened.press("#check")
    assert "genuine and complete" in opened.wait("#verdict").text


def test_what_is_wrong_with_a_policy_is_said_at_once(opened: Browser, given: Path, world: World) -> None:
    opened.give("bundle", given / "ada.bundle.json")
    (given / "wrong").write_text("log eu.log.platform.example+00000000+AekyeR\nquorum none\n", "utf-8")
    opened.give("trust", given / "wrong")
    told = opened.find("#state-trust.bad").text
    assert told.startswith("wrong: ")
    assert "trust policy, line 1" in told
    assert not opened.find("#check").is_enabled()
    # The text of a good one, without its last line end, as pasting often leaves it.
    opened.press("#paste-trust")
    opened.find("#text-trust").send_keys(str(world.eu.vkey))
    opened.press("#use-trust")
    assert opened.wait("#state-trust.good").text == "✓ pasted text: 1 log, no witness needed"
    assert opened.find("#check").is_enabled()


def test_everything_can_be_done_and_heard_without_a_mouse(browser: Browser, given: Path) -> None:
    browser.open(PAGE.as_uri())
    for slot, name in {"bundle": "ada.bundle.json", "trust": "policy"}.items():
        browser.find(f"#file-{slot}").send_keys(str(given / name))
        browser.wait(f"#state-{slot}.good")
    browser.script("document.activeElement.blur()")
    reached = []
    for _ in range(7):
        ActionChains(browser.driver).send_keys(Keys.TAB).perform()
        reached.append(browser.driver.switch_to.active_element)
    names = [str(one.accessible_name) for one in reached]
    assert names == [
        "Choose file for: Your list",
        "Paste Your list",
        "Choose file for: Whom you trust",
        "Paste Whom you trust",
        "Make the check stronger (optional)",
        "Check my list",
        "Forget everything and start again",
    ]
    ActionChains(browser.driver).key_down(Keys.SHIFT).send_keys(Keys.TAB).key_up(Keys.SHIFT).perform()
    ActionChains(browser.driver).send_keys(Keys.ENTER).perform()
    browser.wait("#verdict.good")
    assert browser.driver.switch_to.active_element.text == "2. The check"
    heard = browser.find("#live")
    assert heard.get_attribute("role") == "status"
    assert "Your list is genuine and complete." in str(heard.get_attribute("textContent"))
    # The ✓ alone is not heard: each step says in words how it ended.
    assert [str(one.get_attribute("textContent")) for one in browser.all(".step .status")] == [" (holds)"] * 8
    for control in browser.all("button, input, select, textarea, summary"):
        if control.is_displayed():
            assert control.accessible_name, control.get_attribute("outerHTML")
    compare = [str(one.accessible_name) for one in browser.all("#logs button")]
    assert compare == ["Compare with the log of eu", "Compare with the log of us"]


def test_nothing_is_cut_off_on_a_phone(browser: Browser, given: Path) -> None:
    browser.open(PAGE.as_uri())
    metrics = {"width": 320, "height": 700, "deviceScaleFactor": 2, "mobile": True}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        for bundle in ("hidden.bundle.json", "ada.bundle.json"):
            check(browser, given, bundle)
            browser.script("for (const one of document.querySelectorAll('details')) one.open = true")
            assert browser.script("return [innerWidth, document.documentElement.scrollWidth]") == [320, 320]
    finally:
        browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(browser: Browser, given: Path, scheme: str) -> None:
    """WCAG 2.2, 1.4.3: at least 4.5 to 1."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    try:
        browser.open(PAGE.as_uri())
        for bundle in ("hidden.bundle.json", "ada.bundle.json"):
            check(browser, given, bundle)
            faint = browser.script(_CONTRAST)
            assert faint == []
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


_CONTRAST = """
const parse = (color) => color.match(/[0-9.]+/g).map(Number);
const light = (rgb) => {
  const [r, g, b] = rgb.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (element) => {
  for (let one = element; one; one = one.parentElement) {
    const [r, g, b, a = 1] = parse(getComputedStyle(one).backgroundColor);
    if (a === 1) return [r, g, b];
  }
  return [255, 255, 255];
};
const faint = [];
for (const element of document.querySelectorAll("body *")) {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  if (!own || !element.checkVisibility() || element.closest("script, option, :disabled")) continue;
  const [one, other] = [light(parse(getComputedStyle(element).color).slice(0, 3)), light(behind(element))];
  const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  if (ratio < 4.5) faint.push([element.outerHTML.slice(0, 120), ratio]);
}
return faint;
"""


def test_a_wrong_receipt_is_not_held_against_the_list(opened: Browser, given: Path) -> None:
    """The person may have given another file, or one that an editor has saved with other line ends."""
    receipt = (given / "ada.tlog-proof").read_bytes()
    (given / "windows.tlog-proof").write_bytes(receipt.replace(b"\n", b"\r\n"))
    (given / "cut.tlog-proof").write_bytes(receipt[:200])
    for wrong in ("windows.tlog-proof", "cut.tlog-proof", "policy"):
        opened.open(PAGE.as_uri())
        opened.press("#more > summary")
        opened.give("receipt", given / wrong)
        verdict = check(opened, given)
        assert "Your list and your receipt do not pass the check together." in verdict
        assert "Step 4" in verdict
        assert "an editor may have changed it" in verdict
        assert "This file does not pass" not in verdict
        assert "signed by the platform’s log" not in verdict


def test_a_file_in_the_wrong_place_is_not_printed(opened: Browser, given: Path) -> None:
    """A bundle holds a key, and has no line ends: as a word it would be as long as the file."""
    opened.give("trust", given / "ada.bundle.json")
    assert len(opened.find("#state-trust").text) < 200
    (given / "windows").write_bytes((given / "policy").read_bytes().replace(b"\n", b"\r\n"))
    opened.give("trust", given / "windows")
    assert "not those of Windows" in opened.find("#state-trust").text
