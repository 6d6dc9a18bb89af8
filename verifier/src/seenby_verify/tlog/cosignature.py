"""C2SP tlog-cosignature, type 0x04 (cosignature/v1): a witness says when it saw a checkpoint.

::

    — witness.example.com/w1 base64(key id[4] || time u64 || Ed25519 signature[64])

Signed is ``cosignature/v1\\ntime 1679315147\\n`` and then the checkpoint's text with its last newline. The key is a
``VerifierKey`` of type COSIGNATURE; ``note.Note`` finds and checks the lines of a note, ``policy.Policy`` weighs them.
"""

from __future__ import annotations

import base64
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.strict import MAX_NUMBER
from seenby_verify.tlog.vkey import COSIGNATURE, VerifierKey

SIZE: Final = 8 + 64
"""Bytes of a cosignature after its key id."""


def cosigned_message(time: int, text: bytes) -> bytes:
    """What a witness signs about a checkpoint's ``text``. ``time``: Unix time in seconds.

    >>> cosigned_message(1679315147, b"example.com/log\\n")
    b'cosignature/v1\\ntime 1679315147\\nexample.com/log\\n'
    """
    return b"cosignature/v1\ntime %d\n" % time + text


def witness_key(name: str, key: Ed25519PrivateKey) -> VerifierKey:
    """What others need to know a witness by."""
    return VerifierKey(name, key.public_key().public_bytes_raw(), COSIGNATURE)


def cosign(text: bytes, name: str, key: Ed25519PrivateKey, time: int) -> bytes:
    """The signature line, with its newline, of witness ``name`` under a checkpoint's ``text``."""
    if not 0 < time <= MAX_NUMBER:
        raise VerificationError("a cosignature needs a Unix time", where="cosignature")
    raw = witness_key(name, key).id + time.to_bytes(8, "big") + key.sign(cosigned_message(time, text))
    return f"— {name} {base64.b64encode(raw).decode()}\n".encode()


def verify_cosignature(key: bytes, raw: bytes, text: bytes) -> int:
    """The time of a cosignature (``raw``: without its key id). Raises VerificationError if it does not hold."""
    time = int.from_bytes(raw[:8], "big")
    if len(raw) != SIZE or not 0 < time <= MAX_NUMBER:
        raise VerificationError("a cosignature has not 8 bytes of time and 64 of signature", where="cosignature")
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(raw[8:], cosigned_message(time, text))
    except (InvalidSignature, ValueError):
        raise VerificationError("a cosignature does not match", where="cosignature") from None
    return time
