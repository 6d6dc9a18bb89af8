"""Cosignatures: real witnesses on real sockets; and strangers that answer everything that a stranger can."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from structlog.testing import capture_logs

from seenby.errors import ConfigError, VerificationError
from seenby.stores.config import load_config
from seenby.stores.publish import CheckpointFile
from seenby.stores.witness_answers import MAX_ANSWER
from seenby.stores.witnesses import Cosigner, WitnessState, load_policy, pause, tile_proof
from seenby_verify.tlog.cosignature import cosign as sign
from seenby_verify.tlog.cosignature import witness_key
from seenby_verify.tlog.policy import Policy
from tests.fixtures.memory_logs import MemoryLog
from tests.fixtures.two_views import LOG, ORIGIN, PublicLog
from tests.fixtures.witnesses import HANG, STRANGER, Answer, http, policy, scripted, witness

T = TypeVar("T")
NAME = "stranger.test/w"
WAIT = 60.0
"""Seconds after which a test that waits has failed."""


def run(work: Coroutine[Any, Any, T]) -> T:
    async def limited() -> T:
        async with asyncio.timeout(WAIT):
            return await work

    return asyncio.run(limited())


@asynccontextmanager
async def cosigner(trust: Policy, log: PublicLog, **options: Any) -> AsyncIterator[Cosigner]:
    made = Cosigner(trust, LOG, tile_proof(log.directory), **options)
    try:
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def running(made: Cosigner, update: Any) -> AsyncIterator[None]:
    task = asyncio.ensure_future(made.run(update))
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def log(tmp_path: Path) -> PublicLog:
    return PublicLog(tmp_path / "public")


def statuses(told: list[str]) -> list[int]:
    return [json.loads(line)["status"] for line in told]


# Witnesses of ours.


def test_every_witness_cosigns_and_from_then_on_its_size_is_known(tmp_path: Path, log: PublicLog) -> None:
    async def go() -> None:
        with witness(tmp_path, "a", LOG) as a, witness(tmp_path, "b", LOG) as b:
            trust = policy(LOG, a, b)
            async with cosigner(trust, log) as made:
                for size in (1, 300, 301, 301, 700):
                    got = await made.cosign(log.grow(size))
                    assert got.fulfilled
                    assert [one.key for one in trust.accepts(got.note).cosignatures] in ([a.key, b.key], [b.key, a.key])
                    assert [state.size for state in got.states] == [size, size]
                    assert all(abs(state.time - time.time()) < 10 for state in got.states)
            assert statuses(a.told) == statuses(b.told) == [200] * 5

    run(go())


def test_after_a_restart_the_witness_says_where_it_is(tmp_path: Path, log: PublicLog) -> None:
    async def go() -> None:
        with witness(tmp_path, "a", LOG) as a:
            for size in (5, 600):
                async with cosigner(policy(LOG, a), log) as made:
                    assert (await made.cosign(log.grow(size))).fulfilled
            assert statuses(a.told) == [200, 409, 200]

    run(go())


def test_an_answer_that_was_lost_is_got_again(tmp_path: Path, log: PublicLog) -> None:
    """The witness remembers a cosignature that never reached us: 409 with the size of the very checkpoint."""

    async def go() -> None:
        with witness(tmp_path, "a", LOG) as a:
            async with cosigner(policy(LOG, a), log) as lost, cosigner(policy(LOG, a), log) as made:
                await made.cosign(log.grow(5))
                await lost.cosign(log.grow(9))
                assert (await made.cosign(log.file.note)).fulfilled
            assert statuses(a.told)[-2:] == [409, 200]

    run(go())


def test_a_witness_that_does_not_know_the_log_leaves_the_quorum_open(tmp_path: Path, log: PublicLog) -> None:
    async def go() -> None:
        with witness(tmp_path, "a", LOG) as a, witness(tmp_path, "b", MemoryLog().vkey) as b:
            async with cosigner(policy(LOG, a, b), log) as made:
                got = await made.cosign(log.grow(5))
            assert not got.fulfilled
            assert policy(LOG, a).accepts(got.note).cosignatures
            assert [got.states[0].fault, "404: does not know this log" in got.states[1].fault] == ["", True]
            assert len(policy(LOG, a, b, quorum="any").accepts(got.note).cosignatures) == 1

    run(go())


def test_cosignatures_of_an_earlier_run_stay_and_are_not_asked_for_again(tmp_path: Path, log: PublicLog) -> None:
    async def go() -> None:
        with witness(tmp_path, "a", LOG) as a, witness(tmp_path, "b", LOG) as b:
            async with cosigner(policy(LOG, a), log) as made:
                before = (await made.cosign(log.grow(5))).note
            async with cosigner(policy(LOG, a, b), log) as made:
                got = await made.cosign(before)
            assert got.fulfilled
            assert got.note.startswith(before)
            assert (statuses(a.told), statuses(b.told)) == ([200], [200])

    run(go())


def test_cosignatures_of_an_earlier_run_and_new_ones_stand_in_the_file_once_each(
    tmp_path: Path, log: PublicLog
) -> None:
    async def go() -> None:
        with witness(tmp_path, "a", LOG) as a, witness(tmp_path, "b", LOG) as b:
            async with cosigner(policy(LOG, a), log) as made:
                plain = log.grow(5)
                log.file.cosigned(plain, (await made.cosign(plain)).note)
            async with cosigner(policy(LOG, a, b), log) as made:
                published = Published(log.file)
                async with running(made, published.update):
                    made.submit(log.file.note)
                    await published.signatures(2)
                assert [len(log.file.note.split(name)) - 1 for name in (b"a.test/w", b"b.test/w")] == [1, 1]

    run(go())


# Strangers.


def signed(body: bytes, at: float | None = None, key: Ed25519PrivateKey = STRANGER, name: str = NAME) -> bytes:
    """The cosignature that a request asks for."""
    text = body.partition(b"\n\n")[2].partition(b"\n\n")[0] + b"\n"
    return sign(text, name, key, int(time.time() if at is None else at))


def good(body: bytes) -> bytes:
    return http(200, signed(body))


OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"x" * 32)
MESSAGE = b"\xe2\x80\x94 other.test/w " + base64.b64encode(b"1234" + bytes(72)) + b"\n"
ANSWERS: dict[str, tuple[Answer, str]] = {
    "an empty 200": (lambda _: http(200), "without a cosignature"),
    "a web page": (lambda _: http(200, b"<html>\n\n</html>\n"), "something else than signature lines"),
    "no newline at the end": (lambda b: http(200, signed(b)[:-1]), "something else than signature lines"),
    "a word before": (lambda b: http(200, b"ok\n" + signed(b)), "something else than signature lines"),
    "a word after": (lambda b: http(200, signed(b) + b"ok\n"), "something else than signature lines"),
    "an empty line before": (lambda b: http(200, b"\n" + signed(b)), "something else than signature lines"),
    "an empty line between": (
        lambda b: http(200, signed(b) + b"\n" + signed(b)),
        "something else than signature lines",
    ),
    "CRLF": (lambda b: http(200, signed(b)[:-1] + b"\r\n"), "something else than signature lines"),
    "not UTF-8": (lambda b: http(200, signed(b) + b"\xff\n"), "something else than signature lines"),
    "the whole note": (
        lambda b: http(200, b.partition(b"\n\n")[2] + signed(b)),
        "something else than signature lines",
    ),
    "a hundred signatures": (lambda b: http(200, signed(b) * 100), "something else than signature lines"),
    "another checkpoint": (lambda b: http(200, sign(b"x\n1\n", NAME, STRANGER, int(time.time()))), "does not match"),
    "another key, by its own name": (lambda b: http(200, signed(b, key=OTHER_KEY)), "without a cosignature"),
    "another name": (lambda b: http(200, signed(b, name="paper.test/w")), "without a cosignature"),
    "one good, one false": (
        lambda b: http(200, signed(b) + sign(b"x\n", NAME, STRANGER, int(time.time()))),
        "does not match",
    ),
    "an hour ago": (lambda b: http(200, signed(b, time.time() - 3600)), r"36\d\d seconds before ours"),
    "an hour ahead": (lambda b: http(200, signed(b, time.time() + 3600)), "seconds after ours"),
    "too long": (lambda b: http(200, signed(b) + MESSAGE * 200), f"more than {MAX_ANSWER} bytes"),
    "without an end": (
        lambda b: b"HTTP/1.1 200 x\r\nContent-Length: 99999999\r\n\r\n" + MESSAGE * 500,
        f"more than {MAX_ANSWER} bytes",
    ),
    "compressed": (lambda b: http(200, b"\x1f\x8b", "Content-Encoding: gzip"), "encoding that was not asked for"),
    "half an answer": (
        lambda b: b"HTTP/1.1 200 x\r\nContent-Length: 400\r\n\r\n" + signed(b),
        "cannot be reached",
    ),
    "no HTTP": (b"220 mail.test ESMTP\r\n", "cannot be reached"),
    "nothing": (b"", "cannot be reached"),
    "no answer": (HANG, "no answer within"),
    "301": (http(301, b"", "Location: http://127.0.0.1:1/"), "sends us elsewhere"),
    "307": (http(307, b"", "Location: http://127.0.0.1:1/"), "sends us elsewhere"),
    "400": (
        http(400, b"bad \x1b[31mproof\nmore"),
        re.escape("answers 400: cannot read our request ('bad ?[31mproof')"),
    ),
    "401": (http(401), "does not answer as a witness does"),
    "403": (http(403), "does not trust the key"),
    "404": (http(404), "does not know this log"),
    "413": (http(413), "too long"),
    "418": (http(418), "does not answer as a witness does"),
    "429": (http(429), "too many requests"),
    "500": (http(500, b"out of disk\n"), "500: does not answer as a witness does .'out of disk'"),
    "503": (http(503), "503"),
    "204": (http(204), "does not answer as a witness does"),
    "409 without a size": (http(409), "without the size"),
    "409 with words": (http(409, b"conflict\n"), "without the size that it has cosigned .'conflict'"),
    "409 with two lines": (http(409, b"3\n4\n"), "without the size"),
    "409 without newline": (http(409, b"33"), "without the size"),
    "409 with zeroes": (http(409, b"03\n"), "without the size"),
    "409 below nothing": (http(409, b"-3\n"), "without the size"),
    "409 with the size that was sent": (http(409, b"0\n"), "the very size that we sent, 0"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_an_answer_that_is_no_cosignature_of_ours_changes_nothing_and_is_told(case: str, log: PublicLog) -> None:
    answer, told = ANSWERS[case]

    async def go() -> None:
        async with scripted(answer) as stranger, cosigner(policy(LOG, stranger), log, seconds=0.5) as made:
            note = log.grow(5)
            got = await made.cosign(note)
            assert (got.note, got.fulfilled) == (note, False)
            (state,) = got.states
            assert re.search(told, state.fault)
            assert (state.failures, state.size, state.time, state.alarm) == (1, None, 0, "")

    run(go())


def test_the_request_is_what_the_specification_says(log: PublicLog) -> None:
    async def go() -> None:
        async with scripted(good) as stranger, cosigner(policy(LOG, stranger), log) as made:
            first = (await made.cosign(log.grow(3))).note
            await made.cosign(log.grow(5))
            await made.cosign(first)  # has it already: nobody is asked
        async with scripted(good) as other:
            other.key = witness_key("other.test/w", OTHER_KEY)
            async with cosigner(policy(LOG, stranger, other), log) as made:
                await made.cosign(first)  # what witnesses said of it is not sent to others
            assert other.requests == stranger.requests[:1]
        reference = MemoryLog(ORIGIN)
        steps = [base64.b64encode(step) + b"\n" for step in reference.proof(3, 5)]
        assert stranger.requests == [
            b"old 0\n\n" + first[: -len(first.split(b"\n")[-2]) - 1],
            b"old 3\n" + b"".join(steps) + b"\n" + log.file.note,
        ]

    run(go())


def test_lines_by_keys_that_nobody_knows_are_left_out_and_of_several_the_latest_counts(log: PublicLog) -> None:
    now = int(time.time())

    def several(body: bytes) -> bytes:
        lines = MESSAGE + signed(body, now) + signed(body, now - 9) + signed(body, name="x.test/w") + MESSAGE
        return http(200, lines)

    async def go() -> None:
        async with scripted(several) as stranger, cosigner(policy(LOG, stranger), log) as made:
            note = log.grow(5)
            got = await made.cosign(note)
            assert got.fulfilled
            assert got.note == note + sign(note.partition(b"\n\n")[0] + b"\n", NAME, STRANGER, now)
            assert got.states[0].time == now

    run(go())


def test_a_witness_that_names_another_size_each_time_is_not_asked_for_ever(log: PublicLog) -> None:
    async def go() -> None:
        answers = [http(409, b"%d\n" % size) for size in (1, 2, 3, 4)]
        async with scripted(*answers) as stranger, cosigner(policy(LOG, stranger), log) as made:
            got = await made.cosign(log.grow(5))
            assert "another size each time" in got.states[0].fault
            assert [body.split(b"\n")[0] for body in stranger.requests] == [b"old 0", b"old 1", b"old 2"]

    run(go())


ALARMS: dict[str, tuple[list[Answer], str]] = {
    "it has a larger tree": ([http(409, b"6\n")], "cosigned 6 entries of this log, which has 5: our log went back"),
    "it has another tree of this size": ([http(409, b"5\n"), http(409, b"5\n")], "another tree of 5 entries"),
    "ours does not continue its tree": ([http(409, b"3\n"), http(422, b"no\n")], "the 3 that it has cosigned"),
}


@pytest.mark.parametrize("case", ALARMS)
def test_a_witness_that_contradicts_the_log_is_an_alarm_that_stays(case: str, log: PublicLog) -> None:
    answers, told = ALARMS[case]

    async def go() -> None:
        async with scripted(*answers, http(500), good) as stranger, cosigner(policy(LOG, stranger), log) as made:
            with capture_logs() as lines:
                got = await made.cosign(log.grow(5))
            assert not got.fulfilled
            assert told in got.states[0].alarm == got.states[0].fault
            assert [(line["log_level"], line["alarm"]) for line in lines] == [("error", got.states[0].alarm)]
            assert "every other writer" in lines[0]["hint"]
            for size, fault in ((6, "500"), (7, "")):
                (again,) = (await made.cosign(log.grow(size))).states
                assert fault in again.fault
                assert again.alarm == got.states[0].alarm
            assert again.fault == ""

    run(go())


def test_tiles_that_are_gone_are_our_fault_and_no_alarm(tmp_path: Path, log: PublicLog) -> None:
    async def go() -> None:
        async with scripted(http(409, b"300\n")) as stranger:
            made = Cosigner(policy(LOG, stranger), LOG, tile_proof(tmp_path / "elsewhere"))
            state = (await made.cosign(log.grow(700))).states[0]
            await made.close()
            assert "our own tiles give no proof from 300 to 700" in state.fault
            assert state.alarm == ""

    run(go())


def test_only_this_logs_checkpoints_are_sent(log: PublicLog) -> None:
    async def go() -> None:
        async with scripted(good) as stranger, cosigner(policy(LOG, stranger), log) as made:
            for note in (MemoryLog().note(5), MemoryLog(ORIGIN).note(5), b"", log.grow(5) + b"x"):
                with pytest.raises(VerificationError):
                    await made.cosign(note)
                with pytest.raises(VerificationError):
                    made.submit(note)
            assert stranger.requests == []

    run(go())


# The loop.


class Published:
    """``CheckpointFile`` behind the loop, with what it was told."""

    def __init__(self, file: CheckpointFile) -> None:
        self.file = file
        self.told: list[bool] = []
        self.more = asyncio.Event()

    async def update(self, before: bytes, after: bytes) -> bool:
        stands = self.file.cosigned(before, after)
        self.told.append(stands)
        self.more.set()
        return stands

    async def signatures(self, count: int) -> None:
        """Waits until the file has as many besides the log's own."""
        while self.file.note.count("\n— ".encode()) < count + 1:
            self.more.clear()
            await self.more.wait()


