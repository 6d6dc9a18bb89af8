"""Evidence that a log broke its word, checkable by anybody who has the trust policy (docs/formats/evidence.md).

A promise that was not kept, or two checkpoints that cannot both be true.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any, Final

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.checkpoint import Checkpoint, parse_checkpoint
from seenby_verify.tlog.note import Note
from seenby_verify.tlog.policy import Policy
from seenby_verify.tlog.promise import Promise, Verdict
from seenby_verify.tlog.steps import Placed, hashes
from seenby_verify.tlog.strict import Fields, load_json
from seenby_verify.tlog.times import clock
from seenby_verify.tlog.tree import leaf_hash, verify_consistency

BROKEN_PROMISE: Final = "seenby/broken-promise/v1"
FORK: Final = "seenby/fork/v1"
MAX_EVIDENCE: Final = 2 << 20
_WHAT: Final = "evidence"


@dataclass(frozen=True, slots=True)
class BrokenPromise:
    """``promise``, ``checkpoint``: signed notes. ``entry``: what stands there instead; None: the tree is too small."""

    promise: bytes
    checkpoint: bytes
    entry: tuple[bytes, tuple[bytes, ...]] | None

    def encode(self) -> bytes:
        entry = None
        if self.entry:
            entry = {"entry": _b64(self.entry[0]), "proof": [_b64(one) for one in self.entry[1]]}
        return _document(
            BROKEN_PROMISE, promise=self.promise.decode(), checkpoint=self.checkpoint.decode(), entry=entry
        )

    def check(self, policy: Policy) -> str:
        """What it proves, in a sentence. Raises VerificationError if it proves nothing."""
        promise = Promise.open(self.promise, policy)
        accepted = policy.accepts(self.checkpoint)
        if accepted.checkpoint.origin != promise.origin:
            raise _wrong("holds a checkpoint of another log than the promise")
        leaf = None
        if self.entry:
            Placed(promise.index, *self.entry).check(accepted.checkpoint, _WHAT)
            leaf = leaf_hash(self.entry[0])
        verdict = promise.judge(accepted, leaf)
        if verdict is not Verdict.BROKEN:
            raise _wrong(f"shows a promise that is {verdict}, not broken")
        instead = "another entry stands there" if self.entry else f"its tree ends at {accepted.checkpoint.size}"
        return (
            f"{promise.origin} promised entry {promise.index} by {clock(promise.due)}; "
            f"a checkpoint that witnesses saw after that time does not hold it: {instead}"
        )


@dataclass(frozen=True, slots=True)
class Fork:
    """Two checkpoints, signed notes, of which ``older`` is not the larger.

    ``root`` is what the tree of the newer one has as its root at the size of the older one, and ``proof`` proves that
    (RFC 6962, 2.1.2); with checkpoints of one size there is neither.
    """

    older: bytes
    newer: bytes
    root: bytes | None = None
    proof: tuple[bytes, ...] = ()

    def encode(self) -> bytes:
        root = None if self.root is None else _b64(self.root)
        proof = [_b64(one) for one in self.proof]
        return _document(FORK, older=self.older.decode(), newer=self.newer.decode(), root=root, proof=proof)

    def check(self, policy: Policy) -> str:
        """What it proves, in a sentence. Raises VerificationError if it proves nothing."""
        older, newer = _signed(self.older, policy), _signed(self.newer, policy)
        if older.origin != newer.origin:
            raise _wrong("is about two different logs")
        root = newer.root
        if older.size == newer.size:
            if self.root is not None or self.proof:
                raise _wrong("has a proof between checkpoints of one size")
        elif self.root is None:
            raise _wrong("has no root of the newer tree at the older size")
        else:
            try:
                verify_consistency(older.size, newer.size, self.root, newer.root, self.proof)
            except VerificationError as error:
                raise _wrong(f"does not prove what it says: {error.message}") from None
            root = self.root
        if root == older.root:
            raise _wrong("shows two checkpoints that can both be true")
        return (
            f"{older.origin} signed two histories: its checkpoints of sizes {older.size} and {newer.size} "
            f"cannot both be true, since they disagree about the first {older.size} entries"
        )


def parse_evidence(data: bytes) -> BrokenPromise | Fork:
    """Raises VerificationError if ``data`` is no evidence. Nothing is checked yet."""
    value = load_json(data, f"the {_WHAT}", MAX_EVIDENCE)
    format = value.get("format") if isinstance(value, dict) else None
    if format == FORK:
        fields = Fields(value, _WHAT, ("format", "older", "newer", "root", "proof"))
        root = None if fields.raw("root") is None else fields.binary("root", 32)
        return Fork(_note(fields, "older"), _note(fields, "newer"), root, hashes(fields))
    if format == BROKEN_PROMISE:
        fields = Fields(value, _WHAT, ("format", "promise", "checkpoint", "entry"))
        entry = None
        if fields.raw("entry") is not None:
            inner = Fields(fields.raw("entry"), fields.at("entry"), ("entry", "proof"))
            entry = (inner.binary("entry", limit=65_535), hashes(inner))
        return BrokenPromise(_note(fields, "promise"), _note(fields, "checkpoint"), entry)
    raise _wrong(f"is neither {BROKEN_PROMISE} nor {FORK}")


def _note(fields: Fields, name: str) -> bytes:
    return fields.text(name, 1 << 20).encode()


def _signed(note: bytes, policy: Policy) -> Checkpoint:
    """A checkpoint that its log signed. Whether a witness saw it does not matter: the log's word is enough."""
    parsed = Note.parse(note, _WHAT)
    checkpoint = parse_checkpoint(parsed.text)
    if not parsed.signatures(log.key for log in policy.logs if log.key.name == checkpoint.origin):
        raise _wrong(f"has a checkpoint of {checkpoint.origin!r:.80} that no log which you trust signed")
    return checkpoint


def _document(format: str, **members: Any) -> bytes:
    return json.dumps({"format": format, **members}, indent=1).encode() + b"\n"


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _wrong(what: str) -> VerificationError:
    return VerificationError(f"the {_WHAT} {what}", where=_WHAT)
