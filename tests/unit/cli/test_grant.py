"""`seenby grant` against a real gateway socket: what people read, and the exact command that comes next."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seenby.cli import command_line, grant, report
from seenby.errors import SeenbyError, VerificationError
from tests.fixtures.grant_gateway import Door, open_door

pytestmark = pytest.mark.postgres

CONTACT = ("--purpose", "support", "--reference", "T-1", "--class", "contact", "--person", "account:42")


@pytest.fixture
def door(tmp_path: Path, control_dsn: str) -> Iterator[Door]:
    with open_door(tmp_path, control_dsn, time.time) as opened:
        yield opened


Say = Callable[..., tuple[int, str]]


@pytest.fixture
def say(door: Door, capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs a command as somebody; (exit status, everything that was printed)."""

    def run(name: str, verb: str, *arguments: str) -> tuple[int, str]:
        signed = ("--as", name, "--key", str(door.key(name)), "--socket", str(door.socket))
        code = 0
        try:
            command_line(["grant"])(
                ["grant", verb, *arguments, *signed], exit_on_error=False, result_action="return_value"
            )
        except SeenbyError as error:
            code = report(error)
        printed = capsys.readouterr()
        return code, " ".join((printed.out + printed.err).split())

    return run


def grant_id(printed: str) -> str:
    found = re.search(r"\b[0-9a-f]{32}\b", printed)
    assert found
    return found[0]


def test_from_the_request_to_the_end(say: Say, door: Door) -> None:
    code, said = say("sam", "request", *CONTACT, "--minutes", "10")
    assert code == 0
    for words in (
        "who sam (support, Care, Orbit Ireland Ltd, in IE)",
        "why support, T-1",
        "sees contact data of people of eu",
        "of whom account:42",
        "(10 minutes)",
        "at most 1 person, 10000 rows",
        "The policy allows it once 2 approvers of eu have signed. Anything above content needs two approvers",
        "Waiting for approvers: 2 of eu. Nothing can be seen before.",
        f"seenby grant approve {grant_id(said)} --as NAME --key FILE --socket {door.socket}",
    ):
        assert words in said
    name = grant_id(said)
    code, said = say("sam", "approve", name)
    assert (code, "nobody approves their own request" in said) == (77, True)
    assert "2 of eu" in say("dora", "show", name)[1]
    code, said = say("ada", "approve", name[:8])
    assert (code, "ada signed: approve." in said, "1 of eu" in said) == (0, True, True)
    code, said = say("ada", "approve", name)
    assert (code, "approved this already" in said) == (64, True)
    code, said = say("ben", "approve", name)
    assert (code, "Active until" in said) == (0, True)
    _, said = say("sam", "show", name)
    assert said.count(": holds") == 3
    assert "state active" in said
    _, said = say("dora", "list")
    assert name[:8] in said
    code, said = say("sam", "revoke", name)
    assert (code, "It is revoked: the requester took it back." in said) == (0, True)
    code, said = say("ben", "deny", name)
    assert (code, "it is revoked" in said) == (64, True)


def test_what_may_be_changed_is_asked_for_and_read(say: Say) -> None:
    wishes = ("--may-update", "accounts.phone", "--may-update", "accounts.email", "--may-delete", "notes")
    code, said = say("sam", "request", *CONTACT, *wishes, "--may-insert", "notes", "--reason", "she cannot sign in")
    assert code == 0
    assert ("changes the columns accounts.email and accounts.phone; deletes rows of notes; adds rows to notes") in say(
        "ada", "show", grant_id(said)
    )[1]
    assert "reason she cannot sign in" in said
    code, said = say("sam", "request", *CONTACT, "--answers", "statistics", "--json")
    assert (code, json.loads(json.loads(said)["terms"])["answers"]) == (0, "statistics")
    code, said = say("sam", "request", *CONTACT, "--answers", "statistics", "--epsilon", "2", "--json")
    assert (code, json.loads(json.loads(said)["terms"])["noise"]) == (0, {"budget": 2000, "each": 200})
    code, said = say("sam", "request", *CONTACT, "--answers", "statistics", "--epsilon", "2", "--epsilon-each", ".5")
    assert "with noise: epsilon 0.5 each, 2 in all (4 statistics)" in " ".join(said.split())