def test_the_published_checkpoint_gains_cosignatures_as_they_arrive(tmp_path: Path, log: PublicLog) -> None:
    async def go() -> None:
        with witness(tmp_path, "a", LOG) as a, witness(tmp_path, "b", LOG) as b:
            trust = policy(LOG, a, b)
            async with cosigner(trust, log) as made:
                published = Published(log.file)
                before = made.latest
                assert before is None
                async with running(made, published.update):
                    for size in (1, 300, 301):
                        made.submit(log.grow(size))
                        await published.signatures(2)
                        assert trust.accepts((log.directory / "checkpoint").read_bytes()).checkpoint.size == size
                        assert made.latest is not None
                        assert made.latest.fulfilled

    run(go())


def test_a_dead_witness_delays_no_other(tmp_path: Path, log: PublicLog) -> None:
    async def go() -> None:
        with witness(tmp_path, "a", LOG) as a:
            async with scripted(HANG) as dead, cosigner(policy(LOG, dead, a), log, seconds=WAIT * 10) as made:
                published = Published(log.file)
                async with running(made, published.update):
                    for size in (1, 2, 300):
                        made.submit(log.grow(size))
                        await published.signatures(1)
                assert len(dead.requests) == 1

    run(go())


def sizes(requests: list[bytes]) -> list[int]:
    return [int(body.partition(b"\n\n")[2].split(b"\n")[1]) for body in requests]


