"""Cosignatures for the log's checkpoints: every witness of a trust policy is asked (C2SP tlog-witness, add-checkpoint).

::

    POST <witness's URL>/add-checkpoint
    old 20852014                                     the size that the witness cosigned last, as far as we know
    PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=     consistency proof

    example.com/behind-the-sofa                      the checkpoint
    ...

A witness is a stranger: it may be slow, dead, broken or hostile, and none of that may delay the log or another witness.
What it answers counts only as a signature over exactly this checkpoint. What matters most is when it says that our log
is *not* the one that it has cosigned before: somebody else writes with our key, or our log went back. That is an alarm.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import random
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import httpx2
import structlog

from seenby.errors import ConfigError, VerificationError
from seenby.stores.witness_answers import MAX_ANSWER, Conflict, Fault, Target, cosignature, read_answer
from seenby_verify.tlog.note import MAX_SIGNATURES
from seenby_verify.tlog.policy import Policy, Witness
from seenby_verify.tlog.tiles import TileReader
from seenby_verify.tlog.tree import consistency_proof
from seenby_verify.tlog.vkey import VerifierKey

REQUEST_SECONDS: Final = 10.0
"""For one witness's whole answer, with a second try after a conflict."""
CONFLICTS: Final = 3
"""How often a witness may name another size before it is taken for broken."""

Proof = Callable[[int, int], Sequence[bytes]]
"""(old size, new size) -> consistency proof. Runs on a thread; may raise OSError and VerificationError."""
Update = Callable[[bytes, bytes], Awaitable[bool]]
"""(note, same note with more signatures) -> False if a newer checkpoint stands there: ``CheckpointFile.cosigned``."""

log = structlog.get_logger("seenby.witnesses")


@dataclass(frozen=True, slots=True)
class WitnessState:
    """What a page about the log's state shows of one witness.

    Attributes:
        name: the policy's name for it.
        size: entries of the tree that it cosigned last, as far as we know; None before it said so.
        time: of its last cosignature, Unix seconds, by its own clock; 0 before the first.
        fault: why its last answer was none; empty if it was good.
        failures: in a row.
        alarm: the last time it contradicted our log; stays until a restart.
    """

    name: str
    url: str
    size: int | None = None
    time: int = 0
    fault: str = ""
    failures: int = 0
    alarm: str = ""


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A checkpoint with the cosignatures that there are. ``fulfilled``: whether the policy's quorum is among them."""

    note: bytes
    fulfilled: bool
    states: tuple[WitnessState, ...]


def load_policy(path: Path) -> Policy:
    """A C2SP tlog-policy file. Raises ConfigError."""
    try:
        return Policy.parse(path.read_bytes())
    except OSError as error:
        raise ConfigError(
            f"cannot read the trust policy {path}: {error.strerror}", hint="check [witnesses] policy in seenby.toml"
        ) from None
    except VerificationError as error:
        raise ConfigError(f"{path}: {error.message}", hint="docs/formats/trust.md shows a policy") from None


def tile_proof(public: Path) -> Proof:
    """Proofs out of a log's published tiles."""

    def read(path: str) -> bytes | None:
        try:
            return (public / path).read_bytes()
        except FileNotFoundError:
            return None

    return lambda old, new: consistency_proof(TileReader(read, new).node, old, new)


_SPREAD = random.Random()
"""Of its own: the module's generator belongs to whoever seeds it."""


def pause(failures: int) -> float:
    """Seconds before the next try: about 1, 2, 4 ... 256. Spread, so that many logs do not come back at once."""
    return float(2 ** (min(failures, 9) - 1)) * _SPREAD.uniform(0.5, 1.5)