def test_break_glass_and_its_review(say: Say) -> None:
    what = ("--reason", "a threat to life", "--class", "location", "--person", "account:42")
    code, said = say("sam", "break-glass", *what)
    assert code == 0
    for words in (
        "emergency break-glass: works at once, without approval, and is reviewed afterwards",
        "why emergency, no reference reason a threat to life",
        "The glass is broken. Every approver and the protection officer see it; so does the log. Active until",
        "by sam: 2 of eu must review it until 20",
        ", or they are locked. Each of them runs",
        f"seenby grant review {grant_id(said)} --verdict justified|unjustified --note TEXT",
    ):
        assert words in said
    name = grant_id(said)
    say("sam", "request", *CONTACT)
    _, said = say("ada", "list")
    assert said.startswith(f"BREAK-GLASS {name[:8]} by sam: 2 of eu must review it until 20"), "it stands first"
    code, said = say("sam", "review", name, "--verdict", "justified")
    assert (code, "never by its user" in said) == (77, True)
    code, said = say("ada", "review", name[:8], "--verdict", "unjustified", "--note", "he was her neighbour")
    assert (code, "ada signed: unjustified." in said) == (0, True)
    code, said = say("sam", "request", *CONTACT)
    assert (code, "sam is locked: a reviewer found break-glass" in said) == (77, True)
    _, said = say("dora", "show", name)
    assert said.count(": holds") == 2
    assert "review-unjustified ada, guards eu" in said
    assert "is locked" in said
    _, said = say("dora", "notices")
    assert "break-glass: sam broke the glass: location data of people of eu, account:42" in said
    assert "review: ada signed review-unjustified: he was her neighbour" in said


def test_public_data_works_at_once(say: Say) -> None:
    code, said = say("li", "request", "--purpose", "research", "--class", "public")
    assert (code, "The policy allows it without approval." in said, "Active until" in said) == (0, True, True)
    assert "everybody whose home region is eu" in said


def test_a_refusal_names_the_rule_and_what_to_do(say: Say) -> None:
    code, said = say("li", "request", *CONTACT)
    assert code == 77
    assert "policy refuses li contact data of people of eu: From the country where you are, only public data" in said
    assert "rule country-outside-region (2-where.cedar:" in said
    assert "next: hand the case to a colleague" in said


def test_the_protection_officer_reads_notices(say: Say) -> None:
    assert "No notices." in say("dora", "notices")[1]
    looked_up = ("--purpose", "support", "--reference", "C-1", "--class", "device", "--person", "account:7")
    code, said = say("audrey", "request", *looked_up)
    assert (code, "rule protected-people" in said) == (77, True)
    code, said = say("dora", "notices")
    assert "protected person: audrey asked for device data of people of eu, by name account:7" in said
    code, said = say("audrey", "notices")
    assert (code, "for the region's protection officer" in said) == (77, True)


