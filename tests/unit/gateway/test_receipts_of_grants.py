"""Who signs something about a grant gets a promise for its entry at once, and its receipt; so does nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from seenby.grants.signing import Verb
from seenby.grants.terms import encode_terms
from seenby.model.principal import Principal
from seenby.stores.receipts import Page, Receipts
from seenby_verify.tlog.entries import key_id
from seenby_verify.tlog.policy import Policy
from seenby_verify.tlog.promise import Promise
from seenby_verify.tlog.proof import ReceiptCheck
from seenby_verify.tlog.tree import leaf_hash
from tests.fixtures.grant_office import Office, open_office
from tests.fixtures.grants import ADA, BEN, DORA, OPENING, SAM, UNA, emergency, private_key, signed, wish
from tests.fixtures.ledgers import disclosure, every_entry

pytestmark = pytest.mark.postgres

OTHER = wish(id="02" * 16)
GLASS = emergency(id="03" * 16)


def play(tmp_path: Path, dsn: str, scenario: Callable[[Office, Receipts], Awaitable[None]]) -> None:
    """An office whose log is published when a test says so."""

    async def run() -> None:
        async with open_office(tmp_path, dsn) as office:
            office.ledger._publishing._after = 3600.0
            receipts = Receipts(office.ledger, office.ledger._keystore.checkpoint_key())
            try:
                await scenario(office, receipts)
            finally:
                receipts.close()

    asyncio.run(run())


async def theirs(receipts: Receipts, who: Principal, since: int = 0) -> Page:
    return await receipts.page(who.name, since, key_id(who.public_key))


async def kinds(office: Office, receipts: Receipts, who: Principal, *, public: bool) -> list[str]:
    """What they were given, each checked: promises before the checkpoint, receipts after it."""
    trust = Policy.trusting(office.ledger.verifier_key)
    logged = every_entry(office.folder)
    found = []
    for one in (await theirs(receipts, who)).given:
        assert one.is_receipt is public
        if public:
            check = ReceiptCheck(one.text, trust)
            assert len(list(check.steps())) == 4
            assert (check.proof.index, check.entry) == (one.index, logged[one.index])
        else:
            promise = Promise.open(one.text, trust)
            assert (promise.index, promise.time) == (one.index, int(office.now))
        found.append(type(logged[one.index]).__name__)
    return found


def test_everybody_has_what_they_signed_and_who_asked_has_beginning_and_end(tmp_path: Path, control_dsn: str) -> None:
    async def scenario(office: Office, receipts: Receipts) -> None:
        terms = wish()
        await office.activate(terms, SAM)
        await office.revoke(terms, BEN)
        await office.ask(OTHER, SAM)
        await office.service.deny(OTHER.id, "ada", signed(ADA, Verb.DENY, OTHER))
        await office.ledger.append(disclosure("account:42")._replace(principal="sam"))
        await office.service.request(encode_terms(GLASS), OPENING, signed(SAM, Verb.BREAK_GLASS, GLASS))
        await office.service.review(GLASS.id, DORA, signed(DORA, Verb.JUSTIFIED, GLASS), Verb.JUSTIFIED, "")
        await office.wait(3600.0)  # the glass's own half hour is over
        await office.ledger._publishing.now()
        assert await kinds(office, receipts, SAM, public=True) == [
            "GrantRequested", "GrantActivated", "GrantRequested", "Query", "BreakGlass", "GrantActivated", "GrantEnded",
        ]  # fmt: skip
        assert await kinds(office, receipts, ADA, public=True) == ["GrantApproved", "GrantDenied"]
        assert await kinds(office, receipts, BEN, public=True) == ["GrantApproved", "GrantRevoked"]
        assert await kinds(office, receipts, DORA, public=True) == ["GrantReviewed"]
        assert (await theirs(receipts, UNA)).given == []

    play(tmp_path, control_dsn, scenario)


def test_the_promise_comes_first_and_is_kept(tmp_path: Path, control_dsn: str) -> None:
    async def scenario(office: Office, receipts: Receipts) -> None:
        await office.activate(wish(), SAM)
        assert await kinds(office, receipts, ADA, public=False) == ["GrantApproved"]
        assert await kinds(office, receipts, SAM, public=False) == ["GrantRequested", "GrantActivated"]
        (given,) = (await theirs(receipts, ADA)).given
        promise = Promise.open(given.text, Policy.trusting(office.ledger.verifier_key))
        await office.ledger._publishing.now()
        (receipt,) = (await theirs(receipts, ADA)).given
        check = ReceiptCheck(receipt.text, Policy.trusting(office.ledger.verifier_key))
        list(check.steps())
        assert check.proof.extra is not None
        assert leaf_hash(check.proof.extra) == promise.leaf

    play(tmp_path, control_dsn, scenario)


def test_after_a_restart_they_are_the_same_and_pages_join(tmp_path: Path, control_dsn: str) -> None:
    async def scenario(office: Office, receipts: Receipts) -> None:
        await office.activate(wish(), SAM)
        await office.ledger.append(disclosure("account:42")._replace(principal="sam"))
        await office.ledger._publishing.now()
        before = [one.index for one in (await theirs(receipts, SAM)).given]
        receipts.close()
        await office.restart()
        paged = Receipts(office.ledger, office.ledger._keystore.checkpoint_key(), page=1)
        found: list[int] = []
        since: int | None = 0
        while since is not None:
            page = await theirs(paged, SAM, since)
            found += [one.index for one in page.given]
            since = page.next
        paged.close()
        assert found == before
        assert len(before) == 3

    play(tmp_path, control_dsn, scenario)


def test_a_key_is_asked_for_and_not_a_name(tmp_path: Path, control_dsn: str) -> None:
    """Somebody who signs in as ada with another key has her queries' receipts at most, and nothing that she signed."""

    async def scenario(office: Office, receipts: Receipts) -> None:
        await office.activate(wish(), SAM)
        await office.ledger._publishing.now()
        other = key_id(private_key("mallory").public_key().public_bytes_raw())
        assert (await receipts.page("ada", 0, other)).given == []
        assert (await receipts.page("ada", 0)).given == []
        assert len((await theirs(receipts, ADA)).given) == 1

    play(tmp_path, control_dsn, scenario)
