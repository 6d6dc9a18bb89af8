"""A process that writes a ledger as fast as it can and says on stdout what was acknowledged. Somebody will kill it.

Usage: ledger_writer.py DIRECTORY FIRST APART [FILE_SIZE_LIMIT]. Number n is the grant id of the n-th disclosure; a line
"n" on stdout means: done(None) was called for it. "failed" means: done(LedgerFailed). APART "1": a process of its own
makes public what is durable, and may outlive this one.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from pathlib import Path

import structlog

from seenby.errors import LedgerFailed
from seenby.model.disclosure import EntryBound, QueryDisclosure, Shown
from tests.fixtures.ledgers import PART, RECORD, WITHHELD, open_ledger

AT_ONCE = 24


async def main(directory: Path, first: int, apart: bool, segment_bytes: int) -> None:
    ledger = open_ledger(directory, publish_after=0.005, segment_bytes=segment_bytes, apart=apart)
    os.write(1, b"open\n")
    number = first
    ended = asyncio.get_running_loop().create_future()

    def submit() -> None:
        nonlocal number
        mine, number = number, number + 1
        people = tuple(Shown(f"account:{mine % 50 + n * 50 + mine // 400 * 200}", PART) for n in range(mine % 4))
        item = QueryDisclosure(RECORD, WITHHELD, people, 0, True, EntryBound.EXACT, mine.to_bytes(16, "big"), 1)

        def done(error: BaseException | None) -> None:
            if error is None:
                os.write(1, b"%d\n" % mine)
                submit()
            elif isinstance(error, LedgerFailed) and not ended.done():
                os.write(1, b"failed\n")
                ended.set_result(None)

        ledger.submit(item, done)

    for _ in range(AT_ONCE):
        submit()
    await ended


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # stdout is for what was acknowledged
    if len(sys.argv) > 4:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), resource.RLIM_INFINITY))
    # Under a limit one journal file grows until a write takes a part only, unless the state's file meets it first.
    segment = 1 << 30 if len(sys.argv) > 4 else 100_000
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "1", segment))
