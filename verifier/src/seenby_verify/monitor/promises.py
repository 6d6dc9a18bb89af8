"""Promises that a monitor was given: each is met, open, or unmet, and then it shouts (docs/formats/receipts.md).

A promise that was seen once is remembered until it is met, whatever becomes of its file: who gave it may be gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from seenby_verify.errors import NotFound, VerificationError
from seenby_verify.kept import PROMISE
from seenby_verify.monitor.alarm import Alarm, Kind
from seenby_verify.monitor.follow import Follower
from seenby_verify.placed import proven
from seenby_verify.tlog.evidence import BrokenPromise
from seenby_verify.tlog.note import MAX_NOTE
from seenby_verify.tlog.promise import Promise, Verdict
from seenby_verify.tlog.tree import leaf_hash
from seenby_verify.tlog.vkey import VerifierKey


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a promise at one look. ``alarm``: what to shout, if it is unmet."""

    promise: Promise
    verdict: Verdict
    alarm: Alarm | None = None


def collect(follower: Follower, places: Iterable[Path]) -> list[str]:
    """Remembers what lies in these files and directories (``*.promise``); answers what is no promise of this log.

    Raises NotFound if there is no such place.
    """
    seen = follower.memory.seen
    origin = VerifierKey.parse(seen.key).name if seen else None
    wrong = []
    for path in _files(places):
        try:
            note = path.read_bytes()[: MAX_NOTE + 1]
        except FileNotFoundError:
            continue  # its receipt has taken its place meanwhile
        except OSError as error:
            raise NotFound(f"cannot read {path}: {error.strerror}", hint="check --promise") from None
        try:
            promise = Promise.open(note, follower.policy)
        except VerificationError as error:
            wrong.append(f"{path}: {error.message}")
            continue
        if origin is not None and promise.origin != origin:
            wrong.append(f"{path}: it is by {promise.origin}, and the log that is followed is {origin}")
            continue
        with follower.memory.look():
            follower.memory.add_promise(note)
    return wrong


def _files(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        if place.is_dir():
            yield from sorted(place.glob(f"*{PROMISE}"))
        elif place.exists():
            yield place
        else:
            raise NotFound(f"there is no {place}", hint="--promise takes a promise, or a directory of them")


def judge(follower: Follower) -> list[Judged]:
    """Holds every promise that was not met before against the newest tree that counts.

    Raises Unavailable if the log goes away meanwhile, Alarm if its files do not give the tree that was seen.
    """
    seen = follower.memory.seen
    if seen is None:
        return []
    found = []
    accepted = follower.policy.accepts(seen.note)
    for note in follower.memory.promises():
        promise = Promise.open(note, follower.policy)
        if promise.origin != accepted.checkpoint.origin:
            continue
        try:
            entry = proven(follower.source.read, promise.index, accepted.checkpoint)
        except VerificationError as error:
            raise Alarm(Kind.FILES, error.message, evidence=(follower.keep(seen.note, accepted.checkpoint),)) from None
        verdict = promise.judge(accepted, leaf_hash(entry[0]) if entry else None)
        if verdict is Verdict.KEPT:
            with follower.memory.look():
                follower.memory.met(note)
        evidence = BrokenPromise(note, seen.note, entry) if verdict is Verdict.BROKEN else None
        found.append(Judged(promise, verdict, _alarm(follower, promise, verdict, entry is not None, evidence)))
    return found


def _alarm(
    follower: Follower, promise: Promise, verdict: Verdict, other: bool, evidence: BrokenPromise | None
) -> Alarm | None:
    if evidence is not None:
        proves = evidence.check(follower.policy)
        data = evidence.encode()
        path = follower.memory.keep(f"promise-{promise.index}-{sha256(data).hexdigest()[:16]}.json", data)
        hint = f"anybody can check it: seenby-verify evidence {path}; show it to others"
        return Alarm(Kind.PROMISE, proves, evidence=(path,), hint=hint)
    what = f"the log promised entry {promise.index}"
    later = "evidence follows by itself as soon as witnesses have seen a checkpoint after the promised time"
    if verdict is Verdict.OPEN and other:
        return Alarm(Kind.PROMISE, f"{what}, and another entry stands there", hint=later)
    if verdict is Verdict.OPEN and follower.clock() > promise.due:
        return Alarm(
            Kind.PROMISE, f"{what} for a time that is over by this machine's clock, and it is not there", hint=later
        )
    return None
