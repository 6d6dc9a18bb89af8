"""C2SP tlog-policy: which logs and witnesses somebody trusts, and how many of them must have cosigned.

::

    log eu.log.platform.example+530d903a+AekyeR...  https://eu.log.platform.example/
    witness paper news-witness.example+7b4cc14e+BJ0r...
    witness uni uni-witness.example+...
    group outside 2 paper uni
    quorum outside
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.checkpoint import Checkpoint, parse_checkpoint
from seenby_verify.tlog.note import Note, Signature
from seenby_verify.tlog.vkey import COSIGNATURE, ED25519, VerifierKey

MAX_BYTES: Final = 1 << 18
MAX_LINES: Final = 256
"""How many logs, how many witnesses and how many groups (the specification asks for 32 of each)."""

_NONE: Final = b"none"
_FORBIDDEN: Final = re.compile(rb"[^\t\n\x20-\x7e\x80-\xff]")
_COUNT: Final = re.compile(rb"[1-9][0-9]{0,3}")


@dataclass(frozen=True, slots=True)
class Log:
    key: VerifierKey
    url: str = ""


@dataclass(frozen=True, slots=True)
class Witness:
    """``name``: what the policy calls it; octets, as the specification has it. ``key.name`` is its own name."""

    name: bytes
    key: VerifierKey
    url: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Has witnessed if at least ``threshold`` of its ``members`` (witnesses and groups) have."""

    name: bytes
    threshold: int
    members: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Accepted:
    """A checkpoint that the policy accepts.

    Attributes:
        log: the key that signed it.
        time: Unix time at which the quorum was reached (docs/formats/trust.md); None without witnesses.
        cosignatures: those that hold, by witnesses of the policy, in the order of their times.
    """

    checkpoint: Checkpoint
    log: VerifierKey
    time: int | None
    cosignatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """``quorum`` names a witness or a group; None: ``quorum none``. Groups are in the order of their definition."""

    logs: tuple[Log, ...]
    witnesses: tuple[Witness, ...] = ()
    groups: tuple[Group, ...] = ()
    quorum: bytes | None = None

    @classmethod
    def trusting(cls, *keys: VerifierKey) -> Policy:
        """These logs and ``quorum none``."""
        return cls(tuple(Log(key) for key in keys))

    @classmethod
    def parse(cls, data: bytes) -> Policy:
        """Raises VerificationError that names the line."""
        return _parse(data)

    def log(self, origin: str) -> VerifierKey | None:
        """The first key of the log with this origin."""
        return next((log.key for log in self.logs if log.key.name == origin), None)

    def accepts(self, note: bytes) -> Accepted:
        """The checkpoint in a note that one of the logs signed and the quorum cosigned. Raises VerificationError."""
        where = "checkpoint"
        parsed = Note.parse(note, where)
        checkpoint = parse_checkpoint(parsed.text)
        keys = [log.key for log in self.logs if log.key.name == checkpoint.origin]
        if not keys:
            raise VerificationError(
                f"the checkpoint is of the log {checkpoint.origin!r:.80}, which you do not trust",
                where=where,
                hint="check the policy, or the key that you gave",
            )
        signed = parsed.signatures(keys)
        if not signed:
            raise VerificationError("the checkpoint carries no signature by a key that you trust", where=where)
        cosignatures = sorted(parsed.signatures(one.key for one in self.witnesses), key=lambda one: one.time)
        time = self._reached(cosignatures)
        if time is None and self.quorum is not None:
            names = sorted({one.key.name for one in cosignatures})
            raise VerificationError(
                f"the checkpoint has not the cosignatures that the policy asks for: {_show(self.quorum)}",
                where=where,
                detail=f"cosigned by {', '.join(names) or 'nobody that the policy knows'}",
                hint="fetch the checkpoint again, in case the witnesses were late",
            )
        return Accepted(checkpoint, signed[0].key, time, tuple(cosignatures))

    def _reached(self, cosignatures: Iterable[Signature]) -> int | None:
        """The time of the cosignature with which the quorum is first reached. ``cosignatures``: by time."""
        if self.quorum is None:
            return None
        names = {witness.key.key: witness.name for witness in self.witnesses}
        seen: set[bytes] = set()
        for cosignature in cosignatures:
            seen.add(names[cosignature.key.key])
            witnessed = set(seen)
            for group in self.groups:
                if sum(member in witnessed for member in group.members) >= group.threshold:
                    witnessed.add(group.name)
            if self.quorum in witnessed:
                return cosignature.time
        return None


