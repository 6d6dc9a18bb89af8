"""Asks a witness which checkpoint of a log it cosigned last, and holds that against what we are shown.

Who shows us another version than the rest of the world cannot get it cosigned by a witness that saw the other one.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from seenby_verify.client import open_log
from seenby_verify.errors import VerificationError
from seenby_verify.monitor.alarm import Alarm, Kind
from seenby_verify.monitor.compare import contradiction, tells
from seenby_verify.monitor.follow import Follower, in_time
from seenby_verify.tlog.checkpoint import Checkpoint
from seenby_verify.tlog.evidence import Fork
from seenby_verify.tlog.fsck import CHECKPOINT
from seenby_verify.tlog.note import Note
from seenby_verify.tlog.policy import Policy
from seenby_verify.tlog.vkey import VerifierKey

_AHEAD: Final = "ahead:"


@dataclass(frozen=True, slots=True)
class AskedWitness:
    """``url``: under which it answers ``/<sha256 of origin>/checkpoint``."""

    url: str
    key: VerifierKey


def ask(witness: AskedWitness, follower: Follower) -> str:
    """What to tell about the witness, in words. Raises Alarm, Unavailable; VerificationError if it answers nonsense."""
    seen = follower.memory.seen
    if seen is None:
        return "nothing to compare yet"
    origin = VerifierKey.parse(seen.key).name
    with open_log(f"{witness.url.rstrip('/')}/{sha256(origin.encode()).hexdigest()}", attempts=2) as source:
        note = source.fresh(CHECKPOINT)
    if note is None:
        return "it has cosigned nothing of this log"
    theirs = _open(note, witness, follower.policy, origin)
    other = follower.memory.contradicting(theirs.size, theirs.root)
    if other:
        raise _told(follower, Fork(other, note))
    ours = Checkpoint(origin, seen.size, seen.root)
    if theirs.size > seen.size:
        return _ahead(witness, follower, note, theirs, ours, seen.note)
    try:
        fork = contradiction((theirs, note), (ours, seen.note), follower.source.read)
    except VerificationError as error:
        raise Alarm(
            Kind.FILES,
            f"whether the log is the one that {witness.key.name} saw, nobody can tell: {tells(error)}",
            evidence=(follower.keep(note, theirs), follower.keep(seen.note, ours)),
        ) from None
    if fork:
        raise _told(follower, fork)
    with follower.memory.look():
        follower.memory.set_fact(_AHEAD + str(witness.key), None)
    return f"it saw the same log, up to entry {theirs.size}"


def _told(follower: Follower, fork: Fork) -> Alarm:
    alarm = follower.fork(fork)
    follower.remember(alarm)
    return alarm


def _open(note: bytes, witness: AskedWitness, policy: Policy, origin: str) -> Checkpoint:
    """The checkpoint in its answer, which it and the log signed. Raises VerificationError."""
    name = witness.key.name
    try:
        found = Policy(policy.logs).accepts(note).checkpoint
        cosigned = Note.parse(note, CHECKPOINT).signatures([witness.key])
    except VerificationError as error:
        raise VerificationError(f"the answer of the witness {name} is no good: {error.message}", where=name) from None
    if not cosigned or found.origin != origin:
        raise VerificationError(
            f"the witness {name} answers with a checkpoint that it has not cosigned, or of another log",
            where=name,
            hint="check the witness's URL and key",
        )
    return found


def _ahead(
    witness: AskedWitness, follower: Follower, note: bytes, theirs: Checkpoint, ours: Checkpoint, our_note: bytes
) -> str:
    """The witness saw more than we are shown: the log is slow to publish, or shows us another version."""
    name, now = _AHEAD + str(witness.key), follower.clock()
    with follower.memory.look():
        known = follower.memory.fact(name)
        if known is None or known["size"] <= ours.size:
            known = {"size": theirs.size, "since": now}
            follower.memory.set_fact(name, known)
    late = now - known["since"]
    if late >= follower.max_delay:
        raise Alarm(
            Kind.DELAY,
            f"for {in_time(late)} the log has hidden entries from us: {witness.key.name} cosigned {known['size']} "
            f"entries, and we are shown {ours.size}",
            evidence=(follower.keep(note, theirs), follower.keep(our_note, ours)),
            hint="compare with what others see: perhaps we are shown another version",
        )
    return f"it saw {theirs.size} entries; we are shown {ours.size} so far"