def test_a_forged_status_is_seen_through(say: Say, door: Door) -> None:
    name = grant_id(say("sam", "request", *CONTACT)[1])
    door.do(door.office.sql("UPDATE grants SET status = 'active'"))
    _, said = say("dora", "show", name)
    assert "state requested: approvals missing: 2 of eu" in said


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--purpose", "support", "--reference", "T"), 64, "what do you want to see? next: give --class CLASS"),
        ((*CONTACT, "--column", "phone"), 64, "'phone' is no data class and no column"),
        ((*CONTACT, "--column", "accounts.nope"), 65, "no column accounts.nope is in the data map"),
        ((*CONTACT, "--person", "43"), 64, "'43' does not name a person next: write KIND:KEY"),
        ((*CONTACT, "--region", "mars"), 64, "there is no region 'mars' next: known: eu, us"),
        ((*CONTACT, "--may-update", "phone"), 64, "'phone' is not a column next: write --may-update TABLE.COLUMN"),
        ((*CONTACT[:6], "--may-delete", "notes"), 64, "only rows of people named one by one may be changed"),
        ((*CONTACT, "--answers", "both", "--may-insert", "notes"), 64, "who may change rows sees rows"),
        ((*CONTACT, "--begin", "soon"), 64, "'soon' is not a time"),
        ((*CONTACT, "--begin", "2020-01-01"), 64, "2020-01-01 has passed"),
        ((*CONTACT, "--minutes", "-5"), 64, "the window ends before it begins"),
        ((*CONTACT, "--minutes", "20000"), 77, "A grant lasts at most seven days. rule window-too-long"),
        (("--purpose", "fun", *CONTACT[2:]), 77, "rule purpose-not-listed"),
        ((*CONTACT[:5], "public", "--person", "account:404"), 66, "no person account:404 with home region eu"),
    ],
    ids=lambda value: " ".join(value[-2:]) if isinstance(value, tuple) else None,
)
def test_mistakes_are_answered_in_words(say: Say, arguments: tuple[str, ...], code: int, words: str) -> None:
    found, said = say("sam", "request", *arguments)
    assert words in said
    assert found == code


@pytest.mark.parametrize("id", ["", "..", "[/x]", "x", "../notices", "7?a=b", "a" * 33])
def test_what_is_no_id_is_not_asked_for(say: Say, id: str) -> None:
    for verb in ("show", "approve", "revoke"):
        code, said = say("sam", verb, id)
        assert (code, f"there is no grant {id!r:.80} next: `seenby grant list`" in said) == (66, True)


def test_nobody_there_and_no_key(say: Say, door: Door, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = say("mallory", "list")
    assert (code, "the directory knows nobody called 'mallory'" in said) == (77, True)
    for arguments, words in (
        (["--socket", "/nowhere/control.sock"], "no gateway answers at /nowhere/control.sock"),
        (["--config", "/nowhere.toml"], "cannot read /nowhere.toml"),
        ([], "which gateway?"),
    ):
        with pytest.raises(SeenbyError, match=words):
            command_line(["grant"])(
                ["grant", "list", "--as", "sam", "--key", str(door.key("sam")), *arguments], exit_on_error=False
            )


def test_machines_read_json(say: Say, capsys: pytest.CaptureFixture[str]) -> None:
    _, said = say("sam", "request", *CONTACT, "--json")
    assert json.loads(said)["state"] == "requested"
    assert len(json.loads(say("ada", "list", "--json")[1])) == 1
    assert json.loads(say("ada", "show", grant_id(said), "--json")[1])["missing"] == {"eu": 2}
    assert json.loads(say("dora", "notices", "--json")[1]) == []


def test_nobody_signs_what_a_gateway_made_of_it(say: Say, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    service = door.office.service
    draft = service.draft

    def widened(principal: str, **wish: object) -> object:
        return draft(principal, **{**wish, "people": None})

    monkeypatch.setattr(service, "draft", widened)
    code, said = say("sam", "request", *CONTACT)
    assert (code, "changed your request, so it was not signed" in said) == (VerificationError.exit_code, True)
    assert not service.truth.grants


def test_help_reads_well(capsys: pytest.CaptureFixture[str]) -> None:
    command_line(["grant"])(["grant", "--help"], result_action="return_value")
    said = " ".join(capsys.readouterr().out.split())
    for verb in ("request", "approve", "deny", "revoke", "list", "show", "notices"):
        assert verb in said
    assert "ends by itself" in said
    assert grant.app.name == ("grant",)
