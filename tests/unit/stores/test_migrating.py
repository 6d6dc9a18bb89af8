"""Whether a migration is open survives everything, and a damaged file is never taken for "none"."""

from __future__ import annotations

from pathlib import Path

import pytest

from seenby.errors import ConfigError, Unavailable
from seenby.stores.migrating import MigrationFile, OpenMigration

OPEN = OpenMigration("root.ops", 1_795_338_000, 60, "phone numbers become text")


def test_what_was_opened_is_read_until_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "migration.json"
    assert MigrationFile(path).read() is None
    MigrationFile(path).open(OPEN)
    assert path.stat().st_mode & 0o777 == 0o600
    assert MigrationFile(path).read() == OPEN
    MigrationFile(path).close()
    assert MigrationFile(path).read() is None


def test_a_file_that_somebody_deleted_keeps_nobody_from_ending(tmp_path: Path) -> None:
    file = MigrationFile(tmp_path / "migration.json")
    file.open(OPEN)
    (tmp_path / "migration.json").unlink()
    file.close()
    assert file.read() is None


def test_a_disk_that_refuses_is_told_with_what_to_do(tmp_path: Path) -> None:
    file = MigrationFile(tmp_path / "gone" / "migration.json")
    with pytest.raises(Unavailable, match=r"gone/migration.json cannot be changed: No such file") as told:
        file.open(OPEN)
    assert "then ask again" in told.value.hint
    with pytest.raises(Unavailable, match="cannot be changed"):
        file.close()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"v": 2, "by": "a", "at": 1, "minutes": 60, "reason": ""}',
        '{"v": 1, "by": "a", "at": "1", "minutes": 60, "reason": ""}',
        '{"v": 1, "by": "a", "at": 1, "minutes": 60}',
        '{"v": 1, "by": "a", "at": 1, "minutes": 60, "reason": "", "more": 1}',
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "migration.json").write_text(text)
    with pytest.raises(ConfigError, match="cannot be read"):
        MigrationFile(tmp_path / "migration.json").read()
