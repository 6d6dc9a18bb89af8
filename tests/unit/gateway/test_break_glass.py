"""Break-glass from end to end: real ledger, real control database, the tests' own clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from seenby.errors import (
    GrantEnded,
    PolicyDenied,
    Refused,
    SeenbyError,
    Unavailable,
    UsageError,
    VerificationError,
)
from seenby.gateway.grant_truth import Grant
from seenby.grants.signing import Verb
from seenby.grants.terms import encode_terms
from seenby.model.grant import GrantState, GrantTerms
from seenby.model.principal import Principal
from seenby.stores.control import Notice
from seenby_verify.cli.grant import _counted, _rows
from seenby_verify.tlog.grantlog import GRANT_EVENTS, GrantLog
from tests.fixtures.grant_office import Office, open_office
from tests.fixtures.grants import (
    ADA,
    AUDREY,
    BEN,
    DORA,
    JO,
    LI,
    OPENING,
    ROOT,
    SAM,
    UNA,
    emergency,
    signed,
    wish,
)
from tests.fixtures.ledgers import entries

pytestmark = pytest.mark.postgres

DAY = 86_400
GOOD, BAD = Verb.JUSTIFIED, Verb.UNJUSTIFIED
TERMS = emergency(id="01" * 16)
LONG = wish(id="02" * 16, not_after=TERMS.not_before + 7 * DAY)
"""An ordinary grant of the same principal, for a week."""

Scenario = Callable[[Office], Awaitable[None]]
Play = Callable[[Scenario], None]


@pytest.fixture
def play(tmp_path: Path, control_dsn: str) -> Play:
    def run(scenario: Scenario) -> None:
        async def play() -> None:
            async with open_office(tmp_path, control_dsn) as office:
                await scenario(office)

        asyncio.run(play())

    return run


async def smash(office: Office, terms: GrantTerms = TERMS, by: Principal = SAM) -> Grant:
    return await office.service.request(encode_terms(terms), OPENING, signed(by, Verb.BREAK_GLASS, terms))


async def review(office: Office, by: Principal, verb: Verb, note: str = "", terms: GrantTerms = TERMS) -> Grant:
    return await office.service.review(terms.id, by, signed(by, verb, terms), verb, note)


def ids(office: Office, name: str = "sam") -> list[str]:
    return [active.terms.id[:2] for active in office.service.active_for(name)]


def test_it_works_at_once_and_is_loud(play: Play, capsys: pytest.CaptureFixture[str]) -> None:
    async def scenario(office: Office) -> None:
        assert (await smash(office)).state is GrantState.ACTIVE
        assert ids(office) == ["01"]
        assert office.names() == ["KeyAdded", "BreakGlass", "GrantActivated"]
        [notice] = await office.notices("break-glass")
        assert notice.text == (
            "sam broke the glass: contact data of people of eu, account:42, for 30 minutes: "
            "she says goodbye in a live video; to be reviewed by 2026-11-24 23:30:00 UTC"
        )
        assert "[warning" in (said := capsys.readouterr().out)
        assert "broke the glass" in said
        await office.wait(1800)
        assert (ids(office), office.database.enclosed) == ([], set())
        assert office.names()[-1] == "GrantEnded"

    play(scenario)


def test_the_policy_says_who_and_what_and_a_refusal_is_in_the_log(play: Play) -> None:
    async def scenario(office: Office) -> None:
        cases: list[tuple[Principal, str, dict[str, Any], str]] = [
            (DORA, "contact", {}, "who-breaks-glass"),
            (AUDREY, "contact", {}, "who-breaks-glass"),
            (ROOT, "contact", {}, "operators-see-nothing"),
            (LI, "contact", {}, "country-outside-region"),
            (SAM, "device", {}, "break-glass-classes"),
            (SAM, "credential", {}, "credentials-stay-secret"),
            (SAM, "location", {"people": (JO,)}, "protected-people"),
            (SAM, "contact", {"purpose": "fun"}, "purpose-not-listed"),
        ]
        for number, (by, what, changes, rule) in enumerate(cases):
            before = len(entries(office.folder))
            with pytest.raises(PolicyDenied) as caught:
                await smash(office, emergency(by, what, id=f"{number:032x}", **changes), by)
            assert f"rule {rule} " in caught.value.detail
            assert len(entries(office.folder)) == before + 1
        assert not office.service.truth.grants

    play(scenario)


def test_it_must_be_signed_as_what_it_is_and_name_enough_reviews(play: Play) -> None:
    async def scenario(office: Office) -> None:
        with pytest.raises(VerificationError):
            await office.service.request(encode_terms(TERMS), OPENING, signed(SAM, Verb.REQUEST, TERMS))
        with pytest.raises(VerificationError):
            await smash(office, LONG)
        with pytest.raises(UsageError, match="the policy asks for 2 reviews, the terms for 1"):
            await smash(office, emergency(approvals=1))
        assert not office.service.truth.grants

    play(scenario)


def test_two_reviews_settle_it(play: Play) -> None:
    async def scenario(office: Office) -> None:
        await smash(office)
        for by, error, words in (
            (SAM, Refused, "never by its user"),
            (UNA, Refused, "reviewed by approvers of eu"),
            (LI, Refused, "reviewed by approvers of eu"),
        ):
            with pytest.raises(error, match=words):
                await review(office, by, GOOD)
        await review(office, ADA, GOOD, "the ambulance came")
        with pytest.raises(UsageError, match="you have reviewed this already"):
            await review(office, ADA, BAD)
        await office.wait(1 * DAY)
        await review(office, BEN, GOOD)
        await office.wait(30 * DAY)
        assert office.service.judge.lock_of("sam") is None
        assert [n.text for n in await office.notices("review")] == [
            "ada signed review: the ambulance came", "ben signed review: no note",
        ]  # fmt: skip
        await office.restart()
        assert office.service.judge.lock_of("sam") is None

    play(scenario)


def test_only_break_glass_is_reviewed(play: Play) -> None:
    async def scenario(office: Office) -> None:
        await office.activate(LONG, SAM)
        with pytest.raises(UsageError, match="only break-glass"):
            await review(office, ADA, BAD, terms=LONG)
        assert ids(office) == ["02"]

    play(scenario)


def test_while_the_review_is_overdue_its_user_gets_nothing(play: Play) -> None:
    async def scenario(office: Office) -> None:
        await office.activate(LONG, SAM)
        waiting = wish(id="03" * 16, not_after=TERMS.not_before + 7 * DAY)
        await office.ask(waiting, SAM)
        await office.approve(waiting, ADA)
        await smash(office)
        await office.wait(3 * DAY - 1)
        assert ids(office) == ["02"]
        [active] = office.service.active_for("sam")
        told: list[SeenbyError] = []
        active.life.on_end(told.append)

        office.now += 1
        assert ids(office) == [], "before any timer has run"
        await office.service.tick()
        assert [(type(error), error.message) for error in told] == [
            (GrantEnded, "sam is locked: break-glass 01010101 should have been reviewed by 2026-11-24 23:30:00 UTC")
        ]
        assert office.database.enclosed == set(), "no role is left in the database"
        before = len(entries(office.folder))
        now = int(office.now)
        late = wish(id="04" * 16, requested_at=now, not_before=now, not_after=now + 60)
        with pytest.raises(Refused, match="sam is locked"):
            await office.ask(late, SAM)
        with pytest.raises(Refused, match="sam is locked"):
            await smash(office, emergency(id="05" * 16, requested_at=now, not_before=now, not_after=now + 60))
        assert len(entries(office.folder)) == before + 2, "both attempts are in the log"
        assert (await office.approve(waiting, BEN)).state is GrantState.APPROVED, "approved, and not activated"

        await office.restart()
        assert (ids(office), office.database.enclosed) == ([], set())
        await review(office, ADA, GOOD)
        await office.service.tick()
        assert ids(office) == []
        await review(office, BEN, GOOD)
        await office.service.tick()
        assert ids(office) == ["02", "03"], "what was allowed before goes on"
        assert office.database.enclosed == {LONG.id, waiting.id}

    play(scenario)


def test_one_unjustified_locks_at_once_and_survives_everything_but_the_protection_officer(play: Play) -> None:
    async def scenario(office: Office) -> None:
        await office.activate(LONG, SAM)
        await smash(office)
        assert ids(office) == ["02", "01"]
        await review(office, ADA, BAD, "she was his neighbour")
        assert ids(office) == [], "without waiting for a tick"
        await office.service.tick()
        assert office.database.enclosed == set()
        await review(office, BEN, GOOD)
        await office.restart()
        assert ids(office) == []
        await office.wait(4 * DAY)
        assert "found break-glass 01010101 unjustified" in str(office.service.judge.lock_of("sam"))
        await review(office, DORA, GOOD)
        await office.service.tick()
        assert ids(office) == ["02"]

    play(scenario)


def test_a_role_that_cannot_be_ended_at_once_is_ended_before_a_new_one_comes(play: Play) -> None:
    async def scenario(office: Office) -> None:
        await office.activate(LONG, SAM)
        await smash(office)
        office.database.away = True
        await review(office, ADA, BAD)
        await office.service.tick()
        assert office.database.enclosed, "the database is away"
        await review(office, DORA, GOOD)
        office.database.away = False
        office.database.log_before.clear()
        await office.service.tick()
        await office.service.tick()
        assert sorted(ids(office)) == ["01", "02"]
        assert office.database.enclosed == {LONG.id, TERMS.id}
        assert office.database.log_before[0][0] == "end"

    play(scenario)


def test_whoever_edits_the_control_database_lifts_nothing(play: Play) -> None:
    async def scenario(office: Office) -> None:
        await smash(office)
        await review(office, ADA, BAD)
        await office.sql("UPDATE decisions SET verb = 'review' WHERE verb = 'review-unjustified'")
        await office.wait(10)
        assert office.service.judge.lock_of("sam") is not None
        told = [notice.text for notice in await office.notices("tampering")]
        assert any("the signature to review-unjustified" in text for text in told)
        assert await office.sql("UPDATE decisions SET at = at WHERE verb = 'review-unjustified'") == 1, "put right"
        await office.sql("DELETE FROM grants")
        await office.sql("DELETE FROM notices")
        await office.restart()
        await office.wait(10)
        assert office.service.judge.lock_of("sam") is not None
        assert await office.sql("UPDATE grants SET status = status WHERE status IN ('active', 'expired')") == 1
        await office.sql(
            "INSERT INTO decisions VALUES (%s, 'review', %s, 'dora', %s, 0)", TERMS.id, b"\0" * 8, bytes(64)
        )
        await office.wait(10)
        assert office.service.judge.lock_of("sam") is not None

    play(scenario)


def test_it_is_loud_and_works_although_the_control_database_went_away(
    play: Play, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: Notice) -> bool:
        raise Unavailable("the control database did not answer")

    async def scenario(office: Office) -> None:
        monkeypatch.setattr(office.control, "add_notice", away)
        assert (await smash(office)).state is GrantState.ACTIVE
        assert "broke the glass" in capsys.readouterr().out
        await review(office, ADA, BAD, "her neighbour")
        assert "her neighbour" in capsys.readouterr().out
        assert ids(office) == []

    play(scenario)


def test_strangers_check_it_and_read_the_verdicts(play: Play, tmp_path: Path) -> None:
    """The verifier, over the entries that the gateway wrote."""

    async def scenario(office: Office) -> None:
        await smash(office)
        await review(office, ADA, GOOD)
        await office.wait(1800)
        await review(office, BEN, BAD)

    play(scenario)
    log = GrantLog("eu")
    events = [entry for entry in entries(tmp_path) if isinstance(entry, GRANT_EVENTS)]
    for index, event in enumerate(events):
        log.apply(index, event)
    grant = log.grants[bytes.fromhex(TERMS.id)]
    assert (grant.state, list(grant.reviews.values())) == ("ended", [True, False])
    assert log.check_terms(bytes.fromhex(TERMS.id), encode_terms(TERMS), OPENING) is grant
    said = [row["event"] for row in _rows(list(enumerate(events)), bytes.fromhex(TERMS.id), grant.reviews)]
    assert said == [
        "break-glass", "grant activated", "grant reviewed: justified",
        "grant ended, since its window is over", "grant reviewed: NOT justified",
    ]  # fmt: skip
    assert _counted(grant) == "Break-glass: 2 reviews; 2 of each region needed."
