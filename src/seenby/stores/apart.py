"""The integrator in a process of its own, so that hashing what becomes public takes no time from those who wait.

Both threads of one interpreter share one core's worth of Python; two processes do not. The journal's files are all that
the child reads, and it never sees a key: the parent signs. One request and one answer at a time, over the child's
standard input and output::

    parent  u64 until
    child   00 | u64 size | root[32]         integrated, durable; the tree that may be published
            01 | u32 length | JSON           [message, hint, detail] of the LedgerFailed that ends both

A child that died (out of memory, kill -9) is replaced once per request: what it had committed is there, the rest is
done again. It holds ``private/integrating.lock`` (flock(2), inherited), which outlives a parent that was killed: the
next writer waits until nobody integrates any more.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path
from typing import IO, Final

import structlog

from seenby.errors import LedgerFailed, SeenbyError
from seenby.stores.integrate import Head, Integrator
from seenby.stores.locks import FileLock
from seenby.stores.publish import Tiles
from seenby.stores.state import State

UNTIL: Final = struct.Struct(">Q")
HEAD: Final = struct.Struct(">Q32s")
LENGTH: Final = struct.Struct(">I")
DONE: Final = b"\x00"
FAILED: Final = b"\x01"

log = structlog.get_logger("seenby.ledger")


class Apart:
    """Starts the child at once. ``advance`` blocks: call it on a thread that has nothing else to do."""

    def __init__(self, directory: Path, lock: FileLock) -> None:
        """``directory``: the ledger's, whose state nobody in this process writes any more."""
        self._directory = directory
        self._lock = lock
        self._child = self._start()

    @property
    def pid(self) -> int:
        return self._child.pid

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # this interpreter, this module
            [sys.executable, "-P", "-m", "seenby.stores.apart", str(self._directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=(self._lock.file,),
        )

    def advance(self, until: int) -> Head:
        """As ``Integrator.advance``. Raises LedgerFailed, also when the child died twice."""
        try:
            return self._ask(until)
        except (EOFError, BrokenPipeError):
            log.warning("integrating again", ledger=str(self._directory), ended=self._end())
            self._child = self._start()
        try:
            return self._ask(until)
        except (EOFError, BrokenPipeError):
            raise LedgerFailed(
                "the process that makes the log public ended twice",
                hint="see what it wrote to standard error; is there memory and disk left?",
                detail=f"exit status {self._end()}",
            ) from None

    def _ask(self, until: int) -> Head:
        requests, answers = self._child.stdin, self._child.stdout
        assert requests is not None
        assert answers is not None
        requests.write(UNTIL.pack(until))
        requests.flush()
        kind = _read(answers, 1)
        if kind == DONE:
            return Head(*HEAD.unpack(_read(answers, HEAD.size)))
        if kind != FAILED:  # waiting for the rest of what is no answer would be for ever
            raise LedgerFailed(
                "the process that makes the log public wrote something else than an answer",
                hint="does something in its Python write to standard output (PYTHONPATH, sitecustomize)?",
            )
        (length,) = LENGTH.unpack(_read(answers, LENGTH.size))
        message, hint, detail = json.loads(_read(answers, length))
        raise LedgerFailed(message, hint=hint, detail=detail)

    def _end(self) -> int:
        """Closes its input, which ends it; answers its exit status."""
        for pipe in (self._child.stdin, self._child.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:
                continue
        return self._child.wait()

    def close(self) -> None:
        self._end()


def _read(file: IO[bytes], count: int) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise EOFError
    return data


def main() -> None:
    """The child. Signals that end a gateway reach it too; it ends when its parent has nothing more to ask."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else is written there is no answer
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    directory = Path(sys.argv[1])
    integrator: Integrator | None = None
    while request := requests.read(UNTIL.size):
        try:
            if integrator is None:
                state = State(directory / "private" / "state")
                tiles = Tiles(directory / "public", directory / "private" / "publishing.tmp")
                integrator = Integrator(directory / "private" / "journal", state, tiles)
            head = integrator.advance(*UNTIL.unpack(request))
        except (SeenbyError, OSError) as error:
            told = [str(error), "look at the disk, then start the gateway again", type(error).__name__]
            if isinstance(error, SeenbyError):
                told = [error.message, error.hint, error.detail]
            data = json.dumps(told).encode()
            answers.write(FAILED + LENGTH.pack(len(data)) + data)
            answers.flush()
            return
        try:
            answers.write(DONE + HEAD.pack(head.size, head.root))
            answers.flush()
        except BrokenPipeError:  # the parent was killed: what was asked for is done, and nobody waits for it
            os._exit(0)


if __name__ == "__main__":
    main()
