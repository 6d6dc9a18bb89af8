"""The public log over HTTP: what is served, for how long it may be kept, and that nothing else comes out."""

from __future__ import annotations

import asyncio
import http.client
import logging
import os
import re
import shutil
import socket
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from importlib import resources
from pathlib import Path

import httpx2
import pytest
from structlog.testing import capture_logs

from seenby.demo.certificates import write_certificates
from seenby.errors import ConfigError
from seenby.gateway import public_web as web
from seenby.gateway.public_web import listen_public, public_app, serve_public
from seenby.stores.config import Publish, load_config
from seenby_verify.client import LogSource, open_log
from seenby_verify.tlog.checkpoint import open_checkpoint
from seenby_verify.tlog.tiles import TileReader, tiles_of
from seenby_verify.tlog.tree import tree_root
from seenby_verify.tlog.vkey import VerifierKey
from tests.fixtures.public_web import plain_web, public_web
from tests.fixtures.two_views import LOG, PublicLog

SIZE = 700
FULL, PARTIAL = "tile/0/001", f"tile/0/002.p/{SIZE - 512}"
ENTRIES = "tile/entries/000"


def site_of(log: PublicLog) -> Iterator[httpx2.Client]:
    with public_web(log.directory, LOG) as url, httpx2.Client(base_url=url) as client:
        yield client


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> PublicLog:
    """Beside it, as in a ledger, lies what nobody may read."""
    ledger = tmp_path_factory.mktemp("ledger")
    (ledger / "private").mkdir()
    (ledger / "private" / "secret").write_text("secret")
    made = PublicLog(ledger / "public")
    made.grow(SIZE)
    return made


@pytest.fixture(scope="module")
def site(log: PublicLog) -> Iterator[httpx2.Client]:
    yield from site_of(log)


@pytest.fixture
def growing(tmp_path: Path) -> PublicLog:
    """One that a test may change."""
    made = PublicLog(tmp_path / "public")
    made.grow(SIZE)
    return made


@pytest.fixture
def growing_site(growing: PublicLog) -> Iterator[httpx2.Client]:
    yield from site_of(growing)


def raw(site: httpx2.Client, path: str, method: str = "GET") -> tuple[int, bytes]:
    """A request for exactly this path: clients tidy paths up, attackers do not."""
    connection = http.client.HTTPConnection(site.base_url.host, site.base_url.port, timeout=20)
    try:
        connection.putrequest(method, path, skip_host=False)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


IMMUTABLE = "public, max-age=31536000, immutable"


@pytest.mark.parametrize(
    ("path", "kind", "cache"),
    [
        ("checkpoint", "text/plain; charset=utf-8", "no-cache"),
        (FULL, "application/octet-stream", IMMUTABLE),
        (PARTIAL, "application/octet-stream", IMMUTABLE),
        (ENTRIES, "application/octet-stream", IMMUTABLE),
    ],
)
def test_files_are_served_as_they_are_with_their_type_and_how_long_they_hold(
    site: httpx2.Client, log: PublicLog, path: str, kind: str, cache: str
) -> None:
    got = site.get(path)
    assert (got.status_code, got.content) == (200, (log.directory / path).read_bytes())
    assert (got.headers["content-type"], got.headers["cache-control"]) == (kind, cache)
    assert got.headers["access-control-allow-origin"] == "*"
    assert got.headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in got.headers
    assert "server" not in got.headers
    head = site.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert {**head.headers, "date": ""} == {**got.headers, "date": ""}


def test_who_has_a_file_is_told_that_it_is_the_same_until_it_is_not(
    growing_site: httpx2.Client, growing: PublicLog
) -> None:
    for path in ("checkpoint", FULL, ""):
        tag = growing_site.get(path).headers["etag"]
        for known in (tag, f'"x", {tag}', f"W/{tag}", "*"):
            again = growing_site.get(path, headers={"if-none-match": known})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
            assert again.headers["access-control-allow-origin"] == "*"
            assert "cache-control" in again.headers
        assert growing_site.get(path, headers={"if-none-match": '"x"'}).status_code == 200
    tag = growing_site.get("checkpoint").headers["etag"]
    note = growing.grow(SIZE + 1)
    changed = growing_site.get("checkpoint", headers={"if-none-match": tag})
    assert (changed.status_code, changed.content) == (200, note)


def test_a_partial_tile_that_gave_way_to_the_full_one_is_gone_and_the_client_reads_on(
    growing_site: httpx2.Client, growing: PublicLog
) -> None:
    old = growing.file.note
    assert growing_site.get(PARTIAL).status_code == 200
    growing.grow(768)
    gone = growing_site.get(PARTIAL)
    assert (gone.status_code, gone.headers["cache-control"]) == (404, "no-store")
    checkpoint = open_checkpoint(old, LOG)
    with open_log(str(growing_site.base_url)) as source:
        assert tree_root(TileReader(source.read, SIZE).node, SIZE) == checkpoint.root