def test_a_slow_witness_is_asked_about_the_newest_checkpoint_only(log: PublicLog) -> None:
    async def go() -> None:
        async with scripted(good) as stranger, cosigner(policy(LOG, stranger), log) as made:
            published = Published(log.file)
            async with running(made, published.update):
                stranger.gate.clear()
                made.submit(log.grow(1))
                await stranger.arrived.wait()
                for size in (2, 3, 300):
                    made.submit(log.grow(size))
                stranger.gate.set()
                await published.signatures(1)
            assert sizes(stranger.requests) == [1, 300]
            assert stranger.requests[1].startswith(b"old 1\n")
            assert published.told == [True]

    run(go())


def test_a_cosignature_for_a_checkpoint_that_is_no_longer_published_is_dropped(log: PublicLog) -> None:
    async def go() -> None:
        async with scripted(good) as stranger, cosigner(policy(LOG, stranger), log) as made:
            published = Published(log.file)
            async with running(made, published.update):
                made.submit(log.grow(1))
                newest = log.grow(2)  # published; the loop is told a moment later
                await published.more.wait()
                assert (published.told, log.file.note) == ([False], newest)
                made.submit(newest)
                await published.signatures(1)
            assert log.file.note.startswith(newest)

    run(go())


def signing(key: Ed25519PrivateKey) -> Answer:
    return lambda body: http(200, signed(body, key=key))


