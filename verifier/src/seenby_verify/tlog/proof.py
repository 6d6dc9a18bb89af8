"""C2SP tlog-proof, and receipts, which are such proofs with the entry as ``extra`` (docs/formats/receipts.md).

::

    c2sp.org/tlog-proof@v1
    extra <base64 of the entry>
    index 73894
    gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=

    <signed checkpoint>
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.entries import MAX_ENTRY, Entry, decode
from seenby_verify.tlog.note import MAX_NOTE
from seenby_verify.tlog.policy import Accepted, Policy
from seenby_verify.tlog.steps import MAX_PROOF, Placed, Step
from seenby_verify.tlog.strict import decode_base64, decode_decimal
from seenby_verify.tlog.tree import leaf_hash, verify_inclusion

_FIRST: Final = "c2sp.org/tlog-proof@v1"
_WHAT: Final = "receipt"


@dataclass(frozen=True, slots=True)
class Proof:
    """``checkpoint``: the signed note. ``extra``: None if there is no such line."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def encode(self) -> bytes:
        lines = [_FIRST]
        if self.extra is not None:
            lines.append(f"extra {base64.b64encode(self.extra).decode()}")
        lines += [f"index {self.index}", *(base64.b64encode(one).decode() for one in self.hashes), "", ""]
        return "\n".join(lines).encode() + self.checkpoint

    @classmethod
    def parse(cls, data: bytes) -> Proof:
        """Raises VerificationError if ``data`` is not a tlog-proof. Nothing is checked yet."""
        head, blank, checkpoint = data.partition(b"\n\n")
        if head.partition(b"\n")[0] != _FIRST.encode():
            raise _wrong(f"does not begin with {_FIRST}")
        try:
            lines = head.decode("ascii").split("\n")[1:]
        except UnicodeDecodeError:
            raise _wrong("has lines before its checkpoint that are not ASCII") from None
        if not blank or not checkpoint:
            raise _wrong("ends before its checkpoint")
        extra = None
        if lines and lines[0].startswith("extra "):
            extra = decode_base64(lines.pop(0)[6:])
            if extra is None:
                raise _wrong("has an extra line that is not base64")
        name, _, number = lines.pop(0).partition(" ") if lines else ("", "", "")
        index = decode_decimal(number) if name == "index" else None
        if index is None:
            raise _wrong("has no line with the index")
        hashes: list[bytes] = []
        for line in lines:
            one = decode_base64(line)
            if one is None or len(one) != 32 or len(hashes) == MAX_PROOF:
                raise _wrong("has a line in its inclusion proof that is no hash, or too many of them")
            hashes.append(one)
        return cls(index, tuple(hashes), checkpoint, extra)

    def check(self, leaf: bytes, policy: Policy) -> Accepted:
        """The checkpoint, if the policy accepts it and ``leaf`` (a hash) is in its tree. Raises VerificationError."""
        accepted = policy.accepts(self.checkpoint)
        verify_inclusion(leaf, self.index, accepted.checkpoint.size, self.hashes, accepted.checkpoint.root)
        return accepted


class ReceiptCheck:
    """Checks a receipt step by step; afterwards the attributes are there.

    Attributes:
        proof, accepted, entry: what the receipt holds, the checkpoint that it proves, the entry that is in the log.
    """

    TITLES: Final = (
        "format: a tlog-proof with its entry",
        "checkpoint: signed by the log and cosigned as the policy asks",
        "inclusion: the entry is in the log",
        "entry: it is well formed",
    )

    def __init__(self, data: bytes, policy: Policy) -> None:
        self._data = data
        self._policy = policy
        self.proof: Proof
        self.accepted: Accepted
        self.entry: Entry

    def steps(self) -> Iterator[Step]:
        """Yields each step when it holds; raises VerificationError in the one that does not."""
        if len(self._data) > MAX_NOTE:
            raise _wrong(f"is longer than {MAX_NOTE} bytes")
        self.proof = Proof.parse(self._data)
        extra = self.proof.extra
        if extra is None or not 2 <= len(extra) <= MAX_ENTRY:
            raise _wrong("does not hold the entry that it is for")
        yield Step(1, self.TITLES[0], f"{len(extra)} bytes, index {self.proof.index}")
        self.accepted = self._policy.accepts(self.proof.checkpoint)
        checkpoint = self.accepted.checkpoint
        yield Step(2, self.TITLES[1], f"{checkpoint.origin}, size {checkpoint.size}")
        try:
            Placed(self.proof.index, extra, self.proof.hashes).check(checkpoint, _WHAT)
        except VerificationError as error:
            raise VerificationError(error.message, where=_WHAT, hint="the receipt is not from this log") from None
        yield Step(3, self.TITLES[2], f"leaf {leaf_hash(extra).hex()[:16]}…")
        self.entry = decode(extra)
        yield Step(4, self.TITLES[3], f"{type(self.entry).__name__}, epoch {self.entry.epoch}")


def _wrong(what: str) -> VerificationError:
    return VerificationError(f"the {_WHAT} {what}", where=_WHAT)
