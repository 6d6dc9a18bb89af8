"""kill -9 of a witness under load, by two views of one log at once: no two cosignatures ever contradict each other."""

from __future__ import annotations

import http.client
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

from seenby_verify.tlog.checkpoint import parse_checkpoint
from seenby_verify.tlog.note import Note
from seenby_verify.tlog.vkey import VerifierKey
from seenby_verify.witness.state import make_witness, origin_hash
from tests.fixtures.memory_logs import MemoryLog

ROUNDS = 500 if os.environ.get("SEENBY_CAMPAIGN") == "long" else 20
CLIENTS = 6
PROGRAM = "import sys; from seenby_verify.cli.witness import app; app(sys.argv[1:])"


class Running:
    """A witness process and the clients that press it."""

    def __init__(self, home: Path, views: list[MemoryLog], vkey: VerifierKey, size: int) -> None:
        self.cosigned: list[tuple[int, int, bytes]] = []
        self.views = views
        self.vkey = vkey
        self.size = size
        arguments = ["--listen", "127.0.0.1:0", "--key", str(home / "key.pem"), "--state", str(home / "state")]
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "serve", *arguments, "--log", str(views[0].vkey)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self.process.stdout is not None
        self.process.stdout.readline()
        self.port = int(self.process.stdout.readline().decode().rpartition(":")[2].strip("/\n"))
        self.threads = [threading.Thread(target=self._press, args=(random.Random(n),)) for n in range(CLIENTS)]

    def _press(self, chance: random.Random) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            while True:
                view = chance.choice(self.views)
                old = self.size
                new = old + chance.randrange(4)
                connection.request("POST", "/add-checkpoint", view.request(old, new))
                answer = connection.getresponse()
                body = answer.read()
                if answer.status == 200:
                    (signature,) = Note.parse(view.note(new) + body).signatures([self.vkey])
                    self.cosigned.append((signature.time, new, view.root(new)))
                    self.size = max(self.size, new)
                elif answer.status == 409:
                    self.size = int(body)
                else:
                    assert answer.status == 422
        except (OSError, http.client.HTTPException):
            return  # it was killed
        finally:
            connection.close()

    def latest(self) -> int:
        """The size that the witness itself states, before anybody presses it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", f"/{origin_hash(self.views[0].origin)}/checkpoint")
        answer = connection.getresponse()
        note = answer.read()
        connection.close()
        return parse_checkpoint(Note.parse(note).text).size if answer.status == 200 else 0

    def press_and_kill(self, seconds: float) -> None:
        for thread in self.threads:
            thread.start()
        # The moment counts from the first cosignature of this process, so that each round has some.
        deadline = time.monotonic() + 20
        while not self.cosigned and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(seconds)
        self.process.kill()
        self.process.wait()
        for thread in self.threads:
            thread.join()
        assert self.process.stdout is not None
        self.process.stdout.close()


def test_no_two_cosignatures_contradict_each_other(tmp_path: Path) -> None:
    chance = random.Random(int(os.environ["SEENBY_SEED"]))
    views = [MemoryLog(), MemoryLog(fork=2, name="other")]
    vkey = make_witness("witness.test/w", tmp_path / "key.pem", tmp_path / "state")
    cosigned: list[tuple[int, int, bytes]] = []
    for _ in range(ROUNDS):
        running = Running(tmp_path, views, vkey, max((size for _, size, _ in cosigned), default=0))
        try:
            assert running.latest() >= max((size for _, size, _ in cosigned), default=0)
        finally:
            running.press_and_kill(chance.random() * 0.15)
        assert running.cosigned
        cosigned += running.cosigned
    # One view only: every root is the honest log's, or every root is the other's.
    told = {(size, root) for _, size, root in cosigned}
    assert any(told <= {(size, view.root(size)) for size, _ in told} for view in views)
    # "As of this time I had seen nothing larger": what is cosigned in a later second is not smaller.
    earlier = current = last = 0
    for moment, size, _ in sorted(cosigned):
        if moment > last:
            earlier, last = max(earlier, current), moment
        assert size >= earlier
        current = max(current, size)
