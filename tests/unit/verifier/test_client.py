"""How the verifier reads a log over the network."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Final

import pytest

from seenby_verify.client import open_log
from seenby_verify.errors import NotFound, Unavailable, UsageError, VerificationError
from seenby_verify.tlog.fsck import CHECKPOINT
from tests.fixtures.public_web import on_a_thread


@pytest.mark.parametrize("place", ["http://127.0.0.1:1/\udcff", "http://\udcff.example/"])
def test_octets_that_are_no_text_are_no_url(place: str) -> None:
    """As the command line or a policy may have them (tlog-policy: URLs are octets)."""
    with pytest.raises(UsageError, match="is not a URL"):
        open_log(place)


def test_a_silent_server_is_asked_again_after_longer_and_longer_pauses() -> None:
    pauses: list[float] = []
    with open_log("http://127.0.0.1:1/", sleep=pauses.append) as source, pytest.raises(Unavailable, match="cannot be"):
        source.read(CHECKPOINT)
    assert pauses == [0.25, 1, 4]


HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-length: 200000\r\n"
ZIPPED: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-length: 200000\r\ncontent-encoding: gzip\r\n\r\n\x1f\x8b\x08\x08" + b"\0" * 6
)


@contextmanager
def trickle(first: bytes, drop: bytes) -> Iterator[str]:
    """A server that never ends, and never pauses for as long as a client's timeout."""
    stopped = threading.Event()

    class Trickle(BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                self.request.recv(65_536)
                self.request.sendall(first)
                while not stopped.wait(0.02):
                    self.request.sendall(drop)

    with on_a_thread(ThreadingTCPServer(("127.0.0.1", 0), Trickle)) as url:
        try:
            yield url
        finally:
            stopped.set()


@pytest.mark.parametrize(
    ("first", "drop"), [(HEAD, b"x: y\r\n"), (HEAD + b"\r\n", b"x"), (ZIPPED, b"a")], ids=["head", "body", "compressed"]
)
def test_a_server_that_sends_a_little_at_a_time_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, first: bytes, drop: bytes
) -> None:
    """Its log would hold a monitor, which shouts at nothing as long as it waits."""
    monkeypatch.setattr("seenby_verify.patience.SLOWEST", 1 << 40)
    monkeypatch.setattr("seenby_verify.client.PAUSES", 0.01)
    pauses: list[float] = []
    with (
        trickle(first, drop) as url,
        open_log(url, timeout=30, sleep=pauses.append) as source,
        pytest.raises(Unavailable, match="comes too slowly"),
    ):
        source.read(CHECKPOINT)
    assert not pauses, "it would be as slow once more"


def test_a_place_that_says_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is empty"):
        open_log("")
    for place in (tmp_path / "no", "eu.log.example.org"):
        with pytest.raises(NotFound) as error:
            open_log(place)
        assert "begins with https://" in error.value.hint, "somebody may have left it out"
    with pytest.raises(NotFound, match="File name too long"):
        open_log("a" * 300)


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    for name in ("checkpoint", "tile/entries/000.p/3"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(tmp_path / name)
        with open_log(str(tmp_path)) as log, pytest.raises(VerificationError, match=f"{name}: is no file"):
            log.read(name)
