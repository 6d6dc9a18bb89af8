"""What a witness's answer to add-checkpoint means (C2SP tlog-witness). Bytes of a stranger come in; no I/O here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from seenby.errors import VerificationError
from seenby_verify.tlog.checkpoint import Checkpoint, parse_checkpoint
from seenby_verify.tlog.cosignature import verify_cosignature
from seenby_verify.tlog.note import Note
from seenby_verify.tlog.policy import Policy
from seenby_verify.tlog.strict import decode_decimal
from seenby_verify.tlog.vkey import VerifierKey

MAX_ANSWER: Final = 16 << 10
"""Bytes: a cosignature with a long name has 400, and a witness may send several."""
CLOCK_SLACK: Final = 300
"""Seconds that a cosignature may be off our clock: verifiers take its time for the checkpoint's."""
MAX_WAIT: Final = 3600
"""Seconds for which we let a witness send us away (Retry-After)."""

_MEANINGS: Final = {
    400: "cannot read our request",
    403: "does not trust the key that signed the checkpoint",
    404: "does not know this log, or add-checkpoint is elsewhere",
    413: "finds our request too long",
    429: "gets too many requests",
}


class Fault(Exception):
    """Why a witness's answer holds no cosignature for us. Never leaves ``Cosigner``.

    Attributes:
        alarm: the witness has cosigned something that our log contradicts.
        wait: seconds for which it asked not to be asked.
    """

    def __init__(self, message: str, *, alarm: bool = False, wait: float = 0.0) -> None:
        super().__init__(message)
        self.message = message
        self.alarm = alarm
        self.wait = wait


class Conflict(Exception):
    """409: the witness cosigned a smaller tree last than we thought, or a larger one that ours still contains."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


@dataclass(frozen=True, slots=True)
class Target:
    """A checkpoint that waits for cosignatures.

    Attributes:
        note: as it was published, possibly with cosignatures of an earlier run.
        text: what is signed.
        plain: text and the log's own signature: what witnesses are sent.
        lines: the cosignatures in ``note`` that hold, by the policy's name of the witness.
    """

    note: bytes
    checkpoint: Checkpoint
    text: bytes
    plain: bytes
    lines: dict[bytes, bytes]

    @classmethod
    def read(cls, note: bytes, key: VerifierKey, policy: Policy) -> Target:
        """Raises VerificationError unless ``key`` signed it."""
        parsed = Note.parse(note, "checkpoint")
        checkpoint = parse_checkpoint(parsed.text)
        if not parsed.signatures([key]) or checkpoint.origin != key.name:
            raise VerificationError("the checkpoint to be cosigned is not this log's", where="checkpoint")
        raw = note[len(parsed.text) + 1 :].split(b"\n")[:-1]
        own, found = b"", {}
        witnesses = {(one.key.name, one.key.id): one for one in policy.witnesses}
        for line, written in zip(parsed.lines, raw, strict=True):
            if (line.name, line.key_id) == (key.name, key.id):
                own += written + b"\n"
            witness = witnesses.get((line.name, line.key_id))
            if witness is not None:
                verify_cosignature(witness.key.key, line.raw, parsed.text)
                found[witness.name] = written + b"\n"
        return cls(note, checkpoint, parsed.text, parsed.text + b"\n" + own, found)


def read_answer(status: int, headers: Mapping[str, str], body: bytes, old: int, new: int) -> None:
    """Returns for 200. Raises Conflict if another proof may help, Fault for everything else.

    Args:
        old: the size that we said the witness had cosigned.
        new: the size of the checkpoint that we sent.
    """
    if status == 200:
        return
    if status == 409:
        raise _conflict(body, old, new)
    if status == 422:
        # The witness agreed about the size, or it had answered 409; and our proof comes from our own tiles.
        raise Fault(
            f"does not find in our log of {new} entries the {old} that it has cosigned: there are two logs with this "
            f"key, or our tiles are damaged",
            alarm=True,
        )
    if 300 <= status < 400:
        raise Fault(f"answers {status} and sends us elsewhere; the policy must give the URL where it answers itself")
    wait = decode_decimal(headers.get("retry-after", "0")) if status in (429, 503) else 0
    meaning = _MEANINGS.get(status, "does not answer as a witness does")
    raise Fault(f"answers {status}: {meaning}{_words(body)}", wait=min(wait or 0, MAX_WAIT))


def _conflict(body: bytes, old: int, new: int) -> Exception:
    size = decode_decimal(body[:-1].decode("ascii", "replace")) if body.endswith(b"\n") else None
    if size is None:
        return Fault(f"answers 409 without the size that it has cosigned{_words(body)}")
    if size > new:
        return Fault(
            f"says that it has cosigned {size} entries of this log, which has {new}: our log went back, or somebody "
            f"else writes with this key",
            alarm=True,
        )
    if size == old == new:
        return Fault(
            f"has cosigned another tree of {size} entries: there are two logs with this key, or our tiles are damaged",
            alarm=True,
        )
    if size == old:
        return Fault(f"answers 409 and names the very size that we sent, {size}")
    return Conflict(size)


def cosignature(body: bytes, target: Target, key: VerifierKey, now: float) -> tuple[bytes, int]:
    """The signature line by ``key`` in the body of a 200, and its time; of several, the latest.

    Raises Fault if the body is anything but signature lines, or holds none by ``key``, or a false one by it, or one of
    another time. Lines by unknown keys are ignored, as the specification has it: they may be of tomorrow's types.
    """
    try:
        parsed = Note.parse(target.plain + body, "answer")
    except VerificationError as error:
        raise Fault(f"answers 200 with something else than signature lines: {error.message}") from None
    if parsed.text != target.text:
        raise Fault("answers 200 with something else than signature lines: an empty line")
    best: tuple[bytes, int] | None = None
    # The text is ours, so the lines are: ours, then the body's, each as it is written.
    written = body.split(b"\n")[:-1]
    for line, raw in zip(parsed.lines[-len(written) :] if written else (), written, strict=True):
        if (line.name, line.key_id) != (key.name, key.id):
            continue
        try:
            at = verify_cosignature(key.key, line.raw, target.text)
        except VerificationError:
            raise Fault("answers with a cosignature that does not match this checkpoint") from None
        if best is None or at > best[1]:
            best = raw + b"\n", at
    if best is None:
        raise Fault(f"answers without a cosignature by the key of {key.name}")
    off = best[1] - now
    if abs(off) > CLOCK_SLACK:
        raise Fault(
            f"cosigns with a time {abs(off):.0f} seconds {'after' if off > 0 else 'before'} ours: check both clocks"
        )
    return best


def _words(body: bytes) -> str:
    """The beginning of what a stranger wrote, fit for our log."""
    first = body[:400].decode("utf-8", "replace").split("\n")[0]
    words = re.sub(r"\s+", " ", "".join(c if c.isprintable() else "?" for c in first))[:120].strip()
    return f" ({words!r})" if words else ""
