"""One log, one key, two histories for two audiences. They share a witness: only one of them is ever cosigned, and the
other's writer is told so loudly."""

from __future__ import annotations

import asyncio
import os
import random
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from seenby.errors import VerificationError
from seenby.stores.witnesses import Cosigner, tile_proof
from seenby_verify.tlog.checkpoint import open_checkpoint
from seenby_verify.tlog.policy import Policy
from tests.fixtures.two_views import LOG, PublicLog
from tests.fixtures.witnesses import Running, policy, witness

FORK = 3
"""The first entry that the two views tell differently."""


def views(tmp_path: Path) -> tuple[PublicLog, PublicLog]:
    return PublicLog(tmp_path / "one"), PublicLog(tmp_path / "two", fork=FORK)


def made(trust: Policy, view: PublicLog) -> Cosigner:
    return Cosigner(trust, LOG, tile_proof(view.directory))


def fulfilled(cosigner: Cosigner) -> bool:
    return cosigner.latest is not None and cosigner.latest.fulfilled


def evidence(shared: Running) -> dict[str, bytes]:
    forks = shared.state / "forks"
    return {path.suffix: path.read_bytes() for path in forks.iterdir()} if forks.exists() else {}


def test_the_second_view_is_never_cosigned_and_its_writer_is_told(tmp_path: Path) -> None:
    one, two = views(tmp_path)

    async def go() -> None:
        with witness(tmp_path, "shared", LOG) as shared:
            trust = policy(LOG, shared)
            first, second = made(trust, one), made(trust, two)
            try:
                # The beginning is the same in both.
                assert (await first.cosign(one.grow(FORK))).fulfilled
                assert (await second.cosign(two.grow(FORK))).fulfilled
                honest = await first.cosign(one.grow(5))
                assert honest.fulfilled
                assert evidence(shared) == {}
                with capture_logs() as lines:
                    for size, told in (
                        (4, "cosigned 5 entries of this log, which has 4"),
                        (5, "two logs with this key"),  # another tree of the same size
                        (9, "two logs with this key"),  # a larger one that does not continue it
                        (700, "two logs with this key"),
                    ):
                        note = two.grow(size)
                        got = await second.cosign(note)
                        assert (got.note, got.fulfilled) == (note, False)
                        assert told in got.states[0].alarm
                        with pytest.raises(VerificationError, match="cosignatures"):
                            trust.accepts(got.note)
                assert [line["event"] for line in lines if line["log_level"] == "error"] == [
                    "ALARM: a witness contradicts this log"
                ] * 4
                assert all("keep both as evidence" in line["hint"] for line in lines)
                # The honest view goes on, and has nothing to be alarmed about.
                after = await first.cosign(one.grow(700))
                assert (after.fulfilled, after.states[0].alarm) == (True, "")
            finally:
                await first.close()
                await second.close()

            kept = evidence(shared)
            assert kept[".cosigned"] == honest.note
            told_one, told_other = (open_checkpoint(kept[suffix], LOG) for suffix in (".cosigned", ".note"))
            assert (told_one.size, told_other.size) == (5, 5)
            assert told_one.root != told_other.root
            assert trust.accepts(kept[".cosigned"]).checkpoint == told_one

    asyncio.run(go())


def test_two_writers_at_once_get_cosignatures_for_one_history_only(tmp_path: Path) -> None:
    """One or both go on at a time, in a random order: beyond the fork one of them stands still."""
    order = random.Random(int(os.environ["SEENBY_SEED"]))
    one, two = views(tmp_path)
    cosigned: dict[PublicLog, list[int]] = {one: [], two: []}

    async def follow(stack: AsyncExitStack, trust: Policy, view: PublicLog) -> Cosigner:
        cosigner = Cosigner(trust, LOG, tile_proof(view.directory), pause=lambda _: 0.01)
        stack.push_async_callback(cosigner.close)
        task = asyncio.ensure_future(cosigner.run(view.update))

        async def end() -> None:
            assert not task.done()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        stack.push_async_callback(end)
        return cosigner

    async def judged(view: PublicLog, cosigner: Cosigner, size: int) -> None:
        """Publishes a checkpoint of this size and waits until the witness has said something about it."""
        cosigner.submit(view.grow(size))
        before = cosigner.states[0].failures
        while not fulfilled(cosigner) and cosigner.states[0].failures < before + 2:
            await asyncio.sleep(0.002)  # an answer about the checkpoint before may still be under way: two are awaited
        if fulfilled(cosigner):
            cosigned[view].append(size)

    async def go() -> None:
        async with asyncio.timeout(120), AsyncExitStack() as stack:
            shared = stack.enter_context(witness(tmp_path, "shared", LOG))
            trust = policy(LOG, shared)
            writers = [(view, await follow(stack, trust, view)) for view in (one, two)]
            for view, cosigner in writers:
                await judged(view, cosigner, FORK)
            for _ in range(15):
                now = order.sample(writers, order.randint(1, 2))
                await asyncio.gather(*[judged(*each, each[0].tiles.size + order.randint(1, 40)) for each in now])
            alarmed = {view for view, cosigner in writers if cosigner.states[0].alarm}
            stood_still = {view for view, sizes in cosigned.items() if sizes == [FORK]}
            assert alarmed == stood_still
            assert len(stood_still) == 1

    asyncio.run(go())
    assert max(map(len, cosigned.values())) > 3