def test_what_arrives_while_the_file_is_written_goes_along_with_the_next(log: PublicLog) -> None:
    async def go() -> None:
        writing, written = asyncio.Event(), asyncio.Event()
        notes: list[bytes] = []

        async def slow(before: bytes, after: bytes) -> bool:
            notes.append(after)
            if len(notes) == 1:
                writing.set()
                await written.wait()
            return log.file.cosigned(before, after)

        async with contextlib.AsyncExitStack() as stack:
            three = [await stack.enter_async_context(scripted(good)) for _ in range(3)]
            keys = [Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in range(3)]
            for one, key in zip(three, keys, strict=True):
                one.key, one.answers = witness_key(NAME, key), [signing(key)]
            three[1].gate.clear()
            three[2].gate.clear()
            made = await stack.enter_async_context(cosigner(policy(LOG, *three), log))
            published = Published(log.file)
            async with running(made, slow):
                made.submit(log.grow(5))
                await writing.wait()
                three[1].gate.set()
                three[2].gate.set()
                while any(not state.time for state in made.states):
                    await asyncio.sleep(0.001)
                written.set()
                while log.file.note.count(b"\n") < 5 + 3:
                    await asyncio.sleep(0.001)
            assert [note.count(NAME.encode()) for note in notes] == [1, 3]
            assert published.told == []

    run(go())


