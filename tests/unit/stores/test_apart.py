"""What is durable is made public by a process of its own: the same bytes, and a death of either side costs nothing."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from seenby.errors import LedgerFailed
from seenby.stores.apart import UNTIL, Apart
from seenby.stores.integrate import Integrator
from seenby.stores.ledger import Ledger
from seenby.stores.locks import integrating_lock
from seenby.stores.publish import Tiles
from seenby.stores.records import public_reader
from seenby.stores.state import State
from seenby_verify.tlog.verify import TITLES, verify
from tests.fixtures.ledgers import disclosure, open_ledger, with_ledger


async def some(ledger: Ledger, first: int = 0) -> None:
    """A few queries, each published by itself."""
    for number in range(first, first + 3):
        await ledger.append(disclosure(*(f"account:{number + n}" for n in range(number % 3 + 1))))
        await ledger.published()


def child(ledger: Ledger) -> Apart:
    assert ledger._apart is not None
    return ledger._apart


def check(directory: Path, ledger: Ledger) -> None:
    """The public log verifies, and tiles and state are those that the journal gives when it is read at once."""
    public, private = directory / "ledger" / "public", directory / "ledger" / "private"
    paths = [path.relative_to(public).as_posix() for path in public.rglob("*") if path.is_file()]
    assert len(list(verify(paths, public_reader(public), ledger.verifier_key))) == len(TITLES)
    again, written = State(directory / "again"), State(private / "state")
    tiles = Tiles(directory / "other", directory / "tmp")
    Integrator(private / "journal", again, tiles).advance()
    assert again.differs(written) == ""
    for tile, data in tiles.edges():
        assert (public / tile.path).read_bytes() == data
    again.close()
    written.close()
    shutil.rmtree(directory / "again")


@pytest.mark.parametrize("native", ["0", "1"])
def test_it_writes_what_the_thread_would_have_written(
    native: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In Python, and natively where that is installed: the state that this process makes is the same."""
    monkeypatch.setenv("SEENBY_NATIVE", native)

    async def use(ledger: Ledger) -> Ledger:
        assert child(ledger).pid != os.getpid()
        await some(ledger)
        return ledger

    ledger = with_ledger(tmp_path, use, apart=True)
    assert ledger.size > 9
    check(tmp_path, ledger)


def test_a_child_whose_parent_was_killed_ends_without_a_word(tmp_path: Path) -> None:
    async def use(ledger: Ledger) -> int:
        await some(ledger)
        return ledger.size

    size = with_ledger(tmp_path, use)
    command = [sys.executable, "-P", "-m", "seenby.stores.apart", str(tmp_path / "ledger")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as orphan:
        assert orphan.stdin is not None
        assert orphan.stdout is not None
        assert orphan.stderr is not None
        orphan.stdout.close()
        orphan.stdin.write(UNTIL.pack(size))
        orphan.stdin.flush()
        assert orphan.stderr.read() == b""
    assert orphan.returncode == 0


def test_a_killed_child_is_replaced_and_nothing_is_missing(tmp_path: Path) -> None:
    async def use(ledger: Ledger) -> Ledger:
        await some(ledger)
        first = child(ledger).pid
        os.kill(first, signal.SIGKILL)
        await some(ledger, 3)
        assert child(ledger).pid != first
        return ledger

    check(tmp_path, with_ledger(tmp_path, use, apart=True))


def test_a_child_that_cannot_live_ends_the_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(ledger: Ledger) -> None:
        monkeypatch.setattr("seenby.stores.apart.sys.executable", "/bin/false")
        os.kill(child(ledger).pid, signal.SIGKILL)
        await ledger.append(disclosure("account:1"))
        with pytest.raises(LedgerFailed) as failed:
            await ledger.published()
        assert "ended twice" in failed.value.detail
        with pytest.raises(LedgerFailed):
            await ledger.append(disclosure("account:2"))

    with_ledger(tmp_path, use, apart=True)


def test_what_else_it_writes_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What its Python does before it begins (an import that warns) ends the ledger, instead of being waited for."""

    async def use(ledger: Ledger) -> None:
        await ledger.append(disclosure("account:1"))
        with pytest.raises(LedgerFailed) as failed:
            await asyncio.wait_for(ledger.published(), 60)
        assert "something else than an answer" in failed.value.detail

    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "sitecustomize.py").write_text("print('2026-11-29 [warning] something is odd')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"), prepend=os.pathsep)
    with_ledger(tmp_path, use, apart=True)


def test_what_is_printed_while_it_works_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes to standard error."""

    async def use(ledger: Ledger) -> int:
        await some(ledger)
        return ledger.size

    noisy = (
        "import sys\n"
        "def later(frame, event, argument):\n"
        "    if event == 'call' and frame.f_code.co_name == 'advance':\n"
        "        print('noise', flush=True)\n"
        "sys.setprofile(later)\n"
    )
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "sitecustomize.py").write_text(noisy)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"), prepend=os.pathsep)
    assert with_ledger(tmp_path, use, apart=True) > 9


def test_what_the_child_cannot_do_ends_the_ledger_with_its_words(tmp_path: Path) -> None:
    async def use(ledger: Ledger) -> None:
        shutil.rmtree(tmp_path / "ledger" / "private" / "state")  # before the child opens it
        (tmp_path / "ledger" / "private" / "state").write_bytes(b"")
        await ledger.append(disclosure("account:1"))
        with pytest.raises(LedgerFailed) as failed:
            await ledger.published()
        assert "the ledger's state" in failed.value.detail

    with_ledger(tmp_path, use, apart=True)


def test_the_child_ends_with_its_parent_and_a_gateway_s_signals_do_not_end_it(tmp_path: Path) -> None:
    async def use(ledger: Ledger) -> int:
        await some(ledger)
        pid = child(ledger).pid
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(pid, number)
        await some(ledger, 3)
        assert child(ledger).pid == pid
        return pid

    pid = with_ledger(tmp_path, use, apart=True)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_new_writer_waits_until_nobody_integrates(tmp_path: Path) -> None:
    with_ledger(tmp_path, some, apart=True)
    private = tmp_path / "ledger" / "private"
    left = integrating_lock(private)
    with pytest.raises(LedgerFailed, match="an earlier gateway left"):
        integrating_lock(private, wait=0.05)

    async def use() -> None:
        opening = asyncio.create_task(asyncio.to_thread(open_ledger, tmp_path))
        done, _ = await asyncio.wait([opening], timeout=0.2)
        assert not done
        left.close()
        ledger = await opening
        await some(ledger, 9)
        await ledger.close()

    asyncio.run(use())
