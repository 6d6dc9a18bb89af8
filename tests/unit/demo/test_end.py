"""However a demo ends, nothing of it stays: no process, no folder; and it never takes a folder that is not its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seenby.demo.leftovers import MARKER, PREFIX, emptied_folder, fresh_folder
from seenby.demo.world import World
from seenby.errors import Unavailable, UsageError

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("world")]

COMMAND = [sys.executable, "-c", "from seenby.cli import main; main()", "demo", "--once"]
StartDemo = Callable[[Path, str], "subprocess.Popen[bytes]"]
INITDB, LOAD = "pg/data/PG_VERSION", "keys/control.pw"
"""Files that are there while the database is being made, and while its data is about to be loaded."""


def processes(folder: Path) -> list[str]:
    """The database servers and gateways of a world's folder."""
    listed = subprocess.run(["ps", "-A", "-ww", "-o", "pid=,command="], capture_output=True, text=True, check=True)
    return [line for line in listed.stdout.splitlines() if str(folder) in line and "seenby demo" not in line]


def wait(holds: Callable[[], object], what: str, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Not in pytest's own folder: as root, the next pytest that starts closes it to the database's user."""
    with tempfile.TemporaryDirectory(prefix="seenby-test-") as folder:
        yield Path(folder).resolve()


@pytest.fixture
def demo() -> Iterator[StartDemo]:
    """Starts `seenby demo --dir`, large enough to be at it for long, and waits until both regions reached ``stage``."""
    started: list[subprocess.Popen[bytes]] = []

    def start(folder: Path, stage: str) -> subprocess.Popen[bytes]:
        running = subprocess.Popen(
            [*COMMAND, "--people", "200000", "--dir", str(folder)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        started.append(running)
        wait(lambda: len(list(folder.glob(f"*/{stage}"))) == 2, "both regions get there")
        return running

    yield start
    for running in started:
        if running.poll() is None:
            running.kill()
            running.wait()


@pytest.mark.parametrize(
    ("number", "stage"),
    [(signal.SIGINT, INITDB), (signal.SIGINT, LOAD), (signal.SIGTERM, LOAD), (signal.SIGHUP, INITDB)],
)
def test_a_signal_ends_everything(demo: StartDemo, tmp_path: Path, number: signal.Signals, stage: str) -> None:
    folder = tmp_path / "world"
    running = demo(folder, stage)
    os.killpg(running.pid, number)  # as a terminal does: to the whole group
    assert running.wait(60) == 130
    assert not folder.exists()
    assert processes(folder) == []


@pytest.mark.parametrize("stage", [INITDB, LOAD])
def test_a_killed_demo_is_cleaned_up_by_the_next_one_in_its_folder(demo: StartDemo, tmp_path: Path, stage: str) -> None:
    folder = tmp_path / "world"
    running = demo(folder, stage)
    with pytest.raises(UsageError, match="a demo is running"):
        World(folder)
    assert processes(folder)
    running.kill()
    running.wait()
    assert processes(folder), "the databases are on their own now"
    with World(folder, durable=False) as world:
        assert processes(folder) == []
        assert [path.name for path in world.directory.iterdir()] == [MARKER]
    assert not folder.exists()


def test_a_gateway_ends_with_its_world_and_one_that_cannot_start_says_why(tmp_path: Path) -> None:
    folder = tmp_path / "world"
    with World(folder, durable=False) as world:
        world.build(people=200, seed=1, progress=lambda _region, _stage, _done: None)
        world.regions["eu"].start_gateway()
        gateway = world.regions["eu"].gateway
        assert gateway is not None
        assert gateway.poll() is None
        config = world.regions["us"].config_file
        config.write_text(config.read_text().replace("[listen]", "[lisen]"))
        with pytest.raises(Unavailable, match="region us did not start") as caught:
            world.start()
        assert "lisen" in caught.value.detail
    assert gateway.poll() is not None
    assert processes(folder) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_second_signal_does_not_cut_the_end_short(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a terminal closes while the demo is stopping."""
    before = signal.signal(number, signal.default_int_handler)
    try:
        world = World(tmp_path / "world", durable=False)
        monkeypatch.setattr(world.outsiders, "stop", lambda: signal.raise_signal(number))
        world.stop()
    finally:
        signal.signal(number, before)
    assert not world.directory.exists()


def test_what_killed_demos_left_among_temporary_files_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    abandoned, lock = fresh_folder()
    (abandoned / "eu").mkdir()
    lock.close()  # as the kernel does when a process ends
    held, held_lock = fresh_folder()
    assert not abandoned.exists()
    unfinished = tmp_path / f"{PREFIX}just-made"
    unfinished.mkdir()
    another, another_lock = fresh_folder()
    assert held.exists(), "its demo runs"
    assert unfinished.exists(), "somebody is just making it"
    for open_lock in (held_lock, another_lock):
        open_lock.close()
    assert another.exists()


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    precious = tmp_path / "thesis.txt"
    precious.write_text("chapter 1")
    with pytest.raises(UsageError, match="files that no demo made"):
        emptied_folder(tmp_path)
    with pytest.raises(UsageError, match="is not a folder"):
        emptied_folder(precious)
    assert precious.read_text() == "chapter 1"


def test_a_process_that_only_mentions_the_folder_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "world"
    emptied_folder(folder).close()
    command = [sys.executable, "-c", "import time; time.sleep(60)", str(folder / "eu")]
    bystander = subprocess.Popen(command, start_new_session=True)
    try:
        emptied_folder(folder).close()
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_too_few_people_is_a_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "--people", "10", "--dir", str(tmp_path / "world")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 64
    assert "people" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "world").exists()