def test_a_checkpoint_that_is_published_while_the_last_one_is_written_gains_its_own(log: PublicLog) -> None:
    async def go() -> None:
        writing, written = asyncio.Event(), asyncio.Event()

        async def slow(before: bytes, after: bytes) -> bool:
            stands = await published.update(before, after)
            if not writing.is_set():
                writing.set()
                await written.wait()
            return stands

        async with scripted(good) as stranger, cosigner(policy(LOG, stranger), log) as made:
            published = Published(log.file)
            async with running(made, slow):
                made.submit(log.grow(1))
                await writing.wait()
                made.submit(log.grow(2))
                written.set()
                await published.signatures(1)
            assert published.told == [True, True]

    run(go())


def test_a_file_that_cannot_be_written_does_not_end_the_loop(log: PublicLog) -> None:
    async def go() -> None:
        async with scripted(good) as stranger, cosigner(policy(LOG, stranger), log) as made:
            published = Published(log.file)
            failed = asyncio.Event()

            async def full(before: bytes, after: bytes) -> bool:
                if not failed.is_set():
                    failed.set()
                    raise OSError(28, "No space left on device")
                return await published.update(before, after)

            with capture_logs() as lines:
                async with running(made, full):
                    made.submit(log.grow(1))
                    await failed.wait()
                    made.submit(log.grow(2))
                    await published.signatures(1)
            assert [line["error"] for line in lines if line["log_level"] == "error"] == [
                "[Errno 28] No space left on device"
            ]

    run(go())


