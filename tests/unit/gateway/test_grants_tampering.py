"""Whoever edits the control database gains nothing, and the protection officer is told (I7)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from seenby.errors import UsageError
from seenby.gateway.grant_times import AUDIT_SECONDS
from seenby.grants.signing import Verb
from seenby.grants.terms import encode_terms
from seenby.model.grant import GrantState
from seenby_verify.tlog.entries import key_id
from tests.fixtures.grant_office import Office, open_office
from tests.fixtures.grants import ADA, BEN, LI, NOW, OPENING, SAM, signed, wish

pytestmark = pytest.mark.postgres

Attack = Callable[[Office], Awaitable[None]]
TERMS = wish()


async def _say_approved(office: Office) -> None:
    assert await office.sql("UPDATE grants SET status = 'approved'") == 1


async def _say_active(office: Office) -> None:
    assert await office.sql("UPDATE grants SET status = 'active'") == 1


async def _widen_the_window(office: Office) -> None:
    wider = encode_terms(replace(TERMS, not_after=NOW + 86_400))
    assert await office.sql("UPDATE grants SET terms = %s, status = 'active'", wider) == 1


async def _need_nobody(office: Office) -> None:
    alone = encode_terms(replace(TERMS, approvals=0))
    assert await office.sql("UPDATE grants SET terms = %s, opening = %s", alone, bytes(32)) == 1


async def _forge_approvals(office: Office) -> None:
    for who in (ADA, BEN):
        await office.sql(
            "INSERT INTO decisions VALUES (%s, 'approve', %s, %s, %s, 0)",
            TERMS.id, key_id(who.public_key), who.name, bytes(64),
        )  # fmt: skip
    await _say_approved(office)


async def _copy_real_approvals_of_other_terms(office: Office) -> None:
    small = replace(TERMS, max_rows=1)
    for who in (ADA, BEN):
        await office.sql(
            "INSERT INTO decisions VALUES (%s, 'approve', %s, %s, %s, 0)",
            TERMS.id, key_id(who.public_key), who.name, signed(who, Verb.APPROVE, small),
        )  # fmt: skip
    await _say_approved(office)


async def _delete_it(office: Office) -> None:
    assert await office.sql("DELETE FROM grants") == 1


@pytest.mark.parametrize(
    ("attack", "words"),
    [
        (_say_approved, "says 'approved', the log says 'requested'"),
        (_say_active, "says 'active', the log says 'requested'"),
        (_widen_the_window, "not the ones that were signed"),
        (_need_nobody, "not the ones that were signed"),
        (_forge_approvals, "a signature to approve by key"),
        (_copy_real_approvals_of_other_terms, "a signature to approve by key"),
        (_delete_it, "row is gone"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
@pytest.mark.parametrize("restart", [False, True], ids=["running", "restarted"])
def test_a_request_is_not_made_active(
    tmp_path: Path, control_dsn: str, attack: Attack, words: str, restart: bool
) -> None:
    async def scenario() -> None:
        async with open_office(tmp_path, control_dsn) as office:
            await office.ask(TERMS, SAM)
            await attack(office)
            if restart:
                await office.restart()
            else:
                await office.wait(AUDIT_SECONDS)
            grant = office.service.truth.find(TERMS.id)
            assert (grant.state, grant.terms) == (GrantState.REQUESTED, TERMS)
            assert not office.service.active_for("sam")
            assert not office.database.enclosed
            told = await office.notices("tampering")
            assert any(words in notice.text for notice in told)
            assert {notice.grant_id for notice in told} == {TERMS.id}
            [row] = await office.control.grants()
            assert (row.status, row.terms) == ("requested", encode_terms(TERMS)), "the copy is put right"
            assert not await office.control.decisions()
            await office.wait(AUDIT_SECONDS)
            assert await office.notices("tampering") == told, "it is told once"

    asyncio.run(scenario())


@pytest.mark.parametrize("restart", [False, True], ids=["running", "restarted"])
def test_a_deleted_revocation_brings_nothing_back(tmp_path: Path, control_dsn: str, restart: bool) -> None:
    async def scenario() -> None:
        async with open_office(tmp_path, control_dsn) as office:
            await office.activate(TERMS, SAM)
            await office.revoke(TERMS, ADA)
            assert await office.sql("DELETE FROM decisions WHERE verb = 'revoke'") == 1
            await office.sql("UPDATE grants SET status = 'active'")
            if restart:
                await office.restart()
            else:
                await office.wait(AUDIT_SECONDS)
            assert office.service.truth.find(TERMS.id).state is GrantState.REVOKED
            assert not office.database.enclosed
            texts = [notice.text for notice in await office.notices("tampering")]
            assert any("signature to revoke" in text and "is gone" in text for text in texts)
            assert any("says 'active', the log says 'revoked'" in text for text in texts)
            assert len(await office.control.decisions()) == 3, "what was deleted stands there again"

    asyncio.run(scenario())


def test_a_grant_that_was_only_ever_inserted(tmp_path: Path, control_dsn: str) -> None:
    async def scenario() -> None:
        async with open_office(tmp_path, control_dsn) as office:
            mine = wish(LI, id="aa" * 16)
            await office.sql(
                "INSERT INTO grants VALUES (%s, %s, %s, %s, %s, 'active', 0, 0)",
                mine.id, encode_terms(mine), OPENING, key_id(LI.public_key), signed(LI, Verb.REQUEST, mine),
            )  # fmt: skip
            await office.wait(AUDIT_SECONDS)
            await office.restart()
            assert not office.service.active_for("li")
            assert "the log has no request" in (await office.notices("tampering"))[0].text

    asyncio.run(scenario())


def test_rows_of_two_grants_swapped(tmp_path: Path, control_dsn: str) -> None:
    async def scenario() -> None:
        async with open_office(tmp_path, control_dsn) as office:
            other = wish(id="bb" * 16, cells=wish(SAM, "identity").cells)
            await office.activate(TERMS, SAM)
            await office.ask(other, SAM)
            await office.sql("UPDATE grants SET terms = %s WHERE id = %s", encode_terms(other), TERMS.id)
            await office.restart()
            assert [active.terms for active in office.service.active_for("sam")] == [TERMS]
            assert len(await office.notices("tampering")) == 1

    asyncio.run(scenario())


def test_an_honest_life_raises_no_notice(tmp_path: Path, control_dsn: str) -> None:
    async def scenario() -> None:
        async with open_office(tmp_path, control_dsn) as office:
            await office.activate(TERMS, SAM)
            await office.wait(AUDIT_SECONDS)
            denied = wish(id="01" * 16)
            await office.ask(denied, SAM)
            await office.wait(AUDIT_SECONDS)
            await office.service.deny(denied.id, "ben", signed(BEN, Verb.DENY, denied))
            await office.wait(AUDIT_SECONDS)
            await office.restart()
            await office.revoke(TERMS, SAM)
            await office.wait(AUDIT_SECONDS)
            with pytest.raises(UsageError):
                await office.ask(TERMS, SAM)
            await office.wait(3600)
            # Audits that run while we write must not take our own half-written state for somebody else's.
            hurried = [wish(id=f"{n:032x}", requested_at=int(office.now), not_before=int(office.now),
                            not_after=int(office.now) + 600_000) for n in range(20)]  # fmt: skip
            asking = asyncio.gather(*(office.activate(terms, SAM) for terms in hurried))
            while not asking.done():
                office.now += AUDIT_SECONDS
                await office.service.tick()
            await asking
            await office.wait(AUDIT_SECONDS)
            assert not await office.notices()

    asyncio.run(scenario())
