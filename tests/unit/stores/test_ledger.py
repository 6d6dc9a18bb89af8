"""The ledger's promises: durable before ``done``, published within a second, continued after a restart, fail closed."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from seenby.errors import ConfigError, Internal, LedgerFailed, UsageError, VerificationError
from seenby.model.disclosure import EntryBound, QueryDisclosure, RefusedAttempt, Shown
from seenby.stores import counting
from seenby.stores.integrate import Head
from seenby.stores.journal import JournalReader
from seenby.stores.ledger import Ledger
from seenby.stores.records import public_reader
from seenby_verify.tlog.checkpoint import open_checkpoint
from seenby_verify.tlog.entries import (
    AttemptRefused,
    GrantActivated,
    GrantApproved,
    GrantEnded,
    GrantRequested,
    LogStarted,
    PersonNamed,
    Query,
    Seal,
    Statistic,
)
from seenby_verify.tlog.records import label
from seenby_verify.tlog.verify import TITLES, verify
from tests.fixtures.ledgers import (
    APPROVERS,
    COMMIT,
    GRANT,
    NOW,
    OPENING,
    ORIGIN,
    PART,
    RECORD,
    REQUESTER,
    TERMS,
    WITHHELD,
    disclosure,
    document,
    entries,
    every_entry,
    key_added,
    keys,
    open_ledger,
    requested,
    signed,
    with_ledger,
)
from tests.fixtures.pace import in_time

DECEMBER = 1796083200.0  # 2026-12-01T00:00:00Z


def check_public(directory: Path, ledger: Ledger) -> int:
    """Verifies the public half; answers its size."""
    public = directory / "ledger" / "public"
    paths = [path.relative_to(public).as_posix() for path in public.rglob("*") if path.is_file()]
    assert len(list(verify(paths, public_reader(public), ledger.verifier_key))) == len(TITLES)
    return open_checkpoint((public / "checkpoint").read_bytes(), ledger.verifier_key).size


async def nothing(ledger: Ledger) -> Ledger:
    return ledger


def test_a_new_ledger_says_who_it_is(tmp_path: Path) -> None:
    ledger = with_ledger(tmp_path, nothing)
    assert entries(tmp_path) == [LogStarted(202611, "eu", ORIGIN, ledger.verifier_key.key)]
    assert [type(entry) for entry in every_entry(tmp_path)] == [LogStarted, Seal]
    assert check_public(tmp_path, ledger) == 2
    assert (tmp_path / "ledger" / "private").stat().st_mode & 0o777 == 0o700


def test_done_means_durable(tmp_path: Path) -> None:
    """When done(None) is called, another reader of the journal's file already finds the entries."""

    async def use(ledger: Ledger) -> None:
        for n in range(20):
            await ledger.append(disclosure(f"account:{n}"))
            found = entries(tmp_path)
            assert len(found) == 1 + 2 * (n + 1)
            assert len(every_entry(tmp_path)) >= ledger.size
            assert isinstance(found[-1], PersonNamed)

    with_ledger(tmp_path, use)


def test_done_waits_for_the_sync_and_keys_are_synced_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[str] = []
    sync = os.fdatasync

    def fdatasync(file: int) -> None:
        happened.append(Path(os.readlink(f"/proc/self/fd/{file}")).suffix)
        sync(file)

    async def use(ledger: Ledger) -> None:
        monkeypatch.setattr(os, "fdatasync", fdatasync)
        await ledger.append(disclosure("account:1"))
        happened.append("done")
        await ledger.append(disclosure("account:1"))
        happened.append("done")

    with_ledger(tmp_path, use, publish_after=0.5)
    assert happened[:5] == [".keys", ".journal", "done", ".journal", "done"]


def test_done_comes_in_order_never_from_within_and_in_groups(tmp_path: Path) -> None:
    order: list[int] = []

    async def use(ledger: Ledger) -> None:
        finished = asyncio.get_running_loop().create_future()

        def done(number: int) -> Callable[[BaseException | None], None]:
            def call(error: BaseException | None) -> None:
                assert error is None
                order.append(number)
                if number == 499:
                    finished.set_result(None)

            return call

        for number in range(500):
            ledger.submit(disclosure(f"account:{number % 7}"), done(number))
        assert order == []
        await finished
        groups = list(JournalReader(tmp_path / "ledger" / "private" / "journal").groups())
        assert len(groups) < 100

    with_ledger(tmp_path, use)
    assert order == list(range(500))