def test_a_witness_that_fails_is_left_alone_longer_each_time_and_as_long_as_it_asks(log: PublicLog) -> None:
    answers: list[Answer] = [http(500), http(500), http(503, b"", "Retry-After: 77")]
    answers += [http(429, b"", "Retry-After: 999999")]
    answers += [http(503, b"", "Retry-After: soon"), http(500, b"", "Retry-After: 77"), good, http(500), good]

    async def go() -> None:
        slept: list[float] = []

        async def sleep(seconds: float) -> None:
            slept.append(seconds)

        async with scripted(*answers) as stranger:
            trust = policy(LOG, stranger)
            with capture_logs() as lines:
                async with cosigner(trust, log, pause=lambda failures: failures * 10.0, sleep=sleep) as made:
                    published = Published(log.file)
                    async with running(made, published.update):
                        for size in (1, 2):
                            made.submit(log.grow(size))
                            await published.signatures(1)
            assert slept == [10, 20, 77, 3600, 50, 60, 10]
        told = [line["event"] for line in lines if line["log_level"] == "warning" or "again" in line["event"]]
        # The same fault is told once.
        assert told == ["witness"] * 5 + ["witness answers again", "witness", "witness answers again"]

    run(go())


def test_the_pause_doubles_up_to_some_minutes_and_is_spread() -> None:
    for failures, middle in ((1, 1), (2, 2), (3, 4), (9, 256), (10, 256), (10_000, 256)):
        pauses = {pause(failures) for _ in range(200)}
        assert middle / 2 <= min(pauses) < middle * 0.75
        assert middle * 1.25 < max(pauses) <= middle * 1.5


def test_without_a_witness_the_loop_waits(log: PublicLog) -> None:
    async def go() -> None:
        async with cosigner(policy(LOG, quorum="none"), log) as made, running(made, log.update):
            made.submit(log.grow(1))
            await asyncio.sleep(0)
            assert made.latest is not None
            assert made.latest.fulfilled

    run(go())


# Proofs and policies.


def test_proofs_come_out_of_the_published_tiles(log: PublicLog) -> None:
    reference = MemoryLog()
    proof = tile_proof(log.directory)
    for new in (1, 2, 255, 256, 257, 700):
        log.grow(new)
        for old in {1, 2, 3, 200, 255, 256, 511, 512, new - 1, new} - {0}:
            if old <= new:
                assert proof(old, new) == reference.proof(old, new)


def test_a_policy_file_is_read_or_refused_with_its_name(tmp_path: Path) -> None:
    file = tmp_path / "witnesses.policy"
    file.write_text(f"log {LOG}\nquorum none\n")
    assert load_policy(file) == policy(LOG, quorum="none")
    file.write_text("quorum none")
    with pytest.raises(ConfigError, match=r"witnesses.policy: the policy, line 1"):
        load_policy(file)
    with pytest.raises(ConfigError, match="cannot read the trust policy"):
        load_policy(tmp_path / "none")


def test_the_configuration_names_the_policy_relative_to_itself(tmp_path: Path) -> None:
    file = tmp_path / "seenby.toml"
    minimal = 'region = "eu"\norigin = "eu.test/ledger"\n[control]\nsocket = "run/control.sock"\n'
    file.write_text(minimal)
    assert load_config(file).witnesses.policy == ""
    file.write_text(f'{minimal}[witnesses]\npolicy = "trust/witnesses.policy"\n')
    assert load_config(file).witnesses.policy == str(tmp_path / "trust/witnesses.policy")


def with_lines(*lines: str) -> Policy:
    return Policy.parse("".join(f"{line}\n" for line in (f"log {LOG}", *lines, "quorum none")).encode())


def test_a_policy_that_cannot_work_is_refused_at_the_start() -> None:
    def made(trust: Policy) -> Cosigner:
        return Cosigner(trust, LOG, lambda old, new: [])

    keys = [str(witness_key(f"w{n}", Ed25519PrivateKey.generate())) for n in range(64)]
    with pytest.raises(ConfigError, match="does not name this log"):
        made(policy(MemoryLog(ORIGIN).vkey, quorum="none"))
    for url in ("news.example", "ftp://news.example/", "http://", "https://n.example/?q", "file:///etc"):
        with pytest.raises(ConfigError, match="URL of the witness paper is none"):
            made(with_lines(f"witness paper {keys[0]} {url}"))
    with pytest.raises(ConfigError, match="more than 63 witnesses"):
        made(with_lines(*[f"witness w{n} {key} https://w{n}.example" for n, key in enumerate(keys)]))


def test_witnesses_without_a_url_are_not_asked_and_say_so() -> None:
    trust = with_lines(f"witness paper {witness_key('paper.test', STRANGER)}")
    assert Cosigner(trust, LOG, lambda old, new: []).states == (
        WitnessState("paper", "", fault="the policy gives no URL for it, so it is not asked"),
    )