@dataclass(slots=True)
class _Asked:
    """A witness and what we know of it. ``lock``: one request at a time."""

    witness: Witness
    state: WitnessState
    wait: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Cosigner:
    """Gathers cosignatures of one log. All methods belong to the loop's thread.

    ``submit`` tells of each checkpoint when it is published; ``run`` asks the witnesses about the newest one, each at
    its own pace, and hands every gain on. ``cosign`` is one round for one checkpoint.
    """

    def __init__(
        self,
        policy: Policy,
        key: VerifierKey,
        proof: Proof,
        *,
        seconds: float = REQUEST_SECONDS,
        clock: Callable[[], float] = time.time,
        pause: Callable[[int], float] = pause,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``key``: this log's. Witnesses without a URL are not asked.

        Args:
            seconds: for one witness's answer.
            pause: (failures in a row) -> seconds.

        Raises ConfigError if the policy is not about this log, names more witnesses than a note can hold, or a bad URL.
        """
        if all(one.key != key for one in policy.logs):
            raise ConfigError(
                f"the trust policy does not name this log: {key}", hint="add a line: log, and this verifier key"
            )
        self.policy = policy
        self._key = key
        self._proof = proof
        self._seconds = seconds
        self._clock = clock
        self._pause = pause
        self._sleep = sleep
        self._asked = [_Asked(one, WitnessState(_name(one), _url(one))) for one in policy.witnesses if one.url]
        self._others = tuple(
            WitnessState(_name(one), "", fault="the policy gives no URL for it, so it is not asked")
            for one in policy.witnesses
            if not one.url
        )
        if len(self._asked) >= MAX_SIGNATURES:
            raise ConfigError(f"the trust policy names more than {MAX_SIGNATURES - 1} witnesses with a URL")
        self._client = httpx2.AsyncClient(
            headers={
                "user-agent": "seenby",
                "accept-encoding": "identity",
                "content-type": "text/plain; charset=utf-8",
            },
            timeout=seconds,
            follow_redirects=False,
            verify=_tls(),
        )
        self._target: Target | None = None
        self._standing = b""  # what ``Update`` was told last about the target
        self._lines: dict[bytes, bytes] = {}  # the target's cosignatures, by the policy's name of the witness
        self._submitted = asyncio.Event()  # a new one for each target
        self._gained = asyncio.Event()

    async def close(self) -> None:
        """Lets connections go."""
        await self._client.aclose()

    @property
    def states(self) -> tuple[WitnessState, ...]:
        """One for each witness of the policy; those without a URL last."""
        return tuple(one.state for one in self._asked) + self._others

    @property
    def latest(self) -> Cosigned | None:
        """The newest checkpoint, with what was gathered so far; None before the first."""
        return self._result(self._gathered()) if self._target else None

    def target(self, note: bytes) -> Target:
        """A note of this log, ready to be sent. Raises VerificationError for another's."""
        return Target.read(note, self._key, self.policy)

    async def cosign(self, note: bytes) -> Cosigned:
        """Asks every witness that has not cosigned ``note``, all at once; ends when the slowest answered or is late.

        Raises VerificationError if this is not a checkpoint of the log.
        """
        target = self.target(note)
        waiting = [one for one in self._asked if one.witness.name not in target.lines]
        lines = await asyncio.gather(*[self._ask(one, target) for one in waiting])
        return self._result(note + b"".join(line for line in lines if line))

    def submit(self, note: bytes) -> None:
        """The newest published checkpoint, as it stands in its file. Raises VerificationError for another log's."""
        self._target = self.target(note)
        self._standing = note
        self._lines = dict(self._target.lines)
        for one in self._asked:
            if one.witness.name in self._lines:
                one.state = replace(one.state, size=self._target.checkpoint.size)
        before, self._submitted = self._submitted, asyncio.Event()
        before.set()

    async def run(self, update: Update) -> None:
        """Until it is cancelled; no witness and no failure of ``update`` ends it."""
        async with asyncio.TaskGroup() as tasks:
            for one in self._asked:
                tasks.create_task(self._follow(one))
            tasks.create_task(self._hand_on(update))

    async def _follow(self, one: _Asked) -> None:
        while True:
            target = await self._next(one)
            line = await self._ask(one, target)
            if line is None:
                await self._sleep(max(self._pause(one.state.failures), one.wait))
            elif target is self._target:
                self._lines[one.witness.name] = line
                self._gained.set()

    async def _next(self, one: _Asked) -> Target:
        """The newest checkpoint, as soon as there is one that this witness has not cosigned."""
        while self._target is None or one.witness.name in self._lines:
            await self._submitted.wait()
        return self._target

    async def _hand_on(self, update: Update) -> None:
        """One at a time: what arrives meanwhile goes along with the next."""
        while True:
            await self._gained.wait()
            self._gained.clear()
            target, standing = self._target, self._standing
            assert target is not None
            note = self._gathered()
            if note == standing:
                continue
            result = self._result(note)
            try:
                stands = await update(standing, note)
            except Exception as error:  # noqa: BLE001  # the log goes on without cosignatures, and says so
                log.error("cosignatures cannot be written", error=str(error), size=target.checkpoint.size)
                continue
            if stands and target is self._target:
                self._standing = note
                log.info(
                    "cosigned", size=target.checkpoint.size, witnesses=len(self._lines), fulfilled=result.fulfilled
                )

    def _gathered(self) -> bytes:
        assert self._target is not None  # whoever gains or asks had one
        fresh = [line for name, line in self._lines.items() if name not in self._target.lines]
        return self._target.note + b"".join(fresh)

    def _result(self, note: bytes) -> Cosigned:
        try:
            self.policy.accepts(note)
        except VerificationError:
            return Cosigned(note, False, self.states)
        return Cosigned(note, True, self.states)

    async def _ask(self, one: _Asked, target: Target) -> bytes | None:
        """A witness's signature line; None when it gave none: then its state says why. Raises nothing."""
        async with one.lock:
            try:
                async with asyncio.timeout(self._seconds):
                    line, at = await self._agree(one, target)
            except Fault as fault:
                self._failed(one, fault)
            except TimeoutError:
                self._failed(one, Fault(f"no answer within {self._seconds:g} seconds"))
            except httpx2.TransportError as error:
                self._failed(one, Fault(f"cannot be reached: {str(error) or type(error).__name__}"))
            except Exception as error:  # noqa: BLE001  # whatever this is, the other witnesses go on
                self._failed(one, Fault(f"our own fault: {type(error).__name__}: {error}"))
            else:
                if one.state.fault:
                    log.info("witness answers again", witness=one.state.name)
                size = target.checkpoint.size
                one.state = replace(one.state, size=size, time=at, fault="", failures=0)
                return line
            return None

    async def _agree(self, one: _Asked, target: Target) -> tuple[bytes, int]:
        """The conversation with one witness about one checkpoint: its size, a proof from there, its signature line."""
        old = min(one.state.size or 0, target.checkpoint.size)
        for _ in range(CONFLICTS):
            try:
                status, headers, body = await self._post(one, await self._request(old, target))
                read_answer(status, headers, body, old, target.checkpoint.size)
                return cosignature(body, target, one.witness.key, self._clock())
            except Conflict as conflict:
                old = conflict.size
                one.state = replace(one.state, size=old)
        raise Fault("names another size each time that it is asked")

    async def _request(self, old: int, target: Target) -> bytes:
        new = target.checkpoint.size
        try:
            proof = await asyncio.to_thread(self._proof, old, new) if 0 < old < new else ()
        except (OSError, VerificationError) as error:
            raise Fault(f"our own tiles give no proof from {old} to {new}: {error}") from None
        lines = b"".join(base64.b64encode(step) + b"\n" for step in proof)
        return b"old %d\n" % old + lines + b"\n" + target.plain

    async def _post(self, one: _Asked, request: bytes) -> tuple[int, httpx2.Headers, bytes]:
        async with self._client.stream("POST", f"{one.state.url}add-checkpoint", content=request) as answer:
            if answer.headers.get("content-encoding", "identity") != "identity":
                raise Fault("answers in an encoding that was not asked for")
            body = bytearray()
            async for part in answer.aiter_raw():
                body += part
                if len(body) > MAX_ANSWER:
                    raise Fault(f"answers {answer.status_code} with more than {MAX_ANSWER} bytes")
            return answer.status_code, answer.headers, bytes(body)

    def _failed(self, one: _Asked, fault: Fault) -> None:
        known, one.wait = one.state, fault.wait
        alarm = fault.message if fault.alarm else known.alarm
        one.state = replace(known, fault=fault.message, failures=known.failures + 1, alarm=alarm)
        if fault.alarm:
            log.error(
                "ALARM: a witness contradicts this log",
                witness=known.name,
                alarm=fault.message,
                hint="stop every other writer with this key; compare the log with its copies; keep both as evidence",
            )
        elif fault.message != known.fault:
            log.warning("witness", witness=known.name, fault=fault.message)


@functools.cache
def _tls() -> ssl.SSLContext:
    """Reading the authorities takes 0.2 s: once is enough."""
    return httpx2.create_ssl_context()


def _name(witness: Witness) -> str:
    return witness.name.decode("utf-8", "replace")


def _url(witness: Witness) -> str:
    """The submission prefix, with a slash at its end. Raises ConfigError."""
    try:
        url = httpx2.URL(witness.url)
    except (httpx2.InvalidURL, ValueError):
        url = httpx2.URL("")
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment:
        raise ConfigError(
            f"the trust policy's URL of the witness {_name(witness)} is none",
            hint="as in https://news-witness.example/, or no URL: then it is not asked",
        )
    return witness.url.rstrip("/") + "/"
