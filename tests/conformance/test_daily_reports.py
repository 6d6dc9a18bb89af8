"""A region whose day ends: its report counts what was looked up for what, strangers recount it, an auditor signs it."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from seenby.cli.control_client import ControlClient
from seenby.errors import PolicyDenied, UsageError
from seenby_verify.tlog.checkpoint import open_checkpoint
from seenby_verify.tlog.entries import DailyReport, KeyAdded, key_id
from seenby_verify.tlog.tiles import ENTRIES, tiles_of
from tests.fixtures.commands import seenby
from tests.fixtures.gateway import Served
from tests.fixtures.ledgers import every_entry
from tests.fixtures.unwitnessed import unwitnessed
from tests.fixtures.written_logs import seenby_verify

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("daily-reports")]

AOIFE, BEN, DANA = "aoife.byrne", "ben.ortiz", "dana.price"
DAY = 86_400


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Region eu, in which aoife has looked up twelve people."""
    with unwitnessed(tmp_path_factory.mktemp("policies")) as made:
        grant = made.grant(AOIFE, ("contact", ["eu"]))
        with made.connect(AOIFE, grant) as connection:
            assert len(connection.execute("SELECT phone FROM accounts ORDER BY id LIMIT 12").fetchall()) == 12
        yield made


@pytest.fixture(scope="module")
def today(served: Served) -> str:
    """The day that the region has reported, since it is over."""
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    served.clock.offset = DAY
    try:
        until = time.monotonic() + 60
        while served.region.ledger.state.report() is None:
            assert time.monotonic() < until, "no report was written"
            time.sleep(0.05)
    finally:
        served.clock.offset = 0.0
    return day


def copy_of(served: Served, folder: Path) -> Path:
    shutil.copytree(served.config.ledger_dir / "public", folder)
    return folder


def told(served: Served, day: str) -> dict[str, Any]:
    key = served.region.ledger.verifier_key
    said = seenby_verify("report", served.config.ledger_dir / "public", day, "--key", key, "--json")
    assert said.returncode == 0, said.stderr
    found: dict[str, Any] = json.loads(said.stdout)
    return found


def confirm(served: Served, name: str, place: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    signed = ("--as", name, "--key", served.staff[name].key_file, "--config", served.config.file)
    return seenby(capsys, "audit", "confirm", place, *signed, "--log-key", served.region.ledger.verifier_key)


def test_the_day_is_reported_with_purpose_and_country_and_a_stranger_recounts_it(served: Served, today: str) -> None:
    found = told(served, today)["report"]
    assert (found["date"], found["region"], found["from"]) == (today, "eu", 0)
    cells = {(cell["by"], cell["what"]): cell["count"] for cell in found["cells"]}
    assert cells == {("purpose", "support"): 12, ("country", "IE"): 12}
    assert found["counts"]["query"] >= 1
    assert found["counts"]["grant requested"] == 1


def test_an_auditor_recounts_and_signs_and_nobody_else_can(
    served: Served, today: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = copy_of(served, tmp_path / "before")
    for name in (AOIFE, BEN):
        code, said = confirm(served, name, before, capsys)
        assert (code, f"{name} is no auditor" in said) == (PolicyDenied.exit_code, True)
    assert len(told(served, today)["keys"]) == 1
    code, said = confirm(served, DANA, before, capsys)
    assert (code, "Your signature is in the log." in said) == (0, True), said
    dana = key_id(served.region.grants.directory.current.principal(DANA).public_key)
    assert told(served, today)["keys"][1:] == [dana.hex()]
    logged = every_entry(served.config.state)
    confirmed = [n for n, entry in enumerate(logged) if isinstance(entry, DailyReport)]
    assert len(confirmed) == 2
    assert any(isinstance(entry, KeyAdded) and entry.role == "auditor" for entry in logged[: confirmed[1]])


def test_a_copy_that_is_not_what_was_logged_is_not_signed(
    served: Served, today: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = copy_of(served, tmp_path / "copy")
    size = open_checkpoint((copy / "checkpoint").read_bytes(), served.region.ledger.verifier_key).size
    *_, newest = (tile for tile in tiles_of(size) if tile.level == ENTRIES)  # older partial ones are not read
    path = copy / newest.path
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    code, said = confirm(served, DANA, copy, capsys)
    assert (code, "the log does not hold" in said) == (1, True)


def test_what_an_auditor_signs_is_the_newest_report_for_this_month(served: Served, today: str) -> None:
    before = told(served, today)["keys"]
    with ControlClient(served.config.control_socket, DANA, served.staff[DANA].key_file) as client:
        offered = client.read("/reports/newest")
        document, epoch, day = offered["document"].encode(), offered["epoch"], int(today[-2:])

        def send(document: bytes, epoch: int, signed: tuple[int, int, bytes]) -> None:
            body = {"document": document.decode(), "epoch": epoch, "signature": client.sign_report(*signed)}
            client.post_signed("/reports/newest", body)

        other = document.replace(b'"v":1', b'"v":2')
        with pytest.raises(UsageError, match="another was signed"):
            send(other, epoch, (epoch, day, other))
        with pytest.raises(UsageError, match="does not match"):
            send(document, epoch, (epoch, day % 28 + 1, document))
        with pytest.raises(UsageError, match=f"that was signed for {epoch - 1}"):
            send(document, epoch - 1, (epoch - 1, day, document))
    assert told(served, today)["keys"] == before
