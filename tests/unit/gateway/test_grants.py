"""The grant service: signatures in, ledger first, then the effect; ending at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from seenby.errors import (
    AuthFailed,
    GrantEnded,
    NotFound,
    PolicyDenied,
    Refused,
    SeenbyError,
    Unavailable,
    UsageError,
    VerificationError,
)
from seenby.grants.facts import PersonFact
from seenby.grants.signing import Verb, sign_grant
from seenby.grants.terms import encode_terms
from seenby.model.grant import GrantState
from seenby.model.people import Person
from seenby_verify.tlog.entries import EndReason
from seenby_verify.tlog.entries import GrantEnded as EndedEntry
from tests.fixtures.grant_office import Office, open_office
from tests.fixtures.grants import (
    ADA,
    AUDREY,
    BEN,
    DORA,
    EVE,
    JO,
    LI,
    NOW,
    OPENING,
    ROOT,
    SAM,
    UNA,
    commit_of,
    private_key,
    signed,
    staff,
    wish,
)
from tests.fixtures.ledgers import entries

pytestmark = pytest.mark.postgres

Scenario = Callable[[Office], Awaitable[None]]


@pytest.fixture
def play(tmp_path: Path, control_dsn: str) -> Callable[[Scenario], None]:
    """Runs a scenario in an office of its own."""

    def run(scenario: Scenario) -> None:
        async def play() -> None:
            async with open_office(tmp_path, control_dsn) as office:
                await scenario(office)

        asyncio.run(play())

    return run


Play = Callable[[Scenario], None]


def test_two_approvers_activate_and_the_log_knows_before_the_database(play: Play) -> None:
    async def scenario(office: Office) -> None:
        terms = wish()
        assert (await office.ask(terms, SAM)).state is GrantState.REQUESTED
        assert (await office.approve(terms, ADA)).state is GrantState.REQUESTED
        assert not office.service.active_for("sam")
        assert (await office.approve(terms, BEN)).state is GrantState.ACTIVE
        [active] = office.service.active_for("sam")
        assert active.terms == terms
        assert active.approvers == (("ada", "Care"), ("ben", "Care"))
        assert active.why_not(office.now) is None
        assert office.database.log_before == [("activate", "GrantActivated")]
        assert office.names() == [
            "KeyAdded", "GrantRequested", "KeyAdded", "GrantApproved", "KeyAdded", "GrantApproved", "GrantActivated",
        ]  # fmt: skip
        assert not office.service.active_for("li")

    play(scenario)


def test_public_data_needs_nobody(play: Play) -> None:
    async def scenario(office: Office) -> None:
        terms = wish(LI, "public", people=None, approvals=0, max_people=1000)
        assert (await office.ask(terms, LI)).state is GrantState.ACTIVE
        assert len(office.service.active_for("li")) == 1

    play(scenario)


def test_a_refusal_by_policy_is_in_the_log_and_names_its_rule(play: Play) -> None:
    async def scenario(office: Office) -> None:
        size = len(entries(office.folder))
        with pytest.raises(PolicyDenied, match="country") as caught:
            await office.ask(wish(LI), LI)
        assert "rule country-outside-region (2-where.cedar:" in caught.value.detail
        assert caught.value.hint
        assert len(entries(office.folder)) == size + 1
        assert not office.service.truth.grants
        assert not await office.notices()

    play(scenario)


def test_nobody_is_exempt_for_a_protected_person_and_the_officer_is_told(play: Play) -> None:
    async def scenario(office: Office) -> None:
        for number, who in enumerate((AUDREY, SAM, DORA)):
            terms = wish(who, "device", "location", people=(JO,), id=f"{number:032x}")
            with pytest.raises(PolicyDenied, match="protected") as caught:
                await office.ask(terms, who)
            assert "rule protected-people" in caught.value.detail
        told = await office.notices("protected person")
        assert [notice.principal for notice in told] == ["audrey", "sam", "dora"]
        assert "account:7" in told[0].text
        assert len(entries(office.folder)) == 1 + 3

    play(scenario)


def test_a_person_who_is_not_there(play: Play) -> None:
    async def scenario(office: Office) -> None:
        for number, key in enumerate(("99", "404")):
            terms = wish(people=(Person("account", key),), id=f"{number:032x}")
            with pytest.raises(NotFound, match=f"account:{key} with home region eu"):
                await office.ask(terms, SAM)
        assert len(entries(office.folder)) == 1 + 2, "asking about strangers is recorded"
        with pytest.raises(PolicyDenied, match="country"):
            await office.ask(wish(LI, people=(Person("account", "404"),)), LI)

    play(scenario)


def test_who_may_not_approve(play: Play) -> None:
    async def scenario(office: Office) -> None:
        terms = wish()
        await office.ask(terms, SAM)
        with pytest.raises(Refused, match="nobody approves their own"):
            await office.approve(terms, SAM)
        for who in (UNA, LI, ROOT, AUDREY):
            with pytest.raises(Refused, match="only an approver of eu"):
                await office.approve(terms, who)
        await office.approve(terms, ADA)
        with pytest.raises(UsageError, match="already"):
            await office.approve(terms, ADA)
        office.staff(replace(BEN, country="CN"))
        await office.service.tick()
        with pytest.raises(PolicyDenied, match="country of the region"):
            await office.approve(terms, BEN)
        with pytest.raises(AuthFailed, match="nobody called"):
            await office.service.approve(terms.id, "mallory", bytes(64))
        assert office.service.truth.find(terms.id).state is GrantState.REQUESTED

    play(scenario)


def test_an_approver_cannot_approve_their_own(play: Play) -> None:
    async def scenario(office: Office) -> None:
        terms = wish(ADA)
        await office.ask(terms, ADA)
        with pytest.raises(Refused, match="their own"):
            await office.approve(terms, ADA)
        await office.approve(terms, BEN)
        assert (await office.approve(terms, DORA)).state is GrantState.ACTIVE

    play(scenario)


def test_a_signature_counts_for_one_verb_one_grant_and_its_terms(play: Play) -> None:
    async def scenario(office: Office) -> None:
        terms, other = wish(), wish(id="00" * 16)
        await office.ask(terms, SAM)
        await office.ask(other, SAM)
        for forged in (
            bytes(64),
            b"",
            signed(BEN, Verb.APPROVE, terms),
            signed(ADA, Verb.REVOKE, terms),
            signed(ADA, Verb.APPROVE, other),
            signed(ADA, Verb.APPROVE, replace(terms, max_rows=9)),
            sign_grant(private_key("ada"), Verb.APPROVE, "us", terms.id, commit_of(terms)),
        ):
            with pytest.raises(VerificationError, match="does not match"):
                await office.service.approve(terms.id, "ada", forged)
        with pytest.raises(VerificationError):
            await office.service.revoke(terms.id, "ada", signed(ADA, Verb.APPROVE, terms))
        with pytest.raises(VerificationError):
            await office.service.deny(terms.id, "ada", signed(ADA, Verb.APPROVE, terms))
        with pytest.raises(VerificationError):
            await office.service.request(encode_terms(wish(id="11" * 16)), OPENING, signed(SAM, Verb.REQUEST, terms))
        assert office.names() == ["KeyAdded", "GrantRequested", "GrantRequested"]

    play(scenario)


def test_requests_that_make_no_sense(play: Play) -> None:
    async def scenario(office: Office) -> None:
        await office.ask(wish(), SAM)
        for terms, words in (
            (wish(), "requested before"),
            (wish(id="01" * 16, region="us"), "gateway of eu"),
            (wish(id="02" * 16, country="DE"), "than the directory"),
            (wish(id="03" * 16, unit="Legal"), "than the directory"),
            (wish(id="04" * 16, requested_at=NOW - 301), "too old"),
            (wish(id="05" * 16, not_before=NOW - 301), "in the past"),
            (wish(id="06" * 16, not_before=NOW - 100, not_after=NOW), "over already"),
            (wish(id="07" * 16, approvals=1), "asks for 2 approvals"),
        ):
            sign = sign_grant(private_key("sam"), Verb.REQUEST, "eu", terms.id, commit_of(terms))
            with pytest.raises(SeenbyError, match=words):
                await office.service.request(encode_terms(terms), OPENING, sign)
        assert len(office.service.truth.grants) == 1

    play(scenario)


def test_revocation_cuts_sessions_at_once_and_then_the_role(play: Play) -> None:
    async def scenario(office: Office) -> None:
        terms = wish()
        grant = await office.activate(terms, SAM)
        active = grant.active
        cut: list[SeenbyError] = []
        assert active is not None
        active.life.on_end(cut.append)
        forget = active.life.on_end(lambda error: pytest.fail("this session had gone"))
        forget()
        revoking = asyncio.create_task(office.revoke(terms, ADA))
        size = office.ledger.size
        await asyncio.sleep(0)
        assert isinstance(active.life.ended, GrantEnded), "cut before the ledger has answered"
        assert (len(cut), office.ledger.size) == (1, size)
        assert (await revoking).state is GrantState.REVOKED
        assert "ada revoked it" in cut[0].message
        assert office.database.log_before[-1] == ("end", "GrantRevoked")
        assert not office.database.enclosed
        assert not office.service.active_for("sam")
        late: list[SeenbyError] = []
        active.life.on_end(late.append)
        assert late == cut, "who comes too late is told at once"

    play(scenario)


def test_revocation_works_when_the_ledger_does_not(play: Play) -> None:
    async def scenario(office: Office) -> None:
        terms = wish()
        grant = await office.activate(terms, SAM)
        active = grant.active
        await office.ledger.close()
        with pytest.raises(SeenbyError, match="ledger"):
            await office.revoke(terms, ADA)
        await office.service.tick()
        assert active is not None
        assert active.life.ended
        assert not office.database.enclosed
        assert not office.service.active_for("sam")

    play(scenario)


def test_revoked_while_it_is_being_activated(play: Play) -> None:
    async def scenario(office: Office) -> None:
        office.database.gate = asyncio.Event()
        terms = wish()
        activating = asyncio.create_task(office.activate(terms, SAM))
        while not office.database.log_before:
            await asyncio.sleep(0.001)
        revoking = asyncio.create_task(office.revoke(terms, SAM))
        await asyncio.sleep(0)
        office.database.gate.set()
        while not activating.done():
            await asyncio.sleep(0)
            assert not office.service.active_for("sam")
        await revoking
        assert not office.database.enclosed
        assert office.names()[-2:] == ["GrantActivated", "GrantRevoked"]

    play(scenario)


def test_who_may_end_it(play: Play) -> None:
    async def scenario(office: Office) -> None:
        terms = wish()
        await office.ask(terms, SAM)
        for who in (LI, ROOT, UNA, AUDREY):
            with pytest.raises(Refused):
                await office.revoke(terms, who)
        with pytest.raises(Refused):
            await office.service.deny(terms.id, "sam", signed(SAM, Verb.DENY, terms))
        denied = await office.service.deny(terms.id, "ada", signed(ADA, Verb.DENY, terms))
        assert denied.state is GrantState.DENIED
        with pytest.raises(UsageError, match="it is denied"):
            await office.approve(terms, BEN)
        with pytest.raises(UsageError, match="it is denied"):
            await office.revoke(terms, SAM)

    play(scenario)


def test_a_grant_ends_with_its_window(play: Play) -> None:
    async def scenario(office: Office) -> None:
        waiting = wish(id="00" * 16)
        await office.ask(waiting, SAM)
        active = (await office.activate(wish(), SAM)).active
        assert active is not None
        await office.wait(1799.5)
        assert len(office.service.active_for("sam")) == 1
        office.now += 0.5
        assert isinstance(active.why_not(office.now), GrantEnded), "no timer needs to have run"
        assert not office.service.active_for("sam")
        await office.service.tick()
        assert isinstance(active.life.ended, GrantEnded)
        assert not office.database.enclosed
        assert [g.state for g in office.service.truth.grants.values()] == [GrantState.EXPIRED] * 2
        with pytest.raises(UsageError, match="it is expired"):
            await office.approve(waiting, ADA)

    play(scenario)


def test_an_approval_after_the_window_is_worth_nothing_even_before_the_timer(play: Play) -> None:
    async def scenario(office: Office) -> None:
        terms = wish()
        await office.ask(terms, SAM)
        await office.approve(terms, ADA)
        office.now += 1800
        with pytest.raises(UsageError, match="it is expired"):
            await office.approve(terms, BEN)
        assert office.names()[-1] == "GrantEnded"

    play(scenario)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"country": "CN"}, EndReason.PRINCIPAL_CHANGED),
        ({"country": ""}, EndReason.PRINCIPAL_CHANGED),
        ({"entity": "Orbit Beijing Co."}, EndReason.PRINCIPAL_CHANGED),
        ({"role": "operator"}, EndReason.PRINCIPAL_CHANGED),
        (None, EndReason.PRINCIPAL_GONE),
    ],
    ids=str,
)
def test_the_principal_moves_or_leaves(play: Play, change: dict[str, str] | None, reason: EndReason) -> None:
    async def scenario(office: Office) -> None:
        active = (await office.activate(wish(), SAM)).active
        assert active is not None
        if change is None:
            office.staff(gone=["sam"])
        else:
            office.staff(replace(SAM, **change))  # type: ignore[arg-type]  # texts only
        await office.service.tick()
        assert isinstance(active.life.ended, GrantEnded)
        last = [event for event in office.events() if isinstance(event, EndedEntry)]
        assert [event.reason for event in last] == [reason]
        assert not office.database.enclosed
        office.staff(SAM)
        await office.service.tick()
        assert not office.service.active_for("sam"), "coming back brings no grant back"

    play(scenario)


def test_a_broken_directory_changes_nothing_and_is_told(play: Play) -> None:
    async def scenario(office: Office) -> None:
        await office.activate(wish(), SAM)
        (office.folder / "directory.toml").write_text("[principals")
        await office.service.tick()
        await office.service.tick()
        assert len(office.service.active_for("sam")) == 1
        assert len(await office.notices("directory")) == 1

    play(scenario)


def test_it_begins_when_its_time_begins(play: Play) -> None:
    async def scenario(office: Office) -> None:
        terms = wish(not_before=NOW + 600, not_after=NOW + 1200)
        assert (await office.activate(terms, SAM)).state is GrantState.APPROVED
        await office.wait(599)
        assert not office.database.enclosed
        await office.wait(1)
        assert len(office.service.active_for("sam")) == 1

    play(scenario)


def test_agreement_is_asked_again_when_it_begins(play: Play) -> None:
    async def scenario(office: Office) -> None:
        left, protected = (wish(id=f"{n:032x}", not_before=NOW + 600, not_after=NOW + 1200) for n in range(2))
        await office.activate(left, SAM)
        await office.activate(protected, SAM)
        office.facts.people[EVE] = PersonFact("eu", protected=True)
        await office.wait(600)
        assert not office.database.enclosed
        assert "rule protected-people" in office.service.truth.find(protected.id).blocked
        office.staff(gone=["ben"])
        await office.wait(1)
        assert "1 of eu" in office.service.truth.find(left.id).blocked
        assert len(await office.notices("not activated")) == 4

    play(scenario)


def test_two_keys_of_one_person_are_one_approver(play: Play) -> None:
    async def scenario(office: Office) -> None:
        terms = wish()
        await office.ask(terms, SAM)
        await office.approve(terms, ADA)
        office.staff(replace(ADA, public_key=private_key("ada2").public_key().public_bytes_raw()))
        await office.service.tick()
        again = sign_grant(private_key("ada2"), Verb.APPROVE, "eu", terms.id, commit_of(terms))
        await office.service.approve(terms.id, "ada", again)
        assert not office.database.enclosed
        assert "1 of eu" in office.service.truth.find(terms.id).blocked

    play(scenario)


def test_after_a_restart_the_log_alone_says_what_works(play: Play) -> None:
    async def scenario(office: Office) -> None:
        works, revoked, waits = (wish(id=f"{n:032x}") for n in range(3))
        await office.activate(works, SAM)
        await office.activate(revoked, SAM)
        await office.revoke(revoked, SAM)
        await office.ask(waits, SAM)
        await office.approve(waits, ADA)
        office.database.enclosed.add(revoked.id)  # as if the process had died before the role was ended
        await office.sql("TRUNCATE grants, decisions")
        await office.restart()
        assert office.database.kept[-1] == {works.id}
        assert office.database.enclosed == {works.id}
        assert [active.terms for active in office.service.active_for("sam")] == [works]
        assert (await office.approve(waits, BEN)).state is GrantState.ACTIVE
        with pytest.raises(UsageError, match="it is revoked"):
            await office.approve(revoked, DORA)

    play(scenario)


def test_a_grant_that_expired_while_nothing_ran(play: Play) -> None:
    async def scenario(office: Office) -> None:
        await office.activate(wish(), SAM)
        office.now += 3600
        await office.restart()
        assert not office.database.enclosed
        assert office.names()[-1] == "GrantEnded"

    play(scenario)


def test_a_database_that_does_not_enclose_the_grant_ends_it(play: Play) -> None:
    async def scenario(office: Office) -> None:
        office.database.leak = Refused("a table is open to PUBLIC")
        assert (await office.activate(wish(), SAM)).state is GrantState.EXPIRED
        last = office.events()[-1]
        assert isinstance(last, EndedEntry)
        assert last.reason == EndReason.NOT_ENCLOSED
        assert office.database.log_before[-1] == ("end", "GrantEnded"), "what was made of it before is taken away"
        assert not office.service.active_for("sam")
        [told] = await office.notices("not enclosed")
        assert "open to PUBLIC" in told.text

    play(scenario)


def test_a_database_that_is_away_is_asked_again(play: Play) -> None:
    async def scenario(office: Office) -> None:
        terms = wish()
        await office.ask(terms, SAM)
        await office.approve(terms, ADA)
        office.database.away = True
        with pytest.raises(Unavailable):
            await office.approve(terms, BEN)
        assert not office.service.active_for("sam")
        office.database.away = False
        await office.service.tick()
        assert len(office.service.active_for("sam")) == 1
        office.database.away = True
        with pytest.raises(Unavailable):
            await office.revoke(terms, SAM)
        assert not office.service.active_for("sam")
        assert office.database.enclosed
        office.database.away = False
        await office.service.tick()
        assert not office.database.enclosed

    play(scenario)


def test_a_slow_grant_delays_no_other_grant(play: Play) -> None:
    async def scenario(office: Office) -> None:
        active = (await office.activate(wish(id="00" * 16), SAM)).active
        assert active is not None
        office.database.gate = asyncio.Event()
        slow = asyncio.create_task(office.activate(wish(not_after=NOW + 7200), SAM))
        running = asyncio.create_task(office.service.run())
        while not slow.done() and len(office.database.log_before) < 2:
            await asyncio.sleep(0.001)
        office.now += 1800
        ended = asyncio.Event()
        active.life.on_end(lambda error: ended.set())
        await asyncio.wait_for(ended.wait(), 20)
        office.database.gate.set()
        await slow
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await office.service.tick()

    play(scenario)


def test_a_cap_ends_it_once(play: Play) -> None:
    async def scenario(office: Office) -> None:
        await office.activate(wish(), SAM)
        await asyncio.gather(*(office.service.end(wish().id, EndReason.CAP) for _ in range(3)))
        assert office.names().count("GrantEnded") == 1
        assert not office.database.enclosed

    play(scenario)


def test_a_broken_session_keeps_no_other_alive(play: Play) -> None:
    async def scenario(office: Office) -> None:
        active = (await office.activate(wish(), SAM)).active
        cut: list[SeenbyError] = []
        assert active is not None

        def broken(error: SeenbyError) -> None:
            raise RuntimeError("broken")

        active.life.on_end(broken)
        active.life.on_end(cut.append)
        await office.revoke(wish(), SAM)
        assert len(cut) == 1
        assert not office.database.enclosed

    play(scenario)


def test_a_new_key_of_an_approver_is_known_to_the_log_before_it_signs(play: Play) -> None:
    async def scenario(office: Office) -> None:
        terms = wish()
        await office.ask(terms, SAM)
        await office.approve(terms, ADA)
        office.staff(gone=["ada"])
        await office.service.tick()
        assert office.names()[-1] == "KeyRetired"
        cleo = staff("cleo", "IE", "Orbit Ireland Ltd", "approver", "eu")
        office.staff(ADA, cleo)
        await office.service.tick()
        await office.approve(terms, cleo)
        assert office.names()[-3:] == ["KeyAdded", "GrantApproved", "GrantActivated"]

    play(scenario)
