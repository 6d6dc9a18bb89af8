"""Promises and receipts of a real ledger, judged by the verifier alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from seenby.errors import VerificationError
from seenby.model.disclosure import RefusedAttempt
from seenby.stores.ledger import Ledger
from seenby.stores.receipts import DELAY, Given, Page, Receipts
from seenby_verify.tlog.cosignature import cosign, witness_key
from seenby_verify.tlog.entries import AttemptRefused, Query
from seenby_verify.tlog.note import Note
from seenby_verify.tlog.policy import Policy
from seenby_verify.tlog.promise import Promise, Verdict
from seenby_verify.tlog.proof import ReceiptCheck
from seenby_verify.tlog.tree import leaf_hash
from tests.fixtures.ledgers import NOW, ORIGIN, RECORD, WITHHELD, disclosure, open_ledger

NEVER = 3600.0
PAPER = Ed25519PrivateKey.from_private_bytes(b"p" * 32)


@asynccontextmanager
async def opened(folder: Path, policy: Policy | None = None, page: int = 200) -> AsyncIterator[tuple[Ledger, Receipts]]:
    """A ledger that publishes when it is told to."""
    ledger = open_ledger(folder, publish_after=NEVER)
    receipts = Receipts(ledger, ledger._keystore.checkpoint_key(), policy, page)
    try:
        yield ledger, receipts
    finally:
        receipts.close()
        await ledger.close()


async def asks(ledger: Ledger, name: str, *people: str) -> int:
    """A query of theirs; the index of its entry."""
    before = {one.place for one in ledger.recent(name)}
    await ledger.append(disclosure(*people)._replace(principal=name))
    (made,) = {one.place for one in ledger.recent(name)} - before
    return made


def checked(one: Given, trust: Policy) -> ReceiptCheck:
    assert one.is_receipt
    check = ReceiptCheck(one.text, trust)
    assert len(list(check.steps())) == 4
    assert check.proof.index == one.index
    return check


def promised(one: Given, trust: Policy) -> Promise:
    assert not one.is_receipt
    promise = Promise.open(one.text, trust)
    assert promise.index == one.index
    return promise


def extra(check: ReceiptCheck) -> bytes:
    assert check.proof.extra is not None
    return check.proof.extra


def test_first_the_promise_then_the_receipt_that_keeps_it(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as (ledger, receipts):
            trust = Policy.trusting(ledger.verifier_key)
            index = await asks(ledger, "sam", "account:1", "account:2")
            (given,) = (await receipts.page("sam", 0)).given
            promise = promised(given, trust)
            assert (promise.origin, promise.index, promise.delay) == (ORIGIN, index, DELAY)
            assert promise.time == int(NOW)
            await ledger._publishing.now()
            (given,) = (await receipts.page("sam", 0)).given
            check = checked(given, trust)
            assert isinstance(check.entry, Query)
            assert promise.judge(check.accepted, leaf_hash(extra(check))) is Verdict.KEPT

    asyncio.run(story())


def test_a_refused_attempt_has_one_too(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as (ledger, receipts):
            await ledger.append(RefusedAttempt(RECORD, WITHHELD, principal="sam"))
            await ledger._publishing.now()
            (given,) = (await receipts.page("sam", 0)).given
            assert isinstance(checked(given, Policy.trusting(ledger.verifier_key)).entry, AttemptRefused)

    asyncio.run(story())


def test_nobody_gets_anothers(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as (ledger, receipts):
            names = ("sam", "sa", "samuel", "li")
            await ledger.append(disclosure("account:1"))  # of nobody's session
            for public in (True, False):
                made = {name: await asks(ledger, name, "account:1") for name in names}
                if public:
                    await ledger._publishing.now()
                for name in names:
                    given = (await receipts.page(name, 0)).given
                    assert (given[-1].index, given[-1].is_receipt) == (made[name], public)
                    assert len(given) == (1 if public else 2)
            assert (await receipts.page("dora", 0)).given == []
            assert (await receipts.page("", 0)).given == []

    asyncio.run(story())


def test_pages_are_bounded_and_join_without_a_gap(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path, page=3) as (ledger, receipts):
            made = []
            for number in range(11):
                if number == 7:
                    await ledger._publishing.now()
                made.append(await asks(ledger, "sam", f"account:{number}"))
                await asks(ledger, "li", f"account:{number}")
            found: list[Given] = []
            sizes: list[int] = []
            since: int | None = 0
            while since is not None:
                page = await receipts.page("sam", since)
                sizes.append(len(page.given))
                found += page.given
                since = page.next
            assert sizes == [3, 3, 3, 2]
            assert [one.index for one in found] == made
            assert [one.is_receipt for one in found] == [True] * 7 + [False] * 4
            # From the middle, from one that is not theirs, from behind the end.
            assert [one.index for one in (await receipts.page("sam", made[9])).given] == made[9:]
            assert [one.index for one in (await receipts.page("sam", made[9] + 1)).given] == made[10:]
            assert await receipts.page("sam", made[10] + 1) == Page([], None)
            assert await receipts.page("sam", 2**63 - 1) == Page([], None)

    asyncio.run(story())


def test_after_a_restart_the_same_receipts_are_there(tmp_path: Path) -> None:
    async def run() -> list[int]:
        async with opened(tmp_path) as (ledger, receipts):
            for one in (await receipts.page("sam", 0)).given:
                checked(one, Policy.trusting(ledger.verifier_key))
            await asks(ledger, "sam", "account:1")
            return [one.index for one in (await receipts.page("sam", 0)).given]

    first = asyncio.run(run())
    assert asyncio.run(run())[:1] == first


def test_until_the_witnesses_have_signed_the_promise_stands(tmp_path: Path) -> None:
    """A receipt that readers with the region's policy refuse is none."""

    async def story() -> None:
        async with opened(tmp_path) as (ledger, _):
            paper = witness_key("paper.test/w", PAPER)
            policy = Policy.parse(f"log {ledger.verifier_key}\nwitness paper {paper}\nquorum paper\n".encode())
            receipts = Receipts(ledger, ledger._keystore.checkpoint_key(), policy)
            await asks(ledger, "sam", "account:1")
            (first,) = (await receipts.page("sam", 0)).given
            promise = promised(first, policy)
            await ledger._publishing.now()
            (second,) = (await receipts.page("sam", 0)).given
            assert second == first, "the same promise, with the time at which the entry was written"
            plain = ledger.note
            late = promise.due + 1
            note = plain + cosign(Note.parse(plain).text, "paper.test/w", PAPER, late)
            assert await ledger.cosigned(plain, note)
            (third,) = (await receipts.page("sam", 0)).given
            check = checked(third, policy)
            assert check.accepted.time == late
            assert promise.judge(check.accepted, leaf_hash(extra(check))) is Verdict.KEPT
            receipts.close()

    asyncio.run(story())


