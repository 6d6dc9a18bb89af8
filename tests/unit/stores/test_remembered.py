"""What statistics are compared with survives a restart, is bounded, tells nothing, and is missed when it is damaged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from seenby.attribute.cohorts import Cohort
from seenby.errors import LedgerFailed
from seenby.stores import remembered
from seenby.stores.remembered import MAGIC, WINDOW, Remembered

SECRET = bytes(range(32))


def cohort(first: int, buckets: int = 40) -> Cohort:
    sums = {bucket: (first + bucket - 2**70, first * 3 - bucket) for bucket in range(buckets)}
    return Cohort("account", frozenset({"accounts", "audit.déjà"}), 2**40, sums, asked=bytes(32))


def opened(path: Path, now: float = 1000.0, secret: bytes = SECRET) -> Remembered:
    return Remembered(path / "statistics.log", secret, lambda: now)


def test_what_was_told_before_a_restart_is_compared_with_afterwards(tmp_path: Path) -> None:
    before = opened(tmp_path)
    before.memory("lena").add([cohort(7)])
    named = replace(cohort(9), named=True)
    before.memory("wei").add([cohort(8), named])
    before.memory("lena").add([cohort(7)])
    for _ in range(2):
        after = opened(tmp_path)
        assert after.seed == before.seed, "sketches of another seed could not be compared"
        assert after.memory("lena").cohorts() == [cohort(7)], "what is known already is not written again"
        assert after.memory("wei").cohorts() == [cohort(8), named], "and whose people were named"
        assert after.memory("nobody").cohorts() == []
    near = cohort(7)
    near.asked = b""
    near.sums |= {0: (1, 1)}
    assert opened(tmp_path).memory("lena").close([near], 10)


def test_that_rows_were_changed_since_is_known_afterwards_too(tmp_path: Path) -> None:
    before = opened(tmp_path)
    for name in ("lena", "wei"):
        before.memory(name).add([cohort(7)])
    before.memory("lena").changed()
    before.memory("lena").add([cohort(8)])
    for _ in range(2):
        after = opened(tmp_path)
        assert after.memory("lena").cohorts() == [replace(cohort(7), asked=b""), cohort(8)]
        assert after.memory("wei").cohorts() == [cohort(7)]


def test_after_more_than_a_year_it_is_forgotten(tmp_path: Path) -> None:
    opened(tmp_path, 1000).memory("lena").add([cohort(7)])
    opened(tmp_path, 5000).memory("lena").add([cohort(8)])
    assert opened(tmp_path, 999 + WINDOW).memory("lena").cohorts() == [cohort(7), cohort(8)]
    assert opened(tmp_path, 1000 + WINDOW).memory("lena").cohorts() == [cohort(8)]
    assert opened(tmp_path, 1000).memory("lena").cohorts() == [cohort(8)], "for good"


def test_a_record_that_was_being_written_was_never_answered_for(tmp_path: Path) -> None:
    opened(tmp_path).memory("lena").add([cohort(7)])
    file = tmp_path / "statistics.log"
    whole = file.read_bytes()
    opened(tmp_path).memory("lena").add([cohort(8)])
    more = file.read_bytes()
    for cut in (1, 3, 5, 100):
        file.write_bytes(more[: len(whole) + cut])
        found = opened(tmp_path)
        assert found.memory("lena").cohorts() == [cohort(7)]
        found.memory("lena").add([cohort(9)])
        assert opened(tmp_path).memory("lena").cohorts() == [cohort(7), cohort(9)]


@pytest.mark.parametrize("place", [0, len(MAGIC) + 30, -1])
def test_what_is_damaged_stops_the_gateway(tmp_path: Path, place: int) -> None:
    opened(tmp_path).memory("lena").add([cohort(7)])
    file = tmp_path / "statistics.log"
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(data)
    with pytest.raises(LedgerFailed, match="cannot be read") as caught:
        opened(tmp_path)
    assert "move it away" in (caught.value.hint or "")


def test_so_does_another_secret_and_a_record_that_was_taken_out(tmp_path: Path) -> None:
    file = tmp_path / "statistics.log"
    memory = opened(tmp_path).memory("lena")
    memory.add([cohort(7)])
    first = len(file.read_bytes())
    memory.add([cohort(8)])
    with pytest.raises(LedgerFailed):
        opened(tmp_path, secret=bytes(32))
    data = file.read_bytes()
    file.write_bytes(MAGIC + data[first:])
    with pytest.raises(LedgerFailed):
        opened(tmp_path)


def test_it_says_nothing_to_who_has_only_the_file(tmp_path: Path) -> None:
    opened(tmp_path).memory("lena").add([cohort(7)])
    file = tmp_path / "statistics.log"
    assert b"lena" not in file.read_bytes()
    assert b"accounts" not in file.read_bytes()
    assert file.stat().st_mode & 0o077 == 0


def test_a_figure_that_cannot_be_remembered_is_not_shown(tmp_path: Path) -> None:
    found = opened(tmp_path)
    (tmp_path / "statistics.log").unlink()
    with pytest.raises(LedgerFailed, match="cannot be kept"):
        found.memory("lena").add([cohort(7)])
    assert found.memory("lena").cohorts() == []


def test_the_file_is_written_anew_before_it_grows_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "SLACK", 10_000)
    found = opened(tmp_path)
    memory = found.memory("lena")
    memory._most = 400  # ten cohorts
    for number in range(200):
        memory.add([cohort(number)])
    assert (tmp_path / "statistics.log").stat().st_size < 70_000
    assert memory.cohorts() == [cohort(number) for number in range(190, 200)]
    assert opened(tmp_path).memory("lena").cohorts()[-10:] == memory.cohorts()