NOTHING = [
    "/tile", "/tile/", "/tile/0", "/tile/0/", "/tile/0/003", "/tile/0/0", "/tile/00/000", "/tile/0/000/",
    "/tile/entries", "/tile/0/000.p/256", "/tile/0/000.p/0", "/tile/0/000.p", "/tile/0/x000/000", "/tile/64/000",
    "/tile/-1/000", "/checkpoint/", "/checkpoint.tmp", "/Checkpoint", "/checkpoint%0a", "/private/secret",
    "/public/checkpoint", "/index.html", "/favicon.ico", "/../private/secret", "/tile/../../private/secret",
    "/tile/0/../../checkpoint", "/tile/0/..%2f..%2f..%2fprivate/secret", "/%2e%2e/private/secret",
    "/tile/%2e%2e/checkpoint", "/tile/0/000%00", "/tile/0/000%0a", "//etc/passwd", "/tile//etc/passwd",
    "/tile/0/\\..\\secret", "/verify.html/", "/verify.html/../private", "/tile/0/%d9%a0%d9%a0%d9%a0", "/%ff", "/.",
]  # fmt: skip


@pytest.mark.parametrize("path", NOTHING)
def test_everything_else_is_not_there_and_not_to_be_remembered(site: httpx2.Client, path: str) -> None:
    status, body = raw(site, path)
    assert (status, body) == (404, b"there is nothing here\n")
    got = site.get("tile/0/003")
    assert (got.headers["cache-control"], got.headers["access-control-allow-origin"]) == ("no-store", "*")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_the_log_can_only_be_read(site: httpx2.Client, method: str) -> None:
    for path in ("/", "/checkpoint", f"/{FULL}", "/verify.html"):
        assert raw(site, path, method) == (405, b"this log can only be read\n")


def test_a_log_that_has_no_checkpoint_yet_says_so_and_then_has_one(tmp_path: Path) -> None:
    empty = PublicLog(tmp_path / "public")
    with public_web(empty.directory, LOG) as url, httpx2.Client(base_url=url) as client:
        assert client.get("checkpoint").status_code == 404
        note = empty.grow(1)
        assert client.get("checkpoint").content == note


def test_a_file_that_cannot_be_read_is_a_503_that_nobody_keeps(growing_site: httpx2.Client, growing: PublicLog) -> None:
    (growing.directory / FULL).unlink()
    (growing.directory / FULL).mkdir()
    with capture_logs() as lines:
        got = growing_site.get(FULL)
    assert (got.status_code, got.headers["cache-control"]) == (503, "no-store")
    assert [line["event"] for line in lines] == ["the public log cannot be read"]
    assert growing_site.get("checkpoint").status_code == 200