def test_a_journal_that_was_changed_gives_no_receipt(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as (ledger, receipts):
            await asks(ledger, "sam", "account:1")
            entry = ledger.recent("sam")[0].entry
            await ledger._publishing.now()
            (segment,) = (tmp_path / "ledger" / "private" / "journal").iterdir()
            data = segment.read_bytes()
            at = data.index(entry) + len(entry) - 1
            assert data.count(entry) == 1
            with segment.open("r+b") as file:
                file.seek(at)
                file.write(bytes((data[at] ^ 1,)))
            with pytest.raises(VerificationError, match="is not the one in the public log"):
                await receipts.page("sam", 0)

    asyncio.run(story())


def test_while_the_gateway_writes_no_entry_is_missing(tmp_path: Path) -> None:
    """Between being recent and being public an entry is in at least one of both, and never twice in an answer."""

    async def story() -> None:
        ledger = open_ledger(tmp_path, publish_after=0.001)
        receipts = Receipts(ledger, ledger._keystore.checkpoint_key())
        made = answers = 0

        async def write() -> None:
            nonlocal made
            while made < 300 or answers < 4:
                await ledger.append(disclosure("account:1")._replace(principal="sam"))
                made += 1

        writing = asyncio.create_task(write())
        try:
            while not writing.done():
                before = made
                found: list[int] = []
                since: int | None = 0
                while since is not None:
                    page = await receipts.page("sam", since)
                    found += [one.index for one in page.given]
                    since = page.next
                assert len(found) >= before
                assert found == sorted(set(found))
                answers += 1
            await writing
        finally:
            await asyncio.gather(writing, return_exceptions=True)
            receipts.close()
            await ledger.close()

    asyncio.run(story())