def test_published_within_a_second_and_verifiable(tmp_path: Path) -> None:
    async def use(ledger: Ledger) -> None:
        for n in range(300):
            await ledger.append(disclosure(f"account:{n % 5}", "account:x"))
        await ledger.append(RefusedAttempt(RECORD, WITHHELD))
        started = time.monotonic()
        await ledger.published()
        assert in_time(time.monotonic() - started, 1)
        assert check_public(tmp_path, ledger) == ledger.size
        assert len(entries(tmp_path)) == 1 + 300 * 3 + 1

    with_ledger(tmp_path, use, publish_after=0.25)


def test_what_is_not_public_yet_does_not_grow_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While much is being made public, the journal waits; then everybody is served."""
    monkeypatch.setattr("seenby.stores.ledger.MAX_BEHIND", 40)
    begun, may_go_on = threading.Event(), threading.Event()

    async def use(ledger: Ledger) -> None:
        await ledger.append(disclosure("account:1"))
        await ledger.published()
        advance = ledger._publishing._advance

        def slow(size: int) -> Head:
            begun.set()
            assert may_go_on.wait(10)
            return advance(size)

        ledger._publishing._advance = slow
        public = open_checkpoint((tmp_path / "ledger/public/checkpoint").read_bytes(), ledger.verifier_key).size
        await ledger.append(disclosure("account:1"))
        await asyncio.to_thread(begun.wait, 10)
        while ledger.size <= public + 40:
            await ledger.append(disclosure("account:1"))
        waiting = [asyncio.ensure_future(ledger.append(disclosure("account:1"))) for _ in range(60)]
        done, _ = await asyncio.wait(waiting, timeout=0.2)
        assert not done
        may_go_on.set()
        await asyncio.gather(*waiting)
        await ledger.published()

    with_ledger(tmp_path, use)


def test_kinds_and_fields(tmp_path: Path) -> None:
    async def use(ledger: Ledger) -> None:
        await ledger.append(QueryDisclosure(RECORD, WITHHELD, (), 0, True, EntryBound.NOBODY, GRANT, 3))
        await ledger.append(QueryDisclosure(RECORD, WITHHELD, (), 0, False, EntryBound.STATISTIC, GRANT, 3, "", 4711))
        people = tuple(Shown(f"account:{n}", PART) for n in range(11))
        await ledger.append(QueryDisclosure(RECORD, WITHHELD, people, 4, False, EntryBound.UPPER, GRANT, 3))
        await ledger.append(RefusedAttempt(RECORD, WITHHELD, GRANT))

    with_ledger(tmp_path, use)
    found = entries(tmp_path)
    assert [type(entry) for entry in found] == [
        LogStarted,
        Query,
        Statistic,
        Query,
        *[PersonNamed] * 11,
        AttemptRefused,
    ]
    assert (found[1].bound, found[1].bucket, found[1].part, found[1].final) == (0, 0, 0, True)
    assert (found[2].cohort, found[2].final) == (4, False)
    assert (found[3].bound, found[3].bucket, found[3].part, found[3].final) == (2, 2, 4, False)
    assert len({entry.label for entry in found[4:15]}) == 11


def test_labels_count_on_after_a_restart_and_from_0_in_a_new_month(tmp_path: Path) -> None:
    now = [NOW]

    async def use(ledger: Ledger) -> bytes:
        await ledger.append(disclosure("account:1"))
        await ledger.append(disclosure("account:1", "account:2"))
        return ledger._keystore.person_key("account:1").key

    key = with_ledger(tmp_path, use, clock=lambda: now[0])
    with_ledger(tmp_path, use, clock=lambda: now[0])
    now[0] = DECEMBER
    with_ledger(tmp_path, use, clock=lambda: now[0])
    now[0] = NOW  # a clock that goes back does not take the epoch back

    with_ledger(tmp_path, use, clock=lambda: now[0])
    named = [entry for entry in entries(tmp_path) if isinstance(entry, PersonNamed)]
    # Number 0 of the first month is the enrolment's.
    mine = [label(key, "eu", 202611, n) for n in range(1, 5)] + [label(key, "eu", 202612, n) for n in range(4)]
    assert [entry.label for entry in named if entry.label in mine] == mine
    assert [entry.epoch for entry in named] == [202611] * 6 + [202612] * 6


def test_the_epoch_changes_while_the_ledger_is_open(tmp_path: Path) -> None:
    now = [DECEMBER - 1]

    async def use(ledger: Ledger) -> None:
        await ledger.append(disclosure("account:1"))
        now[0] = DECEMBER
        await ledger.append(disclosure("account:1"))
        now[0] = DECEMBER - 5
        await ledger.append(disclosure("account:1"))

    ledger = with_ledger(tmp_path, lambda ledger: _then(use, ledger), clock=lambda: now[0])
    assert [entry.epoch for entry in entries(tmp_path)[1:]] == [202611] * 2 + [202612] * 4
    found = every_entry(tmp_path)
    (first,) = (n for n in range(1, len(found)) if found[n].epoch > found[n - 1].epoch)
    assert isinstance(found[first - 1], Seal)
    assert check_public(tmp_path, ledger) == len(found)


def test_a_clock_that_was_behind_the_log_begins_no_month_twice(tmp_path: Path) -> None:
    """After a restart it goes into the month that the log is in already: nobody's labels are counted anew."""
    now = [DECEMBER]

    async def use(ledger: Ledger) -> Ledger:
        for now[0] in (DECEMBER - 5, DECEMBER, DECEMBER + 1):
            await ledger.append(disclosure("account:1"))
        return ledger

    with_ledger(tmp_path, lambda ledger: ledger.append(disclosure("account:1")), clock=lambda: now[0])
    ledger = with_ledger(tmp_path, use, clock=lambda: now[0], publish_after=0.4)
    assert [entry.epoch for entry in entries(tmp_path)[1:]] == [202612] * 8
    assert check_public(tmp_path, ledger) == len(every_entry(tmp_path))