def _parse(data: bytes) -> Policy:
    logs: list[Log] = []
    witnesses: list[Witness] = []
    groups: list[Group] = []
    quorum: list[bytes | None] = []
    names: set[bytes] = set()
    members: set[bytes] = set()
    at = 0

    def wrong(what: str) -> VerificationError:
        return VerificationError(f"the policy, line {at}: {what}", where=f"policy line {at}")

    def key(text: bytes, type: int, others: Iterable[VerifierKey]) -> VerifierKey:
        try:
            parsed = VerifierKey.parse(text.decode("utf-8"), type)
        except UnicodeDecodeError:
            raise wrong("a key's name is not UTF-8, so it can sign no note") from None
        except VerificationError as error:
            raise wrong(error.message) from None
        if str(parsed) != text.decode("utf-8"):  # parse() is lenient about white space, as people paste it
            raise wrong("a verifier key that is not written as keys are")
        if any(other.key == parsed.key for other in others):
            raise wrong("this public key stands there twice")
        return parsed

    def define(name: bytes) -> bytes:
        if name == _NONE:
            raise wrong("'none' cannot be defined")
        if name in names:
            raise wrong(f"{_show(name)} is defined twice")
        names.add(name)
        return name

    def url(items: list[bytes]) -> str:
        return items[0].decode("utf-8", "surrogateescape") if items else ""

    if len(data) > MAX_BYTES:
        raise wrong(f"it is longer than {MAX_BYTES} bytes")
    lines = data.split(b"\n")
    if lines.pop():
        at = len(lines) + 1
        raise wrong("the last line does not end in a newline; the file may be cut off")
    for line in lines:
        at += 1
        if _FORBIDDEN.search(line):
            raise wrong("a control character")
        match [] if line.lstrip().startswith(b"#") else line.split():
            case []:
                continue
            case [b"log", vkey, *rest] if len(rest) <= 1:
                logs.append(Log(key(vkey, ED25519, (log.key for log in logs)), url(rest)))
            case [b"witness", name, vkey, *rest] if len(rest) <= 1:
                parsed = key(vkey, COSIGNATURE, (one.key for one in witnesses))
                witnesses.append(Witness(define(name), parsed, url(rest)))
            case [b"group", name, threshold, *listed] if listed:
                for member in listed:
                    if member not in names:
                        raise wrong(f"{_show(member)} is not defined before")
                    if member in members:
                        raise wrong(f"{_show(member)} is already a member of a group")
                    members.add(member)
                count = {b"all": len(listed), b"any": 1}.get(threshold, 0)
                if _COUNT.fullmatch(threshold):
                    count = int(threshold)
                if not 1 <= count <= len(listed):
                    raise wrong(f"{_show(threshold)} is not all, any, or a number from 1 to {len(listed)}")
                groups.append(Group(define(name), count, tuple(listed)))
            case [b"quorum", name]:
                if quorum:
                    raise wrong("a second quorum")
                if name != _NONE and name not in names:
                    raise wrong(f"{_show(name)} is not defined before")
                quorum.append(None if name == _NONE else name)
            case _:
                raise wrong("it is not a log, witness, group or quorum line")
        if max(len(logs), len(witnesses), len(groups)) > MAX_LINES:
            raise wrong(f"more than {MAX_LINES} logs, witnesses or groups")
    if not quorum:
        raise wrong("the policy ends without a quorum line")
    return Policy(tuple(logs), tuple(witnesses), tuple(groups), quorum[0])


def _show(name: bytes) -> str:
    return repr(name.decode("utf-8", "replace"))
