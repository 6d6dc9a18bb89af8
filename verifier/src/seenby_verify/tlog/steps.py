"""How every check of ours reports: numbered steps, each told when it holds; the first fault ends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.checkpoint import Checkpoint
from seenby_verify.tlog.entries import MAX_ENTRY
from seenby_verify.tlog.strict import MAX_NUMBER, Fields, decode_base64
from seenby_verify.tlog.tree import leaf_hash, verify_inclusion

MAX_PROOF: Final = 64
"""Hashes of an inclusion proof: no tree that could exist needs more."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step that holds. ``number`` from 1; ``detail``: what was looked at."""

    number: int
    title: str
    detail: str


@dataclass(frozen=True, slots=True)
class Placed:
    """An entry with the proof that it is in a tree: ``{"index": 7, "entry": base64, "proof": [base64, ...]}``."""

    index: int
    entry: bytes
    proof: tuple[bytes, ...]

    @classmethod
    def read(cls, value: object, place: str) -> Placed:
        """From JSON. Raises VerificationError; whether the bytes are an entry is not looked at."""
        fields = Fields(value, place, ("index", "entry", "proof"))
        return cls(fields.number("index", 0, MAX_NUMBER), fields.binary("entry", limit=MAX_ENTRY), hashes(fields))

    def check(self, checkpoint: Checkpoint, where: str) -> None:
        """Raises VerificationError unless the entry is in the checkpoint's tree at its index."""
        try:
            verify_inclusion(leaf_hash(self.entry), self.index, checkpoint.size, self.proof, checkpoint.root)
        except VerificationError as error:
            raise at(where, error) from None


def hashes(fields: Fields) -> tuple[bytes, ...]:
    """The member ``proof`` of a JSON object: hashes in base64, the leaf's sibling first."""
    found: list[bytes] = []
    for one in fields.array("proof", MAX_PROOF):
        value = decode_base64(one) if isinstance(one, str) else None
        if value is None or len(value) != 32:
            raise fault(f"{fields.at('proof')}[{len(found)}]", "is not base64 of 32 bytes")
        found.append(value)
    return tuple(found)


def at(where: str, error: VerificationError) -> VerificationError:
    """The same fault, with its place."""
    return VerificationError(f"{where}: {error.message}", where=where, hint=error.hint, detail=error.detail)


def fault(where: str, what: str) -> VerificationError:
    return VerificationError(f"{where}: {what}", where=where)