def test_one_query_may_name_more_people_than_are_kept_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is not in the state yet is counted on, and not anew; what is kept has an end all the same."""
    monkeypatch.setattr(counting, "GENERATION", 3)
    everybody = [f"account:{n}" for n in range(10)]

    async def use(ledger: Ledger) -> Ledger:
        await ledger.append(disclosure(*everybody))
        await ledger.published()
        # Nothing of these is in the state while the next ones are counted.
        for some in (everybody, everybody, everybody[:4], everybody[4:8], everybody[8:], everybody):
            await ledger.append(disclosure(*some))
        await ledger.published()
        people = ledger._sealer._people
        for person in everybody:
            assert ledger.enrolled(person)
            assert len(people._recent) <= 3
            assert len(people._earlier) <= 10
        return ledger

    ledger = with_ledger(tmp_path, use, publish_after=0.3)
    assert check_public(tmp_path, ledger) == len(every_entry(tmp_path))


async def _then(use: Callable[[Ledger], Awaitable[None]], ledger: Ledger) -> Ledger:
    await use(ledger)
    return ledger


def test_usage_survives_a_restart(tmp_path: Path) -> None:
    async def use(ledger: Ledger) -> tuple[int, set[bytes]]:
        await ledger.append(disclosure("account:1", "account:2", rows=5))
        await ledger.append(disclosure("account:2", "account:3", rows=2, part=1, final=False))
        await ledger.append(disclosure("account:9", rows=7)._replace(grant=b"h" * 16))
        usage = ledger.usage(GRANT)
        assert usage.people == {ledger.pseudonym(f"account:{n}") for n in (1, 2, 3)}
        return usage.rows, set(usage.people)

    rows, people = with_ledger(tmp_path, use)
    assert rows == 7

    async def again(ledger: Ledger) -> None:
        assert (ledger.usage(GRANT).rows, ledger.usage(GRANT).people) == (7, people)
        assert ledger.usage(b"h" * 16).rows == 7
        assert ledger.usage(bytes(16)).people == set()

    with_ledger(tmp_path, again)


def test_so_does_the_number_of_statistics_which_count_once_in_however_many_parts(tmp_path: Path) -> None:
    figure = disclosure(rows=3)._replace(people=(), bound=EntryBound.STATISTIC, cohort=100)

    async def use(ledger: Ledger) -> int:
        for item in (figure, figure._replace(final=False), figure._replace(part=1), disclosure("account:1")):
            await ledger.append(item)
        return ledger.usage(GRANT).statistics

    async def again(ledger: Ledger) -> int:
        return ledger.usage(GRANT).statistics

    assert with_ledger(tmp_path, use) == 2
    assert with_ledger(tmp_path, again) == 2
    assert with_ledger(tmp_path, use) == 4


def test_grant_events_with_their_documents_survive_a_restart(tmp_path: Path) -> None:
    events = [*keys(), document(), *(signed(GrantApproved, key) for key in APPROVERS), GrantActivated(0, GRANT, COMMIT)]

    async def use(ledger: Ledger) -> list[Any]:
        for event in events:
            await ledger.append(event)
            await ledger.append(disclosure("account:1"))
        return list(ledger.grant_events())

    before = with_ledger(tmp_path, use)

    async def again(ledger: Ledger) -> list[Any]:
        assert ledger.grants.grants[GRANT].state == "active"
        assert ledger.grants.check_terms(GRANT, TERMS, OPENING).requested > 0
        return list(ledger.grant_events())

    after = with_ledger(tmp_path, again)
    assert [(one.index, one.event) for one in after] == [(one.index, one.event) for one in before]
    assert [type(one.event) for one in after][3:] == [GrantRequested, GrantApproved, GrantApproved, GrantActivated]
    assert (after[3].document.terms, after[3].document.opening) == (TERMS, OPENING)


def test_what_may_not_be_logged_is_refused_and_the_ledger_goes_on(tmp_path: Path) -> None:
    one, _ = APPROVERS
    refused: list[tuple[Any, type[Exception]]] = [
        (signed(GrantApproved, one), VerificationError),
        (requested(), UsageError),
        (replace(document(), opening=bytes(32)), UsageError),
        (replace(document(), event=replace(document().event, signature=bytes(64))), VerificationError),
        (GrantActivated(0, GRANT, COMMIT), VerificationError),
        (GrantEnded(0, GRANT, COMMIT, 9), VerificationError),
        (disclosure("account:1", "account:1"), Internal),
        (disclosure("account:1")._replace(bound=EntryBound.NOBODY), Internal),
        (disclosure("account:1")._replace(bound=EntryBound.STATISTIC), Internal),
        (disclosure("account:1")._replace(grant=b"short"), Internal),
        (disclosure("account:1")._replace(rows=-1), Internal),
        (RefusedAttempt(RECORD, WITHHELD, b"short"), Internal),
    ]

    async def use(ledger: Ledger) -> None:
        await ledger.append(key_added(one))
        await ledger.append(key_added(REQUESTER, "support"))
        for item, error in refused:
            with pytest.raises(error):
                await ledger.append(item)
        await ledger.append(document())
        with pytest.raises(VerificationError, match="2 approvals are missing"):
            await ledger.append(GrantActivated(0, GRANT, COMMIT))
        await ledger.append(disclosure("account:1"))

    ledger = with_ledger(tmp_path, lambda ledger: _then(use, ledger))
    check_public(tmp_path, ledger)
    assert len(entries(tmp_path)) == 6


def test_one_writer(tmp_path: Path) -> None:
    async def use(_: Ledger) -> None:
        with pytest.raises(LedgerFailed, match="another process writes"):
            open_ledger(tmp_path)

    with_ledger(tmp_path, use)
    with_ledger(tmp_path, nothing)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_write_error_fails_everybody_from_then_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    async def use(ledger: Ledger) -> None:
        await ledger.append(disclosure("account:1"))

        def fdatasync(_: int) -> None:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(os, "fdatasync", fdatasync)
        results = await asyncio.gather(
            *(ledger.append(disclosure(f"account:{n}")) for n in range(30)), return_exceptions=True
        )
        assert [type(result) for result in results] == [LedgerFailed] * 30
        monkeypatch.undo()
        with pytest.raises(LedgerFailed, match="nothing is shown"):
            await ledger.append(disclosure("account:1"))
        with pytest.raises(LedgerFailed):
            await ledger.published()
        assert ledger.failure is not None
        assert os.strerror(code) in ledger.failure.detail

    with_ledger(tmp_path, use)
    # After a restart it goes on; what was told to have failed may or may not be there.
    ledger = with_ledger(tmp_path, lambda ledger: _then(lambda one: one.append(disclosure("account:1")), ledger))
    check_public(tmp_path, ledger)
    assert len(entries(tmp_path)) >= 5


def test_a_public_half_that_cannot_be_written_fails_everybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(ledger: Ledger) -> None:
        def rename(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "rename", rename)
        told = asyncio.get_running_loop().create_future()
        ledger.submit(disclosure("account:1"), told.set_result)
        with pytest.raises(LedgerFailed):
            await ledger.published()
        await asyncio.wait_for(told, 20)  # durable or not, as the two threads met; nobody waits for ever
        with pytest.raises(LedgerFailed):
            await ledger.append(disclosure("account:1"))
        monkeypatch.undo()

    with_ledger(tmp_path, use)
    ledger = with_ledger(tmp_path, nothing)
    assert check_public(tmp_path, ledger) == len(every_entry(tmp_path))


@pytest.mark.parametrize("fault", [TypeError, type("PanicException", (BaseException,), {})])
def test_an_unexpected_fault_in_sealing_fails_closed(
    fault: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also a panic of native code, which is no Exception."""

    def failing(count: int) -> bytes:
        raise fault("this cannot be")

    async def use(ledger: Ledger) -> None:
        monkeypatch.setattr(ledger._sealer, "_random", SimpleNamespace(take=failing))
        with pytest.raises(LedgerFailed):
            await ledger.append(disclosure("account:1"))
        monkeypatch.undo()
        with pytest.raises(LedgerFailed):
            await ledger.append(disclosure("account:1"))

    with_ledger(tmp_path, use)
    assert len(entries(tmp_path)) == 1


