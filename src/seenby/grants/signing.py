"""Signatures by members of staff: what is signed, and the check (docs/formats/grant.md).

Over a grant, Ed25519 (RFC 8032) over the bytes of ``seenby_verify.tlog.entries.grant_message``::

    seenby/grant/v1
    approve
    eu
    6f0e2b...                     the grant's id, 32 hex digits
    91c4a0...                     grant_commit of its terms, 64 hex digits

The message names the verb, so an approval cannot be replayed as a revocation, and the grant and its commitment, so
it cannot be moved to other terms.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from seenby.errors import VerificationError
from seenby_verify.tlog.entries import grant_message


class Verb(StrEnum):
    """What a signature says about a grant."""

    REQUEST = "request"
    APPROVE = "approve"
    DENY = "deny"
    REVOKE = "revoke"
    BREAK_GLASS = "break-glass"
    JUSTIFIED = "review"
    UNJUSTIFIED = "review-unjustified"


def sign_grant(key: Ed25519PrivateKey, verb: Verb, region: str, grant_id: str, commit: bytes) -> bytes:
    """A principal's signature, 64 bytes, over verb, region, grant and the commitment to its terms."""
    return key.sign(grant_message(verb, region, bytes.fromhex(grant_id), commit))


def verify_grant(public_key: bytes, signature: bytes, verb: str, region: str, grant_id: str, commit: bytes) -> None:
    """Raises VerificationError unless ``signature`` is this key's, over exactly this."""
    message = grant_message(verb, region, bytes.fromhex(grant_id), commit)
    _verify(public_key, signature, message, f"the signature to {verb} grant {grant_id[:8]}")


READ_SECONDS = 60
"""How far the time in a signed reading may be from the gateway's."""


def read_message(name: str, region: str, target: str, at: int) -> bytes:
    """What a principal signs to read from the control API: path with query, and the time in Unix seconds."""
    return f"seenby/read/v1\n{name}\n{region}\n{target}\n{at}\n".encode()


def write_message(name: str, region: str, target: str, at: int, body: bytes) -> bytes:
    """What a principal signs to change something that is not a grant: path, time, and the digest of the body sent."""
    digest = hashlib.sha256(body).hexdigest()
    return f"seenby/write/v1\n{name}\n{region}\n{target}\n{at}\n{digest}\n".encode()


def verify_read(public_key: bytes, signature: bytes, message: bytes) -> None:
    """Raises VerificationError unless ``signature`` is this key's over ``read_message`` or ``write_message``."""
    _verify(public_key, signature, message, "the signature of this request")


def _verify(public_key: bytes, signature: bytes, message: bytes, what: str) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise VerificationError(
            f"{what} does not match",
            where=what,
            hint="sign the terms as they are, with the key that the directory lists for you",
        ) from None
