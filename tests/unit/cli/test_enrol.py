"""`seenby enrol` against a real gateway and database: everybody, once; ended and run again; by those who may."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from seenby.cli import command_line, report
from seenby.errors import SeenbyError
from seenby.gateway import enrolment
from seenby.stores.journal import JournalReader
from seenby_verify.tlog.entries import PersonEnrolled, decode
from tests.fixtures.gateway import Served

pytestmark = pytest.mark.postgres

Say = Callable[..., tuple[int, str]]


@pytest.fixture
def say(served: Served, capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs a command as somebody; (exit status, everything that was printed to stdout or told as an error)."""

    def run(name: str, *arguments: str) -> tuple[int, str]:
        key = str(served.world.staff[name].key_file)
        words, code = [*arguments, "--as", name, "--key", key, "--socket", str(served.config.control_socket)], 0
        try:
            command_line(words)(words, exit_on_error=False, result_action="return_value")
        except SeenbyError as error:
            code = report(error)
        printed = capsys.readouterr()
        return code, " ".join((printed.out + (printed.err if code else "")).split())

    return run


def enrolments(served: Served) -> list[int]:
    """The buckets of all enrolments in the log."""
    journal = served.config.ledger_dir / "private" / "journal"
    found = [decode(one.entry) for group in JournalReader(journal).groups() for one in group if one.entry[1] == 0x30]
    return [entry.bucket for entry in found if isinstance(entry, PersonEnrolled)]


def test_everybody_is_enrolled_once(served: Served, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    with served.direct() as connection:
        accounts = [str(key) for (key,) in connection.execute("SELECT id FROM accounts ORDER BY id")]
        contacts = connection.execute("SELECT count(DISTINCT phone) FROM contacts").fetchone()
    assert contacts
    monkeypatch.setattr(enrolment, "PAGE", 40)  # so that 150 people are several pages
    before = len(enrolments(served))  # by other tests of this region, through people's first accesses
    # Ended after the first page, and run again.
    page = served.client("root.ops").post_signed("/enrolments", {"kind": "account", "after": None})
    assert (page["people"], page["after"]) == (40, accounts[39])
    code, said = say("root.ops", "enrol", "--json")
    told = json.loads(said[said.index("{") :])["kinds"]  # the gateway's thread may log in front of it
    assert (code, sorted(told)) == (0, ["account", "contact"])
    assert told["account"][0] == len(accounts)
    assert told["contact"][0] == contacts[0]
    assert told["account"][1] <= len(accounts) - page["enrolled"]

    async def missing() -> list[str]:
        return [one for one in accounts if not served.region.ledger.enrolled(f"account:{one}")]

    assert asyncio.run_coroutine_threadsafe(missing(), served.loop).result(20) == []
    assert set(enrolments(served)[before:]) <= {1, 2}
    count = len(enrolments(served))
    code, said = say("ines.moreau", "enrol", "--kind", "account")
    assert (code, f"account: 0 enrolled, {len(accounts)} were enrolled already" in said) == (0, True)
    assert len(enrolments(served)) == count


@pytest.mark.parametrize(
    ("name", "arguments", "status", "words"),
    [
        ("aoife.byrne", [], 77, "aoife.byrne cannot enrol people"),
        ("grace.kim", [], 77, "grace.kim cannot enrol people"),
        ("root.ops", ["--kind", "acount"], 66, "no people of kind 'acount' next: it has account, contact"),
    ],
)
def test_who_may_and_what_there_is(say: Say, name: str, arguments: list[str], status: int, words: str) -> None:
    code, said = say(name, "enrol", *arguments)
    assert (code, words in said) == (status, True), said