def test_a_listener_that_raises_does_not_keep_the_others_waiting(tmp_path: Path) -> None:
    told: list[dict[str, Any]] = []

    async def use(ledger: Ledger) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

        def broken(_: BaseException | None) -> None:
            raise RuntimeError("listener")

        ledger.submit(disclosure("account:1"), broken)
        await ledger.append(disclosure("account:2"))

    with_ledger(tmp_path, use)
    assert len(told) == 1
    assert len(entries(tmp_path)) == 5


def test_close_writes_and_publishes_what_was_submitted(tmp_path: Path) -> None:
    results: list[BaseException | None] = []

    async def use(ledger: Ledger) -> None:
        for n in range(50):
            ledger.submit(disclosure(f"account:{n}"), results.append)
        await ledger.close()
        assert results == [None] * 50
        check_public(tmp_path, ledger)
        assert len(entries(tmp_path)) == 101
        with pytest.raises(LedgerFailed, match="closed"):
            await ledger.append(disclosure("account:1"))

    with_ledger(tmp_path, use, publish_after=0.5)


def test_what_is_missing_in_public_is_written_again(tmp_path: Path) -> None:
    async def use(ledger: Ledger) -> Ledger:
        await ledger.append(disclosure(*(f"account:{n}" for n in range(600))))
        return ledger

    ledger = with_ledger(tmp_path, use)
    public = tmp_path / "ledger" / "public"
    (public / "tile" / "0" / "000").unlink()
    (public / "tile" / "entries" / "001").write_bytes(b"damaged")
    size = ledger.size
    with_ledger(tmp_path, nothing)
    assert check_public(tmp_path, ledger) == size
    (public / "checkpoint").unlink()
    with_ledger(tmp_path, nothing)
    assert check_public(tmp_path, ledger) == size


