"""C2SP tlog-checkpoint and signed-note: what the log signs, and how a stranger checks it.

::

    eu.seenby.example/ledger
    20852163
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

    — eu.seenby.example/ledger <base64 of key id[4] and signature[64]>
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from seenby_verify.errors import VerificationError

_ED25519 = b"\x01"
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """``name+<key id, 8 hex digits>+base64(0x01 || Ed25519 public key)``: all that a verifier trusts."""

    name: str
    key: bytes

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.key).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self.key).decode()}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Raises VerificationError, with what is wrong, if ``text`` is not an Ed25519 verifier key."""
        hint = "a verifier key looks like example.org/log+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
        parts = text.strip().split("+", 2)
        if len(parts) != 3:
            raise VerificationError("the verifier key has not three parts joined by +", where="key", hint=hint)
        name, key_id, encoded = parts
        if not valid_name(name):
            raise VerificationError("the verifier key has no valid name", where="key", hint=hint)
        material = _base64(encoded)
        if material is None or len(material) != 33 or material[:1] != _ED25519:
            raise VerificationError("the verifier key is not an Ed25519 key of 32 bytes", where="key", hint=hint)
        key = cls(name, material[1:])
        if key.id.hex() != key_id:
            raise VerificationError("the verifier key's id does not fit its name and key", where="key", hint=hint)
        return key


def valid_name(name: str) -> bool:
    """Whether signed-note allows this as a key's name (and we as an origin): no spaces, plus or control characters."""
    return bool(name) and "+" not in name and name.isprintable() and not any(c.isspace() for c in name)


def _base64(text: str) -> bytes | None:
    """Strict standard base64: exactly one spelling per value."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if base64.b64encode(data).decode() == text else None


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
    verifier = VerifierKey(checkpoint.origin, key.public_key().public_bytes_raw())
    signature = base64.b64encode(verifier.id + key.sign(checkpoint.text)).decode()
    return checkpoint.text + f"\n— {verifier.name} {signature}\n".encode()


def open_note(note: bytes, keys: Iterable[VerifierKey]) -> bytes:
    """The text of a signed note of which at least one of ``keys`` signed. Raises VerificationError.

    Signatures by other keys are ignored; a false signature by a known key refuses the note (signed-note).
    """
    known = {(key.name, key.id): key.key for key in keys}
    where = "checkpoint"
    try:
        content = note.decode("utf-8")
    except UnicodeDecodeError:
        raise VerificationError("the checkpoint is not UTF-8", where=where) from None
    if any(c < " " and c != "\n" for c in content):
        raise VerificationError("the checkpoint holds control characters", where=where)
    text, blank, signatures = content.rpartition("\n\n")
    if not blank or not signatures.endswith("\n"):
        raise VerificationError("the checkpoint has no signature block, or it is cut off", where=where)
    text += "\n"
    lines = signatures[:-1].split("\n")
    if len(lines) > 64:
        raise VerificationError("the checkpoint has more than 64 signatures", where=where)
    good = 0
    for line in lines:
        dash, name, encoded, *rest = [*line.split(" "), "", ""]
        raw = _base64(encoded)
        if dash != "—" or not valid_name(name) or rest != ["", ""] or raw is None or len(raw) < 5:
            raise VerificationError("the checkpoint has a line that is no signature line", where=where)
        key = known.get((name, raw[:4]))
        if key is None:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(raw[4:], text.encode())
        except (InvalidSignature, ValueError):
            raise VerificationError(f"the checkpoint's signature by {name} is false", where=where) from None
        good += 1
    if not good:
        raise VerificationError(
            "the checkpoint carries no signature by a key that you trust", where=where, hint="check --key"
        )
    return text.encode()


def parse_checkpoint(text: bytes) -> Checkpoint:
    """The checkpoint in a note's text. Raises VerificationError. Extension lines are allowed and ignored."""
    where = "checkpoint"
    lines = text.decode().split("\n")
    if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
        raise VerificationError("the checkpoint has not three lines: origin, size, root", where=where)
    root = _base64(lines[2])
    if not _DECIMAL.fullmatch(lines[1]):
        raise VerificationError("the checkpoint's second line is not a tree size", where=where)
    if root is None or len(root) != 32:
        raise VerificationError("the checkpoint's third line is not a root hash", where=where)
    return Checkpoint(lines[0], int(lines[1]), root)


def open_checkpoint(note: bytes, key: VerifierKey) -> Checkpoint:
    """Checks the log's own signature and origin, and answers the checkpoint. Raises VerificationError."""
    checkpoint = parse_checkpoint(open_note(note, [key]))
    if checkpoint.origin != key.name:
        raise VerificationError(
            f"the checkpoint is of the log {checkpoint.origin!r}, the key of {key.name!r}", where="checkpoint"
        )
    return checkpoint
