"""What the page asks of the network, and what it lets a file do: nothing but the comparison that a person asks for."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

import pytest

from seenby_verify.tlog.entries import AttemptRefused
from seenby_verify.tlog.tiles import ENTRIES, tiles_of
from tests.fixtures.browser import PAGE, Browser, Site, content_policy, serve
from tests.fixtures.bundles import World
from tests.fixtures.bundles_log import NOW, Log
from tests.fixtures.public_web import on_a_thread

pytestmark = pytest.mark.xdist_group("browser")

MARKUP = '<img src=x onerror="document.title=1"><script>document.title=2</script><b>bold</b>'


def publish(log: Log, folder: Path, **options: Any) -> None:
    """The log's newest checkpoint and the tiles that prove it, as a web server would have them."""
    note = log.checkpoint(NOW + 3600, **options)
    size = int(note.split(b"\n")[1])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "checkpoint").write_bytes(note)
    for tile in tiles_of(size):
        if tile.level != ENTRIES:
            path = folder / tile.path
            path.parent.mkdir(parents=True, exist_ok=True)
            first = tile.index * 256
            hashes = [log.node(8 * tile.level, first + i) for i in range(tile.width)]
            path.write_bytes(b"".join(hashes))


def grow(log: Log, entries: int) -> None:
    """More of what names nobody, and the seal."""
    for _ in range(entries):
        log.add(AttemptRefused(log.epoch, log.seed.randbytes(32), log.seed.randbytes(32)))
    log.seal()


class Compared:
    """ada's bundle, checked; the log of eu as ``folder`` serves it, which tests change before they ask."""

    def __init__(self, browser: Browser, world: World, site: Site, folder: Path) -> None:
        self.browser = browser
        self.world = world
        self.site = site
        self.folder = folder

    def ask(self, url: str | None = None) -> str:
        self.browser.script(
            "document.getElementById('url-0').value = arguments[0]", self.site.url if url is None else url
        )
        self.browser.press("#ask-0")
        return self.browser.wait("#fresh-0.good, #fresh-0.bad").text


@pytest.fixture
def compared(browser: Browser, tmp_path: Path) -> Iterator[Compared]:
    world = World()
    bundle = tmp_path / "ada.bundle.json"
    bundle.write_text(json.dumps(world.bundle(world.ada, world.ada2)), "utf-8")
    (tmp_path / "policy").write_text(world.policy(), "utf-8")
    folder = tmp_path / "log"
    publish(world.eu, folder)
    with serve(folder) as site:
        browser.open(PAGE.as_uri())
        browser.give("bundle", bundle)
        browser.give("trust", tmp_path / "policy")
        browser.press("#check")
        browser.wait("#verdict.good")
        assert site.asked == [], "nobody asked for it"
        yield Compared(browser, world, site, folder)


def test_the_page_asks_only_the_log_that_it_is_told_to_ask(compared: Compared) -> None:
    assert compared.ask() == "✓ The log’s newest state is exactly the one in your file."
    grow(compared.world.eu, 700)
    publish(compared.world.eu, compared.folder)
    assert compared.ask() == (
        "✓ The log has grown by 701 entries since, and still holds everything that your file was checked against."
    )
    asked = {f"{compared.site.url}{path[1:]}" for path in compared.site.asked}
    assert f"{compared.site.url}tile/0/000" in asked
    assert set(compared.browser.requests()) == {PAGE.as_uri(), *asked}
    assert compared.browser.complaints() == []


def rolled_back(log: Log, folder: Path) -> None:
    publish(log, folder, size=40)


def other_content(log: Log, folder: Path) -> None:
    log.entries[5] = log.entries[6]
    publish(log, folder)


def other_history(log: Log, folder: Path) -> None:
    log.entries[5] = log.entries[6]
    grow(log, 300)
    publish(log, folder)


def few_witnesses(log: Log, folder: Path) -> None:
    grow(log, 3)
    publish(log, folder, cosigners=1)


def damaged_tile(log: Log, folder: Path) -> None:
    grow(log, 300)
    publish(log, folder)
    tile = folder / "tile/0/000"
    data = bytearray(tile.read_bytes())
    data[32 * 200] ^= 1
    tile.write_bytes(data)


def short_tile(log: Log, folder: Path) -> None:
    grow(log, 300)
    publish(log, folder)
    tile = folder / "tile/0/000"
    tile.write_bytes(tile.read_bytes()[:-32])


def missing_tile(log: Log, folder: Path) -> None:
    grow(log, 300)
    publish(log, folder)
    (folder / "tile/0/000").unlink()


def no_checkpoint(log: Log, folder: Path) -> None:
    (folder / "checkpoint").write_text("<h1>Welcome</h1>", "utf-8")


@pytest.mark.parametrize(
    ("lie", "told"),
    [
        (rolled_back, "The server shows an older state of the log than your file."),
        (other_content, "The log shows others a different content than the one in your file."),
        (other_history, "The log no longer holds what it held when your file was made."),
        (few_witnesses, "Too few of the witnesses that you trust have cosigned."),
        (damaged_tile, "The log no longer holds what it held when your file was made."),
        (short_tile, "Tile/0/000 has 8160 bytes, not 8192."),
        (missing_tile, "tile/0/000: the server answers 404."),
        (no_checkpoint, "The note has no signatures, or it is cut off."),
    ],
)
def test_a_log_that_changed_its_story_is_caught(
    compared: Compared, lie: Callable[[Log, Path], None], told: str
) -> None:
    lie(compared.world.eu, compared.folder)
    answer = compared.ask()
    assert answer.startswith("✗ ")
    assert answer.endswith(told)