def test_a_published_checkpoint_is_never_contradicted(tmp_path: Path) -> None:
    with_ledger(tmp_path, lambda ledger: ledger.append(disclosure("account:1")))
    private = tmp_path / "ledger" / "private"
    (segment,) = (private / "journal").iterdir()
    segment.write_bytes(segment.read_bytes()[:-1])  # looks like a torn tail, but the entries in it are published
    with pytest.raises(LedgerFailed, match="another group stands before it than was read before"):
        open_ledger(tmp_path)
    shutil.rmtree(private / "state")
    with pytest.raises(LedgerFailed, match="ends after 6 entries, but 7 are published"):
        open_ledger(tmp_path)
    segment.unlink()
    shutil.rmtree(private / "state")
    with pytest.raises(LedgerFailed, match="ends after 0 entries, but 7 are published"):
        open_ledger(tmp_path)
    # Another history of the same length.
    published = (tmp_path / "ledger" / "public" / "checkpoint").read_bytes()
    (tmp_path / "ledger" / "public" / "checkpoint").unlink()
    with_ledger(tmp_path, lambda ledger: ledger.append(disclosure("account:2")))
    (tmp_path / "ledger" / "public" / "checkpoint").write_bytes(published)
    with pytest.raises(LedgerFailed, match="another root for size 7"):
        open_ledger(tmp_path)


