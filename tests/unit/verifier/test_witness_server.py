"""The witness over HTTP, on real sockets: what it answers, what it keeps, whom it cuts off."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from seenby_verify.errors import NotFound, Unavailable, UsageError, VerificationError
from seenby_verify.tlog.note import Note
from seenby_verify.tlog.vkey import VerifierKey
from seenby_verify.witness import state as state_module
from seenby_verify.witness.server import MAX_CONNECTIONS, WitnessServer
from seenby_verify.witness.state import State, load_key, make_witness, origin_hash
from tests.fixtures.memory_logs import MemoryLog

LOG = MemoryLog()
NOW = 1_795_338_000


@pytest.fixture
def home(tmp_path: Path) -> Path:
    make_witness("witness.test/w", tmp_path / "key.pem", tmp_path / "state")
    return tmp_path


def opened(home: Path, logs: list[VerifierKey] | None = None) -> State:
    return State(home / "state", load_key(home / "key.pem"), logs or [LOG.vkey])


@contextmanager
def served(home: Path, seconds: float = 5) -> Iterator[WitnessServer]:
    state = opened(home)
    told: list[str] = []
    with WitnessServer(("127.0.0.1", 0), state, clock=lambda: NOW, told=told.append, seconds=seconds) as server:
        server.lines = told  # type: ignore[attr-defined]  # for the tests only
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
            state.close()


def place(server: WitnessServer) -> tuple[str, int]:
    host, port = server.server_address[:2]
    return str(host), port


def ask(server: WitnessServer, method: str, path: str, body: bytes | None = None) -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection(*place(server), timeout=20)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.getheader("content-type") or "", answer.read()
    finally:
        connection.close()


def test_an_answer_is_one_packet(home: Path) -> None:
    """In two, the body would wait 40 ms for the ACK of the head (Nagle's algorithm, RFC 896, and delayed ACKs)."""
    with served(home) as server, socket.create_connection(place(server), timeout=20) as connection:
        for _ in range(3):
            connection.sendall(b"GET /nothing HTTP/1.1\r\nHost: w\r\n\r\n")
            assert connection.recv(65_536).endswith(b"there is nothing here\n")


def test_a_log_is_cosigned_step_by_step_on_one_connection(home: Path) -> None:
    with served(home) as server:
        connection = http.client.HTTPConnection(*place(server), timeout=20)
        for old, new in ((0, 1), (1, 1), (1, 300), (300, 301)):
            connection.request("POST", "/add-checkpoint", LOG.request(old, new))
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == 200
            assert body.startswith("— witness.test/w ".encode())
            (signature,) = Note.parse(LOG.note(new) + body).signatures([server.state.witness.vkey])
            assert signature.time == NOW
        connection.close()


def test_a_conflict_tells_the_size_in_its_own_content_type(home: Path) -> None:
    with served(home) as server:
        assert ask(server, "POST", "/add-checkpoint", LOG.request(0, 5))[0] == 200
        assert ask(server, "POST", "/add-checkpoint", LOG.request(0, 9)) == (409, "text/x.tlog.size", b"5\n")
        lines = [json.loads(line) for line in server.lines]  # type: ignore[attr-defined]
        assert [line["status"] for line in lines] == [200, 409]
        assert (lines[0]["origin"], lines[0]["size"]) == ("log.test", 5)


def test_monitors_read_what_was_cosigned_last(home: Path) -> None:
    path = f"/{origin_hash('log.test')}/checkpoint"
    with served(home) as server:
        assert ask(server, "GET", path)[0] == 404
        signature = ask(server, "POST", "/add-checkpoint", LOG.request(0, 5))[2]
        assert ask(server, "GET", path)[2] == LOG.note(5) + signature
        assert ask(server, "HEAD", path) == (200, "text/plain; charset=utf-8", b"")
        for other in ("/", f"/{origin_hash('other')}/checkpoint", "/../state/witness", path + "x"):
            assert ask(server, "GET", other)[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/", 404), ("POST", "/add-checkpoint/", 404), ("PUT", "/add-checkpoint", 501), ("DELETE", "/", 501)],
)
def test_what_the_witness_does_not_know_is_refused(home: Path, method: str, path: str, status: int) -> None:
    with served(home) as server:
        assert ask(server, method, path, b"old 0\n")[0] == status


def test_after_a_restart_it_goes_on_where_it_was(home: Path) -> None:
    with served(home) as server:
        ask(server, "POST", "/add-checkpoint", LOG.request(0, 5))
    fork = MemoryLog(fork=3, name="other")
    with served(home) as server:
        assert ask(server, "POST", "/add-checkpoint", fork.request(0, 9))[::2] == (409, b"5\n")
        assert ask(server, "POST", "/add-checkpoint", fork.request(5, 9))[0] == 422
        assert ask(server, "POST", "/add-checkpoint", LOG.request(5, 9))[0] == 200


def test_a_fork_leaves_both_notes_behind(home: Path) -> None:
    fork = MemoryLog(fork=3, name="other")
    with served(home) as server:
        ask(server, "POST", "/add-checkpoint", LOG.request(0, 5))
        assert ask(server, "POST", "/add-checkpoint", fork.request(5, 5))[0] == 422
        cosigned = ask(server, "GET", f"/{origin_hash('log.test')}/checkpoint")[2]
    kept = {path.suffix: path.read_bytes() for path in (home / "state" / "forks").iterdir()}
    assert kept == {".note": fork.note(5), ".cosigned": cosigned}


def raw(server: WitnessServer, data: bytes) -> bytes:
    """Sends bytes and reads until the server closes."""
    with socket.create_connection(place(server), timeout=20) as connection:
        connection.sendall(data)
        got = b""
        while part := connection.recv(65_536):
            got += part
        return got


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"", b"411"),
        (b"Content-Length: -1\r\n", b"411"),
        (b"Content-Length: 70000\r\n", b"413"),
        (b"Content-Length: 99999999999999999999\r\n", b"411"),
        (b"Transfer-Encoding: chunked\r\n", b"411"),
    ],
)
def test_a_request_without_a_sane_length_is_not_read(home: Path, head: bytes, status: bytes) -> None:
    with served(home) as server:
        got = raw(server, b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n")
        assert got.startswith(b"HTTP/1.1 " + status)


def test_who_is_slow_is_cut_off(home: Path) -> None:
    with served(home, seconds=0.4) as server:
        started = time.monotonic()
        with socket.create_connection(place(server), timeout=20) as connection:
            connection.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
            closed = False
            while time.monotonic() - started < 4 and not closed:
                try:  # a byte now and then does not help
                    connection.sendall(b"o")
                    connection.settimeout(0.05)
                    closed = connection.recv(1) == b""
                except TimeoutError:
                    continue
                except OSError:
                    closed = True
            assert closed
        assert ask(server, "POST", "/add-checkpoint", LOG.request(0, 1))[0] == 200


def test_too_many_connections_are_told_so(home: Path) -> None:
    with served(home) as server:
        held = []
        try:
            for _ in range(MAX_CONNECTIONS):
                one = http.client.HTTPConnection(*place(server), timeout=20)
                one.request("GET", "/")  # answered: so it has its thread
                one.getresponse().read()
                held.append(one)
            assert ask(server, "GET", "/")[0] == 503
        finally:
            for one in held:
                one.close()


def test_many_at_once_never_get_two_histories(home: Path) -> None:
    """Requests race for the same step with two views: one view wins, in every order."""
    fork = MemoryLog(fork=0, name="other")
    good: list[tuple[int, bytes]] = []

    def race(view: MemoryLog) -> None:
        for size in range(1, 40):
            for old in range(max(0, size - 3), size):
                status, _, _ = ask(server, "POST", "/add-checkpoint", view.request(old, size))
                if status == 200:
                    good.append((size, view.root(size)))

    with served(home) as server:
        threads = [threading.Thread(target=race, args=(view,)) for view in (LOG, fork, LOG, fork)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert good
    assert {root for size, root in good} <= {LOG.root(size) for size, _ in good} or {root for _, root in good} <= {
        fork.root(size) for size, _ in good
    }


def test_two_processes_do_not_share_a_state(home: Path) -> None:
    state = opened(home)
    with pytest.raises(Unavailable, match="another process"):
        opened(home)
    state.close()
    opened(home).close()


def test_a_state_that_is_gone_or_damaged_or_somebody_elses_is_not_used(home: Path, tmp_path: Path) -> None:
    state = opened(home)
    state.add_checkpoint(LOG.request(0, 5), NOW)
    state.close()
    file = home / "state" / origin_hash("log.test")
    whole = file.read_bytes()
    for damaged in (whole[:-1], whole.replace(b"\n5\n", b"\n4\n"), LOG.note(5), b""):
        file.write_bytes(damaged)
        with pytest.raises(VerificationError, match="damaged"):
            opened(home)
    file.write_bytes(whole)
    with pytest.raises(NotFound, match="not a witness's state"):
        State(tmp_path / "elsewhere", load_key(home / "key.pem"), [LOG.vkey])
    make_witness("witness.test/w", tmp_path / "other.pem", tmp_path / "other")
    with pytest.raises(VerificationError, match="belongs to"):
        State(home / "state", load_key(tmp_path / "other.pem"), [LOG.vkey])


def test_a_key_is_never_written_over_nor_read_when_others_can(home: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there already"):
        make_witness("w", home / "key.pem", tmp_path / "new")
    with pytest.raises(UsageError, match="not empty"):
        make_witness("w", tmp_path / "new.pem", home / "state")
    (home / "key.pem").chmod(0o644)
    with pytest.raises(UsageError, match="readable by others"):
        load_key(home / "key.pem")


def test_a_state_that_cannot_be_written_cosigns_nothing_any_more(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = opened(home)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(state_module, "write_durably", full)
        got = state.add_checkpoint(LOG.request(0, 5), NOW)
        assert (got.status, got.seen) == (500, None)
    # Also when the disk is well again: what it holds is known after a restart only.
    again = state.add_checkpoint(LOG.request(0, 5), NOW)
    assert again.status == 500
    assert re.search(rb"cannot write", again.body)
    state.close()
