"""A log's signed promise that an entry will be in its tree within a stated delay (docs/formats/receipts.md).

::

    seenby/promise/v1
    eu.log.platform.example
    73894
    gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
    1795338000
    60

    — eu.log.platform.example <base64 of key id[4] and signature[64]>
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.note import Note, sign_note
from seenby_verify.tlog.policy import Accepted, Policy
from seenby_verify.tlog.strict import decode_base64, decode_decimal
from seenby_verify.tlog.times import LAST_TIME
from seenby_verify.tlog.vkey import valid_name

_FIRST: Final = "seenby/promise/v1"
_WHAT: Final = "promise"


class Verdict(StrEnum):
    """What became of a promise."""

    KEPT = "kept"
    OPEN = "open"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Promise:
    """Entry ``index`` of the log ``origin`` has this leaf hash. ``time``: Unix seconds; ``delay``: seconds."""

    origin: str
    index: int
    leaf: bytes
    time: int
    delay: int

    @property
    def text(self) -> bytes:
        leaf = base64.b64encode(self.leaf).decode()
        return f"{_FIRST}\n{self.origin}\n{self.index}\n{leaf}\n{self.time}\n{self.delay}\n".encode()

    @classmethod
    def parse(cls, text: bytes) -> Promise:
        """From the text of a note. Raises VerificationError; there is one spelling only."""
        lines = text.decode("utf-8", "replace").split("\n")
        if len(lines) != 7 or lines[0] != _FIRST or lines[6]:
            raise _wrong(f"is not {_FIRST} and five lines")
        index, time, delay = (decode_decimal(line) for line in (lines[2], lines[4], lines[5]))
        leaf = decode_base64(lines[3])
        if not valid_name(lines[1]):
            raise _wrong("names no log")
        if index is None or time is None or delay is None or time + delay > LAST_TIME:
            raise _wrong("has an index, time or delay that is no such number")
        if leaf is None or len(leaf) != 32:
            raise _wrong("has no leaf hash")
        return cls(lines[1], index, leaf, time, delay)

    def sign(self, key: Ed25519PrivateKey) -> bytes:
        """The signed note, by the log's checkpoint key."""
        return sign_note(self.text, self.origin, key)

    @classmethod
    def open(cls, note: bytes, policy: Policy) -> Promise:
        """The promise in a note, signed by the log of the policy that it names. Raises VerificationError."""
        parsed = Note.parse(note, _WHAT)
        promise = cls.parse(parsed.text)
        keys = [log.key for log in policy.logs if log.key.name == promise.origin]
        if not keys:
            raise _wrong(f"is by the log {promise.origin!r:.80}, which you do not trust")
        if not parsed.signatures(keys):
            raise _wrong("carries no signature by its log")
        return promise

    @property
    def due(self) -> int:
        """Unix time after which no checkpoint may lack the entry."""
        return self.time + self.delay

    def judge(self, accepted: Accepted, leaf: bytes | None) -> Verdict:
        """What a checkpoint of the log says. ``leaf``: what is proven to stand at the index; None: the tree is smaller.

        Raises VerificationError if the checkpoint is of another log, or ``leaf`` does not fit its size.
        """
        if accepted.checkpoint.origin != self.origin:
            raise _wrong(f"is by {self.origin!r}, the checkpoint by {accepted.checkpoint.origin!r:.80}")
        if (leaf is None) is not (accepted.checkpoint.size <= self.index):
            raise _wrong("is held against an entry that does not fit the checkpoint's size")
        if leaf == self.leaf:
            return Verdict.KEPT
        return Verdict.BROKEN if accepted.time is not None and accepted.time > self.due else Verdict.OPEN


def _wrong(what: str) -> VerificationError:
    return VerificationError(f"the {_WHAT} {what}", where=_WHAT)