def test_another_logs_files_are_refused(tmp_path: Path) -> None:
    with_ledger(tmp_path, nothing)
    ledger = open_ledger(tmp_path / "other")
    asyncio.run(ledger.close())
    (tmp_path / "ledger" / "public" / "checkpoint").write_bytes(
        (tmp_path / "other" / "ledger" / "public" / "checkpoint").read_bytes()
    )
    with pytest.raises(LedgerFailed, match="is not this log's"):
        open_ledger(tmp_path)
    keystore = ledger._keystore
    (tmp_path / "ledger" / "public" / "checkpoint").unlink()
    with pytest.raises(LedgerFailed, match="it is not the log"):
        Ledger.open(
            tmp_path / "ledger", region="us", origin=ORIGIN, keystore=keystore, clock=lambda: NOW, publish_after=0.1
        )
    with pytest.raises(UsageError, match="cannot be the name"):
        Ledger.open(tmp_path / "x", region="us", origin="a b", keystore=keystore, clock=lambda: NOW)


def test_segments_roll_while_the_ledger_works(tmp_path: Path) -> None:
    async def use(ledger: Ledger) -> Ledger:
        for n in range(40):
            await ledger.append(disclosure(f"account:{n % 3}"))
        return ledger

    with_ledger(tmp_path, use, segment_bytes=4000)
    assert len(list((tmp_path / "ledger" / "private" / "journal").iterdir())) > 5
    ledger = with_ledger(tmp_path, use, segment_bytes=4000)
    assert check_public(tmp_path, ledger) == ledger.size
    assert len(entries(tmp_path)) == 161


@pytest.mark.parametrize("part", ["epoch_key", "auditors"])
def test_a_month_that_cannot_begin_yet_leaves_the_one_before_open(
    part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A KMS that does not answer, or a directory that cannot be read: nothing is shown, and the log stays a log."""
    now = [DECEMBER - 1]

    async def use(ledger: Ledger) -> Ledger:
        await ledger.append(disclosure("account:1"))
        now[0] = DECEMBER

        def refuse(*_: object) -> None:
            raise ConfigError("it does not answer")

        keys = ledger._sealer._keystore if part == "epoch_key" else ledger._sealer._keys
        monkeypatch.setattr(keys, {"epoch_key": "epoch_key", "auditors": "_auditors"}[part], refuse)
        for _ in range(2):
            with pytest.raises(ConfigError):
                await ledger.append(disclosure("account:1"))
        await ledger.published()
        monkeypatch.undo()
        await ledger.append(disclosure("account:1"))
        await ledger.published()
        return ledger

    ledger = with_ledger(tmp_path, use, clock=lambda: now[0], publish_after=0.2)
    assert [entry.epoch for entry in entries(tmp_path)[1:]] == [202611] * 2 + [202612] * 2
    assert check_public(tmp_path, ledger) == len(every_entry(tmp_path))
