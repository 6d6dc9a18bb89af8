"""What a witness answers (C2SP tlog-witness). Pure: bytes, what was cosigned last, and the time come in.

::

    old 20852014                                        the size that the log believes we cosigned last
    PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=        consistency proof, at most 63 hashes

    example.com/behind-the-sofa                         the new checkpoint, signed by the log
    20852163
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

    — example.com/behind-the-sofa Az3grlgtzPICa5OS8npV...
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from seenby_verify.errors import UsageError, VerificationError
from seenby_verify.tlog.checkpoint import Checkpoint, parse_checkpoint
from seenby_verify.tlog.cosignature import cosign, witness_key
from seenby_verify.tlog.note import Line, Note
from seenby_verify.tlog.strict import decode_base64, decode_decimal
from seenby_verify.tlog.tree import EMPTY_ROOT, verify_consistency
from seenby_verify.tlog.vkey import VerifierKey

MAX_BODY: Final = 64 << 10
MAX_PROOF: Final = 63
CLOCK_SLACK: Final = 60
"""Seconds by which our clock may go back; then the time of the last cosignature stands for it."""
TEXT: Final = "text/plain; charset=utf-8"
SIZE: Final = "text/x.tlog.size"


@dataclass(frozen=True, slots=True)
class Seen:
    """What was cosigned last for a log. ``note``: the checkpoint with the log's signatures and ours."""

    size: int = 0
    root: bytes = EMPTY_ROOT
    time: int = 0
    note: bytes = b""


@dataclass(frozen=True, slots=True)
class Submission:
    """A request with a checkpoint of a known log, signed by that log. ``lines``: the log's signatures."""

    old: int
    proof: tuple[bytes, ...]
    checkpoint: Checkpoint
    text: bytes
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """HTTP status and body.

    Attributes:
        seen: must be on disk before a byte of the answer leaves.
        fork: a signed checkpoint that cannot be true if ``Seen.note`` is: evidence to keep.
    """

    status: int
    body: bytes
    content_type: str = TEXT
    seen: Seen | None = None
    fork: bytes | None = None


def _refused(status: int, why: str) -> Answer:
    return Answer(status, f"{why}\n".encode())


class Witness:
    """One witness: its name, its key, the logs that it knows."""

    def __init__(self, name: str, key: Ed25519PrivateKey, logs: Iterable[VerifierKey]) -> None:
        """``logs``: several keys of one name are several keys of that log. Raises UsageError if there is none."""
        self.name = name
        self.vkey = witness_key(name, key)
        self.logs: dict[str, list[VerifierKey]] = {}
        for log in logs:
            self.logs.setdefault(log.name, []).append(log)
        if not self.logs:
            raise UsageError("a witness needs a log to watch", hint="give --log with the log's verifier key")
        self._key = key

    def read(self, body: bytes) -> Submission | Answer:
        """What does not depend on what was seen before: 400, 404, 403, or a submission."""
        if len(body) > MAX_BODY:
            return _refused(413, f"a request has at most {MAX_BODY} bytes")
        head, blank, note = body.partition(b"\n\n")
        if not blank:
            return _refused(400, "there is no empty line before the checkpoint")
        first, *hashes = head.decode("utf-8", "replace").split("\n")
        old = decode_decimal(first.removeprefix("old ")) if first.startswith("old ") else None
        if old is None:
            return _refused(400, "the first line is not: old SIZE")
        if len(hashes) > MAX_PROOF:
            return _refused(400, f"a consistency proof has at most {MAX_PROOF} lines")
        proof = []
        for line in hashes:
            step = decode_base64(line)
            if step is None or len(step) != 32:
                return _refused(400, "a line of the consistency proof is not a hash in base64")
            proof.append(step)
        try:
            parsed = Note.parse(note, "checkpoint")
            checkpoint = parse_checkpoint(parsed.text)
        except VerificationError as error:
            return _refused(400, error.message)
        keys = self.logs.get(checkpoint.origin)
        if keys is None:
            return _refused(404, "this witness does not know the log")
        try:
            if not parsed.signatures(keys):
                return _refused(403, "no signature is by a key of the log that this witness knows")
        except VerificationError as error:
            return _refused(403, error.message)
        known = {(key.name, key.id) for key in keys}
        lines = tuple(line for line in parsed.lines if (line.name, line.key_id) in known)
        if old > checkpoint.size:
            return _refused(400, f"the old size {old} is larger than the checkpoint's, {checkpoint.size}")
        return Submission(old, tuple(proof), checkpoint, parsed.text, lines)

    def decide(self, submission: Submission, seen: Seen, now: int) -> Answer:
        """409, 422, or 200 with a cosignature. ``seen``: nobody else may change it until the answer's is on disk.

        Args:
            now: Unix seconds.
        """
        new = submission.checkpoint
        fork = None
        if new.size == seen.size and new.root != seen.root and seen.note:
            fork = submission.text + b"\n" + b"".join(map(_line, submission.lines))
        if submission.old != seen.size:
            return Answer(409, f"{seen.size}\n".encode(), SIZE, fork=fork)
        try:
            if new.size == 0 and new.root != EMPTY_ROOT:
                raise VerificationError("the root of a log without entries is SHA-256 of nothing")
            verify_consistency(seen.size, new.size, seen.root, new.root, submission.proof)
        except VerificationError as error:
            return Answer(422, f"{error.message}\n".encode(), fork=fork)
        if now < seen.time - CLOCK_SLACK:
            # A later cosignature with an earlier time would say something false of one of the two.
            return _refused(500, "this witness's clock went back")
        time = max(now, seen.time)
        signature = cosign(submission.text, self.name, self._key, time)
        note = submission.text + b"\n" + b"".join(map(_line, submission.lines)) + signature
        return Answer(200, signature, seen=Seen(new.size, new.root, time, note))

    def reopen(self, note: bytes) -> tuple[str, Seen]:
        """(origin, what was seen) from a note that this witness cosigned. Raises VerificationError for another."""
        parsed = Note.parse(note, "checkpoint")
        ours = parsed.signatures([self.vkey])
        if not ours:
            raise VerificationError("the checkpoint is not cosigned by this witness")
        checkpoint = parse_checkpoint(parsed.text)
        return checkpoint.origin, Seen(checkpoint.size, checkpoint.root, ours[-1].time, note)


def _line(line: Line) -> bytes:
    return f"— {line.name} {base64.b64encode(line.key_id + line.raw).decode()}\n".encode()
