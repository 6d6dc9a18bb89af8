"""C2SP tlog-checkpoint: what the log signs, and how a stranger checks it.

::

    eu.seenby.example/ledger
    20852163
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

    — eu.seenby.example/ledger <base64 of key id[4] and signature[64]>
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.note import open_note, sign_note
from seenby_verify.tlog.strict import decode_base64, decode_decimal
from seenby_verify.tlog.vkey import VerifierKey, valid_name

__all__ = [
    "Checkpoint",
    "VerifierKey",
    "open_checkpoint",
    "open_note",
    "parse_checkpoint",
    "sign_checkpoint",
    "valid_name",
]
_WHAT = "checkpoint"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The tree's size and root that the log ``origin`` states."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> bytes:
        """What is signed: three lines, with the last newline."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n".encode()


def sign_checkpoint(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> bytes:
    """The signed note, ready for the file ``checkpoint``. The key's name is the origin."""
    if not valid_name(checkpoint.origin):
        raise VerificationError(f"{checkpoint.origin!r} cannot be an origin", hint="no spaces and no plus sign")
    return sign_note(checkpoint.text, checkpoint.origin, key)


def parse_checkpoint(text: bytes) -> Checkpoint:
    """The checkpoint in a note's text. Raises VerificationError. Extension lines are allowed and ignored."""
    lines = text.decode("utf-8", "replace").split("\n")
    if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
        raise VerificationError("the checkpoint has not three lines: origin, size, root", where=_WHAT)
    size, root = decode_decimal(lines[1]), decode_base64(lines[2])
    if size is None:
        raise VerificationError("the checkpoint's second line is not a tree size", where=_WHAT)
    if root is None or len(root) != 32:
        raise VerificationError("the checkpoint's third line is not a root hash", where=_WHAT)
    return Checkpoint(lines[0], size, root)


def open_checkpoint(note: bytes, key: VerifierKey) -> Checkpoint:
    """Checks the log's own signature and origin, and answers the checkpoint. Raises VerificationError."""
    checkpoint = parse_checkpoint(open_note(note, [key], _WHAT))
    if checkpoint.origin != key.name:
        raise VerificationError(
            f"the checkpoint is of the log {checkpoint.origin!r}, the key of {key.name!r}", where=_WHAT
        )
    return checkpoint