def test_nobody_writes_down_who_reads(
    site: httpx2.Client, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            kept.append(record)

    kept: list[logging.LogRecord] = []
    monkeypatch.setattr(logging.getLogger("uvicorn.access"), "handlers", [])  # pytest's own
    monkeypatch.setattr(logging.getLogger(), "handlers", [Kept()])
    before = logging.getLogger().level
    logging.getLogger().setLevel(logging.INFO)
    try:
        with capture_logs() as lines:
            for path in ("/", "/checkpoint", f"/{FULL}", "/verify.html", "/nothing"):
                raw(site, path)
    finally:
        logging.getLogger().setLevel(before)
    assert (lines, kept, *capfd.readouterr()) == ([], [], "", "")


def test_the_front_page_gives_the_key_and_the_command_and_runs_nothing(site: httpx2.Client) -> None:
    got = site.get("")
    assert (got.status_code, got.headers["content-type"]) == (200, "text/html; charset=utf-8")
    text = unescape(got.text)
    assert VerifierKey.parse(re.findall(r"<code>(\S+)</code>", text)[0]) == LOG
    assert f"seenby-verify log PLACE --key {LOG}" in text
    assert "<script" not in text
    assert got.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    for link in re.findall(r'href="([^":]+)"', text):
        assert site.get(link).status_code == 200


def test_a_name_is_text_on_the_front_page_and_never_markup(log: PublicLog) -> None:
    evil = VerifierKey("</title><script>alert(1)</script>&amp;", LOG.key)
    with public_web(log.directory, evil) as url:
        page = httpx2.get(url).text
    assert "<script" not in page
    assert str(evil) in unescape(page)


def test_the_page_that_checks_bundles_is_the_verifiers_own(site: httpx2.Client) -> None:
    got = site.get("verify.html")
    assert got.content == (resources.files("seenby_verify") / "page" / "verify.html").read_bytes()
    assert got.headers["content-type"] == "text/html; charset=utf-8"
    assert (got.headers["cache-control"], got.headers["content-security-policy"]) == (
        "no-cache",
        "frame-ancestors 'none'",
    )


def whole(source: LogSource) -> tuple[bytes | None, bytes, list[bytes | None]]:
    """Checkpoint, root out of the tiles, all tiles."""
    note = source.fresh("checkpoint")
    assert note
    size = open_checkpoint(note, LOG).size
    return note, tree_root(TileReader(source.read, size).node, size), [source.read(one.path) for one in tiles_of(size)]


def test_any_web_server_can_serve_a_copy(site: httpx2.Client, log: PublicLog, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(log.directory, copy)
    with plain_web(copy) as url, open_log(url) as copied, open_log(str(site.base_url)) as ours, open_log(copy) as files:
        got = [whole(source) for source in (ours, copied, files)]
    assert got[0] == got[1] == got[2]
    note, root, tiles = got[0]
    assert note == log.file.note
    assert root == open_checkpoint(note, LOG).root
    assert len(tiles) == 7
    assert None not in tiles


def test_with_tls(log: PublicLog, tmp_path: Path) -> None:
    write_certificates(tmp_path / "ca.crt", {"eu": tmp_path}, datetime.now(UTC))
    cert, key = str(tmp_path / "server.crt"), str(tmp_path / "server.key")
    trust = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
    with public_web(log.directory, LOG, tls_cert=cert, tls_key=key) as url, httpx2.Client(verify=trust) as client:
        assert url.startswith("https://")
        assert client.get(f"{url}checkpoint").content == log.file.note


def test_a_place_that_cannot_be_served_is_a_sentence(log: PublicLog, tmp_path: Path) -> None:
    with listen_public(Publish("127.0.0.1", 0)) as taken:
        with pytest.raises(ConfigError, match=r"cannot listen on 127.0.0.1:\d+") as told:
            listen_public(Publish("127.0.0.1", taken.getsockname()[1]))
        assert "[publish]" in told.value.hint
    with pytest.raises(ConfigError, match=r"cannot listen on 192\.0\.2\.1:1"):
        listen_public(Publish("192.0.2.1", 1))  # RFC 5737: nobody's
    (tmp_path / "bad").write_text("no certificate")
    for cert in ("bad", "missing"):
        publish = Publish("127.0.0.1", 0, str(tmp_path / cert), str(tmp_path / cert))
        listener = listen_public(publish)
        with pytest.raises(ConfigError, match="cannot use"):
            asyncio.run(serve_public(public_app(log.directory, LOG), listener, publish))
        assert listener.fileno() == -1


def test_it_listens_on_ipv6(log: PublicLog) -> None:
    with listen_public(Publish("::1", 0)) as made:
        assert made.family == socket.AF_INET6


def test_too_many_connections_get_a_503(log: PublicLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "MAX_CONNECTIONS", 3)
    with public_web(log.directory, LOG) as url, httpx2.Client(base_url=url) as client:
        held = [socket.create_connection(("127.0.0.1", client.base_url.port or 0)) for _ in range(5)]
        try:
            assert client.get("checkpoint").status_code == 503
        finally:
            for one in held:
                one.close()


def test_an_answer_is_not_held_back(site: httpx2.Client) -> None:
    """Head and body are two writes: with Nagle's algorithm the second waits 40 ms for the first one's ACK."""
    connection = http.client.HTTPConnection(site.base_url.host, site.base_url.port, timeout=20)
    took = [1.0]
    for _ in range(200):  # each would wait; on a busy machine only some come at once
        started = time.monotonic()
        connection.request("GET", f"/{FULL}")
        connection.getresponse().read()
        took.append(time.monotonic() - started)
        if len(took) > 2 and min(took[2:]) < 0.03:
            break
    connection.close()
    assert min(took[2:]) < 0.03


def test_when_it_ends_the_port_is_free_and_nothing_is_left(log: PublicLog) -> None:
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    with public_web(log.directory, LOG) as url:
        httpx2.get(f"{url}checkpoint")
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"{url}checkpoint")
    if before:
        assert len(os.listdir("/proc/self/fd")) <= before  # fewer where something of an earlier test was collected


MINIMAL = 'region = "eu"\norigin = "eu.test/ledger"\n[control]\nsocket = "run/control.sock"\n'


def test_the_configuration_says_where_and_paths_are_relative_to_it(tmp_path: Path) -> None:
    file = tmp_path / "seenby.toml"
    file.write_text(MINIMAL)
    assert load_config(file).publish == Publish("")  # not served
    file.write_text(f'{MINIMAL}[publish]\nhost = "::"\nport = 8443\ntls_cert = "tls/a.crt"\ntls_key = "/b.key"\n')
    assert load_config(file).publish == Publish("::", 8443, str(tmp_path / "tls/a.crt"), "/b.key")


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ('host = "::"', "port must be from 1 to 65535, not 0"),
        ('host = "::"\nport = 65536', "not 65536"),
        ('host = "::"\nport = 1\ntls_cert = "a"', "go together"),
        ('host = "::"\nport = "1"', "of type int"),
        ("prot = 1", "publish.prot is not a setting"),
    ],
)
def test_a_configuration_that_cannot_be_meant_is_refused(tmp_path: Path, section: str, told: str) -> None:
    file = tmp_path / "seenby.toml"
    file.write_text(f"{MINIMAL}[publish]\n{section}\n")
    with pytest.raises(ConfigError, match=told):
        load_config(file)