def test_an_address_that_cannot_be_asked_is_said(compared: Compared) -> None:
    said = compared.ask("http://127.0.0.1:1/")
    assert said == "✗ The file http://127.0.0.1:1/checkpoint cannot be reached from this page."
    for url in ("", "javascript:alert(1)", "eu.log.platform.example"):
        assert compared.ask(url) == "✗ Give the address of the log, which begins with https:// or http://."
    assert compared.site.asked == []


@pytest.mark.parametrize("body", [b"", b"checkpoint"], ids=["nothing", "a part"])
def test_a_log_that_never_ends_its_answer_is_not_asked_for_ever(compared: Compared, body: bytes) -> None:
    compared.browser.script(
        "const whole = AbortSignal.timeout.bind(AbortSignal); AbortSignal.timeout = (time) => whole(time / 100)"
    )
    with endless(body) as url:
        assert compared.ask(url) == f"✗ The file {url}checkpoint did not come in a minute."


@contextmanager
def endless(body: bytes) -> Iterator[str]:
    """A web server that begins an answer, and sends nothing more until the end of the test."""
    done = threading.Event()

    class Endless(BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65_536)
            if body:
                head = b"HTTP/1.1 200 OK\r\naccess-control-allow-origin: *\r\ncontent-length: 1000\r\n\r\n"
                self.request.sendall(head + body)
            done.wait()

    class Server(ThreadingTCPServer):
        daemon_threads = True

    with on_a_thread(Server(("127.0.0.1", 0), Endless)) as url:
        try:
            yield url
        finally:
            done.set()


def test_the_policy_of_the_page_names_exactly_its_own_scripts() -> None:
    """After a change of the page: python -m tests.fixtures.browser"""
    text = PAGE.read_text("utf-8")
    assert f'<meta http-equiv="Content-Security-Policy" content="{content_policy(text)}">' in text
    assert text.count("<script") == 2
    assert " style=" not in text
    assert "http://" not in text.split("<body>")[0], "nothing is loaded"


def test_no_other_script_and_no_other_address_gets_in(browser: Browser, tmp_path: Path) -> None:
    """Even if something could write markup into the page, its security policy stops it."""
    with serve(tmp_path) as site:
        browser.open(PAGE.as_uri())
        browser.script(
            """
            const script = document.createElement("script");
            script.textContent = "document.title = 'stolen'";
            const picture = document.createElement("img");
            picture.src = `${arguments[0]}picture.png`;
            const frame = document.createElement("iframe");
            frame.src = `${arguments[0]}frame.html`;
            document.body.append(script, picture, frame);
            document.body.insertAdjacentHTML("beforeend", `<b onclick="document.title = 'stolen'">x</b>`);
            document.body.lastElementChild.click();
            """,
            site.url,
        )
        for blocked in ("inline script", "picture.png", "frame-src", "inline event handler"):
            assert any(blocked in line for line in browser.complaints_until(blocked)), blocked
        assert browser.driver.title == "Who has seen my data?"
        assert site.asked == []


def test_markup_in_a_file_is_shown_as_it_is_written(browser: Browser, tmp_path: Path) -> None:
    """An operator writes into records what they like; names of files and members are a stranger's too."""

    def spoil(what: str, value: Any) -> Any:
        if what == "part" and value["how"] == "disclosed":
            return {**value, "classes": [MARKUP, "constructor"], "columns": [MARKUP]}
        if what != "record" or value["kind"] != "query":
            return value
        unit = {"country": MARKUP, "entity": MARKUP, "role": MARKUP, "unit": MARKUP}
        texts = {"at": MARKUP, "grant": MARKUP, "purpose": MARKUP, "principal": unit, "requester": {"unit": MARKUP}}
        return {**value, **texts, "reference": {"kind": MARKUP}, "approvers": [{"unit": MARKUP}, "x", None]}

    world = World(spoil=spoil)
    bundle = world.bundle(world.ada, world.ada2)
    (tmp_path / "policy").write_text(world.policy(), "utf-8")
    (tmp_path / "<img src=x onerror=alert(1)>.json").write_text(json.dumps(bundle), "utf-8")
    browser.open(PAGE.as_uri())
    browser.give("trust", tmp_path / "policy")
    browser.give("bundle", tmp_path / "<img src=x onerror=alert(1)>.json")
    browser.press("#check")
    assert "genuine" in browser.wait("#verdict").text
    browser.script("for (const one of document.querySelectorAll('details')) one.open = true")
    shown = browser.find("#shown").text
    assert shown.count(MARKUP) > 20
    assert "constructor" in shown
    assert "native code" not in shown

    bundle["logs"][0][MARKUP] = MARKUP
    (tmp_path / "member.json").write_text(json.dumps(bundle), "utf-8")
    browser.give("bundle", tmp_path / "member.json")
    browser.press("#check")
    assert f'the member "{MARKUP}" is unknown' in browser.wait("#verdict.bad").text

    (tmp_path / "wrong").write_text(f"{MARKUP}\n", "utf-8")
    browser.give("trust", tmp_path / "wrong")
    assert "<img" in browser.find("#state-trust").text
    assert browser.all("img, b, main script") == []
    assert browser.driver.title == "Who has seen my data?"
    assert browser.complaints() == []
